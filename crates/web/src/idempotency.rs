//! `Idempotency-Key` around the handlers, which know nothing of it.
//!
//! A request with a key is read to its end first, for its hash; then it is answered from the record, refused, or carried
//! out with a ticket that goes with the caller into the queue. The answer is kept before it goes out. A body of readings
//! that is larger than other bodies may be is hashed as it streams by, and only its answer is kept.
//!
//! Kept are successes and what a rule refuses (400, 404, 409); all else says nothing of the request for good, and the key
//! stays free.

use crate::body::{Bounded, Cut, whole};
use crate::caller::{Caller, EVENT, Recognised};
use crate::json::{Fault, Place};
use crate::problem::Error;
use crate::{App, Limits};
use app::{Entered, KEPT_ANSWER_BYTES_MAX, KEY_CHARS_MAX, Kept, KeptAnswer, RequestHash, Ticket};
use axum::body::Body;
use axum::extract::{FromRequestParts as _, MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Operations that change nothing although they are asked with POST: a key says nothing there.
const QUERIES: &[&str] = &["/certificate/query", "/storage/query_scr", "/storage/query_sdr"];
/// Operations whose bodies are streams.
const STREAMED: &[&str] = &["/measurement/submit_readings"];

/// Whether a key means something to an operation; `path` as it is registered.
pub(crate) fn is_meant(method: &str, path: &str) -> bool {
    matches!(method, "POST" | "PATCH" | "PUT" | "DELETE") && !path.starts_with("/auth/") && !QUERIES.contains(&path)
}

/// To be put around the routes of the API.
pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    match path.filter(|path| is_meant(request.method().as_str(), path)) {
        None => next.run(request).await,
        Some(path) => with_key(&app, &path, request, next).await.unwrap_or_else(Error::into_response),
    }
}

async fn with_key(app: &App, path: &str, request: Request, next: Next) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    // Who is not known or not allowed hears nothing of keys.
    let Caller(mut caller) = Caller::from_request_parts(&mut parts, app).await?;
    let key = key_of(&parts.headers)?;
    let entered = Arc::new(app.registry.enter(&caller, parts.method.as_str(), parts.uri.path(), key)?);
    let hash = RequestHash::new(parts.uri.query());
    let taken = if STREAMED.contains(&path) {
        Taken::of_stream(body, app.limits, hash).await?
    } else {
        Taken::whole(whole(body, app.limits.body_bytes_max, app.limits.body_idle).await?, hash)
    };
    let kept = {
        let entered = entered.clone();
        app.blocking(move |registry| registry.kept(&entered)).await?
    };
    if let Some(kept) = kept
        && let Some(answer) = replayed(kept, &taken).await?
    {
        return Ok(answer);
    }
    let ticket = taken.hash().map(|hash| entered.ticket(hash));
    caller.ticket.clone_from(&ticket);
    parts.extensions.insert(Recognised(caller));
    let response = next.run(Request::from_parts(parts, taken.body())).await;
    keep(app, entered, taken, ticket, response).await
}

/// The one key of a request.
fn key_of(headers: &HeaderMap) -> Result<&str, Error> {
    let mut given = headers.get_all(KEY).iter();
    let key = given.next().and_then(|value| value.to_str().ok()).filter(|_| given.next().is_none());
    let is_key =
        |key: &&str| (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    key.filter(is_key).ok_or_else(|| {
        Error::Faults(vec![Fault {
            loc: ["header", "Idempotency-Key"].map(|name| Place::Name(name.to_owned())).to_vec(),
            msg: format!("Value error, give one key of 1 to {KEY_CHARS_MAX} visible ASCII characters"),
            r#type: "value_error",
        }])
    })
}

/// The answer on record, if the same request was answered. `None`: it is to be asked again.
async fn replayed(kept: Kept, taken: &Taken) -> Result<Option<Response>, Error> {
    if taken.finished().await? != kept.request_hash {
        return Err(app::Error::KeyReused.into());
    }
    Ok(kept.answer.map(|answer| {
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(of) = answer.content_type.and_then(|of| HeaderValue::try_from(of).ok()) {
            headers.insert(CONTENT_TYPE, of);
        }
        if let Some(event) = answer.event_number {
            headers.insert(EVENT, HeaderValue::from(event));
        }
        response
    }))
}

fn is_kept(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::CONFLICT)
}

