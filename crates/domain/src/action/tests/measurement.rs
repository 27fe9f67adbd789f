//! Corrections, deletions and releases: every refusal, who may, what is withdrawn, and how a reading stands.

use super::*;
use crate::ReadingStatus;
use crate::energy::READING_WH_MAX;

fn correction(id: MeasurementId, energy_wh: i64) -> MeasurementUpdate {
    MeasurementUpdate {
        measurement: id,
        energy_wh: Some(energy_wh),
        quality: None,
        place: StatedPlace::default(),
        source: None,
    }
}

fn correct(state: &mut State, actor: UserId, id: MeasurementId, energy_wh: i64) -> (Changes, MeasurementId) {
    carried_out(state, actor, &Command::UpdateMeasurement(correction(id, energy_wh)))
}

fn carried_out(state: &mut State, actor: UserId, command: &Command) -> (Changes, MeasurementId) {
    let (changes, outcome) = decided(state, actor, command).unwrap();
    state.apply(ActionId(9), &changes);
    match outcome {
        Outcome::Measurement(id) => (changes, id),
        other => panic!("not a measurement: {other:?}"),
    }
}

fn release(id: MeasurementId) -> Command {
    Command::ReleaseHold { measurement: id, reason: "the meter was right".to_owned() }
}

fn withdraw() -> Deed {
    Deed::Withdraw { reason: "meter fault".to_owned(), export_failed: false }
}

/// A reading of two hours before noon that commands name, not issued.
fn pending(energy_wh: i64) -> (State, MeasurementId) {
    let mut state = state();
    let reading = reading(hour_before_noon(2), energy_wh);
    let id = store_reading(&mut state, reading, 0, 0);
    state.load_measurement(Measurement { id, reading, superseded_by: None });
    (state, id)
}

/// The same, and all of it issued as bundle 1.
fn issued(energy_wh: i64) -> (State, MeasurementId) {
    let (mut state, id) = pending(energy_wh);
    let (from, to) = (at("2020-01-01T00:00:00Z"), noon());
    let command = Command::Issue(IssueChunk { metadata_id: METADATA, devices: vec![WIND], from, to });
    let (changes, _) = decided(&state, ISSUER, &command).unwrap();
    state.apply(ActionId(1), &changes);
    (state, id)
}

fn act(state: &mut State, actor: UserId, command: &Command) -> Result<(), Refusal> {
    let (changes, _) = decided(state, actor, command)?;
    state.apply(ActionId(2), &changes);
    Ok(())
}

fn place(state: &State) -> IssuePlace {
    state.places[&(hour_before_noon(2).start(), WIND)]
}

fn stands(state: &State) -> Standing {
    standing(state.live_device(WIND), &place(state), &Hours::default(), noon(), &rules())
}

/// (status, issued, held, shortfall, issuable)
fn figures(state: &State) -> (ReadingStatus, u64, u64, u64, u64) {
    let Standing { status, issued, held, shortfall, issuable, .. } = stands(state);
    (status, issued.0, held.0, shortfall.0, issuable.0)
}

/// (id, first, last, status) of all bundles but split ones.
fn parts(state: &State) -> Vec<(i64, u64, u64, BundleStatus)> {
    let bundles = (1..state.next.bundle.0).map(|id| state.bundle(BundleId(id)).unwrap());
    let whole = bundles.filter(|b| b.status != BundleStatus::Split);
    whole.map(|b| (b.id.0, b.range.first(), b.range.last(), b.status)).collect()
}

#[test]
fn a_correction_says_where_it_comes_from_if_that_is_not_the_actor() {
    for (source, kept) in [(None, ReadingSource::Submitted), (Some(ReadingSource::Elexon), ReadingSource::Elexon)] {
        let (mut state, id) = issued(100);
        let update = MeasurementUpdate { source, ..correction(id, 90) };
        let (changes, _) = carried_out(&mut state, METER, &Command::UpdateMeasurement(update));
        let Change::ReadingsAccepted { source, .. } = &changes[0] else { panic!("no reading: {changes:?}") };
        assert_eq!(*source, kept);
    }
}

