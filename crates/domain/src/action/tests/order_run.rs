//! Recurring orders run, pause and go on: what each makes of the order and of the bundles, and what is refused.

use super::*;
use crate::recurring_order::{OrderDeed, OrderRun, OrderState, OrderTerms, PeriodUnit, RecurringOrder, Schedule};
use crate::{RecurringOrderId, UserId};

const FIRST: RecurringOrderId = RecurringOrderId(1);

fn terms(deed: OrderDeed, portion: Portion) -> OrderTerms {
    let schedule = Schedule { first_at: noon(), unit: PeriodUnit::Days, every: 1, runs: Some(3) };
    OrderTerms { deed, source: SELLER, schedule, device: None, energy_source: None, portion }
}

fn to_buyer() -> OrderDeed {
    OrderDeed::Transfer { target: BUYER }
}

/// Two bundles of 100 Wh, and an order of the trader's that is due at noon.
fn ordered(deed: OrderDeed, portion: Portion) -> State {
    let mut state = state_with([bundle(1, 100), bundle(2, 100)]);
    let (changes, _) = decided(&state, TRADER, &Command::PlaceOrder(terms(deed, portion))).unwrap();
    state.apply(ActionId(1), &changes);
    state
}

fn order(state: &State) -> RecurringOrder {
    state.recurring_orders[&FIRST].clone()
}

fn run(state: &State, bundles: &[i64]) -> Command {
    let order = order(state);
    let bundles = bundles.iter().copied().map(BundleId).collect();
    let due_at = order.next_due_at.unwrap_or(noon());
    Command::RunOrder(OrderRun { order: FIRST, due_at, terms: order.terms, bundles })
}

fn day(days: i64) -> Timestamp {
    noon() + (24 * days).hours()
}

/// Runs it, and says what the order is afterwards, what was done, and how many changes of bundles that took.
fn ran(state: &mut State, command: &Command) -> (RecurringOrder, Result<WattHours, Refusal>, usize) {
    let Command::RunOrder(run) = command else { panic!("{command:?}") };
    let (changes, outcome) = decide(state, Actor::User(TRADER), command, run.due_at, &rules()).unwrap();
    let Outcome::Ran { order, done } = outcome else { panic!("{outcome:?}") };
    let Some(Change::OrderRan { after, ran_at, .. }) = changes.first() else { panic!("{changes:?}") };
    assert_eq!((&order, *ran_at), (after, run.due_at), "the order moves on first");
    state.apply(ActionId(2), &changes);
    (*order, done.map_err(|refusal| *refusal), changes.len() - 1)
}

#[test]
fn each_due_time_runs_at_its_instant_and_after_the_last_the_order_has_ended() {
    let mut state = ordered(to_buyer(), quantity(30));
    let early = noon() - 1.microsecond();
    let moved = Refusal::OrderMoved { order_id: FIRST };
    assert_eq!(decide(&state, Actor::User(TRADER), &run(&state, &[2]), early, &rules()), Err(moved.clone()));
    for (place, bundles, changes) in [(0, [2], 3), (1, [4], 3), (2, [6], 3)] {
        let command = run(&state, &bundles);
        let (after, done, count) = ran(&mut state, &command);
        assert_eq!((done, count), (Ok(WattHours(30)), changes));
        let next = (place < 2).then(|| day(place + 1));
        let expected = if place < 2 { OrderState::Active } else { OrderState::Ended };
        assert_eq!((after.state, after.next_due_at), (expected, next));
        assert_eq!(i64::from(after.runs_done), place + 1);
        // a second process comes late
        let late = decide(&state, Actor::User(TRADER), &command, day(9), &rules());
        assert_eq!(late, Err(moved.clone()), "run {place} again");
    }
    let held: u64 = state.bundles_in(BUYER).map(|bundle| bundle.range.quantity().0).sum();
    assert_eq!(held, 90);
}

#[test]
fn a_run_that_did_something_is_a_transfer_or_a_cancellation_and_one_that_did_not_is_a_run() {
    let cancellation = OrderDeed::Cancel { beneficiary: None, beneficiary_account: None, purpose: None };
    for (deed, kind) in [(to_buyer(), ActionKind::Transfer), (cancellation, ActionKind::Cancel)] {
        let state = ordered(deed, Portion::Whole);
        for (bundles, kind) in [(&[1, 2][..], kind), (&[][..], ActionKind::RunOrder)] {
            let command = run(&state, bundles);
            let (changes, _) = decided(&state, TRADER, &command).unwrap();
            assert_eq!(command.kind_of_action(&changes), kind);
        }
    }
}

