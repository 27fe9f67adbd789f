//! `/auth/api_key/…`, and what a key may do elsewhere.

use crate::{app, assert_faults, assert_problem};
use domain::{Role, Scope, Scopes};
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::http::{Answer, Client, PASSWORD, TestApp};

fn create(client: &Client, scopes: &[&str]) -> Answer {
    client.post("/auth/api_key/create", &json!({"name": "a program's", "scopes": scopes}))
}

/// The same client, showing a new key in place of its token.
fn keyed(client: &Client, scopes: &[&str]) -> Client {
    let made = create(client, scopes).expect(201);
    client.with_token(made.json["api_key"].as_str().expect("the key is shown"))
}

fn change_password(client: &Client) -> Answer {
    client.post("/auth/change_password", &json!({"old_password": PASSWORD, "new_password": "another password"}))
}

#[test]
fn a_key_is_shown_once_and_listed_without_itself_until_it_is_deleted() {
    let app = app();
    let somebody = app.with_user(&[Role::Auditor], &[]);
    let made = create(&somebody, &["trade", "read"]).expect(201);
    let secret = made.json["api_key"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("granary_") && secret.len() > 50, "{secret}");
    let mut body = made.json.clone();
    body.as_object_mut().unwrap().remove("api_key");
    let expected = json!({
        "id": 1, "user_id": somebody.user_id(), "name": "a program's", "scopes": ["read", "trade"],
        "created_at": "2026-03-01T12:00:00Z", "expires_at": "2027-03-02T12:00:00Z", "is_deleted": false,
    });
    assert_eq!(body, expected);
    let listed = somebody.get("/auth/api_key/list").expect(200);
    assert_eq!(listed.json, json!({"api_keys": [expected], "next_cursor": null}));
    assert!(!listed.text.contains(&secret));
    let program = somebody.with_token(&secret);
    program.get("/user/me").expect(200);
    for _ in 0..2 {
        let deleted = somebody.send("DELETE", "/auth/api_key/delete/1", "").expect(200);
        assert_eq!((&deleted.json["id"], &deleted.json["is_deleted"]), (&json!(1), &json!(true)));
        assert_problem(&program.get("/user/me"), 401, "no_token");
    }
    assert_eq!(somebody.get("/auth/api_key/list").expect(200).json["api_keys"], json!([]));
    assert_eq!(create(&somebody, &["read"]).expect(201).json["id"], 2, "an id is never given twice");
}

#[test]
fn the_database_holds_no_key() {
    let app = app();
    let made = create(&app.with_user(&[], &[]), &["read"]).expect(201);
    let secret = made.json["api_key"].as_str().unwrap();
    let mut connection = app.testkit.database.connect();
    let row: String = connection
        .query_one("SELECT k.name, k.key_hash FROM api_key k", &[], |r| {
            Ok(format!("{} {:?}", r.get::<String>(0)?, r.get::<Vec<u8>>(1)?))
        })
        .unwrap();
    assert!(row.starts_with("a program's [") && !row.contains(secret), "{row}");
}

#[test]
fn a_key_may_do_what_its_scopes_and_its_owners_roles_both_allow() {
    let app = app();
    let account = app.testkit.account("source");
    let trader = app.with_user(&[Role::TradingUser], &[account]);
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let bundles = json!({"source_id": account, "target_id": 9, "granular_certificate_bundle_ids": [1]});
    let path = format!("/account/{account}");

    let reader = keyed(&trader, &["read"]);
    reader.get(&path).expect(200);
    let refused = reader.post("/certificate/transfer", &bundles);
    assert_problem(&refused, 403, "scope_missing");
    assert_eq!(refused.json["scope"], "trade");

    let program = keyed(&trader, &["trade"]);
    assert_problem(&program.post("/certificate/transfer", &bundles), 400, "not_whitelisted");
    let refused = program.get(&path);
    assert_problem(&refused, 403, "scope_missing");
    assert_eq!(refused.json["scope"], "read");
    program.get("/user/me").expect(200);

    // A scope gives nothing that the roles do not.
    let everything: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    let all = keyed(&trader, &everything);
    assert_problem(&all.post("/account/create", &json!({"account_name": "new"})), 403, "forbidden");
    // And the roles nothing that the scopes do not.
    let refused = keyed(&administrator, &["read"]).post("/account/create", &json!({"account_name": "new"}));
    assert_problem(&refused, 403, "scope_missing");
    keyed(&administrator, &["admin"]).post("/account/create", &json!({"account_name": "new"})).expect(201);
}

