//! `Idempotency-Key`: a change that is asked again is answered again and not carried out again.
//!
//! | when | what |
//! | --- | --- |
//! | before the use case | [`Registry::enter`]: a key that is in flight in this process is refused, and may be waited for by [`Registry::in_flight`]; [`Registry::kept`]: what is on record |
//! | in the transaction of the change | what it came to goes on record under the caller's [`Ticket`]; if it is there already, that is the answer and nothing is decided |
//! | after the answer was made | [`Registry::keep`]: it is put beside the outcome, refusals by a rule too |
//!
//! If the process ends in between, the outcome on record has the use case make the same answer again. Invariant: under one
//! key a change is carried out once within [`KEPT_FOR`], whichever processes it is asked of. A use case makes one change: a
//! second one under the same ticket has no ticket. Works without a ticket cost nothing here.

use crate::work::{Answer, Beside, Work};
use crate::{Caller, Error, Registry};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use store::Connection;
use store::idempotency::{Record, known};
use tokio::sync::watch;

pub use store::idempotency::KeptAnswer;

/// How long an answer is kept.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// The longest key, in characters.
pub const KEY_CHARS_MAX: usize = 255;
/// Answers above so many bytes are not kept but made again from the outcome on record.
pub const KEPT_ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Under what a change goes on record.
#[derive(Debug)]
pub struct Ticket {
    place: String,
    request_hash: [u8; 32],
    /// Whether a change was queued with it.
    is_used: AtomicBool,
    /// Whether what that change came to is on record.
    is_recorded: AtomicBool,
}

impl Ticket {
    pub(crate) fn take(ticket: Option<&Arc<Self>>) -> Option<Arc<Self>> {
        ticket.filter(|ticket| !ticket.is_used.swap(true, Ordering::Relaxed)).cloned()
    }

    pub fn is_recorded(&self) -> bool {
        self.is_recorded.load(Ordering::Relaxed)
    }
}

/// The keys that are in flight in this process, by place. Whoever waits for one hears its sender end with it.
pub(crate) type InFlight = Arc<Mutex<HashMap<String, watch::Sender<()>>>>;

/// A key that is in flight; until it is dropped, nobody else gets it in this process.
#[derive(Debug)]
pub struct Entered {
    place: String,
    in_flight: InFlight,
}

impl Entered {
    /// For a caller whose request has this hash; see [`RequestHash`].
    pub fn ticket(&self, request_hash: [u8; 32]) -> Arc<Ticket> {
        let (is_used, is_recorded) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Ticket { place: self.place.clone(), request_hash, is_used, is_recorded })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

/// What is on record under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub request_hash: [u8; 32],
    /// `None` if only the outcome is on record.
    pub answer: Option<KeptAnswer>,
}

/// The hash of a request in pieces: first its query string, then its body.
pub struct RequestHash(Sha256);

