//! `/metrics`

use crate::{Market, app, assert_problem};
use domain::{Role, Scope, Scopes};
use serde_json::json;
use testkit::ENGINES;
use testkit::http::Client;

/// The value of one line of the text.
fn value(text: &str, line: &str) -> Option<i64> {
    let found = text.lines().find_map(|told| told.strip_prefix(line)?.strip_prefix(' '))?;
    Some(found.parse().unwrap_or_else(|_| panic!("{line} is {found}")))
}

/// From another machine, by way of a proxy.
fn afar(client: &Client) -> Client {
    client.with_header("x-forwarded-for", "192.0.2.7")
}

#[test]
fn requests_are_counted_by_route_and_the_ledger_by_its_own_counters() {
    for engine in ENGINES {
        let market = Market::on(engine, 3, 100);
        let bundles = market.bundles(market.source);
        market.transfer(&bundles[..1], &json!({"certificate_quantity": 10})).expect(202);
        assert_eq!(market.transfer(&bundles, &json!({})).status, 400);
        assert_eq!(market.cancel(&bundles[1..], &json!({"certificate_quantity": 1_000})).status, 400);
        for id in [1, 2, 999] {
            market.trader.get(&format!("/device/{id}/"));
        }
        market.trader.get("/no/such/page");
        let answer = market.app.anonymous().get("/metrics").expect(200);
        assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
        let text = answer.text;
        assert!(text.ends_with("# EOF\n"));
        let requests = |route: &str, method: &str, status: u16| {
            value(
                &text,
                &format!("granary_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}"),
            )
        };
        assert_eq!(requests("/certificate/transfer", "POST", 202), Some(1));
        assert_eq!(requests("/certificate/transfer", "POST", 400), Some(1));
        assert_eq!(requests("/device/{id}", "GET", 404), Some(2));
        assert_eq!(requests("none", "GET", 404), Some(1));
        assert!(!text.contains("/no/such"), "addresses that are made up are not told");
        let count = value(&text, "granary_http_request_duration_seconds_count{route=\"/device/{id}\"}");
        assert_eq!(count, Some(3));
        assert_eq!(value(&text, "granary_log_events"), Some(market.event()));
        assert_eq!(value(&text, "granary_ledger_bundles"), Some(5), "three issued, two of a split");
        assert_eq!(value(&text, "granary_jobs{state=\"done\"}"), Some(1));
        assert_eq!(value(&text, "granary_jobs{state=\"failed\"}"), Some(0));
        assert_eq!(value(&text, "granary_rejected_actions_kept"), Some(2));
        let rejected = "granary_actions_rejected_total{action_type=\"cancel\",reason=\"not_enough\"}";
        assert_eq!(value(&text, rejected), Some(1));
        assert!(value(&text, "granary_sessions").unwrap() >= 2);
        assert_eq!(value(&text, "granary_queue_works"), Some(0));
        let batches = value(&text, "granary_batch_works_count").unwrap();
        assert!(batches > 0);
        assert_eq!(value(&text, "granary_batch_works_bucket{le=\"+Inf\"}"), Some(batches));
        assert_eq!(value(&text, "granary_commit_duration_seconds_count"), Some(batches));
        assert_eq!(value(&text, "granary_replica_up"), None, "there is no replica");
    }
}

#[test]
fn the_machine_itself_may_read_the_metrics_and_from_afar_who_operates_it() {
    let app = app();
    app.anonymous().get("/metrics").expect(200);
    let document = app.anonymous().get("/openapi.json").expect(200).json;
    let security = &document["paths"]["/metrics"]["get"]["security"];
    assert_eq!(*security, json!([{}, {"bearer": []}, {"api_key": ["metrics"]}]), "a token may be left out");
    assert_problem(&afar(&app.anonymous()).get("/metrics"), 401, "no_token");
    for role in [Role::GcIssuer, Role::Auditor, Role::TradingUser] {
        assert_problem(&afar(&app.with_user(&[role], &[])).get("/metrics"), 403, "forbidden");
    }
    afar(&app.with_user(&[Role::RegistryAdministrator], &[])).get("/metrics").expect(200);
    let proxied = app.anonymous().with_header("forwarded", "for=192.0.2.7").get("/metrics");
    assert_problem(&proxied, 401, "no_token");
}

#[test]
fn a_key_reads_the_metrics_with_its_scope_and_its_owners_role() {
    let app = app();
    let key = |role: Role, scope: Scope| {
        let owner = app.with_user(&[role], &[]);
        let registry = &app.testkit.registry;
        let caller = registry.authenticate(owner.token()).unwrap();
        let made = registry.create_api_key(&caller, "prometheus", None, Scopes::of(&[scope])).unwrap();
        afar(&app.anonymous().with_token(&made.secret))
    };
    key(Role::RegistryAdministrator, Scope::Metrics).get("/metrics").expect(200);
    assert_problem(&key(Role::RegistryAdministrator, Scope::Read).get("/metrics"), 403, "scope_missing");
    assert_problem(&key(Role::Auditor, Scope::Metrics).get("/metrics"), 403, "forbidden");
}
