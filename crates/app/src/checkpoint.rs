//! SQLite's write-ahead log is copied into the file beside the writer, so that no batch waits for it.
//!
//! A passive checkpoint never waits and never blocks, but under constant writes it never lets the log start over either.
//! So above a size this thread asks the writer for a restart between two batches, when little is left to copy. It trades
//! the size of the log against the longest wait: see `docs/operations.md`.

use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering, mpsc::Receiver, mpsc::RecvTimeoutError};
use std::time::Duration;
use store::{Connection, Engine, OpenMode, Result, Url};

const EVERY: Duration = Duration::from_millis(200);
/// Above this many pages of 4 KiB in use (64 MiB) the log is to start over.
const PAGES_MAX: u64 = 16_384;
/// The writer may have to copy about this many pages itself; fewer cannot be had while it writes.
const PAGES_LEFT: u64 = 1_000;
const PASSES_MAX: usize = 4;

/// Starts the thread; it ends when the sender of `stop` is dropped. PostgreSQL looks after itself.
pub(crate) fn start(url: &Url, restart: Arc<AtomicBool>, stop: Receiver<()>) -> Option<std::thread::JoinHandle<()>> {
    if url.engine() != Engine::Sqlite {
        return None;
    }
    let url = url.clone();
    let body = move || match Connection::open_as(&url, OpenMode::Writer) {
        Ok(mut connection) => watch(&mut connection, &restart, &stop),
        Err(error) => tracing::error!(%error, "the checkpoint thread cannot open the database"),
    };
    std::thread::Builder::new().name("checkpoint".to_owned()).spawn(body).ok()
}

fn watch(connection: &mut Connection, restart: &AtomicBool, stop: &Receiver<()>) {
    while stop.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        match copy(connection) {
            Ok(true) => restart.store(true, Ordering::Relaxed),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "a checkpoint failed; the next one may do"),
        }
    }
}

/// Copies what can be copied; says whether the log should start over.
fn copy(connection: &mut Connection) -> Result<bool> {
    let mut found = connection.checkpoint(store::CheckpointMode::Passive)?;
    if found.pages_in_log < PAGES_MAX {
        return Ok(false);
    }
    for _ in 0..PASSES_MAX {
        if found.pages_in_log.saturating_sub(found.pages_copied) <= PAGES_LEFT {
            break;
        }
        found = connection.checkpoint(store::CheckpointMode::Passive)?;
    }
    Ok(true)
}

/// Copies the rest and lets the log start over. Called by the writer, between batches.
pub(crate) fn restart(connection: &mut Connection) -> Result<()> {
    connection.checkpoint(store::CheckpointMode::Restart)?;
    Ok(())
}