#[test]
fn who_may_correct_depends_on_whether_certificates_were_issued() {
    let forbidden_to_state = forbidden("the role Registry Administrator or Measurement Body");
    let issued_device =
        forbidden("the role Registry Administrator or Measurement Body, as certificates were issued on the device");
    for (actor, of_pending, of_issued) in [
        (ADMINISTRATOR, Ok(()), Ok(())),
        (METER, Ok(()), Ok(())),
        (ISSUER, Err(forbidden_to_state.clone()), Ok(())),
        (PRODUCER, Ok(()), Err(issued_device)),
        (TRADER, Err(forbidden_to_state.clone()), Err(forbidden_to_state.clone())),
        (REGISTRAR, Err(forbidden_to_state.clone()), Err(forbidden_to_state.clone())),
        (AUDITOR, Err(forbidden_to_state.clone()), Err(forbidden_to_state.clone())),
        (DELETED_USER, Err(forbidden_to_state.clone()), Err(forbidden_to_state.clone())),
    ] {
        let ((mut state, id), expected) = (pending(100), of_pending);
        assert_eq!(act(&mut state, actor, &Command::UpdateMeasurement(correction(id, 90))), expected, "{actor}");
        let ((mut state, id), expected) = (issued(100), of_issued);
        assert_eq!(act(&mut state, actor, &Command::UpdateMeasurement(correction(id, 90))), expected, "{actor}");
    }
}

#[test]
fn who_may_delete_and_release() {
    let to_state = forbidden("the role Registry Administrator or Measurement Body");
    let to_issue = forbidden("the role Registry Administrator or GC Issuer");
    for (actor, deletes, releases) in [
        (ADMINISTRATOR, true, true),
        (METER, true, false),
        (ISSUER, false, true),
        (PRODUCER, true, false),
        (TRADER, false, false),
        (REGISTRAR, false, false),
        (AUDITOR, false, false),
        (DELETED_USER, false, false),
    ] {
        let (mut state, id) = pending(100);
        let expected = if deletes { Ok(()) } else { Err(to_state.clone()) };
        assert_eq!(act(&mut state, actor, &Command::DeleteMeasurement(id)), expected, "{actor}");
        let (mut state, id) = issued(100);
        act(&mut state, ISSUER, &on_bundles(SELLER, &[1], Portion::Whole, withdraw())).unwrap();
        let expected = if releases { Ok(()) } else { Err(to_issue.clone()) };
        assert_eq!(act(&mut state, actor, &release(id)), expected, "{actor}");
    }
}

