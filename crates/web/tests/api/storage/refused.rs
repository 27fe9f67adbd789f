//! What is not recorded, not withdrawn, not issued; and why.

use super::{Example, backing, charge_body, device, discharge_body, hour, january, time};
use crate::{assert_faults, assert_problem, merged};
use domain::{DeviceKind, EnergySource};
use serde_json::{Value, json};
use testkit::Engine;

fn refused(example: &Example, path: &str, body: &Value, status: u16, slug: &str) {
    let before = example.event();
    assert_problem(&example.issuer.post(path, body), status, slug);
    assert_eq!(example.event(), before, "{path} {body}");
}

#[test]
fn a_charge_stands_on_a_reading_and_on_certificates_cancelled_for_it() {
    let example = Example::measured(Engine::Sqlite);
    let kit = &example.app.testkit;
    let farm = device(&example.app, "a farm", example.account, EnergySource::Wind, DeviceKind::Production);
    kit.readings(farm, std::iter::once(hour(10)), 100);
    let store = device(&example.app, "another", kit.account("elsewhere"), EnergySource::Wind, DeviceKind::Storage);
    kit.readings(store, std::iter::once(hour(10)), -600_000);
    // produced in the hour before the charge, and one cancelled for bread
    let early = device(&example.app, "early", example.account, EnergySource::Wind, DeviceKind::Production);
    kit.readings(early, std::iter::once(hour(9)), 100);
    let early = super::cancelled_for_storage(&example.app, &example.issuer, example.account, early);
    let issue = json!({"metadata_id": 1, "from": "2026-02-01", "to": "2026-02-02", "device_ids": [farm]});
    example.issuer.post("/certificate/issue", &issue).expect(202);
    let found = json!({"source_id": example.account, "device_id": farm});
    let bread = example.trader.post("/certificate/query", &found).expect(202).json;
    let bread = &bread["granular_certificate_bundles"][0];
    let bread_id = bread["issuance_id"].as_str().unwrap();
    let body = |of_day, energy, more: &Value| merged(charge_body(example.battery, of_day, energy), more);
    let at_ten = |more: &Value| body(10, 600_000, more);
    let active = at_ten(&backing(bread_id, 1, 100));
    refused(&example, "/storage/create_scr", &active, 400, "wrong_state");
    let cancel = json!({"source_id": example.account, "granular_certificate_bundle_ids": [bread["id"]]});
    example.trader.post("/certificate/cancel", &cancel).expect(202);
    for (body, status, slug) in [
        (charge_body(domain::DeviceId(99), 10, 1), 404, "device_missing"),
        (charge_body(farm, 10, 1), 400, "not_storage"),
        (body(13, 1, &json!({})), 400, "no_reading"),
        (body(10, 1, &json!({"charging_end_datetime": time(12)})), 400, "no_reading"),
        (body(18, 1, &json!({})), 400, "wrong_direction"),
        (body(10, 600_001, &json!({})), 400, "above_accepted"),
        (body(10, 9_000_000, &json!({})), 400, "not_recordable"),
        (body(10, 1, &json!({"account_id": 99})), 400, "statement_differs"),
        (body(10, 99, &backing(&example.solar, 1, 100)), 400, "range_too_large"),
        (at_ten(&backing(&example.solar, 2, 600_001)), 404, "range_not_held"),
        (at_ten(&backing(&format!("{}-S1", example.solar), 1, 9)), 404, "range_not_held"),
        (merged(charge_body(store, 10, 9), &backing(&example.solar, 1, 9)), 404, "range_not_held"),
        (active, 400, "not_cancelled_for_storage"),
        (at_ten(&backing(&early, 1, 100)), 400, "produced_elsewhen"),
        (
            at_ten(&merged(backing(&example.solar, 1, 9), &json!({"charging_energy_source": "wind"}))),
            400,
            "statement_differs",
        ),
    ] {
        refused(&example, "/storage/create_scr", &body, status, slug);
    }
    let stated = merged(backing(&example.solar, 1, 9), &json!({"charging_energy_source": "solar_pv"}));
    let made = example.charge(10, 500_000, &stated).expect(201).json;
    assert_eq!(made["charging_energy_source"], "solar_pv");
    refused(&example, "/storage/create_scr", &body(10, 100_001, &json!({})), 400, "above_accepted");
    refused(&example, "/storage/create_scr", &body(10, 100, &backing(&example.solar, 1, 9)), 400, "bundle_allocated");
    // what backs a charge is neither claimed nor withdrawn, and its reading stays as it is
    let on = json!({"source_id": example.account, "granular_certificate_bundle_ids": [made["gc_bundle_id"]]});
    assert_problem(&example.trader.post("/certificate/claim", &on), 400, "cancelled_for_storage");
    refused(&example, "/certificate/withdraw", &merged(on, &json!({"reason": "wrong"})), 400, "bundle_allocated");
}

