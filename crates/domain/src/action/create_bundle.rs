//! The issuer makes one bundle by stating it, under every rule of issue. Where its interval has no reading yet, the
//! statement itself is recorded as the reading.
//!
//! Whatever else is stated must be what the registry assigns: it is compared and decides nothing. Refusals, in order:
//! forbidden; the metadata is missing; the device is missing; a quantity of zero; the statement cannot be a reading, or
//! nothing can be issued on it, with the refusal of the reading; a member that differs, in the order of [`Stated`].

use super::issue::Press;
use super::{Outcome, Rules, metadata_of, readings};
use crate::state::IssuePlace;
use crate::{
    AccountId, Actor, Bundle, BundleStatus, Capability, CertificateAttributes, Change, Changes, Device, DeviceId,
    EnergyCarrier, EnergySource, GrossNet, Interval, Measurement, MetadataId, Quality, Reading, ReadingRefusal,
    ReadingSource, Refusal, State, WattHours, seal,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// A bundle as the issuer states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateBundle {
    pub metadata_id: MetadataId,
    pub device_id: DeviceId,
    pub production: Interval,
    pub quantity: WattHours,
    pub stated: Stated,
}

/// What may be stated beside, and must then be what the registry assigns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// Device and start of production, as an issuance id names them.
    pub issuance: Option<(DeviceId, Timestamp)>,
    pub account_id: Option<AccountId>,
    pub status: Option<BundleStatus>,
    pub range_first: Option<u64>,
    pub range_last: Option<u64>,
    pub energy_carrier: Option<EnergyCarrier>,
    pub energy_source: Option<EnergySource>,
    pub face_value: Option<u64>,
    pub is_post_conversion: Option<bool>,
    pub expires_at: Option<Timestamp>,
    pub is_storage: Option<bool>,
    /// 64 hexadecimal digits.
    pub hash: Option<String>,
}

/// The bundle that was made, and what it says of its device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedBundle {
    pub bundle: Bundle,
    pub attributes: CertificateAttributes,
}

impl CreateBundle {
    /// The statement as the reading that it becomes where there is none.
    pub fn reading(&self, gross_net: GrossNet) -> Reading {
        Reading {
            device_id: self.device_id,
            interval: self.production,
            // what is too much for a reading stays too much
            energy_wh: i64::try_from(self.quantity.0).unwrap_or(i64::MAX),
            gross_net,
            quality: Quality::Measured,
        }
    }
}

pub(super) fn decide(
    state: &State,
    actor: Actor,
    statement: &CreateBundle,
    now: Timestamp,
    rules: &Rules,
) -> Result<(Changes, Outcome), Refusal> {
    let device_id = statement.device_id;
    state.require(actor, Capability::Issue)?;
    metadata_of(state, statement.metadata_id)?;
    let device = state.live_device(device_id).ok_or(Refusal::DeviceMissing { device_id })?;
    if statement.quantity == WattHours::ZERO {
        return Err(Refusal::QuantityZero);
    }
    let start = statement.production.start();
    let not_issuable = |cause| Refusal::NotIssuable { device_id, start, cause };
    let mut press = Press::new(state, statement.metadata_id, now, rules);
    let place = match known_place(state, statement) {
        Some(place) => place,
        None => stated_place(&mut press, device, statement).map_err(not_issuable)?,
    };
    let issued_wh = place.measurement.reading.energy_wh;
    let issued = press.issue(device_id, &place).map_err(not_issuable)?;
    issued.ok_or_else(|| not_issuable(ReadingRefusal::AlreadyIssued { issued_wh }))?;
    let attributes = press.attributes_of(device);
    let Some(Change::BundleCreated(bundle)) = press.changes.last().cloned() else {
        unreachable!("what was issued is the last change");
    };
    compare(statement, &bundle, device)?;
    Ok((press.changes, Outcome::Created(Box::new(CreatedBundle { bundle, attributes }))))
}

/// The current reading of just this interval, and what was issued on it.
fn known_place(state: &State, statement: &CreateBundle) -> Option<IssuePlace> {
    let start = statement.production.start();
    let current = state.readings.get(&(statement.device_id, start))?;
    let is_same = current.measurement.reading.interval == statement.production;
    is_same.then(|| *state.places.get(&(start, statement.device_id)).expect("a reading was loaded with its place"))
}

/// Records the statement as the reading of its interval.
fn stated_place(
    press: &mut Press<'_>,
    device: &Device,
    statement: &CreateBundle,
) -> Result<IssuePlace, ReadingRefusal> {
    let reading = statement.reading(device.gross_net.unwrap_or(GrossNet::Net));
    readings::check_new(press.state, device, &reading, press.now, press.rules)?;
    let id = press.state.next.measurement;
    press.changes.push(Change::ReadingsAccepted { first: id, readings: vec![reading], source: ReadingSource::Issuer });
    let measurement = Measurement { id, reading, superseded_by: None };
    Ok(IssuePlace::new(measurement))
}

fn compare(statement: &CreateBundle, bundle: &Bundle, device: &Device) -> Result<(), Refusal> {
    let stated = &statement.stated;
    let start = bundle.production.start();
    if stated.issuance.is_some_and(|issuance| issuance != (bundle.device_id, start)) {
        let expected = crate::bundle::issuance_id(bundle.device_id, EnergyCarrier::Electricity, start);
        return Err(Refusal::StatementDiffers { member: "issuance_id", expected });
    }
    same("bundle_quantity", Some(&statement.quantity), &bundle.range.quantity())?;
    same("account_id", stated.account_id.as_ref(), &bundle.account_id)?;
    same("certificate_bundle_status", stated.status.as_ref(), &bundle.status)?;
    same("certificate_bundle_id_range_start", stated.range_first.as_ref(), &bundle.range.first())?;
    same("certificate_bundle_id_range_end", stated.range_last.as_ref(), &bundle.range.last())?;
    same("energy_carrier", stated.energy_carrier.as_ref(), &EnergyCarrier::Electricity)?;
    same("energy_source", stated.energy_source.as_ref(), &device.description.energy_source)?;
    same("face_value", stated.face_value.as_ref(), &1)?;
    same("issuance_post_energy_carrier_conversion", stated.is_post_conversion.as_ref(), &false)?;
    same("expiry_datestamp", stated.expires_at.as_ref(), &bundle.expires_at)?;
    same("is_storage", stated.is_storage.as_ref(), &false)?;
    same("hash", stated.hash.as_ref(), &seal::hex(&bundle.hash))
}

fn same<T: PartialEq + Display>(member: &'static str, stated: Option<&T>, assigned: &T) -> Result<(), Refusal> {
    match stated {
        Some(stated) if stated != assigned => Err(Refusal::StatementDiffers { member, expected: assigned.to_string() }),
        Some(_) | None => Ok(()),
    }
}
