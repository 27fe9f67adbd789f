//! `granary doctor`: is everything around the registry as it should be? One line a check, with what to do.
//!
//! It changes nothing, and makes nothing but a small file that measures the disk and is removed again.

use crate::cli;
use crate::console::{self, grouped, table};
use crate::failure::{Failure, Verdict};
use crate::logging::{self, Level};
use crate::settings::{Defaults, Flags, LogFormat, Settings};
use crate::{clock, migrate};
use app::Url;
use db::{Connection, Engine, OpenMode, probe};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Below this a disk is warned about, and below that it fails.
const FREE_BYTES_WARN: u64 = 2 * 1024 * 1024 * 1024;
const FREE_BYTES_FAIL: u64 = 200 * 1024 * 1024;
/// How far two clocks may be apart.
const CLOCK_WARN: SignedDuration = SignedDuration::from_secs(2);
const CLOCK_FAIL: SignedDuration = SignedDuration::from_secs(60);
/// A sync of the disk that takes longer slows every change; one that is faster did not happen.
const FSYNC_MICROS_SLOW: u64 = 20_000;
const FSYNC_MICROS_UNREAL: u64 = 20;
/// How far a replica may be behind.
const LAG_WARN: Duration = Duration::from_secs(10);
const LAG_FAIL: Duration = Duration::from_mins(5);
/// The oldest PostgreSQL that is supported.
const POSTGRES_MAJOR_MIN: u32 = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    Warn,
    Fail,
}

#[derive(Clone, Debug, Serialize)]
struct Check {
    #[serde(rename = "check")]
    name: &'static str,
    result: Grade,
    /// What was found.
    found: String,
    /// What to do about it; empty where there is nothing.
    advice: String,
}

#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn ok(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Check { name: check, result: Grade::Ok, found: found.into(), advice: String::new() });
    }

    fn warn(&mut self, check: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Check { name: check, result: Grade::Warn, found: found.into(), advice: advice.into() });
    }

    fn fail(&mut self, check: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Check { name: check, result: Grade::Fail, found: found.into(), advice: advice.into() });
    }
}

pub(crate) fn run(flags: &Flags, arguments: &cli::Doctor) -> Result<Verdict, Failure> {
    let mut checks = Checks::default();
    match Settings::read(flags, Defaults::Usual) {
        Ok(settings) => {
            logging::start(settings.log_level.unwrap_or(Level::Error), settings.log_format);
            examine(&settings, &mut checks);
        }
        Err(faults) => {
            logging::start(Level::Error, LogFormat::Text);
            for fault in faults {
                checks.fail("settings", fault.to_string(), "correct it; .env.example explains each setting");
            }
        }
    }
    let checks = checks.0;
    console::print(&if arguments.json { json(&checks)? } else { told(&checks) })?;
    let has_failed = checks.iter().any(|check| check.result == Grade::Fail);
    Ok(if has_failed { Verdict::Findings } else { Verdict::Done })
}

fn json(checks: &[Check]) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(checks);
    text.map(|text| text + "\n").map_err(|error| Failure::Io { what: "the checks".to_owned(), error: error.into() })
}

fn told(checks: &[Check]) -> String {
    let rows: Vec<Vec<String>> = checks
        .iter()
        .map(|check| {
            let result = match check.result {
                Grade::Ok => "ok",
                Grade::Warn => "warn",
                Grade::Fail => "fail",
            };
            let separator = if check.advice.is_empty() { "" } else { ": " };
            vec![result.to_owned(), check.name.to_owned(), format!("{}{separator}{}", check.found, check.advice)]
        })
        .collect();
    table(&rows)
}

