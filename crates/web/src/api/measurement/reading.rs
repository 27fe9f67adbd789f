//! One reading: stated, read, listed, corrected, deleted; and what is held on it, released.

use crate::api::{carry_out, unexpected};
use crate::caller::{Asked, Caller, Fresh, PathId, Query, Read};
use crate::json::{Fields, Rule, Value, id, instant, rule, text, word};
use crate::openapi::{ChangeProblems, IdProblems, ReadProblems};
use crate::page::{Paged, cursor_of};
use crate::wire::{At, Changed, Text};
use crate::{App, Error};
use app::{MeasurementQuery, MeasurementView, Paging, ReadingHistory};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::action::{MeasurementUpdate, StatedPlace, SubmitReadings};
use domain::{
    BundleStatus, Command, DeviceId, EventNumber, GrossNet, Interval, MeasurementId, Outcome, Quality, Reading,
    ReadingSource, ReadingStatus, Refusal,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What only an answer carries of a reading.
const OF_ANSWERS: [&str; 15] = [
    "source",
    "status",
    "reason",
    "superseded_by",
    "supersedes",
    "issued_wh",
    "held_wh",
    "shortfall_wh",
    "issuable_wh",
    "granular_certificate_bundle_ids",
    "withdrawn_bundle_ids",
    "summed_measurement_ids",
    "counts_in",
    "scr_ids",
    "sdr_ids",
];

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(list))
        .routes(routes!(read_measurement))
        .routes(routes!(update))
        .routes(routes!(delete))
        .routes(routes!(release))
}

// ── What is read ────────────────────────────────────────────────────────────

/// A reading to be.
#[derive(ToSchema)]
#[schema(as = MeasurementCreate, example = json!({
    "device_id": 1, "interval_start_datetime": "2026-01-01T13:00:00Z", "interval_end_datetime": "2026-01-01T14:00:00Z",
    "interval_usage": 5_000_000, "gross_net_indicator": "NET",
}))]
#[expect(dead_code, reason = "documents what Stated reads")]
#[serde(deny_unknown_fields)]
struct CreateSchema {
    /// The device that was metered.
    #[schema(minimum = 1)]
    device_id: i64,
    /// When the interval begins, included.
    interval_start_datetime: At,
    /// When the interval ends, not included: from 1 minute to 1 hour after the start.
    interval_end_datetime: At,
    /// Wh; decimals are rounded once, towards zero. Of storage, discharge is positive and charge negative; else at least 0.
    #[schema(minimum = -9_000_000_000_000_000_i64, maximum = 9_000_000_000_000_000_i64)]
    interval_usage: i64,
    /// Fixed per device by its first reading.
    #[schema(value_type = GrossNetWord)]
    gross_net_indicator: GrossNet,
    /// `measured` by default. Estimated values are kept and never issued.
    #[schema(value_type = Option<QualityWord>)]
    quality: Quality,
}

/// Whether a meter counts before or after the station's own use.
#[derive(Serialize, ToSchema)]
#[schema(as = GrossNet)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "documents the words; values are domain::GrossNet")]
enum GrossNetWord {
    Gross,
    Net,
}

/// How a value came about.
#[derive(Serialize, ToSchema)]
#[schema(as = Quality)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "documents the words; values are domain::Quality")]
enum QualityWord {
    Measured,
    Calculated,
    Estimated,
}

struct Stated(Reading);

impl Read for Stated {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let device_id = fields.required("device_id", id);
        let start = fields.required("interval_start_datetime", instant);
        let end = fields.required("interval_end_datetime", instant);
        let energy_wh = fields.required("interval_usage", energy);
        let gross_net = fields.required("gross_net_indicator", gross_net);
        let quality = fields.optional("quality", word(Quality::ALL, Quality::name));
        fields.pass_over(&OF_ANSWERS);
        let interval = start.zip(end).and_then(|(start, end)| {
            let interval = Interval::new(start, end);
            let fault = rule("value_error", "Value error, interval_end_datetime must be after the start");
            fields.given("interval_end_datetime", interval.ok_or(fault))
        });
        Some(Self(Reading {
            device_id: DeviceId(device_id?),
            interval: interval?,
            energy_wh: energy_wh?,
            gross_net: gross_net?,
            quality: quality.unwrap_or(Quality::Measured),
        }))
    }
}

