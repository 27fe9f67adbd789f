//! Refusals, panics and database errors inside a batch.

use super::market::{Market, account_names, new_account};
use app::{Answer, Error};
use domain::{Actor, Command, EventNumber};
use testkit::{ENGINES, Engine, TestRegistry, assert_verified};

/// The event number that a batch reached: the same for all of it.
fn reached(answers: &[Result<Answer, Error>]) -> Vec<EventNumber> {
    let mut numbers: Vec<_> = answers.iter().flatten().map(|answer| answer.event_number).collect();
    numbers.dedup();
    numbers
}

#[test]
fn a_refusal_inside_a_batch_leaves_its_neighbours_alone() {
    for engine in ENGINES {
        let market = Market::of(engine, 3, 100);
        let [first, second, third] = market.bundles[..] else { panic!("three hours") };
        let answers = market.test.in_one_batch(vec![
            market.transfer(&[first]),
            market.transfer(&[second, first]),
            market.transfer(&[third]),
        ]);
        assert!(matches!(answers[1], Err(Error::Refused(_))), "{engine:?}: {:?}", answers[1]);
        assert_eq!(reached(&answers).len(), 1, "{engine:?}: they were one batch");
        let [ada, bakery, _] = market.accounts;
        assert_eq!(market.bundles.iter().map(|b| market.holder_of(*b)).collect::<Vec<_>>(), [bakery, ada, bakery]);
        assert_verified(market.test.database.url());
    }
}

/// Damages the database so that issuing breaks an invariant: the certificate ids of the device do not go on.
fn poison(market: &Market) -> (Actor, Command) {
    let mut connection = market.test.database.connect();
    let sql = "UPDATE device SET next_certificate = $1 WHERE id = $2";
    connection.execute(sql, &[i64::MAX.into(), market.device.0.into()]).expect("it can be damaged");
    (Actor::Operator, market.issue_command())
}

#[test]
fn a_poisoned_command_fails_alone_and_its_neighbours_succeed() {
    for engine in ENGINES {
        let market = Market::of(engine, 0, 0);
        market.test.readings(market.device, testkit::hours_from(testkit::at(super::market::START), 3), 100);
        let poisoned = poison(&market);
        let answers =
            market.test.in_one_batch(vec![new_account("before"), poisoned, new_account("after"), market.transfer(&[])]);
        assert!(answers[0].is_ok() && answers[2].is_ok(), "{engine:?}: {answers:?}");
        assert!(matches!(answers[1], Err(Error::Internal)), "{engine:?}: {:?}", answers[1]);
        assert!(matches!(answers[3], Err(Error::Refused(_))), "{engine:?}: {:?}", answers[3]);
        assert_eq!(account_names(&market.test)[3..], ["before", "after"]);

        // The damage is gone; the writer is not.
        let repair = "UPDATE device SET next_certificate = 1";
        market.test.database.connect().execute(repair, &[]).expect("it can be repaired");
        assert_eq!(market.issue().expect("it is in order again").issued, 3);
        assert_verified(market.test.database.url());
    }
}

/// Lets the database refuse an account with this name.
fn refuse_in_database(test: &TestRegistry, name: &str) {
    let sql = match test.database.engine() {
        Engine::Sqlite => format!(
            "CREATE TRIGGER fault BEFORE INSERT ON account WHEN NEW.name = '{name}' \
             BEGIN SELECT RAISE(ABORT, 'a fault'); END"
        ),
        Engine::Postgres => format!(
            "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a fault'; END $$; \
             CREATE TRIGGER fault BEFORE INSERT ON account FOR EACH ROW WHEN (NEW.name = '{name}') \
             EXECUTE FUNCTION fault()"
        ),
    };
    test.database.connect().batch(&sql).expect("a trigger can be made");
}

#[test]
fn a_database_error_fails_the_whole_batch_and_the_writer_goes_on() {
    for engine in ENGINES {
        let market = Market::of(engine, 1, 100);
        let bundle = market.bundles[0];
        refuse_in_database(&market.test, "fault");
        let before = market.test.registry.health().expect("it answers").event_number;
        let answers = market.test.in_one_batch(vec![
            new_account("before"),
            market.transfer(&[bundle]),
            new_account("fault"),
            new_account("after"),
        ]);
        for answer in &answers {
            assert!(matches!(answer, Err(Error::Internal)), "{engine:?}: {answer:?}");
        }
        let health = market.test.registry.health().expect("it answers");
        assert_eq!((health.event_number, health.queued), (before, 0), "{engine:?}: nothing was done");
        assert_eq!(market.holder_of(bundle), market.accounts[0]);

        let answers = market.test.in_one_batch(vec![new_account("before"), market.transfer(&[bundle])]);
        assert!(answers.iter().all(Result::is_ok), "{engine:?}: {answers:?}");
        assert_eq!(account_names(&market.test)[3..], ["before"]);
        assert_verified(market.test.database.url());
    }
}
