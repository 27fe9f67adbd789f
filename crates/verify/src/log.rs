//! The log from its first event to its last: numbers, leaves, tree and head, and who did what in which action.
//!
//! Invariant: one event and one page of actions (without their requests) are in memory, and what [`World`] holds.

use crate::PAGE;
use crate::decode::{Fault, Fields};
use crate::head::{Head, check_next};
use crate::moves::{Moves, tag};
use crate::orders;
use crate::report::{Audit, FindingKind, Noun, Phase, at, hex};
use crate::rows::{self, Event, number};
use crate::rules::{self, entity, roles_for};
use crate::seal::{self, Hash, Preimage, Tree};
use crate::world::World;
use db::{Connection, Result};
use std::collections::VecDeque;

/// Reads the whole log; what is known at its end comes back.
pub(crate) fn check(connection: &mut Connection, audit: &mut Audit<'_>, head: &Head) -> Result<World> {
    let mut log = Log::default();
    loop {
        log.actions.refill(connection, audit)?;
        let before = log.events;
        rows::events_after(connection, log.last, |event| log.event(audit, event))?;
        audit.progress(Phase::Log, log.events, head.event_number);
        if log.events == before {
            break;
        }
    }
    log.moves.interrupted(audit);
    log.actions.drain(connection, audit, log.last)?;
    log.check_head(audit, head);
    audit.checked(7, log.events);
    let counts = audit.counts();
    (counts.events, counts.actions) = (log.events, log.actions.count);
    (counts.root, counts.event_number) = (log.tree.root(), log.last);
    Ok(log.world)
}

#[derive(Default)]
struct Log {
    world: World,
    moves: Moves,
    actions: Actions,
    tree: Tree,
    buffer: Preimage,
    events: u64,
    /// The number, time and leaf of the event before, as they are stored.
    last: i64,
    last_recorded_at: i64,
    last_leaf: Hash,
    /// What the leaf before must be, where it is not that.
    last_expected: Option<Hash>,
    /// The action that was looked at.
    last_action: i64,
}

impl Log {
    fn event(&mut self, audit: &mut Audit<'_>, event: &Event<'_>) {
        self.events += 1;
        let number = event.number;
        let follows = number == self.last + 1;
        if !follows {
            audit.find(FindingKind::EventMissing, Noun::Event, self.last + 1, None, || match number - 1 - self.last {
                1 => format!("event {} is missing", self.last + 1),
                count => format!("{count} events are missing, from {} to {}", self.last + 1, number - 1),
            });
        }
        if event.recorded_at < self.last_recorded_at && self.events > 1 {
            audit.find(FindingKind::TimeBackwards, Noun::Event, number, Some(number), || {
                let (now, before) = (at(event.recorded_at), at(self.last_recorded_at));
                format!("event {number} was recorded at {now}, the event before it at {before}")
            });
        }
        let action = self.actions.of(audit, event);
        // without the event before there is nothing to compare with
        self.last_expected = if follows { self.check_leaf(audit, event, action.as_ref()) } else { None };
        self.tree.append(event.leaf);
        (self.last, self.last_recorded_at, self.last_leaf) = (number, event.recorded_at, event.leaf);
        if let Some(action) = &action {
            self.check_action(audit, action, event);
        }
        if let Err(fault) = self.check_content(audit, action.as_ref(), event) {
            audit.find(FindingKind::EventMalformed, Noun::Event, number, Some(number), || {
                format!("event {number} cannot be read: {fault}")
            });
        }
    }

    /// Compares the leaf with the event's bytes; what it must be comes back if it is something else.
    fn check_leaf(&mut self, audit: &mut Audit<'_>, event: &Event<'_>, action: Option<&Action>) -> Option<Hash> {
        let action = action?;
        let expected = seal::leaf_hash(&mut self.buffer, event, &action.hash, &self.last_leaf);
        if expected == Some(event.leaf) {
            return None;
        }
        // an event is not to blame for the leaf before it
        if let Some(before) = &self.last_expected
            && seal::leaf_hash(&mut self.buffer, event, &action.hash, before) == Some(event.leaf)
        {
            return None;
        }
        audit.find(FindingKind::LeafDiffers, Noun::Event, event.number, Some(event.number), || {
            let (found, expected) = (hex(&event.leaf), expected.map(|hash| hex(&hash)));
            let expected = expected.unwrap_or_else(|| "nothing: a code does not fit one byte".to_owned());
            format!("the leaf of event {} is {found}; its content gives {expected}", event.number)
        });
        expected
    }

