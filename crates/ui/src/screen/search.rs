//! What the search field leads to: the thing of that name or number, if the visitor may see it.

use crate::Ui;
use crate::failure::Failure;
use crate::form::Parameters;
use crate::frame::{Frame, show};
use crate::visitor::Visitor;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use domain::{AccountId, BundleId, DeviceId};

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/search", get(search))
}

#[derive(Template)]
#[template(path = "search.html")]
struct Page {
    frame: Frame,
    asked: String,
    hits: Vec<Hit>,
}

struct Hit {
    to: String,
    what: &'static str,
    name: String,
}

async fn search(State(ui): State<Ui>, visitor: Visitor, Parameters(fields): Parameters) -> Result<Response, Failure> {
    let asked = fields.get("q").unwrap_or_default().to_owned();
    let (caller, fresh, text) = (visitor.caller.clone(), visitor.fresh, asked.clone());
    let hits = ui
        .blocking(move |registry| {
            let mut hits = Vec::new();
            if let Some(id) = text.trim_start_matches('#').parse::<i64>().ok().filter(|id| *id > 0) {
                if let Ok(found) = registry.certificate(&caller, BundleId(id), fresh) {
                    let name = format!("{}, {}", found.view.attributes.device.name, found.view.status.name());
                    hits.push(Hit { to: format!("/ui/certificate/{id}"), what: "Certificate bundle", name });
                }
                if let Ok(found) = registry.account(&caller, AccountId(id), fresh) {
                    hits.push(Hit { to: format!("/ui/account/{id}"), what: "Account", name: found.account.name });
                }
                if let Ok(found) = registry.device(&caller, DeviceId(id), fresh) {
                    let name = found.description.name;
                    hits.push(Hit { to: format!("/ui/device/{id}"), what: "Device", name });
                }
            }
            Ok(hits)
        })
        .await?;
    // An issuance is looked for in an account; with one account that is the one.
    if hits.is_empty()
        && app::parse_issuance_id(&asked).is_some()
        && let [only] = visitor.accounts.as_slice()
    {
        let fields = crate::form::Fields::default().with("issuance_id", Some(&asked));
        return Ok(Redirect::to(&format!("/ui/account/{}/certificates?{fields}", only.id.0)).into_response());
    }
    if let [only] = hits.as_slice() {
        return Ok(Redirect::to(&only.to).into_response());
    }
    show(&Page { frame: Frame::of(&visitor, "Search", ""), asked, hits })
}
