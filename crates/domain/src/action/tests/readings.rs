//! Readings: every refusal of a row, and what rows of one chunk do to each other.

use super::*;
use crate::energy::READING_WH_MAX;

fn submission(readings: &[Reading]) -> Command {
    Command::SubmitReadings(SubmitReadings { readings: readings.to_vec(), source: ReadingSource::Submitted })
}

fn submit(state: &State, actor: UserId, readings: &[Reading]) -> (Changes, ReadingsOutcome) {
    match decided(state, actor, &submission(readings)).unwrap() {
        (changes, Outcome::Readings(outcome)) => (changes, outcome),
        other => panic!("not readings: {other:?}"),
    }
}

fn refused(place: usize, refusal: ReadingRefusal) -> ReadingsRefused {
    ReadingsRefused { place, refusal }
}

#[test]
fn readings_come_from_measurement_bodies_administrators_and_producers() {
    let state = state();
    let needs = "the role Registry Administrator or Measurement Body";
    for actor in [TRADER, ISSUER, REGISTRAR, AUDITOR, DELETED_USER, UserId(99)] {
        let command = submission(&[reading(hour_before_noon(1), 5)]);
        assert_eq!(refusal(&state, actor, &command), forbidden(needs), "{actor}");
    }
    for actor in [METER, ADMINISTRATOR, PRODUCER] {
        assert_eq!(submit(&state, actor, &[reading(hour_before_noon(1), 5)]).1.accepted, 1, "{actor}");
    }
}

/// One row with every fault; each step names the refusal and then mends its cause.
#[test]
fn a_row_is_refused_for_its_first_fault_in_order() {
    type Mend = fn(&mut State, &mut Reading);
    let mut state = state();
    store_reading(&mut state, reading(hour_before_noon(2), 700), 700, 0);
    let device = state.devices.get_mut(&WIND).unwrap();
    device.next_certificate = 2;
    device.gross_net = Some(GrossNet::Net);
    device.description.operational_date = at("2027-01-01T00:00:00Z");
    let short = Interval::new(at("2026-12-01T00:00:00Z"), at("2026-12-01T00:00:59Z")).unwrap();
    let mut row = Reading { device_id: DeviceId(99), gross_net: GrossNet::Gross, ..reading(short, i64::MIN) };

    let steps: [(ReadingRefusal, Mend); 10] = [
        (ReadingRefusal::DeviceMissing { device_id: DeviceId(99) }, |_, row| row.device_id = WIND),
        (ReadingRefusal::NotProducers, |state, _| state.devices.get_mut(&WIND).unwrap().next_certificate = 1),
        (ReadingRefusal::IntervalLength { seconds: 59, min: 60, max: 3_600 }, |_, row| {
            row.interval = Interval::new(at("2026-12-01T00:00:00Z"), at("2026-12-01T01:00:00Z")).unwrap();
        }),
        (ReadingRefusal::InFuture { end: at("2026-12-01T01:00:00Z") }, |_, row| {
            row.interval = Interval::new(noon() - 90.minutes(), noon() - 30.minutes()).unwrap();
        }),
        (ReadingRefusal::BeforeOperation { operational_date: at("2027-01-01T00:00:00Z") }, |state, row| {
            state.devices.get_mut(&WIND).unwrap().description.operational_date = row.interval.start();
        }),
        (ReadingRefusal::TooLarge { max: READING_WH_MAX }, |_, row| row.energy_wh = -1),
        (ReadingRefusal::NegativeEnergy { energy_wh: -1 }, |_, row| row.energy_wh = 800),
        (ReadingRefusal::GrossNetDiffers { fixed: GrossNet::Net }, |_, row| row.gross_net = GrossNet::Net),
        (
            ReadingRefusal::Overlaps { start: hour_before_noon(2).start(), end: hour_before_noon(2).end() },
            |state, row| {
                row.interval = hour_before_noon(2);
                state.devices.get_mut(&WIND).unwrap().description.operational_date = row.interval.start();
            },
        ),
        (ReadingRefusal::AlreadyIssued { issued_wh: 700 }, |state, row| {
            state.readings.get_mut(&(WIND, row.interval.start())).unwrap().has_bundles = false;
        }),
    ];
    for (expected, mend) in steps {
        let (changes, outcome) = submit(&state, PRODUCER, &[row]);
        assert_eq!(outcome.refused, [refused(0, expected)]);
        assert_eq!((changes, outcome.accepted + outcome.corrected + outcome.unchanged), (vec![], 0));
        mend(&mut state, &mut row);
    }
    let last = Some(MeasurementId(2));
    assert_eq!(
        submit(&state, PRODUCER, &[row]).1,
        ReadingsOutcome { corrected: 1, last, ..ReadingsOutcome::default() }
    );
}

