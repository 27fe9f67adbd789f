//! A database of its own for each test: a temporary SQLite file, or a new database on the PostgreSQL server that
//! `TEST_POSTGRES_URL` names.
//!
//! Invariant: no two tests, in whatever process, share a database, and it is gone when its [`TestDatabase`] is dropped.
//! Without the variable a test fails; it never passes by not running. `scripts/test-postgres.sh` starts a server.
//! Everything panics instead of returning errors, and blocks: from an async test, call it on a blocking thread.

use crate::{Connection, Migration, Url};
use std::sync::atomic::{AtomicU64, Ordering};

pub use crate::Engine;

/// The variable with the address of a server on which databases may be created and dropped.
pub const SERVER_VARIABLE: &str = "TEST_POSTGRES_URL";
/// Any constant: processes that want the same template take turns.
const TEMPLATE_LOCK: &str = "SET lock_timeout = '5min'; SELECT pg_advisory_lock(5279042)";

/// A database that nobody else uses; dropped with this.
#[derive(Debug)]
pub struct TestDatabase {
    url: Url,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Sqlite(#[expect(dead_code, reason = "held so that the directory lives as long as the database")] tempfile::TempDir),
    Postgres { server: Url, name: String },
}

impl TestDatabase {
    /// Without any table.
    pub fn empty(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::file(),
            Engine::Postgres => Self::database("template0"),
        }
    }

    /// A copy of the PostgreSQL database `template`, to which nobody may be connected.
    pub fn from_template(template: &str) -> Self {
        Self::database(template)
    }

    /// With all `migrations` applied. On PostgreSQL they run once, into a template that all tests copy; a change of any of
    /// them makes another template.
    pub fn migrated(engine: Engine, migrations: &[Migration]) -> Self {
        if engine == Engine::Sqlite {
            let database = Self::file();
            database.connect().migrate(migrations).expect("the migrations apply");
            return database;
        }
        let text: String = migrations.iter().map(|migration| migration.postgres).collect();
        let template = format!("granary_template_{:016x}", fingerprint(&text));
        Self::with_template(&template, |connection| {
            connection.migrate(migrations).expect("the migrations apply");
        })
    }

    /// A copy of the PostgreSQL database `template`, which `prepare` fills if it does not exist yet.
    pub fn with_template(template: &str, prepare: impl FnOnce(&mut Connection)) -> Self {
        let server = server();
        let mut admin = connect(&server);
        admin.batch(TEMPLATE_LOCK).expect("the lock on templates");
        let exists = "SELECT COUNT(*) FROM pg_database WHERE datname = $1";
        if admin.query_one(exists, &[template.into()], |row| row.get::<i64>(0)).expect("a count") == 0 {
            // Under another name until it is complete: a killed test must not leave half a template.
            let unfinished = unique_name();
            create(&mut admin, &unfinished, "template0");
            prepare(&mut connect(&server.with_database(&unfinished).expect("a URL")));
            admin.batch(&format!("ALTER DATABASE {unfinished} RENAME TO {template}")).expect("a rename");
        }
        drop(admin);
        Self::database(template)
    }

    /// One empty database of each engine, to run the same test on both.
    pub fn both() -> [Self; 2] {
        [Self::empty(Engine::Sqlite), Self::empty(Engine::Postgres)]
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    pub fn engine(&self) -> Engine {
        self.url.engine()
    }

    /// A new writer.
    pub fn connect(&self) -> Connection {
        connect(&self.url)
    }

    fn file() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = Url::of_file(&directory.path().join("granary.db"));
        Self { url, place: Place::Sqlite(directory) }
    }

    fn database(template: &str) -> Self {
        let server = server();
        let name = unique_name();
        create(&mut connect(&server), &name, template);
        let url = server.with_database(&name).expect("a URL");
        Self { url, place: Place::Postgres { server, name } }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Place::Postgres { server, name } = &self.place {
            let (server, text) = (server.clone(), format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            // On a thread of its own: a test may end on an async worker, where connecting would panic.
            let dropped = std::thread::spawn(move || Connection::open(&server)?.batch(&text)).join();
            // During a panic there is already something to tell.
            if !std::thread::panicking() {
                dropped.expect("no panic").expect("the test's database can be dropped");
            }
        }
    }
}

fn server() -> Url {
    let text = std::env::var(SERVER_VARIABLE).unwrap_or_else(|_| {
        panic!(
            "{SERVER_VARIABLE} is not set. Tests also run on PostgreSQL: `scripts/test-postgres.sh start`, \
             then `export {SERVER_VARIABLE}=$(scripts/test-postgres.sh url)`"
        )
    });
    Url::parse(&text).unwrap_or_else(|error| panic!("{SERVER_VARIABLE}: {error}"))
}

fn connect(url: &Url) -> Connection {
    Connection::open(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn create(admin: &mut Connection, name: &str, template: &str) {
    let text = format!("CREATE DATABASE {name} TEMPLATE {template}");
    admin.batch(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
}

/// Unlike that of any other test, in this process, another one, or an earlier one with the same number.
fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    format!("test_{}_{}_{random:016x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// FNV-1a: the same in every process and every build.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
