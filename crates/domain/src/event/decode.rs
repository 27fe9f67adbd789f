//! What the tagged fields of an event say, read back with the names that the API has for them.
//!
//! Invariant: what [`body_of`](super::body_of) writes reads back, with a name for every tag; free text reads back as its
//! salted hash, as the text itself is not there. A tag or a code that this version does not know is shown as it is stored,
//! never guessed. Bytes that are no fields at all are an error: the log is damaged.

use super::{
    Entity, account_tag, attributes_tag, bundle_tag, device_tag, draw_tag, measurement_tag, metadata_tag, order_tag,
    organisation_tag, scr_tag, sdr_tag, user_tag,
};
use crate::recurring_order::{OrderKind, OrderState, PeriodUnit};
use crate::seal::Hash;
use crate::{
    AllocationMethod, BundleStatus, DeviceId, DeviceKind, EnergySource, GrossNet, Quality, Ratio, ReadingSource, Roles,
};
use jiff::Timestamp;

/// One field of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub tag: u8,
    /// As the API names it; `None` for a tag that this version does not know.
    pub name: Option<&'static str>,
    pub value: FieldValue,
}

/// What a field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    Integer(i64),
    /// An exact decimal.
    Share(Ratio),
    Flag(bool),
    Instant(Timestamp),
    /// A value of a closed list, by its name on the wire.
    Word(&'static str),
    Roles(Roles),
    /// The salted hash of a free text, or the hash of a snapshot.
    Hash(Hash),
    Ids(Vec<i64>),
    Readings(Vec<ReadingField>),
    /// Not known to this version: the bytes as they are stored.
    Unknown(Vec<u8>),
}

/// A reading as an event states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadingField {
    pub device_id: DeviceId,
    pub start: Timestamp,
    pub end: Timestamp,
    /// Wh; a charge of storage is negative.
    pub energy_wh: i64,
    pub gross_net: GrossNet,
    pub quality: Quality,
}

/// The bytes are no fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the fields of an event are cut off after {at} bytes")]
pub struct CutOff {
    pub at: usize,
}

/// The fields of one side of an event of `entity`, in the order in which they stand.
///
/// # Errors
/// [`CutOff`], if the bytes end within a field.
pub fn fields(entity: Entity, bytes: &[u8]) -> Result<Vec<Field>, CutOff> {
    let mut reader = Reader { bytes, at: 0 };
    let mut found = Vec::new();
    while let Some(tag) = reader.byte() {
        let value = reader.value()?;
        let known = names(entity).iter().find(|(known, _, _)| *known == tag);
        found.push(match known {
            Some((_, name, kind)) => Field { tag, name: Some(name), value: kind.read(value) },
            None => Field { tag, name: None, value: FieldValue::Unknown(value.to_vec()) },
        });
    }
    Ok(found)
}

/// How the value of a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Integer,
    Flag,
    Instant,
    Hash,
    Ids,
    Roles,
    Readings,
    Status,
    EnergySource,
    DeviceKind,
    ReadingSource,
    OrderKind,
    OrderState,
    PeriodUnit,
    Share,
    AllocationMethod,
}

impl Written {
    fn read(self, bytes: &[u8]) -> FieldValue {
        self.known(bytes).unwrap_or_else(|| FieldValue::Unknown(bytes.to_vec()))
    }

