//! What is done to bundles of one account: each deed in a file of its own, and here what they share.
//!
//! The hot path: an action is queued and awaited, and no thread blocks meanwhile. Free text is kept with the action and
//! sealed there byte for byte; it enters no event as it is.

mod cancel;
mod claim;
mod lock;
mod reserve;
mod transfer;
mod update_mutables;
mod withdraw;

use super::certificate::BundleStatusWord;
use super::{own, unexpected};
use crate::json::{Fields, boolean, id, own_kind, rule, share, whole};
use crate::wire::{At, Changed, Share};
use crate::{App, Error};
use app::Done;
use axum::http::StatusCode;
use domain::action::{BUNDLES_PER_ACTION_MAX, BundleAction, BundleResult, Deed};
use domain::{AccountId, BundleId, BundleStatus, Command, Outcome, Portion, Ratio, WattHours};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

/// The most Wh that a quantity can be: every client's JSON numbers hold it exactly.
const QUANTITY_MAX: u64 = 9_007_199_254_740_991;
/// What only the answer to an action carries.
const OF_ANSWERS: [&str; 5] =
    ["action_request_datetime", "action_completed_datetime", "action_response_status", "result", "total_quantity"];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(transfer::routes())
        .merge(cancel::routes())
        .merge(claim::routes())
        .merge(reserve::routes())
        .merge(lock::routes())
        .merge(withdraw::routes())
        .merge(update_mutables::routes())
}

/// Declares what documents the request of an action: the selection that all of them share, then what is its own.
macro_rules! documented {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        #[derive(utoipa::ToSchema)]
        $(#[$about])*
        #[expect(dead_code, reason = "documents what is read member by member")]
        #[serde(deny_unknown_fields)]
        struct $name {
            /// The account that holds the bundles.
            #[schema(minimum = 1)]
            source_id: i64,
            /// Without repetition.
            #[schema(value_type = Vec<crate::wire::Id>, min_items = 1, max_items = 10_000)]
            granular_certificate_bundle_ids: Vec<i64>,
            /// Wh in total, oldest production first; splits at most one bundle. More than is held is refused.
            #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
            certificate_quantity: Option<u64>,
            /// Of each bundle, rounded down. Not together with a quantity.
            certificate_bundle_percentage: Option<crate::wire::Share>,
            /// The caller, if given.
            #[schema(minimum = 1)]
            user_id: Option<i64>,
            /// Accepted and without effect.
            localise_time: Option<bool>,
            $($own)*
        }
    };
}
use documented;

/// How much of what is selected. Without a quantity and a percentage: whole.
#[derive(Clone, Copy)]
pub(super) struct Amount {
    quantity: Option<u64>,
    percentage: Option<Ratio>,
}

impl Amount {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let has_both = fields.has("certificate_quantity") && fields.has("certificate_bundle_percentage");
        let quantity = fields.optional("certificate_quantity", whole(1, QUANTITY_MAX));
        let percentage = fields.optional("certificate_bundle_percentage", share);
        if has_both {
            let msg = "Value error, Can only pass one of `certificate_quantity` or `certificate_bundle_percentage`.";
            fields.fault("certificate_bundle_percentage", rule("value_error", msg));
        }
        Self { quantity, percentage }
    }

    pub(super) fn portion(self) -> Portion {
        match (self.quantity, self.percentage) {
            (Some(quantity), _) => Portion::Quantity(WattHours(quantity)),
            (None, Some(share)) => Portion::Share(share),
            (None, None) => Portion::Whole,
        }
    }
}

/// Which bundles of an account, and how much of them.
struct Selection {
    source_id: i64,
    bundle_ids: Vec<i64>,
    amount: Amount,
    user_id: Option<i64>,
}

impl Selection {
    fn read(fields: &mut Fields<'_>, action_type: &'static str) -> Option<Self> {
        let source_id = fields.required("source_id", id);
        let bundle_ids = fields.ids("granular_certificate_bundle_ids", (1, BUNDLES_PER_ACTION_MAX));
        let amount = Amount::read(fields);
        let user_id = fields.optional("user_id", id);
        fields.optional("localise_time", boolean);
        fields.optional("action_type", own_kind(action_type));
        fields.pass_over(&OF_ANSWERS);
        Some(Self { source_id: source_id?, bundle_ids: bundle_ids?, amount, user_id })
    }
}

/// What was asked: kept with the action and sealed, and the first part of the answer.
#[derive(Serialize, ToSchema)]
#[schema(as = ActionAsked)]
struct ActionAsked {
    /// The account that holds the bundles.
    source_id: i64,
    /// The account that they go to: of a transfer, and of a correction of the account; else `null`.
    target_id: Option<i64>,
    /// The bundles that were selected.
    granular_certificate_bundle_ids: Vec<i64>,
    /// Wh in total, as asked; `null` if no quantity was given.
    certificate_quantity: Option<u64>,
    /// Share of each bundle, above 0 and at most 1, as asked; `null` if none was given.
    #[schema(value_type = Option<f64>)]
    certificate_bundle_percentage: Option<Share>,
    /// For whom a cancellation is, as asked; `null` if that was left out.
    beneficiary: Option<String>,
    /// The account whose users may read and claim what is cancelled; `null` if none was named.
    beneficiary_account_id: Option<i64>,
    /// What a cancellation is for; `null` if it was left out.
    purpose: Option<String>,
    /// Where reserved bundles are to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_registry: Option<String>,
    /// Why the issuer did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Of a withdrawal only: whether it takes back Reserved bundles, whose export failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    export_failed: Option<bool>,
    /// The state that the issuer corrected to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BundleStatusWord>)]
    certificate_bundle_status: Option<BundleStatus>,
}

