//! Devices.

use super::{carry_out, unexpected};
use crate::caller::{Asked, Caller, Fresh, PathId, Query, Read};
use crate::json::{Fields, boolean, id, instant, rule, text, whole, word};
use crate::openapi::{ChangeProblems, IdProblems, ReadProblems};
use crate::page::{Listed, cursor_of};
use crate::wire::{At, Changed, Text};
use crate::{App, Error};
use app::DeviceFilter;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::action::{self, Edit, KindUpdate, NewDevice};
use domain::device::POWER_WATTS_MAX;
use domain::{AccountId, Command, Device, DeviceDescription, DeviceId, DeviceKind, EnergySource, EventNumber, Outcome};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(list))
        .routes(routes!(read_device))
        .routes(routes!(update))
        .routes(routes!(approve))
        .routes(routes!(delete))
}

/// What energy is made from.
#[derive(Serialize, ToSchema)]
#[schema(as = EnergySource)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "documents the words; values are domain::EnergySource")]
pub(super) enum EnergySourceWord {
    SolarPv,
    Wind,
    Hydro,
    Biomass,
    Nuclear,
    Electrolysis,
    Geothermal,
    BatteryStorage,
    Chp,
    Gas,
    Oil,
    Coal,
    Other,
}

/// What a device does.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceType)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "documents the words; values are domain::DeviceKind")]
pub(super) enum DeviceTypeWord {
    Production,
    Consumption,
    Storage,
}

/// A device to be.
#[derive(ToSchema)]
#[expect(dead_code, reason = "is_storage says the same as device_type, and is checked against it")]
#[schema(example = json!({
    "device_name": "Hoy wind farm", "grid": "GB transmission", "energy_source": "wind",
    "technology_type": "onshore wind turbine", "operational_date": "2020-01-01T00:00:00Z", "capacity": 1_000_000,
    "peak_demand": 10_000, "location": "Orkney", "is_storage": false, "account_id": 3,
}))]
#[serde(deny_unknown_fields)]
struct DeviceCreate {
    /// What it is called.
    #[schema(value_type = Text)]
    device_name: String,
    /// The grid it is connected to.
    #[schema(value_type = Text)]
    grid: String,
    #[schema(value_type = EnergySourceWord)]
    energy_source: EnergySource,
    /// The kind of plant, as free text.
    #[schema(value_type = Text)]
    technology_type: String,
    /// Nothing is issued for times before it.
    operational_date: At,
    /// The most it can deliver, in W.
    #[schema(example = 1_000_000, maximum = 1_000_000_000_000_i64)]
    capacity: u64,
    /// The most it can draw, in W.
    #[schema(example = 10_000, maximum = 1_000_000_000_000_i64)]
    peak_demand: u64,
    /// Where it stands.
    #[schema(value_type = Text)]
    location: String,
    /// Whether it is storage; must agree with `device_type`.
    is_storage: bool,
    /// The account that certificates of the device are issued to.
    #[schema(minimum = 1)]
    account_id: i64,
    /// The meter behind the readings: unique for ever.
    #[schema(value_type = Option<Text>)]
    meter_data_id: Option<String>,
    /// `storage` if and only if `is_storage`; `production` by default.
    #[schema(value_type = Option<DeviceTypeWord>)]
    device_type: DeviceKind,
}

impl Read for DeviceCreate {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let watts = whole(0, POWER_WATTS_MAX);
        let device_name = fields.required("device_name", text);
        let grid = fields.required("grid", text);
        let energy_source = fields.required("energy_source", word(EnergySource::ALL, EnergySource::name));
        let technology_type = fields.required("technology_type", text);
        let operational_date = fields.required("operational_date", instant);
        let capacity = fields.required("capacity", watts);
        let peak_demand = fields.required("peak_demand", watts);
        let location = fields.required("location", text);
        let is_storage = fields.required("is_storage", boolean);
        let account_id = fields.required("account_id", id);
        // Later clients of the demonstration registry have another name for it.
        let meter_data_id = fields.optional_either(["meter_data_id", "local_device_identifier"], text);
        let device_type = fields.optional("device_type", word(DeviceKind::ALL, DeviceKind::name));
        let by_default = if is_storage == Some(true) { DeviceKind::Storage } else { DeviceKind::Production };
        let device_type = device_type.unwrap_or(by_default);
        if is_storage.is_some_and(|is_storage| is_storage != (device_type == DeviceKind::Storage)) {
            fields.fault("device_type", rule("value_error", "Value error, is_storage and device_type contradict"));
        }
        // What an answer carries beside it.
        fields.pass_over(&["is_approved", "gross_net_indicator"]);
        Some(Self {
            device_name: device_name?,
            grid: grid?,
            energy_source: energy_source?,
            technology_type: technology_type?,
            operational_date: operational_date?.into(),
            capacity: capacity?,
            peak_demand: peak_demand?,
            location: location?,
            is_storage: is_storage?,
            account_id: account_id?,
            meter_data_id,
            device_type,
        })
    }
}

