//! The lineage of bundles whose interval was issued twice. The second issue is written by hand, as a re-issue leaves it.

use app::{Caller, Relation};
use domain::action::{Deed, Portion};
use domain::{Actor, BundleId, Role, Roles, UserId};
use jiff::Timestamp;
use testkit::{ENGINES, TestRegistry, at, hours_from, until};

/// What a re-issue makes of the withdrawn bundle 1: a bundle of its own, with fresh certificates.
const REISSUED: &str = "INSERT INTO bundle SELECT 2, account_id, device_id, attributes_id, 101, 200, production_start, \
    production_end, issued_at, expires_at, NULL, 1, NULL, NULL, NULL, hash, NULL FROM bundle WHERE id = 1";

#[test]
fn what_was_withdrawn_and_what_was_issued_in_its_place_know_of_each_other() {
    for engine in ENGINES {
        let kit = TestRegistry::on(engine);
        let account = kit.account("a");
        let device = kit.device("turbine", account);
        let start = at("2026-02-01T00:00:00Z");
        kit.readings(device, hours_from(start, 1), 100);
        let metadata_id = kit.metadata();
        let auditor = Caller::signed_in(UserId(0), Roles::of(&[Role::Auditor]), [0; 32], Timestamp::MAX);
        let request =
            app::IssueRequest { metadata_id, from: start, to: at("2026-02-02T00:00:00Z"), device_ids: Vec::new() };
        let job = kit.registry.issue_as_operator(request).expect("the operator may issue");
        until("the issue is done", || {
            let job = kit.registry.job(&auditor, job).expect("the job is there");
            (job.state == app::JobState::Done).then_some(())
        });
        let shape = |id: i64| -> Vec<(Relation, u64, u64)> {
            let found = kit.registry.lineage(&auditor, BundleId(id), None).expect("it may be read");
            found.bundles.iter().map(|b| (b.relation, b.range.first(), b.range.last())).collect()
        };
        assert_eq!(shape(1), [(Relation::Itself, 1, 100)]);
        let deed = Deed::Withdraw { reason: "a fault".to_owned(), export_failed: false };
        kit.bundles(Actor::Operator, account, &[BundleId(1)], Portion::Whole, deed).expect("the operator may withdraw");
        kit.database.connect().batch(REISSUED).expect("a second issue");
        assert_eq!(shape(1), [(Relation::Itself, 1, 100), (Relation::Replacement, 101, 200)]);
        assert_eq!(shape(2), [(Relation::Withdrawn, 1, 100), (Relation::Itself, 101, 200)]);
        let root = kit.registry.lineage(&auditor, BundleId(2), None).expect("it may be read").root;
        assert_eq!((root.first(), root.last()), (101, 200), "the scale is that of its own tree");
    }
}
