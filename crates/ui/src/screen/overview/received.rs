//! What came into an account lately.

use crate::format::{self, Markup};
use crate::limits::RECEIVED_SHOWN_MAX;
use crate::screen::names::Names;
use app::{ActionView, Caller, Error, Registry};
use domain::{AccountId, EventNumber};
use jiff::SignedDuration;

/// What counts as lately.
pub(super) const DAYS: i64 = 7;

/// A transfer that came in.
pub(super) struct Row {
    pub action: i64,
    pub at: Markup,
    /// From whom.
    pub source: String,
    pub energy: Markup,
}

/// The transfers into an account of the last days, the newest first. Blocks.
pub(super) fn received(
    registry: &Registry,
    caller: &Caller,
    account: AccountId,
    fresh: Option<EventNumber>,
) -> Result<Vec<Row>, Error> {
    let since = registry.now().checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(jiff::Timestamp::MIN);
    let found = registry.received(caller, account, since, RECEIVED_SHOWN_MAX, fresh)?;
    let sources = found.iter().filter_map(|action| action.source).map(|source| source.0);
    let names = Names::of(registry, caller, sources, &[account.0], fresh)?;
    let row = |action: &ActionView| Row {
        action: action.id.0,
        at: format::instant(action.completed_at),
        source: action.source.map_or_else(String::new, |source| names.account(source.0)),
        energy: format::energy(action.total),
    };
    Ok(found.iter().map(row).collect())
}
