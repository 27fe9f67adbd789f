//! The bundles of an account: found, added up, selected, exported.

mod filter;
mod sort;

use super::act::Deed;
use crate::Ui;
use crate::failure::Failure;
use crate::form::Parameters;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{BUNDLES_PER_PAGE, CHOICES_MAX, SELECTED_MAX};
use crate::visitor::{Known, Visitor};
use crate::words::{self, Refused};
use app::{BundleList, BundleListing, BundleView};
use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use domain::{BundleStatus, EnergySource, WattHours};
use filter::{Filter, Preset, presets};
use serde_json::{Value, json};
use sort::{Heading, headings};
use std::collections::BTreeMap;

/// Has a read see what the visitor did last.
const EVENT: HeaderName = HeaderName::from_static("x-granary-event");
/// Bytes of a problem.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/account/{id}/certificates", get(list))
        .route("/account/{id}/certificates/export", get(export))
        .route("/account/{id}/certificates/selection", get(selection))
}

#[derive(Template)]
#[template(path = "certificates.html")]
struct Page {
    frame: Frame,
    id: i64,
    name: String,
    filter: Filter,
    presets: Vec<Preset>,
    devices: Vec<Choice>,
    sources: Vec<Choice>,
    statuses: Vec<Choice>,
    refused: Option<Refused>,
    headings: Vec<Heading>,
    /// Why the rows are not sorted as was asked for.
    unsorted: Option<String>,
    rows: Vec<Row>,
    total: Option<Total>,
    /// The address of the next page.
    next: Option<String>,
    /// What the visitor may do with a selection.
    deeds: Vec<Deed>,
}

/// Something that a filter may ask for.
struct Choice {
    value: String,
    text: String,
    is_chosen: bool,
}

struct Total {
    bundles: String,
    energy: String,
    exact: String,
    /// State by state, if there is more than one.
    states: Vec<OfState>,
    is_whole: bool,
    /// Where all are added up.
    whole: String,
}

/// How much is in a state.
struct OfState {
    name: &'static str,
    tone: &'static str,
    bundles: String,
    energy: String,
    /// Whether its watt-hours count.
    counts: bool,
    /// The address of them alone.
    to: String,
}

struct Row {
    id: i64,
    issuance: String,
    interval: Markup,
    energy: Markup,
    wh: u64,
    status: &'static str,
    tone: &'static str,
    device: String,
    /// What made it, if it came out of storage.
    stored_from: Option<String>,
    /// The address of the bundles of this device.
    of_device: String,
    is_selectable: bool,
}

/// Which bundles a visitor asks for, by the address.
struct Asked {
    visitor: Visitor,
    filter: Filter,
}

impl FromRequestParts<Ui> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, ui: &Ui) -> Result<Self, Failure> {
        let visitor = Visitor::from_request_parts(parts, ui).await?;
        let Path(id) = Path::<i64>::from_request_parts(parts, ui).await.map_err(|_| Failure::NoSuchPage)?;
        let Parameters(fields) = Parameters::from_request_parts(parts, ui).await?;
        Ok(Self { visitor, filter: Filter::of(id, fields) })
    }
}

impl Asked {
    /// # Errors
    /// If the filter cannot be read: where no form could tell it.
    fn readable(self) -> Result<Self, Failure> {
        if self.filter.faults.is_empty() { Ok(self) } else { Err(self.filter.refused().into()) }
    }
}

