//! Actions: what was asked and what it did, the refused ones too.
//!
//! What an action did is read from its events, so that it is what the log says. What a rule refused is kept for
//! [`REJECTED_KEPT_DAYS`], outside the log and under ids of its own: the ids of actions stay serial, and the head does not
//! know of refusals. Kept is what users refuse themselves to by the rules of actions on bundles and their like; not kept is
//! who may not act for the account at all (nothing may be put among its actions by strangers), and what a job reports itself.

mod received;
pub(crate) mod result;

pub use received::Origin;
pub use result::Part;

use crate::sight::{Deed as Done, Sight};
use crate::work::Act;
use crate::{Caller, Error, Page, Paging, Registry};
use domain::action::Deed;
use domain::recurring_order::{OrderDeed, OrderKind};
use domain::{
    AccountId, ActionId, ActionKind, Actor, BundleId, BundleStatus, Capability, CertificateRange, Change, Command,
    EventNumber, Refusal, RejectedActionId, State, UserId, WattHours,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use store::Connection;
use store::action::{ActionRow, Of};
use store::rejected_action::{NewRejected, Of as OfRejected, RejectedAction};

/// How long a rejected action is kept.
pub const REJECTED_KEPT_DAYS: i64 = 90;
/// Events behind the actions of one page; a page ends before it exceeds them, so that what its actions did stays bounded.
const PAGE_EVENTS_MAX: i64 = 20_000;
/// Events that are read for one page in brief.
const BRIEF_EVENTS_MAX: i64 = 20_000;

/// Kinds of which refusals are kept.
const REJECTED_KINDS: [ActionKind; 16] = [
    ActionKind::Transfer,
    ActionKind::Cancel,
    ActionKind::Claim,
    ActionKind::Reserve,
    ActionKind::Lock,
    ActionKind::Unlock,
    ActionKind::Withdraw,
    ActionKind::UpdateMutables,
    ActionKind::CreateBundle,
    ActionKind::RecurringTransfer,
    ActionKind::RecurringCancel,
    ActionKind::CreateScr,
    ActionKind::CreateSdr,
    ActionKind::WithdrawScr,
    ActionKind::WithdrawSdr,
    ActionKind::IssueSdgc,
];

/// An action that was carried out, as the caller may see it.
#[derive(Clone, Debug)]
pub struct ActionView {
    pub id: ActionId,
    pub kind: ActionKind,
    /// 0 for the operator; `None` where that is not the caller's business.
    pub user_id: Option<i64>,
    /// The account that it started from, if it has one.
    pub source: Option<AccountId>,
    /// The other account that it concerns: who received, or for whom it was cancelled.
    pub other: Option<AccountId>,
    /// What was asked.
    pub asked: Map<String, Value>,
    pub requested_at: Timestamp,
    pub completed_at: Timestamp,
    pub first_event: EventNumber,
    pub last_event: EventNumber,
    /// Every bundle that it made or changed, as it left it; none on a page in brief.
    pub results: Vec<ResultView>,
    /// How many bundles were acted on, and what they hold together: without what was divided for it, and the remainders.
    pub bundles: usize,
    pub total: WattHours,
    /// Whether this was counted at all: a page in brief leaves out the largest actions.
    pub is_counted: bool,
}

/// A bundle as an action left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultView {
    pub bundle_id: BundleId,
    pub parent_id: Option<BundleId>,
    pub range: CertificateRange,
    /// Both `None` where it was then held elsewhere, and that is not the caller's business.
    pub status: Option<BundleStatus>,
    pub account_id: Option<AccountId>,
    pub part: Part,
}

/// An action that a rule refused.
#[derive(Clone, Debug)]
pub struct RejectedView {
    pub id: RejectedActionId,
    pub kind: ActionKind,
    /// `None` where that is not the caller's business.
    pub user_id: Option<i64>,
    pub asked: Map<String, Value>,
    pub requested_at: Timestamp,
    pub rejected_at: Timestamp,
    /// The slug of the refusal.
    pub reason: String,
    /// The numbers that it carries.
    pub numbers: Map<String, Value>,
    /// The refusal as a sentence.
    pub detail: String,
}

