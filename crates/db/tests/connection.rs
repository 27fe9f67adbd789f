//! Statements, values and transactions behave the same on both engines.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use db::testing::{Engine, TestDatabase};
use db::{Connection, Error, OpenMode, Result, Row, Table, Value};
use jiff::Timestamp;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A table with a column of each type, in the words of both engines.
fn with_table(database: &TestDatabase) -> Connection {
    let mut connection = database.connect();
    let text = match database.engine() {
        Engine::Sqlite => {
            "CREATE TABLE thing (id INTEGER PRIMARY KEY, small INTEGER, medium INTEGER, flag INTEGER, name TEXT UNIQUE,
             hash BLOB, seen_at INTEGER, note TEXT) STRICT"
        }
        Engine::Postgres => {
            "CREATE TABLE thing (id BIGINT PRIMARY KEY, small SMALLINT, medium INTEGER, flag BOOLEAN, name TEXT UNIQUE,
             hash BYTEA, seen_at TIMESTAMPTZ, note JSONB);
             CREATE FUNCTION rarray(BIGINT[]) RETURNS TABLE (value BIGINT) LANGUAGE sql IMMUTABLE AS 'SELECT unnest($1)';
             CREATE FUNCTION rarray_text(TEXT[]) RETURNS TABLE (value TEXT) LANGUAGE sql IMMUTABLE AS 'SELECT unnest($1)'"
        }
    };
    connection.batch(text).unwrap();
    connection
}

fn add(connection: &mut Connection, id: i64, name: &str) -> Result<u64> {
    connection.execute("INSERT INTO thing (id, name) VALUES ($1, $2)", &[id.into(), name.into()])
}

fn count(connection: &mut Connection) -> i64 {
    connection.query_one("SELECT COUNT(*) FROM thing", &[], |row| row.get(0)).unwrap()
}

fn int(row: &Row<'_>) -> Result<i64> {
    row.get(0)
}

const INSERT: &str = "INSERT INTO thing (id, small, medium, flag, name, hash, seen_at, note)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const SELECT: &str = "SELECT id, small, medium, flag, name, hash, seen_at, note FROM thing WHERE id = $1";

#[test]
fn a_value_reads_back_as_it_was_written() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let times = [
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "2024-02-29T12:00:00.000001Z",
            "9999-12-30T22:00:00Z",
        ];
        let ids = [i64::MIN, -1, 0, i64::MAX];
        for (id, time) in ids.into_iter().zip(times) {
            let (time, hash, name): (Timestamp, [u8; 32], _) =
                (time.parse().unwrap(), [0xfe; 32], format!("é\u{1f50c}' {id}"));
            let values: [Value<'_>; 8] = [
                id.into(),
                i16::MIN.into(),
                i32::MAX.into(),
                true.into(),
                (&name).into(),
                (&hash).into(),
                time.into(),
                Value::Json(r#"{"a":[1,null]}"#),
            ];
            assert_eq!(connection.execute(INSERT, &values).unwrap(), 1);
            connection
                .query_one(SELECT, &[id.into()], |row| {
                    assert_eq!(row.width(), 8);
                    assert_eq!((row.get::<i64>(0)?, row.get::<i16>(1)?, row.get::<i32>(2)?), (id, i16::MIN, i32::MAX));
                    assert_eq!(
                        (row.get::<bool>(3)?, row.get::<&str>(4)?, row.get::<String>(4)?),
                        (true, &*name, name.clone())
                    );
                    assert_eq!(
                        (row.get::<[u8; 32]>(5)?, row.get::<&[u8]>(5)?, row.get::<Vec<u8>>(5)?),
                        (hash, &hash[..], hash.to_vec())
                    );
                    assert_eq!((row.get::<Timestamp>(6)?, row.get::<Option<Timestamp>>(6)?), (time, Some(time)));
                    assert_eq!(row.get::<serde_json::Value>(7)?, serde_json::json!({"a": [1, null]}));
                    Ok(())
                })
                .unwrap();
        }
    }
}

