//! The log as it is read: in order, decoded, and closed to strangers.
//!
//! Who may read everything reads the log without gaps. Others read the events of a bundle, a device or an account of
//! theirs, or of an action that is their business; what those say of other accounts is closed ([`FieldView::value`] is
//! `None`). Readings are the exception: one event states those of many devices, so only who may read everything sees it.

use crate::lineage::is_readable;
use crate::sight::{Deed, Sight};
use crate::{Caller, Error, Registry};
use domain::event::decode::{self, Field, FieldValue};
use domain::event::{Entity, EventType, bundle_tag};
use domain::seal::{Hash, Salt};
use domain::{AccountId, ActionId, ActionKind, BundleId, DeviceId, EventNumber, RecurringOrderId, Refusal};
use jiff::Timestamp;
use std::collections::HashSet;
use store::Connection;
use store::event::{Filter, LoggedEvent, Looked};

/// Bytes of attributes on one page, as they are stored; a page ends before it exceeds them.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Events of an actor that are looked at for one page, where only some of them are wanted.
const ACTED_EVENTS_MAX: i64 = 10_000;
/// The most bundles that may have held one certificate, each split off the one before, for its events to be told together.
const CERTIFICATE_BUNDLES_MAX: usize = 10_000;

/// A certificate by its number within its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateNumber {
    pub device: DeviceId,
    pub number: u64,
}

/// Which events to read. Who may not read everything names an entity, an action or a certificate.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventQuery {
    pub after: Option<EventNumber>,
    pub entity: Option<Entity>,
    pub entity_id: Option<i64>,
    pub action: Option<ActionId>,
    /// The events of actions of this user, or of the operator (0).
    pub actor: Option<i64>,
    /// The events of every bundle that ever held this certificate. Not together with an entity or an action.
    pub certificate: Option<CertificateNumber>,
}

/// An event as the caller may see it.
#[derive(Clone, Debug)]
pub struct EventView {
    pub number: EventNumber,
    pub recorded_at: Timestamp,
    pub entity: Entity,
    pub entity_id: i64,
    pub event_type: EventType,
    pub before: Vec<FieldView>,
    pub after: Vec<FieldView>,
    pub salt: Salt,
    pub leaf: Hash,
    pub kind: ActionKind,
    /// `None` where the action is not the caller's business.
    pub action: Option<ActionId>,
    /// The user's id, 0 for the operator; `None` where that is not the caller's business.
    pub actor: Option<i64>,
}

/// A field as the caller may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldView {
    pub tag: u8,
    /// `None` for a tag that this version does not know.
    pub name: Option<&'static str>,
    /// `None` where it says something of another account.
    pub value: Option<FieldValue>,
}

/// Some events in the order of their numbers.
#[derive(Clone, Debug)]
pub struct EventPage {
    pub events: Vec<EventView>,
    /// The log was looked at up to here; what is not in `events` does not match, or is not the caller's business.
    pub through: Option<EventNumber>,
    /// Whether the log goes on behind that.
    pub has_more: bool,
}

impl Registry {
    /// The events of `query`, at most `limit`. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an entity, an action, a certificate or an actor that is not the caller's business;
    /// [`Refusal::Forbidden`] for who may not read everything and names none of the first three; [`Error::BadQuery`] for a
    /// certificate that too many bundles have held.
    pub fn events(
        &self,
        caller: &Caller,
        query: &EventQuery,
        limit: usize,
        fresh: Option<EventNumber>,
    ) -> Result<EventPage, Error> {
        let found = self.read(fresh, |connection| {
            connection.snapshot(|tx| {
                let sight = Sight::of(tx, caller)?;
                match permit(tx, &sight, query)? {
                    Ok(filter) => read(tx, &sight, &filter, limit).map(|found| Ok((sight, found))),
                    Err(refused) => Ok(Err(refused)),
                }
            })
        })?;
        let (sight, found) = found?;
        page(&sight, found, query.after)
    }

    /// The events after `after` that are the caller's business, of at most `limit` that are looked at. Blocks.
    pub fn events_after(
        &self,
        caller: &Caller,
        after: EventNumber,
        limit: usize,
        fresh: Option<EventNumber>,
    ) -> Result<EventPage, Error> {
        let filter = Filter { after: Some(after), ..Filter::default() };
        let (sight, found) = self.read(fresh, |connection| {
            connection.snapshot(|tx| {
                let sight = Sight::of(tx, caller)?;
                read(tx, &sight, &filter, limit).map(|found| (sight, found))
            })
        })?;
        page(&sight, found, Some(after))
    }
}

/// What was read: each event with whether it is the caller's business.
struct Found {
    events: Vec<(LoggedEvent, bool)>,
    /// Up to where nothing else is to be found.
    through: Option<EventNumber>,
    has_more: bool,
}

