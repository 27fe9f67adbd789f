//! Storage records as they are looked for, and what they come to for one device.

use super::{energy, scr_of, scr_select, sdr_of, sdr_select};
use db::{Connection, Result, Select};
use domain::{AccountId, BundleStatus, DeviceId, DrawId, Scr, Sdr, UserId, WattHours};
use jiff::Timestamp;

/// Which charge records to find. An absent filter filters nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChargeFilter {
    pub member: Option<UserId>,
    pub account: Option<AccountId>,
    pub device: Option<DeviceId>,
    /// Only the one with this id.
    pub record: Option<i64>,
    /// The charge starts from (included) to (excluded).
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub with_withdrawn: bool,
}

/// Which discharge records to find, by the same filters.
pub type DischargeFilter = ChargeFilter;

macro_rules! conditions {
    ($select:expr, $filter:expr, $of:literal) => {{
        let select = $select
            .and(concat!($of, ".id = ?"), $filter.record)
            .and(concat!($of, ".device_id = ?"), $filter.device.map(|id| id.0))
            .and(
                concat!($of, ".device_id IN (SELECT v.id FROM device v WHERE v.account_id = ?)"),
                $filter.account.map(|id| id.0),
            )
            .and(
                concat!(
                    $of,
                    ".device_id IN (SELECT v.id FROM device v JOIN account_user m ON m.account_id = v.account_id \
                     WHERE m.user_id = ?)"
                ),
                $filter.member.map(|user| user.0),
            )
            .and(concat!($of, ".start_at >= ?"), $filter.from)
            .and(concat!($of, ".start_at < ?"), $filter.to);
        if $filter.with_withdrawn { select } else { select.and_raw(concat!("NOT ", $of, ".is_withdrawn")) }
    }};
}

/// Up to `limit` charge records behind an id, in the order of ids.
pub fn charges(connection: &mut Connection, filter: &ChargeFilter, after: Option<i64>, limit: i64) -> Result<Vec<Scr>> {
    let select = conditions!(Select::new(scr_select!()), filter, "c");
    let select = select.and("c.id > ?", after).tail("ORDER BY c.id LIMIT ?", limit);
    connection.select(&select, scr_of)
}

/// Up to `limit` discharge records behind an id, in the order of ids.
pub fn discharges(
    connection: &mut Connection,
    filter: &DischargeFilter,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Sdr>> {
    let select = conditions!(Select::new(sdr_select!()), filter, "s");
    let select = select.and("s.id > ?", after).tail("ORDER BY s.id LIMIT ?", limit);
    connection.select(&select, sdr_of)
}

/// What the standing records of a device come to, in Wh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceSums {
    pub charges: u64,
    pub discharges: u64,
    pub charged: WattHours,
    /// Of what was charged, what certificates back.
    pub backed: WattHours,
    pub discharged: WattHours,
    /// Drawn, gross: of certificates, and of no certificate's origin.
    pub drawn_backed: WattHours,
    pub drawn_unbacked: WattHours,
    /// Certificates that the draws give, and those of them that are live.
    pub certificates: WattHours,
    pub issued: WattHours,
}

pub fn sums_of_device(connection: &mut Connection, device: DeviceId) -> Result<DeviceSums> {
    let charged = connection.query_one(
        "SELECT COUNT(*), CAST(COALESCE(SUM(c.energy_wh), 0) AS BIGINT), CAST(COALESCE(SUM(c.backed_wh), 0) AS BIGINT), \
         CAST(COALESCE(SUM(c.drawn_backed_wh), 0) AS BIGINT), CAST(COALESCE(SUM(c.drawn_unbacked_wh), 0) AS BIGINT) \
         FROM scr c WHERE c.device_id = $1 AND NOT c.is_withdrawn",
        &[device.0.into()],
        |row| {
            Ok(DeviceSums {
                charges: crate::code::count(row, 0)?,
                charged: energy(row, 1)?,
                backed: energy(row, 2)?,
                drawn_backed: energy(row, 3)?,
                drawn_unbacked: energy(row, 4)?,
                ..DeviceSums::default()
            })
        },
    )?;
    let (count, discharged) = connection.query_one(
        "SELECT COUNT(*), CAST(COALESCE(SUM(s.energy_wh), 0) AS BIGINT) FROM sdr s \
         WHERE s.device_id = $1 AND NOT s.is_withdrawn",
        &[device.0.into()],
        |row| Ok((crate::code::count(row, 0)?, energy(row, 1)?)),
    )?;
    let certificates = connection.query_one(
        "SELECT CAST(COALESCE(SUM(d.certificates), 0) AS BIGINT) FROM sdr s JOIN storage_draw d ON d.sdr_id = s.id \
         WHERE s.device_id = $1 AND NOT s.is_withdrawn",
        &[device.0.into()],
        |row| energy(row, 0),
    )?;
    let issued = connection.query_one(
        "SELECT CAST(COALESCE(SUM(b.range_last - b.range_first + 1), 0) AS BIGINT) FROM bundle b \
         WHERE b.device_id = $1 AND b.draw_id IS NOT NULL AND b.status NOT IN ($2, $3)",
        &[device.0.into(), BundleStatus::Withdrawn.code().into(), BundleStatus::Split.code().into()],
        |row| energy(row, 0),
    )?;
    Ok(DeviceSums { discharges: count, discharged, certificates, issued, ..charged })
}

/// The bundles that were issued on these draws, those split from them too, in the order of ids.
pub fn issued_of(connection: &mut Connection, draws: &[DrawId]) -> Result<Vec<domain::Bundle>> {
    let draws: Vec<i64> = draws.iter().map(|id| id.0).collect();
    crate::bundle::of_draws(connection, &draws)
}
