//! Brings a database to the schema of this program, with refinery's bookkeeping over our own [`Connection`].
//!
//! refinery's ready-made drivers are not used: they hold `rusqlite` at an older version, and they take no lock, so that of
//! several programs starting on one empty PostgreSQL most fail. Here the whole run is one transaction under one lock.
//!
//! Invariant: migrations are applied once, in order, all or none; one that was edited or removed after it was applied is an
//! error, and so is a database that is newer than the program. Nothing is ever undone, and there is no way down.

use crate::{Connection, Engine, Error, Result};
use jiff::Timestamp;
use refinery_core::{
    Runner,
    error::Kind,
    traits::sync::{Migrate, Query, Transaction},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const TABLE: &str = "schema_migration";
/// Any constant: programs that start together take turns. Held until the transaction ends. A migration may take long, and
/// the programs waiting for it should not give up.
const LOCK: &str = "SET LOCAL lock_timeout = '1h'; SELECT pg_advisory_xact_lock(5279041)";

/// One step of the schema, in the words of both engines. Never edited once released.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// From 1, ascending.
    pub version: i32,
    /// Letters, digits and `_`.
    pub name: &'static str,
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

/// A migration that is in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub version: i32,
    pub name: String,
    pub applied_at: Timestamp,
}

/// How far a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    pub applied: Vec<Applied>,
    /// Version and name of those of the program that are not in the database yet.
    pub pending: Vec<(i32, String)>,
}

#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error("V{version}__{name} was edited after it was applied; restore it and write a new migration")]
    Edited { version: i32, name: String },
    #[error("V{version}__{name} was applied to this database and is not in the program, or the other way round")]
    Missing { version: i32, name: String },
    #[error(
        "the database is at version {database}, newer than this program, which knows {program}; use a newer program"
    )]
    DatabaseNewer { database: i32, program: i32 },
    #[error("V{version}__{name} failed, and nothing was changed: {error}")]
    Failed { version: i32, name: String, error: Box<Error> },
    #[error("{0}")]
    Invalid(String),
}

impl MigrationError {
    pub(crate) fn is_disconnected(&self) -> bool {
        matches!(self, MigrationError::Failed { error, .. } if error.is_disconnected())
    }
}

impl Connection {
    /// Applies what is missing and returns the versions that were applied now. Programs that do so at the same time take
    /// turns, and the second finds nothing left to do.
    pub fn migrate(&mut self, migrations: &[Migration]) -> Result<Vec<i32>> {
        let ours = refined(migrations, self.engine())?;
        self.transaction(|tx| {
            if tx.engine() == Engine::Postgres {
                tx.batch(LOCK)?;
            }
            not_newer(tx, &ours)?;
            let mut runner = Runner::new(&ours);
            runner.set_migration_table_name(TABLE);
            let mut target = Target { connection: tx, failed: None };
            match runner.run(&mut target) {
                Ok(report) => Ok(report.applied_migrations().iter().map(refinery_core::Migration::version).collect()),
                Err(error) => Err(target.failed.map_or_else(|| told(&error), |failed| failed.told(&ours))),
            }
        })
    }

    /// What is applied and what is pending; changes nothing. Does not look for edited migrations.
    pub fn migration_status(&mut self, migrations: &[Migration]) -> Result<MigrationStatus> {
        let applied = applied(self)?;
        let pending = migrations
            .iter()
            .filter(|ours| applied.iter().all(|known| known.version != ours.version))
            .map(|ours| (ours.version, ours.name.to_owned()))
            .collect();
        Ok(MigrationStatus { applied, pending })
    }
}

/// A connection as refinery wants to see it.
struct Target<'c> {
    connection: &'c mut Connection,
    failed: Option<Failed>,
}

/// The statement that failed, and why: refinery's own error lets neither out.
struct Failed {
    sql: String,
    error: Error,
}

impl Failed {
    fn told(self, ours: &[refinery_core::Migration]) -> Error {
        match ours.iter().find(|migration| migration.sql() == Some(&self.sql)) {
            Some(migration) => {
                let (version, name) = (migration.version(), migration.name().to_owned());
                MigrationError::Failed { version, name, error: Box::new(self.error) }.into()
            }
            None => self.error,
        }
    }
}

