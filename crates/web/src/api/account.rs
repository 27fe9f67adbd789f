//! Accounts and who may send to them.

mod belongings;

use super::{carry_out, unexpected};
use crate::caller::{Asked, Caller, Fresh, PathId, Query, Read};
use crate::json::{Fields, id, rule, text};
use crate::openapi::{ChangeProblems, IdProblems, ReadProblems};
use crate::page::{Listed, cursor_of};
use crate::wire::{At, Changed, Id, Text};
use crate::{App, Error};
use app::AccountView;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::account::MEMBERS_MAX;
use domain::action::{self, Edit, NewAccount, WhitelistUpdate};
use domain::{AccountId, Command, EventNumber, OrganisationId, Outcome, UserId};
use serde::Serialize;
use std::collections::HashSet;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(list))
        .routes(routes!(read_account))
        .routes(routes!(update))
        .routes(routes!(update_whitelist))
        .routes(routes!(delete))
        .merge(belongings::routes())
}

/// An account to be.
#[derive(ToSchema)]
#[schema(example = json!({"account_name": "Northern Wind", "user_ids": [7], "account_whitelist": [3]}))]
#[serde(deny_unknown_fields)]
struct AccountCreate {
    /// Unique.
    #[schema(value_type = Text)]
    account_name: String,
    /// The users who belong to it.
    #[schema(value_type = Option<Vec<Id>>, max_items = 10_000)]
    user_ids: Option<Vec<i64>>,
    /// The accounts that may send to it; nobody by default.
    #[schema(value_type = Option<Vec<Id>>, max_items = 10_000)]
    account_whitelist: Option<Vec<i64>>,
    /// The organisation behind it; none by default.
    #[schema(minimum = 1)]
    organisation_id: Option<i64>,
}

impl Read for AccountCreate {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let account_name = fields.required("account_name", text);
        let user_ids = fields.optional_list("user_ids", (0, MEMBERS_MAX), id);
        let account_whitelist = fields.optional_list("account_whitelist", (0, MEMBERS_MAX), id);
        let organisation_id = fields.optional("organisation_id", id);
        Some(Self { account_name: account_name?, user_ids, account_whitelist, organisation_id })
    }
}

/// An account: where bundles are held.
#[derive(Serialize, ToSchema)]
#[schema(as = Account)]
pub(super) struct AccountBody {
    /// Its number, given by the registry.
    #[schema(example = 3)]
    id: i64,
    /// Unique among those that are not deleted.
    account_name: String,
    /// The organisation behind it; `null` if none is stated.
    organisation_id: Option<i64>,
    /// The users who belong to it.
    user_ids: Vec<i64>,
    /// The accounts that may send to this one.
    account_whitelist: Vec<i64>,
    /// When it was made.
    created_at: At,
    /// `true` once it was deleted.
    is_deleted: bool,
}

impl From<AccountView> for AccountBody {
    fn from(view: AccountView) -> Self {
        Self {
            id: view.account.id.0,
            account_name: view.account.name,
            organisation_id: view.account.organisation_id.map(|id| id.0),
            user_ids: view.user_ids.into_iter().map(|id| id.0).collect(),
            account_whitelist: view.whitelist.into_iter().map(|id| id.0).collect(),
            created_at: view.account.created_at.into(),
            is_deleted: view.account.is_deleted,
        }
    }
}

async fn account_of(
    app: &App,
    caller: app::Caller,
    id: AccountId,
    fresh: Option<EventNumber>,
) -> Result<AccountBody, Error> {
    let view = app.blocking(move |registry| registry.account(&caller, id, fresh)).await?;
    Ok(view.into())
}

