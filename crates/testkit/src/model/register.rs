//! Users, accounts and devices come, change and go.

use super::{Decided, Decision, Model, ModelDevice, Person, Verdict};
use domain::action::{
    AccountUpdate, DeviceUpdate, Edit, KindUpdate, NewAccount, NewDevice, NewUser, RoleChange, UserUpdate,
};
use domain::{AccountId, Actor, BundleStatus, DeviceDescription, DeviceId, DeviceKind, Reading, Role, UserId};
use jiff::Timestamp;

const ADMINISTRATOR: &[Role] = &[Role::RegistryAdministrator];
const REGISTRARS: &[Role] = &[Role::RegistryAdministrator, Role::ProductionRegistrar];

fn done(has_changed: bool) -> Decided {
    Decided { told: Verdict::Done, has_changed }
}

impl Model {
    pub(super) fn create_user(&mut self, actor: Actor, new: &NewUser) -> Decision {
        self.only(actor, ADMINISTRATOR)?;
        self.know_accounts(&new.account_ids)?;
        self.free_contact(&new.primary_contact)?;
        let person = Person {
            name: new.name.clone(),
            contact: new.primary_contact.clone(),
            roles: new.roles.iter().collect(),
            accounts: new.account_ids.iter().copied().collect(),
        };
        let last = self.users.keys().chain(self.gone_users.keys()).max().copied().unwrap_or(UserId(0));
        self.users.insert(last.next(), person);
        Ok(done(true))
    }

    pub(super) fn update_user(&mut self, actor: Actor, update: &UserUpdate) -> Decision {
        let is_own = actor == Actor::User(update.user_id);
        if !is_own || update.account_ids.is_some() || update.password_hash.is_some() {
            self.only(actor, ADMINISTRATOR)?;
        }
        let before = self.users.get(&update.user_id).ok_or("user_missing")?.clone();
        self.know_accounts(update.account_ids.as_deref().unwrap_or_default())?;
        let mut after = before.clone();
        after.name = update.name.clone().unwrap_or(after.name);
        after.contact = update.primary_contact.clone().unwrap_or(after.contact);
        if after.contact != before.contact {
            self.free_contact(&after.contact)?;
        }
        if let Some(wanted) = &update.account_ids {
            after.accounts.retain(|account| !self.accounts.contains_key(account));
            after.accounts.extend(wanted);
        }
        let has_changed = after != before || update.password_hash.is_some();
        self.users.insert(update.user_id, after);
        Ok(done(has_changed))
    }

    pub(super) fn change_role(&mut self, actor: Actor, change: &RoleChange) -> Decision {
        self.only(actor, ADMINISTRATOR)?;
        let before = self.users.get(&change.user_id).ok_or("user_missing")?.roles.clone();
        let after: Vec<Role> = change.roles.iter().collect();
        if !after.contains(&Role::RegistryAdministrator) {
            self.keep_administrator(change.user_id)?;
        }
        let has_changed = domain::Roles::of(&before) != change.roles;
        self.users.get_mut(&change.user_id).expect("it was found").roles = after;
        Ok(done(has_changed))
    }

    pub(super) fn delete_user(&mut self, actor: Actor, id: UserId) -> Decision {
        self.only(actor, ADMINISTRATOR)?;
        if self.gone_users.contains_key(&id) {
            return Ok(done(false));
        }
        if !self.users.contains_key(&id) {
            return Err("user_missing");
        }
        self.keep_administrator(id)?;
        let person = self.users.remove(&id).expect("it was found");
        self.gone_users.insert(id, person);
        Ok(done(true))
    }

    pub(super) fn create_account(&mut self, actor: Actor, new: &NewAccount) -> Decision {
        self.only(actor, ADMINISTRATOR)?;
        self.know_users(&new.user_ids)?;
        if new.whitelist.iter().any(|sender| !self.accounts.contains_key(sender)) {
            return Err("whitelist_account_missing");
        }
        self.free_name(&new.name)?;
        let last = self.accounts.keys().chain(&self.gone_accounts).max().copied().unwrap_or(AccountId(0));
        let id = last.next();
        self.accounts.insert(id, new.name.clone());
        for user in &new.user_ids {
            self.users.get_mut(user).expect("it is known").accounts.insert(id);
        }
        self.whitelist.extend(new.whitelist.iter().map(|sender| (id, *sender)));
        Ok(done(true))
    }

