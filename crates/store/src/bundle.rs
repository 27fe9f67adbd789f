//! Bundles of certificates.

use crate::code::{coded, kept};
use crate::measurement::{interval_of, range_of};
use db::{Connection, Error, Result, Row, Select, Table, Value};
use domain::event::{Entity, EventType};
use domain::{
    AccountId, AttributesId, Bundle, BundleId, BundleStatus, Cancellation, CertificateRange, DeviceId, DrawId,
    EnergyCarrier, EnergySource, MetadataId, SdrId, WattHours, bundle::Issuance,
};
use jiff::Timestamp;
use std::sync::Arc;

/// All but certificates issued on discharge; these have one column more, see [`insert`].
const TABLE: Table<16> = Table {
    name: "bundle",
    columns: [
        "id",
        "account_id",
        "device_id",
        "attributes_id",
        "range_first",
        "range_last",
        "production_start",
        "production_end",
        "issued_at",
        "expires_at",
        "parent_id",
        "status",
        "beneficiary",
        "beneficiary_account_id",
        "purpose",
        "hash",
    ],
};

/// The column of a certificate issued on discharge, beside those of all.
const OF_STORAGE: Table<17> = Table { name: TABLE.name, columns: with_draw(TABLE.columns) };

const fn with_draw(columns: [&'static str; 16]) -> [&'static str; 17] {
    let (mut all, mut place) = (["draw_id"; 17], 0);
    while place < columns.len() {
        all[place] = columns[place];
        place += 1;
    }
    all
}

macro_rules! columns {
    () => {
        "b.id, b.account_id, b.device_id, b.attributes_id, b.range_first, b.range_last, b.production_start, \
         b.production_end, b.issued_at, b.expires_at, b.parent_id, b.status, b.beneficiary, b.beneficiary_account_id, \
         b.purpose, b.hash, b.draw_id"
    };
}

pub mod listing;

fn bundle_of(row: &Row<'_>) -> Result<Bundle> {
    let (parent, beneficiary): (Option<i64>, Option<String>) = (row.get(10)?, row.get(12)?);
    let cancellation = match beneficiary {
        None => None,
        Some(beneficiary) => {
            let account: Option<i64> = row.get(13)?;
            let beneficiary_account = account.map(AccountId);
            Some(Arc::new(Cancellation { beneficiary, beneficiary_account, purpose: row.get(14)? }))
        }
    };
    Ok(Bundle {
        id: BundleId(row.get(0)?),
        account_id: AccountId(row.get(1)?),
        device_id: DeviceId(row.get(2)?),
        attributes_id: AttributesId(row.get(3)?),
        range: range_of(row, 4)?,
        production: interval_of(row, 6)?,
        issued_at: row.get(8)?,
        expires_at: row.get(9)?,
        parent_id: parent.map(BundleId),
        status: coded(row, 11, BundleStatus::from_code)?,
        cancellation,
        hash: row.get(15)?,
        draw_id: row.get::<Option<i64>>(16)?.map(DrawId),
    })
}

pub fn by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Bundle>> {
    connection.query(
        concat!("SELECT ", columns!(), " FROM bundle b WHERE b.id IN rarray($1)"),
        &[ids.into()],
        bundle_of,
    )
}

pub fn by_id(connection: &mut Connection, id: BundleId) -> Result<Option<Bundle>> {
    connection.query_optional(
        concat!("SELECT ", columns!(), " FROM bundle b WHERE b.id = $1"),
        &[id.0.into()],
        bundle_of,
    )
}

/// The bundle that holds a certificate of a device, by the certificate's number within the device; not the split parents
/// that once did. Walks the device's entries in the index of places, and no rows but the ones that it finds: an index of
/// certificate numbers would make each issue dearer for a question that is seldom asked.
pub fn holding(connection: &mut Connection, device: DeviceId, certificate: u64) -> Result<Option<Bundle>> {
    let number = kept(certificate);
    // Of ranges that hold it, one that begins later lies within the others, and so does one that ends earlier.
    connection.query_optional(
        concat!(
            "SELECT ",
            columns!(),
            " FROM bundle b WHERE b.device_id = $1 AND b.range_first <= $2 AND b.range_last >= $2 \
             ORDER BY b.range_first DESC, b.range_last LIMIT 1"
        ),
        &[device.0.into(), number.into()],
        bundle_of,
    )
}

/// Which of these bundles one of the accounts holds, or is the beneficiary of.
pub fn of_accounts(connection: &mut Connection, ids: &[i64], accounts: &[i64]) -> Result<Vec<BundleId>> {
    connection.query(
        "SELECT b.id FROM bundle b WHERE b.id IN rarray($1) \
         AND (b.account_id IN rarray($2) OR b.beneficiary_account_id IN rarray($2))",
        &[ids.into(), accounts.into()],
        |r| Ok(BundleId(r.get(0)?)),
    )
}

/// The bundles that this one was split from, itself first and at most `limit`.
pub fn line(connection: &mut Connection, id: BundleId, limit: i64) -> Result<Vec<Bundle>> {
    connection.query(
        concat!(
            "WITH RECURSIVE line (id, parent_id, step) AS (\
             SELECT b.id, b.parent_id, CAST(1 AS BIGINT) FROM bundle b WHERE b.id = $1 \
             UNION ALL SELECT p.id, p.parent_id, line.step + 1 FROM line JOIN bundle p ON p.id = line.parent_id \
             WHERE line.step < $2) SELECT ",
            columns!(),
            " FROM line JOIN bundle b ON b.id = line.id ORDER BY line.step"
        ),
        &[id.0.into(), limit.into()],
        bundle_of,
    )
}

/// The bundles of one device and production start whose range lies within `range`, the earliest certificates first, then
/// the larger bundles; at most `limit`.
pub fn within(
    connection: &mut Connection,
    (device, start): (DeviceId, Timestamp),
    range: CertificateRange,
    limit: i64,
) -> Result<Vec<Bundle>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM bundle b"))
        .and("b.device_id = ? AND b.production_start = ?", Some((device.0, start)))
        .and("b.range_first >= ? AND b.range_last <= ?", Some((kept(range.first()), kept(range.last()))))
        .tail("ORDER BY b.range_first, b.range_last DESC LIMIT ?", limit);
    connection.select(&select, bundle_of)
}

