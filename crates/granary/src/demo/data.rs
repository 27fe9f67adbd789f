//! The files of `demo/`, which are part of the program, and the hours they describe.

use domain::{DeviceKind, EnergySource, Role};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use serde::Deserialize;
use std::io::{self, Read, Write as _};

const REGISTRY: &str = include_str!("../../../../demo/registry.json");
const PROFILES: &str = include_str!("../../../../demo/profiles.csv");

const HOURS_PER_DAY: usize = 24;
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What `registry.json` says. Names refer to names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DemoRegistry {
    #[serde(rename = "about")]
    _about: String,
    pub organisations: Vec<Organisation>,
    pub accounts: Vec<Account>,
    pub users: Vec<User>,
    pub devices: Vec<Device>,
    pub issuance_metadata: Vec<Metadata>,
    pub movements: Vec<Movement>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Organisation {
    pub name: String,
    pub business_id: String,
    pub primary_contact: String,
    pub address: Option<String>,
    pub website: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    #[serde(rename = "account_name")]
    pub name: String,
    pub organisation: String,
    /// Accounts that may send to this one.
    pub whitelist: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub name: String,
    pub primary_contact: String,
    pub roles: Vec<Role>,
    pub organisation: String,
    pub accounts: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    #[serde(rename = "device_name")]
    pub name: String,
    pub grid: String,
    pub energy_source: EnergySource,
    pub technology_type: String,
    pub operational_date: Timestamp,
    /// In W.
    pub capacity: u64,
    /// In W.
    pub peak_demand: u64,
    pub place: String,
    #[serde(rename = "location")]
    _location: serde_json::Value,
    #[serde(rename = "is_storage")]
    _is_storage: bool,
    pub account: String,
    pub meter_data_id: String,
    #[serde(rename = "device_type")]
    pub kind: DeviceKind,
    /// The column of `profiles.csv`.
    pub profile: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metadata {
    pub country_of_issuance: String,
    pub connected_grid_identification: String,
    pub issuing_body: String,
    pub issue_market_zone: String,
    pub legal_status: Option<String>,
    pub issuance_purpose: Option<String>,
    pub support_received: Option<String>,
    pub quality_scheme_reference: Option<String>,
    pub dissemination_level: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MovementKind {
    Transfer,
    Cancel,
}

/// A transfer or a cancellation of a share of each bundle of some hours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Movement {
    pub kind: MovementKind,
    pub from: String,
    pub to: Option<String>,
    pub beneficiary: Option<String>,
    pub beneficiary_account: Option<String>,
    pub purpose: Option<String>,
    /// The contact of the user who does it.
    pub by: String,
    pub device: String,
    pub days_before_yesterday: i64,
    pub hour_first: i64,
    pub hours: i64,
    /// An exact decimal.
    pub share: String,
}

/// Both files, read.
pub(super) struct Data {
    pub registry: DemoRegistry,
    columns: Vec<&'static str>,
    /// Per mille: row after row, one value a column.
    values: Vec<i64>,
}

impl Data {
    /// # Panics
    /// If the files that the program was built with are not what they must be; a test reads them.
    pub(super) fn read() -> Self {
        let registry = serde_json::from_str(REGISTRY).expect("demo/registry.json is as it is described here");
        let mut lines = PROFILES.lines();
        let columns: Vec<_> = lines.next().expect("demo/profiles.csv has a head").split(',').collect();
        let values: Vec<i64> = lines
            .flat_map(|line| line.split(','))
            .map(|value| value.parse().expect("demo/profiles.csv has whole numbers"))
            .collect();
        assert_eq!(values.len(), columns.len() * 365 * HOURS_PER_DAY, "demo/profiles.csv has a year of hours");
        Self { registry, columns, values }
    }

    /// What a device does in the hour that begins at `start`, in per mille of its power.
    fn per_mille(&self, profile: &str, start: Timestamp) -> i64 {
        let column = self.columns.iter().position(|name| *name == profile).expect("a profile is a column");
        self.values[row_of(start) * self.columns.len() + column]
    }

    /// What a device does in the hour that begins at `start`, in Wh.
    pub(super) fn energy(&self, device: &Device, start: Timestamp) -> i64 {
        power_of(device) * self.per_mille(&device.profile, start) / 1_000
    }

    /// The readings of all devices for `hours` from `from` on, as CSV, made while they are read: `id_of` gives the id of
    /// the device at an index.
    pub(super) fn readings(&self, from: Timestamp, hours: u32, id_of: impl Fn(usize) -> i64) -> impl Read {
        let head =
            "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator,quality\n";
        let parts = self.registry.devices.iter().enumerate().map(move |(index, device)| {
            let id = id_of(index);
            let mut text = Vec::new();
            let mut start = from;
            for _ in 0..hours {
                let end = start + HOUR;
                let energy = self.energy(device, start);
                writeln!(text, "{id},{start},{end},{energy},NET,measured").expect("memory takes what is written");
                start = end;
            }
            text
        });
        Parts { parts: std::iter::once(head.as_bytes().to_vec()).chain(parts), current: io::Cursor::default() }
    }
}

/// The power that a profile's per mille are of, in W.
fn power_of(device: &Device) -> i64 {
    let watts = match device.kind {
        DeviceKind::Production | DeviceKind::Storage => device.capacity,
        DeviceKind::Consumption => device.peak_demand,
    };
    i64::try_from(watts).expect("demo/registry.json has devices of this world")
}

/// The row of `profiles.csv`, from 0, of the hour that begins at `start`. A leap day does as 28 February does.
fn row_of(start: Timestamp) -> usize {
    let at = TimeZone::UTC.to_datetime(start);
    let date = at.date();
    let day = date.day_of_year_no_leap().unwrap_or_else(|| civil::date(date.year(), 2, 28).day_of_year());
    let row = (i32::from(day) - 1) * 24 + i32::from(at.hour());
    usize::try_from(row).expect("days of a year count from 1")
}

/// Parts that are read one after another, each made when the one before is used up.
struct Parts<I> {
    parts: I,
    current: io::Cursor<Vec<u8>>,
}

impl<I: Iterator<Item = Vec<u8>>> Read for Parts<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.parts.next() {
                Some(part) => self.current = io::Cursor::new(part),
                None => return Ok(0),
            }
        }
    }
}

