//! Users, organisations, accounts, devices and metadata come into being.
//!
//! Refusals, in order, of each: forbidden; something named is missing; a list is too long; a unique value is taken.

use super::Outcome;
use crate::account::MEMBERS_MAX;
use crate::state::{ACCOUNT_NAME, METER_DATA_ID, ORGANISATION_NAME, PRIMARY_CONTACT};
use crate::{
    Account, AccountId, Actor, Capability, Change, Changes, Device, DeviceDescription, DeviceId, IssuanceMetadata,
    MetadataDescription, Organisation, OrganisationDescription, OrganisationId, Refusal, Roles, State, User, UserId,
};
use jiff::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    pub name: String,
    pub primary_contact: String,
    pub roles: Roles,
    pub organisation: Option<String>,
    pub account_ids: Vec<AccountId>,
    /// Of a password that was already hashed; a user without one cannot sign in.
    pub password_hash: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    pub name: String,
    pub organisation_id: Option<OrganisationId>,
    pub user_ids: Vec<UserId>,
    /// Accounts that may send to the new one.
    pub whitelist: Vec<AccountId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhitelistUpdate {
    pub account_id: AccountId,
    pub add: Vec<AccountId>,
    pub remove: Vec<AccountId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    pub account_id: AccountId,
    pub description: DeviceDescription,
}

pub(super) type Decision = Result<(Changes, Outcome), Refusal>;

pub(super) fn user(state: &State, actor: Actor, new: &NewUser, now: Timestamp) -> Decision {
    state.require(actor, Capability::ManageUsers)?;
    let accounts = distinct(&new.account_ids);
    for account in &accounts {
        state.live_account(*account).ok_or(Refusal::AccountMissing { account_id: *account })?;
    }
    bounded("account_ids", accounts.len())?;
    free(state, PRIMARY_CONTACT, &new.primary_contact)?;
    let user = User {
        id: state.next.user,
        name: new.name.clone(),
        primary_contact: new.primary_contact.clone(),
        roles: new.roles,
        organisation: new.organisation.clone(),
        is_deleted: false,
        created_at: now,
    };
    let outcome = Outcome::User(user.id);
    Ok((vec![Change::UserCreated { user, accounts, password_hash: new.password_hash.clone() }], outcome))
}

pub(super) fn organisation(
    state: &State,
    actor: Actor,
    description: &OrganisationDescription,
    now: Timestamp,
) -> Decision {
    state.require(actor, Capability::ManageAccounts)?;
    free(state, ORGANISATION_NAME, &description.name)?;
    let id = state.next.organisation;
    let organisation = Organisation { id, description: description.clone(), is_deleted: false, created_at: now };
    Ok((vec![Change::OrganisationCreated(organisation)], Outcome::Organisation(id)))
}

pub(super) fn account(state: &State, actor: Actor, new: &NewAccount, now: Timestamp) -> Decision {
    state.require(actor, Capability::ManageAccounts)?;
    if let Some(id) = new.organisation_id {
        let known = state.organisations.get(&id).is_some_and(|o| !o.is_deleted);
        known.then_some(()).ok_or(Refusal::OrganisationMissing { organisation_id: id })?;
    }
    let (users, whitelist) = (distinct(&new.user_ids), distinct(&new.whitelist));
    for user in &users {
        state.live_user(*user).ok_or(Refusal::UserMissing { user_id: *user })?;
    }
    for sender in &whitelist {
        state.live_account(*sender).ok_or(Refusal::WhitelistAccountMissing { account_id: *sender })?;
    }
    bounded("user_ids", users.len())?;
    bounded("account_whitelist", whitelist.len())?;
    free(state, ACCOUNT_NAME, &new.name)?;
    let id = state.next.account;
    let account = Account {
        id,
        name: new.name.clone(),
        organisation_id: new.organisation_id,
        is_deleted: false,
        created_at: now,
    };
    let mut changes = vec![Change::AccountCreated { account, whitelist }];
    let joined = |user| Change::MembershipsChanged { user, joined: vec![id], left: Vec::new() };
    changes.extend(users.into_iter().map(joined));
    Ok((changes, Outcome::Account(id)))
}

