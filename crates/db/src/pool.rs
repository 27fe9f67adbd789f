//! A pool of readers, over `r2d2`.
//!
//! Invariant: a connection that is broken, or was left inside a transaction, is never handed out again.
//! It holds no writers, and does not run anything by itself: [`Pool::with`] blocks, so call it from a blocking thread.

use crate::{Connection, Error, OpenMode, Result, Url};
use std::time::{Duration, Instant};

/// How long a caller waits for a connection before [`Error::Pool`].
pub const POOL_WAIT: Duration = Duration::from_secs(5);
/// A connection that lay idle for longer is asked for a sign of life before it is used.
const IDLE_UNCHECKED: Duration = Duration::from_secs(1);
/// Connections kept open when nobody reads.
const IDLE_MIN: u32 = 1;

/// Readers of one database; clones share them.
#[derive(Clone)]
pub struct Pool(r2d2::Pool<Manager>);

struct Manager {
    url: Url,
}

struct Pooled {
    connection: Connection,
    last_used: Instant,
}

/// Tells the log why a connection was thrown away or could not be made.
#[derive(Debug)]
struct Log;

impl Pool {
    /// Makes one connection now, to fail early, and up to `size` when needed.
    pub fn open(url: &Url, size: u32) -> Result<Self> {
        // Made here as well, so that the caller gets the error itself and at once, not its text after a timeout.
        drop(Connection::open_as(url, OpenMode::Reader)?);
        let pool = r2d2::Pool::builder()
            .max_size(size.max(1))
            .min_idle(Some(IDLE_MIN))
            .test_on_check_out(true)
            .connection_timeout(POOL_WAIT)
            .error_handler(Box::new(Log))
            .build_unchecked(Manager { url: url.clone() });
        Ok(Self(pool))
    }

    /// Runs `work` with a reader. Waits up to [`POOL_WAIT`] for one.
    pub fn with<T, E: From<Error>>(&self, work: impl FnOnce(&mut Connection) -> Result<T, E>) -> Result<T, E> {
        let mut pooled = self.0.get().map_err(|error| {
            // Its text is all it gives away: what it waited for, and after a colon the last failure to connect.
            let reason = error.to_string().split_once(": ").map(|(_, reason)| reason.to_owned());
            Error::Pool { reason }
        })?;
        let done = work(&mut pooled.connection);
        pooled.last_used = Instant::now();
        done
    }

    /// Connections open now, and how many of them are free.
    pub fn usage(&self) -> (u32, u32) {
        let state = self.0.state();
        (state.connections, state.idle_connections)
    }
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = Error;

    fn connect(&self) -> Result<Pooled> {
        let connection = Connection::open_as(&self.url, OpenMode::Reader)?;
        Ok(Pooled { connection, last_used: Instant::now() })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<()> {
        if pooled.last_used.elapsed() <= IDLE_UNCHECKED { Ok(()) } else { pooled.connection.check() }
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.connection.is_broken() || pooled.connection.in_transaction()
    }
}

impl r2d2::HandleError<Error> for Log {
    fn handle_error(&self, error: Error) {
        tracing::warn!(%error, "a pooled database connection failed");
    }
}
