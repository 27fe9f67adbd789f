//! Ledgers whose log is sealed without a fault, because whoever broke a rule could also seal. The rules still show it.

use crate::ledger::{
    A, ADMIN, ALICE, B, BOB, C, ISSUER, Ledger, METERING, WHOLE, WIND, at, changed, child, chunk, interval,
    next_bundle, on, on_both, reading,
};
use domain::action::Deed;
use domain::{
    ActionKind, Actor, Bundle, BundleId, BundleStatus, Cancellation, Change, Command, MeasurementId, Portion, State,
    UserId, WattHours,
};
use std::sync::Arc;
use verify::{FINDINGS_MAX, FindingKind as Kind, Noun, Options, Severity};

/// A command that only names what is to be loaded.
fn naming(ids: &[i64]) -> Command {
    Command::Bundles(on(A, ids, Portion::Whole, Deed::Claim))
}

fn whole(state: &State) -> &Bundle {
    state.bundle(WHOLE).unwrap()
}

/// Changes bundle 11 as nobody may.
fn forge(ledger: &mut Ledger, actor: Actor, kind: ActionKind, change: impl Fn(&mut domain::bundle::Mutable)) {
    ledger.forge(actor, kind, &naming(&[WHOLE.0]), |state| vec![changed(whole(state), change)]);
}

/// Issues this much on an interval of the wind farm, whatever its reading says.
fn forge_issue(ledger: &mut Ledger, actor: Actor, start: i64, quantity: u64) {
    let now = ledger.now;
    let command = Command::Issue(chunk(start, start + 60));
    ledger.forge(actor, ActionKind::Issue, &command, |state| {
        vec![Change::BundleCreated(next_bundle(state, WIND, interval(start, 60), quantity, now))]
    });
}

#[test]
fn a_reading_that_is_issued_twice() {
    on_both(|ledger| {
        forge_issue(ledger, ISSUER, 360, 1_000);
        let finding = ledger.finds_only(Kind::IssuedTwice, Noun::Measurement, 7);
        assert!(finding.text.contains("2000 Wh are live, issued in 2 bundles"), "{}", finding.text);
        assert!(finding.text.contains("reading 7 says 1000 Wh"), "{}", finding.text);
    });
}

#[test]
fn a_split_that_mints_a_watt_hour() {
    on_both(|ledger| {
        ledger.forge(ALICE, ActionKind::Transfer, &naming(&[WHOLE.0]), |state| {
            let (parent, next) = (whole(state), state.next.bundle);
            let (first, last) = (parent.range.first(), parent.range.last());
            let mut taken = child(parent, next, first, first + 99);
            taken.account_id = B;
            vec![
                changed(parent, |parent| parent.status = BundleStatus::Split),
                Change::BundleCreated(taken),
                Change::BundleCreated(child(parent, next.next(), first + 100, last + 1)),
            ]
        });
        let finding = ledger.finds(Kind::SplitWrong, Noun::Bundle, 22);
        assert!(finding.text.contains("not the rest of bundle 11"), "{}", finding.text);
        ledger.finds(Kind::IssuedTwice, Noun::Measurement, 7);
        assert_eq!(ledger.audit().violations, 2);
    });
}

#[test]
fn a_split_whose_children_share_a_certificate() {
    on_both(|ledger| {
        ledger.forge(ALICE, ActionKind::Transfer, &naming(&[WHOLE.0]), |state| {
            let (parent, next) = (whole(state), state.next.bundle);
            let (first, last) = (parent.range.first(), parent.range.last());
            let mut taken = child(parent, next, first, first + 99);
            taken.account_id = B;
            vec![
                changed(parent, |parent| parent.status = BundleStatus::Split),
                Change::BundleCreated(taken),
                Change::BundleCreated(child(parent, next.next(), first + 99, last)),
            ]
        });
        ledger.finds(Kind::CertificateTwice, Noun::Bundle, 22);
    });
}

