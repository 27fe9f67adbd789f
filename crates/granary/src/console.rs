//! What people see: answers on standard output, progress and messages on standard error, tables in columns.

use crate::failure::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Where there is no terminal, a line of progress is written this often.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Writes an answer.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Says something beside the answer. A standard error that is closed does not stop anybody.
pub(crate) fn say(text: &str) {
    let _nobody_listens: io::Result<()> = writeln!(io::stderr().lock(), "{text}");
}

/// Asks for something on the terminal that is not shown as it is typed.
pub(crate) fn ask_secretly(question: &str) -> Result<String, Failure> {
    let terminal = ::console::Term::stderr();
    let answer = terminal.write_str(question).and_then(|()| terminal.read_secure_line());
    answer.map_err(Failure::io("the terminal"))
}

/// Rows in columns; the first row is the head. Numbers are the caller's to format.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A whole number with its thousands apart: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a progress counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Bytes,
    Things(&'static str),
}

/// How far long work is: a bar on a terminal, a line now and then elsewhere.
pub(crate) struct Progress {
    what: String,
    unit: Unit,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// `total` is 0 if it is not known yet.
    pub(crate) fn start(what: impl Into<String>, total: u64, unit: Unit) -> Self {
        let what = what.into();
        let bar = io::stderr().is_terminal().then(|| {
            let (counted, name) = match unit {
                Unit::Bytes => ("{bytes} of {total_bytes}", ""),
                Unit::Things(name) => ("{human_pos} of {human_len}", name),
            };
            let text = format!("{{msg}} {{bar:30}} {counted} {name} {{eta}}");
            let style = ProgressStyle::with_template(&text).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
                .with_style(style)
                .with_message(what.clone())
        });
        Self { what, unit, bar, told: Instant::now() }
    }

    pub(crate) fn at(&mut self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total.max(done));
            bar.set_position(done);
        } else if self.told.elapsed() >= PLAIN_EVERY {
            self.told = Instant::now();
            let name = match self.unit {
                Unit::Bytes => "bytes",
                Unit::Things(name) => name,
            };
            let of = if total > 0 { format!(" of {}", grouped(total)) } else { String::new() };
            say(&format!("{}: {}{of} {name}", self.what, grouped(done)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(table(&[row(["a", "b"]), row(["länger", ""]), row(["c", "d"])]), "a       b\nlänger\nc       d\n");
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
