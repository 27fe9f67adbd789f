//! `/certificate/recurring_transfer`, `/certificate/recurring_cancel` and `/certificate/recurring/…`

use crate::{Market, assert_faults, assert_problem, merged};
use domain::Role;
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::http::{Answer, Client};
use testkit::{ENGINES, assert_verified};

const TRANSFER: &str = "/certificate/recurring_transfer";
const CANCEL: &str = "/certificate/recurring_cancel";
const LIST: &str = "/certificate/recurring/list";

fn transfer(market: &Market, client: &Client, more: &Value) -> Answer {
    let body = json!({
        "source_id": market.source, "target_id": market.target, "initial_transfer_datetime": "2026-03-31T10:00:00Z",
        "recurring_transfer_period_units": "months",
    });
    client.post(TRANSFER, &merged(body, more))
}

fn cancel(market: &Market, client: &Client, more: &Value) -> Answer {
    let body = json!({
        "source_id": market.source, "initial_cancellation_datetime": "2026-03-01",
        "recurring_cancellation_period_units": "weeks", "recurring_cancellation_period_quantity": 2,
    });
    client.post(CANCEL, &merged(body, more))
}

fn listed(client: &Client, query: &str) -> Vec<i64> {
    let answer = client.get(&format!("{LIST}{query}")).expect(200).json;
    let orders = answer["recurring_orders"].as_array().expect("a list");
    orders.iter().map(|order| order["id"].as_i64().expect("an id")).collect()
}

#[test]
fn an_order_is_kept_and_says_when_it_is_due() {
    for engine in ENGINES {
        let market = Market::on(engine, 0, 0);
        let more = json!({
            "certificate_bundle_percentage": "0.25", "device_id": market.device, "energy_source": "wind",
            "number_of_recurring_transfers": 4, "user_id": market.trader.user_id(), "localise_time": true,
        });
        let answer = transfer(&market, &market.trader, &more).expect(202);
        let order = &answer.json;
        assert_eq!(answer.event(), market.event());
        for (name, value) in [
            ("id", json!(1)),
            ("action_type", json!("recurring_transfer")),
            ("source_id", json!(market.source)),
            ("target_id", json!(market.target)),
            ("user_id", json!(market.trader.user_id())),
            ("initial_action_datetime", json!("2026-03-31T10:00:00Z")),
            ("recurring_action_period_units", json!("months")),
            ("recurring_action_period_quantity", json!(1)),
            ("number_of_recurring_actions", json!(4)),
            ("device_id", json!(market.device)),
            ("energy_source", json!("wind")),
            ("certificate_quantity", Value::Null),
            ("certificate_bundle_percentage", json!(0.25)),
            ("order_state", json!("active")),
            ("next_due_at", json!("2026-03-31T10:00:00Z")),
            (
                "next_due_dates",
                json!(["2026-03-31T10:00:00Z", "2026-04-30T10:00:00Z", "2026-05-31T10:00:00Z", "2026-06-30T10:00:00Z"]),
            ),
            ("runs_done", json!(0)),
        ] {
            assert_eq!(order[name], value, "{name}");
        }
        let why = json!({"beneficiary": "Ada's bakery", "purpose": "bread of the week", "certificate_quantity": 10});
        let second = cancel(&market, &market.trader, &why).expect(202).json;
        assert_eq!((&second["beneficiary"], &second["purpose"]), (&why["beneficiary"], &why["purpose"]));
        assert_eq!(second["next_due_dates"][4], "2026-04-26T00:00:00Z");
        let shown = market.trader.get(LIST).expect(200).json;
        assert_eq!(shown["recurring_orders"], json!([order, second]));
        assert!(!market.app.testkit.is_in_an_event("bread of the week"));
        assert_verified(market.app.testkit.database.url());
    }
}

#[test]
fn general_names_are_read_too_and_not_both() {
    let market = Market::new(0, 0);
    let general = json!({
        "initial_transfer_datetime": null, "recurring_transfer_period_units": null,
        "initial_action_datetime": "2026-03-02", "recurring_action_period_units": "days",
        "recurring_action_period_quantity": "3", "number_of_recurring_actions": 2,
    });
    let order = transfer(&market, &market.trader, &general).expect(202).json;
    assert_eq!(order["next_due_dates"], json!(["2026-03-02T00:00:00Z", "2026-03-05T00:00:00Z"]));
    let both = json!({"initial_action_datetime": "2026-03-02"});
    assert_faults(&transfer(&market, &market.trader, &both), &[("body.initial_action_datetime", "value_error")]);
}

