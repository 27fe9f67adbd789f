//! One device: what is stated of it, and what becomes of it.

use super::{account_of, frame, kind, list_of, may_read, reads_readings};
use crate::Ui;
use crate::done::{Done, done};
use crate::failure::Failure;
use crate::form::{Form, ONCE};
use crate::format::{self, Markup};
use crate::frame::{Frame, show, show_refused};
use crate::screen::readings::{self, Sending};
use crate::upload::Upload;
use crate::visitor::{Known, Visitor};
use crate::words::Refused;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use domain::{Capability, Device, DeviceId, DeviceKind, GrossNet, Role};
use serde_json::Value;

#[derive(Template)]
#[template(path = "device.html")]
struct Page {
    frame: Frame,
    id: i64,
    name: String,
    account: Known,
    /// Where there is more of the account, for who may see it.
    to_account: String,
    /// Whether what its meter says is for the visitor.
    reads_readings: bool,
    /// Where else there is something of it: addresses and texts.
    ways: Vec<(String, String)>,
    state: Standing,
    notes: Vec<&'static str>,
    facts: Vec<(&'static str, String)>,
    operational: Markup,
    created: Markup,
    capacity: Markup,
    demand: Markup,
    issued: Markup,
    /// What a registrar may do with it, and what is asked before.
    deeds: Vec<Deed>,
    refused: Option<Refused>,
    /// The form of a file of readings, for who may send one.
    sending: Option<Sending>,
}

/// How a device stands: the class of its tag, and the tag.
struct Standing(&'static str, &'static str);

impl Standing {
    const fn of(device: &Device) -> Self {
        if device.is_deleted {
            Self("bad", "deleted")
        } else if device.is_approved {
            Self("good", "approved")
        } else {
            Self("warn", "waiting for approval")
        }
    }
}

/// A button: the last part of its address, its text, its class, and the question before it.
struct Deed {
    verb: &'static str,
    text: &'static str,
    class: &'static str,
    question: Option<String>,
}

impl Deed {
    fn on(device: &Device) -> Vec<Self> {
        let name = &device.description.name;
        let question = format!("Delete {name}? There is no way back, and its meter stays taken for ever.");
        let approve = Self { verb: "approve", text: "Approve", class: "main", question: None };
        let delete = Self { verb: "delete", text: "Delete", class: "bad", question: Some(question) };
        let mut deeds = Vec::new();
        if !device.is_deleted && !device.is_approved {
            deeds.push(approve);
        }
        if !device.is_deleted {
            deeds.push(delete);
        }
        deeds
    }
}

/// What is to be known of a device beside what is stated of it.
fn notes(device: &Device) -> Vec<&'static str> {
    let of_state = if device.is_deleted {
        Some("The device is deleted: nothing more is accepted or issued for it. Its meter stays taken for ever.")
    } else if device.is_approved {
        None
    } else {
        Some("Nothing is issued for the device until a registrar approves it. Readings are accepted already.")
    };
    let of_kind = match device.description.kind {
        DeviceKind::Production => None,
        DeviceKind::Consumption => {
            Some("A consumption device: its readings are kept, and no certificates are issued for them.")
        }
        DeviceKind::Storage => Some(
            "A storage device: its meter counts what it gives back as positive and what it draws as negative. No \
             certificates are issued for its readings as such; what it gives back is certified against charge records.",
        ),
    };
    of_state.into_iter().chain(of_kind).collect()
}

