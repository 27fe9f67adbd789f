//! How a command ends. Invariant: no text of a failure holds a password.

use crate::settings::Fault;
use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

/// How a command that could do its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    /// It did its work, and there is something to look at.
    Findings,
}

impl Verdict {
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Findings => ExitCode::from(1),
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}", listed(.0))]
    Settings(Vec<Fault>),
    /// An argument that does not keep a rule.
    #[error("{argument} {rule}")]
    Argument { argument: &'static str, rule: String },
    #[error(transparent)]
    Open(#[from] app::OpenError),
    #[error(transparent)]
    Registry(#[from] app::Error),
    #[error(transparent)]
    Seed(#[from] app::SeedError),
    #[error("the database {url}: {error}")]
    Database { url: app::Url, error: db::Error },
    #[error("{what}: {error}")]
    Io { what: String, error: io::Error },
    /// Standard output does not take any more.
    #[error("standard output: {0}")]
    Output(io::Error),
    /// Something is not as it must be for this command; what, and what to do.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) | Self::Argument { .. } => ExitCode::from(2),
            Self::Open(_)
            | Self::Registry(_)
            | Self::Seed(_)
            | Self::Database { .. }
            | Self::Io { .. }
            | Self::Output(_)
            | Self::Refused(_) => ExitCode::from(1),
        }
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |error| Self::Io { what, error }
    }

    pub(crate) fn database(url: &app::Url) -> impl Fn(db::Error) -> Self {
        let url = url.clone();
        move |error| Self::Database { url: url.clone(), error }
    }
}

impl From<Vec<Fault>> for Failure {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Settings(faults)
    }
}

fn listed(faults: &[Fault]) -> String {
    if let [fault] = faults {
        return fault.to_string();
    }
    faults.iter().fold(format!("{} settings are wrong:", faults.len()), |mut text, fault| {
        let _infallible = write!(text, "\n  {fault}");
        text
    })
}
