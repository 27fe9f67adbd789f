//! Why a storage record, or a certificate on it, is refused.

use crate::{AccountId, AllocationMethod, BundleId, DeviceId, ReadingRefusal, ScrId, SdrId, WattHours};
use jiff::Timestamp;
use serde::Serialize;

/// Why a command on storage is refused, beside what it shares with others. Nothing of it was carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum StorageRefusal {
    #[error("Storage charge record with id {scr_id} not found")]
    ScrMissing { scr_id: ScrId },
    #[error("Storage discharge record with id {sdr_id} not found")]
    SdrMissing { sdr_id: SdrId },
    #[error("Device {device_id} is not a storage device")]
    NotStorage { device_id: DeviceId },
    #[error("Device {device_id} has no accepted reading from {start} to {end}")]
    NoReading { device_id: DeviceId, start: Timestamp, end: Timestamp },
    #[error("The reading of device {device_id} from {start} is {energy_wh} Wh, which is no {needed}")]
    WrongDirection { device_id: DeviceId, start: Timestamp, energy_wh: i64, needed: &'static str },
    #[error("Nothing can be recorded for device {device_id} from {start}: {cause}")]
    NotRecordable { device_id: DeviceId, start: Timestamp, cause: ReadingRefusal },
    #[error(
        "The reading of device {device_id} from {start} is of {accepted_wh} Wh, of which {recorded_wh} Wh are recorded; \
         {asked_wh} Wh more do not fit"
    )]
    AboveAccepted {
        device_id: DeviceId,
        start: Timestamp,
        accepted_wh: WattHours,
        recorded_wh: WattHours,
        asked_wh: WattHours,
    },

    #[error("The range holds {range_wh} Wh; the record is of {energy_wh} Wh")]
    RangeTooLarge { energy_wh: WattHours, range_wh: WattHours },
    #[error("No bundle of account {account_id} holds the certificates {first} to {last} of {issuance_id}")]
    RangeNotHeld { account_id: AccountId, issuance_id: String, first: u64, last: u64 },
    #[error("Bundle {bundle_id} was not cancelled for storage")]
    NotCancelledForStorage { bundle_id: BundleId },
    #[error("Bundle {bundle_id} was produced from {start} to {end}, which is not within the charge")]
    ProducedElsewhen { bundle_id: BundleId, start: Timestamp, end: Timestamp },
    #[error("Bundle {bundle_id} is allocated to storage charge record {scr_id}")]
    BundleAllocated { bundle_id: BundleId, scr_id: ScrId },

    #[error("Nothing that device {device_id} charged before {start} is recorded")]
    NothingCharged { device_id: DeviceId, start: Timestamp },
    #[error("The first discharge record of device {device_id} states its allocation method")]
    MethodMissing { device_id: DeviceId },
    #[error("Device {device_id} allocates by {method}, as its first discharge record says")]
    MethodFixed { device_id: DeviceId, method: AllocationMethod },
    #[error("Device {device_id} has no efficiency factor yet; state the interval that it is taken over")]
    EfficiencyMissing { device_id: DeviceId },
    #[error("The interval of an efficiency factor is at most {days} days long")]
    EfficiencyTooLong { days: i64 },
    #[error("The interval of the efficiency factor ends in the future, at {end}")]
    EfficiencyInFuture { end: Timestamp },
    #[error("The interval of the efficiency factor starts before the device became operational, at {operational_date}")]
    EfficiencyBeforeOperation { operational_date: Timestamp },
    #[error("The interval of a device's first efficiency factor ends within six months of its start-up, by {until}")]
    EfficiencyTooLate { until: Timestamp },
    #[error(
        "{output_wh} Wh came out of {input_wh} Wh, and the charge went from {charge_before_wh} Wh to {charge_after_wh} \
         Wh; an efficiency factor is above 0 and at most 1"
    )]
    EfficiencyImpossible {
        input_wh: WattHours,
        output_wh: WattHours,
        charge_before_wh: WattHours,
        charge_after_wh: WattHours,
    },
    #[error("The allocation method {method} says itself what is drawn")]
    PicksNotAsked { method: AllocationMethod },
    #[error("Storage charge record {scr_id} is named twice")]
    PickRepeated { scr_id: ScrId },
    #[error("{asked_wh} Wh are asked of storage charge record {scr_id}, which has {open_wh} Wh left at that time")]
    PickNotOpen { scr_id: ScrId, open_wh: WattHours, asked_wh: WattHours },
    #[error("The discharge draws {needed_wh} Wh; {asked_wh} Wh are stated")]
    PicksDiffer { needed_wh: WattHours, asked_wh: WattHours },

    #[error("{drawn_wh} Wh of storage charge record {scr_id} are drawn by discharge records")]
    ScrDrawn { scr_id: ScrId, drawn_wh: WattHours },
    #[error("{live_wh} Wh of certificates stand on storage discharge record {sdr_id}")]
    SdrIssued { sdr_id: SdrId, live_wh: WattHours },
    #[error("Storage discharge record {sdr_id} was withdrawn")]
    SdrWithdrawn { sdr_id: SdrId },
    #[error("All certificates of storage discharge record {sdr_id} are issued, or it draws on none")]
    NothingToIssue { sdr_id: SdrId },

    #[error("Device {device_id} has certificates to be issued on storage discharge record {sdr_id}")]
    DeviceHasUnissued { device_id: DeviceId, sdr_id: SdrId },
}
