//! Jobs: long work, and how far it is.

use crate::caller::{Caller, Fresh, PathId};
use crate::openapi::{IdProblems, ReadProblems};
use crate::wire::At;
use crate::{App, Error};
use app::{JobKind, JobState, JobView, RefusedReading};
use axum::Json;
use axum::extract::State;
use domain::JobId;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read_job))
}

/// Long work, done in parts. What is done stays done.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct JobBody {
    /// `null` for a dry run, which leaves no job.
    id: Option<i64>,
    kind: JobKindWord,
    user_id: i64,
    state: JobStateWord,
    /// Readings looked at, of those counted at the start; a submission does not know its total.
    done: u64,
    total: u64,
    /// Bundles made.
    issued: u64,
    /// Wh issued.
    quantity: u64,
    /// The first 1,000 bundles made.
    bundle_ids: Vec<i64>,
    /// The first 1,000 readings that nothing was issued for.
    refused: Vec<Refused>,
    /// How many there are in all.
    refused_total: u64,
    /// Of a submission: rows that were new, took the place of earlier ones, or were known.
    accepted: u64,
    corrected: u64,
    unchanged: u64,
    /// Why the job failed or was interrupted.
    error: Option<String>,
    created_at: At,
    updated_at: At,
    is_deleted: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = JobKind)]
#[serde(rename_all = "snake_case")]
enum JobKindWord {
    Issue,
    Readings,
}

/// How far a job is. An interrupted one ended because its input did.
#[derive(Serialize, ToSchema)]
#[schema(as = JobState)]
#[serde(rename_all = "snake_case")]
enum JobStateWord {
    Running,
    Done,
    Failed,
    Interrupted,
}

/// A reading that nothing was issued for, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedReading)]
struct Refused {
    device_id: i64,
    interval_start_datetime: At,
    reason: String,
}

impl From<RefusedReading> for Refused {
    fn from(refused: RefusedReading) -> Self {
        Self {
            device_id: refused.device_id,
            interval_start_datetime: refused.interval_start_datetime.into(),
            reason: refused.reason,
        }
    }
}

impl From<JobView> for JobBody {
    fn from(job: JobView) -> Self {
        let progress = job.progress;
        Self {
            id: job.id.map(|id| id.0),
            kind: match job.kind {
                JobKind::Issue => JobKindWord::Issue,
                JobKind::Readings => JobKindWord::Readings,
            },
            user_id: job.user_id.0,
            state: match job.state {
                JobState::Running => JobStateWord::Running,
                JobState::Done => JobStateWord::Done,
                JobState::Failed => JobStateWord::Failed,
                JobState::Interrupted => JobStateWord::Interrupted,
            },
            done: progress.done,
            total: progress.total,
            issued: progress.issued,
            quantity: progress.quantity,
            bundle_ids: progress.bundle_ids,
            refused: progress.refused.into_iter().map(Refused::from).collect(),
            refused_total: progress.refused_total,
            accepted: progress.accepted,
            corrected: progress.corrected,
            unchanged: progress.unchanged,
            error: progress.error,
            created_at: job.created_at.into(),
            updated_at: job.updated_at.into(),
            is_deleted: false,
        }
    }
}

/// Read a job
///
/// One of the caller's, or any for those who may read everything.
#[utoipa::path(
    get, path = "/job/{id}", tag = "Jobs",
    params(("id" = i64, Path, description = "The job's id", minimum = 1), Fresh),
    responses((status = 200, description = "The job", body = JobBody), ReadProblems, IdProblems),
)]
async fn read_job(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<JobBody>, Error> {
    let job = app.blocking(move |registry| registry.job(&caller, JobId(id), fresh)).await?;
    Ok(Json(job.into()))
}
