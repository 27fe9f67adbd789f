//! Folds the events of one window of a table's ids and compares each with its row.
//!
//! Invariant: an event changes only what it names, and only if what it says of before is what was.

use super::tables::{Column, Form, Table};
use crate::decode::{Fault, Fields, TAG_MAX};
use crate::report::{Audit, FindingKind, at, hex, shown};
use crate::rows::{self, Event, Window, number, optional_number};
use crate::rules::{CREATE, DELETE, entity};
use crate::seal::{Hash, Preimage, Salt, text_hash};
use crate::world::World;
use db::{Connection, Result, Row as DbRow};
use std::collections::BTreeMap;

/// A field as the events leave it.
#[derive(Clone, Copy)]
enum Field {
    Integer(i64),
    Text(Salt, Hash),
    Hash(Hash),
}

struct State {
    /// By tag.
    fields: [Option<Field>; 32],
    is_created: bool,
    is_deleted: bool,
    /// By an import: the counter jumped to its id.
    brings_id: bool,
    last_event: i64,
}

/// A column as its row holds it.
enum Cell {
    Nothing,
    Integer(i64),
    Text(String),
    Hash(Hash),
}

struct Row {
    id: i64,
    cells: Vec<Cell>,
    is_deleted: bool,
}

/// How many rows there are in the window. `next` becomes the id after the last.
pub(super) fn check(
    connection: &mut Connection,
    audit: &mut Audit<'_>,
    world: &World,
    table: &Table,
    window: Window,
    next: &mut i64,
) -> Result<u64> {
    let rows = connection.query(table.rows, &[window.after.into(), window.last.into()], |row| row_of(table, row))?;
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let mut states: BTreeMap<i64, State> = BTreeMap::new();
    rows::events_of(connection, table.entity, window, |event| {
        let state = states.entry(event.entity_id).or_insert_with(|| State {
            fields: [None; 32],
            is_created: false,
            is_deleted: false,
            brings_id: table.entity != entity::ATTRIBUTES && world.imports.contains(&event.action_id),
            last_event: event.number,
        });
        // what cannot be read was told with the log
        let _told: std::result::Result<(), Fault> = state.apply(audit, table, event);
    })?;
    let mut buffer = Preimage::default();
    let mut rows = rows.into_iter().peekable();
    loop {
        let ids = rows.peek().map(|row| row.id).into_iter().chain(states.keys().next().copied());
        let Some(id) = ids.min() else { return Ok(count) };
        let brings_id = states.get(&id).is_some_and(|state| state.brings_id);
        if id > *next && !brings_id {
            audit.find(FindingKind::IdMissing, table.noun, *next, None, || {
                format!("there are no ids {next} to {}, neither in the table nor in the log", id - 1)
            });
        }
        *next = id.saturating_add(1).max(*next);
        match (rows.next_if(|row| row.id == id), states.remove(&id)) {
            (Some(row), Some(state)) => compare(audit, &mut buffer, table, &row, &state),
            (Some(_), None) => {
                let text = || format!("{id} is in the table; no event created it");
                audit.find(FindingKind::RowWithoutEvent, table.noun, id, None, text);
            }
            (None, state) => {
                let event = state.map(|state| state.last_event);
                audit.find(FindingKind::RowMissing, table.noun, id, event, || {
                    format!("{id} is not in the table; event {} was its last", shown(event))
                });
            }
        }
    }
}

fn row_of(table: &Table, row: &DbRow<'_>) -> Result<Row> {
    let mut cells = Vec::with_capacity(table.columns.len());
    for (index, column) in (1..).zip(table.columns) {
        let cell = match column.form {
            Form::Integer | Form::Instant => optional_number(row, index)?.map(Cell::Integer),
            Form::Text => row.get::<Option<String>>(index)?.map(Cell::Text),
            Form::Hash => row.get::<Option<Hash>>(index)?.map(Cell::Hash),
        };
        cells.push(cell.unwrap_or(Cell::Nothing));
    }
    let is_deleted = table.deletes && number(row, table.columns.len() + 1)? != 0;
    Ok(Row { id: number(row, 0)?, cells, is_deleted })
}

