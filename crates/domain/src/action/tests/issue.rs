//! Issue: every reason why nothing is issued, what is issued, and that the next command of a batch sees it.

use super::*;
use crate::{seal, time};

fn chunk(devices: &[DeviceId]) -> IssueChunk {
    IssueChunk {
        metadata_id: METADATA,
        devices: devices.to_vec(),
        from: at("2020-01-01T00:00:00Z"),
        to: at("9999-12-01T00:00:00Z"),
    }
}

fn issue_at(state: &State, now: Timestamp, rules: &Rules) -> (Changes, IssueOutcome) {
    match decide(state, Actor::User(ISSUER), &Command::Issue(chunk(&[WIND])), now, rules).unwrap() {
        (changes, Outcome::Issue(outcome)) => (changes, outcome),
        other => panic!("not an issue: {other:?}"),
    }
}

fn issue(state: &State) -> (Changes, IssueOutcome) {
    issue_at(state, noon(), &rules())
}

fn bundles_of(changes: &Changes) -> Vec<&Bundle> {
    let created = changes.iter().map(|change| match change {
        Change::BundleCreated(bundle) => Some(bundle),
        _ => None,
    });
    created.flatten().collect()
}

#[test]
fn only_the_issuer_issues_and_only_under_known_metadata() {
    let state = state();
    let unknown = Command::Issue(IssueChunk { metadata_id: MetadataId(9), ..chunk(&[WIND]) });
    for actor in [TRADER, PRODUCER, METER, REGISTRAR, AUDITOR, DELETED_USER] {
        assert_eq!(refusal(&state, actor, &unknown), forbidden("the role Registry Administrator or GC Issuer"));
    }
    assert_eq!(refusal(&state, ISSUER, &unknown), Refusal::MetadataMissing { metadata_id: MetadataId(9) });
    assert_eq!(
        decided(&state, ISSUER, &Command::Issue(chunk(&[WIND]))).unwrap(),
        (vec![], Outcome::Issue(IssueOutcome::default()))
    );
}

/// One reading with every fault; each step names the refusal and then mends its cause.
#[test]
fn a_reading_is_refused_for_its_first_fault_in_order() {
    type Mend = fn(&mut State, &mut Rules);
    fn wind(state: &mut State) -> &mut Device {
        state.devices.get_mut(&WIND).unwrap()
    }
    /// The same reading, changed.
    fn change(state: &mut State, change: impl FnOnce(&mut IssuePlace)) {
        let (_, mut place) = state.places.pop_first().unwrap();
        change(&mut place);
        state.places.insert((place.measurement.reading.interval.start(), WIND), place);
    }
    let now = at("9999-06-02T00:00:00Z");
    let hour =
        |day| Interval::new(at(&format!("9999-06-{day}T00:00:00Z")), at(&format!("9999-06-{day}T01:00:00Z"))).unwrap();
    let short = Interval::new(at("9999-06-03T00:00:00Z"), at("9999-06-03T00:00:30Z")).unwrap();
    let mut state = state();
    store_reading(&mut state, Reading { quality: Quality::Estimated, ..reading(short, 0) }, 0, 1_000);
    *wind(&mut state) = Device { is_approved: false, is_deleted: true, ..device(WIND) };
    let described = &mut wind(&mut state).description;
    described.kind = DeviceKind::Consumption;
    described.operational_date = at("9999-07-01T00:00:00Z");
    described.capacity_watts = 909;
    let mut rules = rules();

    let steps: [(ReadingRefusal, Mend); 11] = [
        (ReadingRefusal::DeviceMissing { device_id: WIND }, |s, _| wind(s).is_deleted = false),
        (ReadingRefusal::NotProduction, |s, _| wind(s).description.kind = DeviceKind::Production),
        (ReadingRefusal::NotApproved, |s, _| wind(s).is_approved = true),
        (ReadingRefusal::IntervalLength { seconds: 30, min: 60, max: 3_600 }, |s, _| {
            let later = Interval::new(at("9999-06-03T00:00:00Z"), at("9999-06-03T01:00:00Z")).unwrap();
            change(s, |place| place.measurement.reading.interval = later);
        }),
        (ReadingRefusal::InFuture { end: hour("03").end() }, |s, _| {
            let past = Interval::new(at("9999-06-01T00:00:00Z"), at("9999-06-01T01:00:00Z")).unwrap();
            change(s, |place| place.measurement.reading.interval = past);
        }),
        (ReadingRefusal::BeforeOperation { operational_date: at("9999-07-01T00:00:00Z") }, |s, _| {
            wind(s).description.operational_date = at("9999-06-01T00:00:00Z");
        }),
        (ReadingRefusal::Estimated, |s, _| change(s, |place| place.measurement.reading.quality = Quality::Calculated)),
        (ReadingRefusal::ZeroEnergy, |s, _| change(s, |place| place.measurement.reading.energy_wh = 1_000)),
        (ReadingRefusal::Held { held_wh: WattHours(1_000) }, |s, _| change(s, |place| place.held = WattHours::ZERO)),
        (ReadingRefusal::AboveCapacity { asked_wh: WattHours(1_000), limit_wh: WattHours(999) }, |s, _| {
            wind(s).description.capacity_watts = 910;
        }),
        (ReadingRefusal::NoExpiry, |_, rules| rules.expiry_years = 0),
    ];
    for (expected, mend) in steps {
        let interval = state.places.first_key_value().unwrap().1.measurement.reading.interval;
        let (changes, outcome) = issue_at(&state, now, &rules);
        let refused = vec![IssueRefused { device_id: WIND, interval, refusal: expected }];
        assert_eq!(outcome, IssueOutcome { readings: 1, refused, ..IssueOutcome::default() });
        assert_eq!(changes, []);
        mend(&mut state, &mut rules);
    }
    assert_eq!(issue_at(&state, now, &rules).1.quantity, WattHours(1_000));
}

