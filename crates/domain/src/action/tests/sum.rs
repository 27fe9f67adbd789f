//! Readings of less than an hour that are issued by the hour: when an hour is whole, what its sum is, how its parts stand,
//! and that corrections of parts keep what is live within what is stated.

use super::*;
use crate::Quality::{Calculated, Estimated, Measured};
use crate::ReadingStatus;
use crate::energy::READING_WH_MAX;
use crate::time::hour_of;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn summing() -> Rules {
    Rules { sums_to_hour: true, ..rules() }
}

fn hour() -> Interval {
    hour_before_noon(2)
}

/// From one minute of the hour two hours before noon to another.
fn minutes(from: i64, to: i64) -> Interval {
    let start = hour().start();
    Interval::new(start + from.minutes(), start + to.minutes()).unwrap()
}

/// A state in which these readings of that hour are stored, and named by commands.
fn stored(readings: &[(i64, i64, i64)]) -> State {
    let mut state = state();
    for (from, to, energy_wh) in readings {
        store(&mut state, reading(minutes(*from, *to), *energy_wh));
    }
    state
}

fn store(state: &mut State, reading: Reading) -> MeasurementId {
    let id = store_reading(state, reading, 0, 0);
    state.load_measurement(Measurement { id, reading, superseded_by: None });
    id
}

fn chunk(from: Timestamp) -> Command {
    Command::Issue(IssueChunk { metadata_id: METADATA, devices: vec![WIND], from, to: noon() })
}

fn decided_by_hour(state: &State, actor: UserId, command: &Command) -> Result<(Changes, Outcome), Refusal> {
    decide(state, Actor::User(actor), command, noon(), &summing())
}

fn act(state: &mut State, actor: UserId, command: &Command) -> Result<Outcome, Refusal> {
    let (changes, outcome) = decided_by_hour(state, actor, command)?;
    state.apply(ActionId(2), &changes);
    Ok(outcome)
}

fn issue(state: &mut State) -> IssueOutcome {
    match act(state, ISSUER, &chunk(at("2020-01-01T00:00:00Z"))).unwrap() {
        Outcome::Issue(outcome) => outcome,
        other => panic!("not an issue: {other:?}"),
    }
}

fn correct(state: &mut State, id: i64, energy_wh: i64) -> Result<Outcome, Refusal> {
    let (measurement, energy_wh, place) = (MeasurementId(id), Some(energy_wh), StatedPlace::default());
    let update = MeasurementUpdate { measurement, energy_wh, quality: None, place, source: None };
    act(state, METER, &Command::UpdateMeasurement(update))
}

fn submit(state: &mut State, readings: Vec<Reading>) -> ReadingsOutcome {
    let submission = SubmitReadings { readings, source: ReadingSource::Submitted };
    match act(state, METER, &Command::SubmitReadings(submission)).unwrap() {
        Outcome::Readings(outcome) => outcome,
        other => panic!("not a submission: {other:?}"),
    }
}

/// (issued, quantity, refusals) of an issue.
fn told(outcome: &IssueOutcome) -> (usize, u64, Vec<ReadingRefusal>) {
    (outcome.issued, outcome.quantity.0, outcome.refused.iter().map(|refused| refused.refusal).collect())
}

/// The hour's current reading, and what was issued on it.
fn place(state: &State) -> IssuePlace {
    state.places[&(hour().start(), WIND)]
}

fn incomplete(missing_minute: i64) -> ReadingRefusal {
    ReadingRefusal::HourIncomplete { hour: hour().start(), missing: hour().start() + missing_minute.minutes() }
}

fn summed(parts: &[Reading]) -> Result<Reading, ReadingRefusal> {
    super::super::sum::sum(hour(), &parts.iter().collect::<Vec<_>>())
}

