//! What a setting holds and how people write it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// What a setting holds, whatever its type in the code is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing: the setting is not set and has no default.
    Unset,
    /// Yes or no.
    Flag(bool),
    /// A number, or bytes where the kind is a size.
    Whole(u64),
    /// A length of time; zero is written `never` where the kind has that.
    Span(Duration),
    /// A text, a path, an address, a word of a choice.
    Text(String),
    /// Texts in their order.
    List(Vec<String>),
    /// Names with texts each.
    Groups(BTreeMap<String, Vec<String>>),
}

/// What a setting may hold. Ranges are inclusive.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A number.
    Count(u64, u64),
    /// Bytes, such as `64MiB`.
    Size(u64, u64),
    /// A length of time, such as `5s`.
    Span(Duration, Duration),
    /// The same, or `never`, which is zero.
    SpanOrNever(Duration, Duration),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// A text that is never shown.
    Secret,
    /// Texts.
    List,
    /// Names with texts each.
    Groups,
}

/// Units of time, the longest first.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("ms", 1), ("s", 1000)];
/// Units of bytes, the largest first.
const SIZES: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Reads `1048576`, `1MiB`, `64KiB`, `2 GiB`; binary units only, in any case.
///
/// # Errors
/// A sentence that says how a size is written.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a whole number of bytes or has KiB, MiB, GiB or TiB behind it, such as 64MiB".to_owned();
    let text = text.trim();
    let digits_end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let unit = unit.trim_start();
    let bytes = match SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) {
        Some((_, bytes)) => *bytes,
        None if unit.is_empty() || unit.eq_ignore_ascii_case("b") => 1,
        None => return Err(wrong()),
    };
    count.checked_mul(bytes).ok_or_else(wrong)
}

/// Reads `200ms`, `30s`, `15m`, `1h`, `1d`, `1w`: a whole number of at least 1 and a unit.
///
/// # Errors
/// A sentence that says how a length of time is written.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    parse_any_span(text).filter(|span| !span.is_zero()).ok_or_else(|| SPAN_FORM.to_owned())
}

const SPAN_FORM: &str = "a length of time is written as 200ms, 30s, 15m, 1h, 1d or 1w";

fn parse_any_span(text: &str) -> Option<Duration> {
    let digits_end = text.find(|character: char| !character.is_ascii_digit())?;
    let (digits, unit) = text.split_at(digits_end);
    let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some(Duration::from_millis(u64::from(digits.parse::<u32>().ok()?).checked_mul(*unit_ms)?))
}

/// Writes bytes in the largest unit that leaves a whole number.
pub fn write_size(bytes: u64) -> String {
    let unit = SIZES.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes}B"), |(name, unit)| format!("{}{name}", bytes / unit))
}

/// Writes a length of time in the longest unit up to days that leaves a whole number; it is whole milliseconds.
pub fn write_span(span: Duration) -> String {
    let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let fits = |name: &str| UNITS.iter().find(|(unit, size)| *unit == name && ms >= *size && ms.is_multiple_of(*size));
    let unit = ["d", "h", "m", "s", "ms"].iter().find_map(|name| fits(name));
    unit.map_or_else(|| "0s".to_owned(), |(name, size)| format!("{}{name}", ms / size))
}

