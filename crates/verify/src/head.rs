//! The ledger's head: where the log ends and which ids come next.

use crate::report::{Audit, FindingKind, Noun};
use crate::rows::number;
use db::{Connection, Result};

#[derive(Default)]
pub(crate) struct Head {
    pub(crate) event_number: i64,
    pub(crate) recorded_at: i64,
    pub(crate) leaf: [u8; 32],
    pub(crate) peaks: Vec<u8>,
    pub(crate) next_user: i64,
    pub(crate) next_organisation: i64,
    pub(crate) next_account: i64,
    pub(crate) next_device: i64,
    pub(crate) next_measurement: i64,
    pub(crate) next_metadata: i64,
    pub(crate) next_attributes: i64,
    pub(crate) next_bundle: i64,
    pub(crate) next_action: i64,
    pub(crate) next_recurring_order: i64,
    pub(crate) next_scr: i64,
    pub(crate) next_sdr: i64,
    pub(crate) next_draw: i64,
}

pub(crate) fn read(connection: &mut Connection, audit: &mut Audit<'_>) -> Result<Head> {
    let head = connection.query_optional(
        "SELECT event_number, leaf, peaks, next_user, next_organisation, next_account, next_device, next_measurement, \
         next_metadata, next_attributes, next_bundle, next_action, recorded_at, \
         next_recurring_order, next_scr, next_sdr, next_draw FROM ledger_head WHERE id = 1",
        &[],
        |row| {
            Ok(Head {
                event_number: number(row, 0)?,
                leaf: row.get(1)?,
                peaks: row.get(2)?,
                next_user: number(row, 3)?,
                next_organisation: number(row, 4)?,
                next_account: number(row, 5)?,
                next_device: number(row, 6)?,
                next_measurement: number(row, 7)?,
                next_metadata: number(row, 8)?,
                next_attributes: number(row, 9)?,
                next_bundle: number(row, 10)?,
                next_action: number(row, 11)?,
                recorded_at: number(row, 12)?,
                next_recurring_order: number(row, 13)?,
                next_scr: number(row, 14)?,
                next_sdr: number(row, 15)?,
                next_draw: number(row, 16)?,
            })
        },
    )?;
    if head.is_none() {
        audit.find(FindingKind::HeadDiffers, Noun::Head, 1, None, || "the ledger has no head".to_owned());
    }
    Ok(head.unwrap_or_default())
}

/// Whether the id that comes next follows the highest one there is.
pub(crate) fn check_next(audit: &mut Audit<'_>, field: &'static str, found: i64, highest: i64) {
    if found != highest + 1 {
        audit.find(FindingKind::HeadDiffers, Noun::Head, 1, None, || {
            format!(
                "{field} of the ledger's head is {found}; the highest id is {highest}, so it must be {}",
                highest + 1
            )
        });
    }
}
