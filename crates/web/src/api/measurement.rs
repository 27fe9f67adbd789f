//! Meter readings: many of them submitted together; one alone is in [`reading`].

mod reading;

use crate::body::{Cut, whole};
use crate::caller::{Caller, Query, Read};
use crate::json::{Fault, Fields, Place, Value, any_text, rule};
use crate::limits::HEADER_BYTES_MAX;
use crate::openapi::{ChangeProblems, ReadProblems, TooManyProblems};
use crate::upload::{self, first_byte};
use crate::wire::{At, Changed};
use crate::{App, Error};
use app::{Format, ReadingsReport, ZoneOfTimes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{BufRead, Cursor};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TEMPLATE: &str =
    "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator,quality\n";
/// What a file of readings looks like.
const READINGS_CSV: &str = "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator\n\
    12,2026-01-01T13:00:00Z,2026-01-01T14:00:00Z,5000000,NET\n";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(submit)).routes(routes!(template)).merge(reading::routes())
}

/// One reading.
#[derive(ToSchema)]
#[schema(as = ReadingRow, example = json!({
    "device_id": 12, "interval_start_datetime": "2026-01-01T13:00:00Z", "interval_end_datetime": "2026-01-01T14:00:00Z",
    "interval_usage": 5_000_000, "gross_net_indicator": "NET", "quality": "measured",
}))]
#[expect(dead_code, reason = "documents the rows, which are read as a stream")]
struct ReadingRow {
    /// The device that was metered.
    #[schema(example = 12, minimum = 1)]
    device_id: i64,
    /// When the interval begins, included.
    interval_start_datetime: At,
    /// When the interval ends, not included: from 1 minute to 1 hour after the start.
    interval_end_datetime: At,
    /// Wh; decimals are rounded once, towards zero. Of storage, discharge is positive and charge negative; else at least 0.
    #[schema(example = 5_000_000)]
    interval_usage: i64,
    /// Fixed per device by its first reading.
    #[schema(pattern = "^(GROSS|NET)$", example = "NET")]
    gross_net_indicator: String,
    /// `measured` by default. Estimated values are kept and never issued.
    #[schema(pattern = "^(measured|calculated|estimated)$", example = "measured")]
    quality: Option<String>,
}

/// A file of readings.
#[derive(ToSchema)]
#[schema(as = ReadingsFile, example = json!({"file": READINGS_CSV}))]
#[expect(dead_code, reason = "documents the form, which is read as a stream")]
struct ReadingsFile {
    /// CSV or JSON.
    #[schema(content_media_type = "text/csv")]
    file: String,
}

struct SubmitQuery {
    measurement_json: Option<String>,
    zone: ZoneOfTimes,
}

impl Read for SubmitQuery {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let measurement_json = fields.optional("measurement_json", any_text(1, HEADER_BYTES_MAX));
        let zone = fields.optional("time_zone", |value| match value {
            Value::Text(name) => ZoneOfTimes::named(name)
                .ok_or_else(|| rule("value_error", "Value error, this is no known time zone, such as Europe/London")),
            _ => Err(rule("string_type", "Input should be a valid string")),
        });
        Some(Self { measurement_json, zone: zone.unwrap_or_default() })
    }
}

/// What became of a submission.
#[derive(Serialize, ToSchema)]
struct ReadingsSubmitted {
    /// What became of the rows, as a sentence.
    message: String,
    /// The earliest start of the rows that stand; `null` if none does.
    first_reading_datetime: Option<At>,
    /// The latest end of the rows that stand; `null` if none does.
    last_reading_datetime: Option<At>,
    /// Wh of the rows that stand, by device.
    #[schema(value_type = BTreeMap<String, i64>)]
    total_usage_per_device: BTreeMap<String, i128>,
    /// Rows that were new.
    accepted: u64,
    /// Rows that took the place of an earlier value.
    corrected: u64,
    /// Rows that stated what was known.
    unchanged: u64,
    /// Rows that were not accepted, the first 10,000.
    rejected: Vec<Rejected>,
    /// How many there are in all.
    rejected_total: u64,
    /// The job that is the record of a submission longer than one chunk; `null` for a shorter one.
    job_id: Option<i64>,
}

/// A row that was not accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = RejectedReading)]
struct Rejected {
    /// Its place in the input, from 1, without the header.
    row: u64,
    /// The row's device; `null` if it could not be read.
    device_id: Option<i64>,
    /// When the row's interval begins; `null` if it could not be read.
    interval_start_datetime: Option<At>,
    /// Why it was not accepted, as a sentence.
    reason: String,
}

impl From<ReadingsReport> for ReadingsSubmitted {
    fn from(report: ReadingsReport) -> Self {
        let rejected = report.rejected.into_iter().map(|row| Rejected {
            row: row.row,
            device_id: row.device_id,
            interval_start_datetime: row.start.map(At),
            reason: row.reason,
        });
        let message = match report.rejected_total {
            0 => "Readings submitted successfully.".to_owned(),
            1 => "Readings submitted; 1 row was not accepted.".to_owned(),
            count => format!("Readings submitted; {count} rows were not accepted."),
        };
        Self {
            message,
            first_reading_datetime: report.first.map(At),
            last_reading_datetime: report.last.map(At),
            total_usage_per_device: report.usage.into_iter().map(|(id, wh)| (id.to_string(), wh)).collect(),
            accepted: report.accepted,
            corrected: report.corrected,
            unchanged: report.unchanged,
            rejected: rejected.collect(),
            rejected_total: report.rejected_total,
            job_id: report.job.map(|job| job.0),
        }
    }
}

