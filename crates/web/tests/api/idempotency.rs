//! `Idempotency-Key`: what is asked again is answered again and not done again.

use crate::{Market, app, assert_faults, assert_problem, start};
use app::{Caller, RequestHash};
use domain::action::{BundleAction, Deed, NewAccount};
use domain::{Command, Portion, Role};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::hours_from;
use testkit::http::{Answer, Client, TestApp};
use testkit::{ENGINES, Engine, TestRegistry};
use web::Limits;

fn with_key(client: &Client, key: &str) -> Client {
    client.with_header("Idempotency-Key", key)
}

/// What a repeat must not differ in.
fn said(answer: &Answer) -> (u16, &str, Option<&str>, Option<&str>) {
    (answer.status, &answer.text, answer.header("x-granary-event"), answer.header("content-type"))
}

#[track_caller]
fn assert_same(again: &Answer, first: &Answer) {
    assert_eq!(said(again), said(first));
}

fn account(name: &str) -> Value {
    json!({"account_name": name})
}

fn kept(app: &TestApp) -> i64 {
    let mut connection = app.testkit.database.connect();
    connection.query_one("SELECT COUNT(*) FROM idempotency", &[], |r| r.get(0)).expect("the table is there")
}

#[test]
fn a_repeat_gets_the_same_answer_and_nothing_is_done_twice() {
    for engine in ENGINES {
        let market = Market::on(engine, 2, 1_000);
        let bundles = market.bundles(market.source);
        let body = market.transfer_body(&bundles, &json!({"certificate_quantity": 1_500}));
        let trader = with_key(&market.trader, "transfer-1");
        let first = trader.post("/certificate/transfer", &body).expect(202);
        let event = market.event();
        for path in ["/certificate/transfer", "/certificate/transfer/", "/certificates/transfer"] {
            assert_same(&trader.post(path, &body), &first);
        }
        assert_eq!(market.event(), event, "{engine:?}");
        assert_eq!(first.event(), event);
        let without = market.trader.post("/certificate/transfer", &body);
        assert_ne!(without.status, 202, "{engine:?}: it would be another change");
    }
}

#[test]
fn many_at_once_make_one_change() {
    for engine in ENGINES {
        let market = Market::on(engine, 1, 1_000);
        let body = market.transfer_body(&market.bundles(market.source), &json!({"certificate_quantity": 10}));
        let (before, trader) = (market.event(), with_key(&market.trader, "k"));
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let ask = || trader.post("/certificate/transfer", &body);
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it asks")).collect()
        });
        let first = answers.iter().find(|answer| answer.status == 202).expect("one of them is carried out");
        for answer in &answers {
            match answer.status {
                202 => assert_same(answer, first),
                _ => assert_problem(answer, 409, "idempotency_key_in_flight"),
            }
        }
        assert_same(&trader.post("/certificate/transfer", &body), first);
        assert_eq!(market.event(), before + 3, "{engine:?}: a parent and its two children");
    }
}

#[test]
fn a_key_belongs_to_its_user_and_its_address() {
    let app = app();
    let user = || with_key(&app.with_user(&[Role::RegistryAdministrator], &[]), "k");
    let (one, other) = (user(), user());
    let first = one.post("/account/create", &account("A")).expect(201);
    let second = other.post("/account/create", &account("B")).expect(201);
    assert_ne!(first.json["id"], second.json["id"]);
    assert_same(&one.post("/account/create", &account("A")), &first);
    assert_same(&other.post("/account/create", &account("B")), &second);
    let organisation = json!({"name": "A", "business_id": 1, "primary_contact": "a"});
    one.post("/organisation/create", &organisation).expect(201);
    let update = json!({"add_to_whitelist": [2]});
    let whitelisted = one.patch("/account/update_whitelist/1", &update).expect(200);
    assert_same(&one.patch("/account/update_whitelist/1", &update), &whitelisted);
    one.patch("/account/update_whitelist/2", &json!({"add_to_whitelist": [1]})).expect(200);
}

