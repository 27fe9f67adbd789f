//! Who comes, changes and goes, at random. Those who came last go most, so that the market does not empty.

use super::{Dice, UNKNOWN};
use crate::model::Model;
use crate::registry::device_description;
use domain::action::{
    AccountUpdate, DeviceUpdate, Edit, KindUpdate, NewAccount, NewDevice, NewUser, RoleChange, UserUpdate,
};
use domain::{AccountId, Actor, Command, DeviceDescription, DeviceId, DeviceKind, EnergySource, Role, Roles, UserId};

/// Names, contacts and meters to choose from: few enough to be taken now and then.
const NAMES: i64 = 40;

impl Dice {
    pub(super) fn registration(&mut self, model: &Model) -> (Actor, Command) {
        let administrator = self.administrator(model);
        match self.below(14) {
            0 => (administrator, Command::CreateUser(self.new_user(model))),
            1 | 2 => self.user_update(model),
            3 => {
                let change = RoleChange { user_id: self.user(model), roles: self.roles() };
                (administrator, Command::ChangeRole(change))
            }
            4 => (administrator, Command::DeleteUser(self.user(model))),
            5 => (administrator, Command::CreateAccount(self.new_account(model))),
            6 => (administrator, Command::UpdateAccount(self.account_update(model))),
            7 | 8 => (administrator, Command::DeleteAccount(self.leaving_account(model))),
            9 => (self.anybody(model), Command::CreateDevice(self.new_device(model))),
            10 | 11 => (self.anybody(model), Command::UpdateDevice(self.device_update(model))),
            _ => (administrator, Command::DeleteDevice(self.leaving_device(model))),
        }
    }

    fn name(&mut self, of: &str) -> String {
        format!("{of} {}", self.below(NAMES))
    }

    fn some<T>(&mut self, most: i64, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most)).map(|_| one(self)).collect()
    }

    fn roles(&mut self) -> Roles {
        let all = [Role::TradingUser, Role::TradingUser, Role::ProductionUser, Role::MeasurementBody, Role::GcIssuer];
        let mut roles = vec![*self.pick(&all).expect("there are roles")];
        if self.percent(20) {
            roles.push(Role::RegistryAdministrator);
        }
        Roles::of(&roles)
    }

    fn new_user(&mut self, model: &Model) -> NewUser {
        NewUser {
            name: self.name("user"),
            primary_contact: self.name("contact"),
            roles: self.roles(),
            organisation: None,
            account_ids: self.some(4, |dice| dice.account(model)),
            password_hash: None,
        }
    }

    /// One of those who came last, or any, or one who went, or nobody.
    fn user(&mut self, model: &Model) -> UserId {
        let (here, gone): (Vec<_>, Vec<_>) =
            (model.users.keys().copied().collect(), model.gone_users.keys().copied().collect());
        let of = match self.below(10) {
            0 => self.pick(&gone),
            1 | 2 => self.pick(&here),
            3..=8 => here.last(),
            _ => None,
        };
        of.copied().unwrap_or(UserId(UNKNOWN))
    }

    fn user_update(&mut self, model: &Model) -> (Actor, Command) {
        let user_id = self.user(model);
        let mut update = UserUpdate::of(user_id);
        update.name = self.percent(50).then(|| self.name("user"));
        update.primary_contact = self.percent(30).then(|| self.name("contact"));
        let actor = if self.percent(40) { Actor::User(user_id) } else { self.administrator(model) };
        if self.percent(40) {
            update.account_ids = Some(self.some(4, |dice| dice.account(model)));
        }
        update.password_hash = self.percent(20).then(|| "hashed".to_owned());
        (actor, Command::UpdateUser(update))
    }

    fn new_account(&mut self, model: &Model) -> NewAccount {
        NewAccount {
            name: self.name("account"),
            organisation_id: None,
            user_ids: self.some(4, |dice| dice.user(model)),
            whitelist: self.some(4, |dice| dice.account(model)),
        }
    }

    fn account_update(&mut self, model: &Model) -> AccountUpdate {
        let everybody: Vec<UserId> = model.users.keys().copied().collect();
        let mut users: Vec<UserId> = everybody.into_iter().filter(|_| self.percent(40)).collect();
        if self.percent(10) {
            users.push(self.user(model));
        }
        AccountUpdate {
            account_id: self.account(model),
            name: self.percent(50).then(|| self.name("account")),
            organisation_id: Edit::Keep,
            user_ids: self.percent(60).then_some(users),
        }
    }

    fn leaving_account(&mut self, model: &Model) -> AccountId {
        let gone: Vec<AccountId> = model.gone_accounts.iter().copied().collect();
        match self.below(10) {
            0 => self.pick(&gone).copied().unwrap_or(AccountId(UNKNOWN)),
            1..=3 => self.account(model),
            _ => model.accounts.keys().next_back().copied().unwrap_or(AccountId(UNKNOWN)),
        }
    }

    fn new_device(&mut self, model: &Model) -> NewDevice {
        let description = DeviceDescription {
            capacity_watts: 200,
            meter_data_id: self.percent(70).then(|| self.name("meter")),
            ..device_description("another")
        };
        NewDevice { account_id: self.account(model), description }
    }

    fn device_update(&mut self, model: &Model) -> DeviceUpdate {
        let device_id = self.device(model);
        let mut update = DeviceUpdate::of(device_id);
        update.name = self.percent(40).then(|| self.name("device"));
        update.location = self.percent(20).then(|| self.name("place"));
        update.energy_source = self.percent(20).then_some(EnergySource::SolarPv);
        update.capacity_watts = self.percent(30).then(|| 100 + self.below(900).unsigned_abs());
        if self.percent(15) {
            update.meter_data_id = if self.percent(30) { Edit::Clear } else { Edit::Set(self.name("meter")) };
        }
        if self.percent(15) {
            let to = if self.percent(50) { DeviceKind::Production } else { DeviceKind::Consumption };
            update.kind = Some(if self.percent(50) { KindUpdate::NoStorage } else { KindUpdate::To(to) });
        }
        update.account_id = self.percent(10).then(|| self.account(model));
        update
    }

    fn leaving_device(&mut self, model: &Model) -> DeviceId {
        match self.below(10) {
            0..=2 => self.device(model),
            _ => model.devices.keys().next_back().copied().unwrap_or(DeviceId(UNKNOWN)),
        }
    }
}
