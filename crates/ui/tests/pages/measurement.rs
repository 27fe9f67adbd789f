//! Readings of a device in a list, one of them with its history, and the hours of a day device by device.

use crate::{Browser, app, proof};
use domain::action::{BundleAction, Deed, IssueChunk, Portion, SubmitReadings};
use domain::{
    AccountId, BundleId, Command, DeviceId, GrossNet, Interval, MeasurementId, Quality, Reading, ReadingSource, Role,
    WattHours,
};
use testkit::http::{Answer, TestApp};
use testkit::{Engine, TestRegistry, at, hours_from};
use web::Limits;

/// A device with three hours: 1,000 Wh issued and 600 of them sold, 0 Wh, and one that its device cannot make.
fn prepare(app: &TestApp) -> (AccountId, DeviceId) {
    let registry = &app.testkit;
    let (own, buyer) = (registry.account("Own"), registry.account("Buyer"));
    registry.whitelist(buyer, own);
    let device = registry.device("Farm <i>one</i>", own);
    let metadata_id = registry.metadata();
    for (hour, energy) in [("00", 1_000), ("01", 0), ("02", 9_000_000)] {
        registry.readings(device, hours_from(at(&format!("2026-02-01T{hour}:00:00Z")), 1), energy);
    }
    let (from, to) = (at("2026-02-01T00:00:00Z"), at("2026-02-02T00:00:00Z"));
    registry.act(Command::Issue(IssueChunk { metadata_id, devices: vec![device], from, to })).expect("an issue");
    registry
        .act(Command::Bundles(BundleAction {
            source: own,
            bundles: vec![BundleId(1)],
            portion: Portion::Quantity(WattHours(600)),
            deed: Deed::Transfer { target: buyer },
        }))
        .expect("a transfer");
    (own, device)
}

fn led(answer: &Answer) -> String {
    answer.header("location").expect("it leads somewhere").to_owned()
}

fn path(id: MeasurementId) -> String {
    format!("/ui/measurement/{}", id.0)
}

#[test]
fn each_reading_of_a_device_says_what_became_of_it() {
    let app = app();
    let (own, device) = prepare(&app);
    let list = format!("/ui/device/{}/measurements", device.0);
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[own]);
    let page = producer.get(&list).expect(200).text;
    assert!(page.contains("Farm &#60;i&#62;one") && !page.contains("<i>one"), "{page}");
    for shown in ["the reading is 0 Wh", "are more than the device can make", ">issued<", "9,000,000"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert_eq!(page.matches("href=\"/ui/measurement/").count(), 3);
    let refused = producer.get(&format!("{list}?status=refused")).expect(200).text;
    assert_eq!(refused.matches("href=\"/ui/measurement/").count(), 2);
    let none = producer.get(&format!("{list}?status=held&from=2026-02-01")).expect(200).text;
    assert!(none.contains("No reading is like this"), "{none}");
    let faulty = producer.get(&format!("{list}?status=lost&from=soon&to=never")).expect(200).text;
    assert!(faulty.contains("Not what becomes of a reading, and so not used. Not a date"), "{faulty}");
    assert_eq!(faulty.matches("aria-invalid=\"true\"").count(), 3);
    assert!(producer.get(&format!("/ui/device/{}", device.0)).expect(200).text.contains(&list));
    let mut stranger = Browser::of(&app, &[Role::TradingUser], &[]);
    for hidden in [list, path(MeasurementId(1)), path(MeasurementId(99))] {
        assert!(!stranger.get(&hidden).expect(404).text.contains("Farm"), "{hidden}");
    }
}

