//! The readings of a device, with filters that stand in the address.

use super::super::device::{account_of, find, frame};
use super::{source, tone};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Parameters, instant};
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::READINGS_PER_PAGE;
use crate::visitor::Visitor;
use crate::words;
use app::{MeasurementQuery, MeasurementView, Paging};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use domain::{DeviceId, MeasurementId, ReadingStatus, WattHours};
use jiff::Timestamp;

#[derive(Template)]
#[template(path = "measurements.html")]
struct Page {
    frame: Frame,
    id: i64,
    name: String,
    given: Fields,
    /// The filters that cannot be read, and what they are not.
    faults: Vec<(&'static str, &'static str)>,
    statuses: Vec<&'static str>,
    is_filtered: bool,
    rows: Vec<Row>,
    next: Option<String>,
    first: Option<String>,
}

struct Row {
    id: i64,
    interval: Markup,
    energy: String,
    source: &'static str,
    status: &'static str,
    tone: &'static str,
    reason: Option<String>,
    issued: String,
    issuable: String,
    held: String,
    shortfall: String,
}

impl Page {
    fn value(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_default()
    }

    fn is_faulty(&self, name: &str) -> bool {
        self.faults.iter().any(|(of, _)| *of == name)
    }
}

pub(super) async fn list(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    let device = find(&ui, &visitor, id).await?;
    let account = account_of(&ui, &visitor, device.account_id).await?;
    let name = device.description.name;
    let address = format!("/ui/device/{id}/measurements");
    let (query, faults) = query(DeviceId(id), &given);
    let after = query.paging.after;
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let page = ui.blocking(move |registry| registry.measurements(&caller, &query, fresh)).await?;
    let next = page.next.map(|(start, id)| {
        let place = format!("{}.{}", start.as_microsecond(), id.0);
        format!("{address}?{}", given.with("after", Some(&place)))
    });
    show(&Page {
        frame: frame(&visitor, &format!("Readings of {name}"), account),
        id,
        name,
        statuses: ReadingStatus::ALL.iter().map(|status| status.name()).collect(),
        is_filtered: ["status", "from", "to", "versions"].iter().any(|name| given.get(name).is_some()),
        rows: page.entries.iter().map(Row::of).collect(),
        next,
        first: after.map(|_| format!("{address}?{}", given.with("after", None))),
        given,
        faults,
    })
}

/// What is asked for; a filter that cannot be read filters nothing, and is told.
fn query(device: DeviceId, given: &Fields) -> (MeasurementQuery, Vec<(&'static str, &'static str)>) {
    let status = given.get("status").and_then(|name| ReadingStatus::ALL.iter().find(|of| of.name() == name)).copied();
    let (from, to) = (given.get("from"), given.get("to"));
    let (start, end) = (from.and_then(|text| instant(text, false)), to.and_then(|text| instant(text, true)));
    let read = [
        ("status", "what becomes of a reading", given.get("status").is_some() && status.is_none()),
        ("from", "a date", from.is_some() && start.is_none()),
        ("to", "a date", to.is_some() && end.is_none()),
    ];
    let faults = read.into_iter().filter(|(.., is_wrong)| *is_wrong).map(|(name, what, _)| (name, what)).collect();
    let query = MeasurementQuery {
        device,
        from: start,
        to: end,
        status,
        all_versions: given.get("versions") == Some("all"),
        paging: Paging { limit: READINGS_PER_PAGE, after: given.get("after").and_then(place) },
    };
    (query, faults)
}

/// A place in the list as an address carries it: microseconds and a number.
fn place(text: &str) -> Option<(Timestamp, MeasurementId)> {
    let (start, id) = text.split_once('.')?;
    Some((Timestamp::from_microsecond(start.parse().ok()?).ok()?, MeasurementId(id.parse().ok()?)))
}

impl Row {
    fn of(view: &MeasurementView) -> Self {
        let (reading, standing) = (view.measurement.reading, &view.standing);
        let wh =
            |energy: WattHours| if energy == WattHours::ZERO { String::new() } else { format::thousands(energy.0) };
        Self {
            id: view.measurement.id.0,
            interval: format::interval(reading.interval.start(), reading.interval.end()),
            energy: format::thousands(reading.energy_wh),
            source: source(view.source),
            status: standing.status.name(),
            tone: tone(standing.status),
            reason: standing.refusal.map(|refusal| words::numbers(&refusal.to_string())),
            issued: wh(standing.issued),
            issuable: wh(standing.issuable),
            held: wh(standing.held),
            shortfall: wh(standing.shortfall),
        }
    }
}