fn page(sight: &Sight, found: Found, after: Option<EventNumber>) -> Result<EventPage, Error> {
    let Found { events, through, has_more } = found;
    let through = through.or(after);
    let theirs = events.into_iter().filter(|(_, is_theirs)| *is_theirs);
    let events = theirs.map(|(logged, _)| view(sight, &logged)).collect::<Result<_, _>>()?;
    Ok(EventPage { events, through, has_more })
}

fn read(tx: &mut Connection, sight: &Sight, filter: &Filter, limit: usize) -> store::Result<Found> {
    let Looked { events: mut found, mut through, mut has_more } = look(tx, filter, limit)?;
    let mut bytes = 0;
    let fitting = found.iter().take_while(|logged| {
        let is_first = bytes == 0;
        bytes += logged.event.body.before.len() + logged.event.body.after.len() + 1;
        is_first || bytes <= PAGE_BYTES_MAX
    });
    let fitting = fitting.count();
    if fitting < found.len() {
        found.truncate(fitting);
        has_more = true;
        through = found.last().map(|logged| logged.event.number);
    }
    let theirs = theirs(tx, sight, &found)?;
    Ok(Found { events: found.into_iter().zip(theirs).collect(), through, has_more })
}

fn look(tx: &mut Connection, filter: &Filter, limit: usize) -> store::Result<Looked> {
    let is_narrow = filter.until.is_some() || filter.entity_id.is_some() || filter.bundles.is_some();
    let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    if let Some(actor) = filter.actor.filter(|_| !is_narrow) {
        let most = if filter.entity.is_some() { ACTED_EVENTS_MAX.max(one_more) } else { one_more };
        return store::event::by_actor(tx, actor, filter, most, limit);
    }
    let mut events = store::event::find(tx, filter, one_more)?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    let through = events.last().map(|logged| logged.event.number);
    Ok(Looked { events, through, has_more })
}

/// The filter of a query, if the caller may ask it.
fn permit(tx: &mut Connection, sight: &Sight, query: &EventQuery) -> store::Result<Result<Filter, Error>> {
    let mut filter = Filter {
        after: query.after,
        entity: query.entity,
        entity_id: query.entity_id,
        actor: query.actor,
        ..Filter::default()
    };
    // By whom something was done is told of those only whom the caller may know.
    if let Some(id) = query.actor.filter(|id| !sight.user(*id)) {
        return Ok(Err(Error::NotFound { what: "User", id }));
    }
    if let Some(certificate) = query.certificate {
        return Ok(bundles_of(tx, sight, certificate)?.map(|bundles| Filter { bundles: Some(bundles), ..filter }));
    }
    if let Some(id) = query.action {
        let action = store::action::by_id(tx, id)?.filter(|action| {
            sight.action(Deed { actor: action.actor, account: action.account_id, other: action.other_account_id })
        });
        let Some(action) = action else { return Ok(Err(Error::NotFound { what: "Action", id: id.0 })) };
        let before_first = EventNumber(action.first_event.0 - 1);
        filter.after = Some(filter.after.map_or(before_first, |after| after.max(before_first)));
        filter.until = Some(action.last_event);
        return Ok(Ok(filter));
    }
    if sight.is_everything {
        return Ok(Ok(filter));
    }
    let (Some(entity), Some(id)) = (query.entity, query.entity_id) else {
        let needs = "the right to read everything, or the entity_name and entity_id of something of one's own accounts, \
                     an action_id, or the device_id and certificate_id of a certificate";
        return Ok(Err(Refusal::Forbidden { needs: needs.to_owned() }.into()));
    };
    let is_theirs = readable(tx, sight, entity, &[id])?.contains(&id);
    Ok(if is_theirs { Ok(filter) } else { Err(Error::NotFound { what: entity.name(), id }) })
}

/// Every bundle that ever held a certificate: the one that does, and those that it was split from.
fn bundles_of(
    tx: &mut Connection,
    sight: &Sight,
    certificate: CertificateNumber,
) -> store::Result<Result<Vec<i64>, Error>> {
    let CertificateNumber { device, number } = certificate;
    let holding = store::bundle::holding(tx, device, number)?.filter(|bundle| is_readable(sight, bundle));
    let Some(holding) = holding else {
        return Ok(Err(Error::NotFound { what: "Certificate", id: i64::try_from(number).unwrap_or(i64::MAX) }));
    };
    let most = i64::try_from(CERTIFICATE_BUNDLES_MAX + 1).unwrap_or(i64::MAX);
    let line = store::bundle::line(tx, holding.id, most)?;
    if line.len() > CERTIFICATE_BUNDLES_MAX {
        let detail = format!(
            "More than {CERTIFICATE_BUNDLES_MAX} bundles held this certificate, one after the other. Read the events of \
             bundle {} and of those that it was split from.",
            holding.id
        );
        return Ok(Err(Error::BadQuery(detail)));
    }
    Ok(Ok(line.into_iter().map(|bundle| bundle.id.0).collect()))
}

