//! Clients that go away, stand still, or never begin. Nothing here waits for longer than the limits it sets.

use crate::measurement::csv;
use crate::{assert_problem, start};
use domain::Role;
use jiff::SignedDuration;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use testkit::http::TestApp;
use testkit::{Engine, TestRegistry};
use web::Limits;

/// Looks at a job before a test gives up; each look is a request.
const LOOKS_MAX: usize = 20_000;

fn impatient() -> TestApp {
    let limits =
        Limits { header_read: Duration::from_millis(200), body_idle: Duration::from_millis(200), ..Limits::default() };
    TestApp::with(TestRegistry::on(Engine::Sqlite), limits)
}

/// Sends the beginning of a request and hears what comes until the server closes.
fn heard(app: &TestApp, text: &str) -> String {
    let mut stream = TcpStream::connect(app.address()).expect("a connection");
    stream.write_all(text.as_bytes()).expect("a write");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

#[test]
fn a_client_that_does_not_finish_its_header_is_dropped() {
    let app = impatient();
    assert_eq!(heard(&app, ""), "");
    assert_eq!(heard(&app, "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: "), "");
    let kept_alive = heard(&app, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(kept_alive.starts_with("HTTP/1.1 200"), "{kept_alive}");
}

#[test]
fn a_body_that_stands_still_is_given_up() {
    let app = impatient();
    let text = "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"username\":";
    let heard = heard(&app, text);
    assert!(heard.starts_with("HTTP/1.1 408"), "{heard}");
    assert!(heard.contains("/problems/too_slow"), "{heard}");
}

#[test]
fn readings_that_stand_still_are_given_up_and_whole_chunks_stand() {
    let app = impatient();
    let device = app.testkit.device("turbine", app.testkit.account("a"));
    let meter = app.with_user(&[Role::MeasurementBody], &[]);
    let heard = heard(&app, &upload(meter.token(), &csv(device, 12_000)));
    assert!(heard.starts_with("HTTP/1.1 408"), "{heard}");
    let job = meter.get("/job/1").expect(200).json;
    assert_eq!((&job["state"], &job["accepted"]), (&json!("interrupted"), &json!(10_000)));
}

/// A request that announces more than it sends.
fn upload(token: &str, sent: &str) -> String {
    format!(
        "POST /measurement/submit_readings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: text/csv\r\nContent-Length: {}\r\n\r\n{sent}",
        sent.len() + 1_000
    )
}

#[test]
fn a_client_that_goes_away_leaves_whole_chunks_and_an_interrupted_job() {
    for engine in testkit::ENGINES {
        let app = TestApp::on(engine);
        let device = app.testkit.device("turbine", app.testkit.account("a"));
        let meter = app.with_user(&[Role::MeasurementBody], &[]);
        let text = csv(device, 12_000);
        let mut stream = TcpStream::connect(app.address()).unwrap();
        stream.write_all(upload(meter.token(), &text).as_bytes()).unwrap();
        drop(stream);
        let over = (0..LOOKS_MAX).find_map(|_| {
            let job = meter.get("/job/1");
            (job.status == 200 && job.json["state"] != "running").then_some(job.json)
        });
        let job = over.expect("the job ends");
        assert_eq!((&job["state"], &job["accepted"]), (&json!("interrupted"), &json!(10_000)));
        assert!(job["error"].is_string(), "{job}");
        let again = meter.with_header("content-type", "text/csv").send("POST", "/measurement/submit_readings", &text);
        let again = again.expect(200).json;
        assert_eq!((&again["accepted"], &again["unchanged"]), (&json!(2_000), &json!(10_000)));
    }
}

#[test]
fn more_uploads_than_there_are_places_for_are_told_to_come_back() {
    let limits = Limits { uploads_max: 0, ..Limits::default() };
    let app = TestApp::with(TestRegistry::on(Engine::Sqlite), limits);
    let device = app.testkit.device("turbine", app.testkit.account("a"));
    let meter = app.with_user(&[Role::MeasurementBody], &[]);
    for (address, body) in [("", csv(device, 3)), ("?measurement_json=[]", String::new())] {
        let answer = meter.send("POST", &format!("/measurement/submit_readings{address}"), &body);
        assert_problem(&answer, 503, "busy");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

/// Begins an upload of so many bytes, of which none is sent; the server waits for them.
fn begun(app: &TestApp, token: &str, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).expect("a connection");
    let request = format!(
        "POST /measurement/submit_readings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: text/csv\r\nContent-Length: {bytes}\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a write");
    let mut continues = [0; 25];
    stream.read_exact(&mut continues).expect("an answer");
    assert!(continues.starts_with(b"HTTP/1.1 100 Continue"), "the server reads the body");
    stream
}

#[test]
fn one_user_cannot_take_all_places_for_uploads() {
    let app = TestApp::on(Engine::Sqlite);
    let device = app.testkit.device("turbine", app.testkit.account("a"));
    let (one, other) = (app.with_user(&[Role::MeasurementBody], &[]), app.with_user(&[Role::MeasurementBody], &[]));
    let text = csv(device, 3);
    let mut open: Vec<_> = (0..2).map(|_| begun(&app, one.token(), text.len())).collect();
    for (address, body) in [("", text.as_str()), ("?measurement_json=[]", "")] {
        let path = format!("/measurement/submit_readings{address}");
        let refused = one.send("POST", &path, body);
        assert_problem(&refused, 429, "too_many_uploads");
        assert_eq!(refused.header("retry-after"), Some("1"));
        other.send("POST", &path, body).expect(200);
    }
    let mut done = open.pop().unwrap();
    done.write_all(text.as_bytes()).unwrap();
    let mut answer = [0; 12];
    done.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    one.send("POST", "/measurement/submit_readings", &text).expect(200);
}

#[test]
fn a_server_that_stops_finishes_what_is_under_way() {
    let app = TestApp::on(Engine::Sqlite);
    let device = app.testkit.device("turbine", app.testkit.account("a"));
    let meter = app.with_user(&[Role::MeasurementBody], &[]);
    let text = csv(device, 100);
    let (head, rest) = text.split_at(1_000);
    let mut stream = begun(&app, meter.token(), text.len());
    stream.write_all(head.as_bytes()).unwrap();
    let registry = app.testkit.registry.clone();
    let stopping = std::thread::spawn(move || drop(app));
    // The server has stopped listening or is about to; the request under way is answered in any case.
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stopping.join().unwrap();
    assert!(registry.now() > start() + SignedDuration::from_hours(1));
}

#[test]
fn a_client_whose_body_nobody_wanted_is_told_not_to_use_its_connection_again() {
    let app = TestApp::on(Engine::Sqlite);
    let mut stream = TcpStream::connect(app.address()).unwrap();
    let head = "POST /account/create HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 2_000];
    let length = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
    assert!(answer.starts_with("http/1.1 401") && answer.contains("connection: close"), "{answer}");
    let mut kept = TcpStream::connect(app.address()).unwrap();
    for _ in 0..2 {
        kept.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = [0; 2_000];
        let length = kept.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
        assert!(answer.starts_with("http/1.1 200") && !answer.contains("connection: close"), "{answer}");
    }
}

/// One connection at a time.
fn narrow() -> TestApp {
    let limits = Limits { connections_max: 1, write_idle: Duration::from_millis(200), ..Limits::default() };
    TestApp::with(TestRegistry::on(Engine::Sqlite), limits)
}

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[test]
fn connections_above_the_limit_wait_for_their_turn() {
    let app = narrow();
    let first = TcpStream::connect(app.address()).unwrap();
    let mut second = TcpStream::connect(app.address()).unwrap();
    second.write_all(LIVE.as_bytes()).unwrap();
    second.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(second.read(&mut [0; 1]).is_err(), "the first has the only place");
    drop(first);
    second.set_read_timeout(None).unwrap();
    let mut answer = String::new();
    second.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_client_that_does_not_read_its_answers_is_dropped() {
    let app = narrow();
    let mut deaf = TcpStream::connect(app.address()).unwrap();
    let script = "GET /static/redoc/redoc.standalone.js HTTP/1.1\r\nHost: x\r\n\r\n";
    deaf.write_all(script.repeat(64).as_bytes()).unwrap();
    // Answered once the place is free, which is once the deaf client is given up.
    assert!(heard(&app, LIVE).starts_with("HTTP/1.1 200"));
}
