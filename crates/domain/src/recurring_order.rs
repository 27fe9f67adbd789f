//! Recurring orders: what is to be transferred or cancelled again and again, and when. Invariant: when a run is due follows
//! from the first date alone, in UTC; nothing drifts.
//!
//! What an order names is looked at when it runs; this is what was ordered, and what a run makes of the order itself.

use crate::device::vocabulary;
use crate::{AccountId, Actor, BundleId, DeviceId, EnergySource, Portion, RecurringOrderId, UserId};
use jiff::{Span, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// The most units between two runs.
pub const PERIOD_QUANTITY_MAX: u32 = 1_000;
/// The most runs of an order that says how many.
pub const RUNS_MAX: u32 = 10_000;

vocabulary! {
    /// What an order does.
    OrderKind { Transfer = 1 "recurring_transfer", Cancel = 2 "recurring_cancel" }
}

vocabulary! {
    /// What a period is counted in.
    PeriodUnit { Days = 1 "days", Weeks = 2 "weeks", Months = 3 "months", Years = 4 "years" }
}

vocabulary! {
    /// Whether an order goes on.
    OrderState { Active = 1 "active", Paused = 2 "paused", Ended = 3 "ended" }
}

/// What is done at each run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderDeed {
    Transfer {
        target: AccountId,
    },
    /// Without a beneficiary: for the account, by the name that it has then.
    Cancel {
        beneficiary: Option<String>,
        beneficiary_account: Option<AccountId>,
        purpose: Option<String>,
    },
}

impl OrderDeed {
    pub fn kind(&self) -> OrderKind {
        match self {
            Self::Transfer { .. } => OrderKind::Transfer,
            Self::Cancel { .. } => OrderKind::Cancel,
        }
    }
}

/// When the runs of an order are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub first_at: Timestamp,
    pub unit: PeriodUnit,
    /// Units between two runs; from 1 to [`PERIOD_QUANTITY_MAX`].
    pub every: u32,
    /// How many runs, the first among them; from 1 to [`RUNS_MAX`]. `None`: until it is ended.
    pub runs: Option<u32>,
}

impl Schedule {
    /// When run `run` is due, counted from 0; `None` behind the last one, and beyond the calendar.
    ///
    /// Each is counted from the first date: the 31st is clamped to the last day of a shorter month, and is the 31st again
    /// in the next long one.
    pub fn due_at(&self, run: u32) -> Option<Timestamp> {
        if self.runs.is_some_and(|runs| run >= runs) {
            return None;
        }
        let units = i64::from(run).checked_mul(i64::from(self.every))?;
        let later = self.first_at.to_zoned_datetime(TimeZone::UTC).checked_add(self.span(units)?).ok()?;
        Some(later.timestamp())
    }

    /// When the next `count` runs are due, after `done` that were.
    pub fn due(&self, done: u32, count: u32) -> Vec<Timestamp> {
        (done..done.saturating_add(count)).map_while(|run| self.due_at(run)).collect()
    }

    fn span(&self, units: i64) -> Option<Span> {
        match self.unit {
            PeriodUnit::Days => Span::new().try_days(units).ok(),
            PeriodUnit::Weeks => Span::new().try_weeks(units).ok(),
            PeriodUnit::Months => Span::new().try_months(units).ok(),
            PeriodUnit::Years => Span::new().try_years(units).ok(),
        }
    }
}

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    pub deed: OrderDeed,
    pub source: AccountId,
    pub schedule: Schedule,
    /// Only bundles of this device.
    pub device: Option<DeviceId>,
    /// Only bundles made from this.
    pub energy_source: Option<EnergySource>,
    /// Of what matches, at each run.
    pub portion: Portion,
}

/// An order as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecurringOrder {
    pub id: RecurringOrderId,
    pub terms: OrderTerms,
    /// Who ordered it: the code of the actor, 0 for the operator.
    pub ordered_by: i64,
    pub created_at: Timestamp,
    pub state: OrderState,
    /// `None` once it has ended.
    pub next_due_at: Option<Timestamp>,
    /// Due times that are behind it: those that ran, were refused, or passed while it was paused.
    pub runs_done: u32,
}

impl RecurringOrder {
    /// In whose name it runs.
    pub fn actor(&self) -> Actor {
        if self.ordered_by == 0 { Actor::Operator } else { Actor::User(UserId(self.ordered_by)) }
    }

