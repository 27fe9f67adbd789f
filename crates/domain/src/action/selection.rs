//! What all actions on bundles share: checking the selection, taking a portion of it, splitting at most what is needed.
//!
//! Refusals, in order: those of the action's own (see its file); no bundle; too many; a bundle repeated; a bundle missing
//! from the source; a bundle in a state where the step may not be taken; the portion (a quantity of zero, then more than is
//! held; a share out of range, then nothing picked). Every bundle named is checked, also one the portion does not reach.
//! All or nothing.

use super::{Outcome, cancel, claim, lock, reserve, transfer, update_mutables, withdraw};
use crate::bundle::{BundleStep, Mutable};
use crate::{
    AccountId, Actor, Bundle, BundleId, BundleStatus, CertificateRange, Change, Changes, Ratio, Refusal, State,
    WattHours, seal,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The most bundles that one action names.
pub const BUNDLES_PER_ACTION_MAX: usize = 10_000;

/// One action on bundles of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleAction {
    pub source: AccountId,
    pub bundles: Vec<BundleId>,
    pub portion: Portion,
    pub deed: Deed,
}

/// How much of the selection is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Portion {
    /// Whole bundles.
    Whole,
    /// This much in total (EnergyTag API v2: over all matched bundles), oldest production first, then by id, from the
    /// start of the range; splits at most one bundle.
    Quantity(WattHours),
    /// This share of each bundle, rounded down, from the start of its range.
    Share(Ratio),
}

/// What is done to the portion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Transfer {
        target: AccountId,
    },
    Cancel {
        beneficiary: Option<String>,
        beneficiary_account: Option<AccountId>,
        purpose: Option<String>,
    },
    Claim,
    Reserve {
        target_registry: Option<String>,
    },
    Lock {
        reason: String,
    },
    Unlock {
        reason: String,
    },
    Withdraw {
        reason: String,
        export_failed: bool,
    },
    /// The issuer's correction; at least one of account and status.
    UpdateMutables {
        account: Option<AccountId>,
        status: Option<BundleStatus>,
        reason: Option<String>,
    },
}

/// A bundle that was made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleResult {
    pub bundle_id: BundleId,
    pub parent_id: Option<BundleId>,
    pub range: CertificateRange,
    pub status: BundleStatus,
    pub account_id: AccountId,
}

pub(super) fn decide(
    state: &State,
    actor: Actor,
    action: &BundleAction,
    now: Timestamp,
) -> Result<(Changes, Outcome), Refusal> {
    let selection = Selection { state, action, now };
    match &action.deed {
        Deed::Transfer { target } => transfer::decide(&selection, actor, *target),
        Deed::Cancel { beneficiary, beneficiary_account, purpose } => {
            cancel::decide(&selection, actor, beneficiary.as_deref(), *beneficiary_account, purpose.as_deref())
        }
        Deed::Claim => claim::decide(&selection, actor),
        Deed::Reserve { .. } => reserve::decide(&selection, actor),
        Deed::Lock { reason } => lock::decide(&selection, actor, BundleStep::Lock, reason),
        Deed::Unlock { reason } => lock::decide(&selection, actor, BundleStep::Unlock, reason),
        Deed::Withdraw { reason, export_failed } => withdraw::decide(&selection, actor, reason, *export_failed),
        Deed::UpdateMutables { account, status, .. } => update_mutables::decide(&selection, actor, *account, *status),
    }
}

/// The bundles that an action names, in the state as it is now.
pub(super) struct Selection<'s> {
    pub state: &'s State,
    pub action: &'s BundleAction,
    pub now: Timestamp,
}