/// A portion, what there is, what has changed since the order was placed, and why the run is refused.
type Case<'c> = (Portion, &'c [i64], &'c dyn Fn(&mut State), &'c Refusal);

#[test]
fn what_a_rule_refuses_is_on_record_and_the_order_goes_on() {
    let nothing = Refusal::NothingMatches { source_id: SELLER };
    let not_whitelisted = Refusal::NotWhitelisted { source_id: SELLER, target_id: BUYER };
    let not_enough = Refusal::NotEnough { held: WattHours(200), asked: WattHours(201) };
    let forbidden = forbidden("the role Trading User or Production User and membership of account 1");
    let none = |_: &mut State| {};
    let unlisted = |state: &mut State| assert!(state.whitelist.remove(&(BUYER, SELLER)));
    let left = |state: &mut State| assert!(state.memberships.remove(&(TRADER, SELLER)));
    let deleted = |state: &mut State| state.users.get_mut(&TRADER).unwrap().is_deleted = true;
    let demoted = |state: &mut State| state.users.get_mut(&TRADER).unwrap().roles = Roles::NONE;
    let cases: [Case<'_>; 7] = [
        (Portion::Whole, &[], &none, &nothing),
        (quantity(201), &[1, 2], &none, &not_enough),
        (share("0.001"), &[1, 2], &none, &Refusal::NothingPicked),
        (Portion::Whole, &[1], &unlisted, &not_whitelisted),
        (Portion::Whole, &[1], &left, &forbidden),
        (Portion::Whole, &[1], &deleted, &forbidden),
        (Portion::Whole, &[1], &demoted, &forbidden),
    ];
    for (portion, bundles, change, expected) in cases {
        let mut state = ordered(to_buyer(), portion);
        change(&mut state);
        let command = run(&state, bundles);
        let (after, done, count) = ran(&mut state, &command);
        assert_eq!((done, count), (Err(expected.clone()), 0));
        assert_eq!((after.state, after.next_due_at, after.runs_done), (OrderState::Active, Some(day(1)), 1));
    }
}

#[test]
fn once_an_account_that_it_names_is_deleted_the_order_ends_with_the_run_that_finds_it() {
    let for_buyer = OrderDeed::Cancel { beneficiary: None, beneficiary_account: Some(BUYER), purpose: None };
    for (deed, gone) in [(to_buyer(), BUYER), (to_buyer(), SELLER), (for_buyer, BUYER)] {
        let mut state = ordered(deed, Portion::Whole);
        state.accounts.get_mut(&gone).unwrap().is_deleted = true;
        state.memberships.retain(|(_, account)| *account != gone);
        let command = run(&state, &[1]);
        let (after, done, _) = ran(&mut state, &command);
        assert!(done.is_err(), "account {gone}");
        assert_eq!((after.state, after.next_due_at), (OrderState::Ended, None), "account {gone}");
    }
}

#[test]
fn a_run_is_refused_in_this_order() {
    let state = ordered(to_buyer(), Portion::Whole);
    let command = run(&state, &[1]);
    let unknown = match command.clone() {
        Command::RunOrder(run) => Command::RunOrder(OrderRun { order: RecurringOrderId(9), ..run }),
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(&state, BUYERS_TRADER, &unknown), Refusal::OrderMissing { order_id: RecurringOrderId(9) });
    for actor in [Actor::Operator, Actor::User(PRODUCER), Actor::User(ADMINISTRATOR), Actor::User(UserId(77))] {
        let refused = decide(&state, actor, &command, noon(), &rules());
        assert!(matches!(refused, Err(Refusal::Forbidden { .. })), "{actor:?}");
    }
    let moved = Refusal::OrderMoved { order_id: FIRST };
    // what it is to act on was used meanwhile, or is not there at all
    for status in BundleStatus::ALL.iter().filter(|status| **status != BundleStatus::Active) {
        let mut state = ordered(to_buyer(), Portion::Whole);
        state.load_bundle(with_status(bundle(2, 100), *status));
        assert_eq!(refusal(&state, TRADER, &run(&state, &[1, 2])), moved, "{status}");
    }
    let mut state = ordered(to_buyer(), Portion::Whole);
    state.load_bundle(Bundle { account_id: BUYER, ..bundle(2, 100) });
    for bundles in [&[1, 2][..], &[1, 77]] {
        assert_eq!(refusal(&state, TRADER, &run(&state, bundles)), moved, "{bundles:?}");
    }
    let (changes, _) = decided(&state, TRADER, &Command::PauseOrder(FIRST)).unwrap();
    state.apply(ActionId(2), &changes);
    assert_eq!(refusal(&state, TRADER, &run(&state, &[1])), moved, "it is paused");
}

