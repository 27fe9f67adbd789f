//! Storage records are read within the caller's scope, and followed from a discharge back to what was cancelled. They are
//! made through the queue like everything else.

mod forward;
mod history;

pub use forward::{DrawnOn, StorageUse};
pub use history::{COURSE_RECORDS_MAX, StorageCourse, StorageFlow, StorageStep};
pub use store::storage::Unrecorded;

use crate::register::may_read;
use crate::{Caller, Error, Page, Paging, Registry};
use domain::{
    AccountId, AllocationMethod, AttributesId, Bundle, Capability, CertificateAttributes, Device, DeviceId, DeviceKind,
    Draw, DrawId, Efficiency, EnergySource, EventNumber, Scr, ScrId, Sdr, SdrId, WattHours,
};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use store::Connection;
use store::storage::{ChargeFilter, DeviceSums};

/// The most draws that a page shows, unless one record alone has more: then it is the page.
pub(crate) const DRAWS_SHOWN_MAX: usize = 10_000;

/// Which records to find. Absent filters filter nothing.
#[derive(Clone, Copy, Debug)]
pub struct StorageQuery {
    pub account: Option<AccountId>,
    pub device: Option<DeviceId>,
    /// The one with this id.
    pub record: Option<i64>,
    /// That start from (included) to (excluded).
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    pub with_withdrawn: bool,
    pub paging: Paging<i64>,
}

/// A charge, with what backs it and what draws on it.
#[derive(Clone, Debug)]
pub struct ChargeView {
    pub scr: Scr,
    /// The storage device's.
    pub account_id: AccountId,
    pub allocated: Option<Allocated>,
    /// Discharges that draw on it, the standing ones; at most the first 10,000.
    pub drawn_by: Vec<SdrId>,
}

/// The certificates that back a charge.
#[derive(Clone, Debug)]
pub struct Allocated {
    pub bundle: Bundle,
    pub issuance_id: String,
    pub energy_source: EnergySource,
}

/// A discharge, with what it draws.
#[derive(Clone, Debug)]
pub struct DischargeView {
    pub sdr: Sdr,
    pub account_id: AccountId,
    pub draws: Vec<DrawView>,
}

/// What a discharge draws of a charge, and what is live of the certificates on it.
#[derive(Clone, Copy, Debug)]
pub struct DrawView {
    pub draw: Draw,
    pub live: WattHours,
    /// Of the certificates behind it; `None` of no certificate's origin.
    pub energy_source: Option<EnergySource>,
}

impl DischargeView {
    /// What was discharged beyond what it draws: of unrecorded origin.
    pub fn unrecorded(&self) -> WattHours {
        let drawn: WattHours = self.draws.iter().map(|view| view.draw.taken.total()).sum();
        if u128::from(drawn.0) >= self.sdr.efficiency.gross_of(self.sdr.energy) {
            return WattHours::ZERO;
        }
        self.sdr.energy.saturating_sub(self.sdr.efficiency.net_of(drawn))
    }
}

/// What the standing records of a device come to. All it charged is certified, lost, drawn of no certificate, or left.
#[derive(Clone, Copy, Debug)]
pub struct StorageSummary {
    pub device_id: DeviceId,
    pub account_id: AccountId,
    pub sums: DeviceSums,
    /// As its first discharge fixed it.
    pub method: Option<AllocationMethod>,
    /// Of its last standing discharge.
    pub efficiency: Option<Efficiency>,
}

impl StorageSummary {
    pub fn losses(&self) -> WattHours {
        self.sums.drawn_backed.saturating_sub(self.sums.certificates)
    }

    /// What is left: of certificates, and in all.
    pub fn reservoir(&self) -> (WattHours, WattHours) {
        let backed = self.sums.backed.saturating_sub(self.sums.drawn_backed);
        let drawn = [self.sums.drawn_backed, self.sums.drawn_unbacked].into_iter().sum();
        (backed, self.sums.charged.saturating_sub(drawn))
    }

