//! The document that describes the API (OpenAPI 3.1), made from the handlers.

use crate::json::Fault;
use crate::problem::{Faults, KINDS, Problem};
use axum::http::StatusCode;
use std::collections::BTreeMap;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr};
use utoipa::{IntoResponses, Modify, OpenApi as _};

/// The document without its paths.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Granary",
        description = "A registry of granular energy certificates.\n\n\
            Sign in with POST /auth/login and send the token as `Authorization: Bearer …`. Energy is whole Wh, power whole W, \
            times are RFC 3339 in UTC, intervals are half-open. A change answers with `X-Granary-Event`; a read that sends it \
            back never sees an older state. Errors are problems (RFC 9457), each with a page under /problems; what is wrong \
            with the shape of a request is told all at once.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem, Faults, Fault)),
    security(("bearer" = [])),
    modifiers(&Bearer),
    tags(
        (name = "Sign-in", description = "Tokens and passwords"),
        (name = "Users", description = "Who signs in"),
        (name = "Organisations", description = "Companies and bodies behind users and accounts"),
        (name = "Accounts", description = "Where bundles are held, and who may send to them"),
        (name = "Devices", description = "What is metered"),
        (name = "Measurements", description = "Meter readings"),
        (name = "Certificates", description = "Issue, find, transfer, cancel"),
        (name = "Jobs", description = "Long work and how far it is"),
        (name = "Health", description = "Whether the registry can work"),
    ),
)]
struct Frame;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token of POST /auth/login")).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

pub(crate) fn frame() -> OpenApi {
    Frame::openapi()
}

/// The document of the whole API.
pub fn openapi() -> OpenApi {
    let mut document = crate::api::routes().into_openapi();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            // "Nothing is needed" is an empty list; a list with an empty entry means "may be left out".
            let is_open = operation.security.as_deref().is_some_and(|all| all == [SecurityRequirement::default()]);
            if is_open {
                operation.security = Some(Vec::new());
            }
        }
    }
    document
}

fn operations(item: &mut utoipa::openapi::PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete]
        .into_iter()
        .filter_map(Option::as_mut)
}

/// The same as text, in a stable order, with a newline at its end.
///
/// # Panics
/// Never: the document is made of texts and numbers.
pub fn openapi_json() -> String {
    let mut text = openapi().to_pretty_json().expect("the document is made of texts and numbers");
    text.push('\n');
    text
}

type Responses = BTreeMap<String, RefOr<Response>>;

/// What every operation may answer.
pub(crate) struct OpenProblems;
/// What sign-in may answer.
pub(crate) struct SignInProblems;
/// What a read of a signed-in user may answer.
pub(crate) struct ReadProblems;
/// What a read by id may answer beside that.
pub(crate) struct IdProblems;
/// What a query may answer beside that.
pub(crate) struct QueryProblems;
/// What a change may answer.
pub(crate) struct ChangeProblems;

impl IntoResponses for OpenProblems {
    fn responses() -> Responses {
        problems(&[StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE])
    }
}

impl IntoResponses for SignInProblems {
    fn responses() -> Responses {
        let mut all = problems(&[
            StatusCode::BAD_REQUEST,
            StatusCode::UNAUTHORIZED,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::TOO_MANY_REQUESTS,
        ]);
        all.extend(shape());
        all
    }
}

impl IntoResponses for ReadProblems {
    fn responses() -> Responses {
        let mut all =
            problems(&[StatusCode::UNAUTHORIZED, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE]);
        all.extend(shape());
        all
    }
}

impl IntoResponses for IdProblems {
    fn responses() -> Responses {
        problems(&[StatusCode::NOT_FOUND])
    }
}

impl IntoResponses for QueryProblems {
    fn responses() -> Responses {
        problems(&[
            StatusCode::BAD_REQUEST,
            StatusCode::FORBIDDEN,
            StatusCode::NOT_FOUND,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::PAYLOAD_TOO_LARGE,
        ])
    }
}

impl IntoResponses for ChangeProblems {
    fn responses() -> Responses {
        let mut all = problems(&[
            StatusCode::BAD_REQUEST,
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::NOT_FOUND,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::CONFLICT,
            StatusCode::PAYLOAD_TOO_LARGE,
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::SERVICE_UNAVAILABLE,
        ]);
        all.extend(shape());
        all
    }
}

fn problems(statuses: &[StatusCode]) -> Responses {
    let of = |status: &StatusCode| {
        let mut response = ResponseBuilder::new().description(kinds_of(*status)).content(PROBLEM_TYPE, problem());
        if matches!(*status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response = response.header("Retry-After", header(Type::Integer, "Seconds after which to try again"));
        }
        if *status == StatusCode::UNAUTHORIZED {
            response = response.header("WWW-Authenticate", header(Type::String, "`Bearer`"));
        }
        (status.as_str().to_owned(), RefOr::T(response.build()))
    };
    statuses.iter().map(of).collect()
}

/// A wrong shape has a form of its own; rules of queries and broken inputs are problems.
fn shape() -> Responses {
    let faults = ContentBuilder::new().schema(Some(Ref::from_schema_name("HTTPValidationError"))).build();
    let response = ResponseBuilder::new()
        .description("The shape of the request is wrong, in all the places that are listed; or a problem of the kinds bad_query, interrupted")
        .content("application/json", faults)
        .content(PROBLEM_TYPE, problem())
        .build();
    BTreeMap::from([(StatusCode::UNPROCESSABLE_ENTITY.as_str().to_owned(), RefOr::T(response))])
}

const PROBLEM_TYPE: &str = "application/problem+json";

fn problem() -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build()
}

fn header(of: Type, about: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(of))).description(Some(about)).build()
}

fn kinds_of(status: StatusCode) -> String {
    let slugs: Vec<&str> = KINDS.iter().filter(|kind| kind.status == status).map(|kind| kind.slug).collect();
    format!("A problem of the kinds {}", slugs.join(", "))
}
