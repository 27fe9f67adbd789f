//! What a visitor's browser sends: the fields of a form, and the parameters of an address.
//!
//! Invariant: a [`Form`] is only ever one that carries its visitor's proof, so that no other site can make a browser
//! change anything.

use crate::limits::{FORM_ARRIVES_IN, FORM_BYTES_MAX, FORM_FIELDS_MAX};
use crate::visitor::{Visitor, is_from_elsewhere};
use crate::words::Refused;
use crate::{Failure, Ui};
use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{Timestamp, ToSpan as _, civil, tz::TimeZone};
use rand::RngExt as _;
use serde_json::{Map, Value};

/// The name of the field that carries the visitor's proof.
pub(crate) const PROOF: &str = "proof";
/// The name of the field that makes a form safe to send twice: its value is new each time the form is shown.
pub(crate) const ONCE: &str = "once";

/// Names and values in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

/// A form of this visitor.
pub(crate) struct Form {
    pub visitor: Visitor,
    pub fields: Fields,
}

/// One field as `form_fields.html` shows it.
pub(crate) struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub help: &'static str,
    pub value: String,
    pub fault: Option<String>,
    pub is_needed: bool,
    pub is_number: bool,
    /// Value and text of each choice; of a free text there are none.
    pub choices: Vec<(String, String)>,
}

/// The parameters of the address.
pub(crate) struct Parameters(pub Fields);

impl FromRequest<Ui> for Form {
    type Rejection = Failure;

    async fn from_request(request: Request, ui: &Ui) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, ui).await?;
        if is_from_elsewhere(&parts.headers) {
            return Err(Failure::Forged);
        }
        let fields = read(Request::from_parts(parts, body)).await?;
        if !fields.get(PROOF).is_some_and(|proof| visitor.has_proof(proof)) {
            return Err(Failure::Forged);
        }
        Ok(Self { visitor, fields })
    }
}

impl FromRequestParts<Ui> for Parameters {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Ui) -> Result<Self, Failure> {
        Ok(Self(Fields::of(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}

/// A value for [`ONCE`].
pub(crate) fn once() -> String {
    let random: [u8; 16] = rand::rng().random();
    URL_SAFE_NO_PAD.encode(random)
}

/// A day, or an instant; the last of a period is its whole day.
pub(crate) fn instant(text: &str, is_last: bool) -> Option<Timestamp> {
    let Ok(day) = civil::Date::strptime("%Y-%m-%d", text) else { return text.parse().ok() };
    let day = if is_last { day.checked_add(1.day()).ok()? } else { day };
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()
}

/// What is wrong with a member: with its shape, or by a rule that names it.
pub(crate) fn fault_of(refused: &Refused, name: &str) -> Option<String> {
    let of_rule = refused.members.get("field").and_then(Value::as_str) == Some(name);
    refused.fault(name).map(str::to_owned).or_else(|| of_rule.then(|| refused.detail.clone()))
}

/// The fields of any form, whoever sent it.
pub(crate) async fn read(request: Request) -> Result<Fields, Failure> {
    let body = tokio::time::timeout(FORM_ARRIVES_IN, to_bytes(request.into_body(), FORM_BYTES_MAX)).await;
    let bytes = body.map_err(|_| Failure::TooSlow)?.map_err(|_| Failure::TooLarge)?;
    let fields = Fields::of(&bytes);
    if fields.0.len() > FORM_FIELDS_MAX { Err(Failure::TooLarge) } else { Ok(fields) }
}

impl Fields {
    pub(crate) fn of(encoded: &[u8]) -> Self {
        let most = FORM_FIELDS_MAX + 1;
        Self(form_urlencoded::parse(encoded).take(most).map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The first value of this name without the white space around it; `None` if it is empty or not there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The first value as it was sent: for passwords.
    pub(crate) fn exact(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// All values of this name that are not empty.
    pub(crate) fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        let values = self.0.iter().filter(move |(of, _)| of == name).map(|(_, value)| value.trim());
        values.filter(|value| !value.is_empty())
    }

    /// A number, if it is one.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// The members of a JSON object as the API reads them, where a field that is empty is absent.
    pub(crate) fn json(&self, names: &[&str]) -> Map<String, Value> {
        names.iter().filter_map(|name| Some(((*name).to_owned(), Value::from(self.get(name)?)))).collect()
    }

    /// The address of these parameters with one of them changed; `None` takes it away.
    pub(crate) fn with(&self, name: &str, value: Option<&str>) -> String {
        let mut made = form_urlencoded::Serializer::new(String::new());
        made.extend_pairs(self.0.iter().filter(|(of, value)| of != name && !value.is_empty()));
        if let Some(value) = value {
            made.append_pair(name, value);
        }
        made.finish()
    }
}

impl IntoIterator for Fields {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<(String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_are_meant() {
        let fields = Fields::of(b"a=+1+&b=&c=x&c=y&c=&d=%20");
        assert_eq!((fields.get("a"), fields.number("a"), fields.exact("a")), (Some("1"), Some(1), Some(" 1 ")));
        assert_eq!((fields.get("b"), fields.get("d"), fields.get("e")), (None, None, None));
        assert_eq!(fields.all("c").collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(Value::Object(fields.json(&["a", "b", "e"])), serde_json::json!({"a": "1"}));
    }

    #[test]
    fn one_parameter_of_an_address_is_changed() {
        let fields = Fields::of(b"status=Active&cursor=12&device=&name=a+b");
        assert_eq!(fields.with("cursor", None), "status=Active&name=a+b");
        assert_eq!(fields.with("status", Some("Ünd&")), "cursor=12&name=a+b&status=%C3%9Cnd%26");
    }
}
