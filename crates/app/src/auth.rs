//! Who is calling: sign-in with a password, opaque tokens, and the first administrator.
//!
//! Tokens are random and only their hashes are kept. A token is good until it expires, its user signs out, or the user's
//! password or roles change; so is an API key (`api_key`), which ends when it is deleted. Reads trust a look-up for up to a
//! second, within which a sign-out in *another* process may not be seen yet; in this one it is seen at once. Changes are
//! always decided by the roles as they are in the transaction.

use crate::api_key::KEY_PREFIX;
use crate::idempotency::Ticket;
use crate::throttle::Throttle;
use crate::work::Beside;
use crate::{Error, Registry};
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::action::NewUser;
use domain::{AccountId, Actor, Capability, Command, Outcome, Refusal, Role, Roles, Scopes, UserId};
use jiff::Timestamp;
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::session::Session;

pub const PASSWORD_CHARS_MIN: usize = 8;
pub const PASSWORD_CHARS_MAX: usize = 200;
/// Passwords hashed at the same time; each takes 19 MiB and a core.
const HASHES_AT_ONCE: usize = 2;
/// Failed sign-ins per name and per address in a window.
const FAILURES_PER_NAME_MAX: u32 = 10;
const FAILURES_PER_ADDRESS_MAX: u32 = 100;
const FAILURES_WINDOW: Duration = Duration::from_mins(15);
/// How long a look-up of a token is trusted, and how many are remembered.
const LOOKUP_TRUSTED: Duration = Duration::from_secs(1);
const LOOKUPS_MAX: usize = 10_000;

/// Somebody who showed a valid token, with their roles as they are now.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user_id: UserId,
    pub roles: Roles,
    pub token_hash: [u8; 32],
    pub expires_at: Timestamp,
    /// What the API key that was shown is good for; `None` for the token of a session, which is good for everything.
    pub scopes: Option<Scopes>,
    /// Under what the change that they ask for goes on record, if the request has an `Idempotency-Key`.
    pub ticket: Option<Arc<Ticket>>,
}

impl Caller {
    /// Somebody with a session.
    pub const fn signed_in(user_id: UserId, roles: Roles, token_hash: [u8; 32], expires_at: Timestamp) -> Self {
        Self { user_id, roles, token_hash, expires_at, scopes: None, ticket: None }
    }

    /// Whether one of the roles gives this wherever; not where it takes membership of an account.
    pub fn may(&self, capability: Capability) -> bool {
        capability.granted(self.roles, false)
    }

    /// For what is decided by roles alone, and no command of the ledger.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`], naming the roles that would do.
    pub fn require(&self, capability: Capability) -> Result<(), Error> {
        if self.may(capability) {
            return Ok(());
        }
        let names: Vec<&str> = capability.roles().0.iter().map(Role::name).collect();
        Err(Refusal::Forbidden { needs: format!("the role {}", names.join(" or ")) }.into())
    }
}

#[derive(Clone)]
pub struct Credentials {
    pub name: String,
    pub password: String,
    /// Where the attempt comes from.
    pub address: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A token that was just made. It is shown once and not kept.
pub struct SignedIn {
    pub token: String,
    pub user_id: UserId,
    pub expires_at: Timestamp,
}

#[derive(Default)]
struct Lookups {
    callers: HashMap<[u8; 32], (Caller, Instant)>,
    /// How often something was forgotten: a look-up from before that is not remembered after it.
    forgotten: u64,
}

pub(crate) struct SignIns {
    names: Throttle,
    addresses: Throttle,
    /// Turns at hashing that are free.
    hashing: Mutex<usize>,
    hashed: Condvar,
    lookups: Mutex<Lookups>,
    /// Compared with where a name is unknown, so that it takes as long.
    decoy: std::sync::OnceLock<String>,
}

impl Default for SignIns {
    fn default() -> Self {
        Self {
            names: Throttle::new(FAILURES_PER_NAME_MAX, FAILURES_WINDOW),
            addresses: Throttle::new(FAILURES_PER_ADDRESS_MAX, FAILURES_WINDOW),
            hashing: Mutex::new(HASHES_AT_ONCE),
            hashed: Condvar::new(),
            lookups: Mutex::default(),
            decoy: std::sync::OnceLock::new(),
        }
    }
}

impl SignIns {
    /// Runs `work` when one of the turns is free.
    fn in_turn<T>(&self, work: impl FnOnce() -> T) -> T {
        let free = self.hashing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.hashed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        drop(free);
        let done = work();
        *self.hashing.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.hashed.notify_one();
        done
    }

