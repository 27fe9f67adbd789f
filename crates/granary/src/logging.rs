//! The log: on standard error, as text for people or one JSON object a line for machines.

use crate::settings::LogFormat;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;
use web::Controls;
pub(crate) use web::LogLevel as Level;

/// Crates of this program; the libraries below them are not heard under a warning.
const OWN: [&str; 8] = ["app", "db", "domain", "granary", "store", "ui", "verify", "web"];

/// What may be said for a level, for people.
pub(crate) const LEVELS: &str = "DEBUG, INFO, WARNING, ERROR or CRITICAL";

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Warning => LevelFilter::WARN,
        // There is nothing above an error: what is critical is one.
        Level::Error | Level::Critical => LevelFilter::ERROR,
    }
}

fn targets(level: Level) -> Targets {
    let own = filter(level);
    Targets::new().with_default(own.min(LevelFilter::WARN)).with_targets(OWN.map(|name| (name, own)))
}

/// Starts the log of this process, once; what is handed back tells and changes its level.
pub(crate) fn start(level: Level, format: LogFormat) -> Controls {
    let (filter, handle) = reload::Layer::new(targets(level));
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
    let started = match format {
        LogFormat::Text => registry.with(log.with_ansi(is_terminal)).try_init(),
        LogFormat::Json => registry.with(log.json().flatten_event(true)).try_init(),
    };
    debug_assert!(started.is_ok(), "the log is started once");
    let current = Arc::new(Mutex::new(level));
    let known = Arc::clone(&current);
    let set_log_level = move |level| {
        let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
        match handle.reload(targets(level)) {
            Ok(()) => *current = level,
            Err(error) => tracing::error!(%error, "the log level could not be changed"),
        }
    };
    let log_level = move || *known.lock().unwrap_or_else(PoisonError::into_inner);
    Controls { log_level: Some(Arc::new(log_level)), set_log_level: Some(Arc::new(set_log_level)) }
}
