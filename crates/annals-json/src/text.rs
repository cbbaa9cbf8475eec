//! Texts as they stand in JSON strings, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The bytes that end the plain part of a JSON string, by their highest bits: quotes, backslashes and control
/// characters. Bits above the lowest one that is set may be wrong.
fn special(word: u64) -> u64 {
    let equal = |byte: u64| {
        let zero_where_equal = word ^ (ONES * byte);
        zero_where_equal.wrapping_sub(ONES) & !zero_where_equal
    };
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (equal(b'"'.into()) | equal(b'\\'.into()) | control) & HIGHS
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// How many bytes go before the first quote, backslash or control character; `None` if there is none.
pub(crate) fn end_of_plain(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(index * 8 + usize::try_from(found.trailing_zeros() / 8).unwrap_or(0));
        }
    }
    rest.iter().position(|byte| is_special(*byte)).map(|position| words.len() * 8 + position)
}

/// Whether a text stands in a JSON string as it is.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else { return !bytes.iter().any(|byte| is_special(*byte)) };
    let words = bytes.as_chunks::<8>().0.iter().chain([last]);
    // No bit is wrong where none is set, so it does not matter that those of several words are put together.
    words.fold(0, |found, word| found | special(u64::from_le_bytes(*word))) == 0
}

/// Whether two short texts are equal: those of 8 to 16 bytes by two words, without a call.
pub(crate) fn same_text(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let ends = (one.first_chunk::<8>(), one.last_chunk::<8>(), other.first_chunk::<8>(), other.last_chunk::<8>());
    match ends {
        (Some(start), Some(end), Some(other_start), Some(other_end)) if one.len() <= 16 => {
            start == other_start && end == other_end
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_the_same_byte_for_byte() {
        let text: Vec<u8> = (0..20).collect();
        let copy = text.clone();
        for len in 0..=text.len() {
            let one = &text[..len];
            assert!(same_text(one, &copy[..len]) && !same_text(one, &[one, &[0]].concat()));
            for place in 0..len {
                let mut other = one.to_vec();
                other[place] ^= 1;
                assert!(!same_text(one, &other), "{len} {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn special_bytes_are_found_wherever_they_are(
            bytes in prop::collection::vec(
                prop_oneof![8 => 0x1e_u8..0x24, 2 => 0x5a_u8..0x5e, 20 => 0x5d_u8..=0xff, 1 => any::<u8>()],
                0..40,
            ),
        ) {
            let expected = bytes.iter().position(|byte| is_special(*byte));
            prop_assert_eq!(end_of_plain(&bytes), expected);
            prop_assert_eq!(is_plain(&bytes), expected.is_none());
        }
    }
}
