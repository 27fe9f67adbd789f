//! Jobs: long work, cut into actions. Its position is written in the transaction of each action, so that it is done once.

use crate::code::coded;
use db::{Connection, Result, Row, Select};
use domain::{JobId, UserId};
use jiff::Timestamp;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    Issue,
    Readings,
    /// The import of a demonstration registry's database.
    Seed,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    Running,
    Done,
    Failed,
    /// Its input ended early; what was carried out stays.
    Interrupted,
}

impl JobKind {
    fn code(self) -> i64 {
        match self {
            Self::Issue => 1,
            Self::Readings => 2,
            Self::Seed => 34,
        }
    }

    fn from_code(code: i64) -> Option<Self> {
        [Self::Issue, Self::Readings, Self::Seed].into_iter().find(|kind| kind.code() == code)
    }
}

impl JobState {
    fn code(self) -> i64 {
        match self {
            Self::Running => 1,
            Self::Done => 2,
            Self::Failed => 3,
            Self::Interrupted => 4,
        }
    }

    fn from_code(code: i64) -> Option<Self> {
        [Self::Running, Self::Done, Self::Failed, Self::Interrupted].into_iter().find(|state| state.code() == code)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub kind: JobKind,
    /// Who asked for it; 0 for the operator.
    pub user_id: UserId,
    pub state: JobState,
    /// What was asked, as JSON.
    pub request: String,
    /// What came of it so far, as JSON.
    pub progress: String,
    /// How many steps were carried out; a step states which one it is.
    pub position: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

macro_rules! columns {
    () => {
        "j.id, j.kind, j.user_id, j.state, j.request, j.progress, j.position, j.created_at, j.updated_at"
    };
}

fn job_of(row: &Row<'_>) -> Result<Job> {
    Ok(Job {
        id: JobId(row.get(0)?),
        kind: coded(row, 1, JobKind::from_code)?,
        user_id: UserId(row.get(2)?),
        state: coded(row, 3, JobState::from_code)?,
        request: row.get(4)?,
        progress: row.get(5)?,
        position: row.get(6)?,
        created_at: row.get(7)?,
        updated_at: row.get(8)?,
    })
}

pub fn by_id(connection: &mut Connection, id: JobId) -> Result<Option<Job>> {
    connection.query_optional(concat!("SELECT ", columns!(), " FROM job j WHERE j.id = $1"), &[id.0.into()], job_of)
}

/// Which jobs to find. An absent filter filters nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub user: Option<UserId>,
    pub kind: Option<JobKind>,
    pub state: Option<JobState>,
    /// Only those with a smaller id.
    pub before: Option<JobId>,
}

/// The jobs of `filter`, the newest first, at most `limit`.
pub fn list(connection: &mut Connection, filter: &Filter, limit: i64) -> Result<Vec<Job>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM job j"))
        .and("j.user_id = ?", filter.user.map(|id| id.0))
        .and("j.kind = ?", filter.kind.map(JobKind::code))
        .and("j.state = ?", filter.state.map(JobState::code))
        .and("j.id < ?", filter.before.map(|id| id.0))
        .tail("ORDER BY j.id DESC LIMIT ?", limit);
    connection.select(&select, job_of)
}

/// How many jobs are in each state.
pub fn counts(connection: &mut Connection) -> Result<Vec<(JobState, i64)>> {
    connection.query("SELECT j.state, COUNT(*) FROM job j GROUP BY j.state ORDER BY j.state", &[], |r| {
        Ok((coded(r, 0, JobState::from_code)?, r.get(1)?))
    })
}

/// Jobs that a process left behind.
pub fn running(connection: &mut Connection) -> Result<Vec<Job>> {
    connection.query(
        concat!("SELECT ", columns!(), " FROM job j WHERE j.state = $1 ORDER BY j.id"),
        &[JobState::Running.code().into()],
        job_of,
    )
}

pub fn insert(tx: &mut Connection, job: &Job) -> Result<()> {
    tx.execute(
        "INSERT INTO job (id, kind, user_id, state, request, progress, position, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            job.id.0.into(),
            job.kind.code().into(),
            job.user_id.0.into(),
            job.state.code().into(),
            job.request.as_str().into(),
            job.progress.as_str().into(),
            job.position.into(),
            job.created_at.into(),
            job.updated_at.into(),
        ],
    )?;
    Ok(())
}

pub fn update(tx: &mut Connection, job: &Job) -> Result<()> {
    tx.execute(
        "UPDATE job SET state = $2, progress = $3, position = $4, updated_at = $5 WHERE id = $1",
        &[
            job.id.0.into(),
            job.state.code().into(),
            job.progress.as_str().into(),
            job.position.into(),
            job.updated_at.into(),
        ],
    )?;
    Ok(())
}
