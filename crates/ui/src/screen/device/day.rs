//! The hours of one day, device by device: where something is missing, waiting or refused.

use super::coverage::{Cell, Kind, begins, cell, due_of, hours_of};
use super::{ALL, account_of, frame, list_of};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Parameters};
use crate::format;
use crate::frame::{Frame, show};
use crate::limits::DEVICES_PER_DAY_PAGE;
use crate::visitor::{Known, Visitor};
use app::{DeviceFilter, Paging};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::{AccountId, Capability, DeviceKind};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "coverage_day.html")]
struct Page {
    frame: Frame,
    heading: String,
    address: String,
    day: String,
    title: String,
    fault: Option<String>,
    previous: Option<String>,
    following: Option<String>,
    rows: Vec<Row>,
    /// Whether all of the day is issued, in words.
    answer: String,
    kinds: Vec<(Kind, String)>,
    next: Option<String>,
}

struct Row {
    id: i64,
    name: String,
    hours: Vec<Cell>,
}

pub(super) async fn all(
    State(ui): State<Ui>,
    visitor: Visitor,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    if !(visitor.may(Capability::SubmitReadings) || visitor.may(Capability::ReadEverything)) {
        return Err(Failure::forbidden(
            "the role Registry Administrator, GC Issuer, Measurement Body or Auditor; the hours of your devices are with \
             their account",
        ));
    }
    let frame = Frame::of(&visitor, "Hours of a day", ALL);
    page(&ui, &visitor, frame, None, "/ui/coverage", &given).await
}

pub(super) async fn of_account(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    let account = account_of(&ui, &visitor, AccountId(id)).await?;
    let address = format!("{}/coverage", list_of(account.id).trim_end_matches("/devices"));
    let frame = frame(&visitor, "Hours of a day", account.clone());
    page(&ui, &visitor, frame, Some(account), &address, &given).await
}

async fn page(
    ui: &Ui,
    visitor: &Visitor,
    frame: Frame,
    account: Option<Known>,
    address: &str,
    given: &Fields,
) -> Result<Response, Failure> {
    let now = ui.registry.now();
    let today = now.to_zoned_datetime(TimeZone::UTC).date();
    let asked = given.get("day");
    let stated = asked.and_then(|text| text.parse::<Date>().ok());
    let day = stated.or_else(|| today.yesterday().ok()).unwrap_or(today);
    let filter = DeviceFilter {
        account: account.as_ref().map(|account| account.id),
        kind: Some(DeviceKind::Production),
        ..DeviceFilter::default()
    };
    let paging = Paging { limit: DEVICES_PER_DAY_PAGE, after: given.number("after") };
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let found = ui.blocking(move |registry| registry.day_coverage(&caller, &filter, day, paging, fresh)).await?;
    let to = |day: Date| format!("{address}?day={day}");
    let is_part = found.next.is_some() || given.get("after").is_some();
    let mut counts = BTreeMap::new();
    let row = |of: app::DayCoverage| Row {
        id: of.device.id.0,
        hours: (0..24)
            .map(|hour| {
                let (cell, _) = cell(&of.device, &of.hours, begins(&of.device, of.first), (day, hour), now);
                *counts.entry(cell.kind).or_insert(0_usize) += 1;
                cell
            })
            .collect(),
        name: of.device.description.name,
    };
    let rows: Vec<Row> = found.entries.into_iter().map(row).collect();
    let kinds = hours_of(Kind::OF_PRODUCTION, &counts);
    show(&Page {
        frame,
        heading: account.map_or_else(|| "Hours of a day".to_owned(), |of| format!("Hours of a day, {}", of.name)),
        day: day.to_string(),
        title: day.strftime("%A %-d %B %Y").to_string(),
        fault: asked.filter(|_| stated.is_none()).map(|asked| format!("{asked} is no day, such as 2026-02-28")),
        previous: day.yesterday().ok().map(to),
        following: day.tomorrow().ok().filter(|day| *day <= today).map(to),
        next: found.next.map(|after| format!("{address}?day={day}&after={after}")),
        address: address.to_owned(),
        answer: answer(&counts, day, is_part),
        rows,
        kinds,
    })
}

/// Whether all hours of a day are issued, and what the others wait for.
fn answer(counts: &BTreeMap<Kind, usize>, day: Date, is_part: bool) -> String {
    let of = |kind: Kind| counts.get(&kind).copied().unwrap_or(0);
    let open: Vec<String> = [Kind::Refused, Kind::Held, Kind::Pending, Kind::Missing, Kind::NotDue]
        .into_iter()
        .filter(|kind| of(*kind) > 0)
        .map(|kind| format!("{} {}", format::count(of(kind), "hour"), kind.text()))
        .collect();
    let whom = if is_part { " of the devices on this page" } else { "" };
    if open.is_empty() {
        return format!("All is issued{whom} that there is to issue.");
    }
    let last = TimeZone::UTC.to_timestamp(day.at(23, 0, 0, 0)).unwrap_or(Timestamp::MAX);
    let due = if of(Kind::NotDue) > 0 {
        format!(" The last readings are due at {} UTC.", format::instant_text(due_of(last)))
    } else {
        String::new()
    };
    format!("Not all is issued{whom}: {}.{due}", open.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_issued_or_says_what_its_hours_wait_for() {
        let day: Date = "2026-02-28".parse().unwrap();
        let done = BTreeMap::from([(Kind::Issued, 20), (Kind::Nothing, 3), (Kind::Outside, 1)]);
        assert_eq!(answer(&done, day, false), "All is issued that there is to issue.");
        let open = BTreeMap::from([(Kind::Issued, 20), (Kind::Pending, 1), (Kind::NotDue, 3)]);
        assert_eq!(
            answer(&open, day, true),
            "Not all is issued of the devices on this page: 1 hour pending, 3 hours not due yet. The last readings are due \
             at 2026-03-02 00:00 UTC."
        );
    }
}
