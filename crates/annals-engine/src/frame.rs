//! One batch under one checksum: the unit that is there whole or not at all. `docs/format.md`, "Frame".

use crate::codec::Reader;
use crate::error::{Error, Result};

/// Bytes of a frame's header; payloads follow at once.
pub(crate) const FRAME_HEADER_SIZE: usize = 96;
/// Frames start at multiples of this many bytes.
pub(crate) const FRAME_ALIGN: usize = 8;
/// The largest payload of a frame, in bytes, inclusive.
pub const FRAME_PAYLOAD_MAX: usize = 64 << 20;
/// The most events of one frame, inclusive.
pub const FRAME_EVENTS_MAX: usize = 100_000;

const MAGIC: u16 = 0xa99a;
const VERSION: u8 = 1;
const HEADER_CRC_OFFSET: usize = 88;
const PAYLOAD_CRC_OFFSET: usize = 92;
const _: () = assert!(PAYLOAD_CRC_OFFSET + 4 == FRAME_HEADER_SIZE);
const _: () = assert!(FRAME_HEADER_SIZE.is_multiple_of(FRAME_ALIGN));

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FrameKind {
    /// Records of events; they take sequences.
    Events = 1,
    /// Deletes or marks; no sequence is used.
    Control = 2,
    /// Nothing but a new `synced_upto`.
    SyncMarker = 3,
    /// Records of events, the delete of the older ones that they replace, and marks of theirs.
    Replacing = 4,
}

impl FrameKind {
    fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Events),
            2 => Some(Self::Control),
            3 => Some(Self::SyncMarker),
            4 => Some(Self::Replacing),
            _ => None,
        }
    }

    /// Whether it carries events, which take sequences.
    pub(crate) fn has_events(self) -> bool {
        matches!(self, Self::Events | Self::Replacing)
    }

    /// Whether it carries control operations, which take an ordinal.
    pub(crate) fn has_operations(self) -> bool {
        matches!(self, Self::Control | Self::Replacing)
    }
}

/// What makes the same bytes at another place fail their check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FramePlace {
    pub(crate) store: u128,
    pub(crate) log_id: u64,
    pub(crate) offset: u64,
}

impl FramePlace {
    fn hasher(self) -> crc32fast::Hasher {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.store.to_le_bytes());
        hasher.update(&self.log_id.to_le_bytes());
        hasher.update(&self.offset.to_le_bytes());
        hasher
    }

    fn crc(self, bytes: &[u8]) -> u32 {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// A frame's header without its checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: FrameKind,
    pub(crate) payload_len: u32,
    /// Events in the payload; control operations if there are no events.
    pub(crate) count: u32,
    /// Raised at every open for writing.
    pub(crate) epoch: u32,
    /// The sequence of the first event; of the next one in a frame without events.
    pub(crate) base_sequence: u64,
    /// Bytes of this file known to be durable when the frame was built.
    pub(crate) synced_upto: u64,
    pub(crate) min_created_at_us: i64,
    pub(crate) max_created_at_us: i64,
    /// Hash of principal and idempotency key; 0 = none.
    pub(crate) idempotency_key: u128,
    /// Hash of the request's body, with an idempotency key.
    pub(crate) idempotency_body: u64,
    /// Events of the request that were repeats and not stored, with an idempotency key.
    pub(crate) duplicates: u32,
    /// Ordinal of the last control operation up to and with this frame.
    pub(crate) control_ordinal: u64,
}

impl FrameHeader {
    /// Bytes of the whole frame, padding included.
    pub(crate) fn frame_size(&self) -> usize {
        frame_size(crate::codec::row_usize(self.payload_len))
    }

    /// The sequence behind the frame's last event; `None` if it does not fit its type.
    pub(crate) fn end_sequence(&self) -> Option<u64> {
        let events = if self.kind.has_events() { self.count } else { 0 };
        self.base_sequence.checked_add(u64::from(events))
    }

