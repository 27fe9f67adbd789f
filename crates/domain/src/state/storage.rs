//! Storage records as the commands of a batch see them, and what changes make of them.
//!
//! Invariant: a charge's `drawn` is the sum of what standing discharges draw of it.

use super::State;
use crate::seal::Hash;
use crate::{
    AttributesId, BundleId, BundleStatus, CertificateAttributes, Change, DeviceId, Draw, DrawId, EnergySource,
    Interval, MetadataId, Scr, ScrId, Sdr, SdrId, WattHours, bundle::Bundle,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What was loaded of storage. A device's first SDR is here with whatever else is looked at.
#[derive(Debug, Default)]
pub struct Storage {
    pub scrs: BTreeMap<ScrId, Scr>,
    pub sdrs: BTreeMap<SdrId, Sdr>,
    pub draws: BTreeMap<DrawId, Draw>,
    /// Σ of the live SD-GCs of a draw.
    pub live: HashMap<DrawId, WattHours>,
    /// Bundles on which a stored SCR stands.
    pub allocated: HashMap<BundleId, ScrId>,
    /// Intervals on whose reading a stored SCR or SDR stands, by device and start.
    pub recorded: HashSet<(DeviceId, Timestamp)>,
    /// What a device took in and gave out over an interval, as its readings say.
    pub measured: HashMap<(DeviceId, Interval), (u128, u128)>,
    pub snapshots: HashMap<AttributesId, Snapshot>,
    /// Of a device that is to be deleted: a standing SDR whose certificates are not all issued.
    pub unissued: HashMap<DeviceId, SdrId>,
}

/// What of a snapshot counts for storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub metadata_id: MetadataId,
    pub energy_source: EnergySource,
    pub hash: Hash,
}

impl Storage {
    /// The standing SCRs of an interval, by device and start.
    pub fn charges_of(&self, device: DeviceId, start: Timestamp) -> impl Iterator<Item = &Scr> {
        self.standing_charges(device).filter(move |scr| scr.interval.start() == start)
    }

    /// The standing SDRs of an interval, by device and start.
    pub fn discharges_of(&self, device: DeviceId, start: Timestamp) -> impl Iterator<Item = &Sdr> {
        self.standing_discharges(device).filter(move |sdr| sdr.interval.start() == start)
    }

    pub fn standing_charges(&self, device: DeviceId) -> impl Iterator<Item = &Scr> {
        self.scrs.values().filter(move |scr| scr.device_id == device && !scr.is_withdrawn)
    }

    pub fn standing_discharges(&self, device: DeviceId) -> impl Iterator<Item = &Sdr> {
        self.sdrs.values().filter(move |sdr| sdr.device_id == device && !sdr.is_withdrawn)
    }

    pub fn draws_of(&self, sdr: SdrId) -> impl Iterator<Item = &Draw> {
        self.draws.values().filter(move |draw| draw.sdr_id == sdr)
    }

    pub fn live_of(&self, draw: DrawId) -> WattHours {
        self.live.get(&draw).copied().unwrap_or(WattHours::ZERO)
    }

    /// The SCR that stands on a bundle.
    pub fn allocated_to(&self, bundle: BundleId) -> Option<ScrId> {
        let is_it = |scr: &&Scr| !scr.is_withdrawn && scr.backing.is_some_and(|backing| backing.bundle_id == bundle);
        self.allocated.get(&bundle).copied().or_else(|| self.scrs.values().find(is_it).map(|scr| scr.id))
    }

    /// Whether a storage record stands on the reading of an interval.
    pub fn is_recorded(&self, device: DeviceId, start: Timestamp) -> bool {
        self.recorded.contains(&(device, start))
            || self.charges_of(device, start).next().is_some()
            || self.discharges_of(device, start).next().is_some()
    }

    pub(super) fn snapshot_created(&mut self, attributes: &CertificateAttributes) {
        let CertificateAttributes { id, metadata_id, hash, .. } = *attributes;
        let energy_source = attributes.device.energy_source;
        self.snapshots.insert(id, Snapshot { metadata_id, energy_source, hash });
    }

    /// A bundle came into being; of a split, what it was is taken off with its parent.
    pub(super) fn bundle_created(&mut self, bundle: &Bundle) {
        let Some(draw) = bundle.draw_id else { return };
        let live = self.live.entry(draw).or_default();
        if bundle.parent_id.is_none() {
            *live = live.checked_add(bundle.range.quantity()).expect("live energy fits 64 bits");
        } else if bundle.status == BundleStatus::Withdrawn {
            *live = live.saturating_sub(bundle.range.quantity());
        }
    }

    pub(super) fn bundle_withdrawn(&mut self, draw: Option<DrawId>, quantity: WattHours) {
        if let Some(live) = draw.and_then(|draw| self.live.get_mut(&draw)) {
            *live = live.saturating_sub(quantity);
        }
    }
}

impl State {
    pub(super) fn record(&mut self, change: &Change) {
        match change {
            Change::ScrCreated(scr) => {
                assert_eq!(scr.id, self.next.scr, "ids of SCRs are serial");
                self.next.scr = scr.id.next();
                self.storage.scrs.insert(scr.id, Scr::clone(scr));
            }
            Change::ScrWithdrawn(id) => {
                let scr = self.storage.scrs.get_mut(id).expect("a withdrawn SCR was loaded");
                scr.is_withdrawn = true;
                if let Some(backing) = scr.backing {
                    self.storage.allocated.remove(&backing.bundle_id);
                }
            }
            Change::SdrCreated(sdr) => {
                assert_eq!(sdr.id, self.next.sdr, "ids of SDRs are serial");
                self.next.sdr = sdr.id.next();
                self.storage.sdrs.insert(sdr.id, Sdr::clone(sdr));
            }
            Change::SdrWithdrawn(id) => {
                self.storage.sdrs.get_mut(id).expect("a withdrawn SDR was loaded").is_withdrawn = true;
                let draws: Vec<Draw> = self.storage.draws_of(*id).copied().collect();
                for draw in draws {
                    let scr = self.storage.scrs.get_mut(&draw.scr_id).expect("what was drawn on was loaded");
                    scr.drawn = scr.drawn.minus(draw.taken);
                }
            }
            Change::Drawn(draw) => {
                assert_eq!(draw.id, self.next.draw, "ids of draws are serial");
                self.next.draw = draw.id.next();
                let scr = self.storage.scrs.get_mut(&draw.scr_id).expect("what is drawn on was loaded");
                scr.drawn = scr.drawn.plus(draw.taken);
                self.storage.draws.insert(draw.id, *draw);
            }
            other => unreachable!("no change of storage: {other:?}"),
        }
    }
}
