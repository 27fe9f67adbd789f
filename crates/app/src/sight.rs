//! What a caller may see of what others did.
//!
//! Invariant: deny by default. Who may read everything sees everything; everybody else sees what belongs to their accounts,
//! and of the parts of others that hang together with it no holder, beneficiary, user or action.

use crate::Caller;
use domain::{AccountId, Capability, UserId};
use std::collections::HashSet;
use store::Connection;

/// What one caller may see, as it was when they asked.
pub(crate) struct Sight {
    pub user_id: UserId,
    /// Whether they may read everything.
    pub is_everything: bool,
    /// Whether they may read every device.
    pub is_every_device: bool,
    /// The accounts that they belong to.
    pub accounts: HashSet<AccountId>,
    /// The users of those accounts.
    pub colleagues: HashSet<UserId>,
}

/// Who did something, and which accounts it concerns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed {
    /// The user's id; 0 for the operator.
    pub actor: i64,
    pub account: Option<AccountId>,
    pub other: Option<AccountId>,
}

impl Sight {
    pub(crate) fn of(connection: &mut Connection, caller: &Caller) -> store::Result<Self> {
        let mut sight = Self {
            user_id: caller.user_id,
            is_everything: caller.may(Capability::ReadEverything),
            is_every_device: caller.may(Capability::ReadDevices),
            accounts: HashSet::new(),
            colleagues: HashSet::from([caller.user_id]),
        };
        if !sight.is_everything {
            let members = store::user::memberships(connection, &[caller.user_id.0])?;
            sight.accounts = members.into_iter().map(|(_, account)| account).collect();
            sight.colleagues.extend(store::account::users_of_any(connection, &sight.account_ids())?);
        }
        Ok(sight)
    }

    /// The ids of the accounts, ascending.
    pub(crate) fn account_ids(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self.accounts.iter().map(|id| id.0).collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn account(&self, id: AccountId) -> bool {
        self.is_everything || self.accounts.contains(&id)
    }

    /// Whether an action started from an account of theirs: then it is theirs, with whatever it did elsewhere.
    pub(crate) fn is_own(&self, deed: Deed) -> bool {
        self.is_everything || deed.account.is_some_and(|id| self.accounts.contains(&id))
    }

    /// Whether an action is their business: from an account of theirs, to one, or by themselves.
    pub(crate) fn action(&self, deed: Deed) -> bool {
        let reaches = deed.other.is_some_and(|id| self.accounts.contains(&id));
        self.is_own(deed) || reaches || deed.actor == self.user_id.0
    }

    /// Whether they may know that this user did something: themselves, and users of their accounts.
    pub(crate) fn user(&self, id: i64) -> bool {
        self.is_everything || self.colleagues.contains(&UserId(id))
    }
}
