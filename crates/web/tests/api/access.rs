//! Who may call what: every operation of the document × every role has an expected outcome. A missing row fails.

mod scopes;
mod strangers;
mod tokens;

use crate::storage::{Stored, stored};
use crate::story::{device_body, metadata_body};
use crate::{START, app, merged, start};
use domain::action::Deed;
use domain::{AccountId, Actor, BundleId, Portion, Role, WattHours};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use testkit::http::{Client, TestApp};
use testkit::{Engine, TestRegistry, hours_from};
use web::{Controls, Limits};

/// Who calls: nobody, then each role; the last two trade and produce for another account.
const COLUMNS: [&str; 11] = [
    "no token",
    "no role",
    "administrator",
    "issuer",
    "registrar",
    "meter",
    "trader",
    "producer",
    "auditor",
    "other trader",
    "other producer",
];

/// `+` allowed, `!` 401, `x` 403, `?` 404; in the order of [`COLUMNS`].
#[rustfmt::skip]
const ACCESS: &[(&str, &str, &str)] = &[
    // no token, no role, administrator, issuer, registrar, meter, trader, producer, auditor, other trader, other producer
    ("POST", "/auth/login",                          "+ + + + + + + + + + +"),
    ("POST", "/auth/logout",                         "! + + + + + + + + + +"),
    ("POST", "/auth/change_password",                "! + + + + + + + + + +"),
    ("POST", "/auth/api_key/create",                 "! + + + + + + + + + +"),
    ("GET", "/auth/api_key/list",                    "! + + + + + + + + + +"),
    ("DELETE", "/auth/api_key/delete/{id}",          "! ? + ? ? ? ? ? ? ? ?"), // another user's
    ("POST", "/user/create",                         "! x + x x x x x x x x"),
    ("GET", "/user/{id}",                            "! ? + + ? ? + + + ? ?"),
    ("GET", "/user/me",                              "! + + + + + + + + + +"),
    ("GET", "/user/me/accounts",                     "! + + + + + + + + + +"),
    ("GET", "/user/list",                            "! + + + + + + + + + +"),
    ("PATCH", "/user/update/{id}",                   "! x + x x x x x x x x"), // somebody else's
    ("POST", "/user/change_role/{id}",               "! x + x x x x x x x x"),
    ("DELETE", "/user/delete/{id}",                  "! x + x x x x x x x x"),
    ("POST", "/organisation/create",                 "! x + x x x x x x x x"),
    ("GET", "/organisation/list",                    "! + + + + + + + + + +"),
    ("GET", "/organisation/{id}",                    "! ? + + ? ? + + + ? ?"),
    ("PATCH", "/organisation/update/{id}",           "! x + x x x x x x x x"),
    ("DELETE", "/organisation/delete/{id}",          "! x + x x x x x x x x"),
    ("POST", "/account/create",                      "! x + x x x x x x x x"),
    ("GET", "/account/list",                         "! + + + + + + + + + +"),
    ("GET", "/account/{id}/users",                   "! ? + + ? ? + + + ? ?"),
    ("GET", "/account/{id}/devices",                 "! ? + + + + + + + ? ?"),
    ("GET", "/account/{id}/whitelist",               "! ? + + ? ? + + + ? ?"),
    ("GET", "/account/{id}/whitelist_inverse",       "! ? + + ? ? + + + ? ?"),
    ("GET", "/account/{id}/certificates",            "! ? + + ? ? + + + ? ?"),
    ("GET", "/account/{id}/certificates/devices",    "! ? + + ? ? + + + ? ?"),
    ("GET", "/account/{id}/summary",                 "! ? + + ? ? + + + ? ?"),
    ("PATCH", "/account/update/{id}",                "! x + x x x x x x x x"),
    ("DELETE", "/account/delete/{id}",               "! x + x x x x x x x x"),
    ("GET", "/account/{id}",                         "! ? + + ? ? + + + ? ?"),
    ("PATCH", "/account/update_whitelist/{id}",      "! x + x x x + + x x x"),
    ("POST", "/device/create",                       "! x + x + x x + x x x"),
    ("GET", "/device/{id}",                          "! ? + + + + + + + ? ?"),
    ("GET", "/device/list",                          "! + + + + + + + + + +"),
    ("PATCH", "/device/update/{id}",                 "! x + x + x x + x x ?"),
    ("DELETE", "/device/delete/{id}",                "! x + x + x x x x x x"),
    ("POST", "/device/approve/{id}",                 "! x + x + x x x x x x"),
    ("POST", "/measurement/submit_readings",         "! x + x x + x + x x +"), // a producer's rows are judged one by one
    ("GET", "/measurement/meter_readings_template",  "! + + + + + + + + + +"),
    ("POST", "/measurement/create",                  "! x + x x + x x x x ?"), // a producer's after an issue; of another's device
    ("GET", "/measurement/list",                     "! ? + + ? + + + + ? ?"),
    ("GET", "/measurement/{id}",                     "! ? + + ? + + + + ? ?"),
    ("PATCH", "/measurement/update/{id}",            "! x + + x + x x x x ?"),
    ("DELETE", "/measurement/delete/{id}",           "! x + x x + x x x x ?"), // of one that was not issued
    ("POST", "/measurement/release/{id}",            "! x + + x x x x x x x"),
    ("POST", "/certificate/create_metadata",         "! x + + x x x x x x x"),
    ("GET", "/certificate/metadata/list",            "! + + + + + + + + + +"),
    ("GET", "/certificate/metadata/{id}",            "! + + + + + + + + + +"),
    ("POST", "/certificate/issue",                   "! x + + x x x x x x x"),
    ("POST", "/certificate/query",                   "! ? + + ? ? + + + ? ?"),
    ("GET", "/certificate/export",                   "! ? + + ? ? + + + ? ?"),
    ("POST", "/certificate/transfer",                "! x x x x x + + x x x"),
    ("POST", "/certificate/cancel",                  "! x x x x x + + x x x"),
    ("POST", "/certificate/claim",                   "! ? ? ? ? ? + + ? ? ?"),
    ("POST", "/certificate/reserve",                 "! x x x x x + + x x x"),
    ("POST", "/certificate/reseve",                  "! x x x x x + + x x x"),
    ("POST", "/certificate/lock",                    "! x + + x x x x x x x"),
    ("POST", "/certificate/unlock",                  "! x + + x x x x x x x"),
    ("POST", "/certificate/withdraw",                "! x + + x x x x x x x"),
    ("PATCH", "/certificate/update_mutables",        "! x + + x x x x x x x"),
    ("POST", "/certificate/create",                  "! x + + x x x x x x x"),
    ("POST", "/certificate/recurring_transfer",      "! x x x x x + + x x x"),
    ("POST", "/certificate/recurring_cancel",        "! x x x x x + + x x x"),
    ("GET", "/certificate/recurring/list",           "! + + + + + + + + + +"),
    ("GET", "/certificate/recurring/{id}",           "! ? + + ? ? + + + ? ?"),
    ("POST", "/certificate/recurring/{id}/pause",    "! ? x x ? ? + + x ? ?"),
    ("POST", "/certificate/recurring/{id}/resume",   "! ? x x ? ? + + x ? ?"),
    ("GET", "/certificate/recurring/{id}/preview",   "! ? + + ? ? + + + ? ?"),
    ("GET", "/certificate/recurring/{id}/runs",      "! ? + + ? ? + + + ? ?"),
    ("DELETE", "/certificate/recurring/{id}",        "! ? x x ? ? + + x ? ?"),
    ("GET", "/certificate/{id}",                     "! ? + + ? ? + + + ? ?"),
    ("GET", "/certificate/{id}/lineage",             "! ? + + ? ? + + + ? ?"),
    ("GET", "/certificate/action/list",              "! + + + + + + + + + +"), // of their own
    ("GET", "/certificate/action/{id}",              "! ? + + ? ? + + + ? ?"),
    ("GET", "/certificate/action/rejected/{id}",     "! ? + + ? ? + + + ? ?"),
    ("POST", "/storage/create_scr",                  "! x + + x x x x x x x"),
    ("POST", "/storage/create_sdr",                  "! x + + x x x x x x x"),
    ("POST", "/storage/withdraw_scr",                "! x + + x x x x x x x"),
    ("POST", "/storage/withdraw_sdr",                "! x + + x x x x x x x"),
    ("POST", "/storage/issue_sdgc",                  "! x + + x x x x x x x"),
    ("GET", "/storage/query_scr",                    "! + + + + + + + + + +"), // of their own
    ("POST", "/storage/query_scr",                   "! + + + + + + + + + +"),
    ("GET", "/storage/query_sdr",                    "! + + + + + + + + + +"),
    ("POST", "/storage/query_sdr",                   "! + + + + + + + + + +"),
    ("GET", "/storage/scr/{id}",                     "! ? + + ? ? + + + ? ?"),
    ("GET", "/storage/sdr/{id}",                     "! ? + + ? ? + + + ? ?"),
    ("GET", "/storage/device/{id}",                  "! ? + + ? ? + + + ? ?"),
    ("GET", "/event/query",                          "! ? + + ? ? + + + ? ?"),
    ("GET", "/event/stream",                         "! + + + + + + + + + +"), // of what is theirs
    ("GET", "/job/list",                             "! + + + + + + + + + +"), // their own
    ("GET", "/job/{id}",                             "! ? + + ? ? ? ? + ? ?"), // an administrator's
    ("GET", "/metrics",                              "+ + + + + + + + + + +"), // from the machine itself
    ("GET", "/log_level",                            "! x + x x x x x x x x"),
    ("POST", "/change_log_level",                    "! x + x x x x x x x x"),
    ("GET", "/health/live",                          "+ + + + + + + + + + +"),
    ("GET", "/health/ready",                         "+ + + + + + + + + + +"),
];

