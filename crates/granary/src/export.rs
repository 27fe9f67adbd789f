//! `granary export`: all bundles or all events, row by row, in flat memory, as one unchanging state of the database.
//!
//! It is for operators and knows no scope. A text cell of CSV that a spreadsheet would take for a formula begins with an
//! apostrophe.

mod write;

use crate::cli::{self, Exported};
use crate::clock;
use crate::console::{Progress, Unit};
use crate::failure::{Failure, Verdict};
use crate::registry;
use crate::settings::Settings;
use app::issuance_id;
use db::{Connection, Row};
use domain::event::{Entity, EventType};
use domain::{BundleStatus, DeviceId, EnergyCarrier, EnergySource};
use jiff::Timestamp;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use write::{Cell, Sheet};

/// Bytes that are written at a time.
const BUFFER_BYTES: usize = 128 * 1024;
/// How many rows pass before the progress is looked at.
const ROWS_PER_LOOK: u64 = 1_000;

const BUNDLE_COLUMNS: [&str; 20] = [
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

const EVENT_COLUMNS: [&str; 10] = [
    "number",
    "recorded_at",
    "action_id",
    "entity_name",
    "entity_id",
    "event_type",
    "attributes_before",
    "attributes_after",
    "salt",
    "leaf",
];

/// Why an export stopped.
#[derive(Debug)]
enum Stop {
    Database(db::Error),
    Output(io::Error),
}

impl From<db::Error> for Stop {
    fn from(error: db::Error) -> Self {
        Self::Database(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

pub(crate) fn run(settings: &Settings, arguments: &cli::Export) -> Result<Verdict, Failure> {
    let mut connection = registry::reader(settings)?;
    let mut write = |out: &mut dyn Write| {
        let mut sheet = match arguments.what {
            Exported::Bundles => Sheet::start(out, arguments.format, &BUNDLE_COLUMNS),
            Exported::Events => Sheet::start(out, arguments.format, &EVENT_COLUMNS),
        }?;
        connection.snapshot(|connection| match arguments.what {
            Exported::Bundles => bundles(connection, &mut sheet),
            Exported::Events => events(connection, &mut sheet),
        })?;
        sheet.finish()?;
        Ok(())
    };
    let to_file = arguments.out.as_deref();
    let written = match to_file {
        None => write(&mut BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock())),
        Some(path) => into_file(path, write),
    };
    match (written, to_file) {
        (Ok(()), _) => Ok(Verdict::Done),
        (Err(Stop::Database(error)), _) => Err(Failure::database(&settings.database)(error)),
        (Err(Stop::Output(error)), None) => Err(Failure::Output(error)),
        (Err(Stop::Output(error)), Some(path)) => Err(Failure::Io { what: path.display().to_string(), error }),
    }
}

/// Writes beside the file and puts it in place when it is complete, so that nobody takes a half for the whole.
fn into_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<(), Stop>) -> Result<(), Stop> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(&beside)?);
    let written = write(&mut file).and_then(|()| {
        file.flush()?;
        file.get_ref().sync_all()?;
        std::fs::rename(&beside, path)?;
        Ok(())
    });
    if written.is_err() {
        // What counts is why it was not written.
        let _: io::Result<()> = std::fs::remove_file(&beside);
    }
    written
}

/// What a bundle's snapshot says of it; one for all bundles of a device until the device changes.
struct Attributes {
    metadata_id: i64,
    carrier: EnergyCarrier,
    source: EnergySource,
}

fn attributes(connection: &mut Connection) -> db::Result<HashMap<i64, Attributes>> {
    let sql = "SELECT id, metadata_id, energy_carrier, energy_source FROM certificate_attributes";
    let found = connection.query(sql, &[], |row| {
        let carrier = coded(row, 2, EnergyCarrier::from_code)?;
        let source = coded(row, 3, EnergySource::from_code)?;
        Ok((row.get(0)?, Attributes { metadata_id: row.get(1)?, carrier, source }))
    })?;
    Ok(found.into_iter().collect())
}

