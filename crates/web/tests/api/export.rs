//! `/certificate/export`

use crate::{Market, START, app, assert_faults, assert_problem, hours_from, start};
use domain::Role;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::http::{Answer, TestApp};
use testkit::{ENGINES, Engine, TestRegistry};
use web::Limits;

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// Wh of each line, by account and status.
fn sum(lines: &[Value], account: i64, status: &str) -> u64 {
    let wanted = |line: &&Value| line["account_id"] == account && line["certificate_bundle_status"] == status;
    lines.iter().filter(wanted).map(|line| line["bundle_quantity"].as_u64().expect("Wh")).sum()
}

#[test]
fn everything_an_account_holds_is_exported_without_split_parents() {
    for engine in ENGINES {
        let market = Market::on(engine, 30, 1_000);
        let bundles = market.bundles(market.source);
        market.transfer(&bundles[..1], &json!({"certificate_quantity": 400})).expect(202);
        let formula = json!({"certificate_quantity": 300, "beneficiary": "=1+1"});
        market.cancel(&bundles[1..2], &formula).expect(202);

        let path = format!("/certificate/export?source_id={}", market.source);
        let answer = market.trader.get(&format!("{path}&format=ndjson")).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        let found = lines(&answer);
        assert_eq!(found.len(), 31, "28 whole ones, a rest, a cancelled part and its rest");
        assert_eq!(sum(&found, market.source.0, "Active"), 30_000 - 400 - 300);
        assert_eq!(sum(&found, market.source.0, "Cancelled"), 300);
        assert_eq!(found.iter().filter(|line| line["beneficiary"] == "=1+1").count(), 1);
        let of_query = market.trader.post("/certificate/query", &json!({"source_id": market.source})).expect(202);
        let of_query = of_query.json["granular_certificate_bundles"].as_array().expect("a list").clone();
        for (line, bundle) in found.iter().zip(&of_query) {
            for name in ["id", "issuance_id", "hash", "production_starting_interval", "expiry_datestamp", "parent_id"] {
                assert_eq!(line[name], bundle[name], "{name}");
            }
        }

        let answer = market.trader.get(&path).expect(200);
        assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
        assert!(answer.header("content-disposition").is_some_and(|value| value.contains("certificates.csv")));
        assert!(
            answer.text.starts_with("id,issuance_id,hash,certificate_bundle_status,account_id,"),
            "{}",
            answer.text
        );
        assert_eq!(answer.text.lines().count(), 32);
        assert!(answer.text.contains(",'=1+1,"), "a spreadsheet must not calculate");
    }
}

#[test]
fn filters_narrow_and_may_span_more_than_a_query() {
    let market = Market::new(30, 1_000);
    market.cancel(&market.bundles(market.source)[..2], &json!({})).expect(202);
    let count = |more: &str| {
        let path = format!("/certificate/export?format=ndjson&source_id={}{more}", market.source);
        lines(&market.trader.get(&path).expect(200)).len()
    };
    for (more, expected) in [
        ("", 30),
        ("&certificate_bundle_status=Cancelled", 2),
        ("&certificate_bundle_status=Expired", 0),
        ("&certificate_period_start=2026-02-01T05:00&certificate_period_end=2026-02-01T10:00:00Z", 5),
        ("&certificate_period_start=2020-01-01&certificate_period_end=2030-01-01", 30),
        ("&energy_source=wind", 30),
        ("&energy_source=solar_pv", 0),
        ("&device_id=1", 30),
        ("&device_id=2", 0),
        ("&issuance_id=1-electricity-20260201T050000Z", 1),
        ("&issuance_id=1-2026-02-01%2005:00:00", 1),
        ("&issuance_id=1-electricity-20260201T050000Z&certificate_bundle_status=Cancelled", 0),
        ("&issuance_id=1-electricity-20200201T050000Z", 0),
        ("&issuance_id=2-electricity-20260201T050000Z", 0),
    ] {
        assert_eq!(count(more), expected, "{more}");
    }
    market.app.testkit.time.set("2035-01-01T00:00:00Z".parse().expect("an instant"));
    assert_eq!(market.trader.get("/certificate/export").status, 401, "the token has expired as well");
    let trader = market.app.with_user(&[Role::TradingUser], &[market.source]);
    let path = format!("/certificate/export?format=ndjson&source_id={}", market.source);
    let found = lines(&trader.get(&path).expect(200));
    assert_eq!(sum(&found, market.source.0, "Expired"), 28_000, "as every decision sees them");
}