#[derive(Clone, Debug)]
pub enum AnyAction {
    Accepted(ActionView),
    Rejected(RejectedView),
}

/// Which actions to list.
#[derive(Clone, Debug, Default)]
pub struct ActionQuery {
    pub source: Option<AccountId>,
    /// Those that started from this account or concern it otherwise.
    pub of: Option<AccountId>,
    pub kind: Option<ActionKind>,
    /// Who asked for it, 0 for the operator: for who may read everything, and of nobody for others.
    pub user: Option<i64>,
    /// Only accepted (`true`) or only rejected ones.
    pub is_accepted: Option<bool>,
    /// Completed from (included) to (excluded).
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// A place in the list of all actions, the newest first: what was shown last of the accepted and of the rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionPlace {
    pub accepted: Option<ActionId>,
    pub rejected: Option<RejectedActionId>,
}

impl Registry {
    /// An action of an account of the caller's, one that reached it, or one by the caller; any for those who may read
    /// everything. Blocks.
    pub fn action(&self, caller: &Caller, id: ActionId, fresh: Option<EventNumber>) -> Result<ActionView, Error> {
        let found = self.read(fresh, |connection| {
            connection.snapshot(|tx| {
                let sight = Sight::of(tx, caller)?;
                let Some(row) = store::action::by_id(tx, id)?.filter(|row| sight.action(done_of(row))) else {
                    return Ok(None);
                };
                let views = views(tx, &sight, vec![row], Extent::Whole)?;
                Ok(views.into_iter().next())
            })
        })?;
        found.ok_or(Error::NotFound { what: "Action", id: id.0 })
    }

    /// An action of the caller's that a rule refused, or one that a user of an account of theirs asked for on its behalf;
    /// any for those who may read everything. Blocks.
    pub fn rejected_action(
        &self,
        caller: &Caller,
        id: RejectedActionId,
        fresh: Option<EventNumber>,
    ) -> Result<RejectedView, Error> {
        let since = rejected_until(self.now());
        let found = self.read(fresh, |connection| {
            let sight = Sight::of(connection, caller)?;
            let found = store::rejected_action::by_id(connection, id, since)?;
            let is_theirs = |found: &RejectedAction| {
                sight.is_everything
                    || found.rejected.user_id == caller.user_id
                    || found.rejected.account_id.is_some_and(|account| sight.account(account))
            };
            Ok(found.filter(is_theirs).map(|found| rejected_view(&sight, found)))
        })?;
        found.ok_or(Error::NotFound { what: "Rejected action", id: id.0 })
    }

    /// The actions of `query` that are the caller's business, the newest first. Blocks.
    pub fn actions(
        &self,
        caller: &Caller,
        query: &ActionQuery,
        paging: Paging<ActionPlace>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<AnyAction, ActionPlace>, Error> {
        self.list_actions(caller, query, paging, Extent::Whole, fresh)
    }

    /// As [`actions`](Self::actions), but what they did is counted only, and of the largest not even that: of a page 20,000
    /// events are looked at, and pages are full. Blocks.
    pub fn actions_in_brief(
        &self,
        caller: &Caller,
        query: &ActionQuery,
        paging: Paging<ActionPlace>,
        fresh: Option<EventNumber>,
    ) -> Result<Page<AnyAction, ActionPlace>, Error> {
        self.list_actions(caller, query, paging, Extent::Brief, fresh)
    }

    fn list_actions(
        &self,
        caller: &Caller,
        query: &ActionQuery,
        paging: Paging<ActionPlace>,
        extent: Extent,
        fresh: Option<EventNumber>,
    ) -> Result<Page<AnyAction, ActionPlace>, Error> {
        let since = rejected_until(self.now());
        self.read(fresh, |connection| {
            connection.snapshot(|tx| {
                let sight = Sight::of(tx, caller)?;
                let after = paging.after.unwrap_or_default();
                let accepted = match query.is_accepted {
                    Some(false) => Vec::new(),
                    Some(true) | None => accepted_rows(tx, &sight, query, after.accepted, paging.rows())?,
                };
                let rejected = match query.is_accepted {
                    Some(true) => Vec::new(),
                    Some(false) | None => rejected_rows(tx, &sight, query, since, after.rejected, paging.rows())?,
                };
                page(tx, &sight, accepted, rejected, paging, extent)
            })
        })
    }
}

/// How much of what its actions did a page tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Whole,
    Brief,
}

