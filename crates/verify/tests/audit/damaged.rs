//! One thing at a time is changed behind the registry's back, and is found, named and told.

mod registrations;

use crate::ledger::{Ledger, WHOLE, on_both};
use verify::{Finding, FindingKind as Kind, Noun};

/// Damages an equal ledger in each database and expects exactly this one finding, with these words.
#[track_caller]
fn finds_only(damage: impl Fn(&mut Ledger), kind: Kind, entity: Noun, id: i64, words: &[&str]) {
    on_both(|ledger| {
        damage(ledger);
        let finding = ledger.finds_only(kind, entity, id);
        says(&finding, words);
    });
}

/// As [`finds_only`], but more may be found, because more is wrong.
#[track_caller]
fn finds(damage: impl Fn(&mut Ledger), expected: &[(Kind, Noun, i64)]) {
    on_both(|ledger| {
        damage(ledger);
        for (kind, entity, id) in expected {
            ledger.finds(*kind, *entity, *id);
        }
        let report = ledger.audit();
        let kinds: Vec<Kind> = report.kinds.keys().copied().collect();
        let mut named: Vec<Kind> = expected.iter().map(|(kind, _, _)| *kind).collect();
        named.sort_unstable();
        named.dedup();
        assert_eq!(kinds, named, "{:#?}", report.findings);
    });
}

#[track_caller]
fn says(finding: &Finding, words: &[&str]) {
    for word in words {
        assert!(finding.text.contains(word), "{word} in {finding:?}");
    }
}

// ── Corrections ─────────────────────────────────────────────────────────────

#[test]
fn a_release_that_no_event_made_and_one_of_another_size_or_place() {
    on_both(|ledger| {
        let withdrawal = domain::action::Deed::Withdraw { reason: "a doubt".to_owned(), export_failed: false };
        let part = domain::Portion::Quantity(domain::WattHours(300));
        ledger.bundles(crate::ledger::ISSUER, crate::ledger::A, &[WHOLE.0], part, withdrawal);
        let start = ledger.instant("2026-01-01T06:00:00Z");
        ledger.sql(&format!("INSERT INTO hold_release VALUES (7, 1, {start}, 100)"));
        says(&ledger.finds_only(Kind::RowDiffers, Noun::Measurement, 7), &["100 Wh are released", "it is 0"]);
        ledger.sql("DELETE FROM hold_release");
        ledger.release(7);
        assert_eq!(ledger.audit().findings, []);
        ledger.sql("UPDATE hold_release SET energy_wh = 200");
        says(&ledger.finds_only(Kind::RowDiffers, Noun::Measurement, 7), &["200 Wh are released", "it is 300"]);
        ledger.sql("UPDATE hold_release SET energy_wh = 300, device_id = 2");
        says(&ledger.finds(Kind::RowDiffers, Noun::Measurement, 7), &["is not of its device and start"]);
        says(&ledger.finds(Kind::HoldWrong, Noun::Measurement, 7), &["300 Wh were released, and 0 Wh withdrawn"]);
        ledger.sql("UPDATE hold_release SET device_id = 1, measurement_id = 999");
        says(&ledger.finds(Kind::RowDiffers, Noun::Measurement, 999), &["there is no such reading"]);
    });
}

#[test]
fn a_deletion_that_no_event_made_and_one_undone() {
    on_both(|ledger| {
        ledger.submit(vec![crate::ledger::reading(crate::ledger::WIND, 600, 60, 50)]);
        ledger.sql("UPDATE measurement SET superseded_by = 14 WHERE id = 14");
        let words = ["superseded_by of reading 14 is 14", "it is nothing"];
        says(&ledger.finds_only(Kind::RowDiffers, Noun::Measurement, 14), &words);
        ledger.sql("UPDATE measurement SET superseded_by = NULL WHERE id = 14");
        let deletion = domain::Command::DeleteMeasurement(domain::MeasurementId(14));
        ledger.act(crate::ledger::METERING, &deletion);
        ledger.sql("UPDATE measurement SET superseded_by = NULL WHERE id = 14");
        says(&ledger.finds_only(Kind::RowDiffers, Noun::Measurement, 14), &["is nothing; by its events it is 14"]);
    });
}

