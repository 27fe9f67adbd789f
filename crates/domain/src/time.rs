//! Intervals and expiry, in UTC. Invariant: an interval's start lies before its end; it is half-open.

use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// The shortest metering or production interval (a rule of peers' verifiers: under a minute nothing is metered).
pub const INTERVAL_MIN: SignedDuration = SignedDuration::from_mins(1);
/// The longest (EnergyTag: the production interval is at most one hour).
pub const INTERVAL_MAX: SignedDuration = SignedDuration::from_hours(1);

/// From `start` (included) to `end` (excluded), with whole microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "(Timestamp, Timestamp)", try_from = "(Timestamp, Timestamp)")]
pub struct Interval {
    start: Timestamp,
    end: Timestamp,
}

impl From<Interval> for (Timestamp, Timestamp) {
    fn from(interval: Interval) -> Self {
        (interval.start, interval.end)
    }
}

impl TryFrom<(Timestamp, Timestamp)> for Interval {
    type Error = &'static str;

    fn try_from((start, end): (Timestamp, Timestamp)) -> Result<Self, Self::Error> {
        Self::new(start, end).ok_or("no interval")
    }
}

impl Interval {
    /// `None` unless `start < end` and both are whole microseconds (the databases keep no more).
    pub fn new(start: Timestamp, end: Timestamp) -> Option<Self> {
        let whole = |at: Timestamp| at.subsec_nanosecond() % 1_000 == 0;
        (start < end && whole(start) && whole(end)).then_some(Self { start, end })
    }

    pub fn start(self) -> Timestamp {
        self.start
    }

    pub fn end(self) -> Timestamp {
        self.end
    }

    pub fn duration(self) -> SignedDuration {
        self.end.duration_since(self.start)
    }

    /// The length in microseconds.
    pub fn micros(self) -> u64 {
        u64::try_from(self.end.as_microsecond() - self.start.as_microsecond()).unwrap_or(0)
    }

    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// The hour (UTC) that `at` lies in.
///
/// # Panics
/// In the last hour of the calendar, in the year 9999.
pub fn hour_of(at: Timestamp) -> Interval {
    let start = at.as_second() - at.as_second().rem_euclid(3_600);
    let start = Timestamp::from_second(start).expect("the calendar begins with a whole hour");
    let end = start.checked_add(INTERVAL_MAX).expect("readings lie before the last hour of the calendar");
    Interval { start, end }
}

/// When certificates of production that ended at `end` expire: as many calendar years later, 29 February clamped to the
/// 28th. `None` beyond the year 9999.
pub fn expiry(end: Timestamp, years: u8) -> Option<Timestamp> {
    let later = end.to_zoned_datetime(TimeZone::UTC).checked_add(i32::from(years).years()).ok()?;
    Some(later.timestamp())
}

/// The latest end of production whose certificates may have expired at `now`: all that have expired by then were produced at
/// or before it. Also some that have not, around the end of February: 29 February expires before the evening of the 28th.
/// `None` before the calendar begins.
pub fn latest_expired(now: Timestamp, years: u8) -> Option<Timestamp> {
    let earlier = now.to_zoned_datetime(TimeZone::UTC).checked_sub(i32::from(years).years()).ok()?;
    let is_clamped = (earlier.month(), earlier.day()) == (2, 28);
    let latest = if is_clamped { earlier.checked_add(1.day()).ok()? } else { earlier };
    Some(latest.timestamp())
}

/// An end of production up to which everything has expired at `at`: all that has not was produced after it. `None` before
/// the calendar begins.
pub fn surely_expired(at: Timestamp, years: u8) -> Option<Timestamp> {
    let earlier = at.to_zoned_datetime(TimeZone::UTC).checked_sub(i32::from(years).years()).ok()?;
    Some(earlier.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_interval_is_not_empty_and_has_whole_microseconds() {
        let noon = at("2026-01-01T12:00:00Z");
        assert!(Interval::new(noon, noon).is_none());
        assert!(Interval::new(noon, at("2026-01-01T11:00:00Z")).is_none());
        assert!(Interval::new(noon, at("2026-01-01T12:00:00.0000001Z")).is_none());
        assert_eq!(Interval::new(noon, at("2026-01-01T13:00:00Z")).unwrap().micros(), 3_600_000_000);
    }

    #[test]
    fn neighbours_do_not_overlap() {
        let hour = |from, to| Interval::new(at(from), at(to)).unwrap();
        let first = hour("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z");
        assert!(!first.overlaps(hour("2026-01-01T13:00:00Z", "2026-01-01T14:00:00Z")));
        assert!(first.overlaps(hour("2026-01-01T12:59:00Z", "2026-01-01T13:30:00Z")));
    }

    #[test]
    fn expiry_is_in_calendar_years_and_a_leap_day_clamps() {
        for (end, years, expires) in [
            ("2026-01-01T13:00:00Z", 2, "2028-01-01T13:00:00Z"),
            ("2024-02-29T13:00:00Z", 2, "2026-02-28T13:00:00Z"),
            ("2024-02-29T13:00:00Z", 4, "2028-02-29T13:00:00Z"),
            ("2026-03-29T01:00:00Z", 1, "2027-03-29T01:00:00Z"),
        ] {
            assert_eq!(expiry(at(end), years), Some(at(expires)), "{end} + {years}");
        }
        assert_eq!(expiry(Timestamp::MAX, 1), None);
    }

    #[test]
    fn what_has_expired_lies_between_the_two_ends_around_leap_days_too() {
        // Every hour of the days around the ends of February, against every other, for one to five years.
        let hours: Vec<Timestamp> = (2023..=2034)
            .flat_map(|year| {
                let first = at(&format!("{year}-02-26T00:30:00Z"));
                (0..120).map(move |hour| first + SignedDuration::from_hours(hour))
            })
            .collect();
        for years in 1..=5 {
            let ends: Vec<_> = hours.iter().map(|end| (*end, expiry(*end, years).unwrap())).collect();
            for now in &hours {
                let (latest, surely) = (latest_expired(*now, years).unwrap(), surely_expired(*now, years).unwrap());
                for (end, expires_at) in &ends {
                    let has_expired = expires_at <= now;
                    assert!(!has_expired || *end <= latest, "{end} + {years} at {now}");
                    assert!(has_expired || *end > surely, "{end} + {years} at {now}");
                }
                let apart = latest.duration_since(surely).as_hours();
                assert!((0..=24).contains(&apart), "{now} - {years}: {apart} h");
            }
        }
        assert_eq!((latest_expired(Timestamp::MIN, 1), surely_expired(Timestamp::MIN, 1)), (None, None));
    }
}
