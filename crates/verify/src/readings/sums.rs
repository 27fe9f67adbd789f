//! What takes the place of a reading: a later version of the same interval, or the sum of its hour; and that each sum is the
//! sum of the readings whose place it took.
//!
//! Parts of a sum are the readings of its hour that a sum superseded, this one or one before it; of the same start the last.
//!
//! Invariant: memory holds a window of readings, and the readings of one hour.

use super::{DEVICE, END, ENERGY, GROSS_NET, QUALITY, Reading, SOURCE, START};
use crate::intervals::{INTERVAL_MICROS_MAX, instant};
use crate::report::{Audit, FindingKind, Noun, at};
use crate::rows::number;
use crate::rules::SUMMED;
use db::{Connection, Result};
use std::collections::HashMap;

const MEASURED: i64 = 1;
const CALCULATED: i64 = 2;
const ESTIMATED: i64 = 3;

/// What takes the place of a reading is a later reading of the same device and interval, or the sum of the hour in which it
/// lies; itself, if it was deleted.
pub(super) fn check_successors(connection: &mut Connection, audit: &mut Audit<'_>, found: &[Reading]) -> Result<()> {
    let successors: Vec<i64> = found.iter().filter_map(|row| row.superseded_by).collect();
    if successors.is_empty() {
        return Ok(());
    }
    let rows = connection.query(
        "SELECT m.id, m.device_id, m.start_at, m.end_at, m.source FROM rarray($1) AS wanted \
         JOIN measurement m ON m.id = wanted.value",
        &[successors.as_slice().into()],
        |row| Ok((number(row, 0)?, [number(row, 1)?, number(row, 2)?, number(row, 3)?, number(row, 4)?])),
    )?;
    let places: HashMap<i64, [i64; 4]> = rows.into_iter().collect();
    for row in found {
        let Some(by) = row.superseded_by else { continue };
        let (start, end) = (row.values[START], row.values[END]);
        let follows = places.get(&by).is_some_and(|[device, from, to, source]| {
            let same = (*from, *to) == (start, end);
            let sums = *source == SUMMED && row.values[SOURCE] != SUMMED && *from <= start && end <= *to;
            *device == row.values[DEVICE] && (same || sums)
        });
        if !follows || by < row.id {
            audit.find(FindingKind::ReadingWrong, Noun::Measurement, row.id, None, || {
                format!(
                    "reading {} is superseded by {by}, which is not a later one of the same interval or hour",
                    row.id
                )
            });
        }
    }
    Ok(())
}

/// A part of a sum: start, end, Wh, how its meter counts, and quality.
type Part = [i64; 5];

/// Whether each of these readings that is a sum is one.
pub(super) fn check(connection: &mut Connection, audit: &mut Audit<'_>, found: &[Reading]) -> Result<()> {
    for sum in found.iter().filter(|row| row.values[SOURCE] == SUMMED) {
        let parts = parts_of(connection, sum)?;
        if let Some(fault) = fault_of(sum, &parts) {
            let (id, device, start) = (sum.id, sum.values[DEVICE], at(sum.values[START]));
            audit.find(FindingKind::SumWrong, Noun::Measurement, id, None, || {
                format!("reading {id} of device {device} from {start} is a sum: {fault}")
            });
        }
    }
    Ok(())
}

fn parts_of(connection: &mut Connection, sum: &Reading) -> Result<Vec<Part>> {
    let [device, start, end] = [DEVICE, START, END].map(|field| sum.values[field]);
    let mut parts = connection.query(
        "SELECT m.start_at, m.end_at, m.energy_wh, m.gross_net, m.quality FROM measurement m \
         JOIN measurement s ON s.id = m.superseded_by WHERE m.device_id = $1 AND m.start_at >= $2 AND m.start_at < $3 \
         AND m.superseded_by IS NOT NULL AND m.superseded_by <= $4 AND m.source <> $5 AND s.source = $5 \
         ORDER BY m.start_at, m.id DESC",
        &[device.into(), instant(start), instant(end), sum.id.into(), SUMMED.into()],
        |row| {
            let mut part = [0; 5];
            for (field, value) in part.iter_mut().enumerate() {
                *value = number(row, field)?;
            }
            Ok(part)
        },
    )?;
    parts.dedup_by_key(|part: &mut Part| part[0]);
    Ok(parts)
}

fn fault_of(sum: &Reading, parts: &[Part]) -> Option<String> {
    let [start, end, energy, gross_net, quality] = [START, END, ENERGY, GROSS_NET, QUALITY].map(|f| sum.values[f]);
    if start.rem_euclid(INTERVAL_MICROS_MAX) != 0 || end.saturating_sub(start) != INTERVAL_MICROS_MAX {
        return Some("it is not of a whole hour".to_owned());
    }
    let mut until = start;
    for [from, to, ..] in parts {
        if *from != until || *to > end {
            break;
        }
        until = *to;
    }
    if until != end || parts.len() < 2 || parts.last().is_some_and(|last| last[1] != end) {
        return Some(format!("its {} parts are not the hour, from {} on", parts.len(), at(until)));
    }
    let stated = parts.iter().fold(0_i64, |stated, part| stated.saturating_add(part[2]));
    if stated != energy {
        return Some(format!("it says {energy} Wh, and its parts {stated} Wh"));
    }
    if parts.iter().any(|part| part[4] == ESTIMATED || part[3] != gross_net) {
        return Some("a part of it is estimated, or counts otherwise".to_owned());
    }
    let expected = if parts.iter().all(|part| part[4] == MEASURED) { MEASURED } else { CALCULATED };
    (quality != expected).then(|| format!("its quality is {quality}, and by its parts {expected}"))
}
