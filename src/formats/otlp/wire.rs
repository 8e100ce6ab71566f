//! The wire format of protocol buffers, field by field, over bytes that are there: nothing is copied.
//!
//! See <https://protobuf.dev/programming-guides/encoding/>. What is not asked for is passed over, so that newer senders are understood.
//!
//! *Invariants.* Nothing beyond the given bytes is read, whatever a length says. One message is looked at, never those inside it.
//! *What is deliberately not here.* Groups, which nobody has sent for 15 years: they are errors.

use super::super::CallError;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("it ends within a field")]
    CutShort,
    #[error("a length goes beyond the message around it")]
    TooLong,
    #[error("a number has more than 64 bits")]
    Varint,
    #[error("a field has the number 0")]
    FieldNumber,
    #[error("a field has the wire type {0}, which is not in use")]
    WireType(u8),
    #[error("field {0} has another wire type than the protocol says")]
    OtherType(u32),
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// The fields of a message, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub &'a [u8]);

/// A field's number and wire type.
pub(super) fn tag(varint: u64) -> Result<(u32, u8), WireError> {
    let number = u32::try_from(varint >> 3).map_err(|_| WireError::Varint)?;
    if number == 0 {
        return Err(WireError::FieldNumber);
    }
    // Three bits always fit.
    Ok((number, (varint & 7) as u8))
}

/// A number of variable length at the beginning of bytes, and what follows it. `None`: it goes on where the bytes end.
pub(super) fn varint(bytes: &[u8]) -> Result<Option<(u64, &[u8])>, WireError> {
    if let [first @ 0..=0x7f, rest @ ..] = bytes {
        return Ok(Some((u64::from(*first), rest)));
    }
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if at == 9 && *byte > 1 {
            return Err(WireError::Varint);
        }
        value |= bits << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, &bytes[at + 1..])));
        }
    }
    if bytes.len() >= 10 { Err(WireError::Varint) } else { Ok(None) }
}

impl<'a> Fields<'a> {
    /// The next field; `None` at the end.
    #[inline]
    pub fn next(&mut self) -> Result<Option<(u32, Content<'a>)>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = tag(self.varint()?)?;
        let content = match wire_type {
            0 => Content::Varint(self.varint()?),
            1 => Content::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).ok().filter(|length| *length <= self.0.len());
                Content::Bytes(self.split(length.ok_or(WireError::TooLong)?)?)
            }
            5 => Content::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(WireError::WireType(other)),
        };
        Ok(Some((number, content)))
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let (value, rest) = varint(self.0)?.ok_or(WireError::CutShort)?;
        self.0 = rest;
        Ok(value)
    }

    fn split(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(WireError::CutShort)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(WireError::CutShort)?;
        self.0 = rest;
        Ok(*taken)
    }
}

impl<'a> Content<'a> {
    /// Bytes, of a field that must be bytes.
    #[inline]
    pub fn bytes(self, number: u32) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::OtherType(number)),
        }
    }

    /// A whole number, of a field that must be one.
    pub fn number(self, number: u32) -> Result<u64, WireError> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(WireError::OtherType(number)),
        }
    }

    /// 64 bits, of a field that must be so.
    pub fn fixed64(self, number: u32) -> Result<u64, WireError> {
        match self {
            Self::Fixed64(value) => Ok(value),
            _ => Err(WireError::OtherType(number)),
        }
    }
}

impl From<WireError> for CallError {
    fn from(error: WireError) -> Self {
        Self::Malformed(format!("The body is not a protobuf message of OTLP: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for value in [0, 1, 127, 128, 300, 1 << 35, u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            prost::encoding::encode_varint(value, &mut bytes);
            assert_eq!(varint(&bytes), Ok(Some((value, &[][..]))));
            for end in 0..bytes.len() {
                assert_eq!(varint(&bytes[..end]), Ok(None), "{value} cut at {end}");
            }
        }
        assert_eq!(varint(&[0xff; 11]), Err(WireError::Varint));
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]), Err(WireError::Varint));
    }

    #[test]
    fn what_is_no_message_is_told_apart() {
        for (bytes, error) in [
            (&[0x0a, 5, 1][..], WireError::TooLong),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], WireError::TooLong),
            (&[0x0a], WireError::CutShort),
            (&[0x09, 1, 2], WireError::CutShort),
            (&[0x80], WireError::CutShort),
            (&[0x02, 0], WireError::FieldNumber),
            (&[0x0b], WireError::WireType(3)),
            (&[0x0c], WireError::WireType(4)),
            (&[0x0e], WireError::WireType(6)),
            (&[0x0f], WireError::WireType(7)),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], WireError::Varint),
        ] {
            assert_eq!(Fields(bytes).next(), Err(error), "{bytes:?}");
        }
    }
}
