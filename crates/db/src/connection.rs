//! One connection to one database: statements, rows, transactions.
//!
//! Invariant: a transaction in which a statement failed is never committed, on either engine (PostgreSQL would answer
//! such a COMMIT with a quiet rollback, SQLite would keep the half). Statements are prepared once and kept.
//! It builds no SQL, maps no nouns, and retries only what is known not to have run.

use crate::{
    Error, Result, Row, Url, Value, postgres_driver, postgres_driver::Session, sqlite_driver, url::Place, value::Cells,
};
use postgres::{fallible_iterator::FallibleIterator as _, types::ToSql};
use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

/// Statements kept prepared on one connection; the one not used for longest makes room.
pub const STATEMENTS_MAX: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// May change things. Makes a SQLite file that is missing. On PostgreSQL it plans for look-ups by key only.
    Writer,
    /// Cannot change anything. On PostgreSQL a statement may take [`READ_TIMEOUT`](crate::READ_TIMEOUT).
    Reader,
    /// As `Reader`, without the limit of time: for exports and verification.
    LongReader,
}

/// A connection; it may move between threads but serves one at a time.
pub struct Connection {
    pub(crate) driver: Driver,
    /// Texts of bulk statements by their source and number of rows; how many there can be is bounded by the code.
    pub(crate) shapes: HashMap<(&'static str, usize), Arc<str>>,
    mode: OpenMode,
    transaction: Transaction,
    /// A writer that must not write until its snapshot is over; SQLite has no read-only transactions.
    held_back: bool,
    /// The server is gone, or a rollback failed and nobody knows in which state the connection is.
    broken: bool,
}

pub(crate) enum Driver {
    Sqlite(rusqlite::Connection),
    Postgres(Box<Session>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// A statement in it failed.
    Failed,
}

impl Connection {
    /// Opens a [`Writer`](OpenMode::Writer).
    pub fn open(url: &Url) -> Result<Self> {
        Self::open_as(url, OpenMode::Writer)
    }

    pub fn open_as(url: &Url, mode: OpenMode) -> Result<Self> {
        let driver = match url.place() {
            Place::Sqlite(path) => Driver::Sqlite(sqlite_driver::open(path, mode)?),
            Place::Postgres(config) => Driver::Postgres(Box::new(Session::connect(config, mode)?)),
        };
        let shapes = HashMap::new();
        Ok(Self { driver, shapes, mode, transaction: Transaction::None, held_back: false, broken: false })
    }

    pub fn engine(&self) -> Engine {
        match self.driver {
            Driver::Sqlite(_) => Engine::Sqlite,
            Driver::Postgres(_) => Engine::Postgres,
        }
    }

    /// Whether it must be thrown away: the server hung up, a rollback failed.
    pub fn is_broken(&self) -> bool {
        self.broken || matches!(&self.driver, Driver::Postgres(session) if session.is_closed())
    }

    pub fn in_transaction(&self) -> bool {
        self.transaction != Transaction::None
    }

    /// Asks the server for a sign of life. SQLite has nothing that could have died.
    pub fn check(&mut self) -> Result<()> {
        let done = match &mut self.driver {
            Driver::Sqlite(_) => Ok(()),
            Driver::Postgres(session) => session.client().check_connection().map_err(Error::from),
        };
        self.noted(done)
    }

    // ── Statements ──────────────────────────────────────────────────────────

    /// All rows, as `row` reads them. They are streamed: memory holds only what `row` makes.
    pub fn query<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        mut row: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        self.each(sql, values, &mut |next| {
            found.push(row(next)?);
            Ok(true)
        })?;
        Ok(found)
    }

    /// Hands each row to `row` and keeps none. An `Err` of `row` stops it and comes back; on PostgreSQL the next statement
    /// then first reads what the server was still sending.
    pub fn query_each<E: From<Error>>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        mut row: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut stopped = None;
        let done = self.each(sql, values, &mut |next| {
            stopped = row(next).err();
            Ok(stopped.is_none())
        });
        stopped.map_or_else(|| done.map_err(E::from), Err)
    }

