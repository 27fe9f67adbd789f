//! The auditor against ledgers made by the real rules and the real store, on both databases: clean ones, damaged ones, and
//! ones that an attacker sealed anew.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clean;
mod corrections;
mod damaged;
mod expiry;
mod forged;
mod holdings;
mod ledger;
mod order_runs;
mod orders;
mod seed;
mod statements;
mod storage;
mod sums;
