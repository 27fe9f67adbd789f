//! Properties of one action on any bundles: energy is conserved, children partition parents, no more is split than asked.

use super::*;
use crate::seal;
use proptest::prelude::*;

/// A bundle as it is drawn: hours before noon, quantity.
type Drawn = (i64, u64);

fn selection() -> impl Strategy<Value = Vec<Drawn>> {
    let amount = prop_oneof![4 => 1..200_u64, 1 => 1..1_000_000_000_000_u64];
    proptest::collection::vec((1..6_i64, amount), 1..12)
}

fn any_portion() -> impl Strategy<Value = (u8, u64, u64)> {
    (0..3_u8, any::<u64>(), 1..=1_000_u64)
}

/// The portion that was drawn, so that the selection can give it.
fn portion_of((kind, any, permille): (u8, u64, u64), held: u64) -> Portion {
    match kind {
        0 => Portion::Whole,
        1 => quantity(any % held + 1),
        _ => share(&format!("{}.{:03}", permille / 1_000, permille % 1_000)),
    }
}

fn deeds() -> [(Deed, UserId, BundleStatus); 8] {
    let reason = || "reason".to_owned();
    [
        (Deed::Transfer { target: BUYER }, TRADER, BundleStatus::Active),
        (cancel(), TRADER, BundleStatus::Active),
        (Deed::Claim, TRADER, BundleStatus::Cancelled),
        (Deed::Reserve { target_registry: None }, TRADER, BundleStatus::Active),
        (Deed::Lock { reason: reason() }, ISSUER, BundleStatus::Active),
        (Deed::Unlock { reason: reason() }, ISSUER, BundleStatus::Locked),
        (Deed::Withdraw { reason: reason(), export_failed: false }, ISSUER, BundleStatus::Cancelled),
        (
            Deed::UpdateMutables { account: Some(STRANGER), status: Some(BundleStatus::Active), reason: None },
            ISSUER,
            BundleStatus::Locked,
        ),
    ]
}

/// Bundles 1, 2, … of `SELLER` with ranges one behind the other.
fn stored(drawn: &[Drawn], status: BundleStatus) -> Vec<Bundle> {
    let mut first = 1;
    let mut bundles = Vec::new();
    for (id, (hours, amount)) in (1..).zip(drawn) {
        let range = CertificateRange::starting(first, WattHours(*amount)).unwrap();
        first = range.last() + 1;
        let production = hour_before_noon(*hours);
        bundles.push(Bundle { range, production, ..with_status(bundle(id, *amount), status) });
    }
    bundles
}

fn bundles_in(state: &State) -> impl Iterator<Item = &Bundle> {
    (1..state.next.bundle.0).map(|id| state.bundle(BundleId(id)).expect("ids are serial"))
}

fn counted(state: &State) -> u64 {
    bundles_in(state).filter(|b| b.status != BundleStatus::Split).map(|b| b.range.quantity().0).sum()
}

/// What the portion takes of each bundle, said in another way than by the rule: a Wh at a time is too slow, so by sums.
fn expected_total(bundles: &[Bundle], portion: Portion) -> u64 {
    match portion {
        Portion::Whole => bundles.iter().map(|b| b.range.quantity().0).sum(),
        Portion::Quantity(asked) => asked.0,
        Portion::Share(share) => bundles.iter().filter_map(|b| share.of(b.range.quantity())).map(|wh| wh.0).sum(),
    }
}

