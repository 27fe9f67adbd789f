//! Readings come in, row by row.

use super::{Decided, Decision, Model, Verdict, Version};
use domain::{Actor, DeviceKind, Reading, Role};
use jiff::Timestamp;

const SHORTEST_SECONDS: i64 = 60;
const LONGEST_SECONDS: i64 = 3_600;
const LARGEST_WH: i64 = 9_000_000_000_000_000;

/// What becomes of a row that is not refused.
pub(super) enum Row {
    New,
    /// With the place of the version it takes the place of.
    Corrected(usize),
    Unchanged,
}

impl Model {
    pub(super) fn submit(&mut self, now: Timestamp, actor: Actor, readings: &[Reading]) -> Decision {
        if !self.has_role(actor, &[Role::RegistryAdministrator, Role::MeasurementBody, Role::ProductionUser]) {
            return Err("forbidden");
        }
        let (mut accepted, mut corrected, mut unchanged, mut refused) = (0, 0, 0, Vec::new());
        for (place, reading) in readings.iter().enumerate() {
            match self.judge(now, actor, reading) {
                Err(reason) => refused.push((place, reason.to_owned())),
                Ok(Row::Unchanged) => unchanged += 1,
                Ok(Row::New) => {
                    accepted += 1;
                    self.keep(reading);
                }
                Ok(Row::Corrected(old)) => {
                    corrected += 1;
                    let id = self.keep(reading);
                    self.versions[old].superseded_by = Some(id);
                }
            }
        }
        let told = Verdict::Readings { accepted, corrected, unchanged, refused };
        Ok(Decided { told, has_changed: accepted + corrected > 0 })
    }

    pub(super) fn judge(&self, now: Timestamp, actor: Actor, reading: &Reading) -> Result<Row, &'static str> {
        let (start, end) = (reading.interval.start(), reading.interval.end());
        let device = self.live_device(reading.device_id).ok_or("device_missing")?;
        if !self.has_role(actor, &[Role::RegistryAdministrator, Role::MeasurementBody]) {
            if !self.is_member(actor, device.account) {
                return Err("device_missing");
            }
            if !device.certificates.is_empty() {
                return Err("not_producers");
            }
        }
        let seconds = end.as_second() - start.as_second();
        let may_not_be = [
            (!(SHORTEST_SECONDS..=LONGEST_SECONDS).contains(&seconds), "interval_length"),
            (end > now, "in_future"),
            (start < device.description.operational_date, "before_operation"),
            (reading.energy_wh > LARGEST_WH || reading.energy_wh < -LARGEST_WH, "too_large"),
            (reading.energy_wh < 0 && device.description.kind != DeviceKind::Storage, "negative_energy"),
            (device.gross_net.is_some_and(|fixed| fixed != reading.gross_net), "gross_net_differs"),
        ];
        if let Some((_, reason)) = may_not_be.into_iter().find(|(holds, _)| *holds) {
            return Err(reason);
        }
        let is_here = |version: &&Version| {
            version.reading.device_id == reading.device_id && version.reading.interval == reading.interval
        };
        if let Some(part) = self.versions.iter().find(|version| is_here(version) && self.is_part(version)) {
            return if part.reading == *reading { Ok(Row::Unchanged) } else { Err("already_issued") };
        }
        let overlaps = |other: &Reading| other.interval.start() < end && start < other.interval.end();
        let neighbours = || self.current().filter(|(_, other)| other.device_id == reading.device_id && overlaps(other));
        if neighbours().any(|(_, other)| other.interval != reading.interval) {
            return Err("overlaps");
        }
        match neighbours().next() {
            None => Ok(Row::New),
            Some((_, other)) if other == reading => Ok(Row::Unchanged),
            Some(_) if self.of_interval(reading.device_id, start).next().is_some() => Err("already_issued"),
            Some(_) if self.is_recorded(reading.device_id, start) => Err("recorded"),
            Some((place, _)) => Ok(Row::Corrected(place)),
        }
    }

    /// Keeps a new version and returns its id.
    pub(super) fn keep(&mut self, reading: &Reading) -> i64 {
        let device = self.devices.get_mut(&reading.device_id).expect("the row was judged");
        device.gross_net.get_or_insert(reading.gross_net);
        self.versions.push(Version { reading: *reading, superseded_by: None, is_sum: false });
        i64::try_from(self.versions.len()).expect("few readings")
    }

    /// What the readings say now, with their places.
    pub(super) fn current(&self) -> impl Iterator<Item = (usize, &Reading)> {
        let versions = self.versions.iter().enumerate();
        versions
            .filter(|(_, version)| version.superseded_by.is_none())
            .map(|(place, version)| (place, &version.reading))
    }
}