    pub(super) fn update_account(&mut self, actor: Actor, update: &AccountUpdate) -> Decision {
        self.only(actor, ADMINISTRATOR)?;
        let (id, users) = (update.account_id, self.users.clone());
        let before = self.accounts.get(&id).ok_or("account_missing")?.clone();
        self.know_users(update.user_ids.as_deref().unwrap_or_default())?;
        let after = update.name.clone().unwrap_or(before.clone());
        if after != before {
            self.free_name(&after)?;
        }
        self.accounts.insert(id, after.clone());
        if let Some(wanted) = &update.user_ids {
            for (user, person) in &mut self.users {
                if wanted.contains(user) {
                    person.accounts.insert(id)
                } else {
                    person.accounts.remove(&id)
                };
            }
        }
        Ok(done(after != before || users != self.users))
    }

    pub(super) fn delete_account(&mut self, now: Timestamp, actor: Actor, id: AccountId) -> Decision {
        self.only(actor, ADMINISTRATOR)?;
        if self.gone_accounts.contains(&id) {
            return Ok(done(false));
        }
        if !self.accounts.contains_key(&id) {
            return Err("account_missing");
        }
        let held = self.devices.values().flat_map(|device| &device.certificates).filter(|c| c.holder == id);
        for certificate in held {
            let is_over = self.birth(certificate.bundle).expires_at <= now;
            let in_use = match certificate.state {
                BundleStatus::Reserved => true,
                BundleStatus::Active | BundleStatus::Locked => !is_over,
                _ => false,
            };
            if in_use {
                return Err("account_holds_bundles");
            }
        }
        if self.devices.values().any(|device| device.account == id && !device.is_deleted) {
            return Err("account_has_devices");
        }
        self.accounts.remove(&id);
        self.gone_accounts.insert(id);
        Ok(done(true))
    }

    pub(super) fn create_device(&mut self, actor: Actor, new: &NewDevice) -> Decision {
        let is_approved = self.has_role(actor, REGISTRARS);
        let is_producer = self.has_role(actor, &[Role::ProductionUser]) && self.is_member(actor, new.account_id);
        if !is_approved && !is_producer {
            return Err("forbidden");
        }
        if !self.accounts.contains_key(&new.account_id) {
            return Err("account_missing");
        }
        self.free_meter(new.description.meter_data_id.as_deref())?;
        let last = self.devices.keys().max().copied().unwrap_or(DeviceId(0));
        self.devices.insert(last.next(), ModelDevice::new(new.account_id, new.description.clone(), is_approved));
        Ok(done(true))
    }

    pub(super) fn update_device(&mut self, actor: Actor, update: &DeviceUpdate) -> Decision {
        let is_registrar = self.has_role(actor, REGISTRARS);
        if !is_registrar && !self.has_role(actor, &[Role::ProductionUser]) {
            return Err("forbidden");
        }
        let device = self.live_device(update.device_id).ok_or("device_missing")?;
        if !is_registrar && !self.is_member(actor, device.account) {
            return Err("device_missing");
        }
        if update.account_id.is_some_and(|account| account != device.account) {
            return Err("device_stays");
        }
        let (before, after) = (device.description.clone(), changed(update, &device.description));
        if device.gross_net.is_some() {
            let other_meter = before.meter_data_id.is_some() && before.meter_data_id != after.meter_data_id;
            if before.kind != after.kind || other_meter {
                return Err("device_measured");
            }
        }
        if before.meter_data_id != after.meter_data_id {
            self.free_meter(after.meter_data_id.as_deref())?;
        }
        let has_changed = before != after;
        let only_name = DeviceDescription { name: after.name.clone(), ..before } == after;
        let device = self.devices.get_mut(&update.device_id).expect("it was found");
        if has_changed {
            device.version += 1;
            device.is_approved &= is_registrar || only_name;
        }
        device.description = after;
        Ok(done(has_changed))
    }

