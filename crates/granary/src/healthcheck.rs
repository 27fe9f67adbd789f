//! `granary healthcheck`: is the server of these settings ready? For a container's health check, where there is no shell
//! and no other program.
//!
//! It asks `GET /health/ready` at `LISTEN`, on this machine where the server listens everywhere. It opens no database,
//! changes nothing, and waits for a few seconds at most.

use crate::failure::{Failure, Verdict};
use crate::settings::Settings;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// For the connection, and again for each read and write.
const PATIENCE: Duration = Duration::from_secs(3);
/// More than a status line has.
const STATUS_LINE_BYTES_MAX: u64 = 256;

pub(crate) fn run(settings: &Settings) -> Result<Verdict, Failure> {
    let address = reachable(settings.listen);
    let line =
        status_line(address).map_err(|error| Failure::Refused(format!("nothing answers at {address}: {error}")))?;
    match status(&line) {
        Some("200") => Ok(Verdict::Done),
        Some(status) => Err(Failure::Refused(format!("{address} is not ready: it answered {status}"))),
        None => Err(Failure::Refused(format!("{address} is not ready: it does not speak HTTP"))),
    }
}

/// Where a server that listens on that address is reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The first line of the answer, as far as it can be text.
fn status_line(address: SocketAddr) -> io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes())?;
    let mut line = Vec::new();
    BufReader::new(connection.take(STATUS_LINE_BYTES_MAX)).read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// The status in a line such as `HTTP/1.1 200 OK`.
fn status(line: &str) -> Option<&str> {
    let status = line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    (status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit())).then_some(status)
}