#[test]
fn a_pause_is_over_with_the_first_due_time_that_has_not_passed() {
    for (now, behind, next) in [
        (noon(), 0, Some(noon())),
        (noon() + 1.microsecond(), 1, Some(day(1))),
        (day(1), 1, Some(day(1))),
        (day(1) + 1.hour(), 2, Some(day(2))),
        (day(2) + 1.hour(), 3, None),
    ] {
        let mut state = ordered(to_buyer(), Portion::Whole);
        let (changes, outcome) = decided(&state, PRODUCER, &Command::PauseOrder(FIRST)).unwrap();
        let paused = RecurringOrder { state: OrderState::Paused, ..order(&state) };
        assert_eq!(outcome, Outcome::Order(Box::new(paused.clone())));
        state.apply(ActionId(2), &changes);
        assert_eq!(decided(&state, TRADER, &Command::PauseOrder(FIRST)).unwrap(), (vec![], outcome));
        let (changes, outcome) =
            decide(&state, Actor::User(TRADER), &Command::ResumeOrder(FIRST), now, &rules()).unwrap();
        let state_then = if next.is_some() { OrderState::Active } else { OrderState::Ended };
        let resumed = RecurringOrder { state: state_then, next_due_at: next, runs_done: behind, ..paused.clone() };
        assert_eq!(outcome, Outcome::Order(Box::new(resumed.clone())), "{now}");
        let change = Change::OrderChanged { before: Box::new(paused), after: Box::new(resumed) };
        assert_eq!(changes, [change], "{now}");
    }
}

#[test]
fn what_has_ended_neither_pauses_nor_goes_on_and_strangers_hear_nothing() {
    let mut state = ordered(to_buyer(), Portion::Whole);
    let active = Outcome::Order(Box::new(order(&state)));
    assert_eq!(decided(&state, TRADER, &Command::ResumeOrder(FIRST)).unwrap(), (vec![], active));
    for command in [Command::PauseOrder(FIRST), Command::ResumeOrder(FIRST)] {
        assert_eq!(refusal(&state, BUYERS_TRADER, &command), Refusal::OrderMissing { order_id: FIRST });
        assert!(matches!(refusal(&state, AUDITOR, &command), Refusal::Forbidden { .. }));
    }
    let (changes, _) = decided(&state, TRADER, &Command::EndOrder(FIRST)).unwrap();
    state.apply(ActionId(2), &changes);
    for command in [Command::PauseOrder(FIRST), Command::ResumeOrder(FIRST)] {
        assert_eq!(refusal(&state, TRADER, &command), Refusal::OrderOver { order_id: FIRST });
    }
}

#[test]
fn an_order_that_can_never_succeed_is_not_placed() {
    let consumer = DeviceId(2);
    let of = |device, energy_source| {
        Command::PlaceOrder(OrderTerms { device: Some(device), energy_source, ..terms(to_buyer(), Portion::Whole) })
    };
    let mut state = state();
    let mut other = device(consumer);
    other.description.kind = DeviceKind::Consumption;
    state.devices.insert(consumer, other);
    let leaving = DeviceId(3);
    let mut gone = device(leaving);
    gone.is_deleted = true;
    state.devices.insert(leaving, gone);
    for (device, source, cause) in [
        (leaving, None, "it was deleted, and no certificates were ever issued on it"),
        (consumer, None, "it consumes, and no certificates are issued for that"),
        (WIND, Some(EnergySource::SolarPv), "its certificates are made from another energy source"),
    ] {
        assert_eq!(refusal(&state, TRADER, &of(device, source)), Refusal::NeverMatches { device_id: device, cause });
    }
    // what others have is not looked at
    state.devices.get_mut(&consumer).unwrap().account_id = BUYER;
    for (device, source) in [(WIND, Some(EnergySource::Wind)), (WIND, None), (consumer, None), (DeviceId(77), None)] {
        decided(&state, TRADER, &of(device, source)).unwrap();
    }
}
