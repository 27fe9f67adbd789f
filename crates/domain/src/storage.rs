//! Storage: what a device took in (SCR), what it gave out (SDR), and what each discharge drew from which charge.
//!
//! Invariant: all energy here is whole Wh and all products are taken in 128 bits, so that of what was charged every Wh is
//! either in the reservoir or drawn, and of what was drawn every Wh is certified, lost or of no certificate's origin. The
//! reservoir is no figure of its own: it is what standing SCRs hold and standing draws did not take.
//! Sources: EnergyTag API v2, Storage; Scheme Standard V2, 1.6 and annexes 2 and 3.

use crate::device::vocabulary;
use crate::{AttributesId, BundleId, DeviceId, DrawId, EnergySource, Interval, MetadataId, ScrId, SdrId, WattHours};
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// The longest interval that an efficiency factor is taken over.
pub const EFFICIENCY_DAYS_MAX: i64 = 366;
/// A device's first efficiency factor is of an interval that ends so many calendar months after its start-up at the latest.
pub const EFFICIENCY_MONTHS_FIRST: i64 = 6;
/// The most charges that a discharge names by the operator's discretion.
pub const PICKS_MAX: usize = 1_000;

vocabulary! {
    /// From which charges a discharge is drawn; fixed per device by its first SDR.
    AllocationMethod {
        /// The oldest charge first.
        Fifo = 1 "FIFO",
        /// The newest charge first.
        Lifo = 2 "LIFO",
        /// Each charge in proportion to what is left of it, by largest remainder.
        WeightedAverage = 3 "weighted average",
        /// As the operator states.
        Discretion = 4 "operator's discretion",
    }
}

/// A storage charge record: energy that a device took in during one of its readings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scr {
    pub id: ScrId,
    pub device_id: DeviceId,
    /// That of the reading.
    pub interval: Interval,
    pub energy: WattHours,
    /// The certificates that were allocated to it; energy beyond them is of no certificate's origin.
    pub backing: Option<Backing>,
    /// How the place of the certificates was matched with the device's (a level of the Matching Standard).
    pub matching_method: Option<String>,
    pub created_at: Timestamp,
    pub is_withdrawn: bool,
    /// What standing SDRs drew of it.
    pub drawn: Share,
}

/// Certificates that were cancelled for storage, as they back a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backing {
    /// Exactly the certificates that were allocated.
    pub bundle_id: BundleId,
    pub energy: WattHours,
    /// What they say of the device that made them.
    pub attributes_id: AttributesId,
    pub metadata_id: MetadataId,
    pub energy_source: EnergySource,
}

/// Energy of a charge: of certificates, and of no certificate's origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub backed: WattHours,
    pub unbacked: WattHours,
}

impl Share {
    pub fn total(self) -> WattHours {
        [self.backed, self.unbacked].into_iter().sum()
    }

    /// # Panics
    /// Above 2^64 Wh.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |a, b| [a, b].into_iter().sum();
        Self { backed: sum(self.backed, other.backed), unbacked: sum(self.unbacked, other.unbacked) }
    }

    /// # Panics
    /// If `other` is not a part of it.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let rest = |a: WattHours, b: WattHours| WattHours(a.0.checked_sub(b.0).expect("a part is at most the whole"));
        Self { backed: rest(self.backed, other.backed), unbacked: rest(self.unbacked, other.unbacked) }
    }

    /// This much of it, the backed part first; `None` if it is not there.
    pub fn take(self, energy: WattHours) -> Option<Self> {
        let backed = energy.min(self.backed);
        let unbacked = energy.saturating_sub(backed);
        (unbacked <= self.unbacked).then_some(Self { backed, unbacked })
    }
}

impl Scr {
    /// All that was charged.
    pub fn charged(&self) -> Share {
        let backed = self.backing.map_or(WattHours::ZERO, |backing| backing.energy);
        Share { backed, unbacked: self.energy.saturating_sub(backed) }
    }

    /// What of it is in the reservoir.
    pub fn open(&self) -> Share {
        if self.is_withdrawn { Share::default() } else { self.charged().minus(self.drawn) }
    }
}

/// A storage discharge record: energy that a device gave out during one of its readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sdr {
    pub id: SdrId,
    pub device_id: DeviceId,
    /// That of the reading.
    pub interval: Interval,
    pub energy: WattHours,
    pub method: AllocationMethod,
    pub efficiency: Efficiency,
    pub created_at: Timestamp,
    pub is_withdrawn: bool,
}

/// What an SDR takes of one SCR, gross of losses. It stands as long as its SDR does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    pub id: DrawId,
    pub sdr_id: SdrId,
    pub scr_id: ScrId,
    pub taken: Share,
    /// SD-GCs that it gives: the backed part times the efficiency factor, rounded down.
    pub certificates: WattHours,
    /// What those say of the storage device; `None` if there are none.
    pub attributes_id: Option<AttributesId>,
}

impl Draw {
    /// What of the backed part was lost on the way.
    pub fn loss(&self) -> WattHours {
        self.taken.backed.saturating_sub(self.certificates)
    }
}

/// An efficiency factor: (energy out + charge at the end − charge at the start) / energy in, over an interval, exactly.
/// Invariant of those that are recorded: above 0 and at most 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Efficiency {
    pub interval: Interval,
    /// Σ of the readings below zero, and of those above.
    pub input: WattHours,
    pub output: WattHours,
    /// The state of charge at the start and at the end.
    pub charge_before: WattHours,
    pub charge_after: WattHours,
}