/// Create an account
///
/// For the Registry Administrator. An account accepts certificates from nobody until its whitelist names somebody.
#[utoipa::path(
    post, path = "/account/create", tag = "Accounts", request_body = AccountCreate,
    responses(
        (status = 201, description = "Created", body = AccountBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(asked): Asked<AccountCreate>,
) -> Result<Changed<AccountBody>, Error> {
    let kept = serde_json::json!({
        "user_ids": asked.user_ids, "account_whitelist": asked.account_whitelist,
        "organisation_id": asked.organisation_id,
    });
    let command = Command::CreateAccount(NewAccount {
        name: asked.account_name,
        organisation_id: asked.organisation_id.map(OrganisationId),
        user_ids: asked.user_ids.iter().flatten().copied().map(UserId).collect(),
        whitelist: asked.account_whitelist.iter().flatten().copied().map(AccountId).collect(),
    });
    let carried = carry_out(&app, &caller, command, &kept).await?;
    let Outcome::Account(id) = carried.outcome else { return Err(unexpected("creating an account")) };
    let body = account_of(&app, caller, id, Some(carried.event)).await?;
    Ok(Changed { status: StatusCode::CREATED, event: carried.event, body })
}

/// Read an account
///
/// One that the caller belongs to, or any for those who may read everything.
#[utoipa::path(
    get, path = "/account/{id}", tag = "Accounts",
    params(("id" = i64, Path, description = "The account's id", minimum = 1), Fresh),
    responses((status = 200, description = "The account", body = AccountBody), ReadProblems, IdProblems),
)]
async fn read_account(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<AccountBody>, Error> {
    account_of(&app, caller, AccountId(id), fresh).await.map(Json)
}

/// Accounts, in the order of their ids.
#[derive(Serialize, ToSchema)]
struct Accounts {
    /// The accounts of this page.
    accounts: Vec<AccountBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// List accounts
///
/// Those that the caller belongs to; all for those who may read everything, who also see deleted ones if they want to.
#[utoipa::path(
    get, path = "/account/list", tag = "Accounts", params(Listed, Fresh),
    responses((status = 200, description = "A page of accounts", body = Accounts), ReadProblems),
)]
async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(asked): Query<Listed>,
    Fresh(fresh): Fresh,
) -> Result<Json<Accounts>, Error> {
    let Listed { paging, with_deleted } = asked;
    let page = app.blocking(move |registry| registry.accounts(&caller, with_deleted, paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(Accounts { accounts: page.entries.into_iter().map(AccountBody::from).collect(), next_cursor }))
}

/// What changes of an account; absent members stay as they are.
#[derive(ToSchema)]
#[schema(example = json!({"account_name": "Southern Wind", "user_ids": [7, 8]}))]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "documents what AccountAsked reads")]
struct AccountUpdate {
    /// Unique.
    #[schema(value_type = Option<Text>)]
    account_name: Option<String>,
    /// All users who belong to it afterwards: others leave.
    #[schema(value_type = Option<Vec<Id>>, max_items = 10_000)]
    user_ids: Option<Vec<i64>>,
    /// `null` takes it away.
    #[schema(minimum = 1)]
    organisation_id: Option<i64>,
}

struct AccountAsked {
    account_name: Option<String>,
    user_ids: Option<Vec<i64>>,
    organisation_id: Edit<i64>,
}

impl Read for AccountAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        // It has a route of its own.
        fields.pass_over_nulls(&["account_whitelist"]);
        Some(Self {
            account_name: fields.optional("account_name", text),
            user_ids: fields.optional_list("user_ids", (0, MEMBERS_MAX), id),
            organisation_id: fields.edit("organisation_id", id),
        })
    }
}

