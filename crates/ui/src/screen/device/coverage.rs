//! The calendar of a device: what became of the readings of each hour of a month. No state is told by its colour alone.

use super::one::find;
use super::{account_of, frame};
use crate::Ui;
use crate::failure::{Failure, is_part};
use crate::form::Parameters;
use crate::format;
use crate::frame::{Frame, show};
use crate::visitor::Visitor;
use crate::words;
use app::{Coverage, CoveredHour};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{Device, DeviceId, DeviceKind, ReadingRefusal, ReadingStatus};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "coverage.html")]
struct Page {
    frame: Frame,
    name: String,
    calendar: Calendar,
}

#[derive(Template)]
#[template(path = "coverage_part.html")]
struct Part {
    calendar: Calendar,
}

struct Calendar {
    /// The addresses of the calendar and of the list of readings.
    address: String,
    readings: String,
    /// As people say it, and as the form has it.
    title: String,
    month: String,
    fault: Option<String>,
    previous: Option<String>,
    next: Option<String>,
    is_empty: bool,
    days: Vec<Day>,
    kinds: Vec<(Kind, String)>,
    /// Why nothing more is issued, and for how many hours.
    reasons: Vec<(String, String)>,
}

struct Day {
    name: String,
    date: String,
    hours: Vec<Cell>,
}

pub(super) struct Cell {
    /// The gravest of what is in the hour.
    pub kind: Kind,
    pub codes: String,
    pub title: String,
}

/// How long after its end the readings of an hour are due: until then it is not called missing.
const READ_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// What may be in an hour, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Refused,
    Held,
    Pending,
    Missing,
    Issued,
    /// Of a device for whose readings as such nothing is issued.
    Kept,
    /// Of storage: what it gave back is certified by records of its own.
    Certified,
    /// There is nothing to issue.
    Nothing,
    /// No reading is there, and none need be yet.
    NotDue,
    /// Before the device was in operation and registered.
    Outside,
}

impl Kind {
    /// In the order of legends.
    const ALL: [Self; 10] = [
        Self::Issued,
        Self::Certified,
        Self::Kept,
        Self::Pending,
        Self::Held,
        Self::Refused,
        Self::Missing,
        Self::Nothing,
        Self::NotDue,
        Self::Outside,
    ];
    /// What a legend tells even if there is none of it.
    pub(super) const OF_PRODUCTION: &[Self] =
        &[Self::Issued, Self::Pending, Self::Held, Self::Refused, Self::Missing, Self::Nothing];
    const OF_STORAGE: &[Self] = &[Self::Certified, Self::Pending, Self::Kept, Self::Refused, Self::Missing];
    const OF_OTHERS: &[Self] = &[Self::Kept, Self::Refused, Self::Missing];

    fn of(standing: (ReadingStatus, Option<ReadingRefusal>)) -> Self {
        match standing {
            (ReadingStatus::Issued, _) => Self::Issued,
            (ReadingStatus::Pending, _) => Self::Pending,
            (ReadingStatus::Held, _) => Self::Held,
            (ReadingStatus::Refused, Some(ReadingRefusal::ZeroEnergy)) => Self::Nothing,
            (ReadingStatus::Refused, Some(ReadingRefusal::NotProduction)) | (ReadingStatus::Recorded, _) => Self::Kept,
            // What counts no more is not listed.
            (ReadingStatus::Refused | ReadingStatus::Superseded | ReadingStatus::Deleted, _) => Self::Refused,
        }
    }

    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Pending => "pending",
            Self::Missing => "missing",
            Self::Issued | Self::Certified => "issued",
            Self::Kept => "kept",
            Self::Nothing => "nothing",
            Self::NotDue => "not-due",
            Self::Outside => "outside",
        }
    }

    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Refused => "R",
            Self::Held => "H",
            Self::Pending => "P",
            Self::Missing => "–",
            Self::Issued => "I",
            Self::Kept => "K",
            Self::Certified => "C",
            Self::Nothing => "0",
            Self::NotDue => "…",
            Self::Outside => "×",
        }
    }

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Pending => "pending",
            Self::Missing => "missing",
            Self::Issued => "issued",
            Self::Kept => "kept, nothing is issued for it",
            Self::Nothing => "0 Wh, nothing to issue",
            Self::Certified => "certified as a discharge",
            Self::NotDue => "not due yet",
            Self::Outside => "before it was in operation and registered",
        }
    }
}

