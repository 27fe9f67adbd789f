//! The issuer corrects in which account bundles are, or in which state.

use super::super::certificate::BundleStatusWord;
use super::{ActionBody, Selection, act, documented};
use crate::caller::{Asked, Caller, DryRun, Query, Read};
use crate::json::{Fields, Rule, Value, id, rule, text, word};
use crate::openapi::ChangeProblems;
use crate::wire::{Changed, Text};
use crate::{App, Error};
use axum::extract::State;
use axum::http::StatusCode;
use domain::action::Deed;
use domain::{AccountId, BundleStatus};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Names under which clients state the account and the status; the first is ours.
const ACCOUNT: [&str; 3] = ["account_id", "account_id_to_update_to", "id_to_update_to"];
const STATUS: [&str; 3] =
    ["certificate_bundle_status", "certificate_bundle_status_to_update_to", "certificate_status_to_update_to"];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(update_mutables))
}

documented! {
    /// What the issuer corrects of bundles: their account, their state, or both.
    #[schema(as = UpdateMutables, example = json!({
        "source_id": 1, "granular_certificate_bundle_ids": [2], "account_id": 3, "certificate_bundle_status": "Locked",
        "reason": "the device was registered to the wrong account",
    }))]
    UpdateMutablesSchema {
        /// The account they belong in. It needs no whitelist.
        #[schema(minimum = 1)]
        account_id: Option<i64>,
        /// As `account_id`, which older clients name so.
        #[schema(minimum = 1)]
        account_id_to_update_to: Option<i64>,
        /// As `account_id`, which older clients name so.
        #[schema(minimum = 1)]
        id_to_update_to: Option<i64>,
        /// The state they are in truly: Active, Cancelled, Locked, Reserved or Withdrawn, as the state table allows.
        certificate_bundle_status: Option<BundleStatusWord>,
        /// As `certificate_bundle_status`, which older clients name so.
        certificate_bundle_status_to_update_to: Option<BundleStatusWord>,
        /// As `certificate_bundle_status`, which older clients name so.
        certificate_status_to_update_to: Option<BundleStatusWord>,
        /// Why; kept with the action.
        #[schema(value_type = Option<Text>)]
        reason: Option<String>,
    }
}

struct UpdateMutablesAsked {
    selection: Selection,
    account_id: Option<i64>,
    status: Option<BundleStatus>,
    reason: Option<String>,
}

impl Read for UpdateMutablesAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let selection = Selection::read(fields, "update_mutables");
        let account_id = under_one_name(fields, ACCOUNT, id);
        let status = under_one_name(fields, STATUS, word(BundleStatus::ALL, BundleStatus::name));
        let reason = fields.optional("reason", text);
        fields.pass_over_nulls(&["target_id", "beneficiary", "beneficiary_account_id", "purpose"]);
        Some(Self { selection: selection?, account_id, status, reason })
    }
}

/// The value that one of these names has; two of them are a fault.
fn under_one_name<T>(
    fields: &mut Fields<'_>,
    names: [&'static str; 3],
    read: impl Fn(&Value<'_>) -> Result<T, Rule> + Copy,
) -> Option<T> {
    let mut found = None;
    for name in names {
        if found.is_some() && fields.has(name) {
            let msg = format!("Value error, give only one of {}", names.join(", "));
            fields.fault(name, rule("value_error", msg));
        }
        found = fields.optional(name, read).or(found);
    }
    found
}

/// Correct account or state of bundles
///
/// For the Registry Administrator and the GC Issuer. Only Active and Locked bundles that have not expired, along the state
/// table; the new account must exist and needs no whitelist. What becomes Cancelled is cancelled for the account it is in
/// then. `source_id` is the account that holds them. All or nothing.
#[utoipa::path(
    patch, path = "/certificate/update_mutables", tag = "Certificates", request_body = UpdateMutablesSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 201, description = "What was done", body = ActionBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn update_mutables(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<UpdateMutablesAsked>,
) -> Result<Changed<ActionBody>, Error> {
    let UpdateMutablesAsked { selection, account_id, status, reason } = asked;
    let deed = Deed::UpdateMutables { account: account_id.map(AccountId), status, reason };
    let done = act(&app, caller, selection, deed, dry_run).await?;
    Ok(Changed { status: StatusCode::CREATED, ..done })
}
