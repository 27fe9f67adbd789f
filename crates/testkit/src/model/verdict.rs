//! What a command comes to, as the model says it and as the registry answers. Texts and limits in refusals are left to
//! the tests of the rules.

use app::{Answer, Error};
use domain::action::BundleResult;
use domain::recurring_order::OrderState;
use domain::{
    AllocationMethod, BundleId, BundleStatus, CertificateRange, DeviceId, DrawId, MeasurementId, Outcome,
    RecurringOrderId, ScrId, SdrId, WattHours,
};
use jiff::Timestamp;
use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// With the name of the reason.
    Refused(String),
    Done,
    /// Rows that were not accepted: place and reason.
    Readings {
        accepted: usize,
        corrected: usize,
        unchanged: usize,
        refused: Vec<(usize, String)>,
    },
    /// The version that counts now, or the one that was deleted.
    Measurement(MeasurementId),
    Issued {
        readings: usize,
        first: Option<BundleId>,
        issued: usize,
        quantity: WattHours,
        refused: Vec<(DeviceId, Timestamp, String)>,
    },
    Created {
        bundle: BundleId,
        range: CertificateRange,
        is_expired: bool,
    },
    Expired(usize),
    /// The order as it is then.
    Order(RecurringOrderId, OrderState, Option<Timestamp>),
    /// What a run acted on, or why on nothing.
    Ran(Result<WattHours, String>),
    Charged {
        scr: ScrId,
        bundle: Option<BundleId>,
        is_withdrawn: bool,
    },
    Discharged {
        sdr: SdrId,
        method: AllocationMethod,
        is_withdrawn: bool,
        /// Of which charge: Wh of certificates, Wh of none, and certificates that come out.
        draws: Vec<(DrawId, ScrId, WattHours, WattHours, WattHours)>,
    },
    Bundles {
        result: Vec<BundleResult>,
        total: WattHours,
    },
}

impl Verdict {
    /// # Panics
    /// On an error that is not a refusal.
    pub fn of(answer: Result<Answer, Error>) -> Self {
        let outcome = match answer {
            Ok(answer) => answer.outcome(),
            Err(Error::Refused(refusal)) => return Self::Refused(reason(serde_json::to_value(&refusal))),
            Err(error) => panic!("the registry failed: {error}"),
        };
        match outcome {
            Outcome::Readings(readings) => Self::Readings {
                accepted: readings.accepted,
                corrected: readings.corrected,
                unchanged: readings.unchanged,
                refused: readings
                    .refused
                    .iter()
                    .map(|row| (row.place, reason(serde_json::to_value(row.refusal))))
                    .collect(),
            },
            Outcome::Measurement(id) => Self::Measurement(id),
            Outcome::Issue(issue) => Self::Issued {
                readings: issue.readings,
                first: issue.first_bundle,
                issued: issue.issued,
                quantity: issue.quantity,
                refused: issue
                    .refused
                    .iter()
                    .map(|row| (row.device_id, row.interval.start(), reason(serde_json::to_value(row.refusal))))
                    .collect(),
            },
            Outcome::Created(created) => Self::Created {
                bundle: created.bundle.id,
                range: created.bundle.range,
                is_expired: created.bundle.status == BundleStatus::Expired,
            },
            Outcome::Bundles { result, total } => Self::Bundles { result, total },
            Outcome::Ran { done, .. } => match done {
                Ok(energy) => Self::Ran(Ok(energy)),
                Err(refusal) => Self::Ran(Err(reason(serde_json::to_value(&refusal)))),
            },
            Outcome::Order(order) => Self::Order(order.id, order.state, order.next_due_at),
            Outcome::Expired(count) => Self::Expired(count),
            Outcome::Scr(scr) => Self::Charged {
                scr: scr.id,
                bundle: scr.backing.map(|backing| backing.bundle_id),
                is_withdrawn: scr.is_withdrawn,
            },
            Outcome::Sdr { sdr, draws } => Self::Discharged {
                sdr: sdr.id,
                method: sdr.method,
                is_withdrawn: sdr.is_withdrawn,
                draws: draws
                    .iter()
                    .map(|d| (d.id, d.scr_id, d.taken.backed, d.taken.unbacked, d.certificates))
                    .collect(),
            },
            Outcome::User(_)
            | Outcome::Organisation(_)
            | Outcome::Account(_)
            | Outcome::Device(_)
            | Outcome::Metadata(_)
            | Outcome::Seed(_) => Self::Done,
        }
    }

    /// Whether the command was refused.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// The stable name of a refusal.
fn reason(refusal: serde_json::Result<Value>) -> String {
    let refusal = refusal.expect("a refusal is written as JSON");
    refusal["reason"].as_str().expect("a refusal names its reason").to_owned()
}
