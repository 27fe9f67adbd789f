//! The check of the whole ledger, as the program hands it in: the screens do not know how it is made.
//!
//! Invariant: at most one runs at a time. What it found is kept in memory, with its time, until the next one. The same goes
//! for the look at the end of the ledger, which the registry makes itself.

use crate::limits::{LIVE_CHECK_AGE_MAX, LIVE_CHECK_REST};
use app::LiveCheck;
use domain::EventNumber;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// Checks the whole ledger, telling how far it is; blocks for as long as that takes. Gives the report that
/// `granary verify --json` prints, or why there is none.
pub type Check = Arc<dyn Fn(&dyn Fn(CheckStep)) -> Result<Value, String> + Send + Sync>;

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckStep {
    /// What is read: `log`, `bundles`.
    pub what: &'static str,
    pub done: u64,
    /// 0 if that is not known.
    pub total: u64,
}

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
    /// How far that one is, once it has told.
    pub step: Option<CheckStep>,
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
            standing.step = None;
        }
        is_free
    }

    /// Runs the one that was begun, to its end. Blocks.
    pub(crate) fn run(&self, began: Timestamp, now: impl FnOnce() -> Timestamp) {
        let told = |step| self.standing.lock().unwrap_or_else(PoisonError::into_inner).step = Some(step);
        let unwound = std::panic::AssertUnwindSafe(|| (self.check)(&told));
        let said = std::panic::catch_unwind(unwound).unwrap_or_else(|_| Err("the check panicked".to_owned()));
        let found = said.and_then(|json| serde_json::from_value(json).map_err(|error| error.to_string()));
        if let Err(error) = &found {
            tracing::error!(%error, "a check of the ledger came to nothing");
        }
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        *standing = Standing { last: Some(Last { began, ended: now(), found }), ..Standing::default() };
    }
}

/// The last look at the end of the ledger, shared by all who watch it: many open pages make no more looks than one.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Option<LiveCheck>>>);

impl Watch {
    /// What was found last, unless it is time to look again: after [`LIVE_CHECK_REST`], if the log has gone on since; and
    /// after [`LIVE_CHECK_AGE_MAX`] in any case. Blocks, also while somebody else looks.
    pub(crate) fn look(
        &self,
        now: Timestamp,
        last_event: impl FnOnce() -> Result<EventNumber, app::Error>,
        look: impl FnOnce() -> Result<LiveCheck, app::Error>,
    ) -> Result<LiveCheck, app::Error> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = last.as_ref() {
            let age = now.duration_since(found.checked_at);
            if age < LIVE_CHECK_REST || (age < LIVE_CHECK_AGE_MAX && last_event()? == found.event_number) {
                return Ok(found.clone());
            }
        }
        let found = look()?;
        if !found.is_clean() {
            tracing::error!(event = found.event_number.0, ?found, "the end of the ledger is not in order");
        }
        *last = Some(found.clone());
        Ok(found)
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
        let checks = Checks::of(Arc::new(move |told| {
            told(CheckStep { what: "log", done: 1, total: 3 });
            Ok(report.clone())
        }));
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
            Arc::new(|_| Err("no database".to_owned())),
            Arc::new(|_| panic!("on purpose")),
            Arc::new(|_| Ok(json!({"something": "else"}))),
        ];
        for check in failing {
            let checks = Checks::of(check);
            assert!(checks.begin(Timestamp::UNIX_EPOCH));
            checks.run(Timestamp::UNIX_EPOCH, || Timestamp::MAX);
            let standing = checks.standing();
            assert!(standing.running_since.is_none() && standing.last.is_some_and(|last| last.found.is_err()));
        }
    }

    #[test]
    fn a_check_tells_how_far_it_is_while_it_runs() {
        let seen: Arc<Mutex<Option<Checks>>> = Arc::default();
        let inside = Arc::clone(&seen);
        let checks = Checks::of(Arc::new(move |told| {
            let step = CheckStep { what: "bundles", done: 7, total: 9 };
            told(step);
            let checks = inside.lock().unwrap().clone().expect("it is there by now");
            assert_eq!(checks.standing().step, Some(step));
            Err("seen".to_owned())
        }));
        *seen.lock().unwrap() = Some(checks.clone());
        assert!(checks.begin(Timestamp::UNIX_EPOCH));
        checks.run(Timestamp::UNIX_EPOCH, || Timestamp::MAX);
        let standing = checks.standing();
        assert_eq!((standing.step, standing.last.map(|last| last.found)), (None, Some(Err("seen".to_owned()))));
    }

    #[test]
    fn many_who_watch_make_one_look() {
        let (watch, looks) = (Watch::default(), std::cell::Cell::new(0));
        let at = |seconds| Timestamp::from_second(seconds).expect("an instant");
        let look = |seconds: i64, event: i64| {
            let found = watch.look(
                at(seconds),
                || Ok(EventNumber(event)),
                || {
                    looks.set(looks.get() + 1);
                    Ok(LiveCheck { event_number: EventNumber(event), checked_at: at(seconds), lines: Vec::new() })
                },
            );
            found.expect("nothing fails").event_number.0
        };
        let rest = LIVE_CHECK_REST.as_secs();
        let most = LIVE_CHECK_AGE_MAX.as_secs();
        for (seconds, event, expected, made) in [
            (0, 5, 5, 1),
            // Too soon, whatever has happened.
            (rest - 1, 9, 5, 1),
            (rest, 9, 9, 2),
            // Nothing has happened.
            (rest + most - 1, 9, 9, 2),
            // All the same, once in a while.
            (rest + most, 9, 9, 3),
        ] {
            assert_eq!((look(seconds, event), looks.get()), (expected, made), "{seconds}");
        }
    }
}
