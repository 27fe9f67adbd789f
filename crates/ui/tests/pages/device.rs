//! Devices: listed, registered, shown, changed, approved, deleted.

use crate::{Browser, app, proof};
use domain::{AccountId, Role};
use testkit::http::TestApp;
use testkit::{at, hours_from, until};

const FORM: [(&str, &str); 10] = [
    ("device_name", "<b>Farm</b>"),
    ("device_type", "production"),
    ("energy_source", "solar_pv"),
    ("technology_type", "thin film"),
    ("capacity", "2500000"),
    ("peak_demand", "0"),
    ("operational_date", "2021-05-01"),
    ("grid", "GB distribution"),
    ("location", "Kent"),
    ("meter_data_id", "meter-7"),
];

fn new_path(account: AccountId) -> String {
    format!("/ui/account/{}/device/new", account.0)
}

/// Where an answer leads.
fn led(answer: &testkit::http::Answer) -> String {
    answer.header("location").expect("it leads somewhere").to_owned()
}

#[test]
fn a_producer_registers_a_device_that_a_registrar_approves_and_deletes() {
    let app = app();
    let account = app.testkit.account("Own");
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let list = format!("/ui/account/{}/devices", account.0);
    assert!(producer.get(&list).expect(200).text.contains("There are no devices yet"));
    let device = led(&producer.fill(&new_path(account), &new_path(account), &FORM).expect(303));
    let page = producer.get(&device).expect(200);
    for shown in ["&#60;b&#62;Farm", "waiting for approval", "thin film", "2.5 MW", "Solar PV", "2021-05-01", "meter-7"]
    {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("<b>Farm") && !page.text.contains("/approve\"") && !page.text.contains("/delete\""));
    // Without the role not by direct request either.
    let proof = proof(&page).to_owned();
    for verb in ["approve", "delete"] {
        producer.send(&format!("{device}/{verb}"), &[("proof", &proof)]).expect(403);
    }
    let mut registrar = Browser::of(&app, &[Role::ProductionRegistrar], &[]);
    let waiting = registrar.get("/ui/devices?shown=waiting").expect(200);
    assert!(waiting.text.contains("&#60;b&#62;Farm") && !waiting.text.contains("<b>Farm"));
    assert!(registrar.get("/ui/devices?shown=approved").expect(200).text.contains("No device is like this"));
    registrar.fill(&device, &format!("{device}/approve"), &[]).expect(303);
    let page = registrar.get(&device).expect(200);
    assert!(page.text.contains("role=\"status\" data-told>The device is approved.</p>"), "{}", page.text);
    assert!(page.text.contains("<span class=\"tag good\">approved") && !page.text.contains("/approve\""));
    registrar.fill(&device, &format!("{device}/delete"), &[]).expect(303);
    let page = producer.get(&device).expect(200);
    assert!(page.text.contains("Its meter stays taken for ever") && !page.text.contains(&format!("{device}/edit")));
    assert!(producer.get(&list).expect(200).text.contains("There are no devices yet"));
}

#[test]
fn a_registrar_registers_a_device_in_an_account_of_others_and_knows_it_by_its_number() {
    let app = app();
    let account = app.testkit.account("Secret name");
    let mut registrar = Browser::of(&app, &[Role::ProductionRegistrar], &[]);
    let form = registrar.get(&new_path(account)).expect(200);
    assert!(form.text.contains(&format!("account {}", account.0)) && !form.text.contains("Secret name"));
    let mut storage = FORM;
    (storage[1].1, storage[2].1) = ("storage", "battery_storage");
    let device = led(&registrar.fill(&new_path(account), &new_path(account), &storage).expect(303));
    let page = registrar.get(&device).expect(200);
    assert!(page.text.contains("data-told>The device is registered."), "{}", page.text);
    assert!(page.text.contains("A storage device") && page.text.contains(">approved<"), "{}", page.text);
    assert!(!page.text.contains("Secret name"));
    // No way is shown to what is not theirs to see.
    for path in [device, format!("/ui/account/{}/devices", account.0)] {
        let page = registrar.get(&path).expect(200);
        assert!(!page.text.contains(&format!("/ui/account/{}/certificates", account.0)), "{path}");
    }
    registrar.get("/ui/account/99/devices").expect(404);
    registrar.get(&new_path(AccountId(99))).expect(404);
}

