//! Users, organisations, accounts, whitelists, devices and metadata: each fault alone, in the order of the rules.

use super::*;
use crate::account::MEMBERS_MAX;
use crate::state::{ACCOUNT_NAME, METER_DATA_ID, ORGANISATION_NAME, PRIMARY_CONTACT};
use crate::{Organisation, OrganisationId};

const MANY: i64 = 20_000;

/// The state with `MANY` more accounts and users, from id 20,000 on, to name in lists that are too long.
pub(super) fn crowded() -> State {
    let mut state = state();
    for id in MANY..2 * MANY {
        state.accounts.insert(AccountId(id), account(AccountId(id)));
        state.users.insert(UserId(id), user(UserId(id), &[Role::TradingUser]));
    }
    state
}

pub(super) fn too_many<T>(id: impl Fn(i64) -> T) -> Vec<T> {
    (MANY..).take(MEMBERS_MAX + 1).map(id).collect()
}

pub(super) fn taken(field: &'static str, value: &str) -> Refusal {
    Refusal::Taken { field, value: value.to_owned() }
}

fn new_user() -> NewUser {
    NewUser {
        name: "Ada".to_owned(),
        primary_contact: "ada@example.org".to_owned(),
        roles: Roles::of(&[Role::TradingUser]),
        organisation: None,
        account_ids: vec![BUYER, SELLER, BUYER],
        password_hash: Some("hashed".to_owned()),
    }
}

#[test]
fn a_user_is_created_with_the_accounts_named_once() {
    let mut state = crowded();
    state.taken.insert((PRIMARY_CONTACT, "ada@example.org".to_owned()));
    let command = |account_ids| Command::CreateUser(NewUser { account_ids, ..new_user() });
    let long = too_many(AccountId);
    let with_missing = [&long[..], &[NOBODY]].concat();
    let with_deleted = [&long[..], &[DELETED_ACCOUNT]].concat();
    for (actor, account_ids, expected) in [
        (TRADER, with_missing.clone(), forbidden("the role Registry Administrator")),
        (DELETED_USER, with_missing.clone(), forbidden("the role Registry Administrator")),
        (ADMINISTRATOR, with_missing, Refusal::AccountMissing { account_id: NOBODY }),
        (ADMINISTRATOR, with_deleted, Refusal::AccountMissing { account_id: DELETED_ACCOUNT }),
        (ADMINISTRATOR, long, Refusal::TooMany { field: "account_ids", max: MEMBERS_MAX }),
        (ADMINISTRATOR, vec![SELLER], taken("primary_contact", "ada@example.org")),
    ] {
        assert_eq!(refusal(&state, actor, &command(account_ids)), expected);
    }
    state.taken.clear();
    let created = User {
        id: UserId(10),
        name: "Ada".to_owned(),
        primary_contact: "ada@example.org".to_owned(),
        roles: Roles::of(&[Role::TradingUser]),
        organisation: None,
        is_deleted: false,
        created_at: noon(),
    };
    let password_hash = Some("hashed".to_owned());
    let expected = vec![Change::UserCreated { user: created.clone(), accounts: vec![SELLER, BUYER], password_hash }];
    let (changes, outcome) = decided(&state, ADMINISTRATOR, &Command::CreateUser(new_user())).unwrap();
    assert_eq!((&changes, outcome), (&expected, Outcome::User(UserId(10))));

    state.apply(ActionId(1), &changes);
    assert_eq!(state.users[&UserId(10)], created);
    assert!(state.memberships.contains(&(UserId(10), SELLER)) && state.memberships.contains(&(UserId(10), BUYER)));
    assert_eq!(state.next.user, UserId(11));
    let again = refusal(&state, ADMINISTRATOR, &Command::CreateUser(new_user()));
    assert_eq!(again, taken("primary_contact", "ada@example.org"));
}

