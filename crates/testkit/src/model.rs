//! A naive registry for tests: one entry per watt-hour and no cleverness. It says which commands must be refused and what
//! the tables must hold afterwards.
//!
//! Invariant: it shares no rule with the registry, only the shapes of commands. Roles, states, portions, limits and the
//! order of refusals are written down here once more, as plainly as can be; what two statements of a rule agree on is
//! hardly a slip of either. Ids are serial and follow from the order of the commands. It knows nothing of batches, events
//! or seals: `verify` looks at those.

mod bundles;
mod corrections;
mod dice;
mod expiry;
mod issue;
mod orders;
mod readings;
mod register;
mod storage;
mod sums;
mod tables;
mod verdict;

pub use dice::Dice;
pub use orders::RunRow;
pub use tables::Tables;
pub use verdict::Verdict;

use domain::action::WhitelistUpdate;
use domain::{
    AccountId, Actor, BundleId, BundleStatus, Command, DeviceDescription, DeviceId, GrossNet, Interval, MetadataId,
    Reading, Role, UserId,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// One watt-hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The bundle that it lies in now.
    pub bundle: BundleId,
    pub holder: AccountId,
    /// Whose it was first.
    pub issued_to: AccountId,
    pub state: BundleStatus,
    /// Whether it was withdrawn by the issuer and not released.
    pub is_held: bool,
    pub beneficiary: Option<Beneficiary>,
}

/// Whom and what a certificate was cancelled for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beneficiary {
    pub name: String,
    pub account: Option<AccountId>,
    pub purpose: Option<String>,
}

#[derive(Clone, Debug)]
pub struct ModelDevice {
    account: AccountId,
    description: DeviceDescription,
    version: i64,
    is_approved: bool,
    is_deleted: bool,
    gross_net: Option<GrossNet>,
    /// All that were ever issued: number `n` is at place `n - 1`.
    certificates: Vec<Certificate>,
}

impl ModelDevice {
    /// As it was registered: not measured yet, nothing issued.
    pub fn new(account: AccountId, description: DeviceDescription, is_approved: bool) -> Self {
        Self {
            account,
            description,
            version: 1,
            is_approved,
            is_deleted: false,
            gross_net: None,
            certificates: Vec::new(),
        }
    }
}

/// A bundle as it was born; what changes is said by its certificates.
#[derive(Clone, Debug)]
struct Birth {
    device: DeviceId,
    production: Interval,
    issued_at: Timestamp,
    expires_at: Timestamp,
    parent: Option<BundleId>,
    /// Of one that was issued on a discharge.
    draw: Option<i64>,
    /// The numbers of its certificates and what they were, once they were divided among its children.
    divided: Option<(u64, u64, Certificate)>,
}

#[derive(Clone, Debug)]
struct Version {
    reading: Reading,
    /// Itself, if it was deleted.
    superseded_by: Option<i64>,
    /// Whether the registry added it up.
    is_sum: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Person {
    name: String,
    contact: String,
    roles: Vec<Role>,
    /// Deleted ones among them, which count for nothing.
    accounts: BTreeSet<AccountId>,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    accounts: BTreeMap<AccountId, String>,
    gone_accounts: BTreeSet<AccountId>,
    users: BTreeMap<UserId, Person>,
    gone_users: BTreeMap<UserId, Person>,
    devices: BTreeMap<DeviceId, ModelDevice>,
    metadata: BTreeSet<MetadataId>,
    /// (who receives, who may send)
    whitelist: BTreeSet<(AccountId, AccountId)>,
    /// All versions: id `n` is at place `n - 1`.
    versions: Vec<Version>,
    /// All that were ever made: id `n` is at place `n - 1`.
    births: Vec<Birth>,
    /// Id `n` is at place `n - 1`.
    orders: Vec<orders::ModelOrder>,
    /// In the order in which they ran.
    runs: Vec<RunRow>,
    storage: storage::Records,
    /// When something last changed: the registry's time does not run backwards.
    recorded_at: Timestamp,
    /// Whether readings of less than an hour are issued by the hour.
    sums_to_hour: bool,
}

impl Model {
    /// Of a registry in which the last thing was registered at `recorded_at`.
    pub fn from(recorded_at: Timestamp) -> Self {
        Self { recorded_at, ..Self::default() }
    }

