//! Text -> literal pieces and holes, by nothing but its bytes. A piece behind a piece behind the holes between them is
//! the text again, whatever the text is: being JSON makes a text small, not right.

/// The most holes of one shape.
pub(super) const HOLES_MAX: usize = 64;

/// How the end of a hole is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoleKind {
    /// What stands between two quotes.
    Quoted,
    /// A run of the bytes numbers are made of.
    Number,
}

/// A hole's place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: HoleKind,
}

/// Where the quote that ends a quoted text lies.
#[inline]
fn quoted_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        // Most values are shorter than what a call of a vectorised search costs.
        if let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk) {
            let word = u64::from_le_bytes(*word);
            let found = equal_bytes(word, b'"') | equal_bytes(word, b'\\');
            if found == 0 {
                at += 8;
                continue;
            }
            // The lowest byte found is right; those above it may not be.
            at += usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
        }
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The high bit of each byte of a word that is `byte`, and maybe of some above such a one.
#[inline]
fn equal_bytes(word: u64, byte: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let differs = word ^ (ONES * u64::from(byte));
    differs.wrapping_sub(ONES) & !differs & (ONES << 7)
}

fn is_number_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

#[inline]
fn number_end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().position(|byte| !is_number_byte(*byte)).unwrap_or(rest.len())
}

/// Replaces `holes` by the holes of `text`; `false` if there are too many.
pub(super) fn split(text: &[u8], holes: &mut Vec<Hole>) -> bool {
    holes.clear();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let hole = match byte {
            b'"' => {
                let start = at + 1;
                // An open quote: what is left belongs to the last piece.
                let Some(end) = quoted_end(text, start) else { return true };
                at = end + 1;
                if text.get(at) == Some(&b':') {
                    continue;
                }
                Hole { start, end, kind: HoleKind::Quoted }
            }
            b'0'..=b'9' | b'-' => {
                let start = at;
                at = number_end(text, start);
                Hole { start, end: at, kind: HoleKind::Number }
            }
            _ => {
                at += 1;
                continue;
            }
        };
        if holes.len() == HOLES_MAX {
            return false;
        }
        holes.push(hole);
    }
    true
}

/// Whether both are the same. Pieces are so short that calling a comparison costs more than comparing.
#[inline]
fn equal(a: &[u8], b: &[u8]) -> bool {
    if let (Some(last_a), Some(last_b)) = (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
        // The last eight bytes stand for what is left behind the words.
        return a.len() == b.len() && words.fold(last_a == last_b, |same, (a, b)| same && a == b);
    }
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b)
}

/// The pieces of a text and how the holes between them end.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pieces: Vec<u8>,
    /// Where each piece ends in `pieces`; one more piece than holes.
    ends: Vec<usize>,
    kinds: Vec<HoleKind>,
}

impl Shape {
    /// The shape of `text`, whose holes are `holes`.
    pub(super) fn new(text: &[u8], holes: &[Hole]) -> Self {
        let mut shape = Self { pieces: Vec::new(), ends: Vec::new(), kinds: Vec::new() };
        let mut at = 0;
        for hole in holes {
            shape.pieces.extend_from_slice(text.get(at..hole.start).unwrap_or_default());
            shape.ends.push(shape.pieces.len());
            shape.kinds.push(hole.kind);
            at = hole.end;
        }
        shape.pieces.extend_from_slice(text.get(at..).unwrap_or_default());
        shape.ends.push(shape.pieces.len());
        shape
    }

    /// The pieces in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.pieces.get(start..*end).unwrap_or_default())
    }

    /// Whether `text`, whose holes are `holes`, has this shape.
    pub(super) fn is_of(&self, text: &[u8], holes: &[Hole]) -> bool {
        let filled: usize = holes.iter().map(|hole| hole.end - hole.start).sum();
        if holes.len() != self.kinds.len() || text.len() - filled != self.pieces.len() {
            return false;
        }
        let ends = holes.iter().map(|hole| hole.start).chain(std::iter::once(text.len()));
        let starts = std::iter::once(0).chain(holes.iter().map(|hole| hole.end));
        starts.zip(ends).zip(self.pieces()).all(|((start, end), piece)| text.get(start..end) == Some(piece))
            && holes.iter().zip(&self.kinds).all(|(hole, kind)| hole.kind == *kind)
    }

    /// Compares `text` piece by piece, without splitting it first, and replaces `holes` by what lies between.
    #[inline]
    pub(super) fn fits(&self, text: &[u8], holes: &mut Vec<Hole>) -> bool {
        holes.clear();
        let (mut at, mut start) = (0, 0);
        let mut kinds = self.kinds.iter();
        for end in &self.ends {
            let piece = self.pieces.get(start..*end).unwrap_or_default();
            start = *end;
            let after = at + piece.len();
            if !text.get(at..after).is_some_and(|part| equal(part, piece)) {
                return false;
            }
            let Some(kind) = kinds.next() else { return after == text.len() };
            let end = match kind {
                HoleKind::Quoted => match quoted_end(text, after) {
                    Some(end) => end,
                    None => return false,
                },
                HoleKind::Number => number_end(text, after),
            };
            holes.push(Hole { start: after, end, kind: *kind });
            at = end;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn comparing_words_compares_bytes(a in "[ab]{0,30}", at in 0_usize..40) {
            let mut b = a.clone().into_bytes();
            prop_assert!(equal(a.as_bytes(), &b));
            let longer = format!("{a}a");
            prop_assert!(!equal(a.as_bytes(), longer.as_bytes()));
            if let Some(byte) = b.get_mut(at) {
                *byte ^= 1;
                prop_assert!(!equal(a.as_bytes(), &b));
            }
        }

        #[test]
        fn the_end_of_a_quoted_text_is_its_first_quote_that_is_not_escaped(text in "([a-z]{0,9}|[\"\\\\é!#]){0,12}", start in 0_usize..20) {
            let mut expected = None;
            let mut at = start;
            while let Some(byte) = text.as_bytes().get(at) {
                match byte {
                    b'"' => {
                        expected = Some(at);
                        break;
                    }
                    b'\\' => at += 2,
                    _ => at += 1,
                }
            }
            prop_assert_eq!(quoted_end(text.as_bytes(), start), expected);
        }
    }
}
