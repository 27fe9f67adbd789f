//! What the search field finds.

use crate::{Browser, app};
use domain::action::{BundleAction, Deed, IssueChunk, Portion};
use domain::{Actor, BundleId, Command, Role};
use testkit::{at, hours_from};

#[test]
fn names_numbers_and_issuances_are_found_by_those_who_may_see_them() {
    let app = app();
    let kit = &app.testkit;
    let (north, south, other) = (kit.account("North <b>"), kit.account("South"), kit.account("Other"));
    let device = kit.device("Corrie Muir", north);
    let mut member = Browser::of(&app, &[Role::TradingUser], &[north, south]);
    let mut stranger = Browser::of(&app, &[Role::TradingUser], &[other]);
    // What is found alone is led to, by a part of its name in any case.
    for (asked, to) in [
        ("corrie", format!("/ui/device/{device}")),
        ("NORTH", format!("/ui/account/{north}")),
        ("other", format!("/ui/account/{other}")),
    ] {
        let path = format!("/ui/search?q={asked}");
        let browsers = [&mut member, &mut stranger];
        let found = browsers.map(|browser| browser.get(&path).header("location").map(str::to_owned));
        let expected = if asked == "other" { [None, Some(to)] } else { [Some(to), None] };
        assert_eq!(found, expected, "{asked}");
    }
    // For whom something was cancelled is found by those who may read it.
    let metadata_id = kit.metadata();
    let (from, to) = (at("2026-02-01T00:00:00Z"), at("2026-02-02T00:00:00Z"));
    kit.readings(device, hours_from(from, 1), 300_000);
    kit.act(Command::Issue(IssueChunk { metadata_id, devices: vec![device], from, to })).expect("issued");
    let beneficiary = Some("Bakery <i>of</i> the corner".to_owned());
    let deed = Deed::Cancel { beneficiary, beneficiary_account: None, purpose: None };
    let action = BundleAction { source: north, bundles: vec![BundleId(1)], portion: Portion::Whole, deed };
    // As it is kept of a request over HTTP.
    let asked = "{\"beneficiary\":\"Bakery <i>of</i> the corner\"}".to_owned();
    let pending = kit.registry.submit_as(Actor::Operator, Command::Bundles(action), asked);
    pending.and_then(app::Pending::wait).expect("cancelled");
    let found = member.get("/ui/search?q=bakery").expect(303);
    let receipt = found.header("location").expect("a receipt").to_owned();
    assert!(member.get(&receipt).expect(200).text.contains("Bakery &#60;i&#62;of"), "{receipt}");
    for (browser, asked) in [(&mut stranger, "bakery"), (&mut member, "ba")] {
        let page = browser.get(&format!("/ui/search?q={asked}")).expect(200);
        assert!(page.text.contains("Nothing that you may see is called"), "{}", page.text);
    }
    // An issuance is found where something of it is, by who may see that.
    let start = at("2026-02-24T05:00:00Z");
    kit.readings(device, hours_from(start, 1), 100);
    let to = at("2026-02-24T06:00:00Z");
    kit.act(Command::Issue(IssueChunk { metadata_id, devices: vec![device], from: start, to })).expect("issued");
    let asked = "/ui/search?q=1-electricity-20260224T050000Z";
    let to = format!("/ui/account/{north}/certificates?issuance_id=1-electricity-20260224T050000Z");
    for role in [Role::Auditor, Role::GcIssuer] {
        let found = Browser::of(&app, &[role], &[]).get(asked).expect(303);
        assert_eq!(found.header("location"), Some(to.as_str()));
    }
    assert_eq!(member.get(asked).expect(303).header("location"), Some(to.as_str()));
    member.get(&to).expect(200);
    for (browser, asked) in [(&mut stranger, asked), (&mut member, "/ui/search?q=1-electricity-20260224T060000Z")] {
        assert!(browser.get(asked).expect(200).text.contains("Nothing that you may see is called"), "{asked}");
    }
    let page = member.get("/ui/search?q=%22nothing").expect(200);
    assert!(page.text.contains("Nothing that you may see is called"), "{}", page.text);
    assert!(page.text.contains("value=\"&#34;nothing\""), "the words stay in the field: {}", page.text);
}
