//! Pages for people: the documentation in two forms, and what each kind of problem means.
//!
//! Invariant: every page works with no internet; the content security policy refuses anything from elsewhere.

use crate::problem::{Error, Kind, all_kinds};
use crate::{App, openapi};
use axum::Router;
use axum::extract::{Path, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

/// Scripts and styles of our own only; both documentation pages set styles from their scripts.
const DOCUMENTATION_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";
const TEXT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Files change with the program only.
const KEPT: &str = "public, max-age=3600";

const DOCS: &str = include_str!("pages/docs.html");
const REDOC: &str = include_str!("../static/redoc/redoc.html");
const REDOC_SCRIPT: &[u8] = include_bytes!("../static/redoc/redoc.standalone.js");
/// The files of Swagger UI that its page asks for.
const SWAGGER_FILES: [&str; 5] = [
    "swagger-ui.css",
    "index.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-initializer.js",
];

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(openapi::openapi_json()));

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(async || Redirect::temporary("/ui")))
        .route("/docs", get(async || page(DOCS.to_owned(), DOCUMENTATION_POLICY)))
        .route("/docs/{file}", get(swagger_file))
        .route("/redoc", get(async || page(REDOC.to_owned(), DOCUMENTATION_POLICY)))
        .route("/static/redoc/redoc.standalone.js", get(redoc_script))
        .route("/openapi.json", get(async || ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())))
        .route("/problems", get(async || page(list_of_problems(), TEXT_POLICY)))
        .route("/problems/{slug}", get(problem))
}

fn page(html: String, policy: &'static str) -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, policy)], html).into_response()
}

async fn swagger_file(Path(file): Path<String>) -> Result<Response, Error> {
    let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json").validator_url("none"));
    if !SWAGGER_FILES.contains(&file.as_str()) {
        return Err(Error::NoSuchPage);
    }
    let found = utoipa_swagger_ui::serve(&file, config).map_err(|error| {
        tracing::error!(%error, file, "a vendored file cannot be read");
        Error::NoSuchPage
    })?;
    let found = found.ok_or(Error::NoSuchPage)?;
    Ok(([(CONTENT_TYPE, found.content_type.as_str()), (CACHE_CONTROL, KEPT)], found.bytes.into_owned()).into_response())
}

async fn redoc_script(_: Request) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, KEPT)], Bytes::from_static(REDOC_SCRIPT))
}

async fn problem(Path(slug): Path<String>) -> Result<Response, Error> {
    let kind = all_kinds().find(|kind| kind.slug == slug).ok_or(Error::NoSuchPage)?;
    let body = format!("{}<p><a href=\"/problems\">All problems</a></p>", entry(kind, "h1"));
    Ok(page(document(kind.title, &body), TEXT_POLICY))
}

fn list_of_problems() -> String {
    let mut body =
        "<h1>Problems</h1><p>What a request may be answered with in place of what it asked for.</p>".to_owned();
    for kind in all_kinds() {
        body.push_str(&entry(kind, "h2"));
    }
    document("Problems", &body)
}

fn entry(kind: &Kind, level: &str) -> String {
    let Kind { slug, status, title, about } = kind;
    let mut html = String::new();
    let written = write!(
        html,
        "<{level} id=\"{slug}\">{title}</{level}><p>Status {status}, type <code><a href=\"/problems/{slug}\">/problems/{slug}</a></code></p><p>{about}</p>"
    );
    debug_assert!(written.is_ok(), "writing to a text does not fail");
    html
}

/// A page around texts of our own.
fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} – Granary</title>\
         <style>body{{font-family:system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;line-height:1.5;\
         color-scheme:light dark}}</style></head><body>{body}</body></html>\n"
    )
}
