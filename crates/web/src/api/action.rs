//! Actions as they are read: what was asked, what it did, and what was refused.

use super::certificate::BundleStatusWord;
use crate::caller::{Caller, Fresh, PathId, Query, Read};
use crate::json::{Fields, id, instant, word};
use crate::openapi::{IdProblems, ReadProblems};
use crate::page::{Key, Paged, cursor_of};
use crate::problem::Problem;
use crate::wire::At;
use crate::{App, Error};
use app::{ActionPlace, ActionQuery, ActionView, AnyAction, RejectedView, ResultView};
use axum::Json;
use axum::extract::State;
use domain::{AccountId, ActionId, ActionKind, BundleStatus, RejectedActionId};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read_action)).routes(routes!(read_rejected))
}

/// Whether an action was carried out.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = ActionStatus)]
#[serde(rename_all = "snake_case")]
enum StatusWord {
    Accepted,
    Rejected,
}

impl StatusWord {
    const ALL: &'static [Self] = &[Self::Accepted, Self::Rejected];

    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

/// An action: what was asked and what it did, or why it was refused.
#[derive(Serialize, ToSchema)]
#[schema(as = PastAction)]
struct ActionBody {
    /// Its number in the ledger; `null` for a rejected action, which is not in it.
    id: Option<i64>,
    /// The number of a rejected action, for GET /certificate/action/rejected/{id}.
    rejected_id: Option<i64>,
    /// The kind of action.
    #[schema(value_type = String, example = "transfer")]
    action_type: ActionKind,
    /// Who asked, 0 for the operator at the machine; `null` where that is not the caller's business.
    user_id: Option<i64>,
    /// The account that it started from; `null` if it has none.
    source_id: Option<i64>,
    /// The account that bundles were to go to; `null` if none was named.
    target_id: Option<i64>,
    /// As asked.
    granular_certificate_bundle_ids: Vec<i64>,
    /// Wh in total, as asked; `null` if no quantity was given.
    certificate_quantity: Option<u64>,
    /// Share of each bundle, above 0 and at most 1, as asked; `null` if none was given.
    #[schema(value_type = Option<f64>)]
    certificate_bundle_percentage: Option<Value>,
    /// For whom a cancellation is, as asked; `null` if that was left out.
    beneficiary: Option<String>,
    /// The account whose users may read and claim what is cancelled; `null` if none was named.
    beneficiary_account_id: Option<i64>,
    /// What a cancellation is for; `null` if it was left out.
    purpose: Option<String>,
    /// Where reserved bundles are to go; `null` if that was left out.
    target_registry: Option<String>,
    /// Why the issuer did it; `null` if no reason was given.
    reason: Option<String>,
    /// Of a withdrawal: whether it takes back Reserved bundles, whose export failed; else `null`.
    export_failed: Option<bool>,
    /// The state that the issuer corrected to; `null` if there is none.
    #[schema(value_type = Option<BundleStatusWord>)]
    certificate_bundle_status: Option<String>,
    /// When it was asked for.
    action_request_datetime: At,
    /// When it was carried out or rejected.
    action_completed_datetime: At,
    action_response_status: StatusWord,
    /// Why it was rejected: the problem that was answered. `null` if it was accepted.
    rejection: Option<Problem>,
    /// The first of its events in the log; `null` for a rejected action, which has none.
    first_event: Option<i64>,
    /// The last of its events; `null` for a rejected action.
    last_event: Option<i64>,
    /// Every bundle that was made or changed, as the action left it.
    result: Vec<ResultBody>,
    /// Wh that were acted on, without remainders; 0 for a rejected action.
    total_quantity: u64,
}

/// A bundle that was made or changed.
#[derive(Serialize, ToSchema)]
#[schema(as = PastResult)]
struct ResultBody {
    /// The bundle's number.
    bundle_id: i64,
    /// The bundle it was split from; `null` if it was issued.
    parent_id: Option<i64>,
    /// Its first certificate, included; numbered per device from 1, each of 1 Wh.
    range_start: u64,
    /// Its last certificate, included.
    range_end: u64,
    /// What it holds, in Wh.
    quantity: u64,
    /// `null` where it was then held elsewhere, and that is not the caller's business.
    #[schema(value_type = Option<BundleStatusWord>)]
    status: Option<BundleStatus>,
    /// The account that held it then; `null` as `status` is.
    account_id: Option<i64>,
}

impl From<ResultView> for ResultBody {
    fn from(result: ResultView) -> Self {
        Self {
            bundle_id: result.bundle_id.0,
            parent_id: result.parent_id.map(|id| id.0),
            range_start: result.range.first(),
            range_end: result.range.last(),
            quantity: result.range.quantity().0,
            status: result.status,
            account_id: result.account_id.map(|id| id.0),
        }
    }
}

/// What was asked, as it was kept with the action.
struct Kept(Map<String, Value>);

impl Kept {
    fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

impl ActionBody {
    /// Without what only one of both kinds has.
    fn of(kind: ActionKind, user_id: Option<i64>, asked: Map<String, Value>, at: (At, At), status: StatusWord) -> Self {
        let kept = Kept(asked);
        let ids = kept.0.get("granular_certificate_bundle_ids").and_then(Value::as_array);
        Self {
            id: None,
            rejected_id: None,
            action_type: kind,
            user_id,
            source_id: kept.number("source_id"),
            target_id: kept.number("target_id"),
            granular_certificate_bundle_ids: ids.into_iter().flatten().filter_map(Value::as_i64).collect(),
            certificate_quantity: kept.0.get("certificate_quantity").and_then(Value::as_u64),
            certificate_bundle_percentage: kept
                .0
                .get("certificate_bundle_percentage")
                .filter(|share| !share.is_null())
                .cloned(),
            beneficiary: kept.text("beneficiary"),
            beneficiary_account_id: kept.number("beneficiary_account_id"),
            purpose: kept.text("purpose"),
            target_registry: kept.text("target_registry"),
            reason: kept.text("reason"),
            export_failed: kept.0.get("export_failed").and_then(Value::as_bool),
            certificate_bundle_status: kept.text("certificate_bundle_status"),
            action_request_datetime: at.0,
            action_completed_datetime: at.1,
            action_response_status: status,
            rejection: None,
            first_event: None,
            last_event: None,
            result: Vec::new(),
            total_quantity: 0,
        }
    }
}

impl From<ActionView> for ActionBody {
    fn from(action: ActionView) -> Self {
        let at = (action.requested_at.into(), action.completed_at.into());
        let body = Self::of(action.kind, action.user_id, action.asked, at, StatusWord::Accepted);
        Self {
            id: Some(action.id.0),
            source_id: action.source.map(|id| id.0).or(body.source_id),
            first_event: Some(action.first_event.0),
            last_event: Some(action.last_event.0),
            result: action.results.into_iter().map(Into::into).collect(),
            total_quantity: action.total.0,
            ..body
        }
    }
}

impl From<RejectedView> for ActionBody {
    fn from(action: RejectedView) -> Self {
        let at = (action.requested_at.into(), action.rejected_at.into());
        let body = Self::of(action.kind, action.user_id, action.asked, at, StatusWord::Rejected);
        let rejection = Problem::of_reason(&action.reason, action.detail, action.numbers);
        Self { rejected_id: Some(action.id.0), rejection, ..body }
    }
}

impl From<AnyAction> for ActionBody {
    fn from(action: AnyAction) -> Self {
        match action {
            AnyAction::Accepted(action) => action.into(),
            AnyAction::Rejected(action) => action.into(),
        }
    }
}

/// Actions, the newest first.
#[derive(Serialize, ToSchema)]
struct Actions {
    /// The actions of this page.
    actions: Vec<ActionBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

impl Key for ActionPlace {
    fn text(&self) -> String {
        format!("{}-{}", self.accepted.map_or(0, |id| id.0), self.rejected.map_or(0, |id| id.0))
    }