impl State {
    fn apply(&mut self, audit: &mut Audit<'_>, table: &Table, event: &Event<'_>) -> std::result::Result<(), Fault> {
        let (before, after) = (Fields::parse(event.before)?, Fields::parse(event.after)?);
        let is_creation = event.change == CREATE;
        let is_next = self.is_created != is_creation && !self.is_deleted;
        if !is_next {
            audit.find(FindingKind::HistoryWrong, table.noun, event.entity_id, Some(event.number), || {
                let what = if is_creation { "creates what was there" } else { "changes what was not there" };
                format!("event {} {what}: {}", event.number, event.entity_id)
            });
        }
        self.is_created = true;
        self.is_deleted |= event.change == DELETE;
        self.last_event = event.number;
        for column in table.columns.iter().filter(|column| before.has(column.tag) || after.has(column.tag)) {
            self.change(audit, table, column, event, &before, &after)?;
        }
        Ok(())
    }

    fn change(
        &mut self,
        audit: &mut Audit<'_>,
        table: &Table,
        column: &Column,
        event: &Event<'_>,
        before: &Fields<'_>,
        after: &Fields<'_>,
    ) -> std::result::Result<(), Fault> {
        let Some(field) = self.fields.get_mut(usize::from(column.tag.min(TAG_MAX))) else { return Ok(()) };
        // a text's hash has the salt of its own event, so only its being there can be compared
        let was = match (&*field, column.form) {
            (None, _) => !before.has(column.tag),
            (Some(Field::Integer(was)), _) => before.integer(column.tag)? == Some(*was),
            (Some(Field::Text(..)), _) => before.has(column.tag),
            (Some(Field::Hash(was)), _) => before.hash(column.tag)? == Some(*was),
        };
        if !was {
            audit.find(FindingKind::HistoryWrong, table.noun, event.entity_id, Some(event.number), || {
                let (number, name, id) = (event.number, column.name, event.entity_id);
                format!("event {number} does not say what {name} of {id} was")
            });
        }
        *field = match column.form {
            Form::Integer | Form::Instant => after.integer(column.tag)?.map(Field::Integer),
            Form::Text => after.hash(column.tag)?.map(|hash| Field::Text(event.salt, hash)),
            Form::Hash => after.hash(column.tag)?.map(Field::Hash),
        };
        Ok(())
    }
}

fn compare(audit: &mut Audit<'_>, buffer: &mut Preimage, table: &Table, row: &Row, state: &State) {
    let event = Some(state.last_event);
    let mut find = |name: &str, found: String, expected: String| {
        audit.find(FindingKind::RowDiffers, table.noun, row.id, event, || {
            format!("{name} of {} is {found}; by its events it must be {expected}", row.id)
        });
    };
    for (column, cell) in table.columns.iter().zip(&row.cells) {
        let field = state.fields.get(usize::from(column.tag)).copied().flatten();
        let number = |value: i64| if column.form == Form::Instant { at(value) } else { value.to_string() };
        let (found, expected) = match (cell, field) {
            (Cell::Nothing, None) => continue,
            (Cell::Integer(found), Some(Field::Integer(expected))) if *found == expected => continue,
            (Cell::Hash(found), Some(Field::Hash(expected))) if *found == expected => continue,
            (Cell::Text(text), Some(Field::Text(salt, expected))) => {
                let found = text_hash(buffer, &salt, text);
                if found == expected {
                    continue;
                }
                (
                    format!("a text that hashes to {} with its event's salt", hex(&found)),
                    Some(Field::Text(salt, expected)),
                )
            }
            (Cell::Nothing, expected) => ("nothing".to_owned(), expected),
            (Cell::Integer(found), expected) => (number(*found), expected),
            (Cell::Hash(found), expected) => (hex(found), expected),
            (Cell::Text(_), expected) => ("a text".to_owned(), expected),
        };
        let expected = match expected {
            None => "nothing".to_owned(),
            Some(Field::Integer(value)) => number(value),
            Some(Field::Text(_, hash) | Field::Hash(hash)) => hex(&hash),
        };
        find(column.name, found, expected);
    }
    if row.is_deleted != state.is_deleted {
        find("is_deleted", row.is_deleted.to_string(), state.is_deleted.to_string());
    }
}
