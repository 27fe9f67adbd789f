//! Bodies of requests, each within its limits of size and of time.
//!
//! Invariant: a body that is too large or stands still ends with an error, and [`Cut`] says which it was.

use crate::Error;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// Why a body was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    TooLarge {
        max: u64,
    },
    StoodStill,
    /// The client went away, or sent what is no HTTP.
    Broken,
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge { max } => write!(f, "the body is larger than {max} bytes"),
            Self::StoodStill => f.write_str("the body stood still for too long"),
            Self::Broken => f.write_str("the connection was closed before the end of the body"),
        }
    }
}

impl std::error::Error for Cut {}

/// A body that keeps its limits. Where it was cut off is known to all who hold [`cut`](Self::cut).
pub(crate) struct Bounded {
    inner: Body,
    max: u64,
    read: u64,
    idle: Duration,
    /// Running while the client is waited for.
    sleep: Option<Pin<Box<Sleep>>>,
    cut: Arc<OnceLock<Cut>>,
}

impl Bounded {
    pub(crate) fn new(inner: Body, max: u64, idle: Duration) -> Self {
        Self { inner, max, read: 0, idle, sleep: None, cut: Arc::default() }
    }

    pub(crate) fn cut(&self) -> Arc<OnceLock<Cut>> {
        self.cut.clone()
    }

    fn cut_off(&mut self, why: Cut) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        Poll::Ready(Some(Err(*self.cut.get_or_init(|| why))))
    }
}

impl hyper::body::Body for Bounded {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let idle = self.idle;
                let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
                return if sleep.as_mut().poll(cx).is_ready() { self.cut_off(Cut::StoodStill) } else { Poll::Pending };
            }
        };
        self.sleep = None;
        match frame {
            None => Poll::Ready(None),
            Some(Err(error)) => {
                tracing::debug!(%error, "a body broke off");
                self.cut_off(Cut::Broken)
            }
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                self.read = self.read.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
                let max = self.max;
                if self.read > max { self.cut_off(Cut::TooLarge { max }) } else { Poll::Ready(Some(Ok(frame))) }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

/// The whole of a body, which must fit `max` bytes.
pub(crate) async fn whole(body: Body, max: u64, idle: Duration) -> Result<Bytes, Error> {
    if body.size_hint().lower() > max {
        return Err(Error::Cut(Cut::TooLarge { max }));
    }
    Ok(Bounded::new(body, max, idle).collect().await.map_err(Error::Cut)?.to_bytes())
}
