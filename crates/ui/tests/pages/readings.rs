//! Files of readings: what is taken of them, and that nothing is taken without the proof.

use crate::{Browser, app, proof};
use domain::{AccountId, DeviceId, Role};
use std::fmt::Write as _;
use testkit::http::TestApp;
use testkit::{at, hours_from, until};

const HEADER: &str =
    "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator,quality\n";

fn csv(rows: &[(DeviceId, &str, &str, i64)]) -> String {
    let mut text = HEADER.to_owned();
    for (device, from, to, wh) in rows {
        writeln!(text, "{device},2026-02-01T{from},2026-02-01T{to},{wh},NET,measured").expect("a text");
    }
    text
}

fn plant(app: &TestApp) -> (AccountId, DeviceId, String) {
    let account = app.testkit.account("Own");
    let device = app.testkit.device("turbine", account);
    (account, device, format!("/ui/device/{}", device.0))
}

/// How many readings the device has.
fn kept(app: &TestApp, device: DeviceId) -> usize {
    let list = app.with_user(&[Role::Auditor], &[]).get(&format!("/measurement/list?device_id={device}")).expect(200);
    list.json["measurements"].as_array().expect("a list").len()
}

#[test]
fn each_row_of_a_file_says_what_became_of_it() {
    let app = app();
    let (account, device, page) = plant(&app);
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let shown = producer.get(&page).expect(200);
    assert!(shown.text.contains("enctype=\"multipart/form-data\""), "{}", shown.text);
    let proof = proof(&shown).to_owned();
    let to = format!("{page}/readings");
    let first = csv(&[(device, "00:00", "01:00", 100), (device, "01:00", "02:00", 200)]);
    let told = producer.upload(&to, &[("proof", &proof), ("time_zone", ""), ("file", &first)]).expect(200).text;
    assert!(told.contains("<dt>Accepted</dt><dd>2</dd>") && told.contains(">300 Wh<"), "{told}");
    let second = csv(&[
        (device, "00:00", "01:00", 100),
        (device, "01:00", "02:00", 250),
        (device, "02:30", "03:30", -5),
        (DeviceId(99), "02:00", "03:00", 1),
    ]);
    let told = producer.upload(&to, &[("proof", &proof), ("time_zone", ""), ("file", &second)]).expect(200).text;
    for count in ["Accepted</dt><dd>0", "Corrected</dt><dd>1", "Unchanged</dt><dd>1", "Rejected</dt><dd>2"] {
        assert!(told.contains(count), "{count}: {told}");
    }
    assert!(told.contains("must be at least 0 Wh") && told.contains("Device with id 99 not found"), "{told}");
    assert_eq!(kept(&app, device), 2);
    let columns = producer.get("/ui/readings/template.csv").expect(200);
    assert_eq!((columns.text.as_str(), columns.header("content-type")), (HEADER, Some("text/csv; charset=utf-8")));
}

#[test]
fn a_file_without_the_proof_before_it_takes_nothing() {
    let app = app();
    let (account, device, page) = plant(&app);
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let mut other = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let right = proof(&producer.get(&page).expect(200)).to_owned();
    let theirs = proof(&other.get(&page).expect(200)).to_owned();
    let file = csv(&[(device, "00:00", "01:00", 100)]);
    for path in [format!("{page}/readings"), "/ui/readings".to_owned()] {
        for parts in [
            &[("file", file.as_str())][..],
            &[("proof", ""), ("file", &file)],
            &[("proof", &theirs), ("file", &file)],
            &[("file", &file), ("proof", &right)],
            &[("time_zone", ""), ("proof", &right), ("file", &file)],
            &[],
        ] {
            let told = producer.upload(&path, parts).expect(403);
            assert!(told.text.contains("The form is out of date"), "{parts:?}: {}", told.text);
        }
        producer.send_as("text/csv", &path, &file).expect(403);
        producer.send(&path, &[("proof", &right), ("file", &file)]).expect(403);
        // Not even with the right proof from another site.
        let session = format!("granary_session={}", producer.cookie("granary_session").unwrap());
        let client = app.anonymous().with_header("cookie", &session).with_header("sec-fetch-site", "cross-site");
        let body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"proof\"\r\n\r\n{right}\r\n--x\r\nContent-Disposition: \
             form-data; name=\"file\"; filename=\"r\"\r\n\r\n{file}\r\n--x--\r\n"
        );
        client.with_header("content-type", "multipart/form-data; boundary=x").send("POST", &path, &body).expect(403);
    }
    assert_eq!(kept(&app, device), 0);
}

#[test]
fn who_may_not_submit_readings_sees_no_form_and_submits_none() {
    let app = app();
    let (account, device, page) = plant(&app);
    let file = csv(&[(device, "00:00", "01:00", 100)]);
    for (role, accounts) in [(Role::TradingUser, vec![account]), (Role::Auditor, vec![]), (Role::GcIssuer, vec![])] {
        let mut browser = Browser::of(&app, &[role], &accounts);
        let shown = browser.get(&page).expect(200);
        assert!(!shown.text.contains("multipart/form-data") && !shown.text.contains("/ui/readings"), "{role:?}");
        browser.get("/ui/readings").expect(403);
        let proof = proof(&shown).to_owned();
        for path in [format!("{page}/readings"), "/ui/readings".to_owned()] {
            browser.upload(&path, &[("proof", &proof), ("file", &file)]).expect(403);
        }
    }
    let mut stranger = Browser::of(&app, &[Role::ProductionUser], &[app.testkit.account("Other")]);
    let proof = proof(&stranger.get("/ui/readings").expect(200)).to_owned();
    stranger.upload(&format!("{page}/readings"), &[("proof", &proof), ("file", &file)]).expect(404);
    let told = stranger.upload("/ui/readings", &[("proof", &proof), ("file", &file)]).expect(200);
    assert!(told.text.contains(&format!("Device with id {device} not found")), "{}", told.text);
    assert_eq!(kept(&app, device), 0);
}

