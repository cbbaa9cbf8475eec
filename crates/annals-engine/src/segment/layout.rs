//! Header, footer and trailer of a sealed segment. `docs/format.md`, "Sealed segment".

use bincode::{Decode, Encode};

use crate::codec::{Reader, len_u64};
use crate::error::{Error, ErrorKind, Result};

use super::{SEGMENT_ROWS_MAX, SegmentMeta};

/// Bytes of the file header.
pub(crate) const HEADER_SIZE: usize = 4096;
/// Every section starts at a multiple of this.
pub(crate) const SECTION_ALIGN: u64 = 8;
/// Bytes under one checksum of the chunk table.
pub(crate) const CHUNK_SIZE: usize = 64 << 10;
/// Bytes of the trailer, the last of the file.
pub(crate) const TRAILER_SIZE: usize = 16;
/// The largest footer: every section of every field takes some 40 bytes of it.
pub(crate) const FOOTER_SIZE_MAX: usize = 1 << 20;

const HEADER_MAGIC: [u8; 8] = *b"\x8aANNSEG\n";
const TRAILER_MAGIC: [u8; 8] = *b"SEGEND\r\n";
/// Raised when a reader of the version before would read wrong data.
const FORMAT_MAJOR: u16 = 1;
const FORMAT_MINOR: u16 = 0;
/// Bits a reader must know to read the file.
const FEATURES_KNOWN: u64 = 0;
const HEADER_CRC_OFFSET: usize = HEADER_SIZE - 4;
const _: () = assert!(HEADER_SIZE.is_multiple_of(8) && HEADER_SIZE < CHUNK_SIZE);
const _: () = assert!(TRAILER_SIZE == 4 + 4 + TRAILER_MAGIC.len());

/// The bytes of the header.
pub(crate) fn encode_header(meta: &SegmentMeta) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_SIZE);
    out.extend_from_slice(&HEADER_MAGIC);
    out.extend_from_slice(&FORMAT_MAJOR.to_le_bytes());
    out.extend_from_slice(&FORMAT_MINOR.to_le_bytes());
    out.extend_from_slice(&u32::try_from(CHUNK_SIZE).expect("64 KiB fits 32 bits").to_le_bytes());
    out.extend_from_slice(&meta.store.to_le_bytes());
    out.extend_from_slice(&meta.segment_id.to_le_bytes());
    out.extend_from_slice(&meta.created_at_us.to_le_bytes());
    out.extend_from_slice(&FEATURES_KNOWN.to_le_bytes());
    out.resize(HEADER_CRC_OFFSET, 0);
    let crc = crc32fast::hash(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// Checks a header and returns what it says.
pub(crate) fn decode_header(bytes: &[u8]) -> Result<SegmentMeta> {
    let (body, crc) = bytes
        .split_at_checked(HEADER_CRC_OFFSET)
        .ok_or_else(|| Error::corrupt(format!("a segment header has {HEADER_SIZE} bytes, here are {}", bytes.len())))?;
    let mut reader = Reader::new(body);
    if reader.take(HEADER_MAGIC.len())? != HEADER_MAGIC {
        return Err(Error::corrupt("the file does not start as a sealed segment does"));
    }
    // The place of the checksum is the same in every version, so that damage is told from novelty.
    let (stored, computed) = (Reader::new(crc).u32()?, crc32fast::hash(body));
    if stored != computed {
        return Err(Error::corrupt(format!("segment header checksum is {stored:#010x}, computed {computed:#010x}")));
    }
    let (major, minor) = (reader.u16()?, reader.u16()?);
    let chunk_size = reader.u32()?;
    let meta = SegmentMeta { store: reader.u128()?, segment_id: reader.u64()?, created_at_us: reader.i64()? };
    let features = reader.u64()?;
    if major != FORMAT_MAJOR || features & !FEATURES_KNOWN != 0 || usize::try_from(chunk_size).ok() != Some(CHUNK_SIZE)
    {
        return Err(Error::new(
            ErrorKind::UnsupportedFormat,
            format!(
                "the segment has format {major}.{minor} with features {features:#x} and chunks of {chunk_size} bytes, \
                 this software reads format {FORMAT_MAJOR}.{FORMAT_MINOR}"
            ),
        ));
    }
    Ok(meta)
}

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum SectionKind {
    CreatedAt = 1,
    Sequence = 2,
    Ids = 3,
    IdBuckets = 4,
    IdRows = 5,
    IdTimes = 6,
    IdNodes = 7,
    IdCounters = 8,
    TermOffsets = 16,
    TermBytes = 17,
    Codes = 18,
    RowValues = 19,
    Cardinalities = 20,
    PostingOffsets = 21,
    PostingBits = 22,
    LargeTerms = 23,
    LargeCardinalities = 24,
    RowStarts = 25,
    BlockDirectory = 32,
    BlockBytes = 33,
    ConstantText = 34,
    ShapeTable = 40,
    ShapeBlocks = 41,
    ShapeBits = 42,
    ShapeHeap = 43,
    ShapeTermBytes = 44,
    ShapeTermBounds = 45,
    BlockDictionary = 46,
    TokenBytes = 50,
    TokenStarts = 51,
    TokenCodes = 52,
    RowTokens = 53,
    RareBases = 54,
    RareTokens = 55,
    MemberTable = 60,
    MemberRuns = 61,
    MemberBlocks = 62,
    MemberBytes = 63,
    MemberDictionary = 64,
}

/// One section: where it lies and how it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Section {
    /// A [`SectionKind`]; readers pass over kinds they do not know.
    pub(crate) kind: u8,
    /// The field's or the stream's number; 0 where there is none.
    pub(crate) field: u8,
    pub(crate) offset: u64,
    pub(crate) len: u64,
    /// Entries.
    pub(crate) count: u64,
    /// Bits of a packed entry.
    pub(crate) width: u8,
    /// Added to a packed entry; in a framed column, times the entry's index.
    pub(crate) slope: i64,
    /// What the values of a framed column are multiplied with.
    pub(crate) scale: i64,
}

