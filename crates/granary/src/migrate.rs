//! `granary migrate`: brings the schema up to date, or says how far it is.

use crate::cli;
use crate::console::{self, table};
use crate::failure::{Failure, Verdict};
use crate::settings::Settings;
use app::Url;
use db::{Applied, Connection, MigrationStatus, OpenMode};

pub(crate) fn run(settings: &Settings, arguments: &cli::Migrate) -> Result<Verdict, Failure> {
    if arguments.status { list(settings) } else { apply(settings) }
}

fn apply(settings: &Settings) -> Result<Verdict, Failure> {
    let url = &settings.database;
    let mut connection = Connection::open(url).map_err(Failure::database(url))?;
    let applied = connection.migrate(app::MIGRATIONS).map_err(Failure::database(url))?;
    let known = connection.migration_status(app::MIGRATIONS).map_err(Failure::database(url))?.applied;
    let now = known.iter().filter(|known| applied.contains(&known.version));
    let mut lines: Vec<String> = now.map(|applied| format!("applied {}", name_of(applied))).collect();
    if lines.is_empty() {
        lines.push("nothing to apply".to_owned());
    }
    let version = known.last().map_or(0, |last| last.version);
    lines.push(format!("{url} is at version {version}\n"));
    console::print(&lines.join("\n"))?;
    Ok(Verdict::Done)
}

fn list(settings: &Settings) -> Result<Verdict, Failure> {
    let status = status(&settings.database)?;
    let mut rows = vec![["migration", "applied"].map(str::to_owned).to_vec()];
    rows.extend(status.applied.iter().map(|applied| vec![name_of(applied), applied.applied_at.to_string()]));
    rows.extend(status.pending.iter().map(|(version, name)| vec![format!("V{version}__{name}"), "pending".to_owned()]));
    console::print(&table(&rows))?;
    Ok(Verdict::Done)
}

/// What is applied to a database and what is pending. It is not changed, nor made.
pub(crate) fn status(url: &Url) -> Result<MigrationStatus, Failure> {
    if url.file().is_some_and(|file| !file.exists()) {
        let pending = app::MIGRATIONS.iter().map(|ours| (ours.version, ours.name.to_owned())).collect();
        return Ok(MigrationStatus { applied: Vec::new(), pending });
    }
    let mut connection = Connection::open_as(url, OpenMode::Reader).map_err(Failure::database(url))?;
    connection.migration_status(app::MIGRATIONS).map_err(Failure::database(url))
}

fn name_of(applied: &Applied) -> String {
    format!("V{}__{}", applied.version, applied.name)
}
