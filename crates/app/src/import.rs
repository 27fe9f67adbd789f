//! Readings as people send them: CSV, a JSON array of records, or JSON columns. Read as a stream, row by row; a bad row is a
//! fault of that row, and the rows around it stand.

mod zone;

pub use zone::{ZoneOfTimes, parse_instant};

use domain::{DeviceId, GrossNet, Interval, Quality, Reading, energy::parse_wh};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Read;
use zone::Order;

/// The most characters of one row.
pub(crate) const ROW_CHARS_MAX: usize = 4_096;
/// The most rows of the columns form, which cannot be streamed.
pub(crate) const COLUMN_ROWS_MAX: usize = 100_000;

/// The most bytes that are read for one row, with what is read ahead; and for all of the columns form.
const ROW_BYTES_MAX: usize = 256 << 10;
const COLUMNS_BYTES_MAX: usize = 32 << 20;

/// Bounds what one row can hold of memory: fails when more is read than is left, which each row renews.
struct Gauge<'l, R> {
    input: R,
    left: &'l Cell<usize>,
}

impl<R: Read> Read for Gauge<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(std::io::Error::other("a row, or the columns, are too long"));
        }
        let most = left.min(bytes.len());
        let count = self.input.read(&mut bytes[..most])?;
        self.left.set(left - count);
        Ok(count)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    /// An array of records, or an object of columns.
    Json,
}

/// What is wrong with one row: which field, and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    pub field: &'static str,
    pub rule: String,
    pub device_id: Option<i64>,
    pub start: Option<Timestamp>,
}

/// Why the input as a whole cannot be read.
#[derive(Debug)]
pub(crate) enum InputFault<E> {
    Bad {
        field: String,
        rule: String,
    },
    /// Columns that its header lacks.
    Missing(Vec<&'static str>),
    Sink(E),
}

/// The fields of one row, as text.
#[derive(Default)]
struct Fields<'t> {
    device_id: Option<&'t str>,
    start: Option<&'t str>,
    end: Option<&'t str>,
    usage: Option<&'t str>,
    gross_net: Option<&'t str>,
    quality: Option<&'t str>,
}

const DEVICE_ID: &str = "device_id";
const START: &str = "interval_start_datetime";
const END: &str = "interval_end_datetime";
const USAGE: &str = "interval_usage";
const GROSS_NET: &str = "gross_net_indicator";
const QUALITY: &str = "quality";
/// Fields that an answer of the registry carries and that may come back; they say nothing new.
const PASSED_OVER: [&str; 3] = ["id", "created_at", "is_deleted"];

fn reading_of<'t>(fields: &Fields<'t>, order: &mut Order<'_>) -> Result<Reading, RowFault> {
    let mut known = (None, None);
    let present = |text: Option<&'t str>| text.map(str::trim).filter(|text| !text.is_empty());
    let fault = |field, rule: &str, known: (Option<i64>, Option<Timestamp>)| RowFault {
        field,
        rule: rule.to_owned(),
        device_id: known.0,
        start: known.1,
    };
    let required = |field, text| present(text).ok_or_else(|| fault(field, "is required", known));
    let device: i64 = required(DEVICE_ID, fields.device_id)
        .and_then(|text| whole(text).ok_or_else(|| fault(DEVICE_ID, "must be a whole number", known)))?;
    known.0 = Some(device);
    let required = |field, text| present(text).ok_or_else(|| fault(field, "is required", known));
    let start = order.start(required(START, fields.start)?, device).map_err(|rule| fault(START, &rule, known))?;
    known.1 = Some(start);
    let required = |field, text| present(text).ok_or_else(|| fault(field, "is required", known));
    let end = order.end(required(END, fields.end)?, start).map_err(|rule| fault(END, &rule, known))?;
    let interval = Interval::new(start, end).ok_or_else(|| fault(END, "must be after the start", known))?;
    order.note(device, end);
    let energy_wh = parse_energy(required(USAGE, fields.usage)?).map_err(|rule| fault(USAGE, rule, known))?;
    let gross_net = required(GROSS_NET, fields.gross_net)?.to_ascii_uppercase();
    let gross_net = GrossNet::parse(&gross_net).ok_or_else(|| fault(GROSS_NET, "must be GROSS or NET", known))?;
    let quality = match present(fields.quality) {
        None => Quality::Measured,
        Some(text) => Quality::parse(&text.to_ascii_lowercase())
            .ok_or_else(|| fault(QUALITY, "must be measured, calculated or estimated", known))?,
    };
    Ok(Reading { device_id: DeviceId(device), interval, energy_wh, gross_net, quality })
}

