//! Storage: what each device of it took in and gave out, what backs its charges, what its discharges draw, and the forms of
//! the issuer, who records both and issues certificates on what comes out.
//!
//! One device is in [`device`], its course in [`course`], one record in [`record`], the forms in [`form`]; what each of
//! them would do is shown first, by [`deed`].

mod course;
mod deed;
mod device;
mod form;
mod record;

use super::device::may_read;
use crate::Ui;
use crate::failure::Failure;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::DEVICES_PER_PAGE;
use crate::visitor::{Known, Visitor};
use app::{Allocated, DeviceFilter, Paging, StorageSummary};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use domain::{AccountId, Device, DeviceId, DeviceKind, Efficiency, WattHours};
use serde_json::Value;

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/account/{id}/storage", get(of_account))
        .route("/device/{id}/storage", get(device::device))
        .route("/device/{id}/storage/charge", get(form::ask_charge).post(form::charge))
        .route("/device/{id}/storage/discharge", get(form::ask_discharge).post(form::discharge))
        .route("/storage/scr/{id}", get(record::charge))
        .route("/storage/scr/{id}/withdraw", post(deed::withdraw_charge))
        .route("/storage/sdr/{id}", get(record::discharge))
        .route("/storage/sdr/{id}/withdraw", post(deed::withdraw_discharge))
        .route("/storage/sdr/{id}/issue", post(deed::issue))
}

#[derive(Template)]
#[template(path = "storages.html")]
struct Page {
    frame: Frame,
    name: String,
    rows: Vec<Row>,
}

/// A storage device of an account, with what its records come to.
struct Row {
    id: i64,
    name: String,
    identity: Identity,
    method: &'static str,
}

async fn of_account(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    let (caller, fresh, account) = (visitor.caller.clone(), visitor.fresh, AccountId(id));
    let (known, found) = ui
        .blocking(move |registry| {
            let known = Known::of(registry.account(&caller, account, fresh)?);
            let kind = Some(DeviceKind::Storage);
            let filter = DeviceFilter { account: Some(account), kind, with_deleted: true, ..DeviceFilter::default() };
            let devices = registry.devices(&caller, &filter, Paging { limit: DEVICES_PER_PAGE, after: None }, fresh)?;
            let of = |device: Device| Ok((registry.storage_of(&caller, device.id, fresh)?, device));
            let found: Result<Vec<(StorageSummary, Device)>, app::Error> =
                devices.entries.into_iter().map(of).collect();
            // what was charged and given out does not go with the device
            let is_listed =
                |(summary, device): &(StorageSummary, Device)| !device.is_deleted || summary.sums.charges > 0;
            Ok((known, found?.into_iter().filter(is_listed).collect::<Vec<_>>()))
        })
        .await?;
    // Of one there is nothing to choose.
    if let [(_, only)] = found.as_slice() {
        return Ok(Redirect::to(&device_storage(only.id)).into_response());
    }
    let row = |(summary, device): (StorageSummary, Device)| Row {
        id: device.id.0,
        name: if device.is_deleted {
            format!("{} (deleted)", device.description.name)
        } else {
            device.description.name
        },
        identity: Identity::of(&summary),
        method: summary.method.map_or("not fixed yet", |method| method.name()),
    };
    let (name, rows) = (known.name.clone(), found.into_iter().map(row).collect());
    show(&Page { frame: Frame::of_account(&visitor, "Storage", &list_of(account), known), name, rows })
}

/// Where the storage of an account is.
fn list_of(account: AccountId) -> String {
    format!("/ui/account/{account}/storage")
}

/// Where the storage of a device is.
fn device_storage(device: DeviceId) -> String {
    format!("/ui/device/{device}/storage")
}

/// The frame of a page about storage of an account.
fn frame_of(visitor: &Visitor, title: &str, account: Known) -> Frame {
    let current = list_of(account.id);
    Frame::of_account(visitor, title, &current, account)
}

