//! How far a command is that goes through events: a bar for a person, a line now and then for a log.

use std::time::Duration;

use annals_engine::{Clock, OsClock};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::{Failure, Result};
use crate::terminal::{grouped, say};

/// Between two lines when nobody watches.
const LINE_PAUSE: Duration = Duration::from_secs(10);
/// Between two looks of the bar at the clock.
const BAR_RATE: u8 = 10;

/// Events so far, of how many.
pub(crate) struct Counting {
    bar: ProgressBar,
    watched: bool,
    total: Option<u64>,
    clock: OsClock,
    last_line: Duration,
}

impl Counting {
    pub(crate) fn new(watched: bool) -> Result<Self> {
        let target = if watched { ProgressDrawTarget::stderr_with_hz(BAR_RATE) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}").map_err(Failure::new)?);
        Ok(Self { bar, watched, total: None, clock: OsClock::new(), last_line: Duration::ZERO })
    }

    /// It is known how many there are.
    pub(crate) fn begin(&mut self, total: u64) {
        self.total = Some(total);
        self.bar.set_length(total);
    }

    pub(crate) fn show(&mut self, events: u64) {
        let elapsed = self.clock.monotonic();
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = grouped(events.saturating_mul(1000) / millis);
        if self.watched {
            self.bar.set_position(events);
            self.bar.set_message(format!("{} events, {rate}/s", grouped(events)));
        } else if elapsed.saturating_sub(self.last_line) >= LINE_PAUSE {
            self.last_line = elapsed;
            let of = self.total.map_or_else(String::new, |total| format!(" of {}", grouped(total)));
            say(format_args!("{}{of} events so far, {rate} a second", grouped(events)));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
