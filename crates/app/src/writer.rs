//! The writer: takes batches of work in the order of receipt and carries each out in one transaction.
//!
//! | phase | round trips | what |
//! | --- | --- | --- |
//! | lock | 1 | the ledger's head, so that writers of several processes take turns |
//! | load | 2 to 8 | what the commands name, in sets |
//! | decide | 0 | each command in order; the next sees what it did |
//! | write | 4 to 9 | rows, actions and sealed events, in bulk |
//! | commit | 1 | once, durably; then each caller hears |
//!
//! Invariant: an answer is given only after the commit of its batch. A refusal changes nothing and leaves its neighbours
//! alone. A database error fails the whole batch and every caller hears it. If the connection is lost during COMMIT, the
//! database is asked what became of it. After a panic the batch is tried again one by one.

mod beside;
mod rehearse;
mod upkeep;

pub(crate) use rehearse::rehearse;

use self::beside::{advance, beside_ledger, load_jobs};
use crate::action;
use crate::auth::SignIns;
use crate::idempotency::Records;
use crate::measure::Measurements;
use crate::work::{Act, Answer, Beside, Done, Work};
use crate::{Clock, Error};
use domain::seal::{self, Entry, Hash, Salt, SealedAction};
use domain::{Change, Changes, Command, EventNumber, JobId, Outcome, Refusal, Rules, State, UserId, decide, event};
use jiff::Timestamp;
use rand::{Rng as _, rngs::StdRng};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};
use std::time::{Duration, Instant};
use store::job::{Job, JobState};
use store::rejected_action::NewRejected;
use store::{Connection, Url, action::ActionRow, event::EventRow, head::Head};
use tokio::sync::{oneshot, watch};

/// Works waiting; more are answered as busy.
pub(crate) const QUEUE_WORKS_MAX: usize = 4_096;
/// Works of one batch.
const BATCH_WORKS_MAX: usize = 256;
/// Rows of one batch, unless its first work alone is larger.
pub(crate) const BATCH_ROWS_MAX: usize = 20_000;
/// How often a batch that lost its connection before COMMIT is tried.
const ATTEMPTS_MAX: usize = 2;
/// How long the database is asked what became of a COMMIT, and how long between.
const RECONNECTS_MAX: usize = 20;
const RECONNECT_AFTER: Duration = Duration::from_millis(250);
/// Events after which statements are planned anew for the first time.
const PLAN_AGAIN_AT: i64 = 1_000;
/// From so many events on, sealing is worth a thread.
const SEAL_ASIDE_MIN: usize = 1_000;

pub(crate) struct Queued {
    pub work: Work,
    pub reply: oneshot::Sender<Result<Answer, Error>>,
}

#[expect(clippy::large_enum_variant, reason = "all messages but the last are of the large kind")]
pub(crate) enum Message {
    Do(Queued),
    /// Finish what was queued before, then end.
    Stop,
}

pub(crate) struct Writer {
    pub url: Url,
    pub clock: Clock,
    pub rules: Rules,
    pub random: StdRng,
    pub connection: Option<Connection>,
    /// How many events there were when the statements were planned.
    pub planned_at: i64,
    /// Set by the checkpoint thread: the log should start over between two batches.
    pub restart_log: Arc<AtomicBool>,
    /// Works taken from the queue and not yet answered, for those who watch.
    pub queued: Arc<std::sync::atomic::AtomicUsize>,
    /// Who was recognised a moment ago: forgotten when their tokens end.
    pub sign_ins: Arc<SignIns>,
    /// The last event that was committed, for those who wait for it.
    pub reached: watch::Sender<EventNumber>,
    pub measurements: Arc<Measurements>,
    /// The time of the last batch, which is asked for once in each.
    pub batch_at: Option<Timestamp>,
    /// When old rejected actions are cleared away next.
    pub tidied_next: Instant,
}

/// What a batch came to, before its commit.
struct Batch {
    answers: Vec<Result<Answer, Error>>,
    /// The last event that it wrote: how its commit is known again.
    last: Option<(EventNumber, Hash)>,
    /// Users whose tokens and keys it ended.
    revoked: Vec<UserId>,
    rejected: Vec<NewRejected>,
    now: Timestamp,
}

