//! Random commands against a naive model, on both engines. After each round the tables are what the model says, and every
//! answer is what the model foretold; every few rounds `verify` looks at the whole ledger.
//!
//! `SEED=17 cargo nextest run -p testkit simulation` replays one seed; `ROUNDS=5000` goes on for longer.

use app::Registry;
use domain::action::NewDevice;
use domain::{Actor, Command, DeviceDescription, DeviceKind, MetadataId, Outcome, Role};
use jiff::Timestamp;
use testkit::model::{Dice, Model, ModelDevice, Tables, Verdict};
use testkit::{Engine, TestRegistry, assert_verified, device_description};

const ROUNDS: u64 = 200;
const ROUNDS_BETWEEN_AUDITS: u64 = 50;
/// Commands of one round, submitted together.
const TOGETHER_MAX: i64 = 12;

#[test]
fn sqlite_does_what_the_model_does_seeds_1_to_3() {
    simulate_seeds(Engine::Sqlite, 1..=3);
}

#[test]
fn sqlite_does_what_the_model_does_seeds_4_to_6() {
    simulate_seeds(Engine::Sqlite, 4..=6);
}

#[test]
fn postgres_does_what_the_model_does_seeds_11_to_13() {
    simulate_seeds(Engine::Postgres, 11..=13);
}

#[test]
fn postgres_does_what_the_model_does_seeds_14_to_16() {
    simulate_seeds(Engine::Postgres, 14..=16);
}

#[test]
fn sqlite_keeps_storage_as_the_model_does_seeds_21_and_22() {
    simulate_storage(Engine::Sqlite, 21..=22);
}

#[test]
fn postgres_keeps_storage_as_the_model_does_seed_31() {
    simulate_storage(Engine::Postgres, 31..=31);
}

/// The same with dice that favour storage.
fn simulate_storage(engine: Engine, seeds: std::ops::RangeInclusive<u64>) {
    let rounds = variable("ROUNDS").unwrap_or(ROUNDS * 2);
    let seeds = variable("SEED").map_or(seeds, |seed| seed..=seed);
    let (mut charges, mut draws, mut certificates) = (0, 0, 0);
    for seed in seeds {
        let figures = simulate(engine, seed, rounds, Dice::of_storage(seed), populated(TestRegistry::on(engine)))
            .storage_figures();
        (charges, draws, certificates) = (charges + figures[0], draws + figures[1], certificates + figures[2]);
    }
    // The clock may run away from a battery before it has an efficiency factor, so that not every seed comes to much.
    let figures = format!("{charges} charges, {draws} draws, {certificates} certificates");
    assert!(variable("SEED").is_some() || (charges > 20 && draws > 20 && certificates > 0), "{figures}");
}

#[test]
fn sqlite_sums_hours_as_the_model_does_seeds_41_to_43() {
    simulate_parts(Engine::Sqlite, 41..=43);
}

#[test]
fn postgres_sums_hours_as_the_model_does_seed_51() {
    simulate_parts(Engine::Postgres, 51..=51);
}

/// The same on a registry that issues by the hour what is metered by the half or the quarter.
fn simulate_parts(engine: Engine, seeds: std::ops::RangeInclusive<u64>) {
    let rounds = variable("ROUNDS").unwrap_or(ROUNDS);
    let seeds = variable("SEED").map_or(seeds, |seed| seed..=seed);
    let mut sums = [0, 0];
    for seed in seeds {
        let (test, model) = populated(TestRegistry::summing(engine));
        let model = simulate(engine, seed, rounds, Dice::of_parts(seed), (test, model.summing()));
        sums = [0, 1].map(|place| sums[place] + model.sum_figures()[place]);
    }
    let [hours, corrected] = sums;
    assert!(variable("SEED").is_some() || (hours > 10 && corrected > 10), "{hours} hours summed, {corrected} anew");
}

fn simulate_seeds(engine: Engine, seeds: std::ops::RangeInclusive<u64>) {
    let wanted: Option<u64> = variable("SEED");
    let rounds = variable("ROUNDS").unwrap_or(ROUNDS);
    match wanted {
        Some(seed) => {
            simulate(engine, seed, rounds, Dice::of_seed(seed), populated(TestRegistry::on(engine)));
        }
        None => {
            for seed in seeds {
                simulate(engine, seed, rounds, Dice::of_seed(seed), populated(TestRegistry::on(engine)));
            }
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text}")))
}

/// Says how to see a failure again.
struct Replay {
    engine: Engine,
    seed: u64,
    round: u64,
}

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("on {:?}, in round {}; replay it with SEED={}", self.engine, self.round, self.seed);
        }
    }
}

