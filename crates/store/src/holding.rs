//! What accounts hold, split parents apart: kept added up by device, snapshot, state and week of production, so that no sum walks
//! an account's bundles.
//!
//! Invariant: for each account, device, snapshot, state and week there is a row with the number and the Wh of these bundles, or
//! there are none; a row that counts nothing any more stays. It follows from the bundles alone, is changed in the
//! transaction that changes them, and no rule looks at it.

use crate::code::{coded, count, kept};
use db::{Connection, Result, Row, Select};
use domain::{AccountId, AttributesId, Bundle, BundleStatus, DeviceId, State, WattHours};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// 7 days. The lengths of the walks for what expires just now and of the rows of an account are about equal then.
const WEEK_MICROS: i64 = 7 * 24 * 3_600 * 1_000_000;

/// The account, the device, the snapshot, the state's code, and the week. What comes out of storage carries a snapshot of
/// the device that made it, so that a snapshot does not name the device.
type Key = (AccountId, DeviceId, AttributesId, i64, i64);

/// What a batch adds to a row.
struct Delta {
    bundles: i64,
    energy_wh: i64,
    expires_first: Timestamp,
    expires_last: Timestamp,
}

fn week_of(at: Timestamp) -> i64 {
    at.as_microsecond().div_euclid(WEEK_MICROS)
}

/// The weeks' own bounds, as far as there is time.
fn start_of(week: i64) -> Timestamp {
    Timestamp::from_microsecond(week.saturating_mul(WEEK_MICROS)).unwrap_or(Timestamp::MAX)
}

/// Adds what a batch did to the bundles it made, adopted and changed.
pub(crate) fn add(tx: &mut Connection, state: &State) -> Result<()> {
    let mut deltas = BTreeMap::new();
    let mut note = |bundle: &Bundle, (account, status): (AccountId, BundleStatus), sign: i64| {
        if status == BundleStatus::Split {
            return;
        }
        let (first, last) = (bundle.expires_at, bundle.expires_at);
        let week = week_of(bundle.production.start());
        let key: Key = (account, bundle.device_id, bundle.attributes_id, status.code(), week);
        let none = Delta { bundles: 0, energy_wh: 0, expires_first: first, expires_last: last };
        let delta = deltas.entry(key).or_insert(none);
        delta.bundles += sign;
        delta.energy_wh += sign * kept(bundle.range.quantity().0);
        delta.expires_first = delta.expires_first.min(first);
        delta.expires_last = delta.expires_last.max(last);
    };
    for bundle in state.written.adopted_bundles.iter().chain(&state.written.bundles) {
        note(bundle, (bundle.account_id, bundle.status), 1);
    }
    for (id, before) in &state.written.changed_bundles {
        let moved = state.bundle(*id).map(|bundle| (bundle, (bundle.account_id, bundle.status)));
        if let Some((bundle, after)) = moved.filter(|(_, after)| after != before) {
            note(bundle, *before, -1);
            note(bundle, after, 1);
        }
    }
    let deltas: Vec<(Key, Delta)> = deltas.into_iter().collect();
    // DISTINCT: a list of rows may have its last one more than once.
    tx.update(
        "INSERT INTO holding (account_id, device_id, attributes_id, status, week, bundles, energy_wh, expires_first, \
         expires_last) \
         SELECT DISTINCT v.column1, v.column2, v.column3, v.column4, v.column5, v.column6, v.column7, v.column8, v.column9 \
         FROM ROWS AS v WHERE TRUE \
         ON CONFLICT (account_id, device_id, attributes_id, status, week) DO UPDATE SET \
         bundles = holding.bundles + excluded.bundles, energy_wh = holding.energy_wh + excluded.energy_wh, \
         expires_first = CASE WHEN excluded.expires_first < holding.expires_first \
         THEN excluded.expires_first ELSE holding.expires_first END, \
         expires_last = CASE WHEN excluded.expires_last > holding.expires_last \
         THEN excluded.expires_last ELSE holding.expires_last END",
        ["BIGINT", "BIGINT", "BIGINT", "SMALLINT", "BIGINT", "BIGINT", "BIGINT", "TIMESTAMPTZ", "TIMESTAMPTZ"],
        &deltas,
        |((account, device, attributes, status, week), delta)| {
            [
                account.0.into(),
                device.0.into(),
                attributes.0.into(),
                (*status).into(),
                (*week).into(),
                delta.bundles.into(),
                delta.energy_wh.into(),
                delta.expires_first.into(),
                delta.expires_last.into(),
            ]
        },
    )?;
    Ok(())
}

/// Bundles of an account that carry one snapshot and are stored in one state.
pub struct SnapshotSum {
    pub attributes_id: AttributesId,
    pub status: BundleStatus,
    pub bundles: u64,
    pub energy: WattHours,
}

/// What an account holds, summed up by snapshot and state as they are stored.
pub fn sums(connection: &mut Connection, account: AccountId) -> Result<Vec<SnapshotSum>> {
    connection.query(
        "SELECT h.attributes_id, h.status, CAST(SUM(h.bundles) AS BIGINT), CAST(SUM(h.energy_wh) AS BIGINT) \
         FROM holding h WHERE h.account_id = $1 AND h.bundles > 0 GROUP BY h.attributes_id, h.status",
        &[account.0.into()],
        |row| {
            Ok(SnapshotSum {
                attributes_id: AttributesId(row.get(0)?),
                status: coded(row, 1, BundleStatus::from_code)?,
                bundles: count(row, 2)?,
                energy: WattHours(count(row, 3)?),
            })
        },
    )
}

