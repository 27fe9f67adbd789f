//! The log: on standard error, as text for people or one JSON object a line for machines.

use crate::settings::LogFormat;
use std::io;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Crates of this program; the libraries below them are not heard under a warning.
const OWN: [&str; 7] = ["app", "db", "domain", "granary", "store", "verify", "web"];

/// How much is told, in the words of the registry that this one takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Level {
    pub(crate) const NAMES: &str = "DEBUG, INFO, WARNING, ERROR or CRITICAL";

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_uppercase().as_str() {
            "DEBUG" => Self::Debug,
            "INFO" => Self::Info,
            "WARNING" => Self::Warning,
            "ERROR" => Self::Error,
            "CRITICAL" => Self::Critical,
            _ => return None,
        })
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warning => LevelFilter::WARN,
            // There is nothing above an error: what is critical is one.
            Self::Error | Self::Critical => LevelFilter::ERROR,
        }
    }
}

/// Starts the log of this process, once.
pub(crate) fn start(level: Level, format: LogFormat) {
    let filter = level.filter();
    let others = filter.min(LevelFilter::WARN);
    let targets = Targets::new().with_default(others).with_targets(OWN.map(|name| (name, filter)));
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(targets);
    let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
    let started = match format {
        LogFormat::Text => registry.with(log.with_ansi(is_terminal)).try_init(),
        LogFormat::Json => registry.with(log.json().flatten_event(true)).try_init(),
    };
    debug_assert!(started.is_ok(), "the log is started once");
}
