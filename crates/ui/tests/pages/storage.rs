//! Storage: what its pages say, what is recorded and certified by hand, what is refused, and who sees and does what.

use crate::{Browser, app, proof};
use domain::action::{BundleAction, Deed, IssueChunk, NewDevice, PURPOSE_STORAGE, Portion};
use domain::{
    AccountId, BundleId, Command, DeviceDescription, DeviceId, DeviceKind, EnergySource, Interval, Outcome, Role,
};
use jiff::SignedDuration;
use testkit::http::{Answer, TestApp};
use testkit::{at, device_description};

/// A battery that took in 100 Wh in each of two hours and gave out 90 and 30; certificates of the first hour, 120 of them,
/// are cancelled for storage.
struct Stored {
    app: TestApp,
    account: AccountId,
    buyer: AccountId,
    battery: DeviceId,
    farm: DeviceId,
}

fn hour(of_day: i64) -> Interval {
    let start = at("2026-02-01T00:00:00Z") + SignedDuration::from_hours(of_day);
    Interval::new(start, start + SignedDuration::from_hours(1)).expect("an hour is not empty")
}

impl Stored {
    fn new() -> Self {
        let app = app();
        let kit = &app.testkit;
        let (account, buyer) = (kit.account("Store <i>it</i>"), kit.account("Buyer"));
        kit.whitelist(buyer, account);
        let battery = Self::device(&app, account, "Battery <b>one</b>");
        let farm = kit.device("farm", account);
        kit.readings(farm, std::iter::once(hour(0)), 120);
        for (of_day, energy) in [(0, -100), (1, -100), (2, 90), (3, 30)] {
            kit.readings(battery, std::iter::once(hour(of_day)), energy);
        }
        let metadata_id = kit.metadata();
        let (from, to) = (hour(0).start(), hour(1).start());
        kit.act(Command::Issue(IssueChunk { metadata_id, devices: vec![farm], from, to })).expect("issued");
        kit.act(Command::Bundles(BundleAction {
            source: account,
            bundles: vec![BundleId(1)],
            portion: Portion::Whole,
            deed: Deed::Cancel {
                beneficiary: None,
                beneficiary_account: None,
                purpose: Some(PURPOSE_STORAGE.to_owned()),
            },
        }))
        .expect("cancelled");
        Self { app, account, buyer, battery, farm }
    }

    fn device(app: &TestApp, account: AccountId, name: &str) -> DeviceId {
        let description = DeviceDescription {
            energy_source: EnergySource::BatteryStorage,
            kind: DeviceKind::Storage,
            operational_date: at("2026-01-01T00:00:00Z"),
            ..device_description(name)
        };
        let made = app.testkit.act(Command::CreateDevice(NewDevice { account_id: account, description }));
        let Outcome::Device(id) = made.expect("a device").outcome() else { unreachable!("it is a device") };
        id
    }

    fn issuer(&self) -> Browser {
        Browser::of(&self.app, &[Role::GcIssuer], &[])
    }

    fn page(&self) -> String {
        format!("/ui/device/{}/storage", self.battery)
    }

    fn issuance(&self) -> String {
        format!("{}-electricity-20260201T000000Z", self.farm)
    }

    /// Looks at a step and takes it: where that leads.
    fn done(browser: &mut Browser, from: &str, path: &str, fields: &[(&str, &str)]) -> String {
        let preview = browser.fill(from, path, &[fields, &[("step", "preview")]].concat()).expect(200);
        let proof = proof(&preview).to_owned();
        let more = [("step", "do"), ("proof", &proof), ("once", path)];
        let done = browser.send(path, &[fields, &more].concat()).expect(303);
        done.header("location").expect("it leads somewhere").to_owned()
    }

