//! Recurring orders: placed, listed, ended. What becomes of them is in `runs`.
//!
//! Clients name the members of a schedule after what recurs (`initial_transfer_datetime`) or, as in the answers,
//! `initial_action_datetime` for either; both are read.

mod runs;

use super::act::Amount;
use super::device::EnergySourceWord;
use super::{carry_out, own, unexpected};
use crate::caller::{Asked, Caller, DryRun, Fresh, Query, Read};
use crate::json::{Fields, Rule, Value, boolean, id, instant, rule, text, whole, word};
use crate::openapi::{ChangeProblems, ReadProblems};
use crate::page::{Paged, cursor_of};
use crate::wire::{At, Changed, Share, Text};
use crate::{App, Error};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::recurring_order::{OrderDeed, OrderState, OrderTerms, PERIOD_QUANTITY_MAX, PeriodUnit, RUNS_MAX};
use domain::{AccountId, Command, DeviceId, EnergySource, Outcome, Portion, RecurringOrder, Schedule};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How many of the next runs an answer shows.
const DUE_SHOWN: u32 = 5;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(recurring_transfer))
        .routes(routes!(recurring_cancel))
        .routes(routes!(list))
        .merge(runs::routes())
}

/// How a schedule's members are named: after what recurs, or generally.
struct Names {
    first_at: [&'static str; 2],
    units: [&'static str; 2],
    every: [&'static str; 2],
    runs: [&'static str; 2],
}

const OF_TRANSFERS: Names = Names {
    first_at: ["initial_transfer_datetime", "initial_action_datetime"],
    units: ["recurring_transfer_period_units", "recurring_action_period_units"],
    every: ["recurring_transfer_period_quantity", "recurring_action_period_quantity"],
    runs: ["number_of_recurring_transfers", "number_of_recurring_actions"],
};
const OF_CANCELLATIONS: Names = Names {
    first_at: ["initial_cancellation_datetime", "initial_action_datetime"],
    units: ["recurring_cancellation_period_units", "recurring_action_period_units"],
    every: ["recurring_cancellation_period_quantity", "recurring_action_period_quantity"],
    runs: ["number_of_recurring_cancellations", "number_of_recurring_actions"],
};
/// What only the answer carries.
const OF_ANSWERS: [&str; 6] =
    ["order_state", "next_due_at", "next_due_dates", "next_run", "runs_done", "action_response_status"];

/// What both kinds of order say.
struct Common {
    source_id: i64,
    schedule: Schedule,
    device_id: Option<i64>,
    energy_source: Option<EnergySource>,
    amount: Amount,
    user_id: Option<i64>,
}

impl Common {
    fn read(fields: &mut Fields<'_>, names: &Names, action_type: &'static str) -> Option<Self> {
        let source_id = fields.required("source_id", id);
        let first_at = required(fields, names.first_at, instant);
        let unit = required(fields, names.units, word(PeriodUnit::ALL, PeriodUnit::name));
        let every = optional(fields, names.every, whole(1, PERIOD_QUANTITY_MAX.into()));
        let runs = optional(fields, names.runs, whole(1, RUNS_MAX.into()));
        let device_id = fields.optional("device_id", id);
        let energy_source = fields.optional("energy_source", word(EnergySource::ALL, EnergySource::name));
        let amount = Amount::read(fields);
        let user_id = fields.optional("user_id", id);
        fields.optional("localise_time", boolean);
        fields.optional("action_type", |value| match value {
            Value::Text(word) if word == action_type => Ok(()),
            _ => Err(rule("enum", format!("Input should be '{action_type}'"))),
        });
        fields.pass_over(&OF_ANSWERS);
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let schedule =
            Schedule { first_at: first_at?, unit: unit?, every: small(every.unwrap_or(1)), runs: runs.map(small) };
        Some(Self { source_id: source_id?, schedule, device_id, energy_source, amount, user_id })
    }

    fn terms(&self, deed: OrderDeed) -> OrderTerms {
        OrderTerms {
            deed,
            source: AccountId(self.source_id),
            schedule: self.schedule,
            device: self.device_id.map(DeviceId),
            energy_source: self.energy_source,
            portion: self.amount.portion(),
        }
    }
}

/// A value under one of two names; two are a fault.
fn optional<T>(
    fields: &mut Fields<'_>,
    [own, general]: [&'static str; 2],
    read: impl Fn(&Value<'_>) -> Result<T, Rule> + Copy,
) -> Option<T> {
    if fields.has(own) && fields.has(general) {
        fields.fault(general, rule("value_error", format!("Value error, give only one of {own}, {general}")));
    }
    let general = fields.optional(general, read);
    fields.optional(own, read).or(general)
}

/// As [`optional`], of a value that must be there.
fn required<T>(
    fields: &mut Fields<'_>,
    names: [&'static str; 2],
    read: impl Fn(&Value<'_>) -> Result<T, Rule> + Copy,
) -> Option<T> {
    if !names.iter().any(|name| fields.has(name)) {
        fields.pass_over(&names);
        fields.fault(names[0], rule("missing", "Field required"));
        return None;
    }
    optional(fields, names, read)
}

/// What is to be transferred again and again.
#[derive(ToSchema)]
#[schema(as = RecurringTransfer, example = json!({
    "source_id": 1, "target_id": 2, "initial_transfer_datetime": "2030-01-31T12:00:00Z",
    "recurring_transfer_period_units": "months", "recurring_transfer_period_quantity": 1,
    "number_of_recurring_transfers": 12, "certificate_quantity": 1_000,
}))]
#[expect(dead_code, reason = "documents what TransferAsked reads")]
#[serde(deny_unknown_fields)]
struct TransferSchema {
    /// The account that holds the bundles.
    #[schema(minimum = 1)]
    source_id: i64,
    /// The account they go to; it must have whitelisted the source, now and at each run.
    #[schema(minimum = 1)]
    target_id: i64,
    /// Today (UTC) or later.
    initial_transfer_datetime: At,
    recurring_transfer_period_units: PeriodUnitWord,
    /// Units between two transfers; 1 by default.
    #[schema(minimum = 1, maximum = 1_000)]
    recurring_transfer_period_quantity: Option<u32>,
    /// The first among them; until it is ended by default.
    #[schema(minimum = 1, maximum = 10_000)]
    number_of_recurring_transfers: Option<u32>,
    /// Only bundles of this device.
    #[schema(minimum = 1)]
    device_id: Option<i64>,
    /// Only bundles made from this.
    energy_source: Option<EnergySourceWord>,
    /// Wh in total at each run. Without a quantity and a percentage: all that matches.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    certificate_quantity: Option<u64>,
    /// Of each bundle that matches. Not together with a quantity.
    certificate_bundle_percentage: Option<Share>,
    /// The caller, if given.
    #[schema(minimum = 1)]
    user_id: Option<i64>,
    /// Accepted and without effect.
    localise_time: Option<bool>,
}

struct TransferAsked {
    common: Common,
    target_id: i64,
}

impl Read for TransferAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let common = Common::read(fields, &OF_TRANSFERS, "recurring_transfer");
        let target_id = fields.required("target_id", id);
        fields.pass_over_nulls(&["beneficiary", "beneficiary_account_id", "purpose"]);
        Some(Self { common: common?, target_id: target_id? })
    }
}

/// What is to be cancelled again and again.
#[derive(ToSchema)]
#[schema(as = RecurringCancel, example = json!({
    "source_id": 1, "initial_cancellation_datetime": "2030-01-31T12:00:00Z",
    "recurring_cancellation_period_units": "weeks", "recurring_cancellation_period_quantity": 2,
    "certificate_bundle_percentage": 0.5, "beneficiary": "Example customer",
}))]
#[expect(dead_code, reason = "documents what CancelAsked reads")]
#[serde(deny_unknown_fields)]
struct CancelSchema {
    /// The account that holds the bundles.
    #[schema(minimum = 1)]
    source_id: i64,
    /// For whom, as it is shown; the account's name at each run by default.
    #[schema(value_type = Option<Text>)]
    beneficiary: Option<String>,
    /// The account whose users may read and claim what was cancelled.
    #[schema(minimum = 1)]
    beneficiary_account_id: Option<i64>,
    /// What the cancellations are for; kept with the order.
    #[schema(value_type = Option<Text>)]
    purpose: Option<String>,
    /// Today (UTC) or later.
    initial_cancellation_datetime: At,
    recurring_cancellation_period_units: PeriodUnitWord,
    /// Units between two cancellations; 1 by default.
    #[schema(minimum = 1, maximum = 1_000)]
    recurring_cancellation_period_quantity: Option<u32>,
    /// The first among them; until it is ended by default.
    #[schema(minimum = 1, maximum = 10_000)]
    number_of_recurring_cancellations: Option<u32>,
    /// Only bundles of this device.
    #[schema(minimum = 1)]
    device_id: Option<i64>,
    /// Only bundles made from this.
    energy_source: Option<EnergySourceWord>,
    /// Wh in total at each run. Without a quantity and a percentage: all that matches.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    certificate_quantity: Option<u64>,
    /// Of each bundle that matches. Not together with a quantity.
    certificate_bundle_percentage: Option<Share>,
    /// The caller, if given.
    #[schema(minimum = 1)]
    user_id: Option<i64>,
    /// Accepted and without effect.
    localise_time: Option<bool>,
}

