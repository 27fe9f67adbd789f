//! Bundles as people leaf through them: from either end, page by page.
//!
//! Invariant: what one look costs does not grow with the ledger. A filter that matches next to nothing would have a page
//! read everything in search of its rows, so a page ends at its [`horizon`].

use super::{BundleFilter, Place, bundle_of, conditions, sources_of};
use crate::code::{coded, count};
use db::{Connection, Result, Select};
use domain::bundle::Issuance;
use domain::{AccountId, Bundle, BundleId, BundleStatus, WattHours};
use jiff::{SignedDuration, Timestamp};

/// From which end: the oldest production first, or the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    #[default]
    NewestFirst,
}

/// A part of the order of (production start, id): behind `after`, up to `until`, which belongs to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    pub order: Order,
    pub after: Option<Place>,
    pub until: Option<Place>,
}

/// Where `most` bundles of the account (or device) and period have been looked at, whatever else the filter asks of them;
/// `None` where there are fewer. `issuance` is the one that is asked for.
pub fn horizon(
    connection: &mut Connection,
    filter: &BundleFilter,
    issuance: Option<Issuance>,
    stretch: Stretch,
    most: i64,
) -> Result<Option<Place>> {
    let device = issuance.map(|of| of.device_id).or(filter.device);
    let select = Select::new("SELECT b.production_start, b.id FROM bundle b")
        .and("b.account_id = ?", filter.account.filter(|_| device.is_none()).map(|id| id.0))
        .and("b.device_id = ?", device.map(|id| id.0))
        .and("b.production_start = ?", issuance.map(|of| of.start));
    let select = within(select, filter, stretch);
    let skipped = most.saturating_sub(1);
    let select = match stretch.order {
        Order::OldestFirst => select.tail("ORDER BY b.production_start, b.id LIMIT 1 OFFSET ?", skipped),
        Order::NewestFirst => select.tail("ORDER BY b.production_start DESC, b.id DESC LIMIT 1 OFFSET ?", skipped),
    };
    let found = connection.select(&select, |row| Ok((row.get(0)?, BundleId(row.get(1)?))))?;
    Ok(found.into_iter().next())
}

/// The bundles of `filter` in a stretch, at most `limit`. `now` decides what counts as expired.
pub fn page(
    connection: &mut Connection,
    filter: &BundleFilter,
    issuance: Option<Issuance>,
    now: Timestamp,
    stretch: Stretch,
    limit: i64,
) -> Result<Vec<Bundle>> {
    let (sources, others) = (sources_of(filter), timeless(filter));
    let select = Select::new(concat!("SELECT ", columns!(), " FROM bundle b"));
    let select = within(conditions(select, &others, issuance, &sources, now), filter, stretch);
    let select = match stretch.order {
        Order::OldestFirst => select.tail("ORDER BY b.production_start, b.id LIMIT ?", limit),
        Order::NewestFirst => select.tail("ORDER BY b.production_start DESC, b.id DESC LIMIT ?", limit),
    };
    connection.select(&select, bundle_of)
}

/// The accounts that hold bundles of an issuance, split parents apart, in the order of their ids. Bundles of one interval of
/// one device are walked.
pub fn holders(connection: &mut Connection, issuance: Issuance) -> Result<Vec<AccountId>> {
    let all = BundleFilter::default();
    let select = Select::new("SELECT DISTINCT b.account_id FROM bundle b");
    let select = conditions(select, &all, Some(issuance), &[], Timestamp::UNIX_EPOCH).tail("ORDER BY b.account_id", ());
    connection.select(&select, |row| Ok(AccountId(row.get(0)?)))
}

/// Bundles that are in one state at a time, and what they hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusSum {
    pub status: BundleStatus,
    pub bundles: u64,
    pub energy: WattHours,
}

/// The bundles of `filter` in a stretch, added up by the state in which they are at `now`; a state may come twice.
pub fn sums(
    connection: &mut Connection,
    filter: &BundleFilter,
    issuance: Option<Issuance>,
    now: Timestamp,
    stretch: Stretch,
) -> Result<Vec<StatusSum>> {
    const SUMS: &str = "SELECT b.status, CAST(CASE WHEN b.expires_at <= ? THEN 1 ELSE 0 END AS BIGINT), COUNT(*), \
         CAST(SUM(b.range_last - b.range_first + 1) AS BIGINT) FROM bundle b";
    let (sources, others) = (sources_of(filter), timeless(filter));
    let select = within(conditions(Select::with(SUMS, now), &others, issuance, &sources, now), filter, stretch);
    connection.select(&select.tail("GROUP BY 1, 2", ()), |row| {
        let stored = coded(row, 0, BundleStatus::from_code)?;
        let has_expired = row.get::<i64>(1)? > 0 && matches!(stored, BundleStatus::Active | BundleStatus::Locked);
        Ok(StatusSum {
            status: if has_expired { BundleStatus::Expired } else { stored },
            bundles: count(row, 2)?,
            energy: WattHours(count(row, 3)?),
        })
    })
}

/// The conditions of a stretch, and of the period. Of each side there is one bound only on the start of production, the
/// tightest: of several, SQLite may follow the loosest along the index.
fn within<'v>(select: Select<'v>, filter: &BundleFilter, stretch: Stretch) -> Select<'v> {
    let Stretch { order, after, until } = stretch;
    let (lowest, highest) = match order {
        Order::OldestFirst => (after, until),
        Order::NewestFirst => (until, after),
    };
    let start = |place: Option<Place>| place.map(|(start, _)| start);
    // To the microsecond, as the databases keep it.
    let before_end = filter.period_end.map(|end| end.checked_sub(SignedDuration::from_micros(1)).unwrap_or(end));
    let earliest = start(lowest).into_iter().chain(filter.period_start).max();
    let latest = start(highest).into_iter().chain(before_end).min();
    let key = |place: Option<Place>| place.map(|(start, id)| (start, id.0));
    let select = select
        .and("b.production_start >= ?", earliest)
        .and("b.production_start <= ?", latest)
        .and("b.production_end <= ?", filter.period_end);
    match order {
        Order::OldestFirst => select
            .and("b.production_start > ? OR b.id > ?", key(after))
            .and("b.production_start < ? OR b.id <= ?", key(until)),
        Order::NewestFirst => select
            .and("b.production_start < ? OR b.id < ?", key(after))
            .and("b.production_start > ? OR b.id >= ?", key(until)),
    }
}

/// The filter but for its period.
fn timeless(filter: &BundleFilter) -> BundleFilter {
    BundleFilter { period_start: None, period_end: None, ..filter.clone() }
}
