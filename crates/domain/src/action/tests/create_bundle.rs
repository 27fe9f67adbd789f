//! Bundles that the issuer states: the order of refusals, and the changes with and without a reading.

use super::*;
use crate::action::Stated;
use crate::bundle::issuance_id;
use crate::{EnergyCarrier, ReadingSource};

fn statement(hours: i64, quantity: u64) -> CreateBundle {
    CreateBundle {
        metadata_id: METADATA,
        device_id: WIND,
        production: hour_before_noon(hours),
        quantity: WattHours(quantity),
        stated: Stated::default(),
    }
}

fn create(statement: &CreateBundle) -> Command {
    Command::CreateBundle(statement.clone())
}

/// With a reading of 500 Wh for the hour before noon, of which `live` were issued and `held` are held.
fn measured(live: u64, held: u64) -> State {
    let mut state = state();
    let reading = statement(1, 500).reading(GrossNet::Net);
    let measurement = Measurement { id: MeasurementId(1), reading, superseded_by: None };
    let key = (WIND, reading.interval.start());
    state.readings.insert(key, CurrentReading { measurement, has_bundles: live + held > 0 });
    let place = IssuePlace { measurement, live: WattHours(live), held: WattHours(held), has_bundles: live + held > 0 };
    state.places.insert((key.1, WIND), place);
    state.next.measurement = MeasurementId(2);
    state
}

fn not_issuable(statement: &CreateBundle, cause: ReadingRefusal) -> Refusal {
    Refusal::NotIssuable { device_id: WIND, start: statement.production.start(), cause }
}

#[test]
fn a_statement_without_a_reading_is_recorded_as_one() {
    let mut state = state();
    let statement = statement(1, 700);
    let (changes, outcome) = decided(&state, ISSUER, &create(&statement)).unwrap();
    let [
        Change::ReadingsAccepted { first, readings, source },
        Change::AttributesCreated(attributes),
        Change::BundleCreated(bundle),
    ] = &changes[..]
    else {
        panic!("{changes:?}");
    };
    assert_eq!((*first, *source), (MeasurementId(1), ReadingSource::Issuer));
    assert_eq!(readings[..], [statement.reading(GrossNet::Net)]);
    assert_eq!((bundle.range.first(), bundle.range.last(), bundle.account_id), (1, 700, SELLER));
    let Outcome::Created(created) = outcome else { panic!("{outcome:?}") };
    assert_eq!((&created.bundle, &created.attributes), (bundle, attributes));
    state.apply(ActionId(1), &changes);
    let again = refusal(&state, ISSUER, &create(&statement));
    assert_eq!(again, not_issuable(&statement, ReadingRefusal::AlreadyIssued { issued_wh: 700 }));
}

