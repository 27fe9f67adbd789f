//! Reads the fields of an event: tag (one byte), length (LEB128), value.
//!
//! Invariant: only the one way in which a writer puts a value down is read; anything else is a [`Fault`]. What a tag
//! means is not known here.

/// No entity has a higher tag.
pub(crate) const TAG_MAX: u8 = 31;

/// Why bytes are not fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("it ends in the middle of a field")]
    Truncated,
    #[error("tag {0} is unknown")]
    UnknownTag(u8),
    #[error("tag {0} is there twice")]
    Repeated(u8),
    #[error("a length is not written in its shortest form")]
    Length,
    #[error("an integer is not written in its shortest form, or has more than 64 bits")]
    Integer,
    #[error("tag {0} does not hold a hash of 32 bytes")]
    Hash(u8),
}

/// The fields of one side of an event, by tag.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields<'b> {
    values: [Option<&'b [u8]>; 32],
}

impl<'b> Fields<'b> {
    pub(crate) fn parse(bytes: &'b [u8]) -> Result<Self, Fault> {
        let mut values = [None; 32];
        let mut rest = bytes;
        while let [tag, tail @ ..] = rest {
            rest = tail;
            let value = take_prefixed(&mut rest)?;
            let slot = values.get_mut(usize::from(*tag)).filter(|_| *tag > 0).ok_or(Fault::UnknownTag(*tag))?;
            if slot.replace(value).is_some() {
                return Err(Fault::Repeated(*tag));
            }
        }
        Ok(Self { values })
    }

    pub(crate) fn has(&self, tag: u8) -> bool {
        self.raw(tag).is_some()
    }

    /// The tags that are there, in ascending order.
    pub(crate) fn tags(&self) -> impl Iterator<Item = u8> + '_ {
        (1..=TAG_MAX).filter(|tag| self.has(*tag))
    }

    pub(crate) fn raw(&self, tag: u8) -> Option<&'b [u8]> {
        self.values.get(usize::from(tag)).copied().flatten()
    }

    pub(crate) fn integer(&self, tag: u8) -> Result<Option<i64>, Fault> {
        self.raw(tag).map(integer).transpose()
    }

    pub(crate) fn hash(&self, tag: u8) -> Result<Option<[u8; 32]>, Fault> {
        self.raw(tag).map(|bytes| bytes.try_into().map_err(|_| Fault::Hash(tag))).transpose()
    }

    /// The integers of a list; none if it is absent.
    pub(crate) fn list(&self, tag: u8) -> Result<Vec<i64>, Fault> {
        let mut rest = self.raw(tag).unwrap_or_default();
        let mut found = Vec::new();
        while !rest.is_empty() {
            found.push(integer(take_prefixed(&mut rest)?)?);
        }
        Ok(found)
    }
}

/// A length and as many bytes.
fn take_prefixed<'b>(rest: &mut &'b [u8]) -> Result<&'b [u8], Fault> {
    let length = take_length(rest)?;
    let (value, tail) = rest.split_at_checked(length).ok_or(Fault::Truncated)?;
    *rest = tail;
    Ok(value)
}

fn take_length(rest: &mut &[u8]) -> Result<usize, Fault> {
    let (mut length, mut shift) = (0_usize, 0_u32);
    loop {
        let [byte, tail @ ..] = *rest else { return Err(Fault::Truncated) };
        *rest = tail;
        if shift > 28 {
            return Err(Fault::Length);
        }
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            // a last byte of zero says nothing
            return if *byte == 0 && shift > 0 { Err(Fault::Length) } else { Ok(length) };
        }
        shift += 7;
    }
}

/// Big-endian two's complement, as short as can be; no bytes are zero.
fn integer(bytes: &[u8]) -> Result<i64, Fault> {
    let [first, tail @ ..] = bytes else { return Ok(0) };
    let is_negative = first & 0x80 != 0;
    let is_padded = match tail.first() {
        None => *first == 0,
        Some(next) => (*first == 0 && next & 0x80 == 0) || (*first == 0xff && next & 0x80 != 0),
    };
    if bytes.len() > 8 || is_padded {
        return Err(Fault::Integer);
    }
    let mut whole = if is_negative { [0xff; 8] } else { [0; 8] };
    whole[8 - bytes.len()..].copy_from_slice(bytes);
    Ok(i64::from_be_bytes(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_read_as_written_and_no_other_way() {
        for (bytes, value) in [
            (&[][..], Ok(0)),
            (&[1], Ok(1)),
            (&[127], Ok(127)),
            (&[0, 128], Ok(128)),
            (&[0xff], Ok(-1)),
            (&[0x80], Ok(-128)),
            (&[0xff, 0x7f], Ok(-129)),
            (&[0x80, 0, 0, 0, 0, 0, 0, 0], Ok(i64::MIN)),
            (&[0], Err(Fault::Integer)),
            (&[0, 127], Err(Fault::Integer)),
            (&[0xff, 0x80], Err(Fault::Integer)),
            (&[1, 0, 0, 0, 0, 0, 0, 0, 0], Err(Fault::Integer)),
        ] {
            assert_eq!(integer(bytes), value, "{bytes:?}");
        }
    }

    #[test]
    fn fields_that_are_not_well_formed_are_refused() {
        for (bytes, fault) in [
            (&[1][..], Fault::Truncated),
            (&[1, 2, 7], Fault::Truncated),
            (&[0, 1, 7], Fault::UnknownTag(0)),
            (&[32, 1, 7], Fault::UnknownTag(32)),
            (&[1, 1, 7, 1, 1, 7], Fault::Repeated(1)),
            (&[1, 0x80, 0], Fault::Length),
            (&[1, 0x80, 0x80, 0x80, 0x80, 0x80, 1], Fault::Length),
        ] {
            assert_eq!(Fields::parse(bytes).map(|_| ()), Err(fault), "{bytes:?}");
        }
        let fields = Fields::parse(&[3, 1, 5, 1, 4, 1, 9, 1, 0x80]).unwrap();
        assert_eq!(fields.integer(3), Ok(Some(5)));
        assert_eq!(fields.list(1), Ok(vec![9, -128]));
        assert_eq!(fields.integer(2), Ok(None));
        assert_eq!(fields.tags().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(fields.hash(3), Err(Fault::Hash(3)));
    }
}