#[test]
fn strangers_export_nothing_and_auditors_everything() {
    let market = Market::new(3, 1_000);
    market.transfer(&market.bundles(market.source)[..1], &json!({})).expect(202);
    let stranger = market.app.with_user(&[Role::TradingUser, Role::ProductionUser], &[market.target]);
    let of = |id: i64| format!("/certificate/export?source_id={id}");
    assert_problem(&stranger.get(&of(market.source.0)), 404, "not_found");
    assert_problem(&stranger.get(&of(99)), 404, "not_found");
    assert_problem(&stranger.get("/certificate/export"), 403, "forbidden");
    assert_eq!(stranger.get(&of(market.target.0)).expect(200).text.lines().count(), 2);
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    let all = lines(&auditor.get("/certificate/export?format=ndjson").expect(200));
    assert_eq!((sum(&all, market.source.0, "Active"), sum(&all, market.target.0, "Active")), (2_000, 1_000));
    assert_problem(&auditor.get(&of(99)), 404, "not_found");
}

#[test]
fn what_is_asked_must_make_sense() {
    let app = app();
    let auditor = app.with_user(&[Role::Auditor], &[]);
    let bad = "/certificate/export?source_id=0&format=xlsx&certificate_bundle_status=active&typo=1&issuance_id=zzz\
        &certificate_period_start=2026-02-02&certificate_period_end=2026-02-01";
    let expected = [
        ("query.source_id", "greater_than"),
        ("query.format", "enum"),
        ("query.certificate_bundle_status", "enum"),
        ("query.issuance_id", "value_error"),
        ("query.typo", "extra_forbidden"),
        ("query.certificate_period_end", "value_error"),
    ];
    assert_faults(&auditor.get(bad), &expected);
}

#[test]
fn many_pieces_arrive_in_order_and_an_empty_registry_has_a_header_only() {
    let app = app();
    let auditor = app.with_user(&[Role::Auditor], &[]);
    assert_eq!(auditor.get("/certificate/export").expect(200).text.lines().count(), 1);
    let kit = &app.testkit;
    let account = kit.account("a");
    kit.metadata();
    for name in ["one", "two", "three"] {
        kit.readings(kit.device(name, account), hours_from(start(), 600), 5);
    }
    let issuer = app.with_user(&[Role::GcIssuer], &[]);
    issuer.post("/certificate/issue", &json!({"metadata_id": 1, "from": START, "to": "2026-03-01"})).expect(202);
    let found = lines(&auditor.get("/certificate/export?format=ndjson").expect(200));
    assert!((1..=1_800).eq(found.iter().map(|line| line["id"].as_i64().expect("an id"))));
}

#[test]
fn further_exports_are_told_to_come_back_and_slow_ones_end() {
    let limits = Limits { exports_max: 0, ..Limits::default() };
    let app = TestApp::with(TestRegistry::on(Engine::Sqlite), limits);
    let answer = app.with_user(&[Role::Auditor], &[]).get("/certificate/export");
    assert_problem(&answer, 503, "busy");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let limits = Limits { exports_per_user_max: 0, ..Limits::default() };
    let app = TestApp::with(TestRegistry::on(Engine::Sqlite), limits);
    let answer = app.with_user(&[Role::Auditor], &[]).get("/certificate/export");
    assert_problem(&answer, 429, "too_many_exports");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let limits = Limits { export_time: Duration::ZERO, ..Limits::default() };
    let app = TestApp::with(TestRegistry::on(Engine::Sqlite), limits);
    let answer = app.with_user(&[Role::Auditor], &[]).get("/certificate/export");
    assert_problem(&answer, 503, "unavailable");
}
