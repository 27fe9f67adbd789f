//! Bundles of an account as people leaf through them: any period, either end first, and the selection that they make.
//!
//! Invariant: one page looks at no more than [`LISTING_LOOKS_MAX`] bundles, and says where it stopped.

use crate::certificate::{BundleView, Period};
use crate::lineage::is_readable;
use crate::register::may_read;
use crate::sight::Sight;
use crate::{Caller, Error, Registry, parse_issuance_id};
use domain::{AccountId, BundleId, BundleStatus, DeviceId, EnergySource, EventNumber, WattHours};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use store::Connection;
use store::bundle::listing::{self, Order, StatusSum, Stretch};
use store::bundle::{BundleFilter, Place};
use store::holding::SnapshotSum;

/// The most bundles that one page looks at in search of those that match.
pub const LISTING_LOOKS_MAX: i64 = 8_000;

/// Which bundles of one account to show, from where on.
#[derive(Clone, Debug)]
pub struct BundleListing {
    pub account: AccountId,
    pub device: Option<DeviceId>,
    pub energy_source: Option<EnergySource>,
    /// Of any length.
    pub period: Period,
    pub status: Option<BundleStatus>,
    pub issuance_id: Option<String>,
    pub order: Order,
    pub after: Option<Place>,
    pub limit: usize,
    /// Sum up all that match, however long that takes.
    pub with_whole_sum: bool,
}

#[derive(Clone, Debug)]
pub struct BundleList {
    pub bundles: Vec<BundleView>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Place>,
    /// Of all that match; on the first page only, unless it was asked for.
    pub sum: Option<BundleSum>,
}

/// How many bundles match, and what they hold together, by the state in which they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleSum {
    /// Each state of which there are any, once.
    pub by_status: HashMap<BundleStatus, (u64, WattHours)>,
    /// Whether these are all; if not, there may be more that were not looked at.
    pub is_whole: bool,
}

impl BundleSum {
    fn of(sums: impl IntoIterator<Item = StatusSum>, is_whole: bool) -> Self {
        let mut by_status = HashMap::new();
        for StatusSum { status, bundles, energy } in sums.into_iter().filter(|sum| sum.bundles > 0) {
            let of: &mut (u64, WattHours) = by_status.entry(status).or_default();
            *of = (of.0.saturating_add(bundles), [of.1, energy].into_iter().sum());
        }
        Self { by_status, is_whole }
    }

    /// All of them together, whether they count or not.
    pub fn all(&self) -> (u64, WattHours) {
        self.together(|_| true)
    }

    /// Those whose watt-hours count: in every state but Withdrawn and Bundle Split.
    pub fn live(&self) -> (u64, WattHours) {
        self.together(BundleStatus::is_live)
    }

    fn together(&self, is_meant: impl Fn(BundleStatus) -> bool) -> (u64, WattHours) {
        let meant = || self.by_status.iter().filter(|(status, _)| is_meant(**status)).map(|(_, of)| *of);
        (meant().map(|(bundles, _)| bundles).sum(), meant().map(|(_, energy)| energy).sum())
    }
}

impl BundleListing {
    /// Whether the totals that are kept of accounts answer how much matches: they know neither hours nor issuances.
    fn is_kept_added_up(&self) -> bool {
        let is_of_all_time = self.period.start.is_none() && self.period.end.is_none();
        is_of_all_time
            && self.device.is_none()
            && self.issuance_id.is_none()
            && self.status != Some(BundleStatus::Split)
    }
}

impl Registry {
    /// A page of the bundles of an account, without split parents unless their status is asked for. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that the caller may not read; [`Error::BadQuery`] for a period that ends before
    /// it starts, and for what is no issuance id.
    pub fn list_bundles(
        &self,
        caller: &Caller,
        asked: &BundleListing,
        fresh: Option<EventNumber>,
    ) -> Result<BundleList, Error> {
        let now = self.now();
        if asked.period.start.zip(asked.period.end).is_some_and(|(start, end)| end <= start) {
            let rule = "certificate_period_end must be greater than certificate_period_start.";
            return Err(Error::BadQuery(rule.to_owned()));
        }
        let parse = |id: &String| {
            let shown: String = id.chars().take(100).collect();
            parse_issuance_id(id).ok_or_else(|| Error::BadQuery(format!("Invalid issuance ID: {shown}")))
        };
        let issuance = asked.issuance_id.as_ref().map(parse).transpose()?;
        let filter = BundleFilter {
            account: Some(asked.account),
            device: asked.device,
            energy_sources: asked.energy_source.into_iter().collect(),
            period_start: asked.period.start,
            period_end: asked.period.end,
            status: asked.status,
            ..BundleFilter::default()
        };
        let rows = i64::try_from(asked.limit.saturating_add(1)).unwrap_or(i64::MAX);
        let found = self.read(fresh, |connection| {
            if !may_read(connection, caller, asked.account)? {
                return Ok(None);
            }
            let from = Stretch { order: asked.order, after: asked.after, until: None };
            let horizon = listing::horizon(connection, &filter, issuance, from, LISTING_LOOKS_MAX)?;
            let stretch = Stretch { until: horizon, ..from };
            let mut bundles = listing::page(connection, &filter, issuance, now, stretch, rows)?;
            let has_more = bundles.len() > asked.limit;
            bundles.truncate(asked.limit);
            let last = bundles.last().filter(|_| has_more).map(|b| (b.production.start(), b.id));
            let next = last.or(horizon);
            let sum = if asked.after.is_some() && !asked.with_whole_sum {
                None
            } else if asked.is_kept_added_up() {
                Some(BundleSum::of(self.kept_sums(connection, asked, now)?, true))
            } else if asked.with_whole_sum {
                let everywhere = Stretch { order: asked.order, ..Stretch::default() };
                Some(BundleSum::of(listing::sums(connection, &filter, issuance, now, everywhere)?, true))
            } else {
                let sums = listing::sums(connection, &filter, issuance, now, stretch)?;
                Some(BundleSum::of(sums, horizon.is_none()))
            };
            Ok(Some(BundleList { bundles: self.bundle_views(connection, bundles, now)?, next, sum }))
        })?;
        found.ok_or(Error::NotFound { what: "Account", id: asked.account.0 })
    }