fn organisation() -> OrganisationDescription {
    OrganisationDescription {
        name: "Ostrom".to_owned(),
        business_id: "HRB 1".to_owned(),
        primary_contact: "mail@example.org".to_owned(),
        address: None,
        website: None,
    }
}

#[test]
fn an_organisation_is_created_by_the_administrator_under_a_free_name() {
    let mut state = state();
    let command = Command::CreateOrganisation(organisation());
    state.taken.insert((ORGANISATION_NAME, "Ostrom".to_owned()));
    assert_eq!(refusal(&state, ISSUER, &command), forbidden("the role Registry Administrator"));
    assert_eq!(refusal(&state, ADMINISTRATOR, &command), taken("name", "Ostrom"));
    state.taken.clear();
    let (changes, outcome) = decided(&state, ADMINISTRATOR, &command).unwrap();
    let id = OrganisationId(1);
    let created = Organisation { id, description: organisation(), is_deleted: false, created_at: noon() };
    assert_eq!(changes, [Change::OrganisationCreated(created)]);
    assert_eq!(outcome, Outcome::Organisation(id));
    state.apply(ActionId(1), &changes);
    assert_eq!(refusal(&state, ADMINISTRATOR, &command), taken("name", "Ostrom"));
}

#[test]
fn an_account_is_created_with_its_users_and_senders() {
    let mut state = crowded();
    state.taken.insert((ACCOUNT_NAME, "New".to_owned()));
    let deleted =
        Organisation { id: OrganisationId(1), description: organisation(), is_deleted: true, created_at: noon() };
    state.organisations.insert(deleted.id, deleted);
    let worst = NewAccount {
        name: "New".to_owned(),
        organisation_id: Some(OrganisationId(1)),
        user_ids: [&too_many(UserId)[..], &[DELETED_USER]].concat(),
        whitelist: [&too_many(AccountId)[..], &[DELETED_ACCOUNT]].concat(),
    };
    let with_organisation = NewAccount { organisation_id: None, ..worst.clone() };
    let with_users = NewAccount { user_ids: too_many(UserId), ..with_organisation.clone() };
    let with_senders = NewAccount { whitelist: too_many(AccountId), ..with_users.clone() };
    let few_users = NewAccount { user_ids: vec![TRADER, PRODUCER, TRADER], ..with_senders.clone() };
    let few_senders = NewAccount { whitelist: vec![STRANGER, SELLER, STRANGER], ..few_users.clone() };
    let organisation_id = OrganisationId(1);
    for (actor, new, expected) in [
        (REGISTRAR, &worst, forbidden("the role Registry Administrator")),
        (ADMINISTRATOR, &worst, Refusal::OrganisationMissing { organisation_id }),
        (ADMINISTRATOR, &with_organisation, Refusal::UserMissing { user_id: DELETED_USER }),
        (ADMINISTRATOR, &with_users, Refusal::WhitelistAccountMissing { account_id: DELETED_ACCOUNT }),
        (ADMINISTRATOR, &with_senders, Refusal::TooMany { field: "user_ids", max: MEMBERS_MAX }),
        (ADMINISTRATOR, &few_users, Refusal::TooMany { field: "account_whitelist", max: MEMBERS_MAX }),
        (ADMINISTRATOR, &few_senders, taken("account_name", "New")),
    ] {
        assert_eq!(refusal(&state, actor, &Command::CreateAccount(new.clone())), expected);
    }
    state.taken.clear();
    let (changes, outcome) = decided(&state, ADMINISTRATOR, &Command::CreateAccount(few_senders)).unwrap();
    let id = AccountId(5);
    let created = Account { id, name: "New".to_owned(), organisation_id: None, is_deleted: false, created_at: noon() };
    assert_eq!(outcome, Outcome::Account(id));
    assert_eq!(
        changes,
        [
            Change::AccountCreated { account: created, whitelist: vec![SELLER, STRANGER] },
            Change::MembershipsChanged { user: TRADER, joined: vec![id], left: vec![] },
            Change::MembershipsChanged { user: PRODUCER, joined: vec![id], left: vec![] },
        ]
    );
    state.apply(ActionId(1), &changes);
    assert!(state.memberships.contains(&(TRADER, id)) && state.whitelist.contains(&(id, STRANGER)));
    assert_eq!(state.whitelist_sizes[&id], 2);
}