    /// Writes header and checksums into the first bytes of `frame`, whose payload is in place.
    pub(crate) fn seal(&self, place: FramePlace, frame: &mut [u8]) {
        let Some((header, payload)) = frame.split_at_mut_checked(FRAME_HEADER_SIZE) else {
            debug_assert!(false, "callers reserve the header");
            return;
        };
        let payload = payload.get(..crate::codec::row_usize(self.payload_len)).unwrap_or_default();
        let mut out = Vec::with_capacity(FRAME_HEADER_SIZE);
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&[VERSION, self.kind as u8]);
        out.extend_from_slice(&self.payload_len.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.base_sequence.to_le_bytes());
        out.extend_from_slice(&self.synced_upto.to_le_bytes());
        out.extend_from_slice(&self.min_created_at_us.to_le_bytes());
        out.extend_from_slice(&self.max_created_at_us.to_le_bytes());
        out.extend_from_slice(&self.idempotency_key.to_le_bytes());
        out.extend_from_slice(&self.idempotency_body.to_le_bytes());
        out.extend_from_slice(&self.control_ordinal.to_le_bytes());
        out.extend_from_slice(&self.duplicates.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        debug_assert_eq!(out.len(), HEADER_CRC_OFFSET);
        out.extend_from_slice(&place.crc(&out).to_le_bytes());
        out.extend_from_slice(&place.crc(payload).to_le_bytes());
        header.copy_from_slice(&out);
    }
}

/// Whether bytes could be the start of a frame: a cheap test before a checksum is computed.
pub(crate) fn starts_like_frame(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC.to_le_bytes())
}

/// A header whose own checksum held; the payload is yet to be checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckedHeader {
    pub(crate) header: FrameHeader,
    payload_crc: u32,
}

impl CheckedHeader {
    /// Checks the payload that follows this header.
    ///
    /// # Errors
    /// `Corrupt` if its checksum is another.
    pub(crate) fn check_payload(&self, place: FramePlace, payload: &[u8]) -> Result<()> {
        let (stored, computed) = (self.payload_crc, place.crc(payload));
        if computed == stored {
            return Ok(());
        }
        Err(Error::corrupt(format!("frame checksum is {stored:#010x}, computed {computed:#010x}")))
    }
}

/// The frame header at the front of `bytes`; `None` if magic or checksum say that there is none.
///
/// # Errors
/// `UnsupportedFormat` or `Corrupt` if the checksum holds, so that the bytes are as they were written,
/// and yet this build cannot accept them: such a frame must never be taken for a torn write.
pub(crate) fn read_header(place: FramePlace, bytes: &[u8]) -> Result<Option<CheckedHeader>> {
    let (Some(covered), Some(crcs)) = (bytes.get(..HEADER_CRC_OFFSET), bytes.get(HEADER_CRC_OFFSET..FRAME_HEADER_SIZE))
    else {
        return Ok(None);
    };
    let mut crcs = Reader::new(crcs);
    let (header_crc, payload_crc) = (crcs.u32()?, crcs.u32()?);
    if !starts_like_frame(covered) || place.crc(covered) != header_crc {
        return Ok(None);
    }
    let mut reader = Reader::new(covered);
    reader.u16()?;
    Ok(Some(CheckedHeader { header: decode_header(&mut reader)?, payload_crc }))
}

/// A frame found at `place`: its header and payload, both checked.
///
/// # Errors
/// `Corrupt` if the bytes at the front of `bytes` are no valid frame of this place.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_frame(place: FramePlace, bytes: &[u8]) -> Result<(FrameHeader, &[u8])> {
    let checked = read_header(place, bytes)?.ok_or_else(|| describe_bad_header(place, bytes))?;
    let payload_len = crate::codec::row_usize(checked.header.payload_len);
    let payload = bytes
        .get(FRAME_HEADER_SIZE..FRAME_HEADER_SIZE + payload_len)
        .ok_or_else(|| Error::corrupt(format!("a frame of {payload_len} bytes runs over the end of the file")))?;
    checked.check_payload(place, payload)?;
    Ok((checked.header, payload))
}

/// Why [`read_header`] found none.
pub(crate) fn describe_bad_header(place: FramePlace, bytes: &[u8]) -> Error {
    let (Some(covered), Some(crcs)) = (bytes.get(..HEADER_CRC_OFFSET), bytes.get(HEADER_CRC_OFFSET..FRAME_HEADER_SIZE))
    else {
        return Error::corrupt(format!("{} bytes are too few for a frame header", bytes.len()));
    };
    let magic = Reader::new(covered).u16().unwrap_or_default();
    if magic != MAGIC {
        return Error::corrupt(format!("frame magic is {magic:#06x}, expected {MAGIC:#06x}"));
    }
    let (stored, computed) = (Reader::new(crcs).u32().unwrap_or_default(), place.crc(covered));
    Error::corrupt(format!("frame header checksum is {stored:#010x}, computed {computed:#010x}"))
}

