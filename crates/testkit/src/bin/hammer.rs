//! A registry that works until it is killed: `hammer DATABASE_URL SEED NEWEST`. For the tests of sudden ends only.
//!
//! Several threads act on the bundles of the accounts 1 and 2 at random. Each action that was acknowledged is one line on
//! the standard output, written only after the answer came: the action's id, then for each bundle made or changed
//! `id:first-last`. It ends by itself when nobody reads.

use app::Registry;
use domain::action::{BundleAction, BundleResult, Deed, Portion};
use domain::{AccountId, Actor, BundleId, Command, Outcome, WattHours};
use std::io::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use testkit::model::Dice;
use testkit::{TestClock, TestRegistry, at};

const THREADS: u64 = 6;
/// A thread that is refused so often in a row ends: there is nothing left to act on.
const REFUSALS_MAX: u32 = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, seed, newest] = arguments.as_slice() else { panic!("usage: hammer DATABASE_URL SEED NEWEST") };
    let settings = TestRegistry::settings_at(&url.parse().expect("a database URL"));
    let clock = TestClock::at(at("2026-03-02T00:00:00Z"));
    let registry = Registry::open(settings, clock.clock()).expect("the database opens");
    let seed: u64 = seed.parse().expect("a number");
    // The newest bundle there is; more come to be as bundles are divided.
    let newest = AtomicI64::new(newest.parse().expect("a bundle's id"));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (registry, newest) = (&registry, &newest);
            scope.spawn(move || hammer(registry, &mut Dice::of_seed(seed * THREADS + thread), newest));
        }
    });
}

fn hammer(registry: &Registry, dice: &mut Dice, newest: &AtomicI64) {
    let mut refused = 0;
    while refused < REFUSALS_MAX {
        let (source, target) = if dice.percent(50) { (1, 2) } else { (2, 1) };
        let deed = if dice.percent(80) {
            Deed::Transfer { target: AccountId(target) }
        } else {
            Deed::Cancel { beneficiary: Some("Ada".to_owned()), beneficiary_account: None, purpose: None }
        };
        let bundles = vec![BundleId(1 + dice.below(newest.load(Ordering::Relaxed)))];
        let quantity = u64::try_from(1 + dice.below(1_000)).expect("above 0");
        let portion = Portion::Quantity(WattHours(quantity));
        let action = BundleAction { source: AccountId(source), bundles, portion, deed };
        let pending = registry.submit_as(Actor::Operator, Command::Bundles(action), "{}".to_owned());
        let answer = match pending.and_then(app::Pending::wait) {
            Ok(answer) => answer,
            Err(app::Error::Refused(_)) => {
                refused += 1;
                continue;
            }
            Err(error) => {
                // The other threads must not go on as if nothing were wrong.
                eprintln!("no reason to fail: {error}");
                std::process::exit(1)
            }
        };
        refused = 0;
        let app::Done::Acted { action_id: Some(id), outcome: Outcome::Bundles { result, .. }, .. } = answer.done else {
            unreachable!("bundles were moved")
        };
        for bundle in &result {
            newest.fetch_max(bundle.bundle_id.0, Ordering::Relaxed);
        }
        if acknowledge(id.0, &result).is_err() {
            return;
        }
    }
}

fn acknowledge(action: i64, result: &[BundleResult]) -> std::io::Result<()> {
    let bundles: Vec<String> = result
        .iter()
        .map(|bundle| format!("{}:{}-{}", bundle.bundle_id, bundle.range.first(), bundle.range.last()))
        .collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{action} {}", bundles.join(" "))?;
    out.flush()
}
