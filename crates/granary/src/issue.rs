//! `granary issue`: an issue job of the operator, run in this process.
//!
//! The job is on record from its start: one that is interrupted goes on when the registry is opened next.

use crate::cli;
use crate::console::{self, Progress, Unit, grouped, table};
use crate::failure::{Failure, Verdict};
use crate::registry::{self, operator};
use crate::settings::Settings;
use app::{IssueRequest, JobState, JobView, Registry, ZoneOfTimes, parse_instant};
use domain::{DeviceId, JobId, MetadataId};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// How often a running job is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Reasons that are told, each with how often it was given.
const REASONS_MAX: usize = 50;

pub(crate) fn run(settings: &Settings, arguments: &cli::Issue) -> Result<Verdict, Failure> {
    let request = IssueRequest {
        metadata_id: MetadataId(arguments.metadata),
        from: instant("--from", &arguments.from)?,
        to: instant("--to", &arguments.to)?,
        device_ids: arguments.devices.iter().map(|id| DeviceId(*id)).collect(),
    };
    if request.to <= request.from {
        return Err(Failure::Argument { argument: "--to", rule: "must be after --from".to_owned() });
    }
    let job = registry::with(settings, |registry| {
        let id = registry.issue_as_operator(request)?;
        follow(registry, id)
    })?;
    console::print(&told(&job))?;
    let error = job.progress.error.as_deref().unwrap_or("the job failed");
    match job.state {
        JobState::Done => Ok(Verdict::Done),
        JobState::Running | JobState::Failed | JobState::Interrupted => Err(Failure::Refused(error.to_owned())),
    }
}

pub(crate) fn instant(argument: &'static str, text: &str) -> Result<Timestamp, Failure> {
    parse_instant(text, &ZoneOfTimes::default()).map_err(|rule| Failure::Argument { argument, rule })
}

/// Shows how far an issue job is until it has ended.
pub(crate) fn follow(registry: &Registry, id: JobId) -> Result<JobView, Failure> {
    let mut bar = Progress::start("issuing", 0, Unit::Things("readings"));
    loop {
        let job = registry.job(&operator(), id)?;
        if job.state != JobState::Running {
            return Ok(job);
        }
        bar.at(job.progress.done, job.progress.total);
        std::thread::sleep(LOOK_EVERY);
    }
}

fn told(job: &JobView) -> String {
    let progress = &job.progress;
    let mut rows: Vec<Vec<String>> = [
        ("readings", progress.done),
        ("bundles issued", progress.issued),
        ("Wh issued", progress.quantity),
        ("readings refused", progress.refused_total),
    ]
    .into_iter()
    .map(|(name, count)| vec![name.to_owned(), grouped(count)])
    .collect();
    if let Some(id) = job.id {
        rows.insert(0, vec!["job".to_owned(), id.to_string()]);
    }
    let mut text = table(&rows);
    let mut reasons: BTreeMap<&str, (u64, String)> = BTreeMap::new();
    for refused in &progress.refused {
        let first = || format!("device {} at {}", refused.device_id, refused.interval_start_datetime);
        reasons.entry(&refused.reason).or_insert_with(|| (0, first())).0 += 1;
    }
    if reasons.is_empty() {
        return text;
    }
    let listed = u64::try_from(progress.refused.len()).unwrap_or(u64::MAX);
    let of =
        if listed < progress.refused_total { format!(", of the first {}", grouped(listed)) } else { String::new() };
    let mut rows = vec![vec![format!("refused{of}"), "readings".to_owned(), "first".to_owned()]];
    let told = reasons.iter().take(REASONS_MAX);
    rows.extend(told.map(|(reason, (count, first))| vec![(*reason).to_owned(), grouped(*count), first.clone()]));
    text.push('\n');
    text.push_str(&table(&rows));
    if reasons.len() > REASONS_MAX {
        let _infallible = writeln!(text, "… and {} more reasons", reasons.len() - REASONS_MAX);
    }
    text
}
