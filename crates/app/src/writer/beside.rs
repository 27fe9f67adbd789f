//! What is written with the batch and is no part of the ledger: jobs and how far they are, sessions, secrets, keys, marks.

use super::{Ledger, acts};
use crate::Error;
use crate::job::{JobStep, NewJob, Progress};
use crate::work::{Answer, Beside, Done, Work};
use domain::{JobId, Outcome, Refusal};
use std::collections::BTreeMap;
use store::Connection;
use store::api_key::KEYS_PER_USER_MAX;
use store::job::{Job, JobState};

pub(super) fn load_jobs(tx: &mut Connection, works: &[&Work]) -> store::Result<BTreeMap<JobId, Job>> {
    let mut jobs = BTreeMap::new();
    let steps = acts(works).filter_map(|act| act.step.as_ref().map(|step| step.job));
    let ended = works.iter().filter_map(|work| match work {
        Work::Beside(Beside::EndJob { id, .. } | Beside::NoteFetched { id, .. }) => Some(*id),
        Work::Act(_) | Work::Beside(_) => None,
    });
    for id in steps.chain(ended) {
        if let std::collections::btree_map::Entry::Vacant(place) = jobs.entry(id)
            && let Some(job) = store::job::by_id(tx, id)?
        {
            place.insert(job);
        }
    }
    Ok(jobs)
}

pub(super) fn advance(ledger: &mut Ledger, step: &JobStep, outcome: &Outcome) {
    let now = ledger.now;
    let job = ledger.jobs.get_mut(&step.job).expect("the step's job was found before");
    let mut progress: Progress = serde_json::from_str(&job.progress).unwrap_or_default();
    progress.absorb(step, outcome);
    job.progress = serde_json::to_string(&progress).expect("progress has no maps with odd keys");
    job.position += 1;
    job.updated_at = now;
    if step.is_last {
        job.state = JobState::Done;
    }
}

/// What leaves no action and no event.
pub(super) fn beside_ledger(
    tx: &mut Connection,
    ledger: &mut Ledger,
    beside: &Beside,
) -> store::Result<Result<Answer, Error>> {
    let mut done = Done::Beside;
    match beside {
        Beside::OpenSession(session) => store::session::insert(tx, session)?,
        Beside::KeepAnswer(_) => unreachable!("answers are kept with the records of the batch"),
        Beside::MarkSwept(mark) => store::expiry::advance(tx, *mark)?,
        Beside::CloseSession(hash) => store::session::delete(tx, hash)?,
        Beside::ChangePassword { user, password_hash } => {
            store::user::set_password(tx, *user, password_hash)?;
            store::session::revoke_all(tx, *user)?;
        }
        Beside::CreateKey(new) => match store::api_key::insert(tx, new, ledger.now)? {
            Some(key) => done = Done::Key(key),
            None => return Ok(Err(Refusal::TooMany { field: "api_keys", max: KEYS_PER_USER_MAX }.into())),
        },
        Beside::DeleteKey(id) => store::api_key::delete(tx, *id)?,
        Beside::EndShownKey(hash) => store::api_key::delete_shown(tx, hash)?,
        Beside::CreateJob(new) => {
            let job = create_job(ledger, new);
            store::job::insert(tx, &job)?;
            done = Done::Job(job.id);
            ledger.jobs.insert(job.id, job);
        }
        Beside::NoteFetched { id, progress, state } => {
            if let Some(job) = ledger.jobs.get_mut(id).filter(|job| job.state == JobState::Running) {
                job.progress = serde_json::to_string(progress).expect("progress has no maps with odd keys");
                job.state = *state;
                job.position += 1;
                job.updated_at = ledger.now;
            }
        }
        Beside::EndJob { id, state, error } => {
            if let Some(job) = ledger.jobs.get_mut(id).filter(|job| job.state == JobState::Running) {
                let mut progress: Progress = serde_json::from_str(&job.progress).unwrap_or_default();
                progress.error.clone_from(error);
                job.progress = serde_json::to_string(&progress).expect("progress has no maps with odd keys");
                job.state = *state;
                job.updated_at = ledger.now;
            }
        }
    }
    Ok(Ok(Answer { event_number: ledger.head.event_number, done }))
}

fn create_job(ledger: &mut Ledger, new: &NewJob) -> Job {
    let id = ledger.head.next_job;
    ledger.head.next_job = id.next();
    ledger.is_head_changed = true;
    Job {
        id,
        kind: new.kind,
        user_id: new.user_id,
        state: JobState::Running,
        request: new.request.clone(),
        progress: serde_json::to_string(&new.progress).expect("progress has no maps with odd keys"),
        position: 0,
        created_at: ledger.now,
        updated_at: ledger.now,
    }
}
