//! The log as it grows: server-sent events.
//!
//! Invariants: no event is missed or told twice by who comes back with the last id it saw; who may see it is asked anew at
//! each look, so that a stream ends with its token; no more than one look's events are in memory for a client, who sets the
//! pace by reading; and a stream ends when the server stops.

use super::{EventBody, number};
use crate::caller::{Caller, Query, Read, Token};
use crate::json::{self, Fault, Fields};
use crate::limits::{STREAM_EVENTS_MAX, STREAM_FRAME_BYTES_MAX, STREAM_LOOK_AGAIN};
use crate::openapi::{ReadProblems, TooManyProblems};
use crate::places::Place;
use crate::{App, Error};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use domain::EventNumber;
use hyper::body::Frame;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(stream))
}

/// Where to begin, if that is told in the address.
struct StreamAsked(Option<EventNumber>);

impl Read for StreamAsked {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self(fields.optional("after", number)))
    }
}

/// Follow events
///
/// Server-sent events: the `id` of each is its number, its `data` the event as JSON. Begins with what happens from now on;
/// behind the event of the header `Last-Event-ID`, which a client that was cut off sends by itself, or else behind `after`.
/// What is ahead of the log is refused: it is not the log that the client saw. An `id` without data says how far the log was looked at. Those who may read everything see all events, without gaps,
/// others those of their bundles, devices and accounts and of their accounts' actions. Ends when the token does and when the
/// server stops. At most 8 for each user.
#[utoipa::path(
    get, path = "/event/stream", tag = "Events",
    params(
        ("after" = Option<i64>, Query, description = "Begin behind this event", minimum = 0),
        ("Last-Event-ID" = Option<i64>, Header, description = "Begin behind this event; goes before `after`", minimum = 0),
    ),
    responses(
        (status = 200, description = "Events as they happen, each as the data of a server-sent event", body = EventBody,
         content_type = "text/event-stream"),
        ReadProblems,
        TooManyProblems,
    ),
)]
async fn stream(
    State(app): State<App>,
    Caller(caller): Caller,
    Token(token): Token,
    Query(StreamAsked(after)): Query<StreamAsked>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let last_seen = last_event_id(&headers)?;
    let place = app.streams.take(caller.user_id)?;
    let reached = app.registry.reached();
    let end = app.blocking(app::Registry::health).await?.event_number;
    let position = last_seen.or(after).unwrap_or(end);
    if position > end {
        let loc = if last_seen.is_some() { ["header", "Last-Event-ID"] } else { ["query", "after"] };
        return Err(ahead(loc, end));
    }
    let feed = Feed { stopping: app.stopping.clone(), app, token, reached, position, said_at: None, place };
    let mut response = Response::new(Body::new(Growing { next: Some(Box::pin(feed.next())) }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that keeps answers until they are complete would keep this one for ever.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<EventNumber>, Error> {
    let Some(given) = headers.get(LAST_EVENT_ID).filter(|given| !given.is_empty()) else { return Ok(None) };
    let number = given.to_str().ok().and_then(|text| text.parse().ok()).filter(|number| *number >= 0);
    let number = number.ok_or_else(|| {
        Error::Faults(vec![Fault {
            loc: ["header", "Last-Event-ID"].map(|name| json::Place::Name(name.to_owned())).to_vec(),
            msg: "Input should be a valid integer, unable to parse string as an integer".to_owned(),
            r#type: "int_parsing",
        }])
    })?;
    Ok(Some(EventNumber(number)))
}

/// A log that is shorter than what a client saw is another one, and its events would pass unseen up to that number.
fn ahead(loc: [&str; 2], end: EventNumber) -> Error {
    Error::Faults(vec![Fault {
        loc: loc.map(|name| json::Place::Name(name.to_owned())).to_vec(),
        msg: format!("Value error, it is ahead of the log, which ends with event {end}; begin without it"),
        r#type: "value_error",
    }])
}

/// A piece of a stream that is being waited for, and what makes the one behind it.
type Piece = Pin<Box<dyn Future<Output = Option<(Feed, Bytes)>> + Send>>;

/// A body that is made piece by piece, each when the one before is on its way.
struct Growing {
    next: Option<Piece>,
}

impl hyper::body::Body for Growing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = self.next.as_mut() else { return Poll::Ready(None) };
        let made = ready!(next.as_mut().poll(cx));
        let (next, frame) = match made {
            Some((feed, bytes)) => (Some(feed), Some(Ok(Frame::data(bytes)))),
            None => (None, None),
        };
        self.next = next.map(|feed| -> Piece { Box::pin(feed.next()) });
        Poll::Ready(frame)
    }
}

/// What one stream is at.
struct Feed {
    app: App,
    token: String,
    reached: watch::Receiver<EventNumber>,
    stopping: watch::Receiver<bool>,
    /// Everything up to this event was told, or is not the caller's business.
    position: EventNumber,
    /// When the client last heard something; `None` before the first time.
    said_at: Option<Instant>,
    #[expect(dead_code, reason = "held while the stream is open")]
    place: Place,
}

impl Feed {
    /// The next piece of the stream; `None` at its end.
    async fn next(mut self) -> Option<(Self, Bytes)> {
        loop {
            if *self.stopping.borrow() {
                return None;
            }
            let has_more = match self.look().await? {
                Look::Said(text) => return Some(self.said(text)),
                Look::Nothing { has_more } => has_more,
            };
            let is_due = self.said_at.is_none_or(|at| at.elapsed() >= self.app.limits.stream_heartbeat);
            if is_due {
                // Also tells how far the log was looked at, so that who is cut off now comes back to here.
                let text = format!(": alive\nid: {}\n\n", self.position);
                return Some(self.said(text));
            }
            if has_more {
                continue;
            }
            tokio::select! {
                biased;
                told = self.stopping.wait_for(|is_stopping| *is_stopping) => {
                    drop(told);
                    return None;
                }
                changed = self.reached.changed() => changed.ok()?,
                // Another process may have written, and the token may be over.
                () = tokio::time::sleep(STREAM_LOOK_AGAIN) => {}
            }
        }
    }

    fn said(mut self, text: String) -> (Self, Bytes) {
        self.said_at = Some(Instant::now());
        (self, Bytes::from(text))
    }

    /// Looks at the log behind the position. `None` ends the stream: the token is over, or the database is away; the
    /// client comes back with the last id it saw.
    async fn look(&mut self) -> Option<Look> {
        let (token, after) = (self.token.clone(), self.position);
        let fresh = Some(*self.reached.borrow_and_update());
        let looked = self.app.blocking(move |registry| {
            let caller = registry.authenticate(&token)?;
            let page = registry.events_after(&caller, after, STREAM_EVENTS_MAX, fresh)?;
            write(&page, after)
        });
        let (text, position, has_more) = looked.await.ok()?;
        self.position = position;
        Some(if text.is_empty() { Look::Nothing { has_more } } else { Look::Said(text) })
    }
}

enum Look {
    Said(String),
    Nothing { has_more: bool },
}

/// The events as they go out, how far they reach, and whether there is more; as many as fit into one piece.
fn write(page: &app::EventPage, after: EventNumber) -> Result<(String, EventNumber, bool), app::Error> {
    let mut text = String::new();
    for event in &page.events {
        let json = serde_json::to_string(&EventBody::from(event)).map_err(|error| {
            tracing::error!(%error, "an event cannot be written");
            app::Error::Internal
        })?;
        write!(text, "id: {}\ndata: {json}\n\n", event.number).map_err(|_| app::Error::Internal)?;
        if text.len() >= STREAM_FRAME_BYTES_MAX {
            return Ok((text, event.number, true));
        }
    }
    Ok((text, page.through.unwrap_or(after).max(after), page.has_more))
}
