//! `/certificate/create`

use crate::{Market, assert_faults, assert_problem, merged};
use domain::Role;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::{ENGINES, hours_from};

fn statement(market: &Market, hour: i64, energy_wh: i64) -> Value {
    json!({
        "metadata_id": market.metadata, "device_id": market.device, "bundle_quantity": energy_wh,
        "production_starting_interval": format!("2026-02-01T{hour:02}:00:00Z"),
        "production_ending_interval": format!("2026-02-01T{:02}:00:00Z", hour + 1),
    })
}

fn create(market: &Market, body: &Value) -> Answer {
    market.issuer.post("/certificate/create", body)
}

/// Everything that a client of another registry states of a bundle.
fn in_full(market: &Market) -> Value {
    merged(
        statement(market, 2, 700),
        &json!({
            "issuance_id": format!("{}-electricity-20260201T020000Z", market.device),
            "certificate_bundle_status": "Active", "account_id": market.source,
            "certificate_bundle_id_range_start": 201, "certificate_bundle_id_range_end": 900,
            "energy_carrier": "electricity", "energy_source": "wind", "face_value": 1,
            "issuance_post_energy_carrier_conversion": false, "is_storage": 0,
            "expiry_datestamp": "2028-02-01 03:00:00", "is_deleted": false,
        }),
    )
}

#[test]
fn where_there_is_no_reading_the_statement_becomes_one() {
    for engine in ENGINES {
        let market = Market::on(engine, 2, 100);
        let created = create(&market, &in_full(&market)).expect(201);
        let bundle = &created.json;
        assert_eq!((&bundle["bundle_quantity"], &bundle["account_id"]), (&json!(700), &json!(market.source)));
        assert_eq!(created.event(), market.event());
        let shown = market.trader.get(&format!("/certificate/{}", bundle["id"])).expect(200).json;
        for (name, value) in bundle.as_object().unwrap() {
            assert_eq!(&shown[name], value, "{name}");
        }
        // The reading is there, and all of it is issued.
        let reading = market.issuer.get("/measurement/3").expect(200).json;
        assert_eq!((&reading["interval_usage"], &reading["device_id"]), (&json!(700), &json!(market.device)));
        assert_eq!(market.issue().expect(202).json["issued"], 0);
        let again = create(&market, &statement(&market, 2, 700));
        assert_problem(&again, 400, "not_issuable");
        assert_eq!(again.json["cause"]["reason"], "already_issued");
        testkit::assert_verified(market.app.testkit.database.url());
    }
}

#[test]
fn where_there_is_a_reading_all_that_is_left_of_it_is_issued() {
    let market = Market::new(0, 0);
    market.app.testkit.readings(market.device, hours_from(crate::start(), 1), 500);
    let differs = create(&market, &statement(&market, 0, 400));
    assert_problem(&differs, 400, "statement_differs");
    assert_eq!((&differs.json["member"], &differs.json["expected"]), (&json!("bundle_quantity"), &json!("500")));
    let created = create(&market, &statement(&market, 0, 500)).expect(201).json;
    assert_eq!(created["certificate_bundle_id_range_end"], 500);
    market.issuer.get("/measurement/2").expect(404);
    // The seed's form of an issuance id means the same.
    let seeds = json!({"issuance_id": format!("{}-2026-02-01 01:00:00", market.device)});
    create(&market, &merged(statement(&market, 1, 10), &seeds)).expect(201);
}

#[test]
fn what_is_stated_must_be_what_the_registry_assigns() {
    let market = Market::new(2, 100);
    let before = market.event();
    for (member, stated, expected) in [
        ("issuance_id", json!("9-electricity-20260201T020000Z"), "1-electricity-20260201T020000Z"),
        ("certificate_bundle_status", json!("Expired"), "Active"),
        ("account_id", json!(market.target), "1"),
        ("certificate_bundle_id_range_start", json!(1), "201"),
        ("certificate_bundle_id_range_end", json!(901), "900"),
        ("energy_carrier", json!("heat"), "electricity"),
        ("energy_source", json!("solar_pv"), "wind"),
        ("face_value", json!(1_000), "1"),
        ("issuance_post_energy_carrier_conversion", json!(true), "false"),
        ("expiry_datestamp", json!("2030-01-01"), "2028-02-01T03:00:00Z"),
        ("is_storage", json!(1), "false"),
    ] {
        let answer = create(&market, &merged(in_full(&market), &json!({member: stated})));
        assert_problem(&answer, 400, "statement_differs");
        assert_eq!((&answer.json["member"], &answer.json["expected"]), (&json!(member), &json!(expected)));
        assert_eq!(answer.json["detail"], format!("{member} must be {expected}"));
    }
    let hash = create(&market, &merged(in_full(&market), &json!({"hash": "00ff"})));
    assert_problem(&hash, 400, "statement_differs");
    assert_eq!((&hash.json["member"], hash.json["expected"].as_str().unwrap().len()), (&json!("hash"), 64));
    assert_eq!(market.event(), before, "a statement that is refused leaves no reading");
    create(&market, &in_full(&market)).expect(201);
}

