//! Many rows at once give what the same rows one by one would.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use db::testing::{Engine, TestDatabase};
use db::{Connection, Error, Table, Value};
use jiff::{Timestamp, ToSpan as _};

const THING: Table<5> = Table { name: "thing", columns: ["id", "kind", "name", "hash", "seen_at"] };
/// More than fills several chunks of every kind.
const MANY: i64 = 3_000;

#[derive(Clone, Debug, PartialEq)]
struct Thing {
    id: i64,
    kind: i16,
    name: Option<String>,
    hash: [u8; 32],
    seen_at: Timestamp,
}

impl Thing {
    fn numbered(id: i64) -> Self {
        let name = (id % 3 != 0).then(|| format!("thing {id}"));
        let hash = [u8::try_from(id % 256).unwrap(); 32];
        Self { id, kind: i16::try_from(id % 7).unwrap(), name, hash, seen_at: Timestamp::UNIX_EPOCH + id.hours() }
    }

    fn values(&self) -> [Value<'_>; 5] {
        [self.id.into(), self.kind.into(), self.name.as_deref().into(), (&self.hash).into(), self.seen_at.into()]
    }
}

fn with_table(database: &TestDatabase) -> Connection {
    let mut connection = database.connect();
    let text = match database.engine() {
        Engine::Sqlite => {
            "CREATE TABLE thing (id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, hash BLOB, seen_at INTEGER) STRICT"
        }
        Engine::Postgres => {
            "CREATE TABLE thing (id BIGINT PRIMARY KEY, kind SMALLINT, name TEXT, hash BYTEA, seen_at TIMESTAMPTZ)"
        }
    };
    connection.batch(text).unwrap();
    connection
}

fn all(connection: &mut Connection) -> Vec<Thing> {
    connection
        .query("SELECT id, kind, name, hash, seen_at FROM thing ORDER BY id", &[], |row| {
            Ok(Thing { id: row.get(0)?, kind: row.get(1)?, name: row.get(2)?, hash: row.get(3)?, seen_at: row.get(4)? })
        })
        .unwrap()
}

#[test]
fn inserted_rows_are_all_there() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        connection.insert(&THING, &[], Thing::values).unwrap();
        let things: Vec<Thing> = (1..=MANY).map(Thing::numbered).collect();
        connection
            .transaction(|tx| {
                tx.insert(&THING, &things[..1], Thing::values)?;
                tx.insert(&THING, &things[1..], Thing::values)
            })
            .unwrap();
        assert_eq!(all(&mut connection), things);
    }
}

#[test]
fn one_bad_row_leaves_none() {
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let mut things: Vec<Thing> = (1..=MANY).map(Thing::numbered).collect();
        things.push(Thing::numbered(1));
        let error = connection.transaction(|tx| tx.insert(&THING, &things, Thing::values)).unwrap_err();
        assert!(error.is_taken(), "{error}");
        things.pop();
        things[2_000].name = Some("a\0b".to_owned());
        let error = connection.transaction(|tx| tx.insert(&THING, &things, Thing::values)).unwrap_err();
        assert!(matches!(error, Error::Value { parameter: 3, .. }), "{error}");
        assert_eq!(all(&mut connection), []);
        connection.insert(&THING, &things[..9], Thing::values).unwrap();
    }
}

#[test]
fn updated_rows_get_their_own_values() {
    const UPDATE: &str = "UPDATE thing SET name = v.column2, hash = v.column3, seen_at = v.column4, kind = v.column5
        FROM ROWS AS v WHERE thing.id = v.column1";
    const TYPES: [&str; 5] = ["BIGINT", "TEXT", "BYTEA", "TIMESTAMPTZ", "SMALLINT"];
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let mut things: Vec<Thing> = (1..=MANY).map(Thing::numbered).collect();
        connection.insert(&THING, &things, Thing::values).unwrap();
        for size in [0, 1, 2, 3, 63, 64, 65, 255, 257, 1_000] {
            for thing in &mut things[..size] {
                thing.name = if thing.id % 2 == 0 { None } else { Some(format!("{} of {size}", thing.id)) };
                thing.hash[0] = thing.hash[0].wrapping_add(1);
                thing.seen_at += 1.second();
                thing.kind = 6 - thing.kind;
            }
            let changed = connection.update(UPDATE, TYPES, &things[..size], changed_values).unwrap();
            assert_eq!(changed, u64::try_from(size).unwrap());
            assert_eq!(all(&mut connection), things, "{size}");
        }
    }
}

fn changed_values(thing: &Thing) -> [Value<'_>; 5] {
    [thing.id.into(), thing.name.as_deref().into(), (&thing.hash).into(), thing.seen_at.into(), thing.kind.into()]
}

#[test]
fn each_listed_row_is_read_exactly_once() {
    const SELECT: &str = "SELECT v.column1, t.id FROM ROWS AS v
        LEFT JOIN thing t ON t.kind = v.column1 AND t.seen_at = v.column2 AND t.id < $1 ORDER BY v.column1, t.id";
    for database in TestDatabase::both() {
        let mut connection = with_table(&database);
        let things: Vec<Thing> = (1..=MANY).map(Thing::numbered).collect();
        connection.insert(&THING, &things, Thing::values).unwrap();
        for size in [0, 1, 3, 64, 65, 300] {
            let found = connection
                .query_values(
                    SELECT,
                    ["SMALLINT", "TIMESTAMPTZ"],
                    &things[..size],
                    |thing| [thing.kind.into(), thing.seen_at.into()],
                    &[200_i64.into()],
                    |row| Ok((row.get::<i16>(0)?, row.get::<Option<i64>>(1)?)),
                )
                .unwrap();
            assert_eq!(found.len(), size);
            let mut ids: Vec<i64> = found.iter().filter_map(|(_, id)| *id).collect();
            ids.sort_unstable();
            assert_eq!(ids, (1..200.min(i64::try_from(size).unwrap() + 1)).collect::<Vec<_>>());
        }
    }
}
