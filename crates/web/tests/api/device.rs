//! `/device/…`

use crate::story::device_body;
use crate::{Market, app, assert_faults, assert_problem, merged};
use domain::Role;
use serde_json::{Value, json};
use testkit::{Engine, hours_from};

#[test]
fn a_registrars_device_is_born_approved_and_a_producers_waits() {
    let app = app();
    let account = app.testkit.account("a");
    let registrar = app.with_user(&[Role::ProductionRegistrar], &[]);
    let producer = app.with_user(&[Role::ProductionUser], &[account]);
    let body = device_body(account.0);
    let approved = registrar.post("/device/create", &body).expect(201);
    assert_eq!((&approved.json["is_approved"], &approved.json["device_type"]), (&json!(true), &json!("production")));
    assert_eq!(
        (&approved.json["operational_date"], &approved.json["peak_demand"]),
        (&json!("2020-01-01T00:00:00Z"), &json!(10_000))
    );
    let waiting = producer.post("/device/create", &merged(body, &json!({"meter_data_id": "meter-2"}))).expect(201);
    assert_eq!(waiting.json["is_approved"], false);
    let path = format!("/device/approve/{}", waiting.json["id"]);
    assert_problem(&producer.post(&path, &json!({})), 403, "forbidden");
    for _ in 0..2 {
        assert_eq!(registrar.send("POST", &path, "").expect(200).json["is_approved"], true);
    }
    let stranger = app.with_user(&[Role::ProductionUser], &[]);
    assert_problem(&stranger.get(&format!("/device/{}", waiting.json["id"])), 404, "not_found");
    producer.get(&format!("/device/{}", waiting.json["id"])).expect(200);
}

#[test]
fn a_device_is_refused_with_a_reason() {
    let app = app();
    let account = app.testkit.account("a");
    let registrar = app.with_user(&[Role::ProductionRegistrar], &[]);
    let body = device_body(account.0);
    registrar.post("/device/create", &body).expect(201);
    assert_problem(&registrar.post("/device/create", &body), 400, "taken");
    let elsewhere = merged(body.clone(), &json!({"account_id": 99, "meter_data_id": "other"}));
    assert_problem(&registrar.post("/device/create", &elsewhere), 404, "account_missing");
    let producer = app.with_user(&[Role::ProductionUser], &[]);
    assert_problem(&producer.post("/device/create", &body), 403, "forbidden");
    assert_problem(&registrar.send("POST", "/device/approve/99", ""), 404, "device_missing");
}

#[test]
fn bad_members_of_a_device_are_all_named() {
    let app = app();
    let registrar = app.with_user(&[Role::ProductionRegistrar], &[]);
    let body = merged(
        device_body(1),
        &json!({
            "energy_source": "coal_fired", "operational_date": "yesterday", "capacity": "1e13", "peak_demand": -1,
            "is_storage": true, "device_type": "production", "location": null, "account_id": 1.5, "colour": "red",
        }),
    );
    assert_faults(
        &registrar.post("/device/create", &body),
        &[
            ("body.energy_source", "enum"),
            ("body.operational_date", "datetime_from_date_parsing"),
            ("body.capacity", "less_than_equal"),
            ("body.peak_demand", "greater_than_equal"),
            ("body.device_type", "value_error"),
            ("body.location", "missing"),
            ("body.account_id", "int_from_float"),
            ("body.colour", "extra_forbidden"),
        ],
    );
    let storage = merged(device_body(app.testkit.account("a").0), &json!({"is_storage": true}));
    assert_eq!(registrar.post("/device/create", &storage).expect(201).json["device_type"], "storage");
}

