//! `/account/…`

use crate::{Market, app, assert_faults, assert_problem};
use domain::{BundleId, Role};
use serde_json::{Value, json};
use testkit::Engine;

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
    let both = json!({"add_to_whitelist": [7, 8, 9], "remove_from_whitelist": [1, "8", 9]});
    let both = administrator.patch(&path, &both);
    assert_faults(&both, &[("body.remove_from_whitelist", "value_error")]);
    assert_eq!(both.json["detail"][0]["msg"], "Value error, 8 is to be added too");
    assert_faults(
        &administrator.patch(&path, &json!({"add": [1], "add_to_whitelist": 1})),
        &[("body.add", "extra_forbidden"), ("body.add_to_whitelist", "list_type")],
    );
}

#[test]
fn an_account_changes_its_name_its_organisation_and_its_users() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let organisation = app.testkit.organisation("Wind plc");
    let (account, _) = (app.testkit.account("a"), app.testkit.account("b"));
    let (ada, bob) = (app.with_user(&[Role::TradingUser], &[account]), app.with_user(&[Role::TradingUser], &[]));
    let (path, read) = (format!("/account/update/{account}"), format!("/account/{account}"));
    let body = json!({"account_name": "new", "organisation_id": organisation, "user_ids": [bob.user_id()]});
    let changed = administrator.patch(&path, &body).expect(200);
    assert_eq!(changed.json["user_ids"], json!([bob.user_id()]));
    assert_eq!(
        (&changed.json["account_name"], &changed.json["organisation_id"]),
        (&json!("new"), &json!(organisation))
    );
    assert_eq!(bob.get(&read).expect(200).json, changed.json);
    assert_problem(&ada.get(&read), 404, "not_found");
    let kept = administrator.patch(&path, &json!({"account_name": null, "user_ids": null})).expect(200);
    assert_eq!((&kept.json, kept.event()), (&changed.json, changed.event()), "what is absent or null stays");
    let cleared = administrator.patch(&path, &json!({"organisation_id": null, "user_ids": []})).expect(200);
    assert_eq!((&cleared.json["organisation_id"], &cleared.json["user_ids"]), (&Value::Null, &json!([])));
    for (body, status, slug) in [
        (json!({"account_name": "b"}), 400, "taken"),
        (json!({"user_ids": [99]}), 404, "user_missing"),
        (json!({"organisation_id": 99}), 404, "organisation_missing"),
    ] {
        assert_problem(&administrator.patch(&path, &body), status, slug);
    }
    assert_problem(&administrator.patch("/account/update/99", &json!({})), 404, "account_missing");
    assert_problem(&bob.patch(&path, &json!({"account_name": "mine"})), 403, "forbidden");
    assert_faults(
        &administrator.patch(&path, &json!({"user_ids": 1, "name": "x", "organisation_id": 0})),
        &[("body.user_ids", "list_type"), ("body.name", "extra_forbidden"), ("body.organisation_id", "greater_than")],
    );
}