async fn list(State(ui): State<Ui>, Asked { visitor, filter }: Asked) -> Result<Response, Failure> {
    let (caller, fresh, account, listing) = (visitor.caller.clone(), visitor.fresh, filter.account, filter.listing());
    let id = account.0;
    let is_clear = filter.faults.is_empty();
    let (view, held, found, now) = ui
        .blocking(move |registry| {
            let view = registry.account(&caller, account, fresh)?;
            let held = registry.held_devices(&caller, account, CHOICES_MAX, fresh)?;
            let found = if is_clear { Some(registry.list_bundles(&caller, &listing, fresh)) } else { None };
            Ok((view, held, found, registry.now()))
        })
        .await?;
    let (found, refused) = match found {
        None => (None, Some(filter.refused())),
        Some(Ok(found)) => (Some(found), None),
        Some(Err(app::Error::BadQuery(detail))) => {
            (None, Some(Refused { detail: words::plain(&detail), ..filter.refused() }))
        }
        Some(Err(error)) => return Err(error.into()),
    };
    let empty = BundleList { bundles: Vec::new(), next: None, sum: None };
    let mut found = found.unwrap_or(empty);
    let (next, unsorted) = page_of(&mut found, &filter);
    let deeds: Vec<Deed> = Deed::ALL.iter().copied().filter(|deed| deed.is_for(&visitor, account)).collect();
    let page = Page {
        id,
        name: view.account.name.clone(),
        frame: Frame::of_account(&visitor, "Certificates", &format!("/ui/account/{id}/certificates"), Known::of(view)),
        presets: presets(&filter, now),
        devices: devices(held.into_iter().map(|(id, name)| (id.0, name)).collect(), &found.bundles, &filter),
        sources: choices(EnergySource::ALL, |source| (source.name(), format::source(source)), filter.source),
        statuses: choices(BundleStatus::ALL, |status| (status.name(), status.name()), filter.status),
        headings: headings(&filter, unsorted.is_none()),
        unsorted,
        rows: rows(&found.bundles, &filter, &deeds),
        total: found.sum.map(|sum| Total::of(&sum, &filter)),
        next,
        refused,
        deeds,
        filter,
    };
    let status = if page.refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, show(&page)?).into_response())
}

/// Sorts what was found if that was asked for, and leaves the rows of one page: the address of the next, and why nothing
/// was sorted.
fn page_of(found: &mut BundleList, filter: &Filter) -> (Option<String>, Option<String>) {
    let Some(sort) = filter.sort else { return (found.next.map(|next| filter.next(next)), None) };
    if found.next.is_some() {
        found.bundles.truncate(BUNDLES_PER_PAGE);
        let last = found.bundles.last().map(|view| (view.bundle.production.start(), view.bundle.id));
        return (last.or(found.next).map(|last| filter.next(last)), Some(sort.refusal()));
    }
    sort.apply(&mut found.bundles);
    found.bundles.drain(..filter.skipped().min(found.bundles.len()));
    let has_more = found.bundles.len() > BUNDLES_PER_PAGE;
    found.bundles.truncate(BUNDLES_PER_PAGE);
    (has_more.then(|| filter.next_sorted()), None)
}

fn choices<T: Copy + PartialEq>(
    all: &[T],
    words: impl Fn(T) -> (&'static str, &'static str),
    chosen: Option<T>,
) -> Vec<Choice> {
    let choice = |one: &T| {
        let (value, text) = words(*one);
        Choice { value: value.to_owned(), text: text.to_owned(), is_chosen: chosen == Some(*one) }
    };
    all.iter().map(choice).collect()
}

/// The devices of which there are bundles, each with its number where another has the same name.
fn devices(mut known: BTreeMap<i64, String>, bundles: &[BundleView], filter: &Filter) -> Vec<Choice> {
    for view in bundles {
        known.entry(view.bundle.device_id.0).or_insert_with(|| view.device_name().to_owned());
    }
    if let Some(chosen) = filter.device {
        known.entry(chosen.0).or_insert_with(|| format!("device {chosen}"));
    }
    let mut bearers: BTreeMap<&str, usize> = BTreeMap::new();
    for name in known.values() {
        *bearers.entry(name).or_default() += 1;
    }
    let choice = |(id, name): (&i64, &String)| {
        let is_chosen = filter.device.is_some_and(|chosen| chosen.0 == *id);
        let is_only = bearers.get(name.as_str()).is_none_or(|bearers| *bearers == 1);
        let text = if is_only { name.clone() } else { format!("{name} (device {id})") };
        Choice { value: id.to_string(), text, is_chosen }
    };
    known.iter().map(choice).collect()
}

impl Page {
    /// Whether this page has all that match.
    fn is_whole(&self) -> bool {
        self.next.is_none() && self.filter.is_first_page()
    }

    /// Where a script finds what may be selected of all that match. It is the same however they are sorted.
    fn selection(&self) -> String {
        let address = self.filter.address(&[("order", ""), ("sort", "")]);
        let (path, query) = address.split_once('?').unwrap_or((&address, ""));
        format!("{path}/selection?{query}")
    }

    fn export(&self, format: &str) -> String {
        let query = self.filter.query();
        let format = format!("{}format={format}", if query.is_empty() { "" } else { "&" });
        format!("/ui/account/{}/certificates/export?{query}{format}", self.id)
    }