impl Section {
    /// A section of plain bytes, place still open.
    pub(crate) fn new(kind: SectionKind, field: u8, count: u64) -> Self {
        Self { kind: kind as u8, field, offset: 0, len: 0, count, width: 0, slope: 0, scale: 1 }
    }
}

/// What is known of one keyword field without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct FieldEntry {
    pub(crate) field: u8,
    /// Distinct terms.
    pub(crate) terms: u32,
    /// Rows with at least one value.
    pub(crate) rows: u32,
    /// Values over all rows.
    pub(crate) values: u32,
    /// The number of the field whose value this one has in every row in which it has any; 0 = it has its own.
    pub(crate) same_as: u8,
}

/// The footer: everything a reader needs to find its way.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Footer {
    pub(crate) rows: u32,
    pub(crate) created_at_min_us: i64,
    pub(crate) created_at_max_us: i64,
    pub(crate) sequence_min: u64,
    pub(crate) sequence_max: u64,
    /// Sequences ascend with the rows, so that one is found by binary search.
    pub(crate) sequences_ascend: bool,
    /// Every id was made by the store: no id is stored.
    pub(crate) ids_made: bool,
    /// It has the form of segments that are no longer fresh.
    pub(crate) is_packed: bool,
    /// End of the sections and start of the chunk table.
    pub(crate) data_end: u64,
    /// Checksum of the chunk table.
    pub(crate) chunk_table_crc: u32,
    pub(crate) fields: Vec<FieldEntry>,
    pub(crate) sections: Vec<Section>,
}

impl Footer {
    /// The section of that kind, if there is one.
    pub(crate) fn find(&self, kind: SectionKind, field: u8) -> Option<Section> {
        self.sections.iter().copied().find(|section| section.kind == kind as u8 && section.field == field)
    }

    /// The section of that kind.
    pub(crate) fn require(&self, kind: SectionKind, field: u8) -> Result<Section> {
        self.find(kind, field)
            .ok_or_else(|| Error::corrupt(format!("the segment lacks section {kind:?} of field {field}")))
    }

    /// Sections lie one after the other between header and chunk table, the bounds are bounds.
    pub(crate) fn check(&self) -> Result<()> {
        let mut end = len_u64(HEADER_SIZE);
        for section in &self.sections {
            let section_end = section.offset.checked_add(section.len);
            if section.offset < end || !section.offset.is_multiple_of(SECTION_ALIGN) || section_end.is_none() {
                return Err(Error::corrupt(format!("section {} overlaps the one before", section.kind)));
            }
            end = section_end.unwrap_or(u64::MAX);
        }
        if end > self.data_end {
            return Err(Error::corrupt(format!("sections end at {end}, their checksums cover {}", self.data_end)));
        }
        let fields_ascend = self.fields.is_sorted_by(|a, b| a.field < b.field);
        if self.rows == 0
            || crate::codec::row_usize(self.rows) > SEGMENT_ROWS_MAX
            || !fields_ascend
            || self.created_at_min_us > self.created_at_max_us
            || self.sequence_min > self.sequence_max
        {
            return Err(Error::corrupt("the segment's footer contradicts itself"));
        }
        Ok(())
    }
}

/// The checksum of a footer, which binds it to its store, segment and place.
pub(crate) fn footer_crc(store: u128, segment_id: u64, offset: u64, footer: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&store.to_le_bytes());
    hasher.update(&segment_id.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(footer);
    hasher.finalize()
}

/// The last bytes of the file.
pub(crate) fn encode_trailer(footer_len: u32, footer_crc: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(TRAILER_SIZE);
    out.extend_from_slice(&footer_len.to_le_bytes());
    out.extend_from_slice(&footer_crc.to_le_bytes());
    out.extend_from_slice(&TRAILER_MAGIC);
    out
}

/// The footer's length and checksum.
pub(crate) fn decode_trailer(bytes: &[u8]) -> Result<(usize, u32)> {
    let mut reader = Reader::new(bytes);
    let (len, crc) = (reader.u32()?, reader.u32()?);
    if reader.take(TRAILER_MAGIC.len())? != TRAILER_MAGIC || !reader.is_empty() {
        return Err(Error::corrupt("the file does not end as a sealed segment does"));
    }
    let len = crate::codec::row_usize(len);
    if len > FOOTER_SIZE_MAX {
        return Err(Error::corrupt(format!("the footer claims {len} bytes")));
    }
    Ok((len, crc))
}
