//! Meter readings. Invariant: the current readings of a device are equal or disjoint in time, never partly overlapping.

use crate::device::vocabulary;
use crate::{DeviceId, Interval, MeasurementId};
use serde::{Deserialize, Serialize};

vocabulary! {
    /// Whether a meter counts before (gross) or after (net) the station's own use.
    GrossNet { Gross = 1 "GROSS", Net = 2 "NET" }
}

vocabulary! {
    /// How a value came about. Estimated values are kept and never issued.
    Quality { Measured = 1 "measured", Calculated = 2 "calculated", Estimated = 3 "estimated" }
}

vocabulary! {
    /// Who stated a reading; the registry itself, of one that is the sum of its hour's.
    ReadingSource { Submitted = 1 "submitted", Issuer = 2 "issuer", Elexon = 3 "elexon", Summed = 4 "summed" }
}

/// One meter reading as it is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub device_id: DeviceId,
    pub interval: Interval,
    /// Wh; of storage, discharge is positive and charge negative; else at least 0.
    pub energy_wh: i64,
    pub gross_net: GrossNet,
    pub quality: Quality,
}

/// A reading as it is kept: one version of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurement {
    pub id: MeasurementId,
    pub reading: Reading,
    /// The version that took its place; itself if it was deleted, so that nothing did.
    pub superseded_by: Option<MeasurementId>,
}

impl Measurement {
    /// Whether it was deleted, so that its interval is free again.
    pub fn is_deleted(&self) -> bool {
        self.superseded_by == Some(self.id)
    }

    /// Whether it is what its device says of the interval now.
    pub fn is_current(&self) -> bool {
        self.superseded_by.is_none()
    }
}

vocabulary! {
    /// What became of a reading.
    ReadingStatus {
        /// Something may be issued for it.
        Pending = 1 "pending",
        /// All that it says is issued.
        Issued = 2 "issued",
        /// The rest was withdrawn and is not released.
        Held = 3 "held",
        /// Nothing more is issued for it, for a reason.
        Refused = 4 "refused",
        /// A later version took its place.
        Superseded = 5 "superseded",
        /// It was deleted.
        Deleted = 6 "deleted",
        /// Of storage: its records hold all that it says, and no certificates come of them.
        Recorded = 7 "recorded",
    }
}