#[test]
fn an_order_that_is_ended_stays_ended() {
    for engine in ENGINES {
        let market = Market::on(engine, 0, 0);
        transfer(&market, &market.trader, &json!({})).expect(202);
        let ended = market.trader.send("DELETE", "/certificate/recurring/1", "").expect(200);
        assert_eq!((&ended.json["order_state"], &ended.json["next_due_at"]), (&json!("ended"), &Value::Null));
        assert_eq!((&ended.json["next_due_dates"], ended.event()), (&json!([]), market.event()));
        let before = market.event();
        let again = market.trader.send("DELETE", "/certificate/recurring/1", "").expect(200);
        assert_eq!((&again.json, market.event()), (&ended.json, before));
        assert_eq!(market.trader.get(LIST).expect(200).json["recurring_orders"], json!([ended.json]));
        assert_verified(market.app.testkit.database.url());
    }
}

#[test]
fn an_order_is_refused_with_a_reason() {
    let market = Market::new(0, 0);
    let unlisted = market.app.testkit.account("unlisted");
    let before = market.event();
    for (more, status, slug) in [
        (json!({"target_id": market.source}), 400, "target_is_source"),
        (json!({"target_id": unlisted}), 400, "not_whitelisted"),
        (json!({"target_id": 999}), 400, "not_whitelisted"),
        (json!({"initial_transfer_datetime": "2026-02-28T23:59:59Z"}), 400, "date_passed"),
        (json!({"source_id": 999}), 403, "forbidden"),
        (json!({"user_id": 999}), 403, "forbidden"),
    ] {
        assert_problem(&transfer(&market, &market.trader, &more), status, slug);
    }
    let unknown = json!({"beneficiary_account_id": 999});
    assert_problem(&cancel(&market, &market.trader, &unknown), 404, "account_missing");
    assert_faults(
        &market.trader.post(
            TRANSFER,
            &json!({
                "recurring_transfer_period_units": "fortnights", "recurring_transfer_period_quantity": 0,
                "number_of_recurring_transfers": 10_001, "certificate_quantity": 1, "certificate_bundle_percentage": 0.5,
                "number_of_recurring_cancellations": 1,
            }),
        ),
        &[
            ("body.source_id", "missing"),
            ("body.target_id", "missing"),
            ("body.initial_transfer_datetime", "missing"),
            ("body.recurring_transfer_period_units", "enum"),
            ("body.recurring_transfer_period_quantity", "greater_than"),
            ("body.number_of_recurring_transfers", "less_than_equal"),
            ("body.certificate_bundle_percentage", "value_error"),
            ("body.number_of_recurring_cancellations", "extra_forbidden"),
        ],
    );
    assert_eq!(market.event(), before);
}

#[test]
fn a_dry_run_of_an_order_changes_nothing() {
    let market = Market::new(0, 0);
    let before = market.event();
    let body = json!({
        "source_id": market.source, "initial_cancellation_datetime": "2026-03-01",
        "recurring_cancellation_period_units": "years",
    });
    let answer = market.trader.post(&format!("{CANCEL}?dry_run=true"), &body).expect(202);
    assert_eq!((&answer.json["id"], &answer.json["next_due_at"]), (&Value::Null, &json!("2026-03-01T00:00:00Z")));
    let run = &answer.json["next_run"];
    assert_eq!((&run["total_quantity"], &run["bundles"]), (&json!(0), &json!(0)));
    assert_eq!(run["rejection"]["type"], json!("/problems/nothing_matches"));
    assert_eq!((market.event(), listed(&market.trader, "")), (before, vec![]));
    let answer = market.trader.post(CANCEL, &body).expect(202);
    assert_eq!(
        answer.json.get("next_run"),
        None,
        "an order that is placed says what is due, and is asked for the rest"
    );
}

