//! The layers, as rules over `cargo metadata`: which crate of the workspace may use which, which crate alone may name a
//! driver or the HTTP library, and which licences a dependency may have.
//!
//! Invariant: every crate of the workspace has a row in [`ARROWS`], and every direct dependency is either allowed by a
//! row or reported with the rule it breaks. The rules are plain functions over names, so that made-up workspaces show
//! that each of them can fail. What a crate uses from its dependencies is not looked at.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Which crates of the workspace a crate may depend on. Everything else is refused.
const ARROWS: &[(&str, &[&str])] = &[
    ("db", &[]),
    ("domain", &[]),
    ("store", &["db", "domain"]),
    ("verify", &["db"]),
    ("source", &["domain"]),
    ("app", &["store", "source", "domain"]),
    ("web", &["app", "domain"]),
    ("ui", &["web", "app", "domain"]),
    ("granary", &["ui", "web", "app", "db", "verify", "domain"]),
    ("testkit", &["granary", "ui", "web", "app", "source", "store", "db", "domain", "verify"]),
];

/// A group of libraries, the only crates that may depend on them directly, and why.
struct Reserved {
    libraries: &'static [&'static str],
    crates: &'static [&'static str],
    reason: &'static str,
}

/// Arrows that are for tests only: the auditor's tests make the ledgers that they damage with the real rules.
const TEST_ARROWS: &[(&str, &[&str])] = &[("verify", &["domain", "store"])];

const RESERVED: &[Reserved] = &[
    Reserved {
        libraries: &["tokio-postgres-rustls", "tokio-postgres", "refinery-core", "r2d2"],
        crates: &["db"],
        reason: "only `db` names a driver",
    },
    // The bench measures the drivers bare, and tests damage databases.
    Reserved { libraries: &["rusqlite", "postgres"], crates: &["db", "testkit"], reason: "only `db` names a driver" },
    Reserved {
        libraries: &["axum", "hyper", "tower", "tower-http"],
        crates: &["web", "ui", "granary", "testkit"],
        reason: "only `web` and `ui` speak HTTP",
    },
];

/// The crates whose results depend on their arguments alone, and what they therefore may not use outside their tests.
const PURE: &[&str] = &["domain", "store", "verify"];
const IMPURE: &[&str] = &[
    "async-std",
    "async-trait",
    "chrono",
    "fastrand",
    "futures",
    "futures-util",
    "getrandom",
    "rand",
    "smol",
    "time",
    "tokio",
    "uuid",
];

/// Licences that a dependency may be used under. A licence with an exception is a term of its own.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The platform that is released. Other platforms' packages are neither downloaded nor judged.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    Build,
    Dev,
}

struct Dependency {
    name: String,
    kind: Kind,
}

/// Each crate of the workspace with its direct dependencies.
type Workspace = BTreeMap<String, Vec<Dependency>>;

/// Why this one dependency is refused, if it is.
fn refusal(workspace: &Workspace, from: &str, dependency: &Dependency) -> Option<String> {
    let to = dependency.name.as_str();
    if workspace.contains_key(to) {
        let allowed = ARROWS.iter().any(|(name, targets)| *name == from && targets.contains(&to));
        // A crate may turn on features of its own for its tests, and every crate's tests may use the test kit.
        let test_arrow = TEST_ARROWS.iter().any(|(test, targets)| *test == from && targets.contains(&to));
        let for_tests = (to == "testkit" || to == from || test_arrow) && dependency.kind == Kind::Dev;
        return (!allowed && !for_tests).then(|| format!("{from} → {to}: not an arrow of the layers"));
    }
    if let Some(rule) = RESERVED.iter().find(|rule| rule.libraries.contains(&to) && !rule.crates.contains(&from)) {
        // Tests of the HTTP layer drive it with the same libraries, so only the drivers are kept from tests too.
        if dependency.kind != Kind::Dev || rule.crates.contains(&"db") {
            return Some(format!("{from} → {to}: {}", rule.reason));
        }
    }
    let impure = PURE.contains(&from) && IMPURE.contains(&to) && dependency.kind != Kind::Dev;
    impure.then(|| format!("{from} → {to}: {from} has no async, no clock and no randomness"))
}

/// Every broken rule of the workspace, in a stable order.
fn broken_rules(workspace: &Workspace) -> Vec<String> {
    let unknown = workspace.keys().filter(|name| !ARROWS.iter().any(|(known, _)| known == name));
    let stale = ARROWS.iter().filter(|(name, _)| !workspace.contains_key(*name));
    let mut broken: Vec<String> = unknown.map(|name| format!("{name}: no row in ARROWS")).collect();
    broken.extend(stale.map(|(name, _)| format!("{name}: in ARROWS but not in the workspace")));
    for (from, dependencies) in workspace {
        broken.extend(dependencies.iter().filter_map(|dependency| refusal(workspace, from, dependency)));
    }
    broken
}

/// Why a package with this licence field may not be used, if so. `None` as a licence is refused.
fn licence_refusal(licence: Option<&str>) -> Option<String> {
    let Some(text) = licence else { return Some("states no licence".to_owned()) };
    match spdx::Expression::parse_mode(text, spdx::ParseMode::LAX) {
        Err(error) => Some(format!("`{text}` is not a licence expression: {}", error.reason)),
        Ok(expression) => {
            let accepted = expression.evaluate(|term| LICENCES.contains(&term.to_string().as_str()));
            (!accepted).then(|| format!("`{text}` cannot be satisfied by the accepted licences"))
        }
    }
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", PLATFORM])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().expect("packages").iter()
}

