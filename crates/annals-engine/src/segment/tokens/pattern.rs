//! What a text is searched for, in terms of tokens.
//!
//! A folded text is its folded tokens joined by spaces, and folding a text folds its tokens: lower case is taken
//! character by character, but for the sigma that ends a word, and what makes it one never reaches across a
//! space. So a needle is found exactly where its pieces between spaces are: the first at the end of a token, those
//! in the middle as whole tokens, the last at the start of one; a needle without a space within one.

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};

use super::super::checked::CheckedFile;
use super::TokenColumn;
use crate::codec::{len_u64, row_usize, to_usize};
use crate::error::Result;
use crate::filter::text::TextTest;

/// A piece of a needle.
#[derive(Debug)]
pub(super) enum Piece {
    /// Any token passes.
    Any,
    /// These do.
    Some(TokenSet),
}

/// Tokens that stand one behind the other.
#[derive(Debug)]
pub(super) struct Pattern {
    /// At least one.
    pub(super) pieces: Vec<Piece>,
    /// They are the whole text.
    pub(super) whole: bool,
}

/// A set of tokens.
#[derive(Debug)]
pub(super) struct TokenSet {
    bits: Vec<u64>,
    /// Its tokens that have a code of their own, ascending.
    pub(super) common: Vec<u32>,
    /// How many it has of the others.
    pub(super) rare: u32,
}

impl TokenSet {
    fn new(column: &TokenColumn) -> Self {
        let words = column.tokens.div_ceil(u64::BITS);
        Self { bits: vec![0; row_usize(words)], common: Vec::new(), rare: 0 }
    }

    fn insert(&mut self, column: &TokenColumn, token: u32) {
        if let Some(word) = self.bits.get_mut(row_usize(token / u64::BITS)) {
            *word |= 1 << (token % u64::BITS);
        }
        if token < column.common {
            self.common.push(token);
        } else {
            self.rare += 1;
        }
    }

    #[inline]
    pub(super) fn contains(&self, token: u32) -> bool {
        self.bits.get(row_usize(token / u64::BITS)).is_some_and(|word| word >> (token % u64::BITS) & 1 == 1)
    }
}

impl Piece {
    #[inline]
    pub(super) fn passes(&self, token: u32) -> bool {
        match self {
            Piece::Any => true,
            Piece::Some(set) => set.contains(token),
        }
    }
}

impl Pattern {
    /// What `test` means for the tokens of a column; `None` if no text can pass. The needle is not empty.
    pub(super) fn new(test: &TextTest<'_>, column: &TokenColumn, file: &CheckedFile) -> Result<Option<Self>> {
        let dictionary = Dictionary::read(test, column, file)?;
        let whole = matches!(test, TextTest::Equals(_));
        let parts: Vec<&[u8]> = test.wanted().split(|byte| *byte == b' ').collect();
        let last = parts.len() - 1;
        let mut pieces = Vec::with_capacity(parts.len());
        let mut wanted = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let (starts, ends) = (whole || index > 0, whole || index < last);
            if part.is_empty() && !(starts && ends) {
                pieces.push(Piece::Any);
                continue;
            }
            wanted.clear();
            wanted.extend(starts.then_some(b' '));
            wanted.extend_from_slice(part);
            wanted.extend(ends.then_some(b' '));
            let tokens = dictionary.tokens_with(&wanted, column, file)?;
            if tokens.common.is_empty() && tokens.rare == 0 {
                return Ok(None);
            }
            pieces.push(Piece::Some(tokens));
        }
        Ok(Some(Self { pieces, whole }))
    }

    /// Whether a text of these tokens passes.
    pub(super) fn is_in(&self, tokens: &[u32]) -> bool {
        if self.whole && tokens.len() != self.pieces.len() {
            return false;
        }
        tokens.windows(self.pieces.len()).any(|window| self.stands_at(window))
    }

    /// Whether these tokens, as many as pieces, pass.
    pub(super) fn stands_at(&self, window: &[u32]) -> bool {
        window.iter().zip(&self.pieces).all(|(token, piece)| piece.passes(*token))
    }
}

/// All tokens in order, with a space before and behind each.
struct Dictionary {
    joined: Vec<u8>,
}

impl Dictionary {
    fn read(test: &TextTest<'_>, column: &TokenColumn, file: &CheckedFile) -> Result<Self> {
        let bytes = file.all(&column.bytes)?;
        let mut joined = Vec::with_capacity(bytes.len() + 1);
        joined.push(b' ');
        match test {
            TextTest::Equals(_) => joined.extend_from_slice(bytes),
            TextTest::Contains(_) if bytes.is_ascii() => joined.extend(bytes.iter().map(u8::to_ascii_lowercase)),
            TextTest::Contains(_) => {
                joined.extend_from_slice(String::from_utf8_lossy(bytes).to_lowercase().as_bytes());
            }
        }
        Ok(Self { joined })
    }

    /// The tokens that hold `wanted`, which has a space in front if they are to start with it, and one behind if
    /// they are to end with it.
    fn tokens_with(&self, wanted: &[u8], column: &TokenColumn, file: &CheckedFile) -> Result<TokenSet> {
        let mut set = TokenSet::new(column);
        let finder = Finder::new(wanted);
        let leading = usize::from(wanted.first() == Some(&b' '));
        let (mut from, mut counted, mut token) = (0, 1, 0_u64);
        while let Some(at) = self.joined.get(from..).and_then(|rest| finder.find(rest)) {
            let at = from + at + leading;
            let passed = self.joined.get(counted..at).unwrap_or_default();
            token += len_u64(memchr_iter(b' ', passed).count());
            counted = at;
            match u32::try_from(token) {
                Ok(token) if token < column.tokens => set.insert(column, token),
                _ => return Err(file.contradicts(&column.bytes, &format!("has a token {token}"))),
            }
            // The space that ends this token may be the one before the next hit.
            let rest = self.joined.get(at..).unwrap_or_default();
            match memchr(b' ', rest) {
                Some(len) => from = at + len,
                None => break,
            }
        }
        Ok(set)
    }
}

/// Bytes of the dictionary, for what searching in it costs.
pub(super) fn dictionary_size(column: &TokenColumn) -> usize {
    to_usize(column.bytes.len)
}
