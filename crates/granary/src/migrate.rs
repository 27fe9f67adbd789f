//! `granary migrate`: brings the schema up to date, or says how far it is.

use crate::cli;
use crate::clock;
use crate::console::{self, table};
use crate::failure::{Failure, Verdict};
use crate::registry;
use crate::settings::Settings;
use app::{Registry, Url};
use db::{Applied, Connection, MigrationStatus, OpenMode};

pub(crate) fn run(settings: &Settings, arguments: &cli::Migrate) -> Result<Verdict, Failure> {
    if arguments.status { list(settings) } else { apply(settings) }
}

fn apply(settings: &Settings) -> Result<Verdict, Failure> {
    let url = &settings.database;
    let mut connection = Connection::open(url).map_err(Failure::database(url))?;
    let mut known = || connection.migration_status(&[]).map_err(Failure::database(url));
    let before = known()?.applied;
    registry::with(settings, |_| Ok(()))?;
    let after = known()?.applied;
    let mut lines: Vec<String> = after
        .iter()
        .filter(|applied| !before.contains(applied))
        .map(|applied| format!("applied {}", name_of(applied)))
        .collect();
    if lines.is_empty() {
        lines.push("nothing to apply".to_owned());
    }
    let version = after.last().map_or(0, |last| last.version);
    lines.push(format!("{url} is at version {version}\n"));
    console::print(&lines.join("\n"))?;
    Ok(Verdict::Done)
}

fn list(settings: &Settings) -> Result<Verdict, Failure> {
    let status = status(&settings.database, settings)?;
    let mut rows = vec![["migration", "applied"].map(str::to_owned).to_vec()];
    rows.extend(status.applied.iter().map(|applied| vec![name_of(applied), applied.applied_at.to_string()]));
    rows.extend(status.pending.iter().map(|(version, name)| vec![format!("V{version}__{name}"), "pending".to_owned()]));
    console::print(&table(&rows))?;
    Ok(Verdict::Done)
}

/// What is applied to a database and what is pending. It is not changed, nor made.
pub(crate) fn status(url: &Url, settings: &Settings) -> Result<MigrationStatus, Failure> {
    let applied = if url.file().is_some_and(|file| !file.exists()) {
        Vec::new()
    } else {
        let mut connection = Connection::open_as(url, OpenMode::Reader).map_err(Failure::database(url))?;
        connection.migration_status(&[]).map_err(Failure::database(url))?.applied
    };
    let of_program = of_this_program(settings)?;
    let is_pending = |ours: &&Applied| applied.iter().all(|known| known.version != ours.version);
    let pending = of_program.iter().filter(is_pending).map(|ours| (ours.version, ours.name.clone())).collect();
    Ok(MigrationStatus { applied, pending })
}

/// The migrations that this program brings along, which are those of a registry that it makes anew.
fn of_this_program(settings: &Settings) -> Result<Vec<Applied>, Failure> {
    let scratch = tempfile::tempdir().map_err(Failure::io("a temporary folder"))?;
    let url = Url::of_file(&scratch.path().join("empty.db"));
    let settings = app::Settings { database: url.clone(), read_database: None, ..settings.for_registry() };
    let registry = Registry::open(settings, clock::system())?;
    registry.close();
    drop(registry);
    let mut connection = Connection::open_as(&url, OpenMode::Reader).map_err(Failure::database(&url))?;
    Ok(connection.migration_status(&[]).map_err(Failure::database(&url))?.applied)
}

fn name_of(applied: &Applied) -> String {
    format!("V{}__{}", applied.version, applied.name)
}
