//! What the events of bundles do, in the order of the log: issues, splits, changes of state, moves between accounts.
//!
//! A split is three events in a row: the parent becomes Bundle Split, then its first child and the rest are created. The
//! rest stays as its parent was, so what differs between the two is what the action did. Of a correction, which withdraws
//! the end of a bundle, the rest comes first.
//! Invariant: an event is judged by what the events before it say, never by the tables.

use crate::decode::{Fault, Fields};
use crate::log::Action;
use crate::report::{Audit, FindingKind, Noun, at, shown};
use crate::rows::Event;
use crate::rules::{CREATE, kind, leads, may_follow, moves_from, needs_unexpired, status};
use crate::storage::STORAGE;
use crate::world::World;

/// Tags of a bundle's fields.
pub(crate) mod tag {
    pub(crate) const ACCOUNT: u8 = 1;
    pub(crate) const STATUS: u8 = 2;
    pub(crate) const BENEFICIARY: u8 = 3;
    pub(crate) const BENEFICIARY_ACCOUNT: u8 = 4;
    pub(crate) const PURPOSE: u8 = 5;
    pub(crate) const DEVICE: u8 = 6;
    pub(crate) const ATTRIBUTES: u8 = 7;
    pub(crate) const FIRST: u8 = 8;
    pub(crate) const LAST: u8 = 9;
    pub(crate) const START: u8 = 10;
    pub(crate) const END: u8 = 11;
    pub(crate) const ISSUED_AT: u8 = 12;
    pub(crate) const EXPIRES_AT: u8 = 13;
    pub(crate) const PARENT: u8 = 14;
    /// Of a certificate issued on a discharge.
    pub(crate) const DRAW: u8 = 15;
}

/// A split whose children are still to come.
struct Split {
    parent: i64,
    event: i64,
    /// The parent's state before.
    was: i64,
    first: Option<Child>,
}

#[derive(Clone, Copy)]
struct Child {
    id: i64,
    account: i64,
    status: i64,
    expires_at: i64,
}

/// What an action did to a bundle or to the first part of it.
struct Deed {
    bundle: i64,
    /// States, if they are known: an event of a whole bundle has them only where they change.
    status: Option<(i64, i64)>,
    /// From which account to which, if the bundle moved.
    moved: Option<(i64, i64)>,
    /// Known at a split; of whole bundles it is checked with their rows.
    expires_at: Option<i64>,
}

#[derive(Default)]
pub(crate) struct Moves {
    split: Option<Split>,
}

impl Moves {
    /// An event that is not a bundle's, or the end: a split cannot be open.
    pub(crate) fn interrupted(&mut self, audit: &mut Audit<'_>) {
        let Some(split) = self.split.take() else { return };
        audit.find(FindingKind::SplitWrong, Noun::Bundle, split.parent, Some(split.event), || {
            let (parent, event) = (split.parent, split.event);
            format!("event {event} splits bundle {parent}, but the two events after it do not create its two children")
        });
    }

    pub(crate) fn event(
        &mut self,
        audit: &mut Audit<'_>,
        world: &World,
        action: Option<&Action>,
        event: &Event<'_>,
        before: &Fields<'_>,
        after: &Fields<'_>,
    ) -> Result<(), Fault> {
        if event.change != CREATE {
            self.interrupted(audit);
            return self.update(audit, world, action, event, before, after);
        }
        if action.is_some_and(|action| action.kind == kind::IMPORT_SEED) {
            self.interrupted(audit);
            return adopt(audit, world, event, after);
        }
        if let Some(parent) = after.integer(tag::PARENT)? {
            return self.child(audit, world, action, event, after, parent);
        }
        self.interrupted(audit);
        let is_storage = action.is_some_and(|action| action.kind == kind::ISSUE_SDGC);
        issue(audit, world, event, after, is_storage)
    }

