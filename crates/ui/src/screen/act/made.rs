//! The bundles that an action made or changed, or would, as rows of a table.

use super::super::names::Names;
use crate::format::{self, Markup};
use crate::limits::ORIGINS_NAMED_MAX;
use app::{Origin, Part};
use domain::{BundleStatus, WattHours};
use std::collections::{BTreeSet, HashSet};

/// A bundle as an action leaves it.
pub(in crate::screen) struct Left {
    /// `None` for a bundle that is still to be made.
    pub bundle: Option<i64>,
    pub parent: Option<i64>,
    pub first: u64,
    pub last: u64,
    pub status: Option<BundleStatus>,
    pub account: Option<i64>,
    /// What it is to the action, where that was told.
    pub part: Option<Part>,
}

/// What becomes of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::screen) enum Fate {
    /// All or a part of it is what the action is about.
    Taken,
    /// Divided in two.
    Split,
    /// What is left of one that was divided.
    Rest,
}

pub(in crate::screen) struct Row {
    pub bundle: Option<i64>,
    /// Whether it is there, and the visitor's to look at.
    pub is_open: bool,
    pub parent: Option<i64>,
    pub first: String,
    pub last: String,
    pub energy: Markup,
    pub fate: &'static str,
    pub status: &'static str,
    pub tone: &'static str,
    pub account: String,
}

/// How many bundles share each fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::screen) struct Counts {
    pub taken: usize,
    pub split: usize,
}

/// The fate of each: as it was told, or by the order in which a preview tells of them, of a divided bundle the taken part
/// first.
pub(in crate::screen) fn fates(left: &[Left]) -> Vec<Fate> {
    let parents: HashSet<i64> =
        left.iter().filter(|one| one.status == Some(BundleStatus::Split)).filter_map(|one| one.bundle).collect();
    let mut begun = HashSet::new();
    let mut untold = |one: &Left| match one.parent.filter(|parent| parents.contains(parent)) {
        _ if one.status == Some(BundleStatus::Split) => Fate::Split,
        Some(parent) if !begun.insert(parent) => Fate::Rest,
        _ => Fate::Taken,
    };
    let fate = |one: &Left| match one.part {
        Some(Part::Taken) => Fate::Taken,
        Some(Part::Parent) => Fate::Split,
        Some(Part::Rest) => Fate::Rest,
        None => untold(one),
    };
    left.iter().map(fate).collect()
}

pub(in crate::screen) fn counts(fates: &[Fate]) -> Counts {
    let of = |wanted| fates.iter().filter(|fate| **fate == wanted).count();
    Counts { taken: of(Fate::Taken), split: of(Fate::Split) }
}

/// When, by what and how bundles were produced, as facts.
pub(in crate::screen) fn origin(origin: &Origin) -> Vec<(&'static str, String)> {
    let interval = format::interval_text(origin.from, origin.to);
    let devices = named(&origin.devices);
    let technologies: Vec<&str> = origin.technologies.iter().take(ORIGINS_NAMED_MAX).map(String::as_str).collect();
    let mut facts = vec![("Produced (UTC)", interval), ("Produced by", devices)];
    if !origin.stored_from.is_empty() {
        let made_by = named(&origin.stored_from);
        facts.push(("From storage, made by", made_by));
    }
    facts.push(("Technology", technologies.join(", ")));
    facts
}

/// The first of some names, and how many more there are.
fn named(all: &BTreeSet<String>) -> String {
    let names: Vec<&str> = all.iter().take(ORIGINS_NAMED_MAX).map(String::as_str).collect();
    let (more, names) = (all.len() - names.len(), names.join(", "));
    if more > 0 { format!("{names} and {more} more") } else { names }
}

/// In how many bundles, in words.
pub(in crate::screen) fn taken(counts: Counts) -> String {
    let bundles = format::count(counts.taken, "bundle");
    match (counts.split, counts.taken) {
        (0, _) => bundles,
        (1, 1) => format!("{bundles}, split off a larger one"),
        (split, taken) if split == taken => format!("{bundles}, each split off a larger one"),
        (split, _) => format!("{bundles}, {split} of them split off a larger one"),
    }
}

/// `done` says what became of what was taken, in one word.
pub(in crate::screen) fn row(left: &Left, fate: Fate, done: &'static str, names: &Names) -> Row {
    let quantity = left.last.saturating_sub(left.first).saturating_add(1);
    Row {
        bundle: left.bundle,
        is_open: left.bundle.is_some(),
        parent: left.parent,
        first: format::thousands(left.first),
        last: format::thousands(left.last),
        energy: format::energy(WattHours(quantity)),
        fate: match fate {
            Fate::Taken => done,
            Fate::Split => "split in two",
            Fate::Rest => "rest, stays as it was",
        },
        status: left.status.map_or("held elsewhere", BundleStatus::name),
        tone: left.status.map_or("", format::tone),
        account: left.account.map_or_else(String::new, |id| names.account(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(bundle: Option<i64>, parent: Option<i64>, status: BundleStatus) -> Left {
        Left { bundle, parent, first: 1, last: 2, status: Some(status), account: Some(1), part: None }
    }

    #[test]
    fn of_a_divided_bundle_the_taken_part_comes_first() {
        let whole = left(Some(1), Some(7), BundleStatus::Active);
        let split = left(Some(2), None, BundleStatus::Split);
        let (taken, rest) = (left(None, Some(2), BundleStatus::Active), left(None, Some(2), BundleStatus::Active));
        let found = fates(&[whole, split, taken, rest]);
        assert_eq!(found, [Fate::Taken, Fate::Split, Fate::Taken, Fate::Rest]);
        assert_eq!(counts(&found), Counts { taken: 2, split: 1 });
    }
}