/// A whole number, also written as `3.0`.
fn whole(text: &str) -> Option<i64> {
    let digits = text.split_once('.').map_or(text, |(whole, fraction)| {
        if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') { whole } else { "" }
    });
    digits.parse().ok()
}

/// Wh from a decimal number, rounded once, towards zero. Scientific notation, as programs print it, is read exactly.
///
/// # Errors
/// The rule that the text breaks.
pub fn parse_energy(text: &str) -> Result<i64, &'static str> {
    parse_wh(text, 0)
}

/// Where readings come from, row by row: a file, or a service that is asked.
pub(crate) trait Rows {
    /// Hands each row to `sink`, in order.
    ///
    /// # Errors
    /// If the source as a whole cannot be read further, or whatever `sink` gives.
    fn each<E>(self, sink: &mut dyn FnMut(Result<Reading, RowFault>) -> Result<(), E>) -> Result<(), InputFault<E>>;
}

/// Readings as a file or a body holds them.
pub(crate) struct Written<'z, I> {
    pub input: I,
    pub format: Format,
    pub zone: &'z ZoneOfTimes,
}

impl<I: Read> Rows for Written<'_, I> {
    fn each<E>(self, sink: &mut dyn FnMut(Result<Reading, RowFault>) -> Result<(), E>) -> Result<(), InputFault<E>> {
        let mut order = Order::new(self.zone);
        match self.format {
            Format::Csv => read_csv(self.input, &mut order, sink),
            Format::Json => read_json(self.input, &mut order, sink),
        }
    }
}

fn read_csv<E>(
    input: impl Read,
    order: &mut Order<'_>,
    sink: &mut dyn FnMut(Result<Reading, RowFault>) -> Result<(), E>,
) -> Result<(), InputFault<E>> {
    let bad = |rule: String| InputFault::Bad { field: "body".to_owned(), rule };
    let left = Cell::new(ROW_BYTES_MAX);
    let input = Gauge { input, left: &left };
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::None).from_reader(input);
    let headers = reader.byte_headers().map_err(|error| bad(format!("cannot be read as CSV: {error}")))?;
    let names: Vec<String> = headers.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    let names: Vec<&str> = names.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
    let place = |field: &str| names.iter().position(|name| *name == field);
    let known = [DEVICE_ID, START, END, USAGE, GROSS_NET, QUALITY];
    if let Some(odd) = names.iter().find(|name| !known.contains(name) && !PASSED_OVER.contains(name)) {
        let odd: String = odd.chars().take(64).collect();
        return Err(InputFault::Bad { field: odd, rule: "is not a column of readings".to_owned() });
    }
    let missing: Vec<&'static str> = known[..5].iter().copied().filter(|field| place(field).is_none()).collect();
    if !missing.is_empty() {
        return Err(InputFault::Missing(missing));
    }
    let places = known.map(place);
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => left.set(ROW_BYTES_MAX),
            Ok(false) => return Ok(()),
            Err(error) => return Err(bad(format!("cannot be read further: {error}"))),
        }
        let row = csv_row(&record, places, names.len(), order);
        sink(row).map_err(InputFault::Sink)?;
    }
}

