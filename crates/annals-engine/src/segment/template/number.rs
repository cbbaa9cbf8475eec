//! Numbers that are written in one way only, so that the number gives the text back.

/// A way to write numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Notation {
    /// A 64-bit integer in decimal, no leading zero, no plus, no minus zero.
    Decimal = 0,
    /// Four bytes as an IPv4 address is written.
    Dotted = 1,
}

impl Notation {
    /// In the order they are tried.
    pub(super) const ALL: [Self; 2] = [Self::Decimal, Self::Dotted];

    /// The notation of that number.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|notation| *notation as u8 == number)
    }

    /// The number that [`Notation::write`] writes as `text`.
    #[inline]
    pub(super) fn read(self, text: &[u8]) -> Option<i64> {
        match self {
            Self::Decimal => read_decimal(text),
            Self::Dotted => {
                let mut parts = text.split(|byte| *byte == b'.');
                let mut number = 0;
                for _ in 0..4 {
                    let part = read_decimal(parts.next()?).filter(|part| (0..=255).contains(part))?;
                    number = number << 8 | part;
                }
                parts.next().is_none().then_some(number)
            }
        }
    }

    /// Appends `number` as text. A dotted one has 32 bits: of others the lowest are written.
    #[inline]
    pub(super) fn write(self, number: i64, out: &mut Vec<u8>) {
        match self {
            Self::Decimal => {
                if number < 0 {
                    out.push(b'-');
                }
                write_decimal(number.unsigned_abs(), out);
            }
            Self::Dotted => {
                for shift in [24, 16, 8, 0] {
                    if shift < 24 {
                        out.push(b'.');
                    }
                    write_decimal(u64::from((number >> shift).to_le_bytes()[0]), out);
                }
            }
        }
    }
}

#[inline]
fn read_decimal(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', digits) => (true, digits),
        _ => (false, text),
    };
    let canonical = match digits.first()? {
        b'0' => digits.len() == 1 && !negative,
        _ => digits.len() <= 19,
    };
    if !canonical {
        return None;
    }
    // 19 digits fit an unsigned word.
    let mut number = 0_u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    if negative { 0_i64.checked_sub_unsigned(number) } else { i64::try_from(number).ok() }
}

#[inline]
fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_text_is_read() {
        for text in ["0", "-1", "7", "-9223372036854775808", "9223372036854775807", "1000"] {
            let number = Notation::Decimal.read(text.as_bytes()).unwrap();
            assert_eq!(number.to_string(), text);
        }
        for text in
            ["", "-", "-0", "00", "007", "+1", "1.0", "1e5", "9223372036854775808", "-9223372036854775809", "1 "]
        {
            assert_eq!(Notation::Decimal.read(text.as_bytes()), None, "{text}");
        }
        for text in ["1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.-4", "1..2.3", "a.b.c.d"] {
            assert_eq!(Notation::Dotted.read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Notation::Dotted.read(b"10.0.255.1"), Some(0x0a00_ff01));
    }

    proptest! {
        #[test]
        fn numbers_come_back(number: i64, address: u32) {
            for (notation, number) in [(Notation::Decimal, number), (Notation::Dotted, i64::from(address))] {
                let mut text = Vec::new();
                notation.write(number, &mut text);
                prop_assert_eq!(notation.read(&text), Some(number));
            }
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "[-+]?[0-9.]{0,20}") {
            for notation in Notation::ALL {
                if let Some(number) = notation.read(text.as_bytes()) {
                    let mut written = Vec::new();
                    notation.write(number, &mut written);
                    prop_assert_eq!(&written, text.as_bytes());
                }
            }
        }
    }
}
