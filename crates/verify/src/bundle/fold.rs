//! The events of one bundle after the other, folded into what its row must be.
//!
//! Invariant: an event changes only what it names, and only if what it says of before is what was.

use super::{Row, note_hole};
use crate::decode::{Fault, Fields};
use crate::holdings::Holdings;
use crate::moves::{check_expiry, check_is_over, differs, find_state, tag};
use crate::report::{Audit, FindingKind, Noun, at, hex, shown};
use crate::rows::Event;
use crate::rules::{CREATE, kind, moves_from, needs_unexpired, status};
use crate::seal::{Hash, Preimage, Salt, text_hash};
use crate::world::World;

/// What a bundle was created with, as far as its parent must be like it.
pub(super) struct Birth {
    pub(super) account: i64,
    pub(super) is_cancelled: bool,
    /// By an import, which brings its id and its range.
    pub(super) is_adopted: bool,
}

/// Free text as an event holds it.
#[derive(Clone, Copy)]
struct Text {
    salt: Salt,
    hash: Hash,
}

struct Fold {
    id: i64,
    birth: Birth,
    account: i64,
    status: i64,
    beneficiary: Option<Text>,
    beneficiary_account: Option<i64>,
    purpose: Option<Text>,
    /// By tag, from the device to the draw.
    fixed: [Option<i64>; 10],
    last_event: i64,
}

/// Tags that never change, with their columns.
const FIXED: [(u8, &str); 10] = [
    (tag::DEVICE, "device_id"),
    (tag::ATTRIBUTES, "attributes_id"),
    (tag::FIRST, "range_first"),
    (tag::LAST, "range_last"),
    (tag::START, "production_start"),
    (tag::END, "production_end"),
    (tag::ISSUED_AT, "issued_at"),
    (tag::EXPIRES_AT, "expires_at"),
    (tag::PARENT, "parent_id"),
    (tag::DRAW, "draw_id"),
];
/// Where `expires_at` stands in [`FIXED`].
const EXPIRES_AT: usize = 7;

/// A move of a bundle that was not Active, which only some kinds of action may make.
pub(super) struct OddMove {
    pub(super) bundle: i64,
    pub(super) event: i64,
    pub(super) action: i64,
    pub(super) from: i64,
    to: i64,
}

impl OddMove {
    /// Tells it, unless an action of this kind may.
    pub(super) fn judge(&self, audit: &mut Audit<'_>, kind: i64) {
        if !moves_from(kind, self.from) {
            find_state(audit, self.bundle, self.event, self.from, self.to);
        }
    }
}

/// The bundles of a window.
pub(super) struct Folds<'r> {
    rows: &'r [(Row, Option<i64>)],
    births: Vec<Option<Birth>>,
    /// The id after the last that there is.
    next: &'r mut i64,
    world: &'r World,
    current: Option<Fold>,
    odd_moves: Vec<OddMove>,
    holdings: &'r mut Holdings,
    buffer: Preimage,
}

impl<'r> Folds<'r> {
    pub(super) fn new(
        rows: &'r [(Row, Option<i64>)],
        next: &'r mut i64,
        world: &'r World,
        holdings: &'r mut Holdings,
    ) -> Self {
        let births = Vec::with_capacity(rows.len());
        Self { rows, births, next, world, current: None, odd_moves: Vec::new(), holdings, buffer: Preimage::default() }
    }

    pub(super) fn event(&mut self, audit: &mut Audit<'_>, event: &Event<'_>) {
        // what cannot be read was told with the log
        let (Ok(before), Ok(after)) = (Fields::parse(event.before), Fields::parse(event.after)) else { return };
        if self.current.as_ref().is_some_and(|fold| fold.id != event.entity_id) {
            self.close(audit);
        }
        match (&mut self.current, event.change == CREATE) {
            (None, true) => {
                let is_adopted = self.world.imports.contains(&event.action_id);
                self.current = Fold::created(event, &after, is_adopted).ok();
            }
            (Some(fold), false) => {
                let _told: Result<(), Fault> = fold.change(audit, &mut self.odd_moves, event, &before, &after);
            }
            (Some(_), true) => {
                audit.find(FindingKind::HistoryWrong, Noun::Bundle, event.entity_id, Some(event.number), || {
                    format!("event {} creates bundle {}, which was created before", event.number, event.entity_id)
                });
            }
            (None, false) => {
                audit.find(FindingKind::HistoryWrong, Noun::Bundle, event.entity_id, Some(event.number), || {
                    format!("event {} changes bundle {}, which was not created", event.number, event.entity_id)
                });
            }
        }
    }

