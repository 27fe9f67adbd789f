//! Certificates are issued for a period and many devices: a job, cut into chunks of bounded size, each one action.
//!
//! A chunk is a stretch of time over a group of devices. Where the job stands is written with each chunk, so a job that was
//! stopped goes on where it was, and one that two processes resume is done once.

use crate::idempotency::Ticket;
use crate::job::{Cursor, JobStep, JobView, NewJob, Progress};
use crate::work::{Answer, Beside, Done, Pending};
use crate::{Caller, Error, Registry};
use domain::action::IssueChunk;
use domain::{Actor, Capability, Command, DeviceId, JobId, MetadataId, Outcome, Refusal, UserId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use store::job::{Job, JobKind, JobState};

/// Readings of one chunk: it holds the writer for well under 100 ms.
pub(crate) const CHUNK_READINGS_MAX: usize = 10_000;
/// Devices of one group; even at an interval of a minute a chunk stays bounded.
const GROUP_DEVICES_MAX: usize = 10_000;
/// Devices that one request names.
pub(crate) const DEVICES_MAX: usize = 100_000;
/// Readings that a dry run looks at.
pub const ISSUE_DRY_RUN_READINGS_MAX: i64 = 1_000_000;
/// The shortest stretch of time of a chunk, which is the shortest interval.
const STRETCH_MIN: SignedDuration = SignedDuration::from_mins(1);
const STRETCH_FIRST: SignedDuration = SignedDuration::from_hours(24);
const STRETCH_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Jobs that run in this process at once; more are answered as busy.
const JOBS_MAX: usize = 4;
/// Chunks of a job that were queued and not answered yet.
const CHUNKS_IN_FLIGHT: usize = 2;
/// How long a job waits when another process is at it, before it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// After so long without progress, a submission of readings is taken to be gone.
const GONE_AFTER: Duration = Duration::from_mins(1);
/// The same of an import of a seed, whose database may take its time to sort what it hands out.
const SEED_GONE_AFTER: Duration = Duration::from_mins(15);

/// What is to be issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueRequest {
    pub metadata_id: MetadataId,
    /// Readings that start at or after this.
    pub from: Timestamp,
    /// Readings that start before this.
    pub to: Timestamp,
    /// All production devices if there are none.
    pub device_ids: Vec<DeviceId>,
}

/// Where the readings are from that are issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IssueSource {
    /// Those that are there.
    #[default]
    Readings,
    /// Fetched from Elexon first, as far as the devices have a BM unit as their meter.
    Elexon,
}

/// What is kept of a request in its job.
#[derive(Serialize, Deserialize)]
struct KeptRequest {
    #[serde(flatten)]
    request: IssueRequest,
    #[serde(default)]
    source: IssueSource,
}

impl Registry {
    /// Starts an issue job on behalf of the caller. It goes on after this returns, and after a restart. Blocks.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], [`Refusal::MetadataMissing`], [`Refusal::DeviceMissing`], [`Refusal::TooMany`];
    /// [`Error::Busy`] if too many jobs run.
    pub fn issue(&self, caller: &Caller, request: IssueRequest) -> Result<JobId, Error> {
        self.issue_from(caller, request, IssueSource::Readings)
    }

    /// As [`issue`](Self::issue), after readings were fetched from `source`. The job fails if they cannot be.
    ///
    /// # Errors
    /// As [`issue`](Self::issue).
    pub fn issue_from(&self, caller: &Caller, request: IssueRequest, source: IssueSource) -> Result<JobId, Error> {
        let ticket = Ticket::take(caller.ticket.as_ref());
        self.issue_as(Actor::User(caller.user_id), caller.may(Capability::Issue), request, source, ticket)
    }

    /// As [`issue`](Self::issue), for the operator at the console.
    pub fn issue_as_operator(&self, request: IssueRequest) -> Result<JobId, Error> {
        self.issue_as(Actor::Operator, true, request, IssueSource::Readings, None)
    }

