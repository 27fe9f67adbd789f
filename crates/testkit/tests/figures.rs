//! Figures about accounts and devices, on both engines: what was produced, what is held, what became of readings.

use app::{Caller, CoveredHour, DeviceFilter, Error};
use domain::action::{Deed, Portion};
use domain::{AccountId, Actor, BundleId, DeviceId, ReadingRefusal, ReadingStatus, Role, Roles, UserId, WattHours};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use testkit::{ENGINES, TestRegistry, at, hours_from, until};

fn caller(user: UserId, role: Role) -> Caller {
    Caller::signed_in(user, Roles::of(&[role]), [0; 32], Timestamp::MAX)
}

fn auditor() -> Caller {
    caller(UserId(0), Role::Auditor)
}

fn issue(kit: &TestRegistry, from: Timestamp, to: Timestamp) {
    let request = app::IssueRequest { metadata_id: kit.metadata(), from, to, device_ids: Vec::new() };
    let job = kit.registry.issue_as_operator(request).expect("the operator may issue");
    until("the issue is done", || {
        let job = kit.registry.job(&auditor(), job).expect("the job is there");
        (job.state == app::JobState::Done).then_some(())
    });
}

/// Quarters of an hour, one after another.
fn quarters(start: Timestamp, count: i64) -> impl Iterator<Item = domain::Interval> {
    (0..count).map(move |quarter| {
        let from = start + SignedDuration::from_mins(15 * quarter);
        domain::Interval::new(from, from + SignedDuration::from_mins(15)).expect("a quarter is not empty")
    })
}

fn is_missing<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::NotFound { .. }))
}

#[test]
fn production_is_summed_up_by_hour_over_the_devices_that_were_chosen() {
    for engine in ENGINES {
        let kit = TestRegistry::on(engine);
        let (account, other) = (kit.account("a"), kit.account("b"));
        let (hourly, fine, theirs) =
            (kit.device("hourly", account), kit.device("fine", account), kit.device("x", other));
        let start = at("2025-12-31T23:00:00Z");
        kit.readings(hourly, hours_from(start, 3), 100);
        kit.readings(fine, quarters(at("2026-01-01T00:00:00Z"), 5), 7);
        kit.readings(theirs, hours_from(start, 3), 1_000);
        let of = |device: Option<DeviceId>, year| kit.registry.production(&auditor(), account, device, year, None);
        let all = of(None, None).expect("it may be read");
        assert_eq!((all.year, all.years, all.devices.len()), (None, Some((2025, 2026)), 2));
        assert_eq!((all.from, all.to), (date(2025, 12, 31), date(2026, 1, 2)), "the days that have readings");
        assert_eq!((all.hours.len(), all.energy()), (48, WattHours(335)));
        let months: Vec<_> = all.months().iter().map(|month| (month.month, month.hours_read, month.hours)).collect();
        assert_eq!(months, [(date(2025, 12, 31), 1, 24), (date(2026, 1, 1), 2, 24)]);
        kit.readings(hourly, hours_from(at("2024-12-31T00:00:00Z"), 1), 100);
        kit.readings(hourly, hours_from(at("2025-01-02T00:00:00Z"), 1), 100);
        let year = of(None, None).expect("it may be read");
        assert_eq!((year.from, year.to, year.energy()), (date(2025, 1, 2), date(2026, 1, 2), WattHours(435)));
        let all = of(None, Some(2026)).expect("it may be read");
        assert_eq!((all.year, all.hours.len()), (Some(2026), 8_760));
        assert_eq!(all.hours[..3], [Some(WattHours(128)), Some(WattHours(107)), None]);
        let months = all.months();
        assert_eq!((months.len(), months.iter().map(|month| month.hours).sum::<usize>()), (12, 8_760));
        assert_eq!((months[0].energy, months[0].hours_read, months[0].hours), (WattHours(235), 2, 744));
        assert_eq!((months[11].month, months[11].hours_read), (date(2026, 12, 1), 0));
        let before = of(Some(hourly), Some(2025)).expect("it may be read");
        assert_eq!((before.energy(), before.hours[8_759]), (WattHours(200), Some(WattHours(100))));
        assert_eq!(of(None, Some(2024)).expect("a leap year").hours.len(), 8_784);
        assert_eq!(of(None, Some(i16::MAX)).expect("a year of the calendar").energy(), WattHours::ZERO);
        assert!(is_missing(&of(Some(theirs), None)) && is_missing(&of(Some(DeviceId(99)), None)));
        let stranger = caller(kit.user("stranger", &[Role::TradingUser], &[other]), Role::TradingUser);
        assert!(is_missing(&kit.registry.production(&stranger, account, None, None, None)));
        for number in 0..9 {
            kit.device(&format!("more {number}"), account);
        }
        let first = of(None, None).expect("it may be read");
        assert_eq!(first.devices.iter().map(|device| device.id).collect::<Vec<_>>(), [hourly], "too many for one look");
    }
}

