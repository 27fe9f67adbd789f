//! Energy in whole watt-hours and exact ratios of it. Invariant: no floating point touches energy.

use serde::{Deserialize, Serialize};
use std::iter::Sum;

/// Whole watt-hours, the face value of one certificate (EnergyTag API v2: volumes are rounded down to whole Wh).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WattHours(pub u64);

/// The most one reading may state: below 2^53, so that every client's JSON numbers hold it exactly.
pub const READING_WH_MAX: u64 = 9_000_000_000_000_000;

impl WattHours {
    pub const ZERO: Self = Self(0);

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, zero if `other` is larger.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for WattHours {
    /// # Panics
    /// Above 2^64 Wh. One bundle is at most 2^53, so 2,048 of the largest would have to meet in one sum of live bundles.
    fn sum<I: Iterator<Item = Self>>(energies: I) -> Self {
        energies.fold(Self::ZERO, |sum, energy| sum.checked_add(energy).expect("a sum of energy fits 64 bits"))
    }
}

impl std::fmt::Display for WattHours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// An exact decimal, `numerator / 10^scale`, with at most 18 digits after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Ratio {
    numerator: u64,
    scale: u32,
}

/// Why a text is not a [`Ratio`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RatioFault {
    #[error("not a plain decimal number")]
    NotDecimal,
    #[error("more than 18 digits")]
    TooLong,
}

impl From<Ratio> for String {
    fn from(ratio: Ratio) -> Self {
        ratio.to_string()
    }
}

impl TryFrom<String> for Ratio {
    type Error = RatioFault;

    fn try_from(text: String) -> Result<Self, RatioFault> {
        Self::parse(&text)
    }
}

impl Ratio {
    /// The most digits before and after the point together.
    pub const DIGITS_MAX: usize = 18;
    pub const ONE: Self = Self { numerator: 1, scale: 0 };

