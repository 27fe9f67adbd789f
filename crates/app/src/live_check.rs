//! The end of the ledger, checked as it stands: what of the invariants can be looked at within milliseconds, however large the
//! ledger is.
//!
//! Invariant: what one check costs is bounded, and each line says which part it looked at. It is no audit: `granary verify`
//! shares no code with the rules and reads everything; this finds at once what went wrong just now.

use crate::action::result::fold;
use crate::{Error, Registry};
use domain::seal::{self, Entry, Hash, NO_HASH, SealedAction};
use domain::{ActionId, Bundle, BundleId, BundleStatus, CertificateRange, DeviceId, EventNumber};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use store::Connection;
use store::action::ActionRow;
use store::event::{BundleEvent, LoggedEvent};
use store::head::Head;

/// The last events whose chain is followed.
const EVENTS_MAX: i64 = 500;
/// The last actions whose bundles are looked at, as far as they are among the last events of this number.
const ACTIONS_MAX: i64 = 100;
const ACTED_EVENTS_MAX: i64 = 2_000;
/// Issuances of these bundles that are looked at whole, the newest bundles first, and the most bundles of one of them.
const ISSUANCES_MAX: usize = 200;
const ISSUANCE_BUNDLES_MAX: i64 = 500;
/// Faults of one line that are told.
const FAULTS_TOLD_MAX: usize = 5;

/// What a look at the end of the ledger found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveCheck {
    /// The last event of the state that was looked at.
    pub event_number: EventNumber,
    pub checked_at: Timestamp,
    pub lines: Vec<LiveLine>,
}

/// One of the things that were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveLine {
    pub name: &'static str,
    /// Over which part of the ledger.
    pub part: String,
    /// How many things were looked at.
    pub checked: u64,
    /// What is wrong; the first of them.
    pub faults: Vec<String>,
}

impl LiveCheck {
    pub fn is_clean(&self) -> bool {
        self.lines.iter().all(|line| line.faults.is_empty())
    }
}

impl LiveLine {
    fn new(name: &'static str, part: String) -> Self {
        Self { name, part, checked: 0, faults: Vec::new() }
    }

    fn looked_at(&mut self, number: usize) {
        self.checked += u64::try_from(number).unwrap_or(u64::MAX);
    }

    fn check(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds && self.faults.len() < FAULTS_TOLD_MAX {
            self.faults.push(fault());
        }
    }
}

impl Registry {
    /// Checks the end of the ledger, in one unchanging state of it. For who may read everything. Blocks.
    pub fn live_check(&self) -> Result<LiveCheck, Error> {
        let checked_at = self.now();
        self.read_primary(|connection| {
            connection.snapshot(|tx| {
                let head = store::head::read(tx)?;
                let bundles = touched(tx, &head)?;
                let lines = vec![
                    counts(tx, &head)?,
                    chain(tx, &head)?,
                    folded(tx, &head, &bundles)?,
                    partitioned(tx, &bundles)?,
                ];
                Ok(LiveCheck { event_number: head.event_number, checked_at, lines })
            })
        })
    }
}

/// The head says where events, actions and bundles end.
fn counts(tx: &mut Connection, head: &Head) -> store::Result<LiveLine> {
    let mut line = LiveLine::new("The head and the last rows", "the last event, action and bundle".to_owned());
    let last = store::head::last_ids(tx)?;
    let next = &head.next;
    for (noun, found, expected) in [
        ("event", last.event, head.event_number.0),
        ("action", last.action, next.action.0 - 1),
        ("bundle", last.bundle, next.bundle.0 - 1),
    ] {
        line.check(found == expected, || format!("the last {noun} is {found}, and the head says {expected}"));
        line.looked_at(1);
    }
    Ok(line)
}

