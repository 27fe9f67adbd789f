//! What a page says after a change that led to it: a word in a cookie, which the page takes away again.
//!
//! The cookie names one of the sentences here and holds no text, so that nobody can make a page say anything else.

use crate::visitor::{cookie, reached, set_cookie};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Redirect, Response};

const DONE: &str = "granary_done";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Created,
    Saved,
    Unchanged,
    Deleted,
    Registered,
    Approved,
    Corrected,
    Released,
    MaySend,
    MaySendNoMore,
    KeyDeleted,
}

impl Done {
    const ALL: [Self; 11] = [
        Self::Created,
        Self::Saved,
        Self::Unchanged,
        Self::Deleted,
        Self::Registered,
        Self::Approved,
        Self::Corrected,
        Self::Released,
        Self::MaySend,
        Self::MaySendNoMore,
        Self::KeyDeleted,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Saved => "saved",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Registered => "registered",
            Self::Approved => "approved",
            Self::Corrected => "corrected",
            Self::Released => "released",
            Self::MaySend => "may_send",
            Self::MaySendNoMore => "may_send_no_more",
            Self::KeyDeleted => "key_deleted",
        }
    }

    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Created => "Created. This is what was saved.",
            Self::Saved => "Saved.",
            Self::Unchanged => "Nothing was different, and nothing was changed.",
            Self::Deleted => "Deleted.",
            Self::Registered => "The device is registered. This is what was saved.",
            Self::Approved => "The device is approved.",
            Self::Corrected => "Corrected. This is the version that counts now.",
            Self::Released => "Released. It may be issued again.",
            Self::MaySend => "Saved. The account may send to this one now.",
            Self::MaySendNoMore => "Saved. The account may not send to this one any more.",
            Self::KeyDeleted => "The key is deleted and opens nothing any more.",
        }
    }

    /// What the last change of this browser was, if no page has said it yet.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let name = cookie(headers, DONE)?;
        Self::ALL.into_iter().find(|done| done.name() == name)
    }
}

/// Leads on after a change, to a page that says it and is no older.
pub(crate) fn done(event: Option<i64>, to: &str, done: Done) -> Response {
    let mut response = Redirect::to(to).into_response();
    reached(&mut response, event);
    set_cookie(&mut response, &format!("{DONE}={}; HttpOnly; SameSite=Lax; Path=/ui", done.name()));
    response
}

/// Takes the word away once a whole page has said it.
pub(crate) fn take_away(asked: &HeaderMap, response: &mut Response) {
    let is_page = response.headers().get(CONTENT_TYPE).is_some_and(|of| of.as_bytes().starts_with(b"text/html"));
    if is_page && cookie(asked, DONE).is_some() {
        set_cookie(response, &format!("{DONE}=; HttpOnly; SameSite=Lax; Path=/ui; Max-Age=0"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_what_stands_here_is_said() {
        let of = |cookie: String| {
            let mut headers = HeaderMap::new();
            headers.insert("cookie", HeaderValue::try_from(cookie).unwrap());
            Done::of(&headers)
        };
        for done in Done::ALL {
            assert_eq!(of(format!("{DONE}={}", done.name())), Some(done));
        }
        assert_eq!(of(format!("{DONE}=Transferred")), None);
    }
}
