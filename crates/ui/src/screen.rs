//! The screens, one file each, and their addresses.

mod accounts;
mod act;
mod action;
mod activity;
mod admin;
mod audit;
mod certificate;
mod certificates;
mod device;
mod help;
mod issue;
mod job;
mod measurement;
mod names;
mod orders;
mod overview;
mod partners;
mod profile;
mod readings;
mod search;
mod sign_in;
mod storage;
mod whitelist;

use crate::{Ui, asset};
use axum::Router;
use axum::routing::get;

pub(crate) fn routes() -> Router<Ui> {
    Router::new()
        .route("/assets/{hash}/{name}", get(asset::serve))
        .merge(sign_in::routes())
        .merge(accounts::routes())
        .merge(act::routes())
        .merge(action::routes())
        .merge(activity::routes())
        .merge(admin::routes())
        .merge(audit::routes())
        .merge(certificate::routes())
        .merge(certificates::routes())
        .merge(device::routes())
        .merge(help::routes())
        .merge(issue::routes())
        .merge(job::routes())
        .merge(orders::routes())
        .merge(measurement::routes())
        .merge(overview::routes())
        .merge(profile::routes())
        .merge(readings::routes())
        .merge(search::routes())
        .merge(storage::routes())
        .merge(whitelist::routes())
}
