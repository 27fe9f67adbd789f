//! Rows as CSV or as JSON, one object a line. Bytes are written in hexadecimal. In CSV a text that a spreadsheet would take
//! for a formula begins with an apostrophe.

use jiff::Timestamp;
use std::fmt::Write as _;
use std::io::{self, Write};

/// What a cell begins with where a spreadsheet would calculate.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SheetFormat {
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// One value of a row.
#[derive(Clone, Copy, Debug)]
pub enum Cell<'c> {
    Nothing,
    Number(i64),
    Instant(Timestamp),
    /// A word of ours.
    Word(&'c str),
    /// What somebody wrote.
    Text(&'c str),
    Bytes(Option<&'c [u8]>),
}

impl<'c> Cell<'c> {
    pub fn optional_number(number: Option<i64>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }

    pub fn optional_text(text: Option<&'c str>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }

    /// Writes the cell as text; nothing for an absent value.
    fn write(self, text: &mut String) {
        let _infallible = match self {
            Self::Nothing | Self::Bytes(None) => Ok(()),
            Self::Number(number) => write!(text, "{number}"),
            Self::Instant(at) => write!(text, "{at}"),
            Self::Word(word) | Self::Text(word) => text.write_str(word),
            Self::Bytes(Some(bytes)) => bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}")),
        };
    }
}

/// A table that is being written.
pub struct Sheet<'o> {
    columns: &'static [&'static str],
    form: Form<'o>,
    /// What is being written of a cell, and of a line; kept for the next.
    cell: String,
    line: String,
}

enum Form<'o> {
    Csv(Box<csv::Writer<&'o mut dyn Write>>),
    Ndjson(&'o mut dyn Write),
}

impl<'o> Sheet<'o> {
    /// Begins a table; CSV has a line of column names.
    pub fn start(out: &'o mut dyn Write, format: SheetFormat, columns: &'static [&'static str]) -> io::Result<Self> {
        let form = match format {
            SheetFormat::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(columns).map_err(of_output)?;
                Form::Csv(Box::new(writer))
            }
            SheetFormat::Ndjson => Form::Ndjson(out),
        };
        Ok(Self { columns, form, cell: String::new(), line: String::new() })
    }

    /// Writes a row, a cell for each column.
    pub fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let text = &mut self.cell;
        match &mut self.form {
            Form::Csv(writer) => {
                for cell in cells {
                    text.clear();
                    if matches!(cell, Cell::Text(written) if written.starts_with(FORMULA_STARTS)) {
                        text.push('\'');
                    }
                    cell.write(text);
                    writer.write_field(&*text).map_err(of_output)?;
                }
                writer.write_record(None::<&[u8]>).map_err(of_output)
            }
            Form::Ndjson(out) => {
                let line = &mut self.line;
                line.clear();
                for (cell, column) in cells.iter().zip(self.columns) {
                    line.push(if line.is_empty() { '{' } else { ',' });
                    text.clear();
                    cell.write(text);
                    let _infallible = match cell {
                        Cell::Nothing | Cell::Bytes(None) => write!(line, "\"{column}\":null"),
                        Cell::Number(_) => write!(line, "\"{column}\":{text}"),
                        Cell::Instant(_) | Cell::Word(_) | Cell::Text(_) | Cell::Bytes(Some(_)) => {
                            write!(line, "\"{column}\":{}", serde_json::Value::from(text.as_str()))
                        }
                    };
                }
                line.push_str("}\n");
                out.write_all(line.as_bytes())
            }
        }
    }

    /// Writes what is left.
    pub fn finish(self) -> io::Result<()> {
        match self.form {
            Form::Csv(mut writer) => writer.flush(),
            Form::Ndjson(out) => out.flush(),
        }
    }
}

/// The error of the output itself: whoever handles it looks at its kind.
fn of_output(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[&str] = &["id", "at", "state", "purpose", "hash", "parent"];

    fn written(format: SheetFormat) -> String {
        let mut out = Vec::new();
        let mut sheet = Sheet::start(&mut out, format, COLUMNS).unwrap();
        for purpose in ["=1+1", "-", "two\nlines, \"quoted\"", "plain"] {
            let cells = [
                Cell::Number(-7),
                Cell::Instant("2026-01-01T00:00:00Z".parse().unwrap()),
                Cell::Word("Active"),
                Cell::Text(purpose),
                Cell::Bytes(Some(&[0, 255])),
                Cell::Nothing,
            ];
            sheet.row(&cells).unwrap();
        }
        sheet.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn formulas_in_csv_are_defused_and_the_rest_reads_back() {
        let text = written(SheetFormat::Csv);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let purposes: Vec<String> = reader.records().map(|record| record.unwrap()[3].to_owned()).collect();
        assert_eq!(purposes, ["'=1+1", "'-", "two\nlines, \"quoted\"", "plain"]);
        assert!(text.starts_with("id,at,state,purpose,hash,parent\n-7,2026-01-01T00:00:00Z,Active,'=1+1,00ff,\n"));
    }

    #[test]
    fn json_lines_keep_texts_as_they_are() {
        let text = written(SheetFormat::Ndjson);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["purpose"], "=1+1");
        assert_eq!(first["id"], -7);
        assert_eq!(first["hash"], "00ff");
        assert!(first["parent"].is_null());
        assert_eq!(text.lines().count(), 4);
    }
}
