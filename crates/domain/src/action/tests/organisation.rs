//! Organisations change and go: each fault alone, in the order of the rules.

use super::register::taken;
use super::*;
use crate::Organisation;
use crate::state::ORGANISATION_NAME;

const OSTROM: OrganisationId = OrganisationId(1);
const GONE: OrganisationId = OrganisationId(2);

fn described(name: &str) -> OrganisationDescription {
    OrganisationDescription {
        name: name.to_owned(),
        business_id: "HRB 1".to_owned(),
        primary_contact: "mail@example.org".to_owned(),
        address: Some("Lane 1".to_owned()),
        website: None,
    }
}

fn with_organisations() -> State {
    let mut state = state();
    for (id, is_deleted) in [(OSTROM, false), (GONE, true)] {
        let organisation = Organisation { id, description: described("Ostrom"), is_deleted, created_at: noon() };
        state.organisations.insert(id, organisation);
    }
    state.taken.insert((ORGANISATION_NAME, "Ostrom".to_owned()));
    state.taken.insert((ORGANISATION_NAME, "Other".to_owned()));
    state
}

fn update(organisation_id: OrganisationId, name: Option<&str>) -> OrganisationUpdate {
    let name = name.map(str::to_owned);
    let (address, website) = (Edit::Keep, Edit::Keep);
    OrganisationUpdate { organisation_id, name, business_id: None, primary_contact: None, address, website }
}

#[test]
fn a_change_of_an_organisation_is_refused_in_order() {
    let state = with_organisations();
    let needs = forbidden("the role Registry Administrator");
    let missing = |id| Refusal::OrganisationMissing { organisation_id: id };
    let nobody = OrganisationId(99);
    for (actor, command, expected) in [
        (ISSUER, Command::UpdateOrganisation(update(nobody, None)), needs.clone()),
        (ADMINISTRATOR, Command::UpdateOrganisation(update(nobody, None)), missing(nobody)),
        (ADMINISTRATOR, Command::UpdateOrganisation(update(GONE, Some("Other"))), missing(GONE)),
        (ADMINISTRATOR, Command::UpdateOrganisation(update(OSTROM, Some("Other"))), taken("name", "Other")),
        (ISSUER, Command::DeleteOrganisation(nobody), needs),
        (ADMINISTRATOR, Command::DeleteOrganisation(nobody), missing(nobody)),
    ] {
        assert_eq!(refusal(&state, actor, &command), expected, "{command:?}");
    }
}

#[test]
fn an_organisation_changes_in_what_is_named_and_goes_with_its_name() {
    let mut state = with_organisations();
    let nothing = Command::UpdateOrganisation(update(OSTROM, Some("Ostrom")));
    assert_eq!(decided(&state, ADMINISTRATOR, &nothing).unwrap(), (vec![], Outcome::Organisation(OSTROM)));
    let change = OrganisationUpdate {
        address: Edit::Clear,
        website: Edit::Set("https://example.org".to_owned()),
        ..update(OSTROM, Some("New"))
    };
    let (changes, _) = decided(&state, ADMINISTRATOR, &Command::UpdateOrganisation(change)).unwrap();
    let after =
        OrganisationDescription { address: None, website: Some("https://example.org".to_owned()), ..described("New") };
    let (was, is) = (Box::new(described("Ostrom")), Box::new(after.clone()));
    assert_eq!(changes, [Change::OrganisationChanged { id: OSTROM, before: was, after: is }]);
    state.apply(ActionId(1), &changes);
    assert_eq!(state.organisations[&OSTROM].description, after);
    let create = |name: &str| Command::CreateOrganisation(described(name));
    assert_eq!(refusal(&state, ADMINISTRATOR, &create("New")), taken("name", "New"));
    let (changes, _) = decided(&state, ADMINISTRATOR, &Command::DeleteOrganisation(OSTROM)).unwrap();
    assert_eq!(changes, [Change::OrganisationDeleted(OSTROM)]);
    state.apply(ActionId(2), &changes);
    assert_eq!(decided(&state, ADMINISTRATOR, &Command::DeleteOrganisation(OSTROM)).unwrap().0, []);
    state.next.organisation = OrganisationId(3);
    assert!(
        decided(&state, ADMINISTRATOR, &create("New")).is_ok()
            && decided(&state, ADMINISTRATOR, &create("Ostrom")).is_ok()
    );
}
