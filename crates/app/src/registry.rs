//! The handle of a running registry: its queue, its writer, its readers.

use crate::idempotency::{InFlight, Ticket};
use crate::measure::Measurements;
use crate::work::{Act, Answer, Beside, Done, Pending, Work};
use crate::writer::{Message, QUEUE_WORKS_MAX, Queued, Writer, rehearse};
use crate::{Caller, Clock, Error, Settings, auth::SignIns, job::JobStep};
use domain::{Actor, BundleId, Command, EventNumber, Outcome};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::{Connection, OpenMode, Pool, Url};
use tokio::sync::{oneshot, watch};

/// Readers of one database.
const READERS_MAX: u32 = 8;
/// How long a read waits for a replica to catch up before it asks the primary.
const REPLICA_WAIT: Duration = Duration::from_millis(250);
/// How long a replica that failed is left alone.
const REPLICA_REST: Duration = Duration::from_secs(2);
const REPLICA_LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A registry that is open. Clones share it; the last one to go stops the writer.
#[derive(Clone)]
pub struct Registry(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    queue: SyncSender<Message>,
    is_closing: AtomicBool,
    queued: Arc<AtomicUsize>,
    reached: watch::Sender<EventNumber>,
    pub measurements: Arc<Measurements>,
    primary: Pool,
    replica: Option<Pool>,
    /// After the replica failed: when it is asked again.
    replica_asked_again: Mutex<Option<Instant>>,
    pub settings: Settings,
    pub clock: Clock,
    pub sign_ins: Arc<SignIns>,
    pub in_flight: InFlight,
    pub attributes: crate::certificate::AttributesCache,
    pub jobs: Mutex<Vec<JoinHandle<()>>>,
    /// By the names of their threads; dropped to stop what is done by itself.
    pub timed_stops: Mutex<BTreeMap<&'static str, std::sync::mpsc::Sender<()>>>,
    pub elexon: source::elexon::Elexon,
    threads: Mutex<Threads>,
}

struct Threads {
    writer: Option<JoinHandle<()>>,
    checkpoint: Option<JoinHandle<()>>,
    /// Dropped to stop the checkpoint thread.
    checkpoint_stop: Option<std::sync::mpsc::Sender<()>>,
}

/// Why a registry does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database {url} cannot be opened: {error}")]
    Database { url: Url, error: store::Error },
    #[error("the schema of {url} cannot be brought up to date: {error}")]
    Schema { url: Url, error: store::Error },
    #[error("the replica {url} cannot be opened: {error}")]
    Replica { url: Url, error: store::Error },
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// What a load balancer and an operator want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    pub event_number: EventNumber,
    /// Works waiting or being carried out.
    pub queued: usize,
}

impl Registry {
    /// Opens the database, brings its schema up to date, starts the writer and resumes what was left running.
    ///
    /// # Errors
    /// [`OpenError`], naming what is out of reach. Blocks; not to be called on an async runtime.
    pub fn open(settings: Settings, clock: Clock) -> Result<Self, OpenError> {
        let url = settings.database.clone();
        let database = |error| OpenError::Database { url: url.clone(), error };
        let mut connection = Connection::open(&url).map_err(database)?;
        let schema = |error| OpenError::Schema { url: url.clone(), error };
        connection.migrate(store::MIGRATIONS).map_err(schema)?;
        store::expiry::begin(&mut connection, settings.rules.expiry_years).map_err(database)?;
        let primary = Pool::open(&url, READERS_MAX).map_err(database)?;
        let replica = settings
            .read_database
            .as_ref()
            .map(|url| Pool::open(url, READERS_MAX).map_err(|error| OpenError::Replica { url: url.clone(), error }));
        let (queue, messages) = sync_channel(QUEUE_WORKS_MAX);
        let (checkpoint_stop, stopped) = std::sync::mpsc::channel();
        let (restart_log, queued) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let sign_ins = Arc::new(SignIns::default());
        let reached = watch::Sender::new(store::head::event_number(&mut connection).map_err(database)?);
        let measurements = Arc::new(Measurements::default());
        let writer = Writer {
            url: url.clone(),
            clock: clock.clone(),
            rules: settings.rules,
            random: rand::make_rng(),
            connection: Some(connection),
            planned_at: 0,
            restart_log: restart_log.clone(),
            queued: queued.clone(),
            sign_ins: sign_ins.clone(),
            reached: reached.clone(),
            measurements: measurements.clone(),
            batch_at: None,
            tidied_next: Instant::now(),
        };
        let writer = std::thread::Builder::new().name("writer".to_owned()).spawn(move || writer.run(&messages))?;
        let threads = Threads {
            writer: Some(writer),
            checkpoint: crate::checkpoint::start(&url, restart_log, stopped),
            checkpoint_stop: Some(checkpoint_stop),
        };
        let elexon = source::elexon::Elexon::new(settings.elexon.clone());
        let registry = Self(Arc::new(Inner {
            queue,
            is_closing: AtomicBool::new(false),
            queued,
            reached,
            measurements,
            primary,
            replica: replica.transpose()?,
            replica_asked_again: Mutex::new(None),
            settings,
            clock,
            sign_ins,
            in_flight: InFlight::default(),
            attributes: crate::certificate::AttributesCache::default(),
            jobs: Mutex::new(Vec::new()),
            timed_stops: Mutex::new(BTreeMap::new()),
            elexon,
            threads: Mutex::new(threads),
        }));
        registry.resume_jobs();
        Ok(registry)
    }

