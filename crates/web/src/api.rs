//! The endpoints, one file per noun. Each is documented where it is written; [`routes`] registers both at once.

mod account;
mod act;
mod action;
mod api_key;
mod auth;
mod certificate;
mod create_bundle;
mod device;
pub(crate) mod event;
mod export;
mod health;
mod issue;
mod job;
mod lineage;
pub(crate) mod log_level;
mod measurement;
pub(crate) mod metrics;
mod organisation;
mod query;
mod recurring_order;
mod storage;
mod user;

use crate::{App, Error};
use app::Caller;
use domain::{EventNumber, Outcome, Refusal};
use jiff::Timestamp;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(crate::openapi::frame())
        .merge(auth::routes())
        .merge(api_key::routes())
        .merge(user::routes())
        .merge(organisation::routes())
        .merge(account::routes())
        .merge(device::routes())
        .merge(measurement::routes())
        .merge(certificate::routes())
        .merge(create_bundle::routes())
        .merge(issue::routes())
        .merge(query::routes())
        .merge(export::routes())
        .merge(lineage::routes())
        .merge(act::routes())
        .merge(action::routes())
        .merge(event::routes())
        .merge(recurring_order::routes())
        .merge(storage::routes())
        .merge(job::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(log_level::routes())
}

/// What came of a command, the event number it reached, and when it was carried out.
struct Carried {
    outcome: Outcome,
    event: EventNumber,
    at: Timestamp,
}

/// Queues a command of the caller's and waits for what comes of it. `asked` is kept with the action.
async fn carry_out(
    app: &App,
    caller: &Caller,
    command: domain::Command,
    asked: &impl Serialize,
) -> Result<Carried, Error> {
    let request = serde_json::to_string(asked).map_err(|_| app::Error::Internal)?;
    let answer = app.registry.submit(caller, command, request)?.answer().await?;
    let event = answer.event_number;
    match answer.done {
        app::Done::Acted { outcome, completed_at, .. } => Ok(Carried { outcome, event, at: completed_at }),
        app::Done::Job(_) | app::Done::Key(_) | app::Done::Beside => {
            Err(unexpected("a command was not carried out as one"))
        }
    }
}

/// A fault of ours: logged here, told as an internal error.
fn unexpected(what: &str) -> Error {
    tracing::error!(what, "the registry answered something else");
    app::Error::Internal.into()
}

/// A body may say who sends it; it must then be the caller.
fn own(caller: &Caller, user_id: Option<i64>) -> Result<(), Error> {
    match user_id {
        Some(id) if id != caller.user_id.0 => {
            Err(Refusal::Forbidden { needs: "user_id to be that of the caller".to_owned() }.into())
        }
        Some(_) | None => Ok(()),
    }
}
