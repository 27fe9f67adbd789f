//! `/measurement/…`, one reading alone.

use crate::{Market, START, assert_faults, assert_problem, merged};
use domain::action::Deed;
use domain::{Actor, BundleId, Portion, Role, WattHours};
use serde_json::{Value, json};
use testkit::http::{Answer, Client};
use testkit::{ENGINES, Engine};

const CREATE: &str = "/measurement/create";

/// The hour of reading 1, and as a number of hours after it.
fn body(market: &Market, hours: i64, energy: &Value) -> Value {
    json!({
        "device_id": market.device, "interval_start_datetime": format!("2026-02-01T{hours:02}:00:00Z"),
        "interval_end_datetime": format!("2026-02-01T{:02}:00:00Z", hours + 1), "interval_usage": energy,
        "gross_net_indicator": "NET",
    })
}

fn meter(market: &Market) -> Client {
    market.app.with_user(&[Role::MeasurementBody], &[])
}

fn correct(client: &Client, id: i64, energy: i64) -> Answer {
    client.patch(&format!("/measurement/update/{id}"), &json!({"interval_usage": energy, "reason": "read again"}))
}

fn delete(client: &Client, id: i64) -> Answer {
    client.send("DELETE", &format!("/measurement/delete/{id}"), "")
}

fn release(client: &Client, id: i64) -> Answer {
    client.post(&format!("/measurement/release/{id}"), &json!({"reason": "the meter was right"}))
}

/// (status, issued, held, shortfall, issuable)
fn figures(reading: &Value) -> (&str, i64, i64, i64, i64) {
    let wh = |name: &str| reading[name].as_i64().expect("whole Wh");
    let status = reading["status"].as_str().expect("a status");
    (status, wh("issued_wh"), wh("held_wh"), wh("shortfall_wh"), wh("issuable_wh"))
}

fn withdraw(market: &Market, bundle: i64, energy: u64) {
    let deed = Deed::Withdraw { reason: "a doubt".to_owned(), export_failed: false };
    let portion = Portion::Quantity(WattHours(energy));
    market
        .app
        .testkit
        .bundles(Actor::Operator, market.source, &[BundleId(bundle)], portion, deed)
        .expect("it is there");
}

#[test]
fn a_reading_is_stated_once() {
    for engine in ENGINES {
        let market = Market::on(engine, 0, 0);
        let meter = meter(&market);
        for (hours, energy, wh) in [
            (0, json!(5_000), 5_000),
            (1, json!(5_000.0), 5_000),
            (2, json!("3"), 3),
            (3, json!(2.9), 2),
            (4, json!("1.5e3"), 1_500),
        ] {
            let made = meter.post(CREATE, &body(&market, hours, &energy)).expect(201);
            assert!(made.event() > 0);
            let made = made.json;
            assert_eq!((&made["id"], &made["interval_usage"]), (&json!(hours + 1), &json!(wh)));
            assert_eq!((&made["quality"], &made["source"]), (&json!("measured"), &json!("submitted")));
            assert_eq!((&made["created_at"], &made["is_deleted"]), (&json!("2026-03-01T12:00:00Z"), &json!(false)));
            assert_eq!(figures(&made), ("pending", 0, 0, 0, wh));
            // What was answered may come back, and says the same.
            let event = market.event();
            let again = meter.post(CREATE, &made).expect(200).json;
            assert_eq!((again, market.event()), (made, event));
        }
        let corrected = meter.post(CREATE, &body(&market, 0, &json!(4_000))).expect(201).json;
        assert_eq!((&corrected["id"], &corrected["interval_usage"]), (&json!(6), &json!(4_000)));
        let old = meter.get("/measurement/1").expect(200).json;
        assert_eq!((&old["superseded_by"], figures(&old)), (&json!(6), ("superseded", 0, 0, 0, 0)));
    }
}

