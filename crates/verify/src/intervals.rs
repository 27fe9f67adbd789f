//! Each device's time, interval by interval: current readings beside the bundles that stem from them.
//!
//! Two streams in the order of (device, start) are merged; the bundles' comes from an index alone. The ranges of an
//! interval together are what was ever issued in it. Only where that is more than the reading or the capacity are the
//! bundles themselves looked at, for some may have been withdrawn, and the versions of the reading, for it may have been
//! corrected since.
//! Invariant: memory holds a page of each stream.

use crate::head::Head;
use crate::releases;
use crate::report::{Audit, FindingKind, Noun, Phase, at};
use crate::rows::{number, optional_number};
use crate::rules::{CREATE, entity, status};
use crate::snapshots::Snapshots;
use crate::storage;
use crate::world::World;
use crate::{Options, PAGE};
use db::{Connection, Result, Value};
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};

pub(crate) const INTERVAL_MICROS_MIN: i64 = 60_000_000;
pub(crate) const INTERVAL_MICROS_MAX: i64 = 3_600_000_000;

#[derive(Clone, Copy)]
struct Reading {
    id: i64,
    device: i64,
    start: i64,
    end: i64,
    energy: i64,
    quality: i64,
}

#[derive(Clone, Copy)]
struct Place {
    device: i64,
    start: i64,
    first: i64,
    last: i64,
}

pub(crate) fn check(
    connection: &mut Connection,
    audit: &mut Audit<'_>,
    head: &Head,
    (world, snapshots): (&World, &Snapshots),
    options: &Options,
) -> Result<()> {
    let sweep = Sweep { margin: reduced(options.capacity_margin), world, snapshots };
    let mut capacities: HashMap<i64, i64> = HashMap::new();
    for snapshot in snapshots.values() {
        let least = capacities.entry(snapshot.device).or_insert(snapshot.capacity_watts);
        *least = snapshot.capacity_watts.min(*least);
    }
    let (mut readings, mut places) = (Pages::new(next_readings), Pages::new(next_places));
    let (mut before, mut count): (Option<Reading>, u64) = (None, 0);
    while let Some(reading) = readings.next(connection)? {
        check_time(audit, &reading, before.filter(|before| before.device == reading.device));
        before = Some(reading);
        let issued = issued_on(connection, &mut places, (reading.device, reading.start))?;
        let capacity = capacities.get(&reading.device).copied().unwrap_or(0);
        if issued > 0 && reading.quality != 1 && reading.quality != 2 {
            audit.find(FindingKind::IssueWrong, Noun::Measurement, reading.id, None, || {
                format!(
                    "issued on reading {}, whose quality {} is neither measured nor calculated",
                    reading.id, reading.quality
                )
            });
        }
        if issued > reading.energy.max(0) || (issued > 0 && issued > sweep.limit(capacity, &reading)) {
            sweep.look(connection, audit, &reading)?;
        }
        count += 1;
        if readings.is_at_page() {
            audit.progress(Phase::Intervals, count, head.next_measurement - 1);
        }
    }
    audit.checked(3, count);
    audit.progress(Phase::Intervals, count, 0);
    Ok(())
}

/// What the bundles of an interval come to.
#[derive(Default)]
struct Sums {
    live: i64,
    withdrawn: i64,
    /// How many times was issued on it.
    issues: u64,
    /// The first and the last bundle that was issued, and the last live one with its attributes.
    first: Option<i64>,
    last: Option<i64>,
    latest: (i64, i64),
}

