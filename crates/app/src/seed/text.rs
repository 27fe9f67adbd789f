//! Values as a seed's database holds them, read into values of the registry. What had to be done to one is told.

use crate::import::parse_energy;
use domain::text::{TEXT_CHARS_MAX, TextFault, check};
use domain::{BundleStatus, EnergySource, Role, Roles};
use jiff::Timestamp;

/// The first second of the year 3000.
const YEAR_3000: i64 = 32_503_680_000;

/// A text as the registry keeps it: one line of at most 200 characters; `default` where there is none.
pub(super) fn text(field: &str, raw: Option<&str>, default: &str, repairs: &mut Vec<String>) -> String {
    optional_text(field, raw, repairs).unwrap_or_else(|| {
        repairs.push(format!("{field} is missing: {default}"));
        default.to_owned()
    })
}

pub(super) fn optional_text(field: &str, raw: Option<&str>, repairs: &mut Vec<String>) -> Option<String> {
    let raw = raw.map(str::trim).filter(|text| !text.is_empty())?;
    match check(raw) {
        Ok(()) => return Some(raw.to_owned()),
        Err(fault) => repairs.push(format!("{field} {fault}: it was shortened or cleaned")),
    }
    // behind a letter, as a space alone would be blank
    let is_forbidden = |c: char| check(&format!("x{c}")) == Err(TextFault::Forbidden);
    let clean: String = raw.chars().map(|c| if is_forbidden(c) { ' ' } else { c }).take(TEXT_CHARS_MAX).collect();
    Some(clean.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A whole number from a decimal one, rounded towards zero; `None` if it is none, or too large.
pub(super) fn whole(field: &str, raw: Option<&str>, repairs: &mut Vec<String>) -> Option<i64> {
    let raw = raw?.trim();
    let value = parse_energy(raw).ok()?;
    if has_fraction(raw) {
        repairs.push(format!("{field} {raw} became {value}"));
    }
    Some(value)
}

/// Of a text that is a decimal number.
fn has_fraction(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let places = i64::try_from(fraction.trim_end_matches('0').len()).unwrap_or(i64::MAX);
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let digits = whole.trim_start_matches(['-', '+', '0']);
    let zeros = if places == 0 { digits.len() - digits.trim_end_matches('0').len() } else { 0 };
    let is_zero = digits.is_empty() && places == 0;
    !is_zero && places - exponent > i64::try_from(zeros).unwrap_or(0)
}

/// An instant of microseconds, if it lies between 1970 and 3000.
pub(super) fn instant(micros: Option<i64>) -> Option<Timestamp> {
    let at = Timestamp::from_microsecond(micros?).ok()?;
    (0..YEAR_3000).contains(&at.as_second()).then_some(at)
}

/// The roles of a JSON list of names, or of one.
pub(super) fn roles(raw: Option<&str>, repairs: &mut Vec<String>) -> Roles {
    let mut found = Vec::new();
    for name in words(raw) {
        match role(&name) {
            Some(role) => found.push(role),
            None => repairs.push(format!("the role {name:?} is not known and was left out")),
        }
    }
    Roles::of(&found)
}

fn role(name: &str) -> Option<Role> {
    Some(match letters(name).as_str() {
        "admin" | "administrator" | "registryadministrator" => Role::RegistryAdministrator,
        "gcissuer" | "issuer" => Role::GcIssuer,
        "productionregistrar" | "registrar" => Role::ProductionRegistrar,
        "measurementbody" => Role::MeasurementBody,
        "tradinguser" | "trader" | "accountholder" => Role::TradingUser,
        "productionuser" | "producer" => Role::ProductionUser,
        "audituser" | "auditor" | "audit" => Role::Auditor,
        _ => return None,
    })
}

pub(super) fn status(raw: Option<&str>) -> Option<BundleStatus> {
    let wanted = letters(raw?);
    BundleStatus::ALL.iter().copied().find(|status| letters(status.name()) == wanted)
}

pub(super) fn energy_source(raw: Option<&str>, repairs: &mut Vec<String>) -> EnergySource {
    let wanted = letters(raw.unwrap_or_default());
    let found = EnergySource::ALL.iter().copied().find(|source| letters(source.name()) == wanted);
    let solar = (wanted == "solar").then_some(EnergySource::SolarPv);
    found.or(solar).unwrap_or_else(|| {
        repairs.push(format!("the energy source {:?} is not known: other", raw.unwrap_or_default()));
        EnergySource::Other
    })
}

/// The ids of a JSON list of numbers, or of texts that are numbers.
pub(super) fn ids(raw: Option<&str>) -> Vec<i64> {
    words(raw).iter().filter_map(|word| word.parse().ok()).collect()
}

/// Letters and digits alone, in lower case: `BUNDLE_SPLIT` and `Bundle Split` are one word.
pub(super) fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn words(raw: Option<&str>) -> Vec<String> {
    let word = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match raw.and_then(|raw| serde_json::from_str(raw).ok()) {
        Some(serde_json::Value::Array(values)) => values.iter().filter_map(word).collect(),
        Some(single) => word(&single).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_whole_and_only_a_fraction_is_told() {
        for (raw, value, told) in [
            ("100", Some(100), false),
            ("100.0", Some(100), false),
            ("100.9", Some(100), true),
            ("-0.5", Some(0), true),
            ("1e+06", Some(1_000_000), false),
            ("1.5e1", Some(15), false),
            ("1.55e1", Some(15), true),
            ("1500e-2", Some(15), false),
            ("150e-2", Some(1), true),
            ("0", Some(0), false),
            ("NaN", None, false),
            ("Infinity", None, false),
        ] {
            let mut repairs = Vec::new();
            assert_eq!(whole("x", Some(raw), &mut repairs), value, "{raw}");
            assert_eq!(!repairs.is_empty(), told, "{raw}");
        }
    }

    #[test]
    fn texts_are_cleaned_and_missing_ones_have_a_default() {
        for (raw, text_now, told) in [
            (Some(" Wind farm "), "Wind farm", false),
            (None, "unknown", true),
            (Some("  "), "unknown", true),
            (Some("two\nlines"), "two lines", true),
            (Some("\u{202E}"), "unknown", true),
        ] {
            let mut repairs = Vec::new();
            assert_eq!(text("name", raw, "unknown", &mut repairs), text_now, "{raw:?}");
            assert_eq!(!repairs.is_empty(), told, "{raw:?}: {repairs:?}");
        }
        let long = text("name", Some(&"é".repeat(300)), "unknown", &mut Vec::new());
        assert_eq!(long.chars().count(), TEXT_CHARS_MAX);
    }

    #[test]
    fn words_of_the_seed_are_known_however_they_are_written() {
        for (raw, known) in [
            ("ACTIVE", Some(BundleStatus::Active)),
            ("Active", Some(BundleStatus::Active)),
            ("BUNDLE_SPLIT", Some(BundleStatus::Split)),
            ("Bundle Split", Some(BundleStatus::Split)),
            ("gone", None),
        ] {
            assert_eq!(status(Some(raw)), known, "{raw}");
        }
        let mut repairs = Vec::new();
        let found = roles(Some(r#"["GC Issuer", "TRADING_USER", "Emperor"]"#), &mut repairs);
        assert_eq!(found, Roles::of(&[Role::GcIssuer, Role::TradingUser]));
        assert_eq!(repairs, ["the role \"Emperor\" is not known and was left out"]);
        assert_eq!(roles(Some(r#""ADMIN""#), &mut repairs), Roles::of(&[Role::RegistryAdministrator]));
        assert_eq!(ids(Some(r#"[1, "2", null, "x"]"#)), [1, 2]);
    }
}
