//! Activity: what was done and what was refused, of one account or of all, the newest first.

use super::action::title;
use super::names::{self, Names};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, Parameters, instant};
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{ACTIONS_PER_PAGE, CHOICES_MAX};
use crate::visitor::{Known, Visitor};
use crate::words;
use app::{ActionPlace, ActionQuery, AnyAction, Caller, Error, Paging, Registry, UserView};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use domain::{AccountId, ActionId, ActionKind, Capability, EventNumber, RejectedActionId, Role, WattHours};
use serde_json::{Map, Value};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Accounts of the visitor's among whose partners names are looked for.
const NEAR_MAX: usize = 5;

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/activity", get(all)).route("/account/{id}/activity", get(of_account))
}

#[derive(Template)]
#[template(path = "activity.html")]
struct Page {
    frame: Frame,
    heading: &'static str,
    lead: String,
    address: String,
    kinds: Vec<(&'static str, String)>,
    given: Fields,
    /// The filters that cannot be read, and what they are not.
    faults: Vec<(&'static str, &'static str)>,
    /// Whether an account may be asked for.
    is_of_all: bool,
    /// Whether a user may be asked for, and those who may be chosen by name.
    is_of_users: bool,
    users: Vec<String>,
    is_filtered: bool,
    rows: Vec<Row>,
    next: Option<String>,
    /// Back to the newest, from a later page.
    first: Option<String>,
}

struct Row {
    to: String,
    title: String,
    number: i64,
    at: Markup,
    who: String,
    /// The account that it started from; without a name if it is not for the visitor to see.
    source: Option<Party>,
    /// The account that received it, or for which it was done.
    other: Option<Party>,
    /// For whom it was cancelled.
    beneficiary: Option<String>,
    /// What was acted on, if it was bundles.
    energy: Option<Markup>,
    bundles: Option<String>,
    /// The events of one that is too large to be counted in a list.
    uncounted: Option<String>,
    /// Why it was refused.
    refusal: Option<String>,
}

/// An account of a row.
struct Party {
    id: i64,
    name: String,
    /// Whether the visitor may look at it.
    is_open: bool,
}

impl Page {
    fn value(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_default()
    }