#[test]
fn a_long_list_goes_on_page_after_page() {
    let app = app();
    let device = app.testkit.device("turbine", app.testkit.account("Own"));
    app.testkit.readings(device, hours_from(at("2026-01-01T00:00:00Z"), 101), 5);
    let mut auditor = Browser::of(&app, &[Role::Auditor], &[]);
    let list = format!("/ui/device/{}/measurements", device.0);
    let first = auditor.get(&list).expect(200).text;
    assert_eq!(first.matches("href=\"/ui/measurement/").count(), 100);
    assert!(first.len() < 150_000, "{}", first.len());
    let (_, rest) = first.split_once(&format!("href=\"{list}?after=")).expect("a next page");
    let after = rest.split('"').next().unwrap();
    let second = auditor.get(&format!("{list}?after={after}")).expect(200).text;
    assert_eq!(second.matches("href=\"/ui/measurement/").count(), 1);
    assert!(second.contains(">101</a>") && second.contains("First page"), "{second}");
}

#[test]
fn a_reading_is_corrected_and_says_what_that_came_to() {
    let app = app();
    let (own, _) = prepare(&app);
    let mut issuer = Browser::of(&app, &[Role::GcIssuer], &[]);
    let first = path(MeasurementId(1));
    let page = issuer.get(&first).expect(200).text;
    assert!(page.contains("All that it says is certified") && page.contains("/ui/certificate/2"), "{page}");
    assert!(!page.contains("/delete\"") && !page.contains("/release\""), "{page}");
    let correct = format!("{first}/correct");
    let refused = issuer.fill(&first, &correct, &[("interval_usage", "many"), ("quality", "measured")]).expect(422);
    let (_, beside) = refused.text.split_once("id=\"interval_usage-fault\">").expect("a place for the fault");
    assert!(!beside.starts_with('<') && refused.text.contains("value=\"many\""), "{}", refused.text);
    let twice =
        [("interval_usage", "500"), ("quality", "measured"), ("reason", "read again"), ("once", "once-1234567890")];
    let proof = proof(&refused).to_owned();
    let twice = [&twice[..], &[("proof", &proof)]].concat();
    let led = [(); 2].map(|()| led(&issuer.send(&correct, &twice).expect(303)));
    assert_eq!(led, ["/ui/measurement/4"; 2], "a form sent twice is one correction");
    let new = &led[0];
    let page = issuer.get(new).expect(200).text;
    for shown in
        ["100 Wh more are certified than it says", "<dt>Shortfall</dt><dd>100 Wh</dd>", ">superseded</span> by 4"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    // The buyer's part is not the producer's to see, but that it is there.
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[own]);
    let page = producer.get(new).expect(200).text;
    assert!(page.contains("held elsewhere") && !page.contains("Buyer") && !page.contains("/correct\""), "{page}");
    let old = producer.get(&first).expect(200).text;
    assert!(old.contains("Reading 4 took its place") && old.contains("No bundle stands on this version"), "{old}");
}

#[test]
fn a_reading_is_deleted_and_what_is_held_on_one_is_released() {
    let app = app();
    let (own, _) = prepare(&app);
    let mut administrator = Browser::of(&app, &[Role::RegistryAdministrator], &[]);
    let empty = path(MeasurementId(2));
    let gone = led(&administrator.fill(&empty, &format!("{empty}/delete"), &[]).expect(303));
    assert!(administrator.get(&gone).expect(200).text.contains("its interval is free again"));
    let withdraw = BundleAction {
        source: own,
        bundles: vec![BundleId(3)],
        portion: Portion::Whole,
        deed: Deed::Withdraw { reason: "counted twice".to_owned(), export_failed: false },
    };
    app.testkit.act(Command::Bundles(withdraw)).expect("a withdrawal");
    let held = path(MeasurementId(1));
    let release = format!("{held}/release");
    assert!(administrator.get(&held).expect(200).text.contains("400 Wh were withdrawn by the issuer"));
    let refused = administrator.fill(&held, &release, &[("reason", "")]).expect(422).text;
    assert!(refused.contains("id=\"release-reason-fault\">Fill this in"), "{refused}");
    administrator.fill(&held, &release, &[("reason", "the meter was right")]).expect(303);
    let page = administrator.get(&held).expect(200).text;
    assert!(page.contains("400 Wh may be issued for it") && !page.contains(&release), "{page}");
    // What a role may not do is not shown, and not possible by direct request.
    let mut trader = Browser::of(&app, &[Role::TradingUser], &[own]);
    let page = trader.get(&held).expect(200);
    assert!(!page.text.contains("/correct\""), "{}", page.text);
    let proof = proof(&page).to_owned();
    for (verb, fields) in
        [("correct", vec![("interval_usage", "5")]), ("release", vec![("reason", "x")]), ("delete", vec![])]
    {
        let mut fields = fields;
        fields.push(("proof", &proof));
        trader.send(&format!("{held}/{verb}"), &fields).expect(403);
    }
}