/// Numbers without gaps, each leaf what it is the hash of, the last one in the head.
fn chain(tx: &mut Connection, head: &Head) -> store::Result<LiveLine> {
    let last = head.event_number.0;
    let before = EventNumber((last - EVENTS_MAX).max(0));
    let mut line = LiveLine::new("The chain of the log", format!("events {} to {last}", (before.0 + 1).min(last)));
    let filter = store::event::Filter { after: Some(before), ..store::event::Filter::default() };
    let events = store::event::find(tx, &filter, EVENTS_MAX)?;
    let actions = actions_of(tx, &events)?;
    let mut previous: Hash = match before {
        EventNumber(0) => NO_HASH,
        number => store::event::leaf(tx, number)?.unwrap_or(NO_HASH),
    };
    for (place, logged) in (before.0 + 1..).zip(&events) {
        let event = &logged.event;
        line.check(event.number.0 == place, || format!("where event {place} should be is event {}", event.number));
        let action = actions.get(&event.action_id);
        let sealed = action.map(|action| (seal::action_hash(&sealed_of(action)) == action.hash, &action.hash));
        let holds = sealed.is_some_and(|(is_sealed, hash)| is_sealed && leaf_of(logged, hash, &previous) == event.leaf);
        line.check(holds, || format!("event {} is not what its leaf was made of", event.number));
        previous = event.leaf;
    }
    let seen = events.last().map_or(before, |logged| logged.event.number);
    line.check(seen == head.event_number && previous == head.leaf, || {
        format!("the log ends at event {seen}, and not as the head says")
    });
    line.looked_at(events.len());
    Ok(line)
}

fn actions_of(tx: &mut Connection, events: &[LoggedEvent]) -> store::Result<HashMap<ActionId, ActionRow>> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(HashMap::new()) };
    let filter = store::action::Filter {
        from: Some(first.event.action_id),
        before: Some(ActionId(last.event.action_id.0 + 1)),
        ..store::action::Filter::default()
    };
    let found = store::action::find(tx, store::action::Of::Everybody, &filter, EVENTS_MAX)?;
    Ok(found.into_iter().map(|action| (action.id, action)).collect())
}

fn sealed_of(action: &ActionRow) -> SealedAction<'_> {
    SealedAction {
        id: action.id,
        kind: action.kind,
        actor: action.actor,
        requested_at: action.requested_at,
        salt: &action.salt,
        request: &action.request,
    }
}

fn leaf_of(logged: &LoggedEvent, action_hash: &Hash, previous: &Hash) -> Hash {
    let (event, body) = (&logged.event, &logged.event.body);
    seal::leaf_hash(&Entry {
        number: event.number,
        recorded_at: event.recorded_at,
        action_id: event.action_id,
        action_hash,
        entity: u8::try_from(body.entity.code()).unwrap_or(u8::MAX),
        entity_id: body.entity_id,
        event_type: u8::try_from(body.event_type.code()).unwrap_or(u8::MAX),
        salt: &event.salt,
        before: &body.before,
        after: &body.after,
        previous,
    })
}

/// The bundles that the last actions made or changed, and over which part of the log that was.
struct Touched {
    ids: Vec<i64>,
    part: String,
    bundles: HashMap<BundleId, Bundle>,
}

fn touched(tx: &mut Connection, head: &Head) -> store::Result<Touched> {
    let filter = store::action::Filter::default();
    let actions = store::action::find(tx, store::action::Of::Everybody, &filter, ACTIONS_MAX)?;
    let least = EventNumber((head.event_number.0 - ACTED_EVENTS_MAX + 1).max(1));
    let first = actions.last().map_or(least, |action| action.first_event.max(least));
    let events = if first > head.event_number {
        Vec::new()
    } else {
        store::event::of_stretches(tx, &[(first, head.event_number)])?
    };
    let ids: BTreeSet<i64> = events.iter().map(|event| event.bundle.0).collect();
    // The newest first.
    let ids: Vec<i64> = ids.into_iter().rev().collect();
    let bundles = store::bundle::by_ids(tx, &ids)?.into_iter().map(|bundle| (bundle.id, bundle)).collect();
    let part = format!("the bundles of events {first} to {}", head.event_number);
    Ok(Touched { ids, part, bundles })
}

