//! Devices are listed within the caller's scope.

use crate::register::DeviceView;
use crate::{Caller, Error, Page, Paging, Registry};
use domain::{AccountId, Capability, DeviceKind, EnergySource, EventNumber};

/// Which devices to list. An absent filter filters nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    pub account: Option<AccountId>,
    pub energy_source: Option<EnergySource>,
    pub kind: Option<DeviceKind>,
    pub is_approved: Option<bool>,
    pub with_deleted: bool,
}

/// How many devices there are of a type of technology, and what they can deliver together.
pub type FleetShare = store::device::TypeSum;

impl Registry {
    /// Devices of the caller's accounts, or of all accounts for those who may read every device; in the order of their
    /// ids. Blocks.
    pub fn devices(
        &self,
        caller: &Caller,
        filter: &DeviceFilter,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<DeviceView, i64>, Error> {
        let filter = scoped(caller, filter);
        let rows =
            self.read(fresh, |connection| store::device::list(connection, &filter, paging.after, paging.rows()))?;
        Ok(paging.page(rows, |device| device.id.0))
    }
    /// The devices of [`devices`](Self::devices) summed up by type of technology, in the order of types. Blocks.
    pub fn fleet(
        &self,
        caller: &Caller,
        filter: &DeviceFilter,
        fresh: Option<EventNumber>,
    ) -> Result<Vec<FleetShare>, Error> {
        let filter = scoped(caller, filter);
        self.read(fresh, |connection| store::device::sums_by_type(connection, &filter))
    }
}

pub(crate) fn scoped(caller: &Caller, filter: &DeviceFilter) -> store::device::Filter {
    let sees_all = caller.may(Capability::ReadDevices);
    store::device::Filter {
        member: (!sees_all).then_some(caller.user_id),
        account: filter.account,
        energy_source: filter.energy_source,
        kind: filter.kind,
        is_approved: filter.is_approved,
        with_deleted: filter.with_deleted,
    }
}
