//! A small ledger with something of everything, made by `domain` and `store` as the registry makes it: one action a
//! transaction. Also what an attacker has: SQL, and the seal.

use db::testing::TestDatabase;
use db::{Connection, Engine, Value};
use domain::action::{
    BundleAction, Deed, IssueChunk, MeasurementUpdate, NewAccount, NewDevice, NewUser, StatedPlace, SubmitReadings,
    WhitelistUpdate,
};
use domain::event::{EventBody, body_of};
use domain::seal::{self, Entry, Frontier, NO_HASH, SealedAction};
use domain::{
    AccountId, ActionKind, Actor, Bundle, BundleId, BundleStatus, CertificateRange, Change, Changes, Command,
    DeviceDescription, DeviceId, DeviceKind, EnergySource, EventNumber, GrossNet, Interval, MeasurementId,
    MetadataDescription, MetadataId, OrganisationDescription, OrganisationId, Portion, Quality, Ratio, Reading,
    ReadingSource, Role, Roles, Rules, State, UserId, WattHours, decide,
};
use jiff::{SignedDuration, Timestamp};
use store::action::ActionRow;
use store::event::EventRow;
use verify::{Finding, FindingKind, Noun, Options, Report};

pub(crate) const ADMIN: Actor = Actor::User(UserId(1));
pub(crate) const ISSUER: Actor = Actor::User(UserId(2));
pub(crate) const METERING: Actor = Actor::User(UserId(3));
/// Trades and produces for account 1.
pub(crate) const ALICE: Actor = Actor::User(UserId(4));
/// Trades for account 2.
pub(crate) const BOB: Actor = Actor::User(UserId(5));
/// Alice's account. It accepted from Bob's, and does no more.
pub(crate) const A: AccountId = AccountId(1);
/// Bob's account. It accepts from Alice's.
pub(crate) const B: AccountId = AccountId(2);
/// Accepts from nobody.
pub(crate) const C: AccountId = AccountId(3);
/// 1 MW, hourly readings.
pub(crate) const WIND: DeviceId = DeviceId(1);
/// 500 kW, readings of a quarter of an hour.
pub(crate) const SOLAR: DeviceId = DeviceId(2);

/// What is whole and Active in account 1 in the end, of the wind farm.
pub(crate) const WHOLE: BundleId = BundleId(11);

pub(crate) struct Ledger {
    pub(crate) connection: Connection,
    pub(crate) now: Timestamp,
    salts: u8,
    pub(crate) rules: Rules,
    _database: TestDatabase,
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Runs a test on an equal ledger in each database.
pub(crate) fn on_both(test: impl Fn(&mut Ledger)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut ledger = Ledger::empty(engine);
        ledger.fill();
        test(&mut ledger);
    }
}

impl Ledger {
    pub(crate) fn empty(engine: Engine) -> Self {
        let database = TestDatabase::migrated(engine, store::MIGRATIONS);
        let connection = database.connect();
        let rules = Rules {
            expiry_years: 2,
            capacity_margin: Ratio::parse("1.1").unwrap(),
            interval_max: SignedDuration::from_hours(1),
            sums_to_hour: false,
        };
        Self { connection, now: at("2026-02-01T00:00:00Z"), salts: 0, rules, _database: database }
    }

    pub(crate) fn audit(&mut self) -> Report {
        verify::run(&mut self.connection, &Options::default(), |_| {}).unwrap()
    }