#[test]
fn an_hour_is_summed_when_it_is_whole_and_else_refused_for_its_first_fault() {
    let [a_quarter, half] = [15, 30];
    for (parts, expected) in [
        (vec![(0, half, 600), (half, 60, 401)], Ok(1_001)),
        (vec![(0, a_quarter, 1), (a_quarter, 20, 2), (20, 60, 4)], Ok(7)),
        (vec![(0, half, 0), (half, 60, 5)], Ok(5)),
        (vec![(0, half, 600)], Err(incomplete(30))),
        (vec![(half, 60, 600)], Err(incomplete(0))),
        (vec![(0, a_quarter, 1), (half, 60, 2)], Err(incomplete(15))),
        (vec![(0, half, 1), (half, 59, 2)], Err(incomplete(59))),
        (vec![(0, half, 1), (half, 75, 2)], Err(ReadingRefusal::HourCrossed { end: minutes(0, 75).end() })),
        (vec![(a_quarter, half, 1), (half, 75, 2)], Err(ReadingRefusal::HourCrossed { end: minutes(0, 75).end() })),
    ] {
        let readings: Vec<Reading> =
            parts.iter().map(|(from, to, energy)| reading(minutes(*from, *to), *energy)).collect();
        let summed = summed(&readings).map(|sum| (sum.interval, sum.energy_wh));
        assert_eq!(summed, expected.map(|energy| (hour(), energy)), "{parts:?}");
    }
    let whole = |energy: [i64; 2], quality: [Quality; 2]| {
        let parts = [(0, 30), (30, 60)].into_iter().zip(energy).zip(quality);
        let parts: Vec<Reading> = parts
            .map(|(((from, to), energy), quality)| Reading { quality, ..reading(minutes(from, to), energy) })
            .collect();
        summed(&parts).map(|sum| sum.quality)
    };
    assert_eq!(whole([1, 1], [Measured, Measured]), Ok(Measured));
    assert_eq!(whole([1, 1], [Measured, Calculated]), Ok(Calculated));
    let estimated = ReadingRefusal::HourEstimated { start: minutes(30, 60).start() };
    assert_eq!(whole([i64::MAX, 1], [Measured, Estimated]), Err(estimated));
    let most = i64::try_from(READING_WH_MAX).unwrap();
    assert_eq!(whole([most, 1], [Measured, Measured]), Err(ReadingRefusal::TooLarge { max: READING_WH_MAX }));
}

#[test]
fn the_sum_takes_the_place_of_its_parts_when_it_is_issued() {
    let mut state = stored(&[(0, 30, 600), (30, 60, 401)]);
    let (changes, _) = decided_by_hour(&state, ISSUER, &chunk(at("2020-01-01T00:00:00Z"))).unwrap();
    let (first, sum) = (MeasurementId(3), reading(hour(), 1_001));
    assert_eq!(
        changes[..3],
        [
            Change::ReadingsAccepted { first, readings: vec![sum], source: ReadingSource::Summed },
            Change::ReadingSuperseded { id: MeasurementId(1), by: first },
            Change::ReadingSuperseded { id: MeasurementId(2), by: first },
        ]
    );
    let [Change::AttributesCreated(_), Change::BundleCreated(bundle)] = &changes[3..] else { panic!("{changes:?}") };
    assert_eq!((bundle.production, bundle.range.quantity()), (hour(), WattHours(1_001)));
    assert_eq!(told(&issue(&mut state)), (1, 1_001, vec![]));
    assert_eq!(told(&issue(&mut state)), (0, 0, vec![]), "once");
    assert_eq!(state.places.len(), 1, "the parts made way");
}

#[test]
fn without_the_setting_each_reading_is_issued_by_itself() {
    let state = stored(&[(0, 30, 600), (30, 60, 401)]);
    let (_, Outcome::Issue(outcome)) = decided(&state, ISSUER, &chunk(hour().start())).unwrap() else {
        panic!("an issue")
    };
    assert_eq!(told(&outcome), (2, 1_001, vec![]));
}

#[test]
fn an_hour_of_which_a_part_was_issued_goes_on_by_parts() {
    let mut state = stored(&[(0, 30, 600), (30, 60, 401)]);
    state.places.get_mut(&(hour().start(), WIND)).unwrap().has_bundles = true;
    assert_eq!(told(&issue(&mut state)), (2, 1_001, vec![]));
    assert_eq!(state.next.measurement, MeasurementId(3), "nothing is summed");
}

