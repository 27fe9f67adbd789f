//! Bundles that the issuer makes by stating them: their readings and certificates come in one action.

use crate::ledger::{A, ALICE, ISSUER, Ledger, WIND, interval, next_bundle, on_both, reading};
use domain::action::{CreateBundle, Stated};
use domain::{ActionKind, Actor, Change, Command, MetadataId, ReadingSource, WattHours};
use verify::{FindingKind as Kind, Noun};

fn statement(start: i64, quantity: u64) -> Command {
    let (metadata_id, production) = (MetadataId(1), interval(start, 60));
    let stated = Stated { account_id: Some(A), ..Stated::default() };
    Command::CreateBundle(CreateBundle {
        metadata_id,
        device_id: WIND,
        production,
        quantity: WattHours(quantity),
        stated,
    })
}

/// A reading and a bundle of other sizes, in one action.
fn forge(ledger: &mut Ledger, actor: Actor, kind: ActionKind, energy_wh: i64, quantity: u64) {
    let now = ledger.now;
    ledger.forge(actor, kind, &statement(600, quantity), |state| {
        let readings = vec![reading(WIND, 600, 60, energy_wh)];
        let first = state.next.measurement;
        vec![
            Change::ReadingsAccepted { first, readings, source: ReadingSource::Issuer },
            Change::BundleCreated(next_bundle(state, WIND, interval(600, 60), quantity, now)),
        ]
    });
}

#[test]
fn a_statement_is_a_reading_and_a_bundle_without_a_finding() {
    on_both(|ledger| {
        ledger.act(ISSUER, &statement(600, 1_000));
        ledger.submit(vec![reading(WIND, 660, 60, 300)]);
        ledger.act(ISSUER, &statement(660, 300));
        let report = ledger.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
    });
}

#[test]
fn a_statement_that_mints_more_than_it_measures() {
    on_both(|ledger| {
        forge(ledger, ISSUER, ActionKind::CreateBundle, 400, 1_000);
        ledger.finds_only(Kind::IssuedTwice, Noun::Measurement, 14);
    });
}

#[test]
fn a_statement_of_a_trader() {
    on_both(|ledger| {
        forge(ledger, ALICE, ActionKind::CreateBundle, 1_000, 1_000);
        ledger.finds_only(Kind::ActorNotPermitted, Noun::Action, 32);
    });
}

#[test]
fn a_statement_that_passes_for_an_issue() {
    on_both(|ledger| {
        // an issue makes no readings
        forge(ledger, ISSUER, ActionKind::Issue, 1_000, 1_000);
        let report = ledger.audit();
        assert_eq!(report.kinds.keys().copied().collect::<Vec<_>>(), [Kind::KindDoesNotFit], "{:#?}", report.findings);
    });
}