    /// What each row's bundle was created with, `None` where no event created it; and the moves that are still to be judged.
    pub(super) fn finish(mut self, audit: &mut Audit<'_>) -> (Vec<Option<Birth>>, Vec<OddMove>) {
        self.close(audit);
        self.pass_rows(audit, i64::MAX);
        (self.births, self.odd_moves)
    }

    /// Compares the bundle at hand with its row.
    fn close(&mut self, audit: &mut Audit<'_>) {
        let Some(fold) = self.current.take() else { return };
        self.pass_rows(audit, fold.id);
        if fold.birth.is_adopted {
            // the counter jumped to the id that it brought
            *self.next = fold.id.max(*self.next);
        }
        note_hole(audit, self.next, fold.id);
        fold.count(self.holdings);
        let row = self.rows.get(self.births.len()).filter(|(row, _)| row.core.id == fold.id);
        let Some((row, _)) = row else {
            audit.find(FindingKind::RowMissing, Noun::Bundle, fold.id, Some(fold.last_event), || {
                format!("bundle {} is not in the table; event {} was its last", fold.id, fold.last_event)
            });
            return;
        };
        fold.compare(audit, &mut self.buffer, row);
        self.births.push(Some(fold.birth));
    }

    /// Rows before `id` that no event created.
    fn pass_rows(&mut self, audit: &mut Audit<'_>, id: i64) {
        while let Some((row, _)) = self.rows.get(self.births.len()).filter(|(row, _)| row.core.id < id) {
            note_hole(audit, self.next, row.core.id);
            audit.find(FindingKind::RowWithoutEvent, Noun::Bundle, row.core.id, None, || {
                format!("bundle {} is in the table; no event created it", row.core.id)
            });
            self.births.push(None);
        }
    }
}

impl Fold {
    fn created(event: &Event<'_>, after: &Fields<'_>, is_adopted: bool) -> Result<Self, Fault> {
        let mut fixed = [None; 10];
        for (value, (tag, _)) in fixed.iter_mut().zip(FIXED) {
            *value = after.integer(tag)?;
        }
        let account = after.integer(tag::ACCOUNT)?.unwrap_or(0);
        let mut fold = Self {
            id: event.entity_id,
            birth: Birth { account, is_cancelled: after.has(tag::BENEFICIARY), is_adopted },
            account,
            status: after.integer(tag::STATUS)?.unwrap_or(0),
            beneficiary: None,
            beneficiary_account: None,
            purpose: None,
            fixed,
            last_event: event.number,
        };
        fold.cancel(event, after)?;
        Ok(fold)
    }

    fn cancel(&mut self, event: &Event<'_>, after: &Fields<'_>) -> Result<(), Fault> {
        let text = |hash: Option<Hash>| hash.map(|hash| Text { salt: event.salt, hash });
        self.beneficiary = text(after.hash(tag::BENEFICIARY)?);
        self.beneficiary_account = after.integer(tag::BENEFICIARY_ACCOUNT)?;
        self.purpose = text(after.hash(tag::PURPOSE)?);
        Ok(())
    }

    fn change(
        &mut self,
        audit: &mut Audit<'_>,
        odd_moves: &mut Vec<OddMove>,
        event: &Event<'_>,
        before: &Fields<'_>,
        after: &Fields<'_>,
    ) -> Result<(), Fault> {
        let (id, number) = (self.id, event.number);
        self.last_event = number;
        audit.checked(6, 1);
        for (tag, name) in FIXED {
            if before.has(tag) || after.has(tag) {
                let text = || format!("event {number} changes {name} of bundle {id}, which never changes");
                audit.find(FindingKind::AttributesChanged, Noun::Bundle, id, Some(number), text);
            }
        }
        let (was_status, was_account) = (self.status, self.account);
        for (tag, name, state) in
            [(tag::ACCOUNT, "account_id", &mut self.account), (tag::STATUS, "status", &mut self.status)]
        {
            let (was, is) = (before.integer(tag)?, after.integer(tag)?);
            if (was.is_some() || is.is_some()) && was != Some(*state) {
                audit.find(FindingKind::HistoryWrong, Noun::Bundle, id, Some(number), || {
                    format!("event {number} says that {name} of bundle {id} was {}; it was {state}", shown(was))
                });
            }
            *state = is.unwrap_or(*state);
        }
        let is_moved = self.account != was_account;
        if is_moved && !moves_from(kind::TRANSFER, was_status) {
            let (action, from, to) = (event.action_id, was_status, self.status);
            odd_moves.push(OddMove { bundle: id, event: number, action, from, to });
        }
        let expires_at = self.fixed.get(EXPIRES_AT).copied().flatten().unwrap_or(0);
        if needs_unexpired(was_status, self.status, is_moved) {
            check_expiry(audit, id, event, expires_at);
        }
        if was_status != self.status && self.status == status::EXPIRED {
            check_is_over(audit, id, event, expires_at);
        }
        self.change_cancellation(audit, event, before, after)
    }

