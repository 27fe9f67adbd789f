//! Audit: the sealed log, decoded, as it is read in order; what of an entity, an action, an actor or a certificate is in it.
//!
//! Without a filter the newest page comes first: numbers have no gaps, so it is known where a page begins.

mod invariants;

use super::action::title;
use super::names::{Called, Directory};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Parameters};
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{EVENT_LIST_MAX, EVENTS_PER_PAGE};
use crate::visitor::Visitor;
use app::{CertificateNumber, Error, EventPage, EventQuery, EventView, FieldView, Nameless};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use domain::event::decode::{FieldValue, ReadingField};
use domain::event::{Entity, EventType};
use domain::{ActionId, Capability, DeviceId, EventNumber, Role};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const AUDIT: &str = "/ui/audit";

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/audit", get(log))
        .route("/audit/invariants", get(invariants::invariants).post(invariants::begin))
        .route("/audit/invariants/progress", get(invariants::progress))
        .route("/audit/invariants/live", get(invariants::live))
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    frame: Frame,
    entities: Vec<(&'static str, &'static str)>,
    given: Fields,
    faults: Vec<(&'static str, &'static str)>,
    is_filtered: bool,
    rows: Vec<Row>,
    /// The numbers of the first and the last event that are shown.
    span: Option<(i64, i64)>,
    /// Of a certificate, from its first event on: who held it since when.
    holders: Vec<Holder>,
    earlier: Option<String>,
    later: Option<String>,
}

struct Row {
    number: i64,
    at: Markup,
    entity: &'static str,
    /// Its name, or its number alone.
    called: Called,
    happened: &'static str,
    changes: Vec<Change>,
    action: Option<i64>,
    kind: String,
    who: Called,
    leaf: String,
}

/// Where a certificate was from an event on.
struct Holder {
    since: Markup,
    event: i64,
    bundle: i64,
    account: Called,
}

/// A field of an event: what it was and what it is.
struct Change {
    name: String,
    before: Option<String>,
    after: Option<String>,
    /// What the numbers before and after are called, where they are of something with a name.
    was: Vec<Called>,
    is: Vec<Called>,
}

impl Page {
    fn value(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_default()
    }

    #[expect(clippy::unused_self, reason = "templates reach functions through values")]
    fn label(&self, name: &str) -> &'static str {
        match name {
            "id" => "Its number",
            "action" => "Action",
            "actor" => "By user",
            "device" => "Device",
            _ => "Its certificate",
        }
    }

    fn fault(&self, name: &str) -> Option<&'static str> {
        self.faults.iter().find(|(of, _)| *of == name).map(|(_, what)| *what)
    }
}

fn needs_reader(visitor: &Visitor) -> Result<(), Failure> {
    let may = visitor.may(Capability::ReadEverything);
    if may { Ok(()) } else { Err(Failure::forbidden("the role Registry Administrator, GC Issuer or Auditor")) }
}

async fn log(State(ui): State<Ui>, visitor: Visitor, Parameters(given): Parameters) -> Result<Response, Failure> {
    needs_reader(&visitor)?;
    let (mut query, faults) = query(&given);
    let is_filtered = query.entity.is_some()
        || query.entity_id.is_some()
        || query.action.is_some()
        || query.actor.is_some()
        || query.certificate.is_some();
    let tells_holders = query.certificate.is_some() && query.actor.is_none() && query.after.is_none();
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (page, directory, after) = ui
        .blocking(move |registry| {
            if !is_filtered && query.after.is_none() {
                let last = registry.health()?.event_number;
                query.after = Some(EventNumber((last.0 - per_page()).max(0)));
            }
            let page = match registry.events(&caller, &query, EVENTS_PER_PAGE, fresh) {
                // What is not there has no events.
                Err(Error::NotFound { .. }) => EventPage { events: Vec::new(), through: None, has_more: false },
                found => found?,
            };
            let directory = Directory::of(registry, &caller, &nameless(&page.events), fresh)?;
            Ok((page, directory, query.after))
        })
        .await?;
    let address = |after: i64| format!("{AUDIT}?{}", given.with("after", Some(&after.to_string())));
    let later = page.through.filter(|_| page.has_more).map(|number| address(number.0));
    let earlier = after.filter(|after| !is_filtered && after.0 > 0).map(|after| address((after.0 - per_page()).max(0)));
    let rows: Vec<Row> = page.events.iter().map(|event| Row::of(event, &directory)).collect();
    let holders = if tells_holders { holders(&page.events, &directory) } else { Vec::new() };
    show(&Page {
        frame: Frame::of(&visitor, "Audit", AUDIT),
        entities: Entity::ALL.iter().map(|entity| (entity.name(), entity_word(*entity))).collect(),
        span: rows.first().zip(rows.last()).map(|(first, last)| (first.number, last.number)),
        given,
        faults,
        is_filtered,
        holders,
        rows,
        earlier,
        later,
    })
}

