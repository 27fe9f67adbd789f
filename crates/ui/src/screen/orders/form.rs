//! The form that places a standing order. The fields are the members of the API; only a share is a percentage.

use super::list_of;
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Field, Fields, Form, ONCE, fault_of};
use crate::format;
use crate::frame::{Frame, show, show_refused};
use crate::limits::CHOICES_MAX;
use crate::screen::act::order::share_of;
use crate::visitor::{Known, Visitor, changed};
use crate::words::{Fault, Refused};
use app::Paging;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use domain::{AccountId, Capability, EnergySource};
use serde_json::Value;

#[derive(Template)]
#[template(path = "order_form.html")]
struct Page {
    frame: Frame,
    heading: &'static str,
    lead: &'static str,
    action: String,
    back: String,
    fields: Vec<Field>,
    refused: Option<Refused>,
    /// Whether there is anybody to send to.
    has_receivers: bool,
}

/// What is ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Transfer,
    Cancel,
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

    fn own(self) -> &'static [Member] {
        match self {
            Self::Transfer => &[("target_id", "To which account", "", true)],
            Self::Cancel => &[
                ("beneficiary", "Beneficiary", "Without one: this account, by the name that it has then.", false),
                (
                    "beneficiary_account_id",
                    "Number of the beneficiary's account",
                    "If it has one here and shall claim them.",
                    false,
                ),
                ("purpose", "Purpose", "Such as disclosure 2026.", false),
            ],
        }
    }
}

/// Name, label and help of a member, and whether it must be there.
type Member = (&'static str, &'static str, &'static str, bool);

const PERCENTAGE: &str = "percentage";
const SHARE: &str = "certificate_bundle_percentage";
const QUANTITY: &str = "certificate_quantity";
/// What both kinds of order have.
const MEMBERS: [Member; 8] = [
    ("initial_action_datetime", "First due", "In UTC, such as 2030-01-31 or 2030-01-31T06:00Z; today or later.", true),
    ("recurring_action_period_units", "Period", "The 31st is the last day of a shorter month.", true),
    ("recurring_action_period_quantity", "Every so many periods", "From 1 to 1,000; 1 if it is left out.", false),
    (
        "number_of_recurring_actions",
        "How often in all",
        "The first time among them; until it is ended if it is left out.",
        false,
    ),
    (
        QUANTITY,
        "Quantity in Wh at each run",
        "The oldest production first. If less is there, that run is refused.",
        false,
    ),
    (PERCENTAGE, "Or a share in percent", "Of each bundle that matches. Without either: all that matches.", false),
    ("device_id", "Only of the device with this number", "", false),
    ("energy_source", "Only made from", "", false),
];

const LEAD_TRANSFER: &str = "At each due time the registry transfers what this account then holds Active and matches, in your \
    name and with the rights that you have then.";
const LEAD_CANCEL: &str = "At each due time the registry cancels what this account then holds Active and matches, in your name \
    and with the rights that you have then. What is cancelled stays cancelled.";

pub(super) async fn ask_new(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path((id, kind)): Path<(i64, String)>,
) -> Result<Response, Failure> {
    let kind = Kind::parse(&kind)?;
    let (account, receivers) = read(&ui, &visitor, AccountId(id), kind).await?;
    show(&page(&visitor, account, kind, &receivers, &Fields::default(), None))
}

pub(super) async fn place(
    State(ui): State<Ui>,
    Path((id, kind)): Path<(i64, String)>,
    Form { visitor, fields }: Form,
) -> Result<Response, Failure> {
    let kind = Kind::parse(&kind)?;
    let refused = match body(kind, id, &fields) {
        Err(fault) => Refused::of_fields("What was entered cannot be used", vec![fault]),
        Ok(body) => {
            let address = format!("/certificate/recurring_{}", kind.name());
            match ui.api.ask(&visitor.caller, Method::POST, &address, &body, fields.get(ONCE)).await {
                Ok(answered) => {
                    let order = answered.json["id"].as_i64().ok_or(Failure::Ours)?;
                    return Ok(changed(answered.event, &format!("{}/{order}", list_of(AccountId(id)))));
                }
                Err(refused) => refused,
            }
        }
    };
    // Who may not is told so, and sees no form.
    let (account, receivers) = read(&ui, &visitor, AccountId(id), kind).await?;
    let page = page(&visitor, account, kind, &receivers, &fields, Some(refused.clone()));
    show_refused(&page, &refused)
}

/// The account, if the visitor may order there, and where it may send to.
async fn read(
    ui: &Ui,
    visitor: &Visitor,
    account: AccountId,
    kind: Kind,
) -> Result<(Known, Vec<(String, String)>), Failure> {
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
            Ok((known, receivers))
        })
        .await?;
    if visitor.may(Capability::Trade(account)) {
        return Ok(found);
    }
    Err(Failure::forbidden("the role Trading User or Production User and membership of the account"))
}

