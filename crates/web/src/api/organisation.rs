//! Organisations.

use super::{carry_out, unexpected};
use crate::caller::{Asked, Caller, Fresh, PathId, Query, Read};
use crate::json::{Fields, text, text_or_number};
use crate::openapi::{ChangeProblems, IdProblems, ReadProblems};
use crate::page::{Listed, cursor_of};
use crate::wire::{At, Changed, Text};
use crate::{App, Error};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::action::{self, Edit};
use domain::{Command, Organisation, OrganisationDescription, OrganisationId, Outcome};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(list))
        .routes(routes!(read_organisation))
        .routes(routes!(update))
        .routes(routes!(delete))
}

/// An organisation to be.
#[derive(ToSchema)]
#[schema(example = json!({
    "name": "Northern Wind plc", "business_id": "SC123456", "primary_contact": "office@example.org",
}))]
#[serde(deny_unknown_fields)]
struct OrganisationCreate {
    /// Unique.
    #[schema(value_type = Text)]
    name: String,
    /// The number under which it is registered; a text or a number.
    #[schema(value_type = Text)]
    business_id: String,
    /// Whom to write to.
    #[schema(value_type = Text)]
    primary_contact: String,
    /// Where it is; not stated by default.
    #[schema(value_type = Option<Text>)]
    address: Option<String>,
    /// Where it is on the web; not stated by default.
    #[schema(value_type = Option<Text>)]
    website: Option<String>,
}

impl Read for OrganisationCreate {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("name", text);
        let business_id = fields.required("business_id", text_or_number);
        let primary_contact = fields.required("primary_contact", text);
        let (address, website) = (fields.optional("address", text), fields.optional("website", text));
        Some(Self { name: name?, business_id: business_id?, primary_contact: primary_contact?, address, website })
    }
}

/// An organisation: the company or body behind users and accounts.
#[derive(Serialize, ToSchema)]
#[schema(as = Organisation)]
struct OrganisationBody {
    /// Its number, given by the registry.
    id: i64,
    /// Unique among those that are not deleted.
    name: String,
    /// The number under which it is registered.
    business_id: String,
    /// Whom to write to.
    primary_contact: String,
    /// Where it is; `null` if it is not stated.
    address: Option<String>,
    /// Where it is on the web; `null` if it is not stated.
    website: Option<String>,
    /// When it was made.
    created_at: At,
    /// `true` once it was deleted.
    is_deleted: bool,
}

impl From<Organisation> for OrganisationBody {
    fn from(organisation: Organisation) -> Self {
        let description = organisation.description;
        Self {
            id: organisation.id.0,
            name: description.name,
            business_id: description.business_id,
            primary_contact: description.primary_contact,
            address: description.address,
            website: description.website,
            created_at: organisation.created_at.into(),
            is_deleted: organisation.is_deleted,
        }
    }
}

