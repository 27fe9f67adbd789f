//! Receipts: what an action did, and why one was rejected, at an address for ever.

use super::act::made::{self, Fate, Left, fates};
use super::act::order::percent_of;
use super::names::{self, Names};
use crate::Ui;
use crate::failure::Failure;
use crate::form::Parameters;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{NEXT_BUNDLES_MAX, RESULTS_PER_PAGE};
use crate::visitor::{Known, Visitor};
use crate::words;
use app::{ActionView, ResultView};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use domain::{AccountId, ActionId, ActionKind, BundleId, Capability, RejectedActionId, WattHours};
use serde_json::{Map, Value};

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/action/{id}", get(receipt)).route("/action/rejected/{id}", get(rejected))
}

#[derive(Template)]
#[template(path = "action.html")]
struct Receipt {
    frame: Frame,
    id: i64,
    /// The account whose selection was used.
    source: Option<i64>,
    /// In one sentence.
    sentence: Option<String>,
    next_step: Option<NextStep>,
    facts: Vec<(&'static str, String)>,
    requested_at: Markup,
    completed_at: Markup,
    first_event: i64,
    last_event: i64,
    heading: String,
    exact: String,
    /// Whether it was done just now.
    is_new: bool,
    moves_bundles: bool,
    rows: Vec<made::Row>,
    /// In how many bundles, and which rows are shown of all that were touched.
    taken: String,
    shown: String,
    /// The addresses of the rows before and behind.
    before: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "rejected_action.html")]
struct Rejected {
    frame: Frame,
    id: i64,
    title: String,
    detail: String,
    numbers: Vec<(String, String)>,
    facts: Vec<(&'static str, String)>,
    bundles: String,
    requested_at: Markup,
    at: Markup,
}

async fn receipt(
    State(ui): State<Ui>,
    visitor: Visitor,
    Path(id): Path<i64>,
    Parameters(fields): Parameters,
) -> Result<Response, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (action, names, who, origin) = ui
        .blocking(move |registry| {
            let action = registry.action(&caller, ActionId(id), fresh)?;
            let asked = Asked(&action.asked);
            let near: Vec<i64> = [action.source.map(|id| id.0), asked.target()].into_iter().flatten().collect();
            let mut wanted: Vec<i64> = near.iter().copied().chain(asked.number("beneficiary_account_id")).collect();
            wanted.extend(action.results.iter().filter_map(|result| result.account_id).map(|id| id.0));
            let names = Names::of(registry, &caller, wanted, &near, fresh)?;
            let who = names::user(registry, &caller, action.user_id, fresh)?;
            let origin = registry.origin(&action, fresh)?;
            Ok((action, names, who, origin))
        })
        .await?;
    let skipped = fields.number("from").and_then(|from| usize::try_from(from).ok()).unwrap_or(0);
    // What was and stayed elsewhere is not the visitor's business: to a receiver it is what came.
    let is_seen = |result: &&ResultView| result.account_id.is_some();
    let is_any_seen = action.results.iter().any(|result| is_seen(&result));
    let left: Vec<Left> = action.results.iter().filter(|result| !is_any_seen || is_seen(result)).map(left_of).collect();
    let all_fates = fates(&left);
    let reads_all = visitor.may(Capability::ReadEverything);
    let mut facts = facts(&action.asked, action.source.map(|id| id.0), who, &names);
    facts.extend(origin.as_ref().map(made::origin).unwrap_or_default());
    let done = done(action.kind);
    let rows = left.iter().zip(&all_fates).skip(skipped).take(RESULTS_PER_PAGE);
    let mut rows: Vec<made::Row> = rows.map(|(one, fate)| made::row(one, *fate, done, &names)).collect();
    close(&ui, &visitor, &mut rows).await?;
    let at = |from: usize| format!("/ui/action/{id}?from={from}");
    let last = skipped + rows.len();
    let total = |number: usize| format::thousands(i128::try_from(number).unwrap_or(i128::MAX));
    let shown = if rows.len() < left.len() {
        format!("Rows {} to {} of {}", total(skipped + 1), total(last), total(left.len()))
    } else {
        format::count(left.len(), "row")
    };
    let taken = made::taken(made::counts(&all_fates));
    let title = title(action.kind);
    show(&Receipt {
        frame: frame(&visitor, &title, &action, &names),
        id,
        source: own_side(&visitor, &action).or(action.source.filter(|_| reads_all)).map(|id| id.0),
        sentence: sentence_of(&action, &names),
        next_step: NextStep::of(&visitor, &action, &left, &all_fates, &names),
        facts,
        requested_at: format::instant(action.requested_at),
        completed_at: format::instant(action.completed_at),
        first_event: action.first_event.0,
        last_event: action.last_event.0,
        heading: heading(&action, &title),
        exact: format::thousands(action.total.0),
        is_new: fields.get("done").is_some(),
        moves_bundles: action.total > WattHours::ZERO,
        before: (skipped > 0).then(|| at(skipped.saturating_sub(RESULTS_PER_PAGE))),
        next: (last < left.len()).then(|| at(last)),
        rows,
        taken,
        shown,
    })
}