struct CancelAsked {
    common: Common,
    beneficiary: Option<String>,
    beneficiary_account_id: Option<i64>,
    purpose: Option<String>,
}

impl Read for CancelAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let common = Common::read(fields, &OF_CANCELLATIONS, "recurring_cancel");
        let beneficiary = fields.optional("beneficiary", text);
        let beneficiary_account_id = fields.optional("beneficiary_account_id", id);
        let purpose = fields.optional("purpose", text);
        fields.pass_over_nulls(&["target_id"]);
        Some(Self { common: common?, beneficiary, beneficiary_account_id, purpose })
    }
}

/// What a period is counted in.
#[derive(ToSchema)]
#[schema(as = PeriodUnit, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents the words; values are domain::recurring_order::PeriodUnit")]
enum PeriodUnitWord {
    Days,
    Weeks,
    Months,
    Years,
}

/// Whether an order goes on.
#[derive(ToSchema)]
#[schema(as = OrderState, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents the words; values are domain::recurring_order::OrderState")]
enum OrderStateWord {
    Active,
    Paused,
    Ended,
}

/// What was ordered: kept with the action and sealed, and a part of the answer.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderTerms)]
struct TermsBody {
    /// The kind of order.
    #[schema(example = "recurring_transfer")]
    action_type: &'static str,
    /// The account that holds the bundles.
    source_id: i64,
    /// The account that they go to; `null` of a cancellation.
    target_id: Option<i64>,
    /// For whom it is cancelled, as it is shown; `null`: the account's name at each run. `null` of a transfer.
    beneficiary: Option<String>,
    /// The account whose users may read and claim what is cancelled; `null` if none was named.
    beneficiary_account_id: Option<i64>,
    /// What the cancellations are for; `null` if it was left out.
    purpose: Option<String>,
    /// When the first run is due.
    initial_action_datetime: At,
    #[schema(value_type = PeriodUnitWord)]
    recurring_action_period_units: PeriodUnit,
    /// Units between two runs, from 1 to 1,000.
    recurring_action_period_quantity: u32,
    /// How many runs, the first among them; `null`: until it is ended.
    number_of_recurring_actions: Option<u32>,
    /// Only bundles of this device; `null`: of any.
    device_id: Option<i64>,
    /// Only bundles made from this; `null`: from anything.
    #[schema(value_type = Option<EnergySourceWord>)]
    energy_source: Option<EnergySource>,
    /// Wh in total at each run; `null` if no quantity was given.
    certificate_quantity: Option<u64>,
    /// Share of each bundle that matches, above 0 and at most 1; `null` if none was given.
    #[schema(value_type = Option<f64>)]
    certificate_bundle_percentage: Option<Share>,
}

