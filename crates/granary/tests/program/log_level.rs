//! `POST /change_log_level`, which changes the running program.

use crate::run::{Folder, Server};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Sends a request and hears the answer.
fn exchange(server: &Server, method: &str, path: &str, token: &str, body: &str) -> (u16, serde_json::Value) {
    let mut connection = TcpStream::connect(&server.address).expect("it listens");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: granary\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    connection.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("it answers");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn the_log_tells_as_much_as_the_administrator_asks_for() {
    let folder = Folder::new().with("ADMIN_PASSWORD", "s3cret-s3cret").with("ADMIN_EMAIL", "ann@example.org");
    let server = folder.serve(&["serve"]);
    let login = r#"{"username": "ann@example.org", "password": "s3cret-s3cret"}"#;
    let (status, signed_in) = exchange(&server, "POST", "/auth/login", "", login);
    assert_eq!(status, 200, "{signed_in}");
    let token = signed_in["access_token"].as_str().unwrap();
    let change = |level: &str| {
        let body = format!(r#"{{"level": "{level}"}}"#);
        let (status, answer) = exchange(&server, "POST", "/change_log_level", token, &body);
        assert_eq!((status, answer["level"].as_str()), (200, Some(level)));
    };
    let look = |path: &str| assert_eq!(exchange(&server, "GET", path, token, "").0, 200);
    look("/health/live");
    change("DEBUG");
    look("/user/me");
    change("ERROR");
    look("/health/ready");
    let ran = server.stop("TERM").ended_with(0);
    let told = |words: &[&str]| ran.err.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(told(&["answered", "/user/me"]), "{}", ran.err);
    for path in ["/health/live", "/health/ready"] {
        assert!(!told(&["answered", path]), "{path} was answered at another level: {}", ran.err);
    }
    for level in ["DEBUG", "ERROR"] {
        assert!(told(&["log level", level, "\"user\":1"]), "the change to {level} is told: {}", ran.err);
    }
}
