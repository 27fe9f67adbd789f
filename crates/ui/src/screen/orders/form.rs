//! How a standing order is placed, in three steps: a form, a look at when it would run and what its first run would do (the
//! API's dry run), and then the same in earnest.
//!
//! Invariant: nothing is ordered that was not shown before; whom it is for and how much are chosen, never left as found.

use super::{DeviceNames, list_of, number_of_runs, period};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Field, Fields, Form, ONCE, fault_of};
use crate::format::{self, Markup};
use crate::frame::{Frame, show, show_refused};
use crate::limits::CHOICES_MAX;
use crate::screen::act::order::amount;
use crate::screen::partners::Partners;
use crate::visitor::{Known, Visitor, changed};
use crate::words::{self, Fault, Refused};
use app::Paging;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use domain::recurring_order::PeriodUnit;
use domain::{AccountId, Capability, EnergySource, WattHours};
use jiff::Timestamp;
use serde_json::{Map, Value};

#[derive(Template)]
#[template(path = "order_form.html")]
struct Page {
    frame: Frame,
    kind: Kind,
    action: String,
    back: String,
    around: Around,
    when: Vec<Field>,
    which: Vec<Field>,
    given: Fields,
    refused: Option<Refused>,
}

#[derive(Template)]
#[template(path = "order_preview.html")]
struct Preview {
    frame: Frame,
    kind: Kind,
    action: String,
    back: String,
    heading: String,
    facts: Vec<(&'static str, String)>,
    due: Vec<Markup>,
    first: First,
    hidden: Vec<(String, String)>,
}

/// What the first run would do now.
enum First {
    Does { energy: String, wh: String, bundles: String },
    Nothing(String),
}

/// What is ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Transfer,
    Cancel,
}

/// What there is to choose from.
struct Around {
    account: Known,
    receivers: Vec<(String, String)>,
    partners: Partners,
    /// Those that the account has certificates of, and its own.
    devices: DeviceNames,
}

impl Kind {
    fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "transfer" => Ok(Self::Transfer),
            "cancel" => Ok(Self::Cancel),
            _ => Err(Failure::NoSuchPage),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Cancel => "cancel",
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::Transfer => "Order transfers",
            Self::Cancel => "Order cancellations",
        }
    }

    fn lead(self) -> &'static str {
        match self {
            Self::Transfer => {
                "At each due time the registry transfers what this account then holds Active and matches, in your name \
                 and with the rights that you have then."
            }
            Self::Cancel => {
                "At each due time the registry cancels what this account then holds Active and matches, in your name and \
                 with the rights that you have then. What is cancelled stays cancelled."
            }
        }
    }
}

/// Name, label and help of a member, and whether it must be there.
type Member = (&'static str, &'static str, &'static str, bool);

const TARGET: &str = "target_id";
const BENEFICIARY_ACCOUNT: &str = "beneficiary_account_id";
const FIRST_AT: &str = "initial_action_datetime";
const UNITS: &str = "recurring_action_period_units";
const EVERY: &str = "recurring_action_period_quantity";
const RUNS: &str = "number_of_recurring_actions";
const DEVICE: &str = "device_id";
const SOURCE: &str = "energy_source";
const SHARE: &str = "certificate_bundle_percentage";
const WHEN: [Member; 4] = [
    (FIRST_AT, "First due", "In UTC, such as 2030-01-31 or 2030-01-31T06:00Z; today or later.", true),
    (UNITS, "Period", "The 31st is the last day of a shorter month.", true),
    (EVERY, "Every so many periods", "From 1 to 1,000; 1 if it is left out.", false),
    (RUNS, "How often in all", "The first time among them; until it is ended if it is left out.", false),
];
const WHICH: [Member; 2] = [(DEVICE, "Only of the device", "", false), (SOURCE, "Only made from", "", false)];
/// What goes along from one page to the next.
const KEPT: [&str; 14] = [
    TARGET,
    "beneficiary",
    BENEFICIARY_ACCOUNT,
    "purpose",
    FIRST_AT,
    UNITS,
    EVERY,
    RUNS,
    "portion",
    "certificate_quantity",
    "unit",
    "percentage",
    DEVICE,
    SOURCE,
];

pub(super) async fn ask_new(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path((id, kind)): Path<(i64, String)>,
) -> Result<Response, Failure> {
    let kind = Kind::parse(&kind)?;
    let around = read(&ui, &visitor, AccountId(id), kind).await?;
    show(&page(&visitor, around, kind, Fields::default(), None))
}

pub(super) async fn place(
    State(ui): State<Ui>,
    Path((id, kind)): Path<(i64, String)>,
    Form { visitor, fields }: Form,
) -> Result<Response, Failure> {
    let kind = Kind::parse(&kind)?;
    // Who may not is told so, and sees no form.
    let around = read(&ui, &visitor, AccountId(id), kind).await?;
    let step = fields.get("step").unwrap_or("preview");
    if step == "change" {
        return show(&page(&visitor, around, kind, fields, None));
    }
    // What was not shown carries no such value.
    let once = fields.get(ONCE).filter(|_| step == "do");
    let refused = match body(kind, id, &fields, &around) {
        Err(faults) => Refused::of_fields("Something is missing or wrong", faults),
        Ok(body) => {
            let dry_run = if once.is_some() { "" } else { "?dry_run=true" };
            let address = format!("/certificate/recurring_{}{dry_run}", kind.name());
            match ui.api.ask(&visitor.caller, Method::POST, &address, &body, once).await {
                Ok(answered) if once.is_none() => {
                    return show(&preview(&visitor, around, kind, &fields, &answered.json));
                }
                Ok(answered) => {
                    let order = answered.json["id"].as_i64().ok_or(Failure::Ours)?;
                    return Ok(changed(answered.event, &format!("{}/{order}", list_of(AccountId(id)))));
                }
                Err(refused) => refused,
            }
        }
    };
    show_refused(&page(&visitor, around, kind, fields, Some(refused.clone())), &refused)
}

/// The account and what there is to choose from, if the visitor may order there.
async fn read(ui: &Ui, visitor: &Visitor, account: AccountId, kind: Kind) -> Result<Around, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let found = ui
        .blocking(move |registry| {
            let known = Known::of(registry.account(&caller, account, fresh)?);
            let mut receivers = Vec::new();
            if kind == Kind::Transfer {
                let paging = Paging { limit: CHOICES_MAX, after: None };
                let found = registry.receivers(&caller, account, paging, fresh)?.entries;
                let found = found.into_iter().map(Known::receiver);
                receivers.extend(found.map(|known| (known.id.to_string(), known.name)));
            }
            let partners = Partners::of(registry, &caller, account, fresh)?;
            let devices = DeviceNames::of(registry, &caller, account, fresh)?;
            Ok(Around { account: known, receivers, partners, devices })
        })
        .await?;
    if visitor.may(Capability::Trade(account)) {
        return Ok(found);
    }
    Err(Failure::forbidden("the role Trading User or Production User and membership of the account"))
}

