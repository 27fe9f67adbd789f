//! What is around every page: where one is, where one may go, who one is. What a role may not do is not shown.

use crate::done::Done;
use crate::failure::Failure;
use crate::visitor::{Known, Theme, Visitor};
use crate::words::Refused;
use crate::{asset, form};
use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse as _, Response};
use domain::{Capability, Role};

/// Nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// A link of the navigation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub to: String,
    pub text: &'static str,
    pub is_current: bool,
}

/// Links that belong together; the first group has no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub name: &'static str,
    pub links: Vec<Link>,
}

/// The frame of one page.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub title: String,
    /// Empty if nobody is signed in.
    pub user: String,
    pub theme: Theme,
    /// What forms carry.
    pub proof: String,
    pub groups: Vec<Group>,
    /// The account that the page is about.
    pub account: Option<Known>,
    /// Whether there are others to go to.
    pub has_other_accounts: bool,
    /// What was just done.
    pub done: Option<&'static str>,
}

impl Frame {
    /// For who is not signed in.
    pub(crate) fn outside(title: &str, theme: Theme) -> Self {
        let (user, proof) = (String::new(), String::new());
        let (title, groups, account) = (title.to_owned(), Vec::new(), None);
        Self { title, user, theme, proof, groups, account, has_other_accounts: false, done: None }
    }

    /// A page that is about no account; `current` is the address of its link.
    pub(crate) fn of(visitor: &Visitor, title: &str, current: &str) -> Self {
        Self::made(visitor, title, current, None)
    }

    /// A page about an account.
    pub(crate) fn of_account(visitor: &Visitor, title: &str, current: &str, account: Known) -> Self {
        Self::made(visitor, title, current, Some(account))
    }

    fn made(visitor: &Visitor, title: &str, current: &str, account: Option<Known>) -> Self {
        let reads_all = visitor.may(Capability::ReadEverything);
        // Who has one account only is always in it.
        let account = account.or_else(|| match visitor.accounts.as_slice() {
            [only] if !reads_all => Some(only.clone()),
            _ => None,
        });
        let groups = groups(visitor, account.as_ref(), current);
        Self {
            title: title.to_owned(),
            user: visitor.name.clone(),
            theme: visitor.theme,
            proof: visitor.proof(),
            groups,
            account,
            has_other_accounts: reads_all || visitor.accounts.len() > 1,
            done: visitor.done.map(Done::sentence),
        }
    }

    #[expect(clippy::unused_self, reason = "templates reach functions through values")]
    pub(crate) fn asset(&self, name: &str) -> &'static str {
        asset::address(name)
    }

    /// A value that no form carried before: it makes sending the form twice one change.
    #[expect(clippy::unused_self, reason = "templates reach functions through values")]
    pub(crate) fn once(&self) -> String {
        form::once()
    }
}

/// Where this visitor may go.
fn groups(visitor: &Visitor, account: Option<&Known>, current: &str) -> Vec<Group> {
    let link = |to: String, text| Link { is_current: to == current, to, text };
    let of = |to: &str, text| link(to.to_owned(), text);
    let mut groups = Vec::new();
    if let Some(account) = account {
        let in_account = |place: &str, text| link(format!("/ui/account/{}{place}", account.id.0), text);
        let mut links = vec![
            in_account("", "Overview"),
            in_account("/certificates", "Certificates"),
            in_account("/devices", "Devices"),
            in_account("/orders", "Standing orders"),
            in_account("/whitelist", "Whitelist"),
            in_account("/activity", "Activity"),
        ];
        let has_storage = |known: &Known| known.id == account.id && known.has_storage;
        if account.has_storage || visitor.accounts.iter().any(has_storage) {
            links.insert(3, in_account("/storage", "Storage"));
        }
        groups.push(Group { name: "This account", links });
    }
    let mut work = vec![of("/ui/accounts", "Accounts")];
    if visitor.may(Capability::ReadDevices) {
        work.push(of("/ui/devices", "Devices"));
    }
    if visitor.may(Capability::SubmitReadings) || visitor.has_role(Role::ProductionUser) {
        work.push(of("/ui/readings", "Readings"));
    }
    if visitor.may(Capability::Issue) {
        work.push(of("/ui/issue", "Issue"));
    }
    work.push(of("/ui/activity", "Activity"));
    if visitor.may(Capability::ReadEverything) {
        work.push(of("/ui/audit", "Audit"));
    }
    if visitor.may(Capability::ManageUsers) {
        work.push(of("/ui/admin", "Administration"));
    }
    work.push(of("/ui/help", "Help"));
    groups.push(Group { name: "Registry", links: work });
    groups
}

/// The response of a page.
///
/// # Errors
/// [`Failure::Ours`] if the page cannot be made.
pub(crate) fn show(page: &impl Template) -> Result<Response, Failure> {
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be made");
        Failure::Ours
    })?;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        // Where a form comes from is told to these pages, and to nobody else: it shows whether TLS is spoken.
        (REFERRER_POLICY, "same-origin"),
    ];
    Ok((headers, html).into_response())
}

/// As [`show`], of a page that says why what was asked for was refused.
///
/// # Errors
/// As [`show`].
pub(crate) fn show_refused(page: &impl Template, refused: &Refused) -> Result<Response, Failure> {
    let mut response = show(page)?;
    *response.status_mut() = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    Ok(response)
}
