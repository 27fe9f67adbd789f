//! What the program is told: flags, then the environment, then `.env`, then defaults.
//!
//! Invariant: a value is taken from exactly one place, all that is wrong is told at once with the name, the place and the
//! rule, and no message shows a secret. An empty value stands for the default. It opens nothing.

mod file;
mod nearest;
mod parse;

use crate::logging::{LEVELS, Level};
use app::{ElexonSchedule, SourceSettings, Url, Wait};
use clap::Args;
use domain::Rules;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

pub(crate) use parse::{fraction_of, password as password_rule};

/// A setting: its name in the environment and in the file, its default as it would be written there, and whether its value
/// must not be shown.
struct Setting {
    name: &'static str,
    default: Option<&'static str>,
    is_secret: bool,
}

const LISTEN: Setting = open("LISTEN", "127.0.0.1:8000");
const DATABASE_URL: Setting =
    Setting { name: "DATABASE_URL", default: Some("sqlite://data/granary.db"), is_secret: true };
const DATABASE_READ_URL: Setting = Setting { name: "DATABASE_READ_URL", default: None, is_secret: true };
const ADMIN_EMAIL: Setting = open("ADMIN_EMAIL", "admin@example.org");
const ADMIN_PASSWORD: Setting = Setting { name: "ADMIN_PASSWORD", default: None, is_secret: true };
const CERTIFICATE_EXPIRY_YEARS: Setting = open("CERTIFICATE_EXPIRY_YEARS", "2");
const CERTIFICATE_GRANULARITY_HOURS: Setting = open("CERTIFICATE_GRANULARITY_HOURS", "1");
const SUM_READINGS_TO_HOUR: Setting = open("SUM_READINGS_TO_HOUR", "false");
const CAPACITY_MARGIN: Setting = open("CAPACITY_MARGIN", "1.1");
const ACCESS_TOKEN_EXPIRE_MINUTES: Setting = open("ACCESS_TOKEN_EXPIRE_MINUTES", "60");
const QUERY_PERIOD_DAYS_MAX: Setting = open("QUERY_PERIOD_DAYS_MAX", "30");
const ELEXON_URL: Setting = open("ELEXON_URL", "https://data.elexon.co.uk/bmrs/api/v1");
const ELEXON_CACHE: Setting = Setting { name: "ELEXON_CACHE", default: None, is_secret: false };
const ELEXON_EVERY_HOURS: Setting = Setting { name: "ELEXON_EVERY_HOURS", default: None, is_secret: false };
const ELEXON_DAYS: Setting = open("ELEXON_DAYS", "40");
const LOG_LEVEL: Setting = Setting { name: "LOG_LEVEL", default: None, is_secret: false };
const LOG_FORMAT: Setting = open("LOG_FORMAT", "text");

const ALL: [&Setting; 17] = [
    &LISTEN,
    &DATABASE_URL,
    &DATABASE_READ_URL,
    &ADMIN_EMAIL,
    &ADMIN_PASSWORD,
    &CERTIFICATE_EXPIRY_YEARS,
    &CERTIFICATE_GRANULARITY_HOURS,
    &SUM_READINGS_TO_HOUR,
    &CAPACITY_MARGIN,
    &ACCESS_TOKEN_EXPIRE_MINUTES,
    &QUERY_PERIOD_DAYS_MAX,
    &ELEXON_URL,
    &ELEXON_CACHE,
    &ELEXON_EVERY_HOURS,
    &ELEXON_DAYS,
    &LOG_LEVEL,
    &LOG_FORMAT,
];

/// Where the demonstration is kept unless told otherwise: never where real data is.
const DEMO_DATABASE: &str = "sqlite://data/demo.db";
/// The file that is read if it is there.
const ENV_FILE: &str = ".env";

const fn open(name: &'static str, default: &'static str) -> Setting {
    Setting { name, default: Some(default), is_secret: false }
}

