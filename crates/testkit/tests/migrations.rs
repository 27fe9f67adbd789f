//! Migrations that change what is there: a database of an earlier version, with rows, brought up to date.

use db::Connection;
use testkit::{ENGINES, Engine, TestDatabase};

/// An action as version 1 kept it.
fn insert_action(connection: &mut Connection, engine: Engine, id: i64, kind: i64, request: &str) {
    let bytes = |count: usize| match engine {
        Engine::Sqlite => format!("zeroblob({count})"),
        Engine::Postgres => format!("decode(repeat('00', {count}), 'hex')"),
    };
    let at = match engine {
        Engine::Sqlite => "0",
        Engine::Postgres => "TIMESTAMPTZ 'epoch'",
    };
    let sql = format!(
        "INSERT INTO action (id, kind, actor, account_id, requested_at, completed_at, request, salt, hash, first_event, \
         last_event) VALUES ({id}, {kind}, 1, 1, {at}, {at}, '{request}', {}, {}, {id}, {id})",
        bytes(16),
        bytes(32)
    );
    connection.batch(&sql).expect("version 1 takes it");
}

#[test]
fn actions_of_the_first_version_learn_which_other_account_they_concern() {
    for engine in ENGINES {
        let first = store::MIGRATIONS.get(..1).expect("there is a first version");
        let database = TestDatabase::migrated(engine, first);
        let mut connection = database.connect();
        for (id, kind, request) in [
            (1, 10, r#"{"source_id": 1, "target_id": 7}"#),
            (2, 11, r#"{"source_id": 1, "beneficiary_account_id": 8}"#),
            (3, 11, r#"{"source_id": 1, "beneficiary_account_id": null}"#),
            (4, 12, r#"{"source_id": 1, "target_id": 9}"#),
            (5, 10, "{}"),
        ] {
            insert_action(&mut connection, engine, id, kind, request);
        }
        connection.migrate(store::MIGRATIONS).expect("it is brought up to date");
        let sql = "SELECT other_account_id FROM action ORDER BY id";
        let others: Vec<Option<i64>> = connection.query(sql, &[], |row| row.get(0)).expect("it answers");
        assert_eq!(others, [Some(7), Some(8), None, None, None]);
        let changed = connection.execute("UPDATE action SET other_account_id = 1 WHERE id = 1", &[]);
        changed.expect_err("actions are append-only again");
    }
}
