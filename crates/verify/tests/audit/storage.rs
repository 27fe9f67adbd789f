//! Storage records: clean as the registry makes them, and every damage to them is found.

use crate::ledger::{A, ADMIN, ALICE, ISSUER, Ledger, METERING, WIND, at, on_both};
use domain::action::{Allocation, CreateScr, CreateSdr, Deed, IssueChunk, NewDevice, PURPOSE_STORAGE, SubmitReadings};
use domain::storage::EfficiencyBasis;
use domain::{
    ActionKind, AllocationMethod, Bundle, BundleId, CertificateRange, Change, Command, DeviceDescription, DeviceId,
    DeviceKind, EnergySource, GrossNet, Interval, MetadataId, Portion, Quality, Reading, ReadingSource, ScrId, SdrId,
    WattHours,
};
use jiff::SignedDuration;
use verify::{FindingKind as Kind, Noun};

const BATTERY: DeviceId = DeviceId(3);

fn hour(of_day: i64) -> Interval {
    let start = at("2026-01-20T00:00:00Z") + SignedDuration::from_hours(of_day);
    Interval::new(start, start + SignedDuration::from_hours(1)).unwrap()
}

fn reading(device_id: DeviceId, of_day: i64, energy_wh: i64) -> Reading {
    Reading { device_id, interval: hour(of_day), energy_wh, gross_net: GrossNet::Net, quality: Quality::Measured }
}

/// A battery that took in 600 Wh of certified wind and 200 Wh of none, and gave out 630 Wh of the 700 Wh that FIFO drew.
fn store(ledger: &mut Ledger) {
    let description = DeviceDescription {
        name: "Battery".to_owned(),
        grid: "50Hertz".to_owned(),
        energy_source: EnergySource::BatteryStorage,
        technology_type: "lithium".to_owned(),
        operational_date: at("2026-01-01T00:00:00Z"),
        capacity_watts: 1_000,
        peak_demand_watts: 1_000,
        location: "Berlin".to_owned(),
        meter_data_id: None,
        kind: DeviceKind::Storage,
    };
    ledger.act(ADMIN, &Command::CreateDevice(NewDevice { account_id: A, description }));
    let readings = [(BATTERY, 10, -600), (BATTERY, 11, -400), (BATTERY, 18, 900), (WIND, 10, 1_000)];
    let readings = readings.map(|(device, of_day, energy)| reading(device, of_day, energy)).to_vec();
    let submission = SubmitReadings { readings, source: ReadingSource::Submitted };
    ledger.act(METERING, &Command::SubmitReadings(submission));
    let (from, to) = (hour(10).start(), hour(10).end());
    ledger.act(ISSUER, &Command::Issue(IssueChunk { metadata_id: MetadataId(1), devices: vec![WIND], from, to }));
    let issued = newest(ledger);
    let purpose = Some(PURPOSE_STORAGE.to_owned());
    let cancel = Deed::Cancel { beneficiary: None, beneficiary_account: None, purpose };
    ledger.bundles(ALICE, A, &[issued.id.0], Portion::Whole, cancel);
    let range = CertificateRange::new(issued.range.first() + 100, issued.range.first() + 699).unwrap();
    let allocation = Allocation { device_id: WIND, start: from, sdr_id: None, range, energy_source: None };
    charge(ledger, 10, 600, Some(allocation));
    charge(ledger, 11, 200, None);
    discharge(ledger, 630);
    ledger.act(ISSUER, &Command::IssueSdgc(SdrId(1)));
}

fn charge(ledger: &mut Ledger, of_day: i64, energy: u64, allocation: Option<Allocation>) {
    let matching_method = Some("bidding zone".to_owned());
    let (device_id, interval, energy) = (BATTERY, hour(of_day), WattHours(energy));
    let new = CreateScr { device_id, interval, energy, allocation, matching_method, account_id: None };
    ledger.act(ISSUER, &Command::CreateScr(new));
}

/// By a factor of 0.9: 900 Wh out of 1,000 Wh.
fn discharge(ledger: &mut Ledger, energy: u64) {
    let interval = Interval::new(at("2026-01-01T00:00:00Z"), at("2026-01-30T00:00:00Z")).unwrap();
    let basis = EfficiencyBasis { interval, charge_before: WattHours(0), charge_after: WattHours(0) };
    let new = CreateSdr {
        device_id: BATTERY,
        interval: hour(18),
        energy: WattHours(energy),
        method: Some(AllocationMethod::Fifo),
        efficiency: Some(basis),
        picks: vec![],
        account_id: None,
        energy_source: None,
    };
    ledger.act(ISSUER, &Command::CreateSdr(new));
}