    /// The first row; [`Error::NoRow`] if there is none.
    pub fn query_one<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        row: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        self.query_optional(sql, values, row)?.ok_or(Error::NoRow)
    }

    /// The first row, if there is one.
    pub fn query_optional<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        mut row: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut found = None;
        self.each(sql, values, &mut |next| {
            found = Some(row(next)?);
            Ok(false)
        })?;
        Ok(found)
    }

    /// As [`query_one`](Self::query_one), and nobody else changes the row until this transaction ends. On SQLite the one
    /// writing transaction has locked everything already.
    pub fn query_locking<T>(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
        row: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        if self.engine() == Engine::Sqlite {
            return self.query_one(sql, values, row);
        }
        let locking = self.shape(sql, 0, |sql| format!("{sql} FOR UPDATE"));
        self.query_one(&locking, values, row)
    }

    /// Runs a statement that gives no rows; returns how many it changed.
    pub fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let done = match &mut self.driver {
            Driver::Sqlite(connection) => execute_sqlite(connection, sql, values),
            Driver::Postgres(session) => {
                let mut done = execute_postgres(session, sql, values);
                if done.as_ref().is_err_and(Error::is_stale_plan) {
                    session.forget_statements();
                    if self.transaction == Transaction::None {
                        done = execute_postgres(session, sql, values);
                    }
                }
                done
            }
        };
        self.noted(done)
    }

    /// Several statements without parameters, as in a migration; not kept prepared.
    pub fn batch(&mut self, sql: &str) -> Result<()> {
        let done = match &mut self.driver {
            Driver::Sqlite(connection) => connection.execute_batch(sql).map_err(Error::from),
            Driver::Postgres(session) => session.client().batch_execute(sql).map_err(Error::from),
        };
        self.noted(done)
    }

    /// Has PostgreSQL plan its prepared statements anew, by the sizes that the tables have now: a plan made while a table
    /// was small may read the whole of it. SQLite's plans do not depend on sizes.
    pub fn forget_plans(&mut self) -> Result<()> {
        match self.engine() {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => self.batch("DISCARD PLANS"),
        }
    }

    // ── Transactions ────────────────────────────────────────────────────────

    /// Runs `work` in one transaction: committed if it gives `Ok`, rolled back if `Err` or if it panics.
    pub fn transaction<T, E: From<Error>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.begin()?;
        self.finish(work)
    }

    /// Runs `work` on one unchanging state of the database, taken now. It cannot write.
    pub fn snapshot<T, E: From<Error>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        if self.engine() == Engine::Sqlite && self.mode == OpenMode::Writer {
            self.batch("PRAGMA query_only = ON")?;
            self.held_back = true;
        }
        self.start(match self.engine() {
            // It is the first read that takes the snapshot, not BEGIN.
            Engine::Sqlite => "BEGIN DEFERRED; SELECT COUNT(*) FROM sqlite_schema",
            Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1",
        })?;
        self.finish(work)
    }

    /// Begins a transaction that may write. SQLite's takes the write lock at once: one that reads first and then writes
    /// would fail as busy without waiting. PostgreSQL's is READ COMMITTED: after waiting for a row the next statement
    /// must see what the other transaction did.
    pub fn begin(&mut self) -> Result<()> {
        self.start(match self.engine() {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        })
    }

    /// Makes the transaction durable. [`Error::Commit`] is the only error that leaves a doubt, and only if
    /// [`Error::is_outcome_unknown`]. The transaction is over in any case.
    pub fn commit(&mut self) -> Result<()> {
        assert!(self.in_transaction(), "commit without begin");
        if self.transaction == Transaction::Failed {
            self.rollback()?;
            return Err(Error::Aborted);
        }
        if let Err(error) = self.batch("COMMIT") {
            // SQLite keeps a transaction open when its COMMIT was refused. If that fails too, the connection is broken.
            let _: Result<()> = self.rollback();
            return Err(Error::Commit(Box::new(error)));
        }
        self.over();
        Ok(())
    }

    /// Undoes the transaction. If that fails the connection [is broken](Self::is_broken); what was done is undone anyway.
    pub fn rollback(&mut self) -> Result<()> {
        assert!(self.in_transaction(), "rollback without begin");
        // Some errors (a full disk) make SQLite roll back by itself; ROLLBACK would then be an error.
        let over = matches!(&self.driver, Driver::Sqlite(connection) if connection.is_autocommit());
        let done = if over { Ok(()) } else { self.batch("ROLLBACK") };
        self.broken |= done.is_err();
        self.over();
        done
    }

    // ── Helpers ─────────────────────────────────────────────────────────────

    /// The text made from `sql` for `size` rows, kept.
    pub(crate) fn shape(&mut self, sql: &'static str, size: usize, make: impl FnOnce(&str) -> String) -> Arc<str> {
        self.shapes.entry((sql, size)).or_insert_with(|| make(sql).into()).clone()
    }

    /// After a failed statement the transaction cannot be committed any more.
    pub(crate) fn noted<T>(&mut self, done: Result<T>) -> Result<T> {
        if let Err(error) = &done {
            // The driver itself does not see that its server is gone before it is asked again.
            self.broken |= error.is_disconnected();
            if self.transaction == Transaction::Open {
                self.transaction = Transaction::Failed;
            }
        }
        done
    }

    fn over(&mut self) {
        self.transaction = Transaction::None;
        if self.held_back {
            self.held_back = false;
            self.broken |= self.batch("PRAGMA query_only = OFF").is_err();
        }
    }

    fn start(&mut self, sql: &str) -> Result<()> {
        assert!(!self.in_transaction(), "a transaction is open already");
        let begun = self.batch(sql);
        self.transaction = Transaction::Open;
        if begun.is_err() {
            // It may have begun and then failed to read.
            let _: Result<()> = self.rollback();
        }
        begun
    }

    fn finish<T, E: From<Error>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        if let Ok(Ok(value)) = done {
            self.commit()?;
            return Ok(value);
        }
        if let Err(error) = self.rollback() {
            // The first failure is the one to tell.
            tracing::debug!(%error, "rollback failed");
        }
        match done {
            Ok(failed) => failed,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Hands rows to `row` until it says `false` or fails. Only a failure of the database fails the transaction.
    fn each(&mut self, sql: &str, values: &[Value<'_>], row: &mut dyn FnMut(&Row<'_>) -> Result<bool>) -> Result<()> {
        let mut refused = None;
        let row = &mut |next: &Row<'_>| {
            row(next).unwrap_or_else(|error| {
                refused = Some(error);
                false
            })
        };
        let done = match &mut self.driver {
            Driver::Sqlite(connection) => each_sqlite(connection, sql, values, row),
            Driver::Postgres(session) => {
                let mut done = each_postgres(session, sql, values, row);
                // The server refuses an old plan before it sends a row, so nothing was handed out twice.
                if done.as_ref().is_err_and(Error::is_stale_plan) {
                    session.forget_statements();
                    if self.transaction == Transaction::None {
                        done = each_postgres(session, sql, values, row);
                    }
                }
                done
            }
        };
        self.noted(done)?;
        refused.map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?})", self.engine())
    }
}