    /// The same, of one that issues readings of less than an hour by the hour.
    #[must_use]
    pub fn summing(self) -> Self {
        Self { sums_to_hour: true, ..self }
    }

    // ── What the test registered before ─────────────────────────────────────

    pub fn account(&mut self, id: AccountId, name: &str) {
        self.accounts.insert(id, name.to_owned());
    }

    pub fn user(&mut self, id: UserId, name: &str, roles: &[Role], accounts: &[AccountId]) {
        let (name, contact) = (name.to_owned(), format!("{name}@example.org"));
        let accounts = accounts.iter().copied().collect();
        self.users.insert(id, Person { name, contact, roles: roles.to_vec(), accounts });
    }

    pub fn device(&mut self, id: DeviceId, device: ModelDevice) {
        self.devices.insert(id, device);
    }

    pub fn metadata(&mut self, id: MetadataId) {
        self.metadata.insert(id);
    }

    // ── Commands ────────────────────────────────────────────────────────────

    /// Carries out `command` at `clock`, or says why it must be refused.
    ///
    /// # Panics
    /// For commands on organisations and metadata, of which the model is told, and for runs of orders, which it does itself.
    pub fn act(&mut self, clock: Timestamp, actor: Actor, command: &Command) -> Verdict {
        let now = clock.max(self.recorded_at);
        let done = match command {
            Command::SubmitReadings(submission) => self.submit(now, actor, &submission.readings),
            Command::UpdateMeasurement(update) => self.correct(now, actor, update),
            Command::DeleteMeasurement(id) => self.delete(actor, *id),
            Command::ReleaseHold { measurement, reason } => self.release(actor, *measurement, reason),
            Command::Issue(chunk) => self.issue(now, actor, chunk),
            Command::CreateBundle(statement) => self.create_bundle(now, actor, statement),
            Command::Bundles(action) => self.move_bundles(now, actor, action),
            Command::PlaceOrder(terms) => self.place_order(now, actor, terms),
            Command::EndOrder(id) => self.end_order(actor, *id),
            Command::PauseOrder(id) => self.pause_order(actor, *id),
            Command::ResumeOrder(id) => self.resume_order(now, actor, *id),
            Command::Expire(bundles) => self.expire(now, actor, bundles),
            Command::UpdateWhitelist(update) => self.update_whitelist(actor, update),
            Command::ApproveDevice(id) => self.approve(actor, *id),
            Command::CreateUser(new) => self.create_user(actor, new),
            Command::UpdateUser(update) => self.update_user(actor, update),
            Command::ChangeRole(change) => self.change_role(actor, change),
            Command::DeleteUser(id) => self.delete_user(actor, *id),
            Command::CreateAccount(new) => self.create_account(actor, new),
            Command::UpdateAccount(update) => self.update_account(actor, update),
            Command::DeleteAccount(id) => self.delete_account(now, actor, *id),
            Command::CreateDevice(new) => self.create_device(actor, new),
            Command::UpdateDevice(update) => self.update_device(actor, update),
            Command::DeleteDevice(id) => self.delete_device(now, actor, *id),
            Command::CreateScr(new) => self.create_scr(actor, new),
            Command::CreateSdr(new) => self.create_sdr(now, actor, new),
            Command::WithdrawScr(id) => self.withdraw_scr(actor, *id),
            Command::WithdrawSdr(id) => self.withdraw_sdr(actor, *id),
            Command::IssueSdgc(id) => self.issue_sdgc(now, actor, *id),
            Command::CreateOrganisation(_)
            | Command::UpdateOrganisation(_)
            | Command::DeleteOrganisation(_)
            | Command::CreateMetadata(_)
            | Command::ImportSeed(_)
            | Command::RunOrder(_) => panic!("the model knows none of these"),
        };
        match done {
            Err(reason) => Verdict::Refused(reason.to_owned()),
            Ok(verdict) => {
                if verdict.has_changed {
                    self.recorded_at = now;
                }
                verdict.told
            }
        }
    }

