//! Many rows in few calls, behind one signature: the one place where the engines take different ways.
//!
//! Invariant: a [`Table`] has as many columns as each row has values, checked when compiled.
//! It opens no transaction; call it inside one.

use crate::{
    Connection, Engine, Error, Result, Row, Value, connection::Driver, postgres_driver::Session, sqlite_driver,
};
use bytes::{BufMut as _, BytesMut};
use postgres::types::{IsNull, ToSql, Type};
use std::{fmt::Write as _, io::Write as _};

/// Rows in one `VALUES` list. Shorter lists are filled up to a power of two, so that few shapes need preparing.
const SQLITE_VALUES_ROWS: usize = 64;
const POSTGRES_VALUES_ROWS: usize = 256;
/// Bytes handed to COPY at a time. The driver enters its runtime for each, so they are many.
const COPY_CHUNK_BYTES: usize = 128 * 1024;
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// In place of a length: the value is NULL. In place of a number of columns: no more rows.
const COPY_NULL: i32 = -1;
const COPY_END: i16 = -1;

/// A table as bulk insertion sees it.
#[derive(Clone, Copy, Debug)]
pub struct Table<const N: usize> {
    pub name: &'static str,
    pub columns: [&'static str; N],
}

impl Connection {
    /// Inserts all `rows`: a prepared statement in a loop on SQLite, a binary COPY on PostgreSQL.
    pub fn insert<'r, R, const N: usize>(
        &mut self,
        table: &Table<N>,
        rows: &'r [R],
        values: impl Fn(&'r R) -> [Value<'r>; N],
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let done = match &mut self.driver {
            Driver::Sqlite(connection) => insert_sqlite(connection, table, rows, values),
            Driver::Postgres(session) => {
                let done = insert_postgres(session, table, rows, values);
                if done.is_err() {
                    // The columns' types are part of what is kept, and another program may have changed them.
                    session.forget_statements();
                }
                done
            }
        };
        self.noted(done)
    }

    /// Changes many rows, each to its own values:
    /// `UPDATE t SET a = v.column2 FROM ROWS AS v WHERE t.id = v.column1`, where `ROWS` becomes a list of `rows` with
    /// columns of `types` (PostgreSQL's names; SQLite has no use for them). Keys must be distinct: of two rows with one
    /// key either may win. Returns how many rows were changed.
    pub fn update<'r, R, const N: usize>(
        &mut self,
        sql: &'static str,
        types: [&str; N],
        rows: &'r [R],
        values: impl Fn(&'r R) -> [Value<'r>; N],
    ) -> Result<u64> {
        let mut changed = 0;
        let mut bound: Vec<Value<'r>> = Vec::new();
        for chunk in rows.chunks(self.values_rows()) {
            bind_rows(&mut bound, chunk, &values);
            let size = bound.len() / N;
            let text = self.values_text(sql, types, size, 0, false);
            changed += self.execute(&text, &bound)?;
        }
        Ok(changed)
    }

    /// Reads with a list of rows: `SELECT .. FROM ROWS AS v JOIN t ON t.a = v.column1 AND t.b = v.column2 WHERE ..`.
    /// The parameters of the rest of the statement are `$1..` as ever, given by `extra`. Each row of the list is there
    /// exactly once; long lists are asked for in chunks, so ORDER BY, LIMIT and sums hold for a chunk only.
    pub fn query_values<'r, R, T, const N: usize>(
        &mut self,
        sql: &'static str,
        types: [&str; N],
        rows: &'r [R],
        values: impl Fn(&'r R) -> [Value<'r>; N],
        extra: &[Value<'r>],
        mut row: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        let mut listed: Vec<Value<'r>> = Vec::new();
        for chunk in rows.chunks(self.values_rows()) {
            bind_rows(&mut listed, chunk, &values);
            let size = listed.len() / N;
            let text = self.values_text(sql, types, size, extra.len(), true);
            let mut bound = extra.to_vec();
            bound.append(&mut listed);
            // What was added to fill the list up is cut off again.
            bound.push(Value::Int(i64::try_from(chunk.len()).expect("a chunk is small")));
            found.append(&mut self.query(&text, &bound, &mut row)?);
        }
        Ok(found)
    }

    fn values_rows(&self) -> usize {
        match self.engine() {
            Engine::Sqlite => SQLITE_VALUES_ROWS,
            Engine::Postgres => POSTGRES_VALUES_ROWS,
        }
    }

    fn values_text<const N: usize>(
        &mut self,
        sql: &'static str,
        types: [&str; N],
        size: usize,
        extra: usize,
        limited: bool,
    ) -> std::sync::Arc<str> {
        // A parameter in a VALUES list is text to PostgreSQL unless cast; to SQLite a cast would make numbers of bytes.
        let cast = self.engine() == Engine::Postgres;
        self.shape(sql, size, |sql| {
            let mut list = String::with_capacity(size * N * 24);
            for place in 0..size * N {
                let (number, column) = (place + 1 + extra, place % N);
                let open = if column > 0 {
                    ", "
                } else if place > 0 {
                    "), ("
                } else {
                    "("
                };
                let ty = types[column];
                let written =
                    if cast { write!(list, "{open}CAST(${number} AS {ty})") } else { write!(list, "{open}?{number}") };
                written.expect("a String takes all");
            }
            let limit = size * N + 1 + extra;
            let list = match (limited, cast) {
                (false, _) => format!("(VALUES {list}))"),
                (true, true) => format!("(SELECT * FROM (VALUES {list})) AS listed LIMIT CAST(${limit} AS BIGINT))"),
                (true, false) => format!("(SELECT * FROM (VALUES {list})) AS listed LIMIT ?{limit})"),
            };
            sql.replacen("ROWS", &list, 1)
        })
    }
}

