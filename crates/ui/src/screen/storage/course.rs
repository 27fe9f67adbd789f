//! The course of a storage device in time: its state of charge and its efficiency factor, as plots, and as a table of days or
//! months.

use super::{Factor, column, wh};
use crate::limits::COURSE_DAYS_TOLD_MAX;
use app::{StorageCourse, StorageFlow, StorageStep};
use domain::{Efficiency, WattHours};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

/// What the page tells of it.
pub(super) struct Course {
    /// For the plots: numbers of ours only.
    pub data: String,
    pub has_factors: bool,
    pub spans: Vec<Span>,
    /// What one of them is: a day, a month.
    pub is_by_day: bool,
    pub has_earlier: bool,
}

/// A day or a month.
pub(super) struct Span {
    pub name: String,
    pub charged: String,
    pub discharged: String,
    pub drawn: String,
    /// At its end.
    pub level: String,
    pub factor: String,
}

/// Sums of a span while they are made.
struct Sums {
    first: Date,
    charged: WattHours,
    discharged: WattHours,
    drawn: WattHours,
    level: WattHours,
    efficiency: Option<Efficiency>,
}

impl Course {
    /// `None` without a step.
    pub(super) fn of(course: &StorageCourse) -> Option<Self> {
        let (first, last) = (course.steps.first()?, course.steps.last()?);
        let (from, to) = (day_of(first.interval.start()), last_day(last.interval.end()));
        let days = usize::try_from(from.until(to).ok()?.get_days()).ok()? + 1;
        let is_by_day = days <= COURSE_DAYS_TOLD_MAX;
        let factors: Vec<(Timestamp, &Efficiency)> = course.steps.iter().filter_map(factor_of).collect();
        let level: Vec<(Timestamp, u64)> = std::iter::once((first.interval.start(), course.before.0))
            .chain(course.steps.iter().map(|step| (step.interval.end(), step.level.0)))
            .collect();
        let data = json!({
            "start": format!("{from}T00:00:00Z"),
            "days": days,
            "level": {"at": seconds(level.iter().map(|(at, _)| *at)), "values": level.iter().map(|(_, wh)| *wh).collect::<Vec<_>>()},
            "factor": {
                "at": seconds(factors.iter().map(|(at, _)| *at)),
                // in millionths: a plot needs no more
                "values": factors.iter().map(|(_, of)| millionths(of)).collect::<Vec<_>>(),
            },
        });
        Some(Self {
            data: data.to_string(),
            has_factors: !factors.is_empty(),
            spans: spans(course, is_by_day),
            is_by_day,
            has_earlier: course.has_earlier,
        })
    }
}

fn factor_of(step: &StorageStep) -> Option<(Timestamp, &Efficiency)> {
    match &step.flow {
        StorageFlow::Charge { .. } => None,
        StorageFlow::Discharge { efficiency, .. } => Some((step.interval.start(), efficiency)),
    }
}

fn seconds(times: impl Iterator<Item = Timestamp>) -> Vec<Value> {
    times.map(|at| at.as_second().into()).collect()
}

fn millionths(efficiency: &Efficiency) -> u64 {
    let (numerator, denominator) = efficiency.ratio().unwrap_or((0, 1));
    u64::try_from(numerator * 1_000_000 / denominator).unwrap_or_default()
}

fn day_of(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// The day that an end belongs to: midnight ends the day before.
fn last_day(end: Timestamp) -> Date {
    day_of(end.checked_sub(1.microsecond()).unwrap_or(end))
}

/// The days or months in which something was recorded; a record counts where it ends.
fn spans(course: &StorageCourse, is_by_day: bool) -> Vec<Span> {
    let mut spans: Vec<Sums> = Vec::new();
    for step in &course.steps {
        let day = last_day(step.interval.end());
        let first = if is_by_day { day } else { day.first_of_month() };
        if spans.last().is_none_or(|span| span.first != first) {
            let [charged, discharged, drawn] = [WattHours::ZERO; 3];
            spans.push(Sums { first, charged, discharged, drawn, level: step.level, efficiency: None });
        }
        let span = spans.last_mut().expect("one was just pushed");
        let plus = |sum: WattHours, more: WattHours| [sum, more].into_iter().sum();
        match step.flow {
            StorageFlow::Charge { energy } => span.charged = plus(span.charged, energy),
            StorageFlow::Discharge { energy, drawn, efficiency } => {
                span.discharged = plus(span.discharged, energy);
                span.drawn = plus(span.drawn, drawn);
                span.efficiency = Some(efficiency);
            }
        }
        span.level = step.level;
    }
    let told = |span: Sums| Span {
        name: span.first.strftime(if is_by_day { "%-d %B %Y" } else { "%B %Y" }).to_string(),
        charged: column(span.charged),
        discharged: column(span.discharged),
        drawn: column(span.drawn),
        level: wh(span.level),
        factor: span.efficiency.map_or_else(String::new, |of| Factor::of(&of).percent),
    };
    spans.into_iter().rev().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Interval;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn step(end: &str, flow: StorageFlow, level: u64) -> StorageStep {
        let end = at(end);
        let interval = Interval::new(end - jiff::SignedDuration::from_hours(1), end).unwrap();
        StorageStep { interval, flow, level: WattHours(level) }
    }

    #[test]
    fn midnight_ends_the_day_before_and_a_plot_begins_with_what_was_there() {
        let factor = Interval::new(at("2026-01-01T00:00Z"), at("2026-02-01T00:00Z")).unwrap();
        let [input, output, charge_before, charge_after] = [3, 2, 0, 0].map(WattHours);
        let efficiency = Efficiency { interval: factor, input, output, charge_before, charge_after };
        let (energy, drawn) = (WattHours(20), WattHours(30));
        let course = StorageCourse {
            before: WattHours(7),
            steps: vec![
                step("2026-02-02T00:00Z", StorageFlow::Charge { energy: WattHours(1_000) }, 1_007),
                step("2026-02-02T09:00Z", StorageFlow::Discharge { energy, drawn, efficiency }, 977),
            ],
            has_earlier: true,
        };
        let made = Course::of(&course).unwrap();
        let told: Vec<[&str; 3]> =
            made.spans.iter().map(|span| [span.name.as_str(), span.level.as_str(), span.factor.as_str()]).collect();
        assert_eq!(told, [["2 February 2026", "977 Wh", "≈ 66.667 %"], ["1 February 2026", "1,007 Wh", ""]]);
        let data: Value = serde_json::from_str(&made.data).unwrap();
        assert_eq!((&data["start"], &data["days"]), (&json!("2026-02-01T00:00:00Z"), &json!(2)));
        assert_eq!(data["level"]["values"], json!([7, 1_007, 977]));
        assert_eq!(data["factor"]["values"], json!([666_666]));
        assert!(Course::of(&StorageCourse::default()).is_none());
    }
}
