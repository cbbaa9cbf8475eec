//! Comma-separated values: a header line, one line an event (RFC 4180, but for its line ends: a line
//! feed alone, which every reader takes).

use std::io::Write as _;

use super::columns::{Column, Kind, Row};
use super::format::Writer;
use super::sink::Sink;
use crate::failure::Result;

/// What a spreadsheet takes for the beginning of a formula, full-width forms included, and the white
/// space that it may pass over to get there.
const FORMULA_STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Events as CSV.
pub(super) struct Csv {
    sink: Sink,
    columns: Vec<Column>,
    /// Leave what looks like a formula alone.
    exact: bool,
    lines: String,
}

impl Csv {
    pub(super) fn new(sink: Sink, columns: Vec<Column>, exact: bool) -> Result<Self> {
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        let lines = format!("{}\n", names.join(","));
        let mut csv = Self { sink, columns, exact, lines };
        csv.write_lines()?;
        Ok(csv)
    }

    fn write_lines(&mut self) -> Result<()> {
        let written = self.sink.write_all(self.lines.as_bytes());
        self.lines.clear();
        written.map_err(|error| self.sink.failure(error))
    }
}

impl Writer for Csv {
    fn write(&mut self, events: &[String]) -> Result<()> {
        for event in events {
            let row = Row::read(event)?;
            for (position, column) in self.columns.iter().enumerate() {
                if position > 0 {
                    self.lines.push(',');
                }
                if let Some(text) = row.text(*column)? {
                    // The others are made here, and a sign in front of a number is no formula.
                    let is_given = matches!(column.kind, Kind::Text);
                    push_cell(&mut self.lines, &text, is_given && !self.exact);
                }
            }
            self.lines.push('\n');
        }
        self.write_lines()
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        self.sink.finish()
    }
}

/// Appends a cell. A `guarded` one that begins like a formula, behind any number of `'`, gets one more
/// `'` in front: so every value can be told from every other, and the `'` be taken away again.
fn push_cell(out: &mut String, text: &str, guarded: bool) {
    let is_formula = guarded && text.trim_start_matches('\'').starts_with(FORMULA_STARTS);
    let edge = |character: Option<char>| character.is_some_and(char::is_whitespace);
    let is_quoted = text.is_empty()
        || text.contains(['"', ',', '\n', '\r'])
        || edge(text.chars().next())
        || edge(text.chars().next_back());
    if is_quoted {
        out.push('"');
    }
    if is_formula {
        out.push('\'');
    }
    for (position, part) in text.split('"').enumerate() {
        if position > 0 {
            out.push_str("\"\"");
        }
        out.push_str(part);
    }
    if is_quoted {
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str, guarded: bool) -> String {
        let mut out = String::new();
        push_cell(&mut out, text, guarded);
        out
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        for (text, shown) in [
            ("plain text", "plain text"),
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            (" edge", "\" edge\""),
            ("{\"a\":1}", "\"{\"\"a\"\":1}\""),
            ("ä|ö;ü", "ä|ö;ü"),
        ] {
            assert_eq!(cell(text, true), shown);
        }
    }

    #[test]
    fn formulas_are_disarmed_and_can_be_restored() {
        for (text, shown) in [
            ("=1+1", "'=1+1"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "\"'\t=1\""),
            ("＝1", "'＝1"),
            ("'=1", "''=1"),
            ("'tis", "'tis"),
            ("a=b", "a=b"),
            ("=cmd|' /C calc'!A0,\"x\"", "\"'=cmd|' /C calc'!A0,\"\"x\"\"\""),
        ] {
            assert_eq!(cell(text, true), shown);
        }
        assert_eq!(cell("=1+1", false), "=1+1");
    }
}
