//! The bytes that are hashed, for ever. Each kind of input has its own tag and version; lengths stand before what varies.
//!
//! The format is written down for other implementations in `docs/sealed-log.md`, with test vectors. Never change what a
//! tag means: a new format gets a new version. Integers are big-endian; instants are microseconds since 1970 (UTC).

use crate::{ActionId, ActionKind, Bundle, CertificateAttributes, DrawId, EventNumber};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

pub type Hash = [u8; 32];
/// Random bytes that keep a hash of little text from being guessed.
pub type Salt = [u8; 16];

/// RFC 6962, section 2.1: leaves and nodes of the tree are hashed apart.
const LEAF: u8 = 0x00;
const NODE: u8 = 0x01;

/// What "nothing before" hashes as.
pub const NO_HASH: Hash = [0; 32];

struct Hasher(Sha256);

impl Hasher {
    fn tagged(tag: &[u8], version: u8) -> Self {
        Self(Sha256::new_with_prefix(tag)).byte(version)
    }

    fn byte(mut self, value: u8) -> Self {
        self.0.update([value]);
        self
    }

    fn integer(mut self, value: i64) -> Self {
        self.0.update(value.to_be_bytes());
        self
    }

    fn count(mut self, value: u64) -> Self {
        self.0.update(value.to_be_bytes());
        self
    }

    fn instant(self, at: Timestamp) -> Self {
        self.integer(at.as_microsecond())
    }

    fn fixed(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// Length (32 bits), then the bytes.
    fn bytes(self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("what is sealed is shorter than 4 GiB");
        self.fixed(&length.to_be_bytes()).fixed(bytes)
    }

    /// 0 for none; 1, length and UTF-8 for a text.
    fn text(self, text: Option<&str>) -> Self {
        match text {
            None => self.byte(0),
            Some(text) => self.byte(1).bytes(text.as_bytes()),
        }
    }

    fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}

/// How free text stands in an event: hashed with the event's salt.
pub fn text_hash(salt: &Salt, text: &str) -> Hash {
    Hasher::tagged(b"granary.text", 1).fixed(salt).bytes(text.as_bytes()).finish()
}

/// What an action was: who asked for what, when. Every event of the action commits to it.
pub struct SealedAction<'a> {
    pub id: ActionId,
    pub kind: ActionKind,
    pub actor: i64,
    pub requested_at: Timestamp,
    pub salt: &'a Salt,
    /// The request as it is stored, byte for byte.
    pub request: &'a str,
}

pub fn action_hash(action: &SealedAction<'_>) -> Hash {
    Hasher::tagged(b"granary.action", 1)
        .integer(action.id.0)
        .integer(action.kind.code())
        .integer(action.actor)
        .instant(action.requested_at)
        .fixed(action.salt)
        .bytes(action.request.as_bytes())
        .finish()
}

/// One entry of the log, as it is hashed.
pub struct Entry<'e> {
    pub number: EventNumber,
    pub recorded_at: Timestamp,
    pub action_id: ActionId,
    pub action_hash: &'e Hash,
    pub entity: u8,
    pub entity_id: i64,
    pub event_type: u8,
    pub salt: &'e Salt,
    pub before: &'e [u8],
    pub after: &'e [u8],
    /// The leaf of the event before; [`NO_HASH`] at the first.
    pub previous: &'e Hash,
}

/// The leaf of an entry: a link of the chain and a leaf of the tree (RFC 6962 `MTH({d})`, `d` being the entry's bytes).
pub fn leaf_hash(entry: &Entry<'_>) -> Hash {
    Hasher(Sha256::new_with_prefix([LEAF]))
        .fixed(b"granary.event")
        .byte(1)
        .integer(entry.number.0)
        .instant(entry.recorded_at)
        .integer(entry.action_id.0)
        .fixed(entry.action_hash)
        .byte(entry.entity)
        .integer(entry.entity_id)
        .byte(entry.event_type)
        .fixed(entry.salt)
        .bytes(entry.before)
        .bytes(entry.after)
        .fixed(entry.previous)
        .finish()
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hasher(Sha256::new_with_prefix([NODE])).fixed(left).fixed(right).finish()
}