#[test]
fn a_dry_run_of_an_order_says_what_its_first_run_would_do() {
    for engine in ENGINES {
        let market = Market::on(engine, 3, 100);
        let before = market.event();
        for (more, quantity, bundles) in [
            (json!({}), 300, 3),
            (json!({"certificate_bundle_percentage": 0.5}), 150, 3),
            (json!({"certificate_quantity": 120}), 120, 2),
            (json!({"energy_source": "hydro"}), 0, 0),
        ] {
            let body = json!({
                "source_id": market.source, "target_id": market.target, "initial_action_datetime": "2026-03-31",
                "recurring_action_period_units": "months",
            });
            let path = format!("{TRANSFER}?dry_run=true");
            let run = market.trader.post(&path, &merged(body, &more)).expect(202).json["next_run"].clone();
            assert_eq!((&run["total_quantity"], &run["bundles"]), (&json!(quantity), &json!(bundles)), "{more}");
            assert_eq!(run["rejection"].is_null(), quantity > 0, "{more}");
        }
        assert_eq!(market.event(), before);
    }
}

#[test]
fn only_traders_of_the_source_order_and_end() {
    let market = Market::new(0, 0);
    let traders = [Role::TradingUser, Role::ProductionUser];
    for role in Role::ALL {
        let member = market.app.with_user(&[role], &[market.source]);
        let stranger = market.app.with_user(&[role], &[market.target]);
        for order in [transfer, cancel] {
            assert_problem(&order(&market, &stranger, &json!({})), 403, "forbidden");
            let answer = order(&market, &member, &json!({}));
            if traders.contains(&role) {
                answer.expect(202);
            } else {
                assert_problem(&answer, 403, "forbidden");
            }
        }
    }
    let end = |client: &Client, id: i64| client.send("DELETE", &format!("/certificate/recurring/{id}"), "");
    for role in Role::ALL {
        let reads_all = matches!(role, Role::RegistryAdministrator | Role::GcIssuer | Role::Auditor);
        // Who may know of it and not end it is told so; to others it is like one that does not exist.
        let stranger = market.app.with_user(&[role], &[market.target]);
        let there = end(&stranger, 1);
        let nowhere = end(&stranger, 99);
        assert_problem(&nowhere, 404, "order_missing");
        if reads_all {
            assert_problem(&there, 403, "forbidden");
        } else {
            assert_eq!(
                there.text.replace("id 1 ", "id 99 ").replace(":1,", ":99,").replace(":1}", ":99}"),
                nowhere.text
            );
        }
        assert_eq!(listed(&stranger, "").is_empty(), !reads_all, "{role:?}");
        let member = market.app.with_user(&[role], &[market.source]);
        if !traders.contains(&role) {
            assert_problem(&end(&member, 1), 403, "forbidden");
        }
        assert_eq!(listed(&member, "").len(), 4, "{role:?}");
    }
    end(&market.trader, 1).expect(200);
}

#[test]
fn orders_are_listed_in_pages_and_by_source() {
    let market = Market::new(0, 0);
    let buyer = market.buyer();
    for _ in 0..3 {
        transfer(&market, &market.trader, &json!({})).expect(202);
    }
    cancel(&market, &buyer, &json!({"source_id": market.target})).expect(202);
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    assert_eq!(listed(&auditor, ""), [1, 2, 3, 4]);
    assert_eq!(listed(&auditor, &format!("?source_id={}", market.target)), [4]);
    assert_eq!(listed(&buyer, ""), [4]);
    assert_eq!(listed(&buyer, &format!("?source_id={}", market.source)), [0_i64; 0]);
    let page = market.trader.get(&format!("{LIST}?limit=2")).expect(200).json;
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(page["recurring_orders"].as_array().unwrap().len(), 2);
    let last = market.trader.get(&format!("{LIST}?limit=2&cursor={cursor}")).expect(200).json;
    assert_eq!((&last["recurring_orders"][0]["id"], &last["next_cursor"]), (&json!(3), &Value::Null));
    assert_faults(
        &market.trader.get(&format!("{LIST}?limit=0&source_id=x&state=active")),
        &[("query.limit", "greater_than"), ("query.source_id", "int_parsing"), ("query.state", "extra_forbidden")],
    );
}