    pub(super) fn delete_device(&mut self, now: Timestamp, actor: Actor, id: DeviceId) -> Decision {
        self.only(actor, REGISTRARS)?;
        let device = self.devices.get(&id).ok_or("device_missing")?;
        if device.is_deleted {
            return Ok(done(false));
        }
        let mut approved = self.clone();
        approved.devices.get_mut(&id).expect("it was found").is_approved = true;
        let pending = |(_, reading): (usize, &Reading)| {
            reading.device_id == id && approved.issuable(now, reading).is_ok_and(|energy| energy > 0)
        };
        if self.current().any(pending) {
            return Err("device_has_pending_readings");
        }
        if self.has_unissued(id) {
            return Err("device_has_unissued");
        }
        self.devices.get_mut(&id).expect("it was found").is_deleted = true;
        Ok(done(true))
    }

    pub(super) fn live_device(&self, id: DeviceId) -> Option<&ModelDevice> {
        self.devices.get(&id).filter(|device| !device.is_deleted)
    }

    fn only(&self, actor: Actor, roles: &[Role]) -> Result<(), &'static str> {
        if self.has_role(actor, roles) { Ok(()) } else { Err("forbidden") }
    }

    fn keep_administrator(&self, id: UserId) -> Result<(), &'static str> {
        let administers = |person: &Person| person.roles.contains(&Role::RegistryAdministrator);
        let all: Vec<UserId> = self.users.iter().filter(|(_, p)| administers(p)).map(|(id, _)| *id).collect();
        if all == [id] { Err("last_administrator") } else { Ok(()) }
    }

    fn know_accounts(&self, ids: &[AccountId]) -> Result<(), &'static str> {
        if ids.iter().all(|id| self.accounts.contains_key(id)) { Ok(()) } else { Err("account_missing") }
    }

    fn know_users(&self, ids: &[UserId]) -> Result<(), &'static str> {
        if ids.iter().all(|id| self.users.contains_key(id)) { Ok(()) } else { Err("user_missing") }
    }

    fn free_contact(&self, contact: &str) -> Result<(), &'static str> {
        if self.users.values().any(|person| person.contact == contact) { Err("taken") } else { Ok(()) }
    }

    fn free_name(&self, name: &str) -> Result<(), &'static str> {
        if self.accounts.values().any(|known| known == name) { Err("taken") } else { Ok(()) }
    }

    /// Also of a deleted device.
    fn free_meter(&self, meter: Option<&str>) -> Result<(), &'static str> {
        let Some(meter) = meter else { return Ok(()) };
        let is_taken = |device: &ModelDevice| device.description.meter_data_id.as_deref() == Some(meter);
        if self.devices.values().any(is_taken) { Err("taken") } else { Ok(()) }
    }
}

fn changed(update: &DeviceUpdate, before: &DeviceDescription) -> DeviceDescription {
    let mut after = before.clone();
    after.name = update.name.clone().unwrap_or(after.name);
    after.grid = update.grid.clone().unwrap_or(after.grid);
    after.energy_source = update.energy_source.unwrap_or(after.energy_source);
    after.technology_type = update.technology_type.clone().unwrap_or(after.technology_type);
    after.operational_date = update.operational_date.unwrap_or(after.operational_date);
    after.capacity_watts = update.capacity_watts.unwrap_or(after.capacity_watts);
    after.peak_demand_watts = update.peak_demand_watts.unwrap_or(after.peak_demand_watts);
    after.location = update.location.clone().unwrap_or(after.location);
    match &update.meter_data_id {
        Edit::Keep => {}
        Edit::Clear => after.meter_data_id = None,
        Edit::Set(meter) => after.meter_data_id = Some(meter.clone()),
    }
    match update.kind {
        Some(KindUpdate::To(kind)) => after.kind = kind,
        Some(KindUpdate::NoStorage) if before.kind == DeviceKind::Storage => after.kind = DeviceKind::Production,
        None | Some(KindUpdate::NoStorage) => {}
    }
    after
}
