//! `granary verify`: the audit of the whole ledger, told.

use crate::cli;
use crate::console::{self, Progress, Unit, grouped, table};
use crate::failure::{Failure, Verdict};
use crate::registry;
use crate::settings::{Settings, fraction_of};
use ::verify::{Finding, Options, Phase, Report, Severity};
use std::fmt::Write as _;
use std::sync::Arc;

pub(crate) fn run(settings: &Settings, arguments: &cli::Verify) -> Result<Verdict, Failure> {
    let mut connection = registry::reader(settings)?;
    let options = Options { capacity_margin: fraction_of(settings.rules.capacity_margin) };
    let mut shown: Option<(Phase, Progress)> = None;
    let report = ::verify::run(&mut connection, &options, |at| {
        let bar = match &mut shown {
            Some((phase, bar)) if *phase == at.phase => bar,
            _ => {
                // The bar of the phase before goes first.
                shown = None;
                let (what, unit) = name_of(at.phase);
                let started = Progress::start(format!("checking the {what}"), at.total, Unit::Things(unit));
                &mut shown.insert((at.phase, started)).1
            }
        };
        bar.at(at.done, at.total);
    });
    drop(shown);
    let report = report.map_err(Failure::database(&settings.database))?;
    let text = if arguments.json { json(&report)? } else { told(&report) };
    console::print(&text)?;
    Ok(if report.is_clean() { Verdict::Done } else { Verdict::Findings })
}

/// The same audit for the screens of a running registry, on a connection of its own.
pub(crate) fn check_of(settings: &app::Settings) -> ui::Check {
    let database = settings.database.clone();
    let options = Options { capacity_margin: fraction_of(settings.rules.capacity_margin) };
    Arc::new(move |told| {
        let mut connection =
            db::Connection::open_as(&database, db::OpenMode::LongReader).map_err(|error| told_of(&error))?;
        let step = |at: ::verify::Progress| {
            told(ui::CheckStep { what: name_of(at.phase).0, done: at.done, total: at.total });
        };
        let report = ::verify::run(&mut connection, &options, step).map_err(|error| told_of(&error))?;
        serde_json::to_value(&report).map_err(|error| error.to_string())
    })
}

/// The screens tell that the database did not answer; the log says why.
fn told_of(error: &db::Error) -> String {
    tracing::error!(%error, "the ledger cannot be checked");
    "the database does not answer".to_owned()
}

fn name_of(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::Log => ("log", "events"),
        Phase::Intervals => ("intervals", "readings and bundles"),
        Phase::Readings => ("readings", "readings"),
        Phase::Bundles => ("bundles", "bundles"),
        Phase::Storage => ("storage", "records"),
        Phase::Registrations => ("registrations", "rows"),
    }
}

fn json(report: &Report) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(report);
    text.map(|text| text + "\n").map_err(|error| Failure::Io { what: "the report".to_owned(), error: error.into() })
}

fn told(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        text.push_str(&line_of(finding));
    }
    let found = report.violations + report.notices;
    let listed = u64::try_from(report.findings.len()).unwrap_or(u64::MAX);
    if found > listed {
        let _infallible = writeln!(text, "… and {} more", grouped(found - listed));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&summary(report));
    text
}

fn line_of(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Violation => "violation",
        Severity::Notice => "notice",
    };
    let event = finding.event_number.map(|number| format!(", event {number}")).unwrap_or_default();
    let (kind, entity) = (word(&finding.kind), word(&finding.entity));
    format!(
        "{severity} of invariant {}, {kind}: {entity} {}{event}: {}\n",
        finding.invariant, finding.entity_id, finding.text
    )
}

/// The stable name of a kind or an entity.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn summary(report: &Report) -> String {
    let mut rows = vec![["checked", "violations", "invariant"].map(str::to_owned).to_vec()];
    for invariant in &report.invariants {
        let name = format!("{} {}", invariant.number, invariant.name);
        rows.push(vec![grouped(invariant.checked), grouped(invariant.violations), name]);
    }
    let mut text = table(&rows);
    text.push('\n');
    let counts = [
        ("events", report.events),
        ("actions", report.actions),
        ("bundles", report.bundles),
        ("readings", report.measurements),
        ("devices", report.devices),
        ("accounts", report.accounts),
        ("users", report.users),
        ("organisations", report.organisations),
        ("violations", report.violations),
        ("notices", report.notices),
    ];
    let mut rows: Vec<Vec<String>> =
        counts.into_iter().map(|(name, count)| vec![name.to_owned(), grouped(count)]).collect();
    let root = report.root.iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    });
    rows.push(vec!["last event".to_owned(), report.event_number.to_string()]);
    rows.push(vec!["Merkle root".to_owned(), root]);
    text.push_str(&table(&rows));
    text.push_str(if report.is_clean() { "\nThe ledger is in order.\n" } else { "\nThe ledger is NOT in order.\n" });
    text
}
