//! Any sequence of commands on one state: no watt-hour is made twice, nothing final comes back, the sums that the state
//! keeps are those of its bundles, and more is live than the reading says only by the shortfall of a correction.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One step of a sequence as it is drawn; numbers are reduced to what there is.
#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    /// Whether it is by anybody on any bundles, which mostly is refused, or by who may on bundles that may.
    is_wild: bool,
    actor: UserId,
    days: i64,
    hours: i64,
    energy: i64,
    picks: Vec<usize>,
    portion: u8,
    amount: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let actor = prop_oneof![Just(TRADER), Just(BUYERS_TRADER), Just(ISSUER), Just(ADMINISTRATOR)];
    let who = (proptest::bool::weighted(0.2), actor);
    let when = (0..40_i64, 1..5_i64);
    let what = (0..500_i64, proptest::collection::vec(any::<usize>(), 1..4), 0..3_u8, 1..999_u64);
    let step = (0..17_u8, who, when, what).prop_map(|(kind, (is_wild, actor), (days, hours), what)| {
        let (energy, picks, portion, amount) = what;
        Step { kind, is_wild, actor, days, hours, energy, picks, portion, amount }
    });
    proptest::collection::vec(step, 1..60)
}

/// The command of a step, by whom, in the state as it is.
fn command_of(step: &Step, state: &State, now: Timestamp) -> (UserId, Command) {
    let deed = match step.kind {
        0 | 1 => {
            let readings = vec![reading(hour_before_noon(step.hours), step.energy)];
            return (METER, Command::SubmitReadings(SubmitReadings { readings, source: ReadingSource::Submitted }));
        }
        2 | 3 => {
            let (from, to) = (hour_before_noon(step.hours).start(), noon());
            return (ISSUER, Command::Issue(IssueChunk { metadata_id: METADATA, devices: vec![WIND], from, to }));
        }
        13 | 14 => {
            let energy_wh = Some(step.energy);
            let (measurement, place) = (current_id(step, state), StatedPlace::default());
            let update = MeasurementUpdate { measurement, energy_wh, quality: None, place, source: None };
            return (if step.is_wild { step.actor } else { METER }, Command::UpdateMeasurement(update));
        }
        15 => {
            let (measurement, reason) = (current_id(step, state), "reason".to_owned());
            return (ISSUER, Command::ReleaseHold { measurement, reason });
        }
        16 => return (METER, Command::DeleteMeasurement(current_id(step, state))),
        4 => Deed::Transfer { target: BUYER },
        5 => {
            let purpose = (step.energy % 5 == 0).then(|| PURPOSE_STORAGE.to_owned());
            let beneficiary_account = (step.energy % 3 == 0).then_some(BUYER);
            Deed::Cancel { beneficiary: None, beneficiary_account, purpose }
        }
        6 => Deed::Claim,
        7 => Deed::Reserve { target_registry: None },
        8 => Deed::Lock { reason: "reason".to_owned() },
        9 => Deed::Unlock { reason: "reason".to_owned() },
        12 => Deed::UpdateMutables {
            account: (step.energy % 2 == 0).then_some(BUYER),
            status: BundleStatus::ALL.get(usize::try_from(step.energy % 9).unwrap()).copied(),
            reason: None,
        },
        kind => Deed::Withdraw { reason: "reason".to_owned(), export_failed: kind == 11 },
    };
    let (source, bundles) = selection_of(step, &deed, state, now);
    let held: u64 = bundles.iter().filter_map(|id| state.bundle(*id)).map(|b| b.range.quantity().0).sum();
    let portion = match step.portion {
        0 => Portion::Whole,
        1 => quantity(if step.is_wild { step.amount } else { step.amount % held.max(1) + 1 }),
        _ => share(&format!("0.{:03}", step.amount)),
    };
    let deed = if source == BUYER && step.kind == 4 { Deed::Transfer { target: SELLER } } else { deed };
    let actor = match (step.is_wild, step.kind) {
        (true, _) => step.actor,
        (false, 4..=7) if source == SELLER => TRADER,
        (false, 4..=7) => BUYERS_TRADER,
        (false, _) => ISSUER,
    };
    (actor, Command::Bundles(BundleAction { source, bundles, portion, deed }))
}

