//! The log of acknowledgements: what a client asked and was told, a line each, with the time.
//!
//! It lies on another disk than the store, so that it outlives whatever happens to that one.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Failure;
use crate::batch::{Batch, Place};

/// What was told about a change: `None` if there was no answer, or one that leaves it open.
pub(crate) type Known = Option<bool>;

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Delete,
    Acknowledge,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Change::Delete => "delete",
            Change::Acknowledge => "mark",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        match word.trim_start_matches("reopened-") {
            "delete" => Some(Change::Delete),
            "mark" => Some(Change::Acknowledge),
            _ => None,
        }
    }
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A batch is about to be sent.
    Sent(Batch),
    /// So many events of a batch are stored, the server says.
    Acknowledged { batch: u64, stored: u64 },
    /// A batch without an answer was found, or was sent again and answered.
    Settled { batch: u64 },
    /// A batch that was acknowledged is gone, as its level allows.
    Lost { batch: u64 },
    /// A batch was acknowledged too late to count: it may be there or not.
    Reopened { batch: u64 },
    /// The same of a change.
    ChangeReopened { change: Change, place: Place },
    /// A change that was asked for at that time, and what became of it.
    Changed { change: Change, place: Place, asked_ms: u64, known: Known },
}

/// Milliseconds of the wall clock.
pub(crate) fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a client notes when it was told what")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Line {
    fn write(&self, at_ms: u64) -> String {
        match self {
            Line::Sent(Batch { name, count, with_ids, text }) => {
                format!("{at_ms} sent {name} {count} {} {text}\n", u8::from(*with_ids))
            }
            Line::Acknowledged { batch, stored } => format!("{at_ms} acknowledged {batch} {stored}\n"),
            Line::Settled { batch } => format!("{at_ms} settled {batch}\n"),
            Line::Lost { batch } => format!("{at_ms} lost {batch}\n"),
            Line::Reopened { batch } => format!("{at_ms} reopened {batch}\n"),
            Line::ChangeReopened { change, place: Place { batch, index } } => {
                format!("{at_ms} reopened-{} {batch} {index}\n", change.word())
            }
            Line::Changed { change, place: Place { batch, index }, asked_ms, known } => {
                let what = change.word();
                let known = known.map_or("open", |done| if done { "done" } else { "refused" });
                format!("{at_ms} {what} {batch} {index} {asked_ms} {known}\n")
            }
        }
    }

    fn parse(text: &str) -> Option<(u64, Self)> {
        let mut words = text.split(' ');
        let at_ms = words.next()?.parse().ok()?;
        let what = words.next()?;
        let batch = words.next()?.parse().ok()?;
        let mut number = || words.next()?.parse::<u64>().ok();
        let line = match what {
            "sent" => Line::Sent(Batch { name: batch, count: number()?, with_ids: number()? == 1, text: number()? }),
            "acknowledged" => Line::Acknowledged { batch, stored: number()? },
            "settled" => Line::Settled { batch },
            "lost" => Line::Lost { batch },
            "reopened" => Line::Reopened { batch },
            "reopened-delete" | "reopened-mark" => {
                Line::ChangeReopened { change: Change::of_word(what)?, place: Place { batch, index: number()? } }
            }
            "delete" | "mark" => {
                let change = Change::of_word(what)?;
                let (index, asked_ms) = (number()?, number()?);
                let known = match words.next()? {
                    "open" => None,
                    word => Some(word == "done"),
                };
                Line::Changed { change, place: Place { batch, index }, asked_ms, known }
            }
            _ => return None,
        };
        Some((at_ms, line))
    }
}

/// The file, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Journal(Option<File>);

impl Journal {
    /// Opens the file for more lines and gives those that are in it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<(u64, Line)>), Failure> {
        let text = if path.exists() { std::fs::read_to_string(path)? } else { String::new() };
        let mut lines = Vec::new();
        for line in text.lines() {
            lines.push(Line::parse(line).ok_or_else(|| format!("not a line of a log of acknowledgements: {line}"))?);
        }
        let file = File::options().create(true).append(true).open(path)?;
        Ok((Self(Some(file)), lines))
    }

    pub(crate) fn write(&mut self, at_ms: u64, line: &Line) -> Result<(), Failure> {
        if let Some(file) = &mut self.0 {
            file.write_all(line.write(at_ms).as_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read_as_it_was_written() {
        let place = Place { batch: 7, index: 3 };
        let changed = |change, known| Line::Changed { change, place, asked_ms: 5, known };
        let lines = [
            Line::Sent(Batch { name: 7, count: 9, with_ids: true, text: 100 }),
            Line::Sent(Batch { name: 8, count: 1, with_ids: false, text: 0 }),
            Line::Acknowledged { batch: 7, stored: 9 },
            Line::Settled { batch: 7 },
            Line::Lost { batch: u64::MAX },
            Line::Reopened { batch: 7 },
            Line::ChangeReopened { change: Change::Delete, place },
            Line::ChangeReopened { change: Change::Acknowledge, place },
            changed(Change::Delete, None),
            changed(Change::Delete, Some(true)),
            changed(Change::Acknowledge, Some(false)),
        ];
        for line in lines {
            assert_eq!(Line::parse(line.write(42).trim_end()), Some((42, line)));
        }
        assert_eq!(Line::parse("42 forgotten 7"), None);
    }
}