    /// Certificates that were not issued yet.
    pub fn issuable(&self) -> WattHours {
        self.sums.certificates.saturating_sub(self.sums.issued)
    }
}

impl StorageChain {
    /// What the certificate says of its discharge.
    pub fn discharged(&self) -> Discharged {
        let storage = Some(self.storage.id);
        Discharged { sdr_id: self.sdr.id, scr_id: self.scr.id, efficiency: self.sdr.efficiency, storage }
    }
}

/// What a certificate issued on a discharge says of it.
#[derive(Clone, Copy, Debug)]
pub struct Discharged {
    pub sdr_id: SdrId,
    pub scr_id: ScrId,
    pub efficiency: Efficiency,
    /// The snapshot of the storage device.
    pub storage: Option<AttributesId>,
}

/// From such a certificate back to what was cancelled.
#[derive(Clone, Debug)]
pub struct StorageChain {
    pub sdr: Sdr,
    pub scr: Scr,
    /// What was cancelled for the charge.
    pub cancelled: Bundle,
    /// The storage device as it was when the discharge was recorded.
    pub storage: Arc<CertificateAttributes>,
}

impl Registry {
    /// A page of charges of the caller's devices, or of all for those who may read everything, in the order of ids. Blocks.
    pub fn charges(
        &self,
        caller: &Caller,
        query: &StorageQuery,
        fresh: Option<EventNumber>,
    ) -> Result<Page<ChargeView, i64>, Error> {
        let (filter, paging) = (scoped(caller, query), query.paging);
        let (found, views) = self.read(fresh, |connection| {
            let rows = store::storage::charges(connection, &filter, paging.after, paging.rows())?;
            Ok((rows.len(), self.charge_views(connection, rows)?))
        })?;
        Ok(page(&paging, found, views, |view| view.scr.id.0))
    }

    /// A page of discharges, as [`charges`](Self::charges). Blocks.
    pub fn discharges(
        &self,
        caller: &Caller,
        query: &StorageQuery,
        fresh: Option<EventNumber>,
    ) -> Result<Page<DischargeView, i64>, Error> {
        let (filter, paging) = (scoped(caller, query), query.paging);
        let (found, views) = self.read(fresh, |connection| {
            let rows = store::storage::discharges(connection, &filter, paging.after, paging.rows())?;
            Ok((rows.len(), self.discharge_views(connection, rows)?))
        })?;
        Ok(page(&paging, found, views, |view| view.sdr.id.0))
    }

    /// One charge of the caller's devices, or any for those who may read everything. Blocks.
    pub fn charge(&self, caller: &Caller, id: ScrId, fresh: Option<EventNumber>) -> Result<ChargeView, Error> {
        let found = self.read(fresh, |connection| {
            let rows = store::storage::scrs_by_ids(connection, &[id.0])?;
            let Some(view) = self.charge_views(connection, rows)?.pop() else { return Ok(None) };
            let is_readable = may_read(connection, caller, view.account_id)?;
            Ok(is_readable.then_some(view))
        })?;
        found.ok_or(Error::NotFound { what: "Storage charge record", id: id.0 })
    }

    /// One discharge, as [`charge`](Self::charge). Blocks.
    pub fn discharge(&self, caller: &Caller, id: SdrId, fresh: Option<EventNumber>) -> Result<DischargeView, Error> {
        let found = self.read(fresh, |connection| {
            let rows = store::storage::sdrs_by_ids(connection, &[id.0])?;
            let Some(view) = self.discharge_views(connection, rows)?.pop() else { return Ok(None) };
            let is_readable = may_read(connection, caller, view.account_id)?;
            Ok(is_readable.then_some(view))
        })?;
        found.ok_or(Error::NotFound { what: "Storage discharge record", id: id.0 })
    }