fn per_page() -> i64 {
    i64::try_from(EVENTS_PER_PAGE).unwrap_or(i64::MAX)
}

/// What is asked for; what cannot be read filters nothing, and is told.
fn query(given: &Fields) -> (EventQuery, Vec<(&'static str, &'static str)>) {
    let mut faults = Vec::new();
    let mut number = |name: &'static str| {
        let found = given.number(name).filter(|id| *id > 0);
        if given.get(name).is_some() && found.is_none() {
            faults.push((name, "Not a number"));
        }
        found
    };
    let (entity_id, action) = (number("id"), number("action").map(ActionId));
    let (device, certificate) = (number("device").map(DeviceId), number("certificate"));
    let is_operator = given.get("actor").is_some_and(|actor| actor == "0" || actor.eq_ignore_ascii_case("operator"));
    let actor = if is_operator { Some(0) } else { number("actor") };
    let entity = given.get("entity").and_then(|name| Entity::ALL.iter().find(|entity| entity.name() == name)).copied();
    let after = given.number("after").filter(|after| *after >= 0).map(EventNumber);
    let certificate = match (device, certificate.and_then(|number| u64::try_from(number).ok())) {
        (Some(device), Some(number)) => Some(CertificateNumber { device, number }),
        (Some(_), None) => {
            faults.push(("certificate", "Say which of the device"));
            None
        }
        (None, Some(_)) => {
            faults.push(("device", "Say of which device the certificate is"));
            None
        }
        (None, None) => None,
    };
    let has_more = entity.is_some() || entity_id.is_some() || action.is_some();
    if certificate.is_some() && has_more {
        faults.push(("certificate", "It is looked for alone: what else is asked for, but by whom, is not used"));
        return (EventQuery { after, actor, certificate, ..EventQuery::default() }, faults);
    }
    let query = EventQuery { after, entity, entity_id, action, actor, certificate };
    // A number alone would be looked for in the whole log.
    if entity_id.is_some() && entity.is_none() {
        faults.push(("id", "Say what it is the number of"));
        return (EventQuery { entity_id: None, ..query }, faults);
    }
    (query, faults)
}

/// What a field says the number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Account,
    User,
    Device,
    Organisation,
}

/// By the names of the log's fields.
fn noun_of(field: &str) -> Option<Of> {
    match field {
        "account_id" | "account_ids" | "beneficiary_account_id" | "source_id" | "target_id" | "account_whitelist" => {
            Some(Of::Account)
        }
        "user_id" => Some(Of::User),
        "device_id" => Some(Of::Device),
        "organisation_id" => Some(Of::Organisation),
        _ => None,
    }
}

/// Everything on the page that may have a name.
fn nameless(events: &[EventView]) -> Nameless {
    let mut wanted = Nameless::default();
    for event in events {
        wanted.users.extend(event.actor);
        let of = match event.entity {
            Entity::User => Some(Of::User),
            Entity::Account => Some(Of::Account),
            Entity::Device => Some(Of::Device),
            Entity::Organisation => Some(Of::Organisation),
            Entity::Measurement
            | Entity::Bundle
            | Entity::Metadata
            | Entity::Attributes
            | Entity::RecurringOrder
            | Entity::Scr
            | Entity::Sdr
            | Entity::Draw => None,
        };
        let numbers = event.before.iter().chain(&event.after).flat_map(numbers_in);
        for (of, id) in numbers.chain(of.map(|of| (of, event.entity_id))) {
            let ids = match of {
                Of::Account => &mut wanted.accounts,
                Of::User => &mut wanted.users,
                Of::Device => &mut wanted.devices,
                Of::Organisation => &mut wanted.organisations,
            };
            ids.insert(id);
        }
    }
    wanted
}

