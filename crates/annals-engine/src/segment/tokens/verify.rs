//! Compares what a column of tokens says twice; that every row can be read is found out by reading it.

use super::super::checked::CheckedFile;
use super::{GROUP, TokenColumn, bits};
use crate::codec::len_u64;
use crate::error::Result;

impl TokenColumn {
    /// Checks dictionary, row starts and the places of rare tokens.
    pub(crate) fn verify(&self, file: &CheckedFile) -> Result<()> {
        let mut end = 0;
        for token in 0..self.tokens {
            let (start, _) = self.starts.get_pair(file, u64::from(token))?;
            let bytes = self.token(file, token)?;
            // A space within a token, or none behind it, and searching would count tokens otherwise than reading.
            if start.cast_unsigned() != end || memchr::memchr(b' ', bytes) != Some(bytes.len() - 1) {
                return Err(file.contradicts(&self.bytes, &format!("has a token {token} that is none")));
            }
            end += len_u64(bytes.len());
        }
        if end != self.bytes.len {
            return Err(file.contradicts(&self.bytes, &format!("has tokens up to {end}")));
        }
        let mut end = 0;
        for row in 0..self.rows {
            let span = self.span(file, row)?;
            if span.0 != end {
                return Err(file.contradicts(self.row_starts.section(), &format!("has a gap before row {row}")));
            }
            end = span.1;
        }
        if end != self.total {
            return Err(file.contradicts(self.row_starts.section(), &format!("leaves codes from {end} on")));
        }
        self.verify_rare(file)
    }

    fn verify_rare(&self, file: &CheckedFile) -> Result<()> {
        let groups = self.total.div_ceil(GROUP);
        let mut rare = 0;
        for group in 0..groups {
            if self.rare_before(file, group)? != rare {
                return Err(file.contradicts(self.rare_bases.section(), &format!("is wrong about group {group}")));
            }
            let zeroes = bits::zeroes(self.group(file, group)?);
            let held = self.in_group(group);
            if zeroes | held != u128::MAX {
                return Err(file.contradicts(&self.codes, "has codes behind the last one"));
            }
            rare += u64::from((zeroes & held).count_ones());
        }
        if rare != self.rare_len || self.rare_before(file, groups)? != rare {
            return Err(file.contradicts(&self.codes, &format!("has {rare} rare tokens, {} are kept", self.rare_len)));
        }
        Ok(())
    }
}
