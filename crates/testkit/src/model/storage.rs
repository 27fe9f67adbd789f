//! Storage, watt-hour by watt-hour: each one that was charged knows whether a certificate backs it and what drew it.

use super::bundles::Held;
use super::{Birth, Certificate, Decided, Decision, Model, ModelDevice, Verdict};
use domain::action::{BundleResult, CreateScr, CreateSdr};
use domain::storage::EfficiencyBasis;
use domain::{
    Actor, AllocationMethod, BundleId, BundleStatus, CertificateRange, DeviceId, DeviceKind, DrawId, Interval, Quality,
    Reading, ScrId, SdrId, WattHours,
};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

const FIRST_FACTOR_MONTHS: i32 = 6;
const FACTOR_HOURS_MAX: i64 = 366 * 24;

/// A watt-hour that was charged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub is_backed: bool,
    /// By the draw with this id.
    pub drawn_by: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub device: DeviceId,
    pub interval: Interval,
    pub bundle: Option<BundleId>,
    pub units: Vec<Unit>,
    pub is_withdrawn: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Discharge {
    pub device: DeviceId,
    pub interval: Interval,
    pub energy: u64,
    pub method: AllocationMethod,
    /// Out over in.
    pub factor: (u128, u128),
    pub is_withdrawn: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ModelDraw {
    pub sdr: i64,
    pub scr: i64,
    pub backed: u64,
    pub unbacked: u64,
    pub certificates: u64,
}

/// Ids count from 1 in the order of the places.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub charges: Vec<Charge>,
    pub discharges: Vec<Discharge>,
    pub draws: Vec<ModelDraw>,
}

impl Charge {
    fn open(&self) -> usize {
        self.units.iter().filter(|unit| unit.drawn_by.is_none()).count()
    }

    fn drawn(&self) -> usize {
        self.units.len() - self.open()
    }
}

impl Model {
    pub(super) fn create_scr(&mut self, actor: Actor, new: &CreateScr) -> Decision {
        let of_reading = self.charges_on(new.device_id, new.interval.start()).map(|charge| charge.units.len()).sum();
        self.may_record(actor, new.device_id, new.interval, new.energy.0, (true, of_reading))?;
        let account = self.devices[&new.device_id].account;
        if new.account_id.is_some_and(|stated| stated != account) {
            return Err("statement_differs");
        }
        let bundle = match &new.allocation {
            None => None,
            Some(allocation) => {
                let (first, last) = (allocation.range.first(), allocation.range.last());
                if last - first + 1 > new.energy.0 {
                    return Err("range_too_large");
                }
                let held = (1..self.next_bundle().0).filter_map(|id| self.held(BundleId(id))).find(|held| {
                    let birth = self.birth(held.id);
                    held.device == allocation.device_id
                        && birth.production.start() == allocation.start
                        && held.certificate.holder == account
                        && held.certificate.state != BundleStatus::Split
                        && (held.first..=held.last).contains(&first)
                        && (held.first..=held.last).contains(&last)
                        && self.sdr_of(held.id) == allocation.sdr_id.map(|id| id.0)
                });
                let held = held.ok_or("range_not_held")?;
                if held.certificate.state != BundleStatus::Cancelled {
                    return Err("wrong_state");
                }
                let purpose = held.certificate.beneficiary.as_ref().and_then(|of| of.purpose.as_deref());
                if purpose != Some("storage") {
                    return Err("not_cancelled_for_storage");
                }
                let made = self.birth(held.id).production;
                if made.start() < new.interval.start() || made.end() > new.interval.end() {
                    return Err("produced_elsewhen");
                }
                if self.is_allocated(held.id) {
                    return Err("bundle_allocated");
                }
                Some((self.cut_out(held, first, last), last - first + 1))
            }
        };
        let backed = bundle.map_or(0, |(_, backed)| backed);
        let units = (0..new.energy.0).map(|place| Unit { is_backed: place < backed, drawn_by: None }).collect();
        let bundle = bundle.map(|(id, _)| id);
        self.storage.charges.push(Charge {
            device: new.device_id,
            interval: new.interval,
            bundle,
            units,
            is_withdrawn: false,
        });
        let scr = ScrId(count(self.storage.charges.len()));
        Ok(Decided { told: Verdict::Charged { scr, bundle, is_withdrawn: false }, has_changed: true })
    }

