//! Bundles expire at their time, by the registry itself; the auditor looks at when, by whom and from which state.

use crate::ledger::{A, B, ISSUER, Ledger, WHOLE, at, changed, child, on, on_both};
use domain::action::Deed;
use domain::{ActionKind, Actor, BundleId, BundleStatus, Change, Command, Portion};
use verify::{FindingKind as Kind, Noun};

/// When bundle 11 expires.
const ITS_TIME: &str = "2028-01-01T07:00:00Z";
const A_MOMENT_BEFORE: &str = "2028-01-01T06:59:59.999999Z";
/// When all have expired.
const LATER: &str = "2030-01-01T00:00:00Z";

fn naming(id: BundleId) -> Command {
    Command::Bundles(on(A, &[id.0], Portion::Whole, Deed::Claim))
}

/// Says that a bundle is Expired, whatever it is and whenever that is.
fn forge(ledger: &mut Ledger, actor: Actor, kind: ActionKind, id: BundleId) {
    ledger.forge(actor, kind, &naming(id), |state| {
        vec![changed(state.bundle(id).unwrap(), |bundle| bundle.status = BundleStatus::Expired)]
    });
}

#[test]
fn what_expired_in_time_is_clean_the_locked_too_and_what_was_withdrawn_since() {
    on_both(|ledger| {
        ledger.now = at(ITS_TIME);
        ledger.act(Actor::Operator, &Command::Expire(vec![WHOLE, BundleId(5)]));
        ledger.now = at(LATER);
        ledger.act(Actor::Operator, &Command::Expire((1..=20).map(BundleId).collect()));
        let withdrawal = Deed::Withdraw { reason: "a wrong meter".to_owned(), export_failed: false };
        ledger.bundles(ISSUER, A, &[WHOLE.0], Portion::Quantity(domain::WattHours(10)), withdrawal);
        let report = ledger.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
    });
}

#[test]
fn a_bundle_that_expired_a_microsecond_too_early() {
    on_both(|ledger| {
        ledger.now = at(A_MOMENT_BEFORE);
        forge(ledger, Actor::Operator, ActionKind::Expire, WHOLE);
        let finding = ledger.finds_only(Kind::ExpiredTooEarly, Noun::Bundle, WHOLE.0);
        assert!(finding.text.contains(ITS_TIME), "{}", finding.text);
    });
}

#[test]
fn a_bundle_that_a_user_let_expire() {
    on_both(|ledger| {
        ledger.now = at(ITS_TIME);
        forge(ledger, ISSUER, ActionKind::Expire, WHOLE);
        let report = ledger.audit();
        let kinds: Vec<_> = report.kinds.keys().copied().collect();
        assert_eq!(kinds, [Kind::ActorNotPermitted], "{:#?}", report.findings);
    });
}

#[test]
fn an_expiry_that_passes_for_something_else() {
    on_both(|ledger| {
        ledger.now = at(ITS_TIME);
        forge(ledger, ISSUER, ActionKind::Lock, WHOLE);
        ledger.finds_only(Kind::KindDoesNotFit, Noun::Bundle, WHOLE.0);
    });
}

#[test]
fn a_reserved_bundle_that_expired() {
    on_both(|ledger| {
        ledger.now = at(LATER);
        forge(ledger, Actor::Operator, ActionKind::Expire, BundleId(7));
        let finding = ledger.finds_only(Kind::StateWrong, Noun::Bundle, 7);
        assert!(finding.text.contains("it was Reserved"), "{}", finding.text);
    });
}

#[test]
fn an_expiry_that_moves_and_one_that_splits() {
    on_both(|ledger| {
        ledger.now = at(ITS_TIME);
        ledger.forge(Actor::Operator, ActionKind::Expire, &naming(WHOLE), |state| {
            vec![changed(state.bundle(WHOLE).unwrap(), |bundle| {
                (bundle.status, bundle.account_id) = (BundleStatus::Expired, B);
            })]
        });
        ledger.finds(Kind::MovedByOtherAction, Noun::Bundle, WHOLE.0);
    });
    on_both(|ledger| {
        ledger.now = at(ITS_TIME);
        ledger.forge(Actor::Operator, ActionKind::Expire, &naming(WHOLE), |state| {
            let (parent, next) = (state.bundle(WHOLE).unwrap(), state.next.bundle);
            let (first, last) = (parent.range.first(), parent.range.last());
            let mut taken = child(parent, next, first, first + 99);
            taken.status = BundleStatus::Expired;
            vec![
                changed(parent, |parent| parent.status = BundleStatus::Split),
                Change::BundleCreated(taken),
                Change::BundleCreated(child(parent, next.next(), first + 100, last)),
            ]
        });
        let report = ledger.audit();
        assert!(report.kinds.contains_key(&Kind::KindDoesNotFit), "{:#?}", report.findings);
    });
}

#[test]
fn an_expired_bundle_that_is_active_again_in_the_table() {
    on_both(|ledger| {
        ledger.now = at(LATER);
        ledger.act(Actor::Operator, &Command::Expire(vec![WHOLE]));
        ledger.sql("UPDATE bundle SET status = 1 WHERE id = 11");
        let finding = ledger.finds_only(Kind::RowDiffers, Noun::Bundle, WHOLE.0);
        assert!(finding.text.contains("status is Active"), "{}", finding.text);
    });
}
