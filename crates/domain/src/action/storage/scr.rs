//! A charge is recorded, with the certificates that back it; and taken back.
//!
//! Refusals of recording, in order: forbidden; the device is missing, or not storage; what records share (see the module
//! above); another account is stated; and of an allocation: its range holds more than the record; no bundle of the device's
//! account holds the range; that bundle is not Cancelled, or not for storage; it was produced outside the charge; an SCR
//! stands on it; another energy source is stated. Of withdrawing: forbidden; missing; drawn. Withdrawing again changes
//! nothing; the certificates stay cancelled for storage and can be allocated again.

use super::{Direction, Record, check_account, check_record, check_source, storage_device};
use crate::action::claim::PURPOSE_STORAGE;
use crate::action::selection::child_of;
use crate::action::{Outcome, Rules};
use crate::bundle::Mutable;
use crate::state::Snapshot;
use crate::storage::{Backing, Share};
use crate::{
    AccountId, Actor, Bundle, BundleId, BundleStatus, Capability, CertificateRange, Change, Changes, DeviceId,
    EnergySource, Interval, Refusal, Scr, ScrId, SdrId, State, StorageRefusal, WattHours,
};
use jiff::Timestamp;

/// A charge to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateScr {
    pub device_id: DeviceId,
    /// That of the reading.
    pub interval: Interval,
    pub energy: WattHours,
    pub allocation: Option<Allocation>,
    /// 1 to 200 characters.
    pub matching_method: Option<String>,
    /// If it is stated, it must be the device's.
    pub account_id: Option<AccountId>,
}

/// Certificates that are to back a charge: some of one bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The device and the start of production that their issuance id names; of SD-GCs, the SDR too.
    pub device_id: DeviceId,
    pub start: Timestamp,
    pub sdr_id: Option<SdrId>,
    pub range: CertificateRange,
    /// If it is stated, it must be theirs.
    pub energy_source: Option<EnergySource>,
}

type Decision = Result<(Changes, Outcome), Refusal>;

pub(in crate::action) fn create(
    state: &State,
    actor: Actor,
    new: &CreateScr,
    now: Timestamp,
    rules: &Rules,
) -> Decision {
    state.require(actor, Capability::Issue)?;
    let device = storage_device(state, new.device_id)?;
    let recorded = state.storage.charges_of(device.id, new.interval.start()).map(|scr| scr.energy).sum();
    let CreateScr { device_id, interval, energy, .. } = *new;
    let record = Record { device_id, interval, energy, direction: Direction::Charge, recorded };
    check_record(state, device, &record, rules)?;
    check_account(new.account_id, device)?;
    let mut changes = Vec::new();
    let backing = match &new.allocation {
        None => None,
        Some(allocation) => {
            let bundle = allocated(state, device.account_id, new, allocation)?;
            let bundle_id = split_off(bundle, allocation.range, state.next.bundle, &mut changes);
            let Snapshot { metadata_id, energy_source, .. } = snapshot_of(state, bundle);
            let (energy, attributes_id) = (allocation.range.quantity(), bundle.attributes_id);
            Some(Backing { bundle_id, energy, attributes_id, metadata_id, energy_source })
        }
    };
    let scr = Scr {
        id: state.next.scr,
        device_id,
        interval,
        energy,
        backing,
        matching_method: new.matching_method.clone(),
        created_at: now,
        is_withdrawn: false,
        drawn: Share::default(),
    };
    changes.push(Change::ScrCreated(Box::new(scr.clone())));
    Ok((changes, Outcome::Scr(Box::new(scr))))
}

pub(in crate::action) fn withdraw(state: &State, actor: Actor, id: ScrId) -> Decision {
    state.require(actor, Capability::Issue)?;
    let scr = state.storage.scrs.get(&id).ok_or(StorageRefusal::ScrMissing { scr_id: id })?;
    let withdrawn = Outcome::Scr(Box::new(Scr { is_withdrawn: true, ..scr.clone() }));
    if scr.is_withdrawn {
        return Ok((Vec::new(), withdrawn));
    }
    let drawn_wh = scr.drawn.total();
    if drawn_wh > WattHours::ZERO {
        return Err(StorageRefusal::ScrDrawn { scr_id: id, drawn_wh }.into());
    }
    Ok((vec![Change::ScrWithdrawn(id)], withdrawn))
}