    fn change_cancellation(
        &mut self,
        audit: &mut Audit<'_>,
        event: &Event<'_>,
        before: &Fields<'_>,
        after: &Fields<'_>,
    ) -> Result<(), Fault> {
        let names = |fields: &Fields<'_>| fields.tags().any(|tag| (tag::BENEFICIARY..=tag::PURPOSE).contains(&tag));
        if !names(before) && !names(after) {
            return Ok(());
        }
        if self.beneficiary.is_some() || names(before) || self.status != status::CANCELLED {
            let (id, number) = (self.id, event.number);
            audit.find(FindingKind::BeneficiaryChanged, Noun::Bundle, id, Some(number), || {
                let status = status::name(self.status);
                format!("event {number} changes for whom or why bundle {id} was cancelled, leaving it {status}")
            });
        }
        self.cancel(event, after)
    }

    /// Adds it to what its holder holds. Where its creation is not whole, that was told with the log.
    fn count(&self, holdings: &mut Holdings) {
        let [device, attributes, first, last, start, _, _, expires_at, ..] = self.fixed;
        if let [Some(device), Some(attributes), Some(first), Some(last), Some(start), Some(expires_at)] =
            [device, attributes, first, last, start, expires_at]
        {
            holdings.add((self.account, device, attributes, self.status), start, last - first + 1, expires_at);
        }
    }

    fn compare(&self, audit: &mut Audit<'_>, buffer: &mut Preimage, row: &Row) {
        let core = &row.core;
        let found = [
            Some(core.device),
            Some(row.attributes),
            Some(core.first),
            Some(core.last),
            Some(core.start),
            Some(core.end),
            Some(core.issued_at),
            Some(core.expires_at),
            row.parent,
            row.draw,
        ];
        let mut find = |text: String| {
            audit.find(FindingKind::RowDiffers, Noun::Bundle, self.id, Some(self.last_event), || {
                format!("bundle {}: {text}", self.id)
            });
        };
        if found != self.fixed {
            for (((tag, name), found), expected) in FIXED.iter().zip(found).zip(self.fixed) {
                let is_time = (tag::START..=tag::EXPIRES_AT).contains(tag);
                if found != expected && is_time {
                    let (found, expected) = (shown(found.map(at)), shown(expected.map(at)));
                    find(format!("{name} is {found}; by its events it must be {expected}"));
                } else if found != expected {
                    find(differs(name, found, expected));
                }
            }
        }
        if row.account != self.account {
            find(differs("account_id", Some(row.account), Some(self.account)));
        }
        if row.status != self.status {
            let (found, expected) = (status::name(row.status), status::name(self.status));
            find(format!("status is {found}; by its events it must be {expected}"));
        }
        if row.beneficiary_account != self.beneficiary_account {
            find(differs("beneficiary_account_id", row.beneficiary_account, self.beneficiary_account));
        }
        let texts = [("beneficiary", &row.beneficiary, self.beneficiary), ("purpose", &row.purpose, self.purpose)];
        for (name, found, expected) in texts {
            match (found, expected) {
                (None, None) => {}
                (Some(found), Some(text)) => {
                    let hash = text_hash(buffer, &text.salt, found);
                    if hash != text.hash {
                        let (found, expected) = (hex(&hash), hex(&text.hash));
                        find(format!("{name} hashes to {found} with its event's salt; the event says {expected}"));
                    }
                }
                (Some(_), None) => find(format!("{name} is there; by its events it must be nothing")),
                (None, Some(_)) => find(format!("{name} is nothing; by its events it must be there")),
            }
        }
    }
}
