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
mod json;
mod limits;
mod names;
mod number;
mod openapi;
mod page;
mod pages;
mod problem;
mod scopes;
mod server;
mod upload;
mod wire;

pub use api::log_level::{Controls, LogLevel};
pub use limits::Limits;
pub use openapi::{openapi, openapi_json};
pub use server::serve;

use app::Registry;
use problem::Error;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// What handlers share.
#[derive(Clone)]
pub(crate) struct App {
    registry: Registry,
    limits: Limits,
    /// A place for each body of readings that may be read at once.
    uploads: Arc<Semaphore>,
    /// A place for each export that may be written at once.
    exports: Arc<Semaphore>,
    names: Arc<names::Names>,
    streams: Arc<api::event::Streams>,
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

/// All of the API and its pages, over a registry.
///
/// The last handle of a registry must not be dropped on an async runtime, so whoever calls this keeps one and closes it.
pub(crate) fn router(
    registry: Registry,
    limits: Limits,
    controls: Controls,
    stopping: watch::Receiver<bool>,
) -> axum::Router {
    let uploads = Arc::new(Semaphore::new(limits.uploads_max));
    let exports = Arc::new(Semaphore::new(limits.exports_max));
    let requests = Arc::<api::metrics::Requests>::default();
    let app = App {
        registry,
        limits,
        uploads,
        exports,
        names: Arc::default(),
        streams: Arc::default(),
        requests: requests.clone(),
        controls,
        stopping,
    };
    let (api, _) = api::routes().split_for_parts();
    let api = api.route_layer(axum::middleware::from_fn_with_state(app.clone(), idempotency::once));
    envelope::around(api.merge(pages::routes()).with_state(app), requests)
}
