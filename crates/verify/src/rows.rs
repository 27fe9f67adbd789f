//! How the tables are read: numbers as numbers whatever they stand for, events, windows of ids.
//!
//! Invariant: each statement returns at most [`PAGE`] rows, or the events of at most [`PAGE`] ids. No meaning here.

use crate::PAGE;
use db::{Column, Connection, Engine, Result, Row, Value};

/// An integer, a flag or an instant (microseconds since 1970, UTC), as the log writes them.
#[derive(Clone, Copy)]
pub(crate) struct Number(pub(crate) i64);

impl<'r> Column<'r> for Number {
    fn decode(value: Value<'r>) -> Option<Self> {
        match value {
            Value::Int(value) => Some(Self(value)),
            Value::Bool(value) => Some(Self(value.into())),
            Value::Instant(at) => Some(Self(at.as_microsecond())),
            _ => None,
        }
    }
}

pub(crate) fn number(row: &Row<'_>, index: usize) -> Result<i64> {
    Ok(row.get::<Number>(index)?.0)
}

pub(crate) fn optional_number(row: &Row<'_>, index: usize) -> Result<Option<i64>> {
    Ok(row.get::<Option<Number>>(index)?.map(|n| n.0))
}

/// An event as it is stored. Sides that are absent are empty.
pub(crate) struct Event<'r> {
    pub(crate) number: i64,
    pub(crate) recorded_at: i64,
    pub(crate) action_id: i64,
    pub(crate) entity: i64,
    pub(crate) entity_id: i64,
    pub(crate) change: i64,
    pub(crate) before: &'r [u8],
    pub(crate) after: &'r [u8],
    pub(crate) salt: [u8; 16],
    pub(crate) leaf: [u8; 32],
}

macro_rules! event_columns {
    () => {
        "SELECT number, recorded_at, action_id, entity, entity_id, event_type, attributes_before, attributes_after, \
         salt, leaf FROM event "
    };
}

fn event_of<'r>(row: &Row<'r>) -> Result<Event<'r>> {
    Ok(Event {
        number: row.get(0)?,
        recorded_at: number(row, 1)?,
        action_id: row.get(2)?,
        entity: row.get(3)?,
        entity_id: row.get(4)?,
        change: row.get(5)?,
        before: row.get::<Option<&[u8]>>(6)?.unwrap_or_default(),
        after: row.get::<Option<&[u8]>>(7)?.unwrap_or_default(),
        salt: row.get(8)?,
        leaf: row.get(9)?,
    })
}

/// The next events after `number`, at most [`PAGE`].
pub(crate) fn events_after(connection: &mut Connection, number: i64, mut each: impl FnMut(&Event<'_>)) -> Result<()> {
    connection.query_each(
        concat!(event_columns!(), "WHERE number > $1 ORDER BY number LIMIT $2"),
        &[number.into(), PAGE.into()],
        |row| {
            each(&event_of(row)?);
            Ok(())
        },
    )
}

/// The events of the entities of a window, by id and then in order.
pub(crate) fn events_of(
    connection: &mut Connection,
    entity: i64,
    window: Window,
    mut each: impl FnMut(&Event<'_>),
) -> Result<()> {
    connection.query_each(
        concat!(
            event_columns!(),
            "WHERE entity = $1 AND entity_id > $2 AND entity_id <= $3 ORDER BY entity, entity_id, number"
        ),
        &[entity.into(), window.after.into(), window.last.into()],
        |row| {
            each(&event_of(row)?);
            Ok(())
        },
    )
}

/// Ids above `after`, up to `last`.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) after: i64,
    pub(crate) last: i64,
}

/// The next window that has anything in it, after id `after`: rows, as `next_row` finds them, or events of `entity`.
/// Holes in the ids, however wide, cost nothing.
pub(crate) fn next_window(
    connection: &mut Connection,
    next_row: &'static str,
    entity: i64,
    after: i64,
) -> Result<Option<Window>> {
    let row: Option<i64> = connection.query_optional(next_row, &[after.into()], |r| r.get(0))?;
    let event: Option<i64> = connection.query_optional(
        "SELECT entity_id FROM event WHERE entity = $1 AND entity_id > $2 ORDER BY entity, entity_id LIMIT 1",
        &[entity.into(), after.into()],
        |r| r.get(0),
    )?;
    let first = row.into_iter().chain(event).min();
    Ok(first.map(|first| Window { after: first - 1, last: (first - 1).saturating_add(PAGE) }))
}

/// PostgreSQL's planner would scan a whole table for a page of a join if it thought it small: this audit looks up by key
/// and nothing else. SQLite always does.
pub(crate) fn plan_for_look_ups(connection: &mut Connection) -> Result<()> {
    match connection.engine() {
        Engine::Sqlite => Ok(()),
        Engine::Postgres => connection.batch(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
             SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off",
        ),
    }
}
