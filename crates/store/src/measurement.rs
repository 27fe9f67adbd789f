//! Meter readings, each version of them. The current one of an interval has nothing in `superseded_by`.

use crate::code::coded;
use db::{Connection, Error, Result, Row, Select, Table};
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

pub fn by_id(connection: &mut Connection, id: MeasurementId) -> Result<Option<Measurement>> {
    connection.query_optional(
        concat!("SELECT ", columns!(), " FROM measurement m WHERE m.id = $1"),
        &[id.0.into()],
        measurement_of,
    )
}

/// Current readings of a device that start in `from..to`, in order of time, after `after`.
pub fn of_device(
    connection: &mut Connection,
    device: DeviceId,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    limit: i64,
) -> Result<Vec<Measurement>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM measurement m"))
        .and("m.device_id = ?", Some(device.0))
        .and_raw("m.superseded_by IS NULL")
        .and("m.start_at >= ?", from)
        .and("m.start_at < ?", to)
        .tail("ORDER BY m.start_at LIMIT ?", limit);
    connection.select(&select, measurement_of)
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
            found.push((key, IssuePlace { measurement, live: WattHours::ZERO, held: WattHours::ZERO }));
            Ok(())
        },
    )?;
    found.sort_unstable_by_key(|(key, _)| *key);
    let mut places: BTreeMap<_, _> = found.into_iter().collect();
    connection.query_each(
        "SELECT b.device_id, b.production_start, b.status, b.range_first, b.range_last FROM bundle b \
         WHERE b.device_id IN rarray($1) AND b.production_start >= $2 AND b.production_start < $3",
        &window,
        |row| -> Result<()> {
            let key = (row.get(1)?, DeviceId(row.get(0)?));
            let status = coded(row, 2, BundleStatus::from_code)?;
            let Some(place) = places.get_mut(&key) else { return Ok(()) };
            let sum = if status.is_live() {
                &mut place.live
            } else if status == BundleStatus::Withdrawn {
                &mut place.held
            } else {
                return Ok(());
            };
            *sum = [*sum, range_of(row, 3)?.quantity()].into_iter().sum();
            Ok(())
        },
    )?;
    Ok(places)
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
