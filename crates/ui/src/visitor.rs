//! Who looks at a page: somebody whose browser shows the cookie of a session.
//!
//! The cookie holds the session's token and counts here only. Beside it the browser carries the event number that the
//! visitor's last change reached, so that no page is older than what its visitor did, and the theme.

use crate::done::Done;
use crate::limits::COOKIE_CHARS_MAX;
use crate::{Failure, Ui};
use app::{AccountView, Caller, Receiver, UserView};
use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header::{COOKIE, ORIGIN, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{AccountId, Capability, EventNumber, Role};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

const SESSION: &str = "granary_session";
const EVENT: &str = "granary_event";
const THEME: &str = "granary_theme";
/// A year.
const THEME_KEPT_SECONDS: u32 = 31_536_000;
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How pages look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system says.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }
}

/// An account by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub id: AccountId,
    pub name: String,
    /// Whether it is known to have storage.
    pub has_storage: bool,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub caller: Caller,
    pub name: String,
    /// The accounts that they belong to.
    pub accounts: Vec<Known>,
    pub theme: Theme,
    /// What their last change reached.
    pub fresh: Option<EventNumber>,
    /// What it was, if no page has said it yet.
    pub done: Option<Done>,
    token: String,
}

impl FromRequestParts<Ui> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, ui: &Ui) -> Result<Self, Failure> {
        let next = if parts.method == Method::GET { address_of(parts) } else { None };
        let Some(token) = cookie(&parts.headers, SESSION).map(str::to_owned) else {
            return Err(Failure::SignIn { next });
        };
        let fresh = cookie(&parts.headers, EVENT).and_then(|number| number.parse().ok()).map(EventNumber);
        let theme = theme_of(&parts.headers);
        let done = Done::of(&parts.headers);
        let found = ui
            .blocking(move |registry| {
                let caller = registry.authenticate(&token)?;
                // An API key is for programs.
                if caller.scopes.is_some() {
                    return Err(app::Error::NoToken);
                }
                let fresh = fresh.filter(|fresh| *fresh <= *registry.reached().borrow());
                let name = match registry.user(&caller, caller.user_id, fresh)? {
                    UserView::Whole { user, .. } => user.name,
                    UserView::Name { name, .. } => name,
                };
                let accounts = registry.own_accounts(&caller, fresh)?.into_iter().map(Known::of).collect();
                Ok(Self { caller, name, accounts, theme, fresh, done, token })
            })
            .await;
        found.map_err(|failure| if failure.is_unknown_visitor() { Failure::SignIn { next } } else { failure })
    }
}

impl Known {
    pub(crate) fn of(view: AccountView) -> Self {
        Self { has_storage: view.has_storage, ..Self::named(view.account.id, view.account.name) }
    }

    /// One that may be sent to, with whose it is.
    pub(crate) fn receiver(receiver: Receiver) -> Self {
        let Receiver { account, organisation } = receiver;
        let named = match organisation.filter(|name| *name != account.name) {
            Some(organisation) => format!("{} ({organisation})", account.name),
            None => account.name,
        };
        Self::named(account.id, named)
    }

    /// One of which no more is known than what it is called.
    pub(crate) fn named(id: AccountId, name: String) -> Self {
        Self { id, name, has_storage: false }
    }
}

impl Visitor {
    /// What every form of this visitor carries, and no form of somebody else.
    pub(crate) fn proof(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"a form of this session\0");
        hash.update(self.token.as_bytes());
        URL_SAFE_NO_PAD.encode(hash.finalize())
    }

    pub(crate) fn has_proof(&self, given: &str) -> bool {
        self.proof().as_bytes().ct_eq(given.as_bytes()).into()
    }

    pub(crate) fn may(&self, capability: Capability) -> bool {
        let is_member = capability.account().is_some_and(|account| self.belongs_to(account));
        capability.granted(self.caller.roles, is_member)
    }

    pub(crate) fn belongs_to(&self, account: AccountId) -> bool {
        self.accounts.iter().any(|known| known.id == account)
    }

    pub(crate) fn has_role(&self, role: Role) -> bool {
        self.caller.roles.contains(role)
    }
}

/// Leads on after a change, which no page that follows is older than.
pub(crate) fn changed(event: Option<i64>, to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    reached(&mut response, event);
    response
}

/// Says beside a page that a change was made, as [`changed`] does beside the way on.
pub(crate) fn reached(response: &mut Response, event: Option<i64>) {
    if let Some(event) = event {
        set_cookie(response, &format!("{EVENT}={event}; HttpOnly; SameSite=Lax; Path=/ui"));
    }
}

/// Opens the session of a token in the browser, or, without one, ends it.
pub(crate) fn set_session(response: &mut Response, token: Option<&str>, headers: &HeaderMap) {
    // Over TLS the browser says so itself. The registry may stand behind what takes TLS for it.
    let is_secure = headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https:"));
    let secure = if is_secure { "; Secure" } else { "" };
    set_cookie(
        response,
        &match token {
            Some(token) => format!("{SESSION}={token}; HttpOnly; SameSite=Lax; Path=/ui{secure}"),
            None => format!("{SESSION}=; HttpOnly; SameSite=Lax; Path=/ui; Max-Age=0{secure}"),
        },
    );
    // A number of another session, perhaps of another registry, says nothing here.
    set_cookie(response, &format!("{EVENT}=; HttpOnly; SameSite=Lax; Path=/ui; Max-Age=0"));
}

pub(crate) fn set_theme(response: &mut Response, theme: Theme) {
    let (name, kept) = (theme.name(), THEME_KEPT_SECONDS);
    set_cookie(response, &format!("{THEME}={name}; HttpOnly; SameSite=Lax; Path=/ui; Max-Age={kept}"));
}

pub(crate) fn theme_of(headers: &HeaderMap) -> Theme {
    cookie(headers, THEME).and_then(Theme::parse).unwrap_or_default()
}

/// Whether another site made the browser ask. Browsers that do not tell are judged by where the page was from.
pub(crate) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()) else { return false };
    let host = headers.get(axum::http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    origin.split_once("://").is_none_or(|(_, from)| from != host)
}

pub(crate) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(of, _)| *of == name)?;
    (!value.is_empty() && value.len() <= COOKIE_CHARS_MAX).then_some(value)
}

/// The address as the browser asked for it.
fn address_of(parts: &Parts) -> Option<String> {
    let OriginalUri(uri) = parts.extensions.get::<OriginalUri>()?;
    uri.path_and_query().map(|address| address.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let of = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
        };
        pairs.iter().map(of).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let given = headers(&[("cookie", "a=1; granary_session=token; granary_theme=dark")]);
        assert_eq!((cookie(&given, SESSION), theme_of(&given)), (Some("token"), Theme::Dark));
        assert_eq!(cookie(&headers(&[("cookie", "granary_session=; b")]), SESSION), None);
        let long = format!("granary_session={}", "x".repeat(COOKIE_CHARS_MAX + 1));
        assert_eq!(cookie(&headers(&[("cookie", &long)]), SESSION), None);
        assert_eq!(theme_of(&headers(&[("cookie", "granary_theme=pink")])), Theme::System);
    }

    #[test]
    fn what_another_site_made_the_browser_ask_is_known() {
        for (given, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-site"), ("origin", "http://a"), ("host", "a")], true),
            (&[("origin", "http://a:1"), ("host", "a:1")], false),
            (&[("origin", "https://b"), ("host", "a")], true),
            (&[("origin", "null"), ("host", "a")], true),
            (&[], false),
        ] {
            assert_eq!(is_from_elsewhere(&headers(given)), expected, "{given:?}");
        }
    }
}
