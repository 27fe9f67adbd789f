//! What the program measures, for Prometheus.
//!
//! Requests are counted where they are answered; the registry's own measurements and the ledger's counters are read when
//! somebody asks. Invariant: routes are told as they are registered, never as they were asked for, so that there are only so
//! many; and nothing here costs more the larger the ledger is.

use crate::caller::Caller;
use crate::openapi::ReadProblems;
use crate::{App, Error};
use app::{Histogram as Spread, JobState, Measured};
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::header::{CONTENT_TYPE, FORWARDED, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::Capability;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use std::net::SocketAddr;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Who comes by way of a proxy is not local, even where the proxy is.
const FORWARDED_BY: [HeaderName; 3] =
    [FORWARDED, HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("x-real-ip")];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics))
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectedLabels {
    action_type: &'static str,
    reason: String,
}

/// The requests that were answered.
pub(crate) struct Requests {
    answered: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

impl Default for Requests {
    fn default() -> Self {
        Self { answered: Family::default(), seconds: Family::new_with_constructor(times) }
    }
}

/// Upper bounds in seconds, from a quick read to a long issue.
fn times() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    ])
}

impl Requests {
    /// Notes an answer; `route` as it is registered, `None` for an address that is not.
    pub(crate) fn note(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let route = route.unwrap_or("none").to_owned();
        let labels = RequestLabels { method: known(method), route: route.clone(), status: status.as_u16() };
        self.answered.get_or_create(&labels).inc();
        self.seconds.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }
}

/// A client may make up methods.
fn known(method: &Method) -> &'static str {
    [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS]
        .iter()
        .position(|known| known == method)
        .and_then(|place| ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"].get(place).copied())
        .unwrap_or("other")
}

/// Somebody who may read the metrics: from the machine itself, or who may operate the registry.
struct Scraper;

impl FromRequestParts<App> for Scraper {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let is_local = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
            && !FORWARDED_BY.iter().any(|name| parts.headers.contains_key(name));
        if !is_local {
            Caller::from_request_parts(parts, app).await?.0.require(Capability::Operate)?;
        }
        Ok(Self)
    }
}

/// Metrics
///
/// In the text format of Prometheus (`OpenMetrics`). Open to the machine itself (a loopback address, and not by way of a
/// proxy); from elsewhere for the Registry Administrator, and with API keys of the scope `metrics`.
#[utoipa::path(
    get, path = "/metrics", tag = "Operation", security((), ("bearer" = [])),
    responses(
        (status = 200, description = "The metrics", body = String,
         content_type = "application/openmetrics-text"),
        (status = 403, description = "A problem of the kind forbidden", body = crate::problem::Problem,
         content_type = "application/problem+json"),
        ReadProblems,
    ),
)]
async fn metrics(State(app): State<App>, _: Scraper) -> Result<Response, Error> {
    let measured = app.blocking(app::Registry::measured).await?;
    let mut registry = Registry::with_prefix("granary");
    let requests = &app.requests;
    registry.register("http_requests", "Requests answered", requests.answered.clone());
    registry.register("http_request_duration_seconds", "Time until the answer begins", requests.seconds.clone());
    let streams = i64::try_from(app.streams.count()).unwrap_or(i64::MAX);
    gauge(&mut registry, "event_streams", "Event streams that are open", streams);
    register(&mut registry, &measured);
    let mut written = String::new();
    text::encode(&mut written, &registry).map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written");
        app::Error::Internal
    })?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(TEXT))], written).into_response())
}

fn register(registry: &mut Registry, measured: &Measured) {
    let queued = i64::try_from(measured.queued).unwrap_or(i64::MAX);
    gauge(registry, "queue_works", "Works waiting or being carried out", queued);
    registry.register("batch_works", "Works of a batch", Seen::of(&measured.batch_works, whole));
    registry.register("batch_duration_seconds", "Time a batch took", Seen::of(&measured.batch_micros, seconds));
    registry.register("commit_duration_seconds", "Time a commit took", Seen::of(&measured.commit_micros, seconds));
    gauge(registry, "log_events", "Events in the log", measured.events);
    gauge(registry, "ledger_actions", "Actions in the ledger", measured.actions);
    gauge(registry, "ledger_bundles", "Bundles ever made", measured.bundles);
    gauge(registry, "rejected_actions_kept", "Rejected actions that can be looked up", measured.rejected_kept);
    gauge(registry, "sessions", "Sessions that have not expired", measured.sessions);
    if measured.has_replica {
        gauge(registry, "replica_up", "Whether the replica answers", i64::from(measured.replica_lag.is_some()));
    }
    if let Some(lag) = measured.replica_lag {
        gauge(registry, "replica_lag_events", "Events that the replica does not have yet", lag);
    }
    let jobs = Family::<StateLabels, Gauge>::default();
    for (state, name) in [
        (JobState::Running, "running"),
        (JobState::Done, "done"),
        (JobState::Failed, "failed"),
        (JobState::Interrupted, "interrupted"),
    ] {
        let count = measured.jobs.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count);
        jobs.get_or_create(&StateLabels { state: name }).set(count);
    }
    registry.register("jobs", "Jobs in each state", jobs);
    let rejected = Family::<RejectedLabels, Counter>::default();
    for (kind, reason, count) in &measured.rejected {
        let labels = RejectedLabels { action_type: kind.name(), reason: reason.clone() };
        rejected.get_or_create(&labels).inc_by(*count);
    }
    registry.register("actions_rejected", "Actions that a rule refused", rejected);
}

fn gauge(registry: &mut Registry, name: &str, about: &str, value: i64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value);
    registry.register(name, about, gauge);
}

/// A spread that was measured elsewhere, as a histogram.
#[derive(Debug)]
struct Seen {
    buckets: Vec<(f64, u64)>,
    sum: f64,
}

impl Seen {
    fn of(spread: &Spread, unit: fn(u64) -> f64) -> impl Metric {
        let last = (f64::INFINITY, spread.above);
        let buckets = spread.counts.iter().map(|(bound, count)| (unit(*bound), *count)).chain([last]).collect();
        Self { buckets, sum: unit(spread.sum) }
    }
}

impl EncodeMetric for Seen {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let count = self.buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(self.sum, count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}

/// A whole number, exactly below 2^53.
fn whole(number: u64) -> f64 {
    Duration::from_secs(number).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_told_with_its_bounds_and_its_sum() {
        let spread = Spread { counts: vec![(1_000, 2), (1_000_000, 3)], above: 1, sum: 4_500_000 };
        let mut registry = Registry::default();
        registry.register("times", "Times", Seen::of(&spread, seconds));
        let mut written = String::new();
        text::encode(&mut written, &registry).unwrap();
        let expected = "# HELP times Times.\n# TYPE times histogram\ntimes_sum 4.5\ntimes_count 6\n\
            times_bucket{le=\"0.001\"} 2\ntimes_bucket{le=\"1.0\"} 5\ntimes_bucket{le=\"+Inf\"} 6\n# EOF\n";
        assert_eq!(written, expected);
    }

    #[test]
    fn methods_that_are_made_up_count_as_one() {
        assert_eq!(known(&Method::PATCH), "PATCH");
        assert_eq!(known(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
