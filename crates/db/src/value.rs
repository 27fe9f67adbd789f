//! What goes into a statement as a parameter and comes out of a row as a column, the same for both engines.
//!
//! Invariant: a wrong type, a number out of range or an instant that no calendar has is [`Error::Column`] or
//! [`Error::Value`], never a panic and never a silent change. There is no floating point: no energy is ever a fraction.
//! It does not know the nouns of the registry; reading one is a function from [`Row`] to it.

use crate::{Error, Result, postgres_driver, sqlite_driver};
use jiff::Timestamp;

/// A parameter, or the content of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'v> {
    Null,
    Bool(bool),
    Int(i64),
    /// Without NUL characters, which PostgreSQL cannot store and SQLite therefore is not given.
    Text(&'v str),
    Bytes(&'v [u8]),
    /// Kept to the microsecond; what is below is cut off.
    Instant(Timestamp),
    /// JSON as text. PostgreSQL keeps the meaning of it, not its spaces and order.
    Json(&'v str),
    /// A set of ids for `WHERE id IN rarray($1)`, or `FROM rarray($1) AS wanted`. A parameter only.
    Ids(&'v [i64]),
    /// A set of texts for `WHERE name IN rarray_text($1)`. A parameter only.
    Texts(&'v [String]),
}

/// A type that a column can be read as; one decoding for both engines.
pub trait Column<'r>: Sized {
    /// `None`: the column holds something else.
    fn decode(value: Value<'r>) -> Option<Self>;
}

/// One row of an answer. Columns are read by position, from 0: by name costs a search per column and row.
pub struct Row<'r>(pub(crate) Cells<'r>);

#[derive(Clone, Copy)]
pub(crate) enum Cells<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r postgres::Row),
}

impl<'r> Row<'r> {
    /// The column at `index`. Text and bytes can be borrowed from the row.
    pub fn get<T: Column<'r>>(&self, index: usize) -> Result<T> {
        let value = match self.0 {
            Cells::Sqlite(row) => sqlite_driver::read(row, index)?,
            Cells::Postgres(row) => postgres_driver::read(row, index)?,
        };
        T::decode(value)
            .ok_or_else(|| Error::column(index, format!("{} where another type was asked for", value.kind())))
    }

    /// How many columns there are.
    pub fn width(&self) -> usize {
        match self.0 {
            Cells::Sqlite(row) => row.as_ref().column_count(),
            Cells::Postgres(row) => row.len(),
        }
    }
}

impl Value<'_> {
    /// What kind of value this is, for errors: they never show the value itself.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "NULL",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Instant(_) => "an instant",
            Value::Json(_) => "JSON",
            Value::Ids(_) => "a set of ids",
            Value::Texts(_) => "a set of texts",
        }
    }

    /// Text both engines can store.
    pub(crate) fn storable(text: &str) -> std::result::Result<&str, &'static str> {
        if text.contains('\0') { Err("text with a NUL character") } else { Ok(text) }
    }
}

macro_rules! into_value {
    ($($from:ty => |$value:ident| $make:expr;)+) => { $(
        impl<'v> From<$from> for Value<'v> {
            fn from($value: $from) -> Self {
                $make
            }
        }
    )+ };
}

into_value! {
    i64 => |value| Value::Int(value);
    i32 => |value| Value::Int(value.into());
    i16 => |value| Value::Int(value.into());
    u32 => |value| Value::Int(value.into());
    u16 => |value| Value::Int(value.into());
    u8 => |value| Value::Int(value.into());
    bool => |value| Value::Bool(value);
    Timestamp => |value| Value::Instant(value);
    &'v str => |value| Value::Text(value);
    &'v String => |value| Value::Text(value);
    &'v [u8] => |value| Value::Bytes(value);
    &'v Vec<u8> => |value| Value::Bytes(value);
    &'v [i64] => |value| Value::Ids(value);
    &'v Vec<i64> => |value| Value::Ids(value);
    &'v [String] => |value| Value::Texts(value);
    &'v Vec<String> => |value| Value::Texts(value);
}

impl<'v, const N: usize> From<&'v [u8; N]> for Value<'v> {
    fn from(value: &'v [u8; N]) -> Self {
        Value::Bytes(value)
    }
}

impl<'v, const N: usize> From<&'v [i64; N]> for Value<'v> {
    fn from(value: &'v [i64; N]) -> Self {
        Value::Ids(value)
    }
}

impl<'v, T: Into<Value<'v>>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

macro_rules! from_column {
    ($($ty:ty { $($pattern:pat => $value:expr),+ $(,)? })+) => { $(
        impl<'r> Column<'r> for $ty {
            fn decode(value: Value<'r>) -> Option<Self> {
                match value {
                    $($pattern => $value,)+
                    _ => None,
                }
            }
        }
    )+ };
}

from_column! {
    i64 { Value::Int(value) => Some(value) }
    i32 { Value::Int(value) => value.try_into().ok() }
    i16 { Value::Int(value) => value.try_into().ok() }
    u64 { Value::Int(value) => value.try_into().ok() }
    u32 { Value::Int(value) => value.try_into().ok() }
    u16 { Value::Int(value) => value.try_into().ok() }
    u8 { Value::Int(value) => value.try_into().ok() }
    bool { Value::Bool(value) => Some(value), Value::Int(0) => Some(false), Value::Int(1) => Some(true) }
    &'r str { Value::Text(value) => Some(value) }
    String { Value::Text(value) => Some(value.to_owned()) }
    &'r [u8] { Value::Bytes(value) => Some(value) }
    Vec<u8> { Value::Bytes(value) => Some(value.to_owned()) }
    Timestamp {
        Value::Instant(value) => Some(value),
        Value::Int(value) => Timestamp::from_microsecond(value).ok(),
    }
    serde_json::Value { Value::Text(value) => serde_json::from_str(value).ok() }
}

impl<'r, const N: usize> Column<'r> for [u8; N] {
    fn decode(value: Value<'r>) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => bytes.try_into().ok(),
            _ => None,
        }
    }
}

impl<'r, T: Column<'r>> Column<'r> for Option<T> {
    fn decode(value: Value<'r>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::decode(value).map(Some) }
    }
}