    /// What the records of a storage device come to. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a device that is not storage or not the caller's to read.
    pub fn storage_of(
        &self,
        caller: &Caller,
        id: DeviceId,
        fresh: Option<EventNumber>,
    ) -> Result<StorageSummary, Error> {
        let found = self.read(fresh, |connection| {
            let device = store::device::by_id(connection, id)?;
            let Some(device) = device.filter(|device| device.description.kind == DeviceKind::Storage) else {
                return Ok(None);
            };
            if !may_read(connection, caller, device.account_id)? {
                return Ok(None);
            }
            let sums = store::storage::sums_of_device(connection, id)?;
            let (first, last) = store::storage::first_and_last_sdr(connection, id)?;
            let (method, efficiency) = (first.map(|sdr| sdr.method), last.map(|sdr| sdr.efficiency));
            Ok(Some(StorageSummary { device_id: id, account_id: device.account_id, sums, method, efficiency }))
        })?;
        found.ok_or(Error::NotFound { what: "Storage device", id: id.0 })
    }

    /// Of as many of the rows, from the first, as have no more than [`DRAWS_SHOWN_MAX`] discharges together, or of the first
    /// alone.
    fn charge_views(&self, connection: &mut Connection, mut rows: Vec<Scr>) -> store::Result<Vec<ChargeView>> {
        let ids: Vec<i64> = rows.iter().map(|scr| scr.id.0).collect();
        let read = |ids: &[i64]| store::storage::some_drawing_on(connection, ids, draws_read());
        let (mut drawing, shown) = draws_shown(&ids, read)?;
        rows.truncate(shown);
        drawing.truncate(DRAWS_SHOWN_MAX);
        let accounts = accounts_of(connection, rows.iter().map(|scr| scr.device_id))?;
        let bundles: Vec<i64> = rows.iter().filter_map(|scr| scr.backing).map(|backing| backing.bundle_id.0).collect();
        let bundles = store::bundle::by_ids(connection, &bundles)?;
        let stated = discharged_of(connection, &bundles)?;
        let attributes = self.0.attributes.by_ids(connection, bundles.iter().map(|bundle| bundle.attributes_id))?;
        let mut allocated: HashMap<_, _> = HashMap::new();
        for bundle in bundles {
            let Some(attributes) = attributes.get(&bundle.attributes_id) else { continue };
            let of = bundle.draw_id.and_then(|draw| stated.get(&draw));
            let issuance_id = issuance_id_of(&bundle, attributes, of);
            let energy_source = attributes.device.energy_source;
            allocated.insert(bundle.id, Allocated { bundle, issuance_id, energy_source });
        }
        let view = |scr: Scr| {
            let account_id = *accounts.get(&scr.device_id)?;
            let drawn_by = drawing.iter().filter(|(of, _)| *of == scr.id).map(|(_, sdr)| *sdr).collect();
            let allocated = scr.backing.and_then(|backing| allocated.get(&backing.bundle_id).cloned());
            Some(ChargeView { scr, account_id, allocated, drawn_by })
        };
        Ok(rows.into_iter().filter_map(view).collect())
    }

    /// As [`charge_views`](Self::charge_views), with all that is drawn.
    fn discharge_views(&self, connection: &mut Connection, mut rows: Vec<Sdr>) -> store::Result<Vec<DischargeView>> {
        let ids: Vec<i64> = rows.iter().map(|sdr| sdr.id.0).collect();
        let read = |ids: &[i64]| store::storage::some_draws_of(connection, ids, draws_read());
        let (mut draws, shown) = draws_shown(&ids, read)?;
        rows.truncate(shown);
        if let (true, [one]) = (draws.len() > DRAWS_SHOWN_MAX, rows.as_slice()) {
            // no more than there were charges to draw on
            draws = store::storage::draws_of(connection, &[one.id.0])?;
        }
        let accounts = accounts_of(connection, rows.iter().map(|sdr| sdr.device_id))?;
        let of_draws: Vec<i64> = draws.iter().map(|draw| draw.id.0).collect();
        let live: HashMap<DrawId, WattHours> = store::storage::live_of(connection, &of_draws)?.into_iter().collect();
        let charged: Vec<i64> = draws.iter().map(|draw| draw.scr_id.0).collect();
        let charged = store::storage::scrs_by_ids(connection, &charged)?;
        let backings: HashMap<ScrId, _> =
            charged.iter().filter_map(|scr| Some((scr.id, scr.backing?.attributes_id))).collect();
        let attributes = self.0.attributes.by_ids(connection, backings.values().copied())?;
        let view_of = |draw: &Draw| DrawView {
            draw: *draw,
            live: live.get(&draw.id).copied().unwrap_or(WattHours::ZERO),
            energy_source: backings
                .get(&draw.scr_id)
                .filter(|_| draw.taken.backed > WattHours::ZERO)
                .and_then(|id| attributes.get(id))
                .map(|attributes| attributes.device.energy_source),
        };
        let view = |sdr: Sdr| {
            let draws = draws.iter().filter(|draw| draw.sdr_id == sdr.id).map(view_of).collect();
            Some(DischargeView { account_id: *accounts.get(&sdr.device_id)?, draws, sdr })
        };
        Ok(rows.into_iter().filter_map(view).collect())
    }

