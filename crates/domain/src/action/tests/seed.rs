//! What is adopted of a seed, and why a row is not.

use super::*;
use crate::{Cancellation, SeedRefusal};
use std::sync::Arc;

const HOUR: i64 = 3;

fn bundle(id: i64, parent: Option<usize>, quantity: u64, status: BundleStatus) -> SeedBundle {
    let must = matches!(status, BundleStatus::Cancelled | BundleStatus::Claimed);
    let cancellation = must
        .then(|| Arc::new(Cancellation { beneficiary: "Alice".to_owned(), beneficiary_account: None, purpose: None }));
    SeedBundle { id: BundleId(id), parent, quantity: WattHours(quantity), account_id: SELLER, status, cancellation }
}

fn family(members: Vec<SeedBundle>) -> SeedFamily {
    SeedFamily {
        device_id: WIND,
        metadata_id: METADATA,
        production: hour_before_noon(HOUR),
        issued_at: at("2026-03-01T10:00:00Z"),
        first: 1,
        members,
    }
}

fn root() -> SeedFamily {
    family(vec![bundle(100, None, 1_000, BundleStatus::Active)])
}

/// A state in which nothing was issued on the wind farm, with a reading of `HOUR` where `energy_wh` says so.
fn before(energy_wh: Option<i64>) -> State {
    let mut state = state();
    if let Some(energy_wh) = energy_wh {
        store_reading(&mut state, reading(hour_before_noon(HOUR), energy_wh), 0, 0);
    }
    state
}

fn import(state: &State, rows: ImportSeed) -> (Changes, SeedOutcome) {
    let (changes, outcome) = decide(state, Actor::Operator, &Command::ImportSeed(rows), noon(), &rules()).unwrap();
    match outcome {
        Outcome::Seed(outcome) => (changes, outcome),
        other => panic!("{other:?}"),
    }
}

fn refusal(state: &State, rows: ImportSeed) -> SeedRefusal {
    let (changes, outcome) = import(state, rows);
    assert!(changes.is_empty(), "{changes:?}");
    outcome.refused.into_iter().next().expect("a refusal").refusal
}

#[test]
fn only_the_operator_imports() {
    let command = Command::ImportSeed(ImportSeed::Families(vec![root()]));
    let refused = decide(&before(None), Actor::User(ADMINISTRATOR), &command, noon(), &rules());
    assert!(matches!(refused, Err(Refusal::Forbidden { .. })), "{refused:?}");
}