impl Writer {
    /// Works until it is told to stop and everything queued before is done.
    pub(crate) fn run(mut self, messages: &Receiver<Message>) {
        let mut kept: Option<Queued> = None;
        let mut is_stopping = false;
        while !(is_stopping && kept.is_none()) {
            let first = match kept.take() {
                Some(first) => first,
                None => match messages.recv_timeout(Duration::from_secs(1)) {
                    Ok(Message::Do(first)) => first,
                    Err(RecvTimeoutError::Timeout) => {
                        self.restart_log_if_asked();
                        self.tidy_if_due();
                        continue;
                    }
                    Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                },
            };
            let mut rows = first.work.weight();
            let mut batch = vec![first];
            while batch.len() < BATCH_WORKS_MAX && rows < BATCH_ROWS_MAX && !is_stopping {
                match messages.try_recv() {
                    Ok(Message::Do(next)) if rows + next.work.weight() > BATCH_ROWS_MAX => {
                        kept = Some(next);
                        break;
                    }
                    Ok(Message::Do(next)) => {
                        rows += next.work.weight();
                        batch.push(next);
                    }
                    Ok(Message::Stop) => is_stopping = true,
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.carry_out(batch);
            self.restart_log_if_asked();
            self.tidy_if_due();
        }
    }

    fn carry_out(&mut self, batch: Vec<Queued>) {
        let started = Instant::now();
        let works: Vec<&Work> = batch.iter().map(|queued| &queued.work).collect();
        let answers = match catch_unwind(AssertUnwindSafe(|| self.attempt(&works))) {
            Ok(answers) => answers,
            Err(_) => self.one_by_one(&works),
        };
        self.measurements.batch(batch.len(), started.elapsed());
        if let Some(reached) = answers.iter().flatten().map(|answer| answer.event_number).max() {
            self.reached.send_if_modified(|known| {
                let is_news = reached > *known;
                *known = (*known).max(reached);
                is_news
            });
        }
        self.queued.fetch_sub(batch.len(), Ordering::Relaxed);
        for (queued, answer) in batch.into_iter().zip(answers) {
            // A caller that has gone away does not want to know.
            let _: Result<_, _> = queued.reply.send(answer);
        }
    }

    /// After a panic: each work alone, so that only the one that causes it is refused.
    fn one_by_one(&mut self, works: &[&Work]) -> Vec<Result<Answer, Error>> {
        tracing::error!(works = works.len(), "a batch panicked; its works are tried one by one");
        self.connection = None;
        works
            .iter()
            .map(|work| {
                let answer = catch_unwind(AssertUnwindSafe(|| self.attempt(&[work]).pop()));
                answer.ok().flatten().unwrap_or_else(|| {
                    self.connection = None;
                    Err(Error::Internal)
                })
            })
            .collect()
    }

    /// The batch in one transaction; again if the connection was lost before anything was committed.
    fn attempt(&mut self, works: &[&Work]) -> Vec<Result<Answer, Error>> {
        for attempt in 1..=ATTEMPTS_MAX {
            match self.transact(works) {
                Ok(answers) => return answers,
                Err(error) if error.is_disconnected() && attempt < ATTEMPTS_MAX => {
                    tracing::warn!(%error, "the connection was lost before the commit; trying again");
                    self.connection = None;
                }
                Err(error) => {
                    self.connection = None;
                    let error = Error::from(error);
                    return works.iter().map(|_| Err(error.clone())).collect();
                }
            }
        }
        unreachable!("the last attempt returns")
    }

    fn transact(&mut self, works: &[&Work]) -> store::Result<Vec<Result<Answer, Error>>> {
        if self.connection.as_ref().is_none_or(Connection::is_broken) {
            self.connection = Some(Connection::open(&self.url)?);
        }
        let tx = self.connection.as_mut().expect("it was opened just now");
        tx.begin()?;
        let head = store::head::lock(tx)?;
        // When the ledger has doubled, plans made for the smaller one are due.
        if head.event_number.0 >= self.planned_at.saturating_mul(2) {
            tx.forget_plans()?;
            self.planned_at = head.event_number.0.max(PLAN_AGAIN_AT);
        }
        let mut press = Press { clock: &self.clock, rules: &self.rules, random: &mut self.random };
        let done = catch_unwind(AssertUnwindSafe(|| press.batch(tx, head, works)));
        let batch = match done {
            Ok(Ok(batch)) => batch,
            Ok(Err(error)) => {
                // The first error is the one to tell.
                let _: store::Result<()> = tx.rollback();
                return Err(error);
            }
            Err(panic) => {
                let _: store::Result<()> = tx.rollback();
                std::panic::resume_unwind(panic);
            }
        };
        let committing = Instant::now();
        let committed = tx.commit();
        self.measurements.commit(committing.elapsed());
        // Whatever became of it, to look a token up again is safe.
        if !batch.revoked.is_empty() {
            self.sign_ins.forget(|known| batch.revoked.contains(&known.user_id));
        }
        self.batch_at = Some(batch.now);
        match committed {
            Ok(()) => {
                for rejected in &batch.rejected {
                    self.measurements.rejected(rejected);
                }
                Ok(batch.answers)
            }
            Err(error) if error.is_outcome_unknown() => Ok(self.ask_what_became_of(batch)),
            Err(error) => Err(error),
        }
    }

    /// The connection was lost during COMMIT: the log itself says whether the batch is in it.
    fn ask_what_became_of(&mut self, batch: Batch) -> Vec<Result<Answer, Error>> {
        tracing::warn!("the connection was lost during a commit; asking what became of it");
        self.connection = None;
        // What was refused is refused either way: nothing of it was in the batch.
        let all = |error: Error| {
            let told = |answer: &Result<Answer, Error>| match answer {
                Err(refusal) => Err(refusal.clone()),
                Ok(_) => Err(error.clone()),
            };
            batch.answers.iter().map(told).collect()
        };
        let Some((number, leaf)) = batch.last else { return all(Error::OutcomeUnknown) };
        for _ in 0..RECONNECTS_MAX {
            let found = Connection::open(&self.url).and_then(|mut connection| {
                let found = settled_leaf(&mut connection, number)?;
                self.connection = Some(connection);
                Ok(found)
            });
            match found {
                Ok(found) if found == Some(leaf) => return batch.answers,
                Ok(_) => return all(Error::Unavailable),
                Err(error) => tracing::warn!(%error, "the database is still out of reach"),
            }
            std::thread::sleep(RECONNECT_AFTER);
        }
        all(Error::OutcomeUnknown)
    }
}

/// The leaf of an event once the transaction that may have written it is over: taking the head's lock waits for it.
fn settled_leaf(connection: &mut Connection, number: EventNumber) -> store::Result<Option<Hash>> {
    connection.transaction(|tx| {
        store::head::lock(tx)?;
        store::event::leaf(tx, number)
    })
}

/// What one batch needs beside the database.
struct Press<'w> {
    clock: &'w Clock,
    rules: &'w Rules,
    random: &'w mut StdRng,
}

/// A command that changes something.
struct Decided<'w> {
    act: &'w Act,
    id: domain::ActionId,
    /// The account that it starts from.
    source: Option<domain::AccountId>,
    changes: Changes,
}

