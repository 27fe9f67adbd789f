//! Records of B1610, each checked by itself and against the others of its answer.
//!
//! The whole answer is refused where it is no array of records (bare, or as the member `data`), or holds a record of another
//! dataset or unit. A record for itself is a [`Lack`] with its reason: a period that its date does not have, an end that is not
//! the period's, no quantity, one that is no number, a settlement run that is not known, values that contradict. A record
//! outside the time that was asked for is passed over: the service's bounds include both ends.

use super::{Ask, HalfHour, HalfHours, Lack};
use crate::fetch::Fault;
use crate::settlement::{PERIOD, start_of};
use domain::energy::parse_wh;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

const DATASET: &str = "B1610";
/// `MWh`, as a power of ten of Wh.
const MEGA: i32 = 6;

/// Settlement runs, the earliest first. A later one takes the place of an earlier.
const RUNS: [&str; 7] = ["II", "SF", "R1", "R2", "R3", "RF", "DF"];

/// A record as it is written. Members that are not named say nothing that is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    dataset: Option<String>,
    bm_unit: Option<String>,
    settlement_date: Option<String>,
    settlement_period: Option<i64>,
    half_hour_end_time: Option<String>,
    settlement_run_type: Option<String>,
    #[serde(borrow)]
    quantity: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

/// The records of an answer, each as its text: a bare array, or the member `data`.
pub(super) fn records(body: &[u8]) -> Result<Vec<&RawValue>, Fault> {
    let not_json = |error: serde_json::Error| Fault::NotJson { why: error.to_string() };
    let is_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_array {
        return serde_json::from_slice(body).map_err(not_json);
    }
    serde_json::from_slice(body).map(|envelope: Envelope<'_>| envelope.data).map_err(not_json)
}

/// What a record says of its half-hour.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Wh { energy_wh: i64, run: Option<usize> },
    Nothing { why: String },
}

pub(super) fn read(body: &[u8], ask: &Ask) -> Result<HalfHours, Fault> {
    let mut said: BTreeMap<(&str, Timestamp), Said> = BTreeMap::new();
    let mut lacks = Vec::new();
    for (place, raw) in records(body)?.into_iter().enumerate() {
        let shape = |why: String| Fault::Shape { dataset: DATASET, record: place + 1, why };
        let record: Record<'_> = serde_json::from_str(raw.get()).map_err(|error| shape(error.to_string()))?;
        if let Some(other) = record.dataset.as_deref().filter(|dataset| *dataset != DATASET) {
            return Err(shape(format!("it is of dataset {}", short(other))));
        }
        let missing = |member: &str| shape(format!("it has no {member}"));
        let unit = record.bm_unit.as_deref().ok_or_else(|| missing("bmUnit"))?;
        let Some(unit) = ask.units.iter().find(|asked| *asked == unit) else {
            return Err(Fault::OtherUnit { record: place + 1, found: short(unit) });
        };
        let date = record.settlement_date.as_deref().ok_or_else(|| missing("settlementDate"))?;
        let date = date_of(date).ok_or_else(|| shape("its settlementDate is no date".to_owned()))?;
        let period = record.settlement_period.ok_or_else(|| missing("settlementPeriod"))?;
        let end = record.half_hour_end_time.as_deref().ok_or_else(|| missing("halfHourEndTime"))?;
        let end = instant_of(end).ok_or_else(|| shape("its halfHourEndTime is no date and time".to_owned()))?;
        let stated = end.checked_sub(PERIOD).unwrap_or(end);
        match start_of(date, period) {
            Some(start) if start == stated => {
                if start >= ask.from && start < ask.to {
                    let now = value_of(&record);
                    let known = said.remove(&(unit.as_str(), start));
                    let agreed = known.map_or_else(|| now.clone(), |known| later(known, now.clone()));
                    said.insert((unit, start), agreed);
                }
            }
            found => {
                let why = match found {
                    None => format!("settlement date {date} has no period {period}"),
                    Some(_) => format!("settlement date {date}, period {period} does not end at {end}"),
                };
                lacks.push(Lack { unit: unit.clone(), start: stated, end, why });
            }
        }
    }
    Ok(sorted(ask, &said, lacks))
}

