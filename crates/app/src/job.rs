//! Jobs: long work cut into actions. A step states its position and is carried out only if the job is still there, so
//! that a job resumed twice, by two processes even, does nothing twice.

use crate::idempotency::Ticket;
use crate::{Caller, Error, Page, Paging, Registry};
use domain::{
    Actor, Capability, DeviceId, JobId, Outcome, ReadingRefusal, UserId, action::IssueOutcome, action::ReadingsOutcome,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::job::{Job, JobKind, JobState};

/// How many bundle ids a job lists.
pub(crate) const BUNDLE_IDS_LISTED_MAX: usize = 1_000;
/// How many refused readings an issue job lists; the rest is counted.
pub(crate) const REFUSED_LISTED_MAX: usize = 1_000;
/// How many of them may be readings of 0 Wh, so that nights without sun leave room for what is wrong.
const ZERO_LISTED_MAX: u64 = 100;

#[derive(Clone, Debug)]
pub(crate) struct NewJob {
    pub kind: JobKind,
    pub user_id: UserId,
    pub request: String,
    pub progress: Progress,
    /// Under what its number goes on record.
    pub ticket: Option<Arc<Ticket>>,
}

/// The part of a job that a command carries out.
#[derive(Clone, Debug)]
pub(crate) struct JobStep {
    pub job: JobId,
    /// Where the job must stand.
    pub position: i64,
    /// What is done once this step is.
    pub done: u64,
    pub total: u64,
    /// Where an issue job goes on.
    pub cursor: Option<Cursor>,
    pub is_last: bool,
}

/// Where an issue job is: which group of devices, and from when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub group: usize,
    pub from: Timestamp,
}

/// What came of a job so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Readings looked at.
    pub done: u64,
    /// Readings to look at, as counted at the start; 0 if that is not known.
    pub total: u64,
    /// Bundles made.
    pub issued: u64,
    /// Wh issued.
    pub quantity: u64,
    /// The first 1,000 bundles made.
    pub bundle_ids: Vec<i64>,
    /// The first 1,000 readings that nothing was issued for, and why; at most 100 of them are of 0 Wh.
    pub refused: Vec<RefusedReading>,
    /// How many there are in all.
    pub refused_total: u64,
    /// How many of these say 0 Wh, so that there is nothing to issue.
    #[serde(default)]
    pub zero_total: u64,
    /// Readings that were new, took the place of earlier ones, or were known.
    pub accepted: u64,
    pub corrected: u64,
    pub unchanged: u64,
    pub cursor: Option<Cursor>,
    /// Whether what was to be fetched first is there.
    #[serde(default)]
    pub is_fetched: bool,
    /// Why the job failed or was interrupted.
    pub error: Option<String>,
}

/// A reading that nothing was issued for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedReading {
    pub device_id: i64,
    pub interval_start_datetime: Timestamp,
    pub reason: String,
}

impl Progress {
    pub(crate) fn absorb(&mut self, step: &JobStep, outcome: &Outcome) {
        self.done = step.done;
        self.total = step.total;
        self.cursor = step.cursor;
        match outcome {
            Outcome::Issue(issue) => self.absorb_issue(issue),
            Outcome::Readings(readings) => self.absorb_readings(readings),
            Outcome::Seed(seed) => {
                self.accepted += count(seed.adopted);
                self.refused_total += count(seed.refused.len());
            }
            Outcome::User(_)
            | Outcome::Organisation(_)
            | Outcome::Account(_)
            | Outcome::Device(_)
            | Outcome::Metadata(_)
            | Outcome::Created(_)
            | Outcome::Measurement(_)
            | Outcome::Order(_)
            | Outcome::Ran { .. }
            | Outcome::Expired(_)
            | Outcome::Scr(_)
            | Outcome::Sdr { .. }
            | Outcome::Bundles { .. } => {}
        }
    }

