//! No answer tells a stranger whether a thing exists: for every operation and every id that it takes, in the path, in the
//! query string or in the body, what belongs to others is answered exactly like what is not there.
//!
//! A Measurement Body and a Production Registrar work for everybody's devices and are no strangers to them.

use super::World;
use crate::operations::{Operation, operations};
use crate::storage::{STORED_READINGS, stored};
use crate::{START, merged};
use domain::{AccountId, Role};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use testkit::hours_from;
use testkit::http::Client;

/// What an id is the id of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    User,
    Organisation,
    Account,
    Device,
    Measurement,
    Metadata,
    Bundle,
    Job,
    Action,
    Rejected,
    Order,
    ApiKey,
    Scr,
    Sdr,
    Battery,
}

/// Never given to anything.
const MISSING: i64 = 987_654_321;

/// Where a stranger hears of what is not his, and why he must.
const TOLD: [(&str, &str, &str); 4] = [
    ("GET /certificate/metadata/{id}", "{id}", "what issuing bodies state is for everybody"),
    (
        "PATCH /account/update_whitelist/{id}",
        "add_to_whitelist",
        "who lets an account send to him must hear that there is none",
    ),
    ("POST /certificate/cancel", "beneficiary_account_id", "who names a beneficiary must hear that there is none"),
    ("POST /certificate/recurring_cancel", "beneficiary_account_id", "so must he here"),
];

/// Words of the path, longest first, and what an id after them is the id of.
const PATHS: [(&str, Kind); 15] = [
    ("/storage/device/", Kind::Battery),
    ("/storage/scr/", Kind::Scr),
    ("/storage/sdr/", Kind::Sdr),
    ("/auth/api_key/", Kind::ApiKey),
    ("/certificate/metadata/", Kind::Metadata),
    ("/certificate/action/rejected/", Kind::Rejected),
    ("/certificate/action/", Kind::Action),
    ("/certificate/recurring/", Kind::Order),
    ("/certificate/", Kind::Bundle),
    ("/organisation/", Kind::Organisation),
    ("/measurement/", Kind::Measurement),
    ("/account/", Kind::Account),
    ("/device/", Kind::Device),
    ("/user/", Kind::User),
    ("/job/", Kind::Job),
];

/// Members and parameters that are ids. `None`: it ends like one and is none of ours.
const MEMBERS: &[(&str, Option<Kind>)] = &[
    ("source_id", Some(Kind::Account)),
    ("target_id", Some(Kind::Account)),
    ("account_id", Some(Kind::Account)),
    ("account_ids", Some(Kind::Account)),
    ("beneficiary_account_id", Some(Kind::Account)),
    ("account_whitelist", Some(Kind::Account)),
    ("add_to_whitelist", Some(Kind::Account)),
    ("remove_from_whitelist", Some(Kind::Account)),
    ("user_id", Some(Kind::User)),
    ("user_ids", Some(Kind::User)),
    ("organisation_id", Some(Kind::Organisation)),
    ("device_id", Some(Kind::Device)),
    ("device_ids", Some(Kind::Device)),
    ("metadata_id", Some(Kind::Metadata)),
    ("granular_certificate_bundle_ids", Some(Kind::Bundle)),
    ("action_id", Some(Kind::Action)),
    // Of whatever `entity_name` says; lists only ever show what is the caller's.
    ("entity_id", None),
    // A number within a device, which is named beside it.
    ("certificate_id", None),
    ("business_id", None),
    ("meter_data_id", None),
    ("client_id", None),
    ("issuance_id", None),
    ("issuance_ids", None),
    ("scr_allocation_id", Some(Kind::Scr)),
    ("sdr_allocation_id", Some(Kind::Sdr)),
    // Of a charge or a discharge, as the operation says; lists only ever show what is the caller's.
    ("source_allocation_id", None),
    ("gc_issuance_id", None),
    ("account_id_to_update_to", Some(Kind::Account)),
    ("id_to_update_to", Some(Kind::Account)),
];

fn kind_of_member(name: &str) -> Option<Kind> {
    let known = MEMBERS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    let looks_like_one = name.ends_with("_id") || name.ends_with("_ids");
    assert!(known.is_some() || !looks_like_one, "say in MEMBERS what {name} is the id of");
    known.flatten()
}

fn kind_of_path(path: &str) -> Option<Kind> {
    let before = path.strip_suffix("{id}").or_else(|| path.split_once("{id}").map(|(before, _)| before))?;
    let known = PATHS.iter().find(|(start, _)| before.starts_with(start)).map(|(_, kind)| *kind);
    Some(known.unwrap_or_else(|| panic!("say in PATHS what the id of {path} is the id of")))
}

/// Things by their kind, one each.
type Things = BTreeMap<Kind, i64>;

/// Makes things of every kind, again and again.
struct Maker<'w> {
    world: &'w World,
    administrator: Client,
    made: Cell<i64>,
    readings: Cell<i64>,
}

