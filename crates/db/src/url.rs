//! Where the database is: a parsed `DATABASE_URL`.
//!
//! Invariant: neither `Display` nor `Debug` shows a password; [`Url::expose`] is the only way to the whole text.
//! It opens nothing and does not look whether anything is there.

use crate::Engine;
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// A `sqlite://` or `postgres://` address.
///
/// - `sqlite://data/granary.db` is relative to the working directory, `sqlite:///var/lib/granary.db` is absolute; the
///   path is taken literally and there are no options.
/// - `postgres://user:password@host:5432/database?sslmode=require`; `postgresql://` is the same. A Unix socket's
///   directory is a percent-encoded host: `postgres://user@%2Frun%2Fpostgresql/database`. `options=-c%20search_path=..`,
///   `connect_timeout`, `keepalives_idle`, `target_session_attrs` and the like are those of libpq.
///
/// `sslmode` is `disable`, `prefer` (the default) or `require`. With `require` the certificate must lead to one of the
/// system's roots (or those in the file that `SSL_CERT_FILE` names) and carry the host's name, so `verify-ca` and
/// `verify-full` are accepted as other words for it. With `prefer` the same is tried and, if it fails, a connection
/// without TLS, which is only right on a trusted network.
#[derive(Clone)]
pub struct Url {
    text: String,
    place: Place,
}

#[derive(Clone)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(Box<postgres::Config>),
}

/// Why a text is not a database URL. Never shows the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("must begin with sqlite://, postgres:// or postgresql://")]
    Scheme,
    #[error("names no file; write sqlite://data/granary.db, or sqlite:///absolute/path")]
    NoFile,
    #[error("a database in memory cannot be shared by the writer and the readers; name a file")]
    InMemory,
    #[error("SQLite takes no options after `?`")]
    SqliteOptions,
    #[error("names no host; write postgres://user@host:5432/database")]
    NoHost,
    #[error("{0}")]
    Postgres(String),
}

impl Url {
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        let place = match text.split_once("://") {
            Some(("sqlite", path)) => Place::Sqlite(sqlite_path(path)?),
            Some(("postgres" | "postgresql", _)) => Place::Postgres(Box::new(postgres_config(text)?)),
            _ if text.starts_with("sqlite::memory:") => return Err(UrlError::InMemory),
            _ => return Err(UrlError::Scheme),
        };
        Ok(Self { text: text.to_owned(), place })
    }

    /// The address of a SQLite file.
    pub fn of_file(path: &Path) -> Self {
        Self { text: format!("sqlite://{}", path.display()), place: Place::Sqlite(path.to_owned()) }
    }

    pub fn engine(&self) -> Engine {
        match self.place {
            Place::Sqlite(_) => Engine::Sqlite,
            Place::Postgres(_) => Engine::Postgres,
        }
    }

    /// The SQLite file; `None` for PostgreSQL.
    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::Sqlite(path) => Some(path),
            Place::Postgres(_) => None,
        }
    }

    /// The whole text, with the password: for the environment of a child process, never for a log.
    pub fn expose(&self) -> &str {
        &self.text
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The same server and user, another database.
    #[cfg(feature = "testing")]
    pub(crate) fn with_database(&self, name: &str) -> Result<Self, UrlError> {
        let (start, options) = self.text.split_once('?').unwrap_or((&self.text, ""));
        let (scheme, rest) = start.split_once("://").ok_or(UrlError::Scheme)?;
        let server = rest.split_once('/').map_or(rest, |(server, _)| server);
        Self::parse(&format!("{scheme}://{server}/{name}?{options}"))
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl PartialEq for Url {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Url {}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = match &self.place {
            Place::Sqlite(path) => return write!(f, "sqlite://{}", path.display()),
            Place::Postgres(config) => config,
        };
        f.write_str("postgres://")?;
        if let Some(user) = config.get_user() {
            write!(f, "{user}@")?;
        }
        for (at, host) in config.get_hosts().iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match host {
                postgres::config::Host::Tcp(name) => write!(f, "{comma}{name}")?,
                postgres::config::Host::Unix(path) => write!(f, "{comma}{}", path.display())?,
            }
            if let Some(port) = config.get_ports().get(at).or(config.get_ports().first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

fn sqlite_path(path: &str) -> Result<PathBuf, UrlError> {
    if path.contains('?') {
        return Err(UrlError::SqliteOptions);
    }
    if path.trim_start_matches('/') == ":memory:" {
        return Err(UrlError::InMemory);
    }
    if path.is_empty() || path.ends_with('/') {
        return Err(UrlError::NoFile);
    }
    Ok(PathBuf::from(path))
}

fn postgres_config(text: &str) -> Result<postgres::Config, UrlError> {
    // The driver knows only `require`; ours always verifies.
    let (server, options) = text.split_once('?').unwrap_or((text, ""));
    let options =
        options.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    let text = format!("{server}?{options}");
    let mut config: postgres::Config = text.parse().map_err(|error: postgres::Error| {
        let reason = std::error::Error::source(&error).map(ToString::to_string);
        UrlError::Postgres(reason.unwrap_or_else(|| error.to_string()))
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(UrlError::NoHost);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(crate::CONNECT_TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("granary");
    }
    if config.get_keepalives() && config.get_keepalives_idle() > KEEPALIVE_IDLE {
        config.keepalives_idle(KEEPALIVE_IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(KEEPALIVE_INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(KEEPALIVE_RETRIES);
    }
    Ok(config)
}

/// A dead peer is noticed after about `KEEPALIVE_IDLE + KEEPALIVE_RETRIES * KEEPALIVE_INTERVAL`.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_and_an_absolute_file_are_told_apart() {
        assert_eq!(Url::parse("sqlite://data/granary.db").unwrap().file(), Some(Path::new("data/granary.db")));
        assert_eq!(Url::parse("sqlite:///srv/granary.db").unwrap().file(), Some(Path::new("/srv/granary.db")));
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://ann:s3cret@db.example:5433/ledger",
            "postgresql://ann@db.example:5433/ledger?password=s3cret&sslmode=require",
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(url.to_string(), "postgres://ann@db.example:5433/ledger");
            assert!(!format!("{url:?}").contains("s3cret"));
            assert!(url.expose().contains("s3cret"));
        }
    }

    #[test]
    fn a_socket_directory_is_a_host() {
        let url = Url::parse("postgres://ann@%2Frun%2Fpostgresql:5432/ledger").unwrap();
        assert_eq!(url.to_string(), "postgres://ann@/run/postgresql:5432/ledger");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, error) in [
            ("mysql://x", UrlError::Scheme),
            ("granary.db", UrlError::Scheme),
            ("sqlite://", UrlError::NoFile),
            ("sqlite://data/", UrlError::NoFile),
            ("sqlite://:memory:", UrlError::InMemory),
            ("sqlite::memory:", UrlError::InMemory),
            ("sqlite://a.db?mode=ro", UrlError::SqliteOptions),
            ("postgres://", UrlError::NoHost),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
        for (text, part) in [
            ("postgres://ann:s3cret@h/d?sslmode=maybe", "sslmode"),
            ("postgres://ann:s3cret@h/d?sslrootcert=x", "sslrootcert"),
            ("postgres://ann:s3cret@h:port/d", "port"),
        ] {
            let error = Url::parse(text).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_names_libpq_gives_to_verification_are_understood() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = Url::parse(&format!("postgres://ann@h/d?sslmode={mode}")).unwrap();
            let Place::Postgres(config) = url.place() else { panic!("not PostgreSQL") };
            assert_eq!(config.get_ssl_mode(), postgres::config::SslMode::Require, "{mode}");
        }
    }
}
