//! Recurring orders, and what their runs do.

use super::bundles::Held;
use super::{Decided, Decision, Model, Verdict};
use domain::action::{BundleAction, Deed, Portion};
use domain::recurring_order::{OrderDeed, OrderState, OrderTerms, PeriodUnit};
use domain::{AccountId, Actor, BundleId, BundleStatus, DeviceKind, RecurringOrderId, Role, WattHours};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// As many as one action names.
const BUNDLES_MAX: usize = 10_000;

#[derive(Clone, Debug)]
pub(super) struct ModelOrder {
    pub terms: OrderTerms,
    pub by: Actor,
    pub state: OrderState,
    pub next: Option<Timestamp>,
    /// Due times that are behind it.
    pub behind: u32,
}

/// A due time that is over: the Wh that were acted on, or the name of the reason why on none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    pub order: i64,
    pub due_at: Timestamp,
    pub energy: Option<i64>,
    pub refusal: Option<String>,
}

impl Model {
    pub(super) fn place_order(&mut self, now: Timestamp, actor: Actor, terms: &OrderTerms) -> Decision {
        if !self.trades(actor, terms.source) {
            return Err("forbidden");
        }
        if !self.accounts.contains_key(&terms.source) {
            return Err("account_missing");
        }
        match &terms.deed {
            OrderDeed::Transfer { target } if *target == terms.source => return Err("target_is_source"),
            OrderDeed::Transfer { target } => {
                if !self.accounts.contains_key(target) || !self.whitelist.contains(&(*target, terms.source)) {
                    return Err("not_whitelisted");
                }
            }
            OrderDeed::Cancel { beneficiary_account, .. } => {
                if beneficiary_account.is_some_and(|account| !self.accounts.contains_key(&account)) {
                    return Err("account_missing");
                }
            }
        }
        match terms.portion {
            Portion::Quantity(WattHours(0)) => return Err("quantity_zero"),
            Portion::Share(share) if share.is_zero() || !share.is_share() => return Err("share_out_of_range"),
            Portion::Whole | Portion::Quantity(_) | Portion::Share(_) => {}
        }
        let own = terms.device.and_then(|id| self.devices.get(&id)).filter(|device| device.account == terms.source);
        if own.is_some_and(|device| device.description.kind == DeviceKind::Consumption) {
            return Err("never_matches");
        }
        if own.is_some_and(|device| device.is_deleted && device.certificates.is_empty()) {
            return Err("never_matches");
        }
        let midnight = now.to_zoned_datetime(TimeZone::UTC).start_of_day().expect("a day begins").timestamp();
        if terms.schedule.first_at < midnight {
            return Err("date_passed");
        }
        let next = Some(terms.schedule.first_at);
        self.orders.push(ModelOrder { terms: terms.clone(), by: actor, state: OrderState::Active, next, behind: 0 });
        Ok(self.told(self.orders.len() - 1, true))
    }

    pub(super) fn end_order(&mut self, actor: Actor, id: RecurringOrderId) -> Decision {
        let place = self.order_of(actor, id)?;
        let has_changed = self.orders[place].state != OrderState::Ended;
        (self.orders[place].state, self.orders[place].next) = (OrderState::Ended, None);
        Ok(self.told(place, has_changed))
    }

    pub(super) fn pause_order(&mut self, actor: Actor, id: RecurringOrderId) -> Decision {
        let place = self.order_of(actor, id)?;
        let was = self.orders[place].state;
        if was == OrderState::Ended {
            return Err("order_over");
        }
        self.orders[place].state = OrderState::Paused;
        Ok(self.told(place, was == OrderState::Active))
    }

    pub(super) fn resume_order(&mut self, now: Timestamp, actor: Actor, id: RecurringOrderId) -> Decision {
        let place = self.order_of(actor, id)?;
        let order = &mut self.orders[place];
        match order.state {
            OrderState::Ended => return Err("order_over"),
            OrderState::Active => return Ok(self.told(place, false)),
            OrderState::Paused => {}
        }
        while due(&order.terms, order.behind).is_some_and(|due| due < now) {
            order.behind += 1;
        }
        order.next = due(&order.terms, order.behind);
        order.state = if order.next.is_some() { OrderState::Active } else { OrderState::Ended };
        Ok(self.told(place, true))
    }

