//! The operations of the API as pages ask them: refusals come in the words of pages, and a form that is sent twice waits for
//! what the first came to.

use crate::limits::FIRST_FORM_WAIT;
use crate::words::Refused;
use app::{Caller, Registry};
use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use web::{Answered, Inside};

/// Says that another request with the same key is not done yet.
const IN_FLIGHT: &str = "/problems/idempotency_key_in_flight";

/// The operations, and where their keys are.
#[derive(Clone)]
pub(crate) struct Api {
    pub inside: Inside,
    pub registry: Registry,
}

impl Api {
    /// As [`Inside::ask`]. A second click may come before the first is done: then this waits until it is, at most
    /// [`FIRST_FORM_WAIT`], and has the same answer.
    pub(crate) async fn ask(
        &self,
        caller: &Caller,
        method: Method,
        address: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<Answered, Refused> {
        let path = address.split_once('?').map_or(address, |(path, _)| path);
        let until = Instant::now() + FIRST_FORM_WAIT;
        loop {
            let answer = self.inside.ask(caller, method.clone(), address, body, key).await;
            let (Err(refused), Some(key)) = (&answer, key) else { return told(address, answer) };
            let is_in_flight = refused.members.get("type").is_some_and(|kind| kind == IN_FLIGHT);
            if !is_in_flight || Instant::now() >= until {
                return told(address, answer);
            }
            if let Some(mut first) = self.registry.in_flight(caller, method.as_str(), path, key) {
                // That it is done is told by nobody being there to tell any more.
                let _ = timeout_at(until, first.changed()).await;
            }
        }
    }

    /// As [`Inside::send`].
    pub(crate) async fn send(&self, caller: &Caller, request: Request<Body>) -> Response {
        self.inside.send(caller, request).await
    }

    /// What a response of [`send`](Self::send) says, as [`ask`](Self::ask) tells it.
    pub(crate) async fn answered(address: &str, response: Response) -> Result<Answered, Refused> {
        told(address, Inside::answered(response).await)
    }
}

fn told(address: &str, said: Result<Answered, web::Refused>) -> Result<Answered, Refused> {
    said.map_err(|refused| Refused::told(address, refused))
}
