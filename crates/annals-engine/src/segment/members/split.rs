//! A JSON object -> its members, by its bytes: what is not written `{"key":value,"key":value}` is not taken apart.

use std::ops::Range;

/// Where a member's key, without quotes, and its value lie in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// The most members of a text that is taken apart.
pub(super) const MEMBERS_MAX: usize = 256;

/// Replaces `members` by those of the text; `false` if putting them together would not give the text again, or if a
/// value is empty, which no JSON has.
pub(super) fn split(text: &[u8], members: &mut Vec<Member>) -> bool {
    members.clear();
    if text.first() != Some(&b'{') {
        return false;
    }
    let mut at = 1;
    loop {
        if text.get(at) != Some(&b'"') || members.len() == MEMBERS_MAX {
            return false;
        }
        let Some(key_end) = string_end(text, at + 1) else { return false };
        if text.get(key_end + 1) != Some(&b':') {
            return false;
        }
        let start = key_end + 2;
        let Some(end) = value_end(text, start) else { return false };
        if start == end {
            return false;
        }
        members.push(Member { key: at + 1..key_end, value: start..end });
        match text.get(end) {
            Some(b',') => at = end + 1,
            // A brace, by how the end of a value is found.
            _ => return end + 1 == text.len(),
        }
    }
}

/// Puts `{"`, the keys and the values together again.
pub(super) fn join<'t>(members: impl Iterator<Item = (&'t [u8], &'t [u8])>, out: &mut Vec<u8>) {
    out.clear();
    for (key, value) in members {
        out.extend_from_slice(if out.is_empty() { b"{\"" } else { b",\"" });
        out.extend_from_slice(key);
        out.extend_from_slice(b"\":");
        out.extend_from_slice(value);
    }
    out.push(b'}');
}

/// Where the quote that ends a string lies.
fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Where the comma or the brace behind a value lies.
fn value_end(text: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_u32);
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at + 1)?,
            b'{' | b'[' => depth = depth.checked_add(1)?,
            b'}' | b',' if depth == 0 => return Some(at),
            b'}' | b']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
    }
}
