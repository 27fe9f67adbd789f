//! Refused actions are kept apart, in bounds.

use app::{ActionQuery, AnyAction, Caller, Error, Paging};
use domain::action::{BundleAction, Deed, Portion};
use domain::{AccountId, Actor, BundleId, Command, Role, Roles, UserId};
use jiff::{SignedDuration, Timestamp};
use testkit::{ENGINES, TestRegistry, assert_verified};

/// Beyond what is kept of one user.
const REFUSALS: i64 = 1_010;
const KEPT_PER_USER: usize = 1_000;

/// Claims bundles that are not there: all are refused.
fn refused(kit: &TestRegistry, user: UserId, account: AccountId, count: i64) {
    let command = |bundle: i64| {
        let bundles = vec![BundleId(bundle)];
        Command::Bundles(BundleAction { source: account, bundles, portion: Portion::Whole, deed: Deed::Claim })
    };
    let submit = |bundle| kit.registry.submit_as(Actor::User(user), command(bundle), "{}".to_owned());
    let pending: Vec<_> = (1..=count).map(|bundle| submit(bundle).expect("a place in the queue")).collect();
    for answer in pending {
        assert!(matches!(answer.wait(), Err(Error::Refused(_))));
    }
}

#[test]
fn of_one_user_the_newest_are_kept_and_the_ledger_knows_of_none() {
    for engine in ENGINES {
        let kit = TestRegistry::on(engine);
        let account = kit.account("a");
        let (busy, calm) =
            (kit.user("busy", &[Role::TradingUser], &[account]), kit.user("calm", &[Role::TradingUser], &[account]));
        let event = kit.registry.health().unwrap().event_number;
        refused(&kit, calm, account, 1);
        refused(&kit, busy, account, REFUSALS);
        assert_eq!(kit.registry.health().unwrap().event_number, event);
        let auditor = Caller::signed_in(UserId(0), Roles::of(&[Role::Auditor]), [0; 32], Timestamp::MAX);
        let query = ActionQuery { is_accepted: Some(false), ..ActionQuery::default() };
        let page = kit.registry.actions(&auditor, &query, Paging { limit: 2_000, after: None }, None).unwrap();
        let of = |user: UserId| {
            let mine =
                |action: &&AnyAction| matches!(action, AnyAction::Rejected(action) if action.user_id == Some(user.0));
            page.entries.iter().filter(mine).count()
        };
        assert_eq!((of(busy), of(calm)), (KEPT_PER_USER, 1));
        assert_verified(kit.database.url());
    }
}

#[test]
fn what_is_too_old_is_cleared_away_when_the_writer_comes_to_it() {
    for engine in ENGINES {
        let kit = TestRegistry::on(engine);
        let account = kit.account("a");
        let user = kit.user("busy", &[Role::TradingUser], &[account]);
        refused(&kit, user, account, 3);
        assert_eq!(kit.registry.measured().unwrap().rejected_kept, 3);
        kit.time.advance(SignedDuration::from_hours(24 * 90));
        // A writer that starts looks for them at once.
        let kit = kit.reopened();
        kit.account("b");
        testkit::until("old refusals to be gone", || {
            (kit.registry.measured().unwrap().rejected_kept == 0).then_some(())
        });
    }
}
