//! One reading is corrected or deleted, or what is held on it is released.
//!
//! | action | refusals, in order |
//! | --- | --- |
//! | all | forbidden; no reason, of a release; measurement missing, also where it is not the actor's; device missing |
//! | correct | deleted, as missing; superseded; summed; forbidden, as it depends on whether certificates were issued on the interval; what never changes; too large; negative; estimated, where certificates were issued; a storage record stands on it |
//! | delete | forbidden, to producers once certificates were issued on the device; superseded; already issued; a storage record stands on it |
//! | release | deleted, as missing; superseded; nothing held |
//!
//! A correction takes the place of the version that it corrects; of a part of its hour's sum, another sum takes the place of
//! that one, and the sum itself is not corrected. Upward, the difference becomes issuable. Downward, what is
//! live beyond it is withdrawn as far as it is still in the account that it was issued to, and is not held; what cannot be
//! withdrawn is the shortfall, which is derived and never stored. Stating what is known changes nothing.

use super::Outcome;
use super::readings::{check_energy, is_producer, may_state};
use super::selection::child_of;
use super::sum::sum;
use crate::bundle::Mutable;
use crate::{
    Actor, Bundle, BundleId, BundleStatus, Capability, Change, Changes, Device, DeviceId, GrossNet, Measurement,
    MeasurementId, Quality, Reading, ReadingRefusal, ReadingSource, Refusal, State, WattHours,
};
use jiff::Timestamp;
use std::cmp::Reverse;

/// A correction of a reading; what is absent stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeasurementUpdate {
    pub measurement: MeasurementId,
    pub energy_wh: Option<i64>,
    pub quality: Option<Quality>,
    pub place: StatedPlace,
    /// From where, if not from the actor.
    pub source: Option<ReadingSource>,
}

/// What never changes of a reading. If it is stated, it must be what is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatedPlace {
    pub device_id: Option<DeviceId>,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub gross_net: Option<GrossNet>,
}

type Decision = Result<(Changes, Outcome), Refusal>;

pub(super) fn update(state: &State, actor: Actor, update: &MeasurementUpdate, now: Timestamp) -> Decision {
    let corrects = state.permits(actor, Capability::CorrectIssued);
    if !corrects && !is_producer(state, actor) {
        state.require(actor, Capability::SubmitReadings)?;
    }
    let (device, known) = named(state, actor, update.measurement)?;
    let sum = state.sum_of(&known);
    if sum.is_none() {
        check_current(&known)?;
    }
    let was = known.reading;
    if sum.is_none() && state.parts_of(was.device_id, was.interval).next().is_some() {
        return Err(Refusal::ReadingSummed { measurement_id: known.id });
    }
    // what certificates stand on
    let counted = sum.map_or(was, |sum| sum.reading);
    let is_issued = has_bundles(state, &counted);
    if is_issued && !corrects {
        return Err(ReadingRefusal::NotProducers.into());
    }
    if !is_issued {
        may_correct_unissued(state, actor, device)?;
    }
    check_place(&update.place, &was)?;
    let energy_wh = update.energy_wh.unwrap_or(was.energy_wh);
    let reading = Reading { energy_wh, quality: update.quality.unwrap_or(was.quality), ..was };
    check_energy(energy_wh, device)?;
    if is_issued && reading.quality == Quality::Estimated {
        return Err(ReadingRefusal::Estimated.into());
    }
    if reading == was {
        return Ok((Vec::new(), Outcome::Measurement(known.id)));
    }
    check_unrecorded(state, &was)?;
    let submits = !is_issued || state.permits(actor, Capability::SubmitReadings);
    let own = if submits { ReadingSource::Submitted } else { ReadingSource::Issuer };
    let source = update.source.unwrap_or(own);
    let id = state.next.measurement;
    let mut changes = vec![Change::ReadingsAccepted { first: id, readings: vec![reading], source }];
    let (counts, stated) = if let Some(sum) = sum {
        sum_anew(state, &sum, (id, reading), &mut changes)?
    } else {
        changes.push(Change::ReadingSuperseded { id: known.id, by: id });
        (id, reading)
    };
    if is_issued && stated.energy_wh < counted.energy_wh {
        let (start, device) = (counted.interval.start(), counted.device_id);
        let excess = excess_of(state, &stated);
        let energy = withdraw(state, &stated, excess, now, &mut changes);
        if energy > WattHours::ZERO {
            changes.push(Change::HoldReleased { id: counts, device, start, energy });
        }
    }
    Ok((changes, Outcome::Measurement(id)))
}

