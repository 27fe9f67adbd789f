//! Jobs: long work, and how far it is.

use crate::caller::{Caller, PathId, Query, Read};
use crate::json::{Fields, word};
use crate::openapi::{IdProblems, ReadProblems};
use crate::page::{Key, Paged, cursor_of};
use crate::wire::At;
use crate::{App, Error};
use app::{JobKind, JobQuery, JobState, JobView, Paging, RefusedReading};
use axum::Json;
use axum::extract::State;
use domain::JobId;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read_job))
}

/// Long work, done in parts. What is done stays done.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct JobBody {
    /// `null` for a dry run, which leaves no job.
    id: Option<i64>,
    /// What it does.
    kind: JobKindWord,
    /// Who started it.
    user_id: i64,
    state: JobStateWord,
    /// Readings looked at so far.
    done: u64,
    /// Readings to look at, as counted at the start; 0 if that is not known, as of a submission.
    total: u64,
    /// Bundles made.
    issued: u64,
    /// Wh issued.
    quantity: u64,
    /// The first 1,000 bundles made.
    bundle_ids: Vec<i64>,
    /// The first 1,000 readings that nothing was issued for; at most 100 of them are of 0 Wh.
    refused: Vec<Refused>,
    /// How many there are in all.
    refused_total: u64,
    /// How many of these say 0 Wh, so that there is nothing to issue.
    zero_total: u64,
    /// Of a submission: rows that were new.
    accepted: u64,
    /// Of a submission: rows that took the place of an earlier value.
    corrected: u64,
    /// Of a submission: rows that stated what was known.
    unchanged: u64,
    /// Why the job failed or was interrupted; `null` if it did not.
    error: Option<String>,
    /// When it was started.
    created_at: At,
    /// When it got this far.
    updated_at: At,
    /// Always `false`: it is never deleted.
    is_deleted: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = JobKind)]
#[serde(rename_all = "snake_case")]
enum JobKindWord {
    Issue,
    Readings,
    /// The import of a demonstration registry's database, by the operator.
    Seed,
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
    /// The reading's device.
    device_id: i64,
    /// When the reading's interval begins.
    interval_start_datetime: At,
    /// Why nothing was issued, as a sentence.
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
                JobKind::Seed => JobKindWord::Seed,
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
            zero_total: progress.zero_total,
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

/// Jobs, the newest first.
#[derive(Serialize, ToSchema)]
struct Jobs {
    /// The jobs of this page.
    jobs: Vec<JobBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

impl Key for JobId {
    fn text(&self) -> String {
        self.0.text()
    }

    fn parse(text: &str) -> Option<Self> {
        i64::parse(text).map(Self)
    }
}

const KINDS: &[(JobKind, &str)] =
    &[(JobKind::Issue, "issue"), (JobKind::Readings, "readings"), (JobKind::Seed, "seed")];
const STATES: &[(JobState, &str)] = &[
    (JobState::Running, "running"),
    (JobState::Done, "done"),
    (JobState::Failed, "failed"),
    (JobState::Interrupted, "interrupted"),
];

struct JobsAsked {
    query: JobQuery,
    paging: Paging<JobId>,
}

impl Read for JobsAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let kind = fields.optional("kind", word(KINDS, |(_, name)| name)).map(|(kind, _)| kind);
        let state = fields.optional("state", word(STATES, |(_, name)| name)).map(|(state, _)| state);
        let Paged(paging) = Paged::read(fields)?;
        Some(Self { query: JobQuery { kind, state }, paging })
    }
}

/// List jobs
///
/// The newest first: the caller's own, or all for those who may read everything.
#[utoipa::path(
    get, path = "/job/list", tag = "Jobs",
    params(
        ("kind" = Option<JobKindWord>, Query, description = "What they do"),
        ("state" = Option<JobStateWord>, Query, description = "How far they are"),
        Paged<JobId>,
    ),
    responses((status = 200, description = "A page of jobs", body = Jobs), ReadProblems),
)]
async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(asked): Query<JobsAsked>,
) -> Result<Json<Jobs>, Error> {
    let page = app.blocking(move |registry| registry.jobs(&caller, asked.query, asked.paging)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(Jobs { jobs: page.entries.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Read a job
///
/// One of the caller's, or any for those who may read everything.
#[utoipa::path(
    get, path = "/job/{id}", tag = "Jobs",
    params(("id" = i64, Path, description = "The job's id", minimum = 1)),
    responses((status = 200, description = "The job", body = JobBody), ReadProblems, IdProblems),
)]
async fn read_job(State(app): State<App>, Caller(caller): Caller, PathId(id): PathId) -> Result<Json<JobBody>, Error> {
    let job = app.blocking(move |registry| registry.job(&caller, JobId(id))).await?;
    Ok(Json(job.into()))
}
