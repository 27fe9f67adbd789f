//! A job: how far it is, what came of it, and what it refused. Without scripts the page is loaded again by hand.

use crate::Ui;
use crate::failure::Failure;
use crate::format::{self, Markup};
use crate::frame::{Frame, show};
use crate::limits::{JOB_BUNDLES_SHOWN_MAX, JOB_REFUSED_SHOWN_MAX};
use crate::visitor::{Known, Visitor};
use crate::words;
use app::{Caller, Error, JobKind, JobState, JobView, Registry};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use domain::{BundleId, DeviceId, EventNumber, JobId, ReadingRefusal, WattHours};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

pub(super) fn routes() -> Router<Ui> {
    Router::new().route("/job/{id}", get(job)).route("/job/{id}/progress", get(progress))
}

#[derive(Template)]
#[template(path = "job.html")]
struct Page {
    frame: Frame,
    shown: Shown,
}

/// The part of the page that a script asks for again while the job runs.
#[derive(Template)]
#[template(path = "job_part.html")]
struct Part {
    shown: Shown,
}

struct Shown {
    line: Line,
    is_running: bool,
    /// Of a hundred; `None` if the total is not known.
    percent: Option<u64>,
    done: String,
    total: String,
    updated_at: Markup,
    error: Option<String>,
    came: Came,
    counts: Vec<(&'static str, String)>,
    bundles: Vec<Made>,
    accounts: Vec<Known>,
    has_more_bundles: bool,
}

/// A job in a list.
pub(super) struct Line {
    pub id: i64,
    pub kind: &'static str,
    pub state: &'static str,
    pub tone: &'static str,
    pub created_at: Markup,
    pub issued: String,
    /// Without readings of 0 Wh, of which there is nothing to issue.
    pub refused: String,
    pub zero: String,
}

/// A bundle that the job made.
struct Made {
    id: i64,
    device: String,
    interval: Markup,
    energy: Markup,
    account: i64,
}

/// What an issue came to, or would.
pub(super) struct Came {
    pub readings: String,
    pub has_readings: bool,
    pub issued: String,
    pub is_nothing: bool,
    pub energy: Markup,
    pub refused: String,
    /// Readings of 0 Wh, which are not among the refused.
    pub zero: Option<String>,
    pub rows: Vec<RefusedRow>,
    /// How many there are beyond the rows.
    pub more: Option<String>,
}

pub(super) struct RefusedRow {
    pub device_id: i64,
    pub device: String,
    pub start: Markup,
    pub reason: String,
}

/// What an issue came to, in numbers.
#[derive(Clone, Copy)]
struct Counts {
    /// Readings looked at.
    done: u64,
    /// Bundles.
    issued: u64,
    /// Wh.
    quantity: u64,
    /// Readings refused, with those of 0 Wh.
    refused: u64,
    zero: u64,
}

/// A reading that nothing is issued for.
struct Refused {
    device: i64,
    start: Timestamp,
    reason: String,
}

async fn job(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    let shown = find(&ui, &visitor, id).await?;
    show(&Page { frame: Frame::of(&visitor, &format!("Job {id}"), ""), shown })
}

async fn progress(State(ui): State<Ui>, visitor: Visitor, Path(id): Path<i64>) -> Result<Response, Failure> {
    show(&Part { shown: find(&ui, &visitor, id).await? })
}

async fn find(ui: &Ui, visitor: &Visitor, id: i64) -> Result<Shown, Failure> {
    let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
    ui.blocking(move |registry| {
        let job = registry.job(&caller, JobId(id))?;
        Shown::of(registry, &caller, job, fresh)
    })
    .await
}

impl Line {
    /// `None` for a dry run, which is no job.
    pub(super) fn of(job: &JobView) -> Option<Self> {
        let (state, tone) = match job.state {
            JobState::Running => ("running", ""),
            JobState::Done => ("done", "good"),
            JobState::Failed => ("failed", "bad"),
            JobState::Interrupted => ("interrupted", "warn"),
        };
        Some(Self {
            id: job.id?.0,
            kind: match job.kind {
                JobKind::Issue => "Issue",
                JobKind::Readings => "Submission of readings",
                JobKind::Seed => "Import of a registry",
            },
            state,
            tone,
            created_at: format::instant(job.created_at),
            issued: format::thousands(job.progress.issued),
            refused: format::thousands(job.progress.refused_total.saturating_sub(job.progress.zero_total)),
            zero: format::thousands(job.progress.zero_total),
        })
    }
}

impl Shown {
    fn of(registry: &Registry, caller: &Caller, job: JobView, fresh: Option<EventNumber>) -> Result<Self, Error> {
        let line = Line::of(&job).ok_or(Error::Internal)?;
        let progress = job.progress;
        let refused = progress.refused.into_iter().map(|row| Refused {
            device: row.device_id,
            start: row.interval_start_datetime,
            reason: row.reason,
        });
        let bundles = made(registry, caller, &progress.bundle_ids, fresh)?;
        let counts = match job.kind {
            JobKind::Issue => Vec::new(),
            JobKind::Readings | JobKind::Seed => vec![
                ("Accepted", format::thousands(progress.accepted)),
                ("Corrected", format::thousands(progress.corrected)),
                ("Unchanged", format::thousands(progress.unchanged)),
                ("Refused", format::thousands(progress.refused_total)),
            ],
        };
        let total = progress.total;
        let came = Came::of(
            registry,
            caller,
            Counts {
                done: progress.done,
                issued: progress.issued,
                quantity: progress.quantity,
                refused: progress.refused_total,
                zero: progress.zero_total,
            },
            refused.collect(),
            fresh,
        )?;
        Ok(Self {
            line,
            is_running: job.state == JobState::Running,
            percent: (total > 0).then(|| progress.done.saturating_mul(100) / total),
            done: format::thousands(progress.done),
            total: format::thousands(total),
            updated_at: format::instant(job.updated_at),
            error: progress.error,
            came,
            counts,
            accounts: accounts(registry, caller, &bundles, fresh)?,
            has_more_bundles: progress.issued > u64::try_from(bundles.len()).unwrap_or(u64::MAX),
            bundles,
        })
    }
}

/// The first bundles that the visitor may read.
fn made(registry: &Registry, caller: &Caller, ids: &[i64], fresh: Option<EventNumber>) -> Result<Vec<Made>, Error> {
    let mut rows = Vec::new();
    for id in ids.iter().take(JOB_BUNDLES_SHOWN_MAX) {
        let found = match registry.certificate(caller, BundleId(*id), fresh) {
            Ok(found) => found.view,
            Err(Error::NotFound { .. }) => continue,
            Err(error) => return Err(error),
        };
        let (start, end) = (found.bundle.production.start(), found.bundle.production.end());
        rows.push(Made {
            id: *id,
            device: found.attributes.device.name.clone(),
            interval: format::interval(start, end),
            energy: format::energy(found.bundle.range.quantity()),
            account: found.bundle.account_id.0,
        });
    }
    Ok(rows)
}

fn accounts(
    registry: &Registry,
    caller: &Caller,
    bundles: &[Made],
    fresh: Option<EventNumber>,
) -> Result<Vec<Known>, Error> {
    let ids: Vec<_> = bundles.iter().map(|made| domain::AccountId(made.account)).collect();
    let names = registry.account_names(caller, &ids, fresh)?;
    Ok(names.into_iter().map(|(id, name)| Known::named(id, name)).collect())
}

impl Came {
    /// Of the answer of a dry run.
    pub(super) async fn told(ui: &Ui, visitor: &Visitor, answer: &Value) -> Result<Self, Failure> {
        let count = |name: &str| answer[name].as_u64().unwrap_or_default();
        let counts = Counts {
            done: count("done"),
            issued: count("issued"),
            quantity: count("quantity"),
            refused: count("refused_total"),
            zero: count("zero_total"),
        };
        let listed = answer["refused"].as_array().into_iter().flatten();
        let refused = listed.filter_map(|row| {
            Some(Refused {
                device: row["device_id"].as_i64()?,
                start: row["interval_start_datetime"].as_str()?.parse().ok()?,
                reason: row["reason"].as_str()?.to_owned(),
            })
        });
        let refused = refused.collect();
        let (caller, fresh) = (visitor.caller.clone(), visitor.fresh);
        ui.blocking(move |registry| Self::of(registry, &caller, counts, refused, fresh)).await
    }