/// Bundles that are not the visitor's to read any more, such as those that they sent away, are named and lead nowhere.
async fn close(ui: &Ui, visitor: &Visitor, rows: &mut [made::Row]) -> Result<(), Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let ids: Vec<BundleId> = rows.iter().filter_map(|row| row.bundle).map(BundleId).collect();
    let readable = ui.blocking(move |registry| registry.readable_bundles(&caller, &ids, fresh)).await?;
    for row in rows {
        row.is_open = row.bundle.is_some_and(|id| readable.contains(&BundleId(id)));
    }
    Ok(())
}

async fn rejected(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    let (action, names, who) = ui
        .blocking(move |registry| {
            let action = registry.rejected_action(&caller, RejectedActionId(id), fresh)?;
            let asked = Asked(&action.asked);
            let near: Vec<i64> = asked.number("source_id").into_iter().collect();
            let wanted = near.iter().copied().chain(asked.target()).chain(asked.number("beneficiary_account_id"));
            let names = Names::of(registry, &caller, wanted.collect::<Vec<_>>(), &near, fresh)?;
            let who = names::user(registry, &caller, action.user_id, fresh)?;
            Ok((action, names, who))
        })
        .await?;
    let asked = Asked(&action.asked);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    show(&Rejected {
        frame: Frame::of(&visitor, "Rejected action", ""),
        id,
        title: title(action.kind),
        detail: sentence(&words::plain(&action.detail)),
        numbers: action.numbers.iter().map(|(name, value)| (name.replace('_', " "), text(value))).collect(),
        facts: facts(&action.asked, asked.number("source_id"), who, &names),
        bundles: format::count(asked.bundles(), "bundle"),
        requested_at: format::instant(action.requested_at),
        at: format::instant(action.rejected_at),
    })
}

/// What was asked, as it was kept.
struct Asked<'a>(&'a Map<String, Value>);

