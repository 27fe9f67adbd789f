//! Users, accounts, devices and metadata: made through the queue, read within the caller's scope.

use crate::{Caller, Error, Page, Paging, Registry};
use domain::{
    Account, AccountId, Capability, Device, DeviceId, EventNumber, IssuanceMetadata, MetadataId, User, UserId,
};
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
}

pub type DeviceView = Device;
pub type MetadataView = IssuanceMetadata;

impl Registry {
    /// A user: oneself and, for those who may read everything, anyone; the name only of who shares an account.
    pub fn user(&self, caller: &Caller, id: UserId, fresh: Option<EventNumber>) -> Result<UserView, Error> {
        let found = self.read(fresh, |connection| {
            let Some(user) = store::user::by_id(connection, id)? else { return Ok(None) };
            let members = store::user::memberships(connection, &[id.0, caller.user_id.0])?;
            let of = |user: UserId| members.iter().filter(move |(member, _)| *member == user).map(|(_, a)| *a);
            let accounts: Vec<_> = of(id).collect();
            if id == caller.user_id || caller.may(Capability::ReadEverything) {
                return Ok(Some(UserView::Whole { user, accounts }));
            }
            let shares = of(caller.user_id).any(|account| accounts.contains(&account));
            Ok((shares && !user.is_deleted).then_some(UserView::Name { id, name: user.name }))
        })?;
        found.ok_or(Error::NotFound { what: "User", id: id.0 })
    }

    /// The accounts that the caller belongs to.
    pub fn own_accounts(&self, caller: &Caller, fresh: Option<EventNumber>) -> Result<Vec<AccountView>, Error> {
        self.read(fresh, |connection| {
            let members = store::user::memberships(connection, &[caller.user_id.0])?;
            let ids: Vec<i64> = members.iter().map(|(_, account)| account.0).collect();
            let accounts = store::account::by_ids(connection, &ids)?;
            accounts.into_iter().map(|account| view_of(connection, account)).collect()
        })
    }

    /// An account that the caller belongs to, or any for those who may read everything.
    pub fn account(&self, caller: &Caller, id: AccountId, fresh: Option<EventNumber>) -> Result<AccountView, Error> {
        let found = self.read(fresh, |connection| {
            let Some(account) = store::account::by_id(connection, id)? else { return Ok(None) };
            let is_readable = may_read(connection, caller, id)?;
            if is_readable { view_of(connection, account).map(Some) } else { Ok(None) }
        })?;
        found.ok_or(Error::NotFound { what: "Account", id: id.0 })
    }

    /// A device of the caller's accounts, or any for those who may read everything.
    pub fn device(&self, caller: &Caller, id: DeviceId, fresh: Option<EventNumber>) -> Result<DeviceView, Error> {
        let found = self.read(fresh, |connection| {
            let Some(device) = store::device::by_id(connection, id)? else { return Ok(None) };
            let registers = caller.may(Capability::ManageDevices);
            let is_readable = registers || may_read(connection, caller, device.account_id)?;
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

fn view_of(connection: &mut Connection, account: Account) -> store::Result<AccountView> {
    Ok(AccountView {
        user_ids: store::account::users(connection, account.id)?,
        whitelist: store::account::whitelist(connection, account.id)?,
        account,
    })
}

/// Whether the caller may read what belongs to an account.
pub(crate) fn may_read(connection: &mut Connection, caller: &Caller, account: AccountId) -> store::Result<bool> {
    if caller.may(Capability::ReadEverything) {
        return Ok(true);
    }
    let members = store::user::memberships(connection, &[caller.user_id.0])?;
    Ok(members.contains(&(caller.user_id, account)))
}
