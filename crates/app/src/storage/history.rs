//! The storage records of one device as screens show them: the newest first, their course in time, what is not recorded yet,
//! and what may back a charge. All of it is for who may read the device's account, and of storage only.

use super::{ChargeView, DischargeView, StorageSummary, page};
use crate::certificate::{BundleQuery, BundleView, Period};
use crate::register::may_read;
use crate::{Caller, Error, Page, Paging, Registry};
use domain::action::PURPOSE_STORAGE;
use domain::{
    BundleStatus, Device, DeviceId, DeviceKind, DrawId, Efficiency, EventNumber, Interval, Scr, Sdr, SdrId, WattHours,
};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use store::Connection;
use store::storage::Unrecorded;

/// Charges, and discharges, that a course goes back over.
pub const COURSE_RECORDS_MAX: usize = 5_000;
/// Bundles among which those are looked for that may back a charge.
const BACKING_LOOKED_AT_MAX: usize = 500;

/// The state of charge as the standing records have it, step by step in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageCourse {
    /// What the reservoir held before the first step.
    pub before: WattHours,
    pub steps: Vec<StorageStep>,
    /// Whether there are records before the first step.
    pub has_earlier: bool,
}

/// One record, and what the reservoir held after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageStep {
    pub interval: Interval,
    pub flow: StorageFlow,
    pub level: WattHours,
}

/// What a record did to the reservoir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageFlow {
    Charge {
        energy: WattHours,
    },
    /// What came out, and what was drawn for it, gross.
    Discharge {
        energy: WattHours,
        drawn: WattHours,
        efficiency: Efficiency,
    },
}

impl StorageCourse {
    /// The steps of these standing records; the reservoir is what it holds after all of them. Each list is the newest first
    /// and has at most one record more than `most`, by which it is known to be cut.
    fn of(
        reservoir: WattHours,
        mut charges: Vec<Scr>,
        mut discharges: Vec<Sdr>,
        drawn: &HashMap<SdrId, WattHours>,
        most: usize,
    ) -> Self {
        // What one list is cut at is where both begin.
        let cut_charge = charges.get(most).map(|scr| scr.interval.start());
        let cut_discharge = discharges.get(most).map(|sdr| sdr.interval.start());
        let cut = cut_charge.into_iter().chain(cut_discharge).max();
        charges.retain(|scr| cut.is_none_or(|cut| scr.interval.start() > cut));
        discharges.retain(|sdr| cut.is_none_or(|cut| sdr.interval.start() > cut));
        let charge = |scr: &Scr| (scr.interval, StorageFlow::Charge { energy: scr.energy });
        let discharge = |sdr: &Sdr| {
            let drawn = drawn.get(&sdr.id).copied().unwrap_or(WattHours::ZERO);
            (sdr.interval, StorageFlow::Discharge { energy: sdr.energy, drawn, efficiency: sdr.efficiency })
        };
        let mut flows: Vec<_> = charges.iter().map(charge).chain(discharges.iter().map(discharge)).collect();
        flows.sort_by_key(|(interval, _)| (interval.end(), interval.start()));
        let (mut taken_in, mut taken_out) = (0_u128, 0_u128);
        for (_, flow) in &flows {
            match flow {
                StorageFlow::Charge { energy } => taken_in += u128::from(energy.0),
                StorageFlow::Discharge { drawn, .. } => taken_out += u128::from(drawn.0),
            }
        }
        let before = (u128::from(reservoir.0) + taken_out).saturating_sub(taken_in);
        let before = WattHours(u64::try_from(before).unwrap_or(u64::MAX));
        let mut level = before;
        let step = |(interval, flow)| {
            level = match flow {
                StorageFlow::Charge { energy } => [level, energy].into_iter().sum(),
                StorageFlow::Discharge { drawn, .. } => level.saturating_sub(drawn),
            };
            StorageStep { interval, flow, level }
        };
        Self { before, steps: flows.into_iter().map(step).collect(), has_earlier: cut.is_some() }
    }
}

