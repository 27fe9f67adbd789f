//! An account at a glance. What takes longer is in parts that come after the page: what is held, and what was produced.

mod holdings;
mod production;
mod received;

use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Parameters};
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::visitor::{Known, Visitor};
use app::DeviceFilter;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use domain::AccountId;

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/account/{id}", get(overview))
        .route("/account/{id}/holdings", get(holdings::holdings))
        .route("/account/{id}/production", get(production::production))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    id: i64,
    name: String,
    devices: String,
    capacity: Markup,
    senders: String,
    users: String,
    received: Vec<received::Row>,
    /// Where the production is that the address asks for.
    production: String,
}

/// The address of an account's production with the year and the device that are asked for.
fn production_address(id: i64, fields: &Fields) -> String {
    let asked = ["year", "device"].into_iter().filter_map(|name| Some((name.to_owned(), fields.get(name)?.to_owned())));
    let asked: Fields = asked.collect();
    format!("/ui/account/{id}/production?{}", asked.with("", None))
}

async fn overview(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(fields): Parameters,
) -> Result<Response, Failure> {
    let (caller, fresh, account) = (visitor.caller.clone(), visitor.fresh, AccountId(id));
    let (view, fleet, received) = ui
        .blocking(move |registry| {
            let view = registry.account(&caller, account, fresh)?;
            let filter = DeviceFilter { account: Some(account), ..DeviceFilter::default() };
            let fleet = registry.fleet(&caller, &filter, fresh)?;
            Ok((view, fleet, received::received(registry, &caller, account, fresh)?))
        })
        .await?;
    let devices: u64 = fleet.iter().map(|share| share.devices).sum();
    let (senders, users) = (view.whitelist.len(), view.user_ids.len());
    let known = Known::of(view);
    let name = known.name.clone();
    show(&Page {
        frame: Frame::of_account(&visitor, &name, &format!("/ui/account/{id}"), known),
        id,
        name,
        devices: format::count(usize::try_from(devices).unwrap_or(usize::MAX), "device"),
        received,
        capacity: format::power(fleet.iter().map(|share| share.capacity_watts).sum()),
        senders: format::count(senders, "account"),
        users: format::count(users, "user"),
        production: production_address(id, &fields),
    })
}