    /// Both charges, the first of them backed, and the first discharge.
    fn recorded(&self, issuer: &mut Browser) {
        let (charge, discharge) = (format!("{}/charge", self.page()), format!("{}/discharge", self.page()));
        let issuance = self.issuance();
        let first = [CHARGE.as_slice(), &[("gc_issuance_id", issuance.as_str()), FIRST, LAST]].concat();
        assert_eq!(Self::done(issuer, &charge, &charge, &first), "/ui/storage/scr/1");
        let second = [
            ("charging_start_datetime", "2026-02-01T01:00Z"),
            ("charging_end_datetime", "2026-02-01T02:00Z"),
            ("charging_energy", "100"),
        ];
        let preview = issuer.fill(&charge, &charge, &second).expect(200);
        let proof = proof(&preview).to_owned();
        let more = [("step", "do"), ("proof", proof.as_str()), ("once", "second")];
        issuer.send(&charge, &[second.as_slice(), &more].concat()).expect(303);
        assert_eq!(Self::done(issuer, &discharge, &discharge, &DISCHARGE), "/ui/storage/sdr/1");
    }
}

const CHARGE: [(&str, &str); 3] = [
    ("charging_start_datetime", "2026-02-01T00:00Z"),
    ("charging_end_datetime", "2026-02-01T01:00Z"),
    ("charging_energy", "100"),
];
const FIRST: (&str, &str) = ("certificate_bundle_id_range_start", "1");
const LAST: (&str, &str) = ("certificate_bundle_id_range_end", "100");
const DISCHARGE: [(&str, &str); 7] = [
    ("discharging_start_datetime", "2026-02-01T02:00Z"),
    ("discharging_end_datetime", "2026-02-01T03:00Z"),
    ("discharge_energy", "90"),
    ("scr_allocation_methodology", "FIFO"),
    ("efficiency_factor_interval_start", "2026-02-01T00:00Z"),
    ("efficiency_factor_interval_end", "2026-02-01T03:00Z"),
    ("state_of_charge_end", "90"),
];

