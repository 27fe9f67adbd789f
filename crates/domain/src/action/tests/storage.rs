//! Storage: the worked example through commands, every refusal in order, withdrawals backwards, and any sequence.

mod refusals;
mod sequences;

use super::*;
use crate::storage::{AllocationMethod, EfficiencyBasis, Share};
use crate::{BundleId, Draw, ReadingStatus, Scr, ScrId, Sdr, SdrId, StorageRefusal};

/// Of `SELLER`, 1 MW, operational since the start of the year.
pub(super) const BATTERY: DeviceId = DeviceId(2);
/// Also of `SELLER`.
pub(super) const SECOND: DeviceId = DeviceId(3);
pub(super) const SOLAR: DeviceId = DeviceId(4);

pub(super) fn battery(id: DeviceId) -> Device {
    let description = DeviceDescription {
        name: "Battery".to_owned(),
        energy_source: EnergySource::BatteryStorage,
        technology_type: "lithium".to_owned(),
        operational_date: at("2026-01-01T00:00:00Z"),
        kind: DeviceKind::Storage,
        ..description(&format!("meter-{id}"))
    };
    Device { description, ..device(id) }
}

/// `state` with two batteries, a solar park, and whatever is measured by each reading that is stored.
pub(super) fn storage_state() -> State {
    let mut state = state();
    state.devices.insert(BATTERY, battery(BATTERY));
    state.devices.insert(SECOND, battery(SECOND));
    let solar = DeviceDescription { energy_source: EnergySource::SolarPv, ..description("meter-4") };
    state.devices.insert(SOLAR, Device { description: solar, ..device(SOLAR) });
    state.next.device = DeviceId(5);
    state
}

/// Of the day, as the example counts them: noon is when commands are given.
pub(super) fn hour(of_day: i64) -> Interval {
    let start = at("2026-02-28T00:00:00Z") + of_day.hours();
    Interval::new(start, start + 1.hour()).unwrap()
}

pub(super) fn measure(state: &mut State, device_id: DeviceId, interval: Interval, energy_wh: i64) -> MeasurementId {
    let reading = Reading { device_id, ..reading(interval, energy_wh) };
    let id = store_reading(state, reading, 0, 0);
    state.load_measurement(Measurement { id, reading, superseded_by: None });
    id
}

/// The reading, and all of it issued and cancelled for storage: the bundle's range.
pub(super) fn cancelled(state: &mut State, device: DeviceId, interval: Interval, energy: u64) -> CertificateRange {
    measure(state, device, interval, i64::try_from(energy).unwrap());
    let chunk = IssueChunk { metadata_id: METADATA, devices: vec![device], from: interval.start(), to: interval.end() };
    run(state, ISSUER, &Command::Issue(chunk)).unwrap();
    let id = BundleId(state.next.bundle.0 - 1);
    let purpose = Some(PURPOSE_STORAGE.to_owned());
    let cancel = Deed::Cancel { beneficiary: None, beneficiary_account: None, purpose };
    run(state, TRADER, &on_bundles(SELLER, &[id.0], Portion::Whole, cancel)).unwrap();
    state.bundle(id).unwrap().range
}

pub(super) fn run(state: &mut State, actor: UserId, command: &Command) -> Result<Outcome, Refusal> {
    let (changes, outcome) = decided(state, actor, command)?;
    let action = state.next.action;
    state.apply(action, &changes);
    Ok(outcome)
}

pub(super) fn charge(interval: Interval, energy: u64, backing: Option<(DeviceId, CertificateRange)>) -> CreateScr {
    let start = interval.start();
    let allocation =
        backing.map(|(device_id, range)| Allocation { device_id, start, sdr_id: None, range, energy_source: None });
    let matching_method = backing.map(|_| "single bidding zone".to_owned());
    CreateScr { device_id: BATTERY, interval, energy: WattHours(energy), allocation, matching_method, account_id: None }
}

