//! What goes into the queue, and the answer that comes out.

use crate::Error;
use crate::idempotency::{KeepAnswer, Ticket};
use crate::job::{JobStep, NewJob, Progress};
use crate::writer::BATCH_ROWS_MAX;
use domain::seal::Hash;
use domain::{ActionId, Actor, ApiKey, ApiKeyId, Command, EventNumber, JobId, Outcome, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::api_key::NewApiKey;
use store::expiry::Mark;
use store::job::JobState;
use store::session::Session;
use tokio::sync::oneshot;

/// About how many bundles stem from one interval.
const INTERVAL_BUNDLES: usize = 16;

/// One thing to do, alone or with others in one transaction.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// A command of the ledger; it leaves an action and sealed events.
    Act(Act),
    /// Something beside the ledger; it leaves neither.
    Beside(Beside),
}

#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub actor: Actor,
    pub command: Command,
    /// What was asked, as JSON; kept in the action and sealed.
    pub request: String,
    pub requested_at: Timestamp,
    /// The step of a job that this is.
    pub step: Option<JobStep>,
    /// Under what its outcome goes on record.
    pub ticket: Option<Arc<Ticket>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Beside {
    OpenSession(Session),
    CloseSession(Hash),
    CreateKey(NewApiKey),
    DeleteKey(ApiKeyId),
    /// Ends the API key with this hash.
    EndShownKey(Hash),
    /// Sets a password and ends all sessions and API keys of the user.
    ChangePassword {
        user: UserId,
        password_hash: String,
    },
    CreateJob(NewJob),
    /// How far a job is with fetching, and whether it goes on. It moves the job on.
    NoteFetched {
        id: JobId,
        progress: Progress,
        state: JobState,
    },
    KeepAnswer(KeepAnswer),
    /// Nothing that was issued with a lifetime is left to be expired up to a time.
    MarkSwept(Mark),
    EndJob {
        id: JobId,
        state: JobState,
        error: Option<String>,
    },
}

impl Work {
    /// The same, going on record under `ticket`; for commands.
    #[must_use]
    pub(crate) fn with(mut self, ticket: Option<Arc<Ticket>>) -> Self {
        if let Self::Act(act) = &mut self {
            act.ticket = ticket;
        }
        self
    }

    /// About how many rows it touches: batches are bounded by it.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Beside(_) => 1,
            Self::Act(act) => match &act.command {
                Command::Bundles(action) => action.bundles.len(),
                Command::SubmitReadings(submission) => submission.readings.len(),
                Command::Issue(_) => crate::issue::CHUNK_READINGS_MAX,
                // alone in its batch: the ids that it brings are not serial
                Command::ImportSeed(_) => crate::writer::BATCH_ROWS_MAX,
                Command::Expire(bundles) => bundles.len(),
                Command::RunOrder(run) => 1 + run.bundles.len(),
                // Alone in its batch: what keeps it from being done, or what it meets, is looked for once.
                Command::DeleteAccount(_)
                | Command::DeleteDevice(_)
                | Command::CreateScr(_)
                | Command::CreateSdr(_)
                | Command::WithdrawScr(_)
                | Command::WithdrawSdr(_)
                | Command::IssueSdgc(_) => BATCH_ROWS_MAX,
                Command::UpdateAccount(update) => 1 + update.user_ids.as_ref().map_or(0, Vec::len),
                Command::UpdateMeasurement(_) => INTERVAL_BUNDLES,
                Command::DeleteMeasurement(_)
                | Command::ReleaseHold { .. }
                | Command::CreateUser(_)
                | Command::UpdateUser(_)
                | Command::ChangeRole(_)
                | Command::DeleteUser(_)
                | Command::CreateOrganisation(_)
                | Command::UpdateOrganisation(_)
                | Command::DeleteOrganisation(_)
                | Command::CreateAccount(_)
                | Command::UpdateWhitelist(_)
                | Command::CreateDevice(_)
                | Command::UpdateDevice(_)
                | Command::ApproveDevice(_)
                | Command::CreateMetadata(_)
                | Command::CreateBundle(_)
                | Command::PlaceOrder(_)
                | Command::EndOrder(_)
                | Command::PauseOrder(_)
                | Command::ResumeOrder(_) => 1,
            },
        }
    }
}

/// What was carried out, durably.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The event number that the registry had reached. A read that asks for it never sees an older state.
    pub event_number: EventNumber,
    pub done: Done,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Done {
    /// A command of the ledger. No action where there was nothing to change, and in a dry run.
    Acted {
        action_id: Option<ActionId>,
        requested_at: Timestamp,
        completed_at: Timestamp,
        outcome: Outcome,
    },
    Job(JobId),
    #[serde(skip)]
    Key(ApiKey),
    Beside,
}

/// An answer that is still to come. Dropping it does not undo the work.
#[derive(Debug)]
pub struct Pending(pub(crate) oneshot::Receiver<Result<Answer, Error>>);

impl Pending {
    /// Waits on an async runtime.
    pub async fn answer(self) -> Result<Answer, Error> {
        self.0.await.unwrap_or(Err(Error::Unavailable))
    }

    /// Waits on a thread of its own.
    ///
    /// # Panics
    /// On an async runtime.
    pub fn wait(self) -> Result<Answer, Error> {
        self.0.blocking_recv().unwrap_or(Err(Error::Unavailable))
    }
}