    /// Refuses new work, finishes what is queued, and stops. Jobs stop after the chunk they are at and go on at the next
    /// start. Blocks; not to be called on an async runtime.
    pub fn close(&self) {
        self.0.close();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.0.is_closing.load(Ordering::Relaxed)
    }

    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Whether the database answers, and how much is waiting.
    pub fn health(&self) -> Result<Health, Error> {
        let event_number = self.read_primary(store::head::event_number)?;
        Ok(Health { event_number, queued: self.queued() })
    }

    /// Works waiting or being carried out.
    pub(crate) fn queued(&self) -> usize {
        self.0.queued.load(Ordering::Relaxed)
    }

    /// The last event that this process has committed, and a way to wait for the next. Other processes on the same
    /// database commit too: who must not miss theirs looks from time to time.
    pub fn reached(&self) -> watch::Receiver<EventNumber> {
        self.0.reached.subscribe()
    }

    // ── Changes ─────────────────────────────────────────────────────────────

    /// Queues a command of a caller. `request` is what was asked, as JSON: it is kept with the action and sealed.
    ///
    /// # Errors
    /// [`Error::Busy`] if the queue is full, [`Error::Unavailable`] if the registry is closing.
    pub fn submit(&self, caller: &Caller, command: Command, request: String) -> Result<Pending, Error> {
        let ticket = Ticket::take(caller.ticket.as_ref());
        self.queue(self.act(Actor::User(caller.user_id), command, request, None).with(ticket))
    }

    /// As [`submit`](Self::submit), for the operator at the console too.
    pub fn submit_as(&self, actor: Actor, command: Command, request: String) -> Result<Pending, Error> {
        self.queue(self.act(actor, command, request, None))
    }

    pub(crate) fn act(&self, actor: Actor, command: Command, request: String, step: Option<JobStep>) -> Work {
        Work::Act(Act { actor, command, request, requested_at: self.now(), step, ticket: None })
    }

    pub(crate) fn queue(&self, work: Work) -> Result<Pending, Error> {
        let (reply, pending) = oneshot::channel();
        if self.is_closing() {
            return Err(Error::Unavailable);
        }
        self.0.queued.fetch_add(1, Ordering::Relaxed);
        let sent = self.0.queue.try_send(Message::Do(Queued { work, reply }));
        sent.map_err(|refused| {
            self.0.queued.fetch_sub(1, Ordering::Relaxed);
            match refused {
                TrySendError::Full(_) => Error::Busy,
                TrySendError::Disconnected(_) => Error::Unavailable,
            }
        })?;
        Ok(Pending(pending))
    }

    /// As [`queue`](Self::queue), waiting for a place in the queue: for jobs, which have time.
    pub(crate) fn queue_waiting(&self, work: Work) -> Result<Pending, Error> {
        let (reply, pending) = oneshot::channel();
        if self.is_closing() {
            return Err(Error::Unavailable);
        }
        self.0.queued.fetch_add(1, Ordering::Relaxed);
        let sent = self.0.queue.send(Message::Do(Queued { work, reply }));
        sent.map_err(|_| {
            self.0.queued.fetch_sub(1, Ordering::Relaxed);
            Error::Unavailable
        })?;
        Ok(Pending(pending))
    }

    pub(crate) fn beside(&self, beside: Beside) -> Result<Pending, Error> {
        self.queue(Work::Beside(beside))
    }

    /// What `command` would do now. Nothing is changed, not even for the commands behind it; ids of what would be made are
    /// at or above the returned one and mean nothing.
    pub fn dry_run(&self, caller: &Caller, command: &Command) -> Result<(Answer, BundleId), Error> {
        self.dry_run_as(Actor::User(caller.user_id), command)
    }

