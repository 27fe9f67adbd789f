//! API keys. Only the hash of a key is kept.
//!
//! A deleted key stays as a row, so that ids are never given twice and deleting it again is the same; the oldest of them
//! go when their owner makes another key. Invariant: of one owner at most [`KEYS_PER_USER_MAX`] are neither deleted nor expired.

use crate::code::coded;
use db::{Connection, Result, Row};
use domain::{ApiKey, ApiKeyId, Roles, Scopes, UserId};
use jiff::Timestamp;

/// Keys of one user that are neither deleted nor expired.
pub const KEYS_PER_USER_MAX: usize = 100;
/// Keys of one user that are kept as rows, live or not.
const ROWS_PER_USER_MAX: i64 = 1_000;

/// A key to be; its id is given when it is written.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    pub key_hash: [u8; 32],
    pub user_id: UserId,
    pub name: String,
    pub scopes: Scopes,
    pub expires_at: Timestamp,
}

macro_rules! columns {
    () => {
        "k.id, k.user_id, k.name, k.scopes, k.created_at, k.expires_at, k.is_deleted"
    };
}

fn key_of(row: &Row<'_>) -> Result<ApiKey> {
    Ok(ApiKey {
        id: ApiKeyId(row.get(0)?),
        user_id: UserId(row.get(1)?),
        name: row.get(2)?,
        scopes: coded(row, 3, Scopes::from_code)?,
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
        is_deleted: row.get(6)?,
    })
}

/// Whose key this is, with their roles as they are now and what the key is good for; `None` if it is unknown, expired or
/// revoked, or if its owner is deleted.
pub fn holder(
    connection: &mut Connection,
    key_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<(UserId, Roles, Timestamp, Scopes)>> {
    connection.query_optional(
        "SELECT k.user_id, u.roles, k.expires_at, k.scopes FROM api_key k JOIN registry_user u ON u.id = k.user_id \
         WHERE k.key_hash = $1 AND k.expires_at > $2 AND NOT k.is_deleted AND NOT u.is_deleted",
        &[key_hash.into(), now.into()],
        |r| {
            let (roles, scopes) = (coded(r, 1, Roles::from_code)?, coded(r, 3, Scopes::from_code)?);
            Ok((UserId(r.get(0)?), roles, r.get(2)?, scopes))
        },
    )
}

pub fn by_id(connection: &mut Connection, id: ApiKeyId) -> Result<Option<ApiKey>> {
    connection.query_optional(concat!("SELECT ", columns!(), " FROM api_key k WHERE k.id = $1"), &[id.0.into()], key_of)
}

/// The keys of a user that are not deleted, those that have expired among them, by id, after `after`.
pub fn list(connection: &mut Connection, of: UserId, after: ApiKeyId, limit: i64) -> Result<Vec<ApiKey>> {
    connection.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM api_key k WHERE k.user_id = $1 AND k.id > $2 AND NOT k.is_deleted ORDER BY k.id LIMIT $3"
        ),
        &[of.0.into(), after.0.into(), limit.into()],
        key_of,
    )
}

/// Writes a key and returns it; `None` if its owner has [`KEYS_PER_USER_MAX`] live ones. Ids are serial: writers take turns.
pub fn insert(tx: &mut Connection, new: &NewApiKey, now: Timestamp) -> Result<Option<ApiKey>> {
    let live: i64 = tx.query_one(
        "SELECT COUNT(*) FROM api_key k WHERE k.user_id = $1 AND k.expires_at > $2 AND NOT k.is_deleted",
        &[new.user_id.0.into(), now.into()],
        |r| r.get(0),
    )?;
    if usize::try_from(live).unwrap_or(usize::MAX) >= KEYS_PER_USER_MAX {
        return Ok(None);
    }
    let last: Option<i64> = tx.query_one("SELECT MAX(id) FROM api_key", &[], |r| r.get(0))?;
    let key = ApiKey {
        id: ApiKeyId(last.unwrap_or(0) + 1),
        user_id: new.user_id,
        name: new.name.clone(),
        scopes: new.scopes,
        created_at: now,
        expires_at: new.expires_at,
        is_deleted: false,
    };
    tx.execute(
        "INSERT INTO api_key (id, user_id, key_hash, name, scopes, created_at, expires_at, is_deleted) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            key.id.0.into(),
            key.user_id.0.into(),
            (&new.key_hash).into(),
            key.name.as_str().into(),
            key.scopes.code().into(),
            key.created_at.into(),
            key.expires_at.into(),
            key.is_deleted.into(),
        ],
    )?;
    // The newest row of all is never among the oldest of its owner, so no id comes again.
    tx.execute(
        "DELETE FROM api_key WHERE user_id = $1 AND (is_deleted OR expires_at <= $2) AND id <= \
         (SELECT k.id FROM api_key k WHERE k.user_id = $1 ORDER BY k.id DESC LIMIT 1 OFFSET $3)",
        &[new.user_id.0.into(), now.into(), ROWS_PER_USER_MAX.into()],
    )?;
    Ok(Some(key))
}

pub fn delete(tx: &mut Connection, id: ApiKeyId) -> Result<()> {
    tx.execute("UPDATE api_key SET is_deleted = TRUE WHERE id = $1 AND NOT is_deleted", &[id.0.into()])?;
    Ok(())
}

/// Ends the key with this hash.
pub fn delete_shown(tx: &mut Connection, key_hash: &[u8; 32]) -> Result<()> {
    tx.execute("UPDATE api_key SET is_deleted = TRUE WHERE key_hash = $1 AND NOT is_deleted", &[key_hash.into()])?;
    Ok(())
}

/// Ends all keys of a user; see [`crate::session::revoke_all`].
pub(crate) fn delete_of(tx: &mut Connection, user: UserId) -> Result<()> {
    tx.execute("UPDATE api_key SET is_deleted = TRUE WHERE user_id = $1 AND NOT is_deleted", &[user.0.into()])?;
    Ok(())
}
