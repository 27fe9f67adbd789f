//! Recurring orders: their rows are what their events say, and traders of the source placed them.

use crate::ledger::{A, ALICE, B, BOB, Ledger, WIND, on_both};
use domain::recurring_order::{OrderDeed, OrderState, OrderTerms, PeriodUnit, RecurringOrder, Schedule};
use domain::{ActionKind, Actor, Change, Command, Portion, Ratio, RecurringOrderId};
use jiff::SignedDuration;
use verify::{FindingKind as Kind, Noun};

fn terms(ledger: &Ledger, deed: OrderDeed) -> OrderTerms {
    let first_at = ledger.now + SignedDuration::from_hours(1);
    let schedule = Schedule { first_at, unit: PeriodUnit::Weeks, every: 2, runs: None };
    let portion = Portion::Share(Ratio::parse("0.125").unwrap());
    OrderTerms { deed, source: A, schedule, device: Some(WIND), energy_source: None, portion }
}

fn cancellation() -> OrderDeed {
    let purpose = Some("bread".to_owned());
    OrderDeed::Cancel { beneficiary: Some("Bob's bakery".to_owned()), beneficiary_account: Some(B), purpose }
}

/// Two orders of Alice's, the first of which was ended.
fn order(ledger: &mut Ledger) {
    for deed in [OrderDeed::Transfer { target: B }, cancellation()] {
        let terms = terms(ledger, deed);
        ledger.act(ALICE, &Command::PlaceOrder(terms));
    }
    ledger.act(ALICE, &Command::EndOrder(RecurringOrderId(1)));
}

/// Orders with every right of somebody at the database.
fn forge(ledger: &mut Ledger, actor: Actor, kind: ActionKind) {
    let (terms, created_at) = (terms(ledger, cancellation()), ledger.now);
    ledger.forge(actor, kind, &Command::PlaceOrder(terms.clone()), |state| {
        vec![Change::OrderPlaced(RecurringOrder {
            id: state.next.recurring_order,
            next_due_at: Some(terms.schedule.first_at),
            terms,
            ordered_by: actor.code(),
            created_at,
            state: OrderState::Active,
            runs_done: 0,
        })]
    });
}

#[test]
fn orders_that_were_placed_and_ended_are_clean() {
    on_both(|ledger| {
        order(ledger);
        let report = ledger.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
    });
}

#[test]
fn an_order_that_was_changed_in_the_table() {
    for (column, value) in [
        ("target_id", "3"),
        ("quantity", "7"),
        ("share", "1"),
        ("period_quantity", "1"),
        ("runs", "5"),
        ("runs_done", "1"),
        ("purpose", "'cake'"),
        ("ordered_by", "5"),
    ] {
        on_both(|ledger| {
            order(ledger);
            ledger.sql(&format!("UPDATE recurring_order SET {column} = {value} WHERE id = 2"));
            let finding = ledger.finds_only(Kind::RowDiffers, Noun::RecurringOrder, 2);
            assert!(finding.text.contains(column), "{}", finding.text);
        });
    }
}

#[test]
fn an_order_that_goes_on_after_its_end_and_one_that_is_gone() {
    on_both(|ledger| {
        order(ledger);
        ledger.sql("UPDATE recurring_order SET state = 1, next_due_at = first_at WHERE id = 1");
        let report = ledger.audit();
        assert_eq!(report.kinds.keys().copied().collect::<Vec<_>>(), [Kind::RowDiffers], "{:#?}", report.findings);
    });
    on_both(|ledger| {
        order(ledger);
        ledger.sql("DELETE FROM recurring_order WHERE id = 2");
        ledger.finds_only(Kind::RowMissing, Noun::RecurringOrder, 2);
    });
}

#[test]
fn an_order_of_a_stranger() {
    on_both(|ledger| {
        forge(ledger, BOB, ActionKind::RecurringCancel);
        let finding = ledger.finds_only(Kind::ActorNotPermitted, Noun::RecurringOrder, 1);
        assert!(finding.text.contains("account 1"), "{}", finding.text);
    });
}

#[test]
fn an_order_that_passes_for_a_cancellation() {
    on_both(|ledger| {
        forge(ledger, ALICE, ActionKind::Cancel);
        let report = ledger.audit();
        assert_eq!(report.kinds.keys().copied().collect::<Vec<_>>(), [Kind::KindDoesNotFit], "{:#?}", report.findings);
    });
}
