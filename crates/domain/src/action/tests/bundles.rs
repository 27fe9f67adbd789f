//! Transfer, cancel, claim, reserve, lock, unlock, withdraw and corrections: who may, from which state, and what it changes.

use super::*;
use crate::Cancellation;
use std::sync::Arc;

const NEEDS_TRADER: &str = "the role Trading User or Production User and membership of account 1";
const NEEDS_ISSUER: &str = "the role Registry Administrator or GC Issuer";

fn transfer(target: AccountId) -> Deed {
    Deed::Transfer { target }
}

fn reserve() -> Deed {
    Deed::Reserve { target_registry: None }
}

fn lock() -> Deed {
    Deed::Lock { reason: "dispute".to_owned() }
}

fn unlock() -> Deed {
    Deed::Unlock { reason: "settled".to_owned() }
}

fn withdraw(export_failed: bool) -> Deed {
    Deed::Withdraw { reason: "meter fault".to_owned(), export_failed }
}

fn correct(account: Option<AccountId>, status: Option<BundleStatus>) -> Deed {
    Deed::UpdateMutables { account, status, reason: None }
}

fn cancelled_for(beneficiary_account: Option<AccountId>, purpose: Option<&str>) -> Arc<Cancellation> {
    let purpose = purpose.map(str::to_owned);
    Arc::new(Cancellation { beneficiary: "Somebody".to_owned(), beneficiary_account, purpose })
}

/// Each deed with somebody who may do it to bundles of `SELLER`, and the only states in which it may be done.
fn deeds() -> Vec<(Deed, UserId, Vec<BundleStatus>)> {
    use BundleStatus::{Active, Cancelled, Claimed, Expired, Locked, Reserved, Withdrawn};
    vec![
        (transfer(BUYER), TRADER, vec![Active]),
        (cancel(), TRADER, vec![Active]),
        (Deed::Claim, TRADER, vec![Cancelled]),
        (reserve(), TRADER, vec![Active]),
        (lock(), ISSUER, vec![Active]),
        (unlock(), ISSUER, vec![Locked]),
        (withdraw(false), ISSUER, vec![Active, Locked, Cancelled, Claimed, Expired]),
        (withdraw(true), ISSUER, vec![Reserved]),
        (correct(Some(STRANGER), None), ISSUER, vec![Active, Locked]),
        (correct(Some(STRANGER), Some(Locked)), ISSUER, vec![Active, Locked]),
        (correct(Some(STRANGER), Some(Active)), ISSUER, vec![Active, Locked]),
        (correct(None, Some(Active)), ISSUER, vec![Locked]),
        (correct(Some(SELLER), Some(Locked)), ISSUER, vec![Active]),
        (correct(None, Some(Cancelled)), ISSUER, vec![Active]),
        (correct(None, Some(Reserved)), ISSUER, vec![Active]),
        (correct(None, Some(Withdrawn)), ISSUER, vec![Active, Locked]),
    ]
}

#[test]
fn each_deed_is_done_in_its_states_only() {
    for (deed, actor, allowed) in deeds() {
        for status in BundleStatus::ALL {
            let state = state_with([with_status(bundle(1, 100), *status)]);
            let command = on_bundles(SELLER, &[1], Portion::Whole, deed.clone());
            let bundle_id = BundleId(1);
            let wrong = Refusal::WrongState { bundle_id, status: *status, needed: allowed.clone() };
            let expected = if allowed.contains(status) { None } else { Some(wrong) };
            assert_eq!(decided(&state, actor, &command).err(), expected, "{deed:?} of {status}");
        }
    }
}

#[test]
fn at_the_instant_of_expiry_a_bundle_is_expired() {
    let expires_at = bundle(1, 100).expires_at;
    let just_before = Timestamp::from_microsecond(expires_at.as_microsecond() - 1).unwrap();
    for (deed, actor, allowed) in deeds() {
        for status in [BundleStatus::Active, BundleStatus::Locked] {
            let state = state_with([with_status(bundle(1, 100), status)]);
            let command = on_bundles(SELLER, &[1], Portion::Whole, deed.clone());
            let refused_at = |now| decide(&state, Actor::User(actor), &command, now, &rules()).err();
            let wrong = |status| Refusal::WrongState { bundle_id: BundleId(1), status, needed: allowed.clone() };
            let before = (!allowed.contains(&status)).then(|| wrong(status));
            assert_eq!(refused_at(just_before), before, "{deed:?} of {status}");
            let then = (!allowed.contains(&BundleStatus::Expired)).then(|| wrong(BundleStatus::Expired));
            assert_eq!(refused_at(expires_at), then, "{deed:?} of {status} at expiry");
        }
    }
}

