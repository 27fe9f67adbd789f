//! Recurring orders: what was ordered, when it is due, and that each run is one of them.
//!
//! A run is an action whose first event moves the order on; the events of bundles after it are what it did. Invariant: what
//! an order may do next is judged by the events before; when it is due is counted here, by hand.

use crate::decode::{Fault, Fields};
use crate::log::Action;
use crate::report::{Audit, FindingKind, Noun, at, shown};
use crate::rows::Event;
use crate::rules::{CREATE, kind};
use crate::world::World;

/// Tags of an order's fields.
pub(crate) mod tag {
    pub(crate) const KIND: u8 = 1;
    pub(crate) const SOURCE: u8 = 2;
    pub(crate) const TARGET: u8 = 3;
    pub(crate) const BENEFICIARY_ACCOUNT: u8 = 5;
    pub(crate) const FIRST_AT: u8 = 7;
    pub(crate) const UNIT: u8 = 8;
    pub(crate) const EVERY: u8 = 9;
    pub(crate) const RUNS: u8 = 10;
    pub(crate) const STATE: u8 = 15;
    pub(crate) const ORDERED_BY: u8 = 16;
    pub(crate) const NEXT_DUE_AT: u8 = 18;
    pub(crate) const RUNS_DONE: u8 = 19;
    pub(crate) const REFUSAL: u8 = 20;
    pub(crate) const ENERGY: u8 = 21;
}

const ACTIVE: i64 = 1;
const PAUSED: i64 = 2;
const ENDED: i64 = 3;
const OF_TRANSFERS: i64 = 1;

const DAY: i64 = 86_400_000_000;

#[derive(Clone, Copy)]
pub(crate) struct Order {
    kind: i64,
    source: i64,
    /// The account that it sends to, or whose users may claim.
    other: Option<i64>,
    first_at: i64,
    unit: i64,
    every: i64,
    runs: Option<i64>,
    ordered_by: i64,
    state: i64,
    next_due_at: Option<i64>,
    runs_done: i64,
}

/// The run that an action is.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) action: i64,
    pub(crate) order: i64,
    source: i64,
    target: Option<i64>,
}

impl Run {
    /// Whether a bundle goes as it was ordered.
    pub(crate) fn moves(&self, source: i64, target: i64) -> bool {
        (self.source, self.target) == (source, Some(target))
    }
}

pub(crate) fn event(
    audit: &mut Audit<'_>,
    world: &mut World,
    action: &Action,
    event: &Event<'_>,
    after: &Fields<'_>,
) -> Result<(), Fault> {
    let id = event.entity_id;
    if event.change == CREATE {
        let order = ordered(after)?;
        check_actor(audit, world, action, event, order.source);
        let is_new = (order.state, order.runs_done, order.next_due_at) == (ACTIVE, 0, Some(order.first_at));
        if !is_new || order.ordered_by != action.actor {
            wrong(audit, event, "is placed as one that has run, or in somebody else's name");
        }
        world.orders.insert(id, order);
        return Ok(());
    }
    let Some(was) = world.orders.get(&id).copied() else { return Ok(()) };
    let is = Order {
        state: after.integer(tag::STATE)?.unwrap_or(was.state),
        // of what is left out there is nothing, if that is what changed
        next_due_at: if event_names(event, tag::NEXT_DUE_AT)? {
            after.integer(tag::NEXT_DUE_AT)?
        } else {
            was.next_due_at
        },
        runs_done: after.integer(tag::RUNS_DONE)?.unwrap_or(was.runs_done),
        ..was
    };
    world.orders.insert(id, is);
    if matches!(action.kind, kind::END_ORDER | kind::PAUSE_ORDER | kind::RESUME_ORDER) {
        check_actor(audit, world, action, event, was.source);
    }
    let fault = match action.kind {
        kind::END_ORDER => (is.state != ENDED || is.next_due_at.is_some() || is.runs_done != was.runs_done)
            .then(|| "does not just end".to_owned()),
        kind::PAUSE_ORDER => {
            let stays = is.next_due_at == was.next_due_at && is.runs_done == was.runs_done;
            ((was.state, is.state) != (ACTIVE, PAUSED) || !stays).then(|| "does not just pause".to_owned())
        }
        kind::RESUME_ORDER => resumed(&was, &is, event.recorded_at),
        _ => {
            let target = if was.kind == OF_TRANSFERS { was.other } else { None };
            world.run = Some(Run { action: action.id, order: id, source: was.source, target });
            ran(world, &was, &is, action, event, after)
        }
    };
    if let Some(fault) = fault {
        wrong(audit, event, &fault);
    }
    Ok(())
}