    /// Once for each action, at its first event: its time and its actor.
    fn check_action(&mut self, audit: &mut Audit<'_>, action: &Action, event: &Event<'_>) {
        if self.last_action == action.id {
            return;
        }
        self.last_action = action.id;
        let Action { id, actor, kind, requested_at, completed_at, .. } = *action;
        if kind == rules::kind::IMPORT_SEED {
            self.world.imports.insert(id);
        }
        if completed_at != event.recorded_at || requested_at > completed_at {
            audit.find(FindingKind::ActionTimeDiffers, Noun::Action, id, Some(event.number), || {
                let (requested, completed, recorded) = (at(requested_at), at(completed_at), at(event.recorded_at));
                format!("action {id} was asked for at {requested}, done at {completed} and recorded at {recorded}")
            });
        }
        if actor == 0 {
            return;
        }
        // of themselves everybody may
        let is_own = kind == rules::kind::UPDATE_USER && event.entity == entity::USER && event.entity_id == actor;
        // a run that was refused was perhaps refused for that; whether it is one is judged with its order
        let is_run = kind == rules::kind::RUN_ORDER;
        let event = event.number;
        if !self.world.knows_user(actor) {
            audit.find(FindingKind::ActorUnknown, Noun::Action, id, Some(event), || {
                format!("action {id} was taken by user {actor}, who did not exist")
            });
        } else if !is_own && !is_run && !self.world.has_role(actor, roles_for(kind)) {
            audit.find(FindingKind::ActorNotPermitted, Noun::Action, id, Some(event), || {
                format!("action {id} of kind {kind} was taken by user {actor}, who had no role for it")
            });
        }
    }

    fn check_content(
        &mut self,
        audit: &mut Audit<'_>,
        action: Option<&Action>,
        event: &Event<'_>,
    ) -> std::result::Result<(), Fault> {
        let (before, after) = (Fields::parse(event.before)?, Fields::parse(event.after)?);
        let Event { number, entity, change, .. } = *event;
        let is_bundle = entity == entity::BUNDLE;
        let is_child = !(is_bundle && change == rules::CREATE) || after.has(tag::PARENT);
        if let Some(action) = action.filter(|action| !rules::makes(action.kind, entity, change, is_child)) {
            audit.find(FindingKind::KindDoesNotFit, Noun::Event, number, Some(number), || {
                let (id, kind) = (action.id, action.kind);
                let what = Noun::of_entity(entity).map_or("an unknown entity".to_owned(), |noun| format!("{noun:?}"));
                format!("action {id} of kind {kind} cannot make an event of type {change} on {what}")
            });
        }
        let updates_device = action.is_some_and(|action| action.kind == rules::kind::UPDATE_DEVICE);
        if updates_device && after.integer(12)? == Some(1) {
            let text = || format!("event {number} approves a device by changing it");
            audit.find(FindingKind::KindDoesNotFit, Noun::Event, number, Some(number), text);
        }
        if entity == entity::MEASUREMENT
            && change == rules::UPDATE
            && let Some(action) = action.filter(|a| !rules::updates_reading(a.kind, after.has(3), after.has(4)))
        {
            audit.find(FindingKind::KindDoesNotFit, Noun::Event, number, Some(number), || {
                format!("action {} of kind {} updates reading {} otherwise", action.id, action.kind, event.entity_id)
            });
        }
        if entity == entity::MEASUREMENT
            && change == rules::CREATE
            && let Some(source) = after.integer(2)?
            && let Some(action) = action.filter(|action| !rules::states_readings(action.kind, source))
        {
            audit.find(FindingKind::KindDoesNotFit, Noun::Event, number, Some(number), || {
                format!("action {} of kind {} makes readings from source {source}", action.id, action.kind)
            });
        }
        if is_bundle {
            return self.moves.event(audit, &self.world, action, event, &before, &after);
        }
        self.moves.interrupted(audit);
        if let Some(action) = action.filter(|_| entity == entity::RECURRING_ORDER) {
            return orders::event(audit, &mut self.world, action, event, &after);
        }
        self.world.apply(audit, event, &before, &after)
    }

    fn check_head(&mut self, audit: &mut Audit<'_>, head: &Head) {
        let mut differs = |text: String| audit.find(FindingKind::HeadDiffers, Noun::Head, 1, None, || text);
        if head.event_number != self.last {
            differs(format!("the head says that event {} is the last; it is {}", head.event_number, self.last));
        }
        if head.recorded_at != self.last_recorded_at && self.events > 0 {
            let (found, expected) = (at(head.recorded_at), at(self.last_recorded_at));
            differs(format!("the head says that the last event was recorded at {found}; it was at {expected}"));
        }
        if head.leaf != self.last_leaf {
            let (found, expected) = (hex(&head.leaf), hex(&self.last_leaf));
            differs(format!("the head's leaf is {found}; that of the last event is {expected}"));
        }
        let peaks = self.tree.peaks();
        if head.peaks != peaks {
            let (found, expected) = (hex(&head.peaks), hex(&peaks));
            differs(format!("the head's peaks are {found}; the tree over the log has {expected}"));
        }
        check_next(audit, "next_action", head.next_action, self.actions.last_id);
    }
}

