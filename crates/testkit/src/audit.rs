//! The auditor's word on a test's ledger.

use db::Url;

/// # Panics
/// If `verify` finds anything, telling what.
pub fn assert_verified(database: &Url) {
    let mut connection = db::Connection::open_as(database, db::OpenMode::LongReader).expect("the database opens");
    let report = verify::run(&mut connection, &verify::Options::default(), |_| ()).expect("the database answers");
    assert!(report.is_clean(), "{} violations, the first: {:#?}", report.violations, report.findings.first());
}
