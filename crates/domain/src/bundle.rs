//! Bundles of certificates and their states. Invariant: the table [`TRANSITIONS`] is the only list of what may follow what.

use crate::device::vocabulary;
use crate::{AccountId, AttributesId, BundleId, CertificateRange, DeviceId, DrawId, EnergyCarrier, Interval, SdrId};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

vocabulary! {
    /// The state of a bundle (EnergyTag API v2, and the split parents of the seed's vocabulary).
    BundleStatus {
        Active = 1 "Active",
        Cancelled = 2 "Cancelled",
        Claimed = 3 "Claimed",
        Expired = 4 "Expired",
        Withdrawn = 5 "Withdrawn",
        Locked = 6 "Locked",
        Reserved = 7 "Reserved",
        /// The parent of a split; its children took over its state.
        Split = 8 "Bundle Split",
    }
}

impl BundleStatus {
    /// Whether its watt-hours count: every state but Withdrawn and Bundle Split.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Withdrawn | Self::Split)
    }

    /// Whether it becomes Expired when its time has come.
    pub const fn may_expire(self) -> bool {
        matches!(self, Self::Active | Self::Locked)
    }
}

vocabulary! {
    /// What moves a bundle from one state to the next.
    BundleStep {
        Transfer = 1 "transfer", Cancel = 2 "cancel", Claim = 3 "claim", Reserve = 4 "reserve", Lock = 5 "lock",
        Unlock = 6 "unlock", Withdraw = 7 "withdraw", WithdrawFailedExport = 8 "withdraw failed export",
    }
}

/// (step, from, to): the life cycle of a bundle. Splitting is apart: a live parent becomes Bundle Split and its children
/// take over its state. Expiry is apart: Active and Locked bundles count as Expired from their time on.
pub const TRANSITIONS: &[(BundleStep, BundleStatus, BundleStatus)] = &[
    (BundleStep::Transfer, BundleStatus::Active, BundleStatus::Active),
    (BundleStep::Cancel, BundleStatus::Active, BundleStatus::Cancelled),
    (BundleStep::Claim, BundleStatus::Cancelled, BundleStatus::Claimed),
    (BundleStep::Reserve, BundleStatus::Active, BundleStatus::Reserved),
    (BundleStep::Lock, BundleStatus::Active, BundleStatus::Locked),
    (BundleStep::Unlock, BundleStatus::Locked, BundleStatus::Active),
    (BundleStep::Withdraw, BundleStatus::Active, BundleStatus::Withdrawn),
    (BundleStep::Withdraw, BundleStatus::Locked, BundleStatus::Withdrawn),
    (BundleStep::Withdraw, BundleStatus::Cancelled, BundleStatus::Withdrawn),
    (BundleStep::Withdraw, BundleStatus::Claimed, BundleStatus::Withdrawn),
    (BundleStep::Withdraw, BundleStatus::Expired, BundleStatus::Withdrawn),
    (BundleStep::WithdrawFailedExport, BundleStatus::Reserved, BundleStatus::Withdrawn),
];

impl BundleStep {
    /// The state that follows `from`, if this step may be taken there.
    pub fn leads_from(self, from: BundleStatus) -> Option<BundleStatus> {
        TRANSITIONS.iter().find(|(step, start, _)| *step == self && *start == from).map(|(_, _, to)| *to)
    }

    /// The states in which this step may be taken.
    pub fn starts(self) -> Vec<BundleStatus> {
        TRANSITIONS.iter().filter(|(step, _, _)| *step == self).map(|(_, from, _)| *from).collect()
    }
}

/// For whom and why a bundle was cancelled. Never changes once written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// The name that is shown.
    pub beneficiary: String,
    /// The account whose users may read and claim it.
    pub beneficiary_account: Option<AccountId>,
    pub purpose: Option<String>,
}

/// The readable id that all bundles of one device, carrier and interval share: `12-electricity-20260101T130000Z`.
pub fn issuance_id(device: DeviceId, carrier: EnergyCarrier, start: Timestamp) -> String {
    let start = start.to_zoned_datetime(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    format!("{device}-{carrier}-{start}")
}

/// The same of certificates issued on a discharge: `31-electricity-20260101T180000Z-S4`.
pub fn storage_issuance_id(device: DeviceId, carrier: EnergyCarrier, start: Timestamp, sdr: SdrId) -> String {
    format!("{}-S{sdr}", issuance_id(device, carrier, start))
}

/// What an issuance id names: a device and a start of production; of certificates issued on a discharge, that too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Issuance {
    pub device_id: DeviceId,
    pub start: Timestamp,
    /// Without one, whatever discharge.
    pub sdr_id: Option<SdrId>,
}

/// Certificates of one device and one production interval, held together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    pub id: BundleId,
    pub account_id: AccountId,
    pub device_id: DeviceId,
    pub attributes_id: AttributesId,
    pub range: CertificateRange,
    pub production: Interval,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub parent_id: Option<BundleId>,
    pub status: BundleStatus,
    #[serde(with = "shared")]
    pub cancellation: Option<Arc<Cancellation>>,
    /// Of an SD-GC: the draw that it was issued on. Then the device is the storage device, production is the discharge,
    /// and the attributes are those of the certificates that were charged.
    #[serde(default)]
    pub draw_id: Option<DrawId>,
    /// Over the attributes, the range and the parent's hash; see [`crate::seal`].
    pub hash: [u8; 32],
}

impl Bundle {
    /// The state that decisions see: time may have run out before a sweep has said so.
    pub fn status_at(&self, now: Timestamp) -> BundleStatus {
        if self.status.may_expire() && self.expires_at <= now { BundleStatus::Expired } else { self.status }
    }

    /// What of it may change after issue.
    pub fn mutable(&self) -> Mutable {
        Mutable { account_id: self.account_id, status: self.status, cancellation: self.cancellation.clone() }
    }
}

/// A cancellation on record, whoever shares it in memory.
mod shared {
    use super::{Arc, Cancellation, Deserialize as _, Serialize as _};
    use serde::{Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
    pub(super) fn serialize<S: Serializer>(kept: &Option<Arc<Cancellation>>, to: S) -> Result<S::Ok, S::Error> {
        kept.as_deref().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<Cancellation>>, D::Error> {
        Ok(Option::<Cancellation>::deserialize(from)?.map(Arc::new))
    }
}

/// The part of a bundle that may change; everything else is for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutable {
    pub account_id: AccountId,
    pub status: BundleStatus,
    pub cancellation: Option<Arc<Cancellation>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_active_again_but_a_locked_bundle() {
        for (step, from, to) in TRANSITIONS {
            let stays = matches!(
                (step, from),
                (BundleStep::Transfer, BundleStatus::Active) | (BundleStep::Unlock, BundleStatus::Locked)
            );
            assert_eq!(*to == BundleStatus::Active, stays, "{step}: {from} to {to}");
            assert!(from.is_live(), "{from} is final");
        }
    }

    #[test]
    fn each_step_has_one_outcome_from_each_state() {
        for step in BundleStep::ALL {
            for from in BundleStatus::ALL {
                let found = TRANSITIONS.iter().filter(|(s, f, _)| s == step && f == from).count();
                assert!(found <= 1, "{step} from {from}");
                assert_eq!(step.leads_from(*from).is_some(), step.starts().contains(from));
            }
        }
    }
}
