//! What is done to a selection of bundles, in three steps: a form, a look at what exactly it would do (the API's dry run),
//! and then the same again in earnest.
//!
//! Invariant: nothing is done that was not shown before, and a form that is sent twice is done once.

mod deed;
pub(super) mod made;
pub(super) mod order;

use super::names::Names;
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Form, ONCE};
use crate::format;
use crate::frame::{Frame, show};
use crate::limits::{CHOICES_MAX, RECORDS_LOOKED_AT_MAX, RESULTS_PER_PAGE};
use crate::visitor::{Known, Visitor, changed};
use crate::words::{self, Fault, Refused};
use app::{ActionQuery, AnyAction, BundleView, Error, Origin, Paging};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
pub(super) use deed::Deed;
use domain::{AccountId, ActionKind, BundleId, BundleStatus, WattHours};
use made::{Left, counts, fates, taken};
use serde_json::Value;

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/account/{id}/action/{deed}", get(begin).post(act))
}

/// What is ordered, of which bundles of which account.
struct Order {
    visitor: Visitor,
    fields: Fields,
    deed: Deed,
    account: AccountId,
    /// `None` if the visitor may claim what is in it and not read it.
    known: Option<Known>,
    selected: Vec<BundleView>,
    receivers: Vec<Known>,
}

#[derive(Template)]
#[template(path = "act.html")]
struct Ask {
    frame: Frame,
    order: Order,
    /// With every digit, and in Wh.
    total: String,
    exact: String,
    bundles: String,
    /// The ids, for the next page.
    ids: String,
    /// How many of them the deed cannot be done to.
    unfit: usize,
    states: String,
    refused: Option<Refused>,
    /// The record of what was refused, if one is kept.
    rejected: Option<i64>,
}

