//! Certificates are found and read.

use crate::register::may_read;
use crate::storage::{Discharged, StorageChain, discharged_of, issuance_id_of};
use crate::{Caller, Error, Registry};
use domain::{
    AccountId, AttributesId, Bundle, BundleId, BundleStatus, CertificateAttributes, DeviceId, EnergyCarrier,
    EnergySource, EventNumber, IssuanceMetadata, MetadataId, SdrId, WattHours,
};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use store::Connection;
use store::bundle::{BundleFilter, Place};

/// The most bundles that a query answers without paging.
pub const QUERY_BUNDLES_MAX: usize = 50_000;
/// The most issuance ids of one query.
pub const ISSUANCES_PER_QUERY_MAX: usize = 1_000;
/// Snapshots remembered; they never change.
const ATTRIBUTES_REMEMBERED_MAX: usize = 100_000;

/// Which bundles of one account to find.
#[derive(Clone, Debug)]
pub struct BundleQuery {
    pub account: AccountId,
    pub device: Option<DeviceId>,
    pub energy_sources: Vec<EnergySource>,
    pub period: Period,
    pub status: Option<BundleStatus>,
    pub issuance_ids: Option<Vec<String>>,
    pub range_first: Option<u64>,
    pub range_last: Option<u64>,
    /// `None`: all that match, up to [`QUERY_BUNDLES_MAX`].
    pub limit: Option<usize>,
    pub after: Option<Place>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
}

/// A bundle and the snapshot that it carries.
#[derive(Clone, Debug)]
pub struct BundleView {
    pub bundle: Bundle,
    pub attributes: Arc<CertificateAttributes>,
    /// Of one that was issued on a discharge of storage.
    pub discharged: Option<Discharged>,
    /// Of such a one, the storage device as it was when the discharge was recorded; `attributes` are those of what made it.
    pub storage: Option<Arc<CertificateAttributes>>,
    /// As it counts now: time may have run out before a sweep has said so.
    pub status: BundleStatus,
}

/// A bundle with everything that a certificate states.
#[derive(Clone, Debug)]
pub struct CertificateView {
    pub view: BundleView,
    /// Of one that was issued on a discharge of storage: back to what was cancelled.
    pub chain: Option<StorageChain>,
    pub metadata: IssuanceMetadata,
}

#[derive(Clone, Debug)]
pub struct BundlePage {
    pub bundles: Vec<BundleView>,
    /// Of all that match; on the first page only.
    pub volume: Option<WattHours>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Place>,
}

#[derive(Default)]
pub(crate) struct AttributesCache(Mutex<HashMap<AttributesId, Arc<CertificateAttributes>>>);

impl AttributesCache {
    /// The snapshots of these bundles; those not remembered are read.
    fn of(
        &self,
        connection: &mut Connection,
        bundles: &[Bundle],
    ) -> store::Result<HashMap<AttributesId, Arc<CertificateAttributes>>> {
        self.by_ids(connection, bundles.iter().map(|bundle| bundle.attributes_id))
    }

    /// These snapshots; those not remembered are read.
    pub(crate) fn by_ids(
        &self,
        connection: &mut Connection,
        ids: impl Iterator<Item = AttributesId>,
    ) -> store::Result<HashMap<AttributesId, Arc<CertificateAttributes>>> {
        let wanted: HashSet<AttributesId> = ids.collect();
        let mut found: HashMap<_, _> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.iter().filter_map(|id| known.get(id).map(|a| (*id, a.clone()))).collect()
        };
        let missing: Vec<i64> = wanted.iter().filter(|id| !found.contains_key(id)).map(|id| id.0).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let read: Vec<_> =
            store::metadata::attributes_by_ids(connection, &missing)?.into_iter().map(Arc::new).collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + read.len() > ATTRIBUTES_REMEMBERED_MAX {
            known.clear();
        }
        for attributes in read {
            known.insert(attributes.id, attributes.clone());
            found.insert(attributes.id, attributes);
        }
        Ok(found)
    }
}

