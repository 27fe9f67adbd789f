//! What a visitor is told where a page cannot be shown, in the frame of every page.
//!
//! A handler's failure travels to [`framed`] as a note on the response, which knows who looks; a part of a page that was
//! asked for alone is told as a part.

use crate::Ui;
use crate::done::take_away;
use crate::frame::{Frame, show};
use crate::visitor::{Visitor, theme_of};
use crate::words::Refused;
use askama::Template;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

/// Says that a part of a page is asked for, by a script.
const PART: HeaderName = HeaderName::from_static("hx-request");
/// Has the script lead the whole page elsewhere.
const LEAD: HeaderName = HeaderName::from_static("hx-redirect");

/// Why a page cannot be shown.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Nobody is signed in; `next` is where they wanted to go.
    SignIn {
        next: Option<String>,
    },
    NoSuchPage,
    MethodNotAllowed,
    /// The form is not one that this visitor was shown.
    Forged,
    TooLarge,
    TooSlow,
    /// By an operation or a read.
    Refused(Box<Refused>),
    /// A page could not be made.
    Ours,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<app::Error> for Failure {
    fn from(error: app::Error) -> Self {
        Refused::from(error).into()
    }
}

impl Failure {
    /// For a page that is not for this visitor.
    pub(crate) fn forbidden(needs: &str) -> Self {
        let refusal = domain::Refusal::Forbidden { needs: needs.to_owned() };
        app::Error::Refused(refusal).into()
    }

    /// Whether the session's token is good no more.
    pub(crate) fn is_unknown_visitor(&self) -> bool {
        matches!(self, Self::Refused(refused) if refused.status == StatusCode::UNAUTHORIZED.as_u16())
    }

    fn told(self) -> Told {
        let (status, title, detail) = match self {
            // Nobody is told this; they are led to where they can sign in.
            Self::SignIn { .. } => (StatusCode::UNAUTHORIZED, "Sign in first", String::new()),
            Self::NoSuchPage => (StatusCode::NOT_FOUND, "No such page", "There is nothing at this address.".to_owned()),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Not like this",
                "The address is there, and is not asked in this way.".to_owned(),
            ),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "The form is out of date",
                "It was not made for this session. Nothing was changed: go back, load the page again and send it again."
                    .to_owned(),
            ),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "Too large", "The form is larger than forms may be.".to_owned())
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "Too slow", "The form did not arrive in time.".to_owned()),
            Self::Refused(refused) => {
                let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let faults = refused.faults.iter().map(|fault| format!("{}: {}", fault.label, fault.what));
                let lines: Vec<String> = std::iter::once(refused.detail.clone()).chain(faults).collect();
                return Told { status, title: refused.title.clone(), lines };
            }
            Self::Ours => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something is wrong here",
                "The page could not be made. The registry's log says more.".to_owned(),
            ),
        };
        Told { status, title: title.to_owned(), lines: vec![detail] }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if let Self::SignIn { next } = &self {
            return Redirect::to(&sign_in_address(next.as_deref())).into_response();
        }
        let told = self.told();
        let mut response = told.status.into_response();
        response.extensions_mut().insert(told);
        response
    }
}

/// Where to sign in, and then to go on. A form is lost with its session, and that is told.
fn sign_in_address(next: Option<&str>) -> String {
    let mut made = form_urlencoded::Serializer::new(String::new());
    match next {
        Some("/ui") => "/ui/sign-in".to_owned(),
        Some(next) => format!("/ui/sign-in?{}", made.append_pair("next", next).finish()),
        None => "/ui/sign-in?lost=1".to_owned(),
    }
}

/// Whether a part of a page is asked for alone.
pub(crate) fn is_part(headers: &HeaderMap) -> bool {
    headers.contains_key(PART)
}

/// What is to be told of a failure.
#[derive(Clone)]
struct Told {
    status: StatusCode,
    title: String,
    lines: Vec<String>,
}

#[derive(Template)]
#[template(path = "failure.html")]
struct Page {
    frame: Frame,
    told: Told,
}

#[derive(Template)]
#[template(path = "failure_part.html")]
struct Part {
    told: Told,
}

/// Puts failures into the frame of a page.
pub(crate) async fn framed(State(ui): State<Ui>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let is_part = is_part(&parts.headers);
    let mut response = next.run(Request::from_parts(parts.clone(), body)).await;
    if !is_part {
        take_away(&parts.headers, &mut response);
    }
    if is_part && response.status() == StatusCode::SEE_OTHER {
        return led(&response);
    }
    let Some(told) = response.extensions().get::<Told>().cloned() else { return response };
    let status = told.status;
    let made = if is_part {
        show(&Part { told })
    } else {
        let title = told.title.clone();
        let frame = match Visitor::from_request_parts(&mut parts, &ui).await {
            Ok(visitor) => Frame::of(&visitor, &title, ""),
            Err(_) => Frame::outside(&title, theme_of(&parts.headers)),
        };
        show(&Page { frame, told })
    };
    match made {
        Ok(mut page) => {
            *page.status_mut() = status;
            if !is_part {
                take_away(&parts.headers, &mut page);
            }
            page
        }
        Err(_) => status.into_response(),
    }
}

/// A script follows redirects unseen; this leads the whole page.
fn led(response: &Response) -> Response {
    let mut made = StatusCode::OK.into_response();
    let to = response.headers().get(axum::http::header::LOCATION).cloned();
    made.headers_mut().insert(LEAD, to.unwrap_or(HeaderValue::from_static("/ui")));
    for cookie in response.headers().get_all(axum::http::header::SET_COOKIE) {
        made.headers_mut().append(axum::http::header::SET_COOKIE, cookie.clone());
    }
    made
}