/// Of what an efficiency factor is taken; the energies are those of the device's readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EfficiencyBasis {
    pub interval: Interval,
    pub charge_before: WattHours,
    pub charge_after: WattHours,
}

impl Efficiency {
    /// Numerator and denominator; `None` unless both are above 0.
    pub fn ratio(&self) -> Option<(u128, u128)> {
        let plus = u128::from(self.output.0) + u128::from(self.charge_after.0);
        let numerator = plus.checked_sub(u128::from(self.charge_before.0))?;
        let denominator = u128::from(self.input.0);
        (numerator > 0 && denominator > 0).then_some((numerator, denominator))
    }

    /// Whether it is a factor that a device can have: above 0 and at most 1.
    pub fn is_possible(&self) -> bool {
        self.ratio().is_some_and(|(numerator, denominator)| numerator <= denominator)
    }

    /// `ceil(energy / factor)`: what must be drawn to give out `energy`.
    pub fn gross_of(&self, energy: WattHours) -> u128 {
        let (numerator, denominator) = self.known_ratio();
        (u128::from(energy.0) * denominator).div_ceil(numerator)
    }

    /// `floor(factor × energy)`: what comes out of `energy`.
    pub fn net_of(&self, energy: WattHours) -> WattHours {
        let (numerator, denominator) = self.known_ratio();
        let net = u128::from(energy.0) * numerator / denominator;
        WattHours(u64::try_from(net).expect("at most what went in"))
    }

    /// As a decimal with `digits` digits, rounded down.
    pub fn decimal(&self, digits: u32) -> String {
        let (numerator, denominator) = self.known_ratio();
        let scale = 10_u128.pow(digits.min(18));
        let scaled = numerator * scale / denominator;
        format!("{}.{:0width$}", scaled / scale, scaled % scale, width = usize::try_from(digits.min(18)).unwrap_or(18))
    }

    fn known_ratio(&self) -> (u128, u128) {
        self.ratio().filter(|_| self.is_possible()).expect("an efficiency factor on record is above 0 and at most 1")
    }
}

/// When the interval of a device's first efficiency factor must have ended: six calendar months after its start-up.
/// `None` beyond the calendar.
pub fn first_factor_until(operational_date: Timestamp) -> Option<Timestamp> {
    let later = operational_date.to_zoned_datetime(TimeZone::UTC).checked_add(EFFICIENCY_MONTHS_FIRST.months()).ok()?;
    Some(later.timestamp())
}

/// What is left of one charge, as an allocation sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    pub scr_id: ScrId,
    pub start: Timestamp,
    pub energy: WattHours,
}

/// How much of each of `charges` a need of `need` Wh draws, in the order of the method; all of it if there is less. Charges
/// of which nothing is drawn are left out. Not for the operator's discretion, which is stated.
pub fn allocate(method: AllocationMethod, charges: &[Open], need: u128) -> Vec<(ScrId, WattHours)> {
    let mut charges = charges.to_vec();
    charges.sort_by_key(|charge| (charge.start, charge.scr_id));
    let drawn = match method {
        AllocationMethod::Lifo => {
            charges.reverse();
            in_order(&charges, need)
        }
        AllocationMethod::WeightedAverage => in_proportion(&charges, need),
        AllocationMethod::Fifo | AllocationMethod::Discretion => in_order(&charges, need),
    };
    drawn.into_iter().filter(|(_, energy)| *energy > WattHours::ZERO).collect()
}

fn in_order(charges: &[Open], need: u128) -> Vec<(ScrId, WattHours)> {
    let mut left = need;
    let take = |charge: &Open| {
        let part = left.min(u128::from(charge.energy.0));
        left -= part;
        (charge.scr_id, WattHours(u64::try_from(part).expect("at most the charge")))
    };
    charges.iter().map(take).collect()
}

/// Shares of `need` in proportion to what is left, rounded down; what that leaves goes Wh by Wh to the largest remainders,
/// the older charge first where they are equal.
fn in_proportion(charges: &[Open], need: u128) -> Vec<(ScrId, WattHours)> {
    let sum: u128 = charges.iter().map(|charge| u128::from(charge.energy.0)).sum();
    if sum == 0 {
        return Vec::new();
    }
    let need = need.min(sum);
    // both factors are below 2^64: a reservoir is a sum of u64 that fits one
    let product = |charge: &Open| need * u128::from(charge.energy.0);
    let mut shares: Vec<u128> = charges.iter().map(|charge| product(charge) / sum).collect();
    let mut by_remainder: Vec<usize> = (0..charges.len()).collect();
    by_remainder.sort_by_key(|place| std::cmp::Reverse(product(&charges[*place]) % sum));
    let rest = need - shares.iter().sum::<u128>();
    for place in by_remainder.into_iter().take(usize::try_from(rest).expect("less than one Wh a charge")) {
        shares[place] += 1;
    }
    let whole = |share: u128| WattHours(u64::try_from(share).expect("at most the charge"));
    charges.iter().zip(shares).map(|(charge, share)| (charge.scr_id, whole(share))).collect()
}

#[cfg(test)]
mod tests;
