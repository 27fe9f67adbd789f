//! `/account/…`

use crate::{app, assert_faults, assert_problem};
use domain::Role;
use serde_json::json;

#[test]
fn an_account_is_created_with_its_users_and_whitelist() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let sender = app.testkit.account("sender");
    let member = app.with_user(&[Role::TradingUser], &[]);
    let made = administrator.post(
        "/account/create",
        &json!({
            "account_name": "Northern Wind", "user_ids": [member.user_id()], "account_whitelist": [sender],
        }),
    );
    let made = made.expect(201);
    assert_eq!(made.json["account_whitelist"], json!([sender]));
    assert_eq!(made.json["created_at"], "2026-03-01T12:00:00Z");
    let path = format!("/account/{}", made.json["id"]);
    assert_eq!(member.get(&path).expect(200).json, made.json);
    assert_problem(&app.with_user(&[Role::TradingUser], &[sender]).get(&path), 404, "not_found");
}

#[test]
fn an_account_is_refused_with_a_reason() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    app.testkit.account("a");
    for (body, status, slug) in [
        (json!({"account_name": "a"}), 400, "taken"),
        (json!({"account_name": "b", "user_ids": [99]}), 404, "user_missing"),
        (json!({"account_name": "b", "account_whitelist": [99]}), 404, "whitelist_account_missing"),
        (json!({"account_name": "b", "organisation_id": 99}), 404, "organisation_missing"),
    ] {
        assert_problem(&administrator.post("/account/create", &body), status, slug);
    }
    let trader = app.with_user(&[Role::TradingUser], &[]);
    assert_problem(&trader.post("/account/create", &json!({"account_name": "b"})), 403, "forbidden");
    assert_faults(
        &administrator.post("/account/create", &json!({"account_name": 3, "user_ids": [0], "name": "x"})),
        &[("body.account_name", "string_type"), ("body.user_ids.0", "greater_than"), ("body.name", "extra_forbidden")],
    );
}

#[test]
fn a_whitelist_is_updated_by_the_accounts_own_users() {
    let app = app();
    let (receiver, sender, other) =
        (app.testkit.account("receiver"), app.testkit.account("sender"), app.testkit.account("other"));
    let path = format!("/account/update_whitelist/{receiver}");
    let member = app.with_user(&[Role::ProductionUser], &[receiver]);
    let added = member.patch(&path, &json!({"add_to_whitelist": [sender, other]})).expect(200);
    assert_eq!(added.json["account_whitelist"], json!([sender, other]));
    let again = member.patch(&path, &json!({"add_to_whitelist": [sender], "remove_from_whitelist": [other, 99]}));
    assert_eq!(again.expect(200).json["account_whitelist"], json!([sender]));
    let before = app.testkit.registry.health().unwrap().event_number;
    let nothing = member.patch(&path, &json!({})).expect(200);
    assert_eq!(nothing.event(), before.0, "nothing changed");
    let stranger = app.with_user(&[Role::TradingUser], &[sender]);
    assert_problem(&stranger.patch(&path, &json!({"add_to_whitelist": [sender]})), 403, "forbidden");
    let auditor = app.with_user(&[Role::Auditor], &[receiver]);
    assert_problem(&auditor.patch(&path, &json!({"add_to_whitelist": [sender]})), 403, "forbidden");
}

#[test]
fn a_whitelist_update_is_refused_with_a_reason() {
    let app = app();
    let receiver = app.testkit.account("receiver");
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let path = format!("/account/update_whitelist/{receiver}");
    let missing = administrator.patch(&path, &json!({"add_to_whitelist": [999]}));
    assert_problem(&missing, 404, "whitelist_account_missing");
    assert_eq!(missing.json["detail"], "Account ID to add not found: 999");
    assert_problem(&administrator.patch(&path, &json!({"add_to_whitelist": [receiver]})), 400, "whitelist_is_self");
    let unknown = administrator.patch("/account/update_whitelist/99", &json!({"add_to_whitelist": [receiver]}));
    assert_problem(&unknown, 404, "account_missing");
    assert_faults(
        &administrator.patch(&path, &json!({"add": [1], "add_to_whitelist": 1})),
        &[("body.add", "extra_forbidden"), ("body.add_to_whitelist", "list_type")],
    );
}
