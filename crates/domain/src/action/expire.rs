//! The registry itself marks bundles as Expired once their time has come. They counted as Expired before in every decision;
//! now the log says so, with an event for each.
//!
//! Refusals, in order: not the registry's own; too many. What is not due, or due no more, is passed over: so a sweep that is
//! done twice, by two processes even, does nothing twice.

use super::Outcome;
use super::selection::BUNDLES_PER_ACTION_MAX;
use crate::bundle::Mutable;
use crate::{Actor, Bundle, BundleId, BundleStatus, Change, Changes, Refusal, State};
use jiff::Timestamp;
use std::collections::BTreeSet;

pub(super) fn decide(
    state: &State,
    actor: Actor,
    bundles: &[BundleId],
    now: Timestamp,
) -> Result<(Changes, Outcome), Refusal> {
    if actor != Actor::Operator {
        return Err(Refusal::Forbidden { needs: "nobody: the registry does it by itself".to_owned() });
    }
    if bundles.len() > BUNDLES_PER_ACTION_MAX {
        return Err(Refusal::TooMany { field: "granular_certificate_bundle_ids", max: BUNDLES_PER_ACTION_MAX });
    }
    let named: BTreeSet<BundleId> = bundles.iter().copied().collect();
    let is_due = |bundle: &&Bundle| bundle.status.may_expire() && bundle.status_at(now) == BundleStatus::Expired;
    let due = named.into_iter().filter_map(|id| state.bundle(id)).filter(is_due);
    let changes: Changes = due
        .map(|bundle| {
            let before = bundle.mutable();
            let after = Mutable { status: BundleStatus::Expired, ..before.clone() };
            Change::BundleChanged { id: bundle.id, before, after }
        })
        .collect();
    let expired = changes.len();
    Ok((changes, Outcome::Expired(expired)))
}
