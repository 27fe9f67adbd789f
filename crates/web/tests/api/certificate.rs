//! `/certificate/create_metadata`, `/certificate/metadata/list`, `/certificate/metadata/{id}`, `/certificate/{id}`

use crate::story::metadata_body;
use crate::{Market, app, assert_faults, assert_problem};
use domain::Role;
use serde_json::{Value, json};

#[test]
fn metadata_is_created_by_the_issuer_and_read_by_everybody() {
    let app = app();
    let issuer = app.with_user(&[Role::GcIssuer], &[]);
    let made = issuer.post("/certificate/create_metadata", &metadata_body()).expect(201);
    assert_eq!(made.json["legal_status"], Value::Null);
    let nobody = app.with_user(&[], &[]);
    assert_eq!(nobody.get("/certificate/metadata/1").expect(200).json, made.json);
    let unknown = nobody.get("/certificate/metadata/2");
    assert_problem(&unknown, 404, "not_found");
    assert_problem(&nobody.post("/certificate/create_metadata", &metadata_body()), 403, "forbidden");
    assert_faults(
        &issuer.post("/certificate/create_metadata", &json!({"issuing_body": 1, "legal": ""})),
        &[
            ("body.country_of_issuance", "missing"),
            ("body.connected_grid_identification", "missing"),
            ("body.issuing_body", "string_type"),
            ("body.issue_market_zone", "missing"),
            ("body.legal", "extra_forbidden"),
        ],
    );
}

#[test]
fn a_certificate_says_everything_as_it_was_at_issue() {
    let market = Market::new(1, 100);
    let id = market.bundles(market.source)[0];
    let found = market.trader.get(&format!("/certificate/{id}")).expect(200).json;
    for (member, value) in [
        ("issuance_id", json!("1-electricity-20260201T000000Z")),
        ("certificate_bundle_status", json!("Active")),
        ("certificate_bundle_id_range_start", json!(1)),
        ("certificate_bundle_id_range_end", json!(100)),
        ("bundle_quantity", json!(100)),
        ("face_value", json!(1)),
        ("energy_carrier", json!("electricity")),
        ("energy_source", json!("wind")),
        ("production_starting_interval", json!("2026-02-01T00:00:00Z")),
        ("production_ending_interval", json!("2026-02-01T01:00:00Z")),
        ("expiry_datestamp", json!("2028-02-01T01:00:00Z")),
        ("device_name", json!("turbine")),
        ("capacity", json!(1_000_000)),
        ("issuing_body", json!("Test issuing body")),
        ("beneficiary", Value::Null),
        ("parent_id", Value::Null),
    ] {
        assert_eq!(found[member], value, "{member}");
    }
    assert_eq!(found["hash"].as_str().unwrap().len(), 64);
}

#[test]
fn a_certificate_is_nobody_elses_business_but_its_beneficiarys() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    let other = market.app.testkit.account("other");
    let stranger = market.app.with_user(&[Role::TradingUser], &[other]);
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    let path = format!("/certificate/{}", bundles[0]);
    assert_problem(&stranger.get(&path), 404, "not_found");
    auditor.get(&path).expect(200);
    let more = json!({"beneficiary": "Green Steel", "beneficiary_account_id": other, "purpose": "2026 claims"});
    market.cancel(&bundles[..1], &more).expect(202);
    let seen = stranger.get(&path).expect(200).json;
    assert_eq!((&seen["beneficiary"], &seen["purpose"]), (&json!("Green Steel"), &json!("2026 claims")));
    assert_problem(&stranger.get(&format!("/certificate/{}", bundles[1])), 404, "not_found");
}

#[test]
fn metadata_is_listed_in_pages_to_everybody_who_is_signed_in() {
    let market = Market::new(0, 0);
    for _ in 0..2 {
        market.app.testkit.metadata();
    }
    let nobody = market.app.with_user(&[], &[]);
    let path = "/certificate/metadata/list";
    let all = nobody.get(path).expect(200).json;
    let ids: Vec<&Value> = all["metadata"].as_array().unwrap().iter().map(|metadata| &metadata["id"]).collect();
    assert_eq!((ids, &all["next_cursor"]), (vec![&json!(1), &json!(2), &json!(3)], &Value::Null));
    assert_eq!(all["metadata"][1], nobody.get("/certificate/metadata/2").expect(200).json);
    let first = nobody.get(&format!("{path}?limit=2")).expect(200).json;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = nobody.get(&format!("{path}?limit=2&cursor={cursor}")).expect(200).json;
    assert_eq!((&second["metadata"][0]["id"], &second["next_cursor"]), (&json!(3), &Value::Null));
    assert_faults(&nobody.get(&format!("{path}?limit=0")), &[("query.limit", "greater_than")]);
    market.app.anonymous().get(path).expect(401);
}