// ── Bundles ─────────────────────────────────────────────────────────────────

#[test]
fn a_bundle_with_one_certificate_more() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE bundle SET range_last = range_last + 1 WHERE id = 12");
    finds(
        damage,
        &[
            (Kind::RowDiffers, Noun::Bundle, 12),
            (Kind::HashDiffers, Noun::Bundle, 12),
            (Kind::IssuedTwice, Noun::Measurement, 9),
            (Kind::CertificatesMissing, Noun::Device, 1),
        ],
    );
}

#[test]
fn a_bundle_that_reaches_into_the_next() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE bundle SET range_first = range_first - 1 WHERE id = 12");
    finds(
        damage,
        &[
            (Kind::RowDiffers, Noun::Bundle, 12),
            (Kind::HashDiffers, Noun::Bundle, 12),
            (Kind::CertificateTwice, Noun::Bundle, 12),
            (Kind::IssuedTwice, Noun::Measurement, 9),
        ],
    );
}

#[test]
fn siblings_that_overlap() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE bundle SET range_first = range_first - 5 WHERE id = 14");
    on_both(|ledger| {
        damage(ledger);
        let finding = ledger.finds(Kind::CertificateTwice, Noun::Bundle, 14);
        says(&finding, &["certificate 246", "13", "250"]);
        ledger.finds(Kind::RowDiffers, Noun::Bundle, 14);
    });
}

#[test]
fn a_status_that_no_event_gave() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE bundle SET status = 6 WHERE id = 11");
    finds_only(damage, Kind::RowDiffers, Noun::Bundle, WHOLE.0, &["status is Locked", "Active"]);
}

#[test]
fn a_split_parent_that_is_active_again() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE bundle SET status = 1 WHERE id = 1");
    on_both(|ledger| {
        damage(ledger);
        ledger.finds(Kind::RowDiffers, Noun::Bundle, 1);
        says(&ledger.finds(Kind::SplitWrong, Noun::Bundle, 1), &["has child 13 and is Active"]);
        ledger.finds(Kind::SplitWrong, Noun::Bundle, 0);
    });
}

#[test]
fn a_bundle_that_is_split_without_children() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE bundle SET status = 8 WHERE id = 11");
    finds(damage, &[(Kind::RowDiffers, Noun::Bundle, 11), (Kind::SplitWrong, Noun::Bundle, 0)]);
}

#[test]
fn another_holder() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE bundle SET account_id = 2 WHERE id = 11");
    finds_only(damage, Kind::RowDiffers, Noun::Bundle, WHOLE.0, &["account_id is 2", "must be 1"]);
}

#[test]
fn another_beneficiary() {
    // 16 is what was not cancelled, 18 was cancelled and not claimed
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE bundle SET beneficiary = 'Mallory' WHERE id = 18");
    on_both(|ledger| {
        damage(ledger);
        says(&ledger.finds(Kind::RowDiffers, Noun::Bundle, 18), &["beneficiary hashes to"]);
        says(&ledger.finds(Kind::BeneficiaryChanged, Noun::Bundle, 18), &["parent 15"]);
    });
}

#[test]
fn another_account_of_the_beneficiary_and_no_purpose() {
    let damage = |ledger: &mut Ledger| {
        ledger.sql("UPDATE bundle SET beneficiary_account_id = NULL, purpose = NULL WHERE id = 15");
    };
    on_both(|ledger| {
        damage(ledger);
        let report = ledger.audit();
        let texts: Vec<&str> = report.findings.iter().map(|finding| finding.text.as_str()).collect();
        assert_eq!(report.violations, 4, "{texts:#?}"); // two columns; both children differ from it
        assert!(texts.iter().any(|text| text.contains("beneficiary_account_id is nothing")), "{texts:#?}");
        assert!(texts.iter().any(|text| text.contains("purpose is nothing")), "{texts:#?}");
    });
}

