//! API keys of one's own: made, listed, deleted. None of it with an API key.

use crate::caller::{Asked, Caller, PathId, Query, Read};
use crate::json::{Fields, id, instant, rule, text, word};
use crate::openapi::{ChangeProblems, IdProblems, ReadProblems};
use crate::page::{Paged, cursor_of};
use crate::wire::{At, Text};
use crate::{App, Error};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{ApiKey, ApiKeyId, Scope, Scopes, UserId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(list)).routes(routes!(delete))
}

/// What a key is good for.
#[derive(Serialize, ToSchema)]
#[schema(as = Scope, rename_all = "snake_case")]
#[expect(dead_code, reason = "documents the words; values are domain::Scope")]
enum ScopeWord {
    /// Everything that only reads.
    Read,
    /// Transfer, cancel, claim, reserve, recurring orders, whitelists.
    Trade,
    /// Devices.
    Register,
    /// Readings.
    Measure,
    /// Issue and what else the issuer does to certificates.
    Issue,
    /// Users, organisations, accounts, the log level.
    Admin,
    /// The metrics.
    Metrics,
}

/// An API key to be.
#[derive(ToSchema)]
#[schema(example = json!({"name": "nightly meter upload", "scopes": ["measure", "read"]}))]
#[serde(deny_unknown_fields)]
struct ApiKeyCreate {
    /// For people, to tell keys apart.
    #[schema(value_type = Text)]
    name: String,
    /// In the future, at most 366 days ahead; that far ahead by default.
    #[schema(value_type = Option<At>)]
    expires_at: Option<Timestamp>,
    /// Without repetition.
    #[schema(value_type = Vec<ScopeWord>, min_items = 1, max_items = 7)]
    scopes: Scopes,
}

impl Read for ApiKeyCreate {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", text);
        let expires_at = fields.optional("expires_at", instant);
        let scopes = fields.required_list("scopes", (1, Scope::ALL.len()), word(Scope::ALL, Scope::name));
        if let Some(scopes) = &scopes
            && Scopes::of(scopes).iter().count() < scopes.len()
        {
            fields.fault("scopes", rule("value_error", "Value error, a scope is given twice"));
        }
        Some(Self { name: name?, expires_at, scopes: Scopes::of(&scopes?) })
    }
}

/// An API key, without the key itself.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
struct ApiKeyBody {
    /// The key's number.
    id: i64,
    /// Whose it is: what it may do is what this user's roles allow, as far as its scopes go.
    user_id: i64,
    /// For people, to tell keys apart.
    name: String,
    /// What it is good for.
    #[schema(value_type = Vec<ScopeWord>)]
    scopes: Vec<&'static str>,
    /// When it was made.
    created_at: At,
    /// From then on it is good for nothing.
    expires_at: At,
    /// `true` once it was deleted, and is good for nothing.
    is_deleted: bool,
}

impl From<ApiKey> for ApiKeyBody {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.0,
            user_id: key.user_id.0,
            name: key.name,
            scopes: key.scopes.iter().map(Scope::name).collect(),
            created_at: key.created_at.into(),
            expires_at: key.expires_at.into(),
            is_deleted: key.is_deleted,
        }
    }
}

/// An API key that was just made.
#[derive(Serialize, ToSchema)]
struct ApiKeyCreated {
    /// Send it as `Authorization: Bearer …`. Shown this once: only its hash is kept.
    #[schema(example = "granary_…")]
    api_key: String,
    #[serde(flatten)]
    key: ApiKeyBody,
}

/// API keys, in the order of their ids.
#[derive(Serialize, ToSchema)]
struct ApiKeys {
    /// The keys of this page.
    api_keys: Vec<ApiKeyBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// Create an API key
///
/// For programs, in place of a password. It may do what its owner's roles allow at that moment, as far as its scopes go, until
/// it expires or is deleted; a change of the owner's password, roles or status ends it too. A user has at most 100.
///
/// For everyone.
#[utoipa::path(
    post, path = "/auth/api_key/create", tag = "Sign-in", request_body = ApiKeyCreate,
    responses((status = 201, description = "Created", body = ApiKeyCreated), ChangeProblems),
)]
async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(asked): Asked<ApiKeyCreate>,
) -> Result<(StatusCode, Json<ApiKeyCreated>), Error> {
    let ApiKeyCreate { name, expires_at, scopes } = asked;
    let made = app.blocking(move |registry| registry.create_api_key(&caller, &name, expires_at, scopes)).await?;
    Ok((StatusCode::CREATED, Json(ApiKeyCreated { api_key: made.secret, key: made.key.into() })))
}

struct ListQuery {
    paging: app::Paging<i64>,
    user_id: Option<i64>,
}

impl Read for ListQuery {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let user_id = fields.optional("user_id", id);
        Some(Self { paging: Paged::read(fields)?.0, user_id })
    }
}

/// List API keys
///
/// The caller's own; those that have expired too, deleted ones not. A Registry Administrator may name another user.
#[utoipa::path(
    get, path = "/auth/api_key/list", tag = "Sign-in",
    params(
        Paged<i64>,
        ("user_id" = Option<i64>, Query, description = "Whose; the caller's own by default", minimum = 1),
    ),
    responses((status = 200, description = "A page of keys", body = ApiKeys), ReadProblems),
)]
async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(asked): Query<ListQuery>,
) -> Result<Json<ApiKeys>, Error> {
    let of = asked.user_id.map(UserId);
    let page = app.blocking(move |registry| registry.api_keys(&caller, of, asked.paging)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(ApiKeys { api_keys: page.entries.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Delete an API key
///
/// One's own, or anybody's as a Registry Administrator. It ends at once. Again is the same.
#[utoipa::path(
    delete, path = "/auth/api_key/delete/{id}", tag = "Sign-in",
    params(("id" = i64, Path, description = "The key's id", minimum = 1)),
    responses((status = 200, description = "Deleted", body = ApiKeyBody), ChangeProblems, IdProblems),
)]
async fn delete(State(app): State<App>, Caller(caller): Caller, PathId(id): PathId) -> Result<Json<ApiKeyBody>, Error> {
    let key = app.blocking(move |registry| registry.delete_api_key(&caller, ApiKeyId(id))).await?;
    Ok(Json(key.into()))
}
