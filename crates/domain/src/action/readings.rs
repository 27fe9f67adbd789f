//! Readings come in. Each row is decided by itself: what is refused is reported with its reason, the rest is accepted.
//!
//! Refusals of a row, in order: device missing, not the producer's any more, interval length, future, before operation,
//! too large, negative, gross/net differs, overlap, already issued, a storage record stands on it. The same reading again is unchanged; a different one
//! for an interval that was not issued supersedes it, and both stay readable. One that counts as a part of its hour's sum is
//! unchanged, or already issued.

use super::{Outcome, Rules};
use crate::energy::READING_WH_MAX;
use crate::time::{INTERVAL_MAX, INTERVAL_MIN};
use crate::{
    Actor, Capability, Change, Changes, Device, DeviceId, DeviceKind, Measurement, MeasurementId, Reading,
    ReadingRefusal, ReadingSource, Refusal, Role, Roles, State,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The most readings that one sealed event holds.
pub const READINGS_PER_EVENT_MAX: usize = 1_000;

/// One chunk of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitReadings {
    pub readings: Vec<Reading>,
    pub source: ReadingSource,
}

/// What became of a chunk; places count from 0 within it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingsOutcome {
    /// Rows that were new.
    pub accepted: usize,
    /// Rows that took the place of an earlier value.
    pub corrected: usize,
    /// Rows that stated what was known.
    pub unchanged: usize,
    /// The version that says what the last row says that was not refused: a new one, or the one that was known.
    pub last: Option<MeasurementId>,
    pub refused: Vec<ReadingsRefused>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingsRefused {
    pub place: usize,
    pub refusal: ReadingRefusal,
}

enum Verdict {
    New,
    Corrects(MeasurementId),
    Unchanged(MeasurementId),
}

pub(super) fn decide(
    state: &State,
    actor: Actor,
    submission: &SubmitReadings,
    now: Timestamp,
    rules: &Rules,
) -> Result<(Changes, Outcome), Refusal> {
    if !is_producer(state, actor) {
        state.require(actor, Capability::SubmitReadings)?;
    }
    let mut chunk = Chunk { state, actor, now, rules, accepted: HashMap::new() };
    let mut outcome = ReadingsOutcome::default();
    let (mut next, mut fresh, mut superseded) = (state.next.measurement, Vec::new(), Vec::new());
    for (place, reading) in submission.readings.iter().enumerate() {
        let verdict = match chunk.judge(reading) {
            Ok(verdict) => verdict,
            Err(refusal) => {
                outcome.refused.push(ReadingsRefused { place, refusal });
                continue;
            }
        };
        match verdict {
            Verdict::Unchanged(known) => {
                outcome.unchanged += 1;
                outcome.last = Some(known);
                continue;
            }
            Verdict::New => outcome.accepted += 1,
            Verdict::Corrects(old) => {
                outcome.corrected += 1;
                superseded.push(Change::ReadingSuperseded { id: old, by: next });
            }
        }
        chunk.accept(Measurement { id: next, reading: *reading, superseded_by: None });
        outcome.last = Some(next);
        fresh.push(*reading);
        next = next.next();
    }
    let mut changes = Vec::with_capacity(fresh.len() / READINGS_PER_EVENT_MAX + 1 + superseded.len());
    let mut first = state.next.measurement;
    for readings in fresh.chunks(READINGS_PER_EVENT_MAX) {
        changes.push(Change::ReadingsAccepted { first, readings: readings.to_vec(), source: submission.source });
        first = MeasurementId(first.0 + i64::try_from(readings.len()).expect("at most 1,000 readings"));
    }
    changes.extend(superseded);
    Ok((changes, Outcome::Readings(outcome)))
}

/// Whether a reading of an interval that has none could be accepted, whoever states it.
pub(super) fn check_new(
    state: &State,
    device: &Device,
    reading: &Reading,
    now: Timestamp,
    rules: &Rules,
) -> Result<(), ReadingRefusal> {
    let chunk = Chunk { state, actor: Actor::Operator, now, rules, accepted: HashMap::new() };
    chunk.check_shape(reading, device)?;
    chunk.check_overlap(reading)
}

/// Whether the actor produces for some account.
pub(super) fn is_producer(state: &State, actor: Actor) -> bool {
    let producers = Roles::of(&[Role::ProductionUser]);
    match actor {
        Actor::Operator => false,
        Actor::User(id) => state.users.get(&id).is_some_and(|u| !u.is_deleted && u.roles.any(producers)),
    }
}

/// Whether the actor, who submits readings or produces, may state those of a device. A producer may those of their own
/// accounts, as long as nothing was ever issued on the device.
pub(super) fn may_state(state: &State, actor: Actor, device: &Device) -> Result<(), ReadingRefusal> {
    if state.permits(actor, Capability::SubmitReadings) {
        return Ok(());
    }
    let is_member = match actor {
        Actor::Operator => true,
        Actor::User(user) => state.memberships.contains(&(user, device.account_id)),
    };
    if !is_member {
        return Err(ReadingRefusal::DeviceMissing { device_id: device.id });
    }
    if device.next_certificate > 1 { Err(ReadingRefusal::NotProducers) } else { Ok(()) }
}

