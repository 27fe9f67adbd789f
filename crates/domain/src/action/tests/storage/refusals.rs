//! Every refusal of every command on storage, in order.

use super::*;
use StorageRefusal as Storage;

const UNKNOWN: DeviceId = DeviceId(99);

/// Two charges of 1,000 Wh of the battery, 1,000 Wh of solar cancelled beside the first.
fn charged() -> State {
    let mut state = storage_state();
    state.storage.measured.insert((BATTERY, january().interval), (5_000_000, 4_500_000));
    cancelled(&mut state, SOLAR, hour(10), 1_000);
    for (of_day, energy) in [(10, -1_000), (11, -1_000), (18, 900)] {
        measure(&mut state, BATTERY, hour(of_day), energy);
    }
    state
}

fn with_charges() -> State {
    let mut state = charged();
    record_charge(&mut state, charge(hour(10), 1_000, None));
    record_charge(&mut state, charge(hour(11), 1_000, None));
    state
}

fn range(first: u64, last: u64) -> CertificateRange {
    CertificateRange::new(first, last).unwrap()
}

#[test]
fn only_the_issuer_records_withdraws_and_issues() {
    let state = with_charges();
    let commands = [
        Command::CreateScr(charge(hour(10), 1, None)),
        Command::CreateSdr(discharge(hour(18), 900, AllocationMethod::Fifo)),
        Command::WithdrawScr(ScrId(1)),
        Command::WithdrawSdr(SdrId(1)),
        Command::IssueSdgc(SdrId(1)),
    ];
    for command in &commands {
        for actor in [REGISTRAR, METER, TRADER, PRODUCER, AUDITOR, DELETED_USER] {
            let expected = forbidden("the role Registry Administrator or GC Issuer");
            assert_eq!(refusal(&state, actor, command), expected, "{actor} {command:?}");
        }
        for actor in [ADMINISTRATOR, ISSUER] {
            let decided = decided(&state, actor, command);
            assert!(!matches!(decided, Err(Refusal::Forbidden { .. })), "{actor} {command:?}");
        }
    }
}

#[test]
fn a_record_fits_its_device_and_its_reading() {
    let mut state = charged();
    let (start, end) = (hour(12).start(), hour(12).end());
    let device_id = BATTERY;
    let new = |device_id, of_day, energy| CreateScr { device_id, ..charge(hour(of_day), energy, None) };
    let recordable = |start, cause| Refusal::from(Storage::NotRecordable { device_id, start, cause });
    let estimated = reading(hour(13), -500);
    let estimated = Reading { device_id: BATTERY, quality: Quality::Estimated, ..estimated };
    store_reading(&mut state, estimated, 0, 0);
    measure(&mut state, BATTERY, hour(14), -2_000_000);
    record_charge(&mut state, charge(hour(11), 400, None));
    let half = Interval::new(hour(10).start(), hour(10).start() + 30.minutes()).unwrap();
    let part = CreateScr { interval: half, ..charge(hour(10), 1_000, None) };
    let above = Storage::AboveAccepted {
        device_id,
        start: hour(11).start(),
        accepted_wh: WattHours(1_000),
        recorded_wh: WattHours(400),
        asked_wh: WattHours(601),
    };
    let asked_wh = WattHours(2_000_000);
    for (new, expected) in [
        (new(UNKNOWN, 10, 0), Refusal::DeviceMissing { device_id: UNKNOWN }),
        (new(SOLAR, 10, 0), Storage::NotStorage { device_id: SOLAR }.into()),
        (new(BATTERY, 12, 0), Storage::NoReading { device_id, start, end }.into()),
        (part, Storage::NoReading { device_id, start: half.start(), end: half.end() }.into()),
        (
            new(BATTERY, 18, 0),
            Storage::WrongDirection { device_id, start: hour(18).start(), energy_wh: 900, needed: "charge" }.into(),
        ),
        (new(BATTERY, 13, 0), recordable(hour(13).start(), ReadingRefusal::Estimated)),
        (new(BATTERY, 10, 0), Refusal::QuantityZero),
        (
            new(BATTERY, 14, 2_000_000),
            recordable(hour(14).start(), ReadingRefusal::AboveCapacity { asked_wh, limit_wh: WattHours(1_100_000) }),
        ),
        (new(BATTERY, 11, 601), above.into()),
        (
            CreateScr { account_id: Some(BUYER), ..new(BATTERY, 10, 1_000) },
            Refusal::StatementDiffers { member: "account_id", expected: "1".to_owned() },
        ),
    ] {
        assert_eq!(refusal(&state, ISSUER, &Command::CreateScr(new.clone())), expected, "{new:?}");
    }
    assert!(decided(&state, ISSUER, &Command::CreateScr(new(BATTERY, 11, 600))).is_ok());
    state.devices.get_mut(&BATTERY).unwrap().is_approved = false;
    let unapproved = refusal(&state, ISSUER, &Command::CreateScr(new(BATTERY, 12, 0)));
    assert_eq!(unapproved, recordable(start, ReadingRefusal::NotApproved));
}

