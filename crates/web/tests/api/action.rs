//! `/certificate/action/{id}`, `/certificate/action/rejected/{id}`, `/certificate/action/list`

use crate::{Market, assert_faults, assert_problem};
use domain::{BundleId, Role};
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::ENGINES;
use testkit::http::{Answer, Client};

fn read(client: &Client, id: &Value) -> Answer {
    client.get(&format!("/certificate/action/{id}"))
}

fn list(client: &Client, query: &str) -> Vec<Value> {
    let page = client.get(&format!("/certificate/action/list?{query}")).expect(200).json;
    assert_eq!(page["next_cursor"], Value::Null, "{query}: all on one page");
    page["actions"].as_array().expect("a list").clone()
}

/// What the answer to an action has in common with the action as it is read later.
fn common(action: &Value) -> Vec<&Value> {
    [
        "id",
        "action_type",
        "source_id",
        "target_id",
        "granular_certificate_bundle_ids",
        "certificate_quantity",
        "certificate_bundle_percentage",
        "beneficiary",
        "beneficiary_account_id",
        "purpose",
        "action_request_datetime",
        "action_completed_datetime",
        "action_response_status",
        "result",
        "total_quantity",
        "user_id",
    ]
    .map(|member| &action[member])
    .to_vec()
}

#[test]
fn an_action_reads_as_it_was_answered_whatever_happens_later() {
    for engine in ENGINES {
        let market = Market::on(engine, 3, 100);
        let bundles = market.bundles(market.source);
        let moved = market.transfer(&bundles[..2], &json!({"certificate_quantity": 130})).expect(202).json;
        let rest = moved["result"][3]["bundle_id"].clone();
        let more = json!({
            "granular_certificate_bundle_ids": [rest, bundles[2]], "certificate_bundle_percentage": 0.5,
            "beneficiary": "Green Steel", "beneficiary_account_id": market.target, "purpose": "2026",
        });
        let cancelled = market.cancel(&[], &more).expect(202).json;
        let last = market.cancel(&bundles[2..], &json!({}));
        assert_problem(&last, 400, "wrong_state");
        for answered in [&moved, &cancelled] {
            let found = read(&market.trader, &answered["id"]).expect(200).json;
            assert_eq!(common(&found), common(answered));
            assert_eq!((&found["rejected_id"], &found["rejection"]), (&Value::Null, &Value::Null));
            let (first, last) = (found["first_event"].as_i64().unwrap(), found["last_event"].as_i64().unwrap());
            assert_eq!(last - first + 1, i64::try_from(found["result"].as_array().unwrap().len()).unwrap());
        }
        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        assert_eq!(common(&read(&auditor, &cancelled["id"]).expect(200).json), common(&cancelled));
        let issue = list(&auditor, "action_type=issue")[0]["id"].clone();
        let issued = read(&auditor, &issue).expect(200).json;
        assert_eq!((&issued["action_type"], &issued["total_quantity"]), (&json!("issue"), &json!(300)));
        assert_eq!(issued["result"].as_array().unwrap().len(), 3);
        assert_eq!(issued["result"][0]["status"], "Active", "as the issue left it");
    }
}

#[test]
fn who_an_action_reached_sees_what_came_to_them() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    let moved = market.transfer(&bundles[..1], &json!({"certificate_quantity": 30})).expect(202).json;
    let kept = market.cancel(&bundles[1..], &json!({"certificate_quantity": 10})).expect(202).json;
    let rest = kept["result"][2]["bundle_id"].clone();
    let more = json!({"granular_certificate_bundle_ids": [rest], "beneficiary_account_id": market.target});
    let theirs = market.cancel(&[], &more).expect(202).json;
    let receiver = market.app.with_user(&[Role::TradingUser], &[market.target]);
    let found = read(&receiver, &moved["id"]).expect(200).json;
    assert_eq!((&found["user_id"], &found["total_quantity"]), (&Value::Null, &json!(30)));
    let seen: Vec<_> = found["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| (&part["quantity"], &part["account_id"], &part["status"]))
        .collect();
    let elsewhere = (&Value::Null, &Value::Null);
    assert_eq!(
        seen,
        [
            (&json!(100), elsewhere.0, elsewhere.1),
            (&json!(30), &json!(market.target), &json!("Active")),
            (&json!(70), elsewhere.0, elsewhere.1),
        ]
    );
    read(&receiver, &theirs["id"]).expect(200);
    assert_problem(&read(&receiver, &kept["id"]), 404, "not_found");
    assert_problem(&read(&receiver, &json!(999)), 404, "not_found");
    let ids: Vec<_> = list(&receiver, "").iter().map(|action| action["id"].clone()).collect();
    // The whitelist of the receiver's account is its own action.
    assert_eq!(ids[..2], [theirs["id"].clone(), moved["id"].clone()]);
    assert_eq!(list(&receiver, "action_type=update_whitelist").len(), ids.len() - 2);
    let stranger = market.app.with_user(&[Role::TradingUser], &[]);
    assert_problem(&read(&stranger, &moved["id"]), 404, "not_found");
    assert_eq!(list(&stranger, ""), Vec::<Value>::new());
    assert_eq!(list(&stranger, &format!("source_id={}", market.source)), Vec::<Value>::new());
}

