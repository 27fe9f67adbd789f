//! Who may send to an account, and where it may send to.

use crate::Ui;
use crate::done::{Done, done};
use crate::failure::Failure;
use crate::form::{Fields, Form, Parameters};
use crate::frame::{Frame, show, show_refused};
use crate::limits::WHITELIST_PER_PAGE;
use crate::visitor::{Known, Visitor};
use crate::words::{Fault, Refused};
use app::{Page as Listed, Paging};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use domain::{AccountId, Capability};
use serde_json::json;

/// The parameters that say where a list goes on.
const SENDERS_AFTER: &str = "senders_after";
const RECEIVERS_AFTER: &str = "receivers_after";

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/account/{id}/whitelist", get(whitelist).post(add))
        .route("/account/{id}/whitelist/remove", post(remove))
}

#[derive(Template)]
#[template(path = "whitelist.html")]
struct Page {
    frame: Frame,
    id: i64,
    name: String,
    senders: List,
    receivers: List,
    may_change: bool,
    told: Told,
}

/// One of the two lists.
struct List {
    accounts: Vec<Known>,
    /// Whether this is not its first page.
    is_later: bool,
    /// The address of the next page.
    next: Option<String>,
}

/// What of the page is not the same each time.
#[derive(Default)]
struct Told {
    sender: String,
    refused: Option<Refused>,
}

impl Told {
    /// What is wrong with the account that was to be added.
    fn fault(&self) -> Option<&str> {
        let refused = self.refused.as_ref()?;
        let of_field = refused.fault("add_to_whitelist");
        Some(of_field.unwrap_or(&refused.detail)).filter(|what| !what.is_empty())
    }
}

async fn whitelist(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(fields): Parameters,
) -> Result<Response, Failure> {
    show(&page(&ui, &visitor, id, &fields, Told::default()).await?)
}

async fn page(ui: &Ui, visitor: &Visitor, id: i64, fields: &Fields, told: Told) -> Result<Page, Failure> {
    let (caller, fresh, account) = (visitor.caller.clone(), visitor.fresh, AccountId(id));
    let [senders_after, receivers_after] = [SENDERS_AFTER, RECEIVERS_AFTER].map(|name| fields.number(name));
    let (view, senders, receivers) = ui
        .blocking(move |registry| {
            let view = registry.account(&caller, account, fresh)?;
            let paging = |after| Paging { limit: WHITELIST_PER_PAGE, after };
            let senders = registry.account_whitelist(&caller, account, false, paging(senders_after), fresh)?;
            Ok((view, senders, registry.receivers(&caller, account, paging(receivers_after), fresh)?))
        })
        .await?;
    let address = format!("/ui/account/{id}/whitelist");
    let known = Known::of(view);
    Ok(Page {
        id,
        name: known.name.clone(),
        senders: List::of(senders, |of| Known::named(of.id, of.name), (fields, SENDERS_AFTER), &address),
        receivers: List::of(receivers, Known::receiver, (fields, RECEIVERS_AFTER), &address),
        may_change: visitor.may(Capability::UpdateWhitelist(account)),
        frame: Frame::of_account(visitor, "Whitelist", &address, known),
        told,
    })
}

impl List {
    fn of<T>(
        listed: Listed<T, i64>,
        known: impl Fn(T) -> Known,
        (fields, after): (&Fields, &'static str),
        address: &str,
    ) -> Self {
        let next = listed.next.map(|id| format!("{address}?{}", fields.with(after, Some(&id.to_string()))));
        Self { accounts: listed.entries.into_iter().map(known).collect(), is_later: fields.get(after).is_some(), next }
    }
}

async fn add(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let sender = fields.get("sender").unwrap_or_default().to_owned();
    let refused = match sender_of(&ui, &visitor, id, &sender).await? {
        Ok(account) => {
            let change = json!({"add_to_whitelist": [account]});
            match update(&ui, &visitor, id, &change, &fields).await {
                Ok(response) => return Ok(response),
                Err(refused) => refused,
            }
        }
        Err(refused) => refused,
    };
    // Who may not is told so, and sees no form.
    if refused.status == StatusCode::FORBIDDEN.as_u16() {
        return Err(refused.into());
    }
    let page = page(&ui, &visitor, id, &Fields::default(), Told { sender, refused: Some(refused.clone()) }).await?;
    show_refused(&page, &refused)
}

/// The id of an account that was named by its id or by exactly its name.
async fn sender_of(ui: &Ui, visitor: &Visitor, id: i64, sender: &str) -> Result<Result<i64, Refused>, Failure> {
    if let Ok(number) = sender.trim_start_matches('#').parse::<i64>() {
        return Ok(Ok(number));
    }
    let (caller, fresh, name) = (visitor.caller.clone(), visitor.fresh, sender.to_owned());
    let found =
        ui.blocking(move |registry| registry.account_to_whitelist(&caller, AccountId(id), &name, fresh)).await?;
    let what = if sender.is_empty() { "Say which account" } else { "There is no account of exactly this name" };
    let refused = || Refused::of_fields("Not added", vec![Fault::of("add_to_whitelist", what)]);
    Ok(found.map(|account| account.0).ok_or_else(refused))
}

async fn remove(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let change = json!({"remove_from_whitelist": [form.fields.number("sender")]});
    Ok(update(&ui, &form.visitor, id, &change, &form.fields).await?)
}

async fn update(
    ui: &Ui,
    visitor: &Visitor,
    id: i64,
    change: &serde_json::Value,
    fields: &Fields,
) -> Result<Response, Refused> {
    let address = format!("/account/update_whitelist/{id}");
    let once = fields.get(crate::form::ONCE);
    let answered = ui.api.ask(&visitor.caller, Method::PATCH, &address, change, once).await?;
    let what = if change.get("add_to_whitelist").is_some() { Done::MaySend } else { Done::MaySendNoMore };
    Ok(done(answered.event, &format!("/ui/account/{id}/whitelist"), what))
}
