//! Accounts: listed, and what belongs to one of them.
//!
//! Everything here is for who may read the account: those who belong to it, and those who may read everything. Nobody
//! belongs to a deleted account.

use crate::certificate::BundleView;
use crate::register::{AccountView, DeviceView, UserView, may_read, user_views};
use crate::{Caller, Error, Page, Paging, Registry};
use domain::{
    Account, AccountId, BundleId, BundleStatus, Capability, CertificateAttributes, DeviceId, EventNumber, Refusal,
    WattHours,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::Connection;

/// An account in figures. Watts and watt-hours, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountSummary {
    /// Devices that are not deleted, approved or not.
    pub devices: u64,
    /// The same by type of technology: how many, and what they can deliver together in W.
    pub devices_by_type: BTreeMap<String, (u64, u64)>,
    /// Bundles that count: in every state but Withdrawn and Bundle Split.
    pub bundles: u64,
    /// Of these the ones that are Cancelled or Claimed.
    pub cancelled_bundles: u64,
    /// What the bundles that count hold together.
    pub energy: WattHours,
    /// The same by what it was made from, as the certificates state it.
    pub energy_by_source: BTreeMap<&'static str, WattHours>,
}

/// An account that lets another one send to it.
#[derive(Clone, Debug)]
pub struct Receiver {
    pub account: Account,
    /// What the organisation behind it is called.
    pub organisation: Option<String>,
}

