//! The form of a device: to register one, and to change one. The fields are the members of the API.

use super::one::find;
use super::{account_of, frame, kind, list_of};
use crate::Ui;
use crate::done::{Done, done};
use crate::failure::Failure;
use crate::form::{Field, Fields, Form, ONCE, fault_of};
use crate::format;
use crate::frame::{Frame, show, show_refused};
use crate::visitor::{Known, Visitor};
use crate::words::Refused;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use domain::{AccountId, Capability, Device, DeviceKind, EnergySource};
use serde_json::{Map, Value};

#[derive(Template)]
#[template(path = "device_form.html")]
struct Page {
    frame: Frame,
    heading: String,
    lead: &'static str,
    /// Where the form is sent, and where one goes back to.
    action: String,
    back: String,
    button: &'static str,
    fields: Vec<Field>,
    refused: Option<Refused>,
}

/// Name, label and help of each member.
const MEMBERS: [(&str, &str, &str); 10] = [
    ("device_name", "Name", ""),
    (
        "device_type",
        "Does",
        "Certificates are issued for what production devices make, and for what storage devices give back.",
    ),
    ("energy_source", "Energy source", ""),
    ("technology_type", "Technology", "Such as: onshore wind turbine."),
    ("capacity", "Capacity in W", "The most it can deliver. What is issued is bounded by it."),
    ("peak_demand", "Peak demand in W", "The most it can draw."),
    (
        "operational_date",
        "In operation since",
        "In UTC, such as 2020-01-01 or 2020-01-01T06:00Z. Nothing is issued before.",
    ),
    ("grid", "Grid", "The grid that it is connected to."),
    ("location", "Location", ""),
    ("meter_data_id", "Meter", "The meter behind its readings: no other device can ever have it."),
];
/// The one that may be left out.
const METER: &str = "meter_data_id";
const LEAD_APPROVED: &str = "What you state stands at once.";
const LEAD_WAITING: &str = "A registrar approves the device before anything is issued for it.";
const LEAD_CHANGE: &str = "A change of anything but the name waits for a registrar's approval before anything more is issued. \
    Certificates that were issued state the device as it was.";

fn fields(given: &Fields, refused: Option<&Refused>) -> Vec<Field> {
    let choice = |value: &str, text: &str| (value.to_owned(), text.to_owned());
    let of = |(name, label, help): (&'static str, &'static str, &'static str)| Field {
        name,
        label,
        help,
        value: given.get(name).unwrap_or_default().to_owned(),
        fault: refused.and_then(|refused| fault_of(refused, name)),
        is_needed: name != METER,
        is_number: matches!(name, "capacity" | "peak_demand"),
        choices: match name {
            "device_type" => DeviceKind::ALL.iter().map(|of| choice(of.name(), kind(*of))).collect(),
            "energy_source" => EnergySource::ALL.iter().map(|of| choice(of.name(), format::source(*of))).collect(),
            _ => Vec::new(),
        },
    };
    MEMBERS.into_iter().map(of).collect()
}

// ── A new one ───────────────────────────────────────────────────────────────

pub(super) async fn ask_new(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    let account = to_register(&ui, &visitor, id).await?;
    show(&new_page(&visitor, account, &Fields::default(), None))
}

/// The account, if the visitor may register devices there.
async fn to_register(ui: &Ui, visitor: &Visitor, id: i64) -> Result<Known, Failure> {
    let account = account_of(ui, visitor, AccountId(id)).await?;
    if visitor.may(Capability::CreateDevice(account.id)) {
        return Ok(account);
    }
    Err(Failure::forbidden(
        "the role Registry Administrator or Production Registrar, or Production User of the account",
    ))
}

fn new_page(visitor: &Visitor, account: Known, given: &Fields, refused: Option<Refused>) -> Page {
    let back = list_of(account.id);
    Page {
        heading: format!("Register a device of {}", account.name),
        lead: if visitor.may(Capability::ManageDevices) { LEAD_APPROVED } else { LEAD_WAITING },
        action: format!("/ui/account/{}/device/new", account.id.0),
        frame: frame(visitor, "Register a device", account),
        back,
        button: "Register",
        fields: fields(given, refused.as_ref()),
        refused,
    }
}