/// One correction with every fault; each step names the refusal and then mends its cause.
#[test]
fn a_correction_is_refused_for_its_first_fault_in_order() {
    type Mend = fn(&mut State, &mut MeasurementUpdate);
    let (mut state, id) = issued(100);
    let other = hour_before_noon(3).start();
    state.load_measurement(Measurement {
        id: MeasurementId(80),
        reading: reading(hour_before_noon(2), 5),
        superseded_by: Some(MeasurementId(80)),
    });
    state.load_measurement(Measurement {
        id: MeasurementId(81),
        reading: reading(hour_before_noon(2), 5),
        superseded_by: Some(id),
    });
    state.devices.get_mut(&WIND).unwrap().is_deleted = true;
    let mut update = correction(MeasurementId(99), i64::MIN);
    update.quality = Some(Quality::Estimated);
    update.place = StatedPlace {
        device_id: Some(DeviceId(2)),
        start: Some(other),
        end: Some(other),
        gross_net: Some(GrossNet::Gross),
    };
    let missing = |id| Refusal::MeasurementMissing { measurement_id: MeasurementId(id) };
    let refused = |cause| Refusal::ReadingRefused { cause };
    let steps: [(Refusal, Mend); 11] = [
        (missing(99), |_, update| update.measurement = MeasurementId(80)),
        (Refusal::DeviceMissing { device_id: WIND }, |state, _| {
            state.devices.get_mut(&WIND).unwrap().is_deleted = false;
        }),
        (missing(80), |_, update| update.measurement = MeasurementId(81)),
        (Refusal::ReadingSuperseded { measurement_id: MeasurementId(81), superseded_by: id }, |_, update| {
            update.measurement = MeasurementId(1);
        }),
        (Refusal::ReadingFixed { field: "device_id" }, |_, update| update.place.device_id = Some(WIND)),
        (Refusal::ReadingFixed { field: "interval_start_datetime" }, |_, update| update.place.start = None),
        (Refusal::ReadingFixed { field: "interval_end_datetime" }, |_, update| {
            update.place.end = Some(hour_before_noon(2).end());
        }),
        (Refusal::ReadingFixed { field: "gross_net_indicator" }, |_, update| {
            update.place.gross_net = Some(GrossNet::Net);
        }),
        (refused(ReadingRefusal::TooLarge { max: READING_WH_MAX }), |_, update| update.energy_wh = Some(-1)),
        (refused(ReadingRefusal::NegativeEnergy { energy_wh: -1 }), |_, update| update.energy_wh = Some(40)),
        (refused(ReadingRefusal::Estimated), |_, update| update.quality = Some(Quality::Calculated)),
    ];
    for (expected, mend) in steps {
        assert_eq!(refusal(&state, METER, &Command::UpdateMeasurement(update)), expected);
        mend(&mut state, &mut update);
    }
    carried_out(&mut state, METER, &Command::UpdateMeasurement(update));
    assert_eq!(figures(&state), (ReadingStatus::Issued, 40, 0, 0, 0));
}

#[test]
fn deletions_and_releases_are_refused_in_order() {
    let (mut state, id) = issued(100);
    let superseded = MeasurementId(81);
    let reading = reading(hour_before_noon(2), 5);
    state.load_measurement(Measurement { id: superseded, reading, superseded_by: Some(id) });
    let by = Refusal::ReadingSuperseded { measurement_id: superseded, superseded_by: id };
    let missing = Refusal::MeasurementMissing { measurement_id: MeasurementId(99) };
    let issued_device =
        forbidden("the role Registry Administrator or Measurement Body, as certificates were issued on the device");
    for (actor, measurement, expected) in [
        (METER, MeasurementId(99), missing.clone()),
        (PRODUCER, superseded, issued_device),
        (METER, superseded, by.clone()),
        (METER, id, Refusal::AlreadyIssued { reading_wh: 100 }),
    ] {
        assert_eq!(refusal(&state, actor, &Command::DeleteMeasurement(measurement)), expected);
    }
    let no_reason = Command::ReleaseHold { measurement: MeasurementId(99), reason: " ".to_owned() };
    assert_eq!(refusal(&state, ISSUER, &no_reason), Refusal::ReasonMissing);
    for (measurement, expected) in
        [(MeasurementId(99), missing), (superseded, by), (id, Refusal::NothingHeld { measurement_id: id })]
    {
        assert_eq!(refusal(&state, ISSUER, &release(measurement)), expected);
    }
    // what was withdrawn and issued no more still stems from the interval
    act(&mut state, ISSUER, &on_bundles(SELLER, &[1], Portion::Whole, withdraw())).unwrap();
    let deletion = Command::DeleteMeasurement(id);
    assert_eq!(refusal(&state, METER, &deletion), Refusal::AlreadyIssued { reading_wh: 100 });
}

#[test]
fn a_producer_does_not_learn_of_readings_of_others() {
    let (mut state, id) = pending(100);
    state.devices.get_mut(&WIND).unwrap().account_id = BUYER;
    let missing = Refusal::MeasurementMissing { measurement_id: id };
    for command in [Command::UpdateMeasurement(correction(id, 5)), Command::DeleteMeasurement(id)] {
        assert_eq!(refusal(&state, PRODUCER, &command), missing);
    }
}

