//! Corrections of account or state by the issuer: the one move that needs no whitelist, and what it must not become.

use crate::ledger::{A, ALICE, C, ISSUER, Ledger, WHOLE, at, changed, on, on_both};
use domain::action::Deed;
use domain::bundle::Mutable;
use domain::{AccountId, ActionKind, Actor, BundleId, BundleStatus, Command, Portion, WattHours};
use verify::{FindingKind as Kind, Noun};

/// A bundle of account 1 that is Locked.
const LOCKED: BundleId = BundleId(5);
/// A bundle of account 1 that is Cancelled.
const CANCELLED: BundleId = BundleId(18);

fn correct(account: Option<AccountId>, status: Option<BundleStatus>) -> Deed {
    Deed::UpdateMutables { account, status, reason: None }
}

fn forge(ledger: &mut Ledger, actor: Actor, kind: ActionKind, id: BundleId, change: impl Fn(&mut Mutable)) {
    let naming = Command::Bundles(on(A, &[id.0], Portion::Whole, Deed::Claim));
    ledger.forge(actor, kind, &naming, |state| vec![changed(state.bundle(id).unwrap(), change)]);
}

#[test]
fn the_issuer_moves_locks_and_withdraws_without_a_finding() {
    on_both(|ledger| {
        ledger.bundles(ISSUER, A, &[LOCKED.0], Portion::Whole, correct(Some(C), None));
        let part = Portion::Quantity(WattHours(100));
        ledger.bundles(ISSUER, A, &[WHOLE.0], part, correct(Some(C), Some(BundleStatus::Locked)));
        ledger.bundles(ISSUER, C, &[LOCKED.0], part, correct(Some(A), Some(BundleStatus::Active)));
        ledger.bundles(ISSUER, A, &[8], Portion::Whole, correct(Some(C), Some(BundleStatus::Cancelled)));
        ledger.bundles(ISSUER, A, &[9], part, correct(None, Some(BundleStatus::Withdrawn)));
        let report = ledger.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
    });
}

#[test]
fn a_transfer_does_not_move_what_is_locked() {
    on_both(|ledger| {
        forge(ledger, ALICE, ActionKind::Transfer, LOCKED, |bundle| bundle.account_id = AccountId(2));
        let finding = ledger.finds_only(Kind::StateWrong, Noun::Bundle, LOCKED.0);
        assert!(finding.text.contains("it was Locked"), "{}", finding.text);
    });
}

#[test]
fn a_correction_by_a_trader() {
    on_both(|ledger| {
        forge(ledger, ALICE, ActionKind::UpdateMutables, WHOLE, |bundle| bundle.account_id = C);
        ledger.finds_only(Kind::ActorNotPermitted, Noun::Action, 32);
    });
}

#[test]
fn a_correction_that_un_cancels() {
    on_both(|ledger| {
        forge(ledger, ISSUER, ActionKind::UpdateMutables, CANCELLED, |bundle| bundle.status = BundleStatus::Active);
        ledger.finds(Kind::StateWrong, Noun::Bundle, CANCELLED.0);
    });
}

#[test]
fn a_correction_of_what_was_cancelled() {
    on_both(|ledger| {
        forge(ledger, ISSUER, ActionKind::UpdateMutables, CANCELLED, |bundle| bundle.account_id = C);
        ledger.finds_only(Kind::StateWrong, Noun::Bundle, CANCELLED.0);
    });
    on_both(|ledger| {
        forge(ledger, ISSUER, ActionKind::UpdateMutables, CANCELLED, |bundle| bundle.status = BundleStatus::Withdrawn);
        ledger.finds_only(Kind::KindDoesNotFit, Noun::Bundle, CANCELLED.0);
    });
}

#[test]
fn a_correction_into_an_account_that_does_not_exist() {
    on_both(|ledger| {
        forge(ledger, ISSUER, ActionKind::UpdateMutables, WHOLE, |bundle| bundle.account_id = AccountId(99));
        let finding = ledger.finds_only(Kind::MovedByOtherAction, Noun::Bundle, WHOLE.0);
        assert!(finding.text.contains("which did not exist then"), "{}", finding.text);
    });
}

#[test]
fn a_correction_of_what_had_expired() {
    on_both(|ledger| {
        ledger.now = at("2028-01-01T07:00:00Z");
        forge(ledger, ISSUER, ActionKind::UpdateMutables, WHOLE, |bundle| bundle.account_id = C);
        ledger.finds_only(Kind::ActedAfterExpiry, Noun::Bundle, WHOLE.0);
    });
}