    fn issue_as(
        &self,
        actor: Actor,
        may: bool,
        request: IssueRequest,
        source: IssueSource,
        ticket: Option<Arc<Ticket>>,
    ) -> Result<JobId, Error> {
        // Before anything that the job itself may have changed is looked at.
        if let Some(ticket) = &ticket
            && let Some(Answer { done: Done::Job(id), .. }) = self.recorded(ticket)?
        {
            return Ok(id);
        }
        let request = self.checked(may, request)?;
        if self.jobs_running() >= JOBS_MAX {
            return Err(Error::Busy);
        }
        let new = NewJob {
            kind: JobKind::Issue,
            user_id: UserId(actor.code()),
            request: serde_json::to_string(&KeptRequest { request, source }).map_err(|_| Error::Internal)?,
            progress: Progress::default(),
            ticket,
        };
        let id = match self.beside(Beside::CreateJob(new))?.wait()?.done {
            Done::Job(id) => id,
            other => unreachable!("creating a job gave {other:?}"),
        };
        self.start_job(id);
        Ok(id)
    }

    /// What an issue job would come to, without a job and without a change. Blocks.
    ///
    /// # Errors
    /// As [`issue`](Self::issue); [`Error::TooMuch`] above [`ISSUE_DRY_RUN_READINGS_MAX`] readings.
    pub fn dry_run_issue(&self, caller: &Caller, request: IssueRequest) -> Result<JobView, Error> {
        let request = self.checked(caller.may(Capability::Issue), request)?;
        let devices: Vec<i64> = request.device_ids.iter().map(|id| id.0).collect();
        let most = ISSUE_DRY_RUN_READINGS_MAX + 1;
        let total = self.read_primary(|c| store::measurement::count(c, &devices, request.from, request.to, most))?;
        if total >= most {
            let text =
                format!("a dry run looks at up to {ISSUE_DRY_RUN_READINGS_MAX} readings; choose a shorter period");
            return Err(Error::TooMuch(text));
        }
        let now = self.now();
        let mut progress = Progress { total: u64::try_from(total).unwrap_or(0), ..Progress::default() };
        let mut walk = Walk::start(request, None);
        while let Some(chunk) = walk.next(self)? {
            let (answer, _) = self.dry_run(caller, &Command::Issue(chunk.command.clone()))?;
            if let Outcome::Issue(issue) = answer.outcome() {
                progress.done += u64::try_from(issue.readings).unwrap_or(0);
                progress.absorb_issue(&issue);
            }
        }
        progress.bundle_ids.clear();
        let (user_id, state) = (caller.user_id, JobState::Done);
        Ok(JobView { id: None, kind: JobKind::Issue, user_id, state, progress, created_at: now, updated_at: now })
    }

    /// The request with its devices spelled out, in order, and everything it names known.
    fn checked(&self, may: bool, mut request: IssueRequest) -> Result<IssueRequest, Error> {
        if !may {
            let (roles, _) = Capability::Issue.roles();
            let names: Vec<&str> = roles.iter().map(domain::Role::name).collect();
            return Err(Refusal::Forbidden { needs: format!("the role {}", names.join(" or ")) }.into());
        }
        request.device_ids.sort_unstable();
        request.device_ids.dedup();
        if request.device_ids.len() > DEVICES_MAX {
            return Err(Refusal::TooMany { field: "device_ids", max: DEVICES_MAX }.into());
        }
        let asked: Vec<i64> = request.device_ids.iter().map(|id| id.0).collect();
        let metadata_id = request.metadata_id;
        let (has_metadata, devices) = self.read_primary(|connection| {
            let metadata = store::metadata::by_id(connection, metadata_id)?;
            let devices = if asked.is_empty() {
                store::device::production_ids(connection)?
            } else {
                let mut found: Vec<_> = store::device::by_ids(connection, &asked)?;
                found.retain(|device| !device.is_deleted);
                found.sort_unstable_by_key(|device| device.id);
                found.into_iter().map(|device| device.id).collect()
            };
            Ok((metadata.is_some(), devices))
        })?;
        if !has_metadata {
            return Err(Refusal::MetadataMissing { metadata_id }.into());
        }
        if !request.device_ids.is_empty()
            && let Some(missing) = request.device_ids.iter().find(|id| devices.binary_search(id).is_err())
        {
            return Err(Refusal::DeviceMissing { device_id: *missing }.into());
        }
        request.device_ids = devices;
        Ok(request)
    }