#[test]
fn a_producer_does_not_learn_of_devices_of_others() {
    let mut state = state();
    state.devices.get_mut(&WIND).unwrap().account_id = BUYER;
    let expected = [refused(0, ReadingRefusal::DeviceMissing { device_id: WIND })];
    assert_eq!(submit(&state, PRODUCER, &[reading(hour_before_noon(1), 5)]).1.refused, expected);
    state.devices.get_mut(&WIND).unwrap().is_deleted = true;
    assert_eq!(submit(&state, METER, &[reading(hour_before_noon(1), 5)]).1.refused, expected);
}

#[test]
fn bounds_themselves_are_allowed() {
    let mut state = state();
    state.devices.get_mut(&WIND).unwrap().description.operational_date = hour_before_noon(2).start();
    let minute = Interval::new(noon() - 1.minute(), noon()).unwrap();
    let largest = reading(hour_before_noon(2), i64::try_from(READING_WH_MAX).unwrap());
    assert_eq!(submit(&state, METER, &[largest, reading(minute, 0)]).1.accepted, 2);
    let above = reading(hour_before_noon(2), i64::try_from(READING_WH_MAX + 1).unwrap());
    let long = Interval::new(noon() - 61.minutes(), noon()).unwrap();
    assert_eq!(
        submit(&state, METER, &[above, reading(long, 1)]).1.refused,
        [
            refused(0, ReadingRefusal::TooLarge { max: READING_WH_MAX }),
            refused(1, ReadingRefusal::IntervalLength { seconds: 3_660, min: 60, max: 3_600 }),
        ]
    );
}

#[test]
fn storage_may_charge() {
    let mut state = state();
    state.devices.get_mut(&WIND).unwrap().description.kind = DeviceKind::Storage;
    assert_eq!(submit(&state, METER, &[reading(hour_before_noon(1), -900)]).1.accepted, 1);
    state.devices.get_mut(&WIND).unwrap().description.kind = DeviceKind::Consumption;
    let negative = refused(0, ReadingRefusal::NegativeEnergy { energy_wh: -900 });
    assert_eq!(submit(&state, METER, &[reading(hour_before_noon(1), -900)]).1.refused, [negative]);
}

#[test]
fn what_is_known_is_unchanged_and_what_differs_supersedes_it() {
    let mut state = state();
    let known = reading(hour_before_noon(3), 100);
    let old = store_reading(&mut state, known, 0, 0);
    let unchanged = ReadingsOutcome { unchanged: 1, last: Some(old), ..Default::default() };
    assert_eq!(submit(&state, METER, &[known]), (vec![], unchanged));

    let better = Reading { quality: Quality::Calculated, ..known };
    let (changes, outcome) = submit(&state, METER, &[better]);
    assert_eq!(outcome, ReadingsOutcome { corrected: 1, last: Some(MeasurementId(2)), ..Default::default() });
    let (first, source) = (MeasurementId(2), ReadingSource::Submitted);
    assert_eq!(
        changes,
        [
            Change::ReadingsAccepted { first, readings: vec![better], source },
            Change::ReadingSuperseded { id: old, by: first },
        ]
    );
    state.apply(ActionId(7), &changes);
    assert_eq!(state.readings[&(WIND, known.interval.start())].measurement.reading, better);
    assert_eq!(state.written.superseded, [(old, first)]);
    assert_eq!(submit(&state, METER, &[better]).1.unchanged, 1);
}

#[test]
fn an_issued_reading_may_be_stated_again_but_not_changed() {
    let mut state = state();
    let issued = reading(hour_before_noon(3), 100);
    store_reading(&mut state, issued, 60, 40);
    let (changes, outcome) = submit(&state, METER, &[issued, reading(issued.interval, 99)]);
    assert_eq!((changes, outcome.unchanged), (vec![], 1));
    assert_eq!(outcome.refused, [refused(1, ReadingRefusal::AlreadyIssued { issued_wh: 100 })]);
}

