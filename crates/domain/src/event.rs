//! How a change is written into the log: which entity, and what of it was and is, as tagged fields.
//!
//! A field is tag (one byte), length (LEB128), value. An integer is the shortest big-endian two's complement, zero being
//! empty; an instant is an integer of microseconds; a list is its integers, each with its length before it; free text is
//! its salted hash ([`text_hash`](crate::seal::text_hash)). An absent field is absent. Names, contacts and secrets never enter. Tags and
//! codes are for ever; `docs/sealed-log.md` lists them for other implementations.

pub mod decode;
mod fields;
mod storage;

pub use storage::{draw_tag, scr_tag, sdr_tag};

use self::fields::{Fields, fields, split};
use crate::action::Adopted;
use crate::bundle::Mutable;
use crate::device::vocabulary;
use crate::recurring_order::{OrderDeed, OrderState};
use crate::seal::Salt;
use crate::{
    Account, AccountId, Bundle, CertificateAttributes, Change, Device, EnergySource, IssuanceMetadata, Organisation,
    OrganisationDescription, Portion, Reading, ReadingSource, RecurringOrder, User,
};
use serde::{Deserialize, Serialize};

vocabulary! {
    /// What an event is about.
    Entity {
        User = 1 "User", Account = 2 "Account", Device = 3 "Device", Measurement = 4 "MeasurementReport",
        Bundle = 5 "GranularCertificateBundle", Metadata = 6 "IssuanceMetaData", Organisation = 7 "Organisation",
        Attributes = 8 "CertificateAttributes", RecurringOrder = 9 "RecurringOrder", Scr = 10 "StorageChargeRecord",
        Sdr = 11 "StorageDischargeRecord", Draw = 12 "StorageAllocation",
    }
}

vocabulary! {
    /// What happened to it.
    EventType { Create = 1 "CREATE", Update = 2 "UPDATE", Delete = 3 "DELETE" }
}

/// An event before it is numbered and sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventBody {
    pub entity: Entity,
    pub entity_id: i64,
    pub event_type: EventType,
    /// Fields that changed, as they were; empty at a creation.
    pub before: Vec<u8>,
    /// Fields as they are now.
    pub after: Vec<u8>,
}

