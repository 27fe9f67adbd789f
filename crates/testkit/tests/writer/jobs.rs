//! Issue jobs of several chunks: interrupted, resumed, resumed by two, done twice, and only rehearsed.

use super::market::{Market, START};
use app::{Caller, Clock, Error, IssueRequest, JobState, Registry};
use domain::{BundleId, Capability, JobId, Role, Roles, UserId};
use jiff::{SignedDuration, Timestamp};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::model::Tables;
use testkit::{ENGINES, Engine, TestClock, TestRegistry, assert_verified, at, until};

/// Minutes of readings: about five chunks, so that some are left when the first two are under way.
const READINGS: u64 = 24_000;
const READINGS_TOGETHER: i64 = 6_000;
/// The first chunk comes within it.
const PATIENCE: Duration = Duration::from_mins(1);
const ENERGY_WH: u64 = 10;

/// A market with readings of a minute each and nothing issued.
fn unissued(engine: Engine) -> Market {
    let market = Market::of(engine, 0, 0);
    for part in 0..4 {
        let start = at(START) + SignedDuration::from_mins(part * READINGS_TOGETHER);
        let minutes = (0..READINGS_TOGETHER).map(|minute| {
            let from = start + SignedDuration::from_mins(minute);
            domain::Interval::new(from, from + SignedDuration::from_mins(1)).expect("a minute is not empty")
        });
        market.test.readings(market.device, minutes, 10);
    }
    market
}

fn request(market: &Market) -> IssueRequest {
    let (from, to) = (at(START), at("2026-03-01T00:00:00Z"));
    IssueRequest { metadata_id: market.metadata, from, to, device_ids: Vec::new() }
}

/// Somebody who may see every job.
fn issuer() -> Caller {
    let roles = Roles::of(&[Role::GcIssuer]);
    let caller = Caller::signed_in(UserId(0), roles, [0; 32], Timestamp::MAX);
    assert!(caller.may(Capability::ReadEverything));
    caller
}

fn await_done(registry: &Registry, job: JobId) -> app::JobView {
    until("the job is done", || {
        let view = registry.job(&issuer(), job).expect("the job is there");
        assert!(matches!(view.state, JobState::Running | JobState::Done), "{view:?}");
        (view.state == JobState::Done).then_some(view)
    })
}

fn tables(market: &Market) -> Tables {
    Tables::read(&mut market.test.database.connect())
}

/// Each step but the last, which ends the job, issued something and is an action; one done twice would be none.
fn assert_each_step_was_done_once(market: &Market, job: JobId) {
    let mut connection = market.test.database.connect();
    let job = store::job::by_id(&mut connection, job).expect("it answers").expect("the job is there");
    let (sql, kind) = ("SELECT COUNT(*) FROM action WHERE kind = $1", domain::ActionKind::Issue.code());
    let actions: i64 = connection.query_one(sql, &[kind.into()], |row| row.get(0)).expect("a count");
    assert_eq!(job.position, actions + 1);
}

/// Time that the writer asks for before each batch: at the batch after `batches` more it stops and says so, until told
/// to go on.
fn gate(time: &TestClock, batches: usize) -> (Clock, Receiver<()>, Sender<()>) {
    let (tell, stopped) = channel();
    let (go_on, told) = channel();
    let (time, state) = (time.clone(), Arc::new(Mutex::new((batches, told))));
    let clock = Clock::new(move || {
        if std::thread::current().name() == Some("writer") {
            let mut state = state.lock().expect("no panic");
            if let Some(left) = state.0.checked_sub(1) {
                state.0 = left;
            } else {
                // Both ends are gone once the test has what it wanted.
                let _: Result<(), _> = tell.send(());
                let _: Result<(), _> = state.1.recv();
            }
        }
        time.now()
    });
    (clock, stopped, go_on)
}