#[test]
fn the_hours_of_a_day_stand_device_by_device() {
    let app = app();
    let (own, device) = prepare(&app);
    let other = app.testkit.device("other", app.testkit.account("Other"));
    let mut issuer = Browser::of(&app, &[Role::GcIssuer], &[]);
    let page = issuer.get("/ui/coverage?day=2026-02-01").expect(200).text;
    assert!(page.contains("Farm &#60;i&#62;one") && page.contains("Sunday 1 February 2026"), "{page}");
    let row = |page: &str, device: DeviceId| {
        let (_, rest) = page.split_once(&format!("/ui/device/{}/measurements?", device.0)).expect("a row");
        rest.split_once("</tr>").unwrap().0.to_owned()
    };
    let hours = row(&page, device);
    for (class, count) in [("issued", 1), ("nothing", 1), ("refused", 1), ("missing", 21)] {
        assert_eq!(hours.matches(&format!("class=\"{class}\"")).count(), count, "{class}: {hours}");
    }
    // Nothing is missing of a device that was not known then.
    assert_eq!(row(&page, other).matches("class=\"outside\"").count(), 24);
    let faulty = issuer.get("/ui/coverage?day=soon").expect(200).text;
    assert!(faulty.contains("soon is no day"), "{faulty}");
    let mut producer = Browser::of(&app, &[Role::ProductionUser], &[own]);
    producer.get("/ui/coverage").expect(403);
    let page = producer.get(&format!("/ui/account/{}/coverage?day=2026-02-01", own.0)).expect(200).text;
    assert!(page.contains("Farm") && !page.contains(">other<"), "{page}");
    producer.get("/ui/account/99/coverage").expect(404);
}

#[test]
fn a_sum_leads_to_its_parts_and_a_part_is_corrected_there() {
    let app = TestApp::with(TestRegistry::summing(Engine::Sqlite), Limits::default());
    let registry = &app.testkit;
    let own = registry.account("Own");
    let (device_id, metadata_id) = (registry.device("Farm", own), registry.metadata());
    let half = |from: &str, to: &str, energy_wh: i64| Reading {
        device_id,
        interval: Interval::new(at(from), at(to)).expect("it is not empty"),
        energy_wh,
        gross_net: GrossNet::Net,
        quality: Quality::Measured,
    };
    let readings = vec![
        half("2026-02-01T00:00:00Z", "2026-02-01T00:30:00Z", 300),
        half("2026-02-01T00:30:00Z", "2026-02-01T01:00:00Z", 400),
        half("2026-02-01T01:00:00Z", "2026-02-01T01:30:00Z", 500),
    ];
    let submission = SubmitReadings { readings, source: ReadingSource::Submitted };
    registry.act(Command::SubmitReadings(submission)).expect("the operator may");
    let (from, to) = (at("2026-02-01T00:00:00Z"), at("2026-02-02T00:00:00Z"));
    registry.act(Command::Issue(IssueChunk { metadata_id, devices: vec![device_id], from, to })).expect("an issue");

    let mut issuer = Browser::of(&app, &[Role::GcIssuer], &[]);
    let pending = issuer.get("/ui/measurement/3").expect(200).text;
    assert!(pending.contains("Nothing is issued for it yet: certificates are issued by the hour"), "{pending}");
    let sum = issuer.get("/ui/measurement/4").expect(200).text;
    assert!(sum.contains("Added up from") && sum.contains("href=\"/ui/measurement/2\""), "{sum}");
    assert!(sum.contains("sum of its hour") && !sum.contains("/ui/measurement/4/correct"), "{sum}");
    let part = issuer.get("/ui/measurement/2").expect(200).text;
    assert!(part.contains("It counts in reading 4") && part.contains("href=\"/ui/measurement/4\""), "{part}");
    let fields = [("interval_usage", "250"), ("quality", "measured")];
    let corrected = issuer.fill("/ui/measurement/2", "/ui/measurement/2/correct", &fields).expect(303);
    assert_eq!(led(&corrected), "/ui/measurement/5");
    let corrected = issuer.get("/ui/measurement/5").expect(200).text;
    assert!(corrected.contains("It counts in reading 6"), "{corrected}");
    let anew = issuer.get("/ui/measurement/6").expect(200).text;
    assert!(anew.contains("550 Wh") && anew.contains("All that it says is certified."), "{anew}");
}