    pub(super) fn withdraw_scr(&mut self, actor: Actor, id: ScrId) -> Decision {
        if !self.issues(actor) {
            return Err("forbidden");
        }
        let charge = place(id.0).and_then(|place| self.storage.charges.get_mut(place)).ok_or("scr_missing")?;
        let has_changed = !charge.is_withdrawn;
        if has_changed && charge.drawn() > 0 {
            return Err("scr_drawn");
        }
        charge.is_withdrawn = true;
        let told = Verdict::Charged { scr: id, bundle: charge.bundle, is_withdrawn: true };
        Ok(Decided { told, has_changed })
    }

    pub(super) fn create_sdr(&mut self, now: Timestamp, actor: Actor, new: &CreateSdr) -> Decision {
        let (device, start) = (new.device_id, new.interval.start());
        let of_reading = self.discharges_on(device, start).map(|discharge| discharge.energy).sum::<u64>();
        let of_reading = usize::try_from(of_reading).expect("few watt-hours");
        self.may_record(actor, device, new.interval, new.energy.0, (false, of_reading))?;
        if new.account_id.is_some_and(|stated| stated != self.devices[&device].account) {
            return Err("statement_differs");
        }
        // from the oldest
        let mut before: Vec<usize> = (0..self.storage.charges.len())
            .filter(|place| {
                let charge = &self.storage.charges[*place];
                charge.device == device && !charge.is_withdrawn && charge.interval.end() <= start
            })
            .collect();
        if before.is_empty() {
            return Err("nothing_charged");
        }
        before.sort_by_key(|place| (self.storage.charges[*place].interval.start(), *place));
        let method = self.method_of(new)?;
        let factor = match &new.efficiency {
            Some(basis) => self.factor(now, device, basis)?,
            None => self.standing(device).last().map(|last| last.factor).ok_or("efficiency_missing")?,
        };
        let need = usize::try_from((u128::from(new.energy.0) * factor.1).div_ceil(factor.0)).unwrap_or(usize::MAX);
        let reservoir: usize = before.iter().map(|place| self.storage.charges[*place].open()).sum();
        let need = need.min(reservoir);
        let parts = match method {
            AllocationMethod::Discretion => self.picked(new, &before, need)?,
            _ if !new.picks.is_empty() => return Err("picks_not_asked"),
            AllocationMethod::Fifo => self.one_after_the_other(&before, need),
            AllocationMethod::Lifo => {
                before.reverse();
                self.one_after_the_other(&before, need)
            }
            AllocationMethod::WeightedAverage => self.in_proportion(&before, need, reservoir),
        };
        let sdr = count(self.storage.discharges.len() + 1);
        self.storage.discharges.push(Discharge {
            device,
            interval: new.interval,
            energy: new.energy.0,
            method,
            factor,
            is_withdrawn: false,
        });
        for (place, part) in parts.into_iter().filter(|(_, part)| *part > 0) {
            self.draw(sdr, place, part, factor);
        }
        Ok(Decided { told: self.told_of(SdrId(sdr)), has_changed: true })
    }

    pub(super) fn withdraw_sdr(&mut self, actor: Actor, id: SdrId) -> Decision {
        if !self.issues(actor) {
            return Err("forbidden");
        }
        let known = place(id.0).filter(|place| *place < self.storage.discharges.len()).ok_or("sdr_missing")?;
        let has_changed = !self.storage.discharges[known].is_withdrawn;
        let draws: Vec<i64> = self.draws_of(id.0).map(|(draw, _)| draw).collect();
        if has_changed && draws.iter().any(|draw| self.live_of(*draw) > 0) {
            return Err("sdr_issued");
        }
        self.storage.discharges[known].is_withdrawn = true;
        for unit in self.storage.charges.iter_mut().flat_map(|charge| &mut charge.units) {
            if unit.drawn_by.is_some_and(|draw| draws.contains(&draw)) {
                unit.drawn_by = None;
            }
        }
        Ok(Decided { told: self.told_of(id), has_changed })
    }