/// The newest of both, as many as the page holds.
fn page(
    tx: &mut Connection,
    sight: &Sight,
    accepted: Vec<ActionRow>,
    rejected: Vec<RejectedAction>,
    paging: Paging<ActionPlace>,
    extent: Extent,
) -> store::Result<Page<AnyAction, ActionPlace>> {
    let mut place = paging.after.unwrap_or_default();
    let (mut rows, mut events) = (Vec::new(), 0);
    let (mut accepted, mut rejected) = (accepted.into_iter().peekable(), rejected.into_iter().peekable());
    let mut shown = Vec::new();
    let mut next = None;
    loop {
        let is_accepted = match (accepted.peek(), rejected.peek()) {
            (None, None) => break,
            (Some(action), Some(refused)) => action.completed_at >= refused.rejected.rejected_at,
            (action, _) => action.is_some(),
        };
        let more = accepted.peek().filter(|_| is_accepted).map_or(0, events_of);
        let is_full = extent == Extent::Whole && events + more > PAGE_EVENTS_MAX && !shown.is_empty();
        if shown.len() == paging.limit || is_full {
            next = Some(place);
            break;
        }
        events += more;
        if is_accepted {
            let row = accepted.next().expect("it was seen just now");
            place.accepted = Some(row.id);
            rows.push(row);
            shown.push(None);
        } else {
            let refused = rejected.next().expect("it was seen just now");
            place.rejected = Some(refused.id);
            shown.push(Some(AnyAction::Rejected(rejected_view(sight, refused))));
        }
    }
    let mut views = views(tx, sight, rows, extent)?.into_iter().map(AnyAction::Accepted);
    let entries = shown.into_iter().filter_map(|entry| entry.or_else(|| views.next())).collect();
    Ok(Page { entries, next })
}