    fn jobs_running(&self) -> usize {
        let mut jobs = self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|job| !job.is_finished());
        jobs.len()
    }

    fn start_job(&self, id: JobId) {
        let weak = std::sync::Arc::downgrade(&self.0);
        let body = move || {
            // Held for as long as the job runs; a closing registry is seen between two steps.
            let Some(inner) = weak.upgrade() else { return };
            Registry(inner).run_issue(id);
        };
        match std::thread::Builder::new().name(format!("job {id}")).spawn(body) {
            Ok(thread) => self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner).push(thread),
            Err(error) => tracing::error!(job = id.0, %error, "no thread for a job; it goes on at the next start"),
        }
    }

    /// Goes on with what a process left running.
    pub(crate) fn resume_jobs(&self) {
        let left = match self.read_primary(store::job::running) {
            Ok(left) => left,
            Err(error) => {
                tracing::error!(%error, "jobs left running cannot be read; they go on at the next start");
                return;
            }
        };
        for job in left {
            tracing::info!(job = job.id.0, "a job was left running");
            match job.kind {
                JobKind::Issue => self.start_job(job.id),
                // A source may make a pause of minutes.
                JobKind::Readings if job.request.contains("elexon_slot") => {
                    self.watch_submission(&job, SEED_GONE_AFTER);
                }
                JobKind::Readings => self.watch_submission(&job, GONE_AFTER),
                JobKind::Seed => self.watch_submission(&job, SEED_GONE_AFTER),
            }
        }
    }

    /// A submission or an import that does not move on is over: its input went with the process that read it.
    fn watch_submission(&self, job: &Job, patience: Duration) {
        let (id, position) = (job.id, job.position);
        let weak = std::sync::Arc::downgrade(&self.0);
        let body = move || {
            let until = std::time::Instant::now() + patience;
            while std::time::Instant::now() < until {
                std::thread::sleep(LOOK_AGAIN.min(Duration::from_millis(200)));
                let Some(inner) = weak.upgrade() else { return };
                if Registry(inner).is_closing() {
                    return;
                }
            }
            let Some(inner) = weak.upgrade() else { return };
            let registry = Registry(inner);
            let is_gone = registry.job_state(id).is_ok_and(|now| now.position == position);
            if is_gone {
                registry.end_left_submission(id);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("left jobs".to_owned()).spawn(body) {
            tracing::error!(%error, "no thread to watch a submission that was left");
        }
    }

    fn run_issue(&self, id: JobId) {
        while !self.is_closing() {
            match self.try_issue(id) {
                Ok(()) => return,
                Err(Error::Unavailable) if self.is_closing() => return,
                // The position in the database says what was carried out; the rest goes on when it is back.
                Err(Error::Unavailable | Error::OutcomeUnknown | Error::Busy) => {
                    tracing::warn!(job = id.0, "the database is out of reach; the job goes on later");
                    std::thread::sleep(LOOK_AGAIN);
                }
                Err(error) => {
                    tracing::warn!(job = id.0, %error, "an issue job failed");
                    let ended = Beside::EndJob { id, state: JobState::Failed, error: Some(error.to_string()) };
                    if let Err(error) = self.beside(ended).and_then(Pending::wait) {
                        tracing::warn!(job = id.0, %error, "the end of a job could not be written");
                    }
                    return;
                }
            }
        }
    }

    /// Steps until the job is done. Where another process has moved the job on, follows it.
    fn try_issue(&self, id: JobId) -> Result<(), Error> {
        'again: loop {
            let job = self.job_state(id)?;
            if job.state != JobState::Running {
                return Ok(());
            }
            if self.fetch_first(&job)? {
                continue;
            }
            let mut steps = IssueSteps::of(self, &job)?;
            let mut in_flight = VecDeque::new();
            while !self.is_closing() {
                let next = steps.next(self)?;
                let is_over = next.is_none();
                if let Some((command, step)) = next {
                    let actor = crate::job::actor_of(job.user_id);
                    let work = self.act(actor, command, steps.request.clone(), Some(step));
                    in_flight.push_back(self.queue_waiting(work)?);
                }
                // While one chunk is written the next is looked up.
                while in_flight.len() >= CHUNKS_IN_FLIGHT || (is_over && !in_flight.is_empty()) {
                    let Some(oldest) = in_flight.pop_front() else { break };
                    match oldest.wait() {
                        Ok(_) => {}
                        Err(Error::Refused(Refusal::JobMoved)) => {
                            std::thread::sleep(LOOK_AGAIN);
                            continue 'again;
                        }
                        Err(error) => return Err(error),
                    }
                }
                if is_over {
                    return Ok(());
                }
            }
            return Ok(());
        }
    }
}

