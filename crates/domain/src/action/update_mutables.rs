//! The issuer corrects in which account bundles are, or in which state, along the state table: the one move that needs no
//! whitelist. Only Active and Locked bundles, and only as long as they have not expired, so that nothing is un-cancelled.
//!
//! What becomes Cancelled is cancelled for the account that holds it then. Refusals, in order: forbidden; neither account
//! nor status is stated; a status that no correction leads to; the account is missing; it is the source and no status is
//! stated; then the selection's, where a bundle that would stay as it is has the wrong state.

use super::Outcome;
use super::selection::Selection;
use crate::bundle::{Mutable, TRANSITIONS};
use crate::{AccountId, Actor, Bundle, BundleStatus, Cancellation, Capability, Changes, Refusal};
use std::sync::Arc;

const CORRECTED: [BundleStatus; 2] = [BundleStatus::Active, BundleStatus::Locked];

pub(super) fn decide(
    selection: &Selection<'_>,
    actor: Actor,
    account: Option<AccountId>,
    status: Option<BundleStatus>,
) -> Result<(Changes, Outcome), Refusal> {
    let (state, source) = (selection.state, selection.action.source);
    state.require(actor, Capability::Issue)?;
    if account.is_none() && status.is_none() {
        return Err(Refusal::NothingStated);
    }
    let target = account.filter(|account| *account != source);
    let needed = match status {
        Some(status) => starts(status, target.is_some()),
        None => CORRECTED.to_vec(),
    };
    if let Some(status) = status.filter(|_| needed.is_empty()) {
        return Err(Refusal::NotCorrectable { status });
    }
    if let Some(account) = account {
        state.live_account(account).ok_or(Refusal::AccountMissing { account_id: account })?;
    }
    if target.is_none() && status.is_none() {
        return Err(Refusal::TargetIsSource { source_id: source });
    }
    let holder = target.unwrap_or(source);
    let cancellation = match status {
        Some(BundleStatus::Cancelled) => {
            let account = state.live_account(holder).ok_or(Refusal::AccountMissing { account_id: holder })?;
            let beneficiary = account.name.clone();
            Some(Arc::new(Cancellation { beneficiary, beneficiary_account: None, purpose: None }))
        }
        Some(_) | None => None,
    };
    let bundles = selection.bundles_in(needed)?;
    selection.take(&bundles, |bundle: &Bundle| Mutable {
        account_id: holder,
        status: status.unwrap_or(bundle.status),
        cancellation: cancellation.clone(),
    })
}

/// The states from which a correction leads to `status`; it may stay if the bundle `moves`.
fn starts(status: BundleStatus, moves: bool) -> Vec<BundleStatus> {
    let follows = |from: BundleStatus| {
        let is_step = TRANSITIONS.iter().any(|(_, start, to)| *start == from && *to == status);
        if from == status { moves } else { is_step }
    };
    CORRECTED.into_iter().filter(|from| follows(*from)).collect()
}