#[test]
fn a_reading_that_breaks_a_rule_is_refused_with_its_reason() {
    let market = Market::new(1, 100);
    let meter = meter(&market);
    let producer = market.app.with_user(&[Role::ProductionUser], &[market.source]);
    let event = market.event();
    let half = json!({"interval_start_datetime": "2026-02-01T00:30:00Z"});
    for (change, cause) in [
        (
            json!({"interval_end_datetime": "2026-02-01T03:00:00Z"}),
            json!({"reason": "interval_length", "seconds": 10_800, "min": 60, "max": 3_600}),
        ),
        (json!({"interval_usage": -5}), json!({"reason": "negative_energy", "energy_wh": -5})),
        (json!({"gross_net_indicator": "gross"}), json!({"reason": "gross_net_differs", "fixed": "NET"})),
        (half, json!({"reason": "overlaps", "start": START, "end": "2026-02-01T01:00:00Z"})),
    ] {
        let answer = meter.post(CREATE, &merged(body(&market, 0, &json!(100)), &change));
        assert_problem(&answer, 400, "reading_refused");
        assert_eq!(answer.json["cause"], cause);
        let detail = answer.json["detail"].as_str().expect("a sentence");
        assert!(detail.starts_with("The reading is not accepted: the "), "{detail}");
    }
    let issued = meter.post(CREATE, &body(&market, 0, &json!(90)));
    assert_problem(&issued, 409, "already_issued");
    assert_eq!(issued.json["reading_wh"], 100);
    let unknown = meter.post(CREATE, &merged(body(&market, 0, &json!(90)), &json!({"device_id": 99})));
    assert_problem(&unknown, 404, "device_missing");
    assert_problem(&producer.post(CREATE, &body(&market, 1, &json!(90))), 403, "forbidden");
    assert_eq!(market.event(), event);
    let shape = json!({
        "device_id": "x", "interval_start_datetime": "2026-02-01T01:00:00Z", "interval_end_datetime": START,
        "interval_usage": "ten", "gross_net_indicator": "BOTH", "quality": "guessed", "colour": "red",
    });
    assert_faults(
        &meter.post(CREATE, &shape),
        &[
            ("body.device_id", "int_parsing"),
            ("body.interval_end_datetime", "value_error"),
            ("body.interval_usage", "value_error"),
            ("body.gross_net_indicator", "enum"),
            ("body.quality", "enum"),
            ("body.colour", "extra_forbidden"),
        ],
    );
}

/// The example of the contract.
#[test]
fn a_correction_downward_takes_back_what_is_not_sold_and_the_rest_is_a_shortfall() {
    for engine in ENGINES {
        let market = Market::on(engine, 1, 1_000);
        let meter = meter(&market);
        market.transfer(&[BundleId(1)], &json!({"certificate_quantity": 600})).expect(202);
        let corrected = correct(&market.issuer, 1, 500).expect(200);
        assert_eq!(corrected.event(), market.event());
        let corrected = corrected.json;
        assert_eq!((&corrected["id"], &corrected["source"]), (&json!(2), &json!("issuer")));
        assert_eq!(figures(&corrected), ("issued", 600, 0, 100, 0));
        // Which bundles those are, whoever holds them, and which version it took the place of.
        let bundles = (&corrected["granular_certificate_bundle_ids"], &corrected["withdrawn_bundle_ids"]);
        assert_eq!(bundles, (&json!([2]), &json!([3])));
        assert_eq!(corrected["supersedes"], 1);
        let old = meter.get("/measurement/1").expect(200).json;
        assert_eq!((&old["supersedes"], &old["superseded_by"]), (&Value::Null, &json!(2)));
        assert_eq!(old["granular_certificate_bundle_ids"], json!([]));
        let withdrawn = market.issuer.get("/certificate/3").expect(200).json;
        assert_eq!(
            (&withdrawn["certificate_bundle_status"], &withdrawn["bundle_quantity"]),
            (&json!("Withdrawn"), &json!(400))
        );
        let again = correct(&meter, 2, 700).expect(200).json;
        assert_eq!(figures(&again), ("pending", 600, 0, 0, 100));
        let job = market.issue().expect(202).json;
        assert_eq!((&job["issued"], &job["quantity"]), (&json!(1), &json!(100)));
        let settled = meter.get("/measurement/3").expect(200).json;
        assert_eq!(figures(&settled), ("issued", 700, 0, 0, 0));
        assert_eq!(settled["granular_certificate_bundle_ids"], json!([2, 4]));
        testkit::assert_verified(market.app.testkit.database.url());
    }
}

