//! `/user/…`

use crate::{app, assert_faults, assert_problem};
use domain::Role;
use serde_json::{Value, json};

#[test]
fn an_administrator_creates_a_user_who_can_sign_in() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let account = app.testkit.account("a");
    let made = administrator.post(
        "/user/create",
        &json!({
            "name": "Ada", "primary_contact": "ada@example.org", "roles": ["Trading User", "Auditor"],
            "organisation": "Wind plc", "password": "correct horse", "account_ids": [account],
        }),
    );
    let made = made.expect(201);
    assert!(made.event() > 0);
    assert_eq!(made.json["roles"], json!(["Trading User", "Auditor"]));
    assert_eq!((&made.json["account_ids"], &made.json["is_deleted"]), (&json!([account]), &json!(false)));
    assert!(!made.text.contains("correct horse") && made.json.get("password").is_none());
    let login = json!({"username": "ada@example.org", "password": "correct horse"});
    let token = app.anonymous().post("/auth/login", &login).expect(200).json;
    let ada = app.anonymous().with_token(token["access_token"].as_str().unwrap());
    assert_eq!(ada.get("/user/me").expect(200).json, made.json);
    let accounts = ada.get("/user/me/accounts").expect(200).json;
    assert_eq!((&accounts[0]["account_name"], &accounts[1]), (&json!("a"), &Value::Null));
}

#[test]
fn who_shares_an_account_sees_the_name_and_nobody_else_sees_anything() {
    let app = app();
    let account = app.testkit.account("a");
    let one = app.with_user(&[Role::TradingUser], &[account]);
    let other = app.with_user(&[Role::TradingUser], &[account]);
    let stranger = app.with_user(&[Role::TradingUser], &[]);
    let path = format!("/user/{}", one.user_id());
    let seen = other.get(&path).expect(200).json;
    let members: Vec<&String> = seen.as_object().unwrap().keys().collect();
    assert_eq!(members, ["id", "name", "organisation"]);
    assert_problem(&stranger.get(&path), 404, "not_found");
    assert_eq!(stranger.get("/user/me/accounts").expect(200).json, json!([]));
}

#[test]
fn a_user_is_refused_with_a_reason() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let body = json!({"name": "Ada", "primary_contact": "ada@example.org", "roles": ["Auditor"]});
    administrator.post("/user/create", &body).expect(201);
    let again = administrator.post("/user/create", &body);
    assert_problem(&again, 400, "taken");
    assert_eq!(again.json["field"], "primary_contact");
    let body = crate::merged(body, &json!({"primary_contact": "b@example.org", "account_ids": [99]}));
    let missing = administrator.post("/user/create", &body);
    assert_problem(&missing, 404, "account_missing");
    assert_eq!(
        (&missing.json["account_id"], &missing.json["detail"]),
        (&json!(99), &json!("Account with id 99 not found"))
    );
    let trader = app.with_user(&[Role::TradingUser], &[]);
    assert_problem(&trader.post("/user/create", &body), 403, "forbidden");
}

#[test]
fn bad_members_of_a_user_are_all_named() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let answer = administrator.post("/user/create", &json!({
        "name": " ", "primary_contact": "pay\u{202e}lap", "roles": ["Emperor", "Auditor"], "organisation": "x".repeat(201),
        "password": "short", "account_ids": "1", "role": "Auditor",
    }));
    assert_faults(
        &answer,
        &[
            ("body.name", "string_too_short"),
            ("body.primary_contact", "value_error"),
            ("body.roles.0", "enum"),
            ("body.organisation", "string_too_long"),
            ("body.password", "string_too_short"),
            ("body.account_ids", "list_type"),
            ("body.role", "extra_forbidden"),
        ],
    );
    let empty = administrator.post("/user/create", &json!({"name": "a\u{0}", "primary_contact": "a\nb", "roles": []}));
    assert_faults(
        &empty,
        &[("body.name", "value_error"), ("body.primary_contact", "value_error"), ("body.roles", "too_short")],
    );
}

