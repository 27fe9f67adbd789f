//! The program: commands over a registry, for its operator.
//!
//! A command answers on standard output, tells its progress, its log and what is wrong on standard error, and ends with 0
//! (done), 1 (it found something, or was refused) or 2 (it was called or set up wrongly). Rules and statements are in the
//! crates below; here are settings, texts and the order of things.

mod cli;
mod clock;
mod console;
mod demo;
mod doctor;
mod export;
mod failure;
mod healthcheck;
mod import;
mod issue;
mod logging;
mod migrate;
mod registry;
mod serve;
mod settings;
mod user;
mod verify;

use clap::Parser as _;
use cli::{Cli, Command};
use failure::{Failure, Verdict};
use settings::Settings;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(verdict) => verdict.exit_code(),
        // Whoever read the output has seen enough.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            console::say(&format!("granary: {failure}"));
            failure.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<Verdict, Failure> {
    let Cli { command, settings: flags } = cli;
    let of = |defaults: settings::Defaults| Settings::read(&flags, defaults).map_err(Failure::from);
    match command {
        // The only ones that need no settings at all, and one that reports on them.
        Command::Openapi => {
            let mut text = web::openapi_json();
            text.truncate(text.trim_end().len());
            console::print(&format!("{text}\n")).map(|()| Verdict::Done)
        }
        Command::Doctor(arguments) => doctor::run(&flags, &arguments),
        Command::Demo(arguments) => demo::run(&of(settings::Defaults::Demo)?, &arguments),
        Command::Healthcheck => healthcheck::run(&of(settings::Defaults::Usual)?),
        Command::Serve => serve::run(&of(settings::Defaults::Usual)?),
        Command::Migrate(arguments) => migrate::run(&quietly(of(settings::Defaults::Usual)?), &arguments),
        Command::Verify(arguments) => verify::run(&quietly(of(settings::Defaults::Usual)?), &arguments),
        Command::User(cli::User::Add(arguments)) => user::add(&quietly(of(settings::Defaults::Usual)?), &arguments),
        Command::Issue(arguments) => issue::run(&quietly(of(settings::Defaults::Usual)?), &arguments),
        Command::Import(cli::Import::Readings(arguments)) => {
            import::readings(&quietly(of(settings::Defaults::Usual)?), &arguments)
        }
        Command::Import(cli::Import::Elexon(arguments)) => {
            import::elexon::run(&quietly(of(settings::Defaults::Usual)?), &arguments)
        }
        Command::Import(cli::Import::Seed(arguments)) => {
            import::seed::run(&quietly(of(settings::Defaults::Usual)?), &arguments)
        }
        Command::Export(arguments) => export::run(&quietly(of(settings::Defaults::Usual)?), &arguments),
    }
}

/// Starts the log of a command that ends by itself: warnings, unless a level was asked for.
fn quietly(settings: Settings) -> Settings {
    logging::start(settings.log_level.unwrap_or(logging::Level::Warning), settings.log_format);
    settings
}