#[test]
fn a_bundle_that_is_split_twice() {
    on_both(|ledger| {
        for cut in [100, 200] {
            ledger.forge(ALICE, ActionKind::Transfer, &naming(&[WHOLE.0]), |state| {
                let (parent, next) = (whole(state), state.next.bundle);
                let (first, last) = (parent.range.first(), parent.range.last());
                let mut taken = child(parent, next, first, first + cut - 1);
                let mut rest = child(parent, next.next(), first + cut, last);
                (taken.account_id, rest.status, taken.status) = (B, BundleStatus::Active, BundleStatus::Active);
                vec![
                    changed(parent, |parent| parent.status = BundleStatus::Split),
                    Change::BundleCreated(taken),
                    Change::BundleCreated(rest),
                ]
            });
        }
        ledger.finds(Kind::SplitWrong, Noun::Bundle, 0);
        ledger.finds(Kind::SplitWrong, Noun::Bundle, 23);
        ledger.finds(Kind::SplitWrong, Noun::Bundle, 24);
        ledger.finds(Kind::KindDoesNotFit, Noun::Bundle, WHOLE.0);
    });
}

#[test]
fn children_without_a_split() {
    on_both(|ledger| {
        ledger.forge(ALICE, ActionKind::Transfer, &naming(&[1]), |state| {
            let (parent, next) = (state.bundle(BundleId(1)).unwrap(), state.next.bundle);
            let (first, last) = (parent.range.first(), parent.range.last());
            let mut children = [child(parent, next, first, first + 9), child(parent, next.next(), first + 10, last)];
            for child in &mut children {
                child.status = BundleStatus::Active;
            }
            children.into_iter().map(Change::BundleCreated).collect()
        });
        ledger.finds(Kind::SplitWrong, Noun::Bundle, 21);
        ledger.finds(Kind::SplitWrong, Noun::Bundle, 22);
        ledger.finds(Kind::SplitWrong, Noun::Bundle, 0);
    });
}

#[test]
fn a_transfer_without_whitelist() {
    on_both(|ledger| {
        forge(ledger, ALICE, ActionKind::Transfer, |bundle| bundle.account_id = C);
        let finding = ledger.finds_only(Kind::MovedWithoutWhitelist, Noun::Bundle, WHOLE.0);
        assert!(finding.text.contains("account 3 had not whitelisted account 1"), "{}", finding.text);
    });
}

#[test]
fn a_transfer_back_when_the_whitelist_was_taken_back() {
    on_both(|ledger| {
        // Alice's account accepted from Bob's before
        let command = Command::Bundles(on(B, &[2], Portion::Whole, Deed::Claim));
        ledger.forge(BOB, ActionKind::Transfer, &command, |state| {
            vec![changed(state.bundle(BundleId(2)).unwrap(), |bundle| bundle.account_id = A)]
        });
        ledger.finds_only(Kind::MovedWithoutWhitelist, Noun::Bundle, 2);
    });
}

#[test]
fn a_transfer_with_a_split_without_whitelist() {
    on_both(|ledger| {
        ledger.forge(ALICE, ActionKind::Transfer, &naming(&[WHOLE.0]), |state| {
            let (parent, next) = (whole(state), state.next.bundle);
            let (first, last) = (parent.range.first(), parent.range.last());
            let mut taken = child(parent, next, first, first + 99);
            taken.account_id = C;
            vec![
                changed(parent, |parent| parent.status = BundleStatus::Split),
                Change::BundleCreated(taken),
                Change::BundleCreated(child(parent, next.next(), first + 100, last)),
            ]
        });
        ledger.finds_only(Kind::MovedWithoutWhitelist, Noun::Bundle, 21);
    });
}