/// The value that the code in a column stands for.
fn coded<T>(row: &Row<'_>, column: usize, of_code: impl Fn(i64) -> Option<T>) -> db::Result<T> {
    of_code(row.get(column)?).ok_or_else(|| db::Error::column(column, "a code that nothing has"))
}

/// How many rows a table has.
fn count(connection: &mut Connection, sql: &str) -> db::Result<u64> {
    connection.query_one(sql, &[], |row| row.get(0))
}

fn bundles(connection: &mut Connection, sheet: &mut Sheet<'_>) -> Result<(), Stop> {
    let attributes = attributes(connection)?;
    let total = count(connection, "SELECT next_bundle - 1 FROM ledger_head WHERE id = 1")?;
    let mut progress = Counter::start("bundles", total);
    let now = clock::now();
    let sql = "SELECT id, hash, status, account_id, device_id, attributes_id, range_first, range_last, \
        production_start, production_end, issued_at, expires_at, parent_id, beneficiary, beneficiary_account_id, \
        purpose FROM bundle ORDER BY id";
    connection.query_each(sql, &[], |row| {
        let id: i64 = row.get(5)?;
        let attributes = attributes.get(&id).ok_or_else(|| db::Error::column(5, "no known certificate_attributes"))?;
        let (device, start): (i64, Timestamp) = (row.get(4)?, row.get(8)?);
        let (first, last, expires_at): (i64, i64, Timestamp) = (row.get(6)?, row.get(7)?, row.get(11)?);
        let mut status = coded(row, 2, BundleStatus::from_code)?;
        // As every decision sees it, whether or not anything has said so yet.
        if matches!(status, BundleStatus::Active | BundleStatus::Locked) && expires_at <= now {
            status = BundleStatus::Expired;
        }
        let issuance = issuance_id(DeviceId(device), attributes.carrier, start);
        sheet.row(&[
            Cell::Number(row.get(0)?),
            Cell::Word(&issuance),
            Cell::Bytes(Some(row.get(1)?)),
            Cell::Word(status.name()),
            Cell::Number(row.get(3)?),
            Cell::Number(device),
            Cell::Number(attributes.metadata_id),
            Cell::Number(first),
            Cell::Number(last),
            Cell::Number(last - first + 1),
            Cell::Word(attributes.carrier.name()),
            Cell::Word(attributes.source.name()),
            Cell::Instant(start),
            Cell::Instant(row.get(9)?),
            Cell::Instant(row.get(10)?),
            Cell::Instant(expires_at),
            Cell::optional_number(row.get(12)?),
            Cell::optional_text(row.get(13)?),
            Cell::optional_number(row.get(14)?),
            Cell::optional_text(row.get(15)?),
        ])?;
        progress.one();
        Ok(())
    })
}

fn events(connection: &mut Connection, sheet: &mut Sheet<'_>) -> Result<(), Stop> {
    let total = count(connection, "SELECT event_number FROM ledger_head WHERE id = 1")?;
    let mut progress = Counter::start("events", total);
    let sql = "SELECT number, recorded_at, action_id, entity, entity_id, event_type, attributes_before, \
        attributes_after, salt, leaf FROM event ORDER BY number";
    connection.query_each(sql, &[], |row| {
        sheet.row(&[
            Cell::Number(row.get(0)?),
            Cell::Instant(row.get(1)?),
            Cell::Number(row.get(2)?),
            Cell::Word(coded(row, 3, Entity::from_code)?.name()),
            Cell::Number(row.get(4)?),
            Cell::Word(coded(row, 5, EventType::from_code)?.name()),
            Cell::Bytes(row.get(6)?),
            Cell::Bytes(row.get(7)?),
            Cell::Bytes(Some(row.get(8)?)),
            Cell::Bytes(Some(row.get(9)?)),
        ])?;
        progress.one();
        Ok(())
    })
}

/// Counts rows and shows them now and then.
struct Counter {
    bar: Progress,
    done: u64,
    total: u64,
}

impl Counter {
    fn start(what: &'static str, total: u64) -> Self {
        Self { bar: Progress::start(format!("exporting {what}"), total, Unit::Things(what)), done: 0, total }
    }

    fn one(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(ROWS_PER_LOOK) {
            self.bar.at(self.done, self.total);
        }
    }
}