#[test]
fn only_what_was_cancelled_for_storage_in_that_hour_is_allocated() {
    let mut state = charged();
    let other = |of_day, cancel: Option<Option<&str>>, state: &mut State| {
        measure(state, SOLAR, hour(of_day), 100);
        let (from, to) = (hour(of_day).start(), hour(of_day).end());
        let chunk = IssueChunk { metadata_id: METADATA, devices: vec![SOLAR], from, to };
        run(state, ISSUER, &Command::Issue(chunk)).unwrap();
        let id = BundleId(state.next.bundle.0 - 1);
        if let Some(purpose) = cancel {
            let purpose = purpose.map(str::to_owned);
            let cancel = Deed::Cancel { beneficiary: None, beneficiary_account: None, purpose };
            run(state, TRADER, &on_bundles(SELLER, &[id.0], Portion::Whole, cancel)).unwrap();
        }
        id
    };
    let (active, elsewhere) = (other(11, None, &mut state), other(9, Some(Some(PURPOSE_STORAGE)), &mut state));
    let disclosed = other(8, Some(Some("disclosure")), &mut state);
    let new = |energy, start: Timestamp, range| {
        let allocation = Allocation { device_id: SOLAR, start, sdr_id: None, range, energy_source: None };
        CreateScr { allocation: Some(allocation), ..charge(hour(10), energy, None) }
    };
    let solar = Refusal::StatementDiffers { member: "charging_energy_source", expected: "solar_pv".to_owned() };
    let mut of_wind = new(500, hour(10).start(), range(1, 100));
    of_wind.allocation.as_mut().unwrap().energy_source = Some(EnergySource::Wind);
    let at_ten = |energy, first, last| new(energy, hour(10).start(), range(first, last));
    let not_held = |first, last| Storage::RangeNotHeld {
        account_id: SELLER,
        issuance_id: "4-electricity-20260228T100000Z".to_owned(),
        first,
        last,
    };
    let sd = Allocation {
        device_id: SOLAR,
        start: hour(10).start(),
        sdr_id: Some(SdrId(7)),
        range: range(1, 9),
        energy_source: None,
    };
    let sd = CreateScr { allocation: Some(sd), ..charge(hour(10), 500, None) };
    for (new, expected) in [
        (
            at_ten(999, 1, 1_000),
            Storage::RangeTooLarge { energy_wh: WattHours(999), range_wh: WattHours(1_000) }.into(),
        ),
        // more than was cancelled
        (at_ten(1_000, 2, 1_001), not_held(2, 1_001).into()),
        (
            sd,
            Storage::RangeNotHeld {
                account_id: SELLER,
                issuance_id: "4-electricity-20260228T100000Z-S7".to_owned(),
                first: 1,
                last: 9,
            }
            .into(),
        ),
        (
            new(500, hour(11).start(), range(1_001, 1_100)),
            Refusal::WrongState {
                bundle_id: active,
                status: BundleStatus::Active,
                needed: vec![BundleStatus::Cancelled],
            },
        ),
        (
            new(500, hour(8).start(), range(1_201, 1_300)),
            Storage::NotCancelledForStorage { bundle_id: disclosed }.into(),
        ),
        (
            new(500, hour(9).start(), range(1_101, 1_200)),
            Storage::ProducedElsewhen { bundle_id: elsewhere, start: hour(9).start(), end: hour(9).end() }.into(),
        ),
        (of_wind, solar),
    ] {
        assert_eq!(refusal(&state, ISSUER, &Command::CreateScr(new.clone())), expected, "{new:?}");
    }
    let scr = record_charge(&mut state, at_ten(600, 101, 700));
    let bundle_id = scr.backing.unwrap().bundle_id;
    let again = Storage::BundleAllocated { bundle_id, scr_id: scr.id };
    assert_eq!(refusal(&state, ISSUER, &Command::CreateScr(at_ten(400, 101, 400))), again.into());
    // of another account's
    let Device { account_id, .. } = state.devices.get_mut(&BATTERY).unwrap();
    *account_id = BUYER;
    let not_held = Storage::RangeNotHeld {
        account_id: BUYER,
        issuance_id: "4-electricity-20260228T100000Z".to_owned(),
        first: 1,
        last: 9,
    };
    assert_eq!(refusal(&state, ISSUER, &Command::CreateScr(at_ten(400, 1, 9))), not_held.into());
}

