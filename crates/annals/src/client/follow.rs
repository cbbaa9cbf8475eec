//! A server's tail: its events as they are appended, over one connection.

use std::io::{BufRead, BufReader, Read as _};
use std::time::Duration;

use super::{Answer, Client, push_parameter, read};
use crate::failure::{Failure, Result};

const PATH: &str = "/annals/v1/tail";
/// A server says something every 15 s unless it is told otherwise. Silence for so long is a connection
/// that is gone.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// The head of the answer comes at once.
const HEAD_TIME_MAX: Duration = Duration::from_secs(30);
/// The largest event, every byte of it escaped, and something around it.
const LINE_SIZE_MAX: u64 = 8 << 20;

/// One message of a tail.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Everything up to this sequence was sent.
    pub(crate) position: Option<u64>,
    /// What it is, if it is no event.
    pub(crate) name: Option<String>,
    pub(crate) data: String,
}

/// What came of asking for a tail.
pub(crate) enum Opened {
    Stream(Messages<Box<dyn BufRead + Send>>),
    /// The server said something else.
    Refused(Answer),
    /// There was no answer.
    Unreachable(ureq::Error),
}

/// The messages of one connection.
pub(crate) struct Messages<R>(R);

impl Client {
    /// The parameters of a tail that goes on behind `after`, or begins now.
    pub(crate) fn tail_path(parameters: &str, after: Option<u64>) -> String {
        let mut path = format!("{PATH}{parameters}");
        if let Some(after) = after {
            push_parameter(&mut path, "after", &after.to_string());
        }
        path
    }

    /// Asks for a tail, once.
    pub(crate) fn open_tail(&self, path: &str) -> Opened {
        let request = self.agent.get(format!("{}{path}", self.base));
        let request = request.config().timeout_global(None).timeout_recv_response(Some(HEAD_TIME_MAX));
        let mut request = request.timeout_per_read(Some(SILENCE_MAX)).build();
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        match request.call() {
            Err(error) => Opened::Unreachable(error),
            Ok(response) if response.status().as_u16() == 200 => {
                let reader = response.into_body().into_with_config().limit(u64::MAX).reader();
                Opened::Stream(Messages(Box::new(BufReader::new(reader))))
            }
            Ok(response) => match read(response) {
                Ok(answer) => Opened::Refused(answer),
                Err(error) => Opened::Unreachable(error),
            },
        }
    }

    /// The last sequence that a query would see now: what a tail that begins says first.
    pub(crate) fn visible_sequence(&self) -> Result<u64> {
        let mut messages = match self.open_tail(PATH) {
            Opened::Stream(messages) => messages,
            Opened::Refused(answer) => return Err(self.refused(&answer)),
            Opened::Unreachable(error) => return Err(self.unreachable(&error)),
        };
        while let Some(message) = messages.next().map_err(|error| self.unreachable(&ureq::Error::Io(error)))? {
            if let Some(position) = message.position {
                return Ok(position);
            }
        }
        Err(Failure::new(format_args!("{} does not say how many events it has", self.base)))
    }

    /// What it means that no tail can be had.
    pub(crate) fn no_tail(&self, error: &ureq::Error) -> Failure {
        self.unreachable(error)
    }
}

impl<R: BufRead> Messages<R> {
    /// The next message; `None` when the server has ended the stream.
    ///
    /// # Errors
    /// The connection broke, or what comes is no stream of messages.
    pub(crate) fn next(&mut self) -> std::io::Result<Option<Message>> {
        let mut message = Message::default();
        let mut is_empty = true;
        let mut line = Vec::new();
        loop {
            line.clear();
            self.0.by_ref().take(LINE_SIZE_MAX).read_until(b'\n', &mut line)?;
            // A line without an end is one that the connection broke in.
            let Some(text) = line.strip_suffix(b"\n") else {
                let is_long = u64::try_from(line.len()).is_ok_and(|len| len >= LINE_SIZE_MAX);
                return if is_long { Err(std::io::Error::other("a line is too long")) } else { Ok(None) };
            };
            let text = std::str::from_utf8(text).map_err(std::io::Error::other)?.trim_end_matches('\r');
            if text.is_empty() {
                if is_empty {
                    continue;
                }
                return Ok(Some(message));
            }
            let (field, value) = text.split_once(':').unwrap_or((text, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => message.position = value.parse().ok(),
                "event" => message.name = Some(value.to_owned()),
                "data" => message.data.push_str(value),
                _ => continue,
            }
            is_empty = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_are_sent() {
        let text = ": so far\nid: 7\n\n: alive\n\nid: 8\ndata: {\"a\":1}\n\nid: 9\r\nevent: gap\ndata: {}\n\nid: 10\ndata: {\"cut";
        let mut messages = Messages(text.as_bytes());
        let mut next = || messages.next().unwrap().map(|message| (message.position, message.name, message.data));
        assert_eq!(next(), Some((Some(7), None, String::new())));
        assert_eq!(next(), Some((Some(8), None, "{\"a\":1}".to_owned())));
        assert_eq!(next(), Some((Some(9), Some("gap".to_owned()), "{}".to_owned())));
        assert_eq!(next(), None, "half a message is none");
    }
}