/// What the form says, as the API reads it, or what is not chosen and what cannot be read.
fn body(kind: Kind, account: i64, fields: &Fields, around: &Around) -> Result<Value, Vec<Fault>> {
    let (mut body, mut faults) = (Map::new(), Vec::new());
    let own: &[&str] = if kind == Kind::Transfer { &[TARGET] } else { &["beneficiary", "purpose"] };
    body.extend(fields.json(own));
    body.extend(fields.json(&[FIRST_AT, UNITS, EVERY, RUNS, DEVICE, SOURCE]));
    body.insert("source_id".to_owned(), account.into());
    if kind == Kind::Transfer && fields.get(TARGET).is_none() {
        faults.push(Fault::of(TARGET, "Choose an account"));
    }
    if let Some(typed) = fields.get(BENEFICIARY_ACCOUNT).filter(|_| kind == Kind::Cancel) {
        match around.partners.number_of(typed) {
            Ok(number) => drop(body.insert(BENEFICIARY_ACCOUNT.to_owned(), number.into())),
            Err(what) => faults.push(Fault::of(BENEFICIARY_ACCOUNT, &what)),
        }
    }
    if fields.get(FIRST_AT).is_none() {
        faults.push(Fault::of(FIRST_AT, "Fill this in"));
    }
    match fields.get("portion") {
        None => faults.push(Fault::of("portion", "Choose how much")),
        Some(portion @ ("whole" | "percentage" | "quantity")) => match amount(portion, fields) {
            Ok(amount) => body.extend(amount),
            Err(fault) => faults.push(fault),
        },
        Some(_) => faults.push(Fault::of("portion", "Choose one of what is offered")),
    }
    if faults.is_empty() { Ok(Value::Object(body)) } else { Err(faults) }
}

fn page(visitor: &Visitor, around: Around, kind: Kind, given: Fields, refused: Option<Refused>) -> Page {
    let back = list_of(around.account.id);
    let field = |member: &Member| field(*member, &given, &around.devices, refused.as_ref());
    Page {
        kind,
        action: format!("{back}/new/{}", kind.name()),
        when: WHEN.iter().map(field).collect(),
        which: WHICH.iter().map(field).collect(),
        frame: Frame::of_account(visitor, kind.heading(), &back, around.account.clone()),
        around,
        given,
        back,
        refused,
    }
}

impl Page {
    fn fault(&self, name: &str) -> Option<String> {
        let refused = self.refused.as_ref()?;
        let of_share = || fault_of(refused, SHARE).filter(|_| name == "percentage");
        fault_of(refused, name).or_else(of_share)
    }

    fn value(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_default()
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.given.get(name) == Some(value)
    }

    /// Whether there is anybody to send to.
    fn has_receivers(&self) -> bool {
        self.kind == Kind::Cancel || !self.around.receivers.is_empty()
    }

    /// The unit that was chosen; at first that of trade.
    fn unit(&self) -> &str {
        self.given.get("unit").unwrap_or("MWh")
    }

    fn has_faults_at_fields(&self) -> bool {
        KEPT.iter().any(|name| self.fault(name).is_some())
    }

