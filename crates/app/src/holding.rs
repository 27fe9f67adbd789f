//! What an account holds, by state and technology.

use crate::{Caller, Error, Registry};
use domain::{AccountId, BundleStatus, EventNumber, WattHours};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use store::holding::Expiry;

/// How soon is soon: of Active bundles that expire within this many days, the energy is told apart.
pub const EXPIRING_DAYS: i64 = 90;

/// The energy of bundles by their state, as it is now. Withdrawn bundles and split parents count nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    pub active: WattHours,
    /// Of `active`, what expires within [`EXPIRING_DAYS`].
    pub expiring: WattHours,
    pub locked: WattHours,
    pub reserved: WattHours,
    pub expired: WattHours,
    pub cancelled: WattHours,
    pub claimed: WattHours,
}

impl Holdings {
    fn add(&mut self, status: BundleStatus, energy: WattHours, expiry: Expiry) {
        let to = |own: &mut WattHours, energy: WattHours| *own = [*own, energy].into_iter().sum();
        let unexpired = energy.saturating_sub(expiry.expired);
        match status {
            BundleStatus::Active => {
                to(&mut self.active, unexpired);
                to(&mut self.expiring, expiry.expiring);
                to(&mut self.expired, expiry.expired);
            }
            BundleStatus::Locked => {
                to(&mut self.locked, unexpired);
                to(&mut self.expired, expiry.expired);
            }
            BundleStatus::Expired => to(&mut self.expired, energy),
            BundleStatus::Reserved => to(&mut self.reserved, energy),
            BundleStatus::Cancelled => to(&mut self.cancelled, energy),
            BundleStatus::Claimed => to(&mut self.claimed, energy),
            BundleStatus::Withdrawn | BundleStatus::Split => {}
        }
    }
}

/// By type of technology.
type ByTechnology = BTreeMap<String, Holdings>;

impl Registry {
    /// What an account holds, by the type of technology that its certificates state. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that the caller may not read.
    pub fn holdings(
        &self,
        caller: &Caller,
        account: AccountId,
        fresh: Option<EventNumber>,
    ) -> Result<ByTechnology, Error> {
        let now = self.now();
        let soon = now.checked_add(SignedDuration::from_hours(24 * EXPIRING_DAYS)).unwrap_or(jiff::Timestamp::MAX);
        self.of_account(caller, account, fresh, |connection| {
            let (sums, expiries) = connection.snapshot(|connection| {
                let sums = store::holding::sums(connection, account)?;
                Ok::<_, store::Error>((sums, store::holding::expiries(connection, account, now, soon)?))
            })?;
            let known = self.0.attributes.by_ids(connection, sums.iter().map(|sum| sum.attributes_id))?;
            let mut found = ByTechnology::new();
            for sum in &sums {
                let expiry = expiries.get(&(sum.attributes_id, sum.status)).copied().unwrap_or_default();
                if let Some(attributes) = known.get(&sum.attributes_id).filter(|_| sum.status.is_live()) {
                    let of = found.entry(attributes.device.technology_type.clone()).or_default();
                    of.add(sum.status, sum.energy, expiry);
                }
            }
            Ok(found)
        })
    }
}

/// All of them together.
impl<'h> std::iter::Sum<&'h Holdings> for Holdings {
    fn sum<I: Iterator<Item = &'h Holdings>>(all: I) -> Self {
        all.fold(Self::default(), |sum, more| {
            let of = |a: WattHours, b: WattHours| [a, b].into_iter().sum();
            Self {
                active: of(sum.active, more.active),
                expiring: of(sum.expiring, more.expiring),
                locked: of(sum.locked, more.locked),
                reserved: of(sum.reserved, more.reserved),
                expired: of(sum.expired, more.expired),
                cancelled: of(sum.cancelled, more.cancelled),
                claimed: of(sum.claimed, more.claimed),
            }
        })
    }
}
