//! `/certificate/issue`

use crate::{Market, START, assert_faults, assert_problem, merged, start};
use domain::Role;
use serde_json::{Value, json};
use testkit::http::Answer;
use testkit::{ENGINES, hours_from};

fn issue(market: &Market, more: &Value) -> Answer {
    let body = json!({"metadata_id": market.metadata, "from": START, "to": "2026-03-01"});
    market.issuer.post("/certificate/issue", &merged(body, more))
}

#[test]
fn what_is_refused_is_told_and_the_rest_is_issued() {
    for engine in ENGINES {
        let market = Market::on(engine, 0, 0);
        market.app.testkit.readings(market.device, hours_from(start(), 3), 500);
        let zero = market.app.testkit.device("calm", market.source);
        market.app.testkit.readings(zero, hours_from(start(), 2), 0);
        let job = issue(&market, &json!({})).expect(202).json;
        assert_eq!((&job["state"], &job["kind"]), (&json!("done"), &json!("issue")));
        assert_eq!((&job["done"], &job["total"]), (&json!(5), &json!(5)));
        assert_eq!(
            (&job["issued"], &job["quantity"], &job["bundle_ids"]),
            (&json!(3), &json!(1_500), &json!([1, 2, 3]))
        );
        assert_eq!((&job["refused"][0]["device_id"], &job["refused_total"]), (&json!(zero), &json!(2)));
        assert_eq!(job["refused"][0]["reason"], "the reading is 0 Wh");
        let read = market.issuer.get(&format!("/job/{}", job["id"])).expect(200).json;
        assert_eq!(read, job);
    }
}

#[test]
fn a_dry_run_issues_nothing_and_leaves_no_job() {
    let market = Market::new(0, 0);
    market.app.testkit.readings(market.device, hours_from(start(), 3), 500);
    let before = market.event();
    let job = issue(&market, &json!({"dry_run": true})).expect(202).json;
    assert_eq!((&job["id"], &job["state"], &job["issued"]), (&Value::Null, &json!("done"), &json!(3)));
    assert_eq!((&job["quantity"], &job["bundle_ids"]), (&json!(1_500), &json!([])));
    assert_eq!((market.event(), market.bundles(market.source).len()), (before, 0));
    assert_problem(&market.issuer.get("/job/1"), 404, "not_found");
}

#[test]
fn who_does_not_wait_follows_the_job() {
    let market = Market::new(0, 0);
    market.app.testkit.readings(market.device, hours_from(start(), 3), 500);
    let mut job = issue(&market, &json!({"wait": 0, "device_ids": [market.device]})).expect(202).json;
    let path = format!("/job/{}", job["id"]);
    while job["state"] == "running" {
        job = market.issuer.get(&path).expect(200).json;
    }
    assert_eq!((&job["state"], &job["issued"]), (&json!("done"), &json!(3)));
}

#[test]
fn an_issue_is_refused_with_a_reason() {
    let market = Market::new(0, 0);
    assert_problem(&issue(&market, &json!({"metadata_id": 99})), 404, "metadata_missing");
    assert_problem(&issue(&market, &json!({"device_ids": [99]})), 404, "device_missing");
    assert_problem(&issue(&market, &json!({"source": "elexon"})), 400, "not_available");
    let body = json!({"metadata_id": market.metadata, "from": START, "to": "2026-03-01", "dry_run": true});
    for role in Role::ALL {
        let answer = market.app.with_user(&[role], &[market.source]).post("/certificate/issue", &body);
        if matches!(role, Role::RegistryAdministrator | Role::GcIssuer) {
            answer.expect(202);
        } else {
            assert_problem(&answer, 403, "forbidden");
        }
    }
}

#[test]
fn bad_members_of_an_issue_are_all_named() {
    let market = Market::new(0, 0);
    let more = json!({"to": START, "device_ids": [], "source": "wind", "wait": 301, "dry_run": "perhaps", "until": 1});
    assert_faults(
        &issue(&market, &more),
        &[
            ("body.to", "value_error"),
            ("body.device_ids", "too_short"),
            ("body.source", "enum"),
            ("body.wait", "less_than_equal"),
            ("body.dry_run", "bool_parsing"),
            ("body.until", "extra_forbidden"),
        ],
    );
    assert_faults(
        &market.issuer.post("/certificate/issue", &json!({})),
        &[("body.metadata_id", "missing"), ("body.from", "missing"), ("body.to", "missing")],
    );
}
