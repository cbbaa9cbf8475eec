//! Texts of lower-case hex digits <-> the bytes they stand for, eight digits at a time.
//!
//! Only what comes back exactly is packed: upper-case digits and odd lengths are not.

/// Characters of a UUID with hyphens.
pub(crate) const UUID_LEN: usize = 36;
/// Digits of a UUID's groups.
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
const _: () = assert!(8 + 4 + 4 + 4 + 12 + 4 == UUID_LEN);

/// A byte of every value: `0x01` in each byte times that value.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The four bytes that eight digits stand for.
#[inline]
pub(crate) fn pack_eight(digits: [u8; 8]) -> Option<[u8; 4]> {
    let (bytes, odd) = pack_eight_or_odd(digits);
    (odd == 0).then_some(bytes)
}

/// The same, and a number that is 0 if they are digits: of several pieces all are packed before one looks.
#[inline]
fn pack_eight_or_odd(digits: [u8; 8]) -> ([u8; 4], u64) {
    let text = u64::from_le_bytes(digits);
    // The low nibble of '0'..='9' is the digit, that of 'a'..='f' the digit less 9; the latter have bit 6.
    let nibbles = (text & (ONES * 0x0f)) + 9 * ((text >> 6) & ONES);
    let odd = (nibbles & (ONES * 0xf0)) | (texts_of(nibbles & (ONES * 0x0f)) ^ text);
    let pairs = ((nibbles << 4) | (nibbles >> 8)) & 0x00ff_00ff_00ff_00ff;
    let quads = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    let [b0, b1, b2, b3, ..] = (quads | (quads >> 16)).to_le_bytes();
    ([b0, b1, b2, b3], odd)
}

/// The bytes that `DIGITS` digits stand for, half as many; `None` unless all are lower-case hex digits.
#[inline]
pub(crate) fn pack_exactly<const DIGITS: usize, const BYTES: usize>(text: &[u8; DIGITS]) -> Option<[u8; BYTES]> {
    const { assert!(DIGITS == 2 * BYTES && DIGITS.is_multiple_of(8)) };
    let mut packed = [0; BYTES];
    let mut any_odd = 0;
    let (words, _) = text.as_chunks::<8>();
    let (pieces, _) = packed.as_chunks_mut::<4>();
    for (piece, word) in pieces.iter_mut().zip(words) {
        let (bytes, odd) = pack_eight_or_odd(*word);
        *piece = bytes;
        any_odd |= odd;
    }
    (any_odd == 0).then_some(packed)
}

/// The digits of eight nibbles, one in each byte.
#[inline]
fn texts_of(nibbles: u64) -> u64 {
    let letters = ((nibbles + ONES * 6) >> 4) & ONES;
    nibbles + ONES * 0x30 + letters * 39
}

/// The eight digits of four bytes.
#[inline]
pub(crate) fn render_four(bytes: [u8; 4]) -> [u8; 8] {
    let word = u64::from(u32::from_le_bytes(bytes));
    let quads = (word | (word << 16)) & 0x0000_ffff_0000_ffff;
    let pairs = (quads | (quads << 8)) & 0x00ff_00ff_00ff_00ff;
    let nibbles = ((pairs >> 4) & 0x000f_000f_000f_000f) | ((pairs & 0x000f_000f_000f_000f) << 8);
    texts_of(nibbles).to_le_bytes()
}

/// Fills `out` with the bytes `text` stands for; false unless it has twice as many lower-case hex digits.
#[inline]
pub(crate) fn pack(text: &[u8], out: &mut [u8]) -> bool {
    if text.len() != out.len() * 2 {
        return false;
    }
    let (whole, rest) = text.as_chunks::<8>();
    let mut pieces = out.chunks_mut(4);
    for (digits, piece) in whole.iter().zip(&mut pieces) {
        let Some(bytes) = pack_eight(*digits) else { return false };
        piece.copy_from_slice(&bytes);
    }
    if rest.is_empty() {
        return true;
    }
    let mut digits = [b'0'; 8];
    for (slot, digit) in digits.iter_mut().zip(rest) {
        *slot = *digit;
    }
    let Some(bytes) = pack_eight(digits) else { return false };
    for (slot, byte) in pieces.next().unwrap_or_default().iter_mut().zip(bytes) {
        *slot = byte;
    }
    true
}