fn each_sqlite(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[Value<'_>],
    row: &mut dyn FnMut(&Row<'_>) -> bool,
) -> Result<()> {
    let mut statement = connection.prepare_cached(&sqlite_driver::dialect(sql))?;
    sqlite_driver::bind(&mut statement, values)?;
    let mut rows = statement.raw_query();
    while let Some(next) = rows.next()? {
        if !row(&Row(Cells::Sqlite(next))) {
            break;
        }
    }
    Ok(())
}

fn each_postgres(
    session: &mut Session,
    sql: &str,
    values: &[Value<'_>],
    row: &mut dyn FnMut(&Row<'_>) -> bool,
) -> Result<()> {
    let statement = session.prepare(sql)?;
    // Not `query`, which collects; this one holds a buffer of rows, and the server waits when it is full.
    let mut rows = session.client().query_raw(&statement, values).map_err(postgres_driver::told)?;
    while let Some(next) = rows.next()? {
        if !row(&Row(Cells::Postgres(&next))) {
            break;
        }
    }
    Ok(())
}

fn execute_sqlite(connection: &rusqlite::Connection, sql: &str, values: &[Value<'_>]) -> Result<u64> {
    let mut statement = connection.prepare_cached(&sqlite_driver::dialect(sql))?;
    sqlite_driver::bind(&mut statement, values)?;
    Ok(u64::try_from(statement.raw_execute()?).unwrap_or(u64::MAX))
}

fn execute_postgres(session: &mut Session, sql: &str, values: &[Value<'_>]) -> Result<u64> {
    let statement = session.prepare(sql)?;
    let mut bound: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(values.len());
    for value in values {
        bound.push(value);
    }
    session.client().execute(&statement, &bound).map_err(postgres_driver::told)
}
