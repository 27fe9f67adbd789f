//! The database of a demonstration registry (the *seed*) is taken over, as the operator.
//!
//! Users, accounts, devices, issuance metadata and bundles keep their ids. What can be repaired is repaired, what cannot
//! be is refused, and both are told row by row. Everything goes through the queue in bounded chunks: the ledger's own rule
//! ([`domain::action::ImportSeed`]) has the last word on each row. Invariant: a bundle is taken over with everything it
//! was split from and into, or not at all.
//!
//! Memory grows with users, accounts, devices, with what the seed's actions name, and with the bundles of the largest
//! device; never with all bundles or readings. An import that ends early is not taken up again: its job says that it was
//! interrupted, and the next one is refused until the registry is empty again.

mod bundles;
mod cancel;
mod family;
mod people;
mod readings;
mod report;
mod text;

pub use report::{SeedCount, SeedFinding, SeedReport, SeedTable, SeedVerdict};
pub use store::seed::SeedFault;

use crate::job::{JobStep, NewJob, Progress};
use crate::work::{Beside, Done, Pending};
use crate::{Error, Registry};
use domain::action::{ImportSeed, SEED_ROWS_MAX, SeedOutcome};
use domain::{AccountId, Actor, Command, DeviceId, JobId, NextIds, Outcome, Refusal, UserId};
use jiff::Timestamp;
use report::Tally;
use std::collections::{HashMap, HashSet};
use store::job::{Job, JobKind, JobState};
use store::seed::Seed;
use store::{Connection, Url};

/// The most rows of one command.
const CHUNK_ROWS_MAX: usize = SEED_ROWS_MAX;