/// Which of two values of one half-hour counts: that of the later settlement run.
fn later(known: Said, now: Said) -> Said {
    match (&known, &now) {
        (Said::Wh { energy_wh: a, run: one }, Said::Wh { energy_wh: b, run: other }) if one == other => {
            if a == b {
                known
            } else {
                Said::Nothing { why: format!("the source contradicts itself: {a} Wh and {b} Wh of one settlement run") }
            }
        }
        (Said::Wh { run: Some(one), .. }, Said::Wh { run: Some(other), .. }) => {
            if one > other {
                known
            } else {
                now
            }
        }
        (Said::Wh { energy_wh: a, .. }, Said::Wh { energy_wh: b, .. }) if a == b => known,
        (Said::Wh { energy_wh: a, .. }, Said::Wh { energy_wh: b, .. }) => Said::Nothing {
            why: format!("the source contradicts itself: {a} Wh and {b} Wh, one without a settlement run"),
        },
        (Said::Nothing { .. }, _) => known,
        (_, Said::Nothing { .. }) => now,
    }
}

fn value_of(record: &Record<'_>) -> Said {
    let nothing = |why: String| Said::Nothing { why };
    let run = match record.settlement_run_type.as_deref() {
        None => None,
        Some(text) => match RUNS.iter().position(|run| *run == text) {
            Some(run) => Some(run),
            None => return nothing(format!("settlement run {} is not known", short(text))),
        },
    };
    let Some(quantity) = record.quantity.map(RawValue::get).filter(|text| *text != "null") else {
        return nothing("the source states no quantity".to_owned());
    };
    match parse_wh(quantity, MEGA) {
        Ok(energy_wh) => Said::Wh { energy_wh, run },
        Err(rule) => nothing(format!("quantity {rule}")),
    }
}

/// Each half-hour that was asked for, in order; those in a row without a record as one lack.
fn sorted(ask: &Ask, said: &BTreeMap<(&str, Timestamp), Said>, mut lacks: Vec<Lack>) -> HalfHours {
    let mut found = Vec::with_capacity(said.len());
    for unit in &ask.units {
        let mut gap: Option<Lack> = None;
        let starts = std::iter::successors(Some(ask.from), |start| start.checked_add(PERIOD).ok());
        for start in starts.take_while(|start| *start < ask.to) {
            let end = start.checked_add(PERIOD).unwrap_or(start);
            let Some(said) = said.get(&(unit.as_str(), start)) else {
                if !lacks.iter().any(|lack| lack.unit == *unit && lack.start == start) {
                    let why = "the source has no record".to_owned();
                    gap.get_or_insert_with(|| Lack { unit: unit.clone(), start, end, why }).end = end;
                }
                continue;
            };
            lacks.extend(gap.take());
            match said {
                Said::Wh { energy_wh, .. } => {
                    found.push(HalfHour { unit: unit.clone(), start, end, energy_wh: *energy_wh });
                }
                Said::Nothing { why } => lacks.push(Lack { unit: unit.clone(), start, end, why: why.clone() }),
            }
        }
        lacks.extend(gap);
    }
    HalfHours { found, lacks }
}

/// A date, also one that comes with a midnight.
fn date_of(text: &str) -> Option<Date> {
    text.parse().ok().or_else(|| text.parse::<DateTime>().ok().map(DateTime::date))
}

/// An instant; without an offset it is UTC, as the service means it.
pub(super) fn instant_of(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let local: DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(local).ok()
}