/// Change an account
///
/// For the Registry Administrator.
#[utoipa::path(
    patch, path = "/account/update/{id}", tag = "Accounts", request_body = AccountUpdate,
    params(("id" = i64, Path, description = "The account's id", minimum = 1)),
    responses(
        (status = 200, description = "The account as it is now", body = AccountBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn update(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Asked(asked): Asked<AccountAsked>,
) -> Result<Changed<AccountBody>, Error> {
    let kept = serde_json::json!({ "account_id": id, "user_ids": asked.user_ids });
    let command = Command::UpdateAccount(action::AccountUpdate {
        account_id: AccountId(id),
        name: asked.account_name,
        organisation_id: match asked.organisation_id {
            Edit::Keep => Edit::Keep,
            Edit::Clear => Edit::Clear,
            Edit::Set(id) => Edit::Set(OrganisationId(id)),
        },
        user_ids: asked.user_ids.map(|ids| ids.into_iter().map(UserId).collect()),
    });
    change(app, caller, id, command, &kept).await
}

/// Delete an account
///
/// For the Registry Administrator. Refused while the account holds Active, Reserved or Locked bundles, where what has
/// expired counts as Expired, or has devices that are not deleted. Nobody belongs to it any more, and its name is free
/// again; those who may read everything still find what it held. Deleting again changes nothing.
#[utoipa::path(
    delete, path = "/account/delete/{id}", tag = "Accounts",
    params(("id" = i64, Path, description = "The account's id", minimum = 1)),
    responses(
        (status = 200, description = "The account as it is now", body = AccountBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn delete(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
) -> Result<Changed<AccountBody>, Error> {
    let kept = serde_json::json!({ "account_id": id });
    change(app, caller, id, Command::DeleteAccount(AccountId(id)), &kept).await
}

async fn change(
    app: App,
    caller: app::Caller,
    id: i64,
    command: Command,
    kept: &serde_json::Value,
) -> Result<Changed<AccountBody>, Error> {
    let carried = carry_out(&app, &caller, command, kept).await?;
    let body = account_of(&app, caller, AccountId(id), Some(carried.event)).await?;
    Ok(Changed { status: StatusCode::OK, event: carried.event, body })
}

/// Which accounts to add to a whitelist and which to take off it.
#[derive(Serialize, ToSchema)]
#[schema(as = WhitelistUpdate, example = json!({"add_to_whitelist": [3], "remove_from_whitelist": [4]}))]
#[serde(deny_unknown_fields)]
struct WhitelistBody {
    /// Accounts that may send to this one from now on; none by default.
    #[schema(value_type = Option<Vec<Id>>, max_items = 10_000)]
    add_to_whitelist: Option<Vec<i64>>,
    /// Accounts that may no longer send to this one; none by default.
    #[schema(value_type = Option<Vec<Id>>, max_items = 10_000)]
    remove_from_whitelist: Option<Vec<i64>>,
}

impl Read for WhitelistBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let add_to_whitelist = fields.optional_list("add_to_whitelist", (0, MEMBERS_MAX), id);
        let remove_from_whitelist = fields.optional_list("remove_from_whitelist", (0, MEMBERS_MAX), id);
        let added: HashSet<i64> = add_to_whitelist.iter().flatten().copied().collect();
        if let Some(id) = remove_from_whitelist.iter().flatten().find(|id| added.contains(id)) {
            let msg = format!("Value error, {id} is to be added too");
            fields.fault("remove_from_whitelist", rule("value_error", msg));
        }
        Some(Self { add_to_whitelist, remove_from_whitelist })
    }
}

/// What is kept of a whitelist update.
#[derive(Serialize)]
struct KeptUpdate<'r> {
    account_id: i64,
    #[serde(flatten)]
    asked: &'r WhitelistBody,
}

/// Update a whitelist
///
/// For the Registry Administrator and for Trading or Production Users of the account. Adding what is there and taking off
/// what is not changes nothing; no account can be on both lists.
#[utoipa::path(
    patch, path = "/account/update_whitelist/{id}", tag = "Accounts", request_body = WhitelistBody,
    params(("id" = i64, Path, description = "The account that receives", minimum = 1)),
    responses(
        (status = 200, description = "The account as it is now", body = AccountBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn update_whitelist(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Asked(asked): Asked<WhitelistBody>,
) -> Result<Changed<AccountBody>, Error> {
    let ids = |given: &Option<Vec<i64>>| given.iter().flatten().copied().map(AccountId).collect();
    let account_id = AccountId(id);
    let (add, remove) = (ids(&asked.add_to_whitelist), ids(&asked.remove_from_whitelist));
    let command = Command::UpdateWhitelist(WhitelistUpdate { account_id, add, remove });
    let carried = carry_out(&app, &caller, command, &KeptUpdate { account_id: id, asked: &asked }).await?;
    let body = account_of(&app, caller, account_id, Some(carried.event)).await?;
    Ok(Changed { status: StatusCode::OK, event: carried.event, body })
}
