//! Issuing: what is to be issued, what that would come to, and the jobs that issued before.
//!
//! Invariant: what is started is what was looked at: the form that starts it carries what the preview was made of.

use super::job::{Came, Line};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Form, ONCE, Parameters, instant};
use crate::frame::{Frame, show, show_refused};
use crate::limits::{DEVICES_TO_CHOOSE_MAX, JOBS_SHOWN_MAX, METADATA_PER_PAGE};
use crate::visitor::{Visitor, changed};
use crate::words::Refused;
use app::{DeviceFilter, JobKind, JobQuery, Paging};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use domain::{Capability, DeviceKind};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/issue", get(ask).post(issue))
}

#[derive(Template)]
#[template(path = "issue.html")]
struct Page {
    frame: Frame,
    metadata: Vec<Choice>,
    devices: Vec<Choice>,
    /// Whether there are more devices than can be chosen by name.
    has_more_devices: bool,
    given: Fields,
    refused: Option<Refused>,
    preview: Option<Preview>,
    jobs: Vec<Line>,
}

/// Something to choose by name.
struct Choice {
    id: i64,
    name: String,
    is_chosen: bool,
}

/// What the issue would come to.
struct Preview {
    came: Came,
    /// The fields that it was made of.
    hidden: Vec<(&'static str, String)>,
}

const FIELDS: [&str; 5] = ["metadata_id", "from", "to", "device", "device_ids"];

impl Page {
    fn value(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_default()
    }

    fn fault(&self, name: &str) -> Option<&str> {
        self.refused.as_ref()?.fault(name)
    }
}

fn needs_issuer(visitor: &Visitor) -> Result<(), Failure> {
    let may = visitor.may(Capability::Issue);
    if may { Ok(()) } else { Err(Failure::forbidden("the role Registry Administrator or GC Issuer")) }
}

async fn ask(State(ui): State<Ui>, visitor: Visitor, Parameters(given): Parameters) -> Result<Response, Failure> {
    needs_issuer(&visitor)?;
    show(&page(&ui, &visitor, given).await?)
}

async fn page(ui: &Ui, visitor: &Visitor, given: Fields) -> Result<Page, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let filter =
        DeviceFilter { kind: Some(DeviceKind::Production), is_approved: Some(true), ..DeviceFilter::default() };
    let (metadata, devices, jobs) = ui
        .blocking(move |registry| {
            let metadata = registry.all_metadata(Paging { limit: METADATA_PER_PAGE, after: None }, fresh)?;
            let all = Paging { limit: DEVICES_TO_CHOOSE_MAX, after: None };
            let devices = registry.devices(&caller, &filter, all, fresh)?;
            let query = JobQuery { kind: Some(JobKind::Issue), state: None };
            let jobs = registry.jobs(&caller, query, Paging { limit: JOBS_SHOWN_MAX, after: None })?;
            Ok((metadata, devices, jobs))
        })
        .await?;
    let chosen: BTreeSet<&str> = given.all("device").collect();
    let metadata_id = given.number("metadata_id");
    let of_metadata = |of: domain::IssuanceMetadata| Choice {
        id: of.id.0,
        name: format!("{}, {}", of.description.issuing_body, of.description.issue_market_zone),
        is_chosen: metadata_id == Some(of.id.0),
    };
    let of_device = |of: domain::Device| Choice {
        is_chosen: chosen.contains(of.id.0.to_string().as_str()),
        id: of.id.0,
        name: of.description.name,
    };
    Ok(Page {
        frame: Frame::of(visitor, "Issue", "/ui/issue"),
        metadata: metadata.entries.into_iter().map(of_metadata).collect(),
        has_more_devices: devices.next.is_some(),
        devices: devices.entries.into_iter().map(of_device).collect(),
        jobs: jobs.entries.iter().filter_map(Line::of).collect(),
        given,
        refused: None,
        preview: None,
    })
}

/// What the form says, as the API reads it. What cannot be read goes on as it is: the API says what is wrong with it.
fn asked(given: &Fields, is_preview: bool) -> Value {
    let mut asked = json!({"dry_run": is_preview, "wait": 0});
    let number = |text: &str| text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from);
    if let Some(id) = given.get("metadata_id") {
        asked["metadata_id"] = number(id);
    }
    for (name, is_last) in [("from", false), ("to", true)] {
        if let Some(text) = given.get(name) {
            asked[name] = instant(text, is_last).map_or_else(|| text.to_owned(), |at| at.to_string()).into();
        }
    }
    let by_number = given.all("device_ids").flat_map(|ids| ids.split([',', ' ', ';']).filter(|id| !id.is_empty()));
    let devices: Vec<Value> = given.all("device").chain(by_number).map(number).collect();
    if !devices.is_empty() {
        asked["device_ids"] = devices.into();
    }
    asked
}

async fn issue(State(ui): State<Ui>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    needs_issuer(&visitor)?;
    let is_preview = fields.get("do") != Some("issue");
    let once = fields.get(ONCE).filter(|_| !is_preview);
    let body = asked(&fields, is_preview);
    let said = ui.api.ask(&visitor.caller, Method::POST, "/certificate/issue", &body, once).await;
    let given: Fields =
        FIELDS.iter().flat_map(|name| fields.all(name).map(|value| ((*name).to_owned(), value.to_owned()))).collect();
    match said {
        Ok(answered) if is_preview => {
            let hidden =
                FIELDS.iter().flat_map(|name| given.all(name).map(|value| (*name, value.to_owned()))).collect();
            let came = Came::told(&ui, &visitor, &answered.json).await?;
            let page = page(&ui, &visitor, given).await?;
            show(&Page { preview: Some(Preview { came, hidden }), ..page })
        }
        Ok(answered) => {
            let id = answered.json["id"].as_i64().ok_or(Failure::Ours)?;
            Ok(changed(answered.event, &format!("/ui/job/{id}")))
        }
        Err(refused) if refused.status == StatusCode::FORBIDDEN.as_u16() => Err(refused.into()),
        Err(refused) => {
            let page = page(&ui, &visitor, given).await?;
            show_refused(&Page { refused: Some(refused.clone()), ..page }, &refused)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_said_in_the_words_of_the_api() {
        let of = |form: &str| asked(&Fields::of(form.as_bytes()), true);
        let days = of("metadata_id=1&from=2026-01-01&to=2026-01-31&device=3&device=4&device_ids=7,+8");
        assert_eq!(
            days,
            json!({"dry_run": true, "wait": 0, "metadata_id": 1, "from": "2026-01-01T00:00:00Z",
                "to": "2026-02-01T00:00:00Z", "device_ids": [3, 4, 7, 8]})
        );
        let wrong = of("metadata_id=one&from=soon&to=&device_ids=x");
        assert_eq!(
            wrong,
            json!({"dry_run": true, "wait": 0, "metadata_id": "one", "from": "soon", "device_ids": ["x"]})
        );
    }
}
