//! Devices: listed, registered, shown, changed. One of them is in [`one`], the forms about them in [`edit`].

mod coverage;
mod day;
mod edit;
mod one;

pub(super) use one::find;

use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Parameters};
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{DEVICES_PER_PAGE, TECHNOLOGIES_SHOWN_MAX};
use crate::visitor::{Known, Visitor};
use app::{DeviceFilter, FleetShare, Page as Listed, Paging};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use domain::{AccountId, Capability, Device, DeviceKind};
use std::collections::BTreeMap;

/// Where all devices are listed.
const ALL: &str = "/ui/devices";

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/devices", get(all))
        .route("/account/{id}/devices", get(of_account))
        .route("/account/{id}/device/new", get(edit::ask_new).post(edit::create))
        .route("/device/{id}", get(one::device))
        .route("/device/{id}/edit", get(edit::ask_change).post(edit::change))
        .route("/device/{id}/approve", post(one::approve))
        .route("/device/{id}/delete", post(one::delete))
        .route("/device/{id}/readings", post(one::submit))
        .route("/device/{id}/coverage", get(coverage::coverage))
        .route("/coverage", get(day::all))
        .route("/account/{id}/coverage", get(day::of_account))
}

#[derive(Template)]
#[template(path = "devices.html")]
struct Page {
    frame: Frame,
    heading: String,
    address: String,
    rows: Vec<Row>,
    fleet: Vec<Share>,
    /// Which of them are shown: `approved`, `waiting`, or all.
    shown: Option<String>,
    /// Of many accounts.
    is_of_all: bool,
    /// Where a device of this account is registered, for who may.
    register: Option<String>,
    next: Option<String>,
}

struct Row {
    id: i64,
    name: String,
    account: Known,
    technology: String,
    source: &'static str,
    kind: &'static str,
    capacity: Markup,
    is_approved: bool,
    meter: Option<String>,
}

/// What one technology has of a fleet, for two bars in wholes of a hundred.
struct Share {
    technology: String,
    devices: String,
    devices_percent: u64,
    capacity: Markup,
    capacity_percent: u64,
}

/// What a device does, as people say it.
const fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Production => "Production",
        DeviceKind::Consumption => "Consumption",
        DeviceKind::Storage => "Storage",
    }
}

async fn all(State(ui): State<Ui>, visitor: Visitor, Parameters(fields): Parameters) -> Result<Response, Failure> {
    if !visitor.may(Capability::ReadDevices) {
        return Err(Failure::forbidden(
            "the role Registry Administrator, GC Issuer, Production Registrar, Measurement Body or Auditor; devices of \
             your accounts are listed with the account",
        ));
    }
    let found = find_all(&ui, &visitor, None, &fields).await?;
    let frame = Frame::of(&visitor, "Devices", ALL);
    show(&found.page(frame, "Devices".to_owned(), ALL.to_owned(), &fields, None))
}

async fn of_account(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(fields): Parameters,
) -> Result<Response, Failure> {
    let account = AccountId(id);
    let known = account_of(&ui, &visitor, account).await?;
    let found = find_all(&ui, &visitor, Some(account), &fields).await?;
    let address = list_of(account);
    let heading = format!("Devices of {}", known.name);
    let register = visitor.may(Capability::CreateDevice(account)).then(|| format!("/ui/account/{id}/device/new"));
    let frame = frame(&visitor, "Devices", known);
    show(&found.page(frame, heading, address, &fields, register))
}

/// Where the devices of an account are listed.
fn list_of(account: AccountId) -> String {
    format!("/ui/account/{}/devices", account.0)
}

/// The frame of a page about devices of an account: in the account, for who may see more of it than these.
pub(super) fn frame(visitor: &Visitor, title: &str, account: Known) -> Frame {
    if may_read(visitor, account.id) {
        let current = list_of(account.id);
        Frame::of_account(visitor, title, &current, account)
    } else {
        Frame::of(visitor, title, ALL)
    }
}

pub(super) fn may_read(visitor: &Visitor, account: AccountId) -> bool {
    visitor.may(Capability::ReadEverything) || visitor.belongs_to(account)
}

/// Whether the visitor may read what the meter of a device of this account says.
pub(super) fn reads_readings(visitor: &Visitor, account: AccountId) -> bool {
    visitor.may(Capability::SubmitReadings) || may_read(visitor, account)
}

