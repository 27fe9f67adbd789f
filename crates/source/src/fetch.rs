//! One request after the other, with pauses, time-outs, bounds, and another try where that may help.
//!
//! Tried again, at most [`ATTEMPTS_MAX`] times in all: a connection that fails, and the statuses 429, 500, 502, 503 and 504,
//! after what `Retry-After` says, else after a pause that doubles. Everything else is refused at once. Redirects are not
//! followed: the address is the operator's to set.

use crate::Wait;
use crate::cache::Cache;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use ureq::Agent;
use ureq::http::{HeaderMap, Response, StatusCode};

/// How often one request is sent.
pub(crate) const ATTEMPTS_MAX: u32 = 5;
/// Between two requests, whatever came of the first.
pub(crate) const PACE: Duration = Duration::from_millis(250);
const BACK_OFF_FIRST: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_mins(1);
/// The longest pause that a service may ask for.
const ASKED_PAUSE_MAX: Duration = Duration::from_mins(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 32 << 20;
const USER_AGENT: &str = concat!("granary/", env!("CARGO_PKG_VERSION"));

/// Which service, and how it is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The part of the address before `/datasets`, without a slash at its end.
    pub base: String,
    /// Where answers are kept for a while; nowhere if absent.
    pub cache: Option<PathBuf>,
    pub wait: Wait,
}

/// Why an answer is not to be had. Nothing was taken of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the source cannot be reached: {why}")]
    Unreachable { why: String },
    #[error("the source answers with status {status}")]
    Status { status: u16 },
    #[error("the source asks to be left alone for {seconds} s; try again later")]
    AsksToWait { seconds: u64 },
    #[error("the source's answer is longer than {max} bytes; ask for less")]
    TooLong { max: u64 },
    #[error("the source answers with a page for people instead of data")]
    Page,
    #[error("the source's answer is not whole, or not JSON: {why}")]
    NotJson { why: String },
    #[error("record {record} of the source's answer does not have the shape of {dataset}: {why}")]
    Shape { dataset: &'static str, record: usize, why: String },
    #[error("record {record} of the source's answer is of unit {found}, which was not asked for")]
    OtherUnit { record: usize, found: String },
    #[error("the registry is closing")]
    Stopped,
}

/// Asks one service; several threads that ask do so one after the other.
#[derive(Debug)]
pub(crate) struct Fetch {
    settings: Settings,
    agent: Agent,
    cache: Option<Cache>,
    /// Whether anything was asked yet. Held while a request is under way.
    has_asked: Mutex<bool>,
}

/// An answer, and whether it came from the cache.
pub(crate) struct Fetched {
    pub(crate) body: Vec<u8>,
    address: String,
    is_kept: bool,
}

enum Failed {
    Finally(Fault),
    /// It may go better another time; after what the service said, if it said something.
    ForNow(Fault, Option<Duration>),
}

impl Fetch {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(ANSWER_WITHIN))
            .accept("application/json")
            .user_agent(USER_AGENT);
        if is_loopback(&settings.base) {
            config = config.proxy(None);
        }
        let cache = settings.cache.clone().map(Cache::at);
        Self { agent: config.build().new_agent(), cache, has_asked: Mutex::new(false), settings }
    }

    /// The answer to `path`, which begins with a slash. It is kept only once [`keep`](Self::keep) says that it was good.
    pub(crate) fn get(&self, path: &str, now: Timestamp, is_over: &dyn Fn() -> bool) -> Result<Fetched, Fault> {
        let address = format!("{}{path}", self.settings.base);
        if let Some(body) = self.cache.as_ref().and_then(|cache| cache.get(&address, now)) {
            return Ok(Fetched { body, address, is_kept: true });
        }
        let mut has_asked = self.has_asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut back_off = BACK_OFF_FIRST;
        let mut attempt = 1;
        loop {
            if *has_asked {
                self.pause(PACE, is_over)?;
            }
            *has_asked = true;
            let (fault, asked) = match self.once(&address, now) {
                Ok(body) => return Ok(Fetched { body, address, is_kept: false }),
                Err(Failed::Finally(fault)) => return Err(fault),
                Err(Failed::ForNow(fault, asked)) => (fault, asked),
            };
            if attempt == ATTEMPTS_MAX {
                return Err(fault);
            }
            if let Some(asked) = asked.filter(|asked| *asked > ASKED_PAUSE_MAX) {
                return Err(Fault::AsksToWait { seconds: asked.as_secs() });
            }
            tracing::warn!(%fault, attempt, "the source is asked again");
            self.pause(asked.unwrap_or(back_off), is_over)?;
            back_off = (back_off * 2).min(BACK_OFF_MAX);
            attempt += 1;
        }
    }

    pub(crate) fn keep(&self, fetched: &Fetched, now: Timestamp) {
        if let Some(cache) = self.cache.as_ref().filter(|_| !fetched.is_kept) {
            cache.put(&fetched.address, &fetched.body, now);
        }
    }

    fn pause(&self, pause: Duration, is_over: &dyn Fn() -> bool) -> Result<(), Fault> {
        if self.settings.wait.pause(pause, is_over) { Ok(()) } else { Err(Fault::Stopped) }
    }

    fn once(&self, address: &str, now: Timestamp) -> Result<Vec<u8>, Failed> {
        let mut response = self.agent.get(address).call().map_err(failed)?;
        let status = response.status();
        if status != StatusCode::OK {
            let fault = Fault::Status { status: status.as_u16() };
            return Err(match status.as_u16() {
                429 | 500 | 502 | 503 | 504 => Failed::ForNow(fault, retry_after(response.headers(), now)),
                _ => Failed::Finally(fault),
            });
        }
        let says_page = says_page(&response);
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(failed)?;
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        if says_page || first == Some(&b'<') { Err(Failed::Finally(Fault::Page)) } else { Ok(body) }
    }
}

fn failed(error: ureq::Error) -> Failed {
    match error {
        ureq::Error::BodyExceedsLimit(max) => Failed::Finally(Fault::TooLong { max }),
        error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::Tls(_)) => {
            Failed::Finally(Fault::Unreachable { why: error.to_string() })
        }
        other => Failed::ForNow(Fault::Unreachable { why: other.to_string() }, None),
    }
}

fn says_page<B>(response: &Response<B>) -> bool {
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase().contains("html")
}

/// `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(until.duration_since(now).try_into().unwrap_or(Duration::ZERO))
}

fn is_loopback(base: &str) -> bool {
    ["http://127.", "http://localhost", "http://[::1]"].iter().any(|start| base.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_by_a_date() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        for (text, pause) in [
            ("7", Some(Duration::from_secs(7))),
            ("Sun, 01 Mar 2026 12:02:00 GMT", Some(Duration::from_mins(2))),
            ("Sun, 01 Mar 2026 11:00:00 GMT", Some(Duration::ZERO)),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", text.parse().unwrap());
            assert_eq!(retry_after(&headers, now), pause, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
