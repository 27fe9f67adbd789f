//! Bundles, one window of ids after the other: the fold of each one's events is its row, and the rows among themselves are
//! a ledger.
//!
//! Ids are serial in the order of the log, so that the roots of a device come with ascending certificate ids and the two
//! children of a split stand side by side. If the roots of a device follow each other without a hole, and each split
//! divides its parent exactly, then the bundles that are not split hold each certificate exactly once.
//! Invariant: memory holds one window, its parents, a counter for each device, and the totals of what accounts hold.

mod family;
mod fold;

use crate::head::{Head, check_next};
use crate::holdings::Holdings;
use crate::report::{Audit, Noun, Phase, at};
use crate::rows::{self, Window, number, optional_number};
use crate::rules::{entity, status};
use crate::seal::{BundleCore, Hash};
use crate::snapshots::Snapshots;
use crate::world::World;
use crate::{FindingKind, PAGE};
use db::{Connection, Result, Row as DbRow};
use family::Family;
use fold::Folds;
use std::collections::HashMap;

const NEXT: &str = "SELECT id FROM bundle WHERE id > $1 ORDER BY id LIMIT 1";

macro_rules! columns {
    () => {
        "b.id, b.account_id, b.status, b.device_id, b.attributes_id, b.range_first, b.range_last, b.production_start, \
         b.production_end, b.issued_at, b.expires_at, b.parent_id, b.beneficiary, b.beneficiary_account_id, b.purpose, \
         b.hash, b.draw_id, (SELECT d.attributes_id FROM storage_draw d WHERE d.id = b.draw_id)"
    };
}

/// A bundle as its row says.
#[derive(Clone)]
struct Row {
    core: BundleCore,
    account: i64,
    status: i64,
    attributes: i64,
    parent: Option<i64>,
    /// Of a certificate issued on a discharge, and what its draw says of the storage device.
    draw: Option<i64>,
    storage_attributes: Option<i64>,
    beneficiary: Option<String>,
    beneficiary_account: Option<i64>,
    purpose: Option<String>,
    hash: Hash,
}

fn row_of(row: &DbRow<'_>) -> Result<Row> {
    Ok(Row {
        core: BundleCore {
            id: number(row, 0)?,
            device: number(row, 3)?,
            first: number(row, 5)?,
            last: number(row, 6)?,
            start: number(row, 7)?,
            end: number(row, 8)?,
            issued_at: number(row, 9)?,
            expires_at: number(row, 10)?,
        },
        account: number(row, 1)?,
        status: number(row, 2)?,
        attributes: number(row, 4)?,
        parent: optional_number(row, 11)?,
        beneficiary: row.get(12)?,
        beneficiary_account: optional_number(row, 13)?,
        purpose: row.get(14)?,
        hash: row.get(15)?,
        draw: optional_number(row, 16)?,
        storage_attributes: optional_number(row, 17)?,
    })
}

/// Says what accounts hold, as the log says.
pub(crate) fn check(
    connection: &mut Connection,
    audit: &mut Audit<'_>,
    head: &Head,
    world: &mut World,
    snapshots: &Snapshots,
) -> Result<Holdings> {
    let (mut family, mut holdings) = (Family::new(snapshots), Holdings::default());
    let (mut after, mut next, mut count) = (0, 1, 0_u64);
    while let Some(window) = rows::next_window(connection, NEXT, entity::BUNDLE, after)? {
        let found = read(connection, window)?;
        let mut folds = Folds::new(&found, &mut next, world, &mut holdings);
        rows::events_of(connection, entity::BUNDLE, window, |event| folds.event(audit, event))?;
        let (births, odd_moves) = folds.finish(audit);
        judge_moves(connection, audit, &odd_moves)?;
        let parents = parents_of(connection, &found)?;
        for (row, birth) in found.iter().zip(&births) {
            family.check(audit, &row.0, row.1, birth.as_ref(), &parents);
            check_holder(audit, world, &row.0);
        }
        count += u64::try_from(found.len()).unwrap_or(0);
        after = window.last;
        audit.progress(Phase::Bundles, count, head.next_bundle - 1);
    }
    family.finish(audit, world);
    check_next(audit, "next_bundle", head.next_bundle, next - 1);
    for invariant in [1, 2, 4] {
        audit.checked(invariant, count);
    }
    audit.counts().bundles = count;
    Ok(holdings)
}

/// A deleted account holds nothing that could still be used; what had expired when it was deleted could not.
fn check_holder(audit: &mut Audit<'_>, world: &World, row: &Row) {
    let Some(deleted_at) = world.deleted_accounts.get(&row.account) else { return };
    let in_use = match row.status {
        status::RESERVED => true,
        status::ACTIVE | status::LOCKED => row.core.expires_at > *deleted_at,
        _ => false,
    };
    if in_use {
        audit.find(FindingKind::DeletedInUse, Noun::Bundle, row.core.id, None, || {
            let (id, account, state) = (row.core.id, row.account, status::name(row.status));
            format!("bundle {id} is {state} in account {account}, which was deleted at {}", at(*deleted_at))
        });
    }
}

/// Tells the moves that no action of their kind may make. There are hardly any: their actions are looked up.
fn judge_moves(connection: &mut Connection, audit: &mut Audit<'_>, moves: &[fold::OddMove]) -> Result<()> {
    if moves.is_empty() {
        return Ok(());
    }
    let actions: Vec<i64> = moves.iter().map(|odd| odd.action).collect();
    let kinds = connection.query(
        "SELECT a.id, a.kind FROM action a WHERE a.id IN rarray($1)",
        &[actions.as_slice().into()],
        |row| Ok((number(row, 0)?, number(row, 1)?)),
    )?;
    let kinds: HashMap<i64, i64> = kinds.into_iter().collect();
    for odd in moves {
        odd.judge(audit, kinds.get(&odd.action).copied().unwrap_or(0));
    }
    Ok(())
}

/// The rows of a window, each with the end of the current reading that starts with it.
fn read(connection: &mut Connection, window: Window) -> Result<Vec<(Row, Option<i64>)>> {
    connection.query(
        concat!(
            "SELECT ",
            columns!(),
            ", m.end_at FROM bundle b LEFT JOIN measurement m ON m.device_id = b.device_id \
             AND m.start_at = b.production_start AND m.superseded_by IS NULL \
             WHERE b.id > $1 AND b.id <= $2 ORDER BY b.id"
        ),
        &[window.after.into(), window.last.into()],
        |row| Ok((row_of(row)?, optional_number(row, 18)?)),
    )
}

fn parents_of(connection: &mut Connection, found: &[(Row, Option<i64>)]) -> Result<HashMap<i64, Row>> {
    let mut ids: Vec<i64> = found.iter().filter_map(|(row, _)| row.parent).collect();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = connection.query(
        concat!("SELECT ", columns!(), " FROM rarray($1) AS wanted JOIN bundle b ON b.id = wanted.value"),
        &[ids.as_slice().into()],
        row_of,
    )?;
    Ok(rows.into_iter().map(|row| (row.core.id, row)).collect())
}

/// Says that ids are missing before `id`, if so; `next` is the id after the last that there is.
fn note_hole(audit: &mut Audit<'_>, next: &mut i64, id: i64) {
    if id > *next {
        audit.find(FindingKind::IdMissing, Noun::Bundle, *next, None, || {
            format!("there are no bundles {next} to {}, neither in the table nor in the log", id - 1)
        });
    }
    *next = id.max(*next - 1).min(i64::MAX - PAGE) + 1;
}
