//! Events as a table for people.

use std::io::{IsTerminal as _, Write};

use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use crate::failure::{Result, while_doing};
use crate::terminal::{columns, cut, push_harmless};

const COLUMN_COUNT: usize = 6;

/// One of the table's columns.
struct Column {
    header: &'static str,
    /// The event's member, or two, joined by a space.
    members: &'static [&'static str],
    /// The width beyond which a cell is cut.
    width_max: usize,
    /// The least it is cut to where the terminal is narrow.
    width_min: usize,
}

const COLUMNS: [Column; COLUMN_COUNT] = [
    Column { header: "CREATED AT", members: &["created_at"], width_max: 27, width_min: 19 },
    Column { header: "SEV", members: &["severity"], width_max: 8, width_min: 4 },
    Column { header: "EVENT TYPE", members: &["event_type"], width_max: 32, width_min: 14 },
    Column { header: "RESOURCE", members: &["resource_type", "resource_id"], width_max: 44, width_min: 10 },
    Column { header: "USER", members: &["user_id"], width_max: 28, width_min: 6 },
    Column { header: "MESSAGE", members: &["message"], width_max: 100, width_min: 14 },
];
/// Which of them is the time, and which the severity.
const TIME: usize = 0;
const SEVERITY: usize = 1;
const GAP: usize = 2;

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// A table on its way out, as wide as its content needs and the terminal has room for.
pub(crate) struct Table {
    widths: [usize; COLUMN_COUNT],
    /// Columns of the terminal, if it is one.
    room: Option<usize>,
    colours: bool,
    has_header: bool,
}

impl Table {
    /// For standard output, in colours if it is a terminal and nobody minds.
    pub(crate) fn to_stdout() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let unwanted = |name: &str, value: Option<&str>| {
            std::env::var(name).is_ok_and(|held| value.map_or(!held.is_empty(), |value| held == value))
        };
        let colours = is_terminal && !unwanted("NO_COLOR", None) && !unwanted("TERM", Some("dumb"));
        Self::new(columns(), colours)
    }

    fn new(room: Option<usize>, colours: bool) -> Self {
        Self { widths: [0; COLUMN_COUNT], room, colours, has_header: false }
    }

    /// Writes the header before the first rows. Columns never get narrower from one call to the next.
    pub(crate) fn write(&mut self, out: &mut impl Write, events: &[String]) -> Result<()> {
        let header = COLUMNS.map(|column| column.header.to_owned());
        let mut rows: Vec<[String; COLUMN_COUNT]> = Vec::with_capacity(events.len());
        for event in events {
            let event: Value = serde_json::from_str(event).map_err(while_doing("read an event"))?;
            rows.push(COLUMNS.map(|column| cell(&event, &column)));
        }
        for row in std::iter::once(&header).chain(&rows) {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        fit(&mut self.widths, self.room);
        if !std::mem::replace(&mut self.has_header, true) {
            let line = self.line(&header, None);
            if self.colours { writeln!(out, "{BOLD}{line}{PLAIN}")? } else { writeln!(out, "{line}")? }
        }
        for row in &rows {
            let colour = row.get(SEVERITY).filter(|_| self.colours).and_then(|severity| colour_of(severity));
            writeln!(out, "{}", self.line(row, colour))?;
        }
        Ok(())
    }

    fn line(&self, row: &[String; COLUMN_COUNT], colour: Option<&str>) -> String {
        let (mut line, mut owed) = (String::new(), 0);
        for (position, (cell, width)) in row.iter().zip(self.widths).enumerate() {
            let mut shown = cut(cell, width, position != TIME);
            if position == TIME && shown.ends_with('.') {
                shown.pop();
            }
            // What is behind the last cell stays away.
            line.extend(std::iter::repeat_n(' ', if shown.is_empty() { 0 } else { owed }));
            let taken = shown.width();
            match colour.filter(|_| position == SEVERITY) {
                Some(colour) => line.extend([colour, shown.as_str(), PLAIN]),
                None => line.push_str(&shown),
            }
            owed = if taken == 0 { owed } else { 0 } + width.saturating_sub(taken) + GAP;
        }
        line
    }
}

