//! Standard output and standard error.

use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Says one line on standard error. If even that fails there is nobody left to tell.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The width of standard output, if it is a terminal.
pub(crate) fn columns() -> Option<usize> {
    let stdout = io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok())??;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// No wider than `width_max`, with a mark where something is missing, if it is `marked`.
pub(crate) fn cut(text: &str, width_max: usize, marked: bool) -> String {
    if text.width() <= width_max {
        return text.to_owned();
    }
    let room = width_max.saturating_sub(usize::from(marked));
    let mut width = 0;
    let fits = |character: &char| {
        width += character.width().unwrap_or(0);
        width <= room
    };
    let mut shown: String = text.chars().take_while(fits).collect();
    if marked && width_max > 0 {
        shown.push('…');
    }
    shown
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

/// Rows as lines, each column as wide as it needs, numbers to the right. The first row is the header.
pub(crate) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    // Width, whether there are figures only, and whether there is one.
    let mut columns: Vec<(usize, bool, bool)> = Vec::new();
    for (position, row) in rows.iter().enumerate() {
        columns.resize(columns.len().max(row.len()), (0, true, false));
        for ((width, are_figures, has_digits), cell) in columns.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
            *are_figures &= position == 0 || is_figure(cell);
            *has_digits |= position > 0 && cell.bytes().any(|byte| byte.is_ascii_digit());
        }
    }
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, (width, are_figures, has_digits)) in row.iter().zip(&columns) {
            let padding = std::iter::repeat_n(' ', width.saturating_sub(cell.width()));
            if *are_figures && *has_digits {
                line.extend(padding);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.extend(padding);
            }
            line.push_str("  ");
        }
        line.truncate(line.trim_end().len());
        line
    };
    rows.iter().map(line).collect()
}

fn is_figure(cell: &str) -> bool {
    cell == "-" || cell.chars().all(|character| character.is_ascii_digit() || matches!(character, ',' | '.' | '%'))
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
    fn columns_are_as_wide_as_they_need() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["NAME", "N", "NOTE"]), row(["a", "1,000", "x"]), row(["longer", "7", ""])];
        assert_eq!(aligned(&rows), ["NAME        N  NOTE", "a       1,000  x", "longer      7"]);
    }

    #[test]
    fn texts_cannot_take_over_the_terminal() {
        let mut out = String::new();
        push_harmless(&mut out, "a\u{1b}[2J\u{202e}ä\n");
        assert_eq!(out, "a\\u{1b}[2J\\u{202e}ä\\u{a}");
    }
}