/// Where else there is something of the device, for this visitor.
fn ways(visitor: &Visitor, device: &Device, account: &Known) -> Vec<(String, String)> {
    let (id, of) = (device.id.0, account.id.0);
    let (reads_account, kind) = (may_read(visitor, account.id), device.description.kind);
    let is_production = kind == DeviceKind::Production && !device.is_deleted;
    let is_storage = kind == DeviceKind::Storage;
    let may_change = !device.is_deleted && visitor.may(Capability::ChangeDevice(account.id));
    let way = |is_open: bool, to: String, text: &str| is_open.then(|| (to, text.to_owned()));
    let held = format!("Certificates still held by {}", account.name);
    let certificates = format!("/ui/account/{of}/certificates?device={id}");
    [
        way(reads_readings(visitor, account.id), format!("/ui/device/{id}/measurements"), "Readings"),
        way(reads_account && is_storage, format!("/ui/device/{id}/storage"), "Storage"),
        way(reads_account && is_production, format!("/ui/account/{of}?device={id}#produced"), "Production"),
        way(reads_account && (is_production || is_storage), certificates, &held),
        way(may_change, format!("/ui/device/{id}/edit"), "Change"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The device, if it is there for the visitor.
pub(in crate::screen) async fn find(ui: &Ui, visitor: &Visitor, id: i64) -> Result<Device, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    ui.blocking(move |registry| registry.device(&caller, DeviceId(id), fresh)).await
}

pub(super) async fn device(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    show(&page(&ui, &visitor, id, Told::default()).await?)
}

/// What of the page is not the same each time.
#[derive(Default)]
struct Told {
    refused: Option<Refused>,
    sending: Option<Sending>,
}

async fn page(ui: &Ui, visitor: &Visitor, id: i64, told: Told) -> Result<Page, Failure> {
    let device = find(ui, visitor, id).await?;
    let is_producer = visitor.has_role(Role::ProductionUser) && visitor.belongs_to(device.account_id);
    let is_issued_on = device.next_certificate > 1;
    let may_submit = visitor.may(Capability::SubmitReadings) || (is_producer && !is_issued_on);
    let is_open = may_submit && !device.is_deleted;
    let sending = told.sending.or_else(|| is_open.then(|| Sending::to(&format!("/ui/device/{id}/readings"))));
    let account = account_of(ui, visitor, device.account_id).await?;
    let (state, mut notes) = (Standing::of(&device), notes(&device));
    if is_producer && !may_submit && !device.is_deleted {
        notes.push(
            "Certificates were issued on the device, so its readings come from the measurement body from now on.",
        );
    }
    let deeds = if visitor.may(Capability::ManageDevices) { Deed::on(&device) } else { Vec::new() };
    let ways = ways(visitor, &device, &account);
    let about = device.description;
    let reads_account = may_read(visitor, account.id);
    let frame = frame(visitor, &about.name, account.clone());
    let gross_net = match device.gross_net {
        None => "open until the first reading",
        Some(GrossNet::Gross) => "gross",
        Some(GrossNet::Net) => "net",
    };
    Ok(Page {
        frame,
        id,
        to_account: if reads_account { format!("/ui/account/{}", account.id.0) } else { list_of(account.id) },
        reads_readings: reads_readings(visitor, account.id),
        ways,
        state,
        notes,
        facts: vec![
            ("Does", kind(about.kind).to_owned()),
            ("Energy source", format::source(about.energy_source).to_owned()),
            ("Technology", about.technology_type),
            ("Grid", about.grid),
            ("Location", about.location),
            ("Meter", about.meter_data_id.unwrap_or_else(|| "none".to_owned())),
            ("Meter counts", gross_net.to_owned()),
        ],
        operational: format::instant(about.operational_date),
        created: format::instant(device.created_at),
        capacity: format::power(about.capacity_watts),
        demand: format::power(about.peak_demand_watts),
        issued: format::energy(domain::WattHours(device.next_certificate.saturating_sub(1))),
        deeds,
        name: about.name,
        account,
        refused: told.refused,
        sending: sending.map(|sending| Sending { is_open, ..sending }),
    })
}

pub(super) async fn approve(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    act(&ui, form, Method::POST, "approve", id).await
}

pub(super) async fn delete(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    act(&ui, form, Method::DELETE, "delete", id).await
}

async fn act(ui: &Ui, form: Form, method: Method, verb: &str, id: i64) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    // What is not there for the visitor is not there, whatever they may not do with it.
    find(ui, &visitor, id).await?;
    let address = format!("/device/{verb}/{id}");
    match ui.api.ask(&visitor.caller, method, &address, &Value::Null, fields.get(ONCE)).await {
        Ok(answered) => {
            let what = if verb == "approve" { Done::Approved } else { Done::Deleted };
            Ok(done(answered.event, &format!("/ui/device/{id}"), what))
        }
        Err(refused) => {
            let told = Told { refused: Some(refused.clone()), sending: None };
            show_refused(&page(ui, &visitor, id, told).await?, &refused)
        }
    }
}

pub(super) async fn submit(State(ui): State<Ui>, Path(id): Path<i64>, upload: Upload) -> Result<Response, Failure> {
    find(&ui, &upload.visitor, id).await?;
    let taken = readings::take(&ui, upload, &format!("/ui/device/{id}/readings")).await?;
    let told = Told { refused: taken.refused.clone(), sending: Some(taken.sending) };
    let page = page(&ui, &taken.visitor, id, told).await?;
    readings::answer(&page, taken.refused.as_ref(), taken.event)
}
