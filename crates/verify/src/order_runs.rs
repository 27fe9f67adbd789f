//! The rows of runs beside the events of their orders: one for each, and each says what its event says.

use crate::decode::{Fault, Fields};
use crate::orders::tag;
use crate::report::{Audit, FindingKind, Noun, at, shown};
use crate::rows::{self, number, optional_number};
use crate::rules::{UPDATE, entity};
use crate::seal::{Hash, Preimage, Salt, text_hash};
use db::{Connection, Result};
use std::collections::BTreeMap;

const NEXT: &str = "SELECT order_id FROM order_run WHERE order_id > $1 ORDER BY order_id LIMIT 1";

/// A run as an event states it.
struct Stated {
    event: i64,
    ran_at: i64,
    action: i64,
    energy: Option<i64>,
    refusal: Option<(Salt, Hash)>,
}

struct Row {
    ran_at: i64,
    action: i64,
    energy: Option<i64>,
    detail: Option<String>,
}

pub(crate) fn check(connection: &mut Connection, audit: &mut Audit<'_>) -> Result<()> {
    let mut after = 0;
    let mut buffer = Preimage::default();
    while let Some(window) = rows::next_window(connection, NEXT, entity::RECURRING_ORDER, after)? {
        let mut stated = BTreeMap::new();
        rows::events_of(connection, entity::RECURRING_ORDER, window, |event| {
            // what cannot be read was told with the log
            let _told: std::result::Result<(), Fault> = state(&mut stated, event);
        })?;
        let rows = connection.query(
            "SELECT order_id, due_at, ran_at, action_id, energy_wh, detail FROM order_run \
             WHERE order_id > $1 AND order_id <= $2 ORDER BY order_id, due_at",
            &[window.after.into(), window.last.into()],
            |row| {
                let of = Row {
                    ran_at: number(row, 2)?,
                    action: number(row, 3)?,
                    energy: optional_number(row, 4)?,
                    detail: row.get(5)?,
                };
                Ok(((number(row, 0)?, number(row, 1)?), of))
            },
        )?;
        for ((order, due), row) in rows {
            match stated.remove(&(order, due)) {
                Some(event) => compare(audit, &mut buffer, (order, due), &row, &event),
                None => audit.find(FindingKind::RowWithoutEvent, Noun::RecurringOrder, order, None, || {
                    format!("order {order} ran for {} by the table; no event says so", at(due))
                }),
            }
        }
        for ((order, due), event) in stated {
            audit.find(FindingKind::RowMissing, Noun::RecurringOrder, order, Some(event.event), || {
                format!("by event {} order {order} ran for {}; there is no row of it", event.event, at(due))
            });
        }
        after = window.last;
    }
    Ok(())
}

fn state(stated: &mut BTreeMap<(i64, i64), Stated>, event: &rows::Event<'_>) -> std::result::Result<(), Fault> {
    let (before, after) = (Fields::parse(event.before)?, Fields::parse(event.after)?);
    if event.change != UPDATE || !(after.has(tag::REFUSAL) || after.has(tag::ENERGY)) {
        return Ok(());
    }
    let run = Stated {
        event: event.number,
        ran_at: event.recorded_at,
        action: event.action_id,
        energy: after.integer(tag::ENERGY)?,
        refusal: after.hash(tag::REFUSAL)?.map(|hash| (event.salt, hash)),
    };
    stated.insert((event.entity_id, before.integer(tag::NEXT_DUE_AT)?.unwrap_or(0)), run);
    Ok(())
}

fn compare(audit: &mut Audit<'_>, buffer: &mut Preimage, (order, due): (i64, i64), row: &Row, event: &Stated) {
    let mut differs = |name: &str, found: String, expected: String| {
        audit.find(FindingKind::RowDiffers, Noun::RecurringOrder, order, Some(event.event), || {
            let due = at(due);
            format!("{name} of the run of order {order} for {due} is {found}; by its event it must be {expected}")
        });
    };
    if row.ran_at != event.ran_at {
        differs("ran_at", at(row.ran_at), at(event.ran_at));
    }
    if row.action != event.action {
        differs("action_id", row.action.to_string(), event.action.to_string());
    }
    if row.energy != event.energy {
        differs("energy_wh", shown(row.energy), shown(event.energy));
    }
    let is_told = match (&row.detail, &event.refusal) {
        (None, None) => true,
        (Some(detail), Some((salt, hash))) => text_hash(buffer, salt, detail) == *hash,
        (None, Some(_)) | (Some(_), None) => false,
    };
    if !is_told {
        differs("detail", shown(row.detail.as_deref()), "what its event has the hash of".to_owned());
    }
}