#[test]
fn a_discharge_draws_on_what_was_charged_by_the_devices_method() {
    let state = with_charges();
    let (device_id, fifo) = (BATTERY, AllocationMethod::Fifo);
    let start = hour(18).start();
    let wrong = Storage::WrongDirection { device_id, start: hour(10).start(), energy_wh: -1_000, needed: "discharge" };
    let bare = CreateSdr { method: None, efficiency: None, ..discharge(hour(18), 900, fifo) };
    let nowhere = Refusal::StatementDiffers { member: "account_id", expected: "1".to_owned() };
    for (new, expected) in [
        (CreateSdr { device_id: UNKNOWN, ..bare.clone() }, Refusal::DeviceMissing { device_id: UNKNOWN }),
        (CreateSdr { device_id: WIND, ..bare.clone() }, Storage::NotStorage { device_id: WIND }.into()),
        (discharge(hour(10), 900, fifo), wrong.into()),
        (CreateSdr { account_id: Some(STRANGER), ..bare.clone() }, nowhere),
        (bare.clone(), Storage::MethodMissing { device_id }.into()),
        (
            CreateSdr { efficiency: None, ..discharge(hour(18), 900, fifo) },
            Storage::EfficiencyMissing { device_id }.into(),
        ),
        (
            // no certificates back what it draws
            CreateSdr { energy_source: Some(EnergySource::Wind), ..discharge(hour(18), 900, fifo) },
            Refusal::StatementDiffers { member: "charging_energy_source", expected: "null".to_owned() },
        ),
    ] {
        assert_eq!(refusal(&state, ISSUER, &Command::CreateSdr(new.clone())), expected, "{new:?}");
    }
    let before_any = charged();
    let nothing = Storage::NothingCharged { device_id, start };
    assert_eq!(refusal(&before_any, ISSUER, &Command::CreateSdr(bare)), nothing.into());
}

#[test]
fn the_method_is_fixed_by_the_first_discharge_also_if_it_was_withdrawn() {
    let mut state = with_charges();
    let (sdr, _) = record_discharge(&mut state, discharge(hour(18), 100, AllocationMethod::Fifo));
    let other = Command::CreateSdr(discharge(hour(18), 100, AllocationMethod::Lifo));
    let fixed = Refusal::from(Storage::MethodFixed { device_id: BATTERY, method: AllocationMethod::Fifo });
    assert_eq!(refusal(&state, ISSUER, &other), fixed);
    run(&mut state, ISSUER, &Command::WithdrawSdr(sdr.id)).unwrap();
    assert_eq!(refusal(&state, ISSUER, &other), fixed);
}

#[test]
fn an_efficiency_factor_is_of_a_stretch_of_time_and_possible() {
    let basis = |from: &str, to: &str, charge_before, charge_after| EfficiencyBasis {
        interval: Interval::new(at(from), at(to)).unwrap(),
        charge_before: WattHours(charge_before),
        charge_after: WattHours(charge_after),
    };
    let new =
        |efficiency| CreateSdr { efficiency: Some(efficiency), ..discharge(hour(18), 100, AllocationMethod::Fifo) };
    let mut state = with_charges();
    let impossible = |output, before, after| Storage::EfficiencyImpossible {
        input_wh: WattHours(if output == 0 { 0 } else { 5_000_000 }),
        output_wh: WattHours(output),
        charge_before_wh: WattHours(before),
        charge_after_wh: WattHours(after),
    };
    for (efficiency, expected) in [
        (basis("2024-01-01T00:00:00Z", "2026-12-01T00:00:00Z", 0, 0), Storage::EfficiencyTooLong { days: 366 }),
        (
            basis("2025-12-31T00:00:00Z", "2026-12-01T00:00:00Z", 0, 0),
            Storage::EfficiencyInFuture { end: at("2026-12-01T00:00:00Z") },
        ),
        (
            basis("2025-12-31T23:00:00Z", "2026-02-01T00:00:00Z", 0, 0),
            Storage::EfficiencyBeforeOperation { operational_date: at("2026-01-01T00:00:00Z") },
        ),
        (basis("2026-01-02T00:00:00Z", "2026-02-01T00:00:00Z", 0, 0), impossible(0, 0, 0)),
        (EfficiencyBasis { charge_after: WattHours(500_001), ..january() }, impossible(4_500_000, 0, 500_001)),
        (EfficiencyBasis { charge_before: WattHours(4_500_000), ..january() }, impossible(4_500_000, 4_500_000, 0)),
        (EfficiencyBasis { charge_after: WattHours(u64::MAX), ..january() }, impossible(4_500_000, 0, u64::MAX)),
    ] {
        let found = refusal(&state, ISSUER, &Command::CreateSdr(new(efficiency)));
        assert_eq!(found, expected.into(), "{efficiency:?}");
    }
    // an old battery: what is measured now is too late for its first factor
    state.devices.get_mut(&BATTERY).unwrap().description.operational_date = at("2025-07-31T00:00:00Z");
    let too_late = Storage::EfficiencyTooLate { until: at("2026-01-31T00:00:00Z") };
    assert_eq!(refusal(&state, ISSUER, &Command::CreateSdr(new(january()))), too_late.into());
    state.devices.get_mut(&BATTERY).unwrap().description.operational_date = at("2025-08-01T00:00:00Z");
    record_discharge(&mut state, new(january()));
    // and not for later ones
    state.devices.get_mut(&BATTERY).unwrap().description.operational_date = at("2025-07-31T00:00:00Z");
    record_discharge(&mut state, new(january()));
}

