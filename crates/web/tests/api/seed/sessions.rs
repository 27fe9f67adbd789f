//! Whole sessions, from their first request to their last.

use super::{DAY, Seeded};
use serde_json::{Value, json};
use testkit::http::Client;

/// The columns that the notebook picks from the bundles of an answer.
const COLUMNS: [&str; 10] = [
    "id",
    "issuance_id",
    "account_id",
    "device_id",
    "production_starting_interval",
    "certificate_bundle_id_range_start",
    "certificate_bundle_id_range_end",
    "bundle_quantity",
    "certificate_bundle_status",
    "is_deleted",
];

/// A query as the demonstration's own models write it: every member, the unused ones null.
fn query(source: i64, more: &Value) -> Value {
    let all = json!({
        "source_id": source, "user_id": 1, "localise_time": true, "issuance_ids": null, "device_id": null,
        "energy_source": null, "certificate_period_start": null, "certificate_period_end": null,
        "certificate_bundle_status": null,
    });
    with(all, more)
}

/// As is an action.
fn action(kind: &str, source: i64, bundles: &Value, more: &Value) -> Value {
    let all = json!({
        "source_id": source, "user_id": 1, "granular_certificate_bundle_ids": bundles, "certificate_quantity": null,
        "certificate_bundle_percentage": null, "localise_time": true, "action_type": kind,
    });
    with(all, more)
}

fn with(mut body: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

fn bundles(client: &Client, asked: &Value) -> Vec<Value> {
    let answer = client.post("/certificate/query", asked).expect(202).json;
    let bundles = answer["granular_certificate_bundles"].as_array().expect("a list").clone();
    for bundle in &bundles {
        for column in COLUMNS {
            assert!(bundle.get(column).is_some(), "{column}: {bundle}");
        }
    }
    bundles
}

fn ids(bundles: &[Value]) -> Value {
    bundles.iter().map(|bundle| bundle["id"].clone()).collect()
}

/// The demonstration's notebook, cell by cell; what differs is the base URL and the token.
#[test]
fn the_notebook_of_the_demonstration_runs_from_start_to_end() {
    let seeded = Seeded::new();
    let client = &seeded.user;

    // What seeding made can be read.
    let user = client.get("/user/1").expect(200).json;
    assert_eq!(user["id"], 1);
    let account = client.get("/account/1").expect(200).json;
    assert_eq!((&account["account_name"], &account["user_ids"]), (&json!("Test Account"), &json!([1])));

    // A second account of the same user, which accepts from the first.
    let target = json!({"account_name": "Target Account", "user_ids": [1], "account_whitelist": [1]});
    let target = client.post("/account/create", &target).expect(201).json;
    assert_eq!((&target["id"], &target["account_whitelist"]), (&json!(2), &json!([1])));

    // A device, by its model: floats for whole numbers, an instant for a date, an answer's member.
    assert_eq!(client.get("/device/1").expect(200).json["account_id"], 1);
    let device = json!({
        "device_name": "fake_solar_device", "meter_data_id": "BMU-ABC", "grid": "fake_grid", "energy_source": "solar_pv",
        "technology_type": "solar_pv", "operational_date": "2020-01-01T00:00:00", "capacity": 1000.0,
        "peak_demand": 100.0, "location": "USA", "account_id": 1, "is_storage": false, "is_deleted": false,
    });
    let device = client.post("/device/create", &device).expect(201).json;
    assert_eq!((&device["capacity"], &device["meter_data_id"]), (&json!(1000), &json!("BMU-ABC")));

    // All bundles of a device, then those of three hours.
    let all = bundles(client, &query(1, &json!({"device_id": 1})));
    assert_eq!(all.len(), 24);
    assert_eq!(all[0]["production_starting_interval"], DAY);
    let some = json!({
        "device_id": 1, "certificate_period_start": "2024-01-01T05:00:00", "certificate_period_end": "2024-01-01T08:00:00",
    });
    let some = bundles(client, &query(1, &some));
    assert_eq!(ids(&some), json!([6, 7, 8]));

    // Half of each goes to the other account; the halves are new bundles there.
    let half = json!({"target_id": 2, "certificate_bundle_percentage": 0.5});
    let moved = client.post("/certificate/transfer", &action("transfer", 1, &ids(&some), &half)).expect(202).json;
    assert_eq!((&moved["action_response_status"], &moved["total_quantity"]), (&json!("accepted"), &json!(1_500)));
    let halves = bundles(client, &query(2, &json!({})));
    assert!(halves.iter().all(|bundle| bundle["bundle_quantity"] == 500 && bundle["account_id"] == 2), "{halves:?}");
    assert!(halves.iter().all(|half| some.iter().all(|whole| whole["id"] != half["id"])), "{halves:?}");

    // The other account cancels them, which shows in their state.
    let cancel = action("cancel", 2, &ids(&halves), &json!({"beneficiary": "Future Energy Associates"}));
    let cancelled = client.post("/certificate/cancel", &cancel).expect(202).json;
    assert_eq!(cancelled["beneficiary"], "Future Energy Associates");
    let halves = bundles(client, &query(2, &json!({})));
    assert_eq!(halves.len(), 3);
    assert!(halves.iter().all(|bundle| bundle["certificate_bundle_status"] == "Cancelled"), "{halves:?}");
    testkit::assert_verified(seeded.app.testkit.database.url());
}

/// The demonstration's load script: an account for every run, a whitelist that is only added to, whole bundles.
#[test]
fn the_load_script_of_the_demonstration_runs_twice() {
    let seeded = Seeded::new();
    let client = seeded.user.with_header("content-type", "application/json");
    for (run, expected) in [("7f1e", 24), ("92ab", 0)] {
        let account = client.get("/account/1").expect(200).json;
        let user = client.get(&format!("/user/{}", account["user_ids"][0])).expect(200).json;
        let period = json!({
            "source_id": account["id"], "user_id": user["id"], "certificate_period_start": "2024-01-01",
            "certificate_period_end": "2024-01-03",
        });
        let found = client.post("/certificate/query", &period).expect(202).json;
        let found = found["granular_certificate_bundles"].as_array().expect("a list").clone();
        assert_eq!(found.len(), expected);
        let name = format!("Test Account {run}");
        let new = client.post("/account/create", &json!({"account_name": name, "user_ids": [user["id"]]})).expect(201);
        let path = format!("/account/update_whitelist/{}", new.json["id"]);
        client.patch(&path, &json!({"add_to_whitelist": [account["id"]]})).expect(200);
        let transfer = json!({
            "granular_certificate_bundle_ids": ids(&found), "user_id": user["id"], "source_id": account["id"],
            "target_id": new.json["id"],
        });
        let answer = client.post("/certificate/transfer", &transfer);
        // The second time there is nothing left, and nothing is no transfer.
        if expected == 0 {
            assert_eq!(answer.faults(), [("body.granular_certificate_bundle_ids".to_owned(), "too_short".to_owned())]);
        } else {
            assert_eq!(answer.expect(202).json["total_quantity"], 24_000);
        }
    }
}
