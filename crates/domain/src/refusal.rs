//! Why a rule says no. A closed list; each refusal carries the numbers its reader needs, and no HTTP.

mod storage;

pub use storage::StorageRefusal;

use crate::{
    AccountId, BundleId, BundleStatus, DeviceId, Interval, MeasurementId, MetadataId, OrganisationId, RecurringOrderId,
    UserId, WattHours,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a command is refused. Nothing of it was carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Refusal {
    #[error("This needs {needs}.")]
    Forbidden { needs: String },
    #[error("User with id {user_id} not found")]
    UserMissing { user_id: UserId },
    #[error("Organisation with id {organisation_id} not found")]
    OrganisationMissing { organisation_id: OrganisationId },
    #[error("Account with id {account_id} not found")]
    AccountMissing { account_id: AccountId },
    #[error("Account ID to add not found: {account_id}")]
    WhitelistAccountMissing { account_id: AccountId },
    #[error("Cannot add an account to its own whitelist.")]
    WhitelistIsSelf { account_id: AccountId },
    #[error("Device with id {device_id} not found")]
    DeviceMissing { device_id: DeviceId },
    #[error("Issuance metadata with id {metadata_id} not found")]
    MetadataMissing { metadata_id: MetadataId },
    #[error("User {user_id} is the last Registry Administrator")]
    LastAdministrator { user_id: UserId },
    #[error("Account {account_id} holds bundle {bundle_id}, which is {status}")]
    AccountHoldsBundles { account_id: AccountId, bundle_id: BundleId, status: BundleStatus },
    #[error("Account {account_id} has device {device_id}, which is not deleted")]
    AccountHasDevices { account_id: AccountId, device_id: DeviceId },
    #[error("Device {device_id} stays in its account and does not move to account {account_id}")]
    DeviceStays { device_id: DeviceId, account_id: AccountId },
    #[error("The {field} of device {device_id} cannot become this, because readings were accepted of it")]
    DeviceMeasured { device_id: DeviceId, field: &'static str },
    #[error("Device {device_id} has a reading from {start} that is to be issued")]
    DeviceHasPendingReadings { device_id: DeviceId, start: Timestamp },
    #[error("{field} is already used: {value}")]
    Taken { field: &'static str, value: String },
    #[error("{field} has more than {max} entries")]
    TooMany { field: &'static str, max: usize },

    #[error("The target account must differ from the source account {source_id}")]
    TargetIsSource { source_id: AccountId },
    /// Also where the target does not exist: whether it does is not the caller's business.
    #[error("Account {target_id} has not whitelisted account {source_id}, so nothing can be transferred to it")]
    NotWhitelisted { source_id: AccountId, target_id: AccountId },
    #[error("Bundle {bundle_id} not found in account {source_id}")]
    BundleMissing { source_id: AccountId, bundle_id: BundleId },
    #[error("Bundle {bundle_id} is named twice")]
    BundleRepeated { bundle_id: BundleId },
    #[error("No bundle is named")]
    NoBundles,
    #[error("Bundle {bundle_id} is {status}; it must be {}", one_of(needed))]
    WrongState { bundle_id: BundleId, status: BundleStatus, needed: Vec<BundleStatus> },
    #[error("Bundle {bundle_id} was cancelled for storage and cannot be claimed")]
    CancelledForStorage { bundle_id: BundleId },
    #[error("Bundle {bundle_id} can only be claimed by its beneficiary's account")]
    NotBeneficiary { bundle_id: BundleId },
    #[error("The quantity must be at least 1 Wh")]
    QuantityZero,
    #[error("The share must be above 0 and at most 1")]
    ShareOutOfRange,
    #[error("{asked} Wh are asked, the selection holds {held} Wh")]
    NotEnough { held: WattHours, asked: WattHours },
    #[error("The share takes less than 1 Wh of every bundle")]
    NothingPicked,
    #[error("A reason is required")]
    ReasonMissing,
    #[error("Nothing can be issued for device {device_id} from {start}: {cause}")]
    NotIssuable { device_id: DeviceId, start: Timestamp, cause: ReadingRefusal },
    /// The registry assigns it; a statement can only repeat it.
    #[error("{member} must be {expected}")]
    StatementDiffers { member: &'static str, expected: String },
    /// Also where the order is not the caller's.
    #[error("Recurring order with id {order_id} not found")]
    OrderMissing { order_id: RecurringOrderId },
    #[error("Recurring order {order_id} has ended")]
    OrderOver { order_id: RecurringOrderId },
    /// Another process has done it, or what it is to act on was used meanwhile: the registry looks again.
    #[error("Recurring order {order_id} has moved on")]
    OrderMoved { order_id: RecurringOrderId },
    #[error("Nothing of device {device_id} can ever match: {cause}")]
    NeverMatches { device_id: DeviceId, cause: &'static str },
    #[error("Account {source_id} holds nothing Active that matches")]
    NothingMatches { source_id: AccountId },
    #[error("The first date {first_at} has passed; it must be at or after {earliest}")]
    DatePassed { first_at: Timestamp, earliest: Timestamp },
    #[error("Neither an account nor a status is stated")]
    NothingStated,
    #[error("A correction cannot make a bundle {status}")]
    NotCorrectable { status: BundleStatus },

    #[error("Measurement with id {measurement_id} not found")]
    MeasurementMissing { measurement_id: MeasurementId },
    #[error("Measurement {measurement_id} was superseded by measurement {superseded_by}")]
    ReadingSuperseded { measurement_id: MeasurementId, superseded_by: MeasurementId },
    #[error("Measurement {measurement_id} is the sum of its hour's readings; correct one of them")]
    ReadingSummed { measurement_id: MeasurementId },
    #[error("{field} of a reading never changes; delete the reading and submit another")]
    ReadingFixed { field: &'static str },
    /// The one reading of a request is not accepted.
    #[error("The reading is not accepted: {cause}")]
    ReadingRefused { cause: ReadingRefusal },
    #[error("Certificates were issued on this interval's reading of {reading_wh} Wh; it can only be corrected")]
    AlreadyIssued { reading_wh: i64 },
    #[error("Nothing is held on the interval of measurement {measurement_id}")]
    NothingHeld { measurement_id: MeasurementId },

    /// The job has moved on: another process has carried out this part of it.
    #[error("This part of the job was already carried out")]
    JobMoved,

    #[error(transparent)]
    #[serde(untagged)]
    Storage(#[from] StorageRefusal),
}

fn one_of(states: &[BundleStatus]) -> String {
    let names: Vec<&str> = states.iter().map(|s| s.name()).collect();
    names.join(" or ")
}

/// Why one reading is not accepted, or nothing is issued for it. The rows beside it are not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum ReadingRefusal {
    /// Also where the device is not the caller's.
    #[error("Device with id {device_id} not found")]
    DeviceMissing { device_id: DeviceId },
    #[error("readings of a device on which certificates were issued come from the measurement body")]
    NotProducers,
    #[error("the interval is {seconds} s long; at least {min} s and at most {max} s are allowed")]
    IntervalLength { seconds: i64, min: i64, max: i64 },
    #[error("the interval ends in the future, at {end}")]
    InFuture { end: Timestamp },
    #[error("the interval starts before the device became operational, at {operational_date}")]
    BeforeOperation { operational_date: Timestamp },
    #[error("the energy of a device that is not storage must be at least 0 Wh, not {energy_wh}")]
    NegativeEnergy { energy_wh: i64 },
    #[error("the energy must lie within ±{max} Wh")]
    TooLarge { max: u64 },
    #[error("the device's meter counts {fixed}, as its first reading says")]
    GrossNetDiffers { fixed: crate::GrossNet },
    #[error("the interval overlaps the reading from {start} to {end} of the same device")]
    Overlaps { start: Timestamp, end: Timestamp },
    #[error("certificates were issued on this interval's reading of {issued_wh} Wh")]
    AlreadyIssued { issued_wh: i64 },
    #[error("a storage record stands on this interval's reading of {recorded_wh} Wh")]
    Recorded { recorded_wh: i64 },

    #[error("the device is not a production device")]
    NotProduction,
    #[error("the device is not approved")]
    NotApproved,
    #[error("the value is estimated; only measured and calculated values are issued")]
    Estimated,
    #[error("the reading is 0 Wh")]
    ZeroEnergy,
    #[error("{held_wh} Wh were withdrawn here and are held until they are released")]
    Held { held_wh: WattHours },
    #[error("{asked_wh} Wh are more than the device can make in the interval, {limit_wh} Wh with margin")]
    AboveCapacity { asked_wh: WattHours, limit_wh: WattHours },
    #[error("the certificates would expire after the year 9999")]
    NoExpiry,
    #[error("certificates are issued by the hour, and the reading goes on in the next one, until {end}")]
    HourCrossed { end: Timestamp },
    #[error("certificates are issued by the hour, and that from {hour} has no reading from {missing} on")]
    HourIncomplete { hour: Timestamp, missing: Timestamp },
    #[error("certificates are issued by the hour, and the reading from {start} is estimated")]
    HourEstimated { start: Timestamp },
    #[error("{unrecorded_wh} Wh of it are in no storage record yet")]
    Unrecorded { unrecorded_wh: WattHours },
}

impl From<ReadingRefusal> for Refusal {
    /// Of a request that is about one reading alone.
    fn from(refusal: ReadingRefusal) -> Self {
        match refusal {
            ReadingRefusal::DeviceMissing { device_id } => Self::DeviceMissing { device_id },
            ReadingRefusal::AlreadyIssued { issued_wh } => Self::AlreadyIssued { reading_wh: issued_wh },
            ReadingRefusal::NotProducers => {
                let roles = "the role Registry Administrator or Measurement Body";
                Self::Forbidden { needs: format!("{roles}, as certificates were issued on the device") }
            }
            ReadingRefusal::IntervalLength { .. }
            | ReadingRefusal::InFuture { .. }
            | ReadingRefusal::BeforeOperation { .. }
            | ReadingRefusal::NegativeEnergy { .. }
            | ReadingRefusal::TooLarge { .. }
            | ReadingRefusal::GrossNetDiffers { .. }
            | ReadingRefusal::Recorded { .. }
            | ReadingRefusal::Overlaps { .. }
            | ReadingRefusal::NotProduction
            | ReadingRefusal::NotApproved
            | ReadingRefusal::Estimated
            | ReadingRefusal::ZeroEnergy
            | ReadingRefusal::Held { .. }
            | ReadingRefusal::AboveCapacity { .. }
            | ReadingRefusal::NoExpiry
            | ReadingRefusal::HourCrossed { .. }
            | ReadingRefusal::HourIncomplete { .. }
            | ReadingRefusal::HourEstimated { .. }
            | ReadingRefusal::Unrecorded { .. } => Self::ReadingRefused { cause: refusal },
        }
    }
}

impl ReadingRefusal {
    pub(crate) fn interval_length(interval: Interval, max: jiff::SignedDuration) -> Self {
        Self::IntervalLength {
            seconds: interval.duration().as_secs(),
            min: crate::time::INTERVAL_MIN.as_secs(),
            max: max.as_secs(),
        }
    }
}

/// Why one row of a seed's database is not adopted. The rows beside it are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum SeedRefusal {
    #[error("the id {id} is not free, or not after those before it")]
    IdUsed { id: i64 },
    #[error("user {user_id} was not taken over")]
    UserMissing { user_id: UserId },
    #[error("account {account_id} was not taken over")]
    AccountMissing { account_id: AccountId },
    #[error("issuance metadata {metadata_id} was not taken over")]
    MetadataMissing { metadata_id: MetadataId },
    #[error("{field} is already used: {value}")]
    Taken { field: &'static str, value: String },
    #[error("account {account_id} is on its own whitelist")]
    OwnWhitelist { account_id: AccountId },

    #[error("bundle {bundle_id} is {status}: for whom it was cancelled is missing, or has no place there")]
    CancellationMisplaced { bundle_id: BundleId, status: BundleStatus },
    #[error("bundle {bundle_id} is split and has not two later parts, or is not split and has some, or holds nothing")]
    FamilyMalformed { bundle_id: BundleId },
    #[error("bundle {bundle_id} was split into more than {max} bundles")]
    FamilyTooLarge { bundle_id: BundleId, max: usize },
    #[error("the parts of bundle {bundle_id} hold {parts_wh} Wh; it holds {whole_wh} Wh")]
    PartsDiffer { bundle_id: BundleId, whole_wh: WattHours, parts_wh: WattHours },
    #[error("its certificates begin with {first}; those below {next} are taken by an earlier bundle of the device")]
    CertificatesTaken { first: u64, next: u64 },
    #[error("{live_wh} Wh would be live on a reading of {accepted_wh} Wh")]
    AboveReading { live_wh: WattHours, accepted_wh: WattHours },
    #[error(transparent)]
    #[serde(untagged)]
    Reading(#[from] ReadingRefusal),
}
