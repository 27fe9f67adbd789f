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
    let named = |id: AccountId, name: &str| {
        format!("<a href=\"/ui/account/{0}\">{name}</a> <span class=\"faint\">{0}</span>", id.0)
    };
    let moved = format!("<del>{}</del> → {}", named(one, "One"), named(two, "Two"));
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
fn a_certificate_leads_to_whoever_held_it_and_an_actor_to_what_they_did() {
    let app = app();
    let (one, two) = prepare(&app);
    // A part goes back, so that the certificates of both parts were in two bundles.
    app.testkit.whitelist(one, two);
    let back = Actor::User(app.testkit.user("Back", &[Role::TradingUser], &[two]));
    let part = Portion::Quantity(domain::WattHours(100_000));
    app.testkit.bundles(back, two, &[BundleId(1)], part, Deed::Transfer { target: one }).expect("a part goes back");
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let count = |text: &str| text.matches("<th scope=\"row\" class=\"number\">").count();
    let held = |page: &str| -> Vec<String> {
        let (_, rest) = page.split_once("Who held it").expect("the holders");
        let (told, _) = rest.split_once("Its events").expect("the events");
        let accounts = told.split("href=\"/ui/account/").skip(1);
        accounts.map(|rest| rest.split('"').next().expect("the end of a value").to_owned()).collect()
    };
    let (first, last) = (one.0.to_string(), two.0.to_string());
    for (number, holders, events) in [
        (1, vec![&first, &last, &first], 4),
        (100_000, vec![&first, &last, &first], 4),
        (100_001, vec![&first, &last], 4),
    ] {
        let page = auditor.get(&format!("{AUDIT}?device=1&certificate={number}")).expect(200);
        assert_eq!(held(&page.text).iter().collect::<Vec<_>>(), holders, "{number}: {}", page.text);
        assert_eq!(count(&page.text), events, "issue, transfer, split, part: {}", page.text);
    }
    for query in ["device=1&certificate=300001", "device=9&certificate=1", "actor=99"] {
        assert!(auditor.get(&format!("{AUDIT}?{query}")).expect(200).text.contains("No event is like this"), "{query}");
    }
    let Actor::User(back) = back else { panic!("a user") };
    let page = auditor.get(&format!("{AUDIT}?actor={}", back.0)).expect(200);
    assert_eq!(count(&page.text), 3, "a split and two parts: {}", page.text);
    assert!(!page.text.contains("Who held it"));
    let page = auditor.get(&format!("{AUDIT}?actor=operator&entity=Account")).expect(200);
    assert_eq!(count(&page.text), 2 + 2, "two accounts and their whitelists: {}", page.text);
    let page = auditor.get(&format!("{AUDIT}?device=1")).expect(200);
    assert!(page.text.contains("Say which of the device") && page.text.contains("aria-invalid=\"true\""));
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
        if !page.text.contains("invariants/progress") {
            break page;
        }
        std::thread::yield_now();
    };
    assert!(page.text.contains("The ledger is in order.") && page.text.contains("Conservation"), "{}", page.text);
    assert_eq!(page.text.matches("<span class=\"tag good\">kept</span>").count(), 4 + 7, "{}", page.text);
    assert!(page.text.contains(" UTC in 0 ms, up to event"), "{}", page.text);
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
        browser.get(&format!("{path}/live")).expect(403);
    }
}

#[test]
fn the_end_of_the_ledger_is_checked_while_somebody_looks() {
    let app = app();
    prepare(&app);
    let path = "/ui/audit/invariants/live";
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    // Of the present, with the sign-in before it.
    app.testkit.time.advance(jiff::SignedDuration::from_mins(1));
    let events = || app.testkit.registry.measured().unwrap().events;
    let seen = events();
    let page = auditor.get(path).expect(200);
    assert!(page.text.starts_with("<div id=\"live\"") && !page.text.contains("<html"), "{}", page.text);
    assert!(
        page.text.contains("The end of the ledger is in order.") && page.text.contains("every 10s"),
        "{}",
        page.text
    );
    for shown in [
        format!("up to event {seen}."),
        format!("events 1 to {seen}"),
        format!("<dt>Events</dt><dd>{seen}</dd>"),
        "<dt>Works in the queue</dt>".to_owned(),
        "1 of 1 issuances".to_owned(),
    ] {
        assert!(page.text.contains(&shown), "{shown}: {}", page.text);
    }
    // A look is shared, and made again when it is time to.
    app.testkit.account("Later");
    assert!(auditor.get(path).expect(200).text.contains(&format!("up to event {seen}.")));
    app.testkit.time.advance(jiff::SignedDuration::from_secs(6));
    assert!(auditor.get(path).expect(200).text.contains(&format!("up to event {}.", events())));
    // Somebody changes a row behind the registry's back.
    let changed = app.testkit.database.connect().execute("UPDATE bundle SET account_id = 1 WHERE id = 1", &[]);
    assert_eq!(changed.expect("the database answers"), 1);
    app.testkit.time.advance(jiff::SignedDuration::from_mins(2));
    let page = auditor.get(path).expect(200);
    assert!(page.text.contains("bundle 1 is not as its events left it"), "{}", page.text);
    assert!(page.text.contains("The end of the ledger is not in order."), "{}", page.text);
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
