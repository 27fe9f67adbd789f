//! An account at a glance.

use crate::{Browser, app};
use domain::{AccountId, Role};
use serde_json::Value;
use testkit::http::TestApp;
use testkit::{at, hours_from, until};

fn issue(app: &TestApp, reader: &mut Browser, account: AccountId) -> String {
    let request = app::IssueRequest {
        metadata_id: app.testkit.metadata(),
        from: at("2026-02-01T00:00:00Z"),
        to: at("2026-02-02T00:00:00Z"),
        device_ids: Vec::new(),
    };
    app.testkit.registry.issue_as_operator(request).expect("the operator may issue");
    let path = format!("/ui/account/{}/holdings", account.0);
    until("something is held", || {
        Some(reader.get(&path).expect(200).text).filter(|text| text.contains("onshore wind turbine"))
    })
}

/// What the page has for its plots.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("<script type=\"application/json\" id=\"production-data\">").expect("data");
    serde_json::from_str(rest.split_once("</script>").expect("its end").0).expect("JSON")
}

#[test]
fn an_account_shows_what_it_holds_and_what_its_devices_produced() {
    let app = app();
    let kit = &app.testkit;
    let account = kit.account("Own");
    let device = kit.device("<b>turbine</b>", account);
    kit.readings(device, hours_from(at("2026-02-01T22:00:00Z"), 3), 1_500);
    let mut member = Browser::of(&app, &[Role::TradingUser], &[account]);
    let base = format!("/ui/account/{}", account.0);
    let page = member.get(&format!("{base}?year=2026&device={}&other=1", device.0)).expect(200).text;
    // Without scripts the parts are a step away.
    for part in [format!("{base}/holdings"), format!("{base}/production?year=2026&#38;device={}", device.0)] {
        assert!(page.contains(&format!("hx-get=\"{part}\"")) && page.contains(&format!("href=\"{part}\"")), "{page}");
    }
    let held = issue(&app, &mut member, account);
    assert!(held.contains("<dt>Held, Active</dt><dd><data value=\"3000\"") && held.contains("<h1>"), "{held}");
    let part = member.part(&format!("{base}/holdings")).expect(200).text;
    assert!(part.starts_with("<dl class=\"figures\">"), "{part}");
    let made = member.get(&format!("{base}/production?year=2026")).expect(200).text;
    assert!(made.contains("&#60;b&#62;turbine") && !made.contains("<b>turbine"), "{made}");
    assert!(made.contains("<th scope=\"row\">February 2026</th><td class=\"number\"><data value=\"4500\""), "{made}");
    assert!(made.contains(">3 of 672<") && made.contains("no readings"), "{made}");
    let data = data(&made);
    let hours = data["hours"].as_array().unwrap();
    assert_eq!((hours.len(), data["start"].as_str()), (8_760, Some("2026-01-01T00:00:00Z")));
    let first = 31 * 24 + 22;
    assert_eq!((&hours[first - 1], &hours[first], &hours[first + 2]), (&Value::Null, &1_500.into(), &1_500.into()));
    assert_eq!(data["certificates"], format!("{base}/certificates"));
    assert!(member.part(&format!("{base}/production")).expect(200).text.trim_start().starts_with("<form"));
}

#[test]
fn a_year_and_a_device_are_chosen_in_the_address() {
    let app = app();
    let kit = &app.testkit;
    let (account, other) = (kit.account("Own"), kit.account("Other"));
    let (one, two, theirs) = (kit.device("One", account), kit.device("Two", account), kit.device("Theirs", other));
    kit.readings(one, hours_from(at("2024-05-01T00:00:00Z"), 1), 10);
    kit.readings(two, hours_from(at("2026-01-01T00:00:00Z"), 1), 20);
    let mut member = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let path = format!("/ui/account/{}/production", account.0);
    let sum = |page: &str| -> i64 { data(page)["hours"].as_array().unwrap().iter().filter_map(Value::as_i64).sum() };
    let mut shown = |query: &str| member.get(&format!("{path}?{query}")).expect(200).text;
    let all = shown("");
    assert!(all.contains("Last 12 months</option><option>2026</option><option>2025</option><option>2024<"), "{all}");
    assert_eq!((sum(&all), data(&all)["start"].as_str()), (20, Some("2025-01-02T00:00:00Z")));
    let this_year = shown("year=2026");
    assert!(this_year.contains("<option selected>2026</option>") && sum(&this_year) == 20, "{this_year}");
    assert_eq!(data(&shown("year=2024"))["hours"].as_array().unwrap().len(), 8_784);
    assert_eq!(sum(&shown("year=2024")), 10);
    let chosen = shown(&format!("device={}&year=2024", two.0));
    assert!(chosen.contains(&format!("<option value=\"{}\" selected>Two", two.0)) && sum(&chosen) == 0, "{chosen}");
    for bad in ["year=soon&device=", "year=999999", "year=-1"] {
        shown(bad);
    }
    for device in [theirs.0, 99, 0] {
        member.get(&format!("{path}?device={device}")).expect(404);
    }
}

#[test]
fn an_account_without_anything_says_so_and_strangers_see_nothing() {
    let app = app();
    let (own, other) = (app.testkit.account("Own"), app.testkit.account("Other"));
    let mut member = Browser::of(&app, &[Role::TradingUser], &[own]);
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let mut stranger = Browser::of(&app, &[Role::TradingUser], &[other]);
    for (place, told) in [
        ("", "<h1>Own</h1>"),
        ("/holdings", "Nothing yet: certificates appear here"),
        ("/production", "The account has no production devices"),
    ] {
        let path = format!("/ui/account/{}{place}", own.0);
        for browser in [&mut member, &mut auditor] {
            assert!(browser.get(&path).expect(200).text.contains(told), "{path}");
        }
        assert!(!stranger.get(&path).expect(404).text.contains("Own"), "{path}");
        stranger.part(&path).expect(404);
    }
    app.testkit.device("turbine", own);
    let page = member.get(&format!("/ui/account/{}/production", own.0)).expect(200);
    assert!(page.text.contains("There are no readings of turbine yet"), "{}", page.text);
}
