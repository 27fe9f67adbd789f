//! `/certificate/issue`

use crate::{Market, START, assert_faults, assert_problem, merged, start};
use domain::Role;
use serde_json::{Value, json};
use testkit::elexon::{ElexonServer, Reply};
use testkit::http::{Answer, TestApp};
use testkit::{ENGINES, Engine, TestRegistry, at, hours_from};
use web::Limits;

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
    assert_problem(&issue(&market, &json!({"source": "elexon", "dry_run": true})), 400, "not_available");
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

#[test]
fn readings_are_fetched_before_they_are_issued_and_a_source_that_fails_fails_the_job() {
    let elexon = ElexonServer::start();
    let app = TestApp::with(TestRegistry::asking(Engine::Sqlite, elexon.settings()), Limits::default());
    let account = app.testkit.account("Aldgate Wind");
    let (device, metadata) = (app.testkit.unit("T_ALDGW-1", account), app.testkit.metadata());
    elexon.has("T_ALDGW-1", at("2026-02-01T00:00:00Z"), "II", &["12.345", "null", "0.5"]);
    let issuer = app.with_user(&[Role::GcIssuer], &[]);
    let body = json!({
        "metadata_id": metadata, "from": "2026-02-01", "to": "2026-02-01T01:30:00Z", "source": "elexon",
    });
    elexon.answers_with([Reply::Body("text/html", "<html>closed</html>".to_owned())]);
    let job = issuer.post("/certificate/issue", &body).expect(202).json;
    assert_eq!((&job["state"], &job["issued"]), (&json!("failed"), &json!(0)));
    assert_eq!(job["error"], "the source answers with a page for people instead of data");
    let job = issuer.post("/certificate/issue", &body).expect(202).json;
    assert_eq!((&job["state"], &job["error"]), (&json!("done"), &Value::Null));
    assert_eq!((&job["accepted"], &job["issued"], &job["quantity"]), (&json!(2), &json!(2), &json!(12_845_000)));
    assert_eq!(job["refused"][0]["device_id"], json!(device));
    assert_eq!(job["refused"][0]["reason"], "unit T_ALDGW-1 until 2026-02-01T01:00:00Z: the source states no quantity");
}
