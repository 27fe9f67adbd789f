//! Measures the built program, on both databases, durable, through the real path, beside its goals.
//!
//! A server runs in a process of its own and is spoken to over HTTP from this one, on the same machine. The bare loops of
//! the same run say what the machine gives: ratios to them hold on a noisy machine, absolute figures do not. Run it through
//! `make bench`. No test has a time limit; speed is looked at here.
#![expect(clippy::float_arithmetic, clippy::unwrap_used, reason = "figures are floats, and a bench fails by panicking")]

mod bare;
mod load;
mod report;
mod server;

use db::testing::{Engine, TestDatabase};
use load::{Latencies, Load};
use report::{Goal, Row};
use server::Server;
use std::time::Instant;

/// Devices that are issued hour by hour.
pub const DEVICES: i64 = 1_000;
/// Hours of a year, for the devices that are issued one after another.
pub const YEAR_HOURS: i64 = 8_760;
const CLIENTS: usize = 64;
const ACTIONS_OF_MANY: usize = 40_000;
const ACTIONS_OF_ONE: usize = 2_000;
const QUERIES: usize = 200;
/// The most bundles that one action names.
pub const BUNDLES_AT_ONCE: i64 = 10_000;

fn main() {
    // `cargo bench` and `cargo test` pass flags that this does not need.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let full = std::env::var_os("FULL").is_some_and(|value| value == "1");
    let bundles = std::env::var("BUNDLES").ok().and_then(|text| text.parse().ok());
    let bundles: i64 = bundles.unwrap_or(if full { 10_000_000 } else { 1_000_000 });
    let only = std::env::var("ONLY").unwrap_or_default();
    let bare = bare::measure();
    let mut columns = Vec::new();
    for (engine, name) in [(Engine::Sqlite, "sqlite"), (Engine::Postgres, "postgres")] {
        if only.is_empty() || only == name {
            columns.push((engine, measure(engine, bundles, &bare)));
        }
    }
    report::print(&columns, &bare, bundles);
}

/// One engine's column of the table.
fn measure(engine: Engine, bundles: i64, bare: &bare::Bare) -> Vec<Row> {
    let database = TestDatabase::migrated(engine, store::MIGRATIONS);
    let is_sqlite = engine == Engine::Sqlite;
    let goal = |sqlite, postgres| if is_sqlite { sqlite } else { postgres };
    let hours = bundles / 2 / DEVICES;
    let years = (bundles / 2 / YEAR_HOURS).max(1);
    load::fill_registry(&database, DEVICES + years);
    let mut rows = Vec::new();
    let mut say = |row: Row| {
        eprintln!("  {}: {}", row.name, row.shown());
        rows.push(row);
    };
    eprintln!("{engine:?}, {bundles} bundles");

    let (server, ready) = Server::start(database.url());
    say(Row::new("start to ready, empty", ready, "ms", Goal::most(goal(100.0, 200.0))));
    say(Row::new("resident memory, idle", server.resident_mb(), "MB", Goal::most(40.0)));
    let load = Load::sign_in(&server);

    let started = Instant::now();
    let sent = load.submit_hour_by_hour(DEVICES, hours) + load.submit_device_by_device(DEVICES, years);
    say(Row::new("submit_readings of a CSV over HTTP", rate(sent, started), "rows/s", Goal::least(goal(150e3, 120e3))));
    let before = database_bytes(&database);
    let started = Instant::now();
    let issued = load.issue(&(1..=DEVICES).collect::<Vec<_>>(), hours);
    let hourly = rate(issued, started);
    say(Row::new("issue, hour by hour over 1,000 devices", hourly, "bundles/s", Goal::least(goal(100e3, 80e3))));
    let started = Instant::now();
    let more: i64 = (1..=years).map(|n| load.issue(&[DEVICES + n], YEAR_HOURS)).sum();
    let yearly = rate(more, started);
    say(Row::new("issue, a year of one device after another", yearly, "bundles/s", Goal::least(goal(120e3, 70e3))));
    let issued = issued + more;
    let bytes = count(database_bytes(&database) - before) / count(issued);
    say(Row::new("bytes a bundle: row, indexes, event", bytes, "B", Goal::most(goal(400.0, 650.0))));

    let (many, took) = load.actions(CLIENTS, ACTIONS_OF_MANY, issued, hours);
    let grouped = count(i64::try_from(ACTIONS_OF_MANY).unwrap()) / took.as_secs_f64();
    say(Row::new("transfer or cancel with split, 64 clients", grouped, "/s", Goal::least(7_000.0)));
    say(Row::new("– p99", many.millis(0.99), "ms", Goal::most(goal(150.0, 25.0))));
    let (one, _) = load.actions(1, ACTIONS_OF_ONE, issued, hours);
    let single = one.millis(0.5);
    say(Row::new("the same, 1 client, median", single, "ms", Goal::most(goal(1.0, 2.0))));
    let queries: Latencies = load.queries(QUERIES, years);
    say(Row::new("query of 720 bundles over HTTP, median", queries.millis(0.5), "ms", Goal::most(goal(3.0, 4.0))));
    let large = load.transfers_of_many(DEVICES * hours, years);
    say(Row::new("transfer of 10,000 bundles in one call, median", large.millis(0.5), "ms", Goal::most(500.0)));
    let started = Instant::now();
    let exported = load.export();
    say(Row::new("export of all bundles as CSV over HTTP", rate(exported, started), "rows/s", Goal::least(100e3)));
    say(Row::new("resident memory, after this load", server.resident_mb(), "MB", Goal::most(400.0)));
    drop(server);

    let (server, ready) = Server::start(database.url());
    say(Row::new("start to ready, all bundles", ready, "ms", Goal::most(200.0)));
    drop(server);

    if is_sqlite {
        say(Row::new("bulk issue : bare loop", hourly.max(yearly) / bare.bulk, "", Goal::least(0.45)));
        say(Row::new("grouped actions : bare loop", grouped / bare.grouped, "", Goal::least(0.4)));
        say(Row::new("one action : fsync", single * 1_000.0 / bare.fsync_micros, "", Goal::most(5.0)));
    }
    rows
}

fn rate(count_of: i64, since: Instant) -> f64 {
    count(count_of) / since.elapsed().as_secs_f64()
}

/// An integer as a figure.
pub fn count(n: i64) -> f64 {
    // Exact up to 2^53, and no count here comes near.
    n.to_string().parse().unwrap()
}

fn database_bytes(database: &TestDatabase) -> i64 {
    let mut connection = database.connect();
    let sql = match database.engine() {
        Engine::Sqlite => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        Engine::Postgres => "SELECT pg_database_size(current_database())",
    };
    connection.query_one(sql, &[], |row| row.get(0)).unwrap()
}
