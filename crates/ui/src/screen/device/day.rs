//! The hours of one day, device by device: where something is missing, waiting or refused.

use super::coverage::{Cell, Kind, begins, cell, hours_of};
use super::{ALL, account_of, frame, list_of};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Parameters};
use crate::frame::{Frame, show};
use crate::limits::DEVICES_PER_DAY_PAGE;
use crate::visitor::{Known, Visitor};
use app::{DeviceFilter, Paging};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::{AccountId, Capability, DeviceKind};
use jiff::civil::Date;
use jiff::tz::TimeZone;

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
    let mut counts = std::collections::BTreeMap::new();
    let row = |of: app::DayCoverage| Row {
        id: of.device.id.0,
        hours: (0..24)
            .map(|hour| {
                let (cell, kinds, _) = cell(&of.hours, begins(&of.device, of.first), (day, hour), now);
                for kind in kinds {
                    *counts.entry(kind).or_insert(0_usize) += 1;
                }
                cell
            })
            .collect(),
        name: of.device.description.name,
    };
    let rows = found.entries.into_iter().map(row).collect();
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
        rows,
        kinds,
    })
}
