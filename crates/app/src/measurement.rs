//! Readings are submitted: read as a stream, cut into chunks, each chunk one action. While one is written the next is read.
//!
//! More than one chunk makes a job, so that what was taken is on record if the input ends early.

mod coverage;
mod history;
mod view;

pub use coverage::{Coverage, CoveredHour, DayCoverage};
pub use history::{INTERVAL_BUNDLES_MAX, IssuedBundle, ReadingHistory};
pub use view::{MeasurementPage, MeasurementQuery, MeasurementView};

use crate::idempotency::Ticket;
use crate::import::{Format, InputFault, RowFault, Rows, Written, ZoneOfTimes};
use crate::job::{JobStep, NewJob, Progress};
use crate::work::{Beside, Done, Pending};
use crate::{Caller, Error, Registry};
use domain::action::{MeasurementUpdate, ReadingsOutcome, StatedPlace, SubmitReadings};
use domain::time::hour_of;
use domain::{
    Actor, Capability, Command, DeviceId, EventNumber, Interval, JobId, MeasurementId, Outcome, Quality, Reading,
    ReadingRefusal, ReadingSource, Refusal, Role, UserId,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Read;
use std::sync::Arc;
use store::job::{JobKind, JobState};

/// Rows of one chunk, which is one action.
const CHUNK_ROWS: usize = 5_000;
/// Chunks that were queued and not answered yet.
const CHUNKS_IN_FLIGHT: usize = 3;
/// Corrections that were queued and not answered yet.
const CORRECTIONS_IN_FLIGHT: usize = 200;
/// How many rows that were not accepted are listed; the rest is counted.
pub const REJECTED_LISTED_MAX: usize = 10_000;

/// What became of a submission.
#[derive(Clone, Debug, Default)]
pub struct ReadingsReport {
    /// The job that is the record of it, if it was longer than one chunk.
    pub job: Option<JobId>,
    pub rows: u64,
    /// Rows that were new, took the place of earlier values, or stated what was known.
    pub accepted: u64,
    pub corrected: u64,
    pub unchanged: u64,
    pub rejected: Vec<RejectedRow>,
    /// How many rows were not accepted, listed or not.
    pub rejected_total: u64,
    /// The earliest start and the latest end of the rows that stand.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Wh per device, of the rows that stand.
    pub usage: BTreeMap<DeviceId, i128>,
    pub event_number: Option<EventNumber>,
}

/// A row that was not accepted. Rows count from 1, without the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    pub row: u64,
    pub device_id: Option<i64>,
    pub start: Option<Timestamp>,
    pub reason: String,
}

impl Registry {
    /// Submits all readings of `input` on behalf of the caller; `on_rows` hears how many rows were taken. Blocks.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] for who may not state readings. [`Error::BadInput`] and [`Error::ColumnsMissing`] if nothing of the input can be read;
    /// [`Error::Interrupted`] if that showed later, when whole chunks had been taken.
    pub fn submit_readings(
        &self,
        caller: &Caller,
        input: impl Read,
        format: Format,
        zone: &ZoneOfTimes,
    ) -> Result<ReadingsReport, Error> {
        let may = caller.may(Capability::SubmitReadings) || caller.roles.contains(Role::ProductionUser);
        if !may {
            let needs = "the role Registry Administrator, Measurement Body or Production User".to_owned();
            return Err(Refusal::Forbidden { needs }.into());
        }
        let ticket = Ticket::take(caller.ticket.as_ref());
        self.take_readings(Actor::User(caller.user_id), input, format, zone, ticket, &mut |_| ())
    }

    /// As [`submit_readings`](Self::submit_readings), for the operator at the console too.
    pub fn submit_readings_as(
        &self,
        actor: Actor,
        input: impl Read,
        format: Format,
        zone: &ZoneOfTimes,
        on_rows: &mut dyn FnMut(u64),
    ) -> Result<ReadingsReport, Error> {
        self.take_readings(actor, input, format, zone, None, on_rows)
    }

