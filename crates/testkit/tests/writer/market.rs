//! A small market to fight over: three accounts that all trust each other, a trader in each of them, and a wind farm's
//! hours as bundles of the first account.

use domain::action::{BundleAction, Deed, IssueChunk, IssueOutcome, NewAccount, Portion, WhitelistUpdate};
use domain::{AccountId, Actor, BundleId, BundleStatus, Command, DeviceId, MetadataId, Outcome, Role};
use testkit::model::Tables;
use testkit::{Engine, TestRegistry, at, hours_from};

pub(crate) const START: &str = "2026-02-01T00:00:00Z";

pub(crate) struct Market {
    pub test: TestRegistry,
    pub accounts: [AccountId; 3],
    pub trader: Actor,
    pub device: DeviceId,
    pub metadata: MetadataId,
    pub bundles: Vec<BundleId>,
}

impl Market {
    /// With `hours` bundles of `energy_wh` each.
    pub(crate) fn of(engine: Engine, hours: i64, energy_wh: i64) -> Self {
        let test = TestRegistry::on(engine);
        let accounts = ["Ada", "Bakery", "Cinema"].map(|name| test.account(name));
        for receiver in accounts {
            for sender in accounts.into_iter().filter(|sender| *sender != receiver) {
                test.whitelist(receiver, sender);
            }
        }
        let trader = Actor::User(test.user("trader", &[Role::TradingUser], &accounts));
        let (device, metadata) = (test.device("farm", accounts[0]), test.metadata());
        let mut market = Self { test, accounts, trader, device, metadata, bundles: Vec::new() };
        if hours > 0 {
            market.test.readings(device, hours_from(at(START), hours), energy_wh);
            let issue = market.issue().expect("the operator may issue");
            let first = issue.first_bundle.expect("something was issued").0;
            market.bundles = (first..).map(BundleId).take(issue.issued).collect();
        }
        market
    }

    /// Issues everything that can be issued, in one chunk.
    pub(crate) fn issue(&self) -> Result<IssueOutcome, app::Error> {
        match self.test.act(self.issue_command())?.outcome() {
            Outcome::Issue(issue) => Ok(issue),
            other => unreachable!("issuing gave {other:?}"),
        }
    }

    pub(crate) fn issue_command(&self) -> Command {
        let (from, to) = (at(START), at("2027-01-01T00:00:00Z"));
        Command::Issue(IssueChunk { metadata_id: self.metadata, devices: vec![self.device], from, to })
    }

    /// Whole bundles from the first account to the second.
    pub(crate) fn transfer(&self, bundles: &[BundleId]) -> (Actor, Command) {
        let [source, target, _] = self.accounts;
        let (bundles, portion, deed) = (bundles.to_vec(), Portion::Whole, Deed::Transfer { target });
        (self.trader, Command::Bundles(BundleAction { source, bundles, portion, deed }))
    }

    /// The energy in each state, without what was divided.
    pub(crate) fn energy_by_status(&self) -> Vec<(BundleStatus, i64)> {
        let tables = Tables::read(&mut self.test.database.connect());
        let states = BundleStatus::ALL.iter().filter(|status| **status != BundleStatus::Split);
        let energy = |status: &BundleStatus| {
            let rows = tables.bundles.iter().filter(|row| row.status == status.code());
            (*status, rows.map(|row| row.last - row.first + 1).sum())
        };
        states.map(energy).collect()
    }

    pub(crate) fn holder_of(&self, bundle: BundleId) -> AccountId {
        let found = store::bundle::by_id(&mut self.test.database.connect(), bundle);
        found.expect("the database answers").expect("the bundle exists").account_id
    }
}

pub(crate) fn new_account(name: &str) -> (Actor, Command) {
    let new = NewAccount { name: name.to_owned(), organisation_id: None, user_ids: vec![], whitelist: vec![] };
    (Actor::Operator, Command::CreateAccount(new))
}

/// A command that changes nothing the second time.
pub(crate) fn trust(receiver: AccountId, sender: AccountId) -> Command {
    Command::UpdateWhitelist(WhitelistUpdate { account_id: receiver, add: vec![sender], remove: Vec::new() })
}

pub(crate) fn account_names(test: &TestRegistry) -> Vec<String> {
    let names = test.database.connect().query("SELECT name FROM account ORDER BY id", &[], |row| row.get(0));
    names.expect("the database answers")
}
