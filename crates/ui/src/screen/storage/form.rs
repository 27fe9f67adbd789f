//! The forms that record a charge and a discharge. The fields are the members of the API; what is drawn by the
//! operator's discretion is a list.

use super::{device_storage, find, frame_of, is_final};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Field, Fields, Form, ONCE, Parameters, fault_of, instant};
use crate::format::{self, Markup};
use crate::frame::{Frame, show, show_refused};
use crate::limits::BACKING_SHOWN_MAX;
use crate::visitor::{Known, Visitor, changed};
use crate::words::{Fault, Refused};
use app::BundleView;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use domain::{AllocationMethod, Capability, Device, Interval};
use serde_json::{Map, Value};

#[derive(Template)]
#[template(path = "storage_form.html")]
struct Page {
    frame: Frame,
    heading: &'static str,
    lead: &'static str,
    action: String,
    back: String,
    fields: Vec<Field>,
    refused: Option<Refused>,
    /// Of a charge whose interval is known: what may back it.
    backing: Option<Vec<Backing>>,
}

/// Certificates that may back a charge.
struct Backing {
    bundle: i64,
    source: &'static str,
    issuance: String,
    first: String,
    last: String,
    energy: Markup,
    /// The form with them filled in.
    to: String,
}

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Charge,
    Discharge,
}

/// Name, label and help of a member, and whether it must be there.
type Member = (&'static str, &'static str, &'static str, bool);

const ISSUANCE: &str = "gc_issuance_id";
const FIRST: &str = "certificate_bundle_id_range_start";
const LAST: &str = "certificate_bundle_id_range_end";
const METHOD: &str = "scr_allocation_methodology";
const PICKS: &str = "allocations";
const CHARGE: [Member; 7] = [
    ("charging_start_datetime", "The reading begins", "In UTC, such as 2030-01-31T06:00Z.", true),
    ("charging_end_datetime", "The reading ends", "", true),
    ("charging_energy", "Charged, in Wh", "With the other records of the reading at most what it says.", true),
    (
        ISSUANCE,
        "Issuance of the certificates that back it",
        "Cancelled with the purpose storage by the device's account, and produced within the reading.",
        false,
    ),
    (FIRST, "First certificate", "", false),
    (LAST, "Last certificate", "Included. They lie in one bundle, and are no more than what was charged.", false),
    ("scr_geographic_matching_method", "How their places were matched", "A level of the Matching Standard.", false),
];
const DISCHARGE: [Member; 9] = [
    ("discharging_start_datetime", "The reading begins", "In UTC, such as 2030-01-31T18:00Z.", true),
    ("discharging_end_datetime", "The reading ends", "", true),
    ("discharge_energy", "Discharged, in Wh", "With the other records of the reading at most what it says.", true),
    (METHOD, "Allocation method", "The first discharge of a device fixes it.", false),
    (
        "efficiency_factor_interval_start",
        "The efficiency factor is taken from",
        "Without an interval the last factor is taken over.",
        false,
    ),
    (
        "efficiency_factor_interval_end",
        "To",
        "At most 366 days; a device's first ends within six months of its start-up.",
        false,
    ),
    ("state_of_charge_start", "In store at the start of that, in Wh", "0 if it is left out.", false),
    ("state_of_charge_end", "In store at its end, in Wh", "0 if it is left out.", false),
    (
        PICKS,
        "By the operator's discretion: Wh that are drawn, by charge record",
        "Such as 4: 800000, 5: 200000. Together the discharge over the factor, rounded up.",
        false,
    ),
];

impl Kind {
    const fn members(self) -> &'static [Member] {
        match self {
            Self::Charge => &CHARGE,
            Self::Discharge => &DISCHARGE,
        }
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.members().iter().any(|member| member.0 == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Discharge => "discharge",
        }
    }

    const fn operation(self) -> &'static str {
        match self {
            Self::Charge => "create_scr",
            Self::Discharge => "create_sdr",
        }
    }
}

pub(super) async fn ask_charge(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    let of = to_record(&ui, &visitor, id).await?;
    show(&page(&ui, &visitor, of, Kind::Charge, &given, None).await?)
}

pub(super) async fn ask_discharge(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    let of = to_record(&ui, &visitor, id).await?;
    show(&page(&ui, &visitor, of, Kind::Discharge, &given, None).await?)
}

