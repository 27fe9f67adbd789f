//! Standing orders of an account: which there are, what each did and is to do, and how one is placed, paused, resumed, ended.

mod devices;
mod form;

use super::act::order::percent_of;
use super::names::Names;
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Form, ONCE, Parameters};
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{DUE_SHOWN, ORDERS_PER_PAGE, RUNS_PER_PAGE};
use crate::visitor::{Known, Visitor, changed};
use crate::words;
use app::{Error, Paging, RunView};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};
use devices::DeviceNames;
use domain::recurring_order::{OrderDeed, OrderState, OrderTerms, PeriodUnit};
use domain::{AccountId, Capability, Portion, RecurringOrder, RecurringOrderId, Schedule};
use jiff::Timestamp;
use serde_json::Value;

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/account/{id}/orders", get(list))
        .route("/account/{id}/orders/new/{kind}", get(form::ask_new).post(form::place))
        .route("/account/{id}/orders/{order}", get(one))
        .route("/account/{id}/orders/{order}/{change}", post(change))
}

/// Where the standing orders of an account are.
fn list_of(account: AccountId) -> String {
    format!("/ui/account/{account}/orders")
}

#[derive(Template)]
#[template(path = "orders.html")]
struct Page {
    frame: Frame,
    name: String,
    address: String,
    rows: Vec<Row>,
    may_order: bool,
    is_later: bool,
    next: Option<String>,
}

struct Row {
    to: String,
    what: String,
    portion: String,
    every: String,
    due: Option<Markup>,
    state: Tag,
    behind: String,
}

/// The name of a state, and how it looks.
#[derive(Clone, Copy)]
struct Tag {
    name: &'static str,
    tone: &'static str,
}

async fn list(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    let (caller, fresh, account) = (visitor.caller.clone(), visitor.fresh, AccountId(id));
    let after = given.number("after");
    let (known, page, names) = ui
        .blocking(move |registry| {
            let known = Known::of(registry.account(&caller, account, fresh)?);
            let paging = Paging { limit: ORDERS_PER_PAGE, after };
            let page = registry.recurring_orders(&caller, Some(account), paging, fresh)?;
            let others = page.entries.iter().filter_map(|order| other_of(&order.terms));
            let names = Names::of(registry, &caller, others, &[account.0], fresh)?;
            Ok((known, page, names))
        })
        .await?;
    let address = list_of(account);
    show(&Page {
        name: known.name.clone(),
        rows: page.entries.iter().map(|order| Row::of(order, &names)).collect(),
        may_order: visitor.may(Capability::Trade(account)),
        is_later: after.is_some(),
        next: page.next.map(|id| format!("{address}?{}", given.with("after", Some(&id.to_string())))),
        frame: Frame::of_account(&visitor, "Standing orders", &address, known),
        address,
    })
}

impl Row {
    fn of(order: &RecurringOrder, names: &Names) -> Self {
        Self {
            to: format!("{}/{}", list_of(order.terms.source), order.id),
            what: what(order, names),
            portion: portion(&order.terms),
            every: every(&order.terms.schedule),
            due: order.next_due_at.map(format::instant),
            state: tag(order.state),
            behind: behind(order),
        }
    }
}

/// The account that an order sends to, or whose users may claim.
fn other_of(terms: &OrderTerms) -> Option<i64> {
    match &terms.deed {
        OrderDeed::Transfer { target } => Some(target.0),
        OrderDeed::Cancel { beneficiary_account, .. } => beneficiary_account.map(|id| id.0),
    }
}

fn what(order: &RecurringOrder, names: &Names) -> String {
    match &order.terms.deed {
        OrderDeed::Transfer { target } => format!("Transfer to {}", names.account(target.0)),
        OrderDeed::Cancel { beneficiary: Some(beneficiary), .. } => format!("Cancel for {beneficiary}"),
        OrderDeed::Cancel { beneficiary: None, .. } => "Cancel for this account".to_owned(),
    }
}

