//! What the commands of one batch name: as loaded, and then as changed by those already decided.
//!
//! Invariant: `apply` is the only way it changes, and it makes exactly what the changes say. What was not loaded does not
//! exist here; the loader must fetch everything that the commands name.

mod adopt;
mod readings;
mod register;
mod storage;

pub use readings::{CurrentReading, IssuePlace};
pub use storage::{Snapshot, Storage};

use crate::action::Adopted;
use crate::{
    Account, AccountId, ActionId, Actor, AttributesId, Bundle, BundleId, BundleStatus, Capability,
    CertificateAttributes, Device, DeviceId, Draw, DrawId, IssuanceMetadata, Measurement, MeasurementId, MetadataId,
    Organisation, OrganisationDescription, OrganisationId, Reading, ReadingSource, RecurringOrder, RecurringOrderId,
    Refusal, Role, Scr, ScrId, Sdr, SdrId, User, UserId, WattHours, bundle::Mutable, recurring_order::OrderState,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The identifiers that come next; kept in the ledger's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextIds {
    pub user: UserId,
    pub organisation: OrganisationId,
    pub account: AccountId,
    pub device: DeviceId,
    pub measurement: MeasurementId,
    pub metadata: MetadataId,
    pub attributes: AttributesId,
    pub bundle: BundleId,
    pub action: ActionId,
    pub recurring_order: RecurringOrderId,
    pub scr: ScrId,
    pub sdr: SdrId,
    pub draw: DrawId,
}

impl Default for NextIds {
    fn default() -> Self {
        Self {
            user: UserId(1),
            organisation: OrganisationId(1),
            account: AccountId(1),
            device: DeviceId(1),
            measurement: MeasurementId(1),
            metadata: MetadataId(1),
            attributes: AttributesId(1),
            bundle: BundleId(1),
            action: ActionId(1),
            recurring_order: RecurringOrderId(1),
            scr: ScrId(1),
            sdr: SdrId(1),
            draw: DrawId(1),
        }
    }
}

/// One fact; each becomes one sealed event.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The password's hash goes to where secrets are kept; the event does not hold it.
    UserCreated {
        user: User,
        accounts: Vec<AccountId>,
        password_hash: Option<String>,
    },
    /// Before and after differ in what a change may touch. A new password's hash goes to where secrets are kept.
    UserChanged {
        before: Box<User>,
        after: Box<User>,
        password_hash: Option<String>,
    },
    /// Their sessions end, and their sign-in name is free again.
    UserDeleted(UserId),
    MembershipsChanged {
        user: UserId,
        joined: Vec<AccountId>,
        left: Vec<AccountId>,
    },
    OrganisationCreated(Organisation),
    OrganisationChanged {
        id: OrganisationId,
        before: Box<OrganisationDescription>,
        after: Box<OrganisationDescription>,
    },
    OrganisationDeleted(OrganisationId),
    AccountCreated {
        account: Account,
        whitelist: Vec<AccountId>,
    },
    AccountChanged {
        before: Box<Account>,
        after: Box<Account>,
    },
    /// Nobody belongs to it any more.
    AccountDeleted(AccountId),
    WhitelistChanged {
        account: AccountId,
        added: Vec<AccountId>,
        removed: Vec<AccountId>,
    },
    DeviceCreated(Device),
    DeviceApproved(DeviceId),
    DeviceChanged {
        before: Box<Device>,
        after: Box<Device>,
    },
    DeviceDeleted(DeviceId),
    MetadataCreated(IssuanceMetadata),
    AttributesCreated(CertificateAttributes),
    /// Readings with serial ids from `first`; at most [`READINGS_PER_EVENT_MAX`](crate::action::READINGS_PER_EVENT_MAX).
    ReadingsAccepted {
        first: MeasurementId,
        readings: Vec<Reading>,
        source: ReadingSource,
    },
    ReadingSuperseded {
        id: MeasurementId,
        by: MeasurementId,
    },
    OrderPlaced(RecurringOrder),
    OrderEnded {
        id: RecurringOrderId,
        /// As they were.
        state: OrderState,
        next_due_at: Option<Timestamp>,
    },
    /// Before and after differ in the state and in what is due next.
    OrderChanged {
        before: Box<RecurringOrder>,
        after: Box<RecurringOrder>,
    },
    /// The due time that was next is behind it: with what was done, or why nothing was.
    OrderRan {
        before: Box<RecurringOrder>,
        after: Box<RecurringOrder>,
        ran_at: Timestamp,
        done: Result<WattHours, Box<Refusal>>,
    },
    /// Its interval is free again.
    ReadingDeleted(MeasurementId),
    /// Of what was withdrawn in the interval of this reading, so much counts as held no more.
    HoldReleased {
        id: MeasurementId,
        device: DeviceId,
        start: Timestamp,
        energy: WattHours,
    },
    BundleCreated(Bundle),
    BundleChanged {
        id: BundleId,
        before: Mutable,
        after: Mutable,
    },
    /// A charge was recorded; its certificates were split off before.
    ScrCreated(Box<Scr>),
    /// Its certificates are free to be allocated again.
    ScrWithdrawn(ScrId),
    SdrCreated(Box<Sdr>),
    /// With it go its draws.
    SdrWithdrawn(SdrId),
    Drawn(Draw),
    /// A row of another registry that keeps its id: the counter of ids jumps behind it.
    Adopted(Adopted),
}

