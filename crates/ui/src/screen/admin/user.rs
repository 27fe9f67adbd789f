//! Users: listed, made, changed, trusted with roles, deleted.

use super::{Field, HOME, Member, differing, fields, is_forbidden, needs_administrator, numbers};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Form, ONCE, Parameters};
use crate::format::{self, Markup};
use crate::frame::{Frame, show, show_refused};
use crate::limits::ADMIN_ROWS_PER_PAGE;
use crate::visitor::{Visitor, changed};
use app::{Paging, UserView};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use domain::{AccountId, Role, Roles, User, UserId};
use serde_json::{Value, json};
use web::Refused;

const USERS: &str = "/ui/admin/users";
const NEW: &str = "/ui/admin/user/new";

const MEMBERS: [Member; 5] = [
    ("name", "Name", "", "text", true),
    ("primary_contact", "Signs in as", "An address, of one user only.", "text", true),
    ("organisation", "Organisation", "", "text", false),
    ("account_ids", "Accounts", "The numbers of the accounts that they belong to, such as: 3, 12", "text", false),
    ("password", "Password", "At least 8 characters. Without one they cannot sign in.", "password", false),
];
const PASSWORD_AGAIN: &str = "Leave it empty to keep the old one. A new one ends their sessions and API keys.";

#[derive(Template)]
#[template(path = "admin_users.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    id: i64,
    name: String,
    contact: String,
    organisation: String,
    roles: Vec<&'static str>,
    accounts: String,
    created_at: Markup,
}

