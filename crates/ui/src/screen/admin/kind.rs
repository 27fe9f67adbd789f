//! A kind of thing that is administered: listed, made, and, if it is [`Changeable`], changed and deleted. Every kind has the
//! same pages at addresses of the same shape.
//!
//! Invariant: every change is one of the API's; a change of a form states only what differs, so that what somebody else
//! changed meanwhile stays.

use super::{HOME, needs_administrator};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Form, ONCE, Parameters, fault_of};
use crate::format::Markup;
use crate::frame::{Frame, show, show_refused};
use crate::limits::{ADMIN_ROWS_PER_PAGE, CALLED_IN_A_CELL_MAX};
use crate::screen::names::Called;
use crate::visitor::{Visitor, changed};
use crate::words::Refused;
use app::{Caller, Error, Paging, Registry};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use domain::{EventNumber, Role, Roles};
use serde_json::{Map, Value, json};

/// What a kind is called, and where it is.
#[derive(Clone, Copy)]
pub(super) struct Words {
    /// One of them, in a sentence: `an account`.
    pub one: &'static str,
    pub many: &'static str,
    /// What its first column holds.
    pub name: &'static str,
    /// The other columns.
    pub columns: &'static [&'static str],
    /// The page of all of them, and the beginning of the address of one.
    pub list: &'static str,
    pub place: &'static str,
    /// What is to be known of all of them; may be empty.
    pub lead: &'static str,
    pub none: &'static str,
    /// The operation that makes one; what begins the addresses of those that change and delete one.
    pub create: &'static str,
    pub operations: &'static str,
    /// What is said of one that is deleted, and before one is.
    pub deleted: &'static str,
    pub delete: &'static str,
    pub has_roles: bool,
}

impl Words {
    fn new_page(&self) -> String {
        format!("{}/new", self.place)
    }

    /// What the navigation between kinds marks.
    fn tab(&self) -> &'static str {
        self.list
    }

    fn page(&self, id: i64) -> String {
        format!("{}/{id}", self.place)
    }
}

/// What is typed into a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Text,
    /// A whole number.
    Number,
    /// Whole numbers, one after another.
    Numbers,
    /// Never shown again.
    Password,
}

/// A field of a form: a member of the API.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub name: &'static str,
    pub label: &'static str,
    pub help: &'static str,
    pub input: Input,
    pub is_needed: bool,
}

impl Member {
    pub(super) const fn text(name: &'static str, label: &'static str, help: &'static str, is_needed: bool) -> Self {
        Self { name, label, help, input: Input::Text, is_needed }
    }

    pub(super) const fn of(name: &'static str, label: &'static str, help: &'static str, input: Input) -> Self {
        Self { name, label, help, input, is_needed: false }
    }

    /// What was typed, as the API reads it; what is no number goes on as it is: the API says what is wrong with it.
    fn value(&self, text: &str) -> Value {
        match self.input {
            Input::Text | Input::Password => text.into(),
            Input::Number => number(text),
            Input::Numbers => text.split([',', ' ', ';']).filter(|part| !part.is_empty()).map(number).collect(),
        }
    }

    /// What says that there is nothing any more. An empty text that is needed is for the API to refuse.
    fn nothing(&self) -> Value {
        match self.input {
            Input::Numbers => json!([]),
            Input::Text | Input::Number | Input::Password if self.is_needed => "".into(),
            Input::Text | Input::Number | Input::Password => Value::Null,
        }
    }
}

fn number(text: &str) -> Value {
    text.parse::<i64>().map_or_else(|_| text.into(), Value::from)
}

/// Who reads.
pub(super) struct Reader<'r> {
    pub registry: &'r Registry,
    pub caller: &'r Caller,
    pub fresh: Option<EventNumber>,
}

