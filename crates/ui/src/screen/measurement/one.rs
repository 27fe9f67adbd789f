//! One reading: what became of it and why, the versions of it, the bundles that were issued for it; and the forms that
//! correct it, delete it, or release what is held on it.

use super::super::device::{account_of, frame};
use super::super::names::Names;
use super::{quality, source, tone};
use crate::Ui;
use crate::done::{Done, done};
use crate::failure::Failure;
use crate::form::{Fields, Form, ONCE, fault_of};
use crate::format::{self, Markup};
use crate::frame::{Frame, show, show_refused};
use crate::visitor::Visitor;
use crate::words::{self, Refused};
use app::{IssuedBundle, MeasurementView, ReadingHistory};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use domain::{
    BundleStatus, Capability, DeviceKind, Measurement, MeasurementId, Quality, ReadingStatus, Role, WattHours,
};
use serde_json::Value;

#[derive(Template)]
#[template(path = "measurement.html")]
struct Page {
    frame: Frame,
    id: i64,
    device_id: i64,
    device: String,
    /// The day of its start, which the list of readings is shown for.
    day: String,
    status: &'static str,
    tone: &'static str,
    /// What that means, in a sentence.
    story: String,
    interval: Markup,
    energy: String,
    figures: Vec<(&'static str, String)>,
    facts: Vec<(&'static str, String)>,
    recorded_at: Markup,
    versions: Vec<Version>,
    has_more_versions: bool,
    bundles: Vec<Issued>,
    has_more_bundles: bool,
    /// Of a sum, what it was added up from: id, interval and Wh.
    parts: Vec<(i64, Markup, String)>,
    /// The sum that it counts in.
    sum: Option<i64>,
    /// Of storage, the records that stand on it.
    charges: Vec<i64>,
    discharges: Vec<i64>,
    forms: Forms,
    qualities: Vec<&'static str>,
    given: Fields,
    refused: Option<Refused>,
    /// Which of the forms was refused.
    form: &'static str,
}

/// Which forms the visitor may send.
struct Forms {
    correct: bool,
    delete: bool,
    release: bool,
}

struct Version {
    id: i64,
    is_this: bool,
    energy: String,
    quality: &'static str,
    source: &'static str,
    recorded_at: Markup,
    status: &'static str,
    tone: &'static str,
    superseded_by: Option<i64>,
}

struct Issued {
    id: i64,
    is_open: bool,
    first: String,
    last: String,
    energy: Markup,
    status: &'static str,
    tone: &'static str,
    holder: String,
}

impl Page {
    fn value(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_default()
    }

    fn fault(&self, form: &str, name: &str) -> Option<String> {
        self.refused.as_ref().filter(|_| self.form == form).and_then(|refused| fault_of(refused, name))
    }
}

pub(super) async fn one(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    show(&page(&ui, &visitor, id, Fields::default()).await?)
}

async fn page(ui: &Ui, visitor: &Visitor, id: i64, given: Fields) -> Result<Page, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (history, names) = ui
        .blocking(move |registry| {
            let history = registry.reading_history(&caller, MeasurementId(id), fresh)?;
            let holders: Vec<i64> = history.bundles.iter().filter_map(|b| Some(b.account_id?.0)).collect();
            let names = Names::of(registry, &caller, holders, &[], fresh)?;
            Ok((history, names))
        })
        .await?;
    let account = account_of(ui, visitor, history.device.account_id).await?;
    let device = history.device.description.name.clone();
    let frame = frame(visitor, &format!("Reading {id} of {device}"), account);
    Ok(Page::of(visitor, frame, &history, &names, given))
}

impl Page {
    fn of(visitor: &Visitor, frame: Frame, history: &ReadingHistory, names: &Names, given: Fields) -> Self {
        let (view, device) = (&history.view, &history.device);
        let (measurement, standing) = (view.measurement, &view.standing);
        let reading = measurement.reading;
        let is_current = measurement.is_current() && !device.is_deleted;
        // what counts in a sum is corrected as what was issued, and the sum is not
        let (is_part, is_sum) = (history.sum.is_some() && !device.is_deleted, !history.parts.is_empty());
        let is_issued = is_part || history.bundles.iter().any(|bundle| bundle.status != Some(BundleStatus::Withdrawn));
        let is_ever_issued = !history.bundles.is_empty();
        let is_producer = visitor.has_role(Role::ProductionUser)
            && visitor.belongs_to(device.account_id)
            && device.next_certificate == 1;
        let submits = visitor.may(Capability::SubmitReadings) || is_producer;
        let corrects = if is_issued { submits || visitor.may(Capability::Issue) } else { submits };
        let stated = [
            ("interval_usage".to_owned(), reading.energy_wh.to_string()),
            ("quality".to_owned(), reading.quality.name().to_owned()),
        ];
        // What was typed stays; what was not typed is as it is stated.
        let given = given.into_iter().chain(stated).collect();
        let wh = |energy: WattHours| format!("{} Wh", format::thousands(energy.0));
        Self {
            id: measurement.id.0,
            device_id: device.id.0,
            device: device.description.name.clone(),
            day: reading.interval.start().strftime("%F").to_string(),
            status: standing.status.name(),
            tone: tone(standing.status),
            story: story(history),
            interval: format::interval(reading.interval.start(), reading.interval.end()),
            energy: format!("{} Wh", format::thousands(reading.energy_wh)),
            figures: vec![
                ("Certified", wh(standing.issued)),
                ("To be issued", wh(standing.issuable)),
                ("Held", wh(standing.held)),
                ("Shortfall", wh(standing.shortfall)),
            ],
            facts: vec![
                ("Value", quality(reading.quality).to_owned()),
                ("Meter counts", reading.gross_net.name().to_lowercase()),
                ("Source", source(view.source).to_owned()),
            ],
            recorded_at: format::instant(view.recorded_at),
            versions: history.versions.iter().map(|version| Version::of(version, measurement.id)).collect(),
            has_more_versions: history.has_more_versions,
            bundles: history.bundles.iter().map(|bundle| Issued::of(bundle, names)).collect(),
            has_more_bundles: history.has_more_bundles,
            parts: history.parts.iter().map(part).collect(),
            sum: history.sum.map(|id| id.0),
            charges: history.charges.iter().map(|id| id.0).collect(),
            discharges: history.discharges.iter().map(|id| id.0).collect(),
            forms: Forms {
                correct: ((is_current && !is_sum) || is_part) && corrects,
                delete: is_current && submits && !is_ever_issued,
                release: is_current && visitor.may(Capability::Issue) && standing.held > WattHours::ZERO,
            },
            qualities: Quality::ALL.iter().map(|quality| quality.name()).collect(),
            frame,
            given,
            refused: None,
            form: "",
        }
    }
}

/// A part of a sum: its id, its interval and what it says.
fn part(part: &Measurement) -> (i64, Markup, String) {
    let reading = part.reading;
    let interval = format::interval(reading.interval.start(), reading.interval.end());
    (part.id.0, interval, format!("{} Wh", format::thousands(reading.energy_wh)))
}

/// What became of the reading, as people say it.
fn story(history: &ReadingHistory) -> String {
    let (view, kind) = (&history.view, history.device.description.kind);
    let standing = &view.standing;
    let wh = |energy: WattHours| format!("{} Wh", format::thousands(energy.0));
    let said = match standing.status {
        ReadingStatus::Pending => match standing.refusal {
            Some(refusal) => format!("Nothing is issued for it yet: {}.", words::numbers(&refusal.to_string())),
            None => format!("{} may be issued for it.", wh(standing.issuable)),
        },
        ReadingStatus::Issued => "All that it says is certified.".to_owned(),
        ReadingStatus::Held => {
            format!(
                "{} were withdrawn by the issuer and are not issued again until they are released.",
                wh(standing.held)
            )
        }
        ReadingStatus::Recorded => "All that it says is in storage records; no certificates come of them.".to_owned(),
        ReadingStatus::Refused if kind == DeviceKind::Consumption => {
            "It is kept; no certificates are issued for readings of this device as such.".to_owned()
        }
        ReadingStatus::Refused => {
            let why = standing.refusal.map_or_else(String::new, |refusal| words::numbers(&refusal.to_string()));
            format!("Nothing more is issued for it: {why}.")
        }
        ReadingStatus::Superseded => {
            let by = view.measurement.superseded_by.map_or(0, |id| id.0);
            let no_more = || format!("Reading {by} took its place. It counts no more, and stays readable.");
            let in_a_sum = |sum| format!("It counts in reading {sum}, the sum of its hour, and is certified there.");
            history.sum.map_or_else(no_more, in_a_sum)
        }
        ReadingStatus::Deleted => "It was deleted and counts no more; its interval is free again.".to_owned(),
    };
    let shortfall = standing.shortfall;
    if shortfall == WattHours::ZERO {
        return said;
    }
    format!(
        "{said} {} more are certified than it says, because it was corrected after they had been passed on.",
        wh(shortfall)
    )
}

impl Version {
    fn of(view: &MeasurementView, this: MeasurementId) -> Self {
        let measurement = view.measurement;
        Self {
            id: measurement.id.0,
            is_this: measurement.id == this,
            energy: format!("{} Wh", format::thousands(measurement.reading.energy_wh)),
            quality: quality(measurement.reading.quality),
            source: source(view.source),
            recorded_at: format::instant(view.recorded_at),
            status: view.standing.status.name(),
            tone: tone(view.standing.status),
            superseded_by: measurement.superseded_by.filter(|_| !measurement.is_deleted()).map(|id| id.0),
        }
    }
}

impl Issued {
    fn of(bundle: &IssuedBundle, names: &Names) -> Self {
        Self {
            id: bundle.id.0,
            is_open: bundle.account_id.is_some(),
            first: format::thousands(bundle.range.first()),
            last: format::thousands(bundle.range.last()),
            energy: format::energy(bundle.range.quantity()),
            status: bundle.status.map_or("held elsewhere", BundleStatus::name),
            tone: bundle.status.map_or("", format::tone),
            holder: bundle.account_id.map_or_else(String::new, |id| names.account(id.0)),
        }
    }
}

pub(super) async fn correct(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let mut asked = form.fields.json(&["interval_usage", "quality", "reason"]);
    if let Some(text) = form.fields.get("interval_usage") {
        // Written as it is shown, with a comma between thousands.
        asked.insert("interval_usage".to_owned(), text.replace(',', "").into());
    }
    act(&ui, form, (Method::PATCH, "update"), id, asked.into(), "correct").await
}

pub(super) async fn delete(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    act(&ui, form, (Method::DELETE, "delete"), id, Value::Null, "delete").await
}

pub(super) async fn release(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let asked = form.fields.json(&["reason"]);
    act(&ui, form, (Method::POST, "release"), id, asked.into(), "release").await
}

async fn act(
    ui: &Ui,
    form: Form,
    (method, verb): (Method, &str),
    id: i64,
    body: Value,
    name: &'static str,
) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let address = format!("/measurement/{verb}/{id}");
    match ui.api.ask(&visitor.caller, method, &address, &body, fields.get(ONCE)).await {
        Ok(answered) => {
            let id = answered.json["id"].as_i64().ok_or(Failure::Ours)?;
            let what = match name {
                "correct" => Done::Corrected,
                "release" => Done::Released,
                _ => Done::Deleted,
            };
            Ok(done(answered.event, &format!("/ui/measurement/{id}"), what))
        }
        Err(refused) if refused.status == StatusCode::FORBIDDEN.as_u16() => Err(refused.into()),
        Err(refused) if refused.status == StatusCode::NOT_FOUND.as_u16() => Err(refused.into()),
        Err(refused) => {
            let page = page(ui, &visitor, id, fields).await?;
            show_refused(&Page { refused: Some(refused.clone()), form: name, ..page }, &refused)
        }
    }
}
