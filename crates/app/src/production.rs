//! What the devices of an account produced, hour by hour over a year or the last twelve months, as their readings say.
//!
//! Invariant: however many certificates the account holds, a look at a year costs what its readings are, of
//! [`PRODUCTION_DEVICES_MAX`] devices at most.

use crate::{Caller, Error, Registry};
use domain::{AccountId, Device, DeviceId, DeviceKind, EventNumber, WattHours};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use store::device::Filter;

/// The most devices of one look.
pub const PRODUCTION_DEVICES_MAX: usize = 10;
const HOUR_MICROS: i64 = 3_600_000_000;
/// The years of the calendar that may be asked for.
const YEARS: std::ops::RangeInclusive<i16> = 1..=9998;

/// Production of some days (UTC), a year at most.
#[derive(Clone, Debug)]
pub struct Production {
    /// The first day, and the day after the last.
    pub from: Date,
    pub to: Date,
    /// The calendar year that was asked for, if one was.
    pub year: Option<i16>,
    /// The years of the first and of the last reading that counts.
    pub years: Option<(i16, i16)>,
    /// Whose production it is, in the order of ids.
    pub devices: Vec<Device>,
    /// Whether the account has other production devices.
    pub is_choice: bool,
    /// Energy by hour, from the start of the first day to the end of the last; of an hour in which no reading starts there is none.
    pub hours: Vec<Option<WattHours>>,
}

/// Production of a month, as far as its days were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductionMonth {
    /// The first of these days.
    pub month: Date,
    pub energy: WattHours,
    /// Of its hours, those in which a reading starts.
    pub hours_read: usize,
    pub hours: usize,
}

impl Registry {
    /// What a production device of the account produced, or all of them together if they are few, or else the first; in the
    /// year that is asked for, or else from the first reading to the last, twelve months at most. For those who may read the account. Blocks.
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
        let today = day_of(self.now());
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
            let years = span.map(|(first, last)| (day_of(first).year(), day_of(last).year()));
            let year = year.map(|year| year.clamp(*YEARS.start(), *YEARS.end()));
            let (from, to) = match (year, span) {
                (Some(year), _) => year_of(year),
                (None, Some((first, last))) => last_months(day_of(first), day_of(last)),
                (None, None) => year_of(today.year()),
            };
            let hours = hours(connection, &ids, from, to)?;
            Ok(Some(Production { from, to, year, years, is_choice: has_others, devices, hours }))
        })?;
        found.ok_or(Error::NotFound { what: "Device", id: device.map_or(0, |id| id.0) })
    }
}

fn is_of(device: &Device, account: AccountId) -> bool {
    device.account_id == account && device.description.kind == DeviceKind::Production && !device.is_deleted
}

fn day_of(at: Timestamp) -> Date {
    at.to_zoned_datetime(TimeZone::UTC).date()
}

/// The first day of a year, and that of the next.
fn year_of(year: i16) -> (Date, Date) {
    (date(year, 1, 1), date(year + 1, 1, 1))
}

/// From the first day to the last, or the twelve months that end with it; and the day after it.
fn last_months(first: Date, last: Date) -> (Date, Date) {
    let year_before = last.checked_sub(1.year()).and_then(Date::tomorrow).unwrap_or(first);
    (first.max(year_before), last.tomorrow().unwrap_or(last))
}

fn start_of(day: Date) -> Timestamp {
    day.to_zoned_datetime(TimeZone::UTC).map_or(Timestamp::MAX, |start| start.timestamp())
}

fn hours(
    connection: &mut store::Connection,
    devices: &[i64],
    from: Date,
    to: Date,
) -> store::Result<Vec<Option<WattHours>>> {
    let (from, to) = (start_of(from), start_of(to));
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
    /// The energy of all these days.
    pub fn energy(&self) -> WattHours {
        self.hours.iter().flatten().copied().sum()
    }

    /// The months that these days belong to.
    pub fn months(&self) -> Vec<ProductionMonth> {
        let mut rest = self.hours.as_slice();
        let mut months = Vec::new();
        let mut month = self.from;
        while month < self.to {
            let next = month.last_of_month().tomorrow().map_or(self.to, |next| next.min(self.to));
            let days = i64::from((next - month).get_days());
            let (own, later) = rest.split_at(usize::try_from(days).unwrap_or(0).saturating_mul(24).min(rest.len()));
            rest = later;
            let (read, hours) = (own.iter().flatten(), own.len());
            months.push(ProductionMonth {
                month,
                energy: read.clone().copied().sum(),
                hours_read: read.count(),
                hours,
            });
            month = next;
        }
        months
    }
}
