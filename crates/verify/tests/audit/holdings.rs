//! The totals that are kept of what accounts hold: each way in which one can be wrong is told, with what it must be.

use crate::ledger::{C, Ledger, on_both};
use db::Engine;
use verify::{FindingKind as Kind, Noun};

/// The row of the most bundles that account 1 holds Active.
const ROW: &str = "(account_id, device_id, attributes_id, status, week) = (SELECT account_id, device_id, attributes_id, status, \
    week FROM holding WHERE account_id = 1 AND status = 1 ORDER BY bundles DESC, device_id, attributes_id, week LIMIT 1)";

#[track_caller]
fn finds(damage: &str, words: &[&str]) {
    on_both(|ledger| {
        assert_eq!(ledger.audit().findings, [], "the ledger was clean");
        ledger.sql(&damage.replace("ROW", ROW));
        let finding = ledger.finds_only(Kind::HoldingDiffers, Noun::Account, 1);
        for word in words {
            assert!(finding.text.contains(word), "{word} in {finding:?}");
        }
    });
}

#[test]
fn a_total_of_one_wh_more() {
    finds("UPDATE holding SET energy_wh = energy_wh + 1 WHERE ROW", &["Active", "is kept; by its bundles' events"]);
}

#[test]
fn a_total_of_one_bundle_less() {
    finds("UPDATE holding SET bundles = bundles - 1 WHERE ROW", &["is kept; by its bundles' events"]);
}

#[test]
fn a_total_that_is_gone() {
    finds("DELETE FROM holding WHERE ROW", &["nothing is kept"]);
}

#[test]
fn bundles_that_expire_before_or_after_what_is_said_of_them() {
    finds("UPDATE holding SET expires_first = expires_last WHERE ROW", &["expire from"]);
    finds("UPDATE holding SET expires_last = expires_first WHERE ROW", &["expire from"]);
}

#[test]
fn a_total_of_what_nobody_holds() {
    on_both(|ledger| {
        insert(ledger, 1);
        let finding = ledger.finds_only(Kind::HoldingDiffers, Noun::Account, C.0);
        assert!(finding.text.contains("it must be 0 bundles of 0 Wh"), "{finding:?}");
        ledger.sql("UPDATE holding SET bundles = 0, energy_wh = 0 WHERE account_id = 3");
        assert_eq!(ledger.audit().findings, [], "a row that counts nothing any more may stay");
    });
}

fn insert(ledger: &mut Ledger, bundles: i64) {
    let at = ledger.instant("2028-01-01T00:00:00Z");
    ledger.sql(&format!("INSERT INTO holding VALUES (3, 1, 1, 6, 2900, {bundles}, 10, {at}, {at})"));
}

#[test]
fn the_migration_adds_up_what_was_there_before() {
    on_both(|ledger| {
        let migration = store::MIGRATIONS.iter().find(|migration| migration.name == "holding").unwrap();
        let text = match ledger.connection.engine() {
            Engine::Sqlite => migration.sqlite,
            Engine::Postgres => migration.postgres,
        };
        ledger.sql("DELETE FROM holding");
        ledger.sql(&text[text.find("INSERT INTO holding").unwrap()..]);
        assert_eq!(ledger.audit().findings, []);
    });
}