/// Tells of an interval that holds more than its reading says, or held more than it ever said.
fn tell(audit: &mut Audit<'_>, reading: &Reading, sums: &Sums, held: i64, stated_max: i64) {
    let Reading { id, device, start, energy, .. } = *reading;
    let Sums { live, issues, .. } = *sums;
    let place = || format!("device {device} from {}: {live} Wh are live, issued in {issues} bundles", at(start));
    if live > stated_max {
        audit.find(FindingKind::IssuedTwice, Noun::Measurement, id, None, || {
            let place = place();
            format!(
                "{place}; reading {id} says {energy} Wh, and no version of it since the issue more than {stated_max} Wh"
            )
        });
    } else if live.saturating_add(held) > stated_max {
        audit.find(FindingKind::HoldWrong, Noun::Measurement, id, None, || {
            let place = place();
            format!("{place}, and {held} Wh are held; no version of reading {id} since the issue says more than {stated_max} Wh")
        });
    } else if live > energy.max(0) {
        audit.find(FindingKind::Shortfall, Noun::Measurement, id, None, || {
            format!("{}; reading {id} was corrected to {energy} Wh", place())
        });
    }
}

fn check_time(audit: &mut Audit<'_>, reading: &Reading, before: Option<Reading>) {
    let Reading { id, device, start, end, .. } = *reading;
    if let Some(before) = before.filter(|before| start < before.end) {
        audit.find(FindingKind::ReadingsOverlap, Noun::Measurement, id, None, || {
            let (other, until) = (before.id, at(before.end));
            format!("reading {id} of device {device} starts at {}; reading {other} lasts until {until}", at(start))
        });
    }
    let micros = end.saturating_sub(start);
    if !(INTERVAL_MICROS_MIN..=INTERVAL_MICROS_MAX).contains(&micros) {
        audit.find(FindingKind::IntervalWrong, Noun::Measurement, id, None, || {
            format!("reading {id} lasts from {} to {}, not between a minute and an hour", at(start), at(end))
        });
    }
}

/// How many certificate ids the bundles of an interval cover. Places before it have no reading, which is told with their
/// bundles.
fn issued_on(connection: &mut Connection, places: &mut Pages<Place>, key: (i64, i64)) -> Result<i64> {
    let (mut issued, mut covered) = (0_i64, 0_i64);
    while let Some(place) = places.peek(connection)? {
        let here = (place.device, place.start);
        if here > key {
            break;
        }
        places.next(connection)?;
        if here == key {
            // in the order of their first id, ranges cover what goes beyond those before
            let from = place.first.max(covered.saturating_add(1));
            issued = issued.saturating_add(place.last.saturating_sub(from).saturating_add(1).max(0));
            covered = covered.max(place.last);
        }
    }
    Ok(issued)
}

struct Sweep<'s> {
    margin: (u128, u128),
    world: &'s World,
    snapshots: &'s Snapshots,
}

impl Sweep<'_> {
    /// The most that `capacity` makes in the time of a reading, with margin, in whole Wh.
    fn limit(&self, capacity: i64, reading: &Reading) -> i64 {
        const MICROS_PER_HOUR: u128 = 3_600_000_000;
        let positive = |value: i64| u128::try_from(value).unwrap_or(0);
        let energy = positive(capacity) * positive(reading.end.saturating_sub(reading.start));
        let (numerator, denominator) = self.margin;
        let limit = energy.saturating_mul(numerator) / denominator.saturating_mul(MICROS_PER_HOUR);
        i64::try_from(limit).unwrap_or(i64::MAX)
    }

    /// Sums up the bundles of an interval themselves.
    fn look(&self, connection: &mut Connection, audit: &mut Audit<'_>, reading: &Reading) -> Result<()> {
        let mut sums = Sums::default();
        connection.query_each(
            "SELECT id, COALESCE((SELECT d.attributes_id FROM storage_draw d WHERE d.id = bundle.draw_id), attributes_id), \
             range_first, range_last, status, parent_id FROM bundle WHERE device_id = $1 AND production_start = $2",
            &[reading.device.into(), instant(reading.start)],
            |row| -> Result<()> {
                let (id, state) = (number(row, 0)?, number(row, 4)?);
                let quantity = number(row, 3)?.saturating_sub(number(row, 2)?).saturating_add(1);
                if status::is_live(state) {
                    sums.live = sums.live.saturating_add(quantity);
                    sums.latest = sums.latest.max((id, number(row, 1)?));
                } else if state == status::WITHDRAWN {
                    sums.withdrawn = sums.withdrawn.saturating_add(quantity);
                }
                if optional_number(row, 5)?.is_none() {
                    sums.issues += 1;
                    sums.first = sums.first.or(Some(id)).min(Some(id));
                    sums.last = sums.last.max(Some(id));
                }
                Ok(())
            },
        )?;
        let Reading { id, device, start, energy, .. } = *reading;
        // what storage gives out is not held, but bounded by its draws
        let holds = !storage::holds_nothing(self.world, device);
        let held = if sums.withdrawn > 0 && holds {
            sums.withdrawn.saturating_sub(releases::of_interval(connection, device, instant(start))?)
        } else {
            0
        };
        // what storage took in is negative, and nothing is issued for it
        if sums.live > energy.max(0) || sums.live.saturating_add(held) > energy.max(0) {
            let stated_max = stated_max(connection, reading, &sums)?;
            tell(audit, reading, &sums, held, stated_max);
        }
        let live = sums.live;
        let capacity = self.snapshots.get(&sums.latest.1).map_or(0, |snapshot| snapshot.capacity_watts);
        let limit = self.limit(capacity, reading);
        if live > limit {
            audit.find(FindingKind::AboveCapacity, Noun::Measurement, id, None, || {
                format!(
                    "device {device} from {}: {live} Wh are live; a capacity of {capacity} W allows {limit} Wh with margin",
                    at(start)
                )
            });
        }
        Ok(())
    }
}

