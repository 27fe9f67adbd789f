//! Elexon Insights: what British balancing units were metered to generate, and what is installed.
//!
//! Dataset B1610 has one record for each unit and settlement period, refreshed by each settlement run; IGCPU has the
//! installed capacity of units. What of the service is known from its public clients, and what is not, stands in
//! `docs/live-data.md`.

mod capacity;
mod record;

pub use capacity::Capacity;

use crate::fetch::{Fault, Fetch, Settings};
use crate::settlement::PERIOD;
use jiff::{SignedDuration, Timestamp};

/// Units of one request.
const UNITS_MAX: usize = 20;
/// How much time one request covers. With the units above some 7,000 records, well below what an answer may hold.
const STRETCH: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most characters of a BM unit's id.
const UNIT_CHARS_MAX: usize = 30;

/// A client of the service. Clone-free: threads share one, so that they do not ask more often together than one alone.
#[derive(Debug)]
pub struct Elexon {
    fetch: Fetch,
}

/// What one request asks: half-hours of `units` that start in `from..to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    units: Vec<String>,
    from: Timestamp,
    to: Timestamp,
}

/// What a unit was metered to generate in half an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfHour {
    pub unit: String,
    pub start: Timestamp,
    pub end: Timestamp,
    /// Below zero, the unit drew more than it generated.
    pub energy_wh: i64,
}

/// Why there is no value for a unit from `start` to `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub unit: String,
    pub start: Timestamp,
    pub end: Timestamp,
    pub why: String,
}

/// What came of one request: each half-hour that was asked for is in exactly one of them, once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HalfHours {
    /// In the order of units, and of time.
    pub found: Vec<HalfHour>,
    /// One for half-hours in a row for which there is nothing at all.
    pub lacks: Vec<Lack>,
}

/// Whether `text` can be the id of a BM unit, such as `T_ABRBO-1`, `E_MARK-1` or `2__FBPGM001`.
pub fn is_unit(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let bytes = text.as_bytes();
    bytes.len() <= UNIT_CHARS_MAX
        && bytes.len() >= 3
        && bytes.iter().all(|byte| allowed(*byte))
        && bytes[0].is_ascii_alphanumeric()
        && bytes[1] == b'_'
}

/// The requests for half-hours of `units` that start in `from..to`, by time and then by units.
pub fn asks(units: &[String], from: Timestamp, to: Timestamp) -> impl Iterator<Item = Ask> {
    let first = aligned(from);
    let stretches = std::iter::successors(Some(first), |from| from.checked_add(STRETCH).ok());
    stretches.take_while(move |start| *start < to).flat_map(move |start| {
        let end = start.checked_add(STRETCH).unwrap_or(to).min(to);
        units.chunks(UNITS_MAX).map(move |units| Ask { units: units.to_vec(), from: start, to: end })
    })
}

/// `at`, or the next half-hour.
fn aligned(at: Timestamp) -> Timestamp {
    let over = at.as_microsecond().rem_euclid(half_hour_micros());
    if over == 0 {
        return at;
    }
    at.checked_add(SignedDuration::from_micros(half_hour_micros() - over)).unwrap_or(at)
}

fn half_hour_micros() -> i64 {
    i64::try_from(PERIOD.as_micros()).expect("half an hour is few microseconds")
}

impl Elexon {
    pub fn new(settings: Settings) -> Self {
        Self { fetch: Fetch::new(settings) }
    }

    /// Asks once. `is_over` ends pauses early. Blocks.
    ///
    /// # Errors
    /// [`Fault`]; nothing of the answer is good then.
    pub fn half_hours(&self, ask: &Ask, now: Timestamp, is_over: &dyn Fn() -> bool) -> Result<HalfHours, Fault> {
        let fetched = self.fetch.get(&ask.path(), now, is_over)?;
        let half_hours = record::read(&fetched.body, ask)?;
        self.fetch.keep(&fetched, now);
        Ok(half_hours)
    }

    /// The newest installed capacity of each of `units` that is known; those that are not known are absent. Blocks.
    ///
    /// # Errors
    /// As [`half_hours`](Self::half_hours).
    pub fn capacities(
        &self,
        units: &[String],
        now: Timestamp,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Vec<Capacity>, Fault> {
        capacity::find(&self.fetch, units, now, is_over)
    }
}

impl Ask {
    /// The service filters by the starts of periods, both ends included.
    fn path(&self) -> String {
        let last = self.to.checked_sub(SignedDuration::from_micros(1)).unwrap_or(self.to);
        let mut path = format!("/datasets/B1610/stream?from={}&to={}", minute(self.from), minute(aligned_down(last)));
        for unit in &self.units {
            path.push_str("&bmUnit=");
            path.push_str(unit);
        }
        path
    }
}

fn aligned_down(at: Timestamp) -> Timestamp {
    let over = at.as_microsecond().rem_euclid(half_hour_micros());
    at.checked_sub(SignedDuration::from_micros(over)).unwrap_or(at)
}

/// As the service reads times.
fn minute(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%dT%H:%MZ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn requests_cover_the_period_by_weeks_and_twenty_units() {
        let units: Vec<String> = (0..21).map(|n| format!("T_UNIT-{n}")).collect();
        let found: Vec<Ask> = asks(&units, at("2026-01-01T00:00:00Z"), at("2026-01-09T12:00:00Z")).collect();
        let spans: Vec<_> =
            found.iter().map(|ask| (ask.from.to_string(), ask.to.to_string(), ask.units.len())).collect();
        let (first, second) = ("2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z");
        let expected = [
            (first, second, 20),
            (first, second, 1),
            (second, "2026-01-09T12:00:00Z", 20),
            (second, "2026-01-09T12:00:00Z", 1),
        ];
        let expected = expected.map(|(from, to, count)| (from.to_owned(), to.to_owned(), count));
        assert_eq!(spans, expected);
        assert_eq!(
            found[3].path(),
            "/datasets/B1610/stream?from=2026-01-08T00:00Z&to=2026-01-09T11:30Z&bmUnit=T_UNIT-20"
        );
    }

    #[test]
    fn a_period_that_begins_within_a_half_hour_asks_from_the_next() {
        let units = ["T_A-1".to_owned()];
        let found: Vec<Ask> = asks(&units, at("2026-01-01T00:10:00Z"), at("2026-01-01T01:10:00Z")).collect();
        assert_eq!(found[0].path(), "/datasets/B1610/stream?from=2026-01-01T00:30Z&to=2026-01-01T01:00Z&bmUnit=T_A-1");
        assert_eq!(asks(&units, at("2026-01-01T00:10:00Z"), at("2026-01-01T00:20:00Z")).count(), 0);
    }

    #[test]
    fn ids_of_units_are_told_from_other_meters() {
        for id in ["E_MARK-1", "T_ABRBO-1", "C__PSMAR001", "2__FBPGM001"] {
            assert!(is_unit(id), "{id}");
        }
        for other in ["", "T", "T_", "meter-1", "1200012345678", "T_A&x=1", "t_abr-1", "__A", "T_ÄBC"] {
            assert!(!is_unit(other), "{other}");
        }
    }
}
