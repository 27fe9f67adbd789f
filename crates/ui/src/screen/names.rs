//! What accounts and users are called on pages, as far as the visitor may know.
//!
//! A name that is not theirs to know is shown as a number.

use crate::limits::CHOICES_MAX;
use app::{Caller, Error, Nameless, Paging, Registry, UserView};
use domain::{AccountId, Capability, EventNumber, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// Accounts of one page whose names are looked for.
const NAMED_MAX: usize = 50;
const SOMEBODY: &str = "somebody of another account";
const OPERATOR: &str = "the operator of the registry";

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
        None => return Ok(SOMEBODY.to_owned()),
        Some(0) => return Ok(OPERATOR.to_owned()),
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

/// Something by its name and number, with its page where the visitor may follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Called {
    pub name: String,
    /// Beside a name; without one the name is made of it.
    pub number: Option<i64>,
    pub to: Option<String>,
}

impl Called {
    /// Of what has no name that the visitor may know, or none at all.
    fn only(name: String) -> Self {
        Self { name, number: None, to: None }
    }
}

/// What the numbers of one page are called, looked up together.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    names: app::Names,
    administers: bool,
}

impl Directory {
    pub(super) fn of(
        registry: &Registry,
        caller: &Caller,
        nameless: &Nameless,
        fresh: Option<EventNumber>,
    ) -> Result<Self, Error> {
        let names = registry.names(caller, nameless, fresh)?;
        Ok(Self { names, administers: caller.may(Capability::ManageUsers) })
    }

    pub(super) fn account(&self, id: i64) -> Called {
        let to = Some(format!("/ui/account/{id}"));
        called(&self.names.accounts, "account", id, to)
    }

    /// With the page where it is administered.
    pub(super) fn administered_account(&self, id: i64) -> Called {
        let to = self.administers.then(|| format!("/ui/admin/account/{id}"));
        called(&self.names.accounts, "account", id, to)
    }

    pub(super) fn device(&self, id: i64) -> Called {
        called(&self.names.devices, "device", id, Some(format!("/ui/device/{id}")))
    }

    pub(super) fn organisation(&self, id: i64) -> Called {
        let to = self.administers.then(|| format!("/ui/admin/organisation/{id}"));
        called(&self.names.organisations, "organisation", id, to)
    }

    /// Who did something; 0 is the operator, and `None` is nobody that the visitor may know.
    pub(super) fn user(&self, id: Option<i64>) -> Called {
        match id {
            None => Called::only(SOMEBODY.to_owned()),
            Some(0) => Called::only(OPERATOR.to_owned()),
            Some(id) => {
                let to = self.administers.then(|| format!("/ui/admin/user/{id}"));
                called(&self.names.users, "user", id, to)
            }
        }
    }
}

/// A page is only led to where a name is known: what is not the visitor's to know is not theirs to open.
fn called(names: &BTreeMap<i64, String>, noun: &str, id: i64, to: Option<String>) -> Called {
    match names.get(&id) {
        Some(name) => Called { name: name.clone(), number: Some(id), to },
        None => Called::only(format!("{noun} {id}")),
    }
}
