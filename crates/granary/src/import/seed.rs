//! `granary import seed`: a demonstration registry's database is taken over, as the operator.
//!
//! A dry run takes it over into a registry of its own that is thrown away, so that it finds exactly what the import would.

use crate::cli;
use crate::clock;
use crate::console::{self, Progress, Unit, grouped, table};
use crate::failure::{Failure, Verdict};
use crate::registry;
use crate::settings::Settings;
use app::{Registry, SeedFinding, SeedReport, Url};
use db::{Connection, OpenMode};
use std::fs::File;
use std::io::{self, Write as _};

const COLUMNS: [&str; 4] = ["table", "row", "verdict", "text"];

pub(crate) fn run(settings: &Settings, arguments: &cli::ImportSeed) -> Result<Verdict, Failure> {
    let parsed = Url::parse(&arguments.url);
    let source = parsed.map_err(|error| Failure::Argument { argument: "--url", rule: error.to_string() })?;
    let mut lines = Lines::open(arguments)?;
    let report = if arguments.dry_run {
        rehearse(settings, &source, &mut lines)?
    } else {
        registry::with(settings, |registry| take_over(registry, &source, None, &mut lines))?
    };
    lines.close()?;
    console::print(&told(&report, arguments.dry_run))?;
    Ok(if report.refused() == 0 { Verdict::Done } else { Verdict::Findings })
}

fn take_over(
    registry: &Registry,
    source: &Url,
    target: Option<&mut Connection>,
    lines: &mut Lines,
) -> Result<SeedReport, Failure> {
    let mut bar = Progress::start("importing", 0, Unit::Things("rows"));
    let mut done = 0;
    let report = registry.import_seed(source, target, &mut |finding| lines.write(finding), &mut |rows| {
        done += rows;
        bar.at(done, 0);
    });
    Ok(report?)
}

/// Into a file of its own. The registry of the settings is looked at, and not even made if it is not there.
fn rehearse(settings: &Settings, source: &Url, lines: &mut Lines) -> Result<SeedReport, Failure> {
    let mut target = target(settings)?;
    let folder = tempfile::tempdir().map_err(Failure::io("a temporary folder"))?;
    let database = Url::of_file(&folder.path().join("rehearsal.db"));
    let rehearsal = app::Settings { database, read_database: None, ..settings.for_registry() };
    let registry = Registry::open(rehearsal, clock::system())?;
    let report = take_over(&registry, source, target.as_mut(), lines);
    registry.close();
    report
}

/// The registry that would take the seed over, if it has tables.
fn target(settings: &Settings) -> Result<Option<Connection>, Failure> {
    let url = &settings.database;
    if url.file().is_some_and(|file| !file.exists()) {
        return Ok(None);
    }
    let mut connection = Connection::open_as(url, OpenMode::LongReader).map_err(Failure::database(url))?;
    let status = connection.migration_status(&[]).map_err(Failure::database(url))?;
    Ok((!status.applied.is_empty()).then_some(connection))
}

/// Where the lines go: to a file of CSV, or to standard output. The first failure to write is told at the end.
struct Lines {
    form: Form,
    failure: Option<Failure>,
}

enum Form {
    Plain,
    Csv { file: String, writer: Box<csv::Writer<File>> },
}

impl Lines {
    fn open(arguments: &cli::ImportSeed) -> Result<Self, Failure> {
        let Some(path) = &arguments.report else { return Ok(Self { form: Form::Plain, failure: None }) };
        let file = path.display().to_string();
        let writer = File::create(path).map(csv::Writer::from_writer).map_err(Failure::io(&file))?;
        let mut lines = Self { form: Form::Csv { file, writer: Box::new(writer) }, failure: None };
        lines.record(COLUMNS);
        Ok(lines)
    }

    fn write(&mut self, finding: &SeedFinding) {
        let (table, verdict) = (finding.table.name(), finding.verdict.name());
        self.record([table, &finding.row, verdict, &finding.text]);
    }

    fn record(&mut self, cells: [&str; 4]) {
        if self.failure.is_some() {
            return;
        }
        let [table, row, verdict, text] = cells;
        let done = match &mut self.form {
            Form::Plain => writeln!(io::stdout().lock(), "{verdict}: {table} {row}: {text}").map_err(Failure::Output),
            Form::Csv { file, writer } => {
                writer.write_record(cells).map_err(io::Error::from).map_err(Failure::io(file.clone()))
            }
        };
        self.failure = done.err();
    }

    fn close(self) -> Result<(), Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        match self.form {
            Form::Plain => Ok(()),
            Form::Csv { file, mut writer } => writer.flush().map_err(Failure::io(file)),
        }
    }
}

fn told(report: &SeedReport, is_dry: bool) -> String {
    let head = ["table", "read", "imported", "repaired", "refused", "left out"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (of, count) in &report.tables {
        let counts = [count.read, count.imported, count.repaired, count.refused, count.left_out];
        let mut row = vec![of.name().to_owned()];
        row.extend(counts.into_iter().map(grouped));
        rows.push(row);
    }
    let mut text = format!("\n{}", table(&rows));
    text.push_str(if is_dry {
        "\nA dry run: nothing was written.\n"
    } else {
        "\nUsers have no passwords yet. `granary user add` makes an administrator, who sets them; `granary verify` checks \
         what was taken over.\n"
    });
    text
}
