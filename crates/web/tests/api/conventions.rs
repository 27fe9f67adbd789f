//! What holds for every address: slashes, ids, headers, sizes, tokens.

use crate::{Market, app, assert_faults, assert_problem};
use domain::Role;
use serde_json::{Value, json};

#[test]
fn a_trailing_slash_is_accepted_and_never_redirected() {
    let app = app();
    let trader = app.with_user(&[Role::TradingUser], &[]);
    for path in ["/user/me/", "/user/me/accounts///", "/health/live/", "/docs/", "/openapi.json/"] {
        trader.get(path).expect(200);
    }
    assert_faults(
        &trader.post("/certificate/transfer/?dry_run=true", &json!({"source_id": 1, "target_id": 2})),
        &[("body.granular_certificate_bundle_ids", "missing")],
    );
}

#[test]
fn certificates_is_an_alias_of_certificate() {
    let market = Market::new(1, 100);
    let body = json!({"source_id": market.source});
    let (one, other) =
        (market.trader.post("/certificate/query", &body), market.trader.post("/certificates/query", &body));
    assert_eq!(one.expect(202).text, other.expect(202).text);
    market.trader.get("/certificates/1/").expect(200);
}

#[test]
fn an_unknown_address_and_a_wrong_method_are_problems() {
    let app = app();
    let somebody = app.with_user(&[], &[]);
    for path in ["/nothing", "/user", "/certificate/", "/docs/secret.txt", "/problems/unknown", "/user/1/2/3"] {
        assert_problem(&somebody.get(path), 404, "no_such_page");
    }
    let wrong = somebody.send("DELETE", "/user/create", "");
    assert_problem(&wrong, 405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("POST"));
    assert_problem(&somebody.get("/certificate/query"), 405, "method_not_allowed");
    assert_problem(&app.anonymous().send("PUT", "/user/1", "{}"), 405, "method_not_allowed");
}

#[test]
fn every_answer_has_a_request_id_and_security_headers() {
    let app = app();
    let anonymous = app.anonymous();
    let own = anonymous.with_header("x-request-id", "trace-1.2_3").get("/health/live");
    assert_eq!(own.header("x-request-id"), Some("trace-1.2_3"));
    let odd = anonymous.with_header("x-request-id", "<script>").get("/health/live");
    assert_ne!(odd.header("x-request-id"), Some("<script>"));
    for path in ["/health/live", "/user/me", "/nothing", "/docs", "/redoc", "/problems"] {
        let answer = anonymous.get(path);
        assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
    }
}

#[test]
fn without_a_valid_bearer_token_there_is_nothing_to_see() {
    let app = app();
    let anonymous = app.anonymous();
    let real = app.with_user(&[Role::Auditor], &[]);
    let token = real.token();
    let odd = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer nonsense".to_owned(),
        format!("Bearer {}", "x".repeat(5_000)),
        format!("Basic {token}"),
        format!("Bearer {token}x"),
        token.to_owned(),
    ];
    for value in odd {
        let answer = anonymous.with_header("authorization", &value).get("/user/me");
        assert_problem(&answer, 401, "no_token");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{value}");
    }
    let cookie = anonymous.with_header("cookie", &format!("session={token}")).get("/user/me");
    assert_problem(&cookie, 401, "no_token");
    anonymous.with_header("authorization", &format!("bearer  {token}")).get("/user/me").expect(200);
    // Before the body is looked at.
    assert_problem(&anonymous.send("POST", "/certificate/transfer", "{"), 401, "no_token");
}

#[test]
fn what_is_no_json_object_is_told_so() {
    let app = app();
    let somebody = app.with_user(&[], &[]);
    let deep = format!("{{\"source_id\":{}1{}}}", "[".repeat(100), "]".repeat(100));
    for (body, kind) in [
        ("", "missing"),
        (" ", "missing"),
        ("{", "json_invalid"),
        ("{'source_id':1}", "json_invalid"),
        ("{\"source_id\":1} x", "json_invalid"),
        ("{\"source_id\":NaN}", "json_invalid"),
        (deep.as_str(), "json_invalid"),
        ("[]", "model_attributes_type"),
        ("null", "model_attributes_type"),
        ("\"text\"", "model_attributes_type"),
    ] {
        assert_faults(&somebody.send("POST", "/certificate/transfer", body), &[("body", kind)]);
    }
}

#[test]
fn a_body_is_read_as_json_whatever_its_content_type_says() {
    let market = Market::new(1, 100);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json", "nonsense"] {
        let body = json!({"source_id": market.source}).to_string();
        market.trader.with_header("content-type", kind).send("POST", "/certificate/query", &body).expect(202);
    }
}

#[test]
fn a_body_above_a_mebibyte_is_refused_and_one_below_is_read() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let body = |bytes: usize| format!("{{\"account_name\":\"{}\"}}", "x".repeat(bytes));
    for bytes in [1024 * 1024, 20 * 1024 * 1024] {
        assert_problem(&administrator.send("POST", "/account/create", &body(bytes)), 413, "too_large");
    }
    assert_faults(
        &administrator.send("POST", "/account/create", &body(1_000_000)),
        &[("body.account_name", "string_too_long")],
    );
}