/// What came of it comes back.
fn simulate(
    engine: Engine,
    seed: u64,
    rounds: u64,
    mut dice: Dice,
    (mut test, mut model): (TestRegistry, Model),
) -> Model {
    let mut replay = Replay { engine, seed, round: 0 };
    let mut reader = test.database.connect();
    let (mut carried_out, mut refused) = (0, 0);
    for round in 1..=rounds {
        replay.round = round;
        test.time.set(dice.tick(&model, test.time.now()));
        if dice.percent(10) {
            rehearse(&test.registry, &mut dice, &model, test.time.now());
        }
        if dice.percent(25) {
            let foretold = model.run_due_orders(test.time.now());
            assert_eq!(run_due_orders(&test.registry), foretold, "runs of orders");
        }
        if dice.percent(15) {
            let foretold = model.expire_due(test.time.now());
            assert_eq!(test.registry.expire_due().expect("it sweeps"), foretold, "bundles expired");
        }
        let count = if dice.percent(40) { 1 } else { 1 + dice.below(TOGETHER_MAX) };
        for verdict in play(&test.registry, &mut dice, &mut model, test.time.now(), count) {
            *(if verdict.is_refused() { &mut refused } else { &mut carried_out }) += 1;
        }
        Tables::read(&mut reader).assert_are(&model.tables());
        if round % ROUNDS_BETWEEN_AUDITS == 0 {
            assert_verified(test.database.url());
            test = test.reopened();
        }
    }
    assert_verified(test.database.url());
    // Neither the rules nor the refusals may go unseen because the dice are loaded.
    assert!(carried_out > rounds && refused > rounds / 2, "{carried_out} carried out, {refused} refused");
    model
}

/// All that is due, however many turns it takes.
fn run_due_orders(registry: &Registry) -> usize {
    let turns = std::iter::repeat_with(|| registry.run_due_orders().expect("they run"));
    turns.take_while(|runs| *runs > 0).sum()
}

/// Submits `count` commands without waiting in between, and compares each answer with what the model foretold.
fn play(registry: &Registry, dice: &mut Dice, model: &mut Model, now: Timestamp, count: i64) -> Vec<Verdict> {
    let mut queued = Vec::new();
    for _ in 0..count {
        let (actor, command) = dice.command(model, now);
        let foretold = model.act(now, actor, &command);
        let pending = registry.submit_as(actor, command.clone(), "{}".to_owned()).expect("the queue has room");
        queued.push((actor, command, foretold, pending));
    }
    let compared = queued.into_iter().map(|(actor, command, foretold, pending)| {
        let verdict = Verdict::of(pending.wait());
        assert_eq!(verdict, foretold, "answered, foretold: {actor:?} {command:?}");
        verdict
    });
    compared.collect()
}

/// A dry run says what would be, and the tables that are compared next show that it did nothing.
fn rehearse(registry: &Registry, dice: &mut Dice, model: &Model, now: Timestamp) {
    let (actor, command) = dice.command(model, now);
    let foretold = model.clone().act(now, actor, &command);
    let rehearsed = registry.dry_run_as(actor, &command).map(|(answer, _)| answer);
    assert_eq!(Verdict::of(rehearsed), foretold, "rehearsed, foretold: {actor:?} {command:?}");
}

/// Four accounts, seven users and five devices: an ordinary one, one whose capacity is soon reached, one that a producer
/// registered and nobody has approved yet, and two batteries.
fn populated(test: TestRegistry) -> (TestRegistry, Model) {
    let mut model = Model::from(test.time.now());
    let names = ["Ada", "Bakery", "Cinema", "Dairy"];
    let accounts = names.map(|name| test.account(name));
    for (id, name) in accounts.into_iter().zip(names) {
        model.account(id, name);
    }
    let [ada, bakery, cinema, dairy] = accounts;
    let people = [
        ("administrator", vec![Role::RegistryAdministrator], vec![]),
        ("issuer", vec![Role::GcIssuer], vec![]),
        ("meter", vec![Role::MeasurementBody], vec![]),
        ("trader", vec![Role::TradingUser], vec![ada, bakery]),
        ("other trader", vec![Role::TradingUser], vec![cinema]),
        ("producer", vec![Role::ProductionUser], vec![ada, dairy]),
        ("auditor", vec![Role::Auditor], vec![ada]),
    ];
    let mut producer = Actor::Operator;
    for (name, roles, accounts) in people {
        let id = test.user(name, &roles, &accounts);
        model.user(id, name, &roles, &accounts);
        if name == "producer" {
            producer = Actor::User(id);
        }
    }
    for (name, account, capacity_watts, actor) in
        [("large", ada, 1_000, Actor::Operator), ("small", bakery, 30, Actor::Operator), ("new", dairy, 500, producer)]
    {
        let description = DeviceDescription { capacity_watts, ..device_description(name) };
        let made = test
            .act_as(actor, Command::CreateDevice(NewDevice { account_id: account, description: description.clone() }));
        let Outcome::Device(id) = made.expect("they may").outcome() else { unreachable!("a device was made") };
        let is_approved = actor == Actor::Operator;
        model.device(id, ModelDevice::new(account, description, is_approved));
    }
    for (name, account) in [("battery", ada), ("other battery", bakery)] {
        let description = DeviceDescription {
            capacity_watts: 35,
            kind: DeviceKind::Storage,
            operational_date: "2026-01-01T00:00:00Z".parse().expect("an instant"),
            ..device_description(name)
        };
        let made = test.act(Command::CreateDevice(NewDevice { account_id: account, description: description.clone() }));
        let Outcome::Device(id) = made.expect("the operator may").outcome() else { unreachable!("a device was made") };
        model.device(id, ModelDevice::new(account, description, true));
    }
    let metadata: MetadataId = test.metadata();
    model.metadata(metadata);
    (test, model)
}