#[test]
fn stating_what_is_known_and_deleting_again_change_nothing() {
    let (mut state, id) = issued(100);
    assert_eq!(correct(&mut state, METER, id, 100), (vec![], id));
    let (mut state, id) = pending(100);
    assert_eq!(
        carried_out(&mut state, PRODUCER, &Command::DeleteMeasurement(id)),
        (vec![Change::ReadingDeleted(id)], id)
    );
    assert_eq!(carried_out(&mut state, PRODUCER, &Command::DeleteMeasurement(id)), (vec![], id));
    assert!(state.measurement(id).unwrap().is_deleted());
    assert_eq!(state.written.superseded, [(id, id)]);
}

#[test]
fn the_interval_of_a_deleted_reading_is_free_and_nothing_is_issued_on_it() {
    let (mut state, id) = pending(100);
    carried_out(&mut state, METER, &Command::DeleteMeasurement(id));
    let (from, to) = (at("2020-01-01T00:00:00Z"), noon());
    let issue = Command::Issue(IssueChunk { metadata_id: METADATA, devices: vec![WIND], from, to });
    assert_eq!(decided(&state, ISSUER, &issue).unwrap().0, []);
    let half = Interval::new(hour_before_noon(2).start(), hour_before_noon(2).start() + 30.minutes()).unwrap();
    let readings = vec![reading(half, 30)];
    let submission = Command::SubmitReadings(SubmitReadings { readings, source: ReadingSource::Submitted });
    let (changes, outcome) = decided(&state, METER, &submission).unwrap();
    let Outcome::Readings(outcome) = outcome else { panic!("not readings") };
    assert_eq!((outcome.accepted, outcome.last), (1, Some(MeasurementId(2))));
    state.apply(ActionId(3), &changes);
    assert_eq!(figures(&state), (ReadingStatus::Pending, 0, 0, 0, 30));
}

#[test]
fn a_correction_of_what_was_not_issued_takes_its_place() {
    let (mut state, id) = pending(100);
    let (changes, new) = correct(&mut state, PRODUCER, id, 40);
    let (readings, source) = (vec![reading(hour_before_noon(2), 40)], ReadingSource::Submitted);
    assert_eq!(
        changes,
        [Change::ReadingsAccepted { first: new, readings, source }, Change::ReadingSuperseded { id, by: new }]
    );
    assert_eq!(figures(&state), (ReadingStatus::Pending, 0, 0, 0, 40));
}

/// The example of the contract: 1,000 issued, 600 sold, corrected to 500, and up again to 700.
#[test]
fn downward_takes_back_what_is_not_sold_and_the_rest_is_a_shortfall() {
    let (mut state, id) = issued(1_000);
    act(&mut state, TRADER, &on_bundles(SELLER, &[1], quantity(600), Deed::Transfer { target: BUYER })).unwrap();
    let (changes, id) = correct(&mut state, ISSUER, id, 500);
    let energy = WattHours(400);
    assert_eq!(
        changes[2..],
        [
            Change::BundleChanged {
                id: BundleId(3),
                before: Mutable { account_id: SELLER, status: BundleStatus::Active, cancellation: None },
                after: Mutable { account_id: SELLER, status: BundleStatus::Withdrawn, cancellation: None },
            },
            Change::HoldReleased { id, device: WIND, start: hour_before_noon(2).start(), energy },
        ]
    );
    assert_eq!(figures(&state), (ReadingStatus::Issued, 600, 0, 100, 0));
    let (_, id) = correct(&mut state, METER, id, 700);
    assert_eq!(figures(&state), (ReadingStatus::Pending, 600, 0, 0, 100));
    assert_eq!(state.measurement(id).unwrap().reading.energy_wh, 700);
}