/// The bundles of one device and production start that were issued, or are withdrawn, outside of `range`; in the order of
/// their certificates, at most `limit`.
pub fn beside(
    connection: &mut Connection,
    (device, start): (DeviceId, Timestamp),
    range: CertificateRange,
    limit: i64,
) -> Result<Vec<Bundle>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM bundle b"))
        .and("b.device_id = ? AND b.production_start = ?", Some((device.0, start)))
        .and("b.range_first > ? OR b.range_last < ?", Some((kept(range.last()), kept(range.first()))))
        .and("b.parent_id IS NULL OR b.status = ?", Some(BundleStatus::Withdrawn.code()))
        .tail("ORDER BY b.range_first, b.range_last DESC LIMIT ?", limit);
    connection.select(&select, bundle_of)
}

/// The bundles of one device and production start that were not split, in the order of their certificates, at most `limit`.
pub fn unsplit(connection: &mut Connection, (device, start): (DeviceId, Timestamp), limit: i64) -> Result<Vec<Bundle>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM bundle b"))
        .and("b.device_id = ? AND b.production_start = ?", Some((device.0, start)))
        .and("b.status <> ?", Some(BundleStatus::Split.code()))
        .tail("ORDER BY b.range_first LIMIT ?", limit);
    connection.select(&select, bundle_of)
}

