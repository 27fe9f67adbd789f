//! Users, accounts, devices and metadata: made through the queue, read within the caller's scope.

use crate::account::views_of;
use crate::{Caller, Error, Page, Paging, Registry};
use domain::{
    Account, AccountId, Capability, Device, DeviceId, EventNumber, IssuanceMetadata, MetadataId, User, UserId,
};
use std::collections::BTreeMap;
use store::Connection;

/// A user as the caller may see them.
#[derive(Clone, Debug)]
pub enum UserView {
    Whole {
        user: User,
        accounts: Vec<AccountId>,
    },
    /// Somebody who shares an account with the caller: their name only.
    Name {
        id: UserId,
        name: String,
    },
}

#[derive(Clone, Debug)]
pub struct AccountView {
    pub account: Account,
    pub user_ids: Vec<UserId>,
    pub whitelist: Vec<AccountId>,
    /// Whether one of its devices is or was storage.
    pub has_storage: bool,
}

pub type DeviceView = Device;
pub type MetadataView = IssuanceMetadata;

impl Registry {
    /// A user: oneself and, for those who may read everything, anyone; the name only of who shares an account.
    pub fn user(&self, caller: &Caller, id: UserId, fresh: Option<EventNumber>) -> Result<UserView, Error> {
        let found = self.read(fresh, |connection| {
            let Some(user) = store::user::by_id(connection, id)? else { return Ok(None) };
            let sees_whole = id == caller.user_id || caller.may(Capability::ReadEverything);
            let is_seen = sees_whole || shares_account(connection, caller, &user)?;
            let views = if is_seen { user_views(connection, caller, vec![user])? } else { Vec::new() };
            Ok(views.into_iter().next())
        })?;
        found.ok_or(Error::NotFound { what: "User", id: id.0 })
    }

    /// The caller and who shares an account with them, or all for those who may read everything, who also see deleted ones
    /// where they want to; in the order of their ids. Blocks.
    pub fn users(
        &self,
        caller: &Caller,
        with_deleted: bool,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<UserView, i64>, Error> {
        let member = (!caller.may(Capability::ReadEverything)).then_some(caller.user_id);
        let views = self.read(fresh, |connection| {
            let users = store::user::list(connection, member, with_deleted, paging.after, paging.rows())?;
            user_views(connection, caller, users)
        })?;
        Ok(paging.page(views, |view| view.id().0))
    }

    /// The accounts that the caller belongs to.
    pub fn own_accounts(&self, caller: &Caller, fresh: Option<EventNumber>) -> Result<Vec<AccountView>, Error> {
        self.read(fresh, |connection| {
            let members = store::user::memberships(connection, &[caller.user_id.0])?;
            let ids: Vec<i64> = members.iter().map(|(_, account)| account.0).collect();
            let accounts = store::account::by_ids(connection, &ids)?;
            views_of(connection, accounts)
        })
    }

    /// An account that the caller belongs to, or any for those who may read everything.
    pub fn account(&self, caller: &Caller, id: AccountId, fresh: Option<EventNumber>) -> Result<AccountView, Error> {
        let found = self.read(fresh, |connection| {
            let Some(account) = store::account::by_id(connection, id)? else { return Ok(None) };
            let is_readable = may_read(connection, caller, id)?;
            let views = if is_readable { views_of(connection, vec![account])? } else { Vec::new() };
            Ok(views.into_iter().next())
        })?;
        found.ok_or(Error::NotFound { what: "Account", id: id.0 })
    }

    /// A device of the caller's accounts, or any for those who may read every device.
    pub fn device(&self, caller: &Caller, id: DeviceId, fresh: Option<EventNumber>) -> Result<DeviceView, Error> {
        let found = self.read(fresh, |connection| {
            let Some(device) = store::device::by_id(connection, id)? else { return Ok(None) };
            let reads_all = caller.may(Capability::ReadDevices);
            let is_readable = reads_all || may_read(connection, caller, device.account_id)?;
            Ok(is_readable.then_some(device))
        })?;
        found.ok_or(Error::NotFound { what: "Device", id: id.0 })
    }

    /// A page of issuance metadata in the order of ids, which everybody may read.
    pub fn all_metadata(
        &self,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<MetadataView, i64>, Error> {
        let rows = self.read(fresh, |connection| store::metadata::list(connection, paging.after, paging.rows()))?;
        Ok(paging.page(rows, |metadata| metadata.id.0))
    }

    /// Issuance metadata, which everybody may read.
    pub fn metadata(&self, id: MetadataId, fresh: Option<EventNumber>) -> Result<MetadataView, Error> {
        let found = self.read(fresh, |connection| store::metadata::by_id(connection, id))?;
        found.ok_or(Error::NotFound { what: "Issuance metadata", id: id.0 })
    }
}

impl UserView {
    pub fn id(&self) -> UserId {
        match self {
            Self::Whole { user, .. } => user.id,
            Self::Name { id, .. } => *id,
        }
    }
}

/// The users as the caller may see them, if at all.
pub(crate) fn user_views(
    connection: &mut Connection,
    caller: &Caller,
    users: Vec<User>,
) -> store::Result<Vec<UserView>> {
    let sees_whole = |id: UserId| id == caller.user_id || caller.may(Capability::ReadEverything);
    let whole: Vec<i64> = users.iter().filter(|user| sees_whole(user.id)).map(|user| user.id.0).collect();
    let mut accounts: BTreeMap<UserId, Vec<AccountId>> = BTreeMap::new();
    for (user, account) in store::user::memberships(connection, &whole)? {
        accounts.entry(user).or_default().push(account);
    }
    let view = |user: User| {
        if sees_whole(user.id) {
            UserView::Whole { accounts: accounts.remove(&user.id).unwrap_or_default(), user }
        } else {
            UserView::Name { id: user.id, name: user.name }
        }
    };
    Ok(users.into_iter().map(view).collect())
}

fn shares_account(connection: &mut Connection, caller: &Caller, user: &User) -> store::Result<bool> {
    let members = store::user::memberships(connection, &[user.id.0, caller.user_id.0])?;
    let of = |id: UserId| members.iter().filter(move |(member, _)| *member == id).map(|(_, account)| *account);
    let accounts: Vec<_> = of(user.id).collect();
    Ok(!user.is_deleted && of(caller.user_id).any(|account| accounts.contains(&account)))
}

/// Whether the caller may read what belongs to an account.
pub(crate) fn may_read(connection: &mut Connection, caller: &Caller, account: AccountId) -> store::Result<bool> {
    if caller.may(Capability::ReadEverything) {
        return Ok(true);
    }
    let members = store::user::memberships(connection, &[caller.user_id.0])?;
    Ok(members.contains(&(caller.user_id, account)))
}
