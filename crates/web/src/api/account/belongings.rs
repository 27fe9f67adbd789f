//! What belongs to one account: its users, devices, whitelists, certificates, and all of it in figures.

use crate::api::certificate::BundleBody;
use crate::api::device::{DeviceBody, DeviceTypeWord, EnergySourceWord};
use crate::api::user::UserBody;
use crate::caller::{Caller, Fresh, PathId, Query};
use crate::openapi::{IdProblems, ReadProblems};
use crate::page::{Paged, cursor_of};
use crate::wire::At;
use crate::{App, Error};
use app::{AccountSummary, Receiver};
use axum::Json;
use axum::extract::State;
use domain::{Account, AccountId, CertificateAttributes, DeviceId, DeviceKind, EnergySource};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(users))
        .routes(routes!(devices))
        .routes(routes!(whitelist))
        .routes(routes!(whitelist_inverse))
        .routes(routes!(certificates))
        .routes(routes!(certificate_devices))
        .routes(routes!(summary))
}

/// Users of an account, in the order of their ids.
#[derive(Serialize, ToSchema)]
struct AccountUsers {
    /// The users of this page.
    users: Vec<UserBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// List the users of an account
///
/// For those who belong to it, of others the name only; for those who may read everything.
#[utoipa::path(
    get, path = "/account/{id}/users", tag = "Accounts",
    params(("id" = i64, Path, description = "The account's id", minimum = 1), Paged<i64>, Fresh),
    responses((status = 200, description = "A page of users", body = AccountUsers), ReadProblems, IdProblems),
)]
async fn users(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Query(Paged(paging)): Query<Paged<i64>>,
    Fresh(fresh): Fresh,
) -> Result<Json<AccountUsers>, Error> {
    let page = app.blocking(move |registry| registry.account_users(&caller, AccountId(id), paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(AccountUsers { users: page.entries.into_iter().map(UserBody::from).collect(), next_cursor }))
}

/// Devices of an account that are not deleted, in the order of their ids.
#[derive(Serialize, ToSchema)]
struct AccountDevices {
    /// The devices of this page.
    devices: Vec<DeviceBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// List the devices of an account
///
/// For those who belong to it, for registrars and the Measurement Body, and for those who may read everything.
#[utoipa::path(
    get, path = "/account/{id}/devices", tag = "Accounts",
    params(("id" = i64, Path, description = "The account's id", minimum = 1), Paged<i64>, Fresh),
    responses((status = 200, description = "A page of devices", body = AccountDevices), ReadProblems, IdProblems),
)]
async fn devices(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Query(Paged(paging)): Query<Paged<i64>>,
    Fresh(fresh): Fresh,
) -> Result<Json<AccountDevices>, Error> {
    let page = app.blocking(move |registry| registry.account_devices(&caller, AccountId(id), paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(AccountDevices { devices: page.entries.into_iter().map(DeviceBody::from).collect(), next_cursor }))
}

/// An account as others see it.
#[derive(Serialize, ToSchema)]
struct AccountName {
    /// Its number.
    #[schema(example = 3)]
    id: i64,
    /// What it is called.
    #[serde(rename = "account_name")]
    name: String,
    /// The organisation behind an account that one may send to, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<String>,
}

impl From<Account> for AccountName {
    fn from(account: Account) -> Self {
        Self { id: account.id.0, name: account.name, organisation: None }
    }
}

impl From<Receiver> for AccountName {
    fn from(Receiver { account, organisation }: Receiver) -> Self {
        Self { organisation, ..Self::from(account) }
    }
}

/// Accounts, in the order of their ids.
#[derive(Serialize, ToSchema)]
struct AccountNames {
    /// The accounts of this page.
    accounts: Vec<AccountName>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

async fn names(
    app: App,
    caller: app::Caller,
    (id, inverse): (i64, bool),
    paging: app::Paging<i64>,
    fresh: Option<domain::EventNumber>,
) -> Result<Json<AccountNames>, Error> {
    let id = AccountId(id);
    let (accounts, next): (Vec<AccountName>, _) = if inverse {
        let page = app.blocking(move |registry| registry.receivers(&caller, id, paging, fresh)).await?;
        (page.entries.into_iter().map(AccountName::from).collect(), page.next)
    } else {
        let page = app.blocking(move |registry| registry.account_whitelist(&caller, id, false, paging, fresh)).await?;
        (page.entries.into_iter().map(AccountName::from).collect(), page.next)
    };
    let next_cursor = next.as_ref().map(cursor_of);
    Ok(Json(AccountNames { accounts, next_cursor }))
}

/// List who may send to an account
///
/// The accounts on its whitelist. For those who belong to the account, and for those who may read everything.
#[utoipa::path(
    get, path = "/account/{id}/whitelist", tag = "Accounts",
    params(("id" = i64, Path, description = "The account's id", minimum = 1), Paged<i64>, Fresh),
    responses((status = 200, description = "A page of accounts", body = AccountNames), ReadProblems, IdProblems),
)]
async fn whitelist(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Query(Paged(paging)): Query<Paged<i64>>,
    Fresh(fresh): Fresh,
) -> Result<Json<AccountNames>, Error> {
    names(app, caller, (id, false), paging, fresh).await
}

