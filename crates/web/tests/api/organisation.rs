//! `/organisation/…`

use crate::{app, assert_faults, assert_problem};
use domain::Role;
use serde_json::{Value, json};

#[test]
fn an_organisation_is_created_once() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let body = json!({
        "name": "Wind plc", "business_id": 4711, "primary_contact": "office@example.org", "website": "https://example.org",
    });
    let made = administrator.post("/organisation/create", &body).expect(201);
    assert_eq!((&made.json["business_id"], &made.json["address"]), (&json!("4711"), &Value::Null));
    assert_eq!(made.json["created_at"], "2026-03-01T12:00:00Z");
    assert_problem(&administrator.post("/organisation/create", &body), 400, "taken");
    let auditor = app.with_user(&[Role::Auditor], &[]);
    assert_problem(&auditor.post("/organisation/create", &body), 403, "forbidden");
    assert_faults(
        &administrator.post("/organisation/create", &json!({"business_id": true, "website": ""})),
        &[
            ("body.name", "missing"),
            ("body.business_id", "string_type"),
            ("body.primary_contact", "missing"),
            ("body.website", "string_too_short"),
        ],
    );
}

#[test]
fn a_list_shows_every_organisation_once_page_by_page() {
    let app = app();
    let made: Vec<i64> = (0..5).map(|n| app.testkit.organisation(&format!("org {n}")).0).collect();
    let auditor = app.with_user(&[Role::Auditor], &[]);
    let (mut found, mut path) = (Vec::new(), "/organisation/list?limit=2".to_owned());
    for entries in [2, 2, 1] {
        let page = auditor.get(&path).expect(200).json;
        let organisations = page["organisations"].as_array().unwrap();
        assert_eq!(organisations.len(), entries);
        found.extend(organisations.iter().map(|organisation| organisation["id"].as_i64().unwrap()));
        path = format!("/organisation/list?limit=2&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    assert_eq!(found, made);
    assert!(path.ends_with('='), "the last page names no next one: {path}");
    let whole = auditor.get("/organisation/list").expect(200).json;
    assert_eq!((whole["organisations"].as_array().unwrap().len(), &whole["next_cursor"]), (5, &Value::Null));
    assert_faults(
        &auditor.get("/organisation/list?limit=1001&cursor=zz&include_deleted=perhaps&page=2"),
        &[
            ("query.limit", "less_than_equal"),
            ("query.cursor", "value_error"),
            ("query.include_deleted", "bool_parsing"),
            ("query.page", "extra_forbidden"),
        ],
    );
}

#[test]
fn an_organisation_is_seen_from_the_accounts_it_stands_behind() {
    let app = app();
    let (own, other) = (app.testkit.organisation("own"), app.testkit.organisation("other"));
    let account = app.testkit.account_of("a", Some(own));
    let member = app.with_user(&[Role::TradingUser], &[account]);
    assert_eq!(member.get(&format!("/organisation/{own}")).expect(200).json["name"], "own");
    assert_problem(&member.get(&format!("/organisation/{other}")), 404, "not_found");
    assert_problem(&member.get("/organisation/99"), 404, "not_found");
    let listed = member.get("/organisation/list").expect(200).json;
    assert_eq!((&listed["organisations"][0]["name"], &listed["organisations"][1]), (&json!("own"), &Value::Null));
    let stranger = app.with_user(&[Role::TradingUser], &[]);
    assert_eq!(stranger.get("/organisation/list").expect(200).json["organisations"], json!([]));
}

#[test]
fn an_organisation_changes_and_goes() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let (id, other) = (app.testkit.organisation("one"), app.testkit.organisation("other"));
    let account = app.testkit.account_of("a", Some(id));
    let (update, delete) = (format!("/organisation/update/{id}"), format!("/organisation/delete/{id}"));
    let named =
        administrator.patch(&update, &json!({"name": "new", "business_id": 7, "address": "Lane 1"})).expect(200);
    assert_eq!((&named.json["name"], &named.json["business_id"]), (&json!("new"), &json!("7")));
    let cleared = administrator.patch(&update, &json!({"address": null})).expect(200);
    assert_eq!((&cleared.json["name"], &cleared.json["address"]), (&json!("new"), &Value::Null));
    assert_problem(&administrator.patch(&update, &json!({"name": "other"})), 400, "taken");
    assert_problem(&administrator.patch("/organisation/update/99", &json!({})), 404, "organisation_missing");
    let member = app.with_user(&[Role::TradingUser], &[account]);
    assert_problem(&member.patch(&update, &json!({"name": "mine"})), 403, "forbidden");
    assert_problem(&member.send("DELETE", &delete, ""), 403, "forbidden");
    let gone = administrator.send("DELETE", &delete, "").expect(200);
    assert_eq!(gone.json["is_deleted"], true);
    assert_eq!(administrator.send("DELETE", &delete, "").expect(200).event(), gone.event(), "deleting again");
    assert_problem(&administrator.patch(&update, &json!({"name": "back"})), 404, "organisation_missing");
    let body = json!({"account_name": "b", "organisation_id": id});
    assert_problem(&administrator.post("/account/create", &body), 404, "organisation_missing");
    let listed = |query: &str| {
        let page = administrator.get(&format!("/organisation/list{query}")).expect(200).json;
        page["organisations"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((listed(""), listed("?include_deleted=true")), (vec![other.0], vec![id.0, other.0]));
    administrator.patch(&format!("/organisation/update/{other}"), &json!({"name": "new"})).expect(200);
}
