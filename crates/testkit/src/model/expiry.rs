//! What has had its time becomes Expired, watt-hour by watt-hour.

use super::{Certificate, Decided, Decision, Model, Verdict};
use domain::{Actor, BundleId, BundleStatus};
use jiff::Timestamp;
use std::collections::BTreeSet;

impl Model {
    pub(super) fn expire(&mut self, now: Timestamp, actor: Actor, bundles: &[BundleId]) -> Decision {
        if actor != Actor::Operator {
            return Err("forbidden");
        }
        let mut count = 0;
        for id in bundles.iter().collect::<BTreeSet<_>>() {
            let Some(held) = self.held(*id) else { continue };
            let was = held.certificate.clone();
            let is_due = self.birth(*id).expires_at <= now;
            if is_due && [BundleStatus::Active, BundleStatus::Locked].contains(&was.state) {
                let expired = Certificate { state: BundleStatus::Expired, ..was };
                self.rewrite(&held, held.first, held.last, &expired);
                count += 1;
            }
        }
        Ok(Decided { told: Verdict::Expired(count), has_changed: count > 0 })
    }

    /// The registry sweeps: everything that is due becomes Expired, and comes back as how many bundles that were.
    pub fn expire_due(&mut self, clock: Timestamp) -> usize {
        let all: Vec<BundleId> = (1..self.next_bundle().0).map(BundleId).collect();
        match self.act(clock, Actor::Operator, &domain::Command::Expire(all)) {
            Verdict::Expired(count) => count,
            other => unreachable!("expiring gave {other:?}"),
        }
    }
}
