//! A network that fails at the worst moment: a TCP proxy in front of PostgreSQL that knows a COMMIT when it sees one.
//!
//! It reads the client's messages one by one (no TLS: its URL says `sslmode=disable`) and passes everything on until it is
//! told to strike at the next COMMIT. Only the writer sends one, so a registry's readers may share the proxy. Each
//! connection has two threads, which end with it.

use db::Url;
use postgres::config::Host;
use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// What happens to the next COMMIT, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The connection breaks before the server hears of it.
    BeforeCommit,
    /// The server commits; the connection breaks before its answer comes back.
    BeforeAnswer,
    /// The connection breaks for the client only. The server hears the COMMIT when [`Proxy::deliver`] says so.
    Late,
}

/// Passes on until it is dropped.
pub struct Proxy {
    url: Url,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    strike: Mutex<Option<Strike>>,
    /// Whether the COMMIT that is late may go on.
    delivery: Mutex<bool>,
    delivered: Condvar,
    is_over: AtomicBool,
}

impl Proxy {
    /// In front of `server`, which must be PostgreSQL.
    pub fn before(server: &Url) -> Self {
        let config: postgres::Config = server.expose().parse().expect("a PostgreSQL URL");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the port");
        let (user, database) = (config.get_user().unwrap_or_default(), config.get_dbname().unwrap_or_default());
        let password = config.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let password = password.map(|password| format!(":{password}")).unwrap_or_default();
        let text = format!("postgres://{user}{password}@{address}/{database}?sslmode=disable");
        let shared = Arc::new(Shared::default());
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.is_over.load(Ordering::Relaxed) {
                    return;
                }
                if let (Ok(client), Ok(server)) = (client, Server::connect(&config)) {
                    let shared = accepting.clone();
                    std::thread::spawn(move || serve(&client, server, &shared));
                }
            }
        });
        Self { url: Url::parse(&text).expect("a URL"), shared }
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Strikes at the next COMMIT.
    pub fn strike(&self, strike: Strike) {
        *self.shared.strike.lock().expect("no panic") = Some(strike);
    }

    /// Whether the strike that was ordered has happened.
    pub fn has_struck(&self) -> bool {
        self.shared.strike.lock().expect("no panic").is_none()
    }

    /// Hands the server the COMMIT that is late.
    pub fn deliver(&self) {
        *self.shared.delivery.lock().expect("no panic") = true;
        self.shared.delivered.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.deliver();
        // Wakes the thread that accepts, so that it sees that all is over.
        let config: postgres::Config = self.url.expose().parse().expect("a PostgreSQL URL");
        drop(Server::connect(&config));
    }
}

/// The server's end of a connection.
enum Server {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Server {
    fn connect(config: &postgres::Config) -> Result<Self> {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        match config.get_hosts().first() {
            Some(Host::Tcp(name)) => TcpStream::connect((name.as_str(), port)).map(Self::Tcp),
            Some(Host::Unix(path)) => UnixStream::connect(path.join(format!(".s.PGSQL.{port}"))).map(Self::Unix),
            None => Err(std::io::Error::other("no host")),
        }
    }

    fn again(&self) -> Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
    }

    fn end(&self) {
        // It may have ended by itself.
        let _: Result<()> = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }

    fn receive(&mut self, bytes: &mut [u8]) -> Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(bytes),
            Self::Unix(stream) => stream.read(bytes),
        }
    }
}

/// One connection, until either side ends it.
fn serve(client: &TcpStream, server: Server, shared: &Shared) {
    let is_cut = Arc::new(AtomicBool::new(false));
    let (Ok(to_client), Ok(from_server)) = (client.try_clone(), server.again()) else { return };
    let cut = is_cut.clone();
    let answers = std::thread::spawn(move || pass_answers(from_server, to_client, &cut));
    // An error is the end of the connection, which is all that matters here.
    let _: Result<()> = pass_messages(client, server, shared, &is_cut);
    let _: std::thread::Result<()> = answers.join();
}

/// From the server to the client; an answer that comes after the cut ends both.
fn pass_answers(mut server: Server, mut client: TcpStream, is_cut: &AtomicBool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count) = server.receive(&mut bytes) {
        let is_over = count == 0 || is_cut.load(Ordering::SeqCst);
        if is_over || client.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // Either may have ended by itself.
    let _: Result<()> = client.shutdown(Shutdown::Both);
    server.end();
}

/// From the client to the server, message by message. The first has no type.
fn pass_messages(mut client: &TcpStream, mut server: Server, shared: &Shared, is_cut: &AtomicBool) -> Result<()> {
    let mut head = 0;
    loop {
        let message = match read_message(&mut client, head) {
            Ok(message) => message,
            Err(error) => {
                server.end();
                return Err(error);
            }
        };
        head = 1;
        let strike = if is_commit(&message) { shared.strike.lock().expect("no panic").take() } else { None };
        match strike {
            None => server.send(&message)?,
            Some(Strike::BeforeCommit) => {
                server.end();
                return Ok(());
            }
            Some(Strike::BeforeAnswer) => {
                is_cut.store(true, Ordering::SeqCst);
                server.send(&message)?;
            }
            Some(Strike::Late) => {
                is_cut.store(true, Ordering::SeqCst);
                client.shutdown(Shutdown::Both)?;
                let may_go = shared.delivery.lock().expect("no panic");
                let may_go = shared.delivered.wait_while(may_go, |may_go| !*may_go).expect("no panic");
                drop(may_go);
                return server.send(&message);
            }
        }
    }
}

/// A message with its length; `head` bytes of type come first.
fn read_message(client: &mut impl Read, head: usize) -> Result<Vec<u8>> {
    let mut message = vec![0; head + 4];
    client.read_exact(&mut message)?;
    let length = message[head..].try_into().map(u32::from_be_bytes).expect("four bytes");
    let length = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
    let rest = length.ok_or_else(|| std::io::Error::other("a length that is none"))?;
    message.resize(head + 4 + rest, 0);
    client.read_exact(&mut message[head + 4..])?;
    Ok(message)
}

fn is_commit(message: &[u8]) -> bool {
    message.first() == Some(&b'Q') && message.get(5..) == Some(b"COMMIT\0")
}
