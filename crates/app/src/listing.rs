//! Bundles of an account as people leaf through them: any period, either end first, and the selection that they make.
//!
//! Invariant: one page looks at no more than [`LISTING_LOOKS_MAX`] bundles, and says where it stopped.

use crate::certificate::{BundleView, Period};
use crate::lineage::is_readable;
use crate::register::may_read;
use crate::sight::Sight;
use crate::{Caller, Error, Registry, parse_issuance_id};
use domain::{AccountId, BundleId, BundleStatus, DeviceId, EnergySource, EventNumber, WattHours};
use store::bundle::listing::{self, Order, Stretch};
use store::bundle::{BundleFilter, Place};

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

/// How many bundles match, and what they hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleSum {
    pub bundles: u64,
    pub energy: WattHours,
    /// Whether these are all; if not, there may be more that were not looked at.
    pub is_whole: bool,
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
            let sum = if asked.with_whole_sum {
                let everywhere = Stretch { order: asked.order, ..Stretch::default() };
                let sum = listing::sum(connection, &filter, issuance, now, everywhere)?;
                Some(BundleSum { bundles: sum.0, energy: sum.1, is_whole: true })
            } else if asked.after.is_none() {
                let sum = listing::sum(connection, &filter, issuance, now, stretch)?;
                Some(BundleSum { bundles: sum.0, energy: sum.1, is_whole: horizon.is_none() })
            } else {
                None
            };
            Ok(Some(BundleList { bundles: self.bundle_views(connection, bundles, now)?, next, sum }))
        })?;
        found.ok_or(Error::NotFound { what: "Account", id: asked.account.0 })
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
