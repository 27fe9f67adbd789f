//! The requests of the demonstration's own tests, and what those look at in the answers.

use super::{Seeded, detail};
use crate::measurement::encoded;
use crate::merged;
use serde_json::{Value, json};
use testkit::http::Answer;

/// The first fault of an answer: its type, the last place of its `loc`, its text.
#[track_caller]
fn first_fault(answer: &Answer) -> (String, String, String) {
    let detail = detail(answer, 422);
    let fault = &detail[0];
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let place = fault["loc"].as_array().and_then(|loc| loc.last()).map(text);
    (text(&fault["type"]), place.expect("a place"), text(&fault["msg"]))
}

/// With a second account, each of which accepts from the other.
fn two_accounts() -> Seeded {
    let seeded = Seeded::new();
    let other = json!({"account_name": "fake_account_2", "user_ids": [1], "account_whitelist": [1]});
    seeded.user.post("/account/create", &other).expect(201);
    seeded.user.patch("/account/update_whitelist/1", &json!({"add_to_whitelist": [2]})).expect(200);
    seeded
}

#[test]
fn transfers_are_answered_as_the_demonstration_answers_them() {
    let seeded = two_accounts();
    let transfer = |body: &Value| seeded.user.post("/certificate/transfer/", body);
    let body = json!({"granular_certificate_bundle_ids": [1], "user_id": 1, "source_id": 1, "target_id": 2});
    let (kind, place, _) = first_fault(&transfer(&merged(body.clone(), &json!({"target_id": null}))));
    assert_eq!((kind.as_str(), place.as_str()), ("missing", "target_id"));
    let (kind, place, _) = first_fault(&transfer(&merged(body.clone(), &json!({"source_id": null}))));
    assert_eq!((kind.as_str(), place.as_str()), ("missing", "source_id"));
    transfer(&body).expect(202);
    let back = json!({"source_id": 2, "target_id": 1, "certificate_bundle_percentage": 0.75});
    transfer(&merged(body.clone(), &back)).expect(202);
    let (kind, _, text) = first_fault(&transfer(&merged(body.clone(), &json!({"certificate_bundle_percentage": 1.5}))));
    assert_eq!((kind.as_str(), text.as_str()), ("less_than_equal", "Input should be less than or equal to 1"));
    let (kind, _, text) = first_fault(&transfer(&merged(body, &json!({"action_type": "cancel"}))));
    let expected = "Value error, `action_type` cannot be set explicitly.";
    assert_eq!((kind.as_str(), text.as_str()), ("value_error", expected));
}

#[test]
fn cancellations_are_answered_as_the_demonstration_answers_them() {
    let seeded = Seeded::new();
    let cancel = |body: &Value| seeded.user.post("/certificate/cancel/", body);
    let body = json!({"granular_certificate_bundle_ids": [1], "user_id": 1, "source_id": 1});
    let (kind, place, _) = first_fault(&cancel(&merged(body.clone(), &json!({"source_id": null}))));
    assert_eq!((kind.as_str(), place.as_str()), ("missing", "source_id"));
    cancel(&merged(body.clone(), &json!({"certificate_bundle_percentage": 0.35}))).expect(202);
    let (kind, _, text) = first_fault(&cancel(&merged(body, &json!({"certificate_bundle_percentage": 0}))));
    assert_eq!((kind.as_str(), text.as_str()), ("greater_than", "Input should be greater than 0"));
}