#[test]
fn the_highest_certificates_go_first_and_the_rest_of_a_split_comes_first() {
    let (mut state, id) = issued(1_000);
    let (changes, _) = correct(&mut state, METER, id, 700);
    assert_eq!(parts(&state), [(2, 1, 700, BundleStatus::Active), (3, 701, 1_000, BundleStatus::Withdrawn)]);
    let [_, _, Change::BundleChanged { .. }, Change::BundleCreated(rest), Change::BundleCreated(taken), _] =
        &changes[..]
    else {
        panic!("a split: {changes:?}")
    };
    assert_eq!((rest.parent_id, taken.parent_id), (Some(BundleId(1)), Some(BundleId(1))));
    let parent = state.bundle(BundleId(1)).unwrap();
    assert_eq!(taken.hash, crate::seal::child_hash(taken, &parent.hash));
    assert_eq!(figures(&state), (ReadingStatus::Issued, 700, 0, 0, 0));
}

#[test]
fn active_goes_before_locked_and_locked_before_expired() {
    use BundleStatus::{Active, Expired, Locked, Split, Withdrawn};
    // 1,000 Wh as 1 to 400 Expired, 401 to 700 Locked, 701 to 1,000 Active
    let stored = |state: &mut State| {
        let root = Bundle { range: CertificateRange::new(1, 1_000).unwrap(), ..bundle(1, 1_000) };
        let production = hour_before_noon(2);
        let of = |id, first, last, status| Bundle {
            id: BundleId(id),
            range: CertificateRange::new(first, last).unwrap(),
            parent_id: (id > 1).then_some(BundleId(if id > 3 { 3 } else { 1 })),
            production,
            status,
            ..root.clone()
        };
        let bundles = vec![
            of(1, 1, 1_000, Split),
            of(2, 1, 400, Expired),
            of(3, 401, 1_000, Split),
            of(4, 401, 700, Locked),
            of(5, 701, 1_000, Active),
        ];
        state.next.bundle = BundleId(6);
        state.load_interval(WIND, production.start(), bundles, [(BundleId(1), SELLER)]);
    };
    for (energy_wh, expected) in [
        (900, vec![(2, 1, 400, Expired), (4, 401, 700, Locked), (6, 701, 900, Active), (7, 901, 1_000, Withdrawn)]),
        (700, vec![(2, 1, 400, Expired), (4, 401, 700, Locked), (5, 701, 1_000, Withdrawn)]),
        (600, vec![(2, 1, 400, Expired), (5, 701, 1_000, Withdrawn), (6, 401, 600, Locked), (7, 601, 700, Withdrawn)]),
        (
            100,
            vec![(4, 401, 700, Withdrawn), (5, 701, 1_000, Withdrawn), (6, 1, 100, Expired), (7, 101, 400, Withdrawn)],
        ),
        (0, vec![(2, 1, 400, Withdrawn), (4, 401, 700, Withdrawn), (5, 701, 1_000, Withdrawn)]),
    ] {
        let mut state = state();
        let reading = reading(hour_before_noon(2), 1_000);
        let id = store_reading(&mut state, reading, 1_000, 0);
        state.load_measurement(Measurement { id, reading, superseded_by: None });
        stored(&mut state);
        correct(&mut state, METER, id, energy_wh);
        assert_eq!(parts(&state), expected, "corrected to {energy_wh}");
        let stated = u64::try_from(energy_wh).unwrap();
        assert_eq!((place(&state).live.0, place(&state).held.0), (stated, 0));
    }
}

#[test]
fn what_is_elsewhere_or_used_is_not_taken_back() {
    let reserve = || Deed::Reserve { target_registry: None };
    for deed in [Deed::Transfer { target: BUYER }, cancel(), reserve()] {
        let (mut state, id) = issued(1_000);
        act(&mut state, TRADER, &on_bundles(SELLER, &[1], Portion::Whole, deed.clone())).unwrap();
        let (changes, _) = correct(&mut state, METER, id, 300);
        assert_eq!(changes.len(), 2, "{deed:?}");
        assert_eq!(figures(&state), (ReadingStatus::Issued, 1_000, 0, 700, 0), "{deed:?}");
    }
    // what came back is where it was issued to
    let (mut state, id) = issued(1_000);
    act(&mut state, TRADER, &on_bundles(SELLER, &[1], Portion::Whole, Deed::Transfer { target: BUYER })).unwrap();
    let back = on_bundles(BUYER, &[1], quantity(800), Deed::Transfer { target: SELLER });
    act(&mut state, BUYERS_TRADER, &back).unwrap();
    correct(&mut state, METER, id, 100);
    assert_eq!(figures(&state), (ReadingStatus::Issued, 200, 0, 100, 0));
}

