//! What storage took in and gave out is recorded against its readings, and certified on its way out.
//!
//! A charge record (SCR) may be backed by certificates that were cancelled for storage; a discharge record (SDR) draws on
//! charges by the device's method; certificates (SD-GC) are issued on what it drew of certificates. Withdrawals go backwards.
//! Rules that the records share are here: a storage device that is approved; an accepted reading of just the interval, of
//! the right direction and not estimated; at least 1 Wh; within capacity × duration × margin; within what is left of the
//! reading.

pub(super) mod scr;
pub(super) mod sdgc;
pub(super) mod sdr;

pub use scr::{Allocation, CreateScr};
pub use sdr::{CreateSdr, Pick};

use super::Rules;
use crate::{
    AccountId, Device, DeviceId, DeviceKind, EnergySource, Interval, Quality, ReadingRefusal, Refusal, State,
    StorageRefusal, WattHours,
};

/// What a reading of storage says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Charge,
    Discharge,
}

/// What is to be recorded against a reading.
struct Record {
    device_id: DeviceId,
    interval: Interval,
    energy: WattHours,
    direction: Direction,
    /// What records of the same reading hold.
    recorded: WattHours,
}

/// The device, if it is storage and approved.
fn storage_device(state: &State, device_id: DeviceId) -> Result<&Device, Refusal> {
    let device = state.live_device(device_id).ok_or(Refusal::DeviceMissing { device_id })?;
    if device.description.kind != DeviceKind::Storage {
        return Err(StorageRefusal::NotStorage { device_id }.into());
    }
    Ok(device)
}

/// Whether the record fits its device and its reading; in the order of the module's head.
fn check_record(state: &State, device: &Device, record: &Record, rules: &Rules) -> Result<(), Refusal> {
    let Record { device_id, interval, energy, direction, recorded } = *record;
    let start = interval.start();
    let not_recordable = |cause| Refusal::from(StorageRefusal::NotRecordable { device_id, start, cause });
    if !device.is_approved {
        return Err(not_recordable(ReadingRefusal::NotApproved));
    }
    let current = state.readings.get(&(device_id, start)).map(|current| current.measurement.reading);
    let reading = current.filter(|reading| reading.interval == interval);
    let reading = reading.ok_or(StorageRefusal::NoReading { device_id, start, end: interval.end() })?;
    let (is_right, needed) = match direction {
        Direction::Charge => (reading.energy_wh < 0, "charge"),
        Direction::Discharge => (reading.energy_wh > 0, "discharge"),
    };
    if !is_right {
        let energy_wh = reading.energy_wh;
        return Err(StorageRefusal::WrongDirection { device_id, start, energy_wh, needed }.into());
    }
    if reading.quality == Quality::Estimated {
        return Err(not_recordable(ReadingRefusal::Estimated));
    }
    if energy == WattHours::ZERO {
        return Err(Refusal::QuantityZero);
    }
    let asked_wh = recorded.checked_add(energy).unwrap_or(WattHours(u64::MAX));
    let limit_wh = rules.capacity_margin.of_power(device.description.capacity_watts, interval.micros());
    if asked_wh > limit_wh {
        return Err(not_recordable(ReadingRefusal::AboveCapacity { asked_wh, limit_wh }));
    }
    let accepted_wh = WattHours(reading.energy_wh.unsigned_abs());
    if asked_wh > accepted_wh {
        let (recorded_wh, asked_wh) = (recorded, energy);
        return Err(StorageRefusal::AboveAccepted { device_id, start, accepted_wh, recorded_wh, asked_wh }.into());
    }
    Ok(())
}

/// An energy source that is stated is the one that all certificates are of; `sources` are theirs.
fn check_source(stated: Option<EnergySource>, sources: &[EnergySource]) -> Result<(), Refusal> {
    let Some(stated) = stated else { return Ok(()) };
    if !sources.is_empty() && sources.iter().all(|source| *source == stated) {
        return Ok(());
    }
    let mut names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
    names.sort_unstable();
    names.dedup();
    let expected = if names.is_empty() { "null".to_owned() } else { names.join(", ") };
    Err(Refusal::StatementDiffers { member: "charging_energy_source", expected })
}

/// An account that is stated is the device's.
fn check_account(stated: Option<AccountId>, device: &Device) -> Result<(), Refusal> {
    match stated {
        Some(account) if account != device.account_id => {
            Err(Refusal::StatementDiffers { member: "account_id", expected: device.account_id.to_string() })
        }
        Some(_) | None => Ok(()),
    }
}
