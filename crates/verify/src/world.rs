//! Who may act, who accepts from whom, and which devices there are, as of one event of the log.
//!
//! Invariant: it holds what the events up to now say, whatever the tables say. It grows with users, accounts and devices.

use crate::decode::{Fault, Fields};
use crate::orders::{Order, Run};
use crate::report::{Audit, FindingKind, Noun, shown};
use crate::rows::Event;
use crate::rules::{ADMINISTRATORS, CREATE, DELETE, TRADERS, entity};
use std::collections::{BTreeSet, HashMap};

#[derive(Default)]
pub(crate) struct World {
    /// Of each user, as bits.
    roles: HashMap<i64, i64>,
    /// Those that were created and not deleted.
    pub(crate) accounts: BTreeSet<i64>,
    /// When those that are gone were deleted.
    pub(crate) deleted_accounts: HashMap<i64, i64>,
    /// (user, account)
    pub(crate) memberships: BTreeSet<(i64, i64)>,
    /// (who receives, who may send)
    pub(crate) whitelist: BTreeSet<(i64, i64)>,
    pub(crate) devices: HashMap<i64, Device>,
    /// Recurring orders as they are.
    pub(crate) orders: HashMap<i64, Order>,
    /// The last run of one.
    pub(crate) run: Option<Run>,
    /// The actions that adopted rows of another registry.
    pub(crate) imports: BTreeSet<i64>,
}

pub(crate) struct Device {
    pub(crate) account: i64,
    pub(crate) kind: i64,
    pub(crate) is_approved: bool,
    pub(crate) is_deleted: bool,
    version: i64,
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
        let is_member = || self.memberships.contains(&(actor, account)) && self.accounts.contains(&account);
        actor == 0 || (self.has_role(actor, TRADERS) && is_member())
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
                match after.integer(1)? {
                    Some(roles) => self.set_roles(audit, event, roles),
                    None if event.change == CREATE || event.change == DELETE => self.set_roles(audit, event, 0),
                    None => {}
                }
                let pair = |account| (id, account);
                let (left, joined) = (before.list(5)?, after.list(5)?);
                change_set(audit, &mut self.memberships, Noun::Membership, (id, number), left, joined, pair);
            }
            entity::ACCOUNT => {
                match event.change {
                    CREATE => drop(self.accounts.insert(id)),
                    DELETE => self.delete_account(audit, event),
                    _ => {}
                }
                let pair = |sender| (id, sender);
                let (removed, added) = (before.list(3)?, after.list(3)?);
                change_set(audit, &mut self.whitelist, Noun::Whitelist, (id, number), removed, added, pair);
            }
            entity::DEVICE if event.change == CREATE => {
                let device = Device {
                    account: after.integer(1)?.unwrap_or(0),
                    kind: after.integer(11)?.unwrap_or(0),
                    is_approved: after.integer(12)? == Some(1),
                    is_deleted: false,
                    version: after.integer(13)?.unwrap_or(0),
                    operational_date: after.integer(6)?.unwrap_or(0),
                    is_adopted: self.imports.contains(&event.action_id),
                    gross_net: None,
                    next_certificate: 1,
                };
                self.devices.insert(id, device);
            }
            entity::DEVICE => {
                if let Some(device) = self.devices.get_mut(&id) {
                    device.is_deleted |= event.change == DELETE;
                    device.change(audit, event, before, after)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl World {
    fn set_roles(&mut self, audit: &mut Audit<'_>, event: &Event<'_>, roles: i64) {
        let before = self.roles.insert(event.entity_id, roles).unwrap_or(0);
        let is_loss = before & ADMINISTRATORS != 0 && roles & ADMINISTRATORS == 0;
        if is_loss && !self.roles.values().any(|has| has & ADMINISTRATORS != 0) {
            audit.find(FindingKind::NobodyAdministers, Noun::User, event.entity_id, Some(event.number), || {
                format!("user {} was the last administrator until event {}", event.entity_id, event.number)
            });
        }
    }

    fn delete_account(&mut self, audit: &mut Audit<'_>, event: &Event<'_>) {
        let id = event.entity_id;
        self.accounts.remove(&id);
        self.deleted_accounts.insert(id, event.recorded_at);
        let left = self.devices.iter().filter(|(_, device)| device.account == id && !device.is_deleted);
        if let Some(device) = left.map(|(device, _)| *device).min() {
            audit.find(FindingKind::DeletedInUse, Noun::Account, id, Some(event.number), || {
                format!("account {id} was deleted when it had device {device}")
            });
        }
    }
}

impl Device {
    /// Whatever certificates state of it makes a new version.
    fn change(
        &mut self,
        audit: &mut Audit<'_>,
        event: &Event<'_>,
        before: &Fields<'_>,
        after: &Fields<'_>,
    ) -> Result<(), Fault> {
        let states = (2..=11).any(|tag| before.has(tag) || after.has(tag));
        let version = after.integer(13)?;
        let expected = states.then_some(self.version + 1);
        if version != expected {
            audit.find(FindingKind::HistoryWrong, Noun::Device, event.entity_id, Some(event.number), || {
                let (found, expected) = (shown(version), shown(expected));
                format!(
                    "event {} makes version {found} of device {}; it must make {expected}",
                    event.number, event.entity_id
                )
            });
        }
        self.version = version.unwrap_or(self.version);
        self.kind = after.integer(11)?.unwrap_or(self.kind);
        self.operational_date = after.integer(6)?.unwrap_or(self.operational_date);
        if let Some(approved) = after.integer(12)? {
            self.is_approved = approved == 1;
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
