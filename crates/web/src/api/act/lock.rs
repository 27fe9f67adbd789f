//! The issuer holds bundles fast, and lets go of them.

use super::{ActionBody, Selection, act, documented};
use crate::caller::{Asked, Caller, DryRun, Query, Read};
use crate::json::{Fields, text};
use crate::openapi::ChangeProblems;
use crate::wire::{Changed, Text};
use crate::{App, Error};
use axum::extract::State;
use domain::action::Deed;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(lock)).routes(routes!(unlock))
}

documented! {
    /// Bundles that the issuer holds fast or lets go of.
    #[schema(as = Lock, example = json!({
        "source_id": 1, "granular_certificate_bundle_ids": [2], "reason": "the meter is being examined",
    }))]
    LockSchema {
        /// Why; kept with the action. Without one it is refused.
        #[schema(value_type = Option<Text>)]
        reason: Option<String>,
    }
}

/// A selection, and why.
struct Reasoned {
    selection: Selection,
    /// Empty if none was given, which the rule refuses.
    reason: String,
}

impl Reasoned {
    fn read(fields: &mut Fields<'_>, action_type: &'static str) -> Option<Self> {
        let selection = Selection::read(fields, action_type);
        let reason = fields.optional("reason", text).unwrap_or_default();
        fields.pass_over_nulls(&["target_id", "beneficiary", "beneficiary_account_id", "purpose"]);
        Some(Self { selection: selection?, reason })
    }
}

struct LockAsked(Reasoned);

impl Read for LockAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Reasoned::read(fields, "lock").map(Self)
    }
}

struct UnlockAsked(Reasoned);

impl Read for UnlockAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Reasoned::read(fields, "unlock").map(Self)
    }
}

/// Lock bundles
///
/// Active bundles become Locked: they cannot be transferred, cancelled or reserved until they are unlocked. `source_id` is the
/// account that holds them. All or nothing. For the Registry Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/certificate/lock", tag = "Certificates", request_body = LockSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 202, description = "What was done", body = ActionBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn lock(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<LockAsked>,
) -> Result<Changed<ActionBody>, Error> {
    let Reasoned { selection, reason } = asked.0;
    act(&app, caller, selection, Deed::Lock { reason }, dry_run).await
}

/// Unlock bundles
///
/// Locked bundles become Active again. All or nothing. For the Registry Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/certificate/unlock", tag = "Certificates", request_body = LockSchema,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 202, description = "What was done", body = ActionBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn unlock(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<UnlockAsked>,
) -> Result<Changed<ActionBody>, Error> {
    let Reasoned { selection, reason } = asked.0;
    act(&app, caller, selection, Deed::Unlock { reason }, dry_run).await
}