fn told(page: &Answer, all: &[&str]) {
    for told in all {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
}

#[test]
fn what_is_recorded_and_certified_by_hand_is_accounted_for_to_the_watt_hour() {
    let stored = Stored::new();
    let (page, mut issuer) = (stored.page(), stored.issuer());
    let before = issuer.get(&page).expect(200);
    told(
        &before,
        &["Nothing is recorded yet", "No charge is recorded yet", "No discharge is recorded yet", "Record the charge"],
    );
    assert!(!before.text.contains("<b>one") && !before.text.contains("storage-data"), "{}", before.text);

    // A reading leads to its form, filled in, and the form to what can back the charge.
    let to = before.text.split("href=\"").find(|to| to.starts_with(&format!("{page}/charge?"))).expect("a reading");
    let filled = to.split('"').next().expect("an address").replace("&#38;", "&").replace("&amp;", "&");
    assert!(filled.contains("charging_energy=100"), "{filled}");
    let form = issuer.get(&filled).expect(200);
    told(
        &form,
        &["None", "name=\"charging_energy\" value=\"100\""]
            .map(|text| if text == "None" { "cancelled none" } else { text }),
    );
    let first = issuer.get(&format!("{page}/charge?charging_start_datetime=2026-02-01T00:00Z&charging_end_datetime=2026-02-01T01:00Z&charging_energy=100")).expect(200);
    told(&first, &["Back it with these", "certificate_bundle_id_range_end=100", &stored.issuance()]);

    stored.recorded(&mut issuer);
    let charge = issuer.get("/ui/storage/scr/1").expect(200);
    told(&charge, &["Charge record 1", "100 Wh", "1–100", "/ui/storage/sdr/1", &stored.issuance()]);
    assert!(!charge.text.contains("/withdraw"), "what is drawn is not withdrawn");
    let shown = issuer.get(&page).expect(200);
    // in = certificates + losses + unbacked + reservoir
    for number in ["200", "90", "10", "0", "100"] {
        assert!(shown.text.contains(&format!("<td class=\"number\">{number}</td>")), "{number}: {}", shown.text);
    }
    told(&shown, &["90 %", "exactly 180 / 200", "to be certified", "storage-data", "1 February 2026", "FIFO"]);
    assert!(!shown.text.contains("do not come out"));

    let sdr = "/ui/storage/sdr/1";
    assert_eq!(Stored::done(&mut issuer, sdr, &format!("{sdr}/issue"), &[]), sdr);
    let certified = issuer.get(sdr).expect(200);
    told(&certified, &["Discharge record 1", "Of them issued and live", "/ui/certificate/"]);
    assert!(!certified.text.contains(&format!("{sdr}/issue")), "nothing is left to issue");
    assert!(!certified.text.contains(&format!("{sdr}/withdraw")), "certificates stand on it");
    told(&issuer.get(&page).expect(200), &[">certified<"]);
}

#[test]
fn a_certificate_leads_back_to_what_was_cancelled() {
    let stored = Stored::new();
    let mut issuer = stored.issuer();
    stored.recorded(&mut issuer);
    let sdr = "/ui/storage/sdr/1";
    Stored::done(&mut issuer, sdr, &format!("{sdr}/issue"), &[]);
    let page = issuer.get(sdr).expect(200);
    let id: i64 =
        page.text.split("/ui/certificate/").nth(1).and_then(|t| t.split('"').next()?.parse().ok()).expect("an id");
    let mut owner = Browser::of(&stored.app, &[Role::TradingUser], &[stored.account]);
    let certificate = format!("/ui/certificate/{id}");
    let chain = [
        "Back through storage",
        "Discharge record 1",
        "Charge record 1",
        "cancelled for storage: certificates 1–100",
        "at an efficiency of 90 %",
    ];
    let page = owner.get(&certificate).expect(200);
    told(&page, &chain);
    told(&page, &["href=\"/ui/storage/sdr/1\"", "href=\"/ui/storage/scr/1\""]);
    let cancelled = page.text.rsplit("href=\"/ui/certificate/").find(|rest| rest.contains("cancelled for storage"));
    let cancelled = cancelled.and_then(|rest| rest.split('"').next()).expect("the way back ends at a bundle");
    // And from there on again.
    let onward = ["On through storage", "Charge record 1", "href=\"/ui/storage/sdr/1\"", "drew "];
    let cancelled_page = format!("/ui/certificate/{cancelled}");
    let from = owner.get(&cancelled_page).expect(200);
    told(&from, &["Cancelled", "1–100", &format!("<a href=\"{certificate}\">bundle {id}</a> (")]);
    told(&from, &onward);
    // Who buys it sees the way, and nothing behind it.
    stored
        .app
        .testkit
        .act(Command::Bundles(BundleAction {
            source: stored.account,
            bundles: vec![BundleId(id)],
            portion: Portion::Whole,
            deed: Deed::Transfer { target: stored.buyer },
        }))
        .expect("sold");
    let mut buyer = Browser::of(&stored.app, &[Role::TradingUser], &[stored.buyer]);
    let page = buyer.get(&certificate).expect(200);
    told(&page, &chain);
    assert!(!page.text.contains("/ui/storage/") && !page.text.contains("<b>one"), "{}", page.text);
    for closed in
        ["/ui/storage/sdr/1", "/ui/storage/scr/1", &stored.page(), &format!("/ui/account/{}/storage", stored.account)]
    {
        buyer.get(closed).expect(404);
    }
    // Their list names it by the battery, and what made it beside that; the filter names the battery once.
    let list = buyer.get(&format!("/ui/account/{}/certificates", stored.buyer)).expect(200);
    told(&list, &["from storage, made by farm", "Battery &#60;b&#62;one&#60;/b&#62;</a>"]);
    let choice = format!("<option value=\"{}\">Battery &#60;b&#62;one&#60;/b&#62;</option>", stored.battery);
    assert!(list.text.matches(&choice).count() == 1 && !list.text.contains(">farm</option>"), "{}", list.text);
    told(&owner.get(sdr).expect(200), &["They are held by others"]);
    let from = owner.get(&cancelled_page).expect(200);
    told(&from, &onward);
    assert!(!from.text.contains("/action/claim"), "what was cancelled for storage is never claimed: {}", from.text);
    told(&from, &["None of them that you may read is issued."]);
    assert!(!from.text.contains(&certificate), "{}", from.text);
    assert!(!owner.get("/ui/certificate/1").expect(200).text.contains("On through storage"), "it was split");
    // What was not issued on a discharge has no such way.
    assert!(!issuer.get(&format!("/ui/certificate/{cancelled}")).expect(200).text.contains("Back through storage"));
}

#[test]
fn what_is_wrong_is_told_beside_the_field_and_what_was_typed_stays() {
    let stored = Stored::new();
    let mut issuer = stored.issuer();
    let (charge, discharge) = (format!("{}/charge", stored.page()), format!("{}/discharge", stored.page()));
    for (path, fields, status, said, kept) in [
        (&charge, vec![("charging_start_datetime", "soon")], 422, "aria-invalid=\"true\"", "value=\"soon\""),
        (&charge, [CHARGE.as_slice(), &[FIRST]].concat(), 422, "Fill this in", "value=\"1\""),
        (&charge, [&CHARGE[..2], &[("charging_energy", "101")]].concat(), 400, "101 Wh", "value=\"101\""),
        (
            &discharge,
            [DISCHARGE.as_slice(), &[("allocations", "all")]].concat(),
            422,
            "such as 4: 800000",
            "value=\"all\"",
        ),
        (&discharge, DISCHARGE.to_vec(), 400, "role=\"alert\"", "value=\"90\""),
    ] {
        let page = issuer.fill(path, path, &fields).expect(status);
        told(&page, &[said, kept]);
    }
    // A look changes nothing, and goes back to the form.
    let looked = issuer.fill(&charge, &charge, &CHARGE).expect(200);
    told(&looked, &["Record a charge of 100 Wh?", "Of no certificates", "name=\"charging_energy\" value=\"100\""]);
    let proof = proof(&looked).to_owned();
    let back =
        issuer.send(&charge, &[CHARGE.as_slice(), &[("step", "change"), ("proof", &proof)]].concat()).expect(200);
    told(&back, &["name=\"charging_energy\" value=\"100\""]);
    told(&issuer.get(&stored.page()).expect(200), &["No charge is recorded yet"]);
}

#[test]
fn withdrawals_go_backwards_and_a_form_sent_twice_is_one_change() {
    let stored = Stored::new();
    let mut issuer = stored.issuer();
    stored.recorded(&mut issuer);
    let (scr, sdr) = ("/ui/storage/scr/1", "/ui/storage/sdr/1");
    let page = issuer.get(sdr).expect(200);
    let of_form = proof(&page).to_owned();
    let step = |step| [("step", step), ("proof", of_form.as_str()), ("once", "once")];
    // Drawn on: refused, with the record.
    let refused = issuer.send(&format!("{scr}/withdraw"), &step("do")).expect(400);
    told(&refused, &["Charge record 1", "role=\"alert\""]);
    let issue = format!("{sdr}/issue");
    let events = || stored.app.testkit.registry.health().expect("the database answers").event_number;
    issuer.send(&issue, &step("do")).expect(303);
    let after = events();
    issuer.send(&issue, &step("do")).expect(303);
    assert_eq!(events(), after, "the same form again is the same change");
    let refused = issuer.send(&format!("{sdr}/withdraw"), &step("preview")).expect(400);
    told(&refused, &["Discharge record 1", "role=\"alert\""]);
    let page = issuer.get(sdr).expect(200);
    let id: i64 =
        page.text.split("/ui/certificate/").nth(1).and_then(|t| t.split('"').next()?.parse().ok()).expect("an id");
    stored
        .app
        .testkit
        .act(Command::Bundles(BundleAction {
            source: stored.account,
            bundles: vec![BundleId(id)],
            portion: Portion::Whole,
            deed: Deed::Withdraw { reason: "a test".to_owned(), export_failed: false },
        }))
        .expect("withdrawn");
    assert_eq!(Stored::done(&mut issuer, sdr, &format!("{sdr}/withdraw"), &[]), sdr);
    told(&issuer.get(sdr).expect(200), &["withdrawn</span></h1>"]);
    let reason = [("reason", "the <i>meter</i> was wrong")];
    assert_eq!(Stored::done(&mut issuer, scr, &format!("{scr}/withdraw"), &reason), scr);
    told(&issuer.get(scr).expect(200), &["withdrawn</span></h1>"]);
    let page = issuer.get(&stored.page()).expect(200);
    assert_eq!(page.text.matches(">withdrawn<").count(), 2, "{}", page.text);
    told(&page, &["Record the charge"]);
}

#[test]
fn who_may_not_record_sees_what_there_is_and_changes_nothing() {
    let stored = Stored::new();
    let mut issuer = stored.issuer();
    stored.recorded(&mut issuer);
    let (page, form) = (stored.page(), format!("{}/charge", stored.page()));
    for (roles, accounts) in
        [(vec![Role::ProductionUser, Role::TradingUser], vec![stored.account]), (vec![Role::Auditor], vec![])]
    {
        let mut reader = Browser::of(&stored.app, &roles, &accounts);
        let shown = reader.get(&page).expect(200);
        told(&shown, &["Where every watt-hour is", "/ui/storage/scr/1", "/ui/storage/sdr/1"]);
        assert!(!shown.text.contains("Readings to record") && !shown.text.contains(&form), "{}", shown.text);
        reader.get(&form).expect(403);
        let own = proof(&shown).to_owned();
        let sent = [("proof", own.as_str()), ("step", "do"), ("once", "once")];
        reader.send(&form, &[CHARGE.as_slice(), &sent].concat()).expect(403);
        for path in ["/ui/storage/sdr/1/issue", "/ui/storage/sdr/1/withdraw", "/ui/storage/scr/2/withdraw"] {
            let record = path.rsplit_once('/').expect("a path").0;
            assert!(!reader.get(record).expect(200).text.contains(path), "{path}");
            reader.send(path, &sent).expect(403);
        }
    }
    // A form without its visitor's own proof does nothing.
    issuer.send(&form, &[CHARGE.as_slice(), &[("step", "do")]].concat()).expect(403);
    for (roles, accounts) in [(vec![Role::TradingUser], vec![stored.buyer]), (vec![Role::ProductionRegistrar], vec![])]
    {
        let mut stranger = Browser::of(&stored.app, &roles, &accounts);
        for path in [page.as_str(), &form, "/ui/storage/sdr/1", "/ui/storage/scr/1"] {
            stranger.get(path).expect(404);
        }
    }
}

#[test]
fn storage_is_offered_where_there_is_some() {
    let stored = Stored::new();
    let mut owner = Browser::of(&stored.app, &[Role::TradingUser], &[stored.account, stored.buyer]);
    let list = format!("/ui/account/{}/storage", stored.account);
    let link = format!("href=\"{list}\"");
    assert!(owner.get(&format!("/ui/account/{}", stored.account)).expect(200).text.contains(&link));
    assert!(!owner.get(&format!("/ui/account/{}", stored.buyer)).expect(200).text.contains("/storage\""));
    // Of one there is nothing to choose; of two there is, and of none that is said.
    assert_eq!(owner.get(&list).expect(303).header("location"), Some(stored.page().as_str()));
    told(&owner.get(&format!("/ui/device/{}", stored.battery)).expect(200), &[&format!("href=\"{}\"", stored.page())]);
    let other = Stored::device(&stored.app, stored.account, "Another");
    let both = owner.get(&list).expect(200);
    told(
        &both,
        &[
            &format!("/ui/device/{}/storage", stored.battery),
            &format!("/ui/device/{other}/storage"),
            "Battery &#60;b&#62;one",
        ],
    );
    told(&owner.get(&format!("/ui/account/{}/storage", stored.buyer)).expect(200), &["has no storage"]);
    owner.get(&format!("/ui/device/{}/storage", stored.farm)).expect(404);
    for nothing in ["/ui/device/99/storage", "/ui/storage/scr/9", "/ui/storage/sdr/9"] {
        owner.get(nothing).expect(404);
    }
}
