//! Questions about a database and its machine, for `doctor`, `/health` and the benchmark. They change nothing of it.

use crate::{Connection, Engine, Error, Result};
use jiff::Timestamp;
use std::{
    fs,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

/// Blocks written and synced to measure a disk, and their size.
const FSYNC_BLOCKS: usize = 32;
const FSYNC_BLOCK_BYTES: usize = 4096;

/// How far a standby is behind its primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaLag {
    /// Received from the primary and not applied yet.
    pub bytes: u64,
    /// Age of the last transaction applied; zero if all that was received is applied.
    pub time: Duration,
}

/// How long it takes to write a small block to a file in `directory` and sync it: the median of several, in microseconds.
/// A durable commit cannot be faster. A few microseconds mean that the disk (or its cache) does not sync at all.
pub fn fsync_latency(directory: &Path) -> Result<u64> {
    let path = directory.join(format!(".fsync-probe-{}", std::process::id()));
    let measured = measure_fsync(&path);
    let removed = fs::remove_file(&path);
    let mut micros =
        measured.and_then(|micros| removed.map(|()| micros)).map_err(|source| Error::File { path, source })?;
    micros.sort_unstable();
    Ok(micros[micros.len() / 2])
}

/// "3.50.4", "15.9".
pub fn server_version(connection: &mut Connection) -> Result<String> {
    let sql = match connection.engine() {
        Engine::Sqlite => "SELECT sqlite_version()",
        Engine::Postgres => "SELECT split_part(current_setting('server_version'), ' ', 1)",
    };
    connection.query_one(sql, &[], |row| row.get(0))
}

/// The clock of the database's machine, to the millisecond.
pub fn database_now(connection: &mut Connection) -> Result<Timestamp> {
    let sql = match connection.engine() {
        Engine::Sqlite => "SELECT CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER) * 1000",
        Engine::Postgres => "SELECT clock_timestamp()",
    };
    connection.query_one(sql, &[], |row| row.get(0))
}

/// `None` if this is not a standby.
pub fn replica_lag(connection: &mut Connection) -> Result<Option<ReplicaLag>> {
    if connection.engine() == Engine::Sqlite {
        return Ok(None);
    }
    let sql = "SELECT pg_is_in_recovery(),
        CAST(COALESCE(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0) AS BIGINT),
        CAST(COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) * 1000000 AS BIGINT)";
    connection.query_one(sql, &[], |row| {
        if !row.get::<bool>(0)? {
            return Ok(None);
        }
        let bytes = u64::try_from(row.get::<i64>(1)?).unwrap_or(0);
        let micros = if bytes == 0 { 0 } else { u64::try_from(row.get::<i64>(2)?).unwrap_or(0) };
        Ok(Some(ReplicaLag { bytes, time: Duration::from_micros(micros) }))
    })
}

fn measure_fsync(path: &Path) -> std::io::Result<Vec<u64>> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    let block = [0x5a; FSYNC_BLOCK_BYTES];
    let mut micros = Vec::with_capacity(FSYNC_BLOCKS);
    for _ in 0..FSYNC_BLOCKS {
        let start = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        micros.push(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(micros)
}
