//! An account at a glance.

use crate::Ui;
use crate::failure::Failure;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::visitor::{Known, Visitor};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use domain::AccountId;

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/account/{id}", get(overview))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    id: i64,
    name: String,
    energy: Markup,
    bundles: String,
    cancelled: String,
    devices: String,
    sources: Vec<Share>,
}

/// What one source has of the whole, for a bar.
struct Share {
    name: String,
    energy: Markup,
    /// In wholes of a hundred, for the eye.
    percent: u128,
}

async fn overview(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    let (caller, fresh, account) = (visitor.caller.clone(), visitor.fresh, AccountId(id));
    let (view, summary) = ui
        .blocking(move |registry| {
            let view = registry.account(&caller, account, fresh)?;
            Ok((view, registry.account_summary(&caller, account, fresh)?))
        })
        .await?;
    let whole = u128::from(summary.energy.0).max(1);
    let of = |(name, energy): (&&'static str, &domain::WattHours)| Share {
        name: (*name).replace('_', " "),
        energy: format::energy(*energy),
        percent: u128::from(energy.0) * 100 / whole,
    };
    let sources = summary.energy_by_source.iter().map(of).collect();
    let known = Known::of(view);
    let name = known.name.clone();
    show(&Page {
        frame: Frame::of_account(&visitor, &name, &format!("/ui/account/{id}"), known),
        id,
        name,
        energy: format::energy(summary.energy),
        bundles: format::thousands(summary.bundles),
        cancelled: format::thousands(summary.cancelled_bundles),
        devices: format::thousands(summary.devices),
        sources,
    })
}