    fn parse(text: &str) -> Option<Self> {
        let (accepted, rejected) = text.split_once('-')?;
        let id = |text: &str| text.parse::<i64>().ok().filter(|id| *id >= 0);
        let (accepted, rejected) = (id(accepted)?, id(rejected)?);
        Some(Self {
            accepted: (accepted > 0).then_some(ActionId(accepted)),
            rejected: (rejected > 0).then_some(RejectedActionId(rejected)),
        })
    }
}

struct ActionsAsked {
    query: ActionQuery,
    paging: app::Paging<ActionPlace>,
}

impl Read for ActionsAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let source = fields.optional("source_id", id).map(AccountId);
        let kind = fields.optional("action_type", word(ActionKind::ALL, ActionKind::name));
        let status = fields.optional("status", word(StatusWord::ALL, StatusWord::name));
        let from = fields.optional("from", instant);
        let to = fields.optional("to", instant);
        let Paged(paging) = Paged::read(fields)?;
        let is_accepted = status.map(|status| matches!(status, StatusWord::Accepted));
        Some(Self { query: ActionQuery { source, of: None, kind, user: None, is_accepted, from, to }, paging })
    }
}

/// List actions
///
/// The newest first: those of the caller's accounts, those that reached them (as the target of a transfer or the beneficiary
/// of a cancellation), and the caller's own that were rejected; all for those who may read everything. A page may hold fewer
/// than `limit` if its actions did much; `next_cursor` says whether there are more. Rejected actions are kept for 90 days, and
/// of each user the newest 1,000.
#[utoipa::path(
    get, path = "/certificate/action/list", tag = "Certificates",
    params(
        ("source_id" = Option<i64>, Query, description = "The account that they started from", minimum = 1),
        ("action_type" = Option<String>, Query, description = "What was done or asked, such as `transfer`"),
        ("status" = Option<StatusWord>, Query, description = "Only accepted or only rejected ones"),
        ("from" = Option<At>, Query, description = "Completed then or later"),
        ("to" = Option<At>, Query, description = "Completed before"),
        Paged<ActionPlace>,
        Fresh,
    ),
    responses((status = 200, description = "A page of actions", body = Actions), ReadProblems),
)]
async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(asked): Query<ActionsAsked>,
    Fresh(fresh): Fresh,
) -> Result<Json<Actions>, Error> {
    let page = app.blocking(move |registry| registry.actions(&caller, &asked.query, asked.paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(Actions { actions: page.entries.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Read an action
///
/// One of the caller's accounts, one that reached them, or the caller's own; any for those who may read everything. The ids of
/// actions are those of the ledger: an action that was rejected is not in it, and is read under `rejected_id`.
#[utoipa::path(
    get, path = "/certificate/action/{id}", tag = "Certificates",
    params(("id" = i64, Path, description = "The action's id", minimum = 1), Fresh),
    responses((status = 200, description = "The action", body = ActionBody), ReadProblems, IdProblems),
)]
async fn read_action(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<ActionBody>, Error> {
    let action = app.blocking(move |registry| registry.action(&caller, ActionId(id), fresh)).await?;
    Ok(Json(action.into()))
}

/// Read a rejected action
///
/// One of the caller's, or one that a user of an account of theirs asked for on its behalf; any for those who may read
/// everything. Kept for 90 days, and of each user the newest 1,000. Not kept are requests of the wrong shape, those by somebody
/// who may not act for the account, and dry runs.
#[utoipa::path(
    get, path = "/certificate/action/rejected/{id}", tag = "Certificates",
    params(("id" = i64, Path, description = "The action's rejected_id", minimum = 1), Fresh),
    responses((status = 200, description = "The action", body = ActionBody), ReadProblems, IdProblems),
)]
async fn read_rejected(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<ActionBody>, Error> {
    let id = RejectedActionId(id);
    let action = app.blocking(move |registry| registry.rejected_action(&caller, id, fresh)).await?;
    Ok(Json(action.into()))
}
