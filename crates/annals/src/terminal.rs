//! Standard output and standard error.

use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use unicode_width::UnicodeWidthStr as _;

/// Says one line on standard error. If even that fails there is nobody left to tell.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Says what a degraded server may not have shown.
pub(crate) fn say_gap(sequences: &str) {
    let mut shown = String::new();
    push_harmless(&mut shown, sequences);
    say(format_args!("warning: the store is damaged, and events of these sequences may be missing: {shown}"));
}

/// Standard output, buffered: flush it at the end.
pub(crate) fn out() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 16, io::stdout().lock())
}

/// Whether a person watches.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Appends `text` so that it can neither move the cursor nor turn the reading direction of what
/// follows.
pub(crate) fn push_harmless(out: &mut String, text: &str) {
    for character in text.chars() {
        let is_harmful = character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if is_harmful {
            write!(out, "{}", character.escape_unicode()).expect("memory takes any text");
        } else {
            out.push(character);
        }
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Rows as lines, each column as wide as it needs.
pub(crate) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 2));
        }
        line.truncate(line.trim_end().len());
        line
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
    }

    #[test]
    fn texts_cannot_take_over_the_terminal() {
        let mut out = String::new();
        push_harmless(&mut out, "a\u{1b}[2J\u{202e}ä\n");
        assert_eq!(out, "a\\u{1b}[2J\\u{202e}ä\\u{a}");
    }
}
