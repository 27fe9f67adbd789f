//! The seed's meter readings: decided as all readings are, before the bundles that stem from them.

use super::report::SeedTable;
use super::{CHUNK_ROWS_MAX, Import, SeedError, text};
use domain::action::{ImportSeed, SubmitReadings};
use domain::{DeviceId, GrossNet, Interval, Quality, Reading, ReadingSource};
use serde_json::json;
use store::seed::{ReadingRow, Seed};

const TABLE: SeedTable = SeedTable::Readings;

/// Readings that wait to be decided, each with its id and what was done to it.
#[derive(Default)]
struct Chunk {
    readings: Vec<Reading>,
    rows: Vec<(i64, Vec<String>)>,
}

impl Import<'_> {
    pub(super) fn readings(&mut self, seed: &mut Seed) -> Result<(), SeedError> {
        let (mut chunk, mut before): (Chunk, Option<(i64, Reading)>) = (Chunk::default(), None);
        seed.readings(|row| -> Result<(), SeedError> {
            self.tally.read(TABLE);
            let id = row.id.to_string();
            if row.is_deleted {
                self.tally.left_out(TABLE, &id, "it is deleted");
                return Ok(());
            }
            let mut repairs = Vec::new();
            let reading = match self.reading_of(&row, &mut repairs) {
                Ok(reading) => reading,
                Err(reason) => {
                    self.tally.refused(TABLE, &id, &reason);
                    return Ok(());
                }
            };
            // they come by device and start
            let same = before
                .filter(|(_, before)| before.device_id == reading.device_id && before.interval == reading.interval);
            match same {
                Some((earlier, before)) if before == reading => {
                    self.tally.left_out(TABLE, &id, &format!("it states the same as reading {earlier}"));
                    return Ok(());
                }
                Some((earlier, _)) => repairs.push(format!("it takes the place of reading {earlier}")),
                None => {}
            }
            before = Some((row.id, reading));
            chunk.readings.push(reading);
            chunk.rows.push((row.id, repairs));
            if chunk.readings.len() >= CHUNK_ROWS_MAX { self.decide_readings(&mut chunk) } else { Ok(()) }
        })?;
        self.decide_readings(&mut chunk)
    }

    fn reading_of(&self, row: &ReadingRow, repairs: &mut Vec<String>) -> Result<Reading, String> {
        let device_id = DeviceId(row.device_id.ok_or("device_id is missing")?);
        if !self.known.devices.contains(&device_id) {
            return Err(format!("device {device_id} was not taken over"));
        }
        let (start, end) = (text::instant(row.start), text::instant(row.end));
        let interval = start.zip(end).and_then(|(start, end)| Interval::new(start, end));
        let interval = interval.ok_or("its interval does not end after its start")?;
        let energy_wh = text::whole("interval_usage", row.usage.as_deref(), repairs);
        let energy_wh = energy_wh.ok_or("interval_usage is not a number of Wh")?;
        let word = row.gross_net.as_deref().unwrap_or_default();
        let gross_net = GrossNet::parse(&word.trim().to_uppercase()).unwrap_or_else(|| {
            repairs.push(format!("gross_net_indicator {word:?} is not known: NET"));
            GrossNet::Net
        });
        Ok(Reading { device_id, interval, energy_wh, gross_net, quality: Quality::Measured })
    }

    fn decide_readings(&mut self, chunk: &mut Chunk) -> Result<(), SeedError> {
        let Chunk { readings, rows } = std::mem::take(chunk);
        let about = json!({ "table": TABLE.name(), "first": rows.first().map(|row| row.0) });
        let count = readings.len();
        let submission = SubmitReadings { readings, source: ReadingSource::Submitted };
        let outcome = self.submit(ImportSeed::Readings(submission), count, &about)?;
        let mut refused = outcome.refused.into_iter().peekable();
        for (place, (id, repairs)) in rows.iter().enumerate() {
            match refused.next_if(|refused| refused.place == place) {
                Some(refused) => self.tally.refused(TABLE, &id.to_string(), &refused.refusal.to_string()),
                None => self.tally.imported(TABLE, &id.to_string(), repairs),
            }
        }
        Ok(())
    }
}
