//! Recurring orders run: at their time, each due time once, in order, whoever is off or there twice meanwhile.

use super::market::Market;
use app::Registry;
use domain::action::{UserUpdate, WhitelistUpdate};
use domain::recurring_order::{OrderDeed, OrderState, OrderTerms, PeriodUnit};
use domain::{AccountId, Actor, Command, EnergySource, Outcome, Portion, Ratio, RecurringOrder, Schedule, WattHours};
use jiff::{SignedDuration, Timestamp};
use testkit::model::{RunRow, Tables};
use testkit::{ENGINES, Engine, TestRegistry, assert_verified, at};

/// The first hour of the market's bundles lies a month before.
const FIRST: &str = "2026-03-02T06:00:00Z";

fn terms(market: &Market, portion: Portion) -> OrderTerms {
    let schedule = Schedule { first_at: at(FIRST), unit: PeriodUnit::Months, every: 1, runs: None };
    let [source, target, _] = market.accounts;
    OrderTerms { deed: OrderDeed::Transfer { target }, source, schedule, device: None, energy_source: None, portion }
}

fn quantity(wh: u64) -> Portion {
    Portion::Quantity(WattHours(wh))
}

fn place(market: &Market, terms: OrderTerms) -> RecurringOrder {
    match market.test.act_as(market.trader, Command::PlaceOrder(terms)).expect("they may").outcome() {
        Outcome::Order(order) => *order,
        other => unreachable!("placing an order gave {other:?}"),
    }
}

fn run(test: &TestRegistry) -> usize {
    test.registry.run_due_orders().expect("they run")
}

fn runs(test: &TestRegistry) -> Vec<RunRow> {
    Tables::read(&mut test.database.connect()).runs
}

fn order(test: &TestRegistry, id: i64) -> RecurringOrder {
    let found = store::recurring_order::by_ids(&mut test.database.connect(), &[id]).expect("it answers");
    found.into_iter().next().expect("it is there")
}

fn row(order: i64, due: &str, done: Result<i64, &str>) -> RunRow {
    let refusal = done.err().map(str::to_owned);
    RunRow { order, due_at: at(due), energy: done.ok(), refusal }
}

fn held_by(market: &Market, account: AccountId) -> i64 {
    let tables = Tables::read(&mut market.test.database.connect());
    let held = tables.bundles.iter().filter(|row| row.account == account.0 && row.status == 1);
    held.map(|row| row.last - row.first + 1).sum()
}

#[test]
fn an_order_runs_at_its_very_instant_and_takes_the_oldest_first() {
    for engine in ENGINES {
        let market = Market::of(engine, 4, 100);
        let test = &market.test;
        place(&market, terms(&market, quantity(150)));
        for (now, done) in [
            (at(FIRST) - SignedDuration::from_micros(1), 0),
            (at(FIRST), 1),
            (at(FIRST), 0),
            (at("2026-04-02T05:59:59.999999Z"), 0),
            (at("2026-04-02T06:00:00Z"), 1),
        ] {
            test.time.set(now);
            assert_eq!(run(test), done, "{engine:?} at {now}");
        }
        let expected = [row(1, FIRST, Ok(150)), row(1, "2026-04-02T06:00:00Z", Ok(150))];
        assert_eq!(runs(test), expected, "{engine:?}");
        let tables = Tables::read(&mut test.database.connect());
        let moved: Vec<i64> = tables.bundles.iter().filter(|row| row.account == 2).map(|row| row.id).collect();
        // the first whole, half of the second; then its rest and the third
        assert_eq!(moved, [1, 3, 5, 6], "{engine:?}");
        assert_eq!(held_by(&market, market.accounts[1]), 300);
        let action = test.request_of(runs_action(test));
        assert!(action.contains("\"recurring_order_id\":1") && action.contains("\"target_id\":2"), "{action}");
        assert_verified(test.database.url());
    }
}

/// The action of the last run.
fn runs_action(test: &TestRegistry) -> i64 {
    let sql = "SELECT MAX(action_id) FROM order_run";
    test.database.connect().query_one(sql, &[], |row| row.get(0)).expect("there are some")
}