impl Change {
    /// The user whose tokens and API keys end with this change, because what they were given for no longer holds: their
    /// roles, their password or the user is gone. The store and the memory of who is signed in both go by it.
    pub fn revokes(&self) -> Option<UserId> {
        match self {
            Self::UserChanged { before, after, password_hash } => {
                (password_hash.is_some() || before.roles != after.roles).then_some(after.id)
            }
            Self::UserDeleted(id) => Some(*id),
            Self::UserCreated { .. }
            | Self::MembershipsChanged { .. }
            | Self::OrganisationCreated(_)
            | Self::OrganisationChanged { .. }
            | Self::OrganisationDeleted(_)
            | Self::AccountCreated { .. }
            | Self::AccountChanged { .. }
            | Self::AccountDeleted(_)
            | Self::WhitelistChanged { .. }
            | Self::DeviceCreated(_)
            | Self::DeviceApproved(_)
            | Self::DeviceChanged { .. }
            | Self::DeviceDeleted(_)
            | Self::MetadataCreated(_)
            | Self::AttributesCreated(_)
            | Self::ReadingsAccepted { .. }
            | Self::ReadingSuperseded { .. }
            | Self::ReadingDeleted(_)
            | Self::HoldReleased { .. }
            | Self::OrderPlaced(_)
            | Self::OrderEnded { .. }
            | Self::OrderChanged { .. }
            | Self::OrderRan { .. }
            | Self::BundleCreated(_)
            | Self::BundleChanged { .. }
            | Self::ScrCreated(_)
            | Self::ScrWithdrawn(_)
            | Self::SdrCreated(_)
            | Self::SdrWithdrawn(_)
            | Self::Drawn(_)
            | Self::Adopted(_) => None,
        }
    }
}

/// All that one command changes, in order. Empty if there was nothing to do.
pub type Changes = Vec<Change>;