fn csv_row(
    record: &csv::ByteRecord,
    places: [Option<usize>; 6],
    columns: usize,
    order: &mut Order<'_>,
) -> Result<Reading, RowFault> {
    let whole_row = |rule: &str| RowFault { field: "row", rule: rule.to_owned(), device_id: None, start: None };
    if record.len() != columns {
        return Err(whole_row(&format!("has {} fields where the header has {columns}", record.len())));
    }
    if record.as_slice().len() > ROW_CHARS_MAX {
        return Err(whole_row("is longer than 4,096 characters"));
    }
    if std::str::from_utf8(record.as_slice()).is_err() {
        return Err(whole_row("is not UTF-8"));
    }
    let text = |place: Option<usize>| place.and_then(|p| record.get(p)).and_then(|b| std::str::from_utf8(b).ok());
    let [device_id, start, end, usage, gross_net, quality] = places.map(text);
    reading_of(&Fields { device_id, start, end, usage, gross_net, quality }, order)
}

/// One record, its values as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonRow<'t> {
    #[serde(borrow)]
    device_id: Option<&'t RawValue>,
    #[serde(borrow)]
    interval_start_datetime: Option<&'t RawValue>,
    #[serde(borrow)]
    interval_end_datetime: Option<&'t RawValue>,
    #[serde(borrow)]
    interval_usage: Option<&'t RawValue>,
    #[serde(borrow)]
    gross_net_indicator: Option<&'t RawValue>,
    #[serde(borrow)]
    quality: Option<&'t RawValue>,
    #[serde(borrow, rename = "id")]
    _id: Option<&'t RawValue>,
    #[serde(borrow, rename = "created_at")]
    _created_at: Option<&'t RawValue>,
    #[serde(borrow, rename = "is_deleted")]
    _is_deleted: Option<&'t RawValue>,
}

fn json_row(text: &str, order: &mut Order<'_>) -> Result<Reading, RowFault> {
    let whole_row = |rule: String| RowFault { field: "row", rule, device_id: None, start: None };
    if text.len() > ROW_CHARS_MAX {
        return Err(whole_row("is longer than 4,096 characters".to_owned()));
    }
    let row: JsonRow<'_> =
        serde_json::from_str(text).map_err(|error| whole_row(format!("is not a reading: {error}")))?;
    json_fields(
        [
            row.device_id,
            row.interval_start_datetime,
            row.interval_end_datetime,
            row.interval_usage,
            row.gross_net_indicator,
            row.quality,
        ],
        order,
    )
}

fn json_fields(values: [Option<&RawValue>; 6], order: &mut Order<'_>) -> Result<Reading, RowFault> {
    let texts = values.map(|value| value.and_then(|raw| scalar(raw.get())));
    let text = |index: usize| texts[index].as_deref();
    let fields = Fields {
        device_id: text(0),
        start: text(1),
        end: text(2),
        usage: text(3),
        gross_net: text(4),
        quality: text(5),
    };
    reading_of(&fields, order)
}

/// The text of a string, or a number as it is written; nothing for null, and the raw text for what is neither.
fn scalar(raw: &str) -> Option<String> {
    if raw == "null" {
        return None;
    }
    if raw.starts_with('"') { serde_json::from_str(raw).ok() } else { Some(raw.to_owned()) }
}

fn read_json<E>(
    input: impl Read,
    order: &mut Order<'_>,
    sink: &mut dyn FnMut(Result<Reading, RowFault>) -> Result<(), E>,
) -> Result<(), InputFault<E>> {
    let mut failed = None;
    let left = Cell::new(ROW_BYTES_MAX);
    let input = std::io::BufReader::new(Gauge { input, left: &left });
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    let rows = JsonRows { order, sink, failed: &mut failed, left: &left };
    let read = rows.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (failed, read) {
        (Some(error), _) => Err(InputFault::Sink(error)),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) => {
            Err(InputFault::Bad { field: "body".to_owned(), rule: format!("is not readings: {error}") })
        }
    }
}

/// Takes an array of records one by one, or an object of columns.
struct JsonRows<'s, 'z, E> {
    order: &'s mut Order<'z>,
    sink: &'s mut dyn FnMut(Result<Reading, RowFault>) -> Result<(), E>,
    failed: &'s mut Option<E>,
    left: &'s Cell<usize>,
}

