//! Fields as bytes: tag, length, value.

use crate::seal::{self, Salt};
use jiff::Timestamp;

/// Fields as they are written.
pub(super) struct Fields<'s> {
    salt: &'s Salt,
    bytes: Vec<u8>,
}

impl Fields<'_> {
    pub(super) fn raw(&mut self, tag: u8, value: &[u8]) {
        self.bytes.push(tag);
        put_length(&mut self.bytes, value.len());
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn integer(&mut self, tag: u8, value: i64) {
        let bytes = value.to_be_bytes();
        self.raw(tag, shortest(&bytes));
    }

    pub(super) fn count(&mut self, tag: u8, value: u64) {
        self.integer(tag, i64::try_from(value).expect("counts are kept below 2^63"));
    }

    pub(super) fn flag(&mut self, tag: u8, value: bool) {
        self.integer(tag, i64::from(value));
    }

    pub(super) fn instant(&mut self, tag: u8, at: Timestamp) {
        self.integer(tag, at.as_microsecond());
    }

    pub(super) fn optional_instant(&mut self, tag: u8, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.instant(tag, at);
        }
    }

    pub(super) fn optional_integer(&mut self, tag: u8, value: Option<i64>) {
        if let Some(value) = value {
            self.integer(tag, value);
        }
    }

    pub(super) fn text(&mut self, tag: u8, text: &str) {
        let hash = seal::text_hash(self.salt, text);
        self.raw(tag, &hash);
    }

    pub(super) fn optional_text(&mut self, tag: u8, text: Option<&str>) {
        if let Some(text) = text {
            self.text(tag, text);
        }
    }

    pub(super) fn list(&mut self, tag: u8, values: impl Iterator<Item = i64>) {
        let mut list = Vec::new();
        values.for_each(|value| put_integer(&mut list, value));
        self.raw(tag, &list);
    }
}

/// Without the leading bytes that only repeat the sign.
fn shortest(bytes: &[u8; 8]) -> &[u8] {
    let sign = if bytes[0] & 0x80 == 0 { 0x00 } else { 0xff };
    let mut rest = &bytes[..];
    while let [first, tail @ ..] = rest {
        let next_is_same_sign = tail.first().map_or(sign == 0x00, |next| next & 0x80 == sign & 0x80);
        if *first != sign || !next_is_same_sign {
            break;
        }
        rest = tail;
    }
    rest
}

fn put_integer(out: &mut Vec<u8>, value: i64) {
    let bytes = value.to_be_bytes();
    let short = shortest(&bytes);
    put_length(out, short.len());
    out.extend_from_slice(short);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let mut rest = length;
    loop {
        let low = u8::try_from(rest & 0x7f).expect("seven bits");
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

pub(super) fn fields(salt: &Salt, write: impl FnOnce(&mut Fields<'_>)) -> Vec<u8> {
    let mut fields = Fields { salt, bytes: Vec::with_capacity(96) };
    write(&mut fields);
    fields.bytes
}

/// Fields one by one, each with its tag and length.
pub(super) fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (mut length, mut place) = (0_usize, 1);
        loop {
            let byte = bytes[place];
            length |= usize::from(byte & 0x7f) << (7 * (place - 1));
            place += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (field, rest) = bytes.split_at(place + length);
        fields.push(field);
        bytes = rest;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_are_as_short_as_can_be() {
        for (value, bytes) in [
            (0, &[][..]),
            (1, &[1][..]),
            (127, &[127][..]),
            (128, &[0, 128][..]),
            (-1, &[0xff][..]),
            (-128, &[0x80][..]),
            (-129, &[0xff, 0x7f][..]),
            (256, &[1, 0][..]),
        ] {
            assert_eq!(shortest(&i64::to_be_bytes(value)), bytes, "{value}");
        }
    }

    #[test]
    fn lengths_are_leb128() {
        for (length, bytes) in [(0, &[0][..]), (127, &[127][..]), (128, &[0x80, 1][..]), (300, &[0xac, 2][..])] {
            let mut out = Vec::new();
            put_length(&mut out, length);
            assert_eq!(out, bytes, "{length}");
        }
    }

    proptest! {
        #[test]
        fn an_integer_reads_back(value: i64) {
            let bytes = value.to_be_bytes();
            let short = shortest(&bytes);
            let fill = if short.first().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
            let mut whole = [fill; 8];
            whole[8 - short.len()..].copy_from_slice(short);
            prop_assert_eq!(i64::from_be_bytes(whole), value);
        }
    }
}
