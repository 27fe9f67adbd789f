//! A holder hands bundles to another account.

use super::{ActionBody, Selection, act, documented};
use crate::caller::{Asked, Caller, DryRun, Query, Read};
use crate::json::{Fields, id};
use crate::openapi::ChangeProblems;
use crate::wire::Changed;
use crate::{App, Error};
use axum::extract::State;
use domain::AccountId;
use domain::action::Deed;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(transfer))
}

documented! {
    /// Bundles that go from one account to another.
    #[schema(as = Transfer, example = json!({
        "source_id": 1, "target_id": 2, "granular_certificate_bundle_ids": [1], "certificate_quantity": 1_000,
    }))]
    TransferSchema {
        /// The account they go to; it must have whitelisted the source.
        #[schema(minimum = 1)]
        target_id: i64,
    }
}

struct TransferAsked {
    selection: Selection,
    target_id: i64,
}

impl Read for TransferAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let selection = Selection::read(fields, "transfer");
        let target_id = fields.required("target_id", id);
        fields.pass_over_nulls(&["beneficiary", "beneficiary_account_id", "purpose"]);
        Some(Self { selection: selection?, target_id: target_id? })
    }
}

/// Transfer bundles
///
/// To an account that has whitelisted the source. All or nothing; every bundle named is checked. For Trading and Production
/// Users of the source account.
#[utoipa::path(
    post, path = "/certificate/transfer", tag = "Certificates", request_body = TransferSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 202, description = "What was done", body = ActionBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn transfer(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<TransferAsked>,
) -> Result<Changed<ActionBody>, Error> {
    let deed = Deed::Transfer { target: AccountId(asked.target_id) };
    act(&app, caller, asked.selection, deed, dry_run).await
}
