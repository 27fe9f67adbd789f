//! Reads from a streaming standby (`DATABASE_READ_URL`): they come from there, never show an older state than was asked
//! for, and go to the primary when the standby is behind or gone.
//!
//! One test, because a pair of servers takes seconds to make.

use app::{Caller, Error, IssueRequest, JobQuery, Paging, Registry, Settings};
use db::{Connection, OpenMode, Url};
use domain::action::NewAccount;
use domain::{AccountId, Actor, Command, EventNumber, Outcome, Role, Roles, UserId};
use jiff::Timestamp;
use std::time::Instant;
use testkit::standby::Pair;
use testkit::{TestClock, TestRegistry, assert_verified, at, metadata_description, until};

/// Reads while the standby is gone: together they take less than one wait for a connection each would.
const READS_WITHOUT_STANDBY: u32 = 20;

struct Read<'r> {
    registry: &'r Registry,
    caller: Caller,
}

impl Read<'_> {
    /// Makes an account; returns its id and the event number that this reached.
    fn make_account(&self, name: &str) -> (AccountId, EventNumber) {
        let new = NewAccount { name: name.to_owned(), organisation_id: None, user_ids: vec![], whitelist: vec![] };
        let pending = self.registry.submit_as(Actor::Operator, Command::CreateAccount(new), "{}".to_owned());
        let answer = pending.expect("the queue has room").wait().expect("the name is free");
        let event = answer.event_number;
        match answer.outcome() {
            Outcome::Account(id) => (id, event),
            other => unreachable!("creating an account gave {other:?}"),
        }
    }

    /// How far the standby is behind, as the metrics tell.
    fn lag(&self) -> Option<i64> {
        self.registry.measured().expect("the primary answers").replica_lag
    }

    /// Whether a read sees the account, which must not be older than `fresh`.
    fn sees(&self, account: AccountId, fresh: Option<EventNumber>) -> bool {
        match self.registry.account(&self.caller, account, fresh) {
            Ok(_) => true,
            Err(Error::NotFound { .. }) => false,
            Err(error) => panic!("no reason to fail: {error}"),
        }
    }
}

/// A job is no event, so no event number asks for it: who has begun one sees it all the same.
fn issues_a_job(registry: &Registry) {
    let metadata = Command::CreateMetadata(metadata_description());
    let answer = registry.submit_as(Actor::Operator, metadata, "{}".to_owned()).expect("the queue has room").wait();
    let Outcome::Metadata(metadata_id) = answer.expect("nothing is against it").outcome() else { unreachable!() };
    let operator = Caller::signed_in(UserId(0), Roles::of(&Role::ALL), [0; 32], Timestamp::MAX);
    let (from, to) = (at("2026-02-01T00:00:00Z"), at("2026-02-02T00:00:00Z"));
    let job = registry.issue(&operator, IssueRequest { metadata_id, from, to, device_ids: vec![] });
    let job = job.expect("the issuer may");
    assert_eq!(registry.job(&operator, job).expect("it is there").id, Some(job));
    let listed = registry.jobs(&operator, JobQuery::default(), Paging { limit: 10, after: None });
    assert_eq!(listed.expect("it answers").entries.len(), 1);
}

fn ask(url: &Url, sql: &str) {
    let mut connection = Connection::open_as(url, OpenMode::Reader).expect("it can be reached");
    connection.query(sql, &[], |_| Ok(())).expect("it answers");
}

/// From here on the standby applies nothing.
fn pause(standby: &Url) {
    ask(standby, "SELECT pg_wal_replay_pause()");
    let mut connection = Connection::open_as(standby, OpenMode::Reader).expect("it can be reached");
    until("the standby stands still", || {
        let state = connection.query_one("SELECT pg_get_wal_replay_pause_state()", &[], |row| row.get::<String>(0));
        (state.expect("it answers") == "paused").then_some(())
    });
}

/// Waits until the standby is as far as that event.
fn await_replayed(standby: &Url, event: EventNumber) {
    until("the standby has caught up", || {
        let mut standby = Connection::open_as(standby, OpenMode::Reader).ok()?;
        (store::head::event_number(&mut standby).ok()? == event).then_some(())
    });
}

#[test]
fn reads_come_from_the_standby_and_never_show_an_older_state_than_was_asked_for() {
    let mut pair = Pair::start();
    let settings = Settings { read_database: Some(pair.standby.clone()), ..TestRegistry::settings_at(&pair.primary) };
    let time = TestClock::at(at("2026-03-01T12:00:00Z"));
    // So far behind that it does not even have the tables.
    pause(&pair.standby);
    let registry = Registry::open(settings, time.clock()).expect("both can be reached");
    let roles = Roles::of(&[Role::Auditor]);
    let caller = Caller::signed_in(UserId(1), roles, [0; 32], Timestamp::MAX);
    let read = Read { registry: &registry, caller };

    // What was written is seen at once by who asks for it, and by everybody soon.
    let (ada, written) = read.make_account("Ada");
    assert!(read.sees(ada, Some(written)) && read.sees(ada, None), "the primary answers for it");
    ask(&pair.standby, "SELECT pg_wal_replay_resume()");
    await_replayed(&pair.standby, written);
    assert!(read.sees(ada, Some(written)) && read.sees(ada, None));
    // It failed a moment ago; asked again, it is found to be up to date.
    until("the replica is measured", || (read.lag() == Some(0)).then_some(()));

    // A standby is not written to.
    let mut standby = Connection::open(&pair.standby).expect("it can be reached");
    standby.batch("DELETE FROM account").expect_err("a standby is not written to");
    drop(standby);

    // While it stands still, it shows an older state to who asks for nothing, which is how we know that it is asked.
    pause(&pair.standby);
    let (bakery, written) = read.make_account("Bakery");
    // Not at once: it failed a moment ago.
    until("reads come from the standby", || (!read.sees(bakery, None)).then_some(()));
    assert!(read.sees(bakery, Some(written)), "a fresh read goes to the primary");
    assert!(read.sees(ada, Some(EventNumber(written.0 - 1))), "the standby has as much as this one asks for");
    assert!(!read.sees(bakery, Some(EventNumber(written.0 - 1))), "and answers it");
    assert_eq!(read.lag(), Some(1), "one event behind");
    issues_a_job(&registry);
    ask(&pair.standby, "SELECT pg_wal_replay_resume()");
    until("the standby goes on", || read.sees(bakery, None).then_some(()));

    // Gone, it is not missed, and not waited for by each read.
    pair.stop_standby();
    let (cinema, written) = read.make_account("Cinema");
    let start = Instant::now();
    for _ in 0..READS_WITHOUT_STANDBY {
        assert!(read.sees(cinema, None) && read.sees(cinema, Some(written)));
    }
    let most = db::POOL_WAIT * 3;
    assert!(start.elapsed() < most, "{READS_WITHOUT_STANDBY} reads took {:?}", start.elapsed());

    pair.start_standby();
    pause(&pair.standby);
    let (dairy, written) = read.make_account("Dairy");
    until("the standby is asked again", || (!read.sees(dairy, None)).then_some(()));
    assert!(read.sees(dairy, Some(written)));
    ask(&pair.standby, "SELECT pg_wal_replay_resume()");

    registry.close();
    assert_verified(&pair.primary);
    // What the standby says of itself is as true as what the primary says.
    await_replayed(&pair.standby, written);
    assert_verified(&pair.standby);
}