    fn known(self, bytes: &[u8]) -> Option<FieldValue> {
        Some(match self {
            Self::Integer => FieldValue::Integer(integer(bytes)?),
            Self::Flag => FieldValue::Flag(match integer(bytes)? {
                0 => false,
                1 => true,
                _ => return None,
            }),
            Self::Instant => FieldValue::Instant(instant(integer(bytes)?)?),
            Self::Hash => FieldValue::Hash(bytes.try_into().ok()?),
            Self::Ids => FieldValue::Ids(integers(bytes)?),
            Self::Roles => FieldValue::Roles(Roles::from_code(integer(bytes)?)?),
            Self::Readings => FieldValue::Readings(readings(&integers(bytes)?)?),
            Self::Status => FieldValue::Word(BundleStatus::from_code(integer(bytes)?)?.name()),
            Self::EnergySource => FieldValue::Word(EnergySource::from_code(integer(bytes)?)?.name()),
            Self::DeviceKind => FieldValue::Word(DeviceKind::from_code(integer(bytes)?)?.name()),
            Self::ReadingSource => FieldValue::Word(ReadingSource::from_code(integer(bytes)?)?.name()),
            Self::OrderKind => FieldValue::Word(OrderKind::from_code(integer(bytes)?)?.name()),
            Self::OrderState => FieldValue::Word(OrderState::from_code(integer(bytes)?)?.name()),
            Self::PeriodUnit => FieldValue::Word(PeriodUnit::from_code(integer(bytes)?)?.name()),
            Self::AllocationMethod => FieldValue::Word(AllocationMethod::from_code(integer(bytes)?)?.name()),
            Self::Share => FieldValue::Share(Ratio::from_quintillionths(u64::try_from(integer(bytes)?).ok()?)),
        })
    }
}

type Names = &'static [(u8, &'static str, Written)];

const USER: Names = &[
    (user_tag::ROLES, "roles", Written::Roles),
    (user_tag::NAME, "name", Written::Hash),
    (user_tag::PRIMARY_CONTACT, "primary_contact", Written::Hash),
    (user_tag::ORGANISATION, "organisation", Written::Hash),
    (user_tag::ACCOUNTS, "account_ids", Written::Ids),
    (user_tag::CREATED_AT, "created_at", Written::Instant),
];

const ACCOUNT: Names = &[
    (account_tag::NAME, "account_name", Written::Hash),
    (account_tag::ORGANISATION_ID, "organisation_id", Written::Integer),
    (account_tag::WHITELIST, "account_whitelist", Written::Ids),
    (account_tag::CREATED_AT, "created_at", Written::Instant),
];

const ORGANISATION: Names = &[
    (organisation_tag::NAME, "name", Written::Hash),
    (organisation_tag::BUSINESS_ID, "business_id", Written::Hash),
    (organisation_tag::PRIMARY_CONTACT, "primary_contact", Written::Hash),
    (organisation_tag::ADDRESS, "address", Written::Hash),
    (organisation_tag::WEBSITE, "website", Written::Hash),
    (organisation_tag::CREATED_AT, "created_at", Written::Instant),
];

const DEVICE: Names = &[
    (device_tag::ACCOUNT_ID, "account_id", Written::Integer),
    (device_tag::NAME, "device_name", Written::Hash),
    (device_tag::GRID, "grid", Written::Hash),
    (device_tag::ENERGY_SOURCE, "energy_source", Written::EnergySource),
    (device_tag::TECHNOLOGY_TYPE, "technology_type", Written::Hash),
    (device_tag::OPERATIONAL_DATE, "operational_date", Written::Instant),
    (device_tag::CAPACITY_WATTS, "capacity", Written::Integer),
    (device_tag::PEAK_DEMAND_WATTS, "peak_demand", Written::Integer),
    (device_tag::LOCATION, "location", Written::Hash),
    (device_tag::METER_DATA_ID, "meter_data_id", Written::Hash),
    (device_tag::KIND, "device_type", Written::DeviceKind),
    (device_tag::APPROVED, "is_approved", Written::Flag),
    (device_tag::VERSION, "version", Written::Integer),
    (device_tag::CREATED_AT, "created_at", Written::Instant),
];

const METADATA: Names = &[
    (metadata_tag::COUNTRY_OF_ISSUANCE, "country_of_issuance", Written::Hash),
    (metadata_tag::CONNECTED_GRID_IDENTIFICATION, "connected_grid_identification", Written::Hash),
    (metadata_tag::ISSUING_BODY, "issuing_body", Written::Hash),
    (metadata_tag::ISSUE_MARKET_ZONE, "issue_market_zone", Written::Hash),
    (metadata_tag::LEGAL_STATUS, "legal_status", Written::Hash),
    (metadata_tag::ISSUANCE_PURPOSE, "issuance_purpose", Written::Hash),
    (metadata_tag::SUPPORT_RECEIVED, "support_received", Written::Hash),
    (metadata_tag::QUALITY_SCHEME_REFERENCE, "quality_scheme_reference", Written::Hash),
    (metadata_tag::DISSEMINATION_LEVEL, "dissemination_level", Written::Hash),
    (metadata_tag::CREATED_AT, "created_at", Written::Instant),
];

