//! A registry that issues by the hour what is metered by the half of it.

use crate::{Market, assert_problem};
use domain::{BundleId, Role};
use serde_json::{Value, json};
use std::fmt::Write as _;
use testkit::http::{Answer, Client, TestApp};
use testkit::{ENGINES, Engine, TestRegistry, assert_verified};
use web::Limits;

fn market(engine: Engine) -> (Market, Client) {
    let market = Market::over(TestApp::with(TestRegistry::summing(engine), Limits::default()), 0, 0);
    let meter = market.app.with_user(&[Role::MeasurementBody], &[]);
    (market, meter)
}

/// Submits half-hours of 1 February 2026: where they begin, and Wh.
fn submit(market: &Market, meter: &Client, rows: &[(&str, i64)]) -> Value {
    let mut text = crate::measurement::HEADER.to_owned();
    for (from, energy) in rows {
        let (hour, half) = from.split_once(':').expect("an hour and a half");
        let to = if half == "00" {
            format!("{hour}:30")
        } else {
            format!("{:02}:00", hour.parse::<u8>().expect("a number") + 1)
        };
        writeln!(text, "{},2026-02-01T{from}:00Z,2026-02-01T{to}:00Z,{energy},NET", market.device).expect("a write");
    }
    meter.with_header("content-type", "text/csv").send("POST", "/measurement/submit_readings", &text).expect(200).json
}

fn issue(market: &Market, from: &str) -> Value {
    let body = json!({"metadata_id": market.metadata, "from": from, "to": "2026-03-01"});
    market.issuer.post("/certificate/issue", &body).expect(202).json
}

fn correct(client: &Client, id: i64, energy: i64) -> Answer {
    client.patch(&format!("/measurement/update/{id}"), &json!({"interval_usage": energy, "reason": "read again"}))
}

/// (source, status, reason, issued, shortfall, issuable) of the readings of the device that count, in the order of time.
fn readings(market: &Market) -> Vec<(String, String, Option<String>, i64, i64, i64)> {
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    let found = auditor.get(&format!("/measurement/list?device_id={}", market.device)).expect(200).json;
    let told = found["measurements"].as_array().expect("a list").iter().map(|reading| {
        let text = |name: &str| reading[name].as_str().map(str::to_owned);
        let wh = |name: &str| reading[name].as_i64().expect("whole Wh");
        let (source, status) = (text("source").expect("a source"), text("status").expect("a status"));
        (source, status, text("reason"), wh("issued_wh"), wh("shortfall_wh"), wh("issuable_wh"))
    });
    told.collect()
}

fn of(source: &str, status: &str, figures: (i64, i64, i64)) -> (String, String, Option<String>, i64, i64, i64) {
    (source.to_owned(), status.to_owned(), None, figures.0, figures.1, figures.2)
}

#[test]
fn an_hour_is_issued_once_it_is_whole_and_until_then_its_readings_say_what_is_missing() {
    for engine in ENGINES {
        let (market, meter) = market(engine);
        submit(&market, &meter, &[("00:00", 300), ("00:30", 400), ("01:00", 500)]);
        let missing = "certificates are issued by the hour, and that from 2026-02-01T01:00:00Z has no reading from \
                       2026-02-01T01:30:00Z on";
        let pending = ("submitted".to_owned(), "pending".to_owned(), Some(missing.to_owned()), 0, 0, 0);
        let first = [of("submitted", "pending", (0, 0, 300)), of("submitted", "pending", (0, 0, 400))];
        assert_eq!(readings(&market), [first[0].clone(), first[1].clone(), pending.clone()]);
        let job = issue(&market, "2026-02-01");
        assert_eq!((&job["done"], &job["issued"], &job["quantity"]), (&json!(3), &json!(1), &json!(700)));
        assert_eq!((&job["refused"][0]["reason"], &job["refused_total"]), (&json!(missing), &json!(1)));
        assert_eq!(readings(&market), [of("summed", "issued", (700, 0, 0)), pending]);
        submit(&market, &meter, &[("01:30", 600)]);
        let job = issue(&market, "2026-02-01");
        assert_eq!((&job["issued"], &job["quantity"]), (&json!(1), &json!(1_100)));
        assert_eq!(issue(&market, "2026-02-01")["issued"], json!(0));

        let part = meter.get("/measurement/1").expect(200).json;
        assert_eq!((&part["status"], &part["superseded_by"]), (&json!("superseded"), &json!(4)));
        let sum = meter.get("/measurement/4").expect(200).json;
        assert_eq!((&sum["interval_usage"], &sum["quality"]), (&json!(700), &json!("measured")));
        assert_eq!(sum["granular_certificate_bundle_ids"], json!([1]));
        assert_eq!((&sum["summed_measurement_ids"], &sum["counts_in"]), (&json!([1, 2]), &Value::Null));
        assert_eq!((&part["summed_measurement_ids"], &part["counts_in"]), (&json!([]), &json!(4)));
        let bundle = market.issuer.get("/certificate/1").expect(200).json;
        assert_eq!(bundle["production_starting_interval"], "2026-02-01T00:00:00Z");
        assert_eq!(bundle["production_ending_interval"], "2026-02-01T01:00:00Z");
        assert_verified(market.app.testkit.database.url());
    }
}

