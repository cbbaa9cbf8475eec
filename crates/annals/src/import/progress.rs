//! How far an import is: a bar for a person, a line now and then for a log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use annals_engine::{Clock, OsClock};
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::{Failure, Result};
use crate::report::target;
use crate::source::Source;
use crate::terminal::{grouped, is_watched, say};

/// Between two lines when nobody watches.
const LINE_PAUSE: Duration = Duration::from_secs(10);

/// The progress of all files of one import.
pub(crate) struct Progress {
    bar: ProgressBar,
    clock: OsClock,
    position: Arc<AtomicU64>,
    last_line: Duration,
}

impl Progress {
    pub(crate) fn new() -> Result<Self> {
        let bar = ProgressBar::with_draw_target(None, target());
        let style = ProgressStyle::with_template("{prefix} {bar:30} {percent:>3}%  {msg}").map_err(Failure::new)?;
        bar.set_style(style);
        Ok(Self { bar, clock: OsClock::new(), position: Arc::default(), last_line: Duration::ZERO })
    }

    /// The next file begins.
    pub(crate) fn start(&mut self, source: &Source) {
        self.position = Arc::clone(&source.position);
        self.bar.set_prefix(source.name.clone());
        self.bar.set_position(0);
        match source.size_bytes {
            Some(size_bytes) => self.bar.set_length(size_bytes),
            None => self.bar.unset_length(),
        }
    }

    /// `events` were taken in since the beginning.
    pub(crate) fn show(&mut self, events: u64) {
        let elapsed = self.clock.monotonic();
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = events.saturating_mul(1000) / millis;
        if is_watched() {
            self.bar.set_position(self.position.load(Ordering::Relaxed));
            self.bar.set_message(format!("{} events, {}/s", grouped(events), grouped(rate)));
        } else if elapsed.saturating_sub(self.last_line) >= LINE_PAUSE {
            self.last_line = elapsed;
            say(format_args!("{} events so far, {} a second", grouped(events), grouped(rate)));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
