//! Where the registry is kept: statements and rows, one file per noun.
//!
//! Every statement has one text for both engines, next to the function that runs it. Invariant: nothing is written
//! outside the transaction of a batch, and what a row says reads back as the same value of the domain. It knows no rules:
//! what may change is decided before it gets here.

pub mod account;
pub mod action;
pub mod api_key;
pub mod batch;
pub mod bundle;
pub mod device;
pub mod event;
pub mod expiry;
pub mod head;
pub mod holding;
pub mod idempotency;
pub mod job;
pub mod measurement;
pub mod metadata;
pub mod order_run;
pub mod organisation;
pub mod recurring_order;
pub mod rejected_action;
pub mod seed;
pub mod session;
pub mod storage;
pub mod user;

mod code;

pub use db::{CheckpointMode, Connection, Engine, Error, Migration, OpenMode, Pool, Result, Url};

/// The schema, step by step. Never edited once released.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "ledger",
        sqlite: include_str!("../migrations/sqlite/V1__ledger.sql"),
        postgres: include_str!("../migrations/postgres/V1__ledger.sql"),
    },
    Migration {
        version: 2,
        name: "api_key",
        sqlite: include_str!("../migrations/sqlite/V2__api_key.sql"),
        postgres: include_str!("../migrations/postgres/V2__api_key.sql"),
    },
    Migration {
        version: 3,
        name: "actions",
        sqlite: include_str!("../migrations/sqlite/V3__actions.sql"),
        postgres: include_str!("../migrations/postgres/V3__actions.sql"),
    },
    Migration {
        version: 4,
        name: "recurring_order",
        sqlite: include_str!("../migrations/sqlite/V4__recurring_order.sql"),
        postgres: include_str!("../migrations/postgres/V4__recurring_order.sql"),
    },
    Migration {
        version: 5,
        name: "reading_corrections",
        sqlite: include_str!("../migrations/sqlite/V5__reading_corrections.sql"),
        postgres: include_str!("../migrations/postgres/V5__reading_corrections.sql"),
    },
    Migration {
        version: 6,
        name: "idempotency",
        sqlite: include_str!("../migrations/sqlite/V6__idempotency.sql"),
        postgres: include_str!("../migrations/postgres/V6__idempotency.sql"),
    },
    Migration {
        version: 7,
        name: "expiry",
        sqlite: include_str!("../migrations/sqlite/V7__expiry.sql"),
        postgres: include_str!("../migrations/postgres/V7__expiry.sql"),
    },
    Migration {
        version: 8,
        name: "event_search",
        sqlite: include_str!("../migrations/sqlite/V8__event_search.sql"),
        postgres: include_str!("../migrations/postgres/V8__event_search.sql"),
    },
    Migration {
        version: 9,
        name: "order_run",
        sqlite: include_str!("../migrations/sqlite/V9__order_run.sql"),
        postgres: include_str!("../migrations/postgres/V9__order_run.sql"),
    },
    Migration {
        version: 10,
        name: "storage",
        sqlite: include_str!("../migrations/sqlite/V10__storage.sql"),
        postgres: include_str!("../migrations/postgres/V10__storage.sql"),
    },
    Migration {
        version: 11,
        name: "holding",
        sqlite: include_str!("../migrations/sqlite/V11__holding.sql"),
        postgres: include_str!("../migrations/postgres/V11__holding.sql"),
    },
];