fn examine(settings: &Settings, checks: &mut Checks) {
    checks.ok("settings", format!("read; the database is {}", settings.database));
    listening(settings, checks);
    if let Some(directory) = settings.database.file().map(directory_of) {
        disk(&directory, checks);
    }
    if let Some(mut connection) = reach(&settings.database, "database", checks) {
        version(&mut connection, "database version", checks);
        schema(settings, checks);
        clocks(&mut connection, checks);
    } else if settings.database.file().is_some_and(|file| !file.exists()) {
        schema(settings, checks);
    }
    if let Some(replica) = &settings.read_database
        && let Some(mut connection) = reach(replica, "replica", checks)
    {
        version(&mut connection, "replica version", checks);
        lag(&mut connection, checks);
    }
}

fn listening(settings: &Settings, checks: &mut Checks) {
    let address = settings.listen;
    match TcpListener::bind(address) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let advice = "fine if that is the registry; else stop it or change LISTEN";
            checks.warn("address", format!("{address} is in use"), advice);
        }
        Err(error) => checks.fail("address", format!("{address}: {error}"), "change LISTEN"),
        Ok(_) if address.ip().is_loopback() => checks.ok("address", format!("{address} is free; this machine only")),
        Ok(_) => {
            let advice = "it speaks HTTP, so let others reach it through a proxy that speaks TLS only";
            checks.warn("address", format!("{address} is free and open to other machines"), advice);
        }
    }
}

/// The folder of a file as it is, or the nearest one above that is there.
fn directory_of(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let found = absolute.ancestors().skip(1).find(|folder| folder.is_dir());
    found.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn disk(directory: &Path, checks: &mut Checks) {
    let shown = directory.display();
    match rustix::fs::statvfs(directory) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{} MB free in {shown}", grouped(free / 1_000_000));
            let advice = "make room: a full disk stops the registry, and a million certificates take about 400 MB";
            match free {
                0..FREE_BYTES_FAIL => checks.fail("disk space", found, advice),
                FREE_BYTES_FAIL..FREE_BYTES_WARN => checks.warn("disk space", found, advice),
                FREE_BYTES_WARN.. => checks.ok("disk space", found),
            }
        }
        Err(error) => checks.warn("disk space", format!("{shown}: {error}"), "see that the folder can be read"),
    }
    match probe::fsync_latency(directory) {
        Ok(micros) => {
            let found = format!("{} µs to sync a write in {shown}", grouped(micros));
            if micros < FSYNC_MICROS_UNREAL {
                let advice = "that is too fast to be true: a power cut may lose changes; use a disk that syncs";
                checks.warn("disk sync", found, advice);
            } else if micros > FSYNC_MICROS_SLOW {
                checks.warn("disk sync", found, "each change waits for it; a faster disk makes it faster");
            } else {
                checks.ok("disk sync", found);
            }
        }
        Err(error) => checks.fail("disk sync", error.to_string(), "let this user write to the folder"),
    }
}

/// Connects, and says so.
fn reach(url: &Url, check: &'static str, checks: &mut Checks) -> Option<Connection> {
    if let Some(file) = url.file().filter(|file| !file.exists()) {
        let found = format!("there is no file {} yet", file.display());
        checks.warn(check, found, "`granary serve` and `granary migrate` make it");
        return None;
    }
    match Connection::open_as(url, OpenMode::Reader) {
        Ok(connection) => {
            checks.ok(check, format!("{url} answers"));
            Some(connection)
        }
        Err(error) => {
            let advice = "see that it runs, and that address, user and password are right";
            checks.fail(check, format!("{url}: {error}"), advice);
            None
        }
    }
}

fn version(connection: &mut Connection, check: &'static str, checks: &mut Checks) {
    let version = match probe::server_version(connection) {
        Ok(version) => version,
        Err(error) => return checks.fail(check, error.to_string(), "see the database's own log"),
    };
    match connection.engine() {
        Engine::Sqlite => checks.ok(check, format!("SQLite {version}")),
        Engine::Postgres => {
            let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
            if major.is_some_and(|major| major >= POSTGRES_MAJOR_MIN) {
                checks.ok(check, format!("PostgreSQL {version}"));
            } else {
                checks.fail(check, format!("PostgreSQL {version}"), format!("use {POSTGRES_MAJOR_MIN} or newer"));
            }
        }
    }
}

