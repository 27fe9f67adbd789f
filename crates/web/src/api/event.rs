//! The log as it is read: by number, page by page, or as a stream.

mod stream;

use crate::caller::{Caller, Fresh, Query, Read};
use crate::json::{Fields, id, rule, whole, word};
use crate::openapi::{IdProblems, QueryProblems, ReadProblems};
use crate::page::{Paged, cursor_of};
use crate::wire::{At, hex};
use crate::{App, Error};
use app::{CertificateNumber, EventQuery, EventView, FieldView};
use axum::Json;
use axum::extract::State;
use domain::event::decode::{FieldValue, ReadingField};
use domain::event::{Entity, EventType};
use domain::{ActionId, ActionKind, DeviceId, EventNumber, Role};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(query)).merge(stream::routes())
}

/// What an event is about.
#[derive(Serialize, ToSchema)]
#[schema(as = EntityName)]
#[expect(dead_code, reason = "documents the words; values are domain::event::Entity")]
enum EntityWord {
    User,
    Account,
    Device,
    MeasurementReport,
    GranularCertificateBundle,
    IssuanceMetaData,
    Organisation,
    CertificateAttributes,
    RecurringOrder,
    StorageChargeRecord,
    StorageDischargeRecord,
    StorageAllocation,
}

/// What happened to it.
#[derive(Serialize, ToSchema)]
#[schema(as = EventType)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "documents the words; values are domain::event::EventType")]
enum EventTypeWord {
    Create,
    Update,
    Delete,
}

/// One change, as it is sealed in the log.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub(super) struct EventBody {
    /// Its place in the log: from 1, without gaps.
    #[schema(example = 17)]
    number: i64,
    /// When it was recorded.
    recorded_at: At,
    #[schema(value_type = EntityWord)]
    entity_name: Entity,
    /// Which one it is about.
    entity_id: i64,
    #[schema(value_type = EventTypeWord)]
    event_type: EventType,
    /// What changed, as it was; `null` at a creation. A field is `null` where it says something of another account; free
    /// text stands as its salted hash, hexadecimal.
    #[schema(value_type = Option<Object>)]
    attributes_before: Option<Map<String, Value>>,
    /// The same, as it is since then.
    #[schema(value_type = Option<Object>)]
    attributes_after: Option<Map<String, Value>>,
    /// What free text of this event is hashed with; hexadecimal.
    salt: String,
    /// The event's leaf in the sealed log; hexadecimal.
    leaf: String,
    /// The action that it is part of; `null` where that is not the caller's business.
    action_id: Option<i64>,
    /// The kind of action that it is part of.
    #[schema(value_type = String, example = "transfer")]
    action_type: ActionKind,
    /// The user who did it, 0 for the operator at the machine; `null` where that is not the caller's business.
    actor: Option<i64>,
}

impl From<&EventView> for EventBody {
    fn from(event: &EventView) -> Self {
        Self {
            number: event.number.0,
            recorded_at: event.recorded_at.into(),
            entity_name: event.entity,
            entity_id: event.entity_id,
            event_type: event.event_type,
            attributes_before: attributes(&event.before),
            attributes_after: attributes(&event.after),
            salt: hex(&event.salt),
            leaf: hex(&event.leaf),
            action_id: event.action.map(|id| id.0),
            action_type: event.kind,
            actor: event.actor,
        }
    }
}

fn attributes(fields: &[FieldView]) -> Option<Map<String, Value>> {
    let named = |field: &FieldView| {
        let name = field.name.map_or_else(|| format!("tag_{}", field.tag), str::to_owned);
        (name, field.value.as_ref().map_or(Value::Null, value_of))
    };
    (!fields.is_empty()).then(|| fields.iter().map(named).collect())
}

pub(super) fn value_of(value: &FieldValue) -> Value {
    match value {
        FieldValue::Integer(value) => Value::from(*value),
        FieldValue::Share(share) => Value::from(share.to_string()),
        FieldValue::Flag(value) => Value::from(*value),
        FieldValue::Instant(at) => Value::from(at.to_string()),
        FieldValue::Word(word) => Value::from(*word),
        FieldValue::Roles(roles) => roles.iter().map(Role::name).collect(),
        FieldValue::Hash(hash) => Value::from(hex(hash)),
        FieldValue::Ids(ids) => ids.iter().copied().collect(),
        FieldValue::Readings(readings) => readings.iter().map(reading_of).collect(),
        FieldValue::Unknown(bytes) => Value::from(hex(bytes)),
    }
}

