//! The API as the pages of the same program ask it: without a socket, for somebody who has been recognised already.
//!
//! What a page changes goes through the same operations as a client's requests: the same reading, the same rules, the same
//! words for what is wrong. Invariant: nothing is decided here.

use crate::caller::Recognised;
use crate::problem;
use app::Caller;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};
use tower::ServiceExt as _;

const KEY: HeaderName = crate::idempotency::KEY;

/// The operations of the API.
#[derive(Clone)]
pub struct Inside(pub(crate) Router);

/// What an operation answered.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: StatusCode,
    /// The event number that a change reached.
    pub event: Option<i64>,
    /// Null if the answer was no JSON.
    pub json: Value,
}

/// Why an operation did not do what it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    pub status: u16,
    pub title: String,
    /// As a sentence; empty where there is none.
    pub detail: String,
    /// What is wrong with single members.
    pub faults: Vec<RefusedFault>,
    /// The numbers of a problem.
    pub members: Map<String, Value>,
}

/// What is wrong with one member of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedFault {
    /// The name of the member; what is inside a list or object is of that.
    pub name: String,
    /// In pydantic's words, such as `missing`; empty where there is none.
    pub kind: String,
    pub what: String,
}

impl Inside {
    /// Asks for an operation, with a body of JSON unless that is null. A `key` makes a change safe to repeat.
    pub async fn ask(
        &self,
        caller: &Caller,
        method: Method,
        address: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<Answered, Refused> {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = address.parse().map_err(|_| Refused::unknown(StatusCode::NOT_FOUND))?;
        if let Some(key) = key.and_then(|key| HeaderValue::try_from(key).ok()) {
            request.headers_mut().insert(KEY, key);
        }
        Self::answered(self.send(caller, request).await).await
    }

    /// What a response of [`send`](Self::send) says, as [`ask`](Self::ask) tells it.
    pub async fn answered(response: Response) -> Result<Answered, Refused> {
        let status = response.status();
        let event = response.headers().get(crate::caller::EVENT);
        let event = event.and_then(|event| event.to_str().ok()?.parse().ok());
        let bytes = response.into_body().collect().await.map_err(|_| Refused::unknown(status))?.to_bytes();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() { Ok(Answered { status, event, json }) } else { Err(Refused::of(status, json)) }
    }

    /// Sends a request as it is, for what streams: uploads and exports.
    pub async fn send(&self, caller: &Caller, mut request: Request<Body>) -> Response {
        request.extensions_mut().insert(Recognised(caller.clone()));
        let Ok(response) = self.0.clone().oneshot(request).await;
        response
    }
}

impl From<app::Error> for Refused {
    fn from(error: app::Error) -> Self {
        let (status, title, members) = problem::told(&error);
        let mut refused = Self { status: status.as_u16(), title: title.to_owned(), members, ..Self::default() };
        match error {
            app::Error::Internal => {}
            app::Error::BadInput { field, rule } => {
                let what = format!("{field} {rule}");
                refused.faults = vec![RefusedFault { name: field, what, ..RefusedFault::default() }];
            }
            error => refused.detail = error.to_string(),
        }
        refused
    }
}

impl Refused {
    fn unknown(status: StatusCode) -> Self {
        Self::of(status, Value::Null)
    }

    /// Of a problem, or of the faults of a shape.
    pub fn of(status: StatusCode, json: Value) -> Self {
        let title = status.canonical_reason().unwrap_or("Not done").to_owned();
        let mut refused = Self { status: status.as_u16(), title, ..Self::default() };
        let Value::Object(mut members) = json else { return refused };
        if let Some(title) = members.remove("title").as_ref().and_then(Value::as_str) {
            title.clone_into(&mut refused.title);
        }
        match members.remove("detail") {
            Some(Value::String(detail)) => refused.detail = detail,
            Some(Value::Array(faults)) => {
                refused.faults = faults.iter().map(fault).collect();
                "What was entered cannot be used".clone_into(&mut refused.title);
            }
            Some(_) | None => {}
        }
        refused.members = members;
        refused
    }

    /// What is wrong with one member.
    pub fn fault(&self, name: &str) -> Option<&str> {
        self.faults.iter().find(|fault| fault.name == name).map(|fault| fault.what.as_str())
    }
}

fn fault(fault: &Value) -> RefusedFault {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = text(fault["loc"].get(1).or_else(|| fault["loc"].get(0)));
    RefusedFault { name, kind: text(fault.get("type")), what: text(fault.get("msg")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn problems_and_faults_are_taken_apart() {
        let problem = json!({"type": "/problems/not_enough", "title": "Not enough energy", "status": 400,
            "detail": "500 Wh are asked", "held": 300});
        let refused = Refused::of(StatusCode::BAD_REQUEST, problem);
        assert_eq!((refused.status, refused.title.as_str()), (400, "Not enough energy"));
        assert_eq!((refused.detail.as_str(), &refused.members["held"]), ("500 Wh are asked", &json!(300)));
        let faults = json!({"detail": [
            {"loc": ["body", "target_id"], "msg": "Field required", "type": "missing"},
            {"loc": ["body", "roles", 3], "msg": "Not a role", "type": "enum"},
            {"loc": ["body"], "msg": "Not JSON", "type": "json_invalid"},
        ]});
        let refused = Refused::of(StatusCode::UNPROCESSABLE_ENTITY, faults);
        assert_eq!((refused.fault("target_id"), refused.faults[0].kind.as_str()), (Some("Field required"), "missing"));
        assert_eq!((refused.fault("roles"), refused.fault("body")), (Some("Not a role"), Some("Not JSON")));
        assert_eq!((refused.fault("source_id"), refused.detail.as_str()), (None, ""));
        assert_eq!(Refused::of(StatusCode::NOT_FOUND, Value::Null).title, "Not Found");
    }
}