pub(super) async fn coverage(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(fields): Parameters,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let device = find(&ui, &visitor, id).await?;
    let asked = fields.get("month");
    let month = asked.and_then(|month| format!("{month}-01").parse::<Date>().ok());
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let found = ui.blocking(move |registry| registry.coverage(&caller, DeviceId(id), month, fresh)).await?;
    let mut calendar = Calendar::of(&found, &device, ui.registry.now());
    calendar.fault = asked.filter(|_| month.is_none()).map(|asked| format!("{asked} is no month, such as 2026-02"));
    if is_part(&headers) {
        return show(&Part { calendar });
    }
    let name = device.description.name;
    let account = account_of(&ui, &visitor, device.account_id).await?;
    show(&Page { frame: frame(&visitor, &format!("Readings of {name}"), account), name, calendar })
}

impl Calendar {
    fn of(found: &Coverage, device: &Device, now: Timestamp) -> Self {
        let address = format!("/ui/device/{}/coverage", device.id.0);
        let to = |month: Date| format!("{address}?month={}", month.strftime("%Y-%m"));
        let previous = found.month.yesterday().ok().map(Date::first_of_month);
        let next = found.month.last_of_month().tomorrow().ok();
        let months = found.months;
        let (mut hours_by_kind, mut hours_by_reason) = (BTreeMap::new(), BTreeMap::new());
        let mut days = Vec::new();
        let mut day = found.month;
        while day.month() == found.month.month() {
            let cells = (0..24).map(|hour| {
                let (cell, reasons) = cell(device, &found.hours, begins(device, found.first), (day, hour), now);
                *hours_by_kind.entry(cell.kind).or_insert(0_usize) += 1;
                for reason in reasons {
                    *hours_by_reason.entry(reason).or_insert(0_usize) += 1;
                }
                cell
            });
            days.push(Day { hours: cells.collect(), name: day.strftime("%a %-d").to_string(), date: day.to_string() });
            let Ok(tomorrow) = day.tomorrow() else { break };
            day = tomorrow;
        }
        let hours = |count: usize| format::count(count, "hour");
        let told = match device.description.kind {
            DeviceKind::Production => Kind::OF_PRODUCTION,
            DeviceKind::Storage => Kind::OF_STORAGE,
            DeviceKind::Consumption => Kind::OF_OTHERS,
        };
        Self {
            title: found.month.strftime("%B %Y").to_string(),
            month: found.month.strftime("%Y-%m").to_string(),
            fault: None,
            previous: previous.filter(|month| months.is_some_and(|(first, _)| first <= *month)).map(to),
            next: next.filter(|month| months.is_some_and(|(_, last)| *month <= last)).map(to),
            is_empty: months.is_none(),
            days,
            kinds: hours_of(told, &hours_by_kind),
            reasons: hours_by_reason.into_iter().map(|(reason, count)| (reason, hours(count))).collect(),
            readings: format!("/ui/device/{}/measurements", device.id.0),
            address,
        }
    }
}

/// From when on an hour of the device may be missing: its first reading or its registration, whichever was earlier, once it
/// was in operation.
pub(super) fn begins(device: &Device, first: Option<Timestamp>) -> Timestamp {
    let known = first.map_or(device.created_at, |first| first.min(device.created_at));
    device.description.operational_date.max(known)
}