/// The same of a UUID with hyphens.
#[inline]
pub(crate) fn pack_uuid(text: &[u8], out: &mut [u8]) -> bool {
    if text.len() != UUID_LEN {
        return false;
    }
    let mut digits = [0; UUID_LEN - 4];
    let (mut from, mut into) = (text, digits.as_mut_slice());
    for len in UUID_GROUPS {
        let (Some((group, rest)), Some((slot, left))) = (from.split_at_checked(len), into.split_at_mut_checked(len))
        else {
            return false;
        };
        slot.copy_from_slice(group);
        into = left;
        from = match rest.split_first() {
            Some((b'-', rest)) => rest,
            Some(_) => return false,
            None => rest,
        };
    }
    pack(&digits, out)
}

/// Writes the digits of `bytes` to the front of `text`, as far as both go.
#[inline]
pub(crate) fn render(bytes: &[u8], text: &mut [u8]) {
    let (whole, rest) = bytes.as_chunks::<4>();
    let mut outs = text.chunks_mut(8);
    for (piece, out) in whole.iter().zip(&mut outs) {
        let digits = render_four(*piece);
        match out.first_chunk_mut() {
            Some(out) => *out = digits,
            None => copy_front(out, &digits),
        }
    }
    if !rest.is_empty() {
        let mut four = [0; 4];
        copy_front(&mut four, rest);
        let digits = render_four(four);
        copy_front(outs.next().unwrap_or_default(), digits.get(..rest.len() * 2).unwrap_or_default());
    }
}

/// Copies `from` to the front of `to`, as far as both go.
fn copy_front(to: &mut [u8], from: &[u8]) {
    for (slot, byte) in to.iter_mut().zip(from) {
        *slot = *byte;
    }
}

/// Writes the UUID of sixteen bytes with hyphens.
#[inline]
pub(crate) fn render_uuid(bytes: &[u8], text: &mut [u8; UUID_LEN]) {
    let mut digits = [0; UUID_LEN - 4];
    render(bytes, &mut digits);
    text.fill(b'-');
    let (mut from, mut at) = (0, 0);
    for len in UUID_GROUPS {
        if let (Some(group), Some(slot)) = (digits.get(from..from + len), text.get_mut(at..at + len)) {
            slot.copy_from_slice(group);
        }
        from += len;
        at += len + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex_of(bytes: &[u8]) -> String {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.concat()
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 1..=16)) {
            let text = hex_of(&bytes);
            let mut rendered = [0; UUID_LEN];
            render(&bytes, &mut rendered);
            prop_assert_eq!(&rendered[..text.len()], text.as_bytes());
            let mut packed = vec![0; bytes.len()];
            prop_assert!(pack(text.as_bytes(), &mut packed));
            prop_assert_eq!(packed, bytes);
        }

        #[test]
        fn uuids_come_back(bits: u128) {
            let text = crate::id::EventId::from_u128(bits).to_string();
            let mut packed = [0; 16];
            prop_assert!(pack_uuid(text.as_bytes(), &mut packed));
            let mut rendered = [0; UUID_LEN];
            render_uuid(&packed, &mut rendered);
            prop_assert_eq!(&rendered[..], text.as_bytes());
            let upper = text.to_uppercase();
            prop_assert_eq!(pack_uuid(upper.as_bytes(), &mut packed), upper == text);
        }

        #[test]
        fn a_text_with_another_byte_is_not_packed(at in 0_usize..24, byte: u8) {
            let mut text = *b"0123456789abcdef01234567";
            text[at] = byte;
            let digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            prop_assert_eq!(pack(&text, &mut [0; 12]), digit);
            prop_assert!(!pack(&text[..23], &mut [0; 12]) && !pack(&text[..23], &mut [0; 11]));
        }
    }
}
