//! What is taken back, last things first.

use super::{Example, backing};
use crate::assert_problem;
use domain::Role;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::{ENGINES, Engine, assert_verified};

impl Example {
    fn withdraw(&self, what: &str, id: i64) -> Answer {
        self.issuer.post(&format!("/storage/withdraw_{what}"), &json!({format!("{what}_allocation_id"): id}))
    }

    fn withdraw_certificates(&self, bundle: &Value, more: &Value) {
        let body = json!({
            "source_id": self.account, "granular_certificate_bundle_ids": [bundle], "reason": "the meter was wrong",
        });
        self.issuer.post("/certificate/withdraw", &crate::merged(body, more)).expect(202);
    }
}

#[test]
fn certificates_then_the_discharge_then_the_charge_are_withdrawn() {
    for engine in ENGINES {
        let example = Example::charged(engine);
        example.first("FIFO", &json!({})).expect(201);
        let issued = example.issue(1).expect(200).json;
        let [solar, wind] = [0, 1].map(|place| issued["result"][place]["bundle_id"].clone());
        assert_problem(&example.issue(1), 400, "nothing_to_issue");
        assert_problem(&example.withdraw("sdr", 1), 400, "sdr_issued");
        assert_problem(&example.withdraw("scr", 1), 400, "scr_drawn");

        // what was withdrawn is issued again, and nothing else
        example.withdraw_certificates(&solar, &json!({"certificate_quantity": 40_000}));
        let again = example.issue(1).expect(200).json;
        assert_eq!(again["total_quantity"], 40_000);
        let again = again["result"][0]["bundle_id"].clone();
        assert_eq!(example.read(&format!("/certificate/{again}"))["energy_source"], "solar_pv");

        example.withdraw_certificates(&again, &json!({}));
        example.withdraw_certificates(&wind, &json!({}));
        assert_problem(&example.withdraw("sdr", 1), 400, "sdr_issued");
        let query = json!({"source_id": example.account, "device_id": example.battery});
        let left = example.trader.post("/certificate/query", &query).expect(202).json;
        let left: Vec<&Value> = left["granular_certificate_bundles"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|bundle| bundle["certificate_bundle_status"] == "Active")
            .collect();
        assert_eq!(left.len(), 1);
        example.withdraw_certificates(&left[0]["id"], &json!({}));

        let withdrawn = example.withdraw("sdr", 1).expect(200).json;
        assert_eq!((&withdrawn["is_deleted"], &withdrawn["id"]), (&json!(true), &json!(1)));
        assert_eq!(example.whereabouts(), [0, 0, 0, 1_300_000], "what it drew is there again");
        let event = example.event();
        example.withdraw("sdr", 1).expect(200);
        assert_eq!(example.event(), event, "withdrawing again changes nothing");
        assert_problem(&example.issue(1), 400, "sdr_withdrawn");

        let charge = example.withdraw("scr", 1).expect(200).json;
        assert_eq!((&charge["is_deleted"], &charge["remaining_energy"]), (&json!(true), &json!(0)));
        // its certificates are as they were and can be allocated again
        let bundle = example.read(&format!("/certificate/{}", charge["gc_bundle_id"]));
        assert_eq!(bundle["certificate_bundle_status"], "Cancelled");
        example.charge(10, 600_000, &backing(&example.solar, 1, 600_000)).expect(201);
        assert_eq!(example.whereabouts(), [0, 0, 0, 1_300_000]);
        assert_verified(example.app.testkit.database.url());
    }
}

#[test]
fn what_is_not_there_is_not_withdrawn_and_nothing_is_issued_on_it() {
    let example = Example::measured(Engine::Sqlite);
    assert_problem(&example.withdraw("scr", 1), 404, "scr_missing");
    assert_problem(&example.withdraw("sdr", 1), 404, "sdr_missing");
    assert_problem(&example.issue(1), 404, "sdr_missing");
}

#[test]
fn a_reading_under_a_record_is_not_corrected_until_the_record_is_withdrawn() {
    let example = Example::charged(Engine::Sqlite);
    let found = example.read(&format!("/measurement/list?device_id={}", example.battery));
    let of_ten = found["measurements"].as_array().unwrap().iter().find(|of| of["interval_usage"] == -200_000);
    let path = format!("/measurement/update/{}", of_ten.expect("it is there")["id"]);
    let less = json!({"interval_usage": -100_000});
    let meter = example.app.with_user(&[Role::MeasurementBody], &[]);
    assert_problem(&meter.patch(&path, &less), 400, "reading_refused");
    example.withdraw("scr", 3).expect(200);
    meter.patch(&path, &less).expect(200);
}

#[test]
fn a_device_with_certificates_to_be_issued_on_a_discharge_is_not_deleted() {
    for engine in ENGINES {
        let example = Example::charged(engine);
        example.first("FIFO", &json!({})).expect(201);
        let registrar = example.app.with_user(&[Role::ProductionRegistrar], &[]);
        let path = format!("/device/delete/{}", example.battery);
        assert_problem(&registrar.send("DELETE", &path, ""), 400, "device_has_unissued");
        example.issue(1).expect(200);
        registrar.send("DELETE", &path, "").expect(200);
        assert_eq!(example.whereabouts(), [720_000, 80_000, 0, 500_000], "it is where it was");
        assert_verified(example.app.testkit.database.url());
    }
}
