//! Accounts change and go: each fault alone, in the order of the rules.

use super::register::{crowded, taken, too_many};
use super::*;
use crate::account::MEMBERS_MAX;
use crate::state::ACCOUNT_NAME;
use crate::{Cancellation, Capability};

fn update(account_id: AccountId, what: impl FnOnce(&mut AccountUpdate)) -> Command {
    let mut update = AccountUpdate { account_id, name: None, organisation_id: Edit::Keep, user_ids: None };
    what(&mut update);
    Command::UpdateAccount(update)
}

#[test]
fn a_change_of_an_account_is_refused_in_order() {
    let mut state = crowded();
    state.taken.insert((ACCOUNT_NAME, "taken".to_owned()));
    let organisation_id = OrganisationId(9);
    let users = |ids: Vec<UserId>| {
        update(SELLER, |u| {
            u.name = Some("taken".to_owned());
            u.user_ids = Some(ids);
        })
    };
    let long = too_many(UserId);
    let worst = |id| {
        update(id, |u| {
            u.organisation_id = Edit::Set(organisation_id);
            u.user_ids = Some(vec![DELETED_USER]);
        })
    };
    for (actor, command, expected) in [
        (TRADER, worst(NOBODY), forbidden("the role Registry Administrator")),
        (ADMINISTRATOR, worst(NOBODY), Refusal::AccountMissing { account_id: NOBODY }),
        (ADMINISTRATOR, worst(DELETED_ACCOUNT), Refusal::AccountMissing { account_id: DELETED_ACCOUNT }),
        (ADMINISTRATOR, worst(SELLER), Refusal::OrganisationMissing { organisation_id }),
        (ADMINISTRATOR, users([&long[..], &[DELETED_USER]].concat()), Refusal::UserMissing { user_id: DELETED_USER }),
        (ADMINISTRATOR, users(long), Refusal::TooMany { field: "user_ids", max: MEMBERS_MAX }),
        (ADMINISTRATOR, users(vec![TRADER]), taken("account_name", "taken")),
    ] {
        assert_eq!(refusal(&state, actor, &command), expected, "{command:?}");
    }
}

#[test]
fn users_of_an_account_are_given_as_the_whole_set() {
    let mut state = state();
    let whole = |ids: &[UserId]| update(SELLER, |u| u.user_ids = Some(ids.to_vec()));
    // TRADER, PRODUCER and ISSUER belong to it
    let (changes, outcome) = decided(&state, ADMINISTRATOR, &whole(&[AUDITOR, TRADER, AUDITOR])).unwrap();
    let of = |user, joined: &[AccountId], left: &[AccountId]| Change::MembershipsChanged {
        user,
        joined: joined.to_vec(),
        left: left.to_vec(),
    };
    assert_eq!(outcome, Outcome::Account(SELLER));
    assert_eq!(changes, [of(ISSUER, &[], &[SELLER]), of(PRODUCER, &[], &[SELLER]), of(AUDITOR, &[SELLER], &[])]);
    state.apply(ActionId(1), &changes);
    assert!(!state.permits(Actor::User(PRODUCER), Capability::Trade(SELLER)));
    assert!(state.permits(Actor::User(TRADER), Capability::Trade(SELLER)));
    assert_eq!(decided(&state, ADMINISTRATOR, &whole(&[TRADER, AUDITOR])).unwrap().0, []);
}

#[test]
fn an_account_changes_its_name_and_its_organisation() {
    let mut state = state();
    let before = Account { organisation_id: Some(OrganisationId(1)), ..account(SELLER) };
    state.accounts.insert(SELLER, before.clone());
    let command = update(SELLER, |u| {
        u.name = Some("New".to_owned());
        u.organisation_id = Edit::Clear;
    });
    let (changes, _) = decided(&state, ADMINISTRATOR, &command).unwrap();
    let after = Account { name: "New".to_owned(), organisation_id: None, ..before.clone() };
    let expected = Change::AccountChanged { before: Box::new(before), after: Box::new(after.clone()) };
    assert_eq!(changes, [expected]);
    state.apply(ActionId(1), &changes);
    assert_eq!(state.accounts[&SELLER], after);
    assert!(state.taken.contains(&(ACCOUNT_NAME, "New".to_owned())));
    assert_eq!(decided(&state, ADMINISTRATOR, &command).unwrap().0, []);
}