const ATTRIBUTES: Names = &[
    (attributes_tag::DEVICE_ID, "device_id", Written::Integer),
    (attributes_tag::DEVICE_VERSION, "device_version", Written::Integer),
    (attributes_tag::METADATA_ID, "metadata_id", Written::Integer),
    (attributes_tag::HASH, "hash", Written::Hash),
];

const MEASUREMENT: Names = &[
    (measurement_tag::READINGS, "readings", Written::Readings),
    (measurement_tag::SOURCE, "source", Written::ReadingSource),
    (measurement_tag::SUPERSEDED_BY, "superseded_by", Written::Integer),
    (measurement_tag::RELEASED, "released_wh", Written::Integer),
];

const BUNDLE: Names = &[
    (bundle_tag::ACCOUNT_ID, "account_id", Written::Integer),
    (bundle_tag::STATUS, "certificate_bundle_status", Written::Status),
    (bundle_tag::BENEFICIARY, "beneficiary", Written::Hash),
    (bundle_tag::BENEFICIARY_ACCOUNT_ID, "beneficiary_account_id", Written::Integer),
    (bundle_tag::PURPOSE, "purpose", Written::Hash),
    (bundle_tag::DEVICE_ID, "device_id", Written::Integer),
    (bundle_tag::ATTRIBUTES_ID, "attributes_id", Written::Integer),
    (bundle_tag::RANGE_FIRST, "certificate_bundle_id_range_start", Written::Integer),
    (bundle_tag::RANGE_LAST, "certificate_bundle_id_range_end", Written::Integer),
    (bundle_tag::PRODUCTION_START, "production_starting_interval", Written::Instant),
    (bundle_tag::PRODUCTION_END, "production_ending_interval", Written::Instant),
    (bundle_tag::ISSUED_AT, "issuance_datestamp", Written::Instant),
    (bundle_tag::EXPIRES_AT, "expiry_datestamp", Written::Instant),
    (bundle_tag::PARENT_ID, "parent_id", Written::Integer),
    (bundle_tag::DRAW_ID, "storage_allocation_id", Written::Integer),
];

const ORDER: Names = &[
    (order_tag::KIND, "action_type", Written::OrderKind),
    (order_tag::SOURCE_ID, "source_id", Written::Integer),
    (order_tag::TARGET_ID, "target_id", Written::Integer),
    (order_tag::BENEFICIARY, "beneficiary", Written::Hash),
    (order_tag::BENEFICIARY_ACCOUNT_ID, "beneficiary_account_id", Written::Integer),
    (order_tag::PURPOSE, "purpose", Written::Hash),
    (order_tag::FIRST_AT, "initial_action_datetime", Written::Instant),
    (order_tag::PERIOD_UNIT, "recurring_action_period_units", Written::PeriodUnit),
    (order_tag::PERIOD_QUANTITY, "recurring_action_period_quantity", Written::Integer),
    (order_tag::RUNS, "number_of_recurring_actions", Written::Integer),
    (order_tag::DEVICE_ID, "device_id", Written::Integer),
    (order_tag::ENERGY_SOURCE, "energy_source", Written::EnergySource),
    (order_tag::QUANTITY, "certificate_quantity", Written::Integer),
    (order_tag::SHARE, "certificate_bundle_percentage", Written::Share),
    (order_tag::STATE, "order_state", Written::OrderState),
    (order_tag::ORDERED_BY, "user_id", Written::Integer),
    (order_tag::CREATED_AT, "created_at", Written::Instant),
    (order_tag::NEXT_DUE_AT, "next_due_at", Written::Instant),
    (order_tag::RUNS_DONE, "runs_done", Written::Integer),
    (order_tag::RUN_REFUSAL, "rejection", Written::Hash),
    (order_tag::RUN_ENERGY, "total_quantity", Written::Integer),
];