#[test]
fn a_discharge_draws_on_what_is_there_by_a_method_and_a_factor() {
    let example = Example::measured(Engine::Sqlite);
    let new = |more: &Value| merged(discharge_body(example.battery, 18, 720_000), more);
    refused(&example, "/storage/create_sdr", &new(&january("FIFO")), 400, "nothing_charged");
    example.charge(10, 600_000, &backing(&example.solar, 1, 600_000)).expect(201);
    let factor =
        |from: &str, to: &str| json!({"efficiency_factor_interval_start": from, "efficiency_factor_interval_end": to});
    let by = |more: &Value| new(&merged(january("FIFO"), more));
    for (body, slug) in [
        (discharge_body(example.battery, 10, 1), "wrong_direction"),
        (by(&json!({"discharge_energy": 720_001})), "above_accepted"),
        (by(&json!({"account_id": 99})), "statement_differs"),
        (new(&factor("2026-01-01", "2026-02-01")), "method_missing"),
        (new(&json!({"scr_allocation_methodology": "FIFO"})), "efficiency_missing"),
        (by(&factor("2025-01-01", "2026-02-01")), "efficiency_too_long"),
        (by(&factor("2026-01-01", "2026-04-01")), "efficiency_in_future"),
        (by(&factor("2025-12-31", "2026-02-01")), "efficiency_before_operation"),
        (by(&factor("2026-01-20", "2026-01-21")), "efficiency_impossible"),
        (by(&json!({"state_of_charge_end": 500_001})), "efficiency_impossible"),
        (by(&json!({"allocations": {"1": 600_000}})), "picks_not_asked"),
        (by(&json!({"charging_energy_source": "wind"})), "statement_differs"),
    ] {
        refused(&example, "/storage/create_sdr", &body, 400, slug);
    }
    let by_choice = |allocations: &str| {
        let body = new(&january("operator's discretion")).to_string();
        format!("{},\"allocations\":{allocations}}}", &body[..body.len() - 1])
    };
    for (allocations, status, slug) in [
        ("{\"9\": 600000}", 404, "scr_missing"),
        ("{\"1\": 1, \"01\": 599999}", 400, "pick_repeated"),
        ("{\"1\": 600001}", 400, "pick_not_open"),
        ("{\"1\": 599999}", 400, "picks_differ"),
    ] {
        let answer = example.issuer.send("POST", "/storage/create_sdr", &by_choice(allocations));
        assert_problem(&answer, status, slug);
    }
    let made = example.first("FIFO", &json!({"charging_energy_source": "solar_pv"})).expect(201).json;
    assert_eq!(made["charging_energy_source"], "solar_pv");
    let other = json!({"scr_allocation_methodology": "LIFO"});
    refused(
        &example,
        "/storage/create_sdr",
        &merged(discharge_body(example.battery, 19, 1), &other),
        400,
        "method_fixed",
    );
}

