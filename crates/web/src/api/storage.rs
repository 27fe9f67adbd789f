//! Storage: charges (SCR), discharges (SDR) and certificates on what comes out (SD-GC).

mod body;
mod read;

use super::device::EnergySourceWord;
use super::{carry_out, own, unexpected};
use crate::caller::{Asked, Caller, DryRun, Query, Read};
use crate::json::{Fields, Rule, Value, any_text, id, instant, rule, text, whole, word};
use crate::openapi::ChangeProblems;
use crate::wire::{At, Changed, Text};
use crate::{App, Error};
use axum::extract::State;
use axum::http::StatusCode;
use body::{ChargeBody, DischargeBody, MethodWord};
use domain::action::{Allocation, CreateScr, CreateSdr, Pick};
use domain::energy::READING_WH_MAX;
use domain::storage::{EfficiencyBasis, PICKS_MAX};
use domain::{
    AccountId, AllocationMethod, CertificateRange, Command, DeviceId, EnergySource, EventNumber, Interval, Outcome,
    ScrId, SdrId, WattHours,
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The last certificate id, and the most Wh, that a number in JSON holds exactly.
const NUMBER_MAX: u64 = 9_007_199_254_740_991;
/// Characters of an issuance id that are worth a look.
const ID_CHARS_MAX: usize = 200;
/// How an efficiency factor is found: the one way that this registry knows.
const METHODOLOGY: &str = "measured input and output";

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_scr))
        .routes(routes!(create_sdr))
        .routes(routes!(withdraw_scr))
        .routes(routes!(withdraw_sdr))
        .routes(routes!(issue_sdgc))
        .merge(read::routes())
}

/// A charge to record.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ScrCreate, example = json!({
    "device_id": 31, "charging_start_datetime": "2026-01-01T12:00:00Z", "charging_end_datetime": "2026-01-01T13:00:00Z",
    "charging_energy": 600_000, "gc_issuance_id": "12-electricity-20260101T120000Z",
    "certificate_bundle_id_range_start": 1, "certificate_bundle_id_range_end": 600_000,
}))]
#[serde(deny_unknown_fields)]
struct ScrAsked {
    /// An approved storage device.
    #[schema(minimum = 1)]
    device_id: i64,
    /// When the device's reading begins, included.
    charging_start_datetime: At,
    /// When it ends, not included.
    charging_end_datetime: At,
    /// Wh; with the other records of the reading at most what it says.
    #[schema(minimum = 1, maximum = 9_000_000_000_000_000_i64)]
    charging_energy: u64,
    /// Names certificates that were cancelled for storage by the device's account; together with a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    gc_issuance_id: Option<String>,
    /// The first of them that backs the charge, included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    certificate_bundle_id_range_start: Option<u64>,
    /// The last, included. The range lies in one bundle and holds at most the charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    certificate_bundle_id_range_end: Option<u64>,
    /// If stated, what these certificates were made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EnergySourceWord>)]
    charging_energy_source: Option<EnergySource>,
    /// How the place of production was matched with that of storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Text>)]
    scr_geographic_matching_method: Option<String>,
    /// If stated, the device's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    account_id: Option<i64>,
    /// The caller, if given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    user_id: Option<i64>,
    #[serde(skip)]
    #[schema(ignore)]
    read: Option<(Interval, Option<Allocation>)>,
}

/// The interval between two members.
fn interval(fields: &mut Fields<'_>, start: &str, end: &'static str) -> Option<Interval> {
    let from = fields.required(start, instant);
    let to = fields.required(end, instant);
    between(fields, from, to, end)
}

fn between(
    fields: &mut Fields<'_>,
    from: Option<jiff::Timestamp>,
    to: Option<jiff::Timestamp>,
    end: &'static str,
) -> Option<Interval> {
    let found = Interval::new(from?, to?);
    if found.is_none() {
        fields.fault(end, rule("value_error", "Value error, the interval must end after it starts"));
    }
    found
}

