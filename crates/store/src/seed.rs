//! The database of a demonstration registry (the *seed*), read to be imported: its rows as they are, nothing of them
//! trusted.
//!
//! The seed's database is PostgreSQL, so these texts need not run on SQLite. Numbers and words come as text, instants as
//! microseconds that are UTC where the column has no zone; a column that another version of the seed does not have is
//! NULL. Invariant: it only reads, and each table is streamed in one order, so that memory holds one row.

use db::{Connection, Engine, OpenMode, Result, Row, Url};
use std::collections::HashSet;
use std::fmt::Write as _;

/// The seed's tables that are read, with the columns that must be there. A name is followed by what other versions call it.
const NEEDED: [(&str, &[&[&str]]); 6] = [
    ("registry_user", &[&["id"], &["name"], &["primary_contact"]]),
    ("account", &[&["id"], &["account_name"]]),
    ("device", &[&["id"], &["account_id"], &["device_name"], &["capacity"], &["energy_source"]]),
    ("issuancemetadata", &[&["id"], &["issuing_body"]]),
    (
        "measurementreport",
        &[&["id"], &["device_id"], &["interval_start_datetime"], &["interval_end_datetime"], &["interval_usage"]],
    ),
    (
        "granularcertificatebundle",
        &[
            &["id"],
            &["device_id"],
            &["account_id"],
            &["metadata_id"],
            STATUS,
            RANGE_START,
            RANGE_END,
            &["bundle_quantity"],
            &["production_starting_interval"],
            &["production_ending_interval"],
        ],
    ),
];
const STATUS: &[&str] = &["certificate_bundle_status", "certificate_status"];
const RANGE_START: &[&str] = &["certificate_bundle_id_range_start", "bundle_id_range_start"];
const RANGE_END: &[&str] = &["certificate_bundle_id_range_end", "bundle_id_range_end"];

/// Why a database is not one that can be imported.
#[derive(Debug, thiserror::Error)]
pub enum SeedFault {
    #[error("it is not a PostgreSQL database")]
    NotPostgres,
    #[error("it has no {0}")]
    Missing(String),
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// A seed's database that is open, and which columns it has.
pub struct Seed {
    connection: Connection,
    columns: HashSet<(String, String)>,
}

pub struct UserRow {
    pub id: i64,
    pub name: Option<String>,
    pub primary_contact: Option<String>,
    /// A JSON list, or one word.
    pub roles: Option<String>,
    pub organisation: Option<String>,
    /// A JSON list.
    pub account_ids: Option<String>,
    pub is_deleted: bool,
    pub created_at: Option<i64>,
}

pub struct AccountRow {
    pub id: i64,
    pub name: Option<String>,
    /// JSON lists.
    pub user_ids: Option<String>,
    pub whitelist: Option<String>,
    pub is_deleted: bool,
    pub created_at: Option<i64>,
}

/// A user and an account, or an account and one that it accepts from.
pub struct LinkRow {
    pub first: Option<i64>,
    pub second: Option<i64>,
    pub is_deleted: bool,
}

pub struct DeviceRow {
    pub id: i64,
    pub account_id: Option<i64>,
    pub name: Option<String>,
    pub grid: Option<String>,
    pub energy_source: Option<String>,
    pub technology_type: Option<String>,
    pub operational_date: Option<i64>,
    pub capacity: Option<String>,
    pub peak_demand: Option<String>,
    pub location: Option<String>,
    pub meter_data_id: Option<String>,
    pub is_storage: bool,
    pub is_deleted: bool,
    pub created_at: Option<i64>,
}

pub struct MetadataRow {
    pub id: i64,
    /// Country, grid, issuing body, market zone.
    pub required: [Option<String>; 4],
    /// Legal status, purpose, support, quality scheme, dissemination level.
    pub optional: [Option<String>; 5],
    pub created_at: Option<i64>,
}

pub struct ReadingRow {
    pub id: i64,
    pub device_id: Option<i64>,
    pub start: Option<i64>,
    pub end: Option<i64>,
    pub usage: Option<String>,
    pub gross_net: Option<String>,
    pub is_deleted: bool,
}

pub struct ActionRow {
    pub id: i64,
    pub action_type: Option<String>,
    /// A JSON list.
    pub bundle_ids: Option<String>,
    pub beneficiary: Option<String>,
    pub response_status: Option<String>,
    pub is_deleted: bool,
}

pub struct BundleRow {
    pub id: i64,
    pub device_id: Option<i64>,
    pub account_id: Option<i64>,
    pub metadata_id: Option<i64>,
    pub status: Option<String>,
    pub range_start: Option<i64>,
    pub range_end: Option<i64>,
    pub quantity: Option<i64>,
    pub face_value: Option<i64>,
    pub energy_carrier: Option<String>,
    pub start: Option<i64>,
    pub end: Option<i64>,
    pub beneficiary: Option<String>,
    pub is_deleted: bool,
    pub created_at: Option<i64>,
}

/// A column as it is selected, under whichever of its names there is.
enum As<'n> {
    Text(&'n [&'n str]),
    Number(&'n [&'n str]),
    Instant(&'n [&'n str]),
    Flag(&'n [&'n str]),
    /// An array or a JSON value, as JSON.
    Json(&'n [&'n str]),
}

