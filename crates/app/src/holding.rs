//! What an account holds, by state and technology.

use crate::{Caller, Error, Registry};
use domain::{AccountId, BundleStatus, EventNumber, WattHours};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use store::Connection;

/// How soon is soon: of Active bundles that expire within this many days, the energy is told apart.
pub const EXPIRING_DAYS: i64 = 90;

/// Up to how many bundles a walk is short: a fraction of a second.
const SHORT_WALK_MAX: i64 = 50_000;

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
    fn add(&mut self, sum: &store::bundle::HoldingSum) {
        let to = |own: &mut WattHours, energy: WattHours| *own = [*own, energy].into_iter().sum();
        let unexpired = sum.energy.saturating_sub(sum.expired);
        match sum.status {
            BundleStatus::Active => {
                to(&mut self.active, unexpired);
                to(&mut self.expiring, sum.expiring);
                to(&mut self.expired, sum.expired);
            }
            BundleStatus::Locked => {
                to(&mut self.locked, unexpired);
                to(&mut self.expired, sum.expired);
            }
            BundleStatus::Expired => to(&mut self.expired, sum.energy),
            BundleStatus::Reserved => to(&mut self.reserved, sum.energy),
            BundleStatus::Cancelled => to(&mut self.cancelled, sum.energy),
            BundleStatus::Claimed => to(&mut self.claimed, sum.energy),
            BundleStatus::Withdrawn | BundleStatus::Split => {}
        }
    }
}

/// By type of technology.
type ByTechnology = BTreeMap<String, Holdings>;

/// The long walks: each is on one of two lanes, where one is under way at a time. So however many people look at large
/// accounts, other reads keep their readers.
#[derive(Default)]
pub(crate) struct Walks([Lane; 2]);

#[derive(Default)]
struct Lane {
    /// How many have asked.
    asked: AtomicU64,
    last: Mutex<Option<Walk>>,
}

/// What the last walk of a lane found: as good for who asked before it began as one of their own.
struct Walk {
    account: AccountId,
    began_at: u64,
    fresh: Option<EventNumber>,
    found: ByTechnology,
}

impl Walks {
    /// What `walk` finds, unless a walk for the same account that began after this question has found it meanwhile.
    fn one<E>(
        &self,
        account: AccountId,
        fresh: Option<EventNumber>,
        walk: impl FnOnce() -> Result<ByTechnology, E>,
    ) -> Result<ByTechnology, E> {
        let lane = &self.0[usize::from(account.0 % 2 != 0)];
        let mine = lane.asked.fetch_add(1, Ordering::SeqCst);
        let mut last = lane.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| last.account == account)
            && last.began_at > mine
            && last.fresh >= fresh
        {
            return Ok(last.found.clone());
        }
        let began_at = lane.asked.load(Ordering::SeqCst);
        let found = walk()?;
        *last = Some(Walk { account, began_at, fresh, found: found.clone() });
        Ok(found)
    }
}

impl Registry {
    /// What an account holds, by the type of technology that its certificates state. Takes as long as the account has
    /// bundles; of an account with many it is read on a connection of its own. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that the caller may not read.
    pub fn holdings(
        &self,
        caller: &Caller,
        account: AccountId,
        fresh: Option<EventNumber>,
    ) -> Result<ByTechnology, Error> {
        let short = self.of_account(caller, account, fresh, |connection| {
            let is_long = store::bundle::has_more_than(connection, account, SHORT_WALK_MAX)?;
            if is_long { Ok(None) } else { self.walk(connection, account).map(Some) }
        })?;
        let Some(found) = short else {
            return self.0.holding_walks.one(account, fresh, || {
                let mut connection = self.long_reader(fresh)?;
                Ok(self.walk(&mut connection, account)?)
            });
        };
        Ok(found)
    }

    fn walk(&self, connection: &mut Connection, account: AccountId) -> store::Result<ByTechnology> {
        let now = self.now();
        let soon = now.checked_add(SignedDuration::from_hours(24 * EXPIRING_DAYS)).unwrap_or(jiff::Timestamp::MAX);
        let sums = store::bundle::holding_sums(connection, account, now, soon)?;
        let known = self.0.attributes.by_ids(connection, sums.iter().map(|sum| sum.attributes_id))?;
        let mut found = ByTechnology::new();
        for sum in &sums {
            if let Some(attributes) = known.get(&sum.attributes_id).filter(|_| sum.status.is_live()) {
                found.entry(attributes.device.technology_type.clone()).or_default().add(sum);
            }
        }
        Ok(found)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn found(wh: u64) -> ByTechnology {
        BTreeMap::from([("wind".to_owned(), Holdings { active: WattHours(wh), ..Holdings::default() })])
    }

    fn one(walks: &Walks, account: i64, fresh: Option<i64>, wh: u64) -> u64 {
        let walk = || Ok::<_, ()>(found(wh));
        let of = walks.one(AccountId(account), fresh.map(EventNumber), walk).expect("the walk succeeds");
        of["wind"].active.0
    }

    #[test]
    fn who_asks_after_a_walk_began_gets_one_of_their_own() {
        let walks = Walks::default();
        assert_eq!(one(&walks, 1, None, 10), 10);
        assert_eq!(one(&walks, 1, None, 20), 20);
        assert_eq!(walks.one(AccountId(1), None, || Err("out of reach")), Err("out of reach"));
        assert_eq!(one(&walks, 1, None, 30), 30);
    }

    #[test]
    fn who_asked_before_a_walk_began_shares_it_if_it_is_as_fresh_and_of_the_same_account() {
        for (account, fresh, expected) in [(1, None, 7), (1, Some(5), 7), (1, Some(6), 9), (3, None, 9)] {
            let walks = Walks::default();
            let both_asked = Barrier::new(2);
            std::thread::scope(|scope| {
                let held = walks.0[1].last.lock().expect("nobody panicked");
                let late = scope.spawn(|| {
                    both_asked.wait();
                    one(&walks, account, fresh, 9)
                });
                both_asked.wait();
                while walks.0[1].asked.load(Ordering::SeqCst) == 0 {
                    std::thread::yield_now();
                }
                // Somebody's walk begins now and is done before the other gets to it.
                let mut held = held;
                let began_at = walks.0[1].asked.load(Ordering::SeqCst);
                *held = Some(Walk { account: AccountId(1), began_at, fresh: Some(EventNumber(5)), found: found(7) });
                drop(held);
                assert_eq!(late.join().expect("it does not panic"), expected, "{account} {fresh:?}");
            });
        }
    }
}