/// Everything the rules look at.
#[derive(Debug, Default)]
pub struct State {
    pub next: NextIds,
    pub users: HashMap<UserId, User>,
    /// Of users and in accounts that are not deleted.
    pub memberships: HashSet<(UserId, AccountId)>,
    pub organisations: HashMap<OrganisationId, Organisation>,
    pub accounts: HashMap<AccountId, Account>,
    /// (who receives, who may send)
    pub whitelist: HashSet<(AccountId, AccountId)>,
    /// How many entries the whitelist of an account has, where that was asked.
    pub whitelist_sizes: HashMap<AccountId, usize>,
    pub devices: HashMap<DeviceId, Device>,
    pub metadata: HashMap<MetadataId, IssuanceMetadata>,
    /// Snapshots by device, version of the device, and metadata.
    pub attributes: HashMap<(DeviceId, i64, MetadataId), (AttributesId, [u8; 32])>,
    pub recurring_orders: HashMap<RecurringOrderId, RecurringOrder>,
    pub storage: Storage,
    /// Values of unique fields that are in use, by field.
    pub taken: HashSet<(&'static str, String)>,
    /// Current readings by device and start.
    pub readings: BTreeMap<(DeviceId, Timestamp), CurrentReading>,
    /// Current readings to issue, by start and device.
    pub places: BTreeMap<(Timestamp, DeviceId), IssuePlace>,
    /// Readings that count as parts of their hour's sum, by device and start; all parts of an hour or none.
    pub parts: BTreeMap<(DeviceId, Timestamp), Measurement>,
    /// Readings that commands name, as they are now.
    measurements: HashMap<MeasurementId, Measurement>,
    /// Stored bundles of the intervals whose readings may be corrected, split ones too.
    intervals: HashMap<(DeviceId, Timestamp), Vec<BundleId>>,
    /// The accounts that stored bundles of those intervals were issued to.
    issued_to: HashMap<BundleId, AccountId>,
    bundles: HashMap<BundleId, Bundle>,
    pub written: Written,
}

/// What is to be written, collected by `apply`.
#[derive(Debug, Default)]
pub struct Written {
    /// New bundles, in their latest state, with serial ids.
    pub bundles: Vec<Bundle>,
    /// The accounts that they were created in, in the same order.
    born_in: Vec<AccountId>,
    /// Bundles that came with their ids, as they came.
    pub adopted_bundles: Vec<Bundle>,
    /// Bundles that were loaded or adopted, with the holder and the state that they had.
    pub changed_bundles: BTreeMap<BundleId, (AccountId, BundleStatus)>,
    /// (measurement, who stated it, the action that brought it)
    pub measurements: Vec<(Measurement, ReadingSource, ActionId)>,
    /// Older versions that were stored before, and what took their place.
    pub superseded: Vec<(MeasurementId, MeasurementId)>,
    /// (measurement, its device and start, Wh that are held no more)
    pub released: Vec<(MeasurementId, DeviceId, Timestamp, WattHours)>,
    pub changed_devices: BTreeSet<DeviceId>,
    /// Runs of orders, each with its action.
    pub runs: Vec<(ActionId, Change)>,
    /// New or changed users, accounts and so on, in order.
    pub others: Vec<Change>,
}

impl State {
    /// Nothing loaded yet.
    pub fn new(next: NextIds) -> Self {
        Self { next, ..Self::default() }
    }

    /// Whether `actor` has `capability` now. A deleted or unknown user has none.
    pub fn permits(&self, actor: Actor, capability: Capability) -> bool {
        match actor {
            Actor::Operator => true,
            Actor::User(id) => self.users.get(&id).is_some_and(|user| {
                let is_member = capability.account().is_some_and(|account| self.memberships.contains(&(id, account)));
                !user.is_deleted && capability.granted(user.roles, is_member)
            }),
        }
    }

    /// Whether `actor` belongs to an account, with whatever role.
    pub fn is_member(&self, actor: Actor, account: AccountId) -> bool {
        match actor {
            Actor::Operator => true,
            Actor::User(id) => self.memberships.contains(&(id, account)),
        }
    }

