//! What accounts, users, devices and organisations are called, many at once, for pages that would show numbers.
//!
//! Invariant: a name is told to those only who may read what it is of. What is not named is not there, or not theirs to know.

use crate::sight::Sight;
use crate::{Caller, Error, Registry};
use domain::{AccountId, EventNumber};
use std::collections::{BTreeMap, BTreeSet};
use store::Connection;

/// Whose names are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nameless {
    pub accounts: BTreeSet<i64>,
    pub users: BTreeSet<i64>,
    pub devices: BTreeSet<i64>,
    pub organisations: BTreeSet<i64>,
}

/// The names that the caller may know, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub accounts: BTreeMap<i64, String>,
    pub users: BTreeMap<i64, String>,
    pub devices: BTreeMap<i64, String>,
    pub organisations: BTreeMap<i64, String>,
}

impl Registry {
    /// The names of `nameless`, deleted ones too, as far as the caller may know them; one look-up for each kind. Blocks.
    pub fn names(&self, caller: &Caller, nameless: &Nameless, fresh: Option<EventNumber>) -> Result<Names, Error> {
        self.read(fresh, |connection| {
            connection.snapshot(|tx| {
                let sight = Sight::of(tx, caller)?;
                names(tx, &sight, nameless)
            })
        })
    }
}

fn names(tx: &mut Connection, sight: &Sight, nameless: &Nameless) -> store::Result<Names> {
    let mut names = Names::default();
    let accounts = chosen(&nameless.accounts, |id| sight.account(AccountId(id)));
    if !accounts.is_empty() {
        let found = store::account::by_ids(tx, &accounts)?;
        names.accounts = found.into_iter().map(|account| (account.id.0, account.name)).collect();
    }
    let users = chosen(&nameless.users, |id| sight.user(id));
    if !users.is_empty() {
        let found = store::user::by_ids(tx, &users)?;
        names.users = found.into_iter().map(|user| (user.id.0, user.name)).collect();
    }
    let devices = chosen(&nameless.devices, |_| true);
    if !devices.is_empty() {
        let found = store::device::by_ids(tx, &devices)?;
        let theirs = found.into_iter().filter(|device| sight.is_every_device || sight.account(device.account_id));
        names.devices = theirs.map(|device| (device.id.0, device.description.name)).collect();
    }
    let organisations = chosen(&nameless.organisations, |_| sight.is_everything);
    if !organisations.is_empty() {
        let found = store::organisation::by_ids(tx, &organisations)?;
        names.organisations = found.into_iter().map(|found| (found.id.0, found.description.name)).collect();
    }
    Ok(names)
}

fn chosen(ids: &BTreeSet<i64>, is_seen: impl Fn(i64) -> bool) -> Vec<i64> {
    ids.iter().copied().filter(|id| is_seen(*id)).collect()
}
