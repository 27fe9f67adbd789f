//! What an account holds, by state and technology.

use crate::Ui;
use crate::failure::{Failure, is_part};
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::visitor::{Known, Visitor};
use app::Holdings;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use domain::{AccountId, WattHours};

#[derive(Template)]
#[template(path = "holdings.html")]
struct Page {
    frame: Frame,
    name: String,
    held: Held,
}

#[derive(Template)]
#[template(path = "holdings_part.html")]
struct Part {
    held: Held,
}

struct Held {
    figures: Vec<(String, Markup)>,
    rows: Vec<Row>,
}

struct Row {
    technology: String,
    /// In the order of the columns.
    energy: [Markup; 7],
}

pub(super) async fn holdings(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (caller, fresh, account) = (visitor.caller.clone(), visitor.fresh, AccountId(id));
    let (view, found) = ui
        .blocking(move |registry| {
            let view = registry.account(&caller, account, fresh)?;
            Ok((view, registry.holdings(&caller, account, fresh)?))
        })
        .await?;
    let all: Holdings = found.values().sum();
    let row = |(technology, of): (String, Holdings)| Row { technology, energy: columns(&of).map(format::energy) };
    let held = Held { figures: figures(&all), rows: found.into_iter().map(row).collect() };
    if is_part(&headers) {
        return show(&Part { held });
    }
    let known = Known::of(view);
    let name = known.name.clone();
    show(&Page {
        frame: Frame::of_account(&visitor, "Certificates held", &format!("/ui/account/{id}"), known),
        name,
        held,
    })
}

const fn columns(of: &Holdings) -> [WattHours; 7] {
    [of.active, of.expiring, of.locked, of.reserved, of.expired, of.cancelled, of.claimed]
}

fn figures(all: &Holdings) -> Vec<(String, Markup)> {
    let of = |name: &str, energy| (name.to_owned(), format::energy(energy));
    vec![
        of("Held, Active", all.active),
        of(&format!("Expiring within {} days", app::EXPIRING_DAYS), all.expiring),
        of("Cancelled", all.cancelled),
        of("Claimed", all.claimed),
    ]
}
