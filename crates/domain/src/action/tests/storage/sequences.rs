//! Any sequence of records, issues, withdrawals, cancellations and corrections: the identity is exact after each, and no
//! watt-hour counts twice.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    device: DeviceId,
    of_day: i64,
    energy: u64,
    method: usize,
    pick: usize,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let device = prop_oneof![3 => Just(BATTERY), 1 => Just(SECOND)];
    let step = (0..13_u8, device, 0..24_i64, 1..1_200_u64, 0..12_usize, any::<usize>());
    let step = step.prop_map(|(kind, device, of_day, energy, method, pick)| Step {
        kind,
        device,
        of_day,
        energy,
        method,
        pick,
    });
    proptest::collection::vec(step, 1..120)
}

/// Both batteries took in for half of the day and gave out for the other; solar was issued every hour.
fn day() -> State {
    let mut state = storage_state();
    for battery in [BATTERY, SECOND] {
        state.storage.measured.insert((battery, january().interval), (5_000_000, 4_123_457));
        for of_day in 0..24 {
            let is_charge = (of_day / 3 + battery.0) % 2 == 0;
            measure(&mut state, battery, hour(of_day), if is_charge { -1_000 } else { 700 });
        }
    }
    for of_day in 0..24 {
        measure(&mut state, SOLAR, hour(of_day), 900);
    }
    let (from, to) = (hour(0).start(), hour(23).end());
    let chunk = IssueChunk { metadata_id: METADATA, devices: vec![SOLAR], from, to };
    run(&mut state, ISSUER, &Command::Issue(chunk)).unwrap();
    state
}

fn bundles_in(state: &State) -> Vec<Bundle> {
    (1..state.next.bundle.0).map(|id| state.bundle(BundleId(id)).expect("ids are serial").clone()).collect()
}

fn command_of(step: &Step, state: &State) -> (UserId, Command) {
    let all = bundles_in(state);
    let picked = |wanted: &dyn Fn(&Bundle) -> bool| {
        let apt: Vec<&Bundle> = all.iter().filter(|b| wanted(b)).collect();
        apt.get(step.pick % apt.len().max(1)).map(|b| (*b).clone())
    };
    let on = |bundle: Option<Bundle>, deed| {
        let (ids, held): (Vec<i64>, u64) = bundle.map_or((vec![], 1), |b| (vec![b.id.0], b.range.quantity().0));
        let portion = if step.energy.is_multiple_of(3) { Portion::Whole } else { quantity(step.energy % held + 1) };
        on_bundles(SELLER, &ids, portion, deed)
    };
    let some = |count: i64| i64::try_from(step.pick % 1_000).unwrap() % count.max(1) + 1;
    let (charge_id, discharge_id) = (ScrId(some(state.next.scr.0)), SdrId(some(state.next.sdr.0)));
    match step.kind {
        0 | 1 => {
            let purpose = Some(PURPOSE_STORAGE.to_owned());
            let cancel = Deed::Cancel { beneficiary: None, beneficiary_account: None, purpose };
            (TRADER, on(picked(&|b| b.status == BundleStatus::Active), cancel))
        }
        2 | 3 => {
            let cancelled = |b: &Bundle| b.status == BundleStatus::Cancelled;
            let allocation = picked(&cancelled).map(|bundle| {
                let first = bundle.range.first() + step.energy % bundle.range.quantity().0;
                let last = bundle.range.last().min(first + step.energy / 2);
                let range = CertificateRange::new(first, last).unwrap();
                let (device_id, start) = (bundle.device_id, bundle.production.start());
                Allocation { device_id, start, sdr_id: state.sdr_of(&bundle), range, energy_source: None }
            });
            let interval = allocation.map_or(hour(step.of_day), |allocation| {
                Interval::new(allocation.start, allocation.start + 1.hour()).unwrap()
            });
            let new = CreateScr { device_id: step.device, allocation, ..charge(interval, step.energy, None) };
            (ISSUER, Command::CreateScr(new))
        }
        4 => (
            ISSUER,
            Command::CreateScr(CreateScr { device_id: step.device, ..charge(hour(step.of_day), step.energy, None) }),
        ),
        5 | 6 => {
            // mostly the same method, so that it mostly is the device's
            let method = AllocationMethod::ALL[if step.method < 8 { 2 } else { step.method - 8 }];
            let new = discharge(hour(step.of_day), step.energy % 700 + 1, method);
            (ISSUER, Command::CreateSdr(CreateSdr { device_id: step.device, ..new }))
        }
        7 | 8 => (ISSUER, Command::IssueSdgc(discharge_id)),
        9 => (ISSUER, Command::WithdrawScr(charge_id)),
        10 => (ISSUER, Command::WithdrawSdr(discharge_id)),
        11 => {
            let deed = Deed::Withdraw { reason: "reason".to_owned(), export_failed: false };
            (ISSUER, on(picked(&|b| b.status.is_live()), deed))
        }
        _ => {
            let current = state.readings.get(&(step.device, hour(step.of_day).start()));
            let measurement = current.map_or(MeasurementId(99_999), |current| current.measurement.id);
            let was = current.map_or(0, |current| current.measurement.reading.energy_wh);
            let energy_wh = Some(was.signum() * i64::try_from(step.energy).unwrap());
            let update = MeasurementUpdate {
                measurement,
                energy_wh,
                quality: None,
                place: StatedPlace::default(),
                source: None,
            };
            (METER, Command::UpdateMeasurement(update))
        }
    }
}

