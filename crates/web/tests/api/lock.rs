//! `/certificate/lock` and `/certificate/unlock`

use crate::{Market, assert_faults, assert_only, assert_problem};
use domain::{BundleId, Role};
use serde_json::{Value, json};
use testkit::at;

#[test]
fn what_is_locked_stands_still_until_it_is_unlocked() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let because = json!({"reason": "the meter is being examined"});
    let locked = market.act(&market.issuer, "lock", &bundles, &because).expect(202);
    assert_eq!((&locked.json["action_type"], &locked.json["result"][0]["status"]), (&json!("lock"), &json!("Locked")));
    assert_eq!((&locked.json["reason"], locked.event()), (&because["reason"], market.event()));
    let request = market.app.testkit.request_of(locked.json["id"].as_i64().unwrap());
    assert_eq!(serde_json::from_str::<Value>(&request).unwrap()["reason"], because["reason"]);
    assert!(!market.app.testkit.is_in_an_event("the meter is being examined"));
    assert_problem(&market.transfer(&bundles, &json!({})), 400, "wrong_state");
    assert_problem(&market.cancel(&bundles, &json!({})), 400, "wrong_state");
    assert_problem(&market.act(&market.trader, "reserve", &bundles, &json!({})), 400, "wrong_state");
    assert_problem(&market.act(&market.issuer, "lock", &bundles, &because), 400, "wrong_state");
    let unlocked = market.act(&market.issuer, "unlock", &bundles, &because).expect(202);
    assert_eq!(
        (&unlocked.json["action_type"], &unlocked.json["result"][0]["status"]),
        (&json!("unlock"), &json!("Active"))
    );
    assert_problem(&market.act(&market.issuer, "unlock", &bundles, &because), 400, "wrong_state");
    market.transfer(&bundles, &json!({})).expect(202);
}

#[test]
fn a_part_of_a_bundle_can_be_locked() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let more = json!({"reason": "a claim of another party", "certificate_quantity": 30});
    let answer = market.act(&market.issuer, "lock", &bundles, &more).expect(202);
    let states: Vec<_> =
        answer.json["result"].as_array().unwrap().iter().map(|bundle| bundle["status"].clone()).collect();
    assert_eq!(states, ["Bundle Split", "Locked", "Active"]);
}

#[test]
fn locking_needs_the_issuer_and_a_reason() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    let because = json!({"reason": "a reason"});
    market.act(&market.issuer, "lock", &bundles[1..], &because).expect(202);
    let issuers = [Role::RegistryAdministrator, Role::GcIssuer];
    for (deed, bundle) in [("lock", bundles[0]), ("unlock", bundles[1])] {
        assert_only(&market, deed, &because, bundle, &issuers, true);
        assert_only(&market, deed, &because, bundle, &issuers, false);
        assert_problem(&market.act(&market.issuer, deed, &[bundle], &json!({})), 400, "reason_missing");
        assert_faults(
            &market.act(&market.issuer, deed, &[bundle], &json!({"reason": " ", "export_failed": true})),
            &[("body.reason", "string_too_short"), ("body.export_failed", "extra_forbidden")],
        );
        let elsewhere = json!({"reason": "a reason", "source_id": market.target});
        assert_problem(&market.act(&market.issuer, deed, &[bundle], &elsewhere), 404, "bundle_missing");
        assert_problem(&market.act(&market.issuer, deed, &[BundleId(9)], &because), 404, "bundle_missing");
    }
    assert_eq!((market.status(bundles[0]).as_str(), market.status(bundles[1]).as_str()), ("Active", "Locked"));
}

#[test]
fn what_expired_while_it_was_locked_does_not_become_active() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let because = json!({"reason": "a reason"});
    market.act(&market.issuer, "lock", &bundles, &because).expect(202);
    market.app.testkit.time.set(at("2028-02-01T01:00:00Z"));
    let issuer = market.app.with_user(&[Role::GcIssuer], &[]);
    let answer = market.act(&issuer, "unlock", &bundles, &because);
    assert_problem(&answer, 400, "wrong_state");
    assert_eq!(answer.json["certificate_bundle_status"], "Expired");
}

#[test]
fn a_dry_run_of_a_lock_changes_nothing() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let before = market.event();
    let answer = market.act(&market.issuer, "lock?dry_run=true", &bundles, &json!({"reason": "a reason"})).expect(202);
    assert_eq!((&answer.json["id"], &answer.json["result"][0]["status"]), (&Value::Null, &json!("Locked")));
    assert_eq!((market.event(), market.status(bundles[0]).as_str()), (before, "Active"));
}