/// What is only rehearsed, so that each caller finds the bundles as they were.
const DEEDS: [&str; 14] = [
    "/storage/create_scr",
    "/storage/create_sdr",
    "/storage/withdraw_scr",
    "/storage/withdraw_sdr",
    "/storage/issue_sdgc",
    "/certificate/update_mutables",
    "/certificate/transfer",
    "/certificate/cancel",
    "/certificate/claim",
    "/certificate/reserve",
    "/certificate/reseve",
    "/certificate/lock",
    "/certificate/unlock",
    "/certificate/withdraw",
];

pub(crate) struct World {
    pub app: TestApp,
    pub source: AccountId,
    target: AccountId,
    /// Somebody of the source account, who is looked at.
    member: Client,
    /// One of the source account.
    action: i64,
    /// What is left of the bundle of reading 4, of which a part is withdrawn for each release.
    rest: Cell<BundleId>,
    /// What is changed and deleted: it is there for nothing else.
    spare: Spare,
    /// Of the source account, with a charge that is drawn on and a discharge, and a charge that is not.
    battery: Stored,
}

struct Spare {
    user: i64,
    organisation: i64,
    account: i64,
    device: i64,
}

impl World {
    pub(crate) fn new() -> Self {
        let controls =
            Controls { log_level: Some(Arc::new(|| web::LogLevel::Info)), set_log_level: Some(Arc::new(|_| ())) };
        let app = TestApp::with_controls(TestRegistry::on(Engine::Sqlite), Limits::default(), controls);
        let kit = &app.testkit;
        let organisation = kit.organisation("Wind plc");
        let (source, target) = (kit.account_of("source", Some(organisation)), kit.account("target"));
        kit.whitelist(target, source);
        kit.metadata();
        let device = kit.device("turbine", source);
        kit.readings(device, hours_from(start(), 3), 100);
        let administrator = app.with_user(&[Role::RegistryAdministrator], &[]);
        let issue = json!({"metadata_id": 1, "from": START, "to": "2026-03-01"});
        assert_eq!(administrator.post("/certificate/issue", &issue).expect(202).json["issued"], 3);
        // Bundle 1 is Active, 2 Cancelled, 3 Locked.
        let on = |bundle: i64| json!({"source_id": source, "granular_certificate_bundle_ids": [bundle]});
        let trader = app.with_user(&[Role::TradingUser], &[source]);
        trader.post("/certificate/cancel", &on(2)).expect(202);
        administrator.post("/certificate/lock", &merged(on(3), &json!({"reason": "a reason"}))).expect(202);
        let refused = json!({"source_id": source, "target_id": source, "granular_certificate_bundle_ids": [1]});
        trader.post("/certificate/transfer", &refused).expect(400);
        let member = app.with_user(&[], &[source]);
        member.post("/auth/api_key/create", &json!({"name": "key", "scopes": ["read"]})).expect(201);
        let actions = administrator.get("/certificate/action/list?action_type=create_device").expect(200).json;
        let action = actions["actions"][0]["id"].as_i64().expect("an id");
        let spare = Spare {
            user: kit.user("spare", &[Role::Auditor], &[]).0,
            organisation: kit.organisation("Spare plc").0,
            account: kit.account("spare").0,
            device: kit.device("spare", source).0,
        };
        // Reading 4 is issued, reading 5 is not.
        let later = |hours: i64| hours_from(start(), hours + 1).skip(usize::try_from(hours).expect("few hours"));
        kit.readings(device, later(3), 100);
        assert_eq!(administrator.post("/certificate/issue", &issue).expect(202).json["issued"], 1);
        kit.readings(device, later(4), 100);
        let battery = stored(&app, "stored", source);
        Self { app, source, target, member, action, rest: Cell::new(BundleId(4)), spare, battery }
    }

