//! What API keys are good for: every operation of the document × every scope. The owner has every role, so that the scope
//! alone decides. A missing row fails.

use super::World;
use crate::operations::operations;
use domain::{Role, Scope};
use serde_json::json;
use std::collections::BTreeSet;
use testkit::http::Client;

/// The scope that an operation takes; `any` key will do, or `none`: it takes a session.
#[rustfmt::skip]
const SCOPES: &[(&str, &str, &str)] = &[
    ("POST", "/auth/logout",                         "any"),
    ("POST", "/auth/change_password",                "none"),
    ("POST", "/auth/api_key/create",                 "none"),
    ("GET", "/auth/api_key/list",                    "none"),
    ("DELETE", "/auth/api_key/delete/{id}",          "none"),
    ("POST", "/user/create",                         "admin"),
    ("GET", "/user/{id}",                            "read"),
    ("GET", "/user/me",                              "any"),
    ("GET", "/user/me/accounts",                     "read"),
    ("GET", "/user/list",                            "read"),
    ("PATCH", "/user/update/{id}",                   "admin"),
    ("POST", "/user/change_role/{id}",               "admin"),
    ("DELETE", "/user/delete/{id}",                  "admin"),
    ("POST", "/organisation/create",                 "admin"),
    ("GET", "/organisation/{id}",                    "read"),
    ("GET", "/organisation/list",                    "read"),
    ("PATCH", "/organisation/update/{id}",           "admin"),
    ("DELETE", "/organisation/delete/{id}",          "admin"),
    ("POST", "/account/create",                      "admin"),
    ("GET", "/account/{id}",                         "read"),
    ("GET", "/account/list",                         "read"),
    ("PATCH", "/account/update/{id}",                "admin"),
    ("PATCH", "/account/update_whitelist/{id}",      "trade"),
    ("DELETE", "/account/delete/{id}",               "admin"),
    ("GET", "/account/{id}/users",                   "read"),
    ("GET", "/account/{id}/devices",                 "read"),
    ("GET", "/account/{id}/whitelist",               "read"),
    ("GET", "/account/{id}/whitelist_inverse",       "read"),
    ("GET", "/account/{id}/certificates",            "read"),
    ("GET", "/account/{id}/certificates/devices",    "read"),
    ("GET", "/account/{id}/summary",                 "read"),
    ("POST", "/device/create",                       "register"),
    ("GET", "/device/{id}",                          "read"),
    ("GET", "/device/list",                          "read"),
    ("PATCH", "/device/update/{id}",                 "register"),
    ("POST", "/device/approve/{id}",                 "register"),
    ("DELETE", "/device/delete/{id}",                "register"),
    ("POST", "/measurement/submit_readings",         "measure"),
    ("GET", "/measurement/meter_readings_template",  "read"),
    ("POST", "/measurement/create",                  "measure"),
    ("GET", "/measurement/{id}",                     "read"),
    ("GET", "/measurement/list",                     "read"),
    ("PATCH", "/measurement/update/{id}",            "measure"),
    ("DELETE", "/measurement/delete/{id}",           "measure"),
    ("POST", "/measurement/release/{id}",            "issue"),
    ("POST", "/certificate/create_metadata",         "issue"),
    ("GET", "/certificate/metadata/{id}",            "read"),
    ("GET", "/certificate/metadata/list",            "read"),
    ("POST", "/certificate/create",                  "issue"),
    ("POST", "/certificate/issue",                   "issue"),
    ("POST", "/certificate/query",                   "read"),
    ("GET", "/certificate/export",                   "read"),
    ("POST", "/certificate/transfer",                "trade"),
    ("POST", "/certificate/cancel",                  "trade"),
    ("POST", "/certificate/claim",                   "trade"),
    ("POST", "/certificate/reserve",                 "trade"),
    ("POST", "/certificate/reseve",                  "trade"),
    ("POST", "/certificate/lock",                    "issue"),
    ("POST", "/certificate/unlock",                  "issue"),
    ("POST", "/certificate/withdraw",                "issue"),
    ("PATCH", "/certificate/update_mutables",        "issue"),
    ("POST", "/certificate/recurring_transfer",      "trade"),
    ("POST", "/certificate/recurring_cancel",        "trade"),
    ("GET", "/certificate/recurring/list",           "read"),
    ("GET", "/certificate/recurring/{id}",           "read"),
    ("DELETE", "/certificate/recurring/{id}",        "trade"),
    ("POST", "/certificate/recurring/{id}/pause",    "trade"),
    ("POST", "/certificate/recurring/{id}/resume",   "trade"),
    ("GET", "/certificate/recurring/{id}/preview",   "read"),
    ("GET", "/certificate/recurring/{id}/runs",      "read"),
    ("GET", "/certificate/{id}",                     "read"),
    ("GET", "/certificate/{id}/lineage",             "read"),
    ("GET", "/certificate/action/list",              "read"),
    ("GET", "/certificate/action/{id}",              "read"),
    ("GET", "/certificate/action/rejected/{id}",     "read"),
    ("POST", "/storage/create_scr",                  "issue"),
    ("POST", "/storage/create_sdr",                  "issue"),
    ("POST", "/storage/withdraw_scr",                "issue"),
    ("POST", "/storage/withdraw_sdr",                "issue"),
    ("POST", "/storage/issue_sdgc",                  "issue"),
    ("GET", "/storage/query_scr",                    "read"),
    ("POST", "/storage/query_scr",                   "read"),
    ("GET", "/storage/query_sdr",                    "read"),
    ("POST", "/storage/query_sdr",                   "read"),
    ("GET", "/storage/scr/{id}",                     "read"),
    ("GET", "/storage/sdr/{id}",                     "read"),
    ("GET", "/storage/device/{id}",                  "read"),
    ("GET", "/event/query",                          "read"),
    ("GET", "/event/stream",                         "read"),
    ("GET", "/job/list",                             "read"),
    ("GET", "/job/{id}",                             "read"),
    ("GET", "/log_level",                            "admin"),
    ("POST", "/change_log_level",                    "admin"),
];

