//! One leniency at a time, each in the body or the address that needs it.

use super::Seeded;
use crate::measurement::encoded;
use crate::operations::operations;
use crate::{app, assert_faults, merged};
use domain::Role;
use serde_json::{Value, json};

fn device() -> Value {
    json!({
        "device_name": "BMU", "grid": "National Grid", "energy_source": "wind", "technology_type": "wind_turbine",
        "operational_date": "2015-01-01 00:00:00", "capacity": 5_000_000, "peak_demand": 100, "location": "Some Location",
        "account_id": 1, "is_storage": false,
    })
}

#[test]
fn numbers_booleans_and_instants_are_read_in_the_forms_of_the_demonstrations_clients() {
    let seeded = Seeded::new();
    let create = |more: &Value| seeded.user.post("/device/create", &merged(device(), more));
    for (capacity, is_storage, date) in [
        (json!(5_000_000), json!(false), "2015-01-01 00:00:00"),
        (json!(5_000_000.0), json!(0), "2015-01-01"),
        (json!("5000000"), json!("false"), "2015-01-01T00:00:00"),
        (json!("5000000.0"), json!(0.0), "2015-01-01T00:00:00.000Z"),
        (json!(5e6), json!("0"), "2015-01-01T01:00:00+01:00"),
    ] {
        let more = json!({"capacity": capacity, "is_storage": is_storage, "operational_date": date, "account_id": "1"});
        let made = create(&more).expect(201).json;
        assert_eq!((&made["capacity"], &made["is_storage"]), (&json!(5_000_000), &json!(false)), "{more}");
        assert_eq!(made["operational_date"], "2015-01-01T00:00:00Z", "{more}");
    }
    assert_faults(&create(&json!({"capacity": 5.5})), &[("body.capacity", "int_from_float")]);
    assert_faults(&create(&json!({"is_storage": 2})), &[("body.is_storage", "bool_parsing")]);
}

#[test]
fn members_that_answers_carry_are_passed_over_on_every_create_and_others_are_refused() {
    let seeded = Seeded::new();
    let carried = json!({"id": 77, "created_at": "2024-01-01T00:00:00", "hash": "Some Hash", "is_deleted": false});
    let user = json!({"name": "fake_user", "primary_contact": "jake_fake@fakecorp.com", "roles": ["admin"]});
    let metadata = json!({
        "country_of_issuance": "USA", "connected_grid_identification": "ERCOT", "issuing_body": "ERCOT",
        "legal_status": "legal", "issuance_purpose": "compliance", "support_received": null,
        "quality_scheme_reference": null, "dissemination_level": null, "issue_market_zone": "ERCOT",
    });
    for (path, body) in [
        ("/user/create", user),
        ("/account/create", json!({"account_name": "fake_account"})),
        ("/device/create", device()),
        ("/certificate/create_metadata", metadata),
    ] {
        let mut lenient = body.clone();
        for (name, value) in carried.as_object().expect("an object") {
            lenient[name] = value.clone();
        }
        let made = seeded.user.post(path, &lenient).expect(201).json;
        assert_ne!(made["id"], 77, "{path}: ids are the registry's to give");
        assert_eq!(made["is_deleted"], false, "{path}");
        let mut misspelt = body.clone();
        misspelt["is_delted"] = json!(false);
        assert_faults(&seeded.user.post(path, &misspelt), &[("body.is_delted", "extra_forbidden")]);
        let mut deleted = body;
        deleted["is_deleted"] = json!(true);
        assert_faults(&seeded.user.post(path, &deleted), &[("body.is_deleted", "value_error")]);
    }
}

#[test]
fn roles_are_known_by_the_words_of_the_demonstration_too() {
    let seeded = Seeded::new();
    for (number, (word, role)) in [
        ("admin", "Registry Administrator"),
        ("Admin", "Registry Administrator"),
        ("Registry Administrator", "Registry Administrator"),
        ("GC Issuer", "GC Issuer"),
        ("Production Registrar", "Production Registrar"),
        ("Measurement Body", "Measurement Body"),
        ("Trading User", "Trading User"),
        ("Production User", "Production User"),
        ("Audit User", "Auditor"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"name": "A User", "primary_contact": format!("{number}@usermail.com"), "roles": [word]});
        assert_eq!(seeded.user.post("/user/create", &body).expect(201).json["roles"], json!([role]), "{word}");
    }
    // A rank that comes with all those below it has no meaning here, and a misspelt role is none.
    for roles in [json!([4]), json!(["4"]), json!(["superuser"])] {
        let body = json!({"name": "A User", "primary_contact": "x@usermail.com", "roles": roles});
        assert_faults(&seeded.user.post("/user/create", &body), &[("body.roles.0", "enum")]);
    }
}