    pub(crate) fn absorb_issue(&mut self, issue: &IssueOutcome) {
        let issued = count(issue.issued);
        self.issued += issued;
        self.quantity += issue.quantity.0;
        if let Some(first) = issue.first_bundle {
            let room = BUNDLE_IDS_LISTED_MAX.saturating_sub(self.bundle_ids.len());
            self.bundle_ids.extend((first.0..).take(room.min(issue.issued)));
        }
        self.refused_total += count(issue.refused.len());
        for refused in &issue.refused {
            let is_zero = refused.refusal == ReadingRefusal::ZeroEnergy;
            let has_room = self.refused.len() < REFUSED_LISTED_MAX && (!is_zero || self.zero_total < ZERO_LISTED_MAX);
            self.zero_total += u64::from(is_zero);
            if has_room {
                self.refused.push(RefusedReading::of(refused.device_id, refused.interval.start(), &refused.refusal));
            }
        }
    }

    fn absorb_readings(&mut self, readings: &ReadingsOutcome) {
        self.accepted += count(readings.accepted);
        self.corrected += count(readings.corrected);
        self.unchanged += count(readings.unchanged);
        self.refused_total += count(readings.refused.len());
    }
}

impl RefusedReading {
    fn of(device: DeviceId, start: Timestamp, refusal: &ReadingRefusal) -> Self {
        Self { device_id: device.0, interval_start_datetime: start, reason: refusal.to_string() }
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Which jobs to list. An absent filter filters nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobQuery {
    pub kind: Option<JobKind>,
    pub state: Option<JobState>,
}

/// A job as its owner sees it.
#[derive(Clone, Debug)]
pub struct JobView {
    /// `None` for a dry run, which leaves no job.
    pub id: Option<JobId>,
    pub kind: JobKind,
    pub user_id: UserId,
    pub state: JobState,
    pub progress: Progress,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl JobView {
    pub(crate) fn of(job: &Job) -> Result<Self, Error> {
        let progress = serde_json::from_str(&job.progress).map_err(|error| {
            tracing::error!(job = job.id.0, %error, "the progress of a job cannot be read");
            Error::Internal
        })?;
        Ok(Self {
            id: Some(job.id),
            kind: job.kind,
            user_id: job.user_id,
            state: job.state,
            progress,
            created_at: job.created_at,
            updated_at: job.updated_at,
        })
    }
}

impl Registry {
    /// A job of the caller's, or anyone's for those who may read everything. Always of the primary: a job is no event, so
    /// no event number tells whether a replica has it yet.
    pub fn job(&self, caller: &Caller, id: JobId) -> Result<JobView, Error> {
        let job = self.read_primary(|connection| store::job::by_id(connection, id))?;
        let reads_all = caller.may(Capability::ReadEverything);
        let job = job.filter(|job| reads_all || job.user_id == caller.user_id);
        JobView::of(&job.ok_or(Error::NotFound { what: "Job", id: id.0 })?)
    }

    /// Jobs of the caller's, or all for those who may read everything; the newest first. Of the primary, as [`job`](Self::job).
    pub fn jobs(&self, caller: &Caller, query: JobQuery, paging: Paging<JobId>) -> Result<Page<JobView, JobId>, Error> {
        let user = (!caller.may(Capability::ReadEverything)).then_some(caller.user_id);
        let filter = store::job::Filter { user, kind: query.kind, state: query.state, before: paging.after };
        let rows = self.read_primary(|connection| store::job::list(connection, &filter, paging.rows()))?;
        let Page { entries, next } = paging.page(rows, |job| job.id);
        let entries = entries.iter().map(JobView::of).collect::<Result<_, _>>()?;
        Ok(Page { entries, next })
    }

    /// The job as it is on the primary, whoever asks.
    pub(crate) fn job_state(&self, id: JobId) -> Result<Job, Error> {
        self.read_primary(|connection| store::job::by_id(connection, id))?
            .ok_or(Error::NotFound { what: "Job", id: id.0 })
    }
}

/// Who a job acts for.
pub(crate) fn actor_of(user: UserId) -> Actor {
    if user.0 == 0 { Actor::Operator } else { Actor::User(user) }
}
