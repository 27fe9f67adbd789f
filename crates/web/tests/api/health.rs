//! `/health/…`

use crate::{app, assert_problem};
use testkit::http::TestApp;
use testkit::{Engine, TestDatabase};

/// Takes the database away, as a lost server does, with the help of another database on it.
fn sever(app: &TestApp) {
    let name = app.testkit.database.connect().query_one("SELECT current_database()", &[], |row| row.get::<String>(0));
    let name = name.expect("it is there");
    let elsewhere = TestDatabase::empty(Engine::Postgres);
    let mut admin = elsewhere.connect();
    admin.batch(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).expect("a statement");
    let gone = format!("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'");
    admin.batch(&gone).expect("a statement");
}

#[test]
fn a_registry_that_runs_is_live_and_ready() {
    let app = app();
    assert_eq!(app.anonymous().get("/health/live").expect(200).json["status"], "live");
    let ready = app.anonymous().get("/health/ready").expect(200).json;
    assert_eq!((ready["status"].as_str(), ready["queued"].as_u64()), (Some("ready"), Some(0)));
}

#[test]
fn without_its_database_a_registry_is_live_and_not_ready() {
    let app = TestApp::on(Engine::Postgres);
    let somebody = app.with_user(&[], &[]);
    app.anonymous().get("/health/ready").expect(200);
    sever(&app);
    app.anonymous().get("/health/live").expect(200);
    let answer = app.anonymous().get("/health/ready");
    assert_problem(&answer, 503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_problem(&somebody.get("/user/me"), 503, "unavailable");
}

#[test]
fn a_registry_that_closes_refuses_changes() {
    let app = app();
    let administrator = app.with_user(&[domain::Role::RegistryAdministrator], &[]);
    app.testkit.registry.close();
    let answer = administrator.post("/account/create", &serde_json::json!({"account_name": "a"}));
    assert_problem(&answer, 503, "unavailable");
    assert!(answer.header("retry-after").is_some());
}
