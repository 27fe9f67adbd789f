//! What accounts and users are called on pages, as far as the visitor may know.
//!
//! A name that is not theirs to know is shown as a number.

use crate::limits::CHOICES_MAX;
use app::{Caller, Error, Paging, Registry, UserView};
use domain::{AccountId, EventNumber, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// Accounts of one page whose names are looked for.
const NAMED_MAX: usize = 50;

/// The names of accounts.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<i64, String>);

impl Names {
    /// Of these accounts: the visitor's own, and those that may send to one of `near` or receive from it, which are the
    /// visitor's as well.
    pub(super) fn of(
        registry: &Registry,
        caller: &Caller,
        ids: impl IntoIterator<Item = i64>,
        near: &[i64],
        fresh: Option<EventNumber>,
    ) -> Result<Self, Error> {
        let wanted: BTreeSet<i64> = ids.into_iter().take(NAMED_MAX).collect();
        let mut names = Self::default();
        for id in &wanted {
            if let Some(view) = seen(registry.account(caller, AccountId(*id), fresh))? {
                names.0.insert(*id, view.account.name);
            }
        }
        for near in near {
            for is_receiver in [true, false] {
                if wanted.iter().all(|id| names.0.contains_key(id)) {
                    return Ok(names);
                }
                let paging = Paging { limit: CHOICES_MAX, after: None };
                let page = seen(registry.account_whitelist(caller, AccountId(*near), is_receiver, paging, fresh))?;
                let partners = page.into_iter().flat_map(|page| page.entries);
                names.0.extend(partners.filter(|a| wanted.contains(&a.id.0)).map(|a| (a.id.0, a.name)));
            }
        }
        Ok(names)
    }

    pub(super) fn account(&self, id: i64) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| format!("account {id}"))
    }
}

/// Who did something; 0 is the operator, and `None` is nobody that the visitor may know.
pub(super) fn user(
    registry: &Registry,
    caller: &Caller,
    id: Option<i64>,
    fresh: Option<EventNumber>,
) -> Result<String, Error> {
    let id = match id {
        None => return Ok("somebody of another account".to_owned()),
        Some(0) => return Ok("the operator of the registry".to_owned()),
        Some(id) => id,
    };
    Ok(match seen(registry.user(caller, UserId(id), fresh))? {
        Some(UserView::Whole { user, .. }) => user.name,
        Some(UserView::Name { name, .. }) => name,
        None => format!("user {id}"),
    })
}

/// `None` for what is not there, or not the visitor's business.
fn seen<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