    /// Back from a certificate of a discharge; `None` of any other.
    pub(crate) fn chain_of(&self, connection: &mut Connection, bundle: &Bundle) -> store::Result<Option<StorageChain>> {
        let Some(draw_id) = bundle.draw_id else { return Ok(None) };
        let Some(draw) = store::storage::draws_by_ids(connection, &[draw_id.0])?.pop() else { return Ok(None) };
        let sdr = store::storage::sdrs_by_ids(connection, &[draw.sdr_id.0])?.pop();
        let scr = store::storage::scrs_by_ids(connection, &[draw.scr_id.0])?.pop();
        let (Some(sdr), Some(scr)) = (sdr, scr) else { return Ok(None) };
        let Some(backing) = scr.backing else { return Ok(None) };
        let Some(cancelled) = store::bundle::by_id(connection, backing.bundle_id)? else { return Ok(None) };
        let Some(id) = draw.attributes_id else { return Ok(None) };
        let attributes = self.0.attributes.by_ids(connection, std::iter::once(id))?;
        Ok(attributes.get(&id).cloned().map(|storage| StorageChain { sdr, scr, cancelled, storage }))
    }
}

/// The page of `found` records that were read; it ends early where not all of them are shown.
fn page<T, K>(paging: &Paging<K>, found: usize, views: Vec<T>, key: impl Fn(&T) -> K) -> Page<T, K> {
    let last = views.last().filter(|_| views.len() < found).map(&key);
    let page = paging.page(views, key);
    Page { next: page.next.or(last), ..page }
}

/// One more than are shown.
fn draws_read() -> i64 {
    i64::try_from(DRAWS_SHOWN_MAX.saturating_add(1)).unwrap_or(i64::MAX)
}

/// The draws of as many of these records, from the first, as have no more than [`DRAWS_SHOWN_MAX`] together, or of the first
/// alone; and how many records these are. `read` reads those of some records, up to one more than the most.
fn draws_shown<T>(
    ids: &[i64],
    mut read: impl FnMut(&[i64]) -> store::Result<Vec<T>>,
) -> store::Result<(Vec<T>, usize)> {
    let all = read(ids)?;
    if all.len() <= DRAWS_SHOWN_MAX {
        return Ok((all, ids.len()));
    }
    let mut shown = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        let mut of_one = read(&[*id])?;
        if place > 0 && shown.len() + of_one.len() > DRAWS_SHOWN_MAX {
            return Ok((shown, place));
        }
        shown.append(&mut of_one);
    }
    Ok((shown, ids.len()))
}

fn scoped(caller: &Caller, query: &StorageQuery) -> ChargeFilter {
    ChargeFilter {
        member: (!caller.may(Capability::ReadEverything)).then_some(caller.user_id),
        account: query.account,
        device: query.device,
        record: query.record,
        from: query.from,
        to: query.to,
        with_withdrawn: query.with_withdrawn,
    }
}

