//! How a pause is made between two requests: an input, so that tests make none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a pause looks whether it is to end early.
const LOOK: Duration = Duration::from_millis(100);

type Pause = dyn Fn(Duration, &dyn Fn() -> bool) -> bool + Send + Sync;

/// Makes pauses.
#[derive(Clone)]
pub struct Wait(Arc<Pause>);

impl Wait {
    /// Really waits, on the caller's thread.
    pub fn real() -> Self {
        Self(Arc::new(|pause, is_over| {
            let until = std::time::Instant::now() + pause;
            loop {
                let left = until.saturating_duration_since(std::time::Instant::now());
                if is_over() {
                    return false;
                }
                if left.is_zero() {
                    return true;
                }
                std::thread::sleep(left.min(LOOK));
            }
        }))
    }

    /// Notes each pause and makes none.
    pub fn noted(pauses: Arc<Mutex<Vec<Duration>>>) -> Self {
        Self(Arc::new(move |pause, is_over| {
            pauses.lock().unwrap_or_else(PoisonError::into_inner).push(pause);
            !is_over()
        }))
    }

    /// Whether the pause was made; not if `is_over` said so before its end.
    pub(crate) fn pause(&self, pause: Duration, is_over: &dyn Fn() -> bool) -> bool {
        (self.0)(pause, is_over)
    }
}

impl std::fmt::Debug for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wait")
    }
}
