//! What is around every answer: the request's id, security headers, compression, and a problem where there is no better
//! answer. Around every request: an address is the same with a slash at its end, and under `/certificates`.

use crate::api::metrics::Requests;
use crate::limits::{COMPRESSED_BYTES_MIN, HEADER_BYTES_MAX, REQUEST_ID_CHARS_MAX};
use crate::problem::{Error, Problem};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the envelope around `inner`.
pub(crate) fn around(inner: Router, requests: Arc<Requests>) -> Router {
    let inner = inner
        .fallback(async || Error::NoSuchPage)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                // An event that waits in a compressor is late.
                .compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN).and(NotForContentType::SSE)),
        )
        .layer(from_fn(with_route));
    // The outer router has no routes, so that addresses are rewritten before they are looked up.
    Router::new().fallback_service(inner).layer(from_fn_with_state(requests, envelope))
}

/// The route that answered, for those outside who count.
async fn with_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands over the box")]
fn panicked(what: Box<dyn std::any::Any + Send>) -> Response {
    let text = what.downcast_ref::<String>().map(String::as_str).or_else(|| what.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("no text"), "a handler panicked");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

async fn envelope(State(requests): State<Arc<Requests>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers().get(REQUEST_ID));
    if let Some(uri) = rewritten(request.uri()) {
        *request.uri_mut() = uri;
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = if header_bytes(&request) > HEADER_BYTES_MAX {
        Error::HeadersTooLarge.into_response()
    } else {
        next.run(request).await
    };
    let status = response.status();
    let took = started.elapsed();
    let route = response.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    requests.note(&method, route, status, took);
    let micros = took.as_micros();
    let shown = id.to_str().unwrap_or_default();
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(%method, path, request_id = shown, "an internal error");
        response = Problem::internal(shown).into_response();
    }
    tracing::debug!(%method, path, status = status.as_u16(), micros, request_id = shown, "answered");
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert(REQUEST_ID, id);
    response
}

/// The server reads in large pieces and may take in somewhat more than the limit; here it is exact.
fn header_bytes(request: &Request) -> usize {
    let address = request.uri().path().len() + request.uri().query().map_or(0, str::len);
    request.headers().iter().fold(address, |sum, (name, value)| sum + name.as_str().len() + value.len())
}

/// Differs from process to process; a request id is this and a counter: unique, not secret.
static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("request id"));
static REQUESTS: AtomicU64 = AtomicU64::new(1);

/// The client's id, if it is harmless, else a new one.
fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    let is_harmless = |id: &HeaderValue| {
        let bytes = id.as_bytes();
        let is_known = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
        (1..=REQUEST_ID_CHARS_MAX).contains(&bytes.len()) && bytes.iter().all(is_known)
    };
    if let Some(id) = given.filter(|id| is_harmless(id)) {
        return id.clone();
    }
    let id = format!("{:016x}-{}", *PROCESS, REQUESTS.fetch_add(1, Ordering::Relaxed));
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
}

/// The address without slashes at its end, and `/certificates/…` as `/certificate/…`. `None` if it is that already.
fn rewritten(uri: &Uri) -> Option<Uri> {
    const ALIAS: &str = "/certificates/";
    let path = uri.path();
    let trimmed = path.trim_end_matches('/');
    let rest = trimmed.strip_prefix(ALIAS);
    if rest.is_none() && (trimmed.len() == path.len() || path.len() <= 1) {
        return None;
    }
    let mut address = match rest {
        Some(rest) => format!("/certificate/{rest}"),
        None if trimmed.is_empty() => "/".to_owned(),
        None => trimmed.to_owned(),
    };
    if let Some(query) = uri.query() {
        address.push('?');
        address.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(address).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::Service as _;

    #[test]
    fn an_address_is_the_same_with_a_slash_and_under_its_alias() {
        let rewritten = |text: &str| rewritten(&text.parse().unwrap()).map(|uri| uri.to_string());
        for (given, expected) in [
            ("/user/1/", Some("/user/1")),
            ("/user/1///?a=b", Some("/user/1?a=b")),
            ("/certificates/query", Some("/certificate/query")),
            ("/certificates/query/?dry_run=true", Some("/certificate/query?dry_run=true")),
            ("//", Some("/")),
            ("/", None),
            ("/user/1?a=/", None),
            ("/certificates", None),
        ] {
            assert_eq!(rewritten(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn only_harmless_request_ids_are_taken_over() {
        let id = |text: &str| request_id(HeaderValue::from_str(text).ok().as_ref()).to_str().unwrap().to_owned();
        assert_eq!(id("abc-1.2_3"), "abc-1.2_3");
        for odd in ["", "a b", "a/b", "<script>", &"x".repeat(65)] {
            assert_ne!(id(odd), odd);
        }
        assert_ne!(request_id(None), request_id(None));
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_with_the_request_id_and_nothing_else() {
        async fn broken() -> &'static str {
            panic!("secret text")
        }
        let mut router = around(Router::new().route("/broken", get(broken)), Arc::default());
        let request = Request::builder().uri("/broken").header("x-request-id", "abc").body(Body::empty()).unwrap();
        let response = router.call(request).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "type": "/problems/internal", "title": "Internal error", "status": 500, "request_id": "abc",
        });
        assert_eq!(body, expected);
    }
}