/// Organisations, in the order of their ids.
#[derive(Serialize, ToSchema)]
struct Organisations {
    /// The organisations of this page.
    organisations: Vec<OrganisationBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// Create an organisation
///
/// For the Registry Administrator.
#[utoipa::path(
    post, path = "/organisation/create", tag = "Organisations", request_body = OrganisationCreate,
    responses(
        (status = 201, description = "Created", body = OrganisationBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(asked): Asked<OrganisationCreate>,
) -> Result<Changed<OrganisationBody>, Error> {
    let command = Command::CreateOrganisation(OrganisationDescription {
        name: asked.name,
        business_id: asked.business_id,
        primary_contact: asked.primary_contact,
        address: asked.address,
        website: asked.website,
    });
    let carried = carry_out(&app, &caller, command, &serde_json::json!({})).await?;
    let Outcome::Organisation(id) = carried.outcome else { return Err(unexpected("creating an organisation")) };
    let fresh = Some(carried.event);
    let made = app.blocking(move |registry| registry.organisation(&caller, id, fresh)).await?;
    Ok(Changed { status: StatusCode::CREATED, event: carried.event, body: made.into() })
}

/// List organisations
///
/// Those behind the caller's accounts; all for those who may read everything.
#[utoipa::path(
    get, path = "/organisation/list", tag = "Organisations", params(Listed, Fresh),
    responses((status = 200, description = "A page of organisations", body = Organisations), ReadProblems),
)]
async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(asked): Query<Listed>,
    Fresh(fresh): Fresh,
) -> Result<Json<Organisations>, Error> {
    let Listed { paging, with_deleted } = asked;
    let page = app.blocking(move |registry| registry.organisations(&caller, with_deleted, paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(Organisations { organisations: page.entries.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Read an organisation
///
/// One behind an account of the caller's, or any for those who may read everything.
#[utoipa::path(
    get, path = "/organisation/{id}", tag = "Organisations",
    params(("id" = i64, Path, description = "The organisation's id", minimum = 1), Fresh),
    responses((status = 200, description = "The organisation", body = OrganisationBody), ReadProblems, IdProblems),
)]
async fn read_organisation(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<OrganisationBody>, Error> {
    let id = OrganisationId(id);
    let organisation = app.blocking(move |registry| registry.organisation(&caller, id, fresh)).await?;
    Ok(Json(organisation.into()))
}

/// What changes of an organisation; absent members stay as they are.
#[derive(ToSchema)]
#[schema(example = json!({"primary_contact": "desk@example.org", "website": null}))]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "documents what OrganisationAsked reads")]
struct OrganisationUpdate {
    /// Unique.
    #[schema(value_type = Option<Text>)]
    name: Option<String>,
    /// A text or a number.
    #[schema(value_type = Option<Text>)]
    business_id: Option<String>,
    /// Whom to write to.
    #[schema(value_type = Option<Text>)]
    primary_contact: Option<String>,
    /// `null` takes it away.
    #[schema(value_type = Option<Text>)]
    address: Option<String>,
    /// `null` takes it away.
    #[schema(value_type = Option<Text>)]
    website: Option<String>,
}

struct OrganisationAsked {
    name: Option<String>,
    business_id: Option<String>,
    primary_contact: Option<String>,
    address: Edit<String>,
    website: Edit<String>,
}

impl Read for OrganisationAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            name: fields.optional("name", text),
            business_id: fields.optional("business_id", text_or_number),
            primary_contact: fields.optional("primary_contact", text),
            address: fields.edit("address", text),
            website: fields.edit("website", text),
        })
    }
}

/// Change an organisation
///
/// For the Registry Administrator.
#[utoipa::path(
    patch, path = "/organisation/update/{id}", tag = "Organisations", request_body = OrganisationUpdate,
    params(("id" = i64, Path, description = "The organisation's id", minimum = 1)),
    responses(
        (status = 200, description = "The organisation as it is now", body = OrganisationBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn update(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Asked(asked): Asked<OrganisationAsked>,
) -> Result<Changed<OrganisationBody>, Error> {
    let command = Command::UpdateOrganisation(action::OrganisationUpdate {
        organisation_id: OrganisationId(id),
        name: asked.name,
        business_id: asked.business_id,
        primary_contact: asked.primary_contact,
        address: asked.address,
        website: asked.website,
    });
    change(app, caller, id, command).await
}

/// Delete an organisation
///
/// For the Registry Administrator. Its name is free again; accounts keep it behind them. Deleting again changes nothing.
#[utoipa::path(
    delete, path = "/organisation/delete/{id}", tag = "Organisations",
    params(("id" = i64, Path, description = "The organisation's id", minimum = 1)),
    responses(
        (status = 200, description = "The organisation as it is now", body = OrganisationBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn delete(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
) -> Result<Changed<OrganisationBody>, Error> {
    change(app, caller, id, Command::DeleteOrganisation(OrganisationId(id))).await
}

async fn change(app: App, caller: app::Caller, id: i64, command: Command) -> Result<Changed<OrganisationBody>, Error> {
    let carried = carry_out(&app, &caller, command, &serde_json::json!({ "organisation_id": id })).await?;
    let (id, fresh) = (OrganisationId(id), Some(carried.event));
    let now = app.blocking(move |registry| registry.organisation(&caller, id, fresh)).await?;
    Ok(Changed { status: StatusCode::OK, event: carried.event, body: now.into() })
}
