//! The command line: which commands there are, and what they take.

use crate::settings::Flags;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A registry of granular energy certificates.
///
/// Settings come from flags, then the environment, then the file .env of the working directory, then their defaults.
/// Exit status: 0 done, 1 something was found or refused, 2 called or set up wrongly.
#[derive(Debug, Parser)]
#[command(name = "granary", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub settings: Flags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve,
    /// Fill an empty database with a year of made-up data, then serve it on this machine
    Demo(Demo),
    /// Bring the database's schema up to date
    Migrate(Migrate),
    /// Check the whole ledger against its sealed log and its rules
    Verify(Verify),
    /// Check settings, database, disk and clocks
    Doctor(Doctor),
    /// Ask the running server whether it is ready, as a container's health check does
    Healthcheck,
    /// Manage users
    #[command(subcommand)]
    User(User),
    /// Issue certificates for stored readings
    Issue(Issue),
    /// Bring data in
    #[command(subcommand)]
    Import(Import),
    /// Write all bundles or all events, for reports and archives
    Export(Export),
    /// Print the description of the HTTP API (OpenAPI, JSON)
    Openapi,
}

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Fill the database and stop
    #[arg(long)]
    pub no_serve: bool,
    /// How many days of readings, ending yesterday
    #[arg(long, hide = true, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=365))]
    pub days: u16,
}

#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// Only list what is applied and what is pending
    #[arg(long)]
    pub status: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Print the checks as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a user, as the operator
    Add(UserAdd),
}

#[derive(Args, Debug)]
pub(crate) struct UserAdd {
    /// The name, 1 to 200 characters
    #[arg(long)]
    pub name: String,
    /// The address to sign in with; no other user may have it
    #[arg(long)]
    pub email: String,
    /// A role, such as "Trading User" or trading-user; may be repeated
    #[arg(long = "role", required = true)]
    pub roles: Vec<String>,
    /// An account to belong to, by its id; may be repeated
    #[arg(long = "account", value_name = "ID")]
    pub accounts: Vec<i64>,
    /// The organisation, as it is shown
    #[arg(long)]
    pub organisation: Option<String>,
    /// Read the password from the first line of standard input. Without this it is asked for on a terminal, and made up
    /// and printed elsewhere
    #[arg(long)]
    pub password_stdin: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Issue {
    /// The issuance metadata to issue under
    #[arg(long, value_name = "ID")]
    pub metadata: i64,
    /// Readings that start at or after this (RFC 3339; UTC without an offset)
    #[arg(long)]
    pub from: String,
    /// Readings that start before this
    #[arg(long)]
    pub to: String,
    /// A device, by its id; may be repeated. All production devices without this
    #[arg(long = "device", value_name = "ID")]
    pub devices: Vec<i64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Submit meter readings
    #[command(visible_alias = "csv")]
    Readings(ImportReadings),
    /// Fetch British metered half-hours from Elexon Insights, for devices whose meter is a BM unit
    Elexon(ImportElexon),
    /// Take over the database of a demonstration registry, into an empty registry
    Seed(ImportSeed),
}

#[derive(Args, Debug)]
pub(crate) struct ImportReadings {
    /// The file, or - for standard input
    pub file: PathBuf,
    /// The time zone of times without an offset, such as Europe/London
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// How the file is written; told from its name without this, CSV if that does not say
    #[arg(long)]
    pub format: Option<ReadingsFormat>,
}

#[derive(Args, Debug)]
pub(crate) struct ImportElexon {
    /// Half-hours that start at or after this (RFC 3339; UTC without an offset)
    #[arg(long)]
    pub from: String,
    /// Half-hours that start before this
    #[arg(long)]
    pub to: String,
    /// BM units, such as T_ABRBO-1,E_MARK-1. All that are a device's meter without this
    #[arg(long, value_delimiter = ',', value_name = "UNIT")]
    pub units: Vec<String>,
    /// Register the units that are no device's yet into this account, with their installed capacities (IGCPU): the
    /// account's id, or its name, by which one is made if there is none. For development, since places and dates are made up
    #[arg(long, value_name = "ACCOUNT", requires = "units")]
    pub register_into: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ImportSeed {
    /// The demonstration registry's (write) database, as postgres://user:password@host:port/name. It is only read
    #[arg(long, env = "SEED_DATABASE_URL", hide_env_values = true)]
    pub url: String,
    /// Report what would be taken over, repaired and refused, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the lines of what was repaired, refused and left out into this file, as CSV. To standard output without this
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReadingsFormat {
    Csv,
    /// An array of records, or columns
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// What to write
    pub what: Exported,
    #[arg(long, default_value = "csv")]
    pub format: ExportFormat,
    /// The file to write; it appears when it is complete. Standard output without this
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Exported {
    Bundles,
    Events,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Csv,
    /// One JSON object a line
    Ndjson,
}