impl Target<'_> {
    /// Keeps the error and gives refinery another one.
    fn kept<T>(&mut self, sql: &str, done: Result<T>) -> Result<T> {
        done.map_err(|error| {
            self.failed = Some(Failed { sql: sql.to_owned(), error });
            Error::Aborted
        })
    }
}

impl Transaction for Target<'_> {
    type Error = Error;

    fn execute<'a, T: Iterator<Item = &'a str>>(&mut self, queries: T) -> Result<usize> {
        let mut count = 0;
        for query in queries {
            let done = self.connection.batch(query);
            self.kept(query, done)?;
            count += 1;
        }
        Ok(count)
    }
}

impl Query<Vec<refinery_core::Migration>> for Target<'_> {
    fn query(&mut self, query: &str) -> Result<Vec<refinery_core::Migration>> {
        let found = self.connection.query(query, &[], |row| {
            let applied_at = OffsetDateTime::parse(row.get(2)?, &Rfc3339);
            let applied_at = applied_at.map_err(|_| Error::column(2, "no RFC 3339 time"))?;
            let checksum = row.get::<&str>(3)?.parse().map_err(|_| Error::column(3, "no checksum"))?;
            Ok(refinery_core::Migration::applied(row.get(0)?, row.get(1)?, applied_at, checksum))
        });
        self.kept(query, found)
    }
}

impl Migrate for Target<'_> {}

fn refined(migrations: &[Migration], engine: Engine) -> Result<Vec<refinery_core::Migration>> {
    let mut before = 0;
    for ours in migrations {
        if ours.version <= before {
            let text = format!("V{}__{} comes after version {before}", ours.version, ours.name);
            return Err(MigrationError::Invalid(text).into());
        }
        before = ours.version;
    }
    let one = |ours: &Migration| {
        let sql = if engine == Engine::Sqlite { ours.sqlite } else { ours.postgres };
        refinery_core::Migration::unapplied(&format!("V{}__{}", ours.version, ours.name), sql)
            .map_err(|error| MigrationError::Invalid(format!("V{}__{}: {error}", ours.version, ours.name)).into())
    };
    migrations.iter().map(one).collect()
}

fn applied(connection: &mut Connection) -> Result<Vec<Applied>> {
    let known = match connection.engine() {
        Engine::Sqlite => "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = $1",
        Engine::Postgres => {
            "SELECT COUNT(*) FROM pg_catalog.pg_class WHERE oid = to_regclass($1) AND relkind IN ('r', 'p')"
        }
    };
    if connection.query_one(known, &[TABLE.into()], |row| row.get::<i64>(0))? == 0 {
        return Ok(Vec::new());
    }
    connection.query(&format!("SELECT version, name, applied_on FROM {TABLE} ORDER BY version"), &[], |row| {
        let applied_at = row.get::<&str>(2)?.parse().map_err(|_| Error::column(2, "no RFC 3339 time"))?;
        Ok(Applied { version: row.get(0)?, name: row.get(1)?, applied_at })
    })
}

/// Said before refinery says that a migration is missing, which would be true and of less help.
fn not_newer(connection: &mut Connection, ours: &[refinery_core::Migration]) -> Result<()> {
    let database = applied(connection)?.last().map_or(0, |last| last.version);
    let program = ours.iter().map(refinery_core::Migration::version).max().unwrap_or(0);
    if database > program {
        return Err(MigrationError::DatabaseNewer { database, program }.into());
    }
    Ok(())
}

fn told(error: &refinery_core::Error) -> Error {
    let error = match error.kind() {
        Kind::DivergentVersion(known, _) => {
            MigrationError::Edited { version: known.version(), name: known.name().to_owned() }
        }
        Kind::MissingVersion(missing) => {
            MigrationError::Missing { version: missing.version(), name: missing.name().to_owned() }
        }
        _ => MigrationError::Invalid(error.to_string()),
    };
    error.into()
}
