//! Storage records: charges (`scr`), discharges (`sdr`), and what each discharge draws of which charge (`storage_draw`).
//!
//! Invariant: `drawn_*` of a charge is the sum over its standing draws, written in the transaction that makes or ends them.

mod history;
mod listing;

pub use history::{Unrecorded, drawn_of, latest_charges, latest_discharges, unrecorded};
pub use listing::{ChargeFilter, DeviceSums, DischargeFilter, charges, discharges, issued_of, sums_of_device};

use crate::code::{coded, count, kept};
use crate::measurement::interval_of;
use db::{Connection, Error, Result, Row};
use domain::action::StorageRecords;
use domain::state::Snapshot;
use domain::storage::{Backing, Share};
use domain::{
    AllocationMethod, AttributesId, BundleId, BundleStatus, DeviceId, Draw, DrawId, Efficiency, EnergySource, Interval,
    MetadataId, Quality, Scr, ScrId, Sdr, SdrId, WattHours,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

macro_rules! scr_select {
    () => {
        "SELECT c.id, c.device_id, c.start_at, c.end_at, c.energy_wh, c.bundle_id, c.backed_wh, b.attributes_id, \
         a.metadata_id, c.matching_method, c.created_at, c.is_withdrawn, c.drawn_backed_wh, c.drawn_unbacked_wh, \
         a.energy_source \
         FROM scr c LEFT JOIN bundle b ON b.id = c.bundle_id LEFT JOIN certificate_attributes a ON a.id = b.attributes_id"
    };
}
macro_rules! sdr_select {
    () => {
        "SELECT s.id, s.device_id, s.start_at, s.end_at, s.energy_wh, s.method, s.efficiency_start, s.efficiency_end, \
         s.input_wh, s.output_wh, s.charge_before_wh, s.charge_after_wh, s.created_at, s.is_withdrawn FROM sdr s"
    };
}
macro_rules! draw_select {
    () => {
        "SELECT d.id, d.sdr_id, d.scr_id, d.backed_wh, d.unbacked_wh, d.certificates, d.attributes_id FROM storage_draw d"
    };
}
use scr_select;
use sdr_select;

fn energy(row: &Row<'_>, index: usize) -> Result<WattHours> {
    Ok(WattHours(count(row, index)?))
}

fn scr_of(row: &Row<'_>) -> Result<Scr> {
    let bundle: Option<i64> = row.get(5)?;
    let backing = match bundle {
        None => None,
        Some(id) => Some(Backing {
            bundle_id: BundleId(id),
            energy: energy(row, 6)?,
            attributes_id: AttributesId(row.get(7)?),
            metadata_id: MetadataId(row.get(8)?),
            energy_source: coded(row, 14, EnergySource::from_code)?,
        }),
    };
    Ok(Scr {
        id: ScrId(row.get(0)?),
        device_id: DeviceId(row.get(1)?),
        interval: interval_of(row, 2)?,
        energy: energy(row, 4)?,
        backing,
        matching_method: row.get(9)?,
        created_at: row.get(10)?,
        is_withdrawn: row.get(11)?,
        drawn: Share { backed: energy(row, 12)?, unbacked: energy(row, 13)? },
    })
}

fn sdr_of(row: &Row<'_>) -> Result<Sdr> {
    let efficiency = Efficiency {
        interval: interval_of(row, 6)?,
        input: energy(row, 8)?,
        output: energy(row, 9)?,
        charge_before: energy(row, 10)?,
        charge_after: energy(row, 11)?,
    };
    if !efficiency.is_possible() {
        return Err(Error::column(8, "an efficiency factor that is not above 0 and at most 1"));
    }
    Ok(Sdr {
        id: SdrId(row.get(0)?),
        device_id: DeviceId(row.get(1)?),
        interval: interval_of(row, 2)?,
        energy: energy(row, 4)?,
        method: coded(row, 5, AllocationMethod::from_code)?,
        efficiency,
        created_at: row.get(12)?,
        is_withdrawn: row.get(13)?,
    })
}

fn draw_of(row: &Row<'_>) -> Result<Draw> {
    let attributes: Option<i64> = row.get(6)?;
    Ok(Draw {
        id: DrawId(row.get(0)?),
        sdr_id: SdrId(row.get(1)?),
        scr_id: ScrId(row.get(2)?),
        taken: Share { backed: energy(row, 3)?, unbacked: energy(row, 4)? },
        certificates: energy(row, 5)?,
        attributes_id: attributes.map(AttributesId),
    })
}

pub fn scrs_by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Scr>> {
    connection.query(concat!(scr_select!(), " WHERE c.id IN rarray($1)"), &[ids.into()], scr_of)
}

/// The charge records of an interval, withdrawn ones too.
pub fn scrs_of_interval(connection: &mut Connection, device: DeviceId, start: Timestamp) -> Result<Vec<Scr>> {
    connection.query(
        concat!(scr_select!(), " WHERE c.device_id = $1 AND c.start_at = $2"),
        &[device.0.into(), start.into()],
        scr_of,
    )
}

/// The standing charge records that ended by `until` and of which something is left.
pub fn open_scrs(connection: &mut Connection, device: DeviceId, until: Timestamp) -> Result<Vec<Scr>> {
    connection.query(
        concat!(
            scr_select!(),
            " WHERE c.device_id = $1 AND c.start_at < $2 AND NOT c.is_withdrawn \
             AND c.drawn_backed_wh + c.drawn_unbacked_wh < c.energy_wh AND c.end_at <= $2"
        ),
        &[device.0.into(), until.into()],
        scr_of,
    )
}

/// A standing charge record that ended by `until`, if there is one.
pub fn any_scr(connection: &mut Connection, device: DeviceId, until: Timestamp) -> Result<Option<Scr>> {
    connection.query_optional(
        concat!(
            scr_select!(),
            " WHERE c.device_id = $1 AND c.start_at < $2 AND NOT c.is_withdrawn AND c.end_at <= $2 \
             ORDER BY c.start_at, c.id LIMIT 1"
        ),
        &[device.0.into(), until.into()],
        scr_of,
    )
}

/// The standing charge records on these bundles.
pub fn scrs_on(connection: &mut Connection, bundles: &[i64]) -> Result<Vec<Scr>> {
    connection.query(
        concat!(scr_select!(), " WHERE c.bundle_id IN rarray($1) AND c.bundle_id IS NOT NULL AND NOT c.is_withdrawn"),
        &[bundles.into()],
        scr_of,
    )
}

pub fn sdrs_by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Sdr>> {
    connection.query(concat!(sdr_select!(), " WHERE s.id IN rarray($1)"), &[ids.into()], sdr_of)
}

/// The discharge records of an interval, withdrawn ones too.
pub fn sdrs_of_interval(connection: &mut Connection, device: DeviceId, start: Timestamp) -> Result<Vec<Sdr>> {
    connection.query(
        concat!(sdr_select!(), " WHERE s.device_id = $1 AND s.start_at = $2"),
        &[device.0.into(), start.into()],
        sdr_of,
    )
}

/// A device's first discharge record, withdrawn or not, and its last standing one.
pub fn first_and_last_sdr(connection: &mut Connection, device: DeviceId) -> Result<(Option<Sdr>, Option<Sdr>)> {
    let first = connection.query_optional(
        concat!(sdr_select!(), " WHERE s.device_id = $1 ORDER BY s.id LIMIT 1"),
        &[device.0.into()],
        sdr_of,
    )?;
    let last = connection.query_optional(
        concat!(sdr_select!(), " WHERE s.device_id = $1 AND NOT s.is_withdrawn ORDER BY s.id DESC LIMIT 1"),
        &[device.0.into()],
        sdr_of,
    )?;
    Ok((first, last))
}

pub fn draws_by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Draw>> {
    connection.query(concat!(draw_select!(), " WHERE d.id IN rarray($1)"), &[ids.into()], draw_of)
}

/// What these discharges draw, in the order of ids.
pub fn draws_of(connection: &mut Connection, sdrs: &[i64]) -> Result<Vec<Draw>> {
    connection.query(concat!(draw_select!(), " WHERE d.sdr_id IN rarray($1) ORDER BY d.id"), &[sdrs.into()], draw_of)
}

/// What these discharges draw, one discharge after another, at most `limit` draws.
pub fn some_draws_of(connection: &mut Connection, sdrs: &[i64], limit: i64) -> Result<Vec<Draw>> {
    connection.query(
        concat!(draw_select!(), " WHERE d.sdr_id IN rarray($1) ORDER BY d.sdr_id, d.id LIMIT $2"),
        &[sdrs.into(), limit.into()],
        draw_of,
    )
}

/// Which standing discharges draw on these charges, one charge after another, at most `limit` pairs.
pub fn some_drawing_on(connection: &mut Connection, scrs: &[i64], limit: i64) -> Result<Vec<(ScrId, SdrId)>> {
    connection.query(
        "SELECT d.scr_id, d.sdr_id FROM storage_draw d JOIN sdr s ON s.id = d.sdr_id \
         WHERE d.scr_id IN rarray($1) AND NOT s.is_withdrawn ORDER BY d.scr_id, d.id LIMIT $2",
        &[scrs.into(), limit.into()],
        |row| Ok((ScrId(row.get(0)?), SdrId(row.get(1)?))),
    )
}

/// The live certificates of each of these draws.
pub fn live_of(connection: &mut Connection, draws: &[i64]) -> Result<Vec<(DrawId, WattHours)>> {
    connection.query(
        "SELECT b.draw_id, CAST(SUM(b.range_last - b.range_first + 1) AS BIGINT) FROM bundle b \
         WHERE b.draw_id IN rarray($1) AND b.draw_id IS NOT NULL AND b.status NOT IN ($2, $3) GROUP BY b.draw_id",
        &[draws.into(), BundleStatus::Withdrawn.code().into(), BundleStatus::Split.code().into()],
        |row| Ok((DrawId(row.get(0)?), energy(row, 1)?)),
    )
}

/// Which of these charge records are of devices of these accounts.
pub fn scrs_of_accounts(connection: &mut Connection, ids: &[i64], accounts: &[i64]) -> Result<Vec<i64>> {
    connection.query(
        "SELECT c.id FROM scr c JOIN device v ON v.id = c.device_id WHERE c.id IN rarray($1) AND v.account_id IN rarray($2)",
        &[ids.into(), accounts.into()],
        |row| row.get(0),
    )
}

/// Which of these discharge records are of devices of these accounts.
pub fn sdrs_of_accounts(connection: &mut Connection, ids: &[i64], accounts: &[i64]) -> Result<Vec<i64>> {
    connection.query(
        "SELECT s.id FROM sdr s JOIN device v ON v.id = s.device_id WHERE s.id IN rarray($1) AND v.account_id IN rarray($2)",
        &[ids.into(), accounts.into()],
        |row| row.get(0),
    )
}

/// Which of these draws are of devices of these accounts.
pub fn draws_of_accounts(connection: &mut Connection, ids: &[i64], accounts: &[i64]) -> Result<Vec<i64>> {
    connection.query(
        "SELECT d.id FROM storage_draw d JOIN sdr s ON s.id = d.sdr_id JOIN device v ON v.id = s.device_id \
         WHERE d.id IN rarray($1) AND v.account_id IN rarray($2)",
        &[ids.into(), accounts.into()],
        |row| row.get(0),
    )
}

/// On which of these bundles a standing charge record is.
pub fn allocated(connection: &mut Connection, bundles: &[i64]) -> Result<Vec<(BundleId, ScrId)>> {
    connection.query(
        "SELECT c.bundle_id, c.id FROM scr c \
         WHERE c.bundle_id IN rarray($1) AND c.bundle_id IS NOT NULL AND NOT c.is_withdrawn",
        &[bundles.into()],
        |row| Ok((BundleId(row.get(0)?), ScrId(row.get(1)?))),
    )
}

/// The starts in `from..to` of intervals of these devices on which a standing record is.
pub fn recorded(
    connection: &mut Connection,
    devices: &[i64],
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(DeviceId, Timestamp)>> {
    connection.query(
        "SELECT c.device_id, c.start_at FROM scr c \
         WHERE c.device_id IN rarray($1) AND c.start_at >= $2 AND c.start_at < $3 AND NOT c.is_withdrawn \
         UNION SELECT s.device_id, s.start_at FROM sdr s \
         WHERE s.device_id IN rarray($1) AND s.start_at >= $2 AND s.start_at < $3 AND NOT s.is_withdrawn",
        &[devices.into(), from.into(), to.into()],
        |row| Ok((DeviceId(row.get(0)?), row.get(1)?)),
    )
}

/// What standing records make of the readings of a device that start in `from..to`, by start.
pub fn records(
    connection: &mut Connection,
    device: DeviceId,
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeMap<Timestamp, StorageRecords>> {
    let mut found: BTreeMap<Timestamp, StorageRecords> = BTreeMap::new();
    connection.query_each(
        "SELECT c.start_at, c.energy_wh, 0 FROM scr c \
         WHERE c.device_id = $1 AND c.start_at >= $2 AND c.start_at < $3 AND NOT c.is_withdrawn \
         UNION ALL SELECT s.start_at, s.energy_wh, \
         CAST(COALESCE((SELECT SUM(d.certificates) FROM storage_draw d WHERE d.sdr_id = s.id), 0) AS BIGINT) FROM sdr s \
         WHERE s.device_id = $1 AND s.start_at >= $2 AND s.start_at < $3 AND NOT s.is_withdrawn",
        &[device.0.into(), from.into(), to.into()],
        |row| -> Result<()> {
            let records = found.entry(row.get(0)?).or_default();
            records.recorded = [records.recorded, energy(row, 1)?].into_iter().sum();
            records.certificates = [records.certificates, energy(row, 2)?].into_iter().sum();
            Ok(())
        },
    )?;
    Ok(found)
}

/// The first standing discharge record of a device that gave certificates which are not all live.
pub fn unissued(connection: &mut Connection, device: DeviceId) -> Result<Option<SdrId>> {
    connection.query_optional(
        "SELECT s.id FROM sdr s JOIN storage_draw d ON d.sdr_id = s.id WHERE s.device_id = $1 AND NOT s.is_withdrawn \
         AND d.certificates > (SELECT COALESCE(SUM(b.range_last - b.range_first + 1), 0) FROM bundle b \
         WHERE b.draw_id = d.id AND b.draw_id IS NOT NULL AND b.status NOT IN ($2, $3)) ORDER BY s.id LIMIT 1",
        &[device.0.into(), BundleStatus::Withdrawn.code().into(), BundleStatus::Split.code().into()],
        |row| Ok(SdrId(row.get(0)?)),
    )
}

/// What a device took in and gave out over an interval: its current readings that lie within it, estimates apart. Summed up
/// here: a sum of what readings may say does not fit a column.
pub fn measured(connection: &mut Connection, device: DeviceId, interval: Interval) -> Result<(u128, u128)> {
    let (mut input, mut output) = (0_u128, 0_u128);
    connection.query_each(
        "SELECT m.energy_wh FROM measurement m WHERE m.device_id = $1 AND m.start_at >= $2 AND m.start_at < $3 \
         AND m.end_at <= $3 AND m.quality <> $4 AND m.superseded_by IS NULL",
        &[device.0.into(), interval.start().into(), interval.end().into(), Quality::Estimated.code().into()],
        |row| -> Result<()> {
            let energy: i64 = row.get(0)?;
            let sum = if energy < 0 { &mut input } else { &mut output };
            *sum += u128::from(energy.unsigned_abs());
            Ok(())
        },
    )?;
    Ok((input, output))
}

/// What of these snapshots counts for storage.
pub fn snapshots(connection: &mut Connection, ids: &[i64]) -> Result<Vec<(AttributesId, Snapshot)>> {
    connection.query(
        "SELECT a.id, a.metadata_id, a.energy_source, a.hash FROM certificate_attributes a WHERE a.id IN rarray($1)",
        &[ids.into()],
        |row| {
            let (metadata_id, hash) = (MetadataId(row.get(1)?), row.get(3)?);
            let energy_source = coded(row, 2, EnergySource::from_code)?;
            Ok((AttributesId(row.get(0)?), Snapshot { metadata_id, energy_source, hash }))
        },
    )
}

pub(crate) fn insert_scr(tx: &mut Connection, scr: &Scr) -> Result<()> {
    tx.execute(
        "INSERT INTO scr (id, device_id, start_at, end_at, energy_wh, bundle_id, backed_wh, matching_method, created_at, \
         is_withdrawn, drawn_backed_wh, drawn_unbacked_wh) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &[
            scr.id.0.into(),
            scr.device_id.0.into(),
            scr.interval.start().into(),
            scr.interval.end().into(),
            kept(scr.energy.0).into(),
            scr.backing.map(|backing| backing.bundle_id.0).into(),
            scr.backing.map(|backing| kept(backing.energy.0)).into(),
            scr.matching_method.as_deref().into(),
            scr.created_at.into(),
            scr.is_withdrawn.into(),
            kept(scr.drawn.backed.0).into(),
            kept(scr.drawn.unbacked.0).into(),
        ],
    )?;
    Ok(())
}

pub(crate) fn withdraw_scr(tx: &mut Connection, id: ScrId) -> Result<()> {
    tx.execute("UPDATE scr SET is_withdrawn = $2 WHERE id = $1", &[id.0.into(), true.into()])?;
    Ok(())
}

pub(crate) fn insert_sdr(tx: &mut Connection, sdr: &Sdr) -> Result<()> {
    let efficiency = &sdr.efficiency;
    tx.execute(
        "INSERT INTO sdr (id, device_id, start_at, end_at, energy_wh, method, efficiency_start, efficiency_end, input_wh, \
         output_wh, charge_before_wh, charge_after_wh, created_at, is_withdrawn) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        &[
            sdr.id.0.into(),
            sdr.device_id.0.into(),
            sdr.interval.start().into(),
            sdr.interval.end().into(),
            kept(sdr.energy.0).into(),
            sdr.method.code().into(),
            efficiency.interval.start().into(),
            efficiency.interval.end().into(),
            kept(efficiency.input.0).into(),
            kept(efficiency.output.0).into(),
            kept(efficiency.charge_before.0).into(),
            kept(efficiency.charge_after.0).into(),
            sdr.created_at.into(),
            sdr.is_withdrawn.into(),
        ],
    )?;
    Ok(())
}

/// What it drew goes back to where it was drawn from.
pub(crate) fn withdraw_sdr(tx: &mut Connection, id: SdrId) -> Result<()> {
    tx.execute("UPDATE sdr SET is_withdrawn = $2 WHERE id = $1", &[id.0.into(), true.into()])?;
    tx.execute(
        "UPDATE scr SET drawn_backed_wh = scr.drawn_backed_wh - d.backed_wh, \
         drawn_unbacked_wh = scr.drawn_unbacked_wh - d.unbacked_wh \
         FROM storage_draw d WHERE d.sdr_id = $1 AND d.scr_id = scr.id",
        &[id.0.into()],
    )?;
    Ok(())
}

pub(crate) fn insert_draw(tx: &mut Connection, draw: &Draw) -> Result<()> {
    tx.execute(
        "INSERT INTO storage_draw (id, sdr_id, scr_id, backed_wh, unbacked_wh, certificates, attributes_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            draw.id.0.into(),
            draw.sdr_id.0.into(),
            draw.scr_id.0.into(),
            kept(draw.taken.backed.0).into(),
            kept(draw.taken.unbacked.0).into(),
            kept(draw.certificates.0).into(),
            draw.attributes_id.map(|id| id.0).into(),
        ],
    )?;
    tx.execute(
        "UPDATE scr SET drawn_backed_wh = drawn_backed_wh + $2, drawn_unbacked_wh = drawn_unbacked_wh + $3 WHERE id = $1",
        &[draw.scr_id.0.into(), kept(draw.taken.backed.0).into(), kept(draw.taken.unbacked.0).into()],
    )?;
    Ok(())
}