    /// Reads a plain decimal such as `0.29`, `1` or `1.10`. No sign, no exponent but `e-n` as programs print small numbers.
    pub fn parse(text: &str) -> Result<Self, RatioFault> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix('-').ok_or(RatioFault::NotDecimal)?;
                (mantissa, digits.parse::<u32>().map_err(|_| RatioFault::NotDecimal)?)
            }
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(RatioFault::NotDecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        let scale = u32::try_from(fraction.len()).ok().and_then(|n| n.checked_add(exponent));
        let scale = scale.filter(|n| *n <= 18).ok_or(RatioFault::TooLong)?;
        if whole.trim_start_matches('0').len() + fraction.len() > Self::DIGITS_MAX {
            return Err(RatioFault::TooLong);
        }
        let numerator = format!("{whole}{fraction}").parse().map_err(|_| RatioFault::TooLong)?;
        Ok(Self { numerator, scale })
    }

    /// The same in steps of 10^-18; `None` above about 18.
    pub fn quintillionths(self) -> Option<u64> {
        let missing = 10_u64.checked_pow(18_u32.checked_sub(self.scale)?)?;
        self.numerator.checked_mul(missing)
    }

    /// What [`quintillionths`](Self::quintillionths) says, as it was.
    pub fn from_quintillionths(steps: u64) -> Self {
        let (mut numerator, mut scale) = (steps, 18);
        while scale > 0 && numerator % 10 == 0 {
            (numerator, scale) = (numerator / 10, scale - 1);
        }
        Self { numerator, scale }
    }

    pub fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// Whether this is at most one.
    pub fn is_share(self) -> bool {
        u128::from(self.numerator) <= 10_u128.pow(self.scale)
    }

    /// `floor(self × energy)`; `None` if that needs more than 64 bits.
    pub fn of(self, energy: WattHours) -> Option<WattHours> {
        let exact = u128::from(self.numerator) * u128::from(energy.0) / 10_u128.pow(self.scale);
        u64::try_from(exact).ok().map(WattHours)
    }

    /// `floor(watts × micros of time × self)` in Wh, capped at 2^64 − 1.
    pub fn of_power(self, watts: u64, micros: u64) -> WattHours {
        const MICROS_PER_HOUR: u128 = 3_600_000_000;
        let watt_micros = u128::from(watts) * u128::from(micros);
        let whole = watt_micros / MICROS_PER_HOUR;
        let rest = watt_micros % MICROS_PER_HOUR;
        let scale = 10_u128.pow(self.scale);
        let numerator = u128::from(self.numerator);
        // whole and rest apart, so that no product leaves 128 bits
        let exact = whole.saturating_mul(numerator).saturating_add(rest * numerator / MICROS_PER_HOUR) / scale;
        WattHours(u64::try_from(exact).unwrap_or(u64::MAX))
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.scale == 0 {
            return self.numerator.fmt(f);
        }
        let scale = usize::try_from(self.scale).unwrap_or(0);
        let digits = format!("{:0width$}", self.numerator, width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ratios_are_read_exactly_and_bad_ones_are_refused() {
        for (text, shown) in [
            ("0.29", "0.29"),
            ("1", "1"),
            ("1.10", "1.1"),
            ("000.5", "0.5"),
            ("2.5e-3", "0.0025"),
            ("1e-18", "0.000000000000000001"),
        ] {
            assert_eq!(Ratio::parse(text).map(|r| r.to_string()), Ok(shown.to_owned()), "{text}");
        }
        for (text, fault) in [
            ("", RatioFault::NotDecimal),
            ("-1", RatioFault::NotDecimal),
            (".5", RatioFault::NotDecimal),
            ("1e5", RatioFault::NotDecimal),
            ("NaN", RatioFault::NotDecimal),
            ("1,5", RatioFault::NotDecimal),
            ("0.1234567890123456789", RatioFault::TooLong),
            ("1e-19", RatioFault::TooLong),
            ("1234567890123456789", RatioFault::TooLong),
        ] {
            assert_eq!(Ratio::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_share_is_rounded_down_and_29_percent_of_100_is_29() {
        let share = Ratio::parse("0.29").unwrap();
        assert_eq!(share.of(WattHours(100)), Some(WattHours(29)));
        assert_eq!(Ratio::ONE.of(WattHours(u64::MAX)), Some(WattHours(u64::MAX)));
        assert_eq!(Ratio::parse("0.005").unwrap().of(WattHours(100)), Some(WattHours(0)));
    }

    #[test]
    fn a_share_reads_back_from_whole_steps() {
        for text in ["0.29", "1", "0.000000000000000001", "0.5", "0.123456789012345678"] {
            let share = Ratio::parse(text).unwrap();
            assert_eq!(share.quintillionths().map(Ratio::from_quintillionths), Some(share), "{text}");
        }
        assert_eq!(Ratio::parse("0.25").unwrap().quintillionths(), Some(250_000_000_000_000_000));
        assert_eq!(Ratio::parse("19").unwrap().quintillionths(), None);
    }

    #[test]
    fn power_times_time_times_margin_is_energy() {
        let margin = Ratio::parse("1.1").unwrap();
        assert_eq!(margin.of_power(1_000_000, 3_600_000_000), WattHours(1_100_000));
        assert_eq!(margin.of_power(3, 1_800_000_000), WattHours(1)); // 1.65 Wh, down
        assert_eq!(margin.of_power(u64::MAX, u64::MAX), WattHours(u64::MAX));
    }

    proptest! {
        #[test]
        fn a_share_never_exceeds_the_whole(energy: u64, numerator in 0..=10_u64.pow(17)) {
            let share = Ratio { numerator, scale: 17 };
            let taken = share.of(WattHours(energy)).unwrap();
            prop_assert!(taken.0 <= energy);
            prop_assert_eq!(u128::from(taken.0), u128::from(numerator) * u128::from(energy) / 10_u128.pow(17));
        }
    }
}
