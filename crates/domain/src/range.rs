//! A run of certificate ids of one device. Invariant: `1 <= first <= last`, both included.

use crate::WattHours;
use serde::{Deserialize, Serialize};

/// Certificates `first..=last` of one device. Each stands for one watt-hour and its id is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "(u64, u64)", try_from = "(u64, u64)")]
pub struct CertificateRange {
    first: u64,
    last: u64,
}

impl CertificateRange {
    /// `None` unless `1 <= first <= last`.
    pub fn new(first: u64, last: u64) -> Option<Self> {
        (1 <= first && first <= last).then_some(Self { first, last })
    }

    /// The `count` ids that begin with `first`; `None` if that is none, or more than 64 bits hold.
    pub fn starting(first: u64, count: WattHours) -> Option<Self> {
        Self::new(first, first.checked_add(count.0)?.checked_sub(1)?)
    }

    pub fn first(self) -> u64 {
        self.first
    }

    pub fn last(self) -> u64 {
        self.last
    }

    /// How many certificates, at one watt-hour each.
    pub fn quantity(self) -> WattHours {
        WattHours(self.last - self.first + 1)
    }

    /// The first `count` and the rest, which together are exactly the whole. `None` if either would be empty.
    pub fn split_at(self, count: WattHours) -> Option<(Self, Self)> {
        if count.0 == 0 || count >= self.quantity() {
            return None;
        }
        let cut = self.first + count.0;
        Some((Self { first: self.first, last: cut - 1 }, Self { first: cut, last: self.last }))
    }
}

impl From<CertificateRange> for (u64, u64) {
    fn from(range: CertificateRange) -> Self {
        (range.first, range.last)
    }
}

impl TryFrom<(u64, u64)> for CertificateRange {
    type Error = &'static str;

    fn try_from((first, last): (u64, u64)) -> Result<Self, Self::Error> {
        Self::new(first, last).ok_or("no range of certificates")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hundred_split_at_25_is_1_to_25_and_26_to_100() {
        let whole = CertificateRange::new(1, 100).unwrap();
        let (taken, rest) = whole.split_at(WattHours(25)).unwrap();
        assert_eq!((taken.first(), taken.last(), rest.first(), rest.last()), (1, 25, 26, 100));
    }

    #[test]
    fn an_empty_or_reversed_range_does_not_exist() {
        assert_eq!(CertificateRange::new(0, 5), None);
        assert_eq!(CertificateRange::new(6, 5), None);
        assert_eq!(CertificateRange::starting(1, WattHours(0)), None);
        assert_eq!(CertificateRange::starting(u64::MAX, WattHours(2)), None);
    }

    proptest! {
        #[test]
        fn parts_partition_the_whole(first in 1..u64::MAX / 2, quantity in 1..u64::MAX / 2, count: u64) {
            let whole = CertificateRange::starting(first, WattHours(quantity)).unwrap();
            match whole.split_at(WattHours(count)) {
                None => prop_assert!(count == 0 || count >= quantity),
                Some((taken, rest)) => {
                    prop_assert_eq!(taken.first(), whole.first());
                    prop_assert_eq!(taken.last() + 1, rest.first());
                    prop_assert_eq!(rest.last(), whole.last());
                    prop_assert_eq!(taken.quantity(), WattHours(count));
                    prop_assert_eq!(taken.quantity().0 + rest.quantity().0, quantity);
                }
            }
        }
    }
}
