//! The file of settings: `NAME=value` a line, `#` comments, quotes as in a shell.
//!
//! Invariant: a name that is not known is refused, so that a slip never turns into a default. A value is one line and is
//! taken as it stands: where `$` would be replaced by something, it is refused instead.

use super::nearest::nearest;
use super::{ALL, Fault, Source, Stated};
use std::collections::BTreeMap;
use std::path::Path;

/// The largest file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

const USE_DATABASE_URL: &str = "write DATABASE_URL=postgres://user:password@host:5432/database";
const NO_SECRETS: &str =
    "leave it out: sign-ins are random tokens of which only hashes are kept, so there is no secret";

/// Names that the `.env` of the FEA demonstration registry has and this one does not, and what takes their place.
const OF_THE_SEED: &[(&str, &str)] = &[
    ("DATABASE_HOST_READ", "write DATABASE_READ_URL=postgres://user:password@host:5432/database"),
    ("DATABASE_HOST_WRITE", USE_DATABASE_URL),
    ("DATABASE_PORT", USE_DATABASE_URL),
    ("POSTGRES_USER", USE_DATABASE_URL),
    ("POSTGRES_PASSWORD", USE_DATABASE_URL),
    ("POSTGRES_DB", USE_DATABASE_URL),
    ("ENVIRONMENT", "leave it out: there is one kind of environment"),
    ("STATIC_DIR_FP", "leave it out: static files are part of the program"),
    ("JWT_SECRET_KEY", NO_SECRETS),
    ("JWT_ALGORITHM", NO_SECRETS),
    ("MIDDLEWARE_SECRET_KEY", NO_SECRETS),
    ("REFRESH_TOKEN_EXPIRE_MINUTES", "write ACCESS_TOKEN_EXPIRE_MINUTES: there is one kind of token"),
    ("ESDB_CONNECTION_STRING", "leave it out: the event log is in the database"),
    ("LOGGING_LEVEL", "write LOG_LEVEL"),
    ("CORS_ALLOWED_ORIGINS", "leave it out: the API and its pages have one origin"),
    ("REACT_APP_API_URL", "leave it out: the pages are part of the program"),
    ("FRONTEND_URL", "leave it out: the pages are part of the program"),
];

/// Names that `compose.yaml` reads from the same file; they say nothing to the program.
const OF_COMPOSE: &[&str] = &["PUBLISH_ADDRESS", "SUPERUSER_PASSWORD", "DATABASE_PASSWORD", "REPLICATION_PASSWORD"];

/// What the file states. One that is missing states nothing, unless it `is_required`.
pub(super) fn read(path: &Path, is_required: bool) -> Result<BTreeMap<&'static str, Stated>, Vec<Fault>> {
    let fault = |rule: String| vec![Fault::File { path: path.to_owned(), rule }];
    match std::fs::metadata(path) {
        Ok(found) if found.len() > FILE_BYTES_MAX => {
            return Err(fault(format!("must have at most {FILE_BYTES_MAX} bytes")));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_required => return Ok(BTreeMap::new()),
        Err(error) => return Err(fault(error.to_string())),
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<BTreeMap<&'static str, Stated>, Vec<Fault>> {
    let (mut stated, mut faults) = (BTreeMap::<&'static str, Stated>::new(), Vec::new());
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        match assignment(line) {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                if let Some(Stated { source: Source::File { line: before, .. }, .. }) = stated.get(name) {
                    let rule = format!("{name} was stated in line {before} already");
                    faults.push(Fault::Line { path: path.to_owned(), line: number, rule });
                    continue;
                }
                let source = Source::File { path: path.to_owned(), line: number };
                stated.insert(name, Stated { text: value, source });
            }
            Err(rule) => faults.push(Fault::Line { path: path.to_owned(), line: number, rule }),
        }
    }
    if faults.is_empty() { Ok(stated) } else { Err(faults) }
}

/// The known name and the value of a line; `None` for a blank line, a comment and what is for others.
fn assignment(line: &str) -> Result<Option<(&'static str, String)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, raw) = line.split_once('=').ok_or("must be NAME=value, or a comment that begins with #")?;
    let name = name.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    if OF_COMPOSE.contains(&name) {
        return Ok(None);
    }
    let known = known(name)?;
    let raw = raw.trim_start();
    if raw.contains('$') && !raw.starts_with('\'') {
        return Err(format!("{known} holds a $; put its value into single quotes"));
    }
    // Its errors show the line, which may hold a password.
    match dotenvy::from_read_iter(line.as_bytes()).next() {
        Some(Ok((_, value))) => Ok(Some((known, value))),
        Some(Err(_)) | None => {
            Err(format!("{known} cannot be read; put a value with spaces, quotes or # into single quotes"))
        }
    }
}

fn known(name: &str) -> Result<&'static str, String> {
    if let Some(setting) = ALL.iter().find(|setting| setting.name == name) {
        return Ok(setting.name);
    }
    if let Some((name, instead)) = OF_THE_SEED.iter().find(|(known, _)| *known == name) {
        return Err(format!("{name} is not a setting of Granary; {instead}"));
    }
    // A name that is none may be part of a password that went into two lines.
    let is_name = !name.is_empty() && name.len() <= 60 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name {
        return Err("must be NAME=value, or a comment that begins with #".to_owned());
    }
    let meant = nearest(name, ALL.iter().map(|setting| setting.name));
    let meant = meant.map_or_else(|| "; .env.example lists all".to_owned(), |meant| format!("; did you mean {meant}?"));
    Err(format!("{name} is not a setting{meant}"))
}