#[test]
fn everybody_changes_their_own_profile_and_nobody_elses() {
    let app = app();
    let account = app.testkit.account("a");
    let ada = app.with_user(&[Role::TradingUser], &[account]);
    let path = format!("/user/update/{}", ada.user_id());
    let before = ada.get("/user/me").expect(200).json;
    let named = ada.patch(&path, &json!({"name": "Ada", "organisation": "Wind plc"})).expect(200);
    assert_eq!((&named.json["name"], &named.json["organisation"]), (&json!("Ada"), &json!("Wind plc")));
    assert_eq!(named.json["primary_contact"], before["primary_contact"]);
    // an absent member stays, null clears what may be absent and says nothing of what may not
    let cleared = ada.patch(&path, &json!({"organisation": null, "name": null})).expect(200);
    assert_eq!((&cleared.json["name"], &cleared.json["organisation"]), (&json!("Ada"), &Value::Null));
    let event = cleared.event();
    assert_eq!(ada.patch(&path, &json!({"name": "Ada"})).expect(200).event(), event, "nothing changed");
    for body in [json!({"account_ids": [account]}), json!({"password": "another password"})] {
        assert_problem(&ada.patch(&path, &body), 403, "forbidden");
    }
    let other = app.with_user(&[Role::TradingUser], &[account]);
    assert_problem(&other.patch(&path, &json!({"name": "Eve"})), 403, "forbidden");
    assert_problem(&other.patch("/user/update/99", &json!({"name": "Eve"})), 403, "forbidden");
    let contact = ada.get("/user/me").expect(200).json["primary_contact"].clone();
    let own = format!("/user/update/{}", other.user_id());
    assert_problem(&other.patch(&own, &json!({"primary_contact": contact})), 400, "taken");
    assert_faults(
        &ada.patch(&path, &json!({"name": "", "password": "short", "roles": ["Auditor"], "account_ids": [0]})),
        &[
            ("body.name", "string_too_short"),
            ("body.password", "string_too_short"),
            ("body.roles", "extra_forbidden"),
            ("body.account_ids.0", "greater_than"),
        ],
    );
}

#[test]
fn an_administrator_gives_accounts_as_a_whole_set_and_a_new_password() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let (a, b) = (app.testkit.account("a"), app.testkit.account("b"));
    let ada = app.with_user(&[Role::TradingUser], &[a]);
    let path = format!("/user/update/{}", ada.user_id());
    let moved = administrator.patch(&path, &json!({"account_ids": [b]})).expect(200);
    assert_eq!(moved.json["account_ids"], json!([b]));
    assert_problem(&ada.get(&format!("/account/{a}")), 404, "not_found");
    ada.get(&format!("/account/{b}")).expect(200);
    assert_problem(&administrator.patch(&path, &json!({"account_ids": [99]})), 404, "account_missing");
    assert_problem(&administrator.patch("/user/update/99", &json!({"name": "Eve"})), 404, "user_missing");
    let body = json!({"primary_contact": "ada@example.org", "password": "another password"});
    let changed = administrator.patch(&path, &body).expect(200);
    assert!(!changed.text.contains("another password"));
    assert_problem(&ada.get("/user/me"), 401, "no_token");
    let login = json!({"username": "ada@example.org", "password": "another password"});
    app.anonymous().post("/auth/login", &login).expect(200);
}

#[test]
fn other_roles_end_what_the_user_was_signed_in_with() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let ada = app.with_user(&[Role::TradingUser], &[]);
    let path = format!("/user/change_role/{}", ada.user_id());
    ada.get("/user/me").expect(200);
    let changed = administrator.post(&path, &json!({"roles": ["Auditor", "Trading User"]})).expect(200);
    assert_eq!(changed.json["roles"], json!(["Trading User", "Auditor"]));
    assert_problem(&ada.get("/user/me"), 401, "no_token");
    let again = administrator.post(&path, &json!({"roles": ["Trading User", "Auditor"]})).expect(200);
    assert_eq!(again.event(), changed.event(), "the same roles again");
    assert_problem(&administrator.post("/user/change_role/99", &json!({"roles": ["Auditor"]})), 404, "user_missing");
    let own = format!("/user/change_role/{}", administrator.user_id());
    assert_problem(&administrator.post(&own, &json!({"roles": ["Auditor"]})), 400, "last_administrator");
    assert_faults(&administrator.post(&path, &json!({"roles": []})), &[("body.roles", "too_short")]);
}

