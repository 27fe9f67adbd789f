//! Actions: what was asked and done, and which events it made. Append-only.

use crate::code::coded;
use db::{Connection, Result, Row, Select, Table};
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
    /// The other account that it concerns: the target of a transfer, the beneficiary's of a cancellation or a claim.
    pub other_account_id: Option<AccountId>,
    pub requested_at: Timestamp,
    pub completed_at: Timestamp,
    /// What was asked, as JSON; sealed byte for byte.
    pub request: String,
    pub salt: Salt,
    pub hash: Hash,
    pub first_event: EventNumber,
    pub last_event: EventNumber,
}

const TABLE: Table<12> = Table {
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
        "other_account_id",
    ],
};

macro_rules! columns {
    () => {
        "a.id, a.kind, a.actor, a.account_id, a.requested_at, a.completed_at, a.request, a.salt, a.hash, \
         a.first_event, a.last_event, a.other_account_id"
    };
}

fn action_of(row: &Row<'_>) -> Result<ActionRow> {
    let (account, other): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(11)?);
    Ok(ActionRow {
        id: ActionId(row.get(0)?),
        kind: coded(row, 1, ActionKind::from_code)?,
        actor: row.get(2)?,
        account_id: account.map(AccountId),
        other_account_id: other.map(AccountId),
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
        concat!("SELECT ", columns!(), " FROM action a WHERE a.id = $1"),
        &[id.0.into()],
        action_of,
    )
}

/// Whose actions to find.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// Those that started from this account.
    Source(AccountId),
    /// Those of other accounts that concern this one.
    Other(AccountId),
    Everybody,
}

/// Which actions to find. An absent filter filters nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub source: Option<AccountId>,
    pub kind: Option<ActionKind>,
    /// Who did it; 0 for the operator.
    pub actor: Option<i64>,
    /// Ids from (included) to (excluded).
    pub from: Option<ActionId>,
    pub before: Option<ActionId>,
}

/// The first action that was completed at `at` or later; the id that comes next if there is none. Ids have no gaps and
/// time never runs backwards in the ledger, so it is found by halving.
pub fn first_at(connection: &mut Connection, at: Timestamp) -> Result<ActionId> {
    let next: i64 = connection.query_one("SELECT next_action FROM ledger_head WHERE id = 1", &[], |r| r.get(0))?;
    let (mut low, mut high) = (1, next.max(1));
    while low < high {
        let middle = low + (high - low) / 2;
        let completed: Option<Timestamp> =
            connection
                .query_optional("SELECT completed_at FROM action WHERE id = $1", &[middle.into()], |r| r.get(0))?;
        if completed.is_none_or(|completed| completed >= at) { high = middle } else { low = middle + 1 }
    }
    Ok(ActionId(low))
}

/// The actions of `filter`, the newest first, at most `limit`.
pub fn find(connection: &mut Connection, of: Of, filter: &Filter, limit: i64) -> Result<Vec<ActionRow>> {
    let (source, other) = match of {
        Of::Source(account) => (Some(account), None),
        Of::Other(account) => (None, Some(account)),
        Of::Everybody => (None, None),
    };
    let select = Select::new(concat!("SELECT ", columns!(), " FROM action a"))
        .and("a.account_id = ?", source.map(|id| id.0))
        .and("a.other_account_id = ?", other.map(|id| id.0))
        .and("a.account_id = ?", filter.source.map(|id| id.0))
        .and("a.actor = ?", filter.actor)
        .and("a.kind = ?", filter.kind.map(ActionKind::code))
        .and("a.id >= ?", filter.from.map(|id| id.0))
        .and("a.id < ?", filter.before.map(|id| id.0))
        .tail("ORDER BY a.id DESC LIMIT ?", limit);
    connection.select(&select, action_of)
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
            a.other_account_id.map(|id| id.0).into(),
        ]
    })
}