#[test]
fn a_split_of_another_account_into_ones_own() {
    on_both(|ledger| {
        // both parts of Alice's bundle are created in Bob's account, so that neither seems to move
        ledger.forge(BOB, ActionKind::Cancel, &naming(&[WHOLE.0]), |state| {
            let (parent, next) = (whole(state), state.next.bundle);
            let (first, last) = (parent.range.first(), parent.range.last());
            let mut parts = [child(parent, next, first, first + 99), child(parent, next.next(), first + 100, last)];
            for part in &mut parts {
                part.account_id = B;
            }
            parts[0].status = BundleStatus::Cancelled;
            parts[0].cancellation = Some(nobody());
            let [taken, rest] = parts;
            vec![
                changed(parent, |parent| parent.status = BundleStatus::Split),
                Change::BundleCreated(taken),
                Change::BundleCreated(rest),
            ]
        });
        ledger.finds_only(Kind::ChildDiffers, Noun::Bundle, 22);
    });
}

#[test]
fn a_transfer_by_a_stranger() {
    on_both(|ledger| {
        forge(ledger, BOB, ActionKind::Transfer, |bundle| bundle.account_id = B);
        let finding = ledger.finds_only(Kind::MovedByStranger, Noun::Bundle, WHOLE.0);
        assert!(finding.text.contains("user 5 could not act for account 1"), "{}", finding.text);
    });
}

#[test]
fn a_move_that_is_no_transfer() {
    on_both(|ledger| {
        forge(ledger, ISSUER, ActionKind::Lock, |bundle| bundle.account_id = B);
        ledger.finds(Kind::MovedByOtherAction, Noun::Bundle, WHOLE.0);
        ledger.finds(Kind::MovedByStranger, Noun::Bundle, WHOLE.0);
    });
}

#[test]
fn a_reserved_bundle_that_is_active_again() {
    on_both(|ledger| {
        ledger.forge(ISSUER, ActionKind::Unlock, &naming(&[7]), |state| {
            vec![changed(state.bundle(BundleId(7)).unwrap(), |bundle| bundle.status = BundleStatus::Active)]
        });
        let finding = ledger.finds_only(Kind::StateWrong, Noun::Bundle, 7);
        assert!(finding.text.contains("it was Reserved"), "{}", finding.text);
    });
}

#[test]
fn a_state_that_the_action_does_not_lead_to() {
    on_both(|ledger| {
        forge(ledger, ISSUER, ActionKind::Withdraw, |bundle| bundle.status = BundleStatus::Locked);
        ledger.finds_only(Kind::KindDoesNotFit, Noun::Bundle, WHOLE.0);
    });
}

fn nobody() -> Arc<Cancellation> {
    Arc::new(Cancellation { beneficiary: "Mallory".to_owned(), beneficiary_account: None, purpose: None })
}

#[test]
fn a_cancellation_for_somebody_else() {
    on_both(|ledger| {
        ledger.forge(BOB, ActionKind::Claim, &naming(&[18]), |state| {
            vec![changed(state.bundle(BundleId(18)).unwrap(), |bundle| {
                (bundle.status, bundle.cancellation) = (BundleStatus::Claimed, Some(nobody()));
            })]
        });
        let report = ledger.audit();
        assert!(
            report.findings.iter().all(|finding| finding.kind == Kind::BeneficiaryChanged),
            "{:#?}",
            report.findings
        );
        assert!(report.findings.iter().any(|finding| finding.event_number.is_some()), "{:#?}", report.findings);
    });
}

#[test]
fn a_cancellation_without_a_beneficiary() {
    on_both(|ledger| {
        forge(ledger, ALICE, ActionKind::Cancel, |bundle| bundle.status = BundleStatus::Cancelled);
        ledger.finds_only(Kind::BeneficiaryChanged, Noun::Bundle, WHOLE.0);
    });
}

#[test]
fn a_transfer_of_what_had_expired() {
    on_both(|ledger| {
        ledger.now = at("2028-01-01T07:00:00Z");
        forge(ledger, ALICE, ActionKind::Transfer, |bundle| bundle.account_id = B);
        let finding = ledger.finds_only(Kind::ActedAfterExpiry, Noun::Bundle, WHOLE.0);
        assert!(finding.text.contains("expired at 2028-01-01T07:00:00Z"), "{}", finding.text);
    });
}