impl Kind {
    /// Reads what the environment or a flag says: one text, or for a flag several.
    ///
    /// # Errors
    /// What it must be, to be put behind the name of the setting.
    pub(super) fn read_words(self, words: &[String]) -> Result<Value, String> {
        if let Kind::List = self {
            let parts = words.iter().flat_map(|word| word.split(',')).map(str::trim);
            return Ok(Value::List(parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()));
        }
        let word = words.last().map_or("", String::as_str);
        match self {
            Kind::Flag => match word.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(Value::Flag(true)),
                "false" | "no" | "off" | "0" => Ok(Value::Flag(false)),
                _ => Err(format!("is {word:?}, must be true or false")),
            },
            Kind::Count(..) => match word.parse() {
                Ok(count) => self.in_range(Value::Whole(count)),
                Err(_) => Err(format!("is {word:?}, must be a whole number")),
            },
            Kind::Groups => groups(word),
            _ => self.read_text(word),
        }
    }

    /// Reads a text of a file, the environment or a flag.
    pub(super) fn read_text(self, text: &str) -> Result<Value, String> {
        match self {
            Kind::Size(..) => {
                let bytes = parse_size(text).map_err(|form| format!("is {text:?}: {form}"))?;
                self.in_range(Value::Whole(bytes))
            }
            Kind::SpanOrNever(..) if text == "never" => Ok(Value::Span(Duration::ZERO)),
            Kind::SpanOrNever(..) => {
                let span = parse_any_span(text).ok_or_else(|| format!("is {text:?}: {SPAN_FORM}, or never"))?;
                self.in_range(Value::Span(span))
            }
            Kind::Span(..) => {
                let span = parse_any_span(text).ok_or_else(|| format!("is {text:?}: {SPAN_FORM}"))?;
                self.in_range(Value::Span(span))
            }
            Kind::Choice(words) if !words.contains(&text) => Err(format!("is {text:?}, must be {}", listed(words))),
            Kind::Choice(_) | Kind::Text | Kind::Secret => Ok(Value::Text(text.to_owned())),
            Kind::Flag | Kind::Count(..) | Kind::List | Kind::Groups => {
                Err(format!("is a text, must be {}", self.form()))
            }
        }
    }

    /// Reads a whole number of a file.
    pub(super) fn read_whole(self, count: Option<u64>) -> Result<Value, String> {
        match (self, count) {
            (Kind::Count(..) | Kind::Size(..), Some(count)) => self.in_range(Value::Whole(count)),
            (Kind::Count(..) | Kind::Size(..), None) => Err(format!("is out of range{}", self.range_clause())),
            _ => Err(format!("is a number, must be {}", self.form())),
        }
    }

    fn in_range(self, value: Value) -> Result<Value, String> {
        let is_within = match (self, &value) {
            (Kind::Count(min, max) | Kind::Size(min, max), Value::Whole(count)) => (min..=max).contains(count),
            (Kind::Span(min, max) | Kind::SpanOrNever(min, max), Value::Span(span)) => (min..=max).contains(span),
            _ => true,
        };
        if is_within { Ok(value) } else { Err(format!("is {}{}", self.shown(&value), self.range_clause())) }
    }

    fn range_clause(self) -> String {
        self.range().map_or_else(String::new, |range| format!(", the range is {range}"))
    }

    /// The range in words, if the kind has one.
    pub fn range(self) -> Option<String> {
        match self {
            Kind::Count(min, max) => Some(format!("{min} to {max}")),
            Kind::Size(min, max) => Some(format!("{} to {}", write_size(min), write_size(max))),
            Kind::Span(min, max) => Some(format!("{} to {}", write_span(min), write_span(max))),
            Kind::SpanOrNever(min, max) => Some(format!("{} to {}, or never", write_span(min), write_span(max))),
            Kind::Choice(words) => Some(listed(words)),
            Kind::Flag | Kind::Text | Kind::Secret | Kind::List | Kind::Groups => None,
        }
    }

    /// What it is in a file.
    pub(super) fn form(self) -> &'static str {
        match self {
            Kind::Flag => "true or false",
            Kind::Count(..) => "a whole number",
            Kind::Size(..) => "a number of bytes or a text such as \"64MiB\"",
            Kind::Span(..) | Kind::SpanOrNever(..) => "a text such as \"5s\"",
            Kind::Choice(_) | Kind::Text | Kind::Secret => "a text in quotes",
            Kind::List => "a list of texts",
            Kind::Groups => "a table of lists of texts",
        }
    }

    /// A value as people read it, on one line; a secret is not shown.
    pub fn shown(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Unset) => "(not set)".to_owned(),
            (Kind::Secret, _) => "(hidden)".to_owned(),
            (_, Value::Text(text)) => text.clone(),
            (_, Value::List(list)) if list.is_empty() => "(none)".to_owned(),
            (_, Value::Groups(groups)) if groups.is_empty() => "(none)".to_owned(),
            (_, Value::List(list)) => list.join(","),
            (_, Value::Groups(groups)) => {
                let one = |(name, texts): (&String, &Vec<String>)| format!("{name}={}", texts.join(","));
                groups.iter().map(one).collect::<Vec<_>>().join(";")
            }
            _ => self.toml(value).trim_matches('"').to_owned(),
        }
    }

    /// A value as it stands in a file.
    pub(super) fn toml(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Unset) => "\"\"".to_owned(),
            (_, Value::Flag(flag)) => flag.to_string(),
            (Kind::Size(..), Value::Whole(bytes)) => format!("\"{}\"", write_size(*bytes)),
            (_, Value::Whole(count)) => count.to_string(),
            (Kind::SpanOrNever(..), Value::Span(Duration::ZERO)) => "\"never\"".to_owned(),
            (_, Value::Span(span)) => format!("\"{}\"", write_span(*span)),
            (_, Value::Text(text)) => quoted(text),
            (_, Value::List(list)) => listed_toml(list),
            (_, Value::Groups(groups)) => {
                let one = |(name, texts): (&String, &Vec<String>)| format!("{} = {}", quoted(name), listed_toml(texts));
                let inner = groups.iter().map(one).collect::<Vec<_>>().join(", ");
                if inner.is_empty() { "{}".to_owned() } else { format!("{{ {inner} }}") }
            }
        }
    }
}