/// A correction. What is absent stays; what never changes of a reading may be given as it is.
#[derive(ToSchema)]
#[schema(as = MeasurementUpdate, example = json!({"interval_usage": 4_900_000, "reason": "the meter was read again"}))]
#[expect(dead_code, reason = "documents what Correction reads")]
#[serde(deny_unknown_fields)]
struct UpdateSchema {
    /// Wh, as at creation.
    #[schema(minimum = -9_000_000_000_000_000_i64, maximum = 9_000_000_000_000_000_i64)]
    interval_usage: Option<i64>,
    #[schema(value_type = Option<QualityWord>)]
    quality: Option<Quality>,
    /// Why it is corrected; kept with the action.
    #[schema(value_type = Option<Text>)]
    reason: Option<String>,
    /// If given, the device that the reading has.
    #[schema(minimum = 1)]
    device_id: Option<i64>,
    /// If given, the start that the reading has.
    interval_start_datetime: Option<At>,
    /// If given, the end that the reading has.
    interval_end_datetime: Option<At>,
    /// If given, the one that the reading has.
    #[schema(value_type = Option<GrossNetWord>)]
    gross_net_indicator: Option<GrossNet>,
}

struct Correction {
    energy_wh: Option<i64>,
    quality: Option<Quality>,
    reason: Option<String>,
    place: StatedPlace,
}

impl Read for Correction {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let correction = Self {
            energy_wh: fields.optional("interval_usage", energy),
            quality: fields.optional("quality", word(Quality::ALL, Quality::name)),
            place: StatedPlace {
                device_id: fields.optional("device_id", id).map(DeviceId),
                start: fields.optional("interval_start_datetime", instant),
                end: fields.optional("interval_end_datetime", instant),
                gross_net: fields.optional("gross_net_indicator", gross_net),
            },
            // A refused reading's answer carries why under the same name; only a text of its own is one of the correction.
            reason: fields.optional("reason", text),
        };
        fields.pass_over(&OF_ANSWERS);
        Some(correction)
    }
}

/// Why what is held is released.
#[derive(ToSchema)]
#[schema(as = Release, example = json!({"reason": "the meter was right"}))]
#[expect(dead_code, reason = "documents what Released reads")]
#[serde(deny_unknown_fields)]
struct ReleaseSchema {
    /// Why what is held is released; kept with the action.
    #[schema(value_type = Text)]
    reason: String,
}

struct Released(String);

impl Read for Released {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        fields.required("reason", text).map(Self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Versions {
    Current,
    All,
}

impl Versions {
    const ALL: &'static [Self] = &[Self::Current, Self::All];

    const fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::All => "all",
        }
    }
}

struct Listing(MeasurementQuery);

impl Read for Listing {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let device = fields.required("device_id", id);
        let from = fields.optional("from", instant);
        let to = fields.optional("to", instant);
        let status = fields.optional("status", word(ReadingStatus::ALL, ReadingStatus::name));
        let versions = fields.optional("versions", word(Versions::ALL, Versions::name));
        let Paged(paging) = Paged::<(Timestamp, i64)>::read(fields)?;
        Some(Self(MeasurementQuery {
            device: DeviceId(device?),
            from,
            to,
            status,
            all_versions: versions == Some(Versions::All),
            paging: Paging { limit: paging.limit, after: paging.after.map(|(start, id)| (start, MeasurementId(id))) },
        }))
    }
}

/// Wh, as it is written; decimals are rounded towards zero.
fn energy(value: &Value<'_>) -> Result<i64, Rule> {
    let text: &str = match value {
        Value::Number(text) => text,
        Value::Text(text) => text.trim(),
        _ => return Err(rule("decimal_type", "Decimal input should be an integer, float, string or Decimal object")),
    };
    app::parse_energy(text).map_err(|broken| rule("value_error", format!("Value error, interval_usage {broken}")))
}

fn gross_net(value: &Value<'_>) -> Result<GrossNet, Rule> {
    let word = match value {
        Value::Text(text) => GrossNet::parse(&text.trim().to_ascii_uppercase()),
        _ => None,
    };
    word.ok_or_else(|| rule("enum", "Input should be 'GROSS' or 'NET'"))
}

// ── What is answered ────────────────────────────────────────────────────────

