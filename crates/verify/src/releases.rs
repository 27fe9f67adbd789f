//! What was released, and so is not held any more: each belongs to the interval of its reading, and together they are at
//! most what was withdrawn there. That each is what its events say is checked with its reading.
//!
//! Invariant: memory holds a page of intervals.

use crate::PAGE;
use crate::intervals::instant;
use crate::report::{Audit, FindingKind, Noun, at};
use crate::rows::number;
use crate::rules::status;
use db::{Connection, Result, Value};

/// An interval on which something was released.
struct Place {
    device: i64,
    start: i64,
    released: i64,
    /// The last reading on which it was.
    reading: i64,
}

pub(crate) fn check(connection: &mut Connection, audit: &mut Audit<'_>) -> Result<()> {
    check_places(connection, audit)?;
    let mut after = (i64::MIN, 0);
    loop {
        let places = next_places(connection, after)?;
        let Some(last) = places.last() else { return Ok(()) };
        after = (last.device, last.start);
        for place in places {
            let withdrawn = withdrawn_in(connection, place.device, place.start)?;
            if place.released > withdrawn {
                let Place { device, start, released, reading } = place;
                audit.find(FindingKind::HoldWrong, Noun::Measurement, reading, None, || {
                    let start = at(start);
                    format!("device {device} from {start}: {released} Wh were released, and {withdrawn} Wh withdrawn")
                });
            }
        }
    }
}

/// How much was released in an interval.
pub(crate) fn of_interval(connection: &mut Connection, device: i64, start: Value<'_>) -> Result<i64> {
    connection.query_one(
        "SELECT CAST(COALESCE(SUM(energy_wh), 0) AS BIGINT) FROM hold_release WHERE device_id = $1 AND start_at = $2",
        &[device.into(), start],
        |row| number(row, 0),
    )
}

/// Releases that are not of the interval of their reading.
fn check_places(connection: &mut Connection, audit: &mut Audit<'_>) -> Result<()> {
    let astray = connection.query(
        "SELECT r.measurement_id FROM hold_release r LEFT JOIN measurement m ON m.id = r.measurement_id \
         AND m.device_id = r.device_id AND m.start_at = r.start_at WHERE m.id IS NULL ORDER BY r.measurement_id LIMIT $1",
        &[PAGE.into()],
        |row| number(row, 0),
    )?;
    for id in astray {
        audit.find(FindingKind::RowDiffers, Noun::Measurement, id, None, || {
            format!("what was released on reading {id} is not of its device and start, or there is no such reading")
        });
    }
    Ok(())
}

fn next_places(connection: &mut Connection, (device, start): (i64, i64)) -> Result<Vec<Place>> {
    connection.query(
        "SELECT device_id, start_at, CAST(SUM(energy_wh) AS BIGINT), MAX(measurement_id) FROM hold_release \
         WHERE (device_id, start_at) > ($1, $2) GROUP BY device_id, start_at ORDER BY device_id, start_at LIMIT $3",
        &[device.into(), instant(start), PAGE.into()],
        |row| {
            Ok(Place {
                device: number(row, 0)?,
                start: number(row, 1)?,
                released: number(row, 2)?,
                reading: number(row, 3)?,
            })
        },
    )
}

fn withdrawn_in(connection: &mut Connection, device: i64, start: i64) -> Result<i64> {
    connection.query_one(
        "SELECT CAST(COALESCE(SUM(range_last - range_first + 1), 0) AS BIGINT) FROM bundle \
         WHERE device_id = $1 AND production_start = $2 AND status = $3",
        &[device.into(), instant(start), status::WITHDRAWN.into()],
        |row| number(row, 0),
    )
}
