//! What a sealed segment consists of, for a person who looks.

use crate::field::Field;
use crate::inspect::{FieldInfo, SectionInfo, SectionPart, SegmentInfo};

use super::Stream;
use super::layout::{Section, SectionKind};
use super::sealed::SealedSegment;

impl SealedSegment {
    /// Its bounds, fields and sections. Costs a walk over the footer.
    pub(crate) fn describe(&self) -> SegmentInfo {
        let sections: Vec<SectionInfo> = self.footer.sections.iter().map(described).collect();
        let sections_size: u64 = sections.iter().map(|section| section.size_bytes).sum();
        let fields = self.footer.fields.iter().filter_map(|entry| {
            Some(FieldInfo {
                field: Field::from_number(entry.field)?,
                terms: entry.terms,
                rows: entry.rows,
                values: entry.values,
                same_as: Field::from_number(entry.same_as),
            })
        });
        SegmentInfo {
            store: self.meta.store,
            id: self.meta.segment_id,
            sealed_at_us: self.sealed_at_us(),
            rows: self.rows(),
            size_bytes: self.size_bytes,
            created_at_us: self.time_bounds_us(),
            sequences: self.sequence_bounds(),
            is_packed: self.is_packed(),
            ids_made: self.footer.ids_made,
            fields: fields.collect(),
            sections,
            frame_bytes: self.size_bytes.saturating_sub(sections_size),
        }
    }
}

fn described(section: &Section) -> SectionInfo {
    let kind = KINDS.iter().find(|(kind, ..)| *kind as u8 == section.kind);
    let (name, part) = kind.map_or(("unknown", SectionPart::Other), |(_, name, part)| (*name, *part));
    let owner = match part {
        SectionPart::Dictionary | SectionPart::Column | SectionPart::Postings => {
            Field::from_number(section.field).map_or("", Field::name)
        }
        SectionPart::Text => {
            Stream::ALL.into_iter().find(|stream| stream.number() == section.field).map_or("", |stream| match stream {
                Stream::Message => "message",
                Stream::Content => "content",
                Stream::Payload => "payload",
                Stream::Stored => "other texts",
            })
        }
        _ => "",
    };
    SectionInfo { name, part, owner, offset: section.offset, size_bytes: section.len, count: section.count }
}

const KINDS: [(SectionKind, &str, SectionPart); SECTION_KINDS] = {
    use SectionKind as K;
    use SectionPart::{Column, Dictionary, Ids, Keys, Postings, Text};
    [
        (K::CreatedAt, "created_at", Keys),
        (K::Sequence, "sequence", Keys),
        (K::Ids, "ids", Ids),
        (K::IdBuckets, "id_buckets", Ids),
        (K::IdRows, "id_rows", Ids),
        (K::IdTimes, "id_times", Ids),
        (K::IdNodes, "id_nodes", Ids),
        (K::IdCounters, "id_counters", Ids),
        (K::TermOffsets, "term_offsets", Dictionary),
        (K::TermBytes, "term_bytes", Dictionary),
        (K::Codes, "codes", Column),
        (K::RowValues, "row_values", Column),
        (K::Cardinalities, "cardinalities", Postings),
        (K::PostingOffsets, "posting_offsets", Postings),
        (K::PostingBits, "posting_bits", Postings),
        (K::LargeTerms, "large_terms", Postings),
        (K::LargeCardinalities, "large_cardinalities", Postings),
        (K::RowStarts, "row_starts", Column),
        (K::BlockDirectory, "block_directory", Text),
        (K::BlockBytes, "block_bytes", Text),
        (K::ConstantText, "constant_text", Text),
        (K::ShapeTable, "shape_table", Text),
        (K::ShapeBlocks, "shape_blocks", Text),
        (K::ShapeBits, "shape_bits", Text),
        (K::ShapeHeap, "shape_heap", Text),
        (K::ShapeTermBytes, "shape_term_bytes", Text),
        (K::ShapeTermBounds, "shape_term_bounds", Text),
        (K::BlockDictionary, "block_dictionary", Text),
        (K::TokenBytes, "token_bytes", Text),
        (K::TokenStarts, "token_starts", Text),
        (K::TokenCodes, "token_codes", Text),
        (K::RowTokens, "row_tokens", Text),
        (K::RareBases, "rare_bases", Text),
        (K::RareTokens, "rare_tokens", Text),
        (K::MemberTable, "member_table", Text),
        (K::MemberRuns, "member_runs", Text),
        (K::MemberBlocks, "member_blocks", Text),
        (K::MemberBytes, "member_bytes", Text),
        (K::MemberDictionary, "member_dictionary", Text),
    ]
};
const SECTION_KINDS: usize = 39;
