//! Records of IGCPU: what is installed at a unit. Of several publications the one counts that is in force the latest.

use super::record::{instant_of, records, short};
use crate::fetch::{Fault, Fetch};
use domain::energy::parse_wh;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

const DATASET: &str = "IGCPU";
/// The service refuses windows of more than 731 days.
const WINDOW: SignedDuration = SignedDuration::from_hours(700 * 24);
/// How many windows are looked at, the newest first: some fifteen years.
const WINDOWS_MAX: usize = 8;
/// MW, as a power of ten of W.
const MEGA: i32 = 6;

/// What is installed at a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    pub unit: String,
    pub capacity_watts: u64,
    /// What it runs on, in the words of the source, such as `Wind Onshore`.
    pub resource: Option<String>,
    /// The name under which it is registered.
    pub name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    dataset: Option<String>,
    bm_unit: Option<String>,
    psr_type: Option<String>,
    registered_resource_name: Option<String>,
    effective_from: Option<String>,
    #[serde(borrow)]
    installed_capacity: Option<&'a RawValue>,
}

pub(super) fn find(
    fetch: &Fetch,
    units: &[String],
    now: Timestamp,
    is_over: &dyn Fn() -> bool,
) -> Result<Vec<Capacity>, Fault> {
    let mut found: BTreeMap<String, (Timestamp, Capacity)> = BTreeMap::new();
    let mut to = now;
    for _ in 0..WINDOWS_MAX {
        if units.iter().all(|unit| found.contains_key(unit)) {
            break;
        }
        let Ok(from) = to.checked_sub(WINDOW) else { break };
        let day = |at: Timestamp| at.strftime("%Y-%m-%dT00:00Z").to_string();
        let path =
            format!("/datasets/IGCPU?publishDateTimeFrom={}&publishDateTimeTo={}&format=json", day(from), day(to));
        let fetched = fetch.get(&path, now, is_over)?;
        note(&fetched.body, units, &mut found)?;
        fetch.keep(&fetched, now);
        to = from;
    }
    Ok(found.into_values().map(|(_, capacity)| capacity).collect())
}

fn note(body: &[u8], units: &[String], found: &mut BTreeMap<String, (Timestamp, Capacity)>) -> Result<(), Fault> {
    for (place, raw) in records(body)?.into_iter().enumerate() {
        let shape = |why: String| Fault::Shape { dataset: DATASET, record: place + 1, why };
        let record: Record<'_> = serde_json::from_str(raw.get()).map_err(|error| shape(error.to_string()))?;
        if let Some(other) = record.dataset.as_deref().filter(|dataset| *dataset != DATASET) {
            return Err(shape(format!("it is of dataset {}", short(other))));
        }
        // Most records are of units that were not asked for, many of none.
        let Some(unit) = record.bm_unit.filter(|unit| units.contains(unit)) else { continue };
        let from = record.effective_from.ok_or_else(|| shape("it has no effectiveFrom".to_owned()))?;
        let from = instant_of(&from)
            .or_else(|| instant_of(&format!("{from}T00:00")))
            .ok_or_else(|| shape("its effectiveFrom is no date".to_owned()))?;
        let capacity = record.installed_capacity.ok_or_else(|| shape("it has no installedCapacity".to_owned()))?;
        let watts = parse_wh(capacity.get().trim_matches('"'), MEGA)
            .ok()
            .and_then(|watts| u64::try_from(watts).ok())
            .ok_or_else(|| shape("its installedCapacity is no number of MW".to_owned()))?;
        let capacity = Capacity {
            unit: unit.clone(),
            capacity_watts: watts,
            resource: record.psr_type.as_deref().map(short),
            name: record.registered_resource_name.as_deref().map(short),
        };
        let known = found.get(&unit).map(|(known, _)| *known);
        if known.is_none_or(|known| from > known) {
            found.insert(unit, (from, capacity));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(unit: &str, from: &str, capacity: &str) -> String {
        format!(
            r#"{{"dataset":"IGCPU","publishTime":"2025-01-01T00:00:00Z","effectiveFrom":"{from}","psrType":"Wind Onshore","bmUnit":{unit},"registeredResourceName":"A","installedCapacity":{capacity}}}"#
        )
    }

    #[test]
    fn what_is_in_force_the_latest_counts() {
        let units = ["T_A-1".to_owned()];
        let rows = [
            record(r#""T_A-1""#, "2024-01-01", "98"),
            record(r#""T_A-1""#, "2025-06-01T00:00:00", "99.5"),
            record(r#""T_A-1""#, "2023-01-01", "1"),
            record("null", "2026-01-01", "1000"),
            record(r#""T_B-1""#, "2026-01-01", "1000"),
        ];
        let mut found = BTreeMap::new();
        note(format!(r#"{{"data":[{}]}}"#, rows.join(",")).as_bytes(), &units, &mut found).unwrap();
        let capacities: Vec<_> =
            found.into_values().map(|(_, capacity)| (capacity.unit, capacity.capacity_watts)).collect();
        assert_eq!(capacities, [("T_A-1".to_owned(), 99_500_000)]);
    }

    #[test]
    fn a_capacity_that_is_no_number_refuses_the_answer() {
        let units = ["T_A-1".to_owned()];
        for bad in ["null", r#""much""#, "-1"] {
            let body = format!("[{}]", record(r#""T_A-1""#, "2024-01-01", bad));
            assert!(note(body.as_bytes(), &units, &mut BTreeMap::new()).is_err(), "{bad}");
        }
    }
}
