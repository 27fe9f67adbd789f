//! Signing in and out, and the theme.

use crate::Ui;
use crate::failure::Failure;
use crate::form::{self, Form, Parameters};
use crate::frame::{Frame, show};
use crate::limits::NEXT_CHARS_MAX;
use crate::visitor::{self, Theme, Visitor, is_from_elsewhere, theme_of};
use crate::words::Refused;
use app::Credentials;
use askama::Template;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::REFERER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use std::net::SocketAddr;

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/", get(start))
        .route("/sign-in", get(ask).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/theme", post(theme))
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    frame: Frame,
    name: String,
    next: String,
    /// What has happened to the session before.
    told: Option<&'static str>,
    refused: Option<Refused>,
}

/// To the one account that the visitor has, or to choose one.
async fn start(visitor: Visitor) -> Redirect {
    match visitor.accounts.as_slice() {
        [only] if !visitor.may(domain::Capability::ReadEverything) => {
            Redirect::to(&format!("/ui/account/{}", only.id.0))
        }
        // Whose work is with devices has no accounts to choose from.
        [] if visitor.may(domain::Capability::ReadDevices) && !visitor.may(domain::Capability::ReadEverything) => {
            Redirect::to("/ui/devices")
        }
        _ => Redirect::to("/ui/accounts"),
    }
}

async fn ask(Parameters(fields): Parameters, headers: HeaderMap) -> Result<Response, Failure> {
    let next = fields.get("next").filter(|next| is_of_ours(next)).unwrap_or_default().to_owned();
    let told = match (fields.get("out"), fields.get("lost")) {
        (Some(_), _) => Some("You are signed out."),
        (None, Some(_)) => {
            Some("Your session had ended: the form was not used and nothing was changed. Sign in and send it again.")
        }
        (None, None) => None,
    };
    let frame = Frame::outside("Sign in", theme_of(&headers));
    show(&Page { frame, name: String::new(), next, told, refused: None })
}

/// No form of a session carries a proof yet, so where the request comes from decides.
async fn sign_in(State(ui): State<Ui>, request: Request) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    if is_from_elsewhere(&headers) {
        return Err(Failure::Forged);
    }
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = peer.map_or_else(|| "unknown".to_owned(), |ConnectInfo(peer)| peer.ip().to_string());
    let fields = form::read(request).await?;
    let name = fields.get("username").unwrap_or_default().to_owned();
    let password = fields.exact("password").unwrap_or_default().to_owned();
    let next = fields.get("next").filter(|next| is_of_ours(next)).unwrap_or_default().to_owned();
    let credentials = Credentials { name: name.clone(), password, address };
    match ui.blocking(move |registry| registry.sign_in(&credentials)).await {
        Ok(signed_in) => {
            let mut response = Redirect::to(if next.is_empty() { "/ui" } else { &next }).into_response();
            visitor::set_session(&mut response, Some(&signed_in.token), &headers);
            Ok(response)
        }
        Err(Failure::Refused(refused)) => {
            let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let frame = Frame::outside("Sign in", theme_of(&headers));
            let page = show(&Page { frame, name, next, told: None, refused: Some(*refused) })?;
            Ok((status, page).into_response())
        }
        Err(failure) => Err(failure),
    }
}

async fn sign_out(State(ui): State<Ui>, headers: HeaderMap, form: Form) -> Result<Response, Failure> {
    let caller = form.visitor.caller;
    ui.blocking(move |registry| registry.sign_out(&caller)).await?;
    let mut response = Redirect::to("/ui/sign-in?out=1").into_response();
    visitor::set_session(&mut response, None, &headers);
    Ok(response)
}

async fn theme(headers: HeaderMap, form: Form) -> Response {
    let from = headers.get(REFERER).and_then(|from| from.to_str().ok()).and_then(|from| from.split_once("/ui"));
    // The browser tells no page where no-referrer is said; the start is as good.
    let back = from.map(|(_, rest)| format!("/ui{rest}")).filter(|back| is_of_ours(back));
    let mut response = Redirect::to(back.as_deref().unwrap_or("/ui")).into_response();
    if let Some(theme) = form.fields.get("theme").and_then(Theme::parse) {
        visitor::set_theme(&mut response, theme);
    }
    response
}

/// Whether an address is one of these pages, and no trick to leave them.
fn is_of_ours(address: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_graphic() && c != '\\';
    let rest = address.strip_prefix("/ui");
    address.len() <= NEXT_CHARS_MAX
        && address.chars().all(is_plain)
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_leads_to_pages_of_ours_only() {
        for (address, expected) in [
            ("/ui", true),
            ("/ui/account/1?status=Active", true),
            ("/ui?x=1", true),
            ("/uix", false),
            ("//evil.example", false),
            ("/docs", false),
            ("https://evil.example/ui", false),
            ("/ui/\\evil", false),
            ("/ui/\r\nSet-Cookie: a=b", false),
            ("", false),
        ] {
            assert_eq!(is_of_ours(address), expected, "{address:?}");
        }
    }
}