/// A reading as it is kept: one version of it, and what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Measurement)]
pub(super) struct MeasurementBody {
    /// The number of this version.
    #[schema(example = 1)]
    id: i64,
    /// The device that was metered.
    device_id: i64,
    /// When the interval begins, included.
    interval_start_datetime: At,
    /// When the interval ends, not included.
    interval_end_datetime: At,
    /// What the meter says of the interval, in Wh. Of storage, discharge is positive and charge negative.
    interval_usage: i64,
    #[schema(value_type = GrossNetWord)]
    gross_net_indicator: &'static str,
    #[schema(value_type = QualityWord)]
    quality: &'static str,
    source: SourceWord,
    status: StatusWord,
    /// Why nothing more is issued for it, if it is refused, or pending because its hour is not whole yet; else `null`.
    reason: Option<String>,
    /// The version that took its place; `null` if none did.
    superseded_by: Option<i64>,
    /// Wh of its interval that are certified, in every state but Withdrawn. 0 of a version that counts no more.
    issued_wh: u64,
    /// Wh of its interval that were withdrawn and are not issued again until they are released.
    held_wh: u64,
    /// By how many Wh more is certified than the reading says, because it was corrected.
    shortfall_wh: u64,
    /// Wh that an issue would make certificates of now.
    issuable_wh: u64,
    /// When this version was recorded.
    created_at: At,
    /// `true` once it was deleted.
    is_deleted: bool,
}

/// A reading with its history.
#[derive(Serialize, ToSchema)]
#[schema(as = MeasurementWithHistory)]
pub(super) struct HistoryBody {
    #[serde(flatten)]
    measurement: MeasurementBody,
    /// The version whose place this one took; `null` if it is the first.
    supersedes: Option<i64>,
    /// The bundles that count of its interval, in the order of their certificates: the first 1,000, wherever they are. Empty
    /// of a version that counts no more.
    granular_certificate_bundle_ids: Vec<i64>,
    /// Those that were withdrawn.
    withdrawn_bundle_ids: Vec<i64>,
    /// Of a sum of an hour that counts: the readings that it was added up from. Correct those, and the sum follows.
    summed_measurement_ids: Vec<i64>,
    /// Of such a reading: the sum that it counts in; else `null`.
    counts_in: Option<i64>,
    /// Of a reading of storage that counts: the charge records that stand on it.
    scr_ids: Vec<i64>,
    /// And the discharge records.
    sdr_ids: Vec<i64>,
}

impl From<ReadingHistory> for HistoryBody {
    fn from(history: ReadingHistory) -> Self {
        let supersedes = history.supersedes().map(|id| id.0);
        let ids = |is_withdrawn: bool| {
            let of = history.bundles.iter();
            let of = of.filter(|bundle| (bundle.status == Some(BundleStatus::Withdrawn)) == is_withdrawn);
            of.map(|bundle| bundle.id.0).collect()
        };
        Self {
            supersedes,
            granular_certificate_bundle_ids: ids(false),
            withdrawn_bundle_ids: ids(true),
            summed_measurement_ids: history.parts.iter().map(|part| part.id.0).collect(),
            counts_in: history.sum.map(|id| id.0),
            scr_ids: history.charges.iter().map(|id| id.0).collect(),
            sdr_ids: history.discharges.iter().map(|id| id.0).collect(),
            measurement: history.view.into(),
        }
    }
}

/// What became of a reading, as it is now: `pending` if something may be issued for it, `issued` if all of it is, `held` if
/// the rest was withdrawn, `refused` if nothing more is issued for a reason, `superseded` by a later version, or `deleted`.
/// Of storage, `pending` is also what no charge or discharge record holds yet, and `recorded` what such records hold without
/// certificates, as every charge.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = MeasurementStatus)]
#[serde(rename_all = "snake_case")]
enum StatusWord {
    Pending,
    Issued,
    Held,
    Refused,
    Superseded,
    Deleted,
    Recorded,
}

/// Who stated a reading: `summed` if the registry did, adding up the readings of an hour, which it supersedes.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[schema(as = MeasurementSource)]
#[serde(rename_all = "snake_case")]
enum SourceWord {
    Submitted,
    Issuer,
    Elexon,
    Summed,
}

/// Readings of a device.
#[derive(Serialize, ToSchema)]
#[schema(as = Measurements)]
struct MeasurementsBody {
    /// In the order of starts, then of ids.
    measurements: Vec<MeasurementBody>,
    /// Where the next page begins; `null` at the end.
    next_cursor: Option<String>,
}

