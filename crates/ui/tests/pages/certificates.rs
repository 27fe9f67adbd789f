//! The bundles of an account: found, selected, acted on; receipts.

use crate::{Browser, proof};
use domain::action::{Deed, Portion};
use domain::{AccountId, Actor, BundleId, DeviceId, Role, WattHours};
use testkit::http::{Answer, TestApp};
use testkit::{Engine, at, hours_from, until};

/// A Tuesday.
const DAY: &str = "2026-02-24";

/// An account with a day of wind, one that may receive from it, and somebody to trade for each.
struct Market {
    app: TestApp,
    source: AccountId,
    target: AccountId,
    trader: Browser,
    other: Browser,
}

impl Market {
    /// With a bundle of `energy_wh` for each of `hours`.
    fn new(hours: i64, energy_wh: i64) -> Self {
        Self::from(DAY, hours, energy_wh)
    }

    /// As [`Self::new`], from a day on.
    fn from(day: &str, hours: i64, energy_wh: i64) -> Self {
        let app = TestApp::on(Engine::Sqlite);
        let kit = &app.testkit;
        let (source, target) = (kit.account("North <b>& Co</b>"), kit.account("South"));
        kit.whitelist(target, source);
        let device = kit.device("Turbine <b>1</b>", source);
        kit.metadata();
        let trader = Browser::of(&app, &[Role::TradingUser], &[source]);
        let other = Browser::of(&app, &[Role::TradingUser], &[target]);
        let market = Self { app, source, target, trader, other };
        if hours > 0 {
            market.issue(device, day, hours, energy_wh);
        }
        market
    }

    fn issue(&self, device: DeviceId, day: &str, hours: i64, energy_wh: i64) {
        let kit = &self.app.testkit;
        let start = at(&format!("{day}T00:00:00Z"));
        kit.readings(device, hours_from(start, hours), energy_wh);
        let to = start + jiff::SignedDuration::from_hours(hours);
        let request =
            app::IssueRequest { metadata_id: domain::MetadataId(1), from: start, to, device_ids: vec![device] };
        let job = kit.registry.issue_as_operator(request).expect("the operator may issue");
        let auditor = app::Caller::signed_in(
            domain::UserId(0),
            domain::Roles::of(&[Role::Auditor]),
            [0; 32],
            jiff::Timestamp::MAX,
        );
        until("the issue is done", || {
            let job = kit.registry.job(&auditor, job).expect("the job is there");
            (job.state == app::JobState::Done).then_some(())
        });
    }

    fn list(&self, query: &str) -> String {
        format!("/ui/account/{}/certificates{query}", self.source)
    }

    /// The address of a deed to bundles of the source account.
    fn deed(&self, name: &str) -> String {
        format!("/ui/account/{}/action/{name}", self.source)
    }

    fn lock(&self, bundle: i64) {
        let deed = Deed::Lock { reason: "a test".to_owned() };
        let locked = self.app.testkit.bundles(Actor::Operator, self.source, &[BundleId(bundle)], Portion::Whole, deed);
        locked.expect("the operator may lock");
    }
}

/// The ids that a page lets one select.
fn selectable(page: &Answer) -> Vec<String> {
    let boxes = page.text.split("name=\"bundle\" value=\"").skip(1);
    boxes.map(|rest| rest.split('"').next().expect("the end of a value").to_owned()).collect()
}

/// What a hidden field of a page holds.
fn hidden<'p>(page: &'p Answer, name: &str) -> &'p str {
    let (_, rest) = page.text.split_once(&format!("name=\"{name}\" value=\"")).expect("the field");
    rest.split('"').next().expect("the end of a value")
}

/// Sends a form with the proof of `page`.
fn send(browser: &mut Browser, page: &Answer, to: &str, fields: &[(&str, &str)]) -> Answer {
    let mut fields = fields.to_vec();
    let proof = proof(page).to_owned();
    fields.push(("proof", &proof));
    browser.send(to, &fields)
}

