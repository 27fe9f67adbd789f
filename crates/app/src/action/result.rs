//! What an action did to bundles, as the log says it.
//!
//! An event states what changed; what did not is as the bundle's earlier events left it. Range and parent never change, so
//! they are taken from the bundle. Invariant: each bundle of an action once, as the action left it.

use domain::event::decode::{self, FieldValue};
use domain::event::{Entity, EventType, bundle_tag};
use domain::{AccountId, ActionId, BundleId, BundleStatus, CertificateRange, EventNumber, WattHours};
use std::collections::{HashMap, HashSet};
use store::action::ActionRow;
use store::event::BundleEvent;
use store::{Connection, Error};

/// A bundle as an action left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub bundle_id: BundleId,
    pub parent_id: Option<BundleId>,
    pub range: CertificateRange,
    pub status: BundleStatus,
    pub account_id: AccountId,
}

pub(super) struct Done {
    pub results: Vec<Left>,
    /// What was acted on: no split parents, and of each split only the part that was split off.
    pub total: WattHours,
}

/// What each of these actions did, in the order of its events.
pub(super) fn of_actions(tx: &mut Connection, actions: &[&ActionRow]) -> store::Result<HashMap<ActionId, Done>> {
    let stretches: Vec<_> = actions.iter().map(|row| (row.first_event, row.last_event)).collect();
    let events = store::event::of_stretches(tx, &stretches)?;
    let ids: HashSet<i64> = events.iter().map(|event| event.bundle.0).collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    let Some(until) = events.last().map(|event| event.number) else { return Ok(HashMap::new()) };
    let bundles: HashMap<_, _> = store::bundle::by_ids(tx, &ids)?.into_iter().map(|b| (b.id, b)).collect();
    let mut history: HashMap<BundleId, Vec<BundleEvent>> = HashMap::new();
    for event in store::event::history_of(tx, &ids, until)? {
        history.entry(event.bundle).or_default().push(event);
    }
    let mut done = HashMap::new();
    for action in actions {
        let first = events.partition_point(|event| event.number < action.first_event);
        let last = events.partition_point(|event| event.number <= action.last_event);
        let (mut results, mut total, mut seen, mut split) =
            (Vec::new(), WattHours::ZERO, HashSet::new(), HashSet::new());
        for event in events.get(first..last).unwrap_or_default() {
            let (Some(bundle), Some(history)) = (bundles.get(&event.bundle), history.get(&event.bundle)) else {
                return Err(Error::NoRow);
            };
            if !seen.insert(event.bundle) {
                continue;
            }
            let (account_id, status) = fold(history, action.last_event)?;
            let is_rest =
                event.event_type == EventType::Create && bundle.parent_id.is_some_and(|parent| !split.insert(parent));
            if status != BundleStatus::Split && !is_rest {
                total = [total, bundle.range.quantity()].into_iter().sum();
            }
            let (range, parent_id) = (bundle.range, bundle.parent_id);
            results.push(Left { bundle_id: event.bundle, parent_id, range, status, account_id });
        }
        done.insert(action.id, Done { results, total });
    }
    Ok(done)
}

/// Where a bundle was and in which state, once the event `until` had happened.
pub(crate) fn fold(history: &[BundleEvent], until: EventNumber) -> store::Result<(AccountId, BundleStatus)> {
    let (mut account, mut status) = (None, None);
    for event in history.iter().take_while(|event| event.number <= until) {
        let fields = decode::fields(Entity::Bundle, &event.after).map_err(|_| Error::NoRow)?;
        for field in fields {
            match (field.tag, field.value) {
                (bundle_tag::ACCOUNT_ID, FieldValue::Integer(id)) => account = Some(AccountId(id)),
                (bundle_tag::STATUS, FieldValue::Word(word)) => status = BundleStatus::parse(word),
                _ => {}
            }
        }
    }
    account.zip(status).ok_or(Error::NoRow)
}
