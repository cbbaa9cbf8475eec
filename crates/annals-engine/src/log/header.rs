//! The first 4 KiB of a log file. `docs/format.md`, "Log file".

use crate::codec::Reader;
use crate::envelope::{Format, PREFIX_SIZE, check_crc};
use crate::error::{Error, Result};

/// Bytes of the header; the first frame follows. One page, so that frames never share one with it.
pub(crate) const LOG_HEADER_SIZE: u64 = 4096;
const HEADER_SIZE: usize = 4096;
const CRC_OFFSET: usize = HEADER_SIZE - 4;
const FIELDS_SIZE: usize = PREFIX_SIZE + 24;
const _: () = assert!(FIELDS_SIZE <= CRC_OFFSET);

pub(super) const FORMAT: Format =
    Format { what: "log file", magic: *b"ANNLOG\r\n", major: 1, minor: 0, compatible_features: 0 };

/// What the header says besides the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogHeader {
    pub(super) store: u128,
    pub(super) log_id: u64,
    pub(super) created_at_us: i64,
    /// The preallocated length of the whole file.
    pub(super) size_bytes: u64,
}

impl LogHeader {
    pub(super) fn encode(&self, format: &Format) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_SIZE);
        format.put_prefix(self.store, &mut out);
        out.extend_from_slice(&self.log_id.to_le_bytes());
        out.extend_from_slice(&self.created_at_us.to_le_bytes());
        out.extend_from_slice(&self.size_bytes.to_le_bytes());
        debug_assert_eq!(out.len(), FIELDS_SIZE);
        out.resize(CRC_OFFSET, 0);
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out
    }

    /// The store that a header names, whichever it is.
    pub(super) fn store_of(bytes: &[u8]) -> Result<u128> {
        FORMAT.check_magic(bytes)?;
        let (Some(covered), Some(crc)) = (bytes.get(..CRC_OFFSET), bytes.get(CRC_OFFSET..HEADER_SIZE)) else {
            return Err(Error::corrupt(format!("{} bytes are too few for a log header", bytes.len())));
        };
        check_crc("header", Reader::new(crc).u32()?, covered)?;
        Ok(FORMAT.take_prefix(&mut Reader::new(covered))?.0)
    }

    /// The log that a header names, and its store, whichever they are.
    pub(super) fn owner_of(bytes: &[u8]) -> Result<(u128, u64)> {
        let store = Self::store_of(bytes)?;
        let id = bytes.get(PREFIX_SIZE..).unwrap_or_default();
        Ok((store, Reader::new(id).u64()?))
    }

    /// Reads a header and checks that it is the one of this store and log.
    pub(super) fn decode(bytes: &[u8], store: u128, log_id: u64) -> Result<Self> {
        FORMAT.check_magic(bytes)?;
        let (Some(covered), Some(crc)) = (bytes.get(..CRC_OFFSET), bytes.get(CRC_OFFSET..HEADER_SIZE)) else {
            return Err(Error::corrupt(format!("{} bytes are too few for a log header", bytes.len())));
        };
        check_crc("header", Reader::new(crc).u32()?, covered)?;
        let mut reader = Reader::new(covered);
        let (found_store, minor_known) = FORMAT.take_prefix(&mut reader)?;
        let header =
            Self { store: found_store, log_id: reader.u64()?, created_at_us: reader.i64()?, size_bytes: reader.u64()? };
        if header.store != store {
            let message = format!("the log belongs to store {:032x}, this is store {store:032x}", header.store);
            return Err(Error::corrupt(message));
        }
        if header.log_id != log_id {
            return Err(Error::corrupt(format!("the file is log {}, its name says {log_id}", header.log_id)));
        }
        let rest = reader.take(reader.remaining())?;
        if (minor_known && rest.iter().any(|byte| *byte != 0)) || header.size_bytes < LOG_HEADER_SIZE {
            return Err(Error::corrupt("the log header is outside its limits"));
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const HEADER: LogHeader = LogHeader { store: 7, log_id: 3, created_at_us: 5, size_bytes: 1 << 20 };

    #[test]
    fn a_header_comes_back_and_every_flipped_byte_is_seen() {
        let bytes = HEADER.encode(&FORMAT);
        assert_eq!(bytes.len(), HEADER_SIZE);
        assert_eq!(LogHeader::decode(&bytes, 7, 3).unwrap(), HEADER);
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1 << (position % 8);
            assert_eq!(LogHeader::decode(&flipped, 7, 3).unwrap_err().kind(), ErrorKind::Corrupt, "byte {position}");
        }
    }

    #[test]
    fn a_foreign_header_is_refused() {
        let bytes = HEADER.encode(&FORMAT);
        assert!(LogHeader::decode(&bytes, 8, 3).unwrap_err().message().contains("belongs to store"));
        assert!(LogHeader::decode(&bytes, 7, 4).unwrap_err().message().contains("log 3"));
        for (size_bytes, good) in [(LOG_HEADER_SIZE, true), (LOG_HEADER_SIZE - 1, false), (0, false)] {
            let bytes = LogHeader { size_bytes, ..HEADER }.encode(&FORMAT);
            assert_eq!(LogHeader::decode(&bytes, 7, 3).is_ok(), good, "{size_bytes}");
        }
        let newer = HEADER.encode(&Format { major: 9, ..FORMAT });
        assert_eq!(LogHeader::decode(&newer, 7, 3).unwrap_err().kind(), ErrorKind::UnsupportedFormat);
    }
}