#[test]
fn null_is_none_and_nothing_else() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let mut values = [Value::Null; 8];
        values[0] = 1_i64.into();
        connection.execute(INSERT, &values).unwrap();
        connection
            .query_one(SELECT, &[1_i64.into()], |row| {
                assert_eq!(
                    (row.get::<Option<i16>>(1)?, row.get::<Option<bool>>(3)?, row.get::<Option<&str>>(4)?),
                    (None, None, None)
                );
                assert_eq!((row.get::<Option<[u8; 16]>>(5)?, row.get::<Option<Timestamp>>(6)?), (None, None));
                assert!(matches!(row.get::<&str>(4), Err(Error::Column { column: 4, .. })));
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn parameters_are_bound_by_their_number_not_their_place() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        add(&mut connection, 1, "one").unwrap();
        add(&mut connection, 2, "two").unwrap();
        let changed =
            connection.execute("UPDATE thing SET name = $2 WHERE id = $1", &[1_i64.into(), "uno".into()]).unwrap();
        assert_eq!(changed, 1);
        let names = connection.query("SELECT name FROM thing ORDER BY id", &[], |row| row.get::<String>(0)).unwrap();
        assert_eq!(names, ["uno", "two"]);
        let twice = "SELECT COUNT(*) FROM thing WHERE name = $2 OR name = $1 OR name = $2";
        assert_eq!(connection.query_one(twice, &["x".into(), "two".into()], int).unwrap(), 1);
    }
}

#[test]
fn the_wrong_number_of_parameters_is_an_error() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        for values in [&[][..], &[1_i64.into(), 2_i64.into()]] {
            assert!(connection.query("SELECT id FROM thing WHERE id = $1", values, int).is_err());
        }
    }
}

#[test]
fn a_wrong_type_names_the_column_and_hides_the_value() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let values: [Value<'_>; 8] = [
            70_000_i64.into(),
            300_i16.into(),
            70_000_i32.into(),
            false.into(),
            "secret".into(),
            (&[1_u8; 5]).into(),
            Timestamp::UNIX_EPOCH.into(),
            Value::Json("[]"),
        ];
        connection.execute(INSERT, &values).unwrap();
        let mut column = |read: fn(&Row<'_>) -> Result<()>, at: usize| {
            let error = connection.query_one(SELECT, &[70_000_i64.into()], read).unwrap_err();
            assert!(matches!(error, Error::Column { column, .. } if column == at), "{error}");
            assert!(!format!("{error} {error:?}").contains("secret"));
        };
        column(|row| row.get::<i16>(0).map(drop), 0);
        column(|row| row.get::<u8>(1).map(drop), 1);
        column(|row| row.get::<i64>(4).map(drop), 4);
        column(|row| row.get::<[u8; 32]>(5).map(drop), 5);
        column(|row| row.get::<&str>(5).map(drop), 5);
        column(|row| row.get::<bool>(4).map(drop), 4);
        column(|row| row.get::<i64>(8).map(drop), 8);
        let fraction = connection.query_one("SELECT CAST(1 AS REAL) / 2", &[], |row| row.get::<i64>(0)).unwrap_err();
        assert!(matches!(fraction, Error::Column { column: 0, .. }), "{fraction}");
    }
}

#[test]
fn an_instant_no_calendar_has_is_an_error() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let texts = match database.engine() {
            Engine::Sqlite => ["SELECT 9223372036854775807", "SELECT -9223372036854775807"],
            Engine::Postgres => ["SELECT CAST('infinity' AS TIMESTAMPTZ)", "SELECT CAST('-infinity' AS TIMESTAMPTZ)"],
        };
        for text in texts {
            let read = connection.query_one(text, &[], |row| row.get::<Timestamp>(0));
            assert!(matches!(read, Err(Error::Column { column: 0, .. })), "{read:?}");
        }
    }
}

#[test]
fn what_cannot_be_stored_is_refused_alike() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let error = add(&mut connection, 1, "a\0secret").unwrap_err();
        assert!(matches!(error, Error::Value { parameter: 2, .. }), "{error}");
        assert!(!error.to_string().contains("secret"));
        // Wherever it was noticed, the connection goes on.
        add(&mut connection, 1, "a").unwrap();
    }
}

