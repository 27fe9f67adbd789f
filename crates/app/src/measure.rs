//! What the registry counts and times of itself, for whoever shows it. It says nothing of what the ledger holds.
//!
//! Invariant: counting never waits. Numbers begin at zero with the process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use store::job::JobState;
use store::rejected_action::NewRejected;

use crate::{Error, Registry};
use domain::{ActionKind, EventNumber};

/// Upper bounds of times, in microseconds: from a quick commit to a minute.
pub(crate) const TIME_BOUNDS_MICROS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    15_000_000, 60_000_000,
];
/// Upper bounds of the number of works in a batch.
pub(crate) const BATCH_BOUNDS: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// How many values fell up to each bound, and their sum.
#[derive(Debug)]
struct Spread<const N: usize> {
    bounds: [u64; N],
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> Spread<N> {
    fn new(bounds: [u64; N]) -> Self {
        Self { bounds, counts: [const { AtomicU64::new(0) }; N], above: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }

    fn note(&self, value: u64) {
        let place = self.bounds.iter().zip(&self.counts).find(|(bound, _)| value <= **bound);
        place.map_or(&self.above, |(_, count)| count).fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    fn seen(&self) -> Histogram {
        let counts = self.bounds.iter().zip(&self.counts).map(|(bound, count)| (*bound, count.load(Ordering::Relaxed)));
        Histogram {
            counts: counts.collect(),
            above: self.above.load(Ordering::Relaxed),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

/// What a spread has come to: per upper bound the number of values above the bound before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    pub counts: Vec<(u64, u64)>,
    /// Values above the last bound.
    pub above: u64,
    /// Of all values.
    pub sum: u64,
}

#[derive(Debug)]
pub(crate) struct Measurements {
    batch_works: Spread<9>,
    batch_micros: Spread<16>,
    commit_micros: Spread<16>,
    /// By kind and reason: closed lists, so it stays small. Refusals only, never on the way of what is carried out.
    rejected: Mutex<BTreeMap<(i64, String), u64>>,
}

impl Default for Measurements {
    fn default() -> Self {
        Self {
            batch_works: Spread::new(BATCH_BOUNDS),
            batch_micros: Spread::new(TIME_BOUNDS_MICROS),
            commit_micros: Spread::new(TIME_BOUNDS_MICROS),
            rejected: Mutex::default(),
        }
    }
}

impl Measurements {
    pub(crate) fn batch(&self, works: usize, took: Duration) {
        self.batch_works.note(u64::try_from(works).unwrap_or(u64::MAX));
        self.batch_micros.note(micros(took));
    }

    pub(crate) fn commit(&self, took: Duration) {
        self.commit_micros.note(micros(took));
    }

    pub(crate) fn rejected(&self, rejected: &NewRejected) {
        let mut counts = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((rejected.kind.code(), crate::action::reason_of(&rejected.refusal))).or_default() += 1;
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// What the registry has measured, and what its ledger holds by its own counters.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Works waiting or being carried out.
    pub queued: usize,
    pub batch_works: Histogram,
    pub batch_micros: Histogram,
    pub commit_micros: Histogram,
    /// Per kind of action and reason.
    pub rejected: Vec<(ActionKind, String, u64)>,
    pub events: i64,
    /// Actions and bundles that were ever made, as their ids say.
    pub actions: i64,
    pub bundles: i64,
    pub has_replica: bool,
    /// In events; `None` without a replica, or while it does not answer.
    pub replica_lag: Option<i64>,
    pub jobs: Vec<(JobState, i64)>,
    /// Rejected actions that are kept.
    pub rejected_kept: i64,
    /// Sessions that have not expired.
    pub sessions: i64,
}

impl Registry {
    /// What an operator's monitoring wants to know. Reads the head and small tables only. Blocks.
    pub fn measured(&self) -> Result<Measured, Error> {
        let now = self.now();
        let (head, jobs, rejected_kept, sessions) = self.read_primary(|connection| {
            Ok((
                store::head::read(connection)?,
                store::job::counts(connection)?,
                store::rejected_action::count(connection)?,
                store::session::count(connection, now)?,
            ))
        })?;
        let measurements = &self.0.measurements;
        let rejected = measurements.rejected.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let named = |((kind, reason), count)| Some((ActionKind::from_code(kind)?, reason, count));
        Ok(Measured {
            queued: self.queued(),
            batch_works: measurements.batch_works.seen(),
            batch_micros: measurements.batch_micros.seen(),
            commit_micros: measurements.commit_micros.seen(),
            rejected: rejected.into_iter().filter_map(named).collect(),
            events: head.event_number.0,
            actions: head.next.action.0 - 1,
            bundles: head.next.bundle.0 - 1,
            has_replica: self.has_replica(),
            replica_lag: self.replica_lag(EventNumber(head.event_number.0)),
            jobs,
            rejected_kept,
            sessions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_up_to_the_first_bound_that_holds_it() {
        let spread = Spread::new([1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 100, 101, 1_000] {
            spread.note(value);
        }
        let expected = Histogram { counts: vec![(1, 2), (10, 2), (100, 2)], above: 2, sum: 1_225 };
        assert_eq!(spread.seen(), expected);
    }

    #[test]
    fn bounds_ascend() {
        assert!(TIME_BOUNDS_MICROS.is_sorted() && BATCH_BOUNDS.is_sorted());
    }
}