#[test]
fn each_reading_of_an_hour_that_is_not_whole_is_pending_and_says_why() {
    let mut state = stored(&[(0, 30, 600), (30, 45, 401)]);
    assert_eq!(told(&issue(&mut state)), (0, 0, vec![incomplete(45); 2]));
    let stands = |state: &State, from: i64| {
        let (rules, hours) = (summing(), Hours::of(&state.places, &summing()));
        let place = state.places[&(minutes(from, 60).start(), WIND)];
        let standing = standing(state.live_device(WIND), &place, &hours, noon(), &rules);
        (standing.status, standing.refusal, standing.issuable.0)
    };
    assert_eq!(stands(&state, 0), (ReadingStatus::Pending, Some(incomplete(45)), 0));
    let last = Reading { quality: Quality::Estimated, ..reading(minutes(45, 60), 7) };
    store(&mut state, last);
    let estimated = ReadingRefusal::HourEstimated { start: last.interval.start() };
    assert_eq!(stands(&state, 30), (ReadingStatus::Pending, Some(estimated), 0));
    assert_eq!(stands(&state, 45), (ReadingStatus::Refused, Some(ReadingRefusal::Estimated), 0));
    assert_eq!(told(&issue(&mut state)).2, [estimated, estimated, ReadingRefusal::Estimated]);
    submit(&mut state, vec![reading(minutes(45, 60), 9)]);
    assert_eq!([0, 30, 45].map(|from| stands(&state, from).2), [600, 401, 9], "together what is issuable");
    assert_eq!(told(&issue(&mut state)), (1, 1_010, vec![]));
}

#[test]
fn the_rules_of_a_reading_hold_for_the_sum() {
    let above = stored(&[(0, 30, 1_100_000), (30, 60, 1)]);
    let refused = |mut state: State| told(&issue(&mut state)).2;
    let above_capacity =
        ReadingRefusal::AboveCapacity { asked_wh: WattHours(1_100_001), limit_wh: WattHours(1_100_000) };
    assert_eq!(refused(above), [above_capacity; 2]);
    assert_eq!(told(&issue(&mut stored(&[(0, 30, 1_000_000), (30, 60, 1)]))).1, 1_000_001, "together it can");
    assert_eq!(refused(stored(&[(0, 30, 0), (30, 60, 0)])), [ReadingRefusal::ZeroEnergy; 2]);
    let mut waiting = stored(&[(0, 30, 1), (30, 60, 1)]);
    waiting.devices.get_mut(&WIND).unwrap().is_approved = false;
    assert_eq!(refused(waiting), [ReadingRefusal::NotApproved; 2]);
}

#[test]
fn one_reading_that_is_asked_for_brings_its_whole_hour() {
    let state = stored(&[(0, 30, 600), (30, 60, 401)]);
    let command = chunk(minutes(30, 60).start());
    let (_, Outcome::Issue(outcome)) = decided_by_hour(&state, ISSUER, &command).unwrap() else { panic!("an issue") };
    assert_eq!((outcome.readings, outcome.quantity), (1, WattHours(1_001)));
}

#[test]
fn a_correction_of_a_part_corrects_the_sum_and_withdraws_what_is_too_much() {
    let mut state = stored(&[(0, 30, 600), (30, 60, 400)]);
    issue(&mut state);
    assert_eq!(correct(&mut state, 2, 700), Ok(Outcome::Measurement(MeasurementId(4))));
    let (stated, live) = (place(&state).measurement, place(&state).live);
    assert_eq!((stated.id, stated.reading.energy_wh, live), (MeasurementId(5), 1_300, WattHours(1_000)));
    assert_eq!(told(&issue(&mut state)), (1, 300, vec![]), "the difference");
    assert_eq!(correct(&mut state, 1, 100), Ok(Outcome::Measurement(MeasurementId(6))));
    let IssuePlace { measurement, live, held, .. } = place(&state);
    assert_eq!((measurement.id, measurement.reading.energy_wh), (MeasurementId(7), 800));
    assert_eq!((live, held), (WattHours(800), WattHours(0)));
    assert_eq!(correct(&mut state, 6, 100), Ok(Outcome::Measurement(MeasurementId(6))), "it says so already");
    let superseded = |measurement_id: i64, by: i64| Refusal::ReadingSuperseded {
        measurement_id: MeasurementId(measurement_id),
        superseded_by: MeasurementId(by),
    };
    assert_eq!(correct(&mut state, 1, 50), Err(superseded(1, 3)));
    assert_eq!(correct(&mut state, 3, 50), Err(superseded(3, 5)), "an earlier sum");
    let the_sum = MeasurementId(7);
    assert_eq!(correct(&mut state, 7, 50), Err(Refusal::ReadingSummed { measurement_id: the_sum }));
    let deleted = act(&mut state, METER, &Command::DeleteMeasurement(the_sum));
    assert_eq!(deleted, Err(Refusal::AlreadyIssued { reading_wh: 800 }));
    let deleted = act(&mut state, METER, &Command::DeleteMeasurement(MeasurementId(6)));
    assert_eq!(deleted, Err(superseded(6, 7)));
}