impl From<&OrderTerms> for TermsBody {
    fn from(terms: &OrderTerms) -> Self {
        let schedule = terms.schedule;
        let (certificate_quantity, certificate_bundle_percentage) = match terms.portion {
            Portion::Whole => (None, None),
            Portion::Quantity(quantity) => (Some(quantity.0), None),
            Portion::Share(share) => (None, Some(Share(share))),
        };
        let mut body = Self {
            action_type: terms.deed.kind().name(),
            source_id: terms.source.0,
            target_id: None,
            beneficiary: None,
            beneficiary_account_id: None,
            purpose: None,
            initial_action_datetime: schedule.first_at.into(),
            recurring_action_period_units: schedule.unit,
            recurring_action_period_quantity: schedule.every,
            number_of_recurring_actions: schedule.runs,
            device_id: terms.device.map(|id| id.0),
            energy_source: terms.energy_source,
            certificate_quantity,
            certificate_bundle_percentage,
        };
        match &terms.deed {
            OrderDeed::Transfer { target } => body.target_id = Some(target.0),
            OrderDeed::Cancel { beneficiary, beneficiary_account, purpose } => {
                body.beneficiary.clone_from(beneficiary);
                body.beneficiary_account_id = beneficiary_account.map(|id| id.0);
                body.purpose.clone_from(purpose);
            }
        }
        body
    }
}