const SCR: Names = &[
    (scr_tag::DEVICE_ID, "device_id", Written::Integer),
    (scr_tag::START, "charging_start_datetime", Written::Instant),
    (scr_tag::END, "charging_end_datetime", Written::Instant),
    (scr_tag::ENERGY, "charging_energy", Written::Integer),
    (scr_tag::BUNDLE_ID, "allocated_bundle_id", Written::Integer),
    (scr_tag::BACKED, "allocated_energy", Written::Integer),
    (scr_tag::MATCHING_METHOD, "scr_geographic_matching_method", Written::Hash),
    (scr_tag::CREATED_AT, "created_at", Written::Instant),
];

const SDR: Names = &[
    (sdr_tag::DEVICE_ID, "device_id", Written::Integer),
    (sdr_tag::START, "discharging_start_datetime", Written::Instant),
    (sdr_tag::END, "discharging_end_datetime", Written::Instant),
    (sdr_tag::ENERGY, "discharge_energy", Written::Integer),
    (sdr_tag::METHOD, "scr_allocation_methodology", Written::AllocationMethod),
    (sdr_tag::EFFICIENCY_START, "efficiency_factor_interval_start", Written::Instant),
    (sdr_tag::EFFICIENCY_END, "efficiency_factor_interval_end", Written::Instant),
    (sdr_tag::INPUT, "efficiency_energy_in", Written::Integer),
    (sdr_tag::OUTPUT, "efficiency_energy_out", Written::Integer),
    (sdr_tag::CHARGE_BEFORE, "state_of_charge_start", Written::Integer),
    (sdr_tag::CHARGE_AFTER, "state_of_charge_end", Written::Integer),
    (sdr_tag::CREATED_AT, "created_at", Written::Instant),
];

const DRAW: Names = &[
    (draw_tag::SDR_ID, "sdr_allocation_id", Written::Integer),
    (draw_tag::SCR_ID, "scr_allocation_id", Written::Integer),
    (draw_tag::BACKED, "backed_energy", Written::Integer),
    (draw_tag::UNBACKED, "unbacked_energy", Written::Integer),
    (draw_tag::CERTIFICATES, "certificate_energy", Written::Integer),
    (draw_tag::ATTRIBUTES_ID, "attributes_id", Written::Integer),
];

fn names(entity: Entity) -> Names {
    match entity {
        Entity::User => USER,
        Entity::Account => ACCOUNT,
        Entity::Device => DEVICE,
        Entity::Measurement => MEASUREMENT,
        Entity::Bundle => BUNDLE,
        Entity::Metadata => METADATA,
        Entity::Organisation => ORGANISATION,
        Entity::Attributes => ATTRIBUTES,
        Entity::RecurringOrder => ORDER,
        Entity::Scr => SCR,
        Entity::Sdr => SDR,
        Entity::Draw => DRAW,
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// A length (LEB128), then so many bytes.
    fn value(&mut self) -> Result<&'b [u8], CutOff> {
        let mut length = 0_usize;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.byte().ok_or(CutOff { at: self.at })?;
            let bits = usize::from(byte & 0x7f);
            length |= bits.checked_shl(shift).filter(|part| part >> shift == bits).ok_or(CutOff { at: self.at })?;
            if byte & 0x80 == 0 {
                let end = self.at.checked_add(length).ok_or(CutOff { at: self.at })?;
                let value = self.bytes.get(self.at..end).ok_or(CutOff { at: self.at })?;
                self.at = end;
                return Ok(value);
            }
        }
        Err(CutOff { at: self.at })
    }
}

/// Big-endian two's complement, without the bytes that only repeat the sign; none is zero.
fn integer(bytes: &[u8]) -> Option<i64> {
    let fill = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let mut whole = [fill; 8];
    whole.get_mut(8_usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    Some(i64::from_be_bytes(whole))
}

fn instant(micros: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros).ok()
}