#[test]
fn an_old_devices_first_factor_is_of_its_first_months() {
    let example = Example::measured(Engine::Sqlite);
    let kit = &example.app.testkit;
    // in operation since 2020, as the testkit's devices are
    let old = domain::DeviceDescription { kind: DeviceKind::Storage, ..testkit::device_description("old") };
    let new = domain::action::NewDevice { account_id: example.account, description: old };
    let Ok(domain::Outcome::Device(old)) = kit.act(domain::Command::CreateDevice(new)).map(app::Answer::outcome) else {
        panic!("no device");
    };
    kit.readings(old, std::iter::once(hour(0)), -100);
    kit.readings(old, std::iter::once(hour(1)), 90);
    example.issuer.post("/storage/create_scr", &charge_body(old, 0, 100)).expect(201);
    let body = merged(discharge_body(old, 1, 90), &january("FIFO"));
    refused(&example, "/storage/create_sdr", &body, 400, "efficiency_too_late");
}

#[test]
fn all_faults_of_a_body_are_told_at_once() {
    let example = Example::measured(Engine::Sqlite);
    let post = |path: &str, body: &Value| example.issuer.post(path, body);
    assert_faults(
        &post(
            "/storage/create_scr",
            &json!({
                "device_id": 0, "charging_start_datetime": time(11), "charging_end_datetime": time(10),
                "charging_energy": -5, "gc_issuance_id": "nonsense", "certificate_bundle_id_range_end": 0, "colour": "red",
            }),
        ),
        &[
            ("body.device_id", "greater_than"),
            ("body.charging_end_datetime", "value_error"),
            ("body.charging_energy", "greater_than"),
            ("body.gc_issuance_id", "value_error"),
            ("body.certificate_bundle_id_range_end", "greater_than"),
            ("body.colour", "extra_forbidden"),
        ],
    );
    // what an energy was made from, only certificates say
    assert_faults(
        &post(
            "/storage/create_scr",
            &merged(charge_body(example.battery, 10, 1), &json!({"charging_energy_source": "wind"})),
        ),
        &[
            ("body.gc_issuance_id", "missing"),
            ("body.certificate_bundle_id_range_start", "missing"),
            ("body.certificate_bundle_id_range_end", "missing"),
        ],
    );
    assert_faults(
        &post(
            "/storage/create_sdr",
            &merged(
                discharge_body(example.battery, 18, 0),
                &json!({
                    "scr_allocation_methodology": "fifo", "efficiency_factor_methodology": "by eye",
                    "efficiency_factor_interval_end": "2026-02-01", "state_of_charge_start": -1, "allocations": {"a": 1, "2": 0},
                    "charging_energy_source": "sun",
                }),
            ),
        ),
        &[
            ("body.discharge_energy", "greater_than"),
            ("body.scr_allocation_methodology", "enum"),
            ("body.efficiency_factor_methodology", "enum"),
            ("body.state_of_charge_start", "greater_than_equal"),
            ("body.allocations.a", "int_parsing"),
            ("body.allocations.2", "greater_than"),
            ("body.charging_energy_source", "enum"),
        ],
    );
    // what stands together is looked at once each can be read
    for (stated, missing) in [
        (json!({"efficiency_factor_interval_end": "2026-02-01"}), &["efficiency_factor_interval_start"][..]),
        (json!({"state_of_charge_end": 1}), &["efficiency_factor_interval_start", "efficiency_factor_interval_end"]),
    ] {
        let found = post("/storage/create_sdr", &merged(discharge_body(example.battery, 18, 1), &stated));
        let places: Vec<String> = missing.iter().map(|name| format!("body.{name}")).collect();
        let expected: Vec<(&str, &str)> = places.iter().map(|place| (place.as_str(), "missing")).collect();
        assert_faults(&found, &expected);
    }
    for path in ["/storage/withdraw_sdr", "/storage/issue_sdgc"] {
        assert_faults(
            &post(path, &json!({"reason": 5})),
            &[("body.sdr_allocation_id", "missing"), ("body.reason", "string_type")],
        );
    }
    assert_faults(&post("/storage/withdraw_scr", &json!({})), &[("body.scr_allocation_id", "missing")]);
    let both = json!({"scr_allocation_id": 1, "source_allocation_id": 2});
    assert_faults(&post("/storage/withdraw_scr", &both), &[("body.source_allocation_id", "extra_forbidden")]);
}
