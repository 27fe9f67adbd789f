//! A recurring order runs: at one of its due times, in the name of who ordered it, with the rights that they have then.
//!
//! Refusals, in order: the run is nobody's but the registry's; the order is missing; the order has moved on (it is not
//! active, that run is not its next, it is not due, or what the run names is not Active in the source any more: then the
//! registry looks again). Whatever else the rules of transfers and cancellations refuse is no refusal here: the run is done,
//! the order goes on to its next due time, and why nothing was done is on record. Where nothing matches, that says so.
//!
//! An order ends by itself after its last due time, and with a refused run once an account that it names was deleted, as
//! nothing brings that back. Everything else may change again, and it goes on.

use super::Outcome;
use super::selection::{self, BundleAction, Deed};
use crate::recurring_order::{OrderDeed, OrderRun, OrderState, OrderTerms};
use crate::{Actor, Bundle, BundleStatus, Change, Changes, Refusal, State};
use jiff::Timestamp;

pub(super) fn decide(
    state: &State,
    actor: Actor,
    run: &OrderRun,
    now: Timestamp,
) -> Result<(Changes, Outcome), Refusal> {
    let order = state.recurring_orders.get(&run.order).ok_or(Refusal::OrderMissing { order_id: run.order })?;
    if actor != order.actor() {
        return Err(Refusal::Forbidden { needs: "nobody: the registry does it by itself".to_owned() });
    }
    assert_eq!(order.terms, run.terms, "the terms of an order never change");
    let is_next = order.state == OrderState::Active && order.next_due_at == Some(run.due_at) && run.due_at <= now;
    let source = run.terms.source;
    let is_apt = |bundle: &Bundle| bundle.account_id == source && bundle.status_at(now) == BundleStatus::Active;
    if !is_next || !run.bundles.iter().all(|id| state.bundle(*id).is_some_and(is_apt)) {
        return Err(Refusal::OrderMoved { order_id: run.order });
    }
    let action = action_of(&run.terms, run);
    let (done, deeds) = match selection::decide(state, actor, &action, now) {
        Ok((changes, Outcome::Bundles { total, .. })) => (Ok(total), changes),
        Ok((_, other)) => unreachable!("a transfer or a cancellation gave {other:?}"),
        Err(Refusal::NoBundles) => (Err(Box::new(Refusal::NothingMatches { source_id: source })), Vec::new()),
        Err(refusal) => (Err(Box::new(refusal)), Vec::new()),
    };
    let after = order.after_run(done.is_err() && is_over(state, &run.terms));
    let ran = Change::OrderRan {
        before: Box::new(order.clone()),
        after: Box::new(after.clone()),
        ran_at: now,
        done: done.clone(),
    };
    let changes = std::iter::once(ran).chain(deeds).collect();
    Ok((changes, Outcome::Ran { order: Box::new(after), done }))
}

/// What a run does.
fn action_of(terms: &OrderTerms, run: &OrderRun) -> BundleAction {
    let deed = match terms.deed.clone() {
        OrderDeed::Transfer { target } => Deed::Transfer { target },
        OrderDeed::Cancel { beneficiary, beneficiary_account, purpose } => {
            Deed::Cancel { beneficiary, beneficiary_account, purpose }
        }
    };
    BundleAction { source: terms.source, bundles: run.bundles.clone(), portion: terms.portion, deed }
}

/// Whether an account that the order names is gone for ever.
fn is_over(state: &State, terms: &OrderTerms) -> bool {
    let other = match &terms.deed {
        OrderDeed::Transfer { target } => Some(*target),
        OrderDeed::Cancel { beneficiary_account, .. } => *beneficiary_account,
    };
    std::iter::once(terms.source).chain(other).any(|account| state.live_account(account).is_none())
}
