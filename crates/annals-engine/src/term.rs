//! How a keyword value is stored: as its text, or, if it is an identifier in lower-case hex digits, in half the room.
//!
//! A text has exactly one stored form, so stored forms are equal if and only if the texts are.

use crate::codec::put_bytes;
use crate::hex;

/// The lengths of texts in hex digits that are packed; multiples of 8.
const HEX_SIZES: std::ops::RangeInclusive<usize> = 16..=64;
const UUID_PACKED_SIZE: usize = 16;
/// The longest text of a packed value.
pub(crate) const UNPACKED_SIZE_MAX: usize = 64;

/// What the stored bytes of a value stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// The text itself.
    Text,
    /// Two hex digits in a byte.
    Hex,
    /// The same, and the text has the dashes of a UUID.
    Uuid,
}

/// The stored form of a text that has a packed one; `None` if its stored form is the text.
#[inline]
pub(crate) fn pack(text: &[u8]) -> Option<(Form, Packed)> {
    if text.len() == hex::UUID_LEN {
        return pack_uuid(text);
    }
    if !HEX_SIZES.contains(&text.len()) || !text.len().is_multiple_of(8) {
        return None;
    }
    pack_hex(text).map(|packed| (Form::Hex, packed))
}

/// Appends the length and the stored form of a text, and says which form that is and how long.
#[inline]
pub(crate) fn put_stored(text: &[u8], out: &mut Vec<u8>, put_tag: impl Fn(&mut Vec<u8>, Form)) -> (Form, usize) {
    // Identifiers of 12 and 16 bytes are what most values of many events are.
    if let Ok(digits) = <&[u8; 24]>::try_from(text) {
        if let Some(packed) = hex::pack_exactly::<24, 12>(digits) {
            put_tag(out, Form::Hex);
            out.push(12);
            out.extend_from_slice(&packed);
            return (Form::Hex, packed.len());
        }
    } else if text.len() >= *HEX_SIZES.start()
        && let Some((form, packed)) = pack(text)
    {
        put_tag(out, form);
        put_bytes(out, packed.as_slice());
        return (form, packed.as_slice().len());
    }
    put_tag(out, Form::Text);
    put_bytes(out, text);
    (Form::Text, text.len())
}

/// A few bytes on the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    bytes: [u8; UNPACKED_SIZE_MAX],
    len: usize,
}

impl Packed {
    fn new() -> Self {
        Self { bytes: [0; UNPACKED_SIZE_MAX], len: 0 }
    }

    #[inline]
    fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some(place) = self.bytes.get_mut(self.len..self.len + N) {
            place.copy_from_slice(&bytes);
            self.len += N;
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[inline]
fn pack_hex(digits: &[u8]) -> Option<Packed> {
    let mut packed = Packed::new();
    let (words, _) = digits.as_chunks::<8>();
    for word in words {
        packed.push(hex::pack_eight(*word)?);
    }
    Some(packed)
}

fn pack_uuid(text: &[u8]) -> Option<(Form, Packed)> {
    let mut packed = Packed { bytes: [0; UNPACKED_SIZE_MAX], len: UUID_PACKED_SIZE };
    hex::pack_uuid(text, packed.bytes.get_mut(..UUID_PACKED_SIZE)?).then_some((Form::Uuid, packed))
}

/// The text of stored bytes. Bytes that are no stored form of any text give some text all the same.
pub(crate) fn unpack(form: Form, stored: &[u8]) -> Packed {
    let mut text = Packed::new();
    let (words, _) = stored.as_chunks::<4>();
    for word in words {
        text.push(hex::render_four(*word));
    }
    if form == Form::Uuid {
        let digits = text;
        text = Packed::new();
        for (at, digit) in digits.as_slice().iter().enumerate() {
            if matches!(at, 8 | 12 | 16 | 20) {
                text.push([b'-']);
            }
            text.push([*digit]);
        }
    }
    text
}

/// Appends the text of stored bytes.
#[inline]
pub(crate) fn text_into(form: Form, stored: &[u8], out: &mut Vec<u8>) {
    match form {
        Form::Text => out.extend_from_slice(stored),
        Form::Hex | Form::Uuid => out.extend_from_slice(unpack(form, stored).as_slice()),
    }
}

/// Whether stored bytes may stand for a text under this form.
pub(crate) fn is_valid(form: Form, stored: &[u8]) -> bool {
    match form {
        Form::Text => pack(stored).is_none(),
        Form::Hex => HEX_SIZES.contains(&(2 * stored.len())) && stored.len().is_multiple_of(4),
        Form::Uuid => stored.len() == UUID_PACKED_SIZE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str) -> Form {
        let mut back = Vec::new();
        let form = match pack(text.as_bytes()) {
            None => Form::Text,
            Some((form, stored)) => {
                assert!(is_valid(form, stored.as_slice()));
                text_into(form, stored.as_slice(), &mut back);
                assert_eq!(back, text.as_bytes());
                form
            }
        };
        assert_eq!(form == Form::Text, is_valid(Form::Text, text.as_bytes()));
        form
    }

    proptest! {
        #[test]
        fn hex_digits_come_back(text in "[0-9a-f]{0,80}", at in 0_usize..80, odd in "[^0-9a-f]") {
            let packed = HEX_SIZES.contains(&text.len()) && text.len() % 8 == 0;
            prop_assert_eq!(check(&text), if packed { Form::Hex } else { Form::Text });
            if at < text.len() && odd.len() == 1 {
                let mut spoiled = text.clone();
                spoiled.replace_range(at..=at, &odd);
                prop_assert_eq!(check(&spoiled), Form::Text);
            }
        }

        #[test]
        fn uuids_come_back(id: u128, at in 0_usize..36) {
            let digits = format!("{id:032x}");
            let text = format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]);
            prop_assert_eq!(check(&text), Form::Uuid);
            prop_assert_eq!(check(&text.to_uppercase()) == Form::Text, text.to_uppercase() != text);
            let mut spoiled = text;
            spoiled.replace_range(at..=at, "x");
            prop_assert_eq!(check(&spoiled), Form::Text);
        }

        #[test]
        fn any_stored_bytes_unpack(stored in proptest::collection::vec(any::<u8>(), 0..200)) {
            for form in [Form::Hex, Form::Uuid] {
                assert!(unpack(form, &stored).as_slice().len() <= UNPACKED_SIZE_MAX);
            }
        }
    }

    #[test]
    fn dashes_in_other_places_are_text() {
        assert_eq!(check("0123456--89ab-cdef-0123-456789abcdef"), Form::Text);
        assert_eq!(check("01234567-89ab-cdef-0123-45678-abcdef"), Form::Text);
    }
}