/// The values of all rows of `chunk`, filled up to a power of two with its last row.
fn bind_rows<'r, R, const N: usize>(
    bound: &mut Vec<Value<'r>>,
    chunk: &'r [R],
    values: impl Fn(&'r R) -> [Value<'r>; N],
) {
    const { assert!(N > 0, "a row has at least one value") };
    bound.clear();
    for row in chunk {
        bound.extend(values(row));
    }
    let last: Vec<Value<'r>> = bound[bound.len() - N..].to_vec();
    for _ in chunk.len()..chunk.len().next_power_of_two() {
        bound.extend(&last);
    }
}

fn insert_sqlite<'r, R, const N: usize>(
    connection: &rusqlite::Connection,
    table: &Table<N>,
    rows: &'r [R],
    values: impl Fn(&'r R) -> [Value<'r>; N],
) -> Result<()> {
    let places: Vec<String> = (1..=N).map(|place| format!("?{place}")).collect();
    let (name, columns, places) = (table.name, table.columns.join(", "), places.join(", "));
    let mut statement = connection.prepare_cached(&format!("INSERT INTO {name} ({columns}) VALUES ({places})"))?;
    for row in rows {
        for (value, place) in values(row).iter().zip(1..) {
            sqlite_driver::bind_at(&mut statement, place, value)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

fn insert_postgres<'r, R, const N: usize>(
    session: &mut Session,
    table: &Table<N>,
    rows: &'r [R],
    values: impl Fn(&'r R) -> [Value<'r>; N],
) -> Result<()> {
    let (name, columns) = (table.name, table.columns.join(", "));
    let shape = session.prepare(&format!("SELECT {columns} FROM {name} LIMIT 0"))?;
    let types: Vec<Type> = shape.columns().iter().map(|column| column.type_().clone()).collect();
    let copy = session.prepare(&format!("COPY {name} ({columns}) FROM STDIN (FORMAT binary)"))?;
    let width = i16::try_from(N).map_err(|_| Error::Unsupported("a table has at most 1600 columns"))?;
    let mut writer = session.client().copy_in(&copy)?;
    let mut out = BytesMut::with_capacity(COPY_CHUNK_BYTES + COPY_CHUNK_BYTES / 8);
    out.put_slice(COPY_HEADER);
    for row in rows {
        out.put_i16(width);
        for ((value, ty), place) in values(row).iter().zip(&types).zip(1..) {
            encode(value, ty, &mut out).map_err(|reason| Error::Value { parameter: place, reason })?;
        }
        if out.len() >= COPY_CHUNK_BYTES {
            writer.write_all(&out).map_err(copy_error)?;
            out.clear();
        }
    }
    out.put_i16(COPY_END);
    writer.write_all(&out).map_err(copy_error)?;
    // Dropping it instead aborts the COPY, and that is what an error above does.
    writer.finish()?;
    Ok(())
}

/// One field of a COPY: its length, then its bytes.
fn encode(value: &Value<'_>, ty: &Type, out: &mut BytesMut) -> Result<(), String> {
    let start = out.len();
    out.put_i32(COPY_NULL);
    if let IsNull::No = ToSql::to_sql(value, ty, out).map_err(|error| error.to_string())? {
        let bytes = start + size_of::<i32>();
        let length = i32::try_from(out.len() - bytes).map_err(|_| "too long".to_owned())?;
        out[start..bytes].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// The driver wraps its own error into an I/O error; take it out again.
fn copy_error(error: std::io::Error) -> Error {
    match error.downcast::<postgres::Error>() {
        Ok(error) => error.into(),
        Err(error) => Error::Copy(error),
    }
}
