//! The sweep of what has expired: all of it, at its time and once, whatever the calendar does and however often it is asked.

use super::market::{Market, START};
use app::{Registry, Settings};
use domain::action::{Deed, IssueChunk};
use domain::{BundleStatus, Command, Outcome, Portion, Rules, WattHours};
use jiff::{SignedDuration, Timestamp};
use testkit::{ENGINES, Engine, TestRegistry, assert_verified, at, hours_from};

/// How many bundles are in a state, as their rows say.
fn count(test: &TestRegistry, status: BundleStatus) -> i64 {
    let sql = "SELECT COUNT(*) FROM bundle WHERE status = $1";
    let counted = test.database.connect().query_one(sql, &[status.code().into()], |row| row.get(0));
    counted.expect("the database answers")
}

fn sweep(test: &TestRegistry) -> usize {
    test.registry.expire_due().expect("it sweeps")
}

/// How many actions of expiry there are, and how many events of theirs.
fn actions(test: &TestRegistry) -> (i64, i64) {
    let sql =
        "SELECT COUNT(*), CAST(COALESCE(SUM(last_event - first_event + 1), 0) AS BIGINT) FROM action WHERE kind = 35";
    let counted = test.database.connect().query_one(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)));
    counted.expect("the database answers")
}

/// Issues an hour's reading of 100 Wh for each hour from `start` on.
fn issued(market: &Market, start: Timestamp, hours: i64) {
    market.test.readings(market.device, hours_from(start, hours), 100);
    let to = start + SignedDuration::from_hours(hours);
    let chunk = IssueChunk { metadata_id: market.metadata, devices: vec![market.device], from: start, to };
    match market.test.act(Command::Issue(chunk)).expect("issued").outcome() {
        Outcome::Issue(issue) => assert_eq!(i64::try_from(issue.issued), Ok(hours)),
        other => unreachable!("issuing gave {other:?}"),
    }
}

#[test]
fn each_hour_expires_at_its_instant_with_an_event_for_each_bundle() {
    for engine in ENGINES {
        let market = Market::of(engine, 24, 100);
        let test = &market.test;
        // three parts of one hour, and another that is used up and locked before
        let [ada, ..] = market.accounts;
        let part = |wh| Portion::Quantity(WattHours(wh));
        let deed = Deed::Transfer { target: market.accounts[1] };
        test.bundles(market.trader, ada, &market.bundles[..1], part(30), deed).expect("they may");
        let gone = Deed::Cancel { beneficiary: None, beneficiary_account: None, purpose: None };
        test.bundles(market.trader, ada, &market.bundles[1..2], part(40), gone).expect("they may");
        let lock = Deed::Lock { reason: "a doubt".to_owned() };
        test.bundles(domain::Actor::Operator, ada, &market.bundles[2..3], Portion::Whole, lock).expect("they may");
        let first = at("2028-02-01T01:00:00Z");
        for (now, found) in [
            (first - SignedDuration::from_micros(1), 0),
            (first, 2),
            (first, 0),
            (first + SignedDuration::from_micros(1), 0),
            (first + SignedDuration::from_hours(1), 1),
            (first + SignedDuration::from_hours(2), 1),
            (first + SignedDuration::from_hours(23), 21),
            (first + SignedDuration::from_hours(24 * 400), 0),
        ] {
            test.time.set(now);
            assert_eq!(sweep(test), found, "{engine:?} at {now}");
        }
        assert_eq!((count(test, BundleStatus::Active), count(test, BundleStatus::Expired)), (0, 25));
        assert_eq!((count(test, BundleStatus::Locked), count(test, BundleStatus::Cancelled)), (0, 1));
        assert_eq!(actions(test), (4, 25));
        assert_verified(test.database.url());
    }
}

#[test]
fn a_registry_that_was_off_for_a_month_expires_all_of_it_at_its_start() {
    for engine in ENGINES {
        let market = Market::of(engine, 24 * 28, 100);
        let test = &market.test;
        test.time.set(at("2028-01-31T12:00:00Z"));
        assert_eq!(sweep(test), 0);
        test.registry.close();
        test.time.set(at("2028-03-02T00:00:00Z"));
        let market = Market { test: market.test.reopened(), ..market };
        assert_eq!(sweep(&market.test), 24 * 28, "{engine:?}");
        assert_eq!(count(&market.test, BundleStatus::Active), 0);
        assert_verified(market.test.database.url());
    }
}

