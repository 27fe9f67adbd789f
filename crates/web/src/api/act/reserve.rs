//! A holder sets bundles aside for another registry. The specification spells the path `reseve`; both are served.

use super::{ActionBody, Selection, act, documented};
use crate::caller::{Asked, Caller, DryRun, Query, Read};
use crate::json::{Fields, id, text};
use crate::openapi::ChangeProblems;
use crate::wire::{Changed, Text};
use crate::{App, Error};
use axum::extract::State;
use domain::action::Deed;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(reserve)).routes(routes!(reseve))
}

documented! {
    /// Bundles that leave for another registry.
    #[schema(as = Reserve, example = json!({
        "source_id": 1, "granular_certificate_bundle_ids": [2], "target_registry": "Example registry",
    }))]
    ReserveSchema {
        /// Where they are to go; kept with the action.
        #[schema(value_type = Option<Text>)]
        target_registry: Option<String>,
        /// Accepted and without effect: the bundles stay in their account.
        #[schema(minimum = 1)]
        target_id: Option<i64>,
    }
}

struct ReserveAsked {
    selection: Selection,
    target_registry: Option<String>,
}

impl Read for ReserveAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let selection = Selection::read(fields, "reserve");
        let target_registry = fields.optional("target_registry", text);
        fields.optional("target_id", id);
        fields.pass_over_nulls(&["beneficiary", "beneficiary_account_id", "purpose"]);
        Some(Self { selection: selection?, target_registry })
    }
}

/// Reserve bundles
///
/// For another registry. There is no way back, and what is reserved is never cancelled here. All or nothing. For Trading and
/// Production Users of the source account.
#[utoipa::path(
    post, path = "/certificate/reserve", tag = "Certificates", request_body = ReserveSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 202, description = "What was done", body = ActionBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn reserve(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<ReserveAsked>,
) -> Result<Changed<ActionBody>, Error> {
    let deed = Deed::Reserve { target_registry: asked.target_registry };
    act(&app, caller, asked.selection, deed, dry_run).await
}

/// Reserve bundles, as the specification spells it
///
/// The same as `/certificate/reserve`.
#[utoipa::path(
    post, path = "/certificate/reseve", tag = "Certificates", request_body = ReserveSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 202, description = "What was done", body = ActionBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn reseve(
    app: State<App>,
    caller: Caller,
    dry_run: Query<DryRun>,
    asked: Asked<ReserveAsked>,
) -> Result<Changed<ActionBody>, Error> {
    reserve(app, caller, dry_run, asked).await
}
