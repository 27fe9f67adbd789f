//! What an action did to bundles, as the log says it.
//!
//! An event states what changed; what did not is as the bundle's earlier events left it. Range and parent never change, so
//! they are taken from the bundle. Invariant: each bundle of an action once, as the action left it.

use domain::event::decode::{self, FieldValue};
use domain::event::{Entity, bundle_tag};
use domain::{AccountId, ActionId, ActionKind, BundleId, BundleStatus, CertificateRange, EventNumber, WattHours};
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
    pub part: Part,
}

/// What a bundle is to an action that touched it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Whole, or split off for it: what the action is about.
    Taken,
    /// Divided in two.
    Parent,
    /// What is left of one that was divided.
    Rest,
}

/// What an action came to: no split parents, and of each split only the part that was split off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub bundles: usize,
    pub energy: WattHours,
}

impl Taken {
    fn add(&mut self, energy: WattHours) {
        self.bundles += 1;
        self.energy = [self.energy, energy].into_iter().sum();
    }
}

#[derive(Default)]
pub(super) struct Done {
    pub results: Vec<Left>,
    pub taken: Taken,
}

/// What each of these bundles is to an action of this kind, which touched them in this order, each once; with their parents.
fn parts(kind: ActionKind, touched: &[(BundleId, Option<BundleId>)]) -> Vec<Part> {
    let ids: HashSet<BundleId> = touched.iter().map(|(id, _)| *id).collect();
    let parent_of = |parent: &Option<BundleId>| parent.filter(|parent| ids.contains(parent));
    let divided: HashSet<BundleId> = touched.iter().filter_map(|(_, parent)| parent_of(parent)).collect();
    // The lower certificates come first. They are what is taken, but for a correction, which withdraws the last.
    let is_last_taken = kind == ActionKind::UpdateMeasurement;
    let mut begun = HashSet::new();
    let part = |(id, parent): &(BundleId, Option<BundleId>)| match parent_of(parent) {
        _ if divided.contains(id) => Part::Parent,
        Some(parent) if begun.insert(parent) == is_last_taken => Part::Rest,
        _ => Part::Taken,
    };
    touched.iter().map(part).collect()
}

/// What each of these actions came to, without looking into the past of its bundles.
pub(super) fn taken_by(tx: &mut Connection, actions: &[&ActionRow]) -> store::Result<HashMap<ActionId, Taken>> {
    let stretches: Vec<_> = actions.iter().map(|row| (row.first_event, row.last_event)).collect();
    let named = store::event::named_in(tx, &stretches)?;
    let taken = |action: &&ActionRow| {
        let first = named.partition_point(|of| of.number < action.first_event);
        let last = named.partition_point(|of| of.number <= action.last_event);
        let mut seen = HashSet::new();
        let touched = named.get(first..last).unwrap_or_default().iter().filter(|of| seen.insert(of.bundle));
        let touched: Vec<_> = touched.collect();
        let places: Vec<_> = touched.iter().map(|of| (of.bundle, of.parent)).collect();
        let mut taken = Taken::default();
        for (of, part) in touched.iter().zip(parts(action.kind, &places)) {
            if part == Part::Taken {
                taken.add(of.energy);
            }
        }
        (action.id, taken)
    };
    Ok(actions.iter().map(taken).collect())
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
        let (mut touched, mut seen) = (Vec::new(), HashSet::new());
        for event in events.get(first..last).unwrap_or_default() {
            if seen.insert(event.bundle) {
                touched.push(bundles.get(&event.bundle).ok_or(Error::NoRow)?);
            }
        }
        let places: Vec<_> = touched.iter().map(|bundle| (bundle.id, bundle.parent_id)).collect();
        let mut found = Done::default();
        for (bundle, part) in touched.into_iter().zip(parts(action.kind, &places)) {
            let history = history.get(&bundle.id).ok_or(Error::NoRow)?;
            let (account_id, status) = fold(history, action.last_event)?;
            if part == Part::Taken {
                found.taken.add(bundle.range.quantity());
            }
            let (bundle_id, range, parent_id) = (bundle.id, bundle.range, bundle.parent_id);
            found.results.push(Left { bundle_id, parent_id, range, status, account_id, part });
        }
        done.insert(action.id, found);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_divided_bundle_one_part_is_taken_and_the_other_is_the_rest() {
        let of = |id: i64, parent: Option<i64>| (BundleId(id), parent.map(BundleId));
        // 3 stems from a split of the past; 5 is divided into 8 and 9.
        let touched = [of(3, Some(1)), of(5, None), of(8, Some(5)), of(9, Some(5))];
        let taken_first = [Part::Taken, Part::Parent, Part::Taken, Part::Rest];
        for kind in [ActionKind::Transfer, ActionKind::Cancel, ActionKind::Withdraw] {
            assert_eq!(parts(kind, &touched), taken_first);
        }
        let rest_first = [Part::Taken, Part::Parent, Part::Rest, Part::Taken];
        assert_eq!(parts(ActionKind::UpdateMeasurement, &touched), rest_first);
    }
}
