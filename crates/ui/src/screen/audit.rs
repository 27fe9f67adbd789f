//! Audit: the sealed log, decoded, as it is read in order; what of an entity or an action is in it.
//!
//! Without a filter the newest page comes first: numbers have no gaps, so it is known where a page begins.

mod invariants;

use super::action::title;
use super::names;
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Parameters};
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{EVENT_LIST_MAX, EVENTS_PER_PAGE};
use crate::visitor::Visitor;
use app::{Caller, Error, EventPage, EventQuery, EventView, FieldView, Registry};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use domain::event::decode::{FieldValue, ReadingField};
use domain::event::{Entity, EventType};
use domain::{ActionId, Capability, EventNumber, Role};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

const AUDIT: &str = "/ui/audit";

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/audit", get(log))
        .route("/audit/invariants", get(invariants::invariants).post(invariants::begin))
        .route("/audit/invariants/progress", get(invariants::progress))
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
    earlier: Option<String>,
    later: Option<String>,
}

struct Row {
    number: i64,
    at: Markup,
    entity: &'static str,
    entity_id: i64,
    to: Option<String>,
    happened: &'static str,
    changes: Vec<Change>,
    action: Option<i64>,
    kind: String,
    who: String,
    leaf: String,
}

/// A field of an event: what it was and what it is.
struct Change {
    name: String,
    before: Option<String>,
    after: Option<String>,
}

impl Page {
    fn value(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_default()
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
    let is_filtered = query.entity.is_some() || query.entity_id.is_some() || query.action.is_some();
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (page, people, after) = ui
        .blocking(move |registry| {
            if !is_filtered && query.after.is_none() {
                let last = registry.health()?.event_number;
                query.after = Some(EventNumber((last.0 - per_page()).max(0)));
            }
            let page = match registry.events(&caller, &query, EVENTS_PER_PAGE, fresh) {
                // An action that is not there has no events.
                Err(Error::NotFound { .. }) => EventPage { events: Vec::new(), through: None, has_more: false },
                found => found?,
            };
            let people = people(registry, &caller, &page.events, fresh)?;
            Ok((page, people, query.after))
        })
        .await?;
    let address = |after: i64| format!("{AUDIT}?{}", given.with("after", Some(&after.to_string())));
    let later = page.through.filter(|_| page.has_more).map(|number| address(number.0));
    let earlier = after.filter(|after| !is_filtered && after.0 > 0).map(|after| address((after.0 - per_page()).max(0)));
    let rows: Vec<Row> = page.events.iter().map(|event| Row::of(event, &people)).collect();
    show(&Page {
        frame: Frame::of(&visitor, "Audit", AUDIT),
        entities: Entity::ALL.iter().map(|entity| (entity.name(), entity_word(*entity))).collect(),
        span: rows.first().zip(rows.last()).map(|(first, last)| (first.number, last.number)),
        given,
        faults,
        is_filtered,
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
    let entity = given.get("entity").and_then(|name| Entity::ALL.iter().find(|entity| entity.name() == name)).copied();
    let after = given.number("after").filter(|after| *after >= 0).map(EventNumber);
    // A number alone would be looked for in the whole log.
    if entity_id.is_some() && entity.is_none() {
        faults.push(("id", "Say what it is the number of"));
        return (EventQuery { after, entity, entity_id: None, action }, faults);
    }
    (EventQuery { after, entity, entity_id, action }, faults)
}

/// The names of who did something.
fn people(
    registry: &Registry,
    caller: &Caller,
    events: &[EventView],
    fresh: Option<EventNumber>,
) -> Result<BTreeMap<Option<i64>, String>, Error> {
    let mut people = BTreeMap::new();
    for event in events {
        if let Entry::Vacant(place) = people.entry(event.actor) {
            place.insert(names::user(registry, caller, event.actor, fresh)?);
        }
    }
    Ok(people)
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
    }
}

/// The page of an entity, if it has one.
fn page_of(entity: Entity, id: i64) -> Option<String> {
    match entity {
        Entity::Account => Some(format!("/ui/account/{id}")),
        Entity::Device => Some(format!("/ui/device/{id}")),
        Entity::Bundle => Some(format!("/ui/certificate/{id}")),
        Entity::User
        | Entity::Measurement
        | Entity::Metadata
        | Entity::Organisation
        | Entity::Attributes
        | Entity::RecurringOrder => None,
    }
}

impl Row {
    fn of(event: &EventView, people: &BTreeMap<Option<i64>, String>) -> Self {
        Self {
            number: event.number.0,
            at: format::instant(event.recorded_at),
            entity: entity_word(event.entity),
            entity_id: event.entity_id,
            to: page_of(event.entity, event.entity_id),
            happened: match event.event_type {
                EventType::Create => "created",
                EventType::Update => "changed",
                EventType::Delete => "deleted",
            },
            changes: changes(&event.before, &event.after),
            action: event.action.map(|id| id.0),
            kind: title(event.kind),
            who: people.get(&event.actor).cloned().unwrap_or_default(),
            leaf: hex(&event.leaf),
        }
    }
}

/// The fields of both sides side by side, in the order of their tags.
fn changes(before: &[FieldView], after: &[FieldView]) -> Vec<Change> {
    let mut by_tag: BTreeMap<u8, Change> = BTreeMap::new();
    for (fields, is_before) in [(before, true), (after, false)] {
        for field in fields {
            let change = by_tag.entry(field.tag).or_insert_with(|| Change {
                name: field.name.map_or_else(|| format!("tag {}", field.tag), |name| name.replace('_', " ")),
                before: None,
                after: None,
            });
            let text = field.value.as_ref().map_or_else(|| "not told".to_owned(), text_of);
            *(if is_before { &mut change.before } else { &mut change.after }) = Some(text);
        }
    }
    by_tag.into_values().collect()
}

fn text_of(value: &FieldValue) -> String {
    match value {
        FieldValue::Integer(number) => number.to_string(),
        FieldValue::Share(share) => share.to_string(),
        FieldValue::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        FieldValue::Instant(at) => format::instant_text(*at),
        FieldValue::Word(word) => (*word).to_owned(),
        FieldValue::Roles(roles) => joined(roles.iter().map(|role: Role| role.name().to_owned())),
        FieldValue::Hash(hash) => hex(hash),
        FieldValue::Ids(ids) => joined(ids.iter().map(i64::to_string)),
        FieldValue::Readings(readings) => joined(readings.iter().map(reading_text)),
        FieldValue::Unknown(bytes) => hex(bytes),
    }
}

fn reading_text(reading: &ReadingField) -> String {
    let (device, start) = (reading.device_id, format::instant_text(reading.start));
    format!("device {device} at {start}: {} Wh", format::thousands(reading.energy_wh))
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
        let found = changes(&before, &after);
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
        let (asked, faults) = query(&Fields::of(b"entity=Device&id=5&after=0"));
        assert_eq!((asked.entity, asked.entity_id, asked.after), (Some(Entity::Device), Some(5), Some(EventNumber(0))));
        assert_eq!(faults, []);
    }
}
