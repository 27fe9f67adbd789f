//! Certificates are issued against readings, once. One command issues a chunk of a job; each reading is decided by itself.
//!
//! *Issuable* = max(0, accepted reading − Σ live − held), over the bundles of the interval. Refusals of a reading, in
//! order: device missing, not production, not approved, interval length, future, before operation, estimated, zero, held,
//! above capacity (Σ live at most capacity × duration × margin), no expiry. A reading that is fully issued is passed over.
//!
//! By setting, readings of less than an hour are issued by the hour (`sum.rs`): of an hour of which one reading is asked for,
//! the sum is issued, or each is refused alike.

use super::{Hours, Outcome, Rules, metadata_of};
use crate::state::IssuePlace;
use crate::time::{INTERVAL_MIN, expiry, hour_of};
use crate::{
    Actor, AttributesId, Bundle, BundleId, BundleStatus, Capability, CertificateAttributes, CertificateRange, Change,
    Changes, Device, DeviceId, DeviceKind, EnergyCarrier, Interval, Measurement, MeasurementId, MetadataId, Quality,
    Reading, ReadingRefusal, ReadingSource, ReadingStatus, Refusal, State, WattHours, seal,
};
use jiff::Timestamp;
use std::collections::HashMap;

/// A part of an issue job: the readings of these devices that start in `from..to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueChunk {
    pub metadata_id: MetadataId,
    /// In ascending order, without repetition.
    pub devices: Vec<DeviceId>,
    pub from: Timestamp,
    pub to: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssueOutcome {
    /// How many readings were looked at.
    pub readings: usize,
    /// The bundles that were made: serial ids from the first.
    pub first_bundle: Option<BundleId>,
    pub issued: usize,
    pub quantity: WattHours,
    pub refused: Vec<IssueRefused>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssueRefused {
    pub device_id: DeviceId,
    pub interval: Interval,
    pub refusal: ReadingRefusal,
}

pub(super) fn decide(
    state: &State,
    actor: Actor,
    chunk: &IssueChunk,
    now: Timestamp,
    rules: &Rules,
) -> Result<(Changes, Outcome), Refusal> {
    state.require(actor, Capability::Issue)?;
    metadata_of(state, chunk.metadata_id)?;
    let mut press = Press::new(state, chunk.metadata_id, now, rules);
    let (hours, mut summed) = (Hours::of(&state.places, rules), HashMap::new());
    let mut outcome = IssueOutcome::default();
    let window = (chunk.from, DeviceId(i64::MIN))..(chunk.to.max(chunk.from), DeviceId(i64::MIN));
    for ((_, device_id), place) in state.places.range(window) {
        if chunk.devices.binary_search(device_id).is_err() {
            continue;
        }
        outcome.readings += 1;
        let whole = press.whole(&hours, &place.measurement.reading);
        let issued = match whole {
            None => press.issue(*device_id, place),
            Some(whole) => {
                let hour = (*device_id, hour_of(place.measurement.reading.interval.start()).start());
                match summed.get(&hour) {
                    Some(Ok(_)) => Ok(None),
                    Some(Err(refusal)) => Err(*refusal),
                    None => {
                        let issued = whole.and_then(|whole| press.issue_sum(&hours, whole));
                        summed.insert(hour, issued);
                        issued
                    }
                }
            }
        };
        match issued {
            Ok(None) => {}
            Ok(Some((id, quantity))) => {
                outcome.first_bundle.get_or_insert(id);
                outcome.issued += 1;
                outcome.quantity = [outcome.quantity, quantity].into_iter().sum();
            }
            Err(refusal) => {
                let interval = place.measurement.reading.interval;
                outcome.refused.push(IssueRefused { device_id: *device_id, interval, refusal });
            }
        }
    }
    Ok((press.changes, Outcome::Issue(outcome)))
}

/// Where a device's certificates go on, within this command.
#[derive(Clone, Copy)]
struct Run {
    next_certificate: u64,
    attributes: (AttributesId, [u8; 32]),
}

/// Makes bundles, one after the other, within one command.
pub(super) struct Press<'s> {
    pub(super) state: &'s State,
    metadata_id: MetadataId,
    pub(super) now: Timestamp,
    pub(super) rules: &'s Rules,
    next_measurement: MeasurementId,
    next_bundle: BundleId,
    next_attributes: AttributesId,
    runs: HashMap<DeviceId, Run>,
    pub(super) changes: Changes,
}

