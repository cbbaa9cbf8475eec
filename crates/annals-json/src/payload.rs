//! The payload: kept as sent, looked into only where a rule says so.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use memchr::{memchr, memchr2_iter};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::EventError;
use crate::parse::JSON_DEPTH_MAX;

/// A JSON value as far as events need to tell them apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Text(Cow<'a, str>),
    Unsigned(u64),
    Signed(i64),
    /// Also integers beyond 64 bits: whoever needs the digits reads the raw text again.
    Float(f64),
    Array,
    Object,
}

impl Scalar<'_> {
    /// The value's type with its article.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Scalar::Null => "null",
            Scalar::Bool(_) => "a boolean",
            Scalar::Text(_) => "a string",
            Scalar::Unsigned(_) | Scalar::Signed(_) | Scalar::Float(_) => "a number",
            Scalar::Array => "an array",
            Scalar::Object => "an object",
        }
    }
}

/// Reads one value as a [`Scalar`]; arrays and objects are skipped.
#[derive(Clone, Copy)]
pub(crate) struct ScalarSeed;

impl<'de> DeserializeSeed<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Object)
    }
}

/// Reads a key without copying it where it has no escapes.
pub(crate) struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
}

/// Why a value that is kept as sent cannot be kept: nested too deeply, or it names half a character,
/// which later readers would refuse.
pub(crate) fn refuse_raw(raw: &str) -> Option<String> {
    if is_too_deep(raw) {
        return Some(format!("is nested more than {JSON_DEPTH_MAX} levels deep"));
    }
    has_lone_surrogate(raw).then(|| "holds a lone surrogate (half of a \\u pair)".to_owned())
}

/// `raw` is valid JSON and lies one level inside the event.
fn is_too_deep(raw: &str) -> bool {
    if memchr2_iter(b'{', b'[', raw.as_bytes()).nth(JSON_DEPTH_MAX - 1).is_none() {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (1_usize, false, false);
    for byte in raw.bytes() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > JSON_DEPTH_MAX {
                    return true;
                }
            }
            (false, b'}' | b']') => depth -= 1,
            _ => {}
        }
    }
    false
}

fn has_lone_surrogate(raw: &str) -> bool {
    let mut rest = raw.as_bytes();
    while let Some(position) = memchr(b'\\', rest) {
        rest = rest.get(position..).unwrap_or_default();
        let Some(unit) = escaped_unit(rest) else {
            // A backslash and what it escapes.
            rest = rest.get(2..).unwrap_or_default();
            continue;
        };
        rest = rest.get(6..).unwrap_or_default();
        match unit {
            0xd800..=0xdbff if matches!(escaped_unit(rest), Some(0xdc00..=0xdfff)) => {
                rest = rest.get(6..).unwrap_or_default();
            }
            0xd800..=0xdfff => return true,
            _ => {}
        }
    }
    false
}