/// The reading of the step's hour that counts now, or one that does not exist.
fn current_id(step: &Step, state: &State) -> MeasurementId {
    let current = state.readings.get(&(WIND, hour_before_noon(step.hours).start()));
    current.map_or(MeasurementId(99_999), |current| current.measurement.id)
}

/// The bundles of a step and who holds the first: any, or those that the deed may be done to.
fn selection_of(step: &Step, deed: &Deed, state: &State, now: Timestamp) -> (AccountId, Vec<BundleId>) {
    let may = |bundle: &Bundle| match (deed, bundle.status_at(now)) {
        _ if step.is_wild => true,
        (Deed::Claim, BundleStatus::Cancelled) | (Deed::Unlock { .. }, BundleStatus::Locked) => true,
        (Deed::Withdraw { export_failed, .. }, status) => {
            status.is_live() && *export_failed == (status == BundleStatus::Reserved)
        }
        (Deed::Claim | Deed::Unlock { .. }, _) => false,
        (_, status) => status == BundleStatus::Active,
    };
    let mut candidates = bundles_in(state);
    candidates.retain(may);
    let Some(first) = candidates.get(step.picks[0] % candidates.len().max(1)) else { return (SELLER, Vec::new()) };
    let source = first.account_id;
    let mut ids: Vec<_> = candidates.iter().filter(|b| b.account_id == source).map(|b| b.id).collect();
    let mut bundles = Vec::new();
    for pick in &step.picks {
        if !ids.is_empty() {
            bundles.push(ids.swap_remove(pick % ids.len()));
        }
    }
    (source, bundles)
}

fn bundles_in(state: &State) -> Vec<Bundle> {
    (1..state.next.bundle.0).map(|id| state.bundle(BundleId(id)).expect("ids are serial").clone()).collect()
}

/// What was seen of an interval.
#[derive(Clone, Copy, Default)]
struct Seen {
    live: u64,
    /// The most that any version of its reading said.
    stated_max: u64,
}

/// Per interval: the place's sums are those of the bundles and releases; what is made, is made up to the reading; what is
/// live and held is never more than the reading once said; and what is live beyond what it says now is the shortfall.
fn check_energy(state: &State, seen: &mut BTreeMap<Timestamp, Seen>) -> Result<(), TestCaseError> {
    for ((_, start), current) in &state.readings {
        let seen = seen.entry(*start).or_default();
        let stated = u64::try_from(current.measurement.reading.energy_wh).unwrap();
        seen.stated_max = seen.stated_max.max(stated);
    }
    let mut released: BTreeMap<Timestamp, u64> = BTreeMap::new();
    for (_, _, start, energy) in &state.written.released {
        *released.entry(*start).or_default() += energy.0;
    }
    let mut sums: BTreeMap<Timestamp, (u64, u64)> = BTreeMap::new();
    for bundle in bundles_in(state) {
        let (live, withdrawn) = sums.entry(bundle.production.start()).or_default();
        match bundle.status {
            BundleStatus::Split => {}
            BundleStatus::Withdrawn => *withdrawn += bundle.range.quantity().0,
            _ => *live += bundle.range.quantity().0,
        }
    }
    for (start, (live, withdrawn)) in sums {
        let current = state.readings[&(WIND, start)];
        prop_assert!(current.has_bundles);
        let place = state.places[&(start, WIND)];
        let held = withdrawn - released.get(&start).copied().unwrap_or(0);
        prop_assert_eq!((place.live, place.held), (WattHours(live), WattHours(held)));
        prop_assert_eq!(place.measurement.reading, current.measurement.reading);
        let stated = u64::try_from(current.measurement.reading.energy_wh).unwrap();
        let seen = seen.get_mut(&start).expect("it has a reading");
        prop_assert!(live <= seen.live || live + held <= stated, "{} Wh live, {} held, {} stated", live, held, stated);
        prop_assert!(live + held <= seen.stated_max, "{} Wh live, {} held", live, held);
        let shortfall = standing(state.live_device(WIND), &place, &Hours::default(), noon(), &rules()).shortfall;
        prop_assert_eq!(shortfall.0, live.saturating_sub(stated));
        seen.live = live;
    }
    Ok(())
}

