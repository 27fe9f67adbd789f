//! An answer of any size on its way from the thread that writes it: a few pieces at a time, never the whole.
//!
//! Invariant: an answer that could not be written to its end breaks off, so that nobody takes a part for the whole.

use crate::limits::{DOWNLOAD_PIECE_BYTES, PIECES_WAITING_MAX};
use axum::body::Body;
use bytes::Bytes;
use hyper::body::Frame;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::sync::mpsc::{Receiver, Sender, channel};

enum Piece {
    Data(Bytes),
    End,
}

/// The end that the thread writes to; blocks while the client is not ready for more.
pub(crate) struct Pieces {
    sender: Sender<Piece>,
    gathered: Vec<u8>,
    /// After this nothing more is written.
    until: Instant,
}

/// The end that goes to the client.
pub(crate) struct Download {
    receiver: Receiver<Piece>,
    first: Option<Piece>,
    is_over: bool,
}

/// The two ends; what is not written by `until` breaks off.
pub(crate) fn download(until: Instant) -> (Pieces, Download) {
    let (sender, receiver) = channel(PIECES_WAITING_MAX);
    let gathered = Vec::with_capacity(DOWNLOAD_PIECE_BYTES);
    (Pieces { sender, gathered, until }, Download { receiver, first: None, is_over: false })
}

impl Pieces {
    /// Sends what is left and says that it was all.
    ///
    /// # Errors
    /// If the client went away.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.send(Piece::End)
    }

    fn send(&self, piece: Piece) -> io::Result<()> {
        if Instant::now() > self.until {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes too long to read its answer"));
        }
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the client went away");
        self.sender.blocking_send(piece).map_err(|_| gone())
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= DOWNLOAD_PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.gathered, Vec::with_capacity(DOWNLOAD_PIECE_BYTES));
        self.send(Piece::Data(full.into()))
    }
}

impl Download {
    /// Waits for the first piece; `false` if there is none because the thread failed before it.
    pub(crate) async fn is_begun(&mut self) -> bool {
        self.first = self.receiver.recv().await;
        self.first.is_some()
    }

    pub(crate) fn into_body(self) -> Body {
        Body::new(self)
    }
}

impl hyper::body::Body for Download {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let piece = match self.first.take() {
            Some(piece) => Some(piece),
            None => ready!(self.receiver.poll_recv(cx)),
        };
        match piece {
            Some(Piece::Data(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Some(Piece::End) => {
                self.is_over = true;
                Poll::Ready(None)
            }
            None => {
                self.is_over = true;
                Poll::Ready(Some(Err(io::Error::other("the answer could not be written to its end"))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::time::Duration;

    fn later() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    #[tokio::test]
    async fn what_is_written_arrives_whole() {
        let (mut pieces, mut download) = download(later());
        let text = vec![b'x'; DOWNLOAD_PIECE_BYTES * 9 + 1];
        let wanted = text.clone();
        let writing = tokio::task::spawn_blocking(move || {
            pieces.write_all(&text)?;
            pieces.end()
        });
        assert!(download.is_begun().await);
        assert_eq!(download.into_body().collect().await.unwrap().to_bytes(), wanted);
        writing.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_does_not_come_to_its_end_breaks_off() {
        let (mut pieces, mut download) = download(later());
        tokio::task::spawn_blocking(move || pieces.write_all(&vec![b'x'; DOWNLOAD_PIECE_BYTES]))
            .await
            .unwrap()
            .unwrap();
        assert!(download.is_begun().await);
        assert!(download.into_body().collect().await.is_err());
    }

    #[tokio::test]
    async fn the_thread_hears_of_a_client_that_goes_away_and_of_its_time_being_up() {
        let (mut pieces, gone) = download(later());
        drop(gone);
        let kind = |written: io::Result<()>| written.map_err(|error| error.kind());
        let written = tokio::task::spawn_blocking(move || pieces.write_all(b"x").and_then(|()| pieces.end()));
        assert_eq!(kind(written.await.unwrap()), Err(io::ErrorKind::BrokenPipe));
        let (pieces, _download) = download(Instant::now().checked_sub(Duration::from_secs(1)).unwrap());
        let written = tokio::task::spawn_blocking(move || pieces.end());
        assert_eq!(kind(written.await.unwrap()), Err(io::ErrorKind::TimedOut));
    }
}