#[test]
fn a_part_is_corrected_by_who_may_correct_what_was_issued_and_never_to_an_estimate() {
    let mut state = stored(&[(0, 30, 600), (30, 60, 400)]);
    issue(&mut state);
    let update = |quality| {
        Command::UpdateMeasurement(MeasurementUpdate {
            measurement: MeasurementId(1),
            energy_wh: Some(1),
            quality,
            place: StatedPlace::default(),
            source: None,
        })
    };
    let refused = decided_by_hour(&state, PRODUCER, &update(None)).unwrap_err();
    assert_eq!(refused, ReadingRefusal::NotProducers.into());
    let refused = decided_by_hour(&state, ISSUER, &update(Some(Quality::Estimated))).unwrap_err();
    assert_eq!(refused, Refusal::ReadingRefused { cause: ReadingRefusal::Estimated });
    let (changes, _) = decided_by_hour(&state, ISSUER, &update(Some(Quality::Calculated))).unwrap();
    let Change::ReadingsAccepted { readings, source, .. } = &changes[1] else { panic!("{changes:?}") };
    assert_eq!((readings[0].quality, *source), (Quality::Calculated, ReadingSource::Summed));
}

#[test]
fn what_is_sent_of_a_summed_hour_again_is_unchanged_or_already_issued() {
    let mut state = stored(&[(0, 30, 600), (30, 60, 400)]);
    issue(&mut state);
    let outcome = submit(
        &mut state,
        vec![
            reading(minutes(0, 30), 600),
            reading(minutes(30, 60), 401),
            reading(minutes(0, 15), 300),
            reading(hour(), 1_000),
            reading(hour(), 1_001),
        ],
    );
    assert_eq!((outcome.accepted, outcome.corrected, outcome.unchanged), (0, 0, 2));
    let refusals: Vec<ReadingRefusal> = outcome.refused.iter().map(|refused| refused.refusal).collect();
    let (start, end) = (hour().start(), hour().end());
    assert_eq!(
        refusals,
        [
            ReadingRefusal::AlreadyIssued { issued_wh: 400 },
            ReadingRefusal::Overlaps { start, end },
            ReadingRefusal::AlreadyIssued { issued_wh: 1_000 },
        ]
    );
}

// ── Any sequence ────────────────────────────────────────────────────────────

/// One step: what is done, to which quarter of which hour, and a number.
type Step = (u8, i64, i64, i64);

