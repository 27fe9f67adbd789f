//! Problems of storage records.

use super::Kind;
use axum::http::StatusCode;
use domain::StorageRefusal;

kinds! { KINDS
    SCR_MISSING = "scr_missing" NOT_FOUND "Charge record not found"
        "The storage charge record does not exist, or is not one of the device's.";
    SDR_MISSING = "sdr_missing" NOT_FOUND "Discharge record not found" "The storage discharge record does not exist.";
    NOT_STORAGE = "not_storage" BAD_REQUEST "Not a storage device"
        "Charge and discharge are recorded for devices whose type is storage.";
    NO_READING = "no_reading" BAD_REQUEST "No reading of just this interval"
        "A storage record stands on one accepted reading of its device and has its interval. Submit the reading first.";
    WRONG_DIRECTION = "wrong_direction" BAD_REQUEST "The reading goes the other way"
        "A charge stands on a reading below 0 Wh, a discharge on one above.";
    NOT_RECORDABLE = "not_recordable" BAD_REQUEST "Nothing can be recorded there"
        "The device is not approved, the reading is an estimate, or it is more than the device's capacity allows. The member cause names the rule.";
    ABOVE_ACCEPTED = "above_accepted" BAD_REQUEST "More than the reading says"
        "The standing records of a reading are together at most what it says.";
    RANGE_TOO_LARGE = "range_too_large" BAD_REQUEST "More certificates than were charged"
        "The certificates that are allocated to a charge record are at most its energy.";
    RANGE_NOT_HELD = "range_not_held" NOT_FOUND "No such certificates in the account"
        "The certificates that are allocated lie in one bundle of the storage device's account. More than were cancelled, or those of another account, cannot be allocated.";
    NOT_CANCELLED_FOR_STORAGE = "not_cancelled_for_storage" BAD_REQUEST "Not cancelled for storage"
        "Only certificates that were cancelled with the purpose storage can be allocated: any other cancellation is somebody's use already.";
    PRODUCED_ELSEWHEN = "produced_elsewhen" BAD_REQUEST "Produced at another time"
        "Certificates that are allocated were produced within the interval of the charge.";
    BUNDLE_ALLOCATED = "bundle_allocated" BAD_REQUEST "Allocated to a charge record"
        "A storage charge record stands on the bundle. It cannot be allocated again or withdrawn before that record is.";
    NOTHING_CHARGED = "nothing_charged" BAD_REQUEST "Nothing was charged before"
        "A discharge draws on charges that ended before it began, and none of the device is recorded.";
    METHOD_MISSING = "method_missing" BAD_REQUEST "The allocation method is missing"
        "The first discharge record of a device states how it draws on charges; that holds from then on.";
    METHOD_FIXED = "method_fixed" BAD_REQUEST "The allocation method is fixed"
        "The first discharge record of the device fixed the method. Later ones state the same or none.";
    EFFICIENCY_MISSING = "efficiency_missing" BAD_REQUEST "The efficiency factor is missing"
        "State the interval that the factor is taken over, with the state of charge at its start and end. Later records take the last one over.";
    EFFICIENCY_TOO_LONG = "efficiency_too_long" BAD_REQUEST "The interval is too long"
        "An efficiency factor is taken over at most 366 days.";
    EFFICIENCY_IN_FUTURE = "efficiency_in_future" BAD_REQUEST "The interval is not over"
        "An efficiency factor is taken over an interval that has ended.";
    EFFICIENCY_BEFORE_OPERATION = "efficiency_before_operation" BAD_REQUEST "Before the device was operational"
        "The interval of an efficiency factor starts at the device's start-up or later.";
    EFFICIENCY_TOO_LATE = "efficiency_too_late" BAD_REQUEST "Too late for a first efficiency factor"
        "The interval of a device's first efficiency factor ends within six calendar months of its start-up.";
    EFFICIENCY_IMPOSSIBLE = "efficiency_impossible" BAD_REQUEST "No efficiency that a device can have"
        "Energy out and the change of the state of charge, over energy in, is above 0 and at most 1. The problem names what the readings say.";
    PICKS_NOT_ASKED = "picks_not_asked" BAD_REQUEST "The method says what is drawn"
        "Only by the operator's discretion it is stated what is drawn of which charge.";
    PICK_REPEATED = "pick_repeated" BAD_REQUEST "A charge is named twice" "Name each charge record once.";
    PICK_NOT_OPEN = "pick_not_open" BAD_REQUEST "The charge does not hold so much"
        "Of a charge no more is drawn than is left of it, and only after it ended.";
    PICKS_DIFFER = "picks_differ" BAD_REQUEST "Not what the discharge draws"
        "What is stated is together the energy over the efficiency factor, rounded up, or all that is left.";
    SCR_DRAWN = "scr_drawn" BAD_REQUEST "Discharges draw on it"
        "Withdraw the discharge records that draw on the charge first.";
    SDR_ISSUED = "sdr_issued" BAD_REQUEST "Certificates stand on it"
        "Withdraw the certificates that were issued on the discharge first.";
    SDR_WITHDRAWN = "sdr_withdrawn" BAD_REQUEST "The discharge record was withdrawn"
        "Nothing is issued on a record that was withdrawn. Record the discharge anew.";
    NOTHING_TO_ISSUE = "nothing_to_issue" BAD_REQUEST "Nothing is left to issue"
        "What the discharge drew of certificates is issued, or it drew on none.";
    DEVICE_HAS_UNISSUED = "device_has_unissued" BAD_REQUEST "Certificates of a discharge are not issued"
        "Issue the certificates of the device's discharge records, or withdraw those records, before it is deleted.";
}

