//! Readings of less than an hour are summed to their hour (UTC), where the registry's setting says so: the sum is a reading
//! of its own that takes their place in the moment in which it is issued, so that intervals stay disjoint and certificates
//! stand on one reading. The parts stay readable, and a correction of one makes another sum.
//!
//! A reading stands for itself, and is issued by itself, if it is an hour long, estimated, or one of an hour of which
//! anything was issued before. Else its hour must be whole. Refusals of an hour, in order: a part that goes on beyond it, a
//! time without a reading, an estimated part, too large.

use super::Rules;
use crate::energy::READING_WH_MAX;
use crate::state::IssuePlace;
use crate::time::{INTERVAL_MAX, hour_of};
use crate::{DeviceId, Interval, Quality, Reading, ReadingRefusal};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// Readings of less than an hour, by their hours. Empty if they are issued by themselves.
#[derive(Debug, Default)]
pub struct Hours<'p> {
    parts: HashMap<(DeviceId, Timestamp), Vec<&'p IssuePlace>>,
}

impl<'p> Hours<'p> {
    /// Of places that hold all current readings of each hour that is asked for later.
    pub fn of(places: &'p BTreeMap<(Timestamp, DeviceId), IssuePlace>, rules: &Rules) -> Self {
        let mut parts: HashMap<_, Vec<&IssuePlace>> = HashMap::new();
        if rules.sums_to_hour {
            for ((start, device), place) in places {
                if is_part(&place.measurement.reading) {
                    parts.entry((*device, hour_of(*start).start())).or_default().push(place);
                }
            }
        }
        Self { parts }
    }

    /// Whether every reading stands for itself.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What is issued instead of this reading: the sum of its hour, or nothing for a reason. `None` if it stands for itself.
    pub fn whole(&self, reading: &Reading) -> Option<Result<Reading, ReadingRefusal>> {
        let hour = hour_of(reading.interval.start());
        let parts = self.parts.get(&(reading.device_id, hour.start()))?;
        let is_begun = parts.iter().any(|part| part.has_bundles);
        if is_begun || !is_part(reading) || reading.quality == Quality::Estimated {
            return None;
        }
        let parts: Vec<&Reading> = parts.iter().map(|part| &part.measurement.reading).collect();
        Some(sum(hour, &parts))
    }

    /// The readings of an hour, in the order of time.
    pub(super) fn parts(&self, device: DeviceId, hour: Interval) -> impl Iterator<Item = &'p IssuePlace> {
        self.parts.get(&(device, hour.start())).into_iter().flatten().copied()
    }
}

fn is_part(reading: &Reading) -> bool {
    reading.interval.duration() < INTERVAL_MAX
}

/// The reading of `hour` that `parts` are together. They are disjoint and in the order of time. It is measured if all of
/// them are, else calculated.
///
/// # Errors
/// The first rule that says no, in the order of the module's head.
pub(super) fn sum(hour: Interval, parts: &[&Reading]) -> Result<Reading, ReadingRefusal> {
    if let Some(beyond) = parts.iter().find(|part| part.interval.end() > hour.end()) {
        return Err(ReadingRefusal::HourCrossed { end: beyond.interval.end() });
    }
    let mut until = hour.start();
    for part in parts {
        if part.interval.start() != until {
            break;
        }
        until = part.interval.end();
    }
    let Some(first) = parts.first().filter(|_| until == hour.end()) else {
        return Err(ReadingRefusal::HourIncomplete { hour: hour.start(), missing: until });
    };
    if let Some(estimated) = parts.iter().find(|part| part.quality == Quality::Estimated) {
        return Err(ReadingRefusal::HourEstimated { start: estimated.interval.start() });
    }
    let energy_wh = parts.iter().try_fold(0_i64, |sum, part| sum.checked_add(part.energy_wh));
    let Some(energy_wh) = energy_wh.filter(|sum| sum.unsigned_abs() <= READING_WH_MAX) else {
        return Err(ReadingRefusal::TooLarge { max: READING_WH_MAX });
    };
    let is_measured = parts.iter().all(|part| part.quality == Quality::Measured);
    let quality = if is_measured { Quality::Measured } else { Quality::Calculated };
    Ok(Reading { interval: hour, energy_wh, quality, ..**first })
}