pub(super) async fn create(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let account = to_register(&ui, &visitor, id).await?;
    let mut asked = fields.json(&MEMBERS.map(|(name, ..)| name));
    asked.insert("account_id".to_owned(), id.into());
    asked.insert("is_storage".to_owned(), (fields.get("device_type") == Some(DeviceKind::Storage.name())).into());
    match ui.api.ask(&visitor.caller, Method::POST, "/device/create", &asked.into(), fields.get(ONCE)).await {
        Ok(answered) => {
            let device = answered.json["id"].as_i64().ok_or(Failure::Ours)?;
            Ok(done(answered.event, &format!("/ui/device/{device}"), Done::Registered))
        }
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => show_refused(&new_page(&visitor, account, &fields, Some(refused.clone())), &refused),
    }
}

fn is_forbidden(refused: &Refused) -> bool {
    refused.status == StatusCode::FORBIDDEN.as_u16()
}

// ── A change ────────────────────────────────────────────────────────────────

pub(super) async fn ask_change(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
) -> Result<Response, Failure> {
    let (device, account) = to_change(&ui, &visitor, id).await?;
    show(&change_page(&visitor, &device, account, &stated(&device), None))
}

/// The device and its account, if the visitor may change it.
async fn to_change(ui: &Ui, visitor: &Visitor, id: i64) -> Result<(Device, Known), Failure> {
    let device = find(ui, visitor, id).await?;
    if !visitor.may(Capability::ChangeDevice(device.account_id)) {
        let needs =
            "the role Registry Administrator or Production Registrar, or Production User of the device's account";
        return Err(Failure::forbidden(needs));
    }
    let account = account_of(ui, visitor, device.account_id).await?;
    Ok((device, account))
}

/// What is stated of a device, as the form has it.
fn stated(device: &Device) -> Fields {
    let about = &device.description;
    let value = |name: &str| match name {
        "device_name" => about.name.clone(),
        "device_type" => about.kind.name().to_owned(),
        "energy_source" => about.energy_source.name().to_owned(),
        "technology_type" => about.technology_type.clone(),
        "capacity" => about.capacity_watts.to_string(),
        "peak_demand" => about.peak_demand_watts.to_string(),
        "operational_date" => about.operational_date.to_string(),
        "grid" => about.grid.clone(),
        "location" => about.location.clone(),
        METER => about.meter_data_id.clone().unwrap_or_default(),
        _ => unreachable!("{name} is no member of a device"),
    };
    MEMBERS.iter().map(|(name, ..)| ((*name).to_owned(), value(name))).collect()
}

fn change_page(visitor: &Visitor, device: &Device, account: Known, given: &Fields, refused: Option<Refused>) -> Page {
    let name = &device.description.name;
    Page {
        frame: frame(visitor, &format!("Change {name}"), account),
        heading: format!("Change {name}"),
        lead: if visitor.may(Capability::ManageDevices) { LEAD_APPROVED } else { LEAD_CHANGE },
        action: format!("/ui/device/{}/edit", device.id.0),
        back: format!("/ui/device/{}", device.id.0),
        button: "Change",
        fields: fields(given, refused.as_ref()),
        refused,
    }
}

pub(super) async fn change(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let (device, account) = to_change(&ui, &visitor, id).await?;
    let asked = differing(&stated(&device), &fields);
    let address = format!("/device/update/{id}");
    match ui.api.ask(&visitor.caller, Method::PATCH, &address, &asked.into(), fields.get(ONCE)).await {
        Ok(answered) => Ok(done(answered.event, &format!("/ui/device/{id}"), Done::Saved)),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => {
            show_refused(&change_page(&visitor, &device, account, &fields, Some(refused.clone())), &refused)
        }
    }
}

/// The members that the form states otherwise, so that what somebody else changed meanwhile stays. An empty field takes
/// away what may be absent, and is asked as it is where it may not.
fn differing(stated: &Fields, given: &Fields) -> Map<String, Value> {
    let names = MEMBERS.iter().map(|(name, ..)| *name);
    let changed = names.filter(|name| given.exact(name).is_some() && given.get(name) != stated.get(name));
    let value = |name: &str| match given.get(name) {
        None if name == METER => Value::Null,
        value => Value::from(value.unwrap_or_default()),
    };
    changed.map(|name| (name.to_owned(), value(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_asked_to_change() {
        let stated = Fields::of(b"device_name=Farm&capacity=100&meter_data_id=m1&grid=GB");
        for (given, asked) in [
            (&b"device_name=Farm&capacity=100&meter_data_id=m1&grid=GB"[..], json!({})),
            (b"device_name=+Farm+&capacity=200", json!({"capacity": "200"})),
            (b"device_name=&meter_data_id=", json!({"device_name": "", "meter_data_id": null})),
        ] {
            assert_eq!(Value::from(differing(&stated, &Fields::of(given))), asked);
        }
    }
}