#[test]
fn a_correction_names_the_version_that_counts() {
    let market = Market::new(1, 100);
    let meter = meter(&market);
    let event = market.event();
    assert_eq!(correct(&meter, 1, 100).expect(200).json["id"], 1);
    let fixed = json!({
        "device_id": market.device, "interval_start_datetime": START, "interval_end_datetime": "2026-02-01T01:00",
        "gross_net_indicator": "NET", "quality": "measured",
    });
    assert_eq!(meter.patch("/measurement/update/1", &fixed).expect(200).json["id"], 1);
    assert_eq!(meter.patch("/measurement/update/1", &json!({})).expect(200).json["id"], 1);
    assert_eq!(market.event(), event, "what is known changes nothing");
    for (change, slug) in [
        (json!({"device_id": 2}), "reading_fixed"),
        (json!({"interval_end_datetime": "2026-02-01T00:30"}), "reading_fixed"),
        (json!({"interval_usage": -1}), "reading_refused"),
        (json!({"quality": "estimated"}), "reading_refused"),
    ] {
        assert_problem(&meter.patch("/measurement/update/1", &change), 400, slug);
    }
    assert_problem(&correct(&meter, 99, 5), 404, "measurement_missing");
    correct(&meter, 1, 90).expect(200);
    let stale = correct(&meter, 1, 80);
    assert_problem(&stale, 409, "reading_superseded");
    assert_eq!(stale.json["superseded_by"], 2);
    let refused = delete(&meter, 2);
    assert_problem(&refused, 409, "already_issued");
    let faults =
        meter.patch("/measurement/update/2", &json!({"interval_usage": true, "reason": "", "interval_used": 1}));
    let expected = [
        ("body.interval_usage", "decimal_type"),
        ("body.reason", "string_too_short"),
        ("body.interval_used", "extra_forbidden"),
    ];
    assert_faults(&faults, &expected);
}

#[test]
fn a_deleted_reading_counts_no_more_and_its_interval_is_free() {
    for engine in ENGINES {
        let market = Market::on(engine, 0, 0);
        let meter = meter(&market);
        let producer = market.app.with_user(&[Role::ProductionUser], &[market.source]);
        let made = producer.post(CREATE, &body(&market, 0, &json!(100))).expect(201).json;
        let gone = delete(&producer, 1).expect(200).json;
        assert_eq!((&gone["is_deleted"], &gone["superseded_by"]), (&json!(true), &Value::Null));
        assert_eq!((figures(&gone), &gone["interval_usage"]), (("deleted", 0, 0, 0, 0), &made["interval_usage"]));
        let event = market.event();
        assert_eq!(delete(&meter, 1).expect(200).json, gone);
        assert_eq!(market.event(), event);
        assert_problem(&correct(&meter, 1, 5), 404, "measurement_missing");
        let job = market.issue().expect(202).json;
        assert_eq!((&job["done"], &job["issued"]), (&json!(0), &json!(0)));
        let half = json!({"interval_end_datetime": "2026-02-01T00:30:00Z"});
        let made = producer.post(CREATE, &merged(body(&market, 0, &json!(100)), &half)).expect(201).json;
        assert_eq!(made["id"], 2);
        testkit::assert_verified(market.app.testkit.database.url());
    }
}

#[test]
fn what_is_held_is_released_with_a_reason() {
    let market = Market::on(Engine::Postgres, 1, 1_000);
    withdraw(&market, 1, 300);
    let held = market.issuer.get("/measurement/1").expect(200).json;
    assert_eq!(figures(&held), ("held", 700, 300, 0, 0));
    assert_faults(&market.issuer.post("/measurement/release/1", &json!({})), &[("body.reason", "missing")]);
    assert_problem(&release(&meter(&market), 1), 403, "forbidden");
    let released = release(&market.issuer, 1).expect(200).json;
    assert_eq!(figures(&released), ("pending", 700, 0, 0, 300));
    assert_problem(&release(&market.issuer, 1), 400, "nothing_held");
    assert_problem(&release(&market.issuer, 99), 404, "measurement_missing");
    assert_eq!(market.issue().expect(202).json["quantity"], 300);
    testkit::assert_verified(market.app.testkit.database.url());
}