impl<'s> Press<'s> {
    pub(super) fn new(state: &'s State, metadata_id: MetadataId, now: Timestamp, rules: &'s Rules) -> Self {
        Self {
            state,
            metadata_id,
            now,
            rules,
            next_measurement: state.next.measurement,
            next_bundle: state.next.bundle,
            next_attributes: state.next.attributes,
            runs: HashMap::new(),
            changes: Vec::new(),
        }
    }

    /// Makes the bundle of what is issuable; `None` if all of it was issued before.
    pub(super) fn issue(
        &mut self,
        id: DeviceId,
        place: &IssuePlace,
    ) -> Result<Option<(BundleId, WattHours)>, ReadingRefusal> {
        let device = self.state.live_device(id).ok_or(ReadingRefusal::DeviceMissing { device_id: id })?;
        let Some((quantity, expires_at)) = issuable(device, place, self.now, self.rules)? else { return Ok(None) };
        let production = place.measurement.reading.interval;
        let run = self.run(device);
        let range = CertificateRange::starting(run.next_certificate, quantity).expect("certificate ids fit 64 bits");
        let mut bundle = Bundle {
            id: self.next_bundle,
            account_id: device.account_id,
            device_id: id,
            attributes_id: run.attributes.0,
            range,
            production,
            issued_at: self.now,
            expires_at,
            parent_id: None,
            status: if expires_at <= self.now { BundleStatus::Expired } else { BundleStatus::Active },
            cancellation: None,
            draw_id: None,
            hash: [0; 32],
        };
        bundle.hash = seal::bundle_hash(&bundle, &run.attributes.1);
        self.runs.insert(id, Run { next_certificate: range.last() + 1, ..run });
        self.next_bundle = bundle.id.next();
        let made = (bundle.id, quantity);
        self.changes.push(Change::BundleCreated(bundle));
        Ok(Some(made))
    }

    /// What is issued instead of the reading; only what a device produces is summed.
    fn whole(&self, hours: &Hours<'_>, reading: &Reading) -> Option<Result<Reading, ReadingRefusal>> {
        if hours.is_empty() {
            return None;
        }
        whole(self.state.live_device(reading.device_id)?, hours, reading)
    }

    /// Makes the sum of an hour its reading, and the bundle of what is issuable on it.
    fn issue_sum(&mut self, hours: &Hours<'_>, sum: Reading) -> Result<Option<(BundleId, WattHours)>, ReadingRefusal> {
        let id = self.next_measurement;
        let place = IssuePlace::new(Measurement { id, reading: sum, superseded_by: None });
        let device =
            self.state.live_device(sum.device_id).ok_or(ReadingRefusal::DeviceMissing { device_id: sum.device_id })?;
        if issuable(device, &place, self.now, self.rules)?.is_none() {
            return Ok(None);
        }
        self.next_measurement = id.next();
        self.changes.push(Change::ReadingsAccepted { first: id, readings: vec![sum], source: ReadingSource::Summed });
        for part in hours.parts(sum.device_id, sum.interval) {
            self.changes.push(Change::ReadingSuperseded { id: part.measurement.id, by: id });
        }
        self.issue(sum.device_id, &place)
    }

    /// The snapshot that the certificates of a device carry.
    pub(super) fn attributes_of(&mut self, device: &Device) -> CertificateAttributes {
        let (id, hash) = self.run(device).attributes;
        CertificateAttributes { id, hash, ..snapshot(device, self.metadata_id) }
    }

