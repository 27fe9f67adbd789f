//! What there is to know of one reading: the versions of it, and the bundles that were issued for its interval.
//!
//! Invariant: nothing is cut without saying so, and of what others hold only its place and range are told.

use super::view::{MeasurementView, readable, views};
use crate::lineage::{LINEAGE_BUNDLES_MAX, is_readable};
use crate::sight::Sight;
use crate::{Caller, Error, Registry};
use domain::time::hour_of;
use domain::{
    AccountId, Bundle, BundleId, BundleStatus, CertificateRange, Device, DeviceKind, EventNumber, Measurement,
    MeasurementId, Reading, ReadingSource, ScrId, SdrId,
};
use jiff::{SignedDuration, Timestamp};
use store::Connection;
use store::measurement::{Recorded, Versions};

/// The most bundles that are told of one interval.
pub const INTERVAL_BUNDLES_MAX: usize = LINEAGE_BUNDLES_MAX;
/// The most versions that are told of one reading, from the first one on.
const VERSIONS_MAX: usize = 100;

/// A version of a reading, with all that hangs on it.
#[derive(Clone, Debug)]
pub struct ReadingHistory {
    pub device: Device,
    pub view: MeasurementView,
    /// Readings that start where this one does, this one among them: each version that was ever recorded, the first one
    /// first.
    pub versions: Vec<MeasurementView>,
    pub has_more_versions: bool,
    /// What was issued for the interval, without what was split since; of the current version only, since a bundle stands
    /// on what its interval says now. In the order of their certificates.
    pub bundles: Vec<IssuedBundle>,
    pub has_more_bundles: bool,
    /// Of the sum of an hour that counts: the readings that it was added up from, in the order of time.
    pub parts: Vec<Measurement>,
    /// Of such a reading: the sum that it counts in.
    pub sum: Option<MeasurementId>,
    /// Of a current reading of storage: the standing records of it.
    pub charges: Vec<ScrId>,
    pub discharges: Vec<SdrId>,
}

/// A bundle of a reading's interval.
#[derive(Clone, Copy, Debug)]
pub struct IssuedBundle {
    pub id: BundleId,
    pub range: CertificateRange,
    /// `None` where it is held elsewhere, but for what was withdrawn.
    pub status: Option<BundleStatus>,
    /// `None` where it is held elsewhere.
    pub account_id: Option<AccountId>,
}

impl ReadingHistory {
    /// The version whose place this one took.
    pub fn supersedes(&self) -> Option<MeasurementId> {
        let id = self.view.measurement.id;
        let earlier =
            |version: &&MeasurementView| version.measurement.id != id && version.measurement.superseded_by == Some(id);
        self.versions.iter().find(earlier).map(|version| version.measurement.id)
    }
}

impl Registry {
    /// A version of a reading with its history, for those who may read [`measurement`](Self::measurement). Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a reading that is not the caller's to see.
    pub fn reading_history(
        &self,
        caller: &Caller,
        id: MeasurementId,
        fresh: Option<EventNumber>,
    ) -> Result<ReadingHistory, Error> {
        let (now, rules) = (self.now(), self.settings().rules);
        let found = self.read(fresh, |connection| {
            connection.snapshot(|tx| -> store::Result<_> {
                let Some(recorded) = store::measurement::by_id(tx, id)? else { return Ok(None) };
                let reading = recorded.measurement.reading;
                let Some(device) = readable(tx, caller, reading.device_id)? else { return Ok(None) };
                let Some(view) = views(tx, &device, vec![recorded], now, &rules)?.pop() else { return Ok(None) };
                let start = reading.interval.start();
                let within = (Some(start), start.checked_add(SignedDuration::from_micros(1)).ok());
                let most = i64::try_from(VERSIONS_MAX).unwrap_or(i64::MAX).saturating_add(1);
                let rows = store::measurement::of_device(tx, device.id, within, Versions::All, None, most)?;
                let mut versions = views(tx, &device, rows, now, &rules)?;
                let has_more_versions = versions.len() > VERSIONS_MAX;
                versions.truncate(VERSIONS_MAX);
                let bundles = if recorded.measurement.is_current() {
                    store::bundle::unsplit(tx, (device.id, start), bundles_limit())?
                } else {
                    Vec::new()
                };
                let sight = Sight::of(tx, caller)?;
                let has_more_bundles = bundles.len() > INTERVAL_BUNDLES_MAX;
                let bundles =
                    bundles.iter().take(INTERVAL_BUNDLES_MAX).map(|bundle| shown(&sight, bundle, now)).collect();
                let (parts, sum) = summed(tx, &recorded)?;
                let (charges, discharges) = records(tx, &device, &recorded.measurement)?;
                Ok(Some(ReadingHistory {
                    device,
                    view,
                    versions,
                    has_more_versions,
                    bundles,
                    has_more_bundles,
                    parts,
                    sum,
                    charges,
                    discharges,
                }))
            })
        })?;
        found.ok_or(Error::NotFound { what: "Measurement", id: id.0 })
    }
}

/// The parts of a reading that is the sum of its hour and counts, or the sum that it counts in.
fn summed(tx: &mut Connection, recorded: &Recorded) -> store::Result<(Vec<Measurement>, Option<MeasurementId>)> {
    let Recorded { measurement, source, .. } = recorded;
    let reading = measurement.reading;
    let is_sum = *source == ReadingSource::Summed;
    // the sum is current, and what it was added up from is not
    if is_sum != measurement.is_current() {
        return Ok((Vec::new(), None));
    }
    let hour = hour_of(reading.interval.start());
    let parts = store::measurement::parts(tx, &[(reading.device_id, hour)])?;
    if is_sum {
        return Ok((parts, None));
    }
    if !parts.iter().any(|part| part.id == measurement.id) {
        return Ok((Vec::new(), None));
    }
    let current = store::measurement::current(tx, &[Reading { interval: hour, ..reading }])?;
    let sum = current.iter().map(|current| current.measurement).find(|current| current.reading.interval == hour);
    Ok((Vec::new(), sum.map(|sum| sum.id)))
}

/// The standing storage records of a current reading.
fn records(tx: &mut Connection, device: &Device, measurement: &Measurement) -> store::Result<(Vec<ScrId>, Vec<SdrId>)> {
    if device.description.kind != DeviceKind::Storage || !measurement.is_current() {
        return Ok((Vec::new(), Vec::new()));
    }
    let start = measurement.reading.interval.start();
    let charges = store::storage::scrs_of_interval(tx, device.id, start)?;
    let discharges = store::storage::sdrs_of_interval(tx, device.id, start)?;
    let charges = charges.into_iter().filter(|scr| !scr.is_withdrawn).map(|scr| scr.id);
    let discharges = discharges.into_iter().filter(|sdr| !sdr.is_withdrawn).map(|sdr| sdr.id);
    Ok((charges.collect(), discharges.collect()))
}

fn bundles_limit() -> i64 {
    i64::try_from(INTERVAL_BUNDLES_MAX).unwrap_or(i64::MAX).saturating_add(1)
}

fn shown(sight: &Sight, bundle: &Bundle, now: Timestamp) -> IssuedBundle {
    let is_open = is_readable(sight, bundle);
    let is_told = is_open || bundle.status == BundleStatus::Withdrawn;
    IssuedBundle {
        id: bundle.id,
        range: bundle.range,
        status: is_told.then(|| bundle.status_at(now)),
        account_id: is_open.then_some(bundle.account_id),
    }
}