/// An order that is due half an hour after the market was made, and each day then.
fn soon(market: &Market, more: &Value) -> Value {
    let daily = json!({
        "initial_transfer_datetime": "2026-03-01T12:30:00Z", "recurring_transfer_period_units": "days",
        "certificate_quantity": 150,
    });
    transfer(market, &market.trader, &merged(daily, more)).expect(202).json
}

/// Half an hour later, what is due is run.
fn run(market: &Market) -> usize {
    market.app.testkit.time.advance(SignedDuration::from_mins(30));
    market.app.testkit.registry.run_due_orders().expect("they run")
}

#[test]
fn a_run_is_a_transfer_like_any_other_and_the_order_lists_it() {
    for engine in ENGINES {
        let market = Market::on(engine, 3, 100);
        soon(&market, &json!({}));
        let preview = market.trader.get("/certificate/recurring/1/preview?count=2").expect(200).json;
        let expected = json!({
            "id": 1, "order_state": "active", "next_due_dates": ["2026-03-01T12:30:00Z", "2026-03-02T12:30:00Z"],
            "next_run": {"total_quantity": 150, "bundles": 2, "rejection": null},
        });
        assert_eq!(preview, expected);
        assert_eq!(run(&market), 1);
        let page = market.trader.get("/certificate/recurring/1/runs").expect(200).json;
        let [done] = page["runs"].as_array().expect("a list").as_slice() else { panic!("{page}") };
        let action = done["action_id"].as_i64().expect("an id");
        let expected = json!({
            "due_at": "2026-03-01T12:30:00Z", "ran_at": "2026-03-01T12:30:00Z", "action_id": action,
            "total_quantity": 150, "rejection": null,
        });
        assert_eq!((done, &page["next_cursor"]), (&expected, &Value::Null));
        let receipt = market.trader.get(&format!("/certificate/action/{action}")).expect(200).json;
        for (name, value) in [
            ("action_type", json!("transfer")),
            ("source_id", json!(market.source)),
            ("target_id", json!(market.target)),
            ("user_id", json!(market.trader.user_id())),
            ("certificate_quantity", json!(150)),
            ("granular_certificate_bundle_ids", json!([1, 2])),
            ("total_quantity", json!(150)),
        ] {
            assert_eq!(receipt[name], value, "{name}");
        }
        market.buyer().get(&format!("/certificate/action/{action}")).expect(200);
        let order = market.trader.get("/certificate/recurring/1").expect(200).json;
        assert_eq!((&order["runs_done"], &order["next_due_at"]), (&json!(1), &json!("2026-03-02T12:30:00Z")));
        assert_verified(market.app.testkit.database.url());
    }
}

#[test]
fn a_refused_run_says_why_in_the_order_and_among_the_rejected_actions() {
    let market = Market::new(1, 100);
    soon(&market, &json!({}));
    let next = &market.trader.get("/certificate/recurring/1/preview").expect(200).json["next_run"];
    assert_eq!((&next["total_quantity"], &next["rejection"]["held"]), (&json!(0), &json!(100)));
    assert_eq!(run(&market), 1);
    let page = market.trader.get("/certificate/recurring/1/runs").expect(200).json;
    let why = &page["runs"][0]["rejection"];
    assert_eq!((&why["type"], &why["held"], &why["asked"]), (&json!("/problems/not_enough"), &json!(100), &json!(150)));
    assert_eq!(page["runs"][0]["total_quantity"], 0);
    let rejected = market.trader.get("/certificate/action/list?status=rejected").expect(200).json;
    let kept = &rejected["actions"][0];
    assert_eq!((&kept["action_type"], &kept["rejection"]["detail"]), (&json!("transfer"), &why["detail"]));
    let action = &page["runs"][0]["action_id"];
    let run = market.trader.get(&format!("/certificate/action/{action}")).expect(200).json;
    assert_eq!((&run["action_type"], &run["result"]), (&json!("run_recurring"), &json!([])));
    assert_verified(market.app.testkit.database.url());
}

