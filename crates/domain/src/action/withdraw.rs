//! The issuer withdraws what should not have been issued. What left for another registry stays counted here for ever,
//! unless its export failed, which has to be explained.
//!
//! Refusals, in order: forbidden; no reason for a failed export; then the selection's as to the bundles; a storage charge
//! record stands on one; then the selection's as to the portion.

use super::Outcome;
use super::selection::Selection;
use crate::bundle::{BundleStep, Mutable};
use crate::{Actor, Bundle, BundleStatus, Capability, Changes, Refusal, StorageRefusal};

pub(super) fn decide(
    selection: &Selection<'_>,
    actor: Actor,
    reason: &str,
    export_failed: bool,
) -> Result<(Changes, Outcome), Refusal> {
    selection.state.require(actor, Capability::Issue)?;
    if export_failed && reason.trim().is_empty() {
        return Err(Refusal::ReasonMissing);
    }
    let step = if export_failed { BundleStep::WithdrawFailedExport } else { BundleStep::Withdraw };
    let bundles = selection.bundles(step)?;
    for Bundle { id: bundle_id, .. } in &bundles {
        if let Some(scr_id) = selection.state.storage.allocated_to(*bundle_id) {
            return Err(StorageRefusal::BundleAllocated { bundle_id: *bundle_id, scr_id }.into());
        }
    }
    selection.take(&bundles, |bundle: &Bundle| Mutable { status: BundleStatus::Withdrawn, ..bundle.mutable() })
}