#[test]
fn a_family_is_refused_whole_with_its_reason() {
    let of_reading = |refusal: ReadingRefusal| SeedRefusal::Reading(refusal);
    let parts = |first: u64, rest: u64| {
        family(vec![
            bundle(100, None, 1_000, BundleStatus::Split),
            bundle(101, Some(0), first, BundleStatus::Active),
            bundle(102, Some(0), rest, BundleStatus::Cancelled),
        ])
    };
    let with = |change: &dyn Fn(&mut SeedFamily)| {
        let mut family = root();
        change(&mut family);
        family
    };
    let status = |status| with(&|f| f.members[0].status = status);
    let differ = |whole, sum| SeedRefusal::PartsDiffer {
        bundle_id: BundleId(100),
        whole_wh: WattHours(whole),
        parts_wh: WattHours(sum),
    };
    let malformed = SeedRefusal::FamilyMalformed { bundle_id: BundleId(100) };
    for (case, family, expected) in [
        (
            "device",
            with(&|f| f.device_id = DeviceId(9)),
            of_reading(ReadingRefusal::DeviceMissing { device_id: DeviceId(9) }),
        ),
        (
            "metadata",
            with(&|f| f.metadata_id = MetadataId(9)),
            SeedRefusal::MetadataMissing { metadata_id: MetadataId(9) },
        ),
        ("id", with(&|f| f.members[0].id = BundleId(0)), SeedRefusal::IdUsed { id: 0 }),
        ("account", with(&|f| f.members[0].account_id = NOBODY), SeedRefusal::AccountMissing { account_id: NOBODY }),
        (
            "no cancellation",
            status(BundleStatus::Cancelled),
            SeedRefusal::CancellationMisplaced { bundle_id: BundleId(100), status: BundleStatus::Cancelled },
        ),
        ("minted", parts(400, 601), differ(1_000, 1_001)),
        ("lost", parts(400, 599), differ(1_000, 999)),
        ("a part of nothing", parts(0, 1_000), differ(1_000, 1_000)),
        ("split without parts", status(BundleStatus::Split), malformed.clone()),
        ("nothing", with(&|f| f.members[0].quantity = WattHours::ZERO), malformed.clone()),
        (
            "parts in the wrong order",
            {
                let mut family = parts(400, 600);
                family.members[1].id = BundleId(103);
                family
            },
            malformed.clone(),
        ),
        (
            "parts of what is not split",
            {
                let mut family = parts(400, 600);
                family.members[0].status = BundleStatus::Active;
                family
            },
            malformed,
        ),
        (
            "issued in the future",
            with(&|f| f.issued_at = noon() + 1.second()),
            of_reading(ReadingRefusal::InFuture { end: noon() + 1.second() }),
        ),
        (
            "produced in the future",
            with(&|f| f.production = hour_before_noon(0)),
            of_reading(ReadingRefusal::InFuture { end: noon() + 1.hour() }),
        ),
        (
            "above its reading",
            with(&|f| f.members[0].quantity = WattHours(1_001)),
            SeedRefusal::AboveReading { live_wh: WattHours(1_001), accepted_wh: WattHours(1_000) },
        ),
    ] {
        assert_eq!(refusal(&before(Some(1_000)), ImportSeed::Families(vec![family])), expected, "{case}");
    }
}

#[test]
fn capacity_bounds_what_states_its_own_reading() {
    let family = family(vec![bundle(100, None, 1_100_001, BundleStatus::Active)]);
    let expected = ReadingRefusal::AboveCapacity { asked_wh: WattHours(1_100_001), limit_wh: WattHours(1_100_000) };
    assert_eq!(refusal(&before(None), ImportSeed::Families(vec![family])), expected.into());
}

#[test]
fn certificates_ascend_and_the_second_of_two_that_overlap_is_refused() {
    let second = SeedFamily {
        first: 1_000,
        production: hour_before_noon(HOUR - 1),
        members: vec![bundle(101, None, 10, BundleStatus::Active)],
        ..root()
    };
    let third = SeedFamily {
        first: 2_001,
        production: hour_before_noon(HOUR - 2),
        members: vec![bundle(102, None, 10, BundleStatus::Active)],
        ..root()
    };
    let (changes, outcome) = import(&before(None), ImportSeed::Families(vec![root(), second, third]));
    assert_eq!((outcome.adopted, outcome.stated.as_slice()), (2, &[0, 2][..]));
    let expected = SeedRefusal::CertificatesTaken { first: 1_000, next: 1_001 };
    assert_eq!(outcome.refused, [SeedRefused { place: 1, refusal: expected }]);
    let mut after = before(None);
    after.apply(ActionId(1), &changes);
    assert_eq!(after.devices[&WIND].next_certificate, 2_011);
    assert_eq!(after.next.bundle, BundleId(103));
    assert_eq!(after.bundle(BundleId(102)).unwrap().range.first(), 2_001);
    // what was stated is a reading of the issuer's
    let stated: Vec<_> =
        after.written.measurements.iter().map(|(m, source, _)| (m.reading.energy_wh, *source)).collect();
    assert_eq!(stated, [(1_000, ReadingSource::Issuer), (10, ReadingSource::Issuer)]);
}