pub use domain::bundle::{Issuance, issuance_id};

impl BundleView {
    /// The readable id that all bundles of its issuance share.
    pub fn issuance_id(&self) -> String {
        issuance_id_of(&self.bundle, &self.attributes, self.discharged.as_ref())
    }

    /// The device that it is of, by its own name: of what was discharged, the storage device.
    pub fn device_name(&self) -> &str {
        &self.storage.as_ref().unwrap_or(&self.attributes).device.name
    }

    /// Of what was discharged from storage, the name of the device that made it.
    pub fn stored_from(&self) -> Option<&str> {
        self.storage.as_ref().map(|_| self.attributes.device.name.as_str())
    }
}

/// Reads an issuance id, also one of a discharge and the seed's form. `None` if it is none of these.
pub fn parse_issuance_id(text: &str) -> Option<Issuance> {
    let (text, sdr_id) = match text.rsplit_once("-S") {
        Some((rest, sdr)) => (rest, Some(SdrId(sdr.parse().ok().filter(|id| *id > 0)?))),
        None => (text, None),
    };
    let (device_id, start) = parse_plain(text)?;
    Some(Issuance { device_id, start, sdr_id })
}

/// `12-electricity-20260101T130000Z`, or the seed's form `12-2026-01-01 13:00:00`.
fn parse_plain(text: &str) -> Option<(DeviceId, Timestamp)> {
    let (device, rest) = text.split_once('-')?;
    let device = DeviceId(device.parse().ok().filter(|id| *id > 0)?);
    let own = rest.split_once('-').and_then(|(carrier, start)| {
        EnergyCarrier::parse(carrier)?;
        let start = civil::DateTime::strptime("%Y%m%dT%H%M%SZ", start).ok()?;
        TimeZone::UTC.to_timestamp(start).ok()
    });
    let start = own.or_else(|| crate::parse_instant(rest, &crate::ZoneOfTimes::default()).ok())?;
    Some((device, start))
}

impl Period {
    /// Checks the period rules of queries, with the texts that clients know.
    ///
    /// # Errors
    /// [`Error::BadQuery`] naming the rule.
    fn checked(self, now: Timestamp, days_max: u16, has_issuances: bool) -> Result<Self, Error> {
        let days = SignedDuration::from_hours(24 * i64::from(days_max));
        let bad = |text: String| Err(Error::BadQuery(text));
        match (self.start, self.end) {
            (None, None) => Ok(self),
            _ if has_issuances => {
                bad("Cannot provide issuance_ids with certificate_period_start or certificate_period_end.".to_owned())
            }
            (None, Some(_)) => {
                bad("certificate_period_start must be provided if certificate_period_end is provided.".to_owned())
            }
            (Some(start), None) if now.duration_since(start) > days => bad(format!(
                "certificate_period_end must be provided if certificate_period_start is more than {days_max} days ago."
            )),
            (Some(start), Some(end)) if end <= start => {
                bad("certificate_period_end must be greater than certificate_period_start.".to_owned())
            }
            (Some(start), Some(end)) if end.duration_since(start) > days => bad(format!(
                "Difference between certificate_period_start and certificate_period_end must be {days_max} days or less."
            )),
            (Some(_), Some(_) | None) => Ok(self),
        }
    }
}

