//! Files of readings: sent, and what became of their rows. The same form stands on the page of a device.

use crate::Ui;
use crate::failure::Failure;
use crate::format::{self, Markup};
use crate::frame::{Frame, show, show_refused};
use crate::limits::{READINGS_LED_TO_MAX, REJECTED_SHOWN_MAX};
use crate::upload::{Upload, Uploaded};
use crate::visitor::{Visitor, reached};
use crate::words::{self, Refused};
use app::{Error, MeasurementQuery, Paging};
use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::response::Response;
use axum::routing::get;
use domain::{Capability, DeviceId, EventNumber, Role};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/readings", get(ask).post(submit)).route("/readings/template.csv", get(template))
}

/// How the refusal of a row begins whose interval has certificates.
const ISSUED: &str = "certificates were issued on this interval's reading";

#[derive(Template)]
#[template(path = "readings.html")]
struct Page {
    frame: Frame,
    sending: Sending,
    refused: Option<Refused>,
}

/// The form of a file, and what became of one.
pub(super) struct Sending {
    /// Whether one may be sent.
    pub is_open: bool,
    pub to: String,
    pub time_zone: String,
    pub report: Option<Report>,
    pub fault: Option<String>,
}

/// What became of the rows of a file.
pub(super) struct Report {
    pub message: String,
    pub counts: Vec<(&'static str, String)>,
    /// From the earliest start to the latest end of what stands.
    pub span: Option<Markup>,
    /// Wh by device.
    pub usage: Vec<(String, String)>,
    pub rejected: Vec<Rejected>,
    /// How many more there are than are shown.
    pub rejected_more: Option<String>,
    pub job: Option<i64>,
}

pub(super) struct Rejected {
    pub row: String,
    pub device: String,
    pub start: Option<Markup>,
    pub reason: String,
    /// The reading that stands there and can be corrected alone.
    pub correct: Option<i64>,
}

impl Sending {
    pub(super) fn to(address: &str) -> Self {
        Self { is_open: true, to: address.to_owned(), time_zone: String::new(), report: None, fault: None }
    }
}

async fn ask(visitor: Visitor) -> Result<Response, Failure> {
    if !(visitor.may(Capability::SubmitReadings) || visitor.has_role(Role::ProductionUser)) {
        return Err(Failure::forbidden("the role Registry Administrator, Measurement Body or Production User"));
    }
    show(&page(&visitor, Sending::to("/ui/readings"), None))
}

fn page(visitor: &Visitor, sending: Sending, refused: Option<Refused>) -> Page {
    Page { frame: Frame::of(visitor, "Readings", "/ui/readings"), sending, refused }
}

async fn submit(State(ui): State<Ui>, upload: Upload) -> Result<Response, Failure> {
    let Taken { visitor, sending, refused, event } = take(&ui, upload, "/ui/readings").await?;
    let page = page(&visitor, sending, refused.clone());
    answer(&page, refused.as_ref(), event)
}

/// What a file came to: for the page that shows it.
pub(super) struct Taken {
    /// Whose pages are as fresh as that.
    pub visitor: Visitor,
    pub sending: Sending,
    pub refused: Option<Refused>,
    pub event: Option<i64>,
}

/// Has the rows of a file taken by the API.
pub(super) async fn take(ui: &Ui, upload: Upload, to: &str) -> Result<Taken, Failure> {
    let mut visitor = upload.visitor.clone();
    let operation = |fields: &crate::form::Fields| {
        let zone = fields.get("time_zone");
        let query = crate::form::Fields::default().with("time_zone", zone);
        format!("/measurement/submit_readings?{query}")
    };
    let Uploaded { fields, said } = upload.send(ui, Method::POST, operation).await?;
    let mut sending = Sending::to(to);
    fields.get("time_zone").unwrap_or_default().clone_into(&mut sending.time_zone);
    Ok(match said {
        Ok(answered) => {
            visitor.fresh = answered.event.map(EventNumber).max(visitor.fresh);
            let mut report = Report::of(&answered.json);
            lead(ui, &visitor, &answered.json, &mut report.rejected).await?;
            sending.report = Some(report);
            Taken { visitor, sending, refused: None, event: answered.event }
        }
        Err(refused) => {
            sending.fault = refused.fault("time_zone").map(str::to_owned);
            Taken { visitor, sending, refused: Some(refused), event: None }
        }
    })
}

/// Leads from rows that were refused because of certificates to the readings that stand there.
async fn lead(ui: &Ui, visitor: &Visitor, said: &Value, rejected: &mut [Rejected]) -> Result<(), Failure> {
    let rows = said["rejected"].as_array().into_iter().flatten().enumerate();
    let issued = rows.filter(|(_, row)| row["reason"].as_str().is_some_and(|reason| reason.starts_with(ISSUED)));
    let places: Vec<(usize, DeviceId, Timestamp)> = issued
        .filter_map(|(place, row)| {
            let start = row["interval_start_datetime"].as_str()?.parse().ok()?;
            Some((place, DeviceId(row["device_id"].as_i64()?), start))
        })
        .take(READINGS_LED_TO_MAX)
        .collect();
    if places.is_empty() {
        return Ok(());
    }
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let found = ui
        .blocking(move |registry| {
            let mut found = Vec::new();
            for (place, device, start) in places {
                let query = MeasurementQuery {
                    device,
                    from: Some(start),
                    to: start.checked_add(SignedDuration::from_micros(1)).ok(),
                    status: None,
                    all_versions: false,
                    paging: Paging { limit: 1, after: None },
                };
                let reading = match registry.measurements(&caller, &query, fresh) {
                    Ok(page) => page.entries.first().map(|view| view.measurement.id.0),
                    Err(Error::NotFound { .. }) => None,
                    Err(error) => return Err(error),
                };
                found.push((place, reading));
            }
            Ok(found)
        })
        .await?;
    for (place, reading) in found {
        if let Some(row) = rejected.get_mut(place) {
            row.correct = reading;
        }
    }
    Ok(())
}

/// The page, which says what was reached.
pub(super) fn answer(page: &impl Template, refused: Option<&Refused>, event: Option<i64>) -> Result<Response, Failure> {
    let mut response = match refused {
        Some(refused) => show_refused(page, refused)?,
        None => show(page)?,
    };
    reached(&mut response, event);
    Ok(response)
}

/// The columns of a file.
async fn template(State(ui): State<Ui>, visitor: Visitor) -> Response {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static("/measurement/meter_readings_template");
    ui.api.send(&visitor.caller, request).await
}

/// How many of the rows stand, in plain words.
fn message(said: &Value) -> String {
    let count = |name: &str| said[name].as_i64().unwrap_or_default();
    let taken: i64 = ["accepted", "corrected", "unchanged"].iter().map(|name| count(name)).sum();
    let all = taken.saturating_add(count("rejected_total"));
    match (taken, all) {
        (0, 0) => "The file has no rows.".to_owned(),
        (1, 1) => "The one row was accepted.".to_owned(),
        (_, _) if taken == all => format!("All {} rows were accepted.", format::thousands(all)),
        (0, 1) => "The one row was not accepted.".to_owned(),
        (0, _) => format!("None of the {} rows was accepted.", format::thousands(all)),
        (taken, _) => format!("{} of {} rows were accepted.", format::thousands(taken), format::thousands(all)),
    }
}

impl Report {
    fn of(said: &Value) -> Self {
        let count = |name: &str| format::thousands(said[name].as_i64().unwrap_or_default());
        let at = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let span = at(&said["first_reading_datetime"]).zip(at(&said["last_reading_datetime"]));
        let rejected: Vec<Rejected> = said["rejected"]
            .as_array()
            .into_iter()
            .flatten()
            .take(REJECTED_SHOWN_MAX)
            .map(|row| Rejected {
                row: format::thousands(row["row"].as_i64().unwrap_or_default()),
                device: row["device_id"].as_i64().map_or_else(String::new, |id| id.to_string()),
                start: at(&row["interval_start_datetime"]).map(format::instant),
                reason: words::plain(row["reason"].as_str().unwrap_or_default()),
                correct: None,
            })
            .collect();
        let total = said["rejected_total"].as_i64().unwrap_or_default();
        let more = total - i64::try_from(rejected.len()).unwrap_or(i64::MAX);
        let usage = said["total_usage_per_device"].as_object().into_iter().flatten();
        let wh = |energy: &Value| format!("{} Wh", format::thousands(energy.as_i64().unwrap_or_default()));
        Self {
            message: message(said),
            counts: vec![
                ("Accepted", count("accepted")),
                ("Corrected", count("corrected")),
                ("Unchanged", count("unchanged")),
                ("Rejected", count("rejected_total")),
            ],
            span: span.map(|(from, to)| format::interval(from, to)),
            usage: usage.take(REJECTED_SHOWN_MAX).map(|(device, energy)| (device.clone(), wh(energy))).collect(),
            rejected,
            rejected_more: (more > 0).then(|| format::thousands(more)),
            job: said["job_id"].as_i64(),
        }
    }
}
