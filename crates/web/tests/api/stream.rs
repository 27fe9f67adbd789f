//! `/event/stream`: a client that reads while things happen.

use crate::{Market, app, assert_faults, assert_problem};
use app::{Credentials, Registry};
use domain::{Interval, Role, Scope, Scopes};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;
use testkit::http::{Client, TestApp};
use testkit::{ENGINES, Engine, TestRegistry, at, until};
use web::Limits;

const STREAMS_MAX: usize = 8;

fn number(event: &Value) -> i64 {
    event["number"].as_i64().expect("an event has a number")
}

/// The log as it is read page by page.
fn logged(client: &Client, after: i64) -> Vec<Value> {
    let page = client.get(&format!("/event/query?limit=1000&after={after}")).expect(200).json;
    page["events"].as_array().expect("a list").clone()
}

#[test]
fn who_is_cut_off_and_comes_back_is_told_every_event_once() {
    const ACCOUNTS: i64 = 300;
    for engine in ENGINES {
        let app = TestApp::on(engine);
        let auditor = app.with_user(&[Role::Auditor], &[]);
        let from = app.testkit.registry.health().unwrap().event_number.0;
        let mut stream = auditor.follow("/event/stream").ok().unwrap();
        let (mut told, mut last) = (Vec::new(), from);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for place in 0..ACCOUNTS {
                    app.testkit.account(&format!("account {place}"));
                }
            });
            // Cut off after every so many events, while more are written, and once without having been told any.
            for pieces in [1, 0, 7, 60, 120, 112] {
                let events: Vec<_> = (0..pieces).map(|_| stream.next_event().expect("the stream goes on")).collect();
                last = stream.last_id.unwrap_or(last);
                assert!(events.last().is_none_or(|event| number(event) == last));
                told.extend(events);
                stream = auditor.with_header("last-event-id", &last.to_string()).follow("/event/stream").ok().unwrap();
            }
        });
        let numbers: Vec<i64> = told.iter().map(number).collect();
        assert_eq!(numbers, (from + 1..=from + ACCOUNTS).collect::<Vec<_>>());
        assert_eq!(told, logged(&auditor, from), "the stream tells what the log says");
    }
}

#[test]
fn a_stream_begins_now_or_where_it_is_told_to() {
    let app = app();
    let auditor = app.with_user(&[Role::Auditor], &[]);
    let now = app.testkit.registry.health().unwrap().event_number.0;
    let mut fresh = auditor.follow("/event/stream").ok().unwrap();
    let first = fresh.next_sent().unwrap();
    assert_eq!((first.id, first.data), (now, Value::Null), "who is cut off before the first event comes back to here");
    let mut whole = auditor.follow("/event/stream?after=0").ok().unwrap();
    let mut again = auditor.with_header("last-event-id", "1").follow("/event/stream?after=0").ok().unwrap();
    app.testkit.account("new");
    assert_eq!(number(&fresh.next_event().unwrap()), now + 1);
    assert_eq!(number(&whole.next_event().unwrap()), 1);
    assert_eq!(number(&again.next_event().unwrap()), 2, "the header goes before the address");
    let odd = auditor.with_header("last-event-id", "x").get("/event/stream?after=y");
    assert_faults(&odd, &[("query.after", "int_parsing")]);
    let odd = auditor.with_header("last-event-id", "-1").get("/event/stream");
    assert_faults(&odd, &[("header.Last-Event-ID", "int_parsing")]);
    assert_problem(&app.anonymous().get("/event/stream"), 401, "no_token");
}

#[test]
fn a_stream_does_not_begin_ahead_of_the_log() {
    let app = app();
    let auditor = app.with_user(&[Role::Auditor], &[]);
    let now = app.testkit.registry.health().unwrap().event_number.0;
    let ahead = (now + 1).to_string();
    let refused = auditor.with_header("last-event-id", &ahead).follow("/event/stream").err().expect("no stream");
    assert_faults(&refused, &[("header.Last-Event-ID", "value_error")]);
    let refused = auditor.follow(&format!("/event/stream?after={ahead}")).err().expect("no stream");
    assert_faults(&refused, &[("query.after", "value_error")]);
    let at_its_end = auditor.with_header("last-event-id", &now.to_string());
    assert!(at_its_end.follow(&format!("/event/stream?after={ahead}")).is_ok(), "the header goes before the address");
}

#[test]
fn a_stream_ends_with_its_token() {
    for engine in ENGINES {
        let app = TestApp::on(engine);
        let auditor = app.with_user(&[Role::Auditor], &[]);
        let other = app.with_user(&[Role::Auditor], &[]);
        let mut signed_out = auditor.follow("/event/stream").ok().unwrap();
        let mut expired = other.follow("/event/stream").ok().unwrap();
        auditor.post("/auth/logout", &json!({})).expect(200);
        while signed_out.next_sent().is_some() {}
        app.testkit.time.advance(SignedDuration::from_hours(2));
        while expired.next_sent().is_some() {}
        assert_problem(&other.get("/event/stream"), 401, "no_token");
    }
}

#[test]
fn a_user_has_so_many_streams_at_most() {
    let app = app();
    let auditor = app.with_user(&[Role::Auditor], &[]);
    let other = app.with_user(&[Role::Auditor], &[]);
    let mut open: Vec<_> = (0..STREAMS_MAX).map(|_| auditor.follow("/event/stream").ok().unwrap()).collect();
    let refused = auditor.follow("/event/stream").err().expect("one too many");
    assert_problem(&refused, 429, "too_many_streams");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(other.follow("/event/stream").is_ok(), "others have their own");
    open.pop();
    // The server notices that a client is gone when it next reads or writes there.
    until("a place for another stream", || auditor.follow("/event/stream").ok());
}

