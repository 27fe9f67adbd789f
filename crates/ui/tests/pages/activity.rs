//! Activity: what was done and what was refused, filtered, in pages, for whose business it is.

use crate::{Browser, app};
use domain::action::{BundleAction, Deed, IssueChunk, Portion};
use domain::{AccountId, Actor, BundleId, Command, MetadataId, Role};
use testkit::http::{Answer, TestApp};
use testkit::{at, hours_from};

/// Two accounts, bundles of the first, and a user of it who sent one of them to the second and failed to send it again.
fn prepare(app: &TestApp) -> (AccountId, AccountId) {
    let registry = &app.testkit;
    let (one, two) = (registry.account("One <b>Ltd</b>"), registry.account("Two"));
    let device = registry.device("Farm", one);
    let metadata_id: MetadataId = registry.metadata();
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
    registry.readings(device, hours_from(from, 4), 300_000);
    registry.act(Command::Issue(IssueChunk { metadata_id, devices: vec![device], from, to })).expect("issued");
    registry.whitelist(two, one);
    let trader = Actor::User(registry.user("Trader <i>T</i>", &[Role::TradingUser], &[one]));
    let send = || registry.bundles(trader, one, &[BundleId(1)], Portion::Whole, Deed::Transfer { target: two });
    send().expect("transferred");
    send().expect_err("sent already");
    (one, two)
}

fn path(account: AccountId) -> String {
    format!("/ui/account/{}/activity", account.0)
}

/// The addresses of the receipts on a page, in order.
fn receipts(page: &Answer) -> Vec<&str> {
    let found = page.text.match_indices("href=\"/ui/action/");
    found.map(|(start, _)| page.text[start + 6..].split('"').next().expect("the end of a value")).collect()
}

#[test]
fn only_what_the_visitor_can_come_across_is_offered_to_filter_by() {
    let app = app();
    let (one, _) = prepare(&app);
    let offers = |roles: &[Role], accounts: &[AccountId]| {
        let page = Browser::of(&app, roles, accounts).get("/ui/activity").expect(200).text;
        let (_, kinds) = page.split_once("name=\"kind\"").expect("a filter by action");
        kinds.split("</select>").next().expect("its end").to_owned()
    };
    for (roles, accounts, offered, not) in [
        (
            &[Role::TradingUser][..],
            &[one][..],
            &["transfer", "withdraw", "pause_recurring"][..],
            &["create_user", "submit_readings", "create_scr", "import_seed"][..],
        ),
        (&[Role::ProductionUser], &[one], &["submit_readings", "update_device"], &["approve_device", "issue"]),
        (&[Role::MeasurementBody], &[], &["submit_readings"], &["transfer", "create_device"]),
        (&[Role::Auditor], &[], &["import_seed", "create_user", "transfer"], &[]),
    ] {
        let kinds = offers(roles, accounts);
        for (names, is_there) in [(offered, true), (not, false)] {
            for name in names {
                assert_eq!(kinds.contains(&format!("value=\"{name}\"")), is_there, "{name} for {roles:?}: {kinds}");
            }
        }
    }
}

#[test]
fn what_was_done_and_refused_is_listed_with_its_receipt() {
    let app = app();
    let (one, _) = prepare(&app);
    let mut member = Browser::of(&app, &[Role::TradingUser], &[one]);
    let page = member.get(&path(one)).expect(200);
    for shown in [
        "Transfer",
        "300 kWh",
        "1 bundle",
        "<span class=\"tag bad\">rejected",
        "One &#60;b&#62;Ltd",
        "Trader &#60;i&#62;",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("<b>Ltd") && !page.text.contains("<i>T"));
    let all: Vec<String> = receipts(&page).into_iter().map(str::to_owned).collect();
    assert!(all.contains(&"/ui/action/rejected/1".to_owned()), "{all:?}");
    for receipt in all {
        member.get(&receipt).expect(200);
    }
}