pub(super) enum Cell {
    Text(String),
    Time(Markup),
    Tags(Vec<&'static str>),
    /// The first of some things, and how many more there are.
    Things(Vec<Called>, usize),
}

/// As many things as a cell has room for.
pub(super) fn first_of(things: impl ExactSizeIterator<Item = Called>) -> Cell {
    let more = things.len().saturating_sub(CALLED_IN_A_CELL_MAX);
    Cell::Things(things.take(CALLED_IN_A_CELL_MAX).collect(), more)
}

/// One of them in the list, with a cell for each column.
pub(super) struct Row {
    pub id: i64,
    pub name: String,
    pub cells: Vec<Cell>,
}

/// One of them on its page.
pub(super) struct One {
    pub id: i64,
    pub name: String,
    pub is_deleted: bool,
    /// Its members, as the form has them.
    pub stated: Fields,
    /// What the numbers of a member are called.
    pub called: Vec<(&'static str, Vec<Called>)>,
    pub roles: Option<Roles>,
    /// What else there is of it: addresses and texts.
    pub links: Vec<(String, &'static str)>,
}

pub(super) trait Kind: 'static {
    const WORDS: Words;
    const MEMBERS: &'static [Member];
    /// Whether one of them has a page.
    const IS_CHANGEABLE: bool;

    /// A page of them, and where the next one begins.
    fn rows(reader: &Reader<'_>, paging: Paging<i64>) -> Result<(Vec<Row>, Option<i64>), Error>;
}

pub(super) trait Changeable: Kind {
    fn one(reader: &Reader<'_>, id: i64) -> Result<One, Error>;
}

/// The pages of a kind that is made for ever.
pub(super) fn made<K: Kind>() -> Router<Ui> {
    let words = K::WORDS;
    Router::new()
        .route(inside(words.list), get(list::<K>))
        .route(inside(&words.new_page()), get(ask_new::<K>).post(create::<K>))
}

/// The pages of a kind of which one may be changed and deleted.
pub(super) fn kept<K: Changeable>() -> Router<Ui> {
    let page = format!("{}/{{id}}", K::WORDS.place);
    let page = inside(&page);
    made::<K>().route(page, get(one::<K>).post(change::<K>)).route(&format!("{page}/delete"), post(delete::<K>))
}

/// An address as the router of the screens has it.
fn inside(address: &str) -> &str {
    address.strip_prefix("/ui").unwrap_or(address)
}

// ── The list ────────────────────────────────────────────────────────────────

#[derive(Template)]
#[template(path = "admin_list.html")]
struct List {
    frame: Frame,
    words: Words,
    is_changeable: bool,
    rows: Vec<Row>,
    next: Option<String>,
}

async fn list<K: Kind>(
    State(ui): State<Ui>,
    visitor: Visitor,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    needs_administrator(&visitor)?;
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let paging = Paging { limit: ADMIN_ROWS_PER_PAGE, after: given.number("after") };
    let read = move |registry: &Registry| K::rows(&Reader { registry, caller: &caller, fresh }, paging);
    let (rows, next) = ui.blocking(read).await?;
    let words = K::WORDS;
    let next = next.map(|after| format!("{}?{}", words.list, given.with("after", Some(&after.to_string()))));
    show(&List { frame: Frame::of(&visitor, words.many, HOME), words, is_changeable: K::IS_CHANGEABLE, rows, next })
}

// ── The form ────────────────────────────────────────────────────────────────

#[derive(Template)]
#[template(path = "admin_form.html")]
struct Page {
    frame: Frame,
    words: Words,
    heading: String,
    /// `None` for one to be.
    id: Option<i64>,
    action: String,
    is_deleted: bool,
    fields: Vec<Field>,
    /// Whether a role is chosen, for a kind that has them.
    roles: Vec<(&'static str, bool)>,
    roles_fault: Option<String>,
    links: Vec<(String, &'static str)>,
    refused: Option<Refused>,
}

struct Field {
    name: &'static str,
    label: &'static str,
    help: &'static str,
    is_needed: bool,
    is_password: bool,
    value: String,
    called: Vec<Called>,
    fault: Option<String>,
}

/// The fields with what was given. A password is never shown.
fn fields(members: &[Member], given: &Fields, refused: Option<&Refused>) -> Vec<Field> {
    let of = |member: &Member| {
        let is_password = member.input == Input::Password;
        Field {
            name: member.name,
            label: member.label,
            help: member.help,
            is_needed: member.is_needed,
            is_password,
            value: given.get(member.name).filter(|_| !is_password).unwrap_or_default().to_owned(),
            called: Vec::new(),
            fault: refused.and_then(|refused| fault_of(refused, member.name)),
        }
    };
    members.iter().map(of).collect()
}

fn roles<K: Kind>(chosen: Roles) -> Vec<(&'static str, bool)> {
    let all = if K::WORDS.has_roles { Role::ALL.as_slice() } else { &[] };
    all.iter().map(|role| (role.name(), chosen.contains(*role))).collect()
}

fn roles_of(given: &Fields) -> Roles {
    let chosen: Vec<Role> = given.all("roles").filter_map(Role::parse).collect();
    Roles::of(&chosen)
}

fn roles_fault(refused: Option<&Refused>) -> Option<String> {
    refused.and_then(|refused| refused.fault("roles")).map(str::to_owned)
}

fn new_page<K: Kind>(visitor: &Visitor, given: &Fields, refused: Option<Refused>) -> Page {
    let words = K::WORDS;
    let heading = format!("Create {}", words.one);
    Page {
        frame: Frame::of(visitor, &heading, HOME),
        heading,
        id: None,
        action: words.new_page(),
        is_deleted: false,
        fields: fields(K::MEMBERS, given, refused.as_ref()),
        roles: roles::<K>(roles_of(given)),
        roles_fault: roles_fault(refused.as_ref()),
        links: Vec::new(),
        refused,
        words,
    }
}

fn page_of<K: Kind>(visitor: &Visitor, one: One, given: &Fields, refused: Option<Refused>) -> Page {
    let words = K::WORDS;
    let mut fields = fields(K::MEMBERS, given, refused.as_ref());
    for field in &mut fields {
        if field.is_password {
            (field.label, field.help) = ("New password", PASSWORD_AGAIN);
        }
        // They are called so as they stand, not as somebody has just typed them.
        if given.get(field.name) == one.stated.get(field.name) {
            let called = one.called.iter().find(|(name, _)| *name == field.name);
            field.called = called.map_or_else(Vec::new, |(_, called)| called.clone());
        }
    }
    Page {
        frame: Frame::of(visitor, &one.name, HOME),
        heading: one.name,
        id: Some(one.id),
        action: words.page(one.id),
        is_deleted: one.is_deleted,
        fields,
        roles: one.roles.map_or_else(Vec::new, roles::<K>),
        roles_fault: roles_fault(refused.as_ref()),
        links: one.links,
        refused,
        words,
    }
}

const PASSWORD_AGAIN: &str = "Leave it empty to keep the old one. A new one ends their sessions and API keys.";

// ── Changes ─────────────────────────────────────────────────────────────────

/// The members that differ from what is stated; one that is empty now is taken away, and one that is needed is told to be
/// missing. Passwords are taken as they were typed.
fn differing(members: &[Member], stated: &Fields, given: &Fields) -> Map<String, Value> {
    let mut asked = Map::new();
    for member in members {
        let value = match member.input {
            Input::Password => given.exact(member.name).filter(|typed| !typed.is_empty()).map(Value::from),
            Input::Text | Input::Number | Input::Numbers => match (stated.get(member.name), given.get(member.name)) {
                (before, now) if before == now && !(now.is_none() && member.is_needed) => None,
                (_, Some(text)) => Some(member.value(text)),
                (_, None) => Some(member.nothing()),
            },
        };
        asked.extend(value.map(|value| (member.name.to_owned(), value)));
    }
    asked
}

async fn ask_new<K: Kind>(visitor: Visitor) -> Result<Response, Failure> {
    needs_administrator(&visitor)?;
    show(&new_page::<K>(&visitor, &Fields::default(), None))
}

async fn create<K: Kind>(State(ui): State<Ui>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields: given } = form;
    needs_administrator(&visitor)?;
    // What is empty is not stated: the API says what is missing.
    let mut asked = differing(K::MEMBERS, &Fields::default(), &given);
    asked.retain(|name, _| given.get(name).is_some() || given.exact(name).is_some_and(|typed| !typed.is_empty()));
    if K::WORDS.has_roles {
        asked.insert("roles".to_owned(), given.all("roles").collect());
    }
    match ui.api.ask(&visitor.caller, Method::POST, K::WORDS.create, &asked.into(), given.get(ONCE)).await {
        Ok(answered) => Ok(changed(answered.event, K::WORDS.list)),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => show_refused(&new_page::<K>(&visitor, &given, Some(refused.clone())), &refused),
    }
}

pub(super) async fn find<K: Changeable>(ui: &Ui, visitor: &Visitor, id: i64) -> Result<One, Failure> {
    needs_administrator(visitor)?;
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    ui.blocking(move |registry| K::one(&Reader { registry, caller: &caller, fresh }, id)).await
}

async fn one<K: Changeable>(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    let one = find::<K>(&ui, &visitor, id).await?;
    let stated = one.stated.clone();
    show(&page_of::<K>(&visitor, one, &stated, None))
}

async fn change<K: Changeable>(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields: given } = form;
    let one = find::<K>(&ui, &visitor, id).await?;
    let asked = differing(K::MEMBERS, &one.stated, &given);
    let operation = format!("{}/update/{id}", K::WORDS.operations);
    let order = Order { method: Method::PATCH, operation: &operation, body: asked.into(), once: given.get(ONCE) };
    carry_out::<K>(&ui, &visitor, one, &given, order, &K::WORDS.page(id)).await
}

async fn delete<K: Changeable>(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let one = find::<K>(&ui, &visitor, id).await?;
    let operation = format!("{}/delete/{id}", K::WORDS.operations);
    let order = Order { method: Method::DELETE, operation: &operation, body: Value::Null, once: fields.get(ONCE) };
    let stated = one.stated.clone();
    carry_out::<K>(&ui, &visitor, one, &stated, order, K::WORDS.list).await
}

/// What is asked of the API.
pub(super) struct Order<'o> {
    pub method: Method,
    pub operation: &'o str,
    pub body: Value,
    pub once: Option<&'o str>,
}

/// Asks for a change, and leads on, or shows the form again with why not.
pub(super) async fn carry_out<K: Changeable>(
    ui: &Ui,
    visitor: &Visitor,
    one: One,
    given: &Fields,
    order: Order<'_>,
    next: &str,
) -> Result<Response, Failure> {
    let Order { method, operation, body, once } = order;
    match ui.api.ask(&visitor.caller, method, operation, &body, once).await {
        Ok(answered) => Ok(changed(answered.event, next)),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => show_refused(&page_of::<K>(visitor, one, given, Some(refused.clone())), &refused),
    }
}

fn is_forbidden(refused: &Refused) -> bool {
    refused.status == StatusCode::FORBIDDEN.as_u16()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_asked_for() {
        let members = [
            Member::text("a", "", "", true),
            Member::text("b", "", "", false),
            Member::text("c", "", "", false),
            Member::text("d", "", "", true),
            Member::of("e", "", "", Input::Numbers),
            Member::of("f", "", "", Input::Number),
            Member::of("g", "", "", Input::Password),
        ];
        let stated = Fields::of(b"a=1&b=2&c=3&d=4&e=1,2&f=9");
        let asked = differing(&members, &stated, &Fields::of(b"a=1&b=&c=4&d=&e=&f=8&g=+x"));
        assert_eq!(Value::from(asked), json!({"b": null, "c": "4", "d": "", "e": [], "f": 8, "g": " x"}));
        let asked = differing(&members, &stated, &stated);
        assert_eq!(Value::from(asked), json!({}));
        let asked = differing(&members, &Fields::default(), &Fields::of(b"a=5"));
        assert_eq!(Value::from(asked), json!({"a": "5", "d": ""}));
    }

    #[test]
    fn numbers_are_told_from_what_is_none() {
        let member = Member::of("ids", "", "", Input::Numbers);
        assert_eq!(member.value(" 3, 12;x "), json!([3, 12, "x"]));
        assert_eq!(member.value(""), json!([]));
    }
}