#[test]
fn sets_of_ids_and_of_texts_are_joined() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        for id in 1..=9 {
            add(&mut connection, id, &format!("n{id}")).unwrap();
        }
        let by_id = "SELECT t.id FROM rarray($1) AS wanted JOIN thing t ON t.id = wanted.value ORDER BY t.id";
        assert_eq!(connection.query(by_id, &[(&[7_i64, 3, 12]).into()], int).unwrap(), [3, 7]);
        assert_eq!(connection.query(by_id, &[Value::Ids(&[])], int).unwrap(), [0_i64; 0]);
        let by_name =
            "SELECT t.id FROM rarray_text($1) AS wanted JOIN thing t ON t.name = wanted.value WHERE t.id > $2";
        let names = ["n5".to_owned(), "n1".to_owned(), "x".to_owned()];
        assert_eq!(connection.query(by_name, &[names[..].into(), 1_i64.into()], int).unwrap(), [5]);
    }
}

#[test]
fn one_row_none_and_many() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let text = "SELECT id FROM thing ORDER BY id";
        assert!(matches!(connection.query_one(text, &[], int), Err(Error::NoRow)));
        assert_eq!(connection.query_optional(text, &[], int).unwrap(), None);
        for id in [4, 5, 6] {
            add(&mut connection, id, &id.to_string()).unwrap();
        }
        assert_eq!(connection.query_one(text, &[], int).unwrap(), 4);
        let mut seen = Vec::new();
        let stopped: Result<(), Error> = connection.query_each(text, &[], |row| {
            seen.push(row.get::<i64>(0)?);
            if seen.len() == 2 { Err(Error::column(0, "enough")) } else { Ok(()) }
        });
        assert!(matches!(stopped, Err(Error::Column { .. })));
        assert_eq!(seen, [4, 5]);
        assert_eq!(connection.query(text, &[], int).unwrap(), [4, 5, 6]);
    }
}

#[test]
fn a_transaction_is_kept_on_ok_and_undone_on_err_and_on_panic() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        connection.transaction(|tx| add(tx, 1, "kept")).unwrap();
        let failed: Result<()> = connection.transaction(|tx| {
            add(tx, 2, "undone")?;
            Err(Error::NoRow)
        });
        assert!(matches!(failed, Err(Error::NoRow)));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            connection.transaction::<(), Error>(|tx| {
                add(tx, 3, "undone").unwrap();
                panic!("a broken invariant")
            })
        }));
        assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "a broken invariant");
        assert!(!connection.is_broken() && !connection.in_transaction());
        assert_eq!(count(&mut connection), 1);
    }
}

#[test]
fn a_transaction_with_a_failed_statement_is_not_committed() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let done: Result<()> = connection.transaction(|tx| {
            add(tx, 1, "one")?;
            assert!(add(tx, 1, "again").unwrap_err().is_taken());
            Ok(())
        });
        assert!(matches!(done, Err(Error::Aborted)), "{done:?}");
        assert_eq!(count(&mut connection), 0);
        connection.transaction(|tx| add(tx, 1, "one")).unwrap();
    }
}

#[test]
fn a_refused_commit_is_told_apart_and_leaves_nothing() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let table = "CREATE TABLE part (thing_id BIGINT REFERENCES thing (id) DEFERRABLE INITIALLY DEFERRED)";
        connection.batch(table).unwrap();
        connection.begin().unwrap();
        connection.execute("INSERT INTO part (thing_id) VALUES ($1)", &[9_i64.into()]).unwrap();
        let error = connection.commit().unwrap_err();
        assert!(matches!(error, Error::Commit(_)) && !error.is_outcome_unknown(), "{error}");
        assert!(!connection.in_transaction() && !connection.is_broken());
        assert_eq!(connection.query_one("SELECT COUNT(*) FROM part", &[], int).unwrap(), 0);
    }
}