/// A part says something else, so its hour's sum does. The earlier part was superseded by the earlier sum, and stays so: of
/// two parts of the same time the later one counts.
fn sum_anew(
    state: &State,
    old: &Measurement,
    (part, reading): (MeasurementId, Reading),
    changes: &mut Changes,
) -> Result<(MeasurementId, Reading), Refusal> {
    let (hour, start) = (old.reading.interval, reading.interval.start());
    let parts = state.parts_of(reading.device_id, hour).map(|part| &part.reading);
    let parts: Vec<&Reading> = parts.map(|part| if part.interval.start() == start { &reading } else { part }).collect();
    let sum = sum(hour, &parts)?;
    let id = part.next();
    changes.push(Change::ReadingsAccepted { first: id, readings: vec![sum], source: ReadingSource::Summed });
    changes.extend([part, old.id].map(|earlier| Change::ReadingSuperseded { id: earlier, by: id }));
    Ok((id, sum))
}

/// Deleting again changes nothing.
pub(super) fn delete(state: &State, actor: Actor, id: MeasurementId) -> Decision {
    if !is_producer(state, actor) {
        state.require(actor, Capability::SubmitReadings)?;
    }
    let (device, known) = named(state, actor, id)?;
    may_state(state, actor, device)?;
    if known.is_deleted() {
        return Ok((Vec::new(), Outcome::Measurement(id)));
    }
    check_current(&known)?;
    if has_bundles(state, &known.reading) {
        return Err(Refusal::AlreadyIssued { reading_wh: known.reading.energy_wh });
    }
    check_unrecorded(state, &known.reading)?;
    Ok((vec![Change::ReadingDeleted(id)], Outcome::Measurement(id)))
}

pub(super) fn release(state: &State, actor: Actor, id: MeasurementId, reason: &str) -> Decision {
    state.require(actor, Capability::Issue)?;
    if reason.trim().is_empty() {
        return Err(Refusal::ReasonMissing);
    }
    let (_, known) = current(state, actor, id)?;
    let (start, device) = (known.reading.interval.start(), known.reading.device_id);
    let held = state.places.get(&(start, device)).map_or(WattHours::ZERO, |place| place.held);
    if held == WattHours::ZERO {
        return Err(Refusal::NothingHeld { measurement_id: id });
    }
    Ok((vec![Change::HoldReleased { id, device, start, energy: held }], Outcome::Measurement(id)))
}

/// A reading and its device, if the actor may know of it.
fn named(state: &State, actor: Actor, id: MeasurementId) -> Result<(&Device, Measurement), Refusal> {
    let missing = Refusal::MeasurementMissing { measurement_id: id };
    let Some(measurement) = state.measurement(id) else { return Err(missing) };
    let device_id = measurement.reading.device_id;
    let Some(device) = state.devices.get(&device_id) else { return Err(missing) };
    let everywhere = [Capability::SubmitReadings, Capability::CorrectIssued, Capability::ReadEverything];
    let is_member = match actor {
        Actor::Operator => true,
        Actor::User(user) => state.memberships.contains(&(user, device.account_id)),
    };
    if !is_member && !everywhere.into_iter().any(|capability| state.permits(actor, capability)) {
        return Err(missing);
    }
    if device.is_deleted {
        return Err(Refusal::DeviceMissing { device_id });
    }
    Ok((device, measurement))
}

fn current(state: &State, actor: Actor, id: MeasurementId) -> Result<(&Device, Measurement), Refusal> {
    let (device, measurement) = named(state, actor, id)?;
    check_current(&measurement)?;
    Ok((device, measurement))
}

fn check_current(measurement: &Measurement) -> Result<(), Refusal> {
    let measurement_id = measurement.id;
    match measurement.superseded_by {
        None => Ok(()),
        Some(by) if by == measurement_id => Err(Refusal::MeasurementMissing { measurement_id }),
        Some(superseded_by) => Err(Refusal::ReadingSuperseded { measurement_id, superseded_by }),
    }
}

/// Whether any bundle, in any state, stems from the interval.
fn has_bundles(state: &State, reading: &Reading) -> bool {
    let current = state.readings.get(&(reading.device_id, reading.interval.start()));
    current.is_some_and(|current| current.has_bundles)
}

