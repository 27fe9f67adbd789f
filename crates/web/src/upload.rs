//! A body of readings on its way to the thread that reads it: a few pieces at a time, never the whole.
//!
//! Invariant: the thread learns how the body ended. A handler that was dropped because its client went away leaves a body
//! without an end, which is an error too.

use crate::body::{Bounded, Cut};
use crate::json::{Fault, Place};
use crate::limits::PIECES_WAITING_MAX;
use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};

enum Piece {
    Data(Bytes),
    End,
    /// Why there is no more.
    Fault(String),
}

/// The end that the thread reads; blocks until the next piece is there.
pub(crate) struct Pieces {
    receiver: Receiver<Piece>,
    current: Bytes,
    is_over: bool,
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() && !self.is_over {
            match self.receiver.blocking_recv() {
                Some(Piece::Data(bytes)) => self.current = bytes,
                Some(Piece::End) => self.is_over = true,
                Some(Piece::Fault(text)) => return Err(io::Error::other(text)),
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, Cut::Broken)),
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        self.current.advance(amount);
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// The first byte that is no white space, which is left where it is. `None` at the end.
///
/// # Errors
/// If the input breaks off.
pub(crate) fn first_byte(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(None);
        }
        let count = available.len();
        if let Some(place) = available.iter().position(|byte| !byte.is_ascii_whitespace()) {
            let byte = available[place];
            input.consume(place);
            return Ok(Some(byte));
        }
        input.consume(count);
    }
}

/// The end that the body goes in at.
pub(crate) struct Upload {
    source: Source,
    sender: Sender<Piece>,
    cut: Arc<OnceLock<Cut>>,
}

enum Source {
    Plain(Bounded),
    Multipart(Multipart),
}

/// Takes the body of a request, plain or multipart.
///
/// # Errors
/// A fault if it says that it is multipart and cannot be read so.
pub(crate) async fn open(request: Request, max: u64, idle: Duration) -> Result<(Upload, Pieces), Vec<Fault>> {
    let is_multipart = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("multipart/"));
    let (parts, body) = request.into_parts();
    let bounded = Bounded::new(body, max, idle);
    let cut = bounded.cut();
    let source = if is_multipart {
        let mut request = Request::from_parts(parts, Body::new(bounded));
        // In place of the limit that extractors have by themselves.
        DefaultBodyLimit::disable().apply(&mut request);
        let multipart = Multipart::from_request(request, &()).await;
        Source::Multipart(multipart.map_err(|error| {
            vec![Fault {
                loc: vec![Place::Name("body".to_owned())],
                msg: format!("Value error, {}", error.body_text()),
                r#type: "value_error",
            }]
        })?)
    } else {
        Source::Plain(bounded)
    };
    let (sender, receiver) = channel(PIECES_WAITING_MAX);
    Ok((Upload { source, sender, cut }, Pieces { receiver, current: Bytes::new(), is_over: false }))
}

impl Upload {
    /// Sends the body piece by piece until its end, or until nobody reads any more. Says where it was cut off.
    pub(crate) async fn send(self) -> Option<Cut> {
        let Self { source, sender, cut } = self;
        let end = match source {
            Source::Plain(body) => send_plain(body, &sender).await,
            Source::Multipart(multipart) => send_multipart(multipart, &sender).await,
        };
        // Not sent where nobody reads any more.
        let _: Result<(), _> = sender.send(end).await;
        cut.get().copied()
    }
}

async fn send_plain(mut body: Bounded, sender: &Sender<Piece>) -> Piece {
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let Ok(data) = frame.into_data() else { continue };
                if sender.send(Piece::Data(data)).await.is_err() {
                    break;
                }
            }
            Err(cut) => return Piece::Fault(cut.to_string()),
        }
    }
    Piece::End
}

async fn send_multipart(mut multipart: Multipart, sender: &Sender<Piece>) -> Piece {
    let fault = |error: &MultipartError| Piece::Fault(error.body_text());
    loop {
        match multipart.next_field().await {
            Ok(Some(field)) if field.name() == Some("file") || field.file_name().is_some() => {
                return match send_field(field, sender).await {
                    Ok(()) => Piece::End,
                    Err(error) => fault(&error),
                };
            }
            Ok(Some(_)) => {}
            Ok(None) => return Piece::Fault("the multipart body has no part named \"file\"".to_owned()),
            Err(error) => return fault(&error),
        }
    }
}

async fn send_field(mut field: Field<'_>, sender: &Sender<Piece>) -> Result<(), MultipartError> {
    while let Some(data) = field.chunk().await? {
        if sender.send(Piece::Data(data)).await.is_err() {
            break;
        }
    }
    Ok(())
}
