//! PostgreSQL's side: connecting, prepared statements, and the binary form of values.
//!
//! Invariant: an open session is in UTC and closes on any thread without touching an async runtime that is running there.
//! It does not pool, and does not reconnect.

use crate::{Error, OpenMode, Result, STATEMENTS_MAX, Value, error::PostgresError, sqlite_driver::BUSY_TIMEOUT};
use bytes::{BufMut as _, BytesMut};
use jiff::Timestamp;
use postgres::{
    Client, Config, NoTls, Statement,
    config::{Host, SslMode},
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};
use std::{borrow::Cow, collections::HashMap, error::Error as StdError, sync::OnceLock, time::Duration};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection may take to come up, unless the URL has a `connect_timeout`.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one statement of a reader may take.
pub const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// PostgreSQL counts microseconds from 2000-01-01.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// The version byte in front of a JSONB.
const JSONB_VERSION: u8 = 1;

type BoxError = Box<dyn StdError + Sync + Send>;

/// A session with its prepared statements.
pub(crate) struct Session {
    /// `None` only while it is being dropped.
    client: Option<Client>,
    prepared: HashMap<Box<str>, (Statement, u64)>,
    /// Counts uses, to know the statement that was not used for longest.
    uses: u64,
}

impl Session {
    pub(crate) fn connect(config: &Config, mode: OpenMode) -> Result<Self> {
        let mut client = connect(config)?;
        client.batch_execute(&settings(mode))?;
        Ok(Self { client: Some(client), prepared: HashMap::new(), uses: 0 })
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("the client is taken only by drop")
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.as_ref().is_none_or(Client::is_closed)
    }

    /// The prepared statement for `sql`, made now if it is not known yet.
    pub(crate) fn prepare(&mut self, sql: &str) -> Result<Statement> {
        self.uses += 1;
        if let Some((statement, used)) = self.prepared.get_mut(sql) {
            *used = self.uses;
            return Ok(statement.clone());
        }
        if self.prepared.len() >= STATEMENTS_MAX {
            self.forget_oldest();
        }
        let statement = self.client().prepare(&dialect(sql))?;
        self.prepared.insert(sql.into(), (statement.clone(), self.uses));
        Ok(statement)
    }

    /// After a change of the schema the server refuses old plans: all are made anew.
    pub(crate) fn forget_statements(&mut self) {
        self.prepared.clear();
    }

    fn forget_oldest(&mut self) {
        let oldest = self.prepared.iter().min_by_key(|(_, (_, used))| *used).map(|(sql, _)| sql.clone());
        if let Some(sql) = oldest {
            self.prepared.remove(&sql);
        }
    }
}

impl Drop for Session {
    /// The client blocks on a runtime of its own to say goodbye, which panics on an async worker; so a plain thread does it.
    fn drop(&mut self) {
        let client = self.client.take();
        // The statements close themselves through the client, so they go first.
        self.prepared.clear();
        if let Ok(thread) = std::thread::Builder::new().name("db-close".into()).spawn(move || drop(client)) {
            let _: std::thread::Result<()> = thread.join();
        }
    }
}

fn connect(config: &Config) -> Result<Client> {
    let only_sockets =
        config.get_hostaddrs().is_empty() && config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
    if only_sockets || config.get_ssl_mode() == SslMode::Disable {
        let mut plain = config.clone();
        return Ok(plain.ssl_mode(SslMode::Disable).connect(NoTls)?);
    }
    let secured = tls().map(|tls| config.connect(tls).map_err(PostgresError));
    let failure = match secured {
        Ok(Ok(client)) => return Ok(client),
        // The server was reached and answered: without TLS it would say the same.
        Ok(Err(error)) if error.0.as_db_error().is_some() => return Err(Error::Postgres(error)),
        Ok(Err(error)) => Error::Postgres(error),
        Err(error) => error,
    };
    if config.get_ssl_mode() != SslMode::Prefer || !is_about_tls(&failure) {
        return Err(failure);
    }
    tracing::warn!(reason = %failure, "connecting to PostgreSQL without TLS, as sslmode=prefer allows");
    let mut plain = config.clone();
    Ok(plain.ssl_mode(SslMode::Disable).connect(NoTls)?)
}

fn is_about_tls(error: &Error) -> bool {
    match error {
        Error::Tls(_) => true,
        Error::Postgres(error) => error.0.to_string().contains("TLS"),
        _ => false,
    }
}

/// TLS 1.2 or 1.3; the certificate must lead to a root of the system and carry the host's name.
fn tls() -> Result<MakeRustlsConnect> {
    static CONNECT: OnceLock<Result<MakeRustlsConnect, String>> = OnceLock::new();
    let made = CONNECT.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = rustls::RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(found.certs);
        if usable == 0 {
            return Err("no root certificates on this system; name a file of them in SSL_CERT_FILE".to_owned());
        }
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
    });
    made.clone().map_err(Error::Tls)
}

/// The statement as PostgreSQL knows it: `x IN rarray($1)` is `x = ANY($1)`, one look-up in the index for each member,
/// whatever the planner thinks of the table.
fn dialect(sql: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(sql);
    for name in ["IN rarray(", "IN rarray_text("] {
        while let Some(start) = text.find(name) {
            let arguments = start + name.len();
            let Some(length) = text[arguments..].find(')') else { return text };
            let end = arguments + length;
            text = format!("{}= ANY({}){}", &text[..start], &text[arguments..end], &text[end + 1..]).into();
        }
    }
    text
}