#[test]
fn it_is_the_account_of_the_issue_and_not_the_devices_that_counts() {
    let (mut state, id) = issued(1_000);
    state.devices.get_mut(&WIND).unwrap().account_id = BUYER;
    let sold = on_bundles(SELLER, &[1], quantity(600), Deed::Transfer { target: BUYER });
    act(&mut state, TRADER, &sold).unwrap();
    correct(&mut state, METER, id, 100);
    assert_eq!(
        parts(&state),
        [(2, 1, 600, BundleStatus::Active), (3, 601, 1_000, BundleStatus::Withdrawn)],
        "the device's new account keeps what it bought"
    );
}

#[test]
fn a_correction_upward_takes_nothing_back_even_from_a_shortfall() {
    let (mut state, id) = issued(1_000);
    let sold = on_bundles(SELLER, &[1], quantity(900), Deed::Transfer { target: BUYER });
    act(&mut state, TRADER, &sold).unwrap();
    let (_, id) = correct(&mut state, METER, id, 500);
    let back = on_bundles(BUYER, &[2], Portion::Whole, Deed::Transfer { target: SELLER });
    act(&mut state, BUYERS_TRADER, &back).unwrap();
    let (changes, _) = correct(&mut state, METER, id, 600);
    assert_eq!(changes.len(), 2);
    assert_eq!(figures(&state), (ReadingStatus::Issued, 900, 0, 300, 0));
}

#[test]
fn what_the_issuer_withdrew_stays_held_through_corrections_until_it_is_released() {
    let (mut state, id) = issued(1_000);
    act(&mut state, ISSUER, &on_bundles(SELLER, &[1], quantity(300), withdraw())).unwrap();
    assert_eq!(figures(&state), (ReadingStatus::Held, 700, 300, 0, 0));
    let (_, id) = correct(&mut state, METER, id, 500);
    assert_eq!(figures(&state), (ReadingStatus::Issued, 500, 300, 0, 0));
    let (_, id) = correct(&mut state, METER, id, 900);
    assert_eq!(figures(&state), (ReadingStatus::Pending, 500, 300, 0, 100));
    let (changes, _) = carried_out(&mut state, ISSUER, &release(id));
    let (start, energy) = (hour_before_noon(2).start(), WattHours(300));
    assert_eq!(changes, [Change::HoldReleased { id, device: WIND, start, energy }]);
    assert_eq!(figures(&state), (ReadingStatus::Pending, 500, 0, 0, 400));
    assert_eq!(refusal(&state, ISSUER, &release(id)), Refusal::NothingHeld { measurement_id: id });
}

#[test]
fn a_correction_and_an_issue_of_one_batch_see_each_other() {
    let (from, to) = (at("2020-01-01T00:00:00Z"), noon());
    let issue = Command::Issue(IssueChunk { metadata_id: METADATA, devices: vec![WIND], from, to });
    // first the correction
    let (mut state, id) = pending(100);
    let (_, id) = correct(&mut state, METER, id, 40);
    act(&mut state, ISSUER, &issue).unwrap();
    assert_eq!(figures(&state), (ReadingStatus::Issued, 40, 0, 0, 0));
    // then the issue, a correction of the new version, and the issue of what that leaves open
    let (_, id) = correct(&mut state, METER, id, 30);
    assert_eq!(parts(&state), [(2, 1, 30, BundleStatus::Active), (3, 31, 40, BundleStatus::Withdrawn)]);
    correct(&mut state, METER, id, 35);
    act(&mut state, ISSUER, &issue).unwrap();
    assert_eq!(figures(&state), (ReadingStatus::Issued, 35, 0, 0, 0));
    assert_eq!(parts(&state)[2], (4, 41, 45, BundleStatus::Active), "fresh certificate ids");
}

