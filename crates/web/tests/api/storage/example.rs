//! The worked example, to the watt-hour.

use super::{Example, draws};
use serde_json::{Value, json};
use testkit::{ENGINES, assert_verified};

/// (energy source, Wh) of what was issued on a discharge, as each certificate says it.
fn certificates(example: &Example, sdr: i64) -> Vec<(String, u64)> {
    let issued = example.issue(sdr).expect(200).json;
    let bundles = issued["result"].as_array().expect("a list");
    let all: Vec<_> = bundles
        .iter()
        .map(|bundle| {
            let found = example.read(&format!("/certificate/{}", bundle["bundle_id"]));
            for (name, value) in [
                ("is_storage", json!(true)),
                ("sdr_allocation_id", json!(sdr)),
                ("storage_efficiency_factor", json!(0.9)),
                ("device_id", json!(example.battery)),
                ("account_id", json!(example.account)),
                ("certificate_bundle_status", json!("Active")),
                ("bundle_quantity", bundle["quantity"].clone()),
            ] {
                assert_eq!(found[name], value, "{name}");
            }
            let source = found["energy_source"].as_str().expect("a word").to_owned();
            (source, found["bundle_quantity"].as_u64().expect("Wh"))
        })
        .collect();
    assert_eq!(issued["total_quantity"], all.iter().map(|(_, wh)| wh).sum::<u64>());
    all
}

fn of(source: &str, wh: u64) -> (String, u64) {
    (source.to_owned(), wh)
}

#[test]
fn the_oldest_charge_goes_out_first() {
    for engine in ENGINES {
        let example = Example::charged(engine);
        let first = example.first("FIFO", &json!({})).expect(201).json;
        assert_eq!(draws(&first), [(1, 600_000, 0, 540_000), (2, 200_000, 0, 180_000)]);
        assert_eq!(first["efficiency_factor"], json!(0.9));
        assert_eq!(
            (&first["efficiency_energy_in"], &first["efficiency_energy_out"]),
            (&json!(5_000_000), &json!(4_500_000))
        );
        // by the same method and the same factor
        let second = example.discharge(19, 450_000, &json!({})).expect(201).json;
        assert_eq!(draws(&second), [(2, 300_000, 0, 270_000), (3, 0, 200_000, 0)]);
        assert_eq!(certificates(&example, 1), [of("solar_pv", 540_000), of("wind", 180_000)]);
        assert_eq!(certificates(&example, 2), [of("wind", 270_000)]);
        assert_eq!(example.whereabouts(), [990_000, 110_000, 200_000, 0]);
        let summary = example.read(&format!("/storage/device/{}", example.battery));
        assert_eq!((&summary["issued_energy"], &summary["issuable_energy"]), (&json!(990_000), &json!(0)));
        assert_eq!((&summary["num_scrs"], &summary["num_sdrs"]), (&json!(3), &json!(2)));
        assert_verified(example.app.testkit.database.url());
    }
}

#[test]
fn the_newest_charge_goes_out_first() {
    for engine in ENGINES {
        let example = Example::charged(engine);
        let first = example.first("LIFO", &json!({})).expect(201).json;
        assert_eq!(draws(&first), [(1, 100_000, 0, 90_000), (2, 500_000, 0, 450_000), (3, 0, 200_000, 0)]);
        let second = example.discharge(19, 450_000, &json!({"scr_allocation_methodology": "LIFO"})).expect(201).json;
        assert_eq!(draws(&second), [(1, 500_000, 0, 450_000)]);
        assert_eq!(certificates(&example, 1), [of("wind", 450_000), of("solar_pv", 90_000)]);
        assert_eq!(certificates(&example, 2), [of("solar_pv", 450_000)]);
        assert_eq!(example.whereabouts(), [990_000, 110_000, 200_000, 0]);
        assert_verified(example.app.testkit.database.url());
    }
}

#[test]
fn each_charge_goes_out_in_proportion_to_what_is_left_of_it() {
    for engine in ENGINES {
        let example = Example::charged(engine);
        let first = example.first("weighted average", &json!({})).expect(201).json;
        assert_eq!(draws(&first), [(1, 369_231, 0, 332_307), (2, 307_692, 0, 276_922), (3, 0, 123_077, 0)]);
        assert_eq!(certificates(&example, 1), [of("solar_pv", 332_307), of("wind", 276_922)]);
        let (certified, drawn) = (332_307 + 276_922, 369_231 + 307_692);
        assert_eq!(example.whereabouts(), [certified, drawn - certified, 123_077, 500_000]);
        assert_verified(example.app.testkit.database.url());
    }
}

#[test]
fn the_operator_says_what_goes_out() {
    let example = Example::charged(testkit::Engine::Sqlite);
    let stated = json!({"allocations": {"1": 500_000, "2": 100_000, "3": 200_000}});
    let first = example.first("operator's discretion", &stated).expect(201).json;
    assert_eq!(draws(&first), [(1, 500_000, 0, 450_000), (2, 100_000, 0, 90_000), (3, 0, 200_000, 0)]);
    assert_eq!(certificates(&example, 1), [of("solar_pv", 450_000), of("wind", 90_000)]);
    assert_verified(example.app.testkit.database.url());
}

#[test]
fn what_comes_out_beyond_the_reservoir_is_of_unrecorded_origin() {
    let example = Example::measured(testkit::Engine::Sqlite);
    example.charge(10, 90_000, &super::backing(&example.solar, 101, 90_100)).expect(201);
    let first = example.first("FIFO", &json!({})).expect(201).json;
    assert_eq!(draws(&first), [(1, 90_000, 0, 81_000)]);
    assert_eq!(first["unrecorded_energy"], 720_000 - 81_000);
    assert_eq!(certificates(&example, 1), [of("solar_pv", 81_000)]);
    assert_eq!(example.whereabouts(), [81_000, 9_000, 0, 0]);
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let example = Example::charged(testkit::Engine::Sqlite);
    let before = example.event();
    let body = super::merged(super::discharge_body(example.battery, 18, 720_000), &super::january("FIFO"));
    let tried = example.issuer.post("/storage/create_sdr?dry_run=true", &body).expect(201).json;
    assert_eq!((&tried["id"], &tried["sdr_allocation_id"]), (&Value::Null, &Value::Null));
    assert_eq!(example.event(), before);
    let done = example.issuer.post("/storage/create_sdr", &body).expect(201).json;
    assert_eq!(draws(&tried), draws(&done));
    for (path, body, member) in [
        ("issue_sdgc", json!({"sdr_allocation_id": 1}), "total_quantity"),
        ("withdraw_sdr", json!({"sdr_allocation_id": 1}), "is_deleted"),
        ("withdraw_sdr", json!({"source_allocation_id": 1}), "is_deleted"),
    ] {
        let before = example.event();
        let tried = example.issuer.post(&format!("/storage/{path}?dry_run=true"), &body).expect(200).json;
        assert_eq!(example.event(), before, "{path}");
        let expected = if path == "issue_sdgc" { json!(720_000) } else { json!(true) };
        assert_eq!(tried[member], expected, "{path}");
    }
    assert_eq!(example.read("/storage/sdr/1")["is_deleted"], false);
}
