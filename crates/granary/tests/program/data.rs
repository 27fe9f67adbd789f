//! `import readings`, `issue`, `export`: data goes in, becomes certificates, and comes out.

use crate::run::{ENGINES, Folder};
use std::collections::HashSet;

const HEAD: &str = "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator\n";
const ISSUE_2025: [&str; 7] = ["issue", "--metadata", "1", "--from", "2025-01-01", "--to", "2025-01-02"];

#[test]
fn good_rows_are_taken_and_bad_ones_told_with_their_reason() {
    for engine in ENGINES {
        let folder = Folder::with_demo(engine);
        let rows = "1,2025-01-01T00:00:00Z,2025-01-01T01:00:00Z,1000,NET\n\
            1,2025-01-01T01:00:00Z,2025-01-01T02:00:00Z,-5,NET\n\
            99,2025-01-01T01:00:00Z,2025-01-01T02:00:00Z,5,NET\n\
            1,yesterday,2025-01-01T02:00:00Z,5,NET\n";
        folder.file("readings.csv", &format!("{HEAD}{rows}"));
        let ran = folder.run(&["import", "readings", "readings.csv"]).ended_with(1);
        for part in [
            "row 2, device 1, 2025-01-01T01:00:00Z: the energy of a device that is not storage must be at least 0 Wh",
            "row 3, device 99, 2025-01-01T01:00:00Z: Device with id 99 not found",
            "row 4, device 1: interval_start_datetime must be a date and time",
        ] {
            assert!(ran.out.contains(part), "{part}: {}", ran.out);
        }
        assert!(ran.out.contains("accepted     1\n") && ran.out.contains("rejected     3\n"), "{}", ran.out);

        let issued = folder.run(&[&ISSUE_2025[..], &["--device", "1"]].concat()).ended_with(0);
        assert!(issued.out.contains("bundles issued    1\n"), "{}", issued.out);
        assert!(issued.out.contains("Wh issued         1,000\n"), "{}", issued.out);
        let again = folder.run(&ISSUE_2025).ended_with(0);
        assert!(again.out.contains("bundles issued    0\n"), "{}", again.out);
    }
}

#[test]
fn readings_come_from_standard_input_in_json_and_local_time() {
    let folder = Folder::with_demo(ENGINES[0]);
    let rows = r#"[{"device_id": 1, "interval_start_datetime": "2025-07-01 00:00", "interval_end_datetime":
        "2025-07-01 01:00", "interval_usage": 7, "gross_net_indicator": "NET"}]"#;
    let arguments = ["import", "readings", "-", "--format", "json", "--time-zone", "Europe/London"];
    let ran = folder.run_with_input(&arguments, rows).ended_with(0);
    assert!(ran.out.contains("first start  2025-06-30T23:00:00Z"), "{}", ran.out);
    let ran = folder.run_with_input(&arguments, "no JSON at all").ended_with(1);
    assert!(ran.out.is_empty() && ran.err.starts_with("granary: "), "{}", ran.err);
    let ran = folder.run(&["import", "readings", "missing.csv"]).ended_with(1);
    assert!(ran.err.contains("missing.csv: "), "{}", ran.err);
}

#[test]
fn what_is_refused_by_an_issue_is_told_with_its_reasons() {
    let folder = Folder::with_demo(ENGINES[0]);
    let zero = "1,2025-01-01T00:00:00Z,2025-01-01T01:00:00Z,0,NET\n";
    folder.run_with_input(&["import", "readings", "-"], &format!("{HEAD}{zero}")).ended_with(0);
    let ran = folder.run(&ISSUE_2025).ended_with(0);
    assert!(ran.out.contains("the reading is 0 Wh"), "{}", ran.out);
    assert!(ran.out.contains("device 1 at 2025-01-01T00:00:00Z"), "{}", ran.out);
    let ran = folder.run(&["issue", "--metadata", "9", "--from", "2025-01-01", "--to", "2025-01-02"]).ended_with(1);
    assert!(ran.err.contains("Issuance metadata with id 9 not found"), "{}", ran.err);
}

#[test]
fn bundles_are_exported_as_csv_and_as_json_lines() {
    for engine in ENGINES {
        let folder = Folder::with_demo(engine);
        let csv = folder.run(&["export", "bundles"]).ended_with(0).out;
        let mut lines = csv.lines();
        assert!(lines.next().unwrap().starts_with("id,issuance_id,hash,certificate_bundle_status,"));
        let rows = lines.count();

        folder.run(&["export", "bundles", "--format", "ndjson", "--out", "bundles.ndjson"]).ended_with(0);
        let text = std::fs::read_to_string(folder.path().join("bundles.ndjson")).unwrap();
        let bundles: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(bundles.len(), rows);
        let states: HashSet<&str> = bundles.iter().map(|b| b["certificate_bundle_status"].as_str().unwrap()).collect();
        assert_eq!(states, HashSet::from(["Active", "Cancelled", "Bundle Split", "Withdrawn"]));
        let is_of_discharge = |bundle: &serde_json::Value| bundle["issuance_id"].as_str().unwrap().contains("Z-S");
        assert!(bundles.iter().any(is_of_discharge), "what the battery gave out was certified");
        let of = |bundle: &serde_json::Value, name: &str| bundle[name].as_i64().unwrap();
        for bundle in &bundles {
            let range = of(bundle, "certificate_bundle_id_range_end") - of(bundle, "certificate_bundle_id_range_start");
            assert_eq!(of(bundle, "bundle_quantity"), range + 1);
        }
        assert!(!folder.path().join("bundles.ndjson.part").exists());
    }
}

#[test]
fn events_are_exported_in_order_without_gaps() {
    for engine in ENGINES {
        let folder = Folder::with_demo(engine);
        let text = folder.run(&["export", "events", "--format", "ndjson"]).ended_with(0).out;
        for (number, line) in (1..).zip(text.lines()) {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["number"], number);
            assert_eq!(event["leaf"].as_str().unwrap().len(), 64);
        }
        let csv = folder.run(&["export", "events"]).ended_with(0).out;
        assert_eq!(csv.lines().count(), text.lines().count() + 1);
    }
}

#[test]
fn an_export_that_cannot_be_written_says_so() {
    let folder = Folder::with_demo(ENGINES[0]);
    let ran = folder.run(&["export", "events", "--out", "no/such/folder.csv"]).ended_with(1);
    assert!(ran.err.starts_with("granary: no/such/folder.csv: "), "{}", ran.err);
}
