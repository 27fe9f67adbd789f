//! Records are found and read, and certificates lead back to what was cancelled.

use super::{Example, backing};
use crate::{assert_faults, assert_problem};
use domain::Role;
use serde_json::{Value, json};
use testkit::http::Client;
use testkit::{ENGINES, Engine};

/// The ids of the records that are found.
fn ids(answer: &Value) -> Vec<i64> {
    let list = answer["filtered_scrs"].as_array().or(answer["filtered_sdrs"].as_array()).expect("a list");
    list.iter().map(|record| record["id"].as_i64().expect("an id")).collect()
}

#[test]
fn records_are_found_by_device_time_and_id_page_by_page() {
    for engine in ENGINES {
        let example = Example::charged(engine);
        example.first("FIFO", &json!({})).expect(201);
        example.discharge(19, 450_000, &json!({})).expect(201);
        let withdraw = json!({"sdr_allocation_id": 2});
        example.issuer.post("/storage/withdraw_sdr", &withdraw).expect(200);
        let account = example.account;
        let battery = example.battery;
        for (asked, charges, discharges) in [
            (json!({}), vec![1, 2, 3], vec![1]),
            (json!({"include_withdrawn": true}), vec![1, 2, 3], vec![1, 2]),
            (json!({"source_id": account, "device_id": battery}), vec![1, 2, 3], vec![1]),
            (json!({"storage_device_id": 99}), vec![], vec![]),
            (json!({"source_id": 99}), vec![], vec![]),
            (json!({"source_allocation_id": 1}), vec![1], vec![1]),
            (json!({"period_start": "2026-02-01T11:00:00Z"}), vec![2, 3], vec![1]),
            (json!({"period_start": "2026-02-01T11:00:00Z", "period_end": "2026-02-01T12:00:00Z"}), vec![2], vec![]),
        ] {
            let pairs: Vec<String> = asked
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| {
                    format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                })
                .collect();
            for (what, expected) in [("scr", charges), ("sdr", discharges)] {
                let found = example.trader.post(&format!("/storage/query_{what}"), &asked).expect(200).json;
                assert_eq!(ids(&found), expected, "{what} {asked}");
                let got = example.read(&format!("/storage/query_{what}?{}", pairs.join("&")));
                assert_eq!(got, found, "{what} {asked}");
            }
        }
        let first = example.read("/storage/query_scr?limit=2");
        assert_eq!(ids(&first), [1, 2]);
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = example.read(&format!("/storage/query_scr?limit=2&cursor={cursor}"));
        assert_eq!((ids(&second), &second["next_cursor"]), (vec![3], &Value::Null));
        assert_eq!(example.read("/storage/scr/3"), second["filtered_scrs"][0]);
    }
}