impl<'w> Maker<'w> {
    fn new(world: &'w World) -> Self {
        let administrator = world.app.with_user(&[Role::RegistryAdministrator], &[]);
        // Readings are numbered one after another.
        let exists = |id: &i64| administrator.get(&format!("/measurement/{id}")).status == 200;
        let readings = Cell::new((1..1_000).take_while(exists).last().unwrap_or(0));
        Self { world, administrator, made: Cell::new(0), readings }
    }

    /// One thing of every kind that belongs to `account` and its users, made by `user` and by the issuer.
    fn things(&self, account: AccountId, user: &Client) -> Things {
        let kit = &self.world.app.testkit;
        let name = format!("{account} {}", self.made.replace(self.made.get() + 1));
        let number = |value: &Value| value.as_i64().expect("an id");
        let body = json!({"name": format!("{name} plc"), "business_id": name, "primary_contact": name});
        let organisation = self.administrator.post("/organisation/create", &body).expect(201).json;
        let device = kit.device(&name, account);
        let metadata = kit.metadata().0;
        kit.readings(device, hours_from(crate::start(), 2), 100);
        // the first of two, with those of storage behind them
        let reading = self.readings.replace(self.readings.get() + 2 + STORED_READINGS) + 1;
        let known = self.administrator.get(&format!("/measurement/{reading}")).expect(200);
        assert_eq!(known.json["device_id"], device.0);
        let issue = json!({"metadata_id": metadata, "from": START, "to": "2026-03-01", "device_ids": [device]});
        let job = self.administrator.post("/certificate/issue", &issue).expect(202).json;
        assert_eq!(job["issued"], 2);
        let found = json!({"source_id": account, "device_id": device});
        let found = self.administrator.post("/certificate/query", &found).expect(202).json;
        let bundle = |place: usize| number(&found["granular_certificate_bundles"][place]["id"]);
        let trader = self.world.trader(account);
        let cancel = json!({"source_id": account, "granular_certificate_bundle_ids": [bundle(0)]});
        let action = trader.post("/certificate/cancel", &cancel).expect(202).json;
        let order = json!({
            "source_id": account, "initial_cancellation_datetime": "2026-03-31",
            "recurring_cancellation_period_units": "months",
        });
        let order = trader.post("/certificate/recurring_cancel", &order).expect(202).json;
        // To the account that they are in, which a rule refuses.
        let refused = merged(cancel, &json!({"target_id": account, "granular_certificate_bundle_ids": [bundle(1)]}));
        trader.post("/certificate/transfer", &refused).expect(400);
        let rejected = trader.get("/certificate/action/list?status=rejected").expect(200).json;
        let battery = stored(&self.world.app, &format!("{name} stored"), account);
        let key = user.post("/auth/api_key/create", &json!({"name": name, "scopes": ["read"]})).expect(201).json;
        BTreeMap::from([
            (Kind::ApiKey, number(&key["id"])),
            (Kind::User, user.user_id().0),
            (Kind::Organisation, number(&organisation["id"])),
            (Kind::Account, account.0),
            (Kind::Device, device.0),
            (Kind::Measurement, reading),
            (Kind::Metadata, metadata),
            (Kind::Bundle, bundle(1)),
            (Kind::Job, number(&job["id"])),
            (Kind::Action, number(&action["id"])),
            (Kind::Rejected, number(&rejected["actions"][0]["rejected_id"])),
            (Kind::Order, number(&order["id"])),
            (Kind::Scr, battery.scr),
            (Kind::Sdr, battery.sdr),
            (Kind::Battery, battery.device.0),
        ])
    }
}

/// One place of a request where an id stands.
#[derive(Clone, Debug)]
enum Place {
    Path(Kind),
    Query(String, Kind),
    Member(String, Kind, bool),
}

impl Place {
    fn kind(&self) -> Kind {
        match self {
            Self::Path(kind) | Self::Query(_, kind) | Self::Member(_, kind, _) => *kind,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Path(_) => "{id}",
            Self::Query(name, _) | Self::Member(name, _, _) => name,
        }
    }
}

fn places(operation: &Operation) -> Vec<Place> {
    let mut all: Vec<Place> = kind_of_path(&operation.path).map(Place::Path).into_iter().collect();
    for (name, _) in operation.parameters("query") {
        all.extend(kind_of_member(&name).map(|kind| Place::Query(name, kind)));
    }
    for (name, schema) in operation.members().unwrap_or_default() {
        let is_list = schema["items"].is_object();
        all.extend(kind_of_member(&name).map(|kind| Place::Member(name, kind, is_list)));
    }
    all
}

/// The well-formed request of the table, about things of the stranger's own.
fn own_body(body: &Value, own: &Things) -> Value {
    match body {
        Value::Array(rows) => rows.iter().map(|row| own_body(row, own)).collect(),
        Value::Object(members) => {
            let mut all = json!({});
            for (name, value) in members {
                all[name] = match kind_of_member(name).and_then(|kind| own.get(&kind)) {
                    Some(id) if value.is_array() => json!([id]),
                    Some(id) => json!(id),
                    None => own_body(value, own),
                };
            }
            all
        }
        other => other.clone(),
    }
}