#[test]
fn devices_are_listed_by_what_they_are_and_whose() {
    let app = app();
    let (a, b) = (app.testkit.account("a"), app.testkit.account("b"));
    let registrar = app.with_user(&[Role::ProductionRegistrar], &[]);
    let producer = app.with_user(&[Role::ProductionUser], &[a]);
    let create = |account: domain::AccountId, more: Value| {
        let body = merged(merged(device_body(account.0), &json!({"meter_data_id": null})), &more);
        registrar.post("/device/create", &body).expect(201).json["id"].as_i64().unwrap()
    };
    let wind = create(a, json!({}));
    let solar = create(b, json!({"energy_source": "solar_pv"}));
    let battery = create(a, json!({"energy_source": "battery_storage", "is_storage": true}));
    let waiting = merged(device_body(a.0), &json!({"meter_data_id": "m"}));
    let waiting = producer.post("/device/create", &waiting).expect(201).json["id"].as_i64().unwrap();
    let gone = create(b, json!({}));
    registrar.send("DELETE", &format!("/device/delete/{gone}"), "").expect(200);
    let list = |client: &testkit::http::Client, query: &str| {
        let page = client.get(&format!("/device/list?{query}")).expect(200).json;
        page["devices"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("", vec![wind, solar, battery, waiting]),
        ("include_deleted=true", vec![wind, solar, battery, waiting, gone]),
        ("account_id=2", vec![solar]),
        ("energy_source=solar_pv", vec![solar]),
        ("device_type=storage", vec![battery]),
        ("is_approved=false", vec![waiting]),
        ("is_approved=true&account_id=1&device_type=production", vec![wind]),
        ("limit=2", vec![wind, solar]),
        ("account_id=99", vec![]),
    ] {
        assert_eq!(list(&registrar, query), expected, "{query}");
    }
    assert_eq!(list(&producer, ""), [wind, battery, waiting]);
    assert_eq!(list(&producer, "account_id=2"), [0; 0]);
    assert_faults(
        &registrar.get("/device/list?energy_source=coal_fired&device_type=x&is_approved=perhaps&account=1"),
        &[
            ("query.energy_source", "enum"),
            ("query.device_type", "enum"),
            ("query.is_approved", "bool_parsing"),
            ("query.account", "extra_forbidden"),
        ],
    );
}

fn change_of_a_device(engine: Engine) {
    let market = Market::on(engine, 1, 1_000);
    let registrar = market.app.with_user(&[Role::ProductionRegistrar], &[]);
    let producer = market.app.with_user(&[Role::ProductionUser], &[market.source]);
    let path = format!("/device/update/{}", market.device);
    let stated = |bundle: i64| {
        let found = market.issuer.get(&format!("/certificate/{bundle}")).expect(200);
        assert_eq!(found.json["device_id"], json!(market.device));
        found.text
    };
    let before = stated(1);
    let renamed = producer.patch(&path, &json!({"device_name": "Hoy 2"})).expect(200);
    assert_eq!((&renamed.json["device_name"], &renamed.json["is_approved"]), (&json!("Hoy 2"), &json!(true)));
    let larger = producer.patch(&path, &json!({"capacity": 2_000_000, "location": "Hoy"})).expect(200);
    assert_eq!((&larger.json["capacity"], &larger.json["is_approved"]), (&json!(2_000_000), &json!(false)));
    let hours = hours_from(testkit::at("2026-02-02T00:00:00Z"), 1);
    market.app.testkit.readings(market.device, hours, 2_000);
    let refused = market.issue().expect(202).json;
    assert_eq!((&refused["issued"], &refused["refused_total"]), (&json!(0), &json!(2)), "{refused}");
    registrar.post(&format!("/device/approve/{}", market.device), &json!({})).expect(200);
    assert_eq!(market.issue().expect(202).json["issued"], 1);
    assert_eq!(stated(1), before, "what was issued stays as it was");
    assert!(stated(2).contains("Hoy 2") && !before.contains("Hoy 2"));
    let same = registrar.patch(&path, &json!({"capacity": "2000000.0", "is_storage": false})).expect(200);
    assert_eq!(same.json["is_approved"], true, "nothing changed");
    let moved = registrar.patch(&path, &json!({"account_id": market.target}));
    assert_problem(&moved, 400, "device_stays");
    for body in
        [json!({"device_type": "storage"}), json!({"meter_data_id": null}), json!({"operational_date": "2026-02-01"})]
    {
        assert_problem(&registrar.patch(&path, &body), 400, "device_measured");
    }
}

#[test]
fn a_change_is_stated_by_new_certificates_only() {
    change_of_a_device(Engine::Sqlite);
}

#[test]
fn a_change_is_stated_by_new_certificates_only_on_postgres() {
    change_of_a_device(Engine::Postgres);
}

#[test]
fn a_change_of_a_device_is_refused_with_a_reason() {
    let app = app();
    let account = app.testkit.account("a");
    let (device, other) = (app.testkit.device("one", account), app.testkit.device("other", account));
    let registrar = app.with_user(&[Role::ProductionRegistrar], &[]);
    let path = format!("/device/update/{device}");
    assert_problem(&registrar.patch(&path, &json!({"meter_data_id": "meter-other"})), 400, "taken");
    assert_problem(&registrar.patch("/device/update/99", &json!({})), 404, "device_missing");
    let stranger = app.with_user(&[Role::ProductionUser], &[]);
    assert_problem(&stranger.patch(&path, &json!({"device_name": "mine"})), 404, "device_missing");
    let trader = app.with_user(&[Role::TradingUser], &[account]);
    assert_problem(&trader.patch(&path, &json!({"device_name": "mine"})), 403, "forbidden");
    let storage = registrar.patch(&path, &json!({"is_storage": true, "meter_data_id": null})).expect(200);
    assert_eq!((&storage.json["device_type"], &storage.json["meter_data_id"]), (&json!("storage"), &Value::Null));
    let back = registrar.patch(&path, &json!({"is_storage": false})).expect(200);
    assert_eq!(back.json["device_type"], "production");
    registrar.send("DELETE", &format!("/device/delete/{other}"), "").expect(200);
    assert_problem(&registrar.patch(&path, &json!({"meter_data_id": "meter-other"})), 400, "taken");
    assert_faults(
        &registrar.patch(
            &path,
            &json!({"device_name": "", "capacity": -1, "is_storage": true, "device_type": "production", "colour": 1}),
        ),
        &[
            ("body.device_name", "string_too_short"),
            ("body.capacity", "greater_than_equal"),
            ("body.device_type", "value_error"),
            ("body.colour", "extra_forbidden"),
        ],
    );
}

#[test]
fn a_device_with_a_pending_reading_stays() {
    let market = Market::new(1, 1_000);
    let registrar = market.app.with_user(&[Role::ProductionRegistrar], &[]);
    let path = format!("/device/delete/{}", market.device);
    let hours = hours_from(testkit::at("2026-02-02T00:00:00Z"), 1);
    market.app.testkit.readings(market.device, hours, 2_000);
    let pending = registrar.send("DELETE", &path, "");
    assert_problem(&pending, 400, "device_has_pending_readings");
    assert_eq!(pending.json["start"], "2026-02-02T00:00:00Z");
    let producer = market.app.with_user(&[Role::ProductionUser], &[market.source]);
    assert_problem(&producer.send("DELETE", &path, ""), 403, "forbidden");
    assert_problem(&registrar.send("DELETE", "/device/delete/99", ""), 404, "device_missing");
    assert_eq!(market.issue().expect(202).json["issued"], 1);
    let gone = registrar.send("DELETE", &path, "").expect(200);
    assert_eq!(gone.json["is_deleted"], true);
    assert_eq!(registrar.send("DELETE", &path, "").expect(200).event(), gone.event(), "deleting again");
    assert_problem(&registrar.post(&format!("/device/approve/{}", market.device), &json!({})), 404, "device_missing");
    let reading = json!([{
        "device_id": market.device, "interval_start_datetime": "2026-02-03", "interval_end_datetime": "2026-02-03T01:00",
        "interval_usage": 1, "gross_net_indicator": "NET",
    }]);
    let meter = market.app.with_user(&[Role::MeasurementBody], &[]);
    let report = meter.post("/measurement/submit_readings", &reading).expect(200).json;
    assert_eq!((&report["accepted"], report["rejected"].as_array().unwrap().len()), (&json!(0), 1), "{report}");
    // what was issued on it can still be traded
    let bundles = market.bundles(market.source);
    market.transfer(&bundles, &json!({})).expect(202);
}