#[derive(Template)]
#[template(path = "admin_user.html")]
struct Page {
    frame: Frame,
    heading: String,
    /// `None` for a user to be.
    id: Option<i64>,
    action: String,
    is_deleted: bool,
    fields: Vec<Field>,
    roles: Vec<(&'static str, bool)>,
    roles_fault: Option<String>,
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
    let page = ui.blocking(move |registry| registry.users(&caller, false, paging, fresh)).await?;
    let next = page.next.map(|after| format!("{USERS}?{}", given.with("after", Some(&after.to_string()))));
    let rows = page.entries.into_iter().filter_map(Row::of).collect();
    show(&List { frame: Frame::of(&visitor, "Users", HOME), rows, next })
}

impl Row {
    fn of(view: UserView) -> Option<Self> {
        let UserView::Whole { user, accounts } = view else { return None };
        Some(Self {
            id: user.id.0,
            name: user.name,
            contact: user.primary_contact,
            organisation: user.organisation.unwrap_or_default(),
            roles: user.roles.iter().map(Role::name).collect(),
            accounts: format::count(accounts.len(), "account"),
            created_at: format::instant(user.created_at),
        })
    }
}

fn roles(chosen: Roles) -> Vec<(&'static str, bool)> {
    Role::ALL.iter().map(|role| (role.name(), chosen.contains(*role))).collect()
}

fn chosen(given: &Fields) -> Roles {
    let chosen: Vec<Role> = given.all("roles").filter_map(Role::parse).collect();
    Roles::of(&chosen)
}

// ── A new one ───────────────────────────────────────────────────────────────

fn new_page(visitor: &Visitor, given: &Fields, refused: Option<Refused>) -> Page {
    Page {
        frame: Frame::of(visitor, "Create a user", HOME),
        heading: "Create a user".to_owned(),
        id: None,
        action: NEW.to_owned(),
        is_deleted: false,
        fields: fields(&MEMBERS, given, refused.as_ref()),
        roles: roles(chosen(given)),
        roles_fault: refused.as_ref().and_then(|refused| refused.fault("roles")).map(str::to_owned),
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
    let mut asked = given.json(&["name", "primary_contact", "organisation"]);
    asked.insert("roles".to_owned(), given.all("roles").collect());
    if let Some(ids) = given.get("account_ids") {
        asked.insert("account_ids".to_owned(), numbers(ids));
    }
    if let Some(password) = given.exact("password").filter(|password| !password.is_empty()) {
        asked.insert("password".to_owned(), password.into());
    }
    match ui.api.ask(&visitor.caller, Method::POST, "/user/create", &asked.into(), given.get(ONCE)).await {
        Ok(answered) => Ok(changed(answered.event, USERS)),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => show_refused(&new_page(&visitor, &given, Some(refused.clone())), &refused),
    }
}

// ── One of them ─────────────────────────────────────────────────────────────

async fn find(ui: &Ui, visitor: &Visitor, id: i64) -> Result<(User, Vec<AccountId>), Failure> {
    needs_administrator(visitor)?;
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    match ui.blocking(move |registry| registry.user(&caller, UserId(id), fresh)).await? {
        UserView::Whole { user, accounts } => Ok((user, accounts)),
        UserView::Name { .. } => Err(Failure::forbidden("the role Registry Administrator")),
    }
}

/// What is stated of a user, as the form has it.
fn stated(user: &User, accounts: &[AccountId]) -> Fields {
    let ids: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    let pairs = [
        ("name", user.name.clone()),
        ("primary_contact", user.primary_contact.clone()),
        ("organisation", user.organisation.clone().unwrap_or_default()),
        ("account_ids", ids.join(", ")),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn page_of(visitor: &Visitor, user: &User, given: &Fields, refused: Option<Refused>) -> Page {
    let mut fields = fields(&MEMBERS, given, refused.as_ref());
    for field in fields.iter_mut().filter(|field| field.name == "password") {
        (field.label, field.help) = ("New password", PASSWORD_AGAIN);
    }
    Page {
        frame: Frame::of(visitor, &user.name, HOME),
        heading: user.name.clone(),
        id: Some(user.id.0),
        action: format!("/ui/admin/user/{}", user.id.0),
        is_deleted: user.is_deleted,
        fields,
        roles: roles(user.roles),
        roles_fault: refused.as_ref().and_then(|refused| refused.fault("roles")).map(str::to_owned),
        refused,
    }
}

pub(super) async fn user(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    let (user, accounts) = find(&ui, &visitor, id).await?;
    show(&page_of(&visitor, &user, &stated(&user, &accounts), None))
}

pub(super) async fn change(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields: given } = form;
    let (user, accounts) = find(&ui, &visitor, id).await?;
    let mut asked = differing(&MEMBERS[..4], &stated(&user, &accounts), &given, |name, text| match name {
        "account_ids" => numbers(text),
        _ => text.into(),
    });
    if asked["account_ids"].is_null() && given.get("account_ids").is_none() && !accounts.is_empty() {
        asked["account_ids"] = json!([]);
    }
    for name in ["name", "primary_contact"] {
        // An empty one would say nothing; the API says what is wrong with it.
        if given.get(name).is_none() {
            asked[name] = "".into();
        }
    }
    if let Some(password) = given.exact("password").filter(|password| !password.is_empty()) {
        asked["password"] = password.into();
    }
    let address = format!("/user/update/{id}");
    done(&ui, (visitor, user, given), (Method::PATCH, &address, asked)).await
}

pub(super) async fn change_roles(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let (user, accounts) = find(&ui, &visitor, id).await?;
    let asked = json!({"roles": fields.all("roles").collect::<Vec<_>>()});
    let shown = stated(&user, &accounts);
    let once = fields.get(ONCE).map(|once| (ONCE.to_owned(), once.to_owned()));
    let given = once.into_iter().chain(shown).collect();
    let address = format!("/user/change_role/{id}");
    done(&ui, (visitor, user, given), (Method::POST, &address, asked)).await
}

pub(super) async fn delete(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let (user, accounts) = find(&ui, &visitor, id).await?;
    let address = format!("/user/delete/{id}");
    match ui.api.ask(&visitor.caller, Method::DELETE, &address, &Value::Null, fields.get(ONCE)).await {
        Ok(answered) => Ok(changed(answered.event, USERS)),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => {
            let page = page_of(&visitor, &user, &stated(&user, &accounts), Some(refused.clone()));
            show_refused(&page, &refused)
        }
    }
}

/// Asks for a change, and shows the user as they are then, or why not.
async fn done(
    ui: &Ui,
    (visitor, user, given): (Visitor, User, Fields),
    (method, address, asked): (Method, &str, Value),
) -> Result<Response, Failure> {
    match ui.api.ask(&visitor.caller, method, address, &asked, given.get(ONCE)).await {
        Ok(answered) => Ok(changed(answered.event, &format!("/ui/admin/user/{}", user.id.0))),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => show_refused(&page_of(&visitor, &user, &given, Some(refused.clone())), &refused),
    }
}
