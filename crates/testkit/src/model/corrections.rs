//! Readings are corrected and deleted, and what was held is released, watt-hour by watt-hour.

use super::sums::{added_up, hour_of};
use super::{Certificate, Decided, Decision, Model, Verdict, Version};
use domain::action::MeasurementUpdate;
use domain::{Actor, BundleId, BundleStatus, DeviceId, DeviceKind, MeasurementId, Quality, Reading, Role};
use jiff::Timestamp;

const SUBMITTERS: [Role; 2] = [Role::RegistryAdministrator, Role::MeasurementBody];
const CORRECTORS: [Role; 3] = [Role::RegistryAdministrator, Role::MeasurementBody, Role::GcIssuer];
const LARGEST_WH: i64 = 9_000_000_000_000_000;

impl Model {
    pub(super) fn correct(&mut self, now: Timestamp, actor: Actor, update: &MeasurementUpdate) -> Decision {
        let corrects = self.has_role(actor, &CORRECTORS);
        if !corrects && !self.has_role(actor, &[Role::ProductionUser]) {
            return Err("forbidden");
        }
        let version = self.version(actor, update.measurement)?;
        let is_part = self.is_part(&self.versions[place_of(update.measurement)]);
        let was = if is_part { version.reading } else { self.current_version(actor, update.measurement)? };
        if version.is_sum {
            return Err("reading_summed");
        }
        let hour = hour_of(was.interval.start());
        let start = if is_part { hour.start() } else { was.interval.start() };
        let is_issued = self.of_interval(was.device_id, start).next().is_some();
        if is_issued && !corrects {
            return Err("forbidden");
        }
        if !is_issued {
            self.may_state(actor, was.device_id)?;
        }
        let device = &self.devices[&was.device_id];
        let is = Reading {
            energy_wh: update.energy_wh.unwrap_or(was.energy_wh),
            quality: update.quality.unwrap_or(was.quality),
            ..was
        };
        let is_wrong = is.energy_wh > LARGEST_WH
            || is.energy_wh < -LARGEST_WH
            || (is.energy_wh < 0 && device.description.kind != DeviceKind::Storage)
            || (is_issued && is.quality == Quality::Estimated);
        if is_wrong {
            return Err("reading_refused");
        }
        if is == was {
            return Ok(Decided { told: Verdict::Measurement(update.measurement), has_changed: false });
        }
        if self.is_recorded(was.device_id, start) {
            return Err("reading_refused");
        }
        let (old, parts) = if is_part {
            (Some(self.sum_at(was.device_id, hour)), self.parts_of(was.device_id, hour))
        } else {
            (None, Vec::new())
        };
        let id = self.keep(&is);
        if !is_part {
            self.versions[place_of(update.measurement)].superseded_by = Some(id);
        }
        let (before, after) = match old {
            None => (was, is),
            Some(old) => {
                let parts = parts.into_iter().map(|(_, part)| if part.interval == is.interval { is } else { part });
                let sum = added_up(hour, &parts.collect::<Vec<_>>()).expect("energies of tests are small");
                let by = self.keep(&sum);
                self.versions.last_mut().expect("it was kept").is_sum = true;
                self.versions[place_of(MeasurementId(id))].superseded_by = Some(by);
                self.versions[old].superseded_by = Some(by);
                (self.versions[old].reading, sum)
            }
        };
        if is_issued && after.energy_wh < before.energy_wh {
            self.withdraw_excess(now, &after);
        }
        Ok(Decided { told: Verdict::Measurement(MeasurementId(id)), has_changed: true })
    }

    pub(super) fn delete(&mut self, actor: Actor, id: MeasurementId) -> Decision {
        let told = Verdict::Measurement(id);
        if !self.has_role(actor, &SUBMITTERS) && !self.has_role(actor, &[Role::ProductionUser]) {
            return Err("forbidden");
        }
        let version = self.version(actor, id)?;
        let reading = version.reading;
        self.may_state(actor, reading.device_id)?;
        match version.superseded_by {
            Some(by) if by == id.0 => return Ok(Decided { told, has_changed: false }),
            Some(_) => return Err("reading_superseded"),
            None => {}
        }
        if self.of_interval(reading.device_id, reading.interval.start()).next().is_some() {
            return Err("already_issued");
        }
        if self.is_recorded(reading.device_id, reading.interval.start()) {
            return Err("reading_refused");
        }
        self.versions[place_of(id)].superseded_by = Some(id.0);
        Ok(Decided { told, has_changed: true })
    }

    pub(super) fn release(&mut self, actor: Actor, id: MeasurementId, reason: &str) -> Decision {
        if !self.issues(actor) {
            return Err("forbidden");
        }
        if reason.trim().is_empty() {
            return Err("reason_missing");
        }
        let reading = self.current_version(actor, id)?;
        let mut released = 0;
        for certificate in self.of_interval_mut(reading.device_id, reading.interval.start()) {
            released += i32::from(std::mem::take(&mut certificate.is_held));
        }
        if released == 0 {
            return Err("nothing_held");
        }
        Ok(Decided { told: Verdict::Measurement(id), has_changed: true })
    }

