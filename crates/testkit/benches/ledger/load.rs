//! What is asked of the server: readings, issue, actions, queries.

use crate::server::Server;
use crate::{BUNDLES_AT_ONCE, DEVICES, YEAR_HOURS};
use db::testing::TestDatabase;
use domain::action::{NewAccount, NewDevice};
use domain::{AccountId, Command, Role, Roles};
use hdrhistogram::Histogram;
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use testkit::{TestRegistry, device_description};

const PASSWORD: &str = "bench-password";
const CONTACT: &str = "bench@example.org";
const ACCOUNTS: i64 = 10;
const ROWS_PER_REQUEST: usize = 1_000_000;
/// Wh of every bundle; actions take a few of each.
const BUNDLE_WH: i64 = 1_000_000;

/// Accounts that whitelist each other, one user who may do everything, and `devices` devices, in turn of the accounts.
pub(crate) fn fill_registry(database: &TestDatabase, devices: i64) {
    let registry = app::Registry::open(TestRegistry::settings(database), app::Clock::new(now)).unwrap();
    let act = |command| {
        registry.submit_as(domain::Actor::Operator, command, "{}".to_owned()).unwrap().wait().unwrap();
    };
    for n in 1..=ACCOUNTS {
        let whitelist = (1..n).map(AccountId).collect();
        let name = format!("account {n}");
        act(Command::CreateAccount(NewAccount { name, organisation_id: None, user_ids: Vec::new(), whitelist }));
    }
    act(Command::CreateMetadata(testkit::metadata_description()));
    for n in 1..=devices {
        let account_id = AccountId(1 + (n - 1) % ACCOUNTS);
        let mut description = device_description(&format!("device {n}"));
        description.capacity_watts = 10_000_000;
        act(Command::CreateDevice(NewDevice { account_id, description }));
    }
    let accounts: Vec<AccountId> = (1..=ACCOUNTS).map(AccountId).collect();
    registry.create_user_as_operator("bench", CONTACT, Roles::of(&Role::ALL), None, &accounts, PASSWORD).unwrap();
    registry.close();
}

/// The first hour of all readings: 400 days ago, so that nothing lies in the future and nothing has expired.
fn start() -> Timestamp {
    static START: OnceLock<Timestamp> = OnceLock::new();
    *START.get_or_init(|| {
        let day = 24 * 3_600;
        let now = now().as_second();
        Timestamp::from_second(now - now % day - 400 * day).unwrap()
    })
}

#[expect(clippy::disallowed_methods, reason = "the server that is measured goes by the system's clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

pub(crate) struct Load {
    base: String,
    token: String,
    taken: AtomicUsize,
}

#[derive(Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// The latency that `share` of all stay below, in milliseconds.
    pub(crate) fn millis(&self, share: f64) -> f64 {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        for latency in &self.0 {
            histogram.record(u64::try_from(latency.as_micros()).unwrap()).unwrap();
        }
        crate::count(i64::try_from(histogram.value_at_quantile(share)).unwrap()) / 1_000.0
    }
}

impl Load {
    pub(crate) fn sign_in(server: &Server) -> Self {
        let base = format!("http://{}", server.address);
        let body = serde_json::json!({ "username": CONTACT, "password": PASSWORD });
        let mut answer = ureq::post(format!("{base}/auth/login")).send_json(body).unwrap();
        let answer: serde_json::Value = answer.body_mut().read_json().unwrap();
        Self { base, token: answer["access_token"].as_str().unwrap().to_owned(), taken: AtomicUsize::new(0) }
    }

    fn post(&self, agent: &ureq::Agent, path: &str, body: &serde_json::Value) -> Vec<u8> {
        let bearer = format!("Bearer {}", self.token);
        let request = agent.post(format!("{}{path}", self.base)).header("authorization", bearer);
        let mut answer = request.send_json(body).unwrap_or_else(|error| panic!("{path}: {error}"));
        answer.body_mut().with_config().limit(100 << 20).read_to_vec().unwrap()
    }

    /// All readings of the first `devices`, hour by hour.
    pub(crate) fn submit_hour_by_hour(&self, devices: i64, hours: i64) -> i64 {
        self.submit((0..hours).flat_map(|hour| (1..=devices).map(move |device| (device, hour))))
    }

    /// A year of readings of one device after another, of the devices behind `first`.
    pub(crate) fn submit_device_by_device(&self, first: i64, years: i64) -> i64 {
        self.submit((1..=years).flat_map(|n| (0..YEAR_HOURS).map(move |hour| (first + n, hour))))
    }

    fn submit(&self, rows: impl Iterator<Item = (i64, i64)>) -> i64 {
        let mut rows = rows.peekable();
        let mut sent = 0;
        while rows.peek().is_some() {
            let mut csv = String::from(
                "device_id,interval_start_datetime,interval_end_datetime,interval_usage,gross_net_indicator\n",
            );
            for (device, hour) in rows.by_ref().take(ROWS_PER_REQUEST) {
                let from = start() + SignedDuration::from_hours(hour);
                let to = from + SignedDuration::from_hours(1);
                writeln!(csv, "{device},{from},{to},{BUNDLE_WH},NET").unwrap();
                sent += 1;
            }
            let bearer = format!("Bearer {}", self.token);
            let request = ureq::post(format!("{}/measurement/submit_readings", self.base));
            let request = request.header("authorization", bearer).header("content-type", "text/csv");
            let mut answer = request.send(csv).unwrap();
            let answer: serde_json::Value = answer.body_mut().read_json().unwrap();
            assert_eq!(answer["rejected"], serde_json::json!([]), "every row is accepted");
        }
        sent
    }

