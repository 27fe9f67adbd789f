//! The server: takes connections, keeps their limits of number and time, and stops without cutting off what is under way.
//!
//! Invariant: a client that does nothing costs a place for a bounded time only.

use crate::limits::{HEADER_BYTES_MAX, HEADERS_MAX, LINGER, LINGER_BYTES_MAX};
use crate::{Controls, Inside, Limits};
use app::Registry;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Sleep;
use tower::Service as _;

/// How long accepting rests after the system refused it, e.g. for want of file handles.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Requests under way are answered, then connections are closed.
    Draining,
    Ended,
}

/// Serves the registry until `shutdown` is done. `controls` are what the API may change of the program around it; `screens`
/// makes the pages for people, which may ask the API from inside.
///
/// # Errors
/// If the address of `listener` cannot be told.
pub async fn serve(
    registry: Registry,
    limits: Limits,
    controls: Controls,
    screens: impl FnOnce(Inside) -> Router,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "listening");
    let (stop, stopping) = watch::channel(false);
    let router = crate::router(registry, limits, controls, stopping, screens);
    let most = usize::try_from(limits.connections_max).unwrap_or(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(most));
    let (phase, phases) = watch::channel(Phase::Open);
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.as_mut() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { continue };
        tokio::spawn(converse(stream, peer, router.clone(), limits, phases.clone(), place));
    }
    drop(listener);
    drop(phases);
    stop.send_replace(true);
    let _: Result<(), _> = phase.send(Phase::Draining);
    if tokio::time::timeout(limits.drain, places.acquire_many(limits.connections_max)).await.is_err() {
        tracing::warn!("requests that took too long are cut off");
        let _: Result<(), _> = phase.send(Phase::Ended);
    }
    // Until the last connection has let go of the registry.
    phase.closed().await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            let is_the_clients =
                matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
            if !is_the_clients {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
            None
        }
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    mut phases: watch::Receiver<Phase>,
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small answers may be delayed");
    }
    let has_unread = Arc::new(AtomicBool::new(false));
    let socket = Socket {
        stream,
        has_unread: has_unread.clone(),
        write_idle: limits.write_idle,
        stalled: None,
        lingering: None,
        lingered: 0,
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        let has_unread = has_unread.clone();
        let unread = has_unread.clone();
        let mut request = request.map(|incoming| Body::new(Watched { incoming, is_read: false, has_unread }));
        request.extensions_mut().insert(ConnectInfo(peer));
        async move {
            let mut answer = router.call(request).await;
            // What is left of a body that nobody wanted makes the connection useless: the client is told not to use it again.
            if let Ok(response) = answer.as_mut()
                && unread.load(Ordering::Relaxed)
            {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            answer
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let mut done = tokio::select! {
        done = connection.as_mut() => Some(done),
        _ = phases.wait_for(|phase| *phase != Phase::Open) => None,
    };
    if done.is_none() {
        connection.as_mut().graceful_shutdown();
        done = tokio::select! {
            done = connection => Some(done),
            _ = phases.wait_for(|phase| *phase == Phase::Ended) => None,
        };
    }
    if let Some(Err(error)) = done {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
    drop(place);
}

/// A body that notes whether it was read to its end.
struct Watched {
    incoming: Incoming,
    is_read: bool,
    has_unread: Arc<AtomicBool>,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        self.is_read |= frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.is_read && !self.incoming.is_end_stream() {
            self.has_unread.store(true, Ordering::Relaxed);
        }
    }
}

/// A connection whose writes may not stall, and which closes so that a client that is still sending sees its answer: the
/// system would throw the answer away with what was not read.
struct Socket {
    stream: TcpStream,
    has_unread: Arc<AtomicBool>,
    write_idle: Duration,
    /// Running while the client does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Running once the answer is out and the rest of the body is thrown away.
    lingering: Option<Pin<Box<Sleep>>>,
    lingered: usize,
}

impl Socket {
    /// Turns a write that takes too long into an error.
    fn watched<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let idle = self.write_idle;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watched(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            if !self.has_unread.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            self.lingering = Some(Box::pin(tokio::time::sleep(LINGER)));
        }
        let mut thrown_away = [0_u8; 16 * 1024];
        loop {
            let is_over = self.lingering.as_mut().is_none_or(|sleep| sleep.as_mut().poll(cx).is_ready());
            if is_over || self.lingered > LINGER_BYTES_MAX {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut thrown_away);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.lingered += buffer.filled().len(),
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
