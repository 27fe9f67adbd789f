//! The auditor behind `granary verify`: is the registry what its sealed log says, and does it keep its own rules?
//!
//! | pass | reads | checks |
//! | --- | --- | --- |
//! | log | events and actions in order | numbers, leaves, tree and head; who acted; splits; what moved where |
//! | snapshots | certificate attributes beside their devices | their hashes; that they are the device as it was |
//! | intervals | current readings and bundles by device and time | overlaps, energy and capacity of each interval |
//! | readings | rows and their events, by id | the fold of a reading's events is its row |
//! | releases | what was released, by device and time | it belongs to a reading and is at most what was withdrawn |
//! | bundles | rows and their events, by id | the fold of a bundle's events is its row; ranges, splits, hashes, states |
//! | holdings | the totals that are kept of what accounts hold | they are what the bundles' events add up to |
//! | storage | charges, discharges and draws beside what they hang together with | their rules; the identity of each device |
//! | registrations | rows and their events, by id | the same of users, accounts, devices, storage records and so on |
//! | runs | rows and the events of their orders | each run has one row that says what its event says |
//!
//! Invariant: it shares no code with the rules or with what writes, so that it is a second statement of the truth; the
//! decoder, the hashes and the tables of what may follow what are its own. It streams: memory grows with devices,
//! accounts and users, and with the weeks in which devices produced, never with bundles, readings or events.
//!
//! It changes nothing, repairs nothing, and reads what is broken as a finding instead of failing, except for a database
//! that does not answer or has other tables.

mod bundle;
mod decode;
mod head;
mod holdings;
mod intervals;
mod log;
mod moves;
mod order_runs;
mod orders;
mod readings;
mod registrations;
mod releases;
mod report;
mod rows;
mod rules;
mod seal;
mod snapshots;
mod storage;
mod world;

pub use report::{FINDINGS_MAX, Finding, FindingKind, InvariantReport, Noun, Phase, Progress, Report, Severity};

use report::Audit;

/// How many rows, or ids, are looked at together.
pub(crate) const PAGE: i64 = 10_000;

/// What the registry's settings say, as far as checks need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How far above capacity × duration an interval may be issued, as numerator and denominator of an exact ratio.
    /// The denominator is at least 1; a 0 is read as 1.
    pub capacity_margin: (u64, u64),
}

impl Default for Options {
    /// A margin of 1.1.
    fn default() -> Self {
        Self { capacity_margin: (11, 10) }
    }
}

/// Verifies the whole ledger in one unchanging state of the database and says what it found.
///
/// # Errors
/// Of the database alone. What is wrong with its content is in the report.
pub fn run(
    connection: &mut db::Connection,
    options: &Options,
    mut on_progress: impl FnMut(Progress),
) -> db::Result<Report> {
    connection.snapshot(|connection| {
        rows::plan_for_look_ups(connection)?;
        let mut audit = Audit::new(&mut on_progress);
        let head = head::read(connection, &mut audit)?;
        let mut world = log::check(connection, &mut audit, &head)?;
        let snapshots = snapshots::check(connection, &mut audit)?;
        intervals::check(connection, &mut audit, &head, (&world, &snapshots), options)?;
        readings::check(connection, &mut audit, &head, &mut world)?;
        releases::check(connection, &mut audit)?;
        let holdings = bundle::check(connection, &mut audit, &head, &mut world, &snapshots)?;
        holdings.check(connection, &mut audit)?;
        storage::check(connection, &mut audit, &head, &world, &snapshots)?;
        registrations::check(connection, &mut audit, &head, &world)?;
        order_runs::check(connection, &mut audit)?;
        Ok(audit.into_report())
    })
}