    /// As a run leaves it: the next due time comes, if there is one; `is_over` says that no run can succeed any more.
    #[must_use]
    pub fn after_run(&self, is_over: bool) -> Self {
        self.at_run(self.runs_done.saturating_add(1), OrderState::Active, is_over)
    }

    /// As it goes on at `now` after a pause: with the first due time that has not passed.
    #[must_use]
    pub fn resumed(&self, now: Timestamp) -> Self {
        let mut run = self.runs_done;
        while self.terms.schedule.due_at(run).is_some_and(|due| due < now) {
            run += 1;
        }
        self.at_run(run, OrderState::Active, false)
    }

    /// Held still: nothing of it runs until it is resumed.
    #[must_use]
    pub fn paused(&self) -> Self {
        Self { state: OrderState::Paused, ..self.clone() }
    }

    fn at_run(&self, run: u32, state: OrderState, is_over: bool) -> Self {
        let next_due_at = self.terms.schedule.due_at(run).filter(|_| !is_over);
        let state = if next_due_at.is_none() { OrderState::Ended } else { state };
        Self { state, next_due_at, runs_done: run, ..self.clone() }
    }
}

/// One due time of an order, and what it is to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRun {
    pub order: RecurringOrderId,
    pub due_at: Timestamp,
    /// The order's own, which never change.
    pub terms: OrderTerms,
    /// What the terms select of what is Active now, the oldest production first, at most
    /// [`BUNDLES_PER_ACTION_MAX`](crate::action::BUNDLES_PER_ACTION_MAX).
    pub bundles: Vec<BundleId>,
}

/// Midnight (UTC) of the day of `at`.
pub fn day_of(at: Timestamp) -> Timestamp {
    let day = at.to_zoned_datetime(TimeZone::UTC).start_of_day();
    day.map_or(at, |midnight| midnight.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(first: &str, unit: PeriodUnit, every: u32, runs: Option<u32>) -> Schedule {
        Schedule { first_at: at(first), unit, every, runs }
    }

    #[test]
    fn due_dates_are_counted_from_the_first_and_clamped_to_the_month() {
        use PeriodUnit::{Days, Months, Weeks, Years};
        for (first, unit, every, runs, due) in [
            (
                "2026-01-31T10:00:00Z",
                Months,
                1,
                None,
                ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"],
            ),
            (
                "2027-11-30T10:00:00Z",
                Months,
                3,
                None,
                ["2027-11-30", "2028-02-29", "2028-05-30", "2028-08-30", "2028-11-30"],
            ),
            (
                "2028-02-29T10:00:00Z",
                Years,
                1,
                None,
                ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"],
            ),
            (
                "2026-03-28T10:00:00Z",
                Days,
                1,
                None,
                ["2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31", "2026-04-01"],
            ),
            (
                "2026-12-24T10:00:00Z",
                Weeks,
                2,
                Some(5),
                ["2026-12-24", "2027-01-07", "2027-01-21", "2027-02-04", "2027-02-18"],
            ),
        ] {
            let found: Vec<String> =
                schedule(first, unit, every, runs).due(0, 5).iter().map(ToString::to_string).collect();
            assert_eq!(found, due.map(|day| format!("{day}T10:00:00Z")), "{first} every {every} {unit}");
        }
    }

    #[test]
    fn there_are_as_many_runs_as_were_ordered_and_none_beyond_the_calendar() {
        let three = schedule("2026-01-31T10:00:00Z", PeriodUnit::Months, 1, Some(3));
        assert_eq!(three.due(0, 5).len(), 3);
        assert_eq!(three.due(2, 5), [at("2026-03-31T10:00:00Z")]);
        assert_eq!((three.due(3, 5), three.due_at(3)), (vec![], None));
        let late = schedule("9998-06-01T00:00:00Z", PeriodUnit::Years, 1, None);
        assert_eq!(late.due(0, 5).len(), 2);
        let far = schedule("2026-01-01T00:00:00Z", PeriodUnit::Years, PERIOD_QUANTITY_MAX, Some(RUNS_MAX));
        assert_eq!(far.due(RUNS_MAX - 1, 1), []);
        assert_eq!(schedule("2026-01-01T00:00:00Z", PeriodUnit::Days, 1, None).due_at(u32::MAX), None);
    }

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        assert_eq!(day_of(at("2026-03-29T23:59:59Z")), at("2026-03-29T00:00:00Z"));
        assert_eq!(day_of(at("2026-03-29T00:00:00Z")), at("2026-03-29T00:00:00Z"));
    }
}