    /// Where the device's certificates go on; takes a new snapshot of the device where there is none of this version.
    fn run(&mut self, device: &Device) -> Run {
        if let Some(run) = self.runs.get(&device.id) {
            return *run;
        }
        let key = (device.id, device.version, self.metadata_id);
        let attributes = self.state.attributes.get(&key).copied().unwrap_or_else(|| {
            let mut attributes =
                CertificateAttributes { id: self.next_attributes, ..snapshot(device, self.metadata_id) };
            attributes.hash = seal::attributes_hash(&attributes);
            let known = (attributes.id, attributes.hash);
            self.next_attributes = attributes.id.next();
            self.changes.push(Change::AttributesCreated(attributes));
            known
        });
        Run { next_certificate: device.next_certificate, attributes }
    }
}

/// What certificates say of a device as it is now; without its id and hash.
pub(super) fn snapshot(device: &Device, metadata_id: MetadataId) -> CertificateAttributes {
    CertificateAttributes {
        id: AttributesId(0),
        device_id: device.id,
        device_version: device.version,
        metadata_id,
        energy_carrier: EnergyCarrier::Electricity,
        device: device.description.clone(),
        hash: [0; 32],
    }
}

/// How a reading stands. Always derived, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub status: ReadingStatus,
    /// Why nothing more is issued for it: of a reading that is refused, of one whose hour is not whole yet, and of one of
    /// storage that no record holds.
    pub refusal: Option<ReadingRefusal>,
    /// Σ of the bundles of its interval that count.
    pub issued: WattHours,
    /// Σ of what the issuer withdrew there and did not release.
    pub held: WattHours,
    /// By how much more is live than the reading says, because it was corrected.
    pub shortfall: WattHours,
    /// What an issue would make of it now.
    pub issuable: WattHours,
}

/// What standing storage records make of one reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageRecords {
    /// Σ of what they say was charged or discharged.
    pub recorded: WattHours,
    /// Σ of the certificates that their draws give.
    pub certificates: WattHours,
}

impl Standing {
    /// Of a version that counts no more: it has no part in what is issued on its interval.
    pub fn past(measurement: &Measurement) -> Self {
        let status = if measurement.is_deleted() { ReadingStatus::Deleted } else { ReadingStatus::Superseded };
        let none = WattHours::ZERO;
        Self { status, refusal: None, issued: none, held: none, shortfall: none, issuable: none }
    }
}

/// What is issued instead of a reading of the device.
fn whole(device: &Device, hours: &Hours<'_>, reading: &Reading) -> Option<Result<Reading, ReadingRefusal>> {
    if device.description.kind == DeviceKind::Production { hours.whole(reading) } else { None }
}

/// How the current reading of `place` stands; `device` is none if it was deleted, and `hours` are those of its device.
///
/// *Issued* is all that is stated being live, whatever would keep more from being issued; else what an issue would say. A
/// reading whose hour is not whole yet is pending, with the reason.
pub fn standing(
    device: Option<&Device>,
    place: &IssuePlace,
    hours: &Hours<'_>,
    now: Timestamp,
    rules: &Rules,
) -> Standing {
    let IssuePlace { live, held, .. } = *place;
    let accepted = place.accepted();
    let shortfall = live.saturating_sub(accepted);
    let standing = |status, refusal, issuable| Standing { status, refusal, issued: live, held, shortfall, issuable };
    if live > WattHours::ZERO && live >= accepted {
        return standing(ReadingStatus::Issued, None, WattHours::ZERO);
    }
    let id = place.measurement.reading.device_id;
    let device = device.ok_or(ReadingRefusal::DeviceMissing { device_id: id });
    let found = device.and_then(|device| match whole(device, hours, &place.measurement.reading) {
        None => issuable(device, place, now, rules).map(|found| found.map(|(issuable, _)| issuable)),
        Some(whole) => {
            let sum = IssuePlace::new(Measurement { reading: whole?, ..place.measurement });
            // its own share of what is issued
            Ok(issuable(device, &sum, now, rules)?.map(|_| accepted))
        }
    });
    match found {
        Ok(Some(issuable)) => standing(ReadingStatus::Pending, None, issuable),
        Err(refusal @ (ReadingRefusal::HourIncomplete { .. } | ReadingRefusal::HourEstimated { .. })) => {
            standing(ReadingStatus::Pending, Some(refusal), WattHours::ZERO)
        }
        Ok(None) => standing(ReadingStatus::Issued, None, WattHours::ZERO),
        Err(ReadingRefusal::Held { .. }) => standing(ReadingStatus::Held, None, WattHours::ZERO),
        Err(refusal) => standing(ReadingStatus::Refused, Some(refusal), WattHours::ZERO),
    }
}