fn portion(terms: &OrderTerms) -> String {
    match terms.portion {
        Portion::Whole => "Everything that matches".to_owned(),
        Portion::Quantity(energy) => format::exact(energy),
        Portion::Share(share) => format!("{} of each bundle", percent_of(&share.to_string())),
    }
}

fn every(schedule: &Schedule) -> String {
    every_so_many(schedule.unit, schedule.every)
}

fn every_so_many(unit: PeriodUnit, every: u32) -> String {
    let (one, many) = period(unit);
    if every == 1 { format!("Every {one}") } else { format!("Every {} {many}", format::thousands(every)) }
}

/// A period, and more than one.
const fn period(unit: PeriodUnit) -> (&'static str, &'static str) {
    match unit {
        PeriodUnit::Days => ("day", "days"),
        PeriodUnit::Weeks => ("week", "weeks"),
        PeriodUnit::Months => ("month", "months"),
        PeriodUnit::Years => ("year", "years"),
    }
}

fn number_of_runs(runs: Option<u32>) -> String {
    runs.map_or_else(|| "Until it is ended".to_owned(), format::thousands)
}

fn behind(order: &RecurringOrder) -> String {
    match order.terms.schedule.runs {
        Some(runs) => format!("{} of {}", format::thousands(order.runs_done), format::thousands(runs)),
        None => format::thousands(order.runs_done),
    }
}

fn tag(state: OrderState) -> Tag {
    match state {
        OrderState::Active => Tag { name: "active", tone: "good" },
        OrderState::Paused => Tag { name: "paused", tone: "warn" },
        OrderState::Ended => Tag { name: "ended", tone: "" },
    }
}

// ── One ─────────────────────────────────────────────────────────────────────

#[derive(Template)]
#[template(path = "order.html")]
struct One {
    frame: Frame,
    address: String,
    back: String,
    heading: String,
    facts: Vec<Fact>,
    state: Tag,
    due: Vec<Markup>,
    next: Option<Next>,
    runs: Vec<RunRow>,
    is_later: bool,
    next_page: Option<String>,
    may_change: bool,
}

impl One {
    fn is(&self, state: &str) -> bool {
        self.state.name == state
    }
}

/// What an order says of itself, with the page of what it names where the visitor may follow.
struct Fact {
    name: &'static str,
    value: String,
    to: Option<String>,
}

/// What the next run would do now.
enum Next {
    Does { energy: Markup, bundles: String },
    Refused(String),
}

struct RunRow {
    due: Markup,
    ran: Markup,
    to: String,
    energy: Option<Markup>,
    refusal: Option<String>,
}

impl RunRow {
    fn of(run: RunView) -> Self {
        let (energy, refusal) = match run.done {
            Ok(energy) => (Some(format::energy(energy)), None),
            Err(why) => (None, Some(words::plain(&why.detail))),
        };
        let to = format!("/ui/action/{}", run.action);
        Self { due: format::instant(run.due_at), ran: format::instant(run.ran_at), to, energy, refusal }
    }
}

