//! The check of the whole ledger, as the program hands it in: the screens do not know how it is made.
//!
//! Invariant: at most one runs at a time. What it found is kept in memory, with its time, until the next one.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// Checks the whole ledger; blocks for as long as that takes. Gives the report that `granary verify --json` prints, or why
/// there is none.
pub type Check = Arc<dyn Fn() -> Result<Value, String> + Send + Sync>;

/// What a check found.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Report {
    pub event_number: i64,
    pub root: String,
    pub violations: u64,
    pub notices: u64,
    pub invariants: Vec<Invariant>,
    pub findings: Vec<Finding>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Invariant {
    pub number: u8,
    pub name: String,
    pub checked: u64,
    pub violations: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Finding {
    pub invariant: u8,
    pub severity: String,
    pub text: String,
}

/// The last check, and the one that runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    pub running_since: Option<Timestamp>,
    pub last: Option<Last>,
}

/// A check that is over.
#[derive(Clone, Debug)]
pub(crate) struct Last {
    pub began: Timestamp,
    pub ended: Timestamp,
    pub found: Result<Report, String>,
}

/// The check and how it stands.
#[derive(Clone)]
pub(crate) struct Checks {
    check: Check,
    standing: Arc<Mutex<Standing>>,
}

impl Checks {
    pub(crate) fn of(check: Check) -> Self {
        Self { check, standing: Arc::default() }
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the place of the one that runs; false if it is taken.
    pub(crate) fn begin(&self, now: Timestamp) -> bool {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = standing.running_since.is_none();
        if is_free {
            standing.running_since = Some(now);
        }
        is_free
    }

    /// Runs the one that was begun, to its end. Blocks.
    pub(crate) fn run(&self, began: Timestamp, now: impl FnOnce() -> Timestamp) {
        let unwound = std::panic::AssertUnwindSafe(|| (self.check)());
        let said = std::panic::catch_unwind(unwound).unwrap_or_else(|_| Err("the check panicked".to_owned()));
        let found = said.and_then(|json| serde_json::from_value(json).map_err(|error| error.to_string()));
        if let Err(error) = &found {
            tracing::error!(%error, "a check of the ledger came to nothing");
        }
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        *standing = Standing { running_since: None, last: Some(Last { began, ended: now(), found }) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_check_runs_at_a_time_and_its_end_is_kept() {
        let report = json!({"event_number": 3, "root": "00", "violations": 0, "notices": 0, "events": 3, "findings": [],
            "invariants": [{"number": 1, "name": "Conservation", "checked": 2, "violations": 0}]});
        let checks = Checks::of(Arc::new(move || Ok(report.clone())));
        let (began, ended) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
        assert!(checks.begin(began) && !checks.begin(ended));
        assert_eq!(checks.standing().running_since, Some(began));
        checks.run(began, || ended);
        let standing = checks.standing();
        let last = standing.last.expect("the end is kept");
        assert_eq!((standing.running_since, last.began, last.ended), (None, began, ended));
        assert_eq!(last.found.map(|report| report.event_number), Ok(3));
        assert!(checks.begin(ended), "the next one may run");
    }

    #[test]
    fn a_check_that_fails_ends_as_well() {
        let failing: [Check; 3] = [
            Arc::new(|| Err("no database".to_owned())),
            Arc::new(|| panic!("on purpose")),
            Arc::new(|| Ok(json!({"something": "else"}))),
        ];
        for check in failing {
            let checks = Checks::of(check);
            assert!(checks.begin(Timestamp::UNIX_EPOCH));
            checks.run(Timestamp::UNIX_EPOCH, || Timestamp::MAX);
            let standing = checks.standing();
            assert!(standing.running_since.is_none() && standing.last.is_some_and(|last| last.found.is_err()));
        }
    }
}