    fn hash(&self, password: &str) -> Result<String, Error> {
        let hashed = self.in_turn(|| Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()));
        hashed.map_err(|error| {
            tracing::error!(%error, "a password cannot be hashed");
            Error::Internal
        })
    }

    fn matches(&self, password: &str, hash: &str) -> bool {
        let Ok(parsed) = PasswordHash::new(hash) else { return false };
        self.in_turn(|| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
    }

    fn remembered(&self, hash: &[u8; 32], now: Timestamp) -> Option<Caller> {
        let lookups = self.lookups();
        let (caller, at) = lookups.callers.get(hash)?;
        (at.elapsed() < LOOKUP_TRUSTED && caller.expires_at > now).then(|| caller.clone())
    }

    /// Remembers what `look_up` finds, unless something was forgotten meanwhile.
    fn remembering(&self, look_up: impl FnOnce() -> Result<Caller, Error>) -> Result<Caller, Error> {
        let forgotten = self.lookups().forgotten;
        let caller = look_up()?;
        let mut lookups = self.lookups();
        if lookups.forgotten != forgotten {
            return Ok(caller);
        }
        if lookups.callers.len() >= LOOKUPS_MAX {
            lookups.callers.retain(|_, (_, at)| at.elapsed() < LOOKUP_TRUSTED);
        }
        if lookups.callers.len() < LOOKUPS_MAX {
            lookups.callers.insert(caller.token_hash, (caller.clone(), Instant::now()));
        }
        drop(lookups);
        Ok(caller)
    }

    pub(crate) fn forget(&self, is_forgotten: impl Fn(&Caller) -> bool) {
        let mut lookups = self.lookups();
        lookups.forgotten += 1;
        lookups.callers.retain(|_, (caller, _)| !is_forgotten(caller));
    }

    fn lookups(&self) -> MutexGuard<'_, Lookups> {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// Checks name and password and opens a session. Takes as long for an unknown name. Blocks.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`] for the name or the address, [`Error::WrongCredentials`].
    pub fn sign_in(&self, credentials: &Credentials) -> Result<SignedIn, Error> {
        let (sign_ins, now) = (&self.0.sign_ins, Instant::now());
        for (throttle, key) in [(&sign_ins.names, &credentials.name), (&sign_ins.addresses, &credentials.address)] {
            throttle.attempt(key, now).map_err(|seconds| Error::TooManyAttempts { seconds })?;
        }
        let found = self.read_primary(|connection| store::user::sign_in(connection, &credentials.name))?;
        let (user, hash) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
        let decoy = match sign_ins.decoy.get() {
            Some(decoy) => decoy.clone(),
            None => sign_ins.decoy.get_or_init(|| sign_ins.hash("decoy").unwrap_or_default()).clone(),
        };
        let is_right = sign_ins.matches(&credentials.password, hash.as_deref().unwrap_or(&decoy));
        let user_id = user.filter(|_| is_right && hash.is_some()).ok_or(Error::WrongCredentials)?;
        sign_ins.names.succeeded(&credentials.name);
        sign_ins.addresses.succeeded(&credentials.address);
        self.open_session(user_id)
    }

    fn open_session(&self, user_id: UserId) -> Result<SignedIn, Error> {
        let random: [u8; 32] = rand::rng().random();
        let token = URL_SAFE_NO_PAD.encode(random);
        let created_at = self.now();
        let expires_at = created_at.checked_add(self.0.settings.token_lifetime).map_err(|_| Error::Internal)?;
        let session = Session { token_hash: hash_of(&token), user_id, created_at, expires_at };
        self.beside(Beside::OpenSession(session))?.wait()?;
        Ok(SignedIn { token, user_id, expires_at })
    }

    /// Whose token or API key this is. Blocks.
    ///
    /// # Errors
    /// [`Error::NoToken`] if it is unknown, expired or revoked.
    pub fn authenticate(&self, token: &str) -> Result<Caller, Error> {
        let (token_hash, now) = (hash_of(token), self.now());
        if let Some(caller) = self.0.sign_ins.remembered(&token_hash, now) {
            return Ok(caller);
        }
        // The hash is compared by the database's index: what it learns of timing is of a hash, not of a token.
        self.0.sign_ins.remembering(|| {
            if token.starts_with(KEY_PREFIX) {
                let found = self.read_primary(|connection| store::api_key::holder(connection, &token_hash, now))?;
                let (user_id, roles, expires_at, scopes) = found.ok_or(Error::NoToken)?;
                let scopes = Some(scopes);
                return Ok(Caller { scopes, ..Caller::signed_in(user_id, roles, token_hash, expires_at) });
            }
            let found = self.read_primary(|connection| store::session::holder(connection, &token_hash, now))?;
            let (user_id, roles, expires_at) = found.ok_or(Error::NoToken)?;
            Ok(Caller::signed_in(user_id, roles, token_hash, expires_at))
        })
    }

    /// As [`authenticate`](Self::authenticate), without a look at the database: `None` where that would be needed.
    pub fn authenticate_remembered(&self, token: &str) -> Option<Caller> {
        self.0.sign_ins.remembered(&hash_of(token), self.now())
    }

    /// Ends the caller's session, or the API key that they showed. Blocks.
    pub fn sign_out(&self, caller: &Caller) -> Result<(), Error> {
        let shown = caller.token_hash;
        let end = if caller.scopes.is_some() { Beside::EndShownKey(shown) } else { Beside::CloseSession(shown) };
        self.beside(end)?.wait()?;
        self.0.sign_ins.forget(|known| known.token_hash == caller.token_hash);
        Ok(())
    }

    /// Sets a new password and ends all sessions and API keys of the caller. Blocks.
    ///
    /// # Errors
    /// [`Error::WrongCredentials`] if the old password is wrong, [`Error::TooManyAttempts`].
    pub fn change_password(&self, caller: &Caller, old: &str, new: &str) -> Result<(), Error> {
        let sign_ins = &self.0.sign_ins;
        let user = self.read_primary(|connection| store::user::by_id(connection, caller.user_id))?;
        let name = user.ok_or(Error::NoToken)?.primary_contact;
        sign_ins.names.attempt(&name, Instant::now()).map_err(|seconds| Error::TooManyAttempts { seconds })?;
        let found = self.read_primary(|connection| store::user::sign_in(connection, &name))?;
        let hash = found.and_then(|(_, hash)| hash).ok_or(Error::WrongCredentials)?;
        if !sign_ins.matches(old, &hash) {
            return Err(Error::WrongCredentials);
        }
        sign_ins.names.succeeded(&name);
        let password_hash = sign_ins.hash(new)?;
        self.beside(Beside::ChangePassword { user: caller.user_id, password_hash })?.wait()?;
        Ok(())
    }

    /// The hash that is kept of a password. Blocks.
    pub fn hash_password(&self, password: &str) -> Result<String, Error> {
        self.0.sign_ins.hash(password)
    }

    /// Makes the first administrator of an empty registry; `None` if there are users already. Blocks.
    pub fn first_administrator(&self, contact: &str, password: &str) -> Result<Option<UserId>, Error> {
        if self.read_primary(store::user::any)? {
            return Ok(None);
        }
        let roles = Roles::of(&[Role::RegistryAdministrator]);
        let user = self.create_user_as_operator("Registry administrator", contact, roles, None, &[], password)?;
        Ok(Some(user))
    }

    /// Makes a user on behalf of the operator at the console. Blocks.
    pub fn create_user_as_operator(
        &self,
        name: &str,
        contact: &str,
        roles: Roles,
        organisation: Option<&str>,
        accounts: &[AccountId],
        password: &str,
    ) -> Result<UserId, Error> {
        let new = NewUser {
            name: name.to_owned(),
            primary_contact: contact.to_owned(),
            roles,
            organisation: organisation.map(str::to_owned),
            account_ids: accounts.to_vec(),
            password_hash: Some(self.hash_password(password)?),
        };
        let roles: Vec<&str> = roles.iter().map(Role::name).collect();
        let request = serde_json::json!({ "roles": roles }).to_string();
        match self.submit_as(Actor::Operator, Command::CreateUser(new), request)?.wait()?.outcome() {
            Outcome::User(id) => Ok(id),
            other => unreachable!("creating a user gave {other:?}"),
        }
    }
}

/// A random password of 20 characters, about 119 bits.
pub fn generate_password() -> String {
    let random: [u8; 15] = rand::rng().random();
    URL_SAFE_NO_PAD.encode(random)
}

/// The hash that is kept of a token or an API key: it is random, so one pass will do.
pub(crate) fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
