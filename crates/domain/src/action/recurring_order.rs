//! Recurring orders are placed and ended. Whether an order can be carried out is decided again at each run.
//!
//! Refusals of placing, in order: forbidden; the source is missing; of a transfer: target is source, not whitelisted (also a
//! target that does not exist or is deleted); of a cancellation: the account of the beneficiary is missing; a quantity of
//! zero; a share out of range; a device of the source's own of which nothing can ever match; a first date before today. Of
//! ending, pausing and resuming: missing, for who may not know of it; forbidden; of the latter two: it has ended. What is so
//! already changes nothing. Due times that pass during a pause are not made up for.

use super::Outcome;
use crate::recurring_order::{OrderDeed, OrderState, OrderTerms, RecurringOrder, day_of};
use crate::{Actor, Capability, Change, Changes, DeviceKind, Portion, RecurringOrderId, Refusal, State, WattHours};
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
    never_matches(state, terms)?;
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
    let order = order_of(state, actor, id)?;
    if order.state == OrderState::Ended {
        return Ok((Vec::new(), Outcome::Order(Box::new(order.clone()))));
    }
    let change = Change::OrderEnded { id, state: order.state, next_due_at: order.next_due_at };
    let ended = RecurringOrder { state: OrderState::Ended, next_due_at: None, ..order.clone() };
    Ok((vec![change], Outcome::Order(Box::new(ended))))
}

pub(super) fn pause(state: &State, actor: Actor, id: RecurringOrderId) -> Result<(Changes, Outcome), Refusal> {
    let order = order_of(state, actor, id)?;
    match order.state {
        OrderState::Ended => Err(Refusal::OrderOver { order_id: id }),
        OrderState::Paused => Ok((Vec::new(), Outcome::Order(Box::new(order.clone())))),
        OrderState::Active => Ok(change(order, order.paused())),
    }
}

pub(super) fn resume(
    state: &State,
    actor: Actor,
    id: RecurringOrderId,
    now: Timestamp,
) -> Result<(Changes, Outcome), Refusal> {
    let order = order_of(state, actor, id)?;
    match order.state {
        OrderState::Ended => Err(Refusal::OrderOver { order_id: id }),
        OrderState::Active => Ok((Vec::new(), Outcome::Order(Box::new(order.clone())))),
        OrderState::Paused => Ok(change(order, order.resumed(now))),
    }
}

fn change(before: &RecurringOrder, after: RecurringOrder) -> (Changes, Outcome) {
    let change = Change::OrderChanged { before: Box::new(before.clone()), after: Box::new(after.clone()) };
    (vec![change], Outcome::Order(Box::new(after)))
}

/// The order, for who may change it.
fn order_of(state: &State, actor: Actor, id: RecurringOrderId) -> Result<&RecurringOrder, Refusal> {
    let missing = Refusal::OrderMissing { order_id: id };
    let Some(order) = state.recurring_orders.get(&id) else { return Err(missing) };
    let source = order.terms.source;
    if !state.permits(actor, Capability::ReadEverything) && !state.is_member(actor, source) {
        return Err(missing);
    }
    state.require(actor, Capability::Trade(source))?;
    Ok(order)
}

/// Of a device of the source's own it is known what certificates it has, if any. Others are not looked at: what they are is
/// not the caller's business.
fn never_matches(state: &State, terms: &OrderTerms) -> Result<(), Refusal> {
    let device = terms.device.and_then(|id| state.devices.get(&id)).filter(|device| device.account_id == terms.source);
    let Some(device) = device else { return Ok(()) };
    let refused = |cause| Err(Refusal::NeverMatches { device_id: device.id, cause });
    if device.is_deleted && device.next_certificate == 1 {
        return refused("it was deleted, and no certificates were ever issued on it");
    }
    let asked = terms.energy_source.unwrap_or(device.description.energy_source);
    match device.description.kind {
        DeviceKind::Consumption => refused("it consumes, and no certificates are issued for that"),
        DeviceKind::Production if asked != device.description.energy_source => {
            refused("its certificates are made from another energy source")
        }
        DeviceKind::Production | DeviceKind::Storage => Ok(()),
    }
}
