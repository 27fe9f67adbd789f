//! Devices change and go: each fault alone, in the order of the rules.

use super::register::taken;
use super::*;
use crate::state::METER_DATA_ID;
use crate::{SdrId, StorageRefusal};

fn update(device_id: DeviceId, what: impl FnOnce(&mut DeviceUpdate)) -> Command {
    let mut update = DeviceUpdate::of(device_id);
    what(&mut update);
    Command::UpdateDevice(update)
}

fn measured() -> State {
    let mut state = state();
    state.devices.get_mut(&WIND).unwrap().gross_net = Some(GrossNet::Net);
    state.taken.insert((METER_DATA_ID, "meter-1".to_owned()));
    state.taken.insert((METER_DATA_ID, "taken".to_owned()));
    state
}

#[test]
fn a_change_of_a_device_is_refused_in_order() {
    let mut state = measured();
    let mut unmeasured = state.devices[&WIND].clone();
    (unmeasured.id, unmeasured.gross_net) = (DeviceId(2), None);
    state.devices.insert(DeviceId(2), unmeasured);
    state.devices.insert(DeviceId(3), Device { is_deleted: true, ..device(DeviceId(3)) });
    let needs = "the role Registry Administrator or Production Registrar, or the role Production User and membership of \
                 the device's account";
    let missing = |id| Refusal::DeviceMissing { device_id: DeviceId(id) };
    let fixed = |field| Refusal::DeviceMeasured { device_id: WIND, field };
    let meter = |id, meter: &str| update(id, |u| u.meter_data_id = Edit::Set(meter.to_owned()));
    let mut stranger = user(UserId(10), &[Role::ProductionUser]);
    stranger.id = UserId(10);
    state.users.insert(UserId(10), stranger);
    for (actor, command, expected) in [
        (TRADER, update(DeviceId(99), |_| ()), forbidden(needs)),
        (ISSUER, update(WIND, |_| ()), forbidden(needs)),
        (REGISTRAR, update(DeviceId(99), |_| ()), missing(99)),
        (REGISTRAR, update(DeviceId(3), |_| ()), missing(3)),
        (UserId(10), update(WIND, |_| ()), missing(1)),
        (
            REGISTRAR,
            update(WIND, |u| {
                u.account_id = Some(BUYER);
                u.kind = Some(KindUpdate::To(DeviceKind::Storage));
            }),
            Refusal::DeviceStays { device_id: WIND, account_id: BUYER },
        ),
        (REGISTRAR, update(WIND, |u| u.kind = Some(KindUpdate::To(DeviceKind::Storage))), fixed("device_type")),
        (REGISTRAR, meter(WIND, "taken"), fixed("meter_data_id")),
        (REGISTRAR, update(WIND, |u| u.meter_data_id = Edit::Clear), fixed("meter_data_id")),
        (REGISTRAR, update(WIND, |u| u.operational_date = Some(noon())), fixed("operational_date")),
        (REGISTRAR, meter(DeviceId(2), "taken"), taken("meter_data_id", "taken")),
    ] {
        assert_eq!(refusal(&state, actor, &command), expected, "{command:?}");
    }
    let kept = update(WIND, |u| {
        u.account_id = Some(SELLER);
        u.kind = Some(KindUpdate::NoStorage);
        u.meter_data_id = Edit::Set("meter-1".to_owned());
    });
    assert_eq!(decided(&state, PRODUCER, &kept).unwrap(), (vec![], Outcome::Device(WIND)), "what it is already");
}

#[test]
fn a_change_makes_a_new_version_and_a_producers_waits_for_approval() {
    let rename = update(WIND, |u| u.name = Some("Wind farm 2".to_owned()));
    let enlarge = update(WIND, |u| u.capacity_watts = Some(2_000_000));
    let state = measured();
    for (actor, command, is_approved) in [
        (REGISTRAR, &rename, true),
        (REGISTRAR, &enlarge, true),
        (PRODUCER, &rename, true),
        (PRODUCER, &enlarge, false),
    ] {
        let (changes, outcome) = decided(&state, actor, command).unwrap();
        let [Change::DeviceChanged { before, after }] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!((**before == state.devices[&WIND], outcome), (true, Outcome::Device(WIND)));
        assert_eq!((after.version, after.is_approved), (2, is_approved), "{actor:?} {command:?}");
        let same = Device {
            description: after.description.clone(),
            version: before.version,
            is_approved: before.is_approved,
            ..(**after).clone()
        };
        let back = Device { description: before.description.clone(), ..same };
        assert_eq!(back, **before, "nothing else changes");
    }
}

#[test]
fn an_unapproved_device_is_not_approved_by_being_changed() {
    let mut state = measured();
    state.devices.get_mut(&WIND).unwrap().is_approved = false;
    let (changes, _) = decided(&state, REGISTRAR, &update(WIND, |u| u.grid = Some("other".to_owned()))).unwrap();
    state.apply(ActionId(1), &changes);
    assert!(!state.devices[&WIND].is_approved);
}