    fn update(
        &mut self,
        audit: &mut Audit<'_>,
        world: &World,
        action: Option<&Action>,
        event: &Event<'_>,
        before: &Fields<'_>,
        after: &Fields<'_>,
    ) -> Result<(), Fault> {
        let status = before.integer(tag::STATUS)?.zip(after.integer(tag::STATUS)?);
        let moved = before.integer(tag::ACCOUNT)?.zip(after.integer(tag::ACCOUNT)?);
        if let Some((was, status::SPLIT)) = status {
            if !may_follow(was, status::SPLIT) {
                find_state(audit, event.entity_id, event.number, was, status::SPLIT);
            }
            if moved.is_some() {
                let text = || "a bundle changed its account by being split".to_owned();
                audit.find(FindingKind::MovedByOtherAction, Noun::Bundle, event.entity_id, Some(event.number), text);
            }
            self.split = Some(Split { parent: event.entity_id, event: event.number, was, first: None });
            return Ok(());
        }
        let deed = Deed { bundle: event.entity_id, status, moved, expires_at: None };
        if let Some(action) = action {
            judge(audit, world, action, event, &deed);
        }
        Ok(())
    }

    fn child(
        &mut self,
        audit: &mut Audit<'_>,
        world: &World,
        action: Option<&Action>,
        event: &Event<'_>,
        after: &Fields<'_>,
        parent: i64,
    ) -> Result<(), Fault> {
        let child = Child {
            id: event.entity_id,
            account: after.integer(tag::ACCOUNT)?.unwrap_or(0),
            status: after.integer(tag::STATUS)?.unwrap_or(0),
            expires_at: after.integer(tag::EXPIRES_AT)?.unwrap_or(0),
        };
        let Some(mut split) = self.split.take_if(|split| split.parent == parent) else {
            self.interrupted(audit);
            audit.find(FindingKind::SplitWrong, Noun::Bundle, child.id, Some(event.number), || {
                format!("bundle {} is created as a child of bundle {parent}, which is not split just before", child.id)
            });
            return Ok(());
        };
        let Some(first) = split.first else {
            split.first = Some(child);
            self.split = Some(split);
            return Ok(());
        };
        let is_correction = action.is_some_and(|action| action.kind == kind::UPDATE_MEASUREMENT);
        let (part, rest) = if is_correction { (child, first) } else { (first, child) };
        if rest.status != split.was {
            audit.find(FindingKind::StateWrong, Noun::Bundle, rest.id, Some(event.number), || {
                let (now, was) = (status::name(rest.status), status::name(split.was));
                format!("the rest of split bundle {parent} is created as {now}; the bundle was {was}")
            });
        }
        let deed = Deed {
            bundle: part.id,
            status: Some((rest.status, part.status)),
            moved: (part.account != rest.account).then_some((rest.account, part.account)),
            expires_at: Some(part.expires_at),
        };
        if let Some(action) = action {
            judge(audit, world, action, event, &deed);
        }
        Ok(())
    }
}

/// Whether an action may do this, and its actor.
fn judge(audit: &mut Audit<'_>, world: &World, action: &Action, event: &Event<'_>, deed: &Deed) {
    let (bundle, number) = (deed.bundle, event.number);
    let misfit = |audit: &mut Audit<'_>, what: String| {
        audit.find(FindingKind::KindDoesNotFit, Noun::Bundle, bundle, Some(number), || {
            format!("action {} is of kind {} and {what}", action.id, action.kind)
        });
    };
    // what backs a charge is split off what was cancelled, and stays as it was
    let is_allocation = action.kind == kind::CREATE_SCR && deed.moved.is_none();
    match deed.status {
        Some((status::CANCELLED, status::CANCELLED)) if is_allocation => return,
        Some((from, to)) if from != to => {
            if !may_follow(from, to) {
                find_state(audit, bundle, number, from, to);
            } else if !leads(action.kind, from, to) {
                misfit(audit, format!("makes a bundle {} that was {}", status::name(to), status::name(from)));
            }
        }
        Some((from, _)) if deed.moved.is_some() && !moves_from(action.kind, from) => {
            find_state(audit, bundle, number, from, status::ACTIVE);
        }
        Some(_) | None if deed.moved.is_none() => misfit(audit, "changes neither state nor account".to_owned()),
        Some(_) | None => {}
    }
    if let Some((source, target)) = deed.moved {
        judge_move(audit, world, action, (bundle, number), source, target);
    }
    let (from, to) = deed.status.unwrap_or_default();
    if let Some(expires_at) = deed.expires_at.filter(|_| needs_unexpired(from, to, deed.moved.is_some())) {
        check_expiry(audit, bundle, event, expires_at);
    }
}