fn check(state: &State) -> Result<(), TestCaseError> {
    for device in [BATTERY, SECOND] {
        let (charged, certified, losses, unbacked, reservoir) = identity(state, device);
        prop_assert_eq!(charged, certified + losses + unbacked + reservoir);
    }
    let mut drawn: BTreeMap<ScrId, Share> = BTreeMap::new();
    let all = bundles_in(state);
    for draw in state.storage.draws.values() {
        let sdr = &state.storage.sdrs[&draw.sdr_id];
        let live: u64 =
            all.iter().filter(|b| b.draw_id == Some(draw.id) && b.status.is_live()).map(|b| b.range.quantity().0).sum();
        prop_assert_eq!(WattHours(live), state.storage.live_of(draw.id));
        prop_assert!(live <= draw.certificates.0 && (live == 0 || !sdr.is_withdrawn));
        if !sdr.is_withdrawn {
            let sum = drawn.entry(draw.scr_id).or_default();
            *sum = sum.plus(draw.taken);
        }
    }
    let mut allocated = BTreeMap::new();
    for scr in state.storage.scrs.values() {
        prop_assert_eq!(scr.drawn, drawn.get(&scr.id).copied().unwrap_or_default());
        let Some(backing) = scr.backing.filter(|_| !scr.is_withdrawn) else { continue };
        prop_assert!(allocated.insert(backing.bundle_id, scr.id).is_none(), "a bundle backs one charge");
        let bundle = state.bundle(backing.bundle_id).unwrap();
        prop_assert_eq!((bundle.status, bundle.range.quantity()), (BundleStatus::Cancelled, backing.energy));
        prop_assert!(backing.energy <= scr.energy);
        prop_assert!(
            scr.interval.start() <= bundle.production.start() && bundle.production.end() <= scr.interval.end()
        );
    }
    for ((device, start), current) in &state.readings {
        let (device, start) = (*device, *start);
        let stated = WattHours(current.measurement.reading.energy_wh.unsigned_abs());
        let charges: WattHours = state.storage.charges_of(device, start).map(|scr| scr.energy).sum();
        let discharges: WattHours = state.storage.discharges_of(device, start).map(|sdr| sdr.energy).sum();
        prop_assert!(charges <= stated && discharges <= stated);
        let live = all.iter().filter(|b| b.device_id == device && b.production.start() == start && b.status.is_live());
        prop_assert!(live.map(|b| b.range.quantity()).sum::<WattHours>() <= stated || device == SOLAR);
    }
    check_ranges(state, &all)
}

/// The certificates of each device are each in exactly one bundle that is not a split parent.
fn check_ranges(state: &State, all: &[Bundle]) -> Result<(), TestCaseError> {
    for device in [SOLAR, BATTERY, SECOND] {
        let mut own: Vec<&Bundle> =
            all.iter().filter(|b| b.device_id == device && b.status != BundleStatus::Split).collect();
        own.sort_by_key(|b| b.range.first());
        let mut next = 1;
        for bundle in own {
            prop_assert_eq!(bundle.range.first(), next, "no gap, no overlap");
            next = bundle.range.last() + 1;
        }
        prop_assert_eq!(next, state.devices[&device].next_certificate);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_sequence_of_records_counts_a_watt_hour_twice(steps in steps()) {
        let mut state = day();
        for step in &steps {
            let (actor, command) = command_of(step, &state);
            let _refused_or_done: Result<Outcome, Refusal> = run(&mut state, actor, &command);
            check(&state)?;
        }
    }
}

/// Neither rules nor refusals may go unseen because the dice are loaded.
#[test]
fn sequences_come_to_something() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..100 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let mut state = day();
        for step in &steps {
            let (actor, command) = command_of(step, &state);
            if run(&mut state, actor, &command).is_ok() {
                *done.entry(command.kind().name()).or_default() += 1;
            }
        }
    }
    for kind in
        ["create_scr", "create_sdr", "issue_sdgc", "withdraw_scr", "withdraw_sdr", "withdraw", "update_measurement"]
    {
        assert!(done.get(kind).copied().unwrap_or(0) >= 10, "{kind}: {done:?}");
    }
}