pub(super) fn of_refusal(refusal: &StorageRefusal) -> &'static Kind {
    match refusal {
        StorageRefusal::ScrMissing { .. } => &SCR_MISSING,
        StorageRefusal::SdrMissing { .. } => &SDR_MISSING,
        StorageRefusal::NotStorage { .. } => &NOT_STORAGE,
        StorageRefusal::NoReading { .. } => &NO_READING,
        StorageRefusal::WrongDirection { .. } => &WRONG_DIRECTION,
        StorageRefusal::NotRecordable { .. } => &NOT_RECORDABLE,
        StorageRefusal::AboveAccepted { .. } => &ABOVE_ACCEPTED,
        StorageRefusal::RangeTooLarge { .. } => &RANGE_TOO_LARGE,
        StorageRefusal::RangeNotHeld { .. } => &RANGE_NOT_HELD,
        StorageRefusal::NotCancelledForStorage { .. } => &NOT_CANCELLED_FOR_STORAGE,
        StorageRefusal::ProducedElsewhen { .. } => &PRODUCED_ELSEWHEN,
        StorageRefusal::BundleAllocated { .. } => &BUNDLE_ALLOCATED,
        StorageRefusal::NothingCharged { .. } => &NOTHING_CHARGED,
        StorageRefusal::MethodMissing { .. } => &METHOD_MISSING,
        StorageRefusal::MethodFixed { .. } => &METHOD_FIXED,
        StorageRefusal::EfficiencyMissing { .. } => &EFFICIENCY_MISSING,
        StorageRefusal::EfficiencyTooLong { .. } => &EFFICIENCY_TOO_LONG,
        StorageRefusal::EfficiencyInFuture { .. } => &EFFICIENCY_IN_FUTURE,
        StorageRefusal::EfficiencyBeforeOperation { .. } => &EFFICIENCY_BEFORE_OPERATION,
        StorageRefusal::EfficiencyTooLate { .. } => &EFFICIENCY_TOO_LATE,
        StorageRefusal::EfficiencyImpossible { .. } => &EFFICIENCY_IMPOSSIBLE,
        StorageRefusal::PicksNotAsked { .. } => &PICKS_NOT_ASKED,
        StorageRefusal::PickRepeated { .. } => &PICK_REPEATED,
        StorageRefusal::PickNotOpen { .. } => &PICK_NOT_OPEN,
        StorageRefusal::PicksDiffer { .. } => &PICKS_DIFFER,
        StorageRefusal::ScrDrawn { .. } => &SCR_DRAWN,
        StorageRefusal::SdrIssued { .. } => &SDR_ISSUED,
        StorageRefusal::SdrWithdrawn { .. } => &SDR_WITHDRAWN,
        StorageRefusal::NothingToIssue { .. } => &NOTHING_TO_ISSUE,
        StorageRefusal::DeviceHasUnissued { .. } => &DEVICE_HAS_UNISSUED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AccountId, AllocationMethod, BundleId, DeviceId, ReadingRefusal, Refusal, ScrId, SdrId, WattHours};

    #[test]
    fn the_slug_of_a_refusal_is_its_reason() {
        let (device_id, start, end) = (DeviceId(1), jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::UNIX_EPOCH);
        let (scr_id, bundle_id, account_id) = (ScrId(1), BundleId(1), AccountId(1));
        let (method, one) = (AllocationMethod::Fifo, WattHours(1));
        for refusal in [
            StorageRefusal::ScrMissing { scr_id },
            StorageRefusal::SdrMissing { sdr_id: SdrId(1) },
            StorageRefusal::NotStorage { device_id },
            StorageRefusal::NoReading { device_id, start, end },
            StorageRefusal::WrongDirection { device_id, start, energy_wh: 1, needed: "charge" },
            StorageRefusal::NotRecordable { device_id, start, cause: ReadingRefusal::Estimated },
            StorageRefusal::AboveAccepted { device_id, start, accepted_wh: one, recorded_wh: one, asked_wh: one },
            StorageRefusal::RangeTooLarge { energy_wh: one, range_wh: one },
            StorageRefusal::RangeNotHeld { account_id, issuance_id: String::new(), first: 1, last: 2 },
            StorageRefusal::NotCancelledForStorage { bundle_id },
            StorageRefusal::ProducedElsewhen { bundle_id, start, end },
            StorageRefusal::BundleAllocated { bundle_id, scr_id },
            StorageRefusal::NothingCharged { device_id, start },
            StorageRefusal::MethodMissing { device_id },
            StorageRefusal::MethodFixed { device_id, method },
            StorageRefusal::EfficiencyMissing { device_id },
            StorageRefusal::EfficiencyTooLong { days: 1 },
            StorageRefusal::EfficiencyInFuture { end },
            StorageRefusal::EfficiencyBeforeOperation { operational_date: start },
            StorageRefusal::EfficiencyTooLate { until: end },
            StorageRefusal::EfficiencyImpossible {
                input_wh: one,
                output_wh: one,
                charge_before_wh: one,
                charge_after_wh: one,
            },
            StorageRefusal::PicksNotAsked { method },
            StorageRefusal::PickRepeated { scr_id },
            StorageRefusal::PickNotOpen { scr_id, open_wh: one, asked_wh: one },
            StorageRefusal::PicksDiffer { needed_wh: one, asked_wh: one },
            StorageRefusal::ScrDrawn { scr_id, drawn_wh: one },
            StorageRefusal::SdrIssued { sdr_id: SdrId(1), live_wh: one },
            StorageRefusal::SdrWithdrawn { sdr_id: SdrId(1) },
            StorageRefusal::NothingToIssue { sdr_id: SdrId(1) },
            StorageRefusal::DeviceHasUnissued { device_id, sdr_id: SdrId(1) },
        ] {
            // as the problem is made: within the refusal of a command
            let reason = serde_json::to_value(Refusal::from(refusal.clone())).unwrap()["reason"].clone();
            assert_eq!(of_refusal(&refusal).slug, reason, "{refusal:?}");
        }
    }
}