#[test]
fn a_snapshot_does_not_see_what_comes_later_and_cannot_write() {
    for database in TestDatabase::both() {
        let mut writer = with_table(&database);
        let mut reader = Connection::open_as(database.url(), OpenMode::LongReader).unwrap();
        reader
            .snapshot::<_, Error>(|snapshot| {
                add(&mut writer, 1, "later").unwrap();
                assert_eq!(count(snapshot), 0);
                Ok(())
            })
            .unwrap();
        assert_eq!(count(&mut reader), 1);
        assert!(reader.snapshot(|snapshot| add(snapshot, 2, "no")).is_err());
        assert!(add(&mut reader, 2, "no").is_err());
        assert!(writer.snapshot(|snapshot| add(snapshot, 2, "no")).is_err());
        assert_eq!(count(&mut writer), 1);
        add(&mut writer, 2, "yes").unwrap();
    }
}

#[test]
fn what_is_taken_is_told_from_other_failures() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        add(&mut connection, 1, "s3cret").unwrap();
        for (id, name) in [(1, "other"), (2, "s3cret")] {
            let error = add(&mut connection, id, name).unwrap_err();
            assert!(error.is_taken() && !error.is_disconnected() && !error.is_busy(), "{error}");
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
        let error = connection.batch("SELECT * FROM nothing").unwrap_err();
        assert!(!error.is_taken());
        assert!(error.to_string().contains("nothing"), "{error}");
    }
}

#[test]
fn a_locked_row_makes_others_wait_and_then_fail_as_busy() {
    for database in TestDatabase::both() {
        let (mut first, mut second) = (with_table(&database), database.connect());
        add(&mut first, 1, "one").unwrap();
        second
            .batch(if database.engine() == Engine::Sqlite { "PRAGMA busy_timeout = 1" } else { "SET lock_timeout = 1" })
            .unwrap();
        first.begin().unwrap();
        let text = "SELECT id FROM thing WHERE id = $1";
        assert_eq!(first.query_locking(text, &[1_i64.into()], int).unwrap(), 1);
        let error = second.transaction(|tx| tx.query_locking(text, &[1_i64.into()], int)).unwrap_err();
        assert!(error.is_busy(), "{error}");
        first.commit().unwrap();
        second.transaction(|tx| tx.query_locking(text, &[1_i64.into()], int)).unwrap();
    }
}

#[test]
fn more_statements_than_are_kept_still_run() {
    for database in TestDatabase::both() {
        let mut connection = database.connect();
        for round in 0..2 {
            for number in 0..=db::STATEMENTS_MAX {
                let text = format!("SELECT {number} + CAST($1 AS INTEGER)");
                assert_eq!(
                    connection.query_one(&text, &[round.into()], |row| row.get::<i32>(0)).unwrap(),
                    i32::try_from(number).unwrap() + round
                );
            }
        }
    }
}

#[test]
fn a_statement_survives_a_change_of_its_table() {
    for database in TestDatabase::both() {
        let (mut connection, mut other) = (with_table(&database), database.connect());
        add(&mut connection, 1, "one").unwrap();
        let text = "SELECT * FROM thing";
        let widths = |connection: &mut Connection| connection.query(text, &[], |row| Ok(row.width()));
        for _ in 0..3 {
            assert_eq!(widths(&mut connection).unwrap(), [8]);
        }
        other.batch("ALTER TABLE thing ADD COLUMN extra INTEGER").unwrap();
        assert_eq!(widths(&mut connection).unwrap(), [9]);
        // Inside a transaction the first attempt has spoilt it already; the next transaction works.
        other.batch("ALTER TABLE thing ADD COLUMN more INTEGER").unwrap();
        let first = connection.transaction(|tx| widths(tx));
        assert_eq!(first.is_err(), database.engine() == Engine::Postgres);
        assert_eq!(connection.transaction(|tx| widths(tx)).unwrap(), [10]);
    }
}

