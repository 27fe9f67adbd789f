//! Slows down guessing: so many failed attempts per key in a window, then none until it has passed.
//!
//! Invariant: bounded memory; when it is full, the oldest windows go first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keys remembered at once.
const KEYS_MAX: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Throttle {
    failures_max: u32,
    window: Duration,
    keys: Mutex<HashMap<String, Window>>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    failures: u32,
}

impl Throttle {
    pub(crate) fn new(failures_max: u32, window: Duration) -> Self {
        Self { failures_max, window, keys: Mutex::new(HashMap::new()) }
    }

    /// Counts an attempt before it is made, so that many at once cannot slip through.
    ///
    /// # Errors
    /// How many seconds to wait, at least 1.
    pub(crate) fn attempt(&self, key: &str, now: Instant) -> Result<(), u64> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX {
            keys.retain(|_, window| now.duration_since(window.since) < self.window);
            if keys.len() >= KEYS_MAX {
                keys.clear();
            }
        }
        let window = keys.entry(key.to_owned()).or_insert(Window { since: now, failures: 0 });
        if now.duration_since(window.since) >= self.window {
            *window = Window { since: now, failures: 0 };
        }
        if window.failures >= self.failures_max {
            let left = self.window.saturating_sub(now.duration_since(window.since));
            return Err(left.as_secs().max(1));
        }
        window.failures += 1;
        Ok(())
    }

    /// Forgets the key after a success.
    pub(crate) fn succeeded(&self, key: &str) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_attempt_waits_until_the_window_has_passed() {
        let throttle = Throttle::new(5, Duration::from_mins(15));
        let start = Instant::now();
        for _ in 0..5 {
            assert_eq!(throttle.attempt("a", start), Ok(()));
        }
        assert_eq!(throttle.attempt("a", start + Duration::from_mins(10)), Err(300));
        assert_eq!(throttle.attempt("b", start), Ok(()));
        assert_eq!(throttle.attempt("a", start + Duration::from_mins(15)), Ok(()));
    }

    #[test]
    fn a_success_clears_the_count() {
        let throttle = Throttle::new(1, Duration::from_mins(15));
        let now = Instant::now();
        assert_eq!(throttle.attempt("a", now), Ok(()));
        throttle.succeeded("a");
        assert_eq!(throttle.attempt("a", now), Ok(()));
        assert!(throttle.attempt("a", now).is_err());
    }
}
