//! Users, organisations, accounts and devices that change and go: a ledger with all of it is clean, and what nobody may do
//! shows, sealed or not.

use crate::ledger::{A, ADMIN, ALICE, B, C, ISSUER, Ledger, SOLAR, WHOLE, WIND, changed, device, on, on_both};
use domain::action::{AccountUpdate, Deed, DeviceUpdate, Edit, OrganisationUpdate, RoleChange, UserUpdate};
use domain::{
    ActionKind, Actor, Change, Command, Device, DeviceId, EnergySource, OrganisationId, Portion, Role, Roles, State,
    User, UserId,
};
use verify::{FindingKind as Kind, Noun};

const ALICE_ID: UserId = UserId(4);
const BOB_ID: UserId = UserId(5);

fn update_user(id: UserId, what: impl FnOnce(&mut UserUpdate)) -> Command {
    let mut update = UserUpdate::of(id);
    what(&mut update);
    Command::UpdateUser(update)
}

fn update_device(id: DeviceId, what: impl FnOnce(&mut DeviceUpdate)) -> Command {
    let mut update = DeviceUpdate::of(id);
    what(&mut update);
    Command::UpdateDevice(update)
}

/// Each new kind of action, as those may who may.
fn change_and_delete(ledger: &mut Ledger) {
    let own = update_user(ALICE_ID, |u| {
        u.name = Some("Alice Smith".to_owned());
        u.organisation = Edit::Clear;
    });
    ledger.act(ALICE, &own);
    let by_administrator = update_user(BOB_ID, |u| {
        u.primary_contact = Some("bob@example.net".to_owned());
        u.account_ids = Some(vec![B, C]);
        u.password_hash = Some("hashed".to_owned());
    });
    ledger.act(ADMIN, &by_administrator);
    ledger.act(ADMIN, &update_user(BOB_ID, |u| u.password_hash = Some("hashed anew".to_owned())));
    let roles = Roles::of(&[Role::TradingUser, Role::Auditor]);
    ledger.act(ADMIN, &Command::ChangeRole(RoleChange { user_id: BOB_ID, roles }));
    ledger.act(ADMIN, &Command::DeleteUser(UserId(3)));
    let organisation_id = OrganisationId(1);
    let organisation = OrganisationUpdate {
        organisation_id,
        name: Some("Alice plc".to_owned()),
        business_id: None,
        primary_contact: None,
        address: Edit::Set("Lane 1".to_owned()),
        website: Edit::Clear,
    };
    ledger.act(ADMIN, &Command::UpdateOrganisation(organisation));
    ledger.act(ADMIN, &Command::DeleteOrganisation(organisation_id));
    let account = AccountUpdate {
        account_id: C,
        name: Some("Carol plc".to_owned()),
        organisation_id: Edit::Keep,
        user_ids: Some(vec![ALICE_ID]),
    };
    ledger.act(ADMIN, &Command::UpdateAccount(account));
    ledger.act(ADMIN, &Command::DeleteAccount(C));
    ledger.act(ADMIN, &update_device(WIND, |u| u.capacity_watts = Some(2_000_000)));
    ledger.act(ALICE, &update_device(SOLAR, |u| u.location = Some("the other roof".to_owned())));
    ledger.act(ADMIN, &Command::ApproveDevice(SOLAR));
    ledger.act(ADMIN, &Command::CreateDevice(device("Spare", EnergySource::Wind, 1)));
    ledger.act(ADMIN, &update_device(DeviceId(3), |u| u.meter_data_id = Edit::Clear));
    ledger.act(ADMIN, &Command::DeleteDevice(DeviceId(3)));
}

#[test]
fn a_ledger_in_which_things_change_and_go_is_clean() {
    on_both(|ledger| {
        change_and_delete(ledger);
        let report = ledger.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
    });
}

