//! What the registry does by itself when its time has come, on one thread of its own.
//!
//! Invariant: whatever is due is looked up in the database, so that nothing is missed while the registry was off, and what
//! fails is tried again at the next look. It asks the registry's clock what time it is, and its own only for how long to
//! rest.

use crate::registry::Inner;
use crate::{Error, Registry};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, Weak};
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
        let mut stop = self.0.timed_stop.lock().unwrap_or_else(PoisonError::into_inner);
        if stop.is_some() || self.is_closing() {
            return Ok(());
        }
        let (sender, stopped) = std::sync::mpsc::channel();
        // It must not keep the registry open that everybody else has let go.
        let inner = Arc::downgrade(&self.0);
        let body = move || watch(&inner, &stopped);
        let thread = std::thread::Builder::new().name("timed".to_owned()).spawn(body)?;
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        *stop = Some(sender);
        Ok(())
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