impl RequestHash {
    pub fn new(query: Option<&str>) -> Self {
        let mut hash = Sha256::new();
        let query = query.unwrap_or_default();
        hash.update(u64::try_from(query.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(query.as_bytes());
        Self(hash)
    }

    pub fn body(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// An answer that is to be kept.
#[derive(Clone, Debug)]
pub(crate) struct KeepAnswer {
    place: String,
    request_hash: [u8; 32],
    /// Whether it was made of the outcome on record.
    is_recorded: bool,
    answer: KeptAnswer,
}

impl Registry {
    /// Takes a key for one request of a caller. Keys are apart by user, method and path.
    ///
    /// # Errors
    /// [`Error::KeyInFlight`] while another request has it.
    pub fn enter(&self, caller: &Caller, method: &str, path: &str, key: &str) -> Result<Entered, Error> {
        let place = place_of(caller.user_id.0, method, path, key);
        let in_flight = self.0.in_flight.clone();
        match in_flight.lock().unwrap_or_else(PoisonError::into_inner).entry(place.clone()) {
            Entry::Occupied(_) => return Err(Error::KeyInFlight),
            Entry::Vacant(free) => drop(free.insert(watch::Sender::default())),
        }
        Ok(Entered { place, in_flight })
    }

    /// Hears nothing until the request that has this key now is answered, and then that its sender is gone. `None` if no
    /// request of this process has it.
    pub fn in_flight(&self, caller: &Caller, method: &str, path: &str, key: &str) -> Option<watch::Receiver<()>> {
        let place = place_of(caller.user_id.0, method, path, key);
        let in_flight = self.0.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        in_flight.get(&place).map(watch::Sender::subscribe)
    }

    /// What is on record under a key and has not expired. Blocks.
    pub fn kept(&self, entered: &Entered) -> Result<Option<Kept>, Error> {
        let since = kept_since(self.now());
        let found = self.read_primary(|connection| store::idempotency::find(connection, &entered.place))?;
        let found = found.filter(|record| record.created_at > since);
        Ok(found.map(|record| Kept { request_hash: record.request_hash, answer: record.answer }))
    }

    /// Keeps an answer beside the outcome that it was made of, or alone where nothing was changed. Blocks.
    ///
    /// # Errors
    /// [`Error::KeyInFlight`], [`Error::KeyReused`]: another process had the key at the same time and has something else on
    /// record. The answer must then not go out, unless it was made of the outcome on record.
    pub fn keep(
        &self,
        entered: &Entered,
        request_hash: [u8; 32],
        ticket: Option<&Ticket>,
        answer: KeptAnswer,
    ) -> Result<(), Error> {
        let is_recorded = ticket.is_some_and(Ticket::is_recorded);
        let keep = KeepAnswer { place: entered.place.clone(), request_hash, is_recorded, answer };
        self.queue_waiting(Work::Beside(Beside::KeepAnswer(keep)))?.wait().map(drop)
    }

    /// What a change under this ticket came to, if it was carried out before. For use cases that look at more than the
    /// ledger before they queue anything. Blocks.
    pub(crate) fn recorded(&self, ticket: &Ticket) -> Result<Option<Answer>, Error> {
        let found = self.read_primary(|connection| store::idempotency::find(connection, &ticket.place))?;
        let since = kept_since(self.now());
        let found = found.filter(|record| record.created_at > since && record.request_hash == ticket.request_hash);
        let answer = found.and_then(|record| record.outcome).map(|outcome| read(&outcome)).transpose()?;
        ticket.is_recorded.store(answer.is_some(), Ordering::Relaxed);
        Ok(answer)
    }
}

/// One hash of all that keeps keys apart. Hexadecimal, because sets of texts can be looked up in one statement.
fn place_of(user: i64, method: &str, path: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(user.to_be_bytes());
    // None of the parts holds the byte that separates them.
    for part in [method, path, key] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let bytes: [u8; 32] = hash.finalize().into();
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

/// What is from then or before has expired.
fn kept_since(now: Timestamp) -> Timestamp {
    now.checked_sub(KEPT_FOR).unwrap_or(Timestamp::MIN)
}

fn read(outcome: &str) -> Result<Answer, Error> {
    serde_json::from_str(outcome).map_err(|error| {
        tracing::error!(%error, "an outcome on record cannot be read");
        Error::Internal
    })
}

/// What is on record under the keys that the works of one batch carry.
pub(crate) struct Records {
    now: Timestamp,
    places: BTreeMap<String, Known>,
    /// Which works of the batch were answered from the record, by their place in it.
    recalled: Vec<usize>,
}

struct Known {
    request_hash: [u8; 32],
    outcome: Option<Outcome>,
    has_answer: bool,
    written: Written,
}

enum Outcome {
    Known(String),
    /// Of this batch: its event number is known at the end.
    New(Answer),
}

/// What is to be written of an entry.
enum Written {
    Already,
    Whole(Option<KeptAnswer>),
    Answer(KeptAnswer),
}

impl Records {
    /// Looks up the keys of a batch; asks nothing if there are none.
    pub(crate) fn load(tx: &mut Connection, works: &[&Work], now: Timestamp) -> store::Result<Self> {
        let mut places: Vec<String> = works.iter().filter_map(|work| work.place().map(str::to_owned)).collect();
        let mut records = Self { now, places: BTreeMap::new(), recalled: Vec::new() };
        if places.is_empty() {
            return Ok(records);
        }
        places.sort_unstable();
        places.dedup();
        let since = kept_since(now);
        for known in known(tx, &places)?.into_iter().filter(|known| known.created_at > since) {
            let outcome = known.outcome.map(Outcome::Known);
            let (request_hash, has_answer) = (known.request_hash, known.has_answer);
            records.places.insert(known.place, Known { request_hash, outcome, has_answer, written: Written::Already });
        }
        Ok(records)
    }

    /// The answer to the work at `index` of the batch if the record has one. `None`: it is to be carried out.
    pub(crate) fn recall(&mut self, index: usize, ticket: Option<&Arc<Ticket>>) -> Option<Result<Answer, Error>> {
        let ticket = ticket?;
        let entry = self.places.get(&ticket.place)?;
        if entry.request_hash != ticket.request_hash {
            return Some(Err(Error::KeyReused));
        }
        let answer = match &entry.outcome {
            Some(Outcome::Known(outcome)) => {
                self.recalled.push(index);
                read(outcome)
            }
            Some(Outcome::New(answer)) => Ok(answer.clone()),
            // Another process has answered without a change, a refusal perhaps.
            None => return Some(Err(Error::KeyInFlight)),
        };
        ticket.is_recorded.store(answer.is_ok(), Ordering::Relaxed);
        Some(answer)
    }

    /// Notes what a work with this ticket came to. What was refused changed nothing and leaves no outcome.
    pub(crate) fn note(&mut self, ticket: Option<&Arc<Ticket>>, answer: &Result<Answer, Error>) {
        let Some(ticket) = ticket else { return };
        ticket.is_recorded.store(answer.is_ok(), Ordering::Relaxed);
        let Ok(answer) = answer else { return };
        let entry = Known {
            request_hash: ticket.request_hash,
            outcome: Some(Outcome::New(answer.clone())),
            has_answer: false,
            written: Written::Whole(None),
        };
        self.places.insert(ticket.place.clone(), entry);
    }

    /// Puts an answer beside what is on record.
    pub(crate) fn keep(&mut self, keep: &KeepAnswer) -> Result<(), Error> {
        let Some(entry) = self.places.get_mut(&keep.place) else {
            let entry = Known {
                request_hash: keep.request_hash,
                outcome: None,
                has_answer: true,
                written: Written::Whole(Some(keep.answer.clone())),
            };
            self.places.insert(keep.place.clone(), entry);
            return Ok(());
        };
        if entry.request_hash != keep.request_hash {
            return Err(Error::KeyReused);
        }
        if !keep.is_recorded {
            return Err(Error::KeyInFlight);
        }
        if !entry.has_answer {
            entry.has_answer = true;
            entry.written = match entry.written {
                Written::Whole(_) => Written::Whole(Some(keep.answer.clone())),
                Written::Already | Written::Answer(_) => Written::Answer(keep.answer.clone()),
            };
        }
        Ok(())
    }

    /// Whether the work at `index` was answered from the record, with the event number of then.
    pub(crate) fn is_recalled(&self, index: usize) -> bool {
        self.recalled.contains(&index)
    }

    /// Writes what is new, at the event number that the batch reached, and clears away what has expired.
    pub(crate) fn save(self, tx: &mut Connection, reached: domain::EventNumber) -> store::Result<()> {
        let mut is_any_new = false;
        for (place, entry) in self.places {
            match entry.written {
                Written::Already => {}
                Written::Answer(answer) => store::idempotency::set_answer(tx, &place, &answer)?,
                Written::Whole(answer) => {
                    is_any_new = true;
                    let outcome = entry.outcome.and_then(|outcome| match outcome {
                        Outcome::Known(outcome) => Some(outcome),
                        Outcome::New(answer) => written(&Answer { event_number: reached, ..answer }),
                    });
                    let (request_hash, created_at) = (entry.request_hash, self.now);
                    let record = Record { place, request_hash, created_at, outcome, answer };
                    store::idempotency::insert(tx, &record)?;
                }
            }
        }
        if is_any_new { store::idempotency::clear(tx, kept_since(self.now)) } else { Ok(()) }
    }
}

/// `None` for an outcome that has no form on record: only chunks of jobs come to such.
fn written(answer: &Answer) -> Option<String> {
    let text = serde_json::to_string(answer);
    text.inspect_err(|error| tracing::error!(%error, "an outcome cannot be put on record")).ok()
}

impl Work {
    /// The ticket of a work that changes something.
    pub(crate) fn ticket(&self) -> Option<&Arc<Ticket>> {
        match self {
            Self::Act(act) => act.ticket.as_ref(),
            Self::Beside(Beside::CreateJob(new)) => new.ticket.as_ref(),
            Self::Beside(_) => None,
        }
    }

    /// What it is looked up by on record, if it is.
    fn place(&self) -> Option<&str> {
        match self {
            Self::Beside(Beside::KeepAnswer(keep)) => Some(&keep.place),
            work => work.ticket().map(|ticket| ticket.place.as_str()),
        }
    }
}
