//! `granary demo`: a registry full of made-up data, served on this machine.
//!
//! Everything goes through the doors that everybody uses: the rules see the demonstration as they see anything else.
//! Invariant: nothing is filled that is not empty, and a filling that was interrupted is recognised as such.

mod data;
mod fill;

use crate::cli;
use crate::console::{self, table};
use crate::failure::{Failure, Verdict};
use crate::logging::{self, Level};
use crate::registry::{self, operator};
use crate::serve;
use crate::settings::Settings;
use app::{Error, Registry, UserView};
use data::Data;
use domain::UserId;
use std::time::Instant;

/// Everybody's password in the demonstration. Everybody knows it, so it is served on this machine only.
const PASSWORD: &str = "granary-demo";

/// What a database is to the demonstration.
enum Found {
    Empty,
    Demo,
    /// A demonstration that is not complete.
    Half,
    SomethingElse,
}

pub(crate) fn run(settings: &Settings, arguments: &cli::Demo) -> Result<Verdict, Failure> {
    let controls = logging::start(settings.log_level.unwrap_or(Level::Warning), settings.log_format);
    let data = Data::read();
    let listener = if arguments.no_serve { None } else { Some(serve::listen(settings.listen)?) };
    let registry = registry::open(settings)?;
    if let Err(failure) = prepare(&registry, settings, &data, arguments.days) {
        registry.close();
        return Err(failure);
    }
    let Some(listener) = listener else {
        registry.close();
        console::print(&sign_ins(&data))?;
        return Ok(Verdict::Done);
    };
    let address = listener.local_addr().map_err(Failure::io("LISTEN"))?;
    let text = format!("{}\nOn this machine only, at http://{address}   (Ctrl+C stops it)\n", sign_ins(&data));
    if let Err(failure) = console::print(&text) {
        registry.close();
        return Err(failure);
    }
    serve::serve(&registry, listener, controls)
}

/// Fills an empty database; leaves a filled one as it is.
fn prepare(registry: &Registry, settings: &Settings, data: &Data, days: u16) -> Result<(), Failure> {
    let url = &settings.database;
    match look(registry, data)? {
        Found::Empty => {
            let start = Instant::now();
            console::say(&format!("Filling {url} with {days} days of made-up readings"));
            let filled = fill::fill(registry, data, days, PASSWORD)?;
            console::say(&format!("{filled} in {} ms", start.elapsed().as_millis()));
            Ok(())
        }
        Found::Demo => {
            console::say(&format!("{url} holds the demonstration already"));
            Ok(())
        }
        Found::Half => Err(Failure::Refused(format!(
            "DATABASE_URL: {url} holds a demonstration that was interrupted while it was filled; drop that database, or \
             name another one, and try again"
        ))),
        Found::SomethingElse => Err(Failure::Refused(format!(
            "DATABASE_URL: {url} holds a registry already, and the demonstration fills an empty database only; name \
             another one, such as --database-url sqlite://data/demo.db"
        ))),
    }
}

/// The first user of the file is the first user of the demonstration, and the last one comes when everything is in place.
fn look(registry: &Registry, data: &Data) -> Result<Found, Failure> {
    if registry.health()?.event_number.0 == 0 {
        return Ok(Found::Empty);
    }
    let has = |index: usize| -> Result<bool, Failure> {
        let id = UserId(i64::try_from(index + 1).unwrap_or(i64::MAX));
        match registry.user(&operator(), id, None) {
            Ok(UserView::Whole { user, .. }) => Ok(user.primary_contact == data.registry.users[index].primary_contact),
            Ok(UserView::Name { .. }) | Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    };
    if !has(0)? {
        // Accounts come before users.
        let made_accounts = registry.account_name(domain::AccountId(1))?;
        let is_of_demo = made_accounts.is_some_and(|name| name == data.registry.accounts[0].name);
        return Ok(if is_of_demo { Found::Half } else { Found::SomethingElse });
    }
    Ok(if has(data.registry.users.len() - 1)? { Found::Demo } else { Found::Half })
}

fn sign_ins(data: &Data) -> String {
    let mut rows = vec![["who", "signs in as", "password", "roles"].map(str::to_owned).to_vec()];
    for user in &data.registry.users {
        let roles: Vec<&str> = user.roles.iter().map(|role| role.name()).collect();
        let roles = if roles.len() > 3 { format!("{} roles", roles.len()) } else { roles.join(", ") };
        rows.push(vec![user.name.clone(), user.primary_contact.clone(), PASSWORD.to_owned(), roles]);
    }
    table(&rows)
}