    /// Withdraws 1 Wh of reading 4, so that there is something to release.
    fn hold(&self) {
        let deed = Deed::Withdraw { reason: "a reason".to_owned(), export_failed: false };
        let part = Portion::Quantity(WattHours(1));
        let kit = &self.app.testkit;
        let result = kit.bundles(Actor::Operator, self.source, &[self.rest.get()], part, deed).expect("it is Active");
        self.rest.set(result.last().expect("a split has a rest").bundle_id);
    }

    /// Somebody who trades for an account.
    fn trader(&self, account: AccountId) -> Client {
        self.app.with_user(&[Role::TradingUser], &[account])
    }

    fn caller(&self, column: usize) -> Client {
        let user = |role, account| self.app.with_user(&[role], &[account]);
        match COLUMNS[column] {
            "no token" => self.app.anonymous(),
            "no role" => self.app.with_user(&[], &[]),
            "administrator" => self.app.with_user(&[Role::RegistryAdministrator], &[]),
            "issuer" => self.app.with_user(&[Role::GcIssuer], &[]),
            "registrar" => self.app.with_user(&[Role::ProductionRegistrar], &[]),
            "meter" => self.app.with_user(&[Role::MeasurementBody], &[]),
            "trader" => user(Role::TradingUser, self.source),
            "producer" => user(Role::ProductionUser, self.source),
            "auditor" => self.app.with_user(&[Role::Auditor], &[]),
            "other trader" => user(Role::TradingUser, self.target),
            "other producer" => user(Role::ProductionUser, self.target),
            other => unreachable!("{other}"),
        }
    }