#[test]
fn a_whitelist_starts_from_what_it_is() {
    let mut state = crowded();
    let update = |account_id, add: &[AccountId], remove: &[AccountId]| {
        Command::UpdateWhitelist(WhitelistUpdate { account_id, add: add.to_vec(), remove: remove.to_vec() })
    };
    let long = too_many(AccountId);
    let needs = |account| {
        let members = "the role Trading User or Production User and membership of account";
        forbidden(&format!("the role Registry Administrator, or {members} {account}"))
    };
    for (actor, command, expected) in [
        (BUYERS_TRADER, update(SELLER, &[NOBODY], &[]), needs(SELLER)),
        (ISSUER, update(NOBODY, &[NOBODY], &[]), needs(NOBODY)),
        (ADMINISTRATOR, update(NOBODY, &[NOBODY], &[]), Refusal::AccountMissing { account_id: NOBODY }),
        (
            ADMINISTRATOR,
            update(DELETED_ACCOUNT, &[NOBODY], &[]),
            Refusal::AccountMissing { account_id: DELETED_ACCOUNT },
        ),
        (
            TRADER,
            update(SELLER, &[&long[..], &[NOBODY]].concat(), &[]),
            Refusal::WhitelistAccountMissing { account_id: NOBODY },
        ),
        (
            TRADER,
            update(SELLER, &[&long[..], &[SELLER]].concat(), &[]),
            Refusal::WhitelistIsSelf { account_id: SELLER },
        ),
        (TRADER, update(SELLER, &long, &[]), Refusal::TooMany { field: "account_whitelist", max: MEMBERS_MAX }),
    ] {
        assert_eq!(refusal(&state, actor, &command), expected);
    }
    // BUYER is listed already, NOBODY is not listed
    let (changes, outcome) = decided(&state, TRADER, &update(SELLER, &[STRANGER, BUYER], &[NOBODY])).unwrap();
    let expected = Change::WhitelistChanged { account: SELLER, added: vec![STRANGER], removed: vec![] };
    assert_eq!((&changes[..], outcome), (&[expected][..], Outcome::Account(SELLER)));
    state.apply(ActionId(1), &changes);
    assert!(state.whitelist.contains(&(SELLER, STRANGER)) && state.whitelist.contains(&(SELLER, BUYER)));

    let (changes, _) = decided(&state, ADMINISTRATOR, &update(SELLER, &[], &[BUYER, BUYER])).unwrap();
    assert_eq!(changes, [Change::WhitelistChanged { account: SELLER, added: vec![], removed: vec![BUYER] }]);
    state.apply(ActionId(2), &changes);
    assert!(!state.whitelist.contains(&(SELLER, BUYER)));
    assert_eq!(state.whitelist_sizes[&SELLER], 1);
    assert_eq!(decided(&state, TRADER, &update(SELLER, &[STRANGER], &[BUYER])).unwrap().0, []);
}

#[test]
fn a_full_whitelist_takes_one_when_another_leaves() {
    let mut state = state();
    state.whitelist_sizes.insert(SELLER, MEMBERS_MAX);
    let update = |remove: &[AccountId]| {
        Command::UpdateWhitelist(WhitelistUpdate { account_id: SELLER, add: vec![STRANGER], remove: remove.to_vec() })
    };
    let full = Refusal::TooMany { field: "account_whitelist", max: MEMBERS_MAX };
    assert_eq!(refusal(&state, TRADER, &update(&[])), full);
    let (changes, _) = decided(&state, TRADER, &update(&[BUYER])).unwrap();
    assert_eq!(changes, [Change::WhitelistChanged { account: SELLER, added: vec![STRANGER], removed: vec![BUYER] }]);
}

