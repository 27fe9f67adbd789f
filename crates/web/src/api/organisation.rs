//! Organisations.

use super::{carry_out, unexpected};
use crate::caller::{Asked, Caller, Read};
use crate::json::{Fields, text, text_or_number};
use crate::openapi::ChangeProblems;
use crate::wire::{At, Changed, Text};
use crate::{App, Error};
use axum::extract::State;
use axum::http::StatusCode;
use domain::{Command, OrganisationDescription, Outcome};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create))
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
    #[schema(value_type = Text)]
    primary_contact: String,
    #[schema(value_type = Option<Text>)]
    address: Option<String>,
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
    id: i64,
    name: String,
    business_id: String,
    primary_contact: String,
    address: Option<String>,
    website: Option<String>,
    created_at: At,
    is_deleted: bool,
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
        name: asked.name.clone(),
        business_id: asked.business_id.clone(),
        primary_contact: asked.primary_contact.clone(),
        address: asked.address.clone(),
        website: asked.website.clone(),
    });
    let carried = carry_out(&app, &caller, command, &serde_json::json!({})).await?;
    let Outcome::Organisation(id) = carried.outcome else { return Err(unexpected("creating an organisation")) };
    let body = OrganisationBody {
        id: id.0,
        name: asked.name,
        business_id: asked.business_id,
        primary_contact: asked.primary_contact,
        address: asked.address,
        website: asked.website,
        created_at: carried.at.into(),
        is_deleted: false,
    };
    Ok(Changed { status: StatusCode::CREATED, event: carried.event, body })
}