    /// What no field shows.
    fn other_faults(&self) -> Vec<String> {
        let Some(refused) = &self.refused else { return Vec::new() };
        let is_shown = |name: &str| name == SHARE || KEPT.contains(&name);
        let faults = refused.faults.iter().filter(|fault| !is_shown(&fault.name));
        let told = |fault: &Fault| match fault.label.as_str() {
            "" => fault.what.clone(),
            label => format!("{label}: {}", fault.what),
        };
        faults.map(told).collect()
    }
}

fn field(
    (name, label, help, is_needed): Member,
    given: &Fields,
    devices: &DeviceNames,
    refused: Option<&Refused>,
) -> Field {
    let text = |value: &str, text: &str| (value.to_owned(), text.to_owned());
    let choices = match name {
        UNITS => PeriodUnit::ALL.iter().map(|unit| text(unit.name(), period(*unit).1)).collect(),
        SOURCE => {
            let sources = EnergySource::ALL.iter().map(|of| text(of.name(), format::source(*of)));
            std::iter::once(text("", "Anything")).chain(sources).collect()
        }
        DEVICE => std::iter::once(text("", "Any device")).chain(devices.choices()).collect(),
        _ => Vec::new(),
    };
    let usual = if name == UNITS { PeriodUnit::Months.name() } else { "" };
    Field {
        name,
        label,
        help,
        value: given.get(name).unwrap_or(usual).to_owned(),
        fault: refused.and_then(|refused| fault_of(refused, name)),
        is_needed,
        is_number: matches!(name, EVERY | RUNS),
        choices,
    }
}

fn preview(visitor: &Visitor, around: Around, kind: Kind, given: &Fields, answer: &Value) -> Preview {
    let back = list_of(around.account.id);
    let run = &answer["next_run"];
    let total = WattHours(run["total_quantity"].as_u64().unwrap_or_default());
    let bundles = run["bundles"].as_u64().and_then(|bundles| usize::try_from(bundles).ok()).unwrap_or_default();
    let first = match run["rejection"]["detail"].as_str() {
        Some(detail) => First::Nothing(words::plain(detail)),
        None => First::Does {
            energy: format::exact(total),
            wh: format::thousands(total.0),
            bundles: format::count(bundles, "bundle"),
        },
    };
    let due = answer["next_due_dates"].as_array().into_iter().flatten();
    let due = due.filter_map(|at| at.as_str()?.parse::<Timestamp>().ok()).map(format::instant);
    let hidden = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), given.get(name)?.to_owned())));
    let (heading, to) = towards(&around, kind, answer);
    Preview {
        kind,
        action: format!("{back}/new/{}", kind.name()),
        heading,
        facts: to.into_iter().chain(facts(&around, given, answer)).collect(),
        due: due.collect(),
        first,
        hidden: hidden.collect(),
        frame: Frame::of_account(visitor, kind.heading(), &back, around.account),
        back,
    }
}

/// To or for whom: the question, and the facts.
fn towards(around: &Around, kind: Kind, answer: &Value) -> (String, Vec<(&'static str, String)>) {
    let from = ("From", around.account.name.clone());
    if kind == Kind::Transfer {
        let target = answer[TARGET].as_i64().unwrap_or_default().to_string();
        let name = around.receivers.iter().find(|(id, _)| *id == target).map(|(_, name)| name.clone());
        let name = name.unwrap_or_else(|| format!("account {target}"));
        return (format!("Order transfers to {name}?"), vec![from, ("To", name)]);
    }
    let beneficiary = answer["beneficiary"].as_str();
    let name = beneficiary.unwrap_or(&around.account.name).to_owned();
    let heading = format!("Order cancellations for {name}?");
    let mut facts = vec![from, ("For the beneficiary", name)];
    let claims = answer[BENEFICIARY_ACCOUNT].as_i64().map(|id| around.partners.name(id));
    facts.extend(claims.map(|name| ("Who may claim", name)));
    facts.extend(answer["purpose"].as_str().map(|purpose| ("Purpose", purpose.to_owned())));
    (heading, facts)
}

fn facts(around: &Around, given: &Fields, answer: &Value) -> Vec<(&'static str, String)> {
    let number = |name: &str| answer[name].as_u64().and_then(|number| u32::try_from(number).ok());
    let portion = match (answer["certificate_quantity"].as_u64(), given.get("percentage")) {
        (Some(quantity), _) => format!("{} in all, the oldest production first", format::exact(WattHours(quantity))),
        (None, Some(percent)) => format!("{} % of each bundle that matches", percent.trim_end_matches(['%', ' '])),
        (None, None) => "Everything that matches".to_owned(),
    };
    let unit = answer[UNITS].as_str().and_then(PeriodUnit::parse);
    let mut facts = vec![("At each run", portion)];
    facts.extend(unit.map(|unit| ("When", super::every_so_many(unit, number(EVERY).unwrap_or(1)))));
    facts.push(("How often in all", number_of_runs(number(RUNS))));
    facts.extend(answer[DEVICE].as_i64().map(|id| ("Only of the device", around.devices.name(id))));
    let source = answer[SOURCE].as_str().and_then(EnergySource::parse);
    facts.extend(source.map(|source| ("Only made from", format::source(source).to_owned())));
    facts
}
