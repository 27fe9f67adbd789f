//! Which column of which table is which tagged field of an event.

use crate::head::Head;
use crate::report::Noun;
use crate::rules::entity;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Integer,
    Instant,
    /// In the event as its salted hash.
    Text,
    /// In the event as it is.
    Hash,
}

pub(super) struct Column {
    pub(super) tag: u8,
    pub(super) name: &'static str,
    pub(super) form: Form,
}

pub(super) struct Table {
    pub(super) noun: Noun,
    pub(super) entity: i64,
    /// The first id after `$1`.
    pub(super) next: &'static str,
    /// Id and columns, and whether it is deleted, of the rows above `$1` up to `$2`, in the order of their ids.
    pub(super) rows: &'static str,
    pub(super) columns: &'static [Column],
    /// Whether rows say that they are deleted.
    pub(super) deletes: bool,
    pub(super) next_name: &'static str,
    pub(super) next_of: fn(&Head) -> i64,
}

macro_rules! columns {
    ($($tag:literal $name:literal $form:ident),+ $(,)?) => {
        &[$(Column { tag: $tag, name: $name, form: Form::$form }),+]
    };
}

/// The statements over a table with these columns.
macro_rules! statements {
    ($table:literal, $columns:literal) => {
        (
            concat!("SELECT id FROM ", $table, " WHERE id > $1 ORDER BY id LIMIT 1"),
            concat!("SELECT id, ", $columns, " FROM ", $table, " WHERE id > $1 AND id <= $2 ORDER BY id"),
        )
    };
}

const USER: (&str, &str) =
    statements!("registry_user", "roles, name, primary_contact, organisation, created_at, is_deleted");
const ACCOUNT: (&str, &str) = statements!("account", "name, organisation_id, created_at, is_deleted");
const ORGANISATION: (&str, &str) =
    statements!("organisation", "name, business_id, primary_contact, address, website, created_at, is_deleted");
const DEVICE: (&str, &str) = statements!(
    "device",
    "account_id, name, grid, energy_source, technology_type, operational_date, capacity_watts, peak_demand_watts, \
     location, meter_data_id, kind, is_approved, version, created_at, is_deleted"
);
const METADATA: (&str, &str) = statements!(
    "issuance_metadata",
    "country_of_issuance, connected_grid_identification, issuing_body, issue_market_zone, legal_status, \
     issuance_purpose, support_received, quality_scheme_reference, dissemination_level, created_at"
);
const ATTRIBUTES: (&str, &str) = statements!("certificate_attributes", "device_id, device_version, metadata_id, hash");

const RECURRING_ORDER: (&str, &str) = statements!(
    "recurring_order",
    "kind, source_id, target_id, beneficiary, beneficiary_account_id, purpose, first_at, period_unit, period_quantity, \
     runs, device_id, energy_source, quantity, share, state, ordered_by, created_at, next_due_at, runs_done"
);

const SCR: (&str, &str) = statements!(
    "scr",
    "device_id, start_at, end_at, energy_wh, bundle_id, backed_wh, matching_method, created_at, is_withdrawn"
);
const SDR: (&str, &str) = statements!(
    "sdr",
    "device_id, start_at, end_at, energy_wh, method, efficiency_start, efficiency_end, input_wh, output_wh, \
     charge_before_wh, charge_after_wh, created_at, is_withdrawn"
);
const DRAW: (&str, &str) =
    statements!("storage_draw", "sdr_id, scr_id, backed_wh, unbacked_wh, certificates, attributes_id");