fn schema(settings: &Settings, checks: &mut Checks) {
    match migrate::status(&settings.database) {
        Ok(status) if status.pending.is_empty() => {
            let version = status.applied.last().map_or(0, |last| last.version);
            checks.ok("schema", format!("version {version}, nothing pending"));
        }
        Ok(status) => {
            let found = format!(
                "{} of {} migrations pending",
                status.pending.len(),
                status.applied.len() + status.pending.len()
            );
            checks.warn("schema", found, "`granary migrate` applies them, and so does `granary serve` when it starts");
        }
        Err(failure) => checks.fail("schema", failure.to_string(), "see that the user may read the tables"),
    }
}

fn clocks(connection: &mut Connection, checks: &mut Checks) {
    match probe::database_now(connection) {
        Ok(theirs) => {
            let apart = clock::now().duration_since(theirs).abs();
            let found =
                format!("{} ms apart from the database's", grouped(u64::try_from(apart.as_millis()).unwrap_or(0)));
            let advice = "let both machines keep their time by NTP";
            if apart > CLOCK_FAIL {
                checks.fail("clock", found, advice);
            } else if apart > CLOCK_WARN {
                checks.warn("clock", found, advice);
            } else {
                checks.ok("clock", found);
            }
        }
        Err(error) => checks.fail("clock", error.to_string(), "see the database's own log"),
    }
    if !connection.migration_status(&[]).is_ok_and(|status| !status.applied.is_empty()) {
        return;
    }
    let sql = "SELECT event_number, recorded_at FROM ledger_head WHERE id = 1";
    let last = connection.query_one(sql, &[], |row| Ok((row.get::<i64>(0)?, row.get::<Timestamp>(1)?)));
    match last {
        Ok((0, _)) => checks.ok("last event", "none yet"),
        Ok((number, at)) => {
            let ahead = at.duration_since(clock::now());
            let found = format!("event {number}, {at}");
            let advice = "this machine's clock is behind: set it, for no event may be earlier than the one before it";
            if ahead > CLOCK_FAIL {
                checks.fail("last event", format!("{found}, {} s from now", ahead.as_secs()), advice);
            } else if ahead > CLOCK_WARN {
                checks.warn("last event", format!("{found}, {} s from now", ahead.as_secs()), advice);
            } else {
                checks.ok("last event", found);
            }
        }
        Err(error) => checks.fail("last event", error.to_string(), "`granary verify` looks closer"),
    }
}

fn lag(connection: &mut Connection, checks: &mut Checks) {
    let check = "replica lag";
    match probe::replica_lag(connection) {
        Ok(None) => {
            let advice = "DATABASE_READ_URL must name a streaming replica of DATABASE_URL, or be left out";
            checks.fail(check, "it is not a standby", advice);
        }
        Ok(Some(lag)) => {
            let found = format!("{} bytes, {} s behind", grouped(lag.bytes), lag.time.as_secs());
            let advice = "reads wait for it or go to the primary; see the replica's log and its disk";
            if lag.time > LAG_FAIL {
                checks.fail(check, found, advice);
            } else if lag.time > LAG_WARN {
                checks.warn(check, found, advice);
            } else {
                checks.ok(check, found);
            }
        }
        Err(error) => checks.fail(check, error.to_string(), "see the replica's own log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_file_that_is_not_there_yet_is_the_nearest_one_above() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(directory_of(&folder.path().join("a/b/granary.db")), folder.path());
    }

    #[test]
    fn lines_say_what_was_found_and_what_to_do() {
        let mut checks = Checks::default();
        checks.ok("one", "fine");
        checks.fail("two", "broken", "mend it");
        assert_eq!(told(&checks.0), "ok    one  fine\nfail  two  broken: mend it\n");
    }
}
