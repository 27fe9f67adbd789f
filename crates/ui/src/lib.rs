//! The screens: what people see of the registry under `/ui`.
//!
//! Pages are made on the server and work without scripts, but for plots and running totals. What is read comes from
//! [`app::Registry`] within the visitor's scope; what is changed goes through the operations of the API
//! ([`web::Inside`]). Invariants: a page decides nothing, every figure is computed from the ledger, a form
//! without the visitor's own token changes nothing, and nothing is loaded from elsewhere. The session's cookie counts here
//! only; the API knows bearer tokens only.

mod api;
mod asset;
mod check;
mod done;
mod failure;
mod form;
mod format;
mod frame;
mod limits;
mod screen;
mod upload;
mod visitor;
mod words;

use api::Api;
use app::Registry;
use axum::Router;
use axum::middleware::from_fn_with_state;
use failure::Failure;
use jiff::Timestamp;
use web::Inside;

pub use check::{Check, CheckStep};

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Ui {
    registry: Registry,
    api: Api,
    checks: check::Checks,
    watch: check::Watch,
    /// When the program began to show pages.
    began: Timestamp,
}

impl Ui {
    /// Runs what blocks on a thread made for it.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Registry) -> Result<T, app::Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let registry = self.registry.clone();
        let done = tokio::task::spawn_blocking(move || work(&registry)).await;
        done.unwrap_or_else(|error| {
            tracing::error!(%error, "a use case panicked");
            Err(app::Error::Internal)
        })
        .map_err(Failure::from)
    }
}

/// All screens, under `/ui`.
pub fn screens(registry: Registry, api: Inside, check: Check) -> Router {
    let api = Api { inside: api, registry: registry.clone() };
    let began = registry.now();
    let ui = Ui { registry, api, began, checks: check::Checks::of(check), watch: check::Watch::default() };
    let pages = screen::routes()
        .fallback(async || Failure::NoSuchPage)
        .method_not_allowed_fallback(async || Failure::MethodNotAllowed)
        .layer(from_fn_with_state(ui.clone(), failure::framed))
        .with_state(ui);
    Router::new().nest("/ui", pages)
}
