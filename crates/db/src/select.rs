//! A SELECT with optional filters: an absent filter is absent from the text.
//!
//! Invariant: the text consists of `&'static str`s only, so nothing a user wrote can be in it, and a program can make
//! only so many different ones. Not a query builder: joins, columns and order are written out by the caller.

use crate::{Connection, Result, Row, Value};
use std::fmt::Write as _;

/// `SELECT .. FROM ..` with conditions added one by one. Placeholders are `?`, in order; no text may hold another `?`.
#[derive(Debug)]
pub struct Select<'v> {
    text: String,
    values: Vec<Value<'v>>,
    filtered: bool,
}

/// What fills the placeholders of one condition: nothing, one value, or a tuple of up to four.
pub trait Values<'v> {
    fn append(self, to: &mut Vec<Value<'v>>);
}

impl<'v> Select<'v> {
    /// `start` is everything before WHERE.
    pub fn new(start: &'static str) -> Self {
        Self { text: start.to_owned(), values: Vec::new(), filtered: false }
    }

    /// As [`new`](Self::new), with what fills the placeholders of `start`.
    pub fn with(start: &'static str, values: impl Values<'v>) -> Self {
        let mut select = Self { text: String::new(), values: Vec::new(), filtered: false };
        select.append(start, values);
        select
    }

    /// Adds `AND condition` if there is something to compare with.
    #[must_use]
    pub fn and<T: Values<'v>>(mut self, condition: &'static str, values: Option<T>) -> Self {
        if let Some(values) = values {
            self.condition(condition, values);
        }
        self
    }

    /// Adds a condition that always holds, without placeholders.
    #[must_use]
    pub fn and_raw(mut self, condition: &'static str) -> Self {
        self.condition(condition, ());
        self
    }

    /// Adds a condition without placeholders, or not.
    #[must_use]
    pub fn and_if(self, wanted: bool, condition: &'static str) -> Self {
        if wanted { self.and_raw(condition) } else { self }
    }

    /// Adds what comes after WHERE: GROUP BY, ORDER BY, LIMIT. `()` fills no placeholders.
    #[must_use]
    pub fn tail(mut self, tail: &'static str, values: impl Values<'v>) -> Self {
        self.text.push(' ');
        self.append(tail, values);
        self
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn values(&self) -> &[Value<'v>] {
        &self.values
    }

    pub fn into_parts(self) -> (String, Vec<Value<'v>>) {
        (self.text, self.values)
    }

    fn condition(&mut self, condition: &'static str, values: impl Values<'v>) {
        self.text.push_str(if self.filtered { " AND (" } else { " WHERE (" });
        self.filtered = true;
        self.append(condition, values);
        self.text.push(')');
    }

    fn append(&mut self, text: &'static str, values: impl Values<'v>) {
        let mut number = self.values.len();
        values.append(&mut self.values);
        for (at, piece) in text.split('?').enumerate() {
            if at > 0 {
                number += 1;
                write!(self.text, "${number}").expect("a String takes all");
            }
            self.text.push_str(piece);
        }
        assert_eq!(number, self.values.len(), "as many values as placeholders in: {text}");
    }
}

impl Connection {
    /// The rows of `select`, as `row` reads them.
    pub fn select<T>(&mut self, select: &Select<'_>, row: impl FnMut(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        self.query(select.text(), select.values(), row)
    }
}

impl<'v> Values<'v> for () {
    fn append(self, _: &mut Vec<Value<'v>>) {}
}

impl<'v, A: Into<Value<'v>>, B: Into<Value<'v>>> Values<'v> for (A, B) {
    fn append(self, to: &mut Vec<Value<'v>>) {
        to.extend([self.0.into(), self.1.into()]);
    }
}

impl<'v, A: Into<Value<'v>>, B: Into<Value<'v>>, C: Into<Value<'v>>> Values<'v> for (A, B, C) {
    fn append(self, to: &mut Vec<Value<'v>>) {
        to.extend([self.0.into(), self.1.into(), self.2.into()]);
    }
}

impl<'v, A, B, C, D> Values<'v> for (A, B, C, D)
where
    A: Into<Value<'v>>,
    B: Into<Value<'v>>,
    C: Into<Value<'v>>,
    D: Into<Value<'v>>,
{
    fn append(self, to: &mut Vec<Value<'v>>) {
        to.extend([self.0.into(), self.1.into(), self.2.into(), self.3.into()]);
    }
}

impl<'v, T: Into<Value<'v>>> Values<'v> for T {
    fn append(self, to: &mut Vec<Value<'v>>) {
        to.push(self.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn select(account: Option<i64>, after: Option<(Timestamp, i64)>, names: Option<&[i64]>) -> Select<'_> {
        Select::new("SELECT id FROM bundle")
            .and("account_id = ?", account)
            .and_raw("quantity > 0")
            .and("(production_start, id) > (?, ?)", after)
            .and("id IN (SELECT value FROM rarray(?))", names)
            .tail("ORDER BY production_start, id LIMIT ?", 20_i64)
    }

    #[test]
    fn an_absent_filter_is_absent() {
        let (text, values) = select(None, None, None).into_parts();
        assert_eq!(text, "SELECT id FROM bundle WHERE (quantity > 0) ORDER BY production_start, id LIMIT $1");
        assert_eq!(values, [Value::Int(20)]);
    }

    #[test]
    fn placeholders_are_numbered_in_order() {
        let (text, values) = select(Some(7), Some((Timestamp::UNIX_EPOCH, 3)), Some(&[1, 2])).into_parts();
        assert_eq!(
            text,
            "SELECT id FROM bundle WHERE (account_id = $1) AND (quantity > 0) AND ((production_start, id) > ($2, $3)) \
             AND (id IN (SELECT value FROM rarray($4))) ORDER BY production_start, id LIMIT $5"
        );
        assert_eq!(values.len(), 5);
    }

    #[test]
    #[should_panic(expected = "as many values as placeholders")]
    fn a_missing_value_is_noticed() {
        drop(Select::new("SELECT 1").and("a = ? OR b = ?", Some(1_i64)));
    }
}
