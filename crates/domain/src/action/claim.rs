//! The beneficiary claims what was cancelled for it; without a beneficiary account, the account that cancelled.
//!
//! Refusals, in order: missing, for who belongs neither to the account that holds the bundle nor to its beneficiary's; the
//! selection's; cancelled for storage; not the beneficiary; the selection's as to the portion.

use super::Outcome;
use super::selection::Selection;
use crate::bundle::{BundleStep, Mutable};
use crate::{Actor, Bundle, BundleStatus, Capability, Changes, Refusal};

/// The purpose of a cancellation whose certificates back a charge of storage.
pub const PURPOSE_STORAGE: &str = "storage";

pub(super) fn decide(selection: &Selection<'_>, actor: Actor) -> Result<(Changes, Outcome), Refusal> {
    let (state, source) = (selection.state, selection.action.source);
    let is_holder = state.permits(actor, Capability::Trade(source));
    let missing = |bundle_id| Refusal::BundleMissing { source_id: source, bundle_id };
    for id in &selection.action.bundles {
        let claimant = state.bundle(*id).and_then(|b| b.cancellation.as_ref()).and_then(|c| c.beneficiary_account);
        let is_beneficiary = claimant.is_some_and(|account| state.permits(actor, Capability::Trade(account)));
        if !is_holder && !is_beneficiary {
            return Err(missing(*id));
        }
    }
    let bundles = selection.bundles(BundleStep::Claim)?;
    for bundle in &bundles {
        let Some(cancellation) = &bundle.cancellation else { continue };
        if cancellation.purpose.as_deref() == Some(PURPOSE_STORAGE) {
            return Err(Refusal::CancelledForStorage { bundle_id: bundle.id });
        }
        let claimant = cancellation.beneficiary_account.unwrap_or(source);
        if !state.permits(actor, Capability::Trade(claimant)) {
            return Err(Refusal::NotBeneficiary { bundle_id: bundle.id });
        }
    }
    selection.take(&bundles, |bundle: &Bundle| Mutable { status: BundleStatus::Claimed, ..bundle.mutable() })
}
