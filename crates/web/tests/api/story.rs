//! The whole main job, end to end, through HTTP alone, on both engines.

use crate::START;
use domain::Role;
use serde_json::{Value, json};
use std::fmt::Write as _;
use testkit::http::{Client, TestApp};
use testkit::{ENGINES, at, hours_from};

const DAYS: i64 = 7;

#[test]
fn readings_become_certificates_that_are_traded_and_used_up() {
    for engine in ENGINES {
        let app = TestApp::on(engine);
        let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
        let world = set_up(&app, &administrator);
        submit(&world);
        let job = issue(&world);
        assert_eq!(job["issued"], DAYS * 24);
        trade(&world);
    }
}

struct World {
    seller: Client,
    buyer: Client,
    meter: Client,
    issuer: Client,
    source: i64,
    target: i64,
    device: i64,
    metadata: i64,
}

/// Everything that an administrator sets up, through the API.
fn set_up(app: &TestApp, administrator: &Client) -> World {
    let organisation = json!({"name": "Wind plc", "business_id": 123, "primary_contact": "office@example.org"});
    let organisation = administrator.post("/organisation/create", &organisation).expect(201);
    assert_eq!(organisation.json["business_id"], "123");
    let account = |name: &str| {
        let body = json!({"account_name": name, "organisation_id": organisation.json["id"]});
        administrator.post("/account/create", &body).expect(201).json["id"].as_i64().expect("a number")
    };
    let (source, target) = (account("seller"), account("buyer"));
    let user = |name: &str, role: Role, accounts: &[i64]| {
        let contact = format!("{name}@example.org");
        let body = json!({
            "name": name, "primary_contact": contact, "roles": [role], "password": "correct horse", "account_ids": accounts,
        });
        administrator.post("/user/create", &body).expect(201);
        let login = format!("grant_type=password&username={name}%40example.org&password=correct+horse&scope=");
        let form = app.anonymous().with_header("content-type", "application/x-www-form-urlencoded");
        let token = form.send("POST", "/auth/login", &login).expect(200);
        assert_eq!(token.json["token_type"], "bearer");
        app.anonymous().with_token(token.json["access_token"].as_str().expect("a text"))
    };
    let (seller, buyer) = (user("seller", Role::TradingUser, &[source]), user("buyer", Role::TradingUser, &[target]));
    let producer = user("producer", Role::ProductionUser, &[source]);
    let (meter, issuer) = (user("meter", Role::MeasurementBody, &[]), user("issuer", Role::GcIssuer, &[]));
    buyer.patch(&format!("/account/update_whitelist/{target}"), &json!({"add_to_whitelist": [source]})).expect(200);
    let device = producer.post("/device/create", &device_body(source)).expect(201);
    assert_eq!(device.json["is_approved"], false);
    let device = device.json["id"].as_i64().expect("a number");
    administrator.post(&format!("/device/approve/{device}"), &json!({})).expect(200);
    let metadata = issuer.post("/certificate/create_metadata", &metadata_body()).expect(201);
    World {
        seller,
        buyer,
        meter,
        issuer,
        source,
        target,
        device,
        metadata: metadata.json["id"].as_i64().expect("a number"),
    }
}

fn submit(world: &World) {
    let mut csv =
        "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator\n".to_owned();
    for hour in hours_from(at(START), DAYS * 24) {
        writeln!(csv, "{},{},{},1000.9,NET", world.device, hour.start(), hour.end()).expect("a write");
    }
    let csv_client = world.meter.with_header("content-type", "text/csv");
    let report = csv_client.send("POST", "/measurement/submit_readings", &csv).expect(200);
    assert_eq!((&report.json["accepted"], &report.json["rejected"]), (&json!(DAYS * 24), &json!([])));
    assert_eq!(report.json["total_usage_per_device"][world.device.to_string()], DAYS * 24 * 1000);
    assert_eq!(report.json["first_reading_datetime"], START);
}

fn issue(world: &World) -> Value {
    let body = json!({"metadata_id": world.metadata, "from": "2026-02-01", "to": "2026-03-01", "source": "readings"});
    let job = world.issuer.post("/certificate/issue", &body).expect(202).json;
    assert_eq!(
        (&job["state"], &job["quantity"], &job["refused"]),
        (&json!("done"), &json!(DAYS * 24 * 1000), &json!([]))
    );
    let again = world.issuer.post("/certificate/issue", &body).expect(202).json;
    assert_eq!((&again["state"], &again["issued"]), (&json!("done"), &json!(0)), "nothing is issued twice");
    job
}

fn trade(world: &World) {
    let all = query(&world.seller, world.source);
    assert_eq!(all["total_certificate_volume"], DAYS * 24 * 1000);
    let bundles = all["granular_certificate_bundles"].as_array().expect("a list");
    let ids: Vec<&Value> = bundles.iter().take(3).map(|bundle| &bundle["id"]).collect();
    let body = json!({
        "source_id": world.source, "target_id": world.target, "granular_certificate_bundle_ids": ids,
        "certificate_quantity": 1_500,
    });
    let moved = world.seller.post("/certificate/transfer", &body).expect(202);
    assert_eq!(moved.json["total_quantity"], 1_500);
    assert_eq!(
        moved.json["result"].as_array().expect("a list").len(),
        4,
        "one whole bundle, a split parent and two children"
    );
    let held = query(&world.buyer, world.target);
    assert_eq!(held["total_certificate_volume"], 1_500);
    let ids: Vec<&Value> =
        held["granular_certificate_bundles"].as_array().expect("a list").iter().map(|bundle| &bundle["id"]).collect();
    let body = json!({
        "source_id": world.target, "granular_certificate_bundle_ids": ids, "certificate_bundle_percentage": 0.29,
    });
    let used = world.buyer.post("/certificates/cancel/", &body).expect(202);
    assert_eq!((&used.json["total_quantity"], &used.json["beneficiary"]), (&json!(290 + 145), &json!("buyer")));
    let left = query(&world.seller, world.source);
    assert_eq!(left["total_certificate_volume"], DAYS * 24 * 1000 - 1_500);
}

fn query(client: &Client, account: i64) -> Value {
    client.post("/certificate/query", &json!({"source_id": account})).expect(202).json
}

pub(crate) fn device_body(account: i64) -> Value {
    json!({
        "device_name": "Hoy wind farm", "grid": "GB transmission", "energy_source": "wind",
        "technology_type": "onshore wind turbine", "operational_date": "2020-01-01", "capacity": 1_000_000,
        "peak_demand": "10000", "location": "Orkney", "is_storage": 0, "account_id": account, "meter_data_id": "meter-1",
    })
}

pub(crate) fn metadata_body() -> Value {
    json!({
        "country_of_issuance": "GB", "connected_grid_identification": "GB grid", "issuing_body": "An issuing body",
        "issue_market_zone": "GB", "issuance_purpose": "disclosure",
    })
}