#[test]
fn how_a_reading_stands() {
    type Change = fn(&mut Device, &mut Reading);
    let nothing: Change = |_, _| ();
    let refused = |refusal| (ReadingStatus::Refused, Some(refusal), 0, 0);
    let limit_wh = WattHours(1_100_000);
    for (energy_wh, live, held, change, expected) in [
        (1_000, 0, 0, nothing, (ReadingStatus::Pending, None, 0, 1_000)),
        (1_000, 600, 0, nothing, (ReadingStatus::Pending, None, 0, 400)),
        (1_000, 600, 100, nothing, (ReadingStatus::Pending, None, 0, 300)),
        (1_000, 1_000, 0, nothing, (ReadingStatus::Issued, None, 0, 0)),
        (1_000, 1_000, 400, nothing, (ReadingStatus::Issued, None, 0, 0)),
        (1_000, 1_200, 0, nothing, (ReadingStatus::Issued, None, 200, 0)),
        (0, 600, 0, nothing, (ReadingStatus::Issued, None, 600, 0)),
        (1_000, 0, 1_000, nothing, (ReadingStatus::Held, None, 0, 0)),
        (1_000, 600, 400, nothing, (ReadingStatus::Held, None, 0, 0)),
        (0, 0, 0, nothing, refused(ReadingRefusal::ZeroEnergy)),
        (1_000, 0, 0, |_, reading| reading.quality = Quality::Estimated, refused(ReadingRefusal::Estimated)),
        (1_000, 0, 0, |device, _| device.is_approved = false, refused(ReadingRefusal::NotApproved)),
        (1_000, 600, 0, |device, _| device.is_approved = false, refused(ReadingRefusal::NotApproved)),
        // what is issued is issued, whatever became of the device
        (1_000, 1_000, 0, |device, _| device.is_approved = false, (ReadingStatus::Issued, None, 0, 0)),
        (1_000, 0, 0, |device, _| device.is_deleted = true, refused(ReadingRefusal::DeviceMissing { device_id: WIND })),
        (
            1_000,
            0,
            0,
            |device, _| device.description.kind = DeviceKind::Consumption,
            refused(ReadingRefusal::NotProduction),
        ),
        (2_000_000, 0, 0, nothing, refused(ReadingRefusal::AboveCapacity { asked_wh: WattHours(2_000_000), limit_wh })),
    ] {
        let mut state = state();
        let (mut device, mut reading) = (device(WIND), reading(hour_before_noon(2), energy_wh));
        change(&mut device, &mut reading);
        state.devices.insert(WIND, device);
        store_reading(&mut state, reading, live, held);
        let found = stands(&state);
        let (status, refusal, shortfall, issuable) = expected;
        let (shortfall, issuable) = (WattHours(shortfall), WattHours(issuable));
        let (issued, held) = (WattHours(live), WattHours(held));
        assert_eq!(
            found,
            Standing { status, refusal, issued, held, shortfall, issuable },
            "{energy_wh} {live} {held:?}"
        );
    }
}

#[test]
fn a_version_that_counts_no_more_has_no_figures() {
    let reading = reading(hour_before_noon(2), 5);
    let of = |by| Measurement { id: MeasurementId(1), reading, superseded_by: Some(MeasurementId(by)) };
    for (by, status) in [(1, ReadingStatus::Deleted), (2, ReadingStatus::Superseded)] {
        let found = Standing::past(&of(by));
        assert_eq!((found.status, found.issued, found.issuable), (status, WattHours::ZERO, WattHours::ZERO));
    }
}
