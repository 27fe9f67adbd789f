//! Certificates are issued on a discharge (SD-GC): for each charge that it drew on, what of its certificates came out.
//!
//! They carry the attributes of the certificates that were charged, and are the storage device's: numbered by it, produced
//! in the discharge's interval, issued to its account. What is live of a draw is not issued again, what was withdrawn is.
//! Refusals, in order: forbidden; the SDR is missing, or withdrawn; the device is missing, or not storage; it is not
//! approved; the certificates would expire after the year 9999; nothing is left to issue.

use super::storage_device;
use crate::action::selection::BundleResult;
use crate::action::{Outcome, Rules};
use crate::time::expiry;
use crate::{
    Actor, Bundle, BundleStatus, Capability, CertificateRange, Change, Changes, ReadingRefusal, Refusal, SdrId, State,
    StorageRefusal, WattHours, seal,
};
use jiff::Timestamp;

pub(in crate::action) fn issue(
    state: &State,
    actor: Actor,
    sdr_id: SdrId,
    now: Timestamp,
    rules: &Rules,
) -> Result<(Changes, Outcome), Refusal> {
    state.require(actor, Capability::Issue)?;
    let sdr = state.storage.sdrs.get(&sdr_id).ok_or(StorageRefusal::SdrMissing { sdr_id })?;
    if sdr.is_withdrawn {
        return Err(StorageRefusal::SdrWithdrawn { sdr_id }.into());
    }
    let device = storage_device(state, sdr.device_id)?;
    let (device_id, start) = (device.id, sdr.interval.start());
    let not_recordable = |cause| StorageRefusal::NotRecordable { device_id, start, cause };
    if !device.is_approved {
        return Err(not_recordable(ReadingRefusal::NotApproved).into());
    }
    let expires_at = expiry(sdr.interval.end(), rules.expiry_years);
    let expires_at = expires_at.ok_or_else(|| not_recordable(ReadingRefusal::NoExpiry))?;
    let (mut changes, mut result, mut total) = (Vec::new(), Vec::new(), WattHours::ZERO);
    let (mut next_bundle, mut next_certificate) = (state.next.bundle, device.next_certificate);
    let hash_of = |id| state.storage.snapshots.get(&id).expect("snapshots behind a draw were loaded").hash;
    for draw in state.storage.draws_of(sdr_id) {
        let quantity = draw.certificates.saturating_sub(state.storage.live_of(draw.id));
        let backing = state.storage.scrs.get(&draw.scr_id).and_then(|scr| scr.backing);
        let (Some(backing), Some(storage_id)) = (backing, draw.attributes_id) else { continue };
        let Some(range) = CertificateRange::starting(next_certificate, quantity) else {
            assert_eq!(quantity, WattHours::ZERO, "certificate ids fit 64 bits");
            continue;
        };
        let mut bundle = Bundle {
            id: next_bundle,
            account_id: device.account_id,
            device_id,
            attributes_id: backing.attributes_id,
            range,
            production: sdr.interval,
            issued_at: now,
            expires_at,
            parent_id: None,
            status: if expires_at <= now { BundleStatus::Expired } else { BundleStatus::Active },
            cancellation: None,
            draw_id: Some(draw.id),
            hash: [0; 32],
        };
        bundle.hash = seal::sdgc_hash(&bundle, &hash_of(backing.attributes_id), &hash_of(storage_id), draw.id);
        (next_bundle, next_certificate) = (bundle.id.next(), range.last() + 1);
        total = [total, quantity].into_iter().sum();
        result.push(BundleResult {
            bundle_id: bundle.id,
            parent_id: None,
            range,
            status: bundle.status,
            account_id: bundle.account_id,
        });
        changes.push(Change::BundleCreated(bundle));
    }
    if changes.is_empty() {
        return Err(StorageRefusal::NothingToIssue { sdr_id }.into());
    }
    Ok((changes, Outcome::Bundles { result, total }))
}