    fn is_faulty(&self, name: &str) -> bool {
        self.faults.iter().any(|(of, _)| *of == name)
    }
}

async fn all(State(ui): State<Ui>, visitor: Visitor, Parameters(given): Parameters) -> Result<Response, Failure> {
    let lead = if visitor.may(Capability::ReadEverything) {
        "All actions of the registry, the newest first."
    } else {
        "What you did, and what was done from or to your accounts, the newest first."
    };
    let frame = Frame::of(&visitor, "Activity", "/ui/activity");
    let scope = Scope { frame, address: "/ui/activity".to_owned(), lead: lead.to_owned(), account: None };
    list(&ui, &visitor, scope, given).await
}

async fn of_account(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(given): Parameters,
) -> Result<Response, Failure> {
    let (caller, fresh, account) = (visitor.caller.clone(), visitor.fresh, AccountId(id));
    let known = ui.blocking(move |registry| registry.account(&caller, account, fresh)).await.map(Known::of)?;
    let address = format!("/ui/account/{id}/activity");
    let lead = format!("What was done from {} or reached it, the newest first.", known.name);
    let frame = Frame::of_account(&visitor, "Activity", &address, known);
    list(&ui, &visitor, Scope { frame, address, lead, account: Some(account) }, given).await
}

/// Whose actions are listed, and where.
struct Scope {
    frame: Frame,
    address: String,
    lead: String,
    account: Option<AccountId>,
}

async fn list(ui: &Ui, visitor: &Visitor, scope: Scope, given: Fields) -> Result<Response, Failure> {
    let (mut query, mut faults) = query(scope.account, &given);
    let is_of_users = visitor.may(Capability::ReadEverything);
    let asked = given.get("user").filter(|_| is_of_users).map(str::to_owned);
    let (caller, fresh, account) = (visitor.caller.clone(), visitor.fresh, scope.account);
    let after = given.get("after").and_then(place);
    let paging = Paging { limit: ACTIONS_PER_PAGE, after };
    let (rows, next, users, is_nobody) = ui
        .blocking(move |registry| {
            let own = account;
            let mut is_nobody = false;
            let users = if is_of_users { users(registry, &caller, fresh)? } else { Vec::new() };
            if let Some(asked) = asked {
                query.user = named(&users, &asked);
                is_nobody = query.user.is_none();
            }
            let page = registry.actions_in_brief(&caller, &query, paging, fresh)?;
            Ok((rows(registry, &caller, page.entries, own, fresh)?, page.next, users, is_nobody))
        })
        .await?;
    faults.extend(is_nobody.then_some(("user", "the name or number of a user")));
    let address = scope.address;
    let is_filtered = ["kind", "status", "account", "user", "from", "to"].iter().any(|name| given.get(name).is_some());
    show(&Page {
        heading: "Activity",
        lead: scope.lead,
        kinds: kinds(visitor).map(|kind| (kind.name(), title(kind))).collect(),
        next: next.map(|place| format!("{address}?{}", given.with("after", Some(&text_of(place))))),
        first: after.map(|_| format!("{address}?{}", given.with("after", None))),
        frame: scope.frame,
        is_of_all: scope.account.is_none(),
        is_of_users,
        users: users.into_iter().map(|(id, name)| format!("{name} ({id})")).collect(),
        is_filtered,
        address,
        given,
        faults,
        rows,
    })
}

/// The kinds of action that the visitor can come across: what may be done from or to their accounts, and by themselves.
fn kinds(visitor: &Visitor) -> impl Iterator<Item = ActionKind> {
    let reads_all = visitor.may(Capability::ReadEverything);
    let is_member = !visitor.accounts.is_empty();
    let has_storage = visitor.accounts.iter().any(|account| account.has_storage);
    let trades = is_member && (visitor.has_role(Role::TradingUser) || visitor.has_role(Role::ProductionUser));
    let changes_devices = visitor.may(Capability::ManageDevices) || visitor.has_role(Role::ProductionUser);
    let submits = visitor.may(Capability::SubmitReadings) || visitor.has_role(Role::ProductionUser);
    let registers = visitor.may(Capability::ManageDevices);
    let can_have = move |kind: ActionKind| match kind {
        ActionKind::UpdateUser => true,
        ActionKind::Transfer
        | ActionKind::Cancel
        | ActionKind::Claim
        | ActionKind::Reserve
        | ActionKind::Lock
        | ActionKind::Unlock
        | ActionKind::Withdraw
        | ActionKind::UpdateMutables
        | ActionKind::UpdateWhitelist
        | ActionKind::UpdateAccount
        | ActionKind::RecurringTransfer
        | ActionKind::RecurringCancel
        | ActionKind::RunOrder => is_member,
        ActionKind::EndOrder | ActionKind::PauseOrder | ActionKind::ResumeOrder => trades,
        ActionKind::CreateDevice => is_member || registers,
        ActionKind::UpdateDevice => changes_devices,
        ActionKind::ApproveDevice | ActionKind::DeleteDevice => registers,
        ActionKind::SubmitReadings | ActionKind::UpdateMeasurement | ActionKind::DeleteMeasurement => submits,
        ActionKind::CreateScr
        | ActionKind::CreateSdr
        | ActionKind::WithdrawScr
        | ActionKind::WithdrawSdr
        | ActionKind::IssueSdgc => has_storage,
        ActionKind::CreateUser
        | ActionKind::ChangeRole
        | ActionKind::DeleteUser
        | ActionKind::CreateOrganisation
        | ActionKind::UpdateOrganisation
        | ActionKind::DeleteOrganisation
        | ActionKind::CreateAccount
        | ActionKind::DeleteAccount
        | ActionKind::CreateMetadata
        | ActionKind::Issue
        | ActionKind::CreateBundle
        | ActionKind::ReleaseHold
        | ActionKind::ImportSeed
        | ActionKind::Expire => false,
    };
    ActionKind::ALL.iter().copied().filter(move |kind| reads_all || can_have(*kind))
}

/// What is asked for; a filter that cannot be read filters nothing, and is told.
fn query(account: Option<AccountId>, given: &Fields) -> (ActionQuery, Vec<(&'static str, &'static str)>) {
    let kind = given.get("kind").and_then(|name| ActionKind::ALL.iter().find(|kind| kind.name() == name)).copied();
    let asked = given.number("account").filter(|id| *id > 0).map(AccountId);
    let (from, to) = (given.get("from"), given.get("to"));
    let (start, end) = (from.and_then(|text| instant(text, false)), to.and_then(|text| instant(text, true)));
    let read = [
        ("kind", "an action", given.get("kind").is_some() && kind.is_none()),
        ("account", "the number of an account", account.is_none() && given.get("account").is_some() && asked.is_none()),
        ("from", "a date", from.is_some() && start.is_none()),
        ("to", "a date", to.is_some() && end.is_none()),
    ];
    let faults = read.into_iter().filter(|(.., is_wrong)| *is_wrong).map(|(name, what, _)| (name, what)).collect();
    let is_accepted = match given.get("status") {
        Some("accepted") => Some(true),
        Some("rejected") => Some(false),
        Some(_) | None => None,
    };
    let of = account.or(asked);
    (ActionQuery { source: None, of, kind, user: None, is_accepted, from: start, to: end }, faults)
}

/// The first users of the registry, for who may read everything, by number.
fn users(registry: &Registry, caller: &Caller, fresh: Option<EventNumber>) -> Result<Vec<(i64, String)>, Error> {
    let found = registry.users(caller, true, Paging { limit: CHOICES_MAX, after: None }, fresh)?.entries;
    let named = |view: UserView| match view {
        UserView::Whole { user, .. } => (user.id.0, user.name),
        UserView::Name { id, name } => (id.0, name),
    };
    Ok(found.into_iter().map(named).collect())
}

/// Who is asked for: a number, as it stands behind a name that was chosen or alone, a name that only one user has, or the
/// operator.
fn named(users: &[(i64, String)], asked: &str) -> Option<i64> {
    let asked = asked.trim();
    if asked.eq_ignore_ascii_case("operator") {
        return Some(0);
    }
    let behind = asked.rsplit_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    if let Some(id) = behind.unwrap_or(asked).parse::<i64>().ok().filter(|id| *id >= 0) {
        return Some(id);
    }
    let mut bearers = users.iter().filter(|(_, name)| name.eq_ignore_ascii_case(asked)).map(|(id, _)| *id);
    bearers.next().filter(|_| bearers.next().is_none())
}

/// A place in the list as an address carries it: `12-3`, with 0 for none.
fn text_of(place: ActionPlace) -> String {
    format!("{}-{}", place.accepted.map_or(0, |id| id.0), place.rejected.map_or(0, |id| id.0))
}

fn place(text: &str) -> Option<ActionPlace> {
    let (accepted, rejected) = text.split_once('-')?;
    let number = |text: &str| text.parse::<i64>().ok().filter(|id| *id >= 0);
    let (accepted, rejected) = (number(accepted)?, number(rejected)?);
    Some(ActionPlace {
        accepted: (accepted > 0).then_some(ActionId(accepted)),
        rejected: (rejected > 0).then_some(RejectedActionId(rejected)),
    })
}

fn rows(
    registry: &Registry,
    caller: &Caller,
    actions: Vec<AnyAction>,
    own: Option<AccountId>,
    fresh: Option<EventNumber>,
) -> Result<Vec<Row>, Error> {
    let mut people: BTreeMap<Option<i64>, String> = BTreeMap::new();
    let mut rows = Vec::new();
    for action in actions {
        let user = match &action {
            AnyAction::Accepted(action) => action.user_id,
            AnyAction::Rejected(action) => action.user_id,
        };
        let who = match people.entry(user) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(place) => place.insert(names::user(registry, caller, user, fresh)?).clone(),
        };
        rows.push(Row::of(action, who));
    }
    // Those of the visitor's own accounts may name whom they deal with.
    let parties = || rows.iter().flat_map(|row| [&row.source, &row.other]).flatten().map(|party| party.id);
    let ids: Vec<AccountId> = parties().map(AccountId).collect();
    let found = registry.account_names(caller, &ids, fresh)?;
    let near: BTreeSet<i64> = match own {
        Some(account) => BTreeSet::from([account.0]),
        None => parties().filter(|id| found.contains_key(&AccountId(*id))).take(NEAR_MAX).collect(),
    };
    let strange = parties().filter(|id| !found.contains_key(&AccountId(*id))).collect::<BTreeSet<_>>();
    let partners = Names::of(registry, caller, strange, &near.into_iter().collect::<Vec<_>>(), fresh)?;
    for party in rows.iter_mut().flat_map(|row| [&mut row.source, &mut row.other]).flatten() {
        let known = found.get(&AccountId(party.id));
        party.is_open = known.is_some();
        party.name = known.cloned().unwrap_or_else(|| partners.account(party.id));
    }
    Ok(rows)
}