#[test]
fn a_measurement_body_sees_every_device_and_what_became_of_its_readings_and_nothing_else_of_an_account() {
    let app = app();
    let (own, device) = prepare(&app);
    let mut body = Browser::of(&app, &[Role::MeasurementBody], &[]);
    assert_eq!(led(&body.get("/ui").expect(303)), "/ui/devices");
    let page = format!("/ui/device/{}", device.0);
    let (account, day) = (format!("/ui/account/{}", own.0), "day=2026-02-01");
    for (path, shown) in [
        ("/ui/devices".to_owned(), page.as_str()),
        (format!("{account}/devices"), &page),
        (page.clone(), "multipart/form-data"),
        (format!("{page}/coverage?month=2026-02"), "1,000 Wh"),
        (format!("{page}/measurements"), "the reading is 0 Wh"),
        (format!("/ui/coverage?{day}"), "class=\"issued\""),
        (format!("{account}/coverage?{day}"), "class=\"issued\""),
        (path(MeasurementId(1)), "held elsewhere"),
        ("/ui/search?q=farm".to_owned(), ""),
    ] {
        let found = body.get(&path);
        let found = if shown.is_empty() { found.expect(303).text } else { found.expect(200).text };
        assert!(found.contains(shown), "{shown} in {path}: {found}");
        // No names of accounts, and no way to what is not theirs.
        assert!(!found.contains("Buyer") && !found.contains(">Own<"), "{path}: {found}");
        for closed in ["/certificate", "/whitelist", "/activity", "/orders"] {
            assert!(!found.contains(&format!("href=\"{account}{closed}")), "{closed} in {path}: {found}");
        }
        assert!(!found.contains("href=\"/ui/certificate/"), "{path}: {found}");
    }
    for closed in ["", "/certificates", "/holdings", "/whitelist", "/activity", "/orders", "/storage"] {
        body.get(&format!("{account}{closed}")).expect(404);
    }
    for closed in ["/ui/certificate/2", "/ui/action/1", &format!("{page}/edit"), "/ui/issue"] {
        let status = body.get(closed).status;
        assert!(status == 404 || status == 403, "{closed}: {status}");
    }
    // A registrar approves devices, and is not told what their meters say.
    let mut registrar = Browser::of(&app, &[Role::ProductionRegistrar], &[]);
    let shown = registrar.get(&page).expect(200).text;
    assert!(!shown.contains("/measurements") && !shown.contains("/coverage"), "{shown}");
    registrar.get(&format!("{page}/coverage")).expect(404);
    registrar.get("/ui/coverage").expect(403);
    let hours = registrar.get(&format!("{account}/coverage?{day}")).expect(200).text;
    assert!(!hours.contains("Farm"), "{hours}");
}