#[test]
fn more_than_the_device_can_make() {
    on_both(|ledger| {
        ledger.submit(vec![reading(WIND, 600, 60, 1_100_001)]);
        forge_issue(ledger, ISSUER, 600, 1_100_001);
        let finding = ledger.finds_only(Kind::AboveCapacity, Noun::Measurement, 14);
        assert!(finding.text.contains("1100001 Wh are live"), "{}", finding.text);
        assert!(finding.text.contains("allows 1100000 Wh"), "{}", finding.text);
        let wider = Options { capacity_margin: (12, 10) };
        assert!(verify::run(&mut ledger.connection, &wider, |_| {}).unwrap().is_clean());
    });
}

#[test]
fn an_issue_by_a_trader() {
    on_both(|ledger| {
        ledger.submit(vec![reading(WIND, 600, 60, 1_000)]);
        forge_issue(ledger, ALICE, 600, 1_000);
        ledger.finds_only(Kind::ActorNotPermitted, Noun::Action, 33);
    });
}

#[test]
fn an_issue_on_half_an_hour_of_a_reading() {
    on_both(|ledger| {
        ledger.submit(vec![reading(WIND, 600, 60, 1_000)]);
        let (now, command) = (ledger.now, Command::Issue(chunk(600, 660)));
        ledger.forge(ISSUER, ActionKind::Issue, &command, |state| {
            vec![Change::BundleCreated(next_bundle(state, WIND, interval(600, 30), 1_000, now))]
        });
        let finding = ledger.finds_only(Kind::NoReading, Noun::Bundle, 21);
        assert!(
            finding.text.contains("to 2026-01-01T10:30:00Z; it lasts until 2026-01-01T11:00:00Z"),
            "{}",
            finding.text
        );
    });
}

#[test]
fn an_issue_on_what_a_reading_said_before_it_was_corrected() {
    on_both(|ledger| {
        ledger.submit(vec![reading(WIND, 600, 60, 1_000)]);
        ledger.submit(vec![reading(WIND, 600, 60, 400)]);
        forge_issue(ledger, ISSUER, 600, 1_000);
        let finding = ledger.finds_only(Kind::IssuedTwice, Noun::Measurement, 15);
        assert!(finding.text.contains("no version of it since the issue more than 400 Wh"), "{}", finding.text);
    });
}

#[test]
fn an_issue_to_another_account() {
    on_both(|ledger| {
        ledger.submit(vec![reading(WIND, 600, 60, 1_000)]);
        let (now, command) = (ledger.now, Command::Issue(chunk(600, 660)));
        ledger.forge(ISSUER, ActionKind::Issue, &command, |state| {
            let mut bundle = next_bundle(state, WIND, interval(600, 60), 1_000, now);
            bundle.account_id = C;
            vec![Change::BundleCreated(bundle)]
        });
        ledger.finds_only(Kind::IssueWrong, Noun::Bundle, 21);
    });
}

#[test]
fn an_issue_that_passes_for_a_transfer() {
    on_both(|ledger| {
        ledger.submit(vec![reading(WIND, 600, 60, 1_000)]);
        let (now, command) = (ledger.now, Command::Issue(chunk(600, 660)));
        ledger.forge(ALICE, ActionKind::Transfer, &command, |state| {
            vec![Change::BundleCreated(next_bundle(state, WIND, interval(600, 60), 1_000, now))]
        });
        let report = ledger.audit();
        assert_eq!(report.kinds.keys().copied().collect::<Vec<_>>(), [Kind::KindDoesNotFit], "{:#?}", report.findings);
    });
}

#[test]
fn a_correction_downward_after_issue_is_a_shortfall_and_no_violation() {
    on_both(|ledger| {
        ledger.bundles(ALICE, A, &[WHOLE.0], Portion::Quantity(WattHours(600)), Deed::Transfer { target: B });
        ledger.correct(7, 400);
        let report = ledger.audit();
        assert!(report.is_clean(), "{:#?}", report.findings);
        let [finding] = report.findings.as_slice() else { panic!("{:#?}", report.findings) };
        assert_eq!((finding.kind, finding.severity), (Kind::Shortfall, Severity::Notice));
        assert_eq!(finding.entity_id, 14);
        assert!(finding.text.contains("600 Wh are live"), "{}", finding.text);
        assert!(finding.text.contains("reading 14 was corrected to 400 Wh"), "{}", finding.text);
    });
}

