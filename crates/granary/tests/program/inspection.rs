//! `migrate`, `verify`, `doctor`: what an operator asks before and after.

use crate::run::{ENGINES, Folder};
use serde_json::Value;

#[test]
fn migrations_are_applied_once_and_listed() {
    for engine in ENGINES {
        let folder = Folder::on(engine);
        let pending = folder.run(&["migrate", "--status"]).ended_with(0).out;
        assert!(pending.contains("V1__ledger") && pending.contains("pending"), "{pending}");
        let first = folder.run(&["migrate"]).ended_with(0).out;
        assert!(first.starts_with("applied V1__ledger\n"), "{first}");
        let second = folder.run(&["migrate"]).ended_with(0).out;
        assert!(second.starts_with("nothing to apply\n"), "{second}");
        assert!(second.contains(" is at version "), "{second}");
        let applied = folder.run(&["migrate", "--status"]).ended_with(0).out;
        assert!(!applied.contains("pending"), "{applied}");
    }
}

#[test]
fn a_database_that_is_not_there_is_not_made_by_who_only_reads() {
    let folder = Folder::new();
    for arguments in [&["verify"][..], &["export", "bundles"]] {
        let ran = folder.run(arguments).ended_with(1);
        assert!(ran.err.contains("DATABASE_URL: there is no file data/granary.db"), "{}", ran.err);
    }
    folder.run(&["migrate", "--status"]).ended_with(0);
    folder.run(&["doctor"]).ended_with(0);
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_password_of_the_database_is_not_told() {
    let folder = Folder::new().with("DATABASE_URL", "postgres://ann:s3cret@127.0.0.1:1/ledger");
    for arguments in [&["verify"][..], &["migrate"], &["doctor"], &["doctor", "--json"]] {
        let ran = folder.run(arguments).ended_with(1);
        let text = ran.out + &ran.err;
        assert!(text.contains("postgres://ann@127.0.0.1:1/ledger") && !text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_ledger_in_order_is_found_in_order() {
    for engine in ENGINES {
        let folder = Folder::on(engine);
        folder.run(&["migrate"]).ended_with(0);
        folder.run(&["user", "add", "--name", "Ann", "--email", "a@example.org", "--role", "auditor"]).ended_with(0);
        let told = folder.run(&["verify"]).ended_with(0).out;
        assert!(told.contains("Merkle root") && told.ends_with("The ledger is in order.\n"), "{told}");
        let report = folder.run(&["verify", "--json"]).ended_with(0).json();
        assert_eq!(report["violations"], 0);
        assert_eq!(report["users"], 1);
        assert!(told.contains(report["root"].as_str().unwrap()), "both name the same root");
    }
}

#[test]
fn a_damaged_ledger_is_found_out() {
    for engine in ENGINES {
        let database = db::testing::TestDatabase::empty(engine);
        let folder = Folder::new().with("DATABASE_URL", database.url().expose());
        folder.run(&["demo", "--no-serve", "--days", "2"]).ended_with(0);
        database.connect().execute("UPDATE bundle SET account_id = account_id % 7 + 1 WHERE id = 7", &[]).unwrap();
        let ran = folder.run(&["verify"]).ended_with(1);
        assert!(ran.out.contains("violation of invariant 7, row_differs: bundle 7"), "{}", ran.out);
        assert!(ran.out.contains("The ledger is NOT in order."), "{}", ran.out);
    }
}

#[test]
fn the_doctor_looks_at_everything_around() {
    for engine in ENGINES {
        let folder = Folder::with_demo(engine);
        let checks = folder.run(&["doctor", "--json"]).ended_with(0).json();
        let of = |name: &str| -> &Value {
            let found = checks.as_array().unwrap().iter().find(|check| check["check"] == name);
            found.unwrap_or_else(|| panic!("no {name} in {checks}"))
        };
        for name in ["settings", "database", "database version", "schema", "clock", "last event"] {
            assert_eq!(of(name)["result"], "ok", "{checks}");
        }
        assert!(of("last event")["found"].as_str().unwrap().starts_with("event "), "{checks}");
        let told = folder.run(&["doctor"]).ended_with(0).out;
        assert!(told.lines().all(|line| ["ok ", "warn", "fail"].iter().any(|grade| line.starts_with(grade))), "{told}");
    }
}

#[test]
fn the_doctor_names_what_is_wrong_and_what_to_do() {
    let folder = Folder::new().with("LISTEN", "here");
    let ran = folder.run(&["doctor"]).ended_with(1);
    assert!(ran.out.starts_with("fail  settings  LISTEN must be an address and a port"), "{}", ran.out);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Folder::new().with("LISTEN", &taken.local_addr().unwrap().to_string());
    let ran = folder.run(&["doctor"]).ended_with(0);
    assert!(ran.out.contains("is in use: fine if that is the registry"), "{}", ran.out);

    let database = db::testing::TestDatabase::empty(db::testing::Engine::Postgres);
    let url = database.url().expose();
    let folder = Folder::new().with("DATABASE_URL", url).with("DATABASE_READ_URL", url);
    let ran = folder.run(&["doctor"]).ended_with(1);
    assert!(ran.out.contains(" migrations pending: `granary migrate` applies them"), "{}", ran.out);
    assert!(ran.out.contains("fail  replica lag       it is not a standby"), "{}", ran.out);
}

#[test]
fn the_api_is_described() {
    let described = Folder::new().run(&["openapi"]).ended_with(0).json();
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1"), "{}", described["openapi"]);
}
