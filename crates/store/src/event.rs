//! The sealed log. Append-only: triggers refuse everything else.

use db::{Connection, Result, Table};
use domain::event::EventBody;
use domain::seal::{Hash, Salt};
use domain::{ActionId, EventNumber};
use jiff::Timestamp;

#[derive(Clone, Debug)]
pub struct EventRow {
    pub number: EventNumber,
    pub recorded_at: Timestamp,
    pub action_id: ActionId,
    pub body: EventBody,
    pub salt: Salt,
    pub leaf: Hash,
}

const TABLE: Table<10> = Table {
    name: "event",
    columns: [
        "number",
        "recorded_at",
        "action_id",
        "entity",
        "entity_id",
        "event_type",
        "attributes_before",
        "attributes_after",
        "salt",
        "leaf",
    ],
};

/// The leaf of an event, if it is there: how a writer learns whether its commit was carried out.
pub fn leaf(connection: &mut Connection, number: EventNumber) -> Result<Option<Hash>> {
    connection.query_optional("SELECT leaf FROM event WHERE number = $1", &[number.0.into()], |r| r.get(0))
}

/// When the last event was recorded.
pub fn last_recorded_at(connection: &mut Connection) -> Result<Option<Timestamp>> {
    connection.query_optional("SELECT recorded_at FROM event ORDER BY number DESC LIMIT 1", &[], |r| r.get(0))
}

pub(crate) fn insert(tx: &mut Connection, events: &[EventRow]) -> Result<()> {
    tx.insert(&TABLE, events, |e| {
        let present = |bytes: &'_ Vec<u8>| (!bytes.is_empty()).then_some(());
        [
            e.number.0.into(),
            e.recorded_at.into(),
            e.action_id.0.into(),
            e.body.entity.code().into(),
            e.body.entity_id.into(),
            e.body.event_type.code().into(),
            present(&e.body.before).map(|()| e.body.before.as_slice()).into(),
            present(&e.body.after).map(|()| e.body.after.as_slice()).into(),
            (&e.salt).into(),
            (&e.leaf).into(),
        ]
    })
}