/// The bundle that holds the certificates, if they may back the charge.
fn allocated<'s>(
    state: &'s State,
    account_id: AccountId,
    new: &CreateScr,
    allocation: &Allocation,
) -> Result<&'s Bundle, Refusal> {
    let (range, energy_wh) = (allocation.range, new.energy);
    let range_wh = range.quantity();
    if range_wh > energy_wh {
        return Err(StorageRefusal::RangeTooLarge { energy_wh, range_wh }.into());
    }
    let holds = |bundle: &&Bundle| {
        bundle.account_id == account_id
            && bundle.status != BundleStatus::Split
            && bundle.range.first() <= range.first()
            && range.last() <= bundle.range.last()
            && state.sdr_of(bundle) == allocation.sdr_id
    };
    let bundle = state.bundles_of(allocation.device_id, allocation.start).find(holds).ok_or_else(|| {
        let issuance_id = allocation.issuance_id();
        StorageRefusal::RangeNotHeld { account_id, issuance_id, first: range.first(), last: range.last() }
    })?;
    let bundle_id = bundle.id;
    if bundle.status != BundleStatus::Cancelled {
        let needed = vec![BundleStatus::Cancelled];
        return Err(Refusal::WrongState { bundle_id, status: bundle.status, needed });
    }
    let purpose = bundle.cancellation.as_ref().and_then(|cancellation| cancellation.purpose.as_deref());
    if purpose != Some(PURPOSE_STORAGE) {
        return Err(StorageRefusal::NotCancelledForStorage { bundle_id }.into());
    }
    let (start, end) = (bundle.production.start(), bundle.production.end());
    if start < new.interval.start() || end > new.interval.end() {
        return Err(StorageRefusal::ProducedElsewhen { bundle_id, start, end }.into());
    }
    if let Some(scr_id) = state.storage.allocated_to(bundle_id) {
        return Err(StorageRefusal::BundleAllocated { bundle_id, scr_id }.into());
    }
    let source = snapshot_of(state, bundle).energy_source;
    check_source(allocation.energy_source, &[source])?;
    Ok(bundle)
}

fn snapshot_of(state: &State, bundle: &Bundle) -> Snapshot {
    *state.storage.snapshots.get(&bundle.attributes_id).expect("the bundle's snapshot was loaded")
}

/// Splits a bundle so that one holds exactly `range`, and says which. Up to two splits: first what lies before, then what
/// lies behind.
fn split_off(bundle: &Bundle, range: CertificateRange, next: BundleId, changes: &mut Changes) -> BundleId {
    let (mut whole, mut next) = (bundle.clone(), next);
    let before = WattHours(range.first() - whole.range.first());
    if let Some((_, rest)) = whole.range.split_at(before) {
        whole = divide(&whole, before, rest, &mut next, changes);
    }
    if let Some((taken, _)) = whole.range.split_at(range.quantity()) {
        whole = divide(&whole, range.quantity(), taken, &mut next, changes);
    }
    assert_eq!(whole.range, range, "what is split off is what was asked");
    whole.id
}

/// Divides a bundle behind its first `count` certificates and returns the part that is `wanted`.
fn divide(
    bundle: &Bundle,
    count: WattHours,
    wanted: CertificateRange,
    next: &mut BundleId,
    changes: &mut Changes,
) -> Bundle {
    let (first, second) = bundle.range.split_at(count).expect("both parts hold something");
    let before = bundle.mutable();
    let after = Mutable { status: BundleStatus::Split, ..before.clone() };
    changes.push(Change::BundleChanged { id: bundle.id, before: before.clone(), after });
    let mut kept = None;
    for range in [first, second] {
        let child = child_of(bundle, *next, range, before.clone());
        *next = next.next();
        if range == wanted {
            kept = Some(child.clone());
        }
        changes.push(Change::BundleCreated(child));
    }
    kept.expect("one of the parts is wanted")
}

impl Allocation {
    /// As clients name it.
    pub fn issuance_id(&self) -> String {
        let carrier = crate::EnergyCarrier::Electricity;
        match self.sdr_id {
            None => crate::bundle::issuance_id(self.device_id, carrier, self.start),
            Some(sdr) => crate::bundle::storage_issuance_id(self.device_id, carrier, self.start, sdr),
        }
    }
}
