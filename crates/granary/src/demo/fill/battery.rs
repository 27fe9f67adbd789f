//! The battery of the demonstration: it charges with certificates of wind or sun that were transferred to it and cancelled for
//! storage, and what it gives out is certified.
//!
//! Its last day is not recorded yet, and on the discharges of its last days no certificates are issued yet, so that there is
//! something left to do.

use super::{DAY, Filling};
use crate::demo::data::Device;
use crate::failure::Failure;
use crate::registry::operator;
use app::{BundleQuery, BundleView, Period};
use domain::action::{Allocation, BundleAction, CreateScr, CreateSdr, Deed, PURPOSE_STORAGE, Portion};
use domain::storage::EfficiencyBasis;
use domain::{
    AccountId, Actor, AllocationMethod, BundleId, BundleStatus, CertificateRange, Command, DeviceId, DeviceKind,
    Interval, Outcome, Ratio, SdrId, WattHours,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Days that are recorded, up to the last one, which is not.
const DAYS_RECORDED: i32 = 21;
/// Days that certificates are asked for at once, and that an efficiency factor is of.
const DAYS_OF_FACTOR: i32 = 7;
/// Days at the end of which discharges have no certificates yet.
const DAYS_UNCERTIFIED: i32 = 3;
/// Days before those whose certificates are sold.
const DAYS_SOLD: i32 = 4;
/// Which devices the battery charges from, the first that makes enough, and what share of an hour it gets of it.
const SOURCES: [(&str, &str); 2] = [("Larkmead Solar Farm", "0.5"), ("Gannet Shoal Offshore Wind Farm", "0.2")];
const BUYER: &str = "Marrowfield Trading";
const MATCHING: &str = "same market zone";

/// The battery, by what it is in the registry.
struct Battery<'f> {
    id: DeviceId,
    about: &'f Device,
    account: AccountId,
    account_name: &'f str,
}

