//! SQLite's side: opening a file, binding by name, reading a column.
//!
//! Invariant: a file is opened in WAL mode with `synchronous=FULL`, so what was committed survives a power cut; a reader's
//! connection cannot write. Checkpoints are never automatic: see [`Connection::checkpoint`](crate::Connection::checkpoint).

use crate::{Error, OpenMode, Result, STATEMENTS_MAX, Value};
use rusqlite::{
    CachedStatement, Connection, ErrorCode, OpenFlags,
    types::{ToSql, ToSqlOutput, ValueRef},
};
use std::{borrow::Cow, fs, io, os::unix::fs::DirBuilderExt as _, os::unix::fs::OpenOptionsExt as _, path::Path};
use std::{rc::Rc, time::Duration};

/// How long a statement waits for another writer (a second process, a checkpoint) before it fails as busy.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Page caches, in KiB. The writer's holds the index pages of a batch; a reader's pages are also in the system's cache.
const WRITER_CACHE_KIB: u32 = 128 * 1024;
const READER_CACHE_KIB: u32 = 16 * 1024;
/// What a log that was reset is cut down to, in bytes.
const LOG_BYTES_KEPT: u32 = 128 * 1024 * 1024;
/// How often and at what intervals a new file's switch to WAL mode is tried.
const WAL_ATTEMPTS: u32 = 200;
const WAL_PAUSE: Duration = Duration::from_millis(10);
/// The database may hold accounts' and users' names: nobody else on the machine reads it.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

pub(crate) fn open(path: &Path, mode: OpenMode) -> Result<Connection> {
    if mode == OpenMode::Writer {
        create(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    }
    // Readers too: in WAL mode a reader writes to the shared index. `query_only` keeps it from writing anything else.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    let cache = if mode == OpenMode::Writer { WRITER_CACHE_KIB } else { READER_CACHE_KIB };
    use_log(&connection)?;
    connection.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = {LOG_BYTES_KEPT}; PRAGMA cache_size = -{cache};"
    ))?;
    if mode != OpenMode::Writer {
        connection.pragma_update(None, "query_only", true)?;
    }
    rusqlite::vtab::array::load_module(&connection)?;
    Ok(connection)
}

/// The statement as SQLite knows it: one table function serves all types there, PostgreSQL has one for each. `$2` is a name
/// to SQLite, numbered as it appears, so that `SET a = $2 WHERE id = $1` bound by position would silently write the wrong
/// value to the wrong row, and looked for in a list as long as the statement has parameters; `?2` is the second parameter
/// wherever it stands.
pub(crate) fn dialect(sql: &str) -> Cow<'_, str> {
    let sql: Cow<'_, str> =
        if sql.contains("rarray_text(") { sql.replace("rarray_text(", "rarray(").into() } else { sql.into() };
    let mut parts = sql.split('$');
    let mut text = String::from(parts.next().unwrap_or_default());
    for part in parts {
        text.push(if part.starts_with(|first: char| first.is_ascii_digit()) { '?' } else { '$' });
        text.push_str(part);
    }
    if text == sql { sql } else { text.into() }
}

/// Binds `$1` and so on, in this order; a statement names as many as there are values.
pub(crate) fn bind(statement: &mut CachedStatement<'_>, values: &[Value<'_>]) -> Result<()> {
    let count = statement.parameter_count();
    if count != values.len() {
        return Err(Error::Parameters { expected: count, given: values.len() });
    }
    values.iter().zip(1..).try_for_each(|(value, place)| bind_at(statement, place, value))
}

pub(crate) fn bind_at(statement: &mut CachedStatement<'_>, index: usize, value: &Value<'_>) -> Result<()> {
    statement.raw_bind_parameter(index, value).map_err(|error| match error {
        rusqlite::Error::ToSqlConversionFailure(reason) => {
            Error::Value { parameter: index, reason: reason.to_string() }
        }
        error => error.into(),
    })
}

pub(crate) fn read<'r>(row: &'r rusqlite::Row<'r>, index: usize) -> Result<Value<'r>> {
    let Ok(found) = row.get_ref(index) else {
        return Err(Error::column(index, "nothing: the row is not that wide"));
    };
    Ok(match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Text(text) => {
            Value::Text(std::str::from_utf8(text).map_err(|_| Error::column(index, "text that is not UTF-8"))?)
        }
        ValueRef::Blob(bytes) => Value::Bytes(bytes),
        ValueRef::Real(_) => return Err(Error::column(index, "a floating-point number")),
    })
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let set = |values: Vec<rusqlite::types::Value>| Ok(ToSqlOutput::from_rc(Rc::new(values), c"rarray"));
        Ok(ToSqlOutput::Borrowed(match *self {
            Value::Null => ValueRef::Null,
            Value::Bool(value) => ValueRef::Integer(value.into()),
            Value::Int(value) => ValueRef::Integer(value),
            Value::Instant(value) => ValueRef::Integer(value.as_microsecond()),
            Value::Text(value) | Value::Json(value) => ValueRef::Text(storable(value)?.as_bytes()),
            Value::Bytes(value) => ValueRef::Blob(value),
            Value::Ids(ids) => return set(ids.iter().map(|id| (*id).into()).collect()),
            Value::Texts(texts) => return set(texts.iter().map(|text| text.clone().into()).collect()),
        }))
    }
}

fn storable(text: &str) -> rusqlite::Result<&str> {
    Value::storable(text).map_err(|reason| rusqlite::Error::ToSqlConversionFailure(reason.into()))
}

/// Makes the directory and the file if they are missing, readable by this user only.
///
/// A file that is there is not touched: closing any descriptor of it would drop the locks that other connections of this
/// process hold on it, for so POSIX wants it.
fn create(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Puts a new file into WAL mode. Of several programs that do so together all but one are told at once that it is locked,
/// without waiting (SQLite sees a deadlock coming), and find it done a moment later.
fn use_log(connection: &Connection) -> Result<()> {
    for attempt in 1.. {
        match connection.execute_batch("PRAGMA journal_mode = WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && attempt < WAL_ATTEMPTS => {
                std::thread::sleep(WAL_PAUSE);
            }
            done => return Ok(done?),
        }
    }
    Ok(())
}
