//! What the devices of an account produced, hour by hour over a year, as their readings say.
//!
//! Invariant: however many certificates the account holds, a look at a year costs what its readings are, of
//! [`PRODUCTION_DEVICES_MAX`] devices at most.

use crate::{Caller, Error, Registry};
use domain::{AccountId, Device, DeviceId, DeviceKind, EventNumber, WattHours};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use store::device::Filter;

/// The most devices of one look.
pub const PRODUCTION_DEVICES_MAX: usize = 10;
const HOUR_MICROS: i64 = 3_600_000_000;
/// The years of the calendar that may be asked for.
const YEARS: std::ops::RangeInclusive<i16> = 1..=9998;

/// Production of a year (UTC).
#[derive(Clone, Debug)]
pub struct Production {
    pub year: i16,
    /// The years of the first and of the last reading that counts.
    pub years: Option<(i16, i16)>,
    /// Whose production it is, in the order of ids.
    pub devices: Vec<Device>,
    /// Whether the account has other production devices.
    pub is_choice: bool,
    /// Energy by hour, from the start of the year to its end; of an hour in which no reading starts there is none.
    pub hours: Vec<Option<WattHours>>,
}

/// Production of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductionMonth {
    /// Its first day.
    pub month: Date,
    pub energy: WattHours,
    /// Of its hours, those in which a reading starts.
    pub hours_read: usize,
    pub hours: usize,
}

impl Registry {
    /// What a production device of the account produced, or all of them together if they are few, or else the first; in the
    /// year that is asked for, or that of the last reading. For those who may read the account. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that the caller may not read, and for a device that is none of its production.
    pub fn production(
        &self,
        caller: &Caller,
        account: AccountId,
        device: Option<DeviceId>,
        year: Option<i16>,
        fresh: Option<EventNumber>,
    ) -> Result<Production, Error> {
        let this_year = year_of(self.now());
        let found = self.of_account(caller, account, fresh, |connection| {
            let filter = Filter { account: Some(account), kind: Some(DeviceKind::Production), ..Filter::default() };
            let most = i64::try_from(PRODUCTION_DEVICES_MAX + 1).unwrap_or(i64::MAX);
            let mut devices = store::device::list(connection, &filter, None, most)?;
            let (has_others, has_too_many) = (devices.len() > 1, devices.len() > PRODUCTION_DEVICES_MAX);
            if let Some(id) = device {
                let wanted = store::device::by_id(connection, id)?;
                devices = wanted.into_iter().filter(|device| is_of(device, account)).collect();
                if devices.is_empty() {
                    return Ok(None);
                }
            } else if has_too_many {
                devices.truncate(1);
            }
            let ids: Vec<i64> = devices.iter().map(|device| device.id.0).collect();
            let span = store::measurement::span(connection, &ids)?;
            let years = span.map(|(first, last)| (year_of(first), year_of(last)));
            let year = year.or(years.map(|(_, last)| last)).unwrap_or(this_year);
            let year = year.clamp(*YEARS.start(), *YEARS.end());
            let hours = hours(connection, &ids, year)?;
            Ok(Some(Production { year, years, is_choice: has_others, devices, hours }))
        })?;
        found.ok_or(Error::NotFound { what: "Device", id: device.map_or(0, |id| id.0) })
    }
}

fn is_of(device: &Device, account: AccountId) -> bool {
    device.account_id == account && device.description.kind == DeviceKind::Production && !device.is_deleted
}

fn year_of(at: Timestamp) -> i16 {
    at.to_zoned_datetime(TimeZone::UTC).year()
}

fn start_of(year: i16) -> Timestamp {
    let day = Date::new(year, 1, 1).and_then(|day| day.to_zoned_datetime(TimeZone::UTC));
    day.map_or(Timestamp::MAX, |start| start.timestamp())
}

fn hours(connection: &mut store::Connection, devices: &[i64], year: i16) -> store::Result<Vec<Option<WattHours>>> {
    let (from, to) = (start_of(year), start_of(year + 1));
    let place = |at: Timestamp| (at.as_microsecond() - from.as_microsecond()) / HOUR_MICROS;
    let mut hours = vec![None; usize::try_from(place(to)).unwrap_or(0)];
    store::measurement::each_sum(connection, devices, from, to, |start, energy_wh| {
        let hour = usize::try_from(place(start)).ok().and_then(|place| hours.get_mut(place));
        if let Some(hour) = hour {
            let more = WattHours(u64::try_from(energy_wh).unwrap_or(0));
            *hour = Some([hour.unwrap_or(WattHours::ZERO), more].into_iter().sum());
        }
    })?;
    Ok(hours)
}

impl Production {
    /// The energy of the whole year.
    pub fn energy(&self) -> WattHours {
        self.hours.iter().flatten().copied().sum()
    }

    /// The months of the year.
    pub fn months(&self) -> Vec<ProductionMonth> {
        let mut rest = self.hours.as_slice();
        let month = |number: i8| {
            let month = Date::new(self.year, number, 1).ok()?;
            let hours = usize::try_from(month.days_in_month()).unwrap_or(0) * 24;
            let (own, later) = rest.split_at_checked(hours)?;
            rest = later;
            let read = own.iter().flatten();
            Some(ProductionMonth { month, energy: read.clone().copied().sum(), hours_read: read.count(), hours })
        };
        (1..=12).filter_map(month).collect()
    }
}