    pub(super) fn issue_sdgc(&mut self, now: Timestamp, actor: Actor, id: SdrId) -> Decision {
        if !self.issues(actor) {
            return Err("forbidden");
        }
        let discharge = place(id.0).and_then(|place| self.storage.discharges.get(place)).ok_or("sdr_missing")?;
        let (interval, id_of_device) = (discharge.interval, discharge.device);
        if discharge.is_withdrawn {
            return Err("sdr_withdrawn");
        }
        let device = self.live_device(id_of_device).ok_or("device_missing")?;
        if !device.is_approved {
            return Err("not_recordable");
        }
        let account = device.account;
        let rest: Vec<(i64, u64)> =
            self.draws_of(id.0).map(|(draw, of)| (draw, of.certificates - self.live_of(draw))).collect();
        let (mut result, mut total) = (Vec::new(), 0);
        for (draw, energy) in rest.into_iter().filter(|(_, energy)| *energy > 0) {
            let first = self.devices[&id_of_device].certificates.len();
            let reading = Reading {
                device_id: id_of_device,
                interval,
                energy_wh: 0,
                gross_net: domain::GrossNet::Net,
                quality: Quality::Measured,
            };
            let bundle = self.mint(now, &reading, energy);
            self.births.last_mut().expect("it was made just now").draw = Some(draw);
            let status = self.devices[&id_of_device].certificates[first].state;
            let first = u64::try_from(first).expect("few certificates") + 1;
            let range = CertificateRange::starting(first, WattHours(energy)).expect("it is not empty");
            result.push(BundleResult { bundle_id: bundle, parent_id: None, range, status, account_id: account });
            total += energy;
        }
        if result.is_empty() {
            return Err("nothing_to_issue");
        }
        Ok(Decided { told: Verdict::Bundles { result, total: WattHours(total) }, has_changed: true })
    }