fn accepted_rows(
    tx: &mut Connection,
    sight: &Sight,
    query: &ActionQuery,
    before: Option<ActionId>,
    limit: i64,
) -> store::Result<Vec<ActionRow>> {
    let mut bound = |at: Option<Timestamp>| at.map(|at| store::action::first_at(tx, at)).transpose();
    let (from, to) = (bound(query.from)?, bound(query.to)?);
    let before = [before, to].into_iter().flatten().min();
    if query.user.is_some() && !sight.is_everything {
        return Ok(Vec::new());
    }
    let filter = store::action::Filter { source: query.source, kind: query.kind, actor: query.user, from, before };
    if sight.is_everything && query.of.is_none() {
        return store::action::find(tx, Of::Everybody, &filter, limit);
    }
    let accounts: Vec<AccountId> = match query.of {
        Some(account) if sight.is_everything || sight.account(account) => vec![account],
        Some(_) => Vec::new(),
        None => sight.accounts.iter().copied().collect(),
    };
    // By account, so that each look-up follows an index however many actions there are.
    let mut found = BTreeMap::new();
    for account in &accounts {
        let is_source = query.source.is_none_or(|source| source == *account);
        let own = is_source.then_some(Of::Source(*account));
        for of in own.into_iter().chain([Of::Other(*account)]) {
            found.extend(store::action::find(tx, of, &filter, limit)?.into_iter().map(|row| (row.id, row)));
        }
    }
    Ok(found.into_values().rev().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
}

fn rejected_rows(
    tx: &mut Connection,
    sight: &Sight,
    query: &ActionQuery,
    since: Timestamp,
    before: Option<RejectedActionId>,
    limit: i64,
) -> store::Result<Vec<RejectedAction>> {
    let filter = store::rejected_action::Filter {
        source: query.source.or(query.of),
        kind: query.kind,
        since,
        from: query.from,
        to: query.to,
        before,
    };
    if sight.is_everything {
        let of = query.user.map_or(OfRejected::Everybody, |user| OfRejected::User(UserId(user)));
        return store::rejected_action::find(tx, of, &filter, limit);
    }
    if query.user.is_some() {
        return Ok(Vec::new());
    }
    let mut found = BTreeMap::new();
    let accounts = sight.accounts.iter().map(|account| OfRejected::Account(*account));
    for of in accounts.chain([OfRejected::User(sight.user_id)]) {
        let rows = store::rejected_action::find(tx, of, &filter, limit)?;
        found.extend(rows.into_iter().map(|row| (row.id, row)));
    }
    Ok(found.into_values().rev().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
}

fn done_of(row: &ActionRow) -> Done {
    Done { actor: row.actor, account: row.account_id, other: row.other_account_id }
}

fn events_of(row: &ActionRow) -> i64 {
    row.last_event.0 - row.first_event.0 + 1
}

/// What these actions did, as the caller may see it.
fn views(tx: &mut Connection, sight: &Sight, rows: Vec<ActionRow>, extent: Extent) -> store::Result<Vec<ActionView>> {
    let mut events = 0;
    let counted = rows.iter().filter(|row| {
        let is_counted = extent == Extent::Whole || events + events_of(row) <= BRIEF_EVENTS_MAX;
        events += if is_counted { events_of(row) } else { 0 };
        is_counted
    });
    let counted: Vec<&ActionRow> = counted.collect();
    let counted_ids: HashSet<ActionId> = counted.iter().map(|row| row.id).collect();
    let mut results = match extent {
        Extent::Whole => result::of_actions(tx, &counted)?,
        Extent::Brief => {
            let taken = result::taken_by(tx, &counted)?.into_iter();
            taken.map(|(id, taken)| (id, result::Done { results: Vec::new(), taken })).collect()
        }
    };
    let view = |row: ActionRow| {
        let done = results.remove(&row.id).unwrap_or_default();
        let is_counted = counted_ids.contains(&row.id);
        let deed = done_of(&row);
        // What one's own action did is one's own business wherever it reached; a claim is the beneficiary's, although the
        // bundles stay where they are.
        let is_own = sight.is_own(deed) || (row.kind == ActionKind::Claim && sight.action(deed));
        let is_seen = |account: AccountId| is_own || sight.account(account);
        let close = |result: result::Left| ResultView {
            bundle_id: result.bundle_id,
            parent_id: result.parent_id,
            range: result.range,
            status: is_seen(result.account_id).then_some(result.status),
            account_id: is_seen(result.account_id).then_some(result.account_id),
            part: result.part,
        };
        ActionView {
            id: row.id,
            kind: row.kind,
            user_id: sight.user(row.actor).then_some(row.actor),
            source: row.account_id,
            other: row.other_account_id,
            asked: object(&row.request),
            requested_at: row.requested_at,
            completed_at: row.completed_at,
            first_event: row.first_event,
            last_event: row.last_event,
            results: done.results.into_iter().map(close).collect(),
            bundles: done.taken.bundles,
            total: done.taken.energy,
            is_counted,
        }
    };
    Ok(rows.into_iter().map(view).collect())
}

fn rejected_view(sight: &Sight, found: RejectedAction) -> RejectedView {
    let RejectedAction { id, rejected } = found;
    let mut numbers = object(&rejected.refusal);
    numbers.remove("reason");
    RejectedView {
        id,
        kind: rejected.kind,
        user_id: sight.user(rejected.user_id.0).then_some(rejected.user_id.0),
        asked: object(&rejected.request),
        requested_at: rejected.requested_at,
        rejected_at: rejected.rejected_at,
        reason: reason_of(&rejected.refusal),
        numbers,
        detail: rejected.detail,
    }
}

/// A JSON object that we wrote; anything else is empty.
fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// The slug within a refusal as it is kept.
pub(crate) fn reason_of(refusal: &str) -> String {
    object(refusal).get("reason").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What was rejected up to then is no longer kept.
pub(crate) fn rejected_until(now: Timestamp) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * REJECTED_KEPT_DAYS)).unwrap_or(Timestamp::MIN)
}