    pub fn dry_run_as(&self, actor: Actor, command: &Command) -> Result<(Answer, BundleId), Error> {
        let (now, rules) = (self.now(), &self.0.settings.rules);
        let found = self.read_primary(|c| c.snapshot(|tx| rehearse(tx, actor, command, now, rules)))?;
        let done =
            Done::Acted { action_id: None, requested_at: now, completed_at: found.now, outcome: found.decision? };
        Ok((Answer { event_number: found.event_number, done }, found.next_bundle))
    }

    // ── Reads ───────────────────────────────────────────────────────────────

    /// Reads from the replica if there is one, never an older state than `fresh` asks for: a replica that has not got
    /// there is given a moment, then the primary is asked. It is also asked when the replica fails, be it gone or so far
    /// behind that it does not have the tables yet. Blocks.
    pub(crate) fn read<T>(
        &self,
        fresh: Option<EventNumber>,
        mut work: impl FnMut(&mut Connection) -> store::Result<T>,
    ) -> Result<T, Error> {
        let Some(replica) = self.0.replica.as_ref().filter(|_| !self.0.replica_rests()) else {
            return self.read_primary(work);
        };
        let found = replica.with(|connection| -> store::Result<Option<T>> {
            if is_as_fresh(connection, fresh)? { work(connection).map(Some) } else { Ok(None) }
        });
        match found {
            Ok(Some(found)) => Ok(found),
            Ok(None) => self.read_primary(work),
            // What took too long would take too long there as well.
            Err(error) if !error.is_timed_out() => {
                tracing::warn!(%error, "the replica does not answer; reading from the primary for a while");
                *self.0.replica_asked_again.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Instant::now() + REPLICA_REST);
                self.read_primary(work)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A connection of its own for a read that may take long; of the replica if there is one that answers and is as fresh
    /// as asked. Blocks.
    pub(crate) fn long_reader(&self, fresh: Option<EventNumber>) -> store::Result<Connection> {
        let settings = self.settings();
        if let Some(url) = settings.read_database.as_ref().filter(|_| !self.0.replica_rests()) {
            let found = Connection::open_as(url, OpenMode::LongReader)
                .and_then(|mut connection| Ok(is_as_fresh(&mut connection, fresh)?.then_some(connection)));
            match found {
                Ok(Some(connection)) => return Ok(connection),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the replica does not answer; reading from the primary"),
            }
        }
        Connection::open_as(&settings.database, OpenMode::LongReader)
    }

    /// How far the replica is behind, in events; `None` without one, or while it does not answer.
    pub(crate) fn replica_lag(&self, primary: EventNumber) -> Option<i64> {
        let replica = self.0.replica.as_ref().filter(|_| !self.0.replica_rests())?;
        let reached = replica.with(store::head::event_number).ok()?;
        Some(primary.0.saturating_sub(reached.0).max(0))
    }

    pub(crate) fn has_replica(&self) -> bool {
        self.0.replica.is_some()
    }

    pub(crate) fn read_primary<T>(&self, work: impl FnOnce(&mut Connection) -> store::Result<T>) -> Result<T, Error> {
        self.0.primary.with(work).map_err(Error::from)
    }
}

/// Whether the replica has reached `fresh`, after waiting a moment for it.
fn is_as_fresh(connection: &mut Connection, fresh: Option<EventNumber>) -> store::Result<bool> {
    let Some(fresh) = fresh else { return Ok(true) };
    let until = Instant::now() + REPLICA_WAIT;
    loop {
        if store::head::event_number(connection)? >= fresh {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        std::thread::sleep(REPLICA_LOOK_AGAIN);
    }
}

impl Inner {
    /// Whether the replica failed a moment ago, so that not every read waits for it in vain.
    fn replica_rests(&self) -> bool {
        let again = *self.replica_asked_again.lock().unwrap_or_else(PoisonError::into_inner);
        again.is_some_and(|again| Instant::now() < again)
    }

    fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.timed_stops.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let jobs = std::mem::take(&mut *self.jobs.lock().unwrap_or_else(PoisonError::into_inner));
        for job in jobs {
            if job.thread().id() != std::thread::current().id() {
                let _: Result<(), _> = job.join();
            }
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = threads.writer.take() {
            // Behind everything that was queued before.
            let _: Result<(), _> = self.queue.send(Message::Stop);
            if writer.join().is_err() {
                tracing::error!("the writer panicked");
            }
        }
        threads.checkpoint_stop = None;
        if let Some(checkpoint) = threads.checkpoint.take() {
            let _: Result<(), _> = checkpoint.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Answer {
    /// The outcome of a command that was carried out.
    ///
    /// # Panics
    /// If the answer is not a command's: the caller queued something else.
    pub fn outcome(self) -> Outcome {
        match self.done {
            Done::Acted { outcome, .. } => outcome,
            Done::Job(_) | Done::Key(_) | Done::Beside => unreachable!("a command answers with its outcome"),
        }
    }
}
