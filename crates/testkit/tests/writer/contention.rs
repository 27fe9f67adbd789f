//! Many who want the same, in one process and in two.

use super::market::Market;
use app::{Error, Registry};
use domain::action::{BundleAction, Deed, Portion};
use domain::{Actor, BundleId, BundleStatus, Command, Outcome, Refusal, WattHours};
use std::sync::atomic::{AtomicI64, Ordering};
use testkit::model::Dice;
use testkit::{ENGINES, Engine, TestRegistry, assert_verified};

const THREADS: u64 = 64;
const ACTIONS_PER_THREAD: usize = 12;
const HOURS: i64 = 20;
const ENERGY_WH: i64 = 1_000;

#[test]
fn sixty_four_threads_that_fight_over_the_same_bundles_lose_and_gain_nothing() {
    for engine in ENGINES {
        let market = Market::of(engine, HOURS, ENERGY_WH);
        let newest = AtomicI64::new(HOURS);
        let cancelled = AtomicI64::new(0);
        std::thread::scope(|scope| {
            for seed in 0..THREADS {
                let (market, newest, cancelled) = (&market, &newest, &cancelled);
                scope.spawn(move || fight(market, seed, newest, cancelled));
            }
        });
        let energy = market.energy_by_status();
        let of = |wanted| energy.iter().find(|(status, _)| *status == wanted).map_or(0, |(_, energy)| *energy);
        assert_eq!(of(BundleStatus::Active) + of(BundleStatus::Cancelled), HOURS * ENERGY_WH, "{energy:?}");
        assert_eq!(of(BundleStatus::Cancelled), cancelled.load(Ordering::Relaxed), "what was told is what is");
        assert_verified(market.test.database.url());
    }
}

/// Transfers and cancels of random portions of random bundles, whoever holds them by now.
fn fight(market: &Market, seed: u64, newest: &AtomicI64, cancelled: &AtomicI64) {
    let mut dice = Dice::of_seed(seed);
    for _ in 0..ACTIONS_PER_THREAD {
        let source = *dice.pick(&market.accounts).expect("there are three");
        let target = *dice.pick(&market.accounts).expect("there are three");
        let is_cancel = dice.percent(30);
        let deed = if is_cancel {
            Deed::Cancel { beneficiary: None, beneficiary_account: None, purpose: None }
        } else {
            Deed::Transfer { target }
        };
        let bundles = (0..=dice.below(2)).map(|_| BundleId(1 + dice.below(newest.load(Ordering::Relaxed)))).collect();
        let quantity = u64::try_from(1 + dice.below(50)).expect("above 0");
        let action = BundleAction { source, bundles, portion: Portion::Quantity(WattHours(quantity)), deed };
        match market.test.act_as(market.trader, Command::Bundles(action)) {
            Ok(answer) => {
                let Outcome::Bundles { result, total } = answer.outcome() else { unreachable!("bundles were moved") };
                assert_eq!(total, WattHours(quantity));
                for bundle in result {
                    newest.fetch_max(bundle.bundle_id.0, Ordering::Relaxed);
                }
                if is_cancel {
                    cancelled.fetch_add(i64::try_from(quantity).expect("it is small"), Ordering::Relaxed);
                }
            }
            Err(Error::Refused(
                Refusal::BundleMissing { .. }
                | Refusal::BundleRepeated { .. }
                | Refusal::WrongState { .. }
                | Refusal::NotEnough { .. }
                | Refusal::TargetIsSource { .. },
            )) => {}
            Err(error) => panic!("no reason to fail: {error}"),
        }
    }
}