/// Starts an issue job, stops the registry inside its first chunk, and returns the job, half done.
fn interrupted(market: &Market) -> JobId {
    let test = &market.test;
    test.registry.close();
    // The first batch makes the job itself.
    let (clock, stopped, go_on) = gate(&test.time, 1);
    let registry = Registry::open(TestRegistry::settings(&test.database), clock).expect("it opens");
    let job = registry.issue_as_operator(request(market)).expect("the operator may issue");
    stopped.recv_timeout(PATIENCE).expect("the first chunk comes");
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| registry.close());
        let (actor, command) = (domain::Actor::Operator, super::market::trust(market.accounts[0], market.accounts[1]));
        let refused =
            until("the registry closes", || registry.submit_as(actor, command.clone(), "{}".to_owned()).err());
        assert!(matches!(refused, Error::Unavailable), "{refused}");
        drop(go_on);
        closing.join().expect("no panic");
    });
    let left = registry.job(&issuer(), job).expect("reads still work");
    assert_eq!(left.state, JobState::Running);
    assert!(left.progress.issued > 0 && left.progress.done < left.progress.total, "{:?}", left.progress);
    job
}

/// The tables after an issue that nothing disturbed.
fn undisturbed(engine: Engine) -> Tables {
    let market = unissued(engine);
    let job = market.test.registry.issue_as_operator(request(&market)).expect("the operator may issue");
    let view = await_done(&market.test.registry, job);
    assert_eq!((view.progress.issued, view.progress.done), (READINGS, READINGS));
    tables(&market)
}

#[test]
fn an_interrupted_issue_goes_on_and_ends_with_the_same_bundles() {
    for engine in ENGINES {
        let market = unissued(engine);
        let job = interrupted(&market);
        let market = Market { test: market.test.reopened(), ..market };
        let view = await_done(&market.test.registry, job);
        assert_eq!((view.progress.issued, view.progress.refused_total), (READINGS, 0), "{engine:?}");
        assert_eq!((view.progress.done, view.progress.total), (READINGS, READINGS), "{engine:?}");
        tables(&market).assert_are(&undisturbed(engine));
        assert_each_step_was_done_once(&market, job);
        assert_verified(market.test.database.url());
    }
}

#[test]
fn a_job_that_two_registries_resume_is_done_once() {
    let market = unissued(Engine::Postgres);
    let job = interrupted(&market);
    let open = || Registry::open(TestRegistry::settings(&market.test.database), market.test.time.clock());
    let two = std::thread::scope(|scope| {
        let other = scope.spawn(open);
        [open().expect("it opens"), other.join().expect("no panic").expect("it opens")]
    });
    let views = two.each_ref().map(|registry| await_done(registry, job));
    for view in views {
        assert_eq!((view.progress.issued, view.progress.quantity), (READINGS, READINGS * ENERGY_WH));
    }
    two.iter().for_each(Registry::close);
    tables(&market).assert_are(&undisturbed(Engine::Postgres));
    assert_each_step_was_done_once(&market, job);
    assert_verified(market.test.database.url());
}

#[test]
fn a_rehearsal_changes_nothing_and_a_second_issue_issues_nothing() {
    for engine in ENGINES {
        let market = unissued(engine);
        let registry = &market.test.registry;
        let administrator = market.test.user("issuer", &[Role::GcIssuer], &[]);
        let caller = Caller { user_id: administrator, ..issuer() };
        let (before, event) = (tables(&market), registry.health().expect("it answers").event_number);
        let rehearsed = registry.dry_run_issue(&caller, request(&market)).expect("they may").progress;
        assert_eq!(
            (rehearsed.issued, rehearsed.quantity, rehearsed.done),
            (READINGS, READINGS * ENERGY_WH, READINGS),
            "{engine:?}"
        );
        tables(&market).assert_are(&before);
        assert_eq!(registry.health().expect("it answers").event_number, event, "{engine:?}");

        let first = registry.issue(&caller, request(&market)).expect("they may");
        let first = await_done(registry, first).progress;
        assert_eq!((first.issued, first.quantity), (rehearsed.issued, rehearsed.quantity), "{engine:?}");
        assert_eq!(first.bundle_ids.first().copied().map(BundleId), Some(BundleId(1)));
        let issued = tables(&market);

        let second = registry.issue(&caller, request(&market)).expect("they may");
        let second = await_done(registry, second).progress;
        assert_eq!((second.issued, second.refused_total, second.done), (0, 0, READINGS), "{engine:?}");
        tables(&market).assert_are(&issued);
        let rehearsed = registry.dry_run_issue(&caller, request(&market)).expect("they may").progress;
        assert_eq!((rehearsed.issued, rehearsed.refused_total), (0, 0), "{engine:?}");
        assert_verified(market.test.database.url());
    }
}