impl<'de, E> DeserializeSeed<'de> for JsonRows<'_, '_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<E> JsonRows<'_, '_, E> {
    fn give<F: serde::de::Error>(&mut self, row: Result<Reading, RowFault>) -> Result<(), F> {
        (self.sink)(row).map_err(|error| {
            *self.failed = Some(error);
            F::custom("stopped")
        })
    }
}

impl<'de, E> Visitor<'de> for JsonRows<'_, '_, E> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of readings or an object of columns")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Box<RawValue>>()? {
            self.left.set(ROW_BYTES_MAX);
            let row = json_row(row.get(), self.order);
            self.give(row)?;
        }
        Ok(())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(mut self, mut columns: A) -> Result<(), A::Error> {
        use serde::de::Error as _;
        self.left.set(COLUMNS_BYTES_MAX);
        let mut found: BTreeMap<&'static str, Vec<Box<RawValue>>> = BTreeMap::new();
        while let Some(name) = columns.next_key::<String>()? {
            let known = [DEVICE_ID, START, END, USAGE, GROSS_NET, QUALITY];
            let column: Column = columns.next_value()?;
            match known.into_iter().find(|field| *field == name) {
                Some(field) => {
                    found.insert(field, column.0);
                }
                None if PASSED_OVER.contains(&name.as_str()) => {}
                None => return Err(A::Error::custom(format_args!("{name:?} is not a column of readings"))),
            }
        }
        let rows = found.get(DEVICE_ID).map_or(0, Vec::len);
        if rows > COLUMN_ROWS_MAX {
            return Err(A::Error::custom("columns hold at most 100,000 rows; send an array or CSV"));
        }
        if let Some((name, column)) = found.iter().find(|(_, column)| column.len() != rows) {
            let text = format!("{name:?} has {} rows where \"device_id\" has {rows}", column.len());
            return Err(A::Error::custom(text));
        }
        for row in 0..rows {
            let value = |field| found.get(field).and_then(|column| column.get(row)).map(AsRef::as_ref);
            let row = json_fields([DEVICE_ID, START, END, USAGE, GROSS_NET, QUALITY].map(value), self.order);
            self.give(row)?;
        }
        Ok(())
    }
}

