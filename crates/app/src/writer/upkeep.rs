//! What the writer does between batches: old rejected actions are cleared away, and SQLite's log starts over.
//!
//! Invariant: each is bounded, so that no caller waits long for it, and a failure of it fails no batch.

use super::Writer;
use crate::action;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often old rejected actions are looked for, and how many are cleared away at a time.
const TIDY_EVERY: Duration = Duration::from_mins(10);
const TIDIED_AT_ONCE_MAX: i64 = 1_000;

impl Writer {
    /// Clears away some of the rejected actions whose time is over; what is left waits for the next time.
    pub(super) fn tidy_if_due(&mut self) {
        if self.batch_at.is_none() || Instant::now() < self.tidied_next {
            return;
        }
        self.tidied_next = Instant::now() + TIDY_EVERY;
        let cleared = match self.batch_at.zip(self.connection.as_mut()) {
            Some((at, connection)) if !connection.is_broken() => {
                let until = action::rejected_until(at);
                connection.transaction(|tx| store::rejected_action::clear(tx, until, TIDIED_AT_ONCE_MAX))
            }
            Some(_) | None => return,
        };
        match cleared {
            Ok(cleared) if i64::try_from(cleared) == Ok(TIDIED_AT_ONCE_MAX) => self.tidied_next = Instant::now(),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old rejected actions could not be cleared away"),
        }
    }

    /// Between batches, when the checkpoint thread has copied nearly all of SQLite's log: the rest is copied here.
    pub(super) fn restart_log_if_asked(&mut self) {
        if self.restart_log.swap(false, Ordering::Relaxed)
            && let Some(connection) = self.connection.as_mut()
            && let Err(error) = crate::checkpoint::restart(connection)
        {
            tracing::warn!(%error, "the write-ahead log could not start over");
        }
    }
}
