//! `granary import readings`: meter readings from a file or from standard input, as the operator.

pub(crate) mod elexon;
pub(crate) mod seed;

use crate::cli::{self, ReadingsFormat};
use crate::console::{self, Progress, Unit, grouped, table};
use crate::failure::{Failure, Verdict};
use crate::registry;
use crate::settings::Settings;
use app::{Format, ReadingsReport, ZoneOfTimes};
use domain::Actor;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 128 * 1024;

pub(crate) fn readings(settings: &Settings, arguments: &cli::ImportReadings) -> Result<Verdict, Failure> {
    let zone = match &arguments.time_zone {
        None => ZoneOfTimes::default(),
        Some(name) => ZoneOfTimes::named(name).ok_or_else(|| Failure::Argument {
            argument: "--time-zone",
            rule: "must be the name of a time zone, such as Europe/London".to_owned(),
        })?,
    };
    let path = &arguments.file;
    let format = match (arguments.format, path.extension()) {
        (Some(ReadingsFormat::Json), _) => Format::Json,
        (None, Some(extension)) if extension.eq_ignore_ascii_case("json") => Format::Json,
        (Some(ReadingsFormat::Csv) | None, _) => Format::Csv,
    };
    let (input, bytes) = open(path)?;
    let counted = Counted {
        input: io::BufReader::with_capacity(BUFFER_BYTES, input),
        bar: Progress::start("importing", bytes, Unit::Bytes),
        done: 0,
        bytes,
    };
    let report = registry::with(settings, |registry| {
        Ok(registry.submit_readings_as(Actor::Operator, counted, format, &zone, &mut |_| ())?)
    })?;
    console::print(&told(&report))?;
    Ok(if report.rejected_total == 0 { Verdict::Done } else { Verdict::Findings })
}

/// The input and its length, 0 if that is not known.
fn open(path: &Path) -> Result<(Box<dyn Read>, u64), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), 0));
    }
    let failure = |error| Failure::Io { what: path.display().to_string(), error };
    let file = File::open(path).map_err(failure)?;
    let about = file.metadata().map_err(failure)?;
    if about.is_dir() {
        return Err(failure(io::ErrorKind::IsADirectory.into()));
    }
    Ok((Box::new(file), about.len()))
}

/// Shows how much of the input was read.
struct Counted<R> {
    input: R,
    bar: Progress,
    done: u64,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.done += u64::try_from(read).unwrap_or(0);
        self.bar.at(self.done, self.bytes);
        Ok(read)
    }
}

pub(super) fn told(report: &ReadingsReport) -> String {
    let mut text = String::new();
    for rejected in &report.rejected {
        let device = rejected.device_id.map(|id| format!(", device {id}")).unwrap_or_default();
        let start = rejected.start.map(|start| format!(", {start}")).unwrap_or_default();
        let _infallible = writeln!(text, "row {}{device}{start}: {}", rejected.row, rejected.reason);
    }
    let listed = u64::try_from(report.rejected.len()).unwrap_or(u64::MAX);
    if report.rejected_total > listed {
        let _infallible = writeln!(text, "… and {} more", grouped(report.rejected_total - listed));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let counts = [
        ("rows", report.rows),
        ("accepted", report.accepted),
        ("corrected", report.corrected),
        ("unchanged", report.unchanged),
        ("rejected", report.rejected_total),
    ];
    let mut rows: Vec<Vec<String>> =
        counts.into_iter().map(|(name, count)| vec![name.to_owned(), grouped(count)]).collect();
    if let (Some(first), Some(last)) = (report.first, report.last) {
        rows.push(vec!["first start".to_owned(), first.to_string()]);
        rows.push(vec!["last end".to_owned(), last.to_string()]);
    }
    text.push_str(&table(&rows));
    text
}
