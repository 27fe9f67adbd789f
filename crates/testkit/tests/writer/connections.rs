//! PostgreSQL's connection breaks: between batches, during one, and at the worst moment, while it is committed.

use super::market::{Market, account_names, new_account};
use app::{Error, Registry};
use db::Connection;
use domain::{Actor, Command};
use testkit::held::HeldLedger;
use testkit::proxy::{Proxy, Strike};
use testkit::{Engine, TestRegistry, assert_verified, until};

fn submit(registry: &Registry, (actor, command): (Actor, Command)) -> app::Pending {
    registry.submit_as(actor, command, "{}".to_owned()).expect("the queue has room")
}

#[test]
fn a_connection_that_ended_between_batches_is_made_anew() {
    let market = Market::of(Engine::Postgres, 2, 100);
    for bundle in &market.bundles {
        market.test.end_all();
        submit(&market.test.registry, market.transfer(&[*bundle])).wait().expect("the writer connects again");
    }
    assert_verified(market.test.database.url());
}

#[test]
fn a_connection_that_ended_during_a_batch_once_is_not_noticed() {
    let market = Market::of(Engine::Postgres, 2, 100);
    let held = HeldLedger::of(&market.test);
    let plug = market.test.plug();
    let queued: Vec<_> = market.bundles.iter().map(|b| submit(&market.test.registry, market.transfer(&[*b]))).collect();
    market.test.await_waiting(1);
    market.test.end_waiting();
    market.test.await_waiting(1);
    held.release();
    assert!(matches!(plug.wait(), Err(Error::Refused(_))));
    for pending in queued {
        pending.wait().expect("it was tried again");
    }
    assert_verified(market.test.database.url());
}

#[test]
fn a_connection_that_keeps_ending_fails_the_batch_and_the_writer_goes_on() {
    let market = Market::of(Engine::Postgres, 2, 100);
    let held = HeldLedger::of(&market.test);
    let first = submit(&market.test.registry, market.transfer(&market.bundles[..1]));
    for _ in 0..2 {
        market.test.await_waiting(1);
        market.test.end_waiting();
    }
    let failed = first.wait();
    assert!(matches!(failed, Err(Error::Unavailable)), "{failed:?}");
    held.release();
    assert_eq!(market.holder_of(market.bundles[0]), market.accounts[0], "nothing was done");
    for bundle in &market.bundles {
        submit(&market.test.registry, market.transfer(&[*bundle])).wait().expect("the writer goes on");
    }
    assert_verified(market.test.database.url());
}

/// A registry behind a proxy, on the database of `test`.
fn behind(proxy: &Proxy, test: &TestRegistry) -> Registry {
    let mut settings = TestRegistry::settings(&test.database);
    settings.database = proxy.url().clone();
    Registry::open(settings, test.time.clock()).expect("the proxy passes on")
}

#[test]
fn a_commit_that_the_server_never_heard_is_answered_as_not_done() {
    let market = Market::of(Engine::Postgres, 2, 100);
    let proxy = Proxy::before(market.test.database.url());
    let registry = behind(&proxy, &market.test);
    proxy.strike(Strike::BeforeCommit);
    let bundle = market.bundles[0];
    let answer = submit(&registry, market.transfer(&[bundle])).wait();
    assert!(proxy.has_struck());
    assert!(matches!(answer, Err(Error::Unavailable)), "{answer:?}");
    assert_eq!(market.holder_of(bundle), market.accounts[0], "nothing was done");
    submit(&registry, market.transfer(&[bundle])).wait().expect("it can be tried again");
    registry.close();
    assert_verified(market.test.database.url());
}

#[test]
fn a_commit_whose_answer_was_lost_is_answered_as_done_and_is_done_once() {
    let market = Market::of(Engine::Postgres, 2, 100);
    let proxy = Proxy::before(market.test.database.url());
    let registry = behind(&proxy, &market.test);
    let events = market.test.registry.health().expect("it answers").event_number;
    proxy.strike(Strike::BeforeAnswer);
    let bundle = market.bundles[0];
    let answer = submit(&registry, market.transfer(&[bundle])).wait().expect("it is in the ledger");
    assert!(proxy.has_struck());
    assert_eq!(answer.event_number, events.next());
    assert_eq!(market.holder_of(bundle), market.accounts[1]);
    let again = submit(&registry, market.transfer(&[bundle])).wait();
    assert!(matches!(again, Err(Error::Refused(_))), "it was done: {again:?}");
    submit(&registry, market.transfer(&market.bundles[1..])).wait().expect("the writer goes on");
    registry.close();
    assert_verified(market.test.database.url());
}

/// The server still has the old connection and its transaction, and hears COMMIT only after the writer is back and asks.
#[test]
fn a_commit_that_arrives_late_is_waited_for_and_answered_as_done() {
    let market = Market::of(Engine::Postgres, 2, 100);
    let proxy = Proxy::before(market.test.database.url());
    let registry = behind(&proxy, &market.test);
    proxy.strike(Strike::Late);
    let bundle = market.bundles[0];
    let pending = submit(&registry, market.transfer(&[bundle]));
    market.test.await_waiting(1);
    assert_eq!(market.holder_of(bundle), market.accounts[0], "it is not there yet");
    proxy.deliver();
    pending.wait().expect("it is in the ledger");
    assert_eq!(market.holder_of(bundle), market.accounts[1]);
    registry.close();
    assert_verified(market.test.database.url());
}

#[test]
fn whatever_happens_to_commits_each_caller_hears_the_truth() {
    let test = TestRegistry::on(Engine::Postgres);
    let proxy = Proxy::before(test.database.url());
    let registry = behind(&proxy, &test);
    let (mut done, mut open) = (Vec::new(), 0);
    for round in 0..20 {
        match round % 3 {
            0 => proxy.strike(Strike::BeforeCommit),
            1 => proxy.strike(Strike::BeforeAnswer),
            _ => {}
        }
        let names: Vec<String> = (0..5).map(|number| format!("account {round} {number}")).collect();
        let queued: Vec<_> = names.iter().map(|name| submit(&registry, new_account(name))).collect();
        for (name, pending) in names.into_iter().zip(queued) {
            match pending.wait() {
                Ok(_) => done.push(name),
                Err(Error::Unavailable) => open += 1,
                Err(error) => panic!("no reason to fail: {error}"),
            }
        }
    }
    assert_eq!(account_names(&test), done, "what was answered as done is there, and nothing else");
    assert!(open > 0 && done.len() > 30, "{open} were answered as not done");
    registry.close();
    assert_verified(test.database.url());
}

#[test]
fn a_registry_waits_for_a_database_that_somebody_else_writes() {
    let test = TestRegistry::on(Engine::Postgres);
    let held = HeldLedger::of(&test);
    let pending = submit(&test.registry, new_account("Ada"));
    test.await_waiting(1);
    held.release();
    pending.wait().expect("its turn has come");
    let mut connection: Connection = test.database.connect();
    until("the account", || store::account::by_id(&mut connection, domain::AccountId(1)).ok()?);
}