/// Refusals, in order: forbidden, account missing, an account to add is missing or is the account itself, too many. Adding what is there and removing what is not changes nothing.
pub(super) fn whitelist(state: &State, actor: Actor, update: &WhitelistUpdate) -> Decision {
    let account = update.account_id;
    state.require(actor, Capability::UpdateWhitelist(account))?;
    state.live_account(account).ok_or(Refusal::AccountMissing { account_id: account })?;
    let add = distinct(&update.add);
    for sender in &add {
        state.live_account(*sender).ok_or(Refusal::WhitelistAccountMissing { account_id: *sender })?;
        if *sender == account {
            return Err(Refusal::WhitelistIsSelf { account_id: account });
        }
    }
    let listed = |sender: &AccountId| state.whitelist.contains(&(account, *sender));
    let removed: Vec<_> = distinct(&update.remove).into_iter().filter(listed).collect();
    let added: Vec<_> = add.into_iter().filter(|sender| !listed(sender)).collect();
    let size = state.whitelist_sizes.get(&account).copied().unwrap_or(0);
    bounded("account_whitelist", (size + added.len()).saturating_sub(removed.len()))?;
    if added.is_empty() && removed.is_empty() {
        return Ok((Vec::new(), Outcome::Account(account)));
    }
    Ok((vec![Change::WhitelistChanged { account, added, removed }], Outcome::Account(account)))
}

/// A device registered by the administrator or a registrar is born approved; a producer's waits for approval.
pub(super) fn device(state: &State, actor: Actor, new: &NewDevice, now: Timestamp) -> Decision {
    state.require(actor, Capability::CreateDevice(new.account_id))?;
    state.live_account(new.account_id).ok_or(Refusal::AccountMissing { account_id: new.account_id })?;
    if let Some(meter) = &new.description.meter_data_id {
        free(state, METER_DATA_ID, meter)?;
    }
    let id = state.next.device;
    let device = Device {
        id,
        account_id: new.account_id,
        description: new.description.clone(),
        version: 1,
        is_approved: state.permits(actor, Capability::ManageDevices),
        is_deleted: false,
        created_at: now,
        gross_net: None,
        next_certificate: 1,
    };
    Ok((vec![Change::DeviceCreated(device)], Outcome::Device(id)))
}

/// Approving again changes nothing.
pub(super) fn approve(state: &State, actor: Actor, id: DeviceId) -> Decision {
    state.require(actor, Capability::ManageDevices)?;
    let device = state.live_device(id).ok_or(Refusal::DeviceMissing { device_id: id })?;
    let changes = if device.is_approved { Vec::new() } else { vec![Change::DeviceApproved(id)] };
    Ok((changes, Outcome::Device(id)))
}

pub(super) fn metadata(state: &State, actor: Actor, new: &MetadataDescription, now: Timestamp) -> Decision {
    state.require(actor, Capability::Issue)?;
    let id = state.next.metadata;
    let metadata = IssuanceMetadata { id, description: new.clone(), created_at: now };
    Ok((vec![Change::MetadataCreated(metadata)], Outcome::Metadata(id)))
}

pub(super) fn distinct<T: Copy + Ord>(ids: &[T]) -> Vec<T> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids
}

pub(super) fn bounded(field: &'static str, count: usize) -> Result<(), Refusal> {
    if count > MEMBERS_MAX { Err(Refusal::TooMany { field, max: MEMBERS_MAX }) } else { Ok(()) }
}

pub(super) fn free(state: &State, field: &'static str, value: &str) -> Result<(), Refusal> {
    if state.taken.contains(&(field, value.to_owned())) {
        return Err(Refusal::Taken { field, value: value.to_owned() });
    }
    Ok(())
}
