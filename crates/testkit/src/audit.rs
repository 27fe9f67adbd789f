//! The auditor's word on a test's ledger.

use db::Url;
use std::sync::Arc;

/// # Panics
/// If `verify` finds anything, telling what.
pub fn assert_verified(database: &Url) {
    let mut connection = db::Connection::open_as(database, db::OpenMode::LongReader).expect("the database opens");
    let report = verify::run(&mut connection, &verify::Options::default(), |_| ()).expect("the database answers");
    assert!(report.is_clean(), "{} violations, the first: {:#?}", report.violations, report.findings.first());
}

/// What the screens check a test's ledger with.
pub(crate) fn check_of(database: &Url) -> ui::Check {
    let database = database.clone();
    Arc::new(move |told| {
        let connection = db::Connection::open_as(&database, db::OpenMode::LongReader);
        let mut connection = connection.map_err(|error| error.to_string())?;
        let step = |at: verify::Progress| told(ui::CheckStep { what: "ledger", done: at.done, total: at.total });
        let report = verify::run(&mut connection, &verify::Options::default(), step);
        serde_json::to_value(report.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    })
}