/// So many ids of so small a table without statistics that PostgreSQL by itself would read the whole table and hash it.
#[test]
fn a_writer_looks_up_a_set_of_keys_through_the_index() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let ids: Vec<i64> = (1..=5_000).collect();
        connection.insert(&Table { name: "thing", columns: ["id"] }, &ids, |id| [(*id).into()]).unwrap();
        let text = "SELECT t.name FROM thing t WHERE t.id IN rarray($1)";
        let found = connection.query(text, &[ids[..2_000].into()], |row| row.get::<Option<String>>(0)).unwrap();
        assert_eq!(found.len(), 2_000);
        let (explain, used, column) = match database.engine() {
            Engine::Sqlite => ("EXPLAIN QUERY PLAN", "SEARCH t USING INTEGER PRIMARY KEY", 3),
            Engine::Postgres => ("EXPLAIN", "Index Scan using thing_pkey on thing t", 0),
        };
        let explain = format!("{explain} {text}");
        let plan = connection.query(&explain, &[ids[..2_000].into()], |row| row.get::<String>(column)).unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(used), "{plan}");
        assert!(!plan.contains("Seq Scan") && !plan.contains("SCAN t"), "{plan}");
    }
}

#[test]
fn sets_of_ids_and_of_texts_stand_in_one_condition() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        for (id, name) in [(1, "a"), (2, "b"), (3, "c")] {
            add(&mut connection, id, name).unwrap();
        }
        let names = ["b".to_owned(), "c".to_owned(), "nobody".to_owned()];
        let text = "SELECT id FROM thing WHERE name IN rarray_text($2) AND id IN rarray($1) ORDER BY id";
        let found = connection.query(text, &[[1_i64, 2].as_slice().into(), Value::Texts(&names)], int).unwrap();
        assert_eq!(found, [2]);
    }
}

#[test]
fn a_lost_server_is_told_apart_and_its_connection_is_broken() {
    let database = TestDatabase::empty(Engine::Postgres);
    let mut admin = with_table(&database);
    let kill = |connection: &mut Connection, admin: &mut Connection| {
        let pid = connection.query_one("SELECT pg_backend_pid()", &[], |row| row.get::<i32>(0)).unwrap();
        let killed = admin.query_one("SELECT pg_terminate_backend($1, 10000)", &[pid.into()], |row| row.get::<bool>(0));
        assert!(killed.unwrap());
    };
    let mut connection = database.connect();
    kill(&mut connection, &mut admin);
    let error = add(&mut connection, 1, "lost").unwrap_err();
    assert!(error.is_disconnected() && connection.is_broken(), "{error}");

    let mut connection = database.connect();
    connection.begin().unwrap();
    add(&mut connection, 1, "doubt").unwrap();
    kill(&mut connection, &mut admin);
    let error = connection.commit().unwrap_err();
    assert!(error.is_outcome_unknown() && error.is_disconnected() && connection.is_broken(), "{error}");
    assert!(!connection.in_transaction());
}

#[test]
fn a_server_that_is_not_there_is_a_lost_connection() {
    let url = "postgres://nobody:s3cret@127.0.0.1:1/none".parse().unwrap();
    let error = Connection::open(&url).unwrap_err();
    assert!(error.is_disconnected(), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

#[test]
fn rows_are_streamed_in_little_memory() {
    // 200 MB of rows; the most this process ever held must grow by far less.
    const GROWTH_KIB_MAX: u64 = 64 * 1024;
    for database in TestDatabase::both() {
        let mut connection = database.connect();
        let text = match database.engine() {
            Engine::Sqlite => {
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i, hex(zeroblob(500)) FROM n"
            }
            Engine::Postgres => "SELECT i, repeat('0', 1000) FROM generate_series(1, 200000) AS i",
        };
        let (before, mut rows) = (peak_kib(), 0);
        let done: Result<()> = connection.query_each(text, &[], |row| {
            rows += 1;
            assert_eq!(row.get::<&str>(1)?.len(), 1000);
            Ok(())
        });
        done.unwrap();
        assert_eq!(rows, 200_000);
        assert!(peak_kib() - before < GROWTH_KIB_MAX, "{} KiB", peak_kib() - before);
    }
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
