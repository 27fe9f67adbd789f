//! The hashes of the sealed log, written from its format and not from the code that seals.
//!
//! Invariant: a tag, a version, then the fields in their fixed order; integers and instants are 64-bit big-endian,
//! instants microseconds since 1970 (UTC); lengths are 32-bit. The tree is that of RFC 6962.

use sha2::{Digest as _, Sha256};

pub(crate) type Hash = [u8; 32];
pub(crate) type Salt = [u8; 16];

/// Bytes to be hashed at once; one buffer serves many hashes.
#[derive(Default)]
pub(crate) struct Preimage(Vec<u8>);

impl Preimage {
    fn start(&mut self, tag: &[u8]) -> &mut Self {
        self.0.clear();
        self.fixed(tag).fixed(&[1])
    }

    fn fixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn integer(&mut self, value: i64) -> &mut Self {
        self.fixed(&value.to_be_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.fixed(&length.to_be_bytes()).fixed(bytes)
    }

    fn text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            None => self.fixed(&[0]),
            Some(text) => self.fixed(&[1]).bytes(text.as_bytes()),
        }
    }

    fn hash(&self) -> Hash {
        Sha256::digest(&self.0).into()
    }
}

/// Free text as it stands in an event.
pub(crate) fn text_hash(buffer: &mut Preimage, salt: &Salt, text: &str) -> Hash {
    buffer.start(b"granary.text").fixed(salt).bytes(text.as_bytes()).hash()
}

pub(crate) struct Action<'a> {
    pub(crate) id: i64,
    pub(crate) kind: i64,
    pub(crate) actor: i64,
    pub(crate) requested_at: i64,
    pub(crate) salt: &'a Salt,
    pub(crate) request: &'a str,
}

pub(crate) fn action_hash(buffer: &mut Preimage, action: &Action<'_>) -> Hash {
    buffer
        .start(b"granary.action")
        .integer(action.id)
        .integer(action.kind)
        .integer(action.actor)
        .integer(action.requested_at)
        .fixed(action.salt)
        .bytes(action.request.as_bytes())
        .hash()
}

/// The leaf of an event. Codes of entity and type are one byte each.
pub(crate) fn leaf_hash(
    buffer: &mut Preimage,
    event: &crate::rows::Event<'_>,
    action_hash: &Hash,
    previous: &Hash,
) -> Option<Hash> {
    let (entity, change) = (u8::try_from(event.entity).ok()?, u8::try_from(event.change).ok()?);
    let hash = buffer
        .start(b"\0granary.event")
        .integer(event.number)
        .integer(event.recorded_at)
        .integer(event.action_id)
        .fixed(action_hash)
        .fixed(&[entity])
        .integer(event.entity_id)
        .fixed(&[change])
        .fixed(&event.salt)
        .bytes(event.before)
        .bytes(event.after)
        .fixed(previous)
        .hash();
    Some(hash)
}

/// What every hash of a bundle covers.
#[derive(Clone)]
pub(crate) struct BundleCore {
    pub(crate) id: i64,
    pub(crate) device: i64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) issued_at: i64,
    pub(crate) expires_at: i64,
}

fn core<'b>(buffer: &'b mut Preimage, tag: &[u8], core: &BundleCore) -> &'b mut Preimage {
    buffer
        .start(tag)
        .integer(core.id)
        .integer(core.device)
        .integer(core.first)
        .integer(core.last)
        .integer(core.start)
        .integer(core.end)
        .integer(core.issued_at)
        .integer(core.expires_at)
}

/// Of a bundle as it was issued.
pub(crate) fn root_hash(buffer: &mut Preimage, bundle: &BundleCore, attributes: &Hash) -> Hash {
    core(buffer, b"granary.bundle", bundle).fixed(attributes).hash()
}

/// Of a certificate as it was issued on a discharge.
pub(crate) fn sdgc_hash(
    buffer: &mut Preimage,
    bundle: &BundleCore,
    attributes: &Hash,
    storage: &Hash,
    draw: i64,
) -> Hash {
    core(buffer, b"granary.bundle.storage", bundle).fixed(attributes).fixed(storage).integer(draw).hash()
}

/// Of a child of a split.
pub(crate) fn child_hash(buffer: &mut Preimage, bundle: &BundleCore, parent_id: i64, parent: &Hash) -> Hash {
    core(buffer, b"granary.bundle.child", bundle).integer(parent_id).fixed(parent).hash()
}

/// What is stated of a device, as certificates carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) grid: String,
    pub(crate) energy_source: i64,
    pub(crate) technology_type: String,
    pub(crate) operational_date: i64,
    pub(crate) capacity_watts: i64,
    pub(crate) peak_demand_watts: i64,
    pub(crate) location: String,
    pub(crate) meter_data_id: Option<String>,
    pub(crate) kind: i64,
}

pub(crate) fn attributes_hash(
    buffer: &mut Preimage,
    [device, version, metadata, carrier]: [i64; 4],
    of: &Description,
) -> Hash {
    buffer
        .start(b"granary.attributes")
        .integer(device)
        .integer(version)
        .integer(metadata)
        .integer(carrier)
        .text(Some(&of.name))
        .text(Some(&of.grid))
        .integer(of.energy_source)
        .text(Some(&of.technology_type))
        .integer(of.operational_date)
        .integer(of.capacity_watts)
        .integer(of.peak_demand_watts)
        .text(Some(&of.location))
        .text(of.meter_data_id.as_deref())
        .integer(of.kind)
        .hash()
}

/// The Merkle tree over the leaves so far, as the roots of its perfect subtrees, largest first.
#[derive(Default)]
pub(crate) struct Tree {
    size: u64,
    peaks: Vec<Hash>,
}

impl Tree {
    pub(crate) fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        // each bit that is set, from the lowest, is a subtree as large as the one that grows
        let mut sizes = self.size;
        while sizes & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            node = join(&left, &node);
            sizes >>= 1;
        }
        self.peaks.push(node);
        self.size += 1;
    }

    pub(crate) fn peaks(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    pub(crate) fn root(&self) -> Hash {
        let Some((last, others)) = self.peaks.split_last() else { return Sha256::digest(b"").into() };
        others.iter().rev().fold(*last, |right, left| join(left, &right))
    }
}

fn join(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_seven_leaves_is_that_of_the_rfc() {
        let leaves: Vec<Hash> = (0..7_u8).map(|n| [n; 32]).collect();
        let mut tree = Tree::default();
        assert_eq!(tree.root(), <Hash>::from(Sha256::digest(b"")));
        for leaf in &leaves {
            tree.append(*leaf);
        }
        let pair = |n: usize| join(&leaves[n], &leaves[n + 1]);
        let left = join(&pair(0), &pair(2));
        assert_eq!(tree.peaks(), [left, pair(4), leaves[6]].concat());
        assert_eq!(tree.root(), join(&left, &join(&pair(4), &leaves[6])));
    }
}
