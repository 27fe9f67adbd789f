//! Hours whose readings are summed: a clean one, and sums that are none.

use crate::ledger::{ISSUER, Ledger, SOLAR, chunk, on_both, reading};
use domain::action::SubmitReadings;
use domain::{ActionKind, Change, Changes, Command, MeasurementId, Quality, ReadingSource, decide};
use verify::{FindingKind as Kind, Noun};

/// The ninth hour, of which the roof has four quarters, as readings 14 to 17.
const HOUR: (i64, i64) = (480, 540);
/// Their sum.
const SUM: i64 = 18;

fn measured(ledger: &mut Ledger) {
    ledger.rules.sums_to_hour = true;
    ledger.submit((0..4).map(|quarter| reading(SOLAR, 480 + quarter * 15, 15, 100 + quarter)).collect());
}

fn issued(ledger: &mut Ledger) {
    measured(ledger);
    ledger.issue(HOUR.0, HOUR.1);
}

/// Seals an issue of the hour that `change` made another one.
fn forge_issue(ledger: &mut Ledger, change: impl Fn(&mut Changes)) {
    measured(ledger);
    let (command, now, rules) = (Command::Issue(chunk(HOUR.0, HOUR.1)), ledger.now, ledger.rules);
    ledger.forge(ISSUER, ActionKind::Issue, &command, |state| {
        let (mut changes, _) = decide(state, ISSUER, &command, now, &rules).unwrap();
        change(&mut changes);
        changes
    });
}

/// Changes the readings that the issue makes.
fn forge_sum(ledger: &mut Ledger, change: impl Fn(&mut domain::Reading, &mut ReadingSource)) {
    forge_issue(ledger, |changes| {
        for made in changes {
            if let Change::ReadingsAccepted { readings, source, .. } = made {
                change(&mut readings[0], source);
            }
        }
    });
}

#[test]
fn a_sum_that_is_issued_corrected_and_withdrawn_is_without_a_finding() {
    on_both(|ledger| {
        issued(ledger);
        // the second quarter down, which withdraws 61 Wh; then that one up, which leaves 70 Wh to be issued
        ledger.correct(15, 40);
        ledger.correct(19, 110);
        ledger.issue(HOUR.0, HOUR.1);
        let report = ledger.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
    });
}

#[test]
fn a_sum_that_says_more_than_its_parts() {
    on_both(|ledger| {
        forge_sum(ledger, |sum, _| sum.energy_wh += 1);
        let finding = ledger.finds_only(Kind::SumWrong, Noun::Measurement, SUM);
        assert!(finding.text.contains("407 Wh, and its parts 406 Wh"), "{}", finding.text);
    });
}

#[test]
fn a_sum_of_another_quality() {
    on_both(|ledger| {
        forge_sum(ledger, |sum, _| sum.quality = Quality::Calculated);
        ledger.finds_only(Kind::SumWrong, Noun::Measurement, SUM);
    });
}

#[test]
fn a_sum_beside_which_a_part_goes_on_counting() {
    on_both(|ledger| {
        forge_issue(ledger, |changes| {
            changes.retain(|change| {
                *change != Change::ReadingSuperseded { id: MeasurementId(16), by: MeasurementId(SUM) }
            });
        });
        let finding = ledger.finds(Kind::SumWrong, Noun::Measurement, SUM);
        assert!(finding.text.contains("its 3 parts are not the hour"), "{}", finding.text);
        ledger.finds(Kind::ReadingsOverlap, Noun::Measurement, 16);
    });
}

#[test]
fn a_part_that_was_another_value() {
    on_both(|ledger| {
        issued(ledger);
        ledger.sql("UPDATE measurement SET energy_wh = 5 WHERE id = 16");
        ledger.finds(Kind::RowDiffers, Noun::Measurement, 16);
        ledger.finds(Kind::SumWrong, Noun::Measurement, SUM);
    });
}

#[test]
fn an_issue_that_states_a_reading_and_calls_it_submitted() {
    on_both(|ledger| {
        forge_sum(ledger, |_, source| *source = ReadingSource::Submitted);
        let report = ledger.audit();
        let kinds: Vec<Kind> = report.findings.iter().map(|finding| finding.kind).collect();
        assert!(kinds.contains(&Kind::KindDoesNotFit) && kinds.contains(&Kind::ReadingWrong), "{kinds:?}");
    });
}

#[test]
fn a_sum_that_somebody_submitted() {
    on_both(|ledger| {
        let submission = SubmitReadings { readings: vec![reading(SOLAR, 480, 60, 400)], source: ReadingSource::Summed };
        ledger.act(crate::ledger::METERING, &Command::SubmitReadings(submission));
        ledger.finds(Kind::SumWrong, Noun::Measurement, 14);
        let report = ledger.audit();
        assert!(report.findings.iter().any(|finding| finding.kind == Kind::KindDoesNotFit), "{:#?}", report.findings);
    });
}