impl Registry {
    /// A page of charges of a storage device, the newest first, withdrawn ones too. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a device that is not storage or not the caller's to read; so do all of these.
    pub fn latest_charges(
        &self,
        caller: &Caller,
        device: DeviceId,
        paging: Paging<(Timestamp, i64)>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<ChargeView, (Timestamp, i64)>, Error> {
        let (found, views) = self.of_storage(caller, device, fresh, |connection, _| {
            let rows = store::storage::latest_charges(connection, device, true, paging.after, paging.rows())?;
            Ok((rows.len(), self.charge_views(connection, rows)?))
        })?;
        Ok(page(&paging, found, views, |view| (view.scr.interval.start(), view.scr.id.0)))
    }

    /// A page of discharges of a storage device, as [`latest_charges`](Self::latest_charges). Blocks.
    pub fn latest_discharges(
        &self,
        caller: &Caller,
        device: DeviceId,
        paging: Paging<(Timestamp, i64)>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<DischargeView, (Timestamp, i64)>, Error> {
        let (found, views) = self.of_storage(caller, device, fresh, |connection, _| {
            let rows = store::storage::latest_discharges(connection, device, true, paging.after, paging.rows())?;
            Ok((rows.len(), self.discharge_views(connection, rows)?))
        })?;
        Ok(page(&paging, found, views, |view| (view.sdr.interval.start(), view.sdr.id.0)))
    }

    /// The course of a storage device's state of charge over its newest [`COURSE_RECORDS_MAX`] charges and discharges. Blocks.
    pub fn storage_course(
        &self,
        caller: &Caller,
        summary: &StorageSummary,
        fresh: Option<EventNumber>,
    ) -> Result<StorageCourse, Error> {
        let rows = i64::try_from(COURSE_RECORDS_MAX + 1).unwrap_or(i64::MAX);
        let device = summary.device_id;
        self.of_storage(caller, device, fresh, |connection, _| {
            let charges = store::storage::latest_charges(connection, device, false, None, rows)?;
            let discharges = store::storage::latest_discharges(connection, device, false, None, rows)?;
            let ids: Vec<i64> = discharges.iter().map(|sdr| sdr.id.0).collect();
            let drawn: HashMap<_, _> = store::storage::drawn_of(connection, &ids)?.into_iter().collect();
            Ok(StorageCourse::of(summary.reservoir().1, charges, discharges, &drawn, COURSE_RECORDS_MAX))
        })
    }

    /// Up to `limit` readings of a storage device of which something may be recorded and is not, the newest first. Blocks.
    pub fn unrecorded_readings(
        &self,
        caller: &Caller,
        device: DeviceId,
        limit: usize,
        fresh: Option<EventNumber>,
    ) -> Result<Vec<Unrecorded>, Error> {
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        self.of_storage(caller, device, fresh, |connection, _| store::storage::unrecorded(connection, device, rows))
    }

    /// Bundles of a storage device's account that may back a charge of this interval: cancelled for storage, produced within
    /// it, and backing none yet. Blocks.
    pub fn backing_for(
        &self,
        caller: &Caller,
        device: DeviceId,
        interval: Interval,
        fresh: Option<EventNumber>,
    ) -> Result<Vec<BundleView>, Error> {
        let account = self.of_storage(caller, device, fresh, |_, device| Ok(device.account_id))?;
        let query = BundleQuery {
            account,
            device: None,
            energy_sources: Vec::new(),
            period: Period { start: Some(interval.start()), end: Some(interval.end()) },
            status: Some(BundleStatus::Cancelled),
            issuance_ids: None,
            range_first: None,
            range_last: None,
            limit: Some(BACKING_LOOKED_AT_MAX),
            after: None,
        };
        let mut found = self.query(caller, &query, fresh)?.bundles;
        found.retain(|view| {
            let purpose = view.bundle.cancellation.as_ref().and_then(|of| of.purpose.as_deref());
            purpose == Some(PURPOSE_STORAGE) && view.bundle.production.end() <= interval.end()
        });
        let ids: Vec<i64> = found.iter().map(|view| view.bundle.id.0).collect();
        let taken = self.read(fresh, |connection| store::storage::allocated(connection, &ids))?;
        let taken: HashSet<_> = taken.into_iter().map(|(bundle, _)| bundle).collect();
        found.retain(|view| !taken.contains(&view.bundle.id));
        Ok(found)
    }

    /// The bundles that were issued on a discharge, and what was split from them, as far as the caller may read them. Blocks.
    pub fn bundles_of_discharge(
        &self,
        caller: &Caller,
        view: &DischargeView,
        fresh: Option<EventNumber>,
    ) -> Result<Vec<BundleView>, Error> {
        let (now, draws): (_, Vec<DrawId>) = (self.now(), view.draws.iter().map(|of| of.draw.id).collect());
        self.read(fresh, |connection| {
            let mut bundles = store::storage::issued_of(connection, &draws)?;
            let accounts: HashSet<_> = bundles.iter().map(|bundle| bundle.account_id).collect();
            let mut readable = HashSet::new();
            for account in accounts {
                if may_read(connection, caller, account)? {
                    readable.insert(account);
                }
            }
            bundles.retain(|bundle| bundle.status != BundleStatus::Split && readable.contains(&bundle.account_id));
            self.bundle_views(connection, bundles, now)
        })
    }

    /// Reads something of a storage device, if the caller may.
    fn of_storage<T>(
        &self,
        caller: &Caller,
        id: DeviceId,
        fresh: Option<EventNumber>,
        mut work: impl FnMut(&mut Connection, &Device) -> store::Result<T>,
    ) -> Result<T, Error> {
        let found = self.read(fresh, |connection| {
            let device = store::device::by_id(connection, id)?;
            let Some(device) = device.filter(|device| device.description.kind == DeviceKind::Storage) else {
                return Ok(None);
            };
            if !may_read(connection, caller, device.account_id)? {
                return Ok(None);
            }
            work(connection, &device).map(Some)
        })?;
        found.ok_or(Error::NotFound { what: "Storage device", id: id.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::storage::Share;
    use domain::{AllocationMethod, ScrId};

    fn hour(of_day: i64) -> Interval {
        let start = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(of_day);
        Interval::new(start, start + jiff::SignedDuration::from_hours(1)).unwrap()
    }

    fn scr(id: i64, of_day: i64, energy: u64) -> Scr {
        Scr {
            id: ScrId(id),
            device_id: DeviceId(1),
            interval: hour(of_day),
            energy: WattHours(energy),
            backing: None,
            matching_method: None,
            created_at: Timestamp::UNIX_EPOCH,
            is_withdrawn: false,
            drawn: Share::default(),
        }
    }

    fn sdr(id: i64, of_day: i64, energy: u64) -> Sdr {
        let [input, output, charge_before, charge_after] = [10, 9, 0, 0].map(WattHours);
        Sdr {
            id: SdrId(id),
            device_id: DeviceId(1),
            interval: hour(of_day),
            energy: WattHours(energy),
            method: AllocationMethod::Fifo,
            efficiency: Efficiency { interval: hour(0), input, output, charge_before, charge_after },
            created_at: Timestamp::UNIX_EPOCH,
            is_withdrawn: false,
        }
    }

    /// The newest first: 100 in, 50 in, 90 out for 100, 30 in.
    fn course(most: usize) -> StorageCourse {
        let charges = vec![scr(3, 4, 30), scr(2, 2, 50), scr(1, 1, 100)];
        let drawn = HashMap::from([(SdrId(1), WattHours(100))]);
        StorageCourse::of(WattHours(80), charges, vec![sdr(1, 3, 90)], &drawn, most)
    }

    #[test]
    fn a_course_ends_at_what_the_reservoir_holds() {
        let course = course(3);
        let levels: Vec<u64> = course.steps.iter().map(|step| step.level.0).collect();
        assert_eq!((course.before, levels, course.has_earlier), (WattHours(0), vec![100, 150, 50, 80], false));
    }

    #[test]
    fn a_course_that_is_cut_begins_with_what_was_there() {
        let course = course(1);
        let levels: Vec<u64> = course.steps.iter().map(|step| step.level.0).collect();
        assert_eq!((course.before, levels, course.has_earlier), (WattHours(150), vec![50, 80], true));
    }
}
