//! The seed's bundles, device by device and family by family.
//!
//! A device's families are held until all are read, because they are decided in the order in which they were issued.

use super::cancel::Deeds;
use super::family::{self, Draft, Fault};
use super::report::SeedTable;
use super::{CHUNK_ROWS_MAX, Import, SeedError};
use domain::action::{ImportSeed, SeedFamily};
use domain::{BundleStatus, DeviceId};
use serde_json::json;
use std::collections::HashMap;
use store::seed::{BundleRow, Seed};

const TABLE: SeedTable = SeedTable::Bundles;

/// A device whose bundles are being read.
#[derive(Default)]
struct Device {
    id: Option<i64>,
    /// Of one start of production.
    group: Vec<BundleRow>,
    drafts: Vec<Draft>,
    faults: Vec<Fault>,
}

impl Import<'_> {
    pub(super) fn bundles(&mut self, seed: &mut Seed) -> Result<(), SeedError> {
        let mut deeds = Deeds::default();
        seed.actions(|row| -> Result<(), SeedError> {
            self.tally.read(SeedTable::Actions);
            // what they say of cancellations is taken over with the bundles
            self.tally.passed_over(SeedTable::Actions);
            deeds.add(&row);
            Ok(())
        })?;
        deeds.sort();
        let mut device = Device::default();
        seed.bundles(|row| -> Result<(), SeedError> {
            self.tally.read(TABLE);
            let here = device.group.last().map(|last| (last.device_id, last.start));
            if here.is_some_and(|here| here != (row.device_id, row.start)) {
                self.close_group(&deeds, &mut device);
            }
            if device.id != row.device_id {
                self.close_device(&mut device)?;
                device.id = row.device_id;
            }
            device.group.push(row);
            Ok(())
        })?;
        self.close_group(&deeds, &mut device);
        self.close_device(&mut device)
    }

    fn close_group(&mut self, deeds: &Deeds, device: &mut Device) {
        let group = std::mem::take(&mut device.group);
        let id = device.id.map(DeviceId).filter(|id| self.known.devices.contains(id));
        let Some(id) = id else {
            let reason = match device.id {
                Some(id) => format!("device {id} was not taken over"),
                None => "device_id is missing".to_owned(),
            };
            for row in group {
                self.tally.refused(TABLE, &row.id.to_string(), &reason);
            }
            return;
        };
        let known = family::Known { device: id, deeds, accounts: &self.known.accounts, now: self.now };
        let (drafts, faults) = family::families(&known, &group);
        device.drafts.extend(drafts);
        device.faults.extend(faults);
    }

    fn close_device(&mut self, device: &mut Device) -> Result<(), SeedError> {
        let Device { mut drafts, faults, .. } = std::mem::take(device);
        for fault in faults {
            self.tally.refused(TABLE, &fault.bundle.to_string(), &fault.reason);
        }
        drafts.sort_by_key(|draft| draft.ids.first().copied());
        refuse_reissued(&mut drafts);
        let (mut chunk, mut rows) = (Vec::new(), 0);
        for draft in drafts {
            let Err(fault) = &draft.family else {
                if rows + draft.ids.len() > CHUNK_ROWS_MAX {
                    self.decide_families(&std::mem::take(&mut chunk))?;
                    rows = 0;
                }
                rows += draft.ids.len();
                chunk.push(draft);
                continue;
            };
            let (bundle, reason) = (fault.bundle, fault.reason.clone());
            self.refuse_family(&draft.ids, bundle, &reason);
        }
        self.decide_families(&chunk)
    }

    fn decide_families(&mut self, drafts: &[Draft]) -> Result<(), SeedError> {
        let families: Vec<SeedFamily> = drafts.iter().filter_map(|draft| draft.family.as_ref().ok().cloned()).collect();
        let Some(first) = families.first() else { return Ok(()) };
        let about = json!({ "table": TABLE.name(), "device": first.device_id, "first": drafts[0].ids.first() });
        let rows = drafts.iter().map(|draft| draft.ids.len()).sum();
        let outcome = self.submit(ImportSeed::Families(families), rows, &about)?;
        let mut notes: HashMap<i64, Vec<String>> = HashMap::new();
        for id in outcome.expired {
            notes.entry(id.0).or_default().push("its time has run out: Expired".to_owned());
        }
        for place in outcome.stated {
            if let Some(root) = drafts.get(place).and_then(|draft| draft.ids.first()) {
                let note = "no reading of its interval was kept: it states the reading itself".to_owned();
                notes.entry(*root).or_default().push(note);
            }
        }
        let mut refused = outcome.refused.into_iter().peekable();
        for (place, draft) in drafts.iter().enumerate() {
            if let Some(refused) = refused.next_if(|refused| refused.place == place) {
                let root = draft.ids.first().copied().unwrap_or(0);
                self.refuse_family(&draft.ids, root, &refused.refusal.to_string());
                continue;
            }
            for (id, note) in &draft.repairs {
                notes.entry(*id).or_default().push(note.clone());
            }
            for id in &draft.ids {
                self.tally.imported(TABLE, &id.to_string(), &notes.remove(id).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// One bundle is to blame; the others go with it.
    fn refuse_family(&mut self, ids: &[i64], blamed: i64, reason: &str) {
        for id in ids {
            let with = format!("it is of one family with bundle {blamed}, which is refused");
            self.tally.refused(TABLE, &id.to_string(), if *id == blamed { reason } else { &with });
        }
    }
}

/// The seed issues the certificate ids of withdrawn bundles again. What was withdrawn counts no more, so that it makes
/// room; of others that overlap, the ledger keeps the earlier one. The drafts are in the order of their roots.
fn refuse_reissued(drafts: &mut [Draft]) {
    let ends = |family: &SeedFamily| {
        let quantity = family.members.first().map_or(0, |root| root.quantity.0);
        (family.first, family.first.saturating_add(quantity.saturating_sub(1)))
    };
    let is_withdrawn = |family: &SeedFamily| {
        family.members.iter().all(|m| matches!(m.status, BundleStatus::Withdrawn | BundleStatus::Split))
    };
    // places of those that stand, with their ends, ascending
    let mut stand: Vec<(usize, u64, bool)> = Vec::new();
    let mut reissued: Vec<(usize, i64)> = Vec::new();
    for (place, draft) in drafts.iter().enumerate() {
        let Ok(family) = &draft.family else { continue };
        let (first, last) = ends(family);
        let above = stand.iter().rev().take_while(|(_, end, _)| *end >= first);
        let (count, all) = above.fold((0, true), |(count, all), (_, _, withdrawn)| (count + 1, all && *withdrawn));
        if count > 0 && !all {
            continue;
        }
        let root = draft.ids.first().copied().unwrap_or(0);
        for (withdrawn, _, _) in stand.drain(stand.len() - count..) {
            reissued.push((withdrawn, root));
        }
        stand.push((place, last, is_withdrawn(family)));
    }
    for (place, by) in reissued {
        let draft = &mut drafts[place];
        let bundle = draft.ids.first().copied().unwrap_or(0);
        let reason = format!("it was withdrawn, and its certificates were issued again as bundle {by}");
        draft.family = Err(Fault { bundle, reason });
    }
}