#[test]
fn a_list_shows_each_reading_and_what_became_of_it() {
    for engine in ENGINES {
        let market = Market::on(engine, 3, 100);
        let meter = meter(&market);
        withdraw(&market, 2, 100);
        for (hours, quality, energy) in [(3, "estimated", 50), (4, "measured", 60), (5, "measured", 70)] {
            let body = merged(body(&market, hours, &json!(energy)), &json!({"quality": quality}));
            meter.post(CREATE, &body).expect(201);
        }
        correct(&meter, 3, 40).expect(200);
        delete(&meter, 6).expect(200);
        let device = market.device;
        let list = |client: &Client, query: &str| client.get(&format!("/measurement/list?device_id={device}{query}"));
        let told = |query: &str| -> Vec<(i64, String)> {
            let page = list(&meter, query).expect(200).json;
            assert_eq!(page["next_cursor"], Value::Null);
            let readings = page["measurements"].as_array().expect("a list");
            let one =
                |reading: &Value| (reading["id"].as_i64().unwrap(), reading["status"].as_str().unwrap().to_owned());
            readings.iter().map(one).collect()
        };
        let of = |pairs: &[(i64, &str)]| -> Vec<(i64, String)> {
            pairs.iter().map(|(id, status)| (*id, (*status).to_owned())).collect()
        };
        let current = [(1, "issued"), (2, "held"), (7, "issued"), (4, "refused"), (5, "pending")];
        assert_eq!(told(""), of(&current));
        assert_eq!(told("&versions=current"), of(&current));
        let all = [
            (1, "issued"),
            (2, "held"),
            (3, "superseded"),
            (7, "issued"),
            (4, "refused"),
            (5, "pending"),
            (6, "deleted"),
        ];
        assert_eq!(told("&versions=all"), of(&all));
        for (id, status) in all.iter().filter(|(id, _)| *id != 1) {
            let expected: Vec<_> = all.iter().filter(|(_, of)| of == status).map(|(id, _)| *id).collect();
            let found: Vec<_> = told(&format!("&status={status}")).into_iter().map(|(id, _)| id).collect();
            assert_eq!((found, expected.contains(id)), (expected, true), "{status}");
        }
        assert_eq!(told("&from=2026-02-01T02:00&to=2026-02-01T04:00Z"), of(&[(7, "issued"), (4, "refused")]));
        let refused = list(&meter, "&status=refused").expect(200).json;
        let reason = refused["measurements"][0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("the value is estimated"), "{reason}");
        // page by page
        for versions in ["current", "all"] {
            let whole = told(&format!("&versions={versions}"));
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = list(&meter, &format!("&versions={versions}&limit=2{cursor}")).expect(200).json;
                found.extend(page["measurements"].as_array().unwrap().iter().map(|m| m["id"].as_i64().unwrap()));
                let Some(next) = page["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(found, whole.into_iter().map(|(id, _)| id).collect::<Vec<_>>());
        }
        let stranger = market.app.with_user(&[Role::TradingUser], &[market.target]);
        assert_problem(&list(&stranger, ""), 404, "not_found");
        assert_problem(&stranger.get("/measurement/list?device_id=99"), 404, "not_found");
        assert_problem(&stranger.get("/measurement/1"), 404, "not_found");
        assert_eq!(list(&market.trader, "").expect(200).json["measurements"].as_array().unwrap().len(), 5);
        assert_faults(
            &meter.get("/measurement/list?status=lost&versions=old&limit=0&cursor=zz&from=x"),
            &[
                ("query.device_id", "missing"),
                ("query.status", "enum"),
                ("query.versions", "enum"),
                ("query.limit", "greater_than"),
                ("query.cursor", "value_error"),
                ("query.from", "datetime_from_date_parsing"),
            ],
        );
    }
}