#[test]
fn an_action_may_say_its_own_kind_and_no_other() {
    let seeded = Seeded::new();
    let body = json!({"source_id": 1, "user_id": 1, "granular_certificate_bundle_ids": [1]});
    for kind in ["transfer", "TRANSFER", "claim", ""] {
        let wrong = merged(body.clone(), &json!({"action_type": kind}));
        let answer = seeded.user.post("/certificate/cancel", &wrong);
        assert_faults(&answer, &[("body.action_type", "value_error")]);
    }
    seeded.user.post("/certificate/cancel", &merged(body, &json!({"action_type": "cancel"}))).expect(202);
    let query = json!({"source_id": 1, "action_type": "query"});
    seeded.user.post("/certificate/query", &query).expect(202);
}

#[test]
fn a_blank_beneficiary_is_none() {
    let seeded = Seeded::new();
    for (number, blank) in [json!(""), json!("  "), Value::Null].into_iter().enumerate() {
        let bundle = seeded.bundles(1)[number]["id"].clone();
        let mut body = json!({"source_id": 1, "user_id": 1, "granular_certificate_bundle_ids": [bundle]});
        body["beneficiary"] = blank;
        assert_eq!(seeded.user.post("/certificate/cancel", &body).expect(202).json["beneficiary"], "Test Account");
    }
}

/// What the screens of a fork send: its name for the meter, texts for numbers, an action's kind, computed floats.
#[test]
fn the_screens_of_a_fork_are_understood() {
    let seeded = Seeded::new();
    let device = json!({
        "device_name": "Roof", "local_device_identifier": "SF001", "grid": "ERCOT", "technology_type": "solar_pv",
        "energy_source": "solar_pv", "operational_date": "2020-03-05T16:00:00.000Z", "capacity": "80", "peak_demand": "0",
        "location": "51.5, -0.1", "is_storage": false, "account_id": 1,
    });
    let made = seeded.user.post("/device/create", &device).expect(201).json;
    assert_eq!(made["meter_data_id"], "SF001");
    let both = merged(device, &json!({"meter_data_id": "SF002"}));
    let answer = seeded.user.post("/device/create", &both);
    assert_faults(&answer, &[("body.local_device_identifier", "extra_forbidden")]);
    let form = seeded.app.anonymous().with_header("content-type", "application/x-www-form-urlencoded");
    let name = seeded.user.get("/user/me").expect(200).json["primary_contact"].as_str().expect("a text").to_owned();
    let login = format!("username={name}&password={}", testkit::http::PASSWORD.replace(' ', "+"));
    let token = form.send("POST", "/auth/login", &login).expect(200).json;
    let client = seeded.app.anonymous().with_token(token["access_token"].as_str().expect("a text"));
    client.get("/user/me/accounts").expect(200);
    let cancel = json!({
        "source_id": 1, "user_id": token["user_id"], "granular_certificate_bundle_ids": [1], "localise_time": true,
        "action_type": "cancel", "certificate_quantity": 0.0001 * 1e6, "beneficiary": "",
    });
    assert_eq!(client.post("/certificate/cancel", &cancel).expect(202).json["total_quantity"], 100);
}

