//! `/certificate/withdraw`

use crate::{Market, assert_faults, assert_only, assert_problem};
use domain::{BundleId, Role};
use serde_json::{Value, json};
use testkit::ENGINES;

#[test]
fn what_is_withdrawn_is_held_and_not_issued_again() {
    for engine in ENGINES {
        let market = Market::on(engine, 1, 100);
        let bundles = market.bundles(market.source);
        let because = json!({"reason": "the meter was wrong"});
        let answer = market.act(&market.issuer, "withdraw", &bundles, &because).expect(202);
        assert_eq!(answer.json["action_type"], "withdraw");
        assert_eq!((&answer.json["result"][0]["status"], answer.event()), (&json!("Withdrawn"), market.event()));
        assert_eq!((&answer.json["reason"], &answer.json["export_failed"]), (&because["reason"], &json!(false)));
        let request = market.app.testkit.request_of(answer.json["id"].as_i64().unwrap());
        assert_eq!(serde_json::from_str::<Value>(&request).unwrap()["reason"], because["reason"]);
        assert!(!market.app.testkit.is_in_an_event("the meter was wrong"));
        let again = market.issue().expect(202).json;
        assert_eq!(again["issued"], 0, "{again}");
        let reason = again["refused"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("held until they are released"), "{reason}");
        assert_problem(&market.act(&market.issuer, "withdraw", &bundles, &because), 400, "wrong_state");
    }
}

#[test]
fn every_live_state_but_reserved_is_withdrawn() {
    let market = Market::new(4, 100);
    let bundles = market.bundles(market.source);
    let because = json!({"reason": "the meter was wrong"});
    market.cancel(&bundles[..2], &json!({})).expect(202);
    market.act(&market.trader, "claim", &bundles[1..2], &json!({})).expect(202);
    market.act(&market.issuer, "lock", &bundles[2..3], &because).expect(202);
    let answer = market.act(&market.issuer, "withdraw", &bundles, &because).expect(202);
    assert_eq!(answer.json["total_quantity"], 400);
    assert!(bundles.iter().all(|bundle| market.status(*bundle) == "Withdrawn"));
}

#[test]
fn what_left_for_another_registry_comes_back_only_if_its_export_failed() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    market.act(&market.trader, "reserve", &bundles[..1], &json!({})).expect(202);
    let failed = json!({"reason": "the other registry refused it", "export_failed": true});
    let before = market.event();
    let unasked = market.act(&market.issuer, "withdraw", &bundles[..1], &json!({"reason": "a reason"}));
    assert_problem(&unasked, 400, "wrong_state");
    let unreserved = market.act(&market.issuer, "withdraw", &bundles[1..], &failed);
    assert_problem(&unreserved, 400, "wrong_state");
    assert_eq!(unreserved.json["needed"], json!(["Reserved"]));
    assert_eq!(market.event(), before);
    market.act(&market.issuer, "withdraw", &bundles[..1], &failed).expect(202);
    assert_eq!((market.status(bundles[0]).as_str(), market.status(bundles[1]).as_str()), ("Withdrawn", "Active"));
}

#[test]
fn withdrawing_needs_the_issuer_and_a_failed_export_a_reason() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let because = json!({"reason": "a reason"});
    let issuers = [Role::RegistryAdministrator, Role::GcIssuer];
    assert_only(&market, "withdraw", &because, bundles[0], &issuers, true);
    assert_only(&market, "withdraw", &because, bundles[0], &issuers, false);
    let failed = json!({"export_failed": true});
    assert_problem(&market.act(&market.issuer, "withdraw", &bundles, &failed), 400, "reason_missing");
    let elsewhere = json!({"reason": "a reason", "source_id": market.target});
    assert_problem(&market.act(&market.issuer, "withdraw", &bundles, &elsewhere), 404, "bundle_missing");
    assert_problem(&market.act(&market.issuer, "withdraw", &[BundleId(9)], &because), 404, "bundle_missing");
    assert_faults(
        &market.act(
            &market.issuer,
            "withdraw",
            &bundles,
            &json!({"reason": "a\tb", "export_failed": "maybe", "purpose": "x"}),
        ),
        &[("body.reason", "value_error"), ("body.export_failed", "bool_parsing"), ("body.purpose", "extra_forbidden")],
    );
    assert_eq!(market.status(bundles[0]), "Active");
}

#[test]
fn no_reason_is_needed_as_the_demonstration_asks_for_none() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let answer = market.act(&market.issuer, "withdraw", &bundles, &json!({})).expect(202);
    assert_eq!((market.status(bundles[0]).as_str(), &answer.json["reason"]), ("Withdrawn", &Value::Null));
    let read = market.issuer.get(&format!("/certificate/action/{}", answer.json["id"])).expect(200).json;
    assert_eq!((&read["action_type"], &read["reason"]), (&json!("withdraw"), &Value::Null));
}

#[test]
fn a_part_is_withdrawn_and_a_dry_run_changes_nothing() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let part = json!({"reason": "10 Wh were counted twice", "certificate_quantity": 10});
    let before = market.event();
    let rehearsed = market.act(&market.issuer, "withdraw?dry_run=true", &bundles, &part).expect(202);
    assert_eq!(rehearsed.json["id"], Value::Null);
    assert_eq!((market.event(), market.bundles(market.source)), (before, bundles.clone()));
    let answer = market.act(&market.issuer, "withdraw", &bundles, &part).expect(202);
    let states: Vec<_> =
        answer.json["result"].as_array().unwrap().iter().map(|bundle| bundle["status"].clone()).collect();
    assert_eq!(states, ["Bundle Split", "Withdrawn", "Active"]);
}
