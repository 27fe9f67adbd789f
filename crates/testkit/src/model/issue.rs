//! Certificates are issued against readings.

use super::sums::{hour_of, is_short};
use super::{Birth, Certificate, Decided, Decision, Model, ModelDevice, Verdict};
use domain::action::{CreateBundle, IssueChunk};
use domain::{
    Actor, BundleId, BundleStatus, CertificateRange, DeviceId, DeviceKind, GrossNet, Interval, Quality, Reading,
    WattHours,
};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

const MICROS_PER_HOUR: u128 = 3_600_000_000;
const EXPIRY_YEARS: i32 = 2;

impl Model {
    pub(super) fn issue(&mut self, now: Timestamp, actor: Actor, chunk: &IssueChunk) -> Decision {
        if !self.issues(actor) {
            return Err("forbidden");
        }
        if !self.metadata.contains(&chunk.metadata_id) {
            return Err("metadata_missing");
        }
        let is_asked = |reading: &Reading| {
            let start = reading.interval.start();
            chunk.devices.contains(&reading.device_id) && chunk.from <= start && start < chunk.to
        };
        let mut asked: Vec<Reading> = self.current().map(|(_, reading)| *reading).filter(is_asked).collect();
        asked.sort_by_key(|reading| (reading.interval.start(), reading.device_id));
        let (mut first, mut issued, mut quantity, mut refused) = (None, 0, 0, Vec::new());
        let mut hours: Vec<(DeviceId, Interval, Result<u64, &'static str>)> = Vec::new();
        for reading in &asked {
            let (device, hour) = (reading.device_id, hour_of(reading.interval.start()));
            let known = hours.iter().find(|(other, of, _)| (*other, *of) == (device, hour));
            let is_summed = known.is_some_and(|(.., found)| found.is_ok()) && is_short(reading);
            let (stands_on, found) = match self.whole(reading) {
                _ if is_summed => continue,
                None => (*reading, self.issuable(now, reading)),
                Some(Err(reason)) => (*reading, Err(reason)),
                Some(Ok(sum)) => (sum, self.issuable(now, &sum)),
            };
            if found.is_ok() && stands_on != *reading {
                self.keep_sum(&stands_on);
                hours.push((device, hour, found));
            }
            match found {
                Err(reason) => refused.push((reading.device_id, reading.interval.start(), reason.to_owned())),
                Ok(0) => {}
                Ok(energy) => {
                    let id = self.mint(now, &stands_on, energy);
                    first.get_or_insert(id);
                    issued += 1;
                    quantity += energy;
                }
            }
        }
        let told = Verdict::Issued { readings: asked.len(), first, issued, quantity: WattHours(quantity), refused };
        Ok(Decided { told, has_changed: issued > 0 })
    }

    /// One bundle as the issuer states it. Where there is no reading, the statement becomes one; but only if all of it
    /// can be issued.
    pub(super) fn create_bundle(&mut self, now: Timestamp, actor: Actor, statement: &CreateBundle) -> Decision {
        if !self.issues(actor) {
            return Err("forbidden");
        }
        if !self.metadata.contains(&statement.metadata_id) {
            return Err("metadata_missing");
        }
        let device = self.live_device(statement.device_id).ok_or("device_missing")?;
        if statement.quantity.0 == 0 {
            return Err("quantity_zero");
        }
        let (account, first) = (device.account, device.certificates.len() + 1);
        let as_reading = statement.reading(device.gross_net.unwrap_or(GrossNet::Net));
        let is_it =
            |reading: &&Reading| reading.device_id == statement.device_id && reading.interval == statement.production;
        let known = self.current().map(|(_, reading)| reading).find(is_it).copied();
        if known.is_none() && self.judge(now, Actor::Operator, &as_reading).is_err() {
            return Err("not_issuable");
        }
        let reading = known.unwrap_or(as_reading);
        let energy = self.issuable(now, &reading).unwrap_or(0);
        if energy == 0 {
            return Err("not_issuable");
        }
        let is_other_account = statement.stated.account_id.is_some_and(|stated| stated != account);
        if energy != statement.quantity.0 || is_other_account {
            return Err("statement_differs");
        }
        if known.is_none() {
            self.keep(&reading);
        }
        let bundle = self.mint(now, &reading, energy);
        let first = u64::try_from(first).expect("few certificates");
        let range = CertificateRange::new(first, first + energy - 1).expect("it is not empty");
        let is_expired = self.birth(bundle).expires_at <= now;
        Ok(Decided { told: Verdict::Created { bundle, range, is_expired }, has_changed: true })
    }

    /// How many Wh may be issued on a reading; 0 if all of it was.
    pub(super) fn issuable(&self, now: Timestamp, reading: &Reading) -> Result<u64, &'static str> {
        let device = self.live_device(reading.device_id).ok_or("device_missing")?;
        let may_not_be = [
            (device.description.kind != DeviceKind::Production, "not_production"),
            (!device.is_approved, "not_approved"),
            (reading.interval.end() > now, "in_future"),
            (reading.interval.start() < device.description.operational_date, "before_operation"),
            (reading.quality == Quality::Estimated, "estimated"),
            (reading.energy_wh <= 0, "zero_energy"),
        ];
        if let Some((_, reason)) = may_not_be.into_iter().find(|(holds, _)| *holds) {
            return Err(reason);
        }
        let stated = usize::try_from(reading.energy_wh).expect("it is above 0");
        let of_interval = || self.of_interval(reading.device_id, reading.interval.start());
        let live = of_interval().filter(|c| c.state != BundleStatus::Withdrawn).count();
        let held = of_interval().filter(|c| c.is_held).count();
        let rest = stated.saturating_sub(live);
        let open = rest.saturating_sub(held);
        if open == 0 {
            return if rest > 0 { Err("held") } else { Ok(0) };
        }
        if live + open > most_of(device, reading) {
            return Err("above_capacity");
        }
        Ok(u64::try_from(open).expect("few watt-hours"))
    }

    pub(super) fn mint(&mut self, now: Timestamp, reading: &Reading, energy: u64) -> BundleId {
        let bundle = self.next_bundle();
        let end = reading.interval.end().to_zoned_datetime(TimeZone::UTC);
        let expires_at = end.checked_add(EXPIRY_YEARS.years()).expect("the calendar goes on").timestamp();
        self.births.push(Birth {
            device: reading.device_id,
            production: reading.interval,
            issued_at: now,
            expires_at,
            parent: None,
            draw: None,
            divided: None,
        });
        let device = self.devices.get_mut(&reading.device_id).expect("it was looked at");
        let state = if expires_at <= now { BundleStatus::Expired } else { BundleStatus::Active };
        for _ in 0..energy {
            let (holder, issued_to) = (device.account, device.account);
            let certificate = Certificate { bundle, holder, issued_to, state, is_held: false, beneficiary: None };
            device.certificates.push(certificate);
        }
        bundle
    }
}

/// Capacity × duration × 1.1, in whole Wh.
pub(super) fn most_of(device: &ModelDevice, reading: &Reading) -> usize {
    let (start, end) = (reading.interval.start().as_microsecond(), reading.interval.end().as_microsecond());
    let micros = u128::try_from(end - start).expect("an interval is not empty");
    let most = u128::from(device.description.capacity_watts) * micros * 11 / (10 * MICROS_PER_HOUR);
    usize::try_from(most).expect("devices of tests are small")
}
