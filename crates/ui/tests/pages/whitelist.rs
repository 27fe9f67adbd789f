//! Who may send to an account.

use crate::{Browser, app, proof};
use domain::Role;

#[test]
fn accounts_are_added_by_id_or_name_and_removed() {
    let app = app();
    let kit = &app.testkit;
    let (own, second, third) = (kit.account("Own"), kit.account("<b>Second</b>"), kit.account("Third"));
    kit.whitelist(third, own);
    let mut browser = Browser::of(&app, &[Role::TradingUser], &[own]);
    let path = format!("/ui/account/{}/whitelist", own.0);
    let page = browser.get(&path).expect(200);
    assert!(page.text.contains("Nobody may send to this account yet") && page.text.contains("Third"), "{}", page.text);
    let done = browser.fill(&path, &path, &[("sender", "<b>Second</b>")]).expect(303);
    assert_eq!(done.header("location"), Some(path.as_str()));
    browser.fill(&path, &path, &[("sender", &format!("#{}", third.0))]).expect(303);
    let page = browser.get(&path).expect(200);
    assert!(page.text.contains("&#60;b&#62;Second") && !page.text.contains("<b>Second"), "{}", page.text);
    let remove = format!("{path}/remove");
    browser.fill(&path, &remove, &[("sender", &second.0.to_string())]).expect(303);
    let page = browser.get(&path).expect(200);
    assert!(
        !page.text.contains("Second") && page.text.contains("Remove<span class=\"hidden\"> Third"),
        "{}",
        page.text
    );
}

#[test]
fn what_cannot_be_added_is_told_beside_the_field() {
    let app = app();
    let own = app.testkit.account("Own");
    let mut browser = Browser::of(&app, &[Role::ProductionUser], &[own]);
    let path = format!("/ui/account/{}/whitelist", own.0);
    for (sender, status, told) in [
        ("No such", 422, "There is no account of exactly this name"),
        ("", 422, "Say which account"),
        ("99", 404, "Account ID to add not found: 99"),
        ("1", 400, "Cannot add an account to its own whitelist."),
        ("0", 422, "Must be more than 0"),
    ] {
        let page = browser.fill(&path, &path, &[("sender", sender)]).expect(status);
        assert!(page.text.contains("aria-invalid=\"true\"") && page.text.contains(told), "{sender}: {}", page.text);
        assert!(page.text.contains(&format!("name=\"sender\" value=\"{sender}\"")), "what was typed stays");
    }
}

#[test]
fn a_form_that_is_sent_twice_adds_once() {
    let app = app();
    let (own, other) = (app.testkit.account("Own"), app.testkit.account("Other"));
    let mut browser = Browser::of(&app, &[Role::TradingUser], &[own]);
    let path = format!("/ui/account/{}/whitelist", own.0);
    let other = other.0.to_string();
    let form = [("sender", other.as_str()), ("once", "a-name-for-one-change")];
    let events: Vec<_> = (0..2)
        .map(|_| {
            browser.fill(&path, &path, &form).expect(303);
            browser.cookie("granary_event").expect("a change says where it stands").to_owned()
        })
        .collect();
    assert_eq!(events[0], events[1]);
}

#[test]
fn who_may_not_change_it_sees_no_form_and_changes_nothing() {
    let app = app();
    let (own, other) = (app.testkit.account("Own"), app.testkit.account("Other"));
    let path = format!("/ui/account/{}/whitelist", own.0);
    for role in [Role::Auditor, Role::GcIssuer] {
        let mut browser = Browser::of(&app, &[role], &[]);
        let page = browser.get(&path).expect(200);
        assert!(!page.text.contains(&format!("action=\"{path}")), "{role:?}");
        let proof = proof(&page).to_owned();
        for (path, sender) in [
            (path.clone(), other.0.to_string()),
            (path.clone(), "Other".to_owned()),
            (format!("{path}/remove"), other.0.to_string()),
        ] {
            browser.send(&path, &[("sender", &sender), ("proof", &proof)]).expect(403);
        }
    }
    let mut stranger = Browser::of(&app, &[Role::TradingUser], &[other]);
    let page = stranger.get(&path).expect(404);
    let proof = proof(&page).to_owned();
    for sender in ["Other", "No such"] {
        stranger.send(&path, &[("sender", sender), ("proof", &proof)]).expect(404);
    }
    let senders = app.with_user(&[Role::Auditor], &[]).get(&format!("/account/{}/whitelist", own.0)).expect(200);
    assert!(!senders.text.contains("Other"), "{}", senders.text);
}

#[test]
fn who_may_be_sent_to_is_told_with_whose_account_it_is() {
    let app = app();
    let kit = &app.testkit;
    let own = kit.account("Own");
    let bakery = kit.account_of("Flour", Some(kit.organisation("Bakers <b>plc")));
    kit.whitelist(bakery, own);
    let mut trader = Browser::of(&app, &[Role::TradingUser], &[own]);
    for place in ["whitelist", "orders/new/transfer"] {
        let page = trader.get(&format!("/ui/account/{own}/{place}")).expect(200).text;
        assert!(page.contains("Flour (Bakers &#60;b&#62;plc)"), "{place}: {page}");
    }
}
