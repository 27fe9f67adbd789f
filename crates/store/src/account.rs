//! Accounts, their users and their whitelists.

use db::{Connection, Result, Row, Select, Value};
use domain::{Account, AccountId, OrganisationId, UserId};

macro_rules! columns {
    () => {
        "a.id, a.name, a.organisation_id, a.is_deleted, a.created_at"
    };
}

fn account_of(row: &Row<'_>) -> Result<Account> {
    let organisation: Option<i64> = row.get(2)?;
    Ok(Account {
        id: AccountId(row.get(0)?),
        name: row.get(1)?,
        organisation_id: organisation.map(OrganisationId),
        is_deleted: row.get(3)?,
        created_at: row.get(4)?,
    })
}

pub fn by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Account>> {
    connection.query(
        concat!("SELECT ", columns!(), " FROM account a WHERE a.id IN rarray($1) ORDER BY a.id"),
        &[ids.into()],
        account_of,
    )
}

pub fn by_id(connection: &mut Connection, id: AccountId) -> Result<Option<Account>> {
    Ok(by_ids(connection, &[id.0])?.into_iter().next())
}

/// The account of exactly this name that is not deleted: there is one at most.
pub fn by_name(connection: &mut Connection, name: &str) -> Result<Option<Account>> {
    connection.query_optional(
        concat!("SELECT ", columns!(), " FROM account a WHERE a.name = $1 AND NOT a.is_deleted"),
        &[name.into()],
        account_of,
    )
}

/// The users of these accounts, without deleted ones; nobody belongs to a deleted account.
pub fn members(connection: &mut Connection, accounts: &[i64]) -> Result<Vec<(UserId, AccountId)>> {
    connection.query(
        "SELECT m.user_id, m.account_id FROM account_user m JOIN registry_user u ON u.id = m.user_id \
         JOIN account a ON a.id = m.account_id \
         WHERE m.account_id IN rarray($1) AND NOT u.is_deleted AND NOT a.is_deleted ORDER BY m.account_id, m.user_id",
        &[accounts.into()],
        |r| Ok((UserId(r.get(0)?), AccountId(r.get(1)?))),
    )
}

/// The users of all these accounts.
pub fn users_of_any(connection: &mut Connection, ids: &[i64]) -> Result<Vec<UserId>> {
    connection.query(
        "SELECT DISTINCT m.user_id FROM account_user m WHERE m.account_id IN rarray($1)",
        &[ids.into()],
        |r| Ok(UserId(r.get(0)?)),
    )
}

/// The senders that these accounts have whitelisted, without deleted ones, each with the account that receives.
pub fn whitelists(connection: &mut Connection, accounts: &[i64]) -> Result<Vec<(AccountId, AccountId)>> {
    connection.query(
        "SELECT w.account_id, w.source_account_id FROM account_whitelist w \
         JOIN account a ON a.id = w.source_account_id \
         WHERE w.account_id IN rarray($1) AND NOT a.is_deleted ORDER BY w.account_id, w.source_account_id",
        &[accounts.into()],
        |r| Ok((AccountId(r.get(0)?), AccountId(r.get(1)?))),
    )
}

/// Up to `limit` accounts behind an id, in the order of ids, that this user belongs to; of no user: all there are.
pub fn list(
    connection: &mut Connection,
    member: Option<UserId>,
    with_deleted: bool,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Account>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM account a"))
        .and("a.id > ?", after)
        .and_if(!with_deleted || member.is_some(), "NOT a.is_deleted")
        .and("a.id IN (SELECT m.account_id FROM account_user m WHERE m.user_id = ?)", member.map(|user| user.0))
        .tail("ORDER BY a.id LIMIT ?", limit);
    connection.select(&select, account_of)
}

