//! The registry's invariants, checked on demand over the whole ledger.

use super::{AUDIT, needs_reader};
use crate::Ui;
use crate::check::{Finding, Invariant, Last, Standing};
use crate::failure::Failure;
use crate::form::Form;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::FINDINGS_SHOWN_MAX;
use crate::visitor::Visitor;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};

const INVARIANTS: &str = "/ui/audit/invariants";

#[derive(Template)]
#[template(path = "invariants.html")]
struct Page {
    frame: Frame,
    shown: Shown,
}

/// The part of the page that a script asks for again while a check runs.
#[derive(Template)]
#[template(path = "invariants_part.html")]
struct Part {
    shown: Shown,
}

struct Shown {
    running_since: Option<Markup>,
    last: Option<Outcome>,
}

/// A check that is over.
struct Outcome {
    began: Markup,
    ended: Markup,
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
    let shown = Shown::of(ui.checks.standing());
    show(&Page { frame: Frame::of(&visitor, "Invariants", AUDIT), shown })
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
        Self { running_since: standing.running_since.map(format::instant), last: standing.last.map(Outcome::of) }
    }
}

impl Outcome {
    fn of(last: Last) -> Self {
        let (began, ended) = (format::instant(last.began), format::instant(last.ended));
        let report = match last.found {
            Ok(report) => report,
            Err(error) => return Self::failed(began, ended, error),
        };
        let found = report.violations + report.notices;
        let findings: Vec<Finding> = report.findings.into_iter().take(FINDINGS_SHOWN_MAX).collect();
        let more = found.saturating_sub(u64::try_from(findings.len()).unwrap_or(u64::MAX));
        Self {
            began,
            ended,
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

    fn failed(began: Markup, ended: Markup, error: String) -> Self {
        let none = String::new;
        let (event_number, root, notices, violations) = (none(), none(), none(), none());
        let (invariants, findings) = (Vec::new(), Vec::new());
        let error = Some(error);
        Self {
            began,
            ended,
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
