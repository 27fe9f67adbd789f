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