#[test]
fn rows_of_one_chunk_see_those_before_them() {
    let mut state = state();
    let (first, second) = (reading(hour_before_noon(4), 10), reading(hour_before_noon(4), 20));
    let half = Interval::new(first.interval.start() + 30.minutes(), first.interval.end()).unwrap();
    let rows = [
        first,
        reading(half, 5),
        Reading { gross_net: GrossNet::Gross, ..reading(hour_before_noon(3), 1) },
        first,
        second,
        reading(hour_before_noon(5), 7),
    ];
    let (changes, outcome) = submit(&state, METER, &rows);
    let (start, end) = (first.interval.start(), first.interval.end());
    assert_eq!(
        outcome,
        ReadingsOutcome {
            accepted: 2,
            corrected: 1,
            unchanged: 1,
            last: Some(MeasurementId(3)),
            refused: vec![
                refused(1, ReadingRefusal::Overlaps { start, end }),
                refused(2, ReadingRefusal::GrossNetDiffers { fixed: GrossNet::Net }),
            ],
        }
    );
    let ids = (MeasurementId(1), MeasurementId(2));
    let source = ReadingSource::Submitted;
    assert_eq!(
        changes,
        [
            Change::ReadingsAccepted { first: ids.0, readings: vec![first, second, rows[5]], source },
            Change::ReadingSuperseded { id: ids.0, by: ids.1 },
        ]
    );
    state.apply(ActionId(7), &changes);
    let superseded: Vec<_> = state.written.measurements.iter().map(|(m, _, _)| m.superseded_by).collect();
    assert_eq!(superseded, [Some(ids.1), None, None]);
    assert_eq!(state.written.superseded, []);
    assert_eq!(state.readings[&(WIND, start)].measurement.id, ids.1);
    assert_eq!(state.devices[&WIND].gross_net, Some(GrossNet::Net));
    assert_eq!(state.next.measurement, MeasurementId(4));
}

#[test]
fn an_overlap_is_found_from_either_side() {
    let quarter = |minutes: i64| {
        let start = hour_before_noon(3).start() + minutes.minutes();
        Interval::new(start, start + 15.minutes()).unwrap()
    };
    let whole = hour_before_noon(3);
    let overlaps = |of: Interval| ReadingRefusal::Overlaps { start: of.start(), end: of.end() };
    for (stored, row, expected) in [
        (whole, quarter(45), Some(overlaps(whole))),
        (whole, quarter(0), Some(overlaps(whole))),
        (whole, quarter(60), None),
        (whole, quarter(-15), None),
        (quarter(45), whole, Some(overlaps(quarter(45)))),
        (quarter(0), whole, Some(overlaps(quarter(0)))),
        (quarter(60), whole, None),
    ] {
        let mut state = state();
        store_reading(&mut state, reading(stored, 1), 0, 0);
        let (_, outcome) = submit(&state, METER, &[reading(row, 1)]);
        assert_eq!(outcome.refused.first().map(|r| r.refusal), expected, "stored {stored:?}, row {row:?}");
        let (_, outcome) = submit(&super::state(), METER, &[reading(stored, 1), reading(row, 1)]);
        assert_eq!(outcome.refused.first().map(|r| r.refusal), expected, "before {stored:?}, row {row:?}");
    }
}

#[test]
fn an_event_holds_a_thousand_readings() {
    let rows: Vec<_> = (1..=2_001).map(|hours| reading(hour_before_noon(hours), hours)).collect();
    let (changes, outcome) = submit(&state(), METER, &rows);
    assert_eq!(outcome.accepted, 2_001);
    let runs: Vec<_> = changes
        .iter()
        .map(|change| match change {
            Change::ReadingsAccepted { first, readings, .. } => (first.0, readings.len()),
            other => panic!("not readings: {other:?}"),
        })
        .collect();
    assert_eq!(runs, [(1, READINGS_PER_EVENT_MAX), (1_001, READINGS_PER_EVENT_MAX), (2_001, 1)]);
}