    /// A request that is well formed and changes nothing, or nothing that another one needs. `unique` makes names differ.
    pub(crate) fn request(&self, path: &str, unique: usize) -> (String, Value) {
        let name = format!("name {unique}");
        let on = |bundle: i64| json!({"source_id": self.source, "granular_certificate_bundle_ids": [bundle]});
        let because = json!({"reason": "a reason"});
        let login = json!({"username": format!("{name}@example.org"), "password": testkit::http::PASSWORD});
        let body = match path {
            "/auth/login" => login,
            "/auth/change_password" => {
                json!({"old_password": testkit::http::PASSWORD, "new_password": "another password"})
            }
            "/user/update/{id}" | "/organisation/update/{id}" => json!({"name": name}),
            "/user/change_role/{id}" => json!({"roles": ["Auditor"]}),
            "/device/update/{id}" => json!({"device_name": name}),
            "/auth/api_key/create" => json!({"name": name, "scopes": ["read"]}),
            "/user/create" => json!({"name": name, "primary_contact": name, "roles": ["Auditor"]}),
            "/organisation/create" => json!({"name": name, "business_id": 1, "primary_contact": name}),
            "/account/create" | "/account/update/{id}" => json!({"account_name": name}),
            "/account/update_whitelist/{id}" => json!({"add_to_whitelist": [self.target]}),
            "/device/create" => merged(device_body(self.source.0), &json!({"meter_data_id": name})),
            "/measurement/submit_readings" => json!([{
                "device_id": 1, "interval_start_datetime": START, "interval_end_datetime": "2026-02-01T01:00",
                "interval_usage": 100, "gross_net_indicator": "NET",
            }]),
            "/measurement/create" => json!({
                "device_id": 1, "interval_start_datetime": START, "interval_end_datetime": "2026-02-01T01:00",
                "interval_usage": 100, "gross_net_indicator": "NET",
            }),
            "/measurement/update/{id}" => json!({"interval_usage": 100}),
            "/measurement/release/{id}" => json!({"reason": "a reason"}),
            "/certificate/create_metadata" => metadata_body(),
            "/certificate/issue" => json!({"metadata_id": 1, "from": START, "to": "2026-03-01", "dry_run": true}),
            "/certificate/create" => json!({
                "metadata_id": 1, "device_id": 1, "bundle_quantity": 1,
                "production_starting_interval": format!("2026-02-02T00:{:02}:00Z", unique % 59),
                "production_ending_interval": format!("2026-02-02T00:{:02}:00Z", unique % 59 + 1),
            }),
            "/certificate/recurring_transfer" => json!({
                "source_id": self.source, "target_id": self.target, "initial_transfer_datetime": "2026-03-31",
                "recurring_transfer_period_units": "months",
            }),
            "/certificate/recurring_cancel" => json!({
                "source_id": self.source, "initial_cancellation_datetime": "2026-03-31",
                "recurring_cancellation_period_units": "months",
            }),
            "/certificate/query" => json!({"source_id": self.source}),
            "/certificate/transfer" => merged(on(1), &json!({"target_id": self.target})),
            "/certificate/cancel" | "/certificate/reserve" | "/certificate/reseve" => on(1),
            "/certificate/claim" => on(2),
            "/certificate/lock" | "/certificate/withdraw" => merged(on(1), &because),
            "/certificate/update_mutables" => merged(on(1), &json!({"account_id": self.target})),
            "/storage/create_scr" => json!({
                "device_id": self.battery.device, "charging_start_datetime": "2026-02-01T01:00:00Z",
                "charging_end_datetime": "2026-02-01T02:00:00Z", "charging_energy": 10,
            }),
            "/storage/create_sdr" => json!({
                "device_id": self.battery.device, "discharging_start_datetime": "2026-02-01T03:00:00Z",
                "discharging_end_datetime": "2026-02-01T04:00:00Z", "discharge_energy": 10,
            }),
            "/storage/withdraw_scr" => json!({"scr_allocation_id": self.battery.undrawn}),
            "/storage/withdraw_sdr" | "/storage/issue_sdgc" => json!({"sdr_allocation_id": self.battery.sdr}),
            "/certificate/unlock" => merged(on(3), &because),
            "/change_log_level" => json!({"level": "INFO"}),
            _ => json!({}),
        };
        let id = match path {
            "/user/{id}" => self.member.user_id().0,
            "/certificate/action/{id}" => self.action,
            "/user/update/{id}" | "/user/change_role/{id}" | "/user/delete/{id}" => self.spare.user,
            "/organisation/update/{id}" | "/organisation/delete/{id}" => self.spare.organisation,
            "/account/update/{id}" | "/account/delete/{id}" => self.spare.account,
            "/device/update/{id}" | "/device/delete/{id}" => self.spare.device,
            "/storage/scr/{id}" => self.battery.scr,
            "/storage/sdr/{id}" => self.battery.sdr,
            "/storage/device/{id}" => self.battery.device.0,
            "/measurement/release/{id}" => 4,
            "/measurement/delete/{id}" => 5,
            _ => 1,
        };
        let mut address = path.replace("{id}", &id.to_string());
        if path == "/certificate/export" {
            address = format!("{address}?source_id={}", self.source);
        }
        if DEEDS.contains(&path) {
            address.push_str("?dry_run=true");
        }
        if path == "/measurement/list" {
            address.push_str("?device_id=1");
        }
        if path == "/event/query" {
            address.push_str("?entity_name=GranularCertificateBundle&entity_id=1");
        }
        (address, body)
    }
}

