//! Recurring orders run, pause and go on; the auditor counts the due times by itself and compares each run with its row.

use crate::ledger::{A, ADMIN, ALICE, B, BOB, C, Ledger, WHOLE, changed, on_both};
use domain::recurring_order::{OrderDeed, OrderRun, OrderState, OrderTerms, PeriodUnit, RecurringOrder, Schedule};
use domain::{ActionKind, Actor, BundleId, Change, Command, Portion, RecurringOrderId, Refusal, State, WattHours};
use jiff::SignedDuration;
use verify::{FindingKind as Kind, Noun};

const ORDER: RecurringOrderId = RecurringOrderId(1);

fn terms(ledger: &Ledger) -> OrderTerms {
    let first_at = ledger.now + SignedDuration::from_hours(1);
    let schedule = Schedule { first_at, unit: PeriodUnit::Months, every: 1, runs: Some(4) };
    let (deed, portion) = (OrderDeed::Transfer { target: B }, Portion::Quantity(WattHours(100)));
    OrderTerms { deed, source: A, schedule, device: None, energy_source: None, portion }
}

/// An order of Alice's, and the time at which it is due.
fn placed(ledger: &mut Ledger) -> OrderTerms {
    let terms = terms(ledger);
    ledger.act(ALICE, &Command::PlaceOrder(terms.clone()));
    ledger.now = terms.schedule.first_at;
    terms
}

fn run(terms: &OrderTerms, place: u32, bundles: &[BundleId]) -> Command {
    let due_at = terms.schedule.due_at(place).unwrap();
    Command::RunOrder(OrderRun { order: ORDER, due_at, terms: terms.clone(), bundles: bundles.to_vec() })
}

/// Two runs, the second of which finds nothing.
fn ran_twice(ledger: &mut Ledger) -> OrderTerms {
    let terms = placed(ledger);
    ledger.act(ALICE, &run(&terms, 0, &[WHOLE]));
    ledger.now = terms.schedule.due_at(1).unwrap();
    ledger.act(ALICE, &run(&terms, 1, &[]));
    terms
}

fn ran(state: &State, after: impl Fn(&mut RecurringOrder), done: Result<WattHours, Refusal>) -> Change {
    let before = state.recurring_orders[&ORDER].clone();
    let mut is = before.after_run(false);
    after(&mut is);
    let ran_at = is.next_due_at.unwrap_or(before.created_at);
    Change::OrderRan { before: Box::new(before), after: Box::new(is), ran_at, done: done.map_err(Box::new) }
}

/// A run that was refused, as nobody may make it.
fn forge(ledger: &mut Ledger, actor: Actor, command: &Command, after: impl Fn(&mut RecurringOrder)) {
    ledger.now += SignedDuration::from_secs(1);
    let now = ledger.now;
    ledger.forge(actor, ActionKind::RunOrder, command, |state| {
        let refusal = Refusal::NothingMatches { source_id: A };
        let change = match ran(state, after, Err(refusal)) {
            Change::OrderRan { before, after, done, .. } => Change::OrderRan { before, after, ran_at: now, done },
            other => other,
        };
        vec![change]
    });
}

fn wrong(ledger: &mut Ledger, what: &str) {
    let finding = ledger.finds_only(Kind::OrderWrong, Noun::RecurringOrder, 1);
    assert!(finding.text.contains(what), "{}", finding.text);
}

#[test]
fn runs_pauses_and_what_follows_them_are_clean() {
    on_both(|ledger| {
        let terms = ran_twice(ledger);
        ledger.act(ALICE, &Command::PauseOrder(ORDER));
        ledger.now = terms.schedule.due_at(2).unwrap() + SignedDuration::from_secs(1);
        ledger.act(ALICE, &Command::ResumeOrder(ORDER));
        ledger.now = terms.schedule.due_at(3).unwrap();
        let rest = BundleId(22);
        ledger.act(ALICE, &run(&terms, 3, &[rest]));
        let report = ledger.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
    });
}