    /// # Errors
    /// [`Refusal::Forbidden`], naming the roles that would do.
    pub fn require(&self, actor: Actor, capability: Capability) -> Result<(), Refusal> {
        if self.permits(actor, capability) {
            return Ok(());
        }
        let names = |roles: crate::Roles| roles.iter().map(crate::Role::name).collect::<Vec<_>>().join(" or ");
        let (anywhere, of_members) = capability.roles();
        let mut needs = Vec::new();
        if anywhere != crate::Roles::NONE {
            needs.push(format!("the role {}", names(anywhere)));
        }
        if let Some(account) = capability.account() {
            needs.push(format!("the role {} and membership of account {account}", names(of_members)));
        }
        Err(Refusal::Forbidden { needs: needs.join(", or ") })
    }

    /// Whether `actor` is a user who has this role now.
    pub fn has_role(&self, actor: Actor, role: Role) -> bool {
        match actor {
            Actor::Operator => false,
            Actor::User(id) => self.live_user(id).is_some_and(|user| user.roles.contains(role)),
        }
    }

    /// The user, unless they are unknown or deleted.
    pub fn live_user(&self, id: UserId) -> Option<&User> {
        self.users.get(&id).filter(|user| !user.is_deleted)
    }

    /// The accounts that a user belongs to.
    pub fn accounts_of(&self, user: UserId) -> impl Iterator<Item = AccountId> {
        self.memberships.iter().filter(move |(member, _)| *member == user).map(|(_, account)| *account)
    }

    /// The users who belong to an account.
    pub fn users_of(&self, account: AccountId) -> impl Iterator<Item = UserId> {
        self.memberships.iter().filter(move |(_, joined)| *joined == account).map(|(user, _)| *user)
    }

