//! Numbers, energies and times as people read them. Invariant: nothing is rounded that is not shown exactly beside it, as
//! the title of what was rounded.

use askama::{FastWritable, Values};
use domain::{BundleStatus, EnergySource, WattHours};
use jiff::{Timestamp, tz::TimeZone};
use std::fmt;

/// A number with a comma between its thousands.
pub(crate) fn thousands(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        text.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Units and what one of them is in the smallest. From the second on a number is shown with three decimals.
type Units = [(&'static str, u128); 5];
const ENERGY: Units =
    [("Wh", 1), ("kWh", 1_000), ("MWh", 1_000_000), ("GWh", 1_000_000_000), ("TWh", 1_000_000_000_000)];
const POWER: Units = [("W", 1), ("kW", 1_000), ("MW", 1_000_000), ("GW", 1_000_000_000), ("TW", 1_000_000_000_000)];

/// The amount in the largest unit of which it is at least one, rounded half up to three decimals.
fn in_units(amount: u128, units: &Units) -> String {
    let (name, size) = units.iter().rev().find(|(_, size)| amount >= *size).unwrap_or(&units[0]);
    if *size == 1 {
        return format!("{amount} {name}");
    }
    let thousandth = size / 1_000;
    let rounded = (amount + thousandth / 2) / thousandth;
    let whole = thousands(i128::try_from(rounded / 1_000).unwrap_or(i128::MAX));
    let rest = format!("{:03}", rounded % 1_000);
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { format!("{whole} {name}") } else { format!("{whole}.{rest} {name}") }
}

/// An energy in the unit that fits, with its exact Wh as a title.
pub(crate) fn energy(energy: WattHours) -> Markup {
    let exact = thousands(energy.0);
    Markup(format!("<data value=\"{}\" title=\"{exact} Wh\">{}</data>", energy.0, in_units(energy.0.into(), &ENERGY)))
}

/// As [`energy`], as plain text.
pub(crate) fn energy_text(energy: WattHours) -> String {
    in_units(energy.0.into(), &ENERGY)
}

/// An energy with every digit that it has: in `MWh` from one on, as it is traded.
pub(crate) fn exact(energy: WattHours) -> String {
    let (name, size, decimals) = match energy.0 {
        0..1_000 => return format!("{} Wh", energy.0),
        1_000..1_000_000 => ("kWh", 1_000, 3),
        _ => ("MWh", 1_000_000, 6),
    };
    let rest = format!("{:0decimals$}", energy.0 % size);
    let rest = rest.trim_end_matches('0');
    let point = if rest.is_empty() { "" } else { "." };
    format!("{}{point}{rest} {name}", thousands(energy.0 / size))
}

/// As [`energy`], with three decimals in the unit that fits the largest of a column, so that its numbers stand in line;
/// what would be nothing in that unit keeps its own.
pub(crate) fn energy_beside(energy: WattHours, largest: WattHours) -> Markup {
    let (name, size) = ENERGY.iter().rev().find(|(_, size)| u128::from(largest.0) >= *size).unwrap_or(&ENERGY[0]);
    let thousandths = (u128::from(energy.0) * 1_000 + size / 2) / size;
    if *size == 1 || thousandths == 0 {
        return self::energy(energy);
    }
    let (whole, exact) = (thousands(i128::try_from(thousandths / 1_000).unwrap_or(i128::MAX)), thousands(energy.0));
    let rest = thousandths % 1_000;
    Markup(format!("<data value=\"{}\" title=\"{exact} Wh\">{whole}.{rest:03} {name}</data>", energy.0))
}

/// A power of whole W in the unit that fits, with its exact W as a title.
pub(crate) fn power(watts: u64) -> Markup {
    let exact = thousands(watts);
    Markup(format!("<data value=\"{watts}\" title=\"{exact} W\">{}</data>", in_units(watts.into(), &POWER)))
}

/// An instant in UTC, to the minute unless it has seconds. A script adds the visitor's local time beside it.
pub(crate) fn instant(at: Timestamp) -> Markup {
    Markup(format!("<time datetime=\"{at}\">{}</time>", instant_text(at)))
}

pub(crate) fn instant_text(at: Timestamp) -> String {
    let format = if at.as_second() % 60 == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    at.strftime(format).to_string()
}

/// From an instant to an instant; the day of the second only if it is another one. A day ends at 24:00.
pub(crate) fn interval(from: Timestamp, to: Timestamp) -> Markup {
    Markup(format!(
        "<time datetime=\"{from}\">{}</time>–<time datetime=\"{to}\" data-end>{}</time>",
        instant_text(from),
        end_text(from, to)
    ))
}

/// As [`interval`], as plain text.
pub(crate) fn interval_text(from: Timestamp, to: Timestamp) -> String {
    format!("{}–{}", instant_text(from), end_text(from, to))
}

fn end_text(from: Timestamp, to: Timestamp) -> String {
    let day = |at: Timestamp| at.to_zoned_datetime(TimeZone::UTC).date();
    let is_midnight = to.as_second() % 86_400 == 0 && day(from).tomorrow().is_ok_and(|next| next == day(to));
    match (day(from) == day(to), is_midnight) {
        (true, _) => to.strftime("%H:%M").to_string(),
        (false, true) => "24:00".to_owned(),
        (false, false) => instant_text(to),
    }
}

/// What energy is made from, as people say it.
pub(crate) const fn source(source: EnergySource) -> &'static str {
    match source {
        EnergySource::SolarPv => "Solar PV",
        EnergySource::Wind => "Wind",
        EnergySource::Hydro => "Hydro",
        EnergySource::Biomass => "Biomass",
        EnergySource::Nuclear => "Nuclear",
        EnergySource::Electrolysis => "Electrolysis",
        EnergySource::Geothermal => "Geothermal",
        EnergySource::BatteryStorage => "Battery storage",
        EnergySource::Chp => "CHP",
        EnergySource::Gas => "Gas",
        EnergySource::Oil => "Oil",
        EnergySource::Coal => "Coal",
        EnergySource::Other => "Other",
    }
}

/// The class of the tag that names a state.
pub(crate) const fn tone(status: BundleStatus) -> &'static str {
    match status {
        BundleStatus::Active => "good",
        BundleStatus::Locked | BundleStatus::Reserved => "warn",
        BundleStatus::Withdrawn => "bad",
        BundleStatus::Cancelled | BundleStatus::Claimed | BundleStatus::Expired | BundleStatus::Split => "",
    }
}

/// The plural of a noun unless there is one.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let shown = thousands(i128::try_from(number).unwrap_or(i128::MAX));
    if number == 1 { format!("{shown} {noun}") } else { format!("{shown} {noun}s") }
}