fn newest(ledger: &mut Ledger) -> Bundle {
    let next = store::head::read(&mut ledger.connection).unwrap().next.bundle;
    store::bundle::by_id(&mut ledger.connection, BundleId(next.0 - 1)).unwrap().unwrap()
}

#[test]
fn storage_as_the_registry_keeps_it_is_clean_through_withdrawals() {
    on_both(|ledger| {
        store(ledger);
        let report = ledger.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        let certificates = newest(ledger);
        assert_eq!(certificates.range.quantity(), WattHours(540));
        let withdraw = Deed::Withdraw { reason: "wrong".to_owned(), export_failed: false };
        ledger.bundles(ISSUER, A, &[certificates.id.0], Portion::Quantity(WattHours(40)), withdraw.clone());
        ledger.act(ISSUER, &Command::IssueSdgc(SdrId(1)));
        assert!(ledger.audit().findings.is_empty(), "issued again");
        let last = newest(ledger).id.0;
        ledger.bundles(ISSUER, A, &[last - 1, last], Portion::Whole, withdraw);
        ledger.act(ISSUER, &Command::WithdrawSdr(SdrId(1)));
        ledger.act(ISSUER, &Command::WithdrawScr(ScrId(1)));
        let report = ledger.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
    });
}

#[test]
fn a_row_of_storage_that_was_changed_is_not_what_its_events_say() {
    for (table, noun, column, value) in [
        ("scr", Noun::Scr, "matching_method", "'none'"),
        ("scr", Noun::Scr, "energy_wh", "601"),
        ("sdr", Noun::Sdr, "charge_after_wh", "1"),
        ("sdr", Noun::Sdr, "efficiency_end", "efficiency_start + 1"),
        ("storage_draw", Noun::Draw, "certificates", "539"),
        ("storage_draw", Noun::Draw, "unbacked_wh", "1"),
    ] {
        on_both(|ledger| {
            store(ledger);
            let value = match (column, ledger.connection.engine()) {
                ("efficiency_end", db::Engine::Postgres) => "efficiency_start + INTERVAL '1 hour'",
                _ => value,
            };
            ledger.sql(&format!("UPDATE {table} SET {column} = {value} WHERE id = 1"));
            let finding = ledger.finds(Kind::RowDiffers, noun, 1);
            assert!(finding.text.contains(column), "{}", finding.text);
        });
    }
}

#[test]
fn what_is_drawn_of_a_charge_is_the_sum_of_its_standing_draws() {
    on_both(|ledger| {
        store(ledger);
        ledger.sql("UPDATE scr SET drawn_backed_wh = drawn_backed_wh - 1 WHERE id = 1");
        ledger.finds(Kind::DrawWrong, Noun::Scr, 1);
        // and so the device's watt-hours do not come out
        ledger.finds(Kind::StorageDiffers, Noun::Device, 3);
    });
}

#[test]
fn a_record_without_its_reading_and_one_that_came_back() {
    on_both(|ledger| {
        store(ledger);
        ledger.sql("UPDATE measurement SET energy_wh = 600 WHERE energy_wh = -600");
        let finding = ledger.finds(Kind::RecordWrong, Noun::Scr, 1);
        assert!(finding.text.contains("reading of 600 Wh"), "{}", finding.text);
    });
    on_both(|ledger| {
        store(ledger);
        ledger.sql("UPDATE measurement SET quality = 3 WHERE energy_wh = 900 AND device_id = 3");
        ledger.finds(Kind::RecordWrong, Noun::Sdr, 1);
    });
    on_both(|ledger| {
        store(ledger);
        ledger.sql("DELETE FROM storage_draw WHERE id = 2");
        ledger.finds(Kind::RowMissing, Noun::Draw, 2);
        ledger.finds(Kind::DrawWrong, Noun::Scr, 2);
    });
}

