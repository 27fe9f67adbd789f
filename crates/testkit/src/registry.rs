//! A registry on a database of its own, and short ways to fill it.

use app::{Answer, Clock, Error, Registry, Settings};
use db::testing::{Engine, TestDatabase};
use domain::action::{
    BundleAction, BundleResult, Deed, NewAccount, NewDevice, NewUser, Portion, SubmitReadings, WhitelistUpdate,
};
use domain::{
    AccountId, ActionId, Actor, BundleId, Command, DeviceDescription, DeviceId, DeviceKind, EnergySource, GrossNet,
    Interval, MetadataDescription, MetadataId, OrganisationDescription, OrganisationId, Outcome, Quality, Ratio,
    Reading, ReadingSource, Role, Roles, Rules, UserId,
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Both engines: what is tested on one is tested on the other.
pub const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// Time that stands still until it is moved.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.as_microsecond())))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).expect("tests stay within the calendar")
    }

    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_microsecond(), Ordering::Relaxed);
    }

    pub fn advance(&self, by: SignedDuration) {
        self.set(self.now() + by);
    }

    pub fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::new(move || time.now())
    }
}

/// An instant, as RFC 3339 writes it.
pub fn at(text: &str) -> Timestamp {
    text.parse().expect("tests write instants as RFC 3339")
}

/// `count` hours, one after another.
pub fn hours_from(start: Timestamp, count: i64) -> impl Iterator<Item = Interval> {
    (0..count).map(move |hour| {
        let from = start + SignedDuration::from_hours(hour);
        Interval::new(from, from + SignedDuration::from_hours(1)).expect("an hour is not empty")
    })
}

pub struct TestRegistry {
    pub registry: Registry,
    pub time: TestClock,
    // After the registry, which must let go of it first.
    pub database: TestDatabase,
    settings: Settings,
}

impl TestRegistry {
    /// An empty registry; its time is noon of 1 March 2026 (UTC).
    pub fn on(engine: Engine) -> Self {
        Self::over(TestDatabase::migrated(engine, store::MIGRATIONS))
    }

    pub fn over(database: TestDatabase) -> Self {
        Self::opened(database, |_| ())
    }

    /// An empty registry with other settings than the defaults.
    pub fn with(engine: Engine, change: impl FnOnce(&mut Settings)) -> Self {
        Self::opened(TestDatabase::migrated(engine, store::MIGRATIONS), change)
    }

    fn opened(database: TestDatabase, change: impl FnOnce(&mut Settings)) -> Self {
        let time = TestClock::at(at("2026-03-01T12:00:00Z"));
        let mut settings = Self::settings(&database);
        change(&mut settings);
        let registry = Registry::open(settings.clone(), time.clock()).expect("the test's database opens");
        Self { registry, time, database, settings }
    }

    /// The defaults, on this database.
    pub fn settings(database: &TestDatabase) -> Settings {
        Self::settings_at(database.url())
    }

    /// The defaults, on the database with this address.
    pub fn settings_at(database: &db::Url) -> Settings {
        Settings {
            database: database.clone(),
            read_database: None,
            rules: Rules {
                expiry_years: 2,
                capacity_margin: Ratio::parse("1.1").expect("a plain decimal"),
                interval_max: SignedDuration::from_hours(1),
                sums_to_hour: false,
            },
            token_lifetime: SignedDuration::from_hours(1),
            query_period_days_max: 30,
            // Nobody listens there: a test that asks has a server of its own.
            elexon: source::Settings {
                base: "http://127.0.0.1:9".to_owned(),
                cache: None,
                wait: source::Wait::noted(Arc::default()),
            },
        }
    }

    /// An empty registry that asks this service, and makes no pauses.
    pub fn asking(engine: Engine, elexon: source::Settings) -> Self {
        Self::with(engine, |settings| settings.elexon = elexon)
    }

    /// An empty registry that issues readings of less than an hour by the hour.
    pub fn summing(engine: Engine) -> Self {
        Self::with(engine, |settings| settings.rules.sums_to_hour = true)
    }

    /// Closes the registry and opens it again on the same database, as a restart does.
    #[must_use]
    pub fn reopened(self) -> Self {
        let Self { registry, time, database, settings } = self;
        registry.close();
        drop(registry);
        let registry = Registry::open(settings.clone(), time.clock()).expect("the test's database opens");
        Self { registry, time, database, settings }
    }

    /// What was asked in an action, as it was kept with it.
    pub fn request_of(&self, action: i64) -> String {
        let found = store::action::by_id(&mut self.database.connect(), ActionId(action)).expect("the database answers");
        found.expect("the action was carried out").request
    }

    /// Whether any event holds this text as it is.
    pub fn is_in_an_event(&self, text: &str) -> bool {
        let mut found = false;
        let holds =
            |bytes: Option<&[u8]>| bytes.is_some_and(|b| b.windows(text.len()).any(|part| part == text.as_bytes()));
        let read = self.database.connect().query_each(
            "SELECT attributes_before, attributes_after FROM event",
            &[],
            |row| -> store::Result<()> {
                found |= holds(row.get(0)?) || holds(row.get(1)?);
                Ok(())
            },
        );
        read.expect("the database answers");
        found
    }

    // ── Commands ────────────────────────────────────────────────────────────

    pub fn act_as(&self, actor: Actor, command: Command) -> Result<Answer, Error> {
        self.registry.submit_as(actor, command, "{}".to_owned())?.wait()
    }