impl Registry {
    /// The bundles of an account that match, in the order of (production start, id). Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that the caller may not read; [`Error::BadQuery`] for the period's rules and bad
    /// issuance ids; [`Error::TooMuch`] above [`QUERY_BUNDLES_MAX`] without a limit.
    pub fn query(&self, caller: &Caller, query: &BundleQuery, fresh: Option<EventNumber>) -> Result<BundlePage, Error> {
        let now = self.now();
        // A split parent is no bundle that anybody holds, whatever is asked for.
        let is_of_none = query.status == Some(BundleStatus::Split);
        let period = query.period.checked(now, self.settings().query_period_days_max, query.issuance_ids.is_some())?;
        let filter = BundleFilter {
            account: Some(query.account),
            device: query.device,
            energy_sources: query.energy_sources.clone(),
            period_start: period.start,
            period_end: period.end,
            status: query.status,
            issuances: query.issuance_ids.as_deref().map(issuances).transpose()?,
            range_first: query.range_first,
            range_last: query.range_last,
            with_split_parents: false,
        };
        let most = query.limit.unwrap_or(QUERY_BUNDLES_MAX);
        let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
        let found = self.read(fresh, |connection| {
            if !may_read(connection, caller, query.account)? {
                return Ok(None);
            }
            if is_of_none {
                return Ok(Some((Vec::new(), false, query.after.is_none().then_some(WattHours::ZERO), None)));
            }
            let mut bundles = store::bundle::find(connection, &filter, now, query.after, limit)?;
            let has_more = bundles.len() > most;
            bundles.truncate(most);
            let sum = || bundles.iter().map(|b| b.range.quantity()).sum();
            let volume = match query.after {
                Some(_) => None,
                None if has_more => Some(store::bundle::volume(connection, &filter, now)?),
                None => Some(sum()),
            };
            let next = bundles.last().filter(|_| has_more).map(|b| (b.production.start(), b.id));
            Ok(Some((self.bundle_views(connection, bundles, now)?, has_more, volume, next)))
        })?;
        let missing = Error::NotFound { what: "Account", id: query.account.0 };
        let (bundles, has_more, volume, next) = found.ok_or(missing)?;
        if has_more && query.limit.is_none() {
            let text = format!("more than {QUERY_BUNDLES_MAX} bundles match; give a limit and follow next_cursor");
            return Err(Error::TooMuch(text));
        }
        Ok(BundlePage { bundles, volume, next })
    }

    /// The bundles with the snapshots that they carry, as they count at `now`.
    pub(crate) fn bundle_views(
        &self,
        connection: &mut Connection,
        bundles: Vec<Bundle>,
        now: Timestamp,
    ) -> store::Result<Vec<BundleView>> {
        let discharged = discharged_of(connection, &bundles)?;
        let of_storage = discharged.values().filter_map(|of| of.storage);
        let all = bundles.iter().map(|bundle| bundle.attributes_id).chain(of_storage);
        let attributes = self.0.attributes.by_ids(connection, all)?;
        let view = |bundle: Bundle| {
            let discharged = bundle.draw_id.and_then(|draw| discharged.get(&draw)).copied();
            let storage = discharged.and_then(|of| of.storage).and_then(|id| attributes.get(&id)).cloned();
            let attributes = attributes.get(&bundle.attributes_id)?.clone();
            Some(BundleView { status: bundle.status_at(now), attributes, discharged, storage, bundle })
        };
        Ok(bundles.into_iter().filter_map(view).collect())
    }

    /// One certificate bundle: of the caller's accounts, cancelled for one of them, or any for those who may read
    /// everything. Blocks.
    pub fn certificate(
        &self,
        caller: &Caller,
        id: BundleId,
        fresh: Option<EventNumber>,
    ) -> Result<CertificateView, Error> {
        let now = self.now();
        let found = self.read(fresh, |connection| {
            let Some(bundle) = store::bundle::by_id(connection, id)? else { return Ok(None) };
            let beneficiary = bundle.cancellation.as_ref().and_then(|c| c.beneficiary_account);
            let mut is_readable = may_read(connection, caller, bundle.account_id)?;
            if let (false, Some(account)) = (is_readable, beneficiary) {
                is_readable = may_read(connection, caller, account)?;
            }
            if !is_readable {
                return Ok(None);
            }
            let attributes = self.0.attributes.of(connection, std::slice::from_ref(&bundle))?;
            let Some(attributes) = attributes.get(&bundle.attributes_id).cloned() else { return Ok(None) };
            let metadata = store::metadata::by_id(connection, attributes.metadata_id)?;
            let chain = self.chain_of(connection, &bundle)?;
            let discharged = chain.as_ref().map(StorageChain::discharged);
            let storage = chain.as_ref().map(|chain| chain.storage.clone());
            let view = BundleView { status: bundle.status_at(now), attributes, discharged, storage, bundle };
            Ok(metadata.map(|metadata| CertificateView { view, chain, metadata }))
        })?;
        found.ok_or(Error::NotFound { what: "Granular certificate bundle", id: id.0 })
    }

