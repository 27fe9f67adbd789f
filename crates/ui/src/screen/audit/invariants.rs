//! The registry's invariants: at the end of the ledger they are checked as long as somebody looks, and over the whole of it on
//! demand.

use super::{AUDIT, needs_reader};
use crate::Ui;
use crate::check::{CheckStep, Finding, Invariant, Last, Standing};
use crate::failure::Failure;
use crate::form::Form;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::FINDINGS_SHOWN_MAX;
use crate::visitor::Visitor;
use app::LiveLine;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};

const INVARIANTS: &str = "/ui/audit/invariants";

#[derive(Template)]
#[template(path = "invariants.html")]
struct Page {
    frame: Frame,
    shown: Shown,
    live: Live,
}

/// The part of the page that a script asks for again as long as it is looked at.
#[derive(Template)]
#[template(path = "live_part.html")]
struct LivePart {
    live: Live,
}

/// What was found at the end of the ledger just now.
struct Live {
    is_clean: bool,
    event_number: String,
    checked_at: Markup,
    rows: Vec<LiveRow>,
    /// What there is, by the counters of the ledger, and what waits.
    counts: Vec<(&'static str, String)>,
}

struct LiveRow {
    name: &'static str,
    part: String,
    checked: String,
    faults: Vec<String>,
}

/// The part of the page that a script asks for again while a check runs.
#[derive(Template)]
#[template(path = "invariants_part.html")]
struct Part {
    shown: Shown,
}

struct Shown {
    running_since: Option<Markup>,
    /// How far it is: words, and of a hundred.
    step: Option<(String, u64)>,
    last: Option<Outcome>,
}

/// A check that is over.
struct Outcome {
    began: Markup,
    ended: Markup,
    took: String,
    error: Option<String>,
    is_clean: bool,
    event_number: String,
    root: String,
    notices: String,
    violations: String,
    invariants: Vec<Row>,
    findings: Vec<Finding>,
    more: Option<String>,
}

struct Row {
    number: u8,
    name: String,
    checked: String,
    violations: String,
    is_kept: bool,
}

pub(super) async fn invariants(State(ui): State<Ui>, visitor: Visitor) -> Result<Response, Failure> {
    needs_reader(&visitor)?;
    let (shown, live) = (Shown::of(ui.checks.standing()), Live::now(&ui).await?);
    show(&Page { frame: Frame::of(&visitor, "Invariants", AUDIT), shown, live })
}

pub(super) async fn live(State(ui): State<Ui>, visitor: Visitor) -> Result<Response, Failure> {
    needs_reader(&visitor)?;
    show(&LivePart { live: Live::now(&ui).await? })
}

impl Live {
    async fn now(ui: &Ui) -> Result<Self, Failure> {
        let watch = ui.watch.clone();
        let (found, measured) = ui
            .blocking(move |registry| {
                let last_event = || Ok(registry.health()?.event_number);
                Ok((watch.look(registry.now(), last_event, || registry.live_check())?, registry.measured()?))
            })
            .await?;
        let queued = i128::try_from(measured.queued).unwrap_or(i128::MAX);
        let row = |line: LiveLine| LiveRow {
            name: line.name,
            part: line.part,
            checked: format::thousands(line.checked),
            faults: line.faults,
        };
        Ok(Self {
            is_clean: found.is_clean(),
            event_number: format::thousands(found.event_number.0),
            checked_at: format::instant(found.checked_at),
            rows: found.lines.into_iter().map(row).collect(),
            counts: vec![
                ("Events", format::thousands(measured.events)),
                ("Actions", format::thousands(measured.actions)),
                ("Bundles ever made", format::thousands(measured.bundles)),
                ("Works in the queue", format::thousands(queued)),
            ],
        })
    }
}

pub(super) async fn progress(State(ui): State<Ui>, visitor: Visitor) -> Result<Response, Failure> {
    needs_reader(&visitor)?;
    show(&Part { shown: Shown::of(ui.checks.standing()) })
}

/// Begins a check unless one runs; then its end is that of both.
pub(super) async fn begin(State(ui): State<Ui>, form: Form) -> Result<Response, Failure> {
    needs_reader(&form.visitor)?;
    let began = ui.registry.now();
    if ui.checks.begin(began) {
        tracing::info!(user = form.visitor.caller.user_id.0, "a check of the whole ledger begins");
        let (checks, registry) = (ui.checks.clone(), ui.registry.clone());
        // It goes on when whoever asked is gone.
        drop(tokio::task::spawn_blocking(move || checks.run(began, || registry.now())));
    }
    Ok(Redirect::to(INVARIANTS).into_response())
}

impl Shown {
    fn of(standing: Standing) -> Self {
        Self {
            running_since: standing.running_since.map(format::instant),
            step: standing.step.map(told),
            last: standing.last.map(Outcome::of),
        }
    }
}

/// How far a check is, in words and of a hundred.
fn told(step: CheckStep) -> (String, u64) {
    let (done, total) = (format::thousands(step.done), format::thousands(step.total));
    let percent = step.done.saturating_mul(100).checked_div(step.total).unwrap_or(0).min(100);
    (format!("the {}, {done} of {total}", step.what), percent)
}

/// How long a check took, in the unit that fits.
fn took(last: &Last) -> String {
    let millis = last.ended.duration_since(last.began).as_millis().max(0);
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {} s", format::thousands(millis / 60_000), millis % 60_000 / 1_000),
    }
}

impl Outcome {
    fn of(last: Last) -> Self {
        let (began, ended, took) = (format::instant(last.began), format::instant(last.ended), took(&last));
        let report = match last.found {
            Ok(report) => report,
            Err(error) => return Self::failed((began, ended, took), error),
        };
        let found = report.violations + report.notices;
        let findings: Vec<Finding> = report.findings.into_iter().take(FINDINGS_SHOWN_MAX).collect();
        let more = found.saturating_sub(u64::try_from(findings.len()).unwrap_or(u64::MAX));
        Self {
            began,
            ended,
            took,
            error: None,
            is_clean: report.violations == 0,
            event_number: format::thousands(report.event_number),
            root: report.root,
            notices: format::thousands(report.notices),
            violations: format::thousands(report.violations),
            invariants: report.invariants.into_iter().map(Row::of).collect(),
            findings,
            more: (more > 0).then(|| format::thousands(more)),
        }
    }

    fn failed((began, ended, took): (Markup, Markup, String), error: String) -> Self {
        let none = String::new;
        let (event_number, root, notices, violations) = (none(), none(), none(), none());
        let (invariants, findings) = (Vec::new(), Vec::new());
        let error = Some(error);
        Self {
            began,
            ended,
            took,
            error,
            is_clean: false,
            event_number,
            root,
            notices,
            violations,
            invariants,
            findings,
            more: None,
        }
    }
}

impl Row {
    fn of(invariant: Invariant) -> Self {
        Self {
            number: invariant.number,
            name: invariant.name,
            checked: format::thousands(invariant.checked),
            violations: format::thousands(invariant.violations),
            is_kept: invariant.violations == 0,
        }
    }
}