#[test]
fn more_shortfalls_than_are_told_are_no_violations() {
    on_both(|ledger| {
        let count = i64::try_from(FINDINGS_MAX).unwrap() + 10;
        let readings: Vec<_> = (0..count).map(|minute| reading(WIND, 600 + minute, 1, 100)).collect();
        ledger.submit(readings);
        for minute in (0..count).step_by(200) {
            let until = count.min(minute + 200);
            ledger.issue(600 + minute, 600 + until);
            let ids: Vec<i64> = (21 + minute..21 + until).collect();
            ledger.bundles(ALICE, A, &ids, Portion::Whole, Deed::Transfer { target: B });
        }
        for id in 14..14 + count {
            ledger.correct(id, 40);
        }
        let report = ledger.audit();
        assert!(report.is_clean(), "{:#?}", report.kinds);
        assert_eq!(report.notices, u64::try_from(count).unwrap());
    });
}

#[test]
fn what_was_held_issued_again() {
    on_both(|ledger| {
        let withdrawal = Deed::Withdraw { reason: "a doubt".to_owned(), export_failed: false };
        ledger.bundles(ISSUER, A, &[WHOLE.0], Portion::Quantity(WattHours(300)), withdrawal);
        forge_issue(ledger, ISSUER, 360, 300);
        let finding = ledger.finds_only(Kind::HoldWrong, Noun::Measurement, 7);
        assert!(
            finding.text.contains("1000 Wh are live, issued in 2 bundles, and 300 Wh are held"),
            "{}",
            finding.text
        );
    });
}

#[test]
fn what_was_released_may_be_issued_again() {
    on_both(|ledger| {
        let withdrawal = Deed::Withdraw { reason: "a doubt".to_owned(), export_failed: false };
        ledger.bundles(ISSUER, A, &[WHOLE.0], Portion::Quantity(WattHours(300)), withdrawal);
        ledger.release(7);
        ledger.issue(360, 420);
        assert_eq!(ledger.audit().findings, []);
    });
}

#[test]
fn more_released_than_was_withdrawn() {
    on_both(|ledger| {
        let withdrawal = Deed::Withdraw { reason: "a doubt".to_owned(), export_failed: false };
        ledger.bundles(ISSUER, A, &[WHOLE.0], Portion::Quantity(WattHours(300)), withdrawal);
        let id = MeasurementId(7);
        let command = Command::ReleaseHold { measurement: id, reason: "reason".to_owned() };
        for energy in [300, 1] {
            // of the second there is nothing left to release, so that the state must be told of it
            ledger.forge_with(ISSUER, ActionKind::ReleaseHold, &command, |state| {
                let (device, start) = (WIND, interval(360, 60).start());
                state.places.get_mut(&(start, device)).unwrap().held = WattHours(energy);
                vec![Change::HoldReleased { id, device, start, energy: WattHours(energy) }]
            });
        }
        let finding = ledger.finds_only(Kind::HoldWrong, Noun::Measurement, 7);
        assert!(finding.text.contains("301 Wh were released, and 300 Wh withdrawn"), "{}", finding.text);
    });
}

#[test]
fn a_reading_that_was_deleted_though_it_was_issued() {
    on_both(|ledger| {
        let id = MeasurementId(7);
        ledger.forge(METERING, ActionKind::DeleteMeasurement, &Command::DeleteMeasurement(id), |_| {
            vec![Change::ReadingDeleted(id)]
        });
        ledger.finds_only(Kind::NoReading, Noun::Bundle, WHOLE.0);
    });
}

