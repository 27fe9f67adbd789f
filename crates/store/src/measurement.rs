//! Meter readings, each version of them, and what of their intervals is held no more. The current version of an interval
//! has nothing in `superseded_by`; one that was deleted has itself.

use crate::code::coded;
use db::{Connection, Error, Result, Row, Select, Table, Value};
use domain::state::{CurrentReading, IssuePlace};
use domain::{
    ActionId, BundleStatus, CertificateRange, DeviceId, GrossNet, Interval, Measurement, MeasurementId, Quality,
    Reading, ReadingSource, WattHours, time::INTERVAL_MAX,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

const TABLE: Table<10> = Table {
    name: "measurement",
    columns: [
        "id",
        "device_id",
        "start_at",
        "end_at",
        "energy_wh",
        "gross_net",
        "quality",
        "source",
        "action_id",
        "superseded_by",
    ],
};

macro_rules! columns {
    () => {
        "m.id, m.device_id, m.start_at, m.end_at, m.energy_wh, m.gross_net, m.quality, m.superseded_by"
    };
}

fn measurement_of(row: &Row<'_>) -> Result<Measurement> {
    let superseded_by: Option<i64> = row.get(7)?;
    Ok(Measurement {
        id: MeasurementId(row.get(0)?),
        reading: Reading {
            device_id: DeviceId(row.get(1)?),
            interval: interval_of(row, 2)?,
            energy_wh: row.get(4)?,
            gross_net: coded(row, 5, GrossNet::from_code)?,
            quality: coded(row, 6, Quality::from_code)?,
        },
        superseded_by: superseded_by.map(MeasurementId),
    })
}

/// The two columns from `first` on.
pub(crate) fn interval_of(row: &Row<'_>, first: usize) -> Result<Interval> {
    let (start, end) = (row.get(first)?, row.get(first + 1)?);
    Interval::new(start, end).ok_or_else(|| Error::column(first, "an interval that ends before it starts"))
}

pub fn by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Measurement>> {
    connection.query(
        concat!("SELECT ", columns!(), " FROM measurement m WHERE m.id IN rarray($1)"),
        &[ids.into()],
        measurement_of,
    )
}

/// A version of a reading, with who stated it and when.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    pub measurement: Measurement,
    pub source: ReadingSource,
    pub recorded_at: Timestamp,
}

macro_rules! recorded {
    () => {
        ", m.source, a.completed_at FROM measurement m JOIN action a ON a.id = m.action_id"
    };
}

fn recorded_of(row: &Row<'_>) -> Result<Recorded> {
    let source = coded(row, 8, ReadingSource::from_code)?;
    Ok(Recorded { measurement: measurement_of(row)?, source, recorded_at: row.get(9)? })
}

pub fn by_id(connection: &mut Connection, id: MeasurementId) -> Result<Option<Recorded>> {
    connection.query_optional(
        concat!("SELECT ", columns!(), recorded!(), " WHERE m.id = $1"),
        &[id.0.into()],
        recorded_of,
    )
}

/// Which versions of readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    Current,
    /// Superseded and deleted ones.
    Past,
    All,
}

/// A place in the order of (start, id), after which a page begins.
pub type Place = (Timestamp, MeasurementId);