fn reading_of(reading: &ReadingField) -> Value {
    json!({
        "device_id": reading.device_id,
        "interval_start_datetime": reading.start,
        "interval_end_datetime": reading.end,
        "interval_usage": reading.energy_wh,
        "gross_net_indicator": reading.gross_net,
        "quality": reading.quality,
    })
}

/// Events in the order of their numbers.
#[derive(Serialize, ToSchema)]
struct Events {
    /// The events of this page.
    events: Vec<EventBody>,
    /// Where the next page begins; `null` at the end. Later events are found with `after`, the number of the last one.
    next_cursor: Option<String>,
}

struct EventsAsked {
    query: EventQuery,
    limit: usize,
}

impl Read for EventsAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let after = fields.optional("after", number);
        let entity = fields.optional("entity_name", word(Entity::ALL, Entity::name));
        let entity_id = fields.optional("entity_id", id);
        let action = fields.optional("action_id", id).map(ActionId);
        let actor = fields.optional("actor", whole(0, i64::MAX.unsigned_abs())).map(signed);
        let is_stated = ["device_id", "certificate_id"].map(|name| fields.has(name));
        let device = fields.optional("device_id", id).map(DeviceId);
        let number = fields.optional("certificate_id", whole(1, i64::MAX.unsigned_abs()));
        let missing = match is_stated {
            // One that cannot be read has its own fault.
            [true, false] if device.is_some() => Some("certificate_id"),
            [false, true] if number.is_some() => Some("device_id"),
            [true | false, _] => None,
        };
        let is_sound = fields.is_sound();
        if let Some(name) = missing.filter(|_| is_sound) {
            let msg = "Value error, device_id and certificate_id name a certificate together";
            fields.fault(name, rule("value_error", msg));
        }
        let is_other = fields.is_sound() && (entity.is_some() || entity_id.is_some() || action.is_some());
        if is_other && (device.is_some() || number.is_some()) {
            let msg = "Value error, a certificate is not asked for together with entity_name, entity_id or action_id";
            fields.fault("certificate_id", rule("value_error", msg));
        }
        let certificate = device.zip(number).map(|(device, number)| CertificateNumber { device, number });
        let Paged(paging) = Paged::<i64>::read(fields)?;
        let after = after.into_iter().chain(paging.after.map(EventNumber)).max();
        let query = EventQuery { after, entity, entity_id, action, actor, certificate };
        Some(Self { query, limit: paging.limit })
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An event number, or 0 for the beginning.
fn number(value: &crate::json::Value<'_>) -> Result<EventNumber, crate::json::Rule> {
    let most = u64::try_from(i64::MAX).unwrap_or(u64::MAX);
    whole(0, most)(value).map(|number| EventNumber(signed(number)))
}

/// Read events
///
/// In the order of their numbers. Those who may read everything see all, without gaps. Everybody else names what the events
/// are of: an `entity_name` and `entity_id` of theirs (a bundle, device or account of their accounts, issuance metadata, or
/// themselves), an `action_id` that is their business, or a certificate that they hold; what such events say of other accounts
/// is `null`. With `device_id` and `certificate_id` the events are those of every bundle that ever held that certificate: who
/// held it when. With `actor` they are what that user did; others ask it of themselves and of users of their accounts. A page
/// may hold fewer than `limit` if its events are large, or if much was looked at; `next_cursor` says whether there are more.
#[utoipa::path(
    get, path = "/event/query", tag = "Events",
    params(
        ("after" = Option<i64>, Query, description = "Only events with a greater number", minimum = 0),
        ("entity_name" = Option<EntityWord>, Query, description = "What they are about"),
        ("entity_id" = Option<i64>, Query, description = "Which one", minimum = 1),
        ("action_id" = Option<i64>, Query, description = "The action that they are part of", minimum = 1),
        ("actor" = Option<i64>, Query, description = "The user who did it; 0 for the operator at the machine", minimum = 0),
        ("device_id" = Option<i64>, Query, description = "The device of the certificate that is named by `certificate_id`", minimum = 1),
        ("certificate_id" = Option<i64>, Query, description = "A certificate, by its number within its device", minimum = 1),
        Paged<i64>,
        Fresh,
    ),
    responses((status = 200, description = "A page of events", body = Events), ReadProblems, IdProblems, QueryProblems),
)]
async fn query(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(asked): Query<EventsAsked>,
    Fresh(fresh): Fresh,
) -> Result<Json<Events>, Error> {
    let page = app.blocking(move |registry| registry.events(&caller, &asked.query, asked.limit, fresh)).await?;
    let next = page.through.filter(|_| page.has_more).map(|number| cursor_of(&number.0));
    Ok(Json(Events { events: page.events.iter().map(EventBody::from).collect(), next_cursor: next }))
}