#[test]
fn a_beneficiary_of_what_was_not_cancelled() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE bundle SET beneficiary = 'Mallory' WHERE id = 11");
    finds(damage, &[(Kind::RowDiffers, Noun::Bundle, 11), (Kind::BeneficiaryChanged, Noun::Bundle, 11)]);
}

#[test]
fn another_hash_of_a_bundle() {
    let damage = |ledger: &mut Ledger| ledger.put("UPDATE bundle SET hash = $1 WHERE id = 11", &[(&[7_u8; 32]).into()]);
    finds_only(damage, Kind::HashDiffers, Noun::Bundle, WHOLE.0, &["070707", "its content gives"]);
}

#[test]
fn another_hash_of_a_parent() {
    let damage = |ledger: &mut Ledger| ledger.put("UPDATE bundle SET hash = $1 WHERE id = 1", &[(&[7_u8; 32]).into()]);
    finds(
        damage,
        &[
            (Kind::HashDiffers, Noun::Bundle, 1),
            (Kind::HashDiffers, Noun::Bundle, 13),
            (Kind::HashDiffers, Noun::Bundle, 14),
        ],
    );
}

#[test]
fn a_later_expiry() {
    on_both(|ledger| {
        let later = ledger.instant("2040-01-01T00:00:00Z");
        ledger.sql(&format!("UPDATE bundle SET expires_at = {later} WHERE id = 11"));
        says(&ledger.finds(Kind::RowDiffers, Noun::Bundle, 11), &["2040-01-01", "2028-01-01"]);
    });
}

#[test]
fn another_production_interval() {
    on_both(|ledger| {
        let end = ledger.instant("2026-01-01T06:30:00Z");
        ledger.sql(&format!("UPDATE bundle SET production_end = {end} WHERE id = 11"));
        ledger.finds(Kind::RowDiffers, Noun::Bundle, 11);
        says(&ledger.finds(Kind::NoReading, Noun::Bundle, 11), &["06:30", "lasts until 2026-01-01T07:00"]);
    });
}

#[test]
fn a_bundle_that_is_gone() {
    let damage = |ledger: &mut Ledger| ledger.sql("DELETE FROM bundle WHERE id = 11");
    finds(damage, &[(Kind::RowMissing, Noun::Bundle, 11), (Kind::CertificatesMissing, Noun::Bundle, 12)]);
}

#[test]
fn a_child_that_is_gone() {
    let damage = |ledger: &mut Ledger| ledger.sql("DELETE FROM bundle WHERE id = 14");
    finds(
        damage,
        &[
            (Kind::RowMissing, Noun::Bundle, 14),
            (Kind::SplitWrong, Noun::Bundle, 13),
            (Kind::SplitWrong, Noun::Bundle, 0),
        ],
    );
}

#[test]
fn a_bundle_that_no_event_created() {
    on_both(|ledger| {
        ledger.sql(
            "INSERT INTO bundle SELECT 21, account_id, device_id, attributes_id, range_last + 901, range_last + 1000, \
             production_start, production_end, issued_at, expires_at, parent_id, status, beneficiary, \
             beneficiary_account_id, purpose, hash, draw_id FROM bundle WHERE id = 11",
        );
        ledger.finds(Kind::RowWithoutEvent, Noun::Bundle, 21);
        ledger.finds(Kind::HashDiffers, Noun::Bundle, 21);
        says(&ledger.finds(Kind::IssuedTwice, Noun::Measurement, 7), &["1100 Wh are live", "2 bundles", "1000 Wh"]);
        says(&ledger.finds(Kind::HeadDiffers, Noun::Head, 1), &["next_bundle", "21", "22"]);
        ledger.finds(Kind::CertificatesMissing, Noun::Device, 1);
    });
}

// ── The log ─────────────────────────────────────────────────────────────────