#[test]
fn ranges_come_from_quantities_and_time_runs_out() {
    let old = Interval::new(at("2022-03-01T09:00:00Z"), at("2022-03-01T10:00:00Z")).unwrap();
    let members = vec![
        bundle(100, None, 100, BundleStatus::Split),
        bundle(103, Some(0), 25, BundleStatus::Split),
        bundle(105, Some(0), 75, BundleStatus::Active),
        bundle(106, Some(1), 5, BundleStatus::Claimed),
        bundle(109, Some(1), 20, BundleStatus::Reserved),
    ];
    let rows = SeedFamily { production: old, issued_at: at("2022-03-02T00:00:00Z"), first: 11, ..family(members) };
    let (changes, outcome) = import(&before(None), ImportSeed::Families(vec![rows]));
    assert_eq!(outcome.expired, [BundleId(105)]);
    let mut after = before(None);
    after.apply(ActionId(1), &changes);
    for (id, first, last, status) in [
        (100, 11, 110, BundleStatus::Split),
        (103, 11, 35, BundleStatus::Split),
        (105, 36, 110, BundleStatus::Expired),
        (106, 11, 15, BundleStatus::Claimed),
        (109, 16, 35, BundleStatus::Reserved),
    ] {
        let bundle = after.bundle(BundleId(id)).unwrap();
        assert_eq!((bundle.range.first(), bundle.range.last(), bundle.status), (first, last, status), "{id}");
    }
}

#[test]
fn a_row_of_people_is_refused_with_its_reason() {
    let state = state();
    let user = |id| User { id: UserId(id), is_deleted: false, ..user(UserId(id), &[Role::Auditor]) };
    let account = |id, name: &str| Account { id: AccountId(id), name: name.to_owned(), ..account(AccountId(id)) };
    let device = |id, account_id, meter: &str| SeedDevice {
        id: DeviceId(id),
        account_id,
        description: description(meter),
        created_at: noon(),
    };
    let next = state.next;
    let second = |rows| import(&state, rows).1.refused;
    let refused = |place, refusal| vec![SeedRefused { place, refusal }];
    let (u, a, d) = (next.user.0, next.account.0, next.device.0);
    let same = User { primary_contact: user(u).primary_contact, ..user(u + 5) };
    let taken = SeedRefusal::Taken { field: "primary_contact", value: same.primary_contact.clone() };
    assert_eq!(second(ImportSeed::Users(vec![user(u), same])), refused(1, taken));
    assert_eq!(second(ImportSeed::Users(vec![user(u + 1), user(u)])), refused(1, SeedRefusal::IdUsed { id: u }));
    assert_eq!(second(ImportSeed::Users(vec![user(1)])), refused(0, SeedRefusal::IdUsed { id: 1 }));
    let taken = SeedRefusal::Taken { field: "account_name", value: "New".to_owned() };
    let rows = ImportSeed::Accounts(vec![account(a, "New"), account(a + 1, "New")]);
    assert_eq!(second(rows), refused(1, taken));
    let taken = SeedRefusal::Taken { field: "meter_data_id", value: "m".to_owned() };
    let rows = ImportSeed::Devices(vec![device(d, SELLER, "m"), device(d + 3, SELLER, "m")]);
    assert_eq!(second(rows), refused(1, taken));
    let missing = SeedRefusal::AccountMissing { account_id: NOBODY };
    assert_eq!(second(ImportSeed::Devices(vec![device(d, NOBODY, "m")])), refused(0, missing.clone()));
    assert_eq!(second(ImportSeed::Members(vec![(TRADER, NOBODY)])), refused(0, missing.clone()));
    let nobody = SeedRefusal::UserMissing { user_id: UserId(99) };
    assert_eq!(second(ImportSeed::Members(vec![(UserId(99), SELLER)])), refused(0, nobody));
    assert_eq!(second(ImportSeed::Senders(vec![(SELLER, NOBODY)])), refused(0, missing));
    let own = SeedRefusal::OwnWhitelist { account_id: SELLER };
    assert_eq!(second(ImportSeed::Senders(vec![(SELLER, SELLER)])), refused(0, own));
}