#[test]
fn half_of_last_tuesdays_wind_is_transferred_and_cancelled_for_a_customer() {
    let mut market = Market::new(24, 1_001);
    let (transfer, query) = (market.deed("transfer"), market.list("?from=2026-02-24&to=2026-02-24&source=wind"));
    let overview = market.trader.get(&format!("/ui/account/{}", market.source)).expect(200);
    assert!(overview.text.contains(&market.list("\"")), "the overview leads to the certificates");
    // Query and select.
    let list = market.trader.get(&query).expect(200);
    assert!(list.text.contains("24 bundles") && list.text.contains("24,024 Wh"), "{}", list.text);
    let ids = selectable(&list);
    assert_eq!(ids.len(), 24);
    let chosen: Vec<(&str, &str)> = ids.iter().map(|id| ("bundle", id.as_str())).collect();
    let form = send(&mut market.trader, &list, &transfer, &chosen).expect(200);
    assert!(form.text.contains("24 bundles") && form.text.contains(">South</option>"), "{}", form.text);
    // Preview.
    let target = market.target.to_string();
    let bundles = hidden(&form, "bundles").to_owned();
    let asked = [
        ("bundles", bundles.as_str()),
        ("target_id", &target),
        ("portion", "percentage"),
        ("percentage", "50"),
        ("step", "preview"),
    ];
    let preview = send(&mut market.trader, &form, &transfer, &asked).expect(200);
    assert!(preview.text.contains("Transfer 12 kWh?"), "500 Wh of each 1,001: {}", preview.text);
    assert!(preview.text.contains("24 bundles, each split off a larger one"), "{}", preview.text);
    assert_eq!(preview.text.matches(">split in two</td>").count(), 24);
    assert!(market.trader.get(&query).text.contains("24 bundles"), "a preview changes nothing");
    // Do it, twice.
    let once = hidden(&preview, "once").to_owned();
    let mut order = asked.to_vec();
    order.retain(|(name, _)| *name != "step");
    order.extend([("step", "do"), ("once", once.as_str())]);
    let done = send(&mut market.trader, &preview, &transfer, &order).expect(303);
    let receipt = done.header("location").unwrap().to_owned();
    let again = send(&mut market.trader, &preview, &transfer, &order).expect(303);
    assert_eq!(again.header("location"), Some(receipt.as_str()), "a form sent twice is one action");
    let page = market.trader.get(&receipt).expect(200);
    for shown in [
        "<h1>Transferred 12 kWh</h1>",
        "12,000 Wh",
        "24 bundles, each split off a larger one",
        "South",
        "50 % of each bundle",
        "event",
        ">split in two</td>",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(page.text.contains("North &#60;b&#62;&#38; Co&#60;/b&#62;") && !page.text.contains("<b>"), "{}", page.text);
    assert!(market.trader.get(&query).text.contains("12,024 Wh"), "the other half is left");

    for shown in ["12 kWh moved from North", "2026-02-24 00:00–24:00", "Turbine &#60;b&#62;1"] {
        assert!(page.text.contains(shown) && (shown.starts_with("12 kWh") || preview.text.contains(shown)), "{shown}");
    }
    assert!(!page.text.contains("Cancel for a beneficiary"), "it is the receiver's now");

    // The receiver is told, sees the receipt, and cancels what came.
    let overview = market.other.get(&format!("/ui/account/{target}")).expect(200);
    for shown in [receipt.trim_end_matches("?done=1"), "<data value=\"12000\"", "North &#60;b&#62;"] {
        assert!(overview.text.contains(shown), "{shown}: {}", overview.text);
    }
    let overview = market.trader.get(&format!("/ui/account/{}", market.source)).expect(200);
    assert!(overview.text.contains("Nothing came in from other accounts"), "{}", overview.text);
    let page = market.other.get(&receipt).expect(200);
    let offered = hidden(&page, "bundles").split(' ').count();
    assert!(page.text.contains("Cancel for a beneficiary…") && offered == 24, "{}", page.text);
    assert!(page.text.contains("12,000 Wh") && page.text.contains("somebody of another account"), "{}", page.text);
    let list = market.other.get(&format!("/ui/account/{target}/certificates")).expect(200);
    let bundles = selectable(&list).join(" ");
    let cancel = format!("/ui/account/{target}/action/cancel");
    let asked = [("bundles", bundles.as_str()), ("beneficiary", "<b>Mill</b> & Sons"), ("portion", "whole")];
    let preview = send(&mut market.other, &list, &cancel, &[&asked[..], &[("step", "preview")]].concat()).expect(200);
    assert!(preview.text.contains("This cannot be undone") && preview.text.contains("12,000 Wh"), "{}", preview.text);
    let once = hidden(&preview, "once").to_owned();
    let order = [&asked[..], &[("step", "do"), ("once", once.as_str())]].concat();
    let done = send(&mut market.other, &preview, &cancel, &order).expect(303);
    let page = market.other.get(done.header("location").unwrap()).expect(200);
    assert!(page.text.contains("&#60;b&#62;Mill&#60;/b&#62; &#38; Sons"), "{}", page.text);
    // It is not the first holder's business.
    market.trader.get(done.header("location").unwrap()).expect(404);
    let mut stranger = Browser::of(&market.app, &[Role::TradingUser], &[market.app.testkit.account("Third")]);
    stranger.get(&receipt).expect(404);
}

#[test]
fn clicks_that_come_while_the_first_is_carried_out_hear_what_it_came_to() {
    let mut market = Market::new(20, 1_000);
    let (list, transfer) = (market.list(""), market.deed("transfer"));
    let form = market.trader.get(&list).expect(200);
    let ids = (1..=20).map(|id: i64| id.to_string()).collect::<Vec<_>>().join(" ");
    let target = market.target.to_string();
    let asked = [("bundles", ids.as_str()), ("target_id", &target), ("portion", "whole")];
    let preview =
        send(&mut market.trader, &form, &transfer, &[&asked[..], &[("step", "preview")]].concat()).expect(200);
    let once = hidden(&preview, "once").to_owned();
    let order = [&asked[..], &[("step", "do"), ("once", once.as_str())]].concat();
    let clicks: Vec<Answer> = std::thread::scope(|scope| {
        let click = |mut browser: Browser| {
            let (preview, transfer, order) = (&preview, &transfer, &order);
            scope.spawn(move || send(&mut browser, preview, transfer, order))
        };
        let clicks: Vec<_> = (0..8).map(|_| click(market.trader.clone())).collect();
        clicks.into_iter().map(|click| click.join().expect("it does not panic")).collect()
    });
    let receipt = clicks[0].header("location").expect("a receipt").to_owned();
    for click in clicks {
        assert_eq!(click.expect(303).header("location"), Some(receipt.as_str()));
    }
}

#[test]
fn a_form_is_filled_in_again_with_what_is_wrong_beside_the_field() {
    let mut market = Market::new(2, 1_000);
    let transfer = market.deed("transfer");
    let list = market.trader.get(&market.list("")).expect(200);
    let base = [("bundles", "1 2"), ("step", "preview")];
    for (fields, id, words) in [
        (&[("portion", "whole")][..], "target_id", "Fill this in"),
        (&[("target_id", "2"), ("portion", "quantity")], "certificate_quantity", "Fill this in"),
        (
            &[("target_id", "2"), ("portion", "quantity"), ("certificate_quantity", "1.5")],
            "certificate_quantity",
            "whole watt-hours",
        ),
        (&[("target_id", "2"), ("portion", "percentage"), ("percentage", "half")], "percentage", "decimal number"),
        (&[("target_id", "2"), ("portion", "percentage"), ("percentage", "150")], "percentage", "up to 100 %"),
        (&[("target_id", "2"), ("portion", "whole"), ("percentage", "5")], "portion", "A part is given"),
        (
            &[("target_id", "2"), ("portion", "quantity"), ("certificate_quantity", "0.0005"), ("unit", "kWh")],
            "certificate_quantity",
            "whole Wh",
        ),
    ] {
        let page = send(&mut market.trader, &list, &transfer, &[&base[..], fields].concat()).expect(422);
        let place = format!("id=\"{id}-fault\">");
        let (_, told) = page.text.split_once(&place).unwrap_or_else(|| panic!("{place}: {}", page.text));
        assert!(told.split('<').next().unwrap().contains(words), "{id}: {told}");
        assert!(!page.text.contains("name=\"once\""), "nothing to confirm");
    }
    // Rules refuse in their own words, and nothing of what was typed is lost.
    let more = [("target_id", "2"), ("portion", "quantity"), ("certificate_quantity", "5000")];
    let page = send(&mut market.trader, &list, &transfer, &[&base[..], &more].concat()).expect(400);
    assert!(page.text.contains("role=\"alert\"") && page.text.contains("value=\"5000\""), "{}", page.text);
    assert!(page.text.contains("5,000 Wh are asked, the selection holds 2,000 Wh"), "{}", page.text);
    market.lock(1);
    let whole = [("target_id", "2"), ("portion", "whole")];
    let page = send(&mut market.trader, &list, &transfer, &[&base[..], &whole].concat()).expect(400);
    assert!(page.text.contains("state does not allow") && page.text.contains("Locked"), "{}", page.text);
    // What cannot be transferred is named before anything is asked, and can be left out.
    let form = send(&mut market.trader, &list, &transfer, &[("bundles", "1 2 99")]).expect(200);
    assert!(form.text.contains("2 of the selected bundles cannot be transferred"), "{}", form.text);
    let fit = send(&mut market.trader, &list, &transfer, &[("bundles", "1 2 99"), ("step", "fit")]).expect(200);
    assert_eq!(hidden(&fit, "bundles"), "2");
    assert!(fit.text.contains("<dd>1 bundle</dd>") && !fit.text.contains("cannot be transferred"), "{}", fit.text);
    // For whom certificates are used up is never left open.
    let cancel = market.deed("cancel");
    let page = send(&mut market.trader, &list, &cancel, &[("bundles", "2"), ("step", "preview")]).expect(422);
    assert!(page.text.contains("id=\"beneficiary-fault\">Fill this in"), "{}", page.text);
    // An account is chosen by name, and its number goes on.
    let form = send(&mut market.trader, &list, &cancel, &[("bundles", "2")]).expect(200);
    assert!(form.text.contains("<option value=\"South (2)\">"), "{}", form.text);
    let named = |account: &'static str| [("bundles", "2"), ("beneficiary", "S"), ("beneficiary_account_id", account)];
    let wrong = [named("South").as_slice(), &[("step", "preview")]].concat();
    let page = send(&mut market.trader, &list, &cancel, &wrong).expect(422);
    assert!(page.text.contains("id=\"beneficiary_account_id-fault\">Choose an account of the list"), "{}", page.text);
    let right = [named("South (2)").as_slice(), &[("step", "preview")]].concat();
    let page = send(&mut market.trader, &list, &cancel, &right).expect(200);
    assert!(page.text.contains("Who may claim them") && page.text.contains("South"), "{}", page.text);
    // Browsers go back to a form and to a preview without sending anything again.
    assert_eq!(form.header("cache-control"), Some("private, no-cache"));
    // Nothing selected; a bundle that is not there; a form of nobody.
    send(&mut market.trader, &list, &transfer, &[]).expect(422);
    send(&mut market.trader, &list, &transfer, &[("bundles", "99")]).expect(422);
    market.trader.send(&transfer, &[("bundles", "1")]).expect(403);
    let sell = market.deed("sell");
    let page = send(&mut market.trader, &list, &sell, &base);
    assert_eq!(page.status, 404);
    assert_eq!(market.trader.get(&transfer).expect(303).header("location"), Some(market.list("").as_str()));
}

#[test]
fn no_account_to_transfer_to_is_said() {
    let mut market = Market::new(1, 1_000);
    let list = market.trader.get(&market.list("")).expect(200);
    let update =
        domain::action::WhitelistUpdate { account_id: market.target, add: Vec::new(), remove: vec![market.source] };
    market.app.testkit.act(domain::Command::UpdateWhitelist(update)).expect("the operator may");
    let transfer = market.deed("transfer");
    let page = send(&mut market.trader, &list, &transfer, &[("bundle", "1")]).expect(200);
    assert!(page.text.contains("No account accepts certificates from this one yet"), "{}", page.text);
}

#[test]
fn each_role_sees_and_does_what_it_may() {
    let mut market = Market::new(2, 1_000);
    let list = market.list("");
    let offers = |page: &Answer| -> Vec<String> {
        let deeds = page.text.split("formaction=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        deeds.map(|address| address.rsplit('/').next().unwrap().to_owned()).collect()
    };
    let page = market.trader.get(&list).expect(200);
    assert_eq!(offers(&page), ["transfer", "cancel", "reserve", "claim"]);
    for deed in ["lock", "unlock", "withdraw"] {
        let order = [("bundles", "1"), ("reason", "none"), ("step", "do"), ("once", "x")];
        let to = market.deed(deed);
        let answer = send(&mut market.trader, &page, &to, &order).expect(403);
        assert!(answer.text.contains("GC Issuer"), "{}", answer.text);
    }
    let mut issuer = Browser::of(&market.app, &[Role::GcIssuer], &[]);
    let page = issuer.get(&list).expect(200);
    assert_eq!(offers(&page), ["lock", "unlock", "withdraw"]);
    send(&mut issuer, &page, &market.deed("transfer"), &[("bundles", "1")]).expect(403);
    let asked = [("bundles", "1"), ("reason", "a <b>doubt</b>"), ("portion", "whole")];
    let preview =
        send(&mut issuer, &page, &market.deed("lock"), &[&asked[..], &[("step", "preview")]].concat()).expect(200);
    let once = hidden(&preview, "once").to_owned();
    let order = [&asked[..], &[("step", "do"), ("once", once.as_str())]].concat();
    let done = send(&mut issuer, &preview, &market.deed("lock"), &order).expect(303);
    let receipt = issuer.get(done.header("location").unwrap()).expect(200);
    assert!(receipt.text.contains("a &#60;b&#62;doubt"), "{}", receipt.text);
    assert!(market.trader.get(&market.list("?status=Locked")).text.contains(">Locked</span>"));
    // An auditor reads, and may do nothing; a stranger sees nothing.
    let mut auditor = Browser::of(&market.app, &[Role::Auditor], &[]);
    let page = auditor.get(&list).expect(200);
    assert!(selectable(&page).is_empty() && offers(&page).is_empty() && page.text.contains("2 bundles"));
    auditor.get("/ui/certificate/1").expect(200);
    market.other.get(&list).expect(404);
    market.other.get(&market.list("/export")).expect(404);
    let page = market.other.get("/ui/profile").expect(200);
    for deed in ["transfer", "lock", "claim"] {
        let to = market.deed(deed);
        send(&mut market.other, &page, &to, &[("bundles", "1"), ("step", "do")]).expect(404);
    }
    for path in ["/ui/certificate/1", "/ui/certificate/99", "/ui/action/1", "/ui/action/rejected/1"] {
        assert!(!market.other.get(path).expect(404).text.contains("Turbine"), "{path}");
    }
}

#[test]
fn a_list_is_paged_from_either_end_and_keeps_its_filter() {
    let mut market = Market::new(48, 1_000);
    let device = market.app.testkit.device("Turbine 2", market.source);
    market.issue(device, DAY, 60, 500);
    let first = market.trader.get(&market.list("?status=Active")).expect(200);
    assert!(first.text.contains("108 bundles") && first.text.contains("78,000 Wh"), "{}", first.text);
    assert!(first.text.len() < 150_000, "{}", first.text.len());
    let (_, rest) = first.text.split_once("<p class=\"pages\">").expect("there is more");
    let next = rest.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    assert!(next.contains("status=Active") && next.contains("after="), "{next}");
    let second = market.trader.get(&next).expect(200);
    let ids = |page: &Answer| selectable(page);
    assert_eq!((ids(&first).len(), ids(&second).len()), (100, 8));
    assert!(second.text.contains(">First page</a>") && ids(&second).iter().all(|id| !ids(&first).contains(id)));
    // What a script selects of all that match.
    let all = market.trader.get(&market.list("/selection?status=Active")).expect(200).json;
    assert_eq!((all["bundles"].as_array().unwrap().len(), &all["has_more"]), (108, &serde_json::json!(false)));
    assert_eq!(all["bundles"][0], serde_json::json!([ids(&first)[0], "500"]));
    market.trader.get(&market.list("/selection?status=lost")).expect(422);
    market.other.get(&market.list("/selection")).expect(404);
    let oldest = market.trader.get(&market.list("?status=Active&order=oldest")).expect(200);
    assert_eq!(ids(&oldest)[0], *ids(&second).last().unwrap());
    let of_device = market.trader.get(&market.list(&format!("?device={device}&from=2026-02-24&to=2026-02-25")));
    assert!(of_device.expect(200).text.contains("48 bundles"));
    let issuance = market.trader.get(&market.list("?issuance_id=1-electricity-20260224T050000Z")).expect(200);
    assert_eq!(ids(&issuance).len(), 1);
    // Of any length, where the API's query allows thirty days.
    let years = market.trader.get(&market.list("?from=2020-01-01&to=2030-01-01")).expect(200);
    assert!(years.text.contains("108 bundles"));
}

#[test]
fn what_is_not_too_much_is_sorted_by_any_column() {
    let mut market = Market::from("2025-11-01", 2_001, 1_000);
    let device = market.app.testkit.device("A turbine", market.source);
    market.issue(device, "2025-11-01", 110, 500);
    let sorted = |page: &Answer, by: &str| page.text.contains(&format!("aria-sort=\"{by}\""));
    let day = "?from=2025-11-01&to=2025-11-05";
    let first = market.trader.get(&market.list(&format!("{day}&sort=-quantity"))).expect(200);
    assert!(sorted(&first, "descending") && !first.text.contains("too many"), "{}", first.text);
    let wh = |page: &Answer| -> Vec<u64> {
        let boxes = page.text.split("data-wh=\"").skip(1);
        boxes.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
    };
    let (_, rest) = first.text.split_once("<p class=\"pages\">").expect("there is more");
    let next = rest.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    assert!(next.ends_with("sort=-quantity&page=2"), "{next}");
    let second = market.trader.get(&next).expect(200);
    assert_eq!(wh(&first), vec![1_000; 100]);
    assert_eq!(wh(&second), [vec![1_000; 20], vec![500; 80]].concat());
    assert!(second.text.contains(">First page</a>"), "{}", second.text);
    let by_device = market.trader.get(&market.list(&format!("{day}&sort=device"))).expect(200);
    assert_eq!(wh(&by_device), vec![500; 100]);
    let by_bundle = market.trader.get(&market.list(&format!("{day}&sort=bundle"))).expect(200);
    assert_eq!(selectable(&by_bundle)[..2], ["1".to_owned(), "2".to_owned()]);
    let last = market.trader.get(&market.list(&format!("{day}&sort=state&page=3"))).expect(200);
    assert_eq!(wh(&last).len(), 30);
    market.trader.get(&market.list(&format!("{day}&sort=state&page=9"))).expect(200);
    // All of them are too many; they are there in the order of production, page by page.
    let all = market.trader.get(&market.list("?sort=quantity")).expect(200);
    assert!(all.text.contains("More than 2,000 bundles match") && sorted(&all, "descending"), "{}", all.text);
    assert_eq!(wh(&all).len(), 100);
    let (_, rest) = all.text.split_once("<p class=\"pages\">").expect("there is more");
    let next = rest.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    assert!(next.contains("?after="), "{next}");
    market.trader.get(&market.list("?sort=colour")).expect(422);
}

#[test]
fn what_matches_nothing_and_what_cannot_be_read_is_told() {
    let mut market = Market::new(1, 1_000);
    let none = market.trader.get(&market.list("?status=Locked")).expect(200);
    assert!(none.text.contains("Nothing matches"), "{}", none.text);
    let page = market.other.get(&format!("/ui/account/{}/certificates", market.target)).expect(200);
    assert!(page.text.contains("No certificates yet"), "{}", page.text);
    for (query, words) in [
        ("?status=lost", "<strong>State</strong>: Not a state of a bundle"),
        ("?from=yesterday", "<strong>From</strong>: Not a date"),
        ("?device=<b>", "<strong>Device</strong>: Not the number"),
        ("?issuance_id=%3Cb%3Ezzz", "Invalid issuance ID: &#60;b&#62;zzz"),
        ("?from=2026-02-02&to=2026-01-01", "<strong>To</strong>: Must not be before From"),
    ] {
        let query = query.replace("<b>", "%3Cb%3E");
        let page = market.trader.get(&market.list(&query)).expect(422);
        assert!(page.text.contains(words) && !page.text.contains("<b>"), "{query}: {}", page.text);
    }
    assert!(market.trader.get(&market.list("/export?status=lost")).expect(422).text.contains("State: Not a state"));
}

#[test]
fn an_export_is_that_of_the_api() {
    let mut market = Market::new(30, 1_000);
    let client = market.app.with_user(&[Role::TradingUser], &[market.source]);
    let api = format!(
        "/certificate/export?source_id={}&certificate_period_start=2026-02-24&certificate_period_end=2026-02-25\
         &certificate_bundle_status=Active",
        market.source
    );
    for format in ["csv", "ndjson"] {
        let path = market.list(&format!("/export?from=2026-02-24&to=2026-02-24&status=Active&format={format}"));
        let export = market.trader.get(&path).expect(200);
        let expected = client.get(&format!("{api}&format={format}")).expect(200);
        assert_eq!(export.text, expected.text);
        assert_eq!(export.header("content-type"), expected.header("content-type"));
        assert_eq!(export.header("content-disposition"), expected.header("content-disposition"));
        assert_eq!(export.text.lines().count(), 24 + usize::from(format == "csv"));
    }
    market.trader.get(&market.list("/export?format=xml")).expect(422);
    let of_one = market.trader.get(&market.list("/export?issuance_id=1-electricity-20260224T050000Z")).expect(200);
    assert_eq!(of_one.text.lines().count(), 2, "the columns and one bundle: {}", of_one.text);
    market.trader.get(&market.list("/export?issuance_id=nonsense")).expect(422);
}

#[test]
fn a_bundle_says_what_it_states_and_where_it_comes_from() {
    let mut market = Market::new(1, 1_000);
    let kit = &market.app.testkit;
    let deed = Deed::Transfer { target: market.target };
    let portion = Portion::Quantity(WattHours(400));
    kit.bundles(Actor::Operator, market.source, &[BundleId(1)], portion, deed).expect("the operator may");
    let deed = Deed::Cancel {
        beneficiary: Some("<b>Mill</b>".to_owned()),
        beneficiary_account: Some(market.source),
        purpose: None,
    };
    kit.bundles(Actor::Operator, market.target, &[BundleId(2)], Portion::Whole, deed).expect("the operator may");
    let page = market.trader.get("/ui/certificate/3").expect(200);
    for shown in
        ["Turbine &#60;b&#62;1", "Test issuing body", "600 Wh", "401–1,000", "<svg", "1-electricity-20260224T000000Z"]
    {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(page.text.contains("action/transfer") && !page.text.contains(" style="), "{}", page.text);
    // The beneficiary may see and claim what lies in another's account.
    let page = market.trader.get("/ui/certificate/2").expect(200);
    assert!(page.text.contains("&#60;b&#62;Mill") && page.text.contains(">Claim…</button>"), "{}", page.text);
    let claim = format!("/ui/account/{}/action/claim", market.target);
    let asked = [("bundle", "2"), ("portion", "whole")];
    send(&mut market.trader, &page, &claim, &asked).expect(200);
    let preview = send(&mut market.trader, &page, &claim, &[&asked[..], &[("step", "preview")]].concat()).expect(200);
    let once = hidden(&preview, "once").to_owned();
    let order = [&asked[..], &[("step", "do"), ("once", once.as_str())]].concat();
    let done = send(&mut market.trader, &preview, &claim, &order).expect(303);
    assert!(market.trader.get(done.header("location").unwrap()).expect(200).text.contains("claimed"));
    // To the receiver the rest is held elsewhere.
    let page = market.other.get("/ui/certificate/2").expect(200);
    assert!(page.text.contains("held elsewhere"), "{}", page.text);
    market.other.get("/ui/certificate/3").expect(404);
}

#[test]
fn a_rejected_action_says_why() {
    let mut market = Market::new(1, 1_000);
    let client = market.app.with_user(&[Role::TradingUser], &[market.source]);
    let body = serde_json::json!({"source_id": market.source, "target_id": market.target,
        "granular_certificate_bundle_ids": [1], "certificate_quantity": 5_000});
    client.post("/certificate/transfer", &body).expect(400);
    let page = market.trader.get("/ui/action/rejected/1").expect(200);
    assert!(page.text.contains("Transfer: rejected") && page.text.contains("5000"), "{}", page.text);
    market.other.get("/ui/action/rejected/1").expect(404);
    market.trader.get("/ui/action/rejected/2").expect(404);
}

#[test]
fn a_refusal_leads_to_its_record() {
    let mut market = Market::new(1, 1_000);
    let list = market.trader.get(&market.list("")).expect(200);
    let transfer = market.deed("transfer");
    let asked = [("bundles", "1"), ("target_id", "2"), ("portion", "whole")];
    market.lock(1);
    // What is only looked at is not kept.
    let looked_at = [&asked[..], &[("step", "preview")]].concat();
    let page = send(&mut market.trader, &list, &transfer, &looked_at).expect(400);
    assert!(!page.text.contains("/ui/action/rejected/"), "{}", page.text);
    let order = [&asked[..], &[("step", "do"), ("once", "a-form-of-before")]].concat();
    let page = send(&mut market.trader, &list, &transfer, &order).expect(400);
    assert!(page.text.contains("href=\"/ui/action/rejected/1\""), "{}", page.text);
    assert!(market.trader.get("/ui/action/rejected/1").expect(200).text.contains("Locked"));
}

#[test]
fn the_total_is_what_counts_and_says_state_by_state_what_is_what() {
    let mut market = Market::new(4, 1_000);
    let kit = &market.app.testkit;
    let withdraw = Deed::Withdraw { reason: "a test".to_owned(), export_failed: false };
    let half = Portion::Quantity(WattHours(400));
    kit.bundles(Actor::Operator, market.source, &[BundleId(1)], half, withdraw).expect("the operator may withdraw");
    let cancel = Deed::Cancel { beneficiary: Some("Mill".to_owned()), beneficiary_account: None, purpose: None };
    kit.bundles(Actor::Operator, market.source, &[BundleId(2)], Portion::Whole, cancel).expect("cancelled");
    let summary = {
        let auditor = app::Caller::signed_in(
            domain::UserId(0),
            domain::Roles::of(&[Role::Auditor]),
            [0; 32],
            jiff::Timestamp::MAX,
        );
        kit.registry.account_summary(&auditor, market.source, None).expect("it may be read")
    };
    assert_eq!((summary.bundles, summary.energy), (4, WattHours(3_600)));
    // Added up from what is kept, and from the bundles.
    for query in ["", "?from=2026-02-24"] {
        let page = market.trader.get(&market.list(query)).expect(200);
        for shown in [
            "<strong>4 bundles, 3.6 kWh</strong>",
            "(3,600 Wh)",
            ">Active</span></a> 3 bundles, 2.6 kWh<",
            ">Cancelled</span></a> 1 bundle, 1 kWh<",
            ">Withdrawn</span></a> 1 bundle, 400 Wh <span class=\"faint\">not counted above<",
        ] {
            assert!(page.text.contains(shown), "{query} {shown}: {}", page.text);
        }
    }
    for (query, shown) in [("?status=Withdrawn", "<strong>1 bundle, 400 Wh</strong>"), ("?status=Active", "3 bundles")]
    {
        let page = market.trader.get(&market.list(query)).expect(200);
        assert!(page.text.contains(shown) && !page.text.contains("not counted above"), "{query}: {}", page.text);
    }
}

#[test]
fn the_devices_to_filter_by_are_all_of_which_bundles_are_held() {
    let mut market = Market::new(1, 1_000);
    for name in ["Turbine 2", "Turbine 3"] {
        let device = market.app.testkit.device(name, market.source);
        market.issue(device, "2026-02-25", 1, 1_000);
    }
    let none = market.app.testkit.device("Turbine 9", market.source);
    let page = market.trader.get(&market.list("?to=2026-02-24")).expect(200);
    for shown in [">Turbine &#60;b&#62;1&#60;/b&#62;<", ">Turbine 2<", ">Turbine 3<"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains(&format!("value=\"{none}\"")), "{}", page.text);
}
