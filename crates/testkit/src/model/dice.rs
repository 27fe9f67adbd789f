//! Random commands from a seed: mostly ones that can be carried out, some that nearly can, a few that make no sense.

mod register;
mod storage;

use super::Model;
use super::bundles::Held;
use domain::action::{
    BundleAction, CreateBundle, Deed, IssueChunk, MeasurementUpdate, Portion, Stated, StatedPlace, SubmitReadings,
    WhitelistUpdate,
};
use domain::recurring_order::{OrderDeed, OrderTerms, PeriodUnit};
use domain::{
    AccountId, Actor, BundleId, BundleStatus, Command, DeviceId, DeviceKind, GrossNet, Interval, MeasurementId,
    MetadataId, Quality, Ratio, Reading, ReadingSource, RecurringOrderId, Schedule, UserId, WattHours,
};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

const ENERGY_MAX_WH: i64 = 40;
/// How far back readings and issues reach.
const HOURS_BACK: i64 = 30;
/// What nobody and nothing has.
const UNKNOWN: i64 = 99;

pub struct Dice {
    random: StdRng,
    /// Whether most commands are of storage and what it needs.
    favours_storage: bool,
    /// Whether most readings are parts of hours.
    favours_parts: bool,
}

impl Dice {
    pub fn of_seed(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), favours_storage: false, favours_parts: false }
    }

    /// Dice that are loaded: a market of batteries, in which little else happens.
    pub fn of_storage(seed: u64) -> Self {
        Self { favours_storage: true, ..Self::of_seed(seed) }
    }

    /// Dice that are loaded: meters that count by the half or quarter of an hour.
    pub fn of_parts(seed: u64) -> Self {
        Self { favours_parts: true, ..Self::of_seed(seed) }
    }

    /// From 0 to below `most`.
    pub fn below(&mut self, most: i64) -> i64 {
        self.random.random_range(0..most)
    }

    /// True this many times in a hundred.
    pub fn percent(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.random.random_range(0..from.len())) }
    }

    /// Who asks for what.
    pub fn command(&mut self, model: &Model, now: Timestamp) -> (Actor, Command) {
        if self.percent(8) {
            return self.registration(model);
        }
        if self.percent(6) {
            return self.order(model, now);
        }
        if self.favours_storage && self.percent(80) {
            return self.of_batteries(model, now);
        }
        if self.percent(8) {
            return self.storage(model, now);
        }
        match self.below(100) {
            0..=15 => self.submission(model, now),
            16..=31 => self.issue(model, now),
            32..=37 => self.whitelist(model),
            38..=39 => (self.administrator(model), Command::ApproveDevice(self.device(model))),
            40..=43 => self.statement(model, now),
            44..=51 => self.reading_correction(model),
            52..=54 => (self.anybody(model), Command::DeleteMeasurement(self.measurement(model, false))),
            55..=56 => self.release(model),
            57 => self.expiry(model),
            _ => self.bundles(model, now),
        }
    }

    /// Where the clock goes next: mostly nowhere, sometimes to the very instant at which something expires.
    pub fn tick(&mut self, model: &Model, now: Timestamp) -> Timestamp {
        match self.below(100) {
            0..=59 => now,
            60..=91 => now + SignedDuration::from_mins(30 * (1 + self.below(8))),
            // the registry was off
            92 => now + SignedDuration::from_hours(24 * self.below(40)),
            93..=95 => now - SignedDuration::from_mins(30),
            _ => {
                let mut expiries: Vec<_> = model.births.iter().map(|birth| birth.expires_at).collect();
                expiries.retain(|expiry| *expiry > now);
                let early = SignedDuration::from_micros(self.below(2));
                self.pick(&expiries).map_or(now, |expiry| *expiry - early)
            }
        }
    }

    /// Orders are placed, paused, resumed and ended.
    fn order(&mut self, model: &Model, now: Timestamp) -> (Actor, Command) {
        let count = i64::try_from(model.orders.len()).expect("few orders");
        if count > 0 && self.percent(50) {
            let is_odd = self.percent(5);
            let id = RecurringOrderId(1 + self.below(count + i64::from(is_odd)));
            let place = usize::try_from(id.0 - 1).expect("an id");
            let source = model.orders.get(place).map_or(AccountId(UNKNOWN), |order| order.terms.source);
            let command = match self.below(5) {
                0 => Command::EndOrder(id),
                1 | 2 => Command::PauseOrder(id),
                _ => Command::ResumeOrder(id),
            };
            return (self.member(model, source), command);
        }
        let source = self.account(model);
        let deed = if self.percent(60) {
            OrderDeed::Transfer { target: self.account(model) }
        } else {
            let beneficiary = self.percent(50).then(|| "Ada's bakery".to_owned());
            let beneficiary_account = self.percent(30).then(|| self.account(model));
            OrderDeed::Cancel { beneficiary, beneficiary_account, purpose: None }
        };
        let schedule = Schedule {
            first_at: now + SignedDuration::from_mins(30 * (self.below(40) - 4)),
            unit: *self.pick(PeriodUnit::ALL).expect("there are four"),
            every: u32::try_from(1 + self.below(3)).expect("it is small"),
            runs: self.percent(40).then(|| u32::try_from(1 + self.below(4)).expect("it is small")),
        };
        let device = self.percent(30).then(|| self.device(model));
        let portion = self.portion(30);
        let terms = OrderTerms { deed, source, schedule, device, energy_source: None, portion };
        (self.member(model, source), Command::PlaceOrder(terms))
    }

    /// Of some bundles, due or not, and mostly as the registry does it.
    fn expiry(&mut self, model: &Model) -> (Actor, Command) {
        let last = model.next_bundle().0;
        let bundles = (0..self.below(20)).map(|_| BundleId(1 + self.below(last))).collect();
        let actor = if self.percent(90) { Actor::Operator } else { self.anybody(model) };
        (actor, Command::Expire(bundles))
    }

    // ── Readings and issue ──────────────────────────────────────────────────

    fn submission(&mut self, model: &Model, now: Timestamp) -> (Actor, Command) {
        let count = 1 + self.below(8);
        let readings = if self.favours_parts && self.percent(80) {
            self.parts_of_hours(model, now)
        } else {
            (0..count).map(|_| self.reading(model, now)).collect()
        };
        let submission = SubmitReadings { readings, source: ReadingSource::Submitted };
        (self.anybody(model), Command::SubmitReadings(submission))
    }

    /// Parts of two hours of a device: mostly all of them.
    fn parts_of_hours(&mut self, model: &Model, now: Timestamp) -> Vec<Reading> {
        let device_id = self.device(model);
        let mut readings = Vec::new();
        for _ in 0..2 {
            let hour = whole_hour(now) - SignedDuration::from_hours(1 + self.below(HOURS_BACK / 3));
            let minutes = if self.percent(70) { 30 } else { 15 };
            let late = if self.percent(3) { minutes / 2 } else { 0 };
            for part in 0..60 / minutes {
                let start = hour + SignedDuration::from_mins(part * minutes + late);
                let end = start + SignedDuration::from_mins(minutes);
                let quality = if self.percent(3) { Quality::Estimated } else { Quality::Measured };
                let reading = Reading {
                    device_id,
                    interval: Interval::new(start, end).expect("it has a length"),
                    energy_wh: self.below(ENERGY_MAX_WH / 2),
                    gross_net: GrossNet::Net,
                    quality: if self.percent(10) { Quality::Calculated } else { quality },
                };
                if self.percent(92) {
                    readings.push(reading);
                }
            }
        }
        readings
    }

    fn reading(&mut self, model: &Model, now: Timestamp) -> Reading {
        let known: Vec<Reading> = model.current().map(|(_, reading)| *reading).collect();
        if self.percent(25)
            && let Some(reading) = self.pick(&known).copied()
        {
            let other = if self.percent(50) { reading.energy_wh } else { 1 + self.below(ENERGY_MAX_WH) };
            return Reading { energy_wh: other, ..reading };
        }
        let start = whole_hour(now) - SignedDuration::from_hours(self.below(HOURS_BACK) - 1);
        let seconds = match self.below(20) {
            0 => 30,
            1 => 7_200,
            2..=4 => 1_800,
            _ => 3_600,
        };
        let end = start + SignedDuration::from_secs(seconds);
        let device_id = self.device(model);
        let kind = model.devices.get(&device_id).map(|device| device.description.kind);
        let sign = if kind == Some(DeviceKind::Storage) && self.percent(60) { -1 } else { 1 };
        Reading {
            device_id,
            interval: Interval::new(start, end).expect("it has a length"),
            energy_wh: match self.below(40) {
                0 => 0,
                1 => -3,
                2 => i64::MAX,
                _ => sign * (1 + self.below(ENERGY_MAX_WH)),
            },
            gross_net: if self.percent(97) { GrossNet::Net } else { GrossNet::Gross },
            quality: match self.below(10) {
                0 => Quality::Estimated,
                1 => Quality::Calculated,
                _ => Quality::Measured,
            },
        }
    }

    fn reading_correction(&mut self, model: &Model) -> (Actor, Command) {
        let measurement = self.measurement(model, true);
        let energy_wh = match self.below(20) {
            0 => -2,
            1 => 0,
            2 => i64::MAX,
            _ => 1 + self.below(ENERGY_MAX_WH),
        };
        let qualities = [Quality::Measured, Quality::Calculated, Quality::Estimated];
        let update = MeasurementUpdate {
            measurement,
            energy_wh: self.percent(90).then_some(energy_wh),
            quality: if self.percent(20) { self.pick(&qualities).copied() } else { None },
            place: StatedPlace::default(),
            source: None,
        };
        let actor = if self.percent(50) { self.administrator(model) } else { self.anybody(model) };
        (actor, Command::UpdateMeasurement(update))
    }

    fn release(&mut self, model: &Model) -> (Actor, Command) {
        let held = |reading: &Reading| {
            model.of_interval(reading.device_id, reading.interval.start()).any(|certificate| certificate.is_held)
        };
        let held: Vec<MeasurementId> =
            model.current().filter(|(_, reading)| held(reading)).map(|(place, _)| id_at(place)).collect();
        let measurement = match self.pick(&held).copied() {
            Some(id) if self.percent(80) => id,
            _ => self.measurement(model, true),
        };
        let reason = if self.percent(95) { "a reason" } else { "" }.to_owned();
        (self.issuer(model), Command::ReleaseHold { measurement, reason })
    }

    /// Mostly what a reading says now; often one that was issued, if that is wanted.
    fn measurement(&mut self, model: &Model, is_issued: bool) -> MeasurementId {
        let parts: Vec<MeasurementId> = model
            .versions
            .iter()
            .enumerate()
            .filter(|(_, version)| self.favours_parts && model.is_part(version))
            .map(|(place, _)| id_at(place))
            .collect();
        if let Some(id) = self.pick(&parts).copied()
            && self.percent(60)
        {
            return id;
        }
        let is_wanted = |reading: &Reading| {
            !is_issued || model.of_interval(reading.device_id, reading.interval.start()).next().is_some()
        };
        let wanted: Vec<MeasurementId> =
            model.current().filter(|(_, reading)| is_wanted(reading)).map(|(place, _)| id_at(place)).collect();
        match self.pick(&wanted).copied() {
            Some(id) if self.percent(80) => id,
            _ => MeasurementId(1 + self.below(i64::try_from(model.versions.len()).expect("few readings") + 2)),
        }
    }

    fn issue(&mut self, model: &Model, now: Timestamp) -> (Actor, Command) {
        let starts: Vec<_> = model.current().map(|(_, reading)| reading.interval.start()).collect();
        // Also of long ago: what was not issued in time is born expired.
        let from = match self.pick(&starts).copied() {
            Some(start) if self.percent(30) => start,
            _ => whole_hour(now) - SignedDuration::from_hours(self.below(HOURS_BACK)),
        };
        let to = from + SignedDuration::from_hours(self.below(HOURS_BACK * 2));
        let mut devices: Vec<DeviceId> = model.devices.keys().copied().collect();
        devices.retain(|_| self.percent(80));
        if self.percent(5) {
            devices.push(DeviceId(UNKNOWN));
        }
        let metadata_id = match model.metadata.first() {
            Some(id) if self.percent(97) => *id,
            _ => MetadataId(UNKNOWN),
        };
        (self.issuer(model), Command::Issue(IssueChunk { metadata_id, devices, from, to }))
    }

    fn statement(&mut self, model: &Model, now: Timestamp) -> (Actor, Command) {
        let known: Vec<Reading> = model.current().map(|(_, reading)| *reading).collect();
        let reading = match self.pick(&known).copied() {
            Some(reading) if self.percent(60) => reading,
            _ => self.reading(model, now),
        };
        let quantity = if self.percent(95) { reading.energy_wh } else { self.below(3) };
        let account = model.devices.get(&reading.device_id).map(|device| device.account);
        let account_id = if self.percent(90) { account } else { Some(self.account(model)) };
        let metadata_id = match model.metadata.first() {
            Some(id) if self.percent(97) => *id,
            _ => MetadataId(UNKNOWN),
        };
        let statement = CreateBundle {
            metadata_id,
            device_id: reading.device_id,
            production: reading.interval,
            quantity: WattHours(u64::try_from(quantity).unwrap_or(0)),
            stated: Stated { account_id, ..Stated::default() },
        };
        (self.issuer(model), Command::CreateBundle(statement))
    }

    fn device(&mut self, model: &Model) -> DeviceId {
        let devices: Vec<DeviceId> = model.devices.keys().copied().collect();
        let known = self.pick(&devices).copied().filter(|_| self.percent(97));
        known.unwrap_or(DeviceId(UNKNOWN))
    }

    // ── Accounts and bundles ────────────────────────────────────────────────

    fn whitelist(&mut self, model: &Model) -> (Actor, Command) {
        let mut some = |most| (0..self.below(most)).map(|_| self.account(model)).collect();
        let (add, remove) = (some(4), some(2));
        let account_id = self.account(model);
        let actor = if self.percent(50) { self.administrator(model) } else { self.member(model, account_id) };
        (actor, Command::UpdateWhitelist(WhitelistUpdate { account_id, add, remove }))
    }

    fn account(&mut self, model: &Model) -> AccountId {
        let accounts: Vec<AccountId> = model.accounts.keys().copied().collect();
        let known = self.pick(&accounts).copied().filter(|_| self.percent(97));
        known.unwrap_or(AccountId(UNKNOWN))
    }

    fn bundles(&mut self, model: &Model, now: Timestamp) -> (Actor, Command) {
        let deed = self.deed(model);
        let needed = match &deed {
            Deed::Claim => BundleStatus::Cancelled,
            Deed::Unlock { .. } => BundleStatus::Locked,
            Deed::Withdraw { export_failed: true, .. } => BundleStatus::Reserved,
            Deed::UpdateMutables { .. } if self.percent(50) => BundleStatus::Locked,
            Deed::Transfer { .. }
            | Deed::Cancel { .. }
            | Deed::Reserve { .. }
            | Deed::Lock { .. }
            | Deed::Withdraw { .. }
            | Deed::UpdateMutables { .. } => BundleStatus::Active,
        };
        let is_apt = self.percent(90);
        let apt = |held: &Held| {
            let is_over = model.birth(held.id).expires_at <= now;
            let expires = [BundleStatus::Active, BundleStatus::Locked].contains(&needed);
            held.certificate.state == needed && !(expires && is_over)
        };
        let all: Vec<Held> = (1..model.next_bundle().0).filter_map(|id| model.held(BundleId(id))).collect();
        let mut candidates: Vec<Held> = all.iter().filter(|held| !is_apt || apt(held)).cloned().collect();
        if candidates.is_empty() && self.percent(95) {
            candidates = all;
        }
        let source = match self.pick(&candidates) {
            Some(held) if self.percent(97) => held.certificate.holder,
            _ => self.account(model),
        };
        candidates.retain(|held| held.certificate.holder == source);
        let mut bundles = Vec::new();
        for _ in 0..=self.below(4) {
            bundles.extend(self.pick(&candidates).map(|held| held.id));
        }
        if self.percent(97) {
            bundles.sort_by_key(|id| (id.0 % 7, *id));
            bundles.dedup();
        }
        if self.percent(3) {
            bundles.push(BundleId(1 + self.below(model.next_bundle().0 + 2)));
        }
        let held: u64 = candidates.iter().filter(|held| bundles.contains(&held.id)).map(|h| h.last - h.first + 1).sum();
        let actor = self.actor_of(model, &deed, source);
        (actor, Command::Bundles(BundleAction { source, bundles, portion: self.portion(held), deed }))
    }

    fn deed(&mut self, model: &Model) -> Deed {
        let reason = if self.percent(95) { "a reason" } else { " " }.to_owned();
        match self.below(64) {
            60..=63 => self.correction(model),
            0..=24 => Deed::Transfer { target: self.account(model) },
            25..=36 => Deed::Cancel {
                beneficiary: self.percent(50).then(|| "Ada's bakery".to_owned()),
                beneficiary_account: self.percent(50).then(|| self.account(model)),
                purpose: match self.below(6) {
                    0..=2 => Some("storage".to_owned()),
                    3 => Some("disclosure".to_owned()),
                    _ => None,
                },
            },
            37..=43 => Deed::Claim,
            44..=46 => Deed::Reserve { target_registry: None },
            47..=51 => Deed::Lock { reason },
            52..=55 => Deed::Unlock { reason },
            other => Deed::Withdraw { reason, export_failed: other == 59 },
        }
    }

    fn correction(&mut self, model: &Model) -> Deed {
        let account = self.percent(60).then(|| self.account(model));
        let status = if self.percent(60) { self.pick(BundleStatus::ALL).copied() } else { None };
        Deed::UpdateMutables { account, status, reason: None }
    }

    fn portion(&mut self, held: u64) -> Portion {
        let held = i64::try_from(held).expect("few watt-hours");
        match self.below(10) {
            0..=3 => Portion::Whole,
            4..=7 => {
                let asked = if self.percent(90) { 1 + self.below(held.max(1)) } else { self.below(held + 30) };
                Portion::Quantity(WattHours(u64::try_from(asked).expect("it is not negative")))
            }
            _ => {
                let hundredths = if self.percent(90) { 1 + self.below(100) } else { self.below(150) };
                let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
                Portion::Share(Ratio::parse(&text).expect("a plain decimal"))
            }
        }
    }

    // ── Who ─────────────────────────────────────────────────────────────────

    fn actor_of(&mut self, model: &Model, deed: &Deed, source: AccountId) -> Actor {
        match deed {
            Deed::Lock { .. } | Deed::Unlock { .. } | Deed::Withdraw { .. } | Deed::UpdateMutables { .. } => {
                self.issuer(model)
            }
            Deed::Claim if self.percent(40) => self.anybody(model),
            Deed::Claim | Deed::Transfer { .. } | Deed::Cancel { .. } | Deed::Reserve { .. } => {
                self.member(model, source)
            }
        }
    }

    /// Mostly a user of the account.
    fn member(&mut self, model: &Model, account: AccountId) -> Actor {
        let users: Vec<UserId> =
            model.users.iter().filter(|(_, person)| person.accounts.contains(&account)).map(|(id, _)| *id).collect();
        match self.pick(&users) {
            Some(user) if self.percent(85) => Actor::User(*user),
            _ => self.anybody(model),
        }
    }

    /// Mostly somebody who issues.
    fn issuer(&mut self, model: &Model) -> Actor {
        let users: Vec<Actor> = model.users.keys().map(|id| Actor::User(*id)).filter(|a| model.issues(*a)).collect();
        match self.pick(&users) {
            Some(issuer) if self.percent(90) => *issuer,
            _ => self.anybody(model),
        }
    }

    fn administrator(&mut self, model: &Model) -> Actor {
        if self.percent(80) { Actor::Operator } else { self.anybody(model) }
    }

    fn anybody(&mut self, model: &Model) -> Actor {
        let users: Vec<UserId> = model.users.keys().copied().collect();
        match (self.below(20), self.pick(&users)) {
            (0, _) | (_, None) => Actor::User(UserId(UNKNOWN)),
            (1, _) => Actor::Operator,
            (_, Some(user)) => Actor::User(*user),
        }
    }
}

fn id_at(place: usize) -> MeasurementId {
    MeasurementId(i64::try_from(place).expect("few readings") + 1)
}

fn whole_hour(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second() / 3_600 * 3_600).expect("it is near a time that exists")
}
