//! A pool hands out readers that work, and survives the places where it is dropped.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use db::testing::{Engine, TestDatabase};
use db::{Connection, Error, Pool, Result};

fn with_table(database: &TestDatabase) -> Connection {
    let mut connection = database.connect();
    connection.batch("CREATE TABLE thing (id BIGINT PRIMARY KEY)").unwrap();
    connection
}

fn count(connection: &mut Connection) -> Result<i64> {
    connection.query_one("SELECT COUNT(*) FROM thing", &[], |row| row.get(0))
}

#[test]
fn many_threads_share_few_connections() {
    for database in TestDatabase::both() {
        let mut writer = with_table(&database);
        writer.execute("INSERT INTO thing (id) VALUES (1)", &[]).unwrap();
        let pool = Pool::open(database.url(), 2).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..20).for_each(|_| assert_eq!(pool.with(count).unwrap(), 1)));
            }
        });
        assert!(pool.usage().0 <= 2);
    }
}

#[test]
fn a_reader_cannot_write() {
    for database in TestDatabase::both() {
        let mut writer = with_table(&database);
        let pool = Pool::open(database.url(), 1).unwrap();
        assert!(pool.with(|reader| reader.execute("INSERT INTO thing (id) VALUES (1)", &[])).is_err());
        assert_eq!(count(&mut writer).unwrap(), 0);
    }
}

#[test]
fn a_connection_left_in_a_transaction_is_not_handed_out_again() {
    for database in TestDatabase::both() {
        drop(with_table(&database));
        let pool = Pool::open(database.url(), 1).unwrap();
        pool.with(|reader| reader.query("SELECT 1", &[], |row| row.get::<i32>(0))).unwrap();
        let left: Result<()> = pool.with(|reader| match reader.engine() {
            Engine::Sqlite => reader.batch("PRAGMA query_only = OFF").and_then(|()| reader.begin()),
            Engine::Postgres => reader.begin(),
        });
        left.unwrap();
        assert!(!pool.with(|reader| Ok::<_, Error>(reader.in_transaction())).unwrap());
    }
}

#[test]
fn a_connection_whose_server_is_lost_is_replaced() {
    let database = TestDatabase::empty(Engine::Postgres);
    let mut admin = with_table(&database);
    let pool = Pool::open(database.url(), 1).unwrap();
    let lost: Result<i64> = pool.with(|reader| {
        let pid = reader.query_one("SELECT pg_backend_pid()", &[], |row| row.get::<i32>(0))?;
        admin.query("SELECT pg_terminate_backend($1, 10000)", &[pid.into()], |row| row.get::<bool>(0))?;
        count(reader)
    });
    assert!(lost.unwrap_err().is_disconnected());
    assert_eq!(pool.with(count).unwrap(), 0);
}

#[test]
fn a_pool_without_a_database_fails_at_once() {
    let missing = "sqlite:///nonexistent/granary.db".parse().unwrap();
    assert!(matches!(Pool::open(&missing, 1), Err(Error::Sqlite(_))));
    let refused = "postgres://nobody@127.0.0.1:1/none".parse().unwrap();
    assert!(Pool::open(&refused, 1).is_err_and(|error| error.is_disconnected()));
}

#[test]
fn connections_and_pools_can_be_dropped_on_an_async_worker() {
    let database = TestDatabase::empty(Engine::Postgres);
    let mut connection = with_table(&database);
    count(&mut connection).unwrap();
    let pool = Pool::open(database.url(), 2).unwrap();
    pool.with(count).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let dropped = runtime.spawn(async move {
        drop(connection);
        drop(pool);
        drop(database);
    });
    runtime.block_on(dropped).unwrap();
}