/// A recurring order.
#[derive(Serialize, ToSchema)]
#[schema(as = RecurringOrder)]
struct OrderBody {
    /// `null` in a dry run.
    #[schema(example = 1)]
    id: Option<i64>,
    #[serde(flatten)]
    terms: TermsBody,
    /// Who ordered it; 0 is the operator of the registry.
    user_id: i64,
    #[schema(value_type = OrderStateWord)]
    order_state: OrderState,
    /// When the next run is due; `null` once it has ended.
    next_due_at: Option<At>,
    /// When the next five runs are due.
    next_due_dates: Vec<At>,
    /// Due times that are behind it: those that ran, were refused, or passed while it was paused.
    runs_done: u32,
    /// When it was ordered.
    created_at: At,
    /// Always `false`: it is never deleted.
    is_deleted: bool,
    /// In a dry run alone: what the first run would do if it were due now.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_run: Option<runs::NextRun>,
}

impl From<&RecurringOrder> for OrderBody {
    fn from(order: &RecurringOrder) -> Self {
        let due = match order.state {
            OrderState::Ended => Vec::new(),
            OrderState::Active | OrderState::Paused => order.terms.schedule.due(order.runs_done, DUE_SHOWN),
        };
        Self {
            id: Some(order.id.0),
            terms: (&order.terms).into(),
            user_id: order.ordered_by,
            order_state: order.state,
            next_due_at: order.next_due_at.map(At),
            next_due_dates: due.into_iter().map(At).collect(),
            runs_done: order.runs_done,
            created_at: order.created_at.into(),
            is_deleted: false,
            next_run: None,
        }
    }
}