#[test]
fn the_rules_of_issue_and_of_readings_hold() {
    let market = Market::new(1, 100);
    let before = market.event();
    let until =
        |start: &str, end: &str| json!({"production_starting_interval": start, "production_ending_interval": end});
    for (more, cause) in [
        (until("2026-02-01T02:00:00Z", "2026-02-01T04:00:00Z"), "interval_length"),
        (until("2026-03-01T11:30:00Z", "2026-03-01T12:30:00Z"), "in_future"),
        (until("2019-12-31T23:00:00Z", "2020-01-01T00:00:00Z"), "before_operation"),
        (until("2026-02-01T00:30:00Z", "2026-02-01T01:30:00Z"), "overlaps"),
        (json!({"bundle_quantity": 1_100_001}), "above_capacity"),
    ] {
        let answer = create(&market, &merged(statement(&market, 2, 100), &more));
        assert_problem(&answer, 400, "not_issuable");
        assert_eq!(answer.json["cause"]["reason"], cause, "{}", answer.text);
    }
    assert_problem(
        &create(&market, &merged(statement(&market, 2, 1), &json!({"device_id": 99}))),
        404,
        "device_missing",
    );
    assert_problem(
        &create(&market, &merged(statement(&market, 2, 1), &json!({"metadata_id": 99}))),
        404,
        "metadata_missing",
    );
    assert_eq!(market.event(), before);
}

#[test]
fn nobody_but_the_issuer_creates_and_the_shape_is_checked() {
    let market = Market::new(0, 0);
    for (hour, role) in (0..).zip(Role::ALL) {
        let caller = market.app.with_user(&[role], &[market.source]);
        let answer = caller.post("/certificate/create", &statement(&market, hour, 100));
        if matches!(role, Role::RegistryAdministrator | Role::GcIssuer) {
            answer.expect(201);
        } else {
            assert_problem(&answer, 403, "forbidden");
        }
    }
    let body = json!({
        "device_id": 0, "bundle_quantity": 0, "production_starting_interval": "2026-02-01",
        "production_ending_interval": "2026-02-01", "issuance_id": "zzz", "emissions_factor_source": "x",
    });
    assert_faults(
        &create(&market, &body),
        &[
            ("body.metadata_id", "missing"),
            ("body.device_id", "greater_than"),
            ("body.bundle_quantity", "greater_than"),
            ("body.production_ending_interval", "value_error"),
            ("body.issuance_id", "value_error"),
            ("body.emissions_factor_source", "extra_forbidden"),
        ],
    );
}

#[test]
fn of_many_who_create_the_same_bundle_at_once_one_succeeds() {
    const CLIENTS: usize = 16;
    for engine in ENGINES {
        let market = Market::on(engine, 0, 0);
        let body = statement(&market, 3, 100);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| create(&market, &body))).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert_eq!(done.len(), 1);
        for answer in refused {
            assert_problem(answer, 400, "not_issuable");
        }
    }
}

#[test]
fn a_dry_run_says_what_would_be_made_and_changes_nothing() {
    let market = Market::new(2, 100);
    let before = market.event();
    let rehearsed = market.issuer.post("/certificate/create?dry_run=true", &in_full(&market)).expect(201).json;
    assert_eq!((&rehearsed["id"], &rehearsed["hash"]), (&Value::Null, &Value::Null));
    assert_eq!(market.event(), before);
    market.issuer.get("/measurement/3").expect(404);
    let made = create(&market, &in_full(&market)).expect(201).json;
    assert!(made["id"].is_i64() && made["hash"].is_string(), "{made}");
    for (name, value) in made.as_object().unwrap().iter().filter(|(name, _)| !["id", "hash"].contains(&name.as_str())) {
        assert_eq!(&rehearsed[name], value, "{name}");
    }
    let twice = market.issuer.post("/certificate/create?dry_run=true", &in_full(&market));
    assert_problem(&twice, 400, "not_issuable");
}
