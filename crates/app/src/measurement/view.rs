//! Readings are read: each says what became of it, which is derived from the bundles of its interval.

use crate::register::may_read;
use crate::{Caller, Error, Page, Paging, Registry};
use domain::action::{Hours, Standing, standing, standing_in_storage};
use domain::state::IssuePlace;
use domain::time::hour_of;
use domain::{
    Capability, Device, DeviceId, DeviceKind, EventNumber, Measurement, MeasurementId, ReadingSource, ReadingStatus,
    Rules,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use store::Connection;
use store::measurement::{Place, Recorded, Versions};

/// Readings that one page of a status looks through, at a time and in all. What a page did not get to is on the next.
const LOOKED_AT_ONCE: usize = 1_000;
const LOOKED_MAX: usize = 20_000;

/// One version of a reading, and how it stands.
#[derive(Clone, Copy, Debug)]
pub struct MeasurementView {
    pub measurement: Measurement,
    pub source: ReadingSource,
    pub recorded_at: Timestamp,
    pub standing: Standing,
}

/// Which readings of a device to list, by start.
#[derive(Clone, Copy, Debug)]
pub struct MeasurementQuery {
    pub device: DeviceId,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub status: Option<ReadingStatus>,
    /// Also versions that were superseded or deleted; those of such a status in any case.
    pub all_versions: bool,
    pub paging: Paging<Place>,
}

/// With a status, a page may hold fewer readings than its limit before the end.
pub type MeasurementPage = Page<MeasurementView, Place>;

impl Registry {
    /// A version of a reading: of the caller's own devices, or any for those who may read everything or submit readings.
    pub fn measurement(
        &self,
        caller: &Caller,
        id: MeasurementId,
        fresh: Option<EventNumber>,
    ) -> Result<MeasurementView, Error> {
        let (now, rules) = (self.now(), self.settings().rules);
        let found = self.read(fresh, |connection| {
            let Some(recorded) = store::measurement::by_id(connection, id)? else { return Ok(None) };
            let device = recorded.measurement.reading.device_id;
            let Some(device) = readable(connection, caller, device)? else { return Ok(None) };
            Ok(views(connection, &device, vec![recorded], now, &rules)?.pop())
        })?;
        found.ok_or(Error::NotFound { what: "Measurement", id: id.0 })
    }

    /// Readings of a device in the order of (start, id), as [`measurement`](Self::measurement) shows them. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a device whose readings are not the caller's to see.
    pub fn measurements(
        &self,
        caller: &Caller,
        query: &MeasurementQuery,
        fresh: Option<EventNumber>,
    ) -> Result<MeasurementPage, Error> {
        let (now, rules) = (self.now(), self.settings().rules);
        let found = self.read(fresh, |connection| {
            let Some(device) = readable(connection, caller, query.device)? else { return Ok(None) };
            page(connection, &device, query, now, &rules).map(Some)
        })?;
        found.ok_or(Error::NotFound { what: "Device", id: query.device.0 })
    }
}

/// The device, if the caller may read its readings.
pub(super) fn readable(connection: &mut Connection, caller: &Caller, id: DeviceId) -> store::Result<Option<Device>> {
    let Some(device) = store::device::by_id(connection, id)? else { return Ok(None) };
    let is_readable = caller.may(Capability::SubmitReadings) || may_read(connection, caller, device.account_id)?;
    Ok(is_readable.then_some(device))
}

fn page(
    connection: &mut Connection,
    device: &Device,
    query: &MeasurementQuery,
    now: Timestamp,
    rules: &Rules,
) -> store::Result<MeasurementPage> {
    let versions = match query.status {
        Some(ReadingStatus::Superseded | ReadingStatus::Deleted) => Versions::Past,
        Some(_) | None if query.all_versions => Versions::All,
        Some(_) | None => Versions::Current,
    };
    let Paging { limit, after } = query.paging;
    let at_once = if query.status.is_some() { LOOKED_AT_ONCE } else { limit.saturating_add(1) };
    let rows_max = i64::try_from(at_once).unwrap_or(i64::MAX);
    let (mut entries, mut after, mut looked) = (Vec::new(), after, 0);
    loop {
        let within = (query.from, query.to);
        let rows = store::measurement::of_device(connection, device.id, within, versions, after, rows_max)?;
        let count = rows.len();
        for view in views(connection, device, rows, now, rules)? {
            if entries.len() == limit {
                return Ok(Page { entries, next: after });
            }
            after = Some((view.measurement.reading.interval.start(), view.measurement.id));
            if query.status.is_none_or(|status| status == view.standing.status) {
                entries.push(view);
            }
        }
        looked += count;
        if count < at_once {
            return Ok(Page { entries, next: None });
        }
        if looked >= LOOKED_MAX {
            return Ok(Page { entries, next: after });
        }
    }
}

/// Readings of one device in the order of their starts, with how they stand.
pub(super) fn views(
    connection: &mut Connection,
    device: &Device,
    recorded: Vec<Recorded>,
    now: Timestamp,
    rules: &Rules,
) -> store::Result<Vec<MeasurementView>> {
    let places = places_of(connection, device.id, &recorded)?;
    let records = match (device.description.kind, within(&recorded)) {
        (DeviceKind::Storage, Some((from, to))) => Some(store::storage::records(connection, device.id, from, to)?),
        _ => None,
    };
    let hours = Hours::of(&places, rules);
    let live = (!device.is_deleted).then_some(device);
    let view = |Recorded { measurement, source, recorded_at }| {
        let place = places.get(&(measurement.reading.interval.start(), device.id));
        let standing = match place.filter(|place| place.measurement.id == measurement.id) {
            Some(place) => match &records {
                Some(records) => {
                    let start = measurement.reading.interval.start();
                    standing_in_storage(place, records.get(&start).copied().unwrap_or_default())
                }
                None => standing(live, place, &hours, now, rules),
            },
            None => Standing::past(&measurement),
        };
        MeasurementView { measurement, source, recorded_at, standing }
    };
    Ok(recorded.into_iter().map(view).collect())
}

/// What was issued on the intervals of current readings.
fn places_of(
    connection: &mut Connection,
    device: DeviceId,
    recorded: &[Recorded],
) -> store::Result<BTreeMap<(Timestamp, DeviceId), IssuePlace>> {
    let Some((from, to)) = within(recorded) else { return Ok(BTreeMap::new()) };
    store::measurement::places(connection, &[device.0], from, to)
}

/// The whole hours that current readings lie in: readings of an hour may be issued together.
fn within(recorded: &[Recorded]) -> Option<(Timestamp, Timestamp)> {
    let mut starts = recorded.iter().filter(|r| r.measurement.is_current());
    let first = starts.next()?;
    let last = starts.next_back().unwrap_or(first);
    let [from, last] = [first, last].map(|recorded| recorded.measurement.reading.interval.start());
    Some((hour_of(from).start(), hour_of(last).end()))
}
