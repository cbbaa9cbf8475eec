//! The common shape of an event's JSON, read in one pass over the text.
//!
//! Reads the same as `serde_json` does, or nothing: whatever is unusual (a fraction, a tab between tokens, a key
//! with escapes, a mistake) is left to it, and so is every error's sentence. The tests hold both against each
//! other.

use std::borrow::Cow;

use crate::parse::{EventVisitor, Key, likely_key_of};
use crate::payload::Scalar;
use crate::text::end_of_plain;

/// Nesting that one word of bits remembers; deeper values are left to `serde_json`.
const DEPTH_MAX: u32 = 60;
/// Digits that surely fit 64 bits.
const DIGITS_MAX: usize = 18;

/// Reads `text`, one event, into the visitor. `None`: it must be read the other way, from the start.
pub(crate) fn event<'a>(text: &'a str, visitor: &mut EventVisitor<'_, 'a>) -> Option<()> {
    let mut scan = Scan { text, at: 0 };
    scan.expect(b'{')?;
    if scan.take(b'}') {
        return scan.end();
    }
    for place in 0.. {
        let name = scan.plain_string()?;
        scan.expect(b':')?;
        let key = likely_key_of(name, visitor.likely(place).unwrap_or(&mut 0));
        scan.entry(key, name, visitor)?;
        if !scan.take(b',') {
            break;
        }
        scan.skip_blanks();
    }
    scan.expect(b'}')?;
    scan.end()
}

/// What was seen of a value that is kept as it was sent.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// A backslash: an escape, maybe of half a character.
    escapes: bool,
    /// A key at the top that stands for a field, or may.
    known_key: bool,
}