#[test]
fn a_bundle_carries_what_its_reading_and_device_say() {
    let mut state = state();
    let interval = hour_before_noon(5);
    store_reading(&mut state, reading(interval, 1_000), 0, 0);
    let (changes, outcome) = issue(&state);
    let first_bundle = Some(BundleId(1));
    let quantity = WattHours(1_000);
    assert_eq!(outcome, IssueOutcome { readings: 1, first_bundle, issued: 1, quantity, refused: vec![] });
    let [Change::AttributesCreated(attributes), Change::BundleCreated(bundle)] = &changes[..] else {
        panic!("a snapshot and a bundle: {changes:?}");
    };
    assert_eq!((attributes.id, attributes.device_id, attributes.device_version), (AttributesId(1), WIND, 1));
    assert_eq!((attributes.metadata_id, &attributes.device), (METADATA, &device(WIND).description));
    assert_eq!(attributes.hash, seal::attributes_hash(attributes));
    let expected = Bundle {
        id: BundleId(1),
        account_id: SELLER,
        device_id: WIND,
        attributes_id: AttributesId(1),
        range: CertificateRange::new(1, 1_000).unwrap(),
        production: interval,
        issued_at: noon(),
        expires_at: time::expiry(interval.end(), 2).unwrap(),
        parent_id: None,
        status: BundleStatus::Active,
        cancellation: None,
        draw_id: None,
        hash: seal::bundle_hash(bundle, &attributes.hash),
    };
    assert_eq!(bundle, &expected);
}

#[test]
fn what_was_issued_is_passed_over_and_a_higher_reading_is_topped_up() {
    for (energy, live, held, expected) in [
        (1_000, 1_000, 0, Ok(None)),
        (1_000, 1_200, 0, Ok(None)), // a shortfall
        (1_000, 600, 0, Ok(Some(400))),
        (1_000, 600, 150, Ok(Some(250))),
        (1_000, 600, 400, Err(ReadingRefusal::Held { held_wh: WattHours(400) })),
        (1_000, 600, 500, Err(ReadingRefusal::Held { held_wh: WattHours(500) })),
        (1_000, 1_000, 500, Ok(None)),
        (1_000, 0, 999, Ok(Some(1))),
    ] {
        let mut state = state();
        store_reading(&mut state, reading(hour_before_noon(2), energy), live, held);
        let (changes, outcome) = issue(&state);
        let issued = bundles_of(&changes).first().map(|b| b.range.quantity().0);
        let found = outcome.refused.first().map_or(Ok(issued), |r| Err(r.refusal));
        assert_eq!(found, expected, "reading {energy}, live {live}, held {held}");
    }
}