/// Of each event, whether it is the caller's business.
fn theirs(tx: &mut Connection, sight: &Sight, found: &[LoggedEvent]) -> store::Result<Vec<bool>> {
    if sight.is_everything {
        return Ok(vec![true; found.len()]);
    }
    let mut readable_ids = HashSet::new();
    for entity in Entity::ALL {
        let ids: HashSet<i64> =
            found.iter().map(|e| &e.event.body).filter(|b| b.entity == *entity).map(|b| b.entity_id).collect();
        let ids: Vec<i64> = ids.into_iter().collect();
        readable_ids.extend(readable(tx, sight, *entity, &ids)?.into_iter().map(|id| (*entity, id)));
    }
    let is_theirs = |logged: &LoggedEvent| {
        let body = &logged.event.body;
        let is_open = body.entity != Entity::Measurement;
        readable_ids.contains(&(body.entity, body.entity_id)) || (is_open && sight.is_own(deed_of(logged)))
    };
    Ok(found.iter().map(is_theirs).collect())
}

/// Which of these entities are of the caller's accounts.
fn readable(tx: &mut Connection, sight: &Sight, entity: Entity, ids: &[i64]) -> store::Result<HashSet<i64>> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let accounts = sight.account_ids();
    let found: Vec<i64> = match entity {
        Entity::User => ids.iter().copied().filter(|id| *id == sight.user_id.0).collect(),
        Entity::Account => ids.iter().copied().filter(|id| sight.account(AccountId(*id))).collect(),
        Entity::Device if sight.is_every_device => ids.to_vec(),
        Entity::Device => store::device::of_accounts(tx, ids, &accounts)?.into_iter().map(|DeviceId(id)| id).collect(),
        Entity::Bundle => store::bundle::of_accounts(tx, ids, &accounts)?.into_iter().map(|BundleId(id)| id).collect(),
        Entity::RecurringOrder => {
            let found = store::recurring_order::of_accounts(tx, ids, &accounts)?;
            found.into_iter().map(|RecurringOrderId(id)| id).collect()
        }
        Entity::Scr => store::storage::scrs_of_accounts(tx, ids, &accounts)?,
        Entity::Sdr => store::storage::sdrs_of_accounts(tx, ids, &accounts)?,
        Entity::Draw => store::storage::draws_of_accounts(tx, ids, &accounts)?,
        // What the issuing body states under its own name is everybody's.
        Entity::Metadata => ids.to_vec(),
        Entity::Measurement | Entity::Organisation | Entity::Attributes => Vec::new(),
    };
    Ok(found.into_iter().collect())
}

fn deed_of(logged: &LoggedEvent) -> Deed {
    Deed { actor: logged.actor, account: logged.account_id, other: logged.other_account_id }
}

/// The event, decoded, and closed where it says something of others.
///
/// # Errors
/// [`Error::Internal`], if the log is damaged.
pub(crate) fn view(sight: &Sight, logged: &LoggedEvent) -> Result<EventView, Error> {
    let (event, body, deed) = (&logged.event, &logged.event.body, deed_of(logged));
    let side = |bytes: &[u8]| -> Result<Vec<FieldView>, Error> {
        let fields = decode::fields(body.entity, bytes).map_err(|error| {
            tracing::error!(event = event.number.0, %error, "an event cannot be read");
            Error::Internal
        })?;
        Ok(fields.into_iter().map(|field| closed(sight, deed, body.entity, field)).collect())
    };
    Ok(EventView {
        number: event.number,
        recorded_at: event.recorded_at,
        entity: body.entity,
        entity_id: body.entity_id,
        event_type: body.event_type,
        before: side(&body.before)?,
        after: side(&body.after)?,
        salt: event.salt,
        leaf: event.leaf,
        kind: logged.kind,
        action: sight.action(deed).then_some(event.action_id),
        actor: sight.user(logged.actor).then_some(logged.actor),
    })
}

/// Where a bundle was, and for whom it was cancelled, is not for its next holder to know.
fn closed(sight: &Sight, deed: Deed, entity: Entity, field: Field) -> FieldView {
    let is_seen = entity != Entity::Bundle
        || sight.is_own(deed)
        || match (field.tag, &field.value) {
            (bundle_tag::ACCOUNT_ID | bundle_tag::BENEFICIARY_ACCOUNT_ID, FieldValue::Integer(id)) => {
                sight.account(AccountId(*id))
            }
            (bundle_tag::ACCOUNT_ID | bundle_tag::BENEFICIARY_ACCOUNT_ID, _) => false,
            (bundle_tag::BENEFICIARY | bundle_tag::PURPOSE, _) => deed.other.is_some_and(|id| sight.account(id)),
            _ => true,
        };
    FieldView { tag: field.tag, name: field.name, value: is_seen.then_some(field.value) }
}