/// A device: what is metered.
#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub(super) struct DeviceBody {
    /// Its number, given by the registry.
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
    /// Nothing is issued for times before it.
    operational_date: At,
    /// The most it can deliver, in W.
    capacity: u64,
    /// The most it can draw, in W.
    peak_demand: u64,
    /// Where it stands.
    location: String,
    /// Whether its `device_type` is `storage`.
    is_storage: bool,
    /// The account that certificates of the device are issued to.
    account_id: i64,
    /// The meter behind the readings; `null` if none is stated.
    meter_data_id: Option<String>,
    #[schema(value_type = DeviceTypeWord)]
    device_type: DeviceKind,
    /// Certificates are issued for approved devices only.
    is_approved: bool,
    /// GROSS or NET, fixed by the first reading; `null` until then.
    gross_net_indicator: Option<&'static str>,
    /// When it was made.
    created_at: At,
    /// `true` once it was deleted.
    is_deleted: bool,
}

impl From<Device> for DeviceBody {
    fn from(device: Device) -> Self {
        let about = device.description;
        Self {
            id: device.id.0,
            device_name: about.name,
            grid: about.grid,
            energy_source: about.energy_source,
            technology_type: about.technology_type,
            operational_date: about.operational_date.into(),
            capacity: about.capacity_watts,
            peak_demand: about.peak_demand_watts,
            location: about.location,
            is_storage: about.kind == DeviceKind::Storage,
            account_id: device.account_id.0,
            meter_data_id: about.meter_data_id,
            device_type: about.kind,
            is_approved: device.is_approved,
            gross_net_indicator: device.gross_net.map(domain::GrossNet::name),
            created_at: device.created_at.into(),
            is_deleted: device.is_deleted,
        }
    }
}

async fn device_of(
    app: &App,
    caller: app::Caller,
    id: DeviceId,
    fresh: Option<EventNumber>,
) -> Result<DeviceBody, Error> {
    let device = app.blocking(move |registry| registry.device(&caller, id, fresh)).await?;
    Ok(device.into())
}