/// Takes from the columns that have most to give until the line fits.
fn fit(widths: &mut [usize; COLUMN_COUNT], room: Option<usize>) {
    let Some(room) = room else { return };
    let gaps = GAP * (COLUMN_COUNT - 1);
    if widths.iter().sum::<usize>() + gaps > room {
        // Nobody misses the fractions of a second most.
        for (width, column) in widths.iter_mut().zip(COLUMNS).take(TIME + 1) {
            *width = column.width_min.min(*width);
        }
    }
    while widths.iter().sum::<usize>() + gaps > room {
        let spare = |(position, width): (usize, &usize)| {
            let least = COLUMNS.get(position).map_or(0, |column| column.width_min);
            (width.saturating_sub(least), position)
        };
        let Some((1.., widest)) = widths.iter().enumerate().map(spare).max() else { return };
        if let Some(width) = widths.get_mut(widest) {
            *width -= 1;
        }
    }
}

fn colour_of(severity: &str) -> Option<&'static str> {
    match severity {
        "error" => Some(RED),
        "warn" => Some(YELLOW),
        "success" => Some(GREEN),
        _ => None,
    }
}

fn cell(event: &Value, column: &Column) -> String {
    let mut text = String::new();
    for member in column.members {
        let value = match event.get(member) {
            None | Some(Value::Null) => continue,
            Some(Value::String(value)) => value.clone(),
            Some(other) => other.to_string(),
        };
        if !text.is_empty() {
            text.push(' ');
        }
        push_harmless(&mut text, &value);
    }
    cut(&text, column.width_max, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(table: &mut Table, events: &[String]) -> Vec<String> {
        let mut out = Vec::new();
        table.write(&mut out, events).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    fn events() -> [String; 2] {
        [
            r#"{"created_at":"t1","event_type":"a","resource_type":"vm","resource_id":7,"message":"x\u001b[1m"}"#
                .to_owned(),
            format!(
                "{{\"created_at\":\"t22\",\"severity\":\"error\",\"event_type\":\"bcd\",\"message\":\"{}\"}}",
                "ä".repeat(200)
            ),
        ]
    }

    #[test]
    fn cells_are_aligned_cut_and_harmless() {
        let mut table = Table::new(None, false);
        let lines = shown(&mut table, &events());
        assert_eq!(lines[0], "CREATED AT  SEV    EVENT TYPE  RESOURCE  USER  MESSAGE");
        assert_eq!(lines[1], "t1                 a           vm 7            x\\u{1b}[1m");
        assert!(lines[2].ends_with(&format!("{}…", "ä".repeat(99))));
        assert_eq!(shown(&mut table, &events()), lines[1..], "one header, and the same widths");
    }

    #[test]
    fn a_table_is_as_wide_as_the_terminal_at_most() {
        let wide = format!(
            "{{\"created_at\":\"2026-01-31T12:00:00.123456Z\",\"severity\":\"success\",\"event_type\":\"{0}\",\"user_id\":\"{0}\",\
             \"resource_type\":\"{0}\",\"message\":\"{0}\"}}",
            "語".repeat(60)
        );
        for room in [77, 80, 100, 200] {
            for line in shown(&mut Table::new(Some(room), false), std::slice::from_ref(&wide)) {
                assert!(line.width() <= room, "{room}: {line}");
            }
        }
        let narrow = shown(&mut Table::new(Some(80), false), &[wide]);
        assert!(narrow[1].starts_with("2026-01-31T12:00:00  succ"), "{}", narrow[1]);
    }

    #[test]
    fn only_severities_have_colours() {
        let lines = shown(&mut Table::new(None, true), &events());
        assert!(lines[0].starts_with(BOLD) && lines[2].contains(&format!("{RED}error{PLAIN}")));
        assert_eq!(lines[1].matches('\x1b').count(), 0);
    }
}
