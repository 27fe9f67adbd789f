//! Users, organisations, accounts, devices, metadata and snapshots: the fold of each one's events is its row; and who
//! belongs to which account, and who accepts from whom, is what the log says.
//!
//! Invariant: a column is compared with the field that its tag names, text through its salted hash; memory holds one
//! window of ids, and what [`World`] holds.

mod fold;
mod tables;

use crate::head::{Head, check_next};
use crate::report::{Audit, FindingKind, Noun, Phase, shown};
use crate::rows::{self, number, optional_number};
use crate::world::World;
use db::{Connection, Result};
use std::collections::BTreeSet;

pub(crate) fn check(connection: &mut Connection, audit: &mut Audit<'_>, head: &Head, world: &World) -> Result<()> {
    let total = tables::ALL.iter().map(|table| (table.next_of)(head) - 1).sum();
    let mut done = 0;
    for table in tables::ALL {
        let (mut after, mut next, mut count) = (0, 1, 0);
        while let Some(window) = rows::next_window(connection, table.next, table.entity, after)? {
            count += fold::check(connection, audit, world, table, window, &mut next)?;
            after = window.last;
            audit.progress(Phase::Registrations, done + count, total);
        }
        check_next(audit, table.next_name, (table.next_of)(head), next - 1);
        let counts = audit.counts();
        match table.noun {
            Noun::User => counts.users = count,
            Noun::Organisation => counts.organisations = count,
            Noun::Account => counts.accounts = count,
            Noun::Device => counts.devices = count,
            Noun::Metadata => counts.metadata = count,
            _ => {}
        }
        done += count;
    }
    audit.progress(Phase::Registrations, done, total);
    check_devices(connection, audit, world)?;
    let members = "SELECT user_id, account_id FROM account_user ORDER BY user_id, account_id";
    check_pairs(connection, audit, members, Noun::Membership, &world.memberships)?;
    let senders = "SELECT account_id, source_account_id FROM account_whitelist ORDER BY account_id, source_account_id";
    check_pairs(connection, audit, senders, Noun::Whitelist, &world.whitelist)
}

/// What a device's row derives from its readings and bundles.
fn check_devices(connection: &mut Connection, audit: &mut Audit<'_>, world: &World) -> Result<()> {
    connection.query_each("SELECT id, gross_net, next_certificate FROM device ORDER BY id", &[], |row| {
        let (id, gross_net, next) = (number(row, 0)?, optional_number(row, 1)?, number(row, 2)?);
        let Some(device) = world.devices.get(&id) else { return Ok(()) };
        if gross_net != device.gross_net {
            audit.find(FindingKind::RowDiffers, Noun::Device, id, None, || {
                let (found, expected) = (shown(gross_net), shown(device.gross_net));
                format!("gross_net of device {id} is {found}; its first reading says {expected}")
            });
        }
        if next != device.next_certificate {
            audit.find(FindingKind::CertificatesMissing, Noun::Device, id, None, || {
                format!("next_certificate of device {id} is {next}; its bundles end before {}", device.next_certificate)
            });
        }
        Ok(())
    })
}

/// Compares a table of pairs with the pairs of the log; both are in order.
fn check_pairs(
    connection: &mut Connection,
    audit: &mut Audit<'_>,
    select: &'static str,
    noun: Noun,
    expected: &BTreeSet<(i64, i64)>,
) -> Result<()> {
    let mut expected = expected.iter().peekable();
    connection.query_each(select, &[], |row| -> Result<()> {
        let pair = (number(row, 0)?, number(row, 1)?);
        while let Some(missing) = expected.next_if(|expected| **expected < pair) {
            find_pair(audit, FindingKind::RowMissing, noun, *missing);
        }
        if expected.next_if_eq(&&pair).is_none() {
            find_pair(audit, FindingKind::RowWithoutEvent, noun, pair);
        }
        Ok(())
    })?;
    expected.for_each(|missing| find_pair(audit, FindingKind::RowMissing, noun, *missing));
    Ok(())
}

fn find_pair(audit: &mut Audit<'_>, kind: FindingKind, noun: Noun, (id, other): (i64, i64)) {
    audit.find(kind, noun, id, None, || {
        let fact = if noun == Noun::Whitelist {
            format!("account {id} accepts from account {other}")
        } else {
            format!("user {id} belongs to account {other}")
        };
        let (by, not_by) = if kind == FindingKind::RowMissing { ("log", "table") } else { ("table", "log") };
        format!("by the {by} {fact}, by the {not_by} not")
    });
}
