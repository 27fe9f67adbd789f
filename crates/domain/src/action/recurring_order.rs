//! Recurring orders are placed and ended. Whether an order can be carried out is decided again at each run.
//!
//! Refusals of placing, in order: forbidden; the source is missing; of a transfer: target is source, not whitelisted (also a
//! target that does not exist or is deleted); of a cancellation: the account of the beneficiary is missing; a quantity of
//! zero; a share out of range; a first date before today. Of ending: missing, for who may not know of it; forbidden.
//! Ending again changes nothing.

use super::Outcome;
use crate::recurring_order::{OrderDeed, OrderState, OrderTerms, RecurringOrder, day_of};
use crate::{Actor, Capability, Change, Changes, Portion, RecurringOrderId, Refusal, State, WattHours};
use jiff::Timestamp;

pub(super) fn place(
    state: &State,
    actor: Actor,
    terms: &OrderTerms,
    now: Timestamp,
) -> Result<(Changes, Outcome), Refusal> {
    let source = terms.source;
    state.require(actor, Capability::Trade(source))?;
    state.live_account(source).ok_or(Refusal::AccountMissing { account_id: source })?;
    match &terms.deed {
        OrderDeed::Transfer { target } if *target == source => {
            return Err(Refusal::TargetIsSource { source_id: source });
        }
        OrderDeed::Transfer { target } => {
            if state.live_account(*target).is_none() || !state.whitelist.contains(&(*target, source)) {
                return Err(Refusal::NotWhitelisted { source_id: source, target_id: *target });
            }
        }
        OrderDeed::Cancel { beneficiary_account, .. } => {
            if let Some(id) = beneficiary_account {
                state.live_account(*id).ok_or(Refusal::AccountMissing { account_id: *id })?;
            }
        }
    }
    match terms.portion {
        Portion::Quantity(WattHours::ZERO) => return Err(Refusal::QuantityZero),
        Portion::Share(share) if share.is_zero() || !share.is_share() => return Err(Refusal::ShareOutOfRange),
        Portion::Whole | Portion::Quantity(_) | Portion::Share(_) => {}
    }
    let earliest = day_of(now);
    if terms.schedule.first_at < earliest {
        return Err(Refusal::DatePassed { first_at: terms.schedule.first_at, earliest });
    }
    let order = RecurringOrder {
        id: state.next.recurring_order,
        terms: terms.clone(),
        ordered_by: actor.code(),
        created_at: now,
        state: OrderState::Active,
        next_due_at: Some(terms.schedule.first_at),
        runs_done: 0,
    };
    Ok((vec![Change::OrderPlaced(order.clone())], Outcome::Order(Box::new(order))))
}

pub(super) fn end(state: &State, actor: Actor, id: RecurringOrderId) -> Result<(Changes, Outcome), Refusal> {
    let missing = Refusal::OrderMissing { order_id: id };
    let Some(order) = state.recurring_orders.get(&id) else { return Err(missing) };
    let may = Capability::Trade(order.terms.source);
    let may_know = state.permits(actor, Capability::ReadEverything) || state.is_member(actor, order.terms.source);
    if !may_know {
        return Err(missing);
    }
    state.require(actor, may)?;
    if order.state == OrderState::Ended {
        return Ok((Vec::new(), Outcome::Order(Box::new(order.clone()))));
    }
    let change = Change::OrderEnded { id, state: order.state, next_due_at: order.next_due_at };
    let ended = RecurringOrder { state: OrderState::Ended, next_due_at: None, ..order.clone() };
    Ok((vec![change], Outcome::Order(Box::new(ended))))
}
