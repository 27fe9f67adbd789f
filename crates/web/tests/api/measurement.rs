//! `/measurement/…`

use crate::{Market, START, assert_faults, assert_problem, start};
use domain::{DeviceId, Role};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::fmt::Write as _;
use testkit::http::{Client, TestApp};
use testkit::{ENGINES, Engine, TestRegistry, hours_from};
use web::Limits;

const PATH: &str = "/measurement/submit_readings";
pub(crate) const HEADER: &str =
    "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator\n";

/// Rows of one minute each, one after another.
pub(crate) fn csv(device: DeviceId, rows: i64) -> String {
    let mut text = HEADER.to_owned();
    for row in 0..rows {
        let from = start() + SignedDuration::from_mins(row);
        let to = from + SignedDuration::from_mins(1);
        writeln!(text, "{device},{from},{to},10,NET").expect("a write");
    }
    text
}

fn meter(app: &TestApp) -> (DeviceId, Client) {
    let account = app.testkit.account("a");
    (app.testkit.device("turbine", account), app.with_user(&[Role::MeasurementBody], &[]))
}

fn records(device: DeviceId) -> Value {
    let rows = hours_from(start(), 3).map(|hour| {
        json!({
            "device_id": device, "interval_start_datetime": hour.start(), "interval_end_datetime": hour.end(),
            "interval_usage": 5_000.9, "gross_net_indicator": "NET",
        })
    });
    Value::Array(rows.collect())
}

/// The columns form, as data frames write it.
fn columns(device: DeviceId) -> Value {
    let mut columns = json!({});
    for (row, record) in records(device).as_array().expect("a list").iter().enumerate() {
        for (name, value) in record.as_object().expect("an object") {
            columns[name][row.to_string()] = value.clone();
        }
    }
    columns
}

pub(crate) fn encoded(text: &str) -> String {
    let mut all = String::new();
    for byte in text.bytes() {
        write!(all, "%{byte:02X}").expect("a write");
    }
    all
}

#[test]
fn all_forms_of_readings_come_to_the_same() {
    for engine in ENGINES {
        let app = TestApp::on(engine);
        let (device, meter) = meter(&app);
        let mut csv = HEADER.to_owned();
        for hour in hours_from(start(), 3) {
            writeln!(csv, "{device},{},{},5000.9,NET", hour.start(), hour.end()).unwrap();
        }
        let part = |name: &str, text: &str| {
            format!(
                "--xyz\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"r\"\r\n\r\n{text}\r\n--xyz--\r\n"
            )
        };
        let forms = [
            ("application/json", PATH.to_owned(), records(device).to_string()),
            ("text/plain", PATH.to_owned(), columns(device).to_string()),
            ("text/csv", PATH.to_owned(), csv.clone()),
            ("multipart/form-data; boundary=xyz", PATH.to_owned(), part("file", &csv)),
            ("multipart/form-data; boundary=xyz", PATH.to_owned(), part("file", &records(device).to_string())),
            ("text/plain", format!("{PATH}?measurement_json={}", encoded(&columns(device).to_string())), String::new()),
            (
                "text/plain",
                format!("{PATH}/?measurement_json={}", encoded(&records(device).to_string())),
                String::new(),
            ),
        ];
        let mut known = 0;
        for (kind, path, body) in forms {
            let report = meter.with_header("content-type", kind).send("POST", &path, &body).expect(200);
            assert!(report.event() > 0);
            let report = report.json;
            assert_eq!(report["accepted"], if known == 0 { 3 } else { 0 }, "{kind} {path}");
            assert_eq!(report["unchanged"], known, "{kind} {path}");
            assert_eq!((&report["corrected"], &report["rejected"]), (&json!(0), &json!([])));
            assert_eq!(report["first_reading_datetime"], START);
            assert_eq!(report["last_reading_datetime"], "2026-02-01T03:00:00Z");
            assert_eq!(report["total_usage_per_device"], json!({device.to_string(): 15_000}));
            known = 3;
        }
        let auditor = app.with_user(&[Role::Auditor], &[]);
        let reading = auditor.get("/measurement/1").expect(200).json;
        assert_eq!((&reading["interval_usage"], &reading["quality"]), (&json!(5_000), &json!("measured")));
        assert_problem(&app.with_user(&[Role::TradingUser], &[]).get("/measurement/1"), 404, "not_found");
    }
}