    /// The place of an order that the actor may change.
    fn order_of(&self, actor: Actor, id: RecurringOrderId) -> Result<usize, &'static str> {
        let place = usize::try_from(id.0 - 1).map_err(|_| "order_missing")?;
        let source = self.orders.get(place).ok_or("order_missing")?.terms.source;
        let reads_all = [Role::RegistryAdministrator, Role::GcIssuer, Role::Auditor];
        if !self.has_role(actor, &reads_all) && !self.is_member(actor, source) {
            return Err("order_missing");
        }
        // the operator may whatever there is or is not
        if self.trades(actor, source) { Ok(place) } else { Err("forbidden") }
    }

    fn told(&self, place: usize, has_changed: bool) -> Decided {
        let order = &self.orders[place];
        let id = RecurringOrderId(i64::try_from(place).expect("few orders") + 1);
        Decided { told: Verdict::Order(id, order.state, order.next), has_changed }
    }

    /// Everything that is due runs, the earliest first; comes back as how many runs that were.
    pub fn run_due_orders(&mut self, clock: Timestamp) -> usize {
        let mut runs = 0;
        loop {
            let now = clock.max(self.recorded_at);
            let is_due =
                |order: &ModelOrder| order.state == OrderState::Active && order.next.is_some_and(|at| at <= now);
            let due = self.orders.iter().enumerate().filter(|(_, order)| is_due(order));
            let Some(place) = due.min_by_key(|(place, order)| (order.next, *place)).map(|(place, _)| place) else {
                return runs;
            };
            self.run(now, place);
            self.recorded_at = now;
            runs += 1;
        }
    }

    fn run(&mut self, now: Timestamp, place: usize) {
        let order = self.orders[place].clone();
        let bundles = self.selected(now, &order.terms);
        let (source, portion) = (order.terms.source, order.terms.portion);
        let (deed, other): (Deed, Option<AccountId>) = match order.terms.deed.clone() {
            OrderDeed::Transfer { target } => (Deed::Transfer { target }, Some(target)),
            OrderDeed::Cancel { beneficiary, beneficiary_account, purpose } => {
                (Deed::Cancel { beneficiary, beneficiary_account, purpose }, beneficiary_account)
            }
        };
        let done = self.move_bundles(now, order.by, &BundleAction { source, bundles, portion, deed });
        let (energy, refusal) = match done {
            Ok(Decided { told: Verdict::Bundles { total, .. }, .. }) => (Some(total.0), None),
            Ok(_) => unreachable!("bundles were moved"),
            Err("no_bundles") => (None, Some("nothing_matches")),
            Err(reason) => (None, Some(reason)),
        };
        let are_there = [Some(source), other].into_iter().flatten().all(|account| self.accounts.contains_key(&account));
        let next = due(&order.terms, order.behind + 1).filter(|_| energy.is_some() || are_there);
        let left = &mut self.orders[place];
        (left.behind, left.next) = (order.behind + 1, next);
        if next.is_none() {
            left.state = OrderState::Ended;
        }
        self.runs.push(RunRow {
            order: i64::try_from(place).expect("few orders") + 1,
            due_at: order.next.expect("what ran was due"),
            energy: energy.map(|energy| i64::try_from(energy).expect("few watt-hours")),
            refusal: refusal.map(str::to_owned),
        });
    }

    /// What an order is to act on: the oldest first, as much as is needed.
    fn selected(&self, now: Timestamp, terms: &OrderTerms) -> Vec<BundleId> {
        let is_wanted = |held: &Held| {
            held.certificate.holder == terms.source
                && held.certificate.state == BundleStatus::Active
                && self.birth(held.id).expires_at > now
                && terms.device.is_none_or(|device| device == held.device)
        };
        let all = (1..self.next_bundle().0).filter_map(|id| self.held(BundleId(id)));
        let mut wanted: Vec<Held> = all.filter(is_wanted).collect();
        wanted.sort_by_key(|held| (self.birth(held.id).production.start(), held.id));
        wanted.truncate(BUNDLES_MAX);
        if let Portion::Quantity(WattHours(asked)) = terms.portion {
            let mut held = 0;
            wanted.retain(|bundle| {
                let is_needed = held < asked;
                held += bundle.last - bundle.first + 1;
                is_needed
            });
        }
        wanted.iter().map(|held| held.id).collect()
    }
}

/// Counted from the first, in UTC; a day that a month does not have is its last.
fn due(terms: &OrderTerms, run: u32) -> Option<Timestamp> {
    let schedule = &terms.schedule;
    if schedule.runs.is_some_and(|runs| run >= runs) {
        return None;
    }
    let units = i64::from(run) * i64::from(schedule.every);
    let span = match schedule.unit {
        PeriodUnit::Days => units.days(),
        PeriodUnit::Weeks => (7 * units).days(),
        PeriodUnit::Months => units.months(),
        PeriodUnit::Years => (12 * units).months(),
    };
    let first = schedule.first_at.to_zoned_datetime(TimeZone::UTC);
    first.checked_add(span).ok().map(|due| due.timestamp())
}
