//! What a command would do, decided on a snapshot and forgotten: nothing is queued and nothing is written.

use domain::{Actor, Command, EventNumber, Outcome, Refusal, Rules, decide};
use jiff::Timestamp;
use store::Connection;

/// What a command would do.
pub(crate) struct Rehearsed {
    pub event_number: EventNumber,
    /// Ids of bundles that would be made are at or above this.
    pub next_bundle: domain::BundleId,
    pub now: Timestamp,
    pub decision: Result<Outcome, Refusal>,
}

/// Decides a command on the state as `connection` sees it, and forgets it.
pub(crate) fn rehearse(
    connection: &mut Connection,
    actor: Actor,
    command: &Command,
    now: Timestamp,
    rules: &Rules,
) -> store::Result<Rehearsed> {
    let head = store::head::read(connection)?;
    let now = now.max(head.recorded_at);
    let mut state = store::batch::load(connection, head.next, std::iter::once((actor, command)))?;
    store::batch::load_apart(connection, &mut state, now, std::iter::once(command))?;
    let decision = decide(&state, actor, command, now, rules).map(|(_, outcome)| outcome);
    Ok(Rehearsed { event_number: head.event_number, next_bundle: head.next.bundle, now, decision })
}
