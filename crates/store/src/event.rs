//! The sealed log. Append-only: triggers refuse everything else.

use crate::code::coded;
use db::{Connection, Result, Row, Select, Table};
use domain::event::{Entity, EventBody, EventType};
use domain::seal::{Hash, Salt};
use domain::{AccountId, ActionId, ActionKind, BundleId, EventNumber};
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

/// An event and the action that it is part of.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    pub event: EventRow,
    pub kind: ActionKind,
    /// The user's id; 0 for the operator.
    pub actor: i64,
    /// The account that the action started from, and the other one that it concerns.
    pub account_id: Option<AccountId>,
    pub other_account_id: Option<AccountId>,
}

/// Which events to find. An absent filter filters nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub after: Option<EventNumber>,
    /// The last one, included.
    pub until: Option<EventNumber>,
    pub entity: Option<Entity>,
    pub entity_id: Option<i64>,
}

macro_rules! columns {
    () => {
        "e.number, e.recorded_at, e.action_id, e.entity, e.entity_id, e.event_type, e.attributes_before, \
         e.attributes_after, e.salt, e.leaf, a.kind, a.actor, a.account_id, a.other_account_id"
    };
}

fn event_of(row: &Row<'_>) -> Result<LoggedEvent> {
    let side = |index| -> Result<Vec<u8>> { Ok(row.get::<Option<Vec<u8>>>(index)?.unwrap_or_default()) };
    let (account, other): (Option<i64>, Option<i64>) = (row.get(12)?, row.get(13)?);
    let body = EventBody {
        entity: coded(row, 3, Entity::from_code)?,
        entity_id: row.get(4)?,
        event_type: coded(row, 5, EventType::from_code)?,
        before: side(6)?,
        after: side(7)?,
    };
    let event = EventRow {
        number: EventNumber(row.get(0)?),
        recorded_at: row.get(1)?,
        action_id: ActionId(row.get(2)?),
        body,
        salt: row.get(8)?,
        leaf: row.get(9)?,
    };
    Ok(LoggedEvent {
        event,
        kind: coded(row, 10, ActionKind::from_code)?,
        actor: row.get(11)?,
        account_id: account.map(AccountId),
        other_account_id: other.map(AccountId),
    })
}

/// The events of `filter` in the order of their numbers, at most `limit`.
pub fn find(connection: &mut Connection, filter: &Filter, limit: i64) -> Result<Vec<LoggedEvent>> {
    let entity = filter.entity.map(Entity::code);
    // Nearly all events are of bundles: the log is then read along, and the sign keeps the index of entities out of it.
    let is_common = filter.entity == Some(Entity::Bundle) && filter.entity_id.is_none();
    let select = Select::new(concat!("SELECT ", columns!(), " FROM event e JOIN action a ON a.id = e.action_id"))
        .and("e.number > ?", filter.after.map(|number| number.0))
        .and("e.number <= ?", filter.until.map(|number| number.0))
        .and("e.entity = ?", entity.filter(|_| !is_common))
        .and("+e.entity = ?", entity.filter(|_| is_common))
        .and("e.entity_id = ?", filter.entity_id)
        .tail("ORDER BY e.number LIMIT ?", limit);
    connection.select(&select, event_of)
}

/// The events of these bundles in the order of their numbers, up to `until`, at most `limit`.
pub fn of_bundles(
    connection: &mut Connection,
    bundles: &[i64],
    until: Option<EventNumber>,
    limit: i64,
) -> Result<Vec<LoggedEvent>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM event e JOIN action a ON a.id = e.action_id"))
        .and("e.entity = ?", Some(Entity::Bundle.code()))
        .and("e.entity_id IN rarray(?)", Some(bundles))
        .and("e.number <= ?", until.map(|number| number.0))
        .tail("ORDER BY e.number LIMIT ?", limit);
    connection.select(&select, event_of)
}

/// What an event says of a bundle.
#[derive(Clone, Debug)]
pub struct BundleEvent {
    pub number: EventNumber,
    pub bundle: BundleId,
    pub event_type: EventType,
    pub after: Vec<u8>,
}

fn bundle_event_of(row: &Row<'_>) -> Result<BundleEvent> {
    Ok(BundleEvent {
        number: EventNumber(row.get(0)?),
        bundle: BundleId(row.get(1)?),
        event_type: coded(row, 2, EventType::from_code)?,
        after: row.get::<Option<Vec<u8>>>(3)?.unwrap_or_default(),
    })
}

/// What was done to bundles in these stretches of the log, both ends included, in the order of the stretches' numbers.
pub fn of_stretches(connection: &mut Connection, stretches: &[(EventNumber, EventNumber)]) -> Result<Vec<BundleEvent>> {
    let mut found = connection.query_values(
        "SELECT e.number, e.entity_id, e.event_type, e.attributes_after FROM ROWS AS v \
         JOIN event e ON e.number BETWEEN v.column1 AND v.column2 WHERE e.entity = $1",
        ["BIGINT", "BIGINT"],
        stretches,
        |(first, last)| [first.0.into(), last.0.into()],
        &[Entity::Bundle.code().into()],
        bundle_event_of,
    )?;
    found.sort_unstable_by_key(|event| event.number);
    Ok(found)
}

/// Everything that was ever done to these bundles up to `until`, in order.
pub fn history_of(connection: &mut Connection, bundles: &[i64], until: EventNumber) -> Result<Vec<BundleEvent>> {
    connection.query(
        "SELECT e.number, e.entity_id, e.event_type, e.attributes_after FROM event e \
         WHERE e.entity = $1 AND e.entity_id IN rarray($2) AND e.number <= $3 ORDER BY e.number",
        &[Entity::Bundle.code().into(), bundles.into(), until.0.into()],
        bundle_event_of,
    )
}

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