    /// The finding of this kind on this thing; fails with all findings if there is not exactly one.
    #[track_caller]
    pub(crate) fn finds(&mut self, kind: FindingKind, entity: Noun, id: i64) -> Finding {
        let report = self.audit();
        assert!(!report.is_clean());
        let is_it = |finding: &&Finding| (finding.kind, finding.entity, finding.entity_id) == (kind, entity, id);
        let found: Vec<&Finding> = report.findings.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{kind:?} of {entity:?} {id} in {:#?}", report.findings);
        found[0].clone()
    }

    /// As [`finds`](Self::finds), and there is no other finding.
    #[track_caller]
    pub(crate) fn finds_only(&mut self, kind: FindingKind, entity: Noun, id: i64) -> Finding {
        let finding = self.finds(kind, entity, id);
        let report = self.audit();
        assert_eq!(report.findings, std::slice::from_ref(&finding));
        assert_eq!(report.violations, 1);
        finding
    }

    // ── As the registry does it ─────────────────────────────────────────────

    pub(crate) fn act(&mut self, actor: Actor, command: &Command) {
        let (now, rules) = (self.now, self.rules);
        self.seal(actor, command, None, |state| {
            decide(state, actor, command, now, &rules).unwrap_or_else(|refusal| panic!("{command:?}: {refusal}")).0
        });
    }

    /// Writes and seals changes that no rule has seen, with what `command` names loaded.
    pub(crate) fn forge(
        &mut self,
        actor: Actor,
        kind: ActionKind,
        command: &Command,
        changes: impl FnOnce(&State) -> Changes,
    ) {
        self.seal(actor, command, Some(kind), |state| changes(state));
    }

    /// As [`forge`](Self::forge), where the state itself must be made to go along.
    pub(crate) fn forge_with(
        &mut self,
        actor: Actor,
        kind: ActionKind,
        command: &Command,
        changes: impl FnOnce(&mut State) -> Changes,
    ) {
        self.seal(actor, command, Some(kind), changes);
    }

    fn seal(
        &mut self,
        actor: Actor,
        command: &Command,
        kind: Option<ActionKind>,
        changes: impl FnOnce(&mut State) -> Changes,
    ) {
        let (now, first_salt) = (self.now, self.salts);
        let written = self.connection.transaction(|tx| -> db::Result<usize> {
            let mut head = store::head::lock(tx)?;
            let mut state = store::batch::load(tx, head.next, std::iter::once((actor, command)))?;
            store::batch::load_apart(tx, &mut state, now, std::iter::once(command))?;
            let changes = changes(&mut state);
            assert!(!changes.is_empty(), "{command:?} changes nothing");
            let kind = kind.unwrap_or_else(|| command.kind_of_action(&changes));
            let id = state.next.action;
            state.apply(id, &changes);
            state.next.action = id.next();
            let (salt, request) = ([first_salt; 16], format!("{{\"asked\":{}}}", id.0));
            let requested_at = now - SignedDuration::from_millis(1);
            let sealed = SealedAction { id, kind, actor: actor.code(), requested_at, salt: &salt, request: &request };
            let hash = seal::action_hash(&sealed);
            let (mut events, first_event) = (Vec::new(), head.event_number.next());
            for (index, change) in (1_u8..).zip(&changes) {
                let mut salt = salt;
                salt[0] = index;
                let body = body_of(change, &salt);
                let number = head.event_number.next();
                let leaf = leaf_of(number, now, id.0, &hash, &body, &salt, &head.leaf);
                (head.event_number, head.leaf) = (number, leaf);
                head.frontier.append(leaf);
                events.push(EventRow { number, recorded_at: now, action_id: id, body, salt, leaf });
            }
            let action = ActionRow {
                id,
                kind,
                actor: actor.code(),
                account_id: None,
                other_account_id: None,
                requested_at,
                completed_at: now,
                request,
                salt,
                hash,
                first_event,
                last_event: head.event_number,
            };
            store::batch::write(tx, &state, &[action], &events)?;
            (head.next, head.recorded_at) = (state.next, now);
            store::head::save(tx, &head)?;
            Ok(changes.len())
        });
        written.unwrap();
        self.salts = self.salts.wrapping_add(1);
        self.now += SignedDuration::from_secs(1);
    }

    /// Users, accounts, devices, readings, issues, and each action on bundles once.
    pub(crate) fn fill(&mut self) {
        self.register();
        self.measure_and_issue();
        // bundle 1 of 1,000 Wh: 250 of it go to Bob as 13
        self.bundles(ALICE, A, &[1], Portion::Quantity(WattHours(250)), Deed::Transfer { target: B });
        self.bundles(ALICE, A, &[2], Portion::Whole, Deed::Transfer { target: B });
        // of 3 half, 15, for Bob, who claims 20 Wh of it as 17
        self.bundles(ALICE, A, &[3], Portion::Share(Ratio::parse("0.5").unwrap()), cancellation());
        self.bundles(BOB, A, &[15], Portion::Quantity(WattHours(20)), Deed::Claim);
        self.bundles(ISSUER, A, &[4, 5], Portion::Whole, Deed::Lock { reason: "a doubt".to_owned() });
        self.bundles(ISSUER, A, &[4], Portion::Whole, Deed::Unlock { reason: "none left".to_owned() });
        let withdrawal = Deed::Withdraw { reason: "a wrong meter".to_owned(), export_failed: false };
        self.bundles(ISSUER, A, &[6], Portion::Quantity(WattHours(10)), withdrawal);
        self.bundles(ALICE, A, &[7], Portion::Whole, Deed::Reserve { target_registry: None });
        let update = WhitelistUpdate { account_id: A, add: vec![], remove: vec![B] };
        self.act(ALICE, &Command::UpdateWhitelist(update));
    }

    fn register(&mut self) {
        let people: [(&str, &[Role]); 5] = [
            ("Admin", &[Role::RegistryAdministrator]),
            ("Issuer", &[Role::GcIssuer]),
            ("Metering", &[Role::MeasurementBody]),
            ("Alice", &[Role::TradingUser, Role::ProductionUser]),
            ("Bob", &[Role::TradingUser]),
        ];
        for (index, (name, roles)) in people.into_iter().enumerate() {
            let user = NewUser {
                name: name.to_owned(),
                primary_contact: format!("{name}@example.org"),
                roles: Roles::of(roles),
                organisation: (name == "Alice").then(|| "Alice Ltd".to_owned()),
                account_ids: vec![],
                password_hash: None,
            };
            self.act(if index == 0 { Actor::Operator } else { ADMIN }, &Command::CreateUser(user));
        }
        let organisation = OrganisationDescription {
            name: "Alice Ltd".to_owned(),
            business_id: "12345".to_owned(),
            primary_contact: "office@example.org".to_owned(),
            address: None,
            website: Some("https://example.org".to_owned()),
        };
        self.act(ADMIN, &Command::CreateOrganisation(organisation));
        let account = |name: &str, users: &[i64], whitelist: &[i64]| NewAccount {
            name: name.to_owned(),
            organisation_id: (name == "Alice Ltd").then_some(OrganisationId(1)),
            user_ids: users.iter().map(|id| UserId(*id)).collect(),
            whitelist: whitelist.iter().map(|id| AccountId(*id)).collect(),
        };
        self.act(ADMIN, &Command::CreateAccount(account("Alice Ltd", &[4], &[])));
        self.act(ADMIN, &Command::CreateAccount(account("Bob plc", &[5], &[1])));
        self.act(ADMIN, &Command::CreateAccount(account("Carol SA", &[], &[])));
        let update = WhitelistUpdate { account_id: A, add: vec![B], remove: vec![] };
        self.act(ALICE, &Command::UpdateWhitelist(update));
        self.act(ADMIN, &Command::CreateDevice(device("North wind", EnergySource::Wind, 1_000_000)));
        self.act(ALICE, &Command::CreateDevice(device("South roof", EnergySource::SolarPv, 500_000)));
        self.act(ADMIN, &Command::ApproveDevice(SOLAR));
        let metadata = MetadataDescription {
            country_of_issuance: "DE".to_owned(),
            connected_grid_identification: "50Hertz".to_owned(),
            issuing_body: "Granary".to_owned(),
            issue_market_zone: "DE-LU".to_owned(),
            legal_status: None,
            issuance_purpose: Some("disclosure".to_owned()),
            support_received: None,
            quality_scheme_reference: None,
            dissemination_level: None,
        };
        self.act(ISSUER, &Command::CreateMetadata(metadata));
    }

    /// Eight hours of wind with 1,000 Wh each, four quarters of sun with 100 Wh: bundles 1 to 12, of the sun 2 to 5. Reading 9 corrects 8.
    fn measure_and_issue(&mut self) {
        let wind = (0..8).map(|hour| reading(WIND, hour * 60, 60, 1_000));
        self.submit(wind.collect());
        self.submit(vec![reading(WIND, 7 * 60, 60, 900)]);
        self.submit((0..4).map(|quarter| reading(SOLAR, quarter * 15, 15, 100)).collect());
        for hour in [0, 60, 120, 180] {
            self.issue(hour, hour + 60);
        }
        self.issue(240, 480);
    }

    pub(crate) fn submit(&mut self, readings: Vec<Reading>) {
        let submission = SubmitReadings { readings, source: ReadingSource::Submitted };
        self.act(METERING, &Command::SubmitReadings(submission));
    }

    pub(crate) fn correct(&mut self, measurement: i64, energy_wh: i64) {
        let (measurement, place) = (MeasurementId(measurement), StatedPlace::default());
        let update = MeasurementUpdate { measurement, energy_wh: Some(energy_wh), quality: None, place, source: None };
        self.act(METERING, &Command::UpdateMeasurement(update));
    }

    pub(crate) fn release(&mut self, measurement: i64) {
        let (measurement, reason) = (MeasurementId(measurement), "none left".to_owned());
        self.act(ISSUER, &Command::ReleaseHold { measurement, reason });
    }

    pub(crate) fn issue(&mut self, from: i64, to: i64) {
        self.act(ISSUER, &Command::Issue(chunk(from, to)));
    }

    pub(crate) fn bundles(&mut self, actor: Actor, source: AccountId, ids: &[i64], portion: Portion, deed: Deed) {
        self.act(actor, &Command::Bundles(on(source, ids, portion, deed)));
    }

    // ── As an attacker does it ──────────────────────────────────────────────

    pub(crate) fn sql(&mut self, text: &str) {
        self.connection.batch(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    /// Takes away what keeps the log and the actions from being changed.
    pub(crate) fn unprotect(&mut self) {
        for table in ["event", "action"] {
            match self.connection.engine() {
                Engine::Sqlite => {
                    self.sql(&format!("DROP TRIGGER {table}_update; DROP TRIGGER {table}_delete"));
                }
                Engine::Postgres => self.sql(&format!("DROP TRIGGER {table}_change ON {table}")),
            }
        }
    }

    /// An instant as the database writes it.
    pub(crate) fn instant(&self, text: &str) -> String {
        match self.connection.engine() {
            Engine::Sqlite => at(text).as_microsecond().to_string(),
            Engine::Postgres => format!("TIMESTAMPTZ '{text}'"),
        }
    }

    /// Computes hashes, leaves and head of what now stands in the tables, as one who may write everything can.
    pub(crate) fn reseal(&mut self) {
        let connection = &mut self.connection;
        let actions = connection.query(
            "SELECT id, kind, actor, requested_at, salt, request FROM action ORDER BY id",
            &[],
            |row| {
                let salt: [u8; 16] = row.get(4)?;
                let sealed = SealedAction {
                    id: domain::ActionId(row.get(0)?),
                    kind: ActionKind::from_code(row.get(1)?).unwrap(),
                    actor: row.get(2)?,
                    requested_at: row.get(3)?,
                    salt: &salt,
                    request: row.get(5)?,
                };
                Ok((sealed.id.0, seal::action_hash(&sealed)))
            },
        );
        let actions: std::collections::HashMap<i64, [u8; 32]> = actions.unwrap().into_iter().collect();
        let (mut previous, mut frontier, mut leaves) = (NO_HASH, Frontier::default(), Vec::new());
        connection
            .query_each(
                "SELECT number, recorded_at, action_id, entity, entity_id, event_type, attributes_before, \
                 attributes_after, salt FROM event ORDER BY number",
                &[],
                |row| -> db::Result<()> {
                    let (action_id, salt): (i64, [u8; 16]) = (row.get(2)?, row.get(8)?);
                    previous = seal::leaf_hash(&Entry {
                        number: EventNumber(row.get(0)?),
                        recorded_at: row.get(1)?,
                        action_id: domain::ActionId(action_id),
                        action_hash: &actions[&action_id],
                        entity: row.get(3)?,
                        entity_id: row.get(4)?,
                        event_type: row.get(5)?,
                        salt: &salt,
                        before: row.get::<Option<&[u8]>>(6)?.unwrap_or_default(),
                        after: row.get::<Option<&[u8]>>(7)?.unwrap_or_default(),
                        previous: &previous,
                    });
                    frontier.append(previous);
                    leaves.push((row.get::<i64>(0)?, previous));
                    Ok(())
                },
            )
            .unwrap();
        for (id, hash) in &actions {
            self.put("UPDATE action SET hash = $1 WHERE id = $2", &[hash.into(), (*id).into()]);
        }
        for (number, leaf) in &leaves {
            self.put("UPDATE event SET leaf = $1 WHERE number = $2", &[leaf.into(), (*number).into()]);
        }
        let (peaks, last) = (frontier.to_bytes(), leaves.len());
        let last = i64::try_from(last).unwrap();
        self.put(
            "UPDATE ledger_head SET event_number = $1, leaf = $2, peaks = $3",
            &[last.into(), (&previous).into(), (&peaks).into()],
        );
    }

    pub(crate) fn put(&mut self, text: &str, values: &[Value<'_>]) {
        self.connection.execute(text, values).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

fn leaf_of(
    number: EventNumber,
    recorded_at: Timestamp,
    action: i64,
    action_hash: &[u8; 32],
    body: &EventBody,
    salt: &[u8; 16],
    previous: &[u8; 32],
) -> [u8; 32] {
    seal::leaf_hash(&Entry {
        number,
        recorded_at,
        action_id: domain::ActionId(action),
        action_hash,
        entity: u8::try_from(body.entity.code()).unwrap(),
        entity_id: body.entity_id,
        event_type: u8::try_from(body.event_type.code()).unwrap(),
        salt,
        before: &body.before,
        after: &body.after,
        previous,
    })
}

/// From midnight of 1 January 2026, in minutes.
pub(crate) fn interval(start: i64, minutes: i64) -> Interval {
    let midnight = at("2026-01-01T00:00:00Z");
    let start = midnight + SignedDuration::from_mins(start);
    Interval::new(start, start + SignedDuration::from_mins(minutes)).unwrap()
}

pub(crate) fn reading(device: DeviceId, start: i64, minutes: i64, energy_wh: i64) -> Reading {
    Reading {
        device_id: device,
        interval: interval(start, minutes),
        energy_wh,
        gross_net: GrossNet::Net,
        quality: Quality::Measured,
    }
}

pub(crate) fn chunk(from: i64, to: i64) -> IssueChunk {
    let (from, to) = (interval(from, 1).start(), interval(to, 1).start());
    IssueChunk { metadata_id: MetadataId(1), devices: vec![WIND, SOLAR], from, to }
}

pub(crate) fn on(source: AccountId, ids: &[i64], portion: Portion, deed: Deed) -> BundleAction {
    BundleAction { source, bundles: ids.iter().map(|id| BundleId(*id)).collect(), portion, deed }
}

pub(crate) fn device(name: &str, energy_source: EnergySource, capacity_watts: u64) -> NewDevice {
    NewDevice {
        account_id: A,
        description: DeviceDescription {
            name: name.to_owned(),
            grid: "50Hertz".to_owned(),
            energy_source,
            technology_type: "T010000".to_owned(),
            operational_date: at("2020-01-01T00:00:00Z"),
            capacity_watts,
            peak_demand_watts: 0,
            location: "53.1, 13.2".to_owned(),
            meter_data_id: Some(format!("meter of {name}")),
            kind: DeviceKind::Production,
        },
    }
}

fn cancellation() -> Deed {
    Deed::Cancel {
        beneficiary: Some("Bob's bakery".to_owned()),
        beneficiary_account: Some(B),
        purpose: Some("bread".to_owned()),
    }
}

/// A bundle that `state` would go on with: the next id and certificates of its device, in its interval.
pub(crate) fn next_bundle(
    state: &State,
    device: DeviceId,
    production: Interval,
    quantity: u64,
    now: Timestamp,
) -> Bundle {
    let known = &state.devices[&device];
    let (attributes_id, hash) = state.attributes[&(device, 1, MetadataId(1))];
    let mut bundle = Bundle {
        id: state.next.bundle,
        account_id: known.account_id,
        device_id: device,
        attributes_id,
        range: CertificateRange::starting(known.next_certificate, WattHours(quantity)).unwrap(),
        production,
        issued_at: now,
        expires_at: domain::time::expiry(production.end(), 2).unwrap(),
        parent_id: None,
        status: BundleStatus::Active,
        cancellation: None,
        draw_id: None,
        hash: [0; 32],
    };
    bundle.hash = seal::bundle_hash(&bundle, &hash);
    bundle
}

/// A bundle as it becomes.
pub(crate) fn changed(bundle: &Bundle, change: impl FnOnce(&mut domain::bundle::Mutable)) -> Change {
    let (before, mut after) = (bundle.mutable(), bundle.mutable());
    change(&mut after);
    Change::BundleChanged { id: bundle.id, before, after }
}

/// A child of a bundle with certificates of its own.
pub(crate) fn child(parent: &Bundle, id: BundleId, first: u64, last: u64) -> Bundle {
    let range = CertificateRange::new(first, last).unwrap();
    let mut child = Bundle { id, range, parent_id: Some(parent.id), ..parent.clone() };
    child.hash = seal::child_hash(&child, &parent.hash);
    child
}