/// What the works of a batch leave to be written.
struct Ledger {
    head: Head,
    now: Timestamp,
    actions: Vec<ActionRow>,
    events: Vec<EventRow>,
    jobs: BTreeMap<JobId, Job>,
    rejected: Vec<NewRejected>,
    is_head_changed: bool,
}

impl Ledger {
    /// The answer to what leaves nothing to tell.
    fn beside(&self) -> Answer {
        Answer { event_number: self.head.event_number, done: Done::Beside }
    }
}

impl Press<'_> {
    fn batch(&mut self, tx: &mut Connection, head: Head, works: &[&Work]) -> store::Result<Batch> {
        let now = self.clock.now().max(head.recorded_at);
        let mut state = load(tx, &head, now, works)?;
        let first_event = head.event_number;
        let jobs = load_jobs(tx, works)?;
        let (actions, events, rejected) = (Vec::new(), Vec::new(), Vec::new());
        let mut ledger = Ledger { head, now, actions, events, jobs, rejected, is_head_changed: false };
        let mut records = Records::load(tx, works, now)?;
        let mut answers = Vec::with_capacity(works.len());
        let mut done = Vec::new();
        for (index, work) in works.iter().enumerate() {
            if let Some(answer) = records.recall(index, work.ticket()) {
                answers.push(answer);
                continue;
            }
            let answer = match work {
                Work::Act(act) => decide_one(&mut ledger, &mut state, &mut done, act, self.rules),
                Work::Beside(Beside::KeepAnswer(keep)) => records.keep(keep).map(|()| ledger.beside()),
                Work::Beside(beside) => beside_ledger(tx, &mut ledger, beside)?,
            };
            records.note(work.ticket(), &answer);
            answers.push(answer);
        }
        // The one thing that needs no database is done beside it: on a large batch another core seals meanwhile.
        let is_large = done.iter().map(|done| done.changes.len()).sum::<usize>() >= SEAL_ASIDE_MIN;
        std::thread::scope(|scope| -> store::Result<()> {
            let mut seal = || self.seal_all(&mut ledger, &done);
            if is_large {
                let aside = scope.spawn(seal);
                store::batch::write_rows(tx, &state)?;
                aside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            } else {
                seal();
                store::batch::write_rows(tx, &state)?;
            }
            Ok(())
        })?;
        store::batch::write_log(tx, &ledger.actions, &ledger.events)?;
        if !ledger.rejected.is_empty() {
            store::rejected_action::insert(tx, &ledger.rejected)?;
        }
        for job in ledger.jobs.values() {
            store::job::update(tx, job)?;
        }
        if ledger.is_head_changed {
            ledger.head.next = state.next;
            store::head::save(tx, &ledger.head)?;
        }
        let last = (ledger.head.event_number > first_event).then_some((ledger.head.event_number, ledger.head.leaf));
        let mut revoked: Vec<UserId> = state.written.others.iter().filter_map(Change::revokes).collect();
        revoked.extend(works.iter().filter_map(|work| match work {
            Work::Beside(Beside::ChangePassword { user, .. }) => Some(*user),
            Work::Act(_) | Work::Beside(_) => None,
        }));
        let reached = ledger.head.event_number;
        for (index, answer) in answers.iter_mut().enumerate() {
            if let Ok(answer) = answer
                && !records.is_recalled(index)
            {
                answer.event_number = reached;
            }
        }
        records.save(tx, reached)?;
        Ok(Batch { answers, last, revoked, rejected: ledger.rejected, now })
    }

    fn seal_all(&mut self, ledger: &mut Ledger, done: &[Decided<'_>]) {
        for decided in done {
            self.seal(ledger, decided);
        }
    }

    /// Numbers the events of an action, chains them and grows the tree.
    fn seal(&mut self, ledger: &mut Ledger, decided: &Decided<'_>) {
        let Decided { act, id, source, ref changes } = *decided;
        ledger.is_head_changed = true;
        ledger.head.recorded_at = ledger.now;
        let salt = self.salt();
        let requested_at = act.requested_at.min(ledger.now);
        let (kind, actor) = (act.command.kind_of_action(changes), act.actor.code());
        let sealed = SealedAction { id, kind, actor, requested_at, salt: &salt, request: &act.request };
        let action_hash = seal::action_hash(&sealed);
        let first_event = ledger.head.event_number.next();
        for change in changes {
            let salt = self.salt();
            let body = event::body_of(change, &salt);
            let number = ledger.head.event_number.next();
            let leaf = seal::leaf_hash(&Entry {
                number,
                recorded_at: ledger.now,
                action_id: id,
                action_hash: &action_hash,
                entity: byte(body.entity.code()),
                entity_id: body.entity_id,
                event_type: byte(body.event_type.code()),
                salt: &salt,
                before: &body.before,
                after: &body.after,
                previous: &ledger.head.leaf,
            });
            ledger.head.event_number = number;
            ledger.head.leaf = leaf;
            ledger.head.frontier.append(leaf);
            ledger.events.push(EventRow { number, recorded_at: ledger.now, action_id: id, body, salt, leaf });
        }
        ledger.actions.push(ActionRow {
            id,
            kind,
            actor,
            account_id: source,
            other_account_id: action::other_of(&act.command, changes),
            requested_at,
            completed_at: ledger.now,
            request: act.request.clone(),
            salt,
            hash: action_hash,
            first_event,
            last_event: ledger.head.event_number,
        });
    }

    fn salt(&mut self) -> Salt {
        let mut salt = [0; 16];
        self.random.fill_bytes(&mut salt);
        salt
    }
}

