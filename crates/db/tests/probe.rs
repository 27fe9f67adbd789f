//! Questions to a database and its machine have sensible answers.

use db::testing::{Engine, TestDatabase};
use db::{Connection, OpenMode, Url, probe};
use std::time::Duration;

#[test]
fn the_version_is_a_number() {
    for database in TestDatabase::both() {
        let version = probe::server_version(&mut database.connect()).unwrap();
        let major: u32 = version.split('.').next().unwrap().parse().unwrap();
        assert!(major >= if database.engine() == Engine::Sqlite { 3 } else { 15 }, "{version}");
    }
}

#[test]
fn the_clock_of_the_database_is_the_clock_of_this_machine() {
    #[expect(clippy::disallowed_methods, reason = "compared with the system's clock")]
    let now = jiff::Timestamp::now();
    for database in TestDatabase::both() {
        let theirs = probe::database_now(&mut database.connect()).unwrap();
        assert!(theirs.duration_since(now).unsigned_abs() < Duration::from_mins(1), "{theirs}");
    }
}

#[test]
fn a_primary_is_behind_nobody() {
    for database in TestDatabase::both() {
        assert_eq!(probe::replica_lag(&mut database.connect()).unwrap(), None);
    }
}

#[test]
fn syncing_takes_some_time_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    probe::fsync_latency(directory.path()).unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    assert!(probe::fsync_latency(&directory.path().join("missing")).is_err());
}

#[test]
fn a_session_is_as_its_purpose_wants_it() {
    let database = TestDatabase::empty(Engine::Postgres);
    let shown = |connection: &mut Connection, name: &str| {
        connection.query_one(&format!("SHOW {name}"), &[], |row| row.get::<String>(0)).unwrap()
    };
    let mut writer = database.connect();
    for (name, value) in
        [("application_name", "granary"), ("TimeZone", "UTC"), ("enable_seqscan", "off"), ("statement_timeout", "0")]
    {
        assert_eq!(shown(&mut writer, name), value, "{name}");
    }
    let mut reader = Connection::open_as(database.url(), OpenMode::Reader).unwrap();
    for (name, value) in
        [("default_transaction_read_only", "on"), ("enable_seqscan", "off"), ("statement_timeout", "30s")]
    {
        assert_eq!(shown(&mut reader, name), value, "{name}");
    }
}

#[test]
fn options_of_the_address_reach_the_server() {
    let database = TestDatabase::empty(Engine::Postgres);
    database.connect().batch("CREATE SCHEMA side; CREATE TABLE side.thing (id BIGINT)").unwrap();
    let url = format!("{}&options=-c%20search_path%3Dside", database.url().expose());
    let mut connection = Connection::open(&Url::parse(&url).unwrap()).unwrap();
    assert_eq!(connection.execute("INSERT INTO thing (id) VALUES (1)", &[]).unwrap(), 1);
}

#[test]
fn a_server_is_reached_through_its_socket() {
    let database = TestDatabase::empty(Engine::Postgres);
    let directories = "SELECT current_setting('unix_socket_directories'), current_setting('port'), current_database()";
    let (directory, port, name) = database
        .connect()
        .query_one(directories, &[], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?)))
        .unwrap();
    let directory = directory.split(',').next().unwrap().trim().replace('/', "%2F");
    let url = Url::parse(&format!("postgres://postgres@{directory}:{port}/{name}")).unwrap();
    assert!(probe::server_version(&mut Connection::open(&url).unwrap()).is_ok());
}

#[test]
fn tls_is_required_only_where_it_is_asked_for() {
    let database = TestDatabase::empty(Engine::Postgres);
    let with = |mode: &str| {
        let url = database.url().expose().replace("sslmode=disable", &format!("sslmode={mode}"));
        Connection::open(&Url::parse(&url).unwrap()).map(drop)
    };
    with("disable").unwrap();
    with("prefer").unwrap();
    let error = with("require").unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
}
