//! Reads what a client gave, member by member, and collects everything that is wrong with it.
//!
//! Lenient where it is harmless (`"3"`, `3.0`, `0`/`1` for a boolean, a space for the `T` of an instant), strict where a typo
//! would turn into a default: an unknown member is a fault. Numbers are read from their text, never by way of floating
//! point. The words of a fault are those that clients of the demonstration registry know (pydantic's).

mod value;

use crate::limits::{FAULTS_MAX, JSON_DEPTH_MAX, MEMBERS_MAX};
use domain::action::Edit;
use domain::text::TEXT_CHARS_MAX;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use utoipa::ToSchema;
use value::value_of;

pub(crate) use value::{
    Rule, Value, any_text, boolean, id, instant, own_kind, role, rule, share, text, text_or_blank, text_or_number,
    whole, word,
};

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

    /// Whether nothing is wrong so far: what members are together is looked at only then.
    pub(crate) fn is_sound(&self) -> bool {
        self.faults.is_empty()
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

    /// A value that goes by two names, and may be given under one of them.
    pub(crate) fn optional_either<T>(
        &mut self,
        [name, other]: [&str; 2],
        read: impl FnOnce(&Value<'_>) -> Result<T, Rule>,
    ) -> Option<T> {
        if self.has(name) {
            return self.optional(name, read);
        }
        self.take(name);
        self.optional(other, read)
    }

    /// What becomes of a value that may be absent: a member that is not there leaves it, null clears it.
    pub(crate) fn edit<T>(&mut self, name: &str, read: impl FnOnce(&Value<'_>) -> Result<T, Rule>) -> Edit<T> {
        let Some(given) = self.take(name) else { return Edit::Keep };
        match given.value() {
            Value::Null => Edit::Clear,
            value => self.noted(name, read(&value)).map_or(Edit::Keep, Edit::Set),
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
    fn an_absent_member_keeps_and_null_clears() {
        let body = r#"{"set": "x", "clear": null, "wrong": 3}"#;
        let mut fields = Fields::of_json(body.as_bytes()).unwrap();
        let mut edit = |name: &str| fields.edit(name, text);
        let (set, clear, keep, wrong) = (edit("set"), edit("clear"), edit("keep"), edit("wrong"));
        assert_eq!((set, clear, keep, wrong), (Edit::Set("x".to_owned()), Edit::Clear, Edit::Keep, Edit::Keep));
        assert_eq!(shown(fields.finish().unwrap_err()), [("body.wrong".to_owned(), "string_type")]);
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