/// Members that stand together or not at all, each with whether it is given; `is_needed` by yet another one.
fn together(fields: &mut Fields<'_>, members: &[(&'static str, bool)], is_needed: bool) {
    let is_any = is_needed || members.iter().any(|(_, is_given)| *is_given);
    if !is_any || !fields.is_sound() {
        return;
    }
    let missing = members.iter().filter(|(_, is_given)| !is_given);
    missing.for_each(|(name, _)| fields.fault(name, rule("missing", "Field required")));
}

fn issuance(value: &Value<'_>) -> Result<(String, app::Issuance), Rule> {
    let text = any_text(1, ID_CHARS_MAX)(value)?;
    let found = app::parse_issuance_id(&text);
    let found = found.ok_or_else(|| rule("value_error", format!("Value error, Invalid issuance ID: {text}")))?;
    Ok((text, found))
}

impl Read for ScrAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let device_id = fields.required("device_id", id);
        let interval = interval(fields, "charging_start_datetime", "charging_end_datetime");
        let charging_energy = fields.required("charging_energy", whole(1, READING_WH_MAX));
        let issuance = fields.optional("gc_issuance_id", issuance);
        let certificate = whole(1, NUMBER_MAX);
        let first = fields.optional("certificate_bundle_id_range_start", certificate);
        let last = fields.optional("certificate_bundle_id_range_end", certificate);
        let energy_source = fields.optional("charging_energy_source", word(EnergySource::ALL, EnergySource::name));
        let range = first.zip(last).map(|(first, last)| CertificateRange::new(first, last));
        if range == Some(None) {
            let msg = "Value error, the range must not end before it starts";
            fields.fault("certificate_bundle_id_range_end", rule("value_error", msg));
        }
        let allocation = issuance.as_ref().zip(range.flatten()).map(|((_, of), range)| Allocation {
            device_id: of.device_id,
            start: of.start,
            sdr_id: of.sdr_id,
            range,
            energy_source,
        });
        let matching_method = fields.optional("scr_geographic_matching_method", text);
        let account_id = fields.optional("account_id", id);
        let user_id = fields.optional("user_id", id);
        fields.pass_over_nulls(&["scr_allocation_id", "sdr_allocation_id"]);
        let of_certificates = [
            ("gc_issuance_id", issuance.is_some()),
            ("certificate_bundle_id_range_start", first.is_some()),
            ("certificate_bundle_id_range_end", last.is_some()),
        ];
        together(fields, &of_certificates, energy_source.is_some());
        let interval = interval?;
        Some(Self {
            device_id: device_id?,
            charging_start_datetime: interval.start().into(),
            charging_end_datetime: interval.end().into(),
            charging_energy: charging_energy?,
            gc_issuance_id: issuance.map(|(text, _)| text),
            certificate_bundle_id_range_start: first,
            certificate_bundle_id_range_end: last,
            charging_energy_source: energy_source,
            scr_geographic_matching_method: matching_method,
            account_id,
            user_id,
            read: Some((interval, allocation)),
        })
    }
}

/// A discharge to record.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = SdrCreate, example = json!({
    "device_id": 31, "discharging_start_datetime": "2026-01-01T18:00:00Z",
    "discharging_end_datetime": "2026-01-01T19:00:00Z", "discharge_energy": 720_000,
    "scr_allocation_methodology": "FIFO", "efficiency_factor_interval_start": "2025-10-01T00:00:00Z",
    "efficiency_factor_interval_end": "2026-01-01T00:00:00Z",
}))]
#[serde(deny_unknown_fields)]
struct SdrAsked {
    /// An approved storage device.
    #[schema(minimum = 1)]
    device_id: i64,
    /// When the device's reading begins, included.
    discharging_start_datetime: At,
    /// When it ends, not included.
    discharging_end_datetime: At,
    /// Wh; with the other records of the reading at most what it says.
    #[schema(minimum = 1, maximum = 9_000_000_000_000_000_i64)]
    discharge_energy: u64,
    /// Needed of a device's first discharge, which fixes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MethodWord>)]
    scr_allocation_methodology: Option<AllocationMethod>,
    /// If stated, `measured input and output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^measured input and output$")]
    efficiency_factor_methodology: Option<String>,
    /// Where the interval begins that the efficiency factor is taken over. Without one, the last factor is taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    efficiency_factor_interval_start: Option<At>,
    /// Where it ends: of a device's first factor, at most six months after its start-up.
    #[serde(skip_serializing_if = "Option::is_none")]
    efficiency_factor_interval_end: Option<At>,
    /// Wh in the store at the start of that interval; 0 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    state_of_charge_start: Option<u64>,
    /// Wh in the store at its end; 0 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    state_of_charge_end: Option<u64>,
    /// If stated, what all the certificates behind it were made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EnergySourceWord>)]
    charging_energy_source: Option<EnergySource>,
    /// By the operator's discretion: Wh that are drawn, by charge record; together the discharge over the factor, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!({"4": 800_000}))]
    allocations: Option<BTreeMap<String, u64>>,
    /// If stated, the device's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    account_id: Option<i64>,
    /// The caller, if given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    user_id: Option<i64>,
    #[serde(skip)]
    #[schema(ignore)]
    read: Option<(Interval, Option<EfficiencyBasis>, Vec<Pick>)>,
}

