//! Bundles as people leaf through them: both ends, page by page, and no further than a page may look.

use app::{BundleListing, BundleSum, Caller, Order, Period};
use domain::action::{Deed, Portion};
use domain::{AccountId, Actor, BundleId, BundleStatus, Role, Roles, UserId, WattHours};
use jiff::Timestamp;
use testkit::{ENGINES, TestRegistry, at, hours_from, until};

const START: &str = "2026-02-01T00:00:00Z";

fn auditor() -> Caller {
    Caller::signed_in(UserId(0), Roles::of(&[Role::Auditor]), [0; 32], Timestamp::MAX)
}

/// Two devices of an account, with a bundle of 100 Wh for each of `hours`.
fn fill(kit: &TestRegistry, hours: i64) -> AccountId {
    let account = kit.account("a");
    for name in ["one", "two"] {
        kit.readings(kit.device(name, account), hours_from(at(START), hours), 100);
    }
    let metadata_id = kit.metadata();
    let request =
        app::IssueRequest { metadata_id, from: at(START), to: at("2026-03-01T00:00:00Z"), device_ids: Vec::new() };
    let job = kit.registry.issue_as_operator(request).expect("the operator may issue");
    until("the issue is done", || {
        let job = kit.registry.job(&auditor(), job).expect("the job is there");
        (job.state == app::JobState::Done).then_some(())
    });
    account
}

fn listing(account: AccountId, order: Order) -> BundleListing {
    BundleListing {
        account,
        device: None,
        energy_source: None,
        period: Period::default(),
        status: None,
        issuance_id: None,
        order,
        after: None,
        limit: 5,
        with_whole_sum: false,
    }
}

fn sum(by_status: &[(BundleStatus, u64, u64)], is_whole: bool) -> BundleSum {
    let by_status = by_status.iter().map(|(status, bundles, wh)| (*status, (*bundles, WattHours(*wh)))).collect();
    BundleSum { by_status, is_whole }
}

/// The ids of all pages in turn.
fn leaf(kit: &TestRegistry, mut asked: BundleListing) -> Vec<i64> {
    let mut ids = Vec::new();
    loop {
        let page = kit.registry.list_bundles(&auditor(), &asked, None).expect("it may be read");
        assert_eq!(page.sum.is_some(), asked.after.is_none());
        ids.extend(page.bundles.iter().map(|view| view.bundle.id.0));
        let Some(next) = page.next else { return ids };
        asked.after = Some(next);
    }
}

#[test]
fn both_ends_list_the_same_bundles_once() {
    for engine in ENGINES {
        let kit = TestRegistry::on(engine);
        let account = fill(&kit, 9);
        let bundles = [BundleId(3)];
        let portion = Portion::Quantity(WattHours(40));
        kit.bundles(Actor::Operator, account, &bundles, portion, Deed::Lock { reason: "r".to_owned() })
            .expect("the operator may lock");
        let oldest = leaf(&kit, listing(account, Order::OldestFirst));
        let mut newest = leaf(&kit, listing(account, Order::NewestFirst));
        assert_eq!(oldest.len(), 19, "18 bundles, one of them split in two");
        newest.reverse();
        assert_eq!(oldest, newest);
        let asked = BundleListing { status: Some(BundleStatus::Locked), ..listing(account, Order::NewestFirst) };
        let page = kit.registry.list_bundles(&auditor(), &asked, None).expect("it may be read");
        assert_eq!(page.sum, Some(sum(&[(BundleStatus::Locked, 1, 40)], true)));
        let asked = BundleListing { status: None, ..asked };
        let page = kit.registry.list_bundles(&auditor(), &asked, None).expect("it may be read");
        let both = [(BundleStatus::Active, 18, 1_760), (BundleStatus::Locked, 1, 40)];
        assert_eq!(page.sum, Some(sum(&both, true)));
        let ever = Period { start: Some(at(START)), end: None };
        let walked = BundleListing { period: ever, ..asked.clone() };
        let walked = kit.registry.list_bundles(&auditor(), &walked, None).expect("it may be read");
        assert_eq!(walked.sum, page.sum, "what is kept added up is what the bundles come to");
        let period = Period { start: Some(at("2026-02-01T02:00:00Z")), end: Some(at("2026-02-01T04:00:00Z")) };
        let asked = BundleListing { period, device: Some(domain::DeviceId(2)), ..asked };
        let asked = BundleListing { status: None, ..asked };
        for order in [Order::OldestFirst, Order::NewestFirst] {
            assert_eq!(leaf(&kit, BundleListing { order, limit: 1, ..asked.clone() }).len(), 2);
        }
        // The period's edges, whichever bound a page has beside them.
        let period = Period { start: Some(at("2026-02-01T01:00:00Z")), end: Some(at("2026-02-01T05:30:00Z")) };
        for order in [Order::OldestFirst, Order::NewestFirst] {
            for limit in [1, 3, 100] {
                let ids = leaf(&kit, BundleListing { period, limit, ..listing(account, order) });
                assert_eq!(ids.len(), 9, "01:00 to 05:00 of two devices, one of them split: {ids:?}");
            }
        }
        let issuance_id = Some("1-electricity-20260201T000000Z".to_owned());
        let asked = BundleListing { issuance_id, ..listing(account, Order::NewestFirst) };
        assert_eq!(leaf(&kit, asked).len(), 1);
    }
}

#[test]
fn a_page_stops_where_it_has_looked_at_enough_and_says_so() {
    for engine in ENGINES {
        let kit = TestRegistry::on(engine);
        let account = fill(&kit, 1);
        // As many rows as two pages look at, of which the oldest alone is locked.
        let many = app::LISTING_LOOKS_MAX * 2;
        let fill = format!(
            "INSERT INTO bundle WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) \
             SELECT 100 + i, account_id, device_id, attributes_id, 1000 * i, 1000 * i + 9, \
             production_start, production_end, issued_at, expires_at, NULL, 1, \
             NULL, NULL, NULL, hash, NULL FROM bundle, n WHERE bundle.id = 1"
        );
        let mut connection = kit.database.connect();
        connection.batch(&fill).expect("rows");
        connection.batch("UPDATE bundle SET status = 6 WHERE id = 2").expect("a row");
        // With a period: what is kept added up does not know hours.
        let period = Period { start: Some(at(START)), end: None };
        let asked =
            BundleListing { period, status: Some(BundleStatus::Locked), ..listing(account, Order::NewestFirst) };
        let first = kit.registry.list_bundles(&auditor(), &asked, None).expect("it may be read");
        assert!(first.bundles.is_empty() && first.next.is_some());
        assert_eq!(first.sum, Some(sum(&[], false)));
        assert_eq!(leaf(&kit, asked.clone()), [2]);
        let whole = BundleListing { with_whole_sum: true, ..asked };
        let page = kit.registry.list_bundles(&auditor(), &whole, None).expect("it may be read");
        assert_eq!(page.sum, Some(sum(&[(BundleStatus::Locked, 1, 100)], true)));
    }
}
