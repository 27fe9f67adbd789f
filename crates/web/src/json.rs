//! Reads what a client gave, member by member, and collects everything that is wrong with it.
//!
//! Lenient where it is harmless (`"3"`, `3.0`, `0`/`1` for a boolean, a space for the `T` of an instant), strict where a typo
//! would turn into a default: an unknown member is a fault. Numbers are read from their text, never by way of floating
//! point. The words of a fault are those that clients of the demonstration registry know (pydantic's).

use crate::limits::{FAULTS_MAX, JSON_DEPTH_MAX, MEMBERS_MAX};
use crate::number;
use domain::text::{TEXT_CHARS_MAX, TextFault};
use domain::{Ratio, text};
use jiff::Timestamp;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use utoipa::ToSchema;

/// What is wrong with one place of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ValidationError)]
pub(crate) struct Fault {
    /// Where: `body`, `query`, `path` or `header`, then names and places within.
    pub loc: Vec<Place>,
    /// The rule that is broken, for people.
    pub msg: String,
    /// The rule that is broken, for programs.
    pub r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Place {
    Name(String),
    Index(usize),
}

/// The rule that a value breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    kind: &'static str,
    msg: Cow<'static, str>,
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

/// The members of an object or the parameters of a query string. What nobody takes is a fault in the end.
pub(crate) struct Fields<'b> {
    origin: &'static str,
    members: Vec<(Cow<'b, str>, Given<'b>)>,
    faults: Vec<Fault>,
}

enum Given<'b> {
    Json(&'b RawValue),
    Text(Cow<'b, str>),
}

impl Given<'_> {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Json(raw) => value_of(raw.get()),
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
        }
    }
}

fn value_of(raw: &str) -> Value<'_> {
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

/// Members that only an answer carries; they say nothing in a request.
const OF_ANSWERS: [&str; 3] = ["id", "created_at", "hash"];

