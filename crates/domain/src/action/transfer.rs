//! A holder hands bundles to another account of this registry.
//!
//! Refusals, in order: forbidden; the source is missing; target is source; not whitelisted (also a target that does not
//! exist or is deleted); then the selection's.

use super::Outcome;
use super::selection::Selection;
use crate::bundle::{BundleStep, Mutable};
use crate::{AccountId, Actor, Bundle, Capability, Changes, Refusal};

pub(super) fn decide(
    selection: &Selection<'_>,
    actor: Actor,
    target: AccountId,
) -> Result<(Changes, Outcome), Refusal> {
    let (state, source) = (selection.state, selection.action.source);
    state.require(actor, Capability::Trade(source))?;
    state.live_account(source).ok_or(Refusal::AccountMissing { account_id: source })?;
    if target == source {
        return Err(Refusal::TargetIsSource { source_id: source });
    }
    if state.live_account(target).is_none() || !state.whitelist.contains(&(target, source)) {
        return Err(Refusal::NotWhitelisted { source_id: source, target_id: target });
    }
    let bundles = selection.bundles(BundleStep::Transfer)?;
    selection.take(&bundles, |bundle: &Bundle| Mutable { account_id: target, ..bundle.mutable() })
}