fn methodology(value: &Value<'_>) -> Result<String, Rule> {
    match value {
        Value::Text(word) if word == METHODOLOGY => Ok(METHODOLOGY.to_owned()),
        _ => Err(rule("enum", format!("Input should be '{METHODOLOGY}'"))),
    }
}

fn pick(scr: &str, energy: &Value<'_>) -> Result<Pick, Rule> {
    let scr_id = ScrId(id(&Value::Text(scr.into()))?);
    Ok(Pick { scr_id, energy: WattHours(whole(1, NUMBER_MAX)(energy)?) })
}

impl Read for SdrAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let device_id = fields.required("device_id", id);
        let interval = interval(fields, "discharging_start_datetime", "discharging_end_datetime");
        let discharge_energy = fields.required("discharge_energy", whole(1, READING_WH_MAX));
        let method = fields.optional("scr_allocation_methodology", word(AllocationMethod::ALL, AllocationMethod::name));
        let methodology = fields.optional("efficiency_factor_methodology", methodology);
        let (start, end) = ("efficiency_factor_interval_start", "efficiency_factor_interval_end");
        let (from, to) = (fields.optional(start, instant), fields.optional(end, instant));
        let of_factor = between(fields, from, to, end);
        let charge_before = fields.optional("state_of_charge_start", whole(0, NUMBER_MAX));
        let charge_after = fields.optional("state_of_charge_end", whole(0, NUMBER_MAX));
        let picks = fields.optional_object("allocations", PICKS_MAX, pick).unwrap_or_default();
        let account_id = fields.optional("account_id", id);
        let user_id = fields.optional("user_id", id);
        let energy_source = fields.optional("charging_energy_source", word(EnergySource::ALL, EnergySource::name));
        fields.pass_over_nulls(&["scr_allocation_id", "sdr_allocation_id"]);
        let has_charge = charge_before.is_some() || charge_after.is_some();
        together(fields, &[(start, from.is_some()), (end, to.is_some())], has_charge);
        let basis = of_factor.map(|interval| EfficiencyBasis {
            interval,
            charge_before: WattHours(charge_before.unwrap_or(0)),
            charge_after: WattHours(charge_after.unwrap_or(0)),
        });
        let interval = interval?;
        let allocations: BTreeMap<String, u64> = picks.iter().map(|p| (p.scr_id.to_string(), p.energy.0)).collect();
        Some(Self {
            device_id: device_id?,
            discharging_start_datetime: interval.start().into(),
            discharging_end_datetime: interval.end().into(),
            discharge_energy: discharge_energy?,
            scr_allocation_methodology: method,
            efficiency_factor_methodology: methodology,
            efficiency_factor_interval_start: from.map(At),
            efficiency_factor_interval_end: to.map(At),
            state_of_charge_start: charge_before,
            state_of_charge_end: charge_after,
            charging_energy_source: energy_source,
            allocations: (!allocations.is_empty()).then_some(allocations),
            account_id,
            user_id,
            read: Some((interval, basis, picks)),
        })
    }
}