#[test]
fn a_leap_day_expires_with_the_day_before_it() {
    let market = Market::of(Engine::Sqlite, 0, 0);
    let test = &market.test;
    issued(&market, at("2024-02-28T00:00:00Z"), 72);
    // Born Expired are only those whose time had come: the registry's time is 1 March 2026, noon.
    assert_eq!((count(test, BundleStatus::Expired), count(test, BundleStatus::Active)), (48 + 12, 12));

    let later = Market::of(Engine::Sqlite, 0, 0);
    let test = &later.test;
    test.time.set(at("2028-03-05T00:00:00Z"));
    issued(&later, at("2028-02-28T00:00:00Z"), 72);
    for (now, found) in [
        // The hour of the 29th until noon and that of the 28th until noon expire together, and those before them.
        ("2030-02-28T12:00:00Z", 25),
        ("2030-02-28T23:59:59.999999Z", 22),
        ("2030-03-01T00:00:00Z", 1),
        ("2030-03-01T12:00:00Z", 12),
        ("2030-03-02T00:00:00Z", 12),
    ] {
        test.time.set(at(now));
        assert_eq!(sweep(test), found, "{now}");
    }
    assert_eq!(count(test, BundleStatus::Active), 0);
    assert_verified(test.database.url());
}

#[test]
fn a_change_to_summer_time_changes_nothing_as_everything_is_in_utc() {
    let market = Market::of(Engine::Sqlite, 0, 0);
    let test = &market.test;
    test.time.set(at("2026-04-01T00:00:00Z"));
    // The night of 29 March 2026, when clocks in Europe go from 01:00 UTC to an hour more.
    issued(&market, at("2026-03-28T22:00:00Z"), 6);
    for hour in 0..6 {
        test.time.set(at("2028-03-28T23:00:00Z") + SignedDuration::from_hours(hour));
        assert_eq!(sweep(test), 1, "hour {hour}");
    }
    assert_eq!((sweep(test), count(test, BundleStatus::Expired)), (0, 6));
}

#[test]
fn a_lifetime_that_was_shortened_and_made_longer_leaves_nothing_behind() {
    let mut market = Market::of(Engine::Sqlite, 0, 0);
    let start = at(START);
    for (day, years) in [(0, 2), (1, 1), (2, 3)] {
        market.test.registry.close();
        let settings = TestRegistry::settings(&market.test.database);
        let settings = Settings { rules: Rules { expiry_years: years, ..settings.rules }, ..settings };
        market.test.registry = Registry::open(settings, market.test.time.clock()).expect("it opens");
        issued(&market, start + SignedDuration::from_hours(24 * day), 24);
    }
    for (now, found) in [
        ("2027-02-02T12:00:00Z", 12),
        ("2027-03-01T00:00:00Z", 12),
        ("2028-02-01T12:00:00Z", 12),
        ("2028-06-01T00:00:00Z", 12),
    ] {
        market.test.time.set(at(now));
        assert_eq!(sweep(&market.test), found, "{now}");
    }
    // Older than what has expired with a shorter lifetime, and not over yet.
    issued(&market, start + SignedDuration::from_hours(24 * 3), 24);
    for (now, found) in [("2029-02-03T12:00:00Z", 12), ("2029-02-04T12:00:00Z", 24), ("2030-01-01T00:00:00Z", 12)] {
        market.test.time.set(at(now));
        assert_eq!(sweep(&market.test), found, "{now}");
    }
    assert_eq!((count(&market.test, BundleStatus::Active), count(&market.test, BundleStatus::Expired)), (0, 96));
    assert_verified(market.test.database.url());
}

#[test]
fn two_registries_that_sweep_at_once_expire_each_bundle_once() {
    let market = Market::of(Engine::Postgres, 24 * 28, 100);
    market.test.time.set(at("2029-01-01T00:00:00Z"));
    let settings = TestRegistry::settings(&market.test.database);
    let other = Registry::open(settings, market.test.time.clock()).expect("it opens");
    let expired = std::thread::scope(|scope| {
        let sweeps =
            [&market.test.registry, &other].map(|registry| scope.spawn(|| registry.expire_due().expect("it sweeps")));
        sweeps.map(|sweep| sweep.join().expect("no panic")).iter().sum::<usize>()
    });
    other.close();
    assert_eq!(expired, 24 * 28);
    assert_eq!((count(&market.test, BundleStatus::Expired), actions(&market.test).1), (24 * 28, 24 * 28));
    assert_verified(market.test.database.url());
}

#[test]
fn a_registry_of_an_earlier_version_begins_before_the_first_that_expires() {
    for engine in ENGINES {
        let market = Market::of(engine, 24, 100);
        let mut connection = market.test.database.connect();
        market.test.registry.close();
        // As the migration finds it.
        let migration = store::MIGRATIONS.iter().find(|migration| migration.name == "expiry").expect("it is there");
        connection.batch("DROP TABLE expiry_mark").expect("it is there");
        let text = match engine {
            Engine::Sqlite => migration.sqlite,
            Engine::Postgres => migration.postgres,
        };
        connection.batch(text).expect("it is brought up to date");
        let marks = store::expiry::marks(&mut connection).expect("it answers");
        let just_before = at("2028-02-01T01:00:00Z") - SignedDuration::from_micros(1);
        assert_eq!(marks, [store::expiry::Mark { years: 2, swept_until: just_before }], "{engine:?}");
        let market = Market { test: market.test.reopened(), ..market };
        market.test.time.set(at("2028-02-01T12:00:00Z"));
        assert_eq!(sweep(&market.test), 12, "{engine:?}");
    }
}