pub(super) async fn charge(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    record(&ui, id, Kind::Charge, form).await
}

pub(super) async fn discharge(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    record(&ui, id, Kind::Discharge, form).await
}

/// The device, if the visitor may see its storage and record there.
async fn to_record(ui: &Ui, visitor: &Visitor, id: i64) -> Result<(Device, Known), Failure> {
    let found = find(ui, visitor, id).await?;
    if visitor.may(Capability::Issue) {
        return Ok(found);
    }
    Err(Failure::forbidden("the role Registry Administrator or GC Issuer"))
}

async fn record(ui: &Ui, id: i64, kind: Kind, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let (device, account) = to_record(ui, &visitor, id).await?;
    let step = fields.get("step").unwrap_or("preview").to_owned();
    if step == "change" {
        return show(&page(ui, &visitor, (device, account), kind, &fields, None).await?);
    }
    let is_preview = step != "do";
    let refused = match body(kind, id, &fields) {
        Err(fault) => Refused::of_fields("What was entered cannot be used", vec![fault]),
        Ok(body) => {
            let (dry_run, once) = if is_preview { ("?dry_run=true", None) } else { ("", fields.get(ONCE)) };
            let address = format!("/storage/{}{dry_run}", kind.operation());
            match ui.api.ask(&visitor.caller, Method::POST, &address, &body, once).await {
                Ok(answered) if is_preview => {
                    let action = format!("{}/{}", device_storage(device.id), kind.name());
                    let of = (&device, account);
                    return super::deed::preview_record(&visitor, of, kind, &action, fields, &answered.json);
                }
                Ok(answered) => {
                    let record = answered.json["id"].as_i64().ok_or(Failure::Ours)?;
                    let place = if kind == Kind::Charge { "scr" } else { "sdr" };
                    return Ok(changed(answered.event, &format!("/ui/storage/{place}/{record}")));
                }
                // What is missing may be what the form names.
                Err(refused) if is_final(&refused) && refused.status != StatusCode::NOT_FOUND.as_u16() => {
                    return Err(refused.into());
                }
                Err(refused) => refused,
            }
        }
    };
    let page = page(ui, &visitor, (device, account), kind, &fields, Some(refused.clone())).await?;
    show_refused(&page, &refused)
}

/// What the form says, as the API reads it, or the field that says nothing it could read and why.
fn body(kind: Kind, device: i64, fields: &Fields) -> Result<Value, Fault> {
    let mut body = Map::new();
    for (name, ..) in kind.members() {
        let Some(text) = fields.get(name) else { continue };
        let value = match *name {
            PICKS => picks(text).ok_or_else(|| {
                Fault::of(PICKS, "Enter numbers of charge records and Wh, such as 4: 800000, 5: 200000")
            })?,
            // Written as it is shown, with a comma between thousands.
            name if is_number(name) => text.replace(',', "").into(),
            name if name.ends_with("_datetime") || name.starts_with("efficiency_factor_interval") => {
                instant(text, false).map_or_else(|| text.to_owned(), |at| at.to_string()).into()
            }
            _ => text.into(),
        };
        body.insert((*name).to_owned(), value);
    }
    body.insert("device_id".to_owned(), device.into());
    Ok(Value::Object(body))
}

/// `4: 800000, 5: 200000` as an object.
fn picks(text: &str) -> Option<Value> {
    let mut picks = Map::new();
    for pick in text.split([',', ';', '\n']).filter(|pick| !pick.trim().is_empty()) {
        let (scr, energy) = pick.split_once(':')?;
        let (scr, energy): (u64, u64) = (scr.trim().parse().ok()?, energy.trim().parse().ok()?);
        if picks.insert(scr.to_string(), energy.into()).is_some() {
            return None;
        }
    }
    Some(Value::Object(picks))
}

fn is_number(name: &str) -> bool {
    matches!(name, FIRST | LAST) || name.ends_with("_energy") || name.starts_with("state_of_charge")
}

