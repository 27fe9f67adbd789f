//! Accounts: listed, made, renamed, given their users, deleted.

use super::{Field, HOME, Member, differing, fields, is_forbidden, needs_administrator, numbers};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Form, ONCE, Parameters};
use crate::format::{self, Markup};
use crate::frame::{Frame, show, show_refused};
use crate::limits::ADMIN_ROWS_PER_PAGE;
use crate::visitor::{Visitor, changed};
use app::{AccountView, Paging};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use domain::AccountId;
use serde_json::{Value, json};
use web::Refused;

const ACCOUNTS: &str = "/ui/admin/accounts";
const NEW: &str = "/ui/admin/account/new";

const MEMBERS: [Member; 3] = [
    ("account_name", "Name", "Of one account only.", "text", true),
    ("user_ids", "Users", "The numbers of all users who belong to it, such as: 7, 8", "text", false),
    ("organisation_id", "Organisation", "Its number.", "text", false),
];

#[derive(Template)]
#[template(path = "admin_accounts.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    id: i64,
    name: String,
    users: String,
    organisation: Option<i64>,
    created_at: Markup,
}

#[derive(Template)]
#[template(path = "admin_account.html")]
struct Page {
    frame: Frame,
    heading: String,
    /// `None` for an account to be.
    id: Option<i64>,
    action: String,
    is_deleted: bool,
    fields: Vec<Field>,
    refused: Option<Refused>,
}

pub(super) async fn list(
    State(ui): State<Ui>,
    visitor: Visitor,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    needs_administrator(&visitor)?;
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let paging = Paging { limit: ADMIN_ROWS_PER_PAGE, after: given.number("after") };
    let page = ui.blocking(move |registry| registry.accounts(&caller, false, paging, fresh)).await?;
    let next = page.next.map(|after| format!("{ACCOUNTS}?{}", given.with("after", Some(&after.to_string()))));
    let row = |view: AccountView| Row {
        id: view.account.id.0,
        name: view.account.name,
        users: format::count(view.user_ids.len(), "user"),
        organisation: view.account.organisation_id.map(|id| id.0),
        created_at: format::instant(view.account.created_at),
    };
    let rows = page.entries.into_iter().map(row).collect();
    show(&List { frame: Frame::of(&visitor, "Accounts", HOME), rows, next })
}

fn value(name: &str, text: &str) -> Value {
    match name {
        "user_ids" => numbers(text),
        "organisation_id" => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}

// ── A new one ───────────────────────────────────────────────────────────────

fn new_page(visitor: &Visitor, given: &Fields, refused: Option<Refused>) -> Page {
    Page {
        frame: Frame::of(visitor, "Create an account", HOME),
        heading: "Create an account".to_owned(),
        id: None,
        action: NEW.to_owned(),
        is_deleted: false,
        fields: fields(&MEMBERS, given, refused.as_ref()),
        refused,
    }
}

pub(super) async fn ask_new(visitor: Visitor) -> Result<Response, Failure> {
    needs_administrator(&visitor)?;
    show(&new_page(&visitor, &Fields::default(), None))
}

pub(super) async fn create(State(ui): State<Ui>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields: given } = form;
    needs_administrator(&visitor)?;
    let asked = differing(&MEMBERS, &Fields::default(), &given, value);
    match ui.api.ask(&visitor.caller, Method::POST, "/account/create", &asked, given.get(ONCE)).await {
        Ok(answered) => Ok(changed(answered.event, ACCOUNTS)),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => show_refused(&new_page(&visitor, &given, Some(refused.clone())), &refused),
    }
}

// ── One of them ─────────────────────────────────────────────────────────────

async fn find(ui: &Ui, visitor: &Visitor, id: i64) -> Result<AccountView, Failure> {
    needs_administrator(visitor)?;
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    ui.blocking(move |registry| registry.account(&caller, AccountId(id), fresh)).await
}

/// What is stated of an account, as the form has it.
fn stated(view: &AccountView) -> Fields {
    let ids: Vec<String> = view.user_ids.iter().map(ToString::to_string).collect();
    let organisation = view.account.organisation_id.map_or_else(String::new, |id| id.to_string());
    let pairs = [("account_name", view.account.name.clone()), ("user_ids", ids.join(", "))];
    let pairs = pairs.into_iter().chain([("organisation_id", organisation)]);
    pairs.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn page_of(visitor: &Visitor, view: &AccountView, given: &Fields, refused: Option<Refused>) -> Page {
    Page {
        frame: Frame::of(visitor, &view.account.name, HOME),
        heading: view.account.name.clone(),
        id: Some(view.account.id.0),
        action: format!("/ui/admin/account/{}", view.account.id.0),
        is_deleted: view.account.is_deleted,
        fields: fields(&MEMBERS, given, refused.as_ref()),
        refused,
    }
}

pub(super) async fn account(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    let view = find(&ui, &visitor, id).await?;
    show(&page_of(&visitor, &view, &stated(&view), None))
}

pub(super) async fn change(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields: given } = form;
    let view = find(&ui, &visitor, id).await?;
    let mut asked = differing(&MEMBERS, &stated(&view), &given, value);
    if given.get("account_name").is_none() {
        // An empty one would say nothing; the API says what is wrong with it.
        asked["account_name"] = "".into();
    }
    if given.get("user_ids").is_none() && !view.user_ids.is_empty() {
        asked["user_ids"] = json!([]);
    }
    let address = format!("/account/update/{id}");
    match ui.api.ask(&visitor.caller, Method::PATCH, &address, &asked, given.get(ONCE)).await {
        Ok(answered) => Ok(changed(answered.event, &format!("/ui/admin/account/{id}"))),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => show_refused(&page_of(&visitor, &view, &given, Some(refused.clone())), &refused),
    }
}

pub(super) async fn delete(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let view = find(&ui, &visitor, id).await?;
    let address = format!("/account/delete/{id}");
    match ui.api.ask(&visitor.caller, Method::DELETE, &address, &Value::Null, fields.get(ONCE)).await {
        Ok(answered) => Ok(changed(answered.event, ACCOUNTS)),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => show_refused(&page_of(&visitor, &view, &stated(&view), Some(refused.clone())), &refused),
    }
}
