//! What readings make of the state: versions that are accepted, and versions that count no more.

use super::State;
use crate::time::hour_of;
use crate::{ActionId, DeviceId, Interval, Measurement, MeasurementId, Reading, ReadingSource, WattHours};

/// The current reading of an interval, as a submission meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentReading {
    pub measurement: Measurement,
    /// Whether any bundle, in any state, stems from this interval.
    pub has_bundles: bool,
}

/// The current reading of an interval, as an issue meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuePlace {
    pub measurement: Measurement,
    /// Σ of the bundles of this interval that count.
    pub live: WattHours,
    /// Σ of what the issuer withdrew here and did not release.
    pub held: WattHours,
    /// Whether any bundle, in any state, stems from this interval.
    pub has_bundles: bool,
}

impl IssuePlace {
    /// Where nothing was issued yet.
    pub fn new(measurement: Measurement) -> Self {
        Self { measurement, live: WattHours::ZERO, held: WattHours::ZERO, has_bundles: false }
    }

    /// What the reading says was made; what storage took in is nothing.
    pub fn accepted(&self) -> WattHours {
        WattHours(u64::try_from(self.measurement.reading.energy_wh).unwrap_or(0))
    }
}

impl State {
    pub(super) fn accept_readings(
        &mut self,
        action: ActionId,
        first: MeasurementId,
        readings: &[Reading],
        source: ReadingSource,
    ) {
        assert_eq!(first, self.next.measurement, "measurement ids are serial");
        for reading in readings {
            let id = self.next.measurement;
            self.next.measurement = id.next();
            let measurement = Measurement { id, reading: *reading, superseded_by: None };
            let device = self.devices.get_mut(&reading.device_id).expect("a device with readings was loaded");
            if device.gross_net.is_none() {
                device.gross_net = Some(reading.gross_net);
                self.written.changed_devices.insert(device.id);
            }
            let start = reading.interval.start();
            self.written.measurements.push((measurement, source, action));
            if let Some(part) = self.parts.get_mut(&(reading.device_id, start))
                && part.reading.interval == reading.interval
            {
                *part = measurement;
                continue;
            }
            if source == ReadingSource::Summed {
                self.gather_parts(reading);
            }
            // where bundles stem from the interval, what is known of them was loaded with the reading that is corrected
            let current = self.readings.entry((reading.device_id, start));
            current
                .and_modify(|current| current.measurement = measurement)
                .or_insert(CurrentReading { measurement, has_bundles: false });
            let place = self.places.entry((start, reading.device_id));
            place.and_modify(|place| place.measurement = measurement).or_insert_with(|| IssuePlace::new(measurement));
        }
    }

    /// The readings of an hour make way for their sum. Of an hour that was summed before there are none.
    fn gather_parts(&mut self, sum: &Reading) {
        let device = sum.device_id;
        let mut start = sum.interval.start();
        while let Some(place) = self.places.get(&(start, device)).copied() {
            let part = place.measurement;
            if part.reading.interval == sum.interval || part.reading.interval.end() > sum.interval.end() {
                return;
            }
            self.make_way(part);
            start = part.reading.interval.end();
        }
    }

    /// The reading counts as a part of its hour's sum, and no more by itself.
    fn make_way(&mut self, part: Measurement) {
        let (device, start) = (part.reading.device_id, part.reading.interval.start());
        if self.places.get(&(start, device)).is_some_and(|place| place.measurement.id == part.id) {
            self.places.remove(&(start, device));
        }
        if self.readings.get(&(device, start)).is_some_and(|current| current.measurement.id == part.id) {
            self.readings.remove(&(device, start));
        }
        self.parts.insert((device, start), part);
    }

    /// The sum that a reading counts as a part of.
    pub fn sum_of(&self, part: &Measurement) -> Option<Measurement> {
        let (device, start) = (part.reading.device_id, part.reading.interval.start());
        let known = self.parts.get(&(device, start)).filter(|known| known.id == part.id)?;
        let hour = hour_of(known.reading.interval.start());
        self.readings.get(&(device, hour.start())).map(|current| current.measurement)
    }

    /// The readings that count as parts of the sum of this hour, in the order of time.
    pub fn parts_of(&self, device: DeviceId, hour: Interval) -> impl Iterator<Item = &Measurement> {
        self.parts.range((device, hour.start())..(device, hour.end())).map(|(_, part)| part)
    }

    pub(super) fn supersede(&mut self, id: MeasurementId, by: MeasurementId) {
        let index = self.accepted_index(id);
        match index.and_then(|index| self.written.measurements.get_mut(index)) {
            Some((measurement, _, _)) => measurement.superseded_by = Some(by),
            None => self.written.superseded.push((id, by)),
        }
        if let Some(named) = self.measurements.get_mut(&id) {
            named.superseded_by = Some(by);
        }
    }

    /// Nothing takes its place: it is superseded by itself.
    pub(super) fn delete_reading(&mut self, id: MeasurementId) {
        let Reading { device_id, interval, .. } = self.measurement(id).expect("a deleted reading was loaded").reading;
        self.readings.remove(&(device_id, interval.start()));
        self.places.remove(&(interval.start(), device_id));
        self.supersede(id, id);
    }
}