#[test]
fn headers_are_bounded() {
    let app = app();
    let large = app.anonymous().with_header("x-large", &"x".repeat(70_000)).get("/health/live");
    assert_eq!(large.status, 431);
    let mut many = app.anonymous();
    for number in 0..101 {
        many = many.with_header(&format!("x-header-{number}"), "x");
    }
    assert_eq!(many.get("/health/live").status, 431);
    app.anonymous().with_header("x-large", &"x".repeat(40_000)).get("/health/live").expect(200);
}

#[test]
fn who_sends_a_large_body_with_a_bad_token_still_sees_the_answer() {
    let app = app();
    let body = "x".repeat(20 * 1024 * 1024);
    assert_problem(&app.anonymous().send("POST", "/measurement/submit_readings", &body), 401, "no_token");
}

#[test]
fn a_read_asks_for_the_event_that_a_change_reached() {
    let app = app();
    let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
    let made = administrator.post("/account/create", &json!({"account_name": "a"})).expect(201);
    let fresh = administrator.with_header("x-granary-event", &made.event().to_string());
    let path = format!("/account/{}", made.json["id"]);
    assert_eq!(fresh.get(&path).expect(200).json, made.json);
    for odd in ["x", "-1", "1.5", ""] {
        let answer = administrator.with_header("x-granary-event", odd).get(&path);
        assert_faults(&answer, &[("header.X-Granary-Event", "int_parsing")]);
    }
}

#[test]
fn ids_in_the_path_are_whole_numbers_from_one() {
    let app = app();
    let auditor = app.with_user(&[Role::Auditor], &[]);
    for (id, kind) in [
        ("0", "greater_than"),
        ("-1", "greater_than"),
        ("abc", "int_parsing"),
        ("1.5", "int_from_float"),
        ("99999999999999999999", "less_than_equal"),
        ("%00", "int_parsing"),
        ("%ff", "missing"),
    ] {
        for noun in ["user", "account", "device", "measurement", "certificate", "certificate/metadata", "job"] {
            assert_faults(&auditor.get(&format!("/{noun}/{id}")), &[("path.id", kind)]);
        }
    }
    let unknown = auditor.get("/account/999");
    assert_problem(&unknown, 404, "not_found");
    assert_eq!(unknown.json["detail"], "Account with id 999 not found");
}

#[test]
fn large_answers_are_compressed_and_small_ones_are_not() {
    let market = Market::new(10, 100);
    let client = market.trader.with_header("accept-encoding", "zstd");
    let small = client.get("/user/me").expect(200);
    assert_eq!(small.header("content-encoding"), None);
    let document = app().anonymous().get("/openapi.json").expect(200);
    assert_eq!(document.header("content-encoding"), None, "nobody asked for it");
    let head = client.send("HEAD", "/openapi.json", "").expect(200);
    assert_eq!((head.header("content-encoding"), head.text.as_str()), (Some("zstd"), ""));
}

#[test]
fn all_faults_of_a_body_are_told_at_once_in_known_words() {
    let app = app();
    let somebody = app.with_user(&[Role::TradingUser], &[]);
    let body = json!({
        "target_id": "x", "granular_certificate_bundle_ids": [1, 0, "y", 1.5, null], "certificate_quantity": -1,
        "user_id": true, "localise_time": "maybe", "quantity": 3, "is_deleted": true,
    });
    let answer = somebody.post("/certificate/transfer", &body);
    assert_faults(
        &answer,
        &[
            ("body.source_id", "missing"),
            ("body.target_id", "int_parsing"),
            ("body.granular_certificate_bundle_ids.1", "greater_than"),
            ("body.granular_certificate_bundle_ids.2", "int_parsing"),
            ("body.granular_certificate_bundle_ids.3", "int_from_float"),
            ("body.granular_certificate_bundle_ids.4", "int_type"),
            ("body.certificate_quantity", "greater_than"),
            ("body.user_id", "int_type"),
            ("body.localise_time", "bool_parsing"),
            ("body.quantity", "extra_forbidden"),
            ("body.is_deleted", "value_error"),
        ],
    );
    let missing = json!({"loc": ["body", "source_id"], "msg": "Field required", "type": "missing"});
    assert!(answer.json["detail"].as_array().unwrap().contains(&missing), "{}", answer.text);
}

#[test]
fn members_that_only_an_answer_carries_are_passed_over() {
    let market = Market::new(1, 100);
    let bundle = market.bundles(market.source);
    let answer = market.transfer(
        &bundle,
        &json!({
            "id": 7, "created_at": "2026-01-01", "is_deleted": false, "hash": "x", "action_type": "transfer",
            "action_response_status": "accepted", "localise_time": true, "user_id": market.trader.user_id(),
            "beneficiary": Value::Null,
        }),
    );
    answer.expect(202);
}

#[test]
fn a_misspelt_parameter_never_turns_a_dry_run_into_a_run() {
    let market = Market::new(1, 100);
    let body = market.transfer_body(&market.bundles(market.source), &json!({}));
    let before = market.event();
    assert_faults(
        &market.trader.post("/certificate/transfer?dry_rum=true", &body),
        &[("query.dry_rum", "extra_forbidden")],
    );
    assert_faults(
        &market.trader.post("/certificate/transfer?dry_run=perhaps", &body),
        &[("query.dry_run", "bool_parsing")],
    );
    assert_eq!(market.event(), before);
}