/// All bundles of an interval, in any state.
pub fn of_interval(connection: &mut Connection, device: DeviceId, start: Timestamp) -> Result<Vec<Bundle>> {
    connection.query(
        concat!("SELECT ", columns!(), " FROM bundle b WHERE b.device_id = $1 AND b.production_start = $2"),
        &[device.0.into(), start.into()],
        bundle_of,
    )
}

/// All bundles that stem from these draws, in any state, in the order of ids.
pub(crate) fn of_draws(connection: &mut Connection, draws: &[i64]) -> Result<Vec<Bundle>> {
    connection.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM bundle b WHERE b.draw_id IN rarray($1) AND b.draw_id IS NOT NULL ORDER BY b.id"
        ),
        &[draws.into()],
        bundle_of,
    )
}

/// The accounts that bundles were created in. Only the log says so: a row knows who holds the bundle now.
pub fn created_in(connection: &mut Connection, ids: &[i64]) -> Result<Vec<(BundleId, AccountId)>> {
    connection.query(
        "SELECT e.entity_id, e.attributes_after FROM event e \
         WHERE e.entity = $1 AND e.entity_id IN rarray($2) AND e.event_type = $3",
        &[Entity::Bundle.code().into(), ids.into(), EventType::Create.code().into()],
        |row| {
            let account = domain::event::created_in(row.get(1)?);
            let account = account.ok_or_else(|| Error::column(1, "the creation of a bundle without an account"))?;
            Ok((BundleId(row.get(0)?), account))
        },
    )
}

/// Which bundles to find; split parents only if asked for. An absent filter filters nothing.
#[derive(Clone, Debug, Default)]
pub struct BundleFilter {
    pub account: Option<AccountId>,
    pub device: Option<DeviceId>,
    pub energy_sources: Vec<EnergySource>,
    /// Wholly inside: from (included) to (excluded).
    pub period_start: Option<Timestamp>,
    pub period_end: Option<Timestamp>,
    pub status: Option<BundleStatus>,
    /// Of one device and start of production each; any of them.
    pub issuances: Option<Vec<Issuance>>,
    /// Wholly inside, both included.
    pub range_first: Option<u64>,
    pub range_last: Option<u64>,
    /// Split parents as well, where no status is asked for.
    pub with_split_parents: bool,
}

/// A bundle with what its snapshot says of it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub bundle: Bundle,
    pub metadata_id: MetadataId,
    pub energy_carrier: EnergyCarrier,
    pub energy_source: EnergySource,
    /// The discharge that it was issued on.
    pub sdr_id: Option<SdrId>,
}

/// A place in the order of (production start, id), after which a page begins.
pub type Place = (Timestamp, BundleId);