/// What `change` looks like in the log, with free text hashed under `salt`.
pub fn body_of(change: &Change, salt: &Salt) -> EventBody {
    match change {
        Change::UserCreated { user, accounts, .. } => created(Entity::User, user.id.0, salt, |f| {
            user_fields(f, user);
            f.list(user_tag::ACCOUNTS, accounts.iter().map(|a| a.0));
        }),
        Change::UserChanged { before, after, .. } => {
            changed(Entity::User, after.id.0, salt, |f| user_fields(f, before), |f| user_fields(f, after))
        }
        Change::UserDeleted(id) => deleted(Entity::User, id.0),
        Change::MembershipsChanged { user, joined, left } => {
            let list = |accounts: &[AccountId]| match accounts {
                [] => Vec::new(),
                accounts => fields(salt, |f| f.list(user_tag::ACCOUNTS, accounts.iter().map(|a| a.0))),
            };
            updated(Entity::User, user.0, list(left), list(joined))
        }
        Change::OrganisationCreated(organisation) => {
            created(Entity::Organisation, organisation.id.0, salt, |f| organisation_fields(f, organisation))
        }
        Change::OrganisationChanged { id, before, after } => {
            let (was, is) = (|f: &mut Fields<'_>| describe(f, before), |f: &mut Fields<'_>| describe(f, after));
            changed(Entity::Organisation, id.0, salt, was, is)
        }
        Change::OrganisationDeleted(id) => deleted(Entity::Organisation, id.0),
        Change::AccountCreated { account, whitelist } => created(Entity::Account, account.id.0, salt, |f| {
            account_fields(f, account);
            f.list(account_tag::WHITELIST, whitelist.iter().map(|a| a.0));
        }),
        Change::AccountChanged { before, after } => {
            changed(Entity::Account, after.id.0, salt, |f| account_fields(f, before), |f| account_fields(f, after))
        }
        Change::AccountDeleted(id) => deleted(Entity::Account, id.0),
        Change::WhitelistChanged { account, added, removed } => {
            let before = fields(salt, |f| f.list(account_tag::WHITELIST, removed.iter().map(|a| a.0)));
            let after = fields(salt, |f| f.list(account_tag::WHITELIST, added.iter().map(|a| a.0)));
            updated(Entity::Account, account.0, before, after)
        }
        Change::DeviceCreated(device) => created(Entity::Device, device.id.0, salt, |f| device_fields(f, device)),
        Change::DeviceApproved(id) => {
            let before = fields(salt, |f| f.flag(device_tag::APPROVED, false));
            let after = fields(salt, |f| f.flag(device_tag::APPROVED, true));
            updated(Entity::Device, id.0, before, after)
        }
        Change::DeviceChanged { before, after } => {
            changed(Entity::Device, after.id.0, salt, |f| device_fields(f, before), |f| device_fields(f, after))
        }
        Change::DeviceDeleted(id) => deleted(Entity::Device, id.0),
        Change::MetadataCreated(metadata) => {
            created(Entity::Metadata, metadata.id.0, salt, |f| metadata_fields(f, metadata))
        }
        Change::AttributesCreated(attributes) => {
            created(Entity::Attributes, attributes.id.0, salt, |f| attributes_fields(f, attributes))
        }
        Change::ReadingsAccepted { first, readings, source } => {
            created(Entity::Measurement, first.0, salt, |f| readings_fields(f, readings, *source))
        }
        Change::ReadingSuperseded { id, by } => {
            let after = fields(salt, |f| f.integer(measurement_tag::SUPERSEDED_BY, by.0));
            updated(Entity::Measurement, id.0, Vec::new(), after)
        }
        Change::OrderPlaced(order) => created(Entity::RecurringOrder, order.id.0, salt, |f| order_fields(f, order)),
        Change::OrderEnded { id, state, next_due_at } => {
            let before = fields(salt, |f| {
                f.integer(order_tag::STATE, state.code());
                f.optional_instant(order_tag::NEXT_DUE_AT, *next_due_at);
            });
            let after = fields(salt, |f| f.integer(order_tag::STATE, OrderState::Ended.code()));
            updated(Entity::RecurringOrder, id.0, before, after)
        }
        Change::OrderChanged { before, after } => order_changed(before, after, salt, |_| ()),
        Change::OrderRan { before, after, done, .. } => order_changed(before, after, salt, |f| match done {
            Ok(energy) => f.count(order_tag::RUN_ENERGY, energy.0),
            Err(refusal) => f.text(order_tag::RUN_REFUSAL, &refusal.to_string()),
        }),
        Change::ReadingDeleted(id) => EventBody {
            entity: Entity::Measurement,
            entity_id: id.0,
            event_type: EventType::Delete,
            before: Vec::new(),
            after: Vec::new(),
        },
        Change::HoldReleased { id, energy, .. } => {
            let after = fields(salt, |f| f.count(measurement_tag::RELEASED, energy.0));
            updated(Entity::Measurement, id.0, Vec::new(), after)
        }
        Change::BundleCreated(bundle) => created(Entity::Bundle, bundle.id.0, salt, |f| bundle_fields(f, bundle)),
        Change::ScrCreated(scr) => created(Entity::Scr, scr.id.0, salt, |f| storage::scr_fields(f, scr)),
        Change::ScrWithdrawn(id) => deleted(Entity::Scr, id.0),
        Change::SdrCreated(sdr) => created(Entity::Sdr, sdr.id.0, salt, |f| storage::sdr_fields(f, sdr)),
        Change::SdrWithdrawn(id) => deleted(Entity::Sdr, id.0),
        Change::Drawn(draw) => created(Entity::Draw, draw.id.0, salt, |f| storage::draw_fields(f, draw)),
        Change::Adopted(adopted) => body_of_adopted(adopted, salt),
        Change::BundleChanged { id, before, after } => {
            let (was, is) = changed_bundle(salt, before, after);
            updated(Entity::Bundle, id.0, was, is)
        }
    }
}

