//! The built program in a process of its own.

use db::Url;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    /// Starts it and says how many milliseconds it took until it was ready.
    pub(crate) fn start(url: &Url) -> (Self, f64) {
        let program = std::env::var_os("GRANARY_BIN").expect("GRANARY_BIN names the built program; run `make bench`");
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = free.to_string();
        let started = Instant::now();
        let process = Command::new(program)
            .arg("serve")
            .env("DATABASE_URL", url.expose())
            .env("LISTEN", &address)
            .env("LOG_LEVEL", "WARNING")
            .env("QUERY_PERIOD_DAYS_MAX", "31")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, address };
        let ready = format!("http://{}/health/ready", server.address);
        while ureq::get(&ready).call().is_err() {
            assert!(started.elapsed() < Duration::from_mins(1), "the server is not ready after a minute");
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = started.elapsed().as_secs_f64() * 1_000.0;
        (server, took)
    }

    /// What it holds of the machine's memory, in MB.
    pub(crate) fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes / 1_024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = Command::new("kill").arg(self.process.id().to_string()).status();
        if stopped.is_err() || self.process.wait().is_err() {
            let _: std::io::Result<()> = self.process.kill();
        }
    }
}
