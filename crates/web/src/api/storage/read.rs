//! Storage records are found and read.

use super::body::{ChargeBody, DischargeBody, SummaryBody};
use crate::api::own;
use crate::body::whole;
use crate::caller::{Asked, Caller, Fresh, PathId, Read, read};
use crate::json::{Fields, boolean, id, instant};
use crate::openapi::{IdProblems, ReadProblems};
use crate::page::{Paged, cursor_of};
use crate::wire::At;
use crate::{App, Error};
use app::StorageQuery;
use axum::Json;
use axum::extract::{FromRequest, Request, State};
use domain::{AccountId, DeviceId, ScrId, SdrId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(query_scr, post_query_scr))
        .routes(routes!(query_sdr, post_query_sdr))
        .routes(routes!(read_scr))
        .routes(routes!(read_sdr))
        .routes(routes!(summary))
}

/// Which storage records to find. Absent members filter nothing.
#[derive(ToSchema)]
#[schema(as = StorageQuery, example = json!({"device_id": 31, "limit": 100}))]
#[expect(dead_code, reason = "documents what QueryAsked reads")]
#[serde(deny_unknown_fields)]
struct QuerySchema {
    /// Only of devices of this account.
    #[schema(minimum = 1)]
    source_id: Option<i64>,
    /// The caller, if given.
    #[schema(minimum = 1)]
    user_id: Option<i64>,
    /// Only this record.
    #[schema(minimum = 1)]
    source_allocation_id: Option<i64>,
    /// Only of this device; also as `storage_device_id`.
    #[schema(minimum = 1)]
    device_id: Option<i64>,
    /// Only records that start then or later.
    period_start: Option<At>,
    /// Only records that start before.
    period_end: Option<At>,
    /// Withdrawn ones too.
    include_withdrawn: Option<bool>,
    /// Records of a page; 100 by default.
    #[schema(minimum = 1, maximum = 1_000)]
    limit: Option<u64>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

struct QueryAsked {
    query: StorageQuery,
    user_id: Option<i64>,
}

impl Read for QueryAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let account = fields.optional("source_id", id).map(AccountId);
        let user_id = fields.optional("user_id", id);
        let device = fields.optional_either(["device_id", "storage_device_id"], id).map(DeviceId);
        let record = fields.optional("source_allocation_id", id);
        let from = fields.optional_either(["period_start", "charging_period_start"], instant);
        let to = fields.optional_either(["period_end", "charging_period_end"], instant);
        let with_withdrawn = fields.optional("include_withdrawn", boolean).unwrap_or(false);
        let paging = Paged::read(fields)?.0;
        Some(Self { query: StorageQuery { account, device, record, from, to, with_withdrawn, paging }, user_id })
    }
}

/// What is asked in the query string, or, as the specification has it, in a body of a GET.
struct Either<T>(T);

impl<T: Read> FromRequest<App> for Either<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let bytes = whole(body, app.limits.body_bytes_max, app.limits.body_idle).await?;
        let parameters = Fields::of_form("query", parts.uri.query().unwrap_or_default().as_bytes());
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return read(parameters).map(Self);
        }
        // one or the other, so that none is passed over
        parameters.finish()?;
        read(Fields::of_json(&bytes)?).map(Self)
    }
}

/// A page of charge records.
#[derive(Serialize, ToSchema)]
#[schema(as = ScrList)]
struct Charges {
    /// The records of this page.
    filtered_scrs: Vec<ChargeBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// A page of discharge records.
#[derive(Serialize, ToSchema)]
#[schema(as = SdrList)]
struct Discharges {
    /// The records of this page.
    filtered_sdrs: Vec<DischargeBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

async fn charges(app: &App, caller: app::Caller, asked: QueryAsked, fresh: Fresh) -> Result<Json<Charges>, Error> {
    own(&caller, asked.user_id)?;
    let page = app.blocking(move |registry| registry.charges(&caller, &asked.query, fresh.0)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(Charges { filtered_scrs: page.entries.iter().map(Into::into).collect(), next_cursor }))
}

async fn discharges(
    app: &App,
    caller: app::Caller,
    asked: QueryAsked,
    fresh: Fresh,
) -> Result<Json<Discharges>, Error> {
    own(&caller, asked.user_id)?;
    let page = app.blocking(move |registry| registry.discharges(&caller, &asked.query, fresh.0)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(Discharges { filtered_sdrs: page.entries.iter().map(Into::into).collect(), next_cursor }))
}

/// Find charges
///
/// Of devices of the caller's accounts, or of all for those who may read everything; by id. What is asked may also stand in a
/// body.
#[utoipa::path(
    get, path = "/storage/query_scr", tag = "Storage",
    params(
        ("source_id" = Option<i64>, Query, description = "Only of devices of this account", minimum = 1),
        ("source_allocation_id" = Option<i64>, Query, description = "Only this record", minimum = 1),
        ("device_id" = Option<i64>, Query, description = "Only of this device", minimum = 1),
        ("period_start" = Option<At>, Query, description = "Only records that start then or later"),
        ("period_end" = Option<At>, Query, description = "Only records that start before"),
        ("include_withdrawn" = Option<bool>, Query, description = "Withdrawn ones too"),
        Paged<i64>,
        Fresh,
    ),
    responses((status = 200, description = "A page of records", body = Charges), ReadProblems),
)]
async fn query_scr(
    State(app): State<App>,
    Caller(caller): Caller,
    fresh: Fresh,
    Either(asked): Either<QueryAsked>,
) -> Result<Json<Charges>, Error> {
    charges(&app, caller, asked, fresh).await
}