/// Readings of a device that start in `from..to`, in the order of (start, id), after `after`, at most `limit`.
pub fn of_device(
    connection: &mut Connection,
    device: DeviceId,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    versions: Versions,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Recorded>> {
    // Each kind of version has an index of its own.
    let kinds: &[&'static str] = match versions {
        Versions::Current => &["m.superseded_by IS NULL"],
        Versions::Past => &["m.superseded_by IS NOT NULL"],
        Versions::All => &["m.superseded_by IS NULL", "m.superseded_by IS NOT NULL"],
    };
    let mut found = Vec::new();
    for kind in kinds {
        let select = Select::new(concat!("SELECT ", columns!(), recorded!()))
            .and("m.device_id = ?", Some(device.0))
            .and_raw(kind)
            .and("m.start_at >= ?", from)
            .and("m.start_at < ?", to)
            .and("(m.start_at, m.id) > (?, ?)", after.map(|(start, id)| (start, id.0)))
            .tail("ORDER BY m.start_at, m.id LIMIT ?", limit);
        found.append(&mut connection.select(&select, recorded_of)?);
    }
    found.sort_by_key(|recorded| (recorded.measurement.reading.interval.start(), recorded.measurement.id));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// Where [`current`] looks in one range of time for all devices; above, it looks row by row. A range of this many times
/// the rows asked for costs about as much.
const SPREAD_MAX: i64 = 8;

/// The current readings that `readings` may equal or overlap.
pub fn current(connection: &mut Connection, readings: &[Reading]) -> Result<Vec<CurrentReading>> {
    let starts = readings.iter().map(|r| r.interval.start());
    let ends = readings.iter().map(|r| r.interval.end());
    let (Some(first), Some(last)) = (starts.min(), ends.max()) else { return Ok(Vec::new()) };
    let mut devices: Vec<i64> = readings.iter().map(|r| r.device_id.0).collect();
    devices.sort_unstable();
    devices.dedup();
    let reach = before(first);
    let shortest = readings.iter().map(|r| r.interval.micros()).min().unwrap_or(1).max(1);
    let span = u64::try_from(last.as_microsecond() - reach.as_microsecond()).unwrap_or(u64::MAX) / shortest;
    let (rows, wide) = (i64::try_from(readings.len()).unwrap_or(i64::MAX), i64::try_from(devices.len()).unwrap_or(1));
    if i64::try_from(span).unwrap_or(i64::MAX).saturating_mul(wide) <= rows.saturating_mul(SPREAD_MAX) {
        return connection.query(
            concat!(
                "SELECT ",
                columns!(),
                ", EXISTS (SELECT 1 FROM bundle b WHERE b.device_id = m.device_id AND b.production_start = m.start_at) \
                 FROM measurement m WHERE m.device_id IN rarray($1) \
                 AND m.start_at > $2 AND m.start_at < $3 AND m.superseded_by IS NULL"
            ),
            &[devices.as_slice().into(), reach.into(), last.into()],
            current_of,
        );
    }
    connection.query_values(
        concat!(
            "SELECT ",
            columns!(),
            ", EXISTS (SELECT 1 FROM bundle b WHERE b.device_id = m.device_id AND b.production_start = m.start_at) \
             FROM ROWS AS v JOIN measurement m ON m.device_id = v.column1 \
             AND m.start_at > v.column2 AND m.start_at < v.column3 AND m.superseded_by IS NULL"
        ),
        ["BIGINT", "TIMESTAMPTZ", "TIMESTAMPTZ"],
        readings,
        |r| [r.device_id.0.into(), before(r.interval.start()).into(), r.interval.end().into()],
        &[],
        current_of,
    )
}

/// The readings that count as parts of the sum of one of these hours: the last that a sum superseded, of each start.
pub fn parts(connection: &mut Connection, hours: &[(DeviceId, Interval)]) -> Result<Vec<Measurement>> {
    let mut found = connection.query_values(
        concat!(
            "SELECT ",
            columns!(),
            " FROM ROWS AS v JOIN measurement m ON m.device_id = v.column1 AND m.start_at >= v.column2 \
             AND m.start_at < v.column3 AND m.superseded_by IS NOT NULL \
             JOIN measurement s ON s.id = m.superseded_by AND s.source = 4 \
             AND NOT (m.start_at = s.start_at AND m.end_at = s.end_at)"
        ),
        ["BIGINT", "TIMESTAMPTZ", "TIMESTAMPTZ"],
        hours,
        |(device, hour)| [device.0.into(), hour.start().into(), hour.end().into()],
        &[],
        measurement_of,
    )?;
    let place = |part: &Measurement| (part.reading.device_id, part.reading.interval.start());
    found.sort_unstable_by_key(|part| (place(part), std::cmp::Reverse(part.id)));
    found.dedup_by_key(|part| place(part));
    Ok(found)
}

/// What starts at or before this ends before `start`.
fn before(start: Timestamp) -> Timestamp {
    start.checked_sub(INTERVAL_MAX).unwrap_or(Timestamp::MIN)
}

fn current_of(row: &Row<'_>) -> Result<CurrentReading> {
    Ok(CurrentReading { measurement: measurement_of(row)?, has_bundles: row.get(8)? })
}

/// Current readings of `devices` that start in `from..to`, with what of their intervals was issued. That a reading was
/// issued is not written on it: marking costs PostgreSQL as much as issuing. Readings and bundles are read apart, one
/// walk in the index for each device: nearly always there are no bundles, and a join would look for each reading's.
pub fn places(
    connection: &mut Connection,
    devices: &[i64],
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeMap<(Timestamp, DeviceId), IssuePlace>> {
    let window = [devices.into(), from.into(), to.into()];
    let mut found = Vec::new();
    connection.query_each(
        concat!(
            "SELECT ",
            columns!(),
            " FROM measurement m WHERE m.device_id IN rarray($1) AND m.start_at >= $2 AND m.start_at < $3 \
             AND m.superseded_by IS NULL"
        ),
        &window,
        |row| -> Result<()> {
            let measurement = measurement_of(row)?;
            let key = (measurement.reading.interval.start(), measurement.reading.device_id);
            found.push((key, IssuePlace::new(measurement)));
            Ok(())
        },
    )?;
    found.sort_unstable_by_key(|(key, _)| *key);
    let mut places: BTreeMap<_, _> = found.into_iter().collect();
    let mut is_any_withdrawn = false;
    connection.query_each(
        "SELECT b.device_id, b.production_start, b.status, b.range_first, b.range_last FROM bundle b \
         WHERE b.device_id IN rarray($1) AND b.production_start >= $2 AND b.production_start < $3",
        &window,
        |row| -> Result<()> {
            let key = (row.get(1)?, DeviceId(row.get(0)?));
            let status = coded(row, 2, BundleStatus::from_code)?;
            let Some(place) = places.get_mut(&key) else { return Ok(()) };
            place.has_bundles = true;
            let sum = if status.is_live() {
                &mut place.live
            } else if status == BundleStatus::Withdrawn {
                is_any_withdrawn = true;
                &mut place.held
            } else {
                return Ok(());
            };
            *sum = [*sum, range_of(row, 3)?.quantity()].into_iter().sum();
            Ok(())
        },
    )?;
    if is_any_withdrawn {
        release(connection, &window, &mut places)?;
    }
    Ok(places)
}

/// Takes what was released from what is held.
fn release(
    connection: &mut Connection,
    window: &[Value<'_>],
    places: &mut BTreeMap<(Timestamp, DeviceId), IssuePlace>,
) -> Result<()> {
    connection.query_each(
        "SELECT r.device_id, r.start_at, r.energy_wh FROM hold_release r \
         WHERE r.device_id IN rarray($1) AND r.start_at >= $2 AND r.start_at < $3",
        window,
        |row| -> Result<()> {
            if let Some(place) = places.get_mut(&(row.get(1)?, DeviceId(row.get(0)?))) {
                place.held = place.held.saturating_sub(WattHours(crate::code::count(row, 2)?));
            }
            Ok(())
        },
    )
}

/// The two columns from `first` on.
pub(crate) fn range_of(row: &Row<'_>, first: usize) -> Result<CertificateRange> {
    let (from, to) = (crate::code::count(row, first)?, crate::code::count(row, first + 1)?);
    CertificateRange::new(from, to).ok_or_else(|| Error::column(first, "a range that ends before it starts"))
}

/// How many current readings of `devices` start in `from..to`; stops counting above `most`.
pub fn count(connection: &mut Connection, devices: &[i64], from: Timestamp, to: Timestamp, most: i64) -> Result<i64> {
    connection.query_one(
        "SELECT COUNT(*) FROM (SELECT 1 FROM measurement m WHERE m.device_id IN rarray($1) \
         AND m.start_at >= $2 AND m.start_at < $3 AND m.superseded_by IS NULL LIMIT $4) AS found",
        &[devices.into(), from.into(), to.into(), most.into()],
        |r| r.get(0),
    )
}

/// The first start of a current reading of `devices` in `from..to`.
pub fn first_start(
    connection: &mut Connection,
    devices: &[i64],
    from: Timestamp,
    to: Timestamp,
) -> Result<Option<Timestamp>> {
    connection.query_one(
        "SELECT MIN(first) FROM (SELECT \
         (SELECT MIN(m.start_at) FROM measurement m WHERE m.device_id = wanted.value AND m.start_at >= $2 \
          AND m.start_at < $3 AND m.superseded_by IS NULL) AS first FROM rarray($1) AS wanted) AS firsts",
        &[devices.into(), from.into(), to.into()],
        |r| r.get(0),
    )
}

/// The first and the last start of a current reading of `devices`, in two look-ups for each of them.
pub fn span(connection: &mut Connection, devices: &[i64]) -> Result<Option<(Timestamp, Timestamp)>> {
    let (first, last): (Option<Timestamp>, Option<Timestamp>) = connection.query_one(
        "SELECT MIN(first), MAX(last) FROM (SELECT \
         (SELECT MIN(m.start_at) FROM measurement m WHERE m.device_id = wanted.value AND m.superseded_by IS NULL) AS first, \
         (SELECT MAX(m.start_at) FROM measurement m WHERE m.device_id = wanted.value AND m.superseded_by IS NULL) AS last \
         FROM rarray($1) AS wanted) AS spans",
        &[devices.into()],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    Ok(first.zip(last))
}

/// Hands over each start in `from..to` of current readings of `devices`, with their Wh together.
pub fn each_sum(
    connection: &mut Connection,
    devices: &[i64],
    from: Timestamp,
    to: Timestamp,
    mut one: impl FnMut(Timestamp, i64),
) -> Result<()> {
    connection.query_each(
        "SELECT m.start_at, CAST(SUM(m.energy_wh) AS BIGINT) FROM measurement m WHERE m.device_id IN rarray($1) \
         AND m.start_at >= $2 AND m.start_at < $3 AND m.superseded_by IS NULL GROUP BY m.start_at",
        &[devices.into(), from.into(), to.into()],
        |row| -> Result<()> {
            one(row.get(0)?, row.get(1)?);
            Ok(())
        },
    )
}

pub(crate) fn insert(tx: &mut Connection, rows: &[(Measurement, ReadingSource, ActionId)]) -> Result<()> {
    tx.insert(&TABLE, rows, |(m, source, action)| {
        [
            m.id.0.into(),
            m.reading.device_id.0.into(),
            m.reading.interval.start().into(),
            m.reading.interval.end().into(),
            m.reading.energy_wh.into(),
            m.reading.gross_net.code().into(),
            m.reading.quality.code().into(),
            source.code().into(),
            action.0.into(),
            m.superseded_by.map(|id| id.0).into(),
        ]
    })
}

pub(crate) fn supersede(tx: &mut Connection, pairs: &[(MeasurementId, MeasurementId)]) -> Result<()> {
    tx.update(
        "UPDATE measurement SET superseded_by = v.column2 FROM ROWS AS v WHERE measurement.id = v.column1",
        ["BIGINT", "BIGINT"],
        pairs,
        |(id, by)| [id.0.into(), by.0.into()],
    )?;
    Ok(())
}

/// Adds to what is held no more.
pub(crate) fn add_released(
    tx: &mut Connection,
    released: &[(MeasurementId, DeviceId, Timestamp, WattHours)],
) -> Result<()> {
    for (id, device, start, energy) in released {
        tx.execute(
            "INSERT INTO hold_release (measurement_id, device_id, start_at, energy_wh) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (measurement_id) DO UPDATE SET energy_wh = hold_release.energy_wh + excluded.energy_wh",
            &[id.0.into(), device.0.into(), (*start).into(), crate::code::kept(energy.0).into()],
        )?;
    }
    Ok(())
}
