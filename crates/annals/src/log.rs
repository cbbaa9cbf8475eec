//! The server's log on standard error: lines for people or JSON, in which nothing that a client sent can begin a
//! line of its own, move the cursor or turn the direction of reading.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use annals_server::ServerConfig;
use tracing::field::{Field, Visit};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, MakeWriter};

use crate::failure::{Failure, Result};
use crate::terminal::{is_harmful, is_watched, push_harmless};

/// Which log lines are written.
pub(crate) fn filter(config: &ServerConfig) -> Result<EnvFilter> {
    let filter = &config.log.filter;
    EnvFilter::try_new(filter).map_err(|error| Failure::new(format_args!("log.filter is {filter:?}: {error}")))
}

/// Begins to write lines of this process.
pub(crate) fn start(config: &ServerConfig) -> Result<()> {
    let filter = filter(config)?;
    let done = if config.log.format == "json" {
        tracing::subscriber::set_global_default(json(filter, io::stderr))
    } else {
        tracing::subscriber::set_global_default(text(filter, io::stderr, is_watched()))
    };
    done.map_err(|error| Failure::new(format_args!("cannot begin the log: {error}")))
}

fn text<W>(filter: EnvFilter, writer: W, colours: bool) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt().with_ansi(colours).with_env_filter(filter);
    lines.fmt_fields(TextFields).with_writer(writer).finish()
}

fn json<W>(filter: EnvFilter, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt().with_env_filter(filter).json().flatten_event(true).with_span_list(false);
    lines.with_writer(Escaping(writer)).finish()
}

/// Fields as `name=value`, quoted where a value could be taken for more than one.
struct TextFields;

impl<'w> FormatFields<'w> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = TextVisitor { writer, is_first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct TextVisitor<'w> {
    writer: Writer<'w>,
    is_first: bool,
    result: fmt::Result,
}

impl TextVisitor<'_> {
    fn one(&mut self, field: &Field, value: &str) {
        if self.result.is_err() {
            return;
        }
        let mut text = String::new();
        if !std::mem::take(&mut self.is_first) {
            text.push(' ');
        }
        if field.name() == "message" {
            push_harmless(&mut text, value);
        } else {
            // Writing to a text cannot fail.
            _ = write!(text, "{}=", field.name());
            let is_plain = |character: char| !matches!(character, ' ' | '"' | '\\' | '=') && !is_harmful(character);
            if !value.is_empty() && value.chars().all(is_plain) {
                text.push_str(value);
            } else {
                text.push('"');
                let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
                push_harmless(&mut text, &quoted);
                text.push('"');
            }
        }
        self.result = self.writer.write_str(&text);
    }
}

impl Visit for TextVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.one(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.one(field, &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.one(field, &format!("{value:?}"));
    }
}

/// Gives JSON to a writer with every character escaped that does something to those who read it. JSON itself asks
/// for that below U+0020 only; outside of its texts there are none of the others.
struct Escaping<W>(W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Escaping<W> {
    type Writer = EscapingWriter<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        EscapingWriter(self.0.make_writer())
    }
}

struct EscapingWriter<W>(W);

impl<W: Write> Write for EscapingWriter<W> {
    /// Takes a whole line at once, as the formatter gives it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if text.chars().any(|character| is_harmful(character) && character != '\n') {
            let mut escaped = String::with_capacity(text.len() + 64);
            for character in text.chars() {
                if is_harmful(character) && character != '\n' {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        // Writing to a text cannot fail.
                        _ = write!(escaped, "\\u{unit:04x}");
                    }
                } else {
                    escaped.push(character);
                }
            }
            self.0.write_all(escaped.as_bytes())?;
        } else {
            self.0.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What somebody may send: lines of their own, colours, a bell, the other direction, marks that hide.
    const HOSTILE: &str =
        "a\nlevel=error msg=\"forged\" \u{1b}[31mred\u{7}\r\u{9b}2J\u{7f}\u{202e}txt\u{2066}\u{200b}\u{2028}\u{feff}\\";

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn say_all() {
        let span = tracing::error_span!("request", request_id = HOSTILE);
        let _within = span.enter();
        tracing::info!(text = HOSTILE, shown = %HOSTILE, debugged = ?HOSTILE, count = 7, "said");
    }

    fn logged(as_json: bool) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let make = move || writer.clone();
        let filter = EnvFilter::new("info");
        if as_json {
            tracing::subscriber::with_default(json(filter, make), say_all);
        } else {
            tracing::subscriber::with_default(text(filter, make, false), say_all);
        }
        kept.text()
    }

    #[test]
    fn hostile_values_stay_within_their_field() {
        for as_json in [false, true] {
            let text = logged(as_json);
            assert_eq!(text.lines().count(), 1, "{text}");
            let body = text.strip_suffix('\n').unwrap();
            assert!(!body.chars().any(is_harmful), "{text:?}");
            assert!(!body.contains("\" level=") && !body.contains("\"forged\""), "{text}");
        }
    }

    #[test]
    fn json_says_what_was_sent_and_has_the_id_of_the_request() {
        let line: serde_json::Value = serde_json::from_str(&logged(true)).unwrap();
        assert_eq!((&line["text"], &line["shown"], &line["count"]), (&HOSTILE.into(), &HOSTILE.into(), &7.into()));
        assert_eq!((&line["level"], &line["span"]["request_id"]), (&"INFO".into(), &HOSTILE.into()));
    }

    #[test]
    fn plain_values_are_not_quoted() {
        let kept = Kept::default();
        let writer = kept.clone();
        tracing::subscriber::with_default(text(EnvFilter::new("info"), move || writer.clone(), false), || {
            tracing::info!(route = "/v1/x", empty = "", took_ms = 1.5, words = "two words", "answered");
        });
        let text = kept.text();
        assert!(text.ends_with("answered route=/v1/x empty=\"\" took_ms=1.5 words=\"two words\"\n"), "{text}");
    }
}