/// Find charges
///
/// As with GET.
#[utoipa::path(
    post, path = "/storage/query_scr", tag = "Storage", request_body = QuerySchema, params(Fresh),
    responses((status = 200, description = "A page of records", body = Charges), ReadProblems),
)]
async fn post_query_scr(
    State(app): State<App>,
    Caller(caller): Caller,
    fresh: Fresh,
    Asked(asked): Asked<QueryAsked>,
) -> Result<Json<Charges>, Error> {
    charges(&app, caller, asked, fresh).await
}

/// Find discharges
///
/// Of devices of the caller's accounts, or of all for those who may read everything; by id. What is asked may also stand in a
/// body.
#[utoipa::path(
    get, path = "/storage/query_sdr", tag = "Storage",
    params(
        ("source_id" = Option<i64>, Query, description = "Only of devices of this account", minimum = 1),
        ("source_allocation_id" = Option<i64>, Query, description = "Only this record", minimum = 1),
        ("device_id" = Option<i64>, Query, description = "Only of this device", minimum = 1),
        ("period_start" = Option<At>, Query, description = "Only records that start then or later"),
        ("period_end" = Option<At>, Query, description = "Only records that start before"),
        ("include_withdrawn" = Option<bool>, Query, description = "Withdrawn ones too"),
        Paged<i64>,
        Fresh,
    ),
    responses((status = 200, description = "A page of records", body = Discharges), ReadProblems),
)]
async fn query_sdr(
    State(app): State<App>,
    Caller(caller): Caller,
    fresh: Fresh,
    Either(asked): Either<QueryAsked>,
) -> Result<Json<Discharges>, Error> {
    discharges(&app, caller, asked, fresh).await
}

/// Find discharges
///
/// As with GET.
#[utoipa::path(
    post, path = "/storage/query_sdr", tag = "Storage", request_body = QuerySchema, params(Fresh),
    responses((status = 200, description = "A page of records", body = Discharges), ReadProblems),
)]
async fn post_query_sdr(
    State(app): State<App>,
    Caller(caller): Caller,
    fresh: Fresh,
    Asked(asked): Asked<QueryAsked>,
) -> Result<Json<Discharges>, Error> {
    discharges(&app, caller, asked, fresh).await
}

/// Read a charge
///
/// Of a device of the caller's accounts, or any for those who may read everything.
#[utoipa::path(
    get, path = "/storage/scr/{id}", tag = "Storage",
    params(("id" = i64, Path, description = "The record's id", minimum = 1), Fresh),
    responses((status = 200, description = "The record", body = ChargeBody), ReadProblems, IdProblems),
)]
async fn read_scr(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<ChargeBody>, Error> {
    let view = app.blocking(move |registry| registry.charge(&caller, ScrId(id), fresh)).await?;
    Ok(Json((&view).into()))
}

/// Read a discharge
///
/// Of a device of the caller's accounts, or any for those who may read everything.
#[utoipa::path(
    get, path = "/storage/sdr/{id}", tag = "Storage",
    params(("id" = i64, Path, description = "The record's id", minimum = 1), Fresh),
    responses((status = 200, description = "The record and what it draws", body = DischargeBody), ReadProblems, IdProblems),
)]
async fn read_sdr(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<DischargeBody>, Error> {
    let view = app.blocking(move |registry| registry.discharge(&caller, SdrId(id), fresh)).await?;
    Ok(Json((&view).into()))
}

/// Read what a storage device's records come to
///
/// All that it charged is certified, lost, drawn of no certificate's origin, or left. Of a device of the caller's accounts, or
/// any for those who may read everything.
#[utoipa::path(
    get, path = "/storage/device/{id}", tag = "Storage",
    params(("id" = i64, Path, description = "The device's id", minimum = 1), Fresh),
    responses((status = 200, description = "The sums", body = SummaryBody), ReadProblems, IdProblems),
)]
async fn summary(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<SummaryBody>, Error> {
    let summary = app.blocking(move |registry| registry.storage_of(&caller, DeviceId(id), fresh)).await?;
    Ok(Json((&summary).into()))
}