/// Of the transfer of bundle 2, which is one event.
const TRANSFER: &str = "(SELECT number FROM event WHERE entity = 5 AND entity_id = 2 AND event_type = 2)";

fn number(ledger: &mut Ledger, select: &str) -> i64 {
    ledger.connection.query_one(&format!("SELECT {select}"), &[], |row| row.get(0)).unwrap()
}

#[test]
fn an_event_that_is_gone() {
    on_both(|ledger| {
        let event = number(ledger, TRANSFER);
        ledger.unprotect();
        ledger.sql(&format!("DELETE FROM event WHERE number = {event}"));
        says(&ledger.finds(Kind::EventMissing, Noun::Event, event), &[&format!("event {event} is missing")]);
        ledger.finds(Kind::RowDiffers, Noun::Bundle, 2);
        says(&ledger.finds(Kind::HeadDiffers, Noun::Head, 1), &["peaks"]);
        ledger.finds(Kind::HoldingDiffers, Noun::Account, 1);
        ledger.finds(Kind::HoldingDiffers, Noun::Account, 2);
        assert_eq!(ledger.audit().violations, 5);
    });
}

#[test]
fn the_last_event_that_is_gone() {
    on_both(|ledger| {
        let last = number(ledger, "MAX(number) FROM event");
        ledger.unprotect();
        ledger.sql(&format!("DELETE FROM event WHERE number = {last}"));
        let report = ledger.audit();
        let kinds: Vec<Kind> = report.kinds.keys().copied().collect();
        // its action, the head, and the whitelist that it changed
        assert_eq!(kinds, [Kind::ActionEventsDiffer, Kind::HeadDiffers, Kind::RowMissing], "{:#?}", report.findings);
    });
}

#[test]
fn an_event_that_was_edited() {
    on_both(|ledger| {
        let event = number(ledger, TRANSFER);
        ledger.unprotect();
        // the account after becomes 3: tag 1, one byte
        ledger.put("UPDATE event SET attributes_after = $1 WHERE number = $2", &[(&[1_u8, 1, 3]).into(), event.into()]);
        says(&ledger.finds(Kind::LeafDiffers, Noun::Event, event), &["its content gives"]);
        ledger.finds(Kind::RowDiffers, Noun::Bundle, 2);
        ledger.finds(Kind::MovedWithoutWhitelist, Noun::Bundle, 2);
        // of the account that it was moved to, and of the one that the log now names
        ledger.finds(Kind::HoldingDiffers, Noun::Account, 2);
        ledger.finds(Kind::HoldingDiffers, Noun::Account, 3);
        assert_eq!(ledger.audit().violations, 5);
    });
}

#[test]
fn an_event_that_cannot_be_read() {
    on_both(|ledger| {
        let event = number(ledger, TRANSFER);
        ledger.unprotect();
        ledger.put("UPDATE event SET attributes_after = $1 WHERE number = $2", &[(&[1_u8, 9, 3]).into(), event.into()]);
        says(&ledger.finds(Kind::EventMalformed, Noun::Event, event), &["ends in the middle"]);
        ledger.finds(Kind::LeafDiffers, Noun::Event, event);
    });
}

#[test]
fn an_event_at_another_time() {
    on_both(|ledger| {
        let event = number(ledger, TRANSFER);
        let early = ledger.instant("2026-01-31T00:00:00Z");
        ledger.unprotect();
        ledger.sql(&format!("UPDATE event SET recorded_at = {early} WHERE number = {event}"));
        ledger.finds(Kind::LeafDiffers, Noun::Event, event);
        ledger.finds(Kind::TimeBackwards, Noun::Event, event);
        ledger.finds(Kind::ActionTimeDiffers, Noun::Action, 24);
    });
}