#[test]
fn what_is_wrong_with_a_device_is_told_beside_the_field_and_what_was_typed_stays() {
    let app = app();
    let account = app.testkit.account("Own");
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let path = new_path(account);
    let mut bad = FORM;
    (bad[0].1, bad[4].1, bad[6].1) = ("", "-1", "soon");
    let page = producer.fill(&path, &path, &bad).expect(422);
    for (field, told) in [
        ("device_name", "Fill this in"),
        ("capacity", "Must be at least 0 W"),
        ("operational_date", "Write a date, or a date and a time in UTC"),
    ] {
        let (_, rest) = page.text.split_once(&format!("id=\"{field}-help\"")).expect(field);
        let beside = rest.split_once("</span>").unwrap().0;
        assert!(beside.contains("class=\"fault\"") && beside.contains(told), "{field}: {beside}");
    }
    assert!(page.text.contains("<li><strong>Capacity</strong>: Must be at least 0 W</li>"), "{}", page.text);
    assert!(!page.text.contains("peak_demand:") && !page.text.contains("Input should"), "{}", page.text);
    assert!(page.text.contains("value=\"soon\"") && page.text.contains("value=\"solar_pv\" selected"), "{}", page.text);
    // By a rule that names the field.
    producer.fill(&path, &path, &FORM).expect(303);
    let page = producer.fill(&path, &path, &FORM).expect(400);
    let (_, rest) = page.text.split_once("id=\"meter_data_id-help\"").unwrap();
    assert!(rest.split_once("</span>").unwrap().0.contains("meter-7"), "{}", page.text);
}

#[test]
fn a_device_that_is_registered_twice_by_one_form_is_one() {
    let app = app();
    let account = app.testkit.account("Own");
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let path = new_path(account);
    let mut form = FORM.to_vec();
    form.push(("once", "a-name-for-one-change"));
    let devices: Vec<String> = (0..2).map(|_| led(&producer.fill(&path, &path, &form).expect(303))).collect();
    assert_eq!(devices[0], devices[1]);
}

#[test]
fn a_change_states_what_differs_and_waits_for_approval_unless_it_is_the_name() {
    let app = app();
    let account = app.testkit.account("Own");
    let device = app.testkit.device("turbine", account);
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[account]);
    let (page, edit) = (format!("/ui/device/{}", device.0), format!("/ui/device/{}/edit", device.0));
    let form = producer.get(&edit).expect(200);
    for value in ["value=\"turbine\"", "value=\"1000000\"", "value=\"wind\" selected", "value=\"2020-01-01T00:00:00Z\""]
    {
        assert!(form.text.contains(value), "{value}: {}", form.text);
    }
    assert_eq!(led(&producer.fill(&edit, &edit, &[("device_name", "North")]).expect(303)), page);
    let shown = producer.get(&page).expect(200).text;
    assert!(shown.contains("<h1>North</h1>") && shown.contains(">approved<"));
    producer.fill(&edit, &edit, &[("capacity", "3000000"), ("meter_data_id", "")]).expect(303);
    let shown = producer.get(&page).expect(200).text;
    assert!(shown.contains("3 MW") && shown.contains("waiting for approval") && shown.contains("<dd>none</dd>"));
    let refused = producer.fill(&edit, &edit, &[("grid", "x"), ("location", "")]).expect(422);
    assert!(refused.text.contains("id=\"location-help\"><span class=\"fault\">"), "{}", refused.text);
}

