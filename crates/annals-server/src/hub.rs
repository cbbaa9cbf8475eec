//! One thread that waits for the store to move and tells every tail.
//!
//! The engine knows no async, and a waiting thread for each tail would be many. The thread runs only
//! while somebody listens.

use std::sync::Arc;
use std::time::Duration;

use annals_engine::{Engine, Follower, News};
use parking_lot::Mutex;
use tokio::sync::watch;

/// The shortest time between two calls to the tails. A busy store commits thousands of times a second,
/// and each call costs every tail a look at the store.
const PAUSE: Duration = Duration::from_millis(5);
/// How often the thread looks whether anybody still listens.
const IDLE: Duration = Duration::from_secs(1);

/// Tells tails how far the store is.
#[derive(Debug, Default)]
pub(crate) struct Hub(Arc<Mutex<Option<watch::Sender<News>>>>);

impl Hub {
    /// What the store moves to from now on.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(crate) fn listen(&self, engine: &Engine) -> std::io::Result<watch::Receiver<News>> {
        let mut running = self.0.lock();
        if let Some(sender) = &*running {
            return Ok(sender.subscribe());
        }
        let follower = engine.follow();
        let now = follower.wait(News::default(), Duration::ZERO);
        let (sender, receiver) = watch::channel(now);
        let shared = Arc::clone(&self.0);
        std::thread::Builder::new().name("annals-tails".to_owned()).spawn(move || tell(&shared, &follower, now))?;
        *running = Some(sender);
        Ok(receiver)
    }
}

/// Passes on how far the store is until nobody listens or the store is closed.
fn tell(running: &Mutex<Option<watch::Sender<News>>>, follower: &Follower, mut seen: News) {
    loop {
        let news = follower.wait(seen, IDLE);
        {
            let mut running = running.lock();
            let Some(sender) = &*running else { return };
            if news != seen {
                sender.send_replace(news);
            }
            if news.closed || sender.receiver_count() == 0 {
                // Under the lock: who listens next starts another thread.
                *running = None;
                return;
            }
        }
        if news != seen {
            std::thread::sleep(PAUSE);
        }
        seen = news;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_engine::{AppendOptions, Batch, Event, Options};

    #[tokio::test]
    async fn listeners_hear_of_an_append_and_the_thread_ends_with_the_last_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::new(directory.path());
        options.log_size_bytes = annals_engine::LOG_SIZE_BYTES_MIN;
        let engine = Engine::open(options).unwrap();
        let hub = Hub::default();
        for sequence in 1..=3 {
            let mut news = hub.listen(&engine).unwrap();
            let mut others = hub.listen(&engine).unwrap();
            let mut batch = Batch::new();
            batch.push(&Event::new("a")).unwrap();
            engine.append(batch, &AppendOptions::default()).unwrap();
            for receiver in [&mut news, &mut others] {
                receiver.wait_for(|news| news.visible_sequence == sequence).await.unwrap();
            }
            drop((news, others));
            while hub.0.lock().is_some() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let mut news = hub.listen(&engine).unwrap();
        engine.close().unwrap();
        news.wait_for(|news| news.closed).await.unwrap();
    }
}
