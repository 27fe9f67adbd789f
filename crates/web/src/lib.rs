//! How the registry is reached: HTTP in, JSON out.
//!
//! A handler translates and nothing else: it reads a request, hands a command or a question to [`app::Registry`], and
//! writes the answer. Invariants: `problem` is the only list of statuses; nothing blocks the async runtime (changes are
//! awaited, reads run on blocking threads); no request holds more of a body in memory than its limit. Deliberately
//! absent: rules, SQL, clocks.

mod api;
mod body;
mod caller;
mod download;
mod envelope;
mod idempotency;
mod inside;
mod json;
mod limits;
mod names;
mod number;
mod openapi;
mod page;
mod pages;
mod places;
mod problem;
mod scopes;
mod server;
mod upload;
mod wire;

pub use api::log_level::{Controls, LogLevel};
pub use inside::{Answered, Inside, Refused, RefusedFault};
pub use limits::Limits;
pub use openapi::{openapi, openapi_json};
pub use server::serve;

use app::Registry;
use places::{Places, PlacesFor};
use problem::Error;
use std::sync::Arc;
use tokio::sync::watch;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App {
    registry: Registry,
    limits: Limits,
    /// Bodies of readings that are read.
    uploads: Arc<Places>,
    /// Exports that are written.
    exports: Arc<Places>,
    names: Arc<names::Names>,
    /// Event streams that are open.
    streams: Arc<Places>,
    requests: Arc<api::metrics::Requests>,
    controls: Controls,
    /// Whether the server stops: what would go on for ever then ends.
    stopping: watch::Receiver<bool>,
}

impl App {
    /// Runs what blocks on a thread made for it.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Registry) -> Result<T, app::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let registry = self.registry.clone();
        let done = tokio::task::spawn_blocking(move || work(&registry)).await;
        done.unwrap_or_else(|error| {
            tracing::error!(%error, "a use case panicked");
            Err(app::Error::Internal)
        })
        .map_err(Error::from)
    }
}

/// All of the API and its pages, over a registry, with the pages of people's screens beside them.
///
/// The last handle of a registry must not be dropped on an async runtime, so whoever calls this keeps one and closes it.
pub(crate) fn router(
    registry: Registry,
    limits: Limits,
    controls: Controls,
    stopping: watch::Receiver<bool>,
    screens: impl FnOnce(Inside) -> axum::Router,
) -> axum::Router {
    // All streams together are bounded by the connections.
    let streams = Places::new(PlacesFor::Streams, limits.streams_per_user_max, usize::MAX);
    let uploads = Places::new(PlacesFor::Uploads, limits.uploads_per_user_max, limits.uploads_max);
    let exports = Places::new(PlacesFor::Exports, limits.exports_per_user_max, limits.exports_max);
    let requests = Arc::<api::metrics::Requests>::default();
    let app = App {
        registry,
        limits,
        uploads,
        exports,
        names: Arc::default(),
        streams,
        requests: requests.clone(),
        controls,
        stopping,
    };
    let (api, _) = api::routes().split_for_parts();
    let api = api.route_layer(axum::middleware::from_fn_with_state(app.clone(), idempotency::once));
    let api = api.with_state(app.clone());
    let screens = screens(Inside(api.clone()));
    envelope::around(api.merge(pages::routes().with_state(app)).merge(screens), requests)
}
