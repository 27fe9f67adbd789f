//! Rows that were adopted from another registry: clean as they come, and told where they are what no import may make.

use crate::ledger::{A, ALICE, B, BOB, Ledger, at, changed, device, interval, on_both};
use domain::action::{Adopted, Deed, ImportSeed, SeedBundle, SeedDevice, SeedFamily, WhitelistUpdate};
use domain::{
    Account, AccountId, ActionKind, Actor, Bundle, BundleId, BundleStatus, Cancellation, Change, Command, DeviceId,
    EnergySource, MetadataId, Portion, Reading, Role, Roles, State, User, UserId, WattHours,
};
use std::sync::Arc;
use verify::{FindingKind as Kind, Noun};

const SEEDED: DeviceId = DeviceId(90);
const HOME: AccountId = AccountId(70);

fn import(ledger: &mut Ledger, rows: ImportSeed) {
    ledger.act(Actor::Operator, &Command::ImportSeed(rows));
}

fn part(id: i64, parent: Option<usize>, quantity: u64, account: AccountId, status: BundleStatus) -> SeedBundle {
    let must = matches!(status, BundleStatus::Cancelled | BundleStatus::Claimed);
    let bakery = Cancellation { beneficiary: "Bakery".to_owned(), beneficiary_account: None, purpose: None };
    let cancellation = must.then(|| Arc::new(bakery));
    SeedBundle { id: BundleId(id), parent, quantity: WattHours(quantity), account_id: account, status, cancellation }
}

fn family(hour: i64, first: u64, members: Vec<SeedBundle>) -> SeedFamily {
    SeedFamily {
        device_id: SEEDED,
        metadata_id: MetadataId(1),
        production: interval(hour * 60, 60),
        issued_at: at("2026-01-05T00:00:00Z"),
        first,
        members,
    }
}

/// Beside all that the ledger has: ids with holes between them, a family whose siblings stand apart, a bundle that no
/// reading is kept of, certificates with a hole before them.
fn adopt(ledger: &mut Ledger) {
    let created_at = at("2024-05-01T00:00:00Z");
    let user = User {
        id: UserId(50),
        name: "Eve".to_owned(),
        primary_contact: "eve@example.org".to_owned(),
        roles: Roles::of(&[Role::TradingUser]),
        organisation: None,
        is_deleted: false,
        created_at,
    };
    let account =
        Account { id: HOME, name: "Eve Ltd".to_owned(), organisation_id: None, is_deleted: false, created_at };
    import(ledger, ImportSeed::Users(vec![user]));
    import(ledger, ImportSeed::Accounts(vec![account]));
    import(ledger, ImportSeed::Members(vec![(UserId(50), HOME)]));
    import(ledger, ImportSeed::Senders(vec![(HOME, A), (A, HOME)]));
    let description = device("Seeded wind", EnergySource::Wind, 1_000_000).description;
    import(ledger, ImportSeed::Devices(vec![SeedDevice { id: SEEDED, account_id: HOME, description, created_at }]));
    let split = vec![
        part(200, None, 1_000, HOME, BundleStatus::Split),
        part(203, Some(0), 250, A, BundleStatus::Active),
        part(209, Some(0), 750, HOME, BundleStatus::Split),
        part(211, Some(2), 700, HOME, BundleStatus::Cancelled),
        part(214, Some(2), 50, HOME, BundleStatus::Withdrawn),
    ];
    let families =
        vec![family(0, 1, split), family(1, 2_001, vec![part(205, None, 400, HOME, BundleStatus::Reserved)])];
    import(ledger, ImportSeed::Families(families));
}

/// Adopts a bundle as no rule would, in the hour after those that are there.
fn forge(ledger: &mut Ledger, actor: Actor, change: impl Fn(&mut Bundle)) {
    let rows = ImportSeed::Families(vec![family(2, 2_401, vec![part(300, None, 500, HOME, BundleStatus::Active)])]);
    let (now, command) = (ledger.now, Command::ImportSeed(rows));
    let rules = domain::Rules {
        expiry_years: 2,
        capacity_margin: domain::Ratio::parse("1.1").unwrap(),
        interval_max: jiff::SignedDuration::from_hours(1),
        sums_to_hour: false,
    };
    ledger.forge(actor, ActionKind::ImportSeed, &command, |state| {
        let (mut changes, _) = domain::decide(state, Actor::Operator, &command, now, &rules).unwrap();
        if let Some(Change::Adopted(Adopted::Bundle(bundle))) = changes.last_mut() {
            change(bundle);
            let (_, attributes) = state.attributes[&(SEEDED, 1, MetadataId(1))];
            bundle.hash = domain::seal::bundle_hash(bundle, &attributes);
        }
        changes
    });
}

fn adopted(test: impl Fn(&mut Ledger)) {
    on_both(|ledger| {
        adopt(ledger);
        test(ledger);
    });
}