/// Who places an order or changes it may act for its source.
fn check_actor(audit: &mut Audit<'_>, world: &World, action: &Action, event: &Event<'_>, source: i64) {
    if world.may_trade(action.actor, source) {
        return;
    }
    let (id, number, actor) = (event.entity_id, event.number, action.actor);
    audit.find(FindingKind::ActorNotPermitted, Noun::RecurringOrder, id, Some(number), || {
        format!("by event {number} user {actor} has order {id}, who could not act for account {source} then")
    });
}

fn ordered(after: &Fields<'_>) -> Result<Order, Fault> {
    let field = |tag| after.integer(tag).map(Option::unwrap_or_default);
    Ok(Order {
        kind: field(tag::KIND)?,
        source: field(tag::SOURCE)?,
        other: after.integer(tag::TARGET)?.or(after.integer(tag::BENEFICIARY_ACCOUNT)?),
        first_at: field(tag::FIRST_AT)?,
        unit: field(tag::UNIT)?,
        every: field(tag::EVERY)?,
        runs: after.integer(tag::RUNS)?,
        ordered_by: field(tag::ORDERED_BY)?,
        state: field(tag::STATE)?,
        next_due_at: after.integer(tag::NEXT_DUE_AT)?,
        runs_done: field(tag::RUNS_DONE)?,
    })
}

fn event_names(event: &Event<'_>, tag: u8) -> Result<bool, Fault> {
    Ok(Fields::parse(event.before)?.has(tag) || Fields::parse(event.after)?.has(tag))
}

/// What is wrong with a resumption: it goes on with the first due time that has not passed.
fn resumed(was: &Order, is: &Order, now: i64) -> Option<String> {
    let due = was.due(is.runs_done);
    let has_passed = |run| was.due(run).is_some_and(|due| due < now);
    let is_first = is.runs_done >= was.runs_done && !has_passed(is.runs_done);
    let passes = is.runs_done == was.runs_done || has_passed(is.runs_done - 1);
    let state = if due.is_some() { ACTIVE } else { ENDED };
    let is_right = was.state == PAUSED && is_first && passes && (is.state, is.next_due_at) == (state, due);
    (!is_right).then(|| format!("goes on with {}, which is not its next due time", shown(is.next_due_at.map(at))))
}

/// What is wrong with a run, if anything.
fn ran(
    world: &World,
    was: &Order,
    is: &Order,
    action: &Action,
    event: &Event<'_>,
    after: &Fields<'_>,
) -> Option<String> {
    let Some(due) = was.next_due_at.filter(|_| was.state == ACTIVE) else {
        return Some("ran when it was not active".to_owned());
    };
    if event.recorded_at < due {
        return Some(format!("ran at {}, before it was due at {}", at(event.recorded_at), at(due)));
    }
    if was.due(was.runs_done) != Some(due) || is.runs_done != was.runs_done + 1 {
        let (run, due) = (was.runs_done, at(due));
        return Some(format!("ran as number {run} for {due}, and then counts {}", is.runs_done));
    }
    if action.actor != was.ordered_by {
        return Some(format!("was ordered by user {}, and ran for user {}", was.ordered_by, action.actor));
    }
    let is_refused = action.kind == kind::RUN_ORDER;
    let kind_ordered = if was.kind == OF_TRANSFERS { kind::TRANSFER } else { kind::CANCEL };
    if !is_refused && action.kind != kind_ordered {
        return Some(format!("is of kind {} and ran as an action of kind {}", was.kind, action.kind));
    }
    if !is_refused && !world.may_trade(action.actor, was.source) {
        let (actor, source) = (action.actor, was.source);
        return Some(format!("ran for user {actor}, who could not act for account {source} then"));
    }
    if (after.has(tag::REFUSAL), after.has(tag::ENERGY)) != (is_refused, !is_refused) {
        return Some("does not say what its run came to".to_owned());
    }
    let next = was.due(is.runs_done);
    let expected = if next.is_some() { ACTIVE } else { ENDED };
    if (is.state, is.next_due_at) == (expected, next) {
        return None;
    }
    // it ends before its time only when an account that it names is gone
    let is_gone = std::iter::once(was.source).chain(was.other).any(|account| !world.accounts.contains(&account));
    let ends = is_refused && is_gone && (is.state, is.next_due_at) == (ENDED, None);
    (!ends).then(|| format!("is due next at {}; it must be {}", shown(is.next_due_at.map(at)), shown(next.map(at))))
}