/// Settings on the command line. There is none for a password: others on the machine can read command lines.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings (--help tells more)")]
pub(crate) struct Flags {
    #[arg(help = "A file of settings, NAME=value a line, instead of .env", long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
    #[arg(
        help = "LISTEN: the address and port to serve on [default: 127.0.0.1:8000]",
        long,
        global = true,
        value_name = "ADDRESS",
        hide_short_help = true
    )]
    listen: Option<String>,
    #[arg(
        help = "DATABASE_URL: sqlite://FILE or postgres://… [default: sqlite://data/granary.db]",
        long,
        global = true,
        value_name = "URL"
    )]
    database_url: Option<String>,
    #[arg(
        help = "DATABASE_READ_URL: a streaming replica that answers reads",
        long,
        global = true,
        value_name = "URL",
        hide_short_help = true
    )]
    database_read_url: Option<String>,
    #[arg(
        help = "ADMIN_EMAIL: who signs in as the first administrator [default: admin@example.org]",
        long,
        global = true,
        value_name = "EMAIL",
        hide_short_help = true
    )]
    admin_email: Option<String>,
    #[arg(
        help = "CERTIFICATE_EXPIRY_YEARS: 1 to 50 [default: 2]",
        long,
        global = true,
        value_name = "YEARS",
        hide_short_help = true
    )]
    certificate_expiry_years: Option<String>,
    #[arg(
        help = "CERTIFICATE_GRANULARITY_HOURS: the longest interval of a certificate, at most 1 [default: 1]",
        long,
        global = true,
        value_name = "HOURS",
        hide_short_help = true
    )]
    certificate_granularity_hours: Option<String>,
    #[arg(
        help = "CAPACITY_MARGIN: how far above its capacity a device is issued for, at least 1 [default: 1.1]",
        long,
        global = true,
        value_name = "DECIMAL",
        hide_short_help = true
    )]
    capacity_margin: Option<String>,
    #[arg(
        help = "ACCESS_TOKEN_EXPIRE_MINUTES: how long a sign-in lasts [default: 60]",
        long,
        global = true,
        value_name = "MINUTES",
        hide_short_help = true
    )]
    access_token_expire_minutes: Option<String>,
    #[arg(
        help = "QUERY_PERIOD_DAYS_MAX: the longest period of a certificate query [default: 30]",
        long,
        global = true,
        value_name = "DAYS",
        hide_short_help = true
    )]
    query_period_days_max: Option<String>,
    #[arg(
        help = "LOG_LEVEL: DEBUG, INFO, WARNING, ERROR or CRITICAL [default: INFO for servers, else WARNING]",
        long,
        global = true,
        value_name = "LEVEL",
        hide_short_help = true
    )]
    log_level: Option<String>,
    #[arg(
        help = "LOG_FORMAT: text or json [default: text]",
        long,
        global = true,
        value_name = "FORMAT",
        hide_short_help = true
    )]
    log_format: Option<String>,
}

impl Flags {
    fn stated(&self) -> [(&Setting, &'static str, Option<&String>); 11] {
        [
            (&LISTEN, "--listen", self.listen.as_ref()),
            (&DATABASE_URL, "--database-url", self.database_url.as_ref()),
            (&DATABASE_READ_URL, "--database-read-url", self.database_read_url.as_ref()),
            (&ADMIN_EMAIL, "--admin-email", self.admin_email.as_ref()),
            (&CERTIFICATE_EXPIRY_YEARS, "--certificate-expiry-years", self.certificate_expiry_years.as_ref()),
            (
                &CERTIFICATE_GRANULARITY_HOURS,
                "--certificate-granularity-hours",
                self.certificate_granularity_hours.as_ref(),
            ),
            (&CAPACITY_MARGIN, "--capacity-margin", self.capacity_margin.as_ref()),
            (&ACCESS_TOKEN_EXPIRE_MINUTES, "--access-token-expire-minutes", self.access_token_expire_minutes.as_ref()),
            (&QUERY_PERIOD_DAYS_MAX, "--query-period-days-max", self.query_period_days_max.as_ref()),
            (&LOG_LEVEL, "--log-level", self.log_level.as_ref()),
            (&LOG_FORMAT, "--log-format", self.log_format.as_ref()),
        ]
    }
}

/// Which defaults hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defaults {
    Usual,
    /// Another database, so that the demonstration never touches real data.
    Demo,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A password as it was stated; it is not shown.
#[derive(Clone)]
pub(crate) struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub listen: SocketAddr,
    pub database: Url,
    pub read_database: Option<Url>,
    pub admin_email: String,
    pub admin_password: Option<Password>,
    pub rules: Rules,
    pub token_lifetime: SignedDuration,
    pub query_period_days_max: u16,
    pub elexon_url: String,
    pub elexon_cache: Option<PathBuf>,
    /// `None`: only when asked.
    pub elexon_schedule: Option<ElexonSchedule>,
    /// `None`: what suits the command.
    pub log_level: Option<Level>,
    pub log_format: LogFormat,
}