    /// What all records need. `what`: whether it is a charge, and how much of the reading is recorded.
    fn may_record(
        &self,
        actor: Actor,
        device: DeviceId,
        interval: Interval,
        energy: u64,
        (is_charge, recorded): (bool, usize),
    ) -> Result<(), &'static str> {
        if !self.issues(actor) {
            return Err("forbidden");
        }
        let known: &ModelDevice = self.live_device(device).ok_or("device_missing")?;
        if known.description.kind != DeviceKind::Storage {
            return Err("not_storage");
        }
        if !known.is_approved {
            return Err("not_recordable");
        }
        let is_it = |reading: &&Reading| reading.device_id == device && reading.interval == interval;
        let reading = self.current().map(|(_, reading)| reading).find(is_it).ok_or("no_reading")?;
        if reading.energy_wh == 0 || is_charge != (reading.energy_wh < 0) {
            return Err("wrong_direction");
        }
        if reading.quality == Quality::Estimated {
            return Err("not_recordable");
        }
        if energy == 0 {
            return Err("quantity_zero");
        }
        let together = u64::try_from(recorded).expect("few watt-hours").saturating_add(energy);
        if together > u64::try_from(super::issue::most_of(known, reading)).expect("small devices") {
            return Err("not_recordable");
        }
        if together > reading.energy_wh.unsigned_abs() { Err("above_accepted") } else { Ok(()) }
    }

    fn method_of(&self, new: &CreateSdr) -> Result<AllocationMethod, &'static str> {
        let first = self.storage.discharges.iter().find(|discharge| discharge.device == new.device_id);
        match (first, new.method) {
            (None, None) => Err("method_missing"),
            (None, Some(method)) => Ok(method),
            (Some(first), Some(method)) if first.method != method => Err("method_fixed"),
            (Some(first), _) => Ok(first.method),
        }
    }

    fn factor(&self, now: Timestamp, id: DeviceId, basis: &EfficiencyBasis) -> Result<(u128, u128), &'static str> {
        let (from, to) = (basis.interval.start(), basis.interval.end());
        let since = self.devices[&id].description.operational_date;
        if to.as_second() - from.as_second() > FACTOR_HOURS_MAX * 3_600 {
            return Err("efficiency_too_long");
        }
        if to > now {
            return Err("efficiency_in_future");
        }
        if from < since {
            return Err("efficiency_before_operation");
        }
        let until = since.to_zoned_datetime(TimeZone::UTC).checked_add(FIRST_FACTOR_MONTHS.months());
        if self.standing(id).next().is_none() && to > until.expect("the calendar goes on").timestamp() {
            return Err("efficiency_too_late");
        }
        let (input, output) = self.measured(id, basis.interval);
        let out = (output + u128::from(basis.charge_after.0)).saturating_sub(basis.charge_before.0.into());
        if out == 0 || out > input { Err("efficiency_impossible") } else { Ok((out, input)) }
    }

    /// What went in and what came out, in whole readings that are no estimates.
    pub(super) fn measured(&self, id: DeviceId, interval: Interval) -> (u128, u128) {
        let (mut input, mut output) = (0, 0);
        for (_, reading) in self.current() {
            let is_inside = reading.interval.start() >= interval.start() && reading.interval.end() <= interval.end();
            if reading.device_id != id || !is_inside || reading.quality == Quality::Estimated {
                continue;
            }
            let sum = if reading.energy_wh < 0 { &mut input } else { &mut output };
            *sum += u128::from(reading.energy_wh.unsigned_abs());
        }
        (input, output)
    }

    fn one_after_the_other(&self, charges: &[usize], need: usize) -> Vec<(usize, usize)> {
        let mut left = need;
        let mut parts = Vec::new();
        for place in charges {
            let part = self.storage.charges[*place].open().min(left);
            left -= part;
            parts.push((*place, part));
        }
        parts
    }

    /// Each its share rounded down, then one by one to who is furthest below it, the older first.
    fn in_proportion(&self, charges: &[usize], need: usize, reservoir: usize) -> Vec<(usize, usize)> {
        let open = |place: &usize| self.storage.charges[*place].open();
        let mut parts: Vec<(usize, usize)> =
            charges.iter().map(|place| (*place, (need * open(place)).checked_div(reservoir).unwrap_or(0))).collect();
        let mut served = Vec::new();
        while parts.iter().map(|(_, part)| part).sum::<usize>() < need {
            let mut furthest: Option<(usize, usize)> = None;
            for (index, place) in charges.iter().enumerate().filter(|(index, _)| !served.contains(index)) {
                let below = need * open(place) % reservoir;
                if furthest.is_none_or(|(_, most)| below > most) {
                    furthest = Some((index, below));
                }
            }
            let (index, _) = furthest.expect("there are more charges than watt-hours left");
            parts[index].1 += 1;
            served.push(index);
        }
        parts
    }

    fn picked(&self, new: &CreateSdr, before: &[usize], need: usize) -> Result<Vec<(usize, usize)>, &'static str> {
        let mut parts: Vec<(usize, usize)> = Vec::new();
        for pick in &new.picks {
            let known = place(pick.scr_id.0)
                .filter(|place| self.storage.charges.get(*place).is_some_and(|charge| charge.device == new.device_id));
            let known = known.ok_or("scr_missing")?;
            if parts.iter().any(|(place, _)| *place == known) {
                return Err("pick_repeated");
            }
            let open = if before.contains(&known) { self.storage.charges[known].open() } else { 0 };
            let part = usize::try_from(pick.energy.0).unwrap_or(usize::MAX);
            if part > open {
                return Err("pick_not_open");
            }
            if part == 0 {
                return Err("quantity_zero");
            }
            parts.push((known, part));
        }
        if parts.iter().map(|(_, part)| part).sum::<usize>() == need { Ok(parts) } else { Err("picks_differ") }
    }

    /// Takes watt-hours of a charge, those of certificates first.
    fn draw(&mut self, sdr: i64, charge: usize, part: usize, factor: (u128, u128)) {
        let id = count(self.storage.draws.len() + 1);
        let (mut backed, mut unbacked) = (0, 0);
        for is_backed in [true, false] {
            for unit in &mut self.storage.charges[charge].units {
                let is_wanted = unit.is_backed == is_backed && unit.drawn_by.is_none();
                if is_wanted && backed + unbacked < u64::try_from(part).expect("few watt-hours") {
                    unit.drawn_by = Some(id);
                    *(if is_backed { &mut backed } else { &mut unbacked }) += 1;
                }
            }
        }
        let certificates = u64::try_from(u128::from(backed) * factor.0 / factor.1).expect("at most what went in");
        self.storage.draws.push(ModelDraw { sdr, scr: count(charge + 1), backed, unbacked, certificates });
    }

    /// Divides a bundle so that one holds just these certificates.
    fn cut_out(&mut self, held: Held, first: u64, last: u64) -> BundleId {
        let held = if first > held.first { self.divide(&held, first).1 } else { held };
        let held = if last < held.last { self.divide(&held, last + 1).0 } else { held };
        held.id
    }

    /// Divides a bundle in front of a certificate. Both parts are as it was.
    fn divide(&mut self, held: &Held, cut: u64) -> (Held, Held) {
        let index = place(held.id.0).expect("it was made");
        self.births[index].divided = Some((held.first, held.last, held.certificate.clone()));
        let [taken, rest] = [(held.first, cut - 1), (cut, held.last)].map(|(first, last)| {
            let bundle = self.next_bundle();
            let birth = Birth { parent: Some(held.id), divided: None, ..self.birth(held.id).clone() };
            self.births.push(birth);
            let certificate = Certificate { bundle, ..held.certificate.clone() };
            let device = self.devices.get_mut(&held.device).expect("certificates have a device");
            for number in first..=last {
                let index = usize::try_from(number - 1).expect("few certificates");
                device.certificates[index] = certificate.clone();
            }
            Held { id: bundle, device: held.device, first, last, certificate }
        });
        (taken, rest)
    }

    /// How many charges were recorded and draws made, and how many certificates the draws give.
    pub fn storage_figures(&self) -> [u64; 3] {
        let certificates = self.storage.draws.iter().map(|draw| draw.certificates).sum();
        let number = |count: usize| u64::try_from(count).expect("few records");
        [number(self.storage.charges.len()), number(self.storage.draws.len()), certificates]
    }

    // ── What there is ───────────────────────────────────────────────────────

    pub(super) fn is_allocated(&self, bundle: BundleId) -> bool {
        self.storage.charges.iter().any(|charge| !charge.is_withdrawn && charge.bundle == Some(bundle))
    }

    /// Whether a record stands on the reading of an interval.
    pub(super) fn is_recorded(&self, device: DeviceId, start: Timestamp) -> bool {
        self.charges_on(device, start).next().is_some() || self.discharges_on(device, start).next().is_some()
    }

    fn charges_on(&self, device: DeviceId, start: Timestamp) -> impl Iterator<Item = &Charge> {
        let is_on = move |c: &&Charge| !c.is_withdrawn && c.device == device && c.interval.start() == start;
        self.storage.charges.iter().filter(is_on)
    }

    fn discharges_on(&self, device: DeviceId, start: Timestamp) -> impl Iterator<Item = &Discharge> {
        self.standing(device).filter(move |discharge| discharge.interval.start() == start)
    }

    fn standing(&self, device: DeviceId) -> impl Iterator<Item = &Discharge> {
        self.storage.discharges.iter().filter(move |of| of.device == device && !of.is_withdrawn)
    }

    fn draws_of(&self, sdr: i64) -> impl Iterator<Item = (i64, &ModelDraw)> {
        (1..).zip(&self.storage.draws).filter(move |(_, draw)| draw.sdr == sdr)
    }

    /// The discharge that a bundle was issued on.
    pub(super) fn sdr_of(&self, bundle: BundleId) -> Option<i64> {
        let draw = place(self.birth(bundle).draw?)?;
        Some(self.storage.draws[draw].sdr)
    }

    /// Whether certificates of a standing discharge are not issued.
    pub(super) fn has_unissued(&self, device: DeviceId) -> bool {
        (1..).zip(&self.storage.draws).any(|(id, draw)| {
            let discharge = &self.storage.discharges[place(draw.sdr).expect("it was made")];
            let is_standing = discharge.device == device && !discharge.is_withdrawn;
            is_standing && draw.certificates > self.live_of(id)
        })
    }

    fn live_of(&self, draw: i64) -> u64 {
        let all = self.devices.values().flat_map(|device| &device.certificates);
        let of_draw = all.filter(|certificate| self.birth(certificate.bundle).draw == Some(draw));
        u64::try_from(of_draw.filter(|c| c.state != BundleStatus::Withdrawn).count()).expect("few certificates")
    }

    fn told_of(&self, id: SdrId) -> Verdict {
        let index = place(id.0).expect("it is known");
        let draws = self.draws_of(id.0).map(|(draw, of)| {
            let certificates = WattHours(of.certificates);
            (DrawId(draw), ScrId(of.scr), WattHours(of.backed), WattHours(of.unbacked), certificates)
        });
        Verdict::Discharged {
            sdr: id,
            method: self.storage.discharges[index].method,
            is_withdrawn: self.storage.discharges[index].is_withdrawn,
            draws: draws.collect(),
        }
    }
}

fn place(id: i64) -> Option<usize> {
    usize::try_from(id.checked_sub(1)?).ok()
}

fn count(of: usize) -> i64 {
    i64::try_from(of).expect("few records")
}