#[test]
fn a_device_is_born_approved_unless_its_producer_registers_it() {
    let mut state = state();
    state.taken.insert((METER_DATA_ID, "meter-2".to_owned()));
    let command = |account_id| Command::CreateDevice(NewDevice { account_id, description: description("meter-2") });
    let needs = |account| {
        let members = "the role Production User and membership of account";
        forbidden(&format!("the role Registry Administrator or Production Registrar, or {members} {account}"))
    };
    for (actor, account_id, expected) in [
        (TRADER, SELLER, needs(SELLER)),
        (PRODUCER, NOBODY, needs(NOBODY)),
        (REGISTRAR, NOBODY, Refusal::AccountMissing { account_id: NOBODY }),
        (REGISTRAR, DELETED_ACCOUNT, Refusal::AccountMissing { account_id: DELETED_ACCOUNT }),
        (PRODUCER, SELLER, taken("meter_data_id", "meter-2")),
    ] {
        assert_eq!(refusal(&state, actor, &command(account_id)), expected);
    }
    state.taken.clear();
    for (actor, is_approved) in [(PRODUCER, false), (REGISTRAR, true), (ADMINISTRATOR, true)] {
        let (changes, outcome) = decided(&state, actor, &command(SELLER)).unwrap();
        let id = DeviceId(2);
        let created = Device { id, is_approved, created_at: noon(), ..device(id) };
        assert_eq!((&changes[..], outcome), (&[Change::DeviceCreated(created)][..], Outcome::Device(id)));
    }
}

#[test]
fn approving_twice_changes_nothing_the_second_time() {
    let mut state = state();
    state.devices.get_mut(&WIND).unwrap().is_approved = false;
    let needs = "the role Registry Administrator or Production Registrar";
    assert_eq!(refusal(&state, PRODUCER, &Command::ApproveDevice(DeviceId(9))), forbidden(needs));
    let missing = Refusal::DeviceMissing { device_id: DeviceId(9) };
    assert_eq!(refusal(&state, REGISTRAR, &Command::ApproveDevice(DeviceId(9))), missing);
    let command = Command::ApproveDevice(WIND);
    let (changes, outcome) = decided(&state, REGISTRAR, &command).unwrap();
    assert_eq!((&changes[..], outcome), (&[Change::DeviceApproved(WIND)][..], Outcome::Device(WIND)));
    state.apply(ActionId(1), &changes);
    assert!(state.devices[&WIND].is_approved);
    assert_eq!(state.changed_devices().len(), 1);
    assert_eq!(decided(&state, REGISTRAR, &command).unwrap(), (vec![], Outcome::Device(WIND)));
    state.devices.get_mut(&WIND).unwrap().is_deleted = true;
    assert_eq!(refusal(&state, REGISTRAR, &command), Refusal::DeviceMissing { device_id: WIND });
}

#[test]
fn metadata_is_stated_by_the_issuer() {
    let state = state();
    let command = Command::CreateMetadata(metadata());
    assert_eq!(refusal(&state, REGISTRAR, &command), forbidden("the role Registry Administrator or GC Issuer"));
    let (changes, outcome) = decided(&state, ISSUER, &command).unwrap();
    let created = IssuanceMetadata { id: MetadataId(2), description: metadata(), created_at: noon() };
    assert_eq!((&changes[..], outcome), (&[Change::MetadataCreated(created)][..], Outcome::Metadata(MetadataId(2))));
}

#[test]
fn the_operator_may_do_everything() {
    let command = Command::CreateMetadata(metadata());
    assert!(decide(&state(), Actor::Operator, &command, noon(), &rules()).is_ok());
    assert!(
        decide(
            &State::default(),
            Actor::Operator,
            &Command::CreateUser(NewUser { account_ids: vec![], ..new_user() }),
            noon(),
            &rules()
        )
        .is_ok()
    );
}