#[test]
fn certificates_that_cannot_back_the_charge() {
    for (change, text) in [
        (
            "UPDATE bundle SET purpose = 'bread' WHERE id = (SELECT bundle_id FROM scr WHERE id = 1)",
            "not cancelled for",
        ),
        ("UPDATE bundle SET account_id = 2 WHERE id = (SELECT bundle_id FROM scr WHERE id = 1)", "of account 2"),
        ("UPDATE bundle SET status = 5 WHERE id = (SELECT bundle_id FROM scr WHERE id = 1)", "Withdrawn"),
        ("UPDATE scr SET bundle_id = 1 WHERE id = 1", "Split"),
        ("UPDATE scr SET backed_wh = 599, drawn_backed_wh = 0 WHERE id = 1", "holds 600 Wh"),
    ] {
        on_both(|ledger| {
            store(ledger);
            ledger.sql(change);
            let finding = ledger.finds(Kind::AllocationWrong, Noun::Scr, 1);
            assert!(finding.text.contains(text), "{}", finding.text);
        });
    }
}

#[test]
fn a_discharge_by_another_method_or_with_no_factor() {
    on_both(|ledger| {
        store(ledger);
        discharge(ledger, 10);
        ledger.sql("UPDATE sdr SET method = 2 WHERE id = 2");
        ledger.finds(Kind::RecordWrong, Noun::Sdr, 2);
    });
    on_both(|ledger| {
        store(ledger);
        ledger.sql("UPDATE sdr SET output_wh = 1001 WHERE id = 1");
        ledger.finds(Kind::RecordWrong, Noun::Sdr, 1);
    });
    on_both(|ledger| {
        store(ledger);
        ledger.sql("UPDATE sdr SET energy_wh = 1 WHERE id = 1");
        let finding = ledger.finds(Kind::DrawWrong, Noun::Sdr, 1);
        assert!(finding.text.contains("draws 700 Wh"), "{}", finding.text);
    });
}

#[test]
fn certificates_beyond_their_draw_and_of_another_hour() {
    on_both(|ledger| {
        store(ledger);
        ledger.sql("UPDATE storage_draw SET certificates = 539 WHERE id = 1");
        ledger.finds(Kind::StorageDiffers, Noun::Draw, 1);
        ledger.finds(Kind::DrawWrong, Noun::Draw, 1);
    });
    on_both(|ledger| {
        store(ledger);
        ledger.sql("UPDATE sdr SET is_withdrawn = TRUE WHERE id = 1");
        let finding = ledger.finds(Kind::StorageDiffers, Noun::Draw, 1);
        assert!(finding.text.contains("540 Wh"), "{}", finding.text);
    });
    on_both(|ledger| {
        store(ledger);
        ledger.sql("UPDATE bundle SET attributes_id = 2 WHERE draw_id = 1");
        ledger.finds(Kind::StorageDiffers, Noun::Draw, 1);
    });
    on_both(|ledger| {
        store(ledger);
        ledger.sql("UPDATE bundle SET draw_id = 7 WHERE draw_id = 1");
        let id = newest(ledger).id.0;
        ledger.finds(Kind::StorageDiffers, Noun::Bundle, id);
        ledger.finds(Kind::RowDiffers, Noun::Bundle, id);
    });
}

#[test]
fn certificates_of_a_discharge_that_no_action_on_a_discharge_made() {
    on_both(|ledger| {
        store(ledger);
        let one_more = Bundle {
            id: newest(ledger).id.next(),
            range: CertificateRange::starting(541, WattHours(1)).unwrap(),
            issued_at: ledger.now,
            ..newest(ledger)
        };
        ledger.forge(ISSUER, ActionKind::Issue, &Command::IssueSdgc(SdrId(1)), |_| {
            vec![Change::BundleCreated(one_more.clone())]
        });
        ledger.finds(Kind::IssueWrong, Noun::Bundle, one_more.id.0);
        ledger.finds(Kind::StorageDiffers, Noun::Draw, 1);
    });
}

#[test]
fn only_the_issuer_records_storage() {
    on_both(|ledger| {
        store(ledger);
        ledger.forge(ALICE, ActionKind::WithdrawSdr, &Command::WithdrawSdr(SdrId(1)), |_| {
            vec![Change::SdrWithdrawn(SdrId(1))]
        });
        let report = ledger.audit();
        let kinds: Vec<Kind> = report.kinds.keys().copied().collect();
        assert_eq!(kinds, [Kind::StorageDiffers, Kind::ActorNotPermitted], "{:#?}", report.findings);
    });
    on_both(|ledger| {
        store(ledger);
        // a withdrawal that passes for a transfer
        ledger.forge(ALICE, ActionKind::Transfer, &Command::WithdrawSdr(SdrId(1)), |_| {
            vec![Change::SdrWithdrawn(SdrId(1))]
        });
        let report = ledger.audit();
        assert!(report.kinds.contains_key(&Kind::KindDoesNotFit), "{:#?}", report.findings);
    });
}