#[test]
fn what_came_in_stands_with_the_receiver_and_says_from_whom() {
    let app = app();
    let (one, two) = prepare(&app);
    let cancel = Deed::Cancel { beneficiary: Some("Bakery & Co".to_owned()), beneficiary_account: None, purpose: None };
    let action = BundleAction { source: two, bundles: vec![BundleId(1)], portion: Portion::Whole, deed: cancel };
    // As it is kept of a request over HTTP.
    let asked = "{\"beneficiary\":\"Bakery & Co\"}".to_owned();
    let pending = app.testkit.registry.submit_as(Actor::Operator, Command::Bundles(action), asked);
    pending.and_then(app::Pending::wait).expect("cancelled");
    let mut receiver = Browser::of(&app, &[Role::TradingUser], &[two]);
    let page = receiver.get(&path(two)).expect(200);
    for shown in ["One &#60;b&#62;Ltd", "<a href=\"/ui/account/2\">Two</a>", "Bakery &#38; Co"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("href=\"/ui/account/1\""), "the sender's account is not theirs to open");
    assert!(!page.text.contains("rejected</span>"), "what the sender failed to do is not theirs");
    let of_sender = Browser::of(&app, &[Role::TradingUser], &[one]).get("/ui/activity?kind=transfer").expect(200);
    assert!(of_sender.text.contains("<td>Two </td>") || of_sender.text.contains("<td>Two</td>"), "{}", of_sender.text);
}

#[test]
fn filters_choose_and_stay_in_the_address() {
    let app = app();
    let (one, _) = prepare(&app);
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    for (query, expected) in [
        ("kind=transfer&status=rejected", 1),
        ("kind=transfer&status=accepted", 1),
        ("kind=transfer", 2),
        ("kind=reserve", 0),
        ("kind=transfer&from=2100-01-01", 0),
        ("kind=transfer&to=2000-01-01", 0),
        ("kind=transfer&account=2", 1),
        ("kind=transfer&account=2&status=rejected", 0),
        ("kind=transfer&account=99", 0),
    ] {
        let page = auditor.get(&format!("/ui/activity?{query}")).expect(200);
        assert_eq!(receipts(&page).len(), expected, "{query}");
        assert_eq!(page.text.contains("No action is like this"), expected == 0, "{query}");
        assert!(page.text.contains(&format!(
            "<option value=\"{}\" selected",
            if query.contains("reserve") { "reserve" } else { "transfer" }
        )));
    }
    let page = auditor.get(&format!("{}?from=soon&kind=dance", path(one))).expect(200);
    assert!(page.text.contains("id=\"faults\"") && page.text.contains("aria-invalid=\"true\""));
}

#[test]
fn pages_show_each_action_once() {
    let app = app();
    for number in 0..55 {
        app.testkit.account(&format!("Account {number}"));
    }
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let query = "/ui/activity?kind=create_account&status=accepted";
    let first = auditor.get(query).expect(200);
    let (_, rest) = first.text.split_once("<a href=\"/ui/activity?kind=create_account").expect("a next page");
    let next = format!("/ui/activity?kind=create_account{}", rest.split('"').next().unwrap().replace("&#38;", "&"));
    let second = auditor.get(&next).expect(200);
    let mut all = [receipts(&first), receipts(&second)].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!((receipts(&first).len(), all.len()), (50, 55));
    assert!(!second.text.contains("rel=\"next\"") && second.text.contains(">Newest</a>"));
    assert!(first.text.len() < 150_000);
}

#[test]
fn strangers_see_nothing_and_everybody_their_own() {
    let app = app();
    let (one, two) = prepare(&app);
    let mut other = Browser::of(&app, &[Role::TradingUser], &[two]);
    other.get(&path(one)).expect(404);
    // The transfer reached them; what was refused is not their business.
    let page = other.get("/ui/activity?kind=transfer").expect(200);
    assert!(!page.text.contains("rejected</span>") && !page.text.contains("Trader"), "{}", page.text);
    assert_eq!(receipts(&page).len(), 1);
    let mut nobody = Browser::of(&app, &[Role::TradingUser], &[]);
    assert!(nobody.get("/ui/activity").expect(200).text.contains("Nothing has been done yet"));
}

#[test]
fn what_a_large_action_did_is_counted_in_the_list_as_on_its_receipt() {
    let app = app();
    let registry = &app.testkit;
    let (account, metadata_id) = (registry.account("One"), registry.metadata());
    let devices = vec![registry.device("Farm", account), registry.device("Mill", account)];
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2026-02-20T00:00:00Z"));
    for device in &devices {
        registry.readings(*device, hours_from(from, 1_050), 300_000);
    }
    registry.act(Command::Issue(IssueChunk { metadata_id, devices, from, to })).expect("issued");
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let page = auditor.get("/ui/activity?kind=issue").expect(200);
    let receipt = receipts(&page)[0].to_owned();
    assert!(page.text.contains(">2,100 bundles<") && page.text.contains("value=\"630000000\""), "{}", page.text);
    assert!(auditor.get(&receipt).expect(200).text.contains("of 2,100<"));
}