/// The certificates of the device, 1 to the last issued, are each in exactly one bundle that is not a split parent.
fn check_ranges(state: &State) -> Result<(), TestCaseError> {
    let mut bundles = bundles_in(state);
    bundles.retain(|b| b.status != BundleStatus::Split);
    bundles.sort_by_key(|b| b.range.first());
    let mut next = 1;
    for bundle in bundles {
        prop_assert_eq!(bundle.range.first(), next, "no gap, no overlap");
        next = bundle.range.last() + 1;
    }
    prop_assert_eq!(next, state.devices[&WIND].next_certificate);
    Ok(())
}

/// What a step did to each bundle stands in the state table, and what is for ever stays.
fn check_transitions(
    before: &[Bundle],
    state: &State,
    is_correction: bool,
    now: Timestamp,
) -> Result<(), TestCaseError> {
    use BundleStatus::{Active, Cancelled, Claimed, Expired, Locked, Reserved, Split, Withdrawn};
    for was in before {
        let is = state.bundle(was.id).unwrap();
        let restored = Bundle {
            status: was.status,
            account_id: was.account_id,
            cancellation: was.cancellation.clone(),
            ..is.clone()
        };
        prop_assert_eq!(&restored, was);
        let from = was.status_at(now);
        let allowed = match (from, is.status_at(now)) {
            (from, to) if from == to => true,
            (Withdrawn | Split, _) => false,
            (Active, Cancelled | Reserved | Locked) | (Locked, Active) | (Cancelled, Claimed) | (_, Split) => true,
            (from, Withdrawn) => from.is_live(),
            _ => false,
        };
        prop_assert!(allowed, "{} became {}", from, is.status_at(now));
        let may_move = from == Active || (is_correction && from == Locked);
        prop_assert!(was.account_id == is.account_id || may_move, "{} moves", from);
        prop_assert!(was.cancellation.is_none() || was.cancellation == is.cancellation);
    }
    for child in bundles_in(state).iter().skip(before.len()).filter(|b| b.parent_id.is_some()) {
        let from = before.iter().find(|b| Some(b.id) == child.parent_id).expect("the parent was there").status_at(now);
        let to = child.status_at(now);
        let is_final = matches!(from, Cancelled | Claimed | Expired | Reserved | Withdrawn);
        prop_assert!(!(is_final && matches!(to, Active | Locked)), "a child of {} is {}", from, to);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn no_sequence_of_commands_makes_a_watt_hour_twice(steps in steps()) {
        let rules = Rules { expiry_years: 1, ..rules() };
        let (mut state, mut now, mut seen) = (state(), noon(), BTreeMap::new());
        for (number, step) in (1..).zip(&steps) {
            // a few days go by now and then, so that some bundles expire on the way
            now += (i64::from(step.days > 30) * step.days * 24).hours();
            let (actor, command) = command_of(step, &state, now);
            let before = bundles_in(&state);
            if let Ok((changes, _)) = decide(&state, Actor::User(actor), &command, now, &rules) {
                state.apply(ActionId(number), &changes);
                let is_correction = command.kind() == ActionKind::UpdateMutables;
                check_transitions(&before, &state, is_correction, now)?;
            }
            check_energy(&state, &mut seen)?;
            check_ranges(&state)?;
        }
    }
}