#[test]
fn accounts_are_listed_to_their_users() {
    let app = app();
    let (a, b) = (app.testkit.account("a"), app.testkit.account("b"));
    app.testkit.whitelist(b, a);
    let ada = app.with_user(&[Role::TradingUser], &[b]);
    let seen = ada.get("/account/list").expect(200).json;
    let expected = json!([{
        "id": b, "account_name": "b", "organisation_id": null, "user_ids": [ada.user_id()], "account_whitelist": [a],
        "created_at": "2026-03-01T12:00:00Z", "is_deleted": false,
    }]);
    assert_eq!((&seen["accounts"], &seen["next_cursor"]), (&expected, &Value::Null));
    let auditor = app.with_user(&[Role::Auditor], &[]);
    let first = auditor.get("/account/list?limit=1").expect(200).json;
    assert_eq!(first["accounts"][0]["id"], json!(a));
    let next = format!("/account/list?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
    assert_eq!(auditor.get(&next).expect(200).json["accounts"], expected);
}

fn deletion_of_an_account(engine: Engine) {
    let market = Market::on(engine, 1, 1_000);
    let administrator = market.app.with_user(&[Role::RegistryAdministrator], &[]);
    let (source, target) = (market.source, market.target);
    let delete = |account| administrator.send("DELETE", &format!("/account/delete/{account}"), "");
    let bundle = market.bundles(source);
    let held = delete(source);
    assert_problem(&held, 400, "account_holds_bundles");
    assert_eq!(
        (&held.json["bundle_id"], &held.json["certificate_bundle_status"]),
        (&json!(bundle[0]), &json!("Active"))
    );
    market.cancel(&bundle, &json!({"beneficiary_account_id": target})).expect(202);
    let owner = delete(source);
    assert_problem(&owner, 400, "account_has_devices");
    assert_eq!(owner.json["device_id"], json!(market.device));
    administrator.send("DELETE", &format!("/device/delete/{}", market.device), "").expect(200);
    assert_problem(&market.trader.send("DELETE", &format!("/account/delete/{source}"), ""), 403, "forbidden");
    let gone = delete(source).expect(200);
    assert_eq!((&gone.json["is_deleted"], &gone.json["user_ids"]), (&json!(true), &json!([])));
    assert_eq!(delete(source).expect(200).event(), gone.event(), "deleting again");
    assert_problem(&delete(domain::AccountId(99)), 404, "account_missing");

    let trader = &market.trader;
    for path in ["", "/users", "/certificates", "/summary"] {
        assert_problem(&trader.get(&format!("/account/{source}{path}")), 404, "not_found");
    }
    assert_eq!(trader.get("/user/me/accounts").expect(200).json, json!([]));
    assert_problem(&trader.post("/certificate/query", &json!({"source_id": source})), 404, "not_found");
    assert_problem(&market.transfer(&bundle, &json!({})), 403, "forbidden");
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    assert_eq!(auditor.get(&format!("/account/{source}/summary")).expect(200).json["total_certificate_energy"], 1_000);
    let listed = auditor.get(&format!("/account/{target}/whitelist")).expect(200).json;
    assert_eq!(listed["accounts"], json!([]), "a deleted sender is on no list");
    let shown = auditor.get("/account/list?include_deleted=1").expect(200).json;
    assert_eq!(
        (shown["accounts"].as_array().map(Vec::len), &shown["accounts"][0]["is_deleted"]),
        (Some(2), &json!(true))
    );
    administrator.post("/account/create", &json!({"account_name": "source"})).expect(201);

    // the beneficiary's users claim; once their account is gone too, nobody can
    let claim = json!({"source_id": source, "granular_certificate_bundle_ids": bundle});
    let claimant = market.app.with_user(&[Role::TradingUser], &[target]);
    claimant.post("/certificate/claim?dry_run=true", &claim).expect(202);
    delete(target).expect(200);
    assert_problem(&claimant.post("/certificate/claim", &claim), 404, "bundle_missing");
}

#[test]
fn an_account_in_use_stays_and_a_deleted_one_refuses_everything() {
    deletion_of_an_account(Engine::Sqlite);
}

#[test]
fn an_account_in_use_stays_and_a_deleted_one_refuses_everything_on_postgres() {
    deletion_of_an_account(Engine::Postgres);
}

#[test]
fn nothing_is_sent_to_a_deleted_account() {
    let market = Market::new(1, 1_000);
    let administrator = market.app.with_user(&[Role::RegistryAdministrator], &[]);
    administrator.send("DELETE", &format!("/account/delete/{}", market.target), "").expect(200);
    let bundles = market.bundles(market.source);
    assert_problem(&market.transfer(&bundles, &json!({})), 400, "not_whitelisted");
    let inverse = market.trader.get(&format!("/account/{}/whitelist_inverse", market.source)).expect(200).json;
    assert_eq!(inverse["accounts"], json!([]));
    assert_problem(&market.cancel(&bundles, &json!({"beneficiary_account_id": market.target})), 404, "account_missing");
}

#[test]
fn what_belongs_to_an_account_is_listed() {
    let market = Market::new(3, 1_000);
    let (source, target) = (market.source, market.target);
    let get = |account: domain::AccountId, path: &str| {
        let reader = market.app.with_user(&[Role::Auditor], &[]);
        reader.get(&format!("/account/{account}{path}")).expect(200).json
    };
    let named = json!([{"id": source, "account_name": "source"}]);
    assert_eq!(get(target, "/whitelist")["accounts"], named);
    assert_eq!(get(target, "/whitelist_inverse")["accounts"], json!([]));
    let named = json!([{"id": target, "account_name": "target"}]);
    assert_eq!(get(source, "/whitelist_inverse")["accounts"], named);
    // Whose an account is that one may send to is told; of who may send it is not.
    let kit = &market.app.testkit;
    let owned = kit.account_of("owned", Some(kit.organisation("Wind plc")));
    kit.whitelist(owned, source);
    kit.whitelist(source, owned);
    let receivers = get(source, "/whitelist_inverse");
    assert_eq!(receivers["accounts"][1]["organisation"], json!("Wind plc"), "{receivers}");
    assert_eq!(get(source, "/whitelist")["accounts"][0], json!({"id": owned, "account_name": "owned"}));
    assert_eq!(get(source, "/devices")["devices"][0]["id"], json!(market.device));
    assert_eq!(get(target, "/devices")["devices"], json!([]));
    let bundles = market.bundles(source);
    market.transfer(&bundles[..1], &json!({"certificate_quantity": 400})).expect(202);
    // the split parent is hidden, and the device is stated by the certificates though it is another account's
    let first = get(source, "/certificates?limit=2");
    let ids = |page: &Value| {
        let bundles = page["granular_certificate_bundles"].as_array().unwrap();
        bundles.iter().map(|bundle| bundle["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), [5, 2]);
    let next = format!("/certificates?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = get(source, &next);
    assert_eq!((ids(&second), &second["next_cursor"]), (vec![3], &Value::Null));
    assert_eq!(ids(&get(target, "/certificates")), [4]);
    let stated = get(target, "/certificates/devices");
    let device = &stated["devices"][0];
    assert_eq!((&device["id"], &device["device_name"]), (&json!(market.device), &json!("turbine")));
    assert_eq!((&device["capacity"], device.get("meter_data_id")), (&json!(1_000_000), None));
    assert_eq!((&stated["devices"][1], &stated["next_cursor"]), (&Value::Null, &Value::Null));
}

fn summary_of_an_account(engine: Engine) {
    let market = Market::on(engine, 4, 1_000);
    let (source, target) = (market.source, market.target);
    let empty = market.issuer.get(&format!("/account/{target}/summary")).expect(200).json;
    let none = json!({
        "num_devices": 0, "num_devices_by_type": {}, "device_capacity_by_type": {},
        "num_granular_certificate_bundles": 0, "num_cancelled_granular_certificate_bundles": 0,
        "total_certificate_energy": 0, "energy_by_fuel_type": {},
    });
    assert_eq!(empty, none);
    market.app.testkit.device("another", source);
    let bundles = market.bundles(source);
    market.transfer(&bundles[..1], &json!({"certificate_quantity": 400})).expect(202);
    market.cancel(&bundles[1..2], &json!({})).expect(202);
    let withdraw = json!({
        "source_id": source, "granular_certificate_bundle_ids": [BundleId(3)], "reason": "a mistake",
    });
    market.issuer.post("/certificate/withdraw", &withdraw).expect(202);
    let summary = market.trader.get(&format!("/account/{source}/summary")).expect(200).json;
    let expected = json!({
        "num_devices": 2, "num_devices_by_type": {"onshore wind turbine": 2},
        "device_capacity_by_type": {"onshore wind turbine": 2_000_000},
        "num_granular_certificate_bundles": 3, "num_cancelled_granular_certificate_bundles": 1,
        "total_certificate_energy": 2_600, "energy_by_fuel_type": {"wind": 2_600},
    });
    assert_eq!(summary, expected);
}

#[test]
fn a_summary_counts_what_counts() {
    summary_of_an_account(Engine::Sqlite);
}

#[test]
fn a_summary_counts_what_counts_on_postgres() {
    summary_of_an_account(Engine::Postgres);
}