#[test]
fn what_was_acted_on_is_counted_and_not_what_was_split_for_it() {
    let app = app();
    let (one, two) = prepare(&app);
    let trader = Actor::User(app.testkit.user("Trader", &[Role::TradingUser], &[one]));
    let half = Portion::Quantity(domain::WattHours(150_000));
    let send = Deed::Transfer { target: two };
    app.testkit.bundles(trader, one, &[BundleId(2)], half, send).expect("transferred");
    let mut member = Browser::of(&app, &[Role::TradingUser], &[one]);
    let page = member.get(&path(one)).expect(200);
    let rows: Vec<&str> = page.text.split("<tr>").skip(1).filter(|row| row.contains(">Transfer<")).collect();
    let newest = rows.first().expect("a transfer");
    assert!(newest.contains("150 kWh") && newest.contains(">1 bundle<"), "{newest}");
    // Of the bundles on their own receipt, those that they sent are named and lead nowhere.
    let receipt = newest.split("href=\"").find(|rest| rest.starts_with("/ui/action/")).expect("a receipt");
    let page = member.get(receipt.split('"').next().unwrap()).expect(200);
    assert!(page.text.contains(">1 bundle, split off a larger one<"), "{}", page.text);
    let links: Vec<&str> =
        page.text.split("href=\"/ui/certificate/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(!links.is_empty() && page.text.contains(">transferred</td>"), "{}", page.text);
    for id in links {
        member.get(&format!("/ui/certificate/{id}")).expect(200);
    }
    let row = page.text.split("<tr>").find(|row| row.contains(">transferred</td>")).expect("what was sent");
    assert!(!row.contains("href=\"/ui/certificate/"), "{row}");
}

#[test]
fn a_correction_says_what_it_withdrew() {
    let app = app();
    prepare(&app);
    let update = domain::action::MeasurementUpdate {
        measurement: domain::MeasurementId(2),
        energy_wh: Some(299_000),
        quality: None,
        place: domain::action::StatedPlace::default(),
        source: None,
    };
    app.testkit.act(Command::UpdateMeasurement(update)).expect("corrected");
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let page = auditor.get("/ui/activity?kind=update_measurement").expect(200);
    assert!(page.text.contains("value=\"1000\"") && page.text.contains(">1 bundle<"), "{}", page.text);
    let page = auditor.get(receipts(&page)[0]).expect(200);
    assert!(page.text.contains("<h1>Update measurement: 1 kWh withdrawn</h1>"), "{}", page.text);
    let withdrawn = page.text.split("<tr>").find(|row| row.contains(">withdrawn</td>")).expect("what was withdrawn");
    assert!(withdrawn.contains("Withdrawn</span>"), "{withdrawn}");
}

#[test]
fn who_may_read_everything_asks_for_what_one_user_did_and_was_refused() {
    let app = app();
    let (one, _) = prepare(&app);
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let page = auditor.get("/ui/activity?user=Trader+%3Ci%3ET%3C%2Fi%3E").expect(200);
    assert_eq!(receipts(&page).len(), 2, "a transfer and a refusal: {}", page.text);
    assert!(page.text.contains("<datalist id=\"users\">") && !page.text.contains("<i>T"), "{}", page.text);
    let none = auditor.get("/ui/activity?user=Nobody").expect(200);
    assert!(none.text.contains("Not the name or number of a user, and so not used"), "{}", none.text);
    let log = auditor.get("/ui/audit?actor=1").expect(200);
    assert!(log.text.contains("href=\"/ui/activity?user=1\""), "{}", log.text);
    // Nobody else can: neither by a field nor by the address.
    let mut member = Browser::of(&app, &[Role::TradingUser], &[one]);
    let page = member.get("/ui/activity?user=1").expect(200);
    assert!(!page.text.contains("name=\"user\"") && !page.text.contains("id=\"users\""), "{}", page.text);
}
