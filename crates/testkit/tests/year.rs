//! A year of a registry on both engines, day by day: a wind farm whose readings come late and are corrected each month, a
//! battery that is charged with certificates and certified on its way out, and standing orders. It is closed and opened
//! again each month, and at last stands still until everything has expired.
//!
//! What must come of it is added up beside it from what was sent, without the registry's rules.

use domain::action::{
    Allocation, BundleAction, BundleResult, CreateScr, CreateSdr, Deed, IssueChunk, MeasurementUpdate, NewDevice,
};
use domain::action::{PURPOSE_STORAGE, Portion, StatedPlace, SubmitReadings};
use domain::recurring_order::{OrderDeed, OrderTerms, PeriodUnit, Schedule};
use domain::storage::EfficiencyBasis;
use domain::{
    AccountId, Actor, AllocationMethod, BundleId, BundleStatus, Command, DeviceDescription, DeviceId, DeviceKind,
    EnergySource, GrossNet, Interval, MeasurementId, MetadataId, Outcome, Quality, Reading, ReadingRefusal,
    ReadingSource, RecurringOrderId, Refusal, Role, StorageRefusal, WattHours,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use testkit::{Engine, TestRegistry, assert_verified, at, device_description, hours_from};

const DAYS: i64 = 365;
const CHARGE_HOURS: [i64; 3] = [1, 2, 3];
const DISCHARGE_HOURS: [i64; 2] = [18, 19];
/// Kept in the battery at the ends of every month.
const CHARGE_KEPT: WattHours = WattHours(5_000);
const WEEKLY_TRANSFER: WattHours = WattHours(40_000_000);
const MONTHLY_CANCELLATION: WattHours = WattHours(100_000_000);

/// What the test knows of an interval of the wind farm.
#[derive(Clone, Copy, Default)]
struct Hour {
    read: i64,
    live: i64,
}

struct Year {
    // Before the database, which must outlive it.
    reader: db::Connection,
    test: TestRegistry,
    trader: Actor,
    producer: AccountId,
    store: AccountId,
    buyer: AccountId,
    wind: DeviceId,
    battery: DeviceId,
    metadata: MetadataId,
    transfer: RecurringOrderId,
    cancellation: RecurringOrderId,
    hours: BTreeMap<Timestamp, Hour>,
    charged: u64,
    /// By corrections.
    withdrawn: i64,
    /// Since the battery has a factor.
    discharges: BTreeSet<Timestamp>,
}

#[test]
fn a_year_with_a_battery_corrections_and_standing_orders_is_exact_on_sqlite() {
    Year::begin(Engine::Sqlite).play();
}

#[test]
fn a_year_with_a_battery_corrections_and_standing_orders_is_exact_on_postgres() {
    Year::begin(Engine::Postgres).play();
}

fn start() -> Timestamp {
    at("2026-03-01T00:00:00Z")
}

fn day(number: i64) -> Timestamp {
    start() + SignedDuration::from_hours(24 * number)
}

/// Like weather: the same each time, and no two hours alike.
fn weather(hour: i64) -> i64 {
    200_000 + hour.wrapping_mul(104_729).rem_euclid(700_001)
}

fn charge_of(hour: i64) -> i64 {
    150_000 + hour.wrapping_mul(7_919).rem_euclid(200_001)
}

fn kept(energy: i64) -> WattHours {
    WattHours(u64::try_from(energy).expect("energy is not negative"))
}

impl Year {
    fn begin(engine: Engine) -> Self {
        let test = TestRegistry::on(engine);
        test.time.set(start());
        let [producer, store, buyer] = ["Producer", "Store", "Buyer"].map(|name| test.account(name));
        for (receiver, sender) in [(store, producer), (buyer, producer), (buyer, store)] {
            test.whitelist(receiver, sender);
        }
        let trader = Actor::User(test.user("trader", &[Role::TradingUser], &[producer, store, buyer]));
        let wind = test.device("wind", producer);
        let description = DeviceDescription {
            capacity_watts: 400_000,
            kind: DeviceKind::Storage,
            operational_date: start(),
            energy_source: EnergySource::BatteryStorage,
            ..device_description("battery")
        };
        let made = test.act(Command::CreateDevice(NewDevice { account_id: store, description }));
        let Outcome::Device(battery) = made.expect("the operator may").outcome() else { unreachable!("a device") };
        let metadata = test.metadata();
        let order = |deed, source, portion, unit, first_at| {
            let schedule = Schedule { first_at, unit, every: 1, runs: None };
            let terms = OrderTerms { deed, source, schedule, device: None, energy_source: None, portion };
            match test.act_as(trader, Command::PlaceOrder(terms)).expect("it may be ordered").outcome() {
                Outcome::Order(order) => order.id,
                other => unreachable!("placing an order gave {other:?}"),
            }
        };
        let to_buyer = OrderDeed::Transfer { target: buyer };
        let for_bakery = OrderDeed::Cancel {
            beneficiary: Some("Northern Bakeries".to_owned()),
            beneficiary_account: None,
            purpose: Some("disclosure".to_owned()),
        };
        let (weekly, monthly) = (at("2026-03-08T06:00:00Z"), at("2026-04-01T06:00:00Z"));
        let transfer = order(to_buyer, producer, Portion::Quantity(WEEKLY_TRANSFER), PeriodUnit::Weeks, weekly);
        let cancellation =
            order(for_bakery, buyer, Portion::Quantity(MONTHLY_CANCELLATION), PeriodUnit::Months, monthly);
        Self {
            reader: test.database.connect(),
            test,
            trader,
            producer,
            store,
            buyer,
            wind,
            battery,
            metadata,
            transfer,
            cancellation,
            hours: BTreeMap::new(),
            charged: 0,
            withdrawn: 0,
            discharges: BTreeSet::new(),
        }
    }

    fn play(mut self) {
        for number in 0..DAYS {
            // Readings of a day come at six the next morning; those of each tenth day a day late.
            self.test.time.set(day(number + 1) + SignedDuration::from_hours(6));
            if number % 10 == 0 && number > 0 {
                self.settle(number - 1);
            }
            if number % 30 == 0 && number > 0 {
                self.close_month(number - 30);
            }
            if number % 10 != 9 {
                self.settle(number);
            }
            self.test.registry.run_due_orders().expect("they run");
        }
        assert_verified(self.test.database.url());
        self.assert_exact();
        self.assert_orders_ran();
        let shortfall: i64 = self.hours.values().map(|hour| (hour.live - hour.read).max(0)).sum();
        assert!(shortfall > 0 && self.withdrawn > 0, "{shortfall} Wh are short, {} Wh withdrawn", self.withdrawn);
        self.stand_still();
    }

    fn act(&self, command: Command) -> Outcome {
        self.test.act(command).expect("the operator may do it").outcome()
    }

    /// Readings, certificates, what the battery takes of them, and what it gives.
    fn settle(&mut self, number: i64) {
        let first = 24 * number;
        self.submit(number);
        self.issue(number);
        for hour in CHARGE_HOURS {
            self.charge(first + hour);
        }
        if number >= 30 {
            for hour in DISCHARGE_HOURS {
                self.discharge(first + hour, None);
            }
        }
    }

    fn submit(&mut self, number: i64) {
        let (own, battery) = (self.wind, self.battery);
        let reading = |device_id, interval, energy_wh| Reading {
            device_id,
            interval,
            energy_wh,
            gross_net: GrossNet::Net,
            quality: Quality::Measured,
        };
        let mut readings = Vec::new();
        for (hour, interval) in (0..).zip(hours_from(day(number), 24)) {
            let energy = weather(24 * number + hour);
            readings.push(reading(own, interval, energy));
            self.hours.insert(interval.start(), Hour { read: energy, live: 0 });
            if let Some(energy) = battery_reading(24 * number + hour) {
                readings.push(reading(battery, interval, energy));
            }
        }
        let submission = SubmitReadings { readings, source: ReadingSource::Submitted };
        match self.act(Command::SubmitReadings(submission)) {
            Outcome::Readings(outcome) => assert_eq!(outcome.refused, [], "readings are accepted"),
            other => unreachable!("submitting readings gave {other:?}"),
        }
    }

    /// Issues what a day's readings leave to issue.
    fn issue(&mut self, number: i64) {
        let (metadata_id, devices) = (self.metadata, vec![self.wind]);
        let chunk = IssueChunk { metadata_id, devices, from: day(number), to: day(number + 1) };
        let Outcome::Issue(outcome) = self.act(Command::Issue(chunk)) else { unreachable!("an issue") };
        let mut expected = 0;
        for (_, hour) in self.hours.range_mut(day(number)..day(number + 1)) {
            let more = (hour.read - hour.live).max(0);
            hour.live += more;
            expected += more;
        }
        assert_eq!((outcome.quantity, outcome.refused), (kept(expected), Vec::new()), "issued for day {number}");
    }

    /// The battery takes in: with certificates of the same hour, as far as there are any, that were cancelled for it.
    fn charge(&mut self, hour: i64) {
        let interval = hour_at(hour);
        let energy = charge_of(hour);
        let bundle = self.bundle_of(self.producer, interval.start());
        let backed = (energy / 10 * 9).min(bundle.1);
        let moved = self.trade(self.producer, bundle.0, kept(backed), Deed::Transfer { target: self.store });
        let purpose = Some(PURPOSE_STORAGE.to_owned());
        let cancel = Deed::Cancel { beneficiary: None, beneficiary_account: None, purpose };
        let cancelled = self.trade(self.store, moved.bundle_id, kept(backed), cancel);
        let scr = CreateScr {
            device_id: self.battery,
            interval,
            energy: kept(energy),
            allocation: Some(Allocation {
                device_id: self.wind,
                start: interval.start(),
                sdr_id: None,
                range: cancelled.range,
                energy_source: None,
            }),
            matching_method: None,
            account_id: None,
        };
        self.act(Command::CreateScr(scr));
        self.charged += kept(energy).0;
    }

    /// The battery gives out; half of what is certified is sold, in one bundle for each charge it drew on.
    fn discharge(&mut self, hour: i64, efficiency: Option<EfficiencyBasis>) {
        let interval = hour_at(hour);
        let energy = kept(battery_reading(hour).expect("it discharges then"));
        let method = Some(AllocationMethod::Fifo);
        let sdr = CreateSdr {
            device_id: self.battery,
            interval,
            energy,
            method,
            efficiency,
            energy_source: None,
            picks: Vec::new(),
            account_id: None,
        };
        let Outcome::Sdr { sdr, .. } = self.act(Command::CreateSdr(sdr)) else { unreachable!("a discharge") };
        let Outcome::Bundles { result, .. } = self.act(Command::IssueSdgc(sdr.id)) else { unreachable!("bundles") };
        assert!(self.discharges.insert(interval.start()), "one discharge of an hour");
        for certificate in result {
            let half = WattHours(certificate.range.quantity().0 / 2);
            if half > WattHours::ZERO {
                self.trade(self.store, certificate.bundle_id, half, Deed::Transfer { target: self.buyer });
            }
        }
    }

    /// As the trader, on a quantity of one bundle; the part that was acted on.
    fn trade(&self, source: AccountId, bundle: BundleId, energy: WattHours, deed: Deed) -> BundleResult {
        let target = if let Deed::Transfer { target } = deed { target } else { source };
        let action = BundleAction { source, bundles: vec![bundle], portion: Portion::Quantity(energy), deed };
        let answer = self.test.act_as(self.trader, Command::Bundles(action)).expect("the trader may");
        let Outcome::Bundles { result, total } = answer.outcome() else { unreachable!("bundles") };
        assert_eq!(total, energy, "all of it was acted on");
        let is_done = |part: &BundleResult| match part.status {
            BundleStatus::Active => target != source && part.account_id == target,
            other => other == BundleStatus::Cancelled,
        };
        let is_part = |part: &&BundleResult| is_done(part) && part.range.quantity() == energy;
        *result.iter().find(is_part).expect("a part of this size")
    }

    /// The largest Active bundle of the wind farm that an account holds of an hour, with its Wh.
    fn bundle_of(&mut self, account: AccountId, start: Timestamp) -> (BundleId, i64) {
        let found = self.reader.query_optional(
            "SELECT id, range_last - range_first + 1 FROM bundle WHERE account_id = $1 AND device_id = $2 \
             AND production_start = $3 AND status = $4 ORDER BY range_last - range_first DESC, id LIMIT 1",
            &[account.0.into(), self.wind.0.into(), start.into(), BundleStatus::Active.code().into()],
            |row| Ok((BundleId(row.get(0)?), row.get(1)?)),
        );
        found.expect("the database answers").expect("the account holds a bundle of this hour")
    }

    /// Each third of thirty days is read again: some hours upward, which is issued, some downward, of which is withdrawn what
    /// the producer still holds. The battery's readings stand, as records stand on them. Its factor is taken once.
    fn close_month(&mut self, first: i64) {
        for number in (first..first + 30).step_by(3) {
            self.correct(number);
        }
        let refused = self.read_again(self.battery, hour_at(24 * first + CHARGE_HOURS[0]).start(), -1);
        assert!(
            matches!(
                refused,
                Err(app::Error::Refused(Refusal::ReadingRefused { cause: ReadingRefusal::Recorded { .. } }))
            ),
            "a charge is recorded: {:?}",
            refused.map(app::Answer::outcome)
        );
        if first == 0 {
            let days = Interval::new(day(0), day(30)).expect("thirty days");
            let basis = EfficiencyBasis { interval: days, charge_before: CHARGE_KEPT, charge_after: CHARGE_KEPT };
            let unmeasured = CreateSdr {
                device_id: self.battery,
                interval: hour_at(DISCHARGE_HOURS[0]),
                energy: WattHours(1),
                method: Some(AllocationMethod::Fifo),
                efficiency: None,
                energy_source: None,
                picks: Vec::new(),
                account_id: None,
            };
            let refused = self.test.act(Command::CreateSdr(unmeasured));
            let is_refused =
                matches!(refused, Err(app::Error::Refused(Refusal::Storage(StorageRefusal::EfficiencyMissing { .. }))));
            assert!(is_refused, "a first discharge needs a factor");
            for number in 0..30 {
                for (place, hour) in DISCHARGE_HOURS.into_iter().enumerate() {
                    let basis = (number == 0 && place == 0).then_some(basis);
                    self.discharge(24 * number + hour, basis);
                }
            }
        }
        self.reopen();
        if first % 90 == 0 {
            assert_verified(self.test.database.url());
        }
        self.assert_exact();
    }

    /// Every fourth hour a tenth more, every fifth a tenth less.
    fn correct(&mut self, number: i64) {
        for of_day in 0..24 {
            let hour = 24 * number + of_day;
            let start = hour_at(hour).start();
            let read = match of_day {
                _ if of_day % 4 == 0 => weather(hour) / 10 * 11,
                _ if of_day % 5 == 0 => weather(hour) / 10 * 9,
                _ => continue,
            };
            let held = self.held(self.producer, start);
            self.read_again(self.wind, start, read).expect("the operator corrects");
            let known = self.hours.get_mut(&start).expect("the hour is known");
            let withdrawn = (known.live - read).clamp(0, held);
            *known = Hour { read, live: known.live - withdrawn };
            self.withdrawn += withdrawn;
        }
        self.issue(number);
    }

    fn read_again(&mut self, device: DeviceId, start: Timestamp, energy_wh: i64) -> Result<app::Answer, app::Error> {
        let current = self.reader.query_one(
            "SELECT id FROM measurement WHERE device_id = $1 AND start_at = $2 AND superseded_by IS NULL",
            &[device.0.into(), start.into()],
            |row| row.get(0),
        );
        let update = MeasurementUpdate {
            measurement: MeasurementId(current.expect("there is a reading")),
            energy_wh: Some(energy_wh),
            quality: None,
            place: StatedPlace::default(),
            source: None,
        };
        self.test.act(Command::UpdateMeasurement(update))
    }

    /// What an account holds Active of an hour of the wind farm.
    fn held(&mut self, account: AccountId, start: Timestamp) -> i64 {
        let sum = self.reader.query_one(
            "SELECT CAST(COALESCE(SUM(range_last - range_first + 1), 0) AS BIGINT) FROM bundle WHERE account_id = $1 \
             AND device_id = $2 AND production_start = $3 AND status = $4",
            &[account.0.into(), self.wind.0.into(), start.into(), BundleStatus::Active.code().into()],
            |row| row.get(0),
        );
        sum.expect("the database answers")
    }

    fn reopen(&mut self) {
        let spare = TestRegistry::on(Engine::Sqlite);
        let test = std::mem::replace(&mut self.test, spare);
        self.test = test.reopened();
    }

    /// Every interval has live certificates of just what was issued and not withdrawn: its reading, or the shortfall more
    /// that corrections left. Every Wh that was charged is certified, lost, drawn of none, or in the battery.
    fn assert_exact(&mut self) {
        let reader = &mut self.reader;
        let live: BTreeMap<Timestamp, i64> = reader
            .query(
                "SELECT production_start, CAST(SUM(range_last - range_first + 1) AS BIGINT) FROM bundle \
                 WHERE device_id = $1 AND status NOT IN ($2, $3) GROUP BY production_start",
                &[self.wind.0.into(), BundleStatus::Withdrawn.code().into(), BundleStatus::Split.code().into()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .expect("the database answers")
            .into_iter()
            .collect();
        let expected: BTreeMap<Timestamp, i64> = self.hours.iter().map(|(start, hour)| (*start, hour.live)).collect();
        assert_eq!(live, expected, "live certificates by hour");
        let reservoir = figure(
            reader,
            "SELECT CAST(COALESCE(SUM(energy_wh - drawn_backed_wh - drawn_unbacked_wh), 0) AS BIGINT) FROM scr",
        );
        let drawn = |sum: &str, reader: &mut db::Connection| {
            figure(reader, &format!("SELECT CAST(COALESCE(SUM({sum}), 0) AS BIGINT) FROM storage_draw"))
        };
        let certified = drawn("certificates", reader);
        let lost = drawn("backed_wh - certificates", reader);
        let of_none = drawn("unbacked_wh", reader);
        assert_eq!(self.charged, certified + lost + of_none + reservoir, "every Wh of the battery");
        let issued = figure(
            reader,
            "SELECT CAST(COALESCE(SUM(range_last - range_first + 1), 0) AS BIGINT) FROM bundle \
             WHERE draw_id IS NOT NULL AND status <> 8",
        );
        assert_eq!(issued, certified, "certificates of the battery are what its draws give");
        let discharged: i64 = self.discharges.iter().map(|start| battery_reading(hour_of(*start)).unwrap_or(0)).sum();
        assert!(certified > 0 && certified < kept(discharged).0, "{certified} Wh certified of {discharged} Wh");
    }

    /// Once for each due time, with what was ordered.
    fn assert_orders_ran(&mut self) {
        let reader = &mut self.reader;
        for (order, energy, every) in
            [(self.transfer, WEEKLY_TRANSFER, "week"), (self.cancellation, MONTHLY_CANCELLATION, "month")]
        {
            let runs: Vec<(Timestamp, Option<i64>)> = reader
                .query(
                    "SELECT due_at, energy_wh FROM order_run WHERE order_id = $1 ORDER BY due_at",
                    &[order.0.into()],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .expect("the database answers");
            let due: Vec<Timestamp> = match every {
                "week" => (1..=52).map(|week| day(7 * week) + SignedDuration::from_hours(6)).collect(),
                _ => ["04", "05", "06", "07", "08", "09", "10", "11", "12"]
                    .map(|month| at(&format!("2026-{month}-01T06:00:00Z")))
                    .into_iter()
                    .chain(["01", "02", "03"].map(|month| at(&format!("2027-{month}-01T06:00:00Z"))))
                    .collect(),
            };
            assert_eq!(runs.iter().map(|run| run.0).collect::<Vec<_>>(), due, "due each {every}");
            let wanted = Some(i64::try_from(energy.0).expect("a small figure"));
            assert!(runs.iter().all(|run| run.1 == wanted), "{runs:?}");
        }
    }

    /// The registry is off until everything has expired; what is Active then becomes Expired, and nothing else.
    fn stand_still(mut self) {
        self.test.time.set(at("2029-04-01T00:00:00Z"));
        self.reopen();
        let before = self.by_status();
        let expired = self.test.registry.expire_due().expect("it sweeps");
        let after = self.by_status();
        let active = before.get(&BundleStatus::Active.code()).copied().unwrap_or(0);
        assert!(active > 0 && i64::try_from(expired) == Ok(active), "{expired} of {active}");
        let mut wanted = before;
        wanted.remove(&BundleStatus::Active.code());
        *wanted.entry(BundleStatus::Expired.code()).or_default() += active;
        assert_eq!(after, wanted);
        assert_verified(self.test.database.url());
        self.assert_exact();
    }

    fn by_status(&mut self) -> BTreeMap<i64, i64> {
        let counted = self
            .reader
            .query("SELECT status, COUNT(*) FROM bundle GROUP BY status", &[], |row| Ok((row.get(0)?, row.get(1)?)));
        counted.expect("the database answers").into_iter().collect()
    }
}

fn hour_at(hour: i64) -> Interval {
    hours_from(start() + SignedDuration::from_hours(hour), 1).next().expect("one hour")
}

fn hour_of(at: Timestamp) -> i64 {
    (at.as_second() - start().as_second()) / 3_600
}

/// What the battery's meter says: charges are below zero; 85 % of a day's charge comes out again in two hours.
fn battery_reading(hour: i64) -> Option<i64> {
    let (day, of_day) = (hour.div_euclid(24), hour.rem_euclid(24));
    if CHARGE_HOURS.contains(&of_day) {
        return Some(-charge_of(hour));
    }
    let charged: i64 = CHARGE_HOURS.iter().map(|of_day| charge_of(24 * day + of_day)).sum();
    DISCHARGE_HOURS.contains(&of_day).then_some(charged * 85 / 200)
}

fn figure(reader: &mut db::Connection, sql: &str) -> u64 {
    let found: i64 = reader.query_one(sql, &[], |row| row.get(0)).expect("the database answers");
    u64::try_from(found).expect("sums of energy are not negative")
}
