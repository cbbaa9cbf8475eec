//! Sizes as people write them.

/// Reads `1048576`, `1MiB`, `64KiB`, `2 GiB`; binary units only, in any case.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a whole number of bytes or has KiB, MiB or GiB behind it, such as 64MiB".to_owned();
    let text = text.trim();
    let digits_end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let unit: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(wrong()),
    };
    count.checked_mul(unit).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        for (text, expected) in [
            ("1048576", Some(1 << 20)),
            ("1MiB", Some(1 << 20)),
            (" 64 kib ", Some(64 << 10)),
            ("2GiB", Some(2 << 30)),
            ("5B", Some(5)),
            ("1MB", None),
            ("MiB", None),
            ("", None),
            ("-1", None),
            ("1.5GiB", None),
            ("99999999999999999999", None),
            ("18446744073709551615KiB", None),
        ] {
            assert_eq!(parse_size(text).ok(), expected, "{text}");
        }
    }
}