/// Its answer with every number that is one of the ids taken out.
fn without(text: &str, ids: [i64; 2]) -> String {
    let ids = ids.map(|id| id.to_string());
    let mut all = String::new();
    let mut number = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_digit() {
            number.push(letter);
            continue;
        }
        all.push_str(if ids.contains(&number) { "#" } else { &number });
        number.clear();
        all.push(letter);
    }
    all
}

struct Asked<'w> {
    world: &'w World,
    operation: &'w Operation,
    own: &'w Things,
}

impl Asked<'_> {
    /// The answer to `stranger`, with `id` at the place and his own things everywhere else.
    fn with(&self, stranger: &Client, place: &Place, id: i64, unique: usize) -> (u16, String) {
        let (address, body) = self.world.request(&self.operation.path, unique);
        let mut body = own_body(&body, self.own);
        let parameters = address.split_once('?').map(|(_, parameters)| parameters).unwrap_or_default();
        let own = kind_of_path(&self.operation.path).and_then(|kind| self.own.get(&kind)).copied().unwrap_or(1);
        let of_path = if let Place::Path(_) = place { id } else { own };
        let mut address = self.operation.path.replace("{id}", &of_path.to_string());
        let mut parameters: BTreeMap<String, String> = parameters
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| {
                let own = kind_of_member(name).and_then(|kind| self.own.get(&kind));
                (name.to_owned(), own.map_or_else(|| value.to_owned(), i64::to_string))
            })
            .collect();
        match place {
            Place::Path(_) => {}
            Place::Query(name, _) => {
                // A certificate is named by two numbers, and alone.
                if self.operation.path == "/event/query" && name == "device_id" {
                    parameters = BTreeMap::from([("certificate_id".to_owned(), "1".to_owned())]);
                }
                parameters.insert(name.clone(), id.to_string());
            }
            Place::Member(name, _, is_list) => {
                let value = if *is_list { json!([id]) } else { json!(id) };
                body = merged(body, &json!({name: value}));
                // Other names for the same may not stand beside it.
                if name.ends_with("_to_update_to") {
                    body = merged(body, &json!({"account_id": null}));
                }
            }
        }
        if !parameters.is_empty() {
            let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            address = format!("{address}?{}", pairs.join("&"));
        }
        let body = if self.operation.changes() { body.to_string() } else { String::new() };
        let answer = stranger.send(&self.operation.method, &address, &body);
        // What is made anew has an id anew, and is of now.
        let mut text = answer.text;
        if let (true, Value::Object(mut made)) = (answer.status < 300, answer.json) {
            made.remove("id");
            text = Value::Object(made).to_string();
        }
        (answer.status, text)
    }
}

/// An answer's status and text.
type Told = (u16, String);

#[test]
fn no_answer_tells_a_stranger_whether_a_thing_exists() {
    let world = World::new();
    let maker = Maker::new(&world);
    let (theirs, his) = (world.app.testkit.account("theirs"), world.app.testkit.account("his"));
    let other = maker.things(theirs, &world.app.with_user(&[], &[theirs]));
    let (mut unique, mut checked) = (1_000, 0);
    let mut told: Vec<(String, &[Role], Told, Told)> = Vec::new();
    for roles in [&[][..], &[Role::TradingUser], &[Role::ProductionUser]] {
        let new = || {
            let stranger = world.app.with_user(roles, &[his]);
            let own = maker.things(his, &stranger);
            (stranger, own)
        };
        let (mut stranger, mut own) = new();
        for operation in operations().iter().filter(|operation| operation.needs_token()) {
            for place in places(operation) {
                let asked = Asked { world: &world, operation, own: &own };
                let id = other[&place.kind()];
                let missing = asked.with(&stranger, &place, MISSING, unique);
                let existing = asked.with(&stranger, &place, id, unique + 1);
                (unique, checked) = (unique + 2, checked + 1);
                // Two requests that are not even looked at say nothing.
                assert!(
                    missing.0 != 422 && existing.0 != 422,
                    "{} {}: {missing:?} {existing:?}",
                    operation.name(),
                    place.name()
                );
                let bare = |(status, text): &Told| (*status, without(text, [MISSING, id]));
                if bare(&missing) != bare(&existing) && !is_told(operation, place.name()) {
                    let what = format!("{}, {}", operation.name(), place.name());
                    told.push((what, roles, missing.clone(), existing.clone()));
                }
                if operation.changes() && [missing.0, existing.0].iter().any(|status| *status < 300) {
                    (stranger, own) = new();
                }
            }
        }
    }
    assert!(checked > 60, "{checked}");
    assert!(told.is_empty(), "{told:#?}");
}

fn is_told(operation: &Operation, place: &str) -> bool {
    TOLD.iter().any(|(name, at, _)| *name == operation.name() && *at == place)
}