/// Of Active and Locked bundles, as they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    pub expired: WattHours,
    pub expired_bundles: u64,
    /// What will have expired soon.
    pub expiring: WattHours,
}

impl Expiry {
    fn add(&mut self, more: Self) {
        self.expired = [self.expired, more.expired].into_iter().sum();
        self.expired_bundles = self.expired_bundles.saturating_add(more.expired_bundles);
        self.expiring = [self.expiring, more.expiring].into_iter().sum();
    }
}

/// The snapshot and the state.
pub type Place = (AttributesId, BundleStatus);

/// Of the Active and Locked bundles of an account, by snapshot and state, what has expired at `now`, and what expires after
/// it up to `soon`. Weeks of production of which bundles expire on both sides of one of these are walked; to be read in one
/// unchanging state.
pub fn expiries(
    connection: &mut Connection,
    account: AccountId,
    now: Timestamp,
    soon: Timestamp,
) -> Result<HashMap<Place, Expiry>> {
    let whole = connection.query(
        "SELECT h.attributes_id, h.status, \
         CAST(COALESCE(SUM(h.energy_wh) FILTER (WHERE h.expires_last <= $2), 0) AS BIGINT), \
         CAST(COALESCE(SUM(h.energy_wh) FILTER (WHERE h.expires_first > $2 AND h.expires_last <= $3), 0) AS BIGINT), \
         CAST(COALESCE(SUM(h.bundles) FILTER (WHERE h.expires_last <= $2), 0) AS BIGINT) \
         FROM holding h WHERE h.account_id = $1 AND h.status IN ($4, $5) GROUP BY h.attributes_id, h.status",
        &[
            account.0.into(),
            now.into(),
            soon.into(),
            BundleStatus::Active.code().into(),
            BundleStatus::Locked.code().into(),
        ],
        expiry_of,
    )?;
    let mut expiries: HashMap<Place, Expiry> = whole.into_iter().collect();
    let parted = parted(connection, account, now, soon)?;
    let weeks: BTreeSet<i64> = parted.iter().map(|(week, _)| *week).collect();
    for week in weeks {
        for (place, expiry) in walk(connection, account, week, now, soon)? {
            // The others of this week are counted above.
            if parted.contains(&(week, place)) {
                expiries.entry(place).or_default().add(expiry);
            }
        }
    }
    Ok(expiries)
}

fn expiry_of(row: &Row<'_>) -> Result<(Place, Expiry)> {
    let place = (AttributesId(row.get(0)?), coded(row, 1, BundleStatus::from_code)?);
    let (expired, expiring) = (WattHours(count(row, 2)?), WattHours(count(row, 3)?));
    Ok((place, Expiry { expired, expired_bundles: count(row, 4)?, expiring }))
}

/// The rows of which some bundles may expire by `now` and others after it, or the same of `soon`, where that counts; each
/// with its week.
fn parted(
    connection: &mut Connection,
    account: AccountId,
    now: Timestamp,
    soon: Timestamp,
) -> Result<HashSet<(i64, Place)>> {
    let found = connection.query(
        "SELECT h.week, h.attributes_id, h.status FROM holding h WHERE h.account_id = $1 AND h.status IN ($4, $5) \
         AND h.bundles > 0 AND ((h.expires_first <= $2 AND h.expires_last > $2) \
         OR (h.expires_first <= $3 AND h.expires_last > $3))",
        &[
            account.0.into(),
            now.into(),
            soon.into(),
            BundleStatus::Active.code().into(),
            BundleStatus::Locked.code().into(),
        ],
        |row| Ok((row.get(0)?, (AttributesId(row.get(1)?), coded(row, 2, BundleStatus::from_code)?))),
    )?;
    Ok(found.into_iter().collect())
}

/// What of a week's Active and Locked bundles has expired at `now`, and what expires up to `soon`, by snapshot and state.
fn walk(
    connection: &mut Connection,
    account: AccountId,
    week: i64,
    now: Timestamp,
    soon: Timestamp,
) -> Result<Vec<(Place, Expiry)>> {
    connection.query(
        "SELECT b.attributes_id, b.status, \
         CAST(COALESCE(SUM(b.range_last - b.range_first + 1) FILTER (WHERE b.expires_at <= $4), 0) AS BIGINT), \
         CAST(COALESCE(SUM(b.range_last - b.range_first + 1) FILTER (WHERE b.expires_at > $4 AND b.expires_at <= $5), 0) \
         AS BIGINT), COUNT(*) FILTER (WHERE b.expires_at <= $4) FROM bundle b WHERE b.account_id = $1 AND b.production_start >= $2 AND b.production_start < $3 \
         AND b.status IN ($6, $7) GROUP BY b.attributes_id, b.status",
        &[
            account.0.into(),
            start_of(week).into(),
            start_of(week + 1).into(),
            now.into(),
            soon.into(),
            BundleStatus::Active.code().into(),
            BundleStatus::Locked.code().into(),
        ],
        expiry_of,
    )
}

/// Up to `limit` devices behind an id, in the order of ids, of which an account holds bundles, each with the newest snapshot
/// that these carry. Split parents are no bundles.
pub fn devices_of(
    connection: &mut Connection,
    account: AccountId,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<(DeviceId, AttributesId)>> {
    let select = Select::new("SELECT h.device_id, MAX(h.attributes_id) FROM holding h")
        .and_raw("h.bundles > 0")
        .and("h.account_id = ?", Some(account.0))
        .and("h.device_id > ?", after)
        .tail("GROUP BY h.device_id ORDER BY h.device_id LIMIT ?", limit);
    connection.select(&select, |row| Ok((DeviceId(row.get(0)?), AttributesId(row.get(1)?))))
}