    /// Issues `hours` of these devices and waits for the job.
    pub(crate) fn issue(&self, devices: &[i64], hours: i64) -> i64 {
        let agent = ureq::Agent::new_with_defaults();
        let to = start() + SignedDuration::from_hours(hours);
        let body = serde_json::json!({
            "metadata_id": 1, "from": start(), "to": to, "device_ids": devices, "wait": 300,
        });
        let job: serde_json::Value = serde_json::from_slice(&self.post(&agent, "/certificate/issue", &body)).unwrap();
        assert_eq!(job["state"], "done", "{job}");
        job["issued"].as_i64().unwrap()
    }

    /// `count` actions by `clients` at once, each splitting a bundle of its own: transfers and cancellations in turn.
    pub(crate) fn actions(&self, clients: usize, count: usize, issued: i64, hours: i64) -> (Latencies, Duration) {
        let hourly = DEVICES * hours;
        let begin = self.taken.fetch_add(count, Ordering::Relaxed);
        let next = AtomicUsize::new(begin);
        let started = Instant::now();
        let work = || {
            let agent = ureq::Agent::new_with_defaults();
            let mut latencies = Vec::new();
            // The status says whether it was done; the answer is read and not looked at.
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= begin + count {
                    return latencies;
                }
                let n = i64::try_from(n).unwrap();
                // A step that shares no factor with any count visits each bundle once, in no order a cache would like.
                let place = (n * 1_000_003) % hourly.min(issued);
                let account = 1 + (place % DEVICES) % ACCOUNTS;
                let (path, body) = action(n, place + 1, account);
                let asked = Instant::now();
                self.post(&agent, path, &body);
                latencies.push(asked.elapsed());
            }
        };
        let latencies = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..clients).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        (Latencies(latencies), started.elapsed())
    }

    /// Queries of 30 days of one of the devices that have a year: 720 bundles each.
    pub(crate) fn queries(&self, count: usize, years: i64) -> Latencies {
        let agent = ureq::Agent::new_with_defaults();
        let mut latencies = Vec::new();
        for n in 0..i64::try_from(count).unwrap() {
            let device = DEVICES + 1 + n % years;
            let day = n * 37 % 330;
            let at = |day: i64| start() + SignedDuration::from_hours(24 * day);
            let body = serde_json::json!({
                "source_id": 1 + (device - 1) % ACCOUNTS, "device_id": device,
                "certificate_period_start": at(day), "certificate_period_end": at(day + 30),
            });
            let asked = Instant::now();
            let answer = self.post(&agent, "/certificate/query", &body);
            latencies.push(asked.elapsed());
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            let found = answer["granular_certificate_bundles"].as_array().map_or(0, Vec::len);
            assert_eq!(found, 720, "a bundle an hour");
        }
        Latencies(latencies)
    }

    /// From each account but the last, as many bundles as one action may name, whole, to the account behind it. They are
    /// those of the devices that have a year, which were issued behind the `hourly` others.
    pub(crate) fn transfers_of_many(&self, hourly: i64, years: i64) -> Latencies {
        let agent = ureq::Agent::new_with_defaults();
        let mut latencies = Vec::new();
        for account in 1..ACCOUNTS {
            let devices = (1..=years).filter(|n| 1 + (n - 1) % ACCOUNTS == account);
            let held = devices.flat_map(|n| (1..=YEAR_HOURS).map(move |hour| hourly + (n - 1) * YEAR_HOURS + hour));
            let bundles: Vec<i64> = held.take(usize::try_from(BUNDLES_AT_ONCE).unwrap()).collect();
            let body = serde_json::json!({
                "source_id": account, "target_id": account + 1, "granular_certificate_bundle_ids": bundles,
            });
            let asked = Instant::now();
            let answer = self.post(&agent, "/certificate/transfer", &body);
            latencies.push(asked.elapsed());
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(answer["result"].as_array().map_or(0, Vec::len), bundles.len(), "all of them, whole");
        }
        Latencies(latencies)
    }

    /// Everything, as CSV; the number of its rows.
    pub(crate) fn export(&self) -> i64 {
        let bearer = format!("Bearer {}", self.token);
        let request = ureq::get(format!("{}/certificate/export", self.base)).header("authorization", bearer);
        let mut answer = request.call().unwrap();
        let reader = answer.body_mut().with_config().limit(u64::MAX).reader();
        let lines = BufReader::with_capacity(1 << 16, reader).split(b'\n').count();
        i64::try_from(lines).unwrap() - 1
    }
}

fn action(n: i64, bundle: i64, account: i64) -> (&'static str, serde_json::Value) {
    if n % 2 == 0 || account == ACCOUNTS {
        let body = serde_json::json!({
            "source_id": account, "granular_certificate_bundle_ids": [bundle], "certificate_quantity": 1_000,
            "beneficiary": "Bench Ltd",
        });
        return ("/certificate/cancel", body);
    }
    // Each account has whitelisted those before it.
    let body = serde_json::json!({
        "source_id": account, "target_id": account + 1, "granular_certificate_bundle_ids": [bundle],
        "certificate_quantity": 1_000,
    });
    ("/certificate/transfer", body)
}