    fn day_type(&self, name: &str) -> &'static str {
        // A field for dates would not show an instant.
        if self.filter.text(name).contains('T') { "text" } else { "date" }
    }
}

impl Total {
    /// Of the state that is asked for; without one, of those whose watt-hours count, as an account's summary has it.
    fn of(sum: &app::BundleSum, filter: &Filter) -> Self {
        let count = |bundles: u64| format::count(usize::try_from(bundles).unwrap_or(usize::MAX), "bundle");
        let (bundles, energy) = if filter.status.is_some() { sum.all() } else { sum.live() };
        let by_status = || BundleStatus::ALL.iter().filter_map(|status| Some((*status, *sum.by_status.get(status)?)));
        let is_mixed = by_status().count() > 1 || by_status().any(|(status, _)| !status.is_live());
        let state = |(status, (bundles, energy)): (BundleStatus, (u64, WattHours))| OfState {
            name: status.name(),
            tone: format::tone(status),
            bundles: count(bundles),
            energy: format::exact(energy),
            counts: status.is_live(),
            to: filter.address(&[("status", status.name())]),
        };
        Self {
            bundles: count(bundles),
            energy: format::exact(energy),
            exact: format::thousands(energy.0),
            states: by_status().filter(|_| is_mixed && filter.status.is_none()).map(state).collect(),
            is_whole: sum.is_whole,
            whole: filter.address(&[("total", "all")]),
        }
    }
}

fn rows(bundles: &[BundleView], filter: &Filter, deeds: &[Deed]) -> Vec<Row> {
    let largest = bundles.iter().map(|view| view.bundle.range.quantity()).max().unwrap_or_default();
    bundles.iter().map(|view| Row::of(view, largest, filter, deeds)).collect()
}

impl Row {
    fn of(view: &BundleView, largest: WattHours, filter: &Filter, deeds: &[Deed]) -> Self {
        let bundle = &view.bundle;
        let (start, quantity) = (bundle.production.start(), bundle.range.quantity());
        Self {
            id: bundle.id.0,
            issuance: view.issuance_id(),
            interval: format::interval(start, bundle.production.end()),
            energy: format::energy_beside(quantity, largest),
            wh: quantity.0,
            status: view.status.name(),
            tone: format::tone(view.status),
            device: view.device_name().to_owned(),
            stored_from: view.stored_from().map(str::to_owned),
            of_device: filter.address(&[("device", &bundle.device_id.0.to_string())]),
            is_selectable: deeds.iter().any(|deed| deed.leads_from(view.status)),
        }
    }
}

/// What a script may select of all that match: ids and Wh, at most as many as one action takes.
async fn selection(State(ui): State<Ui>, asked: Asked) -> Result<Response, Failure> {
    let Asked { visitor, filter } = asked.readable()?;
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let listing = BundleListing { limit: SELECTED_MAX, ..filter.listing() };
    let found = ui.blocking(move |registry| registry.list_bundles(&caller, &listing, fresh)).await?;
    let deeds: Vec<Deed> = Deed::ALL.iter().copied().filter(|deed| deed.is_for(&visitor, filter.account)).collect();
    let is_selectable = |view: &&BundleView| deeds.iter().any(|deed| deed.leads_from(view.status));
    let bundles = found.bundles.iter().filter(is_selectable);
    let bundles: Vec<(String, String)> =
        bundles.map(|view| (view.bundle.id.to_string(), view.bundle.range.quantity().0.to_string())).collect();
    Ok(Json(json!({"bundles": bundles, "has_more": found.next.is_some()})).into_response())
}

/// The API's export of the same filter, as it is.
async fn export(State(ui): State<Ui>, asked: Asked) -> Result<Response, Failure> {
    let Asked { visitor, filter } = asked.readable()?;
    let format = Some(filter.text("format")).filter(|format| !format.is_empty()).unwrap_or("csv");
    let mut request = Request::new(Body::empty());
    let address = format!("/certificate/export?{}", filter.export(format));
    *request.uri_mut() = address.parse().map_err(|_| Failure::NoSuchPage)?;
    if let Some(fresh) = visitor.fresh {
        request.headers_mut().insert(EVENT, fresh.0.into());
    }
    let response = ui.api.send(&visitor.caller, request).await;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let body = to_bytes(response.into_body(), PROBLEM_BYTES_MAX).await.unwrap_or_default();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Err(Refused::told("/certificate/export", web::Refused::of(status, json)).into())
}
