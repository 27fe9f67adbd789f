//! British settlement time: a settlement date is a day of the clock in London, and its periods are its half-hours, counted
//! from 1. A day has 48 of them; 46 when the clocks go forward and 50 when they go back.
//!
//! Invariant: of two periods of which the later has the higher date, or the same date and the higher number, the later starts
//! when or after the earlier ends.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How long a settlement period is.
pub const PERIOD: SignedDuration = SignedDuration::from_mins(30);

/// When a settlement date begins and ends; `None` at the ends of the calendar.
///
/// # Panics
/// If the time zones that the program brings along lack London's.
pub fn day(date: Date) -> Option<(Timestamp, Timestamp)> {
    let zone = TimeZone::get("Europe/London").expect("the program brings its time zones along");
    let midnight = |date: Date| zone.to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).ok();
    Some((midnight(date)?, midnight(date.tomorrow().ok()?)?))
}

/// How many periods a settlement date has: 46, 48 or 50.
pub fn periods(date: Date) -> Option<i64> {
    let (start, end) = day(date)?;
    Some(end.duration_since(start).as_secs() / PERIOD.as_secs())
}

/// When a period starts; `None` if its date has no such period.
pub fn start_of(date: Date, period: i64) -> Option<Timestamp> {
    let (start, end) = day(date)?;
    let before = i32::try_from(period.checked_sub(1)?).ok().filter(|before| *before >= 0)?;
    let at = start.checked_add(PERIOD.checked_mul(before)?).ok()?;
    (at < end).then_some(at)
}

/// The settlement date and period that an instant lies in.
///
/// # Panics
/// As [`day`].
pub fn period_at(at: Timestamp) -> Option<(Date, i64)> {
    let zone = TimeZone::get("Europe/London").expect("the program brings its time zones along");
    let date = zone.to_datetime(at).date();
    let (start, _) = day(date)?;
    Some((date, at.duration_since(start).as_secs() / PERIOD.as_secs() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_has_48_periods_but_where_the_clocks_change() {
        for (day, count) in [
            (date(2026, 1, 15), 48),
            (date(2026, 3, 29), 46),
            (date(2026, 7, 1), 48),
            (date(2026, 10, 25), 50),
            (date(2025, 3, 30), 46),
            (date(2025, 10, 26), 50),
        ] {
            assert_eq!(periods(day), Some(count), "{day}");
            assert_eq!(start_of(day, count + 1), None, "{day}");
            assert_eq!(start_of(day, 0), None, "{day}");
            assert!(start_of(day, count).is_some(), "{day}");
        }
    }

    #[test]
    fn periods_start_where_published_records_say() {
        // Ends as the service states them, half an hour before.
        for (day, period, start) in [
            (date(2022, 10, 12), 48, "2022-10-12T22:30:00Z"),
            (date(2022, 8, 12), 10, "2022-08-12T03:30:00Z"),
            (date(2026, 6, 1), 3, "2026-06-01T00:00:00Z"),
            (date(2026, 9, 8), 1, "2026-09-07T23:00:00Z"),
            (date(2026, 10, 25), 1, "2026-10-24T23:00:00Z"),
            (date(2026, 10, 25), 3, "2026-10-25T00:00:00Z"),
            (date(2026, 10, 25), 5, "2026-10-25T01:00:00Z"),
            (date(2026, 10, 25), 50, "2026-10-25T23:30:00Z"),
            (date(2026, 3, 29), 3, "2026-03-29T01:00:00Z"),
            (date(2026, 3, 29), 46, "2026-03-29T22:30:00Z"),
        ] {
            assert_eq!(start_of(day, period), Some(at(start)), "{day} {period}");
        }
    }

    proptest! {
        #[test]
        fn every_half_hour_is_exactly_one_period(half_hours in 400_000_i64..1_100_000) {
            let start = Timestamp::from_second(half_hours * 1_800).unwrap();
            let (date, period) = period_at(start).unwrap();
            prop_assert_eq!(start_of(date, period), Some(start));
        }
    }
}
