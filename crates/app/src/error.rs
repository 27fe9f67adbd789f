//! Why a use case did not happen, without HTTP. What is internal is logged where it is handled and goes no further.

use domain::{JobId, Refusal};

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It does not exist, or its existence is not the caller's business.
    #[error("{what} with id {id} not found")]
    NotFound { what: &'static str, id: i64 },
    /// A rule refused a well-formed action.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The request breaks a rule of queries.
    #[error("{0}")]
    BadQuery(String),
    /// More than one answer may hold.
    #[error("{0}")]
    TooMuch(String),
    /// The input cannot be read; nothing was taken of it.
    #[error("{field} {rule}")]
    BadInput { field: String, rule: String },
    /// The header of the input lacks these columns; nothing was taken of it.
    #[error("the input lacks the columns {}", .columns.join(", "))]
    ColumnsMissing { columns: Vec<&'static str> },
    /// The input cannot be read further; what was taken before stays, and the job says how far it got.
    #[error("{rows} rows were taken before the input could not be read further: {rule}; see job {job}")]
    Interrupted { job: JobId, rows: u64, rule: String },
    /// A source of readings does not give them. What was taken of it before stays.
    #[error("{0}")]
    Source(String),
    #[error("the sign-in name or the password is wrong")]
    WrongCredentials,
    #[error("a valid token is needed")]
    NoToken,
    #[error("too many attempts; try again in {seconds} s")]
    TooManyAttempts { seconds: u64 },
    /// Another request was answered under the same key.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// The first request under this key is not answered yet.
    #[error("a request with this Idempotency-Key is under way; try again after it")]
    KeyInFlight,
    /// The queue is full; nothing was done.
    #[error("the registry is busy")]
    Busy,
    /// The database is out of reach; nothing was done.
    #[error("the registry is not available right now")]
    Unavailable,
    /// The connection was lost while the change was committed, and the database did not come back in time to ask.
    #[error("the outcome is unknown; read before trying again")]
    OutcomeUnknown,
    #[error("an internal error")]
    Internal,
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let transient = error.is_disconnected() || error.is_busy() || error.is_timed_out();
        if transient {
            tracing::warn!(%error, "the database did not answer");
            Self::Unavailable
        } else {
            tracing::error!(%error, "a database error");
            Self::Internal
        }
    }
}