/// A factor of 0.9, measured over January.
pub(super) fn january() -> EfficiencyBasis {
    let interval = Interval::new(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z")).unwrap();
    EfficiencyBasis { interval, charge_before: WattHours(0), charge_after: WattHours(0) }
}

pub(super) fn discharge(interval: Interval, energy: u64, method: AllocationMethod) -> CreateSdr {
    CreateSdr {
        device_id: BATTERY,
        interval,
        energy: WattHours(energy),
        method: Some(method),
        efficiency: Some(january()),
        picks: Vec::new(),
        account_id: None,
        energy_source: None,
    }
}

pub(super) fn record_charge(state: &mut State, new: CreateScr) -> Scr {
    match run(state, ISSUER, &Command::CreateScr(new)).unwrap() {
        Outcome::Scr(scr) => *scr,
        other => panic!("not a charge: {other:?}"),
    }
}

pub(super) fn record_discharge(state: &mut State, new: CreateSdr) -> (Sdr, Vec<Draw>) {
    match run(state, ISSUER, &Command::CreateSdr(new)).unwrap() {
        Outcome::Sdr { sdr, draws } => (*sdr, draws),
        other => panic!("not a discharge: {other:?}"),
    }
}

/// The charges A, B and C of the worked example, and the readings of both discharges.
pub(super) fn example() -> State {
    let mut state = storage_state();
    state.storage.measured.insert((BATTERY, january().interval), (5_000_000, 4_500_000));
    let solar = cancelled(&mut state, SOLAR, hour(10), 600_000);
    let wind = cancelled(&mut state, WIND, hour(11), 500_000);
    for (of_day, energy) in [(10, -600_000), (11, -500_000), (12, -200_000), (18, 720_000), (19, 450_000)] {
        measure(&mut state, BATTERY, hour(of_day), energy);
    }
    record_charge(&mut state, charge(hour(10), 600_000, Some((SOLAR, solar))));
    record_charge(&mut state, charge(hour(11), 500_000, Some((WIND, wind))));
    record_charge(&mut state, charge(hour(12), 200_000, None));
    state
}

/// (charge, gross of certificates, gross of none, certificates)
fn figures(draws: &[Draw]) -> Vec<(i64, u64, u64, u64)> {
    draws.iter().map(|d| (d.scr_id.0, d.taken.backed.0, d.taken.unbacked.0, d.certificates.0)).collect()
}

/// What is issued on an SDR: energy source and quantity of each bundle.
fn issued(state: &mut State, sdr: SdrId) -> Vec<(EnergySource, u64)> {
    let Outcome::Bundles { result, .. } = run(state, ISSUER, &Command::IssueSdgc(sdr)).unwrap() else {
        panic!("not bundles")
    };
    let snapshot = |id| {
        let (device, _, _) = state.attributes.iter().find(|(_, (known, _))| *known == id).unwrap().0;
        state.devices[device].description.energy_source
    };
    let bundles = result.iter().map(|made| state.bundle(made.bundle_id).unwrap());
    bundles.map(|b| (snapshot(b.attributes_id), b.range.quantity().0)).collect()
}

/// Charged; live and issuable certificates; losses; drawn of no certificate; in the reservoir. The first is the sum of the
/// others, whatever happened.
pub(super) fn identity(state: &State, device: DeviceId) -> (u64, u64, u64, u64, u64) {
    let standing = |draw: &&Draw| state.storage.sdrs.get(&draw.sdr_id).is_some_and(|sdr| !sdr.is_withdrawn);
    let scrs: Vec<&Scr> = state.storage.standing_charges(device).collect();
    let draws: Vec<&Draw> = state.storage.draws.values().filter(standing).collect();
    let draws: Vec<&Draw> = draws.into_iter().filter(|draw| scrs.iter().any(|scr| scr.id == draw.scr_id)).collect();
    let certified: u64 = draws.iter().map(|draw| draw.certificates.0).sum();
    let losses: u64 = draws.iter().map(|draw| draw.loss().0).sum();
    let unbacked: u64 = draws.iter().map(|draw| draw.taken.unbacked.0).sum();
    let charged: u64 = scrs.iter().map(|scr| scr.energy.0).sum();
    let reservoir: u64 = scrs.iter().map(|scr| scr.open().total().0).sum();
    (charged, certified, losses, unbacked, reservoir)
}

#[test]
fn the_worked_example_by_fifo() {
    use EnergySource::{SolarPv, Wind};
    let mut state = example();
    let (first, draws) = record_discharge(&mut state, discharge(hour(18), 720_000, AllocationMethod::Fifo));
    assert_eq!(figures(&draws), [(1, 600_000, 0, 540_000), (2, 200_000, 0, 180_000)]);
    let later = CreateSdr { method: None, efficiency: None, ..discharge(hour(19), 450_000, AllocationMethod::Fifo) };
    let (second, draws) = record_discharge(&mut state, later);
    assert_eq!(figures(&draws), [(2, 300_000, 0, 270_000), (3, 0, 200_000, 0)]);
    assert_eq!(second.efficiency, first.efficiency);
    assert_eq!(issued(&mut state, first.id), [(SolarPv, 540_000), (Wind, 180_000)]);
    assert_eq!(issued(&mut state, second.id), [(Wind, 270_000)]);
    // 1,100,000 Wh were cancelled: 990,000 Wh of certificates and 110,000 Wh of losses
    assert_eq!(identity(&state, BATTERY), (1_300_000, 990_000, 110_000, 200_000, 0));
}

#[test]
fn the_worked_example_by_lifo() {
    use EnergySource::{SolarPv, Wind};
    let mut state = example();
    let (first, draws) = record_discharge(&mut state, discharge(hour(18), 720_000, AllocationMethod::Lifo));
    assert_eq!(figures(&draws), [(3, 0, 200_000, 0), (2, 500_000, 0, 450_000), (1, 100_000, 0, 90_000)]);
    let (second, draws) = record_discharge(&mut state, discharge(hour(19), 450_000, AllocationMethod::Lifo));
    assert_eq!(figures(&draws), [(1, 500_000, 0, 450_000)]);
    assert_eq!(issued(&mut state, first.id), [(Wind, 450_000), (SolarPv, 90_000)]);
    assert_eq!(issued(&mut state, second.id), [(SolarPv, 450_000)]);
    assert_eq!(identity(&state, BATTERY), (1_300_000, 990_000, 110_000, 200_000, 0));
}

#[test]
fn the_worked_example_by_weighted_average() {
    use EnergySource::{SolarPv, Wind};
    let mut state = example();
    let new = discharge(hour(18), 720_000, AllocationMethod::WeightedAverage);
    let (sdr, draws) = record_discharge(&mut state, new);
    assert_eq!(figures(&draws), [(1, 369_231, 0, 332_307), (2, 307_692, 0, 276_922), (3, 0, 123_077, 0)]);
    assert_eq!(issued(&mut state, sdr.id), [(SolarPv, 332_307), (Wind, 276_922)]);
    let losses = 369_231 - 332_307 + 307_692 - 276_922;
    assert_eq!(identity(&state, BATTERY), (1_300_000, 609_229, losses, 123_077, 500_000));
}

#[test]
fn by_the_operators_discretion_what_is_stated_is_drawn() {
    let mut state = example();
    let pick = |scr, energy| Pick { scr_id: ScrId(scr), energy: WattHours(energy) };
    let picks = vec![pick(2, 450_000), pick(3, 200_000), pick(1, 150_000)];
    let new = CreateSdr { picks, ..discharge(hour(18), 720_000, AllocationMethod::Discretion) };
    let (_, draws) = record_discharge(&mut state, new);
    assert_eq!(figures(&draws), [(2, 450_000, 0, 405_000), (3, 0, 200_000, 0), (1, 150_000, 0, 135_000)]);
}

#[test]
fn certificates_of_a_discharge_are_the_storage_devices_with_the_attributes_of_what_was_charged() {
    let mut state = example();
    let (sdr, draws) = record_discharge(&mut state, discharge(hour(18), 720_000, AllocationMethod::Fifo));
    let (changes, _) = decided(&state, ISSUER, &Command::IssueSdgc(sdr.id)).unwrap();
    let [Change::BundleCreated(solar), Change::BundleCreated(wind)] = changes.as_slice() else { panic!("{changes:?}") };
    let backing = state.storage.scrs[&ScrId(1)].backing.unwrap();
    assert_eq!((solar.device_id, solar.account_id, solar.production), (BATTERY, SELLER, hour(18)));
    assert_eq!((solar.attributes_id, solar.draw_id), (backing.attributes_id, Some(draws[0].id)));
    assert_eq!((solar.range.first(), solar.range.last(), wind.range.first()), (1, 540_000, 540_001));
    assert_eq!(solar.expires_at, crate::time::expiry(hour(18).end(), 2).unwrap());
    let hash = |id| state.storage.snapshots[&id].hash;
    let storage = draws[0].attributes_id.unwrap();
    let expected = crate::seal::sdgc_hash(solar, &hash(solar.attributes_id), &hash(storage), draws[0].id);
    assert_eq!(solar.hash, expected);
    state.apply(ActionId(1), &changes);
    assert_eq!(state.devices[&BATTERY].next_certificate, 720_001);
    let again = decided(&state, ISSUER, &Command::IssueSdgc(sdr.id)).unwrap_err();
    assert_eq!(again, StorageRefusal::NothingToIssue { sdr_id: sdr.id }.into());
}

#[test]
fn allocating_splits_off_exactly_what_is_allocated() {
    for (taken, parts) in [
        ((1, 1_000), vec![(1, 1_000)]),
        ((1, 400), vec![(1, 400), (401, 1_000)]),
        ((301, 1_000), vec![(1, 300), (301, 1_000)]),
        ((301, 700), vec![(1, 300), (301, 700), (701, 1_000)]),
    ] {
        let mut state = storage_state();
        cancelled(&mut state, SOLAR, hour(10), 1_000);
        measure(&mut state, BATTERY, hour(10), -2_000);
        let range = CertificateRange::new(taken.0, taken.1).unwrap();
        let scr = record_charge(&mut state, charge(hour(10), 1_500, Some((SOLAR, range))));
        let backing = scr.backing.unwrap();
        assert_eq!(state.bundle(backing.bundle_id).unwrap().range, range);
        assert_eq!(scr.charged(), Share { backed: range.quantity(), unbacked: WattHours(1_500 - range.quantity().0) });
        let mut left: Vec<_> = (1..state.next.bundle.0)
            .map(|id| state.bundle(BundleId(id)).unwrap())
            .filter(|b| b.status != BundleStatus::Split)
            .inspect(|b| assert_eq!(b.status, BundleStatus::Cancelled))
            .map(|b| (b.range.first(), b.range.last()))
            .collect();
        left.sort_unstable();
        assert_eq!(left, parts);
    }
}

#[test]
fn what_is_allocated_is_neither_withdrawn_nor_claimed_nor_allocated_again() {
    let mut state = example();
    let backing = state.storage.scrs[&ScrId(1)].backing.unwrap().bundle_id;
    let withdraw = Deed::Withdraw { reason: "reason".to_owned(), export_failed: false };
    let withdraw = on_bundles(SELLER, &[backing.0], Portion::Whole, withdraw);
    let allocated = Refusal::from(StorageRefusal::BundleAllocated { bundle_id: backing, scr_id: ScrId(1) });
    assert_eq!(refusal(&state, ISSUER, &withdraw), allocated);
    let claim = on_bundles(SELLER, &[backing.0], Portion::Whole, Deed::Claim);
    assert_eq!(refusal(&state, TRADER, &claim), Refusal::CancelledForStorage { bundle_id: backing });
    run(&mut state, ISSUER, &Command::WithdrawScr(ScrId(1))).unwrap();
    assert_eq!(refusal(&state, TRADER, &claim), Refusal::CancelledForStorage { bundle_id: backing });
    let range = state.bundle(backing).unwrap().range;
    let again = record_charge(&mut state, charge(hour(10), 600_000, Some((SOLAR, range))));
    assert_eq!((again.id, again.backing.unwrap().bundle_id), (ScrId(4), backing));
    run(&mut state, ISSUER, &Command::WithdrawScr(again.id)).unwrap();
    run(&mut state, ISSUER, &withdraw).unwrap();
}

#[test]
fn withdrawals_go_backwards_and_what_was_withdrawn_is_issued_again() {
    let mut state = example();
    let (sdr, _) = record_discharge(&mut state, discharge(hour(18), 720_000, AllocationMethod::Fifo));
    let first = state.next.bundle;
    assert_eq!(issued(&mut state, sdr.id).len(), 2);
    let drawn = StorageRefusal::ScrDrawn { scr_id: ScrId(1), drawn_wh: WattHours(600_000) };
    assert_eq!(refusal(&state, ISSUER, &Command::WithdrawScr(ScrId(1))), drawn.into());
    let stands = StorageRefusal::SdrIssued { sdr_id: sdr.id, live_wh: WattHours(720_000) };
    assert_eq!(refusal(&state, ISSUER, &Command::WithdrawSdr(sdr.id)), stands.into());

    let withdraw = |id: BundleId, portion| {
        let deed = Deed::Withdraw { reason: "reason".to_owned(), export_failed: false };
        on_bundles(SELLER, &[id.0], portion, deed)
    };
    run(&mut state, ISSUER, &withdraw(first, quantity(40_000))).unwrap();
    let (changes, _) = decided(&state, ISSUER, &Command::IssueSdgc(sdr.id)).unwrap();
    let [Change::BundleCreated(again)] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((again.range.first(), again.range.last()), (720_001, 760_000), "always fresh ids");
    for id in [first.next(), BundleId(first.0 + 3)] {
        run(&mut state, ISSUER, &withdraw(id, Portion::Whole)).unwrap();
    }
    run(&mut state, ISSUER, &Command::WithdrawSdr(sdr.id)).unwrap();
    assert_eq!(identity(&state, BATTERY), (1_300_000, 0, 0, 0, 1_300_000));
    let withdrawn = StorageRefusal::SdrWithdrawn { sdr_id: sdr.id };
    assert_eq!(refusal(&state, ISSUER, &Command::IssueSdgc(sdr.id)), withdrawn.into());
    for id in 1..=3 {
        run(&mut state, ISSUER, &Command::WithdrawScr(ScrId(id))).unwrap();
        let (changes, _) = decided(&state, ISSUER, &Command::WithdrawScr(ScrId(id))).unwrap();
        assert_eq!(changes, [], "withdrawing again changes nothing");
    }
    let (changes, _) = decided(&state, ISSUER, &Command::WithdrawSdr(sdr.id)).unwrap();
    assert_eq!(changes, []);
    assert_eq!(identity(&state, BATTERY), (0, 0, 0, 0, 0));
}

#[test]
fn certificates_of_a_discharge_charge_another_battery() {
    let mut state = example();
    let (sdr, _) = record_discharge(&mut state, discharge(hour(18), 720_000, AllocationMethod::Fifo));
    let first = state.next.bundle;
    issued(&mut state, sdr.id);
    let purpose = Some(PURPOSE_STORAGE.to_owned());
    let cancel = Deed::Cancel { beneficiary: None, beneficiary_account: None, purpose };
    run(&mut state, TRADER, &on_bundles(SELLER, &[first.0], quantity(300_000), cancel)).unwrap();
    measure(&mut state, SECOND, hour(18), -300_000);
    let range = CertificateRange::new(1, 300_000).unwrap();
    let named = |sdr_id| CreateScr {
        device_id: SECOND,
        allocation: Some(Allocation {
            device_id: BATTERY,
            start: hour(18).start(),
            sdr_id,
            range,
            energy_source: None,
        }),
        ..charge(hour(18), 300_000, None)
    };
    let issuance_id = "2-electricity-20260228T180000Z".to_owned();
    let not_held = StorageRefusal::RangeNotHeld { account_id: SELLER, issuance_id, first: 1, last: 300_000 };
    assert_eq!(refusal(&state, ISSUER, &Command::CreateScr(named(None))), not_held.into());
    let scr = record_charge(&mut state, named(Some(sdr.id)));
    let (charged, solar) = (scr.backing.unwrap(), state.storage.scrs[&ScrId(1)].backing.unwrap());
    assert_eq!((charged.attributes_id, charged.metadata_id), (solar.attributes_id, solar.metadata_id));
    let withdraw = Deed::Withdraw { reason: "reason".to_owned(), export_failed: false };
    let withdraw = on_bundles(SELLER, &[charged.bundle_id.0], Portion::Whole, withdraw);
    let allocated = StorageRefusal::BundleAllocated { bundle_id: charged.bundle_id, scr_id: scr.id };
    assert_eq!(refusal(&state, ISSUER, &withdraw), allocated.into());
}

#[test]
fn a_discharge_beyond_the_reservoir_draws_all_of_it_and_no_more() {
    let mut state = example();
    measure(&mut state, BATTERY, hour(20), 900_000);
    measure(&mut state, BATTERY, hour(21), 5_000);
    let (_, draws) = record_discharge(&mut state, discharge(hour(18), 720_000, AllocationMethod::Fifo));
    assert_eq!(draws.len(), 2);
    let (sdr, draws) = record_discharge(&mut state, discharge(hour(20), 900_000, AllocationMethod::Fifo));
    assert_eq!(figures(&draws), [(2, 300_000, 0, 270_000), (3, 0, 200_000, 0)]);
    assert_eq!(sdr.efficiency.gross_of(sdr.energy), 1_000_000);
    let (empty, draws) = record_discharge(&mut state, discharge(hour(21), 5_000, AllocationMethod::Fifo));
    assert_eq!(draws, []);
    assert_eq!(
        refusal(&state, ISSUER, &Command::IssueSdgc(empty.id)),
        StorageRefusal::NothingToIssue { sdr_id: empty.id }.into()
    );
}

#[test]
fn only_charges_that_ended_before_are_drawn() {
    let mut state = example();
    measure(&mut state, BATTERY, hour(11), 100);
    // a battery that gave out for part of the hour after A
    let interval = hour(11);
    let place = (BATTERY, interval.start());
    state.storage.scrs.retain(|id, _| *id != ScrId(2));
    assert!(state.readings.contains_key(&place));
    let (_, draws) = record_discharge(&mut state, discharge(interval, 90, AllocationMethod::Lifo));
    assert_eq!(figures(&draws), [(1, 100, 0, 90)]);
}

#[test]
fn a_reading_stays_as_long_as_a_record_stands_on_it() {
    let mut state = storage_state();
    let id = measure(&mut state, BATTERY, hour(10), -1_000);
    let reading = state.readings[&(BATTERY, hour(10).start())].measurement.reading;
    state.load_measurement(Measurement { id, reading, superseded_by: None });
    let scr = record_charge(&mut state, charge(hour(10), 400, None));
    let update = MeasurementUpdate {
        measurement: id,
        energy_wh: Some(-900),
        quality: None,
        place: StatedPlace::default(),
        source: None,
    };
    let corrections = [Command::UpdateMeasurement(update), Command::DeleteMeasurement(id)];
    let recorded = ReadingRefusal::Recorded { recorded_wh: -1_000 };
    for command in &corrections {
        assert_eq!(refusal(&state, METER, command), Refusal::ReadingRefused { cause: recorded });
    }
    let readings = vec![Reading { energy_wh: -900, ..reading }];
    let submit = Command::SubmitReadings(SubmitReadings { readings, source: ReadingSource::Submitted });
    let (changes, Outcome::Readings(outcome)) = decided(&state, METER, &submit).unwrap() else { panic!("readings") };
    assert_eq!((changes, outcome.refused[0].refusal), (vec![], recorded));
    run(&mut state, ISSUER, &Command::WithdrawScr(scr.id)).unwrap();
    for command in corrections.iter().chain([&submit]) {
        assert!(decided(&state, METER, command).is_ok(), "{command:?}");
    }
}

#[test]
fn a_reading_of_storage_is_not_issued_itself() {
    let mut state = example();
    let (sdr, _) = record_discharge(&mut state, discharge(hour(18), 720_000, AllocationMethod::Fifo));
    issued(&mut state, sdr.id);
    let place = state.places[&(hour(18).start(), BATTERY)];
    let standing = standing(state.live_device(BATTERY), &place, &Hours::default(), noon(), &rules());
    assert_eq!((standing.status, standing.issued), (ReadingStatus::Issued, WattHours(720_000)));
    let chunk = IssueChunk { metadata_id: METADATA, devices: vec![BATTERY], from: hour(0).start(), to: hour(23).end() };
    let (changes, Outcome::Issue(outcome)) = decided(&state, ISSUER, &Command::Issue(chunk)).unwrap() else {
        panic!("an issue")
    };
    assert_eq!(changes, []);
    assert!(outcome.refused.iter().all(|refused| refused.refusal == ReadingRefusal::NotProduction));
}
