//! Ledgers with nothing wrong.

use crate::ledger::{A, ADMIN, BOB, Ledger, METERING, WIND, at, device, on_both, reading};
use db::Engine;
use domain::action::{Deed, SubmitReadings};
use domain::{Command, DeviceId, DeviceKind, EnergySource, MeasurementId, Portion, ReadingSource};
use std::collections::BTreeMap;
use verify::{FindingKind, Options, Phase, Progress};

#[test]
fn an_empty_ledger_is_clean() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let report = Ledger::empty(engine).audit();
        assert!(report.is_clean(), "{:#?}", report.findings);
        assert_eq!((report.events, report.event_number), (0, 0));
    }
}

#[test]
fn a_ledger_with_every_kind_of_action_is_clean() {
    on_both(|ledger| {
        let report = ledger.audit();
        assert_eq!(report.findings, []);
        assert_eq!((report.violations, report.notices), (0, 0));
        assert_eq!((report.users, report.organisations, report.accounts, report.devices), (5, 1, 3, 2));
        assert_eq!((report.measurements, report.bundles, report.metadata, report.attributes), (13, 20, 1, 2));
        assert_eq!(report.event_number, i64::try_from(report.events).unwrap());
        assert!(report.invariants.iter().all(|invariant| invariant.checked > 0), "{:?}", report.invariants);
    });
}

#[test]
fn the_root_is_that_of_the_ledgers_head() {
    on_both(|ledger| {
        let head = store::head::read(&mut ledger.connection).unwrap();
        let report = ledger.audit();
        assert_eq!(report.root, head.frontier.root());
        assert_eq!(report.event_number, head.event_number.0);
        let root = serde_json::to_value(&report).unwrap()["root"].as_str().unwrap().to_owned();
        assert_eq!(root.len(), 64);
    });
}

#[test]
fn what_was_cancelled_is_claimed_after_its_expiry() {
    on_both(|ledger| {
        ledger.now = at("2029-01-01T00:00:00Z");
        ledger.bundles(BOB, A, &[18], Portion::Whole, Deed::Claim);
        assert_eq!(ledger.audit().findings, []);
    });
}

#[test]
fn corrected_deleted_and_released_readings_are_clean() {
    on_both(|ledger| {
        // down by a part of 11, which is split from its end, then down to nothing, and up again
        ledger.correct(7, 700);
        ledger.correct(14, 0);
        ledger.correct(15, 900);
        ledger.issue(360, 420);
        // on 2 were 10 Wh withdrawn, which stay held through a correction until they are released
        ledger.correct(2, 995);
        ledger.release(17);
        ledger.issue(60, 120);
        ledger.submit(vec![reading(WIND, 600, 60, 50)]);
        ledger.act(METERING, &Command::DeleteMeasurement(MeasurementId(18)));
        ledger.submit(vec![reading(WIND, 600, 30, 20)]);
        let report = ledger.audit();
        assert_eq!(report.findings, []);
        assert_eq!(report.measurements, 19);
    });
}

#[test]
fn what_a_battery_took_in_is_no_excess() {
    on_both(|ledger| {
        let mut battery = device("Battery", EnergySource::BatteryStorage, 1_000);
        battery.description.kind = DeviceKind::Storage;
        ledger.act(ADMIN, &Command::CreateDevice(battery));
        let readings = vec![reading(DeviceId(3), 0, 60, -500), reading(DeviceId(3), 60, 60, 400)];
        let source = ReadingSource::Submitted;
        ledger.act(METERING, &Command::SubmitReadings(SubmitReadings { readings, source }));
        assert_eq!(ledger.audit().findings, []);
    });
}

#[test]
fn progress_reaches_the_total_of_each_phase() {
    on_both(|ledger| {
        let mut last: BTreeMap<String, Progress> = BTreeMap::new();
        let each = |progress: Progress| {
            assert!(progress.done <= progress.total, "{progress:?}");
            last.insert(format!("{:?}", progress.phase), progress);
        };
        verify::run(&mut ledger.connection, &Options::default(), each).unwrap();
        assert_eq!(last.len(), 6);
        for progress in last.values() {
            assert_eq!(progress.done, progress.total, "{progress:?}");
        }
        assert_eq!(last["Log"].phase, Phase::Log);
    });
}

#[test]
fn codes_of_findings_are_snake_case_and_stay() {
    let code = serde_json::to_value(FindingKind::MovedWithoutWhitelist).unwrap();
    assert_eq!(code, "moved_without_whitelist");
}
