//! Which scope an API key needs for each operation. Invariant: deny by default; what has no row is refused to every key.
//!
//! A session needs none of this: what a user may do is decided by roles, and for keys by both. The table is checked where
//! a caller is recognised, so that no handler can forget it, and a test compares it with the document of the API.

use crate::problem::Error;
use axum::http::Method;
use domain::{Scope, Scopes};

/// What it takes, beside the owner's roles, to call an operation with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needed {
    Scope(Scope),
    /// Any key is good for it.
    Any,
    /// No key is good for it: a key must not make keys or outlive what it was made with.
    Session,
}

use Needed::{Any, Session};

const READ: Needed = Needed::Scope(Scope::Read);
const TRADE: Needed = Needed::Scope(Scope::Trade);
const REGISTER: Needed = Needed::Scope(Scope::Register);
const MEASURE: Needed = Needed::Scope(Scope::Measure);
const ISSUE: Needed = Needed::Scope(Scope::Issue);
const ADMIN: Needed = Needed::Scope(Scope::Admin);
const METRICS: Needed = Needed::Scope(Scope::Metrics);

/// Every operation that takes a caller; those that are open to everybody have no row.
#[rustfmt::skip]
const NEEDED: &[(&str, &str, Needed)] = &[
    ("POST", "/auth/logout", Any),
    ("POST", "/auth/change_password", Session),
    ("POST", "/auth/api_key/create", Session),
    ("GET", "/auth/api_key/list", Session),
    ("DELETE", "/auth/api_key/delete/{id}", Session),
    ("POST", "/user/create", ADMIN),
    ("GET", "/user/{id}", READ),
    ("GET", "/user/me", Any),
    ("GET", "/user/me/accounts", READ),
    ("GET", "/user/list", READ),
    ("PATCH", "/user/update/{id}", ADMIN),
    ("POST", "/user/change_role/{id}", ADMIN),
    ("DELETE", "/user/delete/{id}", ADMIN),
    ("POST", "/organisation/create", ADMIN),
    ("GET", "/organisation/{id}", READ),
    ("GET", "/organisation/list", READ),
    ("PATCH", "/organisation/update/{id}", ADMIN),
    ("DELETE", "/organisation/delete/{id}", ADMIN),
    ("POST", "/account/create", ADMIN),
    ("GET", "/account/{id}", READ),
    ("GET", "/account/list", READ),
    ("PATCH", "/account/update/{id}", ADMIN),
    ("DELETE", "/account/delete/{id}", ADMIN),
    ("GET", "/account/{id}/users", READ),
    ("GET", "/account/{id}/devices", READ),
    ("GET", "/account/{id}/whitelist", READ),
    ("GET", "/account/{id}/whitelist_inverse", READ),
    ("GET", "/account/{id}/certificates", READ),
    ("GET", "/account/{id}/certificates/devices", READ),
    ("GET", "/account/{id}/summary", READ),
    ("PATCH", "/account/update_whitelist/{id}", TRADE),
    ("POST", "/device/create", REGISTER),
    ("GET", "/device/{id}", READ),
    ("GET", "/device/list", READ),
    ("PATCH", "/device/update/{id}", REGISTER),
    ("POST", "/device/approve/{id}", REGISTER),
    ("DELETE", "/device/delete/{id}", REGISTER),
    ("POST", "/measurement/submit_readings", MEASURE),
    ("GET", "/measurement/meter_readings_template", READ),
    ("POST", "/measurement/create", MEASURE),
    ("GET", "/measurement/list", READ),
    ("GET", "/measurement/{id}", READ),
    ("PATCH", "/measurement/update/{id}", MEASURE),
    ("DELETE", "/measurement/delete/{id}", MEASURE),
    ("POST", "/measurement/release/{id}", ISSUE),
    ("POST", "/certificate/create_metadata", ISSUE),
    ("GET", "/certificate/metadata/list", READ),
    ("GET", "/certificate/metadata/{id}", READ),
    ("POST", "/certificate/issue", ISSUE),
    ("POST", "/certificate/query", READ),
    ("GET", "/certificate/export", READ),
    ("POST", "/certificate/transfer", TRADE),
    ("POST", "/certificate/cancel", TRADE),
    ("POST", "/certificate/claim", TRADE),
    ("POST", "/certificate/reserve", TRADE),
    ("POST", "/certificate/reseve", TRADE),
    ("POST", "/certificate/lock", ISSUE),
    ("POST", "/certificate/unlock", ISSUE),
    ("POST", "/certificate/withdraw", ISSUE),
    ("PATCH", "/certificate/update_mutables", ISSUE),
    ("POST", "/certificate/create", ISSUE),
    ("POST", "/certificate/recurring_transfer", TRADE),
    ("POST", "/certificate/recurring_cancel", TRADE),
    ("GET", "/certificate/recurring/list", READ),
    ("GET", "/certificate/recurring/{id}", READ),
    ("DELETE", "/certificate/recurring/{id}", TRADE),
    ("POST", "/certificate/recurring/{id}/pause", TRADE),
    ("POST", "/certificate/recurring/{id}/resume", TRADE),
    ("GET", "/certificate/recurring/{id}/preview", READ),
    ("GET", "/certificate/recurring/{id}/runs", READ),
    ("GET", "/certificate/{id}", READ),
    ("GET", "/certificate/{id}/lineage", READ),
    ("GET", "/certificate/action/list", READ),
    ("GET", "/certificate/action/{id}", READ),
    ("GET", "/certificate/action/rejected/{id}", READ),
    ("POST", "/storage/create_scr", ISSUE),
    ("POST", "/storage/create_sdr", ISSUE),
    ("POST", "/storage/withdraw_scr", ISSUE),
    ("POST", "/storage/withdraw_sdr", ISSUE),
    ("POST", "/storage/issue_sdgc", ISSUE),
    ("GET", "/storage/query_scr", READ),
    ("POST", "/storage/query_scr", READ),
    ("GET", "/storage/query_sdr", READ),
    ("POST", "/storage/query_sdr", READ),
    ("GET", "/storage/scr/{id}", READ),
    ("GET", "/storage/sdr/{id}", READ),
    ("GET", "/storage/device/{id}", READ),
    ("GET", "/event/query", READ),
    ("GET", "/event/stream", READ),
    ("GET", "/job/list", READ),
    ("GET", "/job/{id}", READ),
    ("GET", "/metrics", METRICS),
    ("GET", "/log_level", ADMIN),
    ("POST", "/change_log_level", ADMIN),
];

