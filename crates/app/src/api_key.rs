//! API keys: made, listed and deleted by who signed in with a password; recognised in `auth`.
//!
//! A key is random, shown once, and kept as a hash only. What it may do is what its owner's roles allow at that moment, as
//! far as its scopes go; which operation takes which scope is `web`'s to know.

use crate::auth::hash_of;
use crate::work::{Beside, Done};
use crate::{Caller, Error, Page, Paging, Registry};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{ApiKey, ApiKeyId, Capability, Refusal, Scopes, UserId};
use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use store::api_key::NewApiKey;

pub use store::api_key::KEYS_PER_USER_MAX as API_KEYS_PER_USER_MAX;

/// How a key begins, so that people and scanners know one when they see it.
pub(crate) const KEY_PREFIX: &str = "granary_";
/// The longest life of a key, which is also the usual one.
pub const API_KEY_LIFETIME_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A key that was just made. It is shown once and not kept.
pub struct NewKey {
    pub secret: String,
    pub key: ApiKey,
}

impl Registry {
    /// Makes a key of the caller's; without `expires_at` it lives as long as one may. Blocks.
    ///
    /// # Errors
    /// [`Error::BadInput`] for an expiry that has passed or lies too far ahead; [`Refusal::TooMany`].
    pub fn create_api_key(
        &self,
        caller: &Caller,
        name: &str,
        expires_at: Option<Timestamp>,
        scopes: Scopes,
    ) -> Result<NewKey, Error> {
        let now = self.now();
        let last = now.checked_add(API_KEY_LIFETIME_MAX).map_err(|_| Error::Internal)?;
        let expires_at = expires_at.unwrap_or(last);
        if expires_at <= now || expires_at > last {
            let days = API_KEY_LIFETIME_MAX.as_hours() / 24;
            let rule = format!("must lie in the future, at most {days} days ahead");
            return Err(Error::BadInput { field: "expires_at".to_owned(), rule });
        }
        let random: [u8; 32] = rand::rng().random();
        let secret = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let (key_hash, user_id, name) = (hash_of(&secret), caller.user_id, name.to_owned());
        let new = NewApiKey { key_hash, user_id, name, scopes, expires_at };
        match self.beside(Beside::CreateKey(new))?.wait()?.done {
            Done::Key(key) => Ok(NewKey { secret, key }),
            other => unreachable!("making a key gave {other:?}"),
        }
    }

    /// The keys of a user that are not deleted: the caller's own, or anybody's for a Registry Administrator. By id, in
    /// pages. Blocks.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] for somebody else's.
    pub fn api_keys(
        &self,
        caller: &Caller,
        of: Option<UserId>,
        paging: Paging<i64>,
    ) -> Result<Page<ApiKey, i64>, Error> {
        let of = of.unwrap_or(caller.user_id);
        if of != caller.user_id && !caller.may(Capability::ManageUsers) {
            return Err(Refusal::Forbidden { needs: "user_id to be that of the caller".to_owned() }.into());
        }
        let after = ApiKeyId(paging.after.unwrap_or(0));
        let found = self.read_primary(|connection| store::api_key::list(connection, of, after, paging.rows()))?;
        Ok(paging.page(found, |key| key.id.0))
    }

    /// Deletes a key: one's own, or anybody's as a Registry Administrator. Again is the same. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] also for somebody else's.
    pub fn delete_api_key(&self, caller: &Caller, id: ApiKeyId) -> Result<ApiKey, Error> {
        let found = self.read_primary(|connection| store::api_key::by_id(connection, id))?;
        let is_visible = |key: &ApiKey| key.user_id == caller.user_id || caller.may(Capability::ManageUsers);
        let key = found.filter(is_visible).ok_or(Error::NotFound { what: "API key", id: id.0 })?;
        if !key.is_deleted {
            self.beside(Beside::DeleteKey(id))?.wait()?;
            self.0.sign_ins.forget(|known| known.user_id == key.user_id && known.scopes.is_some());
        }
        Ok(ApiKey { is_deleted: true, ..key })
    }
}
