//! The SQLite file: who may read it, its log, its backup.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use db::testing::{Engine, TestDatabase};
use db::{CheckpointMode, Connection, Error, OpenMode, Url};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn filled(database: &TestDatabase) -> Connection {
    let mut connection = database.connect();
    connection.batch("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT)").unwrap();
    fill(&mut connection);
    connection
}

fn fill(connection: &mut Connection) {
    let text =
        "INSERT INTO thing (name) SELECT hex(randomblob(1000)) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8))";
    for _ in 0..8 {
        connection.execute(text, &[]).unwrap();
    }
}

#[test]
fn a_new_file_and_directory_are_private() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("new/data/granary.db");
    let mut connection = Connection::open(&Url::of_file(&file)).unwrap();
    connection.batch("CREATE TABLE thing (id BIGINT PRIMARY KEY)").unwrap();
    assert_eq!((mode(file.parent().unwrap()), mode(&file)), (0o700, 0o600));
    assert_eq!(mode(&file.with_extension("db-wal")), 0o600);
    // One that is there already keeps what its owner gave it.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    drop(connection);
    drop(Connection::open(&Url::of_file(&file)).unwrap());
    assert_eq!(mode(&file), 0o640);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let error = Connection::open(&Url::of_file(&directory.path().join("file/granary.db"))).unwrap_err();
    assert!(matches!(&error, Error::File { path, .. } if path.ends_with("file/granary.db")), "{error}");
}

#[test]
fn a_reader_does_not_make_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("granary.db");
    assert!(Connection::open_as(&Url::of_file(&file), OpenMode::Reader).is_err());
    assert!(!file.exists());
}

#[test]
fn a_passive_checkpoint_copies_and_a_restarting_one_begins_the_log_anew() {
    let database = TestDatabase::empty(Engine::Sqlite);
    let mut writer = filled(&database);
    let mut copier = database.connect();
    let passive = copier.checkpoint(CheckpointMode::Passive).unwrap();
    assert!(passive.pages_in_log > 20, "{passive:?}");
    assert_eq!(passive.pages_in_log, passive.pages_copied);
    writer.checkpoint(CheckpointMode::Restart).unwrap();
    writer.execute("DELETE FROM thing WHERE id = 1", &[]).unwrap();
    assert!(copier.checkpoint(CheckpointMode::Passive).unwrap().pages_in_log < passive.pages_in_log);
}

#[test]
fn a_reader_in_the_way_of_a_restart_is_no_error() {
    let database = TestDatabase::empty(Engine::Sqlite);
    let mut writer = filled(&database);
    let mut reader = Connection::open_as(database.url(), OpenMode::LongReader).unwrap();
    reader
        .snapshot::<_, Error>(|_| {
            fill(&mut writer);
            let found = writer.checkpoint(CheckpointMode::Restart).unwrap();
            assert!(found.pages_copied < found.pages_in_log, "{found:?}");
            Ok(())
        })
        .unwrap();
    let found = writer.checkpoint(CheckpointMode::Restart).unwrap();
    assert_eq!(found.pages_copied, found.pages_in_log);
}

#[test]
fn postgres_needs_no_checkpoint_and_has_its_own_backup() {
    let database = TestDatabase::empty(Engine::Postgres);
    let mut connection = database.connect();
    assert_eq!(connection.checkpoint(CheckpointMode::Restart).unwrap(), db::Checkpoint::default());
    assert!(matches!(connection.backup(Path::new("/tmp/never")), Err(Error::Unsupported(_))));
}

#[test]
fn a_backup_is_a_whole_database_and_overwrites_nothing() {
    let database = TestDatabase::empty(Engine::Sqlite);
    let mut writer = filled(&database);
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.db");
    let mut reader = Connection::open_as(database.url(), OpenMode::LongReader).unwrap();
    writer.begin().unwrap();
    fill(&mut writer);
    reader.backup(&copy).unwrap();
    writer.commit().unwrap();
    assert_eq!(mode(&copy), 0o600);
    let mut restored = Connection::open(&Url::of_file(&copy)).unwrap();
    let text = "SELECT COUNT(*) FROM thing";
    assert_eq!(restored.query_one(text, &[], |row| row.get::<i64>(0)).unwrap(), 64);
    assert_eq!(restored.query_one("PRAGMA integrity_check", &[], |row| row.get::<String>(0)).unwrap(), "ok");
    assert!(matches!(reader.backup(&copy), Err(Error::File { .. })));
    assert_eq!(restored.query_one(text, &[], |row| row.get::<i64>(0)).unwrap(), 64);
}