#[test]
fn what_is_held_is_told_by_state_and_technology_and_expires_in_time() {
    for engine in ENGINES {
        let kit = TestRegistry::on(engine);
        let account = kit.account("a");
        let device = kit.device("turbine", account);
        let start = at("2026-02-01T00:00:00Z");
        kit.readings(device, hours_from(start, 4), 100);
        issue(&kit, start, at("2026-02-02T00:00:00Z"));
        let trader = Actor::User(kit.user("t", &[Role::TradingUser], &[account]));
        let cancel = Deed::Cancel { beneficiary: Some("x".to_owned()), beneficiary_account: None, purpose: None };
        let act = |actor, bundle: i64, portion, deed| {
            kit.bundles(actor, account, &[BundleId(bundle)], portion, deed).expect("it may be done");
        };
        act(trader, 1, Portion::Quantity(WattHours(40)), cancel);
        act(Actor::Operator, 2, Portion::Whole, Deed::Lock { reason: "a check".to_owned() });
        let deed = Deed::Withdraw { reason: "a fault".to_owned(), export_failed: false };
        act(Actor::Operator, 3, Portion::Whole, deed);
        let held = |now: &str| {
            kit.time.set(at(now));
            let found = kit.registry.holdings(&auditor(), account, None).expect("it may be read");
            assert_eq!(found.keys().collect::<Vec<_>>(), ["onshore wind turbine"]);
            found.values().sum::<app::Holdings>()
        };
        let now = held("2026-03-01T12:00:00Z");
        assert_eq!((now.active, now.locked, now.cancelled), (WattHours(160), WattHours(100), WattHours(40)));
        assert_eq!((now.expiring, now.expired, now.claimed), (WattHours::ZERO, WattHours::ZERO, WattHours::ZERO));
        let soon = held("2028-01-01T00:00:00Z");
        assert_eq!((soon.active, soon.expiring, soon.expired), (WattHours(160), WattHours(160), WattHours::ZERO));
        // between the hours of production, two years later: the first is over, the last is not
        let before = held("2027-11-03T02:30:00Z");
        assert_eq!((before.active, before.expiring, before.expired), (WattHours(160), WattHours(60), WattHours::ZERO));
        let between = held("2028-02-01T02:30:00Z");
        assert_eq!(
            (between.active, between.expiring, between.locked),
            (WattHours(100), WattHours(100), WattHours::ZERO)
        );
        assert_eq!((between.expired, between.cancelled), (WattHours(160), WattHours(40)));
        let late = held("2028-02-02T00:00:00Z");
        assert_eq!((late.active, late.locked, late.expiring), (WattHours::ZERO, WattHours::ZERO, WattHours::ZERO));
        assert_eq!((late.expired, late.cancelled), (WattHours(260), WattHours(40)));
        assert!(is_missing(&kit.registry.holdings(&auditor(), AccountId(99), None)));
    }
}