#[test]
fn two_events_in_each_others_place() {
    on_both(|ledger| {
        let event = number(ledger, TRANSFER);
        ledger.unprotect();
        ledger.sql(&format!(
            "UPDATE event SET number = -1 WHERE number = {event}; UPDATE event SET number = {event} WHERE number = {0}; \
             UPDATE event SET number = {0} WHERE number = -1",
            event - 1
        ));
        ledger.finds(Kind::LeafDiffers, Noun::Event, event);
        ledger.finds(Kind::LeafDiffers, Noun::Event, event - 1);
        ledger.finds(Kind::EventWithoutAction, Noun::Event, event);
    });
}

#[test]
fn an_event_that_was_added() {
    on_both(|ledger| {
        let event = number(ledger, "MAX(number) + 1 FROM event");
        ledger.sql(&format!(
            "INSERT INTO event SELECT {event}, recorded_at, action_id, entity, entity_id, event_type, attributes_before, \
             attributes_after, salt, leaf FROM event WHERE number = {TRANSFER}"
        ));
        ledger.finds(Kind::EventWithoutAction, Noun::Event, event);
        ledger.finds(Kind::TimeBackwards, Noun::Event, event);
        says(&ledger.finds(Kind::HistoryWrong, Noun::Bundle, 2), &["was 1; it was 2"]);
    });
}

#[test]
fn an_event_of_something_that_has_no_row() {
    on_both(|ledger| {
        ledger.unprotect();
        ledger.sql("UPDATE event SET entity_id = 77 WHERE entity = 5 AND entity_id = 11");
        ledger.finds(Kind::RowMissing, Noun::Bundle, 77);
        ledger.finds(Kind::RowWithoutEvent, Noun::Bundle, 11);
        ledger.finds(Kind::IdMissing, Noun::Bundle, 21);
    });
}

#[test]
fn another_leaf() {
    on_both(|ledger| {
        let event = number(ledger, TRANSFER);
        ledger.unprotect();
        ledger.put("UPDATE event SET leaf = $1 WHERE number = $2", &[(&[7_u8; 32]).into(), event.into()]);
        says(&ledger.finds(Kind::LeafDiffers, Noun::Event, event), &["070707"]);
        says(&ledger.finds(Kind::HeadDiffers, Noun::Head, 1), &["peaks"]);
        assert_eq!(ledger.audit().violations, 2);
    });
}

#[test]
fn another_request_of_an_action() {
    on_both(|ledger| {
        ledger.unprotect();
        ledger.sql("UPDATE action SET request = '{\"asked\":99}' WHERE id = 20");
        ledger.finds_only(Kind::ActionHashDiffers, Noun::Action, 20);
    });
}

#[test]
fn another_actor_of_an_action() {
    on_both(|ledger| {
        ledger.unprotect();
        ledger.sql("UPDATE action SET actor = 77 WHERE id = 1");
        ledger.finds(Kind::ActionHashDiffers, Noun::Action, 1);
        says(&ledger.finds(Kind::ActorUnknown, Noun::Action, 1), &["user 77"]);
    });
}

#[test]
fn an_action_with_other_events() {
    on_both(|ledger| {
        ledger.unprotect();
        ledger.sql("UPDATE action SET last_event = last_event + 1 WHERE id = 5");
        ledger.finds(Kind::ActionEventsDiffer, Noun::Action, 6);
        ledger.finds(Kind::EventWithoutAction, Noun::Event, 6);
        assert_eq!(ledger.audit().violations, 2);
    });
}

#[test]
fn an_action_that_is_gone() {
    on_both(|ledger| {
        ledger.unprotect();
        ledger.sql("DELETE FROM action WHERE id = 5");
        ledger.finds(Kind::IdMissing, Noun::Action, 5);
        ledger.finds(Kind::EventWithoutAction, Noun::Event, 5);
        ledger.finds(Kind::ActionEventsDiffer, Noun::Action, 6);
        assert_eq!(ledger.audit().violations, 3);
    });
}