/// The most that any version of a reading said that was current at an issue on its interval or after one.
fn stated_max(connection: &mut Connection, reading: &Reading, sums: &Sums) -> Result<i64> {
    let mut versions = connection.query(
        "SELECT id, energy_wh FROM measurement WHERE device_id = $1 AND start_at = $2 AND end_at = $3 \
         AND superseded_by IS NOT NULL ORDER BY id",
        &[reading.device.into(), instant(reading.start), instant(reading.end)],
        |row| Ok((number(row, 0)?, number(row, 1)?)),
    )?;
    versions.push((reading.id, reading.energy));
    let (first_issue, last_issue) = (issued_by(connection, sums.first)?, issued_by(connection, sums.last)?);
    let mut made = Vec::with_capacity(versions.len());
    for (id, _) in &versions {
        made.push(stated_by(connection, *id)?);
    }
    // each version was current until the next was made
    let until = made.iter().skip(1).copied().chain([i64::MAX]);
    let current = versions.iter().zip(made.iter().zip(until));
    let stated = current.filter(|(_, (made, until))| **made < last_issue && *until > first_issue);
    Ok(stated.map(|((_, energy), _)| *energy).max().unwrap_or(0).max(reading.energy))
}

/// The event that created a reading, with others: the last creation from its id downward.
fn stated_by(connection: &mut Connection, reading: i64) -> Result<i64> {
    let number = connection.query_optional(
        "SELECT number FROM event WHERE entity = $1 AND entity_id <= $2 AND event_type = $3 \
         ORDER BY entity DESC, entity_id DESC, number DESC LIMIT 1",
        &[entity::MEASUREMENT.into(), reading.into(), CREATE.into()],
        |row| number(row, 0),
    )?;
    Ok(number.unwrap_or(0))
}

/// The event that created a bundle; 0 if there is none.
fn issued_by(connection: &mut Connection, bundle: Option<i64>) -> Result<i64> {
    let number = connection.query_optional(
        "SELECT number FROM event WHERE entity = $1 AND entity_id = $2 ORDER BY entity, entity_id, number LIMIT 1",
        &[entity::BUNDLE.into(), bundle.unwrap_or(0).into()],
        |row| number(row, 0),
    )?;
    Ok(number.unwrap_or(0))
}

/// A ratio in lowest terms, so that products stay within 128 bits.
fn reduced((numerator, denominator): (u64, u64)) -> (u128, u128) {
    let (mut a, mut b) = (numerator, denominator.max(1));
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let common = a.max(1);
    ((numerator / common).into(), (denominator.max(1) / common).into())
}