fn judge_move(
    audit: &mut Audit<'_>,
    world: &World,
    action: &Action,
    (bundle, number): (i64, i64),
    source: i64,
    target: i64,
) {
    audit.checked(5, 1);
    let mut find = |kind: FindingKind, text: String| audit.find(kind, Noun::Bundle, bundle, Some(number), || text);
    let moved = format!("event {number} moves bundle {bundle} from account {source} to account {target}");
    if action.kind == kind::UPDATE_MUTABLES {
        // the issuer needs nobody's leave, but somewhere to put it
        if !world.accounts.contains(&target) {
            find(FindingKind::MovedByOtherAction, format!("{moved}, which did not exist then"));
        }
        return;
    }
    if let Some(run) = world.run.filter(|run| run.action == action.id && !run.moves(source, target)) {
        find(FindingKind::OrderWrong, format!("{moved}; the order {} that ran says otherwise", run.order));
    }
    if action.kind != kind::TRANSFER {
        let text = format!("{moved} by action {} of kind {}, which is not a transfer", action.id, action.kind);
        find(FindingKind::MovedByOtherAction, text);
    }
    if world.deleted_accounts.contains_key(&target) {
        find(FindingKind::DeletedInUse, format!("{moved}, which had been deleted"));
    }
    if !world.may_trade(action.actor, source) {
        let text = format!("{moved}; user {} could not act for account {source} then", action.actor);
        find(FindingKind::MovedByStranger, text);
    }
    if !world.whitelist.contains(&(target, source)) {
        let text = format!("{moved}; account {target} had not whitelisted account {source} then");
        find(FindingKind::MovedWithoutWhitelist, text);
    }
}

/// A bundle as it is issued.
fn issue(
    audit: &mut Audit<'_>,
    world: &World,
    event: &Event<'_>,
    after: &Fields<'_>,
    is_storage: bool,
) -> Result<(), Fault> {
    let (id, now) = (event.entity_id, event.recorded_at);
    let field = |tag| after.integer(tag).map(Option::unwrap_or_default);
    let (account, issued_at) = (field(tag::ACCOUNT)?, field(tag::ISSUED_AT)?);
    let wrong = wrong_origin(world, event, after, is_storage)?.or_else(|| {
        let device = world.devices.get(&after.integer(tag::DEVICE).ok()??)?;
        if device.account != account {
            return Some(format!("issued to account {account}; the device is of account {}", device.account));
        }
        let text = || format!("issued_at is {}, the event was recorded at {}", at(issued_at), at(now));
        (issued_at != now).then(text)
    });
    if let Some(text) = wrong {
        audit.find(FindingKind::IssueWrong, Noun::Bundle, id, Some(event.number), || text);
    }
    let born = if field(tag::EXPIRES_AT)? <= now { status::EXPIRED } else { status::ACTIVE };
    let found = field(tag::STATUS)?;
    if found != born {
        audit.find(FindingKind::StateWrong, Noun::Bundle, id, Some(event.number), || {
            format!("bundle {id} was issued as {}; it must be {}", status::name(found), status::name(born))
        });
    }
    Ok(())
}

