//! Each version of each reading beside its event: one event creates a run of readings with serial ids.
//!
//! Invariant: memory holds one window of ids, the run that goes beyond it, and what [`World`] holds.

mod sums;

use crate::decode::{Fault, Fields};
use crate::head::{Head, check_next};
use crate::intervals::{INTERVAL_MICROS_MAX, INTERVAL_MICROS_MIN};
use crate::report::{Audit, FindingKind, Noun, Phase, at, shown};
use crate::rows::{self, Event, Window, number, optional_number};
use crate::rules::{CREATE, DELETE, entity};
use crate::world::World;
use db::{Connection, Result};
use std::collections::HashMap;

const NEXT: &str = "SELECT id FROM measurement WHERE id > $1 ORDER BY id LIMIT 1";
const FIELDS: [&str; 8] =
    ["device_id", "start_at", "end_at", "energy_wh", "gross_net", "quality", "source", "action_id"];
const DEVICE: usize = 0;
const START: usize = 1;
const END: usize = 2;
const ENERGY: usize = 3;
const GROSS_NET: usize = 4;
const QUALITY: usize = 5;
const SOURCE: usize = 6;

/// Of a storage device, whose readings may be negative.
const STORAGE: i64 = 3;

struct Reading {
    id: i64,
    /// As [`FIELDS`] names them.
    values: [i64; 8],
    superseded_by: Option<i64>,
    /// Wh of its interval that are held no more.
    released: i64,
}

/// The readings of one event.
struct Run {
    event: i64,
    recorded_at: i64,
    readings: Vec<Reading>,
}

#[derive(Default)]
struct Fold {
    runs: Vec<Run>,
    /// What took whose place, and by which event.
    superseded: HashMap<i64, (i64, i64)>,
    /// How much was released, and by which event at last.
    released: HashMap<i64, (i64, i64)>,
    /// The id after the last that an event created or a row has.
    next: i64,
    count: u64,
}

pub(crate) fn check(connection: &mut Connection, audit: &mut Audit<'_>, head: &Head, world: &mut World) -> Result<()> {
    let (mut fold, mut after) = (Fold { next: 1, ..Fold::default() }, 0);
    loop {
        let is_open = fold.runs.last().and_then(|run| run.readings.last()).is_some_and(|last| last.id > after);
        let window = if is_open {
            Some(Window { after, last: after.saturating_add(crate::PAGE) })
        } else {
            rows::next_window(connection, NEXT, entity::MEASUREMENT, after)?
        };
        let Some(window) = window else { break };
        let found = read(connection, window)?;
        rows::events_of(connection, entity::MEASUREMENT, window, |event| {
            // what cannot be read was told with the log
            let _told: std::result::Result<(), Fault> = fold.event(audit, event);
        })?;
        sums::check_successors(connection, audit, &found)?;
        sums::check(connection, audit, &found)?;
        fold.compare(audit, world, &found, window);
        after = window.last;
        audit.progress(Phase::Readings, fold.count, head.next_measurement - 1);
    }
    check_next(audit, "next_measurement", head.next_measurement, fold.next - 1);
    audit.counts().measurements = fold.count;
    Ok(())
}

fn read(connection: &mut Connection, window: Window) -> Result<Vec<Reading>> {
    connection.query(
        "SELECT m.id, m.device_id, m.start_at, m.end_at, m.energy_wh, m.gross_net, m.quality, m.source, m.action_id, \
         m.superseded_by, r.energy_wh FROM measurement m LEFT JOIN hold_release r ON r.measurement_id = m.id \
         WHERE m.id > $1 AND m.id <= $2 ORDER BY m.id",
        &[window.after.into(), window.last.into()],
        |row| {
            let mut values = [0; 8];
            for (index, value) in values.iter_mut().enumerate() {
                *value = number(row, index + 1)?;
            }
            let released = optional_number(row, 10)?.unwrap_or(0);
            Ok(Reading { id: number(row, 0)?, values, superseded_by: optional_number(row, 9)?, released })
        },
    )
}

impl Fold {
    fn event(&mut self, audit: &mut Audit<'_>, event: &Event<'_>) -> std::result::Result<(), Fault> {
        let (after, number) = (Fields::parse(event.after)?, event.number);
        if event.change != CREATE {
            if let Some(energy) = after.integer(4)? {
                let (released, last) = self.released.entry(event.entity_id).or_default();
                (*released, *last) = (released.saturating_add(energy), number);
            }
            let by = if event.change == DELETE { Some(event.entity_id) } else { after.integer(3)? };
            if let Some(by) = by
                && self.superseded.insert(event.entity_id, (by, number)).is_some()
            {
                audit.find(FindingKind::HistoryWrong, Noun::Measurement, event.entity_id, Some(number), || {
                    format!("event {number} supersedes reading {}, which was superseded before", event.entity_id)
                });
            }
            return Ok(());
        }
        let (list, source) = (after.list(1)?, after.integer(2)?.unwrap_or(0));
        let (parts, rest) = list.as_chunks::<6>();
        if !rest.is_empty() {
            audit.find(FindingKind::EventMalformed, Noun::Event, number, Some(number), || {
                format!("event {number} creates readings of six values each, and has {}", list.len())
            });
        }
        let readings = (event.entity_id..).zip(parts).map(|(id, part)| {
            let [device, start, micros, energy, gross_net, quality] = *part;
            let end = start.saturating_add(micros);
            let values = [device, start, end, energy, gross_net, quality, source, event.action_id];
            Reading { id, values, superseded_by: None, released: 0 }
        });
        let run = Run { event: number, recorded_at: event.recorded_at, readings: readings.collect() };
        let latest = self.runs.last().and_then(|run| run.readings.last());
        if latest.is_some_and(|latest| latest.id >= event.entity_id) {
            audit.find(FindingKind::HistoryWrong, Noun::Measurement, event.entity_id, Some(number), || {
                format!("event {number} creates readings from {}, which were created before", event.entity_id)
            });
        }
        self.runs.push(run);
        Ok(())
    }