#[test]
fn an_order_pauses_and_goes_on() {
    for engine in ENGINES {
        let market = Market::on(engine, 3, 100);
        soon(&market, &json!({}));
        let paused = market.trader.send("POST", "/certificate/recurring/1/pause", "").expect(200);
        assert_eq!((&paused.json["order_state"], paused.event()), (&json!("paused"), market.event()));
        let again = market.trader.send("POST", "/certificate/recurring/1/pause", "").expect(200);
        assert_eq!(again.json, paused.json);
        assert_eq!(run(&market), 0);
        market.app.testkit.time.advance(SignedDuration::from_mins(1));
        let resumed = market.trader.send("POST", "/certificate/recurring/1/resume", "").expect(200).json;
        assert_eq!((&resumed["order_state"], &resumed["runs_done"]), (&json!("active"), &json!(1)));
        assert_eq!(resumed["next_due_at"], "2026-03-02T12:30:00Z");
        assert_eq!(market.trader.get("/certificate/recurring/1").expect(200).json, resumed);
        market.trader.send("DELETE", "/certificate/recurring/1", "").expect(200);
        for change in ["pause", "resume"] {
            let answer = market.trader.send("POST", &format!("/certificate/recurring/1/{change}"), "");
            assert_problem(&answer, 409, "order_over");
        }
        let preview = market.trader.get("/certificate/recurring/1/preview").expect(200).json;
        assert_eq!((&preview["next_run"], &preview["next_due_dates"]), (&Value::Null, &json!([])));
        assert_verified(market.app.testkit.database.url());
    }
}

#[test]
fn runs_come_in_pages_the_latest_first() {
    let market = Market::new(1, 100);
    soon(&market, &json!({"certificate_quantity": 10}));
    for _ in 0..3 {
        assert_eq!(run(&market), 1);
        market.app.testkit.time.advance(SignedDuration::from_mins(23 * 60 + 30));
    }
    // Their sessions are over by then.
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    let due = |page: &Value| {
        let runs = page["runs"].as_array().expect("a list");
        runs.iter().map(|run| run["due_at"].as_str().expect("a time").to_owned()).collect::<Vec<_>>()
    };
    let page = auditor.get("/certificate/recurring/1/runs?limit=2").expect(200).json;
    assert_eq!(due(&page), ["2026-03-03T12:30:00Z", "2026-03-02T12:30:00Z"]);
    let cursor = page["next_cursor"].as_str().expect("there is more");
    let last = auditor.get(&format!("/certificate/recurring/1/runs?limit=2&cursor={cursor}")).expect(200).json;
    assert_eq!((due(&last), &last["next_cursor"]), (vec!["2026-03-01T12:30:00Z".to_owned()], &Value::Null));
    assert_faults(
        &auditor.get("/certificate/recurring/1/preview?count=101&limit=1"),
        &[("query.count", "less_than_equal"), ("query.limit", "extra_forbidden")],
    );
}

#[test]
fn an_order_that_can_never_succeed_is_refused_when_it_is_placed() {
    let market = Market::new(0, 0);
    let answer = transfer(&market, &market.trader, &json!({"device_id": market.device, "energy_source": "hydro"}));
    assert_problem(&answer, 400, "never_matches");
    // What others have, or nobody, is not told apart.
    for device in [99, 1_000] {
        transfer(&market, &market.trader, &json!({"device_id": device, "energy_source": "hydro"})).expect(202);
    }
}

#[test]
fn strangers_cannot_tell_an_order_from_none() {
    let market = Market::new(0, 0);
    soon(&market, &json!({}));
    let stranger = market.buyer();
    for (method, place) in [("GET", ""), ("GET", "/preview"), ("GET", "/runs"), ("POST", "/pause"), ("POST", "/resume")]
    {
        let at = |id: i64| stranger.send(method, &format!("/certificate/recurring/{id}{place}"), "");
        assert_problem(&at(1), 404, "order_missing");
        assert_eq!(at(1).text.replace('1', "#"), at(9).text.replace('9', "#"), "{method} {place}");
        let auditor = market.app.with_user(&[Role::Auditor], &[]);
        let answer = auditor.send(method, &format!("/certificate/recurring/1{place}"), "");
        if method == "GET" {
            answer.expect(200);
        } else {
            assert_problem(&answer, 403, "forbidden");
        }
    }
}