/// Decides one command; what it changes is in `state` afterwards and in `done`, to be sealed.
fn decide_one<'w>(
    ledger: &mut Ledger,
    state: &mut State,
    done: &mut Vec<Decided<'w>>,
    act: &'w Act,
    rules: &Rules,
) -> Result<Answer, Error> {
    if let Some(step) = &act.step {
        let job = ledger.jobs.get(&step.job);
        let is_here = job.is_some_and(|job| job.state == JobState::Running && job.position == step.position);
        if !is_here {
            return Err(Refusal::JobMoved.into());
        }
    }
    let decided = decide(state, act.actor, &act.command, ledger.now, rules);
    let (changes, outcome) = decided.inspect_err(|refusal| {
        ledger.rejected.extend(action::kept_of(act, account_of(&act.command, state), refusal, state, ledger.now));
    })?;
    if let Outcome::Ran { done: Err(refusal), .. } = &outcome {
        ledger.rejected.extend(action::kept_of_run(act, refusal, ledger.now));
    }
    let mut action_id = None;
    if !changes.is_empty() {
        let id = state.next.action;
        let source = account_of(&act.command, state);
        state.apply(id, &changes);
        state.next.action = id.next();
        action_id = Some(id);
        done.push(Decided { act, id, source, changes });
    }
    if let Some(step) = &act.step {
        advance(ledger, step, &outcome);
    }
    let requested_at = act.requested_at.min(ledger.now);
    let done = Done::Acted { action_id, requested_at, completed_at: ledger.now, outcome };
    Ok(Answer { event_number: ledger.head.event_number, done })
}