#[test]
fn another_request_under_a_key_is_refused_and_changes_nothing() {
    let market = Market::new(1, 1_000);
    let bundles = market.bundles(market.source);
    let body = market.transfer_body(&bundles, &json!({"certificate_quantity": 10}));
    let trader = with_key(&market.trader, "k");
    let rehearsed = trader.post("/certificate/transfer?dry_run=true", &body).expect(202);
    let event = market.event();
    assert_problem(&trader.post("/certificate/transfer", &body), 422, "idempotency_key_reused");
    let other = market.transfer_body(&bundles, &json!({"certificate_quantity": 11}));
    let refused = trader.post("/certificate/transfer?dry_run=true", &other);
    assert_problem(&refused, 422, "idempotency_key_reused");
    assert_eq!(market.event(), event);
    assert_same(&trader.post("/certificate/transfer?dry_run=true", &body), &rehearsed);
}

#[test]
fn a_refusal_by_a_rule_stays_when_the_state_would_allow_it() {
    for engine in ENGINES {
        let market = Market::on(engine, 1, 1_000);
        let stranger = market.app.testkit.account("stranger");
        let body = market.transfer_body(&market.bundles(market.source), &json!({"target_id": stranger}));
        let trader = with_key(&market.trader, "k");
        let refused = trader.post("/certificate/transfer", &body);
        assert_problem(&refused, 400, "not_whitelisted");
        market.app.testkit.whitelist(stranger, market.source);
        assert_same(&trader.post("/certificate/transfer", &body), &refused);
        with_key(&market.trader, "k2").post("/certificate/transfer", &body).expect(202);
        // And what was not found is not found again.
        let missing = market.transfer_body(&[domain::BundleId(99)], &json!({}));
        let trader = with_key(&market.trader, "k3");
        let refused = trader.post("/certificate/transfer", &missing);
        assert_problem(&refused, 404, "bundle_missing");
        assert_same(&trader.post("/certificate/transfer", &missing), &refused);
    }
}

#[test]
fn what_says_nothing_of_the_request_for_good_is_not_kept() {
    let limits = Limits { uploads_max: 0, ..Limits::default() };
    let app = TestApp::with(TestRegistry::on(Engine::Sqlite), limits);
    let (auditor, meter) = (app.with_user(&[Role::Auditor], &[]), app.with_user(&[Role::MeasurementBody], &[]));
    let administrator = with_key(&app.with_user(&[Role::RegistryAdministrator], &[]), "k");
    assert_problem(&with_key(&app.anonymous(), "k").post("/account/create", &account("A")), 401, "no_token");
    assert_problem(&with_key(&auditor, "k").post("/account/create", &account("A")), 403, "forbidden");
    assert_problem(&with_key(&meter, "k").post("/measurement/submit_readings", &json!([])), 503, "busy");
    assert_faults(&administrator.post("/account/create", &json!({})), &[("body.account_name", "missing")]);
    let large = format!("{{\"account_name\": \"{}\"}}", "x".repeat(1024 * 1024));
    assert_problem(&administrator.send("POST", "/account/create", &large), 413, "too_large");
    assert_eq!(kept(&app), 0);
    // So the key is free for the request as it should have been.
    administrator.post("/account/create", &account("A")).expect(201);
    assert_eq!(kept(&app), 1);
}

#[test]
fn a_key_is_good_for_a_day() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let made = administrator.post("/auth/api_key/create", &json!({"name": "k", "scopes": ["admin"]})).expect(201);
    let program = with_key(&administrator.with_token(made.json["api_key"].as_str().unwrap()), "k");
    let first = program.post("/account/create", &account("A")).expect(201);
    app.testkit.time.advance(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
    assert_same(&program.post("/account/create", &account("A")), &first);
    app.testkit.time.advance(SignedDuration::from_secs(1));
    assert_problem(&program.post("/account/create", &account("A")), 400, "taken");
    assert_eq!(kept(&app), 1, "in the place of what had expired");
    app.testkit.time.advance(SignedDuration::from_hours(24));
    program.post("/account/create", &account("B")).expect(201);
    assert_eq!(kept(&app), 1, "what has expired is cleared away");
}

