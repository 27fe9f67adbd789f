//! The API through HTTP: a real server, a real client, a registry of its own for each test. Files mirror the paths.

mod access;
mod account;
mod action;
mod api_key;
mod auth;
mod bad_input;
mod cancel;
mod certificate;
mod claim;
mod compatibility;
mod conventions;
mod create_bundle;
mod device;
mod document;
mod event;
mod export;
mod health;
mod idempotency;
mod issue;
mod job;
mod lineage;
mod lock;
mod log_level;
mod many;
mod measurement;
mod metrics;
mod operations;
mod organisation;
mod pages;
mod query;
mod reading;
mod recurring_order;
mod reserve;
mod seed;
mod slow;
mod storage;
mod story;
mod stream;
mod sums;
mod transfer;
mod update_mutables;
mod user;
mod withdraw;

use domain::{AccountId, BundleId, DeviceId, Role};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::http::{Answer, Client, TestApp};
use testkit::{Engine, at, hours_from};

/// The first hour that the fixtures meter.
const START: &str = "2026-02-01T00:00:00Z";

fn start() -> Timestamp {
    at(START)
}

fn app() -> TestApp {
    TestApp::on(Engine::Sqlite)
}

/// A market: an account that holds bundles, one that may receive from it, and somebody to act for each.
struct Market {
    app: TestApp,
    source: AccountId,
    target: AccountId,
    device: DeviceId,
    metadata: i64,
    /// A Trading User of the source account.
    trader: Client,
    issuer: Client,
}

impl Market {
    /// With a bundle of `energy_wh` for each of `hours`, issued through the API.
    fn on(engine: Engine, hours: i64, energy_wh: i64) -> Self {
        Self::over(TestApp::on(engine), hours, energy_wh)
    }

    fn over(app: TestApp, hours: i64, energy_wh: i64) -> Self {
        let kit = &app.testkit;
        let (source, target) = (kit.account("source"), kit.account("target"));
        kit.whitelist(target, source);
        let device = kit.device("turbine", source);
        let metadata = kit.metadata().0;
        kit.readings(device, hours_from(start(), hours), energy_wh);
        let trader = app.with_user(&[Role::TradingUser], &[source]);
        let issuer = app.with_user(&[Role::GcIssuer], &[]);
        let market = Self { app, source, target, device, metadata, trader, issuer };
        if hours > 0 {
            let job = market.issue().expect(202);
            assert_eq!((&job.json["state"], &job.json["issued"]), (&json!("done"), &json!(hours)), "{}", job.text);
        }
        market
    }

    fn new(hours: i64, energy_wh: i64) -> Self {
        Self::on(Engine::Sqlite, hours, energy_wh)
    }

    fn issue(&self) -> Answer {
        let body = json!({"metadata_id": self.metadata, "from": START, "to": "2026-03-01T00:00:00Z"});
        self.issuer.post("/certificate/issue", &body)
    }

    /// The ids of all bundles of an account, in the order of a query.
    fn bundles(&self, account: AccountId) -> Vec<BundleId> {
        let auditor = self.app.with_user(&[Role::Auditor], &[]);
        let answer = auditor.post("/certificate/query", &json!({"source_id": account})).expect(202);
        let bundles = answer.json["granular_certificate_bundles"].as_array().expect("a list");
        bundles.iter().map(|bundle| BundleId(bundle["id"].as_i64().expect("an id"))).collect()
    }

    fn transfer(&self, bundles: &[BundleId], more: &Value) -> Answer {
        self.trader.post("/certificate/transfer", &self.transfer_body(bundles, more))
    }

    fn transfer_body(&self, bundles: &[BundleId], more: &Value) -> Value {
        let body = json!({
            "source_id": self.source, "target_id": self.target, "granular_certificate_bundle_ids": bundles,
        });
        merged(body, more)
    }

    fn cancel(&self, bundles: &[BundleId], more: &Value) -> Answer {
        let body = json!({"source_id": self.source, "granular_certificate_bundle_ids": bundles});
        self.trader.post("/certificate/cancel", &merged(body, more))
    }

    /// Does `deed` to bundles of the source account as `client`.
    fn act(&self, client: &Client, deed: &str, bundles: &[BundleId], more: &Value) -> Answer {
        let body = json!({"source_id": self.source, "granular_certificate_bundle_ids": bundles});
        client.post(&format!("/certificate/{deed}"), &merged(body, more))
    }

    /// The state of a bundle, as an auditor reads it.
    fn status(&self, bundle: BundleId) -> String {
        let auditor = self.app.with_user(&[Role::Auditor], &[]);
        let shown = auditor.get(&format!("/certificate/{bundle}")).expect(200).json;
        shown["certificate_bundle_status"].as_str().expect("a state").to_owned()
    }

    /// A Trading User of the target account.
    fn buyer(&self) -> Client {
        self.app.with_user(&[Role::TradingUser], &[self.target])
    }

    /// Number of the last event: what a refused request leaves as it was.
    fn event(&self) -> i64 {
        self.app.testkit.registry.health().expect("the database answers").event_number.0
    }
}

/// Checks who may do `deed`, as a dry run: these roles and no others, as members of the source account if `members`.
#[track_caller]
fn assert_only(market: &Market, deed: &str, more: &Value, bundle: BundleId, allowed: &[Role], members: bool) {
    for role in Role::ALL {
        let accounts = if members { vec![market.source] } else { Vec::new() };
        let caller = market.app.with_user(&[role], &accounts);
        let answer = market.act(&caller, &format!("{deed}?dry_run=true"), &[bundle], more);
        if allowed.contains(&role) {
            answer.expect(202);
        } else {
            assert_problem(&answer, 403, "forbidden");
        }
    }
}

/// `body` with the members of `more`; a null takes a member away.
fn merged(mut body: Value, more: &Value) -> Value {
    let members = body.as_object_mut().expect("an object");
    for (name, value) in more.as_object().expect("an object") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    body
}

/// Checks the faults of an answer, in any order.
#[track_caller]
fn assert_faults(answer: &Answer, expected: &[(&str, &str)]) {
    assert_eq!(answer.status, 422, "{}", answer.text);
    let mut found = answer.faults();
    let mut expected: Vec<_> = expected.iter().map(|(loc, kind)| ((*loc).to_owned(), (*kind).to_owned())).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// Checks a problem: its status, its slug, and that it says what RFC 9457 wants.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, slug: &str) {
    assert_eq!((answer.status, answer.problem()), (status, slug), "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json["status"], status);
    assert!(answer.json["title"].is_string() && answer.json["detail"].is_string(), "{}", answer.text);
}
