//! Times as people write them: with an offset, or in a time zone that is stated for all, where an hour may exist twice or not
//! at all when the clocks change.

use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, civil};
use std::collections::HashMap;

/// The first second of the year 3000.
const YEAR_3000: i64 = 32_503_680_000;

/// The time zone of times that state no offset; UTC unless said otherwise.
#[derive(Clone, Debug)]
pub struct ZoneOfTimes(TimeZone);

impl Default for ZoneOfTimes {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl ZoneOfTimes {
    /// `None` if no such zone is known, e.g. `Europe/London`.
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }
}

/// What a text says of an instant.
enum Said {
    At(Timestamp),
    /// The local time exists twice: before and after the clocks went back.
    Twice(Timestamp, Timestamp),
}

/// Reads an instant: RFC 3339 with `T` or a space; without an offset in `zone`, a bare date being its midnight.
///
/// # Errors
/// The rule it breaks. An hour that does not exist in `zone`, or exists twice, is refused.
pub fn parse_instant(text: &str, zone: &ZoneOfTimes) -> Result<Timestamp, String> {
    match said(text, zone)? {
        Said::At(at) => Ok(at),
        Said::Twice(..) => Err("exists twice in the stated time zone; it needs an offset".to_owned()),
    }
}

fn said(text: &str, zone: &ZoneOfTimes) -> Result<Said, String> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return checked(at).map(Said::At);
    }
    let local: civil::DateTime = text.parse().map_err(|_| "must be a date and time".to_owned())?;
    let ambiguous = zone.0.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { .. } => Err("does not exist in the stated time zone".to_owned()),
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
            let beyond = |_| "must lie between 1970 and 3000".to_owned();
            let first = checked(ambiguous.earlier().map_err(beyond)?)?;
            let second = checked(ambiguous.later().map_err(beyond)?)?;
            Ok(if first == second { Said::At(first) } else { Said::Twice(first, second) })
        }
    }
}

fn checked(parsed: Timestamp) -> Result<Timestamp, String> {
    if !(0..YEAR_3000).contains(&parsed.as_second()) {
        return Err("must lie between 1970 and 3000".to_owned());
    }
    if parsed.subsec_nanosecond() % 1_000 != 0 {
        return Err("must have whole microseconds".to_owned());
    }
    Ok(parsed)
}

/// Tells apart the local times that exist twice, by the order of the rows of each device: a start is the first that is not
/// before the end of the row before, an end the first that is after its start.
pub(super) struct Order<'z> {
    zone: &'z ZoneOfTimes,
    /// The end of the last row of each device; empty where no time exists twice.
    ends: HashMap<i64, Timestamp>,
}

impl<'z> Order<'z> {
    pub(super) fn new(zone: &'z ZoneOfTimes) -> Self {
        Self { zone, ends: HashMap::new() }
    }

    pub(super) fn start(&self, text: &str, device: i64) -> Result<Timestamp, String> {
        match said(text, self.zone)? {
            Said::At(at) => Ok(at),
            Said::Twice(first, second) => match self.ends.get(&device) {
                Some(end) if *end <= first => Ok(first),
                Some(end) if *end <= second => Ok(second),
                Some(_) | None => {
                    Err("exists twice in the stated time zone, and no row before tells which; it needs an offset"
                        .to_owned())
                }
            },
        }
    }

    pub(super) fn end(&self, text: &str, start: Timestamp) -> Result<Timestamp, String> {
        Ok(match said(text, self.zone)? {
            Said::At(at) => at,
            Said::Twice(first, second) => {
                if first > start {
                    first
                } else {
                    second
                }
            }
        })
    }

    pub(super) fn note(&mut self, device: i64, end: Timestamp) {
        if self.zone.0.to_fixed_offset().is_err() {
            self.ends.insert(device, end);
        }
    }
}
