//! A lineage drawn to scale: a row for each generation, in which every bundle is as wide as its range is of what was issued.
//!
//! The drawing says where and how much; the table beside it says everything.

use crate::format;
use app::{Lineage, LineageBundle, Relation};
use domain::BundleStatus;

/// Of the drawing, in its own units.
const WIDTH: u64 = 1_000;
const ROW: u64 = 34;
const GAP: u64 = 6;
/// What is thinner could not be seen.
const THINNEST: u64 = 3;
/// What has room for a number.
const LABELLED: u64 = 60;
/// What is drawn at most: the tree of one screen.
const PARTS_MAX: usize = 200;

pub(super) struct Part {
    pub id: i64,
    pub x: u64,
    pub y: u64,
    pub width: u64,
    pub height: u64,
    pub class: &'static str,
    pub text_x: u64,
    pub text_y: u64,
    pub has_text: bool,
    pub title: String,
}

/// The parts, and how high the drawing is. What was issued before or instead has other certificates, and no place in it.
pub(super) fn drawn(lineage: &Lineage) -> (Vec<Part>, u64) {
    let in_tree = |one: &&LineageBundle| !matches!(one.relation, Relation::Withdrawn | Relation::Replacement);
    let bundles: Vec<&LineageBundle> = lineage.bundles.iter().filter(in_tree).take(PARTS_MAX).collect();
    let (first, whole) = (lineage.root.first(), lineage.root.quantity().0);
    let parts: Vec<Part> = bundles.iter().map(|one| part(one, first, whole)).collect();
    let height = parts.iter().map(|part| part.y + part.height).max().unwrap_or(ROW);
    (parts, height)
}

fn part(one: &LineageBundle, first: u64, whole: u64) -> Part {
    let x = scaled(one.range.first().saturating_sub(first), whole);
    let end = scaled(one.range.last().saturating_sub(first).saturating_add(1), whole);
    let width = end.saturating_sub(x).clamp(THINNEST, WIDTH);
    let x = x.min(WIDTH - width);
    let generation = u64::try_from(one.generation).unwrap_or(0);
    let y = generation * (ROW + GAP);
    let (status, quantity) =
        (one.status.map_or("held elsewhere", BundleStatus::name), format::energy_text(one.range.quantity()));
    Part {
        id: one.id.0,
        x,
        y,
        width,
        height: ROW,
        class: class(one),
        text_x: x + width / 2,
        text_y: y + ROW / 2 + 5,
        has_text: width >= LABELLED,
        title: format!("Bundle {}: {quantity}, {status}", one.id),
    }
}

fn class(one: &LineageBundle) -> &'static str {
    match (one.relation, one.status) {
        (Relation::Itself, _) => "part itself",
        (_, None) => "part elsewhere",
        (_, Some(BundleStatus::Split)) => "part split",
        (_, Some(BundleStatus::Withdrawn)) => "part withdrawn",
        (_, Some(_)) => "part",
    }
}

/// So much of the whole, in units of the drawing.
fn scaled(part: u64, whole: u64) -> u64 {
    let scaled = u128::from(part) * u128::from(WIDTH) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(WIDTH).min(WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{BundleId, CertificateRange};
    use jiff::Timestamp;

    fn bundle(id: i64, generation: usize, (first, last): (u64, u64)) -> LineageBundle {
        LineageBundle {
            id: BundleId(id),
            parent_id: None,
            relation: Relation::Relative,
            generation,
            range: CertificateRange::new(first, last).unwrap(),
            issued_at: Timestamp::UNIX_EPOCH,
            status: None,
            held: None,
        }
    }

    #[test]
    fn a_part_is_as_wide_as_its_share_and_never_unseen() {
        let place = |first, last| {
            let part = part(&bundle(1, 1, (first, last)), 101, 1_000);
            (part.x, part.width, part.y)
        };
        assert_eq!(place(101, 1_100), (0, 1_000, 40));
        assert_eq!(place(101, 600), (0, 500, 40));
        assert_eq!(place(601, 1_100), (500, 500, 40));
        assert_eq!(place(1_100, 1_100), (997, 3, 40), "the last watt-hour stays within the drawing");
        let huge = part(&bundle(1, 0, (1, u64::MAX)), 1, u64::MAX);
        assert_eq!((huge.x, huge.width, huge.class), (0, 1_000, "part elsewhere"));
    }
}