    /// The name of an account, as it stands for a beneficiary that is not named.
    pub fn account_name(&self, id: AccountId) -> Result<Option<String>, Error> {
        Ok(self.read_primary(|connection| store::account::by_id(connection, id))?.map(|account| account.name))
    }

    /// The metadata of many at once.
    pub fn metadata_of(&self, ids: &[MetadataId]) -> Result<BTreeMap<MetadataId, IssuanceMetadata>, Error> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let found = self.read_primary(|connection| store::metadata::by_ids(connection, &ids))?;
        Ok(found.into_iter().map(|metadata| (metadata.id, metadata)).collect())
    }
}

fn issuances(ids: &[String]) -> Result<Vec<Issuance>, Error> {
    if ids.len() > ISSUANCES_PER_QUERY_MAX {
        return Err(Error::BadQuery(format!("issuance_ids has more than {ISSUANCES_PER_QUERY_MAX} entries")));
    }
    let mut pairs = ids
        .iter()
        .map(|id| {
            let shown: String = id.chars().take(100).collect();
            parse_issuance_id(id).ok_or_else(|| Error::BadQuery(format!("Invalid issuance ID: {shown}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    pairs.sort_unstable();
    pairs.dedup();
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuance_ids_read_back_in_both_forms() {
        let start: Timestamp = "2026-01-01T13:00:00Z".parse().unwrap();
        let id = issuance_id(DeviceId(12), EnergyCarrier::Electricity, start);
        assert_eq!(id, "12-electricity-20260101T130000Z");
        for text in [id.as_str(), "12-2026-01-01 13:00:00", "12-2026-01-01T13:00:00+00:00"] {
            assert_eq!(
                parse_issuance_id(text),
                Some(Issuance { device_id: DeviceId(12), start, sdr_id: None }),
                "{text}"
            );
        }
        for text in ["zzz", "12", "-1-electricity-20260101T130000Z", "12-steam-20260101T130000Z", "0-2026-01-01", ""] {
            assert_eq!(parse_issuance_id(text), None, "{text}");
        }
    }

    #[test]
    fn periods_follow_the_rules_in_the_known_words() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let now = at("2026-03-01T00:00:00Z").unwrap();
        let check = |start, end, has_issuances| {
            Period { start, end }.checked(now, 30, has_issuances).map_err(|error| error.to_string())
        };
        assert!(check(None, None, true).is_ok());
        assert!(check(at("2026-02-01T00:00:00Z"), None, false).is_ok());
        assert!(check(at("2025-01-01T00:00:00Z"), at("2025-01-31T00:00:00Z"), false).is_ok());
        for (start, end, has_issuances, text) in [
            (
                at("2026-01-01T00:00:00Z"),
                None,
                false,
                "certificate_period_end must be provided if certificate_period_start is more than 30 days ago.",
            ),
            (
                None,
                at("2026-01-01T00:00:00Z"),
                false,
                "certificate_period_start must be provided if certificate_period_end is provided.",
            ),
            (
                at("2025-01-01T00:00:00Z"),
                at("2025-01-31T00:00:01Z"),
                false,
                "Difference between certificate_period_start and certificate_period_end must be 30 days or less.",
            ),
            (
                at("2025-01-01T00:00:00Z"),
                at("2025-01-01T00:00:00Z"),
                false,
                "certificate_period_end must be greater than certificate_period_start.",
            ),
            (
                at("2025-01-01T00:00:00Z"),
                None,
                true,
                "Cannot provide issuance_ids with certificate_period_start or certificate_period_end.",
            ),
        ] {
            assert_eq!(check(start, end, has_issuances), Err(text.to_owned()));
        }
    }
}
