//! Bundles expire: who says so, when, from which state; and nothing is done to them from their instant on.

use super::*;

/// When the test's bundles expire.
fn instant() -> Timestamp {
    at("2028-03-01T00:00:00Z")
}

/// A microsecond before, at and after.
fn around() -> [(Timestamp, bool); 3] {
    [(instant() - 1.microsecond(), false), (instant(), true), (instant() + 1.microsecond(), true)]
}

fn expire(ids: &[i64]) -> Command {
    Command::Expire(ids.iter().copied().map(BundleId).collect())
}

fn at_time(state: &State, command: &Command, now: Timestamp) -> Result<(Changes, Outcome), Refusal> {
    decide(state, Actor::Operator, command, now, &rules())
}

#[test]
fn active_and_locked_bundles_expire_at_their_instant_and_no_others() {
    for status in BundleStatus::ALL {
        let state = state_with([with_status(bundle(1, 10), *status)]);
        for (now, is_over) in around() {
            let (changes, outcome) = at_time(&state, &expire(&[1]), now).unwrap();
            let expected = if is_over && matches!(status, BundleStatus::Active | BundleStatus::Locked) {
                vec![changed(&state, 1, |bundle| bundle.status = BundleStatus::Expired)]
            } else {
                vec![]
            };
            assert_eq!(outcome, Outcome::Expired(expected.len()), "{status} at {now}");
            assert_eq!(changes, expected, "{status} at {now}");
        }
    }
}

#[test]
fn what_is_named_twice_or_not_there_is_passed_over_and_a_second_sweep_finds_nothing() {
    let mut state = state_with([bundle(1, 10), bundle(2, 10), Bundle { expires_at: Timestamp::MAX, ..bundle(3, 10) }]);
    let command = expire(&[2, 1, 2, 3, 77]);
    let (changes, outcome) = at_time(&state, &command, instant()).unwrap();
    assert_eq!((changes.len(), outcome), (2, Outcome::Expired(2)));
    state.apply(ActionId(1), &changes);
    assert_eq!(at_time(&state, &command, instant()).unwrap(), (vec![], Outcome::Expired(0)));
}

#[test]
fn expiring_is_refused_in_this_order() {
    let many: Vec<i64> = (0..=10_000).collect();
    let state = state_with([bundle(1, 10)]);
    for actor in [ADMINISTRATOR, ISSUER, TRADER, AUDITOR] {
        let refused = decide(&state, Actor::User(actor), &expire(&many), instant(), &rules());
        assert!(matches!(refused, Err(Refusal::Forbidden { .. })), "{actor}");
    }
    let too_many = Refusal::TooMany { field: "granular_certificate_bundle_ids", max: BUNDLES_PER_ACTION_MAX };
    assert_eq!(at_time(&state, &expire(&many), instant()), Err(too_many));
}

/// Each deed, with the state it starts from, somebody who may do it, and whether it may be done to what has expired.
fn deeds() -> Vec<(Deed, BundleStatus, UserId, bool)> {
    let reason = || "reason".to_owned();
    let correct = |status| Deed::UpdateMutables { account: None, status: Some(status), reason: None };
    vec![
        (Deed::Transfer { target: BUYER }, BundleStatus::Active, TRADER, false),
        (cancel(), BundleStatus::Active, TRADER, false),
        (Deed::Reserve { target_registry: None }, BundleStatus::Active, TRADER, false),
        (Deed::Lock { reason: reason() }, BundleStatus::Active, ISSUER, false),
        (Deed::Unlock { reason: reason() }, BundleStatus::Locked, ISSUER, false),
        (correct(BundleStatus::Cancelled), BundleStatus::Active, ISSUER, false),
        (correct(BundleStatus::Locked), BundleStatus::Active, ISSUER, false),
        (correct(BundleStatus::Active), BundleStatus::Locked, ISSUER, false),
        // what was used in time is not undone by time, and the issuer takes back what is wrong whenever it shows
        (Deed::Claim, BundleStatus::Cancelled, TRADER, true),
        (Deed::Withdraw { reason: reason(), export_failed: false }, BundleStatus::Active, ISSUER, true),
        (Deed::Withdraw { reason: reason(), export_failed: true }, BundleStatus::Reserved, ISSUER, true),
    ]
}

#[test]
fn each_action_is_refused_from_the_very_instant_of_expiry_swept_or_not() {
    for (deed, status, actor, may_after) in deeds() {
        let cancellation = (status == BundleStatus::Cancelled).then(|| {
            let beneficiary = "Somebody".to_owned();
            std::sync::Arc::new(crate::Cancellation { beneficiary, beneficiary_account: None, purpose: None })
        });
        let stored = Bundle { cancellation, ..with_status(bundle(1, 10), status) };
        let command = on_bundles(SELLER, &[1], quantity(4), deed.clone());
        for (now, is_over) in around() {
            let mut state = state_with([stored.clone()]);
            for is_swept in [false, true] {
                if is_swept {
                    let (changes, _) = at_time(&state, &expire(&[1]), now).unwrap();
                    state.apply(ActionId(1), &changes);
                }
                let done = decide(&state, Actor::User(actor), &command, now, &rules());
                match done {
                    Ok(_) => assert!(!is_over || may_after, "{deed:?} at {now}"),
                    Err(Refusal::WrongState { status, .. }) => {
                        assert!(is_over && !may_after && status == BundleStatus::Expired, "{deed:?} at {now}");
                    }
                    Err(other) => panic!("{deed:?} at {now}: {other}"),
                }
            }
        }
    }
}