fn outcome(status: u16) -> &'static str {
    match status {
        200..=299 => "+",
        401 => "!",
        403 => "x",
        404 => "?",
        _ => "an odd status",
    }
}

#[test]
fn every_operation_is_open_to_whom_it_should_be() {
    let world = World::new();
    let callers: Vec<Client> = (0..COLUMNS.len()).map(|column| world.caller(column)).collect();
    let mut unique = 0;
    for (method, path, expected) in ACCESS {
        let expected: Vec<&str> = expected.split(' ').collect();
        assert_eq!(expected.len(), COLUMNS.len(), "{method} {path}");
        for (column, expected) in expected.iter().enumerate() {
            unique += 1;
            let (address, body) = world.request(path, unique);
            if *path == "/measurement/release/{id}" {
                world.hold();
            }
            let ends_session = matches!(*path, "/auth/logout" | "/auth/change_password");
            let caller = if ends_session { world.caller(column) } else { callers[column].clone() };
            if *path == "/auth/login" {
                // Somebody has to be there to sign in.
                let name = body["username"].as_str().unwrap();
                let (roles, password) = (domain::Roles::NONE, testkit::http::PASSWORD);
                let registry = &world.app.testkit.registry;
                registry.create_user_as_operator(name, name, roles, None, &[], password).unwrap();
            }
            let body = if *method == "GET" { String::new() } else { body.to_string() };
            let who = COLUMNS[column];
            if *path == "/event/stream" {
                // It goes on until somebody ends it.
                let status = caller.follow(&address).map_or_else(|answer| answer.status, |_| 200);
                assert_eq!(outcome(status), *expected, "{method} {path} by {who}");
                continue;
            }
            let answer = caller.send(method, &address, &body);
            assert_eq!(
                outcome(answer.status),
                *expected,
                "{method} {path} by {who}: {} {}",
                answer.status,
                answer.text
            );
        }
    }
}

#[test]
fn every_operation_has_a_row() {
    let document = app().anonymous().get("/openapi.json").expect(200).json;
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.insert((method.to_uppercase(), path.clone()));
        }
    }
    let rows: BTreeSet<_> = ACCESS.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(rows, documented);
    assert_eq!(rows.len(), ACCESS.len(), "a row is there twice");
}
