//! A discharge is recorded: what it draws of which charge, by the device's method; and taken back.
//!
//! Gross need N = ceil(energy / efficiency factor). What is drawn is N in all, or the whole reservoir; what was discharged
//! beyond it is of unrecorded origin and never certified. Only charges that ended before the discharge began are drawn on.
//! Refusals of recording, in order: forbidden; the device is missing, or not storage; what records share (see the module
//! above); another account is stated; nothing was charged before; the method is missing, or not the device's; the
//! efficiency factor is missing, or of an interval that is too long, in the future, before operation, too late for the
//! first; it is not above 0 and at most 1; charges are stated where the method says them; and of the operator's discretion:
//! a charge is missing, repeated, not open for so much; together they are not what is drawn; another energy source is
//! stated. Of withdrawing: forbidden; missing; certificates stand on it. Withdrawing again changes nothing; what it drew is in the reservoir again.

use super::{Direction, Record, check_account, check_record, check_source, storage_device};
use crate::action::issue::snapshot;
use crate::action::{Outcome, Rules};
use crate::storage::{
    self, AllocationMethod, EFFICIENCY_DAYS_MAX, EfficiencyBasis, Open, PICKS_MAX, first_factor_until,
};
use crate::{
    AccountId, Actor, AttributesId, Capability, CertificateAttributes, Change, Changes, Device, DeviceId, Draw,
    Efficiency, EnergySource, Interval, MetadataId, Refusal, Scr, ScrId, Sdr, SdrId, State, StorageRefusal, WattHours,
    seal,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, HashSet};

/// A discharge to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateSdr {
    pub device_id: DeviceId,
    /// That of the reading.
    pub interval: Interval,
    pub energy: WattHours,
    /// Needed of a device's first.
    pub method: Option<AllocationMethod>,
    /// Without one, the factor of the device's last standing SDR is taken over.
    pub efficiency: Option<EfficiencyBasis>,
    /// By the operator's discretion: what is drawn of which charge.
    pub picks: Vec<Pick>,
    /// If it is stated, it must be the device's.
    pub account_id: Option<AccountId>,
    /// If it is stated, all certificates that are drawn must be of it.
    pub energy_source: Option<EnergySource>,
}

/// What is to be drawn of a charge, gross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    pub scr_id: ScrId,
    pub energy: WattHours,
}

type Decision = Result<(Changes, Outcome), Refusal>;

pub(in crate::action) fn create(
    state: &State,
    actor: Actor,
    new: &CreateSdr,
    now: Timestamp,
    rules: &Rules,
) -> Decision {
    state.require(actor, Capability::Issue)?;
    let device = storage_device(state, new.device_id)?;
    let start = new.interval.start();
    let recorded = state.storage.discharges_of(device.id, start).map(|sdr| sdr.energy).sum();
    let CreateSdr { device_id, interval, energy, .. } = *new;
    let record = Record { device_id, interval, energy, direction: Direction::Discharge, recorded };
    check_record(state, device, &record, rules)?;
    check_account(new.account_id, device)?;
    let before: Vec<&Scr> =
        state.storage.standing_charges(device_id).filter(|scr| scr.interval.end() <= start).collect();
    if before.is_empty() {
        return Err(StorageRefusal::NothingCharged { device_id, start }.into());
    }
    let method = method_of(state, device_id, new.method)?;
    let efficiency = match &new.efficiency {
        Some(basis) => measured(state, device, basis, now)?,
        None => last_factor(state, device_id).ok_or(StorageRefusal::EfficiencyMissing { device_id })?,
    };
    let open: Vec<Open> = before.iter().map(|scr| open_of(scr)).filter(|o| o.energy > WattHours::ZERO).collect();
    let need = efficiency.gross_of(energy);
    let picks = match method {
        AllocationMethod::Discretion => picked(state, device_id, &open, need, &new.picks)?,
        AllocationMethod::Fifo | AllocationMethod::Lifo | AllocationMethod::WeightedAverage => {
            if !new.picks.is_empty() {
                return Err(StorageRefusal::PicksNotAsked { method }.into());
            }
            storage::allocate(method, &open, need)
        }
    };
    check_source(new.energy_source, &sources_of(state, &picks))?;
    let id = state.next.sdr;
    let sdr = Sdr { id, device_id, interval, energy, method, efficiency, created_at: now, is_withdrawn: false };
    let (changes, draws) = recorded_with_draws(state, device, &sdr, &picks);
    Ok((changes, Outcome::Sdr { sdr: Box::new(sdr), draws }))
}

