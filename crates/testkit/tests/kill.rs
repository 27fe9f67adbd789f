//! A registry that is killed (SIGKILL) in the middle of its work, again and again: what it acknowledged is there, nothing
//! is half there, and the next one goes on.

use db::Connection;
use domain::recurring_order::{OrderDeed, OrderTerms, PeriodUnit};
use domain::{Portion, Schedule, WattHours};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use testkit::model::{Dice, Tables};
use testkit::{Engine, TestRegistry, assert_verified, at, hours_from, until};

const KILLS: u64 = 4;
const HOURS: i64 = 10;
const ENERGY_WH: i64 = 1_000_000;
/// Acknowledged lines before the end comes.
const LINES_MIN: i64 = 40;
const LINES_SPREAD: i64 = 300;

#[test]
fn what_was_acknowledged_before_a_kill_is_there_and_nothing_is_half_done_on_sqlite() {
    kill_and_look(Engine::Sqlite);
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_and_nothing_is_half_done_on_postgres() {
    kill_and_look(Engine::Postgres);
}

#[test]
fn orders_run_once_each_though_registries_are_killed_in_between_on_sqlite() {
    run_orders_and_kill(Engine::Sqlite, 1);
}

#[test]
fn orders_run_once_each_though_two_registries_run_them_and_are_killed_on_postgres() {
    run_orders_and_kill(Engine::Postgres, 2);
}

/// Due times of each order, and how many orders there are.
const DUE: u32 = 150;
const ORDERS: u32 = 3;
/// What each run moves.
const RUN_WH: u64 = 11;
/// When all of it is due, and nothing has expired.
const ALL_DUE: &str = "2026-12-01T00:00:00Z";

/// `at_once` registries run what is due until they are killed, again and again; the last one does the rest.
fn run_orders_and_kill(engine: Engine, at_once: usize) {
    let test = TestRegistry::on(engine);
    let accounts = ["Ada", "Bakery"].map(|name| test.account(name));
    test.whitelist(accounts[1], accounts[0]);
    let (device, metadata_id) = (test.device("farm", accounts[0]), test.metadata());
    let start = at("2026-02-01T00:00:00Z");
    test.readings(device, hours_from(start, HOURS), ENERGY_WH);
    let (from, to, devices) = (start, test.time.now(), vec![device]);
    test.act(domain::Command::Issue(domain::action::IssueChunk { metadata_id, devices, from, to })).expect("issued");
    let unit = PeriodUnit::Days;
    let schedule = Schedule { first_at: at("2026-03-02T00:00:00Z"), unit, every: 1, runs: Some(DUE) };
    for _ in 0..ORDERS {
        let (deed, portion) = (OrderDeed::Transfer { target: accounts[1] }, Portion::Quantity(WattHours(RUN_WH)));
        let terms = OrderTerms { deed, source: accounts[0], schedule, device: None, energy_source: None, portion };
        test.act(domain::Command::PlaceOrder(terms)).expect("the operator may");
    }
    test.registry.close();
    let mut reader = test.database.connect();
    let mut done = || Tables::read(&mut reader).runs.len();
    for wanted in [40, 140, 290] {
        let mut timed: Vec<Killed> = (0..at_once).map(|_| timed(&test)).collect();
        until("some runs are done", || (done() >= wanted).then_some(()));
        for one in &mut timed {
            one.0.kill().expect("it runs");
        }
        drop(timed);
        assert_verified(test.database.url());
    }
    test.time.set(at(ALL_DUE));
    let test = test.reopened();
    while test.registry.run_due_orders().expect("they run") > 0 {}
    let tables = Tables::read(&mut test.database.connect());
    let due: Vec<_> = schedule.due(0, DUE);
    let runs: Vec<_> = tables.runs.iter().map(|run| (run.order, run.due_at, run.energy)).collect();
    let energy = i64::try_from(RUN_WH).ok();
    let expected: Vec<_> =
        (1..=i64::from(ORDERS)).flat_map(|order| due.iter().map(move |due| (order, *due, energy))).collect();
    assert_eq!(runs, expected);
    let moved = tables.bundles.iter().filter(|row| row.account == accounts[1].0 && row.status == 1);
    let moved: i64 = moved.map(|row| row.last - row.first + 1).sum();
    assert_eq!(moved, i64::from(ORDERS * DUE) * i64::try_from(RUN_WH).expect("it is small"));
    assert_verified(test.database.url());
}

/// A registry in a process of its own that does what is due.
fn timed(test: &TestRegistry) -> Killed {
    let timed = Command::new(env!("CARGO_BIN_EXE_timed"))
        .args([test.database.url().expose(), ALL_DUE])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    Killed(timed.expect("it starts"))
}

/// What a registry said: the bundles that each action made or changed, as `id:first-last`.
type Acknowledged = BTreeMap<i64, Vec<String>>;

fn kill_and_look(engine: Engine) {
    let test = TestRegistry::on(engine);
    let accounts = ["Ada", "Bakery"].map(|name| test.account(name));
    test.whitelist(accounts[0], accounts[1]);
    test.whitelist(accounts[1], accounts[0]);
    let (device, metadata_id) = (test.device("farm", accounts[0]), test.metadata());
    let start = at("2026-02-01T00:00:00Z");
    test.readings(device, hours_from(start, HOURS), ENERGY_WH);
    let (from, to, devices) = (start, test.time.now(), vec![device]);
    test.act(domain::Command::Issue(domain::action::IssueChunk { metadata_id, devices, from, to })).expect("issued");
    test.registry.close();

    let mut dice = Dice::of_seed(7);
    let mut acknowledged = Acknowledged::new();
    for seed in 1..=KILLS {
        let lines = LINES_MIN + dice.below(LINES_SPREAD);
        let said = work_and_die(&test, seed, lines);
        assert!(
            i64::try_from(said.len()).expect("few lines") >= lines,
            "{engine:?}: the kill came after {lines} lines"
        );
        acknowledged.extend(said);
        look(&test, &acknowledged);
    }
    // And the next one goes on as if nothing had been.
    let test = test.reopened();
    test.account("Cinema");
    assert_verified(test.database.url());
}

/// Starts a registry in a process of its own and kills it after so many acknowledgements; returns all that were made.
fn work_and_die(test: &TestRegistry, seed: u64, lines: i64) -> Acknowledged {
    let newest = Tables::read(&mut test.database.connect()).bundles.iter().map(|row| row.id).max();
    let newest = newest.expect("bundles were issued").to_string();
    let mut hammer = Command::new(env!("CARGO_BIN_EXE_hammer"))
        .args([test.database.url().expose(), &seed.to_string(), &newest])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the hammer starts");
    let out = hammer.stdout.take().expect("its output is piped");
    let mut hammer = Killed(hammer);
    let (mut said, mut out) = (Acknowledged::new(), BufReader::new(out));
    for count in 1.. {
        let mut line = String::new();
        out.read_line(&mut line).expect("it can be read");
        // A line that the kill cut short was acknowledged to nobody.
        let Some(line) = line.strip_suffix('\n') else { break };
        if count == lines {
            hammer.0.kill().expect("it runs");
        }
        let mut words = line.split(' ').map(str::to_owned);
        let action = words.next().and_then(|word| word.parse().ok()).expect("an action's id");
        said.insert(action, words.collect());
    }
    said
}

/// Gone with the test, however it ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may be gone already.
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.0.wait();
    }
}