#[test]
fn of_two_registries_on_one_database_exactly_one_moves_each_bundle() {
    for engine in ENGINES {
        let market = Market::of(engine, HOURS, ENERGY_WH);
        let test = &market.test;
        let second = Registry::open(TestRegistry::settings(&test.database), test.time.clock()).expect("it opens");
        let [_, bakery, cinema] = market.accounts;
        let race = |registry: &Registry, target| -> Vec<bool> {
            let submit = |bundle: &BundleId| {
                let deed = Deed::Transfer { target };
                let (bundles, portion) = (vec![*bundle], Portion::Whole);
                let action = BundleAction { source: market.accounts[0], bundles, portion, deed };
                registry.submit_as(market.trader, Command::Bundles(action), "{}".to_owned()).expect("room")
            };
            // One after another, so that the two take turns.
            let answers = market.bundles.iter().map(|bundle| match submit(bundle).wait() {
                Ok(_) => true,
                Err(Error::Refused(Refusal::BundleMissing { .. })) => false,
                Err(error) => panic!("no reason to fail: {error}"),
            });
            answers.collect()
        };
        let (first_won, second_won) = std::thread::scope(|scope| {
            let other = scope.spawn(|| race(&second, cinema));
            (race(&test.registry, bakery), other.join().expect("no panic"))
        });
        for (place, bundle) in market.bundles.iter().enumerate() {
            assert!(first_won[place] != second_won[place], "bundle {bundle} was moved once");
            assert_eq!(market.holder_of(*bundle), if first_won[place] { bakery } else { cinema });
        }
        second.close();
        assert_verified(test.database.url());
    }
}

#[test]
fn what_one_registry_registers_the_other_knows_at_once() {
    for engine in ENGINES {
        let first = TestRegistry::on(engine);
        let second = Registry::open(TestRegistry::settings(&first.database), first.time.clock()).expect("it opens");
        let ada = first.account("Ada");
        let (actor, command) = super::market::new_account("Bakery");
        let made = second.submit_as(actor, command, "{}".to_owned()).expect("room").wait().expect("the name is free");
        let Outcome::Account(bakery) = made.outcome() else { unreachable!("an account was made") };
        assert_eq!(bakery, ada.next(), "{engine:?}: ids go on where the other stopped");
        first.whitelist(ada, bakery);
        let (actor, command) = super::market::new_account("Ada");
        let refused = second.submit_as(actor, command, "{}".to_owned()).expect("room").wait();
        assert!(matches!(refused, Err(Error::Refused(Refusal::Taken { .. }))), "{refused:?}");
        assert_verified(first.database.url());
    }
}

#[test]
fn a_command_sees_what_its_neighbours_before_it_did() {
    for engine in ENGINES {
        let market = Market::of(engine, 2, ENERGY_WH);
        let [ada, bakery, cinema] = market.accounts;
        let bundle = market.bundles[0];
        let (_, forth) = market.transfer(&[bundle]);
        let on = |source, target| {
            let (bundles, portion, deed) = (vec![bundle], Portion::Whole, Deed::Transfer { target });
            (market.trader, Command::Bundles(BundleAction { source, bundles, portion, deed }))
        };
        let answers = market.test.in_one_batch(vec![
            (market.trader, forth),
            on(ada, cinema),
            on(bakery, cinema),
            (Actor::Operator, super::market::trust(ada, cinema)),
            on(cinema, ada),
        ]);
        let is_done: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(is_done, [true, false, true, true, true], "{engine:?}: {answers:?}");
        assert_eq!(market.holder_of(bundle), ada);
        assert_verified(market.test.database.url());
    }
}

#[test]
fn two_engines_give_the_same_bundles() {
    let [on_sqlite, on_postgres] = [Engine::Sqlite, Engine::Postgres].map(|engine| {
        let market = Market::of(engine, HOURS, ENERGY_WH);
        for (place, bundle) in (1..).zip(&market.bundles) {
            let portion = Portion::Quantity(WattHours(place));
            let deed = Deed::Transfer { target: market.accounts[1] };
            let moved = market.test.bundles(market.trader, market.accounts[0], &[*bundle], portion, deed);
            moved.expect("it is active and welcome");
        }
        testkit::model::Tables::read(&mut market.test.database.connect())
    });
    on_sqlite.assert_are(&on_postgres);
}
