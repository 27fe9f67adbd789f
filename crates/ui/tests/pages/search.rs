//! What the search field finds.

use crate::{Browser, app};
use domain::Role;

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
    let page = member.get("/ui/search?q=1-electricity-20260224T050000Z").expect(200);
    for account in [north, south] {
        let to = format!("/ui/account/{account}/certificates?issuance_id=1-electricity-20260224T050000Z");
        assert!(page.text.contains(&to), "{}", page.text);
    }
    let page = member.get("/ui/search?q=%22nothing").expect(200);
    assert!(page.text.contains("Nothing that you may see is called"), "{}", page.text);
    assert!(page.text.contains("value=\"&#34;nothing\""), "the words stay in the field: {}", page.text);
}
