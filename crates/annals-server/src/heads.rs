//! How long a connection may take over the head of a request, and how long it may be silent between two.
//!
//! hyper has one time for both: from when it begins to wait for a head until that is whole. A client that keeps a
//! connection for its next request would be as suspicious to it as one that sends a byte a second. Its timer is
//! handed in, though, and is asked only while a head is waited for: this one knows when the first byte came.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use parking_lot::Mutex;

use crate::config::Limits;

/// What is known of the head that a connection waits for. The socket says when bytes come.
#[derive(Debug, Default)]
pub(crate) struct Head(Mutex<Wait>);

#[derive(Debug, Default)]
enum Wait {
    /// No head has been waited for yet.
    #[default]
    First,
    /// Not a byte of the next one is there.
    Silent,
    /// It has begun, if a head is waited for at all.
    Begun(tokio::time::Instant),
}

impl Head {
    /// Bytes have come.
    pub(crate) fn touch(&self) {
        let mut wait = self.0.lock();
        if matches!(*wait, Wait::Silent) {
            *wait = Wait::Begun(tokio::time::Instant::now());
        }
    }

    /// A head is waited for from now on. Of the first one the time runs from here: who connects and says nothing is no
    /// client that waits for its next question. What came with the end of the request before it counts as silence.
    fn begin(&self) {
        let mut wait = self.0.lock();
        *wait = match *wait {
            Wait::First => Wait::Begun(tokio::time::Instant::now()),
            Wait::Silent | Wait::Begun(_) => Wait::Silent,
        };
    }

    fn begun(&self) -> Option<tokio::time::Instant> {
        match *self.0.lock() {
            Wait::Begun(at) => Some(at),
            Wait::First | Wait::Silent => None,
        }
    }
}

/// The timer of one connection.
#[derive(Debug)]
pub(crate) struct HeadTimer {
    head: Arc<Head>,
    head_time_max: Duration,
    idle_time_max: Duration,
}

impl HeadTimer {
    pub(crate) fn new(head: Arc<Head>, limits: &Limits) -> Self {
        Self { head, head_time_max: limits.header_time_max, idle_time_max: limits.idle_time_max }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    // The only time there is: `serve` sets none but that for a head. When hyper says that it ends is not looked at.
    fn sleep_until(&self, _deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.head.begin();
        Box::pin(HeadSleep {
            head: Arc::clone(&self.head),
            head_time_max: self.head_time_max,
            timed: false,
            sleep: Box::pin(tokio::time::sleep(self.idle_time_max)),
        })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Done when a head took too long, or never began.
struct HeadSleep {
    head: Arc<Head>,
    head_time_max: Duration,
    /// Whether `sleep` is about the head and no longer about the silence before it.
    timed: bool,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.timed
            && let Some(begun) = self.head.begun()
        {
            self.timed = true;
            let deadline = begun + self.head_time_max;
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    fn timer(header_time_max: Duration, idle_time_max: Duration) -> (Arc<Head>, HeadTimer) {
        let head = Arc::<Head>::default();
        let limits = Limits { header_time_max, idle_time_max, ..Limits::default() };
        (Arc::clone(&head), HeadTimer::new(head, &limits))
    }

    async fn is_over(sleep: &mut Pin<Box<dyn Sleep>>) -> bool {
        tokio::time::timeout(Duration::from_millis(20), sleep).await.is_ok()
    }

    #[tokio::test]
    async fn the_first_head_has_no_silence_before_it() {
        let (_head, short) = timer(Duration::ZERO, LONG);
        assert!(is_over(&mut short.sleep(LONG)).await);
        let (_head, long) = timer(LONG, Duration::ZERO);
        assert!(!is_over(&mut long.sleep(Duration::ZERO)).await);
        assert!(is_over(&mut long.sleep(LONG)).await, "the second one has");
    }

    #[tokio::test]
    async fn silence_ends_with_the_first_byte_and_the_time_of_the_head_begins() {
        let (head, timer) = timer(Duration::ZERO, LONG);
        drop(timer.sleep(LONG));
        for _ in 0..2 {
            head.touch();
            let mut sleep = timer.sleep(LONG);
            assert!(!is_over(&mut sleep).await);
            head.touch();
            assert!(is_over(&mut sleep).await);
        }
    }
}
