//! Events as a table for people.

use std::io::Write;

use serde_json::Value;

use crate::failure::{Result, while_doing};
use crate::terminal::push_harmless;

/// Header, the event's member (or two, joined by a space), and the width beyond which a cell is cut.
const COLUMNS: [(&str, &[&str], usize); 6] = [
    ("CREATED AT", &["created_at"], 27),
    ("SEVERITY", &["severity"], 8),
    ("EVENT TYPE", &["event_type"], 32),
    ("RESOURCE", &["resource_type", "resource_id"], 44),
    ("USER", &["user_id"], 28),
    ("MESSAGE", &["message"], 100),
];

/// Writes rows as wide as their content needs.
pub(super) fn write(out: &mut impl Write, events: &[String], with_header: bool) -> Result<()> {
    let mut rows: Vec<[String; COLUMNS.len()]> = Vec::with_capacity(events.len() + 1);
    if with_header {
        rows.push(COLUMNS.map(|(header, _, _)| header.to_owned()));
    }
    for event in events {
        let event: Value = serde_json::from_str(event).map_err(while_doing("read an event"))?;
        rows.push(COLUMNS.map(|(_, members, width_max)| cell(&event, members, width_max)));
    }
    let mut widths = [0; COLUMNS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            let padding = width - cell.chars().count() + 2;
            line.extend(std::iter::repeat_n(' ', padding));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn cell(event: &Value, members: &[&str], width_max: usize) -> String {
    let mut text = String::new();
    for member in members {
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
    if text.chars().count() > width_max {
        text = text.chars().take(width_max - 1).collect();
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_aligned_cut_and_harmless() {
        let events = [
            r#"{"created_at":"t1","event_type":"a","resource_type":"vm","resource_id":7,"message":"x\u001b[1m"}"#
                .to_owned(),
            format!(
                "{{\"created_at\":\"t22\",\"severity\":\"info\",\"event_type\":\"bcd\",\"message\":\"{}\"}}",
                "ä".repeat(200)
            ),
        ];
        let mut out = Vec::new();
        write(&mut out, &events, true).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "CREATED AT  SEVERITY  EVENT TYPE  RESOURCE  USER  MESSAGE");
        assert_eq!(lines[1], "t1                    a           vm 7            x\\u{1b}[1m");
        assert!(lines[2].ends_with(&format!("{}…", "ä".repeat(99))));
    }
}
