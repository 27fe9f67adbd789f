//! One SQL text over two drivers: SQLite (`rusqlite`) and PostgreSQL (`postgres`). No other crate names either.
//!
//! A statement is written once, in the common subset of both engines, with `$1` placeholders, and runs through a
//! [`Connection`]. Invariant: what was written as a [`Value`] reads back as the same value on both engines, although an
//! instant is INTEGER microseconds in one and TIMESTAMPTZ in the other, JSON is TEXT and JSONB, a hash BLOB and BYTEA.
//!
//! Everything here blocks. Call it from a plain or a blocking thread, never from an async worker: `postgres` carries a
//! runtime of its own inside and panics there. (Dropping a [`Connection`] or a [`Pool`] is safe anywhere.)
//!
//! It knows no noun of the registry, retries nothing, and does not decide what belongs into one transaction.

mod bulk;
mod connection;
mod error;
mod maintenance;
mod migrate;
mod pool;
mod postgres_driver;
pub mod probe;
mod select;
mod sqlite_driver;
#[cfg(feature = "testing")]
pub mod testing;
mod url;
mod value;

pub use bulk::Table;
pub use connection::{Connection, Engine, OpenMode, STATEMENTS_MAX};
pub use error::{Error, Result};
pub use maintenance::{Checkpoint, CheckpointMode};
pub use migrate::{Applied, Migration, MigrationError, MigrationStatus};
pub use pool::{POOL_WAIT, Pool};
pub use postgres_driver::{CONNECT_TIMEOUT, READ_TIMEOUT};
pub use select::{Select, Values};
pub use sqlite_driver::BUSY_TIMEOUT;
pub use url::{Url, UrlError};
pub use value::{Column, Row, Value};
