//! Damage to users, accounts, devices and what certificates say of them.

use super::{finds, finds_only, says};
use crate::ledger::{Ledger, on_both};
use verify::{FindingKind as Kind, Noun};

#[test]
fn more_roles() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE registry_user SET roles = 127 WHERE id = 5");
    finds_only(damage, Kind::RowDiffers, Noun::User, 5, &["roles of 5 is 127", "must be 16"]);
}

#[test]
fn another_name() {
    for (table, column, noun, id) in [
        ("registry_user", "name", Noun::User, 5),
        ("registry_user", "primary_contact", Noun::User, 5),
        ("registry_user", "organisation", Noun::User, 5),
        ("organisation", "address", Noun::Organisation, 1),
        ("organisation", "website", Noun::Organisation, 1),
        ("account", "name", Noun::Account, 3),
        ("issuance_metadata", "issuing_body", Noun::Metadata, 1),
    ] {
        let damage = |ledger: &mut Ledger| ledger.sql(&format!("UPDATE {table} SET {column} = 'x' WHERE id = {id}"));
        finds_only(damage, Kind::RowDiffers, noun, id, &[column]);
    }
}

#[test]
fn a_deletion_that_no_event_tells() {
    let damage = |ledger: &mut Ledger| {
        let is_deleted = if ledger.connection.engine() == db::Engine::Sqlite { "1" } else { "TRUE" };
        ledger.sql(&format!("UPDATE account SET is_deleted = {is_deleted} WHERE id = 3"));
    };
    finds_only(damage, Kind::RowDiffers, Noun::Account, 3, &["is_deleted"]);
}

#[test]
fn an_account_that_is_gone() {
    let damage = |ledger: &mut Ledger| ledger.sql("DELETE FROM account WHERE id = 3");
    on_both(|ledger| {
        damage(ledger);
        says(&ledger.finds(Kind::RowMissing, Noun::Account, 3), &["3 is not in the table"]);
    });
}

#[test]
fn an_account_that_no_event_created() {
    let damage = |ledger: &mut Ledger| {
        ledger.sql("INSERT INTO account SELECT 4, 'Mallory', organisation_id, is_deleted, created_at FROM account WHERE id = 3");
    };
    finds(damage, &[(Kind::RowWithoutEvent, Noun::Account, 4), (Kind::HeadDiffers, Noun::Head, 1)]);
}

#[test]
fn a_whitelist_with_one_more() {
    let damage = |ledger: &mut Ledger| ledger.sql("INSERT INTO account_whitelist VALUES (3, 1)");
    finds_only(damage, Kind::RowWithoutEvent, Noun::Whitelist, 3, &["account 3 accepts from account 1"]);
}

#[test]
fn a_whitelist_with_one_less() {
    let damage = |ledger: &mut Ledger| ledger.sql("DELETE FROM account_whitelist");
    finds_only(damage, Kind::RowMissing, Noun::Whitelist, 2, &["by the log account 2 accepts from account 1"]);
}

#[test]
fn a_membership_more_and_one_less() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE account_user SET account_id = 1 WHERE user_id = 5");
    finds(damage, &[(Kind::RowWithoutEvent, Noun::Membership, 5), (Kind::RowMissing, Noun::Membership, 5)]);
}

#[test]
fn another_capacity_of_a_device() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE device SET capacity_watts = 9000000 WHERE id = 1");
    on_both(|ledger| {
        damage(ledger);
        says(&ledger.finds(Kind::RowDiffers, Noun::Device, 1), &["capacity_watts of 1 is 9000000", "1000000"]);
        says(&ledger.finds(Kind::AttributesChanged, Noun::Attributes, 1), &["1000000 W and 9000000 W"]);
        assert_eq!(ledger.audit().violations, 2);
    });
}

#[test]
fn another_capacity_on_certificates() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE certificate_attributes SET capacity_watts = 5 WHERE id = 1");
    on_both(|ledger| {
        damage(ledger);
        ledger.finds(Kind::HashDiffers, Noun::Attributes, 1);
        ledger.finds(Kind::AttributesChanged, Noun::Attributes, 1);
        says(&ledger.finds(Kind::AboveCapacity, Noun::Measurement, 1), &["1000 Wh are live", "5 W allows 5 Wh"]);
    });
}

#[test]
fn a_counter_of_certificates_that_goes_back() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE device SET next_certificate = 7801 WHERE id = 1");
    finds_only(damage, Kind::CertificatesMissing, Noun::Device, 1, &["next_certificate of device 1 is 7801", "7901"]);
}

#[test]
fn another_meter_mode() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE device SET gross_net = 1 WHERE id = 1");
    finds_only(damage, Kind::RowDiffers, Noun::Device, 1, &["gross_net of device 1 is 1", "says 2"]);
}
