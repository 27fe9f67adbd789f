//! The issuer locks bundles, and unlocks them, with a reason.
//!
//! Refusals, in order: forbidden; no reason; then the selection's.

use super::Outcome;
use super::selection::Selection;
use crate::bundle::{BundleStep, Mutable};
use crate::{Actor, Bundle, BundleStatus, Capability, Changes, Refusal};

pub(super) fn decide(
    selection: &Selection<'_>,
    actor: Actor,
    step: BundleStep,
    reason: &str,
) -> Result<(Changes, Outcome), Refusal> {
    selection.state.require(actor, Capability::Issue)?;
    if reason.trim().is_empty() {
        return Err(Refusal::ReasonMissing);
    }
    let bundles = selection.bundles(step)?;
    let status = if step == BundleStep::Lock { BundleStatus::Locked } else { BundleStatus::Active };
    selection.take(&bundles, |bundle: &Bundle| Mutable { status, ..bundle.mutable() })
}