/// A storage device and its account, for who may read both: a registrar, who may see the device, is told that its storage is
/// not there, as the API says.
async fn find(ui: &Ui, visitor: &Visitor, id: i64) -> Result<(Device, Known), Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    ui.blocking(move |registry| {
        let missing = app::Error::NotFound { what: "Storage device", id };
        let device = registry.device(&caller, DeviceId(id), fresh)?;
        if device.description.kind != DeviceKind::Storage {
            return Err(missing);
        }
        let account = match registry.account(&caller, device.account_id, fresh) {
            Err(app::Error::NotFound { .. }) => return Err(missing),
            found => Known::of(found?),
        };
        Ok((device, account))
    })
    .await
}

/// A number of Wh as it stands in a column that says so; nothing for none.
fn column(energy: WattHours) -> String {
    if energy == WattHours::ZERO { String::new() } else { format::thousands(energy.0) }
}

fn wh(energy: WattHours) -> String {
    format!("{} Wh", format::thousands(energy.0))
}

/// Where all that a device charged is now, in Wh: the sums of the registry, and whether they come out.
struct Identity {
    charged: String,
    certified: String,
    lost: String,
    unbacked: String,
    left: String,
    is_exact: bool,
}

impl Identity {
    fn of(summary: &StorageSummary) -> Self {
        let (certified, lost) = (summary.sums.certificates, summary.losses());
        let (unbacked, (_, left)) = (summary.sums.drawn_unbacked, summary.reservoir());
        let sum: u128 = [certified, lost, unbacked, left].iter().map(|part| u128::from(part.0)).sum();
        let text = |energy: WattHours| format::thousands(energy.0);
        Self {
            charged: text(summary.sums.charged),
            certified: text(certified),
            lost: text(lost),
            unbacked: text(unbacked),
            left: text(left),
            is_exact: sum == u128::from(summary.sums.charged.0),
        }
    }
}

/// An efficiency factor as a page states it: rounded, and exactly.
pub(super) struct Factor {
    pub percent: String,
    pub ratio: String,
    pub interval: Markup,
    pub interval_text: String,
    /// Of what it was taken.
    pub taken_of: String,
}

impl Factor {
    pub(super) fn of(efficiency: &Efficiency) -> Self {
        let Efficiency { interval, input, output, charge_before, charge_after } = *efficiency;
        let (numerator, denominator) = efficiency.ratio().unwrap_or((0, 1));
        let number = |number: u128| format::thousands(i128::try_from(number).unwrap_or(i128::MAX));
        Self {
            percent: percent(numerator, denominator),
            ratio: format!("{} / {}", number(numerator), number(denominator)),
            interval: format::interval(interval.start(), interval.end()),
            interval_text: format::interval_text(interval.start(), interval.end()),
            taken_of: format!(
                "({} out + {} in store at the end − {} at the start) / {} in",
                wh(output),
                wh(charge_after),
                wh(charge_before),
                wh(input)
            ),
        }
    }
}

/// A share in percent, rounded half up to three digits. What is rounded has its ratio beside it.
fn percent(numerator: u128, denominator: u128) -> String {
    let thousandths = (numerator * 100_000 + denominator / 2) / denominator.max(1);
    let text = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let mark = if (numerator * 100_000).is_multiple_of(denominator.max(1)) { "" } else { "≈ " };
    format!("{mark}{text} %")
}

/// What backs a charge, in words.
fn backed_by(allocated: Option<&Allocated>) -> String {
    allocated.map_or_else(String::new, |of| format::source(of.energy_source).to_owned())
}

/// What was refused is told with the form, but for what is not there and what is not for the visitor.
fn is_final(refused: &crate::words::Refused) -> bool {
    [StatusCode::FORBIDDEN.as_u16(), StatusCode::NOT_FOUND.as_u16()].contains(&refused.status)
}

/// A number of an answer of the API, in Wh.
fn energy_of(answer: &Value, name: &str) -> WattHours {
    WattHours(answer[name].as_u64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_says_whether_it_was_rounded() {
        for (numerator, denominator, expected) in [
            (9, 10, "90 %"),
            (1, 1, "100 %"),
            (1, 3, "≈ 33.333 %"),
            (2, 3, "≈ 66.667 %"),
            (8_836, 10_000, "88.36 %"),
            (999_999_999, 1_000_000_000, "≈ 100 %"),
        ] {
            assert_eq!(percent(numerator, denominator), expected);
        }
    }
}