impl Selection<'_> {
    /// Every bundle named, checked, oldest production first, then by id.
    pub(super) fn bundles(&self, step: BundleStep) -> Result<Vec<&Bundle>, Refusal> {
        self.bundles_in(step.starts())
    }

    /// As [`bundles`](Self::bundles), for bundles in these states.
    pub(super) fn bundles_in(&self, needed: Vec<BundleStatus>) -> Result<Vec<&Bundle>, Refusal> {
        if self.action.bundles.is_empty() {
            return Err(Refusal::NoBundles);
        }
        if self.action.bundles.len() > BUNDLES_PER_ACTION_MAX {
            return Err(Refusal::TooMany { field: "granular_certificate_bundle_ids", max: BUNDLES_PER_ACTION_MAX });
        }
        let source_id = self.action.source;
        let mut seen = HashSet::with_capacity(self.action.bundles.len());
        let mut picked = Vec::with_capacity(self.action.bundles.len());
        for id in &self.action.bundles {
            if !seen.insert(*id) {
                return Err(Refusal::BundleRepeated { bundle_id: *id });
            }
            let bundle = self.state.bundle(*id).filter(|b| b.account_id == source_id);
            picked.push(bundle.ok_or(Refusal::BundleMissing { source_id, bundle_id: *id })?);
        }
        for bundle in &picked {
            let status = bundle.status_at(self.now);
            if !needed.contains(&status) {
                return Err(Refusal::WrongState { bundle_id: bundle.id, status, needed });
            }
        }
        picked.sort_by_key(|b| (b.production.start(), b.id));
        Ok(picked)
    }

    /// Takes the portion of `bundles` and makes `fate` of each part taken.
    pub(super) fn take(
        &self,
        bundles: &[&Bundle],
        fate: impl Fn(&Bundle) -> Mutable,
    ) -> Result<(Changes, Outcome), Refusal> {
        let parts = portions(bundles, self.action.portion)?;
        let (mut changes, mut result, mut total) = (Vec::new(), Vec::new(), WattHours::ZERO);
        let mut next = self.state.next.bundle;
        for (bundle, part) in parts {
            total = [total, part].into_iter().sum();
            let Some((taken, rest)) = bundle.range.split_at(part) else {
                assert_eq!(part, bundle.range.quantity(), "a part is split off or is the whole");
                let (before, after) = (bundle.mutable(), fate(bundle));
                result.push(result_of(bundle, &after));
                changes.push(Change::BundleChanged { id: bundle.id, before, after });
                continue;
            };
            assert_eq!(taken.quantity().0 + rest.quantity().0, bundle.range.quantity().0, "a split conserves energy");
            let before = bundle.mutable();
            let parent = Mutable { status: BundleStatus::Split, ..before.clone() };
            result.push(result_of(bundle, &parent));
            changes.push(Change::BundleChanged { id: bundle.id, before, after: parent });
            for (range, mutable) in [(taken, fate(bundle)), (rest, bundle.mutable())] {
                let child = child_of(bundle, next, range, mutable);
                next = next.next();
                result.push(result_of(&child, &child.mutable()));
                changes.push(Change::BundleCreated(child));
            }
        }
        Ok((changes, Outcome::Bundles { result, total }))
    }
}

/// How much is taken of which bundle; parts of zero are left out.
fn portions<'b>(bundles: &[&'b Bundle], portion: Portion) -> Result<Vec<(&'b Bundle, WattHours)>, Refusal> {
    match portion {
        Portion::Whole => Ok(bundles.iter().map(|b| (*b, b.range.quantity())).collect()),
        Portion::Quantity(asked) => {
            let held: WattHours = bundles.iter().map(|b| b.range.quantity()).sum();
            if asked == WattHours::ZERO {
                return Err(Refusal::QuantityZero);
            }
            if asked > held {
                return Err(Refusal::NotEnough { held, asked });
            }
            let (mut parts, mut wanted) = (Vec::new(), asked);
            for bundle in bundles {
                if wanted == WattHours::ZERO {
                    break;
                }
                let part = wanted.min(bundle.range.quantity());
                wanted = wanted.saturating_sub(part);
                parts.push((*bundle, part));
            }
            Ok(parts)
        }
        Portion::Share(share) => {
            if share.is_zero() || !share.is_share() {
                return Err(Refusal::ShareOutOfRange);
            }
            let part = |b: &Bundle| share.of(b.range.quantity()).expect("a share is at most the whole");
            let parts: Vec<_> = bundles.iter().map(|b| (*b, part(b))).filter(|(_, wh)| *wh > WattHours::ZERO).collect();
            if parts.is_empty() { Err(Refusal::NothingPicked) } else { Ok(parts) }
        }
    }
}

pub(super) fn child_of(parent: &Bundle, id: BundleId, range: CertificateRange, mutable: Mutable) -> Bundle {
    let mut child = Bundle {
        id,
        range,
        parent_id: Some(parent.id),
        account_id: mutable.account_id,
        status: mutable.status,
        cancellation: mutable.cancellation,
        ..parent.clone()
    };
    child.hash = seal::child_hash(&child, &parent.hash);
    child
}

fn result_of(bundle: &Bundle, after: &Mutable) -> BundleResult {
    BundleResult {
        bundle_id: bundle.id,
        parent_id: bundle.parent_id,
        range: bundle.range,
        status: after.status,
        account_id: after.account_id,
    }
}