    /// Goes through the rows and what the events say, both in the order of their ids.
    fn compare(&mut self, audit: &mut Audit<'_>, world: &mut World, found: &[Reading], window: Window) {
        let runs = std::mem::take(&mut self.runs);
        let made = runs.iter().flat_map(|run| run.readings.iter().map(move |reading| (run, reading)));
        let mut made = made.filter(|(_, made)| made.id > window.after && made.id <= window.last).peekable();
        let mut found = found.iter().peekable();
        loop {
            let ids = found.peek().map(|row| row.id).into_iter().chain(made.peek().map(|(_, made)| made.id));
            let Some(id) = ids.min() else { break };
            let (row, made) = (found.next_if(|row| row.id == id), made.next_if(|(_, made)| made.id == id));
            self.note_hole(audit, id);
            match (row, made) {
                (Some(row), Some((run, made))) => {
                    self.compare_one(audit, run, made, row);
                    check_content(audit, world, run, row);
                    self.count += 1;
                }
                (Some(_), None) => {
                    self.count += 1;
                    audit.find(FindingKind::RowWithoutEvent, Noun::Measurement, id, None, || {
                        format!("reading {id} is in the table; no event created it")
                    });
                }
                (None, Some((run, _))) => {
                    audit.find(FindingKind::RowMissing, Noun::Measurement, id, Some(run.event), || {
                        format!("event {} created reading {id}; it is not in the table", run.event)
                    });
                }
                (None, None) => {}
            }
            self.superseded.remove(&id);
            self.released.remove(&id);
        }
        for (id, (_, event)) in self.superseded.drain().chain(self.released.drain()) {
            audit.find(FindingKind::HistoryWrong, Noun::Measurement, id, Some(event), || {
                format!("event {event} supersedes reading {id} or releases what is held on it; it does not exist")
            });
        }
        // the last run may go on in the next window
        self.runs = runs.into_iter().next_back().into_iter().collect();
    }

    fn note_hole(&mut self, audit: &mut Audit<'_>, id: i64) {
        let next = self.next;
        if id > next {
            audit.find(FindingKind::IdMissing, Noun::Measurement, next, None, || {
                format!("there are no readings {next} to {}, neither in the table nor in the log", id - 1)
            });
        }
        self.next = next.max(id + 1);
    }

    fn compare_one(&self, audit: &mut Audit<'_>, run: &Run, made: &Reading, row: &Reading) {
        let id = row.id;
        let superseded = self.superseded.get(&id).copied();
        let by = superseded.map(|(by, _)| by);
        let (released, released_by) = self.released.get(&id).copied().unwrap_or_default();
        if made.values == row.values && by == row.superseded_by && released == row.released {
            return;
        }
        if released != row.released {
            audit.find(FindingKind::RowDiffers, Noun::Measurement, id, Some(released_by), || {
                format!("{} Wh are released on reading {id}; by its events it is {released}", row.released)
            });
        }
        for ((name, expected), value) in FIELDS.iter().zip(made.values).zip(row.values) {
            if expected != value {
                audit.find(FindingKind::RowDiffers, Noun::Measurement, id, Some(run.event), || {
                    let is_time = name.ends_with("_at");
                    let show = |value: i64| if is_time { at(value) } else { value.to_string() };
                    format!(
                        "{name} of reading {id} is {}; by event {} it is {}",
                        show(value),
                        run.event,
                        show(expected)
                    )
                });
            }
        }
        if by != row.superseded_by {
            audit.find(FindingKind::RowDiffers, Noun::Measurement, id, superseded.map(|(_, event)| event), || {
                let (found, expected) = (shown(row.superseded_by), shown(by));
                format!("superseded_by of reading {id} is {found}; by its events it is {expected}")
            });
        }
    }
}

/// Whether a reading is one that its device can have.
fn check_content(audit: &mut Audit<'_>, world: &mut World, run: &Run, row: &Reading) {
    let (id, values) = (row.id, &row.values);
    let mut find = |kind, text: String| audit.find(kind, Noun::Measurement, id, Some(run.event), || text);
    let (device_id, start, end, energy) = (values[DEVICE], values[START], values[END], values[ENERGY]);
    let Some(device) = world.devices.get_mut(&device_id) else {
        return find(FindingKind::ReadingWrong, format!("reading {id} is of device {device_id}, which does not exist"));
    };
    let fixed = *device.gross_net.get_or_insert(values[GROSS_NET]);
    if fixed != values[GROSS_NET] {
        let found = values[GROSS_NET];
        find(FindingKind::ReadingWrong, format!("gross_net of reading {id} is {found}; its device's first is {fixed}"));
    }
    if energy < 0 && device.kind != STORAGE {
        find(FindingKind::ReadingWrong, format!("reading {id} is {energy} Wh, and device {device_id} is not storage"));
    }
    // of a current reading this was told with its interval
    let micros = end.saturating_sub(start);
    if row.superseded_by.is_some() && !(INTERVAL_MICROS_MIN..=INTERVAL_MICROS_MAX).contains(&micros) {
        find(FindingKind::IntervalWrong, format!("reading {id} lasts {} s", micros / 1_000_000));
    }
    if end > run.recorded_at || start < device.operational_date {
        let (from, to, recorded) = (at(start), at(end), at(run.recorded_at));
        let since = at(device.operational_date);
        let text =
            format!("reading {id} from {from} to {to} was recorded at {recorded}; its device works since {since}");
        find(FindingKind::IntervalWrong, text);
    }
}
