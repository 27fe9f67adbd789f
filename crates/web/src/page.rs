//! Lists in pages, the one way of all of them: `limit` and `cursor` go in, `next_cursor` comes out, `null` at the end.
//!
//! A list answers `{"<plural noun>": [..], "next_cursor": ..}`, in the order of its keys. A cursor is the last key of a page
//! as text that may stand in an address; clients need not know what it means.

use crate::caller::Read;
use crate::json::{Fields, Rule, Value, any_text, boolean, rule, whole};
use crate::limits::{CURSOR_CHARS_MAX, PAGE_MAX, PAGE_USUAL};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// What a list is ordered by, and its text within a cursor.
pub(crate) trait Key: Sized {
    fn text(&self) -> String;
    /// `None` for what no key is written as.
    fn parse(text: &str) -> Option<Self>;
}

/// An id.
impl Key for i64 {
    fn text(&self) -> String {
        self.to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|id| *id > 0)
    }
}

/// An instant and an id.
impl Key for (Timestamp, i64) {
    fn text(&self) -> String {
        format!("{},{}", self.0.as_microsecond(), self.1)
    }

    fn parse(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once(',')?;
        let at = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
        Some((at, Key::parse(id)?))
    }
}

pub(crate) fn cursor_of(key: &impl Key) -> String {
    URL_SAFE_NO_PAD.encode(key.text())
}

/// The key of a cursor; reads a member of a request.
pub(crate) fn cursor<K: Key>(value: &Value<'_>) -> Result<K, Rule> {
    let text = any_text(1, CURSOR_CHARS_MAX)(value)?;
    let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let key = decoded.and_then(|text| K::parse(&text));
    key.ok_or_else(|| rule("value_error", "Value error, this is no next_cursor of an answer"))
}

/// `limit` and `cursor` of a list, among other parameters or alone: `Query(Paged(paging)): Query<Paged<i64>>`.
pub(crate) struct Paged<K>(pub app::Paging<K>);

impl<K: Key> Read for Paged<K> {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let limit = fields.optional("limit", whole(1, PAGE_MAX)).unwrap_or(PAGE_USUAL);
        let after = fields.optional("cursor", cursor);
        Some(Self(app::Paging { limit: usize::try_from(limit).unwrap_or(usize::MAX), after }))
    }
}

/// [`Paged`] by id, of things that may be deleted: `include_deleted` shows those too.
pub(crate) struct Listed {
    pub paging: app::Paging<i64>,
    pub with_deleted: bool,
}

impl Read for Listed {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let with_deleted = fields.optional("include_deleted", boolean).unwrap_or(false);
        Some(Self { paging: Paged::read(fields)?.0, with_deleted })
    }
}

/// Documents what [`Paged`] reads: goes into `params(..)`.
impl<K> IntoParams for Paged<K> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let integer = ObjectBuilder::new().schema_type(Type::Integer);
        let limit = integer.minimum(Some(1)).maximum(Some(PAGE_MAX)).default(Some(PAGE_USUAL.into()));
        let cursor = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
        vec![
            parameter("limit", "The most entries of the page", limit),
            parameter("cursor", "The `next_cursor` of the page before", cursor.max_length(Some(CURSOR_CHARS_MAX))),
        ]
    }
}

/// Documents what [`Listed`] reads.
impl IntoParams for Listed {
    fn into_params(provider: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut all = Paged::<i64>::into_params(provider);
        let boolean = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(false.into()));
        all.push(parameter("include_deleted", "Whether deleted ones are listed too", boolean));
        all
    }
}

fn parameter(name: &str, about: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Fault;
    use std::borrow::Cow;

    fn read_back<K: Key>(text: &str) -> Result<K, Rule> {
        cursor(&Value::Text(Cow::Borrowed(text)))
    }

    #[test]
    fn a_cursor_reads_back_and_a_made_up_one_does_not() {
        let start: Timestamp = "2026-01-01T13:00:00.000001Z".parse().unwrap();
        assert_eq!(read_back(&cursor_of(&(start, 7_i64))), Ok((start, 7_i64)));
        assert_eq!(read_back(&cursor_of(&7_i64)), Ok(7_i64));
        for odd in ["x", "", "MTIz!", "!!!", "MA", "LTE"] {
            assert!(read_back::<i64>(odd).is_err(), "{odd}");
            assert!(read_back::<(Timestamp, i64)>(odd).is_err(), "{odd}");
        }
        assert!(read_back::<(Timestamp, i64)>(&cursor_of(&7_i64)).is_err());
        assert!(read_back::<i64>(&cursor_of(&(start, 7_i64))).is_err());
    }

    fn paging(text: &str) -> Result<app::Paging<i64>, Vec<Fault>> {
        let mut fields = Fields::of_form("query", text.as_bytes());
        let read = Paged::read(&mut fields);
        fields.finish().map(|()| read.unwrap().0)
    }

    #[test]
    fn a_page_has_a_usual_and_a_greatest_size() {
        assert_eq!(paging(""), Ok(app::Paging { limit: 100, after: None }));
        assert_eq!(paging("limit=1000&cursor=Nw"), Ok(app::Paging { limit: 1_000, after: Some(7) }));
        for (text, member, kind) in [
            ("limit=0", "limit", "greater_than"),
            ("limit=1001", "limit", "less_than_equal"),
            ("cursor=zz!", "cursor", "value_error"),
            ("page=2", "page", "extra_forbidden"),
        ] {
            let faults = paging(text).unwrap_err();
            let loc = serde_json::to_value(&faults[0].loc).unwrap();
            assert_eq!(
                (loc, faults[0].r#type, faults.len()),
                (serde_json::json!(["query", member]), kind, 1),
                "{text}"
            );
        }
    }
}
