//! Users.

use super::account::AccountBody;
use super::{carry_out, unexpected};
use crate::caller::{Asked, Caller, Fresh, PathId, Query, Read};
use crate::json::{Fields, any_text, id, role, text};
use crate::openapi::{ChangeProblems, IdProblems, ReadProblems};
use crate::page::{Listed, cursor_of};
use crate::wire::{At, Changed, Id, Text};
use crate::{App, Error};
use app::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, UserView};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::account::MEMBERS_MAX;
use domain::action::{self, Edit, NewUser};
use domain::{AccountId, Capability, Command, EventNumber, Outcome, Refusal, Role, Roles, UserId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(me))
        .routes(routes!(my_accounts))
        .routes(routes!(list))
        .routes(routes!(read_user))
        .routes(routes!(update))
        .routes(routes!(change_role))
        .routes(routes!(delete))
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
    /// What the user is called.
    #[schema(value_type = Text)]
    name: String,
    /// The sign-in name, unique.
    #[schema(value_type = Text)]
    primary_contact: String,
    /// What the user is trusted with.
    #[schema(value_type = Vec<RoleWord>, min_items = 1, max_items = 7)]
    roles: Vec<Role>,
    /// Whom the user works for, as free text; not stated by default.
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
pub(super) struct UserBody {
    /// Their number, given by the registry.
    #[schema(example = 7)]
    id: i64,
    /// What the user is called.
    name: String,
    /// The sign-in name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    primary_contact: Option<String>,
    /// What the user is trusted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<RoleWord>)]
    roles: Option<Vec<Role>>,
    /// Whom the user works for, as free text; `null` if it is not stated, and of somebody whose name alone is shown.
    organisation: Option<String>,
    /// The accounts that the user belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    account_ids: Option<Vec<i64>>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_at: Option<At>,
    /// `true` once it was deleted.
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
/// For the Registry Administrator. An API key sets no password; a user without one cannot sign in until they get one.
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
    sets_no_password_with_a_key(&caller, asked.password.as_deref())?;
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

/// Users, in the order of their ids.
#[derive(Serialize, ToSchema)]
struct Users {
    /// The users of this page.
    users: Vec<UserBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// List users
///
/// Oneself and, with their names only, those who share an account; all for those who may read everything, who also see
/// deleted ones if they want to.
#[utoipa::path(
    get, path = "/user/list", tag = "Users", params(Listed, Fresh),
    responses((status = 200, description = "A page of users", body = Users), ReadProblems),
)]
async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(asked): Query<Listed>,
    Fresh(fresh): Fresh,
) -> Result<Json<Users>, Error> {
    let Listed { paging, with_deleted } = asked;
    let page = app.blocking(move |registry| registry.users(&caller, with_deleted, paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(Users { users: page.entries.into_iter().map(UserBody::from).collect(), next_cursor }))
}

/// What changes of a user; absent members stay as they are.
#[derive(ToSchema)]
#[schema(example = json!({"name": "Ada Byron", "organisation": null}))]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "documents what UserAsked reads")]
struct UserUpdate {
    /// What the user is called.
    #[schema(value_type = Option<Text>)]
    name: Option<String>,
    /// The sign-in name, unique.
    #[schema(value_type = Option<Text>)]
    primary_contact: Option<String>,
    /// `null` takes it away.
    #[schema(value_type = Option<Text>)]
    organisation: Option<String>,
    /// By the administrator only: a new password. It ends the user's sessions and API keys. Never shown.
    #[schema(format = Password, write_only, min_length = 8, max_length = 200)]
    password: Option<String>,
    /// By the administrator only: all accounts that the user belongs to afterwards.
    #[schema(value_type = Option<Vec<Id>>, max_items = 10_000)]
    account_ids: Option<Vec<i64>>,
}

struct UserAsked {
    name: Option<String>,
    primary_contact: Option<String>,
    organisation: Edit<String>,
    password: Option<String>,
    account_ids: Option<Vec<i64>>,
}

impl Read for UserAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        // They have a route of their own.
        fields.pass_over_nulls(&["roles"]);
        Some(Self {
            name: fields.optional("name", text),
            primary_contact: fields.optional("primary_contact", text),
            organisation: fields.edit("organisation", text),
            password: fields.optional("password", any_text(PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX)),
            account_ids: fields.optional_list("account_ids", (0, MEMBERS_MAX), id),
        })
    }
}