    fn take_readings(
        &self,
        actor: Actor,
        input: impl Read,
        format: Format,
        zone: &ZoneOfTimes,
        ticket: Option<Arc<Ticket>>,
        on_rows: &mut dyn FnMut(u64),
    ) -> Result<ReadingsReport, Error> {
        let mut intake = Intake::new(self, actor);
        intake.ticket = ticket;
        let read = intake.take_all(Written { input, format, zone }, on_rows);
        match read {
            Ok(()) => intake.finish(),
            Err(InputFault::Bad { field, rule }) => Err(intake.give_up(field, rule)),
            Err(InputFault::Missing(columns)) => Err(Error::ColumnsMissing { columns }),
            Err(InputFault::Sink(error)) => {
                intake.end_job(JobState::Failed, &error.to_string());
                Err(error)
            }
        }
    }

    /// Takes what the registry itself fetches, as the operator: a value that differs from an issued one corrects it. The
    /// text says why the source could not be read further; what was taken before stands. `on_report` hears how far it is.
    pub(crate) fn take_fetched(
        &self,
        rows: impl Rows,
        source: ReadingSource,
        on_report: &mut dyn FnMut(&ReadingsReport),
    ) -> Result<(ReadingsReport, Option<String>), Error> {
        let mut intake = Intake::new(self, Actor::Operator);
        intake.source = source;
        intake.is_fetched = true;
        let read = rows.each::<Error>(&mut |row| {
            if intake.take(row)? {
                on_report(&intake.report);
            }
            Ok(())
        });
        let fault = match read {
            Ok(()) => None,
            Err(InputFault::Bad { rule, .. }) => Some(rule),
            Err(InputFault::Missing(columns)) => unreachable!("what is fetched has no columns {columns:?}"),
            Err(InputFault::Sink(error)) => return Err(error),
        };
        Ok((intake.finish()?, fault))
    }
}

#[derive(Default)]
struct Chunk {
    readings: Vec<Reading>,
    /// The number of each row in the input.
    rows: Vec<u64>,
}

/// What the first row of an interval says.
struct Stated {
    energy_wh: i64,
    quality: Quality,
    /// Whether it is among the Wh of the rows that stand.
    is_counted: bool,
}

struct Sent {
    chunk: Chunk,
    pending: Pending,
}

struct Intake<'r> {
    registry: &'r Registry,
    actor: Actor,
    source: ReadingSource,
    /// Whether the registry fetched the rows itself: they make no job of their own, and correct what was issued.
    is_fetched: bool,
    report: ReadingsReport,
    chunk: Chunk,
    in_flight: VecDeque<Sent>,
    /// What the rows say, by device and start in microseconds: rows of one submission do not contradict each other. About
    /// 40 bytes a row, less than the row has as text.
    stated: BTreeMap<DeviceId, BTreeMap<i64, Stated>>,
    /// Chunks sent.
    sent: i64,
    /// Under what a submission of one chunk goes on record. A longer one does nothing twice as it is: its rows are known.
    ticket: Option<Arc<Ticket>>,
}

impl<'r> Intake<'r> {
    fn new(registry: &'r Registry, actor: Actor) -> Self {
        Self {
            registry,
            actor,
            source: ReadingSource::Submitted,
            is_fetched: false,
            report: ReadingsReport::default(),
            chunk: Chunk::default(),
            in_flight: VecDeque::new(),
            stated: BTreeMap::new(),
            sent: 0,
            ticket: None,
        }
    }

    fn take_all(&mut self, rows: impl Rows, on_rows: &mut dyn FnMut(u64)) -> Result<(), InputFault<Error>> {
        rows.each::<Error>(&mut |row| {
            if self.take(row)? {
                on_rows(self.report.rows);
            }
            Ok(())
        })
    }

    /// Takes a row; says whether a chunk was sent.
    fn take(&mut self, row: Result<Reading, RowFault>) -> Result<bool, Error> {
        self.report.rows += 1;
        match row {
            Ok(reading) => {
                if self.chunk.readings.len() == CHUNK_ROWS {
                    // Only now is it clear that there is more than one chunk.
                    self.send(false)?;
                    self.push(reading);
                    return Ok(true);
                }
                self.push(reading);
            }
            Err(fault) => {
                let reason = format!("{} {}", fault.field, fault.rule);
                let row = self.report.rows;
                self.reject(RejectedRow { row, device_id: fault.device_id, start: fault.start, reason });
            }
        }
        Ok(false)
    }

