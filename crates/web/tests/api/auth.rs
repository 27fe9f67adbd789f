//! `/auth/…`

use crate::{app, assert_faults, assert_problem};
use domain::Role;
use serde_json::json;
use testkit::http::{Answer, Client, PASSWORD};

fn name_of(client: &Client) -> String {
    client.get("/user/me").expect(200).json["primary_contact"].as_str().expect("a text").to_owned()
}

fn sign_in(client: &Client, name: &str, password: &str) -> Answer {
    client.post("/auth/login", &json!({"username": name, "password": password}))
}

#[test]
fn a_token_is_had_by_form_or_by_json_and_ends_with_sign_out() {
    let app = app();
    let somebody = app.with_user(&[Role::Auditor], &[]);
    let name = name_of(&somebody);
    let json = sign_in(&app.anonymous(), &name, PASSWORD).expect(200).json;
    assert_eq!((&json["token_type"], &json["user_id"]), (&json!("bearer"), &json!(somebody.user_id())));
    assert_eq!(json["expires_at"], "2026-03-01T13:00:00Z", "an hour by default");
    let form =
        format!("username={}&password={}&scope=&client_id=x", name.replace('@', "%40"), PASSWORD.replace(' ', "+"));
    let form = app.anonymous().send("POST", "/auth/login", &form).expect(200).json;
    let other = app.anonymous().with_token(form["access_token"].as_str().unwrap());
    other.get("/user/me").expect(200);
    other.send("POST", "/auth/logout", "").expect(200);
    assert_problem(&other.get("/user/me"), 401, "no_token");
    somebody.get("/user/me").expect(200);
}

#[test]
fn a_token_expires() {
    let app = app();
    let somebody = app.with_user(&[], &[]);
    somebody.get("/user/me").expect(200);
    app.testkit.time.advance(jiff::SignedDuration::from_mins(61));
    assert_problem(&somebody.get("/user/me"), 401, "no_token");
}

#[test]
fn a_wrong_password_and_an_unknown_name_are_the_same() {
    let app = app();
    let name = name_of(&app.with_user(&[], &[]));
    let wrong = sign_in(&app.anonymous(), &name, "not the password");
    let unknown = sign_in(&app.anonymous(), "nobody@example.org", PASSWORD);
    assert_problem(&wrong, 401, "wrong_credentials");
    assert_eq!(wrong.text, unknown.text);
    assert_eq!(wrong.header("www-authenticate"), Some("Bearer"));
}

#[test]
fn guessing_is_slowed_down_and_says_for_how_long() {
    let app = app();
    let name = name_of(&app.with_user(&[], &[]));
    for _ in 0..10 {
        assert_problem(&sign_in(&app.anonymous(), &name, "guess"), 401, "wrong_credentials");
    }
    let refused = sign_in(&app.anonymous(), &name, PASSWORD);
    assert_problem(&refused, 429, "too_many_attempts");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=900).contains(&seconds), "{seconds}");
}

#[test]
fn sign_in_says_what_is_wrong_with_its_form() {
    let app = app();
    let anonymous = app.anonymous();
    assert_faults(
        &anonymous.post("/auth/login", &json!({})),
        &[("body.username", "missing"), ("body.password", "missing")],
    );
    let form = "username=a%00b&password=&grant_type=code&remember=1";
    assert_faults(
        &anonymous.send("POST", "/auth/login", form),
        &[
            ("body.username", "value_error"),
            ("body.password", "string_too_short"),
            ("body.grant_type", "string_pattern_mismatch"),
            ("body.remember", "extra_forbidden"),
        ],
    );
    assert_faults(
        &anonymous.post("/auth/login", &json!({"username": 1, "password": "x".repeat(201)})),
        &[("body.username", "string_type"), ("body.password", "string_too_long")],
    );
}

#[test]
fn a_new_password_ends_all_sessions() {
    let app = app();
    let somebody = app.with_user(&[], &[]);
    let name = name_of(&somebody);
    let change = |old: &str, new: &str| {
        somebody.post("/auth/change_password", &json!({"old_password": old, "new_password": new}))
    };
    assert_faults(&change(PASSWORD, "short"), &[("body.new_password", "string_too_short")]);
    assert_problem(&change("wrong", "another password"), 401, "wrong_credentials");
    change(PASSWORD, "another password").expect(200);
    assert_problem(&somebody.get("/user/me"), 401, "no_token");
    assert_problem(&sign_in(&app.anonymous(), &name, PASSWORD), 401, "wrong_credentials");
    sign_in(&app.anonymous(), &name, "another password").expect(200);
}