    /// The account, unless it is unknown or deleted.
    pub fn live_account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id).filter(|account| !account.is_deleted)
    }

    /// The device, unless it is unknown or deleted.
    pub fn live_device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(&id).filter(|device| !device.is_deleted)
    }

    pub fn bundle(&self, id: BundleId) -> Option<&Bundle> {
        match self.created_index(id) {
            Some(index) => self.written.bundles.get(index),
            None => self.bundles.get(&id),
        }
    }

    /// The bundles in an account, of those that were loaded or made.
    pub fn bundles_in(&self, account: AccountId) -> impl Iterator<Item = &Bundle> {
        let all = self.bundles.values().chain(&self.written.bundles);
        all.filter(move |bundle| bundle.account_id == account)
    }

    /// Adds a bundle as it is stored.
    pub fn load_bundle(&mut self, bundle: Bundle) {
        self.bundles.insert(bundle.id, bundle);
    }

    /// Adds a reading as it is stored, because a command names it.
    pub fn load_measurement(&mut self, measurement: Measurement) {
        self.measurements.insert(measurement.id, measurement);
    }

    /// Adds all stored bundles of an interval, and the accounts that those without a parent were issued to.
    pub fn load_interval(
        &mut self,
        device: DeviceId,
        start: Timestamp,
        bundles: Vec<Bundle>,
        issued_to: impl IntoIterator<Item = (BundleId, AccountId)>,
    ) {
        self.issued_to.extend(issued_to);
        self.intervals.insert((device, start), bundles.iter().map(|bundle| bundle.id).collect());
        for bundle in bundles {
            self.load_bundle(bundle);
        }
    }

    /// A reading that a command names: loaded, or accepted in this batch.
    pub fn measurement(&self, id: MeasurementId) -> Option<Measurement> {
        match self.accepted_index(id) {
            Some(index) => self.written.measurements.get(index).map(|(measurement, _, _)| *measurement),
            None => self.measurements.get(&id).copied(),
        }
    }

    /// The bundles of an interval whose reading a command names, as they are now, split ones too.
    pub fn bundles_of(&self, device: DeviceId, start: Timestamp) -> impl Iterator<Item = &Bundle> {
        let stored = self.intervals.get(&(device, start)).into_iter().flatten().filter_map(|id| self.bundles.get(id));
        let is_here = move |bundle: &&Bundle| bundle.device_id == device && bundle.production.start() == start;
        stored.chain(self.written.bundles.iter().filter(is_here))
    }

    /// The SDR that a bundle was issued on, of an SD-GC whose draw was loaded.
    pub fn sdr_of(&self, bundle: &Bundle) -> Option<SdrId> {
        let draw = self.storage.draws.get(&bundle.draw_id?)?;
        Some(draw.sdr_id)
    }

    /// The account that a bundle was issued to: the one that the first of its parents was created in.
    pub fn issued_to(&self, bundle: &Bundle) -> Option<AccountId> {
        let mut root = bundle;
        while let Some(parent) = root.parent_id {
            root = self.bundle(parent)?;
        }
        match self.created_index(root.id) {
            Some(index) => self.written.born_in.get(index).copied(),
            None => self.issued_to.get(&root.id).copied(),
        }
    }

    /// The loaded bundles that were changed, in the order of their ids.
    pub fn changed_bundles(&self) -> Vec<&Bundle> {
        self.written.changed_bundles.keys().filter_map(|id| self.bundles.get(id)).collect()
    }

    pub fn changed_devices(&self) -> Vec<&Device> {
        self.written.changed_devices.iter().filter_map(|id| self.devices.get(id)).collect()
    }

    /// The place of a reading among those accepted in this batch, whose ids are serial.
    fn accepted_index(&self, id: MeasurementId) -> Option<usize> {
        let (first, _, _) = self.written.measurements.first()?;
        usize::try_from(id.0.checked_sub(first.id.0)?).ok()
    }

    /// The place of a bundle among those created in this batch, whose ids are serial.
    fn created_index(&self, id: BundleId) -> Option<usize> {
        let first = self.written.bundles.first()?.id.0;
        usize::try_from(id.0.checked_sub(first)?).ok()
    }

    /// Makes `changes` of action `action` so. After this the next command of the batch sees what this one did.
    ///
    /// # Panics
    /// If the changes do not follow from this state: ids that are not serial, things that were never loaded.
    pub fn apply(&mut self, action: ActionId, changes: &[Change]) {
        for change in changes {
            match change {
                Change::BundleCreated(bundle) => self.create_bundle(bundle),
                Change::BundleChanged { id, before, after } => self.change_bundle(*id, before, after),
                Change::ReadingsAccepted { first, readings, source } => {
                    self.accept_readings(action, *first, readings, *source);
                }
                Change::ReadingSuperseded { id, by } => self.supersede(*id, *by),
                Change::Adopted(adopted) => self.adopt(change, adopted),
                Change::ReadingDeleted(id) => self.delete_reading(*id),
                Change::OrderRan { after, .. } => {
                    self.recurring_orders.insert(after.id, RecurringOrder::clone(after));
                    self.written.runs.push((action, change.clone()));
                }
                Change::HoldReleased { id, device, start, energy } => {
                    let place = self.places.get_mut(&(*start, *device)).expect("the reading's interval was loaded");
                    let held = place.held.0.checked_sub(energy.0).expect("what is released was held");
                    place.held = WattHours(held);
                    self.written.released.push((*id, *device, *start, *energy));
                }
                Change::DeviceApproved(id) => {
                    self.devices.get_mut(id).expect("an approved device was loaded").is_approved = true;
                    self.written.changed_devices.insert(*id);
                }
                other => self.register(other),
            }
        }
    }

    fn create_bundle(&mut self, bundle: &Bundle) {
        assert_eq!(bundle.id, self.next.bundle, "bundle ids are serial");
        self.next.bundle = bundle.id.next();
        if bundle.parent_id.is_none() {
            let device = self.devices.get_mut(&bundle.device_id).expect("an issued device was loaded");
            assert_eq!(bundle.range.first(), device.next_certificate, "certificate ids are serial per device");
            device.next_certificate = bundle.range.last().checked_add(1).expect("certificate ids fit 64 bits");
            self.written.changed_devices.insert(device.id);
            let place = self.places.get_mut(&(bundle.production.start(), bundle.device_id));
            let place = place.expect("what is issued was pending");
            place.live = place.live.checked_add(bundle.range.quantity()).expect("live energy fits 64 bits");
            place.has_bundles = true;
            if let Some(current) = self.readings.get_mut(&(bundle.device_id, bundle.production.start())) {
                current.has_bundles = true;
            }
        } else if bundle.status == crate::BundleStatus::Withdrawn {
            self.hold(bundle.device_id, bundle.production.start(), bundle.range.quantity());
        }
        self.storage.bundle_created(bundle);
        self.written.born_in.push(bundle.account_id);
        self.written.bundles.push(bundle.clone());
    }

    fn change_bundle(&mut self, id: BundleId, before: &Mutable, after: &Mutable) {
        let created = self.created_index(id);
        let bundle = match created {
            Some(index) => self.written.bundles.get_mut(index),
            None => self.bundles.get_mut(&id),
        };
        let bundle = bundle.expect("a changed bundle was loaded");
        assert_eq!(bundle.mutable(), *before, "a change starts from what is");
        let was_live = bundle.status.is_live();
        bundle.account_id = after.account_id;
        bundle.status = after.status;
        bundle.cancellation.clone_from(&after.cancellation);
        let is_withdrawn = was_live && after.status == crate::BundleStatus::Withdrawn;
        let (device, start, quantity) = (bundle.device_id, bundle.production.start(), bundle.range.quantity());
        let draw = bundle.draw_id;
        if is_withdrawn {
            self.hold(device, start, quantity);
            self.storage.bundle_withdrawn(draw, quantity);
        }
        if created.is_none() {
            self.written.changed_bundles.entry(id).or_insert((before.account_id, before.status));
        }
    }

    /// What was withdrawn counts no more, and is held so that no later run mints it again.
    fn hold(&mut self, device: DeviceId, start: Timestamp, quantity: WattHours) {
        let Some(place) = self.places.get_mut(&(start, device)) else { return };
        place.live = place.live.saturating_sub(quantity);
        place.held = place.held.checked_add(quantity).expect("held energy fits 64 bits");
    }

    fn register(&mut self, change: &Change) {
        match change {
            Change::MetadataCreated(metadata) => {
                assert_eq!(metadata.id, self.next.metadata, "metadata ids are serial");
                self.next.metadata = metadata.id.next();
                self.metadata.insert(metadata.id, metadata.clone());
            }
            Change::AttributesCreated(attributes) => {
                assert_eq!(attributes.id, self.next.attributes, "attributes ids are serial");
                self.next.attributes = attributes.id.next();
                let key = (attributes.device_id, attributes.device_version, attributes.metadata_id);
                self.attributes.insert(key, (attributes.id, attributes.hash));
                self.storage.snapshot_created(attributes);
            }
            Change::OrderPlaced(order) => {
                assert_eq!(order.id, self.next.recurring_order, "ids of orders are serial");
                self.next.recurring_order = order.id.next();
                self.recurring_orders.insert(order.id, order.clone());
            }
            Change::OrderEnded { id, .. } => {
                let order = self.recurring_orders.get_mut(id).expect("an order that ends was loaded");
                (order.state, order.next_due_at) = (OrderState::Ended, None);
            }
            Change::OrderChanged { after, .. } => {
                self.recurring_orders.insert(after.id, RecurringOrder::clone(after));
            }
            Change::ScrCreated(_)
            | Change::ScrWithdrawn(_)
            | Change::SdrCreated(_)
            | Change::SdrWithdrawn(_)
            | Change::Drawn(_) => self.record(change),
            other => self.register_party(other),
        }
        self.written.others.push(change.clone());
    }
}

/// Names of unique fields, as clients know them.
pub const PRIMARY_CONTACT: &str = "primary_contact";
pub const ACCOUNT_NAME: &str = "account_name";
pub const ORGANISATION_NAME: &str = "name";
pub const METER_DATA_ID: &str = "meter_data_id";
