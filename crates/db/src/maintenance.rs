//! Looking after a SQLite file: copying the log back, and backups.
//!
//! SQLite appends to a log (the WAL); someone has to copy its pages into the file and start it anew. A passive checkpoint
//! copies without disturbing anyone, but the log only starts anew if nobody wrote meanwhile; a restarting one holds the
//! write lock while it copies. Which one when is the caller's decision, by [`Checkpoint::pages_in_log`].
//! PostgreSQL does all this by itself and is backed up with its own tools.

use crate::{Connection, Error, Result, connection::Driver, sqlite_driver::BUSY_TIMEOUT};
use rusqlite::backup::{Backup, StepResult};
use std::{fs, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

/// How long a restarting checkpoint waits for readers of the old log; it holds the write lock meanwhile.
const RESTART_WAIT: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointMode {
    /// Copies what it can without waiting for anybody.
    Passive,
    /// Copies everything, so that the next writer begins the log anew. Only on the writer's connection.
    Restart,
}

/// What a checkpoint found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Pages in use in the log, of 4 KiB. The size of the file says nothing: it does not shrink.
    pub pages_in_log: u64,
    /// How many of them are in the database file by now.
    pub pages_copied: u64,
}

impl Connection {
    /// Copies the log into the database file. Does nothing on PostgreSQL. A reader in the way of
    /// [`CheckpointMode::Restart`] is no error: the log goes on growing, and the next attempt may find it gone.
    pub fn checkpoint(&mut self, mode: CheckpointMode) -> Result<Checkpoint> {
        let Driver::Sqlite(connection) = &self.driver else {
            return Ok(Checkpoint::default());
        };
        let text = match mode {
            CheckpointMode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
            CheckpointMode::Restart => "PRAGMA wal_checkpoint(RESTART)",
        };
        connection.busy_timeout(RESTART_WAIT)?;
        let done = connection.query_row(text, [], |row| {
            // Both are -1 if there is no log.
            let pages = |column| row.get::<_, i64>(column).map(|pages| u64::try_from(pages).unwrap_or(0));
            Ok(Checkpoint { pages_in_log: pages(1)?, pages_copied: pages(2)? })
        });
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(done?)
    }

    /// Copies the whole SQLite database into a new file at `path`, as it is now, while others read and write.
    /// The copy is complete and durable, or it is an error and the file is removed.
    pub fn backup(&mut self, path: &Path) -> Result<()> {
        let Driver::Sqlite(connection) = &self.driver else {
            return Err(Error::Unsupported("PostgreSQL is backed up with pg_basebackup or pg_dump"));
        };
        let new = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        new.map_err(|source| Error::File { path: path.to_owned(), source })?;
        let done = copy(connection, path);
        if done.is_err() {
            // The error to tell is the first one.
            let _: std::io::Result<()> = fs::remove_file(path);
        }
        done
    }
}

fn copy(from: &rusqlite::Connection, path: &Path) -> Result<()> {
    let mut to = rusqlite::Connection::open(path)?;
    to.pragma_update(None, "synchronous", "FULL")?;
    // In one step: it reads one snapshot, which in WAL mode is in nobody's way.
    match Backup::new(from, &mut to)?.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(Error::Unsupported("the database is locked by another program; try again")),
    }
}
