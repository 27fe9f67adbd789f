//! `granary export`: all bundles or all events, row by row, in flat memory, as one unchanging state of the database.
//!
//! It is for operators and knows no scope. A text cell of CSV that a spreadsheet would take for a formula begins with an
//! apostrophe.

use crate::cli::{self, ExportFormat, Exported};
use crate::clock;
use crate::console::{Progress, Unit};
use crate::failure::{Failure, Verdict};
use crate::registry;
use crate::settings::Settings;
use app::{BundleExport, Cell, ExportError, Sheet, SheetFormat};
use db::{Connection, Row};
use domain::event::{Entity, EventType};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes that are written at a time.
const BUFFER_BYTES: usize = 128 * 1024;
/// How many rows pass before the progress is looked at.
const ROWS_PER_LOOK: u64 = 1_000;

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

impl From<ExportError> for Stop {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Database(error) => Self::Database(error),
            ExportError::Output(error) => Self::Output(error),
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

pub(crate) fn run(settings: &Settings, arguments: &cli::Export) -> Result<Verdict, Failure> {
    let mut connection = registry::reader(settings)?;
    let format = match arguments.format {
        ExportFormat::Csv => SheetFormat::Csv,
        ExportFormat::Ndjson => SheetFormat::Ndjson,
    };
    let mut write = |out: &mut dyn Write| match arguments.what {
        Exported::Bundles => bundles(&mut connection, format, out),
        Exported::Events => events(&mut connection, format, out),
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

/// The value that the code in a column stands for.
fn coded<T>(row: &Row<'_>, column: usize, of_code: impl Fn(i64) -> Option<T>) -> db::Result<T> {
    of_code(row.get(column)?).ok_or_else(|| db::Error::column(column, "a code that nothing has"))
}

/// How many rows a table has.
fn count(connection: &mut Connection, sql: &str) -> db::Result<u64> {
    connection.query_one(sql, &[], |row| row.get(0))
}

fn bundles(connection: &mut Connection, format: SheetFormat, out: &mut dyn Write) -> Result<(), Stop> {
    let total = count(connection, "SELECT next_bundle - 1 FROM ledger_head WHERE id = 1")?;
    let mut progress = Counter::start("bundles", total);
    let everything = BundleExport { with_split_parents: true, ..BundleExport::default() };
    app::write_bundles(connection, &everything, clock::now(), format, out, || progress.one())?;
    Ok(())
}

fn events(connection: &mut Connection, format: SheetFormat, out: &mut dyn Write) -> Result<(), Stop> {
    let mut sheet = Sheet::start(out, format, &EVENT_COLUMNS)?;
    let total = count(connection, "SELECT event_number FROM ledger_head WHERE id = 1")?;
    let mut progress = Counter::start("events", total);
    let sql = "SELECT number, recorded_at, action_id, entity, entity_id, event_type, attributes_before, \
        attributes_after, salt, leaf FROM event ORDER BY number";
    connection.snapshot(|connection| {
        connection.query_each(sql, &[], |row| -> Result<(), Stop> {
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
    })?;
    sheet.finish()?;
    Ok(())
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