/// What was done.
#[derive(Serialize, ToSchema)]
#[schema(as = Action)]
struct ActionBody {
    /// Its number in the ledger; `null` in a dry run.
    id: Option<i64>,
    /// The kind of action.
    #[schema(example = "transfer")]
    action_type: &'static str,
    /// Who asked for it.
    user_id: i64,
    #[serde(flatten)]
    asked: ActionAsked,
    /// When it was asked for.
    action_request_datetime: At,
    /// When it was carried out.
    action_completed_datetime: At,
    /// `accepted`.
    #[schema(pattern = "^accepted$")]
    action_response_status: &'static str,
    /// Every bundle that was made or changed.
    result: Vec<ResultBody>,
    /// Wh that were acted on, without remainders.
    total_quantity: u64,
}

/// A bundle that was made or changed.
#[derive(Serialize, ToSchema)]
#[schema(as = BundleResult)]
struct ResultBody {
    /// `null` where a dry run would make a bundle.
    bundle_id: Option<i64>,
    /// The bundle it was split from; `null` if it was issued.
    parent_id: Option<i64>,
    /// Its first certificate, included; numbered per device from 1, each of 1 Wh.
    range_start: u64,
    /// Its last certificate, included.
    range_end: u64,
    /// What it holds, in Wh.
    quantity: u64,
    /// Its state afterwards.
    #[schema(value_type = BundleStatusWord)]
    status: BundleStatus,
    /// The account that holds it afterwards.
    account_id: i64,
}

/// Carries out a deed of the caller's on a selection, or says what it would do.
async fn act(
    app: &App,
    caller: app::Caller,
    selection: Selection,
    deed: Deed,
    dry_run: bool,
) -> Result<Changed<ActionBody>, Error> {
    own(&caller, selection.user_id)?;
    let asked = asked_of(&selection, &deed);
    let command = Command::Bundles(BundleAction {
        source: AccountId(selection.source_id),
        bundles: selection.bundle_ids.iter().copied().map(BundleId).collect(),
        portion: selection.amount.portion(),
        deed,
    });
    let (action_type, user_id) = (command.kind().name(), caller.user_id.0);
    let (answer, first_future) = if dry_run {
        let (answer, first) = app.blocking(move |registry| registry.dry_run(&caller, &command)).await?;
        (answer, Some(first))
    } else {
        let request = serde_json::to_string(&asked).map_err(|_| app::Error::Internal)?;
        (app.registry.submit(&caller, command, request)?.answer().await?, None)
    };
    let event = answer.event_number;
    let Done::Acted { action_id, requested_at, completed_at, outcome: Outcome::Bundles { result, total } } =
        answer.done
    else {
        return Err(unexpected("acting on bundles"));
    };
    let body = ActionBody {
        id: action_id.map(|id| id.0),
        action_type,
        user_id,
        asked,
        action_request_datetime: requested_at.into(),
        action_completed_datetime: completed_at.into(),
        action_response_status: "accepted",
        result: result.iter().map(|bundle| result_of(bundle, first_future)).collect(),
        total_quantity: total.0,
    };
    Ok(Changed { status: StatusCode::ACCEPTED, event, body })
}

fn asked_of(selection: &Selection, deed: &Deed) -> ActionAsked {
    let mut asked = ActionAsked {
        source_id: selection.source_id,
        target_id: None,
        granular_certificate_bundle_ids: selection.bundle_ids.clone(),
        certificate_quantity: selection.amount.quantity,
        certificate_bundle_percentage: selection.amount.percentage.map(Share),
        beneficiary: None,
        beneficiary_account_id: None,
        purpose: None,
        target_registry: None,
        reason: None,
        export_failed: None,
        certificate_bundle_status: None,
    };
    match deed {
        Deed::Transfer { target } => asked.target_id = Some(target.0),
        Deed::Cancel { beneficiary, beneficiary_account, purpose } => {
            asked.beneficiary.clone_from(beneficiary);
            asked.beneficiary_account_id = beneficiary_account.map(|id| id.0);
            asked.purpose.clone_from(purpose);
        }
        Deed::Claim => {}
        Deed::Reserve { target_registry } => asked.target_registry.clone_from(target_registry),
        Deed::Lock { reason } | Deed::Unlock { reason } => asked.reason = Some(reason.clone()),
        Deed::UpdateMutables { account, status, reason } => {
            asked.target_id = account.map(|id| id.0);
            asked.certificate_bundle_status = *status;
            asked.reason.clone_from(reason);
        }
        Deed::Withdraw { reason, export_failed } => {
            asked.reason = (!reason.is_empty()).then(|| reason.clone());
            asked.export_failed = Some(*export_failed);
        }
    }
    asked
}

/// In a dry run, ids from `first_future` on stand for bundles that do not exist.
fn result_of(bundle: &BundleResult, first_future: Option<BundleId>) -> ResultBody {
    let exists = first_future.is_none_or(|first| bundle.bundle_id < first);
    ResultBody {
        bundle_id: exists.then_some(bundle.bundle_id.0),
        parent_id: bundle.parent_id.map(|id| id.0),
        range_start: bundle.range.first(),
        range_end: bundle.range.last(),
        quantity: bundle.range.quantity().0,
        status: bundle.status,
        account_id: bundle.account_id.0,
    }
}