impl Registry {
    /// The caller's accounts, or all for those who may read everything, who also see deleted ones where they want to; in the
    /// order of their ids. Blocks.
    pub fn accounts(
        &self,
        caller: &Caller,
        with_deleted: bool,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<AccountView, i64>, Error> {
        let member = (!caller.may(Capability::ReadEverything)).then_some(caller.user_id);
        let views = self.read(fresh, |connection| {
            let accounts = store::account::list(connection, member, with_deleted, paging.after, paging.rows())?;
            views_of(connection, accounts)
        })?;
        Ok(paging.page(views, |view| view.account.id.0))
    }

    /// What those of these accounts are called that the caller may read. Blocks.
    pub fn account_names(
        &self,
        caller: &Caller,
        ids: &[AccountId],
        fresh: Option<EventNumber>,
    ) -> Result<BTreeMap<AccountId, String>, Error> {
        self.read(fresh, |connection| {
            let own = store::user::memberships(connection, &[caller.user_id.0])?;
            let is_readable =
                |id: &AccountId| caller.may(Capability::ReadEverything) || own.contains(&(caller.user_id, *id));
            let ids: Vec<i64> = ids.iter().filter(|id| is_readable(id)).map(|id| id.0).collect();
            let accounts = store::account::by_ids(connection, &ids)?;
            Ok(accounts.into_iter().map(|account| (account.id, account.name)).collect())
        })
    }

    /// The users of an account, in the order of their ids. Blocks.
    pub fn account_users(
        &self,
        caller: &Caller,
        id: AccountId,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<UserView, i64>, Error> {
        let views = self.of_account(caller, id, fresh, |connection| {
            let users = store::user::of_account(connection, id, paging.after, paging.rows())?;
            user_views(connection, caller, users)
        })?;
        Ok(paging.page(views, |view| view.id().0))
    }

    /// The devices of an account that are not deleted, in the order of their ids; also for those who may read
    /// every device. Blocks.
    pub fn account_devices(
        &self,
        caller: &Caller,
        id: AccountId,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<DeviceView, i64>, Error> {
        let rows = self.read(fresh, |connection| {
            let is_known = store::account::by_id(connection, id)?.is_some();
            if !is_known || !(caller.may(Capability::ReadDevices) || may_read(connection, caller, id)?) {
                return Ok(None);
            }
            let filter = store::device::Filter { account: Some(id), ..store::device::Filter::default() };
            store::device::list(connection, &filter, paging.after, paging.rows()).map(Some)
        })?;
        Ok(paging.page(rows.ok_or(missing(id))?, |device| device.id.0))
    }

    /// The accounts that may send to this one, or, if it is `inverse`, to which this one may send; in the order of their
    /// ids. Blocks.
    pub fn account_whitelist(
        &self,
        caller: &Caller,
        id: AccountId,
        inverse: bool,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<Account, i64>, Error> {
        let list = if inverse { store::account::receivers } else { store::account::senders };
        let rows =
            self.of_account(caller, id, fresh, |connection| list(connection, id, paging.after, paging.rows()))?;
        Ok(paging.page(rows, |account| account.id.0))
    }

    /// The accounts to which this one may send, with the organisations behind them: they let it send, so whose they are is
    /// its business. In the order of their ids. Blocks.
    pub fn receivers(
        &self,
        caller: &Caller,
        id: AccountId,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<Receiver, i64>, Error> {
        let rows = self.of_account(caller, id, fresh, |connection| {
            let accounts = store::account::receivers(connection, id, paging.after, paging.rows())?;
            let ids: BTreeSet<i64> = accounts.iter().filter_map(|account| Some(account.organisation_id?.0)).collect();
            let organisations = store::organisation::by_ids(connection, &ids.into_iter().collect::<Vec<_>>())?;
            let names: BTreeMap<_, _> = organisations.into_iter().map(|of| (of.id, of.description.name)).collect();
            let of = |account: Account| Receiver {
                organisation: account.organisation_id.and_then(|id| names.get(&id).cloned()),
                account,
            };
            Ok(accounts.into_iter().map(of).collect())
        })?;
        Ok(paging.page(rows, |receiver: &Receiver| receiver.account.id.0))
    }

    /// The account of exactly this name, for who may put it on the whitelist of `receiver`: the whitelist would tell them the
    /// name of any account. `None` if there is none.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a receiver that the caller may not read, [`Refusal::Forbidden`] for who may not change its
    /// whitelist.
    pub fn account_to_whitelist(
        &self,
        caller: &Caller,
        receiver: AccountId,
        name: &str,
        fresh: Option<EventNumber>,
    ) -> Result<Option<AccountId>, Error> {
        let capability = Capability::UpdateWhitelist(receiver);
        let found = self.of_account(caller, receiver, fresh, |connection| {
            let members = store::user::memberships(connection, &[caller.user_id.0])?;
            if !capability.granted(caller.roles, members.contains(&(caller.user_id, receiver))) {
                return Ok(None);
            }
            Ok(Some(store::account::by_name(connection, name)?.map(|account| account.id)))
        })?;
        let needs = "the role Registry Administrator, or Trading or Production User of the account";
        found.ok_or_else(|| Refusal::Forbidden { needs: needs.to_owned() }.into())
    }

    /// The bundles of an account in the order of (production start, id), without split parents. Blocks.
    pub fn account_certificates(
        &self,
        caller: &Caller,
        id: AccountId,
        paging: Paging<(Timestamp, i64)>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<BundleView, (Timestamp, i64)>, Error> {
        let now = self.now();
        let filter = store::bundle::BundleFilter { account: Some(id), ..Default::default() };
        let after = paging.after.map(|(start, bundle)| (start, BundleId(bundle)));
        let views = self.of_account(caller, id, fresh, |connection| {
            let bundles = store::bundle::find(connection, &filter, now, after, paging.rows())?;
            self.bundle_views(connection, bundles, now)
        })?;
        Ok(paging.page(views, |view| (view.bundle.production.start(), view.bundle.id.0)))
    }

    /// The devices that the bundles of an account stem from, in the order of their ids, each as the newest of these bundles
    /// state it: the devices themselves may be another account's business. Blocks.
    pub fn account_certificate_devices(
        &self,
        caller: &Caller,
        id: AccountId,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<(DeviceId, Arc<CertificateAttributes>), i64>, Error> {
        let rows = self.of_account(caller, id, fresh, |connection| {
            let found = store::holding::devices_of(connection, id, paging.after, paging.rows())?;
            let known = self.0.attributes.by_ids(connection, found.iter().map(|(_, attributes)| *attributes))?;
            let with = |(device, attributes)| Some((device, known.get(&attributes)?.clone()));
            Ok(found.into_iter().filter_map(with).collect::<Vec<_>>())
        })?;
        Ok(paging.page(rows, |(device, _)| device.0))
    }

    /// An account in figures. Blocks.
    pub fn account_summary(
        &self,
        caller: &Caller,
        id: AccountId,
        fresh: Option<EventNumber>,
    ) -> Result<AccountSummary, Error> {
        self.of_account(caller, id, fresh, |connection| {
            let mut summary = AccountSummary::default();
            let filter = store::device::Filter { account: Some(id), ..Default::default() };
            for of in store::device::sums_by_type(connection, &filter)? {
                summary.devices += of.devices;
                summary.devices_by_type.insert(of.technology_type, (of.devices, of.capacity_watts));
            }
            let sums = store::holding::sums(connection, id)?;
            let known = self.0.attributes.by_ids(connection, sums.iter().map(|sum| sum.attributes_id))?;
            for sum in sums.into_iter().filter(|sum| sum.status.is_live()) {
                summary.bundles += sum.bundles;
                if matches!(sum.status, BundleStatus::Cancelled | BundleStatus::Claimed) {
                    summary.cancelled_bundles += sum.bundles;
                }
                summary.energy = [summary.energy, sum.energy].into_iter().sum();
                if let Some(attributes) = known.get(&sum.attributes_id) {
                    let of = summary.energy_by_source.entry(attributes.device.energy_source.name()).or_default();
                    *of = [*of, sum.energy].into_iter().sum();
                }
            }
            Ok(summary)
        })
    }

    /// Reads something of an account, if the caller may.
    pub(crate) fn of_account<T>(
        &self,
        caller: &Caller,
        id: AccountId,
        fresh: Option<EventNumber>,
        mut work: impl FnMut(&mut Connection) -> store::Result<T>,
    ) -> Result<T, Error> {
        let found = self.read(fresh, |connection| {
            let is_known = store::account::by_id(connection, id)?.is_some();
            if is_known && may_read(connection, caller, id)? { work(connection).map(Some) } else { Ok(None) }
        })?;
        found.ok_or(missing(id))
    }
}

fn missing(id: AccountId) -> Error {
    Error::NotFound { what: "Account", id: id.0 }
}

/// The accounts with their users and whitelists, in three reads for all of them.
pub(crate) fn views_of(connection: &mut Connection, accounts: Vec<Account>) -> store::Result<Vec<AccountView>> {
    let ids: Vec<i64> = accounts.iter().map(|account| account.id.0).collect();
    let mut views: BTreeMap<AccountId, AccountView> = accounts
        .into_iter()
        .map(|account| {
            (account.id, AccountView { account, user_ids: Vec::new(), whitelist: Vec::new(), has_storage: false })
        })
        .collect();
    for (user, account) in store::account::members(connection, &ids)? {
        if let Some(view) = views.get_mut(&account) {
            view.user_ids.push(user);
        }
    }
    for (account, sender) in store::account::whitelists(connection, &ids)? {
        if let Some(view) = views.get_mut(&account) {
            view.whitelist.push(sender);
        }
    }
    for account in store::device::accounts_with_storage(connection, &ids)? {
        if let Some(view) = views.get_mut(&account) {
            view.has_storage = true;
        }
    }
    Ok(views.into_values().collect())
}
