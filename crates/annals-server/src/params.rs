//! Query strings: decoded once, bounded, asked for by name.

use percent_encoding::percent_decode;

use crate::error::{Detail, Failure};

/// The parameters of a request in the order they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes `a=1&b=2`. A name without `=` has an empty value; `+` is a blank.
    ///
    /// # Errors
    /// 400 naming a parameter whose bytes are not UTF-8.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Failure> {
        let mut pairs = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or_else(|| Failure::invalid("query", "holds a name that is not UTF-8"))?;
            let value = decode(value).ok_or_else(|| Failure::invalid(name.as_str(), "must be UTF-8"))?;
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The last value of a name.
    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(held, _)| *held == name).map(|(_, value)| value)
    }
}

/// A time in UTC microseconds: RFC 3339, or the same without seconds, as some writers of ISO 8601 leave them
/// out when they are 0.
pub(crate) fn iso_time(text: &str) -> Option<i64> {
    const MINUTES_END: usize = "2025-01-31T10:30".len();
    annals_json::parse_time(text).or_else(|| {
        let (minutes, offset) = text.split_at_checked(MINUTES_END)?;
        let without_seconds = offset.starts_with(['Z', 'z', '+', '-']);
        without_seconds.then(|| annals_json::parse_time(&format!("{minutes}:00{offset}"))).flatten()
    })
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// A whole number in `min..=max`.
///
/// # Errors
/// What it must be.
pub(crate) fn whole(place: &str, text: &str, min: u64, max: u64) -> Result<u64, Detail> {
    let wrong = |message: String| Detail { place: place.to_owned(), message };
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("must be integer".to_owned()));
    }
    match text.parse::<u64>() {
        Ok(number) if number < min => Err(wrong(format!("must be >= {min}"))),
        Ok(number) if number > max => Err(wrong(format!("must be <= {max}"))),
        Ok(number) => Ok(number),
        Err(_out_of_range) if text.starts_with('-') => Err(wrong(format!("must be >= {min}"))),
        Err(_out_of_range) => Err(wrong(format!("must be <= {max}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded_and_the_last_wins() {
        let params = Params::parse(Some("a=1&a=%32&b=x+y%2Bz&&c&d=%C3%A9=")).unwrap();
        assert_eq!(params.last("a"), Some("2"));
        assert_eq!(params.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(params.last("b"), Some("x y+z"));
        assert_eq!((params.last("c"), params.last("d"), params.last("e")), (Some(""), Some("é="), None));
        assert!(Params::parse(Some("a=%ff")).is_err());
        assert_eq!(Params::parse(None).unwrap().iter().count(), 0);
    }

    #[test]
    fn a_time_may_lack_its_seconds() {
        let full = annals_json::parse_time("2023-12-01T10:00:00+02:00");
        assert!(full.is_some());
        assert_eq!(iso_time("2023-12-01T10:00+02:00"), full);
        assert_eq!(iso_time("2023-12-01T08:00Z"), full);
        assert_eq!(iso_time("2023-12-01T10:00:00+02:00"), full);
        for wrong in ["2023-12-01T10:00", "2023-12-01T10Z", "2023-12-01T10:0:Z", "2023-12-01T10:61Z", "é", ""] {
            assert_eq!(iso_time(wrong), annals_json::parse_time(wrong), "{wrong}");
        }
        assert_eq!(iso_time("2023-12-01T10:61Z"), None);
    }

    #[test]
    fn whole_numbers_have_a_range() {
        assert_eq!(whole("n", "5", 1, 500), Ok(5));
        for (text, message) in [
            ("0", "must be >= 1"),
            ("501", "must be <= 500"),
            ("-1", "must be >= 1"),
            ("99999999999999999999", "must be <= 500"),
            ("1.5", "must be integer"),
            ("+5", "must be integer"),
            ("", "must be integer"),
            ("-", "must be integer"),
        ] {
            assert_eq!(whole("n", text, 1, 500).unwrap_err().message, message, "{text}");
        }
    }
}