    /// As the operator.
    pub fn act(&self, command: Command) -> Result<Answer, Error> {
        self.act_as(Actor::Operator, command)
    }

    fn made(&self, command: Command) -> Outcome {
        self.act(command).expect("the operator may do it").outcome()
    }

    pub fn user(&self, name: &str, roles: &[Role], accounts: &[AccountId]) -> UserId {
        let new = NewUser {
            name: name.to_owned(),
            primary_contact: format!("{name}@example.org"),
            roles: Roles::of(roles),
            organisation: None,
            account_ids: accounts.to_vec(),
            password_hash: None,
        };
        match self.made(Command::CreateUser(new)) {
            Outcome::User(id) => id,
            other => unreachable!("creating a user gave {other:?}"),
        }
    }

    pub fn organisation(&self, name: &str) -> OrganisationId {
        let new = OrganisationDescription {
            name: name.to_owned(),
            business_id: "SC123456".to_owned(),
            primary_contact: "office@example.org".to_owned(),
            address: None,
            website: None,
        };
        match self.made(Command::CreateOrganisation(new)) {
            Outcome::Organisation(id) => id,
            other => unreachable!("creating an organisation gave {other:?}"),
        }
    }

    pub fn account(&self, name: &str) -> AccountId {
        self.account_of(name, None)
    }

    /// An account with an organisation behind it.
    pub fn account_of(&self, name: &str, organisation_id: Option<OrganisationId>) -> AccountId {
        let new = NewAccount { name: name.to_owned(), organisation_id, user_ids: Vec::new(), whitelist: Vec::new() };
        match self.made(Command::CreateAccount(new)) {
            Outcome::Account(id) => id,
            other => unreachable!("creating an account gave {other:?}"),
        }
    }

    /// Lets `sender` send to `receiver`.
    pub fn whitelist(&self, receiver: AccountId, sender: AccountId) {
        let update = WhitelistUpdate { account_id: receiver, add: vec![sender], remove: Vec::new() };
        self.made(Command::UpdateWhitelist(update));
    }

    /// A wind farm of 1 MW, in operation since 2020.
    pub fn device(&self, name: &str, account: AccountId) -> DeviceId {
        let new = NewDevice { account_id: account, description: device_description(name) };
        match self.made(Command::CreateDevice(new)) {
            Outcome::Device(id) => id,
            other => unreachable!("creating a device gave {other:?}"),
        }
    }

    /// A wind farm of 100 MW whose meter is this BM unit.
    pub fn unit(&self, unit: &str, account: AccountId) -> DeviceId {
        let own = device_description(unit);
        let description =
            DeviceDescription { meter_data_id: Some(unit.to_owned()), capacity_watts: 100_000_000, ..own };
        match self.made(Command::CreateDevice(NewDevice { account_id: account, description })) {
            Outcome::Device(id) => id,
            other => unreachable!("creating a device gave {other:?}"),
        }
    }

    pub fn metadata(&self) -> MetadataId {
        match self.made(Command::CreateMetadata(metadata_description())) {
            Outcome::Metadata(id) => id,
            other => unreachable!("creating metadata gave {other:?}"),
        }
    }

    /// Readings of `energy_wh` each, all of which must be accepted.
    pub fn readings(&self, device: DeviceId, intervals: impl Iterator<Item = Interval>, energy_wh: i64) {
        let readings = intervals.map(|interval| Reading {
            device_id: device,
            interval,
            energy_wh,
            gross_net: GrossNet::Net,
            quality: Quality::Measured,
        });
        let submission = SubmitReadings { readings: readings.collect(), source: ReadingSource::Submitted };
        match self.made(Command::SubmitReadings(submission)) {
            Outcome::Readings(outcome) => assert_eq!(outcome.refused, [], "readings are accepted"),
            other => unreachable!("submitting readings gave {other:?}"),
        }
    }

    /// Acts on whole bundles or a portion of them.
    pub fn bundles(
        &self,
        actor: Actor,
        source: AccountId,
        bundles: &[BundleId],
        portion: Portion,
        deed: Deed,
    ) -> Result<Vec<BundleResult>, Error> {
        let action = BundleAction { source, bundles: bundles.to_vec(), portion, deed };
        match self.act_as(actor, Command::Bundles(action))?.outcome() {
            Outcome::Bundles { result, .. } => Ok(result),
            other => unreachable!("acting on bundles gave {other:?}"),
        }
    }
}

pub fn device_description(name: &str) -> DeviceDescription {
    DeviceDescription {
        name: name.to_owned(),
        grid: "GB transmission".to_owned(),
        energy_source: EnergySource::Wind,
        technology_type: "onshore wind turbine".to_owned(),
        operational_date: at("2020-01-01T00:00:00Z"),
        capacity_watts: 1_000_000,
        peak_demand_watts: 10_000,
        location: "Orkney".to_owned(),
        meter_data_id: Some(format!("meter-{name}")),
        kind: DeviceKind::Production,
    }
}

pub fn metadata_description() -> MetadataDescription {
    MetadataDescription {
        country_of_issuance: "GB".to_owned(),
        connected_grid_identification: "GB grid".to_owned(),
        issuing_body: "Test issuing body".to_owned(),
        issue_market_zone: "GB".to_owned(),
        legal_status: None,
        issuance_purpose: Some("disclosure".to_owned()),
        support_received: None,
        quality_scheme_reference: None,
        dissemination_level: None,
    }
}