/// The bundles of `filter` in the order of (production start, id), after `after`, at most `limit`. `now` decides what
/// counts as expired.
pub fn find(
    connection: &mut Connection,
    filter: &BundleFilter,
    now: Timestamp,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Bundle>> {
    let mut found = Vec::new();
    let sources = sources_of(filter);
    for issuance in issuances_of(filter) {
        let select = Select::new(concat!("SELECT ", columns!(), " FROM bundle b"));
        let select = conditions(select, filter, issuance, &sources, now)
            .and("(b.production_start, b.id) > (?, ?)", after.map(|(start, id)| (start, id.0)))
            .tail("ORDER BY b.production_start, b.id LIMIT ?", limit);
        found.append(&mut connection.select(&select, bundle_of)?);
    }
    found.sort_by_key(|b| (b.production.start(), b.id));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// Hands over each bundle of `filter`, whatever their number: those of an account or a device in the order of (production
/// start, id), those of all in the order of ids.
pub fn each<E: From<db::Error>>(
    connection: &mut Connection,
    filter: &BundleFilter,
    now: Timestamp,
    mut one: impl FnMut(&Listed) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let is_of_all = filter.account.is_none() && filter.device.is_none() && filter.issuances.is_none();
    let sources = sources_of(filter);
    for issuance in issuances_of(filter) {
        let select = Select::new(concat!(
            "SELECT ",
            columns!(),
            ", s.metadata_id, s.energy_carrier, s.energy_source, \
             (SELECT w.sdr_id FROM storage_draw w WHERE w.id = b.draw_id) FROM bundle b \
             JOIN certificate_attributes s ON s.id = b.attributes_id"
        ));
        let select = conditions(select, filter, issuance, &sources, now);
        let order = if is_of_all { "ORDER BY b.id" } else { "ORDER BY b.production_start, b.id" };
        let select = select.tail(order, ());
        connection.query_each(select.text(), select.values(), |row| one(&listed_of(row)?))?;
    }
    Ok(())
}

fn listed_of(row: &Row<'_>) -> Result<Listed> {
    Ok(Listed {
        bundle: bundle_of(row)?,
        metadata_id: MetadataId(row.get(17)?),
        energy_carrier: coded(row, 18, EnergyCarrier::from_code)?,
        energy_source: coded(row, 19, EnergySource::from_code)?,
        sdr_id: row.get::<Option<i64>>(20)?.map(SdrId),
    })
}

/// Up to `limit` bundles of an account that keep it from being deleted, the newest first.
pub(crate) fn binding(
    connection: &mut Connection,
    account: AccountId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Bundle>> {
    connection.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM bundle b WHERE b.account_id = $1 AND (b.status = $2 OR (b.status IN ($3, $4) AND b.expires_at > $5)) \
             ORDER BY b.production_start DESC, b.id DESC LIMIT $6"
        ),
        &[
            account.0.into(),
            BundleStatus::Reserved.code().into(),
            BundleStatus::Active.code().into(),
            BundleStatus::Locked.code().into(),
            now.into(),
            limit.into(),
        ],
        bundle_of,
    )
}

/// The energy of all bundles of `filter`.
pub fn volume(connection: &mut Connection, filter: &BundleFilter, now: Timestamp) -> Result<WattHours> {
    const SUM: &str = "SELECT CAST(COALESCE(SUM(b.range_last - b.range_first + 1), 0) AS BIGINT) FROM bundle b";
    let sources = sources_of(filter);
    let mut sum = WattHours::ZERO;
    for issuance in issuances_of(filter) {
        let select = conditions(Select::new(SUM), filter, issuance, &sources, now);
        let part = connection.select(&select, |r| crate::code::count(r, 0))?;
        sum = part.into_iter().map(WattHours).chain([sum]).sum();
    }
    Ok(sum)
}

/// One look-up for each issuance that is asked for, or one for all.
fn issuances_of(filter: &BundleFilter) -> Vec<Option<Issuance>> {
    filter.issuances.as_ref().map_or_else(|| vec![None], |all| all.iter().map(|one| Some(*one)).collect())
}

fn sources_of(filter: &BundleFilter) -> Vec<i64> {
    filter.energy_sources.iter().map(|source| source.code()).collect()
}

fn conditions<'v>(
    select: Select<'v>,
    filter: &'v BundleFilter,
    issuance: Option<Issuance>,
    sources: &'v [i64],
    now: Timestamp,
) -> Select<'v> {
    // With a device the index of devices is the narrower one; the sign keeps the index of accounts out of it.
    let has_device = issuance.is_some() || filter.device.is_some();
    let account = filter.account.map(|id| id.0);
    let select = select
        .and("b.account_id = ?", account.filter(|_| !has_device))
        .and("+b.account_id = ?", account.filter(|_| has_device))
        .and("b.device_id = ? AND b.production_start = ?", issuance.map(|of| (of.device_id.0, of.start)))
        .and(
            "b.draw_id IN (SELECT w.id FROM storage_draw w WHERE w.sdr_id = ?)",
            issuance.and_then(|of| of.sdr_id).map(|id| id.0),
        )
        .and("b.device_id = ?", filter.device.map(|id| id.0))
        .and("b.production_start >= ?", filter.period_start)
        .and("b.production_start < ?", filter.period_end)
        .and("b.production_end <= ?", filter.period_end)
        .and("b.range_first >= ?", filter.range_first.map(kept))
        .and("b.range_last <= ?", filter.range_last.map(kept))
        .and(
            "b.attributes_id IN (SELECT a.id FROM certificate_attributes a WHERE CAST(a.energy_source AS BIGINT) IN rarray(?))",
            (!sources.is_empty()).then_some(sources),
        );
    match filter.status {
        None if filter.with_split_parents => select,
        None => select.and("b.status <> ?", Some(BundleStatus::Split.code())),
        Some(BundleStatus::Expired) => select.and(
            "(b.status = ? OR (b.status IN (?, ?) AND b.expires_at <= ?))",
            Some((BundleStatus::Expired.code(), BundleStatus::Active.code(), BundleStatus::Locked.code(), now)),
        ),
        Some(status @ (BundleStatus::Active | BundleStatus::Locked)) => {
            select.and("b.status = ? AND b.expires_at > ?", Some((status.code(), now)))
        }
        Some(status) => select.and("b.status = ?", Some(status.code())),
    }
}

