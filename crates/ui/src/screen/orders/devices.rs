//! What the devices are called of which an account has certificates, or that are its own.

use crate::limits::CHOICES_MAX;
use app::{Caller, Error, Paging, Registry};
use domain::{AccountId, EventNumber};
use std::collections::BTreeMap;

/// Names by number, and whether the device is the account's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DeviceNames(BTreeMap<i64, (String, bool)>);

impl DeviceNames {
    pub(super) fn of(
        registry: &Registry,
        caller: &Caller,
        account: AccountId,
        fresh: Option<EventNumber>,
    ) -> Result<Self, Error> {
        let paging = Paging { limit: CHOICES_MAX, after: None };
        let held = registry.account_certificate_devices(caller, account, paging, fresh)?.entries;
        let own = registry.account_devices(caller, account, paging, fresh)?.entries;
        let mut names: BTreeMap<i64, (String, bool)> =
            held.into_iter().map(|(id, attributes)| (id.0, (attributes.device.name.clone(), false))).collect();
        names.extend(own.into_iter().map(|device| (device.id.0, (device.description.name, true))));
        Ok(Self(names))
    }

    pub(super) fn is_own(&self, id: i64) -> bool {
        self.0.get(&id).is_some_and(|(_, is_own)| *is_own)
    }

    /// With the number where another one is called the same.
    pub(super) fn name(&self, id: i64) -> String {
        let Some((name, _)) = self.0.get(&id) else { return format!("device {id}") };
        let is_alone = self.0.values().filter(|(other, _)| other == name).count() == 1;
        if is_alone { name.clone() } else { format!("{name} (device {id})") }
    }

    /// Number and name of each, by name.
    pub(super) fn choices(&self) -> Vec<(String, String)> {
        let mut choices: Vec<(String, String)> = self.0.keys().map(|id| (id.to_string(), self.name(*id))).collect();
        choices.sort_by(|one, other| one.1.cmp(&other.1));
        choices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_one_name_are_told_apart() {
        let names = [(1, "Gannet", false), (2, "Alder", true), (11, "Gannet", false)];
        let names = DeviceNames(names.into_iter().map(|(id, name, own)| (id, (name.to_owned(), own))).collect());
        let shown: Vec<String> = names.choices().into_iter().map(|(_, name)| name).collect();
        assert_eq!(shown, ["Alder", "Gannet (device 1)", "Gannet (device 11)"]);
        assert_eq!((names.name(9).as_str(), names.is_own(2), names.is_own(1)), ("device 9", true, false));
    }
}