#[test]
fn a_deleted_user_is_gone_and_leaves_the_sign_in_name() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let account = app.testkit.account("a");
    let ada = app.with_user(&[Role::TradingUser], &[account]);
    let other = app.with_user(&[Role::TradingUser], &[account]);
    let name = ada.get("/user/me").expect(200).json["primary_contact"].clone();
    let path = format!("/user/delete/{}", ada.user_id());
    assert_problem(&other.send("DELETE", &path, ""), 403, "forbidden");
    let gone = administrator.send("DELETE", &path, "").expect(200);
    assert_eq!(gone.json["is_deleted"], true);
    assert_eq!(administrator.send("DELETE", &path, "").expect(200).event(), gone.event(), "deleting again");
    assert_problem(&ada.get("/user/me"), 401, "no_token");
    let login = json!({"username": name, "password": testkit::http::PASSWORD});
    assert_problem(&app.anonymous().post("/auth/login", &login), 401, "wrong_credentials");
    assert_problem(&other.get(&format!("/user/{}", ada.user_id())), 404, "not_found");
    let users = other.get(&format!("/account/{account}/users")).expect(200).json;
    assert_eq!((&users["users"][0]["id"], &users["users"][1]), (&json!(other.user_id()), &Value::Null));
    assert_problem(&administrator.patch(&format!("/user/update/{}", ada.user_id()), &json!({})), 404, "user_missing");
    let body = json!({"name": "Ada", "primary_contact": name, "roles": ["Auditor"]});
    administrator.post("/user/create", &body).expect(201);
    assert_problem(&administrator.send("DELETE", "/user/delete/99", ""), 404, "user_missing");
    let own = format!("/user/delete/{}", administrator.user_id());
    assert_problem(&administrator.send("DELETE", &own, ""), 400, "last_administrator");
}

#[test]
fn a_list_of_users_shows_what_the_caller_may_see() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let (a, b) = (app.testkit.account("a"), app.testkit.account("b"));
    let ada = app.with_user(&[Role::TradingUser], &[a, b]);
    let bob = app.with_user(&[Role::ProductionUser], &[a]);
    let eve = app.with_user(&[Role::TradingUser], &[b]);
    let list = |client: &testkit::http::Client, query: &str| {
        let answer = client.get(&format!("/user/list{query}")).expect(200).json;
        let users = answer["users"].as_array().unwrap().clone();
        users.iter().map(|user| (user["id"].as_i64().unwrap(), user.get("roles").is_some())).collect::<Vec<_>>()
    };
    let id = |client: &testkit::http::Client| client.user_id().0;
    assert_eq!(list(&bob, ""), [(id(&ada), false), (id(&bob), true)]);
    assert_eq!(list(&ada, ""), [(id(&ada), true), (id(&bob), false), (id(&eve), false)]);
    assert_eq!(list(&administrator, "").len(), 4);
    administrator.send("DELETE", &format!("/user/delete/{}", bob.user_id()), "").expect(200);
    assert_eq!(list(&ada, "?include_deleted=true"), [(id(&ada), true), (id(&eve), false)]);
    assert_eq!(list(&administrator, "").len(), 3);
    assert_eq!(list(&administrator, "?include_deleted=true").len(), 4);
    let page = administrator.get("/user/list?limit=1").expect(200).json;
    let next = format!("/user/list?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(administrator.get(&next).expect(200).json["users"][0]["id"], id(&ada));
}
