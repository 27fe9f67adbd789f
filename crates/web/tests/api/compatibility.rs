//! `docs/compatibility.md` is true: the tests that it names exist, and the routes of the demonstration that it lists are
//! served, or said to come later and not served.

use crate::Market;
use crate::operations::operations;
use domain::Role;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Routes of the demonstration: those of its six routers, and the one of the program itself.
const ROUTES: usize = 36;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn document() -> String {
    fs::read_to_string(root().join("docs/compatibility.md")).expect("the document is there")
}

/// What stands between two backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The cells of each row of a table, for the section with this title.
fn rows<'d>(document: &'d str, title: &str) -> Vec<Vec<&'d str>> {
    let (_, section) = document.split_once(&format!("\n## {title}\n")).expect("the section is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let cells = |line: &'d str| line.trim_matches('|').split(" | ").map(|cell| cell.trim_matches([' ', '|'])).collect();
    lines.skip(1).map(cells).collect()
}

/// All functions of the project's sources that are marked as tests.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('(')).map(|(name, _)| name);
                match name {
                    Some(name) if is_test => {
                        found.insert(name.to_owned());
                        is_test = false;
                    }
                    _ => {
                        is_test =
                            line.ends_with("test]") || (is_test && (line.starts_with("#[") || line.starts_with("//")));
                    }
                }
            }
        }
    }
}

#[test]
fn every_test_that_the_document_names_exists_and_every_line_names_one() {
    let document = document();
    let mut known = BTreeSet::new();
    tests(&root().join("crates"), &mut known);
    assert!(known.len() > 300, "{}", known.len());
    let mut missing = Vec::new();
    for title in ["Routes", "What clients may go on sending", "Where we differ on purpose"] {
        let rows = rows(&document, title);
        assert!(rows.len() > 15, "{title}: {}", rows.len());
        for cells in rows {
            assert_eq!(cells.len(), 3, "{cells:?}");
            if cells[1] == "later" {
                continue;
            }
            let names = quoted(cells[2]);
            assert!(!names.is_empty(), "{cells:?}");
            missing.extend(names.into_iter().filter(|name| !known.contains(*name)).map(str::to_owned));
        }
    }
    // Those that its sentences name.
    let looks_like_one = |name: &&str| name.len() > 20 && name.contains('_') && !name.contains(['/', '.', ' ', '<']);
    let of_sentences = document.lines().filter(|line| !line.starts_with('|')).flat_map(quoted).filter(looks_like_one);
    let members = ["certificate_status", "bundle_id_range_start"];
    missing.extend(of_sentences.filter(|name| !known.contains(*name) && !members.contains(name)).map(str::to_owned));
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_parts_of_a_split_have_hashes_of_their_own() {
    let market = Market::new(1, 100);
    let parent = market.bundles(market.source);
    let answer = market.transfer(&parent, &json!({"certificate_quantity": 50})).expect(202);
    let auditor = market.app.with_user(&[Role::Auditor], &[]);
    let result = answer.json["result"].as_array().expect("a list").clone();
    let hash =
        |bundle: &Value| auditor.get(&format!("/certificate/{}", bundle["bundle_id"])).expect(200).json["hash"].clone();
    let hashes: BTreeSet<String> = result.iter().map(|bundle| hash(bundle).to_string()).collect();
    assert_eq!((result.len(), hashes.len()), (3, 3), "the parent and two equal halves: {hashes:?}");
}

#[test]
fn every_route_of_the_demonstration_is_served_or_said_to_come_later() {
    let document = document();
    let served: BTreeSet<String> = operations().iter().map(crate::operations::Operation::name).collect();
    let listed: Vec<(String, bool)> =
        rows(&document, "Routes").iter().map(|cells| (quoted(cells[0])[0].to_owned(), cells[1] == "later")).collect();
    let names: BTreeSet<&String> = listed.iter().map(|(name, _)| name).collect();
    assert_eq!((listed.len(), names.len()), (ROUTES, ROUTES), "each once");
    for (name, is_later) in &listed {
        assert_eq!(served.contains(name), !is_later, "{name}");
    }
}