/// Register a device
///
/// By the Registry Administrator or a Production Registrar it is born approved; by a Production User, for an account they
/// belong to, it waits for approval.
#[utoipa::path(
    post, path = "/device/create", tag = "Devices", request_body = DeviceCreate,
    responses(
        (status = 201, description = "Created", body = DeviceBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(asked): Asked<DeviceCreate>,
) -> Result<Changed<DeviceBody>, Error> {
    let kept = serde_json::json!({
        "account_id": asked.account_id, "device_type": asked.device_type, "energy_source": asked.energy_source,
        "operational_date": asked.operational_date, "capacity": asked.capacity, "peak_demand": asked.peak_demand,
    });
    let command = Command::CreateDevice(NewDevice {
        account_id: AccountId(asked.account_id),
        description: DeviceDescription {
            name: asked.device_name,
            grid: asked.grid,
            energy_source: asked.energy_source,
            technology_type: asked.technology_type,
            operational_date: asked.operational_date.0,
            capacity_watts: asked.capacity,
            peak_demand_watts: asked.peak_demand,
            location: asked.location,
            meter_data_id: asked.meter_data_id,
            kind: asked.device_type,
        },
    });
    let carried = carry_out(&app, &caller, command, &kept).await?;
    let Outcome::Device(id) = carried.outcome else { return Err(unexpected("creating a device")) };
    let body = device_of(&app, caller, id, Some(carried.event)).await?;
    Ok(Changed { status: StatusCode::CREATED, event: carried.event, body })
}

/// Read a device
///
/// Of an account that the caller belongs to; any for registrars, the Measurement Body, and those who may read everything.
#[utoipa::path(
    get, path = "/device/{id}", tag = "Devices",
    params(("id" = i64, Path, description = "The device's id", minimum = 1), Fresh),
    responses((status = 200, description = "The device", body = DeviceBody), ReadProblems, IdProblems),
)]
async fn read_device(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<DeviceBody>, Error> {
    device_of(&app, caller, DeviceId(id), fresh).await.map(Json)
}

/// Approve a device
///
/// For the Registry Administrator and Production Registrars. Approving again changes nothing.
#[utoipa::path(
    post, path = "/device/approve/{id}", tag = "Devices",
    params(("id" = i64, Path, description = "The device's id", minimum = 1)),
    responses(
        (status = 200, description = "The device as it is now", body = DeviceBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn approve(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
) -> Result<Changed<DeviceBody>, Error> {
    let device_id = DeviceId(id);
    let kept = serde_json::json!({ "device_id": id });
    let carried = carry_out(&app, &caller, Command::ApproveDevice(device_id), &kept).await?;
    let body = device_of(&app, caller, device_id, Some(carried.event)).await?;
    Ok(Changed { status: StatusCode::OK, event: carried.event, body })
}

/// Devices, in the order of their ids.
#[derive(Serialize, ToSchema)]
struct Devices {
    /// The devices of this page.
    devices: Vec<DeviceBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

/// Which devices to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents what DevicesAsked reads")]
struct DeviceParams {
    /// Of this account.
    #[param(minimum = 1)]
    account_id: Option<i64>,
    /// Only those that make energy from this.
    #[param(value_type = Option<EnergySourceWord>)]
    energy_source: Option<EnergySource>,
    /// Only those that do this.
    #[param(value_type = Option<DeviceTypeWord>)]
    device_type: Option<DeviceKind>,
    /// Only those that are approved, or only those that are not.
    is_approved: Option<bool>,
}

struct DevicesAsked {
    filter: DeviceFilter,
    paging: app::Paging<i64>,
}

impl Read for DevicesAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let account = fields.optional("account_id", id).map(AccountId);
        let energy_source = fields.optional("energy_source", word(EnergySource::ALL, EnergySource::name));
        let kind = fields.optional("device_type", word(DeviceKind::ALL, DeviceKind::name));
        let is_approved = fields.optional("is_approved", boolean);
        let Listed { paging, with_deleted } = Listed::read(fields)?;
        Some(Self { filter: DeviceFilter { account, energy_source, kind, is_approved, with_deleted }, paging })
    }
}

/// List devices
///
/// Of the caller's accounts; of all accounts for registrars, the Measurement Body, and those who may read everything.
#[utoipa::path(
    get, path = "/device/list", tag = "Devices", params(DeviceParams, Listed, Fresh),
    responses((status = 200, description = "A page of devices", body = Devices), ReadProblems),
)]
async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(asked): Query<DevicesAsked>,
    Fresh(fresh): Fresh,
) -> Result<Json<Devices>, Error> {
    let DevicesAsked { filter, paging } = asked;
    let page = app.blocking(move |registry| registry.devices(&caller, &filter, paging, fresh)).await?;
    let next_cursor = page.next.as_ref().map(cursor_of);
    Ok(Json(Devices { devices: page.entries.into_iter().map(DeviceBody::from).collect(), next_cursor }))
}

/// What changes of a device; absent members stay as they are.
#[derive(ToSchema)]
#[schema(example = json!({"device_name": "Hoy wind farm, north", "capacity": 1_200_000}))]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "documents what DeviceAsked reads")]
struct DeviceUpdate {
    /// What it is called.
    #[schema(value_type = Option<Text>)]
    device_name: Option<String>,
    /// The grid it is connected to.
    #[schema(value_type = Option<Text>)]
    grid: Option<String>,
    #[schema(value_type = Option<EnergySourceWord>)]
    energy_source: Option<EnergySource>,
    /// The kind of plant, as free text.
    #[schema(value_type = Option<Text>)]
    technology_type: Option<String>,
    /// Not later, once readings were accepted of it.
    operational_date: Option<At>,
    /// The most it can deliver, in W.
    #[schema(maximum = 1_000_000_000_000_i64)]
    capacity: Option<u64>,
    /// The most it can draw, in W.
    #[schema(maximum = 1_000_000_000_000_i64)]
    peak_demand: Option<u64>,
    /// Where it stands.
    #[schema(value_type = Option<Text>)]
    location: Option<String>,
    /// As `device_type`.
    is_storage: Option<bool>,
    /// If given, the account that the device has: it stays there.
    #[schema(minimum = 1)]
    account_id: Option<i64>,
    /// Unique for ever; stays once readings were accepted of it. `null` takes it away.
    #[schema(value_type = Option<Text>)]
    meter_data_id: Option<String>,
    /// Stays once readings were accepted of it.
    #[schema(value_type = Option<DeviceTypeWord>)]
    device_type: Option<DeviceKind>,
}

