//! Unix seconds as the vendor's forms read them: any decimal number, cut to a whole one.

const US_PER_SECOND: i64 = 1_000_000;
/// More digits than the largest time has.
const DIGITS_MAX: usize = 18;

/// The microseconds of a decimal number of seconds, of which only the whole ones count. What lies
/// beyond every time that an event can have stays beyond it.
pub(super) fn parse_us(text: &str) -> Option<i64> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        None => (unsigned, 0),
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i64::try_from(whole.len()).ok()?.saturating_add(exponent);
    let seconds = cut(&digits().collect::<Vec<_>>(), point);
    let us = seconds.saturating_mul(US_PER_SECOND);
    Some(if text.starts_with('-') { us.saturating_neg() } else { us })
}

/// An exponent, or the nearest one that is far enough from all others.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let beyond = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.parse().unwrap_or(beyond))
}

/// The digits before `point`, as a number.
fn cut(digits: &[u8], point: i64) -> i64 {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = digits.get(zeros..).unwrap_or_default();
    let point = point.saturating_sub(i64::try_from(zeros).unwrap_or(i64::MAX));
    let Ok(len) = usize::try_from(point) else { return 0 };
    if digits.is_empty() {
        return 0;
    }
    if len > DIGITS_MAX {
        return i64::MAX;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(len);
    padded.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_to_whole_seconds() {
        for (text, seconds) in [
            ("0", 0),
            ("1700000000", 1_700_000_000),
            ("1700000000.9999999999", 1_700_000_000),
            ("1700000000.0", 1_700_000_000),
            ("-1.5", -1),
            (" +12 ", 12),
            ("1.7e9", 1_700_000_000),
            ("17E+8", 1_700_000_000),
            ("1700000000000e-3", 1_700_000_000),
            ("0.05e2", 5),
            ("000012", 12),
            (".5", 0),
            ("5.", 5),
            ("9e-99999999999999999999", 0),
            ("0e99999999999999999999", 0),
        ] {
            assert_eq!(parse_us(text), Some(seconds * US_PER_SECOND), "{text}");
        }
    }

    #[test]
    fn what_is_beyond_all_times_stays_there() {
        for text in ["1e50", "999999999999999999", "1e99999999999999999999"] {
            assert!(parse_us(text).unwrap() > 253_402_300_799_999_999, "{text}");
            assert!(parse_us(&format!("-{text}")).unwrap() < 0, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", " ", "x", "1x", "NaN", "inf", "-", ".", "1e", "e5", "1.2.3", "0x10", "1_0", "--1", "1e1.5"] {
            assert_eq!(parse_us(text), None, "{text}");
        }
    }
}
