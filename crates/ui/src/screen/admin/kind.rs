//! A kind of thing that is administered: listed, made, and, if it is [`Changeable`], changed and deleted. Every kind has the
//! same pages at addresses of the same shape.
//!
//! Invariant: every change is one of the API's; a change of a form states only what differs, so that what somebody else
//! changed meanwhile stays.

use super::pick::{Offer, Pick};
use super::{HOME, needs_administrator};
use crate::Ui;
use crate::done::{Done, done};
use crate::failure::Failure;
use crate::form::{Fields, Form, ONCE, Parameters, fault_of};
use crate::format::Markup;
use crate::frame::{Frame, show, show_refused};
use crate::limits::{ADMIN_ROWS_PER_PAGE, CALLED_IN_A_CELL_MAX};
use crate::screen::names::Called;
use crate::visitor::Visitor;
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
use std::collections::BTreeSet;

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
    /// What is offered to choose from.
    pub pick: Option<Pick>,
}

impl Member {
    pub(super) const fn text(name: &'static str, label: &'static str, help: &'static str, is_needed: bool) -> Self {
        Self { name, label, help, input: Input::Text, is_needed, pick: None }
    }

    pub(super) const fn of(name: &'static str, label: &'static str, help: &'static str, input: Input) -> Self {
        Self { name, label, help, input, is_needed: false, pick: None }
    }

    pub(super) const fn picked(self, pick: Pick) -> Self {
        Self { pick: Some(pick), ..self }
    }

    /// What was chosen and typed, as one text.
    fn given(&self, given: &Fields) -> Option<String> {
        match self.input {
            Input::Text => given.get(self.name).map(str::to_owned),
            Input::Number => given.get(self.name).map(|text| first_part(text).to_owned()),
            Input::Numbers => {
                let numbers: BTreeSet<String> = given.all(self.name).flat_map(numbers_of).map(str::to_owned).collect();
                let numbers: Vec<String> = numbers.into_iter().collect();
                Some(numbers.join(" ")).filter(|text| !text.is_empty())
            }
            Input::Password => given.exact(self.name).filter(|typed| !typed.is_empty()).map(str::to_owned),
        }
    }

