//! Reading one value of a setting. Errors are the rule alone: "must be …".

use super::LogFormat;
use app::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Url};
use domain::{Ratio, WattHours};
use jiff::SignedDuration;
use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;

/// The longest that a sign-in may last: 30 days.
pub(super) const TOKEN_MINUTES_MAX: i64 = 43_200;
/// The longest period that a certificate query may be allowed: ten years.
pub(super) const QUERY_DAYS_MAX: u16 = 3_660;

/// The longest pause between two scheduled fetches: four weeks.
pub(super) const ELEXON_HOURS_MAX: u16 = 672;
/// The furthest that a scheduled fetch looks back: beyond the last settlement run.
pub(super) const ELEXON_DAYS_MAX: u16 = 900;

const MICROS_PER_HOUR: u64 = 3_600_000_000;
const MICROS_PER_MINUTE: u64 = 60_000_000;

pub(super) fn whole<T: Copy + FromStr + PartialOrd + Display>(text: &str, least: T, most: T) -> Result<T, String> {
    let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let rule = || "must be an address and a port, such as 127.0.0.1:8000 or [::1]:8000".to_owned();
    text.trim().parse().map_err(|_| rule())
}

/// Without the slashes at its end. Nothing in it may change what is asked of it.
pub(super) fn web_address(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/[]".contains(&byte))
    };
    if rest.is_some_and(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("must be an address such as https://data.elexon.co.uk/bmrs/api/v1".to_owned())
    }
}

pub(super) fn database(text: &str) -> Result<Url, String> {
    Url::parse(text).map_err(|error| error.to_string())
}

pub(super) fn text(text: &str) -> Result<String, String> {
    domain::text::check(text).map_err(|fault| fault.to_string())?;
    Ok(text.trim().to_owned())
}

pub(crate) fn password(text: &str) -> Result<String, String> {
    let rule = || format!("must have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters");
    let is_right = (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&text.chars().count());
    if is_right { Ok(text.to_owned()) } else { Err(rule()) }
}

/// Hours as a decimal: above 0, at most 1, at least a minute.
pub(super) fn granularity(text: &str) -> Result<SignedDuration, String> {
    let rule = || "must be a decimal number of hours, at most 1 and at least a minute (0.0167)".to_owned();
    let hours = Ratio::parse(text.trim()).map_err(|_| rule())?;
    if !hours.is_share() {
        return Err(rule());
    }
    // A share of an hour, counted in microseconds instead of watt-hours.
    let micros = hours.of(WattHours(MICROS_PER_HOUR)).map_or(0, |share| share.0);
    if micros < MICROS_PER_MINUTE {
        return Err(rule());
    }
    i64::try_from(micros).map(SignedDuration::from_micros).map_err(|_| rule())
}

pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// A decimal of at least 1.
pub(super) fn margin(text: &str) -> Result<Ratio, String> {
    let rule = || "must be a decimal number of at least 1, such as 1.1".to_owned();
    let margin = Ratio::parse(text.trim()).map_err(|_| rule())?;
    let (numerator, denominator) = fraction_of(margin);
    if numerator < denominator { Err(rule()) } else { Ok(margin) }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json".to_owned()),
    }
}

/// The numerator and the denominator of an exact decimal; its 18 digits fit both.
pub(crate) fn fraction_of(ratio: Ratio) -> (u64, u64) {
    let text = ratio.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let numerator = format!("{whole}{fraction}").parse().expect("a ratio has at most 18 digits");
    let scale = u32::try_from(fraction.len()).expect("a ratio has at most 18 digits");
    (numerator, 10_u64.pow(scale))
}