fn workspace_of(metadata: &Value) -> Workspace {
    let members = metadata["workspace_members"].as_array().expect("members");
    packages(metadata)
        .filter(|package| members.contains(&package["id"]))
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies").iter().map(dependency_of);
            (package["name"].as_str().expect("name").to_owned(), dependencies.collect())
        })
        .collect()
}

fn dependency_of(value: &Value) -> Dependency {
    let kind = match value["kind"].as_str() {
        None => Kind::Normal,
        Some("build") => Kind::Build,
        Some("dev") => Kind::Dev,
        Some(other) => panic!("unknown kind of dependency: {other}"),
    };
    Dependency { name: value["name"].as_str().expect("name").to_owned(), kind }
}

/// A workspace in order, with one dependency added.
fn workspace_with(from: &str, to: &str, kind: Kind) -> Workspace {
    let mut workspace: Workspace = ARROWS.iter().map(|(name, _)| ((*name).to_owned(), Vec::new())).collect();
    workspace.entry(from.to_owned()).or_default().push(Dependency { name: to.to_owned(), kind });
    workspace
}

#[test]
fn the_workspace_has_only_the_arrows_of_the_layers() {
    let workspace = workspace_of(&metadata());
    assert!(workspace.values().any(|dependencies| !dependencies.is_empty()), "no dependency was read");
    assert_eq!(broken_rules(&workspace), Vec::<String>::new());
}

#[test]
fn every_dependency_has_an_accepted_licence() {
    let metadata = metadata();
    let refused: Vec<String> = packages(&metadata)
        .filter_map(|package| {
            let reason = licence_refusal(package["license"].as_str())?;
            Some(format!("{} {}: {reason}", package["name"], package["version"]))
        })
        .collect();
    assert!(packages(&metadata).count() > 100, "the whole graph was read");
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn a_forbidden_dependency_is_named_with_its_rule() {
    for (from, to, kind, rule) in [
        ("web", "store", Kind::Normal, "web → store: not an arrow of the layers"),
        ("web", "db", Kind::Dev, "web → db: not an arrow of the layers"),
        ("domain", "store", Kind::Normal, "domain → store: not an arrow of the layers"),
        ("verify", "app", Kind::Dev, "verify → app: not an arrow of the layers"),
        ("db", "domain", Kind::Build, "db → domain: not an arrow of the layers"),
        ("app", "testkit", Kind::Normal, "app → testkit: not an arrow of the layers"),
        ("granary", "store", Kind::Normal, "granary → store: not an arrow of the layers"),
        ("store", "rusqlite", Kind::Normal, "store → rusqlite: only `db` names a driver"),
        ("verify", "domain", Kind::Normal, "verify → domain: not an arrow of the layers"),
        ("web", "rusqlite", Kind::Normal, "web → rusqlite: only `db` names a driver"),
        ("web", "postgres", Kind::Dev, "web → postgres: only `db` names a driver"),
        ("app", "axum", Kind::Normal, "app → axum: only `web` and `ui` speak HTTP"),
        ("domain", "tokio", Kind::Normal, "domain → tokio: domain has no async, no clock and no randomness"),
        ("verify", "rand", Kind::Normal, "verify → rand: verify has no async, no clock and no randomness"),
        ("store", "uuid", Kind::Build, "store → uuid: store has no async, no clock and no randomness"),
    ] {
        assert_eq!(broken_rules(&workspace_with(from, to, kind)), [rule]);
    }
}

#[test]
fn an_allowed_dependency_is_not_reported() {
    for (from, to, kind) in [
        ("web", "app", Kind::Normal),
        ("store", "db", Kind::Normal),
        ("domain", "testkit", Kind::Dev),
        ("verify", "domain", Kind::Dev),
        ("db", "db", Kind::Dev),
        ("domain", "rand", Kind::Dev),
        ("db", "rusqlite", Kind::Normal),
        ("testkit", "postgres", Kind::Normal),
        ("granary", "axum", Kind::Normal),
        ("app", "tokio", Kind::Normal),
        ("domain", "serde", Kind::Normal),
    ] {
        assert_eq!(broken_rules(&workspace_with(from, to, kind)), Vec::<String>::new(), "{from} → {to}");
    }
}

#[test]
fn a_crate_without_a_row_and_a_row_without_a_crate_are_reported() {
    let mut workspace = workspace_with("helpers", "serde", Kind::Normal);
    workspace.remove("verify");
    assert_eq!(broken_rules(&workspace), ["helpers: no row in ARROWS", "verify: in ARROWS but not in the workspace"]);
}

#[test]
fn a_licence_is_accepted_if_its_expression_can_be_satisfied() {
    for (licence, accepted) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only OR MIT", true),
        ("(MIT OR GPL-3.0-only) AND Unicode-3.0", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-3.0-only", false),
        ("MIT AND GPL-3.0-only", false),
        ("MIT AND (AGPL-3.0-only OR SSPL-1.0)", false),
        ("GPL-2.0-only WITH Classpath-exception-2.0", false),
        ("LicenseRef-proprietary", false),
        ("no licence at all", false),
        ("", false),
    ] {
        assert_eq!(licence_refusal(Some(licence)).is_none(), accepted, "{licence}");
    }
    assert_eq!(licence_refusal(None).as_deref(), Some("states no licence"));
}