pub(in crate::action) fn withdraw(state: &State, actor: Actor, id: SdrId) -> Decision {
    state.require(actor, Capability::Issue)?;
    let sdr = *state.storage.sdrs.get(&id).ok_or(StorageRefusal::SdrMissing { sdr_id: id })?;
    let draws: Vec<Draw> = state.storage.draws_of(id).copied().collect();
    let live_wh = draws.iter().map(|draw| state.storage.live_of(draw.id)).sum();
    let withdrawn = Outcome::Sdr { sdr: Box::new(Sdr { is_withdrawn: true, ..sdr }), draws };
    if sdr.is_withdrawn {
        return Ok((Vec::new(), withdrawn));
    }
    if live_wh > WattHours::ZERO {
        return Err(StorageRefusal::SdrIssued { sdr_id: id, live_wh }.into());
    }
    Ok((vec![Change::SdrWithdrawn(id)], withdrawn))
}

/// The method that the device's first SDR fixed, withdrawn or not; else the one that is stated.
fn method_of(
    state: &State,
    device_id: DeviceId,
    stated: Option<AllocationMethod>,
) -> Result<AllocationMethod, StorageRefusal> {
    let first = state.storage.sdrs.values().find(|sdr| sdr.device_id == device_id);
    match (first.map(|sdr| sdr.method), stated) {
        (Some(method), Some(stated)) if method != stated => Err(StorageRefusal::MethodFixed { device_id, method }),
        (Some(method), _) | (None, Some(method)) => Ok(method),
        (None, None) => Err(StorageRefusal::MethodMissing { device_id }),
    }
}

fn last_factor(state: &State, device_id: DeviceId) -> Option<Efficiency> {
    state.storage.standing_discharges(device_id).last().map(|sdr| sdr.efficiency)
}

/// The factor of an interval, from the device's readings in it.
fn measured(
    state: &State,
    device: &Device,
    basis: &EfficiencyBasis,
    now: Timestamp,
) -> Result<Efficiency, StorageRefusal> {
    let EfficiencyBasis { interval, charge_before, charge_after } = *basis;
    let operational_date = device.description.operational_date;
    if interval.duration() > SignedDuration::from_hours(24 * EFFICIENCY_DAYS_MAX) {
        return Err(StorageRefusal::EfficiencyTooLong { days: EFFICIENCY_DAYS_MAX });
    }
    if interval.end() > now {
        return Err(StorageRefusal::EfficiencyInFuture { end: interval.end() });
    }
    if interval.start() < operational_date {
        return Err(StorageRefusal::EfficiencyBeforeOperation { operational_date });
    }
    let is_first = last_factor(state, device.id).is_none();
    if let Some(until) = first_factor_until(operational_date).filter(|until| is_first && interval.end() > *until) {
        return Err(StorageRefusal::EfficiencyTooLate { until });
    }
    let measured = state.storage.measured.get(&(device.id, interval)).copied().unwrap_or_default();
    let kept = |sum: u128| WattHours(u64::try_from(sum).unwrap_or(u64::MAX));
    let (input, output) = (kept(measured.0), kept(measured.1));
    let efficiency = Efficiency { interval, input, output, charge_before, charge_after };
    // beyond what columns keep, nothing is measured
    let is_kept = [input, output, charge_before, charge_after].iter().all(|energy| i64::try_from(energy.0).is_ok());
    if is_kept && efficiency.is_possible() {
        return Ok(efficiency);
    }
    Err(StorageRefusal::EfficiencyImpossible {
        input_wh: input,
        output_wh: output,
        charge_before_wh: charge_before,
        charge_after_wh: charge_after,
    })
}

/// What the certificates were made from that back what is drawn.
fn sources_of(state: &State, picks: &[(ScrId, WattHours)]) -> Vec<EnergySource> {
    let drawn = picks.iter().filter_map(|(id, _)| state.storage.scrs.get(id));
    // what is backed is drawn first
    let backed = drawn.filter(|scr| scr.open().backed > WattHours::ZERO);
    backed.filter_map(|scr| scr.backing).map(|backing| backing.energy_source).collect()
}