/// Up to `limit` accounts behind an id, in the order of ids, that may send to this one.
pub fn senders(connection: &mut Connection, id: AccountId, after: Option<i64>, limit: i64) -> Result<Vec<Account>> {
    let select = Select::new(concat!(
        "SELECT ",
        columns!(),
        " FROM account_whitelist w JOIN account a ON a.id = w.source_account_id"
    ))
    .and("w.account_id = ?", Some(id.0))
    .and("w.source_account_id > ?", after)
    .and_raw("NOT a.is_deleted")
    .tail("ORDER BY w.source_account_id LIMIT ?", limit);
    connection.select(&select, account_of)
}

/// Up to `limit` accounts behind an id, in the order of ids, that this one may send to.
pub fn receivers(connection: &mut Connection, id: AccountId, after: Option<i64>, limit: i64) -> Result<Vec<Account>> {
    let select =
        Select::new(concat!("SELECT ", columns!(), " FROM account_whitelist w JOIN account a ON a.id = w.account_id"))
            .and("w.source_account_id = ?", Some(id.0))
            .and("w.account_id > ?", after)
            .and_raw("NOT a.is_deleted")
            .tail("ORDER BY w.account_id LIMIT ?", limit);
    connection.select(&select, account_of)
}

/// Which of these (receiver, sender) pairs are whitelisted, among all pairs of the two sets.
pub fn whitelisted(
    connection: &mut Connection,
    receivers: &[i64],
    senders: &[i64],
) -> Result<Vec<(AccountId, AccountId)>> {
    connection.query(
        "SELECT w.account_id, w.source_account_id FROM account_whitelist w \
         WHERE w.account_id IN rarray($1) AND w.source_account_id IN rarray($2)",
        &[receivers.into(), senders.into()],
        |r| Ok((AccountId(r.get(0)?), AccountId(r.get(1)?))),
    )
}

pub fn whitelist_size(connection: &mut Connection, id: AccountId) -> Result<i64> {
    connection.query_one("SELECT COUNT(*) FROM account_whitelist WHERE account_id = $1", &[id.0.into()], |r| r.get(0))
}

pub fn taken_names(connection: &mut Connection, names: &[String]) -> Result<Vec<String>> {
    connection.query(
        "SELECT a.name FROM account a WHERE a.name IN rarray_text($1) AND NOT a.is_deleted",
        &[Value::Texts(names)],
        |r| r.get(0),
    )
}

pub fn insert(tx: &mut Connection, account: &Account) -> Result<()> {
    tx.execute(
        "INSERT INTO account (id, name, organisation_id, is_deleted, created_at) VALUES ($1, $2, $3, $4, $5)",
        &[
            account.id.0.into(),
            account.name.as_str().into(),
            account.organisation_id.map(|id| id.0).into(),
            account.is_deleted.into(),
            account.created_at.into(),
        ],
    )?;
    Ok(())
}

pub fn update(tx: &mut Connection, account: &Account) -> Result<()> {
    tx.execute(
        "UPDATE account SET name = $2, organisation_id = $3 WHERE id = $1",
        &[account.id.0.into(), account.name.as_str().into(), account.organisation_id.map(|id| id.0).into()],
    )?;
    Ok(())
}

pub fn delete(tx: &mut Connection, id: AccountId) -> Result<()> {
    tx.execute("UPDATE account SET is_deleted = TRUE WHERE id = $1", &[id.0.into()])?;
    Ok(())
}

pub fn change_whitelist(
    tx: &mut Connection,
    account: AccountId,
    added: &[AccountId],
    removed: &[AccountId],
) -> Result<()> {
    for sender in removed {
        tx.execute(
            "DELETE FROM account_whitelist WHERE account_id = $1 AND source_account_id = $2",
            &[account.0.into(), sender.0.into()],
        )?;
    }
    for sender in added {
        tx.execute(
            "INSERT INTO account_whitelist (account_id, source_account_id) VALUES ($1, $2)",
            &[account.0.into(), sender.0.into()],
        )?;
    }
    Ok(())
}