#[test]
fn a_correction_of_a_half_hour_reaches_the_certificates_of_its_hour() {
    for engine in ENGINES {
        let (market, meter) = market(engine);
        submit(&market, &meter, &[("00:00", 300), ("00:30", 400)]);
        issue(&market, "2026-02-01");
        market.transfer(&[BundleId(1)], &json!({"certificate_quantity": 600})).expect(202);
        let corrected = correct(&meter, 1, 100).expect(200).json;
        assert_eq!((&corrected["interval_usage"], &corrected["superseded_by"]), (&json!(100), &json!(5)));
        assert_eq!(
            readings(&market),
            [of("summed", "issued", (600, 100, 0))],
            "100 Wh were sold and are the shortfall"
        );
        correct(&meter, 2, 550).expect(200);
        assert_eq!(readings(&market), [of("summed", "pending", (600, 0, 50))]);
        assert_eq!(issue(&market, "2026-02-01")["quantity"], json!(50));
        assert_verified(market.app.testkit.database.url());

        let read = |id: i64, member: &str| meter.get(&format!("/measurement/{id}")).expect(200).json[member].clone();
        assert_eq!((read(7, "summed_measurement_ids"), read(3, "summed_measurement_ids")), (json!([4, 6]), json!([])));
        assert_eq!((read(4, "counts_in"), read(1, "counts_in")), (json!(7), Value::Null));
        assert_problem(&correct(&meter, 7, 50), 400, "reading_summed");
        assert_problem(&correct(&meter, 1, 50), 409, "reading_superseded");
        let producer = market.app.with_user(&[Role::ProductionUser], &[market.source]);
        assert_problem(&correct(&producer, 6, 50), 403, "forbidden");
        let delete = |id: i64| meter.send("DELETE", &format!("/measurement/delete/{id}"), "");
        assert_problem(&delete(7), 409, "already_issued");
        assert_problem(&delete(4), 409, "reading_superseded");
    }
}

#[test]
fn half_hours_that_are_sent_again_are_known() {
    for engine in ENGINES {
        let (market, meter) = market(engine);
        let day: Vec<String> = (0..46).map(|half| format!("{:02}:{:02}", half / 2, half % 2 * 30)).collect();
        let rows: Vec<(&str, i64)> = day.iter().map(|from| (from.as_str(), 250)).collect();
        submit(&market, &meter, &rows);
        assert_eq!(issue(&market, "2026-02-01")["issued"], json!(23));
        let report = submit(&market, &meter, &rows);
        assert_eq!((&report["unchanged"], &report["rejected_total"]), (&json!(46), &json!(0)));
        let report = submit(&market, &meter, &[("07:30", 251), ("08:00", 250)]);
        assert_eq!((&report["unchanged"], &report["rejected_total"]), (&json!(1), &json!(1)));
        let reason = "certificates were issued on this interval's reading of 250 Wh";
        assert_eq!(report["rejected"][0]["reason"], reason);
    }
}

#[test]
fn a_period_that_begins_within_an_hour_issues_all_of_it() {
    let (market, meter) = market(Engine::Sqlite);
    submit(&market, &meter, &[("00:00", 300), ("00:30", 400), ("01:00", 1), ("01:30", 2)]);
    let body = json!({"metadata_id": market.metadata, "from": "2026-02-01T00:30:00Z", "to": "2026-02-01T01:00:00Z"});
    let rehearsed = crate::merged(body.clone(), &json!({"dry_run": true}));
    let job = market.issuer.post("/certificate/issue", &rehearsed).expect(202).json;
    assert_eq!((&job["done"], &job["quantity"]), (&json!(1), &json!(700)));
    let job = market.issuer.post("/certificate/issue", &body).expect(202).json;
    assert_eq!((&job["done"], &job["quantity"]), (&json!(1), &json!(700)));
}
