//! Administration: how the registry is, its users, accounts and metadata, and how much its log tells.
//!
//! Invariant: every change is one of the API's; a change of a form states only what differs, so that what somebody else
//! changed meanwhile stays.

mod account;
mod health;
mod metadata;
mod user;

use crate::Ui;
use crate::failure::Failure;
use crate::form::{Fields, fault_of};
use crate::visitor::Visitor;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use domain::Capability;
use serde_json::{Map, Value};
use web::Refused;

/// The address that the navigation marks on all these pages.
const HOME: &str = "/ui/admin";

pub(super) fn routes() -> Router<Ui> {
    Router::new()
        .route("/admin", get(health::health))
        .route("/admin/log-level", post(health::change_log_level))
        .route("/admin/users", get(user::list))
        .route("/admin/user/new", get(user::ask_new).post(user::create))
        .route("/admin/user/{id}", get(user::user).post(user::change))
        .route("/admin/user/{id}/roles", post(user::change_roles))
        .route("/admin/user/{id}/delete", post(user::delete))
        .route("/admin/accounts", get(account::list))
        .route("/admin/account/new", get(account::ask_new).post(account::create))
        .route("/admin/account/{id}", get(account::account).post(account::change))
        .route("/admin/account/{id}/delete", post(account::delete))
        .route("/admin/metadata", get(metadata::list))
        .route("/admin/metadata/new", get(metadata::ask_new).post(metadata::create))
}

fn needs_administrator(visitor: &Visitor) -> Result<(), Failure> {
    let may = visitor.may(Capability::ManageUsers);
    if may { Ok(()) } else { Err(Failure::forbidden("the role Registry Administrator")) }
}

/// A field of a form: a member of the API.
struct Field {
    name: &'static str,
    label: &'static str,
    help: &'static str,
    kind: &'static str,
    is_needed: bool,
    value: String,
    fault: Option<String>,
}

/// Name, label, help, kind of input, and whether it must be filled in.
type Member = (&'static str, &'static str, &'static str, &'static str, bool);

/// The fields with what was given. A password is never shown.
fn fields(members: &[Member], given: &Fields, refused: Option<&Refused>) -> Vec<Field> {
    let of = |(name, label, help, kind, is_needed): Member| Field {
        name,
        label,
        help,
        kind,
        is_needed,
        value: given.get(name).filter(|_| kind != "password").unwrap_or_default().to_owned(),
        fault: refused.and_then(|refused| fault_of(refused, name)),
    };
    members.iter().copied().map(of).collect()
}

/// The numbers of a field such as `3, 12`; what is no number goes on as it is: the API says what is wrong with it.
fn numbers(text: &str) -> Value {
    let parts = text.split([',', ' ', ';']).filter(|part| !part.is_empty());
    parts.map(|part| part.parse::<i64>().map_or_else(|_| Value::from(part), Value::from)).collect()
}

/// The members that differ from what is stated; one that is empty now is taken away.
fn differing(members: &[Member], stated: &Fields, given: &Fields, value: impl Fn(&str, &str) -> Value) -> Value {
    let changed = members.iter().filter(|(name, ..)| given.get(name) != stated.get(name));
    let of = |name: &str| given.get(name).map_or(Value::Null, |text| value(name, text));
    changed.map(|(name, ..)| ((*name).to_owned(), of(name))).collect::<Map<_, _>>().into()
}

fn is_forbidden(refused: &Refused) -> bool {
    refused.status == StatusCode::FORBIDDEN.as_u16()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_asked_for() {
        let members: [Member; 3] =
            [("a", "", "", "text", true), ("b", "", "", "text", false), ("c", "", "", "text", false)];
        let (stated, given) = (Fields::of(b"a=1&b=2&c=3"), Fields::of(b"a=1&b=&c=4"));
        let asked = differing(&members, &stated, &given, |_, text| Value::from(text));
        assert_eq!(asked, json!({"b": null, "c": "4"}));
    }

    #[test]
    fn numbers_are_told_from_what_is_none() {
        assert_eq!(numbers(" 3, 12;x "), json!([3, 12, "x"]));
        assert_eq!(numbers(""), json!([]));
    }
}
