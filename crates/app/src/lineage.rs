//! Where a bundle comes from and what became of it: the tree of splits that it stands in, what was withdrawn before it in
//! its interval and what was issued in place of it, and the events of all that.
//!
//! What the caller may not read is *held elsewhere*: its place and range are there, so that the tree is whole, and nothing
//! of its holder, beneficiary, users or actions. Invariant: nothing is cut without saying so.

use crate::event::{EventView, view};
use crate::sight::Sight;
use crate::storage::{StorageChain, issuance_id_of};
use crate::{Caller, Error, Registry};
use domain::{AccountId, Bundle, BundleId, BundleStatus, CertificateRange, DeviceId, EventNumber, Interval};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use store::Connection;

/// The most bundles that a lineage shows.
pub const LINEAGE_BUNDLES_MAX: usize = 1_000;
/// The most events that a lineage shows.
pub const LINEAGE_EVENTS_MAX: usize = 1_000;

/// What one bundle is to the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Itself,
    /// It was split from this one, or from one that was.
    Ancestor,
    /// It was split from it, or from one that was.
    Descendant,
    /// Another part of what they were issued as.
    Relative,
    /// Issued earlier for the same interval, and withdrawn.
    Withdrawn,
    /// Issued for the same interval later, after something of this issuance was withdrawn.
    Replacement,
}

#[derive(Clone, Debug)]
pub struct LineageBundle {
    pub id: BundleId,
    pub parent_id: Option<BundleId>,
    pub relation: Relation,
    /// How many splits lie between it and what was issued, as far as they are shown.
    pub generation: usize,
    pub range: CertificateRange,
    pub issued_at: Timestamp,
    /// `None` where it is held elsewhere, but for what was split or withdrawn.
    pub status: Option<BundleStatus>,
    /// `None` where it is held elsewhere.
    pub held: Option<Held>,
}

/// Who holds a bundle, and for whom it was cancelled.
#[derive(Clone, Debug)]
pub struct Held {
    pub account_id: AccountId,
    pub beneficiary: Option<String>,
    pub beneficiary_account_id: Option<AccountId>,
}

#[derive(Clone, Debug)]
pub struct Lineage {
    pub id: BundleId,
    pub device: DeviceId,
    pub issuance_id: String,
    /// Of one that was issued on a discharge of storage: back to what was cancelled.
    pub chain: Option<StorageChain>,
    pub production: Interval,
    /// Of what it was issued as, as far back as is shown.
    pub root: CertificateRange,
    /// In the order of their certificates, the larger first.
    pub bundles: Vec<LineageBundle>,
    /// Whether there are more bundles than are shown.
    pub has_more_bundles: bool,
    /// Of the bundles that the caller may read, in order.
    pub events: Vec<EventView>,
    pub has_more_events: bool,
}

/// Bundles by what they are to the one in question, up to a number.
struct Family {
    found: BTreeMap<BundleId, (Relation, Bundle)>,
    has_more: bool,
}

impl Family {
    fn add(&mut self, relation: Relation, bundle: Bundle) {
        if self.found.contains_key(&bundle.id) {
            return;
        }
        if self.found.len() < LINEAGE_BUNDLES_MAX {
            self.found.insert(bundle.id, (relation, bundle));
        } else {
            self.has_more = true;
        }
    }
}

impl Registry {
    /// The lineage of a bundle that the caller may read. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`], as for the bundle itself.
    pub fn lineage(&self, caller: &Caller, id: BundleId, fresh: Option<EventNumber>) -> Result<Lineage, Error> {
        let now = self.now();
        let found = self.read(fresh, |connection| {
            connection.snapshot(|tx| -> store::Result<_> {
                let sight = Sight::of(tx, caller)?;
                let line = store::bundle::line(tx, id, limit(LINEAGE_BUNDLES_MAX))?;
                if !line.first().is_some_and(|bundle| is_readable(&sight, bundle)) {
                    return Ok(None);
                }
                let family = family(tx, line)?;
                let ids: Vec<i64> = family
                    .found
                    .values()
                    .filter(|(_, bundle)| is_readable(&sight, bundle))
                    .map(|(_, bundle)| bundle.id.0)
                    .collect();
                let events = store::event::of_bundles(tx, &ids, None, limit(LINEAGE_EVENTS_MAX))?;
                let Some((_, itself)) = family.found.get(&id) else { return Ok(None) };
                let attributes = store::metadata::attributes_by_ids(tx, &[itself.attributes_id.0])?.into_iter().next();
                let chain = self.chain_of(tx, itself)?;
                let discharged = chain.as_ref().map(StorageChain::discharged);
                let issuance = attributes.map(|of| issuance_id_of(itself, &of, discharged.as_ref()));
                Ok(issuance.map(|issuance_id| (sight, family, events, issuance_id, chain)))
            })
        })?;
        let missing = Error::NotFound { what: "Granular certificate bundle", id: id.0 };
        let (sight, family, mut events, issuance_id, chain) = found.ok_or(missing)?;
        let has_more_events = events.len() > LINEAGE_EVENTS_MAX;
        events.truncate(LINEAGE_EVENTS_MAX);
        let events = events.iter().map(|logged| view(&sight, logged)).collect::<Result<_, _>>()?;
        let itself = &family.found.get(&id).ok_or(Error::Internal)?.1;
        let (device, production) = (itself.device_id, itself.production);
        let root = root_of(&family, itself);
        let bundles = shown(&sight, &family, now);
        let has_more_bundles = family.has_more;
        Ok(Lineage {
            id,
            device,
            issuance_id,
            chain,
            production,
            root,
            bundles,
            has_more_bundles,
            events,
            has_more_events,
        })
    }
}