async fn page(
    ui: &Ui,
    visitor: &Visitor,
    (device, account): (Device, Known),
    kind: Kind,
    given: &Fields,
    refused: Option<Refused>,
) -> Result<Page, Failure> {
    let (caller, fresh, id) = (visitor.caller.clone(), visitor.fresh, device.id);
    let interval = charged_in(given).filter(|_| kind == Kind::Charge);
    let (method, found) = ui
        .blocking(move |registry| {
            let method = registry.storage_of(&caller, id, fresh)?.method;
            let found = interval.map(|interval| registry.backing_for(&caller, id, interval, fresh)).transpose()?;
            Ok((method, found))
        })
        .await?;
    let back = device_storage(device.id);
    let action = format!("{back}/{}", kind.name());
    let backing = |found: Vec<BundleView>| -> Vec<Backing> {
        found.iter().take(BACKING_SHOWN_MAX).map(|view| Backing::of(view, given, &action)).collect()
    };
    let picks_charges = method.is_none_or(|method| method == AllocationMethod::Discretion);
    let asked = kind.members().iter().filter(|(name, ..)| *name != PICKS || picks_charges);
    let (heading, lead) = match kind {
        Kind::Charge => (
            "Record a charge",
            "What the device took in during one of its readings, with the certificates that back it.",
        ),
        Kind::Discharge => (
            "Record a discharge",
            "What the device gave out during one of its readings. It draws on charges that ended before.",
        ),
    };
    Ok(Page {
        heading,
        lead,
        backing: found.map(backing),
        fields: asked.map(|member| field(*member, given, method, refused.as_ref())).collect(),
        frame: frame_of(visitor, heading, account),
        action,
        back,
        refused,
    })
}

/// The interval that a form about a charge states.
fn charged_in(given: &Fields) -> Option<Interval> {
    let at = |name| given.get(name).and_then(|text| instant(text, false));
    Interval::new(at("charging_start_datetime")?, at("charging_end_datetime")?)
}

fn field(
    (name, label, help, is_needed): Member,
    given: &Fields,
    method: Option<AllocationMethod>,
    refused: Option<&Refused>,
) -> Field {
    let choice = |of: AllocationMethod| (of.name().to_owned(), of.name().to_owned());
    let choices = match (name, method) {
        (METHOD, Some(fixed)) => vec![choice(fixed)],
        (METHOD, None) => AllocationMethod::ALL.iter().map(|of| choice(*of)).collect(),
        _ => Vec::new(),
    };
    Field {
        name,
        label,
        help,
        value: given.get(name).unwrap_or_default().to_owned(),
        fault: refused.and_then(|refused| fault_of(refused, name)),
        is_needed,
        is_number: is_number(name),
        choices,
    }
}

impl Backing {
    fn of(view: &BundleView, given: &Fields, action: &str) -> Self {
        let bundle = &view.bundle;
        let charged = given.get("charging_energy").and_then(|text| text.replace(',', "").parse::<u64>().ok());
        let quantity = charged
            .filter(|charged| *charged > 0)
            .map_or(bundle.range.quantity().0, |charged| charged.min(bundle.range.quantity().0));
        let (first, last) = (bundle.range.first(), bundle.range.first() + quantity - 1);
        let issuance = view.issuance_id();
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, ..) in CHARGE.iter().filter(|(name, ..)| ![ISSUANCE, FIRST, LAST].contains(name)) {
            if let Some(value) = given.get(name) {
                query.append_pair(name, value);
            }
        }
        query.append_pair(ISSUANCE, &issuance);
        query.append_pair(FIRST, &first.to_string()).append_pair(LAST, &last.to_string());
        Self {
            bundle: bundle.id.0,
            source: format::source(view.attributes.device.energy_source),
            issuance,
            first: format::thousands(bundle.range.first()),
            last: format::thousands(bundle.range.last()),
            energy: format::energy(bundle.range.quantity()),
            to: format!("{action}?{}", query.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_form_is_said_in_the_words_of_the_api() {
        let form = b"discharging_start_datetime=2030-01-31&discharging_end_datetime=soon&discharge_energy=1,000&\
            allocations=4:+800000,+5:200&efficiency_factor_interval_start=&other=7";
        let said = body(Kind::Discharge, 31, &Fields::of(form)).unwrap();
        assert_eq!(
            said,
            json!({"device_id": 31, "discharging_start_datetime": "2030-01-31T00:00:00Z",
                "discharging_end_datetime": "soon", "discharge_energy": "1000", "allocations": {"4": 800_000, "5": 200}})
        );
        for wrong in ["4", "4: x", "4: 1, 4: 2", "-1: 3"] {
            assert_eq!(picks(wrong), None, "{wrong}");
        }
    }
}
