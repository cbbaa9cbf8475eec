//! Places that work takes, as many as a limit says, which may change while they are taken.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// So many places, each held as long as its permit is.
#[derive(Debug)]
pub(super) struct Places {
    semaphore: Arc<Semaphore>,
    count: Mutex<usize>,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(count)), count: Mutex::new(count) }
    }

    pub(super) fn semaphore(&self) -> Arc<Semaphore> {
        Arc::clone(&self.semaphore)
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.count.lock().saturating_sub(self.semaphore.available_permits())
    }

    /// Makes it so many. Where more are taken than there are to be, nobody gets one until the others have gone.
    ///
    /// # Panics
    /// Outside of a runtime, if places are taken away that are in use.
    pub(super) fn resize(&self, count: usize) {
        let mut held = self.count.lock();
        if count > *held {
            self.semaphore.add_permits(count - *held);
        }
        let surplus = held.saturating_sub(count);
        let in_use = surplus - self.semaphore.forget_permits(surplus);
        if let Ok(in_use @ 1..) = u32::try_from(in_use) {
            let semaphore = self.semaphore();
            // It stands in the queue before everybody who comes from now on.
            drop(tokio::spawn(async move {
                if let Ok(places) = semaphore.acquire_many_owned(in_use).await {
                    places.forget();
                }
            }));
        }
        *held = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_come_and_go_while_others_are_taken() {
        let places = Places::new(3);
        let take = || places.semaphore().try_acquire_owned().ok();
        let mut taken: Vec<_> = (0..3).map(|_| take().unwrap()).collect();
        assert!(take().is_none());
        places.resize(4);
        taken.push(take().unwrap());
        assert!(take().is_none());
        places.resize(2);
        tokio::task::yield_now().await;
        for _ in 0..2 {
            taken.pop();
            assert!(take().is_none(), "more were taken than there are");
        }
        taken.pop();
        let again = take().unwrap();
        assert!(take().is_none());
        drop((again, taken));
        assert_eq!(places.semaphore.available_permits(), 2);
        places.resize(1);
        places.resize(3);
        assert_eq!(places.semaphore.available_permits(), 3);
    }
}