/// How many hours there are of each kind: of those that are `told` in any case, and of all of which there are any, so that
/// they add up to the hours shown.
pub(super) fn hours_of(told: &[Kind], counted: &BTreeMap<Kind, usize>) -> Vec<(Kind, String)> {
    let hours = |kind: &Kind| counted.get(kind).copied().unwrap_or(0);
    let shown = Kind::ALL.into_iter().filter(|kind| told.contains(kind) || hours(kind) > 0);
    shown.map(|kind| (kind, format::count(hours(&kind), "hour"))).collect()
}

/// When the readings of the hour are due that begins then.
pub(super) fn due_of(start: Timestamp) -> Timestamp {
    start
        .checked_add(SignedDuration::from_hours(1))
        .and_then(|end| end.checked_add(READ_WITHIN))
        .unwrap_or(Timestamp::MAX)
}

/// An hour, and why nothing more is issued in it.
pub(super) fn cell(
    device: &Device,
    hours: &BTreeMap<Timestamp, CoveredHour>,
    begins: Timestamp,
    (day, hour): (Date, i8),
    now: Timestamp,
) -> (Cell, Vec<String>) {
    let start = TimeZone::UTC.to_timestamp(day.at(hour, 0, 0, 0)).unwrap_or(Timestamp::MAX);
    let end = start.checked_add(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MAX);
    let (is_outside, is_due) = (end <= begins, due_of(start) <= now);
    let nothing = CoveredHour::default();
    let covered = hours.get(&start).unwrap_or(&nothing);
    let of = |standing| match Kind::of(standing) {
        Kind::Issued if device.description.kind != DeviceKind::Production => Kind::Certified,
        kind => kind,
    };
    let mut kinds: Vec<Kind> = covered.standings.iter().map(|standing| of(*standing)).collect();
    if covered.minutes < 60 && is_due && !is_outside {
        kinds.push(Kind::Missing);
    }
    kinds.sort_unstable();
    kinds.dedup();
    let reasons: Vec<String> = covered
        .standings
        .iter()
        .filter(|standing| matches!(Kind::of(**standing), Kind::Refused | Kind::Pending))
        .filter_map(|(_, refusal)| refusal.map(reason))
        .collect();
    let Some(gravest) = kinds.first().copied() else {
        let kind = if is_outside { Kind::Outside } else { Kind::NotDue };
        let until =
            if is_outside { String::new() } else { format!(", due at {} UTC", format::instant_text(due_of(start))) };
        return (Cell { kind, codes: kind.code().to_owned(), title: format!("{}{until}", kind.text()) }, reasons);
    };
    let mut title: Vec<String> = kinds.iter().map(|kind| kind.text().to_owned()).collect();
    title.extend(reasons.iter().cloned());
    if covered.minutes > 0 {
        title.push(format!("{} Wh", format::thousands(covered.energy_wh)));
    }
    if (1..60).contains(&covered.minutes) {
        title.push(format!("{} of 60 minutes", covered.minutes));
    }
    let codes = kinds.iter().map(|kind| kind.code()).collect();
    (Cell { kind: gravest, codes, title: title.join(", ") }, reasons)
}

/// Why, without the numbers of one reading, so that many come to one reason.
fn reason(refusal: ReadingRefusal) -> String {
    match refusal {
        ReadingRefusal::AboveCapacity { .. } => "more than the device can make in the time".to_owned(),
        ReadingRefusal::DeviceMissing { .. } => "the device is deleted".to_owned(),
        ReadingRefusal::IntervalLength { .. } => "the interval is too short or too long".to_owned(),
        ReadingRefusal::HourIncomplete { .. } => "not all of the hour is read yet".to_owned(),
        ReadingRefusal::HourEstimated { .. } => "another reading of the hour is estimated".to_owned(),
        ReadingRefusal::HourCrossed { .. } => "the interval goes on in the next hour".to_owned(),
        other => words::numbers(&other.to_string()),
    }
}