#[test]
fn a_query_may_stand_in_the_body_of_a_get_but_not_half_there() {
    let example = Example::charged(Engine::Sqlite);
    let get = |address: &str, body: &str| example.trader.send("GET", address, body);
    let found = get("/storage/query_scr", r#"{"source_allocation_id": 2}"#).expect(200).json;
    assert_eq!(ids(&found), [2]);
    assert_faults(&get("/storage/query_sdr", r#"{"colour": "red"}"#), &[("body.colour", "extra_forbidden")]);
    let both = get("/storage/query_scr?device_id=1", r#"{"source_allocation_id": 2}"#);
    assert_faults(&both, &[("query.device_id", "extra_forbidden")]);
    let wrong = example.trader.get("/storage/query_scr?period_start=noon&colour=red&limit=0");
    assert_faults(
        &wrong,
        &[
            ("query.period_start", "datetime_from_date_parsing"),
            ("query.colour", "extra_forbidden"),
            ("query.limit", "greater_than"),
        ],
    );
}

#[test]
fn records_are_nobody_elses_business() {
    let example = Example::charged(Engine::Sqlite);
    example.first("FIFO", &json!({})).expect(201);
    let elsewhere = example.app.testkit.account("elsewhere");
    let stranger = example.app.with_user(&[Role::ProductionUser], &[elsewhere]);
    let member = example.app.with_user(&[], &[example.account]);
    let auditor = example.app.with_user(&[Role::Auditor], &[]);
    let battery = example.battery;
    for path in ["/storage/scr/1".to_owned(), "/storage/sdr/1".to_owned(), format!("/storage/device/{battery}")] {
        assert_problem(&stranger.get(&path), 404, "not_found");
        assert_eq!(member.get(&path).expect(200).json, auditor.get(&path).expect(200).json, "{path}");
    }
    for what in ["scr", "sdr"] {
        let path = format!("/storage/query_{what}");
        let found = |client: &Client| ids(&client.get(&path).expect(200).json).len();
        assert_eq!((found(&stranger), found(&member)), (0, found(&auditor)), "{what}");
        assert!(found(&member) > 0, "{what}");
    }
    let other = json!({"user_id": member.user_id()});
    assert_problem(&stranger.post("/storage/query_scr", &other), 403, "forbidden");
    // a device that stores nothing has no storage
    let farm = example.app.testkit.device("farm", example.account);
    assert_problem(&auditor.get(&format!("/storage/device/{farm}")), 404, "not_found");
}

#[test]
fn a_certificate_of_a_discharge_leads_back_to_what_was_cancelled() {
    for engine in ENGINES {
        let example = Example::charged(engine);
        example.first("FIFO", &json!({})).expect(201);
        let issued = example.issue(1).expect(200).json;
        let [solar, wind] = [0, 1].map(|place| issued["result"][place]["bundle_id"].clone());
        let found = example.read(&format!("/certificate/{wind}"));
        let issuance = format!("{}-electricity-20260201T180000Z-S1", example.battery);
        assert_eq!(found["issuance_id"], issuance.as_str());
        let charge = example.read("/storage/scr/2");
        for (name, value) in [
            ("storage_device_id", json!(example.battery)),
            ("storage_device_name", json!("battery")),
            ("discharging_start_datetime", json!("2026-02-01T18:00:00Z")),
            ("discharging_end_datetime", json!("2026-02-01T19:00:00Z")),
            ("sdr_allocation_id", json!(1)),
            ("scr_allocation_id", json!(2)),
            ("charging_start_datetime", json!("2026-02-01T11:00:00Z")),
            ("cancelled_bundle_id", charge["gc_bundle_id"].clone()),
            ("cancelled_bundle_id_range_start", json!(1)),
            ("cancelled_bundle_id_range_end", json!(500_000)),
        ] {
            assert_eq!(found["storage"][name], value, "{name}");
        }
        assert_eq!(found["device_name"], "wind", "the device that made the energy");
        let cancelled = example.read(&format!("/certificate/{}", charge["gc_bundle_id"]));
        assert_eq!((&cancelled["is_storage"], &cancelled["storage"]), (&json!(false), &Value::Null));
        assert_eq!(cancelled["issuance_id"], charge["gc_issuance_id"]);

        // what is withdrawn of one draw has nothing to do with another
        let withdraw =
            json!({"source_id": example.account, "granular_certificate_bundle_ids": [solar], "reason": "wrong"});
        example.issuer.post("/certificate/withdraw", &withdraw).expect(202);
        let again = example.issue(1).expect(200).json;
        let again = &again["result"][0]["bundle_id"];
        let lineage = example.read(&format!("/certificate/{wind}/lineage"));
        assert_eq!((&lineage["issuance_id"], &lineage["storage"]), (&json!(issuance), &found["storage"]));
        assert_eq!(lineage["bundles"].as_array().unwrap().len(), 1, "{lineage}");
        let lineage = example.read(&format!("/certificate/{again}/lineage"));
        let relations: Vec<&Value> = lineage["bundles"].as_array().unwrap().iter().map(|of| &of["relation"]).collect();
        assert_eq!(relations, ["withdrawn", "itself"]);
    }
}

#[test]
fn certificates_of_several_discharges_in_one_hour_are_told_apart() {
    let example = Example::charged(Engine::Sqlite);
    let more = super::january("FIFO");
    example.discharge(18, 90_000, &more).expect(201);
    example.discharge(18, 180_000, &json!({})).expect(201);
    for sdr in [1, 2] {
        example.issue(sdr).expect(200);
    }
    let plain = format!("{}-electricity-20260201T180000Z", example.battery);
    let volume = |issuance: &str| {
        let query = json!({"source_id": example.account, "issuance_ids": [issuance]});
        let found = example.trader.post("/certificate/query", &query).expect(202).json;
        found["total_certificate_volume"].as_u64().expect("Wh")
    };
    assert_eq!(
        [plain.clone(), format!("{plain}-S1"), format!("{plain}-S2"), format!("{plain}-S3")].map(|id| volume(&id)),
        [270_000, 90_000, 180_000, 0]
    );
    let export = format!("/certificate/export?source_id={}&format=ndjson&issuance_id={plain}", example.account);
    for (suffix, lines) in [("", 2), ("-S2", 1)] {
        let text = example.trader.get(&format!("{export}{suffix}")).expect(200).text;
        assert_eq!(text.lines().count(), lines, "{text}");
        assert!(text.contains(&format!("\"{plain}-S2\"")), "{text}");
    }
    // they charge another battery, named by the discharge that they were issued on
    let account = example.account;
    let next =
        super::device(&example.app, "next", account, domain::EnergySource::BatteryStorage, domain::DeviceKind::Storage);
    example.app.testkit.readings(next, std::iter::once(super::hour(18)), -200_000);
    let query = json!({"source_id": account, "issuance_ids": [format!("{plain}-S2")]});
    let bundle = example.trader.post("/certificate/query", &query).expect(202).json;
    let bundle = &bundle["granular_certificate_bundles"][0];
    let cancel = json!({"source_id": account, "granular_certificate_bundle_ids": [bundle["id"]], "purpose": "storage"});
    example.trader.post("/certificate/cancel", &cancel).expect(202);
    let (first, last) = (&bundle["certificate_bundle_id_range_start"], &bundle["certificate_bundle_id_range_end"]);
    let (first, last) = (first.as_u64().unwrap(), last.as_u64().unwrap());
    let of_other = backing(&format!("{plain}-S1"), first, last);
    let body = |backing: &Value| crate::merged(super::charge_body(next, 18, 180_000), backing);
    assert_problem(&example.issuer.post("/storage/create_scr", &body(&of_other)), 404, "range_not_held");
    let named = backing(&format!("{plain}-S2"), first, last);
    let charge = example.issuer.post("/storage/create_scr", &body(&named)).expect(201).json;
    assert_eq!(charge["gc_issuance_id"], format!("{plain}-S2"));
    assert_eq!(charge["charging_energy_source"], "solar_pv");
}

#[test]
fn a_reading_says_what_storage_records_made_of_it() {
    for engine in ENGINES {
        let example = Example::charged(engine);
        let of_status = |status: &str| -> Vec<i64> {
            let path = format!("/measurement/list?device_id={}&status={status}", example.battery);
            let found = example.read(&path);
            found["measurements"]
                .as_array()
                .unwrap()
                .iter()
                .map(|reading| reading["interval_usage"].as_i64().unwrap())
                .collect()
        };
        let standing = |energy: i64| {
            let path = format!("/measurement/list?device_id={}", example.battery);
            let found = example.read(&path);
            let found =
                found["measurements"].as_array().unwrap().iter().find(|r| r["interval_usage"] == energy).unwrap();
            let one = example.read(&format!("/measurement/{}", found["id"]));
            assert_eq!((&found["status"], &found["reason"]), (&one["status"], &one["reason"]));
            let figures =
                ["issued_wh", "held_wh", "shortfall_wh", "issuable_wh"].map(|name| one[name].as_u64().unwrap());
            (one["status"].clone(), one["reason"].clone(), figures, one["scr_ids"].clone(), one["sdr_ids"].clone())
        };
        let unrecorded = |energy: i64| json!(format!("{energy} Wh of it are in no storage record yet"));
        let none = [0; 4];
        assert_eq!(standing(-600_000), (json!("recorded"), json!(null), none, json!([1]), json!([])));
        assert_eq!(standing(720_000), (json!("pending"), unrecorded(720_000), none, json!([]), json!([])));
        example.first("FIFO", &json!({"discharge_energy": 700_000})).expect(201);
        let gone = [0, 0, 0, 700_000];
        assert_eq!(standing(720_000), (json!("pending"), unrecorded(20_000), gone, json!([]), json!([1])));
        example.discharge(18, 20_000, &json!({})).expect(201);
        let gone = [0, 0, 0, 720_000];
        assert_eq!(standing(720_000), (json!("pending"), json!(null), gone, json!([]), json!([1, 2])));
        example.issue(1).expect(200);
        example.issue(2).expect(200);
        let issued = [720_000, 0, 0, 0];
        assert_eq!(standing(720_000), (json!("issued"), json!(null), issued, json!([]), json!([1, 2])));
        assert_eq!(of_status("issued"), [720_000]);
        assert_eq!(of_status("recorded"), [-600_000, -500_000, -200_000]);
        assert_eq!(of_status("pending"), [-5_000_000, 4_500_000, 450_000]);
        assert_eq!(of_status("refused"), [0_i64; 0]);
    }
}
