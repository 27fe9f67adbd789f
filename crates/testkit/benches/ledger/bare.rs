//! What the machine gives: bare loops over rusqlite, and the time of an fsync.

use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use std::time::Instant;

pub(crate) struct Bare {
    /// Bundles a second: a row, two indexes and a chained event each, 10,000 a transaction.
    pub bulk: f64,
    /// Splits a second: an update, two rows and three chained events each, 64 a transaction.
    pub grouped: f64,
    pub fsync_micros: f64,
}

const BULK_BUNDLES: i64 = 500_000;
const BULK_PER_COMMIT: i64 = 10_000;
const SPLITS: i64 = 30_000;
const SPLITS_PER_COMMIT: i64 = 64;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -131072;
    CREATE TABLE bundle (id INTEGER PRIMARY KEY, account_id INTEGER, device_id INTEGER, first INTEGER, last INTEGER,
        start INTEGER, end INTEGER, issued INTEGER, expires INTEGER, parent INTEGER, status INTEGER, hash BLOB) STRICT;
    CREATE INDEX bundle_account ON bundle (account_id, start, id);
    CREATE UNIQUE INDEX bundle_place ON bundle (device_id, start, first, last);
    CREATE TABLE event (number INTEGER PRIMARY KEY, at INTEGER, action INTEGER, entity INTEGER, body BLOB, leaf BLOB) STRICT;";
const INSERT: &str = "INSERT INTO bundle VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const EVENT: &str = "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

struct Chain {
    number: i64,
    leaf: [u8; 32],
}

impl Chain {
    fn add(&mut self, connection: &Connection, entity: i64) {
        self.number += 1;
        let body = [7_u8; 80];
        let mut hash = Sha256::new_with_prefix(self.leaf);
        hash.update(self.number.to_be_bytes());
        hash.update(body);
        self.leaf = hash.finalize().into();
        let mut insert = connection.prepare_cached(EVENT).unwrap();
        insert.execute((self.number, 1_767_225_600_000_000_i64, 1, entity, &body[..], &self.leaf[..])).unwrap();
    }
}

pub(crate) fn measure() -> Bare {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(directory.path().join("bare.db")).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    let mut chain = Chain { number: 0, leaf: [0; 32] };
    let started = Instant::now();
    for from in (0..BULK_BUNDLES).step_by(usize::try_from(BULK_PER_COMMIT).unwrap()) {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        for n in from..from + BULK_PER_COMMIT {
            insert(&connection, n, None);
            chain.add(&connection, n);
        }
        connection.execute_batch("COMMIT").unwrap();
    }
    let bulk = super::count(BULK_BUNDLES) / started.elapsed().as_secs_f64();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let started = Instant::now();
    for from in (0..SPLITS).step_by(usize::try_from(SPLITS_PER_COMMIT).unwrap()) {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        for n in from..(from + SPLITS_PER_COMMIT).min(SPLITS) {
            split(&connection, &mut chain, n);
        }
        connection.execute_batch("COMMIT").unwrap();
    }
    let grouped = super::count(SPLITS) / started.elapsed().as_secs_f64();
    let fsync = db::probe::fsync_latency(directory.path()).unwrap();
    Bare { bulk, grouped, fsync_micros: super::count(i64::try_from(fsync).unwrap()) }
}

/// The `n`th bundle, hour by hour over the devices; or a child of `parent`.
fn insert(connection: &Connection, n: i64, parent: Option<(i64, i64, i64)>) {
    let (device, hour) = (n % super::DEVICES, n / super::DEVICES);
    let (id, first, last) =
        parent.map_or((n + 1, hour * 1_000 + 1, hour * 1_000 + 1_000), |(id, first, last)| (id, first, last));
    let start = 1_767_225_600_000_000 + hour * 3_600_000_000;
    let mut insert = connection.prepare_cached(INSERT).unwrap();
    let times = (start, start + 3_600_000_000, start, start);
    let parent = parent.map(|_| n + 1);
    insert
        .execute((id, device % 10, device, first, last, times.0, times.1, times.2, times.3, parent, 1, &[9_u8; 32][..]))
        .unwrap();
}

fn split(connection: &Connection, chain: &mut Chain, n: i64) {
    let bundle = (n * 7_919) % BULK_BUNDLES;
    let (id, hour) = (BULK_BUNDLES + 1 + n * 2, bundle / super::DEVICES);
    let mut update = connection.prepare_cached("UPDATE bundle SET status = 8 WHERE id = ?1").unwrap();
    update.execute([bundle + 1]).unwrap();
    insert(connection, bundle, Some((id, hour * 1_000 + 1, hour * 1_000 + 400)));
    insert(connection, bundle, Some((id + 1, hour * 1_000 + 401, hour * 1_000 + 1_000)));
    for entity in [bundle + 1, id, id + 1] {
        chain.add(connection, entity);
    }
}
