//! Every limit of the HTTP layer, with its name. What a test or an operator may want otherwise is in [`Limits`].

use std::time::Duration;

/// Bytes of the request line and all headers together.
pub(crate) const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Headers of one request.
pub(crate) const HEADERS_MAX: usize = 100;
/// How deep arrays and objects may stand in each other.
pub(crate) const JSON_DEPTH_MAX: usize = 32;
/// Members of one JSON object, or of one query string.
pub(crate) const MEMBERS_MAX: usize = 100;
/// Faults that one answer lists.
pub(crate) const FAULTS_MAX: usize = 100;
/// Characters of a token or a request id that are worth a look.
pub(crate) const TOKEN_CHARS_MAX: usize = 200;
pub(crate) const REQUEST_ID_CHARS_MAX: usize = 64;
/// Pieces of an upload that wait for the thread that reads them.
pub(crate) const PIECES_WAITING_MAX: usize = 4;
/// Bytes of a piece of an answer that is written while it is sent.
pub(crate) const DOWNLOAD_PIECE_BYTES: usize = 64 * 1024;
/// Answers below this many bytes are not compressed.
pub(crate) const COMPRESSED_BYTES_MIN: u64 = 1_024;
/// What is read and thrown away of a body that nobody wanted, so that its sender gets to see the answer.
pub(crate) const LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// The most and the usual number of seconds that an issue call waits for its job.
pub(crate) const WAIT_SECONDS_MAX: u64 = 300;
pub(crate) const WAIT_SECONDS: u64 = 60;
/// The pauses between two looks at a job: they grow from the first to the last.
pub(crate) const POLL_FIRST: Duration = Duration::from_millis(5);
pub(crate) const POLL_LAST: Duration = Duration::from_millis(250);
/// Events that a stream looks at in one go, and about how many bytes it hands over at a time.
pub(crate) const STREAM_EVENTS_MAX: usize = 256;
pub(crate) const STREAM_FRAME_BYTES_MAX: usize = 256 * 1024;
/// How often a stream looks whether another process has written, and whether its token is still good.
pub(crate) const STREAM_LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The most and the usual number of entries of a page, and characters of a cursor that are worth a look.
pub(crate) const PAGE_MAX: u64 = 1_000;
pub(crate) const PAGE_USUAL: u64 = 100;
pub(crate) const CURSOR_CHARS_MAX: usize = 200;
/// Accounts whose names are remembered, and for how long.
pub(crate) const NAMES_MAX: usize = 10_000;
pub(crate) const NAMES_TRUSTED: Duration = Duration::from_secs(1);
/// Seconds after which who met a busy registry may try again.
pub(crate) const RETRY_AFTER_SECONDS: u64 = 1;

/// What one server grants its clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a JSON body.
    pub body_bytes_max: u64,
    /// Bytes of a body of readings, which is streamed.
    pub readings_bytes_max: u64,
    /// How long a client may take for the header of a request, and how long a connection may be idle.
    pub header_read: Duration,
    /// How long a body may stand still.
    pub body_idle: Duration,
    /// How long an answer may stand still because its client does not read it.
    pub write_idle: Duration,
    /// Open connections; further ones wait to be accepted.
    pub connections_max: u32,
    /// Open event streams of one user.
    pub streams_per_user_max: usize,
    /// Bodies of readings that are read at once, of one user and of all; further ones are told to come back.
    pub uploads_per_user_max: usize,
    pub uploads_max: usize,
    /// Exports that are written at once, of one user and of all; further ones are told to come back.
    pub exports_per_user_max: usize,
    pub exports_max: usize,
    /// How long one export may take: it keeps the database from clearing away what it reads.
    pub export_time: Duration,
    /// After how much silence an event stream says that it is alive.
    pub stream_heartbeat: Duration,
    /// How long requests under way may take when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            readings_bytes_max: 256 * 1024 * 1024,
            header_read: Duration::from_secs(30),
            body_idle: Duration::from_secs(20),
            write_idle: Duration::from_secs(30),
            connections_max: 1_000,
            streams_per_user_max: 8,
            uploads_per_user_max: 2,
            uploads_max: 8,
            exports_per_user_max: 2,
            exports_max: 4,
            export_time: Duration::from_mins(30),
            stream_heartbeat: Duration::from_secs(15),
            drain: Duration::from_secs(30),
        }
    }
}