/// What a stranger wrote, cut to a length that can be shown.
pub(super) fn short(text: &str) -> String {
    text.chars().take(40).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::asks;
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn ask(from: &str, to: &str) -> Ask {
        asks(&["T_A-1".to_owned()], at(from), at(to)).next().unwrap()
    }

    fn record(period: i64, end: &str, run: &str, quantity: &str) -> String {
        format!(
            r#"{{"dataset":"B1610","psrType":"Generation","bmUnit":"T_A-1","nationalGridBmUnitId":"A-1","settlementDate":"2026-01-01","settlementPeriod":{period},"halfHourEndTime":"{end}","settlementRunType":{run},"quantity":{quantity}}}"#
        )
    }

    fn two_half_hours() -> Ask {
        ask("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z")
    }

    fn read_two(records: &[String]) -> HalfHours {
        read(format!("[{}]", records.join(",")).as_bytes(), &two_half_hours()).unwrap()
    }

    fn energies(half_hours: &HalfHours) -> Vec<i64> {
        half_hours.found.iter().map(|half_hour| half_hour.energy_wh).collect()
    }

    fn reasons(half_hours: &HalfHours) -> Vec<&str> {
        half_hours.lacks.iter().map(|lack| lack.why.as_str()).collect()
    }

    const FIRST: &str = "2026-01-01T00:30:00";
    const SECOND: &str = "2026-01-01T01:00:00Z";

    #[test]
    fn values_are_read_exactly_whether_the_array_is_bare_or_not() {
        let rows = [record(1, FIRST, "null", "0.1"), record(2, SECOND, r#""II""#, "-2.124")];
        let bare = read_two(&rows);
        assert_eq!((energies(&bare), bare.lacks.len()), (vec![100_000, -2_124_000], 0));
        let wrapped = read(format!(r#"{{"data":[{}]}}"#, rows.join(",")).as_bytes(), &two_half_hours());
        assert_eq!(wrapped, Ok(bare));
    }

    #[test]
    fn the_later_settlement_run_counts_and_contradictions_are_told() {
        let second = record(2, SECOND, "null", "1");
        for (rows, wh, why) in [
            ([r#""II""#, r#""SF""#], Some(2_000_000), None),
            ([r#""RF""#, r#""R3""#], Some(1_000_000), None),
            ([r#""R1""#, r#""R1""#], None, Some("of one settlement run")),
            (["null", "null"], None, Some("of one settlement run")),
            (["null", r#""II""#], None, Some("one without a settlement run")),
            (["null", r#""XX""#], None, Some("run XX is not known")),
        ] {
            let read = read_two(&[record(1, FIRST, rows[0], "1"), record(1, FIRST, rows[1], "2"), second.clone()]);
            let first = read.found.iter().find(|half_hour| half_hour.start == at("2026-01-01T00:00:00Z"));
            assert_eq!(first.map(|half_hour| half_hour.energy_wh), wh, "{rows:?}");
            let told = reasons(&read).first().copied();
            assert_eq!(told.is_some(), why.is_some(), "{rows:?}: {told:?}");
            assert!(told.unwrap_or_default().contains(why.unwrap_or_default()), "{rows:?}: {told:?}");
        }
        let same = read_two(&[record(1, FIRST, "null", "1"), record(1, FIRST, "null", "1.000"), second]);
        assert_eq!((energies(&same), same.lacks.len()), (vec![1_000_000, 1_000_000], 0));
    }

    #[test]
    fn what_is_wrong_with_one_record_is_told_and_the_others_stand() {
        for (bad, why) in [
            (record(1, FIRST, "null", "null"), "no quantity"),
            (record(1, FIRST, "null", r#""much""#), "must be a decimal number"),
            (record(1, FIRST, "null", "9000000001"), "must lie within"),
            (record(49, FIRST, "null", "1"), "has no period 49"),
            (record(0, FIRST, "null", "1"), "has no period 0"),
            (record(3, FIRST, "null", "1"), "does not end at 2026-01-01T00:30:00Z"),
        ] {
            let read = read_two(&[bad.clone(), record(2, SECOND, "null", "1")]);
            assert_eq!(energies(&read), [1_000_000], "{bad}");
            assert_eq!(read.lacks.len(), 1, "{bad}: {:?}", read.lacks);
            assert!(read.lacks[0].why.contains(why), "{bad}: {:?}", read.lacks);
        }
    }

    #[test]
    fn a_gap_is_one_lack_from_its_start_to_its_end() {
        let ask = ask("2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z");
        let body = format!("[{}]", record(3, "2026-01-01T01:30:00", "null", "1"));
        let read = read(body.as_bytes(), &ask).unwrap();
        let gaps: Vec<_> = read.lacks.iter().map(|lack| (lack.start.to_string(), lack.end.to_string())).collect();
        let gap = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(
            gaps,
            [gap("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"), gap("2026-01-01T01:30:00Z", "2026-01-01T03:00:00Z")]
        );
    }

    #[test]
    fn an_answer_of_another_kind_is_refused_as_a_whole() {
        let good = record(1, FIRST, "null", "1");
        for (body, fault) in [
            (format!("[{good}"), "not whole"),
            (format!("[{good}]]"), "not whole"),
            (String::new(), "not whole"),
            (r#"{"error":"no"}"#.to_owned(), "not whole"),
            (format!("[{good},7]"), "record 2 "),
            (format!("[{}]", good.replace("B1610", "FUELHH")), "of dataset FUELHH"),
            (format!("[{}]", good.replace("T_A-1", "T_B-1")), "unit T_B-1"),
            (format!("[{}]", good.replace("bmUnit", "unit")), "no bmUnit"),
            (format!("[{}]", good.replace("2026-01-01\"", "yesterday\"")), "no date"),
            (format!("[{}]", good.replace(FIRST, "noon")), "no date and time"),
        ] {
            let read = read(body.as_bytes(), &two_half_hours());
            let told = read.expect_err(&body).to_string();
            assert!(told.contains(fault), "{body}: {told}");
        }
    }

    #[test]
    fn records_outside_what_was_asked_are_passed_over() {
        let rows = [
            record(1, FIRST, "null", "1"),
            record(2, SECOND, "null", "2"),
            record(3, "2026-01-01T01:30:00", "null", "3"),
        ];
        assert_eq!(energies(&read_two(&rows)), [1_000_000, 2_000_000]);
    }
}