pub(crate) fn instant(micros: i64) -> Value<'static> {
    let bound = if micros < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(micros).unwrap_or(bound).into()
}

/// A stream of rows, a page at a time, each page after the last row of the one before.
struct Pages<T> {
    refill: fn(&mut Connection, Option<&T>) -> Result<Vec<T>>,
    page: VecDeque<T>,
    is_over: bool,
}

impl<T: Copy> Pages<T> {
    fn new(refill: fn(&mut Connection, Option<&T>) -> Result<Vec<T>>) -> Self {
        Self { refill, page: VecDeque::new(), is_over: false }
    }

    fn next(&mut self, connection: &mut Connection) -> Result<Option<T>> {
        let found = self.peek(connection)?;
        if self.page.len() == 1
            && let Some(last) = found
        {
            // the last row says where the next page begins
            self.page = (self.refill)(connection, Some(&last))?.into();
            self.is_over = self.page.is_empty();
            return Ok(found);
        }
        self.page.pop_front();
        Ok(found)
    }

    fn peek(&mut self, connection: &mut Connection) -> Result<Option<T>> {
        if self.page.is_empty() && !self.is_over {
            self.page = (self.refill)(connection, None)?.into();
            self.is_over = self.page.is_empty();
        }
        Ok(self.page.front().copied())
    }

    /// Whether a page was just begun, or all is read.
    fn is_at_page(&self) -> bool {
        self.page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX)
    }
}

fn next_readings(connection: &mut Connection, after: Option<&Reading>) -> Result<Vec<Reading>> {
    let (device, start) = after.map_or((i64::MIN, 0), |reading| (reading.device, reading.start));
    connection.query(
        "SELECT id, device_id, start_at, end_at, energy_wh, quality FROM measurement \
         WHERE superseded_by IS NULL AND (device_id, start_at) > ($1, $2) ORDER BY device_id, start_at LIMIT $3",
        &[device.into(), instant(start), PAGE.into()],
        |row| {
            Ok(Reading {
                id: number(row, 0)?,
                device: number(row, 1)?,
                start: number(row, 2)?,
                end: number(row, 3)?,
                energy: number(row, 4)?,
                quality: number(row, 5)?,
            })
        },
    )
}

fn next_places(connection: &mut Connection, after: Option<&Place>) -> Result<Vec<Place>> {
    let from = after.copied().unwrap_or(Place { device: i64::MIN, start: 0, first: 0, last: 0 });
    connection.query(
        "SELECT device_id, production_start, range_first, range_last FROM bundle \
         WHERE (device_id, production_start, range_first, range_last) > ($1, $2, $3, $4) \
         ORDER BY device_id, production_start, range_first, range_last LIMIT $5",
        &[from.device.into(), instant(from.start), from.first.into(), from.last.into(), PAGE.into()],
        |row| {
            Ok(Place { device: number(row, 0)?, start: number(row, 1)?, first: number(row, 2)?, last: number(row, 3)? })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_capacity_times_time_times_margin_rounded_down() {
        let (world, snapshots) = (World::default(), Snapshots::new());
        for (margin, capacity, micros, limit) in [
            ((11, 10), 1_000_000, 3_600_000_000, 1_100_000),
            ((1_100_000_000_000_000_000, 1_000_000_000_000_000_000), 3, 1_800_000_000, 1),
            ((1, 0), 1_000, 900_000_000, 250),
            ((u64::MAX, 1), 1_000_000_000_000, i64::MAX, i64::MAX),
        ] {
            let sweep = Sweep { margin: reduced(margin), world: &world, snapshots: &snapshots };
            let reading = Reading { id: 1, device: 1, start: 0, end: micros, energy: 0, quality: 1 };
            assert_eq!(sweep.limit(capacity, &reading), limit, "{margin:?}");
        }
    }
}
