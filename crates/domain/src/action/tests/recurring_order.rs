//! Recurring orders: who places and ends them, and the order of refusals.

use super::*;
use crate::recurring_order::{OrderDeed, OrderState, OrderTerms, PeriodUnit, RecurringOrder, Schedule};
use crate::{RecurringOrderId, UserId};

const NEEDS_TRADER: &str = "the role Trading User or Production User and membership of account 1";

fn transfer_to(target: AccountId) -> OrderDeed {
    OrderDeed::Transfer { target }
}

fn cancel_for(beneficiary_account: Option<AccountId>) -> OrderDeed {
    OrderDeed::Cancel { beneficiary: None, beneficiary_account, purpose: None }
}

fn terms(deed: OrderDeed) -> OrderTerms {
    let schedule = Schedule { first_at: noon(), unit: PeriodUnit::Months, every: 1, runs: Some(3) };
    OrderTerms { deed, source: SELLER, schedule, device: Some(WIND), energy_source: None, portion: quantity(10) }
}

fn place(terms: &OrderTerms) -> Command {
    Command::PlaceOrder(terms.clone())
}

/// With one order of `SELLER`'s trader.
fn ordered() -> (State, RecurringOrder) {
    let mut state = state();
    let (changes, outcome) = decided(&state, TRADER, &place(&terms(transfer_to(BUYER)))).unwrap();
    state.apply(ActionId(1), &changes);
    let Outcome::Order(order) = outcome else { panic!("{outcome:?}") };
    assert_eq!(changes, [Change::OrderPlaced((*order).clone())]);
    (state, *order)
}

#[test]
fn an_order_is_placed_and_due_at_its_first_date() {
    let (state, order) = ordered();
    let expected = RecurringOrder {
        id: RecurringOrderId(1),
        terms: terms(transfer_to(BUYER)),
        ordered_by: TRADER.0,
        created_at: noon(),
        state: OrderState::Active,
        next_due_at: Some(noon()),
        runs_done: 0,
    };
    assert_eq!((&order, state.next.recurring_order), (&expected, RecurringOrderId(2)));
    for (actor, deed) in [(PRODUCER, cancel_for(None)), (TRADER, cancel_for(Some(STRANGER)))] {
        decided(&state, actor, &place(&terms(deed))).unwrap();
    }
}

#[test]
fn placing_is_refused_in_this_order() {
    let yesterday = at("2026-02-28T23:59:59Z");
    let midnight = at("2026-03-01T00:00:00Z");
    let late = |terms: OrderTerms| OrderTerms { schedule: Schedule { first_at: yesterday, ..terms.schedule }, ..terms };
    let none = |terms: OrderTerms| OrderTerms { portion: quantity(0), ..late(terms) };
    let not_whitelisted = |target_id| Refusal::NotWhitelisted { source_id: SELLER, target_id };
    let of_nobody = OrderTerms { source: NOBODY, ..none(terms(transfer_to(NOBODY))) };
    for (actor, terms, expected) in [
        (BUYERS_TRADER, none(terms(transfer_to(SELLER))), forbidden(NEEDS_TRADER)),
        (ADMINISTRATOR, none(terms(transfer_to(SELLER))), forbidden(NEEDS_TRADER)),
        (TRADER, none(terms(transfer_to(SELLER))), Refusal::TargetIsSource { source_id: SELLER }),
        (TRADER, none(terms(transfer_to(STRANGER))), not_whitelisted(STRANGER)),
        (TRADER, none(terms(transfer_to(NOBODY))), not_whitelisted(NOBODY)),
        (TRADER, none(terms(transfer_to(DELETED_ACCOUNT))), not_whitelisted(DELETED_ACCOUNT)),
        (TRADER, none(terms(cancel_for(Some(NOBODY)))), Refusal::AccountMissing { account_id: NOBODY }),
        (TRADER, none(terms(transfer_to(BUYER))), Refusal::QuantityZero),
        (TRADER, OrderTerms { portion: share("1.01"), ..late(terms(cancel_for(None))) }, Refusal::ShareOutOfRange),
        (TRADER, OrderTerms { portion: share("0"), ..late(terms(cancel_for(None))) }, Refusal::ShareOutOfRange),
        (TRADER, late(terms(transfer_to(BUYER))), Refusal::DatePassed { first_at: yesterday, earliest: midnight }),
    ] {
        assert_eq!(refusal(&state(), actor, &place(&terms)), expected, "{terms:?} by {actor}");
    }
    let missing = decide(&state(), Actor::Operator, &place(&of_nobody), noon(), &rules());
    assert_eq!(missing, Err(Refusal::AccountMissing { account_id: NOBODY }));
    let today = OrderTerms {
        schedule: Schedule { first_at: midnight, ..terms(cancel_for(None)).schedule },
        ..terms(cancel_for(None))
    };
    decided(&state(), TRADER, &place(&today)).unwrap();
}

#[test]
fn an_order_is_ended_by_traders_of_its_source_and_once() {
    let (mut state, order) = ordered();
    let end = Command::EndOrder(order.id);
    let missing = |id| Refusal::OrderMissing { order_id: RecurringOrderId(id) };
    for (actor, expected) in [
        (BUYERS_TRADER, missing(1)),
        (METER, missing(1)),
        (UserId(77), missing(1)),
        (AUDITOR, forbidden(NEEDS_TRADER)),
        (ADMINISTRATOR, forbidden(NEEDS_TRADER)),
        (ISSUER, forbidden(NEEDS_TRADER)),
    ] {
        assert_eq!(refusal(&state, actor, &end), expected, "{actor}");
    }
    assert_eq!(refusal(&state, TRADER, &Command::EndOrder(RecurringOrderId(9))), missing(9));
    let (changes, outcome) = decided(&state, PRODUCER, &end).unwrap();
    assert_eq!(changes, [Change::OrderEnded { id: order.id, state: OrderState::Active, next_due_at: Some(noon()) }]);
    let ended = RecurringOrder { state: OrderState::Ended, next_due_at: None, ..order };
    assert_eq!(outcome, Outcome::Order(Box::new(ended.clone())));
    state.apply(ActionId(2), &changes);
    assert_eq!(decided(&state, TRADER, &end).unwrap(), (vec![], Outcome::Order(Box::new(ended))));
}
