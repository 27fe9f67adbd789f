//! A holder reserves bundles for another registry. There is no way back, and no cancellation here.
//!
//! Refusals, in order: forbidden; the source is missing; then the selection's.

use super::Outcome;
use super::selection::Selection;
use crate::bundle::{BundleStep, Mutable};
use crate::{Actor, Bundle, BundleStatus, Capability, Changes, Refusal};

pub(super) fn decide(selection: &Selection<'_>, actor: Actor) -> Result<(Changes, Outcome), Refusal> {
    let source = selection.action.source;
    selection.state.require(actor, Capability::Trade(source))?;
    selection.state.live_account(source).ok_or(Refusal::AccountMissing { account_id: source })?;
    let bundles = selection.bundles(BundleStep::Reserve)?;
    selection.take(&bundles, |bundle: &Bundle| Mutable { status: BundleStatus::Reserved, ..bundle.mutable() })
}