    /// What is kept added up of an account, by the state at `now`, as far as it matches.
    fn kept_sums(
        &self,
        connection: &mut Connection,
        asked: &BundleListing,
        now: Timestamp,
    ) -> store::Result<Vec<StatusSum>> {
        let (sums, expiries) = connection.snapshot(|connection| {
            let sums = store::holding::sums(connection, asked.account)?;
            Ok::<_, store::Error>((sums, store::holding::expiries(connection, asked.account, now, now)?))
        })?;
        let known = self.0.attributes.by_ids(connection, sums.iter().map(|sum| sum.attributes_id))?;
        let is_of_source = |of: &SnapshotSum| {
            let source = known.get(&of.attributes_id).map(|attributes| attributes.device.energy_source);
            asked.energy_source.is_none_or(|wanted| source == Some(wanted))
        };
        let parted = sums.iter().filter(|of| is_of_source(of)).flat_map(|of| {
            let expiry = expiries.get(&(of.attributes_id, of.status)).copied().unwrap_or_default();
            let (bundles, energy) = (expiry.expired_bundles, expiry.expired);
            let left = (of.bundles.saturating_sub(bundles), of.energy.saturating_sub(energy));
            let unexpired = StatusSum { status: of.status, bundles: left.0, energy: left.1 };
            [unexpired, StatusSum { status: BundleStatus::Expired, bundles, energy }]
        });
        Ok(parted.filter(|sum| asked.status.is_none_or(|wanted| sum.status == wanted)).collect())
    }

    /// The devices of which an account holds bundles, up to `limit` in the order of their ids, each by its own name as
    /// certificates state it. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that the caller may not read.
    pub fn held_devices(
        &self,
        caller: &Caller,
        account: AccountId,
        limit: usize,
        fresh: Option<EventNumber>,
    ) -> Result<BTreeMap<DeviceId, String>, Error> {
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        self.of_account(caller, account, fresh, |connection| {
            let held = store::holding::devices_of(connection, account, None, rows)?;
            let known = self.0.attributes.by_ids(connection, held.iter().map(|(_, id)| *id))?;
            let mut names = BTreeMap::new();
            for (device, id) in held {
                let of = known.get(&id).filter(|of| of.device_id == device);
                names.insert(device, of.map(|of| of.device.name.clone()).unwrap_or_default());
            }
            // What comes out of storage carries the snapshot of what made it.
            let storage: Vec<i64> = names.iter().filter(|(_, name)| name.is_empty()).map(|(id, _)| id.0).collect();
            let newest = store::metadata::newest_attributes(connection, &storage)?;
            for of in self.0.attributes.by_ids(connection, newest.into_iter())?.values() {
                names.insert(of.device_id, of.device.name.clone());
            }
            Ok(names)
        })
    }

    /// The accounts that the caller may read of those that hold bundles of an issuance, up to `most`, with their names; none
    /// for what is no issuance id. Blocks.
    pub fn holders_of_issuance(
        &self,
        caller: &Caller,
        issuance_id: &str,
        most: usize,
        fresh: Option<EventNumber>,
    ) -> Result<Vec<(AccountId, String)>, Error> {
        let Some(issuance) = parse_issuance_id(issuance_id) else { return Ok(Vec::new()) };
        self.read(fresh, |connection| {
            let sight = Sight::of(connection, caller)?;
            let holders = listing::holders(connection, issuance)?;
            let ids: Vec<i64> = holders.into_iter().filter(|id| sight.account(*id)).take(most).map(|id| id.0).collect();
            let mut accounts = store::account::by_ids(connection, &ids)?;
            accounts.sort_by_key(|account| account.id);
            Ok(accounts.into_iter().map(|account| (account.id, account.name)).collect())
        })
    }

    /// Those of these bundles that the caller may read. Blocks.
    pub fn readable_bundles(
        &self,
        caller: &Caller,
        ids: &[BundleId],
        fresh: Option<EventNumber>,
    ) -> Result<HashSet<BundleId>, Error> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        self.read(fresh, |connection| {
            let sight = Sight::of(connection, caller)?;
            let bundles = store::bundle::by_ids(connection, &ids)?;
            Ok(bundles.iter().filter(|bundle| is_readable(&sight, bundle)).map(|bundle| bundle.id).collect())
        })
    }

    /// Those of these bundles that the account holds and the caller may read, oldest production first. Blocks.
    pub fn selected_bundles(
        &self,
        caller: &Caller,
        account: AccountId,
        ids: &[BundleId],
        fresh: Option<EventNumber>,
    ) -> Result<Vec<BundleView>, Error> {
        let now = self.now();
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        self.read(fresh, |connection| {
            let sight = Sight::of(connection, caller)?;
            let mut bundles = store::bundle::by_ids(connection, &ids)?;
            bundles.retain(|bundle| bundle.account_id == account && is_readable(&sight, bundle));
            bundles.sort_by_key(|bundle| (bundle.production.start(), bundle.id));
            self.bundle_views(connection, bundles, now)
        })
    }
}
