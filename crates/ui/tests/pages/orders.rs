//! Standing orders: placed, shown with what they did and are to do, paused, resumed, ended.

use crate::{Browser, app, proof};
use domain::{AccountId, Role};
use jiff::SignedDuration;
use testkit::http::{Answer, TestApp};
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

/// Fills in the form, looks at what it would be, and orders it; leads to the order.
fn order(browser: &mut Browser, form: &str, fields: &[(&str, &str)]) -> String {
    let preview = browser.fill(form, form, fields).expect(200);
    let hidden = hidden_fields(&preview);
    let mut all: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.push(("step", "do"));
    let done = browser.send(form, &all).expect(303);
    let again = browser.send(form, &all).expect(303);
    assert_eq!(again.header("location"), done.header("location"), "a form that is sent twice is one order");
    done.header("location").expect("it leads to the order").to_owned()
}

/// What the form of a preview carries.
fn hidden_fields(page: &Answer) -> Vec<(String, String)> {
    let form = page.text.split("class=\"bar\">").nth(1).and_then(|rest| rest.split("</form>").next()).expect("a form");
    let value = |part: &str| {
        let (name, rest) = part.split_once('"')?;
        let value = rest.split_once("value=\"")?.1.split_once('"')?.0;
        Some((name.to_owned(), value.replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">")))
    };
    form.split("type=\"hidden\" name=\"").skip(1).filter_map(value).collect()
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
        ("portion", "percentage"),
        ("percentage", "12.5"),
    ];
    let preview = browser.fill(&form, &form, &fields).expect(200);
    for told in [
        "Order transfers to &#60;b&#62;Other",
        "12.5 % of each bundle",
        "<strong>37.5 kWh</strong> <span class=\"faint\">(37,500 Wh)</span> in <strong>3 bundles</strong>",
        "2026-03-01 12:30",
        "2026-03-05 12:30",
    ] {
        assert!(preview.text.contains(told), "{told}: {}", preview.text);
    }
    assert!(browser.get(&list).expect(200).text.contains("Nothing is ordered yet"), "a look orders nothing");
    let order = order(&mut browser, &form, &fields);
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
        ("portion", "quantity"),
        ("certificate_quantity", "300.001"),
        ("unit", "kWh"),
        ("beneficiary", "Ada's <i>bakery"),
    ];
    let order = order(&mut browser, &form, &fields);
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
    let at = |at| ("initial_action_datetime", at);
    let (whole, share) = (("portion", "whole"), ("portion", "percentage"));
    let later = at("2026-03-02");
    for (number, (fields, status, told)) in [
        (vec![later], 422, "id=\"portion-fault\">Choose how much"),
        (vec![later, ("portion", "all of it")], 422, "id=\"portion-fault\">Choose one of"),
        (vec![later, share, ("percentage", "much")], 422, "id=\"percentage-fault\">Enter a decimal number"),
        (vec![later, share, ("percentage", "200")], 422, "id=\"percentage-fault\">Write a share"),
        (vec![later, ("portion", "quantity")], 422, "id=\"certificate_quantity-fault\">Fill this in"),
        (vec![later, ("portion", "quantity"), ("certificate_quantity", "0.0001"), ("unit", "kWh")], 422, "whole Wh"),
        (vec![later, whole, ("certificate_quantity", "1")], 422, "A part is given, and another is chosen"),
        (vec![at("soon"), whole], 422, "aria-invalid=\"true\""),
        (vec![at("2026-02-01"), whole], 400, "has passed"),
        (vec![later, whole, ("device_id", "1"), ("energy_source", "hydro")], 400, "can ever match"),
    ]
    .into_iter()
    .enumerate()
    {
        let once = format!("not-shown-{number}");
        let mut all = vec![("target_id", target.as_str()), ("recurring_action_period_units", "weeks")];
        all.extend(fields.clone());
        all.push(("step", "do"));
        all.push(("once", &once));
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
    let fields =
        [("initial_action_datetime", "2026-03-02"), ("recurring_action_period_units", "years"), ("portion", "whole")];
    let order = order(&mut trader, &form, &fields);
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

#[test]
fn nothing_is_chosen_for_the_visitor_and_nothing_is_ordered_that_was_not_shown() {
    let (app, own, other) = market();
    let mut browser = Browser::of(&app, &[Role::TradingUser], &[own]);
    let list = format!("/ui/account/{own}/orders");
    let form = format!("{list}/new/transfer");
    let page = browser.get(&form).expect(200);
    for told in [
        "<option value=\"\">Choose an account…</option>",
        "<option value=\"\" selected>Any device</option>",
        ">farm</option>",
        "<option selected>MWh</option>",
    ] {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    assert!(!page.text.contains(" checked") && !page.text.contains("name=\"once\""), "{}", page.text);
    let whole = [
        ("initial_action_datetime", "2026-03-02"),
        ("recurring_action_period_units", "months"),
        ("portion", "whole"),
        ("step", "do"),
    ];
    let told = browser.fill(&form, &form, &whole).expect(422);
    assert!(told.text.contains("id=\"target_id-fault\">Choose an account"), "{}", told.text);
    let target = other.to_string();
    let mut all = whole.to_vec();
    all.push(("target_id", &target));
    let preview = browser.fill(&form, &form, &all).expect(200);
    assert!(preview.text.contains("Everything that matches") && preview.text.contains("300 kWh"), "{}", preview.text);
    assert!(browser.get(&list).expect(200).text.contains("Nothing is ordered yet"));
    let hidden = hidden_fields(&preview);
    let mut back: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    back.push(("step", "change"));
    let page = browser.send(&form, &back).expect(200);
    for told in [format!("<option value=\"{other}\" selected>"), "value=\"whole\" checked".to_owned()] {
        assert!(page.text.contains(&told), "{told}: {}", page.text);
    }
}

#[test]
fn an_order_names_its_device_and_the_account_that_may_claim() {
    let (app, own, _) = market();
    let mut browser = Browser::of(&app, &[Role::TradingUser], &[own]);
    let form = format!("/ui/account/{own}/orders/new/cancel");
    let mut fields = vec![
        ("initial_action_datetime", "2026-03-02"),
        ("recurring_action_period_units", "months"),
        ("portion", "whole"),
        ("device_id", "1"),
        ("beneficiary_account_id", "nobody's"),
    ];
    let told = browser.fill(&form, &form, &fields).expect(422);
    assert!(told.text.contains("No account of this name is known here"), "{}", told.text);
    assert!(told.text.contains("<option value=\"&#60;b&#62;Other&#60;/b&#62;\">"), "{}", told.text);
    fields[4].1 = "<B>other</b>";
    let order = order(&mut browser, &form, &fields);
    let page = browser.get(&order).expect(200);
    for told in
        ["<a href=\"/ui/device/1\">farm</a>", "<dt>Who may claim</dt><dd>&#60;b&#62;Other", "Everything that matches"]
    {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
}
