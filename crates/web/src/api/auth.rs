//! Sign-in, sign-out and passwords.

use crate::body::whole;
use crate::caller::{Asked, Caller, Read, read};
use crate::json::{Fields, Value, any_text, rule, text};
use crate::openapi::{ChangeProblems, OpenProblems, SignInProblems};
use crate::wire::{At, Text};
use crate::{App, Error};
use app::{Credentials, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use serde::Serialize;
use std::net::SocketAddr;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(login)).routes(routes!(logout)).routes(routes!(change_password))
}

/// Name and password, as a form of OAuth2 or as JSON.
#[derive(ToSchema)]
#[schema(as = SignIn)]
#[expect(dead_code, reason = "the members of OAuth2 are documented and passed over")]
#[schema(example = json!({"username": "trader@example.org", "password": "a-Long-Secret-1"}))]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// The user's `primary_contact`.
    #[schema(value_type = Text)]
    username: String,
    /// The user's password.
    #[schema(format = Password, min_length = 1, max_length = 200)]
    password: String,
    /// `password`, if given.
    #[schema(pattern = "^password$", nullable = false)]
    grant_type: Option<String>,
    /// A member of OAuth2; passed over.
    #[schema(nullable = false)]
    scope: Option<String>,
    /// A member of OAuth2; passed over.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// A member of OAuth2; passed over.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}

impl Read for SignIn {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let username = fields.required("username", text);
        let password = fields.required("password", any_text(1, PASSWORD_CHARS_MAX));
        let grant_type = fields.optional("grant_type", |value| match value {
            Value::Text(word) if word == "password" || word.is_empty() => Ok(word.clone().into_owned()),
            _ => Err(rule("string_pattern_mismatch", "String should match pattern '^password$'")),
        });
        fields.pass_over(&["scope", "client_id", "client_secret"]);
        let (scope, client_id, client_secret) = (None, None, None);
        Some(Self { username: username?, password: password?, grant_type, scope, client_id, client_secret })
    }
}

/// A token, shown once.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
struct Granted {
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    /// `bearer`.
    #[schema(pattern = "^bearer$")]
    token_type: &'static str,
    /// Who signed in.
    user_id: i64,
    /// From then on the token is good for nothing.
    expires_at: At,
}

/// Sign in
///
/// Gives a token for name and password. Failed attempts are limited per name and per address.
#[utoipa::path(
    post, path = "/auth/login", tag = "Sign-in", security(()),
    request_body(content((SignIn = "application/x-www-form-urlencoded"), (SignIn = "application/json"))),
    responses((status = 200, description = "Signed in", body = Granted), SignInProblems, OpenProblems),
)]
async fn login(State(app): State<App>, request: Request) -> Result<Json<Granted>, Error> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = peer.map_or_else(|| "unknown".to_owned(), |ConnectInfo(peer)| peer.ip().to_string());
    let bytes = whole(request.into_body(), app.limits.body_bytes_max, app.limits.body_idle).await?;
    let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte == b'{');
    let sign_in: SignIn =
        if is_json { read(Fields::of_json(&bytes)?)? } else { read(Fields::of_form("body", &bytes))? };
    let credentials = Credentials { name: sign_in.username, password: sign_in.password, address };
    let signed_in = app.blocking(move |registry| registry.sign_in(&credentials)).await?;
    Ok(Json(Granted {
        access_token: signed_in.token,
        token_type: "bearer",
        user_id: signed_in.user_id.0,
        expires_at: signed_in.expires_at.into(),
    }))
}

/// What was done, as a sentence.
#[derive(Serialize, ToSchema)]
struct Message {
    /// What was done.
    message: &'static str,
}

/// Sign out
///
/// Revokes the token that the request carries; an API key that is sent in its place ends too.
#[utoipa::path(
    post, path = "/auth/logout", tag = "Sign-in",
    responses((status = 200, description = "Signed out", body = Message), ChangeProblems),
)]
async fn logout(State(app): State<App>, Caller(caller): Caller) -> Result<Json<Message>, Error> {
    app.blocking(move |registry| registry.sign_out(&caller)).await?;
    Ok(Json(Message { message: "Signed out." }))
}

/// The old password and the new one.
#[derive(ToSchema)]
#[schema(example = json!({"old_password": "an-Old-Secret-1", "new_password": "a-New-Secret-2"}))]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password until now.
    #[schema(format = Password, min_length = 1, max_length = 200)]
    old_password: String,
    /// The password from now on, of 8 to 200 characters.
    #[schema(format = Password, min_length = 8, max_length = 200)]
    new_password: String,
}

impl Read for PasswordChange {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let old_password = fields.required("old_password", any_text(1, PASSWORD_CHARS_MAX));
        let new_password = fields.required("new_password", any_text(PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX));
        Some(Self { old_password: old_password?, new_password: new_password? })
    }
}

/// Change one's own password
///
/// Ends all sessions of the user, that of this request included, and all API keys. A wrong old password is 401.
#[utoipa::path(
    post, path = "/auth/change_password", tag = "Sign-in",
    request_body = PasswordChange,
    responses((status = 200, description = "Changed", body = Message), ChangeProblems, SignInProblems),
)]
async fn change_password(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(asked): Asked<PasswordChange>,
) -> Result<Json<Message>, Error> {
    app.blocking(move |registry| registry.change_password(&caller, &asked.old_password, &asked.new_password)).await?;
    Ok(Json(Message { message: "Changed. Sign in with the new password." }))
}
