//! Changes under an `Idempotency-Key` where processes end and where two have the same key at once.

use app::{Answer, Caller, Entered, Error, KeptAnswer, Pending, Registry};
use domain::action::NewAccount;
use domain::{Command, Outcome, Role, Roles, UserId};
use jiff::Timestamp;
use std::collections::BTreeSet;
use testkit::held::HeldLedger;
use testkit::{ENGINES, TestRegistry, assert_verified};

const HASH: [u8; 32] = [7; 32];

fn administrator(test: &TestRegistry) -> UserId {
    test.user("administrator", &[Role::RegistryAdministrator], &[])
}

fn caller(user: UserId) -> Caller {
    Caller::signed_in(user, Roles::of(&[Role::RegistryAdministrator]), [0; 32], Timestamp::MAX)
}

fn enter(registry: &Registry, user: UserId, key: &str) -> Entered {
    registry.enter(&caller(user), "POST", "/account/create", key).expect("nobody has the key")
}

/// Queues the making of an account under the key.
fn queue(registry: &Registry, user: UserId, entered: &Entered, hash: [u8; 32], name: &str) -> Pending {
    let caller = Caller { ticket: Some(entered.ticket(hash)), ..caller(user) };
    registry.submit(&caller, new_account(name), "{}".to_owned()).expect("the queue has room")
}

fn new_account(name: &str) -> Command {
    let name = name.to_owned();
    Command::CreateAccount(NewAccount { name, organisation_id: None, user_ids: Vec::new(), whitelist: Vec::new() })
}

fn create(registry: &Registry, user: UserId, key: &str, name: &str) -> Result<Answer, Error> {
    queue(registry, user, &enter(registry, user, key), HASH, name).wait()
}

fn answer(body: &str) -> KeptAnswer {
    let content_type = Some("application/json".to_owned());
    KeptAnswer { status: 201, content_type, event_number: Some(1), body: body.as_bytes().to_vec() }
}

#[test]
fn what_a_change_came_to_and_its_answer_outlive_the_process() {
    for engine in ENGINES {
        let test = TestRegistry::on(engine);
        let user = administrator(&test);
        let first = create(&test.registry, user, "k", "Ada").expect("made");
        let test = test.reopened();
        test.account("between");
        assert_eq!(create(&test.registry, user, "k", "Ada").expect("told again"), first, "{engine:?}");

        let entered = enter(&test.registry, user, "k");
        let ticket = entered.ticket(HASH);
        let again = Caller { ticket: Some(ticket.clone()), ..caller(user) };
        let pending = test.registry.submit(&again, new_account("Ada"), "{}".to_owned()).expect("queued");
        assert_eq!(pending.wait().expect("told again"), first);
        test.registry.keep(&entered, HASH, Some(&ticket), answer("made")).expect("kept");
        drop(entered);
        let test = test.reopened();
        let kept = test.registry.kept(&enter(&test.registry, user, "k")).expect("readable").expect("on record");
        assert_eq!((kept.request_hash, kept.answer), (HASH, Some(answer("made"))), "{engine:?}");
        assert_verified(test.database.url());
    }
}

#[test]
fn a_key_in_flight_is_refused_in_this_process_and_free_when_its_request_is_over() {
    let test = TestRegistry::on(ENGINES[0]);
    let user = administrator(&test);
    let entered = enter(&test.registry, user, "k");
    let again = test.registry.enter(&caller(user), "POST", "/account/create", "k");
    assert!(matches!(again, Err(Error::KeyInFlight)));
    for (method, path, key) in
        [("PATCH", "/account/create", "k"), ("POST", "/a", "k"), ("POST", "/account/create", "l")]
    {
        test.registry.enter(&caller(user), method, path, key).expect("another key");
    }
    test.registry.enter(&caller(UserId(99)), "POST", "/account/create", "k").expect("another user's key");
    drop(entered);
    enter(&test.registry, user, "k");
}

/// Makes accounts under many keys at once; their ids.
fn create_many(registry: &Registry, user: UserId, count: usize) -> Vec<i64> {
    let entered: Vec<Entered> = (0..count).map(|key| enter(registry, user, &format!("k{key}"))).collect();
    let queue = |(key, entered): (usize, &Entered)| queue(registry, user, entered, HASH, &format!("account {key}"));
    let queued: Vec<Pending> = entered.iter().enumerate().map(queue).collect();
    queued.into_iter().map(|pending| account_of(pending.wait().expect("made, or told again"))).collect()
}

fn account_of(answer: Answer) -> i64 {
    match answer.outcome() {
        Outcome::Account(id) => id.0,
        other => unreachable!("creating an account gave {other:?}"),
    }
}

#[test]
fn two_processes_that_have_the_same_keys_at_once_make_each_change_once() {
    const KEYS: usize = 40;
    for engine in ENGINES {
        let test = TestRegistry::on(engine);
        let user = administrator(&test);
        let second = Registry::open(TestRegistry::settings(&test.database), test.time.clock()).expect("it opens");
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(|| create_many(&second, user, KEYS));
            (create_many(&test.registry, user, KEYS), other.join().expect("it asks"))
        });
        assert_eq!(one, other, "{engine:?}: both hear the same");
        assert_eq!(one.iter().collect::<BTreeSet<_>>().len(), KEYS);
        second.close();
        assert_verified(test.database.url());
    }
}

#[test]
fn repeats_within_one_batch_are_answered_by_the_first() {
    for engine in ENGINES {
        let test = TestRegistry::on(engine);
        let user = administrator(&test);
        let held = HeldLedger::of(&test);
        // Whoever asked went away, so that the key is free again before it is answered.
        let queue = |hash, name| queue(&test.registry, user, &enter(&test.registry, user, "k"), hash, name);
        let plug = queue([0; 32], "first of all");
        let works = [queue(HASH, "Ada"), queue(HASH, "Ada"), queue([8; 32], "Bob")];
        drop(plug);
        held.release();
        let heard = works.map(Pending::wait);
        // The first of all has the key, whichever batch it came into.
        for answer in &heard {
            assert!(matches!(answer, Err(Error::KeyReused)), "{engine:?}: {answer:?}");
        }
        let again = queue([0; 32], "first of all").wait().expect("told again");
        assert_eq!(account_of(again), 1, "{engine:?}");
        assert_verified(test.database.url());
    }
}

#[test]
fn who_was_refused_while_another_process_was_not_does_not_hear_it() {
    let test = TestRegistry::on(ENGINES[0]);
    let user = administrator(&test);
    let second = Registry::open(TestRegistry::settings(&test.database), test.time.clock()).expect("it opens");
    let (one, other) = (enter(&test.registry, user, "k"), enter(&second, user, "k"));
    let refused = one.ticket(HASH);
    queue(&second, user, &other, HASH, "Ada").wait().expect("made");
    let refusal = KeptAnswer { status: 400, ..answer("refused") };
    let kept = test.registry.keep(&one, HASH, Some(&refused), refusal.clone());
    assert!(matches!(kept, Err(Error::KeyInFlight)), "{kept:?}");
    let kept = test.registry.keep(&one, [8; 32], None, refusal.clone());
    assert!(matches!(kept, Err(Error::KeyReused)), "{kept:?}");
    // And the other way round: what was refused first is refused.
    drop((one, other));
    let (one, other) = (enter(&test.registry, user, "l"), enter(&second, user, "l"));
    test.registry.keep(&one, HASH, Some(&one.ticket(HASH)), refusal).expect("kept");
    let late = queue(&second, user, &other, HASH, "Bob").wait();
    assert!(matches!(late, Err(Error::KeyInFlight)), "{late:?}");
    second.close();
}