#[test]
fn an_order_that_ends_with_an_account_is_clean() {
    on_both(|ledger| {
        // what Bob's account holds must go first
        let terms = OrderTerms { deed: OrderDeed::Transfer { target: C }, ..terms(ledger) };
        let update = domain::action::WhitelistUpdate { account_id: C, add: vec![A], remove: vec![] };
        ledger.act(ADMIN, &Command::UpdateWhitelist(update));
        ledger.act(ALICE, &Command::PlaceOrder(terms.clone()));
        ledger.act(ADMIN, &Command::DeleteAccount(C));
        ledger.now = terms.schedule.first_at;
        ledger.act(ALICE, &run(&terms, 0, &[WHOLE]));
        let report = ledger.audit();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        ledger.sql("UPDATE recurring_order SET state = 1, next_due_at = first_at WHERE id = 1");
        assert!(!ledger.audit().is_clean());
    });
}

#[test]
fn a_run_that_was_changed_in_the_table() {
    for (set, name) in [
        ("energy_wh = 99 WHERE energy_wh IS NOT NULL", "energy_wh"),
        ("action_id = 3 WHERE energy_wh IS NOT NULL", "action_id"),
        ("ran_at = due_at WHERE energy_wh IS NULL", ""),
        ("detail = 'a whim' WHERE energy_wh IS NULL", "detail"),
    ] {
        on_both(|ledger| {
            ran_twice(ledger);
            ledger.sql(&format!("UPDATE order_run SET {set}"));
            if name.is_empty() {
                assert!(ledger.audit().is_clean(), "it ran when it was due");
                return;
            }
            let finding = ledger.finds_only(Kind::RowDiffers, Noun::RecurringOrder, 1);
            assert!(finding.text.contains(name), "{}", finding.text);
        });
    }
}

#[test]
fn a_run_without_a_row_and_a_row_without_a_run() {
    on_both(|ledger| {
        ran_twice(ledger);
        ledger.sql("DELETE FROM order_run WHERE energy_wh IS NULL");
        ledger.finds_only(Kind::RowMissing, Noun::RecurringOrder, 1);
    });
    on_both(|ledger| {
        placed(ledger);
        ledger.sql(
            "INSERT INTO order_run (order_id, due_at, ran_at, action_id, energy_wh) \
             SELECT id, first_at, first_at, 1, 5 FROM recurring_order",
        );
        ledger.finds_only(Kind::RowWithoutEvent, Noun::RecurringOrder, 1);
    });
}

#[test]
fn a_run_before_its_time() {
    on_both(|ledger| {
        let terms = placed(ledger);
        ledger.now -= SignedDuration::from_mins(30);
        forge(ledger, ALICE, &run(&terms, 0, &[]), |_| {});
        wrong(ledger, "before it was due");
    });
}

#[test]
fn a_run_that_goes_on_at_another_time_or_ends_for_no_reason() {
    on_both(|ledger| {
        let terms = placed(ledger);
        forge(ledger, ALICE, &run(&terms, 0, &[]), |after| {
            after.next_due_at = after.next_due_at.map(|due| due + SignedDuration::from_hours(1));
        });
        wrong(ledger, "is due next at");
    });
    on_both(|ledger| {
        let terms = placed(ledger);
        forge(ledger, ALICE, &run(&terms, 0, &[]), |after| {
            (after.state, after.next_due_at) = (OrderState::Ended, None);
        });
        wrong(ledger, "is due next at nothing");
    });
}

#[test]
fn a_run_that_skips_one_or_is_somebody_elses_or_of_an_order_that_is_paused() {
    on_both(|ledger| {
        let terms = placed(ledger);
        forge(ledger, ALICE, &run(&terms, 0, &[]), |after| after.runs_done += 1);
        wrong(ledger, "then counts 2");
    });
    on_both(|ledger| {
        let terms = placed(ledger);
        forge(ledger, BOB, &run(&terms, 0, &[]), |_| {});
        wrong(ledger, "ran for user 5");
    });
    on_both(|ledger| {
        let terms = placed(ledger);
        ledger.act(ALICE, &Command::PauseOrder(ORDER));
        forge(ledger, ALICE, &run(&terms, 0, &[]), |after| after.state = OrderState::Active);
        wrong(ledger, "was not active");
    });
}

