//! The table, as the README shows it.

use crate::bare::Bare;
use db::testing::Engine;
use std::io::Write as _;

#[derive(Clone, Copy)]
pub(crate) enum Goal {
    Least(f64),
    Most(f64),
}

impl Goal {
    pub(crate) fn least(figure: f64) -> Self {
        Self::Least(figure)
    }

    pub(crate) fn most(figure: f64) -> Self {
        Self::Most(figure)
    }

    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::Least(goal) => figure >= goal,
            Self::Most(goal) => figure <= goal,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::Least(goal) => format!("≥ {}", figure(goal)),
            Self::Most(goal) => format!("≤ {}", figure(goal)),
        }
    }
}

pub(crate) struct Row {
    pub name: &'static str,
    measured: f64,
    unit: &'static str,
    goal: Goal,
}

impl Row {
    pub(crate) fn new(name: &'static str, measured: f64, unit: &'static str, goal: Goal) -> Self {
        Self { name, measured, unit, goal }
    }

    pub(crate) fn shown(&self) -> String {
        let missed = if self.goal.is_met(self.measured) { "" } else { " **missed**" };
        format!("{} {} ({}){missed}", figure(self.measured), self.unit, self.goal.shown()).replace("  ", " ")
    }
}

/// Three digits that matter, thousands apart.
fn figure(value: f64) -> String {
    if value >= 1_000.0 {
        let whole = format!("{value:.0}");
        let mut out = String::new();
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place) % 3 == 0 {
                out.push(',');
            }
            out.push(digit);
        }
        return out;
    }
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

pub(crate) fn print(columns: &[(Engine, Vec<Row>)], bare: &Bare, bundles: i64) {
    let mut out = std::io::stdout().lock();
    let engines: Vec<String> = columns.iter().map(|(engine, _)| format!("{engine:?}")).collect();
    writeln!(out, "\n{} bundles, measured (goal)\n", figure(crate::count(bundles))).unwrap();
    writeln!(out, "| | {} |\n| --- |{}", engines.join(" | "), " --- |".repeat(columns.len())).unwrap();
    let names: Vec<&str> =
        columns.first().map(|(_, rows)| rows.iter().map(|row| row.name).collect()).unwrap_or_default();
    for name in names {
        let cells = columns
            .iter()
            .map(|(_, rows)| rows.iter().find(|row| row.name == name).map_or_else(|| "–".to_owned(), Row::shown));
        writeln!(out, "| {name} | {} |", cells.collect::<Vec<_>>().join(" | ")).unwrap();
    }
    writeln!(
        out,
        "\nBare loops of the same run: {} bundles/s in bulk, {} splits/s at 64 a commit; fsync {} µs.",
        figure(bare.bulk),
        figure(bare.grouped),
        figure(bare.fsync_micros)
    )
    .unwrap();
}