/// Record a charge
///
/// Of an accepted reading of a storage device that took in, and with certificates that back it: cancelled with the purpose
/// `storage` by the device's account, produced within the reading. Just these are split off; they can no longer be claimed,
/// and not be withdrawn while the record stands. For the Registry Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/storage/create_scr", tag = "Storage", request_body = ScrAsked,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 201, description = "The record", body = ChargeBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn create_scr(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<ScrAsked>,
) -> Result<Changed<ChargeBody>, Error> {
    own(&caller, asked.user_id)?;
    let (interval, allocation) = asked.read.ok_or(Error::NotRead)?;
    let command = Command::CreateScr(CreateScr {
        device_id: DeviceId(asked.device_id),
        interval,
        energy: WattHours(asked.charging_energy),
        allocation,
        matching_method: asked.scr_geographic_matching_method.clone(),
        account_id: asked.account_id.map(AccountId),
    });
    charge_changed(&app, caller, command, &asked, dry_run, StatusCode::CREATED).await
}

/// Record a discharge
///
/// Of an accepted reading of a storage device that gave out. It draws the energy over the efficiency factor, rounded up, on
/// charges that ended before, by the device's method; where they hold less, all of it, and the rest is of unrecorded origin.
/// For the Registry Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/storage/create_sdr", tag = "Storage", request_body = SdrAsked,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 201, description = "The record and what it draws", body = DischargeBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn create_sdr(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<SdrAsked>,
) -> Result<Changed<DischargeBody>, Error> {
    own(&caller, asked.user_id)?;
    let (interval, efficiency, picks) = asked.read.clone().ok_or(Error::NotRead)?;
    let command = Command::CreateSdr(CreateSdr {
        device_id: DeviceId(asked.device_id),
        interval,
        energy: WattHours(asked.discharge_energy),
        method: asked.scr_allocation_methodology,
        efficiency,
        picks,
        account_id: asked.account_id.map(AccountId),
        energy_source: asked.charging_energy_source,
    });
    discharge_changed(&app, caller, command, &asked, dry_run, StatusCode::CREATED).await
}

/// The record that is meant; the specification calls it `source_allocation_id`.
fn named(fields: &mut Fields<'_>, name: &'static str) -> Option<i64> {
    if !fields.has(name) && fields.has("source_allocation_id") {
        fields.pass_over(&[name]);
        return fields.optional("source_allocation_id", id);
    }
    fields.pass_over_nulls(&["source_allocation_id"]);
    fields.required(name, id)
}

/// The record that is withdrawn.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = ScrNamed, example = json!({"scr_allocation_id": 4, "reason": "the meter was wrong"}))]
#[serde(deny_unknown_fields)]
struct ScrNamed {
    /// The charge record.
    #[schema(minimum = 1)]
    scr_allocation_id: i64,
    /// Why; kept with the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Text>)]
    reason: Option<String>,
}

impl Read for ScrNamed {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let scr_allocation_id = named(fields, "scr_allocation_id");
        let reason = fields.optional("reason", text);
        Some(Self { scr_allocation_id: scr_allocation_id?, reason })
    }
}

/// The record that is withdrawn, or that certificates are issued on.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = SdrNamed, example = json!({"sdr_allocation_id": 2, "reason": "the meter was wrong"}))]
#[serde(deny_unknown_fields)]
struct SdrNamed {
    /// The discharge record.
    #[schema(minimum = 1)]
    sdr_allocation_id: i64,
    /// Why; kept with the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Text>)]
    reason: Option<String>,
}

impl Read for SdrNamed {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let sdr_allocation_id = named(fields, "sdr_allocation_id");
        let reason = fields.optional("reason", text);
        Some(Self { sdr_allocation_id: sdr_allocation_id?, reason })
    }
}

/// Withdraw a charge
///
/// Refused while a discharge draws on it. The certificates stay cancelled for storage and can be allocated again.
/// Withdrawing it again changes nothing. For the Registry Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/storage/withdraw_scr", tag = "Storage", request_body = ScrNamed,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 200, description = "The record", body = ChargeBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn withdraw_scr(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<ScrNamed>,
) -> Result<Changed<ChargeBody>, Error> {
    let command = Command::WithdrawScr(ScrId(asked.scr_allocation_id));
    charge_changed(&app, caller, command, &asked, dry_run, StatusCode::OK).await
}