#[derive(Template)]
#[template(path = "act_preview.html")]
struct Preview {
    frame: Frame,
    order: Order,
    ids: String,
    /// Names and values that go along.
    kept: Vec<(&'static str, String)>,
    total: String,
    exact: String,
    /// To or for whom.
    towards: Vec<(&'static str, String)>,
    /// In how many bundles.
    taken: String,
    rows: Vec<made::Row>,
    /// Rows that are not shown.
    more: usize,
}

/// Who comes here without a form chooses first.
async fn begin(_visitor: Visitor, Path((id, _)): Path<(i64, String)>) -> Redirect {
    Redirect::to(&format!("/ui/account/{id}/certificates"))
}

async fn act(
    State(ui): State<Ui>,
    Path((id, deed)): Path<(i64, String)>,
    Form { visitor, fields }: Form,
) -> Result<Response, Failure> {
    let deed = Deed::parse(&deed).ok_or(Failure::NoSuchPage)?;
    let ids = order::bundles(&fields);
    let order = read(&ui, visitor, fields, deed, AccountId(id), ids.clone()).await?;
    let step = order.fields.get("step").unwrap_or_default().to_owned();
    // A second click may find that the first has moved them on, and is to hear what that came to.
    if order.selected.is_empty() && step != "do" {
        let faults = vec![Fault::of("granular_certificate_bundle_ids", "Select at least one bundle")];
        return ask(order, &ids, Some(Refused::of_fields("Nothing is selected", faults)));
    }
    if step == "fit" {
        let fitting = order.fitting();
        return ask(order, &fitting, None);
    }
    if step != "preview" && step != "do" {
        return ask(order, &ids, None);
    }
    let body = match order::body(deed, id, &ids, &order.fields) {
        Ok(body) => body,
        Err(faults) => {
            return ask(order, &ids, Some(Refused::of_fields("Something is missing or wrong", faults)));
        }
    };
    let path = format!("/certificate/{}", deed.name());
    let caller = order.visitor.caller.clone();
    if step == "preview" {
        let path = format!("{path}?dry_run=true");
        return match ui.api.ask(&caller, Method::POST, &path, &body, None).await {
            Ok(answered) => preview(&ui, order, &ids, &answered.json).await,
            Err(refused) => ask(order, &ids, Some(named(refused))),
        };
    }
    let once = order.fields.get(ONCE).ok_or(Failure::Forged)?.to_owned();
    match ui.api.ask(&caller, Method::POST, &path, &body, Some(&once)).await {
        Ok(answered) => match answered.json["id"].as_i64() {
            Some(action) => Ok(changed(answered.event, &format!("/ui/action/{action}?done=1"))),
            None => Err(Failure::Ours),
        },
        Err(refused) => {
            let record = record_of(&ui, &order, &refused).await?;
            ask_with(order, &ids, Some(named(refused)), record)
        }
    }
}

/// The record that was kept of a refusal just now: the newest of this visitor, deed and account in the same words.
async fn record_of(ui: &Ui, order: &Order, refused: &Refused) -> Result<Option<i64>, Failure> {
    let Some(kind) = ActionKind::ALL.iter().copied().find(|kind| kind.name() == order.deed.name()) else {
        return Ok(None);
    };
    let (caller, fresh) = (order.visitor.caller.clone(), order.visitor.fresh);
    let query =
        ActionQuery { source: Some(order.account), kind: Some(kind), is_accepted: Some(false), ..Default::default() };
    let paging = Paging { limit: RECORDS_LOOKED_AT_MAX, after: None };
    let found = ui.blocking(move |registry| registry.actions(&caller, &query, paging, fresh)).await?;
    let user = Some(order.visitor.caller.user_id.0);
    Ok(found.entries.into_iter().find_map(|action| match action {
        AnyAction::Rejected(action) if action.user_id == user && words::plain(&action.detail) == refused.detail => {
            Some(action.id.0)
        }
        AnyAction::Rejected(_) | AnyAction::Accepted(_) => None,
    }))
}

/// What the form and the preview show.
///
/// # Errors
/// Not found for an account that is not the visitor's business; forbidden for what is not for them.
async fn read(
    ui: &Ui,
    visitor: Visitor,
    fields: Fields,
    deed: Deed,
    account: AccountId,
    ids: Vec<i64>,
) -> Result<Order, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (known, selected, receivers) = ui
        .blocking(move |registry| {
            let known = match registry.account(&caller, account, fresh) {
                Ok(view) => Some(Known::of(view)),
                // What is cancelled for somebody stays in the account of who cancelled it.
                Err(Error::NotFound { .. }) if deed == Deed::Claim => None,
                Err(error) => return Err(error),
            };
            let bundles: Vec<BundleId> = ids.into_iter().map(BundleId).collect();
            let selected = registry.selected_bundles(&caller, account, &bundles, fresh)?;
            let mut receivers = Vec::new();
            // Who receives from it is known by name; so may be for whom it cancels.
            if matches!(deed, Deed::Transfer | Deed::Cancel) && known.is_some() {
                let paging = Paging { limit: CHOICES_MAX, after: None };
                let found = registry.receivers(&caller, account, paging, fresh)?.entries;
                receivers.extend(found.into_iter().map(Known::receiver));
            }
            Ok((known, selected, receivers))
        })
        .await?;
    let claims = deed == Deed::Claim && visitor.accounts.iter().any(|own| deed.is_for(&visitor, own.id));
    if known.is_none() && selected.is_empty() {
        return Err(Error::NotFound { what: "Account", id: account.0 }.into());
    }
    if !deed.is_for(&visitor, account) && !claims {
        return Err(Failure::forbidden(deed.needs()));
    }
    Ok(Order { visitor, fields, deed, account, known, selected, receivers })
}

/// What a shape lacks is told at the fields, where the share has another name than in the API.
fn named(mut refused: Refused) -> Refused {
    if !refused.faults.is_empty() {
        "Something is missing or wrong".clone_into(&mut refused.title);
    }
    for fault in &mut refused.faults {
        if fault.name == "certificate_bundle_percentage" {
            "percentage".clone_into(&mut fault.name);
        }
    }
    refused
}

fn ids_text(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(" ")
}

fn ask(order: Order, ids: &[i64], refused: Option<Refused>) -> Result<Response, Failure> {
    ask_with(order, ids, refused, None)
}

fn ask_with(
    mut order: Order,
    ids: &[i64],
    refused: Option<Refused>,
    rejected: Option<i64>,
) -> Result<Response, Failure> {
    order.selected.retain(|view| ids.binary_search(&view.bundle.id.0).is_ok());
    let total: WattHours = order.selected.iter().map(|view| view.bundle.range.quantity()).sum();
    let status = refused.as_ref().map_or(200, |refused| refused.status);
    let page = keepable(show(&Ask {
        frame: order.frame(),
        total: format::exact(total),
        exact: format::thousands(total.0),
        bundles: format::count(order.selected.len(), "bundle"),
        ids: ids_text(ids),
        unfit: ids.len().saturating_sub(order.fitting().len()),
        states: order.deed.states(),
        order,
        refused,
        rejected,
    })?);
    Ok((StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY), page).into_response())
}