impl Asked<'_> {
    fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    fn target(&self) -> Option<i64> {
        self.number("target_id")
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn bundles(&self) -> usize {
        self.0.get("granular_certificate_bundle_ids").and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// How much of the selection.
    fn portion(&self) -> Option<String> {
        let quantity = self.0.get("certificate_quantity").and_then(Value::as_u64);
        if let Some(quantity) = quantity {
            return Some(format!("{} Wh of the selection", format::thousands(quantity)));
        }
        let share = self.0.get("certificate_bundle_percentage").filter(|share| !share.is_null())?;
        let share = share.as_str().map_or_else(|| share.to_string(), str::to_owned);
        Some(format!("{} of each bundle", percent_of(&share)))
    }
}

fn facts(asked: &Map<String, Value>, source: Option<i64>, who: String, names: &Names) -> Vec<(&'static str, String)> {
    let asked = Asked(asked);
    let account = |id: i64| names.account(id);
    let flag = asked.0.get("export_failed").and_then(Value::as_bool).unwrap_or(false);
    let known = [
        ("By", Some(who)),
        ("From", source.map(account)),
        ("To", asked.target().map(account)),
        ("Beneficiary", asked.text("beneficiary")),
        ("Who may claim", asked.number("beneficiary_account_id").map(account)),
        ("Purpose", asked.text("purpose")),
        ("For the registry", asked.text("target_registry")),
        ("Reason", asked.text("reason")),
        ("Export failed", flag.then(|| "yes".to_owned())),
        ("Corrected to", asked.text("certificate_bundle_status")),
        ("Portion", asked.portion()),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn frame(visitor: &Visitor, title: &str, action: &ActionView, names: &Names) -> Frame {
    match own_side(visitor, action) {
        Some(id) => Frame::of_account(visitor, title, "", Known::named(id, names.account(id.0))),
        None => Frame::of(visitor, title, ""),
    }
}

/// The account of the visitor's that an action started from or reached.
fn own_side(visitor: &Visitor, action: &ActionView) -> Option<AccountId> {
    let sides = [action.source, Asked(&action.asked).target().map(AccountId)];
    sides.into_iter().flatten().find(|side| visitor.belongs_to(*side))
}

fn left_of(result: &ResultView) -> Left {
    Left {
        bundle: Some(result.bundle_id.0),
        parent: result.parent_id.map(|id| id.0),
        first: result.range.first(),
        last: result.range.last(),
        status: result.status,
        account: result.account_id.map(|id| id.0),
        part: Some(result.part),
    }
}

/// The kind of an action as a title.
pub(super) fn title(kind: ActionKind) -> String {
    sentence(&kind.name().replace('_', " "))
}

/// What the visitor may want to do now with what an action brought.
struct NextStep {
    account: i64,
    name: String,
    /// The ids of the bundles.
    bundles: String,
}

impl NextStep {
    /// For who trades for the account that bundles were transferred to.
    fn of(visitor: &Visitor, action: &ActionView, left: &[Left], fates: &[Fate], names: &Names) -> Option<Self> {
        let target = Asked(&action.asked).target().filter(|_| action.kind == ActionKind::Transfer)?;
        let taken = left.iter().zip(fates).filter(|(_, fate)| **fate == Fate::Taken);
        let bundles: Vec<String> = taken.filter_map(|(one, _)| one.bundle).map(|id| id.to_string()).collect();
        let may_trade = visitor.may(Capability::Trade(AccountId(target)));
        let is_offered = may_trade && !bundles.is_empty() && bundles.len() <= NEXT_BUNDLES_MAX;
        is_offered.then(|| Self { account: target, name: names.account(target), bundles: bundles.join(" ") })
    }
}

/// What was done, to whom, and what that means.
fn sentence_of(action: &ActionView, names: &Names) -> Option<String> {
    let asked = Asked(&action.asked);
    let source = names.account(action.source?.0);
    let energy = format::exact(action.total);
    match action.kind {
        ActionKind::Transfer => {
            let target = names.account(asked.target()?);
            Some(format!("{energy} moved from {source} to {target}, which may now cancel them or send them on."))
        }
        ActionKind::Cancel => {
            let beneficiary = asked.text("beneficiary").unwrap_or_else(|| source.clone());
            Some(format!("{energy} of {source} are used up for {beneficiary}. Nobody can use them again."))
        }
        _ => None,
    }
}

/// What was done, with how much.
fn heading(action: &ActionView, title: &str) -> String {
    let (energy, done) = (format::exact(action.total), done(action.kind));
    match (action.total > WattHours::ZERO, done) {
        (false, _) => title.to_owned(),
        (true, CHANGED) => format!("{title}: {energy}"),
        (true, _) if action.kind == ActionKind::UpdateMeasurement => format!("{title}: {energy} {done}"),
        (true, _) => format!("{} {energy}", sentence(done)),
    }
}

/// What became of the bundles of an action that has no word of its own for it.
const CHANGED: &str = "changed";

/// What became of the bundles that an action is about.
const fn done(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::Transfer | ActionKind::RecurringTransfer => "transferred",
        ActionKind::Cancel | ActionKind::RecurringCancel => "cancelled",
        ActionKind::Claim => "claimed",
        ActionKind::Reserve => "reserved",
        ActionKind::Lock => "locked",
        ActionKind::Unlock => "unlocked",
        // A correction withdraws what the lower reading does not cover.
        ActionKind::Withdraw | ActionKind::UpdateMeasurement => "withdrawn",
        ActionKind::Issue | ActionKind::CreateBundle => "issued",
        ActionKind::Expire => "expired",
        _ => CHANGED,
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