/// Markup of ours: holds numbers, times and fixed texts only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Markup(String);

impl Markup {
    /// Of a text that is part of the program.
    pub(crate) fn of_ours(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FastWritable for Markup {
    fn write_into(&self, to: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        to.write_str(&self.0)?;
        Ok(())
    }
}

impl askama::filters::HtmlSafe for Markup {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, expected) in
            [(0_i64, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "−1,234,567"), (10_000_000, "10,000,000")]
        {
            assert_eq!(thousands(number), expected);
        }
    }

    #[test]
    fn energy_has_the_unit_that_fits_and_says_what_it_is_exactly() {
        for (wh, expected) in [
            (0, "0 Wh"),
            (999, "999 Wh"),
            (1_000, "1 kWh"),
            (1_500, "1.5 kWh"),
            (999_999, "999.999 kWh"),
            (31_000_000, "31 MWh"),
            (31_234_567, "31.235 MWh"),
            (1_999_999_999, "2 GWh"),
            (12_345_678_000_000_000, "12,345.678 TWh"),
        ] {
            assert_eq!(energy_text(WattHours(wh)), expected, "{wh}");
        }
        let shown = energy(WattHours(31_234_567)).to_string();
        assert_eq!(shown, "<data value=\"31234567\" title=\"31,234,567 Wh\">31.235 MWh</data>");
        assert_eq!(power(12_600_000).to_string(), "<data value=\"12600000\" title=\"12,600,000 W\">12.6 MW</data>");
    }

    #[test]
    fn energies_of_a_column_stand_in_line() {
        let largest = WattHours(12_800_000);
        for (wh, expected) in [
            (12_800_000, ">12.800 MWh<"),
            (144_000, ">0.144 MWh<"),
            (500, ">0.001 MWh<"),
            (499, ">499 Wh<"),
            (0, ">0 Wh<"),
        ] {
            let shown = energy_beside(WattHours(wh), largest).to_string();
            assert!(shown.contains(expected), "{wh}: {shown}");
        }
        assert!(energy_beside(WattHours(7), WattHours(999)).to_string().contains(">7 Wh<"));
    }

    #[test]
    fn an_exact_energy_keeps_every_digit() {
        for (wh, expected) in [
            (0, "0 Wh"),
            (999, "999 Wh"),
            (1_001, "1.001 kWh"),
            (12_000, "12 kWh"),
            (1_000_000, "1 MWh"),
            (2_493_764_001, "2,493.764001 MWh"),
            (u64::MAX, "18,446,744,073,709.551615 MWh"),
        ] {
            assert_eq!(exact(WattHours(wh)), expected, "{wh}");
        }
    }

    #[test]
    fn times_are_in_utc() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let hour = interval(at("2026-03-01T23:00Z"), at("2026-03-02T00:00Z")).to_string();
        assert!(hour.contains(">2026-03-01 23:00</time>–") && hour.contains(">24:00</time>"), "{hour}");
        let days = interval(at("2026-03-01T23:00Z"), at("2026-03-02T01:00Z")).to_string();
        assert!(days.contains(">2026-03-02 01:00</time>"), "{days}");
        let hour = interval(at("2026-03-01T22:00Z"), at("2026-03-01T23:00Z")).to_string();
        assert!(hour.contains(">2026-03-01 22:00</time>–") && hour.contains(">23:00</time>"), "{hour}");
        assert_eq!(instant_text(at("2026-03-01T22:00:07.5Z")), "2026-03-01 22:00:07");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!((count(1, "bundle").as_str(), count(1_200, "bundle").as_str()), ("1 bundle", "1,200 bundles"));
    }
}