#[test]
fn a_head_that_says_something_else() {
    for (damage, words) in [
        ("event_number = event_number - 1", "is the last"),
        ("next_bundle = next_bundle + 1", "next_bundle"),
        ("next_action = 1", "next_action"),
        ("next_measurement = 1", "next_measurement"),
        ("next_user = 1", "next_user"),
        ("next_account = 1", "next_account"),
        ("next_device = 1", "next_device"),
    ] {
        let damage = |ledger: &mut Ledger| ledger.sql(&format!("UPDATE ledger_head SET {damage}"));
        finds_only(damage, Kind::HeadDiffers, Noun::Head, 1, &[words]);
    }
    let damage = |ledger: &mut Ledger| ledger.put("UPDATE ledger_head SET leaf = $1", &[(&[7_u8; 32]).into()]);
    finds_only(damage, Kind::HeadDiffers, Noun::Head, 1, &["leaf is 070707"]);
    let damage = |ledger: &mut Ledger| ledger.put("UPDATE ledger_head SET peaks = $1", &[(&[7_u8; 32]).into()]);
    finds_only(damage, Kind::HeadDiffers, Noun::Head, 1, &["peaks are 070707"]);
}

// ── Readings ────────────────────────────────────────────────────────────────

#[test]
fn another_value_of_a_reading() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE measurement SET energy_wh = 5000 WHERE id = 7");
    finds_only(damage, Kind::RowDiffers, Noun::Measurement, 7, &["energy_wh of reading 7 is 5000", "1000"]);
}

#[test]
fn a_lower_value_of_a_reading_that_was_issued() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE measurement SET energy_wh = 999 WHERE id = 7");
    finds(damage, &[(Kind::RowDiffers, Noun::Measurement, 7), (Kind::IssuedTwice, Noun::Measurement, 7)]);
}

#[test]
fn a_reading_that_is_gone() {
    let damage = |ledger: &mut Ledger| ledger.sql("DELETE FROM measurement WHERE id = 7");
    finds(damage, &[(Kind::RowMissing, Noun::Measurement, 7), (Kind::NoReading, Noun::Bundle, 11)]);
}

#[test]
fn an_old_version_of_a_reading_that_counts_again() {
    on_both(|ledger| {
        ledger.sql("UPDATE measurement SET superseded_by = 8 WHERE id = 9");
        ledger.sql("UPDATE measurement SET superseded_by = NULL WHERE id = 8");
        let report = ledger.audit();
        assert_eq!(report.kinds[&Kind::RowDiffers], 2, "{:#?}", report.findings);
        ledger.finds(Kind::ReadingWrong, Noun::Measurement, 9);
    });
}

#[test]
fn readings_that_overlap() {
    on_both(|ledger| {
        let start = ledger.instant("2026-01-01T05:30:00Z");
        ledger.sql(&format!("UPDATE measurement SET start_at = {start} WHERE id = 7"));
        ledger.finds(Kind::RowDiffers, Noun::Measurement, 7);
        says(&ledger.finds(Kind::ReadingsOverlap, Noun::Measurement, 7), &["05:30", "reading 6", "06:00"]);
        ledger.finds(Kind::IntervalWrong, Noun::Measurement, 7);
        ledger.finds(Kind::NoReading, Noun::Bundle, 11);
    });
}

#[test]
fn an_estimate_that_was_issued() {
    let damage = |ledger: &mut Ledger| ledger.sql("UPDATE measurement SET quality = 3 WHERE id = 7");
    finds(damage, &[(Kind::RowDiffers, Noun::Measurement, 7), (Kind::IssueWrong, Noun::Measurement, 7)]);
}

#[test]
fn a_reading_that_no_event_created() {
    on_both(|ledger| {
        ledger.sql(
            "INSERT INTO measurement SELECT 14, 2, start_at, end_at, energy_wh, gross_net, quality, source, action_id, \
             superseded_by FROM measurement WHERE id = 7",
        );
        ledger.finds(Kind::RowWithoutEvent, Noun::Measurement, 14);
        says(&ledger.finds(Kind::HeadDiffers, Noun::Head, 1), &["next_measurement"]);
    });
}