/// Why a seed is not taken over, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error("the seed's database {url}: {fault}")]
    Seed { url: Url, fault: SeedFault },
    /// Nothing was taken over.
    #[error("{0}")]
    NotEmpty(String),
    #[error("another process took this import for ended; empty the registry (`make db.reset`) and import again")]
    TakenForEnded,
    #[error("{0}")]
    Registry(#[from] Error),
    /// The seed's database failed on the way.
    #[error("the seed's database: {0}")]
    Database(#[from] store::Error),
}

/// Why a registry cannot take over a seed whose first user is `first_user`, if so. Users may be there, such as the first
/// administrator, if their ids are not the seed's.
fn obstacle(connection: &mut Connection, first_user: Option<UserId>) -> store::Result<Option<String>> {
    let (next, first) = (store::head::read(connection)?.next, NextIds::default());
    let is_empty = (next.account, next.device, next.metadata) == (first.account, first.device, first.metadata)
        && (next.bundle, next.measurement) == (first.bundle, first.measurement);
    if !is_empty {
        let imports = store::job::Filter { kind: Some(JobKind::Seed), ..store::job::Filter::default() };
        let latest = store::job::list(connection, &imports, 1)?.pop();
        return Ok(Some(told_not_empty(latest.as_ref())));
    }
    Ok(first_user.filter(|id| *id < next.user).map(|id| {
        format!(
            "the registry has users up to id {}, and the seed's begin with {id}: import into a registry without users, \
             and add an administrator then (`granary user add`)",
            next.user.0 - 1
        )
    }))
}

fn told_not_empty(earlier: Option<&Job>) -> String {
    match earlier {
        Some(job) if job.state == JobState::Done => {
            format!("a seed was taken over already, by job {}: a registry takes over one seed", job.id)
        }
        Some(job) => format!(
            "an import of a seed was begun at {} and did not come to its end (job {}): what it brought is not the whole. \
             Empty the registry (`make db.reset`) and import again",
            job.created_at, job.id
        ),
        None => {
            "a seed is taken over into an empty registry only; this one has accounts, devices, metadata, readings or \
                 bundles"
                .to_owned()
        }
    }
}

impl Registry {
    /// Takes over the seed's database at `source`. What is repaired, refused or left out is handed to `on_finding` row by
    /// row, and `on_rows` hears of rows that were read. `target` is the registry that is asked whether it could take the
    /// seed over, where this one only rehearses.
    ///
    /// # Errors
    /// [`SeedError`]; unless nothing was taken over, the registry then holds a part, and the job says so. Blocks.
    pub fn import_seed(
        &self,
        source: &Url,
        target: Option<&mut Connection>,
        on_finding: &mut dyn FnMut(&SeedFinding),
        on_rows: &mut dyn FnMut(u64),
    ) -> Result<SeedReport, SeedError> {
        let opened = Seed::open(source);
        let mut seed = opened.map_err(|fault| SeedError::Seed { url: source.clone(), fault })?;
        let people = people::Read::all(&mut seed, self.now())?;
        let (first_user, contacts) = (people.first_user(), people.contacts());
        let look = |connection: &mut Connection| -> store::Result<_> {
            Ok((obstacle(connection, first_user)?, store::user::taken_contacts(connection, &contacts)?))
        };
        let (obstacle, taken) = match target {
            Some(target) => look(target)?,
            None => self.read_primary(look)?,
        };
        if let Some(obstacle) = obstacle {
            return Err(SeedError::NotEmpty(obstacle));
        }
        let job = self.create_seed_job()?;
        let tally = Tally::new(on_finding, on_rows);
        let known = Known::default();
        let mut import = Import { registry: self, job, position: 0, rows: 0, now: self.now(), known, tally };
        let done = import.all(&mut seed, people, taken);
        let (state, error) = match &done {
            Ok(()) => (JobState::Done, None),
            Err(error) => (JobState::Failed, Some(error.to_string())),
        };
        let ended = self.beside(Beside::EndJob { id: job, state, error }).and_then(Pending::wait);
        done?;
        ended?;
        Ok(import.tally.report(job))
    }

    fn create_seed_job(&self) -> Result<JobId, Error> {
        let new = NewJob {
            kind: JobKind::Seed,
            user_id: UserId(Actor::Operator.code()),
            request: "{}".to_owned(),
            progress: Progress::default(),
            ticket: None,
        };
        match self.beside(Beside::CreateJob(new))?.wait()?.done {
            Done::Job(id) => Ok(id),
            other => unreachable!("creating a job gave {other:?}"),
        }
    }
}

/// What was taken over so far, as far as later rows name it.
#[derive(Default)]
struct Known {
    users: HashSet<UserId>,
    accounts: HashMap<AccountId, String>,
    devices: HashSet<DeviceId>,
}

struct Import<'i> {
    registry: &'i Registry,
    job: JobId,
    position: i64,
    rows: u64,
    now: Timestamp,
    known: Known,
    tally: Tally<'i>,
}

impl Import<'_> {
    fn all(&mut self, seed: &mut Seed, people: people::Read, taken: Vec<String>) -> Result<(), SeedError> {
        self.people(people, taken)?;
        self.readings(seed)?;
        self.bundles(seed)
    }

    /// Has the ledger decide a chunk; `about` says in the action which rows these were.
    fn submit(&mut self, rows: ImportSeed, count: usize, about: &serde_json::Value) -> Result<SeedOutcome, SeedError> {
        if count == 0 {
            return Ok(SeedOutcome::default());
        }
        self.rows += u64::try_from(count).unwrap_or(0);
        let step =
            JobStep { job: self.job, position: self.position, done: self.rows, total: 0, cursor: None, is_last: false };
        self.position += 1;
        let request = serde_json::json!({ "import": "seed", "job": self.job, "rows": count, "of": about });
        let work = self.registry.act(Actor::Operator, Command::ImportSeed(rows), request.to_string(), Some(step));
        let answer = self.registry.queue_waiting(work)?.wait().map_err(|error| match error {
            Error::Refused(Refusal::JobMoved) => SeedError::TakenForEnded,
            error => SeedError::Registry(error),
        })?;
        match answer.outcome() {
            Outcome::Seed(outcome) => Ok(outcome),
            other => unreachable!("an import gave {other:?}"),
        }
    }
}