/// Rows are looked up by key, in sets: of each set's members the index is asked. A plan made while a table was small, or
/// without statistics, must not read the whole of it once it has grown, so the ways to do that are closed.
const BY_KEY: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; \
    SET enable_mergejoin = off; SET enable_material = off; SET jit = off;";

/// The writer asks the same few things again and again, each time for other keys. With the other ways closed there is one
/// plan for each, and planning it again for each set of keys takes longer than looking them up.
const PLAN_ONCE: &str = "SET plan_cache_mode = force_generic_plan;";

fn settings(mode: OpenMode) -> String {
    let (lock, read) = (BUSY_TIMEOUT.as_millis(), READ_TIMEOUT.as_millis());
    let common = format!("SET TIME ZONE 'UTC'; SET lock_timeout = {lock};");
    match mode {
        OpenMode::Writer => format!("{common} {BY_KEY} {PLAN_ONCE}"),
        OpenMode::Reader => {
            format!("{common} {BY_KEY} SET default_transaction_read_only = on; SET statement_timeout = {read};")
        }
        // What reads whole tables is left to the planner.
        OpenMode::LongReader => format!("{common} SET default_transaction_read_only = on; SET statement_timeout = 0;"),
    }
}

/// Runs `call` with the driver's error told as ours: which parameter cannot be stored, and why.
pub(crate) fn told(error: postgres::Error) -> Error {
    let text = error.to_string();
    let refused = text.strip_prefix("error serializing parameter ").and_then(|place| place.parse::<usize>().ok());
    match (refused, StdError::source(&error)) {
        (Some(place), Some(reason)) => Error::Value { parameter: place + 1, reason: reason.to_string() },
        _ => error.into(),
    }
}

/// The server says which type each parameter has, and the value follows it.
impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        match (*self, ty) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (Value::Bool(value), &Type::BOOL) => out.put_u8(value.into()),
            (Value::Int(value), &Type::INT8) => out.put_i64(value),
            (Value::Int(value), &Type::INT4) => {
                out.put_i32(i32::try_from(value).map_err(|_| "an integer out of range")?);
            }
            (Value::Int(value), &Type::INT2) => {
                out.put_i16(i16::try_from(value).map_err(|_| "an integer out of range")?);
            }
            (Value::Instant(value), &Type::TIMESTAMPTZ) => out.put_i64(value.as_microsecond() - EPOCH_MICROS),
            (Value::Text(value), &Type::TEXT | &Type::VARCHAR | &Type::NAME) | (Value::Json(value), &Type::JSON) => {
                out.put_slice(Value::storable(value)?.as_bytes());
            }
            (Value::Json(value), &Type::JSONB) => {
                out.put_u8(JSONB_VERSION);
                out.put_slice(Value::storable(value)?.as_bytes());
            }
            (Value::Bytes(value), &Type::BYTEA) => out.put_slice(value),
            (Value::Ids(ids), &Type::INT8_ARRAY) => return ids.to_sql(ty, out),
            (Value::Texts(texts), &Type::TEXT_ARRAY) => return texts.to_sql(ty, out),
            (value, ty) => return Err(format!("{} cannot be a parameter of type {ty}", value.kind()).into()),
        }
        Ok(IsNull::No)
    }

    /// `to_sql` looks at value and type together.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column as it came, to be decoded where an error can name it.
struct Cell<'r> {
    ty: Type,
    raw: Option<&'r [u8]>,
}

impl<'r> FromSql<'r> for Cell<'r> {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, BoxError> {
        Ok(Self { ty: ty.clone(), raw: Some(raw) })
    }

    fn from_sql_null(ty: &Type) -> Result<Self, BoxError> {
        Ok(Self { ty: ty.clone(), raw: None })
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

pub(crate) fn read(row: &postgres::Row, index: usize) -> Result<Value<'_>> {
    if index >= row.len() {
        return Err(Error::column(index, "nothing: the row is not that wide"));
    }
    let cell: Cell<'_> = row.try_get(index)?;
    cell.raw.map_or(Ok(Value::Null), |raw| {
        decode(&cell.ty, raw).ok_or_else(|| Error::column(index, format!("a {} that cannot be read", cell.ty)))
    })
}

/// `None`: a type outside the common subset (cast a SUM to BIGINT), or an instant that is infinite.
fn decode<'r>(ty: &Type, raw: &'r [u8]) -> Option<Value<'r>> {
    Some(match *ty {
        Type::BOOL => Value::Bool(raw == [1]),
        Type::INT8 => Value::Int(i64::from_be_bytes(raw.try_into().ok()?)),
        Type::INT4 => Value::Int(i32::from_be_bytes(raw.try_into().ok()?).into()),
        Type::INT2 => Value::Int(i16::from_be_bytes(raw.try_into().ok()?).into()),
        Type::TIMESTAMPTZ => {
            let micros = i64::from_be_bytes(raw.try_into().ok()?).checked_add(EPOCH_MICROS)?;
            Value::Instant(Timestamp::from_microsecond(micros).ok()?)
        }
        Type::TEXT | Type::VARCHAR | Type::NAME | Type::JSON => Value::Text(std::str::from_utf8(raw).ok()?),
        Type::JSONB => Value::Text(std::str::from_utf8(raw.get(1..)?).ok()?),
        Type::BYTEA => Value::Bytes(raw),
        _ => return None,
    })
}
