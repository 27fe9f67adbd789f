//! How much of a selection is acted on, and exactly what a split makes.

use super::*;
use crate::seal;

fn moved(state: &State, bundles: &[i64], portion: Portion) -> (Changes, Vec<BundleResult>, u64) {
    let deed = Deed::Transfer { target: BUYER };
    match decided(state, TRADER, &on_bundles(SELLER, bundles, portion, deed)).unwrap() {
        (changes, Outcome::Bundles { result, total }) => (changes, result, total.0),
        other => panic!("not bundles: {other:?}"),
    }
}

/// (bundle, quantity) of what went to the buyer.
fn taken(state: &State, bundles: &[i64], portion: Portion) -> Vec<(i64, u64)> {
    let (_, result, total) = moved(state, bundles, portion);
    let gone = result.iter().filter(|r| r.account_id == BUYER);
    let gone: Vec<_> = gone.map(|r| (r.parent_id.unwrap_or(r.bundle_id).0, r.range.quantity().0)).collect();
    assert_eq!(gone.iter().map(|(_, quantity)| quantity).sum::<u64>(), total);
    gone
}

#[test]
fn a_quantity_is_of_the_selection_oldest_production_first_then_by_id() {
    // produced 1, 2 and 3 hours before noon; 4 was produced in the hour of 2
    let twin = Bundle { production: hour_before_noon(2), ..bundle(4, 40) };
    let state = state_with([bundle(1, 10), bundle(2, 20), bundle(3, 30), twin]);
    for (wanted, expected) in [
        (1, &[(3, 1)][..]),
        (30, &[(3, 30)]),
        (31, &[(3, 30), (2, 1)]),
        (50, &[(3, 30), (2, 20)]),
        (51, &[(3, 30), (2, 20), (4, 1)]),
        (90, &[(3, 30), (2, 20), (4, 40)]),
        (99, &[(3, 30), (2, 20), (4, 40), (1, 9)]),
        (100, &[(3, 30), (2, 20), (4, 40), (1, 10)]),
    ] {
        assert_eq!(taken(&state, &[1, 4, 2, 3], quantity(wanted)), expected, "{wanted} Wh");
    }
}

#[test]
fn a_quantity_splits_at_most_one_bundle() {
    let state = state_with([bundle(1, 10), bundle(2, 20), bundle(3, 30)]);
    for (wanted, splits) in [(30, 0), (45, 1), (50, 0), (59, 1), (60, 0)] {
        let (changes, _, total) = moved(&state, &[1, 2, 3], quantity(wanted));
        let created = changes.iter().filter(|c| matches!(c, Change::BundleCreated(_))).count();
        assert_eq!((created, total), (2 * splits, wanted), "{wanted} Wh");
    }
}

#[test]
fn a_share_is_of_each_bundle_rounded_down() {
    let state = state_with([bundle(1, 100), bundle(2, 10), bundle(3, 3)]);
    for (text, expected) in [
        ("0.29", &[(2, 2), (1, 29)][..]),
        ("0.5", &[(3, 1), (2, 5), (1, 50)]),
        ("0.01", &[(1, 1)]),
        ("0.999999999999999999", &[(3, 2), (2, 9), (1, 99)]),
        ("1", &[(3, 3), (2, 10), (1, 100)]),
        ("1.0", &[(3, 3), (2, 10), (1, 100)]),
    ] {
        assert_eq!(taken(&state, &[1, 2, 3], share(text)), expected, "{text}");
    }
}

#[test]
fn the_whole_however_it_is_asked_splits_nothing() {
    let state = state_with([bundle(1, 100), bundle(2, 10)]);
    let whole = [changed(&state, 2, |m| m.account_id = BUYER), changed(&state, 1, |m| m.account_id = BUYER)];
    for portion in [Portion::Whole, share("1.0"), quantity(110)] {
        assert_eq!(moved(&state, &[1, 2], portion).0, whole, "{portion:?}");
    }
}