impl From<MeasurementView> for MeasurementBody {
    fn from(view: MeasurementView) -> Self {
        let MeasurementView { measurement, source, recorded_at, standing } = view;
        let reading = measurement.reading;
        let is_deleted = measurement.is_deleted();
        Self {
            id: measurement.id.0,
            device_id: reading.device_id.0,
            interval_start_datetime: reading.interval.start().into(),
            interval_end_datetime: reading.interval.end().into(),
            interval_usage: reading.energy_wh,
            gross_net_indicator: reading.gross_net.name(),
            quality: reading.quality.name(),
            source: match source {
                ReadingSource::Submitted => SourceWord::Submitted,
                ReadingSource::Issuer => SourceWord::Issuer,
                ReadingSource::Elexon => SourceWord::Elexon,
                ReadingSource::Summed => SourceWord::Summed,
            },
            status: match standing.status {
                ReadingStatus::Pending => StatusWord::Pending,
                ReadingStatus::Issued => StatusWord::Issued,
                ReadingStatus::Held => StatusWord::Held,
                ReadingStatus::Refused => StatusWord::Refused,
                ReadingStatus::Superseded => StatusWord::Superseded,
                ReadingStatus::Deleted => StatusWord::Deleted,
                ReadingStatus::Recorded => StatusWord::Recorded,
            },
            reason: standing.refusal.map(|refusal| refusal.to_string()),
            superseded_by: measurement.superseded_by.filter(|_| !is_deleted).map(|id| id.0),
            issued_wh: standing.issued.0,
            held_wh: standing.held.0,
            shortfall_wh: standing.shortfall.0,
            issuable_wh: standing.issuable.0,
            created_at: recorded_at.into(),
            is_deleted,
        }
    }
}

// ── Operations ──────────────────────────────────────────────────────────────

/// State a reading
///
/// Under the rules of submissions, for the Registry Administrator and the Measurement Body; for Production Users of the
/// device's account as long as nothing was ever issued on it. Another value for an interval that was not issued takes the
/// place of the earlier one.
#[utoipa::path(
    post, path = "/measurement/create", tag = "Measurements", request_body = CreateSchema,
    responses(
        (status = 201, description = "Recorded", body = HistoryBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        (status = 200, description = "The reading that says the same", body = HistoryBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the registry had reached"))),
        ChangeProblems,
    ),
)]
async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Asked(Stated(reading)): Asked<Stated>,
) -> Result<Changed<HistoryBody>, Error> {
    let kept = serde_json::json!({ "rows": 1, "device_id": reading.device_id, "interval_usage": reading.energy_wh });
    let submission = SubmitReadings { readings: vec![reading], source: ReadingSource::Submitted };
    let carried = carry_out(&app, &caller, Command::SubmitReadings(submission), &kept).await?;
    let Outcome::Readings(outcome) = carried.outcome else { return Err(unexpected("stating a reading")) };
    if let Some(refused) = outcome.refused.first() {
        return Err(Refusal::from(refused.refusal).into());
    }
    let Some(id) = outcome.last else { return Err(unexpected("a reading was neither taken nor refused")) };
    let status = if outcome.unchanged > 0 { StatusCode::OK } else { StatusCode::CREATED };
    let body = measurement_of(&app, caller, id, Some(carried.event)).await?;
    Ok(Changed { status, event: carried.event, body })
}

/// Read a reading
///
/// One version of it, with what became of it and the bundles that were issued for its interval. Of a device of the caller's accounts, or any for those who may read
/// everything and for the Measurement Body.
#[utoipa::path(
    get, path = "/measurement/{id}", tag = "Measurements",
    params(("id" = i64, Path, description = "The reading's id", minimum = 1), Fresh),
    responses((status = 200, description = "The reading", body = HistoryBody), ReadProblems, IdProblems),
)]
async fn read_measurement(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Fresh(fresh): Fresh,
) -> Result<Json<HistoryBody>, Error> {
    measurement_of(&app, caller, MeasurementId(id), fresh).await.map(Json)
}

/// List the readings of a device
///
/// Those that count, in the order of their starts; with `versions=all` also what was superseded or deleted. With a status a
/// page may hold fewer readings than its limit, and even none, before the end: as long as there is a `next_cursor`, more may
/// follow. For a device of the caller's accounts, or any for those who may read everything and for the Measurement Body.
#[utoipa::path(
    get, path = "/measurement/list", tag = "Measurements",
    params(
        ("device_id" = i64, Query, description = "The device", minimum = 1),
        ("from" = Option<At>, Query, description = "Readings that start at or after this"),
        ("to" = Option<At>, Query, description = "Readings that start before this"),
        ("status" = Option<StatusWord>, Query, description = "Only readings of which this became"),
        ("versions" = Option<String>, Query, description = "`current` or `all`", pattern = "^(current|all)$"),
        Paged<(Timestamp, i64)>,
        Fresh,
    ),
    responses((status = 200, description = "Readings", body = MeasurementsBody), ReadProblems, IdProblems),
)]
async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(Listing(query)): Query<Listing>,
    Fresh(fresh): Fresh,
) -> Result<Json<MeasurementsBody>, Error> {
    let page = app.blocking(move |registry| registry.measurements(&caller, &query, fresh)).await?;
    Ok(Json(MeasurementsBody {
        measurements: page.entries.into_iter().map(MeasurementBody::from).collect(),
        next_cursor: page.next.map(|(start, id)| cursor_of(&(start, id.0))),
    }))
}

