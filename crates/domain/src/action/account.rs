//! Accounts change and go.
//!
//! Refusals of a change, in order: forbidden; the account is missing, which a deleted one is; its organisation is missing; a
//! user is missing; too many users; the name is taken. Of a deletion: forbidden; missing; it holds Active, Reserved or
//! Locked bundles (what has expired counts as Expired); it has devices that are not deleted. Nobody belongs to a deleted
//! account any more, so nothing can be done for it; what it holds stays there for auditors.

use super::Outcome;
use super::edit::{Edit, edited};
use super::register::{Decision, bounded, distinct, free};
use crate::state::ACCOUNT_NAME;
use crate::{Account, AccountId, Actor, BundleStatus, Capability, Change, OrganisationId, Refusal, State, UserId};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What changes of an account. Absent members stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountUpdate {
    pub account_id: AccountId,
    pub name: Option<String>,
    pub organisation_id: Edit<OrganisationId>,
    /// All users who belong to it afterwards.
    pub user_ids: Option<Vec<UserId>>,
}

pub(super) fn update(state: &State, actor: Actor, update: &AccountUpdate) -> Decision {
    state.require(actor, Capability::ManageAccounts)?;
    let id = update.account_id;
    let before = state.live_account(id).ok_or(Refusal::AccountMissing { account_id: id })?;
    if let Edit::Set(organisation_id) = update.organisation_id {
        let is_live = state.organisations.get(&organisation_id).is_some_and(|o| !o.is_deleted);
        is_live.then_some(()).ok_or(Refusal::OrganisationMissing { organisation_id })?;
    }
    let wanted = update.user_ids.as_deref().map(distinct);
    for user in wanted.iter().flatten() {
        state.live_user(*user).ok_or(Refusal::UserMissing { user_id: *user })?;
    }
    bounded("user_ids", wanted.as_ref().map_or(0, Vec::len))?;
    let after = Account {
        name: edited(update.name.as_ref(), &before.name),
        organisation_id: update.organisation_id.of(before.organisation_id.as_ref()),
        ..before.clone()
    };
    if after.name != before.name {
        free(state, ACCOUNT_NAME, &after.name)?;
    }
    let mut changes = Vec::new();
    if after != *before {
        changes.push(Change::AccountChanged { before: Box::new(before.clone()), after: Box::new(after) });
    }
    if let Some(wanted) = wanted {
        let wanted: BTreeSet<UserId> = wanted.into_iter().collect();
        let now: BTreeSet<UserId> = state.users_of(id).collect();
        let of = |user, joins: bool| {
            let (joined, left) = if joins { (vec![id], Vec::new()) } else { (Vec::new(), vec![id]) };
            Change::MembershipsChanged { user, joined, left }
        };
        changes.extend(now.difference(&wanted).map(|user| of(*user, false)));
        changes.extend(wanted.difference(&now).map(|user| of(*user, true)));
    }
    Ok((changes, Outcome::Account(id)))
}

/// Whether a bundle in this state keeps its account from being deleted.
pub const fn binds(status: BundleStatus) -> bool {
    matches!(status, BundleStatus::Active | BundleStatus::Reserved | BundleStatus::Locked)
}

/// Deleting again changes nothing.
pub(super) fn delete(state: &State, actor: Actor, id: AccountId, now: Timestamp) -> Decision {
    state.require(actor, Capability::ManageAccounts)?;
    let account = state.accounts.get(&id).ok_or(Refusal::AccountMissing { account_id: id })?;
    if account.is_deleted {
        return Ok((Vec::new(), Outcome::Account(id)));
    }
    let held = state.bundles_in(id).filter(|bundle| binds(bundle.status_at(now))).min_by_key(|bundle| bundle.id);
    if let Some(bundle) = held {
        let (bundle_id, status) = (bundle.id, bundle.status_at(now));
        return Err(Refusal::AccountHoldsBundles { account_id: id, bundle_id, status });
    }
    let devices = state.devices.values().filter(|device| device.account_id == id && !device.is_deleted);
    if let Some(device_id) = devices.map(|device| device.id).min() {
        return Err(Refusal::AccountHasDevices { account_id: id, device_id });
    }
    Ok((vec![Change::AccountDeleted(id)], Outcome::Account(id)))
}
