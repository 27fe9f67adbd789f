//! What readings make of the state: versions that are accepted, and versions that count no more.

use super::{CurrentReading, IssuePlace, State};
use crate::{ActionId, Measurement, MeasurementId, Reading, ReadingSource, WattHours};

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
            // where bundles stem from the interval, what is known of them was loaded with the reading that is corrected
            let current = self.readings.entry((reading.device_id, start));
            current
                .and_modify(|current| current.measurement = measurement)
                .or_insert(CurrentReading { measurement, has_bundles: false });
            let place = self.places.entry((start, reading.device_id));
            place.and_modify(|place| place.measurement = measurement).or_insert(IssuePlace {
                measurement,
                live: WattHours::ZERO,
                held: WattHours::ZERO,
            });
            self.written.measurements.push((measurement, source, action));
        }
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