/// Where a value was stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Flag(&'static str),
    Environment,
    File { path: PathBuf, line: usize },
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment => f.write_str("the environment"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// What is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{name} {rule}{} ({source_of_it})", shown.as_ref().map(|it| format!("; it is {it:?}")).unwrap_or_default())]
    Bad { name: &'static str, source_of_it: Source, rule: String, shown: Option<String> },
    /// A line of the file; its text is not shown, it may hold a password.
    #[error("{}, line {line}: {rule}", path.display())]
    Line { path: PathBuf, line: usize, rule: String },
    #[error("{}: {rule}", path.display())]
    File { path: PathBuf, rule: String },
}

struct Stated {
    text: String,
    source: Source,
}

/// Takes settings one by one and gathers what is wrong.
struct Reader {
    stated: BTreeMap<&'static str, Stated>,
    faults: Vec<Fault>,
}

impl Reader {
    /// The value that was stated, if it keeps its rule.
    fn optional<T>(&mut self, setting: &Setting, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let stated = self.stated.get(setting.name)?;
        match parse(&stated.text) {
            Ok(value) => Some(value),
            Err(rule) => {
                let shown = (!setting.is_secret).then(|| stated.text.chars().take(60).collect());
                let source_of_it = stated.source.clone();
                self.faults.push(Fault::Bad { name: setting.name, source_of_it, rule, shown });
                None
            }
        }
    }

    /// The value that was stated, or the default.
    fn required<T>(&mut self, setting: &Setting, default: &str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        let stated = self.optional(setting, &parse);
        stated.unwrap_or_else(|| parse(default).expect("a default keeps the rule of its setting"))
    }

    fn usual<T>(&mut self, setting: &Setting, parse: impl Fn(&str) -> Result<T, String>) -> T {
        self.required(setting, setting.default.expect("the setting has a default"), parse)
    }

    /// Notes a rule between two settings.
    fn complain(&mut self, setting: &Setting, rule: &str) {
        let source_of_it = self.stated.get(setting.name).map_or(Source::Default, |stated| stated.source.clone());
        self.faults.push(Fault::Bad { name: setting.name, source_of_it, rule: rule.to_owned(), shown: None });
    }
}

impl Settings {
    /// Reads them from flags, the environment and the file.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub(crate) fn read(flags: &Flags, defaults: Defaults) -> Result<Self, Vec<Fault>> {
        Self::from_layers(flags, |name| std::env::var_os(name).map(std::ffi::OsString::into_string), defaults)
    }

    fn from_layers(
        flags: &Flags,
        environment: impl Fn(&str) -> Option<Result<String, std::ffi::OsString>>,
        defaults: Defaults,
    ) -> Result<Self, Vec<Fault>> {
        let (mut stated, mut faults) = (BTreeMap::new(), Vec::new());
        let path = flags.env_file.clone();
        match file::read(path.as_deref().unwrap_or(ENV_FILE.as_ref()), path.is_some()) {
            Ok(found) => stated.extend(found),
            Err(found) => faults.extend(found),
        }
        for setting in ALL {
            match environment(setting.name) {
                Some(Ok(text)) => drop(stated.insert(setting.name, Stated { text, source: Source::Environment })),
                Some(Err(_)) => faults.push(Fault::Bad {
                    name: setting.name,
                    source_of_it: Source::Environment,
                    rule: "must be UTF-8".to_owned(),
                    shown: None,
                }),
                None => {}
            }
        }
        for (setting, flag, text) in flags.stated() {
            if let Some(text) = text {
                stated.insert(setting.name, Stated { text: text.clone(), source: Source::Flag(flag) });
            }
        }
        stated.retain(|_, stated| !stated.text.trim().is_empty());
        let mut reader = Reader { stated, faults };
        let settings = Self::parse(&mut reader, defaults);
        if reader.faults.is_empty() { Ok(settings) } else { Err(reader.faults) }
    }

    fn parse(reader: &mut Reader, defaults: Defaults) -> Self {
        let default_database = match defaults {
            Defaults::Usual => DATABASE_URL.default.expect("the setting has a default"),
            Defaults::Demo => DEMO_DATABASE,
        };
        let database = reader.required(&DATABASE_URL, default_database, parse::database);
        let read_database = reader.optional(&DATABASE_READ_URL, parse::database);
        if read_database.as_ref().is_some_and(|replica| [replica, &database].iter().any(|url| url.file().is_some())) {
            reader.complain(&DATABASE_READ_URL, "is for a replica of PostgreSQL; with SQLite leave it out");
        }
        let listen = reader.usual(&LISTEN, parse::address);
        if defaults == Defaults::Demo && !listen.ip().is_loopback() {
            let rule = "must be a loopback address such as 127.0.0.1:8000: everybody knows the passwords of the demo";
            reader.complain(&LISTEN, rule);
        }
        let interval_max = reader.usual(&CERTIFICATE_GRANULARITY_HOURS, parse::granularity);
        let sums_to_hour = reader.usual(&SUM_READINGS_TO_HOUR, parse::truth);
        if sums_to_hour && interval_max < SignedDuration::from_hours(1) {
            reader.complain(&SUM_READINGS_TO_HOUR, "must be false where CERTIFICATE_GRANULARITY_HOURS is below 1");
        }
        let every_hours = reader.optional(&ELEXON_EVERY_HOURS, |text| parse::whole(text, 1, parse::ELEXON_HOURS_MAX));
        let days = reader.usual(&ELEXON_DAYS, |text| parse::whole(text, 1, parse::ELEXON_DAYS_MAX));
        Self {
            listen,
            database,
            read_database,
            admin_email: reader.usual(&ADMIN_EMAIL, parse::text),
            admin_password: reader.optional(&ADMIN_PASSWORD, parse::password).map(Password),
            rules: Rules {
                expiry_years: reader.usual(&CERTIFICATE_EXPIRY_YEARS, |text| parse::whole(text, 1, 50)),
                interval_max,
                sums_to_hour,
                capacity_margin: reader.usual(&CAPACITY_MARGIN, parse::margin),
            },
            token_lifetime: SignedDuration::from_mins(
                reader.usual(&ACCESS_TOKEN_EXPIRE_MINUTES, |text| parse::whole(text, 1, parse::TOKEN_MINUTES_MAX)),
            ),
            query_period_days_max: reader
                .usual(&QUERY_PERIOD_DAYS_MAX, |text| parse::whole(text, 1, parse::QUERY_DAYS_MAX)),
            elexon_url: reader.usual(&ELEXON_URL, parse::web_address),
            elexon_cache: reader.optional(&ELEXON_CACHE, |text| Ok(PathBuf::from(text.trim()))),
            elexon_schedule: every_hours.map(|every_hours| ElexonSchedule { every_hours, days }),
            log_level: reader
                .optional(&LOG_LEVEL, |text| Level::parse(text).ok_or_else(|| format!("must be {LEVELS}"))),
            log_format: reader.usual(&LOG_FORMAT, parse::log_format),
        }
    }

    /// The part of it that the registry itself needs.
    pub(crate) fn for_registry(&self) -> app::Settings {
        app::Settings {
            database: self.database.clone(),
            read_database: self.read_database.clone(),
            rules: self.rules,
            token_lifetime: self.token_lifetime,
            query_period_days_max: self.query_period_days_max,
            elexon: SourceSettings {
                base: self.elexon_url.clone(),
                cache: self.elexon_cache.clone(),
                wait: Wait::real(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