/// The right edge of the Merkle tree over all leaves: the roots of its perfect subtrees, largest first.
/// Invariant: as many peaks as `size` has bits set.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// From its stored form; `None` if the number of peaks does not fit the size.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (peaks, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && u32::try_from(peaks.len()) == Ok(size.count_ones());
        fits.then(|| Self { size, peaks: peaks.to_vec() })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each bit of the size");
            node = node_hash(&left, &node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root of the tree (RFC 6962 `MTH`); of no leaves, the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return Sha256::digest([]).into() };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// Of a bundle as it was issued: its range and times, and the snapshot of its device.
pub fn bundle_hash(bundle: &Bundle, attributes: &Hash) -> Hash {
    bundle_fields(Hasher::tagged(b"granary.bundle", 1), bundle).fixed(attributes).finish()
}

/// Of an SD-GC as it was issued: also the snapshot of the storage device, and the draw behind it.
pub fn sdgc_hash(bundle: &Bundle, attributes: &Hash, storage: &Hash, draw: DrawId) -> Hash {
    let core = bundle_fields(Hasher::tagged(b"granary.bundle.storage", 1), bundle);
    core.fixed(attributes).fixed(storage).integer(draw.0).finish()
}

/// Of a child of a split: its own range, and its parent's hash.
pub fn child_hash(child: &Bundle, parent: &Hash) -> Hash {
    let parent_id = child.parent_id.map_or(0, |id| id.0);
    bundle_fields(Hasher::tagged(b"granary.bundle.child", 1), child).integer(parent_id).fixed(parent).finish()
}

fn bundle_fields(hasher: Hasher, bundle: &Bundle) -> Hasher {
    hasher
        .integer(bundle.id.0)
        .integer(bundle.device_id.0)
        .count(bundle.range.first())
        .count(bundle.range.last())
        .instant(bundle.production.start())
        .instant(bundle.production.end())
        .instant(bundle.issued_at)
        .instant(bundle.expires_at)
}

/// Of the snapshot of a device that certificates carry.
pub fn attributes_hash(attributes: &CertificateAttributes) -> Hash {
    let device = &attributes.device;
    Hasher::tagged(b"granary.attributes", 1)
        .integer(attributes.device_id.0)
        .integer(attributes.device_version)
        .integer(attributes.metadata_id.0)
        .integer(attributes.energy_carrier.code())
        .text(Some(&device.name))
        .text(Some(&device.grid))
        .integer(device.energy_source.code())
        .text(Some(&device.technology_type))
        .instant(device.operational_date)
        .count(device.capacity_watts)
        .count(device.peak_demand_watts)
        .text(Some(&device.location))
        .text(device.meter_data_id.as_deref())
        .integer(device.kind.code())
        .finish()
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The tree of RFC 6962, section 2.1, as it is defined there.
    fn merkle_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => *leaf,
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                node_hash(&merkle_root(&leaves[..half]), &merkle_root(&leaves[half..]))
            }
        }
    }

    proptest! {
        #[test]
        fn the_frontier_is_the_tree_of_the_rfc(leaves in proptest::collection::vec(any::<Hash>(), 0..70)) {
            let mut frontier = Frontier::default();
            for (count, leaf) in leaves.iter().enumerate() {
                prop_assert_eq!(frontier.root(), merkle_root(&leaves[..count]));
                frontier.append(*leaf);
                let stored = Frontier::from_bytes(frontier.size(), &frontier.to_bytes());
                prop_assert_eq!(stored.as_ref(), Some(&frontier));
            }
            prop_assert_eq!(frontier.root(), merkle_root(&leaves));
        }
    }

    #[test]
    fn a_frontier_with_a_peak_missing_is_not_one() {
        assert_eq!(Frontier::from_bytes(3, &[0; 32]), None);
        assert_eq!(Frontier::from_bytes(1, &[0; 31]), None);
    }

    #[test]
    fn equal_texts_with_different_salts_look_different() {
        assert_ne!(text_hash(&[1; 16], "Alice Ltd"), text_hash(&[2; 16], "Alice Ltd"));
    }
}
