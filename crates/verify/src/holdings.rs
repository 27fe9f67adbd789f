//! The totals that are kept of what accounts hold: each is what the bundles add up to, as their events say. That the
//! bundles' rows are what their events say is checked with the bundles.
//!
//! Invariant: memory holds one total for each account, device, snapshot, state and week of production that holds anything.

use crate::PAGE;
use crate::report::{Audit, FindingKind, Noun, at};
use crate::rows::number;
use crate::rules::status;
use db::{Connection, Result};
use std::collections::HashMap;

const WEEK_MICROS: i64 = 604_800_000_000;

/// Account, device, snapshot, state, week.
type Key = (i64, i64, i64, i64, i64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Total {
    bundles: i64,
    energy_wh: i64,
    expires_first: i64,
    expires_last: i64,
}

impl Total {
    fn counts_the_same(self, other: Self) -> bool {
        (self.bundles, self.energy_wh) == (other.bundles, other.energy_wh)
    }

    /// Whether nothing that `other` counts expires outside of what this says.
    fn embraces(self, other: Self) -> bool {
        other.bundles == 0 || (self.expires_first <= other.expires_first && other.expires_last <= self.expires_last)
    }
}

/// What accounts hold, as the log says.
#[derive(Default)]
pub(crate) struct Holdings(HashMap<Key, Total>);

impl Holdings {
    /// Counts a bundle. Split parents are no bundles that anybody holds.
    pub(crate) fn add(
        &mut self,
        (account, device, attributes, state): (i64, i64, i64, i64),
        start: i64,
        energy_wh: i64,
        expires_at: i64,
    ) {
        if state == status::SPLIT {
            return;
        }
        let nothing = Total { expires_first: expires_at, expires_last: expires_at, ..Total::default() };
        let week = start.div_euclid(WEEK_MICROS);
        let total = self.0.entry((account, device, attributes, state, week)).or_insert(nothing);
        total.bundles += 1;
        total.energy_wh = total.energy_wh.saturating_add(energy_wh);
        total.expires_first = total.expires_first.min(expires_at);
        total.expires_last = total.expires_last.max(expires_at);
    }

    /// Compares them with what is kept.
    pub(crate) fn check(mut self, connection: &mut Connection, audit: &mut Audit<'_>) -> Result<()> {
        let mut after = (i64::MIN, 0, 0, 0, 0);
        loop {
            let page = kept_after(connection, after)?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (key, kept) in page {
                let expected = self.0.remove(&key).unwrap_or_default();
                compare(audit, key, Some(kept), expected);
            }
        }
        let mut rest: Vec<_> = self.0.into_iter().collect();
        rest.sort_unstable_by_key(|(key, _)| *key);
        for (key, expected) in rest {
            compare(audit, key, None, expected);
        }
        Ok(())
    }
}

fn compare(
    audit: &mut Audit<'_>,
    (account, device, attributes, state, week): Key,
    kept: Option<Total>,
    expected: Total,
) {
    audit.checked(7, 1);
    if kept.is_some_and(|kept| kept.counts_the_same(expected) && kept.embraces(expected)) {
        return;
    }
    audit.find(FindingKind::HoldingDiffers, Noun::Account, account, None, || {
        let of = |total: Total| {
            let (first, last) = (at(total.expires_first), at(total.expires_last));
            format!("{} bundles of {} Wh that expire from {first} to {last}", total.bundles, total.energy_wh)
        };
        let kept = kept.map_or_else(|| "nothing".to_owned(), of);
        let (state, week) = (status::name(state), at(week.saturating_mul(WEEK_MICROS)));
        format!(
            "of account {account}, {state} of device {device} with attributes {attributes}, produced in the week from {week}, {kept} is kept; \
             by its bundles' events it must be {}",
            of(expected)
        )
    });
}

fn kept_after(
    connection: &mut Connection,
    (account, device, attributes, state, week): Key,
) -> Result<Vec<(Key, Total)>> {
    connection.query(
        "SELECT account_id, device_id, attributes_id, status, week, bundles, energy_wh, expires_first, expires_last \
         FROM holding WHERE (account_id, device_id, attributes_id, status, week) > ($1, $2, $3, $4, $5) \
         ORDER BY account_id, device_id, attributes_id, status, week LIMIT $6",
        &[account.into(), device.into(), attributes.into(), state.into(), week.into(), PAGE.into()],
        |row| {
            let key = (number(row, 0)?, number(row, 1)?, number(row, 2)?, number(row, 3)?, number(row, 4)?);
            let total = Total {
                bundles: number(row, 5)?,
                energy_wh: number(row, 6)?,
                expires_first: number(row, 7)?,
                expires_last: number(row, 8)?,
            };
            Ok((key, total))
        },
    )
}
