//! Recurring orders run when they are due, each due time once, in the order of the due times; and what became of them is
//! read.
//!
//! What an order selects is looked up beside the writer, which may take its time; the run names it, and is carried out only
//! if all of it is still there to act on. Else it is looked up again. Invariant: which due time is next is decided in the
//! writer, so that a run is done once however many processes there are and wherever one of them ends.

use crate::sight::Sight;
use crate::{Caller, Error, Page, Paging, Registry};
use domain::action::{BUNDLES_PER_ACTION_MAX, BundleAction, Deed};
use domain::recurring_order::{OrderDeed, OrderRun, OrderState, OrderTerms};
use domain::time::{INTERVAL_MAX, surely_expired};
use domain::{
    ActionId, BundleId, BundleStatus, Command, EventNumber, Outcome, Portion, RecurringOrder, RecurringOrderId,
    Refusal, WattHours,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use store::Connection;
use store::bundle::BundleFilter;

/// Bundles of one look-up.
const LOOKED_UP_TOGETHER: i64 = 1_000;
/// Runs of one turn; what else is due has its turn after them.
const RUNS_TOGETHER_MAX: usize = 1_000;
/// How often one run is tried in a turn, when what it is to act on is used under its hands.
const TRIES_MAX: u32 = 5;

/// What the next run of an order would do now.
#[derive(Clone, Debug)]
pub struct OrderPreview {
    pub order: RecurringOrder,
    /// When the next runs are due.
    pub due: Vec<Timestamp>,
    /// What it would do, or why it would do nothing; `None` once the order has ended.
    pub next: Option<Result<Rehearsed, Refusal>>,
}

/// What a run would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    pub energy: WattHours,
    /// How many bundles it would act on, parts of bundles among them.
    pub bundles: usize,
}

/// What became of a due time.
#[derive(Clone, Debug)]
pub struct RunView {
    pub due_at: Timestamp,
    pub ran_at: Timestamp,
    /// A transfer or a cancellation; of a run that was refused, one that changed the order alone.
    pub action: ActionId,
    pub done: Result<WattHours, RunRefused>,
}

/// Why a run did nothing.
#[derive(Clone, Debug)]
pub struct RunRefused {
    /// The slug of the refusal.
    pub reason: String,
    /// The numbers that it carries.
    pub numbers: Map<String, Value>,
    pub detail: String,
}

/// What a run is asked for: kept with the action and sealed, under the names of any transfer or cancellation.
#[derive(Serialize)]
struct Asked<'t> {
    recurring_order_id: i64,
    due_at: Timestamp,
    source_id: i64,
    target_id: Option<i64>,
    granular_certificate_bundle_ids: Vec<i64>,
    certificate_quantity: Option<u64>,
    certificate_bundle_percentage: Option<Box<RawValue>>,
    beneficiary: Option<&'t str>,
    beneficiary_account_id: Option<i64>,
    purpose: Option<&'t str>,
}

impl<'t> Asked<'t> {
    fn of(run: &'t OrderRun) -> Self {
        let terms = &run.terms;
        let (target, beneficiary, beneficiary_account, purpose) = match &terms.deed {
            OrderDeed::Transfer { target } => (Some(target.0), None, None, None),
            OrderDeed::Cancel { beneficiary, beneficiary_account, purpose } => {
                (None, beneficiary.as_deref(), beneficiary_account.map(|id| id.0), purpose.as_deref())
            }
        };
        let (quantity, share) = match terms.portion {
            Portion::Whole => (None, None),
            Portion::Quantity(quantity) => (Some(quantity.0), None),
            Portion::Share(share) => (None, RawValue::from_string(share.to_string()).ok()),
        };
        Self {
            recurring_order_id: run.order.0,
            due_at: run.due_at,
            source_id: terms.source.0,
            target_id: target,
            granular_certificate_bundle_ids: run.bundles.iter().map(|id| id.0).collect(),
            certificate_quantity: quantity,
            certificate_bundle_percentage: share,
            beneficiary,
            beneficiary_account_id: beneficiary_account,
            purpose,
        }
    }
}

