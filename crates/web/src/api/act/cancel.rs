//! A holder uses bundles up, once and for ever.

use super::{ActionBody, Selection, act, documented};
use crate::caller::{Asked, Caller, DryRun, Query, Read};
use crate::json::{Fields, id, text, text_or_blank};
use crate::openapi::ChangeProblems;
use crate::wire::{Changed, Text};
use crate::{App, Error};
use axum::extract::State;
use domain::AccountId;
use domain::action::Deed;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(cancel))
}

documented! {
    /// Bundles that are used, once and for ever.
    #[schema(as = Cancel, example = json!({
        "source_id": 1, "granular_certificate_bundle_ids": [2], "certificate_bundle_percentage": 0.25,
        "beneficiary": "Example customer",
    }))]
    CancelSchema {
        /// For whom, as it is shown; the account's name by default.
        #[schema(value_type = Option<Text>)]
        beneficiary: Option<String>,
        /// The account whose users may read and claim what was cancelled.
        #[schema(minimum = 1)]
        beneficiary_account_id: Option<i64>,
        /// `storage` backs a charge of storage, and can never be claimed.
        #[schema(value_type = Option<Text>)]
        purpose: Option<String>,
    }
}

struct CancelAsked {
    selection: Selection,
    beneficiary: Option<String>,
    beneficiary_account_id: Option<i64>,
    purpose: Option<String>,
}

impl Read for CancelAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let selection = Selection::read(fields, "cancel");
        let beneficiary = fields.optional("beneficiary", text_or_blank).flatten();
        let beneficiary_account_id = fields.optional("beneficiary_account_id", id);
        let purpose = fields.optional("purpose", text);
        fields.pass_over_nulls(&["target_id"]);
        Some(Self { selection: selection?, beneficiary, beneficiary_account_id, purpose })
    }
}

/// Cancel bundles
///
/// Once and for ever, for one beneficiary. All or nothing; every bundle named is checked. For Trading and Production Users of
/// the source account.
#[utoipa::path(
    post, path = "/certificate/cancel", tag = "Certificates", request_body = CancelSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 202, description = "What was done", body = ActionBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn cancel(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<CancelAsked>,
) -> Result<Changed<ActionBody>, Error> {
    let beneficiary = match asked.beneficiary {
        Some(beneficiary) => Some(beneficiary),
        None => app.account_name(AccountId(asked.selection.source_id)).await?,
    };
    let deed = Deed::Cancel {
        beneficiary,
        beneficiary_account: asked.beneficiary_account_id.map(AccountId),
        purpose: asked.purpose,
    };
    act(&app, caller, asked.selection, deed, dry_run).await
}