impl Registry {
    /// Fetches what the job wants fetched, if that was not done; says whether the job has moved on.
    fn fetch_first(&self, job: &Job) -> Result<bool, Error> {
        let (kept, progress) = kept_of(job)?;
        if kept.source == IssueSource::Readings || progress.is_fetched {
            return Ok(false);
        }
        let mut metered = self.elexon_devices()?;
        metered.retain(|(id, _)| kept.request.device_ids.binary_search(id).is_ok());
        let fetched = self.fetch(&metered, kept.request.from, kept.request.to, &mut |_| ())?;
        if let Some(fault) = fetched.fault {
            return Err(if self.is_closing() { Error::Unavailable } else { Error::Source(fault) });
        }
        self.note_fetched(job.id, &fetched, true, JobState::Running)?;
        Ok(true)
    }
}

/// What a job was asked, and how far it is.
fn kept_of(job: &Job) -> Result<(KeptRequest, Progress), Error> {
    let unreadable = |error| {
        tracing::error!(job = job.id.0, %error, "a job cannot be read");
        Error::Internal
    };
    let kept = serde_json::from_str(&job.request).map_err(unreadable)?;
    Ok((kept, serde_json::from_str(&job.progress).map_err(unreadable)?))
}

/// The steps of one job that are left.
struct IssueSteps {
    job: JobId,
    position: i64,
    done: u64,
    total: u64,
    request: String,
    walk: Walk,
    is_over: bool,
}

impl IssueSteps {
    fn of(registry: &Registry, job: &Job) -> Result<Self, Error> {
        let (KeptRequest { request: asked, .. }, progress) = kept_of(job)?;
        let devices: Vec<i64> = asked.device_ids.iter().map(|id| id.0).collect();
        let total = match progress.total {
            0 => registry.read_primary(|c| store::measurement::count(c, &devices, asked.from, asked.to, i64::MAX))?,
            known => i64::try_from(known).unwrap_or(i64::MAX),
        };
        let request = serde_json::json!({
            "job": job.id, "metadata_id": asked.metadata_id, "from": asked.from, "to": asked.to,
        });
        Ok(Self {
            job: job.id,
            position: job.position,
            done: progress.done,
            total: u64::try_from(total).unwrap_or(0),
            request: request.to_string(),
            walk: Walk::start(asked, progress.cursor),
            is_over: false,
        })
    }