#[test]
fn a_share_of_nothing_leaves_that_bundle_alone() {
    let state = state_with([bundle(1, 100), bundle(2, 3)]);
    let (changes, result, total) = moved(&state, &[1, 2], share("0.25"));
    assert_eq!(total, 25);
    assert_eq!(changes.len(), 3);
    assert!(result.iter().all(|r| r.bundle_id != BundleId(2)));
}

#[test]
fn a_bundle_that_the_portion_does_not_reach_is_checked_too() {
    let state = state_with([bundle(3, 100), with_status(bundle(1, 100), BundleStatus::Locked)]);
    let command = on_bundles(SELLER, &[3, 1], quantity(1), cancel());
    let needed = vec![BundleStatus::Active];
    let expected = Refusal::WrongState { bundle_id: BundleId(1), status: BundleStatus::Locked, needed };
    assert_eq!(refusal(&state, TRADER, &command), expected);
}

#[test]
fn a_split_makes_the_part_taken_and_the_rest_from_the_start_of_the_range() {
    let parent = bundle(3, 100); // certificates 3000 to 3099
    let state = state_with([parent.clone()]);
    let (changes, result, total) = moved(&state, &[3], share("0.29"));
    let child = |id, first, last, account_id| {
        let mut child = Bundle {
            id: BundleId(id),
            account_id,
            range: CertificateRange::new(first, last).unwrap(),
            parent_id: Some(BundleId(3)),
            ..parent.clone()
        };
        child.hash = seal::child_hash(&child, &parent.hash);
        child
    };
    let (part, rest) = (child(4, 3_000, 3_028, BUYER), child(5, 3_029, 3_099, SELLER));
    assert_ne!(part.hash, rest.hash);
    let result_of = |of: &Bundle, status| BundleResult {
        bundle_id: of.id,
        parent_id: of.parent_id,
        range: of.range,
        status,
        account_id: of.account_id,
    };
    assert_eq!(
        result,
        [
            result_of(&parent, BundleStatus::Split),
            result_of(&part, BundleStatus::Active),
            result_of(&rest, BundleStatus::Active),
        ]
    );
    let parent_after = changed(&state, 3, |after| after.status = BundleStatus::Split);
    assert_eq!(changes, [parent_after, Change::BundleCreated(part), Change::BundleCreated(rest)]);
    assert_eq!(total, 29);
}

#[test]
fn each_deed_leaves_the_rest_of_a_split_as_it_was() {
    let reason = || "reason".to_owned();
    for (deed, actor, from, to) in [
        (cancel(), TRADER, BundleStatus::Active, BundleStatus::Cancelled),
        (Deed::Claim, TRADER, BundleStatus::Cancelled, BundleStatus::Claimed),
        (Deed::Reserve { target_registry: None }, TRADER, BundleStatus::Active, BundleStatus::Reserved),
        (Deed::Lock { reason: reason() }, ISSUER, BundleStatus::Active, BundleStatus::Locked),
        (Deed::Unlock { reason: reason() }, ISSUER, BundleStatus::Locked, BundleStatus::Active),
        (
            Deed::Withdraw { reason: reason(), export_failed: false },
            ISSUER,
            BundleStatus::Claimed,
            BundleStatus::Withdrawn,
        ),
        (
            Deed::Withdraw { reason: reason(), export_failed: true },
            ISSUER,
            BundleStatus::Reserved,
            BundleStatus::Withdrawn,
        ),
    ] {
        let state = state_with([with_status(bundle(1, 100), from)]);
        let (changes, _) = decided(&state, actor, &on_bundles(SELLER, &[1], quantity(40), deed.clone())).unwrap();
        let [Change::BundleChanged { after, .. }, Change::BundleCreated(part), Change::BundleCreated(rest)] =
            &changes[..]
        else {
            panic!("a split: {changes:?}");
        };
        assert_eq!((after.status, part.status, rest.status), (BundleStatus::Split, to, from), "{deed:?}");
        assert_eq!((part.range.quantity(), rest.range.quantity()), (WattHours(40), WattHours(60)));
        assert_eq!(part.cancellation.is_some(), matches!(deed, Deed::Cancel { .. }));
        assert_eq!(rest.cancellation, None);
    }
}
