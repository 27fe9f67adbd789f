//! Small pieces that many answers are made of.

use crate::caller::EVENT;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::text::TEXT_CHARS_MAX;
use domain::{Efficiency, EventNumber, Ratio};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, OneOfBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// An instant in UTC.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
pub(crate) struct At(pub Timestamp);

impl PartialSchema for At {
    fn schema() -> RefOr<Schema> {
        let about = "RFC 3339. Without an offset it is UTC; a bare date is midnight UTC. Answers carry `Z`.";
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some(about))
            .examples([serde_json::json!("2026-01-01T13:00:00Z")])
            .into()
    }
}

impl ToSchema for At {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Instant")
    }
}

impl From<Timestamp> for At {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

/// A short text in a request; documents what [`domain::text::check`] lets pass.
pub(crate) struct Text;

/// No control, bidirectional or separator character, and at least one that is no space.
const TEXT_PATTERN: &str = concat!(
    r"^[^\u0000-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]*",
    r"[^\s\u0000-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]",
    r"[^\u0000-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]*$",
);

impl PartialSchema for Text {
    fn schema() -> RefOr<Schema> {
        let about = "1 to 200 characters, not all of them spaces, without control or bidirectional characters";
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(TEXT_CHARS_MAX))
            .pattern(Some(TEXT_PATTERN))
            .description(Some(about))
            .into()
    }
}

impl ToSchema for Text {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Text")
    }
}

/// The number of something in a request; documents what [`crate::json::id`] lets pass.
pub(crate) struct Id;

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(1))
            .into()
    }
}

impl ToSchema for Id {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Id")
    }
}

/// A share as it was given, exactly: a number in answers.
#[derive(Clone, Copy)]
pub(crate) struct Share(pub Ratio);

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?;
        digits.serialize(serializer)
    }
}

impl PartialSchema for Share {
    fn schema() -> RefOr<Schema> {
        let about = "An exact decimal above 0 and at most 1, of at most 18 digits; a number or a text.";
        let number = ObjectBuilder::new()
            .schema_type(Type::Number)
            .exclusive_minimum(Some(0))
            .maximum(Some(1))
            .description(Some("As a number"));
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^(0\.[0-9]{0,16}[1-9]|1(\.0)?)$"));
        OneOfBuilder::new().item(number).item(text).description(Some(about)).examples([serde_json::json!(0.25)]).into()
    }
}

impl ToSchema for Share {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Share")
    }
}

/// An efficiency factor to 18 digits, rounded down: a number in answers.
#[derive(Clone, Copy)]
pub(crate) struct Factor(pub Efficiency);

impl Serialize for Factor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = RawValue::from_string(self.0.decimal(18)).map_err(serde::ser::Error::custom)?;
        digits.serialize(serializer)
    }
}

impl PartialSchema for Factor {
    fn schema() -> RefOr<Schema> {
        let about = "Above 0 and at most 1";
        let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0)).maximum(Some(1));
        number.description(Some(about)).examples([serde_json::json!(0.9)]).into()
    }
}

impl ToSchema for Factor {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Factor")
    }
}

/// What a change answers, and the event number that it reached.
pub(crate) struct Changed<T> {
    pub status: StatusCode,
    pub event: EventNumber,
    pub body: T,
}

impl<T: Serialize> IntoResponse for Changed<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body)).into_response();
        response.headers_mut().insert(EVENT, HeaderValue::from(self.event.0));
        response
    }
}

/// JSON that was written elsewhere, on a thread that may take its time.
pub(crate) struct Written {
    pub status: StatusCode,
    pub json: Vec<u8>,
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        (self.status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], self.json).into_response()
    }
}

/// Writes JSON.
///
/// # Errors
/// [`app::Error::Internal`]; no answer of ours has maps with odd keys.
pub(crate) fn json(body: &impl Serialize) -> Result<Vec<u8>, app::Error> {
    serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        app::Error::Internal
    })
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
    text
}