/// Writes new bundles. Those issued on discharge go apart: few are, and the others need not carry a column for them.
pub(crate) fn insert(tx: &mut Connection, bundles: &[Bundle]) -> Result<()> {
    if bundles.iter().all(|b| b.draw_id.is_none()) {
        return tx.insert(&TABLE, bundles, values);
    }
    let (of_storage, others): (Vec<&Bundle>, Vec<&Bundle>) = bundles.iter().partition(|b| b.draw_id.is_some());
    tx.insert(&TABLE, &others, |b| values(b))?;
    tx.insert(&OF_STORAGE, &of_storage, |b| {
        let mut values = values(b).into_iter().chain([b.draw_id.map(|id| id.0).into()]);
        std::array::from_fn(|_| values.next().expect("as many values as columns"))
    })
}

fn values(b: &Bundle) -> [Value<'_>; 16] {
    let cancellation = b.cancellation.as_deref();
    [
        b.id.0.into(),
        b.account_id.0.into(),
        b.device_id.0.into(),
        b.attributes_id.0.into(),
        kept(b.range.first()).into(),
        kept(b.range.last()).into(),
        b.production.start().into(),
        b.production.end().into(),
        b.issued_at.into(),
        b.expires_at.into(),
        b.parent_id.map(|id| id.0).into(),
        b.status.code().into(),
        cancellation.map(|c| c.beneficiary.as_str()).into(),
        cancellation.and_then(|c| c.beneficiary_account).map(|id| id.0).into(),
        cancellation.and_then(|c| c.purpose.as_deref()).into(),
        (&b.hash).into(),
    ]
}

/// Writes what may change of a bundle. Each bundle once: with an id twice, either row may win.
pub(crate) fn update(tx: &mut Connection, bundles: &[&Bundle]) -> Result<()> {
    tx.update(
        "UPDATE bundle SET account_id = v.column2, status = v.column3, beneficiary = v.column4, \
         beneficiary_account_id = v.column5, purpose = v.column6 FROM ROWS AS v WHERE bundle.id = v.column1",
        ["BIGINT", "BIGINT", "SMALLINT", "TEXT", "BIGINT", "TEXT"],
        bundles,
        |b| {
            let cancellation = b.cancellation.as_deref();
            [
                b.id.0.into(),
                b.account_id.0.into(),
                b.status.code().into(),
                cancellation.map(|c| c.beneficiary.as_str()).into(),
                cancellation.and_then(|c| c.beneficiary_account).map(|id| id.0).into(),
                cancellation.and_then(|c| c.purpose.as_deref()).into(),
            ]
        },
    )?;
    Ok(())
}
