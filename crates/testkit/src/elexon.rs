//! A local server that answers in Elexon's shapes: what it was given, or what a test wants it to say next.
//!
//! No test reaches the internet. The shapes are those that public clients of the service describe; `docs/live-data.md` tells
//! which of them.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// What a test wants it to answer instead of what it has.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With `Retry-After`, where there is one.
    Status(u16, Option<u64>),
    /// This body of this type.
    Body(&'static str, String),
    /// No answer, for as long as the client waits.
    Silence,
}

#[derive(Default)]
struct Held {
    /// `MWh` as text, and the settlement run, by unit and start.
    half_hours: BTreeMap<(String, Timestamp), (String, &'static str)>,
    /// MW as text, by unit.
    capacities: BTreeMap<String, String>,
    next: VecDeque<Reply>,
    asked: Vec<String>,
}

/// The server. Dropped, it stops.
pub struct ElexonServer {
    held: Arc<Mutex<Held>>,
    pauses: Arc<Mutex<Vec<Duration>>>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl ElexonServer {
    /// On a port of its own, with nothing to tell.
    ///
    /// # Panics
    /// If there is no port or no thread.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        let held = Arc::new(Mutex::new(Held::default()));
        let app = Router::new().fallback(answer).with_state(held.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let over = async move {
                let _: Result<(), _> = stopped.await;
            };
            let served = async { axum::serve(listener, app).with_graceful_shutdown(over).await };
            runtime.block_on(served).expect("the server runs");
        });
        Self { held, pauses: Arc::default(), address, stop: Some(stop), thread: Some(thread) }
    }

    /// How a registry asks it, without pauses.
    pub fn settings(&self) -> source::Settings {
        let wait = source::Wait::noted(self.pauses.clone());
        source::Settings { base: format!("http://{}", self.address), cache: None, wait }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it has these `MWh` for half-hours of `unit` from `start` on, one after another, as of a settlement run.
    pub fn has(&self, unit: &str, start: Timestamp, run: &'static str, mwh: &[&str]) {
        let mut held = self.held();
        let starts = std::iter::successors(Some(start), |start| Some(*start + source::settlement::PERIOD));
        for (start, mwh) in starts.zip(mwh) {
            held.half_hours.insert((unit.to_owned(), start), ((*mwh).to_owned(), run));
        }
    }

    /// From now on it lacks this half-hour.
    pub fn lacks(&self, unit: &str, start: Timestamp) {
        self.held().half_hours.remove(&(unit.to_owned(), start));
    }

    /// From now on this many MW are installed at the unit.
    pub fn installed(&self, unit: &str, mw: &str) {
        self.held().capacities.insert(unit.to_owned(), mw.to_owned());
    }

    /// Its next answers, before it tells again what it has.
    pub fn answers_with(&self, replies: impl IntoIterator<Item = Reply>) {
        self.held().next.extend(replies);
    }

    /// Paths and queries that it was asked, the oldest first; they are forgotten.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.held().asked)
    }

    /// How many requests `asked` would tell.
    pub fn requests(&self) -> usize {
        self.held().asked.len()
    }

    /// The pauses that were to be made, the oldest first; they are forgotten.
    pub fn pauses(&self) -> Vec<Duration> {
        std::mem::take(&mut *self.pauses.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for ElexonServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the server of half-hours panicked");
        }
    }
}

async fn answer(State(held): State<Arc<Mutex<Held>>>, uri: Uri, RawQuery(query): RawQuery) -> Response {
    match told(&held, &uri, &query.unwrap_or_default()) {
        Some(response) => response,
        None => std::future::pending().await,
    }
}

/// The answer, or none at all.
fn told(held: &Mutex<Held>, uri: &Uri, query: &str) -> Option<Response> {
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    held.asked.push(uri.to_string());
    Some(match held.next.pop_front() {
        Some(Reply::Silence) => return None,
        Some(Reply::Status(status, after)) => {
            let status = StatusCode::from_u16(status).expect("tests know their statuses");
            let mut response = status.into_response();
            if let Some(seconds) = after {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            response
        }
        Some(Reply::Body(kind, body)) => ([(header::CONTENT_TYPE, kind)], body).into_response(),
        None => match uri.path() {
            "/datasets/B1610/stream" => json(half_hours(&held, query)),
            "/datasets/IGCPU" => json(capacities(&held)),
            _ => StatusCode::NOT_FOUND.into_response(),
        },
    })
}

fn json(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn values<'q>(query: &'q str, name: &'static str) -> impl Iterator<Item = &'q str> {
    let parts = query.split('&').filter_map(|part| part.split_once('='));
    parts.filter(move |(key, _)| *key == name).map(|(_, value)| value)
}

/// A bare array of the half-hours that start from `from` to `to`, both included, the newest first.
fn half_hours(held: &Held, query: &str) -> String {
    let instant = |name: &'static str| -> Timestamp {
        let text = values(query, name).next().expect("the client asks for a period");
        text.parse().expect("the client writes instants as RFC 3339")
    };
    let (from, to) = (instant("from"), instant("to"));
    let mut records = Vec::new();
    for ((unit, start), (mwh, run)) in held.half_hours.iter().rev() {
        if *start < from || *start > to || !values(query, "bmUnit").any(|asked| asked == unit) {
            continue;
        }
        records.push(record(unit, *start, mwh, run));
    }
    format!("[{}]", records.join(","))
}

/// A record of B1610, as the service writes it.
///
/// # Panics
/// Beyond the calendar.
pub fn record(unit: &str, start: Timestamp, mwh: &str, run: &str) -> String {
    let (date, period) = source::settlement::period_at(start).expect("tests stay within the calendar");
    let end = (start + source::settlement::PERIOD).strftime("%Y-%m-%dT%H:%M:%S");
    let mut text = String::new();
    let _infallible =
        write!(text, r#"{{"dataset":"B1610","psrType":"Generation","bmUnit":"{unit}","nationalGridBmUnitId":"X","#);
    let _infallible =
        write!(text, r#""settlementDate":"{date}","settlementPeriod":{period},"halfHourEndTime":"{end}","#);
    let _infallible = write!(text, r#""settlementRunType":"{run}","quantity":{mwh}}}"#);
    text
}

fn capacities(held: &Held) -> String {
    let records = held.capacities.iter().map(|(unit, mw)| {
        format!(
            r#"{{"dataset":"IGCPU","effectiveFrom":"2020-01-01","psrType":"Wind Onshore","bmUnit":"{unit}","registeredResourceName":"{unit}","installedCapacity":{mw}}}"#
        )
    });
    format!(r#"{{"data":[{}]}}"#, records.collect::<Vec<_>>().join(","))
}