/// What stands on a reading is withdrawn before it changes.
fn check_unrecorded(state: &State, reading: &Reading) -> Result<(), Refusal> {
    if state.storage.is_recorded(reading.device_id, reading.interval.start()) {
        return Err(ReadingRefusal::Recorded { recorded_wh: reading.energy_wh }.into());
    }
    Ok(())
}

/// Who submits readings, and producers as long as nothing was issued on their device.
fn may_correct_unissued(state: &State, actor: Actor, device: &Device) -> Result<(), Refusal> {
    if !is_producer(state, actor) {
        state.require(actor, Capability::SubmitReadings)?;
    }
    may_state(state, actor, device).map_err(Refusal::from)
}

fn check_place(stated: &StatedPlace, known: &Reading) -> Result<(), Refusal> {
    let differs = [
        ("device_id", stated.device_id.is_some_and(|id| id != known.device_id)),
        ("interval_start_datetime", stated.start.is_some_and(|start| start != known.interval.start())),
        ("interval_end_datetime", stated.end.is_some_and(|end| end != known.interval.end())),
        ("gross_net_indicator", stated.gross_net.is_some_and(|gross_net| gross_net != known.gross_net)),
    ];
    match differs.into_iter().find(|(_, differs)| *differs) {
        Some((field, _)) => Err(Refusal::ReadingFixed { field }),
        None => Ok(()),
    }
}

/// How much more is live than `reading` says.
fn excess_of(state: &State, reading: &Reading) -> WattHours {
    let place = state.places.get(&(reading.interval.start(), reading.device_id));
    let live = place.map_or(WattHours::ZERO, |place| place.live);
    live.saturating_sub(WattHours(u64::try_from(reading.energy_wh).unwrap_or(0)))
}

/// Withdraws up to `excess` of what is still in the account that it was issued to: Active first, then Locked, then
/// Expired, highest certificate ids first, splitting at most one bundle. Says how much.
fn withdraw(state: &State, reading: &Reading, excess: WattHours, now: Timestamp, changes: &mut Changes) -> WattHours {
    let rank = |bundle: &Bundle| match bundle.status_at(now) {
        BundleStatus::Active => Some(0),
        BundleStatus::Locked => Some(1),
        BundleStatus::Expired => Some(2),
        BundleStatus::Cancelled
        | BundleStatus::Claimed
        | BundleStatus::Withdrawn
        | BundleStatus::Reserved
        | BundleStatus::Split => None,
    };
    let of_interval = state.bundles_of(reading.device_id, reading.interval.start());
    let mut candidates: Vec<(i32, &Bundle)> = of_interval
        .filter_map(|bundle| Some((rank(bundle)?, bundle)))
        .filter(|(_, bundle)| state.issued_to(bundle) == Some(bundle.account_id))
        .collect();
    candidates.sort_by_key(|(rank, bundle)| (*rank, Reverse(bundle.range.first())));
    let mut left = excess;
    for (_, bundle) in candidates {
        if left == WattHours::ZERO {
            break;
        }
        let part = left.min(bundle.range.quantity());
        left = left.saturating_sub(part);
        withdraw_end(bundle, part, state.next.bundle, changes);
    }
    excess.saturating_sub(left)
}

/// Withdraws the last `part` of a bundle. Of a split, the rest comes first: its certificate ids are the lower ones.
fn withdraw_end(bundle: &Bundle, part: WattHours, next: BundleId, changes: &mut Changes) {
    let (id, before) = (bundle.id, bundle.mutable());
    let withdrawn = Mutable { status: BundleStatus::Withdrawn, ..before.clone() };
    let Some((rest, taken)) = bundle.range.split_at(bundle.range.quantity().saturating_sub(part)) else {
        assert_eq!(part, bundle.range.quantity(), "a part is split off or is the whole");
        changes.push(Change::BundleChanged { id, before, after: withdrawn });
        return;
    };
    assert_eq!(taken.quantity(), part, "a split takes what is asked");
    let parent = Mutable { status: BundleStatus::Split, ..before.clone() };
    changes.push(Change::BundleChanged { id, before: before.clone(), after: parent });
    changes.push(Change::BundleCreated(child_of(bundle, next, rest, before)));
    changes.push(Change::BundleCreated(child_of(bundle, next.next(), taken, withdrawn)));
}