#[test]
fn who_may_not_change_devices_sees_no_way_to_and_strangers_see_nothing() {
    let app = app();
    let (own, other) = (app.testkit.account("Own"), app.testkit.account("Other"));
    let device = app.testkit.device("turbine", own);
    let (page, list) = (format!("/ui/device/{}", device.0), format!("/ui/account/{}/devices", own.0));
    let readers = [(Role::TradingUser, vec![own], 403), (Role::Auditor, vec![], 200), (Role::GcIssuer, vec![], 200)];
    for (role, accounts, all) in readers {
        let mut browser = Browser::of(&app, &[role], &accounts);
        let shown = browser.get(&page).expect(200);
        assert!(!shown.text.contains(&format!("{page}/edit")) && !shown.text.contains("Delete"), "{role:?}");
        assert!(!browser.get(&list).expect(200).text.contains("Register a device"), "{role:?}");
        browser.get("/ui/devices").expect(all);
        for path in [format!("{page}/edit"), new_path(own)] {
            browser.get(&path).expect(403);
            let proof = proof(&shown).to_owned();
            browser.send(&path, &[("proof", &proof), ("device_name", "Mine")]).expect(403);
        }
    }
    let mut stranger = Browser::of(&app, &[Role::ProductionUser], &[other]);
    for path in [page.clone(), format!("{page}/edit"), list, new_path(own)] {
        assert!(!stranger.get(&path).expect(404).text.contains("turbine"), "{path}");
    }
    let proof = proof(&stranger.get("/ui/profile").expect(200)).to_owned();
    for verb in ["edit", "approve", "delete"] {
        stranger.send(&format!("{page}/{verb}"), &[("proof", &proof)]).expect(404);
    }
    assert!(Browser::of(&app, &[Role::Auditor], &[]).get(&page).expect(200).text.contains("<h1>turbine</h1>"));
}

#[test]
fn a_device_with_readings_to_be_issued_says_why_it_is_not_deleted() {
    let app: TestApp = app();
    let device = app.testkit.device("turbine", app.testkit.account("Own"));
    app.testkit.readings(device, hours_from(at("2026-02-01T00:00:00Z"), 1), 100);
    let mut registrar = Browser::of(&app, &[Role::ProductionRegistrar], &[]);
    let page = format!("/ui/device/{}", device.0);
    let refused = registrar.fill(&page, &format!("{page}/delete"), &[]).expect(400);
    assert!(
        refused.text.contains("role=\"alert\"") && refused.text.contains("that is to be issued"),
        "{}",
        refused.text
    );
}

#[test]
fn a_fleet_is_summed_up_by_technology_and_goes_on_over_pages() {
    let app = app();
    let account = app.testkit.account("Own");
    for number in 0..101 {
        app.testkit.device(&format!("turbine {number:03}"), account);
    }
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let page = auditor.get("/ui/devices").expect(200);
    assert!(page.text.contains("onshore wind turbine</th>\n    <td class=\"number\">101</td>"), "{}", page.text);
    assert!(page.text.contains(">101 MW<") && !page.text.contains("turbine 100"));
    assert!(page.text.len() < 150_000, "{}", page.text.len());
    let (_, rest) = page.text.split_once("<p class=\"pages\"><a href=\"").expect("a next page");
    let next = auditor.get(rest.split('"').next().unwrap()).expect(200);
    assert!(next.text.contains("turbine 100") && !next.text.contains("turbine 099"));
}

/// The hours of all lines of a legend.
fn counted(page: &str) -> usize {
    let legend = page.split_once("<ul class=\"legend\">").expect("a legend").1.split_once("</ul>").expect("its end").0;
    let lines = legend.split("</li>").filter_map(|line| line.rsplit_once(": ")?.1.strip_suffix("s").or(Some("1 hour")));
    lines.map(|hours| hours.trim_end_matches(" hour").replace(',', "").parse::<usize>().expect("a count")).sum()
}

