//! `/certificate/query`

use crate::{Market, START, assert_faults, assert_problem, merged};
use domain::Role;
use serde_json::{Value, json};
use testkit::ENGINES;
use testkit::http::Answer;

fn query(market: &Market, more: &Value) -> Answer {
    market.trader.post("/certificate/query", &merged(json!({"source_id": market.source}), more))
}

fn count(answer: &Answer) -> usize {
    answer.json["granular_certificate_bundles"].as_array().map_or(0, Vec::len)
}

#[test]
fn paging_to_the_end_gives_what_one_query_gives() {
    for engine in ENGINES {
        let market = Market::on(engine, 23, 100);
        market.transfer(&market.bundles(market.source)[3..4], &json!({"certificate_quantity": 1})).expect(202);
        let whole = query(&market, &json!({})).expect(202);
        assert_eq!((count(&whole), &whole.json["next_cursor"]), (23, &Value::Null));
        assert_eq!(whole.json["total_certificate_volume"], 2_299);
        let (mut found, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let page = query(&market, &json!({"limit": 5, "cursor": cursor})).expect(202);
            assert_eq!(page.json["total_certificate_volume"].is_null(), pages > 0, "on the first page only");
            found.extend(page.json["granular_certificate_bundles"].as_array().unwrap().clone());
            pages += 1;
            cursor = page.json["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!((pages, &Value::Array(found)), (5, &whole.json["granular_certificate_bundles"]));
    }
}

#[test]
fn the_period_rules_have_the_known_texts() {
    let market = Market::new(0, 0);
    for (more, text) in [
        (
            json!({"certificate_period_start": "2026-01-01"}),
            "certificate_period_end must be provided if certificate_period_start is more than 30 days ago.",
        ),
        (
            json!({"certificate_period_end": "2026-02-01"}),
            "certificate_period_start must be provided if certificate_period_end is provided.",
        ),
        (
            json!({"certificate_period_start": "2026-01-01", "certificate_period_end": "2026-02-01"}),
            "Difference between certificate_period_start and certificate_period_end must be 30 days or less.",
        ),
        (
            json!({"certificate_period_start": "2026-02-02", "certificate_period_end": "2026-02-01"}),
            "certificate_period_end must be greater than certificate_period_start.",
        ),
        (
            json!({"certificate_period_start": "2026-02-20", "issuance_ids": ["1-2026-02-01 00:00:00"]}),
            "Cannot provide issuance_ids with certificate_period_start or certificate_period_end.",
        ),
        (json!({"issuance_ids": ["zzz"]}), "Invalid issuance ID: zzz"),
    ] {
        let answer = query(&market, &more);
        assert_problem(&answer, 422, "bad_query");
        assert_eq!(answer.json["detail"], text);
    }
}

#[test]
fn every_filter_filters() {
    let market = Market::new(4, 100);
    let bundles = market.bundles(market.source);
    market.cancel(&bundles[..1], &json!({})).expect(202);
    let issuance = "1-electricity-20260201T010000Z";
    for (more, expected) in [
        (json!({}), 4),
        (json!({"device_id": market.device}), 4),
        (json!({"device_id": 99}), 0),
        (json!({"energy_source": "wind"}), 4),
        (json!({"energy_source": ["solar_pv", "hydro"]}), 0),
        (json!({"energy_source": ["solar_pv", "wind"]}), 4),
        (json!({"certificate_bundle_status": "Cancelled"}), 1),
        (json!({"certificate_bundle_status": "Active"}), 3),
        (json!({"certificate_bundle_status": "Bundle Split"}), 0),
        (json!({"certificate_period_start": START, "certificate_period_end": "2026-02-01T02:30:00Z"}), 2),
        (json!({"issuance_ids": [issuance]}), 1),
        (json!({"issuance_ids": [issuance, "1-2026-02-01 02:00:00", "7-2026-02-01"]}), 2),
        (json!({"sparse_filter_list": {"1": "2026-02-01T01:00:00+00:00"}}), 1),
        (json!({"sparse_filter_list": {"1": ["2026-02-01", "2026-02-01 03:00"], "2": "2026-02-01"}}), 2),
        (json!({"issuance_ids": [issuance], "certificate_bundle_id_range_start": 101}), 1),
        (json!({"issuance_ids": [issuance], "certificate_bundle_id_range_start": 102}), 0),
        (json!({"issuance_ids": [issuance], "certificate_bundle_id_range_end": "200"}), 1),
        (json!({"localise_time": true, "user_id": market.trader.user_id()}), 4),
    ] {
        let answer = query(&market, &more);
        assert_eq!(count(&answer.clone().expect(202)), expected, "{more}");
        assert_eq!(answer.json["total_certificate_volume"], expected * 100, "{more}");
    }
}

#[test]
fn the_query_is_echoed_and_split_parents_never_appear() {
    let market = Market::new(1, 100);
    let parent = market.bundles(market.source);
    market.transfer(&parent, &json!({"certificate_quantity": 40})).expect(202);
    let more = json!({"energy_source": "wind", "limit": "10", "certificate_period_start": "2026-02-01 00:00"});
    let answer = query(&market, &more).expect(202).json;
    assert_eq!((&answer["source_id"], &answer["limit"]), (&json!(market.source), &json!(10)));
    assert_eq!((&answer["energy_source"], &answer["certificate_period_start"]), (&json!(["wind"]), &json!(START)));
    let left = &answer["granular_certificate_bundles"];
    assert_eq!((left.as_array().unwrap().len(), &left[0]["parent_id"]), (1, &json!(parent[0])));
    assert_eq!(left[0]["certificate_bundle_id_range_start"], 41);
    let parents = query(&market, &json!({"certificate_bundle_status": "Bundle Split"})).expect(202).json;
    let (shown, volume) = (&parents["granular_certificate_bundles"], &parents["total_certificate_volume"]);
    assert_eq!((shown, volume), (&json!([]), &json!(0)));
}

#[test]
fn an_empty_answer_is_an_answer() {
    let market = Market::new(0, 0);
    let answer = query(&market, &json!({})).expect(202).json;
    assert_eq!(answer["granular_certificate_bundles"], json!([]));
    assert_eq!((&answer["total_certificate_volume"], &answer["next_cursor"]), (&json!(0), &Value::Null));
}

#[test]
fn an_account_of_others_is_not_found() {
    let market = Market::new(1, 100);
    let stranger = market.app.with_user(&[Role::TradingUser], &[market.target]);
    let answer = stranger.post("/certificate/query", &json!({"source_id": market.source}));
    assert_problem(&answer, 404, "not_found");
    assert_eq!(answer.text, stranger.post("/certificate/query", &json!({"source_id": market.source})).text);
    market.issuer.post("/certificate/query", &json!({"source_id": market.source})).expect(202);
    assert_problem(&query(&market, &json!({"user_id": 999})), 403, "forbidden");
}

#[test]
fn bad_members_of_a_query_are_all_named() {
    let market = Market::new(0, 0);
    let answer = query(
        &market,
        &json!({
            "source_id": 0, "device_id": "x", "energy_source": ["wind", "fire"], "certificate_period_start": 7,
            "certificate_bundle_status": "Gone", "certificate_bundle_id_range_start": 1, "limit": 1_001, "cursor": "zz",
            "sparse_filter_list": {"x": "2026-02-01", "1": "never"}, "issuance_ids": [], "period": 1,
        }),
    );
    assert_faults(
        &answer,
        &[
            ("body.source_id", "greater_than"),
            ("body.device_id", "int_parsing"),
            ("body.energy_source.1", "enum"),
            ("body.certificate_period_start", "datetime_type"),
            ("body.certificate_bundle_status", "enum"),
            ("body.certificate_bundle_id_range_start", "value_error"),
            ("body.limit", "less_than_equal"),
            ("body.cursor", "value_error"),
            ("body.sparse_filter_list.x", "int_parsing"),
            ("body.sparse_filter_list.1", "datetime_from_date_parsing"),
            ("body.sparse_filter_list", "value_error"),
            ("body.issuance_ids", "too_short"),
            ("body.period", "extra_forbidden"),
        ],
    );
}
