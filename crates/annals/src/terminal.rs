//! Standard output and standard error.

use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Says one line on standard error. If even that fails there is nobody left to tell.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Standard output, buffered: flush it at the end.
pub(crate) fn out() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(1 << 16, io::stdout().lock())
}

/// Whether a person watches.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Whether a character does something to those who read it besides being shown: moves the cursor, begins a line, turns
/// the reading direction, or hides.
pub(crate) fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(character, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Appends `text` so that it can neither move the cursor nor turn the reading direction of what
/// follows.
pub(crate) fn push_harmless(out: &mut String, text: &str) {
    for character in text.chars() {
        if is_harmful(character) {
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
