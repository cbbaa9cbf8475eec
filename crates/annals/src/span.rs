//! Lengths of time as people write them.

use std::time::Duration;

/// Reads `30s`, `15m`, `1h`, `1d`, `1w`: a whole number of at least 1 and a unit.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 7 * 86_400)];
    UNITS
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)))
        .and_then(|(count, seconds)| Some((count.parse::<u32>().ok().filter(|count| *count > 0)?, seconds)))
        .map(|(count, seconds)| Duration::from_secs(u64::from(count) * seconds))
        .ok_or_else(|| "a length of time is written as 30s, 15m, 1h, 1d or 1w".to_owned())
}

/// The same, or `never`, which is none.
pub(crate) fn parse_period(text: &str) -> Result<Duration, String> {
    match text {
        "never" => Ok(Duration::ZERO),
        _ => parse_span(text).map_err(|message| format!("{message}, or never")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit() {
        assert_eq!((parse_period("never"), parse_period("1m")), (Ok(Duration::ZERO), Ok(Duration::from_mins(1))));
        assert!(parse_period("0s").is_err());
        for (text, expected) in [
            ("1h", Some(3600)),
            ("15m", Some(900)),
            ("2w", Some(1_209_600)),
            ("4294967295w", Some(4_294_967_295 * 604_800)),
            ("0h", None),
            ("h", None),
            ("5", None),
            ("-1d", None),
            ("1.5h", None),
        ] {
            assert_eq!(parse_span(text).ok(), expected.map(Duration::from_secs), "{text}");
        }
    }
}
