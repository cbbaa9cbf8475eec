//! Whole numbers as the vendor's framework reads them from text, and as they are shown.

/// More digits than this the framework refuses.
const DIGITS_MAX: usize = 4300;

/// Why a text is no whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoInteger {
    Unreadable,
    TooLong,
}

/// The canonical digits of a whole number: a sign, digits parted by single underscores, then perhaps
/// `.0` with any number of zeros; blanks around it are left out.
pub(super) fn parse(text: &str) -> Result<String, NoInteger> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, decimals) = match unsigned.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (unsigned, None),
    };
    let is_group = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let only_zeros = |decimals: &str| !decimals.is_empty() && decimals.bytes().all(|byte| byte == b'0');
    if !whole.split('_').all(is_group) || !decimals.is_none_or(only_zeros) {
        return Err(NoInteger::Unreadable);
    }
    let digits = whole.replace('_', "");
    let digits = digits.trim_start_matches('0');
    if digits.len() > DIGITS_MAX {
        return Err(NoInteger::TooLong);
    }
    if digits.is_empty() {
        return Ok("0".to_owned());
    }
    Ok(if text.starts_with('-') { format!("-{digits}") } else { digits.to_owned() })
}

/// The number that a stored value is shown as: one of 64 bits, spelled the one way that a filter for
/// it looks for. `007` and `5.0` are texts.
pub(super) fn shown(text: &str) -> Option<i64> {
    let number = text.parse::<i64>().ok()?;
    let canonical = match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0'] => text == "0",
        [first, ..] => first.is_ascii_digit() && *first != b'0',
        [] => false,
    };
    canonical.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    // What pydantic 2.14 makes of these texts.
    #[test]
    fn numbers_are_read_as_the_framework_reads_them() {
        for (text, number) in [
            ("5", "5"),
            ("+5", "5"),
            (" 5 ", "5"),
            ("\t5\n", "5"),
            ("\u{a0}5", "5"),
            ("05", "5"),
            ("-05", "-5"),
            ("5.0", "5"),
            ("5.00", "5"),
            ("-5.0", "-5"),
            ("1_0", "10"),
            ("1_000.000", "1000"),
            ("0_5", "5"),
            ("-0", "0"),
            ("00", "0"),
            ("99999999999999999999", "99999999999999999999"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(number), "{text:?}");
        }
        for text in [
            "",
            " ",
            "+",
            "-",
            "x",
            "5.",
            ".0",
            "5.01",
            "5.0_0",
            "1.0_",
            "1__0",
            "_1",
            "1_",
            "+_1",
            "+-5",
            "--5",
            "+ 5",
            "5 0",
            "\u{ff15}",
            "1e3",
            "0x5",
            "nan",
            "true",
            "5\0",
            "\u{200b}5",
        ] {
            assert_eq!(parse(text), Err(NoInteger::Unreadable), "{text:?}");
        }
        assert!(parse(&"9".repeat(DIGITS_MAX)).is_ok());
        assert!(parse(&format!("-{}", "9".repeat(DIGITS_MAX))).is_ok());
        assert_eq!(parse(&"9".repeat(DIGITS_MAX + 1)), Err(NoInteger::TooLong));
        assert_eq!(parse(&format!("{}5", "0".repeat(DIGITS_MAX))).as_deref(), Ok("5"));
    }

    #[test]
    fn what_is_shown_as_a_number_is_what_a_filter_finds() {
        for text in ["0", "7", "-7", "10", "9223372036854775807", "-9223372036854775808"] {
            assert_eq!(shown(text).map(|number| number.to_string()).as_deref(), Some(text));
            assert_eq!(parse(text).as_deref(), Ok(text));
        }
        for text in ["", "-", "-0", "00", "007", "-07", "+7", "5.0", "5e2", "9223372036854775808", "ada", " 7"] {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }
}
