//! The storage records of one device as they are looked at: the newest first, and what is not recorded yet.

use super::{energy, scr_of, scr_select, sdr_of, sdr_select};
use crate::code::count;
use crate::measurement::interval_of;
use db::{Connection, Result, Select};
use domain::{DeviceId, Interval, Quality, Scr, Sdr, SdrId, WattHours};
use jiff::Timestamp;

/// Up to `limit` charge records before a place, the newest charge first.
pub fn latest_charges(
    connection: &mut Connection,
    device: DeviceId,
    with_withdrawn: bool,
    before: Option<(Timestamp, i64)>,
    limit: i64,
) -> Result<Vec<Scr>> {
    let select = Select::new(scr_select!())
        .and("c.device_id = ?", Some(device.0))
        .and_if(!with_withdrawn, "NOT c.is_withdrawn")
        .and("(c.start_at, c.id) < (?, ?)", before)
        .tail("ORDER BY c.start_at DESC, c.id DESC LIMIT ?", limit);
    connection.select(&select, scr_of)
}

/// Up to `limit` discharge records before a place, the newest discharge first.
pub fn latest_discharges(
    connection: &mut Connection,
    device: DeviceId,
    with_withdrawn: bool,
    before: Option<(Timestamp, i64)>,
    limit: i64,
) -> Result<Vec<Sdr>> {
    let select = Select::new(sdr_select!())
        .and("s.device_id = ?", Some(device.0))
        .and_if(!with_withdrawn, "NOT s.is_withdrawn")
        .and("(s.start_at, s.id) < (?, ?)", before)
        .tail("ORDER BY s.start_at DESC, s.id DESC LIMIT ?", limit);
    connection.select(&select, sdr_of)
}

/// What each of these discharges draws in all, gross; those that draw nothing are left out.
pub fn drawn_of(connection: &mut Connection, sdrs: &[i64]) -> Result<Vec<(SdrId, WattHours)>> {
    connection.query(
        "SELECT d.sdr_id, CAST(SUM(d.backed_wh + d.unbacked_wh) AS BIGINT) FROM storage_draw d \
         WHERE d.sdr_id IN rarray($1) GROUP BY d.sdr_id",
        &[sdrs.into()],
        |row| Ok((SdrId(row.get(0)?), energy(row, 1)?)),
    )
}

/// A reading of which something is on no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unrecorded {
    pub interval: Interval,
    /// What the reading says, in Wh: negative of a charge.
    pub energy_wh: i64,
    /// What standing records hold of it.
    pub recorded: WattHours,
}

/// Up to `limit` readings that may be recorded and are not, or not wholly; the newest first.
pub fn unrecorded(connection: &mut Connection, device: DeviceId, limit: i64) -> Result<Vec<Unrecorded>> {
    connection.query(
        "SELECT r.start_at, r.end_at, r.energy_wh, r.recorded_wh FROM (\
           SELECT m.start_at, m.end_at, m.energy_wh, \
             COALESCE((SELECT CAST(SUM(c.energy_wh) AS BIGINT) FROM scr c \
               WHERE c.device_id = m.device_id AND c.start_at = m.start_at AND NOT c.is_withdrawn), 0) \
             + COALESCE((SELECT CAST(SUM(s.energy_wh) AS BIGINT) FROM sdr s \
               WHERE s.device_id = m.device_id AND s.start_at = m.start_at AND NOT s.is_withdrawn), 0) AS recorded_wh \
           FROM measurement m \
           WHERE m.device_id = $1 AND m.superseded_by IS NULL AND m.quality <> $2 AND m.energy_wh <> 0) r \
         WHERE r.recorded_wh < ABS(r.energy_wh) ORDER BY r.start_at DESC LIMIT $3",
        &[device.0.into(), Quality::Estimated.code().into(), limit.into()],
        |row| {
            Ok(Unrecorded {
                interval: interval_of(row, 0)?,
                energy_wh: row.get(2)?,
                recorded: WattHours(count(row, 3)?),
            })
        },
    )
}
