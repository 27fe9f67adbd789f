//! Between what a column holds and what the domain says, with an error that names the column where they do not fit.

use db::{Error, Result, Row};

/// The value whose code is in the column; an unknown code is an error of the database's content.
pub(crate) fn coded<T>(row: &Row<'_>, index: usize, from_code: impl FnOnce(i64) -> Option<T>) -> Result<T> {
    let code: i64 = row.get(index)?;
    from_code(code).ok_or_else(|| Error::column(index, format!("the unknown code {code}")))
}

/// As [`coded`], for a column that may be NULL.
pub(crate) fn optional_coded<T>(
    row: &Row<'_>,
    index: usize,
    from_code: impl FnOnce(i64) -> Option<T>,
) -> Result<Option<T>> {
    let code: Option<i64> = row.get(index)?;
    let Some(code) = code else { return Ok(None) };
    from_code(code).map(Some).ok_or_else(|| Error::column(index, format!("the unknown code {code}")))
}

/// A count that is never negative.
pub(crate) fn count(row: &Row<'_>, index: usize) -> Result<u64> {
    let value: i64 = row.get(index)?;
    u64::try_from(value).map_err(|_| Error::column(index, "a negative number"))
}

/// A count as a column keeps it.
///
/// # Panics
/// Above 2^63 − 1: the domain keeps counts below.
pub(crate) fn kept(count: u64) -> i64 {
    i64::try_from(count).expect("counts are kept below 2^63")
}