/// The account. Registrars and who submits readings may not read it, yet its devices: they know it by its number.
pub(super) async fn account_of(ui: &Ui, visitor: &Visitor, id: AccountId) -> Result<Known, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    match ui.blocking(move |registry| registry.account(&caller, id, fresh)).await {
        Ok(view) => Ok(Known::of(view)),
        Err(Failure::Refused(refused))
            if refused.status == StatusCode::NOT_FOUND.as_u16() && visitor.may(Capability::ReadDevices) =>
        {
            let (caller, paging) = (visitor.caller.clone(), Paging { limit: 1, after: None });
            ui.blocking(move |registry| registry.account_devices(&caller, id, paging, fresh)).await?;
            Ok(Known::named(id, format!("account {}", id.0)))
        }
        Err(failure) => Err(failure),
    }
}

struct Found {
    devices: Listed<Device, i64>,
    fleet: Vec<FleetShare>,
    names: BTreeMap<AccountId, String>,
}

async fn find_all(ui: &Ui, visitor: &Visitor, account: Option<AccountId>, fields: &Fields) -> Result<Found, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let is_approved = match fields.get("shown") {
        Some("approved") => Some(true),
        Some("waiting") => Some(false),
        Some(_) | None => None,
    };
    let filter = DeviceFilter { account, is_approved, ..DeviceFilter::default() };
    let paging = Paging { limit: DEVICES_PER_PAGE, after: fields.number("after") };
    ui.blocking(move |registry| {
        let devices = registry.devices(&caller, &filter, paging, fresh)?;
        let fleet = registry.fleet(&caller, &DeviceFilter { is_approved: None, ..filter }, fresh)?;
        let ids: Vec<AccountId> = devices.entries.iter().map(|device| device.account_id).collect();
        Ok(Found { names: registry.account_names(&caller, &ids, fresh)?, devices, fleet })
    })
    .await
}

impl Found {
    fn page(self, frame: Frame, heading: String, address: String, fields: &Fields, register: Option<String>) -> Page {
        let Self { devices, fleet, names } = self;
        let next = devices.next.map(|after| format!("{address}?{}", fields.with("after", Some(&after.to_string()))));
        Page {
            is_of_all: address == ALL,
            rows: devices.entries.into_iter().map(|device| Row::of(device, &names)).collect(),
            fleet: shares(fleet),
            shown: fields.get("shown").map(str::to_owned),
            frame,
            heading,
            address,
            register,
            next,
        }
    }
}

impl Row {
    fn of(device: Device, names: &BTreeMap<AccountId, String>) -> Self {
        let id = device.account_id;
        let about = device.description;
        let name = names.get(&id).cloned().unwrap_or_else(|| format!("account {}", id.0));
        Self {
            id: device.id.0,
            name: about.name,
            account: Known::named(id, name),
            technology: about.technology_type,
            source: format::source(about.energy_source),
            kind: kind(about.kind),
            capacity: format::power(about.capacity_watts),
            is_approved: device.is_approved,
            meter: about.meter_data_id,
        }
    }
}

/// The largest technologies first; what is beyond those shown stands together.
fn shares(mut fleet: Vec<FleetShare>) -> Vec<Share> {
    fleet.sort_by_key(|share| (std::cmp::Reverse(share.capacity_watts), share.technology_type.clone()));
    if fleet.len() > TECHNOLOGIES_SHOWN_MAX {
        let rest = fleet.split_off(TECHNOLOGIES_SHOWN_MAX - 1);
        fleet.push(FleetShare {
            technology_type: format!("{} others", rest.len()),
            devices: rest.iter().map(|share| share.devices).sum(),
            capacity_watts: rest.iter().map(|share| share.capacity_watts).sum(),
        });
    }
    let devices: u64 = fleet.iter().map(|share| share.devices).sum();
    let watts: u64 = fleet.iter().map(|share| share.capacity_watts).sum();
    let percent = |part: u64, whole: u64| {
        u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).expect("a part is at most the whole")
    };
    let of = |share: FleetShare| Share {
        devices: format::thousands(share.devices),
        devices_percent: percent(share.devices, devices),
        capacity: format::power(share.capacity_watts),
        capacity_percent: percent(share.capacity_watts, watts),
        technology: share.technology_type,
    };
    fleet.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_technologies_shown_stands_together() {
        let of = |place: usize| {
            let watts = u64::try_from(place).unwrap();
            FleetShare { technology_type: format!("type {place:02}"), devices: 1, capacity_watts: watts }
        };
        let shown = shares((0..TECHNOLOGIES_SHOWN_MAX + 2).map(of).collect());
        assert_eq!(shown.len(), TECHNOLOGIES_SHOWN_MAX);
        let last = shown.last().unwrap();
        assert_eq!((last.technology.as_str(), last.devices.as_str()), ("3 others", "3"));
        assert_eq!(last.capacity, format::power(3));
        assert_eq!(shares(Vec::new()).len(), 0);
    }
}
