//! The last days are fetched again every few hours, so that late half-hours and later settlement runs come in by themselves.
//!
//! Time is cut into slots of that many hours, and each run is a job that names its slot. Who finds a job of the slot leaves it
//! alone; of two processes that make one at once, the one with the smaller number goes on. A slot that was missed is not made
//! up for: the next run looks as many days back.

use super::Fetched;
use crate::job::{NewJob, Progress};
use crate::registry::Inner;
use crate::work::{Beside, Done, Pending};
use crate::{Error, Registry};
use domain::{JobId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Weak;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use store::job::{Filter, JobKind, JobState};

/// How often it is looked whether a run is due.
const LOOK: Duration = Duration::from_mins(1);
/// How many of the operator's newest jobs are looked through for those of a slot.
const JOBS_LOOKED_AT: i64 = 200;

/// How often to fetch, and how far back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElexonSchedule {
    /// At least 1.
    pub every_hours: u16,
    pub days: u16,
}

/// What is kept of a run in its job.
#[derive(Serialize, Deserialize)]
struct Run {
    elexon_slot: i64,
    from: Timestamp,
    to: Timestamp,
}

fn watch(inner: &Weak<Inner>, stop: &Receiver<()>, schedule: ElexonSchedule) {
    loop {
        let Some(registry) = inner.upgrade().map(Registry) else { return };
        if let Err(error) = registry.fetch_if_due(schedule) {
            tracing::warn!(%error, "half-hours cannot be fetched; they are at the next run");
        }
        drop(registry);
        if stop.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

impl Registry {
    /// Starts a thread that fetches when it is due, for as long as the registry is open.
    ///
    /// # Errors
    /// If there is no thread.
    pub fn fetch_regularly(&self, schedule: ElexonSchedule) -> std::io::Result<()> {
        // Nobody waits for it at the end: an answer of the source may be long in coming.
        self.start_watch("elexon", move |inner, stop| watch(inner, stop, schedule)).map(drop)
    }

    /// Fetches the last days if no process did so in this slot. Blocks.
    ///
    /// # Errors
    /// What goes wrong with the registry. What goes wrong with the source is in the job, and logged.
    pub fn fetch_if_due(&self, schedule: ElexonSchedule) -> Result<Option<Fetched>, Error> {
        let now = self.now();
        let slot = now.as_second() / (i64::from(schedule.every_hours.max(1)) * 3_600);
        if self.jobs_of(slot)?.is_some() {
            return Ok(None);
        }
        let metered = self.elexon_devices()?;
        if metered.is_empty() {
            return Ok(None);
        }
        let days = SignedDuration::from_hours(24 * i64::from(schedule.days));
        let run = Run { elexon_slot: slot, from: now.checked_sub(days).unwrap_or(now), to: now };
        let id = self.begin(&run)?;
        if self.jobs_of(slot)?.is_some_and(|first| first != id) {
            let error = Some("another process fetches already".to_owned());
            self.beside(Beside::EndJob { id, state: JobState::Interrupted, error }).and_then(Pending::wait)?;
            return Ok(None);
        }
        let fetched = match self.fetch(&metered, run.from, run.to, &mut |_| ()) {
            Ok(fetched) => fetched,
            Err(error) => {
                let why = Some(error.to_string());
                self.beside(Beside::EndJob { id, state: JobState::Failed, error: why }).and_then(Pending::wait)?;
                return Err(error);
            }
        };
        let state = if fetched.fault.is_none() { JobState::Done } else { JobState::Failed };
        self.note_fetched(id, &fetched, fetched.fault.is_none(), state)?;
        if let Some(fault) = &fetched.fault {
            tracing::warn!(job = id.0, fault, "half-hours were not all fetched");
        }
        Ok(Some(fetched))
    }

    fn begin(&self, run: &Run) -> Result<JobId, Error> {
        let request = serde_json::to_string(run).map_err(|_| Error::Internal)?;
        let (user_id, progress) = (UserId(0), Progress::default());
        let new = NewJob { kind: JobKind::Readings, user_id, request, progress, ticket: None };
        match self.beside(Beside::CreateJob(new))?.wait()?.done {
            Done::Job(id) => Ok(id),
            other => unreachable!("creating a job gave {other:?}"),
        }
    }

    /// The first job of the slot, of any process.
    fn jobs_of(&self, slot: i64) -> Result<Option<JobId>, Error> {
        let filter = Filter { user: Some(UserId(0)), kind: Some(JobKind::Readings), ..Filter::default() };
        let jobs = self.read_primary(|connection| store::job::list(connection, &filter, JOBS_LOOKED_AT))?;
        let of_slot = jobs.iter().filter(|job| {
            let run: Option<Run> = serde_json::from_str(&job.request).ok();
            run.is_some_and(|run| run.elexon_slot == slot)
        });
        Ok(of_slot.map(|job| job.id).min())
    }
}
