//! Users change, get other roles, and go: each fault alone, in the order of the rules.

use super::register::{crowded, taken, too_many};
use super::*;
use crate::Capability;
use crate::account::MEMBERS_MAX;
use crate::state::PRIMARY_CONTACT;

const ADMINISTRATORS_ONLY: &str = "the role Registry Administrator";

fn update(of: UserId, what: impl FnOnce(&mut UserUpdate)) -> Command {
    let mut update = UserUpdate::of(of);
    what(&mut update);
    Command::UpdateUser(update)
}

fn roles(of: UserId, roles: &[Role]) -> Command {
    Command::ChangeRole(RoleChange { user_id: of, roles: Roles::of(roles) })
}

#[test]
fn a_change_of_a_user_is_refused_in_order() {
    let mut state = crowded();
    state.taken.insert((PRIMARY_CONTACT, "taken".to_owned()));
    let accounts = |ids: Vec<AccountId>| {
        move |of: UserId| {
            update(of, |u| {
                u.primary_contact = Some("taken".to_owned());
                u.account_ids = Some(ids);
            })
        }
    };
    let long = too_many(AccountId);
    let with_missing = [&long[..], &[NOBODY]].concat();
    let with_deleted = [&long[..], &[DELETED_ACCOUNT]].concat();
    for (actor, command, expected) in [
        (TRADER, update(PRODUCER, |_| ()), forbidden(ADMINISTRATORS_ONLY)),
        (TRADER, update(TRADER, |u| u.account_ids = Some(vec![BUYER])), forbidden(ADMINISTRATORS_ONLY)),
        (TRADER, update(TRADER, |u| u.password_hash = Some("hashed".to_owned())), forbidden(ADMINISTRATORS_ONLY)),
        (DELETED_USER, update(TRADER, |_| ()), forbidden(ADMINISTRATORS_ONLY)),
        (ADMINISTRATOR, update(UserId(99), |_| ()), Refusal::UserMissing { user_id: UserId(99) }),
        (ADMINISTRATOR, accounts(with_missing.clone())(DELETED_USER), Refusal::UserMissing { user_id: DELETED_USER }),
        (ADMINISTRATOR, accounts(with_missing)(TRADER), Refusal::AccountMissing { account_id: NOBODY }),
        (ADMINISTRATOR, accounts(with_deleted)(TRADER), Refusal::AccountMissing { account_id: DELETED_ACCOUNT }),
        (ADMINISTRATOR, accounts(long)(TRADER), Refusal::TooMany { field: "account_ids", max: MEMBERS_MAX }),
        (ADMINISTRATOR, accounts(vec![BUYER])(TRADER), taken("primary_contact", "taken")),
        (TRADER, update(TRADER, |u| u.primary_contact = Some("taken".to_owned())), taken("primary_contact", "taken")),
    ] {
        assert_eq!(refusal(&state, actor, &command), expected, "{command:?}");
    }
}

#[test]
fn everybody_changes_their_own_profile_and_absent_members_stay() {
    let mut state = state();
    state.users.get_mut(&TRADER).unwrap().organisation = Some("Wind plc".to_owned());
    let before = state.users[&TRADER].clone();
    assert_eq!(decided(&state, TRADER, &update(TRADER, |_| ())).unwrap(), (vec![], Outcome::User(TRADER)));
    let command = update(TRADER, |u| {
        u.name = Some("Ada".to_owned());
        u.organisation = Edit::Clear;
    });
    let (changes, _) = decided(&state, TRADER, &command).unwrap();
    let after = User { name: "Ada".to_owned(), organisation: None, ..before.clone() };
    let (was, is) = (Box::new(before), Box::new(after.clone()));
    assert_eq!(changes, [Change::UserChanged { before: was, after: is, password_hash: None }]);
    assert_eq!(changes[0].revokes(), None);
    state.apply(ActionId(1), &changes);
    assert_eq!(state.users[&TRADER], after);
}

#[test]
fn a_changed_sign_in_name_is_taken_and_the_old_one_free() {
    let mut state = state();
    state.taken.insert((PRIMARY_CONTACT, "5@example.org".to_owned()));
    let command = update(TRADER, |u| u.primary_contact = Some("ada@example.org".to_owned()));
    let (changes, _) = decided(&state, TRADER, &command).unwrap();
    state.apply(ActionId(1), &changes);
    let rename = |to: &str| update(PRODUCER, |u| u.primary_contact = Some(to.to_owned()));
    assert_eq!(refusal(&state, PRODUCER, &rename("ada@example.org")), taken("primary_contact", "ada@example.org"));
    assert!(decided(&state, PRODUCER, &rename("5@example.org")).is_ok());
}

