//! Bundles of one device and one start of production, put together into families: what was issued, and what was split.
//!
//! The seed keeps no parent of a bundle. A split leaves its parent deleted, and two bundles whose ranges meet: the first
//! begins where the parent does, the second ends where it does. Their ranges are off by one and their quantities are
//! right, so that the quantities say which bundle holds which certificates.

use super::cancel::{Deed, Deeds};
use super::text;
use domain::action::{SeedBundle, SeedFamily};
use domain::{AccountId, BundleId, BundleStatus, Cancellation, DeviceId, Interval, MetadataId, WattHours};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;
use store::seed::BundleRow;

/// A bundle whose row could be read.
struct Member {
    id: i64,
    account: AccountId,
    metadata: MetadataId,
    status: BundleStatus,
    range: (i64, i64),
    quantity: u64,
    production: Interval,
    issued_at: Option<Timestamp>,
    beneficiary: Option<String>,
    /// Deleted or said to be split, and not withdrawn: two parts must have taken its place.
    is_split: bool,
}

/// A family as it would be adopted, or why it cannot be.
pub(super) struct Draft {
    /// The root, then the others in the order of their ids.
    pub(super) ids: Vec<i64>,
    pub(super) family: Result<SeedFamily, Fault>,
    /// What was done to which bundle.
    pub(super) repairs: Vec<(i64, String)>,
}

/// Why a family is refused, and which of its bundles is to blame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) bundle: i64,
    pub(super) reason: String,
}

/// What is known beside the bundles.
pub(super) struct Known<'k> {
    pub(super) device: DeviceId,
    pub(super) deeds: &'k Deeds,
    /// The names of the accounts that were taken over.
    pub(super) accounts: &'k HashMap<AccountId, String>,
    pub(super) now: Timestamp,
}

/// The families of a group of bundles in the order of their ids, and the rows that cannot be read.
pub(super) fn families(known: &Known<'_>, rows: &[BundleRow]) -> (Vec<Draft>, Vec<Fault>) {
    let (mut members, mut faults) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match member_of(row) {
            Ok(member) => members.push(member),
            Err(reason) => faults.push(Fault { bundle: row.id, reason }),
        }
    }
    let parents = parents_of(&members);
    let mut roots: Vec<usize> = Vec::with_capacity(members.len());
    let mut families: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    for (place, parent) in parents.iter().enumerate() {
        let root = parent.map_or(place, |parent| roots[parent]);
        roots.push(root);
        families[root].push(place);
    }
    let drafts = families.iter().filter(|family| !family.is_empty());
    (drafts.map(|family| draft(known, &members, &parents, family)).collect(), faults)
}

fn member_of(row: &BundleRow) -> Result<Member, String> {
    let missing = |field: &str| format!("{field} is missing");
    let status = text::status(row.status.as_deref());
    let status = status.ok_or_else(|| format!("the status {:?} is not known", row.status.as_deref().unwrap_or("")))?;
    let (start, end) = (text::instant(row.start), text::instant(row.end));
    let production = start.zip(end).and_then(|(start, end)| Interval::new(start, end));
    let quantity = row.quantity.ok_or_else(|| missing("bundle_quantity"))?;
    let quantity = u64::try_from(quantity).ok().filter(|quantity| *quantity > 0);
    if row.face_value.is_some_and(|value| value != 1) {
        return Err("its certificates are not of 1 Wh".to_owned());
    }
    if row.energy_carrier.as_deref().is_some_and(|carrier| text::letters(carrier) != "electricity") {
        return Err("it is not of electricity".to_owned());
    }
    Ok(Member {
        id: row.id,
        account: AccountId(row.account_id.ok_or_else(|| missing("account_id"))?),
        metadata: MetadataId(row.metadata_id.ok_or_else(|| missing("metadata_id"))?),
        status,
        range: row.range_start.zip(row.range_end).ok_or_else(|| missing("its range"))?,
        quantity: quantity.ok_or_else(|| "bundle_quantity must be at least 1".to_owned())?,
        production: production.ok_or_else(|| "its interval does not end after its start".to_owned())?,
        issued_at: text::instant(row.created_at),
        beneficiary: row.beneficiary.clone(),
        is_split: status == BundleStatus::Split || (row.is_deleted && status != BundleStatus::Withdrawn),
    })
}

