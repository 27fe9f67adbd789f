//! `import elexon`, the schedule of a server, and an issue from the source, against a local server in Elexon's shapes.

use crate::run::{ENGINES, Folder, Server};
use db::testing::Engine;
use jiff::SignedDuration;
use serde_json::{Value, json};
use testkit::elexon::{ElexonServer, Reply, record};
use testkit::{at, until};

const UNITS: &str = "T_ALDGW-1,E_BURGH-1";
const MORNING: [&str; 6] = ["import", "elexon", "--from", "2025-01-12", "--to", "2025-01-12T02:00"];
const ISSUE: [&str; 7] = ["issue", "--metadata", "1", "--from", "2025-01-12", "--to", "2025-01-13"];

/// Two units with four half-hours each, and the installed capacities.
fn elexon() -> ElexonServer {
    let elexon = ElexonServer::start();
    for unit in UNITS.split(',') {
        elexon.has(unit, at("2025-01-12T00:00:00Z"), "II", &["10", "0.5", "7.25", "0.000001"]);
        elexon.installed(unit, "98.5");
    }
    elexon
}

fn folder(engine: Engine, elexon: &ElexonServer) -> Folder {
    Folder::with_demo(engine).with("ELEXON_URL", &format!("http://{}", elexon.address()))
}

fn registered(folder: &Folder) {
    let register = ["--units", UNITS, "--register-into", "British wind"];
    folder.run(&[&MORNING[..], &register].concat()).ended_with(0);
}

/// The newest job, once it is over.
fn last_job(server: &Server, token: &str) -> Value {
    until("the job is over", || {
        let (status, jobs) = server.ask("GET", "/job/list?limit=1", token, "");
        assert_eq!(status, 200, "{jobs}");
        let job = jobs["jobs"][0].clone();
        (job["state"] != "running").then_some(job)
    })
}

#[test]
fn half_hours_are_fetched_once_and_corrected_by_a_later_settlement_run() {
    for engine in ENGINES {
        let elexon = elexon();
        let folder = folder(engine, &elexon);
        let fetch = |register: &[&str]| folder.run(&[&MORNING[..], &["--units", UNITS], register].concat());
        let counts = |out: &str| {
            let figure = |name: &str| {
                let line = out.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {out}"));
                line.rsplit(' ').next().expect("a figure").to_owned()
            };
            ["accepted", "corrected", "unchanged", "rejected"].map(figure).join(" ")
        };
        let unknown = fetch(&[]).ended_with(1);
        assert_eq!(unknown.err, "granary: no device has the meter_data_id T_ALDGW-1\n");
        let register = ["--register-into", "British wind"];
        assert_eq!(counts(&fetch(&register).ended_with(0).out), "8 0 0 0");
        assert_eq!(counts(&fetch(&register).ended_with(0).out), "0 0 8 0", "the account and devices are there");
        let issued = folder.run(&ISSUE).ended_with(0);
        assert!(issued.out.contains("Wh issued         35,500,002\n"), "{}", issued.out);
        elexon.has("T_ALDGW-1", at("2025-01-12T00:30:00Z"), "SF", &["0.4", "8"]);
        assert_eq!(counts(&fetch(&[]).ended_with(0).out), "0 2 6 0");
        let issued = folder.run(&ISSUE).ended_with(0);
        assert!(issued.out.contains("Wh issued         750,000\n"), "the difference upward: {}", issued.out);
        folder.run(&["verify"]).ended_with(0);
    }
}

#[test]
fn a_page_instead_of_data_is_told_and_nothing_is_taken() {
    let elexon = elexon();
    let folder = folder(ENGINES[0], &elexon);
    registered(&folder);
    elexon.answers_with([Reply::Body("text/html", "<!doctype html><p>Down for maintenance".to_owned())]);
    let next = ["import", "elexon", "--from", "2025-01-12T00:00", "--to", "2025-01-13", "--units", "T_ALDGW-1"];
    let ran = folder.run(&next).ended_with(1);
    let told = "granary: the source answers with a page for people instead of data. What is told above was taken\n";
    assert_eq!(ran.err, told);
    assert!(ran.out.contains("accepted   0\n"), "{}", ran.out);
}

#[test]
fn a_server_fetches_the_last_days_by_itself() {
    for engine in ENGINES {
        let elexon = elexon();
        let folder = folder(engine, &elexon);
        registered(&folder);
        elexon.asked();
        let folder = folder.with("ELEXON_EVERY_HOURS", "1").with("ELEXON_DAYS", "1");
        let server = folder.serve(&["serve"]);
        let token = server.sign_in("auditor@demo.granary.example", "granary-demo");
        let job = until("a fetch", || {
            let (_, jobs) = server.ask("GET", "/job/list?kind=readings&limit=1", &token, "");
            let job = jobs["jobs"][0].clone();
            (job["user_id"] == 0 && job["state"] == "done" && job["refused_total"] != 0).then_some(job)
        });
        assert!(elexon.asked().iter().any(|asked| asked.contains("bmUnit=T_ALDGW-1")));
        let reasons: Vec<&str> =
            job["refused"].as_array().expect("a list").iter().filter_map(|row| row["reason"].as_str()).collect();
        assert!(reasons.iter().any(|reason| reason.ends_with("the source has no record")), "{reasons:?}");
        server.stop("TERM").ended_with(0);
    }
}

#[test]
fn a_server_killed_while_it_fetches_leaves_nothing_half_done_and_goes_on() {
    for engine in ENGINES {
        let elexon = elexon();
        let folder = folder(engine, &elexon);
        registered(&folder);
        elexon.has("T_ALDGW-1", at("2025-01-12T00:00:00Z"), "II", &["1"; 20 * 48]);
        elexon.has("E_BURGH-1", at("2025-01-12T00:00:00Z"), "II", &["2"; 20 * 48]);
        elexon.asked();
        let start = |n: i64| at("2025-01-12T00:00:00Z") + SignedDuration::from_mins(30 * n);
        let week: Vec<String> = (0..7 * 48).map(|n| record("T_ALDGW-1", start(n), "1", "II")).collect();
        elexon.answers_with([Reply::Body("application/json", format!("[{}]", week.join(","))), Reply::Silence]);
        let server = folder.serve(&["serve"]);
        let token = server.sign_in("issuer@demo.granary.example", "granary-demo");
        let devices = server.ask("GET", "/device/list?limit=1000", &token, "").1;
        let devices: Vec<i64> = devices["devices"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|device| UNITS.split(',').any(|unit| device["meter_data_id"] == unit))
            .filter_map(|device| device["id"].as_i64())
            .collect();
        let body = json!({
            "metadata_id": 1, "from": "2025-01-12", "to": "2025-02-01", "device_ids": devices, "source": "elexon", "wait": 0,
        });
        let (status, job) = server.ask("POST", "/certificate/issue", &token, &body.to_string());
        assert_eq!((status, job["state"].as_str()), (202, Some("running")), "{job}");
        until("the second request", || (elexon.requests() == 2).then_some(()));
        server.stop("KILL");
        folder.run(&["verify"]).ended_with(0);

        let server = folder.serve(&["serve"]);
        let done = last_job(&server, &token);
        assert_eq!((&done["id"], done["state"].as_str()), (&job["id"], Some("done")), "{done}");
        assert_eq!((&done["issued"], &done["quantity"]), (&json!(2 * 20 * 48), &json!(2_880_000_000_u64)));
        server.stop("TERM").ended_with(0);
        folder.run(&["verify"]).ended_with(0);
    }
}
