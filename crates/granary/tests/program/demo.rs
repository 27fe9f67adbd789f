//! `demo`.

use crate::run::{ENGINES, Folder};

#[test]
fn the_demonstration_fills_an_empty_database_once() {
    let folder = Folder::new();
    let ran = folder.run(&["demo", "--no-serve"]).ended_with(0);
    assert!(ran.err.contains("113,880 readings, ") && ran.err.contains("10 movements, "), "{}", ran.err);
    let records = ran.err.split("10 movements, ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(records.is_some_and(|records| records.len() > 1), "the battery has records: {}", ran.err);
    for part in ["admin@demo.granary.example", "auditor@demo.granary.example", "granary-demo"] {
        assert!(ran.out.contains(part), "{}", ran.out);
    }
    assert!(folder.path().join("data/demo.db").exists(), "it has a database of its own");
    assert!(!folder.path().join("data/granary.db").exists());
    let again = folder.run(&["demo", "--no-serve"]).ended_with(0);
    assert!(again.err.contains("holds the demonstration already"), "{}", again.err);
    assert_eq!(again.out, ran.out);
}

#[test]
fn the_demonstration_is_in_order_on_both_databases() {
    for engine in ENGINES {
        let folder = Folder::with_demo(engine);
        let report = folder.run(&["verify", "--json"]).ended_with(0).json();
        assert_eq!((&report["devices"], &report["accounts"], &report["users"]), (&13.into(), &7.into(), &7.into()));
        assert_eq!(report["measurements"], 13 * 24 * 10 + 1, "one of them was corrected");
    }
}

#[test]
fn a_database_that_holds_something_else_is_left_alone() {
    let folder = Folder::new();
    let url = ["--database-url", "sqlite://data/granary.db"];
    let add = ["user", "add", "--name", "Ann", "--email", "a@example.org", "--role", "auditor"];
    folder.run(&add).ended_with(0);
    let ran = folder.run(&[&["demo", "--no-serve"], &url[..]].concat()).ended_with(1);
    assert!(ran.err.contains("DATABASE_URL: sqlite://data/granary.db holds a registry already"), "{}", ran.err);
    assert_eq!(folder.run(&["verify", "--json"]).ended_with(0).json()["events"], 1);
}

#[test]
fn a_demonstration_that_was_interrupted_is_recognised() {
    let database = db::testing::TestDatabase::empty(ENGINES[0]);
    let folder = Folder::new().with("DATABASE_URL", database.url().expose());
    folder.run(&["demo", "--no-serve", "--days", "1"]).ended_with(0);
    let mut connection = database.connect();
    for table in ["account_user", "user_secret"] {
        connection.execute(&format!("DELETE FROM {table} WHERE user_id = 7"), &[]).unwrap();
    }
    connection.execute("DELETE FROM registry_user WHERE id = 7", &[]).unwrap();
    drop(connection);
    let ran = folder.run(&["demo", "--no-serve"]).ended_with(1);
    assert!(ran.err.contains("was interrupted while it was filled"), "{}", ran.err);
}

#[test]
fn the_demonstration_is_served_to_this_machine_only() {
    let ran = Folder::new().run(&["demo", "--listen", "0.0.0.0:0"]).ended_with(2);
    assert!(ran.err.contains("LISTEN must be a loopback address"), "{}", ran.err);
    let folder = Folder::new();
    let server = folder.serve(&["demo", "--days", "1"]);
    let address = format!("http://{}", server.address);
    let ran = server.stop("TERM").ended_with(0);
    assert!(ran.out.contains("On this machine only") && ran.out.contains(&address), "{}", ran.out);
}
