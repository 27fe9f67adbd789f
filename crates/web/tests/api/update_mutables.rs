//! `/certificate/update_mutables`

use crate::{Market, assert_faults, assert_problem, merged};
use domain::{BundleId, Role};
use serde_json::{Value, json};
use testkit::http::{Answer, Client};
use testkit::{ENGINES, at};

const PATH: &str = "/certificate/update_mutables";

fn correct(market: &Market, client: &Client, bundles: &[BundleId], more: &Value) -> Answer {
    let body = json!({"source_id": market.source, "granular_certificate_bundle_ids": bundles});
    client.patch(PATH, &merged(body, more))
}

#[test]
fn the_issuer_moves_bundles_to_an_account_that_whitelisted_nobody() {
    for engine in ENGINES {
        let market = Market::on(engine, 2, 100);
        let bundles = market.bundles(market.source);
        let elsewhere = market.app.testkit.account("elsewhere");
        let more = json!({"account_id": elsewhere, "certificate_quantity": 150, "reason": "registered wrongly"});
        let answer = correct(&market, &market.issuer, &bundles, &more).expect(201);
        assert_eq!(
            (&answer.json["action_type"], &answer.json["target_id"]),
            (&json!("update_mutables"), &json!(elsewhere))
        );
        assert_eq!((&answer.json["total_quantity"], answer.event()), (&json!(150), market.event()));
        assert_eq!(answer.json["reason"], "registered wrongly");
        let request = market.app.testkit.request_of(answer.json["id"].as_i64().unwrap());
        assert_eq!(serde_json::from_str::<Value>(&request).unwrap()["reason"], "registered wrongly");
        assert!(!market.app.testkit.is_in_an_event("registered wrongly"));
        assert_eq!(market.bundles(elsewhere).len(), 2);
    }
}

#[test]
fn a_state_is_corrected_under_each_name_and_along_the_table() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    for (name, status) in [
        ("certificate_bundle_status", "Locked"),
        ("certificate_status_to_update_to", "Active"),
        ("certificate_bundle_status_to_update_to", "Locked"),
    ] {
        let answer = correct(&market, &market.issuer, &bundles, &json!({name: status})).expect(201);
        assert_eq!(
            (&answer.json["result"][0]["status"], answer.json["certificate_bundle_status"].as_str()),
            (&json!(status), Some(status))
        );
    }
    // A locked bundle moves and stays locked.
    for name in ["account_id_to_update_to", "id_to_update_to"] {
        let more = json!({name: market.target});
        let rehearsed = market.issuer.patch(
            &format!("{PATH}?dry_run=true"),
            &merged(json!({"source_id": market.source, "granular_certificate_bundle_ids": bundles}), &more),
        );
        let bundle = &rehearsed.expect(201).json["result"][0];
        assert_eq!((&bundle["status"], &bundle["account_id"]), (&json!("Locked"), &json!(market.target)));
    }
    let withdrawn = correct(&market, &market.issuer, &bundles, &json!({"certificate_bundle_status": "Withdrawn"}));
    assert_eq!(withdrawn.expect(201).json["result"][0]["status"], "Withdrawn");
    // What was withdrawn this way is held like any other.
    let again = market.issue().expect(202).json;
    assert_eq!(again["issued"], 0, "{again}");
    let reason = again["refused"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("held until they are released"), "{reason}");
}

#[test]
fn a_correction_does_not_un_cancel_nor_create_nor_outlive_expiry() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    market.cancel(&bundles[..1], &json!({})).expect(202);
    let before = market.event();
    for more in [
        json!({"certificate_bundle_status": "Active"}),
        json!({"account_id": market.target}),
        json!({"certificate_bundle_status": "Withdrawn"}),
    ] {
        let answer = correct(&market, &market.issuer, &bundles[..1], &more);
        assert_problem(&answer, 400, "wrong_state");
        assert_eq!(
            (&answer.json["bundle_id"], &answer.json["certificate_bundle_status"]),
            (&json!(bundles[0]), &json!("Cancelled"))
        );
    }
    for status in ["Claimed", "Expired", "Bundle Split"] {
        let answer = correct(&market, &market.issuer, &bundles[1..], &json!({"certificate_bundle_status": status}));
        assert_problem(&answer, 400, "not_correctable");
    }
    let too_much = correct(
        &market,
        &market.issuer,
        &bundles[1..],
        &json!({"account_id": market.target, "certificate_quantity": 101}),
    );
    assert_problem(&too_much, 400, "not_enough");
    assert_eq!(market.event(), before);
    market.app.testkit.time.set(at("2028-02-01T02:00:00Z"));
    let issuer = market.app.with_user(&[Role::GcIssuer], &[]);
    let answer = correct(&market, &issuer, &bundles[1..], &json!({"account_id": market.target}));
    assert_problem(&answer, 400, "wrong_state");
    assert_eq!(answer.json["certificate_bundle_status"], "Expired");
}

#[test]
fn every_other_refusal_has_its_status() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let before = market.event();
    for (ids, more, status, slug) in [
        (&bundles[..], json!({}), 400, "nothing_stated"),
        (&bundles, json!({"account_id": 999}), 404, "account_missing"),
        (&bundles, json!({"account_id": market.source}), 400, "target_is_source"),
        (&bundles, json!({"certificate_bundle_status": "Active"}), 400, "wrong_state"),
        (&[BundleId(9)], json!({"account_id": market.target}), 404, "bundle_missing"),
        (&bundles, json!({"account_id": market.target, "source_id": 999}), 404, "bundle_missing"),
        (&bundles, json!({"account_id": market.target, "user_id": 999}), 403, "forbidden"),
    ] {
        assert_problem(&correct(&market, &market.issuer, ids, &more), status, slug);
    }
    let more = json!({"account_id": 1, "id_to_update_to": 2, "certificate_bundle_status": "Frozen", "reason": ""});
    assert_faults(
        &correct(&market, &market.issuer, &bundles, &more),
        &[
            ("body.id_to_update_to", "value_error"),
            ("body.certificate_bundle_status", "enum"),
            ("body.reason", "string_too_short"),
        ],
    );
    assert_eq!(market.event(), before);
}

#[test]
fn nobody_but_the_issuer_corrects() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let body = json!({
        "source_id": market.source, "granular_certificate_bundle_ids": bundles, "account_id": market.target,
    });
    for role in Role::ALL {
        let caller = market.app.with_user(&[role], &[market.source]);
        let answer = caller.patch(&format!("{PATH}?dry_run=true"), &body);
        if matches!(role, Role::RegistryAdministrator | Role::GcIssuer) {
            answer.expect(201);
        } else {
            assert_problem(&answer, 403, "forbidden");
        }
    }
    assert_eq!(market.bundles(market.source), bundles);
}