fn body(kind: Kind, account: i64, fields: &Fields) -> Result<Value, Fault> {
    let names: Vec<&str> =
        kind.own().iter().chain(&MEMBERS).map(|member| member.0).filter(|name| *name != PERCENTAGE).collect();
    let mut body = fields.json(&names);
    body.insert("source_id".to_owned(), account.into());
    if let Some(percent) = fields.get(PERCENTAGE) {
        let what = "Enter a decimal number, such as 50 or 12.5";
        let share = share_of(percent).ok_or_else(|| Fault::of(PERCENTAGE, what))?;
        body.insert(SHARE.to_owned(), share.into());
    }
    Ok(Value::Object(body))
}

fn page(
    visitor: &Visitor,
    account: Known,
    kind: Kind,
    receivers: &[(String, String)],
    given: &Fields,
    refused: Option<Refused>,
) -> Page {
    let (heading, lead) = match kind {
        Kind::Transfer => ("Order transfers", LEAD_TRANSFER),
        Kind::Cancel => ("Order cancellations", LEAD_CANCEL),
    };
    let back = list_of(account.id);
    let field = |member: &Member| field(*member, given, receivers, refused.as_ref());
    Page {
        heading,
        lead,
        action: format!("{back}/new/{}", kind.name()),
        fields: kind.own().iter().chain(&MEMBERS).map(field).collect(),
        has_receivers: kind == Kind::Cancel || !receivers.is_empty(),
        frame: Frame::of_account(visitor, heading, &back, account),
        back,
        refused,
    }
}

fn field(
    (name, label, help, is_needed): Member,
    given: &Fields,
    receivers: &[(String, String)],
    refused: Option<&Refused>,
) -> Field {
    let wire = if name == PERCENTAGE { SHARE } else { name };
    let fault = refused.and_then(|refused| fault_of(refused, wire).or_else(|| fault_of(refused, name)));
    let text = |value: &str, text: &str| (value.to_owned(), text.to_owned());
    let choices = match name {
        "target_id" => receivers.to_vec(),
        "recurring_action_period_units" => {
            vec![text("days", "Days"), text("weeks", "Weeks"), text("months", "Months"), text("years", "Years")]
        }
        "energy_source" => {
            let sources = EnergySource::ALL.iter().map(|of| text(of.name(), format::source(*of)));
            std::iter::once(text("", "Anything")).chain(sources).collect()
        }
        _ => Vec::new(),
    };
    let is_number = matches!(
        name,
        "recurring_action_period_quantity"
            | "number_of_recurring_actions"
            | "device_id"
            | "beneficiary_account_id"
            | QUANTITY
    );
    let usual = if name == "recurring_action_period_units" { "months" } else { "" };
    let value = given.get(name).unwrap_or(usual).to_owned();
    Field { name, label, help, value, fault, is_needed, is_number, choices }
}
