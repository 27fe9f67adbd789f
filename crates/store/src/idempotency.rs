//! What was asked under an `Idempotency-Key`, and what it came to: the outcome of a change, written in its transaction, and
//! beside it the answer that was made of it.
//!
//! A row is known by its place: user, method, path and key in one hash. Invariant: a row has an outcome or an answer.

use db::{Connection, Result, Row, Value};
use jiff::Timestamp;

/// Rows that have expired and are cleared away at a time.
const CLEARED_MAX: i64 = 1_000;

/// What is kept under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub place: String,
    pub request_hash: [u8; 32],
    pub created_at: Timestamp,
    /// What the change came to, as JSON.
    pub outcome: Option<String>,
    pub answer: Option<KeptAnswer>,
}

/// An answer as it went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    pub status: u16,
    pub content_type: Option<String>,
    pub event_number: Option<i64>,
    pub body: Vec<u8>,
}

/// A record without the bytes of its answer, which the writer has no use for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub place: String,
    pub request_hash: [u8; 32],
    pub created_at: Timestamp,
    pub outcome: Option<String>,
    pub has_answer: bool,
}

pub fn find(connection: &mut Connection, place: &str) -> Result<Option<Record>> {
    connection.query_optional(
        "SELECT i.place, i.request_hash, i.created_at, i.outcome, i.status, i.content_type, i.event_number, i.body \
         FROM idempotency i WHERE i.place = $1",
        &[place.into()],
        |r| {
            Ok(Record {
                place: r.get(0)?,
                request_hash: r.get(1)?,
                created_at: r.get(2)?,
                outcome: r.get(3)?,
                answer: answer_of(r)?,
            })
        },
    )
}

fn answer_of(row: &Row<'_>) -> Result<Option<KeptAnswer>> {
    let Some(status) = row.get(4)? else { return Ok(None) };
    let body: &[u8] = row.get(7)?;
    Ok(Some(KeptAnswer { status, content_type: row.get(5)?, event_number: row.get(6)?, body: body.to_vec() }))
}

/// What is known under these places.
pub fn known(tx: &mut Connection, places: &[String]) -> Result<Vec<Known>> {
    tx.query(
        "SELECT i.place, i.request_hash, i.created_at, i.outcome, i.status FROM idempotency i \
         WHERE i.place IN rarray_text($1)",
        &[Value::Texts(places)],
        |r| {
            Ok(Known {
                place: r.get(0)?,
                request_hash: r.get(1)?,
                created_at: r.get(2)?,
                outcome: r.get(3)?,
                has_answer: r.get::<Option<i64>>(4)?.is_some(),
            })
        },
    )
}

/// Writes a record in the place of one that has expired, if there is one.
pub fn insert(tx: &mut Connection, record: &Record) -> Result<()> {
    let answer = record.answer.as_ref();
    tx.execute(
        "INSERT INTO idempotency (place, request_hash, created_at, outcome, status, content_type, event_number, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (place) DO UPDATE SET request_hash = excluded.request_hash, \
         created_at = excluded.created_at, outcome = excluded.outcome, status = excluded.status, \
         content_type = excluded.content_type, event_number = excluded.event_number, body = excluded.body",
        &[
            record.place.as_str().into(),
            (&record.request_hash).into(),
            record.created_at.into(),
            record.outcome.as_deref().into(),
            answer.map(|answer| answer.status).into(),
            answer.and_then(|answer| answer.content_type.as_deref()).into(),
            answer.and_then(|answer| answer.event_number).into(),
            answer.map(|answer| answer.body.as_slice()).into(),
        ],
    )?;
    Ok(())
}

/// Writes the answer beside the outcome that is there.
pub fn set_answer(tx: &mut Connection, place: &str, answer: &KeptAnswer) -> Result<()> {
    tx.execute(
        "UPDATE idempotency SET status = $2, content_type = $3, event_number = $4, body = $5 WHERE place = $1",
        &[
            place.into(),
            answer.status.into(),
            answer.content_type.as_deref().into(),
            answer.event_number.into(),
            answer.body.as_slice().into(),
        ],
    )?;
    Ok(())
}

/// Clears away records from before `before`, the oldest first and not too many at a time.
pub fn clear(tx: &mut Connection, before: Timestamp) -> Result<()> {
    tx.execute(
        "DELETE FROM idempotency WHERE place IN \
         (SELECT i.place FROM idempotency i WHERE i.created_at <= $1 ORDER BY i.created_at LIMIT $2)",
        &[before.into(), CLEARED_MAX.into()],
    )?;
    Ok(())
}
