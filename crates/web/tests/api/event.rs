//! `/event/query`

use crate::{Market, app, assert_faults, assert_problem};
use domain::seal::{Salt, text_hash};
use domain::{BundleId, Role, UserId};
use serde_json::{Value, json};
use testkit::ENGINES;
use testkit::http::{Answer, Client};

fn events(client: &Client, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("/event/query?{query}")).expect(200);
    assert_eq!(answer.json["next_cursor"], Value::Null, "{query}: all on one page");
    answer.json["events"].as_array().expect("a list").clone()
}

fn salt_of(event: &Value) -> Salt {
    let text = event["salt"].as_str().expect("a salt");
    std::array::from_fn(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).expect("hexadecimal"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[test]
fn who_may_read_everything_reads_the_log_without_gaps() {
    for engine in ENGINES {
        let market = Market::on(engine, 2, 100);
        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        let last = market.event();
        let (mut numbers, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = auditor.get(&format!("/event/query?limit=3{cursor}")).expect(200).json;
            let found = page["events"].as_array().unwrap();
            assert!(found.len() <= 3);
            numbers.extend(found.iter().map(|event| event["number"].as_i64().unwrap()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
        let behind: Vec<_> =
            events(&auditor, &format!("after={}", last - 2)).iter().map(|e| e["number"].clone()).collect();
        assert_eq!(behind, [json!(last - 1), json!(last)]);
        assert_eq!(events(&auditor, &format!("after={}", last + 10)), Vec::<Value>::new());
    }
}

#[test]
fn events_are_found_by_what_they_are_of_and_by_their_action() {
    let market = Market::new(2, 100);
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    let bundles = market.bundles(market.source);
    let more = json!({"beneficiary": "Green Steel", "purpose": "2026", "certificate_quantity": 40});
    let action = market.cancel(&bundles[..1], &more).expect(202).json;
    let (id, action_id) = (bundles[0], action["id"].as_i64().unwrap());
    let found = events(&auditor, &format!("entity_name=GranularCertificateBundle&entity_id={id}"));
    assert_eq!(found.len(), 2, "issued, split");
    let issued = &found[0];
    assert_eq!(issued["attributes_before"], Value::Null);
    let expected = json!({
        "account_id": market.source, "certificate_bundle_status": "Active", "device_id": market.device,
        "attributes_id": 1, "certificate_bundle_id_range_start": 1, "certificate_bundle_id_range_end": 100,
        "production_starting_interval": "2026-02-01T00:00:00Z", "production_ending_interval": "2026-02-01T01:00:00Z",
        "issuance_datestamp": "2026-03-01T12:00:00Z", "expiry_datestamp": "2028-02-01T01:00:00Z",
    });
    assert_eq!(issued["attributes_after"], expected);
    assert_eq!((&issued["event_type"], &issued["action_type"]), (&json!("CREATE"), &json!("issue")));
    assert_eq!(issued["leaf"].as_str().map(str::len), Some(64));
    let split = &found[1];
    assert_eq!(split["attributes_before"], json!({"certificate_bundle_status": "Active"}));
    assert_eq!(split["attributes_after"], json!({"certificate_bundle_status": "Bundle Split"}));
    assert_eq!((&split["actor"], &split["action_id"]), (&json!(market.trader.user_id()), &json!(action_id)));
    let of_action = events(&auditor, &format!("action_id={action_id}"));
    let told: Vec<_> = of_action.iter().map(|event| event["entity_id"].clone()).collect();
    let made: Vec<_> = action["result"].as_array().unwrap().iter().map(|part| part["bundle_id"].clone()).collect();
    assert_eq!(told, made);
    let cancelled = &of_action[1];
    let hash = hex(&text_hash(&salt_of(cancelled), "Green Steel"));
    assert_eq!(cancelled["attributes_after"]["beneficiary"], json!(hash));
    assert!(!of_action.iter().any(|event| event.to_string().contains("Green Steel")), "free text is not in the log");
    assert_eq!(events(&auditor, &format!("action_id={action_id}&entity_name=User")), Vec::<Value>::new());
    assert!(events(&auditor, "entity_name=Account").len() >= 2);
}

#[test]
fn readings_are_told_one_by_one_to_those_who_may_read_everything() {
    let market = Market::new(2, 100);
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    let found = events(&auditor, "entity_name=MeasurementReport");
    let expected = json!({
        "source": "submitted",
        "readings": (0..2).map(|hour| json!({
            "device_id": market.device, "interval_usage": 100, "gross_net_indicator": "NET", "quality": "measured",
            "interval_start_datetime": format!("2026-02-01T0{hour}:00:00Z"),
            "interval_end_datetime": format!("2026-02-01T0{}:00:00Z", hour + 1),
        })).collect::<Vec<_>>(),
    });
    assert_eq!(found[0]["attributes_after"], expected);
    let asked = market.trader.get("/event/query?entity_name=MeasurementReport&entity_id=1");
    assert_problem(&asked, 404, "not_found");
}

#[test]
fn others_read_the_events_of_what_is_theirs_and_nothing_of_others() {
    for engine in ENGINES {
        let market = Market::on(engine, 2, 100);
        let bundles = market.bundles(market.source);
        let sent = market.transfer(&bundles[..1], &json!({})).expect(202).json["id"].as_i64().unwrap();
        let kept = market.cancel(&bundles[1..], &json!({})).expect(202).json["id"].as_i64().unwrap();
        let receiver = market.app.with_user(&[Role::TradingUser], &[market.target]);
        let bundle = |client: &Client, id| {
            client.get(&format!("/event/query?entity_name=GranularCertificateBundle&entity_id={id}"))
        };

        let found = bundle(&receiver, bundles[0]).expect(200).json;
        let [issued, moved] = found["events"].as_array().unwrap().as_slice() else { panic!("{found}") };
        assert_eq!((&issued["actor"], &issued["action_id"]), (&Value::Null, &Value::Null));
        assert_eq!(issued["attributes_after"]["account_id"], Value::Null, "who held it before is not told");
        assert_eq!((&moved["actor"], &moved["action_id"]), (&Value::Null, &json!(sent)));
        assert_eq!(moved["attributes_before"], json!({"account_id": null}));
        assert_eq!(moved["attributes_after"], json!({"account_id": market.target}));

        let own = bundle(&market.trader, bundles[1]).expect(200).json;
        assert_eq!(own["events"][1]["actor"], json!(market.trader.user_id()));
        assert_problem(&bundle(&receiver, bundles[1]), 404, "not_found");
        assert_problem(&bundle(&market.trader, bundles[0]), 404, "not_found");
        assert_problem(&bundle(&receiver, BundleId(999)), 404, "not_found");

        let of = |client: &Client, action: i64| client.get(&format!("/event/query?action_id={action}"));
        assert_eq!(
            of(&market.trader, sent).expect(200).json["events"][0]["attributes_after"],
            json!({"account_id": market.target})
        );
        assert_eq!(of(&receiver, sent).expect(200).json["events"].as_array().unwrap().len(), 1);
        assert_problem(&of(&receiver, kept), 404, "not_found");
        assert_problem(&of(&receiver, 9_999), 404, "not_found");

        assert_problem(&receiver.get("/event/query"), 403, "forbidden");
        assert_problem(&receiver.get("/event/query?entity_name=Account"), 403, "forbidden");
        for (query, status) in [
            (format!("entity_name=Account&entity_id={}", market.target), 200),
            (format!("entity_name=Account&entity_id={}", market.source), 404),
            (format!("entity_name=Device&entity_id={}", market.device), 404),
            (format!("entity_name=User&entity_id={}", receiver.user_id()), 200),
            (format!("entity_name=User&entity_id={}", UserId(1)), 404),
            ("entity_name=IssuanceMetaData&entity_id=1".to_owned(), 200),
        ] {
            receiver.get(&format!("/event/query?{query}")).expect(status);
        }
        market.trader.get(&format!("/event/query?entity_name=Device&entity_id={}", market.device)).expect(200);
        for role in [Role::ProductionRegistrar, Role::MeasurementBody] {
            let reader = market.app.with_user(&[role], &[]);
            reader.get(&format!("/event/query?entity_name=Device&entity_id={}", market.device)).expect(200);
        }
    }
}

#[test]
fn all_faults_of_a_query_are_told() {
    let app = app();
    let auditor = app.with_user(&[Role::Auditor], &[]);
    let answer = auditor.get("/event/query?after=-1&entity_name=Planet&entity_id=0&action_id=x&limit=1001&page=2");
    assert_faults(
        &answer,
        &[
            ("query.after", "greater_than_equal"),
            ("query.entity_name", "enum"),
            ("query.entity_id", "greater_than"),
            ("query.action_id", "int_parsing"),
            ("query.limit", "less_than_equal"),
            ("query.page", "extra_forbidden"),
        ],
    );
    assert_problem(&app.anonymous().get("/event/query"), 401, "no_token");
}

#[test]
fn a_certificate_leads_to_the_events_of_every_bundle_that_held_it() {
    for engine in ENGINES {
        let market = Market::on(engine, 3, 100);
        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        let bundles = market.bundles(market.source);
        let receiver = market.app.with_user(&[Role::TradingUser], &[market.target]);
        // 101 to 140 are cancelled, 141 to 200 are sent on: both were in the second bundle before.
        market.cancel(&bundles[1..2], &json!({"certificate_quantity": 40})).expect(202);
        let rest = market.bundles(market.source).into_iter().max().expect("the rest");
        market.transfer(&[rest], &json!({})).expect(202);
        let of = |client: &Client, number: u64| {
            client.get(&format!("/event/query?device_id={}&certificate_id={number}", market.device))
        };
        let told = |answer: &Answer| -> Vec<(Value, Value)> {
            let events = answer.json["events"].as_array().expect("a list").iter();
            events.map(|event| (event["entity_id"].clone(), event["action_type"].clone())).collect()
        };
        let second = json!(bundles[1]);
        let found = told(&of(&auditor, 101).expect(200));
        assert_eq!(found[..2], [(second.clone(), json!("issue")), (second.clone(), json!("cancel"))]);
        assert_eq!(found[2].1, json!("cancel"), "the part that was split off");
        assert_eq!(found.len(), 3);
        assert_eq!(told(&of(&auditor, 140).expect(200)), found);
        let found = told(&of(&auditor, 141).expect(200));
        assert_eq!(found.len(), 4, "issue, split, the rest, its transfer: {found:?}");
        assert_eq!((&found[0].0, &found[3]), (&second, &(json!(rest), json!("transfer"))));
        assert_eq!(told(&of(&auditor, 300).expect(200)), [(json!(bundles[2]), json!("issue"))]);
        for (number, device) in [(301, market.device.0), (1, 99)] {
            let path = format!("/event/query?device_id={device}&certificate_id={number}");
            assert_problem(&auditor.get(&path), 404, "not_found");
        }
        // By page, each event once and in order.
        let first = of(&auditor, 141).expect(200).json["events"][0]["number"].as_i64().expect("a number");
        let path = format!("/event/query?device_id={}&certificate_id=141&after={first}&limit=2", market.device);
        let page = auditor.get(&path).expect(200);
        assert_eq!(told(&page), found[1..3]);
        let cursor = page.json["next_cursor"].as_str().expect("a next page");
        assert_eq!(told(&auditor.get(&format!("{path}&cursor={cursor}")).expect(200)), found[3..]);
        // Whoever holds it sees its events, closed where they say something of others; before, it is not there for them.
        let theirs = of(&receiver, 141).expect(200);
        assert!(told(&theirs).iter().any(|(_, kind)| kind == "transfer"));
        assert!(!theirs.text.contains(&format!("\"account_id\":{}", market.source)), "{}", theirs.text);
        assert_problem(&of(&receiver, 101), 404, "not_found");
        assert_problem(&of(&receiver, 999), 404, "not_found");
    }
}

#[test]
fn an_actor_leads_to_what_they_did() {
    for engine in ENGINES {
        let market = Market::on(engine, 3, 100);
        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        let bundles = market.bundles(market.source);
        market.cancel(&bundles[..1], &json!({})).expect(202);
        market.transfer(&bundles[1..2], &json!({"certificate_quantity": 40})).expect(202);
        let trader = market.trader.user_id().0;
        let theirs = events(&auditor, &format!("actor={trader}"));
        let kinds: Vec<_> = theirs.iter().map(|event| event["action_type"].clone()).collect();
        assert_eq!(kinds, ["cancel", "transfer", "transfer", "transfer"]);
        assert!(theirs.iter().all(|event| event["actor"] == json!(trader)));
        let everything = events(&auditor, "");
        for actor in [0, trader, 99] {
            let expected: Vec<_> = everything.iter().filter(|event| event["actor"] == json!(actor)).cloned().collect();
            assert_eq!(events(&auditor, &format!("actor={actor}")), expected, "{actor}");
            for entity in ["Account", "GranularCertificateBundle", "MeasurementReport"] {
                let of_entity = expected.iter().filter(|event| event["entity_name"] == json!(entity)).cloned();
                let found = events(&auditor, &format!("actor={actor}&entity_name={entity}"));
                assert_eq!(found, of_entity.collect::<Vec<_>>(), "{actor} {entity}");
            }
            // In pages of one, each event once.
            let (mut path, mut paged) = (format!("/event/query?actor={actor}&limit=1"), Vec::new());
            loop {
                let page = auditor.get(&path).expect(200).json;
                paged.extend(page["events"].as_array().expect("a list").clone());
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                path = format!("/event/query?actor={actor}&limit=1&cursor={cursor}");
            }
            assert_eq!(paged, expected, "{actor}");
        }
        let bundle = bundles[0];
        let of_bundle = format!("entity_name=GranularCertificateBundle&entity_id={bundle}");
        assert_eq!(events(&auditor, &format!("{of_bundle}&actor={trader}")).len(), 1);
        assert_eq!(events(&auditor, &format!("{of_bundle}&actor=99")).len(), 0);
        let certificate = format!("device_id={}&certificate_id=101&actor={trader}", market.device);
        assert_eq!(events(&auditor, &certificate).len(), 2, "split and part, not the issue");
        // Others ask it of themselves and of users of their accounts, and of what is theirs.
        assert_eq!(events(&market.trader, &format!("{of_bundle}&actor={trader}")).len(), 1);
        assert_problem(&market.trader.get(&format!("/event/query?{of_bundle}&actor=0")), 404, "not_found");
        assert_problem(&market.trader.get(&format!("/event/query?actor={trader}")), 403, "forbidden");
    }
}

#[test]
fn a_certificate_is_named_by_both_its_numbers_and_alone() {
    let market = Market::new(1, 100);
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    let fault = |query: &str, expected: &[(&str, &str)]| {
        assert_faults(&auditor.get(&format!("/event/query?{query}")), expected);
    };
    fault("device_id=1", &[("query.certificate_id", "value_error")]);
    fault("certificate_id=1", &[("query.device_id", "value_error")]);
    fault("device_id=1&certificate_id=0", &[("query.certificate_id", "greater_than")]);
    for more in ["entity_name=Device", "action_id=1"] {
        fault(&format!("device_id=1&certificate_id=1&{more}"), &[("query.certificate_id", "value_error")]);
    }
    fault("actor=-1", &[("query.actor", "greater_than_equal")]);
}