impl<'b> Fields<'b> {
    /// The members of a JSON object.
    ///
    /// # Errors
    /// The one fault of a text that is no object.
    pub(crate) fn of_json(bytes: &'b [u8]) -> Result<Self, Vec<Fault>> {
        let fault = |kind, msg: String| vec![Fault { loc: vec![Place::Name("body".to_owned())], msg, r#type: kind }];
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(fault("missing", "Field required".to_owned()));
        }
        if depth(bytes) > JSON_DEPTH_MAX {
            return Err(fault("json_invalid", format!("JSON decode error: deeper than {JSON_DEPTH_MAX} levels")));
        }
        let raw: &RawValue = serde_json::from_slice(bytes)
            .map_err(|error| fault("json_invalid", format!("JSON decode error: {error}")))?;
        if !raw.get().starts_with('{') {
            let text = "Input should be a valid dictionary or object to extract fields from";
            return Err(fault("model_attributes_type", text.to_owned()));
        }
        let members: Members<'b> = serde_json::from_str(raw.get())
            .map_err(|error| fault("json_invalid", format!("JSON decode error: {error}")))?;
        let members = members.0.into_iter().map(|(name, raw)| (name, Given::Json(raw)));
        Ok(Self::of_pairs("body", members))
    }

    /// The parameters of a query string or the members of a form.
    pub(crate) fn of_form(origin: &'static str, text: &'b [u8]) -> Self {
        let pairs = form_urlencoded::parse(text).take(MEMBERS_MAX + 1);
        Self::of_pairs(origin, pairs.map(|(name, value)| (name, Given::Text(value))))
    }

    fn of_pairs(origin: &'static str, pairs: impl Iterator<Item = (Cow<'b, str>, Given<'b>)>) -> Self {
        let mut fields = Self { origin, members: Vec::new(), faults: Vec::new() };
        for (name, given) in pairs {
            if fields.members.iter().any(|(known, _)| *known == name) {
                fields.fault(&name, rule("value_error", "Value error, the member is given twice"));
            } else if fields.members.len() == MEMBERS_MAX {
                fields.fault(&name, rule("too_long", format!("At most {MEMBERS_MAX} members are allowed")));
                break;
            } else {
                fields.members.push((name, given));
            }
        }
        fields
    }

    fn take(&mut self, name: &str) -> Option<Given<'b>> {
        let place = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.swap_remove(place).1)
    }

    /// Whether the member is there and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(known, given)| known == name && given.value() != Value::Null)
    }

    pub(crate) fn fault(&mut self, name: &str, rule: Rule) {
        self.fault_at(vec![Place::Name(name.to_owned())], rule);
    }

    fn fault_at(&mut self, within: Vec<Place>, rule: Rule) {
        let mut loc = vec![Place::Name(self.origin.to_owned())];
        loc.extend(within);
        self.faults.push(Fault { loc, msg: rule.msg.into_owned(), r#type: rule.kind });
    }

    /// A value that must be there. `None` is a fault, which is noted.
    pub(crate) fn required<T>(&mut self, name: &str, read: impl FnOnce(&Value<'_>) -> Result<T, Rule>) -> Option<T> {
        match self.take(name) {
            None => {
                self.fault(name, rule("missing", "Field required"));
                None
            }
            Some(given) => self.noted(name, read(&given.value())),
        }
    }

    /// A value that may be absent or null. A fault is noted.
    pub(crate) fn optional<T>(&mut self, name: &str, read: impl FnOnce(&Value<'_>) -> Result<T, Rule>) -> Option<T> {
        let given = self.take(name)?;
        match given.value() {
            Value::Null => None,
            value => self.noted(name, read(&value)),
        }
    }

    /// A value that was read elsewhere. A fault is noted.
    pub(crate) fn given<T>(&mut self, name: &str, read: Result<T, Rule>) -> Option<T> {
        self.noted(name, read)
    }

    fn noted<T>(&mut self, name: &str, read: Result<T, Rule>) -> Option<T> {
        read.map_err(|rule| self.fault(name, rule)).ok()
    }

    /// A list of at least `least` and at most `most` entries. Faults of entries are noted with their places.
    pub(crate) fn optional_list<T>(
        &mut self,
        name: &str,
        (least, most): (usize, usize),
        read: impl Fn(&Value<'_>) -> Result<T, Rule>,
    ) -> Option<Vec<T>> {
        if !self.has(name) {
            self.take(name);
            return None;
        }
        self.required_list(name, (least, most), read)
    }

    pub(crate) fn required_list<T>(
        &mut self,
        name: &str,
        (least, most): (usize, usize),
        read: impl Fn(&Value<'_>) -> Result<T, Rule>,
    ) -> Option<Vec<T>> {
        let Some(given) = self.take(name) else {
            self.fault(name, rule("missing", "Field required"));
            return None;
        };
        let value = given.value();
        let entries: Option<Vec<&RawValue>> = match &value {
            Value::List(raw) => serde_json::from_str(raw).ok(),
            _ => None,
        };
        let Some(entries) = entries else {
            self.fault(name, rule("list_type", "Input should be a valid list"));
            return None;
        };
        let count = entries.len();
        if count < least {
            let msg = format!("List should have at least {least} item after validation, not {count}");
            self.fault(name, rule("too_short", msg));
            return None;
        }
        if count > most {
            let msg = format!("List should have at most {most} items after validation, not {count}");
            self.fault(name, rule("too_long", msg));
            return None;
        }
        let mut found = Vec::with_capacity(count);
        for (place, entry) in entries.into_iter().enumerate() {
            match read(&value_of(entry.get())) {
                Ok(value) => found.push(value),
                Err(rule) => self.fault_at(vec![Place::Name(name.to_owned()), Place::Index(place)], rule),
            }
        }
        (found.len() == count).then_some(found)
    }

    /// A list of ids without repetition.
    pub(crate) fn ids(&mut self, name: &str, bounds: (usize, usize)) -> Option<Vec<i64>> {
        let ids = self.required_list(name, bounds, id)?;
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        let repeated = sorted.iter().zip(sorted.iter().skip(1)).find(|(one, next)| one == next);
        if let Some((id, _)) = repeated {
            self.fault(name, rule("value_error", format!("Value error, {id} is given twice")));
            return None;
        }
        Some(ids)
    }

    /// One value or a list of them.
    pub(crate) fn one_or_list<T>(
        &mut self,
        name: &str,
        most: usize,
        read: impl Fn(&Value<'_>) -> Result<T, Rule>,
    ) -> Option<Vec<T>> {
        let is_list =
            self.members.iter().any(|(known, given)| known == name && matches!(given.value(), Value::List(_)));
        if is_list {
            return self.required_list(name, (1, most), read);
        }
        self.optional(name, read).map(|value| vec![value])
    }

    /// The members of an object that stands in this one, in the order of the text, each with its value.
    pub(crate) fn optional_object<T>(
        &mut self,
        name: &str,
        most: usize,
        mut read: impl FnMut(&str, &Value<'_>) -> Result<T, Rule>,
    ) -> Option<Vec<T>> {
        let given = self.take(name)?;
        let value = given.value();
        if value == Value::Null {
            return None;
        }
        let members: Option<Members<'_>> = match &value {
            Value::Object(raw) => serde_json::from_str(raw).ok(),
            _ => None,
        };
        let Some(Members(members)) = members else {
            self.fault(name, rule("dict_type", "Input should be a valid dictionary"));
            return None;
        };
        if members.is_empty() || members.len() > most {
            self.fault(name, rule("too_long", format!("Dictionary should have 1 to {most} items")));
            return None;
        }
        let (mut found, count) = (Vec::with_capacity(members.len()), members.len());
        for (member, raw) in members {
            match read(&member, &value_of(raw.get())) {
                Ok(value) => found.push(value),
                Err(rule) => {
                    let member: String = member.chars().take(TEXT_CHARS_MAX).collect();
                    self.fault_at(vec![Place::Name(name.to_owned()), Place::Name(member)], rule);
                }
            }
        }
        (found.len() == count).then_some(found)
    }

    /// Passes over members that say nothing in this request.
    pub(crate) fn pass_over(&mut self, names: &[&str]) {
        for name in names {
            self.take(name);
        }
    }

    /// Passes over members that belong to a sibling of this request, as long as they are null.
    pub(crate) fn pass_over_nulls(&mut self, names: &[&str]) {
        for name in names {
            if !self.has(name) {
                self.take(name);
            }
        }
    }

    /// All faults, those of members that nobody took among them.
    pub(crate) fn finish(mut self) -> Result<(), Vec<Fault>> {
        if self.origin == "body" {
            self.pass_over(&OF_ANSWERS);
            if self.optional("is_deleted", boolean) == Some(true) {
                self.fault("is_deleted", rule("value_error", "Value error, nothing is born deleted"));
            }
        }
        let left: Vec<String> =
            self.members.iter().map(|(name, _)| name.chars().take(TEXT_CHARS_MAX).collect()).collect();
        for name in left {
            self.fault(&name, rule("extra_forbidden", "Extra inputs are not permitted"));
        }
        self.faults.truncate(FAULTS_MAX);
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }
}

/// The members of an object in the order of the text, repetitions included.
struct Members<'b>(Vec<(Cow<'b, str>, &'b RawValue)>);

impl<'de: 'b, 'b> Deserialize<'de> for Members<'b> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((Cow::Owned(name), raw));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Pairs).map(Members)
    }
}

/// How deep arrays and objects stand in each other.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut is_escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

// ── Readers of one value ────────────────────────────────────────────────────

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

    fn kinds(body: &str, read: impl FnOnce(&mut Fields<'_>)) -> Vec<(String, &'static str)> {
        let mut fields = match Fields::of_json(body.as_bytes()) {
            Ok(fields) => fields,
            Err(faults) => return shown(faults),
        };
        read(&mut fields);
        fields.finish().map_or_else(shown, |()| Vec::new())
    }

    fn shown(faults: Vec<Fault>) -> Vec<(String, &'static str)> {
        let name = |place: Place| match place {
            Place::Name(name) => name,
            Place::Index(index) => index.to_string(),
        };
        faults
            .into_iter()
            .map(|fault| (fault.loc.into_iter().map(name).collect::<Vec<_>>().join("."), fault.r#type))
            .collect()
    }

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

    #[test]
    fn all_faults_are_told_at_once() {
        let body = r#"{"a": "x", "list": [1, "y", 0], "typo": 1, "a": 2, "id": 7, "is_deleted": false}"#;
        let found = kinds(body, |fields| {
            fields.required("a", id);
            fields.required("b", id);
            fields.required_list("list", (1, 10), id);
        });
        let expected = [
            ("body.a", "value_error"),
            ("body.a", "int_parsing"),
            ("body.b", "missing"),
            ("body.list.1", "int_parsing"),
            ("body.list.2", "greater_than"),
            ("body.typo", "extra_forbidden"),
        ];
        assert_eq!(found, expected.map(|(loc, kind)| (loc.to_owned(), kind)));
    }

    #[test]
    fn what_is_no_object_is_one_fault() {
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        for (body, kind) in [
            ("", "missing"),
            ("  ", "missing"),
            ("{", "json_invalid"),
            ("{\"a\":1,}", "json_invalid"),
            ("[]", "model_attributes_type"),
            ("3", "model_attributes_type"),
            (deep.as_str(), "json_invalid"),
        ] {
            assert_eq!(kinds(body, |_| ()), [("body".to_owned(), kind)], "{body}");
        }
        assert_eq!(depth(br#"{"a":"[[[[\"[","b":[{}]}"#), 3);
    }
}
