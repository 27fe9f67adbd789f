//! How far the sweep of expired bundles has come, and what it has before it.
//!
//! When a bundle expires follows from when it was produced and from the lifetime, in calendar years, that bundles had when
//! it was issued. So the sweep walks along the index of devices and production that is there anyway, with a mark for each
//! lifetime ever in use, and no index over the expiry has to be kept at each issue.
//!
//! Invariant: no bundle of a lifetime is Active or Locked whose time came at or before the mark of that lifetime. What is
//! issued later is born Expired if its time had come by then, as the ledger's time never runs backwards; for that a mark
//! is never later than the ledger's time.

use crate::code::count;
use db::{Connection, Error, Result};
use domain::{BundleId, BundleStatus};
use jiff::Timestamp;

/// The mark of one lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Calendar years from the end of production to expiry.
    pub years: u8,
    pub swept_until: Timestamp,
}

/// The marks of all lifetimes, the shortest first.
pub fn marks(connection: &mut Connection) -> Result<Vec<Mark>> {
    connection.query("SELECT m.years, m.swept_until FROM expiry_mark m ORDER BY m.years", &[], |row| {
        let years = u8::try_from(count(row, 0)?).map_err(|_| Error::column(0, "a lifetime that is too long"))?;
        Ok(Mark { years, swept_until: row.get(1)? })
    })
}

/// Has a mark for a lifetime from now on, before anything is issued with it. There is nothing to sweep yet, so it begins
/// at the ledger's time.
pub fn begin(connection: &mut Connection, years: u8) -> Result<()> {
    if marks(connection)?.iter().any(|mark| mark.years == years) {
        return Ok(());
    }
    connection.execute(
        "INSERT INTO expiry_mark (years, swept_until) SELECT $1, h.recorded_at FROM ledger_head h WHERE h.id = 1 \
         ON CONFLICT (years) DO NOTHING",
        &[i64::from(years).into()],
    )?;
    Ok(())
}

/// Moves a mark on, never back.
pub fn advance(tx: &mut Connection, mark: Mark) -> Result<()> {
    tx.execute(
        "UPDATE expiry_mark SET swept_until = $2 WHERE years = $1 AND swept_until < $2",
        &[i64::from(mark.years).into(), mark.swept_until.into()],
    )?;
    Ok(())
}

/// Up to `limit` bundles of these devices, produced from `from` (included) to `to` (excluded), that are Active or Locked
/// although their time had come at `now`. In no order.
pub fn due(
    connection: &mut Connection,
    devices: &[i64],
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
    limit: i64,
) -> Result<Vec<BundleId>> {
    connection.query(
        "SELECT b.id FROM bundle b WHERE b.device_id IN rarray($1) AND b.production_start >= $2 \
         AND b.production_start < $3 AND b.status IN ($4, $5) AND b.expires_at <= $6 LIMIT $7",
        &[
            devices.into(),
            from.into(),
            to.into(),
            BundleStatus::Active.code().into(),
            BundleStatus::Locked.code().into(),
            now.into(),
            limit.into(),
        ],
        |row| Ok(BundleId(row.get(0)?)),
    )
}
