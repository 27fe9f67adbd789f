//! Standing orders: placed, shown with what they did and are to do, paused, resumed, ended.

use crate::{Browser, app, proof};
use domain::{AccountId, Role};
use jiff::SignedDuration;
use testkit::http::TestApp;
use testkit::{at, hours_from};

/// An account with three bundles of 100 kWh, and one that accepts from it.
fn market() -> (TestApp, AccountId, AccountId) {
    let app = app();
    let kit = &app.testkit;
    let (own, other) = (kit.account("Own"), kit.account("<b>Other</b>"));
    kit.whitelist(other, own);
    let device = kit.device("farm", own);
    let metadata_id = kit.metadata();
    let start = at("2026-02-01T00:00:00Z");
    kit.readings(device, hours_from(start, 3), 100_000);
    let (from, to, devices) = (start, at("2026-03-01T00:00:00Z"), vec![device]);
    kit.act(domain::Command::Issue(domain::action::IssueChunk { metadata_id, devices, from, to })).expect("issued");
    (app, own, other)
}

fn run(app: &TestApp) {
    app.testkit.time.advance(SignedDuration::from_mins(30));
    assert_eq!(app.testkit.registry.run_due_orders().expect("they run"), 1);
}

#[test]
fn an_order_is_placed_runs_pauses_and_ends() {
    let (app, own, other) = market();
    let mut browser = Browser::of(&app, &[Role::TradingUser], &[own]);
    let list = format!("/ui/account/{own}/orders");
    let page = browser.get(&list).expect(200);
    assert!(page.text.contains("Nothing is ordered yet"), "{}", page.text);
    let form = format!("{list}/new/transfer");
    let target = other.to_string();
    let fields = [
        ("target_id", target.as_str()),
        ("initial_action_datetime", "2026-03-01T12:30Z"),
        ("recurring_action_period_units", "days"),
        ("percentage", "12.5"),
    ];
    let done = browser.fill(&form, &form, &fields).expect(303);
    let order = done.header("location").expect("it leads to the order").to_owned();
    assert_eq!(order, format!("{list}/1"));
    let page = browser.get(&order).expect(200);
    for told in [
        "Transfer to &#60;b&#62;Other",
        "12.5 % of each bundle",
        "Every day",
        "2026-03-01 12:30",
        "37.5 kWh</data></strong> in 3 bundles",
        "It has not run yet",
    ] {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    assert!(!page.text.contains("<b>Other"), "names are escaped");
    run(&app);
    let page = browser.get(&order).expect(200);
    let action = page.text.split("/ui/action/").nth(1).and_then(|rest| rest.split('"').next()).expect("a receipt");
    let receipt = browser.get(&format!("/ui/action/{action}")).expect(200);
    assert!(receipt.text.contains("37.5 kWh"), "{}", receipt.text);
    let shown = browser.get(&list).expect(200);
    assert!(shown.text.contains("<td class=\"number\">1</td>"), "{}", shown.text);

    for (change, state) in [("pause", "paused"), ("resume", "active"), ("end", "ended")] {
        let done = browser.fill(&order, &format!("{order}/{change}"), &[]).expect(303);
        assert_eq!(done.header("location"), Some(order.as_str()));
        let page = browser.get(&order).expect(200);
        assert!(page.text.contains(&format!(">{state}</span></h1>")), "{change}: {}", page.text);
    }
    let page = browser.get(&order).expect(200);
    assert!(!page.text.contains("Next runs") && !page.text.contains(&format!("action=\"{order}/")), "{}", page.text);
}

#[test]
fn a_refused_run_says_why_and_so_does_what_would_come() {
    let (app, own, _) = market();
    let mut browser = Browser::of(&app, &[Role::ProductionUser], &[own]);
    let form = format!("/ui/account/{own}/orders/new/cancel");
    let fields = [
        ("initial_action_datetime", "2026-03-01T12:30Z"),
        ("recurring_action_period_units", "months"),
        ("certificate_quantity", "300001"),
        ("beneficiary", "Ada's <i>bakery"),
    ];
    let done = browser.fill(&form, &form, &fields).expect(303);
    let order = done.header("location").expect("it leads to the order").to_owned();
    let why = "300,001 Wh are asked, the selection holds 300,000 Wh";
    let page = browser.get(&order).expect(200);
    assert!(page.text.contains("would do nothing") && page.text.contains(why), "{}", page.text);
    assert!(page.text.contains("Cancel for Ada&#39;s &#60;i&#62;bakery"), "{}", page.text);
    run(&app);
    let page = browser.get(&order).expect(200);
    assert!(page.text.contains("<span class=\"tag bad\">refused</span>") && page.text.contains(why), "{}", page.text);
}

#[test]
fn what_is_wrong_is_told_beside_the_field_and_what_was_typed_stays() {
    let (app, own, other) = market();
    let mut browser = Browser::of(&app, &[Role::TradingUser], &[own]);
    let form = format!("/ui/account/{own}/orders/new/transfer");
    let target = other.to_string();
    for (fields, status, told) in [
        (vec![("initial_action_datetime", "2026-03-01T12:30Z"), ("percentage", "much")], 422, "such as 50 or 12.5"),
        (vec![("initial_action_datetime", "soon"), ("percentage", "5")], 422, "aria-invalid=\"true\""),
        (vec![("initial_action_datetime", "2026-02-01")], 400, "has passed"),
        (
            vec![("initial_action_datetime", "2026-03-02"), ("certificate_quantity", "1"), ("percentage", "5")],
            422,
            "only",
        ),
        (
            vec![("initial_action_datetime", "2026-03-02"), ("device_id", "1"), ("energy_source", "hydro")],
            400,
            "can ever match",
        ),
    ] {
        let mut all = vec![("target_id", target.as_str()), ("recurring_action_period_units", "weeks")];
        all.extend(fields.clone());
        let page = browser.fill(&form, &form, &all).expect(status);
        assert!(page.text.to_lowercase().contains(&told.to_lowercase()), "{fields:?}: {}", page.text);
        let typed = format!("name=\"initial_action_datetime\" value=\"{}\"", fields[0].1);
        assert!(page.text.contains(&typed), "{typed}: {}", page.text);
    }
}

#[test]
fn who_may_not_order_sees_what_there_is_and_changes_nothing() {
    let (app, own, other) = market();
    let mut trader = Browser::of(&app, &[Role::TradingUser], &[own]);
    let form = format!("/ui/account/{own}/orders/new/cancel");
    let fields = [("initial_action_datetime", "2026-03-02"), ("recurring_action_period_units", "years")];
    let done = trader.fill(&form, &form, &fields).expect(303);
    let order = done.header("location").expect("it leads to the order").to_owned();
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let page = auditor.get(&order).expect(200);
    assert!(!page.text.contains(&format!("action=\"{order}/")), "{}", page.text);
    let proof_of = proof(&page).to_owned();
    let list = format!("/ui/account/{own}/orders");
    assert!(!auditor.get(&list).expect(200).text.contains("/new/transfer"));
    auditor.get(&form).expect(403);
    for change in ["pause", "resume", "end"] {
        auditor.send(&format!("{order}/{change}"), &[("proof", &proof_of)]).expect(403);
    }
    auditor.send(&form, &[("proof", &proof_of), fields[0], fields[1]]).expect(403);
    let mut stranger = Browser::of(&app, &[Role::TradingUser], &[other]);
    stranger.get(&order).expect(404);
    stranger.get(&list).expect(404);
    // one's own account is no way to another's order
    stranger.get(&format!("/ui/account/{other}/orders/1")).expect(404);
    assert!(trader.get(&order).expect(200).text.contains(">active</span>"));
    trader.get(&format!("{list}/new/claim")).expect(404);
    trader.get(&format!("{list}/99")).expect(404);
}