#[test]
fn a_key_is_visible_ascii_and_there_is_one() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    for key in ["", "a b", "\u{e9}", &"x".repeat(256)] {
        let refused = with_key(&administrator, key).post("/account/create", &account("A"));
        assert_faults(&refused, &[("header.Idempotency-Key", "value_error")]);
    }
    let two = with_key(&with_key(&administrator, "a"), "b").post("/account/create", &account("A"));
    assert_faults(&two, &[("header.Idempotency-Key", "value_error")]);
    assert_eq!(kept(&app), 0);
    with_key(&administrator, &"~".repeat(255)).post("/account/create", &account("A")).expect(201);
}

#[test]
fn sign_in_and_queries_pass_a_key_over() {
    let market = Market::new(2, 10);
    let trader = with_key(&market.trader, "k");
    for limit in [1, 2] {
        let found = trader.post("/certificate/query", &json!({"source_id": market.source, "limit": limit})).expect(202);
        assert_eq!(found.json["granular_certificate_bundles"].as_array().map(Vec::len), Some(limit));
    }
    for name in ["one", "two"] {
        trader.post("/auth/api_key/create", &json!({"name": name, "scopes": ["read"]})).expect(201);
    }
    trader.get("/user/me").expect(200);
    assert_eq!(kept(&market.app), 0);
}

/// As if the process had ended after the commit of a change and before its answer went out: the change is queued as the
/// handler would queue it, and nobody makes an answer of it.
fn carried_out_unheard(app: &TestApp, client: &Client, path: &str, body: &Value, command: Command) -> app::Answer {
    let registry = &app.testkit.registry;
    let mut caller: Caller = registry.authenticate(client.token()).expect("a token of the test");
    let entered = registry.enter(&caller, "POST", path, "k").expect("nobody has the key");
    let mut hash = RequestHash::new(None);
    hash.body(body.to_string().as_bytes());
    caller.ticket = Some(entered.ticket(hash.finish()));
    registry.submit(&caller, command, "{}".to_owned()).expect("the queue has room").wait().expect("carried out")
}

#[test]
fn an_answer_that_was_not_kept_is_made_again_of_the_outcome() {
    for engine in ENGINES {
        let market = Market::on(engine, 1, 1_000);
        let (app, bundles) = (&market.app, market.bundles(market.source));
        let body = market.transfer_body(&bundles, &json!({"certificate_quantity": 10}));
        let command = Command::Bundles(BundleAction {
            source: market.source,
            bundles,
            portion: Portion::Quantity(domain::WattHours(10)),
            deed: Deed::Transfer { target: market.target },
        });
        let done = carried_out_unheard(app, &market.trader, "/certificate/transfer", &body, command);
        let event = market.event();
        app.testkit.time.advance(SignedDuration::from_mins(5));
        let trader = with_key(&market.trader, "k");
        let again = trader.post("/certificate/transfer", &body).expect(202);
        assert_eq!((market.event(), again.event()), (event, done.event_number.0), "{engine:?}: nothing was done again");
        assert_eq!(again.json["action_completed_datetime"], "2026-03-01T12:00:00Z", "{engine:?}");
        assert_eq!(again.json["total_quantity"], 10);
        assert_eq!(again.json["result"].as_array().map(Vec::len), Some(3));
        assert_same(&trader.post("/certificate/transfer", &body), &again);

        let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
        let new =
            NewAccount { name: "A".to_owned(), organisation_id: None, user_ids: Vec::new(), whitelist: Vec::new() };
        carried_out_unheard(app, &administrator, "/account/create", &account("A"), Command::CreateAccount(new));
        let again = with_key(&administrator, "k").post("/account/create", &account("A")).expect(201);
        assert_eq!((&again.json["account_name"], &again.json["id"]), (&json!("A"), &json!(3)), "{engine:?}");
    }
}

#[test]
fn an_issue_that_is_asked_again_is_the_same_job() {
    for engine in ENGINES {
        let market = Market::on(engine, 0, 0);
        market.app.testkit.readings(market.device, hours_from(start(), 3), 100);
        let issuer = with_key(&market.issuer, "k");
        let body = json!({"metadata_id": market.metadata, "from": "2026-02-01", "to": "2026-03-01"});
        let first = issuer.post("/certificate/issue", &body).expect(202);
        assert_eq!((&first.json["id"], &first.json["issued"]), (&json!(1), &json!(3)), "{engine:?}");
        assert_same(&issuer.post("/certificate/issue", &body), &first);
        // As if the process had ended before the answer was kept.
        let mut connection = market.app.testkit.database.connect();
        let forgotten = connection.execute("UPDATE idempotency SET status = NULL, body = NULL", &[]).unwrap();
        assert_eq!(forgotten, 1, "{engine:?}");
        let again = issuer.post("/certificate/issue", &body).expect(202);
        assert_eq!((&again.json["id"], &again.json["issued"]), (&json!(1), &json!(3)), "{engine:?}");
        let other = with_key(&market.issuer, "k2").post("/certificate/issue", &body).expect(202);
        assert_eq!((&other.json["id"], &other.json["issued"]), (&json!(2), &json!(0)), "{engine:?}");
    }
}