fn wrong(audit: &mut Audit<'_>, event: &Event<'_>, what: &str) {
    let (id, number) = (event.entity_id, event.number);
    audit.find(FindingKind::OrderWrong, Noun::RecurringOrder, id, Some(number), || {
        format!("by event {number} order {id} {what}")
    });
}

impl Order {
    /// When run `run` is due, counted from 0, in microseconds.
    fn due(&self, run: i64) -> Option<i64> {
        if run < 0 || self.runs.is_some_and(|runs| run >= runs) {
            return None;
        }
        let units = run.checked_mul(self.every)?;
        let due = match self.unit {
            1 => self.first_at.checked_add(units.checked_mul(DAY)?)?,
            2 => self.first_at.checked_add(units.checked_mul(7 * DAY)?)?,
            3 => months_later(self.first_at, units)?,
            4 => months_later(self.first_at, units.checked_mul(12)?)?,
            _ => return None,
        };
        (due <= jiff::Timestamp::MAX.as_microsecond()).then_some(due)
    }
}

/// So many months later, on the same day or the last of a shorter month.
fn months_later(first: i64, months: i64) -> Option<i64> {
    let (year, month, day) = civil(first.div_euclid(DAY));
    let count = year.checked_mul(12)?.checked_add(month - 1)?.checked_add(months)?;
    let (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    days(year, month, day.min(last)).checked_mul(DAY)?.checked_add(first.rem_euclid(DAY))
}

/// Year, month and day of a day counted from 1970 on, in the Gregorian calendar. Years begin in March here, so that the
/// leap day is the last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year + i64::from(month <= 2), month, of_year - (153 * march + 2) / 5 + 1)
}

/// The other way round.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let march = (month + 9) % 12;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * march + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().expect("an instant").as_microsecond()
    }

    #[test]
    fn days_and_dates_go_both_ways() {
        for (date, day) in [((1970, 1, 1), 0), ((2000, 2, 29), 11_016), ((2026, 3, 1), 20_513), ((1969, 12, 31), -1)] {
            assert_eq!((civil(day), days(date.0, date.1, date.2)), (date, day));
        }
        for day in -200_000..200_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn due_times_are_counted_from_the_first() {
        let order = |first: &str, unit, every, runs| Order {
            kind: OF_TRANSFERS,
            source: 1,
            other: None,
            first_at: micros(first),
            unit,
            every,
            runs,
            ordered_by: 1,
            state: ACTIVE,
            next_due_at: None,
            runs_done: 0,
        };
        for (first, unit, every, run, due) in [
            ("2026-01-31T10:00:00Z", 3, 1, 1, "2026-02-28T10:00:00Z"),
            ("2026-01-31T10:00:00Z", 3, 1, 2, "2026-03-31T10:00:00Z"),
            ("2027-11-30T10:00:00Z", 3, 3, 1, "2028-02-29T10:00:00Z"),
            ("2028-02-29T10:00:00Z", 4, 1, 3, "2031-02-28T10:00:00Z"),
            ("2028-02-29T10:00:00Z", 4, 1, 4, "2032-02-29T10:00:00Z"),
            ("2026-03-28T10:00:00Z", 1, 1, 1, "2026-03-29T10:00:00Z"),
            ("2026-12-24T10:00:00Z", 2, 2, 1, "2027-01-07T10:00:00Z"),
        ] {
            assert_eq!(order(first, unit, every, None).due(run), Some(micros(due)), "{first} {unit} {run}");
        }
        assert_eq!(order("2026-01-31T10:00:00Z", 3, 1, Some(3)).due(3), None);
        assert_eq!(order("9998-06-01T00:00:00Z", 4, 1, None).due(2), None);
    }
}
