//! The stored form of small metadata (segment footer, manifest): bincode, always below a size limit.
//!
//! Callers put a checksum around the bytes; records, columns and indexes are coded by hand instead.

use bincode::config::Config;

use crate::error::{Error, ErrorKind, Result};

/// No metadata is larger than this, in bytes; decoding allocates no more whatever the bytes claim.
pub(crate) const METADATA_SIZE_MAX: usize = 64 << 20;

/// Fixed for every file written so far: changing it is a new format version.
fn configuration() -> impl Config {
    bincode::config::standard().with_little_endian().with_variable_int_encoding().with_limit::<METADATA_SIZE_MAX>()
}

/// The stored form of `value`.
///
/// # Errors
/// `InvalidInput` if it exceeds [`METADATA_SIZE_MAX`].
pub(crate) fn encode<T: bincode::Encode>(value: &T) -> Result<Vec<u8>> {
    let bytes = bincode::encode_to_vec(value, configuration())
        .map_err(|source| Error::new(ErrorKind::InvalidInput, format!("metadata cannot be encoded: {source}")))?;
    if bytes.len() > METADATA_SIZE_MAX {
        return Err(Error::invalid_input(format!(
            "metadata of {} bytes exceeds {METADATA_SIZE_MAX} bytes",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// The value whose stored form is exactly `bytes`, which may be at most `limit` bytes long.
///
/// # Errors
/// `Corrupt` if they are longer, or no such value.
pub(crate) fn decode<T: bincode::Decode<()>>(bytes: &[u8], limit: usize) -> Result<T> {
    if bytes.len() > limit {
        return Err(Error::corrupt(format!("metadata of {} bytes exceeds {limit} bytes", bytes.len())));
    }
    let (value, used) = bincode::decode_from_slice(bytes, configuration())
        .map_err(|source| Error::corrupt(format!("metadata cannot be decoded: {source}")))?;
    if used != bytes.len() {
        return Err(Error::corrupt(format!("metadata ends after {used} of {} bytes", bytes.len())));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_come_back_and_cuts_do_not(numbers: Vec<u64>, text: String) {
            let bytes = encode(&(numbers.clone(), text.clone())).unwrap();
            prop_assert_eq!(decode::<(Vec<u64>, String)>(&bytes, bytes.len()).unwrap(), (numbers, text));
            prop_assert!(decode::<(Vec<u64>, String)>(&bytes, bytes.len() - 1).is_err());
            prop_assert!(decode::<(Vec<u64>, String)>(&bytes[..bytes.len() - 1], bytes.len()).is_err());
        }

        #[test]
        fn any_bytes_are_decoded_without_panic(bytes: Vec<u8>) {
            let _ = decode::<Vec<(u64, String)>>(&bytes, METADATA_SIZE_MAX);
        }
    }

    #[test]
    fn a_huge_claim_is_refused_before_it_allocates() {
        // A varint length of 2^60 entries and nothing behind it.
        let mut bytes = vec![253];
        bytes.extend_from_slice(&(1_u64 << 60).to_le_bytes());
        assert!(decode::<Vec<u64>>(&bytes, METADATA_SIZE_MAX).is_err());
    }
}