#[test]
fn a_statement_with_a_reading_issues_what_is_left_of_it() {
    let state = measured(200, 100);
    let (changes, _) = decided(&state, ADMINISTRATOR, &create(&statement(1, 200))).unwrap();
    let [Change::AttributesCreated(_), Change::BundleCreated(bundle)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(bundle.range.quantity(), WattHours(200));
}

#[test]
fn a_statement_is_refused_in_this_order() {
    let zero = CreateBundle { quantity: WattHours(0), ..statement(1, 0) };
    let elsewhere = CreateBundle { device_id: DeviceId(99), ..zero.clone() };
    let unknown = CreateBundle { metadata_id: MetadataId(99), ..elsewhere.clone() };
    let future = statement(0, 1);
    let overlapping = Interval::new(noon() - 90.minutes(), noon() - 30.minutes()).unwrap();
    let overlapping = CreateBundle { production: overlapping, ..statement(1, 1) };
    let hour = hour_before_noon(1);
    let large = statement(2, 1_100_001);
    let above = ReadingRefusal::AboveCapacity { asked_wh: WattHours(1_100_001), limit_wh: WattHours(1_100_000) };
    for (state, actor, statement, expected) in [
        (state(), TRADER, &unknown, forbidden("the role Registry Administrator or GC Issuer")),
        (state(), METER, &unknown, forbidden("the role Registry Administrator or GC Issuer")),
        (state(), ISSUER, &unknown, Refusal::MetadataMissing { metadata_id: MetadataId(99) }),
        (state(), ISSUER, &elsewhere, Refusal::DeviceMissing { device_id: DeviceId(99) }),
        (state(), ISSUER, &zero, Refusal::QuantityZero),
        (state(), ISSUER, &future, not_issuable(&future, ReadingRefusal::InFuture { end: future.production.end() })),
        (
            measured(0, 0),
            ISSUER,
            &overlapping,
            not_issuable(&overlapping, ReadingRefusal::Overlaps { start: hour.start(), end: hour.end() }),
        ),
        (state(), ISSUER, &large, not_issuable(&large, above)),
        (
            measured(0, 500),
            ISSUER,
            &statement(1, 500),
            not_issuable(&statement(1, 500), ReadingRefusal::Held { held_wh: WattHours(500) }),
        ),
        (
            measured(0, 0),
            ISSUER,
            &statement(1, 499),
            Refusal::StatementDiffers { member: "bundle_quantity", expected: "500".to_owned() },
        ),
    ] {
        assert_eq!(refusal(&state, actor, &create(statement)), expected, "{statement:?} by {actor}");
    }
}

#[test]
fn whatever_is_stated_beside_must_be_what_is_assigned() {
    let state = measured(0, 0);
    let start = hour_before_noon(1).start();
    let Ok((_, Outcome::Created(created))) = decided(&state, ISSUER, &create(&statement(1, 500))) else {
        panic!("it is issuable")
    };
    let right = Stated {
        issuance: Some((WIND, start)),
        account_id: Some(SELLER),
        status: Some(BundleStatus::Active),
        range_first: Some(1),
        range_last: Some(500),
        energy_carrier: Some(EnergyCarrier::Electricity),
        energy_source: Some(EnergySource::Wind),
        face_value: Some(1),
        is_post_conversion: Some(false),
        expires_at: Some(created.bundle.expires_at),
        is_storage: Some(false),
        hash: Some(crate::seal::hex(&created.bundle.hash)),
    };
    let with = |stated: Stated| create(&CreateBundle { stated, ..statement(1, 500) });
    decided(&state, ISSUER, &with(right.clone())).unwrap();
    let issuance = issuance_id(WIND, EnergyCarrier::Electricity, start);
    for (stated, member, expected) in [
        (Stated { issuance: Some((WIND, noon())), account_id: Some(BUYER), ..right.clone() }, "issuance_id", issuance),
        (Stated { account_id: Some(BUYER), range_first: Some(2), ..right.clone() }, "account_id", "1".to_owned()),
        (
            Stated { status: Some(BundleStatus::Expired), ..right.clone() },
            "certificate_bundle_status",
            "Active".to_owned(),
        ),
        (Stated { range_first: Some(2), ..right.clone() }, "certificate_bundle_id_range_start", "1".to_owned()),
        (Stated { range_last: Some(501), ..right.clone() }, "certificate_bundle_id_range_end", "500".to_owned()),
        (
            Stated { energy_carrier: Some(EnergyCarrier::Heat), ..right.clone() },
            "energy_carrier",
            "electricity".to_owned(),
        ),
        (Stated { energy_source: Some(EnergySource::Coal), ..right.clone() }, "energy_source", "wind".to_owned()),
        (Stated { face_value: Some(1_000), ..right.clone() }, "face_value", "1".to_owned()),
        (
            Stated { is_post_conversion: Some(true), ..right.clone() },
            "issuance_post_energy_carrier_conversion",
            "false".to_owned(),
        ),
        (
            Stated { expires_at: Some(noon()), ..right.clone() },
            "expiry_datestamp",
            created.bundle.expires_at.to_string(),
        ),
        (Stated { is_storage: Some(true), ..right.clone() }, "is_storage", "false".to_owned()),
        (Stated { hash: Some("00".to_owned()), ..right.clone() }, "hash", right.hash.clone().unwrap()),
    ] {
        let expected = Refusal::StatementDiffers { member, expected };
        assert_eq!(refusal(&state, ISSUER, &with(stated)), expected);
    }
}