#[test]
fn what_a_rule_refuses_is_kept_apart_with_its_reason() {
    for engine in ENGINES {
        let market = Market::on(engine, 2, 100);
        let bundles = market.bundles(market.source);
        let before = market.transfer(&bundles[..1], &json!({"certificate_quantity": 10})).expect(202).json;
        let (event, asked) = (market.event(), json!({"certificate_quantity": 500}));
        let refused = market.transfer(&bundles[1..], &asked);
        assert_problem(&refused, 400, "not_enough");
        let missing = market.cancel(&[BundleId(999)], &json!({}));
        assert_problem(&missing, 404, "bundle_missing");
        assert_eq!(market.event(), event, "the ledger knows nothing of it");
        let after = market.cancel(&bundles[1..], &json!({})).expect(202).json;
        assert_eq!(after["id"].as_i64(), before["id"].as_i64().map(|id| id + 1), "the ids of actions have no gap");

        let found = list(&market.trader, "status=rejected");
        assert_eq!(found.len(), 2);
        let action = &found[1];
        assert_eq!((&action["id"], &action["action_response_status"]), (&Value::Null, &json!("rejected")));
        assert_eq!(action["rejection"], refused.json, "the problem as it was answered");
        assert_eq!((&action["source_id"], &action["target_id"]), (&json!(market.source), &json!(market.target)));
        assert_eq!((&action["certificate_quantity"], &action["result"]), (&json!(500), &json!([])));
        assert_eq!(found[0]["rejection"]["type"], "/problems/bundle_missing");
        let path = format!("/certificate/action/rejected/{}", action["rejected_id"]);
        let colleague = market.app.with_user(&[], &[market.source]);
        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        for client in [&market.trader, &colleague, &auditor] {
            assert_eq!(&client.get(&path).expect(200).json, action);
        }
        let receiver = market.app.with_user(&[Role::TradingUser], &[market.target]);
        assert_problem(&receiver.get(&path), 404, "not_found");
        assert_problem(&market.trader.get("/certificate/action/rejected/999"), 404, "not_found");

        market.app.testkit.time.advance(SignedDuration::from_hours(24 * 90));
        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        assert_problem(&auditor.get(&path), 404, "not_found");
        assert_eq!(list(&auditor, "status=rejected"), Vec::<Value>::new());
    }
}

#[test]
fn what_is_no_rules_refusal_of_somebody_who_may_act_is_not_kept() {
    let market = Market::new(1, 100);
    let bundles = market.bundles(market.source);
    let body = market.transfer_body(&bundles, &json!({}));
    let stranger = market.app.with_user(&[Role::TradingUser], &[market.target]);
    assert_problem(&stranger.post("/certificate/transfer", &body), 403, "forbidden");
    let much = market.transfer_body(&bundles, &json!({"certificate_quantity": 500}));
    assert_problem(&market.trader.post("/certificate/transfer?dry_run=true", &much), 400, "not_enough");
    assert_eq!(market.trader.post("/certificate/transfer", &json!({})).status, 422);
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    assert_eq!(list(&auditor, "status=rejected"), Vec::<Value>::new());
}

#[test]
fn actions_are_listed_newest_first_the_rejected_among_them() {
    for engine in ENGINES {
        let market = Market::on(engine, 3, 100);
        let bundles = market.bundles(market.source);
        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        let tick = || market.app.testkit.time.advance(SignedDuration::from_secs(60));
        tick();
        market.transfer(&bundles[..1], &json!({})).expect(202);
        tick();
        assert_eq!(market.transfer(&bundles[..1], &json!({})).status, 404);
        tick();
        market.cancel(&bundles[1..2], &json!({})).expect(202);
        tick();
        assert_eq!(market.cancel(&bundles[1..2], &json!({})).status, 400);
        let kinds = |client: &Client, query: &str| -> Vec<(String, bool)> {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = client.get(&format!("/certificate/action/list?{query}{cursor}")).expect(200).json;
                let of = |action: &Value| (action["action_type"].as_str().unwrap().to_owned(), action["id"].is_i64());
                found.extend(page["actions"].as_array().unwrap().iter().map(of));
                let Some(next) = page["next_cursor"].as_str() else { return found };
                cursor = format!("&cursor={next}");
            }
        };
        let expected: Vec<(String, bool)> =
            [("cancel", false), ("cancel", true), ("transfer", false), ("transfer", true)]
                .map(|(kind, is_accepted)| (kind.to_owned(), is_accepted))
                .to_vec();
        for limit in [1, 3, 100] {
            let query = format!("limit={limit}&source_id={}", market.source);
            let own: Vec<_> =
                kinds(&market.trader, &query).into_iter().filter(|(kind, _)| kind != "create_device").collect();
            assert_eq!(own, expected, "in pages of {limit}");
            assert_eq!(kinds(&auditor, &format!("limit={limit}"))[..4], expected[..], "in pages of {limit}");
        }
        let start = "2026-03-01T12:01:00Z";
        assert_eq!(kinds(&auditor, &format!("from={start}")), expected);
        assert_eq!(kinds(&auditor, "from=2026-03-01T12:02:00Z&to=2026-03-01T12:04:00Z"), expected[1..3]);
        assert_eq!(kinds(&auditor, "status=accepted&action_type=cancel"), expected[1..2]);
        assert_eq!(kinds(&auditor, "status=rejected&action_type=transfer"), expected[2..3]);
        assert_eq!(kinds(&auditor, &format!("to={start}&action_type=issue")), [("issue".to_owned(), true)]);
        assert_eq!(kinds(&auditor, &format!("to={start}&action_type=cancel")), []);
    }
}

#[test]
fn all_faults_of_a_list_are_told() {
    let market = Market::new(0, 0);
    let path = "/certificate/action/list?source_id=0&action_type=fly&status=maybe&from=x&to=y&cursor=z";
    assert_faults(
        &market.trader.get(path),
        &[
            ("query.source_id", "greater_than"),
            ("query.action_type", "enum"),
            ("query.status", "enum"),
            ("query.from", "datetime_from_date_parsing"),
            ("query.to", "datetime_from_date_parsing"),
            ("query.cursor", "value_error"),
        ],
    );
}