    fn next(&mut self, registry: &Registry) -> Result<Option<(Command, JobStep)>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let found = self.walk.next(registry)?;
        let is_last = found.is_none();
        self.is_over = is_last;
        let (command, readings) = match found {
            Some(chunk) => (chunk.command, chunk.readings),
            None => (self.walk.nothing(), 0),
        };
        let position = self.position;
        self.position += 1;
        self.done += readings;
        let (done, total, cursor) = (self.done, self.total, Some(self.walk.cursor));
        let step = JobStep { job: self.job, position, done, total, cursor, is_last };
        Ok(Some((Command::Issue(command), step)))
    }
}

/// A walk over groups of devices, and for each over time, in chunks of bounded size.
struct Walk {
    request: IssueRequest,
    cursor: Cursor,
    stretch: SignedDuration,
}

struct WalkedChunk {
    command: IssueChunk,
    readings: u64,
}

impl Walk {
    fn start(request: IssueRequest, cursor: Option<Cursor>) -> Self {
        let cursor = cursor.unwrap_or(Cursor { group: 0, from: request.from });
        Self { request, cursor, stretch: STRETCH_FIRST }
    }

    /// The next chunk that has readings; the cursor then stands behind it. `None` at the end.
    fn next(&mut self, registry: &Registry) -> Result<Option<WalkedChunk>, Error> {
        loop {
            let Some(group) = self.request.device_ids.chunks(GROUP_DEVICES_MAX).nth(self.cursor.group) else {
                return Ok(None);
            };
            let group = group.to_vec();
            let devices: Vec<i64> = group.iter().map(|id| id.0).collect();
            let (from, end) = (self.cursor.from, self.request.to);
            let (to, readings) = self.fit(registry, &devices, from, end)?;
            if readings > 0 {
                let command = IssueChunk { metadata_id: self.request.metadata_id, devices: group, from, to };
                self.cursor.from = to;
                return Ok(Some(WalkedChunk { command, readings }));
            }
            let next = registry.read_primary(|c| store::measurement::first_start(c, &devices, to, end))?;
            self.cursor = match next {
                Some(from) => Cursor { group: self.cursor.group, from },
                None => Cursor { group: self.cursor.group + 1, from: self.request.from },
            };
        }
    }

    /// The end of the stretch from `from` on that holds about as many readings as a chunk may.
    fn fit(
        &mut self,
        registry: &Registry,
        devices: &[i64],
        from: Timestamp,
        end: Timestamp,
    ) -> Result<(Timestamp, u64), Error> {
        let most = i64::try_from(CHUNK_READINGS_MAX).unwrap_or(i64::MAX);
        loop {
            let to = from.checked_add(self.stretch).unwrap_or(end).min(end);
            let count = registry.read_primary(|c| store::measurement::count(c, devices, from, to, most + 1))?;
            if count > most && self.stretch > STRETCH_MIN {
                self.stretch = (self.stretch / 2).max(STRETCH_MIN);
                continue;
            }
            let fits = count.saturating_mul(10) >= most.saturating_mul(8);
            if !fits && self.stretch < STRETCH_MAX && to < end && count <= most {
                let factor =
                    i32::try_from(most.saturating_mul(19) / count.max(1).saturating_mul(2)).unwrap_or(i32::MAX);
                // factor counts tenths; at least a quarter more, at most eight times as much
                self.stretch = (self.stretch / 10 * factor.clamp(12, 80)).min(STRETCH_MAX);
                let wider = from.checked_add(self.stretch).unwrap_or(end).min(end);
                let more = registry.read_primary(|c| store::measurement::count(c, devices, from, wider, most + 1))?;
                if more <= most {
                    return Ok((wider, u64::try_from(more).unwrap_or(0)));
                }
            }
            return Ok((to, u64::try_from(count).unwrap_or(0)));
        }
    }

    /// An empty chunk, which ends the job.
    fn nothing(&self) -> IssueChunk {
        let to = self.request.to;
        IssueChunk { metadata_id: self.request.metadata_id, devices: Vec::new(), from: to, to }
    }
}
