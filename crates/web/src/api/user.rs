//! Users.

use super::account::AccountBody;
use super::{carry_out, unexpected};
use crate::caller::{Asked, Caller, Fresh, PathId, Read};
use crate::json::{Fields, any_text, id, role, text};
use crate::openapi::{ChangeProblems, IdProblems, ReadProblems};
use crate::wire::{At, Changed, Id, Text};
use crate::{App, Error};
use app::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, UserView};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::account::MEMBERS_MAX;
use domain::action::NewUser;
use domain::{AccountId, Capability, Command, EventNumber, Outcome, Role, Roles, UserId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(me))
        .routes(routes!(my_accounts))
        .routes(routes!(read_user))
}

/// What a user is trusted with.
#[derive(Serialize, ToSchema)]
#[schema(as = Role)]
#[expect(dead_code, reason = "documents the words; values are domain::Role")]
enum RoleWord {
    #[serde(rename = "Registry Administrator")]
    RegistryAdministrator,
    #[serde(rename = "GC Issuer")]
    GcIssuer,
    #[serde(rename = "Production Registrar")]
    ProductionRegistrar,
    #[serde(rename = "Measurement Body")]
    MeasurementBody,
    #[serde(rename = "Trading User")]
    TradingUser,
    #[serde(rename = "Production User")]
    ProductionUser,
    #[serde(rename = "Auditor")]
    Auditor,
}

/// A user to be.
#[derive(ToSchema)]
#[schema(example = json!({
    "name": "Ada Byron", "primary_contact": "ada@example.org", "roles": ["Trading User"], "password": "a-Long-Secret-1",
}))]
#[serde(deny_unknown_fields)]
struct UserCreate {
    #[schema(value_type = Text)]
    name: String,
    /// The sign-in name, unique.
    #[schema(value_type = Text)]
    primary_contact: String,
    #[schema(value_type = Vec<RoleWord>, min_items = 1, max_items = 7)]
    roles: Vec<Role>,
    #[schema(value_type = Option<Text>)]
    organisation: Option<String>,
    /// Without one the user cannot sign in. Never shown.
    #[schema(format = Password, write_only, min_length = 8, max_length = 200)]
    password: Option<String>,
    /// The accounts that the user belongs to.
    #[schema(value_type = Option<Vec<Id>>, max_items = 10_000)]
    account_ids: Option<Vec<i64>>,
}

impl Read for UserCreate {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", text);
        let primary_contact = fields.required("primary_contact", text);
        let roles = fields.required_list("roles", (1, Role::ALL.len()), role);
        let organisation = fields.optional("organisation", text);
        let password = fields.optional("password", any_text(PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX));
        let account_ids = fields.optional_list("account_ids", (0, MEMBERS_MAX), id);
        Some(Self {
            name: name?,
            primary_contact: primary_contact?,
            roles: roles?,
            organisation,
            password,
            account_ids,
        })
    }
}

/// A user. Of somebody who only shares an account with the caller, the id and the name.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
struct UserBody {
    #[schema(example = 7)]
    id: i64,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    primary_contact: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<RoleWord>)]
    roles: Option<Vec<Role>>,
    organisation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    account_ids: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_at: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    is_deleted: Option<bool>,
}

impl From<UserView> for UserBody {
    fn from(view: UserView) -> Self {
        match view {
            UserView::Whole { user, accounts } => Self {
                id: user.id.0,
                name: user.name,
                primary_contact: Some(user.primary_contact),
                roles: Some(user.roles.iter().collect()),
                organisation: user.organisation,
                account_ids: Some(accounts.into_iter().map(|account| account.0).collect()),
                created_at: Some(user.created_at.into()),
                is_deleted: Some(user.is_deleted),
            },
            UserView::Name { id, name } => Self {
                id: id.0,
                name,
                primary_contact: None,
                roles: None,
                organisation: None,
                account_ids: None,
                created_at: None,
                is_deleted: None,
            },
        }
    }
}

/// Create a user
///
/// For the Registry Administrator.
#[utoipa::path(
    post, path = "/user/create", tag = "Users", request_body = UserCreate,
    responses(
        (status = 201, description = "Created", body = UserBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(asked): Asked<UserCreate>,
) -> Result<Changed<UserBody>, Error> {
    // Only of those who may: hashing takes a while, and the refusal comes from the rule.
    let password = asked.password.filter(|_| caller.may(Capability::ManageUsers));
    let password_hash = match password {
        Some(password) => Some(app.blocking(move |registry| registry.hash_password(&password)).await?),
        None => None,
    };
    let account_ids = asked.account_ids.unwrap_or_default();
    let kept = serde_json::json!({
        "roles": asked.roles, "account_ids": account_ids, "has_password": password_hash.is_some(),
    });
    let command = Command::CreateUser(NewUser {
        name: asked.name,
        primary_contact: asked.primary_contact,
        roles: Roles::of(&asked.roles),
        organisation: asked.organisation,
        account_ids: account_ids.into_iter().map(AccountId).collect(),
        password_hash,
    });
    let carried = carry_out(&app, &caller, command, &kept).await?;
    let Outcome::User(id) = carried.outcome else { return Err(unexpected("creating a user")) };
    let event = carried.event;
    let view = app.blocking(move |registry| registry.user(&caller, id, Some(event))).await?;
    Ok(Changed { status: StatusCode::CREATED, event, body: view.into() })
}

async fn user_of(
    app: App,
    caller: app::Caller,
    id: UserId,
    fresh: Option<EventNumber>,
) -> Result<Json<UserBody>, Error> {
    let view = app.blocking(move |registry| registry.user(&caller, id, fresh)).await?;
    Ok(Json(view.into()))
}

/// Read a user
///
/// Oneself; anyone for those who may read everything; of others who share an account with the caller the name only.
#[utoipa::path(
    get, path = "/user/{id}", tag = "Users",
    params(("id" = i64, Path, description = "The user's id", minimum = 1), Fresh),
    responses((status = 200, description = "The user", body = UserBody), ReadProblems, IdProblems),
)]
async fn read_user(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<UserBody>, Error> {
    user_of(app, caller, UserId(id), fresh).await
}

/// Read oneself
///
/// The user whose token the request carries.
#[utoipa::path(
    get, path = "/user/me", tag = "Users",
    params(Fresh),
    responses((status = 200, description = "The caller", body = UserBody), ReadProblems),
)]
async fn me(State(app): State<App>, Caller(caller): Caller, Fresh(fresh): Fresh) -> Result<Json<UserBody>, Error> {
    let id = caller.user_id;
    user_of(app, caller, id, fresh).await
}

/// Read one's own accounts
///
/// Those that the caller belongs to, in the order of their ids.
#[utoipa::path(
    get, path = "/user/me/accounts", tag = "Users",
    params(Fresh),
    responses((status = 200, description = "The accounts", body = Vec<AccountBody>), ReadProblems),
)]
async fn my_accounts(
    State(app): State<App>,
    Caller(caller): Caller,
    Fresh(fresh): Fresh,
) -> Result<Json<Vec<AccountBody>>, Error> {
    let mut accounts = app.blocking(move |registry| registry.own_accounts(&caller, fresh)).await?;
    accounts.sort_by_key(|view| view.account.id);
    Ok(Json(accounts.into_iter().map(AccountBody::from).collect()))
}