impl Filling<'_> {
    /// Records what the battery did; says how many records that made.
    pub(super) fn storage(&self) -> Result<u64, Failure> {
        let devices = &self.data.registry.devices;
        let Some(place) = devices.iter().position(|device| device.kind == DeviceKind::Storage) else { return Ok(0) };
        let about = &devices[place];
        let account_name = about.account.as_str();
        let battery = Battery { id: self.devices[place], about, account: self.accounts[account_name], account_name };
        let until = self.to - DAY;
        let mut from = self.from.max(until - DAY * DAYS_RECORDED);
        let (first, mut records) = (from, 0);
        while from < until {
            let to = until.min(from + DAY * DAYS_OF_FACTOR);
            // What is not recorded yet can be backed already.
            self.back(&battery, from, if to == until { self.to } else { to })?;
            records += self.record(&battery, first, from, to)?;
            from = to;
        }
        self.sell(&battery)?;
        Ok(records)
    }

    /// Has certificates of the hours in which the battery charges transferred to it, and cancels them for storage.
    fn back(&self, battery: &Battery<'_>, from: Timestamp, to: Timestamp) -> Result<(), Failure> {
        for (name, share) in SOURCES {
            let place = self.data.registry.devices.iter().position(|device| device.name == name);
            let place = place.expect("the battery charges from a device of the file");
            let (id, source) = (self.devices[place], self.data.registry.devices[place].account.as_str());
            let account = self.accounts[source];
            let bought = self.held(account, Some(id), BundleStatus::Active, from, to)?;
            let bought =
                bought.iter().filter(|view| self.charges_from(battery.about, view.bundle.production.start()) == name);
            let bundles: Vec<BundleId> = bought.map(|view| view.bundle.id).collect();
            if bundles.is_empty() {
                continue;
            }
            let portion = Portion::Share(Ratio::parse(share).expect("a share is a decimal"));
            let deed = Deed::Transfer { target: battery.account };
            self.act(self.trader(source), Command::Bundles(BundleAction { source: account, bundles, portion, deed }))?;
            let bought = self.held(battery.account, Some(id), BundleStatus::Active, from, to)?;
            let bundles = bought.iter().map(|view| view.bundle.id).collect();
            let deed = Deed::Cancel {
                beneficiary: None,
                beneficiary_account: None,
                purpose: Some(PURPOSE_STORAGE.to_owned()),
            };
            let (source, portion) = (battery.account, Portion::Whole);
            let cancel = Command::Bundles(BundleAction { source, bundles, portion, deed });
            self.act(self.trader(battery.account_name), cancel)?;
        }
        Ok(())
    }

    /// From which device the battery charges in an hour: where the sun shines enough, from the sun; else from the wind.
    fn charges_from(&self, battery: &Device, start: Timestamp) -> &'static str {
        let charged = self.data.energy(battery, start);
        if charged >= 0 {
            return "";
        }
        let [(sun, _), (wind, _)] = SOURCES;
        let of = |name: &str| self.data.registry.devices.iter().find(|device| device.name == name);
        let shines = of(sun).map_or(0, |device| self.data.energy(device, start));
        if shines >= -charged / 3 { sun } else { wind }
    }

    /// Records the charges and discharges of a period, in the order of time, and issues on what came out.
    fn record(&self, battery: &Battery<'_>, first: Timestamp, from: Timestamp, to: Timestamp) -> Result<u64, Failure> {
        let issuer = Actor::User(self.holder_of(domain::Role::GcIssuer));
        let mut backing: HashMap<Timestamp, BundleView> = HashMap::new();
        for view in self.held(battery.account, None, BundleStatus::Cancelled, from, to)? {
            let quantity = view.bundle.range.quantity();
            let known = backing.get(&view.bundle.production.start());
            if known.is_none_or(|known| known.bundle.range.quantity() < quantity) {
                backing.insert(view.bundle.production.start(), view);
            }
        }
        // A factor is of the days before, the first of their own.
        let factor_from = if from == first { self.from } else { from - DAY * DAYS_OF_FACTOR };
        let factor_to = self.to.min(factor_from + DAY * DAYS_OF_FACTOR);
        let interval = Interval::new(factor_from, factor_to).expect("a factor is of days");
        let [charge_before, charge_after] = [WattHours::ZERO; 2];
        let mut factor = Some(EfficiencyBasis { interval, charge_before, charge_after });
        let (mut start, mut records, mut has_charged) = (from, 0, from != first);
        while start < to {
            let interval = Interval::new(start, start + HOUR).expect("an hour is not empty");
            let read = self.data.energy(battery.about, start);
            let energy = WattHours(read.unsigned_abs());
            if read < 0 {
                self.act(issuer, Command::CreateScr(charge(battery.id, interval, energy, backing.get(&start))))?;
                (has_charged, records) = (true, records + 1);
            }
            if read > 0 && has_charged {
                let discharge = discharge(battery.id, interval, energy, factor.take());
                let Outcome::Sdr { sdr, draws } = self.act(issuer, Command::CreateSdr(discharge))? else {
                    unreachable!("recording a discharge answers with it");
                };
                records += 1;
                let gives = draws.iter().any(|draw| draw.certificates > WattHours::ZERO);
                if gives && start < self.to - DAY * DAYS_UNCERTIFIED {
                    self.certify(issuer, sdr.id)?;
                }
            }
            start += HOUR;
        }
        Ok(records)
    }

    fn certify(&self, issuer: Actor, sdr: SdrId) -> Result<(), Failure> {
        self.act(issuer, Command::IssueSdgc(sdr)).map(|_| ())
    }

    /// Sells some of what the battery gave out.
    fn sell(&self, battery: &Battery<'_>) -> Result<(), Failure> {
        let to = self.to - DAY * DAYS_UNCERTIFIED;
        let sold = self.held(battery.account, Some(battery.id), BundleStatus::Active, to - DAY * DAYS_SOLD, to)?;
        if sold.is_empty() {
            return Ok(());
        }
        let action = BundleAction {
            source: battery.account,
            bundles: sold.iter().map(|view| view.bundle.id).collect(),
            portion: Portion::Whole,
            deed: Deed::Transfer { target: self.accounts[BUYER] },
        };
        self.act(self.trader(battery.account_name), Command::Bundles(action)).map(|_| ())
    }

    fn trader(&self, account: &str) -> Actor {
        Actor::User(self.trader_of(account))
    }

    /// What an account holds in this state of some hours.
    fn held(
        &self,
        account: AccountId,
        device: Option<DeviceId>,
        status: BundleStatus,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<BundleView>, Failure> {
        let query = BundleQuery {
            account,
            device,
            energy_sources: Vec::new(),
            period: Period { start: Some(from), end: Some(to) },
            status: Some(status),
            issuance_ids: None,
            range_first: None,
            range_last: None,
            limit: None,
            after: None,
        };
        Ok(self.registry.query(&operator(), &query, None)?.bundles)
    }
}

/// A charge, backed by as much of a bundle as it takes.
fn charge(device_id: DeviceId, interval: Interval, energy: WattHours, backing: Option<&BundleView>) -> CreateScr {
    let allocation = backing.and_then(|view| {
        let range = view.bundle.range;
        Some(Allocation {
            device_id: view.bundle.device_id,
            start: view.bundle.production.start(),
            sdr_id: None,
            range: CertificateRange::starting(range.first(), energy.min(range.quantity()))?,
            energy_source: None,
        })
    });
    let matching_method = allocation.map(|_| MATCHING.to_owned());
    CreateScr { device_id, interval, energy, allocation, matching_method, account_id: None }
}

fn discharge(
    device_id: DeviceId,
    interval: Interval,
    energy: WattHours,
    efficiency: Option<EfficiencyBasis>,
) -> CreateSdr {
    CreateSdr {
        device_id,
        interval,
        energy,
        method: Some(AllocationMethod::Fifo),
        efficiency,
        picks: Vec::new(),
        account_id: None,
        energy_source: None,
    }
}