    fn push(&mut self, reading: Reading) {
        let Reading { energy_wh, quality, .. } = reading;
        let stated = self.stated.entry(reading.device_id).or_default();
        let first = stated.entry(reading.interval.start().as_microsecond());
        let first = first.or_insert(Stated { energy_wh, quality, is_counted: false });
        if (first.energy_wh, first.quality) != (energy_wh, quality) {
            let said = format!("{} Wh, {}", first.energy_wh, first.quality.name());
            let reason = format!("contradicts an earlier row of this submission, which says {said}");
            return self.refuse(self.report.rows, &reading, reason);
        }
        self.chunk.readings.push(reading);
        self.chunk.rows.push(self.report.rows);
    }

    fn reject(&mut self, row: RejectedRow) {
        self.report.rejected_total += 1;
        if self.report.rejected.len() < REJECTED_LISTED_MAX {
            self.report.rejected.push(row);
        }
    }

    fn send(&mut self, is_last: bool) -> Result<(), Error> {
        if self.report.job.is_none() && !is_last && !self.is_fetched {
            self.report.job = Some(self.create_job()?);
        }
        while self.in_flight.len() >= CHUNKS_IN_FLIGHT {
            self.hear()?;
        }
        let chunk = std::mem::take(&mut self.chunk);
        let step = self.report.job.map(|job| JobStep {
            job,
            position: self.sent,
            done: self.report.rows,
            total: 0,
            cursor: None,
            is_last,
        });
        let request = serde_json::json!({
            "rows": chunk.readings.len(), "first_row": chunk.rows.first(), "job": self.report.job,
        });
        let submission = SubmitReadings { readings: chunk.readings.clone(), source: self.source };
        let command = Command::SubmitReadings(submission);
        let ticket = self.ticket.take().filter(|_| self.report.job.is_none());
        let work = self.registry.act(self.actor, command, request.to_string(), step).with(ticket);
        let pending = self.registry.queue_waiting(work)?;
        self.in_flight.push_back(Sent { chunk, pending });
        self.sent += 1;
        Ok(())
    }

    fn create_job(&self) -> Result<JobId, Error> {
        let user_id = UserId(self.actor.code());
        let (request, progress) = ("{}".to_owned(), Progress::default());
        let new = NewJob { kind: JobKind::Readings, user_id, request, progress, ticket: None };
        match self.registry.beside(Beside::CreateJob(new))?.wait()?.done {
            Done::Job(id) => Ok(id),
            other => unreachable!("creating a job gave {other:?}"),
        }
    }

    /// Hears what became of the oldest chunk in flight.
    fn hear(&mut self) -> Result<(), Error> {
        let Some(sent) = self.in_flight.pop_front() else { return Ok(()) };
        let answer = sent.pending.wait()?;
        self.report.event_number = Some(answer.event_number);
        match answer.outcome() {
            Outcome::Readings(outcome) => {
                let issued = self.note(&sent.chunk, &outcome);
                self.correct(&issued)
            }
            other => unreachable!("submitting readings gave {other:?}"),
        }
    }

    /// Notes what became of a chunk; gives the rows that differ from issued ones and are to correct them.
    fn note(&mut self, chunk: &Chunk, outcome: &ReadingsOutcome) -> Vec<(u64, Reading)> {
        let mut issued = Vec::new();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.report.accepted += count(outcome.accepted);
        self.report.corrected += count(outcome.corrected);
        self.report.unchanged += count(outcome.unchanged);
        let mut refused = outcome.refused.iter().peekable();
        for (place, (reading, row)) in chunk.readings.iter().zip(&chunk.rows).enumerate() {
            if let Some(refusal) = refused.next_if(|refusal| refusal.place == place) {
                if self.is_fetched && matches!(refusal.refusal, ReadingRefusal::AlreadyIssued { .. }) {
                    issued.push((*row, *reading));
                    continue;
                }
                self.refuse(*row, reading, refusal.refusal.to_string());
                continue;
            }
            self.stands(reading);
        }
        issued
    }

    fn stands(&mut self, reading: &Reading) {
        let (start, end) = (reading.interval.start(), reading.interval.end());
        let (first, last) = (&mut self.report.first, &mut self.report.last);
        *first = Some(first.map_or(start, |known| known.min(start)));
        *last = Some(last.map_or(end, |known| known.max(end)));
        let stated = self.stated.get_mut(&reading.device_id).and_then(|rows| rows.get_mut(&start.as_microsecond()));
        if let Some(stated) = stated.filter(|stated| !stated.is_counted) {
            stated.is_counted = true;
            *self.report.usage.entry(reading.device_id).or_default() += i128::from(reading.energy_wh);
        }
    }

