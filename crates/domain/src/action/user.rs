//! Users change, get other roles, and go.
//!
//! Refusals, in order, of each: forbidden; the user is missing, which a deleted one is to a change; an account is missing;
//! too many accounts; the sign-in name is taken; the last administrator would be none any more. Somebody changes their own
//! name, sign-in name and organisation; everything else is the administrator's.

use super::Outcome;
use super::edit::{Edit, edited};
use super::register::{Decision, bounded, distinct, free};
use crate::state::PRIMARY_CONTACT;
use crate::{AccountId, Actor, Capability, Change, Refusal, Role, Roles, State, User, UserId};
use std::collections::BTreeSet;

/// What changes of a user. Absent members stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserUpdate {
    pub user_id: UserId,
    pub name: Option<String>,
    pub primary_contact: Option<String>,
    pub organisation: Edit<String>,
    /// All accounts that the user belongs to afterwards.
    pub account_ids: Option<Vec<AccountId>>,
    /// Of a new password; ends the user's sessions.
    pub password_hash: Option<String>,
}

/// The roles that a user has afterwards; ends the user's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleChange {
    pub user_id: UserId,
    pub roles: Roles,
}

impl UserUpdate {
    /// A change of nothing.
    pub fn of(user_id: UserId) -> Self {
        Self {
            user_id,
            name: None,
            primary_contact: None,
            organisation: Edit::Keep,
            account_ids: None,
            password_hash: None,
        }
    }
}

pub(super) fn update(state: &State, actor: Actor, update: &UserUpdate) -> Decision {
    let id = update.user_id;
    let is_profile = update.account_ids.is_none() && update.password_hash.is_none();
    if actor != Actor::User(id) || !is_profile {
        state.require(actor, Capability::ManageUsers)?;
    }
    let before = state.live_user(id).ok_or(Refusal::UserMissing { user_id: id })?;
    let wanted = update.account_ids.as_deref().map(distinct);
    for account in wanted.iter().flatten() {
        state.live_account(*account).ok_or(Refusal::AccountMissing { account_id: *account })?;
    }
    bounded("account_ids", wanted.as_ref().map_or(0, Vec::len))?;
    let after = User {
        name: edited(update.name.as_ref(), &before.name),
        primary_contact: edited(update.primary_contact.as_ref(), &before.primary_contact),
        organisation: update.organisation.of(before.organisation.as_ref()),
        ..before.clone()
    };
    if after.primary_contact != before.primary_contact {
        free(state, PRIMARY_CONTACT, &after.primary_contact)?;
    }
    let mut changes = Vec::new();
    if after != *before || update.password_hash.is_some() {
        let (before, after) = (Box::new(before.clone()), Box::new(after));
        changes.push(Change::UserChanged { before, after, password_hash: update.password_hash.clone() });
    }
    if let Some(wanted) = wanted {
        let wanted: BTreeSet<AccountId> = wanted.into_iter().collect();
        let now: BTreeSet<AccountId> = state.accounts_of(id).collect();
        let joined: Vec<_> = wanted.difference(&now).copied().collect();
        let left: Vec<_> = now.difference(&wanted).copied().collect();
        if !joined.is_empty() || !left.is_empty() {
            changes.push(Change::MembershipsChanged { user: id, joined, left });
        }
    }
    Ok((changes, Outcome::User(id)))
}

/// The same roles again change nothing.
pub(super) fn change_role(state: &State, actor: Actor, change: &RoleChange) -> Decision {
    state.require(actor, Capability::ManageUsers)?;
    let id = change.user_id;
    let before = state.live_user(id).ok_or(Refusal::UserMissing { user_id: id })?;
    if !change.roles.contains(Role::RegistryAdministrator) {
        not_last(state, before)?;
    }
    if change.roles == before.roles {
        return Ok((Vec::new(), Outcome::User(id)));
    }
    let after = Box::new(User { roles: change.roles, ..before.clone() });
    let change = Change::UserChanged { before: Box::new(before.clone()), after, password_hash: None };
    Ok((vec![change], Outcome::User(id)))
}

/// Deleting again changes nothing.
pub(super) fn delete(state: &State, actor: Actor, id: UserId) -> Decision {
    state.require(actor, Capability::ManageUsers)?;
    let user = state.users.get(&id).ok_or(Refusal::UserMissing { user_id: id })?;
    if user.is_deleted {
        return Ok((Vec::new(), Outcome::User(id)));
    }
    not_last(state, user)?;
    Ok((vec![Change::UserDeleted(id)], Outcome::User(id)))
}

/// Somebody must be left to administer the registry.
fn not_last(state: &State, user: &User) -> Result<(), Refusal> {
    let is_administrator = |user: &User| user.roles.contains(Role::RegistryAdministrator) && !user.is_deleted;
    let has_other = state.users.values().any(|other| other.id != user.id && is_administrator(other));
    if is_administrator(user) && !has_other {
        return Err(Refusal::LastAdministrator { user_id: user.id });
    }
    Ok(())
}
