//! A file that a visitor sends in a form, on its way to an operation of the API.
//!
//! Invariants: nothing is taken before the visitor's proof, which is the first part of the form; and however large the file
//! is, no more of it is held than what is on its way.

use crate::api::Api;
use crate::form::{Fields, PROOF};
use crate::limits::{FORM_ARRIVES_IN, UPLOAD_BYTES_BEFORE_FILE_MAX, UPLOAD_FIELD_BYTES_MAX, UPLOAD_FIELDS_MAX};
use crate::visitor::{Visitor, is_from_elsewhere};
use crate::words::{Fault, Refused};
use crate::{Failure, Ui};
use axum::body::Body;
use axum::extract::multipart::Field;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts as _, Multipart, Request};
use axum::http::Method;
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use hyper::body::Frame;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use web::Answered;

/// The name of the part that is the file.
const FILE: &str = "file";

/// An upload of this visitor, read as far as its proof.
pub(crate) struct Upload {
    pub visitor: Visitor,
    multipart: Multipart,
    /// What the parts before the file may still have.
    left: Arc<AtomicUsize>,
}

/// What an operation said of a file, and the fields before it.
pub(crate) struct Uploaded {
    pub fields: Fields,
    pub said: Result<Answered, Refused>,
}

impl FromRequest<Ui> for Upload {
    type Rejection = Failure;

    async fn from_request(request: Request, ui: &Ui) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, ui).await?;
        if is_from_elsewhere(&parts.headers) {
            return Err(Failure::Forged);
        }
        let left = Arc::new(AtomicUsize::new(UPLOAD_BYTES_BEFORE_FILE_MAX));
        let paced = Paced { inner: body, left: left.clone(), is_next: true };
        let mut request = Request::from_parts(parts, Body::new(paced));
        // The operation that takes the file has a limit of its own.
        DefaultBodyLimit::disable().apply(&mut request);
        let mut multipart = Multipart::from_request(request, &()).await.map_err(|_| Failure::Forged)?;
        let first = in_time(async {
            let Some(field) = multipart.next_field().await.map_err(|_| Failure::Forged)? else { return Ok(None) };
            if field.name() == Some(PROOF) { text(field).await.map(Some) } else { Ok(None) }
        })
        .await?;
        if first.is_some_and(|proof| visitor.has_proof(&proof)) {
            Ok(Self { visitor, multipart, left })
        } else {
            Err(Failure::Forged)
        }
    }
}

impl Upload {
    /// Sends the file to the operation whose address the fields before it make.
    pub(crate) async fn send(
        self,
        ui: &Ui,
        method: Method,
        address: impl FnOnce(&Fields) -> String,
    ) -> Result<Uploaded, Failure> {
        let Self { visitor, mut multipart, left } = self;
        let mut fields = Vec::new();
        while let Some(field) = in_time(next(&mut multipart)).await? {
            if field.name() != Some(FILE) {
                let name = field.name().unwrap_or_default().to_owned();
                fields.push((name, in_time(text(field)).await?));
                if fields.len() > UPLOAD_FIELDS_MAX {
                    return Err(Failure::TooLarge);
                }
                continue;
            }
            left.store(usize::MAX, Ordering::Relaxed);
            let fields: Fields = fields.into_iter().collect();
            let (sender, body) = Channel::new(1);
            let mut request = Request::new(Body::new(body));
            *request.method_mut() = method;
            let address = address(&fields);
            *request.uri_mut() = address.parse().map_err(|_| Failure::NoSuchPage)?;
            let said = both(ui.api.send(&visitor.caller, request), pass_on(field, sender)).await;
            return Ok(Uploaded { fields, said: Api::answered(&address, said).await });
        }
        let refused = Refused::of_fields("Nothing was sent", vec![Fault::of(FILE, "Choose a file")]);
        Ok(Uploaded { fields: fields.into_iter().collect(), said: Err(refused) })
    }
}

async fn in_time<T>(reading: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(FORM_ARRIVES_IN, reading).await.unwrap_or(Err(Failure::TooSlow))
}

async fn next(multipart: &mut Multipart) -> Result<Option<Field<'_>>, Failure> {
    multipart.next_field().await.map_err(|_| Failure::TooLarge)
}

/// A short text.
async fn text(mut field: Field<'_>) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(|_| Failure::TooLarge)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > UPLOAD_FIELD_BYTES_MAX {
            return Err(Failure::TooLarge);
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Does both until the first is done: whoever takes the file may have enough of it before its end.
async fn both<T>(first: impl Future<Output = T>, second: impl Future<Output = ()>) -> T {
    tokio::pin!(first, second);
    tokio::select! {
        done = &mut first => return done,
        () = &mut second => {}
    }
    first.await
}

/// Passes a file on piece by piece. One that breaks off has no end on the other side either.
async fn pass_on(mut field: Field<'_>, mut sender: Sender<Bytes, axum::Error>) {
    loop {
        match field.chunk().await {
            Ok(Some(piece)) => {
                if sender.send_data(piece).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => return sender.abort(axum::Error::new(error)),
        }
    }
}

/// A body that is handed over one piece at a time: the reader of forms would else take all that has arrived. What comes
/// before the file is bounded.
struct Paced {
    inner: Body,
    left: Arc<AtomicUsize>,
    is_next: bool,
}

impl hyper::body::Body for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_next = !self.is_next;
        if self.is_next {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            self.is_next = true;
            return Poll::Pending;
        };
        let length = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref().map(Bytes::len)).unwrap_or(0);
        let left = self.left.load(Ordering::Relaxed);
        if length > left {
            return Poll::Ready(Some(Err(axum::Error::new("what comes before the file is too long"))));
        }
        if left != usize::MAX {
            self.left.store(left - length, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }
}