/// Change a user
///
/// Everybody changes their own name, sign-in name and organisation; the Registry Administrator changes anybody's, and the
/// accounts they belong to and their password too. One's own password is changed with `POST /auth/change_password`.
/// An API key sets no password.
#[utoipa::path(
    patch, path = "/user/update/{id}", tag = "Users", request_body = UserUpdate,
    params(("id" = i64, Path, description = "The user's id", minimum = 1)),
    responses(
        (status = 200, description = "The user as it is now", body = UserBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn update(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Asked(asked): Asked<UserAsked>,
) -> Result<Changed<UserBody>, Error> {
    sets_no_password_with_a_key(&caller, asked.password.as_deref())?;
    let kept = serde_json::json!({
        "user_id": id, "account_ids": asked.account_ids, "has_password": asked.password.is_some(),
    });
    let password_hash = match asked.password {
        // Only of those who may: hashing takes a while.
        Some(_) if !caller.may(Capability::ManageUsers) => {
            let needs = format!("the role {}", Role::RegistryAdministrator.name());
            return Err(Refusal::Forbidden { needs }.into());
        }
        Some(password) => Some(app.blocking(move |registry| registry.hash_password(&password)).await?),
        None => None,
    };
    let command = Command::UpdateUser(action::UserUpdate {
        user_id: UserId(id),
        name: asked.name,
        primary_contact: asked.primary_contact,
        organisation: asked.organisation,
        account_ids: asked.account_ids.map(|ids| ids.into_iter().map(AccountId).collect()),
        password_hash,
    });
    change(app, caller, id, command, &kept).await
}

/// The roles that a user has afterwards.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"roles": ["Trading User", "Production User"]}))]
#[serde(deny_unknown_fields)]
struct RoleChange {
    /// All roles that the user has afterwards.
    #[schema(value_type = Vec<RoleWord>, min_items = 1, max_items = 7)]
    roles: Vec<Role>,
}

impl Read for RoleChange {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let roles = fields.required_list("roles", (1, Role::ALL.len()), role);
        Some(Self { roles: roles? })
    }
}

/// What is kept of a change of roles.
#[derive(Serialize)]
struct KeptRoles {
    user_id: i64,
    #[serde(flatten)]
    asked: RoleChange,
}

/// Change a user's roles
///
/// For the Registry Administrator. The user's sessions and API keys end. The last administrator keeps the role.
#[utoipa::path(
    post, path = "/user/change_role/{id}", tag = "Users", request_body = RoleChange,
    params(("id" = i64, Path, description = "The user's id", minimum = 1)),
    responses(
        (status = 200, description = "The user as it is now", body = UserBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn change_role(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Asked(asked): Asked<RoleChange>,
) -> Result<Changed<UserBody>, Error> {
    let change_of = action::RoleChange { user_id: UserId(id), roles: Roles::of(&asked.roles) };
    let kept = KeptRoles { user_id: id, asked };
    change(app, caller, id, Command::ChangeRole(change_of), &kept).await
}

/// Delete a user
///
/// For the Registry Administrator. Their sessions and API keys end, and their sign-in name is free again. The last
/// administrator stays. Deleting again changes nothing.
#[utoipa::path(
    delete, path = "/user/delete/{id}", tag = "Users",
    params(("id" = i64, Path, description = "The user's id", minimum = 1)),
    responses(
        (status = 200, description = "The user as it is now", body = UserBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn delete(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
) -> Result<Changed<UserBody>, Error> {
    let kept = serde_json::json!({ "user_id": id });
    change(app, caller, id, Command::DeleteUser(UserId(id)), &kept).await
}

async fn change(
    app: App,
    caller: app::Caller,
    id: i64,
    command: Command,
    kept: &impl Serialize,
) -> Result<Changed<UserBody>, Error> {
    let carried = carry_out(&app, &caller, command, kept).await?;
    let (id, fresh) = (UserId(id), Some(carried.event));
    let view = app.blocking(move |registry| registry.user(&caller, id, fresh)).await?;
    Ok(Changed { status: StatusCode::OK, event: carried.event, body: view.into() })
}

/// A password is worth a session, and a session has no scopes: no key may set one.
fn sets_no_password_with_a_key(caller: &app::Caller, password: Option<&str>) -> Result<(), Error> {
    if caller.scopes.is_some() && password.is_some() { Err(Error::SessionNeeded) } else { Ok(()) }
}
