//! One's own profile: password and API keys.

use crate::Ui;
use crate::failure::Failure;
use crate::form::Form;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::visitor::{self, Visitor};
use crate::words::{Fault, Refused};
use app::{Caller, Paging};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use domain::Scope;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Days that a new key is good for unless others are chosen.
const KEY_DAYS: [u16; 4] = [30, 90, 180, 365];
/// The most keys that a user has.
const KEYS_MAX: usize = 100;

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/profile", get(profile))
        .route("/profile/password", post(change_password))
        .route("/profile/api-key", post(create_key))
        .route("/profile/api-key/{id}/delete", post(delete_key))
}

#[derive(Template)]
#[template(path = "profile.html")]
struct Page {
    frame: Frame,
    name: String,
    contact: String,
    roles: Vec<&'static str>,
    scopes: Vec<(&'static str, bool)>,
    days: [u16; 4],
    keys: Vec<Key>,
    /// Shown this once.
    new_key: Option<String>,
    key_name: String,
    password_refused: Option<Refused>,
    key_refused: Option<Refused>,
}

struct Key {
    id: i64,
    name: String,
    scopes: String,
    created_at: Markup,
    expires_at: Markup,
    is_expired: bool,
}

/// What of the page is not the same each time.
#[derive(Default)]
struct Told {
    new_key: Option<String>,
    key_name: String,
    chosen: Vec<String>,
    password_refused: Option<Refused>,
    key_refused: Option<Refused>,
}

async fn profile(State(ui): State<Ui>, visitor: Visitor) -> Result<Response, Failure> {
    page(&ui, &visitor, Told::default()).await
}

async fn page(ui: &Ui, visitor: &Visitor, told: Told) -> Result<Response, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (user, keys, now) = ui
        .blocking(move |registry| {
            let user = registry.user(&caller, caller.user_id, fresh)?;
            let keys = registry.api_keys(&caller, None, Paging { limit: KEYS_MAX, after: None })?;
            Ok((user, keys, registry.now()))
        })
        .await?;
    let contact = match user {
        app::UserView::Whole { user, .. } => user.primary_contact,
        app::UserView::Name { .. } => String::new(),
    };
    let keys = keys.entries.into_iter().filter(|key| !key.is_deleted).map(|key| Key::of(key, now)).collect();
    let is_chosen = |scope: &Scope| told.chosen.iter().any(|chosen| chosen == scope.name());
    show(&Page {
        frame: Frame::of(visitor, "Profile", "/ui/profile"),
        name: visitor.name.clone(),
        contact,
        roles: visitor.caller.roles.iter().map(domain::Role::name).collect(),
        scopes: Scope::ALL.iter().map(|scope| (scope.name(), is_chosen(scope))).collect(),
        days: KEY_DAYS,
        keys,
        new_key: told.new_key,
        key_name: told.key_name,
        password_refused: told.password_refused,
        key_refused: told.key_refused,
    })
}

/// Ends every session, this one too.
async fn change_password(State(ui): State<Ui>, headers: HeaderMap, form: Form) -> Result<Response, Failure> {
    let exact = |name| form.fields.exact(name).unwrap_or_default();
    if exact("new_password") != exact("new_password_again") {
        let fault = Fault::of("new_password_again", "The two new passwords differ");
        let refused = Refused::of_fields("Not changed", vec![fault]);
        return refused_page(&ui, &form.visitor, Told { password_refused: Some(refused), ..Told::default() }).await;
    }
    let body = json!({"old_password": exact("old_password"), "new_password": exact("new_password")});
    match ui.api.ask(&form.visitor.caller, Method::POST, "/auth/change_password", &body, None).await {
        Ok(_) => {
            let mut response = Redirect::to("/ui/sign-in").into_response();
            visitor::set_session(&mut response, None, &headers);
            Ok(response)
        }
        Err(refused) => {
            refused_page(&ui, &form.visitor, Told { password_refused: Some(refused), ..Told::default() }).await
        }
    }
}

async fn create_key(State(ui): State<Ui>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let key_name = fields.get("name").unwrap_or_default().to_owned();
    let chosen: Vec<String> = fields.all("scopes").map(str::to_owned).collect();
    let days = fields.number("days").unwrap_or(i64::from(KEY_DAYS[0]));
    let now = ui.registry.now();
    let expires_at = now.checked_add(SignedDuration::from_hours(days.clamp(1, 366) * 24)).unwrap_or(Timestamp::MAX);
    let body = json!({"name": key_name, "scopes": chosen, "expires_at": expires_at.to_string()});
    match ask(&ui, &visitor.caller, Method::POST, "/auth/api_key/create", &body).await {
        Ok(answer) => {
            let new_key = answer["api_key"].as_str().map(str::to_owned);
            page(&ui, &visitor, Told { new_key, ..Told::default() }).await
        }
        Err(refused) => {
            refused_page(&ui, &visitor, Told { key_refused: Some(refused), key_name, chosen, ..Told::default() }).await
        }
    }
}

async fn delete_key(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let address = format!("/auth/api_key/delete/{id}");
    ask(&ui, &form.visitor.caller, Method::DELETE, &address, &Value::Null).await?;
    Ok(Redirect::to("/ui/profile").into_response())
}

async fn ask(ui: &Ui, caller: &Caller, method: Method, address: &str, body: &Value) -> Result<Value, Refused> {
    ui.api.ask(caller, method, address, body, None).await.map(|answered| answered.json)
}

async fn refused_page(ui: &Ui, visitor: &Visitor, told: Told) -> Result<Response, Failure> {
    let status = told.password_refused.as_ref().or(told.key_refused.as_ref()).map_or(422, |refused| refused.status);
    let page = page(ui, visitor, told).await?;
    Ok((StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY), page).into_response())
}

impl Key {
    fn of(key: domain::ApiKey, now: Timestamp) -> Self {
        let scopes: Vec<&str> = key.scopes.iter().map(Scope::name).collect();
        Self {
            id: key.id.0,
            name: key.name,
            scopes: scopes.join(", "),
            created_at: format::instant(key.created_at),
            expires_at: format::instant(key.expires_at),
            is_expired: key.expires_at <= now,
        }
    }
}
