//! `/certificate/cancel`

use crate::{Market, assert_faults, assert_problem};
use domain::BundleId;
use serde_json::{Value, json};

#[test]
fn without_a_beneficiary_it_is_the_accounts_own_name() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    let answer = market.cancel(&bundles[..1], &json!({})).expect(202);
    assert_eq!((&answer.json["beneficiary"], &answer.json["target_id"]), (&json!("source"), &Value::Null));
    assert_eq!((&answer.json["action_type"], &answer.json["total_quantity"]), (&json!("cancel"), &json!(100)));
    let shown = market.trader.get(&format!("/certificate/{}", bundles[0])).expect(200).json;
    assert_eq!((&shown["certificate_bundle_status"], &shown["beneficiary"]), (&json!("Cancelled"), &json!("source")));
    let more = json!({"beneficiary": "Green Steel", "certificate_quantity": 40, "target_id": null});
    let named = market.cancel(&bundles[1..], &more).expect(202);
    assert_eq!((&named.json["beneficiary"], &named.json["total_quantity"]), (&json!("Green Steel"), &json!(40)));
}

#[test]
fn what_is_cancelled_stays_so() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    market.cancel(&bundles, &json!({})).expect(202);
    let before = market.event();
    assert_problem(&market.cancel(&bundles, &json!({})), 400, "wrong_state");
    assert_problem(&market.transfer(&bundles, &json!({})), 400, "wrong_state");
    assert_eq!(market.event(), before);
}

#[test]
fn a_cancellation_is_refused_with_a_reason() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    assert_problem(&market.cancel(&bundles, &json!({"beneficiary_account_id": 99})), 404, "account_missing");
    assert_problem(&market.cancel(&[BundleId(9)], &json!({})), 404, "bundle_missing");
    assert_problem(&market.cancel(&bundles, &json!({"certificate_quantity": 101})), 400, "not_enough");
    let body = json!({"source_id": market.source, "granular_certificate_bundle_ids": bundles});
    assert_problem(&market.issuer.post("/certificate/cancel", &body), 403, "forbidden");
    assert_problem(&market.cancel(&bundles, &json!({"source_id": 999})), 403, "forbidden");
    assert_faults(
        &market.cancel(&bundles, &json!({"target_id": 1, "purpose": 7, "beneficiary": "a\tb"})),
        &[("body.target_id", "extra_forbidden"), ("body.purpose", "string_type"), ("body.beneficiary", "value_error")],
    );
}

#[test]
fn a_dry_run_of_a_cancellation_changes_nothing() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let before = market.event();
    let body = json!({"source_id": market.source, "granular_certificate_bundle_ids": bundles});
    let answer = market.trader.post("/certificate/cancel?dry_run=true", &body).expect(202);
    assert_eq!(answer.json["result"][0]["status"], "Cancelled");
    assert_eq!((market.event(), market.bundles(market.source)), (before, bundles.clone()));
    market.transfer(&bundles, &json!({})).expect(202);
}