/// The place of each one's parent. Two parts whose quantities make the whole come before two that only meet.
fn parents_of(members: &[Member]) -> Vec<Option<usize>> {
    let mut by_first: HashMap<i64, Vec<usize>> = HashMap::new();
    let mut by_range: HashMap<(i64, i64), Vec<usize>> = HashMap::new();
    for (place, member) in members.iter().enumerate() {
        by_first.entry(member.range.0).or_default().push(place);
        by_range.entry(member.range).or_default().push(place);
    }
    let mut parents = vec![None; members.len()];
    for (place, parent) in members.iter().enumerate().filter(|(_, member)| member.is_split) {
        let firsts = by_first.get(&parent.range.0).map_or(&[][..], Vec::as_slice);
        let (mut exact, mut met) = (None, None);
        for first in firsts.iter().copied().filter(|first| *first > place && parents[*first].is_none()) {
            let after = (members[first].range.1.saturating_add(1), parent.range.1);
            let rests = by_range.get(&after).map_or(&[][..], Vec::as_slice);
            for rest in rests.iter().copied().filter(|rest| *rest > first && parents[*rest].is_none()) {
                let is_whole = members[first].quantity.checked_add(members[rest].quantity) == Some(parent.quantity);
                let found = if is_whole { &mut exact } else { &mut met };
                found.get_or_insert((first, rest));
            }
            if exact.is_some() {
                break;
            }
        }
        if let Some((first, rest)) = exact.or(met) {
            parents[first] = Some(place);
            parents[rest] = Some(place);
        }
    }
    parents
}

fn draft(known: &Known<'_>, members: &[Member], parents: &[Option<usize>], family: &[usize]) -> Draft {
    let mut repairs = Vec::new();
    let ids = family.iter().map(|place| members[*place].id).collect();
    let family = family_of(known, members, parents, family, &mut repairs);
    Draft { ids, family, repairs }
}

fn family_of(
    known: &Known<'_>,
    members: &[Member],
    parents: &[Option<usize>],
    family: &[usize],
    repairs: &mut Vec<(i64, String)>,
) -> Result<SeedFamily, Fault> {
    let kin: Vec<&Member> = family.iter().map(|place| &members[*place]).collect();
    let root = kin[0];
    let place_of: HashMap<usize, usize> = family.iter().enumerate().map(|(place, member)| (*member, place)).collect();
    let parent_of = |place: usize| parents[family[place]].map(|parent| place_of[&parent]);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); kin.len()];
    for place in 0..kin.len() {
        if let Some(parent) = parent_of(place) {
            children[parent].push(place);
        }
    }
    let first = u64::try_from(root.range.0).ok().filter(|first| *first > 0).unwrap_or(1);
    let issued_at = root.issued_at.filter(|at| *at <= known.now).unwrap_or_else(|| {
        repairs.push((root.id, format!("created_at is missing or in the future: {}", known.now)));
        known.now
    });
    let heritage = inherit(known, &kin, &children, first);
    let mut made: Vec<SeedBundle> = Vec::with_capacity(kin.len());
    for (place, member) in kin.iter().enumerate() {
        let is_split = !children[place].is_empty();
        if member.is_split && !is_split {
            let reason = "it is deleted or split, and there are no two bundles that took its place".to_owned();
            return Err(Fault { bundle: member.id, reason });
        }
        note_range(member, heritage[place].first, repairs);
        note_root(member, root, repairs);
        let (status, cancellation) = if is_split {
            (BundleStatus::Split, None)
        } else {
            (member.status, cancellation_of(known, member, &heritage[place].cancellations, repairs)?)
        };
        made.push(SeedBundle {
            id: BundleId(member.id),
            parent: parent_of(place),
            quantity: WattHours(member.quantity),
            account_id: member.account,
            status,
            cancellation,
        });
    }
    let (device_id, metadata_id, production) = (known.device, root.metadata, root.production);
    Ok(SeedFamily { device_id, metadata_id, production, issued_at, first, members: made })
}

