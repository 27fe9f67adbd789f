//! What is recorded of storage, at random: mostly of readings that there are and certificates that were cancelled for it.

use super::{Dice, UNKNOWN, whole_hour};
use crate::model::Model;
use crate::model::bundles::Held;
use domain::action::{Allocation, BundleAction, CreateScr, CreateSdr, Deed, IssueChunk, Pick, SubmitReadings};
use domain::storage::EfficiencyBasis;
use domain::{
    Actor, AllocationMethod, BundleId, BundleStatus, CertificateRange, Command, DeviceId, DeviceKind, GrossNet,
    Interval, Quality, Reading, ReadingSource, ScrId, SdrId, WattHours,
};
use jiff::{SignedDuration, Timestamp};

impl Dice {
    pub(super) fn storage(&mut self, model: &Model, now: Timestamp) -> (Actor, Command) {
        let actor = self.issuer(model);
        let (charges, discharges) = (model.storage.charges.len(), model.storage.discharges.len());
        let command = match self.below(100) {
            0..=36 => Command::CreateScr(self.new_charge(model)),
            37..=66 => Command::CreateSdr(self.new_discharge(model, now)),
            67..=83 => Command::IssueSdgc(SdrId(self.one_of(discharges))),
            84..=91 => Command::WithdrawScr(ScrId(self.one_of(charges))),
            _ => Command::WithdrawSdr(SdrId(self.one_of(discharges))),
        };
        (actor, command)
    }

    /// What a battery's day consists of, mostly by who may: readings, production, its cancellation, and records.
    pub(super) fn of_batteries(&mut self, model: &Model, now: Timestamp) -> (Actor, Command) {
        match self.below(20) {
            0..=2 => (Actor::Operator, self.day(model, now)),
            3..=4 => {
                let devices = model.devices.keys().copied().collect();
                let from = whole_hour(now) - SignedDuration::from_hours(24);
                let metadata_id = *model.metadata.first().expect("there is some");
                (Actor::Operator, Command::Issue(IssueChunk { metadata_id, devices, from, to: now }))
            }
            5..=8 => (Actor::Operator, self.cancellation_for_storage(model, now)),
            _ => self.storage(model, now),
        }
    }

    /// Readings of a few hours: batteries take in during the first half of a day and give out during the second.
    fn day(&mut self, model: &Model, now: Timestamp) -> Command {
        let mut readings = Vec::new();
        let hour = SignedDuration::from_hours(1);
        let first = whole_hour(now) - hour * i32::try_from(1 + self.below(12)).expect("it is small");
        for of_run in 0..3 {
            let start = first + hour * of_run;
            let interval = Interval::new(start, start + hour).expect("it has a length");
            if interval.end() > now {
                break;
            }
            let is_charge = start.as_second() / 3_600 % 8 < 4;
            for (id, device) in &model.devices {
                let energy = 1 + self.below(35);
                let is_storage = device.description.kind == DeviceKind::Storage;
                let energy_wh = if is_storage && is_charge { -energy } else { energy };
                let (gross_net, quality) = (GrossNet::Net, Quality::Measured);
                readings.push(Reading { device_id: *id, interval, energy_wh, gross_net, quality });
            }
        }
        Command::SubmitReadings(SubmitReadings { readings, source: ReadingSource::Submitted })
    }

    fn cancellation_for_storage(&mut self, model: &Model, now: Timestamp) -> Command {
        let all = (1..model.next_bundle().0).filter_map(|id| model.held(BundleId(id)));
        let active: Vec<Held> = all
            .filter(|held| held.certificate.state == BundleStatus::Active && model.birth(held.id).expires_at > now)
            .collect();
        let Some(held) = self.pick(&active).cloned() else { return self.day(model, now) };
        let portion = self.portion(held.last - held.first + 1);
        let purpose = Some("storage".to_owned());
        let deed = Deed::Cancel { beneficiary: None, beneficiary_account: None, purpose };
        let source = held.certificate.holder;
        Command::Bundles(BundleAction { source, bundles: vec![held.id], portion, deed })
    }

    /// An id, mostly of one of the last few.
    fn one_of(&mut self, count: usize) -> i64 {
        let count = i64::try_from(count).expect("few records");
        if self.percent(50) { (count - self.below(4)).max(1) } else { 1 + self.below(count + 2) }
    }

    /// A reading of a storage device that goes this way; now and then any.
    fn reading_of_storage(&mut self, model: &Model, is_charge: bool) -> Option<Reading> {
        let is_odd = self.percent(5);
        let is_storage = |device: DeviceId| model.devices[&device].description.kind == DeviceKind::Storage;
        let readings = model.current().map(|(_, reading)| *reading);
        let apt = readings.filter(|r| is_odd || (is_storage(r.device_id) && (r.energy_wh < 0) == is_charge));
        let apt: Vec<Reading> = apt.collect();
        self.pick(&apt).copied()
    }