#[test]
fn what_was_adopted_is_clean_and_goes_on_as_everything_else() {
    adopted(|ledger| {
        let report = ledger.audit();
        assert!(report.is_clean(), "{:#?}", report.findings);
        // Alice hands a part of what was adopted on, and certificates are issued behind the adopted ones
        ledger.act(ALICE, &Command::UpdateWhitelist(WhitelistUpdate { account_id: A, add: vec![B], remove: vec![] }));
        ledger.bundles(ALICE, A, &[203], Portion::Quantity(WattHours(50)), Deed::Transfer { target: B });
        ledger.submit(vec![Reading { device_id: SEEDED, ..crate::ledger::reading(SEEDED, 300, 60, 900) }]);
        let chunk = domain::action::IssueChunk { devices: vec![SEEDED], ..crate::ledger::chunk(300, 360) };
        ledger.act(crate::ledger::ISSUER, &Command::Issue(chunk));
        let report = ledger.audit();
        assert!(report.is_clean(), "{:#?}", report.findings);
        let next = "SELECT next_bundle FROM ledger_head";
        assert_eq!(ledger.connection.query_one(next, &[], |row| row.get::<i64>(0)).unwrap(), 218);
        let first = "SELECT range_first FROM bundle WHERE id = 217";
        assert_eq!(ledger.connection.query_one(first, &[], |row| row.get::<i64>(0)).unwrap(), 2_401);
    });
}

#[test]
fn an_import_that_is_not_the_operators() {
    adopted(|ledger| {
        forge(ledger, BOB, |_| {});
        let action = "SELECT MAX(id) FROM action";
        let id = ledger.connection.query_one(action, &[], |row| row.get::<i64>(0)).unwrap();
        ledger.finds_only(Kind::ActorNotPermitted, Noun::Action, id);
    });
}

#[test]
fn a_bundle_adopted_into_an_account_that_is_not_there() {
    adopted(|ledger| {
        forge(ledger, Actor::Operator, |bundle| bundle.account_id = AccountId(71));
        ledger.finds_only(Kind::IssueWrong, Noun::Bundle, 300);
    });
}

#[test]
fn a_bundle_adopted_on_a_device_that_was_registered_here() {
    on_both(|ledger| {
        adopt(ledger);
        let rows = SeedFamily {
            device_id: crate::ledger::WIND,
            ..family(10, 8_001, vec![part(300, None, 500, A, BundleStatus::Active)])
        };
        import(ledger, ImportSeed::Families(vec![rows]));
        ledger.finds_only(Kind::IssueWrong, Noun::Bundle, 300);
    });
}

#[test]
fn a_bundle_adopted_in_a_state_that_it_cannot_be_in() {
    adopted(|ledger| {
        let now = ledger.now;
        forge(ledger, Actor::Operator, |bundle| bundle.expires_at = now);
        ledger.finds_only(Kind::StateWrong, Noun::Bundle, 300);
    });
    adopted(|ledger| {
        forge(ledger, Actor::Operator, |bundle| bundle.status = BundleStatus::Cancelled);
        ledger.finds_only(Kind::BeneficiaryChanged, Noun::Bundle, 300);
    });
    adopted(|ledger| {
        forge(ledger, Actor::Operator, |bundle| bundle.status = BundleStatus::Split);
        ledger.finds_only(Kind::SplitWrong, Noun::Bundle, 0);
    });
}

#[test]
fn a_bundle_adopted_with_more_than_its_reading() {
    adopted(|ledger| {
        forge(ledger, Actor::Operator, |bundle| {
            bundle.range = domain::CertificateRange::new(2_401, 2_901).unwrap();
        });
        let reading = "SELECT id FROM measurement WHERE device_id = 90 ORDER BY id DESC LIMIT 1";
        let id = ledger.connection.query_one(reading, &[], |row| row.get::<i64>(0)).unwrap();
        ledger.finds_only(Kind::IssuedTwice, Noun::Measurement, id);
    });
}

#[test]
fn a_part_without_its_other_part() {
    adopted(|ledger| {
        forge(ledger, Actor::Operator, |bundle| {
            bundle.parent_id = Some(BundleId(205));
        });
        let finding = ledger.finds(Kind::SplitWrong, Noun::Bundle, 205);
        assert!(finding.text.contains("has child 300 and is Reserved"), "{}", finding.text);
        let found = ledger.audit().findings;
        let single = |finding: &&verify::Finding| finding.text.contains("the other child does not follow it");
        assert_eq!(found.iter().filter(single).count(), 1, "{found:#?}");
    });
}

#[test]
fn an_import_that_changes_a_bundle() {
    adopted(|ledger| {
        let rows = ImportSeed::Families(vec![family(2, 1, vec![part(205, None, 1, HOME, BundleStatus::Active)])]);
        ledger.forge(Actor::Operator, ActionKind::ImportSeed, &Command::ImportSeed(rows), |state: &State| {
            let bundle = state.bundle(BundleId(205)).unwrap();
            vec![changed(bundle, |bundle| bundle.status = BundleStatus::Withdrawn)]
        });
        // what an import may not make, and a state that an import does not lead to
        ledger.finds(Kind::KindDoesNotFit, Noun::Bundle, 205);
        assert_eq!(ledger.audit().violations, 2);
    });
}
