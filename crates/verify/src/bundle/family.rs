//! The rows of bundles among themselves: certificate ids, parents and children, hashes, production, beneficiaries.
//!
//! Invariant: it looks at rows alone, in the order of their ids; that they are what the log says is checked beside it.

use super::Row;
use super::fold::Birth;
use crate::report::{Audit, FindingKind, Noun, at, hex, shown};
use crate::rules::status;
use crate::seal::{Preimage, child_hash, root_hash, sdgc_hash};
use crate::snapshots::Snapshots;
use crate::world::World;
use std::collections::{BTreeMap, HashMap};

/// The first child of a split, until the second comes.
struct First {
    id: i64,
    parent: i64,
    last: i64,
}

pub(super) struct Family<'s> {
    snapshots: &'s Snapshots,
    /// The id that the next certificate of each device must have.
    next_certificates: HashMap<i64, i64>,
    first: Option<First>,
    /// The same of adopted bundles, by parent: their ids are another registry's, so that two siblings may stand apart.
    adopted: BTreeMap<i64, First>,
    /// How many bundles are split, and how many pairs of children there are.
    parents: u64,
    pairs: u64,
    buffer: Preimage,
}

impl<'s> Family<'s> {
    pub(super) fn new(snapshots: &'s Snapshots) -> Self {
        Self {
            snapshots,
            next_certificates: HashMap::new(),
            first: None,
            adopted: BTreeMap::new(),
            parents: 0,
            pairs: 0,
            buffer: Preimage::default(),
        }
    }

    pub(super) fn check(
        &mut self,
        audit: &mut Audit<'_>,
        row: &Row,
        reading_end: Option<i64>,
        birth: Option<&Birth>,
        parents: &HashMap<i64, Row>,
    ) {
        let id = row.core.id;
        if row.core.first < 1 || row.core.last < row.core.first {
            audit.find(FindingKind::QuantityNotPositive, Noun::Bundle, id, None, || {
                format!("bundle {id} holds certificates {} to {}", row.core.first, row.core.last)
            });
        }
        check_beneficiary(audit, row);
        self.parents += u64::from(row.status == status::SPLIT);
        match row.parent {
            None => {
                self.close_pair(audit);
                self.check_root(audit, row, reading_end, birth);
            }
            Some(parent_id) => match parents.get(&parent_id) {
                None => audit.find(FindingKind::SplitWrong, Noun::Bundle, id, None, || {
                    format!("bundle {id} is a child of bundle {parent_id}, which does not exist")
                }),
                Some(parent) => {
                    check_parent(audit, row, parent);
                    let expected = child_hash(&mut self.buffer, &row.core, parent_id, &parent.hash);
                    check_hash(audit, row, &expected);
                    self.check_pair(audit, row, parent, birth);
                }
            },
        }
    }

    pub(super) fn finish(mut self, audit: &mut Audit<'_>, world: &mut World) {
        self.close_pair(audit);
        for First { id, parent, .. } in std::mem::take(&mut self.adopted).into_values() {
            find_single(audit, id, parent);
        }
        if self.parents != self.pairs {
            audit.find(FindingKind::SplitWrong, Noun::Bundle, 0, None, || {
                format!("{} bundles are split; there are {} pairs of children", self.parents, self.pairs)
            });
        }
        for (device, next) in self.next_certificates {
            if let Some(device) = world.devices.get_mut(&device) {
                device.next_certificate = next;
            }
        }
    }

