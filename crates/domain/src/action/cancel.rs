//! A holder cancels bundles once and for ever, for one beneficiary. Without one, the account's own name stands.
//!
//! Refusals, in order: forbidden; the source or the account of the beneficiary is missing; then the selection's.

use super::Outcome;
use super::selection::Selection;
use crate::bundle::{BundleStep, Mutable};
use crate::{AccountId, Actor, Bundle, BundleStatus, Cancellation, Capability, Changes, Refusal};
use std::sync::Arc;

pub(super) fn decide(
    selection: &Selection<'_>,
    actor: Actor,
    beneficiary: Option<&str>,
    beneficiary_account: Option<AccountId>,
    purpose: Option<&str>,
) -> Result<(Changes, Outcome), Refusal> {
    let (state, source) = (selection.state, selection.action.source);
    state.require(actor, Capability::Trade(source))?;
    let account = state.live_account(source).ok_or(Refusal::AccountMissing { account_id: source })?;
    if let Some(id) = beneficiary_account {
        state.live_account(id).ok_or(Refusal::AccountMissing { account_id: id })?;
    }
    let bundles = selection.bundles(BundleStep::Cancel)?;
    let cancellation = Arc::new(Cancellation {
        beneficiary: beneficiary.unwrap_or(&account.name).to_owned(),
        beneficiary_account,
        purpose: purpose.map(str::to_owned),
    });
    selection.take(&bundles, |bundle: &Bundle| Mutable {
        account_id: bundle.account_id,
        status: BundleStatus::Cancelled,
        cancellation: Some(cancellation.clone()),
    })
}
