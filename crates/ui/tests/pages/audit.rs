//! Audit: the log in pages, decoded, for who may read everything.

use crate::{Browser, app, proof};
use domain::action::{Deed, IssueChunk, Portion};
use domain::{AccountId, Actor, BundleId, Command, Role};
use testkit::http::TestApp;
use testkit::{at, hours_from};

const AUDIT: &str = "/ui/audit";

/// A bundle that was sent from the first account to the second.
fn prepare(app: &TestApp) -> (AccountId, AccountId) {
    let registry = &app.testkit;
    let (one, two) = (registry.account("One"), registry.account("Two"));
    let (device, metadata_id) = (registry.device("Farm", one), registry.metadata());
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T01:00:00Z"));
    registry.readings(device, hours_from(from, 1), 300_000);
    registry.act(Command::Issue(IssueChunk { metadata_id, devices: vec![device], from, to })).expect("issued");
    registry.whitelist(two, one);
    let trader = Actor::User(registry.user("Trader <i>T</i>", &[Role::TradingUser], &[one]));
    let transfer = Deed::Transfer { target: two };
    registry.bundles(trader, one, &[BundleId(1)], Portion::Whole, transfer).expect("transferred");
    (one, two)
}

#[test]
fn the_events_of_a_bundle_are_told_with_what_was_and_is() {
    let app = app();
    let (one, two) = prepare(&app);
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let page = auditor.get(&format!("{AUDIT}?entity=GranularCertificateBundle&id=1")).expect(200);
    assert_eq!(page.text.matches("<th scope=\"row\" class=\"number\">").count(), 2, "issue and transfer");
    let moved = format!("<del>{}</del> → {}", one.0, two.0);
    for shown in [moved.as_str(), "created", "changed", "Transfer", "Trader &#60;i&#62;", "href=\"/ui/certificate/1\""]
    {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("<i>T"));
    let (_, rest) = page.text.rsplit_once("href=\"/ui/action/").expect("an action");
    let action = rest.split('"').next().unwrap();
    let page = auditor.get(&format!("{AUDIT}?action={action}")).expect(200);
    assert_eq!(page.text.matches("<th scope=\"row\" class=\"number\">").count(), 1);
    for query in ["entity=GranularCertificateBundle&id=99", "action=9999"] {
        assert!(auditor.get(&format!("{AUDIT}?{query}")).expect(200).text.contains("No event is like this"), "{query}");
    }
    let page = auditor.get(&format!("{AUDIT}?id=7")).expect(200);
    assert!(page.text.contains("id=\"faults\"") && page.text.contains("aria-invalid=\"true\""));
}

#[test]
fn the_newest_events_come_first_and_pages_lead_back_to_the_first() {
    let app = app();
    for number in 0..120 {
        app.testkit.account(&format!("Account {number}"));
    }
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let last = app.testkit.registry.measured().unwrap().events;
    let (mut path, mut seen) = (AUDIT.to_owned(), Vec::new());
    loop {
        let page = auditor.get(&path).expect(200);
        assert!(page.text.len() < 150_000, "{}", page.text.len());
        let rows = page.text.split("<th scope=\"row\" class=\"number\">").skip(1);
        seen.extend(rows.map(|row| row.split('<').next().unwrap().parse::<i64>().unwrap()));
        let Some((before, _)) = page.text.split_once("\" rel=\"prev\"") else { break };
        path = before.rsplit_once('"').unwrap().1.to_owned();
    }
    assert_eq!(seen.iter().max(), Some(&last));
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.iter().copied().eq(1..=last), "every event is on a page");
    let beyond = auditor.get(&format!("{AUDIT}?after={last}")).expect(200);
    assert!(beyond.text.contains("There is no later event"));
}

#[test]
fn the_invariants_are_checked_on_demand() {
    let app = app();
    prepare(&app);
    let path = "/ui/audit/invariants";
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    assert!(auditor.get(path).expect(200).text.contains("Nothing has been checked since the program started"));
    let begun = auditor.fill(path, path, &[]).expect(303);
    assert_eq!(begun.header("location"), Some(path));
    let page = loop {
        let page = auditor.get(path).expect(200);
        if !page.text.contains("hx-trigger") {
            break page;
        }
        std::thread::yield_now();
    };
    assert!(page.text.contains("The ledger is in order.") && page.text.contains("Conservation"), "{}", page.text);
    assert_eq!(page.text.matches("<span class=\"tag good\">kept</span>").count(), 7);
    let events = app.testkit.registry.measured().unwrap().events;
    assert!(page.text.contains(&format!("up to event {events};")), "{}", page.text);
    let part = auditor.get(&format!("{path}/progress")).expect(200);
    assert!(part.text.starts_with("<div id=\"check\">") && !part.text.contains("<html"));
    for role in [Role::TradingUser, Role::ProductionUser, Role::ProductionRegistrar, Role::MeasurementBody] {
        let mut browser = Browser::of(&app, &[role], &[]);
        let page = browser.get(path).expect(403);
        let proof = proof(&page).to_owned();
        browser.send(path, &[("proof", &proof)]).expect(403);
        browser.get(&format!("{path}/progress")).expect(403);
    }
}

#[test]
fn only_who_may_read_everything_audits() {
    let app = app();
    let (one, _) = prepare(&app);
    let readers = [Role::RegistryAdministrator, Role::GcIssuer, Role::Auditor];
    for role in Role::ALL {
        let mut browser = Browser::of(&app, &[role], &[one]);
        if readers.contains(&role) {
            assert!(browser.get(AUDIT).expect(200).text.contains("href=\"/ui/audit\" aria-current=\"page\""));
        } else {
            let page = browser.get(AUDIT).expect(403);
            assert!(page.text.contains("Auditor") && !page.text.contains("href=\"/ui/audit\""), "{role:?}");
        }
    }
}