/// The refusals that all deeds share, each with the faults behind it still in the command.
#[test]
fn a_selection_is_refused_for_its_first_fault_in_order() {
    let too_many = vec![1; BUNDLES_PER_ACTION_MAX + 1];
    for (deed, actor, allowed) in deeds() {
        let right = allowed[0];
        let wrong = BundleStatus::Split;
        let state = state_with([
            with_status(bundle(1, 100), right),
            with_status(bundle(2, 100), wrong),
            Bundle { account_id: STRANGER, ..with_status(bundle(3, 100), right) },
            with_status(bundle(4, 1), right),
        ]);
        let missing = |id| Refusal::BundleMissing { source_id: SELLER, bundle_id: BundleId(id) };
        let wrong_state = Refusal::WrongState { bundle_id: BundleId(2), status: wrong, needed: allowed.clone() };
        let too_many_bundles =
            Refusal::TooMany { field: "granular_certificate_bundle_ids", max: BUNDLES_PER_ACTION_MAX };
        let not_enough = Refusal::NotEnough { held: WattHours(101), asked: WattHours(102) };
        for (bundles, portion, expected) in [
            (&[][..], quantity(0), Refusal::NoBundles),
            (&too_many[..], quantity(0), too_many_bundles),
            (&[1, 2, 1, 9], quantity(0), Refusal::BundleRepeated { bundle_id: BundleId(1) }),
            (&[1, 2, 9, 1], quantity(0), missing(9)),
            (&[1, 2, 3], quantity(0), missing(3)),
            (&[1, 4, 2], quantity(0), wrong_state.clone()),
            (&[1, 4, 2], quantity(1), wrong_state),
            (&[1, 4], quantity(0), Refusal::QuantityZero),
            (&[1, 4], quantity(102), not_enough),
            (&[1, 4], share("0"), Refusal::ShareOutOfRange),
            (&[1, 4], share("1.00000000000000001"), Refusal::ShareOutOfRange),
            (&[4], share("0.999999999999999999"), Refusal::NothingPicked),
        ] {
            let command = on_bundles(SELLER, bundles, portion, deed.clone());
            assert_eq!(refusal(&state, actor, &command), expected, "{deed:?} {portion:?}");
        }
    }
}

#[test]
fn holders_deeds_need_a_trader_of_the_account_and_issuers_deeds_an_issuer() {
    let state = state();
    for (deed, actor, _) in deeds() {
        let needs = if actor == TRADER { NEEDS_TRADER } else { NEEDS_ISSUER };
        let others = if actor == TRADER { [ADMINISTRATOR, ISSUER] } else { [TRADER, PRODUCER] };
        let bundles: &[i64] = if deed == Deed::Claim { &[9] } else { &[] };
        for other in others.into_iter().chain([BUYERS_TRADER, AUDITOR, METER, DELETED_USER]) {
            let expected = match deed {
                Deed::Claim => Refusal::BundleMissing { source_id: SELLER, bundle_id: BundleId(9) },
                _ => forbidden(needs),
            };
            let command = on_bundles(SELLER, bundles, Portion::Whole, deed.clone());
            assert_eq!(refusal(&state, other, &command), expected, "{deed:?} by {other}");
        }
        assert_eq!(refusal(&state, actor, &on_bundles(SELLER, &[], Portion::Whole, deed)), Refusal::NoBundles);
    }
}

#[test]
fn a_transfer_goes_to_who_has_whitelisted_the_source() {
    let mut state = state_with([bundle(1, 100)]);
    let to = |target| on_bundles(SELLER, &[], Portion::Whole, transfer(target));
    let not_whitelisted = |target_id| Refusal::NotWhitelisted { source_id: SELLER, target_id };
    for (actor, target, expected) in [
        (BUYERS_TRADER, SELLER, forbidden(NEEDS_TRADER)),
        (TRADER, SELLER, Refusal::TargetIsSource { source_id: SELLER }),
        (TRADER, STRANGER, not_whitelisted(STRANGER)),
        (TRADER, NOBODY, not_whitelisted(NOBODY)),
        (TRADER, DELETED_ACCOUNT, not_whitelisted(DELETED_ACCOUNT)),
        (TRADER, BUYER, Refusal::NoBundles),
        (PRODUCER, BUYER, Refusal::NoBundles),
    ] {
        assert_eq!(refusal(&state, actor, &to(target)), expected, "to {target} by {actor}");
    }
    let whole = on_bundles(SELLER, &[1], Portion::Whole, transfer(BUYER));
    let (changes, outcome) = decided(&state, TRADER, &whole).unwrap();
    assert_eq!(changes, [changed(&state, 1, |after| after.account_id = BUYER)]);
    let range = bundle(1, 100).range;
    let (parent_id, status) = (None, BundleStatus::Active);
    let result = vec![BundleResult { bundle_id: BundleId(1), parent_id, range, status, account_id: BUYER }];
    assert_eq!(outcome, Outcome::Bundles { result, total: WattHours(100) });
    state.apply(ActionId(1), &changes);
    let gone = Refusal::BundleMissing { source_id: SELLER, bundle_id: BundleId(1) };
    assert_eq!(refusal(&state, TRADER, &whole), gone, "it has left the source");
    let back = on_bundles(BUYER, &[1], Portion::Whole, transfer(SELLER));
    assert!(decided(&state, BUYERS_TRADER, &back).is_ok());
}