proptest! {
    #[test]
    fn an_action_conserves_energy(drawn in selection(), portion in any_portion(), deed in 0..8_usize) {
        let (deed, actor, status) = deeds()[deed].clone();
        let bundles = stored(&drawn, status);
        let portion = portion_of(portion, bundles.iter().map(|b| b.range.quantity().0).sum());
        let mut state = state_with(bundles.clone());
        let before = counted(&state);
        let ids: Vec<_> = bundles.iter().map(|b| b.id.0).collect();
        let command = on_bundles(SELLER, &ids, portion, deed.clone());
        let (changes, outcome) = match decided(&state, actor, &command) {
            Ok(decided) => decided,
            Err(refusal) => {
                prop_assert_eq!(refusal, Refusal::NothingPicked);
                prop_assert_eq!(expected_total(&bundles, portion), 0);
                return Ok(());
            }
        };
        let Outcome::Bundles { result, total } = outcome else { panic!("not bundles") };
        prop_assert_eq!(total.0, expected_total(&bundles, portion));
        let splits = changes.iter().filter(|c| matches!(c, Change::BundleCreated(_))).count() / 2;
        prop_assert!(!matches!(portion, Portion::Quantity(_)) || splits <= 1, "{} splits", splits);

        state.apply(ActionId(1), &changes);
        prop_assert_eq!(counted(&state), before);
        check_children(&state, &bundles, splits)?;
        check_results(&state, &result, &changes)?;
        let next = bundles.len() + 2 * splits + 1;
        prop_assert_eq!(state.next.bundle, BundleId(i64::try_from(next).unwrap()));
    }
}

/// Ids are serial, every pair of children is exactly its parent, and the rest is as the parent was.
fn check_children(state: &State, stored: &[Bundle], splits: usize) -> Result<(), TestCaseError> {
    prop_assert_eq!(state.written.bundles.len(), 2 * splits);
    for (id, child) in (stored.last().unwrap().id.0 + 1..).zip(&state.written.bundles) {
        prop_assert_eq!(child.id, BundleId(id));
    }
    for pair in state.written.bundles.chunks(2) {
        let [taken, rest] = pair else { panic!("children come in pairs") };
        prop_assert_eq!(taken.parent_id, rest.parent_id);
        let parent = state.bundle(taken.parent_id.unwrap()).unwrap();
        prop_assert_eq!(parent.status, BundleStatus::Split);
        let was = stored.iter().find(|b| b.id == parent.id).unwrap();
        prop_assert_eq!(rest.mutable(), was.mutable());
        prop_assert_ne!(taken.mutable(), was.mutable());
        prop_assert_eq!(taken.range.first(), parent.range.first());
        prop_assert_eq!(taken.range.last() + 1, rest.range.first());
        prop_assert_eq!(rest.range.last(), parent.range.last());
        for child in [taken, rest] {
            prop_assert_eq!(child.hash, seal::child_hash(child, &parent.hash));
            prop_assert_eq!((child.device_id, child.production), (parent.device_id, parent.production));
            prop_assert_eq!((child.issued_at, child.expires_at), (parent.issued_at, parent.expires_at));
            prop_assert_eq!(child.attributes_id, parent.attributes_id);
        }
    }
    Ok(())
}

/// The outcome names what the state now is, once for each change, in order.
fn check_results(state: &State, result: &[BundleResult], changes: &Changes) -> Result<(), TestCaseError> {
    let named: Vec<_> = result.iter().map(|r| r.bundle_id).collect();
    let written: Vec<_> = changes
        .iter()
        .map(|change| match change {
            Change::BundleChanged { id, .. } => *id,
            Change::BundleCreated(bundle) => bundle.id,
            other => panic!("not of a bundle: {other:?}"),
        })
        .collect();
    prop_assert_eq!(named, written);
    for of in result {
        let bundle = state.bundle(of.bundle_id).unwrap();
        let found = (bundle.parent_id, bundle.range, bundle.status, bundle.account_id);
        prop_assert_eq!(found, (of.parent_id, of.range, of.status, of.account_id));
    }
    for change in changes {
        match change {
            Change::BundleChanged { id, after, .. } => prop_assert_eq!(&state.bundle(*id).unwrap().mutable(), after),
            Change::BundleCreated(bundle) => prop_assert_eq!(state.bundle(bundle.id).unwrap(), bundle),
            _ => {}
        }
    }
    Ok(())
}