#[test]
fn capacity_with_margin_is_allowed_to_the_last_watt_hour() {
    let limit_wh = WattHours(1_100_000);
    for (energy, live, is_allowed) in
        [(1_100_000, 0, true), (1_100_001, 0, false), (1_100_000, 1_099_999, true), (1_100_001, 1_100_000, false)]
    {
        let mut state = state();
        store_reading(&mut state, reading(hour_before_noon(2), energy), live, 0);
        let (_, outcome) = issue(&state);
        let asked_wh = WattHours(u64::try_from(energy).unwrap());
        let above = (!is_allowed).then_some(ReadingRefusal::AboveCapacity { asked_wh, limit_wh });
        assert_eq!(outcome.refused.first().map(|r| r.refusal), above, "{energy} with {live} live");
    }
    // what is live already counts, what is held does not
    let mut state = state();
    store_reading(&mut state, reading(hour_before_noon(2), 1_500_000), 0, 400_000);
    assert_eq!(issue(&state).1.quantity, limit_wh);
}

#[test]
fn late_issue_is_born_expired_from_the_very_instant() {
    for (now, status) in [
        (at("2028-03-01T10:59:59.999999Z"), BundleStatus::Active),
        (at("2028-03-01T11:00:00Z"), BundleStatus::Expired),
        (at("2030-01-01T00:00:00Z"), BundleStatus::Expired),
    ] {
        let mut state = state();
        store_reading(&mut state, reading(hour_before_noon(2), 10), 0, 0);
        let (changes, _) = issue_at(&state, now, &rules());
        assert_eq!(bundles_of(&changes)[0].status, status, "{now}");
        assert_eq!(bundles_of(&changes)[0].expires_at, at("2028-03-01T11:00:00Z"));
    }
}

#[test]
fn certificate_ids_run_on_per_device_over_intervals_and_commands() {
    let solar = DeviceId(2);
    let mut state = state();
    state.devices.insert(solar, Device { next_certificate: 501, ..device(solar) });
    for (hours, energy) in [(3, 10), (2, 20), (1, 30)] {
        store_reading(&mut state, reading(hour_before_noon(hours), energy), 0, 0);
        store_reading(&mut state, Reading { device_id: solar, ..reading(hour_before_noon(hours), 5) }, 0, 0);
    }
    store_reading(&mut state, reading(hour_before_noon(4), 0), 0, 0); // refused, leaves no gap
    let command = Command::Issue(chunk(&[WIND, solar]));
    let (changes, outcome) = decided(&state, ISSUER, &command).unwrap();
    let issued: Vec<_> =
        bundles_of(&changes).iter().map(|b| (b.id.0, b.device_id, b.range.first(), b.range.last())).collect();
    assert_eq!(
        issued,
        [
            (1, WIND, 1, 10),
            (2, solar, 501, 505),
            (3, WIND, 11, 30),
            (4, solar, 506, 510),
            (5, WIND, 31, 60),
            (6, solar, 511, 515),
        ]
    );
    let Outcome::Issue(outcome) = outcome else { panic!("not an issue") };
    assert_eq!((outcome.readings, outcome.issued, outcome.quantity), (7, 6, WattHours(75)));
    let snapshots = changes.iter().filter(|c| matches!(c, Change::AttributesCreated(_))).count();
    assert_eq!(snapshots, 2, "one snapshot for each device");

    state.apply(ActionId(1), &changes);
    assert_eq!(state.devices[&WIND].next_certificate, 61);
    assert_eq!(state.next.attributes, AttributesId(3));
    let (changes, _) = decided(&state, ISSUER, &command).unwrap();
    assert_eq!(changes, [], "issuing again issues nothing");

    store_reading(&mut state, reading(hour_before_noon(5), 7), 0, 0);
    let (changes, _) = decided(&state, ISSUER, &command).unwrap();
    let [Change::BundleCreated(bundle)] = &changes[..] else { panic!("no second snapshot: {changes:?}") };
    assert_eq!((bundle.range.first(), bundle.attributes_id), (61, AttributesId(1)));
}

