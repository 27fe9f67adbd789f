//! `/certificate/transfer`

use crate::{Market, assert_faults, assert_problem};
use domain::{BundleId, Role};
use serde_json::{Value, json};
use testkit::ENGINES;

#[test]
fn a_quantity_is_split_off_and_the_answer_says_what_became_of_every_bundle() {
    for engine in ENGINES {
        let market = Market::on(engine, 2, 100);
        let bundles = market.bundles(market.source);
        let answer = market.transfer(&bundles, &json!({"certificate_quantity": 130})).expect(202);
        let action = &answer.json;
        assert_eq!(action["id"].as_i64().map(|id| id > 0), Some(true));
        assert_eq!((&action["action_type"], &action["total_quantity"]), (&json!("transfer"), &json!(130)));
        assert_eq!(action["user_id"], json!(market.trader.user_id()));
        assert_eq!(action["granular_certificate_bundle_ids"], json!(bundles));
        assert_eq!(action["action_response_status"], "accepted");
        let result: Vec<_> = action["result"]
            .as_array()
            .unwrap()
            .iter()
            .map(|bundle| {
                (bundle["quantity"].as_i64().unwrap(), bundle["status"].as_str().unwrap(), bundle["account_id"].clone())
            })
            .collect();
        let (source, target) = (json!(market.source), json!(market.target));
        assert_eq!(
            result,
            [
                (100, "Active", target.clone()),
                (100, "Bundle Split", source.clone()),
                (30, "Active", target),
                (70, "Active", source),
            ]
        );
        assert_eq!(answer.event(), market.event());
        assert_eq!(market.bundles(market.target).len(), 2);
    }
}

#[test]
fn a_percentage_is_exact_and_of_each_bundle() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    // Through floating point, 29 % of 100 would be 28.
    for share in [json!(0.29), json!("0.29")] {
        let answer = market.trader.post(
            "/certificate/transfer?dry_run=true",
            &market.transfer_body(&bundles, &json!({"certificate_bundle_percentage": share})),
        );
        let answer = answer.expect(202).json;
        assert_eq!((&answer["total_quantity"], &answer["certificate_bundle_percentage"]), (&json!(58), &json!(0.29)));
    }
    let long = "0.123456789012345678";
    let body = market.transfer_body(&bundles, &json!({})).to_string();
    let body = body.replacen('{', &format!("{{\"certificate_bundle_percentage\":{long},"), 1);
    let answer = market.trader.send("POST", "/certificate/transfer", &body).expect(202);
    assert!(answer.text.contains(&format!("\"certificate_bundle_percentage\":{long},")), "{}", answer.text);
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let before = market.event();
    let body = market.transfer_body(&bundles, &json!({"certificate_quantity": 25}));
    let rehearsed = market.trader.post("/certificate/transfer?dry_run=true", &body).expect(202);
    assert_eq!((rehearsed.event(), market.event()), (before, before));
    assert_eq!(market.bundles(market.source), bundles);
    let ids: Vec<&Value> =
        rehearsed.json["result"].as_array().unwrap().iter().map(|bundle| &bundle["bundle_id"]).collect();
    assert_eq!(ids, [&json!(bundles[0]), &Value::Null, &Value::Null]);
    assert_eq!(rehearsed.json["id"], Value::Null);
    let done = market.trader.post("/certificate/transfer?dry_run=0", &body).expect(202);
    let blind = |mut answer: Value| {
        answer["id"] = Value::Null;
        for bundle in answer["result"].as_array_mut().unwrap() {
            bundle["bundle_id"] = Value::Null;
        }
        answer
    };
    assert_eq!(blind(rehearsed.json), blind(done.json));
}

#[test]
fn every_refusal_has_its_status_and_its_numbers_and_changes_nothing() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    market.cancel(&bundles[1..], &json!({})).expect(202);
    let before = market.event();
    let unlisted = market.app.testkit.account("unlisted");
    let before = before.max(market.event());
    for (ids, more, status, slug, numbers) in [
        (vec![1], json!({"target_id": market.source}), 400, "target_is_source", json!({"source_id": market.source})),
        (vec![1], json!({"target_id": unlisted}), 400, "not_whitelisted", json!({"target_id": unlisted})),
        (vec![1], json!({"target_id": 999}), 400, "not_whitelisted", json!({"target_id": 999})),
        (vec![1, 99], json!({}), 404, "bundle_missing", json!({"bundle_id": 99})),
        (
            vec![1, 2],
            json!({}),
            400,
            "wrong_state",
            json!({"bundle_id": 2, "certificate_bundle_status": "Cancelled", "needed": ["Active"]}),
        ),
        (vec![1], json!({"certificate_quantity": 101}), 400, "not_enough", json!({"held": 100, "asked": 101})),
        (vec![1], json!({"certificate_bundle_percentage": 0.001}), 400, "nothing_picked", json!({})),
    ] {
        let ids: Vec<BundleId> = ids.into_iter().map(BundleId).collect();
        let answer = market.transfer(&ids, &more);
        assert_problem(&answer, status, slug);
        for (name, value) in numbers.as_object().unwrap() {
            assert_eq!(&answer.json[name], value, "{slug}: {name}");
        }
    }
    assert_eq!(market.event(), before);
}