/// Withdraw a discharge
///
/// Refused while a certificate stands on it. What it drew is in the reservoir again. Withdrawing it again changes nothing.
/// For the Registry Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/storage/withdraw_sdr", tag = "Storage", request_body = SdrNamed,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 200, description = "The record", body = DischargeBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn withdraw_sdr(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<SdrNamed>,
) -> Result<Changed<DischargeBody>, Error> {
    let command = Command::WithdrawSdr(SdrId(asked.sdr_allocation_id));
    discharge_changed(&app, caller, command, &asked, dry_run, StatusCode::OK).await
}

/// Issue certificates on a discharge
///
/// For each charge that it drew on with certificates behind it: its part times the efficiency factor, rounded down, less what is
/// live of it. They carry the attributes of what was charged and go to the storage device's account. For the Registry
/// Administrator and the GC Issuer.
#[utoipa::path(
    post, path = "/storage/issue_sdgc", tag = "Storage", request_body = SdrNamed,
    params(("dry_run" = Option<bool>, Query, description = "Say what it would do, and change nothing")),
    responses(
        (status = 200, description = "What was issued", body = body::IssuedBody,
         headers(("X-Granary-Event" = i64, description = "The event number that the change reached"))),
        ChangeProblems,
    ),
)]
async fn issue_sdgc(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(DryRun(dry_run)): Query<DryRun>,
    Asked(asked): Asked<SdrNamed>,
) -> Result<Changed<body::IssuedBody>, Error> {
    let command = Command::IssueSdgc(SdrId(asked.sdr_allocation_id));
    let (outcome, event) = tried_or_done(&app, &caller, command, &asked, dry_run).await?;
    let Outcome::Bundles { result, total } = outcome else { return Err(unexpected("issuing on a discharge")) };
    let body = body::IssuedBody::of(asked.sdr_allocation_id, &result, total, dry_run);
    Ok(Changed { status: StatusCode::OK, event, body })
}

async fn tried_or_done(
    app: &App,
    caller: &app::Caller,
    command: Command,
    asked: &impl Serialize,
    dry_run: bool,
) -> Result<(Outcome, EventNumber), Error> {
    if dry_run {
        let caller = caller.clone();
        let (answer, _) = app.blocking(move |registry| registry.dry_run(&caller, &command)).await?;
        let event = answer.event_number;
        return Ok((answer.outcome(), event));
    }
    let carried = carry_out(app, caller, command, asked).await?;
    Ok((carried.outcome, carried.event))
}

async fn charge_changed(
    app: &App,
    caller: app::Caller,
    command: Command,
    asked: &impl Serialize,
    dry_run: bool,
    status: StatusCode,
) -> Result<Changed<ChargeBody>, Error> {
    let is_new = matches!(command, Command::CreateScr(_));
    let (outcome, event) = tried_or_done(app, &caller, command, asked, dry_run).await?;
    let Outcome::Scr(scr) = outcome else { return Err(unexpected("changing a charge")) };
    if dry_run {
        return Ok(Changed { status, event, body: ChargeBody::tried(&scr, is_new) });
    }
    let view = app.blocking(move |registry| registry.charge(&caller, scr.id, Some(event))).await?;
    Ok(Changed { status, event, body: (&view).into() })
}

async fn discharge_changed(
    app: &App,
    caller: app::Caller,
    command: Command,
    asked: &impl Serialize,
    dry_run: bool,
    status: StatusCode,
) -> Result<Changed<DischargeBody>, Error> {
    let is_new = matches!(command, Command::CreateSdr(_));
    let (outcome, event) = tried_or_done(app, &caller, command, asked, dry_run).await?;
    let Outcome::Sdr { sdr, draws } = outcome else { return Err(unexpected("changing a discharge")) };
    if dry_run {
        return Ok(Changed { status, event, body: DischargeBody::tried(&sdr, &draws, is_new) });
    }
    let view = app.blocking(move |registry| registry.discharge(&caller, sdr.id, Some(event))).await?;
    Ok(Changed { status, event, body: (&view).into() })
}
