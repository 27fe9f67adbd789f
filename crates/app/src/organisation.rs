//! Organisations: read within the caller's scope.

use crate::{Caller, Error, Page, Paging, Registry};
use domain::{Capability, EventNumber, Organisation, OrganisationId};

impl Registry {
    /// An organisation behind an account of the caller's, or any for those who may read everything. Blocks.
    pub fn organisation(
        &self,
        caller: &Caller,
        id: OrganisationId,
        fresh: Option<EventNumber>,
    ) -> Result<Organisation, Error> {
        let member = (!caller.may(Capability::ReadEverything)).then_some(caller.user_id);
        let found = self.read(fresh, |connection| store::organisation::by_id_for(connection, id, member))?;
        found.ok_or(Error::NotFound { what: "Organisation", id: id.0 })
    }

    /// The organisations behind the caller's accounts, or all for those who may read everything; in the order of their ids,
    /// deleted ones only where they are wanted. Blocks.
    pub fn organisations(
        &self,
        caller: &Caller,
        with_deleted: bool,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<Organisation, i64>, Error> {
        let member = (!caller.may(Capability::ReadEverything)).then_some(caller.user_id);
        let rows = self.read(fresh, |connection| {
            store::organisation::list(connection, member, with_deleted, paging.after, paging.rows())
        })?;
        Ok(paging.page(rows, |organisation| organisation.id.0))
    }
}