#[test]
fn accounts_are_given_as_the_whole_set() {
    let mut state = state();
    let whole = |ids: &[AccountId]| update(TRADER, |u| u.account_ids = Some(ids.to_vec()));
    let (changes, _) = decided(&state, ADMINISTRATOR, &whole(&[STRANGER, BUYER, BUYER])).unwrap();
    let expected = Change::MembershipsChanged { user: TRADER, joined: vec![BUYER, STRANGER], left: vec![SELLER] };
    assert_eq!(changes, [expected]);
    state.apply(ActionId(1), &changes);
    assert!(!state.permits(Actor::User(TRADER), Capability::Trade(SELLER)));
    assert!(state.permits(Actor::User(TRADER), Capability::Trade(STRANGER)));
    assert_eq!(decided(&state, ADMINISTRATOR, &whole(&[BUYER, STRANGER])).unwrap().0, []);
    let (changes, _) = decided(&state, ADMINISTRATOR, &whole(&[])).unwrap();
    state.apply(ActionId(2), &changes);
    assert_eq!(state.accounts_of(TRADER).count(), 0);
}

#[test]
fn a_new_password_and_other_roles_revoke_what_was_given_before() {
    let state = state();
    let command = update(TRADER, |u| u.password_hash = Some("hashed".to_owned()));
    let (changes, _) = decided(&state, ADMINISTRATOR, &command).unwrap();
    assert_eq!((changes.len(), changes[0].revokes()), (1, Some(TRADER)));
    let (changes, outcome) = decided(&state, ADMINISTRATOR, &roles(TRADER, &[Role::Auditor])).unwrap();
    assert_eq!((changes.len(), changes[0].revokes(), outcome), (1, Some(TRADER), Outcome::User(TRADER)));
    assert_eq!(decided(&state, ADMINISTRATOR, &roles(TRADER, &[Role::TradingUser])).unwrap().0, []);
    let (changes, _) = decided(&state, ADMINISTRATOR, &Command::DeleteUser(TRADER)).unwrap();
    assert_eq!(changes[0].revokes(), Some(TRADER));
}

#[test]
fn a_change_of_roles_is_refused_in_order() {
    let state = state();
    for (actor, command, expected) in [
        (ISSUER, roles(UserId(99), &[]), forbidden(ADMINISTRATORS_ONLY)),
        (ADMINISTRATOR, roles(UserId(99), &[]), Refusal::UserMissing { user_id: UserId(99) }),
        (ADMINISTRATOR, roles(DELETED_USER, &[]), Refusal::UserMissing { user_id: DELETED_USER }),
        (ADMINISTRATOR, roles(ADMINISTRATOR, &[Role::Auditor]), Refusal::LastAdministrator { user_id: ADMINISTRATOR }),
        (ISSUER, Command::DeleteUser(UserId(99)), forbidden(ADMINISTRATORS_ONLY)),
        (ADMINISTRATOR, Command::DeleteUser(UserId(99)), Refusal::UserMissing { user_id: UserId(99) }),
        (ADMINISTRATOR, Command::DeleteUser(ADMINISTRATOR), Refusal::LastAdministrator { user_id: ADMINISTRATOR }),
    ] {
        assert_eq!(refusal(&state, actor, &command), expected, "{command:?}");
    }
}

#[test]
fn the_last_administrator_stays_and_the_last_but_one_goes() {
    let mut state = state();
    let promote = roles(TRADER, &[Role::RegistryAdministrator, Role::TradingUser]);
    let (changes, _) = decided(&state, ADMINISTRATOR, &promote).unwrap();
    state.apply(ActionId(1), &changes);
    let (changes, _) = decided(&state, ADMINISTRATOR, &Command::DeleteUser(ADMINISTRATOR)).unwrap();
    state.apply(ActionId(2), &changes);
    let last = Refusal::LastAdministrator { user_id: TRADER };
    assert_eq!(refusal(&state, TRADER, &roles(TRADER, &[Role::TradingUser])), last);
    assert_eq!(refusal(&state, TRADER, &Command::DeleteUser(TRADER)), last);
    assert_eq!(decide(&state, Actor::Operator, &Command::DeleteUser(TRADER), noon(), &rules()), Err(last));
}

#[test]
fn a_deleted_user_can_do_nothing_and_their_sign_in_name_is_free() {
    let mut state = state();
    state.taken.insert((PRIMARY_CONTACT, "5@example.org".to_owned()));
    let (changes, outcome) = decided(&state, ADMINISTRATOR, &Command::DeleteUser(TRADER)).unwrap();
    assert_eq!((&changes[..], outcome), (&[Change::UserDeleted(TRADER)][..], Outcome::User(TRADER)));
    state.apply(ActionId(1), &changes);
    assert!(!state.permits(Actor::User(TRADER), Capability::Trade(SELLER)));
    assert_eq!(state.users_of(SELLER).filter(|user| *user == TRADER).count(), 0);
    assert!(state.taken.is_empty());
    assert_eq!(decided(&state, ADMINISTRATOR, &Command::DeleteUser(TRADER)).unwrap().0, []);
    assert_eq!(refusal(&state, TRADER, &update(TRADER, |_| ())), Refusal::UserMissing { user_id: TRADER });
}