    fn check_root(&mut self, audit: &mut Audit<'_>, row: &Row, reading_end: Option<i64>, birth: Option<&Birth>) {
        let (core, id) = (&row.core, row.core.id);
        let next = self.next_certificates.entry(core.device).or_insert(1);
        if birth.is_some_and(|birth| birth.is_adopted) {
            // what lies between was another registry's and did not come
            *next = core.first.max(*next);
        }
        let kind = if core.first < *next { FindingKind::CertificateTwice } else { FindingKind::CertificatesMissing };
        if core.first != *next {
            audit.find(kind, Noun::Bundle, id, None, || {
                let (first, last, device) = (core.first, core.last, core.device);
                format!("bundle {id} holds certificates {first} to {last} of device {device}, whose next is {next}")
            });
        }
        *next = core.last.saturating_add(1).max(*next);
        if reading_end != Some(core.end) {
            audit.find(FindingKind::NoReading, Noun::Bundle, id, None, || {
                let (device, start, end) = (core.device, at(core.start), at(core.end));
                let found =
                    reading_end.map(at).map_or("there is none".to_owned(), |end| format!("it lasts until {end}"));
                format!("bundle {id} needs a current reading of device {device} from {start} to {end}; {found}")
            });
        }
        if let Some(draw) = row.draw {
            return self.check_discharged(audit, row, draw);
        }
        let snapshot = self.snapshots.get(&row.attributes);
        let Some(snapshot) = snapshot.filter(|snapshot| snapshot.device == core.device) else {
            return audit.find(FindingKind::AttributesChanged, Noun::Bundle, id, None, || {
                format!("attributes {} of bundle {id} are not those of device {}", row.attributes, core.device)
            });
        };
        let expected = root_hash(&mut self.buffer, core, &snapshot.hash);
        check_hash(audit, row, &expected);
    }

    /// A certificate issued on a discharge: it carries what was charged, and the storage device's own snapshot.
    fn check_discharged(&mut self, audit: &mut Audit<'_>, row: &Row, draw: i64) {
        let (core, id) = (&row.core, row.core.id);
        let storage = row.storage_attributes.and_then(|id| self.snapshots.get(&id));
        let storage = storage.filter(|snapshot| snapshot.device == core.device);
        let (Some(snapshot), Some(storage)) = (self.snapshots.get(&row.attributes), storage) else {
            return audit.find(FindingKind::AttributesChanged, Noun::Bundle, id, None, || {
                let (charged, storage) = (row.attributes, shown(row.storage_attributes));
                format!(
                    "attributes {charged} of bundle {id}, or {storage} of storage device {}, do not exist",
                    core.device
                )
            });
        };
        let expected = sdgc_hash(&mut self.buffer, core, &snapshot.hash, &storage.hash, draw);
        check_hash(audit, row, &expected);
    }

    /// Children come in pairs of neighbouring ids, adopted ones in pairs, which divide their parent.
    fn check_pair(&mut self, audit: &mut Audit<'_>, row: &Row, parent: &Row, birth: Option<&Birth>) {
        let (core, whole, id, parent_id) = (&row.core, &parent.core, row.core.id, parent.core.id);
        let is_adopted = birth.is_some_and(|birth| birth.is_adopted);
        let first = if is_adopted {
            self.adopted.remove(&parent_id)
        } else {
            self.first.take_if(|first| first.parent == parent_id && first.id + 1 == id)
        };
        let Some(first) = first else {
            self.close_pair(audit);
            if parent.status != status::SPLIT {
                audit.find(FindingKind::SplitWrong, Noun::Bundle, parent_id, None, || {
                    format!("bundle {parent_id} has child {id} and is {}", status::name(parent.status))
                });
            }
            if core.first != whole.first || core.last >= whole.last {
                find_division(audit, row, parent, "the first part of");
            }
            let first = First { id, parent: parent_id, last: core.last };
            if is_adopted {
                self.adopted.insert(parent_id, first);
            } else {
                self.first = Some(first);
            }
            return;
        };
        self.pairs += 1;
        if core.first <= first.last {
            audit.find(FindingKind::CertificateTwice, Noun::Bundle, id, None, || {
                let (other, last, own) = (first.id, first.last, core.first);
                format!("bundle {id} begins with certificate {own}; its sibling {other} holds those up to {last}")
            });
        } else if core.first != first.last + 1 || core.last != whole.last {
            find_division(audit, row, parent, "the rest of");
        }
        let is_alike = |birth: &Birth| {
            birth.is_adopted || (birth.account == parent.account && birth.is_cancelled == parent.beneficiary.is_some())
        };
        if birth.is_some_and(|birth| !is_alike(birth)) {
            audit.find(FindingKind::ChildDiffers, Noun::Bundle, id, None, || {
                let account = shown(birth.map(|birth| birth.account));
                format!(
                    "bundle {id}, the rest of bundle {parent_id} of account {}, was created in account {account} or with \
                     another cancellation",
                    parent.account
                )
            });
        }
    }