#[test]
fn an_account_in_use_is_not_deleted() {
    let held = |status| Refusal::AccountHoldsBundles { account_id: SELLER, bundle_id: BundleId(1), status };
    let delete = Command::DeleteAccount(SELLER);
    for status in BundleStatus::ALL {
        let mut state = state_with([with_status(bundle(1, 100), *status)]);
        let has_device = Refusal::AccountHasDevices { account_id: SELLER, device_id: WIND };
        let binds = matches!(status, BundleStatus::Active | BundleStatus::Reserved | BundleStatus::Locked);
        let expected = if binds { held(*status) } else { has_device };
        assert_eq!(refusal(&state, ADMINISTRATOR, &delete), expected, "{status}");
        state.devices.get_mut(&WIND).unwrap().is_deleted = true;
        assert_eq!(decided(&state, ADMINISTRATOR, &delete).is_err(), binds, "{status}");
    }
    let state = state();
    assert_eq!(refusal(&state, TRADER, &delete), forbidden("the role Registry Administrator"));
    let missing = Refusal::AccountMissing { account_id: NOBODY };
    assert_eq!(refusal(&state, ADMINISTRATOR, &Command::DeleteAccount(NOBODY)), missing);
    assert_eq!(decided(&state, ADMINISTRATOR, &Command::DeleteAccount(DELETED_ACCOUNT)).unwrap().0, []);
}

#[test]
fn what_has_expired_does_not_keep_an_account() {
    let delete = Command::DeleteAccount(SELLER);
    for (status, binds) in
        [(BundleStatus::Active, false), (BundleStatus::Locked, false), (BundleStatus::Reserved, true)]
    {
        let mut state = state_with([Bundle { expires_at: noon(), ..with_status(bundle(1, 100), status) }]);
        state.devices.clear();
        assert_eq!(decided(&state, ADMINISTRATOR, &delete).is_err(), binds, "{status}");
    }
}

#[test]
fn nothing_can_be_done_for_a_deleted_account() {
    let mut cancelled = with_status(bundle(1, 100), BundleStatus::Cancelled);
    cancelled.account_id = BUYER;
    let beneficiary = Cancellation { beneficiary: "S".to_owned(), beneficiary_account: Some(SELLER), purpose: None };
    cancelled.cancellation = Some(std::sync::Arc::new(beneficiary));
    let mut state = state_with([cancelled, with_status(bundle(2, 100), BundleStatus::Cancelled)]);
    state.devices.clear();
    let claim = on_bundles(BUYER, &[1], Portion::Whole, Deed::Claim);
    assert!(decided(&state, TRADER, &claim).is_ok());
    let (changes, outcome) = decided(&state, ADMINISTRATOR, &Command::DeleteAccount(SELLER)).unwrap();
    assert_eq!((&changes[..], outcome), (&[Change::AccountDeleted(SELLER)][..], Outcome::Account(SELLER)));
    state.apply(ActionId(1), &changes);
    assert_eq!(state.users_of(SELLER).count(), 0);
    let missing = |id, bundle| Refusal::BundleMissing { source_id: id, bundle_id: BundleId(bundle) };
    assert_eq!(refusal(&state, TRADER, &claim), missing(BUYER, 1));
    assert_eq!(refusal(&state, TRADER, &on_bundles(SELLER, &[2], Portion::Whole, Deed::Claim)), missing(SELLER, 2));
    let into = on_bundles(BUYER, &[1], Portion::Whole, Deed::Transfer { target: SELLER });
    let unwelcome = Refusal::NotWhitelisted { source_id: BUYER, target_id: SELLER };
    assert_eq!(refusal(&state, BUYERS_TRADER, &into), unwelcome);
    let create = Command::CreateDevice(NewDevice { account_id: SELLER, description: description("m") });
    assert_eq!(refusal(&state, REGISTRAR, &create), Refusal::AccountMissing { account_id: SELLER });
    assert!(matches!(refusal(&state, PRODUCER, &create), Refusal::Forbidden { .. }));
}
