//! What became of each due time of a recurring order. One row for each, written in the transaction of the run itself.

use crate::code::{count, kept};
use db::{Connection, Result, Row, Select, Table, Value};
use domain::{ActionId, Change, RecurringOrderId, WattHours};
use jiff::Timestamp;

/// A due time that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub order: RecurringOrderId,
    pub due_at: Timestamp,
    pub ran_at: Timestamp,
    /// A transfer or a cancellation; of a run that was refused, one that changed the order alone.
    pub action: ActionId,
    pub done: std::result::Result<WattHours, NotDone>,
}

/// Why a run did nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDone {
    /// The refusal with its numbers, as JSON.
    pub refusal: String,
    /// As a sentence.
    pub detail: String,
}

const TABLE: Table<7> = Table {
    name: "order_run",
    columns: ["order_id", "due_at", "ran_at", "action_id", "energy_wh", "refusal", "detail"],
};

fn run_of(row: &Row<'_>) -> Result<Run> {
    let energy: Option<i64> = row.get(4)?;
    let done = match energy {
        Some(_) => Ok(WattHours(count(row, 4)?)),
        None => Err(NotDone { refusal: row.get(5)?, detail: row.get(6)? }),
    };
    Ok(Run {
        order: RecurringOrderId(row.get(0)?),
        due_at: row.get(1)?,
        ran_at: row.get(2)?,
        action: ActionId(row.get(3)?),
        done,
    })
}

/// Up to `limit` runs of an order, the latest due time first, before `before`.
pub fn list(
    connection: &mut Connection,
    order: RecurringOrderId,
    before: Option<Timestamp>,
    limit: i64,
) -> Result<Vec<Run>> {
    let select = Select::new(
        "SELECT r.order_id, r.due_at, r.ran_at, r.action_id, r.energy_wh, r.refusal, r.detail FROM order_run r",
    )
    .and("r.order_id = ?", Some(order.0))
    .and("r.due_at < ?", before)
    .tail("ORDER BY r.due_at DESC LIMIT ?", limit);
    connection.select(&select, run_of)
}

pub(crate) fn insert(tx: &mut Connection, runs: &[(ActionId, Change)]) -> Result<()> {
    let rows: Vec<Run> = runs.iter().filter_map(|(action, change)| written(*action, change)).collect();
    tx.insert(&TABLE, &rows, |run| {
        let (energy, why): (Option<i64>, Option<&NotDone>) = match &run.done {
            Ok(energy) => (Some(kept(energy.0)), None),
            Err(why) => (None, Some(why)),
        };
        [
            run.order.0.into(),
            run.due_at.into(),
            run.ran_at.into(),
            run.action.0.into(),
            energy.into(),
            Value::from(why.map(|why| why.refusal.as_str())),
            Value::from(why.map(|why| why.detail.as_str())),
        ]
    })
}

fn written(action: ActionId, change: &Change) -> Option<Run> {
    let Change::OrderRan { before, ran_at, done, .. } = change else { return None };
    let not_done = |refusal: &domain::Refusal| NotDone {
        refusal: serde_json::to_string(refusal).expect("a refusal has no maps with odd keys"),
        detail: refusal.to_string(),
    };
    Some(Run {
        order: before.id,
        due_at: before.next_due_at?,
        ran_at: *ran_at,
        action,
        done: done.as_ref().copied().map_err(|refusal| not_done(refusal)),
    })
}
