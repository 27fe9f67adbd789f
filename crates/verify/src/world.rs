//! Who may act, who accepts from whom, and which devices there are, as of one event of the log.
//!
//! Invariant: it holds what the events up to now say, whatever the tables say. It grows with users, accounts and devices.

use crate::decode::{Fault, Fields};
use crate::report::{Audit, FindingKind, Noun};
use crate::rows::Event;
use crate::rules::{CREATE, DELETE, TRADERS, entity};
use std::collections::{BTreeSet, HashMap};

#[derive(Default)]
pub(crate) struct World {
    /// Of each user, as bits.
    roles: HashMap<i64, i64>,
    /// Those that were created and not deleted.
    pub(crate) accounts: BTreeSet<i64>,
    /// (user, account)
    pub(crate) memberships: BTreeSet<(i64, i64)>,
    /// (who receives, who may send)
    pub(crate) whitelist: BTreeSet<(i64, i64)>,
    pub(crate) devices: HashMap<i64, Device>,
    /// The actions that adopted rows of another registry.
    pub(crate) imports: BTreeSet<i64>,
}

pub(crate) struct Device {
    pub(crate) account: i64,
    pub(crate) kind: i64,
    pub(crate) is_approved: bool,
    pub(crate) operational_date: i64,
    /// By an import: only on such devices bundles are adopted.
    pub(crate) is_adopted: bool,
    /// As its first reading says.
    pub(crate) gross_net: Option<i64>,
    /// The id after the last certificate that was issued.
    pub(crate) next_certificate: i64,
}

impl World {
    pub(crate) fn knows_user(&self, user: i64) -> bool {
        self.roles.contains_key(&user)
    }

    /// Whether a user has one of these roles.
    pub(crate) fn has_role(&self, user: i64, roles: i64) -> bool {
        self.roles.get(&user).is_some_and(|has| has & roles != 0)
    }

    /// Whether an actor may hand on what an account holds: somebody at the machine itself, or one of its traders.
    pub(crate) fn may_trade(&self, actor: i64, account: i64) -> bool {
        actor == 0 || (self.has_role(actor, TRADERS) && self.memberships.contains(&(actor, account)))
    }

    /// Makes an event so, if it is of a user, an account or a device.
    pub(crate) fn apply(
        &mut self,
        audit: &mut Audit<'_>,
        event: &Event<'_>,
        before: &Fields<'_>,
        after: &Fields<'_>,
    ) -> Result<(), Fault> {
        let (id, number) = (event.entity_id, event.number);
        match event.entity {
            entity::USER => {
                if let Some(roles) = after.integer(1)? {
                    self.roles.insert(id, roles);
                } else if event.change == CREATE {
                    self.roles.insert(id, 0);
                }
                let pair = |account| (id, account);
                let (left, joined) = (before.list(5)?, after.list(5)?);
                change_set(audit, &mut self.memberships, Noun::Membership, (id, number), left, joined, pair);
            }
            entity::ACCOUNT => {
                match event.change {
                    CREATE => self.accounts.insert(id),
                    DELETE => self.accounts.remove(&id),
                    _ => false,
                };
                let pair = |sender| (id, sender);
                let (removed, added) = (before.list(3)?, after.list(3)?);
                change_set(audit, &mut self.whitelist, Noun::Whitelist, (id, number), removed, added, pair);
            }
            entity::DEVICE if event.change == CREATE => {
                let device = Device {
                    account: after.integer(1)?.unwrap_or(0),
                    kind: after.integer(11)?.unwrap_or(0),
                    is_approved: after.integer(12)? == Some(1),
                    operational_date: after.integer(6)?.unwrap_or(0),
                    is_adopted: self.imports.contains(&event.action_id),
                    gross_net: None,
                    next_certificate: 1,
                };
                self.devices.insert(id, device);
            }
            entity::DEVICE => {
                if let (Some(device), Some(approved)) = (self.devices.get_mut(&id), after.integer(12)?) {
                    device.is_approved = approved == 1;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Takes `removed` out of a set of pairs and puts `added` in; both must be a change.
fn change_set(
    audit: &mut Audit<'_>,
    set: &mut BTreeSet<(i64, i64)>,
    noun: Noun,
    (id, number): (i64, i64),
    removed: Vec<i64>,
    added: Vec<i64>,
    pair: impl Fn(i64) -> (i64, i64),
) {
    for other in removed {
        if !set.remove(&pair(other)) {
            let text = || format!("event {number} removes account {other}, which is not there");
            audit.find(FindingKind::HistoryWrong, noun, id, Some(number), text);
        }
    }
    for other in added {
        if !set.insert(pair(other)) {
            let text = || format!("event {number} adds account {other}, which is there already");
            audit.find(FindingKind::HistoryWrong, noun, id, Some(number), text);
        }
    }
}