#[test]
fn a_new_version_of_a_device_or_other_metadata_takes_a_new_snapshot() {
    let mut state = state();
    store_reading(&mut state, reading(hour_before_noon(3), 7), 0, 0);
    let (changes, _) = issue(&state);
    state.apply(ActionId(1), &changes);
    state.devices.get_mut(&WIND).unwrap().version = 2;
    store_reading(&mut state, reading(hour_before_noon(2), 7), 0, 0);
    let (changes, _) = issue(&state);
    let [Change::AttributesCreated(attributes), Change::BundleCreated(bundle)] = &changes[..] else {
        panic!("a snapshot and a bundle: {changes:?}");
    };
    assert_eq!((attributes.id, attributes.device_version), (AttributesId(2), 2));
    assert_eq!((bundle.attributes_id, bundle.range.first()), (AttributesId(2), 8));
}

#[test]
fn a_chunk_takes_its_devices_and_its_window_only() {
    let other = DeviceId(2);
    let mut state = state();
    state.devices.insert(other, device(other));
    for hours in 1..=4 {
        store_reading(&mut state, reading(hour_before_noon(hours), 1), 0, 0);
        store_reading(&mut state, Reading { device_id: other, ..reading(hour_before_noon(hours), 1) }, 0, 0);
    }
    let (from, to) = (hour_before_noon(3).start(), hour_before_noon(1).start());
    let window = |from, to| Command::Issue(IssueChunk { from, to, ..chunk(&[WIND]) });
    let (changes, _) = decided(&state, ISSUER, &window(from, to)).unwrap();
    let starts: Vec<_> = bundles_of(&changes).iter().map(|b| (b.device_id, b.production.start())).collect();
    assert_eq!(starts, [(WIND, from), (WIND, hour_before_noon(2).start())]);
    for (from, to) in [(from, from), (to, from)] {
        assert_eq!(decided(&state, ISSUER, &window(from, to)).unwrap().0, [], "an empty or reversed window");
    }
}

#[test]
fn an_issue_sees_the_readings_of_the_same_batch_and_they_see_the_issue() {
    let submit = |energy| {
        let readings = vec![reading(hour_before_noon(2), energy)];
        Command::SubmitReadings(SubmitReadings { readings, source: ReadingSource::Submitted })
    };
    let mut state = state();
    store_reading(&mut state, reading(hour_before_noon(2), 100), 0, 0);
    let (changes, _) = decided(&state, METER, &submit(40)).unwrap();
    state.apply(ActionId(1), &changes);
    let (changes, outcome) = issue(&state);
    assert_eq!(outcome.quantity, WattHours(40), "the corrected reading, not the one that was loaded");
    state.apply(ActionId(2), &changes);
    let (changes, outcome) = decided(&state, METER, &submit(30)).unwrap();
    let Outcome::Readings(outcome) = outcome else { panic!("not readings") };
    assert_eq!((changes, outcome.refused[0].refusal), (vec![], ReadingRefusal::AlreadyIssued { issued_wh: 40 }));
}

#[test]
fn a_withdrawal_in_the_same_batch_is_held_also_of_a_part() {
    for (portion, held) in [(Portion::Whole, 100), (quantity(30), 30)] {
        let mut state = state();
        store_reading(&mut state, reading(hour_before_noon(2), 100), 0, 0);
        let (changes, _) = issue(&state);
        state.apply(ActionId(1), &changes);
        let deed = Deed::Withdraw { reason: "meter fault".to_owned(), export_failed: false };
        let (changes, _) = decided(&state, ISSUER, &on_bundles(SELLER, &[1], portion, deed)).unwrap();
        state.apply(ActionId(2), &changes);
        let place = state.places[&(hour_before_noon(2).start(), WIND)];
        assert_eq!((place.live, place.held), (WattHours(100 - held), WattHours(held)));
        let (_, outcome) = issue(&state);
        assert_eq!(outcome.refused[0].refusal, ReadingRefusal::Held { held_wh: WattHours(held) });
    }
}