fn command_of((kind, hours, quarter, amount): Step, state: &State) -> (UserId, Command) {
    let start = hour_before_noon(hours).start() + (15 * quarter).minutes();
    let short = Interval::new(start, start + 15.minutes()).unwrap();
    let quality = if amount % 7 == 0 { Quality::Estimated } else { Quality::Measured };
    let bundles: Vec<BundleId> = (1..state.next.bundle.0)
        .filter_map(|id| state.bundle(BundleId(id)))
        .filter(|bundle| bundle.status == BundleStatus::Active && bundle.account_id == SELLER)
        .map(|bundle| bundle.id)
        .collect();
    let picked: Vec<BundleId> = bundles.iter().skip(usize::try_from(quarter).unwrap()).take(1).copied().collect();
    match kind {
        0..=4 => {
            let readings = vec![Reading { quality, ..reading(short, amount) }];
            (METER, Command::SubmitReadings(SubmitReadings { readings, source: ReadingSource::Submitted }))
        }
        5 | 6 => (ISSUER, chunk(start)),
        7..=9 => {
            let part = state.parts.get(&(WIND, start)).map(|part| part.id);
            let known = part.or(state.readings.get(&(WIND, start)).map(|current| current.measurement.id));
            let measurement = known.unwrap_or(MeasurementId(1));
            let (energy_wh, place) = (Some(amount), StatedPlace::default());
            let update = MeasurementUpdate { measurement, energy_wh, quality: None, place, source: None };
            (METER, Command::UpdateMeasurement(update))
        }
        10 => {
            let at_hour = state.readings.get(&(WIND, hour_of(start).start()));
            let measurement = at_hour.map_or(MeasurementId(1), |current| current.measurement.id);
            (ISSUER, Command::ReleaseHold { measurement, reason: "reason".to_owned() })
        }
        11 => {
            let deed = Deed::Withdraw { reason: "reason".to_owned(), export_failed: false };
            (ISSUER, on_bundles(SELLER, &picked.iter().map(|id| id.0).collect::<Vec<_>>(), quantity(1), deed))
        }
        _ => {
            let ids: Vec<i64> = picked.iter().map(|id| id.0).collect();
            (TRADER, on_bundles(SELLER, &ids, Portion::Whole, Deed::Transfer { target: BUYER }))
        }
    }
}

/// What was the most that was ever stated of an interval.
type Stated = BTreeMap<Interval, u64>;

fn check(state: &State, stated: &mut Stated) -> Result<(), TestCaseError> {
    let current: Vec<Measurement> = state.places.values().map(|place| place.measurement).collect();
    for pair in current.windows(2) {
        prop_assert!(pair[0].reading.interval.end() <= pair[1].reading.interval.start(), "{:?}", pair);
    }
    for place in state.places.values() {
        let (reading, accepted) = (place.measurement.reading, place.accepted().0);
        let most = stated.entry(reading.interval).or_default();
        *most = accepted.max(*most);
        prop_assert!(place.live.0 + place.held.0 <= *most, "{:?}", place);
        let standing = standing(state.live_device(WIND), place, &Hours::default(), noon(), &summing());
        prop_assert_eq!(standing.shortfall.0, place.live.0.saturating_sub(accepted));
        let parts: Vec<_> = state.parts_of(WIND, reading.interval).collect();
        if !parts.is_empty() {
            prop_assert_eq!(parts.iter().map(|part| part.reading.energy_wh).sum::<i64>(), reading.energy_wh);
            prop_assert!(parts.iter().all(|part| part.reading.quality != Quality::Estimated));
        }
    }
    let mut live: BTreeMap<Interval, u64> = BTreeMap::new();
    for bundle in (1..state.next.bundle.0).filter_map(|id| state.bundle(BundleId(id))) {
        if bundle.status.is_live() {
            *live.entry(bundle.production).or_default() += bundle.range.quantity().0;
        }
    }
    // what is live stands on a reading of just its interval, so that no hour is counted by parts and as a whole
    let intervals: BTreeSet<Interval> = current.iter().map(|measurement| measurement.reading.interval).collect();
    for (interval, live) in live {
        prop_assert!(intervals.contains(&interval), "{:?}", interval);
        prop_assert_eq!(state.places[&(interval.start(), WIND)].live.0, live);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_sequence_counts_a_part_beside_its_hour(
        steps in proptest::collection::vec((0..13_u8, 1..3_i64, 0..4_i64, 0..300_i64, any::<bool>()), 1..80)
    ) {
        let (mut state, mut stated) = (state(), Stated::new());
        for (number, (kind, hours, quarter, amount, sums_to_hour)) in (1..).zip(steps) {
            let (actor, command) = command_of((kind, hours, quarter, amount), &state);
            // the setting may change from one run of the program to the next
            let rules = Rules { sums_to_hour: sums_to_hour || number < 40, ..rules() };
            if let Ok((changes, _)) = decide(&state, Actor::User(actor), &command, noon(), &rules) {
                state.apply(ActionId(number), &changes);
            }
            check(&state, &mut stated)?;
        }
    }
}