/// A change of a device; which one is in the path.
struct DeviceAsked(action::DeviceUpdate);

impl Read for DeviceAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let watts = whole(0, POWER_WATTS_MAX);
        let mut update = action::DeviceUpdate::of(DeviceId(0));
        update.name = fields.optional("device_name", text);
        update.grid = fields.optional("grid", text);
        update.energy_source = fields.optional("energy_source", word(EnergySource::ALL, EnergySource::name));
        update.technology_type = fields.optional("technology_type", text);
        update.operational_date = fields.optional("operational_date", instant);
        update.capacity_watts = fields.optional("capacity", watts);
        update.peak_demand_watts = fields.optional("peak_demand", watts);
        update.location = fields.optional("location", text);
        update.account_id = fields.optional("account_id", id).map(AccountId);
        update.meter_data_id = fields.edit("meter_data_id", text);
        if update.meter_data_id == Edit::Keep {
            update.meter_data_id = fields.edit("local_device_identifier", text);
        }
        let is_storage = fields.optional("is_storage", boolean);
        let device_type = fields.optional("device_type", word(DeviceKind::ALL, DeviceKind::name));
        update.kind = match (device_type, is_storage) {
            (Some(kind), Some(is_storage)) if is_storage != (kind == DeviceKind::Storage) => {
                let msg = "Value error, is_storage and device_type contradict";
                fields.fault("device_type", rule("value_error", msg));
                None
            }
            (Some(kind), _) => Some(KindUpdate::To(kind)),
            (None, Some(true)) => Some(KindUpdate::To(DeviceKind::Storage)),
            (None, Some(false)) => Some(KindUpdate::NoStorage),
            (None, None) => None,
        };
        // What an answer carries beside it.
        fields.pass_over(&["is_approved", "gross_net_indicator"]);
        Some(Self(update))
    }
}

/// Change a device
///
/// For the Registry Administrator and Production Registrars; for Production Users of the device's account, whose change of
/// anything but the name waits for approval before anything more is issued. Certificates that were issued state the device
/// as it was.
#[utoipa::path(
    patch, path = "/device/update/{id}", tag = "Devices", request_body = DeviceUpdate,
    params(("id" = i64, Path, description = "The device's id", minimum = 1)),
    responses(
        (status = 200, description = "The device as it is now", body = DeviceBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn update(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Asked(DeviceAsked(update)): Asked<DeviceAsked>,
) -> Result<Changed<DeviceBody>, Error> {
    let kept = serde_json::json!({
        "device_id": id, "energy_source": update.energy_source, "operational_date": update.operational_date,
        "capacity": update.capacity_watts, "peak_demand": update.peak_demand_watts,
    });
    let update = action::DeviceUpdate { device_id: DeviceId(id), ..update };
    change(app, caller, id, Command::UpdateDevice(update), &kept).await
}

/// Delete a device
///
/// For the Registry Administrator and Production Registrars. Refused while a reading of it was accepted and is still to be
/// issued. Its meter stays taken for ever. Deleting again changes nothing.
#[utoipa::path(
    delete, path = "/device/delete/{id}", tag = "Devices",
    params(("id" = i64, Path, description = "The device's id", minimum = 1)),
    responses(
        (status = 200, description = "The device as it is now", body = DeviceBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn delete(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
) -> Result<Changed<DeviceBody>, Error> {
    let kept = serde_json::json!({ "device_id": id });
    change(app, caller, id, Command::DeleteDevice(DeviceId(id)), &kept).await
}

async fn change(
    app: App,
    caller: app::Caller,
    id: i64,
    command: Command,
    kept: &serde_json::Value,
) -> Result<Changed<DeviceBody>, Error> {
    let carried = carry_out(&app, &caller, command, kept).await?;
    let body = device_of(&app, caller, DeviceId(id), Some(carried.event)).await?;
    Ok(Changed { status: StatusCode::OK, event: carried.event, body })
}