#[test]
fn others_are_told_of_what_is_theirs() {
    let market = Market::new(2, 100);
    let bundles = market.bundles(market.source);
    let receiver = market.app.with_user(&[Role::TradingUser], &[market.target]);
    let mut seen = receiver.follow("/event/stream").ok().unwrap();
    let mut own = market.trader.follow("/event/stream").ok().unwrap();
    let stranger = market.app.testkit.account("stranger");
    market.cancel(&bundles[1..], &json!({})).expect(202);
    let moved = market.transfer(&bundles[..1], &json!({})).expect(202);
    market.app.testkit.whitelist(market.target, stranger);
    let event = seen.next_event().unwrap();
    assert_eq!((number(&event), &event["actor"]), (moved.event(), &Value::Null));
    assert_eq!(event["attributes_after"], json!({"account_id": market.target}));
    assert_eq!(seen.next_event().unwrap()["attributes_after"], json!({"account_whitelist": [stranger]}));
    let kinds: Vec<_> = (0..2).map(|_| own.next_event().unwrap()["action_type"].clone()).collect();
    assert_eq!(kinds, [json!("cancel"), json!("transfer")], "what one's own account gave away is told too");
}

#[test]
fn a_stream_ends_when_the_server_stops() {
    let app = app();
    let auditor = app.with_user(&[Role::Auditor], &[]);
    let mut stream = auditor.follow("/event/stream").ok().unwrap();
    stream.next_sent().unwrap();
    let stopping = std::thread::spawn(move || drop(app));
    assert_eq!(stream.next_sent(), None);
    stopping.join().unwrap();
}

#[test]
fn a_silent_stream_says_that_it_is_alive_and_how_far_it_looked() {
    let limits = Limits { stream_heartbeat: Duration::from_millis(1), ..Limits::default() };
    let app = TestApp::with(TestRegistry::on(Engine::Sqlite), limits);
    let account = app.testkit.account("mine");
    let trader = app.with_user(&[Role::TradingUser], &[account]);
    let mut stream = trader.follow("/event/stream").ok().unwrap();
    let first = stream.next_sent().unwrap();
    app.testkit.account("another's");
    let alive = std::iter::from_fn(|| stream.next_sent()).find(|sent| sent.id > first.id).unwrap();
    assert_eq!((alive.id, alive.data), (first.id + 1, Value::Null), "what is not theirs moves them on unseen");
}

#[test]
fn what_another_process_writes_is_told_too() {
    for engine in ENGINES {
        let app = TestApp::on(engine);
        let auditor = app.with_user(&[Role::Auditor], &[]);
        let mut stream = auditor.follow("/event/stream").ok().unwrap();
        stream.next_sent().unwrap();
        let kit = &app.testkit;
        let beside = Registry::open(TestRegistry::settings(&kit.database), kit.time.clock()).unwrap();
        beside
            .create_user_as_operator("Ann", "ann@example.org", domain::Roles::NONE, None, &[], "a long password")
            .unwrap();
        assert_eq!(stream.next_event().unwrap()["entity_name"], "User");
        beside.close();
    }
}

#[test]
fn a_stream_of_a_key_ends_with_the_key() {
    let app = app();
    let registry = &app.testkit.registry;
    let owner = app.with_user(&[Role::Auditor], &[]);
    let caller = registry.authenticate(owner.token()).unwrap();
    let made = registry.create_api_key(&caller, "follower", None, Scopes::of(&[Scope::Read])).unwrap();
    let mut stream = app.anonymous().with_token(&made.secret).follow("/event/stream").ok().unwrap();
    stream.next_sent().unwrap();
    registry.delete_api_key(&caller, made.key.id).unwrap();
    while stream.next_sent().is_some() {}
}

#[test]
fn a_client_that_does_not_read_its_stream_is_dropped() {
    // Beyond what the system holds of a connection for either end.
    const READINGS: i64 = 100_000;
    let limits = Limits { connections_max: 1, write_idle: Duration::from_millis(200), ..Limits::default() };
    let app = TestApp::with(TestRegistry::on(Engine::Sqlite), limits);
    let kit = &app.testkit;
    let device = kit.device("turbine", kit.account("a"));
    let minutes = |from: Timestamp| {
        (0..).map(move |minute| {
            let start = from + SignedDuration::from_mins(minute);
            Interval::new(start, start + SignedDuration::from_mins(1)).unwrap()
        })
    };
    kit.readings(device, minutes(at("2025-06-01T00:00:00Z")).take(usize::try_from(READINGS).unwrap()), 10);
    let name = "deaf@example.org";
    let roles = domain::Roles::of(&[Role::Auditor]);
    kit.registry.create_user_as_operator(name, name, roles, None, &[], "a long password").unwrap();
    let credentials =
        Credentials { name: name.to_owned(), password: "a long password".to_owned(), address: String::new() };
    let token = kit.registry.sign_in(&credentials).ok().unwrap().token;
    let mut deaf = TcpStream::connect(app.address()).unwrap();
    let request = format!("GET /event/stream?after=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    deaf.write_all(request.as_bytes()).unwrap();
    // Answered once the only place is free, which is once the deaf client is given up.
    app.anonymous().get("/health/live").expect(200);
}