    /// A version that the actor may know of.
    fn version(&self, actor: Actor, id: MeasurementId) -> Result<Version, &'static str> {
        let version = id.0.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let version = version.and_then(|place| self.versions.get(place)).ok_or("measurement_missing")?;
        let readers = [Role::RegistryAdministrator, Role::MeasurementBody, Role::GcIssuer, Role::Auditor];
        let device = &self.devices[&version.reading.device_id];
        if !self.is_member(actor, device.account) && !self.has_role(actor, &readers) {
            return Err("measurement_missing");
        }
        if device.is_deleted { Err("device_missing") } else { Ok(version.clone()) }
    }

    fn current_version(&self, actor: Actor, id: MeasurementId) -> Result<Reading, &'static str> {
        let version = self.version(actor, id)?;
        match version.superseded_by {
            None => Ok(version.reading),
            Some(by) if by == id.0 => Err("measurement_missing"),
            Some(_) => Err("reading_superseded"),
        }
    }

    /// Of somebody who submits readings or produces.
    fn may_state(&self, actor: Actor, device: DeviceId) -> Result<(), &'static str> {
        if self.has_role(actor, &SUBMITTERS) {
            return Ok(());
        }
        let known = &self.devices[&device];
        if !self.has_role(actor, &[Role::ProductionUser]) {
            return Err("forbidden");
        }
        if !self.is_member(actor, known.account) {
            return Err("device_missing");
        }
        if known.certificates.is_empty() { Ok(()) } else { Err("forbidden") }
    }

    /// Takes back, one by one, what is live beyond the reading and still where it was issued to.
    fn withdraw_excess(&mut self, now: Timestamp, is: &Reading) {
        let start = is.interval.start();
        let stated = usize::try_from(is.energy_wh).unwrap_or(0);
        loop {
            let live = self.of_interval(is.device_id, start).filter(|c| c.state != BundleStatus::Withdrawn).count();
            if live <= stated {
                break;
            }
            let ranked = [BundleStatus::Active, BundleStatus::Locked, BundleStatus::Expired];
            let next = ranked.into_iter().find_map(|state| self.last_withdrawable(now, is, state));
            let Some(place) = next else { break };
            let device = self.devices.get_mut(&is.device_id).expect("the reading's device");
            device.certificates[place].state = BundleStatus::Withdrawn;
        }
        self.divide_what_is_mixed(is.device_id, start);
    }

    /// The highest certificate of the interval that counts as `state` and is where it was issued to.
    fn last_withdrawable(&self, now: Timestamp, is: &Reading, state: BundleStatus) -> Option<usize> {
        let certificates = &self.devices[&is.device_id].certificates;
        certificates.iter().rposition(|certificate| {
            let birth = self.birth(certificate.bundle);
            let counts_as = match certificate.state {
                BundleStatus::Active | BundleStatus::Locked if birth.expires_at <= now => BundleStatus::Expired,
                state => state,
            };
            let is_here = birth.production.start() == is.interval.start();
            is_here && counts_as == state && certificate.holder == certificate.issued_to
        })
    }

    /// A bundle of which only a part was withdrawn is divided: what stays, then what was withdrawn.
    fn divide_what_is_mixed(&mut self, device: DeviceId, start: Timestamp) {
        let bundles: Vec<BundleId> = self.of_interval(device, start).map(|certificate| certificate.bundle).collect();
        let mixed = bundles.into_iter().find(|id| {
            let mut states = self.of_interval(device, start).filter(|c| c.bundle == *id).map(|c| c.state);
            let first = states.next();
            states.any(|state| Some(state) != first)
        });
        let Some(id) = mixed else { return };
        let certificates = &self.devices[&device].certificates;
        let first = certificates.iter().position(|c| c.bundle == id).expect("it has certificates");
        let last = certificates.iter().rposition(|c| c.bundle == id).expect("it has certificates");
        let was: Certificate = certificates[first].clone();
        let number = |place: usize| u64::try_from(place).expect("few certificates") + 1;
        let place = usize::try_from(id.0 - 1).expect("few bundles");
        self.births[place].divided = Some((number(first), number(last), was));
        let birth = super::Birth { parent: Some(id), divided: None, ..self.birth(id).clone() };
        let rest = self.next_bundle();
        self.births.push(birth.clone());
        let taken = self.next_bundle();
        self.births.push(birth);
        let device = self.devices.get_mut(&device).expect("the reading's device");
        for certificate in &mut device.certificates[first..=last] {
            certificate.bundle = if certificate.state == BundleStatus::Withdrawn { taken } else { rest };
        }
    }

    fn of_interval_mut(&mut self, device: DeviceId, start: Timestamp) -> impl Iterator<Item = &mut Certificate> {
        let here: Vec<bool> = self.devices[&device]
            .certificates
            .iter()
            .map(|certificate| self.birth(certificate.bundle).production.start() == start)
            .collect();
        let certificates = &mut self.devices.get_mut(&device).expect("the reading's device").certificates;
        certificates.iter_mut().zip(here).filter_map(|(certificate, is_here)| is_here.then_some(certificate))
    }
}

fn place_of(id: MeasurementId) -> usize {
    usize::try_from(id.0 - 1).expect("few readings")
}