#[test]
fn a_correction_that_takes_back_what_was_used() {
    on_both(|ledger| {
        // 18 was cancelled and not claimed
        ledger.forge(METERING, ActionKind::UpdateMeasurement, &naming(&[18]), |state| {
            vec![changed(state.bundle(BundleId(18)).unwrap(), |bundle| bundle.status = BundleStatus::Withdrawn)]
        });
        let finding = ledger.finds_only(Kind::KindDoesNotFit, Noun::Bundle, 18);
        assert!(finding.text.contains("makes a bundle Withdrawn that was Cancelled"), "{}", finding.text);
    });
}

#[test]
fn a_correction_that_takes_the_wrong_end() {
    on_both(|ledger| {
        // as the issuer's withdrawal does it: the part that is taken first
        ledger.forge(METERING, ActionKind::UpdateMeasurement, &naming(&[WHOLE.0]), |state| {
            let (parent, next) = (whole(state), state.next.bundle);
            let (first, last) = (parent.range.first(), parent.range.last());
            let mut taken = child(parent, next, first, first + 99);
            taken.status = BundleStatus::Withdrawn;
            vec![
                changed(parent, |parent| parent.status = BundleStatus::Split),
                Change::BundleCreated(taken),
                Change::BundleCreated(child(parent, next.next(), first + 100, last)),
            ]
        });
        ledger.finds(Kind::StateWrong, Noun::Bundle, 21);
    });
}

#[test]
fn a_release_by_a_measurement_body_and_one_that_passes_for_a_submission() {
    on_both(|ledger| {
        let withdrawal = Deed::Withdraw { reason: "a doubt".to_owned(), export_failed: false };
        ledger.bundles(ISSUER, A, &[WHOLE.0], Portion::Quantity(WattHours(300)), withdrawal);
        let (id, device, start) = (MeasurementId(7), WIND, interval(360, 60).start());
        let command = Command::ReleaseHold { measurement: id, reason: "reason".to_owned() };
        let released = |energy| vec![Change::HoldReleased { id, device, start, energy: WattHours(energy) }];
        ledger.forge(METERING, ActionKind::ReleaseHold, &command, |_| released(100));
        ledger.forge(METERING, ActionKind::SubmitReadings, &command, |_| released(200));
        let report = ledger.audit();
        let kinds: Vec<_> = report.kinds.keys().copied().collect();
        assert_eq!(kinds, [Kind::KindDoesNotFit, Kind::ActorNotPermitted], "{:#?}", report.findings);
    });
}

#[test]
fn an_action_of_a_user_who_came_later() {
    on_both(|ledger| {
        forge(ledger, Actor::User(UserId(6)), ActionKind::Transfer, |bundle| bundle.account_id = B);
        let user = domain::action::NewUser {
            name: "Mallory".to_owned(),
            primary_contact: "m@example.org".to_owned(),
            roles: domain::Roles::of(&[domain::Role::TradingUser]),
            organisation: None,
            account_ids: vec![A],
            password_hash: None,
        };
        ledger.act(ADMIN, &Command::CreateUser(user));
        ledger.finds(Kind::ActorUnknown, Noun::Action, 32);
        ledger.finds(Kind::MovedByStranger, Noun::Bundle, WHOLE.0);
    });
}

#[test]
fn a_log_that_is_sealed_anew_has_another_root() {
    on_both(|ledger| {
        let before = ledger.audit();
        ledger.unprotect();
        ledger.reseal();
        assert_eq!(ledger.audit(), before, "sealing what is there gives what was there");
        ledger.sql("UPDATE action SET request = '{\"asked\":99}' WHERE id = 20");
        ledger.reseal();
        let after = ledger.audit();
        assert!(after.is_clean(), "{:#?}", after.findings);
        assert_ne!(after.root, before.root);
    });
}

#[test]
fn tables_that_were_changed_with_the_log_sealed_anew() {
    on_both(|ledger| {
        ledger.unprotect();
        // the correction of reading 8 is taken out of log and table, and the rest is sealed
        ledger.sql("UPDATE measurement SET energy_wh = 950 WHERE id = 9");
        ledger.reseal();
        ledger.finds_only(Kind::RowDiffers, Noun::Measurement, 9);
    });
}