#[test]
fn a_deleted_source_refuses_its_holders_deeds() {
    let mut state = state_with([bundle(1, 100)]);
    state.accounts.get_mut(&SELLER).unwrap().is_deleted = true;
    for deed in [transfer(SELLER), cancel(), reserve()] {
        let command = on_bundles(SELLER, &[], Portion::Whole, deed.clone());
        assert_eq!(refusal(&state, BUYERS_TRADER, &command), forbidden(NEEDS_TRADER));
        assert_eq!(refusal(&state, TRADER, &command), Refusal::AccountMissing { account_id: SELLER }, "{deed:?}");
    }
}

#[test]
fn a_cancellation_names_its_beneficiary_or_the_account() {
    let state = state_with([bundle(1, 100)]);
    let with = |beneficiary: Option<&str>, beneficiary_account, purpose: Option<&str>| Deed::Cancel {
        beneficiary: beneficiary.map(str::to_owned),
        beneficiary_account,
        purpose: purpose.map(str::to_owned),
    };
    for id in [NOBODY, DELETED_ACCOUNT] {
        let command = on_bundles(SELLER, &[], Portion::Whole, with(None, Some(id), None));
        assert_eq!(refusal(&state, TRADER, &command), Refusal::AccountMissing { account_id: id });
    }
    for (deed, beneficiary, beneficiary_account, purpose) in [
        (cancel(), "Account 1", None, None),
        (with(Some("Bakery"), Some(BUYER), Some("2026")), "Bakery", Some(BUYER), Some("2026")),
        (with(None, Some(BUYER), None), "Account 1", Some(BUYER), None),
    ] {
        let (changes, outcome) = decided(&state, TRADER, &on_bundles(SELLER, &[1], Portion::Whole, deed)).unwrap();
        let cancellation = Cancellation {
            beneficiary: beneficiary.to_owned(),
            beneficiary_account,
            purpose: purpose.map(str::to_owned),
        };
        let expected = changed(&state, 1, |after| {
            after.status = BundleStatus::Cancelled;
            after.cancellation = Some(Arc::new(cancellation));
        });
        assert_eq!(changes, [expected]);
        let Outcome::Bundles { result, total } = outcome else { panic!("not bundles") };
        assert_eq!((result[0].status, result[0].account_id, total), (BundleStatus::Cancelled, SELLER, WattHours(100)));
    }
}

