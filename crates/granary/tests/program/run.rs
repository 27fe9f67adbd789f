//! Running the program in an empty folder, with no setting from outside.

use db::testing::{Engine, TestDatabase};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

pub(crate) const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// Whatever the environment of the tests says of these does not reach the program.
const SETTINGS: [&str; 17] = [
    "LISTEN",
    "DATABASE_URL",
    "DATABASE_READ_URL",
    "ADMIN_EMAIL",
    "ADMIN_PASSWORD",
    "CERTIFICATE_EXPIRY_YEARS",
    "CERTIFICATE_GRANULARITY_HOURS",
    "SUM_READINGS_TO_HOUR",
    "CAPACITY_MARGIN",
    "ACCESS_TOKEN_EXPIRE_MINUTES",
    "QUERY_PERIOD_DAYS_MAX",
    "ELEXON_URL",
    "ELEXON_CACHE",
    "ELEXON_EVERY_HOURS",
    "ELEXON_DAYS",
    "LOG_LEVEL",
    "LOG_FORMAT",
];

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// An empty folder to run the program in, and what it is told.
pub(crate) struct Folder {
    place: tempfile::TempDir,
    environment: Vec<(String, String)>,
    #[expect(dead_code, reason = "held so that the database lives as long as the folder")]
    database: Option<TestDatabase>,
}

impl Folder {
    /// With no setting at all: data/granary.db below the folder.
    pub(crate) fn new() -> Self {
        Self { place: tempfile::tempdir().expect("a temporary folder"), environment: Vec::new(), database: None }
    }

    /// With an empty database of this engine.
    pub(crate) fn on(engine: Engine) -> Self {
        let database = TestDatabase::empty(engine);
        let folder = Self::new().with("DATABASE_URL", database.url().expose());
        Self { database: Some(database), ..folder }
    }

    /// With the demonstration of a few days on this engine.
    pub(crate) fn with_demo(engine: Engine) -> Self {
        let folder = Self::on(engine);
        folder.run(&["demo", "--no-serve", "--days", "10"]).ended_with(0);
        folder
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.place.path().join(name), text).expect("the folder can be written");
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().expect("the program starts");
        // A program that does not read it closes it.
        let _closed: std::io::Result<()> = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("the program ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_granary"));
        command.args(arguments).current_dir(self.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in SETTINGS {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts a server on a free port and waits until it listens.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null());
        command.envs([("LISTEN", "127.0.0.1:0"), ("LOG_FORMAT", "json"), ("LOG_LEVEL", "INFO")]);
        // Ended and waited for when it is dropped, also if it never listens.
        let mut child = Running(command.spawn().expect("the program starts"));
        let mut log = BufReader::new(child.0.stderr.take().expect("a pipe"));
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).expect("UTF-8"), 0, "it ended before it listened: {said}");
            said.push_str(&line);
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if entry["message"] == "listening" {
                let address = entry["address"].as_str().expect("an address").to_owned();
                return Server { child, log, said, address };
            }
        }
    }
}

/// A process that is ended with this.
struct Running(Child);

/// A server that runs.
pub(crate) struct Server {
    child: Running,
    log: BufReader<ChildStderr>,
    /// What it said on standard error until it listened.
    pub said: String,
    pub address: String,
}

impl Server {
    /// Sends a request and hears the answer.
    pub(crate) fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, serde_json::Value) {
        let mut connection = TcpStream::connect(&self.address).expect("it listens");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: granary\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut connection, &mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    /// Signs in; gives the token.
    pub(crate) fn sign_in(&self, name: &str, password: &str) -> String {
        let login = serde_json::json!({ "username": name, "password": password }).to_string();
        let (status, signed_in) = self.ask("POST", "/auth/login", "", &login);
        assert_eq!(status, 200, "{signed_in}");
        signed_in["access_token"].as_str().expect("a token").to_owned()
    }

    /// Sends it a signal and waits for its end.
    pub(crate) fn stop(mut self, signal: &str) -> Ran {
        let process = self.child.0.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &process]).status().expect("kill starts").success());
        let (mut out, mut err) = (String::new(), std::mem::take(&mut self.said));
        std::io::Read::read_to_string(&mut self.log, &mut err).expect("UTF-8");
        std::io::Read::read_to_string(&mut self.child.0.stdout.take().expect("a pipe"), &mut out).expect("UTF-8");
        Ran { code: self.child.0.wait().expect("the program ends").code(), out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to do if it has ended already.
        let _ended: std::io::Result<()> = self.0.kill();
        let _reaped = self.0.wait();
    }
}