impl Row {
    /// Without the names of its accounts.
    fn of(action: AnyAction, who: String) -> Self {
        let party = |id: AccountId| Party { id: id.0, name: String::new(), is_open: false };
        match action {
            AnyAction::Accepted(action) => Self {
                to: format!("/ui/action/{}", action.id.0),
                title: title(action.kind),
                number: action.id.0,
                at: format::instant(action.completed_at),
                who,
                source: action.source.map(party),
                other: action.other.map(party),
                beneficiary: beneficiary_of(&action.asked),
                energy: (action.total > WattHours::ZERO).then(|| format::energy(action.total)),
                bundles: (action.bundles > 0).then(|| format::count(action.bundles, "bundle")),
                uncounted: (!action.is_counted).then(|| {
                    let events = action.last_event.0 - action.first_event.0 + 1;
                    format!("{} events", format::thousands(events))
                }),
                refusal: None,
            },
            AnyAction::Rejected(action) => Self {
                to: format!("/ui/action/rejected/{}", action.id.0),
                title: title(action.kind),
                number: action.id.0,
                at: format::instant(action.rejected_at),
                who,
                source: account_in(&action.asked, "source_id").map(party),
                other: account_in(&action.asked, "target_id").map(party),
                beneficiary: beneficiary_of(&action.asked),
                energy: None,
                bundles: None,
                uncounted: None,
                refusal: Some(words::plain(&action.detail)),
            },
        }
    }
}