/// The other account that an action concerns, once it is decided.
pub(crate) fn other_of(command: &Command, changes: &[Change]) -> Option<AccountId> {
    let action = match command {
        Command::Bundles(action) => action,
        Command::RunOrder(run) => {
            return match &run.terms.deed {
                OrderDeed::Transfer { target } => Some(*target),
                OrderDeed::Cancel { beneficiary_account, .. } => *beneficiary_account,
            }
            .filter(|other| *other != run.terms.source && changes.len() > 1);
        }
        _ => return None,
    };
    let other = match &action.deed {
        Deed::Transfer { target } => Some(*target),
        Deed::Cancel { beneficiary_account, .. } => *beneficiary_account,
        Deed::UpdateMutables { account, .. } => *account,
        Deed::Claim => changes.iter().find_map(|change| match change {
            Change::BundleChanged { before, .. } => before.cancellation.as_ref()?.beneficiary_account,
            _ => None,
        }),
        Deed::Reserve { .. } | Deed::Lock { .. } | Deed::Unlock { .. } | Deed::Withdraw { .. } => None,
    };
    other.filter(|other| *other != action.source)
}

/// What is kept of a refusal; `None` where nothing is.
pub(crate) fn kept_of(
    act: &Act,
    source: Option<AccountId>,
    refusal: &Refusal,
    state: &State,
    now: Timestamp,
) -> Option<NewRejected> {
    let Actor::User(user_id) = act.actor else { return None };
    let kind = act.command.kind();
    if act.step.is_some() || !REJECTED_KINDS.contains(&kind) {
        return None;
    }
    let is_member = source.is_some_and(|account| state.memberships.contains(&(user_id, account)));
    let is_kept = match refusal {
        Refusal::Forbidden { .. } | Refusal::NotBeneficiary { .. } | Refusal::JobMoved | Refusal::OrderMoved { .. } => {
            false
        }
        // Whether it is there at all is told to those only who may act here.
        Refusal::BundleMissing { .. } | Refusal::AccountMissing { .. } => {
            is_member || state.permits(act.actor, Capability::Issue)
        }
        _ => true,
    };
    is_kept.then(|| NewRejected {
        kind,
        user_id,
        account_id: source.filter(|_| is_member),
        requested_at: act.requested_at.min(now),
        rejected_at: now,
        request: act.request.clone(),
        refusal: serde_json::to_string(refusal).unwrap_or_default(),
        detail: refusal.to_string(),
    })
}

/// What is kept of a run that was refused, for those whose order it is: a transfer or a cancellation that came to nothing.
pub(crate) fn kept_of_run(act: &Act, refusal: &Refusal, now: Timestamp) -> Option<NewRejected> {
    let Command::RunOrder(run) = &act.command else { return None };
    let kind = match run.terms.deed.kind() {
        OrderKind::Transfer => ActionKind::Transfer,
        OrderKind::Cancel => ActionKind::Cancel,
    };
    Some(NewRejected {
        kind,
        user_id: domain::UserId(act.actor.code()),
        account_id: Some(run.terms.source),
        requested_at: act.requested_at.min(now),
        rejected_at: now,
        request: act.request.clone(),
        refusal: serde_json::to_string(refusal).unwrap_or_default(),
        detail: refusal.to_string(),
    })
}
