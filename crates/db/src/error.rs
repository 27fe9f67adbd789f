//! What can go wrong between a statement and a database.
//!
//! Invariant: neither `Display` nor `Debug` of an error shows a parameter, the content of a row, or a password. Server
//! details (`Key (name)=(..) already exists`) are therefore left out, and there is no `source()` that would print them.
//! It does not say what to do about an error; the questions a caller may ask are the methods.

use crate::{migrate::MigrationError, url::UrlError};
use postgres::error::SqlState;
use std::{error::Error as StdError, fmt, path::PathBuf};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(thiserror::Error)]
pub enum Error {
    #[error("database address: {0}")]
    Url(UrlError),
    #[error("SQLite: {0}")]
    Sqlite(SqliteError),
    #[error("PostgreSQL: {}", postgres_message(.0))]
    Postgres(PostgresError),
    /// A column does not hold what was asked for; `found` says what kind of thing it holds, never the thing.
    #[error("column {column} holds {found}")]
    Column { column: usize, found: String },
    /// A parameter cannot be stored; `reason` says why and does not show it.
    #[error("parameter {parameter}: {reason}")]
    Value { parameter: usize, reason: String },
    #[error("the statement takes {expected} parameters and was given {given}")]
    Parameters { expected: usize, given: usize },
    #[error("no row where there must be one")]
    NoRow,
    /// COMMIT failed. See [`Error::is_outcome_unknown`].
    #[error("commit: {0}")]
    Commit(Box<Error>),
    /// The transaction was rolled back instead of committed, because a statement in it had failed and the caller went on.
    #[error("the transaction was rolled back: a statement in it had failed")]
    Aborted,
    /// No connection of a pool became free in time; `reason` says why none could be made, if that is why.
    #[error("no database connection became free in time{}", reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Pool { reason: Option<String> },
    #[error("TLS: {0}")]
    Tls(String),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("COPY: {0}")]
    Copy(std::io::Error),
    #[error("migration: {0}")]
    Migration(MigrationError),
    /// The engine has no such thing.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// SQLite's error, shown only through [`Error`].
pub struct SqliteError(pub(crate) rusqlite::Error);

/// PostgreSQL's error, shown only through [`Error`].
pub struct PostgresError(pub(crate) postgres::Error);

impl Error {
    /// For a reader of rows that meets a value it cannot take, such as a status no one knows. `found` is shown in logs.
    pub fn column(column: usize, found: impl Into<String>) -> Self {
        Error::Column { column, found: found.into() }
    }

    /// A UNIQUE or PRIMARY KEY constraint refused the row. SQLite reports no constraint name, so none can be asked for.
    pub fn is_taken(&self) -> bool {
        match self {
            Error::Sqlite(error) => matches!(
                error.extended_code(),
                Some(rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY | rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE)
            ),
            Error::Postgres(error) => error.0.code() == Some(&SqlState::UNIQUE_VIOLATION),
            Error::Commit(error) => error.is_taken(),
            _ => false,
        }
    }

    /// The connection is gone, or none could be made. Nothing is known about a statement that was under way.
    pub fn is_disconnected(&self) -> bool {
        match self {
            Error::Postgres(error) => error.is_disconnected(),
            Error::Commit(error) => error.is_disconnected(),
            Error::Pool { reason } => reason.is_some(),
            Error::Migration(error) => error.is_disconnected(),
            _ => false,
        }
    }

    /// Somebody else held a lock or all connections of a pool for too long, or the engine asks to try again.
    pub fn is_busy(&self) -> bool {
        match self {
            Error::Sqlite(error) => matches!(
                error.0.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
            ),
            Error::Postgres(error) => matches!(
                *error.0.code().unwrap_or(&SqlState::SUCCESSFUL_COMPLETION),
                SqlState::LOCK_NOT_AVAILABLE | SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED
            ),
            Error::Commit(error) => error.is_busy(),
            Error::Pool { reason } => reason.is_none(),
            _ => false,
        }
    }

    /// A read took longer than [`READ_TIMEOUT`](crate::READ_TIMEOUT) and was cancelled.
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Error::Postgres(error) if error.0.code() == Some(&SqlState::QUERY_CANCELED))
    }

    /// COMMIT was sent and no answer came back: the transaction may be in the database or not.
    /// Any other error means that it is not.
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Error::Commit(error) => match &**error {
                // SQLite refuses a COMMIT (busy, full) before it is durable; only a failed write or sync leaves a doubt.
                Error::Sqlite(error) => error.0.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure),
                Error::Postgres(error) => error.is_disconnected() || error.0.code().is_none(),
                _ => false,
            },
            _ => false,
        }
    }

    pub(crate) fn is_stale_plan(&self) -> bool {
        matches!(self, Error::Postgres(error) if error.0.as_db_error().is_some_and(|server|
            *server.code() == SqlState::FEATURE_NOT_SUPPORTED && server.message().contains("cached plan")))
    }
}

impl SqliteError {
    fn extended_code(&self) -> Option<i32> {
        self.0.sqlite_error().map(|error| error.extended_code)
    }
}

impl PostgresError {
    fn is_disconnected(&self) -> bool {
        let Some(code) = self.0.code() else {
            // A failed read, write or connect has the system's error as its cause.
            return self.0.is_closed() || StdError::source(&self.0).is_some_and(<dyn StdError>::is::<std::io::Error>);
        };
        code.code().starts_with("08")
            || matches!(
                *code,
                SqlState::ADMIN_SHUTDOWN
                    | SqlState::CRASH_SHUTDOWN
                    | SqlState::CANNOT_CONNECT_NOW
                    | SqlState::TOO_MANY_CONNECTIONS
                    | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            )
    }
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            // Its Display repeats the whole statement.
            rusqlite::Error::SqlInputError { msg, .. } => f.write_str(msg),
            error => error.fmt(f),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "db::Error({self})")
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::Sqlite(SqliteError(error))
    }
}

impl From<postgres::Error> for Error {
    fn from(error: postgres::Error) -> Self {
        Error::Postgres(PostgresError(error))
    }
}

impl From<UrlError> for Error {
    fn from(error: UrlError) -> Self {
        Error::Url(error)
    }
}

impl From<MigrationError> for Error {
    fn from(error: MigrationError) -> Self {
        Error::Migration(error)
    }
}

/// The server's own message and code; the driver's `Display` is only "db error".
fn postgres_message(error: &PostgresError) -> String {
    if let Some(server) = error.0.as_db_error() {
        let (code, message) = (server.code().code(), server.message());
        // Class 22 (data exceptions) quotes the offending text after a colon.
        let shown = if code.starts_with("22") { message.split(':').next().unwrap_or_default() } else { message };
        return format!("{shown} ({code})");
    }
    let mut text = error.0.to_string();
    let mut cause = StdError::source(&error.0);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
