//! Issuance metadata: listed and made. It never changes once it is made.

use super::{Field, HOME, Member, fields, is_forbidden, needs_administrator};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Form, ONCE, Parameters};
use crate::format::{self, Markup};
use crate::frame::{Frame, show, show_refused};
use crate::limits::METADATA_PER_PAGE;
use crate::visitor::{Visitor, changed};
use app::Paging;
use askama::Template;
use axum::extract::State;
use axum::http::Method;
use axum::response::Response;
use domain::{IssuanceMetadata, MetadataDescription};
use web::Refused;

const METADATA: &str = "/ui/admin/metadata";

const MEMBERS: [Member; 9] = [
    ("issuing_body", "Issuing body", "", "text", true),
    ("country_of_issuance", "Country of issuance", "", "text", true),
    ("connected_grid_identification", "Grid", "", "text", true),
    ("issue_market_zone", "Market zone", "", "text", true),
    ("legal_status", "Legal status", "", "text", false),
    ("issuance_purpose", "Purpose", "", "text", false),
    ("support_received", "Support received", "", "text", false),
    ("quality_scheme_reference", "Quality scheme", "", "text", false),
    ("dissemination_level", "Dissemination level", "", "text", false),
];

#[derive(Template)]
#[template(path = "admin_metadata.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    id: i64,
    about: MetadataDescription,
    /// Name and value of what need not be stated.
    more: Vec<(&'static str, String)>,
    created_at: Markup,
}

#[derive(Template)]
#[template(path = "admin_metadata_new.html")]
struct Page {
    frame: Frame,
    fields: Vec<Field>,
    refused: Option<Refused>,
}

pub(super) async fn list(
    State(ui): State<Ui>,
    visitor: Visitor,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    needs_administrator(&visitor)?;
    let fresh = visitor.fresh;
    let paging = Paging { limit: METADATA_PER_PAGE, after: given.number("after") };
    let page = ui.blocking(move |registry| registry.all_metadata(paging, fresh)).await?;
    let next = page.next.map(|after| format!("{METADATA}?{}", given.with("after", Some(&after.to_string()))));
    let rows = page.entries.into_iter().map(Row::of).collect();
    show(&List { frame: Frame::of(&visitor, "Issuance metadata", HOME), rows, next })
}

impl Row {
    fn of(metadata: IssuanceMetadata) -> Self {
        let about = metadata.description;
        let optional = [
            ("Legal status", &about.legal_status),
            ("Purpose", &about.issuance_purpose),
            ("Support received", &about.support_received),
            ("Quality scheme", &about.quality_scheme_reference),
            ("Dissemination level", &about.dissemination_level),
        ];
        let more = optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
        Self { id: metadata.id.0, more, about, created_at: format::instant(metadata.created_at) }
    }
}

fn page(visitor: &Visitor, given: &Fields, refused: Option<Refused>) -> Page {
    let frame = Frame::of(visitor, "Create issuance metadata", HOME);
    Page { frame, fields: fields(&MEMBERS, given, refused.as_ref()), refused }
}

pub(super) async fn ask_new(visitor: Visitor) -> Result<Response, Failure> {
    needs_administrator(&visitor)?;
    show(&page(&visitor, &Fields::default(), None))
}

pub(super) async fn create(State(ui): State<Ui>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields: given } = form;
    needs_administrator(&visitor)?;
    let asked = given.json(&MEMBERS.map(|(name, ..)| name));
    let address = "/certificate/create_metadata";
    match ui.api.ask(&visitor.caller, Method::POST, address, &asked.into(), given.get(ONCE)).await {
        Ok(answered) => Ok(changed(answered.event, METADATA)),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => show_refused(&page(&visitor, &given, Some(refused.clone())), &refused),
    }
}