/// A bundle as it is adopted from another registry: held by an account that there is, in any state that it can be in now.
/// That it fits its family, its reading and its device's other certificates is checked with the rows.
fn adopt(audit: &mut Audit<'_>, world: &World, event: &Event<'_>, after: &Fields<'_>) -> Result<(), Fault> {
    let (id, now) = (event.entity_id, event.recorded_at);
    let field = |tag| after.integer(tag).map(Option::unwrap_or_default);
    let (account, issued_at, found) = (field(tag::ACCOUNT)?, field(tag::ISSUED_AT)?, field(tag::STATUS)?);
    let wrong = wrong_origin(world, event, after, false)?.or_else(|| {
        if !world.accounts.contains(&account) {
            return Some(format!("adopted into account {account}, which did not exist"));
        }
        let device = after.integer(tag::DEVICE).ok()??;
        if !world.devices.get(&device)?.is_adopted {
            return Some(format!("adopted on device {device}, which was registered here"));
        }
        let text = || format!("issued_at is {}, the event was recorded at {}", at(issued_at), at(now));
        (issued_at > now).then(text)
    });
    if let Some(text) = wrong {
        audit.find(FindingKind::IssueWrong, Noun::Bundle, id, Some(event.number), || text);
    }
    let is_over = field(tag::EXPIRES_AT)? <= now && matches!(found, status::ACTIVE | status::LOCKED);
    if is_over || !(status::ACTIVE..=status::SPLIT).contains(&found) {
        audit.find(FindingKind::StateWrong, Noun::Bundle, id, Some(event.number), || {
            format!("bundle {id} was adopted as {}, which it could not be then", status::name(found))
        });
    }
    Ok(())
}

/// What is wrong with where and when a bundle's energy is said to come from, if anything.
fn wrong_origin(
    world: &World,
    event: &Event<'_>,
    after: &Fields<'_>,
    is_storage: bool,
) -> Result<Option<String>, Fault> {
    let (id, now) = (event.entity_id, event.recorded_at);
    let field = |tag| after.integer(tag).map(Option::unwrap_or_default);
    let (device_id, start, end) = (field(tag::DEVICE)?, field(tag::START)?, field(tag::END)?);
    Ok(match world.devices.get(&device_id) {
        None => Some(format!("there was no device {device_id} when bundle {id} was issued on it")),
        Some(device) if is_storage && device.kind != STORAGE => Some(format!("device {device_id} is not storage")),
        Some(device) if !is_storage && device.kind != 1 => {
            Some(format!("device {device_id} is not a production device"))
        }
        Some(_) if is_storage != after.has(tag::DRAW) => {
            Some(format!("bundle {id} was issued on a draw, or by an action on a discharge, and not both"))
        }
        Some(device) if device.is_deleted => Some(format!("device {device_id} was deleted before")),
        Some(device) if !device.is_approved => Some(format!("device {device_id} was not approved at issue")),
        Some(device) if start < device.operational_date => {
            Some(format!("produced from {}, before device {device_id} was operational", at(start)))
        }
        Some(_) if end > now => Some(format!("produced until {}, issued at {}", at(end), at(now))),
        Some(_) => None,
    })
}

pub(crate) fn check_expiry(audit: &mut Audit<'_>, bundle: i64, event: &Event<'_>, expires_at: i64) {
    if event.recorded_at >= expires_at {
        audit.find(FindingKind::ActedAfterExpiry, Noun::Bundle, bundle, Some(event.number), || {
            format!("acted on at {}; bundle {bundle} expired at {}", at(event.recorded_at), at(expires_at))
        });
    }
}

/// A bundle becomes Expired at its time or later.
pub(crate) fn check_is_over(audit: &mut Audit<'_>, bundle: i64, event: &Event<'_>, expires_at: i64) {
    if event.recorded_at < expires_at {
        audit.find(FindingKind::ExpiredTooEarly, Noun::Bundle, bundle, Some(event.number), || {
            format!("bundle {bundle} became Expired at {}; it expires at {}", at(event.recorded_at), at(expires_at))
        });
    }
}

pub(crate) fn find_state(audit: &mut Audit<'_>, bundle: i64, number: i64, from: i64, to: i64) {
    audit.find(FindingKind::StateWrong, Noun::Bundle, bundle, Some(number), || {
        let (was, now) = (status::name(from), status::name(to));
        format!("event {number} makes bundle {bundle} {now}; it was {was}, and {now} does not follow from that")
    });
}

/// The text of a value that is not as it must be.
pub(crate) fn differs(field: &str, found: Option<i64>, expected: Option<i64>) -> String {
    format!("{field} is {}; by its events it must be {}", shown(found), shown(expected))
}