/// Whether a reading of the device may say this much.
pub(super) fn check_energy(energy_wh: i64, device: &Device) -> Result<(), ReadingRefusal> {
    if energy_wh.unsigned_abs() > READING_WH_MAX {
        return Err(ReadingRefusal::TooLarge { max: READING_WH_MAX });
    }
    if energy_wh < 0 && device.description.kind != DeviceKind::Storage {
        return Err(ReadingRefusal::NegativeEnergy { energy_wh });
    }
    Ok(())
}

/// The state as the rows of this chunk see it: with those before them.
struct Chunk<'s> {
    state: &'s State,
    actor: Actor,
    now: Timestamp,
    rules: &'s Rules,
    /// Rows of this chunk by device and start; per device in order of time.
    accepted: HashMap<DeviceId, std::collections::BTreeMap<Timestamp, Measurement>>,
}

impl Chunk<'_> {
    fn accept(&mut self, measurement: Measurement) {
        let place = self.accepted.entry(measurement.reading.device_id).or_default();
        place.insert(measurement.reading.interval.start(), measurement);
    }

    fn judge(&self, reading: &Reading) -> Result<Verdict, ReadingRefusal> {
        let device = self.device(reading.device_id)?;
        self.check_shape(reading, device)?;
        let (start, id) = (reading.interval.start(), reading.device_id);
        if let Some(part) = self.state.parts.get(&(id, start)).filter(|part| part.reading.interval == reading.interval)
        {
            let is_known = part.reading == *reading;
            let issued = ReadingRefusal::AlreadyIssued { issued_wh: part.reading.energy_wh };
            return if is_known { Ok(Verdict::Unchanged(part.id)) } else { Err(issued) };
        }
        self.check_overlap(reading)?;
        let earlier = self.accepted.get(&id).and_then(|rows| rows.get(&start)).copied();
        let (known, has_bundles) = match (earlier, self.state.readings.get(&(id, start))) {
            (Some(measurement), _) => (measurement, false),
            (None, Some(current)) => (current.measurement, current.has_bundles),
            (None, None) => return Ok(Verdict::New),
        };
        if known.reading == *reading {
            return Ok(Verdict::Unchanged(known.id));
        }
        if has_bundles {
            return Err(ReadingRefusal::AlreadyIssued { issued_wh: known.reading.energy_wh });
        }
        if self.state.storage.is_recorded(id, start) {
            return Err(ReadingRefusal::Recorded { recorded_wh: known.reading.energy_wh });
        }
        Ok(Verdict::Corrects(known.id))
    }

    /// The device, if the actor may state readings of it.
    fn device(&self, id: DeviceId) -> Result<&Device, ReadingRefusal> {
        let device = self.state.live_device(id).ok_or(ReadingRefusal::DeviceMissing { device_id: id })?;
        may_state(self.state, self.actor, device)?;
        Ok(device)
    }

    fn check_shape(&self, reading: &Reading, device: &Device) -> Result<(), ReadingRefusal> {
        let interval = reading.interval;
        if interval.duration() < INTERVAL_MIN || interval.duration() > self.rules.interval_max {
            return Err(ReadingRefusal::interval_length(interval, self.rules.interval_max));
        }
        if interval.end() > self.now {
            return Err(ReadingRefusal::InFuture { end: interval.end() });
        }
        let operational_date = device.description.operational_date;
        if interval.start() < operational_date {
            return Err(ReadingRefusal::BeforeOperation { operational_date });
        }
        check_energy(reading.energy_wh, device)?;
        let accepted = self.accepted.get(&device.id).and_then(|rows| rows.values().next());
        let fixed = device.gross_net.or(accepted.map(|m| m.reading.gross_net));
        match fixed {
            Some(fixed) if fixed != reading.gross_net => Err(ReadingRefusal::GrossNetDiffers { fixed }),
            Some(_) | None => Ok(()),
        }
    }

    fn check_overlap(&self, reading: &Reading) -> Result<(), ReadingRefusal> {
        let (interval, id) = (reading.interval, reading.device_id);
        let reach = interval.start().checked_sub(INTERVAL_MAX).unwrap_or(Timestamp::MIN);
        let stored = self.state.readings.range((id, reach)..(id, interval.end()));
        let stored = stored.map(|(_, current)| current.measurement.reading.interval);
        let here = self.accepted.get(&id).into_iter().flat_map(|rows| rows.range(reach..interval.end()));
        let here = here.map(|(_, measurement)| measurement.reading.interval);
        match stored.chain(here).find(|other| *other != interval && other.overlaps(interval)) {
            Some(other) => Err(ReadingRefusal::Overlaps { start: other.start(), end: other.end() }),
            None => Ok(()),
        }
    }
}