#[test]
fn a_run_that_sends_elsewhere_than_was_ordered() {
    on_both(|ledger| {
        let update = domain::action::WhitelistUpdate { account_id: C, add: vec![A], remove: vec![] };
        ledger.act(ADMIN, &Command::UpdateWhitelist(update));
        let terms = placed(ledger);
        ledger.forge(ALICE, ActionKind::Transfer, &run(&terms, 0, &[WHOLE]), |state| {
            let whole = state.bundle(WHOLE).unwrap();
            let ran = ran(state, |_| {}, Ok(whole.range.quantity()));
            let ran = match ran {
                Change::OrderRan { before, after, done, .. } => {
                    Change::OrderRan { ran_at: before.next_due_at.unwrap(), before, after, done }
                }
                other => other,
            };
            vec![ran, changed(whole, |bundle| bundle.account_id = C)]
        });
        let finding = ledger.finds_only(Kind::OrderWrong, Noun::Bundle, WHOLE.0);
        assert!(finding.text.contains("order 1 that ran says otherwise"), "{}", finding.text);
    });
}

#[test]
fn a_run_that_passes_for_a_cancellation_and_one_that_says_nothing() {
    on_both(|ledger| {
        let terms = placed(ledger);
        let now = ledger.now;
        ledger.forge(ALICE, ActionKind::Cancel, &run(&terms, 0, &[]), |state| {
            let Change::OrderRan { before, after, done, .. } = ran(state, |_| {}, Ok(WattHours(1))) else { panic!() };
            vec![Change::OrderRan { before, after, ran_at: now, done }]
        });
        wrong(ledger, "ran as an action of kind 11");
    });
    on_both(|ledger| {
        let terms = placed(ledger);
        ledger.forge(ALICE, ActionKind::RunOrder, &run(&terms, 0, &[]), |state| {
            let before = state.recurring_orders[&ORDER].clone();
            vec![Change::OrderChanged { after: Box::new(before.after_run(false)), before: Box::new(before) }]
        });
        wrong(ledger, "does not say what its run came to");
    });
}

#[test]
fn an_order_that_goes_on_too_early_after_a_pause_and_one_that_was_never_paused() {
    for (is_paused, hours) in [(true, 24 * 40), (false, 0)] {
        on_both(|ledger| {
            placed(ledger);
            if is_paused {
                ledger.act(ALICE, &Command::PauseOrder(ORDER));
            }
            ledger.now += SignedDuration::from_hours(hours);
            ledger.forge(ALICE, ActionKind::ResumeOrder, &Command::ResumeOrder(ORDER), |state| {
                let before = state.recurring_orders[&ORDER].clone();
                let mut after = before.clone();
                after.state = OrderState::Active;
                after.runs_done += u32::from(!is_paused);
                after.next_due_at = after.terms.schedule.due_at(after.runs_done);
                vec![Change::OrderChanged { before: Box::new(before), after: Box::new(after) }]
            });
            wrong(ledger, "goes on with");
        });
    }
}

#[test]
fn a_pause_by_a_stranger_and_a_pause_that_is_an_end() {
    on_both(|ledger| {
        placed(ledger);
        ledger.forge(BOB, ActionKind::PauseOrder, &Command::PauseOrder(ORDER), |state| {
            let before = state.recurring_orders[&ORDER].clone();
            vec![Change::OrderChanged { after: Box::new(before.paused()), before: Box::new(before) }]
        });
        let finding = ledger.finds_only(Kind::ActorNotPermitted, Noun::RecurringOrder, 1);
        assert!(finding.text.contains("user 5"), "{}", finding.text);
    });
    on_both(|ledger| {
        placed(ledger);
        ledger.forge(ALICE, ActionKind::PauseOrder, &Command::PauseOrder(ORDER), |state| {
            let before = state.recurring_orders[&ORDER].clone();
            vec![Change::OrderEnded { id: ORDER, state: before.state, next_due_at: before.next_due_at }]
        });
        wrong(ledger, "does not just pause");
    });
}
