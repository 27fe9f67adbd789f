//! Users, and apart from them their secrets.

use crate::code::coded;
use db::{Connection, Result, Row, Select, Value};
use domain::{AccountId, Role, Roles, User, UserId};

macro_rules! columns {
    () => {
        "u.id, u.name, u.primary_contact, u.roles, u.organisation, u.is_deleted, u.created_at"
    };
}

fn user_of(row: &Row<'_>) -> Result<User> {
    Ok(User {
        id: UserId(row.get(0)?),
        name: row.get(1)?,
        primary_contact: row.get(2)?,
        roles: coded(row, 3, Roles::from_code)?,
        organisation: row.get(4)?,
        is_deleted: row.get(5)?,
        created_at: row.get(6)?,
    })
}

pub fn by_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<User>> {
    connection.query(
        concat!("SELECT ", columns!(), " FROM registry_user u WHERE u.id IN rarray($1)"),
        &[ids.into()],
        user_of,
    )
}

pub fn by_id(connection: &mut Connection, id: UserId) -> Result<Option<User>> {
    connection.query_optional(
        concat!("SELECT ", columns!(), " FROM registry_user u WHERE u.id = $1"),
        &[id.0.into()],
        user_of,
    )
}

/// The accounts that these users belong to; nobody belongs to a deleted one.
pub fn memberships(connection: &mut Connection, users: &[i64]) -> Result<Vec<(UserId, AccountId)>> {
    connection.query(
        "SELECT m.user_id, m.account_id FROM account_user m JOIN account a ON a.id = m.account_id \
         WHERE m.user_id IN rarray($1) AND NOT a.is_deleted ORDER BY m.user_id, m.account_id",
        &[users.into()],
        |r| Ok((UserId(r.get(0)?), AccountId(r.get(1)?))),
    )
}

/// Up to `limit` users who administer the registry.
pub fn administrators(connection: &mut Connection, limit: i64) -> Result<Vec<User>> {
    let administrator = Roles::of(&[Role::RegistryAdministrator]).code();
    connection.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM registry_user u WHERE (u.roles & $1) <> 0 AND NOT u.is_deleted ORDER BY u.id LIMIT $2"
        ),
        &[administrator.into(), limit.into()],
        user_of,
    )
}

/// Up to `limit` users behind an id, in the order of ids: this one and those who share an account with them; of no member:
/// all there are.
pub fn list(
    connection: &mut Connection,
    member: Option<UserId>,
    with_deleted: bool,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<User>> {
    let select = Select::new(concat!("SELECT ", columns!(), " FROM registry_user u"))
        .and("u.id > ?", after)
        .and_if(!with_deleted, "NOT u.is_deleted")
        .and(
            "u.id = ? OR (NOT u.is_deleted AND u.id IN (SELECT other.user_id FROM account_user own \
             JOIN account a ON a.id = own.account_id JOIN account_user other ON other.account_id = a.id \
             WHERE own.user_id = ? AND NOT a.is_deleted))",
            member.map(|user| (user.0, user.0)),
        )
        .tail("ORDER BY u.id LIMIT ?", limit);
    connection.select(&select, user_of)
}

/// Up to `limit` users of an account behind an id, in the order of ids; a deleted account has none.
pub fn of_account(
    connection: &mut Connection,
    account: AccountId,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<User>> {
    let select =
        Select::new(concat!("SELECT ", columns!(), " FROM account_user m JOIN registry_user u ON u.id = m.user_id"))
            .and("m.account_id = ?", Some(account.0))
            .and("m.user_id > ?", after)
            .and_raw("NOT u.is_deleted")
            .and_raw("m.account_id IN (SELECT a.id FROM account a WHERE NOT a.is_deleted)")
            .tail("ORDER BY m.user_id LIMIT ?", limit);
    connection.select(&select, user_of)
}

/// Which of these sign-in names are in use.
pub fn taken_contacts(connection: &mut Connection, contacts: &[String]) -> Result<Vec<String>> {
    connection.query(
        "SELECT u.primary_contact FROM registry_user u \
         WHERE u.primary_contact IN rarray_text($1) AND NOT u.is_deleted",
        &[Value::Texts(contacts)],
        |r| r.get(0),
    )
}

/// The user with this sign-in name and the hash of their password, if they have one.
pub fn sign_in(connection: &mut Connection, contact: &str) -> Result<Option<(UserId, Option<String>)>> {
    connection.query_optional(
        "SELECT u.id, s.password_hash FROM registry_user u LEFT JOIN user_secret s ON s.user_id = u.id \
         WHERE u.primary_contact = $1 AND NOT u.is_deleted",
        &[contact.into()],
        |r| Ok((UserId(r.get(0)?), r.get(1)?)),
    )
}

pub fn any(connection: &mut Connection) -> Result<bool> {
    Ok(connection.query_optional("SELECT 1 FROM registry_user LIMIT 1", &[], |_| Ok(()))?.is_some())
}

pub fn insert(tx: &mut Connection, user: &User, password_hash: Option<&str>) -> Result<()> {
    tx.execute(
        "INSERT INTO registry_user (id, name, primary_contact, roles, organisation, is_deleted, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            user.id.0.into(),
            user.name.as_str().into(),
            user.primary_contact.as_str().into(),
            user.roles.code().into(),
            user.organisation.as_deref().into(),
            user.is_deleted.into(),
            user.created_at.into(),
        ],
    )?;
    if let Some(hash) = password_hash {
        set_password(tx, user.id, hash)?;
    }
    Ok(())
}

pub fn set_password(tx: &mut Connection, user: UserId, password_hash: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO user_secret (user_id, password_hash) VALUES ($1, $2) \
         ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash",
        &[user.0.into(), password_hash.into()],
    )?;
    Ok(())
}

pub fn update(tx: &mut Connection, user: &User, password_hash: Option<&str>) -> Result<()> {
    tx.execute(
        "UPDATE registry_user SET name = $2, primary_contact = $3, roles = $4, organisation = $5 WHERE id = $1",
        &[
            user.id.0.into(),
            user.name.as_str().into(),
            user.primary_contact.as_str().into(),
            user.roles.code().into(),
            user.organisation.as_deref().into(),
        ],
    )?;
    password_hash.map_or(Ok(()), |hash| set_password(tx, user.id, hash))
}

/// Marks a user as deleted and forgets their password.
pub fn delete(tx: &mut Connection, user: UserId) -> Result<()> {
    tx.execute("UPDATE registry_user SET is_deleted = TRUE WHERE id = $1", &[user.0.into()])?;
    tx.execute("DELETE FROM user_secret WHERE user_id = $1", &[user.0.into()])?;
    Ok(())
}

pub fn delete_membership(tx: &mut Connection, user: UserId, account: AccountId) -> Result<()> {
    let pair = [user.0.into(), account.0.into()];
    tx.execute("DELETE FROM account_user WHERE user_id = $1 AND account_id = $2", &pair)?;
    Ok(())
}

pub fn insert_membership(tx: &mut Connection, user: UserId, account: AccountId) -> Result<()> {
    tx.execute("INSERT INTO account_user (user_id, account_id) VALUES ($1, $2)", &[user.0.into(), account.0.into()])?;
    Ok(())
}
