//! `serve`, from its first start to its end. What it answers is tested elsewhere.

use crate::run::{ENGINES, Folder};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// The password that a first start told, if it did.
fn told_password(said: &str) -> Option<&str> {
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let place = lines.iter().position(|line| *line == "admin@example.org")?;
    lines.get(place + 1).copied()
}

#[test]
fn the_first_administrators_password_is_told_once() {
    for engine in ENGINES {
        let folder = Folder::on(engine);
        let first = folder.serve(&["serve"]);
        let password = told_password(&first.said).expect("the first start tells the password").to_owned();
        assert_eq!(password.len(), 20);
        let ran = first.stop("TERM").ended_with(0);
        assert_eq!(ran.err.matches(&password).count(), 1, "{}", ran.err);
        let second = folder.serve(&["serve"]);
        assert_eq!(told_password(&second.said), None);
        second.stop("INT").ended_with(0);
    }
}

#[test]
fn a_password_that_was_given_is_never_told() {
    let folder = Folder::new().with("ADMIN_PASSWORD", "s3cret-s3cret").with("ADMIN_EMAIL", "ann@example.org");
    let ran = folder.serve(&["serve"]).stop("TERM").ended_with(0);
    assert!(ran.err.contains("ann@example.org") && !ran.err.contains("s3cret"), "{}", ran.err);
}

#[test]
fn the_server_answers_until_it_is_told_to_stop() {
    let folder = Folder::new();
    let server = folder.serve(&["serve"]);
    let mut connection = TcpStream::connect(&server.address).unwrap();
    connection.write_all(b"GET /health/live HTTP/1.1\r\nHost: granary\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let address = server.address.clone();
    server.stop("TERM").ended_with(0);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_health_check_ends_with_0_as_long_as_the_server_is_ready() {
    let folder = Folder::new();
    let server = folder.serve(&["serve"]);
    let address = server.address.clone();
    folder.run(&["healthcheck", "--listen", &address]).ended_with(0);
    // What listens everywhere is asked on this machine.
    let everywhere = address.replace("127.0.0.1", "0.0.0.0");
    folder.run(&["healthcheck", "--listen", &everywhere]).ended_with(0);
    server.stop("TERM").ended_with(0);
    let ran = folder.run(&["healthcheck", "--listen", &address]).ended_with(1);
    assert!(ran.err.contains(&format!("nothing answers at {address}")), "{}", ran.err);
}

#[test]
fn the_health_check_ends_with_1_where_the_answer_is_another() {
    for (answer, told) in [
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "not ready: it answered 503"),
        ("SSH-2.0-somebody else\r\n", "not ready: it does not speak HTTP"),
        ("", "not ready: it does not speak HTTP"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let other = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            // To its end, or closing the connection would take the answer back.
            let request = BufReader::new(&connection).lines().map_while(Result::ok);
            let request: Vec<_> = request.take_while(|line| !line.is_empty()).collect();
            connection.write_all(answer.as_bytes()).unwrap();
            request[0].clone()
        });
        let ran = Folder::new().run(&["healthcheck", "--listen", &address]).ended_with(1);
        assert_eq!(other.join().unwrap(), "GET /health/ready HTTP/1.1");
        assert!(ran.err.contains(told), "{}", ran.err);
    }
}

#[test]
fn a_port_that_is_taken_is_refused_before_anything_is_touched() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    for command in ["serve", "demo"] {
        let ran = folder.run(&[command, "--listen", &address]).ended_with(1);
        assert!(ran.err.contains(&format!("LISTEN: {address} is taken")), "{}", ran.err);
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn other_commands_work_beside_a_server() {
    for engine in ENGINES {
        let folder = Folder::on(engine);
        let server = folder.serve(&["serve"]);
        let add = ["user", "add", "--name", "Ann", "--email", "a@example.org", "--role", "auditor"];
        assert!(folder.run(&add).ended_with(0).out.contains("added user 2"));
        assert_eq!(folder.run(&["verify", "--json"]).ended_with(0).json()["users"], 2);
        server.stop("TERM").ended_with(0);
    }
}