/// The beginning of the day of `at`, in UTC.
pub(super) fn midnight(at: Timestamp) -> Timestamp {
    let date = TimeZone::UTC.to_datetime(at).date();
    TimeZone::UTC.to_timestamp(date.to_datetime(civil::Time::midnight())).expect("the midnight of a day is an instant")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_leap_day_does_as_the_day_before_it() {
        for (start, row) in [
            ("2025-01-01T00:00:00Z", 0),
            ("2025-02-28T05:00:00Z", 58 * 24 - 24 + 29),
            ("2024-02-29T05:00:00Z", 58 * 24 - 24 + 29),
            ("2024-03-01T00:00:00Z", 59 * 24),
            ("2025-03-01T00:00:00Z", 59 * 24),
            ("2024-12-31T23:00:00Z", 8_759),
        ] {
            assert_eq!(row_of(at(start)), row, "{start}");
        }
    }

    #[test]
    fn the_files_hold_what_they_must() {
        let data = Data::read();
        let (registry, from) = (&data.registry, at("2026-06-21T12:00:00Z"));
        assert!(Role::ALL.iter().all(|role| registry.users[0].roles.contains(role)), "user 1 holds every role");
        assert_eq!(registry.users[0].accounts.len(), registry.accounts.len(), "and belongs to every account");
        for device in &registry.devices {
            assert!(data.per_mille(&device.profile, from).abs() <= 1_000, "{}", device.name);
        }
        for movement in &registry.movements {
            assert!(registry.users.iter().any(|user| user.primary_contact == movement.by), "{}", movement.by);
            assert!(registry.devices.iter().any(|device| device.name == movement.device), "{}", movement.device);
        }
    }

    #[test]
    fn readings_are_power_times_per_mille_hour_by_hour() {
        let (data, mut text) = (Data::read(), String::new());
        let mut readings = data.readings(at("2026-01-01T00:00:00Z"), 2, |index| i64::try_from(index).unwrap() + 1);
        readings.read_to_string(&mut text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 2 * data.registry.devices.len());
        assert!(lines[0].starts_with("device_id,"));
        // 398 per mille of 400 MW, as the first line of the first profile says.
        assert_eq!(lines[1], "1,2026-01-01T00:00:00Z,2026-01-01T01:00:00Z,159200000,NET,measured");
    }
}
