//! Devices change and go.
//!
//! Refusals of a change, in order: forbidden; the device is missing, which a deleted one is, and for a producer one that is
//! not of an own account; it would leave its account; its kind or its meter would change, or it would become operational
//! later, after readings were accepted of it (they would be another's readings then); its meter is taken. Of a deletion: forbidden; missing; a reading is pending; certificates of a
//! discharge are not issued.
//!
//! Certificates state a device as it was at issue: any change of that makes a new version, which the next certificates take
//! a snapshot of. A producer's change of anything but the name waits for approval.

use super::edit::{Edit, edited};
use super::register::{Decision, free};
use super::{Outcome, Rules, issue};
use crate::state::METER_DATA_ID;
use crate::{
    AccountId, Actor, Capability, Change, Device, DeviceDescription, DeviceId, DeviceKind, EnergySource, Refusal, Role,
    State, StorageRefusal,
};
use jiff::Timestamp;

/// What changes of a device. Absent members stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceUpdate {
    pub device_id: DeviceId,
    /// May only be the account that it has.
    pub account_id: Option<AccountId>,
    pub name: Option<String>,
    pub grid: Option<String>,
    pub energy_source: Option<EnergySource>,
    pub technology_type: Option<String>,
    pub operational_date: Option<Timestamp>,
    pub capacity_watts: Option<u64>,
    pub peak_demand_watts: Option<u64>,
    pub location: Option<String>,
    pub meter_data_id: Edit<String>,
    pub kind: Option<KindUpdate>,
}

/// What becomes of a device's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindUpdate {
    To(DeviceKind),
    /// Anything but storage: what was storage produces.
    NoStorage,
}

impl DeviceUpdate {
    /// A change of nothing.
    pub fn of(device_id: DeviceId) -> Self {
        Self {
            device_id,
            account_id: None,
            name: None,
            grid: None,
            energy_source: None,
            technology_type: None,
            operational_date: None,
            capacity_watts: None,
            peak_demand_watts: None,
            location: None,
            meter_data_id: Edit::Keep,
            kind: None,
        }
    }

    fn description(&self, before: &DeviceDescription) -> DeviceDescription {
        let kind = match self.kind {
            Some(KindUpdate::To(kind)) => kind,
            Some(KindUpdate::NoStorage) if before.kind == DeviceKind::Storage => DeviceKind::Production,
            None | Some(KindUpdate::NoStorage) => before.kind,
        };
        DeviceDescription {
            name: edited(self.name.as_ref(), &before.name),
            grid: edited(self.grid.as_ref(), &before.grid),
            energy_source: edited(self.energy_source.as_ref(), &before.energy_source),
            technology_type: edited(self.technology_type.as_ref(), &before.technology_type),
            operational_date: edited(self.operational_date.as_ref(), &before.operational_date),
            capacity_watts: edited(self.capacity_watts.as_ref(), &before.capacity_watts),
            peak_demand_watts: edited(self.peak_demand_watts.as_ref(), &before.peak_demand_watts),
            location: edited(self.location.as_ref(), &before.location),
            meter_data_id: self.meter_data_id.of(before.meter_data_id.as_ref()),
            kind,
        }
    }
}

pub(super) fn update(state: &State, actor: Actor, update: &DeviceUpdate) -> Decision {
    let id = update.device_id;
    let before = changeable(state, actor, id)?;
    if let Some(account_id) = update.account_id.filter(|account| *account != before.account_id) {
        return Err(Refusal::DeviceStays { device_id: id, account_id });
    }
    let description = update.description(&before.description);
    let (was, is) = (&before.description, &description);
    if before.gross_net.is_some() {
        if is.kind != was.kind {
            return Err(Refusal::DeviceMeasured { device_id: id, field: "device_type" });
        }
        if was.meter_data_id.is_some() && is.meter_data_id != was.meter_data_id {
            return Err(Refusal::DeviceMeasured { device_id: id, field: METER_DATA_ID });
        }
        if is.operational_date > was.operational_date {
            return Err(Refusal::DeviceMeasured { device_id: id, field: "operational_date" });
        }
    }
    if let Some(meter) = is.meter_data_id.as_ref().filter(|meter| was.meter_data_id.as_ref() != Some(*meter)) {
        free(state, METER_DATA_ID, meter)?;
    }
    if is == was {
        return Ok((Vec::new(), Outcome::Device(id)));
    }
    let only_name = DeviceDescription { name: is.name.clone(), ..was.clone() } == *is;
    let keeps_approval = only_name || state.permits(actor, Capability::ManageDevices);
    let after = Device {
        description,
        version: before.version + 1,
        is_approved: before.is_approved && keeps_approval,
        ..before.clone()
    };
    let change = Change::DeviceChanged { before: Box::new(before.clone()), after: Box::new(after) };
    Ok((vec![change], Outcome::Device(id)))
}

/// The device, if the actor may change it.
fn changeable(state: &State, actor: Actor, id: DeviceId) -> Result<&Device, Refusal> {
    let missing = Refusal::DeviceMissing { device_id: id };
    if !state.permits(actor, Capability::ManageDevices) && !state.has_role(actor, Role::ProductionUser) {
        let registrars = "the role Registry Administrator or Production Registrar";
        let needs = format!("{registrars}, or the role Production User and membership of the device's account");
        return Err(Refusal::Forbidden { needs });
    }
    let device = state.live_device(id).ok_or(missing.clone())?;
    if state.permits(actor, Capability::ChangeDevice(device.account_id)) { Ok(device) } else { Err(missing) }
}

/// Deleting again changes nothing.
pub(super) fn delete(state: &State, actor: Actor, id: DeviceId, now: Timestamp, rules: &Rules) -> Decision {
    state.require(actor, Capability::ManageDevices)?;
    let device = state.devices.get(&id).ok_or(Refusal::DeviceMissing { device_id: id })?;
    if device.is_deleted {
        return Ok((Vec::new(), Outcome::Device(id)));
    }
    // Approval may still come, so a reading that waits for it is pending too.
    let approved = Device { is_approved: true, ..device.clone() };
    let is_pending = |place| matches!(issue::issuable(&approved, place, now, rules), Ok(Some(_)));
    let mut places = state.places.iter().filter(|((_, device_id), _)| *device_id == id);
    if let Some(((start, _), _)) = places.find(|(_, place)| is_pending(place)) {
        return Err(Refusal::DeviceHasPendingReadings { device_id: id, start: *start });
    }
    if let Some(sdr_id) = state.storage.unissued.get(&id) {
        return Err(StorageRefusal::DeviceHasUnissued { device_id: id, sdr_id: *sdr_id }.into());
    }
    Ok((vec![Change::DeviceDeleted(id)], Outcome::Device(id)))
}
