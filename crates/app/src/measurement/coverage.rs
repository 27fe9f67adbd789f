//! What became of readings, hour by hour: of one device over a month, and of many devices on a day.

use super::view::readable;
use crate::device::scoped;
use crate::{Caller, DeviceFilter, Error, MeasurementQuery, Page, Paging, Registry};
use domain::action::{Hours, Standing, standing, standing_in_storage};
use domain::{Capability, Device, DeviceId, DeviceKind, EventNumber, Reading, ReadingRefusal, ReadingStatus};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Readings of a month: one a minute, and those of the hour before, which may reach into it.
const READINGS_MAX: usize = (31 * 24 + 1) * 60;
const MINUTE_MICROS: i64 = 60_000_000;
const HOUR_MICROS: i64 = 60 * MINUTE_MICROS;

/// The readings of a device in one month (UTC).
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The first day of the month.
    pub month: Date,
    /// The start of the first reading that counts.
    pub first: Option<Timestamp>,
    /// The months of the first and of the last reading that counts.
    pub months: Option<(Date, Date)>,
    /// By the start of the hour; an hour that no reading touches is not there.
    pub hours: BTreeMap<Timestamp, CoveredHour>,
}

/// The readings of a device on one day (UTC).
#[derive(Clone, Debug)]
pub struct DayCoverage {
    pub device: Device,
    /// The start of its first reading that counts.
    pub first: Option<Timestamp>,
    /// As in [`Coverage`].
    pub hours: BTreeMap<Timestamp, CoveredHour>,
}

/// One hour of a device's readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoveredHour {
    /// How many of its minutes have a reading.
    pub minutes: i64,
    /// Wh of the readings that start in it.
    pub energy_wh: i64,
    /// How the readings that touch it stand, each standing once.
    pub standings: Vec<(ReadingStatus, Option<ReadingRefusal>)>,
}

impl Registry {
    /// The readings of a device in the month that begins with `month`, or in that of its last reading, or, where there is
    /// none, in this one. For those who may read its [`measurements`](Self::measurements). Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a device whose readings are not the caller's to see.
    pub fn coverage(
        &self,
        caller: &Caller,
        device: DeviceId,
        month: Option<Date>,
        fresh: Option<EventNumber>,
    ) -> Result<Coverage, Error> {
        let found = self.read(fresh, |connection| {
            if readable(connection, caller, device)?.is_none() {
                return Ok(None);
            }
            store::measurement::span(connection, &[device.0]).map(Some)
        })?;
        let span = found.ok_or(Error::NotFound { what: "Device", id: device.0 })?;
        let months = span.map(|(first, last)| (month_of(first), month_of(last)));
        let month = month.map(Date::first_of_month).or(months.map(|(_, last)| last));
        let month = month.unwrap_or_else(|| month_of(self.now()));
        let (from, to) = bounds(month);
        let hour = SignedDuration::from_hours(1);
        let query = MeasurementQuery {
            device,
            from: Some(from.checked_sub(hour).unwrap_or(from)),
            to: Some(to),
            status: None,
            all_versions: false,
            paging: Paging { limit: READINGS_MAX, after: None },
        };
        let mut hours = BTreeMap::new();
        for view in self.measurements(caller, &query, fresh)?.entries {
            note(&mut hours, &view.measurement.reading, &view.standing);
        }
        hours.retain(|hour, _| (from..to).contains(hour));
        Ok(Coverage { month, first: span.map(|(first, _)| first), months, hours })
    }

    /// The readings of a day (UTC) of [`devices`](Self::devices), as far as the caller may read them, device by device. Blocks.
    pub fn day_coverage(
        &self,
        caller: &Caller,
        filter: &DeviceFilter,
        day: Date,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<DayCoverage, i64>, Error> {
        let reads_all = caller.may(Capability::SubmitReadings) || caller.may(Capability::ReadEverything);
        let member = (!reads_all).then_some(caller.user_id);
        let filter = store::device::Filter { member, ..scoped(caller, filter) };
        let rows =
            self.read(fresh, |connection| store::device::list(connection, &filter, paging.after, paging.rows()))?;
        let devices = paging.page(rows, |device| device.id.0);
        let start = |day: Date| day.to_zoned_datetime(TimeZone::UTC).map_or(Timestamp::MAX, |start| start.timestamp());
        let (from, to) = (start(day), day.tomorrow().map_or(Timestamp::MAX, start));
        let reach = from.checked_sub(SignedDuration::from_hours(1)).unwrap_or(from);
        let ids: Vec<i64> = devices.entries.iter().map(|device| device.id.0).collect();
        let (places, firsts, records) = self.read(fresh, |connection| {
            let mut firsts = BTreeMap::new();
            for id in &ids {
                if let Some((first, _)) = store::measurement::span(connection, &[*id])? {
                    firsts.insert(DeviceId(*id), first);
                }
            }
            let mut records = BTreeMap::new();
            for device in devices.entries.iter().filter(|device| device.description.kind == DeviceKind::Storage) {
                records.insert(device.id, store::storage::records(connection, device.id, reach, to)?);
            }
            Ok((store::measurement::places(connection, &ids, reach, to)?, firsts, records))
        })?;
        let (now, rules) = (self.now(), self.settings().rules);
        let sums = Hours::of(&places, &rules);
        let mut hours: BTreeMap<DeviceId, BTreeMap<Timestamp, CoveredHour>> = BTreeMap::new();
        let known: BTreeMap<DeviceId, &Device> = devices.entries.iter().map(|device| (device.id, device)).collect();
        for ((_, id), place) in &places {
            let device = known.get(id).filter(|device| !device.is_deleted).copied();
            let standing = match records.get(id) {
                Some(records) => {
                    let start = place.measurement.reading.interval.start();
                    standing_in_storage(place, records.get(&start).copied().unwrap_or_default())
                }
                None => standing(device, place, &sums, now, &rules),
            };
            note(hours.entry(*id).or_default(), &place.measurement.reading, &standing);
        }
        let of = |device: Device| {
            let mut hours = hours.remove(&device.id).unwrap_or_default();
            hours.retain(|hour, _| (from..to).contains(hour));
            DayCoverage { first: firsts.get(&device.id).copied(), device, hours }
        };
        Ok(Page { entries: devices.entries.into_iter().map(of).collect(), next: devices.next })
    }
}

fn month_of(at: Timestamp) -> Date {
    at.to_zoned_datetime(TimeZone::UTC).date().first_of_month()
}

/// From the start of the month to that of the next one.
fn bounds(month: Date) -> (Timestamp, Timestamp) {
    let start = |day: Date| day.to_zoned_datetime(TimeZone::UTC).map_or(Timestamp::MAX, |start| start.timestamp());
    (start(month), month.last_of_month().tomorrow().map_or(Timestamp::MAX, start))
}

fn note(hours: &mut BTreeMap<Timestamp, CoveredHour>, reading: &Reading, standing: &Standing) {
    let (start, end) = (reading.interval.start().as_microsecond(), reading.interval.end().as_microsecond());
    let standing = (standing.status, standing.refusal);
    let mut from = start;
    while from < end {
        let hour = from - from.rem_euclid(HOUR_MICROS);
        let to = end.min(hour + HOUR_MICROS);
        let Ok(key) = Timestamp::from_microsecond(hour) else { return };
        let covered = hours.entry(key).or_default();
        covered.minutes += (to - from) / MINUTE_MICROS;
        if from == start {
            covered.energy_wh = covered.energy_wh.saturating_add(reading.energy_wh);
        }
        if !covered.standings.contains(&standing) {
            covered.standings.push(standing);
        }
        from = to;
    }
}