/// The UTF-16 unit that `\uXXXX` at the front names.
fn escaped_unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The payload with further keys in it; its own keys win, and of repeated new ones the last.
/// `None` if `payload` is no object.
pub(crate) fn merge(payload: Option<&str>, extras: &[(Cow<'_, str>, &str)]) -> Option<String> {
    let payload = payload.unwrap_or("{}");
    let mut seen: HashSet<Cow<'_, str>> = HashSet::new();
    visit_keys(payload, |key| _ = seen.insert(key))?;
    let inner = payload.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let mut added: Vec<&(Cow<'_, str>, &str)> =
        extras.iter().rev().filter(|(key, _)| seen.insert(Cow::Borrowed(key))).collect();
    added.reverse();
    let mut out =
        Vec::with_capacity(payload.len() + extras.iter().map(|(key, raw)| key.len() + raw.len() + 4).sum::<usize>());
    out.push(b'{');
    out.extend_from_slice(inner.as_bytes());
    for (key, raw) in added {
        if out.len() > 1 {
            out.push(b',');
        }
        crate::write::write_text(&mut out, key);
        out.push(b':');
        out.extend_from_slice(raw.as_bytes());
    }
    out.push(b'}');
    String::from_utf8(out).ok()
}

/// A payload of members that are kept as they were sent, each with its raw JSON; of repeated ones the
/// last counts. `None` if there are none.
///
/// # Errors
/// They nest too deeply, or one names half a character.
pub fn payload_of(members: &[(Cow<'_, str>, &str)]) -> Result<Option<String>, EventError> {
    if members.is_empty() {
        return Ok(None);
    }
    let Some(payload) = merge(None, members) else { return Ok(None) };
    match refuse_raw(&payload) {
        Some(reason) => Err(EventError::new(format!("the event {reason}"))),
        None => Ok(Some(payload)),
    }
}

struct Keys<F>(F);

impl<'de, F: FnMut(Cow<'de, str>)> Visitor<'de> for Keys<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed)? {
            map.next_value::<IgnoredAny>()?;
            (self.0)(key);
        }
        Ok(())
    }
}

fn visit_keys<'a>(payload: &'a str, visit: impl FnMut(Cow<'a, str>)) -> Option<()> {
    let mut deserializer = serde_json::Deserializer::from_str(payload);
    (&mut deserializer).deserialize_map(Keys(visit)).ok()?;
    deserializer.end().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_keys_win_and_of_new_ones_the_last() {
        let extras = [("a".into(), "1"), ("b".into(), "2"), ("b".into(), "[3]"), ("c\"".into(), "null")];
        assert_eq!(merge(Some(r#"{ "a": "kept" }"#), &extras).unwrap(), r#"{"a": "kept","b":[3],"c\"":null}"#);
        assert_eq!(merge(None, &extras[..1]).unwrap(), r#"{"a":1}"#);
        assert_eq!(merge(Some("{}"), &[]).unwrap(), "{}");
        assert_eq!(merge(Some(r#"{"\u0061":0}"#), &extras[..1]).unwrap(), r#"{"\u0061":0}"#);
        assert_eq!(merge(Some("[1]"), &extras), None);
        assert_eq!(merge(Some("{} x"), &extras), None);
    }

    #[test]
    fn members_become_a_payload_or_are_refused() {
        let members = [("a".into(), "1e400"), ("b".into(), "[ 2 ]"), ("a".into(), "3")];
        assert_eq!(payload_of(&members).unwrap().unwrap(), r#"{"b":[ 2 ],"a":3}"#);
        assert_eq!(payload_of(&[]), Ok(None));
        assert!(payload_of(&[("a".into(), r#""\ud83d""#)]).is_err());
        let deep = format!("{}{}", "[".repeat(JSON_DEPTH_MAX - 1), "]".repeat(JSON_DEPTH_MAX - 1));
        assert!(payload_of(&[("a".into(), deep.as_str())]).is_err());
        assert!(payload_of(&[("a".into(), deep.get(1..deep.len() - 1).unwrap())]).is_ok());
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(refuse_raw(&nested(JSON_DEPTH_MAX - 1)).is_none());
        assert!(refuse_raw(&nested(JSON_DEPTH_MAX)).is_some());
        assert!(refuse_raw(&format!("{{\"k\\\"\":\"{}\"}}", "[".repeat(500))).is_none());
        assert!(refuse_raw(&format!("[{}0]", "[],".repeat(500))).is_none());
    }

    #[test]
    fn half_characters_are_found() {
        for (raw, lone) in [
            (r#""\ud83d\ude00""#, false),
            (r#""\ud83d""#, true),
            (r#""\ude00""#, true),
            (r#""\ud83d\n""#, true),
            (r#""\ud83d\ud83d\ude00""#, true),
            (r#""C:\\ud800\\users""#, false),
            (r#""\u0000""#, false),
        ] {
            assert_eq!(has_lone_surrogate(raw), lone, "{raw}");
        }
    }
}