/// One column: a list, or an object from row numbers to values.
struct Column(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;
        impl<'de> Visitor<'de> for Values {
            type Value = Column;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of values or an object from row numbers to values")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Column, A::Error> {
                let mut column = Vec::new();
                while let Some(value) = values.next_element()? {
                    column.push(value);
                }
                Ok(Column(column))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut values: A) -> Result<Column, A::Error> {
                let mut rows: BTreeMap<u64, Box<RawValue>> = BTreeMap::new();
                while let Some((row, value)) = values.next_entry::<String, Box<RawValue>>()? {
                    let row = row.parse().map_err(|_| serde::de::Error::custom("row numbers are whole"))?;
                    rows.insert(row, value);
                }
                Ok(Column(rows.into_values().collect()))
            }
        }
        deserializer.deserialize_any(Values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, format: Format) -> Result<Vec<Result<Reading, RowFault>>, String> {
        rows_in(text, format, &ZoneOfTimes::default())
    }

    fn rows_in(text: &str, format: Format, zone: &ZoneOfTimes) -> Result<Vec<Result<Reading, RowFault>>, String> {
        let mut found = Vec::new();
        let read = Written { input: text.as_bytes(), format, zone }.each::<()>(&mut |row| {
            found.push(row);
            Ok(())
        });
        match read {
            Ok(()) => Ok(found),
            Err(InputFault::Bad { field, rule }) => Err(format!("{field}: {rule}")),
            Err(InputFault::Missing(columns)) => Err(columns.join(", ")),
            Err(InputFault::Sink(())) => Err("sink".to_owned()),
        }
    }

    const HEADER: &str = "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator\n";

    #[test]
    fn all_forms_give_the_same_reading() {
        let csv = format!("{HEADER}3,2026-01-01 00:00:00,2026-01-01T01:00:00Z,5000000.9,net\n");
        let records = r#"[{"device_id":"3","interval_start_datetime":"2026-01-01T00:00:00","interval_end_datetime":
            "2026-01-01T02:00:00+01:00","interval_usage":5000000.9,"gross_net_indicator":"NET","created_at":null}]"#;
        let columns = r#"{"device_id":[3],"interval_start_datetime":["2026-01-01"],"interval_end_datetime":
            ["2026-01-01T01:00Z"],"interval_usage":["5.0000009e6"],"gross_net_indicator":["NET"]}"#;
        let indexed = r#"{"device_id":{"0":3.0},"interval_start_datetime":{"0":"2026-01-01"},"interval_end_datetime":
            {"0":"2026-01-01T01:00Z"},"interval_usage":{"0":5000000.9},"gross_net_indicator":{"0":"NET"}}"#;
        let expected = rows(&csv, Format::Csv).unwrap();
        assert_eq!(expected[0].as_ref().unwrap().energy_wh, 5_000_000);
        for text in [records, columns, indexed] {
            assert_eq!(rows(text, Format::Json).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn energy_is_rounded_towards_zero_once_and_exactly() {
        for (text, wh) in [
            ("0", Ok(0)),
            ("12.9", Ok(12)),
            ("-12.9", Ok(-12)),
            ("5000000.0", Ok(5_000_000)),
            ("1.5e3", Ok(1_500)),
            ("1e-3", Ok(0)),
            (".5", Ok(0)),
            ("9000000000000000", Ok(9_000_000_000_000_000)),
            ("9000000000000001", Err(())),
            ("1e400", Err(())),
            ("NaN", Err(())),
            ("1,5", Err(())),
            ("", Err(())),
            (".", Err(())),
            ("--1", Err(())),
        ] {
            assert_eq!(parse_energy(text).map_err(|_| ()), wh, "{text}");
        }
    }

    #[test]
    fn a_bad_row_names_its_field_and_leaves_its_neighbours_alone() {
        let good = "1,2026-01-01T00:00Z,2026-01-01T01:00Z,5,NET\n";
        for (bad, field) in [
            ("x,2026-01-01T00:00Z,2026-01-01T01:00Z,5,NET", "device_id"),
            (",2026-01-01T00:00Z,2026-01-01T01:00Z,5,NET", "device_id"),
            ("1,yesterday,2026-01-01T01:00Z,5,NET", "interval_start_datetime"),
            ("1,2026-01-01T01:00Z,2026-01-01T01:00Z,5,NET", "interval_end_datetime"),
            ("1,2026-01-01T00:00Z,2026-01-01T01:00Z,five,NET", "interval_usage"),
            ("1,2026-01-01T00:00Z,2026-01-01T01:00Z,5,GROS", "gross_net_indicator"),
            ("1,2026-01-01T00:00Z,2026-01-01T01:00Z,5", "row"),
        ] {
            let found = rows(&format!("{HEADER}{good}{bad}\n{good}"), Format::Csv).unwrap();
            assert_eq!(found.len(), 3, "{bad}");
            assert_eq!(found[1].as_ref().unwrap_err().field, field, "{bad}");
            assert!(found[0].is_ok() && found[2].is_ok(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_readings_at_all_is_refused_as_a_whole() {
        for (text, format) in [
            ("device_id,interval_usage\n1,2\n", Format::Csv),
            ("device_id;interval_usage\n", Format::Csv),
            ("{\"device_id\":[1],\"colour\":[2]}", Format::Json),
            ("{\"device_id\":[1,2],\"interval_usage\":[2]}", Format::Json),
            ("[1,2", Format::Json),
            ("17", Format::Json),
            ("", Format::Json),
        ] {
            assert!(rows(text, format).is_err(), "{text}");
        }
    }

    #[test]
    fn one_row_cannot_fill_the_memory_and_many_rows_may_be_longer_than_one() {
        let long = "x".repeat(ROW_BYTES_MAX + 1);
        for (text, format) in [
            (format!("[{{\"device_id\":\"{long}\"}}]"), Format::Json),
            (format!("{HEADER}{long}"), Format::Csv),
            (long.clone(), Format::Csv),
        ] {
            assert!(rows(&text, format).is_err());
        }
        let row = r#"{"device_id":1}"#;
        let many = format!("[{}]", vec![row; 100_000].join(","));
        assert!(many.len() > ROW_BYTES_MAX);
        assert_eq!(rows(&many, Format::Json).unwrap().len(), 100_000);
        let many = format!("{HEADER}{}", "1,2,3,4,5\n".repeat(100_000));
        assert_eq!(rows(&many, Format::Csv).unwrap().len(), 100_000);
    }

    #[test]
    fn the_hours_of_a_clock_change_are_refused_unless_told_apart() {
        let london = ZoneOfTimes::named("Europe/London").unwrap();
        let at = |text: &str| parse_instant(text, &london).map(|t| t.to_string());
        assert_eq!(at("2026-07-01 12:00"), Ok("2026-07-01T11:00:00Z".to_owned()));
        assert!(at("2026-03-29 01:30").is_err(), "does not exist");
        assert!(at("2026-10-25 01:30").is_err(), "exists twice");
        assert_eq!(at("2026-10-25T01:30:00+01:00"), Ok("2026-10-25T00:30:00Z".to_owned()));
        assert!(ZoneOfTimes::named("Europe/Atlantis").is_none());
    }

    /// Rows of device 1 from local starts and ends; each its interval, or the rule that it breaks.
    fn london(intervals: &[(&str, &str)]) -> Vec<String> {
        let lines = intervals.iter().map(|(start, end)| format!("1,{start},{end},5,NET\n"));
        let text = format!("{HEADER}{}", lines.collect::<String>());
        let zone = ZoneOfTimes::named("Europe/London").unwrap();
        let told = |row: Result<Reading, RowFault>| match row {
            Ok(reading) => format!("{} {}", reading.interval.start(), reading.interval.end()),
            Err(fault) => format!("{} {}", fault.field, fault.rule),
        };
        rows_in(&text, Format::Csv, &zone).unwrap().into_iter().map(told).collect()
    }

    #[test]
    fn the_order_of_rows_tells_an_hour_that_exists_twice_apart() {
        let day = "2026-10-25 ";
        let half_hours = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"].map(|time| format!("{day}{time}"));
        let intervals: Vec<_> = half_hours.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
        assert_eq!(
            london(&intervals),
            [
                "2026-10-24T23:30:00Z 2026-10-25T00:00:00Z",
                "2026-10-25T00:00:00Z 2026-10-25T00:30:00Z",
                "2026-10-25T00:30:00Z 2026-10-25T01:00:00Z",
                "2026-10-25T01:00:00Z 2026-10-25T01:30:00Z",
                "2026-10-25T01:30:00Z 2026-10-25T02:00:00Z",
            ]
        );
        let hours = [
            ("2026-10-25 00:00", "2026-10-25 01:00"),
            ("2026-10-25 01:00", "2026-10-25 01:00"),
            ("2026-10-25 01:00", "2026-10-25 02:00"),
        ];
        assert_eq!(
            london(&hours),
            [
                "2026-10-24T23:00:00Z 2026-10-25T00:00:00Z",
                "2026-10-25T00:00:00Z 2026-10-25T01:00:00Z",
                "2026-10-25T01:00:00Z 2026-10-25T02:00:00Z",
            ]
        );
    }

    #[test]
    fn what_the_order_does_not_tell_and_what_does_not_exist_is_refused_with_its_row() {
        let told = london(&[
            ("2026-10-25 01:00", "2026-10-25 01:30"),
            ("2026-10-25T01:00:00+01:00", "2026-10-25T01:30:00+01:00"),
            ("2026-03-29 01:30", "2026-03-29 02:00"),
            ("2026-03-29 00:30", "2026-03-29 02:00"),
        ]);
        assert!(told[0].contains("no row before tells which"), "{told:?}");
        assert_eq!(told[1], "2026-10-25T00:00:00Z 2026-10-25T00:30:00Z");
        assert_eq!(told[2], "interval_start_datetime does not exist in the stated time zone");
        // The clocks go forward at 1: half an hour later it is 2.
        assert_eq!(told[3], "2026-03-29T00:30:00Z 2026-03-29T01:00:00Z");
    }
}