#[test]
fn the_calendar_says_what_became_of_each_hour_and_why() {
    let app = app();
    let kit = &app.testkit;
    let (account, hour) = (kit.account("Own"), jiff::SignedDuration::from_hours(1));
    let device = kit.device("<b>turbine</b>", account);
    let path = format!("/ui/device/{}/coverage", device.0);
    let mut member = Browser::of(&app, &[Role::TradingUser], &[account]);
    assert!(member.get(&path).expect(200).text.contains("There are no readings of this device yet"));
    let start = at("2026-02-01T00:00:00Z");
    kit.readings(device, hours_from(start, 2), 100);
    // More than the device can make in an hour, nothing, and half an hour.
    kit.readings(device, hours_from(start + hour * 2, 1), 9_000_000);
    kit.readings(device, hours_from(start + hour * 3, 1), 0);
    let half = domain::Interval::new(start + hour * 4, start + hour * 4 + hour / 2).unwrap();
    kit.readings(device, std::iter::once(half), 50);
    let request =
        app::IssueRequest { metadata_id: kit.metadata(), from: start, to: start + hour, device_ids: Vec::new() };
    kit.registry.issue_as_operator(request).expect("the operator may issue");
    let page = until("the first hour is issued", || {
        Some(member.get(&path).expect(200).text).filter(|text| text.contains("issued: 1 hour<"))
    });
    let row = page
        .split_once("?from=2026-02-01&amp;to=2026-02-01\">Sun 1</a></th>")
        .expect("a row")
        .1
        .split_once("</tr>")
        .unwrap()
        .0;
    let cells = [
        "<td class=\"issued\" title=\"issued, 100 Wh\">I</td>",
        "<td class=\"pending\" title=\"pending, 100 Wh\">P</td>",
        "<td class=\"refused\" title=\"refused, more than the device can make in the time, 9,000,000 Wh\">R</td>",
        "<td class=\"nothing\" title=\"0 Wh, nothing to issue, 0 Wh\">0</td>",
        "<td class=\"pending\" title=\"pending, missing, 50 Wh, 30 of 60 minutes\">P–</td>",
        "<td class=\"missing\" title=\"missing\">–</td>",
    ];
    assert!(row.starts_with(&cells.concat()), "{row}");
    assert!(page.contains("1 hour: more than the device can make in the time") && page.contains("missing: 655 hours"));
    assert!(!page.contains("<b>turbine") && page.len() < 150_000, "{}", page.len());
    // Where there is nothing yet, and what is no month.
    let later = member.get(&format!("{path}?month=2026-03")).expect(200).text;
    assert!(later.contains("March 2026") && later.contains("not due yet: "), "{later}");
    // Each mark is in the legend, and each hour is counted once.
    for (page, hours) in [(&page, 28 * 24), (&later, 31 * 24)] {
        assert_eq!(counted(page), hours, "{page}");
        let marks = page.split("<td class=\"").skip(1).map(|cell| cell.split('"').next().unwrap());
        for mark in marks {
            assert!(page.contains(&format!("<span class=\"cover {mark}\"")), "{mark}");
        }
    }
    let bad = member.get(&format!("{path}?month=%3Cb%3E")).expect(200).text;
    assert!(bad.contains("&#60;b&#62; is no month") && bad.contains("February 2026"), "{bad}");
    let part = member.part(&path).expect(200).text;
    assert!(part.contains("<table class=\"calendar\">") && !part.contains("<html"), "{part}");
    let mut stranger = Browser::of(&app, &[Role::ProductionUser], &[kit.account("Other")]);
    assert!(!stranger.get(&path).expect(404).text.contains("turbine"));
    assert!(stranger.part(&path).expect(404).text.starts_with("<div class=\"failed\""));
}

#[test]
fn the_readings_of_a_battery_wait_for_records_and_are_not_called_refused() {
    let app = app();
    let account = app.testkit.account("Own");
    let mut registrar = Browser::of(&app, &[Role::RegistryAdministrator], &[]);
    let mut storage = FORM;
    (storage[1].1, storage[2].1) = ("storage", "battery_storage");
    let device = led(&registrar.fill(&new_path(account), &new_path(account), &storage).expect(303));
    let id = device.rsplit('/').next().and_then(|id| id.parse().ok()).expect("the id of a device");
    app.testkit.readings(domain::DeviceId(id), hours_from(at("2026-02-01T00:00:00Z"), 2), -500);
    let page = registrar.get(&format!("{device}/coverage")).expect(200).text;
    assert!(page.contains("pending: 2 hours") && page.contains("−500 Wh"), "{page}");
    assert!(page.contains("refused: 0 hours") && page.contains("kept, nothing is issued for it: 0 hours"), "{page}");
    assert_eq!(counted(&page), 28 * 24);
}
