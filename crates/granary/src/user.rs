//! `granary user add`: a user, made by the operator.

use crate::cli;
use crate::console;
use crate::failure::{Failure, Verdict};
use crate::registry;
use crate::settings::{Settings, password_rule};
use domain::{AccountId, Role, Roles};
use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

/// The most bytes of standard input that are looked at for a password.
const PASSWORD_BYTES_MAX: u64 = 4_096;

pub(crate) fn add(settings: &Settings, arguments: &cli::UserAdd) -> Result<Verdict, Failure> {
    let roles = arguments.roles.iter().map(|name| role(name)).collect::<Result<Vec<_>, _>>()?;
    checked("--name", &arguments.name)?;
    checked("--email", &arguments.email)?;
    if let Some(organisation) = &arguments.organisation {
        checked("--organisation", organisation)?;
    }
    let accounts: Vec<_> = arguments.accounts.iter().map(|id| AccountId(*id)).collect();
    let (password, is_made_up) = match password(arguments)? {
        Some(password) => (password, false),
        None => (app::generate_password(), true),
    };
    let id = registry::with(settings, |registry| {
        let (name, email, organisation) = (&arguments.name, &arguments.email, arguments.organisation.as_deref());
        let roles = Roles::of(&roles);
        Ok(registry.create_user_as_operator(name, email, roles, organisation, &accounts, &password)?)
    })?;
    let mut text = format!("added user {id}, who signs in as {}\n", arguments.email);
    if is_made_up {
        let _infallible = writeln!(text, "password, shown this once: {password}");
    }
    console::print(&text)?;
    Ok(Verdict::Done)
}

fn checked(argument: &'static str, text: &str) -> Result<(), Failure> {
    domain::text::check(text).map_err(|fault| Failure::Argument { argument, rule: fault.to_string() })
}

/// A role by its name, or by its name in lower case with hyphens.
fn role(name: &str) -> Result<Role, Failure> {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '_'], " ");
    let found = Role::ALL.into_iter().find(|role| plain(role.name()) == plain(name));
    found.ok_or_else(|| {
        let names: Vec<&str> = Role::ALL.into_iter().map(Role::name).collect();
        Failure::Argument { argument: "--role", rule: format!("must be one of: {}", names.join(", ")) }
    })
}

/// The password that was given; `None` if one is to be made up.
fn password(arguments: &cli::UserAdd) -> Result<Option<String>, Failure> {
    let given = if arguments.password_stdin {
        let mut line = String::new();
        let read = io::stdin().lock().take(PASSWORD_BYTES_MAX).read_line(&mut line);
        read.map_err(Failure::io("standard input"))?;
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        line
    } else if io::stdin().is_terminal() {
        console::ask_secretly("Password (empty: one is made up): ")?
    } else {
        return Ok(None);
    };
    if given.is_empty() && !arguments.password_stdin {
        return Ok(None);
    }
    password_rule(&given).map(Some).map_err(|rule| Failure::Argument { argument: "the password", rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_known_by_name_and_by_a_word_for_the_shell() {
        for role_known in Role::ALL {
            assert_eq!(role(role_known.name()).unwrap(), role_known);
            assert_eq!(role(&role_known.name().to_lowercase().replace(' ', "-")).unwrap(), role_known);
        }
        assert!(role("emperor").unwrap_err().to_string().contains("Trading User"));
    }
}