#[test]
fn a_claim_is_the_beneficiarys() {
    let cancelled = |id, account, purpose| Bundle {
        cancellation: Some(cancelled_for(account, purpose)),
        ..with_status(bundle(id, 100), BundleStatus::Cancelled)
    };
    let state = state_with([
        cancelled(1, None, None),
        cancelled(2, Some(BUYER), None),
        cancelled(3, Some(BUYER), Some(PURPOSE_STORAGE)),
        cancelled(4, None, Some(PURPOSE_STORAGE)),
        bundle(5, 100),
    ]);
    let missing = |id| Refusal::BundleMissing { source_id: SELLER, bundle_id: BundleId(id) };
    let for_storage = |id| Refusal::CancelledForStorage { bundle_id: BundleId(id) };
    let not_beneficiary = |id| Refusal::NotBeneficiary { bundle_id: BundleId(id) };
    let active = Refusal::WrongState {
        bundle_id: BundleId(5),
        status: BundleStatus::Active,
        needed: vec![BundleStatus::Cancelled],
    };
    for (actor, bundles, portion, expected) in [
        (AUDITOR, &[1, 1][..], Portion::Whole, Some(missing(1))),
        (BUYERS_TRADER, &[2, 1, 2], Portion::Whole, Some(missing(1))),
        (BUYERS_TRADER, &[2, 5], Portion::Whole, Some(missing(5))),
        (TRADER, &[4, 2, 5], Portion::Whole, Some(active)),
        // oldest production first: bundle 4, then 3, 2, 1
        (TRADER, &[2, 4], quantity(0), Some(for_storage(4))),
        (TRADER, &[3], quantity(0), Some(for_storage(3))),
        (BUYERS_TRADER, &[2, 3], quantity(0), Some(for_storage(3))),
        (TRADER, &[1, 2], quantity(0), Some(not_beneficiary(2))),
        (TRADER, &[1], quantity(0), Some(Refusal::QuantityZero)),
        (TRADER, &[1], Portion::Whole, None),
        (PRODUCER, &[1], Portion::Whole, None),
        (BUYERS_TRADER, &[2], Portion::Whole, None),
    ] {
        let command = on_bundles(SELLER, bundles, portion, Deed::Claim);
        assert_eq!(decided(&state, actor, &command).err(), expected, "{bundles:?} by {actor}");
    }
    let (changes, _) = decided(&state, BUYERS_TRADER, &on_bundles(SELLER, &[2], Portion::Whole, Deed::Claim)).unwrap();
    assert_eq!(changes, [changed(&state, 2, |after| after.status = BundleStatus::Claimed)]);
}

#[test]
fn what_was_reserved_only_leaves_when_its_export_failed() {
    let mut state = state_with([bundle(1, 100)]);
    let command = |deed| on_bundles(SELLER, &[1], Portion::Whole, deed);
    let (changes, _) = decided(&state, TRADER, &command(reserve())).unwrap();
    assert_eq!(changes, [changed(&state, 1, |after| after.status = BundleStatus::Reserved)]);
    state.apply(ActionId(1), &changes);
    for (deed, actor, _) in deeds() {
        let is_way_out = deed == withdraw(true);
        assert_eq!(decided(&state, actor, &command(deed.clone())).is_ok(), is_way_out, "{deed:?}");
    }
}

#[test]
fn locks_and_failed_exports_need_a_reason() {
    let state = state_with([bundle(1, 100), with_status(bundle(2, 100), BundleStatus::Locked)]);
    for reason in ["", " \t"] {
        let reason = reason.to_owned();
        for deed in [
            Deed::Lock { reason: reason.clone() },
            Deed::Unlock { reason: reason.clone() },
            Deed::Withdraw { reason, export_failed: true },
        ] {
            let command = on_bundles(SELLER, &[], Portion::Whole, deed);
            assert_eq!(refusal(&state, TRADER, &command), forbidden(NEEDS_ISSUER));
            assert_eq!(refusal(&state, ISSUER, &command), Refusal::ReasonMissing);
        }
    }
    for (id, deed, status) in [
        (1, lock(), BundleStatus::Locked),
        (2, unlock(), BundleStatus::Active),
        (1, withdraw(false), BundleStatus::Withdrawn),
        (1, Deed::Withdraw { reason: String::new(), export_failed: false }, BundleStatus::Withdrawn),
        (2, withdraw(false), BundleStatus::Withdrawn),
    ] {
        for actor in [ISSUER, ADMINISTRATOR] {
            let command = on_bundles(SELLER, &[id], Portion::Whole, deed.clone());
            let (changes, _) = decided(&state, actor, &command).unwrap();
            assert_eq!(changes, [changed(&state, id, |after| after.status = status)]);
        }
    }
}

