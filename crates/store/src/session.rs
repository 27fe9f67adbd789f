//! Sessions: who is signed in. Only the hash of a token is kept. [`revoke_all`] is how everything of a user ends.

use crate::code::coded;
use db::{Connection, Result};
use domain::{Roles, UserId};
use jiff::Timestamp;

/// Sessions that one user has open; a further one ends the oldest.
pub const SESSIONS_PER_USER_MAX: i64 = 100;

#[derive(Clone, Debug)]
pub struct Session {
    pub token_hash: [u8; 32],
    pub user_id: UserId,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Who holds this token, with their roles as they are now; `None` if it is unknown, expired or its user is deleted.
pub fn holder(
    connection: &mut Connection,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<(UserId, Roles, Timestamp)>> {
    connection.query_optional(
        "SELECT s.user_id, u.roles, s.expires_at FROM session s JOIN registry_user u ON u.id = s.user_id \
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND NOT u.is_deleted",
        &[token_hash.into(), now.into()],
        |r| Ok((UserId(r.get(0)?), coded(r, 1, Roles::from_code)?, r.get(2)?)),
    )
}

/// Opens a session; clears away what has expired, and the oldest beyond [`SESSIONS_PER_USER_MAX`].
pub fn insert(tx: &mut Connection, session: &Session) -> Result<()> {
    tx.execute("DELETE FROM session WHERE expires_at <= $1", &[session.created_at.into()])?;
    tx.execute(
        "DELETE FROM session WHERE user_id = $1 AND created_at < \
         (SELECT s.created_at FROM session s WHERE s.user_id = $1 ORDER BY s.created_at DESC LIMIT 1 OFFSET $2)",
        &[session.user_id.0.into(), (SESSIONS_PER_USER_MAX - 2).into()],
    )?;
    tx.execute(
        "INSERT INTO session (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        &[(&session.token_hash).into(), session.user_id.0.into(), session.created_at.into(), session.expires_at.into()],
    )?;
    Ok(())
}

/// How many sessions have not expired.
pub fn count(connection: &mut Connection, now: Timestamp) -> Result<i64> {
    connection.query_one("SELECT COUNT(*) FROM session WHERE expires_at > $1", &[now.into()], |r| r.get(0))
}

pub fn delete(tx: &mut Connection, token_hash: &[u8; 32]) -> Result<()> {
    tx.execute("DELETE FROM session WHERE token_hash = $1", &[token_hash.into()])?;
    Ok(())
}

/// Ends everything that a user signed in with: sessions and API keys.
///
/// Called in the transaction that changes the user's password or roles or deletes them, so that no token outlives what it
/// was given for. A change of the ledger that does so says it in [`domain::Change::revokes`]: `batch::write_rows` then calls
/// this, and after the commit the writer forgets which of the user's tokens were looked up in the last second.
pub fn revoke_all(tx: &mut Connection, user: UserId) -> Result<()> {
    tx.execute("DELETE FROM session WHERE user_id = $1", &[user.0.into()])?;
    crate::api_key::delete_of(tx, user)
}