/// The numbers that a field shows, and what of.
fn numbers_in(field: &FieldView) -> Vec<(Of, i64)> {
    match (field.name.and_then(noun_of), field.value.as_ref()) {
        (Some(of), Some(FieldValue::Integer(id))) => vec![(of, *id)],
        (Some(of), Some(FieldValue::Ids(ids))) => ids.iter().take(EVENT_LIST_MAX).map(|id| (of, *id)).collect(),
        (_, Some(FieldValue::Readings(readings))) => {
            readings.iter().take(EVENT_LIST_MAX).map(|reading| (Of::Device, reading.device_id.0)).collect()
        }
        _ => Vec::new(),
    }
}

/// What the numbers of a field are called; of a long list the first, and how many more there are.
fn called_in(field: &FieldView, directory: &Directory) -> Vec<Called> {
    let numbers = match field.value.as_ref() {
        Some(FieldValue::Integer(_) | FieldValue::Ids(_)) => numbers_in(field),
        _ => Vec::new(),
    };
    let mut called: Vec<Called> = numbers.iter().map(|(of, id)| called_of(*of, *id, directory)).collect();
    if let Some(FieldValue::Ids(ids)) = field.value.as_ref().filter(|_| !called.is_empty()) {
        let more = ids.len().saturating_sub(called.len());
        called.extend((more > 0).then(|| Called { name: format!("{more} more"), number: None, to: None }));
    }
    called
}

fn called_of(of: Of, id: i64, directory: &Directory) -> Called {
    match of {
        Of::Account => directory.account(id),
        Of::User => directory.user(Some(id)),
        Of::Device => directory.device(id),
        Of::Organisation => directory.organisation(id),
    }
}

/// Who held the certificate whose events these are, from the first on.
fn holders(events: &[EventView], directory: &Directory) -> Vec<Holder> {
    let mut holders: Vec<Holder> = Vec::new();
    let mut last = None;
    for event in events {
        let account = event.after.iter().find_map(|field| match (field.name, field.value.as_ref()) {
            (Some("account_id"), Some(FieldValue::Integer(id))) => Some(*id),
            _ => None,
        });
        let Some(account) = account.filter(|account| last != Some(*account)) else { continue };
        last = Some(account);
        holders.push(Holder {
            since: format::instant(event.recorded_at),
            event: event.number.0,
            bundle: event.entity_id,
            account: directory.account(account),
        });
    }
    holders
}

/// What an event is about, as people say it.
const fn entity_word(entity: Entity) -> &'static str {
    match entity {
        Entity::User => "User",
        Entity::Account => "Account",
        Entity::Device => "Device",
        Entity::Measurement => "Measurement",
        Entity::Bundle => "Certificate bundle",
        Entity::Metadata => "Issuance metadata",
        Entity::Organisation => "Organisation",
        Entity::Attributes => "Certificate attributes",
        Entity::RecurringOrder => "Recurring order",
        Entity::Scr => "Storage charge record",
        Entity::Sdr => "Storage discharge record",
        Entity::Draw => "Storage allocation",
    }
}

/// What an entity is called.
fn called(entity: Entity, id: i64, directory: &Directory) -> Called {
    match entity {
        Entity::Account => directory.account(id),
        Entity::Device => directory.device(id),
        Entity::User => directory.user(Some(id)),
        Entity::Organisation => directory.organisation(id),
        Entity::Bundle => Called { name: id.to_string(), number: None, to: Some(format!("/ui/certificate/{id}")) },
        Entity::Measurement
        | Entity::Metadata
        | Entity::Attributes
        | Entity::RecurringOrder
        | Entity::Scr
        | Entity::Sdr
        | Entity::Draw => Called { name: id.to_string(), number: None, to: None },
    }
}

impl Row {
    fn of(event: &EventView, directory: &Directory) -> Self {
        Self {
            number: event.number.0,
            at: format::instant(event.recorded_at),
            entity: entity_word(event.entity),
            called: called(event.entity, event.entity_id, directory),
            happened: match event.event_type {
                EventType::Create => "created",
                EventType::Update => "changed",
                EventType::Delete => "deleted",
            },
            changes: changes(&event.before, &event.after, directory),
            action: event.action.map(|id| id.0),
            kind: title(event.kind),
            who: directory.user(event.actor),
            leaf: hex(&event.leaf),
        }
    }
}