/// How the current reading of `place`, which is of a storage device, stands. *Pending* is what no record holds yet, with the
/// reason, or what certificates of its discharges are not issued; *recorded* is all of it being in records without
/// certificates, as every charge is. What was withdrawn of such certificates is issued again without a release.
pub fn standing_in_storage(place: &IssuePlace, records: StorageRecords) -> Standing {
    let reading = &place.measurement.reading;
    let (live, none) = (place.live, WattHours::ZERO);
    let standing =
        |status, refusal, issuable| Standing { status, refusal, issued: live, held: none, shortfall: none, issuable };
    if reading.quality == Quality::Estimated {
        return standing(ReadingStatus::Refused, Some(ReadingRefusal::Estimated), none);
    }
    let measured = WattHours(reading.energy_wh.unsigned_abs());
    if measured == none {
        return standing(ReadingStatus::Refused, Some(ReadingRefusal::ZeroEnergy), none);
    }
    let unrecorded_wh = measured.saturating_sub(records.recorded);
    let issuable = records.certificates.saturating_sub(live);
    if unrecorded_wh > none {
        return standing(ReadingStatus::Pending, Some(ReadingRefusal::Unrecorded { unrecorded_wh }), issuable);
    }
    let status = match (issuable > none, live > none) {
        (true, _) => ReadingStatus::Pending,
        (false, true) => ReadingStatus::Issued,
        (false, false) => ReadingStatus::Recorded,
    };
    standing(status, None, issuable)
}

/// What may be issued for one reading now, and when that expires; `None` if all of it was issued.
pub(super) fn issuable(
    device: &Device,
    place: &IssuePlace,
    now: Timestamp,
    rules: &Rules,
) -> Result<Option<(WattHours, Timestamp)>, ReadingRefusal> {
    let reading = &place.measurement.reading;
    let interval = reading.interval;
    if device.description.kind != DeviceKind::Production {
        return Err(ReadingRefusal::NotProduction);
    }
    if !device.is_approved {
        return Err(ReadingRefusal::NotApproved);
    }
    if interval.duration() < INTERVAL_MIN || interval.duration() > rules.interval_max {
        return Err(ReadingRefusal::interval_length(interval, rules.interval_max));
    }
    if interval.end() > now {
        return Err(ReadingRefusal::InFuture { end: interval.end() });
    }
    if interval.start() < device.description.operational_date {
        return Err(ReadingRefusal::BeforeOperation { operational_date: device.description.operational_date });
    }
    if reading.quality == Quality::Estimated {
        return Err(ReadingRefusal::Estimated);
    }
    let accepted = place.accepted();
    if accepted == WattHours::ZERO {
        return Err(ReadingRefusal::ZeroEnergy);
    }
    let rest = accepted.saturating_sub(place.live);
    let quantity = rest.saturating_sub(place.held);
    if quantity == WattHours::ZERO {
        let is_held = rest > WattHours::ZERO;
        return if is_held { Err(ReadingRefusal::Held { held_wh: place.held }) } else { Ok(None) };
    }
    let limit_wh = rules.capacity_margin.of_power(device.description.capacity_watts, interval.micros());
    let asked_wh: WattHours = [place.live, quantity].into_iter().sum();
    if asked_wh > limit_wh {
        return Err(ReadingRefusal::AboveCapacity { asked_wh, limit_wh });
    }
    let expires_at = expiry(interval.end(), rules.expiry_years).ok_or(ReadingRefusal::NoExpiry)?;
    Ok(Some((quantity, expires_at)))
}
