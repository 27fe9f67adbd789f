//! What becomes of a recurring order: it is read, paused, resumed, ended; what its runs did, and what the next would do.

use super::{OrderBody, OrderStateWord};
use crate::api::{carry_out, unexpected};
use crate::caller::{Caller, Fresh, PathId, Query, Read};
use crate::json::{Fields, whole};
use crate::openapi::{ChangeProblems, IdProblems, ReadProblems};
use crate::page::{Key, Paged, cursor_of};
use crate::problem::Problem;
use crate::wire::{At, Changed};
use crate::{App, Error};
use app::{Rehearsed, RunView};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::recurring_order::OrderState;
use domain::{Command, Outcome, RecurringOrderId, Refusal};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How many due times a preview shows, if that is not said, and at most.
const PREVIEW_USUAL: u64 = 12;
const PREVIEW_MAX: u64 = 100;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(read_order))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(end))
        .routes(routes!(preview))
        .routes(routes!(runs))
}

/// A recurring order
///
/// Of an account of the caller's, or any for those who may read everything.
#[utoipa::path(
    get, path = "/certificate/recurring/{id}", tag = "Certificates",
    params(("id" = i64, Path, description = "The order's id", minimum = 1), Fresh),
    responses((status = 200, description = "The order", body = OrderBody), ReadProblems, IdProblems),
)]
async fn read_order(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<OrderBody>, Error> {
    let id = RecurringOrderId(id);
    let order = app.blocking(move |registry| registry.recurring_order(&caller, id, fresh)).await?;
    Ok(Json((&order).into()))
}

/// What was asked when an order was paused, resumed or ended.
#[derive(Serialize)]
struct Asked {
    order_id: i64,
}

/// Pause a recurring order
///
/// Nothing of it runs until it is resumed. Pausing it again is the same; one that has ended is refused. For Trading and
/// Production Users of the source account.
#[utoipa::path(
    post, path = "/certificate/recurring/{id}/pause", tag = "Certificates",
    params(("id" = i64, Path, description = "The order's id", minimum = 1)),
    responses(
        (status = 200, description = "The order, which is paused", body = OrderBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
        IdProblems,
    ),
)]
async fn pause(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
) -> Result<Changed<OrderBody>, Error> {
    change(&app, &caller, Command::PauseOrder(RecurringOrderId(id)), id).await
}

/// Resume a recurring order
///
/// It goes on with the first due time that has not passed: what was due during the pause is not made up for, and counts as
/// done. If none is left, the order ends. Resuming one that is not paused is the same; one that has ended is refused. For
/// Trading and Production Users of the source account.
#[utoipa::path(
    post, path = "/certificate/recurring/{id}/resume", tag = "Certificates",
    params(("id" = i64, Path, description = "The order's id", minimum = 1)),
    responses(
        (status = 200, description = "The order, which goes on or has ended", body = OrderBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
        IdProblems,
    ),
)]
async fn resume(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
) -> Result<Changed<OrderBody>, Error> {
    change(&app, &caller, Command::ResumeOrder(RecurringOrderId(id)), id).await
}

/// End a recurring order
///
/// Nothing of it is due any more; what it did stays. Ending it again is the same. For Trading and Production Users of the
/// source account.
#[utoipa::path(
    delete, path = "/certificate/recurring/{id}", tag = "Certificates",
    params(("id" = i64, Path, description = "The order's id", minimum = 1)),
    responses(
        (status = 200, description = "The order, which has ended", body = OrderBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
        IdProblems,
    ),
)]
async fn end(State(app): State<App>, Caller(caller): Caller, PathId(id): PathId) -> Result<Changed<OrderBody>, Error> {
    change(&app, &caller, Command::EndOrder(RecurringOrderId(id)), id).await
}

async fn change(app: &App, caller: &app::Caller, command: Command, id: i64) -> Result<Changed<OrderBody>, Error> {
    let carried = carry_out(app, caller, command, &Asked { order_id: id }).await?;
    let Outcome::Order(order) = carried.outcome else { return Err(unexpected("changing an order")) };
    Ok(Changed { status: StatusCode::OK, event: carried.event, body: (&*order).into() })
}

/// What is to come of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = RecurringOrderPreview)]
struct PreviewBody {
    /// The order's id.
    #[schema(example = 1)]
    id: i64,
    /// Whether it goes on.
    #[schema(value_type = OrderStateWord)]
    order_state: OrderState,
    /// When the next runs are due, in UTC.
    next_due_dates: Vec<At>,
    /// What the next run would do if it were due now; `null` once the order has ended.
    next_run: Option<NextRun>,
}

