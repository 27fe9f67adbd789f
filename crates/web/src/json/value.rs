//! One value as a client wrote it, and the readers that make something of it.
//!
//! Lenient where it is harmless; numbers are read from their text, never by way of floating point.

use crate::number;
use domain::text::{TEXT_CHARS_MAX, TextFault};
use domain::{Ratio, Role, text};
use jiff::Timestamp;
use std::borrow::Cow;

/// The rule that a value breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub kind: &'static str,
    pub msg: Cow<'static, str>,
}

pub(crate) fn rule(kind: &'static str, msg: impl Into<Cow<'static, str>>) -> Rule {
    Rule { kind, msg: msg.into() }
}

/// One value, as far as its form tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'v> {
    Null,
    Boolean(bool),
    /// As it is written.
    Number(&'v str),
    Text(Cow<'v, str>),
    /// A text with half a surrogate pair.
    NotText,
    List(&'v str),
    Object(&'v str),
}

pub(super) fn value_of(raw: &str) -> Value<'_> {
    match raw.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'[') => Value::List(raw),
        Some(b'{') => Value::Object(raw),
        Some(b'"') if !raw.contains('\\') => Value::Text(Cow::Borrowed(&raw[1..raw.len() - 1])),
        Some(b'"') => serde_json::from_str(raw).map_or(Value::NotText, |text| Value::Text(Cow::Owned(text))),
        Some(_) | None => Value::Number(raw),
    }
}