fn open_of(scr: &Scr) -> Open {
    Open { scr_id: scr.id, start: scr.interval.start(), energy: scr.open().total() }
}

/// What the operator states, if it is what the discharge draws and is there.
fn picked(
    state: &State,
    device_id: DeviceId,
    open: &[Open],
    need: u128,
    picks: &[Pick],
) -> Result<Vec<(ScrId, WattHours)>, Refusal> {
    if picks.len() > PICKS_MAX {
        return Err(Refusal::TooMany { field: "allocations", max: PICKS_MAX });
    }
    let mut seen = HashSet::new();
    for pick in picks {
        let Pick { scr_id, energy: asked_wh } = *pick;
        let known = state.storage.scrs.get(&scr_id).filter(|scr| scr.device_id == device_id);
        known.ok_or(StorageRefusal::ScrMissing { scr_id })?;
        if !seen.insert(scr_id) {
            return Err(StorageRefusal::PickRepeated { scr_id }.into());
        }
        let charge = open.iter().find(|charge| charge.scr_id == scr_id);
        let open_wh = charge.map_or(WattHours::ZERO, |charge| charge.energy);
        if asked_wh > open_wh {
            return Err(StorageRefusal::PickNotOpen { scr_id, open_wh, asked_wh }.into());
        }
        if asked_wh == WattHours::ZERO {
            return Err(Refusal::QuantityZero);
        }
    }
    let reservoir: u128 = open.iter().map(|charge| u128::from(charge.energy.0)).sum();
    let asked: u128 = picks.iter().map(|pick| u128::from(pick.energy.0)).sum();
    let needed = need.min(reservoir);
    if asked != needed {
        let kept = |sum: u128| WattHours(u64::try_from(sum).unwrap_or(u64::MAX));
        return Err(StorageRefusal::PicksDiffer { needed_wh: kept(needed), asked_wh: kept(asked) }.into());
    }
    Ok(picks.iter().map(|pick| (pick.scr_id, pick.energy)).collect())
}

/// The record, a snapshot of the storage device for each metadata among what is drawn, and the draws.
fn recorded_with_draws(
    state: &State,
    device: &Device,
    sdr: &Sdr,
    picks: &[(ScrId, WattHours)],
) -> (Changes, Vec<Draw>) {
    let mut changes = vec![Change::SdrCreated(Box::new(*sdr))];
    let (mut draws, mut next) = (Vec::with_capacity(picks.len()), state.next.draw);
    let mut snapshots = Snapshots { state, device, made: HashMap::new(), next: state.next.attributes };
    for (scr_id, energy) in picks {
        let scr = state.storage.scrs.get(scr_id).expect("what is drawn on was loaded");
        let taken = scr.open().take(*energy).expect("no more is drawn than is open");
        let certificates = sdr.efficiency.net_of(taken.backed);
        let metadata_id = scr.backing.map(|backing| backing.metadata_id).filter(|_| certificates > WattHours::ZERO);
        let attributes_id = metadata_id.map(|metadata_id| snapshots.of(metadata_id, &mut changes));
        let made = Draw { id: next, sdr_id: sdr.id, scr_id: *scr_id, taken, certificates, attributes_id };
        next = next.next();
        changes.push(Change::Drawn(made));
        draws.push(made);
    }
    (changes, draws)
}

/// Snapshots of the storage device as it is now, each made once.
struct Snapshots<'s> {
    state: &'s State,
    device: &'s Device,
    made: HashMap<MetadataId, AttributesId>,
    next: AttributesId,
}

impl Snapshots<'_> {
    fn of(&mut self, metadata_id: MetadataId, changes: &mut Changes) -> AttributesId {
        let key = (self.device.id, self.device.version, metadata_id);
        let known = self.state.attributes.get(&key).map(|(id, _)| *id);
        if let Some(known) = known.or_else(|| self.made.get(&metadata_id).copied()) {
            return known;
        }
        let mut attributes = CertificateAttributes { id: self.next, ..snapshot(self.device, metadata_id) };
        attributes.hash = seal::attributes_hash(&attributes);
        self.next = attributes.id.next();
        self.made.insert(metadata_id, attributes.id);
        let id = attributes.id;
        changes.push(Change::AttributesCreated(attributes));
        id
    }
}