#[test]
fn a_month_of_readings_is_told_by_hour() {
    for engine in ENGINES {
        let kit = TestRegistry::on(engine);
        let account = kit.account("a");
        let device = kit.device("turbine", account);
        let of = |month| kit.registry.coverage(&auditor(), device, month, None).expect("it may be read");
        let empty = of(None);
        assert_eq!((empty.month, empty.months, empty.hours.len()), (date(2026, 3, 1), None, 0));
        kit.readings(device, hours_from(at("2025-11-30T00:00:00Z"), 1), 5);
        kit.readings(device, hours_from(at("2026-01-31T23:00:00Z"), 3), 100);
        kit.readings(device, quarters(at("2026-02-01T05:00:00Z"), 3), 7);
        // Half in January's last hours, half in February's sixth hour and its seventh.
        kit.readings(device, hours_from(at("2026-02-01T06:30:00Z"), 1), 11);
        kit.readings(device, hours_from(at("2026-02-01T08:00:00Z"), 1), 0);
        issue(&kit, at("2026-02-01T00:00:00Z"), at("2026-02-01T01:00:00Z"));
        let found = of(None);
        assert_eq!((found.month, found.months), (date(2026, 2, 1), Some((date(2025, 11, 1), date(2026, 2, 1)))));
        let pending = (ReadingStatus::Pending, None);
        let hour = |minutes, energy_wh, standing| CoveredHour { minutes, energy_wh, standings: vec![standing] };
        let expected = [
            ("00:00", hour(60, 100, (ReadingStatus::Issued, None))),
            ("01:00", hour(60, 100, pending)),
            ("05:00", hour(45, 21, pending)),
            ("06:00", hour(30, 11, pending)),
            ("07:00", hour(30, 0, pending)),
            ("08:00", hour(60, 0, (ReadingStatus::Refused, Some(ReadingRefusal::ZeroEnergy)))),
        ];
        let expected: Vec<_> =
            expected.into_iter().map(|(time, hour)| (at(&format!("2026-02-01T{time}:00Z")), hour)).collect();
        assert_eq!(found.hours.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(of(Some(date(2026, 1, 17))).hours.into_keys().collect::<Vec<_>>(), [at("2026-01-31T23:00:00Z")]);
        let stranger = caller(kit.user("stranger", &[Role::TradingUser], &[]), Role::TradingUser);
        assert!(is_missing(&kit.registry.coverage(&stranger, device, None, None)));
    }
}

#[test]
fn fleets_and_names_are_told_within_the_callers_scope() {
    for engine in ENGINES {
        let kit = TestRegistry::on(engine);
        let (own, other) = (kit.account("own"), kit.account("other"));
        kit.device("one", own);
        kit.device("two", own);
        kit.device("three", other);
        let member = kit.user("member", &[Role::TradingUser], &[own]);
        let member = caller(member, Role::TradingUser);
        let registry = &kit.registry;
        let fleet = |caller: &Caller, account| {
            let filter = DeviceFilter { account, ..DeviceFilter::default() };
            let shares = registry.fleet(caller, &filter, None).expect("it is told");
            shares.iter().map(|share| (share.devices, share.capacity_watts)).collect::<Vec<_>>()
        };
        assert_eq!(fleet(&auditor(), None), [(3, 3_000_000)]);
        assert_eq!(fleet(&auditor(), Some(other)), [(1, 1_000_000)]);
        assert_eq!(fleet(&member, None), [(2, 2_000_000)]);
        assert_eq!(fleet(&member, Some(other)), []);
        let names = |caller: &Caller| -> Vec<AccountId> {
            registry.account_names(caller, &[own, other], None).expect("it is told").into_keys().collect()
        };
        assert_eq!((names(&auditor()), names(&member)), (vec![own, other], vec![own]));
        let listed = |caller: &Caller, receiver| registry.account_to_whitelist(caller, receiver, "other", None);
        assert_eq!(listed(&member, own).expect("they may change it"), Some(other));
        assert!(is_missing(&listed(&member, other)));
        assert!(matches!(listed(&auditor(), own), Err(Error::Refused(domain::Refusal::Forbidden { .. }))));
    }
}