/// Order a recurring transfer
///
/// The registry runs it at each due time, in the caller's name and with the rights that they have then, on what the source
/// holds Active then and the filters let through: the oldest production first, at most 10,000 bundles. A run that a rule
/// refuses, or that finds nothing, leaves the reason, and the order goes on. Due times that passed while the registry was off
/// are run once each when it is back, on what is there then. The target must exist, differ from the source and have
/// whitelisted it, now and at each run; once an account that the order names is deleted, it ends. The 31st is clamped to the last day of a shorter month, each date being counted from the first,
/// in UTC. For Trading and Production Users of the source account.
#[utoipa::path(
    post, path = "/certificate/recurring_transfer", tag = "Certificates", request_body = TransferSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would be and what its first run would do now, and change nothing")),
    responses(
        (status = 202, description = "The order", body = OrderBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn recurring_transfer(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<TransferAsked>,
) -> Result<Changed<OrderBody>, Error> {
    own(&caller, asked.common.user_id)?;
    let terms = asked.common.terms(OrderDeed::Transfer { target: AccountId(asked.target_id) });
    place(&app, caller, terms, dry_run).await
}

/// Order a recurring cancellation
///
/// The registry runs it as it does a recurring transfer, and dates are counted likewise.
/// For Trading and Production Users of the source account.
#[utoipa::path(
    post, path = "/certificate/recurring_cancel", tag = "Certificates", request_body = CancelSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would be and what its first run would do now, and change nothing")),
    responses(
        (status = 202, description = "The order", body = OrderBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn recurring_cancel(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<CancelAsked>,
) -> Result<Changed<OrderBody>, Error> {
    own(&caller, asked.common.user_id)?;
    let terms = asked.common.terms(OrderDeed::Cancel {
        beneficiary: asked.beneficiary,
        beneficiary_account: asked.beneficiary_account_id.map(AccountId),
        purpose: asked.purpose,
    });
    place(&app, caller, terms, dry_run).await
}

async fn place(app: &App, caller: app::Caller, terms: OrderTerms, dry_run: bool) -> Result<Changed<OrderBody>, Error> {
    if dry_run {
        let previewed = app.blocking(move |registry| registry.preview_terms(&caller, terms, DUE_SHOWN));
        let (found, event) = previewed.await?;
        let next_run = found.next.map(runs::NextRun::from);
        let body = OrderBody { id: None, next_run, ..OrderBody::from(&found.order) };
        return Ok(Changed { status: StatusCode::ACCEPTED, event, body });
    }
    let kept = TermsBody::from(&terms);
    let carried = carry_out(app, &caller, Command::PlaceOrder(terms), &kept).await?;
    let Outcome::Order(order) = carried.outcome else { return Err(unexpected("placing an order")) };
    Ok(Changed { status: StatusCode::ACCEPTED, event: carried.event, body: OrderBody::from(&*order) })
}

/// A page of recurring orders.
#[derive(Serialize, ToSchema)]
#[schema(as = RecurringOrders)]
struct Orders {
    /// The orders of this page.
    recurring_orders: Vec<OrderBody>,
    /// `null` at the end.
    next_cursor: Option<String>,
}

struct ListAsked {
    paging: app::Paging<i64>,
    source_id: Option<i64>,
}

impl Read for ListAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let source_id = fields.optional("source_id", id);
        Some(Self { paging: Paged::read(fields)?.0, source_id })
    }
}

/// List recurring orders
///
/// Of the caller's accounts, or all for those who may read everything; by id, those that have ended among them.
#[utoipa::path(
    get, path = "/certificate/recurring/list", tag = "Certificates",
    params(
        ("source_id" = Option<i64>, Query, description = "Only of this account", minimum = 1),
        Paged<i64>,
        Fresh,
    ),
    responses((status = 200, description = "A page of orders", body = Orders), ReadProblems),
)]
async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(asked): Query<ListAsked>,
    Fresh(fresh): Fresh,
) -> Result<Json<Orders>, Error> {
    let ListAsked { paging, source_id } = asked;
    let source = source_id.map(AccountId);
    let page = app.blocking(move |registry| registry.recurring_orders(&caller, source, paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(Orders { recurring_orders: page.entries.iter().map(Into::into).collect(), next_cursor }))
}