#[test]
fn only_traders_of_the_source_may_and_only_as_themselves() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let body = market.transfer_body(&bundles, &json!({}));
    for role in Role::ALL {
        let stranger = market.app.with_user(&[role], &[market.target]);
        assert_problem(&stranger.post("/certificate/transfer", &body), 403, "forbidden");
        let member = market.app.with_user(&[role], &[market.source]);
        let answer = member.post("/certificate/transfer?dry_run=true", &body);
        if matches!(role, Role::TradingUser | Role::ProductionUser) {
            answer.expect(202);
        } else {
            assert_problem(&answer, 403, "forbidden");
        }
    }
    let other = market.transfer(&bundles, &json!({"user_id": 999}));
    assert_problem(&other, 403, "forbidden");
    let unknown = market.transfer(&bundles, &json!({"source_id": 999}));
    assert_problem(&unknown, 403, "forbidden");
}

#[test]
fn the_selection_is_checked_for_its_shape() {
    let market = Market::new(0, 0);
    let many: Vec<i64> = (1..=10_001).collect();
    for (more, faults) in [
        (json!({"granular_certificate_bundle_ids": []}), vec![("body.granular_certificate_bundle_ids", "too_short")]),
        (
            json!({"granular_certificate_bundle_ids": [3, 4, 3]}),
            vec![("body.granular_certificate_bundle_ids", "value_error")],
        ),
        (json!({"granular_certificate_bundle_ids": many}), vec![("body.granular_certificate_bundle_ids", "too_long")]),
        (json!({"granular_certificate_bundle_ids": 3}), vec![("body.granular_certificate_bundle_ids", "list_type")]),
        (json!({"certificate_quantity": 0}), vec![("body.certificate_quantity", "greater_than")]),
        (json!({"certificate_quantity": 1.5}), vec![("body.certificate_quantity", "int_from_float")]),
        (json!({"certificate_bundle_percentage": 0}), vec![("body.certificate_bundle_percentage", "greater_than")]),
        (json!({"certificate_bundle_percentage": -0.5}), vec![("body.certificate_bundle_percentage", "greater_than")]),
        (
            json!({"certificate_bundle_percentage": 1.01}),
            vec![("body.certificate_bundle_percentage", "less_than_equal")],
        ),
        (
            json!({"certificate_bundle_percentage": "half"}),
            vec![("body.certificate_bundle_percentage", "decimal_parsing")],
        ),
        (
            json!({"certificate_bundle_percentage": 0.5, "certificate_quantity": 1}),
            vec![("body.certificate_bundle_percentage", "value_error")],
        ),
        (json!({"action_type": "cancel"}), vec![("body.action_type", "value_error")]),
        (json!({"beneficiary": "x"}), vec![("body.beneficiary", "extra_forbidden")]),
    ] {
        assert_faults(&market.transfer(&[BundleId(1)], &more), &faults);
    }
}

/// Sixty-four clients over HTTP want parts of the same bundles: what they were told they got is what is there, to the
/// watt-hour.
#[test]
fn sixty_four_clients_that_fight_over_the_same_bundles_lose_and_gain_nothing() {
    const CLIENTS: i64 = 64;
    for engine in ENGINES {
        let market = Market::on(engine, 4, 1_000);
        let bundles = market.bundles(market.source);
        let fight = |client: i64| {
            let own = [bundles[usize::try_from(client % 4).unwrap()]];
            let share = json!({"certificate_quantity": 1 + client});
            let answer = if client % 2 == 0 { market.transfer(&own, &share) } else { market.cancel(&own, &share) };
            match answer.status {
                202 => (client % 2 == 0, 1 + client),
                // Somebody else was faster: the bundle is divided by now.
                400 => {
                    assert_eq!(answer.json["type"], "/problems/wrong_state", "{}", answer.text);
                    (true, 0)
                }
                404 => {
                    assert_eq!(answer.json["type"], "/problems/bundle_missing", "{}", answer.text);
                    (true, 0)
                }
                status => panic!("{status}: {}", answer.text),
            }
        };
        let told: Vec<(bool, i64)> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || fight(client))).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let total = |wanted| told.iter().filter(|(is_moved, _)| *is_moved == wanted).map(|(_, wh)| wh).sum::<i64>();
        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        let volume = |account, status| {
            let body = json!({"source_id": account, "certificate_bundle_status": status});
            auditor.post("/certificate/query", &body).expect(202).json["total_certificate_volume"].as_i64().unwrap()
        };
        assert_eq!(volume(market.target, "Active"), total(true), "what was transferred");
        assert_eq!(volume(market.source, "Cancelled"), total(false), "what was cancelled");
        assert_eq!(volume(market.source, "Active"), 4_000 - total(true) - total(false), "what is left");
        assert_eq!(told.iter().filter(|(_, wh)| *wh > 0).count(), 4, "one winner for each bundle");
    }
}
