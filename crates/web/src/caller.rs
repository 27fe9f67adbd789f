//! What a request says of itself beside its body: who calls, how fresh the answer must be, which thing it is about.

use crate::body::whole;
use crate::json::{Fault, Fields, Place, Value, boolean, id};
use crate::limits::TOKEN_CHARS_MAX;
use crate::{App, Error, openapi, scopes};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::http::HeaderName;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use domain::EventNumber;
use std::borrow::Cow;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

/// The event number that a change reached, and that a read asks for.
pub(crate) const EVENT: HeaderName = HeaderName::from_static("x-granary-event");

/// Somebody who showed a valid token, or an API key that is good for this operation. Bearer tokens only.
pub(crate) struct Caller(pub app::Caller);

/// A caller whom somebody before the handler has recognised and given a ticket.
#[derive(Clone)]
pub(crate) struct Recognised(pub app::Caller);

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        if let Some(Recognised(caller)) = parts.extensions.get() {
            return Ok(Self(caller.clone()));
        }
        let caller = recognised(parts, app).await?;
        if let Some(given) = caller.scopes {
            scopes::check(given, &parts.method, parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str))?;
        }
        check_parameters(parts)?;
        Ok(Self(caller))
    }
}

/// An operation that knows no parameters gets none, so that one that is misplaced never turns into a default. Those that
/// know some read them with all their faults at once.
fn check_parameters(parts: &Parts) -> Result<(), Error> {
    let Some(query) = parts.uri.query().filter(|query| !query.is_empty()) else { return Ok(()) };
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if !openapi::has_parameters(&parts.method, path) {
        Fields::of_form("query", query.as_bytes()).finish()?;
    }
    Ok(())
}

async fn recognised(parts: &Parts, app: &App) -> Result<app::Caller, Error> {
    let token = token_of(parts).ok_or(app::Error::NoToken)?;
    if let Some(caller) = app.registry.authenticate_remembered(token) {
        return Ok(caller);
    }
    let token = token.to_owned();
    app.blocking(move |registry| registry.authenticate(&token)).await
}

/// The bearer token itself: for what goes on so long that it is looked at again.
pub(crate) struct Token(pub String);

impl FromRequestParts<App> for Token {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        Ok(Self(token_of(parts).ok_or(app::Error::NoToken)?.to_owned()))
    }
}

fn token_of(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let is_plausible = !token.is_empty() && token.len() <= TOKEN_CHARS_MAX;
    (scheme.eq_ignore_ascii_case("bearer") && is_plausible).then_some(token)
}

/// The event number that a read must have reached.
pub(crate) struct Fresh(pub Option<EventNumber>);

impl IntoParams for Fresh {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "The `X-Granary-Event` of a change: the answer is never older than that change";
        let number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(0));
        let parameter = ParameterBuilder::new()
            .name("X-Granary-Event")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(number));
        vec![parameter.build()]
    }
}

impl FromRequestParts<App> for Fresh {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        let Some(given) = parts.headers.get(EVENT) else { return Ok(Self(None)) };
        let number = given.to_str().ok().and_then(|text| text.parse().ok()).filter(|number| *number >= 0);
        let number = number.ok_or_else(|| {
            Error::Faults(vec![Fault {
                loc: ["header", "X-Granary-Event"].map(|name| Place::Name(name.to_owned())).to_vec(),
                msg: "Input should be a valid integer, unable to parse string as an integer".to_owned(),
                r#type: "int_parsing",
            }])
        })?;
        Ok(Self(Some(EventNumber(number))))
    }
}

/// The id in the path.
pub(crate) struct PathId(pub i64);

impl FromRequestParts<App> for PathId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let parameters = RawPathParams::from_request_parts(parts, app).await.ok();
        let text = parameters.as_ref().and_then(|all| all.iter().find(|(name, _)| *name == "id").map(|(_, text)| text));
        let mut fields = Fields::of_form("path", b"");
        let found = match text {
            Some(text) => fields.given("id", id(&Value::Text(Cow::Borrowed(text)))),
            None => fields.required("id", id),
        };
        fields.finish()?;
        found.map(Self).ok_or(Error::NotRead)
    }
}

/// A request that is read member by member; `None` only where a fault was noted.
pub(crate) trait Read: Sized {
    fn read(fields: &mut Fields<'_>) -> Option<Self>;
}

pub(crate) fn read<T: Read>(mut fields: Fields<'_>) -> Result<T, Error> {
    let read = T::read(&mut fields);
    fields.finish()?;
    read.ok_or(Error::NotRead)
}

/// The JSON body, whatever its content type says.
pub(crate) struct Asked<T>(pub T);

impl<T: Read> FromRequest<App> for Asked<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let bytes = whole(request.into_body(), app.limits.body_bytes_max, app.limits.body_idle).await?;
        read(Fields::of_json(&bytes)?).map(Self)
    }
}

/// The parameters of the query string.
pub(crate) struct Query<T>(pub T);

impl<T: Read> FromRequestParts<App> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        read(Fields::of_form("query", parts.uri.query().unwrap_or_default().as_bytes())).map(Self)
    }
}

/// Whether an action is to be tried and forgotten.
pub(crate) struct DryRun(pub bool);

impl Read for DryRun {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self(fields.optional("dry_run", boolean).unwrap_or(false)))
    }
}
