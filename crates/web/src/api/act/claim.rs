//! A beneficiary claims what was cancelled for it.

use super::{ActionBody, Selection, act, documented};
use crate::caller::{Asked, Caller, DryRun, Query, Read};
use crate::json::{Fields, id};
use crate::openapi::ChangeProblems;
use crate::wire::Changed;
use crate::{App, Error};
use axum::extract::State;
use domain::action::Deed;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(claim))
}

documented! {
    /// Cancelled bundles that their beneficiary states to have used.
    #[schema(as = Claim, example = json!({"source_id": 1, "granular_certificate_bundle_ids": [2]}))]
    ClaimSchema {
        /// Accepted and without effect: a claim moves nothing.
        #[schema(minimum = 1)]
        target_id: Option<i64>,
    }
}

struct ClaimAsked(Selection);

impl Read for ClaimAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let selection = Selection::read(fields, "claim");
        fields.optional("target_id", id);
        fields.pass_over_nulls(&["beneficiary", "beneficiary_account_id", "purpose"]);
        selection.map(Self)
    }
}

/// Claim cancelled bundles
///
/// For Trading and Production Users of the account that the bundles were cancelled for; without one, of the account that
/// cancelled. `source_id` is the account that holds them. What was cancelled for storage is never claimed. All or nothing.
#[utoipa::path(
    post, path = "/certificate/claim", tag = "Certificates", request_body = ClaimSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 202, description = "What was done", body = ActionBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn claim(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<ClaimAsked>,
) -> Result<Changed<ActionBody>, Error> {
    act(&app, caller, asked.0, Deed::Claim, dry_run).await
}