#[test]
fn the_measurement_body_sends_files_for_all_devices_and_producers_none_once_something_was_issued() {
    let app = app();
    let (account, device, page) = plant(&app);
    let mut body = Browser::of(&app, &[Role::MeasurementBody], &[]);
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let shown = body.get("/ui/readings").expect(200);
    let theirs = proof(&shown).to_owned();
    let file = csv(&[(device, "00:00", "01:00", 100)]);
    let zone = [("proof", theirs.as_str()), ("time_zone", "Europe/Berlin"), ("file", &file)];
    let told = body.upload("/ui/readings", &zone).expect(200).text;
    assert!(told.contains("<time datetime=\"2026-01-31T23:00:00Z\">"), "local times are converted: {told}");
    assert!(told.contains("value=\"Europe/Berlin\""), "the zone stays: {told}");
    let request = app::IssueRequest {
        metadata_id: app.testkit.metadata(),
        from: at("2026-01-01T00:00:00Z"),
        to: at("2026-03-01T00:00:00Z"),
        device_ids: Vec::new(),
    };
    app.testkit.registry.issue_as_operator(request).expect("the operator may issue");
    let shown = until("something is issued", || {
        Some(producer.get(&page).expect(200)).filter(|shown| shown.text.contains(">100 Wh<"))
    });
    assert!(!shown.text.contains("multipart/form-data") && shown.text.contains("come from the measurement body"));
    let own = proof(&shown).to_owned();
    let more = csv(&[(device, "05:00", "06:00", 100)]);
    let told = producer.upload(&format!("{page}/readings"), &[("proof", &own), ("file", &more)]).expect(200);
    assert!(told.text.contains("<dt>Rejected</dt><dd>1</dd>"), "{}", told.text);
    assert!(told.text.contains("<strong>The one row was not accepted.</strong>"), "{}", told.text);
    assert_eq!(kept(&app, device), 1);
    // What certificates were issued on is corrected alone, and the rows that a file would change lead there.
    let rows = csv(&[(device, "00:00", "01:00", 90), (device, "05:00", "06:00", 100)]);
    let zone = [("proof", theirs.as_str()), ("time_zone", "Europe/Berlin"), ("file", &rows)];
    let told = body.upload("/ui/readings", &zone).expect(200).text;
    assert!(told.contains("<strong>1 of 2 rows were accepted.</strong>"), "{told}");
    assert!(told.contains("href=\"/ui/measurement/1\">correct the reading alone</a>"), "{told}");
    assert!(body.get("/ui/measurement/1").expect(200).text.contains("action=\"/ui/measurement/1/correct\""));
}

#[test]
fn what_cannot_be_read_is_told_in_the_words_of_the_api() {
    let app = app();
    let (account, device, page) = plant(&app);
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let proof = proof(&producer.get(&page).expect(200)).to_owned();
    let (to, file) = (format!("{page}/readings"), csv(&[(device, "00:00", "01:00", 100)]));
    let zone = [("proof", proof.as_str()), ("time_zone", "Mars/Olympus"), ("file", &file)];
    let told = producer.upload(&to, &zone).expect(422).text;
    let (_, beside) = told.split_once("id=\"time_zone-fault\">").unwrap();
    assert!(beside.starts_with("This is no known time zone") && told.contains("Mars/Olympus"), "{told}");
    let told = producer.upload(&to, &[("proof", &proof), ("time_zone", "")]).expect(422).text;
    assert!(told.contains("Choose a file"), "{told}");
    producer.upload(&to, &[("proof", &proof), ("file", "")]).expect(422);
    producer.upload(&to, &[("proof", &proof), ("file", "<b>,what\n1,2\n")]).expect(422);
    // A form that breaks off within its file, and one that never gets to it.
    let head = format!("--xyz\r\nContent-Disposition: form-data; name=\"proof\"\r\n\r\n{proof}\r\n");
    let part = "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"r\"\r\n\r\n";
    let kind = "multipart/form-data; boundary=xyz";
    let told = producer.send_as(kind, &to, &format!("{head}{part}{file}"));
    assert!(told.status >= 400, "{}", told.text);
    let endless = format!("{head}--xyz\r\nX-Long: {}", "x".repeat(2 * 1024 * 1024));
    producer.send_as(kind, &to, &endless).expect(413);
    let many: Vec<(&str, &str)> = [("proof", proof.as_str())].into_iter().chain([("a", "b"); 20]).collect();
    producer.upload(&to, &many).expect(413);
    assert_eq!(kept(&app, device), 0);
}

#[test]
fn a_file_may_be_far_longer_than_a_form() {
    let app = app();
    let (account, device, page) = plant(&app);
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let proof = proof(&producer.get(&page).expect(200)).to_owned();
    let mut file = HEADER.to_owned();
    for hour in hours_from(at("2025-01-01T00:00:00Z"), 6_000) {
        writeln!(file, "{device},{},{},10,NET,measured", hour.start(), hour.end()).unwrap();
        file.push_str(&" \n".repeat(400));
    }
    assert!(file.len() > 4 * 1024 * 1024);
    let told = producer.upload(&format!("{page}/readings"), &[("proof", &proof), ("file", &file)]).expect(200).text;
    assert!(told.contains("<dt>Accepted</dt><dd>6,000</dd>") && told.contains("is the record of it"), "{told}");
}