fn account_in(asked: &Map<String, Value>, name: &str) -> Option<AccountId> {
    asked.get(name).and_then(Value::as_i64).map(AccountId)
}

fn beneficiary_of(asked: &Map<String, Value>) -> Option<String> {
    asked.get("beneficiary").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_and_what_cannot_be_is_told() {
        let (query, faults) = query(None, &Fields::of(b"kind=transfer&status=rejected&account=3&from=2026-01-01&to=x"));
        assert_eq!((query.kind, query.is_accepted), (Some(ActionKind::Transfer), Some(false)));
        assert_eq!((query.of, query.from, query.to), (Some(AccountId(3)), instant("2026-01-01", false), None));
        assert_eq!(faults, [("to", "a date")]);
        let (query, faults) = super::query(Some(AccountId(1)), &Fields::of(b"kind=nonsense&account=2"));
        assert_eq!((query.of, query.kind), (Some(AccountId(1)), None), "an account's page is of that account");
        assert_eq!(faults, [("kind", "an action")]);
    }

    #[test]
    fn users_are_asked_for_by_name_or_number() {
        let users = [(3, "Sally Supplier".to_owned()), (4, "Sam".to_owned()), (5, "Sam".to_owned())];
        for (asked, found) in [
            ("Sally Supplier (3)", Some(3)),
            ("sally supplier", Some(3)),
            ("4", Some(4)),
            ("Sam (5)", Some(5)),
            ("Sam", None),
            ("Operator", Some(0)),
            ("Nobody", None),
        ] {
            assert_eq!(named(&users, asked), found, "{asked}");
        }
    }

    #[test]
    fn places_go_into_addresses_and_back() {
        for (accepted, rejected, text) in [(Some(5), None, "5-0"), (None, Some(7), "0-7"), (Some(1), Some(2), "1-2")] {
            let of = ActionPlace { accepted: accepted.map(ActionId), rejected: rejected.map(RejectedActionId) };
            assert_eq!((text_of(of), place(text)), (text.to_owned(), Some(of)));
        }
        for wrong in ["", "5", "-1-2", "a-b"] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }
}