/// Keeps what is worth it of a response, and gives it back.
async fn keep(
    app: &App,
    entered: Arc<Entered>,
    taken: Taken,
    ticket: Option<Arc<Ticket>>,
    response: Response,
) -> Result<Response, Error> {
    let is_small = response.body().size_hint().upper().is_some_and(|most| most <= KEPT_ANSWER_BYTES_MAX);
    if !is_kept(response.status()) || !is_small {
        return Ok(response);
    }
    // A body that broke off has no hash, and its answer is nobody's.
    let Ok(hash) = taken.finished().await else { return Ok(response) };
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|_| Error::NotRead)?.to_bytes();
    let answer = KeptAnswer {
        status: parts.status.as_u16(),
        content_type: parts.headers.get(CONTENT_TYPE).and_then(|of| of.to_str().ok()).map(str::to_owned),
        event_number: parts.headers.get(EVENT).and_then(|event| event.to_str().ok()?.parse().ok()),
        body: body.to_vec(),
    };
    let of_change = ticket.clone();
    let done = app.blocking(move |registry| registry.keep(&entered, hash, of_change.as_deref(), answer)).await;
    // What is on record has this answer made again. Without that, what was not kept is not told: the same request might
    // hear something else tomorrow.
    if let Err(error) = done {
        if !ticket.is_some_and(|ticket| ticket.is_recorded()) {
            return Err(error);
        }
        tracing::warn!(?error, "an answer was not kept; its outcome is on record");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// A body that was taken from the client, with its hash as far as that is known.
enum Taken {
    Whole { bytes: Bytes, hash: [u8; 32] },
    Stream(Arc<Mutex<Stream>>),
}

impl Taken {
    fn whole(bytes: Bytes, mut hash: RequestHash) -> Self {
        hash.body(&bytes);
        Self::Whole { bytes, hash: hash.finish() }
    }

    /// Reads as much as other bodies may have; what is longer streams.
    async fn of_stream(body: Body, limits: Limits, mut hash: RequestHash) -> Result<Self, Error> {
        let mut body = Bounded::new(body, limits.readings_bytes_max, limits.body_idle);
        let mut begun = BytesMut::new();
        while u64::try_from(begun.len()).unwrap_or(u64::MAX) <= limits.body_bytes_max {
            match body.frame().await {
                None => return Ok(Self::whole(begun.freeze(), hash)),
                Some(frame) => {
                    let frame = frame.map_err(Error::Cut)?;
                    if let Some(data) = frame.data_ref() {
                        begun.extend_from_slice(data);
                    }
                }
            }
        }
        hash.body(&begun);
        let stream = Stream { begun: Some(begun.freeze()), body, end: None, hash: Some(hash) };
        Ok(Self::Stream(Arc::new(Mutex::new(stream))))
    }

    /// The hash, unless the body is still to come.
    fn hash(&self) -> Option<[u8; 32]> {
        match self {
            Self::Whole { hash, .. } => Some(*hash),
            Self::Stream(_) => None,
        }
    }

    /// The body for the handler.
    fn body(&self) -> Body {
        match self {
            Self::Whole { bytes, .. } => Body::from(bytes.clone()),
            Self::Stream(stream) => Body::new(Shared(stream.clone())),
        }
    }

    /// The hash, after reading what the handler left.
    async fn finished(&self) -> Result<[u8; 32], Error> {
        let stream = match self {
            Self::Whole { hash, .. } => return Ok(*hash),
            Self::Stream(stream) => stream,
        };
        let mut rest = Shared(stream.clone());
        while let Some(frame) = rest.frame().await {
            frame.map_err(Error::Cut)?;
        }
        let end = stream.lock().unwrap_or_else(PoisonError::into_inner).end;
        match end {
            Some(Ended::Whole(hash)) => Ok(hash),
            Some(Ended::Cut(cut)) => Err(Error::Cut(cut)),
            None => Err(Error::NotRead),
        }
    }
}

/// The rest of a body, which the handler and after it the hash read.
struct Stream {
    begun: Option<Bytes>,
    body: Bounded,
    end: Option<Ended>,
    /// Until the end.
    hash: Option<RequestHash>,
}

#[derive(Clone, Copy)]
enum Ended {
    Whole([u8; 32]),
    Cut(Cut),
}

struct Shared(Arc<Mutex<Stream>>);

impl hyper::body::Body for Shared {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match stream.end {
            Some(Ended::Whole(_)) => return Poll::Ready(None),
            Some(Ended::Cut(cut)) => return Poll::Ready(Some(Err(cut))),
            None => {}
        }
        if let Some(begun) = stream.begun.take() {
            return Poll::Ready(Some(Ok(Frame::data(begun))));
        }
        let polled = Pin::new(&mut stream.body).poll_frame(cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => stream.end = stream.hash.take().map(|hash| Ended::Whole(hash.finish())),
            Poll::Ready(Some(Err(cut))) => stream.end = Some(Ended::Cut(*cut)),
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(data), Some(hash)) = (frame.data_ref(), stream.hash.as_mut()) {
                    hash.body(data);
                }
            }
        }
        polled
    }
}
