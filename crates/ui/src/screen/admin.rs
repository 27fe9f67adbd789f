//! Administration: how the registry is, its users, accounts, organisations and metadata, and how much its log tells.
//!
//! What is listed and made is a [`kind`]; all of them have the same pages.

mod account;
mod health;
mod kind;
mod metadata;
mod organisation;
mod pick;
mod user;
mod verdict;

use crate::Ui;
use crate::failure::Failure;
use crate::visitor::Visitor;
use axum::Router;
use axum::routing::{get, post};
use domain::Capability;

/// The address that the navigation marks on all these pages.
const HOME: &str = "/ui/admin";

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/admin", get(health::health))
        .route("/admin/log-level", post(health::change_log_level))
        .route("/admin/pick/{what}", get(pick::found))
        .merge(kind::kept::<user::Users>())
        .merge(kind::kept::<account::Accounts>())
        .merge(kind::kept::<organisation::Organisations>())
        .merge(kind::made::<metadata::Metadata>())
}

fn needs_administrator(visitor: &Visitor) -> Result<(), Failure> {
    let may = visitor.may(Capability::ManageUsers);
    if may { Ok(()) } else { Err(Failure::forbidden("the role Registry Administrator")) }
}
