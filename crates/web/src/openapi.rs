//! The document that describes the API (OpenAPI 3.1), made from the handlers.

use crate::idempotency;
use crate::json::Fault;
use crate::problem::{Faults, Problem, all_kinds};
use crate::scopes::{Needed, needed};
use app::KEY_CHARS_MAX;
use axum::http::{Method, StatusCode};
use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr, Required};
use utoipa::{IntoResponses, Modify, OpenApi as _};

/// The document without its paths.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Granary",
        description = "A registry of granular energy certificates.\n\n\
            Sign in with POST /auth/login and send the token as `Authorization: Bearer …`. Programs send an API key of POST \
            /auth/api_key/create in its place: it may do what its owner's roles allow at that moment, as far as its scopes go. Energy is whole Wh, power whole W, \
            times are RFC 3339 in UTC, intervals are half-open. A change answers with `X-Granary-Event`; a read that sends it \
            back never sees an older state. A change with an `Idempotency-Key` can be repeated \
            without being done twice. Errors are problems (RFC 9457), each with a page under /problems; what is wrong \
            with the shape of a request is told all at once.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem, Faults, Fault)),
    security(("bearer" = [])),
    modifiers(&Bearers),
    tags(
        (name = "Sign-in", description = "Tokens and passwords"),
        (name = "Users", description = "Who signs in"),
        (name = "Organisations", description = "Companies and bodies behind users and accounts"),
        (name = "Accounts", description = "Where bundles are held, and who may send to them"),
        (name = "Devices", description = "What is metered"),
        (name = "Measurements", description = "Meter readings"),
        (name = "Certificates", description = "Issue, find, transfer, cancel"),
        (name = "Storage", description = "What storage took in and gave out, and certificates on what comes out"),
        (name = "Events", description = "What happened: the sealed log, page by page or as it grows"),
        (name = "Jobs", description = "Long work and how far it is"),
        (name = "Health", description = "Whether the registry can work"),
        (name = "Operation", description = "For those who run the registry"),
    ),
)]
struct Frame;

/// The two things that may stand behind `Authorization: Bearer`.
struct Bearers;

const TOKEN: &str = "bearer";
const API_KEY: &str = "api_key";

impl Modify for Bearers {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, about) in [
            (TOKEN, "A token of POST /auth/login"),
            (API_KEY, "An API key of POST /auth/api_key/create; operations list the scope that it needs"),
        ] {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

pub(crate) fn frame() -> OpenApi {
    Frame::openapi()
}

/// The document of the whole API.
pub fn openapi() -> OpenApi {
    let mut document = crate::api::routes().into_openapi();
    for (path, item) in &mut document.paths.paths {
        let is_alone = operations(item).count() == 1;
        for (method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path, is_alone));
            // "Nothing is needed" is an empty list; a list with an empty entry means "may be left out".
            let is_open = operation.security.as_deref().is_some_and(|all| all == [SecurityRequirement::default()]);
            if is_open {
                operation.security = Some(Vec::new());
                continue;
            }
            say_which_scope(operation, needed(method, path));
            if idempotency::is_meant(method, path) {
                operation.parameters.get_or_insert_default().push(RefOr::T(key()));
            }
        }
    }
    document
}

/// Whether an operation of the document knows parameters of the query string.
pub(crate) fn has_parameters(method: &Method, path: &str) -> bool {
    static KNOWN: LazyLock<HashSet<(&'static str, String)>> = LazyLock::new(|| {
        let mut document = crate::api::routes().into_openapi();
        let mut known = HashSet::new();
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in operations(item) {
                let is_in_query = |parameter: &RefOr<Parameter>| match parameter {
                    RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
                    RefOr::Ref(_) => false,
                };
                if operation.parameters.iter().flatten().any(is_in_query) {
                    known.insert((method, path.clone()));
                }
            }
        }
        known
    });
    KNOWN.iter().any(|(of, known)| *of == method.as_str() && known == path)
}

fn operations(item: &mut utoipa::openapi::PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("GET", &mut item.get),
        ("POST", &mut item.post),
        ("PATCH", &mut item.patch),
        ("PUT", &mut item.put),
        ("DELETE", &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// What programs that are made from the document call the operation: no two may have one name, and those of handlers are
/// told apart by their modules only. The words of its path; reading one thing, which has no word of its own, is `read`. Of
/// one path with two methods, what GET does says so.
fn operation_id(method: &str, path: &str, is_alone: bool) -> String {
    let words = path.split('/').filter(|word| !word.is_empty() && !word.starts_with('{'));
    let reads = method == "GET" && (path.ends_with('}') || !is_alone);
    let last = reads.then_some(if path.ends_with('}') { "read" } else { "get" });
    words.chain(last).collect::<Vec<_>>().join("_")
}

/// The header that makes a change safe to repeat.
fn key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(KEY_CHARS_MAX))
        .pattern(Some("^[!-~]+$"));
    let about = "Makes the change safe to repeat: within 24 hours the same request under the same key gets the same \
        answer, and nothing is done twice. A key belongs to the user, the method and the path; another body or query string \
        under it is 422. Successes and refusals by a rule (400, 404, 409) are kept";
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(text))
        .build()
}

/// A token is good for everything; for a key the table of scopes decides.
fn say_which_scope(operation: &mut Operation, needed: Needed) {
    let nothing: [&str; 0] = [];
    let may_be_left_out = |all: &Vec<SecurityRequirement>| all.contains(&SecurityRequirement::default());
    let is_optional = operation.security.as_ref().is_some_and(may_be_left_out);
    let mut security = if is_optional { vec![SecurityRequirement::default()] } else { Vec::new() };
    security.push(SecurityRequirement::new(TOKEN, nothing));
    let about = match needed {
        Needed::Scope(scope) => {
            security.push(SecurityRequirement::new(API_KEY, [scope.name()]));
            format!("An API key needs the scope `{scope}`.")
        }
        Needed::Any => {
            security.push(SecurityRequirement::new(API_KEY, nothing));
            "Any API key is good for this.".to_owned()
        }
        Needed::Session => "No API key is good for this.".to_owned(),
    };
    operation.security = Some(security);
    let description = operation.description.get_or_insert_default();
    if !description.is_empty() {
        description.push_str("\n\n");
    }
    description.push_str(&about);
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
/// What an export may answer beside that.
pub(crate) struct ExportProblems;
/// What something that is bounded for each user may answer beside that.
pub(crate) struct TooManyProblems;
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
        // 403 is what an API key without the scope is told, also where every user may read.
        let mut all = problems(&[
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::SERVICE_UNAVAILABLE,
        ]);
        all.extend(shape());
        all
    }
}

impl IntoResponses for IdProblems {
    fn responses() -> Responses {
        problems(&[StatusCode::NOT_FOUND])
    }
}

impl IntoResponses for ExportProblems {
    fn responses() -> Responses {
        problems(&[StatusCode::FORBIDDEN, StatusCode::NOT_FOUND])
    }
}

impl IntoResponses for TooManyProblems {
    fn responses() -> Responses {
        problems(&[StatusCode::TOO_MANY_REQUESTS])
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
        .description("The shape of the request is wrong, in all the places that are listed; or a problem of the kinds bad_query, interrupted, idempotency_key_reused")
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
    let slugs: Vec<&str> = all_kinds().filter(|kind| kind.status == status).map(|kind| kind.slug).collect();
    format!("A problem of the kinds {}", slugs.join(", "))
}
