//! Checked little-endian reads and writes: every byte from disk passes through here.

use crate::error::{Error, Result};

/// The longest encoding of a `u64` as a variable-length integer (LEB128), in bytes.
pub(crate) const VARINT_SIZE_MAX: usize = 10;

/// Reads values off the front of a byte slice; an end that comes too early is `Corrupt`.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes consumed so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Bytes left.
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The next `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let end = self.position.checked_add(len).filter(|end| *end <= self.bytes.len());
        let taken = end.and_then(|end| self.bytes.get(self.position..end));
        match (taken, end) {
            (Some(taken), Some(end)) => {
                self.position = end;
                Ok(taken)
            }
            _ => Err(Error::corrupt(format!("{len} bytes wanted, {} left", self.remaining()))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|source| Error::corrupt("short read").with_source(source))
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(crate) fn u128(&mut self) -> Result<u128> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    /// A LEB128 integer; more than 64 bits is `Corrupt`.
    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut value = 0_u64;
        for index in 0..VARINT_SIZE_MAX {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            let shift = 7 * u32::try_from(index).unwrap_or(u32::MAX);
            if index == VARINT_SIZE_MAX - 1 && byte > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::corrupt("a variable-length integer is longer than 64 bits"))
    }

    /// A varint that must fit `usize` and what is left.
    pub(crate) fn varint_len(&mut self) -> Result<usize> {
        let value = self.varint()?;
        usize::try_from(value)
            .ok()
            .filter(|len| *len <= self.remaining())
            .ok_or_else(|| Error::corrupt(format!("a length of {value} exceeds the {} bytes left", self.remaining())))
    }
}

/// Appends `value` as LEB128.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, value: u64) {
    // Nearly always: lengths of values.
    match u8::try_from(value) {
        Ok(low @ 0..0x80) => out.push(low),
        _ => put_long_varint(out, value),
    }
}

fn put_long_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f).to_le_bytes()[0];
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a length-prefixed byte string.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, len_u64(bytes.len()));
    out.extend_from_slice(bytes);
}

/// Reads a length-prefixed byte string.
pub(crate) fn take_bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    let len = reader.varint_len()?;
    reader.take(len)
}

/// A length as `u64`; `usize` is never wider on the platforms supported.
#[inline]
pub(crate) fn len_u64(len: usize) -> u64 {
    u64::try_from(len).expect("usize is at most 64 bits wide")
}

/// A length as `u32` where a documented limit keeps it far below.
#[inline]
pub(crate) fn len_u32(len: usize) -> u32 {
    u32::try_from(len).expect("lengths inside a batch or a segment stay below 4 GiB by their limits")
}

/// An offset as `usize`; the platforms supported are 64-bit.
#[inline]
pub(crate) fn to_usize(value: u64) -> usize {
    usize::try_from(value).expect("usize is 64 bits wide")
}

/// A row or count as `usize`.
#[inline]
pub(crate) fn row_usize(value: u32) -> usize {
    usize::try_from(value).expect("usize is at least 32 bits wide")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_come_back(value: u64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint().unwrap(), value);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            let _ = reader.varint();
            let _ = take_bytes(&mut reader);
            let _ = reader.u64();
        }
    }

    #[test]
    fn an_overlong_varint_is_corrupt() {
        assert!(Reader::new(&[0xff; 11]).varint().is_err());
        assert!(Reader::new(&[0x80]).varint().is_err());
    }
}