fn listed(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn listed_toml(list: &[String]) -> String {
    format!("[{}]", list.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// A text of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            // Writing to a text cannot fail.
            _ if character.is_control() => _ = write!(out, "\\u{:04x}", u32::from(character)),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// Reads `name=text,text;name=text`.
fn groups(word: &str) -> Result<Value, String> {
    let mut groups = BTreeMap::new();
    for part in word.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, texts) = part.split_once('=').ok_or("must be written as group=type,type;group=type")?;
        let texts = texts.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect();
        groups.insert(name.trim().to_owned(), texts);
    }
    Ok(Value::Groups(groups))
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
            ("1TiB", Some(1 << 40)),
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
        for (bytes, text) in [(0, "0B"), (5, "5B"), (1 << 20, "1MiB"), (1025, "1025B"), (3 << 40, "3TiB")] {
            assert_eq!((write_size(bytes).as_str(), parse_size(text)), (text, Ok(bytes)));
        }
    }

    #[test]
    fn spans_have_a_unit() {
        for (text, expected) in [
            ("1h", Some(3_600_000)),
            ("15m", Some(900_000)),
            ("2w", Some(1_209_600_000)),
            ("200ms", Some(200)),
            ("4294967295w", Some(4_294_967_295 * 604_800_000)),
            ("4294967296s", None),
            ("0h", None),
            ("h", None),
            ("5", None),
            ("-1d", None),
            ("1.5h", None),
            ("1é", None),
        ] {
            assert_eq!(parse_span(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
        for (ms, text) in [(0, "0s"), (1, "1ms"), (1000, "1s"), (90_000, "90s"), (7 * 86_400_000, "7d")] {
            assert_eq!(write_span(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn ranges_include_their_ends_and_nothing_else() {
        let second = Duration::from_secs(1);
        let words = |kind: Kind, word: &str| kind.read_words(&[word.to_owned()]);
        let span = Kind::SpanOrNever(second, 2 * second);
        for (kind, good, bad) in [
            (Kind::Count(2, 3), ["2", "3"], ["1", "4"]),
            (Kind::Size(1 << 10, 1 << 20), ["1KiB", "1MiB"], ["1023", "1048577"]),
            (span, ["1s", "2s"], ["999ms", "2001ms"]),
            (Kind::Choice(&["a", "b"]), ["a", "b"], ["c", ""]),
            (Kind::Flag, ["true", "off"], ["maybe", ""]),
        ] {
            assert!(good.iter().all(|word| words(kind, word).is_ok()), "{kind:?}");
            assert!(bad.iter().all(|word| words(kind, word).is_err()), "{kind:?}");
        }
        assert_eq!(words(span, "never"), Ok(Value::Span(Duration::ZERO)));
        assert_eq!(words(span, "3s").unwrap_err(), "is 3s, the range is 1s to 2s, or never");
        assert_eq!(words(Kind::Choice(&["a", "b"]), "c").unwrap_err(), "is \"c\", must be a or b");
    }

    #[test]
    fn groups_are_written_with_semicolons() {
        let read = Kind::Groups.read_words(&["a = x, y; b=z;".to_owned()]).unwrap();
        assert_eq!(Kind::Groups.shown(&read), "a=x,y;b=z");
        assert_eq!(Kind::Groups.toml(&read), "{ \"a\" = [\"x\", \"y\"], \"b\" = [\"z\"] }");
        assert!(Kind::Groups.read_words(&["a".to_owned()]).is_err());
    }

    #[test]
    fn a_text_is_quoted_so_that_nothing_ends_it() {
        assert_eq!(quoted("a\"b\\c\n\u{7}é"), "\"a\\\"b\\\\c\\u000a\\u0007é\"");
    }
}