pub(super) const ALL: &[Table] = &[
    Table {
        noun: Noun::User,
        entity: entity::USER,
        next: USER.0,
        rows: USER.1,
        columns: columns![
            1 "roles" Integer, 2 "name" Text, 3 "primary_contact" Text, 4 "organisation" Text, 6 "created_at" Instant,
        ],
        deletes: true,
        next_name: "next_user",
        next_of: |head| head.next_user,
    },
    Table {
        noun: Noun::Organisation,
        entity: entity::ORGANISATION,
        next: ORGANISATION.0,
        rows: ORGANISATION.1,
        columns: columns![
            1 "name" Text, 2 "business_id" Text, 3 "primary_contact" Text, 4 "address" Text, 5 "website" Text,
            6 "created_at" Instant,
        ],
        deletes: true,
        next_name: "next_organisation",
        next_of: |head| head.next_organisation,
    },
    Table {
        noun: Noun::Account,
        entity: entity::ACCOUNT,
        next: ACCOUNT.0,
        rows: ACCOUNT.1,
        columns: columns![1 "name" Text, 2 "organisation_id" Integer, 4 "created_at" Instant],
        deletes: true,
        next_name: "next_account",
        next_of: |head| head.next_account,
    },
    Table {
        noun: Noun::Device,
        entity: entity::DEVICE,
        next: DEVICE.0,
        rows: DEVICE.1,
        columns: columns![
            1 "account_id" Integer, 2 "name" Text, 3 "grid" Text, 4 "energy_source" Integer, 5 "technology_type" Text,
            6 "operational_date" Instant, 7 "capacity_watts" Integer, 8 "peak_demand_watts" Integer, 9 "location" Text,
            10 "meter_data_id" Text, 11 "kind" Integer, 12 "is_approved" Integer, 13 "version" Integer,
            14 "created_at" Instant,
        ],
        deletes: true,
        next_name: "next_device",
        next_of: |head| head.next_device,
    },
    Table {
        noun: Noun::Metadata,
        entity: entity::METADATA,
        next: METADATA.0,
        rows: METADATA.1,
        columns: columns![
            1 "country_of_issuance" Text, 2 "connected_grid_identification" Text, 3 "issuing_body" Text,
            4 "issue_market_zone" Text, 5 "legal_status" Text, 6 "issuance_purpose" Text, 7 "support_received" Text,
            8 "quality_scheme_reference" Text, 9 "dissemination_level" Text, 10 "created_at" Instant,
        ],
        deletes: false,
        next_name: "next_metadata",
        next_of: |head| head.next_metadata,
    },
    Table {
        noun: Noun::Attributes,
        entity: entity::ATTRIBUTES,
        next: ATTRIBUTES.0,
        rows: ATTRIBUTES.1,
        columns: columns![1 "device_id" Integer, 2 "device_version" Integer, 3 "metadata_id" Integer, 4 "hash" Hash],
        deletes: false,
        next_name: "next_attributes",
        next_of: |head| head.next_attributes,
    },
    Table {
        noun: Noun::RecurringOrder,
        entity: entity::RECURRING_ORDER,
        next: RECURRING_ORDER.0,
        rows: RECURRING_ORDER.1,
        columns: columns![
            1 "kind" Integer, 2 "source_id" Integer, 3 "target_id" Integer, 4 "beneficiary" Text,
            5 "beneficiary_account_id" Integer, 6 "purpose" Text, 7 "first_at" Instant, 8 "period_unit" Integer,
            9 "period_quantity" Integer, 10 "runs" Integer, 11 "device_id" Integer, 12 "energy_source" Integer,
            13 "quantity" Integer, 14 "share" Integer, 15 "state" Integer, 16 "ordered_by" Integer,
            17 "created_at" Instant, 18 "next_due_at" Instant, 19 "runs_done" Integer,
        ],
        deletes: false,
        next_name: "next_recurring_order",
        next_of: |head| head.next_recurring_order,
    },
    Table {
        noun: Noun::Scr,
        entity: entity::SCR,
        next: SCR.0,
        rows: SCR.1,
        columns: columns![
            1 "device_id" Integer, 2 "start_at" Instant, 3 "end_at" Instant, 4 "energy_wh" Integer,
            5 "bundle_id" Integer, 6 "backed_wh" Integer, 7 "matching_method" Text, 8 "created_at" Instant,
        ],
        deletes: true,
        next_name: "next_scr",
        next_of: |head| head.next_scr,
    },
    Table {
        noun: Noun::Sdr,
        entity: entity::SDR,
        next: SDR.0,
        rows: SDR.1,
        columns: columns![
            1 "device_id" Integer, 2 "start_at" Instant, 3 "end_at" Instant, 4 "energy_wh" Integer, 5 "method" Integer,
            6 "efficiency_start" Instant, 7 "efficiency_end" Instant, 8 "input_wh" Integer, 9 "output_wh" Integer,
            10 "charge_before_wh" Integer, 11 "charge_after_wh" Integer, 12 "created_at" Instant,
        ],
        deletes: true,
        next_name: "next_sdr",
        next_of: |head| head.next_sdr,
    },
    Table {
        noun: Noun::Draw,
        entity: entity::DRAW,
        next: DRAW.0,
        rows: DRAW.1,
        columns: columns![
            1 "sdr_id" Integer, 2 "scr_id" Integer, 3 "backed_wh" Integer, 4 "unbacked_wh" Integer,
            5 "certificates" Integer, 6 "attributes_id" Integer,
        ],
        deletes: false,
        next_name: "next_draw",
        next_of: |head| head.next_draw,
    },
];