    /// A first child that had no second.
    fn close_pair(&mut self, audit: &mut Audit<'_>) {
        let Some(First { id, parent, .. }) = self.first.take() else { return };
        find_single(audit, id, parent);
    }
}

fn find_single(audit: &mut Audit<'_>, id: i64, parent: i64) {
    audit.find(FindingKind::SplitWrong, Noun::Bundle, id, None, || {
        format!("bundle {id} is a child of bundle {parent}; the other child does not follow it")
    });
}

fn find_division(audit: &mut Audit<'_>, row: &Row, parent: &Row, which: &str) {
    audit.find(FindingKind::SplitWrong, Noun::Bundle, row.core.id, None, || {
        let (first, last) = (row.core.first, row.core.last);
        let (id, from, to) = (parent.core.id, parent.core.first, parent.core.last);
        format!(
            "bundle {} holds {first} to {last}; that is not {which} bundle {id}, which holds {from} to {to}",
            row.core.id
        )
    });
}

fn check_parent(audit: &mut Audit<'_>, row: &Row, parent: &Row) {
    let (child, own, id) = (&row.core, &parent.core, row.core.id);
    for (name, found, expected) in [
        ("device_id", child.device, own.device),
        ("attributes_id", row.attributes, parent.attributes),
        ("production_start", child.start, own.start),
        ("production_end", child.end, own.end),
        ("issued_at", child.issued_at, own.issued_at),
        ("expires_at", child.expires_at, own.expires_at),
        ("draw_id", row.draw.unwrap_or(0), parent.draw.unwrap_or(0)),
    ] {
        if found != expected {
            audit.find(FindingKind::ChildDiffers, Noun::Bundle, id, None, || {
                format!("{name} of bundle {id} is {found}; of its parent {} it is {expected}", own.id)
            });
        }
    }
    let same = row.beneficiary == parent.beneficiary
        && row.beneficiary_account == parent.beneficiary_account
        && row.purpose == parent.purpose;
    if parent.beneficiary.is_some() && !same {
        audit.find(FindingKind::BeneficiaryChanged, Noun::Bundle, id, None, || {
            format!("bundle {id} is not for whom and why its parent {} was cancelled", own.id)
        });
    }
}

/// What was cancelled has a beneficiary; what was not has none.
fn check_beneficiary(audit: &mut Audit<'_>, row: &Row) {
    let must = matches!(row.status, status::CANCELLED | status::CLAIMED);
    let may = must || matches!(row.status, status::WITHDRAWN | status::SPLIT);
    let has = row.beneficiary.is_some() || row.beneficiary_account.is_some() || row.purpose.is_some();
    if (must && row.beneficiary.is_none()) || (has && !may) {
        let (id, word) = (row.core.id, if has { "a" } else { "no" });
        audit.find(FindingKind::BeneficiaryChanged, Noun::Bundle, id, None, || {
            format!("bundle {id} is {} and has {word} beneficiary", status::name(row.status))
        });
    }
}

fn check_hash(audit: &mut Audit<'_>, row: &Row, expected: &[u8; 32]) {
    if row.hash != *expected {
        audit.find(FindingKind::HashDiffers, Noun::Bundle, row.core.id, None, || {
            format!("the hash of bundle {} is {}; its content gives {}", row.core.id, hex(&row.hash), hex(expected))
        });
    }
}
