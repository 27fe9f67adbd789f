//! Actions that a rule refused, for a while and outside the log: so that who asked can look up why.
//!
//! Invariant: bounded. Of one user the newest [`REJECTED_PER_USER_MAX`] are kept, and none longer than its time.

use crate::code::coded;
use db::{Connection, Result, Row, Select, Table};
use domain::{AccountId, ActionKind, RejectedActionId, UserId};
use jiff::Timestamp;

/// The most that are kept of one user; the oldest go first.
pub const REJECTED_PER_USER_MAX: i64 = 1_000;

/// One that is to be kept; its id comes from the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRejected {
    pub kind: ActionKind,
    pub user_id: UserId,
    /// The account whose users may read it; `None` where the actor did not act as one of them.
    pub account_id: Option<AccountId>,
    pub requested_at: Timestamp,
    pub rejected_at: Timestamp,
    /// What was asked, as JSON.
    pub request: String,
    /// The reason with its numbers, as JSON.
    pub refusal: String,
    /// The reason as a sentence.
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedAction {
    pub id: RejectedActionId,
    pub rejected: NewRejected,
}

const TABLE: Table<8> = Table {
    name: "rejected_action",
    columns: ["kind", "user_id", "account_id", "requested_at", "rejected_at", "request", "refusal", "detail"],
};

macro_rules! columns {
    () => {
        "r.id, r.kind, r.user_id, r.account_id, r.requested_at, r.rejected_at, r.request, r.refusal, r.detail"
    };
}

fn rejected_of(row: &Row<'_>) -> Result<RejectedAction> {
    let account: Option<i64> = row.get(3)?;
    let rejected = NewRejected {
        kind: coded(row, 1, ActionKind::from_code)?,
        user_id: UserId(row.get(2)?),
        account_id: account.map(AccountId),
        requested_at: row.get(4)?,
        rejected_at: row.get(5)?,
        request: row.get(6)?,
        refusal: row.get(7)?,
        detail: row.get(8)?,
    };
    Ok(RejectedAction { id: RejectedActionId(row.get(0)?), rejected })
}

/// One that was rejected after `since`.
pub fn by_id(connection: &mut Connection, id: RejectedActionId, since: Timestamp) -> Result<Option<RejectedAction>> {
    connection.query_optional(
        concat!("SELECT ", columns!(), " FROM rejected_action r WHERE r.id = $1 AND r.rejected_at > $2"),
        &[id.0.into(), since.into()],
        rejected_of,
    )
}

/// Whose rejected actions to find.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    User(UserId),
    /// Those of users of this account on its behalf.
    Account(AccountId),
    Everybody,
}

/// Which rejected actions to find. An absent filter filters nothing.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only those rejected later.
    pub since: Timestamp,
    pub source: Option<AccountId>,
    pub kind: Option<ActionKind>,
    /// Rejected from (included) to (excluded).
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Only those with a smaller id.
    pub before: Option<RejectedActionId>,
}

/// The rejected actions of `filter`, the newest first, at most `limit`.
pub fn find(connection: &mut Connection, of: Of, filter: &Filter, limit: i64) -> Result<Vec<RejectedAction>> {
    let (user, account) = match of {
        Of::User(user) => (Some(user), None),
        Of::Account(account) => (None, Some(account)),
        Of::Everybody => (None, None),
    };
    let select = Select::new(concat!("SELECT ", columns!(), " FROM rejected_action r"))
        .and("r.user_id = ?", user.map(|id| id.0))
        .and("r.account_id = ?", account.map(|id| id.0))
        .and("r.account_id = ?", filter.source.map(|id| id.0))
        .and("r.kind = ?", filter.kind.map(ActionKind::code))
        .and("r.rejected_at > ?", Some(filter.since))
        .and("r.rejected_at >= ?", filter.from)
        .and("r.rejected_at < ?", filter.to)
        .and("r.id < ?", filter.before.map(|id| id.0))
        .tail("ORDER BY r.id DESC LIMIT ?", limit);
    connection.select(&select, rejected_of)
}

/// Keeps these, and of their users only the newest.
pub fn insert(tx: &mut Connection, rejected: &[NewRejected]) -> Result<()> {
    tx.insert(&TABLE, rejected, |r| {
        [
            r.kind.code().into(),
            r.user_id.0.into(),
            r.account_id.map(|id| id.0).into(),
            r.requested_at.into(),
            r.rejected_at.into(),
            r.request.as_str().into(),
            r.refusal.as_str().into(),
            r.detail.as_str().into(),
        ]
    })?;
    let mut users: Vec<i64> = rejected.iter().map(|r| r.user_id.0).collect();
    users.sort_unstable();
    users.dedup();
    for user in users {
        tx.execute(
            "DELETE FROM rejected_action WHERE user_id = $1 AND id <= \
             (SELECT r.id FROM rejected_action r WHERE r.user_id = $1 ORDER BY r.id DESC LIMIT 1 OFFSET $2)",
            &[user.into(), REJECTED_PER_USER_MAX.into()],
        )?;
    }
    Ok(())
}

/// Clears away at most `limit` of those rejected up to `until`; says how many there were.
pub fn clear(tx: &mut Connection, until: Timestamp, limit: i64) -> Result<u64> {
    tx.execute(
        "DELETE FROM rejected_action WHERE id IN \
         (SELECT r.id FROM rejected_action r WHERE r.rejected_at <= $1 ORDER BY r.rejected_at LIMIT $2)",
        &[until.into(), limit.into()],
    )
}

/// How many are kept, of all users.
pub fn count(connection: &mut Connection) -> Result<i64> {
    connection.query_one("SELECT COUNT(*) FROM rejected_action", &[], |r| r.get(0))
}
