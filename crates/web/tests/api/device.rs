//! `/device/…`

use crate::story::device_body;
use crate::{app, assert_faults, assert_problem, merged};
use domain::Role;
use serde_json::json;

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
