//! `/certificate/claim`

use crate::{Market, assert_faults, assert_problem};
use domain::{BundleId, Role};
use serde_json::{Value, json};
use testkit::ENGINES;

#[test]
fn without_a_beneficiary_account_the_account_that_cancelled_claims() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    market.cancel(&bundles, &json!({})).expect(202);
    let part = json!({"certificate_quantity": 130, "target_id": market.target, "user_id": market.trader.user_id()});
    let answer = market.act(&market.trader, "claim", &bundles, &part).expect(202);
    assert_eq!((&answer.json["action_type"], &answer.json["total_quantity"]), (&json!("claim"), &json!(130)));
    assert_eq!(answer.json["target_id"], Value::Null);
    let states: Vec<_> =
        answer.json["result"].as_array().unwrap().iter().map(|bundle| bundle["status"].clone()).collect();
    assert_eq!(states, ["Claimed", "Bundle Split", "Claimed", "Cancelled"]);
    assert_eq!(answer.event(), market.event());
    assert_eq!(market.status(bundles[0]), "Claimed");
}

#[test]
fn with_a_beneficiary_account_only_its_users_claim() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    market.cancel(&bundles, &json!({"beneficiary_account_id": market.target})).expect(202);
    let before = market.event();
    assert_problem(&market.act(&market.trader, "claim", &bundles, &json!({})), 403, "not_beneficiary");
    assert_eq!(market.event(), before);
    let buyer = market.buyer();
    // It stays in the account that cancelled it.
    let answer = market.act(&buyer, "claim", &bundles, &json!({})).expect(202);
    assert_eq!(answer.json["result"][0]["account_id"], json!(market.source));
    // And they can look up later what was answered.
    let action = buyer.get(&format!("/certificate/action/{}", answer.json["id"])).expect(200).json;
    assert_eq!(action["result"], answer.json["result"]);
    assert_problem(&market.act(&buyer, "claim", &bundles, &json!({})), 400, "wrong_state");
}

#[test]
fn a_stranger_learns_nothing_of_what_others_cancelled() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    market.cancel(&bundles, &json!({})).expect(202);
    let buyer = market.buyer();
    let there = market.act(&buyer, "claim", &bundles, &json!({}));
    assert_problem(&there, 404, "bundle_missing");
    let nowhere = market.act(&buyer, "claim", &[BundleId(77)], &json!({}));
    let other = there.text.replace("Bundle 1 ", "Bundle 77 ").replace("\"bundle_id\":1,", "\"bundle_id\":77,");
    assert_eq!(other, nowhere.text);
    for role in Role::ALL {
        let caller = market.app.with_user(&[role], &[market.source]);
        let answer = market.act(&caller, "claim?dry_run=true", &bundles, &json!({}));
        if matches!(role, Role::TradingUser | Role::ProductionUser) {
            answer.expect(202);
        } else {
            assert_problem(&answer, 404, "bundle_missing");
        }
    }
}

#[test]
fn only_what_is_cancelled_and_not_for_storage_is_claimed() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    market.cancel(&bundles[..1], &json!({"purpose": "storage"})).expect(202);
    let before = market.event();
    assert_problem(&market.act(&market.trader, "claim", &bundles[..1], &json!({})), 400, "cancelled_for_storage");
    let active = market.act(&market.trader, "claim", &bundles[1..], &json!({}));
    assert_problem(&active, 400, "wrong_state");
    assert_eq!(active.json["needed"], json!(["Cancelled"]));
    let more = json!({"granular_certificate_bundle_ids": [], "certificate_quantity": 0, "reason": "x"});
    assert_faults(
        &market.act(&market.trader, "claim", &bundles, &more),
        &[
            ("body.granular_certificate_bundle_ids", "too_short"),
            ("body.certificate_quantity", "greater_than"),
            ("body.reason", "extra_forbidden"),
        ],
    );
    let too_much = market.act(&market.trader, "claim", &bundles[1..], &json!({"user_id": 999}));
    assert_problem(&too_much, 403, "forbidden");
    assert_eq!(market.event(), before);
}

#[test]
fn a_dry_run_of_a_claim_changes_nothing() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    market.cancel(&bundles, &json!({})).expect(202);
    let before = market.event();
    let answer = market.act(&market.trader, "claim?dry_run=true", &bundles, &json!({})).expect(202);
    assert_eq!((&answer.json["id"], &answer.json["result"][0]["status"]), (&Value::Null, &json!("Claimed")));
    assert_eq!((market.event(), market.status(bundles[0]).as_str()), (before, "Cancelled"));
}

#[test]
fn of_many_who_claim_the_same_bundle_at_once_one_succeeds() {
    const CLIENTS: usize = 16;
    for engine in ENGINES {
        let market = Market::on(engine, 1, 100);
        let bundles = market.bundles(market.source);
        market.cancel(&bundles, &json!({})).expect(202);
        let claim = || market.act(&market.trader, "claim", &bundles, &json!({}));
        let answers: Vec<_> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(claim)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 202);
        assert_eq!(done.len(), 1);
        for answer in refused {
            assert_problem(answer, 400, "wrong_state");
        }
    }
}