/// Submit readings
///
/// As a JSON array of readings or an object of columns, as `text/csv` with a header, as a file of either in a multipart
/// form, or as JSON in the query string. The body is read as a stream of up to 256 MiB. A bad row is told with its reason
/// and leaves the others alone. More than 5,000 rows are taken in chunks: if the body breaks off, whole chunks stand and a
/// job says so; submitting the same again is safe. At most 2 at a time for each user.
///
/// For the Registry Administrator and the Measurement Body; for Production Users of the device's account as long as nothing
/// was ever issued on it.
#[utoipa::path(
    post, path = "/measurement/submit_readings", tag = "Measurements",
    params(
        ("measurement_json" = Option<String>, Query, description = "Readings as JSON, in place of a body; with both, nothing is taken"),
        ("time_zone" = Option<String>, Query, description = "The zone of times without an offset, such as Europe/London; an hour that does not exist, or exists twice, is refused row by row"),
    ),
    request_body(content(
        (Vec<ReadingRow> = "application/json"),
        (String = "text/csv", example = json!(READINGS_CSV)),
        (ReadingsFile = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "What became of the rows", body = ReadingsSubmitted,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
        TooManyProblems,
    ),
)]
async fn submit(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<SubmitQuery>,
    request: Request,
) -> Result<Changed<ReadingsSubmitted>, Error> {
    let zone = query.zone;
    let place = app.uploads.take(caller.user_id)?;
    // The place is given back by the thread that reads, which outlives a client that goes away.
    let report = if let Some(text) = query.measurement_json {
        without_body(&app, request).await?;
        app.blocking(move |registry| {
            let _place = place;
            registry.submit_readings(&caller, Cursor::new(text), Format::Json, &zone)
        })
        .await
        .map_err(of_query)?
    } else {
        let is_json = says_json(request.headers());
        let (upload, mut pieces) = upload::open(request, app.limits.readings_bytes_max, app.limits.body_idle).await?;
        let reading = app.blocking(move |registry| {
            let _place = place;
            let format = if is_json { Format::Json } else { format_of(&mut pieces)? };
            registry.submit_readings(&caller, pieces, format, &zone)
        });
        // Both at once: what is sent is read as it comes.
        let (report, cut) = tokio::join!(reading, upload.send());
        report.map_err(|error| cut_off(error, cut))?
    };
    let event = report.event_number;
    let event = match event {
        Some(event) => event,
        None => app.blocking(app::Registry::health).await?.event_number,
    };
    Ok(Changed { status: StatusCode::OK, event, body: report.into() })
}

/// Checks that a request whose readings stand in its query string has no others, which would be passed over.
async fn without_body(app: &App, request: Request) -> Result<(), Error> {
    match whole(request.into_body(), 0, app.limits.body_idle).await {
        Err(Error::Cut(Cut::TooLarge { .. })) => {
            Err(in_query("give readings in the query string or in the body, not in both"))
        }
        read => read.map(drop),
    }
}

/// The reader takes all input for a body.
fn of_query(error: Error) -> Error {
    match error {
        Error::Use(app::Error::BadInput { rule, .. }) => in_query(&format!("measurement_json {rule}")),
        error => error,
    }
}

fn in_query(rule: &str) -> Error {
    Error::Faults(vec![Fault {
        loc: ["query", "measurement_json"].map(|name| Place::Name(name.to_owned())).to_vec(),
        msg: format!("Value error, {rule}"),
        r#type: "value_error",
    }])
}

fn says_json(headers: &HeaderMap) -> bool {
    let said = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    said.is_some_and(|said| said.to_ascii_lowercase().contains("json"))
}

/// JSON begins with a bracket, and no header of a CSV does.
fn format_of(input: &mut impl BufRead) -> Result<Format, app::Error> {
    let first = first_byte(input)
        .map_err(|error| app::Error::BadInput { field: "body".to_owned(), rule: format!("cannot be read: {error}") })?;
    Ok(if matches!(first, Some(b'[' | b'{')) { Format::Json } else { Format::Csv })
}

/// The reader only knows that its input broke off; why is told to the client.
fn cut_off(error: Error, cut: Option<Cut>) -> Error {
    match (error, cut) {
        (Error::Use(app::Error::BadInput { .. }), Some(cut)) => Error::Cut(cut),
        (
            Error::Use(app::Error::Interrupted { job, rows, .. }),
            Some(cut @ (Cut::TooLarge { .. } | Cut::StoodStill)),
        ) => Error::CutLater { cut, job: job.0, rows },
        (error, _) => error,
    }
}

/// The columns of a CSV of readings
///
/// Fill in a row for each reading and submit it.
#[utoipa::path(
    get, path = "/measurement/meter_readings_template", tag = "Measurements",
    responses((status = 200, description = "A header", body = String, content_type = "text/csv"), ReadProblems),
)]
async fn template(_: Caller) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"meter_readings_template.csv\""),
    ];
    (headers, TEMPLATE)
}
