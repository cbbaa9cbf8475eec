//! Small metadata structures <-> bytes: the only place that knows the derived codec.
//!
//! Fixed-width little-endian integers in the order of the fields; a list or a text is a u64 count and
//! its items; an option is one byte, 0 or 1, and its value. `docs/format.md`, "Metadata bodies".

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};

use crate::error::{Error, Result};

/// No metadata is larger than this, in bytes.
pub(crate) const METADATA_SIZE_MAX: usize = 64 << 20;
/// What decoding may claim in memory: a list's length is checked against this before it allocates. An
/// entry takes up to twice its stored size, and whatever was encoded must be decodable.
const ALLOCATION_MAX: usize = 4 * METADATA_SIZE_MAX;

fn configuration() -> Configuration<LittleEndian, Fixint, Limit<ALLOCATION_MAX>> {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<ALLOCATION_MAX>()
}

/// The stored form of `value`.
///
/// # Errors
/// `InvalidInput` if it exceeds [`METADATA_SIZE_MAX`].
pub(crate) fn encode<T: bincode::Encode>(value: &T) -> Result<Vec<u8>> {
    let bytes = bincode::encode_to_vec(value, configuration())
        .map_err(|source| Error::invalid_input(format!("cannot encode metadata: {source}")))?;
    if bytes.len() > METADATA_SIZE_MAX {
        let message = format!("metadata has {} bytes, the limit is {METADATA_SIZE_MAX}", bytes.len());
        return Err(Error::invalid_input(message));
    }
    Ok(bytes)
}

/// The value whose stored form is `bytes`, all of them.
///
/// # Errors
/// `Corrupt` if there are more than `size_max` bytes, or too few, or too many, or they are malformed.
pub(crate) fn decode<T: bincode::Decode<()>>(bytes: &[u8], size_max: usize) -> Result<T> {
    if bytes.len() > size_max {
        return Err(Error::corrupt(format!("metadata has {} bytes, the limit is {size_max}", bytes.len())));
    }
    let (value, consumed) = bincode::decode_from_slice(bytes, configuration())
        .map_err(|source| Error::corrupt(format!("metadata is malformed: {source}")))?;
    if consumed != bytes.len() {
        return Err(Error::corrupt(format!("metadata ends at byte {consumed} of {}", bytes.len())));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_and_its_bytes_are_fixed_width() {
        let value = (1_u64, Some(2_u8), vec![3_u32]);
        let bytes = encode(&value).unwrap();
        assert_eq!(bytes, [1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(decode::<(u64, Option<u8>, Vec<u32>)>(&bytes, 100).unwrap(), value);
    }

    #[test]
    fn cuts_trailing_bytes_and_huge_counts_are_corrupt() {
        let bytes = encode(&vec![1_u64, 2]).unwrap();
        for cut in 0..bytes.len() {
            assert!(decode::<Vec<u64>>(&bytes[..cut], 100).is_err());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(decode::<Vec<u64>>(&longer, 100).is_err());
        assert!(decode::<Vec<u64>>(&bytes, bytes.len() - 1).is_err());
        for count in [u64::MAX, 1 << 40] {
            assert!(decode::<Vec<u64>>(&count.to_le_bytes(), 100).is_err());
            assert!(decode::<String>(&count.to_le_bytes(), 100).is_err());
        }
    }
}