/// The fields of both sides side by side, in the order of their tags.
fn changes(before: &[FieldView], after: &[FieldView], directory: &Directory) -> Vec<Change> {
    let mut by_tag: BTreeMap<u8, Change> = BTreeMap::new();
    for (fields, is_before) in [(before, true), (after, false)] {
        for field in fields {
            let change = by_tag.entry(field.tag).or_insert_with(|| Change {
                name: field.name.map_or_else(|| format!("tag {}", field.tag), |name| name.replace('_', " ")),
                before: None,
                after: None,
                was: Vec::new(),
                is: Vec::new(),
            });
            let text = field.value.as_ref().map_or_else(|| "not told".to_owned(), |value| text_of(value, directory));
            *(if is_before { &mut change.before } else { &mut change.after }) = Some(text);
            *(if is_before { &mut change.was } else { &mut change.is }) = called_in(field, directory);
        }
    }
    by_tag.into_values().collect()
}

fn text_of(value: &FieldValue, directory: &Directory) -> String {
    match value {
        FieldValue::Integer(number) => number.to_string(),
        FieldValue::Share(share) => share.to_string(),
        FieldValue::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        FieldValue::Instant(at) => format::instant_text(*at),
        FieldValue::Word(word) => (*word).to_owned(),
        FieldValue::Roles(roles) => joined(roles.iter().map(|role: Role| role.name().to_owned())),
        FieldValue::Hash(hash) => hex(hash),
        FieldValue::Ids(ids) => joined(ids.iter().map(i64::to_string)),
        FieldValue::Readings(readings) => joined(readings.iter().map(|reading| reading_text(reading, directory))),
        FieldValue::Unknown(bytes) => hex(bytes),
    }
}

fn reading_text(reading: &ReadingField, directory: &Directory) -> String {
    let (device, start) = (directory.device(reading.device_id.0).name, format::instant_text(reading.start));
    format!("{device} at {start}: {} Wh", format::thousands(reading.energy_wh))
}

/// The first of a list, and how many more there are.
fn joined(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    let more = items.len().saturating_sub(EVENT_LIST_MAX);
    let mut text = items.iter().take(EVENT_LIST_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (items.is_empty(), more) {
        (true, _) => "none".clone_into(&mut text),
        (false, 0) => {}
        (false, more) => {
            let _infallible = write!(text, " and {more} more");
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_both_sides_stand_side_by_side() {
        let field = |tag, name, value| FieldView { tag, name, value };
        let before = [field(2, Some("account_id"), Some(FieldValue::Integer(1)))];
        let after = [
            field(1, Some("status"), Some(FieldValue::Word("Active"))),
            field(2, Some("account_id"), None),
            field(9, None, Some(FieldValue::Unknown(vec![0, 255]))),
        ];
        let found = changes(&before, &after, &Directory::default());
        let told: Vec<_> =
            found.iter().map(|of| (of.name.as_str(), of.before.as_deref(), of.after.as_deref())).collect();
        let expected = [
            ("status", None, Some("Active")),
            ("account id", Some("1"), Some("not told")),
            ("tag 9", None, Some("00ff")),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_long_list_says_how_much_longer_it_is() {
        let of = |count: i64| joined((0..count).map(|number| number.to_string()));
        assert_eq!((of(0).as_str(), of(2).as_str()), ("none", "0, 1"));
        let most = i64::try_from(EVENT_LIST_MAX).unwrap();
        assert!(of(most + 3).ends_with(" and 3 more"));
    }

    #[test]
    fn a_number_alone_is_not_looked_for() {
        let (asked, faults) = query(&Fields::of(b"id=5&action=x"));
        assert_eq!((asked.entity_id, asked.action), (None, None));
        assert_eq!(faults, [("action", "Not a number"), ("id", "Say what it is the number of")]);
        let (asked, faults) = query(&Fields::of(b"actor=operator&device=2"));
        assert_eq!((asked.actor, asked.certificate), (Some(0), None));
        assert_eq!(faults, [("certificate", "Say which of the device")]);
        let (asked, faults) = query(&Fields::of(b"actor=me&certificate=2"));
        assert_eq!((asked.actor, asked.certificate), (None, None));
        assert_eq!(faults, [("actor", "Not a number"), ("device", "Say of which device the certificate is")]);
        let (asked, faults) = query(&Fields::of(b"device=3&certificate=2&entity=Device&actor=4"));
        let certificate = CertificateNumber { device: DeviceId(3), number: 2 };
        assert_eq!((asked.certificate, asked.entity, asked.actor), (Some(certificate), None, Some(4)));
        assert_eq!(faults.len(), 1);
        let (asked, faults) = query(&Fields::of(b"entity=Device&id=5&after=0"));
        assert_eq!((asked.entity, asked.entity_id, asked.after), (Some(Entity::Device), Some(5), Some(EventNumber(0))));
        assert_eq!(faults, []);
    }
}