    /// Corrects issued readings, each by an action of its own and by the rules of corrections.
    fn correct(&mut self, issued: &[(u64, Reading)]) -> Result<(), Error> {
        for rows in issued.chunks(CORRECTIONS_IN_FLIGHT) {
            let readings: Vec<Reading> = rows.iter().map(|(_, reading)| *reading).collect();
            let hours: Vec<(DeviceId, Interval)> =
                readings.iter().map(|reading| (reading.device_id, hour_of(reading.interval.start()))).collect();
            let (current, parts) = self.registry.read_primary(|c| {
                Ok((store::measurement::current(c, &readings)?, store::measurement::parts(c, &hours)?))
            })?;
            let known: HashMap<_, _> = current
                .iter()
                .map(|current| current.measurement)
                .chain(parts)
                .map(|known| ((known.reading.device_id, known.reading.interval), known.id))
                .collect();
            let mut pending = Vec::with_capacity(rows.len());
            for (row, reading) in rows {
                let Some(measurement) = known.get(&(reading.device_id, reading.interval)) else {
                    self.refuse(*row, reading, "was deleted while it was to be corrected".to_owned());
                    continue;
                };
                let update = correction_of(*measurement, reading, self.source);
                let request = serde_json::json!({
                    "measurement_id": measurement, "interval_usage": reading.energy_wh, "source": self.source.name(),
                });
                let work = self.registry.act(self.actor, Command::UpdateMeasurement(update), request.to_string(), None);
                pending.push((*row, *reading, self.registry.queue_waiting(work)?));
            }
            for (row, reading, pending) in pending {
                match pending.wait() {
                    Ok(answer) => {
                        self.report.event_number = Some(answer.event_number);
                        self.report.corrected += 1;
                        self.stands(&reading);
                    }
                    Err(Error::Refused(refusal)) => self.refuse(row, &reading, refusal.to_string()),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, row: u64, reading: &Reading, reason: String) {
        let (device_id, start) = (Some(reading.device_id.0), Some(reading.interval.start()));
        self.reject(RejectedRow { row, device_id, start, reason });
    }

    fn finish(mut self) -> Result<ReadingsReport, Error> {
        if !self.chunk.readings.is_empty() {
            self.send(true)?;
        }
        while !self.in_flight.is_empty() {
            self.hear()?;
        }
        self.report.rejected.sort_by_key(|rejected| rejected.row);
        Ok(self.report)
    }

    /// The input cannot be read further. Whole chunks that were sent stay, and the job says so.
    fn give_up(mut self, field: String, rule: String) -> Error {
        let Some(job) = self.report.job else { return Error::BadInput { field, rule } };
        while !self.in_flight.is_empty() {
            if let Err(error) = self.hear() {
                return error;
            }
        }
        let rows = self.report.accepted + self.report.corrected + self.report.unchanged;
        self.end_job(JobState::Interrupted, &format!("{field} {rule}"));
        Error::Interrupted { job, rows, rule }
    }

    fn end_job(&self, state: JobState, why: &str) {
        let Some(id) = self.report.job else { return };
        let ended = Beside::EndJob { id, state, error: Some(why.to_owned()) };
        let heard = self.registry.beside(ended).and_then(Pending::wait);
        if let Err(error) = heard {
            tracing::warn!(job = id.0, %error, "the end of a job could not be written");
        }
    }
}

/// Makes the reading say what `reading` does; refused if that is another interval by now.
fn correction_of(measurement: MeasurementId, reading: &Reading, source: ReadingSource) -> MeasurementUpdate {
    let place = StatedPlace {
        device_id: Some(reading.device_id),
        start: Some(reading.interval.start()),
        end: Some(reading.interval.end()),
        gross_net: Some(reading.gross_net),
    };
    MeasurementUpdate {
        measurement,
        energy_wh: Some(reading.energy_wh),
        quality: Some(reading.quality),
        place,
        source: Some(source),
    }
}

impl Registry {
    /// A process left a submission of readings, or an import, behind. Its input is gone, so it ends as interrupted.
    pub(crate) fn end_left_submission(&self, id: JobId) {
        let error = Some("the registry stopped while the rows came in".to_owned());
        let ended = Beside::EndJob { id, state: JobState::Interrupted, error };
        if let Err(error) = self.beside(ended).and_then(Pending::wait) {
            tracing::warn!(job = id.0, %error, "the end of a job could not be written");
        }
    }
}