async fn preview(ui: &Ui, order: Order, ids: &[i64], answer: &Value) -> Result<Response, Failure> {
    let left: Vec<Left> = answer["result"].as_array().into_iter().flatten().filter_map(left_of).collect();
    let fates = fates(&left);
    let counted = counts(&fates);
    let (caller, fresh, account) = (order.visitor.caller.clone(), order.visitor.fresh, order.account.0);
    let beneficiary = answer["beneficiary_account_id"].as_i64();
    let target = answer["target_id"].as_i64();
    let wanted: Vec<i64> = left.iter().filter_map(|one| one.account).chain(beneficiary).chain(target).collect();
    let names = ui.blocking(move |registry| Names::of(registry, &caller, wanted, &[account], fresh)).await?;
    let text = |name: &str| answer[name].as_str().map(str::to_owned);
    let from = Origin::of(&order.selected).as_ref().map(made::origin).unwrap_or_default();
    let towards = [
        ("To", target.map(|id| names.account(id))),
        ("For the beneficiary", text("beneficiary")),
        ("Who may claim them", beneficiary.map(|id| names.account(id))),
        ("Purpose", text("purpose")),
        ("For the registry", text("target_registry")),
        ("Reason", text("reason")),
    ];
    let total = WattHours(answer["total_quantity"].as_u64().unwrap_or_default());
    let rows = left.iter().zip(&fates).take(RESULTS_PER_PAGE);
    let kept = order::KEPT.iter().filter_map(|name| Some((*name, order.fields.get(name)?.to_owned())));
    let page = show(&Preview {
        frame: order.frame(),
        ids: ids_text(ids),
        kept: kept.collect(),
        total: format::exact(total),
        exact: format::thousands(total.0),
        towards: towards.into_iter().filter_map(|(name, value)| Some((name, value?))).chain(from).collect(),
        taken: taken(counted),
        rows: rows.map(|(one, fate)| made::row(one, *fate, order.deed.done(), &names)).collect(),
        more: left.len().saturating_sub(RESULTS_PER_PAGE),
        order,
    })?;
    Ok(keepable(page))
}

/// The answer to a form which the browser may keep, so that it goes back to it without sending the form again. Whatever is
/// sent from there carries the visitor's proof all the same, and is done once.
fn keepable(mut page: Response) -> Response {
    page.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    page
}

fn left_of(result: &Value) -> Option<Left> {
    Some(Left {
        bundle: result["bundle_id"].as_i64(),
        parent: result["parent_id"].as_i64(),
        first: result["range_start"].as_u64()?,
        last: result["range_end"].as_u64()?,
        status: result["status"].as_str().and_then(BundleStatus::parse),
        account: result["account_id"].as_i64(),
        part: None,
    })
}

impl Order {
    fn frame(&self) -> Frame {
        let title = self.deed.heading();
        let current = format!("/ui/account/{}/certificates", self.account);
        match &self.known {
            Some(known) => Frame::of_account(&self.visitor, &title, &current, known.clone()),
            None => Frame::of(&self.visitor, &title, ""),
        }
    }

    /// The bundles that are there, in a state in which the deed can be done; ascending.
    fn fitting(&self) -> Vec<i64> {
        let fitting = self.selected.iter().filter(|view| self.deed.leads_from(view.status));
        let mut ids: Vec<i64> = fitting.map(|view| view.bundle.id.0).collect();
        ids.sort_unstable();
        ids
    }

    /// Where one selects.
    fn back(&self) -> String {
        match &self.known {
            Some(known) => format!("/ui/account/{}/certificates", known.id),
            None => "/ui".to_owned(),
        }
    }

    /// From whom the certificates are.
    fn account_name(&self) -> String {
        self.known.as_ref().map_or_else(|| format!("account {}", self.account), |known| known.name.clone())
    }

    fn value(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.fields.get(name).is_some_and(|found| found == value)
    }

    /// The chosen portion; all of it at first.
    fn portion(&self) -> &str {
        self.fields.get("portion").unwrap_or("whole")
    }
}

impl Ask {
    fn fault(&self, name: &str) -> Option<&str> {
        self.refused.as_ref()?.fault(name)
    }

    fn has_faults_at_fields(&self) -> bool {
        let faults = self.refused.iter().flat_map(|refused| &refused.faults);
        faults.clone().count() > self.other_faults().len()
    }

    /// The faults that no field shows.
    fn other_faults(&self) -> Vec<&str> {
        let is_elsewhere = |name: &str| order::KEPT.contains(&name);
        let faults = self.refused.iter().flat_map(|refused| &refused.faults);
        faults.filter(|fault| !is_elsewhere(&fault.name)).map(|fault| fault.what.as_str()).collect()
    }
}
