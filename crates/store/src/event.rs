//! The sealed log. Append-only: triggers refuse everything else.

use crate::code::{coded, count};
use db::{Connection, Result, Row, Select, Table};
use domain::event::{Entity, EventBody, EventType};
use domain::seal::{Hash, Salt};
use domain::{AccountId, ActionId, ActionKind, BundleId, EventNumber, WattHours};
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
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub after: Option<EventNumber>,
    /// The last one, included.
    pub until: Option<EventNumber>,
    pub entity: Option<Entity>,
    pub entity_id: Option<i64>,
    /// Of any of these bundles.
    pub bundles: Option<Vec<i64>>,
    /// The user's id; 0 for the operator. For what is narrowed down already; else [`by_actor`].
    pub actor: Option<i64>,
}

/// What a look along the log has found.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    pub events: Vec<LoggedEvent>,
    /// Nothing else is to be found up to here.
    pub through: Option<EventNumber>,
    /// Whether there may be more behind that.
    pub has_more: bool,
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
    let after = filter.after.map(|number| number.0);
    let select = Select::new(concat!("SELECT ", columns!(), " FROM event e JOIN action a ON a.id = e.action_id"));
    let Some(bundles) = filter.bundles.as_deref() else {
        let select = select
            .and("e.number > ?", after)
            .and("e.number <= ?", filter.until.map(|number| number.0))
            .and("e.entity = ?", entity.filter(|_| !is_common))
            .and("+e.entity = ?", entity.filter(|_| is_common))
            .and("e.entity_id = ?", filter.entity_id)
            .and("+a.actor = ?", filter.actor)
            .tail("ORDER BY e.number LIMIT ?", limit);
        return connection.select(&select, event_of);
    };
    // By the index of entities, whatever the order: the sign keeps the log from being read along.
    let select = select
        .and("e.entity = ?", Some(Entity::Bundle.code()))
        .and("e.entity_id IN rarray(?)", Some(bundles))
        .and("+e.number > ?", after)
        .and("+a.actor = ?", filter.actor)
        .tail("ORDER BY +e.number LIMIT ?", limit);
    connection.select(&select, event_of)
}

/// The events of what `actor` did behind `filter.after`, of its entity if it names one, in order: at most `limit`, of at
/// most `most` that are looked at. Each action knows its events, so the log is not read along.
pub fn by_actor(connection: &mut Connection, actor: i64, filter: &Filter, most: i64, limit: usize) -> Result<Looked> {
    let from = filter.after.map_or(0, |number| number.0) + 1;
    let begins: Option<i64> =
        connection.query_optional("SELECT action_id FROM event WHERE number = $1", &[from.into()], |r| r.get(0))?;
    let Some(begins) = begins else { return Ok(Looked { through: filter.after, ..Looked::default() }) };
    let actions: Vec<(i64, i64)> = connection.query(
        "SELECT a.first_event, a.last_event FROM action a WHERE a.actor = $1 AND a.id >= $2 ORDER BY a.id LIMIT $3",
        &[actor.into(), begins.into(), ACTIONS_LOOKED_AT_MAX.into()],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    let mut has_more = i64::try_from(actions.len()).is_ok_and(|found| found == ACTIONS_LOOKED_AT_MAX);
    let (mut stretches, mut left) = (Vec::new(), most);
    for (first, last) in actions {
        let first = first.max(from);
        if left == 0 {
            has_more = true;
            break;
        }
        let end = last.min(first + left - 1);
        has_more |= end < last;
        left -= end - first + 1;
        stretches.push((first, end));
    }
    let through = stretches.last().map(|(_, end)| EventNumber(*end)).or(filter.after);
    let mut numbers = numbers_of(connection, &stretches, filter)?;
    has_more |= numbers.len() > limit;
    let is_cut = numbers.len() > limit;
    numbers.truncate(limit);
    let through = if is_cut { numbers.last().copied().map(EventNumber) } else { through };
    let select = Select::new(concat!("SELECT ", columns!(), " FROM event e JOIN action a ON a.id = e.action_id"))
        .and("e.number IN rarray(?)", Some(numbers.as_slice()))
        .tail("ORDER BY e.number", ());
    let events = connection.select(&select, event_of)?;
    Ok(Looked { events, through, has_more })
}

/// Actions of one actor that one look takes in.
const ACTIONS_LOOKED_AT_MAX: i64 = 1_000;

/// The numbers of the events in these stretches that are about the entity of `filter`, ascending.
fn numbers_of(connection: &mut Connection, stretches: &[(i64, i64)], filter: &Filter) -> Result<Vec<i64>> {
    let Some(entity) = filter.entity else {
        return Ok(stretches.iter().flat_map(|(first, last)| *first..=*last).collect());
    };
    let mut numbers = connection.query_values(
        "SELECT e.number FROM ROWS AS v JOIN event e ON e.number BETWEEN v.column1 AND v.column2 WHERE +e.entity = $1",
        ["BIGINT", "BIGINT"],
        stretches,
        |(first, last)| [(*first).into(), (*last).into()],
        &[entity.code().into()],
        |r| r.get::<i64>(0),
    )?;
    numbers.sort_unstable();
    Ok(numbers)
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

/// A bundle as an event names it, with what of it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    pub number: EventNumber,
    pub bundle: BundleId,
    pub parent: Option<BundleId>,
    pub energy: WattHours,
}

/// The bundles that these stretches of the log are about, both ends included, in the order of the events' numbers.
pub fn named_in(connection: &mut Connection, stretches: &[(EventNumber, EventNumber)]) -> Result<Vec<Named>> {
    let mut found = connection.query_values(
        "SELECT e.number, b.id, b.parent_id, b.range_last - b.range_first + 1 FROM ROWS AS v \
         JOIN event e ON e.number BETWEEN v.column1 AND v.column2 JOIN bundle b ON b.id = e.entity_id \
         WHERE e.entity = $1",
        ["BIGINT", "BIGINT"],
        stretches,
        |(first, last)| [first.0.into(), last.0.into()],
        &[Entity::Bundle.code().into()],
        |row| {
            Ok(Named {
                number: EventNumber(row.get(0)?),
                bundle: BundleId(row.get(1)?),
                parent: row.get::<Option<i64>>(2)?.map(BundleId),
                energy: WattHours(count(row, 3)?),
            })
        },
    )?;
    found.sort_unstable_by_key(|named| named.number);
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