/// A text being read from the front.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn entry(&mut self, key: Key, name: &'a str, visitor: &mut EventVisitor<'_, 'a>) -> Option<()> {
        self.skip_blanks();
        match key {
            Key::List(field) => {
                let mut list = std::mem::take(visitor.list(field));
                list.clear();
                let read = self.list(&mut list);
                *visitor.list(field) = list;
                read
            }
            Key::Payload => {
                let start = self.at;
                let seen = self.value()?;
                let raw = self.text.get(start..self.at)?;
                if raw.starts_with('{') && !seen.escapes {
                    visitor.plain_payload(raw, seen.known_key);
                    return Some(());
                }
                visitor.raw(key, Cow::Borrowed(name), raw).ok()
            }
            Key::Unknown | Key::CreatedAtAlias | Key::MessageAlias => {
                let start = self.at;
                self.value()?;
                let raw = self.text.get(start..self.at)?;
                visitor.raw(key, Cow::Borrowed(name), raw).ok()
            }
            Key::Ignored => self.value().map(|_| ()),
            Key::LatencyMs => {
                let start = self.at;
                let value = self.scalar().or_else(|| {
                    self.at = start;
                    self.skip_number()?;
                    serde_json::from_str(self.text.get(start..self.at)?).ok().map(Scalar::Float)
                })?;
                visitor.scalar(key, name, value).ok()
            }
            _ => {
                let value = self.scalar()?;
                visitor.scalar(key, name, value).ok()
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Takes `byte` if it is next, but for blanks.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then(|| self.skip_blanks())
    }

    fn end(&mut self) -> Option<()> {
        self.skip_blanks();
        (self.at == self.text.len()).then_some(())
    }

    fn literal(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    /// A string without escapes.
    fn plain_string(&mut self) -> Option<&'a str> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.at + 1;
        let end = start + end_of_plain(self.text.as_bytes().get(start..)?)?;
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// A string, decoded if it has escapes.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let start = self.at;
        if let Some(plain) = self.plain_string() {
            return Some(Cow::Borrowed(plain));
        }
        self.skip_string()?;
        serde_json::from_str(self.text.get(start..self.at)?).ok().map(Cow::Owned)
    }

    /// A string, and whether it has escapes.
    fn skip_string(&mut self) -> Option<bool> {
        if self.peek() != Some(b'"') {
            return None;
        }
        self.at += 1;
        let mut escapes = false;
        loop {
            self.at += end_of_plain(self.text.as_bytes().get(self.at..)?)?;
            match self.peek()? {
                b'"' => break,
                b'\\' => escapes = true,
                _control => return None,
            }
            self.at += 1;
            match self.peek()? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                b'u' => {
                    let digits = self.text.as_bytes().get(self.at + 1..self.at + 5)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    self.at += 4;
                }
                _ => return None,
            }
            self.at += 1;
        }
        self.at += 1;
        Some(escapes)
    }

    fn scalar(&mut self) -> Option<Scalar<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Scalar::Text),
            b't' => self.literal("true").map(|()| Scalar::Bool(true)),
            b'f' => self.literal("false").map(|()| Scalar::Bool(false)),
            b'n' => self.literal("null").map(|()| Scalar::Null),
            _ => self.integer(),
        }
    }

    /// An integer that surely fits; what follows it is for the caller to accept.
    fn integer(&mut self) -> Option<Scalar<'a>> {
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let digits = self.digits()?;
        let value: u64 = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        let sound = digits.len() <= DIGITS_MAX && (digits.first() != Some(&b'0') || digits.len() == 1);
        if !sound || matches!(self.peek(), Some(b'.' | b'e' | b'E')) || (negative && value == 0) {
            return None;
        }
        if negative { Some(Scalar::Signed(-i64::try_from(value).ok()?)) } else { Some(Scalar::Unsigned(value)) }
    }

    /// At least one digit, and at most a few more than fit.
    fn digits(&mut self) -> Option<&'a [u8]> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let count = rest.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        rest.get(..count).filter(|digits| !digits.is_empty())
    }

    /// A number of any form.
    fn skip_number(&mut self) -> Option<()> {
        self.at += usize::from(self.peek()? == b'-');
        let whole = self.digits()?;
        if whole.len() > DIGITS_MAX || (whole.first() == Some(&b'0') && whole.len() > 1) {
            return None;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            // Longer ones are cut here and refused by what is expected behind.
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Some(())
    }

    /// A list of texts as a set.
    fn list(&mut self, list: &mut Vec<Cow<'a, str>>) -> Option<()> {
        self.expect(b'[')?;
        if self.take(b']') {
            return Some(());
        }
        loop {
            self.skip_blanks();
            let text = self.string()?;
            if !text.is_empty() && !list.contains(&text) {
                if list.len() >= annals_engine::VALUES_MAX {
                    return None;
                }
                list.push(text);
            }
            if !self.take(b',') {
                return self.expect(b']');
            }
        }
    }

    /// A value of any kind, checked and passed over.
    fn value(&mut self) -> Option<Seen> {
        let mut seen = Seen::default();
        // The innermost at the lowest bit: 1 is an object, 0 an array.
        let (mut objects, mut depth) = (0_u64, 0_u32);
        loop {
            match self.peek()? {
                b'"' => seen.escapes |= self.skip_string()?,
                open @ (b'{' | b'[') => {
                    self.at += 1;
                    self.skip_blanks();
                    let is_object = open == b'{';
                    if self.peek()? == if is_object { b'}' } else { b']' } {
                        self.at += 1;
                    } else {
                        if depth >= DEPTH_MAX {
                            return None;
                        }
                        (objects, depth) = ((objects << 1) | u64::from(is_object), depth + 1);
                        if is_object {
                            self.key(depth, &mut seen)?;
                        }
                        continue;
                    }
                }
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                _ => self.skip_number()?,
            }
            loop {
                if depth == 0 {
                    return Some(seen);
                }
                self.skip_blanks();
                let is_object = objects & 1 == 1;
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        self.skip_blanks();
                        if is_object {
                            self.key(depth, &mut seen)?;
                        }
                        break;
                    }
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    _ => return None,
                }
                self.at += 1;
                (objects, depth) = (objects >> 1, depth - 1);
            }
        }
    }

    /// A key and its colon.
    fn key(&mut self, depth: u32, seen: &mut Seen) -> Option<()> {
        let start = self.at + 1;
        seen.escapes |= self.skip_string()?;
        if depth == 1 {
            seen.known_key |= crate::fill::may_be_id_key(self.text.get(start..self.at - 1)?);
        }
        self.expect(b':')
    }
}

#[cfg(test)]
mod tests;