fn integers(bytes: &[u8]) -> Option<Vec<i64>> {
    let mut reader = Reader { bytes, at: 0 };
    let mut found = Vec::new();
    while reader.at < bytes.len() {
        found.push(integer(reader.value().ok()?)?);
    }
    Some(found)
}

fn readings(flat: &[i64]) -> Option<Vec<ReadingField>> {
    let (rows, rest) = flat.as_chunks::<6>();
    let reading = |[device, start, micros, energy_wh, gross_net, quality]: &[i64; 6]| {
        Some(ReadingField {
            device_id: DeviceId(*device),
            start: instant(*start)?,
            end: instant(start.checked_add(*micros)?)?,
            energy_wh: *energy_wh,
            gross_net: GrossNet::from_code(*gross_net)?,
            quality: Quality::from_code(*quality)?,
        })
    };
    if rest.is_empty() { rows.iter().map(reading).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Mutable;
    use crate::event::body_of;
    use crate::seal::text_hash;
    use crate::{AccountId, BundleId, Cancellation, Change, Interval, MeasurementId, Reading, User, UserId};
    use proptest::prelude::*;
    use std::sync::Arc;

    const SALT: [u8; 16] = [7; 16];

    type Side = Vec<(&'static str, FieldValue)>;

    /// Both sides of the event of a change, as they read back.
    fn written(change: &Change) -> (Side, Side) {
        let body = body_of(change, &SALT);
        let side = |bytes: &[u8]| {
            let fields = fields(body.entity, bytes).expect("what was written reads back");
            fields.into_iter().map(|field| (field.name.expect("every tag has a name"), field.value)).collect()
        };
        (side(&body.before), side(&body.after))
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_microsecond(micros).expect("a year that a calendar has")
    }

    #[test]
    fn every_tag_has_a_name_and_every_name_a_tag() {
        let lists: [(&str, Names); 12] = [
            ("user_tag", USER),
            ("account_tag", ACCOUNT),
            ("organisation_tag", ORGANISATION),
            ("device_tag", DEVICE),
            ("metadata_tag", METADATA),
            ("attributes_tag", ATTRIBUTES),
            ("measurement_tag", MEASUREMENT),
            ("bundle_tag", BUNDLE),
            ("order_tag", ORDER),
            ("scr_tag", SCR),
            ("sdr_tag", SDR),
            ("draw_tag", DRAW),
        ];
        let source = concat!(include_str!("../event.rs"), include_str!("storage.rs"));
        let mut modules = 0;
        for (module, body) in source.split("pub mod ").filter_map(|part| part.split_once("_tag {")) {
            let module = format!("{module}_tag");
            let body = body.split("\n}").next().expect("a module ends");
            let found = lists.iter().find(|(name, _)| *name == module);
            let (_, names) = found.expect("a list for each module of tags");
            let mut tags: Vec<u8> = body
                .lines()
                .filter_map(|line| line.trim().strip_prefix("pub const ")?.split_once(": u8 = "))
                .map(|(_, tag)| tag.trim_end_matches(';').parse().expect("a tag is a small number"))
                .collect();
            let mut known: Vec<u8> = names.iter().map(|(tag, _, _)| *tag).collect();
            tags.sort_unstable();
            known.sort_unstable();
            assert!(!tags.is_empty(), "{module}");
            assert_eq!(tags, known, "{module}");
            modules += 1;
        }
        assert_eq!(modules, lists.len());
        for (module, names) in lists {
            let mut words: Vec<&str> = names.iter().map(|(_, name, _)| *name).collect();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), names.len(), "{module}: a name is there twice");
        }
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_what_is_unknown_is_shown() {
        for bytes in [&[1][..], &[1, 2, 3], &[1, 0x80], &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]] {
            assert!(fields(Entity::Bundle, bytes).is_err(), "{bytes:?}");
        }
        let found = fields(Entity::Bundle, &[200, 1, 5, bundle_tag::STATUS, 1, 99]).unwrap();
        let unknown = |tag, name, bytes: &[u8]| Field { tag, name, value: FieldValue::Unknown(bytes.to_vec()) };
        let status = unknown(bundle_tag::STATUS, Some("certificate_bundle_status"), &[99]);
        assert_eq!(found, [unknown(200, None, &[5]), status]);
    }

    #[test]
    fn a_text_reads_back_as_its_salted_hash_and_nothing_else() {
        let cancellation = Cancellation {
            beneficiary: "Green Steel".to_owned(),
            beneficiary_account: Some(AccountId(9)),
            purpose: None,
        };
        let before = Mutable { account_id: AccountId(1), status: BundleStatus::Active, cancellation: None };
        let after =
            Mutable { status: BundleStatus::Cancelled, cancellation: Some(Arc::new(cancellation)), ..before.clone() };
        let (was, is) = written(&Change::BundleChanged { id: BundleId(5), before, after });
        assert_eq!(was, [("certificate_bundle_status", FieldValue::Word("Active"))]);
        let expected = [
            ("certificate_bundle_status", FieldValue::Word("Cancelled")),
            ("beneficiary", FieldValue::Hash(text_hash(&SALT, "Green Steel"))),
            ("beneficiary_account_id", FieldValue::Integer(9)),
        ];
        assert_eq!(is, expected);
    }

    proptest! {
        #[test]
        fn any_integer_reads_back(value: i64) {
            let body = body_of(&Change::ReadingSuperseded { id: MeasurementId(1), by: MeasurementId(value) }, &SALT);
            let found = fields(Entity::Measurement, &body.after).unwrap();
            prop_assert_eq!(&found[0].value, &FieldValue::Integer(value));
        }

        #[test]
        fn readings_read_back(rows in proptest::collection::vec(
            (1_i64..i64::MAX, -2_000_000_000_000_000_i64..2_000_000_000_000_000, 1_i64..3_600_000_000, any::<i64>(), 0..2_usize, 0..3_usize), 0..20)
        ) {
            let readings: Vec<Reading> = rows.iter().map(|(device, start, micros, energy, gross_net, quality)| Reading {
                device_id: DeviceId(*device),
                interval: Interval::new(at(*start), at(start + micros)).unwrap(),
                energy_wh: *energy,
                gross_net: GrossNet::ALL[*gross_net],
                quality: Quality::ALL[*quality],
            }).collect();
            let expected: Vec<ReadingField> = readings.iter().map(|r| ReadingField {
                device_id: r.device_id, start: r.interval.start(), end: r.interval.end(), energy_wh: r.energy_wh,
                gross_net: r.gross_net, quality: r.quality,
            }).collect();
            let source = ReadingSource::Submitted;
            let (was, is) = written(&Change::ReadingsAccepted { first: MeasurementId(1), readings, source });
            prop_assert_eq!(was, []);
            prop_assert_eq!(is, [("readings", FieldValue::Readings(expected)), ("source", FieldValue::Word("submitted"))]);
        }

        #[test]
        fn a_user_reads_back(code in 0_i64..128, accounts in proptest::collection::vec(any::<i64>(), 0..300), name: String) {
            let roles = Roles::from_code(code).unwrap();
            let user = User {
                id: UserId(3), name: name.clone(), primary_contact: name.clone(), roles, organisation: None,
                is_deleted: false, created_at: at(5),
            };
            let accounts: Vec<AccountId> = accounts.into_iter().map(AccountId).collect();
            let ids = FieldValue::Ids(accounts.iter().map(|id| id.0).collect());
            let (was, is) = written(&Change::UserCreated { user, accounts, password_hash: None });
            prop_assert_eq!(was, []);
            let hash = FieldValue::Hash(text_hash(&SALT, &name));
            prop_assert_eq!(is, [
                ("roles", FieldValue::Roles(roles)), ("name", hash.clone()), ("primary_contact", hash),
                ("created_at", FieldValue::Instant(at(5))), ("account_ids", ids),
            ]);
        }

        #[test]
        fn bytes_of_any_kind_are_fields_or_an_error(bytes: Vec<u8>) {
            for entity in Entity::ALL {
                if let Ok(found) = fields(*entity, &bytes) {
                    prop_assert!(found.len() <= bytes.len());
                }
            }
        }
    }
}
