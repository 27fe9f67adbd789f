//! Issuing: looked at first, then run as a job whose page tells how far it is.

use crate::{Browser, app, proof};
use domain::{AccountId, Role};
use testkit::http::{Answer, TestApp};
use testkit::{at, hours_from};

const ISSUE: &str = "/ui/issue";
/// A meter cannot say more of an hour of a device of 1 MW.
const TOO_MUCH: i64 = 9_000_000;

/// An account with a device that has four hours of good readings and one that is too large.
fn prepare(app: &TestApp) -> AccountId {
    let registry = &app.testkit;
    let account = registry.account("Isle of <b>Wight</b>");
    let device = registry.device("Farm <i>one</i>", account);
    registry.metadata();
    registry.readings(device, hours_from(at("2026-01-01T00:00:00Z"), 4), 300_000);
    registry.readings(device, hours_from(at("2026-01-01T04:00:00Z"), 1), TOO_MUCH);
    account
}

fn led(answer: &Answer) -> String {
    answer.header("location").expect("it leads somewhere").to_owned()
}

/// The value of a hidden field.
fn hidden<'p>(page: &'p Answer, name: &str) -> &'p str {
    let (_, rest) = page.text.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
    rest.split('"').next().expect("the end of a value")
}

/// The page of a job once it is over.
fn over(browser: &mut Browser, job: &str) -> Answer {
    loop {
        let page = browser.get(job).expect(200);
        if !page.text.contains("hx-trigger") {
            return page;
        }
        std::thread::yield_now();
    }
}

#[test]
fn what_is_looked_at_is_issued_once() {
    let app = app();
    let account = prepare(&app);
    let mut issuer = Browser::of(&app, &[Role::GcIssuer], &[]);
    let page = issuer.get(ISSUE).expect(200);
    assert!(page.text.contains("Farm &#60;i&#62;one") && !page.text.contains("<i>one"), "{}", page.text);
    assert!(page.text.contains("No job has issued anything yet"));
    let period = [("metadata_id", "1"), ("from", "2026-01-01"), ("to", "2026-01-01"), ("device", "1")];
    let preview = issuer.fill(ISSUE, ISSUE, &[&period[..], &[("do", "preview")]].concat()).expect(200);
    for shown in
        ["This would be issued", "<dt>Bundles</dt><dd>4</dd>", "1.2 MWh", "<dt>Readings refused</dt><dd>1</dd>"]
    {
        assert!(preview.text.contains(shown), "{shown}: {}", preview.text);
    }
    assert_eq!(app.testkit.registry.measured().unwrap().bundles, 0, "a preview issues nothing");
    // The form of the preview carries what was looked at.
    for (name, value) in period {
        assert_eq!(hidden(&preview, name), value);
    }
    let (proof, once) = (proof(&preview).to_owned(), hidden(&preview, "once").to_owned());
    let run = [&period[..], &[("do", "issue"), ("proof", &proof), ("once", &once)]].concat();
    let job = led(&issuer.send(ISSUE, &run).expect(303));
    assert_eq!(led(&issuer.send(ISSUE, &run).expect(303)), job, "a form sent twice is one job");
    let page = over(&mut issuer, &job);
    assert!(page.text.contains("<span class=\"tag good\">done</span>"), "{}", page.text);
    for shown in ["<dt>Bundles</dt><dd>4</dd>", "Refused readings", "Isle of &#60;b&#62;Wight", "/ui/certificate/1\""] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(page.text.contains(&format!("href=\"/ui/account/{}/certificates\"", account.0)));
    assert_eq!(app.testkit.registry.measured().unwrap().bundles, 4);
    let part = issuer.get(&format!("{job}/progress")).expect(200);
    assert!(part.text.starts_with("<div id=\"job\">") && !part.text.contains("<html"), "{}", part.text);
    assert!(issuer.get(ISSUE).expect(200).text.contains(&format!("href=\"{job}\"")));
}

#[test]
fn what_is_wrong_is_told_beside_its_field_and_what_was_typed_stays() {
    let app = app();
    prepare(&app);
    let mut issuer = Browser::of(&app, &[Role::RegistryAdministrator], &[]);
    let wrong = [("metadata_id", "1"), ("from", "2026-01-05"), ("to", "2026-01-01"), ("do", "preview")];
    let page = issuer.fill(ISSUE, ISSUE, &wrong).expect(422);
    assert!(page.text.contains("Must not be before First day</span>"), "{}", page.text);
    assert!(page.text.contains("value=\"2026-01-05\""));
    let none = [("metadata_id", "1"), ("from", ""), ("to", "2026-01-01"), ("do", "preview")];
    assert!(issuer.fill(ISSUE, ISSUE, &none).expect(422).text.contains("id=\"from-fault\">Fill this in"));
    let nobody = [("metadata_id", "1"), ("from", "2026-01-01"), ("to", "2026-01-01"), ("device_ids", "77, 78")];
    let page = issuer.fill(ISSUE, ISSUE, &nobody).expect(404);
    assert!(page.text.contains("value=\"77, 78\"") && page.text.contains("role=\"alert\""), "{}", page.text);
}

#[test]
fn without_metadata_and_devices_the_page_says_what_is_missing() {
    let app = app();
    let page = Browser::of(&app, &[Role::GcIssuer], &[]).get(ISSUE).expect(200);
    assert!(page.text.contains("There is no issuance metadata yet"));
    app.testkit.metadata();
    let page = Browser::of(&app, &[Role::GcIssuer], &[]).get(ISSUE).expect(200);
    assert!(page.text.contains("No production device is approved yet"));
}

#[test]
fn only_issuers_issue_and_jobs_are_their_owners() {
    let app = app();
    let account = prepare(&app);
    let mut issuer = Browser::of(&app, &[Role::GcIssuer], &[]);
    let period = [("metadata_id", "1"), ("from", "2026-01-01"), ("to", "2026-01-01"), ("do", "issue")];
    let job = led(&issuer.fill(ISSUE, ISSUE, &period).expect(303));
    over(&mut issuer, &job);
    let others =
        [Role::Auditor, Role::ProductionRegistrar, Role::MeasurementBody, Role::TradingUser, Role::ProductionUser];
    for role in others {
        let mut browser = Browser::of(&app, &[role], &[account]);
        let page = browser.get(ISSUE).expect(403);
        assert!(page.text.contains("GC Issuer") && !page.text.contains("href=\"/ui/issue\""), "{}", page.text);
        let proof = proof(&page).to_owned();
        browser.send(ISSUE, &[&period[..], &[("proof", &proof)]].concat()).expect(403);
        browser.get(&job).expect(if role == Role::Auditor { 200 } else { 404 });
    }
    assert_eq!(app.testkit.registry.measured().unwrap().bundles, 4);
    issuer.get("/ui/job/99").expect(404);
}
