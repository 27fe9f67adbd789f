//! Readings of less than an hour are summed to their hour, where the registry does so.

use super::{Model, Version};
use domain::{DeviceId, DeviceKind, Interval, Quality, Reading};
use jiff::{SignedDuration, Timestamp};

const LARGEST_WH: i64 = 9_000_000_000_000_000;

impl Model {
    /// What is issued instead of a reading: its hour's, or nothing for a reason. `None` if it is issued by itself.
    pub(super) fn whole(&self, reading: &Reading) -> Option<Result<Reading, &'static str>> {
        let device = self.live_device(reading.device_id)?;
        let is_produced = device.description.kind == DeviceKind::Production;
        if !self.sums_to_hour || !is_produced || !is_short(reading) || reading.quality == Quality::Estimated {
            return None;
        }
        let hour = hour_of(reading.interval.start());
        let starts_here = |other: &Reading| hour_of(other.interval.start()) == hour;
        let mut parts: Vec<Reading> = self
            .current()
            .map(|(_, other)| *other)
            .filter(|other| other.device_id == reading.device_id && is_short(other) && starts_here(other))
            .collect();
        if parts.iter().any(|part| self.of_interval(part.device_id, part.interval.start()).next().is_some()) {
            return None;
        }
        parts.sort_by_key(|part| part.interval.start());
        Some(added_up(hour, &parts))
    }

    /// Keeps the sum of an hour, which its parts make way for.
    pub(super) fn keep_sum(&mut self, sum: &Reading) {
        let within = |reading: &Reading| {
            reading.device_id == sum.device_id && is_short(reading) && hour_of(reading.interval.start()) == sum.interval
        };
        let parts: Vec<usize> = self.current().filter(|(_, reading)| within(reading)).map(|(place, _)| place).collect();
        let id = self.keep(sum);
        self.versions.last_mut().expect("it was kept").is_sum = true;
        for part in parts {
            self.versions[part].superseded_by = Some(id);
        }
    }

    /// The readings that count as parts of the sum of this hour, with their places, in the order of time.
    pub(super) fn parts_of(&self, device: DeviceId, hour: Interval) -> Vec<(usize, Reading)> {
        let mut parts: Vec<(usize, Reading)> = self
            .versions
            .iter()
            .enumerate()
            .filter(|(_, version)| self.is_part(version))
            .map(|(place, version)| (place, version.reading))
            .filter(|(_, part)| part.device_id == device && hour_of(part.interval.start()) == hour)
            .collect();
        parts.sort_by_key(|(_, part)| part.interval.start());
        parts
    }

    /// Whether the version is what a sum says of its time: a sum superseded it, and no later one of its time.
    pub(super) fn is_part(&self, version: &Version) -> bool {
        let was_summed = |version: &Version| {
            let by = version.superseded_by.and_then(|by| usize::try_from(by - 1).ok());
            !version.is_sum && by.and_then(|by| self.versions.get(by)).is_some_and(|by| by.is_sum)
        };
        let is_of_its_time = |other: &&Version| {
            let (one, other) = (&version.reading, &other.reading);
            one.device_id == other.device_id && one.interval.start() == other.interval.start()
        };
        let last = self.versions.iter().filter(|other| was_summed(other)).rfind(is_of_its_time);
        last.is_some_and(|last| std::ptr::eq(last, version))
    }

    /// How many hours were summed, and how often anew.
    pub fn sum_figures(&self) -> [usize; 2] {
        let sums = || self.versions.iter().filter(|version| version.is_sum);
        let current = sums().filter(|version| version.superseded_by.is_none()).count();
        [current, sums().count() - current]
    }

    /// The place of the sum that counts for this hour.
    pub(super) fn sum_at(&self, device: DeviceId, hour: Interval) -> usize {
        let of_hour = |reading: &Reading| reading.device_id == device && reading.interval == hour;
        let (place, _) = self.current().find(|(_, reading)| of_hour(reading)).expect("its parts were summed");
        place
    }
}

/// The sum of the parts of an hour, in the order of time.
pub(super) fn added_up(hour: Interval, parts: &[Reading]) -> Result<Reading, &'static str> {
    if parts.iter().any(|part| part.interval.end() > hour.end()) {
        return Err("hour_crossed");
    }
    let seconds: i64 = parts.iter().map(|part| part.interval.duration().as_secs()).sum();
    if seconds < 3_600 {
        return Err("hour_incomplete");
    }
    if parts.iter().any(|part| part.quality == Quality::Estimated) {
        return Err("hour_estimated");
    }
    let energy_wh: i64 = parts.iter().map(|part| part.energy_wh).sum();
    if energy_wh > LARGEST_WH {
        return Err("too_large");
    }
    let is_measured = parts.iter().all(|part| part.quality == Quality::Measured);
    let quality = if is_measured { Quality::Measured } else { Quality::Calculated };
    Ok(Reading { interval: hour, energy_wh, quality, ..parts[0] })
}

pub(super) fn is_short(reading: &Reading) -> bool {
    reading.interval.duration() < SignedDuration::from_hours(1)
}

pub(super) fn hour_of(at: Timestamp) -> Interval {
    let start = Timestamp::from_second(at.as_second() / 3_600 * 3_600).expect("it is near a time that exists");
    Interval::new(start, start + SignedDuration::from_hours(1)).expect("an hour is not empty")
}
