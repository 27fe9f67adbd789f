//! A PostgreSQL primary with a streaming standby, of one test only, made by `scripts/test-standby.sh`.
//!
//! Invariant: both are gone with their [`Pair`], and also when the test's process ends in whatever way, because the
//! script then reads the end of its input.

use db::Url;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// From this crate's folder.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/test-standby.sh");

/// A primary and its standby.
pub struct Pair {
    pub primary: Url,
    pub standby: Url,
    script: Child,
    /// `None` only while it is being dropped.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Pair {
    /// Takes a few seconds.
    ///
    /// # Panics
    /// If PostgreSQL is not installed.
    pub fn start() -> Self {
        let mut script = Command::new(SCRIPT)
            .arg("run")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script can be run");
        let orders = script.stdin.take();
        let mut answers = BufReader::new(script.stdout.take().expect("its output is piped"));
        let mut url = || line(&mut answers).parse().expect("the script prints a URL");
        let (primary, standby) = (url(), url());
        Self { primary, standby, script, orders, answers }
    }

    /// The standby ends at once, as in a power cut.
    pub fn stop_standby(&mut self) {
        self.order("stop-standby");
    }

    pub fn start_standby(&mut self) {
        self.order("start-standby");
    }

    fn order(&mut self, word: &str) {
        let orders = self.orders.as_mut().expect("it is not being dropped");
        writeln!(orders, "{word}").expect("the script listens");
        assert_eq!(line(&mut self.answers), "done", "{word}");
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Waited for, so that nothing of it outlives the test.
        let _: std::io::Result<std::process::ExitStatus> = self.script.wait();
    }
}

fn line(answers: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    answers.read_line(&mut line).expect("the script's output can be read");
    line.trim_end().to_owned()
}