/// Correct a reading
///
/// The corrected version takes the place of this one, and both stay readable. Upward, the difference may be issued.
/// Downward, what is certified beyond it is withdrawn as far as it is still in the account that it was issued to: Active
/// first, then Locked, then Expired, the highest certificate ids first. What cannot be withdrawn is the shortfall. Stating
/// what is known changes nothing.
///
/// Of an interval that was never issued: for the Registry Administrator and the Measurement Body, and for Production Users
/// of the device's account as long as nothing was ever issued on the device. Of one that was issued: for the GC Issuer, the
/// Registry Administrator and the Measurement Body.
#[utoipa::path(
    patch, path = "/measurement/update/{id}", tag = "Measurements", request_body = UpdateSchema,
    params(("id" = i64, Path, description = "The version that counts now", minimum = 1)),
    responses(
        (status = 200, description = "The version that counts now", body = HistoryBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn update(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Asked(asked): Asked<Correction>,
) -> Result<Changed<HistoryBody>, Error> {
    let Correction { energy_wh, quality, reason, place } = asked;
    let kept = serde_json::json!({
        "measurement_id": id, "interval_usage": energy_wh, "quality": quality, "reason": reason,
    });
    let update = MeasurementUpdate { measurement: MeasurementId(id), energy_wh, quality, place, source: None };
    change(&app, caller, Command::UpdateMeasurement(update), &kept).await
}

/// Delete a reading
///
/// Refused if any bundle, in whatever state, stems from its interval. Its interval is free again, and the reading stays
/// readable as deleted. Deleting again changes nothing. For those who may submit readings of the device.
#[utoipa::path(
    delete, path = "/measurement/delete/{id}", tag = "Measurements",
    params(("id" = i64, Path, description = "The version that counts now", minimum = 1)),
    responses(
        (status = 200, description = "The reading as it was", body = HistoryBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn delete(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
) -> Result<Changed<HistoryBody>, Error> {
    let kept = serde_json::json!({ "measurement_id": id });
    change(&app, caller, Command::DeleteMeasurement(MeasurementId(id)), &kept).await
}

/// Release what is held
///
/// What the issuer withdrew in the reading's interval is held, so that no later run issues it again; from now on it may be.
/// For the GC Issuer and the Registry Administrator.
#[utoipa::path(
    post, path = "/measurement/release/{id}", tag = "Measurements", request_body = ReleaseSchema,
    params(("id" = i64, Path, description = "The version that counts now", minimum = 1)),
    responses(
        (status = 200, description = "The reading", body = HistoryBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn release(
    State(app): State<App>,
    Caller(caller): Caller,
    PathId(id): PathId,
    Asked(Released(reason)): Asked<Released>,
) -> Result<Changed<HistoryBody>, Error> {
    let kept = serde_json::json!({ "measurement_id": id, "reason": reason });
    change(&app, caller, Command::ReleaseHold { measurement: MeasurementId(id), reason }, &kept).await
}

/// Carries out a command on a reading and answers with the version that counts afterwards.
async fn change(
    app: &App,
    caller: app::Caller,
    command: Command,
    kept: &serde_json::Value,
) -> Result<Changed<HistoryBody>, Error> {
    let carried = carry_out(app, &caller, command, kept).await?;
    let Outcome::Measurement(id) = carried.outcome else { return Err(unexpected("changing a reading")) };
    let body = measurement_of(app, caller, id, Some(carried.event)).await?;
    Ok(Changed { status: StatusCode::OK, event: carried.event, body })
}

async fn measurement_of(
    app: &App,
    caller: app::Caller,
    id: MeasurementId,
    fresh: Option<EventNumber>,
) -> Result<HistoryBody, Error> {
    let history = app.blocking(move |registry| registry.reading_history(&caller, id, fresh)).await?;
    Ok(history.into())
}
