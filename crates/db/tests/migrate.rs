//! A database comes to the program's schema once, completely, or not at all.

use db::testing::{Engine, TestDatabase};
use db::{Connection, Error, Migration, MigrationError};
use std::sync::Barrier;

const FIRST: Migration = Migration {
    version: 1,
    name: "ledger",
    sqlite: "CREATE TABLE ledger (id INTEGER PRIMARY KEY, tip BLOB) STRICT; INSERT INTO ledger (id) VALUES (1)",
    postgres: "CREATE TABLE ledger (id BIGINT PRIMARY KEY, tip BYTEA); INSERT INTO ledger (id) VALUES (1)",
};
const SECOND: Migration = Migration {
    version: 2,
    name: "note",
    sqlite: "ALTER TABLE ledger ADD COLUMN note TEXT",
    postgres: "ALTER TABLE ledger ADD COLUMN note TEXT",
};

fn failed(connection: &mut Connection, migrations: &[Migration]) -> MigrationError {
    match connection.migrate(migrations) {
        Err(Error::Migration(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_missing_is_applied_once() {
    for database in TestDatabase::both() {
        let mut connection = database.connect();
        assert_eq!(connection.migration_status(&[FIRST]).unwrap().pending, [(1, "ledger".to_owned())]);
        assert_eq!(connection.migrate(&[FIRST]).unwrap(), [1]);
        let status = connection.migration_status(&[FIRST, SECOND]).unwrap();
        assert_eq!((status.applied[0].version, &*status.applied[0].name), (1, "ledger"));
        assert_eq!(status.pending, [(2, "note".to_owned())]);
        assert_eq!(connection.migrate(&[FIRST, SECOND]).unwrap(), [2]);
        assert_eq!(connection.migrate(&[FIRST, SECOND]).unwrap(), [0; 0]);
        assert_eq!(connection.query_one("SELECT COUNT(note) FROM ledger", &[], |row| row.get::<i64>(0)).unwrap(), 0);
    }
}

#[test]
fn programs_that_start_together_on_an_empty_database_all_succeed() {
    const PROGRAMS: usize = 4;
    // SQLite's race for the WAL mode is seldom lost.
    let engines = [[Engine::Sqlite; 20].as_slice(), &[Engine::Postgres; 3]].concat();
    for database in engines.into_iter().map(TestDatabase::empty) {
        let barrier = Barrier::new(PROGRAMS);
        let applied: Vec<Vec<i32>> = std::thread::scope(|scope| {
            let start = || {
                barrier.wait();
                database.connect().migrate(&[FIRST, SECOND]).unwrap()
            };
            let programs: Vec<_> = (0..PROGRAMS).map(|_| scope.spawn(start)).collect();
            programs.into_iter().map(|program| program.join().unwrap()).collect()
        });
        assert_eq!(applied.iter().filter(|versions| **versions == [1, 2]).count(), 1, "{applied:?}");
        assert_eq!(applied.iter().filter(|versions| versions.is_empty()).count(), PROGRAMS - 1, "{applied:?}");
    }
}

#[test]
fn an_edited_migration_is_named() {
    for database in TestDatabase::both() {
        let mut connection = database.connect();
        connection.migrate(&[FIRST, SECOND]).unwrap();
        let edited = Migration { sqlite: "SELECT 1", postgres: "SELECT 1", ..FIRST };
        let error = failed(&mut connection, &[edited, SECOND]);
        assert!(matches!(&error, MigrationError::Edited { version: 1, name } if name == "ledger"), "{error}");
    }
}

#[test]
fn a_migration_that_went_missing_is_named() {
    for database in TestDatabase::both() {
        let mut connection = database.connect();
        connection.migrate(&[FIRST, SECOND]).unwrap();
        let error = failed(&mut connection, &[SECOND]);
        assert!(matches!(&error, MigrationError::Missing { version: 1, .. }), "{error}");
    }
}

#[test]
fn migrations_of_the_program_that_are_out_of_order_are_named() {
    for database in TestDatabase::both() {
        for wrong in [&[SECOND, FIRST][..], &[FIRST, FIRST], &[Migration { version: 0, ..FIRST }]] {
            let error = failed(&mut database.connect(), wrong);
            assert!(matches!(&error, MigrationError::Invalid(_)), "{error}");
        }
    }
}

#[test]
fn a_database_newer_than_the_program_is_refused() {
    for database in TestDatabase::both() {
        let mut connection = database.connect();
        connection.migrate(&[FIRST, SECOND]).unwrap();
        let error = failed(&mut connection, &[FIRST]);
        assert!(matches!(error, MigrationError::DatabaseNewer { database: 2, program: 1 }), "{error}");
    }
}

#[test]
fn a_failing_migration_leaves_nothing_of_any() {
    for database in TestDatabase::both() {
        let mut connection = database.connect();
        let broken = Migration {
            version: 2,
            name: "broken",
            sqlite: "CREATE TABLE a (b TEXT); NONSENSE",
            postgres: "CREATE TABLE a (b TEXT); NONSENSE",
        };
        let error = failed(&mut connection, &[FIRST, broken]);
        assert!(matches!(&error, MigrationError::Failed { version: 2, name, .. } if name == "broken"), "{error}");
        assert!(error.to_string().contains("NONSENSE"), "{error}");
        assert_eq!(connection.migration_status(&[FIRST]).unwrap().applied, []);
        assert_eq!(connection.migrate(&[FIRST, SECOND]).unwrap(), [1, 2]);
    }
}

#[test]
fn a_test_gets_a_migrated_database_of_its_own() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let databases: Vec<TestDatabase> = (0..2).map(|_| TestDatabase::migrated(engine, &[FIRST, SECOND])).collect();
        let changed = |database: &TestDatabase| database.connect().execute("DELETE FROM ledger", &[]).unwrap();
        assert_eq!(databases.iter().map(changed).collect::<Vec<_>>(), [1, 1]);
    }
}