#[test]
fn a_correction_is_refused_in_this_order() {
    use BundleStatus::{Active, Cancelled, Claimed, Expired, Locked, Split};
    let expired = Bundle { expires_at: noon(), ..bundle(3, 100) };
    let state = state_with([bundle(1, 100), with_status(bundle(2, 100), Cancelled), expired]);
    let wrong = |id, status, needed: &[BundleStatus]| Refusal::WrongState {
        bundle_id: BundleId(id),
        status,
        needed: needed.to_vec(),
    };
    for (actor, bundles, deed, expected) in [
        (TRADER, &[][..], correct(None, None), forbidden(NEEDS_ISSUER)),
        (AUDITOR, &[], correct(None, None), forbidden(NEEDS_ISSUER)),
        (ISSUER, &[], correct(None, None), Refusal::NothingStated),
        (ISSUER, &[], correct(Some(NOBODY), Some(Claimed)), Refusal::NotCorrectable { status: Claimed }),
        (ISSUER, &[], correct(None, Some(Expired)), Refusal::NotCorrectable { status: Expired }),
        (ISSUER, &[], correct(None, Some(Split)), Refusal::NotCorrectable { status: Split }),
        (ISSUER, &[], correct(Some(NOBODY), None), Refusal::AccountMissing { account_id: NOBODY }),
        (ISSUER, &[], correct(Some(DELETED_ACCOUNT), None), Refusal::AccountMissing { account_id: DELETED_ACCOUNT }),
        (ISSUER, &[], correct(Some(SELLER), None), Refusal::TargetIsSource { source_id: SELLER }),
        (ISSUER, &[], correct(Some(BUYER), None), Refusal::NoBundles),
        (
            ISSUER,
            &[1, 9],
            correct(Some(BUYER), None),
            Refusal::BundleMissing { source_id: SELLER, bundle_id: BundleId(9) },
        ),
        (ISSUER, &[1, 1], correct(Some(BUYER), None), Refusal::BundleRepeated { bundle_id: BundleId(1) }),
        (ISSUER, &[1, 2], correct(Some(BUYER), None), wrong(2, Cancelled, &[Active, Locked])),
        (ISSUER, &[2], correct(None, Some(Active)), wrong(2, Cancelled, &[Locked])),
        (ISSUER, &[3], correct(Some(BUYER), None), wrong(3, Expired, &[Active, Locked])),
        (ISSUER, &[3], correct(None, Some(Locked)), wrong(3, Expired, &[Active])),
        (ISSUER, &[1], correct(None, Some(Active)), wrong(1, Active, &[Locked])),
    ] {
        let command = on_bundles(SELLER, bundles, Portion::Whole, deed.clone());
        assert_eq!(refusal(&state, actor, &command), expected, "{deed:?} of {bundles:?}");
    }
    let command = on_bundles(SELLER, &[1], quantity(101), correct(Some(STRANGER), None));
    assert!(matches!(refusal(&state, ISSUER, &command), Refusal::NotEnough { .. }));
}

#[test]
fn a_correction_moves_without_whitelist_and_cancels_for_the_account_it_leaves_it_in() {
    let locked = BundleStatus::Locked;
    let state = state_with([bundle(1, 100), with_status(bundle(2, 100), locked)]);
    let corrected =
        |id, deed| decided(&state, ADMINISTRATOR, &on_bundles(SELLER, &[id], Portion::Whole, deed)).unwrap().0;
    let moved = corrected(2, correct(Some(STRANGER), None));
    assert_eq!(moved, [changed(&state, 2, |after| after.account_id = STRANGER)]);
    let both = corrected(2, correct(Some(STRANGER), Some(BundleStatus::Active)));
    let expected = changed(&state, 2, |after| (after.account_id, after.status) = (STRANGER, BundleStatus::Active));
    assert_eq!(both, [expected]);
    for (account, beneficiary) in [(None, "Account 1"), (Some(STRANGER), "Account 3")] {
        let beneficiary = beneficiary.to_owned();
        let cancellation = Arc::new(Cancellation { beneficiary, beneficiary_account: None, purpose: None });
        let expected = changed(&state, 1, |after| {
            after.account_id = account.unwrap_or(SELLER);
            (after.status, after.cancellation) = (BundleStatus::Cancelled, Some(cancellation));
        });
        assert_eq!(corrected(1, correct(account, Some(BundleStatus::Cancelled))), [expected]);
    }
}

#[test]
fn the_state_follows_a_command_so_that_the_next_sees_it() {
    let mut state = state_with([bundle(1, 100)]);
    let command = on_bundles(SELLER, &[1], quantity(60), cancel());
    let (changes, _) = decided(&state, TRADER, &command).unwrap();
    state.apply(ActionId(1), &changes);
    let status = BundleStatus::Split;
    let split = Refusal::WrongState { bundle_id: BundleId(1), status, needed: vec![BundleStatus::Active] };
    assert_eq!(refusal(&state, TRADER, &command), split);
    let rest = on_bundles(SELLER, &[3], Portion::Whole, cancel());
    let (changes, _) = decided(&state, TRADER, &rest).unwrap();
    state.apply(ActionId(2), &changes);
    let statuses: Vec<_> = state.written.bundles.iter().map(|b| (b.id.0, b.status)).collect();
    assert_eq!(statuses, [(2, BundleStatus::Cancelled), (3, BundleStatus::Cancelled)]);
    assert_eq!(state.changed_bundles().iter().map(|b| b.id.0).collect::<Vec<_>>(), [1]);
}
