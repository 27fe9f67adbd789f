//! Organisations change and go.
//!
//! Refusals, in order, of each: forbidden; the organisation is missing, which a deleted one is to a change; the name is
//! taken. Accounts keep the organisation behind them, deleted or not.

use super::Outcome;
use super::edit::{Edit, edited};
use super::register::{Decision, free};
use crate::state::ORGANISATION_NAME;
use crate::{Actor, Capability, Change, OrganisationDescription, OrganisationId, Refusal, State};

/// What changes of an organisation. Absent members stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationUpdate {
    pub organisation_id: OrganisationId,
    pub name: Option<String>,
    pub business_id: Option<String>,
    pub primary_contact: Option<String>,
    pub address: Edit<String>,
    pub website: Edit<String>,
}

pub(super) fn update(state: &State, actor: Actor, update: &OrganisationUpdate) -> Decision {
    state.require(actor, Capability::ManageAccounts)?;
    let id = update.organisation_id;
    let found = state.organisations.get(&id).filter(|organisation| !organisation.is_deleted);
    let before = &found.ok_or(Refusal::OrganisationMissing { organisation_id: id })?.description;
    let after = OrganisationDescription {
        name: edited(update.name.as_ref(), &before.name),
        business_id: edited(update.business_id.as_ref(), &before.business_id),
        primary_contact: edited(update.primary_contact.as_ref(), &before.primary_contact),
        address: update.address.of(before.address.as_ref()),
        website: update.website.of(before.website.as_ref()),
    };
    if after.name != before.name {
        free(state, ORGANISATION_NAME, &after.name)?;
    }
    if after == *before {
        return Ok((Vec::new(), Outcome::Organisation(id)));
    }
    let (before, after) = (Box::new(before.clone()), Box::new(after));
    Ok((vec![Change::OrganisationChanged { id, before, after }], Outcome::Organisation(id)))
}

/// Deleting again changes nothing.
pub(super) fn delete(state: &State, actor: Actor, id: OrganisationId) -> Decision {
    state.require(actor, Capability::ManageAccounts)?;
    let organisation = state.organisations.get(&id).ok_or(Refusal::OrganisationMissing { organisation_id: id })?;
    let changes = if organisation.is_deleted { Vec::new() } else { vec![Change::OrganisationDeleted(id)] };
    Ok((changes, Outcome::Organisation(id)))
}