/// What an operation takes; `path` as it is registered, such as `/user/{id}`.
pub(crate) fn needed(method: &str, path: &str) -> Needed {
    // What is asked with HEAD is what GET answers.
    let method = if method == "HEAD" { "GET" } else { method };
    let row = NEEDED.iter().find(|(of, at, _)| *at == path && *of == method);
    row.map_or(Session, |(_, _, needed)| *needed)
}

/// Whether a key with these scopes may call an operation; `path` is `None` for what the router does not know.
///
/// # Errors
/// [`Error::ScopeMissing`] names the scope that would do, [`Error::SessionNeeded`] says that none does.
pub(crate) fn check(scopes: Scopes, method: &Method, path: Option<&str>) -> Result<(), Error> {
    match path.map_or(Session, |path| needed(method.as_str(), path)) {
        Any => Ok(()),
        Session => Err(Error::SessionNeeded),
        Needed::Scope(scope) if scopes.contains(scope) => Ok(()),
        Needed::Scope(scope) => Err(Error::ScopeMissing(scope)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_operation_of_the_document_that_takes_a_caller_has_one_row_and_nothing_else_has() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        let mut documented = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if operation["security"] != serde_json::json!([]) {
                    documented.insert((method.to_uppercase(), path.clone()));
                }
            }
        }
        let rows: BTreeSet<_> = NEEDED.iter().map(|(of, at, _)| ((*of).to_owned(), (*at).to_owned())).collect();
        let missing: Vec<_> = documented.difference(&rows).collect();
        let superfluous: Vec<_> = rows.difference(&documented).collect();
        assert_eq!((missing, superfluous), (vec![], vec![]), "operations without a row, rows without an operation");
        assert_eq!(rows.len(), NEEDED.len(), "a row is there twice");
    }

    #[test]
    fn what_has_no_row_is_refused_to_a_key_with_every_scope() {
        let all = Scopes::of(Scope::ALL);
        for (method, path) in
            [(Method::GET, Some("/no/such")), (Method::GET, None), (Method::DELETE, Some("/user/{id}"))]
        {
            assert!(matches!(check(all, &method, path), Err(Error::SessionNeeded)), "{method} {path:?}");
        }
        assert!(check(all, &Method::HEAD, Some("/user/{id}")).is_ok(), "what is asked with HEAD is what GET answers");
    }

    #[test]
    fn each_scope_is_good_for_its_own_operations_only() {
        for (method, path, needed) in NEEDED {
            let method: Method = method.parse().unwrap();
            for scope in Scope::ALL.iter().copied() {
                let is_allowed = check(Scopes::of(&[scope]), &method, Some(path)).is_ok();
                let expected = matches!(needed, Any) || *needed == Needed::Scope(scope);
                assert_eq!(is_allowed, expected, "{method} {path} with {scope}");
            }
            assert_eq!(check(Scopes::default(), &method, Some(path)).is_ok(), *needed == Any, "{method} {path}");
        }
    }
}