#[test]
fn queries_are_answered_as_the_demonstration_answers_them() {
    let seeded = Seeded::new();
    let query =
        |more: &Value| seeded.user.post("/certificate/query", &merged(json!({"source_id": 1, "user_id": 1}), more));
    assert_eq!(query(&json!({})).expect(202).json["total_certificate_volume"], 24_000);
    let (kind, place, _) = first_fault(&query(&json!({"source_id": null})));
    assert_eq!((kind.as_str(), place.as_str()), ("missing", "source_id"));
    // Its issuance ids are a device and an instant, with a space or with a T.
    for instant in ["2024-01-01 00:00:00", "2024-01-01T00:00:00"] {
        let found = query(&json!({"issuance_ids": [format!("1-{instant}")]})).expect(202).json;
        assert_eq!(found["total_certificate_volume"], 1_000);
        assert_eq!(found["granular_certificate_bundles"][0]["id"], 1);
    }
    for (more, text) in [
        (
            json!({"certificate_period_start": "2024-01-01", "certificate_period_end": "2020-01-01"}),
            "certificate_period_end must be greater than certificate_period_start.",
        ),
        (
            json!({"certificate_period_start": "2024-01-01", "certificate_period_end": "2024-05-01"}),
            "Difference between certificate_period_start and certificate_period_end must be 30 days or less.",
        ),
        (
            json!({
                "issuance_ids": ["1-2024-01-01 00:00:00"], "certificate_period_start": "2024-01-01",
                "certificate_period_end": "2024-01-02",
            }),
            "Cannot provide issuance_ids with certificate_period_start or certificate_period_end.",
        ),
        (
            json!({"certificate_period_start": "2023-01-01"}),
            "certificate_period_end must be provided if certificate_period_start is more than 30 days ago.",
        ),
        (
            json!({"certificate_period_end": "2023-01-01"}),
            "certificate_period_start must be provided if certificate_period_end is provided.",
        ),
    ] {
        assert_eq!(detail(&query(&more), 422), text, "{more}");
    }
    let invalid = detail(&query(&json!({"issuance_ids": ["123-12-03-01 12:12:12"]})), 422);
    assert!(invalid.as_str().is_some_and(|text| text.starts_with("Invalid issuance ID:")), "{invalid}");
    let no_dates =
        json!({"certificate_period_start": "a date string", "certificate_period_end": "another date string"});
    let (kind, _, text) = first_fault(&query(&no_dates));
    assert_eq!(kind, "datetime_from_date_parsing");
    assert!(text.starts_with("Input should be a valid datetime or date"), "{text}");
    let (kind, _, text) = first_fault(&query(&json!({"energy_source": "windy"})));
    assert_eq!(kind, "enum");
    assert!(text.starts_with("Input should be 'solar_pv', 'wind', 'hydro', "), "{text}");
}

#[test]
fn whitelists_are_answered_as_the_demonstration_answers_them() {
    let seeded = two_accounts();
    // Its models write the list that is not used as null.
    let update = |add: Value, remove: Value| {
        let body = json!({"add_to_whitelist": add, "remove_from_whitelist": remove});
        seeded.user.patch("/account/update_whitelist/1", &body)
    };
    let whitelist = || seeded.user.get("/account/1").expect(200).json["account_whitelist"].clone();
    update(json!([2]), Value::Null).expect(200);
    assert_eq!(whitelist(), json!([2]));
    update(Value::Null, json!([2])).expect(200);
    assert_eq!(whitelist(), json!([]));
    assert_eq!(detail(&update(json!([999]), Value::Null), 404), "Account ID to add not found: 999");
    assert_eq!(detail(&update(json!([1]), Value::Null), 400), "Cannot add an account to its own whitelist.");
}

#[test]
fn readings_are_answered_as_the_demonstration_answers_them() {
    let seeded = Seeded::new();
    let row = |device: i64, usage: i64, from: &str, to: &str| {
        json!({
            "device_id": device, "interval_usage": usage, "interval_start_datetime": from, "interval_end_datetime": to,
            "gross_net_indicator": "NET",
        })
    };
    seeded.app.testkit.device("T_RATS-1", domain::AccountId(1));
    let rows = json!([
        row(1, 10, "2024-11-18T10:00:00", "2024-11-18T11:00:00"),
        row(1, 15, "2024-11-18T11:00:00", "2024-11-18T12:00:00"),
        row(2, 20, "2024-11-18T10:00:00", "2024-11-18T11:00:00"),
    ]);
    let text = encoded(&rows.to_string());
    let path = format!("/measurement/submit_readings/?measurement_json={text}");
    let report = seeded.user.send("POST", &path, "").expect(200).json;
    assert_eq!(report["message"], "Readings submitted successfully.");
    assert_eq!(report["total_usage_per_device"], json!({"1": 25, "2": 20}));
    // The same instants, with the zone that is meant.
    assert_eq!(report["first_reading_datetime"], "2024-11-18T10:00:00Z");
    assert_eq!(report["last_reading_datetime"], "2024-11-18T12:00:00Z");
}

#[test]
fn an_account_is_created_and_read_back_as_the_demonstration_does() {
    let seeded = Seeded::new();
    // Its models write every member.
    let body =
        json!({"account_name": "Test Account 3", "user_ids": null, "account_whitelist": null, "is_deleted": false});
    let made = seeded.user.post("/account/create", &body).expect(201).json;
    assert_eq!(seeded.user.get(&format!("/account/{}", made["id"])).expect(200).json, made);
    assert_eq!((&made["user_ids"], &made["account_whitelist"]), (&json!([]), &json!([])));
}
