//! Recurring orders are listed. They are placed, paused, resumed and ended through the queue like everything else.

use crate::{Caller, Error, Page, Paging, Registry};
use domain::{AccountId, Capability, EventNumber, RecurringOrder};

impl Registry {
    /// A page of the orders of the caller's accounts, or of all for those who may read everything, in the order of ids; of
    /// one source if that is asked. Blocks.
    pub fn recurring_orders(
        &self,
        caller: &Caller,
        source: Option<AccountId>,
        paging: Paging<i64>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<RecurringOrder, i64>, Error> {
        let member = (!caller.may(Capability::ReadEverything)).then_some(caller.user_id);
        let rows = self.read(fresh, |connection| {
            store::recurring_order::list(connection, member, source, paging.after, paging.rows())
        })?;
        Ok(paging.page(rows, |order| order.id.0))
    }
}