fn rows(device: domain::DeviceId, hours: std::ops::Range<i64>, wh: i64) -> Value {
    let row = |hour: i64| {
        let from = start() + SignedDuration::from_hours(hour);
        json!({
            "device_id": device, "interval_start_datetime": from, "interval_usage": wh, "gross_net_indicator": "NET",
            "interval_end_datetime": from + SignedDuration::from_hours(1),
        })
    };
    hours.map(row).collect()
}

#[test]
fn readings_are_answered_again_whether_their_body_is_small_or_streams() {
    // 30 rows are about 6 kB.
    for body_bytes_max in [1_000, 1024 * 1024] {
        for engine in ENGINES {
            let limits = Limits { body_bytes_max, readings_bytes_max: 10_000, ..Limits::default() };
            let app = TestApp::with(TestRegistry::on(engine), limits);
            let device = app.testkit.device("turbine", app.testkit.account("source"));
            let meter = with_key(&app.with_user(&[Role::MeasurementBody], &[]), "k");
            let path = "/measurement/submit_readings";
            let first = meter.post(path, &rows(device, 0..30, 100)).expect(200);
            assert_eq!(first.json["accepted"], 30, "{}", first.text);
            assert_same(&meter.post(path, &rows(device, 0..30, 100)), &first);
            assert_problem(&meter.post(path, &rows(device, 0..30, 101)), 422, "idempotency_key_reused");
            let zoned = format!("{path}?time_zone=Europe/London");
            assert_problem(&meter.post(&zoned, &rows(device, 0..30, 100)), 422, "idempotency_key_reused");
            assert_same(&meter.post(path, &rows(device, 0..30, 100)), &first);
            let large = meter.post(path, &rows(device, 0..90, 100));
            assert_problem(&large, 413, "too_large");
            assert_eq!(kept(&app), 1);
        }
    }
}

#[test]
fn a_form_is_hashed_to_its_very_end() {
    let limits = Limits { body_bytes_max: 200, ..Limits::default() };
    let app = TestApp::with(TestRegistry::on(Engine::Sqlite), limits);
    let device = app.testkit.device("turbine", app.testkit.account("source"));
    let meter = app.with_user(&[Role::MeasurementBody], &[]);
    let meter = with_key(&meter.with_header("Content-Type", "multipart/form-data; boundary=XX"), "k");
    let form = |behind: &str| {
        let file = rows(device, 0..5, 100);
        format!(
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n{file}\r\n--XX--\r\n{behind}"
        )
    };
    let path = "/measurement/submit_readings";
    let first = meter.send("POST", path, &form("")).expect(200);
    assert_eq!(first.json["accepted"], 5, "{}", first.text);
    assert_same(&meter.send("POST", path, &form("")), &first);
    assert_problem(&meter.send("POST", path, &form("more")), 422, "idempotency_key_reused");
}

#[test]
fn an_operation_that_takes_a_key_says_so() {
    let document = app().anonymous().get("/openapi.json").expect(200).json;
    let mut meant = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let keys = parameters.filter(|parameter| parameter["name"] == "Idempotency-Key").count();
            if keys > 0 {
                meant.insert(format!("{method} {path}"));
                assert!(operation["responses"]["409"].is_object(), "{method} {path}");
                assert!(operation["responses"]["422"].is_object(), "{method} {path}");
            }
            let changes = method != "get" && !path.starts_with("/auth/") && !path.contains("/query");
            assert_eq!(keys, usize::from(changes), "{method} {path}");
        }
    }
    assert!(meant.contains("post /certificate/transfer") && meant.len() >= 10, "{meant:?}");
}