#[test]
fn a_row_that_differs_from_its_changes() {
    for (sql, noun, id) in [
        ("UPDATE registry_user SET name = 'Alice' WHERE id = 4", Noun::User, 4),
        ("UPDATE registry_user SET organisation = 'Alice Ltd' WHERE id = 4", Noun::User, 4),
        ("UPDATE registry_user SET roles = 1 WHERE id = 5", Noun::User, 5),
        ("UPDATE registry_user SET is_deleted = FALSE WHERE id = 3", Noun::User, 3),
        ("UPDATE organisation SET website = 'https://example.org' WHERE id = 1", Noun::Organisation, 1),
        ("UPDATE account SET is_deleted = FALSE WHERE id = 3", Noun::Account, 3),
        ("UPDATE account SET name = 'Carol SA' WHERE id = 3", Noun::Account, 3),
        ("UPDATE device SET is_deleted = FALSE WHERE id = 3", Noun::Device, 3),
        ("UPDATE device SET capacity_watts = 1000000 WHERE id = 1", Noun::Device, 1),
        ("UPDATE device SET version = 1 WHERE id = 3", Noun::Device, 3),
    ] {
        on_both(|ledger| {
            change_and_delete(ledger);
            ledger.sql(sql);
            ledger.finds_only(Kind::RowDiffers, noun, id);
        });
    }
}

#[test]
fn a_member_who_is_none_by_the_log() {
    on_both(|ledger| {
        change_and_delete(ledger);
        ledger.sql("INSERT INTO account_user (user_id, account_id) VALUES (5, 1)");
        ledger.finds_only(Kind::RowWithoutEvent, Noun::Membership, 5);
    });
}

fn with_roles(state: &State, id: UserId, roles: &[Role]) -> Vec<Change> {
    let before = state.users[&id].clone();
    let after = User { roles: Roles::of(roles), ..before.clone() };
    vec![Change::UserChanged { before: Box::new(before), after: Box::new(after), password_hash: None }]
}

#[test]
fn roles_that_somebody_gives_themselves() {
    on_both(|ledger| {
        let roles = Roles::of(&[Role::RegistryAdministrator]);
        let command = Command::ChangeRole(RoleChange { user_id: ALICE_ID, roles });
        ledger.forge(ALICE, ActionKind::ChangeRole, &command, |state| {
            with_roles(state, ALICE_ID, &[Role::RegistryAdministrator])
        });
        ledger.finds_only(Kind::ActorNotPermitted, Noun::Action, 32);
    });
}

#[test]
fn a_profile_that_another_changes() {
    on_both(|ledger| {
        ledger.forge(ALICE, ActionKind::UpdateUser, &update_user(BOB_ID, |_| ()), |state| {
            let before = state.users[&BOB_ID].clone();
            let after = User { name: "Mallory".to_owned(), ..before.clone() };
            vec![Change::UserChanged { before: Box::new(before), after: Box::new(after), password_hash: None }]
        });
        ledger.finds_only(Kind::ActorNotPermitted, Noun::Action, 32);
    });
}

#[test]
fn a_registry_that_nobody_administers() {
    on_both(|ledger| {
        let command = Command::DeleteUser(UserId(1));
        ledger.forge(Actor::Operator, ActionKind::DeleteUser, &command, |_| vec![Change::UserDeleted(UserId(1))]);
        ledger.finds_only(Kind::NobodyAdministers, Noun::User, 1);
    });
    on_both(|ledger| {
        let command = Command::ChangeRole(RoleChange { user_id: UserId(1), roles: Roles::NONE });
        ledger.forge(ADMIN, ActionKind::ChangeRole, &command, |state| with_roles(state, UserId(1), &[]));
        ledger.finds_only(Kind::NobodyAdministers, Noun::User, 1);
    });
}