/// What a bundle has from those it was split from.
#[derive(Clone, Default)]
struct Heritage {
    /// Its first certificate.
    first: u64,
    /// Of it and of what it was split from, in order.
    cancellations: Vec<Deed>,
}

/// Certificates and cancellations go from each parent, which stands before its parts, to them.
fn inherit(known: &Known<'_>, kin: &[&Member], children: &[Vec<usize>], first: u64) -> Vec<Heritage> {
    let mut heritage = vec![Heritage { first, cancellations: Vec::new() }; kin.len()];
    for (place, member) in kin.iter().enumerate() {
        let mut acts = known.deeds.of(member.id);
        let mut on_first_part = None;
        // The last action on a bundle that was split is the one that split it; it was on the first part.
        if let ([_, _], [before @ .., last]) = (children[place].as_slice(), acts) {
            on_first_part = last.is_cancellation().then_some(*last);
            acts = before;
        }
        heritage[place].cancellations.extend(acts.iter().copied().filter(|act| act.is_cancellation()));
        if let [taken, rest] = children[place].as_slice() {
            let own = heritage[place].clone();
            heritage[*rest].first = own.first.saturating_add(kin[*taken].quantity);
            heritage[*rest].cancellations.clone_from(&own.cancellations);
            heritage[*taken] = own;
            heritage[*taken].cancellations.extend(on_first_part);
        }
    }
    heritage
}

fn note_range(member: &Member, first: u64, repairs: &mut Vec<(i64, String)>) {
    let (was, last) = (member.range, first.saturating_add(member.quantity - 1));
    if (u64::try_from(was.0), u64::try_from(was.1)) != (Ok(first), Ok(last)) {
        repairs.push((member.id, format!("its range {} to {} became {first} to {last}", was.0, was.1)));
    }
}

/// What a split does not touch is the root's.
fn note_root(member: &Member, root: &Member, repairs: &mut Vec<(i64, String)>) {
    if member.metadata != root.metadata {
        repairs.push((member.id, format!("metadata_id {} became that of bundle {}", member.metadata, root.id)));
    }
    if member.production != root.production {
        repairs.push((member.id, format!("its end of production became that of bundle {}", root.id)));
    }
}