    fn update_whitelist(&mut self, actor: Actor, update: &WhitelistUpdate) -> Decision {
        let receiver = update.account_id;
        let by_member =
            self.has_role(actor, &[Role::TradingUser, Role::ProductionUser]) && self.is_member(actor, receiver);
        if !by_member && !self.has_role(actor, &[Role::RegistryAdministrator]) {
            return Err("forbidden");
        }
        if !self.accounts.contains_key(&receiver) {
            return Err("account_missing");
        }
        for sender in update.add.iter().collect::<BTreeSet<_>>() {
            if !self.accounts.contains_key(sender) {
                return Err("whitelist_account_missing");
            }
            if *sender == receiver {
                return Err("whitelist_is_self");
            }
        }
        let before = self.whitelist.clone();
        // What is both added and removed: removed if it was there, added if it was not.
        for sender in &update.remove {
            self.whitelist.remove(&(receiver, *sender));
        }
        for sender in &update.add {
            if !before.contains(&(receiver, *sender)) {
                self.whitelist.insert((receiver, *sender));
            }
        }
        Ok(Decided { told: Verdict::Done, has_changed: before != self.whitelist })
    }

    fn approve(&mut self, actor: Actor, id: DeviceId) -> Decision {
        if !self.has_role(actor, &[Role::RegistryAdministrator, Role::ProductionRegistrar]) {
            return Err("forbidden");
        }
        let device = self.devices.get_mut(&id).filter(|device| !device.is_deleted).ok_or("device_missing")?;
        let has_changed = !device.is_approved;
        device.is_approved = true;
        Ok(Decided { told: Verdict::Done, has_changed })
    }

    // ── Who may do what ─────────────────────────────────────────────────────

    fn has_role(&self, actor: Actor, roles: &[Role]) -> bool {
        match actor {
            Actor::Operator => true,
            Actor::User(id) => self.users.get(&id).is_some_and(|p| p.roles.iter().any(|role| roles.contains(role))),
        }
    }

    fn is_member(&self, actor: Actor, account: AccountId) -> bool {
        match actor {
            Actor::Operator => true,
            Actor::User(id) => {
                let is_here = self.accounts.contains_key(&account);
                is_here && self.users.get(&id).is_some_and(|person| person.accounts.contains(&account))
            }
        }
    }

    fn trades(&self, actor: Actor, account: AccountId) -> bool {
        self.has_role(actor, &[Role::TradingUser, Role::ProductionUser]) && self.is_member(actor, account)
    }

    fn issues(&self, actor: Actor) -> bool {
        self.has_role(actor, &[Role::RegistryAdministrator, Role::GcIssuer])
    }

    // ── What there is ───────────────────────────────────────────────────────

    /// The certificates of the interval that begins at `start`, withdrawn or not.
    fn of_interval(&self, device: DeviceId, start: Timestamp) -> impl Iterator<Item = &Certificate> {
        let certificates = self.devices.get(&device).into_iter().flat_map(|device| &device.certificates);
        certificates.filter(move |certificate| self.birth(certificate.bundle).production.start() == start)
    }

    fn birth(&self, id: BundleId) -> &Birth {
        self.find_birth(id).expect("the bundle of a certificate was made")
    }

    fn find_birth(&self, id: BundleId) -> Option<&Birth> {
        usize::try_from(id.0.checked_sub(1)?).ok().and_then(|place| self.births.get(place))
    }

    fn next_bundle(&self) -> BundleId {
        BundleId(i64::try_from(self.births.len()).expect("few bundles") + 1)
    }
}

/// What came of a command that was not refused.
struct Decided {
    told: Verdict,
    has_changed: bool,
}

type Decision = Result<Decided, &'static str>;