    fn of(
        registry: &Registry,
        caller: &Caller,
        counts: Counts,
        mut refused: Vec<Refused>,
        fresh: Option<EventNumber>,
    ) -> Result<Self, Error> {
        let refused_total = counts.refused.saturating_sub(counts.zero);
        let zero = ReadingRefusal::ZeroEnergy.to_string();
        refused.retain(|row| row.reason != zero);
        refused.truncate(JOB_REFUSED_SHOWN_MAX);
        let mut names = BTreeMap::new();
        for row in &refused {
            let Entry::Vacant(place) = names.entry(row.device) else { continue };
            let name = match registry.device(caller, DeviceId(row.device), fresh) {
                Ok(device) => device.description.name,
                Err(Error::NotFound { .. }) => format!("device {}", row.device),
                Err(error) => return Err(error),
            };
            place.insert(name);
        }
        let more = refused_total.saturating_sub(u64::try_from(refused.len()).unwrap_or(u64::MAX));
        let rows = refused.into_iter().map(|row| RefusedRow {
            device: names.get(&row.device).cloned().unwrap_or_default(),
            device_id: row.device,
            start: format::instant(row.start),
            reason: words::numbers(&row.reason),
        });
        Ok(Self {
            readings: format::thousands(counts.done),
            has_readings: counts.done > 0,
            issued: format::thousands(counts.issued),
            is_nothing: counts.issued == 0,
            energy: format::energy(WattHours(counts.quantity)),
            zero: (counts.zero > 0).then(|| format::thousands(counts.zero)),
            refused: format::thousands(refused_total),
            rows: rows.collect(),
            more: (more > 0).then(|| format::thousands(more)),
        })
    }
}
