//! What the registry does by itself when its time has come: expiry and orders on one thread; what waits for others has its
//! own (see [`Registry::fetch_regularly`]).
//!
//! Invariant: whatever is due is looked up in the database, so that nothing is missed while the registry was off, and what
//! fails is tried again at the next look. It asks the registry's clock what time it is, and its own only for how long to
//! rest.

use crate::registry::Inner;
use crate::{Error, Registry};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long it rests between two looks at what expired.
const EXPIRY_EVERY: Duration = Duration::from_mins(1);
/// How long it rests between two looks at what is due of orders.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Registry {
    /// Begins to do by itself what is due. It ends with the registry; a second call is one too many and starts nothing.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start_timed(&self) -> std::io::Result<()> {
        if let Some(thread) = self.start_watch("timed", watch)? {
            self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(())
    }

    /// Starts a thread that looks again and again, unless there is one of this name or the registry closes. `watch` ends
    /// where there is no registry any more, or where it is told to stop.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub(crate) fn start_watch(
        &self,
        name: &'static str,
        watch: impl FnOnce(&Weak<Inner>, &Receiver<()>) + Send + 'static,
    ) -> std::io::Result<Option<JoinHandle<()>>> {
        let mut stops = self.0.timed_stops.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_closing() || stops.contains_key(name) {
            return Ok(None);
        }
        let (sender, stopped) = std::sync::mpsc::channel();
        // It must not keep the registry open that everybody else has let go.
        let inner = Arc::downgrade(&self.0);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || watch(&inner, &stopped))?;
        stops.insert(name, sender);
        Ok(Some(thread))
    }
}

fn watch(inner: &Weak<Inner>, stop: &Receiver<()>) {
    let mut expiry_next = Instant::now();
    loop {
        let Some(registry) = inner.upgrade().map(Registry).filter(|registry| !registry.is_closing()) else { return };
        if Instant::now() >= expiry_next {
            tell(registry.expire_due(), "what has expired could not be swept; it is tried again");
            expiry_next = Instant::now() + EXPIRY_EVERY;
        }
        tell(registry.run_due_orders(), "what is due of orders could not be run; it is tried again");
        drop(registry);
        if stop.recv_timeout(LOOK_EVERY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn tell<T>(done: Result<T, Error>, what: &str) {
    match done {
        Ok(_) | Err(Error::Unavailable) => {}
        Err(error) => tracing::warn!(%error, "{what}"),
    }
}