/// For whom a bundle was cancelled. `acts` are all cancellations of it and of what it was split from.
fn cancellation_of(
    known: &Known<'_>,
    member: &Member,
    acts: &[Deed],
    repairs: &mut Vec<(i64, String)>,
) -> Result<Option<Arc<Cancellation>>, Fault> {
    let fault = |reason: String| Err(Fault { bundle: member.id, reason });
    let holder = known.accounts.get(&member.account).map_or("unknown", String::as_str);
    let name = |act: Deed| known.deeds.beneficiary(act).unwrap_or(holder);
    let other = acts.first().and_then(|first| acts.iter().find(|act| !act.is_for_the_same(*first)));
    match member.status {
        // it counts no more, whomever it was cancelled for
        BundleStatus::Withdrawn if acts.is_empty() || other.is_some() => return Ok(None),
        BundleStatus::Cancelled | BundleStatus::Claimed | BundleStatus::Withdrawn => {}
        BundleStatus::Active
        | BundleStatus::Expired
        | BundleStatus::Locked
        | BundleStatus::Reserved
        | BundleStatus::Split => {
            return match acts.last() {
                Some(act) => fault(format!("action {} cancelled it, and it is {}", act.action, member.status)),
                None => Ok(None),
            };
        }
    }
    let raw = match (acts.first(), other) {
        (Some(first), Some(other)) if name(*first) != name(*other) => {
            let (one, two) = (name(*first), name(*other));
            return fault(format!(
                "action {} cancelled it for {one}, and action {} for {two}",
                first.action, other.action
            ));
        }
        (Some(first), _) => known.deeds.beneficiary(*first),
        (None, _) => member.beneficiary.as_deref(),
    };
    let mut notes = Vec::new();
    let beneficiary = text::text("beneficiary", raw, holder, &mut notes);
    repairs.extend(notes.into_iter().map(|note| (member.id, note)));
    Ok(Some(Arc::new(Cancellation { beneficiary, beneficiary_account: None, purpose: None })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::seed::ActionRow;

    const HOUR: i64 = 3_600_000_000;

    fn row(id: i64, status: &str, range: (i64, i64), quantity: i64) -> BundleRow {
        let text = |text: &str| Some(text.to_owned());
        BundleRow {
            id,
            device_id: Some(7),
            account_id: Some(2),
            metadata_id: Some(1),
            status: text(status),
            range_start: Some(range.0),
            range_end: Some(range.1),
            quantity: Some(quantity),
            face_value: Some(1),
            energy_carrier: text("electricity"),
            start: Some(0),
            end: Some(HOUR),
            beneficiary: None,
            is_deleted: status == "BUNDLE_SPLIT",
            created_at: Some(2 * HOUR),
        }
    }

    fn deeds(actions: &[(i64, &str, &str, Option<&str>)]) -> Deeds {
        let mut deeds = Deeds::default();
        for (id, kind, bundles, beneficiary) in actions {
            deeds.add(&ActionRow {
                id: *id,
                action_type: Some((*kind).to_owned()),
                bundle_ids: Some((*bundles).to_owned()),
                beneficiary: beneficiary.map(str::to_owned),
                response_status: None,
                is_deleted: false,
            });
        }
        deeds.sort();
        deeds
    }

    fn drafts(rows: &[BundleRow], deeds: &Deeds) -> Vec<Draft> {
        let accounts = HashMap::from([(AccountId(2), "Wind Ltd".to_owned())]);
        let now = Timestamp::from_microsecond(100 * HOUR).unwrap();
        let (drafts, faults) = families(&Known { device: DeviceId(7), deeds, accounts: &accounts, now }, rows);
        assert_eq!(faults, []);
        drafts
    }

    /// (id, parent's place) of each member of the only family, and its repairs.
    fn tree(rows: &[BundleRow]) -> (Vec<(i64, Option<usize>)>, Vec<String>) {
        let drafts = drafts(rows, &Deeds::default());
        assert_eq!(drafts.len(), 1, "one family");
        let family = drafts[0].family.as_ref().unwrap();
        let repairs = drafts[0].repairs.iter().map(|(id, text)| format!("{id}: {text}")).collect();
        (family.members.iter().map(|member| (member.id.0, member.parent)).collect(), repairs)
    }

    #[test]
    fn parts_find_their_parent_by_where_their_ranges_meet() {
        let rows = [
            row(1, "BUNDLE_SPLIT", (1, 100), 100),
            row(2, "BUNDLE_SPLIT", (1, 26), 25),
            row(3, "ACTIVE", (27, 100), 75),
            row(4, "ACTIVE", (1, 11), 10),
            row(5, "ACTIVE", (12, 26), 15),
        ];
        let (tree, repairs) = tree(&rows);
        assert_eq!(tree, [(1, None), (2, Some(0)), (3, Some(0)), (4, Some(1)), (5, Some(1))]);
        let expected = [
            "2: its range 1 to 26 became 1 to 25",
            "3: its range 27 to 100 became 26 to 100",
            "4: its range 1 to 11 became 1 to 10",
            "5: its range 12 to 26 became 11 to 25",
        ];
        assert_eq!(repairs, expected);
    }

    #[test]
    fn a_first_part_that_looks_like_its_parent_is_told_apart_by_its_quantity() {
        // 99 of 100: the first part has the parent's range, the second an empty one; then the first is split again
        let rows = [
            row(1, "BUNDLE_SPLIT", (1, 100), 100),
            row(2, "BUNDLE_SPLIT", (1, 100), 99),
            row(3, "ACTIVE", (101, 100), 1),
            row(4, "ACTIVE", (1, 51), 50),
            row(5, "ACTIVE", (52, 100), 49),
        ];
        assert_eq!(tree(&rows).0, [(1, None), (2, Some(0)), (3, Some(0)), (4, Some(1)), (5, Some(1))]);
    }

    #[test]
    fn siblings_between_which_others_were_made_find_each_other() {
        let rows = [
            row(1, "BUNDLE_SPLIT", (1, 100), 100),
            row(5, "BUNDLE_SPLIT", (1, 51), 50),
            row(8, "ACTIVE", (52, 100), 50),
            row(9, "ACTIVE", (1, 26), 25),
            row(20, "ACTIVE", (27, 51), 25),
        ];
        assert_eq!(tree(&rows).0, [(1, None), (5, Some(0)), (8, Some(0)), (9, Some(1)), (20, Some(1))]);
    }

    #[test]
    fn two_issues_of_one_interval_are_two_families() {
        let rows = [row(1, "WITHDRAWN", (1, 100), 100), row(2, "ACTIVE", (101, 200), 100)];
        let drafts = drafts(&rows, &Deeds::default());
        assert_eq!(drafts.iter().map(|draft| draft.ids.clone()).collect::<Vec<_>>(), [vec![1], vec![2]]);
    }

    #[test]
    fn a_cancellation_that_splits_is_of_the_first_part_and_one_of_the_whole_of_both() {
        let rows = |first: &str, rest: &str| {
            [row(1, "BUNDLE_SPLIT", (1, 100), 100), row(2, first, (1, 26), 25), row(3, rest, (27, 100), 75)]
        };
        let partly = deeds(&[(1, "TRANSFER", "[1]", None), (2, "CANCEL", "[1]", Some("Alice"))]);
        let found = drafts(&rows("CANCELLED", "ACTIVE"), &partly);
        let family = found[0].family.as_ref().unwrap();
        let names: Vec<_> =
            family.members.iter().map(|m| m.cancellation.as_ref().map(|c| c.beneficiary.clone())).collect();
        assert_eq!(names, [None, Some("Alice".to_owned()), None]);
        let wholly = deeds(&[(1, "CANCEL", "[1]", Some("Alice")), (2, "TRANSFER", "[1]", None)]);
        let found = drafts(&rows("CANCELLED", "ACTIVE"), &wholly);
        let fault = found[0].family.as_ref().unwrap_err();
        assert_eq!((fault.bundle, fault.reason.as_str()), (3, "action 1 cancelled it, and it is Active"));
    }

    #[test]
    fn who_is_named_twice_is_one_beneficiary_and_nobody_is_the_holder() {
        let rows = [row(1, "CANCELLED", (1, 100), 100)];
        for (actions, beneficiary) in [
            (vec![(1, "CANCEL", "[1]", Some("Alice")), (2, "CANCEL", "[1]", Some("Alice"))], Ok("Alice")),
            (vec![(1, "CANCEL", "[1]", None), (2, "CANCEL", "[1]", Some("Wind Ltd"))], Ok("Wind Ltd")),
            (vec![(1, "CANCEL", "[1]", None)], Ok("Wind Ltd")),
            (vec![(1, "RECURRING_CANCEL", "[1]", Some("Alice"))], Ok("Wind Ltd")),
            (
                vec![(1, "CANCEL", "[1]", Some("Alice")), (2, "CANCEL", "[1]", None)],
                Err("action 1 cancelled it for Alice, and action 2 for Wind Ltd"),
            ),
        ] {
            let found = drafts(&rows, &deeds(&actions));
            let family = found[0].family.as_ref();
            let name = family.map(|family| family.members[0].cancellation.as_ref().unwrap().beneficiary.clone());
            assert_eq!(
                name.map_err(|fault| fault.reason.clone()),
                beneficiary.map(str::to_owned).map_err(str::to_owned)
            );
        }
    }

    #[test]
    fn parts_that_do_not_make_the_whole_go_with_their_parent_to_be_refused() {
        let rows =
            [row(1, "BUNDLE_SPLIT", (1, 100), 100), row(2, "ACTIVE", (1, 61), 60), row(3, "ACTIVE", (62, 100), 60)];
        assert_eq!(tree(&rows).0, [(1, None), (2, Some(0)), (3, Some(0))]);
    }
}
