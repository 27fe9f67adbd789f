//! Actions: what was asked and done, and which events it made. Append-only.

use crate::code::coded;
use db::{Connection, Result, Row, Table};
use domain::seal::{Hash, Salt};
use domain::{AccountId, ActionId, ActionKind, EventNumber};
use jiff::Timestamp;

#[derive(Clone, Debug)]
pub struct ActionRow {
    pub id: ActionId,
    pub kind: ActionKind,
    /// The user's id; 0 for the operator.
    pub actor: i64,
    /// The account that it starts from, if it has one.
    pub account_id: Option<AccountId>,
    pub requested_at: Timestamp,
    pub completed_at: Timestamp,
    /// What was asked, as JSON; sealed byte for byte.
    pub request: String,
    pub salt: Salt,
    pub hash: Hash,
    pub first_event: EventNumber,
    pub last_event: EventNumber,
}

const TABLE: Table<11> = Table {
    name: "action",
    columns: [
        "id",
        "kind",
        "actor",
        "account_id",
        "requested_at",
        "completed_at",
        "request",
        "salt",
        "hash",
        "first_event",
        "last_event",
    ],
};

fn action_of(row: &Row<'_>) -> Result<ActionRow> {
    let account: Option<i64> = row.get(3)?;
    Ok(ActionRow {
        id: ActionId(row.get(0)?),
        kind: coded(row, 1, ActionKind::from_code)?,
        actor: row.get(2)?,
        account_id: account.map(AccountId),
        requested_at: row.get(4)?,
        completed_at: row.get(5)?,
        request: row.get(6)?,
        salt: row.get(7)?,
        hash: row.get(8)?,
        first_event: EventNumber(row.get(9)?),
        last_event: EventNumber(row.get(10)?),
    })
}

pub fn by_id(connection: &mut Connection, id: ActionId) -> Result<Option<ActionRow>> {
    connection.query_optional(
        "SELECT id, kind, actor, account_id, requested_at, completed_at, request, salt, hash, first_event, last_event \
         FROM action WHERE id = $1",
        &[id.0.into()],
        action_of,
    )
}

pub(crate) fn insert(tx: &mut Connection, actions: &[ActionRow]) -> Result<()> {
    tx.insert(&TABLE, actions, |a| {
        [
            a.id.0.into(),
            a.kind.code().into(),
            a.actor.into(),
            a.account_id.map(|id| id.0).into(),
            a.requested_at.into(),
            a.completed_at.into(),
            a.request.as_str().into(),
            (&a.salt).into(),
            (&a.hash).into(),
            a.first_event.0.into(),
            a.last_event.0.into(),
        ]
    })
}