/// What changed of an order, and what its run came to.
fn order_changed(
    before: &RecurringOrder,
    after: &RecurringOrder,
    salt: &Salt,
    run: impl FnOnce(&mut Fields<'_>),
) -> EventBody {
    let is = |f: &mut Fields<'_>| {
        order_fields(f, after);
        run(f);
    };
    changed(Entity::RecurringOrder, after.id.0, salt, |f| order_fields(f, before), is)
}

/// As if it had been made here; the action says that it was not.
fn body_of_adopted(adopted: &Adopted, salt: &Salt) -> EventBody {
    match adopted {
        Adopted::User(user) => created(Entity::User, user.id.0, salt, |f| {
            user_fields(f, user);
            f.list(user_tag::ACCOUNTS, std::iter::empty());
        }),
        Adopted::Account(account) => created(Entity::Account, account.id.0, salt, |f| {
            account_fields(f, account);
            f.list(account_tag::WHITELIST, std::iter::empty());
        }),
        Adopted::Device(device) => created(Entity::Device, device.id.0, salt, |f| device_fields(f, device)),
        Adopted::Metadata(metadata) => created(Entity::Metadata, metadata.id.0, salt, |f| metadata_fields(f, metadata)),
        Adopted::Bundle(bundle) => created(Entity::Bundle, bundle.id.0, salt, |f| bundle_fields(f, bundle)),
    }
}

