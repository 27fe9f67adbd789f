//! The life cycle of a bundle as a picture. Where a state stands is chosen here; which arrows there are is not: they are
//! those of [`TRANSITIONS`].

use domain::{BundleStatus, TRANSITIONS};

const BOX_WIDTH: i32 = 116;
const BOX_HEIGHT: i32 = 40;
const WIDTH: i32 = 900;
const HEIGHT: i32 = 430;
/// How far an arrow back stands from the arrow that it answers.
const APART: i32 = 9;

pub(super) struct Picture {
    pub width: i32,
    pub height: i32,
    pub boxes: Vec<Box>,
    pub arrows: Vec<Arrow>,
}

/// A state; `x` and `y` are its upper left corner.
pub(super) struct Box {
    pub name: &'static str,
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
    pub text_x: i32,
    pub text_y: i32,
    pub is_live: bool,
}

/// What leads from one state to the next, with its name beside it.
pub(super) struct Arrow {
    pub name: &'static str,
    pub path: String,
    pub x: i32,
    pub y: i32,
    /// Time does it, nobody asks for it.
    pub is_of_time: bool,
}

/// The middle of a state's box; a parent that was split is not in the picture.
const fn middle(status: BundleStatus) -> Option<(i32, i32)> {
    match status {
        BundleStatus::Active => Some((90, 160)),
        BundleStatus::Cancelled => Some((370, 40)),
        BundleStatus::Claimed => Some((590, 40)),
        BundleStatus::Locked => Some((370, 235)),
        BundleStatus::Expired => Some((370, 320)),
        BundleStatus::Reserved => Some((370, 400)),
        BundleStatus::Withdrawn => Some((820, 160)),
        BundleStatus::Split => None,
    }
}

impl Picture {
    pub(super) fn of_life_cycle() -> Self {
        let steps = TRANSITIONS.iter().map(|(step, from, to)| (step.name(), *from, *to, false));
        let expired = BundleStatus::Expired;
        let expiring = BundleStatus::ALL.iter().filter(|status| status.may_expire());
        let of_time = expiring.map(|from| ("in time", *from, expired, true));
        Self {
            width: WIDTH,
            height: HEIGHT,
            boxes: BundleStatus::ALL.iter().filter_map(|status| Box::of(*status)).collect(),
            arrows: steps.chain(of_time).filter_map(Arrow::of).collect(),
        }
    }
}

impl Box {
    fn of(status: BundleStatus) -> Option<Self> {
        let (x, y) = middle(status)?;
        Some(Self {
            name: status.name(),
            x: x - BOX_WIDTH / 2,
            y: y - BOX_HEIGHT / 2,
            width: BOX_WIDTH,
            height: BOX_HEIGHT,
            text_x: x,
            text_y: y + 5,
            is_live: status.is_live(),
        })
    }
}

impl Arrow {
    fn of((name, from, to, is_of_time): (&'static str, BundleStatus, BundleStatus, bool)) -> Option<Self> {
        let ((from_x, from_y), (to_x, to_y)) = (middle(from)?, middle(to)?);
        let (half, high) = (BOX_WIDTH / 2, BOX_HEIGHT / 2);
        let made = |path, x, y| Some(Self { name, path, x, y, is_of_time });
        if from == to {
            let (left, top) = (from_x - 24, from_y - high);
            let path = format!("M{left} {top}c-14 -48 62 -48 50 -3");
            return made(path, from_x, top - 44);
        }
        if from_x == to_x {
            let (start, end) = (from_y + high, to_y - high - 3);
            return made(format!("M{from_x} {start}V{end}"), from_x + 34, i32::midpoint(start, end) + 4);
        }
        // Arrows that part or meet at a box do so a little apart.
        let lean = ((to_y - from_y) / 12).clamp(-14, 14);
        let (start, end) = if from_x < to_x {
            ((from_x + half, from_y + lean), (to_x - half - 3, to_y - lean))
        } else {
            ((from_x - half, from_y + APART), (to_x + half + 3, to_y + APART - lean))
        };
        // The name stands where the arrows of the fuller side have parted, that of an arrow back below it.
        let (part, lower) = match to {
            BundleStatus::Withdrawn => (3, 4),
            _ if to_x < from_x => (2, 16),
            _ => (6, 4),
        };
        let at = |from: i32, to: i32| from + (to - from) * part / 10;
        let path = format!("M{} {}L{} {}", start.0, start.1, end.0, end.1);
        made(path, at(start.0, end.0), at(start.1, end.1) + lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_an_arrow_and_every_box_is_inside() {
        let picture = Picture::of_life_cycle();
        assert_eq!(picture.arrows.len(), TRANSITIONS.len() + 2);
        assert_eq!(picture.boxes.len(), BundleStatus::ALL.len() - 1);
        for of in &picture.boxes {
            assert!(of.x >= 0 && of.y >= 0 && of.x + of.width <= WIDTH && of.y + of.height <= HEIGHT, "{}", of.name);
        }
    }

    #[test]
    fn no_two_boxes_overlap() {
        let picture = Picture::of_life_cycle();
        for (index, one) in picture.boxes.iter().enumerate() {
            for other in &picture.boxes[index + 1..] {
                let is_apart = (one.x - other.x).abs() >= BOX_WIDTH || (one.y - other.y).abs() >= BOX_HEIGHT;
                assert!(is_apart, "{} and {}", one.name, other.name);
            }
        }
    }
}