fn accounts_of(
    connection: &mut Connection,
    devices: impl Iterator<Item = DeviceId>,
) -> store::Result<HashMap<DeviceId, AccountId>> {
    let mut ids: Vec<i64> = devices.map(|id| id.0).collect();
    ids.sort_unstable();
    ids.dedup();
    let account = |device: Device| (device.id, device.account_id);
    Ok(store::device::by_ids(connection, &ids)?.into_iter().map(account).collect())
}

/// What those of these bundles that were issued on a discharge say of it, by draw. Nothing is read for others.
pub(crate) fn discharged_of(
    connection: &mut Connection,
    bundles: &[Bundle],
) -> store::Result<HashMap<DrawId, Discharged>> {
    let mut draws: Vec<i64> = bundles.iter().filter_map(|bundle| bundle.draw_id).map(|id| id.0).collect();
    if draws.is_empty() {
        return Ok(HashMap::new());
    }
    draws.sort_unstable();
    draws.dedup();
    let draws = store::storage::draws_by_ids(connection, &draws)?;
    let ids: Vec<i64> = draws.iter().map(|draw| draw.sdr_id.0).collect();
    let factors: HashMap<SdrId, Efficiency> =
        store::storage::sdrs_by_ids(connection, &ids)?.into_iter().map(|sdr| (sdr.id, sdr.efficiency)).collect();
    let discharged = |draw: &Draw| {
        let efficiency = *factors.get(&draw.sdr_id)?;
        let storage = draw.attributes_id;
        Some((draw.id, Discharged { sdr_id: draw.sdr_id, scr_id: draw.scr_id, efficiency, storage }))
    };
    Ok(draws.iter().filter_map(discharged).collect())
}

/// The issuance id of a bundle, with the discharge that it was issued on.
pub(crate) fn issuance_id_of(
    bundle: &Bundle,
    attributes: &CertificateAttributes,
    discharged: Option<&Discharged>,
) -> String {
    let (device, carrier, start) = (bundle.device_id, attributes.energy_carrier, bundle.production.start());
    match discharged {
        None => domain::bundle::issuance_id(device, carrier, start),
        Some(of) => domain::bundle::storage_issuance_id(device, carrier, start, of.sdr_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_before_the_record_whose_draws_are_too_many() {
        // the newest first, as screens ask, or the oldest
        for ids in [[8, 5, 3], [3, 5, 8]] {
            for (counts, shown, records) in [
                ([0, 0, 0], 0, 3),
                ([1, DRAWS_SHOWN_MAX - 1, 0], DRAWS_SHOWN_MAX, 3),
                ([1, DRAWS_SHOWN_MAX - 1, 1], DRAWS_SHOWN_MAX, 2),
                ([1, DRAWS_SHOWN_MAX, 1], 1, 1),
                ([DRAWS_SHOWN_MAX + 7, 1, 1], DRAWS_SHOWN_MAX + 1, 1),
            ] {
                let of = |id: &i64| ids.iter().position(|known| known == id).map_or(0, |place| counts[place]);
                let read = |asked: &[i64]| {
                    let draws = asked.iter().flat_map(|id| std::iter::repeat_n(*id, of(id)));
                    Ok(draws.take(DRAWS_SHOWN_MAX + 1).collect::<Vec<i64>>())
                };
                let (found, of_records) = draws_shown(&ids, read).unwrap();
                assert_eq!((found.len(), of_records), (shown, records), "{counts:?}");
                assert!(found.iter().all(|id| ids[..records].contains(id)), "{counts:?}");
            }
        }
    }

    #[test]
    fn the_next_page_begins_behind_what_is_shown() {
        let paging = Paging { limit: 3, after: None };
        assert_eq!(page(&paging, 3, vec![3, 5], |id| *id), Page { entries: vec![3, 5], next: Some(5) });
        assert_eq!(page(&paging, 2, vec![3, 5], |id| *id).next, None);
        assert_eq!(page(&paging, 4, vec![3, 5, 8, 9], |id| *id).next, Some(8));
    }
}
