//! Opening a registry from the settings, and acting on it as the operator at the console.

use crate::clock;
use crate::failure::Failure;
use crate::settings::Settings;
use app::{Caller, Registry};
use db::{Connection, OpenMode};
use domain::{Role, Roles, UserId};
use jiff::Timestamp;

/// Opens the registry that the settings name; its schema is brought up to date.
pub(crate) fn open(settings: &Settings) -> Result<Registry, Failure> {
    Ok(Registry::open(settings.for_registry(), clock::system())?)
}

/// Opens the registry, hands it to `work`, and closes it whatever came of that.
pub(crate) fn with<T>(settings: &Settings, work: impl FnOnce(&Registry) -> Result<T, Failure>) -> Result<T, Failure> {
    let registry = open(settings)?;
    let done = work(&registry);
    registry.close();
    done
}

/// The operator as a reader: user 0 of the log, who may see everything. For reads only; changes are made as
/// [`domain::Actor::Operator`].
pub(crate) fn operator() -> Caller {
    Caller::signed_in(UserId(0), Roles::of(&Role::ALL), [0; 32], Timestamp::MAX)
}

/// A connection that reads for as long as it takes and changes nothing. The database must be there, with its tables.
pub(crate) fn reader(settings: &Settings) -> Result<Connection, Failure> {
    let url = &settings.database;
    if let Some(file) = url.file()
        && !file.exists()
    {
        let file = file.display();
        return Err(Failure::Refused(format!("DATABASE_URL: there is no file {file}; `granary migrate` makes it")));
    }
    let mut connection = Connection::open_as(url, OpenMode::LongReader).map_err(Failure::database(url))?;
    let status = connection.migration_status(&[]).map_err(Failure::database(url))?;
    if status.applied.is_empty() {
        return Err(Failure::Refused(format!("{url} has no tables yet; `granary migrate` makes them")));
    }
    Ok(connection)
}
