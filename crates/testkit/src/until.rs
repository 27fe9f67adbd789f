//! Waiting for what nobody answers to: a state of the database, a place in a queue. Bounded, and never a guess of how long
//! something takes.

use std::time::{Duration, Instant};

/// After so long a test fails.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks, so that what is waited for gets the processor.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Looks until `look` finds something.
///
/// # Panics
/// After a minute, naming `what` did not come.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "this did not come within {PATIENCE:?}: {what}");
        std::thread::park_timeout(LOOK_AGAIN);
    }
}
