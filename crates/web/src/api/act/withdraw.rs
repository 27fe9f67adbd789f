//! The issuer takes back what should not have been issued.

use super::{ActionBody, Selection, act, documented};
use crate::caller::{Asked, Caller, DryRun, Query, Read};
use crate::json::{Fields, boolean, text};
use crate::openapi::ChangeProblems;
use crate::wire::{Changed, Text};
use crate::{App, Error};
use axum::extract::State;
use domain::action::Deed;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(withdraw))
}

documented! {
    /// Bundles that should not have been issued.
    #[schema(as = Withdraw, example = json!({
        "source_id": 1, "granular_certificate_bundle_ids": [2], "reason": "the meter was wrong",
    }))]
    WithdrawSchema {
        /// Why; kept with the action. A failed export has to have one.
        #[schema(value_type = Option<Text>)]
        reason: Option<String>,
        /// Takes back Reserved bundles, and no others: their export failed. `false` by default.
        export_failed: Option<bool>,
    }
}

struct WithdrawAsked {
    selection: Selection,
    /// Empty if none was given.
    reason: String,
    export_failed: bool,
}

impl Read for WithdrawAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let selection = Selection::read(fields, "withdraw");
        let reason = fields.optional("reason", text).unwrap_or_default();
        let export_failed = fields.optional("export_failed", boolean).unwrap_or(false);
        fields.pass_over_nulls(&["target_id", "beneficiary", "beneficiary_account_id", "purpose"]);
        Some(Self { selection: selection?, reason, export_failed })
    }
}

/// Withdraw bundles
///
/// What was withdrawn counts no more, and is held: nothing is issued for it until it is released. Of any live state but Reserved;
/// Reserved bundles only with `export_failed`. `source_id` is the account that holds them. All or nothing. For the Registry
/// Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/certificate/withdraw", tag = "Certificates", request_body = WithdrawSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 202, description = "What was done", body = ActionBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn withdraw(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<WithdrawAsked>,
) -> Result<Changed<ActionBody>, Error> {
    let WithdrawAsked { selection, reason, export_failed } = asked;
    act(&app, caller, selection, Deed::Withdraw { reason, export_failed }, dry_run).await
}
