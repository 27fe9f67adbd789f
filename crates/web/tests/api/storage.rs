//! `/storage`: charges, discharges, and certificates on what comes out.

mod example;
mod read;
mod refused;
mod withdraw;

use crate::merged;
use domain::action::NewDevice;
use domain::{AccountId, Command, DeviceDescription, DeviceId, DeviceKind, EnergySource, Interval, Outcome, Role};
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::http::{Answer, Client, TestApp};
use testkit::{Engine, at, device_description};

/// A battery that charged in two hours from [`START`](crate::START) and discharged in the next two.
pub(crate) struct Stored {
    pub device: DeviceId,
    /// A charge on which certificates are, and of which a discharge draws.
    pub scr: i64,
    /// One of neither.
    pub undrawn: i64,
    pub sdr: i64,
}

/// How many readings [`stored`] makes.
pub(crate) const STORED_READINGS: i64 = 5;

/// Records in the account: a charge of 100 Wh of wind, one of 50 Wh of none, and a discharge of 50 Wh by a factor of 0.9.
pub(crate) fn stored(app: &TestApp, name: &str, account: AccountId) -> Stored {
    let kit = &app.testkit;
    let battery = device(app, name, account, EnergySource::BatteryStorage, DeviceKind::Storage);
    let farm = kit.device(&format!("{name}, its farm"), account);
    kit.readings(farm, std::iter::once(hour(0)), 100);
    for (of_day, energy) in [(0, -100), (1, -100), (2, 50), (3, 30)] {
        kit.readings(battery, std::iter::once(hour(of_day)), energy);
    }
    let issuer = app.with_user(&[Role::GcIssuer], &[]);
    let issuance = cancelled_for_storage(app, &issuer, account, farm);
    let charge = |of_day, energy: i64, more: &Value| {
        issuer.post("/storage/create_scr", &merged(charge_body(battery, of_day, energy), more)).expect(201).json
    };
    let backing = json!({
        "gc_issuance_id": issuance, "certificate_bundle_id_range_start": 1, "certificate_bundle_id_range_end": 100,
    });
    let (drawn, undrawn) = (charge(0, 100, &backing), charge(1, 50, &json!({})));
    let more = json!({
        "scr_allocation_methodology": "FIFO", "efficiency_factor_interval_start": time(0),
        "efficiency_factor_interval_end": time(3), "state_of_charge_end": 130,
    });
    let sdr = issuer.post("/storage/create_sdr", &merged(discharge_body(battery, 2, 50), &more)).expect(201).json;
    let id = |record: &Value| record["id"].as_i64().expect("an id");
    Stored { device: battery, scr: id(&drawn), undrawn: id(&undrawn), sdr: id(&sdr) }
}

/// An hour of 1 February 2026.
fn hour(of_day: i64) -> Interval {
    let start = at("2026-02-01T00:00:00Z") + SignedDuration::from_hours(of_day);
    Interval::new(start, start + SignedDuration::from_hours(1)).expect("an hour is not empty")
}

/// When it begins.
fn time(of_day: i64) -> String {
    hour(of_day).start().to_string()
}

/// A device of 5 MW, in operation since the year began.
fn device(app: &TestApp, name: &str, account: AccountId, source: EnergySource, kind: DeviceKind) -> DeviceId {
    let description = DeviceDescription {
        energy_source: source,
        kind,
        capacity_watts: 5_000_000,
        operational_date: at("2026-01-01T00:00:00Z"),
        ..device_description(name)
    };
    match app.testkit.act(Command::CreateDevice(NewDevice { account_id: account, description })) {
        Ok(answer) => match answer.outcome() {
            Outcome::Device(id) => id,
            other => unreachable!("creating a device gave {other:?}"),
        },
        Err(error) => panic!("{error}"),
    }
}

/// Issues what the device's readings allow, and cancels it for storage: the id of the issuance.
fn cancelled_for_storage(app: &TestApp, issuer: &Client, account: AccountId, device: DeviceId) -> String {
    let metadata = app.testkit.metadata();
    let issue = json!({"metadata_id": metadata, "from": "2026-02-01", "to": "2026-02-02", "device_ids": [device]});
    assert_eq!(issuer.post("/certificate/issue", &issue).expect(202).json["issued"], 1);
    let trader = app.with_user(&[Role::TradingUser], &[account]);
    let found = trader.post("/certificate/query", &json!({"source_id": account, "device_id": device})).expect(202);
    let bundle = &found.json["granular_certificate_bundles"][0];
    let cancel = json!({
        "source_id": account, "granular_certificate_bundle_ids": [bundle["id"]], "purpose": "storage",
    });
    trader.post("/certificate/cancel", &cancel).expect(202);
    bundle["issuance_id"].as_str().expect("a text").to_owned()
}

fn charge_body(device: DeviceId, of_day: i64, energy: i64) -> Value {
    json!({
        "device_id": device, "charging_start_datetime": time(of_day), "charging_end_datetime": time(of_day + 1),
        "charging_energy": energy,
    })
}