#[test]
fn a_registry_that_was_off_runs_each_missed_due_time_once_and_in_order() {
    for engine in ENGINES {
        let market = Market::of(engine, 3, 100);
        place(&market, terms(&market, quantity(40)));
        let mut other = terms(&market, Portion::Share(Ratio::parse("0.5").expect("a plain decimal")));
        other.schedule =
            Schedule { first_at: at("2026-03-20T00:00:00Z"), unit: PeriodUnit::Weeks, every: 4, runs: Some(2) };
        place(&market, other);
        market.test.registry.close();
        market.test.time.set(at("2026-06-10T00:00:00Z"));
        let market = Market { test: market.test.reopened(), ..market };
        let test = &market.test;
        assert_eq!((run(test), run(test)), (6, 0), "{engine:?}");
        let done = [
            row(1, FIRST, Ok(40)),
            row(1, "2026-04-02T06:00:00Z", Ok(40)),
            row(1, "2026-05-02T06:00:00Z", Ok(40)),
            row(1, "2026-06-02T06:00:00Z", Err("not_enough")),
            // half of what the runs before left: 60 + 100 + 100, then 90 less 40 of them, and so on
            row(2, "2026-03-20T00:00:00Z", Ok(130)),
            row(2, "2026-04-17T00:00:00Z", Ok(45)),
        ];
        assert_eq!(runs(test), done, "{engine:?}");
        assert_eq!(order(test, 1).next_due_at, Some(at("2026-07-02T06:00:00Z")));
        assert_eq!(order(test, 2).state, OrderState::Ended);
        let sql = "SELECT due_at FROM order_run ORDER BY action_id";
        let in_order: Vec<Timestamp> = test.database.connect().query(sql, &[], |row| row.get(0)).expect("it answers");
        assert!(in_order.is_sorted(), "{in_order:?}");
        assert_verified(test.database.url());
    }
}

#[test]
fn runs_that_are_refused_leave_the_reason_and_the_order_goes_on() {
    for engine in ENGINES {
        let market = Market::of(engine, 2, 100);
        let test = &market.test;
        let [ada, bakery, _] = market.accounts;
        place(&market, terms(&market, quantity(150)));
        let whitelist = |add: Vec<AccountId>, remove: Vec<AccountId>| {
            test.act(Command::UpdateWhitelist(WhitelistUpdate { account_id: bakery, add, remove })).expect("they may");
        };
        let join = |accounts: Vec<AccountId>| {
            let Actor::User(user_id) = market.trader else { unreachable!("a user") };
            let update = UserUpdate { user_id, account_ids: Some(accounts), ..unchanged(user_id) };
            test.act(Command::UpdateUser(update)).expect("they may");
        };
        let mut due = at(FIRST);
        let mut at_next = |expected: Result<i64, &str>| {
            test.time.set(due);
            assert_eq!(run(test), 1);
            let last = runs(test).pop().expect("it ran");
            assert_eq!((last.due_at, last.energy, last.refusal.as_deref()), (due, expected.ok(), expected.err()));
            due = order(test, 1).next_due_at.expect("it goes on");
        };
        whitelist(vec![], vec![ada]);
        at_next(Err("not_whitelisted"));
        whitelist(vec![ada], vec![]);
        join(vec![bakery]);
        at_next(Err("forbidden"));
        join(vec![ada]);
        at_next(Ok(150));
        at_next(Err("not_enough"));
        let rejected = "SELECT COUNT(*) FROM rejected_action WHERE kind = 10 AND account_id = 1";
        let kept: i64 = test.database.connect().query_one(rejected, &[], |row| row.get(0)).expect("a count");
        assert_eq!(kept, 3, "{engine:?}: whose order it is can read each");
        assert_verified(test.database.url());
    }
}

fn unchanged(user_id: domain::UserId) -> UserUpdate {
    let (name, primary_contact, organisation) = (None, None, domain::action::Edit::Keep);
    UserUpdate { user_id, name, primary_contact, organisation, account_ids: None, password_hash: None }
}

