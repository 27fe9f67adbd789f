//! What a registry of granular certificates is: values, rules and the bytes that are sealed.
//!
//! [`decide`] says what a command would change, or why nothing does; [`State::apply`] makes it so in memory, so that the
//! next command of the same batch sees it. Invariant: every rule that keeps a watt-hour from being counted twice is here
//! and nowhere else. Deliberately absent: clocks, randomness, I/O, databases, HTTP. Time, ids and salts are inputs.

pub mod access;
pub mod account;
pub mod action;
pub mod api_key;
pub mod bundle;
pub mod device;
pub mod energy;
pub mod event;
pub mod id;
pub mod measurement;
pub mod metadata;
pub mod organisation;
pub mod range;
pub mod recurring_order;
pub mod refusal;
pub mod seal;
pub mod state;
pub mod storage;
pub mod text;
pub mod time;
pub mod user;

pub use access::{Actor, Capability, Role, Roles};
pub use account::Account;
pub use action::{ActionKind, Command, Outcome, Portion, Rules, decide};
pub use api_key::{ApiKey, Scope, Scopes};
pub use bundle::{Bundle, BundleStatus, Cancellation, TRANSITIONS};
pub use device::{Device, DeviceDescription, DeviceKind, EnergyCarrier, EnergySource};
pub use energy::{Ratio, WattHours};
pub use id::{
    AccountId, ActionId, ApiKeyId, AttributesId, BundleId, DeviceId, DrawId, EventNumber, JobId, MeasurementId,
    MetadataId, OrganisationId, RecurringOrderId, RejectedActionId, ScrId, SdrId, UserId,
};
pub use measurement::{GrossNet, Measurement, Quality, Reading, ReadingSource, ReadingStatus};
pub use metadata::{CertificateAttributes, IssuanceMetadata, MetadataDescription};
pub use organisation::{Organisation, OrganisationDescription};
pub use range::CertificateRange;
pub use recurring_order::{RecurringOrder, Schedule};
pub use refusal::{ReadingRefusal, Refusal, SeedRefusal, StorageRefusal};
pub use state::{Change, Changes, NextIds, State};
pub use storage::{AllocationMethod, Draw, Efficiency, Scr, Sdr};
pub use time::Interval;
pub use user::User;