#[test]
fn an_account_that_was_deleted_in_use() {
    on_both(|ledger| {
        let command = Command::DeleteAccount(A);
        ledger.forge(ADMIN, ActionKind::DeleteAccount, &command, |_| vec![Change::AccountDeleted(A)]);
        let finding = ledger.finds(Kind::DeletedInUse, Noun::Account, A.0);
        assert!(finding.text.contains("had device 1"), "{}", finding.text);
        let finding = ledger.finds(Kind::DeletedInUse, Noun::Bundle, WHOLE.0);
        assert!(finding.text.contains("is Active in account 1"), "{}", finding.text);
        // of the Reserved one too, and not of what is Cancelled
        ledger.finds(Kind::DeletedInUse, Noun::Bundle, 7);
        let report = ledger.audit();
        let is_of = |id: i64| report.findings.iter().any(|f| f.entity == Noun::Bundle && f.entity_id == id);
        assert!(!is_of(18), "{:#?}", report.findings);
    });
}

#[test]
fn a_transfer_into_a_deleted_account() {
    on_both(|ledger| {
        ledger.act(ADMIN, &Command::DeleteAccount(C));
        let naming = Command::Bundles(on(A, &[WHOLE.0], Portion::Whole, Deed::Claim));
        ledger.forge(ALICE, ActionKind::Transfer, &naming, |state| {
            vec![changed(state.bundle(WHOLE).unwrap(), |bundle| bundle.account_id = C)]
        });
        ledger.finds(Kind::MovedWithoutWhitelist, Noun::Bundle, WHOLE.0);
        let report = ledger.audit();
        let in_use = report.findings.iter().filter(|f| f.kind == Kind::DeletedInUse && f.entity_id == WHOLE.0).count();
        assert_eq!((in_use, report.violations), (2, 3), "moved into it, and is there: {:#?}", report.findings);
    });
}

#[test]
fn what_is_deleted_changes_no_more() {
    on_both(|ledger| {
        ledger.act(ADMIN, &Command::DeleteUser(BOB_ID));
        let again = Command::DeleteUser(BOB_ID);
        ledger.forge(ADMIN, ActionKind::DeleteUser, &again, |_| vec![Change::UserDeleted(BOB_ID)]);
        ledger.finds_only(Kind::HistoryWrong, Noun::User, BOB_ID.0);
    });
}

fn with_device(state: &State, change: impl FnOnce(&mut Device)) -> Vec<Change> {
    let before = state.devices[&WIND].clone();
    let mut after = before.clone();
    change(&mut after);
    vec![Change::DeviceChanged { before: Box::new(before), after: Box::new(after) }]
}

#[test]
fn a_device_that_changes_without_a_new_version() {
    on_both(|ledger| {
        ledger.forge(ADMIN, ActionKind::UpdateDevice, &update_device(WIND, |_| ()), |state| {
            with_device(state, |device| device.description.capacity_watts = 3_000_000)
        });
        let finding = ledger.finds(Kind::HistoryWrong, Noun::Device, WIND.0);
        assert!(finding.text.contains("it must make 2"), "{}", finding.text);
        // what was issued before stated another device of the same version
        ledger.finds(Kind::AttributesChanged, Noun::Attributes, 1);
    });
}

#[test]
fn a_device_that_is_approved_by_being_changed() {
    on_both(|ledger| {
        ledger.act(ALICE, &update_device(WIND, |u| u.grid = Some("another".to_owned())));
        ledger.forge(ALICE, ActionKind::UpdateDevice, &update_device(WIND, |_| ()), |state| {
            with_device(state, |device| {
                device.is_approved = true;
                device.version += 1;
                device.description.grid = "a third".to_owned();
            })
        });
        let report = ledger.audit();
        let kinds: Vec<Kind> = report.findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(kinds, [Kind::KindDoesNotFit], "{:#?}", report.findings);
    });
}

#[test]
fn a_device_that_is_deleted_by_the_issuer() {
    on_both(|ledger| {
        let command = Command::DeleteDevice(SOLAR);
        ledger.forge(ISSUER, ActionKind::DeleteDevice, &command, |_| vec![Change::DeviceDeleted(SOLAR)]);
        ledger.finds_only(Kind::ActorNotPermitted, Noun::Action, 32);
    });
}
