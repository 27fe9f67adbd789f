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

/// Wh from a decimal number of 10^`power` Wh, rounded once, towards zero: 0 for `Wh`, 6 for `MWh`. Scientific notation, as
/// programs print it, is read exactly.
///
/// # Errors
/// The rule that the text breaks.
pub fn parse_wh(text: &str, power: i32) -> Result<i64, &'static str> {
    const NOT_A_NUMBER: &str = "must be a decimal number";
    const TOO_LARGE: &str = "must lie within ±9,000,000,000,000,000 Wh";
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| NOT_A_NUMBER)?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    if !has_digits || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(NOT_A_NUMBER);
    }
    if !(-400..=400).contains(&exponent) || whole.len() + fraction.len() > 400 {
        return Err(TOO_LARGE);
    }
    // The digits before the point, once it has been moved by the exponent.
    let places = i64::try_from(whole.len()).unwrap_or(0) + i64::from(exponent) + i64::from(power);
    let mut value: u64 = 0;
    for place in 0..places {
        let index = usize::try_from(place).unwrap_or(usize::MAX);
        let digit = whole.bytes().chain(fraction.bytes()).nth(index).unwrap_or(b'0') - b'0';
        value = value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit))).ok_or(TOO_LARGE)?;
        if value > READING_WH_MAX {
            return Err(TOO_LARGE);
        }
    }
    let value = i64::try_from(value).map_err(|_| TOO_LARGE)?;
    Ok(sign * value)
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
    fn megawatt_hours_become_watt_hours_exactly() {
        for (text, wh) in [
            ("0.074", 74_000),
            ("-15.069", -15_069_000),
            ("116.109", 116_109_000),
            ("0.0000009", 0),
            ("1.2345678", 1_234_567),
            ("-1.2345678", -1_234_567),
            ("1e-3", 1_000),
            ("25", 25_000_000),
            ("0.1", 100_000),
        ] {
            assert_eq!(parse_wh(text, 6), Ok(wh), "{text}");
        }
        for text in ["", "-", "NaN", "1,5", "0x10", "9000000001"] {
            assert!(parse_wh(text, 6).is_err(), "{text}");
        }
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
