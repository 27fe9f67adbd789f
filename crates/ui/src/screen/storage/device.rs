//! The storage of one device: where every watt-hour that it charged is now, its course, its records, and, for the issuer, what
//! is to be recorded.

use super::course::Course;
use super::{Factor, Identity, backed_by, column, device_storage, find, frame_of, wh};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Parameters};
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{STORAGE_RECORDS_PER_PAGE, UNRECORDED_SHOWN_MAX};
use crate::visitor::Visitor;
use app::{ChargeView, DischargeView, Paging, StorageSummary, Unrecorded};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::{AllocationMethod, Capability, DeviceId, WattHours};
use jiff::Timestamp;

#[derive(Template)]
#[template(path = "storage.html")]
struct Page {
    frame: Frame,
    id: i64,
    name: String,
    account: i64,
    figures: Vec<(&'static str, Markup)>,
    identity: Identity,
    /// As the first discharge fixed it.
    method: Option<&'static str>,
    factor: Option<Factor>,
    course: Option<Course>,
    charges: Vec<ChargeRow>,
    discharges: Vec<DischargeRow>,
    next_charges: Option<String>,
    next_discharges: Option<String>,
    is_later: bool,
    may_record: bool,
    /// For who may record.
    unrecorded: Vec<ReadingRow>,
    has_more_unrecorded: bool,
}

/// A charge in the list.
struct ChargeRow {
    id: i64,
    interval: Markup,
    charged: String,
    backed: String,
    source: String,
    drawn: String,
    left: String,
    is_withdrawn: bool,
}

/// A discharge in the list.
struct DischargeRow {
    id: i64,
    interval: Markup,
    discharged: String,
    drawn_backed: String,
    drawn_unbacked: String,
    certificates: String,
    issuable: String,
    unrecorded: String,
    factor: String,
    is_withdrawn: bool,
}

/// A reading that is to be recorded.
struct ReadingRow {
    interval: Markup,
    what: &'static str,
    energy: String,
    recorded: String,
    /// Where its form is, filled in.
    to: String,
}

pub(super) async fn device(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    let (device, account) = find(&ui, &visitor, id).await?;
    let (caller, fresh, device_id) = (visitor.caller.clone(), visitor.fresh, DeviceId(id));
    let may_record = visitor.may(Capability::Issue) && !device.is_deleted && device.is_approved;
    let paging = |name: &str| Paging { limit: STORAGE_RECORDS_PER_PAGE, after: given.get(name).and_then(place) };
    let (of_charges, of_discharges) = (paging("charges"), paging("discharges"));
    let (summary, course, charges, discharges, mut unrecorded) = ui
        .blocking(move |registry| {
            let summary = registry.storage_of(&caller, device_id, fresh)?;
            let course = registry.storage_course(&caller, &summary, fresh)?;
            let charges = registry.latest_charges(&caller, device_id, of_charges, fresh)?;
            let discharges = registry.latest_discharges(&caller, device_id, of_discharges, fresh)?;
            let limit = if may_record { UNRECORDED_SHOWN_MAX + 1 } else { 0 };
            let unrecorded = match limit {
                0 => Vec::new(),
                limit => registry.unrecorded_readings(&caller, device_id, limit, fresh)?,
            };
            Ok((summary, course, charges, discharges, unrecorded))
        })
        .await?;
    let has_more_unrecorded = unrecorded.len() > UNRECORDED_SHOWN_MAX;
    unrecorded.truncate(UNRECORDED_SHOWN_MAX);
    let name = device.description.name;
    let next = |list: &str, place: Option<(Timestamp, i64)>| place.map(|place| page_of(device_id, &given, list, place));
    show(&Page {
        id,
        account: account.id.0,
        figures: figures(&summary),
        identity: Identity::of(&summary),
        method: summary.method.map(AllocationMethod::name),
        factor: summary.efficiency.as_ref().map(Factor::of),
        course: Course::of(&course),
        next_charges: next("charges", charges.next),
        next_discharges: next("discharges", discharges.next),
        charges: charges.entries.iter().map(ChargeRow::of).collect(),
        discharges: discharges.entries.iter().map(DischargeRow::of).collect(),
        is_later: of_charges.after.is_some() || of_discharges.after.is_some(),
        may_record,
        unrecorded: unrecorded.iter().map(|reading| ReadingRow::of(device_id, reading)).collect(),
        has_more_unrecorded,
        frame: frame_of(&visitor, &format!("Storage of {name}"), account),
        name,
    })
}

fn figures(summary: &StorageSummary) -> Vec<(&'static str, Markup)> {
    let (backed, reservoir) = summary.reservoir();
    vec![
        ("State of charge, by the records", format::energy(reservoir)),
        ("Of this, of certificates", format::energy(backed)),
        ("Charged", format::energy(summary.sums.charged)),
        ("Discharged", format::energy(summary.sums.discharged)),
        ("Certificates to be issued", format::energy(summary.issuable())),
    ]
}

/// A place in a list as an address carries it: microseconds and a number.
fn place(text: &str) -> Option<(Timestamp, i64)> {
    let (start, id) = text.split_once('.')?;
    Some((Timestamp::from_microsecond(start.parse().ok()?).ok()?, id.parse().ok()?))
}

fn page_of(device: DeviceId, given: &Fields, list: &str, (start, id): (Timestamp, i64)) -> String {
    let place = format!("{}.{id}", start.as_microsecond());
    format!("{}?{}#{list}", device_storage(device), given.with(list, Some(&place)))
}

impl ChargeRow {
    fn of(view: &ChargeView) -> Self {
        let scr = &view.scr;
        Self {
            id: scr.id.0,
            interval: format::interval(scr.interval.start(), scr.interval.end()),
            charged: format::thousands(scr.energy.0),
            backed: column(scr.charged().backed),
            source: backed_by(view.allocated.as_ref()),
            drawn: column(scr.drawn.total()),
            left: column(scr.open().total()),
            is_withdrawn: scr.is_withdrawn,
        }
    }
}

impl DischargeRow {
    fn of(view: &DischargeView) -> Self {
        let sum = |of: fn(&app::DrawView) -> WattHours| -> WattHours { view.draws.iter().map(of).sum() };
        let (certificates, live) = (sum(|view| view.draw.certificates), sum(|view| view.live));
        let issuable = if view.sdr.is_withdrawn { WattHours::ZERO } else { certificates.saturating_sub(live) };
        Self {
            id: view.sdr.id.0,
            interval: format::interval(view.sdr.interval.start(), view.sdr.interval.end()),
            discharged: format::thousands(view.sdr.energy.0),
            drawn_backed: column(sum(|view| view.draw.taken.backed)),
            drawn_unbacked: column(sum(|view| view.draw.taken.unbacked)),
            certificates: column(certificates),
            issuable: column(issuable),
            unrecorded: column(view.unrecorded()),
            factor: Factor::of(&view.sdr.efficiency).percent,
            is_withdrawn: view.sdr.is_withdrawn,
        }
    }
}

impl ReadingRow {
    fn of(device: DeviceId, reading: &Unrecorded) -> Self {
        let is_charge = reading.energy_wh < 0;
        let left = WattHours(reading.energy_wh.unsigned_abs()).saturating_sub(reading.recorded);
        let (start, end) = (reading.interval.start(), reading.interval.end());
        let what = if is_charge { "charge" } else { "discharge" };
        let mut query = form_urlencoded::Serializer::new(String::new());
        let names = if is_charge {
            ["charging_start_datetime", "charging_end_datetime", "charging_energy"]
        } else {
            ["discharging_start_datetime", "discharging_end_datetime", "discharge_energy"]
        };
        for (name, value) in names.into_iter().zip([start.to_string(), end.to_string(), left.0.to_string()]) {
            query.append_pair(name, &value);
        }
        Self {
            interval: format::interval(start, end),
            what,
            energy: wh(WattHours(reading.energy_wh.unsigned_abs())),
            recorded: wh(reading.recorded),
            to: format!("{}/{what}?{}", device_storage(device), query.finish()),
        }
    }
}