/// List to whom an account may send
///
/// The accounts that have it on their whitelists, with the organisations behind them. For those who belong to the account, and for those who may read
/// everything.
#[utoipa::path(
    get, path = "/account/{id}/whitelist_inverse", tag = "Accounts",
    params(("id" = i64, Path, description = "The account's id", minimum = 1), Paged<i64>, Fresh),
    responses((status = 200, description = "A page of accounts", body = AccountNames), ReadProblems, IdProblems),
)]
async fn whitelist_inverse(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Query(Paged(paging)): Query<Paged<i64>>,
    Fresh(fresh): Fresh,
) -> Result<Json<AccountNames>, Error> {
    names(app, caller, (id, true), paging, fresh).await
}

/// Bundles of an account, in the order of production, then of ids; split parents never appear.
#[derive(Serialize, ToSchema)]
struct AccountCertificates {
    /// The bundles of this page.
    granular_certificate_bundles: Vec<BundleBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// List the certificates of an account
///
/// In every state. For those who belong to the account, and for those who may read everything.
#[utoipa::path(
    get, path = "/account/{id}/certificates", tag = "Accounts",
    params(("id" = i64, Path, description = "The account's id", minimum = 1), Paged<i64>, Fresh),
    responses((status = 200, description = "A page of bundles", body = AccountCertificates), ReadProblems, IdProblems),
)]
async fn certificates(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Query(Paged(paging)): Query<Paged<(Timestamp, i64)>>,
    Fresh(fresh): Fresh,
) -> Result<Json<AccountCertificates>, Error> {
    let id = AccountId(id);
    let page = app.blocking(move |registry| registry.account_certificates(&caller, id, paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    let granular_certificate_bundles = page.entries.iter().map(BundleBody::from).collect();
    Ok(Json(AccountCertificates { granular_certificate_bundles, next_cursor }))
}

/// A device as certificates state it.
#[derive(Serialize, ToSchema)]
struct CertificateDevice {
    /// The device's number.
    #[schema(example = 12)]
    id: i64,
    /// What it is called.
    device_name: String,
    /// The grid it is connected to.
    grid: String,
    #[schema(value_type = EnergySourceWord)]
    energy_source: EnergySource,
    /// The kind of plant, as free text.
    technology_type: String,
    /// When it went into operation.
    operational_date: At,
    /// The most it can deliver, in W.
    capacity: u64,
    /// The most it can draw, in W.
    peak_demand: u64,
    /// Where it stands.
    location: String,
    /// Whether its `device_type` is `storage`.
    is_storage: bool,
    #[schema(value_type = DeviceTypeWord)]
    device_type: DeviceKind,
}

impl CertificateDevice {
    fn of(id: DeviceId, attributes: &CertificateAttributes) -> Self {
        let about = attributes.device.clone();
        Self {
            id: id.0,
            device_name: about.name,
            grid: about.grid,
            energy_source: about.energy_source,
            technology_type: about.technology_type,
            operational_date: about.operational_date.into(),
            capacity: about.capacity_watts,
            peak_demand: about.peak_demand_watts,
            location: about.location,
            is_storage: about.kind == DeviceKind::Storage,
            device_type: about.kind,
        }
    }
}

/// Devices, in the order of their ids.
#[derive(Serialize, ToSchema)]
struct CertificateDevices {
    /// The devices of this page.
    devices: Vec<CertificateDevice>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// List the devices behind the certificates of an account
///
/// Each once, as the newest of the account's certificates state it; the devices may be of other accounts. For those who
/// belong to the account, and for those who may read everything.
#[utoipa::path(
    get, path = "/account/{id}/certificates/devices", tag = "Accounts",
    params(("id" = i64, Path, description = "The account's id", minimum = 1), Paged<i64>, Fresh),
    responses((status = 200, description = "A page of devices", body = CertificateDevices), ReadProblems, IdProblems),
)]
async fn certificate_devices(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Query(Paged(paging)): Query<Paged<i64>>,
    Fresh(fresh): Fresh,
) -> Result<Json<CertificateDevices>, Error> {
    let id = AccountId(id);
    let page = app.blocking(move |registry| registry.account_certificate_devices(&caller, id, paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    let devices = page.entries.iter().map(|(id, attributes)| CertificateDevice::of(*id, attributes)).collect();
    Ok(Json(CertificateDevices { devices, next_cursor }))
}

/// An account in figures: whole W and Wh.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountSummary, example = json!({
    "num_devices": 2, "num_devices_by_type": {"onshore wind turbine": 2},
    "device_capacity_by_type": {"onshore wind turbine": 5_000_000}, "num_granular_certificate_bundles": 3,
    "num_cancelled_granular_certificate_bundles": 1, "total_certificate_energy": 2_500,
    "energy_by_fuel_type": {"wind": 2_500},
}))]
struct SummaryBody {
    /// Devices of the account that are not deleted, approved or not.
    num_devices: u64,
    /// The same by `technology_type`.
    num_devices_by_type: BTreeMap<String, u64>,
    /// What they can deliver together, in W, by `technology_type`.
    device_capacity_by_type: BTreeMap<String, u64>,
    /// Bundles in the account that count: in every state but Withdrawn and Bundle Split.
    num_granular_certificate_bundles: u64,
    /// Of these, the ones that are Cancelled or Claimed.
    num_cancelled_granular_certificate_bundles: u64,
    /// What the bundles that count hold together, in Wh, whatever their state.
    total_certificate_energy: u64,
    /// The same, in Wh, by `energy_source`, as the certificates state it.
    energy_by_fuel_type: BTreeMap<String, u64>,
}

