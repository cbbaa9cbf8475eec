//! `annals tail`: a server's events as they are appended, across restarts of it.

mod pretty;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::client::Client;
use crate::client::follow::{Message, Opened};
use crate::failure::{Failure, Result};
use crate::filters::Filters;
use crate::query::Output;
use crate::signals::Stop;
use crate::store::Server;
use crate::table::Table;
use crate::terminal::{grouped, out, push_harmless, say};

/// Between two looks whether Ctrl-C was pressed.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Before the first and between all later attempts to connect again.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// Messages that wait to be shown; then the server waits.
const WAITING_MAX: usize = 1000;

/// Follow a running server: events as they are appended, until Ctrl-C.
///
/// When the connection is lost it is made again, and the tail goes on behind the
/// last event that was shown: nothing is missed and nothing comes twice. That,
/// and what the server has no more, is said on standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals tail
  annals tail --url http://10.0.0.5:8080 --filter severity=error
  annals tail --event-type user.login --output ndjson | jq .user_id
  annals tail --after 0 --output ndjson > everything.ndjson
  annals tail --prefix event_type=container. --output json

The key comes from ANNALS_KEY.")]
pub(crate) struct Tail {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    filters: Filters,
    /// Go on behind this sequence; 0 begins with the oldest event there is
    #[arg(long, value_name = "SEQUENCE")]
    after: Option<u64>,
    /// Show only these members of an event, separated by commas
    #[arg(long, value_name = "NAMES")]
    fields: Option<String>,
    /// The form; json is each event over several lines
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

/// What a connection brings.
enum News {
    Connected,
    Message(Message),
    /// The server does not answer, or ended the connection.
    Lost(String),
    /// It answers, and will not have us.
    Refused(Failure),
}

pub(crate) fn run(command: &Tail) -> Result<ExitCode> {
    let stop = Stop::listen_quietly()?;
    let client = Arc::new(command.server.client()?);
    let mut parameters = String::new();
    command.filters.push_parameters(&mut parameters)?;
    if let Some(fields) = &command.fields {
        crate::client::push_parameter(&mut parameters, "fields", fields);
    }
    let mut follower =
        Follower { position: command.after, shown: 0, output: command.output, table: Table::to_stdout() };
    follower.follow(&client, &parameters, &mut out(), &stop)?;
    let go_on =
        follower.position.map_or_else(String::new, |position| format!("; --after {position} goes on from here"));
    say(format_args!("stopped after {} events{go_on}", grouped(follower.shown)));
    Ok(ExitCode::SUCCESS)
}

/// Reads one connection in a thread of its own, so that Ctrl-C is heard in silence too. It ends by
/// itself when nobody takes its news.
fn connect(client: &Arc<Client>, path: String) -> Receiver<News> {
    let (send, news) = sync_channel(WAITING_MAX);
    let client = Arc::clone(client);
    std::thread::spawn(move || {
        let last = match client.open_tail(&path) {
            Opened::Unreachable(error) => News::Lost(client.no_tail(&error).to_string()),
            Opened::Refused(answer) if matches!(answer.status, 429 | 502 | 503 | 504) => {
                News::Lost(client.refused(&answer).to_string())
            }
            Opened::Refused(answer) => News::Refused(client.refused(&answer)),
            Opened::Stream(mut messages) => {
                if send.send(News::Connected).is_err() {
                    return;
                }
                loop {
                    match messages.next() {
                        Ok(Some(message)) => {
                            if send.send(News::Message(message)).is_err() {
                                return;
                            }
                        }
                        Ok(None) => break News::Lost("the server ended it".to_owned()),
                        Err(error) => break News::Lost(error.to_string()),
                    }
                }
            }
        };
        let _ = send.send(last);
    });
    news
}

/// Waits, and says whether to go on.
fn wait(pause: Duration, stop: &Stop) -> bool {
    let mut left = pause;
    while !left.is_zero() && !stop.is_asked() {
        let some = left.min(LOOK_PAUSE);
        std::thread::sleep(some);
        left -= some;
    }
    !stop.is_asked()
}

/// How one connection ended.
enum End {
    Stopped,
    Lost { why: String, connected: bool },
}

/// What was shown, and how.
struct Follower {
    /// Everything up to this sequence was shown.
    position: Option<u64>,
    shown: u64,
    output: Output,
    table: Table,
}

impl Follower {
    /// Shows events until asked to stop, on as many connections as it takes.
    ///
    /// # Errors
    /// The first connection cannot be made, the server refuses, or nobody takes the output.
    fn follow(&mut self, client: &Arc<Client>, parameters: &str, out: &mut impl Write, stop: &Stop) -> Result<()> {
        let (mut pause, mut is_back) = (PAUSE_FIRST, false);
        loop {
            let news = connect(client, Client::tail_path(parameters, self.position));
            match self.take_news(&news, out, stop, is_back)? {
                End::Stopped => return Ok(()),
                End::Lost { why, connected: false } if !is_back => return Err(Failure::new(why)),
                End::Lost { why, connected } => {
                    if connected || !is_back {
                        let why = why.lines().next().unwrap_or_default();
                        say(format_args!("the connection is lost ({why}): trying again"));
                        pause = PAUSE_FIRST;
                    }
                    is_back = true;
                }
            }
            if !wait(pause, stop) {
                return Ok(());
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Shows what one connection brings.
    fn take_news(&mut self, news: &Receiver<News>, out: &mut impl Write, stop: &Stop, is_back: bool) -> Result<End> {
        let mut connected = false;
        let mut ended = None;
        loop {
            // What is there is written at once when nothing follows it.
            let next = match news.try_recv() {
                Err(TryRecvError::Empty) => {
                    out.flush()?;
                    news.recv_timeout(LOOK_PAUSE)
                }
                next => next.map_err(|_disconnected| RecvTimeoutError::Disconnected),
            };
            if stop.is_asked() {
                out.flush()?;
                return Ok(End::Stopped);
            }
            match next {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(End::Lost { why: "it ended".to_owned(), connected });
                }
                Ok(News::Connected) => {
                    connected = true;
                    if let (true, Some(position)) = (is_back, self.position) {
                        say(format_args!("connected again: going on behind sequence {position}"));
                    }
                }
                Ok(News::Message(message)) => {
                    if message.name.as_deref() == Some("end") {
                        ended = Some(text_of(&message.data, "message"));
                    }
                    self.take(out, message)?;
                }
                Ok(News::Lost(why)) => {
                    out.flush()?;
                    return Ok(End::Lost { why: ended.unwrap_or(why), connected });
                }
                Ok(News::Refused(failure)) => {
                    out.flush()?;
                    return Err(failure);
                }
            }
        }
    }

    fn take(&mut self, out: &mut impl Write, message: Message) -> Result<()> {
        let Message { position, name, data } = message;
        match name.as_deref() {
            None if data.is_empty() => {}
            None => {
                self.show(out, data)?;
                self.shown += 1;
            }
            Some("gap") => {
                out.flush()?;
                let (from, first) = (number_of(&data, "from"), number_of(&data, "first"));
                say(format_args!(
                    "the server has sequences {from} to {} no more: they were deleted and cleaned up",
                    first.saturating_sub(1)
                ));
            }
            Some("reset") => {
                out.flush()?;
                say(format_args!("events may be missing here: {}", text_of(&data, "reason")));
            }
            Some(_) => {}
        }
        // ORDER: behind the event; what was shown is behind us.
        self.position = position.or(self.position);
        Ok(())
    }

    fn show(&mut self, out: &mut impl Write, event: String) -> Result<()> {
        match self.output {
            Output::Table => self.table.write(out, &[event]),
            Output::Ndjson => Ok(writeln!(out, "{event}")?),
            Output::Json => Ok(writeln!(out, "{}", pretty::indented(&event))?),
        }
    }
}

fn text_of(data: &str, member: &str) -> String {
    let value: Value = serde_json::from_str(data).unwrap_or_default();
    let mut shown = String::new();
    push_harmless(&mut shown, value.get(member).and_then(Value::as_str).unwrap_or("no reason was given"));
    shown
}

fn number_of(data: &str, member: &str) -> u64 {
    let value: Value = serde_json::from_str(data).unwrap_or_default();
    value.get(member).and_then(Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests;