fn created(entity: Entity, entity_id: i64, salt: &Salt, write: impl FnOnce(&mut Fields<'_>)) -> EventBody {
    EventBody { entity, entity_id, event_type: EventType::Create, before: Vec::new(), after: fields(salt, write) }
}

fn updated(entity: Entity, entity_id: i64, before: Vec<u8>, after: Vec<u8>) -> EventBody {
    EventBody { entity, entity_id, event_type: EventType::Update, before, after }
}

/// An update with the fields that differ, on the side that has them.
fn changed(
    entity: Entity,
    entity_id: i64,
    salt: &Salt,
    before: impl FnOnce(&mut Fields<'_>),
    after: impl FnOnce(&mut Fields<'_>),
) -> EventBody {
    let (before, after) = (fields(salt, before), fields(salt, after));
    let (was, is) = (split(&before), split(&after));
    let only = |these: &[&[u8]], others: &[&[u8]]| {
        these.iter().filter(|field| !others.contains(field)).copied().collect::<Vec<_>>().concat()
    };
    updated(entity, entity_id, only(&was, &is), only(&is, &was))
}

fn deleted(entity: Entity, entity_id: i64) -> EventBody {
    EventBody { entity, entity_id, event_type: EventType::Delete, before: Vec::new(), after: Vec::new() }
}

/// Tags of a user's fields.
pub mod user_tag {
    pub const ROLES: u8 = 1;
    pub const NAME: u8 = 2;
    pub const PRIMARY_CONTACT: u8 = 3;
    pub const ORGANISATION: u8 = 4;
    /// Accounts joined (after) or left (before).
    pub const ACCOUNTS: u8 = 5;
    pub const CREATED_AT: u8 = 6;
}

fn user_fields(f: &mut Fields<'_>, user: &User) {
    f.integer(user_tag::ROLES, user.roles.code());
    f.text(user_tag::NAME, &user.name);
    f.text(user_tag::PRIMARY_CONTACT, &user.primary_contact);
    f.optional_text(user_tag::ORGANISATION, user.organisation.as_deref());
    f.instant(user_tag::CREATED_AT, user.created_at);
}

/// Tags of an account's fields.
pub mod account_tag {
    pub const NAME: u8 = 1;
    pub const ORGANISATION_ID: u8 = 2;
    /// Senders added (after) or removed (before).
    pub const WHITELIST: u8 = 3;
    pub const CREATED_AT: u8 = 4;
}

fn account_fields(f: &mut Fields<'_>, account: &Account) {
    f.text(account_tag::NAME, &account.name);
    if let Some(id) = account.organisation_id {
        f.integer(account_tag::ORGANISATION_ID, id.0);
    }
    f.instant(account_tag::CREATED_AT, account.created_at);
}

/// Tags of an organisation's fields.
pub mod organisation_tag {
    pub const NAME: u8 = 1;
    pub const BUSINESS_ID: u8 = 2;
    pub const PRIMARY_CONTACT: u8 = 3;
    pub const ADDRESS: u8 = 4;
    pub const WEBSITE: u8 = 5;
    pub const CREATED_AT: u8 = 6;
}

fn organisation_fields(f: &mut Fields<'_>, organisation: &Organisation) {
    describe(f, &organisation.description);
    f.instant(organisation_tag::CREATED_AT, organisation.created_at);
}

fn describe(f: &mut Fields<'_>, description: &OrganisationDescription) {
    f.text(organisation_tag::NAME, &description.name);
    f.text(organisation_tag::BUSINESS_ID, &description.business_id);
    f.text(organisation_tag::PRIMARY_CONTACT, &description.primary_contact);
    f.optional_text(organisation_tag::ADDRESS, description.address.as_deref());
    f.optional_text(organisation_tag::WEBSITE, description.website.as_deref());
}

/// Tags of a device's fields.
pub mod device_tag {
    pub const ACCOUNT_ID: u8 = 1;
    pub const NAME: u8 = 2;
    pub const GRID: u8 = 3;
    pub const ENERGY_SOURCE: u8 = 4;
    pub const TECHNOLOGY_TYPE: u8 = 5;
    pub const OPERATIONAL_DATE: u8 = 6;
    pub const CAPACITY_WATTS: u8 = 7;
    pub const PEAK_DEMAND_WATTS: u8 = 8;
    pub const LOCATION: u8 = 9;
    pub const METER_DATA_ID: u8 = 10;
    pub const KIND: u8 = 11;
    pub const APPROVED: u8 = 12;
    pub const VERSION: u8 = 13;
    pub const CREATED_AT: u8 = 14;
}

fn device_fields(f: &mut Fields<'_>, device: &Device) {
    let description = &device.description;
    f.integer(device_tag::ACCOUNT_ID, device.account_id.0);
    f.text(device_tag::NAME, &description.name);
    f.text(device_tag::GRID, &description.grid);
    f.integer(device_tag::ENERGY_SOURCE, description.energy_source.code());
    f.text(device_tag::TECHNOLOGY_TYPE, &description.technology_type);
    f.instant(device_tag::OPERATIONAL_DATE, description.operational_date);
    f.count(device_tag::CAPACITY_WATTS, description.capacity_watts);
    f.count(device_tag::PEAK_DEMAND_WATTS, description.peak_demand_watts);
    f.text(device_tag::LOCATION, &description.location);
    f.optional_text(device_tag::METER_DATA_ID, description.meter_data_id.as_deref());
    f.integer(device_tag::KIND, description.kind.code());
    f.flag(device_tag::APPROVED, device.is_approved);
    f.integer(device_tag::VERSION, device.version);
    f.instant(device_tag::CREATED_AT, device.created_at);
}

/// Tags of issuance metadata.
pub mod metadata_tag {
    pub const COUNTRY_OF_ISSUANCE: u8 = 1;
    pub const CONNECTED_GRID_IDENTIFICATION: u8 = 2;
    pub const ISSUING_BODY: u8 = 3;
    pub const ISSUE_MARKET_ZONE: u8 = 4;
    pub const LEGAL_STATUS: u8 = 5;
    pub const ISSUANCE_PURPOSE: u8 = 6;
    pub const SUPPORT_RECEIVED: u8 = 7;
    pub const QUALITY_SCHEME_REFERENCE: u8 = 8;
    pub const DISSEMINATION_LEVEL: u8 = 9;
    pub const CREATED_AT: u8 = 10;
}

fn metadata_fields(f: &mut Fields<'_>, metadata: &IssuanceMetadata) {
    let description = &metadata.description;
    f.text(metadata_tag::COUNTRY_OF_ISSUANCE, &description.country_of_issuance);
    f.text(metadata_tag::CONNECTED_GRID_IDENTIFICATION, &description.connected_grid_identification);
    f.text(metadata_tag::ISSUING_BODY, &description.issuing_body);
    f.text(metadata_tag::ISSUE_MARKET_ZONE, &description.issue_market_zone);
    f.optional_text(metadata_tag::LEGAL_STATUS, description.legal_status.as_deref());
    f.optional_text(metadata_tag::ISSUANCE_PURPOSE, description.issuance_purpose.as_deref());
    f.optional_text(metadata_tag::SUPPORT_RECEIVED, description.support_received.as_deref());
    f.optional_text(metadata_tag::QUALITY_SCHEME_REFERENCE, description.quality_scheme_reference.as_deref());
    f.optional_text(metadata_tag::DISSEMINATION_LEVEL, description.dissemination_level.as_deref());
    f.instant(metadata_tag::CREATED_AT, metadata.created_at);
}

/// Tags of a snapshot of certificate attributes.
pub mod attributes_tag {
    pub const DEVICE_ID: u8 = 1;
    pub const DEVICE_VERSION: u8 = 2;
    pub const METADATA_ID: u8 = 3;
    /// [`seal::attributes_hash`](crate::seal::attributes_hash) of the whole snapshot.
    pub const HASH: u8 = 4;
}

fn attributes_fields(f: &mut Fields<'_>, attributes: &CertificateAttributes) {
    f.integer(attributes_tag::DEVICE_ID, attributes.device_id.0);
    f.integer(attributes_tag::DEVICE_VERSION, attributes.device_version);
    f.integer(attributes_tag::METADATA_ID, attributes.metadata_id.0);
    f.raw(attributes_tag::HASH, &attributes.hash);
}

/// Tags of readings. One event creates a run of readings with serial ids, the first being the event's entity.
pub mod measurement_tag {
    /// Per reading, as a list: device, start, duration in microseconds, energy in Wh, gross/net, quality.
    pub const READINGS: u8 = 1;
    pub const SOURCE: u8 = 2;
    pub const SUPERSEDED_BY: u8 = 3;
    /// Wh of the interval that were withdrawn and count as held no more, by this event.
    pub const RELEASED: u8 = 4;
}

fn readings_fields(f: &mut Fields<'_>, readings: &[Reading], source: ReadingSource) {
    let flat = readings.iter().flat_map(|r| {
        let start = r.interval.start().as_microsecond();
        let micros = r.interval.end().as_microsecond() - start;
        [r.device_id.0, start, micros, r.energy_wh, r.gross_net.code(), r.quality.code()]
    });
    f.list(measurement_tag::READINGS, flat);
    f.integer(measurement_tag::SOURCE, source.code());
}

/// Tags of a recurring order's fields.
pub mod order_tag {
    pub const KIND: u8 = 1;
    pub const SOURCE_ID: u8 = 2;
    pub const TARGET_ID: u8 = 3;
    pub const BENEFICIARY: u8 = 4;
    pub const BENEFICIARY_ACCOUNT_ID: u8 = 5;
    pub const PURPOSE: u8 = 6;
    pub const FIRST_AT: u8 = 7;
    pub const PERIOD_UNIT: u8 = 8;
    pub const PERIOD_QUANTITY: u8 = 9;
    /// How many runs, if that was said.
    pub const RUNS: u8 = 10;
    pub const DEVICE_ID: u8 = 11;
    pub const ENERGY_SOURCE: u8 = 12;
    /// Wh at each run.
    pub const QUANTITY: u8 = 13;
    /// Share of each bundle, in steps of 10^-18.
    pub const SHARE: u8 = 14;
    pub const STATE: u8 = 15;
    pub const ORDERED_BY: u8 = 16;
    pub const CREATED_AT: u8 = 17;
    pub const NEXT_DUE_AT: u8 = 18;
    pub const RUNS_DONE: u8 = 19;
    /// Why a run did nothing, as a sentence.
    pub const RUN_REFUSAL: u8 = 20;
    /// Wh that a run acted on.
    pub const RUN_ENERGY: u8 = 21;
}

fn order_fields(f: &mut Fields<'_>, order: &RecurringOrder) {
    let terms = &order.terms;
    f.integer(order_tag::KIND, terms.deed.kind().code());
    f.integer(order_tag::SOURCE_ID, terms.source.0);
    match &terms.deed {
        OrderDeed::Transfer { target } => f.integer(order_tag::TARGET_ID, target.0),
        OrderDeed::Cancel { beneficiary, beneficiary_account, purpose } => {
            f.optional_text(order_tag::BENEFICIARY, beneficiary.as_deref());
            f.optional_integer(order_tag::BENEFICIARY_ACCOUNT_ID, beneficiary_account.map(|id| id.0));
            f.optional_text(order_tag::PURPOSE, purpose.as_deref());
        }
    }
    f.instant(order_tag::FIRST_AT, terms.schedule.first_at);
    f.integer(order_tag::PERIOD_UNIT, terms.schedule.unit.code());
    f.integer(order_tag::PERIOD_QUANTITY, terms.schedule.every.into());
    f.optional_integer(order_tag::RUNS, terms.schedule.runs.map(i64::from));
    f.optional_integer(order_tag::DEVICE_ID, terms.device.map(|id| id.0));
    f.optional_integer(order_tag::ENERGY_SOURCE, terms.energy_source.map(EnergySource::code));
    match terms.portion {
        Portion::Whole => {}
        Portion::Quantity(quantity) => f.count(order_tag::QUANTITY, quantity.0),
        Portion::Share(share) => {
            f.count(order_tag::SHARE, share.quintillionths().expect("a share is at most 1"));
        }
    }
    f.integer(order_tag::STATE, order.state.code());
    f.integer(order_tag::ORDERED_BY, order.ordered_by);
    f.instant(order_tag::CREATED_AT, order.created_at);
    f.optional_instant(order_tag::NEXT_DUE_AT, order.next_due_at);
    f.integer(order_tag::RUNS_DONE, order.runs_done.into());
}

/// Tags of a bundle's fields.
pub mod bundle_tag {
    pub const ACCOUNT_ID: u8 = 1;
    pub const STATUS: u8 = 2;
    pub const BENEFICIARY: u8 = 3;
    pub const BENEFICIARY_ACCOUNT_ID: u8 = 4;
    pub const PURPOSE: u8 = 5;
    pub const DEVICE_ID: u8 = 6;
    pub const ATTRIBUTES_ID: u8 = 7;
    pub const RANGE_FIRST: u8 = 8;
    pub const RANGE_LAST: u8 = 9;
    pub const PRODUCTION_START: u8 = 10;
    pub const PRODUCTION_END: u8 = 11;
    pub const ISSUED_AT: u8 = 12;
    pub const EXPIRES_AT: u8 = 13;
    pub const PARENT_ID: u8 = 14;
    /// Of an SD-GC.
    pub const DRAW_ID: u8 = 15;
}

fn bundle_fields(f: &mut Fields<'_>, bundle: &Bundle) {
    f.integer(bundle_tag::ACCOUNT_ID, bundle.account_id.0);
    f.integer(bundle_tag::STATUS, bundle.status.code());
    cancellation_fields(f, &bundle.mutable());
    f.integer(bundle_tag::DEVICE_ID, bundle.device_id.0);
    f.integer(bundle_tag::ATTRIBUTES_ID, bundle.attributes_id.0);
    f.count(bundle_tag::RANGE_FIRST, bundle.range.first());
    f.count(bundle_tag::RANGE_LAST, bundle.range.last());
    f.instant(bundle_tag::PRODUCTION_START, bundle.production.start());
    f.instant(bundle_tag::PRODUCTION_END, bundle.production.end());
    f.instant(bundle_tag::ISSUED_AT, bundle.issued_at);
    f.instant(bundle_tag::EXPIRES_AT, bundle.expires_at);
    if let Some(parent) = bundle.parent_id {
        f.integer(bundle_tag::PARENT_ID, parent.0);
    }
    f.optional_integer(bundle_tag::DRAW_ID, bundle.draw_id.map(|id| id.0));
}

/// The account that a bundle was created in, from the fields of its creation: the first of them.
pub fn created_in(after: &[u8]) -> Option<AccountId> {
    let [bundle_tag::ACCOUNT_ID, length, rest @ ..] = after else { return None };
    let value = rest.get(..usize::from(*length)).filter(|value| (1..=8).contains(&value.len()))?;
    // ids are above 0, so that the sign repeats nothing but zeros
    Some(AccountId(value.iter().fold(0, |id, byte| (id << 8) | i64::from(*byte))))
}

fn cancellation_fields(f: &mut Fields<'_>, mutable: &Mutable) {
    let Some(cancellation) = &mutable.cancellation else { return };
    f.text(bundle_tag::BENEFICIARY, &cancellation.beneficiary);
    if let Some(account) = cancellation.beneficiary_account {
        f.integer(bundle_tag::BENEFICIARY_ACCOUNT_ID, account.0);
    }
    f.optional_text(bundle_tag::PURPOSE, cancellation.purpose.as_deref());
}

/// Account and status where they changed; a cancellation where it was made.
fn changed_bundle(salt: &Salt, before: &Mutable, after: &Mutable) -> (Vec<u8>, Vec<u8>) {
    let changes = |f: &mut Fields<'_>, of: &Mutable| {
        if before.account_id != after.account_id {
            f.integer(bundle_tag::ACCOUNT_ID, of.account_id.0);
        }
        if before.status != after.status {
            f.integer(bundle_tag::STATUS, of.status.code());
        }
        if before.cancellation != after.cancellation {
            cancellation_fields(f, of);
        }
    };
    (fields(salt, |f| changes(f, before)), fields(salt, |f| changes(f, after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_that_a_bundle_was_created_in_reads_back() {
        for account in [1, 127, 128, 255, 256, 1 << 40, i64::MAX] {
            let after = fields(&[7; 16], |f| {
                f.integer(bundle_tag::ACCOUNT_ID, account);
                f.integer(bundle_tag::STATUS, 1);
            });
            assert_eq!(created_in(&after), Some(AccountId(account)), "{account}");
        }
        for odd in [&[][..], &[1, 2, 5], &[2, 1, 5], &[1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1]] {
            assert_eq!(created_in(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn fields_come_apart_again_and_a_change_holds_what_differs() {
        let long: Vec<i64> = (0..200).collect();
        let salt = [7; 16];
        let before = |f: &mut Fields<'_>| {
            f.integer(1, 0);
            f.list(2, long.iter().copied());
            f.text(3, "same");
            f.text(4, "gone");
        };
        let after = |f: &mut Fields<'_>| {
            f.integer(1, 300);
            f.list(2, long.iter().copied());
            f.text(3, "same");
            f.text(5, "new");
        };
        let whole = fields(&salt, before);
        assert_eq!(split(&whole).iter().map(|field| field[0]).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(split(&whole).concat(), whole);
        let body = changed(Entity::User, 9, &salt, before, after);
        let was = fields(&salt, |f| {
            f.integer(1, 0);
            f.text(4, "gone");
        });
        let is = fields(&salt, |f| {
            f.integer(1, 300);
            f.text(5, "new");
        });
        assert_eq!((body.before, body.after, body.event_type), (was, is, EventType::Update));
    }
}