#[test]
fn filters_select_when_it_runs_and_what_has_expired_is_not_there() {
    let market = Market::of(Engine::Sqlite, 2, 100);
    let test = &market.test;
    let other = test.device("other farm", market.accounts[0]);
    test.readings(other, testkit::hours_from(at("2026-02-05T00:00:00Z"), 1), 70);
    let (from, to) = (at("2026-02-05T00:00:00Z"), at("2026-02-06T00:00:00Z"));
    let chunk = domain::action::IssueChunk { metadata_id: market.metadata, devices: vec![other], from, to };
    test.act(Command::Issue(chunk)).expect("issued");
    let of = |device, energy_source| OrderTerms { device, energy_source, ..terms(&market, Portion::Whole) };
    place(&market, of(Some(other), None));
    place(&market, of(Some(other), Some(EnergySource::Wind)));
    place(&market, of(None, Some(EnergySource::SolarPv)));
    // long after the rest has expired
    let late = Schedule { first_at: at("2028-02-01T01:30:00Z"), unit: PeriodUnit::Years, every: 1, runs: Some(1) };
    place(&market, OrderTerms { schedule: late, ..of(Some(market.device), None) });
    test.time.set(at(FIRST));
    assert_eq!(run(test), 3);
    assert_eq!(
        runs(test),
        [row(1, FIRST, Ok(70)), row(2, FIRST, Err("nothing_matches")), row(3, FIRST, Err("nothing_matches"))]
    );
    for id in 1..=3 {
        test.act_as(market.trader, Command::EndOrder(domain::RecurringOrderId(id))).expect("they may");
    }
    test.time.set(late.first_at);
    assert_eq!(run(test), 1);
    assert_eq!(runs(test).pop(), Some(row(4, "2028-02-01T01:30:00Z", Ok(100))));
    assert_eq!(order(test, 4).state, OrderState::Ended);
    assert_verified(test.database.url());
}

#[test]
fn due_times_that_pass_during_a_pause_are_not_made_up_for() {
    let market = Market::of(Engine::Sqlite, 2, 100);
    let test = &market.test;
    let id = place(&market, terms(&market, quantity(10))).id;
    test.act_as(market.trader, Command::PauseOrder(id)).expect("they may");
    test.time.set(at("2026-05-20T00:00:00Z"));
    assert_eq!(run(test), 0);
    test.act_as(market.trader, Command::ResumeOrder(id)).expect("they may");
    assert_eq!(run(test), 0);
    test.time.set(at("2026-06-02T06:00:00Z"));
    assert_eq!(run(test), 1);
    assert_eq!(runs(test), [row(1, "2026-06-02T06:00:00Z", Ok(10))]);
    assert_verified(test.database.url());
}

#[test]
fn two_registries_run_each_due_time_once() {
    let market = Market::of(Engine::Postgres, 24, 1_000);
    let daily = Schedule { first_at: at(FIRST), unit: PeriodUnit::Days, every: 1, runs: Some(20) };
    for _ in 0..3 {
        place(&market, OrderTerms { schedule: daily, ..terms(&market, quantity(7)) });
    }
    market.test.time.set(at("2026-04-01T00:00:00Z"));
    let settings = TestRegistry::settings(&market.test.database);
    let other = Registry::open(settings, market.test.time.clock()).expect("it opens");
    let done = std::thread::scope(|scope| {
        let both = [&market.test.registry, &other];
        let both = both.map(|registry| scope.spawn(|| registry.run_due_orders().expect("they run")));
        both.map(|one| one.join().expect("no panic")).iter().sum::<usize>()
    });
    let left = market.test.registry.run_due_orders().expect("they run");
    other.close();
    assert_eq!(done + left, 60);
    assert_eq!(runs(&market.test).len(), 60);
    assert_eq!(held_by(&market, market.accounts[1]), 3 * 20 * 7);
    assert_verified(market.test.database.url());
}

#[test]
fn a_registry_does_by_itself_what_is_due_and_stops_with_it() {
    for engine in ENGINES {
        let market = Market::of(engine, 2, 100);
        place(&market, terms(&market, quantity(10)));
        market.test.registry.start_timed().expect("a thread");
        market.test.registry.start_timed().expect("once is enough");
        market.test.time.set(at(FIRST));
        let ran = testkit::until("the order ran", || runs(&market.test).pop());
        assert_eq!(ran, row(1, FIRST, Ok(10)));
        market.test.registry.close();
        assert_verified(market.test.database.url());
    }
}