#[test]
fn rows_of_one_submission_do_not_contradict_each_other() {
    let app = crate::app();
    let (device, meter) = meter(&app);
    let meter = meter.with_header("content-type", "text/csv");
    let row = |wh: u64| format!("{device},{START},2026-02-01T00:01:00Z,{wh},NET\n");
    let report = meter.send("POST", PATH, &format!("{HEADER}{}{}{}", row(5), row(5), row(7))).expect(200).json;
    assert_eq!((&report["accepted"], &report["unchanged"], &report["corrected"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(report["total_usage_per_device"], json!({device.to_string(): 5}));
    let rejected = &report["rejected"][0];
    let reason = "contradicts an earlier row of this submission, which says 5 Wh, measured";
    assert_eq!((&rejected["row"], &rejected["reason"]), (&json!(3), &json!(reason)));
    // Another submission may say otherwise; within it too a row of another chunk does not.
    let long = format!("{}{}{}", csv(device, 5_000), row(8), row(10));
    let report = meter.send("POST", PATH, &long).expect(200).json;
    assert_eq!((&report["rejected_total"], &report["rejected"][0]["row"]), (&json!(1), &json!(5_001)));
    assert_eq!((&report["corrected"], &report["unchanged"]), (&json!(1), &json!(1)));
    assert_eq!(report["total_usage_per_device"], json!({device.to_string(): 5_000 * 10}));
}

#[test]
fn a_file_in_a_form_may_be_as_long_as_a_plain_body() {
    let app = TestApp::on(Engine::Sqlite);
    let (device, meter) = meter(&app);
    // White space at the ends of rows, so that the length is the point and not their number.
    let rows = csv(device, 1_000);
    let file = rows.replace(",NET\n", &format!(",NET{}\n", " ".repeat(3_000)));
    assert!(file.len() > 2 * 1024 * 1024);
    let body =
        format!("--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"r\"\r\n\r\n{file}\r\n--xyz--\r\n");
    let kind = "multipart/form-data; boundary=xyz";
    let report = meter.with_header("content-type", kind).send("POST", PATH, &body).expect(200);
    assert_eq!(report.json["accepted"], 1_000);
}

#[test]
fn of_ten_thousand_rows_three_bad_ones_are_listed_and_the_rest_is_taken() {
    for engine in ENGINES {
        let app = TestApp::on(engine);
        let (device, meter) = meter(&app);
        let mut lines: Vec<String> = csv(device, 10_000).lines().map(str::to_owned).collect();
        lines[10] = lines[10].replace(",10,NET", ",-10,NET");
        lines[6_000] = lines[6_000].replace(",10,NET", ",ten,NET");
        lines[10_000] = lines[10_000].replace(&format!("{device},"), "99,");
        let report = meter.with_header("content-type", "text/csv").send("POST", PATH, &lines.join("\n")).expect(200);
        let report = report.json;
        assert_eq!((&report["accepted"], &report["rejected_total"]), (&json!(9_997), &json!(3)));
        let rows: Vec<&Value> = report["rejected"].as_array().unwrap().iter().map(|row| &row["row"]).collect();
        assert_eq!(rows, [10, 6_000, 10_000]);
        assert_eq!(report["rejected"][2]["device_id"], 99);
        assert_eq!(report["rejected"][2]["reason"], "Device with id 99 not found");
        let job = meter.get(&format!("/job/{}", report["job_id"])).expect(200).json;
        assert_eq!(
            (&job["state"], &job["kind"], &job["accepted"]),
            (&json!("done"), &json!("readings"), &json!(9_997))
        );
    }
}

#[test]
fn local_times_are_read_in_the_stated_zone() {
    let app = crate::app();
    let (device, meter) = meter(&app);
    let csv = format!(
        "{HEADER}{device},2025-07-01 12:00,2025-07-01 13:00,10,NET\n{device},2025-03-30 01:30,2025-03-30 02:30,10,NET\n"
    );
    let report = meter.with_header("content-type", "text/csv");
    let report = report.send("POST", &format!("{PATH}?time_zone=Europe/London"), &csv).expect(200).json;
    assert_eq!((&report["accepted"], &report["rejected"][0]["row"]), (&json!(1), &json!(2)));
    assert_eq!(report["first_reading_datetime"], "2025-07-01T11:00:00Z");
    for (query, kind) in [("time_zone=Europe/Atlantis", "value_error"), ("zone=UTC", "extra_forbidden")] {
        let name = query.split('=').next().unwrap();
        let answer = meter.send("POST", &format!("{PATH}?{query}"), &csv);
        assert_faults(&answer, &[(&format!("query.{name}"), kind)]);
    }
}

#[test]
fn what_is_no_readings_is_refused_as_a_whole() {
    let app = crate::app();
    let (_, meter) = meter(&app);
    let form = "multipart/form-data; boundary=xyz";
    for (kind, body, loc) in [
        ("text/csv", "device_id;interval_usage\n1;2\n", "body.device_id;interval_usage"),
        ("text/csv", "device_id,colour\n1,red\n", "body.colour"),
        ("application/json", "17", "body"),
        ("application/json", "", "body"),
        ("application/json", "[{]", "body"),
        ("text/plain", "{\"device_id\":[1],\"colour\":[2]}", "body"),
        (form, "--xyz\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--xyz--\r\n", "body"),
        (form, "nonsense", "body"),
        ("multipart/form-data", "nonsense", "body"),
    ] {
        let answer = meter.with_header("content-type", kind).send("POST", PATH, body);
        assert_faults(&answer, &[(loc, "value_error")]);
    }
    for text in ["%5B", "%7B", "17", "%7B%22colour%22:[2]%7D"] {
        let answer = meter.send("POST", &format!("{PATH}?measurement_json={text}"), "");
        assert_faults(&answer, &[("query.measurement_json", "value_error")]);
    }
}

#[test]
fn all_columns_that_a_header_lacks_are_told_at_once() {
    let app = crate::app();
    let (_, meter) = meter(&app);
    let meter = meter.with_header("content-type", "text/csv");
    let columns: Vec<String> = HEADER.trim().split(',').map(|name| format!("body.{name}")).collect();
    for (body, known) in [("", 0), ("device_id\n1\n", 1), ("interval_start_datetime,device_id,quality\n", 2)] {
        let missing: Vec<_> = columns[known..].iter().map(|loc| (loc.as_str(), "missing")).collect();
        assert_faults(&meter.send("POST", PATH, body), &missing);
    }
}

#[test]
fn readings_stand_in_the_query_string_or_in_the_body() {
    let app = crate::app();
    let (device, meter) = meter(&app);
    let meter = meter.with_header("content-type", "text/csv");
    let path = format!("{PATH}?measurement_json=[]");
    assert_faults(&meter.send("POST", &path, &csv(device, 1)), &[("query.measurement_json", "value_error")]);
    assert_eq!(meter.send("POST", &path, "").expect(200).json["accepted"], 0);
}

#[test]
fn who_may_not_state_readings_is_told_so() {
    let market = Market::new(1, 100);
    let body = records(market.device).to_string();
    for role in Role::ALL {
        let client = market.app.with_user(&[role], &[market.source]);
        let answer = client.send("POST", PATH, &body);
        match role {
            Role::RegistryAdministrator | Role::MeasurementBody => answer.expect(200),
            Role::ProductionUser => {
                let report = answer.expect(200);
                let reason = report.json["rejected"][0]["reason"].as_str().unwrap().to_owned();
                assert!(reason.contains("come from the measurement body"), "{reason}");
                report
            }
            _ => {
                assert_problem(&answer, 403, "forbidden");
                answer
            }
        };
    }
}

#[test]
fn readings_above_the_limit_are_refused_and_whole_chunks_before_it_stand() {
    let limits = Limits { readings_bytes_max: 500_000, ..Limits::default() };
    let app = TestApp::with(TestRegistry::on(Engine::Sqlite), limits);
    let (device, meter) = meter(&app);
    let meter = meter.with_header("content-type", "text/csv");
    let long = csv(device, 20_000);
    assert!(long.len() > 1_000_000);
    let answer = meter.send("POST", PATH, &long);
    assert_problem(&answer, 413, "too_large");
    let job = meter.get(&format!("/job/{}", answer.json["job_id"])).expect(200).json;
    assert_eq!((&job["state"], &job["accepted"]), (&json!("interrupted"), &json!(5_000)));
    assert_eq!(answer.json["rows"], 5_000);
    let short = format!("{HEADER}{}", format!("{}\n", "x".repeat(200)).repeat(3_000));
    assert_problem(&meter.send("POST", PATH, &short), 413, "too_large");
}

#[test]
fn input_that_breaks_off_later_says_what_was_taken() {
    let app = crate::app();
    let (device, meter) = meter(&app);
    let mut rows = Vec::new();
    for row in 0..6_000 {
        let from = start() + SignedDuration::from_mins(row);
        rows.push(json!({
            "device_id": device, "interval_start_datetime": from, "interval_end_datetime": from + SignedDuration::from_mins(1),
            "interval_usage": 10, "gross_net_indicator": "NET",
        }));
    }
    let text = Value::Array(rows).to_string();
    let answer = meter.send("POST", PATH, &text[..text.len() - 1]);
    assert_problem(&answer, 422, "interrupted");
    assert_eq!(answer.json["rows"], 5_000);
    let job = meter.get(&format!("/job/{}", answer.json["job_id"])).expect(200).json;
    assert_eq!((&job["state"], &job["accepted"]), (&json!("interrupted"), &json!(5_000)));
    let again = meter.send("POST", PATH, &text).expect(200).json;
    assert_eq!((&again["accepted"], &again["unchanged"]), (&json!(1_000), &json!(5_000)));
}

#[test]
fn the_template_is_what_is_read() {
    let app = crate::app();
    let (device, meter) = meter(&app);
    let template = meter.get("/measurement/meter_readings_template").expect(200);
    assert_eq!(template.header("content-type"), Some("text/csv; charset=utf-8"));
    let body = format!("{}{device},{START},2026-02-01T01:00:00Z,7,GROSS,calculated\n", template.text);
    let report = meter.with_header("content-type", "text/csv").send("POST", PATH, &body).expect(200).json;
    assert_eq!(report["accepted"], 1);
}
