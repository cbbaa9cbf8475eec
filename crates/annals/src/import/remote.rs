//! Into a running server, batch by batch. Every event is sent with an id, so that a batch whose
//! answer was lost can be sent again.

use std::sync::{Mutex, PoisonError};

use annals_engine::{Batch, EventId};
use annals_json::{BatchReader, EventError, ImportIds, IncomingEvent, Line, LineError};
use serde::Deserialize;

use super::progress::Progress;
use super::{Importer, Totals, give_id};
use crate::client::Client;
use crate::failure::{Failure, Result, while_doing};
use crate::signals::Stop;
use crate::source::Source;

/// Good lines are stored even if the server finds others bad.
const INGEST_PATH: &str = "/annals/v1/events?partial=true";
const CONTENT_TYPE: &str = "application/x-ndjson";

/// A server to import into.
pub(super) struct Remote {
    client: Client,
}

/// The lines of one request.
#[derive(Default)]
struct Outgoing {
    body: Vec<u8>,
    /// Where each of them came from.
    line_numbers: Vec<u64>,
}

#[derive(Deserialize)]
struct IngestAnswer {
    accepted: u64,
    duplicates: u64,
    rejected: u64,
    #[serde(default)]
    errors: Vec<IngestError>,
}

#[derive(Deserialize)]
struct IngestError {
    line: usize,
    error: String,
}

impl Remote {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    fn send(&self, file: &str, outgoing: &Outgoing, totals: &mut Totals) -> Result<()> {
        let answer = self.client.post(INGEST_PATH, CONTENT_TYPE, &outgoing.body)?;
        let Ok(counts) = serde_json::from_slice::<IngestAnswer>(&answer.body) else {
            return Err(self.client.refused(&answer));
        };
        totals.accepted += counts.accepted;
        totals.duplicates += counts.duplicates;
        let errors: Vec<LineError> = counts
            .errors
            .into_iter()
            .map(|error| {
                let position = error.line.saturating_sub(1);
                let line = outgoing.line_numbers.get(position).copied().unwrap_or(0);
                LineError { line, message: error.error }
            })
            .collect();
        totals.reject(file, counts.rejected, &errors);
        // The server did not get to the end of what it was sent: bad lines alone would not be an error.
        if answer.status == 200 { Ok(()) } else { Err(self.client.refused(&answer)) }
    }
}

impl Importer for Remote {
    fn import(&mut self, source: Source, totals: &mut Totals, progress: &mut Progress, stop: &Stop) -> Result<()> {
        let ids = ImportIds::new();
        let outgoing = Mutex::new(Outgoing::default());
        let hook = |event: &mut IncomingEvent<'_>, line: Line<'_>| {
            let had_id = event.id.is_some();
            give_id(&ids, event, line);
            check_limits(event)?;
            let mut outgoing = outgoing.lock().unwrap_or_else(PoisonError::into_inner);
            push_line(&mut outgoing.body, line.bytes, event.id.filter(|_| !had_id));
            outgoing.line_numbers.push(line.number);
            Ok(())
        };
        // One thread: the lines of a request keep their order.
        let mut reader = BatchReader::new(source.reader);
        while !stop.is_asked() {
            let parsed = reader.next_batch(&hook).map_err(while_doing(format_args!("read {}", source.name)))?;
            let Some(parsed) = parsed else { break };
            totals.reject(&source.name, parsed.rejected, &parsed.errors);
            let lines = std::mem::take(&mut *outgoing.lock().unwrap_or_else(PoisonError::into_inner));
            if !lines.line_numbers.is_empty() {
                self.send(&source.name, &lines, totals)?;
            }
            progress.show(totals.lines());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        // Every answer came after the acknowledgement of the server's level.
        Ok(())
    }
}

/// A line that no store would take is not sent.
fn check_limits(event: &IncomingEvent<'_>) -> Result<(), EventError> {
    Ok(Batch::new().push(&event.as_event())?)
}

/// Appends a line, which is a JSON object, with the id it was given. At the end: of repeated keys the
/// last one counts, so an `"id":null` of the line does not matter.
fn push_line(body: &mut Vec<u8>, line: &[u8], id: Option<EventId>) {
    let without_brace = line.trim_ascii().strip_suffix(b"}");
    match (id, without_brace) {
        (Some(id), Some(start)) => {
            body.extend_from_slice(start);
            body.extend_from_slice(format!(",\"id\":\"{id}\"}}").as_bytes());
        }
        _ => body.extend_from_slice(line),
    }
    body.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gets_its_id_at_the_end() {
        let id = EventId::from_u128(5);
        let mut body = Vec::new();
        push_line(&mut body, br#"{"event_type":"a","id":null } "#, Some(id));
        push_line(&mut body, br#"{"event_type":"b"}"#, None);
        let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
        assert_eq!(annals_json::parse_event(lines[0]).unwrap().id, Some(id));
        assert_eq!(lines[1], br#"{"event_type":"b"}"#);
    }
}
