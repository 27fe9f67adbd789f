//! What the devices of an account produced in a year or the last twelve months, as their readings say: months in a table, hours and days as plots.

use crate::Ui;
use crate::failure::{Failure, is_part};
use crate::form::Parameters;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{DEVICES_OFFERED_MAX, YEARS_OFFERED_MAX};
use crate::visitor::{Known, Visitor};
use app::{DeviceFilter, Paging, Production};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{AccountId, Device, DeviceId, DeviceKind};
use serde_json::json;

#[derive(Template)]
#[template(path = "production.html")]
struct Page {
    frame: Frame,
    name: String,
    made: Made,
}

#[derive(Template)]
#[template(path = "production_part.html")]
struct Part {
    made: Made,
}

struct Made {
    id: i64,
    /// What the first choice is called, which is of no year.
    latest: &'static str,
    /// What is shown, in words.
    span: String,
    /// The years that may be chosen, the last first, and whether each is.
    years: Vec<(i16, bool)>,
    /// The devices that may be chosen; none if there is no choice.
    choices: Vec<Choice>,
    may_choose_all: bool,
    /// Whose production it is.
    devices: String,
    has_devices: bool,
    has_readings: bool,
    energy: Markup,
    months: Vec<Month>,
    /// For the plots: numbers and addresses of ours only.
    data: String,
}

struct Choice {
    id: i64,
    name: String,
    is_chosen: bool,
}

impl Choice {
    fn of(device: &Device, chosen: Option<&Device>) -> Self {
        let is_chosen = chosen.is_some_and(|chosen| chosen.id == device.id);
        Self { id: device.id.0, name: device.description.name.clone(), is_chosen }
    }
}

struct Month {
    name: String,
    /// None without readings.
    energy: Option<Markup>,
    hours: String,
}

pub(super) async fn production(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(fields): Parameters,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (caller, fresh, account) = (visitor.caller.clone(), visitor.fresh, AccountId(id));
    let device = fields.number("device").map(DeviceId);
    let year = fields.number("year").and_then(|year| i16::try_from(year).ok());
    let (view, found, offered) = ui
        .blocking(move |registry| {
            let view = registry.account(&caller, account, fresh)?;
            let found = registry.production(&caller, account, device, year, fresh)?;
            let kind = Some(DeviceKind::Production);
            let filter = DeviceFilter { account: Some(account), kind, ..DeviceFilter::default() };
            let paging = Paging { limit: DEVICES_OFFERED_MAX, after: None };
            let offered = registry.devices(&caller, &filter, paging, fresh)?.entries;
            Ok((view, found, offered))
        })
        .await?;
    let made = Made::of(id, &found, &offered);
    if is_part(&headers) {
        return show(&Part { made });
    }
    let known = Known::of(view);
    let name = known.name.clone();
    show(&Page { frame: Frame::of_account(&visitor, "Production", &format!("/ui/account/{id}"), known), name, made })
}

impl Made {
    fn of(id: i64, found: &Production, offered: &[Device]) -> Self {
        let Production { from, to, year, years, devices, is_choice, hours } = found;
        let may_choose_all = offered.len() <= app::PRODUCTION_DEVICES_MAX;
        let only = match devices.as_slice() {
            [only] if *is_choice => Some(only),
            _ => None,
        };
        let mut choices: Vec<Choice> = offered.iter().map(|device| Choice::of(device, only)).collect();
        // One beyond those offered is there by its address.
        if let Some(only) = only.filter(|only| offered.iter().all(|device| device.id != only.id)) {
            choices.push(Choice::of(only, Some(only)));
        }
        let names: Vec<&str> = devices.iter().map(|device| device.description.name.as_str()).collect();
        let (first, last) = years.unwrap_or((from.year(), from.year()));
        let (first, last) = (first.min(year.unwrap_or(first)), last.max(year.unwrap_or(last)));
        let last_day = to.yesterday().unwrap_or(*from);
        Self {
            id,
            latest: if hours.len() < 365 * 24 { "All readings" } else { "Last 12 months" },
            span: year.map_or_else(
                || format!("from {} to {}", from.strftime("%-d %B %Y"), last_day.strftime("%-d %B %Y")),
                |year| format!("in {year}"),
            ),
            years: (first..=last).rev().take(YEARS_OFFERED_MAX).map(|of| (of, *year == Some(of))).collect(),
            choices: if *is_choice { choices } else { Vec::new() },
            may_choose_all,
            devices: names.join(", "),
            has_devices: !devices.is_empty(),
            has_readings: years.is_some(),
            energy: format::energy(found.energy()),
            months: found
                .months()
                .into_iter()
                .map(|month| Month {
                    name: month.month.strftime("%B %Y").to_string(),
                    energy: (month.hours_read > 0).then(|| format::energy(month.energy)),
                    hours: format!("{} of {}", month.hours_read, month.hours),
                })
                .collect(),
            data: json!({
                "start": format!("{from}T00:00:00Z"),
                "hours": hours.iter().map(|hour| hour.map(|energy| energy.0)).collect::<Vec<_>>(),
                "certificates": format!("/ui/account/{id}/certificates"),
            })
            .to_string(),
        }
    }
}