/// The owner's client, showing a new key of one scope.
fn key(owner: &Client, scope: Scope) -> Client {
    let made = owner.post("/auth/api_key/create", &json!({"name": scope.name(), "scopes": [scope.name()]})).expect(201);
    owner.with_token(made.json["api_key"].as_str().expect("the key is shown"))
}

#[test]
fn a_key_is_good_for_what_its_one_scope_says_and_nothing_else() {
    let world = World::new();
    let owner = world.app.with_user(&Role::ALL, &[world.source]);
    let keys: Vec<(Scope, Client)> = Scope::ALL.iter().map(|scope| (*scope, key(&owner, *scope))).collect();
    assert_eq!(keys.len(), 7);
    let mut unique = 20_000;
    for (method, path, needed) in SCOPES {
        for (scope, keyed) in &keys {
            unique += 1;
            let (address, body) = world.request(path, unique);
            let body = if *method == "GET" { String::new() } else { body.to_string() };
            let ends_key = *path == "/auth/logout";
            let keyed = if ends_key { key(&owner, *scope) } else { keyed.clone() };
            let (status, problem, text) = if *path == "/event/stream" {
                // It goes on until somebody ends it.
                let refused = keyed.follow(&address).map(drop).err();
                refused.map_or((200, String::new(), String::new()), |it| (it.status, it.problem().to_owned(), it.text))
            } else {
                let answer = keyed.send(method, &address, &body);
                (answer.status, answer.problem().to_owned(), answer.text)
            };
            let what = format!("{method} {path} with the scope {}: {status} {text}", scope.name());
            let expected = match *needed {
                "none" => "session_needed",
                "any" => "",
                needed if needed == scope.name() => "",
                _ => "scope_missing",
            };
            if expected.is_empty() {
                assert!(!matches!(status, 401 | 403 | 422 | 500..), "{what}");
            } else {
                assert_eq!((status, problem.as_str()), (403, expected), "{what}");
            }
        }
    }
}

#[test]
fn every_operation_that_needs_a_token_has_a_row_for_keys() {
    let documented: BTreeSet<_> = operations()
        .into_iter()
        .filter(crate::operations::Operation::needs_token)
        .map(|operation| (operation.method, operation.path))
        .collect();
    let rows: BTreeSet<_> = SCOPES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(rows, documented);
    assert_eq!(rows.len(), SCOPES.len(), "a row is there twice");
}