impl Seed {
    /// Opens it, to read one unchanging state of it and nothing else.
    pub fn open(url: &Url) -> std::result::Result<Self, SeedFault> {
        if url.engine() != Engine::Postgres {
            return Err(SeedFault::NotPostgres);
        }
        let mut connection = Connection::open_as(url, OpenMode::LongReader)?;
        // until it is closed; what it holds back from vacuum is the seed's own past
        connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let found = connection.query(
            "SELECT CAST(c.table_name AS TEXT), CAST(c.column_name AS TEXT) FROM information_schema.columns c \
             WHERE CAST(c.table_schema AS TEXT) IN (SELECT CAST(unnest(current_schemas(false)) AS TEXT))",
            &[],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let seed = Self { connection, columns: found.into_iter().collect() };
        for (table, columns) in NEEDED {
            if let Some(missing) = columns.iter().find(|names| seed.name(table, names).is_none()) {
                return Err(SeedFault::Missing(format!("column {table}.{}", missing.join(" or "))));
            }
        }
        Ok(seed)
    }

    pub fn users<E: From<db::Error>>(&mut self, each: impl FnMut(UserRow) -> Outcome<E>) -> Outcome<E> {
        let columns = [
            As::Text(&["name"]),
            As::Text(&["primary_contact"]),
            As::Json(&["roles", "role"]),
            As::Text(&["organisation"]),
            As::Json(&["account_ids"]),
            As::Flag(&["is_deleted"]),
            As::Instant(&["created_at"]),
        ];
        self.each("registry_user", &columns, "id", each, |row| {
            Ok(UserRow {
                id: row.get(0)?,
                name: row.get(1)?,
                primary_contact: row.get(2)?,
                roles: row.get(3)?,
                organisation: row.get(4)?,
                account_ids: row.get(5)?,
                is_deleted: row.get(6)?,
                created_at: row.get(7)?,
            })
        })
    }

    pub fn accounts<E: From<db::Error>>(&mut self, each: impl FnMut(AccountRow) -> Outcome<E>) -> Outcome<E> {
        let columns = [
            As::Text(&["account_name"]),
            As::Json(&["user_ids"]),
            As::Json(&["account_whitelist"]),
            As::Flag(&["is_deleted"]),
            As::Instant(&["created_at"]),
        ];
        self.each("account", &columns, "id", each, |row| {
            Ok(AccountRow {
                id: row.get(0)?,
                name: row.get(1)?,
                user_ids: row.get(2)?,
                whitelist: row.get(3)?,
                is_deleted: row.get(4)?,
                created_at: row.get(5)?,
            })
        })
    }

    /// Who belongs to which account.
    pub fn members<E: From<db::Error>>(&mut self, each: impl FnMut(LinkRow) -> Outcome<E>) -> Outcome<E> {
        self.links("useraccountlink", ["user_id", "account_id"], each)
    }

    /// Which account accepts from which; later versions of the seed keep it apart.
    pub fn senders<E: From<db::Error>>(&mut self, each: impl FnMut(LinkRow) -> Outcome<E>) -> Outcome<E> {
        self.links("accountwhitelistlink", ["target_account_id", "source_account_id"], each)
    }

    fn links<E: From<db::Error>>(
        &mut self,
        table: &'static str,
        names: [&str; 2],
        mut each: impl FnMut(LinkRow) -> Outcome<E>,
    ) -> Outcome<E> {
        let [first, second] = names;
        if self.name(table, &[first]).is_none() || self.name(table, &[second]).is_none() {
            return Ok(());
        }
        let deleted = self.selected(table, &As::Flag(&["is_deleted"]));
        let sql = format!(
            "SELECT CAST(t.{first} AS BIGINT), CAST(t.{second} AS BIGINT), {deleted} FROM {table} t \
             ORDER BY t.{first}, t.{second}"
        );
        self.connection.query_each(&sql, &[], |row| {
            each(LinkRow { first: row.get(0)?, second: row.get(1)?, is_deleted: row.get(2)? })
        })
    }

    pub fn devices<E: From<db::Error>>(&mut self, each: impl FnMut(DeviceRow) -> Outcome<E>) -> Outcome<E> {
        let columns = [
            As::Number(&["account_id"]),
            As::Text(&["device_name"]),
            As::Text(&["grid"]),
            As::Text(&["energy_source"]),
            As::Text(&["technology_type"]),
            As::Instant(&["operational_date"]),
            As::Text(&["capacity"]),
            As::Text(&["peak_demand"]),
            As::Text(&["location"]),
            As::Text(&["meter_data_id", "local_device_identifier"]),
            As::Flag(&["is_storage"]),
            As::Flag(&["is_deleted"]),
            As::Instant(&["created_at"]),
        ];
        self.each("device", &columns, "id", each, |row| {
            Ok(DeviceRow {
                id: row.get(0)?,
                account_id: row.get(1)?,
                name: row.get(2)?,
                grid: row.get(3)?,
                energy_source: row.get(4)?,
                technology_type: row.get(5)?,
                operational_date: row.get(6)?,
                capacity: row.get(7)?,
                peak_demand: row.get(8)?,
                location: row.get(9)?,
                meter_data_id: row.get(10)?,
                is_storage: row.get(11)?,
                is_deleted: row.get(12)?,
                created_at: row.get(13)?,
            })
        })
    }

    pub fn metadata<E: From<db::Error>>(&mut self, each: impl FnMut(MetadataRow) -> Outcome<E>) -> Outcome<E> {
        let columns = [
            As::Text(&["country_of_issuance"]),
            As::Text(&["connected_grid_identification"]),
            As::Text(&["issuing_body"]),
            As::Text(&["issue_market_zone"]),
            As::Text(&["legal_status"]),
            As::Text(&["issuance_purpose"]),
            As::Text(&["support_received"]),
            As::Text(&["quality_scheme_reference"]),
            As::Text(&["dissemination_level"]),
            As::Instant(&["created_at"]),
        ];
        self.each("issuancemetadata", &columns, "id", each, |row| {
            Ok(MetadataRow {
                id: row.get(0)?,
                required: [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?],
                optional: [row.get(5)?, row.get(6)?, row.get(7)?, row.get(8)?, row.get(9)?],
                created_at: row.get(10)?,
            })
        })
    }

    /// By device, start and id.
    pub fn readings<E: From<db::Error>>(&mut self, each: impl FnMut(ReadingRow) -> Outcome<E>) -> Outcome<E> {
        let columns = [
            As::Number(&["device_id"]),
            As::Instant(&["interval_start_datetime"]),
            As::Instant(&["interval_end_datetime"]),
            As::Text(&["interval_usage"]),
            As::Text(&["gross_net_indicator"]),
            As::Flag(&["is_deleted"]),
        ];
        let order = "device_id, interval_start_datetime, id";
        self.each("measurementreport", &columns, order, each, |row| {
            Ok(ReadingRow {
                id: row.get(0)?,
                device_id: row.get(1)?,
                start: row.get(2)?,
                end: row.get(3)?,
                usage: row.get(4)?,
                gross_net: row.get(5)?,
                is_deleted: row.get(6)?,
            })
        })
    }

    /// Nothing if this version of the seed does not say which bundles an action was on.
    pub fn actions<E: From<db::Error>>(&mut self, each: impl FnMut(ActionRow) -> Outcome<E>) -> Outcome<E> {
        const TABLE: &str = "granularcertificateaction";
        let needed: [&[&str]; 3] = [&["id"], &["action_type"], &["granular_certificate_bundle_ids"]];
        if needed.iter().any(|names| self.name(TABLE, names).is_none()) {
            return Ok(());
        }
        let columns = [
            As::Text(&["action_type"]),
            As::Json(&["granular_certificate_bundle_ids"]),
            As::Text(&["beneficiary"]),
            As::Text(&["action_response_status"]),
            As::Flag(&["is_deleted"]),
        ];
        self.each(TABLE, &columns, "id", each, |row| {
            Ok(ActionRow {
                id: row.get(0)?,
                action_type: row.get(1)?,
                bundle_ids: row.get(2)?,
                beneficiary: row.get(3)?,
                response_status: row.get(4)?,
                is_deleted: row.get(5)?,
            })
        })
    }

    /// By device, start of production and id: what was split from a bundle stands with it.
    pub fn bundles<E: From<db::Error>>(&mut self, each: impl FnMut(BundleRow) -> Outcome<E>) -> Outcome<E> {
        let columns = [
            As::Number(&["device_id"]),
            As::Number(&["account_id"]),
            As::Number(&["metadata_id"]),
            As::Text(STATUS),
            As::Number(RANGE_START),
            As::Number(RANGE_END),
            As::Number(&["bundle_quantity"]),
            As::Number(&["face_value"]),
            As::Text(&["energy_carrier"]),
            As::Instant(&["production_starting_interval"]),
            As::Instant(&["production_ending_interval"]),
            As::Text(&["beneficiary"]),
            As::Flag(&["is_deleted"]),
            As::Instant(&["created_at"]),
        ];
        let order = "device_id, production_starting_interval, id";
        self.each("granularcertificatebundle", &columns, order, each, |row| {
            Ok(BundleRow {
                id: row.get(0)?,
                device_id: row.get(1)?,
                account_id: row.get(2)?,
                metadata_id: row.get(3)?,
                status: row.get(4)?,
                range_start: row.get(5)?,
                range_end: row.get(6)?,
                quantity: row.get(7)?,
                face_value: row.get(8)?,
                energy_carrier: row.get(9)?,
                start: row.get(10)?,
                end: row.get(11)?,
                beneficiary: row.get(12)?,
                is_deleted: row.get(13)?,
                created_at: row.get(14)?,
            })
        })
    }

    /// The accounts, or devices, that bundles name.
    pub fn used(&mut self, column: &'static str) -> Result<Vec<i64>> {
        let sql = format!(
            "SELECT DISTINCT CAST(t.{column} AS BIGINT) FROM granularcertificatebundle t WHERE t.{column} IS NOT NULL"
        );
        self.connection.query(&sql, &[], |row| row.get(0))
    }

    // ── Helpers ─────────────────────────────────────────────────────────────

    /// Hands the rows of a table, its id first, to `each`.
    fn each<T, E: From<db::Error>>(
        &mut self,
        table: &'static str,
        columns: &[As<'_>],
        order: &str,
        mut each: impl FnMut(T) -> Outcome<E>,
        read: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Outcome<E> {
        let mut sql = "SELECT CAST(t.id AS BIGINT)".to_owned();
        for column in columns {
            let _infallible = write!(sql, ", {}", self.selected(table, column));
        }
        let order = order.split(", ").map(|name| format!("t.{name}")).collect::<Vec<_>>().join(", ");
        let _infallible = write!(sql, " FROM {table} t ORDER BY {order}");
        self.connection.query_each(&sql, &[], |row| each(read(row)?))
    }

    /// The name under which the table has a column, if it has.
    fn name<'n>(&self, table: &str, names: &[&'n str]) -> Option<&'n str> {
        names.iter().copied().find(|name| self.columns.contains(&(table.to_owned(), (*name).to_owned())))
    }