fn look(test: &TestRegistry, acknowledged: &Acknowledged) {
    let mut connection = test.database.connect();
    let tables = Tables::read(&mut connection);
    let ranges: BTreeMap<i64, String> =
        tables.bundles.iter().map(|row| (row.id, format!("{}:{}-{}", row.id, row.first, row.last))).collect();
    let counted = bundle_events(&mut connection);
    for (action, bundles) in acknowledged {
        for bundle in bundles {
            let id: i64 = bundle.split(':').next().and_then(|id| id.parse().ok()).expect("a bundle's id");
            assert_eq!(ranges.get(&id), Some(bundle), "what action {action} acknowledged");
        }
        let events = counted.get(action).copied().unwrap_or(0);
        assert_eq!(usize::try_from(events).ok(), Some(bundles.len()), "the events of action {action}");
    }
    let split = domain::BundleStatus::Split.code();
    let held = tables.bundles.iter().filter(|row| row.status != split).map(|row| row.last - row.first + 1);
    assert_eq!(held.sum::<i64>(), HOURS * ENERGY_WH, "nothing was lost or gained");
    assert_verified(test.database.url());
}

/// How many events about bundles each action has.
fn bundle_events(connection: &mut Connection) -> BTreeMap<i64, i64> {
    let sql = "SELECT a.id, COUNT(*) FROM action a JOIN event e ON e.number BETWEEN a.first_event AND a.last_event \
               GROUP BY a.id";
    let counted = connection.query(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)));
    counted.expect("the log can be read").into_iter().collect()
}