#[test]
fn no_key_sets_a_password_which_would_be_worth_a_session() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let program = keyed(&administrator, &["admin"]);
    let path = format!("/user/update/{}", administrator.user_id().0);
    assert_problem(&program.patch(&path, &json!({"password": "another password"})), 403, "session_needed");
    let mut new =
        json!({"name": "A", "primary_contact": "a@example.org", "roles": ["Auditor"], "password": "a password"});
    assert_problem(&program.post("/user/create", &new), 403, "session_needed");
    new.as_object_mut().unwrap().remove("password");
    let made = program.post("/user/create", &new).expect(201).json;
    program.patch(&format!("/user/update/{}", made["id"]), &json!({"name": "B"})).expect(200);
    // Still good: nothing was revoked.
    administrator.patch(&format!("/user/update/{}", made["id"]), &json!({"password": "a password"})).expect(200);
}

#[test]
fn no_key_makes_keys_or_changes_a_password_and_no_scope_is_told_of_to_a_stranger() {
    let app = app();
    let somebody = app.with_user(&[Role::RegistryAdministrator], &[]);
    let everything: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    let program = keyed(&somebody, &everything);
    for refused in [
        create(&program, &["read"]),
        program.get("/auth/api_key/list"),
        program.send("DELETE", "/auth/api_key/delete/1", ""),
        change_password(&program),
    ] {
        assert_problem(&refused, 403, "session_needed");
    }
    let stranger = app.anonymous().with_token("granary_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_problem(&stranger.post("/account/create", &json!({})), 401, "no_token");
}

#[test]
fn signing_out_with_a_key_ends_that_key_and_nothing_else() {
    let app = app();
    let somebody = app.with_user(&[], &[]);
    let (one, other) = (keyed(&somebody, &["read"]), keyed(&somebody, &["read"]));
    one.get("/user/me").expect(200);
    one.send("POST", "/auth/logout", "").expect(200);
    assert_problem(&one.get("/user/me"), 401, "no_token");
    other.get("/user/me").expect(200);
    somebody.get("/user/me").expect(200);
}

#[test]
fn a_new_password_ends_all_keys_at_once() {
    let app = app();
    let (somebody, bystander) = (app.with_user(&[], &[]), app.with_user(&[], &[]));
    let (program, of_bystander) = (keyed(&somebody, &["read"]), keyed(&bystander, &["read"]));
    program.get("/user/me").expect(200);
    of_bystander.get("/user/me").expect(200);
    change_password(&somebody).expect(200);
    assert_problem(&program.get("/user/me"), 401, "no_token");
    of_bystander.get("/user/me").expect(200);
}

#[test]
fn a_key_expires_and_says_when() {
    let app = app();
    let somebody = app.with_user(&[], &[]);
    let with = |expires_at: &str| {
        somebody.post("/auth/api_key/create", &json!({"name": "k", "scopes": ["read"], "expires_at": expires_at}))
    };
    for wrong in ["2026-03-01T12:00:00Z", "2025-01-01", "2027-03-02T12:00:01Z"] {
        assert_faults(&with(wrong), &[("body.expires_at", "value_error")]);
    }
    let made = with("2026-03-01T12:30:00Z").expect(201);
    assert_eq!(made.json["expires_at"], "2026-03-01T12:30:00Z");
    let program = somebody.with_token(made.json["api_key"].as_str().unwrap());
    program.get("/user/me").expect(200);
    app.testkit.time.advance(SignedDuration::from_mins(30));
    assert_problem(&program.get("/user/me"), 401, "no_token");
    let listed = somebody.get("/auth/api_key/list").expect(200);
    assert_eq!(listed.json["api_keys"].as_array().map(Vec::len), Some(1), "what has expired is listed");
}

#[test]
fn what_is_wrong_with_a_key_to_be_is_told_at_once() {
    let app = app();
    let somebody = app.with_user(&[], &[]);
    assert_faults(
        &somebody.post("/auth/api_key/create", &json!({"expires_at": "soon", "colour": 1})),
        &[
            ("body.name", "missing"),
            ("body.scopes", "missing"),
            ("body.expires_at", "datetime_from_date_parsing"),
            ("body.colour", "extra_forbidden"),
        ],
    );
    for (scopes, fault) in [
        (json!([]), ("body.scopes", "too_short")),
        (json!(["read", "write"]), ("body.scopes.1", "enum")),
        (json!(["read", "read"]), ("body.scopes", "value_error")),
        (json!("read"), ("body.scopes", "list_type")),
    ] {
        assert_faults(&somebody.post("/auth/api_key/create", &json!({"name": "k", "scopes": scopes})), &[fault]);
    }
}

#[test]
fn somebody_elses_keys_are_an_administrators_business_only() {
    let app = app();
    let (somebody, other) = (app.with_user(&[], &[]), app.with_user(&[Role::Auditor, Role::GcIssuer], &[]));
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let program = keyed(&somebody, &["read"]);
    let of_somebody = format!("/auth/api_key/list?user_id={}", somebody.user_id());
    assert_problem(&other.get(&of_somebody), 403, "forbidden");
    somebody.get(&of_somebody).expect(200);
    let mut refused = other.send("DELETE", "/auth/api_key/delete/1", "");
    assert_problem(&refused, 404, "not_found");
    refused.text = refused.text.replace("id 1 ", "id 2 ").replace("\"id\":1", "\"id\":2");
    assert_eq!(refused.text, other.send("DELETE", "/auth/api_key/delete/2", "").text, "as if it did not exist");
    assert_eq!(administrator.get("/auth/api_key/list").expect(200).json["api_keys"], json!([]), "one's own by default");
    let listed = administrator.get(&of_somebody).expect(200);
    assert_eq!(listed.json["api_keys"][0]["user_id"], json!(somebody.user_id()));
    administrator.send("DELETE", "/auth/api_key/delete/1", "").expect(200);
    assert_problem(&program.get("/user/me"), 401, "no_token");
}

fn ids(answer: &Answer) -> Vec<i64> {
    let keys = answer.json["api_keys"].as_array().expect("a list");
    keys.iter().map(|key| key["id"].as_i64().expect("an id")).collect()
}

#[test]
fn a_user_has_at_most_a_hundred_keys_and_reads_them_in_pages() {
    let app = app();
    let somebody = app.with_user(&[], &[]);
    let registry = &app.testkit.registry;
    let caller = registry.authenticate(somebody.token()).unwrap();
    for _ in 0..app::API_KEYS_PER_USER_MAX {
        registry.create_api_key(&caller, "k", None, Scopes::of(&[Scope::Read])).unwrap();
    }
    assert_problem(&create(&somebody, &["read"]), 400, "too_many");
    let page = somebody.get("/auth/api_key/list?limit=60").expect(200);
    assert_eq!(ids(&page), (1..=60).collect::<Vec<_>>());
    let Value::String(cursor) = &page.json["next_cursor"] else { panic!("{}", page.text) };
    let page = somebody.get(&format!("/auth/api_key/list?limit=60&cursor={cursor}")).expect(200);
    assert_eq!((ids(&page), &page.json["next_cursor"]), ((61..=100).collect(), &Value::Null));
    somebody.send("DELETE", "/auth/api_key/delete/50", "").expect(200);
    create(&somebody, &["read"]).expect(201);
    create(&app.with_user(&[], &[]), &["read"]).expect(201);
}

#[test]
fn keys_work_on_postgres_too() {
    let app = TestApp::on(testkit::Engine::Postgres);
    let somebody = app.with_user(&[], &[]);
    let program = keyed(&somebody, &["read"]);
    program.get("/user/me/accounts").expect(200);
    assert_eq!(ids(&somebody.get("/auth/api_key/list").expect(200)), [1]);
    change_password(&somebody).expect(200);
    assert_problem(&program.get("/user/me"), 401, "no_token");
}
