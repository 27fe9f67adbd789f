//! A ledger that is held: somebody else has the lock that each batch begins with, so that the writer waits.
//!
//! This is how a test decides what comes into one batch, and what happens while one is under way. SQLite's writer gives up
//! after ten seconds; hold it for less.

use crate::TestRegistry;
use app::{Answer, Error, Pending};
use db::{Connection, Engine};
use domain::action::{BUNDLES_PER_ACTION_MAX, BundleAction, Deed, Portion};
use domain::{AccountId, Actor, BundleId, Command};

/// The ledger's head, locked by a connection of the test's own.
pub struct HeldLedger(Connection);

impl HeldLedger {
    /// Waits for batches that are under way.
    pub fn of(test: &TestRegistry) -> Self {
        let mut connection = test.database.connect();
        connection.begin().expect("a transaction");
        store::head::lock(&mut connection).expect("the head's lock");
        Self(connection)
    }

    /// Lets the writer go on.
    pub fn release(mut self) {
        self.0.rollback().expect("nothing was written");
    }
}

impl TestRegistry {
    /// Submits a refused command that is a batch of its own, because it names more bundles than a batch takes. Behind it
    /// works gather while the ledger is held.
    pub fn plug(&self) -> Pending {
        let bundles = (0..3).flat_map(|_| (1..).take(BUNDLES_PER_ACTION_MAX)).map(BundleId).collect();
        let action = BundleAction {
            source: AccountId(1),
            bundles,
            portion: Portion::Whole,
            deed: Deed::Lock { reason: "to fill a batch".to_owned() },
        };
        let plug = self.registry.submit_as(Actor::Operator, Command::Bundles(action), "{}".to_owned());
        plug.expect("the queue has room")
    }

    /// Carries out `commands` as one batch, of at most 255.
    pub fn in_one_batch(&self, commands: Vec<(Actor, Command)>) -> Vec<Result<Answer, Error>> {
        let held = HeldLedger::of(self);
        let plug = self.plug();
        let queued: Vec<Pending> = commands
            .into_iter()
            .map(|(actor, command)| self.registry.submit_as(actor, command, "{}".to_owned()).expect("room"))
            .collect();
        held.release();
        assert!(matches!(plug.wait(), Err(Error::Refused(_))), "the plug names too many bundles");
        queued.into_iter().map(Pending::wait).collect()
    }

    /// Waits until `count` connections to this PostgreSQL database wait for a lock.
    pub fn await_waiting(&self, count: i64) {
        assert_eq!(self.database.engine(), Engine::Postgres, "SQLite does not say who waits");
        let mut connection = self.database.connect();
        crate::until("connections that wait for a lock", || {
            let waiting = connection.query_one(
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
                &[],
                |row| row.get::<i64>(0),
            );
            (waiting.expect("a count") == count).then_some(())
        });
    }

    /// Ends the connections that wait for a lock, as a fail-over does.
    pub fn end_waiting(&self) {
        self.end_connections("wait_event_type = 'Lock'");
    }

    /// Ends every connection to this PostgreSQL database.
    pub fn end_all(&self) {
        self.end_connections("true");
    }

    fn end_connections(&self, which: &str) {
        let sql = format!(
            "SELECT COUNT(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND {which}"
        );
        let ended: i64 = self.database.connect().query_one(&sql, &[], |row| row.get(0)).expect("connections end");
        assert!(ended > 0, "there was a connection to end");
    }
}