    fn new_charge(&mut self, model: &Model) -> CreateScr {
        let reading = self.reading_of_storage(model, true);
        let (device_id, interval) = reading.map_or((self.device(model), any_interval()), |r| (r.device_id, r.interval));
        let stated = reading.map_or(5, |r| i64::try_from(r.energy_wh.unsigned_abs().min(60)).expect("it is small"));
        let energy = if self.percent(50) { stated } else { self.below(stated + 3) };
        let energy = WattHours(u64::try_from(energy).expect("it is not negative"));
        let is_apt = self.percent(90);
        let for_storage = |held: &Held| {
            let purpose = held.certificate.beneficiary.as_ref().and_then(|of| of.purpose.as_deref());
            let made = model.birth(held.id).production;
            held.certificate.state == BundleStatus::Cancelled
                && purpose == Some("storage")
                && made.start() >= interval.start()
                && made.end() <= interval.end()
        };
        let all = (1..model.next_bundle().0).filter_map(|id| model.held(BundleId(id)));
        let candidates: Vec<Held> = all.filter(|held| !is_apt || for_storage(held)).collect();
        let chosen = self.pick(&candidates).cloned().filter(|_| self.percent(85));
        let allocation = chosen.map(|held| self.allocation(model, &held, energy));
        let account_id = self.percent(5).then(|| self.account(model));
        CreateScr { device_id, interval, energy, allocation, matching_method: None, account_id }
    }

    fn allocation(&mut self, model: &Model, held: &Held, energy: WattHours) -> Allocation {
        let length = i64::try_from(held.last - held.first + 1).expect("few certificates");
        let first = held.first + u64::try_from(self.below(length)).expect("it is not negative");
        let longest = if self.percent(90) { held.last.min(first + energy.0.max(1) - 1) } else { held.last + 1 };
        let range = CertificateRange::new(first, longest).expect("it is not empty");
        let sdr_id = model.sdr_of(held.id).map(SdrId).filter(|_| self.percent(95));
        let start = model.birth(held.id).production.start();
        Allocation { device_id: held.device, start, sdr_id, range, energy_source: None }
    }

    fn new_discharge(&mut self, model: &Model, now: Timestamp) -> CreateSdr {
        let reading = self.reading_of_storage(model, false);
        let (device_id, interval) = reading.map_or((self.device(model), any_interval()), |r| (r.device_id, r.interval));
        let stated = reading.map_or(5, |r| r.energy_wh.clamp(1, 60));
        let energy = if self.percent(60) { 1 + self.below(stated) } else { self.below(stated + 3) };
        let first = model.storage.discharges.iter().find(|discharge| discharge.device == device_id);
        let methods = AllocationMethod::ALL;
        let method = match first {
            Some(first) if self.percent(50) => Some(first.method),
            Some(_) if self.percent(80) => None,
            _ => self.pick(methods).copied().filter(|_| self.percent(90)),
        };
        let efficiency = (first.is_none() || self.percent(30)).then(|| self.basis(model, device_id, now));
        let by_discretion = first.map_or(method, |first| Some(first.method)) == Some(AllocationMethod::Discretion);
        let picks = if by_discretion || self.percent(3) { self.picks(model, device_id, energy) } else { Vec::new() };
        let energy = WattHours(u64::try_from(energy).expect("it is not negative"));
        let account_id = self.percent(3).then(|| self.account(model));
        CreateSdr { device_id, interval, energy, method, efficiency, picks, account_id, energy_source: None }
    }

    /// Mostly one that gives a factor below 1.
    fn basis(&mut self, model: &Model, device: DeviceId, now: Timestamp) -> EfficiencyBasis {
        let readings = model.current().filter(|(_, reading)| reading.device_id == device);
        let starts: Vec<Timestamp> = readings.map(|(_, reading)| reading.interval.start()).collect();
        let from = self.pick(&starts).copied().unwrap_or(now) - SignedDuration::from_hours(self.below(4));
        let hours = if self.percent(95) { 1 + self.below(60) } else { self.below(10_000) + 1 };
        let mut to = from + SignedDuration::from_hours(hours);
        if self.percent(90) && to > now && from < now {
            to = now;
        }
        let interval = Interval::new(from, to).unwrap_or_else(any_interval);
        let (input, output) = model.measured(device, interval);
        let kept = |energy: u128| WattHours(u64::try_from(energy).expect("few watt-hours"));
        let below = u128::try_from(self.below(5)).expect("it is not negative");
        let (charge_before, charge_after) = match self.below(10) {
            0 => (kept(below), kept(below * 3)),
            // some of what went in did not come out
            _ if output > input => (kept(output - input * 4 / 5), kept(0)),
            _ => (kept(0), kept((input * 4 / 5).saturating_sub(output))),
        };
        EfficiencyBasis { interval, charge_before, charge_after }
    }

    /// Some of what is open; seldom what is needed.
    fn picks(&mut self, model: &Model, device: DeviceId, energy: i64) -> Vec<Pick> {
        let charges = (1..).zip(&model.storage.charges);
        let own: Vec<i64> = charges.filter(|(_, charge)| charge.device == device).map(|(id, _)| id).collect();
        let mut picks = Vec::new();
        for _ in 0..self.below(3) {
            let scr = self.pick(&own).copied().unwrap_or(UNKNOWN);
            let part = WattHours(u64::try_from(self.below(energy + 2)).expect("it is not negative"));
            picks.push(Pick { scr_id: ScrId(scr), energy: part });
        }
        picks
    }
}

/// An hour of which nobody has a reading.
fn any_interval() -> Interval {
    let start = Timestamp::UNIX_EPOCH;
    Interval::new(start, start + SignedDuration::from_hours(1)).expect("it has a length")
}