    fn selected(&self, table: &str, column: &As<'_>) -> String {
        let (As::Text(names) | As::Number(names) | As::Instant(names) | As::Flag(names) | As::Json(names)) = column;
        let name = self.name(table, names);
        match (column, name) {
            (As::Text(_) | As::Json(_), None) => "CAST(NULL AS TEXT)".to_owned(),
            (As::Number(_) | As::Instant(_), None) => "CAST(NULL AS BIGINT)".to_owned(),
            (As::Flag(_), None) => "FALSE".to_owned(),
            (As::Text(_), Some(name)) => format!("CAST(t.{name} AS TEXT)"),
            (As::Number(_), Some(name)) => format!("CAST(t.{name} AS BIGINT)"),
            // the same of a time without a zone, which is UTC, and of one with a zone
            (As::Instant(_), Some(name)) => {
                format!("CASE WHEN isfinite(t.{name}) THEN CAST(EXTRACT(EPOCH FROM t.{name}) * 1000000 AS BIGINT) END")
            }
            (As::Flag(_), Some(name)) => format!("COALESCE(CAST(t.{name} AS BOOLEAN), FALSE)"),
            (As::Json(_), Some(name)) => format!("CAST(to_json(t.{name}) AS TEXT)"),
        }
    }
}

/// What comes of handing out rows.
type Outcome<E> = std::result::Result<(), E>;