fn discharge_body(device: DeviceId, of_day: i64, energy: i64) -> Value {
    json!({
        "device_id": device, "discharging_start_datetime": time(of_day), "discharging_end_datetime": time(of_day + 1),
        "discharge_energy": energy,
    })
}

/// The worked example: 600 kWh of solar, 500 kWh of wind and 200 kWh of no certificates were charged; 720 and 450 kWh came
/// out. In January, 4,500 of 5,000 kWh did.
struct Example {
    app: TestApp,
    account: AccountId,
    trader: Client,
    issuer: Client,
    battery: DeviceId,
    solar: String,
    wind: String,
}

impl Example {
    /// With the readings, and the certificates cancelled for storage; nothing is recorded.
    fn measured(engine: Engine) -> Self {
        let app = TestApp::on(engine);
        let kit = &app.testkit;
        let account = kit.account("store");
        let battery = device(&app, "battery", account, EnergySource::BatteryStorage, DeviceKind::Storage);
        let farm = |source: EnergySource, of_day, energy| {
            let farm = device(&app, source.name(), account, source, DeviceKind::Production);
            kit.readings(farm, std::iter::once(hour(of_day)), energy);
            farm
        };
        let (solar, wind) = (farm(EnergySource::SolarPv, 10, 600_000), farm(EnergySource::Wind, 11, 500_000));
        let before = |of_day: i64| std::iter::once(hour(of_day - 20 * 24));
        kit.readings(battery, before(0), -5_000_000);
        kit.readings(battery, before(1), 4_500_000);
        for (of_day, energy) in [(10, -600_000), (11, -500_000), (12, -200_000), (18, 720_000), (19, 450_000)] {
            kit.readings(battery, std::iter::once(hour(of_day)), energy);
        }
        let issuer = app.with_user(&[Role::GcIssuer], &[]);
        let trader = app.with_user(&[Role::TradingUser], &[account]);
        let [solar, wind] = [solar, wind].map(|farm| cancelled_for_storage(&app, &issuer, account, farm));
        Self { app, account, trader, issuer, battery, solar, wind }
    }

    /// With the three charges recorded, A, B and C.
    fn charged(engine: Engine) -> Self {
        let example = Self::measured(engine);
        example.charge(10, 600_000, &backing(&example.solar, 1, 600_000)).expect(201);
        example.charge(11, 500_000, &backing(&example.wind, 1, 500_000)).expect(201);
        example.charge(12, 200_000, &json!({})).expect(201);
        example
    }

    fn charge(&self, of_day: i64, energy: i64, more: &Value) -> Answer {
        self.issuer.post("/storage/create_scr", &merged(charge_body(self.battery, of_day, energy), more))
    }

    fn discharge(&self, of_day: i64, energy: i64, more: &Value) -> Answer {
        self.issuer.post("/storage/create_sdr", &merged(discharge_body(self.battery, of_day, energy), more))
    }

    /// The first discharge, by this method and January's factor.
    fn first(&self, method: &str, more: &Value) -> Answer {
        self.discharge(18, 720_000, &merged(january(method), more))
    }

    fn issue(&self, sdr: i64) -> Answer {
        self.issuer.post("/storage/issue_sdgc", &json!({"sdr_allocation_id": sdr}))
    }

    fn read(&self, path: &str) -> Value {
        self.trader.get(path).expect(200).json
    }

    /// What is wherever the device's watt-hours can be: certified, lost, drawn of no certificates, left.
    fn whereabouts(&self) -> [u64; 4] {
        let summary = self.read(&format!("/storage/device/{}", self.battery));
        let energy = |name: &str| summary[name].as_u64().expect("Wh");
        let all = ["certified_energy", "lost_energy", "unbacked_drawn_energy", "reservoir_energy"].map(energy);
        assert_eq!(all.iter().sum::<u64>(), energy("charged_energy"), "{summary}");
        all
    }

    fn event(&self) -> i64 {
        self.app.testkit.registry.health().expect("the database answers").event_number.0
    }
}

fn backing(issuance: &str, first: u64, last: u64) -> Value {
    json!({
        "gc_issuance_id": issuance, "certificate_bundle_id_range_start": first, "certificate_bundle_id_range_end": last,
    })
}

fn january(method: &str) -> Value {
    json!({
        "scr_allocation_methodology": method, "efficiency_factor_interval_start": "2026-01-01",
        "efficiency_factor_interval_end": "2026-02-01",
    })
}

/// (charge, of certificates, of none, certificates) of what a discharge draws, in the order of charges.
fn draws(sdr: &Value) -> Vec<(u64, u64, u64, u64)> {
    let number = |draw: &Value, name: &str| draw[name].as_u64().expect("a number");
    let draw = |draw: &Value| {
        let (backed, unbacked) = (number(draw, "backed_energy"), number(draw, "unbacked_energy"));
        let certificates = number(draw, "certificate_quantity");
        assert_eq!(number(draw, "loss"), backed - certificates);
        (number(draw, "scr_allocation_id"), backed, unbacked, certificates)
    };
    let mut all: Vec<_> = sdr["allocations"].as_array().expect("a list").iter().map(draw).collect();
    all.sort_unstable();
    all
}