/// The header behind its magic, once its checksum held.
fn decode_header(reader: &mut Reader<'_>) -> Result<FrameHeader> {
    let version = reader.u8()?;
    if version != VERSION {
        let message = format!("frame version is {version}, this build reads {VERSION}");
        return Err(Error::new(crate::error::ErrorKind::UnsupportedFormat, message));
    }
    let kind = reader.u8()?;
    let header = FrameHeader {
        kind: FrameKind::from_number(kind).ok_or_else(|| {
            let message = format!("frame kind is {kind}, this build knows 1 to 4");
            Error::new(crate::error::ErrorKind::UnsupportedFormat, message)
        })?,
        payload_len: reader.u32()?,
        count: reader.u32()?,
        epoch: reader.u32()?,
        base_sequence: reader.u64()?,
        synced_upto: reader.u64()?,
        min_created_at_us: reader.i64()?,
        max_created_at_us: reader.i64()?,
        idempotency_key: reader.u128()?,
        idempotency_body: reader.u64()?,
        control_ordinal: reader.u64()?,
        duplicates: reader.u32()?,
    };
    let too_large = crate::codec::row_usize(header.payload_len) > FRAME_PAYLOAD_MAX
        || crate::codec::row_usize(header.count) > FRAME_EVENTS_MAX;
    if too_large || reader.u32()? != 0 {
        return Err(Error::corrupt("frame header is outside its limits"));
    }
    Ok(header)
}

/// Bytes of a frame whose payload has `payload_len`.
pub(crate) fn frame_size(payload_len: usize) -> usize {
    (FRAME_HEADER_SIZE + payload_len).next_multiple_of(FRAME_ALIGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: FramePlace = FramePlace { store: 7, log_id: 3, offset: 4096 };

    fn header(payload_len: u32) -> FrameHeader {
        FrameHeader {
            kind: FrameKind::Events,
            payload_len,
            count: 1,
            epoch: 2,
            base_sequence: 10,
            synced_upto: 4096,
            min_created_at_us: 1,
            max_created_at_us: 2,
            idempotency_key: 5,
            idempotency_body: 6,
            duplicates: 1,
            control_ordinal: 8,
        }
    }

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; FRAME_HEADER_SIZE];
        frame.extend_from_slice(payload);
        header(u32::try_from(payload.len()).unwrap()).seal(PLACE, &mut frame);
        frame
    }

    #[test]
    fn a_frame_comes_back_at_its_own_place_only() {
        let bytes = frame(b"hello");
        let (read, payload) = read_frame(PLACE, &bytes).unwrap();
        assert_eq!((read, payload), (header(5), &b"hello"[..]));
        assert!(read_frame(FramePlace { offset: 8192, ..PLACE }, &bytes).is_err());
        assert!(read_frame(FramePlace { log_id: 4, ..PLACE }, &bytes).is_err());
        assert!(read_frame(FramePlace { store: 8, ..PLACE }, &bytes).is_err());
    }

    #[test]
    fn a_header_keeps_its_limits() {
        let payload_max = u32::try_from(FRAME_PAYLOAD_MAX).unwrap();
        let events_max = u32::try_from(FRAME_EVENTS_MAX).unwrap();
        for (payload_len, count, good) in [
            (payload_max, events_max, true),
            (payload_max + 1, events_max, false),
            (payload_max, events_max + 1, false),
        ] {
            let mut bytes = frame(b"");
            FrameHeader { payload_len, count, ..header(0) }.seal(PLACE, &mut bytes);
            assert_eq!(read_header(PLACE, &bytes).is_ok(), good, "{payload_len} bytes, {count} events");
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let bytes = frame(b"payload");
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[position] ^= 1 << bit;
                assert!(read_frame(PLACE, &flipped).is_err(), "byte {position} bit {bit}");
            }
            assert!(read_frame(PLACE, &bytes[..position]).is_err());
        }
    }
}
