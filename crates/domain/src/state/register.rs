//! What changes of users, organisations, accounts and devices make of the state.

use super::{ACCOUNT_NAME, Change, METER_DATA_ID, ORGANISATION_NAME, PRIMARY_CONTACT, State};
use crate::{Account, AccountId, Device, User, UserId};

impl State {
    pub(super) fn register_party(&mut self, change: &Change) {
        match change {
            Change::UserCreated { user, accounts, .. } => self.create_user(user, accounts),
            Change::UserChanged { before, after, .. } => {
                self.rename(PRIMARY_CONTACT, Some(&before.primary_contact), Some(&after.primary_contact));
                self.users.insert(after.id, User::clone(after));
            }
            Change::UserDeleted(id) => self.delete_user(*id),
            Change::MembershipsChanged { user, joined, left } => {
                for account in left {
                    self.memberships.remove(&(*user, *account));
                }
                self.memberships.extend(joined.iter().map(|account| (*user, *account)));
            }
            Change::OrganisationCreated(organisation) => {
                assert_eq!(organisation.id, self.next.organisation, "organisation ids are serial");
                self.next.organisation = organisation.id.next();
                self.rename(ORGANISATION_NAME, None, Some(&organisation.description.name));
                self.organisations.insert(organisation.id, organisation.clone());
            }
            Change::OrganisationChanged { id, before, after } => {
                self.rename(ORGANISATION_NAME, Some(&before.name), Some(&after.name));
                let organisation = self.organisations.get_mut(id).expect("a changed organisation was loaded");
                organisation.description.clone_from(after);
            }
            Change::OrganisationDeleted(id) => {
                let organisation = self.organisations.get_mut(id).expect("a deleted organisation was loaded");
                organisation.is_deleted = true;
                let name = organisation.description.name.clone();
                self.rename(ORGANISATION_NAME, Some(&name), None);
            }
            other => self.register_account(other),
        }
    }

    fn register_account(&mut self, change: &Change) {
        match change {
            Change::AccountCreated { account, whitelist } => self.create_account(account, whitelist),
            Change::AccountChanged { before, after } => {
                self.rename(ACCOUNT_NAME, Some(&before.name), Some(&after.name));
                self.accounts.insert(after.id, Account::clone(after));
            }
            Change::AccountDeleted(id) => {
                let account = self.accounts.get_mut(id).expect("a deleted account was loaded");
                account.is_deleted = true;
                let name = account.name.clone();
                self.rename(ACCOUNT_NAME, Some(&name), None);
                self.memberships.retain(|(_, account)| account != id);
            }
            Change::WhitelistChanged { account, added, removed } => {
                for sender in removed {
                    self.whitelist.remove(&(*account, *sender));
                }
                self.whitelist.extend(added.iter().map(|sender| (*account, *sender)));
                let size = self.whitelist_sizes.entry(*account).or_default();
                *size = (*size + added.len()).saturating_sub(removed.len());
            }
            Change::DeviceCreated(device) => {
                assert_eq!(device.id, self.next.device, "device ids are serial");
                self.next.device = device.id.next();
                self.rename(METER_DATA_ID, None, device.description.meter_data_id.as_deref());
                self.devices.insert(device.id, device.clone());
            }
            Change::DeviceChanged { before, after } => {
                let (was, is) = (&before.description.meter_data_id, &after.description.meter_data_id);
                self.rename(METER_DATA_ID, was.as_deref(), is.as_deref());
                self.devices.insert(after.id, Device::clone(after));
            }
            Change::DeviceDeleted(id) => {
                // Its meter stays taken.
                self.devices.get_mut(id).expect("a deleted device was loaded").is_deleted = true;
            }
            Change::UserCreated { .. }
            | Change::UserChanged { .. }
            | Change::UserDeleted(_)
            | Change::MembershipsChanged { .. }
            | Change::OrganisationCreated(_)
            | Change::OrganisationChanged { .. }
            | Change::OrganisationDeleted(_)
            | Change::MetadataCreated(_)
            | Change::AttributesCreated(_)
            | Change::DeviceApproved(_)
            | Change::ReadingsAccepted { .. }
            | Change::ReadingSuperseded { .. }
            | Change::ReadingDeleted(_)
            | Change::HoldReleased { .. }
            | Change::BundleCreated(_)
            | Change::BundleChanged { .. }
            | Change::OrderPlaced(_)
            | Change::OrderEnded { .. }
            | Change::OrderChanged { .. }
            | Change::OrderRan { .. }
            | Change::ScrCreated(_)
            | Change::ScrWithdrawn(_)
            | Change::SdrCreated(_)
            | Change::SdrWithdrawn(_)
            | Change::Drawn(_)
            | Change::Adopted(_) => unreachable!("applied by its own function"),
        }
    }

    fn create_user(&mut self, user: &User, accounts: &[AccountId]) {
        assert_eq!(user.id, self.next.user, "user ids are serial");
        self.next.user = user.id.next();
        self.memberships.extend(accounts.iter().map(|account| (user.id, *account)));
        self.rename(PRIMARY_CONTACT, None, Some(&user.primary_contact));
        self.users.insert(user.id, user.clone());
    }

    fn delete_user(&mut self, id: UserId) {
        let user = self.users.get_mut(&id).expect("a deleted user was loaded");
        user.is_deleted = true;
        let contact = user.primary_contact.clone();
        self.rename(PRIMARY_CONTACT, Some(&contact), None);
        self.memberships.retain(|(user, _)| *user != id);
    }

    fn create_account(&mut self, account: &Account, whitelist: &[AccountId]) {
        assert_eq!(account.id, self.next.account, "account ids are serial");
        self.next.account = account.id.next();
        self.whitelist.extend(whitelist.iter().map(|sender| (account.id, *sender)));
        self.whitelist_sizes.insert(account.id, whitelist.len());
        self.rename(ACCOUNT_NAME, None, Some(&account.name));
        self.accounts.insert(account.id, account.clone());
    }

    /// A unique value is in use no more, and another one is.
    fn rename(&mut self, field: &'static str, old: Option<&str>, new: Option<&str>) {
        if let Some(old) = old {
            self.taken.remove(&(field, old.to_owned()));
        }
        if let Some(new) = new {
            self.taken.insert((field, new.to_owned()));
        }
    }
}
