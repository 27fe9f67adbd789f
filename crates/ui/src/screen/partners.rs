//! Accounts that a visitor knows by name around one of theirs: their own, those it may send to, those it accepts from.
//!
//! Invariant: what is typed stands for one account or for none; a name that two have is neither. A number is taken as it is:
//! whether there is such an account is the API's to say.

use crate::limits::CHOICES_MAX;
use app::{Caller, Error, Paging, Registry};
use domain::{AccountId, EventNumber};
use std::collections::BTreeMap;

/// Names by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Partners(BTreeMap<i64, String>);

impl Partners {
    pub(super) fn of(
        registry: &Registry,
        caller: &Caller,
        account: AccountId,
        fresh: Option<EventNumber>,
    ) -> Result<Self, Error> {
        let own = registry.own_accounts(caller, fresh)?.into_iter();
        let mut names: BTreeMap<i64, String> = own.map(|view| (view.account.id.0, view.account.name)).collect();
        for is_receiver in [true, false] {
            let paging = Paging { limit: CHOICES_MAX, after: None };
            let found = registry.account_whitelist(caller, account, is_receiver, paging, fresh)?.entries;
            names.extend(found.into_iter().map(|partner| (partner.id.0, partner.name)));
        }
        Ok(Self(names))
    }

    pub(super) fn name(&self, id: i64) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| format!("account {id}"))
    }

    /// The number of the account that was typed, by number or by name, as the API reads it; else what is wrong.
    pub(super) fn number_of(&self, typed: &str) -> Result<String, String> {
        if typed.bytes().all(|digit| digit.is_ascii_digit()) {
            return Ok(typed.to_owned());
        }
        let wanted = typed.to_lowercase();
        let mut named = self.0.iter().filter(|(_, name)| name.to_lowercase() == wanted);
        match (named.next(), named.next()) {
            (Some((id, _)), None) => Ok(id.to_string()),
            (Some(_), Some(_)) => Err("More than one account has this name: write its number".to_owned()),
            (None, _) => Err("No account of this name is known here: choose one, or write its number".to_owned()),
        }
    }

    /// What may be typed, and what stands beside it: the name, or the number where others have the name too.
    pub(super) fn offered(&self) -> Vec<(String, String)> {
        let offer = |(id, name): (&i64, &String)| {
            let number = id.to_string();
            let value = if self.number_of(name).as_ref() == Ok(&number) { name.clone() } else { number };
            (value, format!("{name}, account {id}"))
        };
        self.0.iter().map(offer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_one_account_or_none() {
        let names = [(3, "Pan & Co"), (4, "Twin"), (5, "twin"), (6, "7")];
        let partners = Partners(names.into_iter().map(|(id, name)| (id, name.to_owned())).collect());
        for (typed, found) in [("3", Some("3")), ("pan & CO", Some("3")), ("99", Some("99")), ("7", Some("7"))] {
            assert_eq!(partners.number_of(typed).ok().as_deref(), found, "{typed}");
        }
        for (typed, told) in [("twin", "More than one"), ("Pan", "No account of this name"), ("-3", "No account")] {
            assert!(partners.number_of(typed).unwrap_err().contains(told), "{typed}");
        }
        let offered: Vec<String> = partners.offered().into_iter().map(|(value, _)| value).collect();
        assert_eq!(offered, ["Pan & Co", "4", "5", "6"]);
    }
}
