//! Users, and apart from them their secrets.

use crate::code::coded;
use db::{Connection, Result, Row, Value};
use domain::{AccountId, Roles, User, UserId};

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

/// The accounts that these users belong to.
pub fn memberships(connection: &mut Connection, users: &[i64]) -> Result<Vec<(UserId, AccountId)>> {
    connection.query(
        "SELECT m.user_id, m.account_id FROM account_user m WHERE m.user_id IN rarray($1) \
         ORDER BY m.user_id, m.account_id",
        &[users.into()],
        |r| Ok((UserId(r.get(0)?), AccountId(r.get(1)?))),
    )
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

pub fn insert_membership(tx: &mut Connection, user: UserId, account: AccountId) -> Result<()> {
    tx.execute("INSERT INTO account_user (user_id, account_id) VALUES ($1, $2)", &[user.0.into(), account.0.into()])?;
    Ok(())
}