/// A whole number from `least` to `most`.
pub(crate) fn whole(least: u64, most: u64) -> impl Fn(&Value<'_>) -> Result<u64, Rule> + Copy {
    move |value| {
        let number = match value {
            Value::Number(text) => number::whole(text),
            Value::Text(text) => number::whole(text),
            _ => return Err(rule("int_type", "Input should be a valid integer")),
        };
        let number = number.map_err(|fault| match fault {
            number::Fault::NotANumber => {
                rule("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
            }
            number::Fault::Fraction => {
                rule("int_from_float", "Input should be a valid integer, got a number with a fractional part")
            }
            number::Fault::TooLarge => rule("less_than_equal", format!("Input should be less than or equal to {most}")),
        })?;
        if number < i128::from(least) {
            return Err(match least {
                1 => rule("greater_than", "Input should be greater than 0"),
                least => rule("greater_than_equal", format!("Input should be greater than or equal to {least}")),
            });
        }
        let most_rule = || rule("less_than_equal", format!("Input should be less than or equal to {most}"));
        u64::try_from(number).ok().filter(|number| *number <= most).ok_or_else(most_rule)
    }
}

/// An id: a whole number from 1.
pub(crate) fn id(value: &Value<'_>) -> Result<i64, Rule> {
    let most = i64::MAX.unsigned_abs();
    whole(1, most)(value).map(|id| i64::try_from(id).unwrap_or(i64::MAX))
}

/// A text of 1 to 200 characters without control or bidirectional ones.
pub(crate) fn text(value: &Value<'_>) -> Result<String, Rule> {
    match value {
        Value::Text(given) => checked(given),
        Value::NotText => {
            Err(rule("string_unicode", "Input should be a valid string, unable to parse raw data as a unicode string"))
        }
        _ => Err(rule("string_type", "Input should be a valid string")),
    }
}

/// As [`text`]; a number stands for its digits.
pub(crate) fn text_or_number(value: &Value<'_>) -> Result<String, Rule> {
    match value {
        Value::Number(given) => checked(given),
        value => text(value),
    }
}

fn checked(given: &str) -> Result<String, Rule> {
    text::check(given).map_err(|fault| match fault {
        TextFault::Empty => rule("string_too_short", "String should have at least 1 character"),
        TextFault::TooLong => {
            rule("string_too_long", format!("String should have at most {TEXT_CHARS_MAX} characters"))
        }
        TextFault::Forbidden => rule("value_error", format!("Value error, the text {fault}")),
    })?;
    Ok(given.to_owned())
}

/// As [`text`]; a blank one is what forms send for none.
pub(crate) fn text_or_blank(value: &Value<'_>) -> Result<Option<String>, Rule> {
    match value {
        Value::Text(given) if given.trim().is_empty() => Ok(None),
        value => text(value).map(Some),
    }
}

/// Any text of a number of characters: for secrets and what is read further.
pub(crate) fn any_text(least: usize, most: usize) -> impl Fn(&Value<'_>) -> Result<String, Rule> {
    move |value| {
        let Value::Text(given) = value else { return Err(rule("string_type", "Input should be a valid string")) };
        let length = given.chars().count();
        if length < least {
            return Err(rule("string_too_short", format!("String should have at least {least} characters")));
        }
        if length > most {
            return Err(rule("string_too_long", format!("String should have at most {most} characters")));
        }
        Ok(given.clone().into_owned())
    }
}

pub(crate) fn boolean(value: &Value<'_>) -> Result<bool, Rule> {
    let word: &str = match value {
        Value::Boolean(value) => return Ok(*value),
        Value::Number(text) => text,
        Value::Text(text) => text,
        _ => return Err(rule("bool_type", "Input should be a valid boolean")),
    };
    match word {
        "1" | "1.0" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "0.0" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err(rule("bool_parsing", "Input should be a valid boolean, unable to interpret input")),
    }
}

/// An instant; without an offset it is UTC, a bare date is its midnight.
pub(crate) fn instant(value: &Value<'_>) -> Result<Timestamp, Rule> {
    let Value::Text(text) = value else { return Err(rule("datetime_type", "Input should be a valid datetime")) };
    app::parse_instant(text, &app::ZoneOfTimes::default()).map_err(|broken| {
        rule("datetime_from_date_parsing", format!("Input should be a valid datetime or date, it {broken}"))
    })
}

/// One of a closed list of words.
pub(crate) fn word<T: Copy>(
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl Fn(&Value<'_>) -> Result<T, Rule> + Copy {
    move |value| {
        let known = match value {
            Value::Text(text) => all.iter().copied().find(|known| name(*known) == text.as_ref()),
            _ => None,
        };
        known.ok_or_else(|| {
            let names: Vec<String> = all.iter().map(|known| format!("'{}'", name(*known))).collect();
            let (last, others) = names.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
            let choice = if others.is_empty() { last.to_owned() } else { format!("{} or {last}", others.join(", ")) };
            rule("enum", format!("Input should be {choice}"))
        })
    }
}

/// What an action says of its own kind, in the words of the demonstration registry: it may, if it is right.
pub(crate) fn own_kind(action_type: &'static str) -> impl Fn(&Value<'_>) -> Result<(), Rule> {
    move |value| match value {
        Value::Text(word) if word == action_type => Ok(()),
        _ => Err(rule("value_error", "Value error, `action_type` cannot be set explicitly.")),
    }
}

/// A role by its name, or by a word that clients of the demonstration registry have for it.
pub(crate) fn role(value: &Value<'_>) -> Result<Role, Rule> {
    match value {
        Value::Text(name) if matches!(name.as_ref(), "admin" | "Admin") => Ok(Role::RegistryAdministrator),
        Value::Text(name) if name == "Audit User" => Ok(Role::Auditor),
        value => word(&Role::ALL, Role::name)(value),
    }
}

/// A share above 0 and at most 1: an exact decimal, as a number or as a text.
pub(crate) fn share(value: &Value<'_>) -> Result<Ratio, Rule> {
    let text: &str = match value {
        Value::Number(text) => text,
        Value::Text(text) => text,
        _ => return Err(rule("decimal_type", "Decimal input should be an integer, float, string or Decimal object")),
    };
    let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let ratio = Ratio::parse(text).map_err(|fault| match fault {
        domain::energy::RatioFault::NotDecimal => rule("decimal_parsing", "Input should be a valid decimal"),
        domain::energy::RatioFault::TooLong => rule(
            "decimal_max_digits",
            format!("Decimal input should have no more than {} digits in total", Ratio::DIGITS_MAX),
        ),
    })?;
    if is_negative || ratio.is_zero() {
        return Err(rule("greater_than", "Input should be greater than 0"));
    }
    if !ratio.is_share() {
        return Err(rule("less_than_equal", "Input should be less than or equal to 1"));
    }
    Ok(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_forms_mean_what_they_say() {
        for raw in ["3", "3.0", "\"3\"", "3e0"] {
            assert_eq!(id(&value_of(raw)), Ok(3), "{raw}");
        }
        for (raw, value) in [("true", true), ("1", true), ("\"false\"", false), ("0", false)] {
            assert_eq!(boolean(&value_of(raw)), Ok(value), "{raw}");
        }
        for raw in ["\"2024-01-01\"", "\"2024-01-01 00:00:00\"", "\"2024-01-01T01:00:00+01:00\""] {
            assert_eq!(
                instant(&value_of(raw)).map(|at| at.to_string()),
                Ok("2024-01-01T00:00:00Z".to_owned()),
                "{raw}"
            );
        }
        for raw in ["0.29", "\"0.29\"", "2.9e-1"] {
            assert_eq!(share(&value_of(raw)).map(|share| share.to_string()), Ok("0.29".to_owned()), "{raw}");
        }
    }

    #[test]
    fn bad_values_name_their_rule() {
        for (raw, kind) in [
            ("0", "greater_than"),
            ("-1", "greater_than"),
            ("1.5", "int_from_float"),
            ("\"x\"", "int_parsing"),
            ("true", "int_type"),
            ("[]", "int_type"),
            ("1e30", "less_than_equal"),
            ("9223372036854775808", "less_than_equal"),
        ] {
            assert_eq!(id(&value_of(raw)).map_err(|rule| rule.kind), Err(kind), "{raw}");
        }
        for (raw, kind) in [
            ("\"\"", "string_too_short"),
            ("3", "string_type"),
            (r#""a\u0000b""#, "value_error"),
            (r#""\ud800""#, "string_unicode"),
            (r#""pay\u202elap""#, "value_error"),
        ] {
            assert_eq!(text(&value_of(raw)).map_err(|rule| rule.kind), Err(kind), "{raw}");
        }
        for (raw, kind) in [
            ("0", "greater_than"),
            ("-0.5", "greater_than"),
            ("1.01", "less_than_equal"),
            ("\"half\"", "decimal_parsing"),
        ] {
            assert_eq!(share(&value_of(raw)).map_err(|rule| rule.kind), Err(kind), "{raw}");
        }
    }
}