impl Registry {
    /// Runs every order that is due, each due time for itself, and says how many runs were done, refused ones among them.
    /// Blocks.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and its like; what is due then is done by the next call.
    pub fn run_due_orders(&self) -> Result<usize, Error> {
        let (mut runs, mut passed_over, mut moved) = (0, Vec::new(), BTreeMap::new());
        while runs < RUNS_TOGETHER_MAX {
            let now = self.ledger_time()?;
            let Some(order) = self.read_primary(|c| store::recurring_order::due(c, now, &passed_over))? else { break };
            match self.run_order(&order, now) {
                Ok(()) => runs += 1,
                Err(Error::Refused(Refusal::OrderMoved { .. })) => {
                    let count = moved.entry(order.id).or_insert(0);
                    *count += 1;
                    if *count >= TRIES_MAX {
                        passed_over.push(order.id.0);
                    }
                }
                Err(error @ (Error::Unavailable | Error::OutcomeUnknown | Error::Busy)) => return Err(error),
                Err(error) => {
                    tracing::error!(order = order.id.0, %error, "a run of an order failed; it is tried again");
                    passed_over.push(order.id.0);
                }
            }
        }
        Ok(runs)
    }

    fn run_order(&self, order: &RecurringOrder, now: Timestamp) -> Result<(), Error> {
        let Some(due_at) = order.next_due_at else { return Ok(()) };
        let bundles = self.read_primary(|connection| selected(connection, &order.terms, now))?;
        let run = OrderRun { order: order.id, due_at, terms: order.terms.clone(), bundles };
        let request = serde_json::to_string(&Asked::of(&run)).map_err(|_| Error::Internal)?;
        let work = self.act(order.actor(), Command::RunOrder(run), request, None);
        match self.queue_waiting(work)?.wait()?.outcome() {
            Outcome::Ran { done: Ok(energy), .. } => {
                tracing::info!(order = order.id.0, %due_at, wh = energy.0, "an order ran");
            }
            Outcome::Ran { done: Err(refusal), .. } => {
                tracing::info!(order = order.id.0, %due_at, %refusal, "a run of an order was refused");
            }
            other => unreachable!("running an order gave {other:?}"),
        }
        Ok(())
    }

    /// The time that the writer would go by now.
    fn ledger_time(&self) -> Result<Timestamp, Error> {
        let recorded_at = self.read_primary(|connection| Ok(store::head::read(connection)?.recorded_at))?;
        Ok(self.now().max(recorded_at))
    }

    // ── Reads ───────────────────────────────────────────────────────────────

    /// An order of the caller's accounts, or any for those who may read everything. Blocks.
    pub fn recurring_order(
        &self,
        caller: &Caller,
        id: RecurringOrderId,
        fresh: Option<EventNumber>,
    ) -> Result<RecurringOrder, Error> {
        self.read(fresh, |connection| seen(connection, caller, id))?.ok_or(missing(id))
    }

    /// When the next `count` runs of an order are due, and what the next would do if it were due now. Blocks.
    pub fn preview_order(
        &self,
        caller: &Caller,
        id: RecurringOrderId,
        count: u32,
        fresh: Option<EventNumber>,
    ) -> Result<OrderPreview, Error> {
        let order = self.recurring_order(caller, id, fresh)?;
        if order.state == OrderState::Ended {
            return Ok(OrderPreview { order, due: Vec::new(), next: None });
        }
        let due = order.terms.schedule.due(order.runs_done, count);
        let next = self.rehearse_run(&order)?;
        Ok(OrderPreview { order, due, next: Some(next) })
    }

    /// What an order of these terms would be, when its first `count` runs would be due, and what the first would do if it
    /// were due now. Nothing is changed. Blocks.
    ///
    /// # Errors
    /// What placing it would be refused for.
    pub fn preview_terms(
        &self,
        caller: &Caller,
        terms: OrderTerms,
        count: u32,
    ) -> Result<(OrderPreview, EventNumber), Error> {
        let (answer, _) = self.dry_run(caller, &Command::PlaceOrder(terms))?;
        let event = answer.event_number;
        let order = match answer.outcome() {
            Outcome::Order(order) => *order,
            other => unreachable!("placing an order gave {other:?}"),
        };
        let due = order.terms.schedule.due(order.runs_done, count);
        let next = Some(self.rehearse_run(&order)?);
        Ok((OrderPreview { order, due, next }, event))
    }