async fn one(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path((id, order)): Path<(i64, i64)>,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    let (caller, fresh, account) = (visitor.caller.clone(), visitor.fresh, AccountId(id));
    let order_id = RecurringOrderId(order);
    let before = given.get("before").and_then(|text| text.parse::<Timestamp>().ok());
    let (known, preview, page, names, devices) = ui
        .blocking(move |registry| {
            let known = Known::of(registry.account(&caller, account, fresh)?);
            let preview = registry.preview_order(&caller, order_id, DUE_SHOWN, fresh)?;
            if preview.order.terms.source != account {
                return Err(Error::NotFound { what: "Recurring order", id: order });
            }
            let paging = Paging { limit: RUNS_PER_PAGE, after: before };
            let page = registry.order_runs(&caller, order_id, paging, fresh)?;
            let names = Names::of(registry, &caller, other_of(&preview.order.terms), &[account.0], fresh)?;
            let has_device = preview.order.terms.device.is_some();
            let devices =
                if has_device { DeviceNames::of(registry, &caller, account, fresh)? } else { DeviceNames::default() };
            Ok((known, preview, page, names, devices))
        })
        .await?;
    let order = preview.order;
    let address = format!("{}/{}", list_of(account), order.id);
    let next = preview.next.map(|next| match next {
        Ok(done) => Next::Does { energy: format::energy(done.energy), bundles: format::count(done.bundles, "bundle") },
        Err(refusal) => Next::Refused(words::plain(&refusal.to_string())),
    });
    let heading = what(&order, &names);
    show(&One {
        facts: facts(&order, &known.name, &names, &devices, &visitor),
        state: tag(order.state),
        due: preview.due.into_iter().map(format::instant).collect(),
        next,
        runs: page.entries.into_iter().map(RunRow::of).collect(),
        is_later: before.is_some(),
        next_page: page.next.map(|due| format!("{address}?{}", given.with("before", Some(&due.to_string())))),
        may_change: visitor.may(Capability::Trade(account)) && order.state != OrderState::Ended,
        frame: Frame::of_account(&visitor, &heading, &list_of(account), known),
        back: list_of(account),
        heading,
        address,
    })
}

fn facts(order: &RecurringOrder, source: &str, names: &Names, devices: &DeviceNames, visitor: &Visitor) -> Vec<Fact> {
    let terms = &order.terms;
    let fact = |name, value| Fact { name, value, to: None };
    // Others than one's own accounts have no page for the visitor.
    let to_account = |id: AccountId| {
        let is_open = visitor.belongs_to(id) || visitor.may(Capability::ReadEverything);
        is_open.then(|| format!("/ui/account/{id}"))
    };
    let account = |name, value, id| Fact { name, value, to: to_account(id) };
    let mut facts = vec![account("From", source.to_owned(), terms.source)];
    match &terms.deed {
        OrderDeed::Transfer { target } => facts.push(account("To", names.account(target.0), *target)),
        OrderDeed::Cancel { beneficiary, beneficiary_account, purpose } => {
            facts.push(fact("For the beneficiary", beneficiary.clone().unwrap_or_else(|| source.to_owned())));
            facts.extend(beneficiary_account.map(|id| account("Who may claim", names.account(id.0), id)));
            facts.extend(purpose.clone().map(|purpose| fact("Purpose", purpose)));
        }
    }
    facts.push(fact("At each run", portion(terms)));
    if let Some(device) = terms.device {
        let to = devices.is_own(device.0) || visitor.may(Capability::ReadDevices);
        let to = to.then(|| format!("/ui/device/{device}"));
        facts.push(Fact { name: "Only of the device", value: devices.name(device.0), to });
    }
    facts.extend(terms.energy_source.map(|source| fact("Only made from", format::source(source).to_owned())));
    facts.extend([
        fact("When", every(&terms.schedule)),
        fact("First due (UTC)", format::instant_text(terms.schedule.first_at)),
        fact("How often in all", number_of_runs(terms.schedule.runs)),
        fact("Due times behind it", behind(order)),
    ]);
    facts
}

async fn change(
    State(ui): State<Ui>,
    Path((id, order, change)): Path<(i64, i64, String)>,
    Form { visitor, fields }: Form,
) -> Result<Response, Failure> {
    let (method, address) = match change.as_str() {
        "pause" | "resume" => (Method::POST, format!("/certificate/recurring/{order}/{change}")),
        "end" => (Method::DELETE, format!("/certificate/recurring/{order}")),
        _ => return Err(Failure::NoSuchPage),
    };
    let answered = ui.api.ask(&visitor.caller, method, &address, &Value::Null, fields.get(ONCE)).await?;
    Ok(changed(answered.event, &format!("{}/{order}", list_of(AccountId(id)))))
}
