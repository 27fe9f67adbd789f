//! How the registry is, by what it measured itself, and how much its log tells.

use super::{HOME, needs_administrator, verdict};
use crate::Ui;
use crate::failure::Failure;
use crate::form::{Form, ONCE};
use crate::format;
use crate::frame::{Frame, show, show_refused};
use crate::visitor::Visitor;
use crate::words::Refused;
use app::{Histogram, JobState, Measured};
use askama::Template;
use axum::extract::State;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};
use web::LogLevel;

#[derive(Template)]
#[template(path = "admin.html")]
struct Page {
    frame: Frame,
    /// What is not well; empty if all is.
    faults: Vec<String>,
    program: Vec<(&'static str, String)>,
    figures: Vec<(&'static str, String)>,
    spreads: Vec<SpreadRow>,
    jobs: Vec<(&'static str, String)>,
    rejected: Vec<(String, String, String)>,
    levels: Vec<&'static str>,
    /// The level of now; `None` if the program does not tell.
    level: Option<String>,
    done: Option<String>,
    refused: Option<Refused>,
}

/// What was measured of batches: the mean, and bounds that a share of them did not exceed.
struct SpreadRow {
    name: &'static str,
    count: String,
    mean: String,
    half: String,
    most: String,
}

pub(super) async fn health(State(ui): State<Ui>, visitor: Visitor) -> Result<Response, Failure> {
    needs_administrator(&visitor)?;
    show(&page(&ui, &visitor).await?)
}

pub(super) async fn change_log_level(State(ui): State<Ui>, form: Form) -> Result<Response, Failure> {
    let Form { visitor, fields } = form;
    needs_administrator(&visitor)?;
    let asked = json!({"level": fields.get("level")});
    let said = ui.api.ask(&visitor.caller, Method::POST, "/change_log_level", &asked, fields.get(ONCE)).await;
    let page = page(&ui, &visitor).await?;
    match said {
        Ok(answered) => {
            let done = answered.json["message"].as_str().map(str::to_owned);
            show(&Page { done, ..page })
        }
        Err(refused) => show_refused(&Page { refused: Some(refused.clone()), ..page }, &refused),
    }
}

async fn page(ui: &Ui, visitor: &Visitor) -> Result<Page, Failure> {
    let watch = ui.watch.clone();
    let (measured, live) = ui
        .blocking(move |registry| {
            let last_event = || Ok(registry.health()?.event_number);
            Ok((registry.measured()?, watch.look(registry.now(), last_event, || registry.live_check())?))
        })
        .await?;
    let last = ui.checks.standing().last;
    let told = ui.api.ask(&visitor.caller, Method::GET, "/log_level", &Value::Null, None).await;
    let level = told.ok().and_then(|answered| answered.json["level"].as_str().map(str::to_owned));
    let rejected = measured.rejected.iter().map(|(kind, reason, count)| {
        (kind.name().replace('_', " "), reason.replace('_', " "), format::thousands(*count))
    });
    Ok(Page {
        frame: Frame::of(visitor, "Administration", HOME),
        faults: verdict::faults(&measured, &live, last.as_ref()),
        program: vec![
            ("Version", env!("CARGO_PKG_VERSION").to_owned()),
            ("Running since", format!("{} UTC", format::instant_text(ui.began))),
            ("End of the ledger checked", format!("{} UTC", format::instant_text(live.checked_at))),
            ("Whole ledger checked", verdict::last_check(last.as_ref())),
        ],
        figures: figures(&measured),
        spreads: vec![
            SpreadRow::of("Changes that are carried out together", &measured.batch_works, format::thousands),
            SpreadRow::of("Time from taking them to their answers", &measured.batch_micros, duration),
            SpreadRow::of("Time until they are safe on disk", &measured.commit_micros, duration),
        ],
        jobs: measured.jobs.iter().map(|(state, count)| (job_state(*state), format::thousands(*count))).collect(),
        rejected: rejected.collect(),
        levels: LogLevel::ALL.iter().map(|level| level.name()).collect(),
        level,
        done: None,
        refused: None,
    })
}

fn figures(measured: &Measured) -> Vec<(&'static str, String)> {
    let replica = match (measured.has_replica, measured.replica_lag) {
        (false, _) => "none".to_owned(),
        (true, None) => "does not answer".to_owned(),
        (true, Some(lag)) => format!("{} events behind", format::thousands(lag)),
    };
    let queued = i128::try_from(measured.queued).unwrap_or(i128::MAX);
    vec![
        ("Database", "answers".to_owned()),
        ("Standby for reads", replica),
        ("Changes waiting", format::thousands(queued)),
        ("Events", format::thousands(measured.events)),
        ("Actions", format::thousands(measured.actions)),
        ("Bundles ever made", format::thousands(measured.bundles)),
        ("Open sessions", format::thousands(measured.sessions)),
        ("Refused actions on record", format::thousands(measured.rejected_kept)),
    ]
}

const fn job_state(state: JobState) -> &'static str {
    match state {
        JobState::Running => "running",
        JobState::Done => "done",
        JobState::Failed => "failed",
        JobState::Interrupted => "interrupted",
    }
}

/// A time in the unit that fits.
fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}.{} s", format::thousands(micros / 1_000_000), micros % 1_000_000 / 100_000),
    }
}

impl SpreadRow {
    fn of(name: &'static str, of: &Histogram, show: fn(u64) -> String) -> Self {
        let count = count(of);
        let none = || "–".to_owned();
        let bound = |percent| {
            let found = within(of, percent);
            let last = of.counts.last().map_or(0, |(bound, _)| *bound);
            found.map_or_else(|| format!("above {}", show(last)), |bound| format!("up to {}", show(bound)))
        };
        let (mean, half, most) = match of.sum.checked_div(count) {
            None => (none(), none(), none()),
            Some(mean) => (show(mean), bound(50), bound(95)),
        };
        Self { name, count: format::thousands(count), mean, half, most }
    }
}

fn count(of: &Histogram) -> u64 {
    of.counts.iter().map(|(_, count)| count).sum::<u64>() + of.above
}

/// The least bound that this share did not exceed; `None` if it is above the last.
fn within(of: &Histogram, percent: u64) -> Option<u64> {
    let needed = count(of).saturating_mul(percent).div_ceil(100);
    let mut seen = 0;
    of.counts.iter().find_map(|(bound, count)| {
        seen += count;
        (seen >= needed).then_some(*bound)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_by_what_was_counted() {
        let of = Histogram { counts: vec![(1, 5), (10, 4), (100, 0)], above: 1, sum: 2_000 };
        assert_eq!((within(&of, 50), within(&of, 90), within(&of, 95)), (Some(1), Some(10), None));
        let row = SpreadRow::of("x", &of, duration);
        assert_eq!((row.count.as_str(), row.mean.as_str()), ("10", "200 µs"));
        assert_eq!((row.half.as_str(), row.most.as_str()), ("up to 1 µs", "above 100 µs"));
        let empty = Histogram { counts: vec![(1, 0)], above: 0, sum: 0 };
        assert_eq!(SpreadRow::of("x", &empty, duration).most, "–");
    }

    #[test]
    fn times_are_shown_in_the_unit_that_fits() {
        for (micros, text) in
            [(0, "0 µs"), (999, "999 µs"), (1_000, "1.0 ms"), (25_490, "25.4 ms"), (1_500_000, "1.5 s")]
        {
            assert_eq!(duration(micros), text);
        }
    }
}