/// A bundle's row is what its events say.
fn folded(tx: &mut Connection, head: &Head, touched: &Touched) -> store::Result<LiveLine> {
    let mut line = LiveLine::new("Bundles are what the log says", touched.part.clone());
    let mut history: HashMap<BundleId, Vec<BundleEvent>> = HashMap::new();
    for event in store::event::history_of(tx, &touched.ids, head.event_number)? {
        history.entry(event.bundle).or_default().push(event);
    }
    for id in touched.ids.iter().copied().map(BundleId) {
        let row = touched.bundles.get(&id).map(|bundle| (bundle.account_id, bundle.status));
        let told = history.get(&id).and_then(|history| fold(history, head.event_number).ok());
        line.check(row.is_some() && row == told, || format!("bundle {id} is not as its events left it"));
    }
    line.looked_at(touched.ids.len());
    Ok(line)
}

/// Of each issuance: what is no split parent never overlaps, and the parts of a split parent are exactly its range.
fn partitioned(tx: &mut Connection, touched: &Touched) -> store::Result<LiveLine> {
    let mut line = LiveLine::new("Nothing overlaps and nothing is lost", String::new());
    let mut places: Vec<(DeviceId, Timestamp)> = Vec::new();
    let mut seen = BTreeSet::new();
    for bundle in touched.ids.iter().filter_map(|id| touched.bundles.get(&BundleId(*id))) {
        let place = (bundle.device_id, bundle.production.start());
        if seen.insert(place) {
            places.push(place);
        }
    }
    let all = places.len();
    let (mut whole, mut large) = (0_usize, 0_usize);
    for place in places.into_iter().take(ISSUANCES_MAX) {
        let range = CertificateRange::new(1, i64::MAX.unsigned_abs()).ok_or(store::Error::NoRow)?;
        let bundles = store::bundle::within(tx, place, range, ISSUANCE_BUNDLES_MAX + 1)?;
        if i64::try_from(bundles.len()).is_ok_and(|found| found <= ISSUANCE_BUNDLES_MAX) {
            whole += 1;
            partition(&bundles, &mut line);
        } else {
            large += 1;
        }
    }
    let left_out = if large > 0 {
        format!("; {large} of more than {ISSUANCE_BUNDLES_MAX} bundles left out")
    } else {
        String::new()
    };
    line.part = format!("{whole} of {all} issuances of {}{left_out}", touched.part);
    Ok(line)
}

fn partition(bundles: &[Bundle], line: &mut LiveLine) {
    let mut kept: Vec<&Bundle> = bundles.iter().filter(|bundle| bundle.status != BundleStatus::Split).collect();
    kept.sort_by_key(|bundle| bundle.range.first());
    for pair in kept.windows(2) {
        let [one, other] = pair else { continue };
        line.check(one.range.last() < other.range.first(), || format!("bundles {} and {} overlap", one.id, other.id));
    }
    let mut parts: BTreeMap<BundleId, Vec<&Bundle>> = BTreeMap::new();
    for bundle in bundles {
        if let Some(parent) = bundle.parent_id {
            parts.entry(parent).or_default().push(bundle);
        }
    }
    for parent in bundles.iter().filter(|bundle| bundle.status == BundleStatus::Split) {
        let mut next = parent.range.first();
        let mut parts = parts.remove(&parent.id).unwrap_or_default();
        parts.sort_by_key(|part| part.range.first());
        let mut is_whole = !parts.is_empty();
        for part in parts {
            is_whole &= part.range.first() == next;
            next = part.range.last() + 1;
        }
        line.check(is_whole && next == parent.range.last() + 1, || {
            format!("the parts of bundle {} are not what it was", parent.id)
        });
    }
    for (parent, _) in parts {
        line.check(false, || format!("parts are there of bundle {parent}, which is not split"));
    }
    line.looked_at(bundles.len());
}