/// What the next run would do now.
#[derive(Serialize, ToSchema)]
#[schema(as = RecurringOrderNextRun)]
pub(super) struct NextRun {
    /// Wh that it would act on; 0 if it would be refused.
    total_quantity: u64,
    /// How many bundles it would act on, parts of bundles among them.
    bundles: usize,
    /// Why it would be refused; `null` if it would not.
    rejection: Option<Problem>,
}

impl From<Result<Rehearsed, Refusal>> for NextRun {
    fn from(run: Result<Rehearsed, Refusal>) -> Self {
        match run {
            Ok(done) => Self { total_quantity: done.energy.0, bundles: done.bundles, rejection: None },
            Err(refusal) => Self { total_quantity: 0, bundles: 0, rejection: Some(Problem::of_refusal(&refusal)) },
        }
    }
}

struct PreviewAsked {
    count: u32,
}

impl Read for PreviewAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let count = fields.optional("count", whole(1, PREVIEW_MAX)).unwrap_or(PREVIEW_USUAL);
        Some(Self { count: u32::try_from(count).unwrap_or(u32::MAX) })
    }
}

/// Preview a recurring order
///
/// When its next runs are due, and what the next one would do if it were due now. Nothing is changed. Of an account of the
/// caller's, or of any for those who may read everything.
#[utoipa::path(
    get, path = "/certificate/recurring/{id}/preview", tag = "Certificates",
    params(
        ("id" = i64, Path, description = "The order's id", minimum = 1),
        ("count" = Option<u32>, Query, description = "How many due times; 12 by default", minimum = 1, maximum = 100),
        Fresh,
    ),
    responses((status = 200, description = "What is to come", body = PreviewBody), ReadProblems, IdProblems),
)]
async fn preview(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Query(PreviewAsked { count }): Query<PreviewAsked>,
    Fresh(fresh): Fresh,
) -> Result<Json<PreviewBody>, Error> {
    let id = RecurringOrderId(id);
    let found = app.blocking(move |registry| registry.preview_order(&caller, id, count, fresh)).await?;
    Ok(Json(PreviewBody {
        id: found.order.id.0,
        order_state: found.order.state,
        next_due_dates: found.due.into_iter().map(At).collect(),
        next_run: found.next.map(NextRun::from),
    }))
}

/// The runs of an order, the latest due time first.
#[derive(Serialize, ToSchema)]
#[schema(as = RecurringOrderRuns)]
struct Runs {
    /// The runs of this page.
    runs: Vec<RunBody>,
    /// `null` at the end.
    next_cursor: Option<String>,
}

/// What became of a due time.
#[derive(Serialize, ToSchema)]
#[schema(as = RecurringOrderRun)]
struct RunBody {
    /// When it was due.
    due_at: At,
    /// When it ran: later than it was due if the registry was off.
    ran_at: At,
    /// Its action: a transfer or a cancellation; `run_recurring` if it was refused, which moved the order on and nothing else.
    #[schema(example = 42)]
    action_id: i64,
    /// Wh that were acted on; 0 if it was refused.
    total_quantity: u64,
    /// Why it was refused: the problem, as a transfer or a cancellation would have answered it. `null` if it was not.
    rejection: Option<Problem>,
}

impl From<RunView> for RunBody {
    fn from(run: RunView) -> Self {
        let (total_quantity, rejection) = match run.done {
            Ok(energy) => (energy.0, None),
            Err(why) => (0, Problem::of_reason(&why.reason, why.detail, why.numbers)),
        };
        Self {
            due_at: run.due_at.into(),
            ran_at: run.ran_at.into(),
            action_id: run.action.0,
            total_quantity,
            rejection,
        }
    }
}

/// A due time.
impl Key for Timestamp {
    fn text(&self) -> String {
        self.as_microsecond().to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        Self::from_microsecond(text.parse().ok()?).ok()
    }
}

/// List the runs of a recurring order
///
/// What became of each of its due times, the latest first. Those that passed while it was paused are not among them. Of an
/// account of the caller's, or of any for those who may read everything.
#[utoipa::path(
    get, path = "/certificate/recurring/{id}/runs", tag = "Certificates",
    params(("id" = i64, Path, description = "The order's id", minimum = 1), Paged<Timestamp>, Fresh),
    responses((status = 200, description = "A page of runs", body = Runs), ReadProblems, IdProblems),
)]
async fn runs(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Query(Paged(paging)): Query<Paged<Timestamp>>,
    Fresh(fresh): Fresh,
) -> Result<Json<Runs>, Error> {
    let id = RecurringOrderId(id);
    let page = app.blocking(move |registry| registry.order_runs(&caller, id, paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(Runs { runs: page.entries.into_iter().map(Into::into).collect(), next_cursor }))
}