#[test]
fn discretion_is_stated_in_full_and_no_other_method_is() {
    let state = with_charges();
    let pick = |scr, energy| Pick { scr_id: ScrId(scr), energy: WattHours(energy) };
    let new = |method, picks| CreateSdr { picks, ..discharge(hour(18), 900, method) };
    let discretion = |picks| new(AllocationMethod::Discretion, picks);
    let differ = |asked| Storage::PicksDiffer { needed_wh: WattHours(1_000), asked_wh: WattHours(asked) };
    let not_open = |scr, open, asked| Storage::PickNotOpen {
        scr_id: ScrId(scr),
        open_wh: WattHours(open),
        asked_wh: WattHours(asked),
    };
    let many = vec![pick(1, 1); crate::storage::PICKS_MAX + 1];
    for (new, expected) in [
        (
            new(AllocationMethod::Lifo, vec![pick(1, 1)]),
            Storage::PicksNotAsked { method: AllocationMethod::Lifo }.into(),
        ),
        (discretion(many), Refusal::TooMany { field: "allocations", max: crate::storage::PICKS_MAX }),
        (discretion(vec![pick(9, 1)]), Storage::ScrMissing { scr_id: ScrId(9) }.into()),
        (discretion(vec![pick(1, 1), pick(1, 1)]), Storage::PickRepeated { scr_id: ScrId(1) }.into()),
        (discretion(vec![pick(1, 1_001)]), not_open(1, 1_000, 1_001).into()),
        (discretion(vec![pick(1, 0)]), Refusal::QuantityZero),
        (discretion(vec![]), differ(0).into()),
        (discretion(vec![pick(1, 600), pick(2, 399)]), differ(999).into()),
        (discretion(vec![pick(1, 600), pick(2, 401)]), differ(1_001).into()),
    ] {
        assert_eq!(refusal(&state, ISSUER, &Command::CreateSdr(new.clone())), expected, "{new:?}");
    }
}

#[test]
fn what_does_not_exist_is_neither_withdrawn_nor_issued() {
    let state = with_charges();
    for (command, expected) in [
        (Command::WithdrawScr(ScrId(9)), Storage::ScrMissing { scr_id: ScrId(9) }),
        (Command::WithdrawSdr(SdrId(9)), Storage::SdrMissing { sdr_id: SdrId(9) }),
        (Command::IssueSdgc(SdrId(9)), Storage::SdrMissing { sdr_id: SdrId(9) }),
    ] {
        assert_eq!(refusal(&state, ISSUER, &command), expected.into(), "{command:?}");
    }
}

#[test]
fn nothing_is_issued_on_a_device_that_is_deleted_or_not_approved() {
    let mut state = example();
    let (sdr, _) = record_discharge(&mut state, discharge(hour(18), 720_000, AllocationMethod::Fifo));
    state.devices.get_mut(&BATTERY).unwrap().is_approved = false;
    let (device_id, start) = (BATTERY, hour(18).start());
    let cause = ReadingRefusal::NotApproved;
    let issue = Command::IssueSdgc(sdr.id);
    assert_eq!(refusal(&state, ISSUER, &issue), Storage::NotRecordable { device_id, start, cause }.into());
    state.devices.get_mut(&BATTERY).unwrap().is_deleted = true;
    assert_eq!(refusal(&state, ISSUER, &issue), Refusal::DeviceMissing { device_id });
}
