//! Bundles of any number as CSV or NDJSON, in flat memory, as one unchanging state of the database.
//!
//! Invariant: an export is whole or it fails; what was written of one that failed is never followed by the end of a table.

use crate::register::may_read;
use crate::sheet::{Cell, Sheet, SheetFormat};
use crate::{Caller, Error, Issuance, Registry, issuance_id};
use domain::{AccountId, BundleStatus, Capability, DeviceId, EnergySource, EventNumber, Refusal};
use jiff::Timestamp;
use std::io::{self, Write};
use store::Connection;
use store::bundle::{BundleFilter, Listed};

const COLUMNS: [&str; 20] = [
    "id",
    "issuance_id",
    "hash",
    "certificate_bundle_status",
    "account_id",
    "device_id",
    "metadata_id",
    "certificate_bundle_id_range_start",
    "certificate_bundle_id_range_end",
    "bundle_quantity",
    "energy_carrier",
    "energy_source",
    "production_starting_interval",
    "production_ending_interval",
    "issuance_datestamp",
    "expiry_datestamp",
    "parent_id",
    "beneficiary",
    "beneficiary_account_id",
    "purpose",
];

/// Which bundles to write. Split parents are left out, but for an operator's export of everything.
#[derive(Clone, Debug, Default)]
pub struct BundleExport {
    /// `None`: of all accounts.
    pub account: Option<AccountId>,
    pub device: Option<DeviceId>,
    /// Any of these; empty: whatever source.
    pub energy_sources: Vec<EnergySource>,
    /// Production wholly inside: from (included) to (excluded). Of any length.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub status: Option<BundleStatus>,
    /// Of this device and start of production, as an issuance id names them.
    pub issuance: Option<Issuance>,
    pub with_split_parents: bool,
}

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Database(#[from] store::Error),
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl Registry {
    /// Says whether the caller may export this.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that the caller may not read, [`Error::Refused`] for all accounts by somebody who
    /// may not read everything. Blocks.
    pub fn may_export(&self, caller: &Caller, export: &BundleExport, fresh: Option<EventNumber>) -> Result<(), Error> {
        let Some(account) = export.account else {
            if caller.may(Capability::ReadEverything) {
                return Ok(());
            }
            let needs = "source_id, the account to export, or a role that may read everything".to_owned();
            return Err(Refusal::Forbidden { needs }.into());
        };
        let is_readable = self.read(fresh, |connection| {
            let is_known = store::account::by_id(connection, account)?.is_some();
            Ok(is_known && may_read(connection, caller, account)?)
        })?;
        if is_readable { Ok(()) } else { Err(Error::NotFound { what: "Account", id: account.0 }) }
    }

    /// Writes the bundles of `export` to `out`, in the order of (production start, id). For who passed
    /// [`may_export`](Self::may_export). Blocks for as long as `out` does, on a connection of its own.
    ///
    /// # Errors
    /// [`ExportError`]; then the table is not whole.
    pub fn export(
        &self,
        export: &BundleExport,
        format: SheetFormat,
        out: &mut dyn Write,
        fresh: Option<EventNumber>,
    ) -> Result<(), ExportError> {
        let mut connection = self.long_reader(fresh)?;
        write_bundles(&mut connection, export, self.now(), format, out, || ())
    }
}

/// Writes the bundles of `export` as one unchanging state of `connection`; `one` is called for each. `now` decides what
/// counts as expired. For operators, who know no scope.
///
/// # Errors
/// [`ExportError`]; then the table is not whole.
pub fn write_bundles(
    connection: &mut Connection,
    export: &BundleExport,
    now: Timestamp,
    format: SheetFormat,
    out: &mut dyn Write,
    mut one: impl FnMut(),
) -> Result<(), ExportError> {
    let filter = BundleFilter {
        account: export.account,
        device: export.device,
        energy_sources: export.energy_sources.clone(),
        period_start: export.from,
        period_end: export.to,
        status: export.status,
        issuances: export.issuance.map(|issuance| vec![issuance]),
        with_split_parents: export.with_split_parents,
        ..BundleFilter::default()
    };
    let mut sheet = Sheet::start(out, format, &COLUMNS)?;
    connection.snapshot(|connection| {
        store::bundle::each(connection, &filter, now, |listed| -> Result<(), ExportError> {
            row(&mut sheet, listed, now)?;
            one();
            Ok(())
        })
    })?;
    sheet.finish()?;
    Ok(())
}

fn row(sheet: &mut Sheet<'_>, listed: &Listed, now: Timestamp) -> Result<(), ExportError> {
    let bundle = &listed.bundle;
    let (device, carrier, start) = (bundle.device_id, listed.energy_carrier, bundle.production.start());
    let issuance = match listed.sdr_id {
        None => issuance_id(device, carrier, start),
        Some(sdr) => domain::bundle::storage_issuance_id(device, carrier, start, sdr),
    };
    let cancellation = bundle.cancellation.as_deref();
    let number = |n: u64| Cell::Number(i64::try_from(n).unwrap_or(i64::MAX));
    sheet.row(&[
        Cell::Number(bundle.id.0),
        Cell::Word(&issuance),
        Cell::Bytes(Some(&bundle.hash)),
        Cell::Word(bundle.status_at(now).name()),
        Cell::Number(bundle.account_id.0),
        Cell::Number(bundle.device_id.0),
        Cell::Number(listed.metadata_id.0),
        number(bundle.range.first()),
        number(bundle.range.last()),
        number(bundle.range.quantity().0),
        Cell::Word(listed.energy_carrier.name()),
        Cell::Word(listed.energy_source.name()),
        Cell::Instant(bundle.production.start()),
        Cell::Instant(bundle.production.end()),
        Cell::Instant(bundle.issued_at),
        Cell::Instant(bundle.expires_at),
        Cell::optional_number(bundle.parent_id.map(|id| id.0)),
        Cell::optional_text(cancellation.map(|c| c.beneficiary.as_str())),
        Cell::optional_number(cancellation.and_then(|c| c.beneficiary_account).map(|id| id.0)),
        Cell::optional_text(cancellation.and_then(|c| c.purpose.as_deref())),
    ])?;
    Ok(())
}