impl From<AccountSummary> for SummaryBody {
    fn from(summary: AccountSummary) -> Self {
        let by_type = &summary.devices_by_type;
        let by_source = summary.energy_by_source.iter();
        Self {
            num_devices: summary.devices,
            num_devices_by_type: by_type.iter().map(|(name, (count, _))| (name.clone(), *count)).collect(),
            device_capacity_by_type: by_type.iter().map(|(name, (_, watts))| (name.clone(), *watts)).collect(),
            num_granular_certificate_bundles: summary.bundles,
            num_cancelled_granular_certificate_bundles: summary.cancelled_bundles,
            total_certificate_energy: summary.energy.0,
            energy_by_fuel_type: by_source.map(|(source, energy)| ((*source).to_owned(), energy.0)).collect(),
        }
    }
}

/// Sum up an account
///
/// For those who belong to the account, and for those who may read everything.
#[utoipa::path(
    get, path = "/account/{id}/summary", tag = "Accounts",
    params(("id" = i64, Path, description = "The account's id", minimum = 1), Fresh),
    responses((status = 200, description = "The account in figures", body = SummaryBody), ReadProblems, IdProblems),
)]
async fn summary(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<SummaryBody>, Error> {
    let summary = app.blocking(move |registry| registry.account_summary(&caller, AccountId(id), fresh)).await?;
    Ok(Json(summary.into()))
}