    fn rehearse_run(&self, order: &RecurringOrder) -> Result<Result<Rehearsed, Refusal>, Error> {
        let (terms, now) = (&order.terms, self.ledger_time()?);
        let bundles = self.read_primary(|connection| selected(connection, terms, now))?;
        let deed = match terms.deed.clone() {
            OrderDeed::Transfer { target } => Deed::Transfer { target },
            OrderDeed::Cancel { beneficiary, beneficiary_account, purpose } => {
                Deed::Cancel { beneficiary, beneficiary_account, purpose }
            }
        };
        let action = BundleAction { source: terms.source, bundles, portion: terms.portion, deed };
        match self.dry_run_as(order.actor(), &Command::Bundles(action)).map(|(answer, _)| answer.outcome()) {
            Ok(Outcome::Bundles { result, total }) => {
                // a split is three: its parent, the part that is acted on, and the rest
                let splits = result.iter().filter(|result| result.status == BundleStatus::Split).count();
                Ok(Ok(Rehearsed { energy: total, bundles: result.len() - 2 * splits }))
            }
            Ok(other) => unreachable!("a transfer or a cancellation gave {other:?}"),
            Err(Error::Refused(Refusal::NoBundles)) => Ok(Err(Refusal::NothingMatches { source_id: terms.source })),
            Err(Error::Refused(refusal)) => Ok(Err(refusal)),
            Err(error) => Err(error),
        }
    }

    /// The runs of an order of the caller's accounts, or of any for those who may read everything; the latest due time
    /// first. Blocks.
    pub fn order_runs(
        &self,
        caller: &Caller,
        id: RecurringOrderId,
        paging: Paging<Timestamp>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<RunView, Timestamp>, Error> {
        let rows = self.read(fresh, |connection| {
            connection.snapshot(|tx| {
                let Some(order) = seen(tx, caller, id)? else { return Ok(None) };
                store::order_run::list(tx, order.id, paging.after, paging.rows()).map(Some)
            })
        })?;
        let page = paging.page(rows.ok_or(missing(id))?, |run| run.due_at);
        Ok(Page { entries: page.entries.into_iter().map(view).collect(), next: page.next })
    }
}

fn missing(id: RecurringOrderId) -> Error {
    Error::Refused(Refusal::OrderMissing { order_id: id })
}

fn seen(connection: &mut Connection, caller: &Caller, id: RecurringOrderId) -> store::Result<Option<RecurringOrder>> {
    let sight = Sight::of(connection, caller)?;
    let found = store::recurring_order::by_ids(connection, &[id.0])?.into_iter().next();
    Ok(found.filter(|order| sight.account(order.terms.source)))
}

fn view(run: store::order_run::Run) -> RunView {
    let refused = |why: store::order_run::NotDone| {
        let mut numbers: Map<String, Value> = serde_json::from_str(&why.refusal).unwrap_or_default();
        numbers.remove("reason");
        RunRefused { reason: crate::action::reason_of(&why.refusal), numbers, detail: why.detail }
    };
    RunView { due_at: run.due_at, ran_at: run.ran_at, action: run.action, done: run.done.map_err(refused) }
}

/// What the terms of an order select at `now`: what is Active, the oldest production first, as much as is asked for and at
/// most as many as one action may name.
fn selected(connection: &mut Connection, terms: &OrderTerms, now: Timestamp) -> store::Result<Vec<BundleId>> {
    // What was produced before has expired whatever lifetime it has: an account's past is not walked through.
    let longest = store::expiry::marks(connection)?.last().map_or(u8::MAX, |mark| mark.years);
    let since = surely_expired(now, longest).and_then(|end| end.checked_sub(INTERVAL_MAX).ok());
    let filter = BundleFilter {
        account: Some(terms.source),
        device: terms.device,
        energy_sources: terms.energy_source.into_iter().collect(),
        period_start: since,
        status: Some(BundleStatus::Active),
        ..BundleFilter::default()
    };
    let asked = match terms.portion {
        Portion::Quantity(asked) => Some(asked),
        Portion::Whole | Portion::Share(_) => None,
    };
    let (mut ids, mut energy, mut after) = (Vec::new(), WattHours::ZERO, None);
    while ids.len() < BUNDLES_PER_ACTION_MAX && asked.is_none_or(|asked| energy < asked) {
        let page = store::bundle::find(connection, &filter, now, after, LOOKED_UP_TOGETHER)?;
        let is_last = i64::try_from(page.len()) != Ok(LOOKED_UP_TOGETHER);
        after = page.last().map(|bundle| (bundle.production.start(), bundle.id));
        for bundle in page {
            if ids.len() < BUNDLES_PER_ACTION_MAX && asked.is_none_or(|asked| energy < asked) {
                energy = [energy, bundle.range.quantity()].into_iter().sum();
                ids.push(bundle.id);
            }
        }
        if is_last {
            break;
        }
    }
    Ok(ids)
}
