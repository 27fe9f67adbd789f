//! Whether the registry lives and can work.

use crate::openapi::OpenProblems;
use crate::{App, Error};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Live)]
struct Live {
    /// `live`.
    #[schema(pattern = "^live$")]
    status: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Ready)]
struct Ready {
    /// `ready`.
    #[schema(pattern = "^ready$")]
    status: &'static str,
    /// The number of the last event.
    event_number: i64,
    /// Works waiting or being carried out.
    queued: u64,
}

/// Whether the program runs
///
/// Asks nothing of the database.
#[utoipa::path(
    get, path = "/health/live", tag = "Health", security(()),
    responses((status = 200, description = "It runs", body = Live), OpenProblems),
)]
async fn live() -> Json<Live> {
    Json(Live { status: "live" })
}

/// Whether the registry can work
///
/// 503 while the database does not answer.
#[utoipa::path(
    get, path = "/health/ready", tag = "Health", security(()),
    responses((status = 200, description = "It can", body = Ready), OpenProblems),
)]
async fn ready(State(app): State<App>) -> Result<Json<Ready>, Error> {
    let health = app.blocking(app::Registry::health).await?;
    let queued = u64::try_from(health.queued).unwrap_or(u64::MAX);
    Ok(Json(Ready { status: "ready", event_number: health.event_number.0, queued }))
}