#[test]
fn a_kind_and_a_meter_may_change_until_something_was_measured() {
    let mut state = measured();
    state.devices.get_mut(&WIND).unwrap().gross_net = None;
    for (kind, from, to) in [
        (KindUpdate::To(DeviceKind::Storage), DeviceKind::Production, DeviceKind::Storage),
        (KindUpdate::NoStorage, DeviceKind::Storage, DeviceKind::Production),
        (KindUpdate::NoStorage, DeviceKind::Consumption, DeviceKind::Consumption),
    ] {
        state.devices.get_mut(&WIND).unwrap().description.kind = from;
        let (changes, _) = decided(&state, REGISTRAR, &update(WIND, |u| u.kind = Some(kind))).unwrap();
        state.apply(ActionId(1), &changes);
        assert_eq!(state.devices[&WIND].description.kind, to);
    }
    let rename = |meter: &str| update(WIND, |u| u.meter_data_id = Edit::Set(meter.to_owned()));
    let (changes, _) = decided(&state, REGISTRAR, &rename("meter-9")).unwrap();
    state.apply(ActionId(2), &changes);
    let create = |meter| Command::CreateDevice(NewDevice { account_id: SELLER, description: description(meter) });
    assert_eq!(refusal(&state, REGISTRAR, &create("meter-9")), taken("meter_data_id", "meter-9"));
    assert!(decided(&state, REGISTRAR, &create("meter-1")).is_ok(), "nothing was counted by it");
}

#[test]
fn a_device_with_a_pending_reading_is_not_deleted() {
    let delete = Command::DeleteDevice(WIND);
    let hour = hour_before_noon(2);
    let pending = Refusal::DeviceHasPendingReadings { device_id: WIND, start: hour.start() };
    let estimated = Reading { quality: Quality::Estimated, ..reading(hour, 500) };
    for (reading, live, held, is_approved, is_pending) in [
        (reading(hour, 500), 0, 0, true, true),
        (reading(hour, 500), 499, 0, true, true),
        (reading(hour, 500), 0, 0, false, true),
        (reading(hour, 500), 500, 0, true, false),
        (reading(hour, 500), 0, 500, true, false),
        (reading(hour, 0), 0, 0, true, false),
        (estimated, 0, 0, true, false),
        (reading(hour, 1_100_001), 0, 0, true, false),
    ] {
        let mut state = measured();
        state.devices.get_mut(&WIND).unwrap().is_approved = is_approved;
        store_reading(&mut state, reading, live, held);
        let found = decided(&state, REGISTRAR, &delete).map(|(changes, _)| changes);
        let expected = if is_pending { Err(pending.clone()) } else { Ok(vec![Change::DeviceDeleted(WIND)]) };
        assert_eq!(found, expected, "{reading:?} {live} {held} {is_approved}");
    }
}

#[test]
fn a_storage_device_whose_discharges_are_not_certified_is_not_deleted() {
    let mut state = measured();
    state.storage.unissued.insert(WIND, SdrId(7));
    let unissued = Refusal::from(StorageRefusal::DeviceHasUnissued { device_id: WIND, sdr_id: SdrId(7) });
    assert_eq!(refusal(&state, REGISTRAR, &Command::DeleteDevice(WIND)), unissued);
    state.storage.unissued.clear();
    assert_eq!(decided(&state, REGISTRAR, &Command::DeleteDevice(WIND)).unwrap().0, [Change::DeviceDeleted(WIND)]);
}

#[test]
fn a_deleted_device_is_measured_and_issued_no_more_and_its_meter_stays_taken() {
    let mut state = measured();
    let needs = forbidden("the role Registry Administrator or Production Registrar");
    assert_eq!(refusal(&state, PRODUCER, &Command::DeleteDevice(WIND)), needs);
    let missing = Refusal::DeviceMissing { device_id: DeviceId(99) };
    assert_eq!(refusal(&state, REGISTRAR, &Command::DeleteDevice(DeviceId(99))), missing);
    let (changes, outcome) = decided(&state, REGISTRAR, &Command::DeleteDevice(WIND)).unwrap();
    assert_eq!(outcome, Outcome::Device(WIND));
    state.apply(ActionId(1), &changes);
    assert_eq!(decided(&state, REGISTRAR, &Command::DeleteDevice(WIND)).unwrap().0, []);
    let submit = Command::SubmitReadings(SubmitReadings {
        readings: vec![reading(hour_before_noon(1), 100)],
        source: ReadingSource::Submitted,
    });
    let Outcome::Readings(outcome) = decided(&state, METER, &submit).unwrap().1 else { panic!("readings") };
    assert_eq!(outcome.refused[0].refusal, ReadingRefusal::DeviceMissing { device_id: WIND });
    let missing = Refusal::DeviceMissing { device_id: WIND };
    assert_eq!(refusal(&state, REGISTRAR, &Command::ApproveDevice(WIND)), missing);
    assert_eq!(refusal(&state, REGISTRAR, &update(WIND, |_| ())), missing);
    let create = Command::CreateDevice(NewDevice { account_id: SELLER, description: description("meter-1") });
    assert_eq!(refusal(&state, REGISTRAR, &create), taken("meter_data_id", "meter-1"));
}