fn byte(code: i64) -> u8 {
    u8::try_from(code).expect("codes of entities and event types are small")
}

/// The account that an action starts from.
fn account_of(command: &Command, state: &State) -> Option<domain::AccountId> {
    let of_device = |id| state.devices.get(&id).map(|device| device.account_id);
    match command {
        Command::Bundles(action) => Some(action.source),
        Command::UpdateWhitelist(update) => Some(update.account_id),
        Command::CreateDevice(device) => Some(device.account_id),
        Command::PlaceOrder(terms) => Some(terms.source),
        Command::RunOrder(run) => Some(run.terms.source),
        Command::UpdateAccount(update) => Some(update.account_id),
        Command::DeleteAccount(id) => Some(*id),
        Command::CreateScr(new) => of_device(new.device_id),
        Command::CreateSdr(new) => of_device(new.device_id),
        Command::WithdrawScr(id) => of_device(state.storage.scrs.get(id)?.device_id),
        Command::WithdrawSdr(id) | Command::IssueSdgc(id) => of_device(state.storage.sdrs.get(id)?.device_id),
        Command::CreateUser(_)
        | Command::UpdateUser(_)
        | Command::ChangeRole(_)
        | Command::DeleteUser(_)
        | Command::CreateOrganisation(_)
        | Command::UpdateOrganisation(_)
        | Command::DeleteOrganisation(_)
        | Command::CreateAccount(_)
        | Command::UpdateDevice(_)
        | Command::ApproveDevice(_)
        | Command::DeleteDevice(_)
        | Command::CreateMetadata(_)
        | Command::SubmitReadings(_)
        | Command::UpdateMeasurement(_)
        | Command::DeleteMeasurement(_)
        | Command::ReleaseHold { .. }
        | Command::Issue(_)
        | Command::CreateBundle(_)
        | Command::ImportSeed(_)
        | Command::EndOrder(_)
        | Command::PauseOrder(_)
        | Command::ResumeOrder(_)
        | Command::Expire(_) => None,
    }
}

fn acts<'w>(works: &'w [&'w Work]) -> impl Iterator<Item = &'w Act> + Clone {
    works.iter().filter_map(|work| match work {
        Work::Act(act) => Some(act),
        Work::Beside(_) => None,
    })
}

fn load(tx: &mut Connection, head: &Head, now: Timestamp, works: &[&Work]) -> store::Result<State> {
    let mut state = store::batch::load(tx, head.next, acts(works).map(|act| (act.actor, &act.command)))?;
    store::batch::load_apart(tx, &mut state, now, acts(works).map(|act| &act.command))?;
    Ok(state)
}