/// What is kept of an action.
#[derive(Clone, Copy)]
pub(crate) struct Action {
    pub(crate) id: i64,
    pub(crate) kind: i64,
    pub(crate) actor: i64,
    requested_at: i64,
    completed_at: i64,
    hash: Hash,
    first: i64,
    last: i64,
}

/// The actions beside the events, in the same order.
#[derive(Default)]
struct Actions {
    queue: VecDeque<Action>,
    /// The one that was left behind last.
    left: Option<Action>,
    last_id: i64,
    /// The last event that the actions read so far cover.
    covered: i64,
    count: u64,
    buffer: Preimage,
}

impl Actions {
    /// Reads ahead: a page of events has at most as many actions.
    fn refill(&mut self, connection: &mut Connection, audit: &mut Audit<'_>) -> Result<()> {
        let missing = PAGE - i64::try_from(self.queue.len()).unwrap_or(PAGE);
        if missing <= 0 {
            return Ok(());
        }
        connection.query_each(
            "SELECT id, kind, actor, requested_at, request, salt, hash, first_event, last_event, completed_at FROM action \
             WHERE id > $1 ORDER BY id LIMIT $2",
            &[self.last_id.into(), missing.into()],
            |row| {
                let salt: [u8; 16] = row.get(5)?;
                let sealed = seal::Action {
                    id: row.get(0)?,
                    kind: row.get(1)?,
                    actor: row.get(2)?,
                    requested_at: number(row, 3)?,
                    request: row.get(4)?,
                    salt: &salt,
                };
                let action = Action {
                    id: sealed.id,
                    kind: sealed.kind,
                    actor: sealed.actor,
                    requested_at: sealed.requested_at,
                    completed_at: number(row, 9)?,
                    hash: row.get(6)?,
                    first: row.get(7)?,
                    last: row.get(8)?,
                };
                let expected = seal::action_hash(&mut self.buffer, &sealed);
                self.add(audit, action, &expected);
                Ok(())
            },
        )
    }

    fn add(&mut self, audit: &mut Audit<'_>, action: Action, expected: &Hash) {
        let Action { id, first, last, .. } = action;
        self.count += 1;
        if id != self.last_id + 1 {
            audit.find(FindingKind::IdMissing, Noun::Action, self.last_id + 1, None, || {
                format!("there is no action {}; the next is {id}", self.last_id + 1)
            });
        }
        if action.hash != *expected {
            audit.find(FindingKind::ActionHashDiffers, Noun::Action, id, Some(first), || {
                format!("the hash of action {id} is {}; its content gives {}", hex(&action.hash), hex(expected))
            });
        }
        if first != self.covered + 1 || last < first {
            audit.find(FindingKind::ActionEventsDiffer, Noun::Action, id, Some(first), || {
                let next = self.covered + 1;
                format!(
                    "action {id} has events {first} to {last}; the actions before it end so that it begins with {next}"
                )
            });
        }
        (self.last_id, self.covered) = (id, last);
        self.queue.push_back(action);
    }

    /// The action that an event names; a finding if it is not the one in whose run of events it lies.
    fn of(&mut self, audit: &mut Audit<'_>, event: &Event<'_>) -> Option<Action> {
        while let Some(front) = self.queue.front().filter(|action| action.last < event.number) {
            self.left = Some(*front);
            self.queue.pop_front();
        }
        let here = self.queue.front().copied().filter(|action| action.first <= event.number);
        if here.is_some_and(|action| action.id == event.action_id) {
            return here;
        }
        audit.find(FindingKind::EventWithoutAction, Noun::Event, event.number, Some(event.number), || {
            let (number, named) = (event.number, event.action_id);
            match here {
                Some(action) => format!("event {number} names action {named}, but lies in action {}", action.id),
                None => format!("event {number} names action {named}, but lies in no action"),
            }
        });
        match self.queue.binary_search_by_key(&event.action_id, |action| action.id) {
            Ok(index) => self.queue.get(index).copied(),
            Err(_) => self.left.filter(|action| action.id == event.action_id),
        }
    }

    /// Reads what is left after the last event.
    fn drain(&mut self, connection: &mut Connection, audit: &mut Audit<'_>, last_event: i64) -> Result<()> {
        loop {
            for action in self.queue.drain(..).filter(|action| action.last > last_event) {
                audit.find(FindingKind::ActionEventsDiffer, Noun::Action, action.id, Some(action.last), || {
                    let Action { id, first, last, .. } = action;
                    format!("action {id} has events {first} to {last}; the last event of the log is {last_event}")
                });
            }
            self.refill(connection, audit)?;
            if self.queue.is_empty() {
                return Ok(());
            }
        }
    }
}