fn limit(most: usize) -> i64 {
    i64::try_from(most.saturating_add(1)).unwrap_or(i64::MAX)
}

/// Whether a bundle is of an account of theirs, or cancelled for one.
pub(crate) fn is_readable(sight: &Sight, bundle: &Bundle) -> bool {
    let beneficiary = bundle.cancellation.as_ref().and_then(|cancellation| cancellation.beneficiary_account);
    sight.account(bundle.account_id) || beneficiary.is_some_and(|account| sight.account(account))
}

/// What is nearest comes first, so that it is shown if not all can be: the line of ancestors, the descendants, the rest of
/// the tree, then what stands beside it. `line` begins with the bundle itself.
fn family(tx: &mut Connection, line: Vec<Bundle>) -> store::Result<Family> {
    let mut family = Family { found: BTreeMap::new(), has_more: false };
    let (Some(itself), Some(root)) = (line.first().cloned(), line.last().cloned()) else { return Ok(family) };
    let place = (itself.device_id, itself.production.start());
    // Longer than can be shown: the oldest are left out.
    family.has_more = line.len() > LINEAGE_BUNDLES_MAX;
    for bundle in line {
        family.add(if bundle.id == itself.id { Relation::Itself } else { Relation::Ancestor }, bundle);
    }
    for bundle in store::bundle::within(tx, place, itself.range, limit(LINEAGE_BUNDLES_MAX))? {
        family.add(Relation::Descendant, bundle);
    }
    for bundle in store::bundle::within(tx, place, root.range, limit(LINEAGE_BUNDLES_MAX))? {
        family.add(Relation::Relative, bundle);
    }
    let is_withdrawn = family.found.values().any(|(_, bundle)| bundle.status == BundleStatus::Withdrawn);
    let beside = store::bundle::beside(tx, place, root.range, limit(LINEAGE_BUNDLES_MAX))?;
    family.has_more |= beside.len() > LINEAGE_BUNDLES_MAX;
    // of a discharge, only what was issued on the same draw takes the place of what was withdrawn
    for bundle in beside.into_iter().filter(|bundle| bundle.draw_id == itself.draw_id) {
        // Certificates are numbered as they are issued.
        let is_later = bundle.range.first() > root.range.last();
        match (is_later, bundle.status) {
            (true, _) if is_withdrawn && bundle.parent_id.is_none() => family.add(Relation::Replacement, bundle),
            (false, BundleStatus::Withdrawn) => family.add(Relation::Withdrawn, bundle),
            _ => {}
        }
    }
    Ok(family)
}

/// The range of the oldest bundle that is shown of those that hold this one.
fn root_of(family: &Family, itself: &Bundle) -> CertificateRange {
    let mut oldest = itself;
    while let Some((_, parent)) = oldest.parent_id.and_then(|id| family.found.get(&id)) {
        oldest = parent;
    }
    oldest.range
}

fn shown(sight: &Sight, family: &Family, now: Timestamp) -> Vec<LineageBundle> {
    // Parents are older than their children, so they come first.
    let mut generations: HashMap<BundleId, usize> = HashMap::new();
    let open: HashSet<BundleId> =
        family.found.values().filter(|(_, bundle)| is_readable(sight, bundle)).map(|(_, bundle)| bundle.id).collect();
    let mut bundles = Vec::with_capacity(family.found.len());
    for (relation, bundle) in family.found.values() {
        let generation = bundle.parent_id.and_then(|id| generations.get(&id)).map_or(0, |parent| parent + 1);
        generations.insert(bundle.id, generation);
        let is_open = open.contains(&bundle.id);
        let is_plain = matches!(bundle.status, BundleStatus::Split | BundleStatus::Withdrawn);
        let cancellation = bundle.cancellation.as_deref();
        bundles.push(LineageBundle {
            id: bundle.id,
            parent_id: bundle.parent_id,
            relation: *relation,
            generation,
            range: bundle.range,
            issued_at: bundle.issued_at,
            status: (is_open || is_plain).then(|| bundle.status_at(now)),
            held: is_open.then(|| Held {
                account_id: bundle.account_id,
                beneficiary: cancellation.map(|c| c.beneficiary.clone()),
                beneficiary_account_id: cancellation.and_then(|c| c.beneficiary_account),
            }),
        });
    }
    bundles.sort_by_key(|bundle| (bundle.range.first(), std::cmp::Reverse(bundle.range.last())));
    bundles
}