    /// What was typed, as the API reads it; what is no number goes on as it is: the API says what is wrong with it.
    fn value(&self, text: &str) -> Value {
        match self.input {
            Input::Text | Input::Password => text.into(),
            Input::Number => number(text),
            Input::Numbers => numbers_of(text).into_iter().map(number).collect(),
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

/// A suggestion is a number and, behind a colon, a name.
fn first_part(text: &str) -> &str {
    text.split_once(':').map_or(text, |(number, _)| number).trim()
}

/// The numbers in what was typed: one after another, or each with a name behind it.
fn numbers_of(text: &str) -> Vec<&str> {
    let pieces = text.split([',', ';']).flat_map(|piece| {
        let is_named = piece.contains(':');
        let whole = is_named.then(|| first_part(piece));
        whole.into_iter().chain(piece.split_whitespace().filter(move |_| !is_named))
    });
    pieces.filter(|part| !part.is_empty()).collect()
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
    /// The roles, what each is trusted with, and whether it is chosen; for a kind that has them.
    roles: Vec<(Role, bool)>,
    roles_fault: Option<String>,
    links: Vec<(String, &'static str)>,
    refused: Option<Refused>,
    /// Of a refusal: whether what else was on the form was saved before it.
    was_saved: bool,
}

struct Field {
    name: &'static str,
    label: &'static str,
    help: &'static str,
    is_needed: bool,
    is_password: bool,
    /// Whether there may be any number of them.
    is_list: bool,
    value: String,
    offer: Offer,
    fault: Option<String>,
}

/// What there is to choose from for the members of a kind, in their order.
async fn offers<K: Kind>(ui: &Ui, visitor: &Visitor, given: &Fields) -> Result<Vec<Offer>, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let chosen: Vec<Option<String>> = K::MEMBERS.iter().map(|member| member.given(given)).collect();
    ui.blocking(move |registry| {
        let reader = Reader { registry, caller: &caller, fresh };
        let of = |(member, chosen): (&Member, &Option<String>)| {
            Offer::of(&reader, member.pick, member.input, &numbers_of(chosen.as_deref().unwrap_or_default()))
        };
        K::MEMBERS.iter().zip(&chosen).map(of).collect()
    })
    .await
}

/// The fields with what was given. A password is never shown.
fn fields(members: &[Member], given: &Fields, offers: Vec<Offer>, refused: Option<&Refused>) -> Vec<Field> {
    let of = |(member, offer): (&Member, Offer)| {
        let is_password = member.input == Input::Password;
        let value = member.given(given).filter(|_| !is_password).unwrap_or_default();
        Field {
            name: member.name,
            label: member.label,
            help: member.help,
            is_needed: member.is_needed,
            is_password,
            is_list: member.input == Input::Numbers,
            value: offer.typed(value, member.input),
            offer,
            fault: refused.and_then(|refused| fault_of(refused, member.name)),
        }
    };
    members.iter().zip(offers).map(of).collect()
}

fn roles<K: Kind>(chosen: Roles) -> Vec<(Role, bool)> {
    let all = if K::WORDS.has_roles { Role::ALL.as_slice() } else { &[] };
    all.iter().map(|role| (*role, chosen.contains(*role))).collect()
}

/// What a role is trusted with, for who gives it.
const fn trusted_with(role: Role) -> &'static str {
    match role {
        Role::RegistryAdministrator => "Runs the registry: users, accounts, organisations and roles; reads everything.",
        Role::GcIssuer => "The issuing body: issues, withdraws, locks and corrects certificates; reads everything.",
        Role::ProductionRegistrar => "Registers, changes and approves devices of any account.",
        Role::MeasurementBody => "Submits and corrects readings of any device.",
        Role::TradingUser => "Transfers, cancels and claims the certificates of their accounts.",
        Role::ProductionUser => "As a Trading User, and registers the devices of their accounts.",
        Role::Auditor => "Reads everything and changes nothing.",
    }
}

fn roles_of(given: &Fields) -> Roles {
    let chosen: Vec<Role> = given.all("roles").filter_map(Role::parse).collect();
    Roles::of(&chosen)
}

fn roles_fault(refused: Option<&Refused>) -> Option<String> {
    refused.and_then(|refused| refused.fault("roles")).map(str::to_owned)
}

fn new_page<K: Kind>(visitor: &Visitor, given: &Fields, offers: Vec<Offer>, refused: Option<Refused>) -> Page {
    let words = K::WORDS;
    let heading = format!("Create {}", words.one);
    Page {
        frame: Frame::of(visitor, &heading, HOME),
        heading,
        id: None,
        action: words.new_page(),
        is_deleted: false,
        fields: fields(K::MEMBERS, given, offers, refused.as_ref()),
        roles: roles::<K>(roles_of(given)),
        roles_fault: roles_fault(refused.as_ref()),
        links: Vec::new(),
        refused,
        was_saved: false,
        words,
    }
}

/// The page of one; `roles` are those that the form shows as chosen.
async fn page_of<K: Changeable>(
    ui: &Ui,
    visitor: &Visitor,
    one: One,
    (given, roles_given): (&Fields, Option<Roles>),
    refused: Option<Refused>,
) -> Result<Page, Failure> {
    let words = K::WORDS;
    let offers = offers::<K>(ui, visitor, given).await?;
    let mut fields = fields(K::MEMBERS, given, offers, refused.as_ref());
    for field in fields.iter_mut().filter(|field| field.is_password) {
        (field.label, field.help) = ("New password", PASSWORD_AGAIN);
    }
    Ok(Page {
        frame: Frame::of(visitor, &one.name, HOME),
        heading: one.name,
        id: Some(one.id),
        action: words.page(one.id),
        is_deleted: one.is_deleted,
        fields,
        roles: roles_given.map_or_else(Vec::new, roles::<K>),
        roles_fault: roles_fault(refused.as_ref()),
        links: one.links,
        refused,
        was_saved: false,
        words,
    })
}

const PASSWORD_AGAIN: &str = "Leave it empty to keep the old one. A new one ends their sessions and API keys.";

// ── Changes ─────────────────────────────────────────────────────────────────

/// The members that differ from what is stated; one that is empty now is taken away, and one that is needed is told to be
/// missing. Passwords are taken as they were typed.
fn differing(members: &[Member], stated: &Fields, given: &Fields) -> Map<String, Value> {
    let mut asked = Map::new();
    for member in members {
        let now = member.given(given);
        let value = match (member.input, member.given(stated), now) {
            (Input::Password, _, now) => now.map(Value::from),
            (_, before, now) if before == now && !(now.is_none() && member.is_needed) => None,
            (_, _, Some(text)) => Some(member.value(&text)),
            (_, _, None) => Some(member.nothing()),
        };
        asked.extend(value.map(|value| (member.name.to_owned(), value)));
    }
    asked
}

async fn ask_new<K: Kind>(State(ui): State<Ui>, visitor: Visitor) -> Result<Response, Failure> {
    needs_administrator(&visitor)?;
    let offers = offers::<K>(&ui, &visitor, &Fields::default()).await?;
    show(&new_page::<K>(&visitor, &Fields::default(), offers, None))
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
        Ok(answered) => {
            let id = answered.json["id"].as_i64().filter(|_| K::IS_CHANGEABLE);
            let to = id.map_or_else(|| K::WORDS.list.to_owned(), |id| K::WORDS.page(id));
            Ok(done(answered.event, &to, Done::Created))
        }
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => {
            let offers = offers::<K>(&ui, &visitor, &given).await?;
            show_refused(&new_page::<K>(&visitor, &given, offers, Some(refused.clone())), &refused)
        }
    }
}

async fn find<K: Changeable>(ui: &Ui, visitor: &Visitor, id: i64) -> Result<One, Failure> {
    needs_administrator(visitor)?;
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    ui.blocking(move |registry| K::one(&Reader { registry, caller: &caller, fresh }, id)).await
}

async fn one<K: Changeable>(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    let one = find::<K>(&ui, &visitor, id).await?;
    let (stated, roles) = (one.stated.clone(), one.roles);
    show(&page_of::<K>(&ui, &visitor, one, (&stated, roles), None).await?)
}

/// Saves what differs on the one form: the members, and then the roles, which have an operation of their own.
async fn change<K: Changeable>(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields: given } = form;
    let one = find::<K>(&ui, &visitor, id).await?;
    let asked = differing(K::MEMBERS, &one.stated, &given);
    let roles: BTreeSet<&str> = given.all("roles").collect();
    let stated_roles = one.roles.map(|roles| roles.iter().map(Role::name).collect::<BTreeSet<&str>>());
    let new_roles = stated_roles.filter(|stated| *stated != roles).map(|_| json!({"roles": roles}));
    let of = |verb: &str| format!("{}/{verb}/{id}", K::WORDS.operations);
    let orders = [
        (Method::PATCH, of("update"), (!asked.is_empty()).then(|| Value::from(asked))),
        (Method::POST, of("change_role"), new_roles),
    ];
    let mut reached = None;
    for (method, operation, body) in orders {
        let Some(body) = body else { continue };
        match ui.api.ask(&visitor.caller, method, &operation, &body, given.get(ONCE)).await {
            Ok(answered) => reached = Some(answered.event),
            Err(refused) if is_forbidden(&refused) => return Err(refused.into()),
            Err(refused) => {
                let roles = one.roles.map(|_| roles_of(&given));
                let page = page_of::<K>(&ui, &visitor, one, (&given, roles), Some(refused.clone())).await?;
                return show_refused(&Page { was_saved: reached.is_some(), ..page }, &refused);
            }
        }
    }
    let what = if reached.is_some() { Done::Saved } else { Done::Unchanged };
    Ok(done(reached.flatten(), &K::WORDS.page(id), what))
}

async fn delete<K: Changeable>(State(ui): State<Ui>, Path(id): Path<i64>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    let one = find::<K>(&ui, &visitor, id).await?;
    let operation = format!("{}/delete/{id}", K::WORDS.operations);
    match ui.api.ask(&visitor.caller, Method::DELETE, &operation, &Value::Null, fields.get(ONCE)).await {
        Ok(answered) => Ok(done(answered.event, K::WORDS.list, Done::Deleted)),
        Err(refused) if is_forbidden(&refused) => Err(refused.into()),
        Err(refused) => {
            let (stated, roles) = (one.stated.clone(), one.roles);
            let page = page_of::<K>(&ui, &visitor, one, (&stated, roles), Some(refused.clone())).await?;
            show_refused(&page, &refused)
        }
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
        let same = differing(&members, &stated, &Fields::of(b"a=1&b=2&c=3&d=4&e=2&e=1&f=9:+nine"));
        assert_eq!(Value::from(same), json!({}), "chosen one by one, and with a name");
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
        assert_eq!(member.value("3 12; 7: North wind"), json!([3, 12, 7]));
        assert_eq!(member.value(""), json!([]));
    }
}
