//! What the seed's actions say of cancellations: which bundles were cancelled, and for whom.
//!
//! Memory holds 24 bytes for each bundle that an action names, and each beneficiary once.

use super::text::{ids, letters};
use std::collections::HashMap;
use store::seed::ActionRow;

/// One action on one bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deed {
    bundle: i64,
    pub(super) action: i64,
    /// For whom it was cancelled, by the place of their name; `None` of an action that is no cancellation.
    cancelled_for: Option<u32>,
}

/// All of them, by bundle and then in order.
#[derive(Default)]
pub(super) struct Deeds {
    done: Vec<Deed>,
    /// The first stands for nobody in particular.
    beneficiaries: Vec<Option<String>>,
    places: HashMap<Option<String>, u32>,
}

impl Deeds {
    /// Actions that were rejected did nothing, and recurring ones were never carried out by the seed.
    pub(super) fn add(&mut self, row: &ActionRow) {
        let rejected = row.response_status.as_deref().is_some_and(|status| letters(status) == "rejected");
        let kind = letters(row.action_type.as_deref().unwrap_or_default());
        if rejected || row.is_deleted || kind.starts_with("recurring") {
            return;
        }
        let beneficiary = row.beneficiary.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let cancelled_for = (kind == "cancel").then(|| self.place(beneficiary));
        let named = ids(row.bundle_ids.as_deref()).into_iter();
        self.done.extend(named.map(|bundle| Deed { bundle, action: row.id, cancelled_for }));
    }

    fn place(&mut self, beneficiary: Option<&str>) -> u32 {
        let beneficiary = beneficiary.map(str::to_owned);
        if let Some(place) = self.places.get(&beneficiary) {
            return *place;
        }
        let place = u32::try_from(self.beneficiaries.len()).expect("fewer than 2^32 beneficiaries");
        self.beneficiaries.push(beneficiary.clone());
        self.places.insert(beneficiary, place);
        place
    }

    pub(super) fn sort(&mut self) {
        self.done.sort_unstable();
    }

    /// What was done to a bundle, in order.
    pub(super) fn of(&self, bundle: i64) -> &[Deed] {
        let first = self.done.partition_point(|deed| deed.bundle < bundle);
        let rest = self.done.get(first..).unwrap_or_default();
        let count = rest.partition_point(|deed| deed.bundle == bundle);
        rest.get(..count).unwrap_or_default()
    }

    /// `None` where the action named nobody: then it is the holder.
    pub(super) fn beneficiary(&self, deed: Deed) -> Option<&str> {
        let place = usize::try_from(deed.cancelled_for?).ok()?;
        self.beneficiaries.get(place)?.as_deref()
    }
}

impl Deed {
    pub(super) fn is_cancellation(self) -> bool {
        self.cancelled_for.is_some()
    }

    pub(super) fn is_for_the_same(self, other: Self) -> bool {
        self.cancelled_for == other.cancelled_for
    }
}
