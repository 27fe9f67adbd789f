//! Rows of a demonstration registry's database (the *seed*) are adopted, with their ids, as the operator brings them.
//!
//! Each row is decided by itself: what is refused is told with its reason, the rest is adopted. A bundle comes with its
//! *family*: what was issued, and everything split from it. A family is adopted whole, in the state in which it is, or
//! not at all; ranges are made here from the first certificate and the quantities, so that they partition.
//!
//! Refusals of a row, in order: an id that is in use; something named is missing; a unique value is taken. Of a family:
//! device missing, not production, not approved, metadata missing; of each bundle: id in use, account missing, a
//! cancellation that is missing or has no place; parts that are not their whole; issue in the future; interval length,
//! future, before operation; certificates taken; no expiry; the reading overlaps another, is estimated, too large, or less
//! than what is live; above capacity. Readings are decided as all readings are.
//!
//! It makes up no history: what happened before stays in the seed's own records.

use super::{Outcome, ReadingsOutcome, Rules, SubmitReadings, readings};
use crate::energy::READING_WH_MAX;
use crate::state::{ACCOUNT_NAME, METER_DATA_ID, PRIMARY_CONTACT};
use crate::time::{INTERVAL_MAX, INTERVAL_MIN, expiry};
use crate::{
    Account, AccountId, Actor, AttributesId, Bundle, BundleId, BundleStatus, Cancellation, CertificateAttributes,
    CertificateRange, Change, Changes, Device, DeviceDescription, DeviceId, DeviceKind, EnergyCarrier, GrossNet,
    Interval, IssuanceMetadata, MeasurementId, MetadataId, Quality, Reading, ReadingRefusal, ReadingSource, Refusal,
    SeedRefusal, State, User, UserId, WattHours, seal,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The most rows of one command; a family counts each of its bundles, and is never larger.
pub const SEED_ROWS_MAX: usize = 10_000;

/// A chunk of rows of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum ImportSeed {
    /// In ascending order of their ids, as accounts, devices and metadata are.
    Users(Vec<User>),
    Accounts(Vec<Account>),
    /// Who belongs to which account.
    Members(Vec<(UserId, AccountId)>),
    /// Who accepts, and from whom.
    Senders(Vec<(AccountId, AccountId)>),
    Devices(Vec<SeedDevice>),
    Metadata(Vec<IssuanceMetadata>),
    Readings(SubmitReadings),
    /// Of each device in the order of their certificates.
    Families(Vec<SeedFamily>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedDevice {
    pub id: DeviceId,
    pub account_id: AccountId,
    pub description: DeviceDescription,
    pub created_at: Timestamp,
}

/// What was issued at once, and everything split from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedFamily {
    pub device_id: DeviceId,
    pub metadata_id: MetadataId,
    pub production: Interval,
    pub issued_at: Timestamp,
    /// The first certificate; from 1.
    pub first: u64,
    /// The root, then each other one behind its parent; of two siblings the one with the lower certificates first.
    pub members: Vec<SeedBundle>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedBundle {
    pub id: BundleId,
    /// The place of its parent in the family; `None` for the root.
    pub parent: Option<usize>,
    pub quantity: WattHours,
    pub account_id: AccountId,
    pub status: BundleStatus,
    pub cancellation: Option<Arc<Cancellation>>,
}

/// What became of a chunk; places count from 0 within it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedOutcome {
    /// Rows, or families.
    pub adopted: usize,
    /// Bundles whose time had run out unnoticed.
    pub expired: Vec<BundleId>,
    /// Families that no reading was there for, by their places: they state it themselves.
    pub stated: Vec<usize>,
    pub refused: Vec<SeedRefused>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedRefused {
    pub place: usize,
    pub refusal: SeedRefusal,
}

type Decision = Result<(Changes, Outcome), Refusal>;

pub(super) fn decide(state: &State, actor: Actor, rows: &ImportSeed, now: Timestamp, rules: &Rules) -> Decision {
    if actor != Actor::Operator {
        return Err(Refusal::Forbidden { needs: "the operator at the machine's own console".to_owned() });
    }
    let mut chunk = Chunk::default();
    match rows {
        ImportSeed::Users(users) => chunk.each(users, |user, chunk| adopt_user(state, chunk, user)),
        ImportSeed::Accounts(accounts) => chunk.each(accounts, |account, chunk| adopt_account(state, chunk, account)),
        ImportSeed::Members(members) => chunk.each(members, |pair, chunk| join(state, chunk, *pair)),
        ImportSeed::Senders(senders) => accept_from(state, &mut chunk, senders),
        ImportSeed::Devices(devices) => chunk.each(devices, |device, chunk| adopt_device(state, chunk, device)),
        ImportSeed::Metadata(metadata) => chunk.each(metadata, |metadata, chunk| {
            ascending(chunk, state.next.metadata.0, metadata.id.0)?;
            Ok(vec![Change::Adopted(Adopted::Metadata(metadata.clone()))])
        }),
        ImportSeed::Readings(submission) => return adopt_readings(state, actor, submission, now, rules),
        ImportSeed::Families(families) => return Ok(Families::new(state, now, rules).adopt(families)),
    }
    Ok((chunk.changes, Outcome::Seed(chunk.outcome)))
}

/// A row that comes with its id. Each becomes the same event as one that is made here.
#[derive(Clone, Debug, PartialEq)]
pub enum Adopted {
    User(User),
    Account(Account),
    Device(Device),
    Metadata(IssuanceMetadata),
    Bundle(Bundle),
}

/// Rows as they are decided, each seeing those before it.
#[derive(Default)]
struct Chunk {
    changes: Changes,
    outcome: SeedOutcome,
    /// The id of the last row that was adopted.
    last_id: i64,
    taken: HashSet<String>,
    pairs: HashSet<(i64, i64)>,
}

impl Chunk {
    fn each<T>(&mut self, rows: &[T], adopt: impl Fn(&T, &mut Self) -> Result<Changes, SeedRefusal>) {
        for (place, row) in rows.iter().enumerate() {
            match adopt(row, self) {
                Ok(changes) => {
                    self.outcome.adopted += 1;
                    self.changes.extend(changes);
                }
                Err(refusal) => self.outcome.refused.push(SeedRefused { place, refusal }),
            }
        }
    }

    fn take(&mut self, state: &State, field: &'static str, value: &str) -> Result<(), SeedRefusal> {
        if state.taken.contains(&(field, value.to_owned())) || !self.taken.insert(value.to_owned()) {
            return Err(SeedRefusal::Taken { field, value: value.to_owned() });
        }
        Ok(())
    }
}

/// Ids ascend, so that the counter of the ledger jumps and no id is given twice.
fn ascending(chunk: &mut Chunk, next: i64, id: i64) -> Result<(), SeedRefusal> {
    if id < next.max(1) || id <= chunk.last_id {
        return Err(SeedRefusal::IdUsed { id });
    }
    chunk.last_id = id;
    Ok(())
}

fn adopt_user(state: &State, chunk: &mut Chunk, user: &User) -> Result<Changes, SeedRefusal> {
    ascending(chunk, state.next.user.0, user.id.0)?;
    chunk.take(state, PRIMARY_CONTACT, &user.primary_contact)?;
    Ok(vec![Change::Adopted(Adopted::User(user.clone()))])
}

fn adopt_account(state: &State, chunk: &mut Chunk, account: &Account) -> Result<Changes, SeedRefusal> {
    ascending(chunk, state.next.account.0, account.id.0)?;
    chunk.take(state, ACCOUNT_NAME, &account.name)?;
    Ok(vec![Change::Adopted(Adopted::Account(account.clone()))])
}

fn join(state: &State, chunk: &mut Chunk, (user, account): (UserId, AccountId)) -> Result<Changes, SeedRefusal> {
    let lives = state.users.get(&user).is_some_and(|user| !user.is_deleted);
    lives.then_some(()).ok_or(SeedRefusal::UserMissing { user_id: user })?;
    state.live_account(account).ok_or(SeedRefusal::AccountMissing { account_id: account })?;
    if state.memberships.contains(&(user, account)) || !chunk.pairs.insert((user.0, account.0)) {
        return Ok(Vec::new());
    }
    Ok(vec![Change::MembershipsChanged { user, joined: vec![account], left: Vec::new() }])
}

/// One change for each account, of all that it accepts from.
fn accept_from(state: &State, chunk: &mut Chunk, senders: &[(AccountId, AccountId)]) {
    let mut added: BTreeMap<AccountId, Vec<AccountId>> = BTreeMap::new();
    for (place, (account, sender)) in senders.iter().enumerate() {
        let missing = [account, sender].into_iter().find(|id| state.live_account(**id).is_none());
        let refusal = match missing {
            Some(missing) => Some(SeedRefusal::AccountMissing { account_id: *missing }),
            None if account == sender => Some(SeedRefusal::OwnWhitelist { account_id: *account }),
            None => None,
        };
        if let Some(refusal) = refusal {
            chunk.outcome.refused.push(SeedRefused { place, refusal });
            continue;
        }
        chunk.outcome.adopted += 1;
        if !state.whitelist.contains(&(*account, *sender)) && chunk.pairs.insert((account.0, sender.0)) {
            added.entry(*account).or_default().push(*sender);
        }
    }
    for (account, mut added) in added {
        added.sort_unstable();
        chunk.changes.push(Change::WhitelistChanged { account, added, removed: Vec::new() });
    }
}

/// It made certificates in the seed, so it counts as approved.
fn adopt_device(state: &State, chunk: &mut Chunk, device: &SeedDevice) -> Result<Changes, SeedRefusal> {
    ascending(chunk, state.next.device.0, device.id.0)?;
    let account_id = device.account_id;
    state.live_account(account_id).ok_or(SeedRefusal::AccountMissing { account_id })?;
    if let Some(meter) = &device.description.meter_data_id {
        chunk.take(state, METER_DATA_ID, meter)?;
    }
    Ok(vec![Change::Adopted(Adopted::Device(Device {
        id: device.id,
        account_id,
        description: device.description.clone(),
        version: 1,
        is_approved: true,
        is_deleted: false,
        created_at: device.created_at,
        gross_net: None,
        next_certificate: 1,
    }))])
}

fn adopt_readings(state: &State, actor: Actor, rows: &SubmitReadings, now: Timestamp, rules: &Rules) -> Decision {
    let (changes, outcome) = readings::decide(state, actor, rows, now, rules)?;
    let Outcome::Readings(ReadingsOutcome { accepted, corrected, unchanged, refused, .. }) = outcome else {
        unreachable!("readings have an outcome of their own")
    };
    let refused = refused.into_iter().map(|r| SeedRefused { place: r.place, refusal: r.refusal.into() }).collect();
    let outcome = SeedOutcome { adopted: accepted + corrected + unchanged, refused, ..SeedOutcome::default() };
    Ok((changes, Outcome::Seed(outcome)))
}

/// An interval as the families of this command find it and leave it.
#[derive(Clone, Copy)]
struct Place {
    interval: Interval,
    quality: Quality,
    accepted: WattHours,
    live: WattHours,
}

/// Where a device's certificates go on.
#[derive(Clone, Copy)]
struct Run {
    next_certificate: u64,
    gross_net: GrossNet,
}

struct Families<'s> {
    state: &'s State,
    now: Timestamp,
    rules: &'s Rules,
    places: BTreeMap<(DeviceId, Timestamp), Place>,
    runs: HashMap<DeviceId, Run>,
    ids: HashSet<BundleId>,
    attributes: HashMap<(DeviceId, MetadataId), (AttributesId, [u8; 32])>,
    next_attributes: AttributesId,
    stated: Vec<Reading>,
    snapshots: Changes,
    bundles: Changes,
    outcome: SeedOutcome,
}

/// A family that may be adopted: the ranges and states of its members, and what it leaves of its interval.
struct Fit {
    ranges: Vec<CertificateRange>,
    statuses: Vec<BundleStatus>,
    expires_at: Timestamp,
    place: Place,
    is_stated: bool,
}

impl<'s> Families<'s> {
    fn new(state: &'s State, now: Timestamp, rules: &'s Rules) -> Self {
        Self {
            state,
            now,
            rules,
            places: BTreeMap::new(),
            runs: HashMap::new(),
            ids: HashSet::new(),
            attributes: HashMap::new(),
            next_attributes: state.next.attributes,
            stated: Vec::new(),
            snapshots: Vec::new(),
            bundles: Vec::new(),
            outcome: SeedOutcome::default(),
        }
    }

    fn adopt(mut self, families: &[SeedFamily]) -> (Changes, Outcome) {
        for (place, family) in families.iter().enumerate() {
            match self.judge(family) {
                Ok((device, fit)) => self.accept(place, family, device, &fit),
                Err(refusal) => self.outcome.refused.push(SeedRefused { place, refusal }),
            }
        }
        let mut changes = Vec::with_capacity(self.stated.len() / 1_000 + 1 + self.snapshots.len() + self.bundles.len());
        let mut first = self.state.next.measurement;
        for readings in self.stated.chunks(readings::READINGS_PER_EVENT_MAX) {
            let (count, source) = (i64::try_from(readings.len()).expect("at most 1,000"), ReadingSource::Issuer);
            changes.push(Change::ReadingsAccepted { first, readings: readings.to_vec(), source });
            first = MeasurementId(first.0 + count);
        }
        changes.append(&mut self.snapshots);
        changes.append(&mut self.bundles);
        (changes, Outcome::Seed(self.outcome))
    }

    fn judge(&self, family: &SeedFamily) -> Result<(&'s Device, Fit), SeedRefusal> {
        let device_id = family.device_id;
        let device = self.state.live_device(device_id).ok_or(ReadingRefusal::DeviceMissing { device_id })?;
        if device.description.kind != DeviceKind::Production {
            return Err(ReadingRefusal::NotProduction.into());
        }
        if !device.is_approved {
            return Err(ReadingRefusal::NotApproved.into());
        }
        if !self.state.metadata.contains_key(&family.metadata_id) {
            return Err(SeedRefusal::MetadataMissing { metadata_id: family.metadata_id });
        }
        self.check_members(family)?;
        let ranges = ranges(family)?;
        self.check_times(family, device)?;
        let next = self.run(device).next_certificate;
        if family.first < next {
            return Err(SeedRefusal::CertificatesTaken { first: family.first, next });
        }
        let end = family.production.end();
        let expires_at = expiry(end, self.rules.expiry_years).ok_or(ReadingRefusal::NoExpiry)?;
        let (place, is_stated) = self.place(family)?;
        if place.interval != family.production {
            let (start, end) = (place.interval.start(), place.interval.end());
            return Err(ReadingRefusal::Overlaps { start, end }.into());
        }
        if place.quality == Quality::Estimated {
            return Err(ReadingRefusal::Estimated.into());
        }
        if place.accepted.0 > READING_WH_MAX {
            return Err(ReadingRefusal::TooLarge { max: READING_WH_MAX }.into());
        }
        let live: WattHours = live_of(family).chain([place.live]).sum();
        if live > place.accepted {
            return Err(SeedRefusal::AboveReading { live_wh: live, accepted_wh: place.accepted });
        }
        let limit_wh = self.rules.capacity_margin.of_power(device.description.capacity_watts, place.interval.micros());
        if live > limit_wh {
            return Err(ReadingRefusal::AboveCapacity { asked_wh: live, limit_wh }.into());
        }
        let statuses = family.members.iter().map(|member| status_of(member.status, expires_at, self.now)).collect();
        Ok((device, Fit { ranges, statuses, expires_at, place: Place { live, ..place }, is_stated }))
    }

    fn check_members(&self, family: &SeedFamily) -> Result<(), SeedRefusal> {
        let mut seen = HashSet::with_capacity(family.members.len());
        for member in &family.members {
            let id = member.id;
            if id.0 < 1 || self.state.bundle(id).is_some() || self.ids.contains(&id) || !seen.insert(id) {
                return Err(SeedRefusal::IdUsed { id: id.0 });
            }
            let account_id = member.account_id;
            self.state.live_account(account_id).ok_or(SeedRefusal::AccountMissing { account_id })?;
            let must = matches!(member.status, BundleStatus::Cancelled | BundleStatus::Claimed);
            let may = must || member.status == BundleStatus::Withdrawn;
            let has = member.cancellation.is_some();
            if (must && !has) || (has && !may) {
                return Err(SeedRefusal::CancellationMisplaced { bundle_id: id, status: member.status });
            }
        }
        Ok(())
    }

    fn check_times(&self, family: &SeedFamily, device: &Device) -> Result<(), ReadingRefusal> {
        let interval = family.production;
        if family.issued_at > self.now {
            return Err(ReadingRefusal::InFuture { end: family.issued_at });
        }
        if interval.duration() < INTERVAL_MIN || interval.duration() > self.rules.interval_max {
            return Err(ReadingRefusal::interval_length(interval, self.rules.interval_max));
        }
        if interval.end() > self.now {
            return Err(ReadingRefusal::InFuture { end: interval.end() });
        }
        let operational_date = device.description.operational_date;
        if interval.start() < operational_date {
            return Err(ReadingRefusal::BeforeOperation { operational_date });
        }
        Ok(())
    }

    fn run(&self, device: &Device) -> Run {
        let gross_net = device.gross_net.unwrap_or(GrossNet::Net);
        let first = Run { next_certificate: device.next_certificate, gross_net };
        self.runs.get(&device.id).copied().unwrap_or(first)
    }

    /// The interval of a family, and whether the family itself states its reading: where none was kept.
    fn place(&self, family: &SeedFamily) -> Result<(Place, bool), ReadingRefusal> {
        let (id, start) = (family.device_id, family.production.start());
        if let Some(place) = self.places.get(&(id, start)) {
            return Ok((*place, false));
        }
        if let Some(known) = self.state.places.get(&(start, id)) {
            let reading = &known.measurement.reading;
            let accepted = WattHours(u64::try_from(reading.energy_wh).unwrap_or(0));
            let place = Place { interval: reading.interval, quality: reading.quality, accepted, live: known.live };
            return Ok((place, false));
        }
        let reach = start.checked_sub(INTERVAL_MAX).unwrap_or(Timestamp::MIN);
        let near = (id, reach)..(id, family.production.end());
        let stored = self.state.readings.range(near.clone()).map(|(_, known)| known.measurement.reading.interval);
        let here = self.places.range(near).map(|(_, place)| place.interval);
        if let Some(other) = stored.chain(here).find(|other| other.overlaps(family.production)) {
            return Err(ReadingRefusal::Overlaps { start: other.start(), end: other.end() });
        }
        let accepted = family.members.first().map_or(WattHours::ZERO, |root| root.quantity);
        let interval = family.production;
        Ok((Place { interval, quality: Quality::Measured, accepted, live: WattHours::ZERO }, true))
    }

    fn accept(&mut self, place: usize, family: &SeedFamily, device: &Device, fit: &Fit) {
        let (interval, run) = (family.production, self.run(device));
        if fit.is_stated {
            let energy_wh = i64::try_from(fit.place.accepted.0).expect("it was checked against the most");
            let (gross_net, quality) = (run.gross_net, fit.place.quality);
            self.stated.push(Reading { device_id: device.id, interval, energy_wh, gross_net, quality });
            self.outcome.stated.push(place);
        }
        self.places.insert((device.id, interval.start()), fit.place);
        let (attributes_id, attributes_hash) = self.snapshot(device, family.metadata_id);
        let mut hashes: Vec<[u8; 32]> = Vec::with_capacity(family.members.len());
        for ((member, range), status) in family.members.iter().zip(&fit.ranges).zip(&fit.statuses) {
            let mut bundle = Bundle {
                id: member.id,
                account_id: member.account_id,
                device_id: device.id,
                attributes_id,
                range: *range,
                production: interval,
                issued_at: family.issued_at,
                expires_at: fit.expires_at,
                parent_id: member.parent.and_then(|parent| family.members.get(parent)).map(|parent| parent.id),
                status: *status,
                cancellation: member.cancellation.clone(),
                draw_id: None,
                hash: [0; 32],
            };
            bundle.hash = match member.parent.and_then(|parent| hashes.get(parent)) {
                Some(parent) => seal::child_hash(&bundle, parent),
                None => seal::bundle_hash(&bundle, &attributes_hash),
            };
            hashes.push(bundle.hash);
            self.ids.insert(bundle.id);
            if *status != member.status {
                self.outcome.expired.push(bundle.id);
            }
            self.bundles.push(Change::Adopted(Adopted::Bundle(bundle)));
        }
        let root = fit.ranges.first().expect("a family has a root");
        self.runs.insert(device.id, Run { next_certificate: root.last() + 1, ..run });
        self.outcome.adopted += 1;
    }

    fn snapshot(&mut self, device: &Device, metadata_id: MetadataId) -> (AttributesId, [u8; 32]) {
        let key = (device.id, metadata_id);
        let known = self.state.attributes.get(&(device.id, device.version, metadata_id));
        if let Some(known) = self.attributes.get(&key).or(known) {
            return *known;
        }
        let mut attributes = CertificateAttributes {
            id: self.next_attributes,
            device_id: device.id,
            device_version: device.version,
            metadata_id,
            energy_carrier: EnergyCarrier::Electricity,
            device: device.description.clone(),
            hash: [0; 32],
        };
        attributes.hash = seal::attributes_hash(&attributes);
        let known = (attributes.id, attributes.hash);
        self.next_attributes = attributes.id.next();
        self.attributes.insert(key, known);
        self.snapshots.push(Change::AttributesCreated(attributes));
        known
    }
}

/// What counts of a family: every bundle that was not split or withdrawn.
fn live_of(family: &SeedFamily) -> impl Iterator<Item = WattHours> + '_ {
    family.members.iter().filter(|member| member.status.is_live()).map(|member| member.quantity)
}

