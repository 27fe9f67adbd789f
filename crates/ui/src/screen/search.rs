//! What the search field leads to: the thing of that name or number, if the visitor may see it.

use crate::failure::Failure;
use crate::form::{Fields, Parameters};
use crate::frame::{Frame, show};
use crate::limits::{BENEFICIARY_CHARS_MIN, CANCELLATIONS_LOOKED_AT_MAX, CHOICES_MAX, HITS_MAX};
use crate::visitor::{Known, Visitor};
use crate::{Ui, format};
use app::{ActionQuery, AnyAction, Caller, DeviceFilter, Paging, Registry};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use domain::{AccountId, ActionId, ActionKind, BundleId, Device, DeviceId, EventNumber};

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/search", get(search))
}

#[derive(Template)]
#[template(path = "search.html")]
struct Page {
    frame: Frame,
    asked: String,
    hits: Vec<Hit>,
}

struct Hit {
    to: String,
    what: &'static str,
    name: String,
}

async fn search(State(ui): State<Ui>, visitor: Visitor, Parameters(fields): Parameters) -> Result<Response, Failure> {
    let asked = fields.get("q").unwrap_or_default().to_owned();
    let (caller, fresh, text) = (visitor.caller.clone(), visitor.fresh, asked.clone());
    let (mut hits, holders) = ui
        .blocking(move |registry| {
            let mut hits = Vec::new();
            if let Some(id) = text.trim_start_matches('#').parse::<i64>().ok().filter(|id| *id > 0) {
                if let Ok(found) = registry.certificate(&caller, BundleId(id), fresh) {
                    let name = format!("{}, {}", found.view.device_name(), found.view.status.name());
                    hits.push(Hit { to: format!("/ui/certificate/{id}"), what: "Certificate bundle", name });
                }
                if let Ok(found) = registry.account(&caller, AccountId(id), fresh) {
                    hits.push(Hit { to: format!("/ui/account/{id}"), what: "Account", name: found.account.name });
                }
                if let Ok(found) = registry.device(&caller, DeviceId(id), fresh) {
                    let name = found.description.name;
                    hits.push(Hit { to: format!("/ui/device/{id}"), what: "Device", name });
                }
            }
            let number = text.trim_start_matches('#').parse().ok().filter(|id: &i64| *id > 0);
            if let Some(found) = number.and_then(|id| registry.action(&caller, ActionId(id), fresh).ok()) {
                let to = format!("/ui/action/{}", found.id.0);
                hits.push(Hit { to, what: "Receipt of action", name: found.id.0.to_string() });
            }
            hits.extend(named(registry, &caller, &text, fresh)?);
            hits.extend(cancelled_for(registry, &caller, &text, fresh)?);
            let holders = registry.holders_of_issuance(&caller, &text, HITS_MAX, fresh)?;
            Ok((hits, holders))
        })
        .await?;
    let own = visitor.accounts.iter();
    let wanted = asked.to_lowercase();
    let is_named = |account: &&Known| !wanted.is_empty() && account.name.to_lowercase().contains(&wanted);
    let of_name = own.filter(is_named).map(|account| Hit {
        to: format!("/ui/account/{}", account.id),
        what: "Account",
        name: account.name.clone(),
    });
    hits.extend(of_name.take(HITS_MAX));
    // An issuance is led to where something of it is.
    let fields = Fields::default().with("issuance_id", Some(&asked));
    hits.extend(holders.into_iter().map(|(id, name)| Hit {
        to: format!("/ui/account/{id}/certificates?{fields}"),
        what: "Certificates of this issuance",
        name: format!("in {name}"),
    }));
    if let [only] = hits.as_slice() {
        return Ok(Redirect::to(&only.to).into_response());
    }
    show(&Page { frame: Frame::of(&visitor, "Search", ""), asked, hits })
}

/// Devices by a part of their name, among the first that the visitor may see.
fn named(registry: &Registry, caller: &Caller, text: &str, fresh: Option<EventNumber>) -> Result<Vec<Hit>, app::Error> {
    let wanted = text.to_lowercase();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let paging = Paging { limit: CHOICES_MAX, after: None };
    let devices = registry.devices(caller, &DeviceFilter::default(), paging, fresh)?.entries;
    let hits = devices.into_iter().filter(|device| device.description.name.to_lowercase().contains(&wanted));
    let hit =
        |device: Device| Hit { to: format!("/ui/device/{}", device.id), what: "Device", name: device.description.name };
    Ok(hits.map(hit).take(HITS_MAX).collect())
}

/// Receipts of cancellations by a part of the beneficiary's name, among the newest that are the visitor's business.
fn cancelled_for(
    registry: &Registry,
    caller: &Caller,
    text: &str,
    fresh: Option<EventNumber>,
) -> Result<Vec<Hit>, app::Error> {
    let wanted = text.to_lowercase();
    if wanted.chars().count() < BENEFICIARY_CHARS_MIN || text.parse::<i64>().is_ok() {
        return Ok(Vec::new());
    }
    let query = ActionQuery { kind: Some(ActionKind::Cancel), is_accepted: Some(true), ..ActionQuery::default() };
    let paging = Paging { limit: CANCELLATIONS_LOOKED_AT_MAX, after: None };
    let found = registry.actions_in_brief(caller, &query, paging, fresh)?.entries;
    let hit = |action: AnyAction| {
        let AnyAction::Accepted(action) = action else { return None };
        let beneficiary = action.asked.get("beneficiary")?.as_str()?;
        if !beneficiary.to_lowercase().contains(&wanted) {
            return None;
        }
        let energy = if action.is_counted { format!("{}, ", format::exact(action.total)) } else { String::new() };
        let at = format::instant_text(action.completed_at);
        Some(Hit {
            to: format!("/ui/action/{}", action.id),
            what: "Cancelled for",
            name: format!("{beneficiary}, {energy}{at} UTC"),
        })
    };
    Ok(found.into_iter().filter_map(hit).take(HITS_MAX).collect())
}
