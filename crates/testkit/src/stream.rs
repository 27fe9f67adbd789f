//! A client of server-sent events: reads them as they come and goes away when it is dropped.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub id: i64,
    /// Null where there was an id only.
    pub data: Value,
}

/// A stream that is being read.
pub struct Stream {
    lines: BufReader<Box<dyn Read + Send>>,
    /// What this client would send as `Last-Event-ID` if it were cut off now.
    pub last_id: Option<i64>,
}

impl Stream {
    pub(crate) fn new(body: impl Read + Send + 'static) -> Self {
        Self { lines: BufReader::new(Box::new(body)), last_id: None }
    }

    /// Waits for the next event, ids without data among them; `None` once the server has ended the stream.
    ///
    /// # Panics
    /// If what comes is not what the standard of server-sent events lets through here, or nothing comes for too long.
    pub fn next_sent(&mut self) -> Option<Sent> {
        let (mut id, mut data) = (None, Value::Null);
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("the stream is UTF-8 and ends well") == 0 {
                return None;
            }
            match line.trim_end_matches('\n') {
                "" => {
                    let id = id.expect("every event of ours has an id");
                    self.last_id = Some(id);
                    return Some(Sent { id, data });
                }
                comment if comment.starts_with(':') => {}
                field => match field.split_once(": ") {
                    Some(("id", text)) => id = Some(text.parse().expect("ids are event numbers")),
                    Some(("data", text)) => data = serde_json::from_str(text).expect("data is JSON"),
                    _ => panic!("an odd line: {field}"),
                },
            }
        }
    }

    /// Waits for the next event with data; `None` once the server has ended the stream.
    pub fn next_event(&mut self) -> Option<Value> {
        loop {
            let sent = self.next_sent()?;
            if !sent.data.is_null() {
                return Some(sent.data);
            }
        }
    }
}