/// Nobody may have noticed that its time has run out.
fn status_of(status: BundleStatus, expires_at: Timestamp, now: Timestamp) -> BundleStatus {
    match status {
        BundleStatus::Active | BundleStatus::Locked if expires_at <= now => BundleStatus::Expired,
        status => status,
    }
}

/// The range of each member: the root's from its first certificate and its quantity, the two parts of a split from their
/// parent's. A bundle that is split has two parts, in the order of their ids, and nothing else has any.
fn ranges(family: &SeedFamily) -> Result<Vec<CertificateRange>, SeedRefusal> {
    let members = &family.members;
    let malformed = |member: &SeedBundle| SeedRefusal::FamilyMalformed { bundle_id: member.id };
    let root = members.first().ok_or(SeedRefusal::FamilyMalformed { bundle_id: BundleId(0) })?;
    if members.len() > SEED_ROWS_MAX {
        return Err(SeedRefusal::FamilyTooLarge { bundle_id: root.id, max: SEED_ROWS_MAX });
    }
    let whole = CertificateRange::starting(family.first, root.quantity).ok_or_else(|| malformed(root))?;
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    for (place, member) in members.iter().enumerate() {
        match (place, member.parent) {
            (0, None) => {}
            (_, Some(parent)) if parent < place => children.get_mut(parent).expect("it is before").push(place),
            (_, None | Some(_)) => return Err(malformed(member)),
        }
    }
    let mut ranges = vec![whole; members.len()];
    for (place, member) in members.iter().enumerate() {
        let parts = children.get(place).map_or(&[][..], Vec::as_slice);
        let is_split = member.status == BundleStatus::Split;
        let (first, rest) = match parts {
            [] if !is_split => continue,
            // in the order of their ids, behind their parent: so they are read back
            [first, rest] if is_split && members[*first].id < members[*rest].id && member.id < members[*first].id => {
                (*first, *rest)
            }
            _ => return Err(malformed(member)),
        };
        let quantity = |place: usize| members.get(place).map_or(WattHours::ZERO, |member| member.quantity);
        let (own, parts) = (member.quantity, [quantity(first), quantity(rest)]);
        let sum: u128 = parts.iter().map(|part| u128::from(part.0)).sum();
        let split = ranges.get(place).and_then(|range| range.split_at(parts[0]));
        let Some((taken, left)) = split.filter(|_| sum == u128::from(own.0)) else {
            let parts_wh = WattHours(u64::try_from(sum).unwrap_or(u64::MAX));
            return Err(SeedRefusal::PartsDiffer { bundle_id: member.id, whole_wh: own, parts_wh });
        };
        for (place, range) in [(first, taken), (rest, left)] {
            *ranges.get_mut(place).expect("one for each member") = range;
        }
    }
    Ok(ranges)
}
