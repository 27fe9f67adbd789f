//! `/certificate/reserve` and `/certificate/reseve`

use crate::{Market, assert_faults, assert_only, assert_problem};
use domain::{BundleId, Role};
use serde_json::{Value, json};

#[test]
fn bundles_are_reserved_under_both_spellings_and_the_registry_is_kept() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    for (bundle, path) in bundles.iter().zip(["reserve", "reseve"]) {
        let more = json!({"target_registry": "Nordic registry", "target_id": market.target});
        let answer = market.act(&market.trader, path, &[*bundle], &more).expect(202);
        assert_eq!((&answer.json["action_type"], &answer.json["target_id"]), (&json!("reserve"), &Value::Null));
        assert_eq!(answer.json["target_registry"], "Nordic registry");
        assert_eq!((&answer.json["result"][0]["status"], answer.event()), (&json!("Reserved"), market.event()));
        let action = answer.json["id"].as_i64().unwrap();
        let request: Value = serde_json::from_str(&market.app.testkit.request_of(action)).unwrap();
        assert_eq!(request["target_registry"], "Nordic registry");
    }
    assert!(!market.app.testkit.is_in_an_event("Nordic registry"));
}

#[test]
fn there_is_no_way_back_for_a_holder() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    market.act(&market.trader, "reserve", &bundles, &json!({})).expect(202);
    let before = market.event();
    for deed in ["reserve", "cancel", "claim"] {
        assert_problem(&market.act(&market.trader, deed, &bundles, &json!({})), 400, "wrong_state");
    }
    assert_problem(&market.transfer(&bundles, &json!({})), 400, "wrong_state");
    for deed in ["lock", "unlock", "withdraw"] {
        let answer = market.act(&market.issuer, deed, &bundles, &json!({"reason": "a reason"}));
        assert_problem(&answer, 400, "wrong_state");
    }
    assert_eq!((market.event(), market.status(bundles[0]).as_str()), (before, "Reserved"));
}

#[test]
fn a_reservation_is_refused_with_a_reason() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let before = market.event();
    assert_problem(&market.act(&market.trader, "reserve", &[BundleId(9)], &json!({})), 404, "bundle_missing");
    let much = json!({"certificate_quantity": 101});
    assert_problem(&market.act(&market.trader, "reserve", &bundles, &much), 400, "not_enough");
    // Another account's, and one that does not exist: the same.
    for source in [json!(market.target), json!(999)] {
        let answer = market.act(&market.trader, "reserve", &bundles, &json!({"source_id": source}));
        assert_problem(&answer, 403, "forbidden");
    }
    assert_faults(
        &market.act(
            &market.trader,
            "reserve",
            &bundles,
            &json!({"target_registry": "", "reason": "x", "action_type": "lock"}),
        ),
        &[
            ("body.target_registry", "string_too_short"),
            ("body.reason", "extra_forbidden"),
            ("body.action_type", "value_error"),
        ],
    );
    assert_eq!(market.event(), before);
    assert_only(&market, "reserve", &json!({}), bundles[0], &[Role::TradingUser, Role::ProductionUser], true);
    assert_only(&market, "reserve", &json!({}), bundles[0], &[], false);
    assert_eq!(market.status(bundles[0]), "Active");
}

#[test]
fn a_portion_is_reserved_and_a_dry_run_changes_nothing() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    let before = market.event();
    let half = json!({"certificate_bundle_percentage": "0.5"});
    let rehearsed = market.act(&market.trader, "reserve?dry_run=true", &bundles, &half).expect(202);
    assert_eq!((&rehearsed.json["id"], &rehearsed.json["total_quantity"]), (&Value::Null, &json!(100)));
    assert_eq!((market.event(), market.bundles(market.source)), (before, bundles.clone()));
    let done = market.act(&market.trader, "reserve", &bundles, &half).expect(202);
    assert_eq!((&done.json["total_quantity"], market.bundles(market.source).len()), (&json!(100), 4));
}
