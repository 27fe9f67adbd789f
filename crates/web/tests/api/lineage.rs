//! `/certificate/{id}/lineage`

use crate::{Market, assert_problem};
use domain::action::{Deed, Portion};
use domain::{Actor, BundleId, Role, WattHours};
use serde_json::{Value, json};
use testkit::ENGINES;
use testkit::http::Client;

fn lineage(client: &Client, id: impl std::fmt::Display) -> Value {
    client.get(&format!("/certificate/{id}/lineage")).expect(200).json
}

fn bundles_of(lineage: &Value) -> Vec<&Value> {
    lineage["bundles"].as_array().expect("a list").iter().collect()
}

/// (relation, generation, first, last) of each bundle.
fn shape(lineage: &Value) -> Vec<(&str, i64, i64, i64)> {
    let number = |bundle: &Value, name: &str| bundle[name].as_i64().expect("a number");
    bundles_of(lineage)
        .into_iter()
        .map(|bundle| {
            let relation = bundle["relation"].as_str().expect("a word");
            (relation, number(bundle, "generation"), number(bundle, "range_start"), number(bundle, "range_end"))
        })
        .collect()
}

#[test]
fn the_tree_of_splits_is_there_with_its_ranges_and_what_is_elsewhere_is_closed() {
    for engine in ENGINES {
        let market = Market::on(engine, 2, 100);
        let root = market.bundles(market.source)[0];
        let moved = market.transfer(&[root], &json!({"certificate_quantity": 40})).expect(202).json;
        let part = |action: &Value, place: usize| BundleId(action["result"][place]["bundle_id"].as_i64().unwrap());
        let (sent, rest) = (part(&moved, 1), part(&moved, 2));
        let cancelled = market.cancel(&[rest], &json!({"certificate_quantity": 10})).expect(202).json;

        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        let whole = lineage(&auditor, rest);
        assert_eq!(
            shape(&whole),
            [
                ("ancestor", 0, 1, 100),
                ("relative", 1, 1, 40),
                ("itself", 1, 41, 100),
                ("descendant", 2, 41, 50),
                ("descendant", 2, 51, 100),
            ]
        );
        assert_eq!((&whole["range_start"], &whole["range_end"]), (&json!(1), &json!(100)));
        assert_eq!(whole["issuance_id"], "1-electricity-20260201T000000Z");
        assert_eq!((&whole["has_more_bundles"], &whole["has_more_events"]), (&json!(false), &json!(false)));
        let changes: Vec<_> =
            whole["events"].as_array().unwrap().iter().map(|event| event["change"].as_str().unwrap()).collect();
        assert_eq!(
            changes,
            [
                "issued".to_owned(),
                "certificate_bundle_status: Active → Bundle Split".to_owned(),
                format!("split from bundle {root}"),
                format!("split from bundle {root}"),
                "certificate_bundle_status: Active → Bundle Split".to_owned(),
                format!("split from bundle {rest}"),
                format!("split from bundle {rest}"),
            ]
        );
        assert!(bundles_of(&whole).iter().all(|bundle| bundle["is_held_elsewhere"] == false));

        let receiver = market.app.with_user(&[Role::TradingUser], &[market.target]);
        let seen = lineage(&receiver, sent);
        assert_eq!(
            shape(&seen),
            [
                ("ancestor", 0, 1, 100),
                ("itself", 1, 1, 40),
                ("relative", 1, 41, 100),
                ("relative", 2, 41, 50),
                ("relative", 2, 51, 100),
            ]
        );
        for bundle in bundles_of(&seen) {
            let is_own = bundle["relation"] == "itself";
            assert_eq!(bundle["is_held_elsewhere"], !is_own);
            assert_eq!(bundle["account_id"], if is_own { json!(market.target) } else { Value::Null });
            assert_eq!(bundle["beneficiary"], Value::Null, "{bundle}");
        }
        let live_elsewhere = bundles_of(&seen)[4];
        assert_eq!(live_elsewhere["certificate_bundle_status"], Value::Null);
        let events = seen["events"].as_array().unwrap();
        assert_eq!(events.len(), 1, "of its own bundle only: {seen}");
        assert_eq!((&events[0]["actor"], &events[0]["entity_id"]), (&Value::Null, &json!(sent)));
        let own = lineage(&market.trader, part(&cancelled, 1));
        assert_eq!(bundles_of(&own).iter().filter(|bundle| bundle["is_held_elsewhere"] == true).count(), 1);
        assert_problem(&receiver.get(&format!("/certificate/{rest}/lineage")), 404, "not_found");
        assert_problem(&receiver.get("/certificate/999/lineage"), 404, "not_found");
    }
}

#[test]
fn what_was_withdrawn_says_so_to_everybody_who_holds_a_part() {
    let market = Market::new(1, 100);
    let root = market.bundles(market.source)[0];
    let moved = market.transfer(&[root], &json!({"certificate_quantity": 40})).expect(202).json;
    let rest = BundleId(moved["result"][2]["bundle_id"].as_i64().unwrap());
    let (issuer, deed) =
        (Actor::User(market.issuer.user_id()), Deed::Withdraw { reason: "a fault".to_owned(), export_failed: false });
    let portion = Portion::Quantity(WattHours(5));
    market.app.testkit.bundles(issuer, market.source, &[rest], portion, deed).unwrap();
    let receiver = market.app.with_user(&[Role::TradingUser], &[market.target]);
    let seen = lineage(&receiver, moved["result"][1]["bundle_id"].as_i64().unwrap());
    let states: Vec<_> = bundles_of(&seen).iter().map(|bundle| bundle["certificate_bundle_status"].clone()).collect();
    assert_eq!(
        states,
        [json!("Bundle Split"), json!("Active"), json!("Bundle Split"), json!("Withdrawn"), Value::Null]
    );
}