/// The demonstration's models write every member of an update, those that are not to change as null.
#[test]
fn updates_with_every_other_member_null_change_one() {
    let seeded = Seeded::new();
    let account = json!({"account_name": "Test Account UPDATED", "user_ids": null, "account_whitelist": null});
    let updated = seeded.user.patch("/account/update/1", &account).expect(200).json;
    assert_eq!((&updated["account_name"], &updated["user_ids"]), (&json!("Test Account UPDATED"), &json!([1])));
    let update = json!({
        "device_name": "E_MARK-1", "grid": null, "energy_source": null, "technology_type": null, "operational_date": null,
        "capacity": null, "peak_demand": null, "location": "Markbygden", "account_id": null, "is_storage": null,
        "is_deleted": null,
    });
    let updated = seeded.user.patch("/device/update/1", &update).expect(200).json;
    assert_eq!((&updated["location"], &updated["capacity"]), (&json!("Markbygden"), &json!(1_000_000)));
    let user = json!({"name": "A User UPDATED", "primary_contact": null, "roles": null});
    let updated = seeded.user.patch("/user/update/1", &user).expect(200).json;
    assert_eq!((&updated["name"], &updated["account_ids"]), (&json!("A User UPDATED"), &json!([1])));
    seeded.user.get("/user/me").expect(200);
    // What can be taken away is taken away by null.
    let metered = merged(device(), &json!({"meter_data_id": "T_RATS-1"}));
    let metered = seeded.user.post("/device/create", &metered).expect(201).json["id"].clone();
    let path = format!("/device/update/{metered}");
    let bare = seeded.user.patch(&path, &json!({"meter_data_id": null})).expect(200).json;
    assert_eq!(bare["meter_data_id"], Value::Null);
    // What has a route of its own is not changed here.
    let whitelist = seeded.user.patch("/account/update/1", &json!({"account_whitelist": [2]}));
    assert_faults(&whitelist, &[("body.account_whitelist", "extra_forbidden")]);
    // The demonstration's delete is asked with nothing, or with a body that nobody reads.
    for body in ["", "{}"] {
        let other = json!({"account_name": format!("to be deleted{body}")});
        let other = seeded.user.post("/account/create", &other).expect(201).json["id"].clone();
        let gone = seeded.user.send("DELETE", &format!("/account/delete/{other}"), body).expect(200).json;
        assert_eq!((&gone["id"], &gone["is_deleted"]), (&other, &json!(true)));
        assert_eq!(seeded.user.get(&format!("/account/{other}")).expect(200).json["is_deleted"], true);
    }
}

#[test]
fn no_address_minds_slashes_at_its_end_and_none_redirects() {
    let app = app();
    let anonymous = app.anonymous();
    for operation in operations() {
        let path = operation.path.replace("{id}", "1");
        for address in [path.clone(), format!("{path}/"), format!("{path}//?x=1")] {
            let answer = anonymous.send(&operation.method, &address, "");
            assert!(
                !matches!(answer.status, 300..=399 | 404 | 405),
                "{} {address}: {}",
                operation.name(),
                answer.status
            );
            assert!(!operation.needs_token() || answer.status == 401, "{} {address}", operation.name());
        }
        if let Some(rest) = path.strip_prefix("/certificate/") {
            let answer = anonymous.send(&operation.method, &format!("/certificates/{rest}"), "");
            assert_eq!(answer.status, 401, "/certificates/{rest}");
        }
    }
}

#[test]
fn no_read_minds_a_body() {
    let seeded = Seeded::new();
    let auditor = seeded.app.with_user(&[Role::Auditor, Role::RegistryAdministrator], &[]);
    let mut checked = 0;
    for operation in operations().into_iter().filter(|operation| !operation.changes()) {
        // A stream has no end, and queries of storage are asked in the body, as the specification has it.
        if operation.path.ends_with("/stream") || operation.path.starts_with("/storage/query_") {
            continue;
        }
        let address = operation.path.replace("{id}", "1");
        let without = auditor.send("GET", &address, "");
        for body in ["{\"user_id\": 1}", "no JSON", "[]"] {
            let with = auditor.send("GET", &address, body);
            assert_eq!(with.status, without.status, "{address}: {}", with.text);
        }
        checked += 1;
    }
    assert!(checked > 8, "{checked}");
}

#[test]
fn readings_are_read_from_the_query_string_as_records_and_as_columns() {
    let seeded = Seeded::new();
    let records = json!([{
        "device_id": 1, "interval_usage": "93.0", "interval_start_datetime": "2024-12-01 00:00:00",
        "interval_end_datetime": "2024-12-01 01:00:00", "gross_net_indicator": "NET",
    }]);
    let columns = json!({
        "interval_start_datetime": {"0": "2024-12-01 00:00:00"}, "interval_end_datetime": {"0": "2024-12-01 01:00:00"},
        "device_id": {"0": 1}, "interval_usage": {"0": 93}, "gross_net_indicator": {"0": "NET"},
    });
    for (readings, accepted) in [(records, 1), (columns, 0)] {
        let encoded = encoded(&readings.to_string());
        let path = format!("/measurement/submit_readings?measurement_json={encoded}");
        let report = seeded.user.send("POST", &path, "").expect(200).json;
        assert_eq!((&report["accepted"], &report["rejected_total"]), (&json!(accepted), &json!(0)), "{readings}");
    }
}
