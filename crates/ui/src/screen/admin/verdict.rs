//! Whether all is well with the registry, and what is not, for who runs it.

use crate::check::Last;
use crate::format;
use crate::limits::{QUEUED_MAX, REPLICA_LAG_MAX};
use app::{LiveCheck, Measured};

/// What is not well, in sentences; empty if all is.
pub(super) fn faults(measured: &Measured, live: &LiveCheck, last: Option<&Last>) -> Vec<String> {
    let mut faults = Vec::new();
    match (measured.has_replica, measured.replica_lag) {
        (true, None) => faults.push("The standby does not answer: everything is read from the primary.".to_owned()),
        (true, Some(lag)) if lag > REPLICA_LAG_MAX => {
            faults.push(format!("The standby is {} events behind.", format::thousands(lag)));
        }
        (true, Some(_)) | (false, _) => {}
    }
    if measured.queued > QUEUED_MAX {
        faults.push(format!("{} are waiting to be carried out.", format::count(measured.queued, "change")));
    }
    if !live.is_clean() {
        faults.push("The end of the ledger is not in order.".to_owned());
    }
    match last.map(|last| &last.found) {
        Some(Err(error)) => faults.push(format!("The last check of the whole ledger came to nothing: {error}.")),
        Some(Ok(report)) if report.violations > 0 => {
            let violations = format::thousands(report.violations);
            faults.push(format!("The last check of the whole ledger found {violations} violations."));
        }
        Some(Ok(_)) | None => {}
    }
    faults
}

/// When the whole ledger was checked last, and with what end.
pub(super) fn last_check(last: Option<&Last>) -> String {
    let Some(last) = last else { return "not since the program started".to_owned() };
    let ended = format::instant_text(last.ended);
    match &last.found {
        Ok(report) if report.violations == 0 => format!("{ended} UTC: in order"),
        Ok(_) => format!("{ended} UTC: not in order"),
        Err(_) => format!("{ended} UTC: came to nothing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Report;
    use app::{Histogram, LiveLine};
    use domain::EventNumber;
    use jiff::Timestamp;

    fn measured(queued: usize, has_replica: bool, replica_lag: Option<i64>) -> Measured {
        let none = Histogram { counts: Vec::new(), above: 0, sum: 0 };
        Measured {
            queued,
            batch_works: none.clone(),
            batch_micros: none.clone(),
            commit_micros: none,
            rejected: Vec::new(),
            events: 1,
            actions: 1,
            bundles: 0,
            has_replica,
            replica_lag,
            jobs: Vec::new(),
            rejected_kept: 0,
            sessions: 1,
        }
    }

    fn live(faults: &[&str]) -> LiveCheck {
        let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
        let line = LiveLine { name: "a line", part: "all".to_owned(), checked: 1, faults };
        LiveCheck { event_number: EventNumber(1), checked_at: Timestamp::UNIX_EPOCH, lines: vec![line] }
    }

    fn last(found: Result<u64, &str>) -> Last {
        let report = |violations| Report {
            event_number: 1,
            root: String::new(),
            violations,
            notices: 0,
            invariants: Vec::new(),
            findings: Vec::new(),
        };
        let found = found.map(report).map_err(str::to_owned);
        Last { began: Timestamp::UNIX_EPOCH, ended: Timestamp::UNIX_EPOCH, found }
    }

    #[test]
    fn each_thing_that_is_not_well_is_told_and_nothing_else() {
        let well = measured(QUEUED_MAX, true, Some(REPLICA_LAG_MAX));
        assert_eq!(faults(&well, &live(&[]), Some(&last(Ok(0)))), [""; 0]);
        assert_eq!(faults(&measured(0, false, None), &live(&[]), None), [""; 0]);
        for (measured, live, last, told) in [
            (measured(0, true, None), live(&[]), None, "The standby does not answer"),
            (measured(0, true, Some(REPLICA_LAG_MAX + 1)), live(&[]), None, "events behind"),
            (measured(QUEUED_MAX + 1, false, None), live(&[]), None, "changes are waiting"),
            (well.clone(), live(&["a gap"]), None, "The end of the ledger is not in order"),
            (well.clone(), live(&[]), Some(last(Ok(2))), "found 2 violations"),
            (well.clone(), live(&[]), Some(last(Err("no database"))), "came to nothing: no database"),
        ] {
            let faults = faults(&measured, &live, last.as_ref());
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].contains(told), "{faults:?}");
        }
    }

    #[test]
    fn the_last_check_is_told_with_its_end() {
        assert_eq!(last_check(None), "not since the program started");
        assert_eq!(last_check(Some(&last(Ok(0)))), "1970-01-01 00:00 UTC: in order");
        assert_eq!(last_check(Some(&last(Ok(1)))), "1970-01-01 00:00 UTC: not in order");
        assert_eq!(last_check(Some(&last(Err("x")))), "1970-01-01 00:00 UTC: came to nothing");
    }
}
