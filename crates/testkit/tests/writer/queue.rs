//! The queue: how much it takes, and what becomes of it at the end.

use super::market::{Market, account_names, new_account, trust};
use app::{Error, Pending};
use domain::{Actor, Command};
use testkit::held::HeldLedger;
use testkit::{ENGINES, TestRegistry, assert_verified, until};

/// What waits in the queue, at most.
const QUEUE_WORKS_MAX: usize = 4_096;
/// What the writer has taken out of it, at most.
const BATCH_WORKS_MAX: usize = 256;

fn submit(test: &TestRegistry, (actor, command): (Actor, Command)) -> Result<Pending, Error> {
    test.registry.submit_as(actor, command, "{}".to_owned())
}

#[test]
fn a_full_queue_answers_busy_and_does_what_it_took() {
    for engine in ENGINES {
        let market = Market::of(engine, 0, 0);
        let [ada, bakery, _] = market.accounts;
        let command = || (Actor::Operator, trust(ada, bakery));
        let held = HeldLedger::of(&market.test);
        let mut taken = Vec::new();
        let refused = loop {
            match submit(&market.test, command()) {
                Ok(pending) => taken.push(pending),
                Err(error) => break error,
            }
            assert!(taken.len() <= QUEUE_WORKS_MAX + BATCH_WORKS_MAX, "{engine:?}: the queue has an end");
        };
        assert!(matches!(refused, Error::Busy), "{engine:?}: {refused}");
        assert!(taken.len() >= QUEUE_WORKS_MAX, "{engine:?}: {} were taken", taken.len());
        held.release();
        for pending in taken {
            pending.wait().expect("what was taken is done");
        }
        submit(&market.test, command()).expect("there is room again").wait().expect("it is done");
        until("an empty queue", || (market.test.registry.health().ok()?.queued == 0).then_some(()));
    }
}

#[test]
fn closing_does_what_was_queued_before_and_refuses_what_comes_later() {
    const COUNT: usize = 50;
    for engine in ENGINES {
        let test = TestRegistry::on(engine);
        let names: Vec<String> = (0..COUNT).map(|number| format!("account {number}")).collect();
        let held = HeldLedger::of(&test);
        let plug = test.plug();
        let queued: Vec<Pending> = names.iter().map(|name| submit(&test, new_account(name)).expect("room")).collect();
        std::thread::scope(|scope| {
            let closing = scope.spawn(|| test.registry.close());
            // It waits for the batch that is held; from its first moment on nothing more is taken.
            let refused = until("the registry closes", || submit(&test, new_account("late")).err());
            assert!(matches!(refused, Error::Unavailable), "{engine:?}: {refused}");
            held.release();
            closing.join().expect("no panic");
        });
        assert!(matches!(plug.wait(), Err(Error::Refused(_))));
        for pending in queued {
            pending.wait().expect("it was queued before");
        }
        let test = test.reopened();
        let kept = account_names(&test);
        // One or more may have come in before the end was known, and are then done as well.
        assert_eq!(kept[..COUNT], names[..], "{engine:?}");
        assert!(kept[COUNT..].iter().all(|name| name == "late") && kept.len() <= COUNT + 1, "{engine:?}: {kept:?}");
        assert_verified(test.database.url());
    }
}

#[test]
fn closing_twice_and_a_question_after_it_are_harmless() {
    for engine in ENGINES {
        let test = TestRegistry::on(engine);
        test.registry.close();
        test.registry.close();
        let refused = submit(&test, new_account("late")).map(|_| ());
        assert!(matches!(refused, Err(Error::Unavailable)), "{engine:?}");
        assert!(test.registry.health().is_ok(), "{engine:?}: reads still work");
    }
}

#[test]
fn an_answer_that_nobody_waits_for_is_done_all_the_same() {
    for engine in ENGINES {
        let test = TestRegistry::on(engine);
        drop(submit(&test, new_account("Ada")).expect("room"));
        submit(&test, new_account("Bakery")).expect("room").wait().expect("it is done");
        assert_eq!(account_names(&test), ["Ada", "Bakery"], "{engine:?}");
    }
}
